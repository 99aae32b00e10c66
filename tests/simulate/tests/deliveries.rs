//! The real year, delivered otherwise: the accounts are the same.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::{
    collections::{HashMap, VecDeque},
    fs,
    path::Path,
    sync::LazyLock,
};

use loyalty_tests_simulate::{loyalty, repository, scratch, succeed, year_as_events};
use proptest::prelude::*;
use serde_json::Value;

/// The accounts that `events` lead to, in the order of their arrival.
fn accounts<'a>(folder: &Path, events: impl IntoIterator<Item = &'a Value>) -> (String, String) {
    let lines: Vec<String> = events.into_iter().map(Value::to_string).collect();
    fs::write(folder.join("delivered.jsonl"), lines.join("\n")).unwrap();
    let mut command = loyalty();
    command
        .arg("simulate")
        .args(["--events".into(), folder.join("delivered.jsonl")])
        .args(["--program".into(), repository("infra/programs/retail-a.toml")])
        .args(["--as-of", "2011-12-10"])
        .args(["--members-out".into(), folder.join("members.csv")]);
    let report = succeed(&mut command);
    (fs::read_to_string(folder.join("members.csv")).unwrap(), report)
}

fn expected() -> String {
    fs::read_to_string(repository("tests/data/expected-a.csv")).unwrap()
}

/// Whose each event is: a refund's is its order's.
fn owners(events: &[Value]) -> Vec<String> {
    let mut by_order = HashMap::new();
    for event in events {
        if let Some(member) = event["member_id"].as_str() {
            by_order.insert(event["order_id"].as_str().unwrap(), member.to_owned());
        }
    }
    events.iter().map(|it| by_order[it["order_id"].as_str().unwrap()].clone()).collect()
}

#[test]
fn the_year_as_events_gives_the_expected_accounts() {
    let (accounts, report) = accounts(&scratch("as-events"), YEAR.iter());

    assert!(accounts == expected(), "an account is not what it must be");
    assert!(report.contains("Import of 7,784 events"), "{report}");
}

/// The events of the real year.
static YEAR: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let events = year_as_events(&scratch("year-as-events"));
    events.lines().map(|it| serde_json::from_str(it).unwrap()).collect()
});

proptest! {
    // Each case is the whole year; what is shrunk of it would say no more than which account differs.
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 0, ..ProptestConfig::default() })]

    #[test]
    fn every_event_twice_and_shuffled_between_members_gives_the_expected_accounts(
        turns in Just(owners(&YEAR)).prop_shuffle(),
        distances in prop::collection::vec(0..8_000_usize, YEAR.len()),
    ) {
        let mut queues: HashMap<String, VecDeque<&Value>> = HashMap::new();
        for (event, owner) in YEAR.iter().zip(owners(&YEAR)) {
            queues.entry(owner).or_default().push_back(event);
        }
        let mut delivered: Vec<(usize, &Value)> = Vec::with_capacity(2 * YEAR.len());
        for (place, (turn, distance)) in turns.iter().zip(distances).enumerate() {
            let event = queues.get_mut(turn).unwrap().pop_front().unwrap();
            delivered.extend([(place, event), (place + distance, event)]);
        }
        // Stable, so that no repeat comes before its event.
        delivered.sort_by_key(|(place, _)| *place);

        let folder = scratch("twice-and-shuffled");
        let (accounts, report) = accounts(&folder, delivered.into_iter().map(|(_, event)| event));

        prop_assert!(accounts == expected(), "an account is not what it must be");
        prop_assert!(report.contains("7,784 repeated, which changes nothing"), "{}", report);
    }
}

#[test]
fn refunds_that_come_first_take_effect_at_the_instant_of_their_order() {
    let folder = scratch("refunds-first");
    let (orders, mut refunds): (Vec<Value>, Vec<Value>) =
        YEAR.iter().cloned().partition(|it| it["type"] == "order.paid");
    let paid_at: HashMap<&str, &Value> =
        orders.iter().map(|it| (it["order_id"].as_str().unwrap(), &it["paid_at"])).collect();
    for refund in &mut refunds {
        let at = paid_at[refund["order_id"].as_str().unwrap()].clone();
        refund["refunded_at"] = at;
    }
    let mut of_order: HashMap<&str, Vec<&Value>> = HashMap::new();
    for refund in &refunds {
        of_order.entry(refund["order_id"].as_str().unwrap()).or_default().push(refund);
    }
    let right_after = orders.iter().flat_map(|order| {
        let refunds = of_order.get(order["order_id"].as_str().unwrap());
        std::iter::once(order).chain(refunds.into_iter().flatten().copied())
    });

    let (after, _) = accounts(&folder, right_after);
    let (first, report) = accounts(&folder, refunds.iter().chain(&orders));
    let (first_and_twice, _) =
        accounts(&folder, refunds.iter().chain(&refunds).chain(&orders).chain(&refunds));

    assert!(refunds.len() > 1_000, "the year has refunds");
    assert!(first == after, "it makes a difference that refunds came first");
    assert!(first_and_twice == after, "it makes a difference that refunds came first and twice");
    assert!(report.contains("came before their order, and waited for it"), "{report}");
}
