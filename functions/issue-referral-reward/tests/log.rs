//! What is logged: every message in a line that reads alone, and nothing personal.
//!
//! Alone in its process, since whether a line is wanted is remembered for all threads.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]
#![expect(dead_code, reason = "half of the shop is for other tests")]

#[path = "rewards/common.rs"]
mod common;

use std::{
    io,
    sync::{Arc, Mutex, atomic::Ordering},
};

use common::{Shop, review};
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[test]
fn no_line_of_the_log_has_a_member_an_actor_a_reason_of_staff_or_a_body() {
    let lines = Arc::new(Mutex::new(Vec::<u8>::new()));
    let subscriber = loyalty_runtime::log::subscriber(Lines(Arc::clone(&lines)), LevelFilter::INFO);
    let many = json!({"referral": {"velocity": {"period": "month", "friends": 1}}});
    let shop = Shop::of(&many, &["bert", "cleo", "dora", "emil"]);
    shop.share(["anna", "dora"]);
    shop.store.reads_down.store(1, Ordering::Relaxed);

    tracing::subscriber::with_default(subscriber, || {
        shop.run();
        let again = json!({"type": "referral.review", "member_id": "cleo"}).to_string();
        for body in [
            review("cleo", "approve", "secret-key"),
            review("cleo", "deny", "secret-key"),
            review("emil", "deny", "k2"),
            review("emil", "deny", "k3"),
            again,
            "anna SECRET".to_owned(),
        ] {
            shop.put(&body);
        }
        shop.run();
    });

    let text = String::from_utf8(lines.lock().unwrap().clone()).unwrap();
    assert!(text.lines().count() >= 12, "{text}");
    for said in [
        "\"noted\"",
        "\"rewarded\"",
        "\"held\"",
        "\"refusal\":\"same_person\"",
        "\"refusal\":\"denied_by_staff\"",
        "\"refusal\":\"nothing_to_review\"",
        "\"id_reused\"",
        "\"not_referral\"",
        "could not be answered",
    ] {
        assert!(text.contains(said), "{said} is not in {text}");
    }
    for line in text.lines() {
        let fields: Value = serde_json::from_str(line).unwrap();
        assert!(line.contains("delivery-"), "{line}");
        for value in fields.as_object().unwrap().values() {
            let said = value.to_string().to_lowercase();
            for personal in
                ["anna", "bert", "cleo", "dora", "emil", "staff-7", "known-club", "secret"]
            {
                assert!(!said.contains(personal), "{personal}: {line}");
            }
        }
    }
}
