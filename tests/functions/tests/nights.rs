//! The real year in the order of time, with the job run every night: the real handler on the embedded engine,
//! disturbed. The accounts are those without any night, to the point.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::{
    cell::Cell,
    collections::VecDeque,
    error::Error,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use jiff::{Timestamp, ToSpan, civil::Date};
use loyalty_contracts::{parse, review::Review, work::Work};
use loyalty_domain::{
    account::Account,
    command::Request,
    id::{CommandId, MemberId},
    program::Program,
};
use loyalty_dynamodb::DynamoDbLedger;
use loyalty_expire_points::handler::{Door, FUNCTION};
use loyalty_ledger::{
    Attempts, Ledger, Reading, due::post_due, execute, memory::MemoryLedger,
    statement::Accounts as _,
};
use loyalty_runtime::{
    clock::Deadline,
    dead_letter::{DeadLetters, Reason},
    metric::Metrics,
    program::CachedPrograms,
    queue,
};
use loyalty_tests_dynamodb::{Engine, Fault};
use loyalty_tests_simulate::{Random, program_of_the_year, scratch, year_as_events};
use serde_json::json;

/// The queue in memory.
#[derive(Clone, Debug, Default)]
struct Queue(Arc<Mutex<VecDeque<String>>>);

impl queue::Queue<Work> for Queue {
    async fn send(&self, work: &[Work]) -> Result<(), Box<dyn Error + Send + Sync>> {
        let bodies = work.iter().map(|it| it.body().unwrap());
        self.0.lock().unwrap().extend(bodies);
        Ok(())
    }
}

/// Where a new version is swept for, of which there is none.
#[derive(Debug)]
struct OneVersion;

impl queue::Queue<Review> for OneVersion {
    async fn send(&self, _: &[Review]) -> Result<(), Box<dyn Error + Send + Sync>> {
        Err("there is one version".into())
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

fn message(body: &str) -> SqsEvent {
    let record = json!({"messageId": "m", "body": body, "eventSource": "aws:sqs"});
    serde_json::from_value(json!({ "Records": [record] })).unwrap()
}

/// An account but for the numbers of its entries, which is all that nights may change.
fn but_for_its_entries(mut account: Account) -> Account {
    account.sequence = 0;
    for (number, pending) in (0..).zip(&mut account.pending) {
        pending.since = number;
    }
    account
}

/// The program of the year, but that points are gone so soon that nights have something to do.
fn program() -> Program {
    let mut spec = program_of_the_year().spec().clone();
    spec.earning.expiry_months = Some(1);
    spec.try_into().unwrap()
}

/// Posts until it is answered, as a queue delivers.
async fn deliver(ledger: &impl Ledger, program: &Program, request: &Request) {
    for _ in 0..50 {
        match execute(ledger, program, &mut Attempts(5), request).await {
            Ok(_) => return,
            Err(error) => assert!(error.is_transient(), "{error:?}"),
        }
    }
    panic!("{request:?} was not answered");
}

#[tokio::test]
async fn the_year_with_a_night_after_every_day_gives_the_accounts_without_any() {
    let events = year_as_events(&scratch("functions-nights"));
    let requests: Vec<Request> =
        events.lines().map(|it| parse(it.as_bytes(), Timestamp::MAX).unwrap()).collect();
    assert!(requests.is_sorted_by_key(|it| it.at), "the year is in the order of time");
    let program = program();
    let calendar = program.calendar();
    let engine = Engine::start();
    let (ledger, wire) = engine.ledger();
    ledger.publish(&program).await.unwrap();
    let (without, queue) = (MemoryLedger::default(), Queue::default());
    let door = Door {
        programs: CachedPrograms::new(ledger.clone(), Duration::from_hours(1)),
        ledger: ledger.clone(),
        queue: queue.clone(),
        reviews: OneVersion,
        dead_letters: NoLetters,
    };
    let posted = Cell::new(0);
    let night = async |day: Date| {
        let mut metrics = Metrics::of(FUNCTION);
        let now = calendar.midnight(day).unwrap() + 255.minutes();
        queue.0.lock().unwrap().push_back(r#"{"type":"due.plan"}"#.to_owned());
        let mut deliveries = 0;
        while let Some(body) = { queue.0.lock().unwrap().pop_front() } {
            deliveries += 1;
            assert!(deliveries < 1_000, "{day} does not end");
            let deadline = Deadline::after(Duration::from_mins(1));
            let handled = door.handle(message(&body), deadline, now, &mut metrics).await.unwrap();
            if !handled.batch_item_failures.is_empty() {
                queue.0.lock().unwrap().push_back(body);
            }
        }
        assert_eq!(metrics.counted("Refused"), 0, "{metrics:?}");
        posted.set(posted.get() + metrics.counted("Posted"));
    };
    let mut injected = Random::new(42);
    wire.disturb(move |operation| match injected.below(100) {
        0 => Some(Fault::Throttled),
        1 | 2 if operation == "TransactWriteItems" => Some(Fault::Conflict),
        3 => Some(Fault::LostReply),
        _ => None,
    });

    let mut today = calendar.day_of(requests.first().unwrap().at);
    let mut nights = 0;
    for request in &requests {
        while today < calendar.day_of(request.at) {
            today = today.tomorrow().unwrap();
            night(today).await;
            nights += 1;
        }
        deliver(&without, &program, request).await;
        deliver(&ledger, &program, request).await;
    }
    let in_the_year = posted.get();
    today = today.tomorrow().unwrap();
    night(today).await;
    wire.disturb(|_| None);
    assert_same(&program, &without, &ledger, today).await;
    // Levels are reviewed, and points expire, at the beginning of a month.
    for _ in 0..14 {
        today = today.checked_add(1.month()).unwrap().first_of_month();
        night(today).await;
    }
    assert_same(&program, &without, &ledger, today).await;

    println!(
        "{nights} nights posted {in_the_year} entries, and the months after them {}",
        posted.get() - in_the_year
    );
    assert!(in_the_year > 1_000, "{in_the_year}");
}

/// Every account as of a day, all of it posted, is as without nights.
async fn assert_same(program: &Program, without: &MemoryLedger, with: &DynamoDbLedger, day: Date) {
    let at = program.calendar().midnight(day).unwrap();
    let accounts: Vec<MemberId> = without.accounts().into_iter().map(|(id, _)| id).collect();
    assert_eq!(accounts.len(), 1_476);
    for member_id in accounts {
        let request = post_due(member_id.clone(), day, at);
        deliver(without, program, &request).await;
        deliver(with, program, &request).await;
        let expected = without.account(&member_id).unwrap();
        let found = with.find_account(&member_id, Reading::Newest).await.unwrap().unwrap();
        assert!(
            but_for_its_entries(found.account.clone()) == but_for_its_entries(expected.clone()),
            "{member_id} on {day}:\n{:#?}\n{expected:#?}",
            found.account
        );
        let entry = [CommandId::Due(member_id, day)];
        assert_eq!(with.find_entries(&entry, Reading::Newest).await.unwrap().len(), 1);
    }
}
