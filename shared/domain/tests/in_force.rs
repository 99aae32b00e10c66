//! Which version of a program decides.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use loyalty_domain::program::{Program, ProgramSpec, in_force};

fn version(version: u32, effective: &str) -> Program {
    let spec: ProgramSpec = serde_json::from_value(serde_json::json!({
        "name": "Versions", "version": version, "effective": effective, "currency": "EUR",
        "time_zone": "Europe/Berlin", "earning": {"points_per_unit": "1", "expiry_months": 12},
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
