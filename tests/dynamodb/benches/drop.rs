//! What a drop takes: how many redemptions a second, and how long the slowest twentieth of them waits.
//!
//! `cargo bench --package loyalty-tests-dynamodb --bench drop`
//!
//! It fails where not exactly what there is was sold, or anybody saw a conflict.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a benchmark that cannot be run may panic")]
#![expect(clippy::print_stdout, reason = "it prints what it measured")]
#![expect(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use loyalty_domain::{
    command::Request,
    reward::{RewardKind, RewardSpec, Stock},
};
use loyalty_dynamodb::DynamoDbLedger;
use loyalty_ledger::{Answer, Answered, Attempts, catalogue::Catalogue as _, execute};
use loyalty_tests_dynamodb::{Engine, Fault, Usage, Wire};
use loyalty_tests_ledger::{
    order, program,
    rewards::{offer, redeem, reward},
};
use tokio::task::JoinSet;

/// How many requests are under way at once.
const AT_ONCE: usize = 256;
/// How many members ask for a drop.
const MEMBERS: usize = 20_000;
/// How many pieces there are.
const PIECES: u64 = 1_000;

/// What was measured of some requests.
struct Measured {
    sold: u64,
    took: Duration,
    /// Of each request, from when it was sent.
    times: Vec<Duration>,
}

async fn at_once(ledger: &DynamoDbLedger, requests: Vec<Request>) -> Measured {
    let began = Instant::now();
    let waiting = Arc::new(Mutex::new(requests));
    let mut running = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (ledger, waiting) = (ledger.clone(), Arc::clone(&waiting));
        running.spawn(async move {
            let program = program();
            let (mut sold, mut times) = (0_u64, Vec::new());
            loop {
                let next = waiting.lock().unwrap().pop();
                let Some(request) = next else { return (sold, times) };
                let began = Instant::now();
                let answered = execute(&ledger, &program, &mut Attempts(1_000), &request).await;
                times.push(began.elapsed());
                let Answered::Now(entry) = answered.unwrap() else { panic!("not answered now") };
                sold += u64::from(matches!(entry.answer, Answer::Accepted(_)));
            }
        });
    }
    let (mut sold, mut times) = (0, Vec::new());
    for (some, their_times) in running.join_all().await {
        sold += some;
        times.extend(their_times);
    }
    times.sort_unstable();
    Measured { sold, took: began.elapsed(), times }
}

fn print(what: &str, measured: &Measured, usage: &Usage) {
    let count = measured.times.len();
    let at = |percent: usize| {
        measured.times.get(count * percent / 100).copied().unwrap_or_default().as_millis()
    };
    let a_second = u128::try_from(count).unwrap() * 1_000 / measured.took.as_millis().max(1);
    println!(
        "| {what} | {count} | {} | {} ms | {a_second} | {} ms | {} ms | {} |",
        measured.sold,
        measured.took.as_millis(),
        at(50),
        at(95),
        usage.requests.get("TransactWriteItems").copied().unwrap_or(0),
    );
}

/// One conflict in every few transactions, as AWS has them and the engine has not.
fn disturb(wire: &Wire) {
    let mut count = 0_u32;
    wire.disturb(move |operation| {
        count += u32::from(operation == "TransactWriteItems");
        (operation == "TransactWriteItems" && count.is_multiple_of(5)).then_some(Fault::Conflict)
    });
}

async fn one_balance() {
    let (ledger, wire) = Engine::start().ledger();
    offer(&ledger, reward("mug", RewardKind::Goods, 100, 4), PIECES).await;
    at_once(&ledger, vec![order("o0", "m0", 10_000, 0)]).await;
    disturb(&wire);
    wire.usage();

    let requests = (0..200).map(|it| redeem(&format!("k{it}"), "m0", "mug", 1));
    let measured = at_once(&ledger, requests.collect()).await;

    print("100 points from a balance of 100", &measured, &wire.usage());
    assert_eq!(measured.sold, 1);
}

async fn a_drop(kind: RewardKind, what: &str) {
    let (ledger, wire) = Engine::start().ledger();
    let stock = Stock::of_about(&kind, PIECES);
    let spec = RewardSpec { stock, ..reward("drop", kind, 100, 1) };
    let reward = offer(&ledger, spec, PIECES).await;
    let orders = (0..MEMBERS).map(|it| order(&format!("o{it}"), &format!("m{it}"), 10_000, 0));
    at_once(&ledger, orders.collect()).await;
    disturb(&wire);
    wire.usage();

    let requests = (0..MEMBERS).map(|it| redeem("k", &format!("m{it}"), "drop", 1));
    let measured = at_once(&ledger, requests.collect()).await;

    print(what, &measured, &wire.usage());
    assert_eq!(measured.sold, PIECES);
    assert_eq!(ledger.remaining(&reward).await.unwrap(), Some(0));
}

fn main() {
    println!("| what | requests | sold | took | a second | median | p95 | transactions |");
    println!("|---|---|---|---|---|---|---|---|");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        one_balance().await;
        a_drop(RewardKind::Goods, "a drop of 1,000 mugs").await;
        a_drop(RewardKind::Collectible, "a drop of 1,000 numbered pieces").await;
    });
}
