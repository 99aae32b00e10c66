//! What falls due by itself as an account's clock moves: maturity, holds' ends, expiry, levels that begin, are reviewed
//! or were set for a time, and that points begin to slide.

use jiff::Timestamp;

use crate::{
    account::Account,
    checkout::ReleaseCause,
    decide::Work,
    event::Event,
    expiry::{Cause, Promise},
    points::OutOfRange,
    program::Program,
    tier::{self, NextLevel},
};

/// What can fall due; at one instant, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// Pending points become available.
    Maturity,
    /// A hold ends.
    HoldEnd,
    /// A lot's last good day is over.
    Expiry,
    /// A level that was reached before begins.
    Start,
    /// A level's validity, or its grace, is over.
    Review,
    /// What staff set is over.
    OverrideEnd,
    /// Points begin to slide.
    Sliding(Promise),
    /// The return window of an order ends that a referral waits for.
    Referral,
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
    Ok(next(work)?.is_some())
}

/// The first thing that happens up to and including the instant of `work`.
fn first(work: &Work<'_>) -> Result<Option<Event>, OutOfRange> {
    let Some((at, due)) = next(work)? else { return Ok(None) };
    let event = match due {
        Due::Maturity => maturity(work, at)?,
        Due::HoldEnd => hold_end(work, at)?,
        Due::Expiry => expiry(&work.account, at),
        Due::Start => tier::start(work.program, &work.account, at)?,
        Due::Review => tier::review(work.program, &work.account, at)?,
        Due::OverrideEnd => Some(tier::override_end(work.program, &work.account, at)?),
        Due::Sliding(Promise { from, through }) => {
            Some(Event::LifeExtended { from, through, cause: Cause::SlidingBegan { at } })
        }
        Due::Referral => {
            let referred = work.account.membership.referred.as_ref();
            referred.and_then(|it| it.next_candidate().map(|first| it.window_ended(first)))
        }
    };
    // `next` saw it, so it is there; without it whoever goes on would not end.
    event.ok_or(OutOfRange).map(Some)
}

/// The first thing due up to and including the instant of `work`.
fn next(work: &Work<'_>) -> Result<Option<(Timestamp, Due)>, OutOfRange> {
    let &Work { program, ref account, at: until, .. } = work;
    // What is only a name has nothing that could fall due, and its level is not looked at.
    if account.holdings.alias.is_some() {
        return Ok(None);
    }
    let calendar = program.calendar();
    let mut first = account
        .pending
        .first()
        .filter(|it| it.matures_at <= until)
        .map(|it| (it.matures_at, Due::Maturity));
    if let Some(hold) = account.first_to_end() {
        let candidate = (hold.ends_at, Due::HoldEnd);
        if candidate.0 <= until && first.is_none_or(|it| candidate < it) {
            first = Some(candidate);
        }
    }
    let expiring = account.lots.iter().find(|it| !it.points.is_zero()).map(|it| it.last_good_day);
    let set_through = account.tier.set().and_then(|it| it.through);
    let days = [
        (expiring, Due::Expiry),
        (account.tier.review_after(), Due::Review),
        (set_through, Due::OverrideEnd),
    ];
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
    if let Some(NextLevel { from, .. }) = account.tier.next() {
        let candidate = (calendar.midnight(*from)?, Due::Start);
        if candidate.0 <= until && first.is_none_or(|it| candidate < it) {
            first = Some(candidate);
        }
    }
    if let Some(candidate) = account.membership.referred.as_ref().and_then(|it| it.next_candidate())
    {
        let candidate = (candidate.qualifies_at, Due::Referral);
        if candidate.0 <= until && first.is_none_or(|it| candidate < it) {
            first = Some(candidate);
        }
    }
    // Who comes to an account after that day finds it kept already, or nothing to keep.
    let Some(clock) = account.clock else { return Ok(first) };
    for promise in program.promises() {
        if !account.has_ends_between(promise.from, promise.through) {
            continue;
        }
        let candidate = (calendar.midnight(promise.from)?, Due::Sliding(*promise));
        // Nor does it keep what came after it, by what ended since or by the command itself: the clock moves when the
        // entry ends.
        let comes_after = |it: &Event| it.fell_due_at().is_none_or(|at| at > candidate.0);
        let is_past = || work.events.iter().any(comes_after);
        let is_crossed = clock < candidate.0 && candidate.0 <= until && !is_past();
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

fn hold_end(work: &Work<'_>, at: Timestamp) -> Result<Option<Event>, OutOfRange> {
    let Some(hold) = work.account.first_to_end() else { return Ok(None) };
    let event = work.released(hold, ReleaseCause::Ended { at })?;
    Ok(Some(Event::Checkout(Box::new(event))))
}

fn expiry(account: &Account, at: Timestamp) -> Option<Event> {
    let lot = account.lots.iter().find(|it| !it.points.is_zero())?;
    Some(Event::Expired { at, lot: lot.id, points: lot.points })
}
