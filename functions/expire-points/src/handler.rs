//! Tells one message from the other, and which day is over.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use jiff::{Timestamp, ToSpan, civil::Date};
use loyalty_contracts::{review::Review, work::Work};
use loyalty_domain::{
    points::OutOfRange,
    program::{Program, in_force},
};
use loyalty_ledger::{Ledger, due::DueWork, program::Programs};
use loyalty_runtime::{
    batch::{self, Failure, NoMessageId},
    clock::Deadline,
    dead_letter::{DeadLetters, Reason},
    metric::Metrics,
    program::CachedPrograms,
    queue::Queue,
};

/// How this function is called in metrics.
pub const FUNCTION: &str = "expire-points";

/// What the function needs to work.
#[derive(Debug)]
pub struct Door<L, P, Q, R, D> {
    /// Where points are kept.
    pub ledger: L,
    /// What the shop decided.
    pub programs: CachedPrograms<P>,
    /// Where work goes that is still to do.
    pub queue: Q,
    /// Where it is asked for all members to be measured by a new version of the program.
    pub reviews: R,
    /// Where messages go that can never succeed.
    pub dead_letters: D,
}

/// When and for how long a message is worked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shift<'a> {
    /// The id of the message's delivery.
    pub(crate) message_id: &'a str,
    /// The instant at which it was received.
    pub(crate) now: Timestamp,
    /// When work has to end.
    pub(crate) deadline: Deadline,
}

/// A day that has begun.
pub(crate) struct Begun<'a> {
    pub(crate) day: Date,
    /// Its first instant.
    pub(crate) at: Timestamp,
    /// The version of the program in force then, which decides what fell due until then.
    pub(crate) program: &'a Program,
}

impl<L: Ledger + DueWork, P: Programs, Q: Queue<Work>, R: Queue<Review>, D: DeadLetters>
    Door<L, P, Q, R, D>
{
    /// Does the work of the messages of `event`, received at `received_at`, and counts what became of it. What
    /// could not be done goes back to the queue, and only that.
    ///
    /// # Errors
    ///
    /// [`NoMessageId`]: the whole batch must come back.
    pub async fn handle(
        &self,
        event: SqsEvent,
        deadline: Deadline,
        received_at: Timestamp,
        metrics: &mut Metrics,
    ) -> Result<SqsBatchResponse, NoMessageId> {
        let work = async |message: &SqsMessage, metrics: &mut Metrics| {
            let message_id = message.message_id.as_deref().unwrap_or_default();
            let shift = Shift { message_id, now: received_at, deadline };
            let body = message.body.as_deref().unwrap_or_default();
            let work = Work::read(body.as_bytes()).map_err(|error| {
                Failure::Hopeless(Reason { name: error.name(), detail: error.to_string() })
            })?;
            match work {
                Work::Plan(plan) => self.plan(plan, shift, metrics).await,
                Work::Post(post) => self.post(post, shift, metrics).await,
            }
        };
        batch::handle(event, deadline, &self.dead_letters, metrics, work).await
    }
}

/// How far our own machines' clocks may be apart.
const SKEW_M: i64 = 5;

/// Which day is begun at `now` of `programs`: the one that is named, or the newest.
///
/// By the calendar of the version in force, never by that of the schedule: one that fires in another zone is
/// early for the next day and late for this one, and finds what is over.
pub(crate) fn begun(
    programs: &[Program],
    named: Option<Date>,
    now: Timestamp,
) -> Result<Begun<'_>, Failure> {
    // Never empty; were it, trying again would be right.
    let no_program = || Failure::Again("there is no program".into());
    let calendar = in_force(programs, now).ok_or_else(no_program)?.calendar();
    let day = named.unwrap_or_else(|| calendar.day_of(now));
    let at = calendar.midnight(day).map_err(|OutOfRange| not_begun(day))?;
    if now < at {
        // One machine's clock may be a moment behind another's; a day later on, somebody made it up.
        let is_near = now.checked_add(SKEW_M.minutes()).is_ok_and(|it| at <= it);
        return Err(if is_near {
            Failure::Again("the day is about to begin".into())
        } else {
            not_begun(day)
        });
    }
    let program = in_force(programs, at).ok_or_else(no_program)?;
    Ok(Begun { day, at, program })
}

/// What falls due on a day to come is not posted: it may still be used.
fn not_begun(day: Date) -> Failure {
    let detail = format!("{day} has not begun in the program's time zone");
    Failure::Hopeless(Reason { name: "not_begun", detail })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn program(time_zone: &str) -> Program {
        serde_json::from_value(json!({
            "name": "Nights", "version": 1, "effective": "2020-01-01", "currency": "EUR",
            "time_zone": time_zone, "earning": {"points_per_unit": "1", "expiry_months": 12},
            "tiers": {"levels": [{"id": "base", "name": "Base"}]},
        }))
        .unwrap()
    }

    #[track_caller]
    fn check(
        time_zone: &str,
        named: Option<&str>,
        now: &str,
        expected: Result<(&str, &str), &str>,
    ) {
        let programs = [program(time_zone)];
        let named = named.map(|it| it.parse().unwrap());
        let found = match begun(&programs, named, now.parse().unwrap()) {
            Ok(Begun { day, at, .. }) => Ok((day.to_string(), at.to_string())),
            Err(Failure::Hopeless(reason)) => Err(reason.name.to_owned()),
            Err(Failure::Again(error)) => Err(error.to_string()),
        };
        let expected = expected.map(|(day, at)| (day.to_owned(), at.to_owned()));
        assert_eq!(found, expected.map_err(ToOwned::to_owned), "{time_zone}, {now}");
    }

    #[test]
    fn a_night_is_of_the_day_that_has_begun_in_the_program_s_zone_wherever_the_schedule_is() {
        // 04:15 in London, in Tokyo and in Los Angeles.
        for now in ["2026-07-01T03:15:00Z", "2026-06-30T19:15:00Z", "2026-07-01T11:15:00Z"] {
            check("Asia/Tokyo", None, now, Ok(("2026-07-01", "2026-06-30T15:00:00Z")));
        }
        check("UTC", None, "2026-06-30T19:15:00Z", Ok(("2026-06-30", "2026-06-30T00:00:00Z")));
    }

    #[test]
    fn a_night_in_which_clocks_change_is_of_the_same_day() {
        // Put forward at 01:00 UTC, and back.
        check(
            "Europe/Berlin",
            None,
            "2026-03-29T03:15:00Z",
            Ok(("2026-03-29", "2026-03-28T23:00:00Z")),
        );
        check(
            "Europe/Berlin",
            None,
            "2026-10-25T03:15:00Z",
            Ok(("2026-10-25", "2026-10-24T22:00:00Z")),
        );
        // There was no 00:00 on this day, and there were two 23:30 on the day before that one.
        check(
            "America/Sao_Paulo",
            None,
            "2018-11-04T06:15:00Z",
            Ok(("2018-11-04", "2018-11-04T03:00:00Z")),
        );
        check(
            "America/Sao_Paulo",
            None,
            "2018-02-18T02:30:00Z",
            Ok(("2018-02-17", "2018-02-17T02:00:00Z")),
        );
        check("UTC", None, "2028-02-29T04:15:00Z", Ok(("2028-02-29", "2028-02-29T00:00:00Z")));
    }

    #[test]
    fn a_day_that_is_named_must_have_begun() {
        let now = "2026-06-30T23:54:59Z";
        check("UTC", Some("2026-06-01"), now, Ok(("2026-06-01", "2026-06-01T00:00:00Z")));
        check("UTC", Some("2026-06-30"), now, Ok(("2026-06-30", "2026-06-30T00:00:00Z")));
        check("UTC", Some("2026-07-01"), now, Err("not_begun"));
        check("UTC", Some("2026-07-01"), "2026-06-30T23:55:00Z", Err("the day is about to begin"));
        check("UTC", Some("9999-12-31"), now, Err("not_begun"));
    }

    #[test]
    fn the_version_in_force_when_the_day_began_decides() {
        let mut spec = program("UTC").spec().clone();
        spec.version = 2;
        spec.effective = "2026-07-01".parse().unwrap();
        let programs = [program("UTC"), spec.try_into().unwrap()];
        let now = "2026-07-02T04:15:00Z".parse().unwrap();
        let version = |day: &str| {
            let begun = begun(&programs, Some(day.parse().unwrap()), now).ok().unwrap();
            begun.program.spec().version
        };

        assert_eq!(
            (version("2026-06-30"), version("2026-07-01"), version("2026-07-02")),
            (1, 2, 2)
        );
    }
}
