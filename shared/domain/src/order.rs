//! Orders: what was sent, what of it counts, and what refunds have left of it.

use std::sync::Arc;

use compact_str::CompactString;
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::{
    account::{CapKey, LotId},
    checkout::Payment,
    earning::Component,
    event::{Corrected, Event, LinesChange, TakenLine},
    id::{Category, Channel, HoldId, LineId, MemberId, OrderId, Sku},
    money::{Currency, Minor, Spend, spread},
    points::{OutOfRange, Points},
    program::Program,
    rate::Rate,
};

/// How many lines an order may have.
///
/// As JSON they come close to the largest message of a queue, 1 MiB.
pub const LINES_MAX: usize = 10_000;

/// A paid order as the shop sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub order_id: OrderId,
    /// Whose it is; `None` for a guest's.
    pub member_id: Option<MemberId>,
    /// When it was paid.
    pub paid_at: Timestamp,
    /// The currency of all its amounts.
    pub currency: Currency,
    /// Where it was placed.
    pub channel: Option<Channel>,
    /// A friend's code that came with it.
    pub referral_code: Option<CompactString>,
    /// The hold whose points pay what `content` says is paid with points.
    pub points_hold: Option<HoldId>,
    /// What was bought.
    pub content: Content,
}

/// What was bought, and what was taken off or added for the whole order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The lines, at most [`LINES_MAX`], each with an id of its own.
    pub lines: Vec<Line>,
    /// Discounts on the whole order: spread over its lines by amount.
    pub discounts: Minor,
    /// Shipping.
    pub shipping: Minor,
    /// Tax, if it is not part of the lines' amounts.
    pub tax: Minor,
    /// The part paid with points, which earns nothing: spread over the counting lines by amount.
    pub paid_with_points: Minor,
}

/// One line of an order as the shop sent it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its id within the order.
    pub id: LineId,
    /// What was bought.
    pub sku: Sku,
    /// The category of the goods.
    pub category: Option<Category>,
    /// How many.
    pub quantity: u32,
    /// Quantity times unit price, before discounts.
    pub amount: Minor,
    /// Discounts on this line.
    pub discounts: Minor,
    /// Whether it is a gift card.
    pub is_gift_card: bool,
}

/// Which line of an order: one that was bought, or what was added to the whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineKey {
    /// A line of the order.
    Line(LineId),
    /// Its shipping.
    Shipping,
    /// Its tax.
    Tax,
}

/// What is kept of a line, for refunds to be taken from.
///
/// Invariant: `taken` is at most `amount`, `returned` at most `quantity`, unless the order was edited
/// to less than what had been refunded of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptLine {
    /// Which line.
    pub key: LineKey,
    /// Whether it counts under the program.
    pub counts: bool,
    /// How many were bought.
    pub quantity: u32,
    /// How many came back.
    pub returned: u32,
    /// Its amount after all discounts and, if it counts, the part paid with points.
    pub amount: Minor,
    /// How much of the amount was refunded.
    pub taken: Minor,
}

impl KeptLine {
    /// What is left of the amount.
    pub const fn left(&self) -> Minor {
        self.amount.minus_or_zero(self.taken)
    }

    /// What is left of the amount as far as it counts.
    pub const fn counting(&self) -> Minor {
        if self.counts { self.left() } else { Minor::ZERO }
    }
}

/// The lines of `content` as they count under `program`.
///
/// # Errors
///
/// [`OutOfRange`] if the amounts together are more than money can count.
pub fn kept_lines(program: &Program, content: &Content) -> Result<Vec<KeptLine>, OutOfRange> {
    let earning = &program.spec().earning;
    let nets: Vec<Minor> =
        content.lines.iter().map(|it| it.amount.minus_or_zero(it.discounts)).collect();
    let discounts =
        if content.discounts.is_zero() { Vec::new() } else { spread(content.discounts, &nets)? };
    let mut lines = Vec::with_capacity(content.lines.len().saturating_add(2));
    for (index, (line, net)) in content.lines.iter().zip(nets).enumerate() {
        let exclude = &earning.exclude;
        let is_excluded = exclude.skus.contains(&line.sku)
            || line.category.as_ref().is_some_and(|it| exclude.categories.contains(it))
            || (exclude.gift_cards && line.is_gift_card);
        lines.push(KeptLine {
            key: LineKey::Line(line.id.clone()),
            counts: !is_excluded,
            quantity: line.quantity,
            returned: 0,
            amount: net.minus_or_zero(discounts.get(index).copied().unwrap_or_default()),
            taken: Minor::ZERO,
        });
    }
    let extras = [
        (LineKey::Shipping, content.shipping, earning.counts_shipping),
        (LineKey::Tax, content.tax, earning.counts_tax),
    ];
    for (key, amount, counts) in extras {
        if !amount.is_zero() {
            let taken = Minor::ZERO;
            lines.push(KeptLine { key, counts, quantity: 1, returned: 0, amount, taken });
        }
    }
    if !content.paid_with_points.is_zero() {
        let counting: Vec<Minor> = lines.iter().map(KeptLine::counting).collect();
        for (line, share) in lines.iter_mut().zip(spread(content.paid_with_points, &counting)?) {
            line.amount = line.amount.minus_or_zero(share);
        }
    }
    // Whatever counts must be countable together, or no sum over it could be trusted.
    Minor::total(lines.iter().map(|it| it.amount))?;
    Ok(lines)
}

/// What an order's entry keeps, so that refunds are decided by what was in force then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRecord {
    /// The sequence number of its entry in its member's account; 0: a guest's.
    pub sequence: u64,
    /// The business day of payment.
    pub paid_on: Date,
    /// The currency of its amounts.
    pub currency: Currency,
    /// The rate at which it counts in the program's currency.
    pub rate: Rate,
    /// Its lines, with what refunds have taken of them.
    pub lines: Arc<[KeptLine]>,
    /// How its points come about, in the order in which a cap lets them go last.
    pub components: Vec<Component>,
    /// The headroom that caps left, if there were any.
    pub headroom: Option<Points>,
    /// The points it stands for: the sum of its components.
    pub points: Points,
    /// The lot that its points lie in.
    pub lot: LotId,
    /// When its points become, or became, available.
    pub matures_at: Timestamp,
    /// The caps that it used.
    pub caps: Vec<CapKey>,
    /// The version of the program that it was decided by.
    pub program_version: u32,
    /// When it was last edited or cancelled, as the sender says; an older edit comes too late.
    pub edited_at: Option<Timestamp>,
    /// Where a guest placed it, for when a member claims it. Where there is none, and of a member's, it is not
    /// stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
}

impl OrderRecord {
    /// The eligible amount: what is left of the counting lines.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] never happens to lines that [`kept_lines`] made.
    pub fn eligible(&self) -> Result<Minor, OutOfRange> {
        eligible(&self.lines)
    }

    /// `amount` of this order, counted in the program's currency.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] if it is too large to be kept exactly.
    pub fn spend_of(&self, amount: Minor, program: &Program) -> Result<Spend, OutOfRange> {
        Spend::of(amount, self.currency, self.rate, program.spec().currency)
    }
}

/// The sum of what is left of the counting lines.
///
/// # Errors
///
/// [`OutOfRange`] above [`Minor::MAX`].
pub fn eligible(lines: &[KeptLine]) -> Result<Minor, OutOfRange> {
    Minor::total(lines.iter().map(KeptLine::counting))
}

/// An order that effects were recorded for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderState {
    /// Whose it is; `None` for a guest's.
    pub member_id: Option<MemberId>,
    /// What is kept of it; `None` if it was refused.
    pub record: Option<OrderRecord>,
    /// What points pay of it; `None` if it named no hold. Whoever stores this needs a place for it.
    #[serde(skip)]
    pub payment: Option<Box<Payment>>,
}

impl OrderState {
    /// The order after `event`, which may be about something else.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Earned(earned) => self.record = Some(earned.order.clone()),
            Event::Corrected(corrected) => {
                if let Some(record) = &mut self.record {
                    record.correct(corrected);
                }
            }
            Event::Checkout(event) => {
                let payment = self.payment.take().map(|it| *it);
                self.payment = Payment::after(payment, event).map(Box::new);
            }
            Event::Matured { .. }
            | Event::Lapsed { .. }
            | Event::Expired { .. }
            | Event::Reviewed { .. }
            | Event::LevelReached { .. }
            | Event::LevelLowered { .. }
            | Event::CorrectionRefused { .. }
            | Event::Spent { .. }
            | Event::GivenBack { .. }
            | Event::LifeExtended { .. }
            | Event::ExpiryAnnounced { .. }
            | Event::LevelAtRisk(_)
            | Event::Reinstated { .. }
            | Event::LevelAwaited(_)
            | Event::LevelBegan { .. }
            | Event::LevelNotBegun { .. }
            | Event::GraceBegan { .. }
            | Event::OverrideSet { .. }
            | Event::OverrideLifted { .. }
            | Event::OverrideEnded { .. }
            | Event::Grown { .. }
            | Event::TaskDone { .. }
            | Event::StatusChanged { .. }
            | Event::Granted(_)
            | Event::GrantTakenBack(_)
            | Event::Referral(_)
            | Event::Redemption(_)
            | Event::Transfer(_)
            | Event::Adjustment(_)
            | Event::Merge(_)
            | Event::Opened(_) => (),
        }
    }
}

impl OrderRecord {
    fn correct(&mut self, corrected: &Corrected) {
        match &corrected.lines {
            LinesChange::Replaced(lines) => self.lines = Arc::clone(lines),
            LinesChange::Taken(changes) => {
                let mut lines = self.lines.to_vec();
                for TakenLine { index, returned, taken } in changes {
                    let index = usize::try_from(*index).unwrap_or(usize::MAX);
                    if let Some(line) = lines.get_mut(index) {
                        line.returned = *returned;
                        line.taken = *taken;
                    }
                }
                self.lines = lines.into();
            }
        }
        self.points = corrected.points_after;
        self.headroom = corrected.headroom_after;
        self.edited_at = corrected.edited_at;
        for (component, points) in self.components.iter_mut().zip(&corrected.components_after) {
            component.points = *points;
        }
    }
}
