//! What a panic says is in no log.
//!
//! Alone in its process, since what is done about a panic is done for all threads.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    io,
    panic::{catch_unwind, set_hook},
    sync::{Arc, Mutex},
};

use loyalty_runtime::log::{panicked, subscriber};
use serde_json::Value;
use tracing_subscriber::filter::LevelFilter;

#[derive(Clone, Default)]
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

#[test]
fn a_panic_is_logged_with_its_place_and_without_what_it_says() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = subscriber(move || writer.clone(), LevelFilter::INFO);
    set_hook(Box::new(panicked));

    let caught = tracing::subscriber::with_default(subscriber, || {
        catch_unwind(|| panic!("the member {} has no lot", "m1-of-the-secret-name"))
    });

    assert!(caught.is_err());
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&line["level"], &line["message"]),
        (&"ERROR".into(), &"a panic, which is a bug".into())
    );
    assert!(line["location"].as_str().unwrap().contains("tests/panic.rs:"), "{text}");
    assert!(!text.contains("secret"), "{text}");
}
