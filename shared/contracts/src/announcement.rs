//! What the shop is told: the events that leave the system, version 1.
//!
//! An entry of the ledger is announced by one event for each thing that happened to points or to the
//! level. Each has an id made from the entry, so that a receiver can tell a repeat; the entry's number in
//! its account and a number within the entry, so that it can tell an order; and the balance after the whole
//! entry, so that it can keep a copy without adding up.
//!
//! There is deliberately no name of anybody, no line of an order and no id of a delivery.

use std::fmt::Write as _;

use jiff::{Timestamp, civil::Date};
use loyalty_domain::{
    account::Balance,
    event::{
        self, Corrected, Earned, EarnedInLot, Event, InForce, LevelAtRisk, LevelBefore, Opened,
        Settled,
    },
    expiry::Cause,
    id::{CommandId, LevelId, MemberId, ReasonCode},
    money::{Currency, Minor},
    points::{self, OutOfRange},
    tier::OverrideKind,
};
#[cfg(feature = "schemas")]
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::api::{LotUse, Points, Source, lot_uses};
#[cfg(feature = "schemas")]
use crate::schema;

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
            Self::TierAtRisk(_) => "tier.at_risk",
            Self::TierChanged(_) => "tier.changed",
            Self::TierRenewed(_) => "tier.renewed",
            Self::TierAwaited(_) => "tier.awaited",
            Self::TierNotBegun(_) => "tier.not_begun",
            Self::TierGraceBegan(_) => "tier.grace_began",
            Self::BalanceTakenOver(_) => "balance.taken_over",
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
        | Event::LifeExtended { .. } => event.fell_due_at().unwrap_or(entry.at),
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
    })
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
        CommandId::Order(_)
        | CommandId::Refund(..)
        | CommandId::Change(..)
        | CommandId::Cancel(_)
        | CommandId::Request { .. }
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

fn order_id(entry: &CommandId) -> Result<String, NotAnnounced> {
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
