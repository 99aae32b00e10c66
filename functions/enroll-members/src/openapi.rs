//! The API as an `OpenAPI` 3.1 document, made from the route table and from the shapes of bodies and answers.

use std::collections::BTreeMap;

use loyalty_contracts::{
    body::Mistake,
    member,
    problem::{Problem, ProblemKind},
};
use loyalty_runtime::api::{
    caller::{READ_SCOPE, STAFF_SCOPE, WRITE_SCOPE},
    openapi::{collect, limit, member_id, problem_response},
    route::{BodyKind, Method},
};
use serde_json::{Value, json};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, HttpMethod, InfoBuilder, LicenseBuilder, ObjectBuilder,
    OpenApiBuilder, PathItem, PathsBuilder, Ref, RefOr, Required, ResponseBuilder, Schema, Type,
    path::{Operation as Described, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
    request_body::RequestBodyBuilder,
    security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
};

use crate::route::{Operation, ROUTES, Route, Who};

/// What the document says of all paths.
const ABOUT: &str = "Who members are: enrollment, activation, profiles, identities, codes for friends, and \
    orders of guests. All personal data is here, and none of it is in any path or query.\n\n\
    **Bodies** are JSON of at most 16384 bytes. A field that is not known is refused, as is one that is there \
    twice; `null` is as if it were not there, but in a patch, where it removes. `mistakes` names all that is \
    wrong, and nothing of what was sent.\n\n\
    **Repeats.** Every request may be sent again: the same enrollment, claim, code or status has the same answer.\n\n\
    **Fields** may be added to any answer, and values to any `state`, `status` or `code`.\n\n\
    **Errors** are problem documents (RFC 9457). `code` never changes; `retry` says whether the same request, \
    unchanged, may succeed later. A 429 and a 503 say in `retry-after` when.";

/// The problems that say which places of a body are wrong.
const WITH_MISTAKES: &str = "ProblemWithMistakes";

/// A problem document that names places of the body.
#[derive(Debug, utoipa::ToSchema)]
#[expect(dead_code, reason = "it is described and never made")]
struct ProblemWithMistakes {
    r#type: String,
    title: String,
    status: u16,
    detail: String,
    code: String,
    retry: bool,
    /// What is wrong, where the problem is one of the body's content.
    mistakes: Option<Vec<Mistake>>,
}

/// The document's text, as it is checked in.
///
/// # Errors
///
/// Never, short of a shape that is no JSON. Retrying cannot help.
pub fn text() -> Result<String, serde_json::Error> {
    let mut items: BTreeMap<&str, PathItem> = BTreeMap::new();
    for route in &ROUTES {
        let item = PathItem::new(method(route.method), operation(route));
        match items.get_mut(route.path) {
            Some(known) => known.merge_operations(item),
            None => drop(items.insert(route.path, item)),
        }
    }
    let mut paths = PathsBuilder::new();
    for (path, item) in items {
        paths = paths.path(path, item);
    }
    let info = InfoBuilder::new()
        .title("Loyalty: members")
        .version("1")
        .description(Some(ABOUT))
        .license(Some(
            LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build(),
        ))
        .build();
    let document = OpenApiBuilder::new()
        .info(info)
        .paths(paths)
        .components(Some(components()))
        .security(Some([SecurityRequirement::new("token", Vec::<String>::new())]))
        .build();
    document.to_pretty_json().map(|it| it + "\n")
}

fn components() -> utoipa::openapi::Components {
    let mut schemas: Vec<(String, RefOr<Schema>)> = Vec::new();
    collect::<member::Enroll>(&mut schemas);
    collect::<member::PatchProfile>(&mut schemas);
    collect::<member::Activate>(&mut schemas);
    collect::<member::SendCode>(&mut schemas);
    collect::<member::SetStatus>(&mut schemas);
    collect::<member::LookupBody>(&mut schemas);
    collect::<member::ReplaceCode>(&mut schemas);
    collect::<member::GuestContact>(&mut schemas);
    collect::<member::MakeClaimLink>(&mut schemas);
    collect::<member::ClaimBody>(&mut schemas);
    collect::<member::Profile>(&mut schemas);
    collect::<member::CodeSent>(&mut schemas);
    collect::<member::StatusShown>(&mut schemas);
    collect::<member::Found>(&mut schemas);
    collect::<member::Code>(&mut schemas);
    collect::<member::Referrals>(&mut schemas);
    collect::<member::ContactKept>(&mut schemas);
    collect::<member::ClaimLink>(&mut schemas);
    collect::<member::Claimed>(&mut schemas);
    collect::<ProblemWithMistakes>(&mut schemas);
    let schemas: BTreeMap<String, RefOr<Schema>> = schemas.into_iter().collect();
    let about = format!(
        "A token of the configured issuer and audience. With the scope `{READ_SCOPE}` it is that of a service \
         that reads, with `{WRITE_SCOPE}` of one that writes, with `{STAFF_SCOPE}` staff's; with other scopes \
         that begin with `loyalty/` it opens nothing here. With none of them it is a member's: the one named by \
         the configured claim, which is `sub` unless the deployment says otherwise."
    );
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(about))
        .build();
    ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme("token", SecurityScheme::Http(token))
        .build()
}

const fn method(method: Method) -> HttpMethod {
    match method {
        Method::Get => HttpMethod::Get,
        Method::Post => HttpMethod::Post,
        Method::Put => HttpMethod::Put,
        Method::Patch => HttpMethod::Patch,
    }
}

fn operation(route: &Route) -> Described {
    let Words { id, summary, about, body, answer } = words(route.operation);
    let own =
        if route.path.contains("/me") && route.operation != Operation::Claim { "Own" } else { "" };
    let callers: Vec<&str> = route
        .callers
        .iter()
        .map(|it| match it {
            Who::Member if route.names_member() => "the member itself",
            Who::Member => "members",
            Who::Service => "services that read",
            Who::Writer => "services that write",
            Who::Staff => "staff",
            Who::Adjuster => "staff who adjust",
            Who::Merger => "staff who merge",
            Who::Editor => "who edits the catalogue",
        })
        .collect();
    let mut operation = OperationBuilder::new()
        .operation_id(Some(format!("{id}{own}")))
        .summary(Some(summary))
        .description(Some(format!("{about}\n\nFor {}.", callers.join(", "))));
    if route.names_member() {
        operation = operation.parameter(member_id());
    }
    if route.path.contains("{order_id}") {
        operation = operation.parameter(order_id());
    }
    if route.operation == Operation::Referrals {
        operation = operation.parameter(limit()).parameter(cursor());
    }
    if route.operation == Operation::ChangeProfile {
        operation = operation.parameter(if_match());
    }
    if let Some(body) = body {
        let content = || {
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(body)));
            content.example(Some(example_of_body(route.operation))).build()
        };
        let mut request = RequestBodyBuilder::new().required(Some(Required::True));
        if route.body == BodyKind::MergePatch {
            request = request.content("application/merge-patch+json", content());
        }
        operation =
            operation.request_body(Some(request.content("application/json", content()).build()));
    }
    let statuses: &[&str] =
        if route.operation == Operation::Enroll { &["200", "201"] } else { &["200"] };
    for status in statuses {
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name(answer)))
            .example(Some(example(route.operation)))
            .build();
        let description = match *status {
            "201" => "The member is enrolled",
            _ if route.operation == Operation::Enroll => {
                "The member was enrolled before, with just this"
            }
            _ => summary,
        };
        let answered =
            ResponseBuilder::new().description(description).content("application/json", content);
        operation = operation.response(*status, answered.build());
    }
    let mut problems: BTreeMap<u16, Vec<Problem>> = BTreeMap::new();
    for kind in problems_of(route) {
        let document = kind.document();
        problems.entry(document.status).or_default().push(document);
    }
    for (status, documents) in problems {
        let response = problem_response(status, &documents, WITH_MISTAKES);
        operation = operation.response(status.to_string(), response);
    }
    operation.build()
}

/// What is said of an operation.
struct Words {
    id: &'static str,
    summary: &'static str,
    about: &'static str,
    body: Option<&'static str>,
    answer: &'static str,
}

const fn words(operation: Operation) -> Words {
    let (id, summary, about, body, answer) = match operation {
        Operation::Enroll => (
            "enroll",
            "Enrolls a member",
            "The member is `pending` until a code that is sent by mail or phone comes back, if the program wants it \
             so. A customer id, a card, a phone number and a mail address each identify one member. A referral code \
             that nobody has is refused here, since none can be named later.",
            Some("Enroll"),
            "Profile",
        ),
        Operation::Lookup => (
            "lookUp",
            "Finds a member by an identity or a code",
            "By POST, since what is looked for is personal and paths are logged on the way.",
            Some("LookupBody"),
            "Found",
        ),
        Operation::Profile => {
            ("getProfile", "A member's profile", "With its version as `etag`.", None, "Profile")
        }
        Operation::ChangeProfile => (
            "patchProfile",
            "Changes a member's profile",
            "A merge patch (RFC 7396). Another phone number or mail address is not verified.",
            Some("PatchProfile"),
            "Profile",
        ),
        Operation::Activate => (
            "activate",
            "Makes a member active by the code that was sent",
            "A code is good for 15 minutes and 5 attempts, whoever tries. Which contact it was sent to is verified.",
            Some("Activate"),
            "Profile",
        ),
        Operation::SendCode => (
            "sendCode",
            "Sends a member another code",
            "At most once a minute and 5 times in 24 hours. It ends the one before.",
            Some("SendCode"),
            "CodeSent",
        ),
        Operation::SetStatus => (
            "setStatus",
            "Stops a membership, lets it go on, or ends it",
            "A service may freeze it; all else is for staff. Under the same key it happens once.",
            Some("SetStatus"),
            "StatusShown",
        ),
        Operation::Referrals => (
            "getReferrals",
            "Whom a member brought, and by whom they were brought",
            "Why a referral was refused, and who friends are, is shown to services and staff only.",
            None,
            "Referrals",
        ),
        Operation::ReplaceCode => (
            "replaceCode",
            "Gives a member another code for friends",
            "The old one dies or lives on, as the program says.",
            Some("ReplaceCode"),
            "Code",
        ),
        Operation::KeepContact => (
            "keepContact",
            "Keeps by which mail address and phone number a guest's order can be claimed",
            "As keyed hashes, whether the order has come or not, in place of what was kept before.",
            Some("GuestContact"),
            "ContactKept",
        ),
        Operation::MakeClaimLink => (
            "makeClaimLink",
            "Makes a token for a link by which a guest's order can be claimed",
            "It is kept nowhere and cannot be taken back; it ends by itself, and with the claim.",
            Some("MakeClaimLink"),
            "ClaimLink",
        ),
        Operation::Claim => (
            "claimOrder",
            "Claims an order that was placed as a guest",
            "Once, with the points that it would have earned on its day. Mail and phone of one order can be tried 5 \
             times, whoever tries.",
            Some("ClaimBody"),
            "Claimed",
        ),
    };
    Words { id, summary, about, body, answer }
}

/// What can be wrong with a request of `route`.
fn problems_of(route: &Route) -> Vec<ProblemKind> {
    let is_for = |who| route.is_for(who);
    let is = |all: &[Operation]| all.contains(&route.operation);
    let is_written = route.body != BodyKind::None;
    let mut kinds = ProblemKind::ALL.to_vec();
    kinds.retain(|kind| match kind {
        // No request of a path that is here; or of member-api. Where a key is needed, it is in the body.
        ProblemKind::NotFound
        | ProblemKind::MethodNotAllowed
        | ProblemKind::NobodyInToken
        | ProblemKind::RequestKeyMissing
        | ProblemKind::RequestKeyInvalid
        | ProblemKind::RequestKeyReused
        | ProblemKind::Refused => false,
        ProblemKind::Unauthenticated
        | ProblemKind::ScopeNotSufficient
        | ProblemKind::NoMemberInToken
        | ProblemKind::InvalidQuery
        | ProblemKind::Internal
        | ProblemKind::Unavailable => true,
        ProblemKind::WriteScopeNeeded => is_for(Who::Writer) && !is_for(Who::Service),
        ProblemKind::CallerIsNoMember => !is_for(Who::Staff),
        ProblemKind::NotForMembers => !is_for(Who::Member),
        ProblemKind::InvalidMemberId => route.names_member(),
        ProblemKind::OtherMember => {
            (route.names_member() && is_for(Who::Member)) || is(&[Operation::Enroll])
        }
        ProblemKind::StaffOnly | ProblemKind::KeyReused => is(&[Operation::SetStatus]),
        ProblemKind::WrongContentType
        | ProblemKind::BodyTooLarge
        | ProblemKind::BodyNotJson
        | ProblemKind::InvalidBody => is_written,
        ProblemKind::InvalidLimit | ProblemKind::InvalidCursor => is(&[Operation::Referrals]),
        ProblemKind::MemberNotFound => is(&[Operation::Lookup]),
        ProblemKind::NotEnrolled => !is(&[
            Operation::Enroll,
            Operation::Lookup,
            Operation::KeepContact,
            Operation::MakeClaimLink,
            Operation::Claim,
        ]),
        ProblemKind::VersionConflict => is(&[Operation::ChangeProfile]),
        ProblemKind::EnrolledOtherwise | ProblemKind::ReferralCodeUnknown => {
            is(&[Operation::Enroll])
        }
        ProblemKind::MemberClosed => is(&[
            Operation::Enroll,
            Operation::Activate,
            Operation::SendCode,
            Operation::SetStatus,
            Operation::Claim,
        ]),
        ProblemKind::MemberFrozen => is(&[Operation::Activate, Operation::SendCode]),
        ProblemKind::MemberMerged => is(&[Operation::Enroll, Operation::Activate]),
        ProblemKind::AlreadyActive | ProblemKind::NoContact | ProblemKind::SentTooOften => {
            is(&[Operation::SendCode])
        }
        ProblemKind::IdentityTaken => is(&[Operation::Enroll, Operation::ChangeProfile]),
        ProblemKind::ReferralCodeReplaced => is(&[Operation::ReplaceCode]),
        ProblemKind::AttemptsUsedUp
        | ProblemKind::ActivationCodeExpired
        | ProblemKind::ActivationCodeWrong => is(&[Operation::Activate]),
        ProblemKind::ClaimNotProven
        | ProblemKind::ClaimAttemptsUsedUp
        | ProblemKind::OrderNotFound
        | ProblemKind::OrderTaken => is(&[Operation::Claim]),
    });
    kinds
}

fn order_id() -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(loyalty_domain::id::ID_BYTES_MAX))
        .pattern(Some("^(?!\\.{1,2}$)[A-Za-z0-9\\-._~:|=]+$"))
        .build();
    ParameterBuilder::new()
        .name("order_id")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("The shop's id of the order."))
        .schema(Some(schema))
        .example(Some(json!("536365")))
        .build()
}

fn cursor() -> Parameter {
    ParameterBuilder::new()
        .name("cursor")
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(
            "`next` of the page before, unchanged; without it the page is the first one.",
        ))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

fn if_match() -> Parameter {
    ParameterBuilder::new()
        .name("if-match")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("The `etag` that was read: the change is refused once there is another."))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .example(Some(json!("\"3\"")))
        .build()
}

/// A body, of a member that is made up.
fn example_of_body(operation: Operation) -> Value {
    match operation {
        Operation::Enroll => json!({
            "member_id": "17850", "phone": "+44 20 7946 0958", "mail": "member@shop.example",
            "language": "en-GB", "birthday": "--02-29",
            "consents": {"mail": {"granted": true, "at": "2026-02-10T09:30:00Z", "source": "checkout"}},
            "referral_code": "7H2K9-QX4MP", "source": "checkout"
        }),
        Operation::Lookup => json!({"kind": "mail", "value": "member@shop.example"}),
        Operation::ChangeProfile => json!({"language": "de", "birthday": null}),
        Operation::Activate => json!({"code": "042137"}),
        Operation::SendCode => json!({"channel": "phone"}),
        Operation::SetStatus => {
            json!({"status": "frozen", "reason": "suspected-fraud", "key": "case-4711"})
        }
        Operation::ReplaceCode => json!({"replaces": "7H2K9-QX4MP"}),
        Operation::KeepContact => json!({"mail": "guest@shop.example"}),
        Operation::MakeClaimLink => json!({"expires_at": "2026-03-12T09:30:00Z"}),
        Operation::Claim => json!({"order_id": "536365", "mail": "guest@shop.example"}),
        Operation::Profile | Operation::Referrals => Value::Null,
    }
}

/// An answer, about a member that is made up.
fn example(operation: Operation) -> Value {
    let link = "https://shop.example/?ref=7H2K9QX4MP";
    match operation {
        Operation::Enroll | Operation::Profile | Operation::ChangeProfile | Operation::Activate => {
            json!({
                "member_id": "17850", "status": "active", "enrolled_at": "2026-02-10T09:30:00Z",
                "activated_at": "2026-02-10T09:32:00Z", "source": "checkout",
                "phone": {"value": "+442079460958", "is_verified": false},
                "mail": {"value": "member@shop.example", "is_verified": true},
                "language": "en-GB", "birthday": "--02-29",
                "consents": {"mail": {"granted": true, "at": "2026-02-10T09:30:00Z", "source": "checkout"}},
                "identities": ["phone", "mail"], "referral_code": "7H2K9-QX4MP", "version": 2
            })
        }
        Operation::Lookup => json!({"member_id": "17850"}),
        Operation::SendCode => json!({"channel": "mail", "expires_at": "2026-02-10T09:45:00Z"}),
        Operation::SetStatus => {
            json!({"member_id": "17850", "status": "frozen", "at": "2026-02-10T09:30:00Z"})
        }
        Operation::Referrals => json!({
            "code": "7H2K9-QX4MP", "link": link, "referred": null, "rewarded": 1,
            "friends": [{"at": "2026-02-10T09:30:00Z", "state": "pending"}], "next": null
        }),
        Operation::ReplaceCode => json!({"code": "7H2K9-QX4MP", "link": link}),
        Operation::KeepContact => json!({"order_id": "536365", "by": ["mail"]}),
        Operation::MakeClaimLink => json!({
            "token": "1773307800.q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA",
            "expires_at": "2026-03-12T09:30:00Z"
        }),
        Operation::Claim => json!({"order_id": "536365", "member_id": "17850", "points": 52}),
    }
}
