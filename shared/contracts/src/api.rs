//! What the API answers: shapes of their own, made from the domain and never the domain's own.
//!
//! Points are whole numbers and amounts are whole minor units of the currency beside them, both up to
//! 2^63 - 1. Rates are exact decimals, as text. Days are business days in the program's time zone.

#![cfg_attr(
    feature = "openapi",
    allow(
        clippy::large_stack_arrays,
        reason = "what is derived for the document runs when it is made"
    )
)]

use std::cmp::Ordering;

use jiff::{Timestamp, ToSpan, civil::Date};
use loyalty_domain::{
    account::{Account, Balance},
    adjustment::{Adjustment, AdjustmentChange, AdjustmentEvent, Approved, Proposal},
    calendar::{ExpiryRounding, Month},
    decide::Rejection,
    earning::Gives,
    event::{self, Event, GrantReason, ReferralEvent, Settled},
    expiry::{Cause, DayOfYear, Expiry, NEVER},
    id::{AdjustmentId, CommandId, MemberId, NoteId, Operation, ReasonCode, RedemptionStep},
    membership,
    merge::{MergeEvent, Moved},
    money::{Currency, Minor, Spend},
    points::{self, OutOfRange},
    program::{self, CapPeriod, LevelSpec, Window},
    rate::Rate,
    referral::{Qualifier, ReferralRefusal},
    tier::{self, OverrideKind},
    timeline::{self, LevelCause, What},
    transfer::TransferEvent,
};
use serde::Serialize;

use crate::checkout::HeldPoints;
use crate::reward::{self, RewardFulfilled, RewardIssued, RewardReturned};

/// A member's account at one instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Member {
    /// The shop's id of the member.
    #[cfg_attr(feature = "openapi", schema(example = "17850"))]
    pub member_id: String,
    /// The instant that all of this is about. What fell due up to it has happened.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub as_of: Timestamp,
    /// The balance.
    pub points: Points,
    /// Points on their way, in the order in which they become available.
    pub pending: Vec<PendingPoints>,
    /// Available points, in the order in which they are used: those that end first.
    pub lots: Vec<Lot>,
    /// Points that are held for checkouts, in the order in which they came.
    pub holds: Vec<HeldPoints>,
    /// The level.
    pub tier: Tier,
    /// What the level is measured by, and the way to the next one.
    pub progress: Progress,
    /// Whether its owner has joined; `null`: nobody has, and the account is there because an order named it.
    pub membership: Option<Membership>,
}

/// That the owner of an account has joined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Membership {
    /// `pending`: they have not shown yet that they can be reached; `active`; `frozen`, by staff; or `closed`:
    /// they have left. Who is not active earns, unless closed, and uses no points.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "active"))]
    pub status: &'static str,
    /// When they joined.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub enrolled_at: Timestamp,
}

/// A balance, in points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Points {
    /// What can be used: the sum of all lots.
    pub available: u64,
    /// What is on its way and cannot be used yet.
    pub pending: u64,
    /// What is held for checkouts that are not finished.
    pub held: u64,
    /// What the member owes, because it was used before a refund took it back. Points that become
    /// available pay it first.
    pub debt: u64,
}

/// Points on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PendingPoints {
    /// How many; at least 1.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub points: u64,
    /// When they become available.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub available_at: Timestamp,
    /// Through which day they can then be used; `null`: they never expire.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Date))]
    pub usable_through: Option<Date>,
}

/// Available points that end on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Lot {
    /// How many; at least 1.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub points: u64,
    /// The last day on which they can be used. They are gone at the next midnight. `null`: they never
    /// expire.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Date))]
    pub usable_through: Option<Date>,
    /// The lot, by the last day that was given at earning, as entries name it; that of points that never
    /// expire is 9999-12-31.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
    pub lot: Date,
}

/// A member's level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Tier {
    /// The level's id, which stays when its name changes.
    #[cfg_attr(feature = "openapi", schema(example = "base-2"))]
    pub level: String,
    /// What members read.
    #[cfg_attr(feature = "openapi", schema(example = "Bronze"))]
    pub name: String,
    /// The stage it belongs to, if the program has stages.
    pub stage: Option<String>,
    /// Its place: 0 is the lowest.
    pub rank: usize,
    /// What it gives besides points.
    pub benefits: Benefits,
    /// Its last day, before it is measured again or before what staff set ends. `null`: it has no end, as that
    /// of the lowest level.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Date))]
    pub valid_through: Option<Date>,
    /// Whether it is only kept until then, since its review would have lowered it.
    pub is_in_grace: bool,
    /// Why it is another one than the member has earned: staff set it as `courtesy` or for a `violation`.
    /// `null`: it is the earned one.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "courtesy"))]
    pub set_as: Option<&'static str>,
    /// A higher level that was reached and begins later; `null`: there is none.
    pub begins: Option<BeginningLevel>,
}

/// A level that was reached and begins later, as far as it is still met then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BeginningLevel {
    /// The level's id.
    pub level: String,
    /// Its first day.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
    pub from: Date,
}

/// What a level gives besides points, for members to read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Benefits {
    /// Money's worth.
    pub economic: Vec<String>,
    /// Better service.
    pub service: Vec<String>,
    /// Company.
    pub social: Vec<String>,
    /// Recognition.
    pub identity: Vec<String>,
}

/// What a level is measured by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Progress {
    /// Which months count: `twelve_months` that end with the present one, `calendar_year` or `lifetime`.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "twelve_months"))]
    pub window: &'static str,
    /// The first month that counts, as `2026-01`; `null`: all of them.
    #[cfg_attr(feature = "openapi", schema(example = "2025-02"))]
    pub from: Option<String>,
    /// The last month that counts; `null`: all of them.
    #[cfg_attr(feature = "openapi", schema(example = "2026-01"))]
    pub to: Option<String>,
    /// The currency of all amounts here.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "GBP"))]
    pub currency: &'static str,
    /// What was spent and counts, refunds taken out, in minor units, rounded down.
    pub spend_minor: u64,
    /// How many orders count.
    pub orders: u32,
    /// What activities count.
    pub growth: u64,
    /// Which tasks were ever done.
    pub tasks: Vec<String>,
    /// The next level above the earned one that can be met; `null`: there is none.
    pub next: Option<NextLevel>,
}

/// The next level above the earned one. It is reached with whatever first meets any one condition; what goes
/// further may reach a higher one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NextLevel {
    /// Its id.
    pub level: String,
    /// What members read.
    pub name: String,
    /// By spend, in minor units; `null`: it cannot be reached by spend.
    pub spend_minor: Option<Threshold>,
    /// By the number of orders; `null`: it cannot be reached by orders.
    pub orders: Option<Threshold>,
    /// By what activities count; `null`: it cannot be reached by them.
    pub growth: Option<Threshold>,
    /// Or by all of these tasks; empty: it cannot be reached by tasks.
    pub tasks: Vec<Task>,
}

/// A task on the way to a level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Task {
    /// Which.
    pub task: String,
    /// Whether it is done.
    pub is_done: bool,
}

/// What is needed, and how much of it is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Threshold {
    /// What is needed.
    pub needed: u64,
    /// What is missing of it, rounded up; 0: the next order that counts is enough.
    pub missing: u64,
}

/// What will happen to a member's points and level if nothing else does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Timeline {
    /// The shop's id of the member.
    #[cfg_attr(feature = "openapi", schema(example = "17850"))]
    pub member_id: String,
    /// The instant from which on it is told.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub as_of: Timestamp,
    /// The last day of which it is told, with the midnight that ends it: 24 months later.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
    pub through: Date,
    /// What will happen, in its order; at most the first 100 things.
    pub items: Vec<TimelineItem>,
    /// Whether that is all through that day.
    pub is_whole: bool,
}

/// One thing that will happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum TimelineItem {
    /// Points on their way become available.
    PointsAvailable {
        /// When.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        at: Timestamp,
        /// How many.
        points: u64,
        /// How many of them pay a debt instead.
        debt_paid: u64,
        /// Through which day the others can be used; `null`: they never expire.
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Date))]
        usable_through: Option<Date>,
        /// The balance then.
        balance: Points,
    },
    /// Points on their way are gone as they become available, since their last day is over by then.
    PointsLapse {
        /// When.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        at: Timestamp,
        /// How many.
        points: u64,
        /// How many of them pay a debt before the rest is gone.
        debt_paid: u64,
        /// The balance then.
        balance: Points,
    },
    /// Points are gone, unless they are used before.
    PointsExpire {
        /// The first instant after their last day.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        at: Timestamp,
        /// How many.
        points: u64,
        /// The last day on which they can be used.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
        usable_through: Date,
        /// The balance then.
        balance: Points,
    },
    /// Something about the level.
    Level {
        /// When.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        at: Timestamp,
        /// Why: `review`, its validity ends and the member is measured again by what counts already; `start`, one
        /// that was reached before begins, as far as what counts already still meets it; `grace`, its review
        /// would lower it, and it is kept for a while; `override_end`, what staff set ends.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "review"))]
        cause: &'static str,
        /// The id of the level in force before.
        before: String,
        /// The id of the level in force from then on.
        level: String,
        /// `kept`, `lowered` or `raised`.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "lowered"))]
        change: &'static str,
        /// Its last day, as far as is known; `null`: it has no end, as that of the lowest level.
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Date))]
        valid_through: Option<Date>,
    },
}

/// A page of a member's entries, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Entries {
    /// Entries, newest first.
    pub entries: Vec<Entry>,
    /// The `cursor` of the next page; `null`: this was the last one. New entries move no page.
    pub next: Option<String>,
}

/// All that one fact did to an account. Entries never change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Entry {
    /// Its id, made from the fact. What was given for a friend has one that does not name them.
    #[cfg_attr(feature = "openapi", schema(example = "O#536365"))]
    pub id: String,
    /// Its number in the account: 1 is the first one, and none is missing.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub sequence: u64,
    /// When it took effect: when it happened, or later, if the account had gone on by then.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// When it happened, as the sender says.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub sent_at: Timestamp,
    /// What it was.
    pub source: Source,
    /// The version of the program by which it was decided.
    pub program_version: u32,
    /// What it did, in order, with what fell due before it.
    pub changes: Vec<Change>,
    /// The balance after it.
    pub balance: Points,
}

/// A fact that made an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub enum Source {
    /// An order was paid.
    Order {
        /// Which.
        order_id: String,
    },
    /// A part of an order was refunded.
    Refund {
        /// Of which order.
        order_id: String,
        /// Which refund.
        refund_id: String,
    },
    /// An order was edited.
    Change {
        /// Which.
        order_id: String,
        /// Which edit.
        change_id: String,
    },
    /// What was left of an order was cancelled.
    Cancellation {
        /// Which.
        order_id: String,
    },
    /// Points were used.
    Spend {
        /// Who asked for it.
        client_id: String,
        /// Under which key.
        request_key: String,
    },
    /// Used points came back.
    GiveBack {
        /// Who asked for it.
        client_id: String,
        /// Under which key.
        request_key: String,
    },
    /// Staff let points last longer.
    Extend {
        /// Who asked for it.
        client_id: String,
        /// Under which key.
        request_key: String,
    },
    /// Staff brought expired points back.
    Reinstate {
        /// Who asked for it.
        client_id: String,
        /// Under which key.
        request_key: String,
    },
    /// Staff set a level.
    OverrideLevel {
        /// Who asked for it.
        client_id: String,
        /// Under which key.
        request_key: String,
    },
    /// Staff lifted a level that was set.
    LiftOverride {
        /// Who asked for it.
        client_id: String,
        /// Under which key.
        request_key: String,
    },
    /// Points were held for a checkout.
    Hold {
        /// Who asked for it.
        client_id: String,
        /// Under which key.
        request_key: String,
    },
    /// Points that were held were used.
    Capture {
        /// Who asked for it.
        client_id: String,
        /// Under which key.
        request_key: String,
    },
    /// Points that were held were let go.
    Release {
        /// Who asked for it.
        client_id: String,
        /// Under which key.
        request_key: String,
    },
    /// A reward was taken.
    Redeem {
        /// Who asked for it.
        client_id: String,
        /// Under which key.
        request_key: String,
    },
    /// Points were given to another member.
    Transfer {
        /// Who asked for it.
        client_id: String,
        /// Under which key.
        request_key: String,
    },
    /// Staff added points or took them off.
    Adjust {
        /// Who asked for it.
        client_id: String,
        /// Under which key.
        request_key: String,
    },
    /// Staff decided about an adjustment that waited for a second person.
    ReviewAdjustment {
        /// Who asked for it.
        client_id: String,
        /// Under which key.
        request_key: String,
    },
    /// Two members became one.
    Merge {
        /// Who asked for it.
        client_id: String,
        /// Under which key.
        request_key: String,
    },
    /// They became two again.
    UndoMerge {
        /// Who asked for it.
        client_id: String,
        /// Under which key.
        request_key: String,
    },
    /// A reward was taken.
    Redemption {
        /// Which redemption it is.
        redemption_id: String,
    },
    /// A redemption went on.
    RedemptionStep {
        /// Which.
        redemption_id: String,
        /// How.
        step: &'static str,
    },
    /// What another member did, or what was done to them, was about this one, too.
    Counterpart,
    /// An activity of the member counted.
    Activity {
        /// Which.
        activity_id: String,
    },
    /// The member did a task.
    Task {
        /// Which.
        task: String,
    },
    /// The member was measured by a new version of the program.
    NewVersion {
        /// Which.
        program_version: u32,
    },
    /// A balance was brought from another system.
    Opening,
    /// What fell due by itself was recorded.
    Due {
        /// Up to the first instant of which day.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
        #[cfg_attr(feature = "schemas", schemars(with = "crate::schema::Day"))]
        day: Date,
    },
    /// The member joined.
    Enrollment,
    /// The member showed that they can be reached.
    Activation,
    /// Staff changed the member's status.
    SetStatus {
        /// Who asked for it.
        client_id: String,
        /// Under which key.
        request_key: String,
    },
    /// The referral by which the member was brought was looked into.
    Referral,
    /// Staff decided about the referral by which the member was brought.
    ReviewReferral {
        /// Who asked for it.
        client_id: String,
        /// Under which key.
        request_key: String,
    },
    /// The referral of a friend whom the member brought was rewarded.
    ReferralReward,
    /// The referral of a friend whom the member brought was revoked.
    ReferralRevoked,
    /// An order that a guest had paid became the member's.
    Claim {
        /// Which.
        order_id: String,
    },
}

/// One thing that happened to an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Change {
    /// Pending points became available.
    Matured {
        /// When.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        at: Timestamp,
        /// Into which lot.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
        lot: Date,
        /// How many.
        points: u64,
        /// How many of them paid a debt instead.
        debt_paid: u64,
    },
    /// Pending points matured after their last day, and were gone at once.
    Lapsed {
        /// When.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        at: Timestamp,
        /// The lot that they would have lain in.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
        lot: Date,
        /// How many.
        points: u64,
        /// How many of them paid a debt before the rest was gone.
        debt_paid: u64,
    },
    /// What was left in a lot is gone.
    Expired {
        /// The first instant after the lot's last day.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        at: Timestamp,
        /// Which lot.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
        lot: Date,
        /// How many.
        points: u64,
    },
    /// A level's validity ended and the member was measured again.
    LevelReviewed {
        /// The first instant after the validity.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        at: Timestamp,
        /// The level's id from then on.
        level: String,
        /// Its last day; `null`: the lowest level has no end.
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Date))]
        valid_through: Option<Date>,
    },
    /// An order earned.
    Earned {
        /// The business day of payment.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
        paid_on: Date,
        /// The currency of the order.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "GBP"))]
        currency: &'static str,
        /// What counts of the order, in minor units of its currency.
        eligible_minor: u64,
        /// The points: the sum of the components.
        points: u64,
        /// How they came about, each rounded down once.
        components: Vec<Component>,
        /// What caps had left for the order, in points; `null`: no cap counts it.
        headroom: Option<u64>,
        /// The lot that the points lie in, or will.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
        lot: Date,
        /// When they become, or became, available.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        available_at: Timestamp,
        /// What became of them at first, but for those of `others`.
        becomes: Becomes,
        /// How many of them lie in lots of their own, since their campaign says so.
        others: Vec<EarnedInLot>,
    },
    /// What counts raised the level or renewed it.
    LevelReached {
        /// The level's id from then on.
        level: String,
        /// Its last day.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
        valid_through: Date,
    },
    /// A refund, or a new version of the program, lowered the level before its review, as the program wants it.
    LevelLowered {
        /// The level's id from then on.
        level: String,
        /// Its last day; `null`: the lowest level has no end.
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Date))]
        valid_through: Option<Date>,
    },
    /// A refund, cancellation or edit took effect on an order.
    Corrected {
        /// Which. It stands in the order's own entry if it came before the order.
        by: Source,
        /// What counted of the order before, in minor units of its currency.
        eligible_before_minor: u64,
        /// What counts of it afterwards.
        eligible_after_minor: u64,
        /// How much was asked for beyond what was left, and cut, in minor units.
        cut_minor: u64,
        /// The order's points before.
        points_before: u64,
        /// The order's points afterwards.
        points_after: u64,
        /// Where the difference went, but for that of `others`.
        settled: Settlement,
        /// Where the difference of points went that lie in lots of their own.
        others: Vec<CorrectedInLot>,
    },
    /// A refund or edit that had waited for its order does not fit it.
    CorrectionRefused {
        /// Which.
        by: Source,
        /// Why, for programs.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "line_not_in_order"))]
        reason: &'static str,
    },
    /// A balance was brought from another system.
    Opened {
        /// Which lots were filled with how many points, what then paid a debt included.
        lots: Vec<LotUse>,
        /// Points on their way.
        pending: Vec<PendingPoints>,
        /// Points whose last good day had passed, and which expired at once.
        expired: u64,
        /// What was owed there.
        debt: u64,
        /// How much of what is owed the lots then paid.
        debt_paid: u64,
        /// The level from then on; `null`: the one in force was as high.
        level: Option<String>,
    },
    /// Points were used.
    Spent {
        /// Which lots gave how many.
        lots: Vec<LotUse>,
    },
    /// Used points came back.
    GivenBack {
        /// How many paid a debt.
        debt_paid: u64,
        /// Which lots got how many back.
        lots: Vec<LotUse>,
        /// How many stay lost, because their lots expired meanwhile.
        lost: u64,
    },
    /// A reward was taken.
    RewardIssued(RewardIssued),
    /// It was handed over.
    RewardFulfilled(RewardFulfilled),
    /// It is not going to be, and its points came back.
    RewardCancelled(RewardReturned),
    /// It had been, and came back with its points.
    RewardRefunded(RewardReturned),
    /// Points were taken out of their lots and are held for a checkout.
    Held {
        /// The hold.
        hold_id: String,
        /// Which lots gave how many.
        lots: Vec<LotUse>,
        /// What they pay, in minor units of `currency`.
        amount_minor: u64,
        /// The currency of the order.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "GBP"))]
        currency: &'static str,
        /// When the hold ends by itself.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        ends_at: Timestamp,
    },
    /// Held points were used by call.
    Captured {
        /// The hold.
        hold_id: String,
        /// Which lots had given how many.
        lots: Vec<LotUse>,
    },
    /// Held points were let go, and the hold is over.
    Released {
        /// The hold.
        hold_id: String,
        /// Why: `asked`, `not_needed` (the rest was used, or the order needed none) or `ended`, by itself.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "ended"))]
        cause: &'static str,
        /// How many paid a debt.
        debt_paid: u64,
        /// Which lots got how many back.
        lots: Vec<LotUse>,
        /// How many are gone, because their lots expired meanwhile.
        lost: u64,
    },
    /// An order was paid with points, wholly or in part.
    PaidWithPoints {
        /// The hold that the order names.
        hold_id: String,
        /// What the order says that points pay, in minor units of its currency.
        amount_minor: u64,
        /// Which points of the hold had been used by call before.
        captured: Vec<LotUse>,
        /// Which points of the hold were used.
        held: Vec<LotUse>,
        /// Which points of lots were used, because the hold was gone or too small.
        lots: Vec<LotUse>,
        /// How many more points it would have needed, which were nowhere.
        uncovered: u64,
        /// Whether no number of points is known for the amount.
        is_unknown: bool,
    },
    /// An edit changed what points pay of its order.
    PaidWithPointsAnew {
        /// The edit. It stands in the order's own entry if it came before the order.
        by: Source,
        /// What the order says now that points pay, in minor units of its currency.
        amount_minor: u64,
        /// Which more points of lots were used.
        lots: Vec<LotUse>,
        /// How many more points it would have needed, which were nowhere.
        uncovered: u64,
        /// How many points that are not needed any more paid a debt.
        debt_paid: u64,
        /// Which lots got how many back.
        restored: Vec<LotUse>,
        /// How many stay lost, because their lots expired meanwhile.
        lost: u64,
    },
    /// A refund or cancellation gave points back that had paid its order.
    PointsReturned {
        /// Which. It stands in the order's own entry if it came before the order.
        by: Source,
        /// How many paid a debt.
        debt_paid: u64,
        /// Which lots got how many back.
        lots: Vec<LotUse>,
        /// How many stay lost, because their lots expired meanwhile.
        lost: u64,
        /// How many the refund asked for beyond those that were left.
        cut: u64,
    },
    /// All points that were not gone last longer than they were to.
    LifeExtended {
        /// Those of lots that end on this day or later.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
        from: Date,
        /// Through this day at least.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
        usable_through: Date,
        /// Why: `sliding_began`, `activity` (the member earned or used points) or `staff`.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "activity"))]
        cause: &'static str,
        /// The code of the reason that staff gave; `null`: it was not staff.
        reason: Option<String>,
    },
    /// The member was told of points that expire soon.
    ExpiryAnnounced {
        /// On which day.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
        day: Date,
        /// The last day on which they can be used.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
        usable_through: Date,
        /// Which lots had how many.
        lots: Vec<LotUse>,
    },
    /// The member was told that the level would be lost.
    LevelAtRisk {
        /// On which day.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
        day: Date,
        /// The level's id.
        level: String,
        /// Its last day.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
        valid_through: Date,
        /// The id of the level that the review would have left.
        would_be: String,
        /// What orders had to come to for it to be renewed, in minor units of the program's currency;
        /// `null`: it cannot be met by spend.
        spend_missing_minor: Option<u64>,
        /// Or how many orders had to come; 0: the next one that counts; `null`: it cannot be met by orders.
        orders_missing: Option<u32>,
        /// Or how much activities had to count; `null`: it cannot be met by them.
        growth_missing: Option<u64>,
    },
    /// Staff brought points back that had expired.
    Reinstated {
        /// Into which lot.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
        lot: Date,
        /// How many.
        points: u64,
        /// How many of them paid a debt instead.
        debt_paid: u64,
        /// The code of the reason.
        reason: String,
    },
    /// A higher level was reached and begins later.
    LevelAwaited {
        /// The level's id.
        level: String,
        /// Its first day.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
        from: Date,
    },
    /// A level that was reached before began.
    LevelBegan {
        /// Its first instant.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        at: Timestamp,
        /// The level's id: of the one that was reached, or of what was still met.
        level: String,
        /// Its last day.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
        valid_through: Date,
    },
    /// A level that was reached before was no longer met when it was to begin.
    LevelNotBegun {
        /// What would have been its first instant.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        at: Timestamp,
        /// The level's id.
        level: String,
    },
    /// A level's validity ended, and it is kept for a while since its review would have lowered it.
    GraceBegan {
        /// The first instant after the validity.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        at: Timestamp,
        /// The level's id.
        level: String,
        /// The last day on which it is kept.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
        through: Date,
    },
    /// Staff set a level beside the one that is earned.
    OverrideSet {
        /// The level's id.
        level: String,
        /// `courtesy`: at least this level; `violation`: at most this level.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "courtesy"))]
        set_as: &'static str,
        /// Its last day; `null`: until it is lifted.
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Date))]
        through: Option<Date>,
        /// The code of the reason.
        reason: String,
        /// The id of the level in force from then on.
        in_force: String,
    },
    /// Staff lifted what they had set.
    OverrideLifted {
        /// The code of the reason.
        reason: String,
        /// The id of the level in force from then on.
        in_force: String,
    },
    /// What staff had set ended by itself.
    OverrideEnded {
        /// The first instant after its last day.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        at: Timestamp,
        /// The id of the level in force from then on.
        in_force: String,
    },
    /// An activity counted.
    Grown {
        /// In which month, as `2026-01`.
        #[cfg_attr(feature = "openapi", schema(example = "2026-01"))]
        month: String,
        /// How much.
        growth: u32,
    },
    /// A task was done.
    TaskDone {
        /// Which.
        task: String,
    },
    /// The member joined, became active, was stopped or left.
    StatusChanged {
        /// When.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        at: Timestamp,
        /// `pending`, `active`, `frozen` or `closed`.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "active"))]
        status: &'static str,
        /// The code of the reason that staff gave; `null`: it was not staff.
        reason: Option<String>,
    },
    /// Points were given beside orders.
    Granted {
        /// What for: `welcome`, `referred` (somebody brought the member), `brought` (the member brought somebody)
        /// or `milestone` (the member brought so many).
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "referred"))]
        reason: &'static str,
        /// How many friends a milestone is for; `null`: it is none.
        friends: Option<u32>,
        /// How many points.
        points: u64,
        /// How many more there would have been without caps.
        cut: u64,
        /// The lot that they lie in.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
        lot: Date,
        /// What became of them at first.
        becomes: Becomes,
    },
    /// The member became one with another, whose account goes on; all points went there.
    MergedAway(Went),
    /// The member became one with another, whose points came here.
    MergedHere(Went),
    /// The other is a member of their own again, and took what was theirs, as far as it was there.
    UnmergedAway(Went),
    /// The member is one of their own again, with what was still there.
    UnmergedHere(Went),
    /// Points were given to another member.
    TransferredOut {
        /// The transfer, by which both sides' entries can be told to belong together.
        transfer_id: String,
        /// To whom.
        to_member_id: String,
        /// How many.
        points: u64,
        /// Which lots gave how many.
        lots: Vec<LotUse>,
    },
    /// Points came from another member as a gift. From whom is not said: that is the other's to tell.
    TransferredIn {
        /// The transfer.
        transfer_id: String,
        /// How many.
        points: u64,
        /// How many of them paid a debt instead, those that end first.
        debt_paid: u64,
        /// How many came with which last good day, before any of them paid a debt.
        lots: Vec<LotUse>,
    },
    /// Staff added points or took them off.
    Adjusted(Adjusted),
    /// Staff want to add points or take them off, and a second person is to decide about it.
    AdjustmentProposed {
        /// The adjustment.
        adjustment_id: String,
        /// Which way.
        direction: Direction,
        /// How many points.
        points: u64,
        /// The last day on which they could be used, if it was asked for.
        #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Date))]
        through: Option<Date>,
        /// The code of the reason.
        reason: String,
        /// What staff wrote about it, for staff to look up.
        note_id: Option<String>,
    },
    /// The second person did not want it, and nothing happened.
    AdjustmentDenied {
        /// The adjustment.
        adjustment_id: String,
        /// The code of the reason.
        reason: String,
    },
    /// Points that were given beside orders were taken back.
    GrantTakenBack {
        /// What for they were given: as above.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "referred"))]
        reason: &'static str,
        /// How many friends a milestone is for; `null`: it is none.
        friends: Option<u32>,
        /// How many points they were.
        points: u64,
        /// The lot that they lay in.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
        lot: Date,
        /// Where they were taken from.
        settled: Settlement,
    },
    /// The member said who brought them.
    ReferralNamed,
    /// The member named a code that does not count.
    ReferralNotNamed {
        /// Why not, for programs.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "code_unknown"))]
        reason: &'static str,
    },
    /// An order of whoever was brought is watched until its return window is over.
    ReferralOrdered {
        /// Which.
        order_id: String,
        /// When the window ends.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        qualifies_at: Timestamp,
        /// Whether what is kept of it is enough.
        is_enough: bool,
    },
    /// A refund or an edit made a watched order enough, or too little.
    ReferralCorrected {
        /// Which.
        order_id: String,
        /// Whether what is kept of it is enough.
        is_enough: bool,
    },
    /// The return window of a watched order ended, of which too little was kept.
    ReferralNotKept {
        /// When.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        at: Timestamp,
        /// Which.
        order_id: String,
    },
    /// The referral by which the member was brought is due, and is looked into.
    ReferralQualified {
        /// Since when.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        at: Timestamp,
        /// The order by which it is due; `null`: a task.
        order_id: Option<String>,
        /// The task; `null`: an order.
        task: Option<String>,
    },
    /// It waits for staff.
    ReferralHeld,
    /// Both were rewarded; what the member got is told beside it.
    ReferralRewarded,
    /// Neither is.
    ReferralRefused {
        /// Why not, for programs.
        #[cfg_attr(feature = "openapi", schema(value_type = String, example = "referrer_not_active"))]
        reason: &'static str,
    },
    /// What it was due by was taken back, and so are both rewards.
    ReferralRevoked,
}

/// Points of an order in a lot that is not the order's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EarnedInLot {
    /// The lot.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
    pub lot: Date,
    /// How many.
    pub points: u64,
    /// What became of them at first.
    pub becomes: Becomes,
}

/// What a correction did to points of an order in a lot that is not the order's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CorrectedInLot {
    /// The lot.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
    pub lot: Date,
    /// The points before.
    pub points_before: u64,
    /// The points afterwards.
    pub points_after: u64,
    /// Where the difference went.
    pub settled: Settlement,
}

/// One part of an order's points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Component {
    /// `base`, `tier:<level>` or `campaign:<name>`.
    #[cfg_attr(feature = "openapi", schema(example = "tier:base-2"))]
    pub name: String,
    /// Points for a major unit of the program's currency, as an exact decimal; `null`: a fixed number.
    #[cfg_attr(feature = "openapi", schema(example = "1"))]
    pub points_per_unit: Option<String>,
    /// The share of them that this part is: 1 for base points, the bonus otherwise; `null`: a fixed number.
    #[cfg_attr(feature = "openapi", schema(example = "0.05"))]
    pub share: Option<String>,
    /// The fixed number of points; `null`: it goes by amount.
    pub fixed: Option<u64>,
    /// The points it came to, after caps.
    pub points: u64,
}

/// What became of points when they were earned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Becomes {
    /// They wait until they are available.
    Pending,
    /// They can be used at once.
    Available {
        /// How many of them paid a debt instead.
        debt_paid: u64,
    },
    /// Their last day had passed.
    Expired,
    /// They are nobody's: a guest's order.
    Unclaimed,
}

/// Where the difference that a correction made went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Settlement {
    /// Points were taken back.
    TakenBack {
        /// From the order's own pending points.
        pending: u64,
        /// From lots, in this order.
        lots: Vec<LotUse>,
        /// What was missing and is owed.
        debt: u64,
        /// What was missing and is let go.
        waived: u64,
    },
    /// The order's points had expired before, so nothing was taken back.
    GoneAlready,
    /// Points were added, because an edit raised the order.
    Added {
        /// What became of them at first.
        becomes: Becomes,
    },
    /// The order is a guest's: there is no account.
    NoAccount,
}

/// Points of a lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct LotUse {
    /// Which lot.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
    #[cfg_attr(feature = "schemas", schemars(with = "crate::schema::Day"))]
    pub lot: Date,
    /// How many.
    pub points: u64,
}

/// What members may read of the program in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Program {
    /// What the shop calls it.
    #[cfg_attr(feature = "openapi", schema(example = "Standard"))]
    pub name: String,
    /// Rises with every change; every entry names the version it was decided by.
    pub version: u32,
    /// The business day from which this version is in force.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Date))]
    pub effective: Date,
    /// The currency in which spend is measured, and of all amounts here.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "GBP"))]
    pub currency: &'static str,
    /// The IANA time zone of its business days.
    #[cfg_attr(feature = "openapi", schema(example = "Europe/London"))]
    pub time_zone: String,
    /// How orders become points.
    pub earning: Earning,
    /// The levels, from the lowest to the highest.
    pub levels: Vec<Level>,
}

/// How orders become points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Earning {
    /// Points for a major unit of the program's currency, as an exact decimal. An order is rounded down
    /// once, and so is each bonus.
    #[cfg_attr(feature = "openapi", schema(example = "1"))]
    pub points_per_unit: String,
    /// Other currencies in which orders count.
    pub currencies: Vec<CurrencyRate>,
    /// How many times 24 hours points wait before they can be used.
    pub pending_days: u32,
    /// Months of life from the day of payment; `null`: points never expire.
    pub expiry_months: Option<u32>,
    /// To which day the last day is then moved: `none`, `month_end`, `quarter_end` or `year_end`.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "month_end"))]
    pub expiry_rounding: &'static str,
    /// Whether tax counts.
    pub counts_tax: bool,
    /// Whether shipping counts.
    pub counts_shipping: bool,
    /// Whether gift cards count; if not, they earn when they are spent.
    pub counts_gift_cards: bool,
    /// What one order earns at most, in points; `null`: there is no cap.
    pub cap_per_order: Option<u64>,
    /// What one member earns at most.
    pub caps_per_member: Vec<MemberCap>,
    /// Days of the year, to the next of which the last day is moved after the months: `03-31`. `02-29` is
    /// the last day of February. None: `expiry_rounding` says where it is moved.
    #[cfg_attr(feature = "openapi", schema(example = json!(["03-31", "09-30"])))]
    pub expiry_dates: Vec<String>,
    /// What the months count from: `fixed`, the payment; `sliding`, the last order or use of points, which
    /// all points then last from; `never`, nothing.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "fixed"))]
    pub expiry: &'static str,
}

/// A currency in which orders count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CurrencyRate {
    /// The currency.
    #[cfg_attr(feature = "openapi", schema(example = "EUR"))]
    pub currency: String,
    /// Major units of the program's currency for one of its own, as an exact decimal.
    #[cfg_attr(feature = "openapi", schema(example = "0.86"))]
    pub rate: String,
}

/// A cap on what one member earns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MemberCap {
    /// In each `day`, `month` or `year`, by the day of payment, or in a `lifetime`.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "month"))]
    pub period: &'static str,
    /// How many points.
    pub points: u64,
}

/// A level of the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Level {
    /// Its id, which stays when its name changes.
    #[cfg_attr(feature = "openapi", schema(example = "base-2"))]
    pub level: String,
    /// What members read.
    #[cfg_attr(feature = "openapi", schema(example = "Bronze"))]
    pub name: String,
    /// The stage it belongs to, if the program has stages.
    pub stage: Option<String>,
    /// Its place: 0 is the lowest.
    pub rank: usize,
    /// Its bonus on base points, as an exact decimal: 0.05 is five percent more; `null`: none.
    #[cfg_attr(feature = "openapi", schema(example = "0.05"))]
    pub bonus: Option<String>,
    /// Met from this spend on, in minor units; `null`: not by spend.
    pub spend_minor: Option<u64>,
    /// Met from this number of orders on; `null`: not by orders. Any condition is enough.
    pub orders: Option<u32>,
    /// Met from this growth value on, which activities count for; `null`: not by them.
    pub growth: Option<u64>,
    /// Met once all of these tasks are done; empty: not by tasks.
    pub tasks: Vec<String>,
    /// Whether staff invite to it and nobody meets it otherwise.
    pub is_invite_only: bool,
    /// Whether members who have it, or a higher one, do not fall below it by what counts.
    pub is_floor: bool,
    /// What it gives besides points.
    pub benefits: Benefits,
}

/// That the service works: the program was read and the ledger answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Status {
    /// Always `ok`; otherwise there is a problem document.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "ok"))]
    pub status: &'static str,
    /// The instant of the answer.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub as_of: Timestamp,
    /// The release of the function.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "0.1.0"))]
    pub release: &'static str,
    /// The version of the program in force.
    pub program_version: u32,
}

impl Member {
    /// What is shown of `account`, which must have been brought to `as_of` under `program`.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] if the account is none that was ever decided, or the year is nearly 10000.
    pub fn of(
        member_id: &MemberId,
        account: &Account,
        program: &program::Program,
        as_of: Timestamp,
    ) -> Result<Self, OutOfRange> {
        let pending = account.pending.iter().map(|it| PendingPoints {
            points: it.points.get(),
            available_at: it.matures_at,
            usable_through: end(account.last_good_day(it.lot)),
        });
        // An empty lot keeps its place in line until its day is over, and is nothing to show.
        let lots = account.lots.iter().filter(|it| !it.points.is_zero()).map(|it| Lot {
            points: it.points.get(),
            usable_through: end(it.last_good_day),
            lot: it.id.given,
        });
        let (rank, earned) = (tier::rank(program, account), tier::earned_rank(program, account));
        let level = program.levels().get(rank).ok_or(OutOfRange)?;
        let set = account.tier.set().filter(|_| rank != earned);
        Ok(Self {
            member_id: member_id.as_str().to_owned(),
            as_of,
            points: account.balance()?.into(),
            pending: pending.collect(),
            lots: lots.collect(),
            holds: account.holdings.holds.iter().map(HeldPoints::of).collect::<Result<_, _>>()?,
            tier: Tier {
                level: level.id.as_str().to_owned(),
                name: level.name.clone(),
                stage: level.stage.clone(),
                rank,
                benefits: Benefits::of(level),
                valid_through: tier::valid_through(program, account),
                is_in_grace: set.is_none() && account.tier.grace_through().is_some(),
                set_as: set.map(|it| set_as(it.kind)),
                begins: account.tier.next().map(|it| BeginningLevel {
                    level: it.level.as_str().to_owned(),
                    from: it.from,
                }),
            },
            progress: Progress::of(account, program, earned, as_of)?,
            membership: Membership::of(&account.membership),
        })
    }
}

impl Membership {
    /// `None` of whoever has not joined.
    fn of(membership: &membership::Membership) -> Option<Self> {
        let enrolled_at = membership.enrolled_at?;
        Some(Self { status: status(membership.status), enrolled_at })
    }
}

/// The word for a status.
const fn status(status: membership::Status) -> &'static str {
    match status {
        membership::Status::Unenrolled => "unenrolled",
        membership::Status::Pending => "pending",
        membership::Status::Active => "active",
        membership::Status::Frozen => "frozen",
        membership::Status::Closed => "closed",
    }
}

/// The id of an entry as its member may read it: that of the fact, unless it would name whom they brought.
pub fn entry_id(id: &CommandId, sequence: u64) -> String {
    match id {
        // No id of a member is empty, so no other entry has this text.
        CommandId::ReferralReward(_) => format!("F##{sequence}#R"),
        CommandId::ReferralRevoked(_) => format!("F##{sequence}#X"),
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
        | CommandId::Enrollment(_)
        | CommandId::Activation(_)
        | CommandId::Referral(_)
        | CommandId::Claim(_)
        | CommandId::Redemption(..)
        | CommandId::RedemptionStep(..)
        | CommandId::Counterpart(..) => id.to_string(),
    }
}

/// How far ahead a timeline looks.
const TIMELINE_MONTHS: i32 = 24;

impl Timeline {
    /// What is told of `account`, which must have been brought to `as_of` under `program`.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] if the account is none that was ever decided, or the year is nearly 10000.
    pub fn of(
        member_id: &MemberId,
        account: Account,
        program: &program::Program,
        as_of: Timestamp,
    ) -> Result<Self, OutOfRange> {
        let calendar = program.calendar();
        let through = calendar.day_of(as_of).checked_add(TIMELINE_MONTHS.months());
        let through = through.map_err(|_| OutOfRange)?;
        let told = timeline::timeline(program, account, calendar.end_of(through)?)?;
        Ok(Self {
            member_id: member_id.as_str().to_owned(),
            as_of,
            through,
            items: told.items.iter().map(|it| TimelineItem::of(it, program)).collect(),
            is_whole: told.is_whole,
        })
    }
}

impl TimelineItem {
    fn of(item: &timeline::Item, program: &program::Program) -> Self {
        let (at, balance) = (item.at, item.balance.into());
        match item.what {
            What::Matures { points, debt_paid, last_good_day } => Self::PointsAvailable {
                at,
                points: points.get(),
                debt_paid: debt_paid.get(),
                usable_through: end(last_good_day),
                balance,
            },
            What::Lapses { points, debt_paid } => {
                Self::PointsLapse { at, points: points.get(), debt_paid: debt_paid.get(), balance }
            }
            What::Expires { points, last_good_day } => Self::PointsExpire {
                at,
                points: points.get(),
                usable_through: last_good_day,
                balance,
            },
            What::Level { why, before, after, valid_through } => {
                let change = match after.cmp(&before) {
                    Ordering::Less => "lowered",
                    Ordering::Equal => "kept",
                    Ordering::Greater => "raised",
                };
                let cause = match why {
                    LevelCause::Review => "review",
                    LevelCause::Start => "start",
                    LevelCause::Grace => "grace",
                    LevelCause::OverrideEnd => "override_end",
                };
                let level =
                    |rank: usize| program.levels().get(rank).map(|it| it.id.as_str().to_owned());
                let (before, level) = (level(before), level(after));
                // Every rank is that of a level.
                let (before, level) = (before.unwrap_or_default(), level.unwrap_or_default());
                Self::Level { at, cause, before, level, change, valid_through }
            }
        }
    }
}

const fn set_as(kind: OverrideKind) -> &'static str {
    match kind {
        OverrideKind::Courtesy => "courtesy",
        OverrideKind::Violation => "violation",
    }
}

impl From<Balance> for Points {
    fn from(balance: Balance) -> Self {
        let Balance { available, pending, held, debt } = balance;
        Self {
            available: available.get(),
            pending: pending.get(),
            held: held.get(),
            debt: debt.get(),
        }
    }
}

impl Benefits {
    fn of(level: &LevelSpec) -> Self {
        let program::Benefits { economic, service, social, identity } = level.benefits.clone();
        Self { economic, service, social, identity }
    }
}

impl Progress {
    fn of(
        account: &Account,
        program: &program::Program,
        rank: usize,
        as_of: Timestamp,
    ) -> Result<Self, OutOfRange> {
        let month = Month::of(program.calendar().day_of(as_of));
        let tiers = &program.spec().tiers;
        let (window, months) = match tiers.window {
            Window::TwelveMonths => ("twelve_months", Some((month.plus(-11)?, month))),
            Window::CalendarYear => {
                ("calendar_year", Some((month.january(), month.january().plus(11)?)))
            }
            Window::Lifetime => ("lifetime", None),
        };
        let measure = account.progress.measured(tiers.window, month)?;
        let currency = program.spec().currency;
        let spend_minor = minor(measure.spend);
        let threshold =
            |needed: u64, have: u64| Threshold { needed, missing: needed.saturating_sub(have) };
        let done = &account.progress.tasks;
        let next = match program.rank_above(rank).and_then(|it| program.levels().get(it)) {
            None => None,
            Some(level) => Some(NextLevel {
                level: level.id.as_str().to_owned(),
                name: level.name.clone(),
                spend_minor: in_minor(level.spend, currency)?.map(|it| threshold(it, spend_minor)),
                orders: level.orders.map(|it| threshold(it.into(), measure.orders.into())),
                growth: level.growth.map(|it| threshold(it, measure.growth)),
                tasks: level
                    .tasks
                    .iter()
                    .map(|it| Task { task: it.as_str().to_owned(), is_done: done.contains(it) })
                    .collect(),
            }),
        };
        Ok(Self {
            window,
            from: months.map(|(from, _)| from.to_string()),
            to: months.map(|(_, to)| to.to_string()),
            currency: currency.code(),
            spend_minor,
            orders: measure.orders,
            growth: measure.growth,
            tasks: done.iter().map(|it| it.as_str().to_owned()).collect(),
            next,
        })
    }
}

impl From<&CommandId> for Source {
    fn from(id: &CommandId) -> Self {
        match id {
            CommandId::Order(order) => Self::Order { order_id: order.as_str().to_owned() },
            CommandId::Refund(order, refund) => Self::Refund {
                order_id: order.as_str().to_owned(),
                refund_id: refund.as_str().to_owned(),
            },
            CommandId::Change(order, change) => Self::Change {
                order_id: order.as_str().to_owned(),
                change_id: change.as_str().to_owned(),
            },
            CommandId::Cancel(order) => Self::Cancellation { order_id: order.as_str().to_owned() },
            CommandId::Request { client, operation, key, .. } => {
                let (client_id, request_key) =
                    (client.as_str().to_owned(), key.as_str().to_owned());
                match operation {
                    Operation::Spend => Self::Spend { client_id, request_key },
                    Operation::GiveBack => Self::GiveBack { client_id, request_key },
                    Operation::Extend => Self::Extend { client_id, request_key },
                    Operation::Reinstate => Self::Reinstate { client_id, request_key },
                    Operation::OverrideLevel => Self::OverrideLevel { client_id, request_key },
                    Operation::LiftOverride => Self::LiftOverride { client_id, request_key },
                    Operation::SetStatus => Self::SetStatus { client_id, request_key },
                    Operation::ReviewReferral => Self::ReviewReferral { client_id, request_key },
                    Operation::Hold => Self::Hold { client_id, request_key },
                    Operation::Capture => Self::Capture { client_id, request_key },
                    Operation::Release => Self::Release { client_id, request_key },
                    Operation::Redeem => Self::Redeem { client_id, request_key },
                    Operation::Transfer => Self::Transfer { client_id, request_key },
                    Operation::Adjust => Self::Adjust { client_id, request_key },
                    Operation::ReviewAdjustment => {
                        Self::ReviewAdjustment { client_id, request_key }
                    }
                    Operation::Merge => Self::Merge { client_id, request_key },
                    Operation::UndoMerge => Self::UndoMerge { client_id, request_key },
                }
            }
            CommandId::Opening(_) => Self::Opening,
            CommandId::Due(_, day) => Self::Due { day: *day },
            CommandId::Activity(_, activity) => {
                Self::Activity { activity_id: activity.as_str().to_owned() }
            }
            CommandId::Task(_, task) => Self::Task { task: task.as_str().to_owned() },
            // No account has an entry of the latter.
            CommandId::Measured(_, version) | CommandId::Version(version) => {
                Self::NewVersion { program_version: *version }
            }
            CommandId::Enrollment(_) => Self::Enrollment,
            CommandId::Activation(_) => Self::Activation,
            CommandId::Referral(_) => Self::Referral,
            // Whoever brought a friend may not read here whom.
            CommandId::ReferralReward(_) => Self::ReferralReward,
            CommandId::ReferralRevoked(_) => Self::ReferralRevoked,
            CommandId::Claim(order) => Self::Claim { order_id: order.as_str().to_owned() },
            CommandId::Redemption(_, redemption) => {
                Self::Redemption { redemption_id: redemption.to_string() }
            }
            CommandId::RedemptionStep(_, redemption, step) => Self::RedemptionStep {
                redemption_id: redemption.to_string(),
                step: match step {
                    RedemptionStep::Fulfill => "fulfill",
                    RedemptionStep::Cancel => "cancel",
                    RedemptionStep::Refund => "refund",
                },
            },
            CommandId::Counterpart(..) => Self::Counterpart,
        }
    }
}

/// Points that staff added or took off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Adjusted {
    /// The adjustment.
    pub adjustment_id: String,
    /// Which way.
    pub direction: Direction,
    /// How many points.
    #[cfg_attr(feature = "schemas", schemars(with = "crate::schema::WholePoints"))]
    pub points: u64,
    /// How many of them paid a debt instead.
    #[cfg_attr(feature = "schemas", schemars(with = "crate::schema::WholePoints"))]
    pub debt_paid: u64,
    /// The lot that they came into, before any of them paid a debt; or which lots gave how many.
    pub lots: Vec<LotUse>,
    /// The code of the reason.
    pub reason: String,
    /// What staff wrote about it, for staff to look up.
    pub note_id: Option<String>,
    /// Who had asked for it, if a second person then approved it: that is who made the entry.
    pub requested_by: Option<String>,
}

/// Which way staff adjust points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub enum Direction {
    /// They are added.
    Add,
    /// They are taken off.
    Take,
}

impl Direction {
    /// Which way `change` is, and the last good day that was asked for.
    pub const fn of(change: AdjustmentChange) -> (Self, Option<Date>) {
        match change {
            AdjustmentChange::Add { through } => (Self::Add, through),
            AdjustmentChange::Take => (Self::Take, None),
        }
    }
}

impl Adjusted {
    /// What is said of an adjustment.
    pub(crate) fn of(
        id: AdjustmentId,
        effect: &Adjustment,
        reason: &ReasonCode,
        (note, approved): (Option<NoteId>, Option<&Approved>),
    ) -> Result<Self, OutOfRange> {
        let (direction, points, debt_paid, lots) = match effect {
            Adjustment::Added { lot, points, debt_paid } => {
                let lots = [event::LotUse { lot: *lot, points: *points }];
                (Direction::Add, *points, debt_paid.get(), lot_uses(&lots))
            }
            Adjustment::Taken { uses } => {
                let points = points::Points::total(uses.iter().map(|it| it.points))?;
                (Direction::Take, points, 0, lot_uses(uses))
            }
        };
        Ok(Self {
            adjustment_id: id.to_string(),
            direction,
            points: points.get(),
            debt_paid,
            lots,
            reason: reason.as_str().to_owned(),
            note_id: note.map(|it| it.to_string()),
            requested_by: approved.map(|it| it.requester.as_str().to_owned()),
        })
    }
}

/// What went from one account to another as two members became one, or two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Went {
    /// The merge.
    pub merge_id: String,
    /// Points that could be used.
    pub points: u64,
    /// Points on their way.
    pub pending: u64,
    /// Points that are held for checkouts.
    pub held: u64,
    /// What was owed.
    pub debt: u64,
}

impl TryFrom<&Event> for Change {
    type Error = OutOfRange;

    /// Fails with [`OutOfRange`] only of events that were never decided.
    fn try_from(event: &Event) -> Result<Self, OutOfRange> {
        Ok(match event {
            Event::Matured { at, lot, points, debt_paid } => Self::Matured {
                at: *at,
                lot: lot.given,
                points: points.get(),
                debt_paid: debt_paid.get(),
            },
            Event::Lapsed { at, lot, points, debt_paid } => Self::Lapsed {
                at: *at,
                lot: lot.given,
                points: points.get(),
                debt_paid: debt_paid.get(),
            },
            Event::Expired { at, lot, points } => {
                Self::Expired { at: *at, lot: lot.given, points: points.get() }
            }
            Event::Reviewed { at, level, valid_through, before: _ } => Self::LevelReviewed {
                at: *at,
                level: level.as_str().to_owned(),
                valid_through: *valid_through,
            },
            Event::Earned(it) => Self::earned(it)?,
            Event::LevelReached { level, valid_through, before: _ } => Self::LevelReached {
                level: level.as_str().to_owned(),
                valid_through: *valid_through,
            },
            Event::LevelLowered { level, valid_through, before: _ } => Self::LevelLowered {
                level: level.as_str().to_owned(),
                valid_through: *valid_through,
            },
            Event::Corrected(it) => Self::corrected(it),
            Event::CorrectionRefused { by, rejection } => {
                Self::CorrectionRefused { by: Source::from(by), reason: reason(rejection) }
            }
            Event::Opened(it) => Self::opened(it)?,
            Event::Spent { uses } => Self::Spent { lots: lot_uses(uses) },
            Event::GivenBack { debt_paid, restored, lost, spend: _ } => Self::GivenBack {
                debt_paid: debt_paid.get(),
                lots: lot_uses(restored),
                lost: lost.get(),
            },
            Event::LifeExtended { from, through, cause } => Self::extended(*from, *through, cause),
            Event::ExpiryAnnounced { day, last_good_day, lots } => Self::ExpiryAnnounced {
                day: *day,
                usable_through: *last_good_day,
                lots: lot_uses(lots),
            },
            Event::LevelAtRisk(it) => Self::at_risk(it),
            Event::Reinstated { lot, points, debt_paid, reason } => Self::Reinstated {
                lot: lot.given,
                points: points.get(),
                debt_paid: debt_paid.get(),
                reason: reason.as_str().to_owned(),
            },
            Event::LevelAwaited(it) => {
                Self::LevelAwaited { level: it.level.as_str().to_owned(), from: it.from }
            }
            Event::LevelBegan { at, level, valid_through, before: _ } => Self::LevelBegan {
                at: *at,
                level: level.as_str().to_owned(),
                valid_through: *valid_through,
            },
            Event::LevelNotBegun { at, level } => {
                Self::LevelNotBegun { at: *at, level: level.as_str().to_owned() }
            }
            Event::GraceBegan { at, level, through } => {
                Self::GraceBegan { at: *at, level: level.as_str().to_owned(), through: *through }
            }
            Event::OverrideSet { set, reason, in_force } => Self::OverrideSet {
                level: set.level.as_str().to_owned(),
                set_as: set_as(set.kind),
                through: set.through,
                reason: reason.as_str().to_owned(),
                in_force: in_force.level.as_str().to_owned(),
            },
            Event::OverrideLifted { reason, in_force } => Self::OverrideLifted {
                reason: reason.as_str().to_owned(),
                in_force: in_force.level.as_str().to_owned(),
            },
            Event::OverrideEnded { at, in_force } => {
                Self::OverrideEnded { at: *at, in_force: in_force.level.as_str().to_owned() }
            }
            Event::Grown { month, growth, counted_in: _ } => {
                Self::Grown { month: month.to_string(), growth: *growth }
            }
            Event::TaskDone { task } => Self::TaskDone { task: task.as_str().to_owned() },
            Event::StatusChanged { at, status: new, reason } => Self::StatusChanged {
                at: *at,
                status: status(*new),
                reason: reason.as_ref().map(|it| it.as_str().to_owned()),
            },
            Event::Granted(it) => Self::granted(it),
            Event::GrantTakenBack(it) => Self::taken_back(it),
            Event::Referral(it) => Self::referral(it),
            Event::Checkout(it) => Self::checkout(it),
            Event::Redemption(it) => reward::changed(it)?,
            Event::Transfer(it) => Self::transferred(it)?,
            Event::Adjustment(it) => Self::adjusted(it)?,
            Event::Merge(it) => Self::merged(it)?,
        })
    }
}

impl Change {
    fn transferred(event: &TransferEvent) -> Result<Self, OutOfRange> {
        let points = event.points()?.get();
        Ok(match event {
            TransferEvent::Sent { to, transfer, uses, caps: _ } => Self::TransferredOut {
                transfer_id: transfer.to_string(),
                to_member_id: to.as_str().to_owned(),
                points,
                lots: lot_uses(uses),
            },
            TransferEvent::Received { transfer, lots, debt_paid, from: _ } => Self::TransferredIn {
                transfer_id: transfer.to_string(),
                points,
                debt_paid: debt_paid.get(),
                lots: lot_uses(lots),
            },
        })
    }

    fn adjusted(event: &AdjustmentEvent) -> Result<Self, OutOfRange> {
        Ok(match event {
            AdjustmentEvent::Proposed(Proposal { id, new, requester: _ }) => {
                let (direction, through) = Direction::of(new.change);
                Self::AdjustmentProposed {
                    adjustment_id: id.to_string(),
                    direction,
                    points: new.points.get(),
                    through,
                    reason: new.reason.as_str().to_owned(),
                    note_id: new.note.map(|it| it.to_string()),
                }
            }
            AdjustmentEvent::Made { adjustment, effect, reason, note, approved } => Self::Adjusted(
                Adjusted::of(*adjustment, effect, reason, (*note, approved.as_ref()))?,
            ),
            AdjustmentEvent::Denied { adjustment, reason, requester: _ } => {
                let reason = reason.as_str().to_owned();
                Self::AdjustmentDenied { adjustment_id: adjustment.to_string(), reason }
            }
        })
    }

    fn merged(event: &MergeEvent) -> Result<Self, OutOfRange> {
        let went = |moved: &Moved, merge_id: String| {
            let points = points::Points::total(moved.lots.iter().map(|it| it.lot.points))?.get();
            let pending = points::Points::total(moved.pending.iter().map(|it| it.points))?.get();
            let held = moved.held()?.get();
            Ok(Went { merge_id, points, pending, held, debt: moved.debt.get() })
        };
        Ok(match event {
            MergeEvent::Left { merge, moved, .. } => {
                Self::MergedAway(went(moved, merge.to_string())?)
            }
            MergeEvent::Joined { merge, moved, .. } => {
                Self::MergedHere(went(moved, merge.to_string())?)
            }
            MergeEvent::Parted { merge, returned, .. } => {
                Self::UnmergedAway(went(returned, merge.to_string())?)
            }
            MergeEvent::Restored { merge, returned, .. } => {
                Self::UnmergedHere(went(returned, merge.to_string())?)
            }
        })
    }

    fn granted(granted: &event::Granted) -> Self {
        Self::Granted {
            reason: granted_for(&granted.reason),
            friends: milestone(&granted.reason),
            points: granted.share.points.get(),
            cut: granted.cut.get(),
            lot: granted.share.lot.given,
            becomes: granted.becomes.into(),
        }
    }

    fn taken_back(taken: &event::GrantTakenBack) -> Self {
        Self::GrantTakenBack {
            reason: granted_for(&taken.reason),
            friends: milestone(&taken.reason),
            points: taken.share.points.get(),
            lot: taken.share.lot.given,
            settled: Settlement::of(&taken.settled),
        }
    }

    fn corrected(corrected: &event::Corrected) -> Self {
        Self::Corrected {
            by: Source::from(&corrected.by),
            eligible_before_minor: corrected.eligible_before.get(),
            eligible_after_minor: corrected.eligible_after.get(),
            cut_minor: corrected.cut.get(),
            points_before: corrected.points_before.get(),
            points_after: corrected.points_after.get(),
            settled: Settlement::of(&corrected.settled),
            others: corrected.others.iter().map(CorrectedInLot::of).collect(),
        }
    }

    fn earned(earned: &event::Earned) -> Result<Self, OutOfRange> {
        let order = &earned.order;
        Ok(Self::Earned {
            paid_on: order.paid_on,
            currency: order.currency.code(),
            eligible_minor: order.eligible()?.get(),
            points: order.points.get(),
            components: order.components.iter().map(Component::of).collect(),
            headroom: order.headroom.map(points::Points::get),
            lot: order.lot.given,
            available_at: order.matures_at,
            becomes: earned.becomes.into(),
            others: earned
                .others
                .iter()
                .map(|it| EarnedInLot {
                    lot: it.lot.given,
                    points: it.points.get(),
                    becomes: it.becomes.into(),
                })
                .collect(),
        })
    }

    fn opened(opened: &event::Opened) -> Result<Self, OutOfRange> {
        let pending = opened.pending.iter().map(|it| PendingPoints {
            points: it.points.get(),
            available_at: it.matures_at,
            usable_through: end(it.lot.given),
        });
        let level = opened.tier.as_ref().and_then(|it| it.level.as_ref());
        Ok(Self::Opened {
            lots: lot_uses(&opened.lots),
            pending: pending.collect(),
            expired: points::Points::total(opened.expired.iter().map(|it| it.points))?.get(),
            debt: opened.debt.get(),
            debt_paid: points::Points::total(opened.debt_paid.iter().map(|it| it.points))?.get(),
            level: level.map(|it| it.as_str().to_owned()),
        })
    }

    fn at_risk(at_risk: &event::LevelAtRisk) -> Self {
        Self::LevelAtRisk {
            day: at_risk.day,
            level: at_risk.level.as_str().to_owned(),
            valid_through: at_risk.valid_through,
            would_be: at_risk.would_be.as_str().to_owned(),
            spend_missing_minor: at_risk.spend_missing.map(Minor::get),
            orders_missing: at_risk.orders_missing,
            growth_missing: at_risk.growth_missing,
        }
    }

    /// What happened to a member's referral; neither side reads who the other one is.
    fn referral(event: &ReferralEvent) -> Self {
        match event {
            ReferralEvent::Named { referrer: _ } => Self::ReferralNamed,
            ReferralEvent::NotNamed { refusal } => {
                Self::ReferralNotNamed { reason: referral_reason(refusal) }
            }
            ReferralEvent::Ordered { order_id, qualifies_at, is_enough, referrer: _ } => {
                Self::ReferralOrdered {
                    order_id: order_id.as_str().to_owned(),
                    qualifies_at: *qualifies_at,
                    is_enough: *is_enough,
                }
            }
            ReferralEvent::Corrected { order_id, is_enough } => Self::ReferralCorrected {
                order_id: order_id.as_str().to_owned(),
                is_enough: *is_enough,
            },
            ReferralEvent::NotKept { at, order_id } => {
                Self::ReferralNotKept { at: *at, order_id: order_id.as_str().to_owned() }
            }
            ReferralEvent::Qualified { at, by, referrer: _ } => {
                let (order_id, task) = qualifier(by);
                Self::ReferralQualified { at: *at, order_id, task }
            }
            ReferralEvent::Held { .. } => Self::ReferralHeld,
            ReferralEvent::Rewarded { .. } => Self::ReferralRewarded,
            ReferralEvent::Refused { refusal, referrer: _ } => {
                Self::ReferralRefused { reason: referral_reason(refusal) }
            }
            ReferralEvent::Revoked { referrer: _ } => Self::ReferralRevoked,
        }
    }

    fn extended(from: Date, through: Date, cause: &Cause) -> Self {
        let (cause, reason) = match cause {
            Cause::SlidingBegan { at: _ } => ("sliding_began", None),
            Cause::Activity => ("activity", None),
            Cause::Staff { reason } => ("staff", Some(reason.as_str().to_owned())),
        };
        Self::LifeExtended { from, usable_through: through, cause, reason }
    }
}

impl Component {
    fn of(component: &loyalty_domain::earning::Component) -> Self {
        let (points_per_unit, share, fixed) = match component.gives {
            Gives::Rate { points_per_unit, share } => {
                (Some(points_per_unit.to_string()), Some(share.to_string()), None)
            }
            Gives::Fixed(points) => (None, None, Some(points.get())),
        };
        Self {
            name: component.name.as_str().to_owned(),
            points_per_unit,
            share,
            fixed,
            points: component.points.get(),
        }
    }
}

impl From<event::Becomes> for Becomes {
    fn from(becomes: event::Becomes) -> Self {
        match becomes {
            event::Becomes::Pending => Self::Pending,
            event::Becomes::Available { debt_paid } => {
                Self::Available { debt_paid: debt_paid.get() }
            }
            event::Becomes::Expired => Self::Expired,
            event::Becomes::Unclaimed => Self::Unclaimed,
        }
    }
}

impl CorrectedInLot {
    fn of(corrected: &event::CorrectedInLot) -> Self {
        Self {
            lot: corrected.lot.given,
            points_before: corrected.points_before.get(),
            points_after: corrected.points_after.get(),
            settled: Settlement::of(&corrected.settled),
        }
    }
}

impl Settlement {
    fn of(settled: &Settled) -> Self {
        match settled {
            Settled::TakenBack { pending, lots, debt, waived } => Self::TakenBack {
                pending: pending.get(),
                lots: lot_uses(lots),
                debt: debt.get(),
                waived: waived.get(),
            },
            Settled::GoneAlready => Self::GoneAlready,
            Settled::Added(becomes) => Self::Added { becomes: (*becomes).into() },
            Settled::NoAccount => Self::NoAccount,
        }
    }
}

impl Program {
    /// What members may read of `program`.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] never happens to a checked program: its amounts are whole minor units.
    pub fn of(program: &program::Program) -> Result<Self, OutOfRange> {
        let spec = program.spec();
        let currency = spec.currency;
        let levels = program.levels().iter().enumerate().map(|(rank, level)| {
            Ok(Level {
                level: level.id.as_str().to_owned(),
                name: level.name.clone(),
                stage: level.stage.clone(),
                rank,
                bonus: level.bonus.map(|it| it.to_string()),
                spend_minor: in_minor(level.spend, currency)?,
                orders: level.orders,
                growth: level.growth,
                tasks: level.tasks.iter().map(|it| it.as_str().to_owned()).collect(),
                is_invite_only: level.invite_only,
                is_floor: level.floor,
                benefits: Benefits::of(level),
            })
        });
        let caps = spec.caps.per_member.iter().map(|it| MemberCap {
            period: match it.period {
                CapPeriod::Day => "day",
                CapPeriod::Month => "month",
                CapPeriod::Year => "year",
                CapPeriod::Lifetime => "lifetime",
            },
            points: it.points.get(),
        });
        let currencies = spec.rates.iter().map(|(currency, rate)| CurrencyRate {
            currency: currency.clone(),
            rate: rate.to_string(),
        });
        let earning = &spec.earning;
        Ok(Self {
            name: spec.name.clone(),
            version: spec.version,
            effective: spec.effective,
            currency: currency.code(),
            time_zone: spec.time_zone.clone(),
            earning: Earning {
                points_per_unit: earning.points_per_unit.to_string(),
                currencies: currencies.collect(),
                pending_days: earning.pending_days,
                expiry_months: earning.expiry_months,
                expiry_rounding: match earning.expiry_rounding {
                    ExpiryRounding::None => "none",
                    ExpiryRounding::MonthEnd => "month_end",
                    ExpiryRounding::QuarterEnd => "quarter_end",
                    ExpiryRounding::YearEnd => "year_end",
                },
                counts_tax: earning.counts_tax,
                counts_shipping: earning.counts_shipping,
                counts_gift_cards: !earning.exclude.gift_cards,
                cap_per_order: spec.caps.per_order.map(points::Points::get),
                caps_per_member: caps.collect(),
                expiry_dates: earning.expiry_dates.iter().map(DayOfYear::to_string).collect(),
                expiry: match earning.expiry {
                    Expiry::Fixed => "fixed",
                    Expiry::Sliding => "sliding",
                    Expiry::Never => "never",
                },
            },
            levels: levels.collect::<Result<_, OutOfRange>>()?,
        })
    }
}

/// A last good day, if there ever is a day after it.
fn end(last_good_day: Date) -> Option<Date> {
    Some(last_good_day).filter(|it| *it != NEVER)
}

/// An amount in major units as minor ones.
fn in_minor(amount: Option<Rate>, currency: Currency) -> Result<Option<u64>, OutOfRange> {
    amount.map(|it| it.in_units_of(currency.exponent())).transpose()
}

/// Whole minor units, rounded down.
fn minor(spend: Spend) -> u64 {
    // A sum beyond 64 bits is more money than there is; a level's threshold is far below it.
    u64::try_from(spend.minor()).unwrap_or(u64::MAX)
}

pub(crate) fn lot_uses(uses: &[event::LotUse]) -> Vec<LotUse> {
    uses.iter().map(|it| LotUse { lot: it.lot.given, points: it.points.get() }).collect()
}

/// What points were given for, as a word.
const fn granted_for(reason: &GrantReason) -> &'static str {
    match reason {
        GrantReason::Welcome => "welcome",
        GrantReason::Referred { .. } => "referred",
        GrantReason::Brought { .. } => "brought",
        GrantReason::Milestone { .. } => "milestone",
    }
}

/// How many friends a milestone is for.
const fn milestone(reason: &GrantReason) -> Option<u32> {
    match reason {
        GrantReason::Milestone { friends } => Some(*friends),
        GrantReason::Welcome | GrantReason::Referred { .. } | GrantReason::Brought { .. } => None,
    }
}

/// The order, or the task, that a referral is due by.
pub(crate) fn qualifier(by: &Qualifier) -> (Option<String>, Option<String>) {
    match by {
        Qualifier::Order(order_id) => (Some(order_id.as_str().to_owned()), None),
        Qualifier::Task(task) => (None, Some(task.as_str().to_owned())),
    }
}

/// The name of the refusal of a referral, for programs: unlike its text it does not say what is shared.
pub const fn referral_reason(refusal: &ReferralRefusal) -> &'static str {
    match refusal {
        ReferralRefusal::ReferralsOff => "referrals_off",
        ReferralRefusal::CodeUnknown => "code_unknown",
        ReferralRefusal::CodeDead => "code_dead",
        ReferralRefusal::OwnCode => "own_code",
        ReferralRefusal::AlreadyReferred => "already_referred",
        ReferralRefusal::ExistingCustomer => "existing_customer",
        ReferralRefusal::FriendClosed => "friend_closed",
        ReferralRefusal::ReferrerNotActive => "referrer_not_active",
        ReferralRefusal::Ring => "ring",
        ReferralRefusal::SamePerson { .. } => "same_person",
        ReferralRefusal::KnownPerson { .. } => "known_person",
        ReferralRefusal::DeniedByStaff { .. } => "denied_by_staff",
    }
}

/// The name of a refusal, for programs and logs: unlike its text it quotes nothing.
pub const fn reason(rejection: &Rejection) -> &'static str {
    match rejection {
        Rejection::AccountClosed => "account_closed",
        Rejection::AccountFrozen => "account_frozen",
        Rejection::AccountPending => "account_pending",
        Rejection::NotEnrolled => "not_enrolled",
        Rejection::TransfersOff => "transfers_off",
        Rejection::OwnAccount => "own_account",
        Rejection::ReceiverNotActive => "receiver_not_active",
        Rejection::AccountTooNew { .. } => "account_too_new",
        Rejection::StatusUnchanged => "status_unchanged",
        Rejection::NothingToReview => "nothing_to_review",
        Rejection::OrderHasMember => "order_has_member",
        Rejection::NoSuchOrder => "no_such_order",
        Rejection::OrderRefused => "order_refused",
        Rejection::PointsDoNotPay => "points_do_not_pay",
        Rejection::CurrencyNotInProgram { .. } => "currency_not_in_program",
        Rejection::EditOvertaken => "edit_overtaken",
        Rejection::LineRepeated { .. } => "line_repeated",
        Rejection::LineNotInOrder { .. } => "line_not_in_order",
        Rejection::TooManyLots => "too_many_lots",
        Rejection::TooManyPending => "too_many_pending",
        Rejection::TooManyMonths => "too_many_months",
        Rejection::LevelNotInProgram { .. } => "level_not_in_program",
        Rejection::MonthNotReached { .. } => "month_not_reached",
        Rejection::HoldTooLong { .. } => "hold_too_long",
        Rejection::AmountIsZero => "amount_is_zero",
        Rejection::TransferCapReached { .. } => "transfer_cap_reached",
        Rejection::NoSuchAdjustment => "no_such_adjustment",
        Rejection::ApproverIsRequester => "approver_is_requester",
        Rejection::TooManyProposals => "too_many_proposals",
        Rejection::NothingSpent => "nothing_spent",
        Rejection::MoreThanSpent { .. } => "more_than_spent",
        Rejection::NoSuchReward => "no_such_reward",
        Rejection::RewardNotActive { .. } => "reward_not_active",
        Rejection::RewardNotYet { .. } => "reward_not_yet",
        Rejection::RewardOver => "reward_over",
        Rejection::LevelNotAllowed => "level_not_allowed",
        Rejection::ChannelNotAllowed => "channel_not_allowed",
        Rejection::RewardLimitReached { .. } => "reward_limit_reached",
        Rejection::TooManyCounted => "too_many_counted",
        Rejection::PriceChanged { .. } => "price_changed",
        Rejection::SoldOut => "sold_out",
        Rejection::NoSuchRedemption => "no_such_redemption",
        Rejection::RedemptionIs { .. } => "redemption_is",
        Rejection::NoSuchHold => "no_such_hold",
        Rejection::MoreThanHeld { .. } => "more_than_held",
        Rejection::TooManyHolds => "too_many_holds",
        Rejection::MoreThanOrderAllows { .. } => "more_than_order_allows",
        Rejection::FewerThanMinimum { .. } => "fewer_than_minimum",
        Rejection::InsufficientPoints { .. } => "insufficient_points",
        Rejection::NothingToExtend => "nothing_to_extend",
        Rejection::MoreThanExpired { .. } => "more_than_expired",
        Rejection::EndIsOver { .. } => "end_is_over",
        Rejection::SameMember => "same_member",
        Rejection::MergedAlready => "merged_already",
        Rejection::IntoAlias => "into_alias",
        Rejection::NotMerged => "not_merged",
        Rejection::NothingToLift => "nothing_to_lift",
        Rejection::TooManyTasks => "too_many_tasks",
        Rejection::OutOfRange => "out_of_range",
    }
}
