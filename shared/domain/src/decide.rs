//! The decision: (program, what is known, command) to events, or to a refusal.

use std::{collections::HashMap, sync::Arc};

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    account::{Account, CapKey, LotId, Wallet},
    adjustment::PROPOSALS_MAX,
    calendar::{Month, after_days},
    checkout::{Back, HOLDS_MAX},
    command::{Command, Correction, RefundLine, Request, Waiting},
    due,
    earning::{Component, components_for, compute, headroom, points_by_lot},
    event::{
        Becomes, Corrected, CorrectedInLot, Earned, EarnedInLot, Event, LinesChange, LotUse,
        ProgressChange, Settled, TakenLine,
    },
    id::{CommandId, LevelId, LineId, MemberId},
    merge::MergeState,
    money::{Currency, Minor, Spend, spread},
    opening::{LOTS_MAX, MONTHS_MAX, PENDING_MAX},
    order::{Content, KeptLine, LineKey, Order, OrderRecord, OrderState, eligible, kept_lines},
    points::{OutOfRange, Points},
    program::{CapPeriod, Program, Shortfall},
    redemption::{COUNTED_MAX, Offer, RedemptionState, RedemptionStatus},
    referral::{NamedCode, Suspicion},
    reminder,
    reward::RewardStatus,
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
    /// The program lets no member give points to another.
    #[error("the program lets no member give points to another")]
    TransfersOff,
    /// Points would go to where they came from.
    #[error("nobody can give points to themselves")]
    OwnAccount,
    /// Whoever points go to is no active member: nobody, not yet, not now or no more. Which of them is nothing that
    /// a member may learn of another.
    #[error("whoever points go to is no active member")]
    ReceiverNotActive,
    /// The member joined too short a time ago.
    #[error("the member can give points from {from} on")]
    AccountTooNew {
        /// From when on they can.
        from: Timestamp,
    },
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
    /// The program says nothing of paying with points.
    #[error("the program lets points pay nothing")]
    PointsDoNotPay,
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
    /// Points are to be held for longer than the program lets them.
    #[error("points are held for {minutes_max} minutes at most")]
    HoldTooLong {
        /// The longest.
        minutes_max: u32,
    },
    /// A request of no points, which is always a mistake of the sender.
    #[error("the number of points must not be zero")]
    AmountIsZero,
    /// More points than the program lets a member give in a period.
    #[error("only {left} more points can be given away {}", in_words(*period))]
    TransferCapReached {
        /// Which period.
        period: CapPeriod,
        /// What is left of it.
        left: Points,
    },
    /// No adjustment of this id waits for a second person.
    #[error("no adjustment of this id waits for a second person")]
    NoSuchAdjustment,
    /// Whoever asked for an adjustment would decide about it.
    #[error("somebody else than who asked for the adjustment must decide about it")]
    ApproverIsRequester,
    /// As many adjustments wait as an account may have.
    #[error("at most {PROPOSALS_MAX} adjustments of one account wait for a second person")]
    TooManyProposals,
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
    /// There is no reward of this id.
    #[error("there is no such reward")]
    NoSuchReward,
    /// Nobody can take the reward now.
    #[error("the reward is {}", status.as_str())]
    RewardNotActive {
        /// What it is.
        status: RewardStatus,
    },
    /// It is too early for this member.
    #[error("the reward can be taken from {from} on")]
    RewardNotYet {
        /// From when on this member may take it.
        from: Timestamp,
    },
    /// It is too late.
    #[error("the time of the reward is over")]
    RewardOver,
    /// The reward is not for the member's level.
    #[error("the reward is not for this level")]
    LevelNotAllowed,
    /// The reward is not to be had where it was asked for.
    #[error("the reward is not to be had in this channel")]
    ChannelNotAllowed,
    /// The member had as many as they may in a period.
    #[error("a member can take at most {limit} {}", Self::period(*period))]
    RewardLimitReached {
        /// How many a member may take.
        limit: u32,
        /// In which period.
        period: CapPeriod,
    },
    /// The member took so many rewards with limits that no more can be counted.
    #[error("at most {COUNTED_MAX} numbers of rewards with limits are counted")]
    TooManyCounted,
    /// The reward costs something else than whoever asks believes.
    #[error("the reward costs {price} points")]
    PriceChanged {
        /// What it costs this member.
        price: Points,
    },
    /// Nothing is left of the reward.
    #[error("the reward is sold out")]
    SoldOut,
    /// The member has no redemption of this id.
    #[error("there is no such redemption")]
    NoSuchRedemption,
    /// A redemption cannot go on like this from where it stands.
    #[error("the redemption is {}", status.as_str())]
    RedemptionIs {
        /// Where it stands.
        status: RedemptionStatus,
    },
    /// What is to be used or let go is not held: it was before, or never was.
    #[error("no points are held under this id")]
    NoSuchHold,
    /// More is to be used than is held.
    #[error("{held} points are held but {requested} were requested")]
    MoreThanHeld {
        /// What is held.
        held: Points,
        /// What was asked for.
        requested: Points,
    },
    /// The member has as many open checkouts as an account remembers.
    #[error("at most {HOLDS_MAX} holds are open at once")]
    TooManyHolds,
    /// More points are to pay an order than it allows.
    #[error("at most {most} points can pay this order")]
    MoreThanOrderAllows {
        /// The most.
        most: Points,
    },
    /// Fewer points are to pay an order, or to be given away, than the program wants.
    #[error("at least {min} points are needed")]
    FewerThanMinimum {
        /// The fewest.
        min: Points,
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
    /// A member would become one with themselves.
    #[error("a member cannot become one with themselves")]
    SameMember,
    /// The account is a name for another one already.
    #[error("the account belongs to another member since they became one; undo that first")]
    MergedAlready,
    /// The other account is only a name.
    #[error("the other account belongs to another member since they became one; name that one")]
    IntoAlias,
    /// There is no such merge, or it was undone.
    #[error("no such merge is in force")]
    NotMerged,
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

/// When, as a member reads it.
const fn in_words(period: CapPeriod) -> &'static str {
    match period {
        CapPeriod::Day => "today",
        CapPeriod::Month => "this month",
        CapPeriod::Year => "this year",
        CapPeriod::Lifetime => "for ever",
    }
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
    /// The redemption that is to go on.
    Redemption(Box<RedemptionState>),
    /// The merge that is to be undone.
    Merge(Box<MergeState>),
}

impl Held {
    /// What waits for its order.
    const fn waiting(&self) -> &[Waiting] {
        match self {
            Self::Waiting(waiting) => waiting.as_slice(),
            Self::Nothing
            | Self::Order(_)
            | Self::Spend(_)
            | Self::Redemption(_)
            | Self::Merge(_) => &[],
        }
    }

    /// A guest's order that can become a member's.
    fn claimable(&self) -> Result<&OrderRecord, Rejection> {
        match self {
            Self::Order(OrderState { member_id: None, record: Some(record), .. }) => Ok(record),
            Self::Order(OrderState { member_id: Some(_), .. }) => Err(Rejection::OrderHasMember),
            Self::Order(OrderState { record: None, .. }) => Err(Rejection::OrderRefused),
            Self::Nothing
            | Self::Waiting(_)
            | Self::Spend(_)
            | Self::Redemption(_)
            | Self::Merge(_) => Err(Rejection::NoSuchOrder),
        }
    }

    /// The member of the order, of the use of points or of the redemption, if it is a member's: whose account it
    /// was then, by whichever name it was asked.
    pub fn member_id(&self) -> Option<&MemberId> {
        match self {
            Self::Order(OrderState { member_id, .. }) => member_id.as_ref(),
            Self::Spend(spend) => spend.member_id.as_ref(),
            Self::Redemption(state) => state.member_id.as_ref(),
            Self::Nothing | Self::Waiting(_) | Self::Merge(_) => None,
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
    /// The account of another member whom the request is about, too: of whoever brought the first, where their
    /// referral is settled or taken back; of whoever points go to, or becomes one with the first. `None` where that
    /// is the same account, since both became one member.
    pub other: Option<Account>,
    /// The reward that the request is about, as it was read.
    pub offer: Option<Box<Offer>>,
    /// What else is known of both, where their referral is settled.
    pub suspicion: Suspicion,
    /// Whose the account is, if the member named became one with another: whatever is said of the one is about
    /// the other's account.
    pub owner: Option<MemberId>,
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
    let Known { holds, account, code, other, offer, suspicion, owner } = known;
    let at = account.clock.map_or(request.at, |clock| clock.max(request.at));
    let is_late = account.clock.is_some_and(|clock| request.at < clock);
    let work = || Work {
        is_late,
        member_id: owner.as_ref().or_else(|| holds.member_id().or_else(|| request.member_id())),
        other: other.as_ref(),
        ..Work::new(program, account.clone(), at)
    };
    if account.holdings.alias.is_some() {
        // Of a name nothing is measured, and it is nobody who could join.
        if let Command::Measure { .. } = &request.command {
            return Ok(Decision::Nothing);
        }
        if let Command::Enroll { .. } | Command::Activate { .. } = &request.command {
            return Err(Rejection::MergedAlready);
        }
    }
    match &request.command {
        Command::PayOrder(order) => {
            if order.member_id.is_some() {
                account.membership.check_open()?;
                work().pay(order, holds.waiting(), code.as_ref())
            } else {
                Work::new(program, Account::default(), request.at).pay(order, holds.waiting(), None)
            }
        }
        Command::Enroll { member_id, .. } => work().enroll(member_id, code.as_ref()),
        Command::Activate { .. } => work().activate(),
        Command::SetStatus { status, reason, .. } => work().set_status(*status, reason),
        Command::SettleReferral { .. } => work().settle_referral(&request.id, suspicion),
        Command::ReviewReferral { approves, reason, .. } => {
            work().review_referral(&request.id, *approves, reason, suspicion)
        }
        Command::ClaimOrder { .. } => {
            let record = holds.claimable()?;
            account.membership.check_open()?;
            work().claim(record)
        }
        Command::CorrectOrder { correction, points, .. } => {
            let Held::Order(state) = holds else {
                return Ok(waits(request, correction, *points));
            };
            let work = if state.member_id.is_some() {
                work()
            } else {
                Work::new(program, Account::default(), request.at)
            };
            work.correct_order(state, request, correction, *points)
        }
        Command::Spend { points, .. } => {
            account.membership.check_spends()?;
            work().spend(*points, request.at)
        }
        Command::GiveBack { member_id, spend: id, points } => {
            // Of whoever is named, by this name or by another.
            let is_by_name = matches!(id, CommandId::Request { member, .. } if member == member_id);
            let is_of = |it: &MemberId| is_by_name || it == member_id || owner.as_ref() == Some(it);
            match holds {
                Held::Spend(spend) if spend.member_id.as_ref().is_some_and(is_of) => {
                    work().give_back(id, spend, *points)
                }
                Held::Nothing
                | Held::Waiting(_)
                | Held::Order(_)
                | Held::Spend(_)
                | Held::Redemption(_)
                | Held::Merge(_) => Err(Rejection::NothingSpent),
            }
        }
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
        Command::Checkout { act, .. } => work().checkout(&request.id, act, request.at),
        Command::Redemption { act, .. } => {
            work().redemption(&request.id, act, holds, offer.as_deref(), request.at)
        }
        Command::Transfer { transfer, .. } => work().transfer(&request.id, transfer, request.at),
        Command::Adjustment { act, .. } => work().adjustment(&request.id, act),
        Command::Merge { act, .. } => work().merge(&request.id, act, holds),
        Command::PostDue { .. } => Ok(work().post_due()?),
    }
}

fn waits(request: &Request, correction: &Correction, points: Option<Points>) -> Decision {
    let (id, at, correction) = (request.id.clone(), request.at, correction.clone());
    Decision::Waits(Waiting { id, at, correction, points })
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
    /// The account of another member whom the request is about, where it was read.
    pub(crate) other: Option<&'a Account>,
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
            other: None,
            second: None,
        }
    }

    /// Answers [`Command::PostDue`].
    fn post_due(mut self) -> Result<Decision, OutOfRange> {
        let clock = self.account.clock;
        due::happen(&mut self)?;
        let today = self.program.calendar().day_of(self.at);
        reminder::tell(&mut self, today)?;
        // Only to where something happened: an order that is late for a job is not late for its
        // account.
        let last = self.events.iter().rev().find_map(Event::fell_due_at);
        // Nothing due is said, too: it tells when to look again. A new account has no when.
        let last = last.or(clock);
        // Versions in several time zones do not move it back.
        self.at = last.unwrap_or(self.at).max(clock.unwrap_or(Timestamp::MIN));
        Ok(self.done(last.is_some()))
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
        // Before it earns: no order is paid with its own points.
        let mut payment = self.pay_with_points(order, is_member)?;
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
        for Waiting { id, at, correction, points } in waiting {
            match self.corrected(is_member, &record, id, *at, correction) {
                Ok(corrected) => {
                    self.record_correction(corrected, &record)?;
                    record = self.newest_record(record);
                    let lines = (is_member, &*record.lines);
                    payment = self.correct_payment(payment, lines, id, correction, *points)?;
                }
                Err(rejection) => {
                    self.record(Event::CorrectionRefused { by: id.clone(), rejection })?;
                }
            }
        }
        if let Some(member_id) = &order.member_id {
            if let Some(code) = code {
                let member_id = self.member_id.unwrap_or(member_id);
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
        state: &OrderState,
        request: &Request,
        correction: &Correction,
        points: Option<Points>,
    ) -> Result<Decision, Rejection> {
        let record = state.record.as_ref().ok_or(Rejection::OrderRefused)?;
        let is_member = state.member_id.is_some();
        due::happen(&mut self)?;
        let corrected = self.corrected(is_member, record, &request.id, request.at, correction)?;
        self.record_correction(corrected, record)?;
        let lines = self.newest_record(record.clone()).lines;
        let payment = state.payment.as_deref().cloned();
        self.correct_payment(payment, (is_member, &lines), &request.id, correction, points)?;
        Ok(self.done(is_member))
    }

    /// The order's record after the correction that was just recorded.
    fn newest_record(&self, record: OrderRecord) -> OrderRecord {
        let mut state = OrderState { member_id: None, record: Some(record.clone()), payment: None };
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
        let uses = self.account.uses_of(requested)?;
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
        // What was used last comes back first, as if only the rest had ever been used.
        let mut skipped = spend.given_back;
        let mut missing = requested;
        let mut uses = Vec::new();
        for LotUse { lot, points } in spend.uses.iter().rev().copied() {
            let skip = points.min(skipped);
            skipped = skipped.minus(skip)?;
            let points = points.minus(skip)?.min(missing);
            missing = missing.minus(points)?;
            uses.push(LotUse { lot, points });
        }
        let Back { debt_paid, restored, lost } = self.coming_back(uses)?;
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
