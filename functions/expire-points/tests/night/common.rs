//! A night over memory: a queue that delivers until it is empty, a store that fails where it is told to, and
//! invocations that end at any await.

use std::{
    collections::{BTreeMap, VecDeque},
    error::Error,
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use jiff::{Timestamp, civil::Date};
use loyalty_contracts::{review::Review, work::Work};
use loyalty_domain::{command::Request, id::MemberId, program::Program};
use loyalty_expire_points::handler::{Door, FUNCTION};
use loyalty_ledger::{
    Appended, Attempts, Change, Ledger, LedgerError, Loaded, Reading,
    due::{DueMembers, DuePlace, DueWork},
    execute,
    memory::MemoryLedger,
    program::Programs,
};
use loyalty_runtime::{
    clock::Deadline,
    dead_letter::{DeadLetters, Reason},
    metric::Metrics,
    program::CachedPrograms,
    queue,
};
use loyalty_tests_ledger::{member, order, program};
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
    /// How often each shard still cannot be read.
    pub(crate) shards_down: Arc<Mutex<BTreeMap<u8, u32>>>,
    /// Whose account makes us panic.
    pub(crate) bug: Option<MemberId>,
}

/// Takes one of so many.
fn taken<K: Ord>(times: &Mutex<BTreeMap<K, u32>>, key: &K) -> bool {
    let mut times = times.lock().unwrap();
    times.get_mut(key).is_some_and(|it| {
        let is_left = *it > 0;
        *it = it.saturating_sub(1);
        is_left
    })
}

impl Ledger for Store {
    async fn load(&self, request: &Request, reading: Reading) -> Result<Loaded, LedgerError> {
        let member_id = request.member_id();
        assert!(self.bug.is_none() || self.bug.as_ref() != member_id, "a bug");
        if member_id.is_some_and(|it| taken(&self.members_down, it)) {
            return called(async { Err(down("BatchGetItem")) }).await;
        }
        called(self.memory.load(request, reading)).await
    }

    async fn append(&self, change: Change) -> Result<Appended, LedgerError> {
        called(self.memory.append(change)).await
    }
}

impl DueWork for Store {
    fn shards(&self) -> u8 {
        self.memory.shards()
    }

    async fn due_members(
        &self,
        shard: u8,
        day: Date,
        after: Option<&DuePlace>,
        limit: u16,
    ) -> Result<DueMembers, LedgerError> {
        if taken(&self.shards_down, &shard) {
            return called(async { Err(down("Query")) }).await;
        }
        // Small pages, so that there are several.
        called(self.memory.due_members(shard, day, after, limit.min(20))).await
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
    pub(crate) sent: Arc<Mutex<Vec<Work>>>,
    pub(crate) given_up: Arc<Mutex<Vec<String>>>,
}

impl Queue {
    pub(crate) fn put(&self, body: &str) {
        let mut waiting = self.waiting.lock().unwrap();
        let number = waiting.len() + self.sent.lock().unwrap().len();
        let (id, body) = (format!("m{number}"), body.to_owned());
        waiting.push_back(Message { id, body, received: 0 });
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

impl queue::Queue<Work> for Queue {
    async fn send(&self, work: &[Work]) -> Result<(), Box<dyn Error + Send + Sync>> {
        called(async {
            for it in work {
                self.put(&it.body().unwrap());
                self.sent.lock().unwrap().push(it.clone());
            }
        })
        .await;
        Ok(())
    }
}

/// The queue of reviews in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reviews(pub(crate) Arc<Mutex<Vec<Review>>>);

impl queue::Queue<Review> for Reviews {
    async fn send(&self, reviews: &[Review]) -> Result<(), Box<dyn Error + Send + Sync>> {
        called(async { self.0.lock().unwrap().extend(reviews.iter().cloned()) }).await;
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
pub(crate) struct Night {
    pub(crate) store: Store,
    pub(crate) queue: Queue,
    pub(crate) metrics: Mutex<Metrics>,
    pub(crate) door: Door<Store, Published, Queue, Reviews, Letters>,
}

/// 04:15 on the day on which the lots of [`Night::of`] are gone, all of them.
pub(crate) fn now() -> Timestamp {
    "2027-02-06T04:15:00Z".parse().unwrap()
}

impl Night {
    /// So many members, each with points of one of the four days before [`now`], and one of nobody's business.
    pub(crate) fn of(members: u32) -> Self {
        let store = Store::default();
        let post = |request: &Request| {
            finished(execute(&*store.memory, &program(), &mut Attempts(1), request)).unwrap();
        };
        for number in 0..members {
            let (id, member_id) = (format!("o{number}"), format!("m{number}"));
            post(&order(&id, &member_id, 5_000, i64::from(number % 4) * 86_400));
        }
        post(&order("later", "later", 5_000, 30 * 86_400));
        Self::over(store)
    }

    pub(crate) fn over(store: Store) -> Self {
        let queue = Queue::default();
        let programs = CachedPrograms::new(Published(vec![program()]), Duration::from_hours(1));
        let door = Door {
            ledger: store.clone(),
            programs,
            queue: queue.clone(),
            reviews: Reviews::default(),
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
pub(crate) const COUNTED: [&str; 8] =
    ["Planned", "Posted", "NothingDue", "Repeated", "Refused", "Failed", "Hopeless", "NotBegun"];

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
