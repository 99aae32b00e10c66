//! What is logged: every message in a line that reads alone, and nothing personal.
//!
//! Alone in its process, since whether a line is wanted is remembered for all threads.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a test may panic"
)]

#[path = "sweep/common.rs"]
mod common;

use std::sync::{Arc, Mutex};

use common::{PLAN, Shop, Store, m, now, versions};

#[test]
fn no_line_of_the_log_has_a_member_an_actor_or_a_body() {
    let lines = Arc::new(Mutex::new(Vec::<u8>::new()));
    let subscriber = logged::subscriber(Arc::clone(&lines));
    let store = Store { bug: Some(m(0)), ..Shop::of(40).store };
    store.members_down.lock().unwrap().insert(m(1), u32::MAX);
    store.walks_down.lock().unwrap().extend([1, 2]);
    let shop = Shop::over(store, versions());
    let act = |level: &str| {
        serde_json::json!({
            "type": "level.override", "member_id": "m2", "level": level, "kind": "courtesy",
            "through": null, "reason": "secret", "actor": "SECRET", "key": level, "at": "2026-06-01T04:00:00Z",
        })
    };

    tracing::subscriber::with_default(subscriber, || {
        for body in [PLAN, "m4 SECRET", &act("gold").to_string(), &act("SECRET").to_string()] {
            shop.queue.put(body);
        }
        shop.run(now());
        shop.queue.put(PLAN);
        shop.run(now());
    });

    let text = String::from_utf8(lines.lock().unwrap().clone()).unwrap();
    assert!(text.lines().count() > 12, "{text}");
    for said in [
        "\"raised\":",
        "\"planned\":",
        "\"refusal\":\"level_not_in_program\"",
        "\"what\":\"the actor's key\"",
        "\"because\":\"done before\"",
    ] {
        assert!(text.contains(said), "{said} is not in {text}");
    }
    // Members are called m0 to m39, and nothing else is.
    let is_member = |word: &str| {
        let number = word.strip_prefix('m').unwrap_or_default();
        !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit())
    };
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        for value in line.as_object().unwrap().values() {
            let said = value.to_string();
            let mut words = said.split(|it: char| !it.is_ascii_alphanumeric());
            assert!(!words.any(is_member), "{line}");
        }
    }
    assert!(!text.to_lowercase().contains("secret"), "{text}");
}

/// The log's lines, as the function writes them.
mod logged {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tracing::Subscriber;
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

    pub(crate) fn subscriber(lines: Arc<Mutex<Vec<u8>>>) -> impl Subscriber + Send + Sync {
        loyalty_runtime::log::subscriber(
            Lines(lines),
            tracing_subscriber::filter::LevelFilter::INFO,
        )
    }
}
