//! What is logged of records that cannot be told: names under which they are found, and nothing personal.
//!
//! Alone in its process, since whether a line is wanted is remembered for all threads.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    error::Error,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use loyalty_dynamodb::{DynamoDbLedger, Tables};
use loyalty_publish_events::handler::{Door, FUNCTION};
use loyalty_runtime::{
    aws::Aws,
    clock::Deadline,
    metric::Metrics,
    publish::{Bus, Message, Refused},
};
use tracing_subscriber::{filter::LevelFilter, fmt::MakeWriter};

struct Nobody;

impl Bus for Nobody {
    async fn put(
        &self,
        _: &[&Message],
    ) -> Result<Vec<Result<(), Refused>>, Box<dyn Error + Send + Sync>> {
        Err("nothing here is told".into())
    }
}

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

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[test]
fn no_line_of_the_log_has_a_member_or_a_body() {
    let lines = Lines::default();
    let subscriber = loyalty_runtime::log::subscriber(lines.clone(), LevelFilter::INFO);
    let aws = Aws::from_lookup(|name| (name != "AWS_ENDPOINT_URL").then(|| "test".to_owned()));
    let tables = Tables { ledger: "ledger".to_owned(), program: "program".to_owned() };
    let ledger = DynamoDbLedger::new(aws.unwrap().dynamodb(Duration::from_secs(1)), tables);
    let door = Door { ledger, bus: Nobody };
    let event = serde_json::from_str(include_str!("events/stream.json")).unwrap();
    let mut metrics = Metrics::of(FUNCTION);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let response = tracing::subscriber::with_default(subscriber, || {
        let deadline = Deadline::after(Duration::from_secs(20));
        runtime.block_on(door.handle(event, deadline, &mut metrics)).unwrap()
    });

    let said = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let said: Vec<&str> = said.lines().collect();
    assert_eq!(said.len(), 3, "{said:#?}");
    assert!(said[0].contains("\"record\":\"hash:"), "{}", said[0]);
    assert!(said[0].contains("shape 99"), "{}", said[0]);
    assert!(said[1].contains("\"record\":\"O#1001\""), "{}", said[1]);
    assert!(said[2].contains("2 of 2 records come back"), "{}", said[2]);
    for secret in ["secret", "SECRET", "QS1TRUNSRVQ"] {
        assert!(!said.concat().contains(secret), "{said:#?}");
    }
    let first = response.batch_item_failures.first().and_then(|it| it.item_identifier.clone());
    assert_eq!(first.as_deref(), Some("800000000003126276362"));
    assert_eq!(metrics.counted("Unreadable"), 2);
    let response = serde_json::to_value(&response).unwrap();
    let named = serde_json::json!({
        "batchItemFailures": [{ "itemIdentifier": "800000000003126276362" }]
    });
    assert_eq!(response, named, "as Lambda reads it");
}
