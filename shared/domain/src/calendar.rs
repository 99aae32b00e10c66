//! Business days: calendar days in the program's time zone.

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, date},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};

use crate::points::OutOfRange;

/// The days and midnights of one time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    time_zone: TimeZone,
}

impl Calendar {
    /// The calendar of an IANA time zone such as `Europe/London`; `None` if there is no such zone.
    ///
    /// The zones are those bundled with this build, so every machine agrees on them.
    pub fn of(time_zone: &str) -> Option<Self> {
        TimeZone::get(time_zone).ok().map(|time_zone| Self { time_zone })
    }

    /// The calendar of UTC.
    pub const fn utc() -> Self {
        Self { time_zone: TimeZone::UTC }
    }

    /// The name of the zone.
    pub fn name(&self) -> &str {
        self.time_zone.iana_name().unwrap_or("UTC")
    }

    /// The business day that holds `instant`.
    pub fn day_of(&self, instant: Timestamp) -> Date {
        self.time_zone.to_datetime(instant).date()
    }

    /// The first instant of `day`, which is not 00:00 where clocks change at midnight.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] at the ends of time, some 8,000 years away.
    pub fn midnight(&self, day: Date) -> Result<Timestamp, OutOfRange> {
        self.instant_of(day.at(0, 0, 0, 0))
    }

    /// Whether `day` is over at `instant`.
    ///
    /// Compares instants, because a clock that is put back just after midnight shows a day again
    /// that has ended once already.
    ///
    /// # Errors
    ///
    /// As [`Calendar::midnight`].
    pub fn is_over(&self, day: Date, instant: Timestamp) -> Result<bool, OutOfRange> {
        match self.day_of(instant).cmp(&day) {
            std::cmp::Ordering::Greater => Ok(true),
            std::cmp::Ordering::Equal => Ok(instant >= self.end_of(day)?),
            std::cmp::Ordering::Less => Ok(false),
        }
    }

    /// The first instant after `day`.
    ///
    /// # Errors
    ///
    /// As [`Calendar::midnight`].
    pub fn end_of(&self, day: Date) -> Result<Timestamp, OutOfRange> {
        self.midnight(day.tomorrow().map_err(|_| OutOfRange)?)
    }

    /// The instant of a local time: the first of two, or moved forward by the gap.
    ///
    /// # Errors
    ///
    /// As [`Calendar::midnight`].
    pub fn instant_of(&self, local: jiff::civil::DateTime) -> Result<Timestamp, OutOfRange> {
        self.time_zone.to_ambiguous_timestamp(local).compatible().map_err(|_| OutOfRange)
    }
}

/// `instant` + `days` of exactly 24 hours each.
///
/// # Errors
///
/// [`OutOfRange`] at the end of time.
pub fn after_days(instant: Timestamp, days: u32) -> Result<Timestamp, OutOfRange> {
    let hours = i64::from(days).checked_mul(24).ok_or(OutOfRange)?;
    instant.checked_add(hours.hours()).map_err(|_| OutOfRange)
}

/// A calendar month.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Month(Date);

impl Month {
    /// The month that holds `day`.
    pub fn of(day: Date) -> Self {
        Self(day.first_of_month())
    }

    /// The month `months` later, or earlier if negative.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] at the ends of time.
    pub fn plus(self, months: i32) -> Result<Self, OutOfRange> {
        self.0.checked_add(months.months()).map(Self).map_err(|_| OutOfRange)
    }

    /// January of the month's year.
    #[must_use]
    pub fn january(self) -> Self {
        Self(self.0.first_of_year())
    }

    /// The first day.
    pub fn first_day(self) -> Date {
        self.0
    }

    /// The last day.
    pub fn last_day(self) -> Date {
        self.0.last_of_month()
    }
}

impl std::fmt::Display for Month {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.0.year(), self.0.month())
    }
}

impl std::fmt::Debug for Month {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl TryFrom<String> for Month {
    type Error = OutOfRange;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        format!("{text}-01").parse().map(Self).map_err(|_| OutOfRange)
    }
}

impl From<Month> for String {
    fn from(month: Month) -> Self {
        month.to_string()
    }
}

/// To which day the last good day of a lot is moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpiryRounding {
    /// It stays.
    #[default]
    None,
    /// The end of its month.
    MonthEnd,
    /// The end of its quarter.
    QuarterEnd,
    /// The end of its year.
    YearEnd,
}

/// The last day on which points earned by an order paid on `paid_on` can be used.
///
/// # Errors
///
/// [`OutOfRange`] at the end of time.
///
/// # Examples
///
/// ```
/// # use jiff::civil::date;
/// # use loyalty_domain::calendar::{ExpiryRounding, last_good_day};
/// let day = last_good_day(date(2020, 7, 6), 12, ExpiryRounding::MonthEnd)?;
/// assert_eq!(day, date(2021, 7, 31));
/// # Ok::<(), loyalty_domain::points::OutOfRange>(())
/// ```
pub fn last_good_day(
    paid_on: Date,
    expiry_months: u32,
    rounding: ExpiryRounding,
) -> Result<Date, OutOfRange> {
    let months = i32::try_from(expiry_months).map_err(|_| OutOfRange)?;
    // Adding months clamps to the month's length: 31 January + 1 month is the last of February.
    let day = paid_on.checked_add(months.months()).map_err(|_| OutOfRange)?;
    Ok(match rounding {
        ExpiryRounding::None => day,
        ExpiryRounding::MonthEnd => day.last_of_month(),
        ExpiryRounding::QuarterEnd => {
            let month = match day.month() {
                1..=3 => 3,
                4..=6 => 6,
                7..=9 => 9,
                _ => 12,
            };
            date(day.year(), month, 1).last_of_month()
        }
        ExpiryRounding::YearEnd => day.last_of_year(),
    })
}
