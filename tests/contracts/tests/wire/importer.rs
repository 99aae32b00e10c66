//! Whoever has no JSON builds the events and gets the same requests.

use loyalty_contracts::{
    Event, EventError,
    order::{Line, OrderPaid, OrderRefunded, RefundedLine},
    parse,
};
use loyalty_domain::{command::Request, money::Minor};

use crate::{examples, order, received_at};

fn minor(amount: u64) -> Minor {
    amount.try_into().unwrap()
}

fn paid() -> OrderPaid {
    OrderPaid {
        order_id: "1001".into(),
        member_id: Some("7".into()),
        paid_at: "2026-06-30T09:15:01Z".parse().unwrap(),
        currency: "EUR".into(),
        channel: None,
        lines: vec![Line {
            id: "1".into(),
            sku: "A".into(),
            category: None,
            quantity: 1.try_into().unwrap(),
            amount_minor: Some(minor(500)),
            unit_price_minor: None,
            discounts: Vec::new(),
            gift_card: false,
        }],
        discounts: Vec::new(),
        tax_minor: Minor::ZERO,
        shipping_minor: Minor::ZERO,
        points_hold_id: None,
        paid_with_points_minor: Minor::ZERO,
        referral_code: None,
    }
}

#[test]
fn an_order_that_was_built_is_the_one_that_is_read() {
    let read = parse(order().to_string().as_bytes(), received_at());

    assert!(read.is_ok());
    assert_eq!(paid().into_request(received_at()), read);
    assert_eq!(Event::Paid(paid()).into_request(received_at()), read);
}

#[test]
fn an_order_that_was_built_wrongly_is_refused_as_one_that_was_sent() {
    let mut paid = paid();
    paid.lines[0].sku = "\n".repeat(3).into();

    let error = paid.into_request(received_at()).unwrap_err();

    assert_eq!(error.to_string(), "`lines[0].sku` is wrong: an SKU must not be empty");
}

#[test]
fn a_refund_that_was_built_may_be_of_shipping_alone() {
    let refund = |lines, shipping_minor| OrderRefunded {
        points_returned: None,
        order_id: "1001".into(),
        refund_id: "1".into(),
        refunded_at: received_at(),
        lines,
        shipping_minor,
        tax_minor: None,
        amount_minor: None,
    };
    let line = RefundedLine { id: "1".into(), quantity: 1, amount_minor: Minor::ZERO };

    assert!(refund(None, Some(minor(490))).into_request(received_at()).is_ok());
    assert!(refund(Some(vec![line]), None).into_request(received_at()).is_ok());
    let nothing = refund(None, Some(Minor::ZERO)).into_request(received_at());
    assert_eq!(nothing, Err(EventError::NothingRefunded));
}

/// That the event made of a request, written and read again, makes the same request.
#[track_caller]
fn assert_is_made_again(body: &[u8]) {
    let request = parse(body, received_at()).expect("the message is right");

    let event = Event::of(&request).expect("a message about an order made it");
    let written = serde_json::to_vec(&event).expect("an event can be written");

    assert_eq!(
        parse(&written, received_at()),
        Ok(request),
        "{}",
        String::from_utf8_lossy(&written)
    );
}

#[test]
fn every_example_made_again_of_its_request_makes_the_same_request() {
    for (_, body) in examples() {
        assert_is_made_again(&body);
    }
}

#[test]
fn what_is_made_again_says_nothing_that_is_absent() {
    let request = parse(order().to_string().as_bytes(), received_at()).unwrap();

    let written = serde_json::to_string(&Event::of(&request)).unwrap();

    assert_eq!(
        written,
        r#"{"type":"order.paid","order_id":"1001","member_id":"7","paid_at":"2026-06-30T09:15:01Z","currency":"EUR","lines":[{"id":"1","sku":"A","quantity":1,"amount_minor":500}]}"#
    );
}

#[test]
fn what_is_no_event_of_an_order_makes_none() {
    let client = "till".try_into().unwrap();
    let key = "1".try_into().unwrap();
    let points = 5.try_into().unwrap();
    let spend = Request::spend(client, key, "7".try_into().unwrap(), received_at(), points);

    assert_eq!(Event::of(&spend), None);
}
