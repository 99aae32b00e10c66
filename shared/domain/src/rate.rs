//! Exact decimals, and the one place where a product of them is rounded.

use ethnum::U256;
use serde::{Deserialize, Serialize};

use crate::points::OutOfRange;

/// An exact, non-negative decimal such as `0.05` or `1.25`.
///
/// Libraries for decimals round when a product outgrows their mantissa, without a word. A rate is
/// only ever multiplied, so it is a mantissa and a scale, and [`floor_product`] multiplies in 256
/// bits, where four 64-bit factors always fit.
///
/// Invariant: at most [`Rate::SCALE_MAX`] digits follow the point, and none of them is a trailing
/// zero; the mantissa is at most [`Rate::MANTISSA_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate {
    mantissa: u64,
    scale: u8,
}

impl Rate {
    /// Nothing.
    pub const ZERO: Self = Self { mantissa: 0, scale: 0 };
    /// One.
    pub const ONE: Self = Self { mantissa: 1, scale: 0 };
    /// How many digits may follow the point: a billionth is finer than any published rate.
    pub const SCALE_MAX: u8 = 9;
    /// The largest mantissa: a million with nine digits after the point.
    pub const MANTISSA_MAX: u64 = 1_000_000_000_000_000;

    /// The digits of the rate without its point.
    pub const fn mantissa(self) -> u64 {
        self.mantissa
    }

    /// How many of the digits follow the point.
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// Whether the rate is nothing.
    pub const fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// The rate in whole units of 10^-`digits`, if it has no finer ones.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] if more than `digits` digits follow the point, or the number is too large.
    pub fn in_units_of(self, digits: u8) -> Result<u64, OutOfRange> {
        let missing = digits.checked_sub(self.scale).ok_or(OutOfRange)?;
        let factor = 10_u64.checked_pow(u32::from(missing)).ok_or(OutOfRange)?;
        self.mantissa.checked_mul(factor).ok_or(OutOfRange)
    }
}

/// `whole * rates… / 10^digits`, rounded down: the one floor of a component.
///
/// # Errors
///
/// [`OutOfRange`] if the result does not fit 64 bits. Nothing in between can overflow.
pub fn floor_product(whole: u64, rates: [Rate; 3], digits: u8) -> Result<u64, OutOfRange> {
    let scale =
        rates.iter().fold(u32::from(digits), |sum, rate| sum.saturating_add(rate.scale.into()));
    // Nearly every product fits 128 bits, where dividing is several times cheaper.
    let narrow = rates
        .iter()
        .try_fold(u128::from(whole), |product, rate| product.checked_mul(rate.mantissa.into()))
        .zip(10_u128.checked_pow(scale));
    if let Some((product, divisor)) = narrow {
        let quotient = product.checked_div(divisor).ok_or(OutOfRange)?;
        return u64::try_from(quotient).map_err(|_| OutOfRange);
    }
    let product = rates
        .iter()
        .try_fold(U256::from(whole), |product, rate| product.checked_mul(rate.mantissa.into()))
        .ok_or(OutOfRange)?;
    let divisor = U256::new(10).checked_pow(scale).ok_or(OutOfRange)?;
    let quotient = product.checked_div(divisor).ok_or(OutOfRange)?;
    u64::try_from(quotient).map_err(|_| OutOfRange)
}

/// A text is no decimal that a rate can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// Something else than digits with at most one point.
    #[error("is not a decimal such as 0.05")]
    NotADecimal,
    /// A minus sign.
    #[error("must not be negative")]
    Negative,
    /// More digits after the point than are kept.
    #[error("has more than {} digits after the point", Rate::SCALE_MAX)]
    TooFine,
    /// More digits than are kept.
    #[error("is too large")]
    TooLarge,
}

impl std::str::FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        if let Some(rest) = digits.strip_prefix('-') {
            return Err(rest
                .parse::<Self>()
                .map_or(RateError::NotADecimal, |_| RateError::Negative));
        }
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let is_digits = |it: &str| it.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) || digits.ends_with('.') {
            return Err(RateError::NotADecimal);
        }
        let fraction = fraction.trim_end_matches('0');
        let scale = u8::try_from(fraction.len()).map_err(|_| RateError::TooFine)?;
        if scale > Self::SCALE_MAX {
            return Err(RateError::TooFine);
        }
        let mantissa = whole.bytes().chain(fraction.bytes()).try_fold(0_u64, |sum, byte| {
            sum.checked_mul(10)?.checked_add(u64::from(byte.wrapping_sub(b'0')))
        });
        match mantissa {
            Some(mantissa) if mantissa <= Self::MANTISSA_MAX => Ok(Self { mantissa, scale }),
            _ => Err(RateError::TooLarge),
        }
    }
}

impl TryFrom<String> for Rate {
    type Error = RateError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scale = usize::from(self.scale);
        let digits = format!("{:0>width$}", self.mantissa, width = scale.saturating_add(1));
        let (whole, fraction) = digits.split_at(digits.len().saturating_sub(scale));
        if fraction.is_empty() { f.pad(whole) } else { f.pad(&format!("{whole}.{fraction}")) }
    }
}

impl PartialOrd for Rate {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Rate {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let at_finest = |rate: &Self| {
            let missing = u32::from(Self::SCALE_MAX.saturating_sub(rate.scale));
            u128::from(rate.mantissa).saturating_mul(10_u128.saturating_pow(missing))
        };
        at_finest(self).cmp(&at_finest(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> Rate {
        text.parse().unwrap()
    }

    #[test]
    fn a_rate_is_read_and_written_exactly() {
        for text in ["0", "1", "0.05", "12.5", "0.000000001", "1000000"] {
            assert_eq!(rate(text).to_string(), text);
        }
        assert_eq!(rate("1.50"), rate("1.5"));
        assert_eq!(rate("007.0").to_string(), "7");
        assert!(rate("0.3") < rate("0.31") && rate("2") > rate("1.999999999"));
    }

    #[test]
    fn what_is_no_decimal_says_why() {
        for text in ["", ".", "5.", ".5", "1e3", "five", "0x1", "1,5", "nan", "--1", "1.2.3", " 1"]
        {
            assert_eq!(text.parse::<Rate>(), Err(RateError::NotADecimal), "{text:?}");
        }
        assert_eq!("-0.05".parse::<Rate>(), Err(RateError::Negative));
        assert_eq!("0.0000000001".parse::<Rate>(), Err(RateError::TooFine));
        assert_eq!("1000000000000001".parse::<Rate>(), Err(RateError::TooLarge));
        assert_eq!("99999999999999999999999".parse::<Rate>(), Err(RateError::TooLarge));
    }

    #[test]
    fn a_product_is_floored_once_and_not_before() {
        // 19.99 x 0.05 = 0.9995, and 19.99 x 1.5 x 0.1 = 2.9985.
        assert_eq!(floor_product(1999, [Rate::ONE, Rate::ONE, rate("0.05")], 2), Ok(0));
        assert_eq!(floor_product(1999, [Rate::ONE, rate("1.5"), rate("0.1")], 2), Ok(2));
        // Rounding 0.1 + 0.2 the binary way would lose this point.
        assert_eq!(floor_product(1000, [Rate::ONE, Rate::ONE, rate("0.3")], 2), Ok(3));
    }

    #[test]
    fn a_product_that_needs_more_than_128_bits_is_still_exact() {
        let fine = rate("999999.999999999");
        // 10^15 x (999999.999999999)^3 / 10^18, by hand: 999999999999999^3 / 10^30 = 10^15 - 3 + …
        assert_eq!(
            floor_product(1_000_000_000_000_000, [fine, fine, fine], 18),
            Ok(999_999_999_999_997)
        );
        assert_eq!(floor_product(u64::MAX, [fine, fine, fine], 0), Err(OutOfRange));
    }
}
