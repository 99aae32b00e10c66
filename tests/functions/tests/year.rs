//! The real year as a queue delivers it: every message twice, shuffled, in batches of any size, through
//! the real handler onto the embedded engine, disturbed. The accounts are those of `simulate`.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    error::Error,
    time::Duration,
};

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use jiff::Timestamp;
use loyalty_accrue_points::handler::{Door, FUNCTION};
use loyalty_contracts::parse;
use loyalty_dynamodb::{DynamoDbLedger, Published};
use loyalty_ledger::{Attempts, Reading, execute, memory::MemoryLedger, statement::Accounts as _};
use loyalty_runtime::{
    clock::Deadline,
    dead_letter::{DeadLetters, Reason},
    metric::Metrics,
    program::CachedPrograms,
};
use loyalty_tests_dynamodb::{Engine, Fault};
use loyalty_tests_simulate::{Random, program_of_the_year, scratch, year_as_events};
use serde_json::json;

/// How often the template's queue delivers a message before it goes to the dead letters.
const RECEIVES_MAX: u32 = 5;

/// Dead letters in memory: who they are, and why.
#[derive(Debug, Default)]
struct Letters(std::sync::Mutex<Vec<(String, &'static str)>>);

impl DeadLetters for Letters {
    async fn keep(
        &self,
        message: &SqsMessage,
        reason: &Reason,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let id = message.message_id.clone().unwrap();
        self.0.lock().unwrap().push((id, reason.name));
        Ok(())
    }
}

/// A message, and whose: events of one member, or of one guest's order, keep their order.
#[derive(Clone, Debug)]
struct Message {
    id: String,
    key: String,
    body: String,
}

/// A batch as Lambda hands it over.
fn batch(messages: &[Message]) -> SqsEvent {
    let records: Vec<_> = messages
        .iter()
        .map(|it| json!({"messageId": it.id, "body": it.body, "eventSource": "aws:sqs"}))
        .collect();
    serde_json::from_value(json!({ "Records": records })).unwrap()
}

/// The events in windows of 50, shuffled within each; those of one member, or of one order, keep theirs.
fn shuffled(events: &[&str], random: &mut Random) -> Vec<Message> {
    let order_of = |event: &str| -> Option<String> {
        let event: serde_json::Value = serde_json::from_str(event).unwrap();
        event["order_id"].as_str().map(ToOwned::to_owned)
    };
    let mut member_of_order: HashMap<String, String> = HashMap::new();
    let mut keyed: Vec<(String, &str)> = Vec::new();
    for event in events {
        let order = order_of(event).unwrap();
        let json: serde_json::Value = serde_json::from_str(event).unwrap();
        let member = json["member_id"].as_str().map(ToOwned::to_owned);
        let key = member_of_order.entry(order.clone()).or_insert_with(|| member.unwrap_or(order));
        keyed.push((key.clone(), event));
    }
    let mut all = Vec::new();
    for window in keyed.chunks(50) {
        // A random interleaving of the members' own lines.
        let mut lines: BTreeMap<&str, VecDeque<&str>> = BTreeMap::new();
        for (key, event) in window {
            lines.entry(key).or_default().push_back(event);
        }
        let mut lines: Vec<(&str, VecDeque<&str>)> = lines.into_iter().collect();
        while !lines.is_empty() {
            let index = random.below(lines.len());
            let (key, events) = &mut lines[index];
            let event = events.pop_front().unwrap();
            // Twice, under two ids of deliveries.
            for _ in 0..2 {
                let id = format!("m{}", all.len());
                all.push(Message { id, key: (*key).to_owned(), body: event.to_owned() });
            }
            if events.is_empty() {
                lines.swap_remove(index);
            }
        }
    }
    all
}

#[tokio::test]
async fn the_year_as_a_queue_delivers_it_gives_the_accounts_of_simulate() {
    let events = year_as_events(&scratch("functions-year"));
    let lines: Vec<&str> = events.lines().collect();
    let expected = MemoryLedger::default();
    for line in &lines {
        let request = parse(line.as_bytes(), Timestamp::MAX).unwrap();
        execute(&expected, &program_of_the_year(), &mut Attempts(1), &request).await.unwrap();
    }
    let engine = Engine::start();
    let (ledger, wire) = engine.ledger();
    assert_eq!(ledger.publish(&program_of_the_year()).await.unwrap(), Published::Now);
    assert_eq!(ledger.publish(&program_of_the_year()).await.unwrap(), Published::Before);
    let door = Door {
        programs: CachedPrograms::new(ledger.clone(), Duration::from_hours(1)),
        ledger: ledger.clone(),
        dead_letters: Letters::default(),
    };
    let mut random = Random::new(0x9e37_79b9_7f4a_7c15);
    let mut injected = Random::new(42);
    wire.disturb(move |operation| match injected.below(100) {
        0 => Some(Fault::Throttled),
        1..=3 if operation == "TransactWriteItems" => Some(Fault::Conflict),
        4 => Some(Fault::LostReply),
        5..=12 if operation == "BatchGetItem" => Some(Fault::Stale),
        _ => None,
    });

    let (mut failed, mut batches) = (0_u32, 0_u32);
    let mut metrics = Metrics::of(FUNCTION);
    let mut waiting: VecDeque<Message> = shuffled(&lines, &mut random).into();
    let messages = waiting.len();
    let mut receives: HashMap<String, u32> = HashMap::new();
    while !waiting.is_empty() {
        let size = 1 + random.below(10);
        let mut taken: Vec<Message> = Vec::new();
        // An event comes once the member's earlier ones were answered, for else their order is not kept
        // where one fails.
        while let Some(next) = waiting.front()
            && taken.len() < size
            && !taken.iter().any(|it| it.key == next.key && it.body != next.body)
        {
            taken.extend(waiting.pop_front());
        }
        let deadline = Deadline::after(Duration::from_mins(1));
        let response =
            door.handle(batch(&taken), deadline, Timestamp::MAX, &mut metrics).await.unwrap();
        batches += 1;
        for failure in response.batch_item_failures.iter().rev() {
            let id = &failure.item_identifier;
            let received = receives.entry(id.clone()).or_default();
            *received += 1;
            assert!(*received < RECEIVES_MAX, "{id} was delivered too often");
            failed += 1;
            waiting.push_front(taken.iter().find(|it| it.id == *id).unwrap().clone());
        }
    }
    wire.disturb(|_| None);

    assert!(batches > 1_000 && failed > 100, "{batches} batches, {failed} failures");
    println!("{messages} messages, {batches} batches, {failed} deliveries failed and came again");
    println!("{metrics:?}");
    assert_eq!(metrics.counted("Failed"), u64::from(failed));
    assert_eq!(*door.dead_letters.0.lock().unwrap(), []);
    assert_same(&expected, &ledger).await;
}

async fn assert_same(expected: &MemoryLedger, ledger: &DynamoDbLedger) {
    let mut different = Vec::new();
    let accounts = expected.accounts();
    assert_eq!(accounts.len(), 1_476);
    for (member_id, account) in accounts {
        let found = ledger.find_account(&member_id, Reading::Newest).await.unwrap().unwrap();
        if found.account != account {
            different.push((member_id, found.account, account));
        }
    }
    assert!(different.is_empty(), "{} differ, such as {:#?}", different.len(), different.first());
}
