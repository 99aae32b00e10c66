//! The API as an `OpenAPI` 3.1 document, made from the route table and from the shapes of its answers.

use std::collections::BTreeMap;

use loyalty_contracts::{
    api,
    problem::{Problem, ProblemKind},
};
use serde_json::{Value, json};
use utoipa::openapi::{
    Components, ComponentsBuilder, ContentBuilder, HttpMethod, InfoBuilder, LicenseBuilder,
    ObjectBuilder, OpenApiBuilder, PathItem, PathsBuilder, Ref, RefOr, Required, ResponseBuilder,
    Schema, Type,
    path::{Operation as Described, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
    security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
};

use loyalty_runtime::api::{
    caller::{READ_SCOPE, STAFF_SCOPE},
    openapi::{collect, limit, member_id, problem_response},
};

use crate::route::{Operation, ROUTES, Route, Who};

/// What the document says of all paths.
const ABOUT: &str = "What members, services and staff may read of accounts.\n\n\
    **Numbers.** Points are whole. Amounts are whole minor units of the currency beside them (pence, \
    cents, yen). Both fit 64 bits with a sign, which is more than JavaScript's numbers hold exactly. Rates \
    are exact decimals, as text. An order's points are rounded down once for each component, and nothing \
    before it; spend is shown rounded down, and what is missing of a threshold rounded up.\n\n\
    **Time.** Instants are UTC, as RFC 3339 has them. Days and months are those of the program's time zone. \
    What fell due up to `as_of` has happened, whether or not any job has run.\n\n\
    **Fields** may be added to any answer, and values to any `kind` or `reason`.\n\n\
    **Errors** are problem documents (RFC 9457). `code` never changes; `retry` says whether the same \
    request, unchanged, may succeed later. A 503 says in `retry-after` when. A path that is not here is \
    404; another method is 405, with `allow`. Requests that API Gateway turns away by itself (no token, an \
    expired one, of another issuer or audience: 401, whatever the path; too many: 429) have its own short \
    body.\n\n\
    **Reading what was just written.** An answer may be some moments older than the newest order.";

/// The document's text, as it is checked in.
///
/// # Errors
///
/// Never, short of a shape that is no JSON. Retrying cannot help.
pub fn text() -> Result<String, serde_json::Error> {
    let mut paths = PathsBuilder::new();
    for route in &ROUTES {
        paths = paths.path(route.path, PathItem::new(HttpMethod::Get, operation(route)));
    }
    let info = InfoBuilder::new()
        .title("Loyalty: what may be read")
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

fn components() -> Components {
    let mut schemas = Vec::new();
    collect::<api::Member>(&mut schemas);
    collect::<api::Entries>(&mut schemas);
    collect::<api::Timeline>(&mut schemas);
    collect::<api::Program>(&mut schemas);
    collect::<api::Status>(&mut schemas);
    collect::<Problem>(&mut schemas);
    let schemas: BTreeMap<String, RefOr<Schema>> = schemas.into_iter().collect();
    let about = format!(
        "A token of the configured issuer and audience. With the scope `{READ_SCOPE}` it is a service's, \
         with `{STAFF_SCOPE}` staff's; with other scopes that begin with `loyalty/` it opens nothing here. \
         With none of them it is a member's: the one named by the configured claim, which is `sub` unless \
         the deployment says otherwise."
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

fn operation(route: &Route) -> Described {
    let (id, summary, about, answer) = words(route.operation);
    let callers: Vec<&str> = route
        .callers
        .iter()
        .map(|it| match it {
            Who::Member if route.names_member() => "the member itself",
            Who::Member => "members",
            Who::Service => "services",
            Who::Writer => "services that write",
            Who::Staff => "staff",
            Who::Adjuster => "staff who adjust",
            Who::Merger => "staff who merge",
            Who::Editor => "who edits the catalogue",
        })
        .collect();
    let mut operation = OperationBuilder::new()
        .operation_id(Some(id))
        .summary(Some(summary))
        .description(Some(format!("{about}\n\nFor {}.", callers.join(", "))));
    if route.names_member() {
        operation = operation.parameter(member_id());
    }
    if route.operation.has_pages() {
        operation = operation.parameter(limit()).parameter(cursor());
    }
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name(answer)))
        .example(Some(example(route.operation)))
        .build();
    let answered =
        ResponseBuilder::new().description(summary).content("application/json", content).build();
    operation = operation.response("200", answered);
    let mut problems: BTreeMap<u16, Vec<Problem>> = BTreeMap::new();
    for kind in problems_of(route) {
        let document = kind.document();
        problems.entry(document.status).or_default().push(document);
    }
    for (status, documents) in problems {
        operation =
            operation.response(status.to_string(), problem_response(status, &documents, "Problem"));
    }
    operation.build()
}

/// The operation's id, what it is, what there is to know of it, and the shape of its answer.
const fn words(operation: Operation) -> (&'static str, &'static str, &'static str, &'static str) {
    match operation {
        Operation::OwnMember => (
            "getOwnMember",
            "The caller's own account",
            "A member who has bought nothing yet has an account with nothing in it, at the lowest level.",
            "Member",
        ),
        Operation::OwnEntries => (
            "listOwnEntries",
            "The caller's own entries, newest first",
            "What happened to the account, entry by entry. Entries never change, and new ones move no page.",
            "Entries",
        ),
        Operation::OwnTimeline => (
            "getOwnTimeline",
            "What will happen to the caller's own points and level",
            "If nothing else does: no order, no refund, no use of points, no new version of the program. \
             Points that never expire are not in it.",
            "Timeline",
        ),
        Operation::Timeline => (
            "getTimeline",
            "What will happen to a member's points and level",
            "As `/v1/members/me/timeline`, by id. A service or staff get 404 for a member who has bought \
             nothing yet.",
            "Timeline",
        ),
        Operation::Member => (
            "getMember",
            "A member's account",
            "As `/v1/members/me`, by id. A service or staff get 404 for a member who has bought nothing yet.",
            "Member",
        ),
        Operation::Entries => (
            "listEntries",
            "A member's entries, newest first",
            "As `/v1/members/me/entries`, by id.",
            "Entries",
        ),
        Operation::Program => (
            "getProgram",
            "The program in force",
            "How orders become points, and the levels with their thresholds and benefits. It may be kept for \
             a minute, and is that old at most once a new version is in force.",
            "Program",
        ),
        Operation::Status => {
            ("getStatus", "Whether all works", "Reads the program and the ledger.", "Status")
        }
    }
}

/// What can be wrong with a request of `route`.
fn problems_of(route: &Route) -> Vec<ProblemKind> {
    let is_for = |who| route.is_for(who);
    let mut kinds = ProblemKind::ALL.to_vec();
    kinds.retain(|kind| match kind {
        // No request of a path that is here, and nothing here is written.
        ProblemKind::NotFound
        | ProblemKind::MethodNotAllowed
        | ProblemKind::WriteScopeNeeded
        | ProblemKind::StaffOnly
        | ProblemKind::WrongContentType
        | ProblemKind::BodyTooLarge
        | ProblemKind::BodyNotJson
        | ProblemKind::InvalidBody
        | ProblemKind::NotEnrolled
        | ProblemKind::VersionConflict
        | ProblemKind::EnrolledOtherwise
        | ProblemKind::KeyReused
        | ProblemKind::NobodyInToken
        | ProblemKind::RequestKeyMissing
        | ProblemKind::RequestKeyInvalid
        | ProblemKind::RequestKeyReused
        | ProblemKind::Refused
        | ProblemKind::MemberClosed
        | ProblemKind::MemberFrozen
        | ProblemKind::MemberMerged
        | ProblemKind::IdentityTaken
        | ProblemKind::ReferralCodeUnknown
        | ProblemKind::ReferralCodeReplaced
        | ProblemKind::NoContact
        | ProblemKind::SentTooOften
        | ProblemKind::AttemptsUsedUp
        | ProblemKind::ActivationCodeExpired
        | ProblemKind::ActivationCodeWrong
        | ProblemKind::ClaimNotProven
        | ProblemKind::AlreadyActive
        | ProblemKind::ClaimAttemptsUsedUp
        | ProblemKind::OrderNotFound
        | ProblemKind::OrderTaken => false,
        ProblemKind::Unauthenticated
        | ProblemKind::ScopeNotSufficient
        | ProblemKind::NoMemberInToken
        | ProblemKind::InvalidQuery
        | ProblemKind::Internal
        | ProblemKind::Unavailable => true,
        ProblemKind::CallerIsNoMember => !is_for(Who::Service),
        ProblemKind::NotForMembers => !is_for(Who::Member),
        ProblemKind::InvalidMemberId | ProblemKind::OtherMember | ProblemKind::MemberNotFound => {
            route.names_member()
        }
        ProblemKind::InvalidLimit | ProblemKind::InvalidCursor => route.operation.has_pages(),
    });
    kinds
}

fn cursor() -> Parameter {
    ParameterBuilder::new()
        .name("cursor")
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(
            "`next` of the page before, unchanged; without it the page is the newest one. A cursor does not \
             grow old while fewer than 300 new entries come; entries further down never lose theirs.",
        ))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

/// An answer, about a member that is made up.
fn example(operation: Operation) -> Value {
    let points = json!({"available": 120, "pending": 52, "held": 0, "debt": 0});
    match operation {
        Operation::OwnMember | Operation::Member => json!({
            "member_id": "17850",
            "as_of": "2026-02-10T09:30:00Z",
            "points": points,
            "pending": [
                {"points": 52, "available_at": "2026-02-20T18:01:00Z", "usable_through": "2027-02-28"}
            ],
            "lots": [{"points": 120, "usable_through": "2027-01-31", "lot": "2027-01-31"}],
            "holds": [],
            "tier": {
                "level": "base-1", "name": "Member", "stage": "base", "rank": 0,
                "benefits": {
                    "economic": ["birthday voucher of 5.00"],
                    "service": [], "social": [], "identity": []
                },
                "valid_through": null, "is_in_grace": false, "set_as": null, "begins": null
            },
            "progress": {
                "window": "twelve_months", "from": "2025-03", "to": "2026-02", "currency": "GBP",
                "spend_minor": 17_212, "orders": 2, "growth": 0, "tasks": [],
                "next": {
                    "level": "base-2", "name": "Bronze",
                    "spend_minor": {"needed": 20_000, "missing": 2_788},
                    "orders": {"needed": 3, "missing": 1}, "growth": null,
                    "tasks": []
                }
            }
        }),
        Operation::OwnEntries | Operation::Entries => json!({
            "entries": [{
                "id": "O#536365",
                "sequence": 2,
                "at": "2026-02-06T18:01:00Z",
                "sent_at": "2026-02-06T18:01:00Z",
                "source": {"kind": "order", "order_id": "536365"},
                "program_version": 1,
                "changes": [
                    {
                        "kind": "matured", "at": "2026-01-24T12:00:00Z", "lot": "2027-01-31",
                        "points": 120, "debt_paid": 0
                    },
                    {
                        "kind": "earned", "paid_on": "2026-02-06", "currency": "GBP",
                        "eligible_minor": 5_212, "points": 52,
                        "components": [{
                            "name": "base", "points_per_unit": "1", "share": "1", "fixed": null,
                            "points": 52
                        }],
                        "headroom": null, "lot": "2027-02-28",
                        "available_at": "2026-02-20T18:01:00Z", "becomes": {"state": "pending"}, "others": []
                    }
                ],
                "balance": points
            }],
            "next": "eyJiZWZvcmUiOjIsInZpYSI6bnVsbH0"
        }),
        Operation::OwnTimeline | Operation::Timeline => example_of_timeline(),
        Operation::Program => json!({
            "name": "Standard", "version": 1, "effective": "2026-01-01", "currency": "GBP",
            "time_zone": "Europe/London",
            "earning": {
                "points_per_unit": "1", "currencies": [{"currency": "EUR", "rate": "0.86"}],
                "pending_days": 14, "expiry_months": 12, "expiry_rounding": "month_end",
                "counts_tax": false, "counts_shipping": false, "counts_gift_cards": false,
                "cap_per_order": null, "caps_per_member": [],
                "expiry_dates": [], "expiry": "fixed"
            },
            "levels": [
                {
                    "level": "base-1", "name": "Member", "stage": "base", "rank": 0, "bonus": null,
                    "spend_minor": null, "orders": null, "growth": null, "tasks": [],
                "is_invite_only": false, "is_floor": false,
                    "benefits": {
                        "economic": ["birthday voucher of 5.00"],
                        "service": [], "social": [], "identity": []
                    }
                },
                {
                    "level": "base-2", "name": "Bronze", "stage": "base", "rank": 1, "bonus": "0.05",
                    "spend_minor": 20_000, "orders": 3, "growth": null, "tasks": [],
                "is_invite_only": false, "is_floor": false,
                    "benefits": {
                        "economic": ["birthday voucher of 5.00", "free shipping over 50.00"],
                        "service": [], "social": [], "identity": ["bronze badge"]
                    }
                }
            ]
        }),
        Operation::Status => json!({
            "status": "ok", "as_of": "2026-02-10T09:30:00Z", "release": "0.1.0", "program_version": 1
        }),
    }
}

fn example_of_timeline() -> Value {
    json!({
        "member_id": "17850",
        "as_of": "2026-02-10T09:30:00Z",
        "through": "2028-02-10",
        "items": [
            {
                "kind": "points_available", "at": "2026-02-20T18:01:00Z", "points": 52,
                "debt_paid": 0, "usable_through": "2027-02-28",
                "balance": {"available": 172, "pending": 0, "held": 0, "debt": 0}
            },
            {
                "kind": "points_expire", "at": "2027-02-01T00:00:00Z", "points": 120,
                "usable_through": "2027-01-31",
                "balance": {"available": 52, "pending": 0, "held": 0, "debt": 0}
            },
            {
                "kind": "level", "at": "2027-03-01T00:00:00Z", "cause": "review", "before": "base-2",
                "level": "base-1", "change": "lowered", "valid_through": null
            }
        ],
        "is_whole": true
    })
}
