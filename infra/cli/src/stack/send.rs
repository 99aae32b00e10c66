//! Sending: a member's events one after the other, each once the one before it was answered.
//!
//! A standard queue keeps no order, and levels are reached by the order that came first. So of each member
//! one event at most is on its way, and the ledger says when it was answered. The same ledger says what was
//! answered long ago: whoever was interrupted begins again from the start, and nothing is sent twice.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aws_sdk_sqs::{
    error::SdkError,
    operation::send_message_batch::SendMessageBatchError,
    types::{QueueAttributeName, SendMessageBatchRequestEntry},
};
use futures_util::future::try_join_all;
use jiff::{Timestamp, ToSpan};
use loyalty_contracts::Event;
use loyalty_domain::{
    command::{Fingerprint, Request},
    id::{CommandId, MemberId, OrderId},
};
use loyalty_dynamodb::DynamoDbLedger;
use loyalty_ledger::{Answer, Entry, Reading, statement::Accounts};
use loyalty_runtime::clock::{self, Deadline};
use serde_json::Value;

use super::{StackError, target::Stack};
use crate::simulate::run::{named, refusal, reused};

/// How long nothing at all may be answered before something is said to be wrong.
const STALLED: Duration = Duration::from_mins(5);
/// The pause before the ledger is asked again.
const PAUSE: Duration = Duration::from_millis(100);
/// The pause after a call that failed.
const LONG_PAUSE: Duration = Duration::from_secs(1);
/// How many messages one call of the queue takes.
const BATCH: usize = 10;
/// How many bytes of messages one call takes, with room for what surrounds them.
const BATCH_BYTES: usize = 1_000_000;
/// How many entries one call of the ledger reads.
const LOOK_UP: usize = 100;
/// How many calls are made at once.
const CALLS: usize = 8;
/// How many events are on their way at most: a few seconds of work for the functions.
const ON_THEIR_WAY_MAX: usize = 1_000;
/// How many events are held at most, those included that wait for another one of their member.
const HELD_MAX: usize = 10_000;
/// Where events say when they happened.
const INSTANTS: [&str; 5] = ["paid_at", "refunded_at", "cancelled_at", "changed_at", "opened_at"];

/// What became of events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent {
    /// How many there were.
    pub(crate) events: u64,
    /// Answered before, so not sent.
    pub(crate) before: u64,
    /// Took effect.
    pub(crate) accepted: u64,
    /// Will take effect once their order comes.
    pub(crate) waiting: u64,
    /// Refused by a rule, each with its line and the reason.
    pub(crate) refused: Vec<(u64, String)>,
    /// Not sent, since another event has their id.
    pub(crate) reused: Vec<(u64, String)>,
    /// Not sent, since the queue would not take them.
    pub(crate) rejected: Vec<(u64, String)>,
    /// Sent and not answered in time, or not sent because of one that was not.
    pub(crate) unanswered: Vec<(u64, String)>,
}

/// Whose events go one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Lane {
    Member(MemberId),
    /// Nobody's, or not known whose.
    Order(OrderId),
    /// Everybody's: about no member and no order.
    Rest,
}

/// An event to send.
struct Letter {
    line: u64,
    id: CommandId,
    fingerprint: Fingerprint,
    lane: Lane,
    body: String,
}

/// Sends events, and counts what became of them.
pub(crate) struct Sender<'a> {
    ledger: DynamoDbLedger,
    sqs: aws_sdk_sqs::Client,
    queue_url: &'a str,
    days: i64,
    /// Not looked up yet.
    fresh: Vec<Letter>,
    /// Not answered yet: what is first in its lane is on its way, or about to be.
    lanes: HashMap<Lane, VecDeque<Letter>>,
    /// Whose an order is, for events that name no member.
    lane_of_order: HashMap<OrderId, Lane>,
    /// The ids of all that is held.
    held: HashSet<CommandId>,
    /// Lanes whose first is to be sent.
    outbox: VecDeque<Lane>,
    /// What was sent, and its lane.
    on_their_way: HashMap<CommandId, Lane>,
    stalled: Deadline,
    /// How many are done with.
    done: Arc<AtomicU64>,
    sent: Sent,
}

impl<'a> Sender<'a> {
    /// A sender to `stack`, who moves every event by `days`.
    pub(crate) fn new(stack: &'a Stack, days: i64) -> Self {
        Self {
            ledger: stack.ledger(),
            sqs: stack.sqs(),
            queue_url: &stack.outputs.orders_queue_url,
            days,
            fresh: Vec::new(),
            lanes: HashMap::new(),
            lane_of_order: HashMap::new(),
            held: HashSet::new(),
            outbox: VecDeque::new(),
            on_their_way: HashMap::new(),
            stalled: Deadline::after(STALLED),
            done: Arc::default(),
            sent: Sent::default(),
        }
    }

    /// Counts the events that are done with from now on.
    pub(crate) fn restart(&mut self) -> Arc<AtomicU64> {
        self.done = Arc::default();
        Arc::clone(&self.done)
    }

    /// How many events are not done with.
    pub(crate) fn held(&self) -> u64 {
        self.held.len().try_into().unwrap_or(u64::MAX)
    }

    /// Takes the event that begins on `line`. Waits where too many are held.
    ///
    /// # Errors
    ///
    /// [`StackError`]: the queue or the ledger cannot be used, or nothing is answered any more.
    pub(crate) async fn take(&mut self, line: u64, request: &Request) -> Result<(), StackError> {
        self.sent.events += 1;
        let Some(body) = body(request, self.days) else {
            let what = format!("{} is no event that a queue takes", named(&request.id));
            self.reject(line, what);
            return Ok(());
        };
        // Once more from what is sent, as the function reads it.
        let request = match loyalty_contracts::parse(body.as_bytes(), clock::now()) {
            Ok(request) => request,
            Err(error) => {
                let reason = error.to_string().replace("line 1, column", "column");
                self.reject(line, format!("{}: {reason}", named(&request.id)));
                return Ok(());
            }
        };
        let lane = self.lane(&request);
        // A refund that came before its order went by the order alone, and goes first.
        let before = request.id.order_id().map(|it| Lane::Order(it.clone()));
        let before = before.filter(|it| *it != lane);
        while self.held.contains(&request.id) || before.as_ref().is_some_and(|it| self.is_busy(it))
        {
            self.look_up().await?;
            self.step().await?;
        }
        self.held.insert(request.id.clone());
        let fingerprint = request.fingerprint();
        self.fresh.push(Letter { line, id: request.id, fingerprint, lane, body });
        if self.fresh.len() >= LOOK_UP {
            self.look_up().await?;
            self.send_first().await?;
        }
        while self.held.len() >= HELD_MAX {
            self.step().await?;
        }
        Ok(())
    }

    /// Waits until everything is answered, or nothing is any more.
    ///
    /// # Errors
    ///
    /// As [`Sender::take`].
    pub(crate) async fn end(&mut self) -> Result<(), StackError> {
        self.look_up().await?;
        while !self.held.is_empty() {
            self.step().await?;
        }
        Ok(())
    }

    /// What became of all that was taken.
    pub(crate) fn into_sent(mut self) -> Sent {
        for letter in self.lanes.into_values().flatten().chain(self.fresh) {
            let what = if self.on_their_way.contains_key(&letter.id) {
                "was sent and is not answered yet"
            } else {
                "was not sent: it goes after another one that is not answered yet"
            };
            self.sent.unanswered.push((letter.line, format!("{} {what}", named(&letter.id))));
        }
        let Sent { refused, reused, rejected, unanswered, .. } = &mut self.sent;
        for list in [refused, reused, rejected, unanswered] {
            list.sort_by_key(|(line, _)| *line);
        }
        self.sent
    }

    fn reject(&mut self, line: u64, reason: String) {
        self.sent.rejected.push((line, reason));
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    fn lane(&mut self, request: &Request) -> Lane {
        match (request.member_id(), request.id.order_id()) {
            (Some(member_id), order_id) => {
                let lane = Lane::Member(member_id.clone());
                if let Some(order_id) = order_id {
                    self.lane_of_order.insert(order_id.clone(), lane.clone());
                }
                lane
            }
            (None, Some(order_id)) => {
                let known = self.lane_of_order.get(order_id).cloned();
                known.unwrap_or_else(|| Lane::Order(order_id.clone()))
            }
            (None, None) => Lane::Rest,
        }
    }

    fn is_busy(&self, lane: &Lane) -> bool {
        self.lanes.contains_key(lane) || self.fresh.iter().any(|it| it.lane == *lane)
    }

    /// Finds out what was answered before; the rest waits for its turn.
    async fn look_up(&mut self) -> Result<(), StackError> {
        let fresh = std::mem::take(&mut self.fresh);
        let ids: Vec<CommandId> = fresh.iter().map(|it| it.id.clone()).collect();
        let known = self.entries(&ids).await?;
        for letter in fresh {
            if let Some(entry) = known.get(&letter.id) {
                self.finish(&letter, entry, true);
                continue;
            }
            let lane = self.lanes.entry(letter.lane.clone()).or_default();
            if lane.is_empty() {
                self.outbox.push_back(letter.lane.clone());
            }
            lane.push_back(letter);
        }
        Ok(())
    }

    /// Sends what can be sent, and sees what was answered; waits a little if there was nothing to do.
    async fn step(&mut self) -> Result<(), StackError> {
        let is_sent = self.send_first().await?;
        let is_answered = self.see_answers().await?;
        if is_sent || is_answered {
            return Ok(());
        }
        if self.stalled.left().is_zero() {
            return Err(StackError::NotAnswered {
                left: self.held.len(),
                seconds: STALLED.as_secs(),
            });
        }
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }

    /// Sends the first event of every lane that has its turn, as far as there is room.
    async fn send_first(&mut self) -> Result<bool, StackError> {
        let room = ON_THEIR_WAY_MAX.saturating_sub(self.on_their_way.len());
        let size = room.min(CALLS * BATCH).min(self.outbox.len());
        let lanes: Vec<Lane> = self.outbox.drain(..size).collect();
        let mut batches: Vec<Vec<&Letter>> = Vec::new();
        let mut bytes = 0_usize;
        for lane in &lanes {
            let Some(letter) = self.lanes.get(lane).and_then(VecDeque::front) else { continue };
            bytes = bytes.saturating_add(letter.body.len());
            match batches.last_mut() {
                Some(batch) if batch.len() < BATCH && bytes <= BATCH_BYTES => batch.push(letter),
                _ => {
                    bytes = letter.body.len();
                    batches.push(vec![letter]);
                }
            }
        }
        let sends = batches.iter().map(|it| send_batch(&self.sqs, self.queue_url, it));
        let taken = match try_join_all(sends).await {
            Ok(taken) => taken.into_iter().flatten().collect::<Vec<_>>(),
            Err(StackError::NotSent { is_transient: true, .. })
                if !self.stalled.left().is_zero() =>
            {
                // Whatever was taken all the same is answered once.
                self.outbox.extend(lanes);
                tokio::time::sleep(LONG_PAUSE).await;
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        let taken: Vec<_> = taken.into_iter().map(|it| (it.id.clone(), it.lane.clone())).collect();
        let taken_lanes: HashSet<&Lane> = taken.iter().map(|(_, lane)| lane).collect();
        self.outbox.extend(lanes.iter().filter(|it| !taken_lanes.contains(it)).cloned());
        let is_any = !taken.is_empty();
        self.on_their_way.extend(taken);
        Ok(is_any)
    }

    /// Sees which events were answered; the next ones of their lanes have their turn.
    async fn see_answers(&mut self) -> Result<bool, StackError> {
        let ids: Vec<CommandId> = self.on_their_way.keys().cloned().collect();
        let known = self.entries(&ids).await?;
        for (id, entry) in &known {
            let Some(name) = self.on_their_way.remove(id) else { continue };
            let Some(lane) = self.lanes.get_mut(&name) else { continue };
            let letter = lane.pop_front();
            if lane.is_empty() {
                self.lanes.remove(&name);
            } else {
                self.outbox.push_back(name);
            }
            if let Some(letter) = letter {
                self.finish(&letter, entry, false);
            }
        }
        Ok(!known.is_empty())
    }

    /// The entries that stand under `ids`.
    async fn entries(
        &self,
        ids: &[CommandId],
    ) -> Result<HashMap<CommandId, Arc<Entry>>, StackError> {
        let mut known = HashMap::new();
        for group in ids.chunks(CALLS * LOOK_UP) {
            let reads = group.chunks(LOOK_UP);
            let reads = reads.map(|it| self.ledger.find_entries(it, Reading::Cheap));
            let entries = loop {
                let reads = reads.clone();
                match try_join_all(reads).await {
                    Ok(entries) => break entries,
                    Err(error) if error.is_transient() && !self.stalled.left().is_zero() => {
                        tokio::time::sleep(LONG_PAUSE).await;
                    }
                    Err(error) => return Err(StackError::NotRead(error)),
                }
            };
            known.extend(entries.into_iter().flatten().map(|it| (it.id.clone(), it)));
        }
        Ok(known)
    }

    fn finish(&mut self, letter: &Letter, entry: &Entry, is_before: bool) {
        self.held.remove(&letter.id);
        self.stalled = Deadline::after(STALLED);
        self.done.fetch_add(1, Ordering::Relaxed);
        let Sent { before, accepted, waiting, refused, reused: other, .. } = &mut self.sent;
        if entry.fingerprint != letter.fingerprint {
            other.push((letter.line, reused(&entry.id)));
            return;
        }
        match &entry.answer {
            Answer::Refused(rejection) => {
                refused.push((letter.line, refusal(&entry.id, rejection)));
            }
            Answer::Accepted(_) | Answer::Waiting(_) if is_before => *before += 1,
            Answer::Accepted(_) => *accepted += 1,
            Answer::Waiting(_) => *waiting += 1,
        }
    }
}

/// The event of `request`, moved by `days`.
fn body(request: &Request, days: i64) -> Option<String> {
    let mut event = serde_json::to_value(Event::of(request)?).ok()?;
    for name in INSTANTS.iter().filter(|_| days != 0) {
        if let Some(Value::String(text)) = event.get_mut(name) {
            let moved = text.parse::<Timestamp>().ok()?.checked_add((days * 24).hours()).ok()?;
            *text = moved.to_string();
        }
    }
    Some(event.to_string())
}

/// Sends up to ten events, and says which were taken.
async fn send_batch<'a>(
    sqs: &aws_sdk_sqs::Client,
    queue_url: &str,
    batch: &[&'a Letter],
) -> Result<Vec<&'a Letter>, StackError> {
    let mut entries = Vec::with_capacity(batch.len());
    for (index, letter) in batch.iter().enumerate() {
        let entry = SendMessageBatchRequestEntry::builder().id(index.to_string());
        let entry = entry.message_body(&letter.body).build();
        entries.push(entry.map_err(|source| not_sent(false, source))?);
    }
    let sent = sqs.send_message_batch().queue_url(queue_url);
    let sent = sent.set_entries(Some(entries)).send().await;
    let sent = sent.map_err(|error| not_sent(is_transient(&error), error))?;
    if let Some(failed) = sent.failed().iter().find(|it| it.sender_fault()) {
        return Err(not_sent(false, failed.code().to_owned()));
    }
    let is_taken = |index: usize| sent.successful().iter().any(|it| it.id() == index.to_string());
    let taken = batch.iter().enumerate().filter(|(index, _)| is_taken(*index));
    Ok(taken.map(|(_, letter)| *letter).collect())
}

/// Whether the queue may take the same messages a moment later.
fn is_transient(error: &SdkError<SendMessageBatchError>) -> bool {
    match error.raw_response().map(|it| it.status().as_u16()) {
        None => !matches!(error, SdkError::ConstructionFailure(_)),
        Some(status) => status >= 500 || status == 429,
    }
}

fn not_sent(
    is_transient: bool,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StackError {
    StackError::NotSent { is_transient, source: source.into() }
}

/// How many whole days lie between two instants.
pub(crate) fn whole_days(from: Timestamp, to: Timestamp) -> i64 {
    to.as_second().saturating_sub(from.as_second()).div_euclid(24 * 60 * 60)
}

/// By how many whole days `requests` were moved when they were sent before; `None`: they were not.
///
/// # Errors
///
/// [`StackError::NotRead`]: the ledger cannot be used.
pub(crate) async fn days_before(
    stack: &Stack,
    requests: &[&Request],
) -> Result<Option<i64>, StackError> {
    let ids: Vec<CommandId> = requests.iter().map(|it| it.id.clone()).collect();
    let entries = stack.ledger().find_entries(&ids, Reading::Newest).await;
    let entries = entries.map_err(StackError::NotRead)?;
    Ok(entries.iter().find_map(|entry| {
        let request = requests.iter().find(|it| it.id == entry.id)?;
        let days = whole_days(request.at, entry.sent_at);
        let moved = request.at.checked_add((days * 24).hours()).ok()?;
        (moved == entry.sent_at).then_some(days)
    }))
}

/// How many messages a queue has, those included that are being handled; about so many, on AWS.
///
/// # Errors
///
/// [`StackError::NotCounted`].
pub(crate) async fn waiting(stack: &Stack, queue_url: &str) -> Result<u64, StackError> {
    let names = [
        QueueAttributeName::ApproximateNumberOfMessages,
        QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    ];
    let asked = stack.sqs().get_queue_attributes().queue_url(queue_url);
    let answer = asked.set_attribute_names(Some(names.to_vec())).send().await;
    let answer = answer.map_err(|error| StackError::NotCounted(error.into()))?;
    let attributes = answer.attributes().cloned().unwrap_or_default();
    let number = |it| attributes.get(it).and_then(|it: &String| it.parse::<u64>().ok());
    Ok(names.iter().filter_map(number).fold(0, u64::saturating_add))
}
