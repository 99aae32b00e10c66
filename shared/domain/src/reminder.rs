//! What members are told before they lose it: points before they expire, a level before its review.
//!
//! It is told by the entries in which jobs record what fell due, and by no others.

use jiff::{Span, Timestamp, civil::Date};

use crate::{
    account::Account,
    calendar::Month,
    decide::Work,
    event::{Event, LevelAtRisk, LotUse},
    money::Minor,
    points::OutOfRange,
    program::{Program, Reminders, Thresholds},
    tier,
};

/// On which days the end of `last_day` is told of: a day before it is on that day itself.
fn days(before: &[u32], last_day: Date) -> impl Iterator<Item = Date> {
    let end = last_day.tomorrow().ok();
    before.iter().filter_map(move |days| {
        let days = Span::new().try_days(i64::from(*days)).ok()?;
        end?.checked_sub(days).ok()
    })
}

/// Whether the end of `last_day` is to be told of on `today`, where all was told through `told`. Of several
/// days that were missed the nearest counts, and what is over is told to nobody.
fn is_due(before: &[u32], last_day: Date, told: Option<Date>, today: Date) -> bool {
    today <= last_day
        && days(before, last_day).any(|it| it <= today && told.is_none_or(|told| told < it))
}

/// The first day after which something falls due for `account` or is to be told of.
///
/// `posted_at` is when a job has just recorded what fell due: nothing is told of again for what was before.
pub fn due_after(
    program: &Program,
    account: &Account,
    posted_at: Option<Timestamp>,
) -> Option<Date> {
    // Of a name nobody is told.
    if account.holdings.alias.is_some() {
        return None;
    }
    let Reminders { points_days, tier_days } = &program.spec().reminders;
    let told = account.announced_through.max(posted_at.map(|it| program.calendar().day_of(it)));
    let is_new = |day: &Date| told.is_none_or(|told| told < *day);
    let lots = account.lots.iter().filter(|it| !it.points.is_zero()).map(|it| it.last_good_day);
    // Points on their way are told of once they are there, if that is later and they are not gone.
    let pending = account.pending.iter().flat_map(|it| {
        let last_good_day = account.last_good_day(it.lot);
        let there_on = program.calendar().day_of(it.matures_at).tomorrow().unwrap_or(Date::MAX);
        days(points_days, last_good_day)
            .map(move |day| day.max(there_on))
            .filter(move |day| *day <= last_good_day)
    });
    let points = lots.flat_map(|it| days(points_days, it)).chain(pending);
    let levels = loss(program, account).into_iter().flat_map(|it| days(tier_days, it));
    let told = points.chain(levels).filter(is_new).filter_map(|it| it.yesterday().ok());
    told.chain(account.due_after()).min()
}

/// Tells what is to be told on `today`.
pub(crate) fn tell(work: &mut Work<'_>, today: Date) -> Result<(), OutOfRange> {
    if work.account.holdings.alias.is_some() {
        return Ok(());
    }
    let Reminders { points_days, tier_days } = &work.program.spec().reminders;
    let told = work.account.announced_through;
    // Lots are sorted by these days.
    let mut ends: Vec<Date> = work.account.lots.iter().map(|it| it.last_good_day).collect();
    ends.dedup();
    for last_good_day in ends {
        if !is_due(points_days, last_good_day, told, today) {
            continue;
        }
        let lots = work.account.lots.iter().filter(|it| it.last_good_day == last_good_day);
        let lots = lots.map(|it| LotUse { lot: it.id, points: it.points });
        let lots: Vec<LotUse> = lots.filter(|it| !it.points.is_zero()).collect();
        if !lots.is_empty() {
            work.record(Event::ExpiryAnnounced { day: today, last_good_day, lots })?;
        }
    }
    if let Some(last_day) = loss(work.program, &work.account)
        && is_due(tier_days, last_day, told, today)
        && let Some(at_risk) = at_risk(work.program, &work.account, today, last_day)?
    {
        work.record(Event::LevelAtRisk(Box::new(at_risk)))?;
    }
    Ok(())
}

/// The last day before the level in force may be lost: to its review, or to the end of what staff set.
fn loss(program: &Program, account: &Account) -> Option<Date> {
    let (rank, earned) = (tier::rank(program, account), tier::earned_rank(program, account));
    if rank > earned {
        return account.tier.set()?.through;
    }
    account.tier.review_after().filter(|_| earned > 0 && !has_grace(program, account))
}

/// Whether the level is kept for a while after the review that comes next, even if that would lower it.
fn has_grace(program: &Program, account: &Account) -> bool {
    program.spec().tiers.grace_months > 0 && account.tier.grace_through().is_none()
}

/// What is to be told of a level that would be lost after `last_day`, if it were measured by what counts today.
fn at_risk(
    program: &Program,
    account: &Account,
    today: Date,
    last_day: Date,
) -> Result<Option<LevelAtRisk>, OutOfRange> {
    let rank = tier::rank(program, account);
    let earned = match account.tier.review_after() {
        Some(day) if day <= last_day && !has_grace(program, account) => {
            tier::rank_after_review(program, account, Month::of(day))?
        }
        Some(_) | None => tier::earned_rank(program, account),
    };
    let after = match account.tier.set() {
        Some(set) if set.through.is_none_or(|it| last_day < it) => {
            tier::with_override(program, earned, set)
        }
        Some(_) | None => earned,
    };
    let (Some(level), Some(would_be)) = (program.levels().get(rank), program.levels().get(after))
    else {
        return Ok(None);
    };
    if after >= rank {
        return Ok(None);
    }
    // An order of today is measured over the months that end with its own, and renews the level.
    let measure = account.progress.measured(program.spec().tiers.window, Month::of(today))?;
    let Thresholds { spend, orders, growth } = program.thresholds(rank);
    let spend_missing = match spend {
        Some(needed) => {
            let missing = needed.minor().saturating_sub(measure.spend.minor());
            let missing = u64::try_from(missing).map_err(|_| OutOfRange)?;
            Some(Minor::try_from(missing)?)
        }
        None => None,
    };
    Ok(Some(LevelAtRisk {
        day: today,
        level: level.id.clone(),
        valid_through: last_day,
        would_be: would_be.id.clone(),
        spend_missing,
        orders_missing: orders.map(|it| it.saturating_sub(measure.orders)),
        currency: Some(program.spec().currency),
        growth_missing: growth.map(|it| it.saturating_sub(measure.growth)),
    }))
}
