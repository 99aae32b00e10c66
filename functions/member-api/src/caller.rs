//! Who asks, by the claims of a token that API Gateway has checked.

use std::collections::HashMap;

use lambda_http::request::RequestContext;
use loyalty_contracts::problem::ProblemKind;
use loyalty_domain::id::MemberId;

use crate::route::{Route, Who};

/// Whoever asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A member, named by the token and never by the path.
    Member(MemberId),
    /// A service that may read members.
    Service,
    /// Staff.
    Staff,
}

/// What all scopes of ours begin with. A token with any of them is no member's.
const OURS: &str = "loyalty/";
/// The scope of a service that may read members.
pub const READ_SCOPE: &str = "loyalty/members.read";
/// The scope of staff.
pub const STAFF_SCOPE: &str = "loyalty/staff";

impl Caller {
    /// Who the request's token is of, whose claim `member_claim` names the member.
    ///
    /// # Errors
    ///
    /// [`ProblemKind::Unauthenticated`] if API Gateway has checked none;
    /// [`ProblemKind::ScopeNotSufficient`] of scopes that do not read; [`ProblemKind::NoMemberInToken`].
    pub fn of(context: Option<&RequestContext>, member_claim: &str) -> Result<Self, ProblemKind> {
        let Some(RequestContext::ApiGatewayV2(context)) = context else {
            return Err(ProblemKind::Unauthenticated);
        };
        let jwt = context.authorizer.as_ref().and_then(|it| it.jwt.as_ref());
        let claims = &jwt.ok_or(ProblemKind::Unauthenticated)?.claims;
        let has = |scope: &str| scopes(claims).any(|it| it == scope);
        if has(STAFF_SCOPE) {
            Ok(Self::Staff)
        } else if has(READ_SCOPE) {
            Ok(Self::Service)
        } else if scopes(claims).any(|it| it.starts_with(OURS)) {
            Err(ProblemKind::ScopeNotSufficient)
        } else {
            let id = claims.get(member_claim).and_then(|it| MemberId::try_from(it.as_str()).ok());
            id.map(Self::Member).ok_or(ProblemKind::NoMemberInToken)
        }
    }

    /// Whether the caller may ask for `route`.
    ///
    /// # Errors
    ///
    /// [`ProblemKind::CallerIsNoMember`] or [`ProblemKind::NotForMembers`].
    pub fn check(&self, route: &Route) -> Result<(), ProblemKind> {
        let (who, otherwise) = match self {
            Self::Member(_) => (Who::Member, ProblemKind::NotForMembers),
            Self::Service => (Who::Service, ProblemKind::CallerIsNoMember),
            Self::Staff => (Who::Staff, ProblemKind::CallerIsNoMember),
        };
        if route.callers.contains(&who) { Ok(()) } else { Err(otherwise) }
    }
}

/// The scopes of a token, wherever its issuer puts them.
fn scopes(claims: &HashMap<String, String>) -> impl Iterator<Item = &str> {
    // API Gateway writes a list as `[a b]`.
    let names = ["scope", "scp"].iter().filter_map(|it| claims.get(*it));
    names.flat_map(|it| it.split([' ', ',', '[', ']', '"'])).filter(|it| !it.is_empty())
}
