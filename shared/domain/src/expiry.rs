//! How long points live: through a day after payment, through a day after the last activity, or for ever.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    account::{LotId, Wallet},
    decide::{Decision, Rejection, Work},
    due,
    event::Event,
    id::ReasonCode,
    points::{OutOfRange, Points},
    tier,
};

/// The last good day of points that never expire: the last day of the calendar.
///
/// A day like any other to whatever compares days, so that such points are used last. It never ends:
/// nobody is told of it, and nothing is due after it.
pub const NEVER: Date = Date::MAX;

/// What the life of points is counted from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expiry {
    /// The day of payment.
    #[default]
    Fixed,
    /// The day of payment; and whenever the member earns or uses points, all lots that are still good
    /// last at least as long as if they had been earned on that day.
    Sliding,
    /// Nothing: points have no end.
    Never,
}

impl Expiry {
    /// Whether it is what programs had before there was a choice.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    pub(crate) fn is_fixed(&self) -> bool {
        *self == Self::Fixed
    }
}

/// A day of every year, such as `03-31`.
///
/// `02-29` is the last day of February: the 28th in years that have no 29th.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DayOfYear {
    month: i8,
    day: i8,
}

/// A text is no day of every year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a day of the year has a month and a day of it, such as `03-31`")]
pub struct InvalidDayOfYear;

impl DayOfYear {
    fn in_year(self, year: i16) -> Result<Date, OutOfRange> {
        let first = Date::new(year, self.month, 1).map_err(|_| OutOfRange)?;
        let day = self.day.min(first.last_of_month().day());
        Date::new(year, self.month, day).map_err(|_| OutOfRange)
    }

    /// The first such day from `day` on.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] at the end of time.
    pub fn on_or_after(self, day: Date) -> Result<Date, OutOfRange> {
        let this_year = self.in_year(day.year())?;
        if this_year >= day {
            return Ok(this_year);
        }
        self.in_year(day.year().checked_add(1).ok_or(OutOfRange)?)
    }
}

impl TryFrom<&str> for DayOfYear {
    type Error = InvalidDayOfYear;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let number = |text: &str| -> Result<i8, Self::Error> {
            let is_plain = text.len() == 2 && text.bytes().all(|it| it.is_ascii_digit());
            text.parse().ok().filter(|_| is_plain).ok_or(InvalidDayOfYear)
        };
        let (month, day) = text.split_once('-').ok_or(InvalidDayOfYear)?;
        let (month, day) = (number(month)?, number(day)?);
        // Of a leap year, since 29 February is a day.
        Date::new(2000, month, day).map(|_| Self { month, day }).map_err(|_| InvalidDayOfYear)
    }
}

impl TryFrom<String> for DayOfYear {
    type Error = InvalidDayOfYear;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.as_str().try_into()
    }
}

impl From<DayOfYear> for String {
    fn from(day: DayOfYear) -> Self {
        day.to_string()
    }
}

impl std::fmt::Display for DayOfYear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02}-{:02}", self.month, self.day)
    }
}

impl std::fmt::Debug for DayOfYear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// What a program promised on the day from which its points slide: whatever is still good then lasts as if
/// it were earned on that day.
///
/// A promise stands, whatever later versions say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Promise {
    /// The day. What had ended before is gone, whether or not anybody has recorded it by then.
    pub from: Date,
    /// The last good day of whatever would have ended sooner.
    pub through: Date,
}

/// Why lots last longer than they were to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Points began to slide.
    SlidingBegan {
        /// The first instant of the day from which they do.
        at: Timestamp,
    },
    /// The member earned or used points, and the program lets all others slide.
    Activity,
    /// Staff wanted it.
    Staff {
        /// Why.
        reason: ReasonCode,
    },
}

impl Work<'_> {
    /// Lets all points slide for what the member did on `day`, if the program does that.
    pub(crate) fn slide(&mut self, day: Date) -> Result<(), OutOfRange> {
        let earning = &self.program.spec().earning;
        if earning.expiry == Expiry::Sliding {
            // As of points that an order of this day earns.
            let level = self.program.levels().get(tier::rank(self.program, &self.account));
            let months = level.and_then(|it| it.expiry_months).or(earning.expiry_months);
            let through = earning.last_good_day_after(months, day)?;
            self.lengthen(through, Cause::Activity)?;
        }
        Ok(())
    }

    /// Lets whatever is good at this instant be good through `through`; whether that is longer for
    /// anything.
    fn lengthen(&mut self, through: Date, cause: Cause) -> Result<bool, OutOfRange> {
        let calendar = self.program.calendar();
        let mut from = calendar.day_of(self.at);
        // A clock that was put back at midnight shows a day that is over.
        if calendar.is_over(from, self.at)? {
            from = from.tomorrow().map_err(|_| OutOfRange)?;
        }
        let is_longer = self.account.has_ends_between(from, through);
        if is_longer {
            self.record(Event::LifeExtended { from, through, cause })?;
        }
        Ok(is_longer)
    }

    /// Answers [`Command::Extend`](crate::command::Command::Extend).
    pub(crate) fn extend(
        mut self,
        through: Date,
        reason: &ReasonCode,
    ) -> Result<Decision, Rejection> {
        // A day that has no end would stop the account when its turn comes.
        self.program.calendar().end_of(through)?;
        due::happen(&mut self)?;
        if !self.lengthen(through, Cause::Staff { reason: reason.clone() })? {
            return Err(Rejection::NothingToExtend);
        }
        Ok(self.done(true))
    }

    /// Answers [`Command::Reinstate`](crate::command::Command::Reinstate): as points that come back, they pay a
    /// debt first, and then lie in the lot of their day.
    pub(crate) fn reinstate(
        mut self,
        points: Points,
        through: Date,
        reason: &ReasonCode,
    ) -> Result<Decision, Rejection> {
        if points.is_zero() {
            return Err(Rejection::AmountIsZero);
        }
        if through != NEVER {
            // As above.
            self.program.calendar().end_of(through)?;
        }
        let lot = LotId { wallet: Wallet::Points, given: through };
        if self.program.calendar().is_over(self.account.last_good_day(lot), self.at)? {
            return Err(Rejection::EndIsOver { through });
        }
        due::happen(&mut self)?;
        let expired = self.account.totals.expired;
        if expired < points {
            return Err(Rejection::MoreThanExpired { expired, requested: points });
        }
        let (debt_paid, reason) = (self.account.debt.min(points), reason.clone());
        self.record(Event::Reinstated { lot, points, debt_paid, reason })?;
        Ok(self.done(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> DayOfYear {
        text.try_into().unwrap()
    }

    #[test]
    fn a_day_of_the_year_is_a_month_and_a_day_that_some_year_has() {
        for text in ["01-01", "02-29", "12-31"] {
            assert_eq!(day(text).to_string(), text);
            let json = format!("\"{text}\"");
            assert_eq!(serde_json::to_string(&day(text)).unwrap(), json);
            assert_eq!(serde_json::from_str::<DayOfYear>(&json).unwrap(), day(text));
        }
        for wrong in [
            "",
            "-",
            "3-31",
            "03-1",
            "03-32",
            "02-30",
            "13-01",
            "00-01",
            "+3-31",
            "2026-03-31",
            "é-1",
        ] {
            assert_eq!(DayOfYear::try_from(wrong), Err(InvalidDayOfYear), "{wrong:?}");
        }
    }

    #[test]
    fn the_29th_of_february_is_the_28th_where_there_is_none() {
        let next = |text: &str, from: &str| {
            day(text).on_or_after(from.parse().unwrap()).unwrap().to_string()
        };

        assert_eq!(next("02-29", "2023-03-01"), "2024-02-29");
        assert_eq!(next("02-29", "2024-02-29"), "2024-02-29");
        assert_eq!(next("02-29", "2024-03-01"), "2025-02-28");
        assert_eq!(next("02-29", "2025-02-28"), "2025-02-28");
        assert_eq!(next("02-28", "2024-02-29"), "2025-02-28");
        assert_eq!(day("01-01").on_or_after(NEVER), Err(OutOfRange));
    }
}
