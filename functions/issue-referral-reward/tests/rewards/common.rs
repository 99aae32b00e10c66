//! A shop over memory: what is told of its entries lies in a queue that delivers until it is empty, stores fail
//! where they are told to, and invocations end at any await.

use std::{
    collections::{BTreeMap, VecDeque},
    error::Error,
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use jiff::Timestamp;
use loyalty_contracts::announcement::{Happened, announcements};
use loyalty_domain::{
    code::ReferralCode,
    command::Request,
    id::{MemberId, OrderId},
    program::Program,
    referral::SignalKind,
};
use loyalty_issue_referral_reward::handler::{Door, FUNCTION};
use loyalty_ledger::{
    Appended, Attempts, Change, Entry, Ledger, LedgerError, Loaded, Reading, execute,
    memory::MemoryLedger,
    profile::{
        Activation, Begun, FoundFriends, Friend, GuestContact, GuestTried, Identity, KnownCode,
        Likeness, Profile, ProfileChange, Profiles, Saved, SendLimits, Tried,
    },
    program::Programs,
};
use loyalty_runtime::{
    clock::Deadline,
    dead_letter::{DeadLetters, Reason},
    metric::Metrics,
    program::CachedPrograms,
};
use loyalty_tests_ledger::{
    friends::{code_of, day, enroll, events, night, order, picture, program},
    member,
};
use serde_json::{Value, json};

/// How often the template's queue delivers a message before it goes to the dead letters.
const RECEIVES_MAX: u32 = 5;

/// Is not ready the first time: a place at which an invocation may be killed.
struct Await(bool);

impl Future for Await {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// A call of a store: killed before it, nothing is done; killed after it, all of it is.
async fn called<T>(call: impl Future<Output = T>) -> T {
    Await(false).await;
    let answer = call.await;
    Await(false).await;
    answer
}

fn down(operation: &'static str) -> LedgerError {
    LedgerError::Unavailable { operation, source: "the store is down".into() }
}

/// Whether something still fails, which is counted down.
fn is_down(times: &AtomicU32) -> bool {
    times.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |it| it.checked_sub(1)).is_ok()
}

/// A ledger that can be told to fail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    pub(crate) memory: Arc<MemoryLedger>,
    /// How many reads still fail.
    pub(crate) reads_down: Arc<AtomicU32>,
}

impl Ledger for Store {
    async fn load(&self, request: &Request, reading: Reading) -> Result<Loaded, LedgerError> {
        if is_down(&self.reads_down) {
            return called(async { Err(down("BatchGetItem")) }).await;
        }
        called(self.memory.load(request, reading)).await
    }

    async fn append(&self, change: Change) -> Result<Appended, LedgerError> {
        called(self.memory.append(change)).await
    }
}

/// Whom each referrer brought, and since when.
type Brought = BTreeMap<(MemberId, MemberId), Timestamp>;

/// Whom each referrer brought; the function touches nothing else of persons.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows(pub(crate) Arc<Mutex<Brought>>);

/// What the function must not do.
fn never<T>() -> Result<T, LedgerError> {
    panic!("this function keeps friends, and nothing else of persons")
}

impl Profiles for Rows {
    async fn add_friend(&self, referrer: &MemberId, friend: &Friend) -> Result<(), LedgerError> {
        called(async {
            let key = (referrer.clone(), friend.member_id.clone());
            self.0.lock().unwrap().entry(key).or_insert(friend.at);
        })
        .await;
        Ok(())
    }

    async fn find_profile(&self, _: &MemberId, _: Reading) -> Result<Option<Profile>, LedgerError> {
        never()
    }

    async fn find_identity(
        &self,
        _: &Identity,
        _: Reading,
    ) -> Result<Option<MemberId>, LedgerError> {
        never()
    }

    async fn find_code(
        &self,
        _: &ReferralCode,
        _: Reading,
    ) -> Result<Option<KnownCode>, LedgerError> {
        never()
    }

    async fn save_profile(&self, _: &ProfileChange) -> Result<Saved, LedgerError> {
        never()
    }

    async fn begin_activation(&self, _: &Activation, _: SendLimits) -> Result<Begun, LedgerError> {
        never()
    }

    async fn try_activation(
        &self,
        _: &MemberId,
        _: Timestamp,
        _: u32,
    ) -> Result<Tried, LedgerError> {
        never()
    }

    async fn end_activation(&self, _: &MemberId) -> Result<(), LedgerError> {
        never()
    }

    async fn friends(
        &self,
        _: &MemberId,
        _: Option<&MemberId>,
        _: u16,
    ) -> Result<FoundFriends, LedgerError> {
        never()
    }

    async fn put_guest_contact(&self, _: &OrderId, _: &GuestContact) -> Result<(), LedgerError> {
        never()
    }

    async fn try_guest(&self, _: &OrderId, _: u32) -> Result<GuestTried, LedgerError> {
        never()
    }

    async fn likeness(&self, _: &MemberId, _: Reading) -> Result<Likeness, LedgerError> {
        never()
    }
}

#[derive(Debug)]
pub(crate) struct Published(pub(crate) Vec<Program>);

impl Programs for Published {
    async fn programs(&self) -> Result<Arc<[Program]>, LedgerError> {
        Ok(self.0.clone().into())
    }
}

/// A message as it lies in the queue.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) body: String,
    received: u32,
}

/// Dead letters in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Letters(pub(crate) Arc<Mutex<Vec<(String, Reason)>>>);

impl DeadLetters for Letters {
    async fn keep(
        &self,
        message: &SqsMessage,
        reason: &Reason,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.0.lock().unwrap().push((message.body.clone().unwrap(), reason.clone()));
        Ok(())
    }
}

/// A shop, the queue of its referrals, and what the function did.
pub(crate) struct Shop {
    pub(crate) store: Store,
    pub(crate) rows: Rows,
    pub(crate) program: Program,
    pub(crate) queue: Mutex<VecDeque<Message>>,
    /// What the queue gave up, since it came too often.
    pub(crate) given_up: Mutex<Vec<String>>,
    pub(crate) metrics: Mutex<Metrics>,
    pub(crate) door: Door<Store, Published, Rows, Letters>,
    /// How many entries were told of.
    told: Mutex<usize>,
}

/// After all that happens here.
pub(crate) fn now() -> Timestamp {
    day(60)
}

impl Shop {
    /// A shop under a program that is changed, and versions that come after it.
    pub(crate) fn new(change: &Value, later: Vec<Program>) -> Self {
        let (store, rows, program) = (Store::default(), Rows::default(), program(change));
        let mut versions = vec![program.clone()];
        versions.extend(later);
        let door = Door {
            ledger: store.clone(),
            programs: CachedPrograms::new(Published(versions), Duration::from_hours(1)),
            profiles: rows.clone(),
            dead_letters: Letters::default(),
        };
        Self {
            store,
            rows,
            program,
            queue: Mutex::default(),
            given_up: Mutex::default(),
            metrics: Mutex::new(Metrics::of(FUNCTION)),
            door,
            told: Mutex::default(),
        }
    }

    /// Anna, and each of `friends`, whom she brought and who kept an order; all that is told of it is in the queue.
    pub(crate) fn of(change: &Value, friends: &[&str]) -> Self {
        let shop = Self::new(change, Vec::new());
        shop.store.memory.give_code(code_of("anna"), member("anna"));
        shop.post(&enroll("anna", 0, None));
        for id in friends {
            shop.post(&enroll(id, 1, Some("anna")));
            shop.post(&order(id, id, 3_000, 1));
            shop.post(&night(id, 17));
        }
        shop
    }

    /// Something happens, and what the bus brings to the queue is in it.
    pub(crate) fn post(&self, request: &Request) {
        let memory = &*self.store.memory;
        finished(execute(memory, &self.program, &mut Attempts(1), request)).unwrap();
        let entries = memory.entries();
        let mut told = self.told.lock().unwrap();
        for entry in &entries[*told..] {
            for (name, detail) in told_of(entry) {
                if ["referral.pending", "referral.qualified"].contains(&name) {
                    self.put(&envelope(name, &detail).to_string());
                }
            }
        }
        *told = entries.len();
    }

    pub(crate) fn put(&self, body: &str) {
        let mut queue = self.queue.lock().unwrap();
        let id = format!("delivery-{}", queue.len());
        queue.push_back(Message { id, body: body.to_owned(), received: 0 });
    }

    /// Two people have one device.
    pub(crate) fn share(&self, members: [&str; 2]) {
        for id in members {
            self.store.memory.note_signal(member(id), SignalKind::Device, [7; 32].into());
        }
    }

    pub(crate) fn counted(&self, name: &str) -> u64 {
        self.metrics.lock().unwrap().counted(name)
    }

    /// What a member has, and what became of who brought them.
    pub(crate) fn picture(&self, id: &str) -> String {
        picture(&self.store.memory, &member(id))
    }

    /// One delivery; whether it was handled.
    async fn deliver(&self, message: &Message) -> bool {
        let mut metrics = Metrics::of(FUNCTION);
        let deadline = Deadline::after(Duration::from_mins(1));
        let event = event(&[(&message.id, &message.body)]);
        let response = self.door.handle(event, deadline, now(), &mut metrics).await.unwrap();
        let mut all = self.metrics.lock().unwrap();
        for name in COUNTED {
            all.add(name, metrics.counted(name));
        }
        response.batch_item_failures.is_empty()
    }

    /// Delivers one message after the other until none is left.
    pub(crate) fn run(&self) {
        self.run_killed(usize::MAX);
    }

    /// The same, but that the invocation in which the await number `kill_at` comes is killed there, and its
    /// message comes again. Says how many awaits there were.
    pub(crate) fn run_killed(&self, kill_at: usize) -> usize {
        let mut awaits = 0;
        loop {
            let Some(mut message) = self.queue.lock().unwrap().pop_front() else { return awaits };
            message.received += 1;
            let mut delivery = pin!(self.deliver(&message));
            let handled = loop {
                match delivery.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(handled) => break handled,
                    Poll::Pending => {
                        awaits += 1;
                        if awaits == kill_at {
                            break false;
                        }
                    }
                }
            };
            if handled {
                continue;
            }
            if message.received < RECEIVES_MAX {
                self.queue.lock().unwrap().push_back(message.clone());
            } else {
                self.given_up.lock().unwrap().push(message.body.clone());
            }
        }
    }
}

/// All that the function counts.
pub(crate) const COUNTED: [&str; 14] = [
    "Noted",
    "Rewarded",
    "Refused",
    "RefusedSamePerson",
    "RefusedReferrerNotActive",
    "RefusedDeniedByStaff",
    "Held",
    "Rejected",
    "Idle",
    "Repeated",
    "Unchanged",
    "Failed",
    "Hopeless",
    "NotBegun",
];

/// What is told of an entry: each event's name and its JSON, as it is published.
fn told_of(entry: &Entry) -> Vec<(&'static str, Value)> {
    let (Some(member_id), Some(sequence), Some(balance)) =
        (&entry.member_id, entry.sequence, entry.balance)
    else {
        return Vec::new();
    };
    let happened = Happened {
        id: &entry.id,
        member_id,
        sequence,
        sent_at: entry.sent_at,
        at: entry.at,
        program_version: entry.program_version,
        balance,
        events: events(entry),
    };
    let told = announcements(happened).unwrap();
    told.iter().map(|it| (it.what.name(), serde_json::to_value(it).unwrap())).collect()
}

/// What a rule of EventBridge puts onto a queue.
pub(crate) fn envelope(name: &str, detail: &Value) -> Value {
    json!({
        "version": "0", "id": "7bf73129-1428-4cd3-a780-95db273d1602", "detail-type": name,
        "source": "loyalty", "account": "123456789012", "time": "2026-03-01T00:00:00Z",
        "region": "eu-central-1", "resources": [], "detail": detail,
    })
}

/// An event as a queue hands it over, of messages with these ids and bodies.
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
            record
        })
        .collect();
    serde_json::from_value(json!({ "Records": records })).unwrap()
}

/// Polls until it is done.
pub(crate) fn finished<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
}

/// Staff decide about a friend.
pub(crate) fn review(friend: &str, decision: &str, key: &str) -> String {
    json!({
        "type": "referral.review", "member_id": friend, "decision": decision,
        "reason": "known-club", "actor": "staff-7", "key": key, "at": day(40).to_string(),
    })
    .to_string()
}
