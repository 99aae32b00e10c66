//! What is logged: what is not the caller's mistake, once, and nothing of whom it was about.
//!
//! Alone in its process, since whether a line is wanted is remembered for all threads.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    dead_code,
    reason = "a test may panic, and needs no more than a part of a shop"
)]

#[path = "api/common.rs"]
mod common;

use std::sync::{Arc, Mutex};

use common::{Asked, STAFF, Shop, WRITER, as_member, fixture};
use serde_json::json;

#[test]
fn no_line_of_the_log_has_a_member_a_contact_or_a_code() {
    let lines = Arc::new(Mutex::new(Vec::<u8>::new()));
    let subscriber = logged::subscriber(Arc::clone(&lines));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let shop = Shop::open();
    let body = json!({
        "member_id": "SECRET-ID", "phone": "+44 20 7946 0958", "mail": "secret@shop.example",
        "card": "SECRET-CARD", "birthday": "--02-29"
    });
    let enroll = || Asked::post(&fixture(WRITER), "/v1/members", "/v1/members", &body);
    let activation = "/v1/members/me/activation";
    let own = as_member("SECRET-ID");
    let activate = |code: &str| Asked::post(&own, activation, activation, &json!({ "code": code }));
    let profile = "/v1/members/{id}/profile";
    let read = || Asked::new(&fixture(STAFF), "GET", profile, "/v1/members/SECRET-ID/profile");

    let statuses = tracing::subscriber::with_default(subscriber, || {
        runtime.block_on(async {
            shop.bus_is_down(true);
            let mut statuses = vec![shop.ask(enroll()).await.status];
            shop.bus_is_down(false);
            statuses.push(shop.ask(enroll()).await.status);
            statuses.push(shop.ask(activate("SECRET")).await.status);
            statuses.push(shop.ask(activate(&shop.code())).await.status);
            statuses.push(shop.ask(read()).await.status);
            statuses
        })
    });

    assert_eq!(statuses, [503, 200, 422, 200, 200]);
    let text = String::from_utf8(lines.lock().unwrap().clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("\"route\":\"/v1/members\",\"problem\":\"unavailable\""), "{text}");
    for secret in ["secret", "SECRET", "7946", "02-29", &shop.code()] {
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
