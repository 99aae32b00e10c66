//! What makes two messages the same fact, and what does not.

use loyalty_contracts::parse;
use loyalty_domain::command::Fingerprint;
use serde_json::{Map, Value, json};

use crate::{examples, received_at};

/// The id and the fingerprint of a message that is right.
#[track_caller]
fn fact(message: &str) -> (String, Fingerprint) {
    let request = parse(message.as_bytes(), received_at()).expect(message);
    (request.id.to_string(), request.fingerprint())
}

/// The examples as bare messages.
fn bare() -> Vec<(String, Value)> {
    let bare = |message: Value| match message.get("detail-type") {
        None => message,
        Some(name) => {
            let mut detail = message["detail"].clone();
            detail["type"] = name.clone();
            detail
        }
    };
    examples()
        .into_iter()
        .map(|(name, body)| (name, bare(serde_json::from_slice(&body).unwrap())))
        .collect()
}

/// The message in the envelope of the bus.
fn enveloped(bare: &Value) -> Value {
    let mut detail = bare.clone();
    let name = detail.as_object_mut().unwrap().remove("type").unwrap();
    json!({ "version": "0", "id": "1", "detail-type": name, "source": "shop", "detail": detail })
}

/// The same JSON with the keys of every object from last to first, whatever order the library keeps.
fn backwards(value: &Value) -> String {
    match value {
        Value::Array(list) => {
            format!("[{}]", list.iter().map(backwards).collect::<Vec<_>>().join(" ,\n"))
        }
        Value::Object(map) => {
            let mut fields: Vec<_> = map.iter().collect();
            fields.sort_by(|(left, _), (right, _)| right.cmp(left));
            let fields: Vec<_> =
                fields.iter().map(|(key, it)| format!("{key:?}\t: {}", backwards(it))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

#[test]
fn an_event_is_the_same_bare_and_in_an_envelope() {
    for (name, bare) in bare() {
        assert_eq!(fact(&bare.to_string()), fact(&enveloped(&bare).to_string()), "{name}");
    }
}

#[test]
fn an_event_is_the_same_whatever_order_its_keys_have() {
    for (name, bare) in bare() {
        for message in [enveloped(&bare), bare] {
            assert_eq!(fact(&message.to_string()), fact(&backwards(&message)), "{name}");
        }
    }
}

#[test]
fn an_event_is_the_same_whenever_it_is_received() {
    let later = "2036-01-01T00:00:00Z".parse().unwrap();
    for (name, body) in examples() {
        assert_eq!(parse(&body, received_at()), parse(&body, later), "{name}");
    }
}

/// Where the values of a message stand, as JSON pointers.
pub(super) fn leaves(value: &Value, at: &str, all: &mut Vec<String>) {
    match value {
        Value::Array(list) => {
            for (index, it) in list.iter().enumerate() {
                leaves(it, &format!("{at}/{index}"), all);
            }
        }
        Value::Object(map) => {
            for (key, it) in map {
                leaves(it, &format!("{at}/{key}"), all);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            all.push(at.to_owned());
        }
    }
}

/// What is not part of the fact.
fn is_beside_the_fact(pointer: &str) -> bool {
    // How an order is named cannot change what its event is; a discount's code is not kept; and a
    // cancellation happens once to an order, as an opening does to a member, whenever that was.
    ["/code", "/shop_note", "/version", "/type", "/cancelled_at", "/opened_at"]
        .iter()
        .any(|it| pointer.ends_with(it))
}

/// Another value of the same kind, or `None` if there is none.
fn other(pointer: &str, value: &Value) -> Option<Value> {
    let field = pointer.rsplit('/').next().unwrap();
    Some(match value {
        Value::String(_) if field == "currency" => json!("CHF"),
        Value::String(_) if field.ends_with("_at") => json!("2026-06-30T09:15:01.000000001Z"),
        Value::String(_) if field.ends_with("_through") => json!("2028-02-29"),
        Value::String(_) if field == "points_hold_id" => json!("0".repeat(32)),
        Value::String(_) if field == "month" => json!("2026-01"),
        Value::String(_) if field == "unit_price_minor" => json!("7.5"),
        Value::String(text) => json!(format!("{text}+")),
        Value::Number(number) => json!(number.as_u64().unwrap() + 1),
        Value::Bool(it) => json!(!it),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    })
}

#[test]
fn an_event_is_another_if_any_field_is() {
    let mut walked = Vec::new();
    for (name, message) in bare() {
        let mut pointers = Vec::new();
        leaves(&message, "", &mut pointers);
        for pointer in pointers {
            // Another kind or version of event is another shape, and mostly none at all.
            if pointer == "/type" || pointer == "/version" {
                continue;
            }
            let Some(value) = other(&pointer, message.pointer(&pointer).unwrap()) else { continue };
            let mut changed = message.clone();
            *changed.pointer_mut(&pointer).unwrap() = value;

            let is_same = fact(&message.to_string()) == fact(&changed.to_string());

            assert_eq!(is_same, is_beside_the_fact(&pointer), "{name}{pointer}");
            walked.push(pointer.rsplit('/').next().unwrap().to_owned());
        }
    }
    walked.sort();
    walked.dedup();
    // Every field that an event can have, so that a new one cannot be forgotten in the examples.
    let fields = [
        "amount_minor",
        "available_at",
        "cancelled_at",
        "category",
        "change_id",
        "changed_at",
        "channel",
        "code",
        "currency",
        "debt",
        "gift_card",
        "id",
        "level",
        "member_id",
        "month",
        "opened_at",
        "order_id",
        "orders",
        "paid_at",
        "paid_with_points_minor",
        "points",
        "points_hold_id",
        "points_returned",
        "quantity",
        "referral_code",
        "refund_id",
        "refunded_at",
        "shipping_minor",
        "shop_note",
        "sku",
        "spend_minor",
        "tax_minor",
        "unit_price_minor",
        "usable_through",
        "valid_through",
    ];
    assert_eq!(walked, fields);
}

#[test]
fn an_event_is_another_without_a_field_that_it_had() {
    for (name, message) in bare() {
        let Value::Object(fields) = &message else { panic!("{name}") };
        for (field, value) in fields {
            let mut fewer: Map<_, _> = fields.clone();
            fewer.remove(field);
            let Ok(request) = parse(Value::Object(fewer).to_string().as_bytes(), received_at())
            else {
                continue;
            };

            let is_same =
                (request.id.to_string(), request.fingerprint()) == fact(&message.to_string());

            let says_nothing = value.is_null() || is_beside_the_fact(&format!("/{field}"));
            assert_eq!(is_same, says_nothing, "{name}: {field}");
        }
    }
}

#[test]
fn the_order_of_lines_is_part_of_an_order() {
    for (name, message) in bare() {
        let Some(lines) = message["lines"].as_array().filter(|it| it.len() > 1) else { continue };
        let mut turned = message.clone();
        turned["lines"] = lines.iter().rev().cloned().collect();

        assert_ne!(fact(&message.to_string()), fact(&turned.to_string()), "{name}");
    }
}

#[test]
fn fields_of_nothing_are_the_same_as_none() {
    let (_, message) =
        bare().into_iter().find(|(name, _)| name == "order.paid.minimal.bare.json").unwrap();
    let mut explicit = message.clone();
    for field in ["tax_minor", "shipping_minor", "paid_with_points_minor"] {
        explicit[field] = json!(0);
    }
    explicit["discounts"] = json!([]);
    explicit["version"] = json!(1);
    explicit["lines"][0]["gift_card"] = json!(false);
    explicit["lines"][0]["amount_minor"] = Value::Null;
    explicit["lines"][0]["unit_price_minor"] = json!("500.0");

    assert_eq!(fact(&message.to_string()), fact(&explicit.to_string()));
}
