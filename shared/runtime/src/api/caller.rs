//! Who asks, by the claims of a token that API Gateway has checked.

use std::collections::HashMap;

use lambda_http::request::RequestContext;
use loyalty_contracts::problem::ProblemKind;
use loyalty_domain::id::{ClientId, MemberId};

use super::route::{Route, Who};

/// Whoever asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A member, named by the token and never by the path.
    Member(MemberId),
    /// A service, by what its scopes let it do.
    Service {
        /// Whether it may read members.
        reads: bool,
        /// Whether it may write members.
        writes: bool,
    },
    /// Staff.
    Staff,
}

/// What all scopes of ours begin with. A token with any of them is no member's.
const OURS: &str = "loyalty/";
/// The scope of a service that may read members.
pub const READ_SCOPE: &str = "loyalty/members.read";
/// The scope of a service that may write members. Alone it does not open what is only read.
pub const WRITE_SCOPE: &str = "loyalty/members.write";
/// The scope of staff.
pub const STAFF_SCOPE: &str = "loyalty/staff";

impl Caller {
    /// Who the request's token is of, whose claim `member_claim` names the member.
    ///
    /// # Errors
    ///
    /// [`ProblemKind::Unauthenticated`] if API Gateway has checked none;
    /// [`ProblemKind::ScopeNotSufficient`] of scopes that open nothing; [`ProblemKind::NoMemberInToken`].
    pub fn of(context: Option<&RequestContext>, member_claim: &str) -> Result<Self, ProblemKind> {
        let claims = claims(context).ok_or(ProblemKind::Unauthenticated)?;
        let has = |scope: &str| scopes(claims).any(|it| it == scope);
        let (reads, writes) = (has(READ_SCOPE), has(WRITE_SCOPE));
        if has(STAFF_SCOPE) {
            Ok(Self::Staff)
        } else if reads || writes {
            Ok(Self::Service { reads, writes })
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
    /// [`ProblemKind::CallerIsNoMember`], [`ProblemKind::NotForMembers`], and of a service that has the other
    /// scope only [`ProblemKind::WriteScopeNeeded`] or [`ProblemKind::ScopeNotSufficient`].
    pub fn check<O>(&self, route: &Route<O>) -> Result<(), ProblemKind> {
        let is_for = |who| route.is_for(who);
        let otherwise = match self {
            Self::Member(_) if is_for(Who::Member) => return Ok(()),
            Self::Member(_) => ProblemKind::NotForMembers,
            Self::Staff if is_for(Who::Staff) => return Ok(()),
            Self::Service { reads: true, .. } if is_for(Who::Service) => return Ok(()),
            Self::Service { writes: true, .. } if is_for(Who::Writer) => return Ok(()),
            Self::Service { .. } if is_for(Who::Writer) => ProblemKind::WriteScopeNeeded,
            Self::Service { .. } if is_for(Who::Service) => ProblemKind::ScopeNotSufficient,
            Self::Service { .. } if is_for(Who::Staff) && !is_for(Who::Member) => {
                ProblemKind::ScopeNotSufficient
            }
            Self::Service { .. } | Self::Staff => ProblemKind::CallerIsNoMember,
        };
        Err(otherwise)
    }
}

/// The service or person that a token is of, as its issuer names them: who did what is done with it.
///
/// That is `client_id`, as an issuer has it for services, and otherwise `sub`.
pub fn actor(context: Option<&RequestContext>) -> Option<ClientId> {
    let claims = claims(context)?;
    let id = |claim: &str| ClientId::try_from(claims.get(claim)?.as_str()).ok();
    id("client_id").or_else(|| id("sub"))
}

/// The claims of a token that API Gateway has checked.
fn claims(context: Option<&RequestContext>) -> Option<&HashMap<String, String>> {
    match context {
        Some(RequestContext::ApiGatewayV2(context)) => {
            let jwt = context.authorizer.as_ref().and_then(|it| it.jwt.as_ref());
            jwt.map(|it| &it.claims)
        }
        _ => None,
    }
}

/// The scopes of a token, wherever its issuer puts them.
fn scopes(claims: &HashMap<String, String>) -> impl Iterator<Item = &str> {
    // API Gateway writes a list as `[a b]`.
    let names = ["scope", "scp"].iter().filter_map(|it| claims.get(*it));
    names.flat_map(|it| it.split([' ', ',', '[', ']', '"'])).filter(|it| !it.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::route::{BodyKind, Method};

    const READER: Caller = Caller::Service { reads: true, writes: false };
    const WRITER: Caller = Caller::Service { reads: false, writes: true };
    const BOTH: Caller = Caller::Service { reads: true, writes: true };

    fn route(callers: &'static [Who]) -> Route<()> {
        let (method, body) = (Method::Post, BodyKind::Json);
        Route { method, path: "/v1/x", body, operation: (), callers }
    }

    #[test]
    fn a_service_writes_only_with_the_scope_that_writes() {
        let write = route(&[Who::Member, Who::Writer, Who::Staff]);
        let read = route(&[Who::Member, Who::Service, Who::Staff]);
        let either = route(&[Who::Service, Who::Writer]);
        let member = route(&[Who::Member]);
        let staff = route(&[Who::Staff]);

        assert_eq!(READER.check(&write), Err(ProblemKind::WriteScopeNeeded));
        assert_eq!((WRITER.check(&write), BOTH.check(&write)), (Ok(()), Ok(())));
        assert_eq!(WRITER.check(&read), Err(ProblemKind::ScopeNotSufficient));
        assert_eq!((READER.check(&read), BOTH.check(&read)), (Ok(()), Ok(())));
        assert_eq!((READER.check(&either), WRITER.check(&either)), (Ok(()), Ok(())));
        for service in [READER, WRITER, BOTH] {
            assert_eq!(service.check(&member), Err(ProblemKind::CallerIsNoMember));
            assert_eq!(service.check(&staff), Err(ProblemKind::ScopeNotSufficient));
        }
        assert_eq!(Caller::Staff.check(&member), Err(ProblemKind::CallerIsNoMember));
    }
}
