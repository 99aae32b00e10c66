//! What the shop is told: the events that leave the system, version 1.
//!
//! An entry of the ledger is announced by one event for each thing that happened to points, to the level, to
//! the membership or to a referral. Each has an id made from the entry, so that a receiver can tell a repeat; the entry's number in
//! its account and a number within the entry, so that it can tell an order; and the balance after the whole
//! entry, so that it can keep a copy without adding up.
//!
//! There is deliberately no name of anybody, no referral code, no line of an order and no id of a delivery.

use std::fmt::Write as _;

use jiff::{Timestamp, civil::Date};
use loyalty_domain::{
    account::Balance,
    adjustment::{AdjustmentEvent, Proposal},
    event::{
        self, Corrected, Earned, EarnedInLot, Event, GrantReason, GrantTakenBack, Granted, InForce,
        LevelAtRisk, LevelBefore, Opened, ReferralEvent, Settled,
    },
    expiry::Cause,
    id::{CommandId, LevelId, MemberId, Operation, PairId, ReasonCode},
    membership::Status,
    merge::{MergeEvent, Moved},
    money::{Currency, Minor},
    points::{self, OutOfRange},
    referral::{ReferralRefusal, SignalKind},
    tier::OverrideKind,
    transfer::TransferEvent,
};
#[cfg(feature = "schemas")]
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};

#[cfg(feature = "schemas")]
use crate::schema;
use crate::{
    api::{Adjusted, Direction, LotUse, Points, Source, lot_uses, qualifier},
    checkout::{self, PointsCaptured, PointsHeld, PointsPayment, PointsReleased, PointsReturned},
    reward::{self, RewardFulfilled, RewardIssued, RewardReturned},
};

/// Who says so, as the envelope of EventBridge names it.
pub const SOURCE: &str = "loyalty";

/// The version of all shapes here. New fields do not raise it: receivers ignore what they do not know.
pub const VERSION: u32 = 1;

/// An entry as far as it is announced.
#[derive(Clone, Copy, Debug)]
pub struct Happened<'a> {
    /// Its natural id.
    pub id: &'a CommandId,
    /// Whose account it changed.
    pub member_id: &'a MemberId,
    /// Its number in that account.
    pub sequence: u64,
    /// The instant that its sender named; of what a job posts, the beginning of its day.
    pub sent_at: Timestamp,
    /// When it took effect.
    pub at: Timestamp,
    /// The version of the program that it was decided by.
    pub program_version: u32,
    /// The balance after all of it.
    pub balance: Balance,
    /// What happened, in order.
    pub events: &'a [Event],
}

/// An event that leaves the system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct Announcement<T = What> {
    /// The version of this shape.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::One"))]
    pub version: u32,
    /// The event's own id: the same each time that it is sent. Whoever has seen it has nothing to do.
    pub id: String,
    /// The shop's id of the member.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub member_id: String,
    /// The number of its entry in the member's account. What has a higher one happened later. Some are
    /// never sent: an entry may change nothing that is told.
    pub sequence: u64,
    /// Its place among the events of its entry, from 1.
    pub number: u32,
    /// When it happened. An entry tells what fell due before it, too, so this may be long before it is
    /// sent.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::AnyInstant"))]
    pub at: Timestamp,
    /// What made the entry.
    pub source: Source,
    /// The version of the program by which it was decided.
    pub program_version: u32,
    /// The balance after the whole entry: the same in all its events. A copy keeps the one with the
    /// highest `sequence`.
    pub balance: Points,
    /// What happened.
    #[serde(flatten)]
    pub what: T,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum What {
    /// `points.earned`.
    PointsEarned(PointsEarned),
    /// `points.available`.
    PointsAvailable(PointsAvailable),
    /// `points.clawed_back`.
    PointsClawedBack(PointsClawedBack),
    /// `points.expired`.
    PointsExpired(PointsExpired),
    /// `points.expiring`.
    PointsExpiring(PointsExpiring),
    /// `points.extended`.
    PointsExtended(PointsExtended),
    /// `points.reinstated`.
    PointsReinstated(PointsReinstated),
    /// `points.spent`.
    PointsSpent(PointsSpent),
    /// `points.given_back`.
    PointsGivenBack(PointsGivenBack),
    /// `points.held`.
    PointsHeld(PointsHeld),
    /// `points.captured`.
    PointsCaptured(PointsCaptured),
    /// `points.released`.
    PointsReleased(PointsReleased),
    /// `points.payment`.
    PointsPayment(PointsPayment),
    /// `points.returned`.
    PointsReturned(PointsReturned),
    /// `tier.at_risk`.
    TierAtRisk(TierAtRisk),
    /// `tier.changed`.
    TierChanged(TierChanged),
    /// `tier.renewed`.
    TierRenewed(TierRenewed),
    /// `tier.awaited`.
    TierAwaited(TierAwaited),
    /// `tier.not_begun`.
    TierNotBegun(TierNotBegun),
    /// `tier.grace_began`.
    TierGraceBegan(TierGraceBegan),
    /// `balance.taken_over`.
    BalanceTakenOver(BalanceTakenOver),
    /// `member.enrolled`.
    MemberEnrolled(MemberEnrolled),
    /// `member.activated`.
    MemberActivated(MemberActivated),
    /// `member.status_changed`.
    MemberStatusChanged(MemberStatusChanged),
    /// `member.merged`.
    MemberMerged(Merged),
    /// `member.unmerged`.
    MemberUnmerged(Unmerged),
    /// `points.transferred_out`.
    PointsTransferredOut(TransferredOut),
    /// `points.transferred_in`.
    PointsTransferredIn(TransferredIn),
    /// `points.adjusted`.
    PointsAdjusted(Adjusted),
    /// `adjustment.proposed`.
    AdjustmentProposed(AdjustmentProposed),
    /// `adjustment.denied`.
    AdjustmentDenied(AdjustmentDenied),
    /// `points.granted`.
    PointsGranted(PointsGranted),
    /// `points.grant_revoked`.
    PointsGrantRevoked(PointsGrantRevoked),
    /// `referral.pending`.
    ReferralPending(ReferralPending),
    /// `referral.ordered`.
    ReferralOrdered(ReferralOrdered),
    /// `referral.qualified`.
    ReferralQualified(ReferralQualified),
    /// `referral.held`.
    ReferralHeld(ReferralHeld),
    /// `referral.rewarded`.
    ReferralRewarded(ReferralRewarded),
    /// `referral.refused`.
    ReferralRefused(ReferralRefused),
    /// `referral.revoked`.
    ReferralRevoked(ReferralRevoked),
    /// `reward.issued`.
    RewardIssued(RewardIssued),
    /// `reward.fulfilled`.
    RewardFulfilled(RewardFulfilled),
    /// `reward.cancelled`.
    RewardCancelled(RewardReturned),
    /// `reward.refunded`.
    RewardRefunded(RewardReturned),
}

impl What {
    /// What it is called, as `detail-type` of EventBridge's envelope: no name of an event that comes in,
    /// or a shop with one bus would hear itself.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::PointsEarned(_) => "points.earned",
            Self::PointsAvailable(_) => "points.available",
            Self::PointsClawedBack(_) => "points.clawed_back",
            Self::PointsExpired(_) => "points.expired",
            Self::PointsExpiring(_) => "points.expiring",
            Self::PointsExtended(_) => "points.extended",
            Self::PointsReinstated(_) => "points.reinstated",
            Self::PointsSpent(_) => "points.spent",
            Self::PointsGivenBack(_) => "points.given_back",
            Self::PointsHeld(_) => "points.held",
            Self::PointsCaptured(_) => "points.captured",
            Self::PointsReleased(_) => "points.released",
            Self::PointsPayment(_) => "points.payment",
            Self::PointsReturned(_) => "points.returned",
            Self::TierAtRisk(_) => "tier.at_risk",
            Self::TierChanged(_) => "tier.changed",
            Self::TierRenewed(_) => "tier.renewed",
            Self::TierAwaited(_) => "tier.awaited",
            Self::TierNotBegun(_) => "tier.not_begun",
            Self::TierGraceBegan(_) => "tier.grace_began",
            Self::BalanceTakenOver(_) => "balance.taken_over",
            Self::MemberEnrolled(_) => "member.enrolled",
            Self::MemberActivated(_) => "member.activated",
            Self::MemberStatusChanged(_) => "member.status_changed",
            Self::MemberMerged(_) => "member.merged",
            Self::MemberUnmerged(_) => "member.unmerged",
            Self::PointsTransferredOut(_) => "points.transferred_out",
            Self::PointsTransferredIn(_) => "points.transferred_in",
            Self::PointsAdjusted(_) => "points.adjusted",
            Self::AdjustmentProposed(_) => "adjustment.proposed",
            Self::AdjustmentDenied(_) => "adjustment.denied",
            Self::PointsGranted(_) => "points.granted",
            Self::PointsGrantRevoked(_) => "points.grant_revoked",
            Self::ReferralPending(_) => "referral.pending",
            Self::ReferralOrdered(_) => "referral.ordered",
            Self::ReferralQualified(_) => "referral.qualified",
            Self::ReferralHeld(_) => "referral.held",
            Self::ReferralRewarded(_) => "referral.rewarded",
            Self::ReferralRefused(_) => "referral.refused",
            Self::ReferralRevoked(_) => "referral.revoked",
            Self::RewardIssued(_) => "reward.issued",
            Self::RewardFulfilled(_) => "reward.fulfilled",
            Self::RewardCancelled(_) => "reward.cancelled",
            Self::RewardRefunded(_) => "reward.refunded",
        }
    }
}

/// An order earned points, or an edit added some to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct PointsEarned {
    /// How many; 0 if nothing of the order counts.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub points: u64,
    /// The order.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub order_id: String,
    /// The order, or the edit that added them. An edit that came before its order stands in the order's
    /// entry.
    pub by: Source,
    /// What became of them at first. Those that expired at once are told by `points.expired` as well.
    pub becomes: Becomes,
    /// How many of those that can be used at once paid a debt instead.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub debt_paid: u64,
    /// When they become, or became, available.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::AnyInstant"))]
    pub available_at: Timestamp,
    /// The lot that they lie in, or will: the last day on which they can be used, as it was given then.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Day"))]
    pub lot: Date,
    /// How an order's points came about. Of an edit: nothing.
    pub components: Vec<Component>,
}

/// What became of points when they were earned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub enum Becomes {
    /// They wait until they are available, which `points.available` tells.
    Pending,
    /// They can be used at once.
    Available,
    /// Their last day had passed.
    Expired,
}

/// One part of an order's points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct Component {
    /// `base`, `tier:<level>` or `campaign:<name>`.
    pub name: String,
    /// The points that it came to.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub points: u64,
}

/// Points that had waited became available.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct PointsAvailable {
    /// How many no longer wait.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub points: u64,
    /// How many of them paid a debt instead.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub debt_paid: u64,
    /// The lot that the others lie in.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Day"))]
    pub lot: Date,
}

/// A refund, cancellation or edit took an order's points back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct PointsClawedBack {
    /// How many: the sum of `pending`, `available` and `debt`; 0 if there was nothing to take.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub points: u64,
    /// The order.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub order_id: String,
    /// The refund, cancellation or edit. One that came before its order stands in the order's entry.
    pub by: Source,
    /// How many were still waiting.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub pending: u64,
    /// How many could be used.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub available: u64,
    /// How many were missing and are owed.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub debt: u64,
    /// How many were missing and are let go.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub waived: u64,
    /// Whether the order's points had expired before, so that nothing was taken.
    pub gone_already: bool,
}

/// The last day of points passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct PointsExpired {
    /// How many are gone.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub points: u64,
    /// What they were until then.
    pub from: ExpiredFrom,
    /// How many paid a debt before the rest was gone.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub debt_paid: u64,
    /// The lot that they lay in, or would have. `null`: several, of a balance that was brought.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Day>"))]
    pub lot: Option<Date>,
}

/// What points were until they expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub enum ExpiredFrom {
    /// They could be used.
    Available,
    /// They waited, and were gone when they would have become available.
    Pending,
    /// They came too late: an order or a balance of long ago.
    New,
}

/// Points will be gone soon, and the member should hear of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct PointsExpiring {
    /// How many: who uses as many by the last day loses none of them. Points that end sooner are used
    /// before them, so those count on top.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub points: u64,
    /// The last day on which they can be used.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Day"))]
    pub usable_through: Date,
    /// The day on which the member is to hear of it.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Day"))]
    pub day: Date,
    /// Which lots have how many of them.
    pub lots: Vec<LotUse>,
}

/// All points that were not gone last longer than they were to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct PointsExtended {
    /// Those whose last day was this one or a later one.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Day"))]
    pub from: Date,
    /// They can be used through this day at least.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Day"))]
    pub usable_through: Date,
    /// Why.
    pub cause: ExtendedBy,
    /// The code of the reason that staff gave. `null`: it was not staff.
    pub reason: Option<String>,
}

/// Staff brought points back that had expired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct PointsReinstated {
    /// How many: they no longer count as expired.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub points: u64,
    /// How many of them paid a debt instead.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub debt_paid: u64,
    /// The lot that the others lie in: their last day.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Day"))]
    pub lot: Date,
    /// The code of the reason that staff gave.
    pub reason: String,
}

/// Why points last longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub enum ExtendedBy {
    /// Staff gave the member more time.
    Staff,
    /// From now on the program lets whoever earns or uses points keep them.
    SlidingBegan,
}

/// Points were used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct PointsSpent {
    /// How many.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub points: u64,
    /// Which lots gave how many.
    pub lots: Vec<LotUse>,
}

/// Used points came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct PointsGivenBack {
    /// How many: those that paid a debt, and those in `lots`.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub points: u64,
    /// How many paid a debt.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub debt_paid: u64,
    /// Which lots got how many back.
    pub lots: Vec<LotUse>,
    /// How many stay lost, because their lots expired meanwhile.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub lost: u64,
}

/// A level will be lost at its end, if nothing else counts until then, and the member should hear of it.
///
/// Any one of what is missing is enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct TierAtRisk {
    /// The level's id.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub level: String,
    /// Its last day.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Day"))]
    pub valid_through: Date,
    /// The day on which the member is to hear of it.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Day"))]
    pub day: Date,
    /// The id of the level that the review would leave.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub would_be: String,
    /// The program's currency. `null`: the entry is older than that this is kept.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::CurrencyCode>"))]
    pub currency: Option<&'static str>,
    /// What the lines that count of orders of this month would have to come to, in minor units. `null`: it
    /// cannot be kept by spending.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Amount>"))]
    pub spend_missing_minor: Option<u64>,
    /// How many orders of this month it would take; 0: the next one is enough. `null`: it cannot be kept by
    /// a number of orders.
    pub orders_missing: Option<u32>,
    /// How much activities of this month would have to count. `null`: it cannot be kept by them.
    pub growth_missing: Option<u64>,
}

/// Another level is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct TierChanged {
    /// The level's id from then on.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub level: String,
    /// The level's id before. `null`: the entry is older than that this is kept, and the level may be the
    /// same.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Id>"))]
    pub before: Option<String>,
    /// Whether that was a lower or a higher one, by the program that decided. `null`: as above.
    pub change: Option<TierChange>,
    /// Its last day, before it is measured again or before what staff set ends. `null`: it has no end, as the
    /// lowest level.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Day>"))]
    pub valid_through: Option<Date>,
    /// Why.
    pub reason: TierReason,
    /// The code of the reason that staff gave. `null`: it was not staff.
    pub staff_reason: Option<String>,
}

/// Which way a level changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub enum TierChange {
    /// To a higher one.
    Raised,
    /// To a lower one.
    Lowered,
}

/// The level in force stays, and lasts longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct TierRenewed {
    /// The level's id.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub level: String,
    /// Its last day, before it is measured again. `null`: the lowest level has no end.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Day>"))]
    pub valid_through: Option<Date>,
    /// Why.
    pub reason: TierReason,
}

/// A higher level was reached and begins later, as far as it is still met then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct TierAwaited {
    /// The level's id.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub level: String,
    /// Its first day.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Day"))]
    pub from: Date,
}

/// A level that was reached before was no longer met when it was to begin: what met it came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct TierNotBegun {
    /// The level's id.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub level: String,
}

/// A level is no longer met, and is kept for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct TierGraceBegan {
    /// The level's id.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub level: String,
    /// The last day on which it is kept, before it is measured again.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Day"))]
    pub through: Date,
}

/// Why a level is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub enum TierReason {
    /// An order, or an edit of one, reached it or reached it again.
    Order,
    /// The validity of the one before ended, and the member was measured again.
    Review,
    /// A refund, cancellation or edit lowered it, as the program wants it.
    Refund,
    /// The member brought it from another system.
    TakenOver,
    /// An activity or a task reached it or reached it again.
    Activity,
    /// A new version of the program measures otherwise.
    NewVersion,
    /// It was reached before, and begins now.
    Begun,
    /// Staff gave it for a time.
    Courtesy,
    /// Staff hold the member down for a time.
    Violation,
    /// Staff lifted what they had set.
    Lifted,
    /// What staff had set ended.
    OverrideEnded,
    /// The program gives it to whoever becomes a member.
    Welcome,
}

/// A member brought a balance from another system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct BalanceTakenOver {
    /// How many points were brought: those that can be used, those that wait, and those that were expired.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub points: u64,
    /// How many of them wait.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub pending: u64,
    /// How many of them were expired, which `points.expired` tells as well.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub expired: u64,
    /// What was owed.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub debt: u64,
    /// How much of what is owed was then paid.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub debt_paid: u64,
}

/// Somebody joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct MemberEnrolled {
    /// What they are from now on: `pending` until `member.activated`, or `active` at once, with which that comes, too.
    pub status: MemberStatus,
}

/// A member showed that they can be reached, or joined where the program does not ask for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct MemberActivated {
    /// What they are from now on: `active`.
    pub status: MemberStatus,
}

/// Staff stopped a member, let them go on, or ended their membership.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct MemberStatusChanged {
    /// What they are from now on. `active` may be for the first time: staff can spare a member the proof.
    pub status: MemberStatus,
    /// The code of the reason that staff gave. `null`: it was not staff.
    pub reason: Option<String>,
}

/// A member gave points to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct TransferredOut {
    /// The transfer: the same for both.
    pub transfer_id: String,
    /// To whom.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub to_member_id: String,
    /// How many.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub points: u64,
    /// Which lots gave how many.
    pub lots: Vec<LotUse>,
}

/// Points came from another member as a gift.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct TransferredIn {
    /// The transfer: the same for both.
    pub transfer_id: String,
    /// From whom.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub from_member_id: String,
    /// How many.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub points: u64,
    /// How many of them paid a debt instead, those that end first.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub debt_paid: u64,
    /// How many came with which last day, before any of them paid a debt.
    pub lots: Vec<LotUse>,
}

/// Staff want to add points or take them off, and a second person is to decide about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct AdjustmentProposed {
    /// The adjustment.
    pub adjustment_id: String,
    /// Who asked for it, and cannot decide about it.
    pub requested_by: String,
    /// Which way.
    pub direction: Direction,
    /// How many points.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub points: u64,
    /// The last day on which they could be used. `null`: as the program says, or they are to be taken off.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Day>"))]
    pub through: Option<Date>,
    /// The code of the reason that staff gave.
    pub reason: String,
    /// What staff wrote about it, which is kept with the member's personal data.
    pub note_id: Option<String>,
}

/// A second person did not want an adjustment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct AdjustmentDenied {
    /// The adjustment.
    pub adjustment_id: String,
    /// Who had asked for it.
    pub requested_by: String,
    /// The code of the reason that the second person gave.
    pub reason: String,
}

/// Two members became one. Both are told, each with what went and came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct Merged {
    /// The merge, by which it can be undone.
    pub merge_id: String,
    /// Which of the two the event is about.
    pub side: MergeSide,
    /// The other one.
    pub other_member_id: String,
    /// Points that could be used and went with it.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub points: u64,
    /// Points on their way that went with it.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub pending: u64,
    /// Points that are held for checkouts and went with it.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub held: u64,
    /// What was owed and went with it.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub debt: u64,
    /// How many points then paid what is owed.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub debt_paid: u64,
    /// The code of the reason that staff gave.
    pub reason: String,
}

/// Which of two members who became one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub enum MergeSide {
    /// The one whose id became a name for the other's account.
    Left,
    /// The one whose account goes on.
    Joined,
}

/// Two members who had become one are two again. Both are told, each with what went and came, as far as it was there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct Unmerged {
    /// What went back, and to whom.
    #[serde(flatten)]
    pub moved: Merged,
    /// How many of the points that had come were used or gone since; 0 on the other side.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub missing: u64,
}

/// Whether somebody is a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub enum MemberStatus {
    /// Nobody has joined.
    Unenrolled,
    /// They have joined, and not shown yet that they can be reached.
    Pending,
    /// They are a member.
    Active,
    /// Staff stopped them for a while: they earn and use nothing.
    Frozen,
    /// They have left.
    Closed,
}

/// What points are given for, beside orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub enum GrantedFor {
    /// Becoming a member.
    Welcome,
    /// Having been brought by `referrer_id`.
    Referred,
    /// Having brought `friend_id`.
    Brought,
    /// Having brought so many `friends`.
    Milestone,
}

/// Points were given beside orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct PointsGranted {
    /// How many; 0 if caps had nothing left.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub points: u64,
    /// What for.
    pub reason: GrantedFor,
    /// Who brought the member. `null`: it is not for that.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Id>"))]
    pub referrer_id: Option<String>,
    /// Whom the member brought. `null`: it is not for that.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Id>"))]
    pub friend_id: Option<String>,
    /// How many friends the milestone is for. `null`: it is none.
    pub friends: Option<u32>,
    /// How many more there would have been without caps.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub cut: u64,
    /// What became of them at first. Those that expired at once are told by `points.expired` as well.
    pub becomes: Becomes,
    /// How many of those that can be used at once paid a debt instead.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub debt_paid: u64,
    /// The lot that they lie in: the last day on which they can be used, as it was given then.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Day"))]
    pub lot: Date,
}

/// Points that were given beside orders were taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct PointsGrantRevoked {
    /// How many: the sum of `available` and `debt`; 0 if there was nothing to take.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub points: u64,
    /// What for they were given.
    pub reason: GrantedFor,
    /// Who brought the member. `null`: it was not for that.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Id>"))]
    pub referrer_id: Option<String>,
    /// Whom the member brought. `null`: it was not for that.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Id>"))]
    pub friend_id: Option<String>,
    /// How many friends the milestone was for. `null`: it was none.
    pub friends: Option<u32>,
    /// How many could be used.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub available: u64,
    /// How many were missing and are owed.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub debt: u64,
    /// How many were missing and are let go.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub waived: u64,
    /// Whether they had expired before, so that nothing was taken.
    pub gone_already: bool,
}

/// Somebody said who brought them. What becomes of it, the other events of referrals tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct ReferralPending {
    /// Who brought the member.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub referrer_id: String,
}

/// An order of whoever was brought is watched until its return window is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct ReferralOrdered {
    /// Who brought the member.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub referrer_id: String,
    /// The order.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub order_id: String,
    /// When its window ends, and `referral.qualified` comes if enough of it was kept.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::AnyInstant"))]
    pub qualifies_at: Timestamp,
    /// Whether the order as it is now would be enough.
    pub is_enough: bool,
}

/// A referral is due since `at`, and is looked into. It comes once more when a member becomes active whose
/// referral waited for that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct ReferralQualified {
    /// Who brought the member.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub referrer_id: String,
    /// The order by which it is due. `null`: a task.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Id>"))]
    pub order_id: Option<String>,
    /// The task by which it is due. `null`: an order.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Id>"))]
    pub task: Option<String>,
}

/// A referral waits for staff: more friends were brought than the program takes for natural.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct ReferralHeld {
    /// Who brought the member.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub referrer_id: String,
    /// The order by which it is due. `null`: a task.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Id>"))]
    pub order_id: Option<String>,
    /// The task by which it is due. `null`: an order.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Id>"))]
    pub task: Option<String>,
}

/// Both sides of a referral were rewarded, each of which `points.granted` tells as well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct ReferralRewarded {
    /// Who brought the member.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub referrer_id: String,
    /// How many points the member got.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub friend_points: u64,
    /// How many the other one got for it, milestones apart.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub referrer_points: u64,
    /// The order by which it was due. `null`: a task.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Id>"))]
    pub order_id: Option<String>,
    /// The task by which it was due. `null`: an order.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Id>"))]
    pub task: Option<String>,
}

/// A referral rewards nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct ReferralRefused {
    /// Who brought the member. `null`: the code that was named did not count, and what was known before stands.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Id>"))]
    pub referrer_id: Option<String>,
    /// Why.
    pub reason: RefusedFor,
    /// What the member shares with the other one, or with another member. `null`: it is not for that.
    pub shared: Option<Shared>,
    /// The code of the reason that staff gave. `null`: it was not staff.
    pub staff_reason: Option<String>,
}

/// Why a referral rewards nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub enum RefusedFor {
    /// The program rewards no referrals.
    ReferralsOff,
    /// Nobody has the code.
    CodeUnknown,
    /// The code was replaced by another one.
    CodeDead,
    /// Who would be the friend has the code themselves.
    OwnCode,
    /// Somebody else brought the friend before.
    AlreadyReferred,
    /// The friend bought something, or joined, before the code was named.
    ExistingCustomer,
    /// The friend has left.
    FriendClosed,
    /// The other one is no active member.
    ReferrerNotActive,
    /// The friend brought, through others, whoever brought them.
    Ring,
    /// Both are taken for one person.
    SamePerson,
    /// The friend is taken for another member.
    KnownPerson,
    /// Staff refused it.
    DeniedByStaff,
}

/// By what two are taken for one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub enum Shared {
    /// A telephone number.
    Phone,
    /// A card, of payment or of the shop.
    Card,
    /// A device.
    Device,
    /// A postal address.
    Address,
}

/// What a referral was due by was taken back, and so are both rewards: `points.grant_revoked` tells of each. One
/// that waited for staff had none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct ReferralRevoked {
    /// Who brought the member.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub referrer_id: String,
}

/// An entry cannot be announced: it is none that was ever decided. Trying again does not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnnounced {
    /// Points of an order lie under none.
    #[error("an entry has an order's points and lies under no order")]
    NoOrder,
    /// A sum is too large.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
}

/// Everything that is told of an entry, in its order.
///
/// # Errors
///
/// [`NotAnnounced`] of an entry that was never decided. Trying again does not help.
pub fn announcements(entry: Happened<'_>) -> Result<Vec<Announcement>, NotAnnounced> {
    let mut all = Vec::new();
    let mut number = 0_u32;
    for (index, event) in entry.events.iter().enumerate() {
        let mut names: Vec<&str> = Vec::new();
        for what in told(entry.id, event)? {
            number = number.checked_add(1).ok_or(OutOfRange)?;
            let before = names.iter().filter(|it| **it == what.name()).count();
            names.push(what.name());
            all.push(Announcement {
                version: VERSION,
                id: id(entry.id, index, what.name(), before),
                member_id: entry.member_id.as_str().to_owned(),
                sequence: entry.sequence,
                number,
                at: happened_at(&entry, event),
                source: Source::from(entry.id),
                program_version: entry.program_version,
                balance: entry.balance.into(),
                what,
            });
        }
    }
    Ok(all)
}

/// When `event` of `entry` happened.
fn happened_at(entry: &Happened<'_>, event: &Event) -> Timestamp {
    match event {
        // Telling moves no clock, so the entry may have taken effect long before the day of telling.
        Event::ExpiryAnnounced { .. } | Event::LevelAtRisk(_) => entry.at.max(entry.sent_at),
        Event::Matured { .. }
        | Event::Lapsed { .. }
        | Event::Expired { .. }
        | Event::Reviewed { .. }
        | Event::Earned(_)
        | Event::LevelReached { .. }
        | Event::LevelLowered { .. }
        | Event::Corrected(_)
        | Event::CorrectionRefused { .. }
        | Event::Spent { .. }
        | Event::GivenBack { .. }
        | Event::Opened(_)
        | Event::Reinstated { .. }
        | Event::LevelAwaited(_)
        | Event::LevelBegan { .. }
        | Event::LevelNotBegun { .. }
        | Event::GraceBegan { .. }
        | Event::OverrideSet { .. }
        | Event::OverrideLifted { .. }
        | Event::OverrideEnded { .. }
        | Event::Grown { .. }
        | Event::TaskDone { .. }
        | Event::LifeExtended { .. }
        | Event::StatusChanged { .. }
        | Event::Granted(_)
        | Event::GrantTakenBack(_)
        | Event::Checkout(_)
        | Event::Redemption(_)
        | Event::Transfer(_)
        | Event::Adjustment(_)
        | Event::Merge(_)
        | Event::Referral(_) => event.fell_due_at().unwrap_or(entry.at),
    }
}

/// The id of what is called `name` and told of the event at `index` of `entry`, after so many of that name.
///
/// It is opaque, since an entry's own id may be longer than an id should be. That another release tells
/// more of an entry changes no id.
fn id(entry: &CommandId, index: usize, name: &str, before: usize) -> String {
    // No id holds a control character.
    let mut told = format!("{entry}\n{index}\n{name}");
    if before > 0 {
        // Writing into a text does not fail.
        write!(told, "\n{before}").unwrap_or_default();
    }
    let digest = Sha256::digest(told);
    let mut text = String::with_capacity(32);
    for byte in digest.iter().take(16) {
        // Writing into a text does not fail.
        write!(text, "{byte:02x}").unwrap_or_default();
    }
    text
}

/// What is told of `event`; nothing of what changes neither points nor a level.
fn told(entry: &CommandId, event: &Event) -> Result<Vec<What>, NotAnnounced> {
    Ok(match event {
        Event::Matured { lot, points, debt_paid, at: _ } => {
            let (points, debt_paid, lot) = (points.get(), debt_paid.get(), lot.given);
            vec![What::PointsAvailable(PointsAvailable { points, debt_paid, lot })]
        }
        Event::Lapsed { lot, points, debt_paid, at: _ } => vec![expired(
            points.minus(*debt_paid)?,
            ExpiredFrom::Pending,
            debt_paid.get(),
            Some(lot.given),
        )],
        Event::Expired { lot, points, at: _ } => {
            vec![expired(*points, ExpiredFrom::Available, 0, Some(lot.given))]
        }
        Event::Reviewed { level, valid_through, before, at: _ } => {
            told_of_level(level, *valid_through, before.as_ref(), TierReason::Review)
        }
        Event::LevelReached { level, valid_through, before } => {
            told_of_level(level, Some(*valid_through), before.as_ref(), reasons(entry).raised)
        }
        Event::LevelLowered { level, valid_through, before } => {
            told_of_level(level, *valid_through, before.as_ref(), reasons(entry).lowered)
        }
        Event::Earned(earned) => told_of_order(entry, earned)?,
        Event::Corrected(corrected) => told_of_correction(entry, corrected)?,
        // The first changed nothing, and whoever sent the others knows; what they do to a level is told.
        Event::CorrectionRefused { .. } | Event::Grown { .. } | Event::TaskDone { .. } => {
            Vec::new()
        }
        Event::LifeExtended { from, through, cause } => told_of_extension(*from, *through, cause),
        Event::ExpiryAnnounced { day, last_good_day, lots } => {
            vec![What::PointsExpiring(PointsExpiring {
                points: points::Points::total(lots.iter().map(|it| it.points))?.get(),
                usable_through: *last_good_day,
                day: *day,
                lots: lot_uses(lots),
            })]
        }
        Event::LevelAtRisk(at_risk) => vec![told_of_risk(at_risk)],
        Event::Spent { uses } => vec![What::PointsSpent(PointsSpent {
            points: points::Points::total(uses.iter().map(|it| it.points))?.get(),
            lots: lot_uses(uses),
        })],
        Event::GivenBack { debt_paid, restored, lost, spend: _ } => {
            let restored_points = restored.iter().map(|it| it.points);
            let points = points::Points::total(restored_points.chain([*debt_paid]))?.get();
            vec![What::PointsGivenBack(PointsGivenBack {
                points,
                debt_paid: debt_paid.get(),
                lots: lot_uses(restored),
                lost: lost.get(),
            })]
        }
        Event::Opened(opened) => told_of_opening(opened)?,
        Event::Reinstated { lot, points, debt_paid, reason } => {
            vec![What::PointsReinstated(PointsReinstated {
                points: points.get(),
                debt_paid: debt_paid.get(),
                lot: lot.given,
                reason: reason.as_str().to_owned(),
            })]
        }
        Event::LevelAwaited(next) => {
            let level = next.level.as_str().to_owned();
            vec![What::TierAwaited(TierAwaited { level, from: next.from })]
        }
        Event::LevelBegan { level, valid_through, before, at: _ } => {
            told_of_level(level, Some(*valid_through), Some(before), TierReason::Begun)
        }
        Event::LevelNotBegun { level, at: _ } => {
            vec![What::TierNotBegun(TierNotBegun { level: level.as_str().to_owned() })]
        }
        Event::GraceBegan { level, through, at: _ } => {
            let level = level.as_str().to_owned();
            vec![What::TierGraceBegan(TierGraceBegan { level, through: *through })]
        }
        Event::OverrideSet { set, reason, in_force } => {
            let why = match set.kind {
                OverrideKind::Courtesy => TierReason::Courtesy,
                OverrideKind::Violation => TierReason::Violation,
            };
            told_of_level_in_force(in_force, why, Some(reason))
        }
        Event::OverrideLifted { reason, in_force } => {
            told_of_level_in_force(in_force, TierReason::Lifted, Some(reason))
        }
        Event::OverrideEnded { in_force, at: _ } => {
            told_of_level_in_force(in_force, TierReason::OverrideEnded, None)
        }
        Event::StatusChanged { status, reason, at: _ } => {
            told_of_status(entry, *status, reason.as_ref())
        }
        Event::Granted(granted) => told_of_grant(granted),
        Event::GrantTakenBack(taken) => vec![told_of_grant_taken_back(taken)?],
        Event::Referral(referral) => told_of_referral(referral),
        Event::Checkout(it) => checkout::told(entry, it)?,
        Event::Redemption(it) => vec![reward::told(it)?],
        Event::Transfer(it) => vec![told_of_transfer(it)?],
        Event::Adjustment(it) => vec![told_of_adjustment(it)?],
        Event::Merge(it) => told_of_merge(entry, it)?,
    })
}

fn told_of_transfer(event: &TransferEvent) -> Result<What, OutOfRange> {
    let points = event.points()?.get();
    Ok(match event {
        TransferEvent::Sent { to, transfer, uses, caps: _ } => {
            What::PointsTransferredOut(TransferredOut {
                transfer_id: transfer.to_string(),
                to_member_id: to.as_str().to_owned(),
                points,
                lots: lot_uses(uses),
            })
        }
        TransferEvent::Received { from, transfer, lots, debt_paid } => {
            What::PointsTransferredIn(TransferredIn {
                transfer_id: transfer.to_string(),
                from_member_id: from.as_str().to_owned(),
                points,
                debt_paid: debt_paid.get(),
                lots: lot_uses(lots),
            })
        }
    })
}

fn told_of_adjustment(event: &AdjustmentEvent) -> Result<What, OutOfRange> {
    Ok(match event {
        AdjustmentEvent::Proposed(Proposal { id, requester, new }) => {
            let (direction, through) = Direction::of(new.change);
            What::AdjustmentProposed(AdjustmentProposed {
                adjustment_id: id.to_string(),
                requested_by: requester.as_str().to_owned(),
                direction,
                points: new.points.get(),
                through,
                reason: new.reason.as_str().to_owned(),
                note_id: new.note.map(|it| it.to_string()),
            })
        }
        AdjustmentEvent::Made { adjustment, effect, reason, note, approved } => {
            What::PointsAdjusted(Adjusted::of(
                *adjustment,
                effect,
                reason,
                (*note, approved.as_ref()),
            )?)
        }
        AdjustmentEvent::Denied { adjustment, requester, reason } => {
            What::AdjustmentDenied(AdjustmentDenied {
                adjustment_id: adjustment.to_string(),
                requested_by: requester.as_str().to_owned(),
                reason: reason.as_str().to_owned(),
            })
        }
    })
}

fn told_of_merge(entry: &CommandId, event: &MergeEvent) -> Result<Vec<What>, OutOfRange> {
    let total = |uses: &[event::LotUse]| points::Points::total(uses.iter().map(|it| it.points));
    let moved =
        |side, other: &MemberId, merge: PairId, moved: &Moved, debt_paid, reason: &ReasonCode| {
            let lots = moved.lots.iter().map(|it| it.lot.points);
            Ok(Merged {
                merge_id: merge.to_string(),
                side,
                other_member_id: other.as_str().to_owned(),
                points: points::Points::total(lots)?.get(),
                pending: points::Points::total(moved.pending.iter().map(|it| it.points))?.get(),
                held: moved.held()?.get(),
                debt: moved.debt.get(),
                debt_paid,
                reason: reason.as_str().to_owned(),
            })
        };
    Ok(match event {
        MergeEvent::Left { into, merge, moved: it, reason, .. } => {
            vec![What::MemberMerged(moved(MergeSide::Left, into, *merge, it, 0, reason)?)]
        }
        MergeEvent::Joined { from, merge, moved: it, debt_paid, reason, .. } => {
            let paid = it.lots.iter().map(|it| it.debt_paid);
            let paid = points::Points::total(paid.chain([total(debt_paid)?]))?.get();
            vec![What::MemberMerged(moved(MergeSide::Joined, from, *merge, it, paid, reason)?)]
        }
        MergeEvent::Parted { from, merge, returned, debt_paid, level, missing, reason, .. } => {
            let paid = total(debt_paid)?.get();
            let moved = moved(MergeSide::Joined, from, *merge, returned, paid, reason)?;
            let missing = missing.get();
            let mut told = vec![What::MemberUnmerged(Unmerged { moved, missing })];
            if let Some(it) = level {
                let through = it.tier.valid_through;
                told.extend(told_of_level(
                    &it.level,
                    through,
                    Some(&it.before),
                    reasons(entry).lowered,
                ));
            }
            told
        }
        MergeEvent::Restored { from, merge, returned, debt_paid, reason } => {
            let paid = total(debt_paid)?.get();
            let moved = moved(MergeSide::Left, from, *merge, returned, paid, reason)?;
            vec![What::MemberUnmerged(Unmerged { moved, missing: 0 })]
        }
    })
}

fn told_of_status(entry: &CommandId, status: Status, reason: Option<&ReasonCode>) -> Vec<What> {
    let new = MemberStatus::from(status);
    let activated = || What::MemberActivated(MemberActivated { status: new });
    match entry {
        CommandId::Enrollment(_) => {
            let enrolled = What::MemberEnrolled(MemberEnrolled { status: new });
            // Whoever welcomes members waits for the latter, whatever the program asks of them.
            if status == Status::Active { vec![enrolled, activated()] } else { vec![enrolled] }
        }
        CommandId::Activation(_) => vec![activated()],
        CommandId::Order(_)
        | CommandId::Refund(..)
        | CommandId::Change(..)
        | CommandId::Cancel(_)
        | CommandId::Request { .. }
        | CommandId::Due(..)
        | CommandId::Opening(_)
        | CommandId::Activity(..)
        | CommandId::Task(..)
        | CommandId::Measured(..)
        | CommandId::Version(_)
        | CommandId::Referral(_)
        | CommandId::ReferralReward(_)
        | CommandId::ReferralRevoked(_)
        | CommandId::Claim(_)
        | CommandId::Redemption(..)
        | CommandId::RedemptionStep(..)
        | CommandId::Counterpart(..) => {
            let reason = reason.map(|it| it.as_str().to_owned());
            vec![What::MemberStatusChanged(MemberStatusChanged { status: new, reason })]
        }
    }
}

impl From<Status> for MemberStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Unenrolled => Self::Unenrolled,
            Status::Pending => Self::Pending,
            Status::Active => Self::Active,
            Status::Frozen => Self::Frozen,
            Status::Closed => Self::Closed,
        }
    }
}

/// What points are given for, and the other member whom that is about.
struct GrantOf {
    reason: GrantedFor,
    referrer_id: Option<String>,
    friend_id: Option<String>,
    friends: Option<u32>,
}

impl GrantOf {
    fn of(reason: &GrantReason) -> Self {
        let grant = |reason| Self { reason, referrer_id: None, friend_id: None, friends: None };
        match reason {
            GrantReason::Welcome => grant(GrantedFor::Welcome),
            GrantReason::Referred { referrer } => Self {
                referrer_id: Some(referrer.as_str().to_owned()),
                ..grant(GrantedFor::Referred)
            },
            GrantReason::Brought { friend, count: _ } => {
                Self { friend_id: Some(friend.as_str().to_owned()), ..grant(GrantedFor::Brought) }
            }
            GrantReason::Milestone { friends } => {
                Self { friends: Some(*friends), ..grant(GrantedFor::Milestone) }
            }
        }
    }
}

fn told_of_grant(granted: &Granted) -> Vec<What> {
    let GrantOf { reason, referrer_id, friend_id, friends } = GrantOf::of(&granted.reason);
    let becomes = match granted.becomes {
        event::Becomes::Pending => Becomes::Pending,
        event::Becomes::Available { .. } => Becomes::Available,
        event::Becomes::Expired => Becomes::Expired,
        // They are always somebody's.
        event::Becomes::Unclaimed => return Vec::new(),
    };
    let (points, lot) = (granted.share.points, granted.share.lot.given);
    let mut told = vec![What::PointsGranted(PointsGranted {
        points: points.get(),
        reason,
        referrer_id,
        friend_id,
        friends,
        cut: granted.cut.get(),
        becomes,
        debt_paid: granted.debt_paid().get(),
        lot,
    })];
    if becomes == Becomes::Expired && !points.is_zero() {
        told.push(expired(points, ExpiredFrom::New, 0, Some(lot)));
    }
    told
}

fn told_of_grant_taken_back(taken: &GrantTakenBack) -> Result<What, OutOfRange> {
    let GrantOf { reason, referrer_id, friend_id, friends } = GrantOf::of(&taken.reason);
    let mut revoked = PointsGrantRevoked {
        points: 0,
        reason,
        referrer_id,
        friend_id,
        friends,
        available: 0,
        debt: 0,
        waived: 0,
        gone_already: false,
    };
    match &taken.settled {
        Settled::TakenBack { pending, lots, debt, waived } => {
            // They never waited, so what waits is an order's and is left alone.
            let available =
                points::Points::total(lots.iter().map(|it| it.points))?.plus(*pending)?;
            revoked.points = available.plus(*debt)?.get();
            revoked.available = available.get();
            revoked.debt = debt.get();
            revoked.waived = waived.get();
        }
        Settled::GoneAlready => revoked.gone_already = true,
        // What is taken back adds nothing, and is an account's.
        Settled::Added(_) | Settled::NoAccount => (),
    }
    Ok(What::PointsGrantRevoked(revoked))
}

fn told_of_referral(event: &ReferralEvent) -> Vec<What> {
    let name = |it: &MemberId| it.as_str().to_owned();
    vec![match event {
        ReferralEvent::Named { referrer } => {
            What::ReferralPending(ReferralPending { referrer_id: name(referrer) })
        }
        ReferralEvent::NotNamed { refusal } => What::ReferralRefused(refused(None, refusal)),
        ReferralEvent::Ordered { order_id, qualifies_at, is_enough, referrer } => {
            What::ReferralOrdered(ReferralOrdered {
                referrer_id: name(referrer),
                order_id: order_id.as_str().to_owned(),
                qualifies_at: *qualifies_at,
                is_enough: *is_enough,
            })
        }
        // Whoever refunded or edited it knows, and the referral waits for the next order as it did.
        ReferralEvent::Corrected { .. } | ReferralEvent::NotKept { .. } => return Vec::new(),
        ReferralEvent::Qualified { by, referrer, at: _ } => {
            let (order_id, task) = qualifier(by);
            let referrer_id = name(referrer);
            What::ReferralQualified(ReferralQualified { referrer_id, order_id, task })
        }
        ReferralEvent::Held { by, referrer } => {
            let (order_id, task) = qualifier(by);
            What::ReferralHeld(ReferralHeld { referrer_id: name(referrer), order_id, task })
        }
        ReferralEvent::Rewarded { reward, referrer } => {
            let (order_id, task) = qualifier(&reward.by);
            What::ReferralRewarded(ReferralRewarded {
                referrer_id: name(referrer),
                friend_points: reward.friend.points.get(),
                referrer_points: reward.referrer.points.get(),
                order_id,
                task,
            })
        }
        ReferralEvent::Refused { referrer, refusal } => {
            What::ReferralRefused(refused(Some(referrer), refusal))
        }
        ReferralEvent::Revoked { referrer } => {
            What::ReferralRevoked(ReferralRevoked { referrer_id: name(referrer) })
        }
    }]
}

fn refused(referrer: Option<&MemberId>, refusal: &ReferralRefusal) -> ReferralRefused {
    let (shared, staff_reason) = match refusal {
        ReferralRefusal::SamePerson { kind } | ReferralRefusal::KnownPerson { kind } => {
            (Some(Shared::from(*kind)), None)
        }
        ReferralRefusal::DeniedByStaff { why } => (None, Some(why.as_str().to_owned())),
        ReferralRefusal::ReferralsOff
        | ReferralRefusal::CodeUnknown
        | ReferralRefusal::CodeDead
        | ReferralRefusal::OwnCode
        | ReferralRefusal::AlreadyReferred
        | ReferralRefusal::ExistingCustomer
        | ReferralRefusal::FriendClosed
        | ReferralRefusal::ReferrerNotActive
        | ReferralRefusal::Ring => (None, None),
    };
    let referrer_id = referrer.map(|it| it.as_str().to_owned());
    ReferralRefused { referrer_id, reason: refusal.into(), shared, staff_reason }
}

impl From<&ReferralRefusal> for RefusedFor {
    fn from(refusal: &ReferralRefusal) -> Self {
        match refusal {
            ReferralRefusal::ReferralsOff => Self::ReferralsOff,
            ReferralRefusal::CodeUnknown => Self::CodeUnknown,
            ReferralRefusal::CodeDead => Self::CodeDead,
            ReferralRefusal::OwnCode => Self::OwnCode,
            ReferralRefusal::AlreadyReferred => Self::AlreadyReferred,
            ReferralRefusal::ExistingCustomer => Self::ExistingCustomer,
            ReferralRefusal::FriendClosed => Self::FriendClosed,
            ReferralRefusal::ReferrerNotActive => Self::ReferrerNotActive,
            ReferralRefusal::Ring => Self::Ring,
            ReferralRefusal::SamePerson { .. } => Self::SamePerson,
            ReferralRefusal::KnownPerson { .. } => Self::KnownPerson,
            ReferralRefusal::DeniedByStaff { .. } => Self::DeniedByStaff,
        }
    }
}

impl From<SignalKind> for Shared {
    fn from(kind: SignalKind) -> Self {
        match kind {
            SignalKind::Phone => Self::Phone,
            SignalKind::Card => Self::Card,
            SignalKind::Device => Self::Device,
            SignalKind::Address => Self::Address,
        }
    }
}

fn told_of_extension(from: Date, usable_through: Date, cause: &Cause) -> Vec<What> {
    let (cause, reason) = match cause {
        Cause::Staff { reason } => (ExtendedBy::Staff, Some(reason.as_str().to_owned())),
        Cause::SlidingBegan { at: _ } => (ExtendedBy::SlidingBegan, None),
        // It comes with every order and every use under such a program, each of which is told: the news
        // would be twice as many, and say nothing that the shop did not cause.
        Cause::Activity => return Vec::new(),
    };
    vec![What::PointsExtended(PointsExtended { from, usable_through, cause, reason })]
}

fn told_of_risk(at_risk: &LevelAtRisk) -> What {
    What::TierAtRisk(TierAtRisk {
        level: at_risk.level.as_str().to_owned(),
        valid_through: at_risk.valid_through,
        day: at_risk.day,
        would_be: at_risk.would_be.as_str().to_owned(),
        currency: at_risk.currency.map(Currency::code),
        spend_missing_minor: at_risk.spend_missing.map(Minor::get),
        orders_missing: at_risk.orders_missing,
        growth_missing: at_risk.growth_missing,
    })
}

/// Why what made an entry raised a level, and why it lowered one.
struct Reasons {
    raised: TierReason,
    lowered: TierReason,
}

const fn reasons(entry: &CommandId) -> Reasons {
    match entry {
        // Nothing happens by the latter.
        CommandId::Measured(..) | CommandId::Version(_) => {
            Reasons { raised: TierReason::NewVersion, lowered: TierReason::NewVersion }
        }
        CommandId::Activity(..) | CommandId::Task(..) => {
            Reasons { raised: TierReason::Activity, lowered: TierReason::Review }
        }
        CommandId::Enrollment(_)
        | CommandId::Activation(_)
        | CommandId::Request { operation: Operation::SetStatus, .. } => {
            Reasons { raised: TierReason::Welcome, lowered: TierReason::Review }
        }
        // A referral that was rewarded counts for no level.
        CommandId::Referral(_)
        | CommandId::ReferralReward(_)
        | CommandId::ReferralRevoked(_)
        | CommandId::Order(_)
        | CommandId::Refund(..)
        | CommandId::Change(..)
        | CommandId::Cancel(_)
        | CommandId::Claim(_)
        | CommandId::Redemption(..)
        | CommandId::RedemptionStep(..)
        | CommandId::Counterpart(..)
        | CommandId::Request {
            operation:
                Operation::Hold
                | Operation::Capture
                | Operation::Release
                | Operation::Redeem
                | Operation::Transfer
                | Operation::Adjust
                | Operation::ReviewAdjustment
                | Operation::Merge
                | Operation::UndoMerge
                | Operation::Spend
                | Operation::GiveBack
                | Operation::Extend
                | Operation::Reinstate
                | Operation::OverrideLevel
                | Operation::LiftOverride
                | Operation::ReviewReferral,
            ..
        }
        | CommandId::Due(..)
        | CommandId::Opening(_) => {
            Reasons { raised: TierReason::Order, lowered: TierReason::Refund }
        }
    }
}

/// What is told of a level that is given; of what it is under one that staff set, if that decides.
fn told_of_level(
    level: &LevelId,
    valid_through: Option<Date>,
    before: Option<&LevelBefore>,
    reason: TierReason,
) -> Vec<What> {
    let level = level.as_str().to_owned();
    let (before, change) = match before {
        Some(LevelBefore::Lower(before)) => (Some(before), Some(TierChange::Raised)),
        Some(LevelBefore::Higher(before)) => (Some(before), Some(TierChange::Lowered)),
        Some(LevelBefore::Same) => {
            return vec![What::TierRenewed(TierRenewed { level, valid_through, reason })];
        }
        Some(LevelBefore::Overridden(in_force)) => {
            return told_of_level_in_force(in_force, reason, None);
        }
        None => (None, None),
    };
    let before = before.map(|it| it.as_str().to_owned());
    let staff_reason = None;
    let changed = TierChanged { level, before, change, valid_through, reason, staff_reason };
    vec![What::TierChanged(changed)]
}

/// What is told of a level that is in force from now on; nothing where it is the one before.
fn told_of_level_in_force(
    in_force: &InForce,
    reason: TierReason,
    staff_reason: Option<&ReasonCode>,
) -> Vec<What> {
    let InForce { level, valid_through, before } = in_force;
    if *before == LevelBefore::Same {
        return Vec::new();
    }
    let mut told = told_of_level(level, *valid_through, Some(before), reason);
    for what in &mut told {
        if let What::TierChanged(changed) = what {
            changed.staff_reason = staff_reason.map(|it| it.as_str().to_owned());
        }
    }
    told
}

fn expired(points: points::Points, from: ExpiredFrom, debt_paid: u64, lot: Option<Date>) -> What {
    What::PointsExpired(PointsExpired { points: points.get(), from, debt_paid, lot })
}

pub(crate) fn order_id(entry: &CommandId) -> Result<String, NotAnnounced> {
    let order_id = entry.order_id().ok_or(NotAnnounced::NoOrder)?;
    Ok(order_id.as_str().to_owned())
}

fn told_of_order(entry: &CommandId, earned: &Earned) -> Result<Vec<What>, NotAnnounced> {
    let order = &earned.order;
    let mut told = Vec::new();
    for EarnedInLot { lot, points, becomes } in earned.by_lot()? {
        let components = order.components.iter().filter(|it| it.lot.unwrap_or(order.lot) == lot);
        let components = components
            .map(|it| Component { name: it.name.as_str().to_owned(), points: it.points.get() });
        let arriving = Arriving {
            points,
            becomes,
            by: Source::from(entry),
            available_at: order.matures_at,
            lot: lot.given,
            components: components.collect(),
        };
        told.extend(arriving.told(entry)?);
    }
    Ok(told)
}

fn told_of_correction(entry: &CommandId, corrected: &Corrected) -> Result<Vec<What>, NotAnnounced> {
    let mut told = Vec::new();
    for (lot, before, after, settled) in corrected.by_lot()? {
        let by = Source::from(&corrected.by);
        if let Settled::Added(becomes) = settled {
            let added = Arriving {
                points: after.minus(before)?,
                becomes: *becomes,
                by,
                available_at: corrected.matures_at,
                lot: lot.given,
                components: Vec::new(),
            };
            told.extend(added.told(entry)?);
        } else {
            told.extend(taken(order_id(entry)?, by, settled)?.map(What::PointsClawedBack));
        }
    }
    Ok(told)
}

/// What was taken back, unless it was nobody's.
fn taken(
    order_id: String,
    by: Source,
    settled: &Settled,
) -> Result<Option<PointsClawedBack>, NotAnnounced> {
    let mut clawed_back = PointsClawedBack {
        points: 0,
        order_id,
        by,
        pending: 0,
        available: 0,
        debt: 0,
        waived: 0,
        gone_already: false,
    };
    match settled {
        Settled::TakenBack { pending, lots, debt, waived } => {
            let available = points::Points::total(lots.iter().map(|it| it.points))?;
            clawed_back.points = available.plus(*pending)?.plus(*debt)?.get();
            clawed_back.pending = pending.get();
            clawed_back.available = available.get();
            clawed_back.debt = debt.get();
            clawed_back.waived = waived.get();
        }
        Settled::GoneAlready => clawed_back.gone_already = true,
        Settled::Added(_) | Settled::NoAccount => return Ok(None),
    }
    Ok(Some(clawed_back))
}

/// Points that arrive.
struct Arriving {
    points: points::Points,
    becomes: event::Becomes,
    by: Source,
    available_at: Timestamp,
    lot: Date,
    components: Vec<Component>,
}

impl Arriving {
    fn told(self, entry: &CommandId) -> Result<Vec<What>, NotAnnounced> {
        let Self { points, by, available_at, lot, components, .. } = self;
        let (becomes, debt_paid) = match self.becomes {
            event::Becomes::Pending => (Becomes::Pending, 0),
            event::Becomes::Available { debt_paid } => (Becomes::Available, debt_paid.get()),
            event::Becomes::Expired => (Becomes::Expired, 0),
            // They are nobody's.
            event::Becomes::Unclaimed => return Ok(Vec::new()),
        };
        let order_id = order_id(entry)?;
        let mut told = vec![What::PointsEarned(PointsEarned {
            points: points.get(),
            order_id,
            by,
            becomes,
            debt_paid,
            available_at,
            lot,
            components,
        })];
        if becomes == Becomes::Expired && !points.is_zero() {
            told.push(expired(points, ExpiredFrom::New, 0, Some(lot)));
        }
        Ok(told)
    }
}

fn told_of_opening(opened: &Opened) -> Result<Vec<What>, NotAnnounced> {
    let lots = opened.lots.iter().map(|it| it.points);
    let pending = points::Points::total(opened.pending.iter().map(|it| it.points))?;
    let gone = points::Points::total(opened.expired.iter().map(|it| it.points))?;
    let mut told = vec![What::BalanceTakenOver(BalanceTakenOver {
        points: points::Points::total(lots.chain([pending, gone]))?.get(),
        pending: pending.get(),
        expired: gone.get(),
        debt: opened.debt.get(),
        debt_paid: points::Points::total(opened.debt_paid.iter().map(|it| it.points))?.get(),
    })];
    if !gone.is_zero() {
        told.push(expired(gone, ExpiredFrom::New, 0, None));
    }
    if let Some(tier) = &opened.tier
        && let Some(level) = &tier.level
    {
        let (valid_through, before) = (tier.valid_through, opened.before.as_ref());
        told.extend(told_of_level(level, valid_through, before, TierReason::TakenOver));
    }
    Ok(told)
}
