//! When several things are wrong, what is said is what stands first in the list of outcomes.

use loyalty_contracts::{BODY_BYTES_MAX, parse};
use serde_json::{Value, json};

use crate::received_at;

#[track_caller]
fn check(body: &[u8], outcome: &str) {
    let error = parse(body, received_at()).expect_err(outcome);
    assert_eq!(error.name(), outcome, "{error}");
}

/// Mends one thing of a message after the other, so that each time the next outcome comes to light.
#[track_caller]
fn walk(message: &mut Value, steps: Vec<(&str, &str, Value)>) {
    for (outcome, pointer, right) in steps {
        check(message.to_string().as_bytes(), outcome);
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        let parent = message.pointer_mut(parent).expect(pointer);
        if let Value::Array(list) = parent {
            list[field.parse::<usize>().unwrap()] = right;
        } else {
            parent[field] = right;
        }
    }
    let request = parse(message.to_string().as_bytes(), received_at());
    assert!(request.is_ok(), "{request:?}");
}

#[test]
fn what_is_wrong_with_the_message_comes_before_what_is_wrong_with_the_event() {
    let mut body = vec![b' '; BODY_BYTES_MAX + 1];
    body[0] = 0xff;
    check(&body, "too_large");
    body.truncate(3);
    check(&body, "not_utf8");
    check(b" []]", "not_json");
    // No object, and no JSON either.
    check(b"[", "not_json");
    check(b"{\"type\":\"order.shipped\",", "not_json");
}

#[test]
fn what_is_wrong_with_an_order_comes_in_the_order_of_the_list() {
    let max = 9_223_372_036_854_775_807_u64;
    let line = |id: &str| json!({ "id": id, "sku": "A", "quantity": 1, "amount_minor": max });
    let lines: Value = json!([
        { "id": "", "sku": "A", "quantity": 1 },
        { "id": "", "sku": "A", "quantity": 1, "amount_minor": 1, "unit_price_minor": "1,5" },
        { "id": "3", "sku": "A", "quantity": 4_294_967_295_u32, "unit_price_minor": "1,5" },
        { "id": "4", "sku": "A", "quantity": 1, "amount_minor": max },
        { "id": "3", "sku": "A", "quantity": 1, "amount_minor": 1 }
    ]);
    let mut message =
        json!({ "version": 7, "order_id": "", "paid_at": "1969-01-01T00:00:00Z", "currency": 5 });
    walk(
        &mut message,
        vec![
            ("not_an_event", "/type", json!("order.shipped")),
            ("unknown_event", "/type", json!("order.paid")),
            ("unknown_version", "/version", json!(1)),
            ("malformed", "/currency", json!("EUX")),
            ("missing_field", "/lines", json!([])),
            ("too_old", "/paid_at", json!("2026-07-01T13:00:00Z")),
            ("too_far_ahead", "/paid_at", json!("2026-07-01T12:00:00Z")),
            ("invalid_id", "/order_id", json!("1001")),
            ("unknown_currency", "/currency", json!("EUR")),
            ("no_lines", "/lines", (0..=10_000).map(|_| line("")).collect()),
            ("too_many_lines", "/lines", lines),
            ("invalid_id", "/lines/0/id", json!("1")),
            ("neither_amount_nor_price", "/lines/0/amount_minor", json!(1)),
            ("invalid_id", "/lines/1/id", json!("2")),
            ("both_amount_and_price", "/lines/1/amount_minor", Value::Null),
            ("invalid_price", "/lines/1/unit_price_minor", json!("1.5")),
            ("invalid_price", "/lines/2/unit_price_minor", json!("999999999999999")),
            ("out_of_range", "/lines/2/quantity", json!(1)),
            ("out_of_range", "/lines/3/amount_minor", json!(1)),
            ("repeated_line", "/lines/4/id", json!("5")),
        ],
    );
}

#[test]
fn what_is_wrong_with_a_refund_comes_in_the_order_of_the_list() {
    let mut message = json!({
        "type": "order.refunded",
        "order_id": "1",
        "refund_id": "",
        "refunded_at": "2036-01-01T00:00:00Z",
        "lines": [{ "id": "", "quantity": 0, "amount_minor": 0 }],
        "amount_minor": 0
    });
    walk(
        &mut message,
        vec![
            ("too_far_ahead", "/refunded_at", json!("2026-01-01T00:00:00Z")),
            ("invalid_id", "/refund_id", json!("1")),
            ("both_amount_and_lines", "/amount_minor", Value::Null),
            ("invalid_id", "/lines/0/id", json!("1")),
            ("nothing_refunded", "/lines/0/amount_minor", json!(1)),
        ],
    );
}

#[test]
fn what_is_wrong_with_a_balance_comes_in_the_order_of_the_list() {
    let many = |it: Value| (0..65).map(|_| it.clone()).collect::<Value>();
    let mut message = json!({
        "type": "balance.opened",
        "member_id": "",
        "opened_at": "1969-12-31T23:59:59Z",
        "lots": many(json!({ "points": 0, "usable_through": "1969-12-31" })),
        "pending": many(json!({ "points": 0, "available_at": "2026-01-01T00:00:00Z" })),
        "tier": { "level": "", "valid_through": "1969-12-31" },
        "months": many(json!({ "month": "2026-01", "spend_minor": 0, "orders": 0 }))
    });
    let month = json!({ "month": "2026-01", "spend_minor": 0, "orders": 0 });
    walk(
        &mut message,
        vec![
            ("too_old", "/opened_at", json!("2026-07-01T13:00:00Z")),
            ("too_old", "/lots", many(json!({ "points": 0, "usable_through": "2026-01-01" }))),
            ("too_old", "/tier/valid_through", Value::Null),
            ("too_far_ahead", "/opened_at", json!("2026-07-01T12:00:00Z")),
            ("invalid_id", "/member_id", json!("7")),
            ("invalid_id", "/tier", Value::Null),
            ("too_many", "/lots", json!([])),
            ("too_many", "/pending", Value::Null),
            ("too_many", "/months", json!([month, month])),
            ("repeated_month", "/months/1/month", json!("2025-12")),
            ("nothing_brought", "/debt", json!(1)),
        ],
    );
}
