//! Every wrong message in `tests/data/events/wrong` has the outcome that stands beside it.
//!
//! The name of the outcome is the first line of `<name>.expected`, its message the second.

use std::{collections::BTreeSet, fs};

use loyalty_contracts::parse;

use crate::{path, received_at, wrong};

/// What is personal in these messages, in pieces, since an error might quote a part.
const PERSONAL: [&str; 3] = ["anna", "schmidt", "person.example"];

#[test]
fn every_wrong_message_has_its_outcome() {
    let mut differing = Vec::new();
    for (name, body) in wrong() {
        let is = match parse(&body, received_at()) {
            Ok(_) => "accepted\n".to_owned(),
            Err(error) => format!("{}\n{error}\n", error.name()),
        };
        let stem = name.rsplit_once('.').unwrap().0;
        let file = path("tests/data/events/wrong").join(format!("{stem}.expected"));
        let expected = fs::read_to_string(file).unwrap_or_default();
        if is != expected {
            differing.push(format!("== {stem}\n{is}expected:\n{expected}"));
        }
    }

    assert!(differing.is_empty(), "{} differ:\n{}", differing.len(), differing.join("\n"));
}

#[test]
fn no_expectation_is_without_its_message() {
    let stem = |name: &str| name.rsplit_once('.').unwrap().0.to_owned();
    let messages: BTreeSet<_> = wrong().iter().map(|(name, _)| stem(name)).collect();
    let expectations: BTreeSet<_> =
        crate::files("tests/data/events/wrong", |name| name.ends_with(".expected"))
            .iter()
            .map(|(name, _)| stem(name))
            .collect();

    assert_eq!(messages, expectations);
}

#[test]
fn no_error_says_anything_personal() {
    for (name, body) in wrong() {
        let error = parse(&body, received_at()).expect_err(&name);

        let said = format!("{error} {error:?}").to_lowercase();
        for personal in PERSONAL {
            assert!(!said.contains(personal), "{name}: {said}");
        }
    }
}
