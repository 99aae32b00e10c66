//! A shop whose members are on the embedded engine, and what is asked of it. Tests of both functions that write by
//! requests have it: each says what it opens.

use std::{
    fmt,
    future::Future,
    sync::{Arc, Mutex},
};

use jiff::{Span, Timestamp};
use lambda_http::{
    Context, lambda_runtime::LambdaEvent, request::LambdaRequest, tower::ServiceExt,
};
use loyalty_contracts::problem::ProblemKind;
use loyalty_domain::{command::Request, program::Program};
use loyalty_dynamodb::{DynamoDbLedger, Tables};
use loyalty_ledger::{Answered, Attempts, LedgerError, execute, program::Programs};
use loyalty_runtime::api::write::Writer;
use loyalty_tests_dynamodb::{Engine, Fault, Usage, Wire, members_table};
use serde_json::{Value, json};

const MEMBER: &str = include_str!("../../../member-api/tests/events/member.json");
const READER: &str = include_str!("../../../member-api/tests/events/service.json");
const STAFF: &str = include_str!("../../../member-api/tests/events/staff.json");
const NO_CLAIMS: &str = include_str!("../../../member-api/tests/events/no-claims.json");

fn with_claim(text: &str, claim: &str, value: &str) -> Value {
    let mut event: Value = serde_json::from_str(text).unwrap();
    event["requestContext"]["authorizer"]["jwt"]["claims"][claim] = json!(value);
    event
}

/// The token of a member.
pub(crate) fn as_member(id: &str) -> Value {
    with_claim(MEMBER, "sub", id)
}

/// The token of a service with `scope`.
pub(crate) fn as_service(scope: &str) -> Value {
    with_claim(READER, "scope", scope)
}

/// The token of a person of staff, with `scope`.
pub(crate) fn as_person(id: &str, scope: &str) -> Value {
    let mut event = with_claim(STAFF, "scope", scope);
    event["requestContext"]["authorizer"]["jwt"]["claims"]["sub"] = json!(id);
    event
}

/// Whoever may ask, of each kind, in the order of the letters of a matrix.
pub(crate) fn callers() -> Vec<Value> {
    vec![
        as_member("m1"),
        as_member("m2"),
        as_service("loyalty/members.read"),
        as_service("loyalty/members.write"),
        as_person("p1", "loyalty/staff"),
        as_person("p1", "loyalty/adjustments.write"),
        as_person("p1", "loyalty/merges.write"),
        as_person("p1", "loyalty/catalog.write"),
        as_service("loyalty/orders.write"),
        serde_json::from_str(NO_CLAIMS).unwrap(),
    ]
}

/// What a route says to a caller, as a letter: `+` of whoever is let in.
pub(crate) fn letter(answer: &Answer) -> char {
    match answer.body["code"].as_str() {
        Some("unauthenticated") => 'u',
        Some("scope-not-sufficient") => 's',
        Some("write-scope-needed") => 'w',
        Some("caller-is-no-member") => 'm',
        Some("not-for-members") => 'n',
        Some("other-member") => 'o',
        _ => '+',
    }
}

/// An event of API Gateway.
#[derive(Clone)]
pub(crate) struct Asked(pub(crate) Value);

impl Asked {
    /// A request with the token of `token` to `path`, of which API Gateway chose `route`, such as `GET /v1/x`.
    pub(crate) fn new(token: &Value, route: &str, path: &str) -> Self {
        let mut event = token.clone();
        event["routeKey"] = json!(route);
        event["rawPath"] = json!(path);
        event["rawQueryString"] = json!("");
        event["requestContext"]["routeKey"] = json!(route);
        event["requestContext"]["http"]["path"] = json!(path);
        event["requestContext"]["http"]["method"] = json!(route.split(' ').next());
        Self(event)
    }

    pub(crate) fn with(mut self, body: &Value) -> Self {
        self.0["headers"]["content-type"] = json!("application/json");
        self.0["body"] = json!(body.to_string());
        self
    }

    pub(crate) fn under(mut self, key: &str) -> Self {
        self.0["headers"]["idempotency-key"] = json!(key);
        self
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u64,
    pub(crate) body: Value,
}

impl Answer {
    /// The points that an entry left available.
    pub(crate) fn available(&self) -> u64 {
        let balance = self.body.pointer("/entry/balance").or_else(|| self.body.get("balance"));
        balance.and_then(|it| it["available"].as_u64()).unwrap_or_else(|| panic!("{self:?}"))
    }
}

#[track_caller]
pub(crate) fn assert_problem(answer: &Answer, kind: ProblemKind) {
    let document = kind.document();
    assert_eq!(answer.status, u64::from(document.status), "{answer:?}");
    assert_eq!(answer.body, serde_json::to_value(document).unwrap());
}

/// Sees that the rules said no because of `reason`.
#[track_caller]
pub(crate) fn assert_refused(answer: &Answer, reason: &str) {
    assert_eq!(answer.status, 409, "{answer:?}");
    assert_eq!((&answer.body["code"], &answer.body["reason"]), (&json!("refused"), &json!(reason)));
    assert!(answer.body["explanation"].is_string(), "{answer:?}");
}

/// All of `futures`, at once.
pub(crate) async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(Box::pin).map(Some).collect();
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if let Some(it) = future
                && let std::task::Poll::Ready(done) = it.as_mut().poll(context)
            {
                *output = Some(done);
                *future = None;
            }
        }
        if futures.iter().all(Option::is_none) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

/// The program of the shop alone.
#[derive(Clone, Debug)]
pub(crate) struct Shelf(Arc<[Program]>);

impl Programs for Shelf {
    async fn programs(&self) -> Result<Arc<[Program]>, LedgerError> {
        Ok(Arc::clone(&self.0))
    }
}

/// Tells the shop's instant.
pub(crate) type Now = Box<dyn Fn() -> Timestamp + Send + Sync>;
/// What the shop decides requests with.
pub(crate) type ShopWriter = Writer<DynamoDbLedger, Shelf, Now, fn() -> Attempts>;

/// A shop, at an instant of its own.
pub(crate) struct Shop {
    engine: Engine,
    store: DynamoDbLedger,
    wire: Arc<Wire>,
    pub(crate) tables: Tables,
    now: Arc<Mutex<Timestamp>>,
    program: Program,
}

impl fmt::Debug for Shop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shop").finish_non_exhaustive()
    }
}

impl Shop {
    /// A shop whose program has `sections` beside what every program has.
    pub(crate) fn open(sections: &Value) -> Self {
        let engine = Engine::start();
        let tables = engine.tables();
        let (store, wire) = engine.ledger_in(tables.clone());
        let mut program = json!({
            "name": "Test", "version": 3, "effective": "2026-01-01", "currency": "GBP",
            "time_zone": "Europe/London",
            "earning": {"points_per_unit": "1", "pending_days": 0, "expiry_months": 12},
            "tiers": {"levels": [{"id": "bronze", "name": "Bronze"}]},
            "enrollment": {"activation": "none", "points": 1_000}
        });
        for (name, section) in sections.as_object().unwrap() {
            program[name] = section.clone();
        }
        Self {
            store,
            wire,
            tables,
            now: Arc::new(Mutex::new("2026-02-10T09:30:00Z".parse().unwrap())),
            program: serde_json::from_value(program).unwrap(),
            engine,
        }
    }

    /// As [`open`](Self::open), with members `m1` and `m2`, who have 1,000 points each since the first of January.
    pub(crate) async fn with_members(sections: &Value) -> Self {
        let shop = Self::open(sections);
        for member in ["m1", "m2"] {
            let at = "2026-01-01T09:30:00Z".parse().unwrap();
            shop.execute(&Request::enroll(member.try_into().unwrap(), at, None)).await;
        }
        shop
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, span: Span) {
        let mut now = self.now.lock().unwrap();
        *now = now.checked_add(span).unwrap();
    }

    pub(crate) fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    pub(crate) fn items(&self, table: &str) -> Value {
        self.engine.items(table).into()
    }

    /// The name of the table of persons.
    pub(crate) fn members_table(&self) -> String {
        members_table(&self.tables)
    }

    pub(crate) const fn store(&self) -> &DynamoDbLedger {
        &self.store
    }

    /// The next transaction meets another one, as it can on AWS.
    pub(crate) fn conflict_once(&self) {
        self.wire.disturb_once("TransactWriteItems", Fault::Conflict);
    }

    /// What was sent to the store since the last time, and what it cost.
    pub(crate) fn usage(&self) -> Usage {
        self.wire.usage()
    }

    /// Does what another function would.
    pub(crate) async fn execute(&self, request: &Request) -> Answered {
        execute(&self.store, &self.program, &mut Attempts(9), request).await.unwrap()
    }

    /// Asks the function that is tested.
    pub(crate) async fn ask(&self, asked: Asked) -> Answer {
        let now = Arc::clone(&self.now);
        let writer: ShopWriter = Writer {
            store: self.store.clone(),
            programs: Shelf([self.program.clone()].into()),
            now: Box::new(move || *now.lock().unwrap()),
            patience: || Attempts(200),
        };
        let payload: LambdaRequest = serde_json::from_value(asked.0).unwrap();
        let event = LambdaEvent::new(payload, Context::default());
        let response = crate::tested(writer).oneshot(event).await.unwrap();
        let response = serde_json::to_value(response).unwrap();
        let body = response["body"].as_str().unwrap_or_else(|| panic!("{response}"));
        Answer {
            status: response["statusCode"].as_u64().unwrap(),
            body: serde_json::from_str(body).unwrap(),
        }
    }

    /// Asks by POST with a token, under a key.
    pub(crate) async fn post(
        &self,
        token: &Value,
        route: &str,
        path: &str,
        (key, body): (&str, Value),
    ) -> Answer {
        let asked = Asked::new(token, &format!("POST {route}"), path);
        self.ask(asked.with(&body).under(key)).await
    }
}
