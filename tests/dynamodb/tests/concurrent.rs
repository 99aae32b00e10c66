//! Many at once, really: requests interleave at every await, and each loses races that it decides again.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::sync::Arc;

use loyalty_domain::{command::Request, points::Points};
use loyalty_ledger::{Answer, Answered, Attempts, Entry, Ledger, Reading, execute};
use loyalty_tests_dynamodb::Engine;
use loyalty_tests_ledger::{order, program, refund, spend};
use tokio::task::JoinSet;

/// What every request was answered, all of them sent at once.
async fn at_once<L: Ledger + Clone + Send + 'static>(
    ledger: &L,
    requests: impl IntoIterator<Item = Request>,
) -> Vec<Answered> {
    let mut running = JoinSet::new();
    for request in requests {
        let ledger = ledger.clone();
        // As many attempts as there may be others, since each race is lost to somebody who won it.
        running.spawn(async move {
            execute(&ledger, &program(), &mut Attempts(200), &request).await.unwrap()
        });
    }
    running.join_all().await
}

fn entry(answered: &Answered) -> &Arc<Entry> {
    match answered {
        Answered::Now(entry) | Answered::Before(entry) | Answered::Reused(entry) => entry,
        Answered::Declined(_) | Answered::Idle | Answered::Taken(_) => {
            panic!("nothing was brought or measured: {answered:?}")
        }
    }
}

fn are_now(answered: &[Answered]) -> usize {
    answered.iter().filter(|it| matches!(it, Answered::Now(_))).count()
}

async fn available(ledger: &impl Ledger) -> u64 {
    let loaded = ledger.load(&spend("look", "m1", 1, 0), Reading::Newest).await.unwrap();
    loaded.known.account.available().unwrap().get()
}

#[tokio::test]
async fn forty_orders_of_one_member_at_once_are_all_counted_and_once() {
    let (ledger, _) = Engine::start().ledger();
    // Each of them twice.
    let orders = (0..80).map(|it| order(&format!("o{}", it / 2), "m1", 1_000, 0));

    let answered = at_once(&ledger, orders).await;

    assert_eq!(are_now(&answered), 40);
    let mut sequences: Vec<u64> = answered
        .iter()
        .filter(|it| matches!(it, Answered::Now(_)))
        .map(|it| entry(it).sequence.unwrap())
        .collect();
    sequences.sort_unstable();
    assert_eq!(sequences, (1..=40).collect::<Vec<_>>());
    // 40 orders of 10 points; silver is reached with the twentieth, and each of the others gets one more.
    assert_eq!(available(&ledger).await, 420);
}

#[tokio::test]
async fn refunds_of_one_order_at_once_never_take_more_than_it_earned() {
    let (ledger, _) = Engine::start().ledger();
    at_once(&ledger, [order("o1", "m1", 5_000, 0), order("o2", "m1", 3_000, 0)]).await;

    let answered =
        at_once(&ledger, (0..30).map(|it| refund("o1", &format!("r{it}"), 300, 1))).await;

    assert_eq!(are_now(&answered), 30);
    assert_eq!(available(&ledger).await, 30);
}

#[tokio::test]
async fn an_order_and_its_refunds_at_once_end_alike_whoever_comes_first() {
    let engine = Engine::start();
    for round in 0..20 {
        let (ledger, _) = engine.ledger();
        let mut requests: Vec<Request> =
            (0..6).map(|it| refund("o1", &format!("r{it}"), 500, 0)).collect();
        requests.insert(round % 7, order("o1", "m1", 5_000, 0));

        let answered = at_once(&ledger, requests).await;

        assert_eq!(are_now(&answered), 7, "round {round}");
        assert_eq!(available(&ledger).await, 20, "round {round}");
    }
}

#[tokio::test]
async fn two_hundred_uses_of_a_hundred_points_at_once_succeed_once() {
    let (ledger, _) = Engine::start().ledger();
    at_once(&ledger, [order("o1", "m1", 10_000, 0)]).await;

    let answered =
        at_once(&ledger, (0..200).map(|it| spend(&format!("k{it}"), "m1", 100, 1))).await;

    let accepted = answered
        .iter()
        .filter(|it| matches!(entry(it).answer, Answer::Accepted(_)))
        .map(|it| entry(it).balance.unwrap().available)
        .collect::<Vec<_>>();
    assert_eq!(accepted, [Points::ZERO]);
    assert_eq!(are_now(&answered), 200);
    assert_eq!(available(&ledger).await, 0);
}
