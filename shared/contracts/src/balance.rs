//! The shape of the event by which a member's balance of another system comes here, version 1.
//!
//! Days are those of the program's time zone, and money is in the program's currency.

use compact_str::CompactString;
use jiff::{Timestamp, civil::Date};
use loyalty_domain::{
    account::{Measure, MonthProgress},
    calendar::Month,
    command::Request,
    id::MemberId,
    money::{Minor, Spend},
    opening::{
        BroughtLevel, BroughtLot, BroughtPending, LOTS_MAX, MONTHS_MAX, Opening, PENDING_MAX,
    },
    points::Points,
};
#[cfg(feature = "schemas")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[cfg(feature = "schemas")]
use crate::schema;
use crate::{
    error::EventError,
    json,
    order::{check_instant, check_not_before_1970, id},
};

/// Absent is the same as nothing, and shorter.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_zero(points: &Points) -> bool {
    points.is_zero()
}

/// A member brings a balance from another system, which happens once to a member. Orders of that
/// system are not known here: a refund of one would wait for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct BalanceOpened {
    /// The shop's id of the member. Never a mail address or a phone number.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub member_id: CompactString,
    /// When the balance was this. The same balance with another instant is the same event.
    #[serde(deserialize_with = "json::instant")]
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Instant"))]
    pub opened_at: Timestamp,
    /// Points that can be used, by the day on which they can be used last: at most 64.
    #[serde(default, deserialize_with = "json::objects_or_none")]
    #[cfg_attr(feature = "schemas", schemars(with = "Option<Vec<Lot>>", length(max = 64)))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lots: Vec<Lot>,
    /// Points on their way, by the instant from which on they can be used: at most 64.
    #[serde(default, deserialize_with = "json::objects_or_none")]
    #[cfg_attr(
        feature = "schemas",
        schemars(with = "Option<Vec<PendingPoints>>", length(max = 64))
    )]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<PendingPoints>,
    /// Points that the member owes; lots pay them first.
    #[serde(default, deserialize_with = "json::or_default")]
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::WholePoints>", extend("default" = 0)))]
    #[serde(skip_serializing_if = "is_zero")]
    pub debt: Points,
    /// The member's level.
    #[serde(default, deserialize_with = "json::object_if_any")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// What levels are measured by, each month once: at most 64.
    #[serde(default, deserialize_with = "json::objects_or_none")]
    #[cfg_attr(
        feature = "schemas",
        schemars(with = "Option<Vec<MonthOfProgress>>", length(max = 64))
    )]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub months: Vec<MonthOfProgress>,
    /// The same of all the time before these months; it counts where levels are measured over a
    /// lifetime.
    #[serde(default, deserialize_with = "json::object_if_any")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub earlier: Option<EarlierProgress>,
}

/// Points that can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct Lot {
    /// How many.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub points: Points,
    /// The last day on which they can be used.
    #[serde(deserialize_with = "json::day")]
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Day"))]
    pub usable_through: Date,
}

/// Points on their way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct PendingPoints {
    /// How many.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub points: Points,
    /// From when on they can be used.
    #[serde(deserialize_with = "json::instant")]
    #[cfg_attr(feature = "schemas", schemars(with = "schema::AnyInstant"))]
    pub available_at: Timestamp,
    /// The last day on which they can be used. Without it: that of an order whose points become
    /// available then.
    #[serde(default, deserialize_with = "json::day_if_any")]
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Day>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usable_through: Option<Date>,
}

/// A level that a member has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct Tier {
    /// The id of the level in the program.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub level: CompactString,
    /// The last day of its validity. Without it: as if it were reached at the opening.
    #[serde(default, deserialize_with = "json::day_if_any")]
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Day>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_through: Option<Date>,
}

/// What levels are measured by, of one month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct MonthOfProgress {
    /// The month in which the orders were paid; at most that of the opening.
    #[serde(deserialize_with = "json::month")]
    #[cfg_attr(feature = "schemas", schemars(with = "schema::CalendarMonth"))]
    pub month: Month,
    /// What the orders came to.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Amount"))]
    pub spend_minor: Minor,
    /// How many there were.
    pub orders: u32,
}

/// What levels are measured by, of the time before all months that are named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct EarlierProgress {
    /// What the orders came to.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Amount"))]
    pub spend_minor: Minor,
    /// How many there were.
    pub orders: u32,
}

impl BalanceOpened {
    /// What this event asks of the domain, if it is received at `received_at`.
    ///
    /// # Errors
    ///
    /// An [`EventError`] from [`EventError::TooOld`] on. Retrying cannot help.
    pub fn into_request(self, received_at: Timestamp) -> Result<Request, EventError> {
        self.check_age()?;
        check_instant("opened_at", self.opened_at, received_at)?;
        let member_id = id("member_id", self.member_id)?;
        let level = match self.tier {
            Some(Tier { level, valid_through }) => {
                Some(BroughtLevel { level: id("tier.level", level)?, valid_through })
            }
            None => None,
        };
        let lists = [
            ("lots", self.lots.len(), LOTS_MAX),
            ("pending", self.pending.len(), PENDING_MAX),
            ("months", self.months.len(), MONTHS_MAX),
        ];
        if let Some((path, _, most)) = lists.into_iter().find(|(_, length, most)| length > most) {
            return Err(EventError::TooMany { path, most });
        }
        check_no_month_is_repeated(&self.months)?;
        let opening = Opening {
            lots: self.lots.iter().map(Lot::brought).collect(),
            pending: self.pending.iter().map(PendingPoints::brought).collect(),
            debt: self.debt,
            level,
            months: self.months.iter().map(MonthOfProgress::progress).collect(),
            earlier: self
                .earlier
                .map_or_else(Measure::default, |it| measure(it.spend_minor, it.orders)),
        };
        if opening.is_nothing() {
            return Err(EventError::NothingBrought);
        }
        Ok(Request::open(member_id, self.opened_at, opening))
    }

    fn check_age(&self) -> Result<(), EventError> {
        check_not_before_1970(self.opened_at, || "opened_at".to_owned())?;
        for (index, lot) in self.lots.iter().enumerate() {
            check_day(lot.usable_through, || format!("lots[{index}].usable_through"))?;
        }
        for (index, group) in self.pending.iter().enumerate() {
            let path = |field: &str| format!("pending[{index}].{field}");
            check_not_before_1970(group.available_at, || path("available_at"))?;
            group.usable_through.map_or(Ok(()), |it| check_day(it, || path("usable_through")))?;
        }
        if let Some(day) = self.tier.as_ref().and_then(|it| it.valid_through) {
            check_day(day, || "tier.valid_through".to_owned())?;
        }
        for (index, month) in self.months.iter().enumerate() {
            check_day(month.month.first_day(), || format!("months[{index}].month"))?;
        }
        Ok(())
    }

    /// The event that brings `opening`.
    pub fn of(member_id: &MemberId, opened_at: Timestamp, opening: &Opening) -> Self {
        let Opening { lots, pending, debt, level, months, earlier } = opening;
        let lots = lots.iter();
        let pending = pending.iter();
        let months = months.iter();
        Self {
            member_id: member_id.clone().into(),
            opened_at,
            lots: lots
                .map(|it| Lot { points: it.points, usable_through: it.last_good_day })
                .collect(),
            pending: pending
                .map(|it| PendingPoints {
                    points: it.points,
                    available_at: it.matures_at,
                    usable_through: it.last_good_day,
                })
                .collect(),
            debt: *debt,
            tier: level
                .as_ref()
                .map(|it| Tier { level: it.level.clone().into(), valid_through: it.valid_through }),
            months: months
                .map(|it| MonthOfProgress {
                    month: it.month,
                    spend_minor: minor(it.measure.spend),
                    orders: it.measure.orders,
                })
                .collect(),
            earlier: Some(*earlier)
                .filter(|it| *it != Measure::default())
                .map(|it| EarlierProgress { spend_minor: minor(it.spend), orders: it.orders }),
        }
    }
}

impl Lot {
    const fn brought(&self) -> BroughtLot {
        BroughtLot { points: self.points, last_good_day: self.usable_through }
    }
}

impl PendingPoints {
    const fn brought(&self) -> BroughtPending {
        let Self { points, available_at, usable_through } = *self;
        BroughtPending { points, matures_at: available_at, last_good_day: usable_through }
    }
}

impl MonthOfProgress {
    fn progress(&self) -> MonthProgress {
        MonthProgress { month: self.month, measure: measure(self.spend_minor, self.orders) }
    }
}

fn measure(spend: Minor, orders: u32) -> Measure {
    Measure { spend: Spend::of_minor(spend), orders, growth: 0 }
}

/// Whole minor units: what events bring has no others.
fn minor(spend: Spend) -> Minor {
    u64::try_from(spend.minor()).ok().and_then(|it| it.try_into().ok()).unwrap_or(Minor::MAX)
}

fn check_day(day: Date, path: impl FnOnce() -> String) -> Result<(), EventError> {
    if day.year() < 1970 { Err(EventError::TooOld { path: path() }) } else { Ok(()) }
}

fn check_no_month_is_repeated(months: &[MonthOfProgress]) -> Result<(), EventError> {
    let mut known = std::collections::BTreeSet::new();
    match months.iter().position(|it| !known.insert(it.month)) {
        None => Ok(()),
        Some(index) => Err(EventError::RepeatedMonth { path: format!("months[{index}].month") }),
    }
}
