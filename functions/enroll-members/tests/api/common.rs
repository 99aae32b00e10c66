//! A shop whose members are on the embedded engine, and what is asked of it.

use std::{
    error::Error,
    fmt,
    future::Future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::{Span, Timestamp};
use lambda_http::{
    Context, lambda_runtime::LambdaEvent, request::LambdaRequest, tower::ServiceExt,
};
use loyalty_contracts::problem::ProblemKind;
use loyalty_domain::{command::Request, program::Program};
use loyalty_dynamodb::{DynamoDbLedger, Tables};
use loyalty_enroll_members::{
    handler::{Door, service},
    outbox::Outbox,
};
use loyalty_ledger::{Attempts, LedgerError, execute, program::Programs};
use loyalty_runtime::{publish::Message, secret::HashKey};
use loyalty_tests_dynamodb::{Engine, Usage, Wire, members_table};
use serde_json::{Value, json};

pub(crate) const MEMBER: &str = include_str!("../../../member-api/tests/events/member.json");
pub(crate) const READER: &str = include_str!("../../../member-api/tests/events/service.json");
pub(crate) const STAFF: &str = include_str!("../../../member-api/tests/events/staff.json");
pub(crate) const NO_CLAIMS: &str = include_str!("../../../member-api/tests/events/no-claims.json");
/// As [`READER`], with the scope that writes.
pub(crate) const WRITER: &str = "writer";

/// The event whose token is of a kind of caller.
pub(crate) fn fixture(caller: &str) -> Value {
    if caller == WRITER {
        let reader = serde_json::from_str(READER).unwrap();
        return with_claim(reader, "scope", "loyalty/members.write");
    }
    serde_json::from_str(caller).unwrap()
}

pub(crate) fn with_claim(mut event: Value, claim: &str, value: &str) -> Value {
    event["requestContext"]["authorizer"]["jwt"]["claims"][claim] = json!(value);
    event
}

pub(crate) fn as_member(id: &str) -> Value {
    with_claim(fixture(MEMBER), "sub", id)
}

/// An event of API Gateway.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) event: Value,
}

impl Asked {
    /// A request with the token of `token` to `path`, of which API Gateway chose `route`.
    pub(crate) fn new(token: &Value, method: &str, route: &str, path: &str) -> Self {
        let mut event = token.clone();
        let key = format!("{method} {route}");
        event["routeKey"] = json!(key);
        event["rawPath"] = json!(path);
        event["rawQueryString"] = json!("");
        event["requestContext"]["routeKey"] = json!(key);
        event["requestContext"]["http"]["path"] = json!(path);
        event["requestContext"]["http"]["method"] = json!(method);
        Self { event }
    }

    pub(crate) fn with(mut self, body: &Value) -> Self {
        self.event["headers"]["content-type"] = json!("application/json");
        self.event["body"] = json!(body.to_string());
        self
    }

    pub(crate) fn post(token: &Value, route: &str, path: &str, body: &Value) -> Self {
        Self::new(token, "POST", route, path).with(body)
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u64,
    pub(crate) body: Value,
    pub(crate) headers: Value,
}

#[track_caller]
pub(crate) fn assert_problem(answer: &Answer, kind: ProblemKind) {
    let document = kind.document();
    assert_eq!(answer.status, u64::from(document.status), "{answer:?}");
    assert_eq!(answer.body, serde_json::to_value(document).unwrap());
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

#[derive(Clone, Debug)]
struct Shelf(Arc<[Program]>);

impl Programs for Shelf {
    async fn programs(&self) -> Result<Arc<[Program]>, LedgerError> {
        Ok(Arc::clone(&self.0))
    }
}

/// A bus that keeps what it takes, or takes nothing.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<(Vec<Value>, bool)>>);

impl Outbox for Kept {
    async fn send(&self, message: Message) -> Result<(), Box<dyn Error + Send + Sync>> {
        let mut kept = self.0.lock().unwrap();
        if kept.1 {
            return Err("the bus is down".into());
        }
        assert_eq!(message.name, "member.activation_requested");
        kept.0.push(serde_json::from_str(&message.detail).unwrap());
        Ok(())
    }
}

/// A shop, at an instant of its own.
pub(crate) struct Shop {
    engine: Engine,
    store: DynamoDbLedger,
    wire: Arc<Wire>,
    pub(crate) tables: Tables,
    pub(crate) members: String,
    outbox: Kept,
    now: Arc<Mutex<Timestamp>>,
    random: Arc<AtomicU64>,
    program: Program,
}

impl fmt::Debug for Shop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shop").finish_non_exhaustive()
    }
}

impl Shop {
    pub(crate) fn open() -> Self {
        let engine = Engine::start();
        let tables = engine.tables();
        let (store, wire) = engine.ledger_in(tables.clone());
        let program = json!({
            "name": "Test", "version": 3, "effective": "2026-01-01", "currency": "GBP",
            "time_zone": "Europe/London",
            "earning": {"points_per_unit": "1", "pending_days": 14, "expiry_months": 12},
            "tiers": {"levels": [{"id": "bronze", "name": "Bronze"}]},
            "enrollment": {"activation": "code", "points": 50},
            "referral": {"friend_points": 100, "referrer_points": 200, "window_days": 14}
        });
        Self {
            store,
            wire,
            members: members_table(&tables),
            tables,
            outbox: Kept::default(),
            now: Arc::new(Mutex::new("2026-02-10T09:30:00Z".parse().unwrap())),
            random: Arc::default(),
            program: serde_json::from_value(program).unwrap(),
            engine,
        }
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, span: Span) {
        let mut now = self.now.lock().unwrap();
        *now = now.checked_add(span).unwrap();
    }

    pub(crate) fn bus_is_down(&self, is_down: bool) {
        self.outbox.0.lock().unwrap().1 = is_down;
    }

    /// All that left for whoever sends codes.
    pub(crate) fn sent(&self) -> Vec<Value> {
        self.outbox.0.lock().unwrap().0.clone()
    }

    /// The code that was sent last.
    pub(crate) fn code(&self) -> String {
        self.sent().last().unwrap()["code"].as_str().unwrap().to_owned()
    }

    pub(crate) fn items(&self, table: &str) -> Value {
        self.engine.items(table).into()
    }

    pub(crate) const fn store(&self) -> &DynamoDbLedger {
        &self.store
    }

    /// What was sent to the store since the last time, and what it cost.
    pub(crate) fn usage(&self) -> Usage {
        self.wire.usage()
    }

    /// Does what another function would.
    pub(crate) async fn execute(&self, request: &Request) {
        execute(&self.store, &self.program, &mut Attempts(9), request).await.unwrap();
    }

    pub(crate) async fn ask(&self, asked: Asked) -> Answer {
        let (now, random) = (Arc::clone(&self.now), Arc::clone(&self.random));
        let door = Door {
            store: self.store.clone(),
            programs: Shelf([self.program.clone()].into()),
            outbox: self.outbox.clone(),
            now: move || *now.lock().unwrap(),
            random: move |bytes: &mut [u8]| {
                let number = random.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
                let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
                bytes.iter_mut().zip(number).for_each(|(to, from)| *to = from);
                Ok(())
            },
            patience: || Attempts(50),
            hash_key: HashKey::of(&[7; 32]).unwrap(),
            referral_url: Some("https://shop.example/?ref=".to_owned()),
            member_claim: "sub".to_owned(),
        };
        let payload: LambdaRequest = serde_json::from_value(asked.event).unwrap();
        let event = LambdaEvent::new(payload, Context::default());
        let response = service(door).oneshot(event).await.unwrap();
        let response = serde_json::to_value(response).unwrap();
        let body = response["body"].as_str().unwrap_or_else(|| panic!("{response}"));
        Answer {
            status: response["statusCode"].as_u64().unwrap(),
            body: serde_json::from_str(body).unwrap(),
            headers: response["headers"].clone(),
        }
    }
}
