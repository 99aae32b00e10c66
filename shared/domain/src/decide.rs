//! The decision: (program, what is known, command) to events, or to a refusal.

use std::{collections::HashMap, sync::Arc};

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    account::{Account, CapKey, LotId, Wallet},
    calendar::{Month, after_days},
    command::{Command, Correction, RefundLine, Request, Waiting},
    due,
    earning::{Component, components_for, compute, headroom, points_by_lot},
    event::{
        Becomes, Corrected, CorrectedInLot, Earned, EarnedInLot, Event, LinesChange, LotUse,
        ProgressChange, Settled, TakenLine,
    },
    id::{CommandId, LevelId, LineId, MemberId, OrderId},
    money::{Currency, Minor, Spend, spread},
    opening::{LOTS_MAX, MONTHS_MAX, PENDING_MAX},
    order::{Content, KeptLine, LineKey, Order, OrderRecord, OrderState, eligible, kept_lines},
    points::{OutOfRange, Points},
    program::{Program, Shortfall},
    referral::{NamedCode, Suspicion},
    reminder,
    tier::{self, TASKS_MAX},
};

/// A business answer of "no": an outcome to record, not a failure to retry.
///
/// Variants are in order of precedence: when several apply, the first one listed is returned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Rejection {
    /// The member has left.
    #[error("the account is closed")]
    AccountClosed,
    /// Staff stopped the member for a while.
    #[error("the account is frozen")]
    AccountFrozen,
    /// The member has not shown yet that they can be reached.
    #[error("the account is not active yet")]
    AccountPending,
    /// Nobody has joined.
    #[error("nobody has enrolled under this id")]
    NotEnrolled,
    /// The member is already what they are to be.
    #[error("the account has this status already")]
    StatusUnchanged,
    /// No referral of this friend waits for staff.
    #[error("no referral of this friend waits for staff")]
    NothingToReview,
    /// What is to be claimed is a member's.
    #[error("the order is a member's already")]
    OrderHasMember,
    /// There is no order to claim.
    #[error("there is no such order")]
    NoSuchOrder,
    /// The order that this is about was itself refused.
    #[error("the order was refused")]
    OrderRefused,
    /// The program has no rate for the order's currency.
    #[error("the program has no rate for {currency}")]
    CurrencyNotInProgram {
        /// The order's currency.
        currency: Currency,
    },
    /// An edit that is older than what is known of its order: it came out of turn.
    #[error("a newer edit or cancellation of the order took effect before")]
    EditOvertaken,
    /// Two lines of one order have the same id.
    #[error("the order has two lines of the same id")]
    LineRepeated {
        /// The id.
        line: LineId,
    },
    /// A refund names a line that its order does not have.
    #[error("the order has no such line")]
    LineNotInOrder {
        /// The line.
        line: LineKey,
    },
    /// More lots are brought than an account should have.
    #[error("at most {LOTS_MAX} lots can be brought")]
    TooManyLots,
    /// More groups of pending points are brought than an account should have.
    #[error("at most {PENDING_MAX} groups of pending points can be brought")]
    TooManyPending,
    /// More months are brought than anything could be measured by.
    #[error("at most {MONTHS_MAX} months can be brought")]
    TooManyMonths,
    /// A level is brought that there is not.
    #[error("the program has no level {level}")]
    LevelNotInProgram {
        /// The level.
        level: LevelId,
    },
    /// Progress is brought of a month after that of the opening.
    #[error("{month} has not begun when the balance is brought")]
    MonthNotReached {
        /// The month.
        month: Month,
    },
    /// A request of no points, which is always a mistake of the sender.
    #[error("the number of points must not be zero")]
    AmountIsZero,
    /// What is to be given back was never used.
    #[error("no points were used under this id")]
    NothingSpent,
    /// More is to be given back than is left of what was used.
    #[error("{left} points are left to give back but {requested} were requested")]
    MoreThanSpent {
        /// What is left.
        left: Points,
        /// What was asked for.
        requested: Points,
    },
    /// The member does not have the points.
    #[error("{available} points are available but {requested} were requested")]
    InsufficientPoints {
        /// What the member can use.
        available: Points,
        /// What was asked for.
        requested: Points,
    },
    /// No points are there that would last longer.
    #[error("there are no points that would last longer")]
    NothingToExtend,
    /// More is to be brought back than is gone.
    #[error("{expired} points have expired but {requested} were requested")]
    MoreThanExpired {
        /// What is gone.
        expired: Points,
        /// What was asked for.
        requested: Points,
    },
    /// What is set would be over before it begins.
    #[error("{through} is over")]
    EndIsOver {
        /// Its last day.
        through: Date,
    },
    /// No level was set that could be lifted.
    #[error("no level was set that could be lifted")]
    NothingToLift,
    /// The member has done as many tasks as an account remembers.
    #[error("at most {TASKS_MAX} tasks are remembered")]
    TooManyTasks,
    /// A sum of money or points, or a day, would leave the range in which it is exact.
    #[error("a sum of money or points would be larger than can be counted")]
    OutOfRange,
}

impl From<OutOfRange> for Rejection {
    fn from(_: OutOfRange) -> Self {
        Self::OutOfRange
    }
}

/// What the id's order, or the request that it is about, already holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Held {
    /// Nothing yet.
    #[default]
    Nothing,
    /// Corrections that wait for their order, in the order in which they came.
    Waiting(Vec<Waiting>),
    /// The order.
    Order(OrderState),
    /// The use of points that is to be given back.
    Spend(SpendState),
}

impl Held {
    /// The member of the order, if it is a member's.
    pub const fn member_id(&self) -> Option<&MemberId> {
        match self {
            Self::Order(OrderState { member_id, .. }) => member_id.as_ref(),
            Self::Nothing | Self::Waiting(_) | Self::Spend(_) => None,
        }
    }
}

/// A use of points, less what was given back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpendState {
    /// Whose points.
    pub member_id: Option<MemberId>,
    /// Which lots gave how many, in the order in which they were used.
    pub uses: Vec<LotUse>,
    /// How many of them came back, or are lost for good.
    pub given_back: Points,
}

/// An answer of "yes".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It takes effect.
    Effect {
        /// The instant at which it does: its own, or the account's if that is later.
        at: Timestamp,
        /// What happens, what fell due before included.
        events: Vec<Event>,
        /// The account afterwards, without the entry's end; `None` if there is none.
        account: Option<Box<Account>>,
        /// What happens to another account with it; most commands leave every other one alone.
        second: Option<Box<Second>>,
    },
    /// It is not to be answered yet: nothing happens, and it may be asked again.
    Nothing,
    /// It waits for its order.
    Waits(Waiting),
}

/// What happens to a second account by the same command, in an entry of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Second {
    /// The natural id of its entry.
    pub id: CommandId,
    /// Whose account it is.
    pub member_id: MemberId,
    /// The instant at which it takes effect there.
    pub at: Timestamp,
    /// What happens, what fell due before included.
    pub events: Vec<Event>,
    /// The account afterwards, without the entry's end.
    pub account: Box<Account>,
}

/// What is known that a request may depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// What the id's order, or the request that it is about, holds.
    pub holds: Held,
    /// The account of the member named, or of the order's member; a new one is [`Account::default`].
    pub account: Account,
    /// Whose the referral code is that the request names; `None` if it names none.
    pub code: Option<NamedCode>,
    /// The account of whoever brought the member, where their referral is settled or taken back.
    pub referrer: Option<Account>,
    /// What else is known of both, where their referral is settled.
    pub suspicion: Suspicion,
}

/// Answers `request` under `program`, given what is `known`.
///
/// Pure and deterministic: after a lost race, deciding again needs only what is known afresh. For a guest's
/// order, and for what waits, the account is not looked at.
///
/// # Errors
///
/// A [`Rejection`], which the caller records under the request's id.
pub fn decide(program: &Program, known: &Known, request: &Request) -> Result<Decision, Rejection> {
    let Known { holds, account, code, referrer, suspicion } = known;
    let at = account.clock.map_or(request.at, |clock| clock.max(request.at));
    let is_late = account.clock.is_some_and(|clock| request.at < clock);
    let work = || Work {
        is_late,
        member_id: holds.member_id().or_else(|| request.member_id()),
        referrer: referrer.as_ref(),
        ..Work::new(program, account.clone(), at)
    };
    match &request.command {
        Command::PayOrder(order) => {
            let waiting = match holds {
                Held::Waiting(waiting) => waiting.as_slice(),
                Held::Nothing | Held::Order(_) | Held::Spend(_) => &[],
            };
            if order.member_id.is_some() {
                account.membership.check_open()?;
                work().pay(order, waiting, code.as_ref())
            } else {
                Work::new(program, Account::default(), request.at).pay(order, waiting, None)
            }
        }
        Command::Enroll { member_id, .. } => work().enroll(member_id, code.as_ref()),
        Command::Activate { .. } => work().activate(),
        Command::SetStatus { status, reason, .. } => work().set_status(*status, reason),
        Command::SettleReferral { .. } => work().settle_referral(&request.id, suspicion),
        Command::ReviewReferral { approves, reason, .. } => {
            work().review_referral(&request.id, *approves, reason, suspicion)
        }
        Command::ClaimOrder { .. } => match holds {
            Held::Order(OrderState { member_id: None, record: Some(record) }) => {
                account.membership.check_open()?;
                work().claim(record)
            }
            Held::Order(OrderState { member_id: Some(_), .. }) => Err(Rejection::OrderHasMember),
            Held::Order(OrderState { record: None, .. }) => Err(Rejection::OrderRefused),
            Held::Nothing | Held::Waiting(_) | Held::Spend(_) => Err(Rejection::NoSuchOrder),
        },
        Command::CorrectOrder { order_id, correction } => match holds {
            Held::Order(state) => {
                let record = state.record.as_ref().ok_or(Rejection::OrderRefused)?;
                let work = if state.member_id.is_some() {
                    work()
                } else {
                    Work::new(program, Account::default(), request.at)
                };
                work.correct_order(state.member_id.is_some(), record, order_id, request, correction)
            }
            Held::Nothing | Held::Waiting(_) | Held::Spend(_) => Ok(Decision::Waits(Waiting {
                id: request.id.clone(),
                at: request.at,
                correction: correction.clone(),
            })),
        },
        Command::Spend { points, .. } => {
            account.membership.check_spends()?;
            work().spend(*points, request.at)
        }
        Command::GiveBack { member_id, spend: id, points } => match holds {
            Held::Spend(spend) if spend.member_id.as_ref() == Some(member_id) => {
                work().give_back(id, spend, *points)
            }
            Held::Nothing | Held::Waiting(_) | Held::Order(_) | Held::Spend(_) => {
                Err(Rejection::NothingSpent)
            }
        },
        Command::OpenAccount { opening, .. } => {
            account.membership.check_open()?;
            work().open(opening, request.at)
        }
        Command::Extend { through, reason, .. } => work().extend(*through, reason),
        Command::Reinstate { points, through, reason, .. } => {
            account.membership.check_open()?;
            work().reinstate(*points, *through, reason)
        }
        Command::AddMeasure { new, .. } => {
            account.membership.check_open()?;
            work().add_measure(new, request.at)
        }
        Command::OverrideLevel { set, reason, .. } => work().override_level(set, reason),
        Command::LiftOverride { reason, .. } => work().lift_override(reason),
        Command::Measure { .. } => work().measure_anew(),
        // Nothing happens to anybody: that it is kept is all.
        Command::EndMeasuring => Ok(Work::new(program, Account::default(), request.at).done(false)),
        Command::PostDue { .. } => {
            let mut work = work();
            due::happen(&mut work)?;
            let today = program.calendar().day_of(work.at);
            reminder::tell(&mut work, today)?;
            // Only to where something happened: an order that is late for a job is not late for its
            // account.
            let last = work.events.iter().rev().find_map(Event::fell_due_at);
            // Nothing due is said, too: it tells when to look again. A new account has no when.
            let last = last.or(work.account.clock);
            // Versions in several time zones do not move it back.
            work.at = last.unwrap_or(work.at).max(account.clock.unwrap_or(Timestamp::MIN));
            Ok(work.done(last.is_some()))
        }
    }
}

/// An account under work: each event is applied as it is decided, so that the next one sees it.
pub(crate) struct Work<'a> {
    pub(crate) program: &'a Program,
    pub(crate) account: Account,
    pub(crate) events: Vec<Event>,
    pub(crate) at: Timestamp,
    /// Whether the request is older than the account's clock, and may be decided by an older version.
    pub(crate) is_late: bool,
    /// Whose account it is, if a decision needs to know.
    pub(crate) member_id: Option<&'a MemberId>,
    /// The account of whoever brought its owner, where it was read.
    pub(crate) referrer: Option<&'a Account>,
    /// What happens to that account.
    pub(crate) second: Option<Box<Second>>,
}

impl<'a> Work<'a> {
    pub(crate) fn new(program: &'a Program, account: Account, at: Timestamp) -> Self {
        Self {
            program,
            account,
            events: Vec::new(),
            at,
            is_late: false,
            member_id: None,
            referrer: None,
            second: None,
        }
    }

    pub(crate) fn record(&mut self, event: Event) -> Result<(), OutOfRange> {
        self.account.apply(&event)?;
        self.events.push(event);
        Ok(())
    }

    pub(crate) fn done(self, has_account: bool) -> Decision {
        let account = has_account.then(|| Box::new(self.account));
        Decision::Effect { at: self.at, events: self.events, account, second: self.second }
    }

    fn pay(
        mut self,
        order: &Order,
        waiting: &[Waiting],
        code: Option<&NamedCode>,
    ) -> Result<Decision, Rejection> {
        let is_member = order.member_id.is_some();
        due::happen(&mut self)?;
        let has_history = self.account.has_history();
        let mut record = self.recorded(order, is_member)?;
        let eligible = record.eligible()?;
        let spend = record.spend_of(eligible, self.program)?;
        let counts = !eligible.is_zero();
        let today = self.program.calendar().day_of(self.at);
        let month = Month::of(record.paid_on);
        let (becomes, others) =
            if is_member { self.arriving(&record)? } else { (Becomes::Unclaimed, Vec::new()) };
        let progress = ProgressChange { month, spend, order: counts, is_less: false };
        self.record(Event::Earned(Box::new(Earned {
            order: record.clone(),
            becomes,
            progress,
            counted_in: Month::of(today),
            others,
        })))?;
        if is_member && !record.points.is_zero() {
            self.slide(record.paid_on)?;
        }
        if counts && is_member {
            self.measure(Month::of(today))?;
        }
        for Waiting { id, at, correction } in waiting {
            match self.corrected(is_member, &record, id, *at, correction) {
                Ok(corrected) => {
                    self.record_correction(corrected, &record)?;
                    record = self.newest_record(record);
                }
                Err(rejection) => {
                    self.record(Event::CorrectionRefused { by: id.clone(), rejection })?;
                }
            }
        }
        if let Some(member_id) = &order.member_id {
            if let Some(code) = code {
                self.name_referrer(member_id, code, has_history)?;
            }
            self.watch_order(&order.order_id, order.paid_at, &record)?;
        }
        Ok(self.done(is_member))
    }

    /// Answers [`Command::ClaimOrder`]: a guest's order becomes a member's, as if it came only now, with what
    /// refunds left of it. It is nothing that a friend was brought to, so no referral waits for it.
    fn claim(mut self, guest: &OrderRecord) -> Result<Decision, Rejection> {
        due::happen(&mut self)?;
        let record = self.claimed(guest)?;
        let eligible = record.eligible()?;
        let spend = record.spend_of(eligible, self.program)?;
        let counts = !eligible.is_zero();
        let today = self.program.calendar().day_of(self.at);
        let (becomes, others) = self.arriving(&record)?;
        let month = Month::of(record.paid_on);
        let progress = ProgressChange { month, spend, order: counts, is_less: false };
        self.record(Event::Earned(Box::new(Earned {
            order: record.clone(),
            becomes,
            progress,
            counted_in: Month::of(today),
            others,
        })))?;
        if !record.points.is_zero() {
            self.slide(record.paid_on)?;
        }
        if counts {
            self.measure(Month::of(today))?;
        }
        Ok(self.done(true))
    }

    /// What is kept of a guest's order that becomes a member's.
    fn claimed(&self, guest: &OrderRecord) -> Result<OrderRecord, Rejection> {
        let earning = &self.program.spec().earning;
        let rank = tier::rank(self.program, &self.account);
        let level = self.program.levels().get(rank);
        let months = level.and_then(|it| it.expiry_months).or(earning.expiry_months);
        let given = earning.last_good_day_after(months, guest.paid_on)?;
        let mut record = OrderRecord { channel: None, ..guest.clone() };
        record.sequence = self.account.sequence.checked_add(1).ok_or(OutOfRange)?;
        record.lot = LotId { wallet: Wallet::Points, given };
        record.matures_at = after_days(self.at, earning.pending_days)?;
        record.program_version = self.program.spec().version;
        record.components =
            components_for(self.program, rank, guest.paid_on, guest.channel.as_ref(), record.lot)?;
        (record.caps, record.headroom) = headroom(self.program, &self.account, guest.paid_on);
        let eligible = record.eligible()?;
        let spend = record.spend_of(eligible, self.program)?;
        record.points = compute(
            &mut record.components,
            eligible,
            record.currency,
            record.rate,
            spend,
            record.headroom,
        )?;
        Ok(record)
    }

    /// What is kept of `order`, with its points.
    fn recorded(&self, order: &Order, is_member: bool) -> Result<OrderRecord, Rejection> {
        let earning = &self.program.spec().earning;
        let currency = order.currency;
        let rate =
            self.program.rate_for(currency).ok_or(Rejection::CurrencyNotInProgram { currency })?;
        check_line_ids(&order.content)?;
        let lines = kept_lines(self.program, &order.content)?;
        let amount = eligible(&lines)?;
        let paid_on = self.program.calendar().day_of(order.paid_at);
        let rank = tier::rank(self.program, &self.account);
        let level = self.program.levels().get(rank).filter(|_| is_member);
        let months = level.and_then(|it| it.expiry_months).or(earning.expiry_months);
        let given = earning.last_good_day_after(months, paid_on)?;
        let next = self.account.sequence.checked_add(1).ok_or(OutOfRange)?;
        let mut record = OrderRecord {
            sequence: if is_member { next } else { 0 },
            paid_on,
            currency,
            rate,
            lines: lines.into(),
            components: Vec::new(),
            headroom: None,
            points: Points::ZERO,
            lot: LotId { wallet: Wallet::Points, given },
            matures_at: after_days(self.at, earning.pending_days)?,
            caps: Vec::new(),
            program_version: self.program.spec().version,
            edited_at: None,
            channel: order.channel.clone().filter(|_| !is_member),
        };
        if is_member {
            let channel = order.channel.as_ref();
            record.components = components_for(self.program, rank, paid_on, channel, record.lot)?;
            (record.caps, record.headroom) = headroom(self.program, &self.account, paid_on);
            let spend = record.spend_of(amount, self.program)?;
            record.points =
                compute(&mut record.components, amount, currency, rate, spend, record.headroom)?;
        }
        Ok(record)
    }

    /// What becomes of the points of `record`, and of those that lie in lots of their own.
    fn arriving(&self, record: &OrderRecord) -> Result<(Becomes, Vec<EarnedInLot>), OutOfRange> {
        let mut account = self.account.clone();
        let mut lots = points_by_lot(&record.components, record.lot)?.into_iter();
        let mut arrive = |lot, points| {
            let becomes = self.becomes(&account, lot, record.matures_at, points)?;
            if let Becomes::Available { debt_paid } = becomes {
                account.debt = account.debt.minus(debt_paid)?;
            }
            Ok(becomes)
        };
        let own = lots.next().map_or((record.lot, Points::ZERO), |it| it);
        let becomes = arrive(own.0, own.1)?;
        let mut others = Vec::new();
        for (lot, points) in lots.filter(|(_, points)| !points.is_zero()) {
            others.push(EarnedInLot { lot, points, becomes: arrive(lot, points)? });
        }
        Ok((becomes, others))
    }

    /// What becomes of `points` of an order that come into `account` at this instant.
    pub(crate) fn becomes(
        &self,
        account: &Account,
        lot: LotId,
        matures_at: Timestamp,
        points: Points,
    ) -> Result<Becomes, OutOfRange> {
        let day = account.last_good_day(lot);
        if self.program.calendar().is_over(day, self.at)? {
            Ok(Becomes::Expired)
        } else if self.at < matures_at {
            Ok(Becomes::Pending)
        } else {
            Ok(Becomes::Available { debt_paid: account.debt.min(points) })
        }
    }

    fn correct_order(
        mut self,
        is_member: bool,
        record: &OrderRecord,
        order_id: &OrderId,
        request: &Request,
        correction: &Correction,
    ) -> Result<Decision, Rejection> {
        debug_assert_eq!(request.id.order_id(), Some(order_id), "the id is made from the order");
        due::happen(&mut self)?;
        let corrected = self.corrected(is_member, record, &request.id, request.at, correction)?;
        self.record_correction(corrected, record)?;
        Ok(self.done(is_member))
    }

    /// The order's record after the correction that was just recorded.
    fn newest_record(&self, record: OrderRecord) -> OrderRecord {
        let mut state = OrderState { member_id: None, record: Some(record.clone()) };
        if let Some(event) = self.events.iter().rfind(|it| matches!(it, Event::Corrected(_))) {
            state.apply(event);
        }
        state.record.unwrap_or(record)
    }

    /// Records what was `corrected` of an order that was kept as `record`.
    fn record_correction(
        &mut self,
        corrected: Corrected,
        record: &OrderRecord,
    ) -> Result<(), OutOfRange> {
        let order_id = corrected.by.order_id().cloned();
        let is_more = corrected.eligible_after > corrected.eligible_before;
        let is_less = corrected.eligible_after < corrected.eligible_before;
        let has_account = corrected.settled != Settled::NoAccount;
        let is_kept = !corrected.eligible_after.is_zero();
        self.record(Event::Corrected(Box::new(corrected)))?;
        if !has_account {
            return Ok(());
        }
        let month = Month::of(self.program.calendar().day_of(self.at));
        if is_more && is_kept {
            // An order that grows is measured as it would have been if it had been paid like this.
            self.measure(month)?;
        }
        if is_less && self.program.spec().refunds.lowers_level {
            self.lower_level(month)?;
        }
        if let Some(order_id) = order_id
            && self.account.membership.referred.is_some()
        {
            let after = self.newest_record(record.clone());
            self.correct_referral(&order_id, record, &after)?;
        }
        Ok(())
    }

    /// What `correction` does to the order at this instant.
    fn corrected(
        &self,
        is_member: bool,
        record: &OrderRecord,
        by: &CommandId,
        happened_at: Timestamp,
        correction: &Correction,
    ) -> Result<Corrected, Rejection> {
        let edited_at = match correction {
            // Refunds add up in any order; of edits the newest stands.
            Correction::Lines(_) | Correction::Amount(_) => record.edited_at,
            Correction::All => record.edited_at.max(Some(happened_at)),
            Correction::Content(_) if record.edited_at > Some(happened_at) => {
                return Err(Rejection::EditOvertaken);
            }
            Correction::Content(_) => Some(happened_at),
        };
        let (lines, cut) = match correction {
            Correction::Lines(refunded) => take_lines(&record.lines, refunded)?,
            Correction::Amount(amount) => take_amount(&record.lines, *amount)?,
            Correction::All => (take_all(&record.lines), Cut::default()),
            Correction::Content(content) => {
                check_line_ids(content)?;
                let lines = kept_lines(self.program, content)?;
                (replace_lines(lines, &record.lines), Cut::default())
            }
        };
        let before = record.eligible()?;
        let after = eligible(&lines)?;
        let spend_before = record.spend_of(before, self.program)?;
        let spend_after = record.spend_of(after, self.program)?;
        let mut components = record.components.clone();
        let mut points_under = |headroom| {
            let (currency, rate) = (record.currency, record.rate);
            compute(&mut components, after, currency, rate, spend_after, headroom)
        };
        let mut headroom = record.headroom;
        let mut points_after = points_under(headroom)?;
        if points_after > record.points {
            // What an order grows by fits what its caps have left now, whatever they had once.
            headroom = self.headroom_to_grow(record)?;
            points_after = points_under(headroom)?;
        }
        let (settled, others) = if is_member {
            self.settled_by_lot(record, &components)?
        } else {
            (Settled::NoAccount, Vec::new())
        };
        let is_less = after < before;
        let spend = if is_less {
            spend_before.minus(spend_after)?
        } else {
            spend_after.minus(spend_before)?
        };
        Ok(Corrected {
            by: by.clone(),
            lines: match correction {
                Correction::Content(_) => LinesChange::Replaced(lines.into()),
                Correction::Lines(_) | Correction::Amount(_) | Correction::All => {
                    LinesChange::Taken(taken_lines(&record.lines, &lines)?)
                }
            },
            eligible_before: before,
            eligible_after: after,
            cut: cut.amount,
            cut_quantity: cut.quantity,
            points_before: record.points,
            points_after,
            components_after: components.iter().map(|it| it.points).collect(),
            headroom_after: headroom,
            settled,
            lot: record.lot,
            matures_at: record.matures_at,
            order_sequence: record.sequence,
            caps: if is_member { record.caps.clone() } else { Vec::new() },
            edited_at,
            progress: ProgressChange {
                month: Month::of(record.paid_on),
                spend: if is_member { spend } else { Spend::ZERO },
                order: is_member && before.is_zero() != after.is_zero(),
                is_less,
            },
            others,
        })
    }

    /// The headroom of an order that is worth more than it was: its own points, and what its caps
    /// have left beside them, as far as the headroom kept for it goes.
    fn headroom_to_grow(&self, record: &OrderRecord) -> Result<Option<Points>, OutOfRange> {
        let mut headroom = record.headroom;
        for cap in &self.program.spec().caps.per_member {
            let key = CapKey::of(cap.period, record.paid_on);
            if record.caps.contains(&key) {
                let left = cap.points.minus_or_zero(self.account.cap_used(key));
                let most = record.points.plus(left)?;
                headroom = Some(headroom.map_or(most, |it| it.min(most)));
            }
        }
        Ok(headroom)
    }

    /// Where the difference between the order's points and those of the components `after` goes, lot by lot.
    fn settled_by_lot(
        &self,
        record: &OrderRecord,
        after: &[Component],
    ) -> Result<(Settled, Vec<CorrectedInLot>), OutOfRange> {
        let before = points_by_lot(&record.components, record.lot)?;
        let after = points_by_lot(after, record.lot)?;
        // Lots never change, so these are the same ones.
        let mut lots = before.into_iter().zip(after);
        let Some(((lot, own_before), (_, own_after))) = lots.next() else { return Err(OutOfRange) };
        let own = (record.matures_at, lot, record.sequence);
        let settled = self.settled(&self.account, own, own_before, own_after)?;
        let mut others = Vec::new();
        let mut account: Option<Account> = None;
        for ((lot, points_before), (_, points_after)) in lots {
            if points_before == points_after {
                continue;
            }
            // What the lots before it took is no longer there.
            let account = match &mut account {
                Some(account) => account,
                none => {
                    let mut copy = self.account.clone();
                    let own = (record.matures_at, record.lot, record.sequence);
                    copy.settle(own, own_before, own_after, &settled)?;
                    none.insert(copy)
                }
            };
            let own = (record.matures_at, lot, record.sequence);
            let settled = self.settled(account, own, points_before, points_after)?;
            account.settle(own, points_before, points_after, &settled)?;
            others.push(CorrectedInLot { lot, points_before, points_after, settled });
        }
        Ok((settled, others))
    }

    /// Where the difference between points `before` and `after` goes that mature at an instant into a lot of
    /// `account`, and belong to the entry of a number.
    pub(crate) fn settled(
        &self,
        account: &Account,
        (matures_at, lot, sequence): (Timestamp, LotId, u64),
        before: Points,
        after: Points,
    ) -> Result<Settled, OutOfRange> {
        if after > before {
            let more = after.minus(before)?;
            return Ok(Settled::Added(self.becomes(account, lot, matures_at, more)?));
        }
        if self.program.calendar().is_over(account.last_good_day(lot), self.at)? {
            return Ok(Settled::GoneAlready);
        }
        let mut missing = before.minus(after)?;
        let own_pending = account
            .own_pending(matures_at, lot, sequence)
            .and_then(|it| account.pending.get(it))
            .map_or(Points::ZERO, |it| it.points);
        let pending = own_pending.min(missing);
        missing = missing.minus(pending)?;

        let mut lots = Vec::new();
        let own = account.lots.iter().filter(|it| it.id == lot);
        let others = account.lots.iter().filter(|it| it.id != lot);
        for lot in own.chain(others) {
            let points = lot.points.min(missing);
            if !points.is_zero() {
                missing = missing.minus(points)?;
                lots.push(LotUse { lot: lot.id, points });
            }
        }
        let (debt, waived) = match self.program.spec().refunds.shortfall {
            Shortfall::Debt => (missing, Points::ZERO),
            Shortfall::Waive => (Points::ZERO, missing),
        };
        Ok(Settled::TakenBack { pending, lots, debt, waived })
    }

    fn spend(mut self, requested: Points, asked_at: Timestamp) -> Result<Decision, Rejection> {
        if requested.is_zero() {
            return Err(Rejection::AmountIsZero);
        }
        due::happen(&mut self)?;
        let available = self.account.available()?;
        if available < requested {
            return Err(Rejection::InsufficientPoints { available, requested });
        }
        let mut missing = requested;
        let mut uses = Vec::new();
        for lot in &self.account.lots {
            let points = lot.points.min(missing);
            if !points.is_zero() {
                missing = missing.minus(points)?;
                uses.push(LotUse { lot: lot.id, points });
            }
        }
        self.record(Event::Spent { uses })?;
        self.slide(self.program.calendar().day_of(asked_at))?;
        Ok(self.done(true))
    }

    fn give_back(
        mut self,
        id: &CommandId,
        spend: &SpendState,
        requested: Points,
    ) -> Result<Decision, Rejection> {
        if requested.is_zero() {
            return Err(Rejection::AmountIsZero);
        }
        let left = Points::total(spend.uses.iter().map(|it| it.points))?.minus(spend.given_back)?;
        if left < requested {
            return Err(Rejection::MoreThanSpent { left, requested });
        }
        due::happen(&mut self)?;
        let calendar = self.program.calendar();
        let today = calendar.day_of(self.at);
        let reinstate_days = self.program.spec().spending.reinstate_days;

        // What was used last comes back first, as if only the rest had ever been used.
        let mut skipped = spend.given_back;
        let mut missing = requested;
        let mut debt = self.account.debt;
        let (mut debt_paid, mut lost) = (Points::ZERO, Points::ZERO);
        let mut restored: Vec<LotUse> = Vec::new();
        for LotUse { lot, points } in spend.uses.iter().rev().copied() {
            let skip = points.min(skipped);
            skipped = skipped.minus(skip)?;
            let points = points.minus(skip)?.min(missing);
            missing = missing.minus(points)?;

            let paid = points.min(debt);
            debt = debt.minus(paid)?;
            debt_paid = debt_paid.plus(paid)?;
            let points = points.minus(paid)?;
            if points.is_zero() {
                continue;
            }
            if !calendar.is_over(self.account.last_good_day(lot), self.at)? {
                restored.push(LotUse { lot, points });
            } else if reinstate_days == 0 {
                lost = lost.plus(points)?;
            } else {
                let days = i64::from(reinstate_days);
                let given = today
                    .checked_add(jiff::Span::new().try_days(days).map_err(|_| OutOfRange)?)
                    .map_err(|_| OutOfRange)?;
                restored.push(LotUse { lot: LotId { given, ..lot }, points });
            }
        }
        self.record(Event::GivenBack { spend: id.clone(), debt_paid, restored, lost })?;
        Ok(self.done(true))
    }
}

fn check_line_ids(content: &Content) -> Result<(), Rejection> {
    let mut ids: Vec<&LineId> = content.lines.iter().map(|it| &it.id).collect();
    ids.sort_unstable();
    let repeated = ids.windows(2).find_map(|pair| match pair {
        [first, second] if first == second => Some((*first).clone()),
        _ => None,
    });
    repeated.map_or(Ok(()), |line| Err(Rejection::LineRepeated { line }))
}

/// Which of the lines `before` are others `after`, and how.
fn taken_lines(before: &[KeptLine], after: &[KeptLine]) -> Result<Vec<TakenLine>, OutOfRange> {
    let mut changes = Vec::new();
    for (index, (before, after)) in before.iter().zip(after).enumerate() {
        if before != after {
            let index = u32::try_from(index).map_err(|_| OutOfRange)?;
            let KeptLine { returned, taken, .. } = *after;
            changes.push(TakenLine { index, returned, taken });
        }
    }
    Ok(changes)
}

/// What a refund asked for beyond what was left.
#[derive(Default)]
struct Cut {
    amount: Minor,
    quantity: u64,
}

/// Takes a refund's lines off, each cut to what is left of it.
fn take_lines(
    lines: &[KeptLine],
    refunded: &[RefundLine],
) -> Result<(Vec<KeptLine>, Cut), Rejection> {
    let mut lines = lines.to_vec();
    let mut cut = Cut::default();
    for RefundLine { key, quantity, amount } in refunded {
        let Some(line) = lines.iter_mut().find(|it| it.key == *key) else {
            match key {
                LineKey::Line(_) => return Err(Rejection::LineNotInOrder { line: key.clone() }),
                // Every order has shipping and tax; of nothing nothing is left.
                LineKey::Shipping | LineKey::Tax => cut.amount = cut.amount.plus(*amount)?,
            }
            continue;
        };
        let taken = line.left().min(*amount);
        cut.amount = cut.amount.plus(amount.minus_or_zero(taken))?;
        line.taken = line.taken.plus(taken)?;
        // Shipping and tax are no pieces of anything.
        if let LineKey::Line(_) = key {
            let returned = line.quantity.saturating_sub(line.returned).min(*quantity);
            cut.quantity = cut.quantity.saturating_add((*quantity).saturating_sub(returned).into());
            line.returned = line.returned.saturating_add(returned);
        }
    }
    Ok((lines, cut))
}

/// Spreads a refund without lines over what is left of the counting lines.
fn take_amount(lines: &[KeptLine], amount: Minor) -> Result<(Vec<KeptLine>, Cut), OutOfRange> {
    let counting: Vec<Minor> = lines.iter().map(KeptLine::counting).collect();
    let taken = amount.min(Minor::total(counting.iter().copied())?);
    let mut lines = lines.to_vec();
    for (line, share) in lines.iter_mut().zip(spread(taken, &counting)?) {
        line.taken = line.taken.plus(share)?;
    }
    Ok((lines, Cut { amount: amount.minus_or_zero(taken), quantity: 0 }))
}

fn take_all(lines: &[KeptLine]) -> Vec<KeptLine> {
    lines
        .iter()
        .map(|it| KeptLine {
            returned: it.quantity.max(it.returned),
            taken: it.amount.max(it.taken),
            ..it.clone()
        })
        .collect()
}

/// The lines of an edited order, less what was refunded of those that it had before.
///
/// What was refunded stays refunded, of lines that shrink or go, too: another edit may bring them
/// back.
fn replace_lines(mut lines: Vec<KeptLine>, before: &Arc<[KeptLine]>) -> Vec<KeptLine> {
    let after: HashMap<&LineKey, usize> =
        lines.iter().enumerate().map(|(index, it)| (&it.key, index)).collect();
    let touched = before.iter().filter(|it| it.returned > 0 || !it.taken.is_zero());
    let touched: Vec<_> = touched.map(|it| (after.get(&it.key).copied(), it)).collect();
    for (index, before) in touched {
        if let Some(line) = index.and_then(|it| lines.get_mut(it)) {
            line.taken = before.taken;
            line.returned = before.returned;
        } else {
            lines.push(KeptLine { quantity: 0, amount: Minor::ZERO, ..before.clone() });
        }
    }
    lines
}
