//! Points that staff add or take off, and the second person whom much of it needs.

use jiff::ToSpan;
use loyalty_contracts::problem::ProblemKind;
use serde_json::{Value, json};

use crate::common::{Answer, Asked, Shop, all, as_person, assert_problem, assert_refused};

const ADJUSTS: &str = "loyalty/adjustments.write";
const ROUTE: &str = "/v1/members/{id}/adjustments";
const REVIEW: &str = "/v1/members/{id}/adjustments/{adjustment_id}/review";
const PATH: &str = "/v1/members/m1/adjustments";

/// A shop where more than 500 points need a second person.
async fn shop() -> Shop {
    Shop::with_members(&json!({"adjustments": {"approval_above": 500}})).await
}

async fn adjust(shop: &Shop, by: &str, key: &str, body: Value) -> Answer {
    shop.post(&as_person(by, ADJUSTS), ROUTE, PATH, (key, body)).await
}

async fn review(shop: &Shop, by: &str, (key, id): (&str, &Value), approve: bool) -> Answer {
    let path = format!("{PATH}/{}/review", id.as_str().unwrap());
    let body = json!({"approve": approve, "reason": "receipt-seen"});
    shop.post(&as_person(by, ADJUSTS), REVIEW, &path, (key, body)).await
}

async fn waiting(shop: &Shop) -> Value {
    let asked = Asked::new(&as_person("p3", "loyalty/staff"), &format!("GET {ROUTE}"), PATH);
    shop.ask(asked).await.body["adjustments"].clone()
}

fn add(points: u64) -> Value {
    json!({"direction": "add", "points": points, "reason": "goodwill"})
}

#[tokio::test]
async fn points_are_added_and_taken_once_under_each_key() {
    let shop = shop().await;

    let first = adjust(&shop, "p1", "k1", add(100)).await;
    shop.pass(1.minute());
    let again = adjust(&shop, "p1", "k1", add(100)).await;
    let otherwise = adjust(&shop, "p1", "k1", add(101)).await;
    let other_person = adjust(&shop, "p2", "k1", add(50)).await;
    let take = json!({"direction": "take", "points": 150, "reason": "mistake"});
    let taken = adjust(&shop, "p1", "k2", take).await;

    assert_eq!((first.status, first.available()), (200, 1_100), "{first:?}");
    assert_eq!(first.body["state"], "adjusted");
    assert_eq!(first.body["entry"]["source"]["client_id"], "p1", "every act has a name");
    assert_eq!(again, first);
    assert_problem(&otherwise, ProblemKind::RequestKeyReused);
    assert_eq!(other_person.available(), 1_150, "keys are apart by person");
    assert_eq!(taken.available(), 1_000);
    let more = json!({"direction": "take", "points": 500, "reason": "mistake"});
    for key in ["k3", "k4"] {
        assert_eq!(adjust(&shop, "p1", key, more.clone()).await.status, 200);
    }
    assert_refused(&adjust(&shop, "p1", "k5", more).await, "insufficient_points");
}

#[tokio::test]
async fn much_waits_for_another_person_than_the_one_who_asks() {
    let shop = shop().await;

    let asked_for = adjust(&shop, "p1", "k1", add(501)).await;
    assert_eq!((asked_for.status, asked_for.available()), (202, 1_000), "{asked_for:?}");
    assert_eq!(asked_for.body["state"], "waiting");
    let id = &asked_for.body["adjustment_id"];
    assert_eq!(
        waiting(&shop).await,
        json!([{
            "adjustment_id": id, "requester": "p1", "direction": "add", "points": 501,
            "reason": "goodwill", "note_id": null, "through": null
        }])
    );

    assert_refused(&review(&shop, "p1", ("k2", id), true).await, "approver_is_requester");
    let approved = review(&shop, "p2", ("k2", id), true).await;
    let again = review(&shop, "p2", ("k2", id), true).await;
    let otherwise = review(&shop, "p2", ("k2", id), false).await;
    let late = review(&shop, "p3", ("k2", id), true).await;

    assert_eq!((approved.status, approved.available()), (200, 1_501), "{approved:?}");
    assert_eq!(
        (&approved.body["state"], &approved.body["adjustment_id"]),
        (&json!("adjusted"), id)
    );
    assert_eq!(again, approved);
    assert_problem(&otherwise, ProblemKind::RequestKeyReused);
    assert_refused(&late, "no_such_adjustment");
    assert_eq!(waiting(&shop).await, json!([]));
    assert_eq!(adjust(&shop, "p1", "k1", add(501)).await, asked_for, "the answer stands");

    let asked_for = adjust(&shop, "p1", "k3", add(900)).await;
    let denied = review(&shop, "p2", ("k3", &asked_for.body["adjustment_id"]), false).await;
    assert_eq!((&denied.body["state"], denied.available()), (&json!("denied"), 1_501));
}

#[tokio::test]
async fn whoever_approves_at_once_one_of_them_does() {
    let shop = shop().await;
    let asked_for = adjust(&shop, "p1", "k1", add(900)).await;
    let id = &asked_for.body["adjustment_id"];

    let people: Vec<String> = (2..12).map(|it| format!("p{it}")).collect();
    let answers = all(people.iter().map(|it| review(&shop, it, ("k1", id), true))).await;

    let made: Vec<_> = answers.iter().filter(|it| it.status == 200).collect();
    assert_eq!((made.len(), made[0].available()), (1, 1_900));
    let others = answers.iter().filter(|it| it.status != 200);
    others.for_each(|it| assert_refused(it, "no_such_adjustment"));
}

#[tokio::test]
async fn words_are_kept_apart_and_named_by_their_id() {
    let shop = shop().await;
    let with = |field: &str, value: Value| {
        let mut body = add(10);
        body[field] = value;
        body
    };

    let spoken = adjust(&shop, "p1", "k1", with("note", json!("SECRET"))).await;
    let again = adjust(&shop, "p1", "k1", with("note", json!("SECRET"))).await;
    let otherwise = adjust(&shop, "p1", "k1", with("note", json!("Other words."))).await;
    let named = adjust(&shop, "p1", "k2", with("note_id", spoken.body["note_id"].clone())).await;
    let unknown = adjust(&shop, "p1", "k3", with("note_id", json!("0".repeat(32)))).await;

    assert_eq!((spoken.status, spoken.available()), (200, 1_010), "{spoken:?}");
    assert!(spoken.body["note_id"].is_string());
    assert_eq!(again, spoken);
    assert_problem(&otherwise, ProblemKind::RequestKeyReused);
    assert_eq!((named.status, &named.body["note_id"]), (200, &spoken.body["note_id"]));
    assert_eq!((unknown.status, &unknown.body["mistakes"][0]["path"]), (422, &json!("note_id")));
    assert!(shop.items(&shop.members_table()).to_string().contains("SECRET"));
    assert!(!shop.items(&shop.tables.ledger).to_string().contains("SECRET"));
}

#[tokio::test]
async fn nobody_s_points_are_adjusted_by_nobody() {
    let shop = shop().await;
    let path = "/v1/members/nobody/adjustments";
    let unknown = shop.post(&as_person("p1", ADJUSTS), ROUTE, path, ("k1", add(1))).await;
    assert_refused(&unknown, "not_enrolled");

    let unnamed = adjust(&shop, "p1@shop.example", "k1", add(1)).await;
    assert_problem(&unnamed, ProblemKind::NobodyInToken);
    let wrong = format!("{PATH}/1/review");
    let body = json!({"approve": true, "reason": "r"});
    let answer = shop.post(&as_person("p1", ADJUSTS), REVIEW, &wrong, ("k1", body)).await;
    assert_problem(&answer, ProblemKind::NotFound);
}
