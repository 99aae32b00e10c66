//! What a night costs as members grow and those who are due do not: the real handler on the embedded engine.
//!
//! `cargo bench --package loyalty-tests-functions --bench night`
//!
//! It fails where a due member costs more among many than among few.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be run may panic")]
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::{
    collections::VecDeque,
    error::Error,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use jiff::Timestamp;
use loyalty_contracts::{parse, review::Review, work::Work};
use loyalty_expire_points::handler::{Door, FUNCTION};
use loyalty_ledger::{Attempts, execute};
use loyalty_runtime::{
    clock::{self, Deadline},
    dead_letter::{DeadLetters, Reason},
    metric::Metrics,
    program::CachedPrograms,
    queue,
};
use loyalty_tests_dynamodb::{Engine, Usage};
use loyalty_tests_simulate::program_of_the_year;
use serde_json::json;

/// How many members there are.
const MEMBERS: [u64; 3] = [1_000, 10_000, 100_000];
/// How many of them are due.
const DUE: u64 = 500;

/// The queue in memory.
#[derive(Clone, Debug, Default)]
struct Queue(Arc<Mutex<VecDeque<Work>>>);

impl queue::Queue<Work> for Queue {
    async fn send(&self, work: &[Work]) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.0.lock().unwrap().extend(work.iter().cloned());
        Ok(())
    }
}

/// Where a new version is swept for, of which there is none.
struct OneVersion;

impl queue::Queue<Review> for OneVersion {
    async fn send(&self, _: &[Review]) -> Result<(), Box<dyn Error + Send + Sync>> {
        Err("there is one version".into())
    }
}

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

/// What one night took.
struct Measured {
    planned: Usage,
    posted: Usage,
    plan: Duration,
    post: Duration,
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!(
        "{DUE} due, over plain HTTP to an engine on this machine; read units by what it reports\n"
    );
    println!(
        "  members   read units: to find   to post   for each   write units for each   \
         seconds: to find   to post"
    );
    let mut costs = Vec::new();
    for members in MEMBERS {
        let Measured { planned, posted, plan, post } = runtime.block_on(night(members));
        let halves = planned.read_halves + posted.read_halves;
        println!(
            "{members:>9} {:>21} {:>9} {:>10} {:>22} {:>18}.{:03} {:>5}.{:03}",
            hundredths(planned.read_halves, 2),
            hundredths(posted.read_halves, 2),
            hundredths(halves, 2 * DUE),
            hundredths(posted.write_units, DUE),
            plan.as_secs(),
            plan.subsec_millis(),
            post.as_secs(),
            post.subsec_millis(),
        );
        costs.push((halves, posted.write_units));
    }
    let is_flat = costs.windows(2).all(|it| it.first() == it.last());
    println!(
        "\nA due member costs {}.",
        if is_flat { "the same among all" } else { "more among more" }
    );
    if is_flat { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Two digits after the point.
fn hundredths(number: u64, of: u64) -> String {
    let hundredths = (number * 100 + of / 2) / of;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

async fn night(members: u64) -> Measured {
    let engine = Engine::start();
    let tables = engine.tables();
    let (ledger, wire) = engine.ledger_in(tables.clone());
    let program = program_of_the_year();
    ledger.publish(&program).await.unwrap();
    for number in 0..DUE {
        let order = json!({
            "type": "order.paid", "order_id": number.to_string(), "currency": "GBP",
            "member_id": format!("due-{number}"), "paid_at": "2025-06-15T12:00:00Z",
            "lines": [{"id": "1", "sku": "A", "quantity": 1, "amount_minor": 5_000}],
        });
        let request = parse(order.to_string().as_bytes(), Timestamp::MAX).unwrap();
        execute(&ledger, &program, &mut Attempts(1), &request).await.unwrap();
    }
    // Nobody reads the others, so they are no more than their places in the table and in the index.
    for number in DUE..members {
        let (member, shard) = (format!("later-{number}"), number % 64);
        engine.overwrite(
            &tables.ledger,
            &json!({
                "pk": {"S": format!("M#{member}")}, "sk": {"S": "A"}, "v": {"N": "1"},
                "ds": {"S": format!("{shard:02}")}, "dd": {"S": format!("2026-12-31#{member}")},
            }),
        );
    }
    let queue = Queue::default();
    let door = Door {
        programs: CachedPrograms::new(ledger.clone(), Duration::from_hours(1)),
        ledger,
        queue: queue.clone(),
        reviews: OneVersion,
        dead_letters: NoLetters,
    };
    let mut metrics = Metrics::of(FUNCTION);
    let mut deliver = async |work: &Work| {
        let record = json!({"messageId": "m", "body": work.body().unwrap()});
        let event: SqsEvent = serde_json::from_value(json!({ "Records": [record] })).unwrap();
        let deadline = Deadline::after(Duration::from_mins(10));
        let now = "2026-07-01T03:15:00Z".parse().unwrap();
        let handled = door.handle(event, deadline, now, &mut metrics).await.unwrap();
        assert_eq!(handled.batch_item_failures.len(), 0);
    };
    // The program is read once, whatever comes then.
    deliver(&Work::read(br#"{"type":"due.plan","day":"2025-01-01"}"#).unwrap()).await;
    wire.usage();

    let started = clock::instant();
    deliver(&Work::read(br#"{"type":"due.plan"}"#).unwrap()).await;
    let (plan, planned) = (started.elapsed(), wire.usage());
    let started = clock::instant();
    while let Some(work) = { queue.0.lock().unwrap().pop_front() } {
        deliver(&work).await;
    }
    let (post, posted) = (started.elapsed(), wire.usage());

    assert_eq!((metrics.counted("Planned"), metrics.counted("Posted")), (DUE, DUE));
    Measured { planned, posted, plan, post }
}
