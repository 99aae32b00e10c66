//! Sending: events onto the orders queue, ten at a time, and waiting until they are handled.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use aws_sdk_sqs::types::{QueueAttributeName, SendMessageBatchRequestEntry};
use jiff::{Timestamp, ToSpan};
use loyalty_contracts::Event;
use loyalty_domain::command::Request;
use loyalty_runtime::clock::{self, Deadline};
use serde_json::Value;

use super::{StackError, deploy::Outputs, local};
use crate::{
    import::{Import, map::ColumnMap},
    simulate::Bar,
};

/// How long the functions may take for one message, before something is said to be wrong.
const HANDLED_S: u64 = 300;
/// How many messages one call takes.
const BATCH: usize = 10;
/// How many bytes of messages one call takes, with room for what surrounds them.
const BATCH_BYTES: usize = 1_000_000;
/// Where events say when they happened.
const INSTANTS: [&str; 4] = ["paid_at", "refunded_at", "cancelled_at", "changed_at"];

/// What was sent.
pub(crate) struct Sent {
    pub(crate) messages: u64,
    /// The member with the most orders among them.
    pub(crate) member: Option<String>,
}

/// Sends the newest `number` orders and returns of the demo, moved by whole days so that the last is today.
pub(crate) fn demo(
    root: &Path,
    endpoint: &str,
    outputs: &Outputs,
    number: usize,
) -> Result<Sent, StackError> {
    let map = ColumnMap::load(&root.join("infra/imports/online-retail.toml"))?;
    let file = root.join("tests/data/online-retail-extract.csv.gz");
    let mut import = Import::read(&file, &map, &Arc::default())?;
    let mut requests: Vec<Request> = Vec::new();
    import.events(&AtomicU64::new(0), |_, request| requests.push(request));
    requests.drain(..requests.len().saturating_sub(number));
    let days = requests.last().map_or(0, |it| whole_days(it.at, clock::now()));
    let mut orders: HashMap<String, usize> = HashMap::new();
    let mut bodies = Vec::with_capacity(requests.len());
    for request in &requests {
        if let Some(member_id) = request.member_id() {
            *orders.entry(member_id.to_string()).or_default() += 1;
        }
        bodies.extend(body(request, days));
    }
    send(endpoint, &outputs.orders_queue_url, &bodies)?;
    // The first by name of those with the most, so that two runs show the same one.
    let member = orders.into_iter().max_by(|(a, m), (b, n)| m.cmp(n).then(b.cmp(a)));
    let messages = bodies.len().try_into().unwrap_or(u64::MAX);
    Ok(Sent { messages, member: member.map(|(id, _)| id) })
}

/// How many whole days lie between two instants.
fn whole_days(from: Timestamp, to: Timestamp) -> i64 {
    to.as_second().saturating_sub(from.as_second()).div_euclid(24 * 60 * 60)
}

/// The event of `request`, moved by `days`.
fn body(request: &Request, days: i64) -> Option<String> {
    let mut event = serde_json::to_value(Event::of(request)?).ok()?;
    for name in INSTANTS {
        if let Some(Value::String(text)) = event.get_mut(name) {
            let moved = text.parse::<Timestamp>().ok()?.checked_add((days * 24).hours()).ok()?;
            *text = moved.to_string();
        }
    }
    Some(event.to_string())
}

/// Sends `bodies`, in their order.
fn send(endpoint: &str, queue_url: &str, bodies: &[String]) -> Result<(), StackError> {
    let sqs = local::aws(endpoint)?.sqs(Duration::from_secs(20));
    let done = Arc::new(AtomicU64::new(0));
    let length = bodies.len().try_into().unwrap_or(u64::MAX);
    let _bar = Bar::new("sending orders", length, false, Arc::clone(&done));
    local::wait(async {
        let mut rest = bodies;
        while !rest.is_empty() {
            let mut bytes = 0_usize;
            let fits = |it: &&String| {
                bytes = bytes.saturating_add(it.len());
                bytes <= BATCH_BYTES
            };
            let size = rest.iter().take(BATCH).take_while(fits).count().max(1);
            let (batch, others) = rest.split_at(size);
            let mut entries = Vec::with_capacity(size);
            for (index, body) in batch.iter().enumerate() {
                let entry = SendMessageBatchRequestEntry::builder().id(index.to_string());
                let entry = entry.message_body(body).build();
                entries.push(entry.map_err(|error| StackError::NotSent(error.into()))?);
            }
            let sent = sqs.send_message_batch().queue_url(queue_url);
            let sent = sent.set_entries(Some(entries)).send().await;
            let sent = sent.map_err(|error| StackError::NotSent(error.into()))?;
            if let Some(failed) = sent.failed().first() {
                return Err(StackError::NotSent(failed.code().to_owned().into()));
            }
            done.fetch_add(size.try_into().unwrap_or(0), Ordering::Relaxed);
            rest = others;
        }
        Ok(())
    })
}

/// How many messages a queue has, those included that are being handled.
pub(crate) fn waiting(endpoint: &str, queue_url: &str) -> Result<u64, StackError> {
    let sqs = local::aws(endpoint)?.sqs(Duration::from_secs(20));
    let names = [
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    ];
    local::wait(async {
        let asked = sqs.get_queue_attributes().queue_url(queue_url);
        let answer = asked.set_attribute_names(Some(names.to_vec())).send().await;
        let answer = answer.map_err(|error| StackError::NotSent(error.into()))?;
        let attributes = answer.attributes().cloned().unwrap_or_default();
        let number = |it| attributes.get(it).and_then(|it: &String| it.parse::<u64>().ok());
        Ok(names.iter().filter_map(number).fold(0, u64::saturating_add))
    })
}

/// Waits until the orders queue is empty.
pub(crate) fn wait_until_handled(
    endpoint: &str,
    outputs: &Outputs,
    log: &Path,
    messages: u64,
) -> Result<(), StackError> {
    let done = Arc::new(AtomicU64::new(0));
    let _bar = Bar::new("earning points", messages, false, Arc::clone(&done));
    let deadline = Deadline::after(Duration::from_secs(HANDLED_S));
    loop {
        let left = waiting(endpoint, &outputs.orders_queue_url)?;
        done.store(messages.saturating_sub(left), Ordering::Relaxed);
        if left == 0 {
            return Ok(());
        }
        if deadline.left().is_zero() {
            return Err(StackError::NotHandled { left, seconds: HANDLED_S, log: log.to_owned() });
        }
        thread::sleep(Duration::from_millis(200));
    }
}
