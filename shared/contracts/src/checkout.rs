//! Points that pay for orders: what is asked and answered, what statements show of them, and what the shop is told.

use std::num::NonZeroU32;

use jiff::Timestamp;
use loyalty_domain::{
    checkout::{Back, CheckoutEvent, Hold, Paid, PaidAnew, Quote, ReleaseCause, WhyNothing},
    event,
    id::{CommandId, HoldId},
    money::{Currency, Minor},
    points::{OutOfRange, Points},
};
#[cfg(feature = "schemas")]
use schemars::JsonSchema;
use serde::Serialize;

#[cfg(feature = "schemas")]
use crate::schema;
use crate::{
    announcement::{NotAnnounced, What, order_id},
    api::{Change, Entry, LotUse, Source, lot_uses},
    body::{BodyError, Fields, read},
};

/// Points that are held for a checkout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeldPoints {
    /// The hold.
    pub hold_id: String,
    /// How many; at least 1.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub points: u64,
    /// What all points that were held at first pay, in minor units of `currency`.
    pub amount_minor: u64,
    /// The currency of the order.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "GBP"))]
    pub currency: &'static str,
    /// When it ends by itself, and they come back.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub ends_at: Timestamp,
}

impl HeldPoints {
    /// What is shown of `hold`.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] of what was never decided.
    pub fn of(hold: &Hold) -> Result<Self, OutOfRange> {
        Ok(Self {
            hold_id: hold.id.to_string(),
            points: hold.points()?.get(),
            amount_minor: hold.amount.get(),
            currency: hold.terms.currency.code(),
            ends_at: hold.ends_at,
        })
    }
}

/// Points were taken out of their lots and are held for a checkout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct PointsHeld {
    /// The hold.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::DerivedId"))]
    pub hold_id: String,
    /// How many.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub points: u64,
    /// Which lots gave how many.
    pub lots: Vec<LotUse>,
    /// What they pay, in minor units of `currency`.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Amount"))]
    pub amount_minor: u64,
    /// The currency of the order.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::CurrencyCode"))]
    pub currency: &'static str,
    /// When the hold ends by itself.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::AnyInstant"))]
    pub ends_at: Timestamp,
}

/// Held points were used by call. Those that an order uses are told by `points.payment`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct PointsCaptured {
    /// The hold.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::DerivedId"))]
    pub hold_id: String,
    /// How many.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub points: u64,
    /// Which lots had given how many.
    pub lots: Vec<LotUse>,
}

/// Held points were let go, and the hold is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct PointsReleased {
    /// The hold.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::DerivedId"))]
    pub hold_id: String,
    /// Why.
    pub cause: ReleasedBy,
    /// How many came back: those that paid a debt, and those in `lots`.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub points: u64,
    /// How many paid a debt.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub debt_paid: u64,
    /// Which lots got how many back.
    pub lots: Vec<LotUse>,
    /// How many are gone, because their lots expired meanwhile.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub lost: u64,
}

/// Why held points were let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub enum ReleasedBy {
    /// Somebody asked for it.
    Asked,
    /// The rest of the hold was used, or its order needed none.
    NotNeeded,
    /// The hold ended by itself.
    Ended,
    /// Somebody asked for it after its points were used by call, and before any order named it.
    CaptureUndone,
}

impl From<ReleaseCause> for ReleasedBy {
    fn from(cause: ReleaseCause) -> Self {
        match cause {
            ReleaseCause::Asked => Self::Asked,
            ReleaseCause::NotNeeded => Self::NotNeeded,
            ReleaseCause::Ended { .. } => Self::Ended,
            ReleaseCause::CaptureUndone => Self::CaptureUndone,
        }
    }
}

impl ReleasedBy {
    /// The word that stands in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::NotNeeded => "not_needed",
            Self::Ended => "ended",
            Self::CaptureUndone => "capture_undone",
        }
    }
}

/// Points pay an order that names a hold, or an edit changed how many do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct PointsPayment {
    /// The order.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub order_id: String,
    /// The order itself, or the edit. An edit that came before its order stands in the order's entry.
    pub by: Source,
    /// What the order says that points pay, in minor units of its currency.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Amount"))]
    pub amount_minor: u64,
    /// The hold that the order names; `null`: it is an edit.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::DerivedId>"))]
    pub hold_id: Option<String>,
    /// Which points of the hold had been used by call before, as `points.captured` told.
    pub captured: Vec<LotUse>,
    /// Which points of the hold were used.
    pub held: Vec<LotUse>,
    /// Which points of lots were used, because the hold was gone or too small, or the edit needs more.
    pub lots: Vec<LotUse>,
    /// How many points more it would need, which the member does not have: nobody has paid this part of the order.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub uncovered: u64,
    /// Whether no number of points is known for the amount: the hold was gone, and the program lets points pay
    /// nothing. Nobody has paid this part of the order.
    pub is_unknown: bool,
}

/// Points that had paid an order came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct PointsReturned {
    /// The order.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub order_id: String,
    /// The refund, cancellation or edit. One that came before its order stands in the order's entry.
    pub by: Source,
    /// How many came back: those that paid a debt, and those in `lots`.
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
    /// How many the refund asked for beyond those that were left.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub cut: u64,
}

/// What points would pay of an order is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AskQuote {
    /// What the order comes to, in minor units of `currency`.
    #[cfg_attr(feature = "openapi", schema(value_type = u64, minimum = 1, example = 4490))]
    pub total_minor: Minor,
    /// The order's currency.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "GBP"))]
    pub currency: Currency,
    /// How many points at most; absent: as many as can be.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1, example = 500))]
    pub points: Option<Points>,
}

/// Points are to be held for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HoldPoints {
    /// What the order comes to, in minor units of `currency`.
    #[cfg_attr(feature = "openapi", schema(value_type = u64, minimum = 1, example = 4490))]
    pub total_minor: Minor,
    /// The order's currency.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "GBP"))]
    pub currency: Currency,
    /// How many points, as they were quoted; absent: as many as can be.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1, example = 500))]
    pub points: Option<Points>,
    /// For how many minutes; absent: as long as the program lets them.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u32>, minimum = 1, example = 20))]
    pub minutes: Option<NonZeroU32>,
}

/// Held points are used without an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CapturePoints {
    /// How many, and the rest is let go; absent: all.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1, example = 500))]
    pub points: Option<Points>,
}

/// Held points are let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReleasePoints {
    /// Whether points come back, too, that were captured by call, because the sale did not take place. Only services and
    /// staff can say so, and only until an order names the hold; a member has 16 captures that can be undone.
    #[cfg_attr(feature = "openapi", schema(required = false, default = false))]
    pub with_captured: bool,
}

/// What is said where a currency should be.
const CURRENCY: &str = "a currency of ISO 4217 with minor units, such as \"EUR\"";
/// What is said where an amount should be.
const AMOUNT: &str = "a whole number of minor units from 1";

fn read_currency(text: &str) -> Result<Currency, &'static str> {
    text.parse().map_err(|_| CURRENCY)
}

fn amount(it: &Fields<'_>) -> Option<Minor> {
    let amount = it.needed("total_minor", AMOUNT, it.number())?;
    let amount = Minor::try_from(amount).ok();
    if amount.is_none() {
        it.wrong("total_minor", AMOUNT);
    }
    amount
}

impl AskQuote {
    /// The request in `body`.
    ///
    /// # Errors
    ///
    /// A [`BodyError`], which says nothing that was sent. Retrying cannot help.
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        read(body, &["total_minor", "currency", "points"], |it| {
            let total_minor = amount(it);
            let currency = it.needed("currency", CURRENCY, it.text(read_currency));
            let points = it.value("points", it.points());
            Some(Self { total_minor: total_minor?, currency: currency?, points })
        })
    }
}

impl HoldPoints {
    /// The request in `body`.
    ///
    /// # Errors
    ///
    /// As [`AskQuote::read`].
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        read(body, &["total_minor", "currency", "points", "minutes"], |it| {
            let total_minor = amount(it);
            let currency = it.needed("currency", CURRENCY, it.text(read_currency));
            let points = it.value("points", it.points());
            let minutes = it.value("minutes", it.number());
            // The program allows far less than can be counted.
            let minutes = minutes.map(|it| u32::try_from(it).unwrap_or(u32::MAX));
            let minutes = minutes.and_then(NonZeroU32::new);
            Some(Self { total_minor: total_minor?, currency: currency?, points, minutes })
        })
    }
}

impl CapturePoints {
    /// The request in `body`.
    ///
    /// # Errors
    ///
    /// As [`AskQuote::read`].
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        read(body, &["points"], |it| Some(Self { points: it.value("points", it.points()) }))
    }
}

impl ReleasePoints {
    /// The request in `body`.
    ///
    /// # Errors
    ///
    /// As [`AskQuote::read`].
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        read(body, &["with_captured"], |it| {
            Some(Self { with_captured: it.value("with_captured", it.truth()).unwrap_or(false) })
        })
    }
}

/// What points would pay of an order now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QuotedPoints {
    /// How many points: the fewest that are worth `amount_minor`.
    pub points: u64,
    /// What they pay, in minor units of `currency`.
    pub amount_minor: u64,
    /// The currency of the order.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "GBP"))]
    pub currency: &'static str,
    /// The fewest points with which an order is paid.
    pub min_points: u64,
    /// The most points with which this order is paid, whoever pays.
    pub most_points: u64,
    /// What the member can use.
    pub available: u64,
    /// Why it is nothing: `order_too_small`, `too_few_available` or `too_few_wanted`. `null`: it is something.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "too_few_available"))]
    pub why_nothing: Option<&'static str>,
}

impl QuotedPoints {
    /// What is shown of `quote` for an order in `currency` to a member who can use so many points.
    pub fn of(quote: &Quote, currency: Currency, available: Points) -> Self {
        Self {
            points: quote.points.get(),
            amount_minor: quote.amount.get(),
            currency: currency.code(),
            min_points: quote.min_points.get(),
            most_points: quote.most.get(),
            available: available.get(),
            why_nothing: quote.why_nothing.map(|it| match it {
                WhyNothing::OrderTooSmall => "order_too_small",
                WhyNothing::TooFewAvailable => "too_few_available",
                WhyNothing::TooFewWanted => "too_few_wanted",
            }),
        }
    }
}

/// A hold that was made, and its entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeldEntry {
    /// The hold as it was made. An order names its id.
    pub hold: HeldPoints,
    /// The entry that is kept of it.
    pub entry: Entry,
}

fn total(uses: &[event::LotUse]) -> Result<u64, OutOfRange> {
    Points::total(uses.iter().map(|it| it.points)).map(Points::get)
}

/// How many of them the member has back.
fn kept(back: &Back) -> Result<u64, OutOfRange> {
    Ok(back.points()?.minus(back.lost)?.get())
}

impl Change {
    pub(crate) fn checkout(event: &CheckoutEvent) -> Self {
        match event {
            CheckoutEvent::Held(hold) => Self::Held {
                hold_id: hold.id.to_string(),
                lots: lot_uses(&hold.uses),
                amount_minor: hold.amount.get(),
                currency: hold.terms.currency.code(),
                ends_at: hold.ends_at,
            },
            CheckoutEvent::Captured { hold, uses } => {
                Self::Captured { hold_id: hold.to_string(), lots: lot_uses(uses) }
            }
            CheckoutEvent::Released { hold, cause, back } => Self::Released {
                hold_id: hold.to_string(),
                cause: ReleasedBy::from(*cause).as_str(),
                debt_paid: back.debt_paid.get(),
                lots: lot_uses(&back.restored),
                lost: back.lost.get(),
            },
            CheckoutEvent::Paid(paid) => Self::PaidWithPoints {
                hold_id: paid.hold.to_string(),
                amount_minor: paid.amount.get(),
                captured: lot_uses(&paid.captured),
                held: lot_uses(&paid.held),
                lots: lot_uses(&paid.lots),
                uncovered: paid.uncovered.get(),
                is_unknown: paid.terms.is_none() && !paid.amount.is_zero(),
            },
            CheckoutEvent::Returned { by, is_said: _, cut, back } => Self::PointsReturned {
                by: Source::from(by),
                debt_paid: back.debt_paid.get(),
                lots: lot_uses(&back.restored),
                lost: back.lost.get(),
                cut: cut.get(),
            },
            CheckoutEvent::PaidAnew(anew) => Self::PaidWithPointsAnew {
                by: Source::from(&anew.by),
                amount_minor: anew.amount.get(),
                lots: lot_uses(&anew.lots),
                uncovered: anew.uncovered.get(),
                debt_paid: anew.back.debt_paid.get(),
                restored: lot_uses(&anew.back.restored),
                lost: anew.back.lost.get(),
            },
        }
    }
}

fn returned(
    entry: &CommandId,
    by: &CommandId,
    back: &Back,
    cut: Points,
) -> Result<What, NotAnnounced> {
    Ok(What::PointsReturned(PointsReturned {
        order_id: order_id(entry)?,
        by: Source::from(by),
        points: kept(back)?,
        debt_paid: back.debt_paid.get(),
        lots: lot_uses(&back.restored),
        lost: back.lost.get(),
        cut: cut.get(),
    }))
}

fn paid(entry: &CommandId, paid: &Paid) -> Result<What, NotAnnounced> {
    Ok(What::PointsPayment(PointsPayment {
        order_id: order_id(entry)?,
        by: Source::from(entry),
        amount_minor: paid.amount.get(),
        hold_id: Some(paid.hold.to_string()),
        captured: lot_uses(&paid.captured),
        held: lot_uses(&paid.held),
        lots: lot_uses(&paid.lots),
        uncovered: paid.uncovered.get(),
        is_unknown: paid.terms.is_none() && !paid.amount.is_zero(),
    }))
}

fn paid_anew(entry: &CommandId, anew: &PaidAnew) -> Result<Vec<What>, NotAnnounced> {
    let mut told = vec![What::PointsPayment(PointsPayment {
        order_id: order_id(entry)?,
        by: Source::from(&anew.by),
        amount_minor: anew.amount.get(),
        hold_id: None,
        captured: Vec::new(),
        held: Vec::new(),
        lots: lot_uses(&anew.lots),
        uncovered: anew.uncovered.get(),
        is_unknown: false,
    })];
    if !anew.back.points()?.is_zero() {
        told.push(returned(entry, &anew.by, &anew.back, Points::ZERO)?);
    }
    Ok(told)
}

/// What the shop is told of `event` of the entry called `entry`.
pub(crate) fn told(entry: &CommandId, event: &CheckoutEvent) -> Result<Vec<What>, NotAnnounced> {
    let id = |hold: &HoldId| hold.to_string();
    Ok(match event {
        CheckoutEvent::Held(hold) => vec![What::PointsHeld(PointsHeld {
            hold_id: id(&hold.id),
            points: hold.points()?.get(),
            lots: lot_uses(&hold.uses),
            amount_minor: hold.amount.get(),
            currency: hold.terms.currency.code(),
            ends_at: hold.ends_at,
        })],
        CheckoutEvent::Captured { hold, uses } => vec![What::PointsCaptured(PointsCaptured {
            hold_id: id(hold),
            points: total(uses)?,
            lots: lot_uses(uses),
        })],
        CheckoutEvent::Released { hold, cause, back } => {
            vec![What::PointsReleased(PointsReleased {
                hold_id: id(hold),
                cause: (*cause).into(),
                points: kept(back)?,
                debt_paid: back.debt_paid.get(),
                lots: lot_uses(&back.restored),
                lost: back.lost.get(),
            })]
        }
        CheckoutEvent::Paid(it) => vec![paid(entry, it)?],
        CheckoutEvent::Returned { by, is_said: _, cut, back } => {
            vec![returned(entry, by, back, *cut)?]
        }
        CheckoutEvent::PaidAnew(anew) => paid_anew(entry, anew)?,
    })
}
