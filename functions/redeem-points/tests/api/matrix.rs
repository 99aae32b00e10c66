//! Every route × every caller, and what is refused unread.

use loyalty_contracts::problem::ProblemKind;
use loyalty_redeem_points::route::{Operation, ROUTES, Route};
use loyalty_runtime::api::route::{BodyKind, Method};
use serde_json::{Value, json};

use crate::common::{Asked, Shop, as_member, assert_problem, callers, letter};

/// A body that the route understands.
fn body(operation: Operation) -> Value {
    match operation {
        Operation::Transfer => json!({"to": "m2", "points": 1}),
        Operation::Redeem => json!({"reward_id": "cup"}),
        Operation::Fulfill | Operation::Cancel | Operation::Refund => json!({"reason": "r"}),
        Operation::Rewards | Operation::Redemptions | Operation::Redemption => Value::Null,
        Operation::Quote | Operation::Hold => json!({"total_minor": 100, "currency": "GBP"}),
        Operation::Capture | Operation::Release => json!({}),
        Operation::PreviewRefund => json!({"order_id": "o1", "amount_minor": 100}),
    }
}

/// Who is let in, by hand: a table that is wrong would agree with itself. The columns are those of [`callers`].
#[rustfmt::skip]
const BY_HAND: &[&str] = &[
    "++mmmmmmsu POST /v1/members/me/transfers",
    "+ow++wwwsu POST /v1/members/{id}/transfers",
    "+++s+ssssu GET /v1/rewards",
    "++mmmmmmsu POST /v1/members/me/redemptions",
    "++mmmmmmsu GET /v1/members/me/redemptions",
    "++mmmmmmsu GET /v1/members/me/redemptions/{redemption_id}",
    "+ow++wwwsu POST /v1/members/{id}/redemptions",
    "+o+s+ssssu GET /v1/members/{id}/redemptions",
    "+o+s+ssssu GET /v1/members/{id}/redemptions/{redemption_id}",
    "nnw++wwwsu POST /v1/members/{id}/redemptions/{redemption_id}/fulfill",
    "nnw++wwwsu POST /v1/members/{id}/redemptions/{redemption_id}/cancel",
    "nnw++wwwsu POST /v1/members/{id}/redemptions/{redemption_id}/refund",
    "++mmmmmmsu POST /v1/members/me/checkout/quotes",
    "+o+++wwwsu POST /v1/members/{id}/checkout/quotes",
    "++mmmmmmsu POST /v1/members/me/checkout/holds",
    "+ow++wwwsu POST /v1/members/{id}/checkout/holds",
    "++mmmmmmsu POST /v1/members/me/checkout/holds/{hold_id}/capture",
    "+ow++wwwsu POST /v1/members/{id}/checkout/holds/{hold_id}/capture",
    "++mmmmmmsu POST /v1/members/me/checkout/holds/{hold_id}/release",
    "+ow++wwwsu POST /v1/members/{id}/checkout/holds/{hold_id}/release",
    "nn+++wwwsu POST /v1/orders/refund-preview",
];

fn asked(token: &Value, route: &Route) -> Asked {
    let path = route.path.replace("{id}", "m1").replace("{order_id}", "o1");
    let path =
        path.replace("{hold_id}", &"0".repeat(32)).replace("{redemption_id}", &"0".repeat(32));
    Asked::new(token, &route.key(), &path).with(&body(route.operation)).under("k")
}

#[tokio::test]
async fn every_route_lets_in_whom_the_table_says_and_nobody_else() {
    let shop = Shop::with_members(&json!({})).await;
    let mut letters = Vec::new();
    for route in ROUTES {
        let mut row = String::new();
        for token in &callers() {
            let answer = shop.ask(asked(token, route)).await;
            row.push(letter(&answer));
            assert!(answer.status < 500, "{}: {answer:?}", route.key());
        }
        letters.push(format!("{row} {}", route.key()));
    }

    assert_eq!(letters, BY_HAND);
}

#[tokio::test]
async fn whatever_changes_something_needs_a_key_that_is_one() {
    let shop = Shop::with_members(&json!({})).await;
    for route in ROUTES.iter().filter(|it| it.body == BodyKind::KeyedJson) {
        let without = || {
            let mut asked = asked(&as_member("m1"), route);
            asked.0["headers"].as_object_mut().unwrap().remove("idempotency-key");
            asked
        };
        assert_eq!(route.method, Method::Post, "{}", route.key());
        if !route.is_for(loyalty_redeem_points::route::Who::Member) {
            continue;
        }
        assert_problem(&shop.ask(without()).await, ProblemKind::RequestKeyMissing);
        let long = "x".repeat(129);
        for wrong in ["", " ", "m1@shop.example", "+442079460958", "k\u{e9}", "a\tb", &long] {
            let answer = shop.ask(without().under(wrong)).await;
            assert_problem(&answer, ProblemKind::RequestKeyInvalid);
        }
    }
}
