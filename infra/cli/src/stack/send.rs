//! Sending: a member's events one after the other, each once the one before it was answered.
//!
//! A standard queue keeps no order, and levels are reached by the order that came first. So of each member
//! one event at most is on its way, and the ledger says when it was answered. The same ledger says what was
//! answered long ago: whoever was interrupted begins again from the start, and nothing is sent twice.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    io::{self, Write},
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
use jiff::Timestamp;
use loyalty_contracts::Event;
use loyalty_domain::{
    command::{Fingerprint, Request},
    id::{CommandId, MemberId, OrderId},
};
use loyalty_dynamodb::DynamoDbLedger;
use loyalty_ledger::{Answer, Entry, Reading, statement::Accounts};
use loyalty_runtime::clock::{self, Deadline};

use super::{StackError, target::Stack};
use crate::simulate::{
    report::size,
    run::{named, refusal, reused},
};

/// How long one event may be without an answer, and how long all of them: longer than the queue's five
/// deliveries, after which it lies in the dead letters.
const GIVEN_UP: Duration = Duration::from_mins(20);
/// How long nothing may be answered before it is said that this goes on waiting.
const SAID: Duration = Duration::from_secs(30);
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
    /// Whether one with the same id goes before it, whose answer is its own.
    is_repeat: bool,
}

/// Sends events, and counts what became of them.
pub(crate) struct Sender<'a> {
    ledger: &'a DynamoDbLedger,
    sqs: &'a aws_sdk_sqs::Client,
    queue_url: &'a str,
    days: i64,
    /// Not looked up yet.
    fresh: Vec<Letter>,
    /// Not answered yet: what is first in its lane is on its way, or about to be.
    lanes: HashMap<Lane, VecDeque<Letter>>,
    /// Whose an order is, for events that name no member.
    lane_of_order: HashMap<OrderId, Lane>,
    /// The ids of all that is held, and how often each.
    held: HashMap<CommandId, usize>,
    /// Lanes whose first is to be sent.
    outbox: VecDeque<Lane>,
    /// Lanes whose first has an answer already, which is to be read.
    repeats: Vec<Lane>,
    /// What was sent, its lane, and until when it is waited for.
    on_their_way: HashMap<CommandId, (Lane, Deadline)>,
    /// Lanes of which one event was not answered.
    given_up: HashSet<Lane>,
    stalled: Deadline,
    silent: Deadline,
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
            held: HashMap::new(),
            outbox: VecDeque::new(),
            repeats: Vec::new(),
            on_their_way: HashMap::new(),
            given_up: HashSet::new(),
            stalled: Deadline::after(GIVEN_UP),
            silent: Deadline::after(SAID),
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
        size(self.held.values().sum())
    }

    /// Takes the event that begins on `line`. Waits where too many are held.
    ///
    /// # Errors
    ///
    /// [`StackError`]: the queue or the ledger cannot be used, or nothing is answered any more.
    pub(crate) async fn take(&mut self, line: u64, request: &Request) -> Result<(), StackError> {
        self.sent.events += 1;
        let moved = Event::of(request).and_then(|it| it.moved(self.days).ok());
        let Some(body) = moved.and_then(|it| serde_json::to_string(&it).ok()) else {
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
        let is_repeat = self.held.contains_key(&request.id);
        *self.held.entry(request.id.clone()).or_default() += 1;
        let order = request.id.order_id().map(|it| Lane::Order(it.clone()));
        let fingerprint = request.fingerprint();
        let letter = Letter { line, id: request.id, fingerprint, lane, body, is_repeat };
        // A refund that came before its order went by the order alone, and goes first.
        if let Some(order) = order.filter(|it| *it != letter.lane)
            && self.is_busy(&order)
            && let Err(error) = self.wait_for(&order).await
        {
            self.give_up(&letter, NOT_SENT);
            return Err(error);
        }
        self.fresh.push(letter);
        if self.fresh.len() >= LOOK_UP {
            self.look_up().await?;
            self.send_first().await?;
        }
        while self.held() >= size(HELD_MAX) {
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
        let lanes = std::mem::take(&mut self.lanes).into_values().flatten();
        let rest: Vec<Letter> = lanes.chain(std::mem::take(&mut self.fresh)).collect();
        for letter in rest {
            let is_sent = !letter.is_repeat && self.on_their_way.contains_key(&letter.id);
            self.give_up(&letter, if is_sent { NOT_ANSWERED } else { NOT_SENT });
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

    async fn wait_for(&mut self, lane: &Lane) -> Result<(), StackError> {
        self.look_up().await?;
        while self.is_busy(lane) {
            self.step().await?;
        }
        Ok(())
    }

    /// Finds out what was answered before; the rest waits for its turn.
    async fn look_up(&mut self) -> Result<(), StackError> {
        let mut ids = Vec::with_capacity(self.fresh.len());
        for letter in self.fresh.iter().filter(|it| !it.is_repeat) {
            ids.push(letter.id.clone());
            // An order that was sent another time says whose its refunds are.
            if let Lane::Order(order_id) = &letter.lane {
                ids.push(CommandId::Order(order_id.clone()));
            }
        }
        let known = self.entries(&ids).await?;
        for mut letter in std::mem::take(&mut self.fresh) {
            let entry = known.get(&letter.id).filter(|_| !letter.is_repeat);
            if let Some(entry) = entry {
                self.finish(&letter, entry, true);
                continue;
            }
            if let Lane::Order(order_id) = &letter.lane
                && let Some(order) = known.get(&CommandId::Order(order_id.clone()))
                && let Some(member_id) = &order.member_id
            {
                let lane = Lane::Member(member_id.clone());
                self.lane_of_order.insert(order_id.clone(), lane.clone());
                letter.lane = lane;
            }
            if self.given_up.contains(&letter.lane) {
                self.give_up(&letter, NOT_SENT);
                continue;
            }
            let name = letter.lane.clone();
            let lane = self.lanes.entry(name.clone()).or_default();
            lane.push_back(letter);
            if lane.len() == 1 {
                self.begin(name);
            }
        }
        Ok(())
    }

    /// The first of the lane called `name` has its turn.
    fn begin(&mut self, name: Lane) {
        match self.lanes.get(&name).and_then(VecDeque::front) {
            Some(letter) if letter.is_repeat => self.repeats.push(name),
            Some(_) => self.outbox.push_back(name),
            None => drop(self.lanes.remove(&name)),
        }
    }

    /// Takes the first of the lane called `name`; the next has its turn.
    fn advance(&mut self, name: Lane) -> Option<Letter> {
        let letter = self.lanes.get_mut(&name).and_then(VecDeque::pop_front);
        self.begin(name);
        letter
    }

    /// Sends what can be sent, and sees what was answered; waits a little if there was nothing to do.
    async fn step(&mut self) -> Result<(), StackError> {
        let is_sent = self.send_first().await?;
        let is_answered = self.see_answers().await?;
        if is_sent || is_answered {
            return Ok(());
        }
        if self.stalled.left().is_zero() {
            return Err(StackError::NotAnswered { left: self.held() });
        }
        if self.silent.left().is_zero() {
            self.silent = Deadline::after(GIVEN_UP);
            // Where even this cannot be written, nobody reads it.
            drop(writeln!(io::stderr(), "{WAITS}"));
        }
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }

    /// Sends the first event of every lane that has its turn, as far as there is room.
    async fn send_first(&mut self) -> Result<bool, StackError> {
        let room = ON_THEIR_WAY_MAX.saturating_sub(self.on_their_way.len());
        let length = room.min(CALLS * BATCH).min(self.outbox.len());
        let lanes: Vec<Lane> = self.outbox.drain(..length).collect();
        let firsts = lanes.iter().filter_map(|it| self.lanes.get(it)?.front());
        let batches = batches(firsts);
        let sends = batches.iter().map(|it| send_batch(self.sqs, self.queue_url, it));
        let answers = match try_join_all(sends).await {
            Ok(answers) => answers,
            Err(StackError::NotSent { is_transient: true, .. })
                if !self.stalled.left().is_zero() =>
            {
                // Whatever was taken all the same is answered once.
                self.outbox.extend(lanes);
                tokio::time::sleep(LONG_PAUSE).await;
                return Ok(false);
            }
            Err(error) => {
                self.outbox.extend(lanes);
                return Err(error);
            }
        };
        let mut is_any = false;
        for (lane, id, answer) in answers.into_iter().flatten() {
            is_any |= answer != Taken::Later;
            match answer {
                Taken::Yes => {
                    self.on_their_way.insert(id, (lane, Deadline::after(GIVEN_UP)));
                }
                Taken::Later => self.outbox.push_back(lane),
                Taken::Never(reason) => {
                    if let Some(letter) = self.advance(lane) {
                        self.let_go(&letter);
                        let what = format!("{}: the queue says {reason}", named(&letter.id));
                        self.sent.rejected.push((letter.line, what));
                    }
                }
            }
        }
        Ok(is_any)
    }

    /// Sees which events were answered; the next ones of their lanes have their turn.
    async fn see_answers(&mut self) -> Result<bool, StackError> {
        let fronts = self.repeats.iter().filter_map(|it| self.lanes.get(it)?.front());
        let ids = fronts.map(|it| &it.id).chain(self.on_their_way.keys()).cloned();
        let ids: Vec<CommandId> = ids.collect();
        let known = self.entries(&ids).await?;
        let mut answered = Vec::new();
        for name in std::mem::take(&mut self.repeats) {
            let front = self.lanes.get(&name).and_then(VecDeque::front);
            match front.and_then(|it| known.get(&it.id)) {
                Some(entry) => answered.push((name, Arc::clone(entry))),
                None => self.repeats.push(name),
            }
        }
        let mut late = Vec::new();
        self.on_their_way.retain(|id, (lane, deadline)| {
            if let Some(entry) = known.get(id) {
                answered.push((lane.clone(), Arc::clone(entry)));
                return false;
            }
            if deadline.left().is_zero() {
                late.push(lane.clone());
            }
            !deadline.left().is_zero()
        });
        let is_any = !answered.is_empty();
        for (lane, entry) in answered {
            if let Some(letter) = self.advance(lane) {
                self.finish(&letter, &entry, letter.is_repeat);
            }
        }
        for name in late {
            let letters = self.lanes.remove(&name).unwrap_or_default();
            for (index, letter) in letters.iter().enumerate() {
                self.give_up(letter, if index == 0 { NOT_ANSWERED } else { NOT_SENT });
            }
            self.given_up.insert(name);
        }
        Ok(is_any)
    }

    /// The entries that stand under `ids`.
    async fn entries(
        &self,
        ids: &[CommandId],
    ) -> Result<HashMap<CommandId, Arc<Entry>>, StackError> {
        let mut known = HashMap::new();
        let ids: Vec<CommandId> = ids.iter().collect::<HashSet<_>>().into_iter().cloned().collect();
        for group in ids.chunks(CALLS * LOOK_UP) {
            let reads = group.chunks(LOOK_UP);
            let reads = reads.map(|it| self.ledger.find_entries(it, Reading::Cheap));
            let entries = loop {
                match try_join_all(reads.clone()).await {
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
        self.let_go(letter);
        self.stalled = Deadline::after(GIVEN_UP);
        self.silent = Deadline::after(SAID);
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

    fn give_up(&mut self, letter: &Letter, what: &str) {
        self.let_go(letter);
        self.sent.unanswered.push((letter.line, format!("{} {what}", named(&letter.id))));
    }

    /// It is held no longer.
    fn let_go(&mut self, letter: &Letter) {
        self.done.fetch_add(1, Ordering::Relaxed);
        if let Some(times) = self.held.get_mut(&letter.id) {
            *times = times.saturating_sub(1);
            if *times == 0 {
                self.held.remove(&letter.id);
            }
        }
    }
}

const NOT_ANSWERED: &str = "was sent and is not answered yet";
const NOT_SENT: &str = "was not sent: it goes after one that is not answered yet";
const WAITS: &str = "\
nothing was answered for 30 seconds. What fails is tried five times in a quarter of an hour, so this goes
on waiting; stop it whenever you like: run again, it goes on where it was";

/// Groups `letters` into what one call takes.
fn batches<'a>(letters: impl Iterator<Item = &'a Letter>) -> Vec<Vec<&'a Letter>> {
    let mut batches: Vec<Vec<&Letter>> = Vec::new();
    let mut bytes = 0_usize;
    for letter in letters {
        bytes = bytes.saturating_add(letter.body.len());
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH && bytes <= BATCH_BYTES => batch.push(letter),
            _ => {
                bytes = letter.body.len();
                batches.push(vec![letter]);
            }
        }
    }
    batches
}

/// Whether the queue has taken an event.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Taken {
    Yes,
    /// It may, if it is sent again.
    Later,
    /// It never will, and says why.
    Never(String),
}

/// Sends up to ten events, and says of each whether it was taken.
async fn send_batch(
    sqs: &aws_sdk_sqs::Client,
    queue_url: &str,
    batch: &[&Letter],
) -> Result<Vec<(Lane, CommandId, Taken)>, StackError> {
    let mut entries = Vec::with_capacity(batch.len());
    for (index, letter) in batch.iter().enumerate() {
        let entry = SendMessageBatchRequestEntry::builder().id(index.to_string());
        let entry = entry.message_body(&letter.body).build();
        entries.push(entry.map_err(|source| not_sent(false, source))?);
    }
    let sent = sqs.send_message_batch().queue_url(queue_url);
    let sent = sent.set_entries(Some(entries)).send().await;
    let sent = sent.map_err(|error| not_sent(is_transient(&error), error))?;
    let taken = batch.iter().enumerate().map(|(index, letter)| {
        let id = index.to_string();
        let failed = sent.failed().iter().find(|it| it.id() == id && it.sender_fault());
        let taken = match failed {
            Some(failed) => {
                let message = failed.message().unwrap_or_default();
                Taken::Never(format!("{} {message}", failed.code()))
            }
            None if sent.successful().iter().any(|it| it.id() == id) => Taken::Yes,
            None => Taken::Later,
        };
        (letter.lane.clone(), letter.id.clone(), taken)
    });
    Ok(taken.collect())
}

/// Whether the queue may take the same messages a moment later.
fn is_transient(error: &SdkError<SendMessageBatchError>) -> bool {
    if let SdkError::DispatchFailure(failure) = error {
        // Without credentials there is no connection either.
        return failure.is_io() || failure.is_timeout();
    }
    // Where there is a service's answer, it says whose mistake it is; half of one is nobody's.
    let is_answered = error.as_service_error().is_some();
    let status = error.raw_response().filter(|_| is_answered).map(|it| it.status().as_u16());
    !matches!(error, SdkError::ConstructionFailure(_))
        && status.is_none_or(|it| it >= 500 || it == 429)
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
    let ids: HashSet<&CommandId> = requests.iter().map(|it| &it.id).collect();
    let ids: Vec<CommandId> = ids.into_iter().cloned().collect();
    let entries = stack.ledger().find_entries(&ids, Reading::Newest).await;
    let entries = entries.map_err(StackError::NotRead)?;
    Ok(entries.iter().find_map(|entry| {
        let request = requests.iter().find(|it| it.id == entry.id)?;
        let days = whole_days(request.at, entry.sent_at);
        let moved = Event::of(request)?.moved(days).ok()?.into_request(Timestamp::MAX).ok()?;
        (moved.at == entry.sent_at).then_some(days)
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
