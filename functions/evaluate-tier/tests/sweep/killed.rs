//! Killed at every await in turn, walk and pages alike: nobody is left out, and nobody is measured twice.

use crate::common::{PLAN, Shop, m, now};

/// Starts a sweep for each await that an undisturbed one has, kills it there, and compares. Says how often.
fn check(name: &str, made: impl Fn() -> Shop) -> String {
    let expected = made();
    expected.queue.put(PLAN);
    let awaits = expected.run_killed(now(), usize::MAX);
    let outcome = expected.outcome();
    assert_eq!(*expected.queue.given_up.lock().unwrap(), [""; 0]);

    let mut repeated = 0;
    for kill_at in 1..=awaits {
        let shop = made();
        shop.queue.put(PLAN);
        shop.run_killed(now(), kill_at);

        assert!(shop.outcome() == outcome, "{name}: killed at await {kill_at}");
        assert_eq!(*shop.queue.given_up.lock().unwrap(), [""; 0], "await {kill_at}");
        repeated += shop.counted("Repeated");
    }
    assert!(awaits > 100 && repeated > 0, "{awaits} awaits, {repeated} repeats");
    format!("{name}: killed at each of {awaits} awaits; {repeated} members were asked for again")
}

#[test]
fn a_sweep_of_two_pages_killed_anywhere_measures_everybody_once() {
    let report = check("two pages", || Shop::of(120));
    println!("{report}");
}

#[test]
fn a_sweep_with_readings_and_members_that_fail_at_first_killed_anywhere_measures_everybody_once() {
    let report = check("failures", || {
        let shop = Shop::of(70);
        shop.store.walks_down.lock().unwrap().extend([1, 2]);
        shop.store.members_down.lock().unwrap().extend([(m(3), 1), (m(5), 2), (m(28), 1)]);
        shop
    });
    println!("{report}");
}
