//! Events of API Gateway in, its answers out: as Lambda runs it, but for the clock and the store.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

mod entries;

use std::sync::Arc;

use jiff::Timestamp;
use lambda_http::{
    Context, lambda_runtime::LambdaEvent, request::LambdaRequest, tower::ServiceExt,
};
use loyalty_contracts::problem::ProblemKind;
use loyalty_domain::{
    command::{Command, Request},
    id::{CommandId, MemberId},
    program::Program,
};
use loyalty_ledger::{
    Attempts, Entry, LedgerError, Reading, execute,
    memory::MemoryLedger,
    program::Programs,
    statement::{Accounts, KnownAccount},
};
use loyalty_member_api::{
    handler::{Api, service},
    route::{ROUTES, Route, Who},
};
use loyalty_tests_ledger::{order, refund, spend};
use pollster::block_on;
use serde_json::{Value, json};

const NOW: &str = "2026-02-10T09:30:00Z";

const MEMBER: &str = include_str!("../events/member.json");
const SERVICE: &str = include_str!("../events/service.json");
const STAFF: &str = include_str!("../events/staff.json");
const NO_CLAIMS: &str = include_str!("../events/no-claims.json");

#[derive(Debug)]
struct Shelf(Arc<[Program]>);

impl Programs for Shelf {
    async fn programs(&self) -> Result<Arc<[Program]>, LedgerError> {
        Ok(Arc::clone(&self.0))
    }
}

/// A ledger that does not answer.
#[derive(Clone, Copy, Debug)]
enum Broken {
    Unavailable,
    Corrupt,
    Panics,
}

impl Broken {
    fn error(self) -> LedgerError {
        match self {
            Self::Unavailable => {
                LedgerError::Unavailable { operation: "BatchGetItem", source: "m1 secret".into() }
            }
            Self::Corrupt => LedgerError::Corrupt("m1 secret".into()),
            Self::Panics => panic!("m1 secret"),
        }
    }
}

impl Accounts for Broken {
    async fn find_account(
        &self,
        _: &MemberId,
        _: Reading,
    ) -> Result<Option<KnownAccount>, LedgerError> {
        Err(self.error())
    }

    async fn find_entries(
        &self,
        _: &[CommandId],
        _: Reading,
    ) -> Result<Vec<Arc<Entry>>, LedgerError> {
        Err(self.error())
    }
}

/// A point a pound after 14 days, for a year and to the end of its month.
fn program(version: u32, effective: &str) -> Program {
    let program = json!({
        "name": "Test", "version": version, "effective": effective, "currency": "GBP",
        "time_zone": "Europe/London", "rates": {"EUR": "0.86"},
        "earning": {
            "points_per_unit": "1", "pending_days": 14, "expiry_months": 12,
            "expiry_rounding": "month_end", "exclude": {"skus": ["POST"], "gift_cards": true}
        },
        "caps": {"per_order": 50_000, "per_member": [{"period": "month", "points": 100_000}]},
        "tiers": {"levels": [
            {"id": "bronze", "name": "Bronze", "stage": "base",
                "benefits": {"economic": ["a voucher"]}},
            {"id": "silver", "name": "Silver", "stage": "base", "spend": "200", "orders": 3,
                "bonus": "0.05"}
        ]},
        "campaigns": [{"name": "secret until it begins", "from": "2026-12-01", "points": 5}]
    });
    serde_json::from_value(program).unwrap()
}

fn at(mut request: Request, instant: &str) -> Request {
    request.at = instant.parse().unwrap();
    if let Command::PayOrder(order) = &mut request.command {
        order.paid_at = request.at;
    }
    request
}

/// Two orders and a refund of `m1`, an order of `m2`.
fn ledger() -> MemoryLedger {
    let ledger = MemoryLedger::default();
    let requests = [
        at(order("o/1", "m1", 12_000, 0), "2026-01-10T12:00:00Z"),
        at(order("o2", "m1", 5_212, 0), "2026-02-06T18:01:00Z"),
        at(order("o3", "m2", 100, 0), "2026-02-06T18:01:00Z"),
        at(refund("o2", "r1", 500, 0), "2026-02-08T10:00:00Z"),
    ];
    for request in &requests {
        let program = program(3, "2026-01-01");
        block_on(execute(&ledger, &program, &mut Attempts(1), request)).unwrap();
    }
    ledger
}

fn api<A>(accounts: A, now: &str) -> Api<A, Shelf, impl Fn() -> Timestamp + Send + Sync + use<A>> {
    let now: Timestamp = now.parse().unwrap();
    let programs = Shelf([program(4, "2026-03-01"), program(3, "2026-01-01")].into());
    Api { accounts, programs, now: move || now, member_claim: "sub".to_owned() }
}

fn ask<A: Accounts + Send + Sync + 'static>(accounts: A, now: &str, event: &Value) -> Value {
    ask_of(api(accounts, now), event)
}

fn ask_of<A, C>(api: Api<A, Shelf, C>, event: &Value) -> Value
where
    A: Accounts + Send + Sync + 'static,
    C: Fn() -> Timestamp + Send + Sync + 'static,
{
    let payload: LambdaRequest = serde_json::from_value(event.clone()).unwrap();
    let event = LambdaEvent::new(payload, Context::default());
    let response = block_on(service(api).oneshot(event)).unwrap();
    serde_json::to_value(response).unwrap()
}

/// Asks as of [`NOW`], and returns the status and the body.
fn answer(event: &Value) -> (u64, Value) {
    answer_of(ledger(), event)
}

/// Asks what `ledger` has as of [`NOW`], and returns the status and the body.
fn answer_of(ledger: MemoryLedger, event: &Value) -> (u64, Value) {
    let response = ask(ledger, NOW, event);
    assert_eq!(response["isBase64Encoded"], false, "{response}");
    let body = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
    let status = response["statusCode"].as_u64().unwrap();
    #[cfg(feature = "openapi")]
    if status == 200 {
        assert_described(event, &body);
    }
    (status, body)
}

/// The document says of the route what was answered: every field of it, and no other.
#[cfg(feature = "openapi")]
fn assert_described(event: &Value, body: &Value) {
    let text = loyalty_member_api::openapi::text().unwrap();
    let mut document: Value = serde_json::from_str(&text).unwrap();
    for schema in document["components"]["schemas"].as_object_mut().unwrap().values_mut() {
        if schema["type"] == "object" {
            schema["additionalProperties"] = json!(false);
        }
    }
    let path = event["routeKey"].as_str().unwrap().trim_start_matches("GET ");
    let answered = &document["paths"][path]["get"]["responses"]["200"];
    let mut schema = answered["content"]["application/json"]["schema"].clone();
    schema["components"] = document["components"].clone();
    let validator = jsonschema::validator_for(&schema).unwrap();

    let errors: Vec<_> = validator.iter_errors(body).map(|it| it.to_string()).collect();
    assert!(errors.is_empty(), "{path}: {body}: {errors:?}");
}

/// The event of a fixture, sent to `path`, of which API Gateway chose `route_key`.
fn event(fixture: &str, route_key: &str, path: &str, query: &str) -> Value {
    let mut event: Value = serde_json::from_str(fixture).unwrap();
    event["routeKey"] = json!(route_key);
    event["rawPath"] = json!(path);
    event["rawQueryString"] = json!(query);
    event["requestContext"]["routeKey"] = json!(route_key);
    event["requestContext"]["http"]["path"] = json!(path);
    event
}

fn with_claim(mut event: Value, claim: &str, value: &str) -> Value {
    event["requestContext"]["authorizer"]["jwt"]["claims"][claim] = json!(value);
    event
}

#[track_caller]
fn assert_problem(answered: &(u64, Value), kind: ProblemKind) {
    let document = kind.document();
    assert_eq!(answered.0, u64::from(document.status), "{answered:?}");
    assert_eq!(answered.1, serde_json::to_value(document).unwrap());
}

#[test]
fn a_member_reads_the_own_account_as_of_now() {
    let (status, body) = answer(&serde_json::from_str(MEMBER).unwrap());

    assert_eq!(status, 200, "{body}");
    let expected = json!({
        "member_id": "m1",
        "as_of": NOW, "membership": null,
        "points": {"available": 120, "pending": 47, "held": 0, "debt": 0},
        "pending": [
            {"points": 47, "available_at": "2026-02-20T18:01:00Z", "usable_through": "2027-02-28"}
        ],
        "lots": [{"points": 120, "usable_through": "2027-01-31", "lot": "2027-01-31"}],
        "holds": [],
        "tier": {
            "level": "bronze", "name": "Bronze", "stage": "base", "rank": 0,
            "benefits": {
                "economic": ["a voucher"], "service": [], "social": [], "identity": []
            },
            "valid_through": null, "is_in_grace": false, "set_as": null, "begins": null
        },
        "progress": {
            "window": "twelve_months", "from": "2025-03", "to": "2026-02", "currency": "GBP",
            "spend_minor": 16_712, "orders": 2, "growth": 0, "tasks": [],
            "next": {
                "level": "silver", "name": "Silver",
                "spend_minor": {"needed": 20_000, "missing": 3_288},
                "orders": {"needed": 3, "missing": 1}, "growth": null,
                    "tasks": []
            }
        }
    });
    assert_eq!(body, expected);
}

#[test]
fn what_fell_due_has_happened_although_nobody_posted_it() {
    let event: Value = serde_json::from_str(MEMBER).unwrap();
    let points = |now: &str| {
        let response = ask(ledger(), now, &event);
        let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
        (body["points"]["available"].clone(), body["points"]["pending"].clone())
    };

    assert_eq!(points("2026-02-20T18:00:59Z"), (json!(120), json!(47)));
    assert_eq!(points("2026-02-20T18:01:00Z"), (json!(167), json!(0)));
    assert_eq!(points("2027-01-31T23:59:59Z"), (json!(167), json!(0)));
    assert_eq!(points("2027-02-01T00:00:00Z"), (json!(47), json!(0)));
    // A clock that is behind the newest order shows the account as that order left it.
    assert_eq!(points("2026-02-08T09:58:00Z"), (json!(120), json!(47)));
}

#[test]
fn a_timeline_tells_what_will_happen_to_points_if_nothing_else_does() {
    let key = "GET /v1/members/me/timeline";
    let (status, body) = answer(&event(MEMBER, key, "/v1/members/me/timeline", ""));

    assert_eq!(status, 200, "{body}");
    let balance =
        |available: u64| json!({"available": available, "pending": 0, "held": 0, "debt": 0});
    let expected = json!({
        "member_id": "m1",
        "as_of": NOW,
        "through": "2028-02-10",
        "items": [
            {
                "kind": "points_available", "at": "2026-02-20T18:01:00Z", "points": 47,
                "debt_paid": 0, "usable_through": "2027-02-28", "balance": balance(167)
            },
            {
                "kind": "points_expire", "at": "2027-02-01T00:00:00Z", "points": 120,
                "usable_through": "2027-01-31", "balance": balance(47)
            },
            {
                "kind": "points_expire", "at": "2027-03-01T00:00:00Z", "points": 47,
                "usable_through": "2027-02-28", "balance": balance(0)
            }
        ],
        "is_whole": true
    });
    assert_eq!(body, expected);
}

#[test]
fn a_timeline_tells_what_pays_a_debt_and_what_a_review_would_leave_of_the_level() {
    let ledger = MemoryLedger::default();
    let requests = [
        at(order("o1", "m1", 25_000, 0), "2026-01-01T12:00:00Z"),
        at(spend("k1", "m1", 200, 0), "2026-01-20T12:00:00Z"),
        at(refund("o1", "r1", 25_000, 0), "2026-02-01T12:00:00Z"),
        at(order("o2", "m1", 30_000, 0), "2026-02-05T12:00:00Z"),
    ];
    for request in &requests {
        let program = program(3, "2026-01-01");
        block_on(execute(&ledger, &program, &mut Attempts(1), request)).unwrap();
    }

    let key = "GET /v1/members/{id}/timeline";
    let (status, body) = answer_of(ledger, &event(STAFF, key, "/v1/members/m1/timeline", ""));

    assert_eq!(status, 200, "{body}");
    let balance =
        |available: u64| json!({"available": available, "pending": 0, "held": 0, "debt": 0});
    let expected = json!([
        {
            "kind": "points_available", "at": "2026-02-19T12:00:00Z", "points": 315,
            "debt_paid": 200, "usable_through": "2027-02-28", "balance": balance(115)
        },
        {
            "kind": "points_expire", "at": "2027-03-01T00:00:00Z", "points": 115,
            "usable_through": "2027-02-28", "balance": balance(0)
        },
        {
            "kind": "level", "at": "2027-03-01T00:00:00Z", "cause": "review", "before": "silver",
            "level": "bronze", "change": "lowered", "valid_through": null
        }
    ]);
    assert_eq!(body["items"], expected);
}

#[test]
fn staff_read_entries_newest_first_a_page_at_a_time() {
    let (status, first) = answer(&serde_json::from_str(STAFF).unwrap());
    let cursor = first["next"].as_str().unwrap();
    let key = "GET /v1/members/{id}/entries";
    let (_, second) =
        answer(&event(STAFF, key, "/v1/members/m1/entries", &format!("cursor={cursor}&limit=50")));

    assert_eq!(status, 200, "{first}");
    let ids = |page: &Value| -> Vec<String> {
        let entries = page["entries"].as_array().unwrap();
        entries.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&first), ["O#o2#R#r1", "O#o2"]);
    assert_eq!(ids(&second), ["O#o/1"]);
    assert_eq!(second["next"], Value::Null);
    let expected = json!({
        "id": "O#o2#R#r1", "sequence": 3,
        "at": "2026-02-08T10:00:00Z", "sent_at": "2026-02-08T10:00:00Z",
        "source": {"kind": "refund", "order_id": "o2", "refund_id": "r1"},
        "program_version": 3,
        "changes": [{
            "kind": "corrected", "by": {"kind": "refund", "order_id": "o2", "refund_id": "r1"},
            "eligible_before_minor": 5_212, "eligible_after_minor": 4_712, "cut_minor": 0,
            "points_before": 52, "points_after": 47,
            "settled": {"kind": "taken_back", "pending": 5, "lots": [], "debt": 0, "waived": 0}, "others": []
        }],
        "balance": {"available": 120, "pending": 47, "held": 0, "debt": 0}
    });
    assert_eq!(first["entries"][0], expected);
    let expected = json!([
        {
            "kind": "matured", "at": "2026-01-24T12:00:00Z", "lot": "2027-01-31",
            "points": 120, "debt_paid": 0
        },
        {
            "kind": "earned", "paid_on": "2026-02-06", "currency": "GBP", "eligible_minor": 5_212,
            "points": 52,
            "components": [{
                "name": "base", "points_per_unit": "1", "share": "1", "fixed": null, "points": 52
            }],
            "headroom": 50_000, "lot": "2027-02-28", "available_at": "2026-02-20T18:01:00Z",
            "becomes": {"state": "pending"}, "others": []
        }
    ]);
    assert_eq!(first["entries"][1]["changes"], expected);
}

#[test]
fn a_program_shows_what_members_may_read_and_no_more() {
    let (status, body) = answer(&event(MEMBER, "GET /v1/program", "/v1/program", ""));

    assert_eq!(status, 200, "{body}");
    let expected = json!({
        "name": "Test", "version": 3, "effective": "2026-01-01", "currency": "GBP",
        "time_zone": "Europe/London",
        "earning": {
            "points_per_unit": "1", "currencies": [{"currency": "EUR", "rate": "0.86"}],
            "pending_days": 14, "expiry_months": 12, "expiry_rounding": "month_end",
            "counts_tax": false, "counts_shipping": false, "counts_gift_cards": false,
            "cap_per_order": 50_000, "caps_per_member": [{"period": "month", "points": 100_000}],
            "expiry_dates": [], "expiry": "fixed"
        },
        "levels": [
            {
                "level": "bronze", "name": "Bronze", "stage": "base", "rank": 0, "bonus": null,
                "spend_minor": null, "orders": null, "growth": null, "tasks": [],
                "is_invite_only": false, "is_floor": false,
                "benefits": {
                    "economic": ["a voucher"], "service": [], "social": [], "identity": []
                }
            },
            {
                "level": "silver", "name": "Silver", "stage": "base", "rank": 1, "bonus": "0.05",
                "spend_minor": 20_000, "orders": 3, "growth": null, "tasks": [],
                "is_invite_only": false, "is_floor": false,
                "benefits": {"economic": [], "service": [], "social": [], "identity": []}
            }
        ]
    });
    assert_eq!(body, expected);
}

#[test]
fn the_status_names_the_program_in_force() {
    let (status, body) = answer(&event(SERVICE, "GET /v1/status", "/v1/status", ""));

    assert_eq!(status, 200, "{body}");
    let release = env!("CARGO_PKG_VERSION");
    let expected = json!({"status": "ok", "as_of": NOW, "release": release, "program_version": 3});
    assert_eq!(body, expected);
}

/// Every caller there may be, by name, with the fixture of its token.
fn callers() -> [(&'static str, Value); 6] {
    let event = |fixture: &str| serde_json::from_str::<Value>(fixture).unwrap();
    [
        ("the member", event(MEMBER)),
        ("another member", with_claim(event(MEMBER), "sub", "m2")),
        ("a service", event(SERVICE)),
        ("staff", event(STAFF)),
        ("a scope of ours that reads nothing", {
            with_claim(event(SERVICE), "scope", "openid loyalty/orders.write")
        }),
        ("nobody", event(NO_CLAIMS)),
    ]
}

fn expected(route: &Route, caller: &str) -> Result<(), ProblemKind> {
    let check = |who: Who, otherwise| {
        if route.callers.contains(&who) { Ok(()) } else { Err(otherwise) }
    };
    match caller {
        "the member" => check(Who::Member, ProblemKind::NotForMembers),
        "another member" => match check(Who::Member, ProblemKind::NotForMembers) {
            Ok(()) if route.names_member() => Err(ProblemKind::OtherMember),
            other => other,
        },
        "a service" => check(Who::Service, ProblemKind::CallerIsNoMember),
        "staff" => check(Who::Staff, ProblemKind::CallerIsNoMember),
        "nobody" => Err(ProblemKind::Unauthenticated),
        _ => Err(ProblemKind::ScopeNotSufficient),
    }
}

#[test]
fn every_route_answers_every_caller_as_the_table_says() {
    let mut statuses = Vec::new();
    for route in &ROUTES {
        let path = route.path.replace("{id}", "m1");
        let mut row = Vec::new();
        for (name, caller) in callers() {
            let answered = answer(&event(&caller.to_string(), &route.key(), &path, ""));
            match expected(route, name) {
                Ok(()) => assert_eq!(answered.0, 200, "{name}, {path}: {answered:?}"),
                Err(kind) => assert_problem(&answered, kind),
            }
            row.push(answered.0);
        }
        statuses.push(row);
    }

    // The same once more by hand: a table that is wrong would agree with itself.
    let by_hand = [
        [200, 200, 403, 403, 403, 401],
        [200, 200, 403, 403, 403, 401],
        [200, 200, 403, 403, 403, 401],
        [200, 403, 200, 200, 403, 401],
        [200, 403, 200, 200, 403, 401],
        [200, 403, 200, 200, 403, 401],
        [200, 200, 200, 200, 403, 401],
        [403, 403, 200, 200, 403, 401],
    ];
    assert_eq!(statuses, by_hand);
}

#[test]
fn a_member_is_the_one_in_the_token_and_scopes_are_whole_words() {
    let me = |claim: &str, value: &str| {
        answer(&with_claim(serde_json::from_str(MEMBER).unwrap(), claim, value))
    };

    // Ids that no path can hold are fine in a token.
    let (status, body) = me("sub", "auth/a b@c");
    assert_eq!((status, &body["member_id"]), (200, &json!("auth/a b@c")));
    assert_eq!(body["points"]["available"], 0);
    for blank in ["", " ", "\n"] {
        assert_problem(&me("sub", blank), ProblemKind::NoMemberInToken);
    }
    for scope in ["loyalty/staff", "[openid loyalty/members.read]"] {
        assert_problem(&me("scp", scope), ProblemKind::CallerIsNoMember);
    }
    for scope in ["loyalty/staffing", "loyalty/", "loyalty/members.read.all loyalty/x"] {
        assert_problem(&me("scope", scope), ProblemKind::ScopeNotSufficient);
    }
    for scope in ["staff", "members.read", "not-loyalty/staff", "LOYALTY/staff"] {
        assert_eq!(me("scope", scope).0, 200, "{scope}");
    }
}

#[test]
fn a_member_without_account_has_nothing_and_is_not_known_to_others() {
    let member = with_claim(serde_json::from_str(MEMBER).unwrap(), "sub", "new");
    let (status, body) = answer(&member);
    let key = "GET /v1/members/me/entries";
    let own_entries = answer(&event(&member.to_string(), key, "/v1/members/me/entries", ""));
    let key = "GET /v1/members/me/timeline";
    let own_timeline = answer(&event(&member.to_string(), key, "/v1/members/me/timeline", ""));
    let others = ["", "/entries", "/timeline"].map(|it| {
        let key = format!("GET /v1/members/{{id}}{it}");
        answer(&event(SERVICE, &key, &format!("/v1/members/new{it}"), ""))
    });

    assert_eq!(status, 200, "{body}");
    assert_eq!(body["points"], json!({"available": 0, "pending": 0, "held": 0, "debt": 0}));
    assert_eq!((&body["tier"]["level"], &body["tier"]["rank"]), (&json!("bronze"), &json!(0)));
    assert_eq!(own_entries, (200, json!({"entries": [], "next": null})));
    assert_eq!((own_timeline.0, &own_timeline.1["items"]), (200, &json!([])));
    for other in &others {
        assert_problem(other, ProblemKind::MemberNotFound);
    }
}

#[test]
fn a_path_that_would_read_otherwise_to_somebody_is_refused() {
    // As API Gateway hands them on, decoded, with the route that it chose by the path before.
    let member = "GET /v1/members/{id}";
    let entries = "GET /v1/members/{id}/entries";
    let wrong = [
        (member, "/v1/members/m1/entries"),
        (member, "/v1/members/me"),
        (entries, "/v1/members/me/entries"),
        (entries, "/v1/members/m1"),
        (member, "/v1/members/m1/x"),
        (member, "/v1/members/m1#x"),
        (member, "/v1/members/m1?limit=1"),
        (member, "/v1/members/../status"),
        (member, "/v1/members/.."),
        (member, "/v1/members/."),
        (member, "/v1/members/m1/../m2"),
        (member, "/v1/members/m1/"),
        (member, "/v1/members//m1"),
        (member, "/v1/members/"),
        (member, "/v1/members/m 1"),
        (member, "/v1/members/m1\n"),
        (member, "/v1/members/m1\u{0}"),
        (member, "/v1/members/m1\u{7f}"),
        (member, "/v1/members/m%311"),
        (member, "/v1/members/m%2F1"),
        (member, "/v1/members/%2e%2e"),
        (member, "/v1/members/m\\1"),
        (member, "/v1/members/mé"),
        (member, "/v1/members/a@b.example"),
        (member, "/v1/members/+440000000000"),
        (member, "/v1/members/<script>"),
        (member, "/v1/members/{id}"),
        ("$default", "/v1/members/m1"),
        ("", "/v1/members/m1"),
        ("ANY /v1/members/{id}", "/v1/members/m1"),
    ];

    for (key, path) in wrong {
        for fixture in [SERVICE, MEMBER, NO_CLAIMS] {
            let answered = answer(&event(fixture, key, path, ""));
            assert_problem(&answered, ProblemKind::InvalidMemberId);
        }
    }
    let long = format!("/v1/members/{}", "x".repeat(129));
    assert_problem(&answer(&event(SERVICE, member, &long, "")), ProblemKind::InvalidMemberId);
    for fine in ["m1", "auth0|5f", "a.b", "...", "A-_~:=", &"x".repeat(128)] {
        let answered = answer(&event(SERVICE, member, &format!("/v1/members/{fine}"), ""));
        assert!(answered.0 == 200 || answered.1["code"] == "member-not-found", "{answered:?}");
    }
    let mut without_key = event(SERVICE, member, "/v1/members/m1", "");
    without_key["requestContext"]["routeKey"] = Value::Null;
    assert_eq!(answer(&without_key).0, 200, "the event itself has it, too");
}

#[test]
fn another_path_or_method_is_a_problem_document() {
    for path in [
        "/",
        "",
        "/v1",
        "/v1/members/m1/orders",
        "/v2/program",
        "/v1/program/",
        "/v1/Program",
        "/v1/status#",
        "/ ",
    ] {
        assert_problem(&answer(&event(SERVICE, "$default", path, "")), ProblemKind::NotFound);
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW"] {
        for route in &ROUTES {
            let path = route.path.replace("{id}", "m1");
            let mut event = event(MEMBER, "$default", &path, "limit=0");
            event["requestContext"]["http"]["method"] = json!(method);

            let response = ask(ledger(), NOW, &event);

            assert_eq!(response["statusCode"], 405, "{method} {path}: {response}");
            assert_eq!(response["headers"]["allow"], "GET");
            // What is asked for by HEAD has no body.
            if method != "HEAD" {
                assert_problem(&answer(&event), ProblemKind::MethodNotAllowed);
            }
        }
    }
}

#[test]
fn a_method_that_a_path_of_another_function_does_not_take_is_named_here() {
    for (method, path, allowed) in [
        ("GET", "/v1/members", "POST"),
        ("GET", "/v1/members/lookup", "POST"),
        ("DELETE", "/v1/members/m1/profile", "GET, PATCH"),
        ("PUT", "/v1/members/me/profile", "GET, PATCH"),
        ("GET", "/v1/orders/o1/contact", "PUT"),
    ] {
        let mut event = event(SERVICE, "$default", path, "");
        event["requestContext"]["http"]["method"] = json!(method);

        let response = ask(ledger(), NOW, &event);

        assert_eq!(response["statusCode"], 405, "{method} {path}: {response}");
        assert_eq!(response["headers"]["allow"], allowed, "{method} {path}");
    }
}

#[test]
fn a_query_that_is_not_understood_is_a_problem_document() {
    let key = "GET /v1/members/me/entries";
    let entries = |query: &str| answer(&event(MEMBER, key, "/v1/members/me/entries", query));
    let others =
        event(SERVICE, "GET /v1/members/{id}/entries", "/v1/members/m1/entries", "limit=1");
    let cursor = answer(&others).1["next"].as_str().unwrap().to_owned();
    let other = with_claim(event(MEMBER, key, "/v1/members/me/entries", ""), "sub", "m2");

    for query in ["limit=0", "limit=51", "limit=ten", "limit=", "limit=%00"] {
        assert_problem(&entries(query), ProblemKind::InvalidLimit);
    }
    for query in ["cursor=", "cursor=x", "cursor=e30", "cursor=\"<>^`{|}", "cursor=é"] {
        assert_problem(&entries(query), ProblemKind::InvalidCursor);
    }
    for query in ["limit=1&limit=2", "page=2", "limit=1&cursor=x&cursor=x"] {
        assert_problem(&entries(query), ProblemKind::InvalidQuery);
    }
    assert_eq!(entries(&format!("cursor={cursor}")).0, 200);
    let forged =
        event(&other.to_string(), key, "/v1/members/me/entries", &format!("cursor={cursor}"));
    assert_problem(&answer(&forged), ProblemKind::InvalidCursor);
    for (key, path) in
        [("GET /v1/members/me", "/v1/members/me"), ("GET /v1/program", "/v1/program")]
    {
        assert_problem(&answer(&event(MEMBER, key, path, "limit=1")), ProblemKind::InvalidQuery);
    }
}

#[test]
fn what_cannot_be_answered_says_whether_to_ask_again_and_nothing_of_why() {
    let broken = [
        (Broken::Unavailable, ProblemKind::Unavailable),
        (Broken::Corrupt, ProblemKind::Internal),
        (Broken::Panics, ProblemKind::Internal),
    ];
    for (ledger, kind) in broken {
        for fixture in [MEMBER, SERVICE, STAFF] {
            let response = ask(ledger, NOW, &serde_json::from_str(fixture).unwrap());

            assert_eq!(response["statusCode"], kind.document().status, "{response}");
            let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
            assert_eq!(body, serde_json::to_value(kind.document()).unwrap());
            assert!(!response.to_string().contains("secret"), "{response}");
            let has_header = !response["headers"]["retry-after"].is_null();
            assert_eq!(has_header, kind.document().retry);
        }
    }
    // Before the shop has added a program.
    let event: Value = serde_json::from_str(MEMBER).unwrap();
    let empty = Api { programs: Shelf([].into()), ..api(ledger(), NOW) };
    assert_eq!(ask_of(empty, &event)["statusCode"], 503);
}

#[test]
fn answers_are_private_and_say_what_they_are() {
    let me = ask(ledger(), NOW, &serde_json::from_str(MEMBER).unwrap());
    let program = ask(ledger(), NOW, &event(MEMBER, "GET /v1/program", "/v1/program", ""));
    let problem = ask(ledger(), NOW, &serde_json::from_str(NO_CLAIMS).unwrap());

    let headers = |it: &Value| {
        let headers = &it["headers"];
        (headers["content-type"].clone(), headers["cache-control"].clone())
    };
    assert_eq!(headers(&me), (json!("application/json"), json!("no-store")));
    assert_eq!(headers(&program), (json!("application/json"), json!("private, max-age=60")));
    assert_eq!(headers(&problem), (json!("application/problem+json"), json!("no-store")));
    assert_eq!(problem["headers"]["www-authenticate"], "Bearer");
}

#[test]
fn whatever_a_client_sends_is_answered_and_never_a_panic() {
    let mut odd = event(SERVICE, "GET /v1/members/{id}", "/v1/members/m1", "");
    odd["headers"]["host"] = json!("not a host:99999[");
    odd["headers"]["x-forwarded-proto"] = json!("gopher");
    odd["body"] = json!("no base64");
    odd["isBase64Encoded"] = json!(true);
    assert_eq!(answer(&odd).0, 200);

    for character in (0_u32..0x180).filter_map(char::from_u32) {
        for (path, query) in [
            (format!("/v1/members/{character}"), String::new()),
            (format!("{character}/v1/members/m1"), String::new()),
            ("/v1/members/m1".to_owned(), format!("a={character}{character}")),
        ] {
            let answered = answer(&event(SERVICE, "GET /v1/members/{id}", &path, &query));
            assert!((400..500).contains(&answered.0), "{character:?}: {answered:?}");
        }
    }
}
