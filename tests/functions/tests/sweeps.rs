//! A new version of the program over the embedded engine, disturbed: the real handler measures everybody once,
//! and the levels are those of the same sweep in memory.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    error::Error,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use jiff::Timestamp;
use loyalty_contracts::{parse, review::Review};
use loyalty_domain::{
    command::Request,
    id::{CommandId, MemberId},
    program::Program,
};
use loyalty_dynamodb::{DynamoDbLedger, Segment};
use loyalty_evaluate_tier::handler::{Door, FUNCTION};
use loyalty_ledger::{
    Answered, Attempts, Entry, Ledger, Reading, execute, memory::MemoryLedger,
    statement::Accounts as _,
};
use loyalty_runtime::{
    clock::Deadline,
    dead_letter::{DeadLetters, Reason},
    metric::Metrics,
    program::CachedPrograms,
    publish::messages,
    queue,
};
use loyalty_tests_dynamodb::{Engine, Fault};
use loyalty_tests_simulate::Random;
use serde_json::json;

/// How many members there are.
const MEMBERS: u32 = 300;

/// The queue in memory.
#[derive(Clone, Debug, Default)]
struct Queue(Arc<Mutex<VecDeque<String>>>);

impl queue::Queue<Review> for Queue {
    async fn send(&self, reviews: &[Review]) -> Result<(), Box<dyn Error + Send + Sync>> {
        let bodies = reviews.iter().map(|it| it.body().unwrap());
        self.0.lock().unwrap().extend(bodies);
        Ok(())
    }
}

/// Dead letters, of which there must be none.
#[derive(Debug, Default)]
struct NoLetters;

impl DeadLetters for NoLetters {
    async fn keep(
        &self,
        _: &SqsMessage,
        reason: &Reason,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        Err(reason.detail.clone().into())
    }
}

fn version(number: u32, effective: &str, silver: &str, gold: &str) -> Program {
    serde_json::from_value(json!({
        "name": "Sweeps", "version": number, "effective": effective, "currency": "EUR",
        "time_zone": "Europe/Berlin",
        "earning": {"points_per_unit": "1", "expiry_months": 12},
        "tiers": {"new_version": "raise_and_lower", "levels": [
            {"id": "bronze", "name": "Bronze"},
            {"id": "silver", "name": "Silver", "spend": silver},
            {"id": "gold", "name": "Gold", "spend": gold},
        ]},
    }))
    .unwrap()
}

/// Three orders of each member, who spend 60, 150, 240 or 450 euros in all.
fn orders() -> Vec<Request> {
    let order = |number: u32| {
        let minor = match number % 4 {
            0 => 2_000,
            1 => 5_000,
            2 => 8_000,
            _ => 15_000,
        };
        (0..3).map(move |place| {
            let order = json!({
                "type": "order.paid", "order_id": format!("{number}/{place}"), "currency": "EUR",
                "member_id": format!("m#{number}"), "paid_at": "2026-02-01T12:00:00Z",
                "lines": [{"id": "1", "sku": "A", "quantity": 1, "amount_minor": minor}],
            });
            parse(order.to_string().as_bytes(), Timestamp::MAX).unwrap()
        })
    };
    (0..MEMBERS).flat_map(order).collect()
}

/// Asks until it is answered, as a queue delivers.
async fn deliver(ledger: &impl Ledger, program: &Program, request: &Request) -> Answered {
    for _ in 0..50 {
        match execute(ledger, program, &mut Attempts(5), request).await {
            Ok(answered) => return answered,
            Err(error) => assert!(error.is_transient(), "{error:?}"),
        }
    }
    panic!("{request:?} was not answered");
}

/// All entries of sweeps, by id.
async fn of_sweeps(ledger: &DynamoDbLedger) -> BTreeMap<CommandId, Arc<Entry>> {
    let mut found = BTreeMap::new();
    let mut segments = Segment::all(1);
    while let Some(segment) = segments.pop() {
        let page = ledger.entries_of(&segment).await.unwrap();
        let entries = page.entries.into_iter();
        found.extend(
            entries
                .filter(|it| matches!(it.id, CommandId::Measured(..) | CommandId::Version(_)))
                .map(|it| (it.id.clone(), it)),
        );
        segments.extend(page.rest);
    }
    found
}

fn message(body: &str) -> SqsEvent {
    let record = json!({"messageId": "m", "body": body, "eventSource": "aws:sqs"});
    serde_json::from_value(json!({ "Records": [record] })).unwrap()
}

#[tokio::test]
async fn a_sweep_that_is_disturbed_gives_every_member_the_level_of_the_new_version_once() {
    let engine = Engine::start();
    let (ledger, wire) = engine.ledger();
    let [first, second] =
        [version(1, "2026-01-01", "200", "400"), version(2, "2026-06-01", "100", "500")];
    ledger.publish(&first).await.unwrap();
    ledger.publish(&second).await.unwrap();
    let memory = MemoryLedger::default();
    for order in orders() {
        deliver(&ledger, &first, &order).await;
        deliver(&memory, &first, &order).await;
    }
    let queue = Queue::default();
    let door = Door {
        programs: CachedPrograms::new(ledger.clone(), Duration::from_hours(1)),
        ledger: ledger.clone(),
        queue: queue.clone(),
        dead_letters: NoLetters,
    };
    let mut metrics = Metrics::of(FUNCTION);
    let now = "2026-06-01T02:15:00Z".parse().unwrap();
    let mut injected = Random::new(42);
    wire.usage();
    wire.disturb(move |operation| match injected.below(100) {
        0 => Some(Fault::Throttled),
        1 | 2 if operation == "TransactWriteItems" => Some(Fault::Conflict),
        3 => Some(Fault::LostReply),
        4..7 if operation == "BatchGetItem" => Some(Fault::Stale),
        _ => None,
    });

    let plan = r#"{"type":"measure.plan"}"#.to_owned();
    // Twice, as a queue may deliver it, and each message behind the others once more.
    queue.0.lock().unwrap().extend([plan.clone(), plan.clone()]);
    let (mut deliveries, mut repeated) = (0, BTreeSet::new());
    while let Some(body) = { queue.0.lock().unwrap().pop_front() } {
        deliveries += 1;
        assert!(deliveries < 1_000, "the sweep does not end");
        let deadline = Deadline::after(Duration::from_mins(1));
        let handled = door.handle(message(&body), deadline, now, &mut metrics).await.unwrap();
        if !handled.batch_item_failures.is_empty() || repeated.insert(body.clone()) {
            queue.0.lock().unwrap().push_back(body);
        }
    }
    wire.disturb(|_| None);
    let usage = wire.usage();

    // In memory, one after the other and undisturbed.
    let at = second.calendar().midnight(second.spec().effective).unwrap();
    let mut expected = BTreeMap::new();
    let members: Vec<MemberId> = memory.accounts().into_iter().map(|(id, _)| id).collect();
    for member_id in &members {
        let request = Request::measure(member_id.clone(), 2, at);
        if let Answered::Now(entry) = deliver(&memory, &second, &request).await {
            expected.insert(entry.id.clone(), entry);
        }
    }
    let end = deliver(&memory, &second, &Request::end_measuring(2, at)).await;
    let Answered::Now(end) = end else { panic!("{end:?}") };
    assert!(messages(&end).unwrap().is_empty(), "nobody is told that a sweep is done");
    expected.insert(end.id.clone(), end);

    assert_eq!(members.len(), 300);
    assert_eq!(of_sweeps(&ledger).await, expected);
    let mut levels = BTreeMap::new();
    for member_id in members {
        let expected = memory.account(&member_id).unwrap();
        let found = ledger.find_account(&member_id, Reading::Newest).await.unwrap().unwrap();
        assert_eq!(found.account, expected, "{member_id}");
        let level = found.account.tier.level.map_or("bronze".to_owned(), |it| it.to_string());
        *levels.entry(level).or_insert(0) += 1;
    }
    assert_eq!(levels, BTreeMap::from([("bronze".to_owned(), 75), ("silver".to_owned(), 225)]));
    let [raised, lowered, idle, again] =
        ["Raised", "Lowered", "Idle", "Repeated"].map(|it| metrics.counted(it));
    println!(
        "{deliveries} deliveries: {raised} raised, {lowered} lowered, {idle} idle, {again} again; \
         {} write units, {:?}",
        usage.write_units, usage.requests
    );
    // A write whose reply was lost is answered as a repeat.
    assert!(raised <= 75 && raised > 60, "{raised}");
    assert!(lowered <= 75 && lowered > 60, "{lowered}");
    assert!(usage.requests["Scan"] >= 2, "everybody was on one page: {usage:?}");

    // Asked for again, it is a look at the versions and at what says that it was done.
    wire.usage();
    let deadline = Deadline::after(Duration::from_mins(1));
    door.handle(message(&plan), deadline, now, &mut metrics).await.unwrap();
    assert!(queue.0.lock().unwrap().is_empty());
    let usage = wire.usage();
    assert_eq!(usage.requests.into_iter().collect::<Vec<_>>(), [("BatchGetItem".to_owned(), 1)]);
}
