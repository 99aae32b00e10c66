//! `member`: what staff do to one member's level or points, or decide about who was brought, with a reason, until
//! they have a console.

use std::{
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use jiff::{Timestamp, civil::Date};
use loyalty_contracts::{
    referral::{self, Message, ReferralDecision, ReviewReferral},
    review::{Asked, ExtendLife, LevelKind, LiftLevel, OverrideLevel, ReinstatePoints, Review},
};
use loyalty_domain::{
    command::Request,
    event::{Event, ReferralEvent},
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

/// Sets a member's level, lets points last longer, brings expired ones back, or decides about a referral that
/// waits, with a reason.
///
/// Each act names who does it, and is done once under its key. It goes onto the queue `tier-reviews`, or
/// `referrals`; the command waits for the answer.
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
    /// Decides about a friend whose referral waits, since more were brought than the program takes for natural.
    /// What else speaks against it is looked into again.
    ReviewReferral {
        /// The shop's id of the friend: of who was brought.
        friend: String,
        #[command(flatten)]
        decision: Decision,
        #[command(flatten)]
        act: Act,
    },
}

/// What is decided about a referral: one of the two.
#[derive(clap::Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct Decision {
    /// Both sides are to be rewarded.
    #[arg(long)]
    approve: bool,
    /// Neither is.
    #[arg(long)]
    deny: bool,
}

/// An act on its way: its message, its queue, and what is asked by it.
struct Sending {
    body: String,
    is_referral: bool,
    request: Request,
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
        let (Sending { body, is_referral, request }, target) = self.sending()?;
        let stack = target.find()?;
        let key = key_of(&request);
        let before = stack.wait(found(&stack, &request))?;
        let entry = if let Some(before) = before {
            before
        } else {
            // Said before anything can be done, so that it can be repeated whatever comes.
            drop(writeln!(io::stderr(), "Under the key {key}."));
            let outputs = &stack.outputs;
            let queue_url = if is_referral {
                &outputs.referrals_queue_url
            } else {
                &outputs.tier_reviews_queue_url
            };
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
            Answer::Accepted(events) if is_referral => {
                write_decision(out, &request, events).map_err(StackError::Output)
            }
            Answer::Accepted(_) | Answer::Waiting(_) => write_answer(out, &stack, &request),
        }
    }

    /// What goes onto which queue, and where to.
    fn sending(self) -> Result<(Sending, Target), StackError> {
        let not_sent = |error: serde_json::Error| StackError::ReviewNotSent(error.into());
        if let Self::ReviewReferral { friend, decision, act } = self {
            let review = review_of(&friend, &decision, &act)?;
            let body = review.clone().body().map_err(not_sent)?;
            // Never ahead of the clock that it was made by.
            let Ok(referral::Asked::One(request)) =
                Message::Review(review).into_asked(clock::now())
            else {
                return Err(StackError::NothingToDo);
            };
            return Ok((Sending { body, is_referral: true, request }, act.target));
        }
        let (review, target) = self.review()?;
        let body = review.body().map_err(not_sent)?;
        let Ok(Asked::One(request)) = review.into_asked(clock::now()) else {
            return Err(StackError::NothingToDo);
        };
        Ok((Sending { body, is_referral: false, request }, target))
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
            // It has a queue of its own.
            Self::ReviewReferral { .. } => return Err(StackError::NothingToDo),
        })
    }
}

/// What staff decided about a friend.
fn review_of(friend: &str, decision: &Decision, act: &Act) -> Result<ReviewReferral, StackError> {
    let Said { actor, reason, key, at } = act.said()?;
    // One of the two is there.
    let decision =
        if decision.approve { ReferralDecision::Approve } else { ReferralDecision::Deny };
    Ok(ReviewReferral { member_id: id("the friend", friend)?, decision, reason, actor, key, at })
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

/// What became of a referral that staff decided about.
fn write_decision(out: &mut dyn Write, request: &Request, events: &[Event]) -> io::Result<()> {
    writeln!(out, "Done, under the key {}.", key_of(request))?;
    for event in events {
        let Event::Referral(event) = event else { continue };
        match &**event {
            ReferralEvent::Rewarded { reward, referrer } => {
                let (friend, other) = (reward.friend.points, reward.referrer.points);
                let (friend, other) = (count(friend.get()), count(other.get()));
                writeln!(
                    out,
                    "The friend has {friend} points for it, and {referrer} has {other}."
                )?;
            }
            ReferralEvent::Refused { refusal, .. } => {
                writeln!(out, "Nobody is rewarded: {refusal}.")?;
            }
            ReferralEvent::Named { .. }
            | ReferralEvent::NotNamed { .. }
            | ReferralEvent::Ordered { .. }
            | ReferralEvent::Corrected { .. }
            | ReferralEvent::NotKept { .. }
            | ReferralEvent::Qualified { .. }
            | ReferralEvent::Held { .. }
            | ReferralEvent::Revoked { .. } => (),
        }
    }
    Ok(())
}

fn key_of(request: &Request) -> String {
    use loyalty_domain::id::CommandId;
    if let CommandId::Request { key, .. } = &request.id { key.to_string() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use loyalty_domain::{
        account::{LotId, Wallet},
        command::Command,
        points::Points,
        referral::{Qualifier, ReferralRefusal, Reward, Share, SignalKind},
    };

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(subcommand)]
        member: MemberCommand,
    }

    fn parsed(decision: &[&str]) -> Result<MemberCommand, clap::Error> {
        let line = ["member", "review-referral", "friend", "--reason", "known-club"];
        let more = ["--by", "staff-7", "--key", "k1"];
        let all = line.iter().chain(&more).chain(decision);
        Line::try_parse_from(all).map(|it| it.member)
    }

    #[test]
    fn a_referral_is_approved_or_denied_and_goes_onto_its_own_queue() {
        for (decision, expected) in [("--approve", true), ("--deny", false)] {
            let (sending, _) = parsed(&[decision]).unwrap().sending().unwrap();

            assert!(sending.is_referral);
            let Command::ReviewReferral { approves, .. } = sending.request.command else {
                panic!("it is a review")
            };
            assert_eq!(approves, expected);
            assert_eq!(sending.request.id.to_string(), "K#staff-7#friend#review_referral#k1");
            let sent = Message::read(sending.body.as_bytes()).unwrap();
            let Message::Review(sent) = sent else { panic!("it is a review") };
            assert_eq!(sent.decision == ReferralDecision::Approve, expected);
        }
        assert!(parsed(&[]).is_err(), "neither");
        assert!(parsed(&["--approve", "--deny"]).is_err(), "both");
    }

    #[test]
    fn what_became_of_a_decision_is_said_in_a_sentence() {
        let (sending, _) = parsed(&["--approve"]).unwrap().sending().unwrap();
        let referrer = MemberId::try_from("m1").unwrap();
        let said = |event: ReferralEvent| {
            let mut out = Vec::new();
            let events = [Event::Referral(Box::new(event))];
            write_decision(&mut out, &sending.request, &events).unwrap();
            String::from_utf8(out).unwrap()
        };
        let share = |points: u64| Share {
            points: Points::try_from(points).unwrap(),
            lot: LotId { wallet: Wallet::Points, given: jiff::civil::date(2027, 1, 31) },
            caps: Vec::new(),
        };
        let by = Qualifier::Order("o1".try_into().unwrap());
        let reward = Box::new(Reward { by, friend: share(50), referrer: share(1_000) });

        let rewarded = said(ReferralEvent::Rewarded { reward, referrer: referrer.clone() });
        let refusal = ReferralRefusal::SamePerson { kind: SignalKind::Device };
        let refused = said(ReferralEvent::Refused { referrer, refusal });

        let done = "Done, under the key k1.\n";
        let both = "The friend has 50 points for it, and m1 has 1,000.\n";
        assert_eq!(rewarded, format!("{done}{both}"));
        let nobody = "Nobody is rewarded: friend and referrer share a device.\n";
        assert_eq!(refused, format!("{done}{nobody}"));
    }
}
