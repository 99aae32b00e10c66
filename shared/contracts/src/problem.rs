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
    /// The path takes other methods.
    MethodNotAllowed,
    /// No token was checked on the way in.
    Unauthenticated,
    /// The token has scopes of ours, but none that opens this.
    ScopeNotSufficient,
    /// A service that may only read asked for what writes.
    WriteScopeNeeded,
    /// The token is a member's and does not say whose.
    NoMemberInToken,
    /// The token names nobody who could have done something.
    NobodyInToken,
    /// A service or staff asked for `me`.
    CallerIsNoMember,
    /// A member asked for what is not for members.
    NotForMembers,
    /// A member asked for another one.
    OtherMember,
    /// A service asked for what only staff may do.
    StaffOnly,
    /// The body calls itself something that is not read here.
    WrongContentType,
    /// The body is larger than any that is read here.
    BodyTooLarge,
    /// No key came with a request that is done once for each.
    RequestKeyMissing,
    /// The key that came with the request is none.
    RequestKeyInvalid,
    /// A parameter that is not known, or there twice.
    InvalidQuery,
    /// A page of a size that there is not.
    InvalidLimit,
    /// A cursor that no page ended with.
    InvalidCursor,
    /// The body is no JSON.
    BodyNotJson,
    /// The body is JSON of something else; its document says where.
    InvalidBody,
    /// Nothing is known of this member.
    MemberNotFound,
    /// Nobody is enrolled under this id.
    NotEnrolled,
    /// The profile was changed by somebody else in the meantime.
    VersionConflict,
    /// The member is enrolled, with other content than this.
    EnrolledOtherwise,
    /// The key was used before, for something else.
    KeyReused,
    /// The key of the request was used before, for another request.
    RequestKeyReused,
    /// The rules say no; the document says why.
    Refused,
    /// The membership has ended.
    MemberClosed,
    /// The membership is frozen.
    MemberFrozen,
    /// The member became one with another.
    MemberMerged,
    /// The membership is active, so that no code is needed.
    AlreadyActive,
    /// An identity is another member's; the document says which.
    IdentityTaken,
    /// Nobody has this code, or it is dead.
    ReferralCodeUnknown,
    /// A code is to be replaced that is not the member's.
    ReferralCodeReplaced,
    /// There is nowhere to send a code to.
    NoContact,
    /// Codes were sent too often, or one a moment ago.
    SentTooOften,
    /// There were too many wrong attempts.
    AttemptsUsedUp,
    /// The code has expired, or none was sent.
    ActivationCodeExpired,
    /// The code is another one.
    ActivationCodeWrong,
    /// Nothing proves that the order is the caller's, or there is no such order.
    ClaimNotProven,
    /// There were too many wrong attempts to claim the order.
    ClaimAttemptsUsedUp,
    /// The order has not come, or there is none.
    OrderNotFound,
    /// The order is somebody's.
    OrderTaken,
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
    pub const ALL: [Self; 46] = [
        Self::InvalidMemberId,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Unauthenticated,
        Self::ScopeNotSufficient,
        Self::WriteScopeNeeded,
        Self::NoMemberInToken,
        Self::NobodyInToken,
        Self::CallerIsNoMember,
        Self::NotForMembers,
        Self::OtherMember,
        Self::StaffOnly,
        Self::WrongContentType,
        Self::BodyTooLarge,
        Self::RequestKeyMissing,
        Self::RequestKeyInvalid,
        Self::InvalidQuery,
        Self::InvalidLimit,
        Self::InvalidCursor,
        Self::BodyNotJson,
        Self::InvalidBody,
        Self::MemberNotFound,
        Self::NotEnrolled,
        Self::VersionConflict,
        Self::EnrolledOtherwise,
        Self::KeyReused,
        Self::RequestKeyReused,
        Self::Refused,
        Self::MemberClosed,
        Self::MemberFrozen,
        Self::MemberMerged,
        Self::AlreadyActive,
        Self::IdentityTaken,
        Self::ReferralCodeUnknown,
        Self::ReferralCodeReplaced,
        Self::NoContact,
        Self::SentTooOften,
        Self::AttemptsUsedUp,
        Self::ActivationCodeExpired,
        Self::ActivationCodeWrong,
        Self::ClaimNotProven,
        Self::ClaimAttemptsUsedUp,
        Self::OrderNotFound,
        Self::OrderTaken,
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
                "This path does not take this method",
                "Use one of those in `allow`. Orders are sent to the queue or the event bus, not here."
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
                "A service needs the scope `loyalty/members.read`, staff need `loyalty/staff`; what staff change beside \
                 memberships needs a scope of its own, as the API's description says."
            ),
            Self::NoMemberInToken => problem!(
                "no-member-in-token",
                403,
                false,
                "The token does not say which member is asking",
                "A member's token needs the claim that is configured as the member's id."
            ),
            Self::NobodyInToken => problem!(
                "nobody-in-token",
                403,
                false,
                "The token does not say who is asking",
                "What staff do is done by somebody: the token needs a `sub` that names one person and is neither a \
                 mail address nor a phone number."
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
            Self::WriteScopeNeeded => problem!(
                "write-scope-needed",
                403,
                false,
                "The token's scopes only read",
                "A service that writes needs the scope `loyalty/members.write`, staff need \
                 `loyalty/staff`."
            ),
            Self::StaffOnly => problem!(
                "staff-only",
                403,
                false,
                "Only staff may do this",
                "A service may freeze a member. All else needs a token with the scope \
                 `loyalty/staff`."
            ),
            Self::WrongContentType => problem!(
                "wrong-content-type",
                415,
                false,
                "The body is of a type that is not read here",
                "Send JSON in UTF-8, uncompressed, as `content-type: application/json`; a PATCH may \
                 say `application/merge-patch+json`."
            ),
            Self::BodyTooLarge => problem!(
                "body-too-large",
                413,
                false,
                "The body is too large",
                "A body has at most 16384 bytes."
            ),
            Self::BodyNotJson => problem!(
                "body-not-json",
                400,
                false,
                "The body is no JSON",
                "Send one JSON text in UTF-8, without a key that is there twice."
            ),
            Self::InvalidBody => problem!(
                "invalid-body",
                422,
                false,
                "The body says something that cannot be done",
                "`mistakes` names every place that is wrong, and what would be right."
            ),
            Self::NotEnrolled => problem!(
                "not-enrolled",
                404,
                false,
                "Nobody is enrolled under this id",
                "Enroll with `POST /v1/members`. A member who only ordered has an account and no \
                 profile."
            ),
            Self::VersionConflict => problem!(
                "version-conflict",
                412,
                false,
                "The profile has changed since it was read",
                "Read it again, and send the change with the `etag` that comes with it as `if-match`."
            ),
            Self::EnrolledOtherwise => problem!(
                "enrolled-otherwise",
                409,
                false,
                "The member is enrolled with other content",
                "The same content would be answered as before. Change a profile with `PATCH \
                 /v1/members/{id}/profile`."
            ),
            Self::KeyReused => problem!(
                "key-reused",
                409,
                false,
                "The key was used before for something else",
                "Send the request as before, or another one under a key of its own."
            ),
            Self::RequestKeyMissing => problem!(
                "idempotency-key-missing",
                400,
                false,
                "No key came with the request",
                "Send `idempotency-key` once, a text of 1 to 128 bytes that no other request of yours has. \
                 Whatever is lost on the way, the same request under the same key is done once."
            ),
            Self::RequestKeyInvalid => problem!(
                "idempotency-key-invalid",
                400,
                false,
                "The key of the request is none",
                "`idempotency-key` has 1 to 128 printable characters of ASCII, such as those of a UUID, and is \
                 neither a mail address nor a phone number."
            ),
            Self::RequestKeyReused => problem!(
                "idempotency-key-reused",
                422,
                false,
                "The key was used before for another request",
                "Nothing was done. Send that request as before, or this one under a key of its own."
            ),
            Self::Refused => problem!(
                "refused",
                409,
                false,
                "The rules say no",
                "`reason` says why, and `explanation` with which numbers. Under the same `idempotency-key` it is \
                 answered so for ever: once the reason is gone, send it under another one."
            ),
            Self::MemberClosed => problem!(
                "member-closed",
                409,
                false,
                "The membership has ended",
                "A closed membership is not changed. Staff can tell when it ended."
            ),
            Self::MemberFrozen => problem!(
                "member-frozen",
                409,
                false,
                "The membership is frozen",
                "Staff can say why, and set the status `active`."
            ),
            Self::MemberMerged => problem!(
                "member-merged",
                409,
                false,
                "The member became one with another",
                "Ask for the other member. Staff can tell whom, and undo it."
            ),
            Self::IdentityTaken => problem!(
                "identity-taken",
                409,
                false,
                "An identity is another member's",
                "`mistakes` names it. A customer id, card, phone or mail identifies one member; staff \
                 can look up whom."
            ),
            Self::ReferralCodeUnknown => problem!(
                "referral-code-unknown",
                422,
                false,
                "Nobody has this referral code",
                "It has 10 letters and digits. Check it, or enroll without; a code cannot be named \
                 later."
            ),
            Self::ReferralCodeReplaced => problem!(
                "referral-code-replaced",
                409,
                false,
                "The code to replace is not the member's",
                "`replaces` is the code that the member has, or the one before it. Read it from the \
                 member's referrals."
            ),
            Self::NoContact => problem!(
                "no-contact",
                409,
                false,
                "There is nowhere to send a code to",
                "The profile needs `mail` or `phone`."
            ),
            Self::SentTooOften => problem!(
                "sent-too-often",
                429,
                true,
                "A code was sent a moment ago, or too many were",
                "A code is sent at most once a minute and 5 times in 24 hours. Ask again after the \
                 seconds in `retry-after`."
            ),
            Self::AttemptsUsedUp => problem!(
                "attempts-used-up",
                429,
                true,
                "There were too many wrong attempts",
                "Ask again after the seconds in `retry-after`; an activation code can be sent anew."
            ),
            Self::ActivationCodeExpired => problem!(
                "activation-code-expired",
                409,
                false,
                "The activation code has expired",
                "Ask for another one; it is good for 15 minutes, and ends the one before it."
            ),
            Self::ActivationCodeWrong => problem!(
                "activation-code-wrong",
                422,
                false,
                "The activation code is another one",
                "It has 6 digits and is the one that was sent last. Five wrong attempts end it."
            ),
            Self::ClaimNotProven => problem!(
                "claim-not-proven",
                403,
                false,
                "Nothing proves that the order is the caller's",
                "Send the order's id with the mail or phone that it was placed with, or with the \
                 token of its link. An order of which the shop has told us neither cannot be claimed."
            ),
            Self::AlreadyActive => problem!(
                "already-active",
                409,
                false,
                "The membership is active already",
                "No code is needed."
            ),
            Self::ClaimAttemptsUsedUp => problem!(
                "claim-attempts-used-up",
                403,
                false,
                "There were too many wrong attempts to claim this order",
                "Ask the shop for a link. Mail and phone can be tried anew once the shop tells others of them."
            ),
            Self::OrderNotFound => problem!(
                "order-not-found",
                404,
                false,
                "There is no such order",
                "It may not have come yet. Claim it once its points could be seen."
            ),
            Self::OrderTaken => problem!(
                "order-taken",
                409,
                false,
                "The order is a member's already",
                "An order earns once, for one member."
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
            assert_eq!(problem.retry, matches!(problem.status, 429 | 503), "{problem:?}");
        }
    }
}
