//! The real year through DynamoDB, disturbed: every account is the one that the ledger in memory has.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use jiff::Timestamp;
use loyalty_contracts::parse;
use loyalty_domain::{
    command::{Command, Request},
    id::{ClientId, RequestKey},
    points::Points,
};
use loyalty_ledger::{
    Answered, Attempts, Ledger, LedgerError, Reading, execute, memory::MemoryLedger,
};
use loyalty_tests_dynamodb::{Engine, Fault};
use loyalty_tests_simulate::{Random, program_of_the_year, scratch, year_as_events};

/// The year's events, as an importer sends them.
fn requests(test: &str) -> Vec<Request> {
    let events = year_as_events(&scratch(test));
    events.lines().map(|it| parse(it.as_bytes(), Timestamp::MAX).unwrap()).collect()
}

/// A request that reads an account.
fn look(member_id: &loyalty_domain::id::MemberId) -> Request {
    Request::spend(
        ClientId::try_from("look").unwrap(),
        RequestKey::try_from("look").unwrap(),
        member_id.clone(),
        Timestamp::UNIX_EPOCH,
        Points::ZERO,
    )
}

async fn in_memory(requests: &[Request]) -> MemoryLedger {
    let ledger = MemoryLedger::default();
    for request in requests {
        execute(&ledger, &program_of_the_year(), &mut Attempts(1), request).await.unwrap();
    }
    ledger
}

#[tokio::test]
async fn the_year_twice_shuffled_and_disturbed_gives_the_same_accounts() {
    let requests = requests("dynamodb-disturbed");
    let expected = in_memory(&requests).await;
    // Every event twice, within a window of 50; refunds follow their orders, as events of one member.
    let mut random = Random::new(0x9e37_79b9_7f4a_7c15);
    let mut deliveries: Vec<(usize, &Request)> = Vec::with_capacity(requests.len() * 2);
    for (place, request) in requests.iter().enumerate() {
        deliveries.extend([(place, request), (place + random.below(50), request)]);
    }
    deliveries.sort_by_key(|(place, _)| *place);
    let engine = Engine::start();
    let (ledger, wire) = engine.ledger();
    let mut injected = Random::new(42);
    wire.disturb(move |operation| match injected.below(40) {
        0 => Some(Fault::Throttled),
        1 | 2 if operation != "BatchGetItem" && operation != "Query" => Some(Fault::Conflict),
        3 => Some(Fault::LostReply),
        4..=7 if operation == "BatchGetItem" => Some(Fault::Stale),
        _ => None,
    });

    let program = program_of_the_year();
    let (mut now, mut failures) = (0, 0);
    for (_, request) in deliveries {
        // As a queue does: whatever failed is delivered again.
        for _ in 0..20 {
            match execute(&ledger, &program, &mut Attempts(5), request).await {
                Ok(Answered::Now(_)) => now += 1,
                Ok(Answered::Before(_)) => (),
                Ok(
                    answered @ (Answered::Declined(_)
                    | Answered::Idle
                    | Answered::Reused(_)
                    | Answered::Taken(_)),
                ) => panic!("{answered:?}"),
                Err(error) => {
                    assert!(error.is_transient(), "{error:?}");
                    assert!(!matches!(error, LedgerError::Contended { .. }), "{error:?}");
                    failures += 1;
                    continue;
                }
            }
            break;
        }
    }
    wire.disturb(|_| None);

    assert!(failures > 500, "only {failures} deliveries were disturbed");
    // What was done although its reply was lost is not answered as done now.
    assert!(now > requests.len() * 9 / 10 && now <= requests.len(), "{now}");
    let mut accounts = 0;
    for (member_id, account) in expected.accounts() {
        let loaded = ledger.load(&look(&member_id), Reading::Newest).await.unwrap();
        assert!(
            loaded.known.account == account,
            "{member_id}: {:#?}\n{account:#?}",
            loaded.known.account
        );
        accounts += 1;
    }
    assert_eq!(accounts, 1_476);
}

#[tokio::test]
async fn the_year_costs_at_most_5_write_units_an_order_on_average() {
    let requests = requests("dynamodb-capacity");
    let engine = Engine::start();
    let (ledger, wire) = engine.ledger();
    let program = program_of_the_year();

    let mut orders: BTreeMap<u64, u64> = BTreeMap::new();
    let mut refunds: BTreeMap<u64, u64> = BTreeMap::new();
    for request in &requests {
        execute(&ledger, &program, &mut Attempts(1), request).await.unwrap();
        let units = wire.usage().write_units;
        let is_order = matches!(request.command, Command::PayOrder(_));
        let histogram = if is_order { &mut orders } else { &mut refunds };
        *histogram.entry(units).or_default() += 1;
    }

    for (what, histogram) in [("orders", &orders), ("refunds", &refunds)] {
        let number: u64 = histogram.values().sum();
        let units: u64 = histogram.iter().map(|(units, times)| units * times).sum();
        let hundredths = (units * 100 + number / 2) / number;
        let (whole, rest) = (hundredths / 100, hundredths % 100);
        println!("{number} {what}, {units} write units, {whole}.{rest:02} on average");
        for (units, times) in histogram {
            println!("  {units:>4} write units: {times:>5}");
        }
    }
    let units: u64 = orders.iter().map(|(units, times)| units * times).sum();
    assert!(units <= 5 * 6_369, "{units} write units for 6,369 orders: {orders:?}");
}
