//! What will happen to an account if nothing else does.

use jiff::{Timestamp, civil::Date};

use crate::{
    account::{Account, Balance},
    decide::Work,
    due,
    event::Event,
    points::{OutOfRange, Points},
    program::{Program, Rank},
    tier,
};

/// How many things a timeline tells at most.
pub const ITEMS_MAX: usize = 100;

/// What will happen, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// The first [`ITEMS_MAX`] things.
    pub items: Vec<Item>,
    /// Whether there are no more.
    pub is_whole: bool,
}

/// One thing that will happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: What,
    /// What the account's statement will show then.
    pub balance: Balance,
}

/// What will happen to points or to the level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Pending points become available.
    Matures {
        /// How many.
        points: Points,
        /// How many of them pay a debt instead.
        debt_paid: Points,
        /// Through which day the others can be used.
        last_good_day: Date,
    },
    /// Pending points are gone as they mature, since their last good day is over.
    Lapses {
        /// How many.
        points: Points,
        /// How many of them pay a debt before the rest is gone.
        debt_paid: Points,
    },
    /// What is left in a lot is gone.
    Expires {
        /// How many.
        points: Points,
        /// The last day on which they can be used.
        last_good_day: Date,
    },
    /// Something about the level.
    Level {
        /// Why.
        why: LevelCause,
        /// The rank in force before.
        before: Rank,
        /// The rank in force from then on.
        after: Rank,
        /// Through which day it lasts, as far as is known; `None` if it has no end.
        valid_through: Option<Date>,
    },
}

/// Why something happens to the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LevelCause {
    /// It is measured again, by what counts already.
    Review,
    /// One that was reached before begins, as far as what counts already still meets it.
    Start,
    /// It would be lowered, and is kept for a while.
    Grace,
    /// What staff set ends.
    OverrideEnd,
}

/// What will happen to `account` up to and including `until` under `program`, if it gets no event.
///
/// The account should have been brought to the present instant. Nothing happens to points that never
/// expire, so none of it is told.
///
/// # Errors
///
/// [`OutOfRange`] if a number or a day would leave its range. Retrying cannot help.
pub fn timeline(
    program: &Program,
    account: Account,
    until: Timestamp,
) -> Result<Timeline, OutOfRange> {
    let mut work = Work::new(program, account, until);
    let mut items = Vec::new();
    loop {
        if items.len() >= ITEMS_MAX {
            let is_whole = !due::is_any_due(&work)?;
            return Ok(Timeline { items, is_whole });
        }
        let before = work.account.clone();
        let Some(event) = due::step(&mut work)? else {
            return Ok(Timeline { items, is_whole: true });
        };
        if let Some((at, what)) = told(program, &before, &work.account, &event) {
            items.push(Item { at, what, balance: work.account.balance()? });
        }
    }
}

/// What is told of `event`, and when it happens; nothing of what only lets points last longer.
fn told(
    program: &Program,
    before: &Account,
    after: &Account,
    event: &Event,
) -> Option<(Timestamp, What)> {
    let level = |why| What::Level {
        why,
        before: tier::rank(program, before),
        after: tier::rank(program, after),
        valid_through: tier::valid_through(program, after),
    };
    Some(match event {
        Event::Matured { at, lot, points, debt_paid } => {
            let last_good_day = after.last_good_day(*lot);
            (*at, What::Matures { points: *points, debt_paid: *debt_paid, last_good_day })
        }
        Event::Lapsed { at, points, debt_paid, lot: _ } => {
            (*at, What::Lapses { points: *points, debt_paid: *debt_paid })
        }
        Event::Expired { at, lot, points } => {
            let last_good_day = before.last_good_day(*lot);
            (*at, What::Expires { points: *points, last_good_day })
        }
        Event::Reviewed { at, .. } => (*at, level(LevelCause::Review)),
        Event::LevelBegan { at, .. } | Event::LevelNotBegun { at, .. } => {
            (*at, level(LevelCause::Start))
        }
        Event::GraceBegan { at, .. } => (*at, level(LevelCause::Grace)),
        Event::OverrideEnded { at, .. } => (*at, level(LevelCause::OverrideEnd)),
        Event::LifeExtended { .. }
        | Event::ExpiryAnnounced { .. }
        | Event::LevelAtRisk(_)
        | Event::Earned(_)
        | Event::LevelReached { .. }
        | Event::LevelLowered { .. }
        | Event::Corrected(_)
        | Event::CorrectionRefused { .. }
        | Event::Spent { .. }
        | Event::GivenBack { .. }
        | Event::Reinstated { .. }
        | Event::LevelAwaited(_)
        | Event::OverrideSet { .. }
        | Event::OverrideLifted { .. }
        | Event::Grown { .. }
        | Event::TaskDone { .. }
        | Event::StatusChanged { .. }
        | Event::Granted(_)
        | Event::GrantTakenBack(_)
        // Its points come when it was looked into, if they do.
        | Event::Referral(_)
        | Event::Checkout(_)
        | Event::Redemption(_)
        | Event::Transfer(_)
        | Event::Adjustment(_)
        | Event::Merge(_)
        | Event::Opened(_) => return None,
    })
}
