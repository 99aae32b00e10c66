//! Whoever has no JSON builds the events and gets the same requests.

use loyalty_contracts::{
    Event, EventError,
    order::{Line, OrderPaid, OrderRefunded, RefundedLine},
    parse,
};
use loyalty_domain::money::Minor;

use crate::{order, received_at};

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
