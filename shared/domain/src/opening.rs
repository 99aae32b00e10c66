//! Openings: what a member brings from another loyalty system, once for ever.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, civil::Date};

use crate::{
    account::{LotId, Measure, MonthProgress, Pending, Tier, Wallet},
    calendar::Month,
    decide::{Decision, Rejection, Work},
    due,
    event::{Event, LotUse, Opened},
    expiry::NEVER,
    id::LevelId,
    points::{OutOfRange, Points},
    tier,
};

/// How many lots may be brought.
pub const LOTS_MAX: usize = 64;
/// How many groups of pending points may be brought.
pub const PENDING_MAX: usize = 64;
/// How many months of progress may be brought; what is older is brought as one sum.
pub const MONTHS_MAX: usize = 64;

/// How many points may be brought, and how many may be owed: what leaves room for those to come.
pub const BROUGHT_POINTS_MAX: u64 = Points::MAX.get() / 4;
/// How many orders may be brought, likewise.
pub const BROUGHT_ORDERS_MAX: u32 = u32::MAX / 2;

/// What a member brings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// Points that can be used, at most [`LOTS_MAX`]; those of one day lie in one lot.
    pub lots: Vec<BroughtLot>,
    /// Points on their way, at most [`PENDING_MAX`].
    pub pending: Vec<BroughtPending>,
    /// What the member owes.
    pub debt: Points,
    /// The level.
    pub level: Option<BroughtLevel>,
    /// Spend and orders by the month in which they were paid, at most [`MONTHS_MAX`]. Those of one
    /// month add up.
    pub months: Vec<MonthProgress>,
    /// Spend and orders of all the time before these months.
    pub earlier: Measure,
}

impl Opening {
    /// Whether it brings nothing at all.
    pub fn is_nothing(&self) -> bool {
        let nothing = Measure::default();
        self.lots.iter().all(|it| it.points.is_zero())
            && self.pending.iter().all(|it| it.points.is_zero())
            && self.debt.is_zero()
            && self.level.is_none()
            && self.months.iter().all(|it| it.measure == nothing)
            && self.earlier == nothing
    }
}

/// Points that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BroughtLot {
    /// How many.
    pub points: Points,
    /// The last day on which they can be used.
    pub last_good_day: Date,
}

/// Points on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BroughtPending {
    /// How many.
    pub points: Points,
    /// When they become available.
    pub matures_at: Timestamp,
    /// The last day on which they can be used; `None`: that of an order which matures then.
    pub last_good_day: Option<Date>,
}

/// A level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BroughtLevel {
    /// Which one of the program.
    pub level: LevelId,
    /// Until when; `None`: as if it were reached at the opening.
    pub valid_through: Option<Date>,
}

/// Points by lot, in the order of use.
type ByLot = BTreeMap<LotId, Points>;

impl Work<'_> {
    /// Adds what `opening` brings to whatever the account holds, as of the month of `sent_at`.
    pub(crate) fn open(
        mut self,
        opening: &Opening,
        sent_at: Timestamp,
    ) -> Result<Decision, Rejection> {
        self.check_opening(opening, sent_at)?;
        due::happen(&mut self)?;
        let today = self.program.calendar().day_of(self.at);
        let tier = match &opening.level {
            Some(level) => self.brought_tier(level, today)?,
            None => None,
        };
        let (mut lots, mut expired) = (ByLot::new(), ByLot::new());
        let mut pending: BTreeMap<(Timestamp, LotId), Points> = BTreeMap::new();
        for BroughtLot { points, last_good_day } in &opening.lots {
            self.put(lot_of(*last_good_day), *points, &mut lots, &mut expired)?;
        }
        for BroughtPending { points, matures_at, last_good_day } in &opening.pending {
            let given = match last_good_day {
                Some(day) => *day,
                None => self.last_good_day_of_an_order(*matures_at)?,
            };
            let lot = lot_of(given);
            // As with a late order's, what has matured lies in its lot, and what is over is gone.
            if self.at < *matures_at && !self.is_over(lot)? {
                add(&mut pending, (*matures_at, lot), *points)?;
            } else {
                self.put(lot, *points, &mut lots, &mut expired)?;
            }
        }
        let lots = uses(lots);
        let debt_paid = self.paid_by_lots(&lots, opening.debt)?;
        // Who looks back from a validity that has ended needs the months before that.
        let this_month = Month::of(today);
        let valid_through = tier.as_ref().and_then(|it| it.valid_through);
        let counted_in = valid_through.map_or(this_month, |it| Month::of(it).min(this_month));
        let brought = tier.as_ref().and_then(|it| self.program.rank_of(it.level.as_ref()?));
        let before = brought
            .map(|it| tier::level_before(self.program, &self.account, it, valid_through))
            .transpose()?;
        let opened = Opened {
            lots,
            pending: self.pending_of(pending)?,
            expired: uses(expired),
            debt: opening.debt,
            debt_paid,
            tier,
            months: opening.months.clone(),
            earlier: opening.earlier,
            counted_in,
            before,
        };
        self.record(Event::Opened(Box::new(opened)))?;
        // What fell due before they were brought does not fall due for them.
        self.account.clock = Some(self.at);
        // A level whose validity has ended is reviewed by what was brought with it.
        due::happen(&mut self)?;
        Ok(self.done(true))
    }

    fn check_opening(&self, opening: &Opening, sent_at: Timestamp) -> Result<(), Rejection> {
        if opening.lots.len() > LOTS_MAX {
            return Err(Rejection::TooManyLots);
        }
        if opening.pending.len() > PENDING_MAX {
            return Err(Rejection::TooManyPending);
        }
        if opening.months.len() > MONTHS_MAX {
            return Err(Rejection::TooManyMonths);
        }
        if let Some(BroughtLevel { level, .. }) = &opening.level
            && self.program.rank_of(level).is_none()
        {
            return Err(Rejection::LevelNotInProgram { level: level.clone() });
        }
        let calendar = self.program.calendar();
        let this_month = Month::of(calendar.day_of(sent_at));
        if let Some(month) = opening.months.iter().map(|it| it.month).find(|it| *it > this_month) {
            return Err(Rejection::MonthNotReached { month });
        }
        let lots = opening.lots.iter().map(|it| it.points);
        let points = Points::total(lots.chain(opening.pending.iter().map(|it| it.points)))?;
        let mut measures = opening.months.iter().map(|it| it.measure).chain([opening.earlier]);
        let orders = measures
            .try_fold(0_u32, |sum, it| sum.checked_add(it.orders))
            .filter(|it| *it <= BROUGHT_ORDERS_MAX);
        let most = points.max(opening.debt);
        if most.get() > BROUGHT_POINTS_MAX || orders.is_none() {
            return Err(Rejection::OutOfRange);
        }
        // A day that has no end would stop the account when its turn comes.
        let days = opening.lots.iter().map(|it| it.last_good_day);
        let days = days.chain(opening.pending.iter().filter_map(|it| it.last_good_day));
        // That of points that never expire has no turn.
        let days = days.filter(|it| *it != NEVER);
        let level = opening.level.as_ref().and_then(|it| it.valid_through);
        days.chain(level).try_for_each(|it| calendar.end_of(it).map(|_| ()))?;
        Ok(())
    }

    /// The level that the member has from now on, if the one that was brought is more than the one in
    /// force.
    fn brought_tier(
        &self,
        brought: &BroughtLevel,
        today: Date,
    ) -> Result<Option<Tier>, OutOfRange> {
        let rank = self.program.rank_of(&brought.level).unwrap_or(0);
        let valid_through = match brought.valid_through {
            Some(day) => day,
            None => Month::of(today).plus(12)?.last_day(),
        };
        let current = tier::earned_rank(self.program, &self.account);
        let is_more = if self.program.calendar().is_over(valid_through, self.at)? {
            // What its review leaves of it may be less than a level that was earned here.
            current == 0
        } else {
            (rank, Some(valid_through)) > (current, self.account.tier.valid_through)
        };
        let level = Some(brought.level.clone());
        let tier = Tier { level, valid_through: Some(valid_through), ..Tier::default() };
        Ok(Some(tier).filter(|_| rank > 0 && is_more))
    }

    fn is_over(&self, lot: LotId) -> Result<bool, OutOfRange> {
        self.program.calendar().is_over(self.account.last_good_day(lot), self.at)
    }

    fn put(
        &self,
        lot: LotId,
        points: Points,
        lots: &mut ByLot,
        expired: &mut ByLot,
    ) -> Result<(), OutOfRange> {
        add(if self.is_over(lot)? { expired } else { lots }, lot, points)
    }

    /// The last good day of an order's points that mature at `matures_at`.
    fn last_good_day_of_an_order(&self, matures_at: Timestamp) -> Result<Date, OutOfRange> {
        let earning = &self.program.spec().earning;
        let hours = i64::from(earning.pending_days).checked_mul(24).ok_or(OutOfRange)?;
        let pending = SignedDuration::from_hours(hours);
        let paid_at = matures_at.checked_sub(pending).map_err(|_| OutOfRange)?;
        let paid_on = self.program.calendar().day_of(paid_at);
        let day = earning.last_good_day(paid_on)?;
        if day == NEVER {
            return Ok(day);
        }
        self.program.calendar().end_of(day).map(|_| day)
    }

    /// Which lots, those `brought` among them, pay what is owed, in the order of use.
    fn paid_by_lots(&self, brought: &[LotUse], debt: Points) -> Result<Vec<LotUse>, OutOfRange> {
        let mut owed = self.account.debt.plus(debt)?;
        if owed.is_zero() {
            return Ok(Vec::new());
        }
        let mut account = self.account.clone();
        brought.iter().try_for_each(|it| account.fill(it.lot, it.points))?;
        let mut paid = Vec::new();
        for lot in &account.lots {
            let points = lot.points.min(owed);
            if !points.is_zero() {
                owed = owed.minus(points)?;
                paid.push(LotUse { lot: lot.id, points });
            }
        }
        Ok(paid)
    }

    /// The groups that become of `pending`, each where an order's points would come to lie.
    fn pending_of(
        &self,
        pending: BTreeMap<(Timestamp, LotId), Points>,
    ) -> Result<Vec<Pending>, OutOfRange> {
        let sequence = self.account.sequence.checked_add(1).ok_or(OutOfRange)?;
        let mut groups: Vec<Pending> = Vec::with_capacity(pending.len());
        for ((matures_at, lot), points) in pending {
            // The group before it of the same instant has another lot.
            let is_first = groups.last().is_none_or(|it| it.matures_at != matures_at);
            let since = if is_first {
                self.account.pending_since(matures_at, lot, sequence)
            } else {
                sequence
            };
            groups.push(Pending { matures_at, since, lot, points });
        }
        Ok(groups)
    }
}

const fn lot_of(given: Date) -> LotId {
    LotId { wallet: Wallet::Points, given }
}

fn add<K: Ord>(all: &mut BTreeMap<K, Points>, key: K, points: Points) -> Result<(), OutOfRange> {
    if !points.is_zero() {
        let sum = all.entry(key).or_default();
        *sum = sum.plus(points)?;
    }
    Ok(())
}

fn uses(lots: ByLot) -> Vec<LotUse> {
    lots.into_iter().map(|(lot, points)| LotUse { lot, points }).collect()
}
