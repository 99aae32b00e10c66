//! Why a message is no event.

use loyalty_domain::{
    id::{InvalidDerivedId, InvalidId},
    order::LINES_MAX,
    rate::{Rate, RateError},
};

use crate::event::{BODY_BYTES_MAX, NAMES};

/// A message says nothing that could be asked of the domain.
///
/// None of these gets better when the same message is read again, so it goes to the dead letters
/// under the [`name`](Self::name) of its error. Nothing in here was copied from the message, which
/// may be personal: a path consists of names that we gave.
///
/// Variants are in order of precedence: when several apply, the first one listed is returned. What is
/// wrong with fields is found in the order of the message, and what is wrong with lines one line
/// after the other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// More than [`BODY_BYTES_MAX`] bytes.
    #[error("the message has more than {BODY_BYTES_MAX} bytes")]
    TooLarge,
    /// Another encoding, or a text that was cut.
    #[error("the message is not UTF-8 from byte {valid_up_to} on")]
    NotUtf8 {
        /// How many bytes are.
        valid_up_to: usize,
    },
    /// No JSON, or some that is nested too deeply to be read.
    #[error("the message is not JSON: line {line}, column {column}")]
    NotJson {
        /// The line, counted from 1.
        line: usize,
        /// The last byte that was read of the line, counted from 1.
        column: usize,
    },
    /// JSON of something else.
    #[error("the message is no event: it needs `detail-type` and `detail`, or `type`, as text")]
    NotAnEvent,
    /// An event about something else.
    #[error("the event is none of {}", NAMES.join(", "))]
    UnknownEvent,
    /// An event of a version that came later.
    #[error("`version` must be the whole number 1, the only version there is")]
    UnknownVersion,
    /// A field that is always needed is not there.
    #[error("`{path}` is missing")]
    MissingField {
        /// Where it should be.
        path: String,
    },
    /// A field is there twice, and which one was meant only the sender knows.
    #[error("`{path}` is there twice and must be there once")]
    RepeatedField {
        /// Where it is.
        path: String,
    },
    /// A field holds something else.
    #[error("`{path}` must be {expected}: line {line}, column {column}")]
    Malformed {
        /// Which field.
        path: String,
        /// What it should have been.
        expected: &'static str,
        /// The line, counted from 1.
        line: usize,
        /// The last byte that was read of the line, counted from 1.
        column: usize,
    },
    /// Before 1970, when nobody paid online: mostly an instant that was never set.
    #[error("`{path}` must not be before 1970")]
    TooOld {
        /// Which instant.
        path: String,
    },
    /// Later than the clock of whoever received it allows.
    #[error("`{path}` must not be more than five minutes ahead of the receiver's clock")]
    TooFarAhead {
        /// Which instant.
        path: String,
    },
    /// A text is no name of anything.
    #[error("`{path}` is wrong: {reason}")]
    InvalidId {
        /// Which one.
        path: String,
        /// Why.
        reason: InvalidId,
    },
    /// A text is no id of a hold.
    #[error("`{path}` is wrong: {reason}")]
    InvalidHoldId {
        /// Which one.
        path: String,
        /// Why.
        reason: InvalidDerivedId,
    },
    /// A currency that nothing can be counted in.
    #[error("`{path}` must be a currency of ISO 4217 with minor units, such as EUR")]
    UnknownCurrency {
        /// Which one.
        path: String,
    },
    /// A refund by lines, tax or shipping that is also one of a mere amount.
    #[error("a refund must have `amount_minor` or say what is refunded, but not both")]
    BothAmountAndLines,
    /// An order of nothing.
    #[error("`lines` must have a line; `order.cancelled` takes back all that is left of an order")]
    NoLines,
    /// More than [`LINES_MAX`] lines.
    #[error("`lines` must have at most {LINES_MAX} lines")]
    TooManyLines,
    /// A line that says nothing of its worth.
    #[error("`{path}` needs `amount_minor` or `unit_price_minor`")]
    NeitherAmountNorPrice {
        /// Which line.
        path: String,
    },
    /// A line that says its worth twice.
    #[error("`{path}` must have `amount_minor` or `unit_price_minor`, but not both")]
    BothAmountAndPrice {
        /// Which line.
        path: String,
    },
    /// A unit price is no decimal.
    #[error(
        "`{path}` must be a decimal such as 165.5, with at most {} digits after the point and at \
        most {} without it; this one {reason}",
        Rate::SCALE_MAX,
        Rate::MANTISSA_MAX
    )]
    InvalidPrice {
        /// Which one.
        path: String,
        /// Why.
        reason: RateError,
    },
    /// Amounts are more than money can count, together or times their quantity.
    #[error("`{path}` must come to at most 9223372036854775807 minor units")]
    OutOfRange {
        /// Which amounts.
        path: String,
    },
    /// Two lines share an id, so that a refund could not tell them apart.
    #[error("`{path}` must be another id than those of the lines before it")]
    RepeatedLine {
        /// Which one came second.
        path: String,
    },
    /// More of something than an account should have.
    #[error("`{path}` must have at most {most} elements")]
    TooMany {
        /// Which list.
        path: &'static str,
        /// How many it may have.
        most: usize,
    },
    /// A month is there twice, and whether its numbers add up only the sender knows.
    #[error("`{path}` must be another month than those before it")]
    RepeatedMonth {
        /// Which one came second.
        path: String,
    },
    /// A balance of nothing, which could not be brought later any more.
    #[error(
        "a balance needs `lots`, `pending`, `debt`, `tier`, `months` or `earlier` that are not nothing"
    )]
    NothingBrought,
    /// A refund of nothing.
    #[error("a refund needs `lines`, `shipping_minor` or `tax_minor`, or `amount_minor`, above 0")]
    NothingRefunded,
}

impl EventError {
    /// The name of the outcome, for metrics and dead letters; it never changes.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::NotUtf8 { .. } => "not_utf8",
            Self::NotJson { .. } => "not_json",
            Self::NotAnEvent => "not_an_event",
            Self::UnknownEvent => "unknown_event",
            Self::UnknownVersion => "unknown_version",
            Self::MissingField { .. } => "missing_field",
            Self::RepeatedField { .. } => "repeated_field",
            Self::Malformed { .. } => "malformed",
            Self::TooOld { .. } => "too_old",
            Self::TooFarAhead { .. } => "too_far_ahead",
            Self::InvalidId { .. } => "invalid_id",
            Self::InvalidHoldId { .. } => "invalid_hold_id",
            Self::UnknownCurrency { .. } => "unknown_currency",
            Self::BothAmountAndLines => "both_amount_and_lines",
            Self::NoLines => "no_lines",
            Self::TooManyLines => "too_many_lines",
            Self::NeitherAmountNorPrice { .. } => "neither_amount_nor_price",
            Self::BothAmountAndPrice { .. } => "both_amount_and_price",
            Self::InvalidPrice { .. } => "invalid_price",
            Self::OutOfRange { .. } => "out_of_range",
            Self::RepeatedLine { .. } => "repeated_line",
            Self::TooMany { .. } => "too_many",
            Self::RepeatedMonth { .. } => "repeated_month",
            Self::NothingBrought => "nothing_brought",
            Self::NothingRefunded => "nothing_refunded",
        }
    }
}
