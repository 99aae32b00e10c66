//! Which version of a program decides.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use loyalty_domain::program::{Program, ProgramSpec, in_force, in_succession};

fn version(version: u32, effective: &str) -> Program {
    version_with(version, effective, "fixed")
}

fn version_with(version: u32, effective: &str, expiry: &str) -> Program {
    let spec: ProgramSpec = serde_json::from_value(serde_json::json!({
        "name": "Versions", "version": version, "effective": effective, "currency": "EUR",
        "time_zone": "Europe/Berlin", "earning": {"points_per_unit": "1", "expiry_months": 12, "expiry": expiry},
        "tiers": {"levels": [{"id": "base", "name": "Base"}]},
    }))
    .unwrap();
    spec.try_into().unwrap()
}

#[track_caller]
fn check(at: &str, expected: u32) {
    // In no order, and the third came into force before the second.
    let programs = [version(2, "2026-06-01"), version(1, "2026-01-01"), version(3, "2026-05-01")];
    let found = in_force(&programs, at.parse().unwrap()).unwrap();
    assert_eq!(found.spec().version, expected, "at {at}");
}

#[test]
fn the_newest_version_whose_first_business_day_has_begun_decides() {
    check("2026-01-01T12:00:00Z", 1);
    // A business day begins at midnight in Berlin.
    check("2026-04-30T21:59:59Z", 1);
    check("2026-04-30T22:00:00Z", 3);
    check("2026-06-02T00:00:00Z", 3);
}

#[test]
fn before_all_versions_the_oldest_decides_and_without_any_none() {
    check("2010-01-01T00:00:00Z", 1);
    assert_eq!(in_force(&[], "2026-01-01T00:00:00Z".parse().unwrap()), None);
}

/// What each of the `versions` has promised, by their numbers, when they are told of each other.
#[track_caller]
fn check_promises(versions: &[(&str, &str)], expected: &[&str]) {
    let programs = (1..).zip(versions).map(|(it, (day, expiry))| version_with(it, day, expiry));
    // The order in which they were read does not matter.
    let mut programs = in_succession(programs.collect::<Vec<_>>().into_iter().rev().collect());
    programs.sort_by_key(|it| it.spec().version);
    let promises = programs.iter().map(|it| {
        let promises = it.promises().iter().map(|it| format!("{} {}", it.from, it.through));
        promises.collect::<Vec<_>>().join(", ")
    });
    assert_eq!(promises.collect::<Vec<_>>(), expected, "{versions:?}");
}

#[test]
fn points_begin_to_slide_where_a_sliding_version_follows_another_kind_or_none() {
    let (first, second) = ("2023-03-01 2024-03-01", "2024-02-29 2025-02-28");

    check_promises(&[("2023-03-01", "sliding")], &[first]);
    check_promises(
        &[("2023-01-01", "fixed"), ("2023-03-01", "sliding"), ("2023-06-01", "sliding")],
        &["", first, first],
    );
    check_promises(
        &[("2023-03-01", "sliding"), ("2023-06-01", "fixed"), ("2024-02-29", "sliding")],
        &[first, first, &format!("{first}, {second}")],
    );
    // The second version was never in force.
    check_promises(
        &[("2023-01-01", "fixed"), ("2023-06-01", "sliding"), ("2023-05-01", "fixed")],
        &["", "", ""],
    );
}

#[test]
fn a_program_by_itself_promises_what_it_would_as_the_only_one() {
    let alone = version_with(1, "2023-03-01", "sliding");

    assert_eq!(in_succession(vec![alone.clone()]), [alone]);
    assert_eq!(version(1, "2023-03-01").promises(), []);
}
