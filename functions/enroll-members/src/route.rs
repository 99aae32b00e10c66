//! Every path of the API that is about who members are, with who may ask.

use loyalty_runtime::api::route::{BodyKind, Method};
pub use loyalty_runtime::api::route::{Route as AnyRoute, Who};

/// One method of one path.
pub type Route = AnyRoute<Operation>;

/// What a route answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Somebody becomes a member.
    Enroll,
    /// A member is looked for by something personal.
    Lookup,
    /// A profile is read.
    Profile,
    /// A profile is changed.
    ChangeProfile,
    /// A code that was sent comes back.
    Activate,
    /// Another code is sent.
    SendCode,
    /// A membership is stopped, goes on or ends.
    SetStatus,
    /// Whom a member brought, and by whom they were brought.
    Referrals,
    /// A code for friends is replaced.
    ReplaceCode,
    /// How a guest's order can be claimed is kept.
    KeepContact,
    /// A link is made by which a guest's order can be claimed.
    MakeClaimLink,
    /// A guest's order is claimed.
    Claim,
}

const OWN: &[Who] = &[Who::Member];
const READERS: &[Who] = &[Who::Member, Who::Service, Who::Writer, Who::Staff];
const WRITERS: &[Who] = &[Who::Member, Who::Writer, Who::Staff];

/// Every route there is.
///
/// A member whose id is `me` or `lookup` can be asked for by nobody else, since paths without an id come first.
#[rustfmt::skip]
pub const ROUTES: [Route; 18] = [
    Route { method: Method::Post, path: "/v1/members", body: BodyKind::Json, operation: Operation::Enroll, callers: WRITERS },
    Route { method: Method::Post, path: "/v1/members/lookup", body: BodyKind::Json, operation: Operation::Lookup, callers: &[Who::Service, Who::Writer, Who::Staff] },
    Route { method: Method::Get, path: "/v1/members/me/profile", body: BodyKind::None, operation: Operation::Profile, callers: OWN },
    Route { method: Method::Get, path: "/v1/members/{id}/profile", body: BodyKind::None, operation: Operation::Profile, callers: READERS },
    Route { method: Method::Patch, path: "/v1/members/me/profile", body: BodyKind::MergePatch, operation: Operation::ChangeProfile, callers: OWN },
    Route { method: Method::Patch, path: "/v1/members/{id}/profile", body: BodyKind::MergePatch, operation: Operation::ChangeProfile, callers: WRITERS },
    Route { method: Method::Post, path: "/v1/members/me/activation", body: BodyKind::Json, operation: Operation::Activate, callers: OWN },
    Route { method: Method::Post, path: "/v1/members/{id}/activation", body: BodyKind::Json, operation: Operation::Activate, callers: WRITERS },
    Route { method: Method::Post, path: "/v1/members/me/activation/codes", body: BodyKind::Json, operation: Operation::SendCode, callers: OWN },
    Route { method: Method::Post, path: "/v1/members/{id}/activation/codes", body: BodyKind::Json, operation: Operation::SendCode, callers: WRITERS },
    Route { method: Method::Post, path: "/v1/members/{id}/status", body: BodyKind::Json, operation: Operation::SetStatus, callers: &[Who::Writer, Who::Staff] },
    Route { method: Method::Get, path: "/v1/members/me/referrals", body: BodyKind::None, operation: Operation::Referrals, callers: OWN },
    Route { method: Method::Get, path: "/v1/members/{id}/referrals", body: BodyKind::None, operation: Operation::Referrals, callers: READERS },
    Route { method: Method::Post, path: "/v1/members/me/referral-code", body: BodyKind::Json, operation: Operation::ReplaceCode, callers: OWN },
    Route { method: Method::Post, path: "/v1/members/{id}/referral-code", body: BodyKind::Json, operation: Operation::ReplaceCode, callers: WRITERS },
    Route { method: Method::Put, path: "/v1/orders/{order_id}/contact", body: BodyKind::Json, operation: Operation::KeepContact, callers: &[Who::Writer] },
    Route { method: Method::Post, path: "/v1/orders/{order_id}/claim-link", body: BodyKind::Json, operation: Operation::MakeClaimLink, callers: &[Who::Writer] },
    Route { method: Method::Post, path: "/v1/members/me/orders", body: BodyKind::Json, operation: Operation::Claim, callers: OWN },
];
