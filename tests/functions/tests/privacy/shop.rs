//! The real functions over one engine and one cloud, and the log that they write.

use std::{
    io,
    sync::{Arc, Mutex, atomic::AtomicU64, atomic::Ordering},
    time::Duration,
};

use aws_lambda_events::event::sqs::SqsEvent;
use jiff::{Span, Timestamp};
use lambda_http::{
    Context, lambda_runtime::LambdaEvent, request::LambdaRequest, tower::ServiceExt,
};
use loyalty_contracts::work::Work;
use loyalty_domain::program::Program;
use loyalty_dynamodb::{DynamoDbLedger, Tables};
use loyalty_enroll_members::handler as members;
use loyalty_ledger::Attempts;
use loyalty_redeem_points::handler as points;
use loyalty_runtime::{
    api::write::Writer,
    clock::Deadline,
    dead_letter::SqsDeadLetters,
    metric::Metrics,
    program::CachedPrograms,
    publish::EventBridgeBus,
    queue::{Queue as _, SqsQueue},
    secret::HashKey,
};
use loyalty_staff_api::handler as staff;
use loyalty_tests_dynamodb::{Engine, Fault, Wire, members_table};
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use crate::cloud::{Cloud, WORK};

/// The log of the whole process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(ToOwned::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By<'a> {
    Member(&'a str),
    Reader,
    Writer,
    Staff,
    /// Staff with all powers, as their issuer names them.
    Person(&'a str),
}

impl By<'_> {
    fn event(self) -> Value {
        const MEMBER: &str =
            include_str!("../../../../functions/member-api/tests/events/member.json");
        const SERVICE: &str =
            include_str!("../../../../functions/member-api/tests/events/service.json");
        const STAFF: &str =
            include_str!("../../../../functions/member-api/tests/events/staff.json");
        let file = match self {
            By::Member(_) => MEMBER,
            By::Reader | By::Writer => SERVICE,
            By::Staff | By::Person(_) => STAFF,
        };
        let mut event: Value = serde_json::from_str(file).unwrap();
        let claims = &mut event["requestContext"]["authorizer"]["jwt"]["claims"];
        match self {
            By::Member(id) => claims["sub"] = json!(id),
            By::Writer => claims["scope"] = json!("loyalty/members.write"),
            By::Reader | By::Staff => (),
            By::Person(id) => {
                claims["sub"] = json!(id);
                claims["scope"] = json!(
                    "loyalty/staff loyalty/adjustments.write loyalty/merges.write loyalty/catalog.write"
                );
            }
        }
        event
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u64,
    pub(crate) body: Value,
}

/// A function's ledger, and the wire by which it is disturbed.
pub(crate) struct Line {
    pub(crate) ledger: DynamoDbLedger,
    pub(crate) wire: Arc<Wire>,
}

impl Line {
    fn new((ledger, wire): (DynamoDbLedger, Arc<Wire>)) -> Self {
        Self { ledger, wire }
    }

    fn programs(&self) -> CachedPrograms<DynamoDbLedger> {
        CachedPrograms::new(self.ledger.clone(), Duration::from_hours(1))
    }

    /// What requests are decided with at `now`.
    fn writer(
        &self,
        now: Timestamp,
    ) -> Writer<
        DynamoDbLedger,
        CachedPrograms<DynamoDbLedger>,
        impl Fn() -> Timestamp + Send + Sync + use<>,
        fn() -> Attempts,
    > {
        let (store, programs) = (self.ledger.clone(), self.programs());
        Writer { store, programs, now: move || now, patience: || Attempts(3) }
    }

    pub(crate) fn fails(&self, fault: Option<Fault>) {
        self.wire.disturb(move |_| fault);
    }
}

/// All functions that could learn something.
pub(crate) struct Shop {
    pub(crate) engine: Engine,
    pub(crate) tables: Tables,
    pub(crate) cloud: Cloud,
    pub(crate) log: Log,
    pub(crate) persons: Line,
    pub(crate) staff: Line,
    pub(crate) points: Line,
    pub(crate) orders: Line,
    pub(crate) rewards: Line,
    pub(crate) nights: Line,
    pub(crate) stream: Line,
    pub(crate) now: Mutex<Timestamp>,
    /// Whether random numbers make a request panic, which is a bug.
    pub(crate) bug: Mutex<Option<String>>,
    random: Arc<AtomicU64>,
    told: Mutex<usize>,
    settled: Mutex<usize>,
    /// Every answer of the API that is none of success, whole.
    pub(crate) errors: Mutex<Vec<String>>,
    /// The lines that are written for metrics.
    pub(crate) metrics: Mutex<Vec<String>>,
    /// Every body that we did not write.
    pub(crate) from_outside: Mutex<Vec<String>>,
    /// What the rule of the bus put onto the queue of referrals.
    pub(crate) ruled: Mutex<Vec<String>>,
}

impl Shop {
    pub(crate) async fn open(log: Log) -> Self {
        let engine = Engine::start();
        let tables = engine.tables_with_stream();
        let line = || Line::new(engine.ledger_in(tables.clone()));
        let [persons, staff, orders, rewards] = [line(), line(), line(), line()];
        let without = || Line::new(engine.ledger_without_members_in(tables.clone()));
        let [points, nights, stream] = [without(), without(), without()];
        let program: Program = serde_json::from_value(json!({
            "name": "Friends", "version": 1, "effective": "2026-01-01", "currency": "GBP",
            "time_zone": "Europe/London",
            "earning": {"points_per_unit": "1", "pending_days": 14, "expiry_months": 12},
            "tiers": {"levels": [{"id": "bronze", "name": "Bronze"}]},
            "enrollment": {"activation": "code", "points": 50},
            "referral": {
                "friend_points": 100, "referrer_points": 200, "window_days": 14,
                "min_amount": "20"
            },
        }))
        .unwrap();
        nights.ledger.publish(&program).await.unwrap();
        Self {
            tables,
            cloud: Cloud::new(),
            log,
            persons,
            staff,
            points,
            orders,
            rewards,
            nights,
            stream,
            engine,
            now: Mutex::new("2026-02-10T09:30:00Z".parse().unwrap()),
            bug: Mutex::default(),
            random: Arc::default(),
            told: Mutex::default(),
            settled: Mutex::default(),
            errors: Mutex::default(),
            metrics: Mutex::default(),
            from_outside: Mutex::default(),
            ruled: Mutex::default(),
        }
    }

    pub(crate) fn members(&self) -> String {
        members_table(&self.tables)
    }

    pub(crate) fn lines(&self) -> [&Line; 7] {
        let (staff, points) = (&self.staff, &self.points);
        [&self.persons, staff, points, &self.orders, &self.rewards, &self.nights, &self.stream]
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, span: Span) {
        let mut now = self.now.lock().unwrap();
        *now = now.checked_add(span).unwrap();
    }

    pub(crate) fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    /// Asks for `path` by a method, of which API Gateway chose `route`.
    pub(crate) async fn ask(
        &self,
        by: By<'_>,
        method: &str,
        (route, path): (&str, &str),
        change: impl FnOnce(&mut Value),
    ) -> Answer {
        let mut event = by.event();
        let key = format!("{method} {route}");
        let (raw, query) = path.split_once('?').unwrap_or((path, ""));
        event["routeKey"] = json!(key);
        event["rawPath"] = json!(raw);
        event["rawQueryString"] = json!(query);
        event["requestContext"]["routeKey"] = json!(key);
        event["requestContext"]["http"]["path"] = json!(raw);
        event["requestContext"]["http"]["method"] = json!(method);
        event["headers"]["content-type"] = json!("application/json");
        change(&mut event);
        let (now, random, bug) =
            (self.now(), Arc::clone(&self.random), self.bug.lock().unwrap().clone());
        let door = members::Door {
            store: self.persons.ledger.clone(),
            programs: self.persons.programs(),
            outbox: EventBridgeBus::new(self.cloud.bus(), "events".to_owned()),
            now: move || now,
            random: move |bytes: &mut [u8]| {
                assert!(bug.is_none(), "no random number for {bug:?}");
                let number = random.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
                let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let number = (number ^ (number >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                bytes.iter_mut().zip(number.to_be_bytes()).for_each(|(to, from)| *to = from);
                Ok(())
            },
            patience: || Attempts(3),
            hash_key: HashKey::of(&[7; 32]).unwrap(),
            referral_url: Some("https://shop.example/?ref=".to_owned()),
            member_claim: "sub".to_owned(),
        };
        let payload: LambdaRequest = serde_json::from_value(event).unwrap();
        let event = LambdaEvent::new(payload, Context::default());
        let is_of = |path: &str| path == route;
        let response = if loyalty_staff_api::route::ROUTES.iter().any(|it| is_of(it.path)) {
            let (writer, member_claim) = (self.staff.writer(now), "sub".to_owned());
            let service = staff::service(staff::Door { writer, member_claim });
            serde_json::to_value(service.oneshot(event).await.unwrap())
        } else if loyalty_redeem_points::route::ROUTES.iter().any(|it| is_of(it.path)) {
            let (writer, member_claim) = (self.points.writer(now), "sub".to_owned());
            let random = loyalty_runtime::secret::fill_random;
            let service = points::service(points::Door { writer, random, member_claim });
            serde_json::to_value(service.oneshot(event).await.unwrap())
        } else {
            serde_json::to_value(members::service(door).oneshot(event).await.unwrap())
        };
        let response = response.unwrap();
        let status = response["statusCode"].as_u64().unwrap();
        if status >= 400 {
            self.errors.lock().unwrap().push(response.to_string());
        }
        let body = response["body"].as_str().unwrap();
        Answer { status, body: serde_json::from_str(body).unwrap() }
    }

    /// Asks with a body in JSON.
    pub(crate) async fn send(
        &self,
        by: By<'_>,
        method: &str,
        at: (&str, &str),
        body: &Value,
    ) -> Answer {
        self.ask(by, method, at, |event| event["body"] = json!(body.to_string())).await
    }

    /// What the shop puts onto the queue of orders; whether it was answered.
    pub(crate) async fn order(&self, body: &str, correlation_id: &str) -> bool {
        self.from_outside.lock().unwrap().push(body.to_owned());
        let dead_letters =
            SqsDeadLetters::new(self.cloud.queues(), "https://queues.example/no-orders".to_owned());
        let (ledger, programs) = (self.orders.ledger.clone(), self.orders.programs());
        let door = loyalty_accrue_points::handler::Door { ledger, programs, dead_letters };
        let mut metrics = Metrics::of(loyalty_accrue_points::handler::FUNCTION);
        let event = delivered(body, Some(correlation_id));
        let handled = Box::pin(door.handle(event, soon(), self.now(), &mut metrics));
        let handled = handled.await.unwrap();
        self.metrics.lock().unwrap().extend(metrics.line(self.now()));
        handled.batch_item_failures.is_empty()
    }

    /// One message of the queue of referrals; whether it was answered.
    pub(crate) async fn referral(&self, body: &str) -> bool {
        let dead_letters = SqsDeadLetters::new(
            self.cloud.queues(),
            "https://queues.example/no-referrals".to_owned(),
        );
        let (ledger, programs) = (self.rewards.ledger.clone(), self.rewards.programs());
        let profiles = self.rewards.ledger.clone();
        let door = loyalty_issue_referral_reward::handler::Door {
            ledger,
            programs,
            profiles,
            dead_letters,
        };
        let mut metrics = Metrics::of(loyalty_issue_referral_reward::handler::FUNCTION);
        let event = delivered(body, None);
        let handled = Box::pin(door.handle(event, soon(), self.now(), &mut metrics));
        let handled = handled.await.unwrap();
        self.metrics.lock().unwrap().extend(metrics.line(self.now()));
        handled.batch_item_failures.is_empty()
    }

    /// One message of the queue of work; whether it was done.
    pub(crate) async fn work(&self, body: &str) -> bool {
        let queues = self.cloud.queues();
        let door = loyalty_expire_points::handler::Door {
            ledger: self.nights.ledger.clone(),
            programs: self.nights.programs(),
            queue: SqsQueue::new(queues.clone(), WORK.to_owned()),
            reviews: SqsQueue::new(queues.clone(), "https://queues.example/reviews".to_owned()),
            dead_letters: SqsDeadLetters::new(queues, "https://queues.example/no-work".to_owned()),
        };
        let mut metrics = Metrics::of(loyalty_expire_points::handler::FUNCTION);
        let event = delivered(body, None);
        let handled = Box::pin(door.handle(event, soon(), self.now(), &mut metrics)).await;
        self.metrics.lock().unwrap().extend(metrics.line(self.now()));
        handled.unwrap().batch_item_failures.is_empty()
    }

    /// A night: all that it leaves for itself is done.
    pub(crate) async fn night(&self) {
        let queue = SqsQueue::new(self.cloud.queues(), WORK.to_owned());
        queue.send(&[Work::Plan(loyalty_contracts::work::PlanDue::default())]).await.unwrap();
        while let Some(body) = self.cloud.work() {
            assert!(self.work(&body).await, "{body}");
        }
    }

    /// Tells of what is new in the ledger; whether all was told.
    pub(crate) async fn tell(&self) -> bool {
        let records = self.engine.stream(&self.tables.ledger);
        let told = *self.told.lock().unwrap();
        let bus = EventBridgeBus::new(self.cloud.bus(), "events".to_owned());
        let door =
            loyalty_publish_events::handler::Door { ledger: self.stream.ledger.clone(), bus };
        let mut metrics = Metrics::of(loyalty_publish_events::handler::FUNCTION);
        for batch in records.get(told..).unwrap_or_default().chunks(100) {
            let event = serde_json::from_value(json!({ "Records": batch })).unwrap();
            // There is time for one call, which is enough where it succeeds.
            let deadline = Deadline::after(Duration::from_millis(200));
            let handled = door.handle(event, deadline, &mut metrics).await.unwrap();
            if !handled.batch_item_failures.is_empty() {
                return false;
            }
            *self.told.lock().unwrap() += batch.len();
        }
        self.metrics.lock().unwrap().extend(metrics.line(self.now()));
        true
    }

    /// Tells of all that is new, and does what follows, until nothing does.
    pub(crate) async fn settle(&self) {
        loop {
            assert!(self.tell().await);
            let events = self.cloud.events();
            let settled = std::mem::replace(&mut *self.settled.lock().unwrap(), events.len());
            if settled == events.len() {
                return;
            }
            for (name, detail) in events.iter().skip(settled) {
                // As the rule of the template does.
                if ["referral.pending", "referral.qualified"].contains(&name.as_str()) {
                    let body = envelope(name, detail);
                    self.ruled.lock().unwrap().push(body.clone());
                    assert!(self.referral(&body).await, "{body}");
                }
            }
        }
    }
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

/// What a rule of EventBridge puts onto a queue.
fn envelope(name: &str, detail: &str) -> String {
    let detail: Value = serde_json::from_str(detail).unwrap();
    json!({
        "version": "0", "id": "7bf73129-1428-4cd3-a780-95db273d1602", "detail-type": name,
        "source": "loyalty", "account": "123456789012", "time": "2026-03-01T00:00:00Z",
        "region": "eu-central-1", "resources": [], "detail": detail,
    })
    .to_string()
}

/// A message as a queue hands it over.
fn delivered(body: &str, correlation_id: Option<&str>) -> SqsEvent {
    let attributes = correlation_id.map_or(
        json!({}),
        |it| json!({"correlation_id": {"stringValue": it, "dataType": "String"}}),
    );
    let record = json!({
        "messageId": "delivery-1", "body": body, "eventSource": "aws:sqs",
        "messageAttributes": attributes,
    });
    serde_json::from_value(json!({ "Records": [record] })).unwrap()
}
