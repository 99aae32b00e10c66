//! A door over memory, and events as a queue hands them over.

use std::{
    error::Error,
    future::Future,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use jiff::Timestamp;
use loyalty_accrue_points::handler::{Door, FUNCTION};
use loyalty_domain::{command::Request, program::Program};
use loyalty_ledger::{
    Appended, Change, Ledger, LedgerError, Loaded, Reading, memory::MemoryLedger, program::Programs,
};
use loyalty_runtime::{
    clock::Deadline,
    dead_letter::{DeadLetters, Reason},
    metric::Metrics,
    program::CachedPrograms,
};
use serde_json::{Value, json};

/// A ledger whose store is down for one order, and which has a bug with another.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store(pub(crate) Arc<MemoryLedger>);

impl Ledger for Store {
    async fn load(&self, request: &Request, reading: Reading) -> Result<Loaded, LedgerError> {
        match request.id.to_string().as_str() {
            "O#down" => Err(LedgerError::Unavailable {
                operation: "BatchGetItem",
                source: "the store is down".into(),
            }),
            "O#bug" => panic!("a bug"),
            _ => self.0.load(request, reading).await,
        }
    }

    async fn append(&self, change: Change) -> Result<Appended, LedgerError> {
        self.0.append(change).await
    }
}

#[derive(Debug)]
pub(crate) struct Published(pub(crate) Vec<Program>);

impl Programs for Published {
    async fn programs(&self) -> Result<Arc<[Program]>, LedgerError> {
        Ok(self.0.clone().into())
    }
}

/// Dead letters in memory; with `true` they cannot be kept.
#[derive(Debug, Default)]
pub(crate) struct Letters(pub(crate) Mutex<Vec<(String, String, Reason)>>, pub(crate) bool);

impl DeadLetters for Letters {
    async fn keep(
        &self,
        message: &SqsMessage,
        reason: &Reason,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        if self.1 {
            return Err("the queue is down".into());
        }
        let (id, body) = (message.message_id.clone().unwrap(), message.body.clone().unwrap());
        self.0.lock().unwrap().push((id, body, reason.clone()));
        Ok(())
    }
}

pub(crate) fn door() -> Door<Store, Published, Letters> {
    let programs = Published(vec![loyalty_tests_ledger::program()]);
    Door {
        ledger: Store::default(),
        programs: CachedPrograms::new(programs, Duration::from_mins(1)),
        dead_letters: Letters::default(),
    }
}

/// An event as a queue hands it over, of messages with these ids and bodies, each with a correlation id.
pub(crate) fn event(messages: &[(&str, &str)]) -> SqsEvent {
    let file = include_str!("../events/sqs.json");
    let event: Value = serde_json::from_str(file).unwrap();
    let record = event.pointer("/Records/0").unwrap();
    let records: Vec<Value> = messages
        .iter()
        .map(|(id, body)| {
            let mut record = record.clone();
            *record.get_mut("messageId").unwrap() = json!(id);
            *record.get_mut("body").unwrap() = json!(body);
            let correlation_id = json!({"stringValue": format!("of-{id}"), "dataType": "String"});
            *record.get_mut("messageAttributes").unwrap() =
                json!({ "correlation_id": correlation_id });
            record
        })
        .collect();
    serde_json::from_value(json!({ "Records": records })).unwrap()
}

pub(crate) fn order(id: &str, amount_minor: u64) -> String {
    json!({
        "type": "order.paid", "order_id": id, "member_id": "member-of-the-secret-name",
        "currency": "GBP", "paid_at": "2026-03-01T12:00:00Z",
        "lines": [{"id": "1", "sku": "A-SECRET-SKU", "quantity": 1, "amount_minor": amount_minor}],
    })
    .to_string()
}

/// All that the futures here wait for is there at once.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("nothing here has to wait")
    };
    value
}

pub(crate) fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

pub(crate) fn now() -> Timestamp {
    "2026-03-01T12:00:30Z".parse().unwrap()
}

/// The ids of the messages that go back to the queue.
pub(crate) fn back(
    door: &Door<Store, Published, Letters>,
    messages: &[(&str, &str)],
) -> Vec<String> {
    let response =
        wait(door.handle(event(messages), soon(), now(), &mut Metrics::of(FUNCTION))).unwrap();
    response.batch_item_failures.into_iter().map(|it| it.item_identifier).collect()
}
