//! Points that go from one member to another on DynamoDB: many gifts at once, to and fro at once, what staff adjust,
//! and what each of them costs.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use loyalty_domain::{
    account::Account,
    adjustment::{AdjustmentChange, NewAdjustment},
    command::Request,
    decide::Rejection,
    id::{AdjustmentId, ClientId, RequestKey},
    points::Points,
    program::Program,
};
use loyalty_dynamodb::{DynamoDbLedger, Tables};
use loyalty_ledger::{
    Answer, Answered, Attempts, LedgerError, Reading, execute,
    statement::{Accounts, statement},
};
use loyalty_tests_dynamodb::{Engine, Fault, Wire};
use loyalty_tests_ledger::{
    friends::{day, enroll, program},
    history::undo,
    member,
};
use serde_json::json;
use tokio::task::JoinSet;

/// A shop on an engine of its own, in which Ann and Bob are members and Ann has 100 points.
struct Shop {
    ledger: DynamoDbLedger,
    wire: Arc<Wire>,
    program: Program,
    engine: Engine,
}

impl Shop {
    async fn new() -> Self {
        let engine = Engine::start();
        Self::in_tables(engine.tables(), engine).await
    }

    async fn in_tables(tables: Tables, engine: Engine) -> Self {
        let (ledger, wire) = engine.ledger_in(tables);
        let change = json!({"transfers": {}, "adjustments": {"approval_above": 1_000}});
        let shop = Self { ledger, wire, program: program(&change), engine };
        for id in ["ann", "bob"] {
            shop.accepts(&enroll(id, 0, None)).await;
        }
        shop.accepts(&adjust("kim", "begin", AdjustmentChange::Add { through: None }, 100)).await;
        shop
    }

    async fn post(&self, request: &Request) -> Answered {
        execute(&self.ledger, &self.program, &mut Attempts(9), request).await.unwrap()
    }

    async fn accepts(&self, request: &Request) {
        let answered = self.post(request).await;
        let Answered::Now(entry) = &answered else { panic!("{answered:?}") };
        assert!(matches!(entry.answer, Answer::Accepted(_)), "{entry:?}");
    }

    async fn refuses(&self, request: &Request) -> Rejection {
        let answered = self.post(request).await;
        let Answered::Now(entry) = &answered else { panic!("{answered:?}") };
        let Answer::Refused(rejection) = &entry.answer else { panic!("{entry:?}") };
        rejection.clone()
    }

    /// All of `requests` at once; how many were accepted, and why the others were not.
    async fn at_once(&self, requests: Vec<Request>) -> (usize, Vec<Rejection>) {
        let mut running = JoinSet::new();
        for request in requests {
            let (ledger, program) = (self.ledger.clone(), self.program.clone());
            running.spawn(async move {
                execute(&ledger, &program, &mut Attempts(1_000), &request).await.unwrap()
            });
        }
        let (mut accepted, mut refused) = (0, Vec::new());
        for answered in running.join_all().await {
            let Answered::Now(entry) = &answered else { panic!("{answered:?}") };
            match &entry.answer {
                Answer::Accepted(_) => accepted += 1,
                Answer::Refused(rejection) => refused.push(rejection.clone()),
                Answer::Waiting(_) => panic!("{entry:?}"),
            }
        }
        (accepted, refused)
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

    async fn account(&self, id: &str) -> Account {
        let found = self.ledger.find_account(&member(id), Reading::Newest).await.unwrap();
        found.unwrap().account
    }

    async fn available(&self, id: &str) -> u64 {
        self.account(id).await.available().unwrap().get()
    }

    /// What a request costs in write units.
    async fn writes(&self, request: &Request) -> u64 {
        // So that what came before is not counted.
        self.wire.usage();
        self.post(request).await;
        self.wire.usage().write_units
    }
}

fn key(text: &str) -> RequestKey {
    RequestKey::try_from(text).unwrap()
}

fn points(number: u64) -> Points {
    Points::try_from(number).unwrap()
}

fn gives(name: &str, from: &str, to: &str, number: u64) -> Request {
    let client = ClientId::try_from("app").unwrap();
    Request::transfer(client, key(name), member(from), day(1), member(to), points(number))
}

fn adjust(who: &str, name: &str, change: AdjustmentChange, number: u64) -> Request {
    let reason = "goodwill".try_into().unwrap();
    let new = NewAdjustment { change, points: points(number), reason, note: None };
    Request::adjust(ClientId::try_from(who).unwrap(), key(name), member("ann"), day(0), new)
}

fn review(who: &str, name: &str, adjusts: &Request, approves: bool) -> Request {
    let (client, reason) = (ClientId::try_from(who).unwrap(), "checked".try_into().unwrap());
    let id = AdjustmentId::of(&adjusts.id);
    Request::review_adjustment(client, key(name), member("ann"), day(1), id, approves, reason)
}

#[tokio::test]
async fn of_20_gifts_of_100_from_100_at_once_one_succeeds_and_none_sees_a_conflict() {
    let shop = Shop::new().await;
    shop.conflict_now_and_then();

    let gifts = (0..20).map(|it| gives(&format!("k{it}"), "ann", "bob", 100)).collect();
    let (accepted, refused) = shop.at_once(gifts).await;

    let (available, requested) = (Points::ZERO, points(100));
    let short = Rejection::InsufficientPoints { available, requested };
    assert_eq!((accepted, refused), (1, vec![short; 19]));
    assert_eq!((shop.available("ann").await, shop.available("bob").await), (0, 100));
}

#[tokio::test]
async fn members_who_give_to_each_other_at_once_are_in_nobodys_way() {
    let shop = Shop::new().await;
    shop.accepts(&gives("half", "ann", "bob", 50)).await;
    shop.conflict_now_and_then();

    let gifts = (0..20).map(|it| {
        let (from, to) = if it % 2 == 0 { ("ann", "bob") } else { ("bob", "ann") };
        gives(&format!("k{it}"), from, to, 5)
    });
    let (accepted, refused) = shop.at_once(gifts.collect()).await;

    assert_eq!((accepted, refused), (20, Vec::new()));
    assert_eq!((shop.available("ann").await, shop.available("bob").await), (50, 50));
    for (id, here) in [("ann", 50), ("bob", 50)] {
        let moved = shop.account(id).await.holdings.transferred;
        let [up, down] = [moved.up, moved.down].map(Points::get);
        // 50 more went one way before.
        assert_eq!(up.abs_diff(down), here, "{id}");
    }
}

#[tokio::test]
async fn both_statements_show_a_gift_and_a_repeat_gives_nothing() {
    let shop = Shop::new().await;
    let gift = gives("k", "ann", "bob", 30);
    shop.accepts(&gift).await;

    assert!(matches!(shop.post(&gift).await, Answered::Before(_)));
    assert!(matches!(shop.post(&gives("k", "ann", "bob", 31)).await, Answered::Reused(_)));

    for (id, left) in [("ann", 70), ("bob", 30)] {
        let member_id = member(id);
        let page = statement(&shop.ledger, &member_id, None, 10, Reading::Newest).await.unwrap();
        let newest = page.entries.first().unwrap();
        let said = serde_json::to_string(&newest.answer).unwrap();
        assert!(said.contains(r#""transfer":"#), "{said}");
        assert_eq!(newest.member_id.as_ref(), Some(&member_id));
        assert_eq!(newest.balance.unwrap().available, points(left), "{newest:?}");
    }
}

#[tokio::test]
async fn a_refused_gift_stays_refused_whatever_becomes_of_the_other() {
    let shop = Shop::new().await;
    // Nobody yet, which a stale read could say of somebody who has just joined.
    assert_eq!(shop.refuses(&gives("k", "ann", "eve", 1)).await, Rejection::ReceiverNotActive);
    shop.accepts(&enroll("eve", 1, None)).await;

    shop.wire.disturb_once("BatchGetItem", Fault::Stale);
    shop.accepts(&gives("k2", "ann", "eve", 1)).await;
    assert!(matches!(shop.post(&gives("k", "ann", "eve", 1)).await, Answered::Before(_)));
    assert_eq!(shop.available("eve").await, 1);
}

#[tokio::test]
async fn a_function_that_may_not_see_persons_lets_members_give() {
    let engine = Engine::start();
    let tables = engine.tables();
    let shop = Shop::in_tables(tables.clone(), engine).await;
    // As redeem-points has it.
    let (blind, _) = shop.engine.ledger_without_members_in(tables);

    let answered =
        execute(&blind, &shop.program, &mut Attempts(9), &gives("k", "ann", "bob", 30)).await;

    let Ok(Answered::Now(entry)) = answered else { panic!("{answered:?}") };
    assert!(matches!(entry.answer, Answer::Accepted(_)), "{entry:?}");
    assert_eq!((shop.available("ann").await, shop.available("bob").await), (70, 30));
}

#[tokio::test]
async fn a_name_that_is_one_no_more_leads_to_nobodys_points() {
    let shop = Shop::new().await;
    shop.accepts(&enroll("cat", 0, None)).await;
    shop.accepts(&gives("b", "ann", "bob", 60)).await;
    let (staff, reason) = (ClientId::try_from("kim").unwrap(), "one_person".try_into().unwrap());
    let merge =
        Request::merge(staff.clone(), key("m"), member("ann"), day(1), member("bob"), reason);
    shop.accepts(&merge).await;
    assert_eq!(shop.available("bob").await, 100);

    // Ann's app asks while ann is a name for bob, loses a race and gives up; staff part them; the app asks again, and
    // its first reading is as old as its first try.
    let gift = gives("k", "ann", "cat", 50);
    shop.wire.disturb_once("TransactWriteItems", Fault::Conflict);
    let lost = execute(&shop.ledger, &shop.program, &mut Attempts(1), &gift).await;
    assert!(matches!(lost, Err(LedgerError::Contended { .. })), "{lost:?}");
    shop.accepts(&undo(staff, key("u"), &merge, day(1))).await;
    shop.wire.disturb_once("BatchGetItem", Fault::Stale);
    let refused = shop.refuses(&gift).await;

    let (available, requested) = (points(40), points(50));
    assert_eq!(refused, Rejection::InsufficientPoints { available, requested });
    assert_eq!((shop.available("ann").await, shop.available("bob").await), (40, 60));
    assert_eq!(shop.available("cat").await, 0);
}

#[tokio::test]
async fn of_two_who_decide_about_one_adjustment_at_once_one_does() {
    let shop = Shop::new().await;
    let large = adjust("kim", "large", AdjustmentChange::Add { through: None }, 5_000);
    shop.accepts(&large).await;
    assert_eq!(shop.available("ann").await, 100);
    let own = shop.refuses(&review("kim", "own", &large, true)).await;
    assert_eq!(own, Rejection::ApproverIsRequester);
    shop.conflict_now_and_then();

    let reviews = (0..10).map(|it| review(&format!("lee-{it}"), "r", &large, true)).collect();
    let (accepted, refused) = shop.at_once(reviews).await;

    assert_eq!((accepted, refused), (1, vec![Rejection::NoSuchAdjustment; 9]));
    assert_eq!(shop.available("ann").await, 5_100);
}

#[tokio::test]
async fn a_gift_costs_8_write_units_and_each_act_of_staff_4() {
    let shop = Shop::new().await;
    // Their first ones, which say when to look at them.
    shop.accepts(&gives("k1", "ann", "bob", 10)).await;

    let gift = shop.writes(&gives("k2", "ann", "bob", 10)).await;
    let again = shop.writes(&gives("k2", "ann", "bob", 10)).await;
    let refused = shop.writes(&gives("k3", "ann", "bob", 1_000)).await;
    let add = AdjustmentChange::Add { through: None };
    let adjusted = shop.writes(&adjust("kim", "a1", add, 10)).await;
    let large = adjust("kim", "a2", AdjustmentChange::Add { through: None }, 2_000);
    let proposed = shop.writes(&large).await;
    let approved = shop.writes(&review("lee", "r", &large, true)).await;

    assert_eq!((gift, again, refused), (8, 0, 1));
    assert_eq!((adjusted, proposed, approved), (4, 4, 4));
}
