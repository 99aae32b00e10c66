//! What falls due by itself as an account's clock moves: maturity, expiry, reviews, and that points begin
//! to slide.

use std::cmp::Ordering;

use jiff::Timestamp;

use crate::{
    account::Account,
    calendar::Month,
    decide::Work,
    event::{Event, LevelBefore},
    expiry::{Cause, Promise},
    points::OutOfRange,
    program::{Program, Rank, Review},
};

/// What can fall due; at one instant, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// Pending points become available.
    Maturity,
    /// A lot's last good day is over.
    Expiry,
    /// A level's validity is over.
    Review,
    /// Points begin to slide.
    Sliding(Promise),
}

/// Brings `account` to `instant`: everything due up to and including it happens, in order.
///
/// Returns what happened. The clock moves when the entry ends, so that an account that is only
/// looked at keeps its own.
///
/// # Errors
///
/// [`OutOfRange`] if a number or a day would leave its range. Retrying cannot help.
pub fn bring_to(
    program: &Program,
    account: Account,
    instant: Timestamp,
) -> Result<(Account, Vec<Event>), OutOfRange> {
    let mut work = Work::new(program, account, instant);
    happen(&mut work)?;
    Ok((work.account, work.events))
}

/// Lets everything happen that is due up to and including the instant of `work`.
pub(crate) fn happen(work: &mut Work<'_>) -> Result<(), OutOfRange> {
    while let Some(event) = first(work)? {
        work.record(event)?;
    }
    Ok(())
}

/// Lets the first thing happen that is due up to and including the instant of `work`, and returns it.
pub(crate) fn step(work: &mut Work<'_>) -> Result<Option<Event>, OutOfRange> {
    let event = first(work)?;
    if let Some(event) = &event {
        work.record(event.clone())?;
    }
    Ok(event)
}

/// Whether something is due up to and including the instant of `work`.
pub(crate) fn is_any_due(work: &Work<'_>) -> Result<bool, OutOfRange> {
    Ok(next(work.program, &work.account, work.at)?.is_some())
}

/// The first thing that happens up to and including the instant of `work`.
fn first(work: &Work<'_>) -> Result<Option<Event>, OutOfRange> {
    let Some((at, due)) = next(work.program, &work.account, work.at)? else { return Ok(None) };
    let event = match due {
        Due::Maturity => maturity(work, at)?,
        Due::Expiry => expiry(&work.account, at),
        Due::Review => review(work.program, &work.account, at)?,
        Due::Sliding(Promise { from, through }) => {
            Some(Event::LifeExtended { from, through, cause: Cause::SlidingBegan { at } })
        }
    };
    // `next` saw it, so it is there; without it whoever goes on would not end.
    event.ok_or(OutOfRange).map(Some)
}

/// The first thing due up to and including `until`.
fn next(
    program: &Program,
    account: &Account,
    until: Timestamp,
) -> Result<Option<(Timestamp, Due)>, OutOfRange> {
    let calendar = program.calendar();
    let mut first = account
        .pending
        .first()
        .filter(|it| it.matures_at <= until)
        .map(|it| (it.matures_at, Due::Maturity));
    let expiring = account.lots.iter().find(|it| !it.points.is_zero()).map(|it| it.last_good_day);
    let days = [(expiring, Due::Expiry), (account.tier.valid_through, Due::Review)];
    for (day, due) in days {
        if let Some(day) = day
            && calendar.is_over(day, until)?
        {
            let candidate = (calendar.end_of(day)?, due);
            if first.is_none_or(|it| candidate < it) {
                first = Some(candidate);
            }
        }
    }
    // Who comes to an account after that day finds it kept already, or nothing to keep.
    let Some(clock) = account.clock else { return Ok(first) };
    for promise in program.promises() {
        if !account.has_ends_between(promise.from, promise.through) {
            continue;
        }
        let candidate = (calendar.midnight(promise.from)?, Due::Sliding(*promise));
        let is_crossed = clock < candidate.0 && candidate.0 <= until;
        if is_crossed && first.is_none_or(|it| candidate < it) {
            first = Some(candidate);
        }
    }
    Ok(first)
}

fn maturity(work: &Work<'_>, at: Timestamp) -> Result<Option<Event>, OutOfRange> {
    let Some(pending) = work.account.pending.first() else { return Ok(None) };
    let (lot, points) = (pending.lot, pending.points);
    let day = work.account.last_good_day(lot);
    // Maturing comes before expiring, so even points that are gone at once pay a debt first.
    let debt_paid = work.account.debt.min(points);
    if work.program.calendar().is_over(day, at)? {
        return Ok(Some(Event::Lapsed { at, lot, points, debt_paid }));
    }
    Ok(Some(Event::Matured { at, lot, points, debt_paid }))
}

fn expiry(account: &Account, at: Timestamp) -> Option<Event> {
    let lot = account.lots.iter().find(|it| !it.points.is_zero())?;
    Some(Event::Expired { at, lot: lot.id, points: lot.points })
}

fn review(
    program: &Program,
    account: &Account,
    at: Timestamp,
) -> Result<Option<Event>, OutOfRange> {
    let Some(valid_through) = account.tier.valid_through else { return Ok(None) };
    let month = Month::of(valid_through);
    let rank = rank_after_review(program, account, month)?;
    let Some(level) = program.levels().get(rank) else { return Ok(None) };
    let valid_through = if rank == 0 { None } else { Some(month.plus(12)?.last_day()) };
    let before = level_before(program, account, rank);
    Ok(Some(Event::Reviewed { at, level: level.id.clone(), valid_through, before }))
}

/// The rank that a review leaves, which measures by the months that end with `month`.
pub(crate) fn rank_after_review(
    program: &Program,
    account: &Account,
    month: Month,
) -> Result<Rank, OutOfRange> {
    let tiers = &program.spec().tiers;
    let measure = account.progress.measured(tiers.window, month)?;
    let qualified = program.qualified(measure.spend, measure.orders);
    Ok(match tiers.review {
        Review::ToQualifying => qualified,
        Review::OneLevel => qualified.max(rank(program, account).saturating_sub(1)),
    })
}

/// What the level in force is to one of rank `given`.
pub(crate) fn level_before(
    program: &Program,
    account: &Account,
    given: Rank,
) -> Option<LevelBefore> {
    let rank = rank(program, account);
    let level = program.levels().get(rank)?;
    Some(match rank.cmp(&given) {
        Ordering::Less => LevelBefore::Lower(level.id.clone()),
        Ordering::Equal => LevelBefore::Same,
        Ordering::Greater => LevelBefore::Higher(level.id.clone()),
    })
}

/// The rank of the level in force.
///
/// A level that this version of the program no longer has counts as the lowest.
pub fn rank(program: &Program, account: &Account) -> Rank {
    account.tier.level.as_ref().and_then(|it| program.rank_of(it)).unwrap_or(0)
}
