//! Every path of the API, with who may ask.

use loyalty_runtime::api::route::BodyKind;
pub use loyalty_runtime::api::route::{Method, Route as AnyRoute, Who};

/// One path.
pub type Route = AnyRoute<Operation>;

/// What a path answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The caller's own account.
    OwnMember,
    /// The caller's own entries.
    OwnEntries,
    /// What will happen to the caller's own account.
    OwnTimeline,
    /// The account named in the path.
    Member,
    /// The entries of the account named in the path.
    Entries,
    /// What will happen to the account named in the path.
    Timeline,
    /// The program in force.
    Program,
    /// Whether all works.
    Status,
}

/// The name by which API Gateway knows what no route takes. It comes here too, so that whoever asks is told
/// what would be right.
pub const OTHERWISE: &str = "$default";

/// What other functions answer: what comes here of it has another method. A test of all holds them equal, since no
/// function may know another.
pub const ELSEWHERE: [&[(Method, &str)]; 3] = [&ENROLL_MEMBERS, REDEEM_POINTS, STAFF_API];

/// What `enroll-members` answers, in its order.
pub const ENROLL_MEMBERS: [(Method, &str); 18] = [
    (Method::Post, "/v1/members"),
    (Method::Post, "/v1/members/lookup"),
    (Method::Get, "/v1/members/me/profile"),
    (Method::Get, "/v1/members/{id}/profile"),
    (Method::Patch, "/v1/members/me/profile"),
    (Method::Patch, "/v1/members/{id}/profile"),
    (Method::Post, "/v1/members/me/activation"),
    (Method::Post, "/v1/members/{id}/activation"),
    (Method::Post, "/v1/members/me/activation/codes"),
    (Method::Post, "/v1/members/{id}/activation/codes"),
    (Method::Post, "/v1/members/{id}/status"),
    (Method::Get, "/v1/members/me/referrals"),
    (Method::Get, "/v1/members/{id}/referrals"),
    (Method::Post, "/v1/members/me/referral-code"),
    (Method::Post, "/v1/members/{id}/referral-code"),
    (Method::Put, "/v1/orders/{order_id}/contact"),
    (Method::Post, "/v1/orders/{order_id}/claim-link"),
    (Method::Post, "/v1/members/me/orders"),
];

/// What `redeem-points` answers, in its order.
#[rustfmt::skip]
pub const REDEEM_POINTS: &[(Method, &str)] = &[
    (Method::Post, "/v1/members/me/transfers"),
    (Method::Post, "/v1/members/{id}/transfers"),
    (Method::Get, "/v1/rewards"),
    (Method::Post, "/v1/members/me/redemptions"),
    (Method::Get, "/v1/members/me/redemptions"),
    (Method::Get, "/v1/members/me/redemptions/{redemption_id}"),
    (Method::Post, "/v1/members/{id}/redemptions"),
    (Method::Get, "/v1/members/{id}/redemptions"),
    (Method::Get, "/v1/members/{id}/redemptions/{redemption_id}"),
    (Method::Post, "/v1/members/{id}/redemptions/{redemption_id}/fulfill"),
    (Method::Post, "/v1/members/{id}/redemptions/{redemption_id}/cancel"),
    (Method::Post, "/v1/members/{id}/redemptions/{redemption_id}/refund"),
    (Method::Post, "/v1/members/me/checkout/quotes"),
    (Method::Post, "/v1/members/{id}/checkout/quotes"),
    (Method::Post, "/v1/members/me/checkout/holds"),
    (Method::Post, "/v1/members/{id}/checkout/holds"),
    (Method::Post, "/v1/members/me/checkout/holds/{hold_id}/capture"),
    (Method::Post, "/v1/members/{id}/checkout/holds/{hold_id}/capture"),
    (Method::Post, "/v1/members/me/checkout/holds/{hold_id}/release"),
    (Method::Post, "/v1/members/{id}/checkout/holds/{hold_id}/release"),
    (Method::Post, "/v1/orders/refund-preview"),
];

/// What `staff-api` answers, in its order.
#[rustfmt::skip]
pub const STAFF_API: &[(Method, &str)] = &[
    (Method::Post, "/v1/members/{id}/notes"),
    (Method::Get, "/v1/members/{id}/notes"),
    (Method::Post, "/v1/members/{id}/adjustments"),
    (Method::Get, "/v1/members/{id}/adjustments"),
    (Method::Post, "/v1/members/{id}/adjustments/{adjustment_id}/review"),
    (Method::Post, "/v1/members/{id}/merge"),
    (Method::Post, "/v1/members/{id}/merge/undo"),
    (Method::Get, "/v1/rewards/{reward_id}"),
    (Method::Get, "/v1/rewards/{reward_id}/versions"),
    (Method::Put, "/v1/rewards/{reward_id}"),
    (Method::Post, "/v1/rewards/{reward_id}/pause"),
    (Method::Post, "/v1/rewards/{reward_id}/resume"),
    (Method::Post, "/v1/rewards/{reward_id}/retire"),
    (Method::Post, "/v1/rewards/{reward_id}/stock"),
    (Method::Post, "/v1/rewards/{reward_id}/codes"),
];

/// Every route there is.
///
/// A member whose id is `me` can be asked for by nobody else, since the first routes come first.
pub const ROUTES: [Route; 8] = [
    Route {
        method: Method::Get,
        path: "/v1/members/me",
        body: BodyKind::None,
        operation: Operation::OwnMember,
        callers: &[Who::Member],
    },
    Route {
        method: Method::Get,
        path: "/v1/members/me/entries",
        body: BodyKind::None,
        operation: Operation::OwnEntries,
        callers: &[Who::Member],
    },
    Route {
        method: Method::Get,
        path: "/v1/members/me/timeline",
        body: BodyKind::None,
        operation: Operation::OwnTimeline,
        callers: &[Who::Member],
    },
    Route {
        method: Method::Get,
        path: "/v1/members/{id}",
        body: BodyKind::None,
        operation: Operation::Member,
        callers: &[Who::Member, Who::Service, Who::Staff],
    },
    Route {
        method: Method::Get,
        path: "/v1/members/{id}/entries",
        body: BodyKind::None,
        operation: Operation::Entries,
        callers: &[Who::Member, Who::Service, Who::Staff],
    },
    Route {
        method: Method::Get,
        path: "/v1/members/{id}/timeline",
        body: BodyKind::None,
        operation: Operation::Timeline,
        callers: &[Who::Member, Who::Service, Who::Staff],
    },
    Route {
        method: Method::Get,
        path: "/v1/program",
        body: BodyKind::None,
        operation: Operation::Program,
        callers: &[Who::Member, Who::Service, Who::Staff],
    },
    Route {
        method: Method::Get,
        path: "/v1/status",
        body: BodyKind::None,
        operation: Operation::Status,
        callers: &[Who::Service, Who::Staff],
    },
];

impl Operation {
    /// Whether it is answered a page at a time.
    pub const fn has_pages(self) -> bool {
        matches!(self, Self::OwnEntries | Self::Entries)
    }
}
