//! Hot rewards: many ask at once, exactly as many get one as there are, and nobody sees a conflict.
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it waits for")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use loyalty_domain::{
    command::Request,
    decide::Rejection,
    id::RedemptionStep,
    redemption::Taken,
    reward::{CodeSource, Reward, RewardKind, RewardSpec, Stock, Unique},
};
use loyalty_dynamodb::DynamoDbLedger;
use loyalty_ledger::{
    Answer, Answered, Attempts, Entry, Ledger as _, Reading, catalogue::Catalogue as _, execute,
};
use loyalty_tests_dynamodb::{Engine, Fault, Wire};
use loyalty_tests_ledger::{
    order, program,
    rewards::{code, editor, issued, offer, redeem, refusal, reward, step},
    spend,
};
use tokio::task::JoinSet;

/// How many requests are under way at once.
const AT_ONCE: usize = 256;

/// What every request was answered, many of them under way at once. None fails: a client that saw a conflict
/// would be a test that panicked.
async fn at_once(ledger: &DynamoDbLedger, requests: Vec<Request>) -> Vec<Arc<Entry>> {
    let waiting = Arc::new(Mutex::new(requests));
    let mut running = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (ledger, waiting) = (ledger.clone(), Arc::clone(&waiting));
        running.spawn(async move {
            let program = program();
            let mut answers = Vec::new();
            loop {
                let next = waiting.lock().unwrap().pop();
                let Some(request) = next else { return answers };
                // As many attempts as there may be others, since each race is lost to somebody who won it.
                let answered = execute(&ledger, &program, &mut Attempts(1_000), &request).await;
                match answered.unwrap() {
                    Answered::Now(entry) => answers.push(entry),
                    other => panic!("not answered now: {other:?}"),
                }
            }
        });
    }
    running.join_all().await.into_iter().flatten().collect()
}

/// Members `m0` to `m<count>` with 100 points each.
async fn members(ledger: &DynamoDbLedger, count: usize) {
    let orders = (0..count).map(|it| order(&format!("o{it}"), &format!("m{it}"), 10_000, 0));
    at_once(ledger, orders.collect()).await;
}

/// One conflict in every few transactions, as AWS has them and the engine has not.
fn disturb(wire: &Wire) {
    let mut count = 0_u32;
    wire.disturb(move |operation| {
        count += u32::from(operation == "TransactWriteItems");
        (operation == "TransactWriteItems" && count.is_multiple_of(5)).then_some(Fault::Conflict)
    });
}

fn refusals(entries: &[Arc<Entry>]) -> Vec<Rejection> {
    let refused = entries.iter().filter(|it| matches!(it.answer, Answer::Refused(_)));
    refused.map(|it| refusal(Answered::Now(Arc::clone(it)))).collect()
}

fn winners(entries: &[Arc<Entry>]) -> Vec<&Arc<Entry>> {
    entries.iter().filter(|it| matches!(it.answer, Answer::Accepted(_))).collect()
}

async fn available(ledger: &DynamoDbLedger, member_id: &str) -> u64 {
    let loaded = ledger.load(&spend("look", member_id, 1, 0), Reading::Newest).await.unwrap();
    loaded.known.account.available().unwrap().get()
}

#[tokio::test]
async fn two_hundred_redemptions_of_100_points_at_once_from_100_are_one() {
    let (ledger, wire) = Engine::start().ledger();
    let spec = reward("mug", RewardKind::Goods, 100, 4);
    let mug = offer(&ledger, spec, 1_000).await;
    members(&ledger, 1).await;
    disturb(&wire);

    let requests = (0..200).map(|it| redeem(&format!("k{it}"), "m0", "mug", 1)).collect();
    let answers = at_once(&ledger, requests).await;

    assert_eq!(winners(&answers).len(), 1);
    let refused = refusals(&answers);
    assert_eq!(refused.len(), 199);
    let is_short = |it: &Rejection| matches!(it, Rejection::InsufficientPoints { .. });
    assert!(refused.iter().all(is_short), "{refused:?}");
    assert_eq!(available(&ledger, "m0").await, 0);
    assert_eq!(ledger.remaining(&mug).await.unwrap(), Some(999));
}

/// A drop of `pieces` asked for by `members_count` members at once, with conflicts.
async fn drop_of(spec: RewardSpec, pieces: u64, members_count: usize) -> (Reward, Vec<Arc<Entry>>) {
    let (ledger, wire) = Engine::start().ledger();
    let is_uploaded = spec.kind == RewardKind::Coupon { codes: CodeSource::Uploaded };
    let reward = offer(&ledger, spec, if is_uploaded { 0 } else { pieces }).await;
    if is_uploaded {
        let codes: Vec<_> = (0..u32::try_from(pieces).unwrap()).map(code).collect();
        ledger.add_codes(&reward, &codes, &editor(), &mut Attempts(16)).await.unwrap();
    }
    members(&ledger, members_count).await;
    disturb(&wire);

    let id = reward.spec().id.as_str();
    let requests = (0..members_count).map(|it| redeem("k", &format!("m{it}"), id, 1)).collect();
    let answers = at_once(&ledger, requests).await;

    assert_eq!(u64::try_from(winners(&answers).len()).unwrap(), pieces);
    let refused = refusals(&answers);
    assert!(refused.iter().all(|it| *it == Rejection::SoldOut), "{refused:?}");
    assert_eq!(ledger.remaining(&reward).await.unwrap(), Some(0));
    (reward, answers)
}

#[tokio::test]
async fn a_drop_sells_exactly_what_there_is_from_all_its_shards() {
    let stock = Stock::of_about(&RewardKind::Goods, 200);
    let spec = RewardSpec { stock, ..reward("mug", RewardKind::Goods, 100, 1) };

    let (_, answers) = drop_of(spec, 200, 2_000).await;

    let mut sold: BTreeMap<u16, u32> = BTreeMap::new();
    for entry in winners(&answers) {
        let Taken::Shard(shard) = issued(entry).taken else { panic!("{entry:?}") };
        *sold.entry(shard).or_default() += 1;
    }
    assert_eq!(sold, (0..8).map(|it| (it, 25)).collect());
}

#[tokio::test]
async fn a_drop_of_collectibles_gives_every_serial_number_once() {
    let kind = RewardKind::Collectible;
    let stock = Stock::of_about(&kind, 200);
    let spec = RewardSpec { stock, ..reward("badge", kind, 100, 1) };

    let (_, answers) = drop_of(spec, 200, 800).await;

    let serials: BTreeSet<u64> = winners(&answers)
        .iter()
        .filter_map(|it| match issued(it).unique {
            Some(Unique::Serial(serial)) => Some(serial),
            _ => None,
        })
        .collect();
    assert_eq!(serials, (1..=200).collect());
}

#[tokio::test]
async fn a_drop_of_uploaded_codes_gives_every_code_once() {
    let kind = RewardKind::Coupon { codes: CodeSource::Uploaded };
    let stock = Stock::of_about(&kind, 150);
    let spec = RewardSpec { stock, ..reward("coupon", kind, 100, 1) };

    let (_, answers) = drop_of(spec, 150, 600).await;

    let codes: BTreeSet<_> = winners(&answers)
        .iter()
        .filter_map(|it| match &issued(it).unique {
            Some(Unique::Code(code)) => Some(code.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(codes, (0..150).map(code).collect());
}

#[tokio::test]
async fn what_is_sold_out_is_said_with_one_write_of_one_item() {
    let (ledger, wire) = Engine::start().ledger();
    offer(&ledger, reward("mug", RewardKind::Goods, 100, 8), 1).await;
    members(&ledger, 3).await;
    at_once(&ledger, vec![redeem("k", "m0", "mug", 1)]).await;
    wire.usage();

    let answers = at_once(&ledger, vec![redeem("k", "m1", "mug", 1)]).await;

    let usage = wire.usage();
    assert_eq!(refusals(&answers), [Rejection::SoldOut]);
    assert_eq!(usage.write_units, 1, "{usage:?}");
    // Cheaply at first, and then all parts of the stock, surely.
    let requests = [("BatchGetItem".to_owned(), 2), ("PutItem".to_owned(), 1)];
    assert_eq!(usage.requests, requests.into());
}

#[tokio::test]
async fn two_steps_at_once_are_one_and_the_other_is_told_where_it_stands() {
    let (ledger, wire) = Engine::start().ledger();
    let mug = offer(&ledger, reward("mug", RewardKind::Goods, 30, 2), 10).await;
    members(&ledger, 20).await;
    let requests = (0..20).map(|it| redeem("k", &format!("m{it}"), "mug", 1));
    let answers = at_once(&ledger, requests.take(10).collect()).await;
    disturb(&wire);

    let mut running = JoinSet::new();
    for entry in answers {
        let redemption = issued(&entry).redemption;
        let member_id = entry.member_id.as_ref().unwrap().as_str().to_owned();
        for how in [RedemptionStep::Fulfill, RedemptionStep::Cancel] {
            let (ledger, request) = (ledger.clone(), step(redemption, &member_id, how, 2));
            running.spawn(async move {
                execute(&ledger, &program(), &mut Attempts(100), &request).await.unwrap()
            });
        }
    }
    let answered = running.join_all().await;

    let now = answered.iter().filter(|it| matches!(it, Answered::Now(_))).count();
    assert_eq!(now, 10);
    let declined = answered.into_iter().filter(|it| !matches!(it, Answered::Now(_)));
    for rejection in declined.map(refusal) {
        assert!(matches!(rejection, Rejection::RedemptionIs { .. }), "{rejection:?}");
    }
    let mut cancelled = 0;
    for number in 0..10 {
        cancelled += u64::from(available(&ledger, &format!("m{number}")).await == 100);
    }
    assert_eq!(ledger.remaining(&mug).await.unwrap(), Some(cancelled));
}
