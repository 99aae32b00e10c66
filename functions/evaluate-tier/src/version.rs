//! By which version of the program everybody is measured, and from when on.

use jiff::{Timestamp, ToSpan};
use loyalty_domain::{
    points::OutOfRange,
    program::{Program, in_force},
};
use loyalty_runtime::{batch::Failure, dead_letter::Reason};

/// How far our own machines' clocks may be apart.
const SKEW_M: i64 = 5;

/// What is to be done for a version.
#[derive(Debug)]
pub(crate) enum Turn<'a> {
    /// Everybody is measured by it.
    Measure {
        /// The version.
        program: &'a Program,
        /// The first instant of its first day.
        at: Timestamp,
    },
    /// Nothing.
    Nothing {
        /// Its number.
        version: u32,
        /// Why not, in a word.
        because: &'static str,
    },
}

/// What is to be done at `now` for the version that is `named`, or else for the one in force.
///
/// A version that is in force no more measures nobody: the one that is has a sweep of its own, and a page of
/// the older one that came late would undo what that did.
pub(crate) fn turn(
    programs: &[Program],
    named: Option<u32>,
    now: Timestamp,
) -> Result<Turn<'_>, Failure> {
    let number = |it: &Program| it.spec().version;
    // Never empty; were it, trying again would be right.
    let current =
        in_force(programs, now).ok_or_else(|| Failure::Again("there is no program".into()))?;
    let version = named.unwrap_or_else(|| number(current));
    if version < number(current) {
        return Ok(Turn::Nothing { version, because: "overtaken" });
    }
    let Some(program) = programs.iter().find(|it| number(it) == version) else {
        // Whoever sent this may have read the versions after us.
        return Err(Failure::Again("the version is not known yet".into()));
    };
    if programs.iter().all(|it| version <= number(it)) {
        // Everybody has been measured by it from the beginning.
        return Ok(Turn::Nothing { version, because: "the oldest" });
    }
    let at = program.calendar().midnight(program.spec().effective);
    let at = at.map_err(|OutOfRange| not_begun(version))?;
    if now < at {
        // One machine's clock may be a moment behind another's; a day later on, somebody made it up.
        let is_near = now.checked_add(SKEW_M.minutes()).is_ok_and(|it| at <= it);
        return Err(if is_near {
            Failure::Again("the version is about to be in force".into())
        } else {
            not_begun(version)
        });
    }
    Ok(Turn::Measure { program, at })
}

/// Nobody is measured by what is still to come, nor is a clock moved by asking for it.
fn not_begun(version: u32) -> Failure {
    let detail = format!("version {version} of the program is not in force yet");
    Failure::Hopeless(Reason { name: "not_begun", detail })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn program(version: u32, effective: &str) -> Program {
        serde_json::from_value(json!({
            "name": "Sweeps", "version": version, "effective": effective, "currency": "EUR",
            "time_zone": "Asia/Tokyo", "earning": {"points_per_unit": "1", "expiry_months": 12},
            "tiers": {"levels": [{"id": "base", "name": "Base"}]},
        }))
        .unwrap()
    }

    #[track_caller]
    fn check(versions: &[(u32, &str)], named: Option<u32>, now: &str, expected: &str) {
        let programs: Vec<Program> = versions.iter().map(|(it, day)| program(*it, day)).collect();
        let found = match turn(&programs, named, now.parse().unwrap()) {
            Ok(Turn::Measure { program, at }) => format!("{} from {at}", program.spec().version),
            Ok(Turn::Nothing { version, because }) => format!("{version} is {because}"),
            Err(Failure::Hopeless(reason)) => reason.name.to_owned(),
            Err(Failure::Again(error)) => error.to_string(),
        };
        assert_eq!(found, expected, "{versions:?}, {named:?}, {now}");
    }

    const THREE: [(u32, &str); 3] = [(1, "2026-01-01"), (2, "2026-07-01"), (5, "2026-08-01")];

    #[test]
    fn everybody_is_measured_by_the_version_in_force_from_its_first_instant_on() {
        // The day begins in Tokyo while it is yesterday in Greenwich.
        check(&THREE, None, "2026-06-30T15:00:00Z", "2 from 2026-06-30T15:00:00Z");
        check(&THREE, Some(2), "2026-07-20T00:00:00Z", "2 from 2026-06-30T15:00:00Z");
        check(&THREE, None, "2027-01-01T00:00:00Z", "5 from 2026-07-31T15:00:00Z");
    }

    #[test]
    fn nobody_is_measured_by_the_first_version_nor_by_one_that_is_in_force_no_more() {
        check(&THREE, None, "2026-06-30T14:59:59Z", "1 is the oldest");
        check(&THREE, Some(1), "2026-06-01T00:00:00Z", "1 is the oldest");
        check(&THREE[..1], None, "2026-06-01T00:00:00Z", "1 is the oldest");
        check(&THREE, Some(1), "2026-07-20T00:00:00Z", "1 is overtaken");
        check(&THREE, Some(2), "2026-07-31T15:00:00Z", "2 is overtaken");
        // Whether or not it was ever published.
        check(&THREE, Some(4), "2026-08-02T00:00:00Z", "4 is overtaken");
    }

    #[test]
    fn what_is_not_in_force_yet_or_not_known_measures_nobody() {
        check(&THREE, Some(2), "2026-06-30T14:54:59Z", "not_begun");
        let near = "the version is about to be in force";
        check(&THREE, Some(2), "2026-06-30T14:55:00Z", near);
        check(&THREE, Some(6), "2026-08-02T00:00:00Z", "the version is not known yet");
        check(&[], None, "2026-08-02T00:00:00Z", "there is no program");
    }
}
