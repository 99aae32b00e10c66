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
        /// What else.
        powers: Powers,
    },
    /// Staff.
    Staff {
        /// What they may beside what all staff may.
        powers: Powers,
    },
}

/// What only a scope of its own opens, of staff as of services: each alone, and none of them with another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Powers {
    /// Adds points and takes them off, and decides that others may.
    pub adjusts: bool,
    /// Makes one member of two.
    pub merges: bool,
    /// Changes the catalogue of rewards.
    pub edits: bool,
}

impl Powers {
    /// None.
    pub const NONE: Self = Self { adjusts: false, merges: false, edits: false };

    fn opens<O>(self, route: &Route<O>) -> bool {
        self.adjusts && route.is_for(Who::Adjuster)
            || self.merges && route.is_for(Who::Merger)
            || self.edits && route.is_for(Who::Editor)
    }
}

/// What all scopes of ours begin with. A token with any of them is no member's.
const OURS: &str = "loyalty/";
/// The scope of a service that may read members.
pub const READ_SCOPE: &str = "loyalty/members.read";
/// The scope of a service that may write members. Alone it does not open what is only read.
pub const WRITE_SCOPE: &str = "loyalty/members.write";
/// The scope of staff.
pub const STAFF_SCOPE: &str = "loyalty/staff";
/// The scope of whoever may adjust points. Alone it opens nothing that staff read.
pub const ADJUST_SCOPE: &str = "loyalty/adjustments.write";
/// The scope of whoever may merge members.
pub const MERGE_SCOPE: &str = "loyalty/merges.write";
/// The scope of whoever may change the catalogue.
pub const CATALOG_SCOPE: &str = "loyalty/catalog.write";

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
        let powers = Powers {
            adjusts: has(ADJUST_SCOPE),
            merges: has(MERGE_SCOPE),
            edits: has(CATALOG_SCOPE),
        };
        if has(STAFF_SCOPE) {
            Ok(Self::Staff { powers })
        } else if reads || writes || powers != Powers::NONE {
            Ok(Self::Service { reads, writes, powers })
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
            Self::Staff { powers } | Self::Service { powers, .. } if powers.opens(route) => {
                return Ok(());
            }
            Self::Staff { .. } if is_for(Who::Staff) => return Ok(()),
            Self::Service { reads: true, .. } if is_for(Who::Service) => return Ok(()),
            Self::Service { writes: true, .. } if is_for(Who::Writer) => return Ok(()),
            Self::Service { .. } if is_for(Who::Writer) => ProblemKind::WriteScopeNeeded,
            Self::Service { .. } if is_for(Who::Service) => ProblemKind::ScopeNotSufficient,
            Self::Service { .. } if is_for(Who::Staff) && !is_for(Who::Member) => {
                ProblemKind::ScopeNotSufficient
            }
            Self::Service { .. } | Self::Staff { .. } if route.needs_power() => {
                ProblemKind::ScopeNotSufficient
            }
            Self::Service { .. } | Self::Staff { .. } => ProblemKind::CallerIsNoMember,
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

/// The person whom a token is of, as its issuer names them: what staff do is done by somebody, and not by the app that
/// many of them share.
///
/// That is `sub`, and `client_id` where a service has no other name. Neither may be one by which somebody could be
/// reached, since it stands in the ledger for ever; then it is nobody's.
pub fn person(context: Option<&RequestContext>) -> Option<ClientId> {
    let claims = claims(context)?;
    let named = claims.get("sub").or_else(|| claims.get("client_id"))?;
    let is_contact = named.contains('@') || named.starts_with('+');
    ClientId::try_from(named.as_str()).ok().filter(|_| !is_contact)
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

    const READER: Caller = Caller::Service { reads: true, writes: false, powers: Powers::NONE };
    const WRITER: Caller = Caller::Service { reads: false, writes: true, powers: Powers::NONE };
    const BOTH: Caller = Caller::Service { reads: true, writes: true, powers: Powers::NONE };
    const STAFF: Caller = Caller::Staff { powers: Powers::NONE };

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
        assert_eq!(STAFF.check(&member), Err(ProblemKind::CallerIsNoMember));
    }

    /// A request with a token of these claims.
    fn context(claims: &[(&str, &str)]) -> RequestContext {
        let claims: HashMap<_, _> = claims.iter().copied().collect();
        serde_json::from_value(serde_json::json!({
            "authorizer": {"jwt": {"claims": claims, "scopes": null}},
            "http": {"method": "GET", "sourceIp": "192.0.2.44"}, "stage": "$default", "timeEpoch": 0
        }))
        .unwrap()
    }

    fn with_scopes(scopes: &str) -> Caller {
        Caller::of(Some(&context(&[("sub", "s1"), ("scope", scopes)])), "sub").unwrap()
    }

    #[test]
    fn each_power_has_a_scope_that_opens_nothing_else_and_that_nothing_else_stands_for() {
        let routes = [
            (route(&[Who::Adjuster]), ADJUST_SCOPE),
            (route(&[Who::Merger]), MERGE_SCOPE),
            (route(&[Who::Editor]), CATALOG_SCOPE),
            (route(&[Who::Staff]), STAFF_SCOPE),
        ];
        for (route, needed) in &routes {
            for (_, scope) in &routes {
                let both = format!("{READ_SCOPE} {WRITE_SCOPE} {scope}");
                let expected =
                    if scope == needed { Ok(()) } else { Err(ProblemKind::ScopeNotSufficient) };
                for scopes in [(*scope).to_owned(), both] {
                    assert_eq!(
                        with_scopes(&scopes).check(route),
                        expected,
                        "{scopes} for {needed}"
                    );
                }
            }
            let all = format!("{STAFF_SCOPE} {ADJUST_SCOPE} {MERGE_SCOPE} {CATALOG_SCOPE}");
            assert_eq!(with_scopes(&all).check(route), Ok(()));
        }
        let either = route(&[Who::Staff, Who::Adjuster]);
        assert_eq!(with_scopes(STAFF_SCOPE).check(&either), Ok(()));
        assert_eq!(with_scopes(ADJUST_SCOPE).check(&either), Ok(()));
        assert_eq!(with_scopes(MERGE_SCOPE).check(&either), Err(ProblemKind::ScopeNotSufficient));
    }

    #[test]
    fn who_did_something_is_a_person_and_nobody_s_mail_address() {
        let of = |claims: &[(&str, &str)]| {
            person(Some(&context(claims))).map(|it| it.as_str().to_owned())
        };

        assert_eq!(of(&[("sub", "p1"), ("client_id", "desk")]).as_deref(), Some("p1"));
        assert_eq!(of(&[("client_id", "desk")]).as_deref(), Some("desk"));
        for contact in ["p1@shop.example", "+442079460958", ""] {
            assert_eq!(of(&[("sub", contact), ("client_id", "desk")]), None, "{contact}");
        }
        assert_eq!(person(None), None);
    }
}
