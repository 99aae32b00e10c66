//! What is logged: every message in a line that reads alone, and nothing personal.
//!
//! Alone in its process, since whether a line is wanted is remembered for all threads.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::sync::{Arc, Mutex};

use common::{back, door, order};

#[test]
fn no_line_of_the_log_has_a_member_a_product_or_a_body() {
    let lines = Arc::new(Mutex::new(Vec::<u8>::new()));
    let subscriber = logged::subscriber(Arc::clone(&lines));
    let door = door();
    let refused = order("3", 100).replace("GBP", "JPY");
    let wrong = order("4", 100).replace("\"GBP\"", "\"A-SECRET-CURRENCY\"");
    let (good, down, bug) = (order("1", 10_000), order("down", 1), order("bug", 1));
    let again = order("1", 20_000);

    tracing::subscriber::with_default(subscriber, || {
        back(
            &door,
            &[
                ("m1", &good),
                ("m2", &good),
                ("m3", &again),
                ("m4", &refused),
                ("m5", &wrong),
                ("m6", &down),
                ("m7", &bug),
                ("m8", "A-SECRET-BODY"),
            ],
        )
    });

    let text = String::from_utf8(lines.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().count(), 8, "{text}");
    for (number, line) in (1..=8).zip(text.lines()) {
        let ids = format!("\"message_id\":\"m{number}\",\"correlation_id\":\"of-m{number}\"");
        assert!(line.contains(&ids), "{line}");
    }
    assert!(text.contains("\"entry\":\"O#1\",\"sequence\":1"), "{text}");
    for secret in ["secret", "SECRET"] {
        assert!(!text.contains(secret), "{text}");
    }
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
