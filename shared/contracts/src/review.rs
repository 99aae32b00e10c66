//! What is to be done about levels, and what staff do to a member's points: the messages of our own queue
//! `tier-reviews`. The latter are here because they come from the same people, one member at a time.
//!
//! Our own functions and commands send them, and a shop's own systems may (docs/guides/levels.md). They come bare
//! and without a version, as those of [`work`](crate::work) do: a field may be added with a default and never be taken away.

use std::num::NonZeroU32;

use jiff::{Timestamp, civil::Date};
use loyalty_domain::{
    command::Request,
    id::{ActivityId, ClientId, LevelId, MemberId, ReasonCode, RequestKey, TaskId},
    points::Points,
    tier::{Override, OverrideKind},
};
#[cfg(feature = "schemas")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::error::Category;

#[cfg(feature = "schemas")]
use crate::schema;
use crate::{event::BODY_BYTES_MAX, json, order::AHEAD_MAX, work::MEMBERS_MAX};

/// How long a place may be at which a walk over all members goes on: more than any key of the store has.
pub const PLACE_BYTES_MAX: usize = 4_096;

/// A message of the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Review {
    /// An activity counts for the growth value.
    #[serde(rename = "growth.add")]
    Grow(AddGrowth),
    /// A task was done.
    #[serde(rename = "task.complete")]
    Complete(CompleteTask),
    /// Staff set a level.
    #[serde(rename = "level.override")]
    Override(OverrideLevel),
    /// Staff lift a level that was set.
    #[serde(rename = "level.lift")]
    Lift(LiftLevel),
    /// Staff let points last longer.
    #[serde(rename = "life.extend")]
    Extend(ExtendLife),
    /// Staff bring points back that expired.
    #[serde(rename = "points.reinstate")]
    Reinstate(ReinstatePoints),
    /// All members are to be found, since there is a new version of the program.
    #[serde(rename = "measure.plan")]
    Plan(PlanMeasuring),
    /// Members are to be measured by a new version of the program.
    #[serde(rename = "measure.members")]
    Measure(MeasureMembers),
}

/// An activity of a member counts for the growth value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct AddGrowth {
    /// Whose.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub member_id: MemberId,
    /// Which activity, unique within its member's. The same one counts once.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub activity_id: ActivityId,
    /// How much it counts.
    #[cfg_attr(feature = "schemas", schemars(range(max = 4_294_967_295_u32)))]
    pub growth: NonZeroU32,
    /// When it happened.
    #[serde(deserialize_with = "json::instant")]
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Instant"))]
    pub at: Timestamp,
}

/// A member did a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct CompleteTask {
    /// Who.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub member_id: MemberId,
    /// Which, as the program calls it. It is done once and for ever.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub task: TaskId,
    /// When it was done.
    #[serde(deserialize_with = "json::instant")]
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Instant"))]
    pub at: Timestamp,
}

/// In which way a level is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LevelKind {
    /// The member has at least this level.
    Courtesy,
    /// The member has at most this level.
    Violation,
}

/// Staff set a level of a member beside the one that is earned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct OverrideLevel {
    /// Whose.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub member_id: MemberId,
    /// The id of the level in the program.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub level: LevelId,
    /// In which way.
    pub kind: LevelKind,
    /// Its last day. `null`: until it is lifted. It must be said, since one that is misspelled would be none.
    #[serde(deserialize_with = "json::day_if_any")]
    #[cfg_attr(feature = "schemas", schemars(required, with = "Option<schema::Day>"))]
    pub through: Option<Date>,
    /// Why.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Reason"))]
    pub reason: ReasonCode,
    /// Who did it: an id, never a name.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub actor: ClientId,
    /// Under which the same actor repeats it.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub key: RequestKey,
    /// When.
    #[serde(deserialize_with = "json::instant")]
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Instant"))]
    pub at: Timestamp,
}

/// Staff lift a level of a member that was set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct LiftLevel {
    /// Whose.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub member_id: MemberId,
    /// Why.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Reason"))]
    pub reason: ReasonCode,
    /// Who did it: an id, never a name.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub actor: ClientId,
    /// Under which the same actor repeats it.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub key: RequestKey,
    /// When.
    #[serde(deserialize_with = "json::instant")]
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Instant"))]
    pub at: Timestamp,
}

/// Staff let all points of a member that are still good last longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct ExtendLife {
    /// Whose.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub member_id: MemberId,
    /// Through which day at least.
    #[serde(deserialize_with = "json::day")]
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Day"))]
    pub through: Date,
    /// Why.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Reason"))]
    pub reason: ReasonCode,
    /// Who did it: an id, never a name.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub actor: ClientId,
    /// Under which the same actor repeats it.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub key: RequestKey,
    /// When.
    #[serde(deserialize_with = "json::instant")]
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Instant"))]
    pub at: Timestamp,
}

/// Staff bring points of a member back that expired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct ReinstatePoints {
    /// Whose.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub member_id: MemberId,
    /// How many; never more than are gone.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub points: Points,
    /// The last day on which they can be used.
    #[serde(deserialize_with = "json::day")]
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Day"))]
    pub through: Date,
    /// Why.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Reason"))]
    pub reason: ReasonCode,
    /// Who did it: an id, never a name.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub actor: ClientId,
    /// Under which the same actor repeats it.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub key: RequestKey,
    /// When.
    #[serde(deserialize_with = "json::instant")]
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Instant"))]
    pub at: Timestamp,
}

/// All members are to be found, and put on the queue in pages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct PlanMeasuring {
    /// By which version of the program. Without it: the one in force when this is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// After which place, which only the store can read. Without it: from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schemas", schemars(length(max = 4096)))]
    pub after: Option<String>,
    /// Whether all are to be found although they were found before: what came into the ledger since then, such
    /// as a history, was decided by its own dates.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

/// Members are to be measured by a new version of the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct MeasureMembers {
    /// By which.
    pub version: u32,
    /// Who; at most [`MEMBERS_MAX`].
    #[cfg_attr(
        feature = "schemas",
        schemars(with = "Vec<schema::Id>", length(min = 1, max = 100))
    )]
    pub member_ids: Vec<MemberId>,
}

/// What a message asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A request to the domain about one member.
    One(Request),
    /// All members are to be found.
    Plan(PlanMeasuring),
    /// Members are to be measured.
    Measure(MeasureMembers),
}

/// A message says nothing that could be done.
///
/// None of these gets better when the same message is read again. Nothing in here was copied from the message,
/// which names members. Variants are in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// More than [`BODY_BYTES_MAX`] bytes.
    #[error("the message has more than {BODY_BYTES_MAX} bytes")]
    TooLarge,
    /// Another encoding, or no JSON.
    #[error("the message is not JSON: line {line}, column {column}")]
    NotJson {
        /// The line, counted from 1.
        line: usize,
        /// The last byte that was read of the line, counted from 1.
        column: usize,
    },
    /// JSON of something else.
    #[error("the message is no review of levels: see the schemas of growth.add to measure.members")]
    NotReview,
    /// More members than one message may name.
    #[error("`member_ids` must have at most {MEMBERS_MAX} members")]
    TooManyMembers,
    /// No place of ours is as long.
    #[error("`after` must have at most {PLACE_BYTES_MAX} bytes")]
    PlaceTooLong,
    /// Before 1970: mostly an instant that was never set.
    #[error("`at` must not be before 1970")]
    TooOld,
    /// Later than the clock of whoever received it allows.
    #[error("`at` must not be more than five minutes ahead of the receiver's clock")]
    TooFarAhead,
}

impl ReviewError {
    /// Its name, which never changes.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::NotJson { .. } => "not_json",
            Self::NotReview => "not_review",
            Self::TooManyMembers => "too_many_members",
            Self::PlaceTooLong => "place_too_long",
            Self::TooOld => "too_old",
            Self::TooFarAhead => "too_far_ahead",
        }
    }
}

impl Review {
    /// The review in the message `body`.
    ///
    /// # Errors
    ///
    /// A [`ReviewError`] up to [`ReviewError::PlaceTooLong`]. Retrying cannot help.
    ///
    /// # Examples
    ///
    /// ```
    /// # use loyalty_contracts::review::{PlanMeasuring, Review};
    /// let sweep = Review::read(br#"{"type": "measure.plan"}"#)?;
    /// assert_eq!(sweep, Review::Plan(PlanMeasuring::default()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(body: &[u8]) -> Result<Self, ReviewError> {
        if body.len() > BODY_BYTES_MAX {
            return Err(ReviewError::TooLarge);
        }
        let review: Self =
            serde_json::from_slice(body).map_err(|error| match error.classify() {
                Category::Data => ReviewError::NotReview,
                Category::Io | Category::Syntax | Category::Eof => {
                    ReviewError::NotJson { line: error.line(), column: error.column() }
                }
            })?;
        match &review {
            Self::Measure(measure) if measure.member_ids.len() > MEMBERS_MAX => {
                Err(ReviewError::TooManyMembers)
            }
            Self::Plan(PlanMeasuring { after: Some(after), .. })
                if after.len() > PLACE_BYTES_MAX =>
            {
                Err(ReviewError::PlaceTooLong)
            }
            Self::Grow(_)
            | Self::Complete(_)
            | Self::Override(_)
            | Self::Lift(_)
            | Self::Extend(_)
            | Self::Reinstate(_)
            | Self::Plan(_)
            | Self::Measure(_) => Ok(review),
        }
    }

    /// The message of it.
    ///
    /// # Errors
    ///
    /// Never: it has nothing that JSON has not.
    pub fn body(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// What it asks for if it is received at `received_at`.
    ///
    /// # Errors
    ///
    /// A [`ReviewError`] from [`ReviewError::TooOld`] on. Retrying cannot help.
    pub fn into_asked(self, received_at: Timestamp) -> Result<Asked, ReviewError> {
        let request = match self {
            Self::Grow(AddGrowth { member_id, activity_id, growth, at }) => {
                Request::growth(member_id, activity_id, at, growth)
            }
            Self::Complete(CompleteTask { member_id, task, at }) => {
                Request::task(member_id, task, at)
            }
            Self::Override(it) => {
                let kind = match it.kind {
                    LevelKind::Courtesy => OverrideKind::Courtesy,
                    LevelKind::Violation => OverrideKind::Violation,
                };
                let set = Override { level: it.level, kind, through: it.through };
                Request::override_level(it.actor, it.key, it.member_id, it.at, set, it.reason)
            }
            Self::Lift(LiftLevel { member_id, reason, actor, key, at }) => {
                Request::lift_override(actor, key, member_id, at, reason)
            }
            Self::Extend(ExtendLife { member_id, through, reason, actor, key, at }) => {
                Request::extend(actor, key, member_id, at, through, reason)
            }
            Self::Reinstate(it) => {
                let points = (it.points, it.through);
                Request::reinstate(it.actor, it.key, it.member_id, it.at, points, it.reason)
            }
            Self::Plan(plan) => return Ok(Asked::Plan(plan)),
            Self::Measure(measure) => return Ok(Asked::Measure(measure)),
        };
        if request.at < Timestamp::UNIX_EPOCH {
            return Err(ReviewError::TooOld);
        }
        if request.at.duration_since(received_at) > AHEAD_MAX {
            return Err(ReviewError::TooFarAhead);
        }
        Ok(Asked::One(request))
    }
}

#[cfg(test)]
mod tests {
    use jiff::{ToSpan, civil::date};
    use loyalty_domain::command::{Command, NewMeasure};

    use super::*;

    const AT: &str = "2026-06-30T12:00:00Z";

    fn id<T: for<'a> TryFrom<&'a str, Error: std::fmt::Debug>>(text: &str) -> T {
        T::try_from(text).unwrap()
    }

    fn at() -> Timestamp {
        AT.parse().unwrap()
    }

    fn all() -> [(Review, &'static str); 10] {
        let growth = AddGrowth {
            member_id: id("m\"1"),
            activity_id: id("a1"),
            growth: NonZeroU32::MAX,
            at: at(),
        };
        let courtesy = OverrideLevel {
            member_id: id("m1"),
            level: id("gold"),
            kind: LevelKind::Courtesy,
            through: Some(date(2026, 12, 31)),
            reason: id("goodwill"),
            actor: id("staff-7"),
            key: id("k1"),
            at: at(),
        };
        let violation =
            OverrideLevel { kind: LevelKind::Violation, through: None, ..courtesy.clone() };
        let lift = LiftLevel {
            member_id: id("m1"),
            reason: id("cleared"),
            actor: id("staff-7"),
            key: id("k2"),
            at: at(),
        };
        let extend = ExtendLife {
            member_id: id("m1"),
            through: date(2027, 12, 31),
            reason: id("goodwill"),
            actor: id("staff-7"),
            key: id("k3"),
            at: at(),
        };
        let reinstate = ReinstatePoints {
            member_id: id("m1"),
            points: Points::try_from(70).unwrap(),
            through: date(2027, 12, 31),
            reason: id("goodwill"),
            actor: id("staff-7"),
            key: id("k4"),
            at: at(),
        };
        let task = CompleteTask { member_id: id("m1"), task: id("profile"), at: at() };
        let rest = PlanMeasuring { version: Some(2), after: Some("M#1".to_owned()), again: true };
        [
            (
                Review::Grow(growth),
                r#"{"type":"growth.add","member_id":"m\"1","activity_id":"a1","growth":4294967295,"at":"2026-06-30T12:00:00Z"}"#,
            ),
            (
                Review::Complete(task),
                r#"{"type":"task.complete","member_id":"m1","task":"profile","at":"2026-06-30T12:00:00Z"}"#,
            ),
            (
                Review::Override(courtesy),
                r#"{"type":"level.override","member_id":"m1","level":"gold","kind":"courtesy","through":"2026-12-31","reason":"goodwill","actor":"staff-7","key":"k1","at":"2026-06-30T12:00:00Z"}"#,
            ),
            (
                Review::Override(violation),
                r#"{"type":"level.override","member_id":"m1","level":"gold","kind":"violation","through":null,"reason":"goodwill","actor":"staff-7","key":"k1","at":"2026-06-30T12:00:00Z"}"#,
            ),
            (
                Review::Lift(lift),
                r#"{"type":"level.lift","member_id":"m1","reason":"cleared","actor":"staff-7","key":"k2","at":"2026-06-30T12:00:00Z"}"#,
            ),
            (
                Review::Extend(extend),
                r#"{"type":"life.extend","member_id":"m1","through":"2027-12-31","reason":"goodwill","actor":"staff-7","key":"k3","at":"2026-06-30T12:00:00Z"}"#,
            ),
            (
                Review::Reinstate(reinstate),
                r#"{"type":"points.reinstate","member_id":"m1","points":70,"through":"2027-12-31","reason":"goodwill","actor":"staff-7","key":"k4","at":"2026-06-30T12:00:00Z"}"#,
            ),
            (Review::Plan(PlanMeasuring::default()), r#"{"type":"measure.plan"}"#),
            (
                Review::Plan(rest),
                r#"{"type":"measure.plan","version":2,"after":"M#1","again":true}"#,
            ),
            (
                Review::Measure(MeasureMembers { version: 2, member_ids: vec![id("a"), id("b")] }),
                r#"{"type":"measure.members","version":2,"member_ids":["a","b"]}"#,
            ),
        ]
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        for (review, body) in all() {
            assert_eq!(review.body().unwrap(), body);
            assert_eq!(Review::read(body.as_bytes()), Ok(review));
        }
    }

    #[test]
    fn each_asks_for_what_it_says_under_an_id_of_its_own() {
        let asked: Vec<String> = all()
            .into_iter()
            .map(|(review, _)| match review.into_asked(at()).unwrap() {
                Asked::One(request) => {
                    assert_eq!(request.at, at());
                    request.id.to_string()
                }
                Asked::Plan(_) => "plan".to_owned(),
                Asked::Measure(_) => "measure".to_owned(),
            })
            .collect();

        assert_eq!(
            asked,
            [
                "A#m\"1#a1",
                "T#m1#profile",
                "K#staff-7#m1#override_level#k1",
                "K#staff-7#m1#override_level#k1",
                "K#staff-7#m1#lift_override#k2",
                "K#staff-7#m1#extend#k3",
                "K#staff-7#m1#reinstate#k4",
                "plan",
                "plan",
                "measure",
            ]
        );
    }

    #[test]
    fn nothing_that_was_said_is_lost_on_the_way_to_the_domain() {
        let [growth, task, courtesy, violation, lift, extend, reinstate, ..] = all();
        let command = |(review, _): (Review, _)| match review.into_asked(at()).unwrap() {
            Asked::One(request) => request.command,
            Asked::Plan(_) | Asked::Measure(_) => panic!("it is about one member"),
        };
        let set = |kind, through| Command::OverrideLevel {
            member_id: id("m1"),
            set: Override { level: id("gold"), kind, through },
            reason: id("goodwill"),
        };

        let new = NewMeasure::Growth(NonZeroU32::MAX);
        assert_eq!(command(growth), Command::AddMeasure { member_id: id("m\"1"), new });
        let new = NewMeasure::Task(id("profile"));
        assert_eq!(command(task), Command::AddMeasure { member_id: id("m1"), new });
        let through = Some(date(2026, 12, 31));
        assert_eq!(command(courtesy), set(OverrideKind::Courtesy, through));
        assert_eq!(command(violation), set(OverrideKind::Violation, None));
        let lifted = Command::LiftOverride { member_id: id("m1"), reason: id("cleared") };
        assert_eq!(command(lift), lifted);
        let (through, reason) = (date(2027, 12, 31), id("goodwill"));
        let extended = Command::Extend { member_id: id("m1"), through, reason };
        assert_eq!(command(extend), extended);
        let (points, reason) = (Points::try_from(70).unwrap(), id("goodwill"));
        let back = Command::Reinstate { member_id: id("m1"), points, through, reason };
        assert_eq!(command(reinstate), back);
    }

    #[test]
    fn what_is_no_review_has_a_name_and_nothing_of_the_message_in_it() {
        let many = serde_json::json!({
            "type": "measure.members", "version": 2, "member_ids": vec!["SECRET"; 101],
        });
        let far = serde_json::json!({ "type": "measure.plan", "after": "SECRET".repeat(683) });
        for (body, name) in [
            ("{", "not_json"),
            ("\u{0}", "not_json"),
            ("[]", "not_review"),
            ("{}", "not_review"),
            (r#"{"type":"SECRET"}"#, "not_review"),
            (r#"{"type":"due.plan"}"#, "not_review"),
            (r#"{"type":"measure.members","member_ids":["SECRET"]}"#, "not_review"),
            (r#"{"type":"measure.members","version":-1,"member_ids":["SECRET"]}"#, "not_review"),
            (r#"{"type":"measure.members","version":1,"member_ids":["SECRET",""]}"#, "not_review"),
            (
                r#"{"type":"growth.add","member_id":"SECRET","activity_id":"a","growth":0,"at":"2026-06-30T12:00:00Z"}"#,
                "not_review",
            ),
            (
                r#"{"type":"growth.add","member_id":"SECRET","activity_id":"a","growth":4294967296,"at":"2026-06-30T12:00:00Z"}"#,
                "not_review",
            ),
            (
                r#"{"type":"task.complete","member_id":"SECRET","task":"a","at":"2026-06-30"}"#,
                "not_review",
            ),
            (
                r#"{"type":"level.lift","member_id":"SECRET","reason":"Was SECRET","actor":"a","key":"k","at":"2026-06-30T12:00:00Z"}"#,
                "not_review",
            ),
            (
                r#"{"type":"level.override","member_id":"SECRET","level":"gold","kind":"SECRET","reason":"r","actor":"a","key":"k","at":"2026-06-30T12:00:00Z"}"#,
                "not_review",
            ),
            (many.to_string().as_str(), "too_many_members"),
            (far.to_string().as_str(), "place_too_long"),
            (" ".repeat(BODY_BYTES_MAX + 1).as_str(), "too_large"),
        ] {
            let error = Review::read(body.as_bytes()).unwrap_err();

            assert_eq!(error.name(), name, "{body:.200}");
            assert!(!error.to_string().contains("SECRET"), "{error}");
        }
        assert_eq!(Review::read(b"\xff").unwrap_err().name(), "not_json");
    }

    #[test]
    fn what_happened_before_1970_or_is_still_to_happen_is_not_taken() {
        let asked = |at: Timestamp| {
            let task = CompleteTask { member_id: id("m1"), task: id("profile"), at };
            let received_at: Timestamp = AT.parse().unwrap();
            Review::Complete(task).into_asked(received_at).map(|_| ()).map_err(|it| it.name())
        };

        assert_eq!(asked(at() + 5.minutes()), Ok(()));
        assert_eq!(asked(at() + 5.minutes() + 1.nanosecond()), Err("too_far_ahead"));
        assert_eq!(asked(Timestamp::UNIX_EPOCH), Ok(()));
        assert_eq!(asked(Timestamp::UNIX_EPOCH - 1.nanosecond()), Err("too_old"));
    }

    #[test]
    fn ten_of_the_largest_messages_fit_one_call_of_the_queue() {
        let longest = "\"".repeat(128);
        let measure = MeasureMembers { version: u32::MAX, member_ids: vec![id(&longest); 100] };
        let plan = PlanMeasuring {
            version: Some(u32::MAX),
            after: Some("\"".repeat(PLACE_BYTES_MAX)),
            again: true,
        };

        for review in [Review::Measure(measure), Review::Plan(plan)] {
            assert!(10 * review.body().unwrap().len() < BODY_BYTES_MAX);
        }
    }
}
