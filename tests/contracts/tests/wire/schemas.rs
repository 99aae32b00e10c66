//! The schemas as checked in are those of the code, and say what the code does as far as they can.

use std::fs;

use jsonschema::Validator;
use loyalty_contracts::{parse, referral::Message, review::Review, schema::documents, work::Work};
use serde_json::Value;

use crate::{difference, examples, path, received_at, wrong};

/// The event of a schema, as `order.paid`.
fn event_of(file_name: &str) -> &str {
    file_name.strip_suffix(".v1.json").expect("every schema is of version 1")
}

fn validators() -> Vec<(String, Validator)> {
    documents()
        .unwrap()
        .into_iter()
        .map(|document| {
            let schema: Value = serde_json::from_str(&document.text).unwrap();
            jsonschema::meta::validate(&schema).expect("it is a schema");
            let validator = jsonschema::options()
                .should_validate_formats(true)
                .build(&schema)
                .expect("it is a schema");
            (event_of(document.file_name).to_owned(), validator)
        })
        .collect()
}

/// The name of the event that a message says it is.
fn name_of(message: &Value) -> Option<&str> {
    message.get("detail-type").or_else(|| message.get("type")).and_then(Value::as_str)
}

#[test]
fn the_schemas_as_checked_in_are_those_of_the_code() {
    let mut checked_in: Vec<_> = fs::read_dir(path("shared/contracts/schemas"))
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    checked_in.sort();
    let documents = documents().unwrap();
    let mut generated: Vec<_> = documents.iter().map(|it| it.file_name).collect();
    generated.sort_unstable();
    assert_eq!(checked_in, generated);

    for document in documents {
        let name = document.file_name;
        let text = fs::read_to_string(path("shared/contracts/schemas").join(name)).unwrap();

        assert!(
            text == document.text,
            "{name} is not what the code says; the first difference is in {}\nIf the change is \
             meant, and old messages still parse, write it with\n    cargo run -p loyalty-contracts \
             --features schemas --example schemas",
            difference(&text, &document.text)
        );
    }
}

#[test]
fn every_example_is_valid_under_the_schema_of_its_event_and_no_other() {
    let validators = validators();
    for (name, body) in examples() {
        let message: Value = serde_json::from_slice(&body).unwrap();
        for (event, validator) in &validators {
            let is_its_own = name.starts_with(event.as_str());
            let errors: Vec<_> = validator.iter_errors(&message).map(|it| it.to_string()).collect();

            assert_eq!(errors.is_empty(), is_its_own, "{name} under {event}: {errors:#?}");
        }
    }
}

/// What we tell ourselves, as the code writes it.
const OWN: [(&str, &str); 11] = [
    ("due.plan", r#"{"type":"due.plan","day":"2026-02-01","shards":[{"shard":63}]}"#),
    ("due.post", r#"{"type":"due.post","day":"2026-02-01","member_ids":["a","b"]}"#),
    (
        "growth.add",
        r#"{"type":"growth.add","member_id":"m","activity_id":"a","growth":4294967295,"at":"2026-06-30T12:00:00Z"}"#,
    ),
    (
        "task.complete",
        r#"{"type":"task.complete","member_id":"m","task":"t","at":"2026-06-30T12:00:00Z"}"#,
    ),
    (
        "level.override",
        r#"{"type":"level.override","member_id":"m","level":"gold","kind":"violation","through":"2026-12-31","reason":"r","actor":"s","key":"k","at":"2026-06-30T12:00:00Z"}"#,
    ),
    (
        "level.lift",
        r#"{"type":"level.lift","member_id":"m","reason":"r","actor":"s","key":"k","at":"2026-06-30T12:00:00Z"}"#,
    ),
    (
        "life.extend",
        r#"{"type":"life.extend","member_id":"m","through":"2027-12-31","reason":"r","actor":"s","key":"k","at":"2026-06-30T12:00:00Z"}"#,
    ),
    (
        "points.reinstate",
        r#"{"type":"points.reinstate","member_id":"m","points":70,"through":"2027-12-31","reason":"r","actor":"s","key":"k","at":"2026-06-30T12:00:00Z"}"#,
    ),
    ("measure.plan", r#"{"type":"measure.plan","version":2,"after":"M#1"}"#),
    ("measure.members", r#"{"type":"measure.members","version":2,"member_ids":["a"]}"#),
    (
        "referral.review",
        r#"{"type":"referral.review","member_id":"m","decision":"deny","reason":"r","actor":"s","key":"k","at":"2026-06-30T12:00:00Z"}"#,
    ),
];

/// The message in `body` as its reader writes it again.
fn written(body: &str) -> Option<String> {
    let body = body.as_bytes();
    let work = Work::read(body).map(|it| it.body().unwrap());
    let review = Review::read(body).map(|it| it.body().unwrap());
    let referral = match Message::read(body) {
        Ok(Message::Review(review)) => Some(review.body().unwrap()),
        Ok(Message::Pending(_) | Message::Qualified(_)) | Err(_) => None,
    };
    work.ok().or(review.ok()).or(referral)
}

#[test]
fn what_we_tell_ourselves_is_valid_under_its_own_schema_and_no_other() {
    for (name, body) in OWN {
        assert_eq!(written(body).as_deref(), Some(body));

        let message: Value = serde_json::from_str(body).unwrap();
        for (event, validator) in validators() {
            assert_eq!(validator.is_valid(&message), event == name, "{name} under {event}");
        }
    }
}

#[test]
fn a_schema_of_our_own_refuses_what_its_reader_does() {
    for (name, from, to) in [
        ("growth.add", "4294967295", "0"),
        ("growth.add", "4294967295", "4294967296"),
        ("task.complete", "2026-06-30T12:00:00Z", "2026-06-30"),
        ("level.override", "violation", "punishment"),
        ("level.override", "2026-12-31", "20261231"),
        ("level.lift", r#""reason":"r""#, r#""reason":"So sorry""#),
        ("life.extend", "2027-12-31", "2027-13-31"),
        ("points.reinstate", "70", "70.5"),
        ("measure.plan", "2,", "-2,"),
        ("measure.members", r#""a""#, r#""""#),
        ("referral.review", "deny", "forget"),
    ] {
        let (_, body) = OWN.into_iter().find(|(it, _)| *it == name).unwrap();
        let body = body.replace(from, to);
        let (_, validator) = validators().into_iter().find(|(it, _)| it == name).unwrap();

        assert_eq!(written(&body), None, "{body}");
        assert!(!validator.is_valid(&serde_json::from_str(&body).unwrap()), "{body}");
    }
}

/// Outcomes of which a schema knows nothing, since it sees neither the clock nor two fields at once.
const UNSEEN_BY_SCHEMAS: [&str; 11] = [
    "nothing_brought",
    "nothing_refunded",
    "out_of_range",
    "repeated_field",
    "repeated_line",
    "repeated_month",
    "too_far_ahead",
    "too_old",
    "not_json",
    "not_utf8",
    "unknown_currency",
];

/// Messages of other outcomes that a schema takes all the same, each with the reason.
const UNSEEN_HERE: [(&str, &str); 9] = [
    ("amount-with-a-point.json", "to a schema, 1.0 is an integer"),
    ("amount-with-an-exponent.json", "to a schema, 1e3 is an integer"),
    ("amount-is-minus-zero.json", "to a schema, -0 is 0"),
    ("points-with-a-point.json", "to a schema, 5.0 is an integer"),
    ("quantity-with-an-exponent.json", "to a schema, 1e2 is an integer"),
    ("version-with-point.json", "to a schema, 1.0 is 1"),
    ("order_id-of-129-bytes-of-emoji.json", "a schema counts characters and not bytes"),
    (
        "paid_at-in-the-year-9999.json",
        "the last day of that year is no instant everywhere on earth",
    ),
    ("price-is-too-large.json", "a schema does not count in a text"),
];

#[test]
fn a_schema_refuses_what_the_code_refuses_where_a_schema_can() {
    let validators = validators();
    let mut refused = 0;
    for (name, body) in wrong() {
        let Ok(message) = serde_json::from_slice::<Value>(&body) else { continue };
        let outcome = parse(&body, received_at()).expect_err(&name).name();
        if UNSEEN_BY_SCHEMAS.contains(&outcome) || UNSEEN_HERE.iter().any(|(it, _)| *it == name) {
            continue;
        }
        let event = name_of(&message);
        for (_, validator) in
            validators.iter().filter(|(it, _)| event.is_none_or(|name| name == it))
        {
            assert!(!validator.is_valid(&message), "{name}: {outcome}, but the schema takes it");
            refused += 1;
        }
    }

    assert!(refused > 100, "only {refused} messages were looked at");
}

#[test]
fn what_schemas_are_said_not_to_see_they_do_not_see() {
    let validators = validators();
    for (name, reason) in UNSEEN_HERE {
        let (_, body) = wrong().into_iter().find(|(it, _)| it == name).expect(name);
        let message: Value = serde_json::from_slice(&body).unwrap();
        let event = name_of(&message).unwrap();
        let (_, validator) = validators.iter().find(|(it, _)| it == event).unwrap();

        assert!(validator.is_valid(&message), "{name} is no exception any more: {reason}");
    }
}
