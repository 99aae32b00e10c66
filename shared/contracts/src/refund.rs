//! What a refund would do: what is asked before an order is refunded, and what is answered.

use jiff::Timestamp;
use loyalty_domain::{
    command::{Correction, RefundLine, Request},
    id::{InvalidId, LineId, OrderId, RefundId},
    money::Minor,
    order::{LINES_MAX, LineKey},
    points::Points,
};
use serde::Serialize;

use crate::{
    api::Entry,
    body::{BodyError, Fields, read},
};

/// What is said where an order's id should be.
const ORDER_ID: &str = "the shop's id of an order";
/// What is said where an amount should be.
const AMOUNT: &str = "a whole number of minor units";
/// The id of a refund that has none yet.
const NO_ID: &str = "loyalty:preview";

/// A refund that may come: as `order.refunded` would say it, or all that is left.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PreviewRefund {
    /// The shop's id of the order.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "536365"))]
    pub order_id: OrderId,
    /// The shop's id of the refund, if it has one. A refund that was sent before is shown as it took effect.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "R1"))]
    pub refund_id: RefundId,
    /// What would be refunded of which lines.
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub lines: Vec<PreviewedLine>,
    /// What would be refunded of shipping.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub shipping_minor: Option<Minor>,
    /// What would be refunded of tax.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub tax_minor: Option<Minor>,
    /// The amount of a refund without lines.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1, example = 2500))]
    pub amount_minor: Option<Minor>,
    /// How many of the points would come back that paid the order; absent: those of the part that is refunded.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub points_returned: Option<Points>,
    /// Whether all that is left would be, as by `order.cancelled`; nothing else is said then.
    #[cfg_attr(feature = "openapi", schema(required = false, default = false))]
    pub all: bool,
}

/// What would be refunded of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PreviewedLine {
    /// The line's id within the order.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "1"))]
    pub id: LineId,
    /// How many would come back; 0 if only money goes back.
    pub quantity: u32,
    /// How much would be paid back.
    #[cfg_attr(feature = "openapi", schema(value_type = u64, example = 2500))]
    pub amount_minor: Minor,
}

fn amount(it: &Fields<'_>, name: &str) -> Option<Minor> {
    let amount = Minor::try_from(it.value(name, it.count())?).ok();
    if amount.is_none() {
        it.wrong(name, AMOUNT);
    }
    amount
}

fn line(it: &Fields<'_>) -> Option<PreviewedLine> {
    let read_id = |text: &str| -> Result<LineId, InvalidId> { LineId::try_from(text) };
    let id = it.needed("id", "the id of a line of the order", it.text(read_id));
    let quantity = it.needed("quantity", "how many come back, or 0", it.count());
    let quantity = quantity.and_then(|number| {
        let quantity = u32::try_from(number).ok();
        if quantity.is_none() {
            it.wrong("quantity", format_args!("at most {}", u32::MAX));
        }
        quantity
    });
    if it.node("amount_minor").is_none() {
        it.wrong("amount_minor", AMOUNT);
    }
    let amount_minor = amount(it, "amount_minor");
    Some(PreviewedLine { id: id?, quantity: quantity?, amount_minor: amount_minor? })
}

impl PreviewRefund {
    /// The request in `body`.
    ///
    /// # Errors
    ///
    /// A [`BodyError`], which says nothing that was sent. Retrying cannot help.
    pub fn read(body: &[u8]) -> Result<Self, BodyError> {
        let names = [
            "order_id",
            "refund_id",
            "lines",
            "shipping_minor",
            "tax_minor",
            "amount_minor",
            "points_returned",
            "all",
        ];
        read(body, &names, |it| {
            let order_id = it.needed("order_id", ORDER_ID, it.text(|text| OrderId::try_from(text)));
            let named = it.value("refund_id", it.text(|text| RefundId::try_from(text)));
            let is_named = named.is_some();
            let refund_id = named.or_else(|| RefundId::try_from(NO_ID).ok());
            let names = ["id", "quantity", "amount_minor"];
            let lines = it.value("lines", it.objects(LINES_MAX, &names, line)).unwrap_or_default();
            let [shipping_minor, tax_minor, amount_minor] =
                ["shipping_minor", "tax_minor", "amount_minor"].map(|name| amount(it, name));
            let points_returned = it.value("points_returned", it.count());
            let points_returned = points_returned.and_then(|number| {
                let points = Points::try_from(number).ok();
                if points.is_none() {
                    it.wrong("points_returned", format_args!("at most {} points", Points::MAX));
                }
                points
            });
            let all = it.value("all", it.truth()).unwrap_or(false);

            let says_lines = it.node("lines").is_some()
                || it.node("shipping_minor").is_some()
                || it.node("tax_minor").is_some();
            let says_amount = it.node("amount_minor").is_some();
            if all && (says_lines || says_amount || is_named || points_returned.is_some()) {
                it.wrong("all", "nothing beside it but `order_id`");
            } else if says_lines && says_amount {
                it.wrong("amount_minor", "nothing, beside lines, shipping or tax");
            }
            let pieces = lines.iter().any(|it| it.quantity > 0 || !it.amount_minor.is_zero());
            let sums = [shipping_minor, tax_minor, amount_minor];
            let money = sums.iter().flatten().any(|it| !it.is_zero());
            let amounts = lines.iter().map(|it| it.amount_minor);
            let others = [shipping_minor, tax_minor].into_iter().flatten();
            if Minor::total(amounts.chain(others)).is_err() {
                it.wrong("lines", "amounts whose sum can be counted");
            } else if !all && !pieces && !money {
                it.wrong("lines", "what is refunded: lines, an amount, shipping, tax, or `all`");
            }
            Some(Self {
                order_id: order_id?,
                refund_id: refund_id?,
                lines,
                shipping_minor,
                tax_minor,
                amount_minor,
                points_returned,
                all,
            })
        })
    }

    /// What it would ask of the domain at an instant.
    pub fn into_request(self, at: Timestamp) -> Request {
        let order_id = self.order_id;
        if self.all {
            return Request::cancel(order_id, at);
        }
        let correction = self.amount_minor.map_or_else(
            || {
                let lines = self.lines.into_iter().map(|it| RefundLine {
                    key: LineKey::Line(it.id),
                    quantity: it.quantity,
                    amount: it.amount_minor,
                });
                let others =
                    [(LineKey::Shipping, self.shipping_minor), (LineKey::Tax, self.tax_minor)];
                let others = others.into_iter().filter_map(|(key, amount)| {
                    let amount = amount.filter(|it| !it.is_zero())?;
                    Some(RefundLine { key, quantity: 0, amount })
                });
                Correction::Lines(lines.chain(others).collect())
            },
            Correction::Amount,
        );
        Request::refund(order_id, self.refund_id, at, correction).returning(self.points_returned)
    }
}

/// What a refund would do if it came now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RefundPreview {
    /// Whether it would take effect; `false`: it has, by the entry that is shown.
    pub is_new: bool,
    /// The entry that would be kept, with the balance after it. A guest's order has no balance, and is shown with none.
    pub entry: Entry,
}
