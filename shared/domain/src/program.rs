//! The program: what a shop decides about its loyalty scheme, checked whole.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    account::Measure,
    calendar::{Calendar, ExpiryRounding, last_good_day},
    expiry::{DayOfYear, Expiry, NEVER, Promise},
    id::{Category, Channel, LevelId, Sku, TaskId},
    money::{Currency, Minor, Spend},
    points::{OutOfRange, Points},
    rate::Rate,
    referral::{SignalKind, Velocity},
};

/// A program as it is written down, field by field plausible but not yet checked as a whole.
///
/// Amounts of money are decimals in major units of the program's currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramSpec {
    /// What the shop calls it.
    pub name: String,
    /// Rises with every change; every entry names the version it was made under.
    pub version: u32,
    /// The business day from which this version is in force.
    pub effective: Date,
    /// The currency in which spend is measured.
    pub currency: Currency,
    /// The IANA time zone of its business days.
    pub time_zone: String,
    /// What a point is worth in major units, for reports only.
    #[serde(default)]
    pub point_value: Option<Rate>,
    /// Major units of the program's currency for one major unit of another, by its code.
    #[serde(default)]
    pub rates: BTreeMap<String, Rate>,
    /// How orders become points.
    pub earning: Earning,
    /// What the sum of an order's components may not exceed.
    #[serde(default)]
    pub caps: Caps,
    /// What refunds do.
    #[serde(default)]
    pub refunds: Refunds,
    /// What spending does.
    #[serde(default)]
    pub spending: Spending,
    /// The levels and how they are measured.
    pub tiers: TiersSpec,
    /// Bonuses beside the level's, in the order in which they are listed in entries.
    #[serde(default)]
    pub campaigns: Vec<Campaign>,
    /// When members are told of what they are about to lose. What programs said before there was this
    /// table is still said in the same words.
    #[serde(default, skip_serializing_if = "Reminders::is_none")]
    pub reminders: Reminders,
    /// What becomes of whoever joins, likewise.
    #[serde(default, skip_serializing_if = "Enrollment::is_plain")]
    pub enrollment: Enrollment,
    /// What members get for bringing friends, and the friends for coming; without it, nothing. Likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referral: Option<ReferralSpec>,
    /// How members may give points to each other; without it, they may not. Likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfers: Option<TransferSpec>,
    /// How staff may add points and take them off, likewise.
    #[serde(default, skip_serializing_if = "AdjustmentSpec::is_plain")]
    pub adjustments: AdjustmentSpec,
    /// How points pay for orders; without it, they do not. Likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkout: Option<CheckoutSpec>,
}

/// How members may give points to each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferSpec {
    /// How many points it must be at least.
    #[serde(default)]
    pub min_points: Option<Points>,
    /// How many points one member may give away in one period.
    #[serde(default)]
    pub caps: Vec<MemberCap>,
    /// How many times 24 hours after joining a member may begin to.
    #[serde(default)]
    pub waiting_days: u32,
}

/// How staff may add points and take them off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdjustmentSpec {
    /// Of more points than these, somebody else must approve it; without it, nobody must.
    #[serde(default)]
    pub approval_above: Option<Points>,
    /// Months of life of points that are added; without it, those of `earning`.
    #[serde(default)]
    pub expiry_months: Option<u32>,
}

impl AdjustmentSpec {
    fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// How points pay for orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckoutSpec {
    /// How many major units of the program's currency one point pays.
    pub point_worth: Rate,
    /// The fewest points with which an order is paid.
    #[serde(default = "CheckoutSpec::one_point")]
    pub min_points: Points,
    /// The share of an order that points may pay.
    #[serde(default = "CheckoutSpec::all")]
    pub max_share: Rate,
    /// How many minutes points are held for a checkout, unless it says fewer.
    #[serde(default = "CheckoutSpec::half_an_hour")]
    pub hold_minutes: u32,
}

impl CheckoutSpec {
    /// The fewest points, where a program does not say.
    pub const ONE_POINT: Points = Points::ONE;
    /// The minutes, where a program does not say.
    pub const HOLD_MINUTES: u32 = 30;

    const fn one_point() -> Points {
        Self::ONE_POINT
    }

    const fn all() -> Rate {
        Rate::ONE
    }

    const fn half_an_hour() -> u32 {
        Self::HOLD_MINUTES
    }
}

/// What becomes of whoever joins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrollment {
    /// How they become active.
    #[serde(default)]
    pub activation: Activation,
    /// Points for becoming active.
    #[serde(default)]
    pub points: Option<Points>,
    /// Months of life of these points; without it, those of `earning`.
    #[serde(default)]
    pub expiry_months: Option<u32>,
    /// The level that they begin with, as if they had reached it; without it, the lowest.
    #[serde(default)]
    pub level: Option<LevelId>,
}

impl Enrollment {
    fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// How somebody who joined becomes active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// By a code that is sent to their address or telephone.
    #[default]
    Code,
    /// At once: the shop knows already that they can be reached.
    None,
}

/// What members get for bringing friends, and the friends for coming.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferralSpec {
    /// Points for the friend.
    #[serde(default)]
    pub friend_points: Points,
    /// Points for whoever brought them.
    #[serde(default)]
    pub referrer_points: Points,
    /// Months of life of these points; without it, those of `earning`.
    #[serde(default)]
    pub expiry_months: Option<u32>,
    /// How many times 24 hours after payment the friend's order must have been kept.
    pub window_days: u32,
    /// What must be left of the order then, in major units of the program's currency.
    #[serde(default)]
    pub min_amount: Option<Rate>,
    /// A task that the friend does instead of ordering.
    #[serde(default)]
    pub task: Option<TaskId>,
    /// What else whoever brings friends gets for so many of them.
    #[serde(default)]
    pub milestones: Vec<Milestone>,
    /// How many points one referrer gets in one period, milestones included.
    #[serde(default)]
    pub caps: Vec<MemberCap>,
    /// How many friends of one referrer are rewarded in one period before staff look into it.
    #[serde(default)]
    pub velocity: Option<Velocity>,
    /// By what two accounts are taken for one person's.
    #[serde(default = "ReferralSpec::all_signals")]
    pub same_person: Vec<SignalKind>,
    /// What becomes of a code that its owner replaces.
    #[serde(default)]
    pub old_codes: OldCodes,
}

impl ReferralSpec {
    fn all_signals() -> Vec<SignalKind> {
        SignalKind::ALL.to_vec()
    }
}

/// What else whoever brings friends gets for so many of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Milestone {
    /// How many friends, who were rewarded and still are.
    pub friends: u32,
    /// How many points.
    pub points: Points,
}

/// What becomes of a code that its owner replaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OldCodes {
    /// Nobody can use it any more.
    #[default]
    Die,
    /// It still leads to its owner.
    Live,
}

/// How many days before a loss members are told of it; where there are none, they are not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reminders {
    /// Before points are gone; 1 is on their last good day.
    #[serde(default)]
    pub points_days: Vec<u32>,
    /// Before a level that is no longer met is reviewed; 1 is on its last valid day.
    #[serde(default)]
    pub tier_days: Vec<u32>,
}

impl Reminders {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// How orders become points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Earning {
    /// Points for a major unit of the program's currency.
    pub points_per_unit: Rate,
    /// How many times 24 hours points wait before they can be used.
    #[serde(default)]
    pub pending_days: u32,
    /// Months of life from the day of payment; `None`, and only then, if points never expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_months: Option<u32>,
    /// To which day the last good day is moved.
    #[serde(default)]
    pub expiry_rounding: ExpiryRounding,
    /// Whether tax counts.
    #[serde(default)]
    pub counts_tax: bool,
    /// Whether shipping counts.
    #[serde(default)]
    pub counts_shipping: bool,
    /// What counts nothing.
    #[serde(default)]
    pub exclude: Exclude,
    /// Days of the year, to the next of which the last good day is moved; none: to that of the
    /// rounding. What programs said before there was this field is still said in the same words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expiry_dates: Vec<DayOfYear>,
    /// What the months count from, likewise.
    #[serde(default, skip_serializing_if = "Expiry::is_fixed")]
    pub expiry: Expiry,
}

impl Earning {
    /// The last day on which points earned by an order paid on `paid_on` can be used.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] at the end of time.
    pub fn last_good_day(&self, paid_on: Date) -> Result<Date, OutOfRange> {
        self.last_good_day_after(self.expiry_months, paid_on)
    }

    /// The same, if the points live for so many `months` of their own; `None`: for ever.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] at the end of time.
    pub fn last_good_day_after(
        &self,
        months: Option<u32>,
        paid_on: Date,
    ) -> Result<Date, OutOfRange> {
        let Some(months) = months else { return Ok(NEVER) };
        let day = last_good_day(paid_on, months, self.expiry_rounding)?;
        let dates = self.expiry_dates.iter().map(|it| it.on_or_after(day));
        dates.reduce(|first, next| Ok(first?.min(next?))).unwrap_or(Ok(day))
    }
}

/// Lines that count nothing. SKUs and categories compare byte for byte.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exclude {
    /// Lines of these SKUs.
    #[serde(default)]
    pub skus: Vec<Sku>,
    /// Lines of these categories.
    #[serde(default)]
    pub categories: Vec<Category>,
    /// Lines that are gift cards, which earn when they are spent and not when they are bought.
    #[serde(default)]
    pub gift_cards: bool,
}

/// Limits to what orders earn.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caps {
    /// For one order.
    #[serde(default)]
    pub per_order: Option<Points>,
    /// For one member in one period, by the day on which the orders were paid.
    #[serde(default)]
    pub per_member: Vec<MemberCap>,
}

/// A limit to what one member earns in one period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberCap {
    /// The period.
    pub period: CapPeriod,
    /// How many points it may hold.
    pub points: Points,
}

/// A period of business days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapPeriod {
    /// One business day.
    Day,
    /// A calendar month.
    Month,
    /// A calendar year.
    Year,
    /// For ever.
    Lifetime,
}

/// What refunds do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refunds {
    /// What happens to points that are to be taken back and are no longer there.
    #[serde(default)]
    pub shortfall: Shortfall,
    /// Whether a refund lowers a level at once, before its review.
    #[serde(default)]
    pub lowers_level: bool,
}

/// What happens to points that are to be taken back and are no longer there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shortfall {
    /// The member owes them; points that become available later pay first.
    #[default]
    Debt,
    /// They are let go.
    Waive,
}

/// What spending does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spending {
    /// Days of life for points that come back after their lot expired; 0: they stay lost.
    #[serde(default)]
    pub reinstate_days: u32,
}

/// The levels and how they are measured, as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TiersSpec {
    /// Over which months.
    #[serde(default)]
    pub window: Window,
    /// How far a review lets a member fall.
    #[serde(default)]
    pub review: Review,
    /// When a level that is reached begins. What programs said before there was this field is still said in
    /// the same words; so with the two that follow.
    #[serde(default, skip_serializing_if = "Start::is_at_once")]
    pub start: Start,
    /// How many months a level is kept that its review would lower, before it is reviewed once more.
    #[serde(default, skip_serializing_if = "is_none_of_them")]
    pub grace_months: u32,
    /// What a new version does to levels of members whom it measures anew.
    #[serde(default, skip_serializing_if = "NewVersion::is_raise")]
    pub new_version: NewVersion,
    /// From the lowest to the highest.
    pub levels: Vec<LevelSpec>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
const fn is_none_of_them(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// When a level that is reached begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// With the order that reaches it.
    #[default]
    AtOnce,
    /// With the next calendar month, or the next year if levels are measured by calendar year, as far as it is
    /// still met then; it is valid for twelve months.
    NextPeriod,
}

impl Start {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    fn is_at_once(&self) -> bool {
        *self == Self::AtOnce
    }
}

/// What a new version does to levels of members whom it measures anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewVersion {
    /// Who meets a higher level has it; nobody falls before a review.
    #[default]
    Raise,
    /// Who no longer meets a level falls at once, too.
    RaiseAndLower,
}

impl NewVersion {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    fn is_raise(&self) -> bool {
        *self == Self::Raise
    }
}

/// Over which months spend and orders are measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// The 12 calendar months that end with the one in question.
    #[default]
    TwelveMonths,
    /// The calendar year of the month in question.
    CalendarYear,
    /// All of them.
    Lifetime,
}

/// How far a review lets a member fall.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Review {
    /// By one level at most.
    #[default]
    OneLevel,
    /// To the level that the member qualifies for.
    ToQualifying,
}

/// A level as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelSpec {
    /// Its id, which stays when its name changes.
    pub id: LevelId,
    /// What members read.
    pub name: String,
    /// The stage it belongs to, if the program has stages.
    #[serde(default)]
    pub stage: Option<String>,
    /// The level's bonus on base points: 0.05 is five percent more.
    #[serde(default)]
    pub bonus: Option<Rate>,
    /// Met from this spend in major units on.
    #[serde(default)]
    pub spend: Option<Rate>,
    /// Met from this number of orders on.
    #[serde(default)]
    pub orders: Option<u32>,
    /// Met from this growth value on. What programs said before there was this field is still said in the same
    /// words; so with the four that follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growth: Option<u64>,
    /// Met once all of these tasks are done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskId>,
    /// Whether nobody meets it by anything: staff invite to it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub invite_only: bool,
    /// Whether no review, no refund and no new version lowers a member who has this level, or a higher one,
    /// below it; not of one that staff invite to.
    #[serde(default, skip_serializing_if = "is_false")]
    pub floor: bool,
    /// Months of life of points that members of this level earn; without it, those of `earning`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_months: Option<u32>,
    /// What the level gives besides points, for members to read.
    #[serde(default)]
    pub benefits: Benefits,
}

/// What a level gives besides points, in the four kinds by which programs are planned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Benefits {
    /// Money's worth: free shipping, vouchers.
    #[serde(default)]
    pub economic: Vec<String>,
    /// Better service: a priority line, longer returns.
    #[serde(default)]
    pub service: Vec<String>,
    /// Company: events, communities.
    #[serde(default)]
    pub social: Vec<String>,
    /// Recognition: a badge, a name on a wall.
    #[serde(default)]
    pub identity: Vec<String>,
}

/// A bonus of its own, as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    /// Its name in entries.
    pub name: String,
    /// The first business day of payment.
    #[serde(default)]
    pub from: Option<Date>,
    /// The last business day of payment.
    #[serde(default)]
    pub until: Option<Date>,
    /// Only orders of these channels; empty: all.
    #[serde(default)]
    pub channels: Vec<Channel>,
    /// Only while an order's eligible amount is at least this, in major units of the program's
    /// currency; refunds can end it.
    #[serde(default)]
    pub min_amount: Option<Rate>,
    /// A rate on base points: 1 doubles them.
    #[serde(default)]
    pub bonus: Option<Rate>,
    /// A fixed number of points.
    #[serde(default)]
    pub points: Option<Points>,
    /// Months of life of its points; without it, those of the order's other points. What programs said before
    /// there was this field is still said in the same words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_months: Option<u32>,
}

/// A checked program, ready to decide by.
///
/// Invariants: at least one level, the first without a condition and every other with one, unless staff
/// invite to it; thresholds rise; every campaign gives a rate or a number; amounts are whole minor units; points
/// have months of life, unless they never expire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ProgramSpec", into = "ProgramSpec")]
pub struct Program {
    spec: ProgramSpec,
    calendar: Calendar,
    levels: Vec<Thresholds>,
    campaigns: Vec<Condition>,
    promises: Vec<Promise>,
    referral_min: Spend,
}

/// A level's thresholds, ready to compare: it is met from any of them on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Thresholds {
    /// Of spend.
    pub spend: Option<Spend>,
    /// Of the number of orders.
    pub orders: Option<u32>,
    /// Of the growth value.
    pub growth: Option<u64>,
}

impl Thresholds {
    fn are_met(&self, measure: &Measure) -> bool {
        self.spend.is_some_and(|it| measure.spend >= it)
            || self.orders.is_some_and(|it| measure.orders >= it)
            || self.growth.is_some_and(|it| measure.growth >= it)
    }
}

/// What must hold for a campaign's component, beside A > 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// The eligible amount, counted in the program's currency, is at least this.
    #[serde(default)]
    pub min_spend: Option<Spend>,
}

/// The place of a level: 0 is the lowest.
pub type Rank = usize;

impl Program {
    /// The program as written.
    pub const fn spec(&self) -> &ProgramSpec {
        &self.spec
    }

    /// Its days and midnights.
    pub const fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// What was promised about the life of points until this version was in force, oldest first: by
    /// itself, and by those before it if it was told of them by [`in_succession`].
    pub fn promises(&self) -> &[Promise] {
        &self.promises
    }

    /// What must be kept of a friend's order, in the program's currency; nothing where it says nothing.
    pub const fn referral_min(&self) -> Spend {
        self.referral_min
    }

    /// The rate at which an order in `currency` counts, if it does.
    pub fn rate_for(&self, currency: Currency) -> Option<Rate> {
        if currency == self.spec.currency {
            Some(Rate::ONE)
        } else {
            self.spec.rates.get(currency.code()).copied()
        }
    }

    /// The levels from the lowest to the highest.
    pub fn levels(&self) -> &[LevelSpec] {
        &self.spec.tiers.levels
    }

    /// The rank of the level called `id`, if this version of the program still has it.
    pub fn rank_of(&self, id: &LevelId) -> Option<Rank> {
        self.spec.tiers.levels.iter().position(|level| level.id == *id)
    }

    /// From what on the level of `rank` is met, beside its tasks.
    pub fn thresholds(&self, rank: Rank) -> Thresholds {
        self.levels.get(rank).copied().unwrap_or_default()
    }

    /// The highest level of which any condition is met by `measure`, or by the tasks that are `done`.
    pub fn qualified(&self, measure: &Measure, done: &[TaskId]) -> Rank {
        let mut levels = self.levels.iter().zip(self.levels());
        let is_met = |(thresholds, level): (&Thresholds, &LevelSpec)| {
            thresholds.are_met(measure) || TaskId::are_done(&level.tasks, done)
        };
        levels.rposition(is_met).unwrap_or(0)
    }

    /// The level next to that of `rank`, downwards, which somebody may meet.
    pub fn rank_below(&self, rank: Rank) -> Rank {
        self.levels().iter().take(rank).rposition(|it| !it.invite_only).unwrap_or(0)
    }

    /// The level next to that of `rank`, upwards, which somebody may meet.
    pub fn rank_above(&self, rank: Rank) -> Option<Rank> {
        let mut above = self.levels().iter().enumerate().skip(rank.saturating_add(1));
        above.find(|(_, it)| !it.invite_only).map(|(rank, _)| rank)
    }

    /// The level below which a member of `rank` does not fall by what counts.
    pub fn floor_of(&self, rank: Rank) -> Rank {
        let mut levels = self.levels().iter().take(rank.saturating_add(1));
        levels.rposition(|it| it.floor && !it.invite_only).unwrap_or(0)
    }

    /// The campaigns for which an order of `channel`, paid on `paid_on`, comes into question, with
    /// the condition that its amount must meet.
    pub fn campaigns_for(
        &self,
        paid_on: Date,
        channel: Option<&Channel>,
    ) -> impl Iterator<Item = (&Campaign, Condition)> {
        let channel = channel.cloned();
        self.spec.campaigns.iter().zip(self.campaigns.iter().copied()).filter(
            move |(campaign, _)| {
                campaign.from.is_none_or(|it| it <= paid_on)
                    && campaign.until.is_none_or(|it| paid_on <= it)
                    && (campaign.channels.is_empty()
                        || channel.as_ref().is_some_and(|it| campaign.channels.contains(it)))
            },
        )
    }
}

/// The version in force at `instant`: of those whose first business day has begun, the newest.
///
/// Before the first day of all of them, the oldest: a shop that brings its history has it measured by
/// what it has. An event is decided by the version in force at its own instant, so that it does not
/// matter when, or how often, it is delivered.
pub fn in_force(programs: &[Program], instant: Timestamp) -> Option<&Program> {
    let version = |it: &&Program| it.spec().version;
    let has_begun = |it: &&Program| it.calendar().day_of(instant) >= it.spec().effective;
    let newest = programs.iter().filter(has_begun).max_by_key(version);
    newest.or_else(|| programs.iter().min_by_key(version))
}

/// Tells every version what those in force before it have promised; `programs` are all there are.
///
/// Points begin to slide on the first day on which a version that lets them slide follows one that does
/// not, or none. A version that says so again promises nothing anew: a shop that changes a bonus every
/// month would never see a point expire.
#[must_use]
pub fn in_succession(mut programs: Vec<Program>) -> Vec<Program> {
    let mut days: Vec<Date> = programs.iter().map(|it| it.spec.effective).collect();
    days.sort_unstable();
    days.dedup();
    let mut promises = Vec::new();
    let mut was_sliding = false;
    for day in days {
        let has_begun = programs.iter().filter(|it| it.spec.effective <= day);
        let Some(program) = has_begun.max_by_key(|it| it.spec.version) else { continue };
        let is_sliding = program.spec.earning.expiry == Expiry::Sliding;
        if is_sliding && !was_sliding {
            promises.extend(promise(&program.spec, day));
        }
        was_sliding = is_sliding;
    }
    for program in &mut programs {
        let effective = program.spec.effective;
        program.promises = promises.iter().copied().filter(|it| it.from <= effective).collect();
    }
    programs
}

/// What `spec` promises if points begin to slide on `day`; nothing at the end of time.
fn promise(spec: &ProgramSpec, day: Date) -> Option<Promise> {
    let is_sliding = spec.earning.expiry == Expiry::Sliding;
    let through = spec.earning.last_good_day(day).ok().filter(|_| is_sliding)?;
    Some(Promise { from: day, through })
}

/// Everything that is wrong with a program as a whole; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the program has {} mistakes, the first at {}", .0.len(), .0.first().map_or("?", |it| &it.path))]
pub struct InvalidProgram(pub Vec<ProgramMistake>);

/// One mistake of a program, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramMistake {
    /// The field, such as `tiers.levels[2].spend`.
    pub path: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What can be wrong between the fields of a program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A text for people is blank.
    #[error("must not be empty")]
    Empty,
    /// A text for people has a line break, a tab or another control character.
    #[error("must not contain control characters")]
    ControlCharacter,
    /// No such time zone.
    #[error("there is no time zone `{0}`")]
    UnknownTimeZone(String),
    /// No such currency.
    #[error("there is no currency `{0}`")]
    UnknownCurrency(String),
    /// A rate for the program's own currency.
    #[error("`{0}` is the program's own currency, which always counts as it is")]
    OwnCurrency(Currency),
    /// A number that must be above zero.
    #[error("must be more than 0")]
    Zero,
    /// A number that is too large to be meant.
    #[error("must be at most {0}")]
    TooLarge(u32),
    /// Money with more digits than the currency has.
    #[error("has more digits after the point than {0} has minor units")]
    FinerThanCurrency(Currency),
    /// No level at all.
    #[error("a program needs at least its lowest level")]
    NoLevels,
    /// The lowest level asks for something, so that nobody starts anywhere.
    #[error("the lowest level is missing: the first level must have no condition")]
    LowestLevelMissing,
    /// A level above the lowest that nobody can reach.
    #[error("a level above the lowest needs a condition, or to be `invite_only`")]
    NoCondition,
    /// A level to which only staff invite has a condition.
    #[error("a level that is `invite_only` has no condition")]
    InvitedByCondition,
    /// The same id or name a second time.
    #[error("`{value}` is used before, by {by}")]
    Repeated {
        /// What is used twice.
        value: String,
        /// Where it stood first.
        by: String,
    },
    /// A threshold that does not rise.
    #[error("must be more than the {threshold} of the level `{below}`")]
    NotAbove {
        /// The threshold of the level below.
        threshold: String,
        /// The level below.
        below: LevelId,
    },
    /// A stage that ends and begins again.
    #[error("the levels of stage `{0}` must follow each other")]
    StageTornApart(String),
    /// A campaign that gives nothing.
    #[error("a campaign gives either a `bonus` or `points`")]
    GivesNothing,
    /// A campaign that gives a rate and a number.
    #[error("a campaign gives either a `bonus` or `points`, not both")]
    GivesBoth,
    /// A campaign that ends before it begins.
    #[error("ends before it begins, on {0}")]
    EndsBeforeStart(Date),
    /// No life of points is given, and they do not live for ever.
    #[error("say how long points last, or that they never expire")]
    NoExpiry,
    /// Points that never expire have months, days or a rounding.
    #[error("points never expire, so this says nothing")]
    NeverExpires,
    /// Points of a campaign have months of their own although all points slide.
    #[error("all points slide, so these have no months of their own")]
    SlidesAnyway,
    /// The last good day is moved to days of the year and by a rounding.
    #[error(
        "the last good day is moved either to `expiry_dates` or by `expiry_rounding`, not both"
    )]
    RoundingAndDates,
    /// Two caps for one period.
    #[error("there is another cap for the same period")]
    RepeatedPeriod,
    /// A level that the program does not have.
    #[error("there is no level `{0}`")]
    NoSuchLevel(LevelId),
    /// A level that nobody begins with.
    #[error("nobody begins with a level that is `invite_only`")]
    BeginsByInvitation,
    /// Referrals give neither side anything.
    #[error("say what the friend gets, or who brings them: `friend_points` or `referrer_points`")]
    RewardsNothing,
    /// A smallest amount of an order, where a task counts.
    #[error("the friend does the task `{0}` instead of ordering, so there is no amount")]
    NoOrder(TaskId),
    /// Milestones that do not rise.
    #[error("must be more than the {0} friends of the milestone before")]
    MilestoneNotAbove(u32),
}

/// How long points may live or wait at most: a hundred years.
const MONTHS_MAX: u32 = 1_200;
/// The same in days.
const DAYS_MAX: u32 = 36_525;
/// Thirty days.
const HOLD_MINUTES_MAX: u32 = 43_200;
/// How many months a level may be kept at most: less than the twelve after which it would be reviewed anyway.
const GRACE_MONTHS_MAX: u32 = 11;
/// How many tasks may make a level at most, which is how many an account remembers.
const LEVEL_TASKS_MAX: usize = crate::tier::TASKS_MAX;

impl TryFrom<ProgramSpec> for Program {
    type Error = InvalidProgram;

    fn try_from(spec: ProgramSpec) -> Result<Self, Self::Error> {
        let mut mistakes = Mistakes::default();
        check_texts(&spec, &mut mistakes);
        let calendar = Calendar::of(&spec.time_zone);
        if calendar.is_none() {
            mistakes.add("time_zone", Problem::UnknownTimeZone(spec.time_zone.clone()));
        }
        check_rates(&spec, &mut mistakes);
        check_earning(&spec, &mut mistakes);
        check_caps(&spec, &mut mistakes);
        check_reminders(&spec.reminders, &mut mistakes);
        let levels = check_levels(&spec, &mut mistakes);
        let campaigns = check_campaigns(&spec, &mut mistakes);
        check_enrollment(&spec, &mut mistakes);
        check_checkout(&spec, &mut mistakes);
        let referral_min = check_referral(&spec, &mut mistakes);
        check_transfers(&spec, &mut mistakes);
        let months = spec.adjustments.expiry_months;
        check_months("adjustments.expiry_months", months, &spec, &mut mistakes);
        match calendar {
            Some(calendar) if mistakes.0.is_empty() => {
                let promises = promise(&spec, spec.effective).into_iter().collect();
                Ok(Self { spec, calendar, levels, campaigns, promises, referral_min })
            }
            _ => Err(InvalidProgram(mistakes.0)),
        }
    }
}

impl From<Program> for ProgramSpec {
    fn from(program: Program) -> Self {
        program.spec
    }
}

#[derive(Default)]
struct Mistakes(Vec<ProgramMistake>);

impl Mistakes {
    fn add(&mut self, path: impl Into<String>, problem: Problem) {
        self.0.push(ProgramMistake { path: path.into(), problem });
    }

    /// Checks a text for people, which must not move the cursor of whoever reads it.
    fn text(&mut self, path: &str, text: &str) {
        if text.trim().is_empty() {
            self.add(path, Problem::Empty);
        } else if text.chars().any(char::is_control) {
            self.add(path, Problem::ControlCharacter);
        }
    }

    /// `amount` in minor units, or nothing and a mistake.
    fn minor(&mut self, path: &str, amount: Rate, currency: Currency) -> Option<Spend> {
        if amount.is_zero() {
            self.add(path, Problem::Zero);
            return None;
        }
        let minor = amount.in_units_of(currency.exponent()).and_then(Minor::try_from);
        if minor.is_err() {
            self.add(path, Problem::FinerThanCurrency(currency));
        }
        minor.ok().map(Spend::of_minor)
    }
}

fn check_texts(spec: &ProgramSpec, mistakes: &mut Mistakes) {
    mistakes.text("name", &spec.name);
    if spec.version == 0 {
        mistakes.add("version", Problem::Zero);
    }
}

fn check_rates(spec: &ProgramSpec, mistakes: &mut Mistakes) {
    if spec.point_value.is_some_and(Rate::is_zero) {
        mistakes.add("point_value", Problem::Zero);
    }
    for (code, rate) in &spec.rates {
        let path = format!("rates.{code}");
        match code.parse::<Currency>() {
            Err(_) => mistakes.add(path, Problem::UnknownCurrency(code.clone())),
            Ok(currency) if currency == spec.currency => {
                mistakes.add(path, Problem::OwnCurrency(currency));
            }
            Ok(_) if rate.is_zero() => mistakes.add(path, Problem::Zero),
            Ok(_) => (),
        }
    }
}

fn check_earning(spec: &ProgramSpec, mistakes: &mut Mistakes) {
    let mut check = |path, value, max| {
        if value > max {
            mistakes.add(path, Problem::TooLarge(max));
        }
    };
    check("earning.pending_days", spec.earning.pending_days, DAYS_MAX);
    check("earning.expiry_months", spec.earning.expiry_months.unwrap_or(0), MONTHS_MAX);
    check("spending.reinstate_days", spec.spending.reinstate_days, DAYS_MAX);
    check_expiry(&spec.earning, mistakes);
}

fn check_expiry(earning: &Earning, mistakes: &mut Mistakes) {
    let is_rounded = earning.expiry_rounding != ExpiryRounding::None;
    let has_dates = !earning.expiry_dates.is_empty();
    if earning.expiry == Expiry::Never {
        let said = [
            ("expiry_months", earning.expiry_months.is_some()),
            ("expiry_rounding", is_rounded),
            ("expiry_dates", has_dates),
        ];
        for (key, _) in said.into_iter().filter(|(_, is_said)| *is_said) {
            mistakes.add(format!("earning.{key}"), Problem::NeverExpires);
        }
        return;
    }
    if earning.expiry_months.is_none() {
        mistakes.add("earning.expiry_months", Problem::NoExpiry);
    }
    if is_rounded && has_dates {
        mistakes.add("earning.expiry_dates", Problem::RoundingAndDates);
    }
    for (index, date) in earning.expiry_dates.iter().enumerate() {
        let mut before = earning.expiry_dates.iter().take(index);
        if let Some(other) = before.position(|it| it == date) {
            let (value, by) = (date.to_string(), format!("date {}", other.saturating_add(1)));
            mistakes.add("earning.expiry_dates", Problem::Repeated { value, by });
        }
    }
}

fn check_caps(spec: &ProgramSpec, mistakes: &mut Mistakes) {
    if spec.caps.per_order.is_some_and(Points::is_zero) {
        mistakes.add("caps.per_order", Problem::Zero);
    }
    check_member_caps("caps.per_member", &spec.caps.per_member, mistakes);
}

/// Checks limits to what one member may in one period.
fn check_member_caps(path: &str, caps: &[MemberCap], mistakes: &mut Mistakes) {
    for (index, cap) in caps.iter().enumerate() {
        if cap.points.is_zero() {
            mistakes.add(format!("{path}[{index}].points"), Problem::Zero);
        }
        if caps.iter().take(index).any(|it| it.period == cap.period) {
            mistakes.add(format!("{path}[{index}].period"), Problem::RepeatedPeriod);
        }
    }
}

fn check_transfers(spec: &ProgramSpec, mistakes: &mut Mistakes) {
    let Some(TransferSpec { min_points, caps, waiting_days }) = &spec.transfers else { return };
    if min_points.is_some_and(Points::is_zero) {
        mistakes.add("transfers.min_points", Problem::Zero);
    }
    check_member_caps("transfers.caps", caps, mistakes);
    if *waiting_days > DAYS_MAX {
        mistakes.add("transfers.waiting_days", Problem::TooLarge(DAYS_MAX));
    }
}

fn check_reminders(reminders: &Reminders, mistakes: &mut Mistakes) {
    for (key, all) in [("points_days", &reminders.points_days), ("tier_days", &reminders.tier_days)]
    {
        let path = format!("reminders.{key}");
        for (index, days) in all.iter().enumerate() {
            if *days == 0 {
                mistakes.add(path.clone(), Problem::Zero);
            } else if *days > DAYS_MAX {
                mistakes.add(path.clone(), Problem::TooLarge(DAYS_MAX));
            } else if let Some(other) = all.iter().take(index).position(|it| it == days) {
                let by = format!("reminder {}", other.saturating_add(1));
                mistakes.add(path.clone(), Problem::Repeated { value: days.to_string(), by });
            }
        }
    }
}

fn check_levels(spec: &ProgramSpec, mistakes: &mut Mistakes) -> Vec<Thresholds> {
    let levels = &spec.tiers.levels;
    if spec.tiers.grace_months > GRACE_MONTHS_MAX {
        mistakes.add("tiers.grace_months", Problem::TooLarge(GRACE_MONTHS_MAX));
    }
    if levels.is_empty() {
        mistakes.add("tiers.levels", Problem::NoLevels);
    }
    let mut checked = Vec::with_capacity(levels.len());
    // The last level below that sets the threshold; a level may set one of them only.
    let mut highest_spend: Option<(Spend, &LevelSpec)> = None;
    let mut highest_orders: Option<(u64, &LevelSpec)> = None;
    let mut highest_growth: Option<(u64, &LevelSpec)> = None;
    for (rank, level) in levels.iter().enumerate() {
        let path = |field: &str| format!("tiers.levels[{rank}].{field}");
        mistakes.text(&path("name"), &level.name);
        if let Some(stage) = &level.stage {
            mistakes.text(&path("stage"), stage);
        }
        check_repeats(levels, rank, level, mistakes);
        if level.expiry_months.is_some_and(|it| it > MONTHS_MAX) {
            mistakes.add(path("expiry_months"), Problem::TooLarge(MONTHS_MAX));
        }
        let spend =
            level.spend.and_then(|spend| mistakes.minor(&path("spend"), spend, spec.currency));
        check_tasks(level, &path("tasks"), mistakes);
        let has_condition = level.spend.is_some()
            || level.orders.is_some()
            || level.growth.is_some()
            || !level.tasks.is_empty();
        if rank == 0 && has_condition {
            mistakes.add(format!("tiers.levels[{rank}]"), Problem::LowestLevelMissing);
        }
        if rank == 0 && level.invite_only {
            mistakes.add(path("invite_only"), Problem::LowestLevelMissing);
        } else if rank > 0 && has_condition && level.invite_only {
            mistakes.add(path("invite_only"), Problem::InvitedByCondition);
        } else if rank > 0 && !has_condition && !level.invite_only {
            mistakes.add(format!("tiers.levels[{rank}]"), Problem::NoCondition);
        }
        if let Some(spend) = spend {
            if let Some((_, below)) = highest_spend.filter(|(it, _)| spend <= *it) {
                let threshold = below.spend.unwrap_or(Rate::ZERO).to_string();
                let below = below.id.clone();
                mistakes.add(path("spend"), Problem::NotAbove { threshold, below });
            }
            highest_spend = Some((spend, level));
        }
        for (key, number, highest) in [
            ("orders", level.orders.map(u64::from), &mut highest_orders),
            ("growth", level.growth, &mut highest_growth),
        ] {
            let Some(number) = number else { continue };
            if number == 0 {
                mistakes.add(path(key), Problem::Zero);
                continue;
            }
            if let Some((threshold, below)) = highest.filter(|(it, _)| number <= *it) {
                let threshold = threshold.to_string();
                let below = below.id.clone();
                mistakes.add(path(key), Problem::NotAbove { threshold, below });
            }
            *highest = Some((number, level));
        }
        checked.push(Thresholds { spend, orders: level.orders, growth: level.growth });
    }
    checked
}

fn check_tasks(level: &LevelSpec, path: &str, mistakes: &mut Mistakes) {
    if level.tasks.len() > LEVEL_TASKS_MAX {
        let max = u32::try_from(LEVEL_TASKS_MAX).unwrap_or(u32::MAX);
        mistakes.add(path, Problem::TooLarge(max));
    }
    for (index, task) in level.tasks.iter().enumerate() {
        if let Some(other) = level.tasks.iter().take(index).position(|it| it == task) {
            let (value, by) = (task.to_string(), format!("task {}", other.saturating_add(1)));
            mistakes.add(path, Problem::Repeated { value, by });
        }
    }
}

fn check_repeats(levels: &[LevelSpec], rank: Rank, level: &LevelSpec, mistakes: &mut Mistakes) {
    let before = || levels.iter().take(rank).enumerate();
    if let Some((other, _)) = before().find(|(_, it)| it.id == level.id) {
        mistakes.add(
            format!("tiers.levels[{rank}].id"),
            Problem::Repeated {
                value: level.id.to_string(),
                by: format!("level {}", other.saturating_add(1)),
            },
        );
    }
    if let Some((_, other)) = before().find(|(_, it)| it.name == level.name) {
        mistakes.add(
            format!("tiers.levels[{rank}].name"),
            Problem::Repeated {
                value: level.name.clone(),
                by: format!("the level `{}`", other.id),
            },
        );
    }
    let previous = rank.checked_sub(1).and_then(|it| levels.get(it));
    if let (Some(stage), Some(previous)) = (&level.stage, previous)
        && previous.stage.as_ref() != Some(stage)
        && before().any(|(_, it)| it.stage.as_ref() == Some(stage))
    {
        mistakes.add(format!("tiers.levels[{rank}].stage"), Problem::StageTornApart(stage.clone()));
    }
}

fn check_campaigns(spec: &ProgramSpec, mistakes: &mut Mistakes) -> Vec<Condition> {
    let mut conditions = Vec::with_capacity(spec.campaigns.len());
    for (index, campaign) in spec.campaigns.iter().enumerate() {
        let path = |field: &str| format!("campaigns[{index}].{field}");
        mistakes.text(&path("name"), &campaign.name);
        let mut before = spec.campaigns.iter().take(index);
        if let Some(other) = before.position(|it| it.name == campaign.name) {
            let by = format!("campaign {}", other.saturating_add(1));
            mistakes.add(path("name"), Problem::Repeated { value: campaign.name.clone(), by });
        }
        match (campaign.bonus, campaign.points) {
            (None, None) => mistakes.add(format!("campaigns[{index}]"), Problem::GivesNothing),
            (Some(_), Some(_)) => mistakes.add(path("points"), Problem::GivesBoth),
            (Some(bonus), None) if bonus.is_zero() => mistakes.add(path("bonus"), Problem::Zero),
            (None, Some(Points::ZERO)) => mistakes.add(path("points"), Problem::Zero),
            (Some(_), None) | (None, Some(_)) => (),
        }
        if campaign.expiry_months.is_some() && spec.earning.expiry == Expiry::Sliding {
            mistakes.add(path("expiry_months"), Problem::SlidesAnyway);
        } else if campaign.expiry_months.is_some_and(|it| it > MONTHS_MAX) {
            mistakes.add(path("expiry_months"), Problem::TooLarge(MONTHS_MAX));
        }
        if let (Some(from), Some(until)) = (campaign.from, campaign.until)
            && until < from
        {
            mistakes.add(path("until"), Problem::EndsBeforeStart(from));
        }
        let min_spend = campaign
            .min_amount
            .and_then(|amount| mistakes.minor(&path("min_amount"), amount, spec.currency));
        conditions.push(Condition { min_spend });
    }
    conditions
}

fn check_enrollment(spec: &ProgramSpec, mistakes: &mut Mistakes) {
    let Enrollment { points, expiry_months, level, activation: _ } = &spec.enrollment;
    if points.is_some_and(Points::is_zero) {
        mistakes.add("enrollment.points", Problem::Zero);
    }
    check_months("enrollment.expiry_months", *expiry_months, spec, mistakes);
    if let Some(level) = level {
        match spec.tiers.levels.iter().find(|it| it.id == *level) {
            None => mistakes.add("enrollment.level", Problem::NoSuchLevel(level.clone())),
            Some(it) if it.invite_only => {
                mistakes.add("enrollment.level", Problem::BeginsByInvitation);
            }
            Some(_) => (),
        }
    }
}

/// Checks months that some points have of their own.
fn check_months(path: &str, months: Option<u32>, spec: &ProgramSpec, mistakes: &mut Mistakes) {
    if months.is_some() && spec.earning.expiry == Expiry::Sliding {
        mistakes.add(path, Problem::SlidesAnyway);
    } else if months.is_some_and(|it| it > MONTHS_MAX) {
        mistakes.add(path, Problem::TooLarge(MONTHS_MAX));
    }
}

fn check_checkout(spec: &ProgramSpec, mistakes: &mut Mistakes) {
    let Some(checkout) = &spec.checkout else { return };
    let CheckoutSpec { point_worth, min_points, max_share, hold_minutes } = checkout;
    let zeros = [
        ("point_worth", point_worth.is_zero()),
        ("min_points", min_points.is_zero()),
        ("max_share", max_share.is_zero()),
        ("hold_minutes", *hold_minutes == 0),
    ];
    for (key, _) in zeros.into_iter().filter(|(_, is_zero)| *is_zero) {
        mistakes.add(format!("checkout.{key}"), Problem::Zero);
    }
    if *max_share > Rate::ONE {
        mistakes.add("checkout.max_share", Problem::TooLarge(1));
    }
    if *hold_minutes > HOLD_MINUTES_MAX {
        mistakes.add("checkout.hold_minutes", Problem::TooLarge(HOLD_MINUTES_MAX));
    }
}

fn check_referral(spec: &ProgramSpec, mistakes: &mut Mistakes) -> Spend {
    let Some(referral) = &spec.referral else { return Spend::ZERO };
    if referral.friend_points.is_zero() && referral.referrer_points.is_zero() {
        mistakes.add("referral", Problem::RewardsNothing);
    }
    check_months("referral.expiry_months", referral.expiry_months, spec, mistakes);
    if referral.window_days > DAYS_MAX {
        mistakes.add("referral.window_days", Problem::TooLarge(DAYS_MAX));
    }
    let min_amount =
        referral.min_amount.and_then(|it| mistakes.minor("referral.min_amount", it, spec.currency));
    if let (Some(task), Some(_)) = (&referral.task, referral.min_amount) {
        mistakes.add("referral.min_amount", Problem::NoOrder(task.clone()));
    }
    let mut highest = 0;
    for (index, milestone) in referral.milestones.iter().enumerate() {
        let path = |field: &str| format!("referral.milestones[{index}].{field}");
        if milestone.friends == 0 {
            mistakes.add(path("friends"), Problem::Zero);
        } else if milestone.friends <= highest {
            mistakes.add(path("friends"), Problem::MilestoneNotAbove(highest));
        }
        if milestone.points.is_zero() {
            mistakes.add(path("points"), Problem::Zero);
        }
        highest = highest.max(milestone.friends);
    }
    check_member_caps("referral.caps", &referral.caps, mistakes);
    if referral.velocity.is_some_and(|it| it.friends == 0) {
        mistakes.add("referral.velocity.friends", Problem::Zero);
    }
    for (index, kind) in referral.same_person.iter().enumerate() {
        if let Some(other) = referral.same_person.iter().take(index).position(|it| it == kind) {
            let (value, by) = (kind.to_string(), format!("entry {}", other.saturating_add(1)));
            mistakes.add("referral.same_person", Problem::Repeated { value, by });
        }
    }
    min_amount.unwrap_or(Spend::ZERO)
}
