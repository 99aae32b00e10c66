//! Why the API does not answer: problem documents, as RFC 9457 has them.

use serde::Serialize;

/// A problem document.
///
/// What it says is fixed by its `code`: nothing of the request, the caller or a member is ever in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// A name of the kind of problem, as a URI. It is not to be fetched.
    #[cfg_attr(
        feature = "openapi",
        schema(value_type = String, example = "urn:loyalty:problem:invalid-cursor")
    )]
    pub r#type: &'static str,
    /// The kind of problem in a few words.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub title: &'static str,
    /// The HTTP status, once more.
    #[cfg_attr(feature = "openapi", schema(example = 400))]
    pub status: u16,
    /// What to do about it.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub detail: &'static str,
    /// The kind of problem, for programs; it never changes.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "invalid-cursor"))]
    pub code: &'static str,
    /// Whether the same request, unchanged, may succeed later.
    pub retry: bool,
}

/// What can be wrong with a request, or with us.
///
/// Variants are in order of precedence: when several apply, the first one listed is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// A member's id that no path can hold.
    InvalidMemberId,
    /// There is nothing at this path.
    NotFound,
    /// The path is read, not written.
    MethodNotAllowed,
    /// No token was checked on the way in.
    Unauthenticated,
    /// The token has scopes of ours, but none that opens this.
    ScopeNotSufficient,
    /// The token is a member's and does not say whose.
    NoMemberInToken,
    /// A service or staff asked for `me`.
    CallerIsNoMember,
    /// A member asked for what is not for members.
    NotForMembers,
    /// A member asked for another one.
    OtherMember,
    /// A parameter that is not known, or there twice.
    InvalidQuery,
    /// A page of a size that there is not.
    InvalidLimit,
    /// A cursor that no page ended with.
    InvalidCursor,
    /// Nothing is known of this member.
    MemberNotFound,
    /// A mistake of ours.
    Internal,
    /// Something that we need does not answer now.
    Unavailable,
}

/// A problem document; its type is made from its code.
macro_rules! problem {
    ($code:literal, $status:literal, $retry:literal, $title:literal, $detail:literal) => {
        Problem {
            r#type: concat!("urn:loyalty:problem:", $code),
            title: $title,
            status: $status,
            detail: $detail,
            code: $code,
            retry: $retry,
        }
    };
}

impl ProblemKind {
    /// Every kind, in order of precedence.
    pub const ALL: [Self; 15] = [
        Self::InvalidMemberId,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Unauthenticated,
        Self::ScopeNotSufficient,
        Self::NoMemberInToken,
        Self::CallerIsNoMember,
        Self::NotForMembers,
        Self::OtherMember,
        Self::InvalidQuery,
        Self::InvalidLimit,
        Self::InvalidCursor,
        Self::MemberNotFound,
        Self::Internal,
        Self::Unavailable,
    ];

    /// What is said about it.
    #[expect(clippy::too_many_lines, reason = "one document after the other")]
    pub const fn document(self) -> Problem {
        match self {
            Self::NotFound => problem!(
                "not-found",
                404,
                false,
                "There is nothing at this path",
                "Use a path of the API's description."
            ),
            Self::MethodNotAllowed => problem!(
                "method-not-allowed",
                405,
                false,
                "This path is only read",
                "Use GET. Orders are sent to the queue or the event bus, not here."
            ),
            Self::Unauthenticated => problem!(
                "unauthenticated",
                401,
                false,
                "No valid token came with the request",
                "Send a token of the configured issuer and audience as `authorization: Bearer …`."
            ),
            Self::ScopeNotSufficient => problem!(
                "scope-not-sufficient",
                403,
                false,
                "The token's scopes do not open this",
                "A service needs the scope `loyalty/members.read`, staff need `loyalty/staff`."
            ),
            Self::NoMemberInToken => problem!(
                "no-member-in-token",
                403,
                false,
                "The token does not say which member is asking",
                "A member's token needs the claim that is configured as the member's id."
            ),
            Self::CallerIsNoMember => problem!(
                "caller-is-no-member",
                403,
                false,
                "Services and staff have no account of their own",
                "Ask for a member by id: `/v1/members/{id}`."
            ),
            Self::NotForMembers => problem!(
                "not-for-members",
                403,
                false,
                "This is for services and staff",
                "Ask with a token that has the scope `loyalty/members.read` or `loyalty/staff`."
            ),
            Self::InvalidMemberId => problem!(
                "invalid-member-id",
                400,
                false,
                "The path holds no id of a member",
                "An id in a path has 1 to 128 characters out of A-Z, a-z, 0-9 and `-._~:|=`, and is not \
                 `.` or `..`. A member whose id has others can ask for `me`."
            ),
            Self::OtherMember => problem!(
                "other-member",
                403,
                false,
                "A member's token opens only the member's own account",
                "Ask for `/v1/members/me`."
            ),
            Self::InvalidQuery => problem!(
                "invalid-query",
                400,
                false,
                "The query is not understood",
                "Each parameter of the path's description may be there once, and no others."
            ),
            Self::InvalidLimit => problem!(
                "invalid-limit",
                400,
                false,
                "There is no page of this size",
                "`limit` is a whole number from 1 to 50."
            ),
            Self::InvalidCursor => problem!(
                "invalid-cursor",
                400,
                false,
                "The cursor is none of this member's entries",
                "Send `next` of an earlier page unchanged, or begin again without a cursor."
            ),
            Self::MemberNotFound => problem!(
                "member-not-found",
                404,
                false,
                "Nothing is known of this member",
                "An account begins with the first order of its member."
            ),
            Self::Internal => problem!(
                "internal",
                500,
                false,
                "We made a mistake",
                "It was reported. The same request fails again until it is repaired."
            ),
            Self::Unavailable => problem!(
                "unavailable",
                503,
                true,
                "We cannot answer now",
                "Send the same request again after the seconds in `retry-after`."
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_problem_has_a_name_of_its_own_and_an_error_status() {
        let codes: BTreeSet<_> = ProblemKind::ALL.iter().map(|it| it.document().code).collect();

        assert_eq!(codes.len(), ProblemKind::ALL.len());
        for kind in ProblemKind::ALL {
            let problem = kind.document();
            assert!((400..600).contains(&problem.status), "{problem:?}");
            assert_eq!(problem.r#type, format!("urn:loyalty:problem:{}", problem.code));
            assert_eq!(problem.retry, problem.status == 503, "{problem:?}");
        }
    }
}
