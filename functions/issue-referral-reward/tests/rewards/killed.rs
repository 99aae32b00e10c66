//! Killed at every await in turn: both are rewarded exactly once, and nobody is forgotten.

use std::sync::atomic::Ordering;

use serde_json::json;

use crate::common::Shop;

/// Lets the messages of a shop be handled once for each await that there is, killed there, and compares. Says how
/// often.
fn check(name: &str, made: impl Fn() -> Shop) -> String {
    let outcome = |shop: &Shop| {
        (
            shop.store.memory.accounts(),
            shop.store.memory.entries(),
            shop.rows.0.lock().unwrap().clone(),
        )
    };
    let expected = made();
    let awaits = expected.run_killed(usize::MAX);
    let expected = outcome(&expected);

    let mut repeated = 0;
    for kill_at in 1..=awaits {
        let shop = made();
        shop.run_killed(kill_at);

        let seen = outcome(&shop);
        assert_eq!(seen.0, expected.0, "{name}: killed at await {kill_at}");
        assert_eq!(seen.2, expected.2, "{name}: killed at await {kill_at}");
        assert_eq!(seen.1.len(), expected.1.len(), "{name}: killed at await {kill_at}");
        assert_eq!(*shop.given_up.lock().unwrap(), [""; 0], "await {kill_at}");
        repeated += shop.counted("Repeated");
    }
    assert!(awaits > 5 && repeated > 0, "{awaits} awaits, {repeated} repeats");
    format!("{name}: killed at each of {awaits} awaits; {repeated} were asked for again")
}

#[test]
fn a_friend_and_a_referrer_are_rewarded_once_wherever_it_is_killed() {
    println!("{}", check("one friend", || Shop::of(&json!({}), &["bert"])));
}

#[test]
fn reads_that_fail_at_first_change_nothing_of_it() {
    let report = check("failures", || {
        let shop = Shop::of(&json!({}), &["bert"]);
        shop.store.reads_down.store(2, Ordering::Relaxed);
        shop
    });
    println!("{report}");
}

#[test]
fn two_friends_of_whom_one_is_refused_are_answered_once_each() {
    let report = check("one refused", || {
        let shop = Shop::of(&json!({}), &["bert", "cleo"]);
        shop.share(["anna", "cleo"]);
        shop
    });
    println!("{report}");
}
