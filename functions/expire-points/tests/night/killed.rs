//! Killed at every await in turn, planner and worker alike: nothing is lost, and nothing is there twice.

use std::time::Duration;

use loyalty_runtime::program::CachedPrograms;

use crate::common::{Night, Published, m, now};

/// Starts a night for each await that an undisturbed one has, kills it there, and compares. Says how often.
fn check(name: &str, made: impl Fn() -> Night) -> String {
    let expected = made();
    expected.queue.put(r#"{"type":"due.plan"}"#);
    let awaits = expected.run_killed(now(), usize::MAX);
    let outcome = expected.outcome();
    assert_eq!(*expected.queue.given_up.lock().unwrap(), [""; 0]);
    let asks = !expected.door.reviews.0.lock().unwrap().is_empty();

    let mut repeated = 0;
    for kill_at in 1..=awaits {
        let night = made();
        night.queue.put(r#"{"type":"due.plan"}"#);
        night.run_killed(now(), kill_at);

        assert!(night.outcome() == outcome, "{name}: killed at await {kill_at}");
        assert_eq!(*night.queue.given_up.lock().unwrap(), [""; 0], "await {kill_at}");
        // Twice is no harm.
        let asked = !night.door.reviews.0.lock().unwrap().is_empty();
        assert_eq!(asked, asks, "{name}: killed at await {kill_at}");
        repeated += night.counted("Repeated");
    }
    assert!(awaits > 100 && repeated > 0, "{awaits} awaits, {repeated} repeats");
    format!("{name}: killed at each of {awaits} awaits; {repeated} members were asked for again")
}

#[test]
fn a_night_of_two_pages_killed_anywhere_posts_everything_once() {
    let report = check("two pages", || Night::of(110));
    println!("{report}");
}

#[test]
fn a_night_with_shards_and_members_that_fail_at_first_killed_anywhere_posts_everything_once() {
    let report = check("failures", || {
        let night = Night::of(30);
        night.store.shards_down.lock().unwrap().extend([(0, 1), (3, 2)]);
        night.store.members_down.lock().unwrap().extend([(m(3), 1), (m(4), 2), (m(29), 1)]);
        night
    });
    println!("{report}");
}

#[test]
fn a_night_with_a_new_version_killed_anywhere_asks_for_its_sweep() {
    let report = check("a new version", || {
        let mut night = Night::of(30);
        let program = loyalty_tests_ledger::program();
        let mut newer = program.spec().clone();
        newer.version += 1;
        let published = Published(vec![program, newer.try_into().unwrap()]);
        night.door.programs = CachedPrograms::new(published, Duration::from_hours(1));
        night
    });
    println!("{report}");
}
