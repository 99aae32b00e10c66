//! Friends on DynamoDB: many of one referrer at once, a farm, and what each operation costs.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use loyalty_domain::{
    account::Account, code::ReferralCode, command::Request, id::MemberId, program::Program,
    referral::ReferralState,
};
use loyalty_dynamodb::DynamoDbLedger;
use loyalty_ledger::{
    Answered, Attempts, Reading, execute, execute_with,
    profile::{KeyedHash, OldCode, Profile, ProfileChange, Signal, SignalKind},
    statement::Accounts,
};
use loyalty_tests_dynamodb::{Engine, Fault, Wire};
use loyalty_tests_ledger::{
    farm::{Farm, Join, PAIRS},
    friends::{
        activate, cancel, code_of, day, enroll, follow_ups, night, order, order_naming, program,
    },
    member,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// A profile with nothing in it but who it is, their code, and what others may share.
fn profile(member_id: &MemberId, code: ReferralCode, signals: Vec<Signal>) -> Profile {
    Profile {
        member_id: member_id.clone(),
        version: 0,
        phone: None,
        mail: None,
        language: Some("en-GB".try_into().unwrap()),
        birthday: None,
        consents: Vec::new(),
        identities: Vec::new(),
        signals,
        code,
        enrolled_at: day(1),
        source: None,
        digest: [1; 32].into(),
    }
}

/// A shop on an engine of its own.
struct Shop {
    ledger: DynamoDbLedger,
    wire: Arc<Wire>,
    program: Program,
    _engine: Engine,
}

impl Shop {
    fn new(change: &Value) -> Self {
        let engine = Engine::start();
        let (ledger, wire) = engine.ledger();
        Self { ledger, wire, program: program(change), _engine: engine }
    }

    async fn post(&self, request: &Request) -> Answered {
        execute(&self.ledger, &self.program, &mut Attempts(9), request).await.unwrap()
    }

    /// Somebody joins, with a profile that holds `signals`.
    async fn join(&self, request: &Request, signals: Vec<Signal>) -> Answered {
        let member_id = request.member_id().unwrap();
        let profile = profile(member_id, code_of(member_id.as_str()), signals);
        let change = ProfileChange::between(None, profile, OldCode::Dies);
        let (program, change) = (&self.program, Some(Arc::new(change)));
        execute_with(&self.ledger, program, &mut Attempts(9), request, change).await.unwrap()
    }

    async fn account(&self, id: &str) -> Account {
        let found = self.ledger.find_account(&member(id), Reading::Newest).await.unwrap();
        found.unwrap().account
    }

    /// A friend whom Anna brought and who kept an order: what is to be settled then.
    async fn due(&self, id: &str) -> Request {
        self.join(&enroll(id, 1, Some("anna")), Vec::new()).await;
        self.post(&order(id, id, 3_000, 1)).await;
        let mut due = follow_ups(&self.post(&night(id, 17)).await);
        assert_eq!(due.len(), 1, "{due:?}");
        due.remove(0)
    }

    /// All of `requests` at once, each deciding again after every race that it loses; says how many took effect.
    async fn at_once(&self, requests: &[Request]) -> usize {
        let mut running = JoinSet::new();
        for request in requests {
            let (ledger, program) = (self.ledger.clone(), self.program.clone());
            let request = request.clone();
            running.spawn(async move {
                execute(&ledger, &program, &mut Attempts(1_000), &request).await.unwrap()
            });
        }
        let answered = running.join_all().await;
        answered.iter().filter(|it| matches!(it, Answered::Now(_))).count()
    }

    /// Every third transaction meets another one.
    fn conflict_now_and_then(&self) {
        let writes = AtomicU64::new(0);
        self.wire.disturb(move |operation| {
            let is_write = operation == "TransactWriteItems";
            let is_third = is_write && writes.fetch_add(1, Ordering::Relaxed).is_multiple_of(3);
            is_third.then_some(Fault::Conflict)
        });
    }

    /// How many of the friends called `f0`, `f1`, … are in a state.
    async fn count(&self, is: impl Fn(&ReferralState) -> bool) -> usize {
        let mut number = 0;
        for friend in 0..FRIENDS {
            let account = self.account(&format!("f{friend}")).await;
            let state = &account.membership.referred.as_ref().unwrap().state;
            // Both sides or none: the friend has points if rewarded, and none otherwise.
            let has = account.available().unwrap().get();
            let is_rewarded = matches!(state, ReferralState::Rewarded(_));
            assert_eq!(has, 50 * u64::from(is_rewarded), "{friend}: {state:?}");
            number += usize::from(is(state));
        }
        number
    }
}

const FRIENDS: usize = 64;

/// Anna and her 64 friends, whose referrals are all due.
async fn all_due(change: &Value) -> (Shop, Vec<Request>) {
    let shop = Shop::new(change);
    shop.join(&enroll("anna", 0, None), Vec::new()).await;
    let mut due = Vec::new();
    for friend in 0..FRIENDS {
        due.push(shop.due(&format!("f{friend}")).await);
    }
    shop.conflict_now_and_then();
    (shop, due)
}

#[tokio::test]
async fn of_64_friends_at_once_all_count_once_and_caps_hold_to_the_point() {
    let change = json!({"referral": {
        "milestones": [{"friends": 10, "points": 300}, {"friends": 64, "points": 77}],
        "caps": [{"period": "month", "points": 2_555}, {"period": "lifetime", "points": 9_999}],
    }});
    let (shop, due) = all_due(&change).await;

    let now = shop.at_once(&due).await;
    let again = shop.at_once(&due).await;

    assert_eq!((now, again), (FRIENDS, 0));
    assert_eq!(shop.count(|it| matches!(it, ReferralState::Rewarded(_))).await, FRIENDS);
    let anna = shop.account("anna").await;
    assert_eq!(anna.available().unwrap().get(), 2_555);
    assert_eq!(anna.membership.referrals.rewarded, 64);
    assert_eq!(anna.membership.referrals.milestones.len(), 2);

    // Everything is returned at once, and nothing is left on any side.
    let returned: Vec<Request> = (0..FRIENDS).map(|it| cancel(&format!("f{it}"), 30)).collect();
    assert_eq!(shop.at_once(&returned).await, FRIENDS);
    assert_eq!(shop.count(|it| *it == ReferralState::Revoked).await, FRIENDS);
    let anna = shop.account("anna").await;
    assert_eq!((anna.available().unwrap().get(), anna.debt.get()), (0, 0));
    assert_eq!(anna.membership.referrals.rewarded, 0);
    assert!(anna.membership.referrals.milestones.is_empty());
    assert!(anna.membership.referrals.caps.iter().all(|it| it.points.is_zero()));
    println!("{:?}", shop.wire.usage().requests);
}

#[tokio::test]
async fn of_64_friends_at_once_as_many_as_are_natural_are_rewarded_and_the_others_wait() {
    let change = json!({"referral": {"velocity": {"period": "month", "friends": 10}}});
    let (shop, due) = all_due(&change).await;

    assert_eq!(shop.at_once(&due).await, FRIENDS);

    assert_eq!(shop.count(|it| matches!(it, ReferralState::Rewarded(_))).await, 10);
    assert_eq!(shop.count(|it| matches!(it, ReferralState::Held { .. })).await, FRIENDS - 10);
    assert_eq!(shop.account("anna").await.available().unwrap().get(), 1_000);
}

#[tokio::test]
async fn of_a_farm_exactly_the_honest_are_rewarded_and_every_refusal_has_its_reason() {
    let shop = Shop::new(&json!({}));
    let farm = Farm::of(20_261_128);

    farm.run(&shop.ledger, async |join: &Join| {
        shop.join(&join.request, join.signals.clone()).await
    })
    .await;
    let counted = farm.check(&shop.ledger).await;

    for (reason, friends) in &counted {
        println!("{friends:>5} {reason}");
    }
    assert_eq!(counted.get("rewarded"), Some(&PAIRS));
}

#[tokio::test]
async fn joining_and_bringing_friends_costs_what_the_decision_says() {
    let shop = Shop::new(&json!({"enrollment": {"activation": "code", "points": 30}}));
    let usual = |id: &str| {
        let signal = |kind| Signal { kind, hash: hash(id) };
        vec![signal(SignalKind::Phone), signal(SignalKind::Address)]
    };
    // Write units and half read units.
    let units = || {
        let usage = shop.wire.usage();
        (usage.write_units, usage.read_halves)
    };
    let mut costs = Vec::new();

    shop.join(&enroll("anna", 0, None), usual("anna")).await;
    costs.push(("enroll, with two signals and a code", units()));
    shop.post(&activate("anna", 0)).await;
    costs.push(("activate, with a welcome", units()));
    for id in ["bert", "cleo"] {
        shop.join(&enroll(id, 1, Some("anna")), usual(if id == "cleo" { "anna" } else { id }))
            .await;
        shop.post(&activate(id, 1)).await;
    }
    units();
    shop.post(&order("bert", "bert", 3_000, 1)).await;
    costs.push(("a watched order", units()));
    let due = follow_ups(&shop.post(&night("bert", 17)).await);
    costs.push(("what is due, told", units()));
    for request in &due {
        shop.post(request).await;
    }
    costs.push(("settle, both sides rewarded", units()));
    for request in &due {
        shop.post(request).await;
    }
    costs.push(("settle, repeated", units()));
    shop.post(&cancel("bert", 20)).await;
    costs.push(("refund, both rewards taken back", units()));
    shop.post(&order("cleo", "cleo", 3_000, 1)).await;
    let due = follow_ups(&shop.post(&night("cleo", 17)).await);
    units();
    for request in &due {
        shop.post(request).await;
    }
    costs.push(("settle, refused", units()));
    shop.post(&order_naming("dora", "dora", 3_000, 2, "anna")).await;
    costs.push(("a first order that names a code", units()));

    for (what, (writes, reads)) in &costs {
        println!("{writes:>3} write units, {reads:>3} half read units: {what}");
    }
    // Before a refusal stands for ever all is read once more, surely.
    let expected = [(12, 2), (5, 2), (6, 2), (6, 2), (8, 14), (0, 2), (10, 7), (4, 30), (5, 3)];
    assert_eq!(costs.iter().map(|(_, units)| *units).collect::<Vec<_>>(), expected);
}

/// A hash that no other member has.
fn hash(id: &str) -> KeyedHash {
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(id.bytes()).for_each(|(to, from)| *to = from);
    bytes.into()
}
