//! What is just still accepted, and what is just not any more.

use jiff::SignedDuration;
use loyalty_contracts::{BODY_BYTES_MAX, parse};
use loyalty_domain::order::LINES_MAX;
use serde_json::{Value, json};

use crate::{balance, balance_with, order, order_of, order_with, received_at};

/// The name of the outcome, or `accepted`.
fn outcome(body: &[u8]) -> &'static str {
    parse(body, received_at()).map_or_else(|error| error.name(), |_| "accepted")
}

#[test]
fn an_order_has_at_most_ten_thousand_lines() {
    assert_eq!(LINES_MAX, 10_000);

    assert_eq!(outcome(&order_of(10_000)), "accepted");
    assert_eq!(outcome(&order_of(10_001)), "too_many_lines");
}

#[test]
fn a_refund_has_at_most_ten_thousand_lines() {
    let refund = |lines: usize| {
        let line = json!({ "id": "1", "quantity": 1, "amount_minor": 1 });
        let lines: Value = (0..lines).map(|_| line.clone()).collect();
        json!({
            "type": "order.refunded",
            "order_id": "1",
            "refund_id": "1",
            "refunded_at": "2026-07-01T12:00:00Z",
            "lines": lines,
        })
        .to_string()
    };

    assert_eq!(outcome(refund(10_000).as_bytes()), "accepted");
    assert_eq!(outcome(refund(10_001).as_bytes()), "too_many_lines");
}

#[test]
fn a_message_has_at_most_a_mebibyte() {
    let mut body = order_of(1);
    body.resize(BODY_BYTES_MAX, b' ');
    assert_eq!(outcome(&body), "accepted");

    body.push(b' ');
    assert_eq!(outcome(&body), "too_large");
}

#[test]
fn a_line_of_a_mebibyte_is_refused_for_its_name_and_then_for_its_size() {
    let line =
        |bytes| json!([{ "id": "1", "sku": "x".repeat(bytes), "quantity": 1, "amount_minor": 1 }]);

    assert_eq!(outcome(&order_with("lines", line(BODY_BYTES_MAX - 1_000))), "invalid_id");
    assert_eq!(outcome(&order_with("lines", line(BODY_BYTES_MAX))), "too_large");
}

#[test]
fn ids_may_be_odd() {
    let odd = [
        "a:b/c",
        "#%&?=+",
        " leading and trailing ",
        "注文-1001",
        "заказ/1",
        "طلب",
        "🫖🧋",
        "e\u{301}",
        "\u{feff}1",
        "\\\"",
        "0",
        "null",
        &"x".repeat(128),
        &"🧋".repeat(32),
    ];
    for id in odd {
        for field in ["order_id", "member_id", "channel", "referral_code"] {
            assert_eq!(outcome(&order_with(field, id)), "accepted", "{field} {id:?}");
        }
    }
}

#[test]
fn two_spellings_of_an_id_in_json_are_one_id() {
    let text = order().to_string();
    let escaped = text.replace("1001", "\\u0031001");
    assert_ne!(text, escaped);

    assert_eq!(parse(text.as_bytes(), received_at()), parse(escaped.as_bytes(), received_at()));
}

#[test]
fn a_surrogate_pair_is_one_character() {
    let text = order().to_string().replace("1001", "\\ud83e\\uded6");

    let request = parse(text.as_bytes(), received_at()).unwrap();

    assert_eq!(request.id.to_string(), "O#🫖");
}

#[test]
fn an_old_event_is_as_good_as_a_new_one() {
    for at in ["2016-07-01T12:00:00Z", "1970-01-01T00:00:00Z", "1970-01-01T01:00:00+01:00"] {
        assert_eq!(outcome(&order_with("paid_at", at)), "accepted", "{at}");
    }
    assert_eq!(outcome(&order_with("paid_at", "1970-01-01T00:00:00+00:01")), "too_old");
}

#[test]
fn an_event_is_at_most_five_minutes_ahead() {
    let ahead = |seconds| {
        let at = received_at().checked_add(SignedDuration::from_secs(seconds)).unwrap();
        outcome(&order_with("paid_at", at.to_string()))
    };

    assert_eq!(ahead(0), "accepted");
    assert_eq!(ahead(5 * 60), "accepted");
    assert_eq!(ahead(5 * 60 + 1), "too_far_ahead");
    assert_eq!(ahead(60 * 60), "too_far_ahead");
}

#[test]
fn an_instant_has_any_form_of_rfc_3339() {
    let same =
        ["2026-06-30T09:15:01Z", "2026-06-30t11:15:01.000+02:00", "2026-06-30T09:15:01-00:00"];
    let requests = same.map(|at| parse(&order_with("paid_at", at), received_at()));

    assert!(requests[0].is_ok());
    assert!(requests.iter().all(|it| *it == requests[0]), "{requests:?}");
}

#[test]
fn amounts_may_be_nothing_and_as_much_as_money_can_count() {
    let max = 9_223_372_036_854_775_807_u64;
    for amount in [0, max] {
        let line = json!([{ "id": "1", "sku": "A", "quantity": 4_294_967_295_u32, "amount_minor": amount }]);
        assert_eq!(outcome(&order_with("lines", line)), "accepted", "{amount}");
    }
    assert_eq!(outcome(&order_with("paid_with_points_minor", max)), "accepted");
    assert_eq!(outcome(&order_with("tax_minor", max - 500)), "accepted");
    assert_eq!(outcome(&order_with("tax_minor", max - 499)), "out_of_range");
}

#[test]
fn discounts_may_be_more_than_the_line() {
    let line = json!([{ "id": "1", "sku": "A", "quantity": 1, "amount_minor": 5, "discounts": [{ "amount_minor": 9 }] }]);

    assert_eq!(outcome(&order_with("lines", line)), "accepted");
}

#[test]
fn null_is_the_same_as_absent_wherever_a_field_may_be_absent() {
    let mut nulls = order();
    for field in [
        "channel",
        "referral_code",
        "discounts",
        "tax_minor",
        "shipping_minor",
        "paid_with_points_minor",
        "version",
    ] {
        nulls[field] = Value::Null;
    }
    for field in ["category", "unit_price_minor", "discounts", "gift_card"] {
        nulls["lines"][0][field] = Value::Null;
    }

    assert_eq!(
        parse(nulls.to_string().as_bytes(), received_at()),
        parse(order().to_string().as_bytes(), received_at())
    );
}

#[test]
fn fields_that_no_shape_names_are_not_looked_at() {
    let others = [json!(null), json!("text"), json!(5.5), json!([[{}]]), json!({ "order_id": 5 })];
    for other in others {
        // In a bare event `detail` and `detail_type` are such fields, too.
        for field in ["customer", "detail", "detail_type", "id", "sku", ""] {
            assert_eq!(outcome(&order_with(field, other.clone())), "accepted", "{field} {other}");
        }
    }
    let mut line = order()["lines"].clone();
    line[0]["tags"] = json!({ "id": [1, 2], "quantity": -1 });
    assert_eq!(outcome(&order_with("lines", line)), "accepted");
}

#[test]
fn the_envelope_of_the_bus_may_hold_anything_else() {
    let mut detail = order();
    detail.as_object_mut().unwrap().remove("type");
    let envelope = |version: Value| json!({ "version": version, "type": 5, "id": 1, "detail-type": "order.paid", "detail": detail });

    for version in [json!("0"), json!("1"), json!(7), json!(null), json!({})] {
        assert_eq!(
            outcome(envelope(version.clone()).to_string().as_bytes()),
            "accepted",
            "{version}"
        );
    }
}

#[test]
fn no_nesting_overflows_the_stack() {
    let nested = |depth: usize, open: &str, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    let order = order().to_string();
    for depth in [127, 128, 129, 1_000, 100_000] {
        let list = nested(depth, "[", "", "]");
        let object = nested(depth, "{\"a\":", "1", "}");
        // In a field that nobody reads it is passed over, and elsewhere it is not what was asked for.
        for value in [&list, &object] {
            let with = |field: &str| {
                let order = order.strip_prefix('{').unwrap();
                format!("{{\"{field}\":{value},{order}")
            };
            assert_eq!(outcome(with("extra").as_bytes()), "accepted", "{depth}");
            assert_eq!(outcome(with("channel").as_bytes()), "malformed", "{depth}");
            assert_eq!(outcome(with("discounts").as_bytes()), "malformed", "{depth}");
            assert_eq!(outcome(with("version").as_bytes()), "unknown_version", "{depth}");
            assert_eq!(outcome(with("detail-type").as_bytes()), "not_an_event", "{depth}");
            let detail = format!("{{\"detail-type\":\"order.paid\",\"detail\":{value}}}");
            let expected = if value.starts_with('[') { "malformed" } else { "missing_field" };
            assert_eq!(outcome(detail.as_bytes()), expected, "{depth}");
            assert_eq!(outcome(value.as_bytes()), "not_an_event", "{depth}");
        }
        assert_eq!(outcome("[".repeat(depth).as_bytes()), "not_json", "{depth}");
        assert_eq!(outcome("{\"lines\":[".repeat(depth).as_bytes()), "not_json", "{depth}");
        assert_eq!(outcome("{\"detail\":".repeat(depth).as_bytes()), "not_json", "{depth}");
    }
}

#[test]
fn two_orders_in_one_message_are_none() {
    let mut body = order_of(1);
    body.extend(order_of(1));

    assert_eq!(outcome(&body), "not_json");
}

#[test]
fn a_balance_has_at_most_sixty_four_of_each() {
    let lots = |number| {
        (0..number).map(|_| json!({ "points": 1, "usable_through": "2026-12-31" })).collect()
    };
    let pending = |number| {
        (0..number)
            .map(|_| json!({ "points": 1, "available_at": "2026-12-31T00:00:00Z" }))
            .collect()
    };
    let months = |number| {
        (0..number)
            .map(|it| {
                let month = format!("{}-{:02}", 2020 + it / 12, it % 12 + 1);
                json!({ "month": month, "spend_minor": 1, "orders": 1 })
            })
            .collect()
    };
    let lists: [(&str, &dyn Fn(u32) -> Value); 3] =
        [("lots", &lots), ("pending", &pending), ("months", &months)];
    for (field, list) in lists {
        assert_eq!(outcome(&balance_with(field, list(64))), "accepted", "{field}");
        assert_eq!(outcome(&balance_with(field, list(65))), "too_many", "{field}");
    }
}

#[test]
fn a_balance_may_bring_points_that_are_over_and_points_that_are_to_come() {
    for day in ["1970-01-01", "2025-12-31", "2299-12-31", "2028-02-29"] {
        let lots = json!([{ "points": 5, "usable_through": day }]);
        assert_eq!(outcome(&balance_with("lots", lots)), "accepted", "{day}");
        let tier = json!({ "level": "gold", "valid_through": day });
        assert_eq!(outcome(&balance_with("tier", tier)), "accepted", "{day}");
        let pending = json!([{ "points": 5, "available_at": format!("{day}T00:00:00Z") }]);
        assert_eq!(outcome(&balance_with("pending", pending)), "accepted", "{day}");
    }
}

#[test]
fn a_balance_of_nothing_but_a_level_or_a_debt_is_one() {
    for (field, value) in [
        ("debt", json!(1)),
        ("tier", json!({ "level": "gold" })),
        ("pending", json!([{ "points": 1, "available_at": "2026-12-31T00:00:00Z" }])),
        ("months", json!([{ "month": "2026-06", "spend_minor": 0, "orders": 1 }])),
        ("earlier", json!({ "spend_minor": 1, "orders": 0 })),
    ] {
        let mut message = balance();
        message["lots"] = Value::Null;
        assert_eq!(outcome(message.to_string().as_bytes()), "nothing_brought");
        message[field] = value;
        assert_eq!(outcome(message.to_string().as_bytes()), "accepted", "{field}");
    }
}

#[test]
fn null_is_the_same_as_absent_in_a_balance() {
    let mut base = balance();
    base["tier"] = json!({ "level": "gold" });
    base["pending"] = json!([{ "points": 1, "available_at": "2026-12-31T00:00:00Z" }]);
    let mut nulls = base.clone();
    for field in ["debt", "months", "earlier", "version"] {
        nulls[field] = Value::Null;
    }
    nulls["tier"]["valid_through"] = Value::Null;
    nulls["pending"][0]["usable_through"] = Value::Null;

    let read = |it: &Value| parse(it.to_string().as_bytes(), received_at());
    assert_eq!(read(&nulls), read(&base));
    assert!(read(&base).is_ok());
    for field in ["lots", "pending", "tier"] {
        let mut fewer = balance();
        fewer["debt"] = json!(1);
        let mut null = fewer.clone();
        fewer.as_object_mut().unwrap().remove(field);
        null[field] = Value::Null;
        assert_eq!(read(&null), read(&fewer), "{field}");
        assert!(read(&null).is_ok(), "{field}");
    }
}
