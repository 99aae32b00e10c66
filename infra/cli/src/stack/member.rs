//! `member`: what staff do to one member's level or points, with a reason, until they have a console.

use std::{
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use jiff::{Timestamp, civil::Date};
use loyalty_contracts::review::{
    Asked, ExtendLife, LevelKind, LiftLevel, OverrideLevel, ReinstatePoints, Review,
};
use loyalty_domain::{
    command::Request,
    id::{ClientId, LevelId, MemberId, ReasonCode, RequestKey},
    points::Points,
    program::in_force,
    tier,
};
use loyalty_ledger::{Answer, Entry, Ledger as _, Reading, statement::Accounts as _};
use loyalty_runtime::clock::{self, Deadline};

use super::{
    StackError,
    target::{Stack, Target},
};
use crate::simulate::{day, report::count};

/// How long an answer is waited for: what fails comes back after six minutes, and a sweep may be before it.
const GIVEN_UP: Duration = Duration::from_mins(40);
/// The pause before the ledger is asked again.
const PAUSE: Duration = Duration::from_millis(200);

/// Sets a member's level, lets points last longer, or brings expired ones back, with a reason.
///
/// Each act names who does it, and is done once under its key. It goes onto the queue `tier-reviews`; the
/// command waits for the answer.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum MemberCommand {
    /// Gives a level as a courtesy, or invites to one: the member has at least this level until it ends.
    GiveLevel {
        /// The shop's id of the member.
        member: String,
        /// The level's id in the program.
        level: String,
        /// Its last day; without it, until it is lifted.
        #[arg(long, value_name = "DAY", value_parser = day)]
        through: Option<Date>,
        #[command(flatten)]
        act: Act,
    },
    /// Holds a member down for a violation: the member has at most this level until it ends.
    RestrictLevel {
        /// The shop's id of the member.
        member: String,
        /// The level's id in the program.
        level: String,
        /// Its last day; without it, until it is lifted.
        #[arg(long, value_name = "DAY", value_parser = day)]
        through: Option<Date>,
        #[command(flatten)]
        act: Act,
    },
    /// Lifts a level that was given, or a restriction.
    LiftLevel {
        /// The shop's id of the member.
        member: String,
        #[command(flatten)]
        act: Act,
    },
    /// Lets all points that are still good last through a day at least.
    Extend {
        /// The shop's id of the member.
        member: String,
        /// Through which day at least.
        #[arg(long, value_name = "DAY", value_parser = day)]
        through: Date,
        #[command(flatten)]
        act: Act,
    },
    /// Brings points back that expired, never more than are gone.
    Reinstate {
        /// The shop's id of the member.
        member: String,
        /// How many.
        points: u64,
        /// The last day on which they can be used.
        #[arg(long, value_name = "DAY", value_parser = day)]
        through: Date,
        #[command(flatten)]
        act: Act,
    },
}

/// Who does it, why, and where.
#[derive(clap::Args, Debug)]
pub(crate) struct Act {
    /// The code of the reason, such as `goodwill`: lower-case letters, digits, `_` and `-`, never a sentence.
    #[arg(long, value_name = "CODE")]
    reason: String,
    /// Your id as staff, never a name: it is kept with what you do.
    #[arg(long, value_name = "ID")]
    by: String,
    /// Under which the act is repeated, if it must be: one that was done is not done again.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    #[command(flatten)]
    target: Target,
}

/// Who, why and when, as a message says it.
struct Said {
    actor: ClientId,
    reason: ReasonCode,
    key: RequestKey,
    at: Timestamp,
}

impl Act {
    fn said(&self) -> Result<Said, StackError> {
        let at = clock::now();
        let key = self.key.clone().unwrap_or_else(|| at.to_string());
        Ok(Said {
            actor: id("--by", &self.by)?,
            reason: id("--reason", &self.reason)?,
            key: id("--key", &key)?,
            at,
        })
    }
}

/// What an argument is.
fn id<T>(argument: &'static str, text: &str) -> Result<T, StackError>
where
    T: for<'t> TryFrom<&'t str, Error: std::error::Error>,
{
    text.try_into().map_err(|error: <T as TryFrom<&str>>::Error| StackError::Argument {
        argument,
        what: error.to_string(),
    })
}

impl MemberCommand {
    /// Does it; the answer goes to `out`.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), StackError> {
        let (review, target) = self.review()?;
        let stack = target.find()?;
        let body = review.body().map_err(|error| StackError::ReviewNotSent(error.into()))?;
        // Never ahead of the clock that it was made by.
        let Ok(Asked::One(request)) = review.into_asked(clock::now()) else {
            return Err(StackError::NothingToDo);
        };
        let key = key_of(&request);
        let before = stack.wait(found(&stack, &request))?;
        let entry = if let Some(before) = before {
            before
        } else {
            // Said before anything can be done, so that it can be repeated whatever comes.
            drop(writeln!(io::stderr(), "Under the key {key}."));
            let queue_url = &stack.outputs.tier_reviews_queue_url;
            let sent = stack.sqs().send_message().queue_url(queue_url).message_body(body).send();
            stack.wait(sent).map_err(|error| {
                let (key, source) = (key.clone(), error.into());
                StackError::ActNotSent { key, source }
            })?;
            stack.wait(answered(&stack, &request, key))?
        };
        if entry.fingerprint != request.fingerprint() {
            return Err(StackError::KeyUsed);
        }
        match &entry.answer {
            Answer::Refused(rejection) => {
                Err(StackError::ActRefused { because: rejection.to_string() })
            }
            Answer::Accepted(_) | Answer::Waiting(_) => write_answer(out, &stack, &request),
        }
    }

    fn review(self) -> Result<(Review, Target), StackError> {
        let member_id = |text: &str| id::<MemberId>("the member", text);
        let level = |text: &str| id::<LevelId>("the level", text);
        let set = |kind, member: &str, level_id: &str, through, act: &Act| {
            let Said { actor, reason, key, at } = act.said()?;
            let (member_id, level) = (member_id(member)?, level(level_id)?);
            let set = OverrideLevel { member_id, level, kind, through, reason, actor, key, at };
            Ok::<_, StackError>(Review::Override(set))
        };
        Ok(match self {
            Self::GiveLevel { member, level, through, act } => {
                (set(LevelKind::Courtesy, &member, &level, through, &act)?, act.target)
            }
            Self::RestrictLevel { member, level, through, act } => {
                (set(LevelKind::Violation, &member, &level, through, &act)?, act.target)
            }
            Self::LiftLevel { member, act } => {
                let Said { actor, reason, key, at } = act.said()?;
                let member_id = member_id(&member)?;
                (Review::Lift(LiftLevel { member_id, reason, actor, key, at }), act.target)
            }
            Self::Extend { member, through, act } => {
                let Said { actor, reason, key, at } = act.said()?;
                let member_id = member_id(&member)?;
                let extend = ExtendLife { member_id, through, reason, actor, key, at };
                (Review::Extend(extend), act.target)
            }
            Self::Reinstate { member, points, through, act } => {
                let Said { actor, reason, key, at } = act.said()?;
                let member_id = member_id(&member)?;
                let points = Points::try_from(points).map_err(|error| StackError::Argument {
                    argument: "the number of points",
                    what: error.to_string(),
                })?;
                let back = ReinstatePoints { member_id, points, through, reason, actor, key, at };
                (Review::Reinstate(back), act.target)
            }
        })
    }
}

/// The entry of `request`, if there is one.
async fn found(stack: &Stack, request: &Request) -> Result<Option<Arc<Entry>>, StackError> {
    let ids = std::slice::from_ref(&request.id);
    let found = stack.ledger().find_entries(ids, Reading::Newest).await;
    Ok(found.map_err(StackError::NotRead)?.pop())
}

/// The entry of `request`, as soon as there is one.
async fn answered(stack: &Stack, request: &Request, key: String) -> Result<Arc<Entry>, StackError> {
    let until = Deadline::after(GIVEN_UP);
    loop {
        if let Some(entry) = found(stack, request).await? {
            return Ok(entry);
        }
        if until.left().is_zero() {
            return Err(StackError::ActNotAnswered { key });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The account afterwards, as far as it is about what was done.
fn write_answer(out: &mut dyn Write, stack: &Stack, request: &Request) -> Result<(), StackError> {
    let programs = stack.programs()?;
    let program = in_force(&programs, clock::now())
        .ok_or_else(|| StackError::NoProgram { title: stack.title.clone() })?;
    let loaded = stack.wait(stack.ledger().load(request, Reading::Newest));
    let account = loaded.map_err(StackError::NotRead)?.known.account;
    let level = program.levels().get(tier::rank(program, &account));
    let name = level.map(|it| it.name.as_str()).unwrap_or_default();
    let through = tier::valid_through(program, &account);
    let through = through.map_or_else(String::new, |it| format!(" through {it}"));
    let write = |out: &mut dyn Write| -> io::Result<()> {
        writeln!(out, "Done, under the key {}.", key_of(request))?;
        writeln!(out, "The level in force is {name}{through}.")?;
        let lots = account.lots.iter().filter(|it| !it.points.is_zero());
        for lot in lots {
            let points = count(lot.points.get());
            writeln!(out, "{points:>9} points can be used through {}", lot.last_good_day)?;
        }
        Ok(())
    };
    write(out).map_err(StackError::Output)
}

fn key_of(request: &Request) -> String {
    use loyalty_domain::id::CommandId;
    if let CommandId::Request { key, .. } = &request.id { key.to_string() } else { String::new() }
}
