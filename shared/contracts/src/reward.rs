//! What the shop and the member are told of rewards that were taken.
//!
//! A code is among it, since the shop must know those that were made here. Whoever hears of these events can use
//! it, as whoever has the shop's orders can.

use loyalty_domain::{
    points::{self, OutOfRange},
    redemption::{Issued, RedemptionEvent, Returned},
    reward::{RewardKind, Unique},
};
#[cfg(feature = "schemas")]
use schemars::JsonSchema;
use serde::Serialize;

#[cfg(feature = "schemas")]
use crate::schema;
use crate::{
    announcement::What,
    api::{Change, LotUse, lot_uses},
};

/// A member took a reward.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RewardIssued {
    /// The redemption.
    pub redemption_id: String,
    /// The shop's id of the reward.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub reward_id: String,
    /// The version of the reward that was taken: later ones change nothing about it.
    pub reward_version: u32,
    /// What was taken.
    pub reward: RedeemedReward,
    /// What it cost.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::WholePoints"))]
    pub points: u64,
    /// Which lots gave how many of these points.
    pub lots: Vec<LotUse>,
    /// The coupon's code. `null`: it is no coupon.
    pub code: Option<String>,
    /// The collectible's serial number. `null`: it has none.
    pub serial: Option<u64>,
    /// Where it was asked for. `null`: that was not said.
    pub channel: Option<String>,
}

/// What a reward is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RedeemedReward {
    /// Of which kind.
    pub kind: RewardKindName,
    /// What it is worth, in minor units of the program's currency. `null`: it is no money.
    pub amount_minor: Option<u64>,
    /// To whom a donation goes. `null`: it is none.
    pub to: Option<String>,
}

/// The kinds of rewards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RewardKindName {
    /// Goods, to be handed over.
    Goods,
    /// A coupon code.
    Coupon,
    /// A discount of an order.
    OrderDiscount,
    /// A gift card, to be issued.
    GiftCard,
    /// Delivery without its price.
    FreeShipping,
    /// A digital piece with a serial number.
    Collectible,
    /// Money for somebody in need.
    Donation,
}

/// What was taken was handed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RewardFulfilled {
    /// The redemption.
    pub redemption_id: String,
    /// The code of why, or how.
    pub reason: String,
}

/// What was taken is not going to be handed over, or came back; so do its points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(JsonSchema))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RewardReturned {
    /// The redemption.
    pub redemption_id: String,
    /// The shop's id of the reward.
    #[cfg_attr(feature = "schemas", schemars(with = "schema::Id"))]
    pub reward_id: String,
    /// The code of why.
    pub reason: String,
    /// How many points came back: those that paid a debt, and those in `lots`.
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
    /// Whether it was put back into stock. Codes and serial numbers are not.
    pub restocked: bool,
}

impl From<&RewardKind> for RedeemedReward {
    fn from(kind: &RewardKind) -> Self {
        let plain = |kind| Self { kind, amount_minor: None, to: None };
        match kind {
            RewardKind::Goods => plain(RewardKindName::Goods),
            RewardKind::Coupon { .. } => plain(RewardKindName::Coupon),
            RewardKind::OrderDiscount { amount_minor } => Self {
                amount_minor: Some(amount_minor.get()),
                ..plain(RewardKindName::OrderDiscount)
            },
            RewardKind::GiftCard { amount_minor } => {
                Self { amount_minor: Some(amount_minor.get()), ..plain(RewardKindName::GiftCard) }
            }
            RewardKind::FreeShipping => plain(RewardKindName::FreeShipping),
            RewardKind::Collectible => plain(RewardKindName::Collectible),
            RewardKind::Donation { amount_minor, to } => Self {
                amount_minor: Some(amount_minor.get()),
                to: Some(to.to_string()),
                ..plain(RewardKindName::Donation)
            },
        }
    }
}

impl From<&Issued> for RewardIssued {
    fn from(issued: &Issued) -> Self {
        let (code, serial) = match &issued.unique {
            Some(Unique::Code(code)) => (Some(code.as_str().to_owned()), None),
            Some(Unique::Serial(serial)) => (None, Some(*serial)),
            None => (None, None),
        };
        Self {
            redemption_id: issued.redemption.to_string(),
            reward_id: issued.reward.as_str().to_owned(),
            reward_version: issued.reward_version,
            reward: (&issued.kind).into(),
            points: issued.points.get(),
            lots: lot_uses(&issued.uses),
            code,
            serial,
            channel: issued.channel.as_ref().map(|it| it.as_str().to_owned()),
        }
    }
}

impl TryFrom<&Returned> for RewardReturned {
    type Error = OutOfRange;

    fn try_from(returned: &Returned) -> Result<Self, Self::Error> {
        let restored = returned.restored.iter().map(|it| it.points);
        Ok(Self {
            redemption_id: returned.redemption.to_string(),
            reward_id: returned.reward.as_str().to_owned(),
            reason: returned.reason.as_str().to_owned(),
            points: points::Points::total(restored.chain([returned.debt_paid]))?.get(),
            debt_paid: returned.debt_paid.get(),
            lots: lot_uses(&returned.restored),
            lost: returned.lost.get(),
            restocked: returned.shard.is_some(),
        })
    }
}

/// What a statement says of `event`.
pub(crate) fn changed(event: &RedemptionEvent) -> Result<Change, OutOfRange> {
    Ok(match event {
        RedemptionEvent::Issued(it) => Change::RewardIssued((&**it).into()),
        RedemptionEvent::Fulfilled { redemption, reason, by: _ } => {
            let (redemption_id, reason) = (redemption.to_string(), reason.as_str().to_owned());
            Change::RewardFulfilled(RewardFulfilled { redemption_id, reason })
        }
        RedemptionEvent::Cancelled(it) => Change::RewardCancelled((&**it).try_into()?),
        RedemptionEvent::Refunded(it) => Change::RewardRefunded((&**it).try_into()?),
    })
}

/// What the shop is told of `event`.
pub(crate) fn told(event: &RedemptionEvent) -> Result<What, OutOfRange> {
    Ok(match event {
        RedemptionEvent::Issued(it) => What::RewardIssued((&**it).into()),
        RedemptionEvent::Fulfilled { redemption, reason, by: _ } => {
            let (redemption_id, reason) = (redemption.to_string(), reason.as_str().to_owned());
            What::RewardFulfilled(RewardFulfilled { redemption_id, reason })
        }
        RedemptionEvent::Cancelled(it) => What::RewardCancelled((&**it).try_into()?),
        RedemptionEvent::Refunded(it) => What::RewardRefunded((&**it).try_into()?),
    })
}
