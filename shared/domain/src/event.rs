//! Events: what an entry did to its account, complete enough that nobody decides again.

use std::sync::Arc;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    account::{CapKey, LotId, Measure, MonthProgress, Pending, Tier},
    adjustment::AdjustmentEvent,
    calendar::Month,
    checkout::CheckoutEvent,
    decide::Rejection,
    expiry::Cause,
    id::{CommandId, LevelId, MemberId, OrderId, ReasonCode, TaskId},
    membership::Status,
    merge::MergeEvent,
    money::{Currency, Minor, Spend},
    order::{KeptLine, OrderRecord},
    points::{OutOfRange, Points},
    redemption::RedemptionEvent,
    referral::{Qualifier, ReferralRefusal, Reward, Share},
    tier::{NextLevel, Override},
    transfer::TransferEvent,
};

/// One thing that happened to an account, or to an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Pending points became available.
    Matured {
        /// When.
        at: Timestamp,
        /// Into which lot.
        lot: LotId,
        /// How many.
        points: Points,
        /// How many of them paid a debt instead.
        debt_paid: Points,
    },
    /// Pending points matured after their last good day, and were gone at once.
    Lapsed {
        /// When.
        at: Timestamp,
        /// The lot that they would have lain in.
        lot: LotId,
        /// How many.
        points: Points,
        /// How many of them paid a debt before the rest was gone.
        debt_paid: Points,
    },
    /// What was left in a lot is gone.
    Expired {
        /// The first instant after the lot's last good day.
        at: Timestamp,
        /// Which lot.
        lot: LotId,
        /// How many points.
        points: Points,
    },
    /// A level's validity ended and the member was measured again.
    Reviewed {
        /// The first instant after the validity.
        at: Timestamp,
        /// The level from now on.
        level: LevelId,
        /// Until when, but for the lowest level.
        valid_through: Option<Date>,
        /// The one before; `None` of entries that were kept before levels said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<LevelBefore>,
    },
    /// An order earned, counted and, if the account was late, was at once available or expired.
    Earned(Box<Earned>),
    /// An order raised the level or renewed it.
    LevelReached {
        /// The level from now on.
        level: LevelId,
        /// Until when.
        valid_through: Date,
        /// The one before; `None` of entries that were kept before levels said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<LevelBefore>,
    },
    /// A refund lowered the level before its review, as the program wants it.
    LevelLowered {
        /// The level from now on.
        level: LevelId,
        /// Until when, but for the lowest level.
        valid_through: Option<Date>,
        /// The one before; `None` of entries that were kept before levels said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<LevelBefore>,
    },
    /// A refund, cancellation or change took effect on an order.
    Corrected(Box<Corrected>),
    /// A refund or change that waited for its order does not fit it.
    CorrectionRefused {
        /// Which.
        by: CommandId,
        /// Why.
        rejection: Rejection,
    },
    /// Points were used.
    Spent {
        /// Which lots gave how many.
        uses: Vec<LotUse>,
    },
    /// Used points came back.
    GivenBack {
        /// The request that had used them.
        spend: CommandId,
        /// How many paid a debt.
        debt_paid: Points,
        /// How many went back to which lots; a lot of today's making holds what was reinstated.
        restored: Vec<LotUse>,
        /// How many stay lost, because their lots expired meanwhile.
        lost: Points,
    },
    /// A member brought points, a level or progress from another system.
    Opened(Box<Opened>),
    /// All lots, those to be of pending points among them, last longer than they were to.
    LifeExtended {
        /// Those whose last good day is this one or a later one; the others are gone.
        from: Date,
        /// Through this day at least.
        through: Date,
        /// Why.
        cause: Cause,
    },
    /// The member is told of points that expire soon.
    ExpiryAnnounced {
        /// On which day.
        day: Date,
        /// The last day on which they can be used.
        last_good_day: Date,
        /// Which lots have how many.
        lots: Vec<LotUse>,
    },
    /// The member is told that the level will be lost, and what would save it.
    LevelAtRisk(Box<LevelAtRisk>),
    /// Staff brought points back that had expired, which then count as if they had not.
    Reinstated {
        /// Into which lot.
        lot: LotId,
        /// How many.
        points: Points,
        /// How many of them paid a debt instead.
        debt_paid: Points,
        /// Why.
        reason: ReasonCode,
    },
    /// A higher level was reached and begins with the next period.
    LevelAwaited(NextLevel),
    /// A level that was reached before began.
    LevelBegan {
        /// Its first instant.
        at: Timestamp,
        /// The level from now on: the one that was reached, or what of it was still met.
        level: LevelId,
        /// Until when.
        valid_through: Date,
        /// The one before.
        before: LevelBefore,
    },
    /// A level that was reached before was no longer met when it was to begin.
    LevelNotBegun {
        /// What would have been its first instant.
        at: Timestamp,
        /// The level.
        level: LevelId,
    },
    /// A level's validity ended that its review would have lowered; it is kept for a while and reviewed then.
    GraceBegan {
        /// The first instant after the validity.
        at: Timestamp,
        /// The level.
        level: LevelId,
        /// Through which day.
        through: Date,
    },
    /// Staff set a level beside the one that is earned; whatever they had set before is over.
    OverrideSet {
        /// What.
        set: Override,
        /// Why.
        reason: ReasonCode,
        /// What it makes the level in force.
        in_force: InForce,
    },
    /// Staff lifted what they had set.
    OverrideLifted {
        /// Why.
        reason: ReasonCode,
        /// What it makes the level in force.
        in_force: InForce,
    },
    /// What staff had set ended by itself.
    OverrideEnded {
        /// The first instant after its last day.
        at: Timestamp,
        /// What it makes the level in force.
        in_force: InForce,
    },
    /// An activity counted for the growth value.
    Grown {
        /// In which month.
        month: Month,
        /// How much.
        growth: u32,
        /// The month of the instant at which it took effect.
        counted_in: Month,
    },
    /// A task was done, which happens once to a member.
    TaskDone {
        /// Which.
        task: TaskId,
    },
    /// The owner of the account joined, became active, was stopped or left.
    StatusChanged {
        /// When.
        at: Timestamp,
        /// What they are from now on.
        status: Status,
        /// Why, if staff did it.
        reason: Option<ReasonCode>,
    },
    /// Points were given beside orders.
    Granted(Box<Granted>),
    /// Points that were given beside orders were taken back.
    GrantTakenBack(Box<GrantTakenBack>),
    /// Something happened to the referral by which the account's owner was brought.
    Referral(Box<ReferralEvent>),
    /// Something happened to points that pay for orders.
    Checkout(Box<CheckoutEvent>),
    /// Something happened to a reward that the member took.
    Redemption(Box<RedemptionEvent>),
    /// Points came from another member, or went to one.
    Transfer(Box<TransferEvent>),
    /// Staff added points or took them off, or proposed to.
    Adjustment(Box<AdjustmentEvent>),
    /// Two members became one, or two again.
    Merge(Box<MergeEvent>),
}

/// Points that are given beside orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// What for.
    pub reason: GrantReason,
    /// How many, and where they lie.
    pub share: Share,
    /// What became of them.
    pub becomes: Becomes,
    /// How many more there would have been without caps.
    pub cut: Points,
}

/// Points that were given beside orders and are taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantTakenBack {
    /// What for they were given.
    pub reason: GrantReason,
    /// How many, and where they lay.
    pub share: Share,
    /// Where they were taken from.
    pub settled: Settled,
}

/// What points are given for, beside orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantReason {
    /// Becoming a member.
    Welcome,
    /// Having been brought.
    Referred {
        /// By whom.
        referrer: MemberId,
    },
    /// Having brought somebody.
    Brought {
        /// Whom.
        friend: MemberId,
        /// The period in which the friend is counted, if their number is limited.
        count: Option<CapKey>,
    },
    /// Having brought so many.
    Milestone {
        /// How many.
        friends: u32,
    },
}

/// What happened to the referral by which an account's owner was brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferralEvent {
    /// They said who brought them.
    Named {
        /// Who.
        referrer: MemberId,
    },
    /// They named a code that does not count.
    NotNamed {
        /// Why not.
        refusal: ReferralRefusal,
    },
    /// An order of theirs is watched until its return window is over.
    Ordered {
        /// Which.
        order_id: OrderId,
        /// When the window ends.
        qualifies_at: Timestamp,
        /// Whether what is kept of it is enough.
        is_enough: bool,
        /// Who would be rewarded.
        referrer: MemberId,
    },
    /// A refund or an edit made a watched order enough, or too little.
    Corrected {
        /// Which.
        order_id: OrderId,
        /// Whether what is kept of it is enough.
        is_enough: bool,
    },
    /// The return window of an order ended, of which too little was kept.
    NotKept {
        /// When.
        at: Timestamp,
        /// Which.
        order_id: OrderId,
    },
    /// The referral is due, and is looked into.
    Qualified {
        /// Since when.
        at: Timestamp,
        /// By what.
        by: Qualifier,
        /// Who would be rewarded.
        referrer: MemberId,
    },
    /// It waits for staff: the referrer brought more friends than the program takes for natural.
    Held {
        /// What it is due by.
        by: Qualifier,
        /// Who would be rewarded.
        referrer: MemberId,
    },
    /// Both were rewarded.
    Rewarded {
        /// What with.
        reward: Box<Reward>,
        /// Who, beside the owner of the account.
        referrer: MemberId,
    },
    /// Neither is.
    Refused {
        /// Who would have been rewarded.
        referrer: MemberId,
        /// Why not.
        refusal: ReferralRefusal,
    },
    /// What qualified it was taken back, and so are both rewards.
    Revoked {
        /// Who had been rewarded.
        referrer: MemberId,
    },
}

impl Event {
    /// When it fell due by itself; `None` of what a command did.
    pub fn fell_due_at(&self) -> Option<Timestamp> {
        match self {
            Self::Matured { at, .. }
            | Self::Lapsed { at, .. }
            | Self::Expired { at, .. }
            | Self::Reviewed { at, .. }
            | Self::LevelBegan { at, .. }
            | Self::LevelNotBegun { at, .. }
            | Self::GraceBegan { at, .. }
            | Self::OverrideEnded { at, .. }
            | Self::LifeExtended { cause: Cause::SlidingBegan { at }, .. } => Some(*at),
            Self::Referral(event) => match &**event {
                ReferralEvent::NotKept { at, .. } | ReferralEvent::Qualified { at, .. } => {
                    Some(*at)
                }
                ReferralEvent::Named { .. }
                | ReferralEvent::NotNamed { .. }
                | ReferralEvent::Ordered { .. }
                | ReferralEvent::Corrected { .. }
                | ReferralEvent::Held { .. }
                | ReferralEvent::Rewarded { .. }
                | ReferralEvent::Refused { .. }
                | ReferralEvent::Revoked { .. } => None,
            },
            Self::Checkout(event) => event.fell_due_at(),
            Self::Earned(_)
            | Self::LevelReached { .. }
            | Self::LevelLowered { .. }
            | Self::Corrected(_)
            | Self::CorrectionRefused { .. }
            | Self::Spent { .. }
            | Self::GivenBack { .. }
            | Self::LifeExtended { cause: Cause::Activity | Cause::Staff { .. }, .. }
            | Self::ExpiryAnnounced { .. }
            | Self::LevelAtRisk(_)
            | Self::Reinstated { .. }
            | Self::LevelAwaited(_)
            | Self::OverrideSet { .. }
            | Self::OverrideLifted { .. }
            | Self::Grown { .. }
            | Self::TaskDone { .. }
            | Self::StatusChanged { .. }
            | Self::Granted(_)
            | Self::GrantTakenBack(_)
            | Self::Redemption(_)
            | Self::Transfer(_)
            | Self::Adjustment(_)
            | Self::Merge(_)
            | Self::Opened(_) => None,
        }
    }
}

/// The level in force just before one was given, and how the program that gave it ranks the two: who reads
/// an entry has no program at hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LevelBefore {
    /// A lower one: the member was raised.
    Lower(LevelId),
    /// The same one: only its validity is another.
    Same,
    /// A higher one: the member was lowered.
    Higher(LevelId),
    /// Staff set a level that decides, not the one that was given: this is in force now.
    Overridden(Box<InForce>),
}

/// The level in force from now on, where staff set one beside what is earned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// Which.
    pub level: LevelId,
    /// Until when, as far as is known; `None` if it has no end.
    pub valid_through: Option<Date>,
    /// The one before.
    pub before: LevelBefore,
}

/// A level that its review would lower, or that staff set and that ends, if nothing else counted until then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelAtRisk {
    /// On which day the member is told.
    pub day: Date,
    /// The level.
    pub level: LevelId,
    /// Its last day.
    pub valid_through: Date,
    /// The level that the review would leave.
    pub would_be: LevelId,
    /// What orders must come to for the level to be renewed, in minor units of the program's currency and
    /// rounded up; `None`: it cannot be met by spend. Whichever is less to the member is enough.
    pub spend_missing: Option<Minor>,
    /// How many orders must come, likewise; 0: the next one that counts is enough.
    pub orders_missing: Option<u32>,
    /// The program's currency; `None` of entries that were kept before they said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// How much growth must come, likewise. Where the level cannot be met by growth it is not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growth_missing: Option<u64>,
}

/// How many points of a lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LotUse {
    /// Which lot.
    pub lot: LotId,
    /// How many.
    pub points: Points,
}

/// What a member brought from another system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Which lots were filled with how many points, what then pays a debt included.
    pub lots: Vec<LotUse>,
    /// Points on their way.
    pub pending: Vec<Pending>,
    /// Points whose last good day had passed, by the lot that they would have lain in.
    pub expired: Vec<LotUse>,
    /// What was owed there.
    pub debt: Points,
    /// Which lots then paid how much of what is owed, by order of use; of points earned here, too.
    pub debt_paid: Vec<LotUse>,
    /// The level from now on; `None` if the one in force is as high.
    pub tier: Option<Tier>,
    /// Spend and orders by the month in which they were paid.
    pub months: Vec<MonthProgress>,
    /// Spend and orders before these months.
    pub earlier: Measure,
    /// The month that is looked back from: that of the instant at which it took effect, or the one in
    /// which the validity of its level ended.
    pub counted_in: Month,
    /// The level before `tier`; `None` if that is, and of entries that were kept before levels said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<LevelBefore>,
}

/// What an order earned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earned {
    /// What is kept of the order.
    pub order: OrderRecord,
    /// What became of its points, but for those of `others`.
    pub becomes: Becomes,
    /// What it adds to progress; nothing for a guest's order.
    pub progress: ProgressChange,
    /// The month of the instant at which it took effect.
    pub counted_in: Month,
    /// Points of components that lie in lots of their own. Where there are none it is not stored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<EarnedInLot>,
}

/// Points of an order in a lot that is not the order's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarnedInLot {
    /// The lot.
    pub lot: LotId,
    /// How many.
    pub points: Points,
    /// What became of them.
    pub becomes: Becomes,
}

/// What became of points when they were earned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Becomes {
    /// They wait until they mature.
    Pending,
    /// They can be used at once.
    Available {
        /// How many of them paid a debt instead.
        debt_paid: Points,
    },
    /// Their last good day had passed.
    Expired,
    /// They are nobody's: a guest's order.
    Unclaimed,
}

/// What is added to, or taken out of, the progress of a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressChange {
    /// The month in which the order was paid.
    pub month: Month,
    /// Money, in the program's currency.
    pub spend: Spend,
    /// Whether it is one order more, or fewer.
    pub order: bool,
    /// Whether this is taken out.
    pub is_less: bool,
}

/// What a refund, cancellation or change did to an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corrected {
    /// The refund, cancellation or change.
    pub by: CommandId,
    /// What it did to the order's lines.
    pub lines: LinesChange,
    /// The eligible amount before.
    pub eligible_before: Minor,
    /// The eligible amount afterwards.
    pub eligible_after: Minor,
    /// How much was asked for beyond what was left, and cut.
    pub cut: Minor,
    /// How many pieces were said to come back beyond what was left.
    pub cut_quantity: u64,
    /// The order's points before.
    pub points_before: Points,
    /// The order's points afterwards.
    pub points_after: Points,
    /// The same by component.
    pub components_after: Vec<Points>,
    /// The headroom that is kept for the order; an order that grows may get less than it had.
    pub headroom_after: Option<Points>,
    /// Where the difference went, but for that of `others`.
    pub settled: Settled,
    /// The order's lot.
    pub lot: LotId,
    /// When the order's points become, or became, available.
    pub matures_at: Timestamp,
    /// The sequence number of the order's entry.
    pub order_sequence: u64,
    /// The caps that get the difference back.
    pub caps: Vec<CapKey>,
    /// When the order was last edited or cancelled, as the sender says.
    pub edited_at: Option<Timestamp>,
    /// What is taken out of, or added to, progress.
    pub progress: ProgressChange,
    /// Where the difference of points went that lie in lots of their own. Where there is none it is not
    /// stored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<CorrectedInLot>,
}

/// What a correction did to points of an order in a lot that is not the order's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorrectedInLot {
    /// The lot.
    pub lot: LotId,
    /// The points before.
    pub points_before: Points,
    /// The points afterwards.
    pub points_after: Points,
    /// Where the difference went.
    pub settled: Settled,
}

impl Corrected {
    /// What it did to the order's points in each lot, the order's own first. Where nothing changed in another
    /// lot, its points are among those of the order's own, before and afterwards.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] of what was never decided.
    pub fn by_lot(
        &self,
    ) -> Result<impl Iterator<Item = (LotId, Points, Points, &Settled)>, OutOfRange> {
        let before = Points::total(self.others.iter().map(|it| it.points_before))?;
        let after = Points::total(self.others.iter().map(|it| it.points_after))?;
        let own = (
            self.lot,
            self.points_before.minus(before)?,
            self.points_after.minus(after)?,
            &self.settled,
        );
        let others =
            self.others.iter().map(|it| (it.lot, it.points_before, it.points_after, &it.settled));
        Ok(std::iter::once(own).chain(others))
    }
}

impl Earned {
    /// What became of the order's points in each lot, the order's own first.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] of what was never decided.
    pub fn by_lot(&self) -> Result<impl Iterator<Item = EarnedInLot>, OutOfRange> {
        let others = Points::total(self.others.iter().map(|it| it.points))?;
        let points = self.order.points.minus(others)?;
        let own = EarnedInLot { lot: self.order.lot, points, becomes: self.becomes };
        Ok(std::iter::once(own).chain(self.others.iter().copied()))
    }
}

/// What a correction did to the lines of its order.
///
/// Refunds are many and orders may be long, so a refund says only what it changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinesChange {
    /// A refund: what has been taken of these lines by now.
    Taken(Vec<TakenLine>),
    /// An edit: all lines afterwards.
    Replaced(Arc<[KeptLine]>),
}

/// What has been taken of a line by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenLine {
    /// Which line of the order as it is kept, from 0.
    pub index: u32,
    /// How many pieces came back.
    pub returned: u32,
    /// How much was refunded.
    pub taken: Minor,
}

/// Where the difference that a correction made went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settled {
    /// Points were taken back.
    TakenBack {
        /// From the order's own pending points.
        pending: Points,
        /// From lots, in this order.
        lots: Vec<LotUse>,
        /// What was missing and is owed.
        debt: Points,
        /// What was missing and is let go; it does not count as taken back.
        waived: Points,
    },
    /// The order's points had expired before, so nothing is taken back.
    GoneAlready,
    /// Points were added, because a change raised the order.
    Added(Becomes),
    /// The order is a guest's: there is no account.
    NoAccount,
}
