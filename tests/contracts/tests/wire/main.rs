//! What crosses the border: as it should, and as it should not.
// So that lints know helpers for tests.
#![cfg(test)]

mod announcements;
mod examples;
mod fingerprint;
mod importer;
mod limits;
mod mutation;
mod precedence;
mod schemas;
mod wrong;

use std::{
    fs,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde_json::{Value, json};

/// A file of the repository's root, or a folder.
fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(relative)
}

/// The files of a folder by name, those without a name that `is_meant` aside.
fn files(folder: &str, is_meant: impl Fn(&str) -> bool) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(path(folder))
        .expect("the folder is there")
        .map(|it| it.expect("it can be read").path())
        .map(|it| (it.file_name().unwrap().to_str().unwrap().to_owned(), it))
        .filter(|(name, _)| is_meant(name))
        .map(|(name, it)| (name, fs::read(it).expect("the file can be read")))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "there is nothing in {folder}");
    files
}

/// The messages that we show to others.
fn examples() -> Vec<(String, Vec<u8>)> {
    files("shared/contracts/examples", is_json)
}

/// The messages that are wrong.
fn wrong() -> Vec<(String, Vec<u8>)> {
    files("tests/data/events/wrong", |name| !name.ends_with(".expected"))
}

fn is_json(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|it| it == "json")
}

/// The first line in which two texts differ.
fn difference(is: &str, should_be: &str) -> String {
    let lines = is.lines().map(Some).chain(std::iter::repeat(None));
    let others = should_be.lines().map(Some).chain(std::iter::repeat(None));
    let (index, (is, should_be)) = lines
        .zip(others)
        .take(is.lines().count().max(should_be.lines().count()))
        .enumerate()
        .find(|(_, (is, should_be))| is != should_be)
        .unwrap_or((0, (None, None)));
    format!("line {}:\n- {}\n+ {}", index + 1, is.unwrap_or("(end)"), should_be.unwrap_or("(end)"))
}

/// When every message of these tests is received.
fn received_at() -> Timestamp {
    "2026-07-01T12:00:00Z".parse().unwrap()
}

/// A small order, bare.
fn order() -> Value {
    json!({
        "type": "order.paid",
        "order_id": "1001",
        "member_id": "7",
        "paid_at": "2026-06-30T09:15:01Z",
        "currency": "EUR",
        "lines": [{ "id": "1", "sku": "A", "quantity": 1, "amount_minor": 500 }]
    })
}

/// A small balance, bare.
fn balance() -> Value {
    json!({
        "type": "balance.opened",
        "member_id": "7",
        "opened_at": "2026-06-30T09:15:01Z",
        "lots": [{ "points": 500, "usable_through": "2026-12-31" }]
    })
}

/// The small balance with a field of another value.
fn balance_with(field: &str, value: impl Into<Value>) -> Vec<u8> {
    let mut balance = balance();
    balance[field] = value.into();
    balance.to_string().into_bytes()
}

/// The small order with a field of another value.
fn order_with(field: &str, value: impl Into<Value>) -> Vec<u8> {
    let mut order = order();
    order[field] = value.into();
    order.to_string().into_bytes()
}

/// An order of that many lines.
fn order_of(lines: usize) -> Vec<u8> {
    let line = |id| json!({ "id": id, "sku": "A", "quantity": 1, "amount_minor": 500 });
    order_with("lines", (0..lines).map(|id| line(id.to_string())).collect::<Value>())
}
