//! Checkout: points that are held for an order, and what pays for it.

use std::num::NonZeroU32;

use ethnum::U256;
use jiff::{SignedDuration, Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    account::{Account, LotId},
    command::{Canonical, Correction},
    decide::{Decision, Rejection, Work},
    due,
    event::{Event, LotUse},
    id::{CommandId, HoldId},
    money::{Currency, Minor},
    order::{Content, KeptLine, LineKey, Order, eligible, kept_lines},
    points::{OutOfRange, Points},
    program::{CheckoutSpec, Program},
    rate::{Rate, floor_product},
};

/// How many uses of holds by call an account remembers until the orders come that name the holds: an order that comes
/// after so many others is paid from lots.
pub const CAPTURED_MAX: usize = 16;

/// How many holds an account has at once: of a member with more open checkouts something is wrong.
pub const HOLDS_MAX: usize = 16;

/// What is asked of points that are held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckoutAct {
    /// Points are held.
    Hold(NewHold),
    /// Held points are used.
    Capture {
        /// Which.
        hold: HoldId,
        /// How many; the rest is let go. `None`: all.
        points: Option<Points>,
    },
    /// Held points are let go.
    Release {
        /// Which.
        hold: HoldId,
        /// Whether what was used of it by call comes back, too, which is for the shop to say: else a member would
        /// take back what they have paid with.
        with_captured: bool,
    },
}

/// Points that are to be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewHold {
    /// What the order comes to.
    pub total: Minor,
    /// Its currency.
    pub currency: Currency,
    /// How many points, as they were quoted; `None`: the most that the order and the account allow.
    pub points: Option<Points>,
    /// How long; `None`: as the program says, which is the longest, too.
    pub minutes: Option<NonZeroU32>,
}

/// What points were worth when they were held. What comes later is counted by it, whatever newer versions of the
/// program say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// How many major units of the program's currency one point pays.
    pub point_worth: Rate,
    /// The order's currency.
    pub currency: Currency,
    /// How many major units of the program's currency one of the order's is.
    pub rate: Rate,
}

/// What points pay of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// How many points: the fewest that are worth `amount`.
    pub points: Points,
    /// How much they pay, in minor units of the order's currency.
    pub amount: Minor,
    /// The fewest points with which an order is paid, worth a minor unit at least.
    pub min_points: Points,
    /// The most points with which this order is paid, whoever pays.
    pub most: Points,
    /// Why it is nothing; `None` if it is something.
    pub why_nothing: Option<WhyNothing>,
}

/// Why points pay nothing of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyNothing {
    /// The order, or the share of it that points may pay, is worth fewer points than the program's minimum.
    OrderTooSmall,
    /// The member has fewer points than that.
    TooFewAvailable,
    /// Fewer points than that are wanted.
    TooFewWanted,
}

/// Points that are held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// Which lots gave how many, in the order in which they were used; less what was used of it.
    pub uses: Vec<LotUse>,
    /// When it ends by itself.
    pub ends_at: Timestamp,
    /// What its points are worth.
    pub terms: Terms,
    /// What all of them pay.
    pub amount: Minor,
}

impl Hold {
    /// How many points are held.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] never happens to what was decided.
    pub fn points(&self) -> Result<Points, OutOfRange> {
        total(&self.uses)
    }
}

/// Where points went that came back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Back {
    /// How many paid a debt.
    pub debt_paid: Points,
    /// How many went back to which lots; a lot of today's making holds what was reinstated.
    pub restored: Vec<LotUse>,
    /// How many stay lost, because their lots expired meanwhile.
    pub lost: Points,
}

impl Back {
    /// How many came back, lost ones included.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] never happens to what was decided.
    pub fn points(&self) -> Result<Points, OutOfRange> {
        total(&self.restored)?.plus(self.debt_paid)?.plus(self.lost)
    }
}

/// Why held points were let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseCause {
    /// Somebody asked for it.
    Asked,
    /// The rest of the hold was used, or its order needed none.
    NotNeeded,
    /// It ended by itself.
    Ended {
        /// When.
        at: Timestamp,
    },
    /// Somebody asked for it after its points were used by call, and before any order named it.
    CaptureUndone,
}

/// What happened to points that pay for orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckoutEvent {
    /// Points were taken out of their lots and are held.
    Held(Hold),
    /// Held points were used by call.
    Captured {
        /// Of which hold.
        hold: HoldId,
        /// Which.
        uses: Vec<LotUse>,
    },
    /// Held points were let go, and with them the hold.
    Released {
        /// Which.
        hold: HoldId,
        /// Why.
        cause: ReleaseCause,
        /// Where they went.
        back: Back,
    },
    /// An order that names a hold was paid.
    Paid(Paid),
    /// A refund or a cancellation gave points back that had paid its order.
    Returned {
        /// Which refund or cancellation.
        by: CommandId,
        /// Whether the sender said how many.
        is_said: bool,
        /// How many were said beyond what was left, and cut.
        cut: Points,
        /// Where they went.
        back: Back,
    },
    /// An edit changed what points pay of its order.
    PaidAnew(PaidAnew),
}

/// What points pay of an order, once it is paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// The hold that the order names.
    pub hold: HoldId,
    /// What points are worth to it; `None` if the hold was gone, and the program lets points pay nothing.
    pub terms: Option<Terms>,
    /// What the order says that they pay.
    pub amount: Minor,
    /// How much of it was taken off lines that count.
    pub counting: Minor,
    /// Which points of the hold pay it that were used before, by call.
    pub captured: Vec<LotUse>,
    /// Which points of the hold pay it.
    pub held: Vec<LotUse>,
    /// Which points of lots, because the hold was gone or too small.
    pub lots: Vec<LotUse>,
    /// How many more points it would have needed, which were nowhere.
    pub uncovered: Points,
}

/// What points pay of an order that was edited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaidAnew {
    /// The edit.
    pub by: CommandId,
    /// What the order says now that they pay.
    pub amount: Minor,
    /// How much of it was taken off lines that count.
    pub counting: Minor,
    /// How many points pay it, refunded ones included.
    pub points: Points,
    /// How many of them count as refunded.
    pub refunded: Points,
    /// Which more points of lots.
    pub lots: Vec<LotUse>,
    /// How many more points it would have needed, which were nowhere.
    pub uncovered: Points,
    /// Where points went that are not needed any more.
    pub back: Back,
}

/// What points pay of an order, and what refunds gave back of them.
///
/// Invariant: what is in use is `points` less `refunded`, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// As in [`Paid::terms`].
    pub terms: Option<Terms>,
    /// What the order says that points pay.
    pub amount: Minor,
    /// How much of it was taken off lines that count.
    pub counting: Minor,
    /// How many points pay it, refunded ones included.
    pub points: Points,
    /// Which points are in use for it, in the order in which they were used.
    pub uses: Vec<LotUse>,
    /// How many were refunded.
    pub refunded: Points,
    /// Whether the sender of a refund ever said how many come back.
    pub is_said: bool,
    /// How many more points it would have needed.
    pub uncovered: Points,
}

impl CheckoutAct {
    pub(crate) fn write(&self, content: &mut Canonical) {
        let optional = |number: Option<u64>| number.map_or(-1, i128::from);
        match self {
            Self::Hold(NewHold { total, currency, points, minutes }) => {
                content.text("hold");
                content.amount(*total);
                content.text(currency.code());
                content.number(optional(points.map(Points::get)));
                content.number(optional(minutes.map(|it| it.get().into())));
            }
            Self::Capture { hold, points } => {
                content.text("capture");
                content.text(&hold.to_string());
                content.number(optional(points.map(Points::get)));
            }
            Self::Release { hold, with_captured } => {
                content.text("release");
                content.text(&hold.to_string());
                if *with_captured {
                    content.text("with captured");
                }
            }
        }
    }
}

impl CheckoutEvent {
    pub(crate) const fn fell_due_at(&self) -> Option<Timestamp> {
        match self {
            Self::Released { cause: ReleaseCause::Ended { at }, .. } => Some(*at),
            Self::Released {
                cause: ReleaseCause::Asked | ReleaseCause::NotNeeded | ReleaseCause::CaptureUndone,
                ..
            }
            | Self::Held(_)
            | Self::Captured { .. }
            | Self::Paid(_)
            | Self::Returned { .. }
            | Self::PaidAnew(_) => None,
        }
    }
}

fn total(uses: &[LotUse]) -> Result<Points, OutOfRange> {
    Points::total(uses.iter().map(|it| it.points))
}

/// The first `points` of `uses`, and the others.
fn split(uses: &[LotUse], points: Points) -> Result<(Vec<LotUse>, Vec<LotUse>), OutOfRange> {
    let (mut first, mut others) = (Vec::new(), Vec::new());
    let mut missing = points;
    for LotUse { lot, points } in uses.iter().copied() {
        let taken = points.min(missing);
        missing = missing.minus(taken)?;
        let left = points.minus(taken)?;
        for (part, points) in [(&mut first, taken), (&mut others, left)] {
            if !points.is_zero() {
                part.push(LotUse { lot, points });
            }
        }
    }
    Ok((first, others))
}

fn big(number: impl Into<u64>) -> U256 {
    U256::from(number.into())
}

fn ten_to(digits: u8) -> Result<U256, OutOfRange> {
    U256::new(10).checked_pow(digits.into()).ok_or(OutOfRange)
}

/// The quotient, rounded down, or the largest number if it is larger than can be counted.
fn divided(product: U256, divisor: U256) -> Result<u64, OutOfRange> {
    let quotient = product.checked_div(divisor).ok_or(OutOfRange)?;
    Ok(u64::try_from(quotient).unwrap_or(u64::MAX).min(Points::MAX.get()))
}

/// The product; three numbers of 64 bits always fit.
fn product(factors: [U256; 3]) -> Result<U256, OutOfRange> {
    factors.into_iter().try_fold(U256::ONE, U256::checked_mul).ok_or(OutOfRange)
}

fn spec(program: &Program) -> Result<&CheckoutSpec, Rejection> {
    program.spec().checkout.as_ref().ok_or(Rejection::PointsDoNotPay)
}

impl Terms {
    /// What points are worth to an order in `currency`.
    ///
    /// # Errors
    ///
    /// [`Rejection::PointsDoNotPay`] or [`Rejection::CurrencyNotInProgram`]. Retrying cannot help.
    pub fn of(program: &Program, currency: Currency) -> Result<Self, Rejection> {
        let CheckoutSpec { point_worth, .. } = spec(program)?;
        let rate =
            program.rate_for(currency).ok_or(Rejection::CurrencyNotInProgram { currency })?;
        Ok(Self { point_worth: *point_worth, currency, rate })
    }

    /// What so many points are worth in minor units of the order's currency: this many of so many.
    fn worth(&self) -> Result<(U256, U256), OutOfRange> {
        let Self { point_worth, currency, rate } = self;
        let scale = rate.scale().checked_add(currency.exponent()).ok_or(OutOfRange)?;
        let minor = big(point_worth.mantissa()).checked_mul(ten_to(scale)?).ok_or(OutOfRange)?;
        let of = big(rate.mantissa()).checked_mul(ten_to(point_worth.scale())?);
        Ok((minor, of.ok_or(OutOfRange)?))
    }

    /// What `points` pay, rounded down to a minor unit.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] never happens to terms that a program made.
    pub fn paid_by(&self, points: Points) -> Result<Minor, OutOfRange> {
        let (minor, of) = self.worth()?;
        let product = big(points).checked_mul(minor).ok_or(OutOfRange)?;
        divided(product, of).and_then(Minor::try_from)
    }

    /// The fewest points that are worth `amount`; if it is more than can be counted, the most there can be.
    ///
    /// # Errors
    ///
    /// As [`Terms::paid_by`].
    pub fn fewest_for(&self, amount: Minor) -> Result<Points, OutOfRange> {
        let (minor, of) = self.worth()?;
        let product = big(amount).checked_mul(of).ok_or(OutOfRange)?;
        let less = product.checked_div(minor).ok_or(OutOfRange)?;
        let is_exact = product.checked_rem(minor).ok_or(OutOfRange)? == U256::ZERO;
        let fewest = less.checked_add(U256::from(u8::from(!is_exact))).ok_or(OutOfRange)?;
        divided(fewest, U256::ONE).and_then(Points::try_from)
    }

    /// The most points that are worth no more than `amount`.
    ///
    /// # Errors
    ///
    /// As [`Terms::paid_by`].
    pub fn most_within(&self, amount: Minor) -> Result<Points, OutOfRange> {
        let (minor, of) = self.worth()?;
        let product = big(amount).checked_mul(of).ok_or(OutOfRange)?;
        divided(product, minor).and_then(Points::try_from)
    }
}

/// What points pay of an order of `order_total` in `currency`, where so many are `available`: as much as is `wanted`,
/// as the program allows, and as whole points are worth, rounded down to a minor unit; and then the fewest points
/// that are worth that.
///
/// # Errors
///
/// [`Rejection::PointsDoNotPay`] or [`Rejection::CurrencyNotInProgram`]. Retrying cannot help.
pub fn quote(
    program: &Program,
    available: Points,
    order_total: Minor,
    currency: Currency,
    wanted: Option<Points>,
) -> Result<Quote, Rejection> {
    let terms = Terms::of(program, currency)?;
    let CheckoutSpec { min_points, max_share, .. } = *spec(program)?;
    // Points that are worth less than a minor unit are left with the member, so fewer may not be enough.
    let enough = terms.paid_by(min_points)?;
    let min_points = if terms.fewest_for(enough)? == min_points {
        min_points
    } else {
        terms.fewest_for(enough.plus(Minor::try_from(1)?)?)?
    };
    let cap = floor_product(order_total.get(), [max_share, Rate::ONE, Rate::ONE], 0)?;
    let whole = terms.most_within(Minor::try_from(cap)?)?;
    let paying = |points: Points| -> Result<(Points, Minor), OutOfRange> {
        let amount = terms.paid_by(points)?;
        let fewest = terms.fewest_for(amount)?;
        Ok(if fewest < min_points { (Points::ZERO, Minor::ZERO) } else { (fewest, amount) })
    };
    let (most, _) = paying(whole)?;
    let affordable = whole.min(available);
    let (points, amount) = paying(wanted.map_or(affordable, |it| it.min(affordable)))?;
    let why_nothing = if !points.is_zero() {
        None
    } else if most.is_zero() {
        Some(WhyNothing::OrderTooSmall)
    } else if paying(affordable)?.0.is_zero() {
        Some(WhyNothing::TooFewAvailable)
    } else {
        Some(WhyNothing::TooFewWanted)
    };
    Ok(Quote { points, amount, min_points, most, why_nothing })
}

impl Account {
    /// The hold called `id`, while it lasts.
    pub fn hold(&self, id: HoldId) -> Option<&Hold> {
        self.holdings.holds.iter().find(|it| it.id == id)
    }

    /// The hold that ends first; of several at one instant, the first one.
    pub(crate) fn first_to_end(&self) -> Option<&Hold> {
        self.holdings.holds.iter().min_by_key(|it| it.ends_at)
    }

    /// The first `points` of the lots in the order of use, or all if there are fewer.
    fn first_points(&self, points: Points) -> Result<Vec<LotUse>, OutOfRange> {
        let lots: Vec<LotUse> =
            self.lots.iter().map(|it| LotUse { lot: it.id, points: it.points }).collect();
        split(&lots, points).map(|(first, _)| first)
    }

    pub(crate) fn apply_checkout(&mut self, event: &CheckoutEvent) -> Result<(), OutOfRange> {
        match event {
            CheckoutEvent::Held(hold) => {
                for LotUse { lot, points } in &hold.uses {
                    self.take_from_lot(*lot, *points)?;
                }
                self.held = self.held.plus(hold.points()?)?;
                self.holdings.holds.push(hold.clone());
                Ok(())
            }
            CheckoutEvent::Captured { hold: id, uses } => {
                let hold = self.hold(*id).ok_or(OutOfRange)?;
                let captured = Hold { uses: uses.clone(), ..hold.clone() };
                let all = &mut self.holdings.captured;
                if all.len() >= CAPTURED_MAX {
                    all.remove(0);
                }
                all.push(captured);
                self.use_held(*id, uses)
            }
            CheckoutEvent::Released { hold, cause: ReleaseCause::CaptureUndone, back } => {
                self.holdings.captured.retain(|it| it.id != *hold);
                self.apply_given_back(back.debt_paid, &back.restored)
            }
            CheckoutEvent::Released { hold, cause: _, back } => {
                let points = back.points()?;
                self.held = self.held.minus(points)?;
                self.holdings.holds.retain(|it| it.id != *hold);
                self.debt = self.debt.minus(back.debt_paid)?;
                for LotUse { lot, points } in &back.restored {
                    self.fill(*lot, *points)?;
                }
                // They were never used, so they are gone as what expires in a lot.
                self.expire(back.lost)
            }
            CheckoutEvent::Paid(paid) => {
                self.holdings.captured.retain(|it| it.id != paid.hold);
                if !paid.held.is_empty() {
                    self.use_held(paid.hold, &paid.held)?;
                }
                self.use_from_lots(&paid.lots)
            }
            CheckoutEvent::Returned { back, .. } => {
                self.apply_given_back(back.debt_paid, &back.restored)
            }
            CheckoutEvent::PaidAnew(anew) => {
                self.use_from_lots(&anew.lots)?;
                self.apply_given_back(anew.back.debt_paid, &anew.back.restored)
            }
        }
    }

    /// Uses the first points of a hold, which ends once it is used up.
    fn use_held(&mut self, id: HoldId, uses: &[LotUse]) -> Result<(), OutOfRange> {
        let points = total(uses)?;
        let hold = self.holdings.holds.iter_mut().find(|it| it.id == id).ok_or(OutOfRange)?;
        let (used, left) = split(&hold.uses, points)?;
        if used != uses {
            return Err(OutOfRange);
        }
        hold.uses = left;
        self.holdings.holds.retain(|it| !it.uses.is_empty());
        self.held = self.held.minus(points)?;
        self.totals.spent = self.totals.spent.plus(points)?;
        Ok(())
    }

    fn use_from_lots(&mut self, uses: &[LotUse]) -> Result<(), OutOfRange> {
        for LotUse { lot, points } in uses {
            self.take_from_lot(*lot, *points)?;
            self.totals.spent = self.totals.spent.plus(*points)?;
        }
        Ok(())
    }
}

impl Payment {
    fn of(paid: &Paid) -> Self {
        let held = paid.captured.iter().chain(&paid.held);
        let uses: Vec<LotUse> = held.chain(&paid.lots).copied().collect();
        Self {
            terms: paid.terms,
            amount: paid.amount,
            counting: paid.counting,
            // What was taken off an account is countable.
            points: total(&uses).unwrap_or(Points::MAX),
            uses,
            refunded: Points::ZERO,
            is_said: false,
            uncovered: paid.uncovered,
        }
    }

    /// How many points are in use for it.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] never happens to what was decided.
    pub fn in_use(&self) -> Result<Points, OutOfRange> {
        total(&self.uses)
    }

    /// The payment of an order after `event`, if that is about it.
    pub(crate) fn after(payment: Option<Self>, event: &CheckoutEvent) -> Option<Self> {
        match (payment, event) {
            (_, CheckoutEvent::Paid(paid)) => Some(Self::of(paid)),
            (Some(mut payment), CheckoutEvent::Returned { is_said, back, .. }) => {
                payment.is_said |= is_said;
                let points = back.points().unwrap_or(Points::MAX);
                payment.refunded = payment.refunded.plus(points).unwrap_or(Points::MAX);
                payment.take_last(points);
                Some(payment)
            }
            (Some(mut payment), CheckoutEvent::PaidAnew(anew)) => {
                payment.take_last(anew.back.points().unwrap_or(Points::MAX));
                payment.uses.extend_from_slice(&anew.lots);
                payment.amount = anew.amount;
                payment.counting = anew.counting;
                payment.points = anew.points;
                payment.refunded = anew.refunded;
                payment.uncovered = anew.uncovered;
                Some(payment)
            }
            (
                payment,
                CheckoutEvent::Held(_)
                | CheckoutEvent::Captured { .. }
                | CheckoutEvent::Released { .. }
                | CheckoutEvent::Returned { .. }
                | CheckoutEvent::PaidAnew(_),
            ) => payment,
        }
    }

    /// What is used last comes back first.
    fn take_last(&mut self, points: Points) {
        let mut left = points;
        while let Some(last) = self.uses.last_mut() {
            if left < last.points {
                last.points = last.points.minus_or_zero(left);
                return;
            }
            left = left.minus_or_zero(last.points);
            self.uses.pop();
        }
    }

    /// How many of `points` that pay this order belong to what of its `lines` has been refunded by now.
    ///
    /// What was taken off lines that count comes back with these, and what else points pay with the others: by
    /// amount, or by pieces of lines of which points pay all. Rounded down, until nothing is left.
    fn refunded_of(&self, points: Points, lines: &[KeptLine]) -> Result<Points, OutOfRange> {
        let counting = Refunded::of(lines.iter().filter(|it| it.counts))?;
        let others = Refunded::of(lines.iter().filter(|it| !it.counts))?;
        let rest = self.amount.minus_or_zero(self.counting);
        let parts = [(self.counting, counting), (rest, others)];
        if parts.iter().all(|(amount, part)| amount.is_zero() || part.is_all()) {
            return Ok(points);
        }
        let mut sum = Points::ZERO;
        for (amount, Refunded { part, whole }) in parts {
            if whole > 0 {
                let all = product([big(self.amount), big(whole), U256::ONE])?;
                let part = product([big(points), big(amount), big(part)])?;
                sum = sum.plus(divided(part, all).and_then(Points::try_from)?)?;
            }
        }
        Ok(sum)
    }
}

/// How much of some lines was refunded.
#[derive(Clone, Copy)]
struct Refunded {
    part: u64,
    whole: u64,
}

impl Refunded {
    fn of<'a>(lines: impl Iterator<Item = &'a KeptLine> + Clone) -> Result<Self, OutOfRange> {
        let whole = Minor::total(lines.clone().map(|it| it.amount))?.get();
        if whole > 0 {
            let part = Minor::total(lines.map(|it| it.taken.min(it.amount)))?.get();
            return Ok(Self { part, whole });
        }
        // Shipping and tax are no pieces of anything.
        let lines = lines.filter(|it| matches!(it.key, LineKey::Line(_)));
        lines.map(|it| (it.returned.min(it.quantity), it.quantity)).try_fold(
            Self { part: 0, whole: 0 },
            |sum, (part, whole)| {
                let part = sum.part.checked_add(part.into()).ok_or(OutOfRange)?;
                let whole = sum.whole.checked_add(whole.into()).ok_or(OutOfRange)?;
                Ok(Self { part, whole })
            },
        )
    }

    const fn is_all(self) -> bool {
        self.part == self.whole && self.whole > 0
    }
}

impl Work<'_> {
    /// Answers [`Command::Checkout`](crate::command::Command::Checkout).
    pub(crate) fn checkout(
        self,
        id: &CommandId,
        act: &CheckoutAct,
        asked_at: Timestamp,
    ) -> Result<Decision, Rejection> {
        match act {
            CheckoutAct::Hold(new) => self.hold(HoldId::of(id), new),
            CheckoutAct::Capture { hold, points } => self.capture(*hold, *points, asked_at),
            CheckoutAct::Release { hold, with_captured } => self.release(*hold, *with_captured),
        }
    }

    fn hold(mut self, id: HoldId, new: &NewHold) -> Result<Decision, Rejection> {
        self.account.membership.check_spends()?;
        let NewHold { total, currency, points, minutes } = *new;
        let hold_minutes = spec(self.program)?.hold_minutes;
        let terms = Terms::of(self.program, currency)?;
        let minutes = minutes.map_or(hold_minutes, NonZeroU32::get);
        if minutes > hold_minutes {
            return Err(Rejection::HoldTooLong { minutes_max: hold_minutes });
        }
        if points.is_some_and(Points::is_zero) {
            return Err(Rejection::AmountIsZero);
        }
        due::happen(&mut self)?;
        if self.account.holdings.holds.len() >= HOLDS_MAX {
            return Err(Rejection::TooManyHolds);
        }
        let available = self.account.available()?;
        let quoted = quote(self.program, available, total, currency, points)?;
        let (most, min) = (quoted.most, quoted.min_points);
        let requested = points.unwrap_or(min);
        if requested > most {
            return Err(Rejection::MoreThanOrderAllows { most });
        }
        if requested < min {
            return Err(Rejection::FewerThanMinimum { min });
        }
        if requested > available {
            return Err(Rejection::InsufficientPoints { available, requested });
        }
        let uses = self.account.first_points(quoted.points)?;
        let length = SignedDuration::from_mins(minutes.into());
        let ends_at = self.at.checked_add(length).map_err(|_| OutOfRange)?;
        let hold = Hold { id, uses, ends_at, terms, amount: quoted.amount };
        self.record_checkout(CheckoutEvent::Held(hold))?;
        Ok(self.done(true))
    }

    fn capture(
        mut self,
        id: HoldId,
        points: Option<Points>,
        asked_at: Timestamp,
    ) -> Result<Decision, Rejection> {
        self.account.membership.check_spends()?;
        if points.is_some_and(Points::is_zero) {
            return Err(Rejection::AmountIsZero);
        }
        due::happen(&mut self)?;
        let hold = self.account.hold(id).ok_or(Rejection::NoSuchHold)?;
        let held = hold.points()?;
        let requested = points.unwrap_or(held);
        if requested > held {
            return Err(Rejection::MoreThanHeld { held, requested });
        }
        let (uses, _) = split(&hold.uses, requested)?;
        self.record_checkout(CheckoutEvent::Captured { hold: id, uses })?;
        self.let_go(id, ReleaseCause::NotNeeded)?;
        self.slide(self.program.calendar().day_of(asked_at))?;
        Ok(self.done(true))
    }

    fn release(mut self, id: HoldId, with_captured: bool) -> Result<Decision, Rejection> {
        due::happen(&mut self)?;
        if self.account.hold(id).is_some() {
            self.let_go(id, ReleaseCause::Asked)?;
            return Ok(self.done(true));
        }
        // What was used by call is an order's once that has named the hold, and comes back with it.
        let captured = self.account.holdings.captured.iter().find(|it| it.id == id);
        let captured = captured.filter(|_| with_captured).ok_or(Rejection::NoSuchHold)?;
        let back = self.coming_back(captured.uses.iter().rev().copied())?;
        let cause = ReleaseCause::CaptureUndone;
        self.record_checkout(CheckoutEvent::Released { hold: id, cause, back })?;
        Ok(self.done(true))
    }

    /// Lets go what is left of the hold called `id`, if anything is.
    fn let_go(&mut self, id: HoldId, cause: ReleaseCause) -> Result<(), OutOfRange> {
        let Some(hold) = self.account.hold(id) else { return Ok(()) };
        let event = self.released(hold, cause)?;
        self.record_checkout(event)
    }

    /// What happens when `hold` is let go, now or when it ended.
    pub(crate) fn released(
        &self,
        hold: &Hold,
        cause: ReleaseCause,
    ) -> Result<CheckoutEvent, OutOfRange> {
        let uses = hold.uses.iter().rev().copied();
        let calendar = self.program.calendar();
        let back = match cause {
            // At one instant holds end before lots expire, so a lot that ends with the hold takes its points along.
            ReleaseCause::Ended { at } => self.coming_back_at(uses, at, |day| {
                Ok(calendar.is_over(day, at)? && calendar.end_of(day)? < at)
            }),
            ReleaseCause::Asked | ReleaseCause::NotNeeded | ReleaseCause::CaptureUndone => {
                self.coming_back(uses)
            }
        };
        Ok(CheckoutEvent::Released { hold: hold.id, cause, back: back? })
    }

    fn record_checkout(&mut self, event: CheckoutEvent) -> Result<(), OutOfRange> {
        self.record(Event::Checkout(Box::new(event)))
    }

    /// Where points go that come back now, what was used last in front: a debt is paid first.
    pub(crate) fn coming_back(
        &self,
        uses: impl IntoIterator<Item = LotUse>,
    ) -> Result<Back, OutOfRange> {
        let calendar = self.program.calendar();
        self.coming_back_at(uses, self.at, |day| calendar.is_over(day, self.at))
    }

    /// The same at another instant, where it is known which days are over.
    fn coming_back_at(
        &self,
        uses: impl IntoIterator<Item = LotUse>,
        at: Timestamp,
        is_over: impl Fn(Date) -> Result<bool, OutOfRange>,
    ) -> Result<Back, OutOfRange> {
        let calendar = self.program.calendar();
        let reinstate_days = self.program.spec().spending.reinstate_days;
        let mut debt = self.account.debt;
        let mut back = Back::default();
        for LotUse { lot, points } in uses {
            let paid = points.min(debt);
            debt = debt.minus(paid)?;
            back.debt_paid = back.debt_paid.plus(paid)?;
            let points = points.minus(paid)?;
            if points.is_zero() {
                continue;
            }
            if !is_over(self.account.last_good_day(lot))? {
                back.restored.push(LotUse { lot, points });
            } else if reinstate_days == 0 {
                back.lost = back.lost.plus(points)?;
            } else {
                let days = jiff::Span::new().try_days(i64::from(reinstate_days));
                let today = calendar.day_of(at);
                let given = days.and_then(|it| today.checked_add(it)).map_err(|_| OutOfRange)?;
                back.restored.push(LotUse { lot: LotId { given, ..lot }, points });
            }
        }
        Ok(back)
    }

    /// Which points of lots pay what is missing of an order, and how many are nowhere: only whoever may spend
    /// can pay with more than was held.
    fn covered(
        &self,
        missing: Points,
        is_member: bool,
    ) -> Result<(Vec<LotUse>, Points), OutOfRange> {
        let can_spend = is_member && self.account.membership.check_spends().is_ok();
        let lots = if can_spend { self.account.first_points(missing)? } else { Vec::new() };
        let uncovered = missing.minus(total(&lots)?)?;
        Ok((lots, uncovered))
    }

    /// Lets points pay `order`, if it names a hold: those that were held, the rest from lots as far as they reach.
    pub(crate) fn pay_with_points(
        &mut self,
        order: &Order,
        is_member: bool,
    ) -> Result<Option<Payment>, OutOfRange> {
        let Some(id) = order.points_hold else { return Ok(None) };
        let currency = order.currency;
        let amount = order.content.paid_with_points;
        let captured = self.account.holdings.captured.iter().find(|it| it.id == id);
        let captured = captured.filter(|_| is_member);
        let hold = self.account.hold(id).filter(|_| is_member);
        let terms = match captured.or(hold) {
            Some(hold) if hold.terms.currency == currency => Some(hold.terms),
            // What the shop was told the points are worth holds in every currency.
            Some(Hold { terms: Terms { point_worth, .. }, .. }) => {
                let rate = self.program.rate_for(currency);
                rate.map(|rate| Terms { point_worth: *point_worth, currency, rate })
            }
            None => Terms::of(self.program, currency).ok(),
        };
        let needed = terms.map_or(Ok(Points::ZERO), |it| it.fewest_for(amount))?;
        // What was used by call before its order came pays it, and is not used again.
        let captured = captured.map(|it| it.uses.clone()).unwrap_or_default();
        let missing = needed.minus_or_zero(total(&captured)?);
        let (held, _) = split(hold.map(|it| it.uses.as_slice()).unwrap_or_default(), missing)?;
        let (lots, uncovered) = self.covered(missing.minus(total(&held)?)?, is_member)?;
        let is_used = !held.is_empty() || !lots.is_empty();
        let counting = self.off_counting_lines(&order.content)?;
        let paid = Paid { hold: id, terms, amount, counting, captured, held, lots, uncovered };
        let payment = Payment::of(&paid);
        self.record_checkout(CheckoutEvent::Paid(paid))?;
        if is_member {
            self.let_go(id, ReleaseCause::NotNeeded)?;
        }
        if is_used {
            self.slide(self.program.calendar().day_of(order.paid_at))?;
        }
        Ok(Some(payment))
    }

    /// How much of the part of `content` that points pay is taken off lines that count.
    fn off_counting_lines(&self, content: &Content) -> Result<Minor, OutOfRange> {
        let amount = content.paid_with_points;
        if amount.is_zero() {
            return Ok(Minor::ZERO);
        }
        let content = Content { paid_with_points: Minor::ZERO, ..content.clone() };
        Ok(eligible(&kept_lines(self.program, &content)?)?.min(amount))
    }

    /// Gives points back that paid an order, or takes more, after `correction` left its `lines` like this. `said`
    /// is how many the sender wants to come back.
    pub(crate) fn correct_payment(
        &mut self,
        payment: Option<Payment>,
        (is_member, lines): (bool, &[KeptLine]),
        by: &CommandId,
        correction: &Correction,
        said: Option<Points>,
    ) -> Result<Option<Payment>, OutOfRange> {
        let event = match (&payment, correction) {
            (Some(payment), Correction::Content(content)) => {
                self.paid_anew(payment, (is_member, lines), by, content)?
            }
            (_, Correction::Lines(_) | Correction::Amount(_) | Correction::All) => {
                let is_all = *correction == Correction::All;
                self.refund_points(payment.as_ref(), (is_all, lines), by, said)?
            }
            (None, Correction::Content(_)) => None,
        };
        let Some(event) = event else { return Ok(payment) };
        let payment = Payment::after(payment, &event);
        self.record_checkout(event)?;
        Ok(payment)
    }

    fn refund_points(
        &self,
        payment: Option<&Payment>,
        (is_all, lines): (bool, &[KeptLine]),
        by: &CommandId,
        said: Option<Points>,
    ) -> Result<Option<CheckoutEvent>, OutOfRange> {
        let uses = payment.map(|it| it.uses.as_slice()).unwrap_or_default();
        let in_use = total(uses)?;
        let wanted = match (said, payment) {
            (Some(said), _) => said,
            (None, Some(_)) if is_all => in_use,
            (None, Some(payment)) => {
                payment.refunded_of(payment.points, lines)?.minus_or_zero(payment.refunded)
            }
            (None, None) => Points::ZERO,
        };
        let points = wanted.min(in_use);
        // More than is left is cut, and the entry says so.
        let cut = if said.is_some() { wanted.minus(points)? } else { Points::ZERO };
        if points.is_zero() && cut.is_zero() {
            return Ok(None);
        }
        let (_, last) = split(uses, in_use.minus(points)?)?;
        let back = self.coming_back(last.into_iter().rev())?;
        Ok(Some(CheckoutEvent::Returned { by: by.clone(), is_said: said.is_some(), cut, back }))
    }

    fn paid_anew(
        &self,
        payment: &Payment,
        (is_member, lines): (bool, &[KeptLine]),
        by: &CommandId,
        content: &Content,
    ) -> Result<Option<CheckoutEvent>, OutOfRange> {
        let Some(terms) = payment.terms else { return Ok(None) };
        let amount = content.paid_with_points;
        let counting = self.off_counting_lines(content)?;
        let needed = terms.fewest_for(amount)?;
        let refunded = if payment.is_said {
            // Of a share that the sender chose nothing else is known.
            payment.refunded
        } else {
            Payment { amount, counting, ..payment.clone() }.refunded_of(needed, lines)?
        };
        let to_use = needed.minus_or_zero(refunded);
        let in_use = payment.in_use()?;
        // What nothing paid before is not asked for again, months later, by an edit of something else.
        let missing = to_use.minus_or_zero(in_use);
        let still = payment.uncovered.min(missing);
        let (lots, uncovered) = self.covered(missing.minus(still)?, is_member)?;
        let uncovered = uncovered.plus(still)?;
        let (_, last) = split(&payment.uses, in_use.min(to_use))?;
        let back = self.coming_back(last.into_iter().rev())?;
        let anew = PaidAnew {
            by: by.clone(),
            amount,
            counting,
            points: needed.minus(uncovered)?,
            refunded,
            lots,
            uncovered,
            back,
        };
        let after = Payment::after(Some(payment.clone()), &CheckoutEvent::PaidAnew(anew.clone()));
        Ok((after.as_ref() != Some(payment)).then_some(CheckoutEvent::PaidAnew(anew)))
    }
}
