//! A shop over memory: a queue that delivers until it is empty, a store that fails where it is told to, and
//! invocations that end at any await.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    error::Error,
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use jiff::Timestamp;
use loyalty_contracts::review::Review;
use loyalty_domain::{
    command::Request,
    id::{CommandId, MemberId},
    program::Program,
};
use loyalty_evaluate_tier::handler::{Door, FUNCTION};
use loyalty_ledger::{
    Appended, Attempts, Change, Entry, Ledger, LedgerError, Loaded, Reading, execute,
    members::{FoundMembers, Members, MembersPlace},
    memory::MemoryLedger,
    program::Programs,
    statement::{Accounts, KnownAccount},
};
use loyalty_runtime::{
    clock::Deadline,
    dead_letter::{DeadLetters, Reason},
    metric::Metrics,
    program::CachedPrograms,
    queue,
};
use loyalty_tests_ledger::{member, order};
use serde_json::{Value, json};

/// How often the template's queue delivers a message before it goes to the dead letters.
const RECEIVES_MAX: u32 = 5;

/// Asks for everybody to be measured by the version in force.
pub(crate) const PLAN: &str = r#"{"type":"measure.plan"}"#;

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

/// A call of a store or a queue: killed before it, nothing is done; killed after it, all of it is.
async fn called<T>(call: impl Future<Output = T>) -> T {
    Await(false).await;
    let answer = call.await;
    Await(false).await;
    answer
}

fn down(operation: &'static str) -> LedgerError {
    LedgerError::Unavailable { operation, source: "the store is down".into() }
}

/// A ledger that can be told to fail.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    pub(crate) memory: Arc<MemoryLedger>,
    /// How often each member's account still cannot be read.
    pub(crate) members_down: Arc<Mutex<BTreeMap<MemberId, u32>>>,
    /// Which readings of members fail, counted from 0.
    pub(crate) walks_down: Arc<Mutex<BTreeSet<usize>>>,
    /// How many there were.
    pub(crate) walks: Arc<AtomicUsize>,
    /// Whose account makes us panic.
    pub(crate) bug: Option<MemberId>,
}

impl Ledger for Store {
    async fn load(&self, request: &Request, reading: Reading) -> Result<Loaded, LedgerError> {
        let member_id = request.member_id();
        assert!(self.bug.is_none() || self.bug.as_ref() != member_id, "a bug");
        let is_down = member_id.is_some_and(|it| {
            let mut times = self.members_down.lock().unwrap();
            times.get_mut(it).is_some_and(|it| {
                let is_left = *it > 0;
                *it = it.saturating_sub(1);
                is_left
            })
        });
        if is_down {
            return called(async { Err(down("BatchGetItem")) }).await;
        }
        called(self.memory.load(request, reading)).await
    }

    async fn append(&self, change: Change) -> Result<Appended, LedgerError> {
        called(self.memory.append(change)).await
    }
}

impl Accounts for Store {
    async fn find_account(
        &self,
        member_id: &MemberId,
        reading: Reading,
    ) -> Result<Option<KnownAccount>, LedgerError> {
        called(self.memory.find_account(member_id, reading)).await
    }

    async fn find_entries(
        &self,
        ids: &[CommandId],
        reading: Reading,
    ) -> Result<Vec<Arc<Entry>>, LedgerError> {
        called(self.memory.find_entries(ids, reading)).await
    }
}

impl Members for Store {
    async fn members(
        &self,
        after: Option<&MembersPlace>,
        limit: u16,
    ) -> Result<FoundMembers, LedgerError> {
        let number = self.walks.fetch_add(1, Ordering::Relaxed);
        let is_down = self.walks_down.lock().unwrap().contains(&number);
        if is_down {
            return called(async { Err(down("Scan")) }).await;
        }
        // Small pages, so that there are several.
        called(self.memory.members(after, limit.min(30))).await
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

/// The queue in memory, with the dead letters that it makes by itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    waiting: Arc<Mutex<VecDeque<Message>>>,
    number: Arc<AtomicUsize>,
    pub(crate) sent: Arc<Mutex<Vec<Review>>>,
    pub(crate) given_up: Arc<Mutex<Vec<String>>>,
}

impl Queue {
    pub(crate) fn put(&self, body: &str) {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let (id, body) = (format!("delivery-{number}"), body.to_owned());
        self.waiting.lock().unwrap().push_back(Message { id, body, received: 0 });
    }

    pub(crate) fn take(&self) -> Option<Message> {
        let mut message = self.waiting.lock().unwrap().pop_front()?;
        message.received += 1;
        Some(message)
    }

    /// It was not handled: it comes again, or lies in the dead letters.
    pub(crate) fn give_back(&self, message: Message) {
        if message.received < RECEIVES_MAX {
            self.waiting.lock().unwrap().push_back(message);
        } else {
            self.given_up.lock().unwrap().push(message.body);
        }
    }
}

impl queue::Queue<Review> for Queue {
    async fn send(&self, reviews: &[Review]) -> Result<(), Box<dyn Error + Send + Sync>> {
        called(async {
            for it in reviews {
                self.put(&it.body().unwrap());
                self.sent.lock().unwrap().push(it.clone());
            }
        })
        .await;
        Ok(())
    }
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

/// A shop, its queue, and what the function did.
pub(crate) struct Shop {
    pub(crate) store: Store,
    pub(crate) queue: Queue,
    pub(crate) metrics: Mutex<Metrics>,
    pub(crate) door: Door<Store, Published, Queue, Letters>,
}

/// The first night of the second version.
pub(crate) fn now() -> Timestamp {
    "2026-06-01T04:15:00Z".parse().unwrap()
}

/// A version: silver and gold from so much spend on.
pub(crate) fn version(number: u32, effective: &str, silver: &str, gold: &str) -> Program {
    serde_json::from_value(json!({
        "name": "Sweeps", "version": number, "effective": effective, "currency": "GBP",
        "time_zone": "Europe/London",
        "earning": {"points_per_unit": "1", "expiry_months": 12},
        "tiers": {"new_version": "raise_and_lower", "levels": [
            {"id": "bronze", "name": "Bronze"},
            {"id": "silver", "name": "Silver", "spend": silver, "growth": 100},
            {"id": "gold", "name": "Gold", "spend": gold, "tasks": ["profile"]},
        ]},
    }))
    .unwrap()
}

/// The version of the first orders, and one that raises every fourth member and lowers another fourth.
pub(crate) fn versions() -> Vec<Program> {
    vec![version(1, "2026-01-01", "200", "400"), version(2, "2026-06-01", "100", "500")]
}

impl Shop {
    /// So many members: in turn of 50, 150, 250 and 450 pounds.
    pub(crate) fn of(members: u32) -> Self {
        let store = Store::default();
        let versions = versions();
        let first = versions.first().unwrap();
        for number in 0..members {
            let minor = [5_000, 15_000, 25_000, 45_000][number as usize % 4];
            let request = order(&format!("o{number}"), &format!("m{number}"), minor, 0);
            finished(execute(&*store.memory, first, &mut Attempts(1), &request)).unwrap();
        }
        Self::over(store, versions)
    }

    pub(crate) fn over(store: Store, versions: Vec<Program>) -> Self {
        let queue = Queue::default();
        let door = Door {
            ledger: store.clone(),
            programs: CachedPrograms::new(Published(versions), Duration::from_hours(1)),
            queue: queue.clone(),
            dead_letters: Letters::default(),
        };
        Self { store, queue, metrics: Mutex::new(Metrics::of(FUNCTION)), door }
    }

    /// One delivery at `now`; whether it was handled.
    pub(crate) async fn deliver(&self, message: &Message, now: Timestamp) -> bool {
        let mut metrics = Metrics::of(FUNCTION);
        let deadline = Deadline::after(Duration::from_mins(1));
        let event = event(&[(&message.id, &message.body)]);
        let response = self.door.handle(event, deadline, now, &mut metrics).await.unwrap();
        let mut all = self.metrics.lock().unwrap();
        for name in COUNTED {
            all.add(name, metrics.counted(name));
        }
        response.batch_item_failures.is_empty()
    }

    /// Delivers one message after the other until none is left.
    pub(crate) fn run(&self, now: Timestamp) {
        assert!(self.run_killed(now, usize::MAX) > 0, "nothing was awaited");
    }

    /// The same, but that the invocation in which the await number `kill_at` comes is killed there, and its
    /// message comes again. Says how many awaits there were.
    pub(crate) fn run_killed(&self, now: Timestamp, kill_at: usize) -> usize {
        let mut awaits = 0;
        while let Some(message) = self.queue.take() {
            let mut delivery = pin!(self.deliver(&message, now));
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
            if !handled {
                self.queue.give_back(message.clone());
            }
        }
        awaits
    }
}

/// All that the function counts.
pub(crate) const COUNTED: [&str; 11] = [
    "Planned",
    "Raised",
    "Awaited",
    "Lowered",
    "Unchanged",
    "Idle",
    "Repeated",
    "Accepted",
    "Refused",
    "Failed",
    "Hopeless",
];

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

pub(crate) fn m(number: u32) -> MemberId {
    member(&format!("m{number}"))
}
