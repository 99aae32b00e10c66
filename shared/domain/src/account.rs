//! An account: the unit of consistency. It records what happened without judging it.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    calendar::Month,
    event::{
        Becomes, Corrected, Earned, EarnedInLot, Event, GrantTakenBack, Granted, LotUse, Opened,
        ProgressChange, ReferralEvent, Settled,
    },
    expiry::NEVER,
    holdings::Holdings,
    id::{LevelId, TaskId},
    membership::Membership,
    money::Spend,
    points::{OutOfRange, Points},
    program::{CapPeriod, Window},
    referral::{ReferralState, Referred},
    tier::{Beside, NextLevel, Override},
};

/// Everything that decisions about a member's points and level depend on.
///
/// There is deliberately no balance in it: what is available is the sum of the lots.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// How many entries it has; the newest one's sequence number.
    pub sequence: u64,
    /// The instant up to which everything due has happened.
    pub clock: Option<Timestamp>,
    /// Lots, in the order in which they are used: by last good day, then by first filling.
    pub lots: Vec<Lot>,
    /// Points on their way, in the order in which they mature; at one instant, in that of their
    /// entries.
    pub pending: Vec<Pending>,
    /// Points held for checkouts that are not finished.
    pub held: Points,
    /// Points that the member owes.
    pub debt: Points,
    /// The level.
    pub tier: Tier,
    /// What levels are measured by.
    pub progress: Progress,
    /// What caps have counted.
    pub caps: Vec<CapUse>,
    /// Sums over all entries.
    pub totals: Totals,
    /// How many lots were ever filled.
    pub lots_filled: u64,
    /// The newest day on which the member was told of a loss to come. Where there was none it is not
    /// stored: no account had it before programs had reminders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced_through: Option<Date>,
    /// What there is beside points and level. Stores keep it beside the account, where there is any.
    #[serde(skip)]
    pub membership: Membership,
    /// What spending leaves behind. Stores keep it beside the account, where there is any.
    #[serde(skip)]
    pub holdings: Holdings,
}

/// Which kind of points.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Wallet {
    /// The program's points.
    #[default]
    Points,
}

/// What makes two lots the same: it never changes, even where the last good day moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LotId {
    /// Which kind of points.
    pub wallet: Wallet,
    /// The last good day given at earning.
    pub given: Date,
}

/// Points that can be used through one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lot {
    /// Its identity.
    pub id: LotId,
    /// The last day on which its points can be used.
    pub last_good_day: Date,
    /// What is left; an empty lot is kept until its day is over, since its place in line is.
    pub points: Points,
    /// Which lot of the account it was, in the order of first filling; [`UNFILLED`] before that.
    pub filled: u64,
}

/// The place in line of a lot that was not filled yet: it is there because it lasts longer than was given
/// at earning, while its points are still on their way.
pub const UNFILLED: u64 = u64::MAX;

/// Points on their way: those of orders that mature at one instant into one lot, as long as no order
/// between them matures then into another. Whose points pay a debt first depends on it. What a member
/// brought lies among them as if it were an order's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// When they become available.
    pub matures_at: Timestamp,
    /// The sequence number of the first entry.
    pub since: u64,
    /// Into which lot.
    pub lot: LotId,
    /// How many.
    pub points: Points,
}

/// A member's level.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    /// The level that was earned; `None` before any other than the lowest was reached.
    pub level: Option<LevelId>,
    /// Through which day, but for the lowest level.
    pub valid_through: Option<Date>,
    /// What else there is to it. Where there is nothing it is not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<Box<Beside>>,
}

impl Tier {
    /// What staff set beside it.
    pub fn set(&self) -> Option<&Override> {
        self.beside.as_ref()?.set.as_ref()
    }

    /// What was reached and begins later.
    pub fn next(&self) -> Option<&NextLevel> {
        self.beside.as_ref()?.next.as_ref()
    }

    /// Through which day it is kept although its review would have lowered it.
    pub fn grace_through(&self) -> Option<Date> {
        self.beside.as_ref()?.grace_through
    }

    fn change(&mut self, change: impl FnOnce(&mut Beside)) {
        let mut beside = self.beside.take().unwrap_or_default();
        change(&mut beside);
        self.beside = Some(beside).filter(|it| **it != Beside::default());
    }

    /// The day after which the level is reviewed: the last valid one, or that of its grace.
    pub fn review_after(&self) -> Option<Date> {
        self.grace_through().or(self.valid_through)
    }

    /// The days after which something about it falls due.
    pub(crate) fn ends(&self) -> impl Iterator<Item = Date> {
        let through = self.set().and_then(|it| it.through);
        let next = self.next().and_then(|it| it.from.yesterday().ok());
        [self.review_after(), through, next].into_iter().flatten()
    }

    fn earned(&mut self, level: &LevelId, valid_through: Option<Date>) {
        self.level = Some(level.clone());
        self.valid_through = valid_through;
        self.change(|it| it.grace_through = None);
    }
}

/// What levels are measured by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// By the month in which orders were paid, oldest first; those that no window can reach any
    /// more are dropped.
    pub months: Vec<MonthProgress>,
    /// Months before this one were dropped.
    pub since: Option<Month>,
    /// Over all time.
    pub lifetime: Measure,
    /// Which tasks were ever done, the first one in front. Where there is none it is not stored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskId>,
}

/// What one month counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonthProgress {
    /// The month.
    pub month: Month,
    /// What was paid in it.
    pub measure: Measure,
}

/// Spend, orders and growth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// The sum of eligible amounts in the program's currency.
    pub spend: Spend,
    /// The number of orders with an eligible amount above 0.
    pub orders: u32,
    /// The growth value: what activities count. Where there is none it is not stored.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub growth: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// One cap in one period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CapKey {
    /// The length of the period.
    pub period: CapPeriod,
    /// Its first day; of all time, the first of all days.
    pub from: Date,
}

impl CapKey {
    /// The `period` that holds `day`.
    pub fn of(period: CapPeriod, day: Date) -> Self {
        let from = match period {
            CapPeriod::Day => day,
            CapPeriod::Month => day.first_of_month(),
            CapPeriod::Year => day.first_of_year(),
            CapPeriod::Lifetime => Date::MIN,
        };
        Self { period, from }
    }
}

/// What one cap has counted in one period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapUse {
    /// Which.
    pub key: CapKey,
    /// Points of orders, less what refunds gave back.
    pub points: Points,
}

/// Sums over all entries of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Points of orders, whether or not they became available.
    pub earned: Points,
    /// Points that refunds took back, debt included and what was waived not.
    pub clawed_back: Points,
    /// Points used.
    pub spent: Points,
    /// Used points that came back.
    pub given_back: Points,
    /// Points whose last good day passed, but for those that staff brought back.
    pub expired: Points,
    /// What was added or taken off by other means. Where there is nothing it is not stored: most
    /// accounts never have any, and some were stored before there was this field.
    #[serde(default, skip_serializing_if = "Totals::is_unadjusted")]
    pub adjusted: Adjusted,
}

/// Sums of what did not come from orders and their use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adjusted {
    /// Points that were added.
    pub up: Points,
    /// Points that were taken off, or brought as a debt.
    pub down: Points,
}

impl Totals {
    fn is_unadjusted(adjusted: &Adjusted) -> bool {
        *adjusted == Adjusted::default()
    }
}

/// What a statement shows after an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// What can be used.
    pub available: Points,
    /// What is on its way.
    pub pending: Points,
    /// What is held.
    pub held: Points,
    /// What is owed.
    pub debt: Points,
}

impl Account {
    /// What a statement shows.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] never happens to an account that [`Account::apply`] made, since the sum of all
    /// that was ever earned, brought or given back is checked.
    pub fn balance(&self) -> Result<Balance, OutOfRange> {
        Ok(Balance {
            available: self.available()?,
            pending: Points::total(self.pending.iter().map(|it| it.points))?,
            held: self.held,
            debt: self.debt,
        })
    }

    /// What can be used: the sum of the lots.
    ///
    /// # Errors
    ///
    /// As [`Account::balance`].
    pub fn available(&self) -> Result<Points, OutOfRange> {
        Points::total(self.lots.iter().map(|it| it.points))
    }

    /// The lot called `id`, if it holds or held something and has not expired.
    pub fn lot(&self, id: LotId) -> Option<&Lot> {
        self.lots.iter().find(|it| it.id == id)
    }

    /// The last good day of the lot called `id`, whether or not it holds anything.
    pub fn last_good_day(&self, id: LotId) -> Date {
        self.lot(id).map_or(id.given, |it| it.last_good_day)
    }

    /// The first day after which something falls due that an entry should say: a lot expires, a level is
    /// reviewed or begins, or what staff set ends. Maturing is not among it, nor is that a hold ends.
    pub fn due_after(&self) -> Option<Date> {
        // Of a name nothing falls due.
        if self.holdings.alias.is_some() {
            return None;
        }
        let lots = self.lots.iter().filter(|it| !it.points.is_zero()).map(|it| it.last_good_day);
        // What is gone as it matures falls due then. The day in UTC is early enough for every time zone.
        let pending = self.pending.iter().map(|it| {
            let matures_on = jiff::tz::TimeZone::UTC.to_datetime(it.matures_at).date();
            self.last_good_day(it.lot).max(matures_on.yesterday().unwrap_or(matures_on))
        });
        // So it is with what is held: its lots end then or, if that is sooner, it is gone as its hold ends.
        let held = self.holdings.holds.iter().flat_map(|hold| {
            let ends_on = jiff::tz::TimeZone::UTC.to_datetime(hold.ends_at).date();
            let ends_after = ends_on.yesterday().unwrap_or(ends_on);
            hold.uses.iter().map(move |it| self.last_good_day(it.lot).max(ends_after))
        });
        let days = lots.chain(pending).chain(held).filter(|it| *it != NEVER);
        let referral = self.membership.referred.as_ref().and_then(|it| it.next_candidate());
        let referral = referral.map(|it| {
            let ends_on = jiff::tz::TimeZone::UTC.to_datetime(it.qualifies_at).date();
            ends_on.yesterday().unwrap_or(ends_on)
        });
        days.chain(self.tier.ends()).chain(referral).min()
    }

    /// Whether a lot, or what is to be one, has its last good day on `from` or later and before `through`.
    pub fn has_ends_between(&self, from: Date, through: Date) -> bool {
        let lots = self.lots.iter().map(|it| it.last_good_day);
        let mut days = lots.chain(self.pending.iter().map(|it| self.last_good_day(it.lot)));
        days.any(|it| from <= it && it < through)
    }

    /// What the cap called `key` has counted.
    pub fn cap_used(&self, key: CapKey) -> Points {
        self.caps.iter().find(|it| it.key == key).map_or(Points::ZERO, |it| it.points)
    }

    /// Records `event`.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] if a number would leave its range. To a decision this is a refusal; of stored
    /// events it says that they are not what was stored. Retrying cannot help. The account is then
    /// half changed and must be dropped.
    pub fn apply(&mut self, event: &Event) -> Result<(), OutOfRange> {
        match event {
            Event::Matured { at, lot, points, debt_paid } => {
                self.take_first_pending(*at, *lot, *points)?;
                self.make_available(*lot, *points, *debt_paid)
            }
            Event::Lapsed { at, lot, points, debt_paid } => {
                self.take_first_pending(*at, *lot, *points)?;
                self.debt = self.debt.minus(*debt_paid)?;
                self.expire(points.minus(*debt_paid)?)
            }
            Event::Expired { lot, points, .. } => {
                self.take_from_lot(*lot, *points)?;
                self.lots.retain(|it| it.id != *lot);
                self.expire(*points)
            }
            Event::Reviewed { level, valid_through, .. }
            | Event::LevelLowered { level, valid_through, .. } => {
                self.tier.earned(level, *valid_through);
                Ok(())
            }
            Event::LevelReached { level, valid_through, .. } => {
                self.tier.earned(level, Some(*valid_through));
                Ok(())
            }
            Event::Reinstated { lot, points, debt_paid, reason: _ } => {
                self.totals.expired = self.totals.expired.minus(*points)?;
                self.make_available(*lot, *points, *debt_paid)
            }
            Event::LevelAwaited(next) => {
                self.tier.change(|it| it.next = Some(next.clone()));
                Ok(())
            }
            Event::LevelBegan { level, valid_through, .. } => {
                self.tier.earned(level, Some(*valid_through));
                self.tier.change(|it| it.next = None);
                Ok(())
            }
            Event::LevelNotBegun { .. } => {
                self.tier.change(|it| it.next = None);
                Ok(())
            }
            Event::GraceBegan { through, .. } => {
                self.tier.change(|it| it.grace_through = Some(*through));
                Ok(())
            }
            Event::OverrideSet { set, .. } => {
                self.tier.change(|it| it.set = Some(set.clone()));
                Ok(())
            }
            Event::OverrideLifted { .. } | Event::OverrideEnded { .. } => {
                self.tier.change(|it| it.set = None);
                Ok(())
            }
            Event::Grown { month, growth, counted_in } => {
                self.progress.grow(*month, *growth, *counted_in)
            }
            Event::TaskDone { task } => {
                self.progress.tasks.push(task.clone());
                Ok(())
            }
            Event::Earned(earned) => self.apply_earned(earned),
            Event::Corrected(corrected) => self.apply_corrected(corrected),
            Event::CorrectionRefused { .. } => Ok(()),
            Event::Spent { uses } => {
                for it in uses {
                    self.take_from_lot(it.lot, it.points)?;
                    self.totals.spent = self.totals.spent.plus(it.points)?;
                }
                Ok(())
            }
            Event::GivenBack { debt_paid, restored, .. } => {
                self.apply_given_back(*debt_paid, restored)
            }
            Event::Opened(opened) => self.apply_opened(opened),
            Event::LifeExtended { from, through, cause: _ } => {
                self.extend(*from, *through);
                Ok(())
            }
            Event::ExpiryAnnounced { day, .. } => self.announce(*day),
            Event::LevelAtRisk(at_risk) => self.announce(at_risk.day),
            Event::StatusChanged { at, status, reason: _ } => {
                self.membership.change(*status, *at);
                Ok(())
            }
            Event::Granted(granted) => self.apply_granted(granted),
            Event::GrantTakenBack(taken) => self.apply_taken_back(taken),
            Event::Referral(event) => {
                self.apply_referral(event);
                Ok(())
            }
            Event::Checkout(event) => self.apply_checkout(event),
            Event::Redemption(event) => self.apply_redemption(event),
            Event::Transfer(event) => self.apply_transfer(event),
            Event::Adjustment(event) => self.apply_adjustment(event),
            Event::Merge(event) => self.apply_merge(event),
        }
    }

    pub(crate) fn apply_given_back(
        &mut self,
        debt_paid: Points,
        restored: &[LotUse],
    ) -> Result<(), OutOfRange> {
        self.debt = self.debt.minus(debt_paid)?;
        self.totals.given_back = self.totals.given_back.plus(debt_paid)?;
        for it in restored {
            self.fill(it.lot, it.points)?;
            self.totals.given_back = self.totals.given_back.plus(it.points)?;
        }
        self.check_range()
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is one arm of a match whose others may fail")]
    fn announce(&mut self, day: Date) -> Result<(), OutOfRange> {
        self.announced_through = self.announced_through.max(Some(day));
        Ok(())
    }

    pub(crate) fn expire(&mut self, points: Points) -> Result<(), OutOfRange> {
        self.totals.expired = self.totals.expired.plus(points)?;
        Ok(())
    }

    fn apply_taken_back(&mut self, taken: &GrantTakenBack) -> Result<(), OutOfRange> {
        let own = (self.clock.unwrap_or(Timestamp::MIN), taken.share.lot, 0);
        self.settle(own, taken.share.points, Points::ZERO, &taken.settled)?;
        self.membership.referrals.remove(taken);
        Ok(())
    }

    fn apply_granted(&mut self, granted: &Granted) -> Result<(), OutOfRange> {
        let Granted { share, becomes, .. } = granted;
        let (since, lot, points) = (self.sequence, share.lot, share.points);
        // Nothing of it waits, so it does not matter since when.
        let matures_at = self.clock.unwrap_or(Timestamp::MIN);
        self.credit(Pending { matures_at, since, lot, points }, *becomes)?;
        self.membership.referrals.add(granted)
    }

    fn apply_referral(&mut self, event: &ReferralEvent) {
        if let ReferralEvent::Named { referrer } = event {
            let (referrer, state) = (referrer.clone(), ReferralState::Named);
            let referred = Referred { referrer, state, candidates: Vec::new() };
            self.membership.referred = Some(Box::new(referred));
        } else if let Some(referred) = &mut self.membership.referred {
            referred.apply(event);
        }
    }

    fn extend(&mut self, from: Date, through: Date) {
        for id in self.pending.iter().map(|it| it.lot) {
            if from <= id.given && id.given < through && !self.lots.iter().any(|it| it.id == id) {
                let (last_good_day, points) = (id.given, Points::ZERO);
                self.lots.push(Lot { id, last_good_day, points, filled: UNFILLED });
            }
        }
        for lot in &mut self.lots {
            if from <= lot.last_good_day {
                lot.last_good_day = lot.last_good_day.max(through);
            }
        }
        self.sort_lots();
    }

    /// Lots are used by last good day, then by first filling.
    pub(crate) fn sort_lots(&mut self) {
        self.lots.sort_by_key(|it| (it.last_good_day, it.filled, it.id));
    }

    fn apply_opened(&mut self, opened: &Opened) -> Result<(), OutOfRange> {
        for LotUse { lot, points } in &opened.lots {
            self.fill(*lot, *points)?;
        }
        for group in &opened.pending {
            self.add_pending(*group)?;
        }
        let expired = Points::total(opened.expired.iter().map(|it| it.points))?;
        self.totals.expired = self.totals.expired.plus(expired)?;
        let lots = opened.lots.iter().map(|it| it.points);
        let pending = opened.pending.iter().map(|it| it.points);
        let up = Points::total(lots.chain(pending).chain([expired]))?;
        self.totals.adjusted.up = self.totals.adjusted.up.plus(up)?;
        self.totals.adjusted.down = self.totals.adjusted.down.plus(opened.debt)?;
        self.debt = self.debt.plus(opened.debt)?;
        for LotUse { lot, points } in &opened.debt_paid {
            self.take_from_lot(*lot, *points)?;
            self.debt = self.debt.minus(*points)?;
        }
        if let Some(Tier { level: Some(level), valid_through, .. }) = &opened.tier {
            self.tier.earned(level, *valid_through);
        }
        self.progress.forget_before(opened.counted_in)?;
        for MonthProgress { month, measure } in &opened.months {
            self.progress.lifetime.add(*measure)?;
            if let Some(sum) = self.progress.month(*month)? {
                sum.add(*measure)?;
            }
        }
        self.progress.lifetime.add(opened.earlier)?;
        self.check_range()
    }

    fn apply_earned(&mut self, earned: &Earned) -> Result<(), OutOfRange> {
        let order = &earned.order;
        for EarnedInLot { lot, points, becomes } in earned.by_lot()? {
            let since = self.pending_since(order.matures_at, lot, order.sequence);
            self.credit(Pending { matures_at: order.matures_at, since, lot, points }, becomes)?;
        }
        for key in &order.caps {
            self.use_cap(*key, order.points)?;
        }
        self.progress.forget_before(earned.counted_in)?;
        self.progress.change(&earned.progress)
    }

    fn apply_corrected(&mut self, corrected: &Corrected) -> Result<(), OutOfRange> {
        let (at, sequence) = (corrected.matures_at, corrected.order_sequence);
        for (lot, before, after, settled) in corrected.by_lot()? {
            self.settle((at, lot, sequence), before, after, settled)?;
        }
        for key in &corrected.caps {
            if corrected.points_after >= corrected.points_before {
                self.use_cap(*key, corrected.points_after.minus(corrected.points_before)?)?;
            } else {
                let given_back = corrected.points_before.minus(corrected.points_after)?;
                // Who was one with another and parted may count less than an order gave.
                if let Some(cap) = self.caps.iter_mut().find(|it| it.key == *key) {
                    cap.points = cap.points.minus_or_zero(given_back);
                }
            }
        }
        self.progress.correct(&corrected.progress)
    }

    /// Puts the difference between points `before` and `after` where `settled` says, of an order that matures
    /// at an instant into a lot and has a sequence number.
    pub(crate) fn settle(
        &mut self,
        (matures_at, lot, sequence): (Timestamp, LotId, u64),
        before: Points,
        after: Points,
        settled: &Settled,
    ) -> Result<(), OutOfRange> {
        match settled {
            Settled::TakenBack { pending, lots, debt, waived: _ } => {
                if !pending.is_zero() {
                    let index = self.own_pending(matures_at, lot, sequence);
                    self.take_pending(index, *pending)?;
                }
                for LotUse { lot, points } in lots {
                    self.take_from_lot(*lot, *points)?;
                }
                self.debt = self.debt.plus(*debt)?;
                let taken = Points::total(lots.iter().map(|it| it.points))?;
                let taken = taken.plus(*pending)?.plus(*debt)?;
                self.totals.clawed_back = self.totals.clawed_back.plus(taken)?;
            }
            Settled::Added(becomes) => {
                let points = after.minus(before)?;
                let own = self.own_pending(matures_at, lot, sequence);
                let own = own.and_then(|it| self.pending.get(it));
                let since = own.map_or(sequence, |it| it.since);
                self.credit(Pending { matures_at, since, lot, points }, *becomes)?;
            }
            Settled::GoneAlready | Settled::NoAccount => (),
        }
        Ok(())
    }

    /// Adds earned points to where `becomes` says.
    fn credit(&mut self, arriving: Pending, becomes: Becomes) -> Result<(), OutOfRange> {
        let Pending { lot, points, .. } = arriving;
        if points.is_zero() {
            return Ok(());
        }
        self.totals.earned = self.totals.earned.plus(points)?;
        match becomes {
            Becomes::Pending => self.add_pending(arriving)?,
            Becomes::Available { debt_paid } => self.make_available(lot, points, debt_paid)?,
            Becomes::Expired => self.totals.expired = self.totals.expired.plus(points)?,
            Becomes::Unclaimed => (),
        }
        self.check_range()
    }

    /// Since when points that arrive with the entry `sequence` are said to wait: who is served after
    /// others of the same instant does not join those before them.
    pub(crate) fn pending_since(&self, matures_at: Timestamp, lot: LotId, sequence: u64) -> u64 {
        let last = self.pending.iter().rfind(|it| it.matures_at == matures_at);
        last.filter(|it| it.lot == lot).map_or(sequence, |it| it.since)
    }

    pub(crate) fn add_pending(&mut self, arriving: Pending) -> Result<(), OutOfRange> {
        // Only of what is brought in one entry does the lot decide.
        let place = |it: &Pending| (it.matures_at, it.since, it.lot);
        let index = self.pending.partition_point(|it| place(it) < place(&arriving));
        match self.pending.get_mut(index) {
            Some(same) if place(same) == place(&arriving) => {
                same.points = same.points.plus(arriving.points)?;
            }
            _ => self.pending.insert(index, arriving),
        }
        Ok(())
    }

    pub(crate) fn make_available(
        &mut self,
        lot: LotId,
        points: Points,
        debt_paid: Points,
    ) -> Result<(), OutOfRange> {
        self.debt = self.debt.minus(debt_paid)?;
        self.fill(lot, points.minus(debt_paid)?)
    }

    pub(crate) fn fill(&mut self, id: LotId, points: Points) -> Result<(), OutOfRange> {
        if points.is_zero() {
            return Ok(());
        }
        if let Some(lot) = self.lots.iter_mut().find(|it| it.id == id && it.filled != UNFILLED) {
            lot.points = lot.points.plus(points)?;
            return Ok(());
        }
        let filled = self.lots_filled;
        self.lots_filled = filled.checked_add(1).ok_or(OutOfRange)?;
        if let Some(lot) = self.lots.iter_mut().find(|it| it.id == id) {
            (lot.points, lot.filled) = (lot.points.plus(points)?, filled);
            self.sort_lots();
            return Ok(());
        }
        let place = |it: &Lot| (it.last_good_day, it.filled) < (id.given, filled);
        let index = self.lots.partition_point(place);
        self.lots.insert(index, Lot { id, last_good_day: id.given, points, filled });
        Ok(())
    }

    pub(crate) fn take_from_lot(&mut self, id: LotId, points: Points) -> Result<(), OutOfRange> {
        let lot = self.lots.iter_mut().find(|it| it.id == id).ok_or(OutOfRange)?;
        lot.points = lot.points.minus(points)?;
        Ok(())
    }

    /// Where the pending points of an order are, if it has any: among those that mature as it does,
    /// the last that began with it or before it.
    pub(crate) fn own_pending(
        &self,
        matures_at: Timestamp,
        lot: LotId,
        order_sequence: u64,
    ) -> Option<usize> {
        self.pending.iter().rposition(|it| {
            it.matures_at == matures_at && it.lot == lot && it.since <= order_sequence
        })
    }

    /// Takes off what matures first.
    fn take_first_pending(
        &mut self,
        matures_at: Timestamp,
        lot: LotId,
        points: Points,
    ) -> Result<(), OutOfRange> {
        let is_first =
            self.pending.first().is_some_and(|it| it.matures_at == matures_at && it.lot == lot);
        self.take_pending(is_first.then_some(0), points)
    }

    pub(crate) fn take_pending(
        &mut self,
        index: Option<usize>,
        points: Points,
    ) -> Result<(), OutOfRange> {
        let index = index.ok_or(OutOfRange)?;
        let pending = self.pending.get_mut(index).ok_or(OutOfRange)?;
        pending.points = pending.points.minus(points)?;
        if pending.points.is_zero() {
            self.pending.remove(index);
        }
        Ok(())
    }

    pub(crate) fn use_cap(&mut self, key: CapKey, points: Points) -> Result<(), OutOfRange> {
        if points.is_zero() {
            return Ok(());
        }
        match self.caps.iter_mut().find(|it| it.key == key) {
            Some(cap) => cap.points = cap.points.plus(points)?,
            None => self.caps.push(CapUse { key, points }),
        }
        Ok(())
    }

    /// That no sum over the account can overflow later.
    pub(crate) fn check_range(&self) -> Result<(), OutOfRange> {
        let Totals { earned, given_back, adjusted, .. } = self.totals;
        let both = [adjusted, self.holdings.merged, self.holdings.transferred];
        let both = both.into_iter().flat_map(|it| [it.up, it.down]);
        Points::total(both.chain([earned, given_back])).map(|_| ())
    }

    /// Ends an entry that took effect at `at`: the next sequence number, and the clock moves.
    ///
    /// Empty lots go once their day was over before yesterday. That is by the date in UTC, which is
    /// late enough for every time zone, so that replaying needs no program.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] after 2^64 entries.
    pub fn end_entry(&mut self, at: Timestamp) -> Result<(), OutOfRange> {
        self.sequence = self.sequence.checked_add(1).ok_or(OutOfRange)?;
        self.clock = Some(at);
        let date = jiff::tz::TimeZone::UTC.to_datetime(at).date();
        if let Ok(yesterday) = date.yesterday() {
            self.lots.retain(|it| !it.points.is_zero() || it.last_good_day >= yesterday);
        }
        Ok(())
    }

    /// The account after the entries of a history, each with its instant.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] if the events are not a history that was decided. Retrying cannot help.
    pub fn replay<'a>(
        history: impl IntoIterator<Item = (Timestamp, &'a [Event])>,
    ) -> Result<Self, OutOfRange> {
        let mut account = Self::default();
        for (at, events) in history {
            events.iter().try_for_each(|event| account.apply(event))?;
            account.end_entry(at)?;
        }
        Ok(account)
    }
}

impl Progress {
    /// What `window` holds that ends with, or contains, `month`.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] at the ends of time.
    pub fn measured(&self, window: Window, month: Month) -> Result<Measure, OutOfRange> {
        let (first, last) = match window {
            Window::Lifetime => return Ok(self.lifetime),
            Window::TwelveMonths => (month.plus(-11)?, month),
            Window::CalendarYear => (month.january(), month.january().plus(11)?),
        };
        self.months.iter().filter(|it| first <= it.month && it.month <= last).try_fold(
            Measure::default(),
            |mut sum, it| {
                sum.add(it.measure)?;
                Ok(sum)
            },
        )
    }

    /// Drops what no window can reach once the clock is in `month`.
    ///
    /// Reviews look back from the last valid month, which is at least the clock's.
    fn forget_before(&mut self, month: Month) -> Result<(), OutOfRange> {
        let since = month.plus(-12)?;
        if self.since.is_none_or(|it| it < since) {
            self.since = Some(since);
            self.months.retain(|it| it.month >= since);
        }
        Ok(())
    }

    fn grow(&mut self, month: Month, growth: u32, counted_in: Month) -> Result<(), OutOfRange> {
        self.forget_before(counted_in)?;
        let grown = Measure { growth: u64::from(growth), ..Measure::default() };
        self.lifetime.add(grown)?;
        self.month(month)?.map_or(Ok(()), |it| it.add(grown))
    }

    /// Changes what a correction says. Who was one with another and parted may count less than an order gave: what is
    /// not there is not taken off, since no refund may be refused for it.
    fn correct(&mut self, change: &ProgressChange) -> Result<(), OutOfRange> {
        if !change.is_less {
            return self.change(change);
        }
        let less = Measure { spend: change.spend, orders: change.order.into(), growth: 0 };
        self.lifetime.take(less)?;
        self.month(change.month)?.map_or(Ok(()), |it| it.take(less))
    }

    /// Adds what counted in another account.
    pub(crate) fn join(
        &mut self,
        months: &[MonthProgress],
        lifetime: Measure,
    ) -> Result<(), OutOfRange> {
        self.lifetime.add(lifetime)?;
        for MonthProgress { month, measure } in months {
            self.month(*month)?.map_or(Ok(()), |it| it.add(*measure))?;
        }
        Ok(())
    }

    /// Takes off what counted in another account, as far as it is there.
    pub(crate) fn part(
        &mut self,
        months: &[MonthProgress],
        lifetime: Measure,
    ) -> Result<(), OutOfRange> {
        self.lifetime.take(lifetime)?;
        for MonthProgress { month, measure } in months {
            self.month(*month)?.map_or(Ok(()), |it| it.take(*measure))?;
        }
        Ok(())
    }

    fn change(&mut self, change: &ProgressChange) -> Result<(), OutOfRange> {
        change.on(&mut self.lifetime)?;
        self.month(change.month)?.map_or(Ok(()), |it| change.on(it))
    }

    /// What `month` counts, unless it was dropped.
    fn month(&mut self, month: Month) -> Result<Option<&mut Measure>, OutOfRange> {
        if self.since.is_some_and(|since| month < since) {
            return Ok(None);
        }
        let index = self.months.partition_point(|it| it.month < month);
        if self.months.get(index).is_none_or(|it| it.month != month) {
            let measure = Measure::default();
            self.months.insert(index, MonthProgress { month, measure });
        }
        self.months.get_mut(index).map(|it| Some(&mut it.measure)).ok_or(OutOfRange)
    }
}

impl Measure {
    fn add(&mut self, more: Self) -> Result<(), OutOfRange> {
        self.spend = self.spend.plus(more.spend)?;
        self.orders = self.orders.checked_add(more.orders).ok_or(OutOfRange)?;
        self.growth = self.growth.checked_add(more.growth).ok_or(OutOfRange)?;
        Ok(())
    }
}

impl Measure {
    /// Takes off `less`, as far as it is there.
    fn take(&mut self, less: Self) -> Result<(), OutOfRange> {
        self.spend = self.spend.minus(self.spend.min(less.spend))?;
        self.orders = self.orders.saturating_sub(less.orders);
        self.growth = self.growth.saturating_sub(less.growth);
        Ok(())
    }
}

impl ProgressChange {
    fn on(&self, measure: &mut Measure) -> Result<(), OutOfRange> {
        let order = u32::from(self.order);
        if self.is_less {
            measure.spend = measure.spend.minus(self.spend)?;
            measure.orders = measure.orders.checked_sub(order).ok_or(OutOfRange)?;
        } else {
            measure.spend = measure.spend.plus(self.spend)?;
            measure.orders = measure.orders.checked_add(order).ok_or(OutOfRange)?;
        }
        Ok(())
    }
}
