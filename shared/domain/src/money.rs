//! Money: an integer count of a currency's minor units, and the exact sums that tiers are measured by.

use serde::{Deserialize, Serialize};

use crate::{points::OutOfRange, rate::Rate};

/// A currency of ISO 4217 that has minor units.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency {
    code: iso_currency::Currency,
    exponent: u8,
}

impl Currency {
    /// The three letters.
    pub fn code(self) -> &'static str {
        self.code.code()
    }

    /// How many digits the minor unit is below the major one: GBP 2, JPY 0, KWD 3.
    pub const fn exponent(self) -> u8 {
        self.exponent
    }
}

/// A text is no currency that money can be counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a currency of ISO 4217 with minor units, such as EUR")]
pub struct UnknownCurrency;

impl std::str::FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let code = iso_currency::Currency::from_code(text).ok_or(UnknownCurrency)?;
        // Gold, test codes and "no currency" have no minor unit, so nothing can be counted in them.
        let exponent = code.exponent().ok_or(UnknownCurrency)?;
        Ok(Self { code, exponent: u8::try_from(exponent).map_err(|_| UnknownCurrency)? })
    }
}

impl TryFrom<String> for Currency {
    type Error = UnknownCurrency;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

impl std::fmt::Display for Currency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.code())
    }
}

impl std::fmt::Debug for Currency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

/// A non-negative amount of money in minor units; its currency stands beside it.
///
/// Invariant: at most 2^63 - 1, as [`Points`](crate::points::Points).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "u64", into = "u64")]
pub struct Minor(u64);

impl Minor {
    /// No money.
    pub const ZERO: Self = Self(0);
    /// The largest amount.
    pub const MAX: Self = Self(i64::MAX.unsigned_abs());

    /// The number of minor units.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// `self + other`.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] above [`Minor::MAX`].
    pub fn plus(self, other: Self) -> Result<Self, OutOfRange> {
        self.0.checked_add(other.0).ok_or(OutOfRange).and_then(Self::try_from)
    }

    /// `self - other`, or nothing if that would be less than nothing.
    #[must_use]
    pub const fn minus_or_zero(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The sum of `all`.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] above [`Minor::MAX`].
    pub fn total(all: impl IntoIterator<Item = Self>) -> Result<Self, OutOfRange> {
        all.into_iter().try_fold(Self::ZERO, Self::plus)
    }
}

impl TryFrom<u64> for Minor {
    type Error = OutOfRange;

    fn try_from(value: u64) -> Result<Self, Self::Error> {
        if value <= Self::MAX.0 { Ok(Self(value)) } else { Err(OutOfRange) }
    }
}

impl From<Minor> for u64 {
    fn from(minor: Minor) -> Self {
        minor.0
    }
}

/// `amount` split over `parts` in proportion to them, to the last minor unit.
///
/// Each part gets its share rounded down; what is left over goes to the parts with the largest
/// remainders, and among equal ones to the first. Never more than the part itself, so `amount` is
/// cut to the sum of the parts.
///
/// # Errors
///
/// [`OutOfRange`] if the parts together are more than [`Minor::MAX`].
pub fn spread(amount: Minor, parts: &[Minor]) -> Result<Vec<Minor>, OutOfRange> {
    let whole = Minor::total(parts.iter().copied())?;
    let amount = amount.min(whole);
    if whole.is_zero() {
        return Ok(vec![Minor::ZERO; parts.len()]);
    }
    let mut left_over = amount.0;
    let mut shares = Vec::with_capacity(parts.len());
    let mut remainders = Vec::with_capacity(parts.len());
    for (index, part) in parts.iter().enumerate() {
        // Two factors of 63 bits, divided by at least one of them: the share fits 64 bits.
        let product = u128::from(amount.0).checked_mul(part.0.into()).ok_or(OutOfRange)?;
        let share = product.checked_div(whole.0.into()).ok_or(OutOfRange)?;
        let share = u64::try_from(share).map_err(|_| OutOfRange)?;
        let remainder = product.checked_rem(whole.0.into()).ok_or(OutOfRange)?;
        left_over = left_over.checked_sub(share).ok_or(OutOfRange)?;
        shares.push(Minor(share));
        remainders.push((std::cmp::Reverse(remainder), index));
    }
    remainders.sort_unstable();
    for (_, index) in remainders {
        if left_over == 0 {
            break;
        }
        let share = shares.get_mut(index).ok_or(OutOfRange)?;
        *share = share.plus(Minor(1))?;
        left_over = left_over.saturating_sub(1);
    }
    Ok(shares)
}

/// An exact sum of money in the program's currency, whatever currencies it came in.
///
/// An order in another currency counts at the program's rate "taken exactly", which is finer than
/// a minor unit, so spend is kept in units of 10^-[`Spend::DIGITS`] minor units. What a part of an
/// order added can therefore be taken out again without a rest, in however many refunds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spend(u128);

impl Spend {
    /// Nothing spent.
    pub const ZERO: Self = Self(0);

    /// Digits kept below the minor unit: nine of a rate, and four between the exponents of ISO 4217.
    pub const DIGITS: u32 = 13;

    const UNIT: u128 = 10_u128.pow(Self::DIGITS);

    /// `amount` of `from`, counted in `to` at `rate` major units of `to` for one of `from`.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] if the sum is too large to be kept exactly.
    pub fn of(amount: Minor, from: Currency, rate: Rate, to: Currency) -> Result<Self, OutOfRange> {
        let digits = Self::DIGITS
            .checked_add(to.exponent.into())
            .and_then(|it| it.checked_sub(from.exponent.into()))
            .and_then(|it| it.checked_sub(rate.scale().into()))
            .ok_or(OutOfRange)?;
        10_u128
            .checked_pow(digits)
            .and_then(|unit| unit.checked_mul(rate.mantissa().into()))
            .and_then(|unit| unit.checked_mul(amount.0.into()))
            .map(Self)
            .ok_or(OutOfRange)
    }

    /// `minor` units of the program's own currency.
    pub fn of_minor(minor: Minor) -> Self {
        Self(u128::from(minor.0).saturating_mul(Self::UNIT))
    }

    /// Whole minor units, rounded down.
    pub fn minor(self) -> u128 {
        self.0.checked_div(Self::UNIT).unwrap_or(0)
    }

    /// `self + other`.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] if the sum is too large to be kept exactly.
    pub fn plus(self, other: Self) -> Result<Self, OutOfRange> {
        self.0.checked_add(other.0).map(Self).ok_or(OutOfRange)
    }

    /// `self - other`.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] below zero.
    pub fn minus(self, other: Self) -> Result<Self, OutOfRange> {
        self.0.checked_sub(other.0).map(Self).ok_or(OutOfRange)
    }
}

impl std::fmt::Display for Spend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let whole = self.minor();
        let rest = self.0.checked_rem(Self::UNIT).unwrap_or(0);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{rest:013}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl std::str::FromStr for Spend {
    type Err = OutOfRange;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
        let missing = usize::try_from(Self::DIGITS)
            .ok()
            .and_then(|digits| digits.checked_sub(rest.len()))
            .ok_or(OutOfRange)?;
        let whole: u128 = whole.parse().map_err(|_| OutOfRange)?;
        let rest: u128 =
            format!("{rest}{}0", "0".repeat(missing)).parse().map_err(|_| OutOfRange)?;
        let rest = rest.checked_div(10).ok_or(OutOfRange)?;
        whole
            .checked_mul(Self::UNIT)
            .and_then(|it| it.checked_add(rest))
            .map(Self)
            .ok_or(OutOfRange)
    }
}

// As text, because stores and JavaScript lose digits of a number this long.
impl Serialize for Spend {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Spend {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minor(values: &[u64]) -> Vec<Minor> {
        values.iter().map(|&it| Minor(it)).collect()
    }

    fn currency(code: &str) -> Currency {
        code.parse().unwrap()
    }

    #[test]
    fn currencies_have_the_exponents_of_iso_4217() {
        for (code, exponent) in [("GBP", 2), ("JPY", 0), ("KWD", 3), ("ISK", 0), ("CLF", 4)] {
            assert_eq!(currency(code).exponent(), exponent, "{code}");
        }
        for code in ["", "gbp", "XXX", "XAU", "EURO", "ZZZ"] {
            assert_eq!(code.parse::<Currency>(), Err(UnknownCurrency), "{code:?}");
        }
    }

    #[test]
    fn what_is_spread_adds_up_and_goes_to_the_largest_remainder_and_then_to_the_first_line() {
        assert_eq!(spread(Minor(100), &minor(&[1, 1, 1])), Ok(minor(&[1, 1, 1])));
        assert_eq!(spread(Minor(2), &minor(&[1, 1, 1])), Ok(minor(&[1, 1, 0])));
        // Exact shares 3.33, 3.33 and 3.33: the odd one goes to the first.
        assert_eq!(spread(Minor(10), &minor(&[50, 50, 50])), Ok(minor(&[4, 3, 3])));
        // Exact shares 1.4, 2.8 and 2.8: the two larger remainders get the two left over.
        assert_eq!(spread(Minor(7), &minor(&[10, 20, 20])), Ok(minor(&[1, 3, 3])));
        assert_eq!(spread(Minor(5), &minor(&[0, 0])), Ok(minor(&[0, 0])));
        assert_eq!(spread(Minor(5), &[]), Ok(vec![]));
        assert_eq!(spread(Minor(5), &minor(&[0, 9])), Ok(minor(&[0, 5])));
        assert_eq!(spread(Minor(1), &[Minor::MAX, Minor(1)]), Err(OutOfRange));
    }

    #[test]
    fn spend_in_another_currency_is_exact_below_the_minor_unit() {
        let rate = "0.0061".parse().unwrap();
        let spend = Spend::of(Minor(101), currency("JPY"), rate, currency("GBP")).unwrap();

        assert_eq!(spend.to_string(), "61.61");
        assert_eq!(spend.minor(), 61);
        assert_eq!("61.61".parse(), Ok(spend));
        assert_eq!(spend.minus(spend), Ok(Spend::ZERO));
        assert_eq!(Spend::of_minor(Minor(5)).to_string(), "5");
        assert_eq!("5".parse(), Ok(Spend::of_minor(Minor(5))));
    }
}
