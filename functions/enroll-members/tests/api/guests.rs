//! Orders of guests.

use jiff::ToSpan;
use loyalty_contracts::problem::ProblemKind;
use loyalty_domain::command::{Command, Request};
use loyalty_tests_ledger::order;
use serde_json::{Value, json};

use crate::{
    common::{Answer, Asked, Shop, WRITER, as_member, assert_problem, fixture},
    enroll,
};

/// An order that nobody had an account for.
fn guest_order(id: &str, minor: u64) -> Request {
    let mut request = order(id, "nobody", minor, 0);
    if let Command::PayOrder(order) = &mut request.command {
        order.member_id = None;
    }
    request
}

async fn claim(shop: &Shop, member_id: &str, body: Value) -> Answer {
    let path = "/v1/members/me/orders";
    shop.ask(Asked::post(&as_member(member_id), path, path, &body)).await
}

async fn shop() -> Shop {
    let shop = Shop::open();
    shop.execute(&guest_order("o1", 5_000)).await;
    shop.execute(&order("o2", "m2", 100, 0)).await;
    for id in ["m1", "m2"] {
        shop.ask(enroll(&json!({ "member_id": id }))).await;
    }
    for id in ["o1", "o2", "o3"] {
        let (route, path) = ("/v1/orders/{order_id}/contact", format!("/v1/orders/{id}/contact"));
        let body = json!({"mail": "Guest@shop.example", "phone": "+44 20 7946 0958"});
        let kept = shop.ask(Asked::new(&fixture(WRITER), "PUT", route, &path).with(&body)).await;
        assert_eq!(kept.body, json!({"order_id": id, "by": ["mail", "phone"]}), "{kept:?}");
    }
    shop
}

#[tokio::test]
async fn a_guest_claims_an_order_once_with_the_points_of_its_day() {
    let shop = shop().await;
    let proof = json!({"order_id": "o1", "mail": "guest@SHOP.example"});

    let first = claim(&shop, "m1", proof.clone()).await;
    let other = claim(&shop, "m2", proof.clone()).await;
    let mut again = Vec::new();
    for _ in 0..6 {
        again.push(claim(&shop, "m1", proof.clone()).await.body);
    }

    let claimed = json!({"order_id": "o1", "member_id": "m1", "points": 50});
    assert_eq!((first.status, &first.body), (200, &claimed), "{first:?}");
    assert_problem(&other, ProblemKind::OrderTaken);
    assert!(again.iter().all(|it| *it == claimed), "{again:?}");
    let theirs = json!({"order_id": "o2", "phone": "+442079460958"});
    assert_problem(&claim(&shop, "m1", theirs).await, ProblemKind::OrderTaken);
    let not_come = json!({"order_id": "o3", "phone": "+442079460958"});
    assert_problem(&claim(&shop, "m1", not_come).await, ProblemKind::OrderNotFound);
}

#[tokio::test]
async fn a_wrong_contact_proves_nothing_and_five_of_them_end_it_but_for_a_link() {
    let shop = shop().await;
    let wrong = json!({"order_id": "o1", "mail": "other@shop.example"});
    for _ in 0..5 {
        assert_problem(&claim(&shop, "m1", wrong.clone()).await, ProblemKind::ClaimNotProven);
    }
    let right = json!({"order_id": "o1", "mail": "guest@shop.example"});
    assert_problem(&claim(&shop, "m2", right).await, ProblemKind::ClaimAttemptsUsedUp);
    let unknown = json!({"order_id": "o9", "mail": "guest@shop.example"});
    assert_problem(&claim(&shop, "m1", unknown).await, ProblemKind::ClaimNotProven);

    let (route, path) = ("/v1/orders/{order_id}/claim-link", "/v1/orders/o1/claim-link");
    let link = shop.ask(Asked::post(&fixture(WRITER), route, path, &json!({}))).await;
    assert_eq!((link.status, &link.body["expires_at"]), (200, &json!("2026-03-12T09:30:00Z")));
    let token = link.body["token"].as_str().unwrap();
    let by = |id: &str, token: &str| json!({"order_id": id, "token": token});
    let forged = token.replacen('1', "2", 1);
    for body in [by("o3", token), by("o1", &forged), by("o1", "x"), by("o1", ".")] {
        assert_problem(&claim(&shop, "m1", body).await, ProblemKind::ClaimNotProven);
    }
    shop.pass((30 * 24).hours());
    assert_problem(&claim(&shop, "m1", by("o1", token)).await, ProblemKind::ClaimNotProven);
    shop.pass(-1.second());
    assert_eq!(claim(&shop, "m1", by("o1", token)).await.body["points"], 50);
}

#[tokio::test]
async fn two_members_with_one_proof_are_one_owner() {
    let shop = shop().await;
    let proof = json!({"order_id": "o1", "mail": "guest@shop.example"});
    let both = ["m1", "m2"].into_iter().map(|it| claim(&shop, it, proof.clone()));

    let answers = crate::common::all(both).await;

    let mut statuses: Vec<u64> = answers.iter().map(|it| it.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{answers:?}");
}

#[tokio::test]
async fn who_only_orders_can_claim_an_order_too() {
    let shop = shop().await;
    let proof = json!({"order_id": "o1", "mail": "guest@shop.example"});

    // Orders make an account for whomever they name, and nobody has to enroll for it.
    assert_eq!(claim(&shop, "m9", proof).await.body["member_id"], "m9");
}
