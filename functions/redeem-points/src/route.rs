//! Every path of the API that uses points, with who may ask.

use loyalty_runtime::api::route::{BodyKind, Method};
pub use loyalty_runtime::api::route::{Route as AnyRoute, Who};

/// One method of one path.
pub type Route = AnyRoute<Operation>;

/// What a route answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Points are given to another member.
    Transfer,
    /// What there is to take for points.
    Rewards,
    /// A reward is taken.
    Redeem,
    /// What a member took.
    Redemptions,
    /// One redemption.
    Redemption,
    /// It was handed over.
    Fulfill,
    /// It is not going to be handed over.
    Cancel,
    /// It was handed over and came back.
    Refund,
    /// It is asked what points would pay of an order.
    Quote,
    /// Points are held for an order.
    Hold,
    /// Held points are used without one.
    Capture,
    /// Held points are let go.
    Release,
    /// It is asked what a refund would do.
    PreviewRefund,
}

impl Operation {
    /// Whether it is answered a page at a time.
    pub const fn has_pages(self) -> bool {
        match self {
            Self::Rewards | Self::Redemptions => true,
            Self::Transfer
            | Self::Redeem
            | Self::Redemption
            | Self::Fulfill
            | Self::Cancel
            | Self::Refund
            | Self::Quote
            | Self::Hold
            | Self::Capture
            | Self::Release
            | Self::PreviewRefund => false,
        }
    }
}

const OWN: &[Who] = &[Who::Member];
// A quote is a step of writing, too.
const QUOTERS: &[Who] = &[Who::Member, Who::Service, Who::Writer, Who::Staff];
const WRITERS: &[Who] = &[Who::Member, Who::Writer, Who::Staff];
const READERS: &[Who] = &[Who::Member, Who::Service, Who::Staff];
// What a refund does is the shop's to know before the member is told.
const REFUNDERS: &[Who] = &[Who::Service, Who::Writer, Who::Staff];
// Whether something was handed over is for the shop to say.
const SHOP: &[Who] = &[Who::Writer, Who::Staff];

/// Every route there is.
///
/// A member whose id is `me` can be asked for by nobody else, since paths without an id come first.
#[rustfmt::skip]
pub const ROUTES: &[Route] = &[
    Route { method: Method::Post, path: "/v1/members/me/transfers", body: BodyKind::KeyedJson, operation: Operation::Transfer, callers: OWN },
    Route { method: Method::Post, path: "/v1/members/{id}/transfers", body: BodyKind::KeyedJson, operation: Operation::Transfer, callers: WRITERS },
    Route { method: Method::Get, path: "/v1/rewards", body: BodyKind::None, operation: Operation::Rewards, callers: READERS },
    Route { method: Method::Post, path: "/v1/members/me/redemptions", body: BodyKind::KeyedJson, operation: Operation::Redeem, callers: OWN },
    Route { method: Method::Get, path: "/v1/members/me/redemptions", body: BodyKind::None, operation: Operation::Redemptions, callers: OWN },
    Route { method: Method::Get, path: "/v1/members/me/redemptions/{redemption_id}", body: BodyKind::None, operation: Operation::Redemption, callers: OWN },
    Route { method: Method::Post, path: "/v1/members/{id}/redemptions", body: BodyKind::KeyedJson, operation: Operation::Redeem, callers: WRITERS },
    Route { method: Method::Get, path: "/v1/members/{id}/redemptions", body: BodyKind::None, operation: Operation::Redemptions, callers: READERS },
    Route { method: Method::Get, path: "/v1/members/{id}/redemptions/{redemption_id}", body: BodyKind::None, operation: Operation::Redemption, callers: READERS },
    Route { method: Method::Post, path: "/v1/members/{id}/redemptions/{redemption_id}/fulfill", body: BodyKind::Json, operation: Operation::Fulfill, callers: SHOP },
    Route { method: Method::Post, path: "/v1/members/{id}/redemptions/{redemption_id}/cancel", body: BodyKind::Json, operation: Operation::Cancel, callers: SHOP },
    Route { method: Method::Post, path: "/v1/members/{id}/redemptions/{redemption_id}/refund", body: BodyKind::Json, operation: Operation::Refund, callers: SHOP },
    Route { method: Method::Post, path: "/v1/members/me/checkout/quotes", body: BodyKind::Json, operation: Operation::Quote, callers: OWN },
    Route { method: Method::Post, path: "/v1/members/{id}/checkout/quotes", body: BodyKind::Json, operation: Operation::Quote, callers: QUOTERS },
    Route { method: Method::Post, path: "/v1/members/me/checkout/holds", body: BodyKind::KeyedJson, operation: Operation::Hold, callers: OWN },
    Route { method: Method::Post, path: "/v1/members/{id}/checkout/holds", body: BodyKind::KeyedJson, operation: Operation::Hold, callers: WRITERS },
    Route { method: Method::Post, path: "/v1/members/me/checkout/holds/{hold_id}/capture", body: BodyKind::KeyedJson, operation: Operation::Capture, callers: OWN },
    Route { method: Method::Post, path: "/v1/members/{id}/checkout/holds/{hold_id}/capture", body: BodyKind::KeyedJson, operation: Operation::Capture, callers: WRITERS },
    Route { method: Method::Post, path: "/v1/members/me/checkout/holds/{hold_id}/release", body: BodyKind::KeyedJson, operation: Operation::Release, callers: OWN },
    Route { method: Method::Post, path: "/v1/members/{id}/checkout/holds/{hold_id}/release", body: BodyKind::KeyedJson, operation: Operation::Release, callers: WRITERS },
    Route { method: Method::Post, path: "/v1/orders/refund-preview", body: BodyKind::Json, operation: Operation::PreviewRefund, callers: REFUNDERS },
];
