//! Levels: what they are measured by, when they begin, how far they fall, and what staff set beside the
//! rules.
//!
//! A member *earns* a level by what counts; staff may set another one beside it. The level *in force*, whose
//! bonus and benefits the member has, is the higher of both under a courtesy and the lower under a violation.
//! What is earned goes on under either as if nothing had been set, so that nothing is lost with its end.

use std::cmp::Ordering;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    account::{Account, Measure},
    calendar::Month,
    command::NewMeasure,
    decide::{Decision, Rejection, Work},
    due,
    event::{Event, InForce, LevelBefore},
    id::{LevelId, ReasonCode, TaskId},
    points::OutOfRange,
    program::{NewVersion, Program, Rank, Review, Start, Window},
};

/// How many tasks an account remembers.
pub const TASKS_MAX: usize = 64;

/// What a level has beside itself; most accounts never have any of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// What staff set.
    pub set: Option<Override>,
    /// What was reached and begins with the next period.
    pub next: Option<NextLevel>,
    /// Through which day a level is kept that its review would have lowered.
    pub grace_through: Option<Date>,
}

/// A level that staff set beside the one that is earned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// Which level.
    pub level: LevelId,
    /// In which way.
    pub kind: OverrideKind,
    /// Its last day; `None`: until it is lifted.
    pub through: Option<Date>,
}

/// In which way staff set a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverrideKind {
    /// The member has at least this level: a goodwill, a status match, an invitation.
    Courtesy,
    /// The member has at most this level: the answer to a breach of the shop's terms.
    Violation,
}

/// A level that was reached and is still to begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextLevel {
    /// Which.
    pub level: LevelId,
    /// Its first day.
    pub from: Date,
}

/// The rank of the level in force.
///
/// A level that this version of the program no longer has counts as the lowest.
pub fn rank(program: &Program, account: &Account) -> Rank {
    let earned = earned_rank(program, account);
    let set = account.tier.set();
    set.map_or(earned, |set| with_override(program, earned, set))
}

/// What `set` makes of the rank that was earned.
pub(crate) fn with_override(program: &Program, earned: Rank, set: &Override) -> Rank {
    let rank = program.rank_of(&set.level).unwrap_or(0);
    match set.kind {
        OverrideKind::Courtesy => earned.max(rank),
        OverrideKind::Violation => earned.min(rank),
    }
}

/// The rank of the level that was earned, likewise.
pub fn earned_rank(program: &Program, account: &Account) -> Rank {
    account.tier.level.as_ref().and_then(|it| program.rank_of(it)).unwrap_or(0)
}

/// Through which day the level in force lasts, as far as is known; `None` if it has no end.
pub fn valid_through(program: &Program, account: &Account) -> Option<Date> {
    match account.tier.set() {
        Some(set) if rank(program, account) != earned_rank(program, account) => set.through,
        Some(_) | None => account.tier.review_after(),
    }
}

/// What counts for levels over the window that ends with, or contains, `month`.
fn measured(program: &Program, account: &Account, month: Month) -> Result<Measure, OutOfRange> {
    account.progress.measured(program.spec().tiers.window, month)
}

/// The highest level met by what counts over the window of `month`.
pub(crate) fn qualified(
    program: &Program,
    account: &Account,
    month: Month,
) -> Result<Rank, OutOfRange> {
    let measure = measured(program, account, month)?;
    Ok(program.qualified(&measure, &account.progress.tasks))
}

/// The rank that a review leaves, which measures by the months that end with `month`.
pub(crate) fn rank_after_review(
    program: &Program,
    account: &Account,
    month: Month,
) -> Result<Rank, OutOfRange> {
    let qualified = qualified(program, account, month)?;
    let current = earned_rank(program, account);
    let lowest = match program.spec().tiers.review {
        Review::ToQualifying => qualified,
        Review::OneLevel => qualified.max(program.rank_below(current)),
    };
    Ok(lowest.max(program.floor_of(current)))
}

/// What the end of a level's validity, or of its grace, does at `at`.
pub(crate) fn review(
    program: &Program,
    account: &Account,
    at: Timestamp,
) -> Result<Option<Event>, OutOfRange> {
    let Some(valid_through) = account.tier.valid_through else { return Ok(None) };
    let grace_through = account.tier.grace_through();
    let measured_until = Month::of(grace_through.unwrap_or(valid_through));
    let rank = rank_after_review(program, account, measured_until)?;
    let month = Month::of(valid_through);
    let grace_months = program.spec().tiers.grace_months;
    let is_lower = rank < earned_rank(program, account);
    if is_lower && grace_through.is_none() && grace_months > 0 {
        let months = i32::try_from(grace_months).map_err(|_| OutOfRange)?;
        let through = month.plus(months)?.last_day();
        let level = program.levels().get(earned_rank(program, account)).map(|it| it.id.clone());
        return Ok(level.map(|level| Event::GraceBegan { at, level, through }));
    }
    let Some(level) = program.levels().get(rank) else { return Ok(None) };
    let valid_through = if rank == 0 { None } else { Some(month.plus(12)?.last_day()) };
    let before = Some(level_before(program, account, rank, valid_through)?);
    Ok(Some(Event::Reviewed { at, level: level.id.clone(), valid_through, before }))
}

/// What the first instant of a level that was reached before, which is `at`, does: it is measured once more by
/// the months before, since what a refund took out until then was never kept.
pub(crate) fn start(
    program: &Program,
    account: &Account,
    at: Timestamp,
) -> Result<Option<Event>, OutOfRange> {
    let Some(NextLevel { level, from }) = account.tier.next() else { return Ok(None) };
    let month = Month::of(*from);
    let reached = program.rank_of(level).unwrap_or(0);
    // A review, or another version, may have given it before.
    let earned = earned_rank(program, account);
    if earned >= reached
        && let (Some(level), Some(valid_through)) =
            (account.tier.level.clone(), account.tier.valid_through)
    {
        let before = LevelBefore::Same;
        return Ok(Some(Event::LevelBegan { at, level, valid_through, before }));
    }
    let rank = qualified(program, account, month.plus(-1)?)?.min(reached);
    let begun = program.levels().get(rank);
    let Some(begun) = begun.filter(|_| rank > earned_rank(program, account)) else {
        return Ok(Some(Event::LevelNotBegun { at, level: level.clone() }));
    };
    let valid_through = month.plus(11)?.last_day();
    let before = level_before(program, account, rank, Some(valid_through))?;
    Ok(Some(Event::LevelBegan { at, level: begun.id.clone(), valid_through, before }))
}

/// What the level before is to one of rank `earned` that is given, valid through `through`.
pub(crate) fn level_before(
    program: &Program,
    account: &Account,
    earned: Rank,
    through: Option<Date>,
) -> Result<LevelBefore, OutOfRange> {
    let set = account.tier.set();
    let in_force = in_force(program, account, (earned, through), set)?;
    let is_overridden = set.is_some_and(|set| with_override(program, earned, set) != earned);
    if is_overridden {
        return Ok(LevelBefore::Overridden(Box::new(in_force)));
    }
    Ok(in_force.before)
}

/// The level in force under `set` where another one is earned, after that of the account.
fn in_force(
    program: &Program,
    account: &Account,
    (earned, through): (Rank, Option<Date>),
    set: Option<&Override>,
) -> Result<InForce, OutOfRange> {
    let rank = rank(program, account);
    let (after, valid_through) = match set {
        Some(set) if with_override(program, earned, set) != earned => {
            (with_override(program, earned, set), set.through)
        }
        Some(_) | None => (earned, through),
    };
    // Never: every rank is that of a level.
    let level = |rank: Rank| program.levels().get(rank).map(|it| it.id.clone()).ok_or(OutOfRange);
    let before = match rank.cmp(&after) {
        Ordering::Less => LevelBefore::Lower(level(rank)?),
        Ordering::Equal => LevelBefore::Same,
        Ordering::Greater => LevelBefore::Higher(level(rank)?),
    };
    Ok(InForce { level: level(after)?, valid_through, before })
}

/// The level in force under `set`, after that of the account.
fn in_force_under(
    program: &Program,
    account: &Account,
    set: Option<&Override>,
) -> Result<InForce, OutOfRange> {
    let earned = (earned_rank(program, account), account.tier.review_after());
    in_force(program, account, earned, set)
}

/// What staff set ends at `at`.
pub(crate) fn override_end(
    program: &Program,
    account: &Account,
    at: Timestamp,
) -> Result<Event, OutOfRange> {
    Ok(Event::OverrideEnded { at, in_force: in_force_under(program, account, None)? })
}

/// What a version of the program would make of a member's level on its first day, by the ranks of its own
/// levels; one that it no longer has counts as the lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The level in force before.
    pub before: Rank,
    /// The level in force once the member is measured.
    pub after: Rank,
    /// Whether what counts no longer meets the earned level, which then falls at its review.
    pub is_at_risk: bool,
}

/// What `program` would make of the level of `account`, which is brought to just before the instant `at` under the
/// version before, where `program` decides what falls due and measures it.
///
/// # Errors
///
/// [`OutOfRange`] if a number or a day would leave its range. Retrying cannot help.
pub fn preview(program: &Program, account: Account, at: Timestamp) -> Result<Preview, OutOfRange> {
    let before = rank(program, &account);
    let mut work = Work::new(program, account, at);
    work.measured_anew()?;
    let account = work.account;
    let month = Month::of(program.calendar().day_of(at));
    let lasting = qualified(program, &account, month)?;
    let earned = earned_rank(program, &account);
    let is_at_risk = lasting.max(program.floor_of(earned)) < earned;
    Ok(Preview { before, after: rank(program, &account), is_at_risk })
}

impl Work<'_> {
    /// Raises or renews the level, if the window that ends with `month`, which is now, qualifies for it.
    pub(crate) fn measure(&mut self, month: Month) -> Result<(), OutOfRange> {
        // A level that an older version does not know was given by a newer one, and is not below what a request
        // reaches that comes late.
        let is_known = |it: &LevelId| self.program.rank_of(it).is_some();
        if self.is_late && !self.account.tier.level.as_ref().is_none_or(is_known) {
            return Ok(());
        }
        let qualified = qualified(self.program, &self.account, month)?;
        let current = earned_rank(self.program, &self.account);
        if qualified == 0 || qualified < current {
            return Ok(());
        }
        if qualified > current && self.program.spec().tiers.start == Start::NextPeriod {
            return self.put_next(qualified, month);
        }
        let Some(level) = self.program.levels().get(qualified) else { return Ok(()) };
        let valid_through = month.plus(12)?.last_day();
        let tier = &self.account.tier;
        // A later month may already have been granted by a review.
        if tier.level.as_ref() == Some(&level.id) && tier.valid_through == Some(valid_through) {
            return Ok(());
        }
        let through = Some(valid_through);
        let before = Some(level_before(self.program, &self.account, qualified, through)?);
        self.record(Event::LevelReached { level: level.id.clone(), valid_through, before })
    }

    /// Lets the level of `reached` begin with the period after the one that has `month`.
    fn put_next(&mut self, reached: Rank, month: Month) -> Result<(), OutOfRange> {
        let next = self.account.tier.next();
        if next.is_some_and(|it| self.program.rank_of(&it.level).is_some_and(|it| reached <= it)) {
            return Ok(());
        }
        let Some(level) = self.program.levels().get(reached) else { return Ok(()) };
        let first = match self.program.spec().tiers.window {
            Window::CalendarYear => month.january().plus(12)?,
            Window::TwelveMonths | Window::Lifetime => month.plus(1)?,
        };
        let next = NextLevel { level: level.id.clone(), from: first.first_day() };
        self.record(Event::LevelAwaited(next))
    }

    /// Lowers the level to what the window of `month` qualifies for, but never below its floor.
    pub(crate) fn lower_level(&mut self, month: Month) -> Result<(), OutOfRange> {
        let current = earned_rank(self.program, &self.account);
        let qualified = qualified(self.program, &self.account, month)?;
        let lowered = qualified.max(self.program.floor_of(current));
        if lowered >= current {
            return Ok(());
        }
        let Some(level) = self.program.levels().get(lowered) else { return Ok(()) };
        let tier = &self.account.tier;
        let valid_through = match (tier.valid_through, tier.grace_through()) {
            _ if lowered == 0 => None,
            // Its validity is over already.
            (Some(day), Some(_)) => Some(Month::of(day).plus(12)?.last_day()),
            (day, _) => day,
        };
        let before = Some(level_before(self.program, &self.account, lowered, valid_through)?);
        self.record(Event::LevelLowered { level: level.id.clone(), valid_through, before })
    }

    /// Answers [`Command::AddMeasure`](crate::command::Command::AddMeasure), which happened at `happened_at`.
    pub(crate) fn add_measure(
        mut self,
        new: &NewMeasure,
        happened_at: Timestamp,
    ) -> Result<Decision, Rejection> {
        due::happen(&mut self)?;
        let calendar = self.program.calendar();
        let counted_in = Month::of(calendar.day_of(self.at));
        match new {
            NewMeasure::Growth(growth) => {
                let (month, growth) = (Month::of(calendar.day_of(happened_at)), growth.get());
                self.record(Event::Grown { month, growth, counted_in })?;
            }
            NewMeasure::Task(task) => {
                if self.account.progress.tasks.len() >= TASKS_MAX {
                    return Err(Rejection::TooManyTasks);
                }
                self.record(Event::TaskDone { task: task.clone() })?;
                self.qualify_by_task(task)?;
            }
        }
        self.measure(counted_in)?;
        Ok(self.done(true))
    }

    /// Answers [`Command::OverrideLevel`](crate::command::Command::OverrideLevel).
    pub(crate) fn override_level(
        mut self,
        set: &Override,
        reason: &ReasonCode,
    ) -> Result<Decision, Rejection> {
        let calendar = self.program.calendar();
        if self.program.rank_of(&set.level).is_none() {
            return Err(Rejection::LevelNotInProgram { level: set.level.clone() });
        }
        if let Some(through) = set.through {
            // A day that has no end would stop the account when its turn comes.
            calendar.end_of(through)?;
            if calendar.is_over(through, self.at)? {
                return Err(Rejection::EndIsOver { through });
            }
        }
        due::happen(&mut self)?;
        let in_force = in_force_under(self.program, &self.account, Some(set))?;
        let (set, reason) = (set.clone(), reason.clone());
        self.record(Event::OverrideSet { set, reason, in_force })?;
        Ok(self.done(true))
    }

    /// Answers [`Command::LiftOverride`](crate::command::Command::LiftOverride).
    pub(crate) fn lift_override(mut self, reason: &ReasonCode) -> Result<Decision, Rejection> {
        due::happen(&mut self)?;
        if self.account.tier.set().is_none() {
            return Err(Rejection::NothingToLift);
        }
        let in_force = in_force_under(self.program, &self.account, None)?;
        self.record(Event::OverrideLifted { reason: reason.clone(), in_force })?;
        Ok(self.done(true))
    }

    /// Answers [`Command::Measure`](crate::command::Command::Measure): by this version, whatever was said under
    /// the one before.
    pub(crate) fn measure_anew(mut self) -> Result<Decision, Rejection> {
        // Nobody was ever measured who has no account.
        let Some(clock) = self.account.clock else { return Ok(self.done(false)) };
        self.measured_anew()?;
        // Nothing that comes later is late for having been measured.
        if self.events.last().is_none_or(|it| it.fell_due_at().is_some()) {
            let last = self.events.last().and_then(Event::fell_due_at);
            self.at = last.unwrap_or(clock).max(clock);
        }
        Ok(self.done(true))
    }

    fn measured_anew(&mut self) -> Result<(), OutOfRange> {
        due::happen(self)?;
        let month = Month::of(self.program.calendar().day_of(self.at));
        let qualified = qualified(self.program, &self.account, month)?;
        if qualified > earned_rank(self.program, &self.account) {
            return self.measure(month);
        }
        match self.program.spec().tiers.new_version {
            NewVersion::Raise => Ok(()),
            NewVersion::RaiseAndLower => self.lower_level(month),
        }
    }
}

impl TaskId {
    /// Whether `done` has all of `tasks`, of which there is at least one.
    pub(crate) fn are_done(tasks: &[Self], done: &[Self]) -> bool {
        !tasks.is_empty() && tasks.iter().all(|it| done.contains(it))
    }
}
