//! The shapes of order events, version 1, and what each asks of the domain.
//!
//! An importer builds these without any JSON, or makes them of the requests that it has. Fields that an event does not need may be absent or
//! `null`, which is the same; fields that no shape names are not looked at.

use std::num::NonZeroU32;

use compact_str::CompactString;
use jiff::{SignedDuration, Timestamp};
use loyalty_domain::{
    command::{Correction, RefundLine, Request},
    id::{ChangeId, HoldId, ID_BYTES_MAX, InvalidId, LineId, OrderId, RefundId},
    money::{Currency, Minor},
    order::{self, Content, LINES_MAX, LineKey, Order},
    points::Points,
    rate::Rate,
};
#[cfg(feature = "schemas")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[cfg(feature = "schemas")]
use crate::schema;
use crate::{error::EventError, json};

/// Absent is the same as nothing, and shorter.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_zero(amount: &Minor) -> bool {
    amount.is_zero()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// How far a sender's clock may run ahead of ours.
pub(crate) const AHEAD_MAX: SignedDuration = SignedDuration::from_mins(5);

/// An order was paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct OrderPaid {
    /// The shop's id of the order. No two orders share one, whoever paid them.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub order_id: CompactString,
    /// The shop's id of the member, absent for a guest. Never a mail address or a phone number.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Id>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_id: Option<CompactString>,
    /// When it was paid.
    #[serde(deserialize_with = "json::instant")]
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Instant"))]
    pub paid_at: Timestamp,
    /// The currency of all its amounts.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::CurrencyCode"))]
    pub currency: CompactString,
    /// Where it was placed: online, store, app, ….
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Id>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<CompactString>,
    /// What was bought: 1 to 10,000 lines.
    #[serde(deserialize_with = "json::objects")]
    #[cfg_attr(feature = "schemas", schemars(length(min = 1, max = 10_000)))]
    pub lines: Vec<Line>,
    /// Discounts on the whole order, which are not part of any line's.
    #[serde(default, deserialize_with = "json::objects_or_none")]
    #[cfg_attr(feature = "schemas", schemars(with = "Option<Vec<Discount>>"))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub discounts: Vec<Discount>,
    /// Tax, if it is not part of the lines' amounts.
    #[serde(default, deserialize_with = "json::or_default")]
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Amount>", extend("default" = 0)))]
    #[serde(skip_serializing_if = "is_zero")]
    pub tax_minor: Minor,
    /// Shipping.
    #[serde(default, deserialize_with = "json::or_default")]
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Amount>", extend("default" = 0)))]
    #[serde(skip_serializing_if = "is_zero")]
    pub shipping_minor: Minor,
    /// The part of the order that was paid with points.
    #[serde(default, deserialize_with = "json::or_default")]
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Amount>", extend("default" = 0)))]
    #[serde(skip_serializing_if = "is_zero")]
    pub paid_with_points_minor: Minor,
    /// A friend's code that came with the order.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Id>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referral_code: Option<CompactString>,
    /// The hold whose points pay `paid_with_points_minor`; what it held beyond that is let go.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::DerivedId>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points_hold_id: Option<CompactString>,
}

/// A line of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schemas",
    derive(JsonSchema),
    schemars(extend("oneOf" = schema::one_of(&[("amount_minor", "integer"), ("unit_price_minor", "string")])))
)]
pub struct Line {
    /// Its id, unlike that of any other line of the order.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub id: CompactString,
    /// What was bought.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub sku: CompactString,
    /// The category of the goods.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Id>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<CompactString>,
    /// How many.
    #[cfg_attr(feature = "schemas", schemars(range(max = 4_294_967_295_u32)))]
    pub quantity: NonZeroU32,
    /// Quantity times unit price, before discounts. Either this or `unit_price_minor`.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Amount>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_minor: Option<Minor>,
    /// The price of one before discounts, where it is finer than a minor unit. What it comes to is
    /// rounded to a minor unit, half away from zero.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Price>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_price_minor: Option<CompactString>,
    /// Discounts on this line.
    #[serde(default, deserialize_with = "json::objects_or_none")]
    #[cfg_attr(feature = "schemas", schemars(with = "Option<Vec<Discount>>"))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub discounts: Vec<Discount>,
    /// Whether it is a gift card. Default: false.
    #[serde(default, deserialize_with = "json::or_default")]
    #[cfg_attr(feature = "schemas", schemars(with = "Option<bool>", extend("default" = false)))]
    #[serde(skip_serializing_if = "is_false")]
    pub gift_card: bool,
}

/// A discount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct Discount {
    /// How much it takes off.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Amount"))]
    pub amount_minor: Minor,
    /// The code that gave it. It is not kept, and an event with another one is the same event.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<String>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<CompactString>,
}

/// An order that was paid was edited: what it is now, complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct OrderChanged {
    /// The shop's id of the order.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub order_id: CompactString,
    /// The shop's id of the change, unlike that of any other change of the order.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub change_id: CompactString,
    /// When it was changed.
    #[serde(deserialize_with = "json::instant")]
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Instant"))]
    pub changed_at: Timestamp,
    /// What is bought now: 1 to 10,000 lines.
    #[serde(deserialize_with = "json::objects")]
    #[cfg_attr(feature = "schemas", schemars(length(min = 1, max = 10_000)))]
    pub lines: Vec<Line>,
    /// Discounts on the whole order, which are not part of any line's.
    #[serde(default, deserialize_with = "json::objects_or_none")]
    #[cfg_attr(feature = "schemas", schemars(with = "Option<Vec<Discount>>"))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub discounts: Vec<Discount>,
    /// Tax, if it is not part of the lines' amounts.
    #[serde(default, deserialize_with = "json::or_default")]
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Amount>", extend("default" = 0)))]
    #[serde(skip_serializing_if = "is_zero")]
    pub tax_minor: Minor,
    /// Shipping.
    #[serde(default, deserialize_with = "json::or_default")]
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Amount>", extend("default" = 0)))]
    #[serde(skip_serializing_if = "is_zero")]
    pub shipping_minor: Minor,
    /// The part of the order that was paid with points.
    #[serde(default, deserialize_with = "json::or_default")]
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Amount>", extend("default" = 0)))]
    #[serde(skip_serializing_if = "is_zero")]
    pub paid_with_points_minor: Minor,
}

/// All that was left of an order was cancelled, which happens once to an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct OrderCancelled {
    /// The shop's id of the order.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub order_id: CompactString,
    /// When it was cancelled.
    #[serde(deserialize_with = "json::instant")]
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Instant"))]
    pub cancelled_at: Timestamp,
}

/// A part of an order was refunded: lines, shipping and tax, or an amount without lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schemas",
    derive(JsonSchema),
    schemars(extend("oneOf" = schema::refunds()))
)]
pub struct OrderRefunded {
    /// The shop's id of the order.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub order_id: CompactString,
    /// The shop's id of the refund, unlike that of any other refund of the order.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub refund_id: CompactString,
    /// When it was refunded.
    #[serde(deserialize_with = "json::instant")]
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Instant"))]
    pub refunded_at: Timestamp,
    /// What is refunded of which lines: at most 10,000.
    #[serde(default, deserialize_with = "json::objects_if_any")]
    #[cfg_attr(feature = "schemas", schemars(length(max = 10_000)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<RefundedLine>>,
    /// What is refunded of shipping.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Amount>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shipping_minor: Option<Minor>,
    /// What is refunded of tax.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Amount>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax_minor: Option<Minor>,
    /// The amount of a refund without lines.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::Amount>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_minor: Option<Minor>,
    /// How many of the points come back that paid the order. Without it, those of the part that is refunded.
    #[cfg_attr(feature = "schemas", schemars(with = "Option<schema::WholePoints>"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub points_returned: Option<Points>,
}

/// What is refunded of a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
pub struct RefundedLine {
    /// The line's id within the order.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub id: CompactString,
    /// How many come back; 0 if only money goes back.
    #[cfg_attr(feature = "schemas", schemars(range(max = 4_294_967_295_u32)))]
    pub quantity: u32,
    /// How much is paid back.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Amount"))]
    pub amount_minor: Minor,
}

impl OrderPaid {
    /// What this event asks of the domain, if it is received at `received_at`.
    ///
    /// # Errors
    ///
    /// An [`EventError`] from [`EventError::TooOld`] on. Retrying cannot help.
    pub fn into_request(self, received_at: Timestamp) -> Result<Request, EventError> {
        check_instant("paid_at", self.paid_at, received_at)?;
        let order_id = id("order_id", self.order_id)?;
        let member_id = self.member_id.map(|it| id("member_id", it)).transpose()?;
        let channel = self.channel.map(|it| id("channel", it)).transpose()?;
        let referral_code = self.referral_code.map(referral_code).transpose()?;
        let points_hold = self.points_hold_id.as_deref().map(hold_id).transpose()?;
        let currency: Currency = self
            .currency
            .parse()
            .map_err(|_| EventError::UnknownCurrency { path: "currency".to_owned() })?;
        let content = Contents {
            lines: self.lines,
            discounts: &self.discounts,
            tax: self.tax_minor,
            shipping: self.shipping_minor,
            paid_with_points: self.paid_with_points_minor,
        };
        Ok(Request::order(Order {
            order_id,
            member_id,
            paid_at: self.paid_at,
            currency,
            channel,
            referral_code,
            points_hold,
            content: content.into_content()?,
        }))
    }
}

impl OrderChanged {
    /// What this event asks of the domain, if it is received at `received_at`.
    ///
    /// # Errors
    ///
    /// An [`EventError`] from [`EventError::TooOld`] on. Retrying cannot help.
    pub fn into_request(self, received_at: Timestamp) -> Result<Request, EventError> {
        check_instant("changed_at", self.changed_at, received_at)?;
        let order_id = id("order_id", self.order_id)?;
        let change_id = id("change_id", self.change_id)?;
        let content = Contents {
            lines: self.lines,
            discounts: &self.discounts,
            tax: self.tax_minor,
            shipping: self.shipping_minor,
            paid_with_points: self.paid_with_points_minor,
        };
        Ok(Request::change(order_id, change_id, self.changed_at, content.into_content()?))
    }
}

impl OrderCancelled {
    /// What this event asks of the domain, if it is received at `received_at`.
    ///
    /// # Errors
    ///
    /// An [`EventError`] from [`EventError::TooOld`] on. Retrying cannot help.
    pub fn into_request(self, received_at: Timestamp) -> Result<Request, EventError> {
        check_instant("cancelled_at", self.cancelled_at, received_at)?;
        Ok(Request::cancel(id("order_id", self.order_id)?, self.cancelled_at))
    }
}

impl OrderRefunded {
    /// What this event asks of the domain, if it is received at `received_at`.
    ///
    /// # Errors
    ///
    /// An [`EventError`] from [`EventError::TooOld`] on. Retrying cannot help.
    pub fn into_request(self, received_at: Timestamp) -> Result<Request, EventError> {
        check_instant("refunded_at", self.refunded_at, received_at)?;
        let order_id = id("order_id", self.order_id)?;
        let refund_id = id("refund_id", self.refund_id)?;
        let says_what =
            self.lines.is_some() || self.shipping_minor.is_some() || self.tax_minor.is_some();
        let correction = match self.amount_minor {
            Some(_) if says_what => return Err(EventError::BothAmountAndLines),
            Some(Minor::ZERO) => return Err(EventError::NothingRefunded),
            Some(amount) => Correction::Amount(amount),
            None => Correction::Lines(refund_lines(
                self.lines.unwrap_or_default(),
                self.shipping_minor.unwrap_or_default(),
                self.tax_minor.unwrap_or_default(),
            )?),
        };
        let refund = Request::refund(order_id, refund_id, self.refunded_at, correction);
        Ok(refund.returning(self.points_returned))
    }
}

impl OrderPaid {
    /// The event that asks for `order`.
    pub fn of(order: &Order) -> Self {
        let content = &order.content;
        Self {
            order_id: order.order_id.clone().into(),
            member_id: order.member_id.clone().map(Into::into),
            paid_at: order.paid_at,
            currency: order.currency.code().into(),
            channel: order.channel.clone().map(Into::into),
            lines: content.lines.iter().map(Line::of).collect(),
            discounts: Discount::of(content.discounts),
            tax_minor: content.tax,
            shipping_minor: content.shipping,
            paid_with_points_minor: content.paid_with_points,
            referral_code: order.referral_code.clone(),
            points_hold_id: order.points_hold.map(|it| it.to_string().into()),
        }
    }
}

impl OrderChanged {
    /// The event that says what an order is now.
    pub fn of(
        order_id: &OrderId,
        change_id: &ChangeId,
        changed_at: Timestamp,
        content: &Content,
    ) -> Self {
        Self {
            order_id: order_id.clone().into(),
            change_id: change_id.clone().into(),
            changed_at,
            lines: content.lines.iter().map(Line::of).collect(),
            discounts: Discount::of(content.discounts),
            tax_minor: content.tax,
            shipping_minor: content.shipping,
            paid_with_points_minor: content.paid_with_points,
        }
    }
}

impl OrderRefunded {
    /// The event that refunds `lines` of an order.
    pub fn of_lines(
        order_id: &OrderId,
        refund_id: &RefundId,
        refunded_at: Timestamp,
        lines: &[RefundLine],
    ) -> Self {
        let mut event = Self {
            order_id: order_id.clone().into(),
            refund_id: refund_id.clone().into(),
            refunded_at,
            lines: Some(Vec::with_capacity(lines.len())),
            shipping_minor: None,
            tax_minor: None,
            amount_minor: None,
            points_returned: None,
        };
        for RefundLine { key, quantity, amount } in lines {
            match key {
                LineKey::Shipping => event.shipping_minor = Some(*amount),
                LineKey::Tax => event.tax_minor = Some(*amount),
                LineKey::Line(id) => event.lines.get_or_insert_default().push(RefundedLine {
                    id: id.clone().into(),
                    quantity: *quantity,
                    amount_minor: *amount,
                }),
            }
        }
        event
    }

    /// The event that refunds `amount` of an order, whatever its lines.
    pub fn of_amount(
        order_id: &OrderId,
        refund_id: &RefundId,
        refunded_at: Timestamp,
        amount: Minor,
    ) -> Self {
        Self {
            order_id: order_id.clone().into(),
            refund_id: refund_id.clone().into(),
            refunded_at,
            lines: None,
            shipping_minor: None,
            tax_minor: None,
            amount_minor: Some(amount),
            points_returned: None,
        }
    }
}

impl Line {
    fn of(line: &order::Line) -> Self {
        Self {
            id: line.id.clone().into(),
            sku: line.sku.clone().into(),
            category: line.category.clone().map(Into::into),
            quantity: line.quantity.try_into().unwrap_or(NonZeroU32::MIN),
            amount_minor: Some(line.amount),
            unit_price_minor: None,
            discounts: Discount::of(line.discounts),
            gift_card: line.is_gift_card,
        }
    }
}

impl Discount {
    fn of(amount: Minor) -> Vec<Self> {
        if amount.is_zero() {
            return Vec::new();
        }
        vec![Self { amount_minor: amount, code: None }]
    }
}

/// What is bought, as two kinds of event say it.
struct Contents<'a> {
    lines: Vec<Line>,
    discounts: &'a [Discount],
    tax: Minor,
    shipping: Minor,
    paid_with_points: Minor,
}

impl Contents<'_> {
    fn into_content(self) -> Result<Content, EventError> {
        if self.lines.is_empty() {
            return Err(EventError::NoLines);
        }
        if self.lines.len() > LINES_MAX {
            return Err(EventError::TooManyLines);
        }
        let lines = self
            .lines
            .into_iter()
            .enumerate()
            .map(|(index, line)| line.into_line(index))
            .collect::<Result<Vec<_>, _>>()?;
        // Whatever the program counts of an order, its sum is countable.
        let all = lines.iter().map(|it| it.amount).chain([self.tax, self.shipping]);
        Minor::total(all).map_err(|_| EventError::OutOfRange { path: "lines".to_owned() })?;
        check_no_line_is_repeated(&lines)?;
        Ok(Content {
            lines,
            discounts: sum(self.discounts, || "discounts".to_owned())?,
            shipping: self.shipping,
            tax: self.tax,
            paid_with_points: self.paid_with_points,
        })
    }
}

impl Line {
    fn into_line(self, index: usize) -> Result<order::Line, EventError> {
        let line = || format!("lines[{index}]");
        let path = |field: &str| format!("lines[{index}].{field}");
        let invalid = |field| move |reason| EventError::InvalidId { path: path(field), reason };
        let id = self.id.try_into().map_err(invalid("id"))?;
        let sku = self.sku.try_into().map_err(invalid("sku"))?;
        let category = self.category.map(TryInto::try_into).transpose();
        let category = category.map_err(invalid("category"))?;
        let amount = match (self.amount_minor, self.unit_price_minor) {
            (None, None) => return Err(EventError::NeitherAmountNorPrice { path: line() }),
            (Some(_), Some(_)) => return Err(EventError::BothAmountAndPrice { path: line() }),
            (Some(amount), None) => amount,
            (None, Some(text)) => {
                let price = || path("unit_price_minor");
                let rate = text
                    .parse()
                    .map_err(|reason| EventError::InvalidPrice { path: price(), reason })?;
                times(self.quantity.get(), rate)
                    .ok_or_else(|| EventError::OutOfRange { path: price() })?
            }
        };
        Ok(order::Line {
            id,
            sku,
            category,
            quantity: self.quantity.get(),
            amount,
            discounts: sum(&self.discounts, || path("discounts"))?,
            is_gift_card: self.gift_card,
        })
    }
}

/// The lines of a refund, those of shipping and tax included.
fn refund_lines(
    refunded: Vec<RefundedLine>,
    shipping: Minor,
    tax: Minor,
) -> Result<Vec<RefundLine>, EventError> {
    if refunded.len() > LINES_MAX {
        return Err(EventError::TooManyLines);
    }
    let mut lines = Vec::with_capacity(refunded.len().saturating_add(2));
    for (index, line) in refunded.into_iter().enumerate() {
        let invalid = |reason| EventError::InvalidId { path: format!("lines[{index}].id"), reason };
        let key = LineKey::Line(line.id.try_into().map_err(invalid)?);
        lines.push(RefundLine { key, quantity: line.quantity, amount: line.amount_minor });
    }
    for (key, amount) in [(LineKey::Shipping, shipping), (LineKey::Tax, tax)] {
        if !amount.is_zero() {
            lines.push(RefundLine { key, quantity: 0, amount });
        }
    }
    Minor::total(lines.iter().map(|it| it.amount))
        .map_err(|_| EventError::OutOfRange { path: "lines".to_owned() })?;
    if lines.iter().all(|it| it.quantity == 0 && it.amount.is_zero()) {
        return Err(EventError::NothingRefunded);
    }
    Ok(lines)
}

pub(crate) fn check_instant(
    field: &'static str,
    at: Timestamp,
    received_at: Timestamp,
) -> Result<(), EventError> {
    check_not_before_1970(at, || field.to_owned())?;
    if at.duration_since(received_at) > AHEAD_MAX {
        return Err(EventError::TooFarAhead { path: field.to_owned() });
    }
    Ok(())
}

pub(crate) fn check_not_before_1970(
    at: Timestamp,
    path: impl FnOnce() -> String,
) -> Result<(), EventError> {
    if at < Timestamp::UNIX_EPOCH { Err(EventError::TooOld { path: path() }) } else { Ok(()) }
}

pub(crate) fn id<T: TryFrom<CompactString, Error = InvalidId>>(
    field: &'static str,
    text: CompactString,
) -> Result<T, EventError> {
    T::try_from(text).map_err(|reason| EventError::InvalidId { path: field.to_owned(), reason })
}

/// A code is bound as ids are, but the domain has no type of its own for it.
fn referral_code(text: CompactString) -> Result<CompactString, EventError> {
    let kind = "a referral code";
    let reason = if text.trim().is_empty() {
        InvalidId::Empty { kind }
    } else if text.len() > ID_BYTES_MAX {
        InvalidId::TooLong { kind }
    } else if text.chars().any(char::is_control) {
        InvalidId::ControlCharacter { kind }
    } else {
        return Ok(text);
    };
    Err(EventError::InvalidId { path: "referral_code".to_owned(), reason })
}

fn hold_id(text: &str) -> Result<HoldId, EventError> {
    HoldId::try_from(text)
        .map_err(|reason| EventError::InvalidHoldId { path: "points_hold_id".to_owned(), reason })
}

fn sum(discounts: &[Discount], path: impl Fn() -> String) -> Result<Minor, EventError> {
    Minor::total(discounts.iter().map(|it| it.amount_minor))
        .map_err(|_| EventError::OutOfRange { path: path() })
}

/// `quantity` times `price`, rounded half away from zero to a minor unit; `None` above
/// [`Minor::MAX`].
fn times(quantity: u32, price: Rate) -> Option<Minor> {
    let product = u128::from(price.mantissa()).checked_mul(quantity.into())?;
    let unit = 10_u128.checked_pow(price.scale().into())?;
    let half = unit.checked_div(2)?;
    let rounded = product.checked_add(half)?.checked_div(unit)?;
    u64::try_from(rounded).ok()?.try_into().ok()
}

fn check_no_line_is_repeated(lines: &[order::Line]) -> Result<(), EventError> {
    let mut ids: Vec<(&LineId, usize)> =
        lines.iter().enumerate().map(|(index, it)| (&it.id, index)).collect();
    // Sorted rather than hashed: most orders are short, and nobody can choose ids that collide.
    ids.sort_unstable();
    let repeated = ids
        .windows(2)
        .filter_map(|pair| match pair {
            [(first, _), (second, index)] if first == second => Some(*index),
            _ => None,
        })
        .min();
    match repeated {
        None => Ok(()),
        Some(index) => Err(EventError::RepeatedLine { path: format!("lines[{index}].id") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(quantity: u32, price: &str) -> Option<u64> {
        times(quantity, price.parse().unwrap()).map(Minor::get)
    }

    #[test]
    fn a_price_finer_than_a_minor_unit_is_rounded_once_and_half_away_from_zero() {
        assert_eq!(amount(1, "165.5"), Some(166));
        assert_eq!(amount(3, "165.5"), Some(497));
        assert_eq!(amount(1, "165.499999999"), Some(165));
        assert_eq!(amount(1000, "0.0005"), Some(1));
        assert_eq!(amount(999, "0.0005"), Some(0));
        assert_eq!(amount(7, "165"), Some(1155));
        assert_eq!(amount(u32::MAX, "0"), Some(0));
    }

    #[test]
    fn a_price_times_a_quantity_is_at_most_what_money_can_count() {
        assert_eq!(amount(9_223, "1000000000000000"), Some(9_223_000_000_000_000_000));
        assert_eq!(amount(9_224, "1000000000000000"), None);
        assert_eq!(amount(u32::MAX, "1000000000000000"), None);
    }
}
