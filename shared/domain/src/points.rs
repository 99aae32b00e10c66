//! Points: whole, never negative, never wrapped.

use serde::{Deserialize, Serialize};

/// A whole, non-negative number of loyalty points.
///
/// What a member owes is a debt of its own and not a negative number of points.
///
/// Invariant: the value never exceeds [`Points::MAX`].
///
/// There is deliberately no `Add`, `Sub` or `Sum`: every caller says what happens at the edge.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "u64", into = "u64")]
pub struct Points(u64);

impl Points {
    /// No points at all.
    pub const ZERO: Self = Self(0);

    /// A single one.
    pub const ONE: Self = Self(1);

    /// The largest amount: 2^63 - 1, so that every store and language with 64-bit integers holds it.
    pub const MAX: Self = Self(i64::MAX.unsigned_abs());

    /// The number of points.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether there are none.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// `self + other`.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] above [`Points::MAX`]. Retrying cannot help.
    pub fn plus(self, other: Self) -> Result<Self, OutOfRange> {
        self.0.checked_add(other.0).ok_or(OutOfRange).and_then(Self::try_from)
    }

    /// `self - other`.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] below zero. Retrying cannot help.
    pub fn minus(self, other: Self) -> Result<Self, OutOfRange> {
        self.0.checked_sub(other.0).map(Self).ok_or(OutOfRange)
    }

    /// `self - other`, or none if that would be less than none.
    #[must_use]
    pub const fn minus_or_zero(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The sum of `all`.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] above [`Points::MAX`].
    pub fn total(all: impl IntoIterator<Item = Self>) -> Result<Self, OutOfRange> {
        all.into_iter().try_fold(Self::ZERO, Self::plus)
    }
}

/// A number of points, money or days left the range in which it is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a number is outside of the range in which it is exact")]
pub struct OutOfRange;

impl TryFrom<u64> for Points {
    type Error = OutOfRange;

    fn try_from(value: u64) -> Result<Self, Self::Error> {
        if value <= Self::MAX.0 { Ok(Self(value)) } else { Err(OutOfRange) }
    }
}

impl From<Points> for u64 {
    fn from(points: Points) -> Self {
        points.0
    }
}

impl std::fmt::Display for Points {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_number_of_points_is_the_largest_signed_64_bit_integer() {
        assert_eq!(Points::try_from(9_223_372_036_854_775_807), Ok(Points::MAX));
        assert_eq!(Points::try_from(9_223_372_036_854_775_808), Err(OutOfRange));
        assert_eq!(Points::MAX.plus(Points(1)), Err(OutOfRange));
        assert_eq!(Points::ZERO.minus(Points(1)), Err(OutOfRange));
        assert_eq!(Points(3).minus_or_zero(Points(5)), Points::ZERO);
    }

    #[test]
    fn points_pass_through_json_as_plain_integers_and_never_out_of_range() {
        assert_eq!(serde_json::to_string(&Points(7)).unwrap(), "7");
        assert_eq!(serde_json::from_str::<Points>("7").unwrap(), Points(7));
        assert!(serde_json::from_str::<Points>("9223372036854775808").is_err());
        assert!(serde_json::from_str::<Points>("-1").is_err());
        assert!(serde_json::from_str::<Points>("1.5").is_err());
    }
}
