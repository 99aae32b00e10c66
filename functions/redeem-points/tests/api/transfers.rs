//! Points that one member gives to another.

use loyalty_contracts::problem::ProblemKind;
use serde_json::json;

use crate::common::{Shop, all, as_member, as_service, assert_problem, assert_refused};

const OWN: &str = "/v1/members/me/transfers";

#[tokio::test]
async fn points_go_from_one_member_to_another_once_under_each_key() {
    let shop = Shop::with_members(&json!({"transfers": {"min_points": 10}})).await;
    let give = |points| ("k1", json!({"to": "m2", "points": points}));

    let first = shop.post(&as_member("m1"), OWN, OWN, give(100)).await;
    let again = shop.post(&as_member("m1"), OWN, OWN, give(100)).await;
    let other = shop.post(&as_member("m1"), OWN, OWN, give(101)).await;
    let few = shop.post(&as_member("m1"), OWN, OWN, ("k2", json!({"to": "m2", "points": 9}))).await;
    let much = ("k3", json!({"to": "m2", "points": 901}));
    let much = shop.post(&as_member("m1"), OWN, OWN, much).await;
    let own =
        shop.post(&as_member("m1"), OWN, OWN, ("k4", json!({"to": "m1", "points": 10}))).await;
    let back =
        shop.post(&as_member("m2"), OWN, OWN, ("k1", json!({"to": "m1", "points": 50}))).await;

    assert_eq!((first.status, first.available()), (200, 900), "{first:?}");
    assert_eq!(first.body["source"]["kind"], "transfer");
    assert_eq!(again, first);
    assert_problem(&other, ProblemKind::RequestKeyReused);
    assert_refused(&few, "fewer_than_minimum");
    assert_refused(&much, "insufficient_points");
    assert_refused(&own, "own_account");
    assert_eq!(back.available(), 1_050, "what was given is there");
}

#[tokio::test]
async fn of_twenty_gifts_of_all_points_at_once_one_is_given_and_nobody_sees_a_conflict() {
    let shop = Shop::with_members(&json!({"transfers": {}})).await;
    let token = as_member("m1");

    let keys: Vec<String> = (0..20).map(|it| format!("k{it}")).collect();
    let gift = || json!({"to": "m2", "points": 1_000});
    let answers = all(keys.iter().map(|it| shop.post(&token, OWN, OWN, (it, gift())))).await;

    let given = answers.iter().filter(|it| it.status == 200).count();
    assert_eq!(given, 1, "{answers:?}");
    let others = answers.iter().filter(|it| it.status != 200);
    others.for_each(|it| assert_refused(it, "insufficient_points"));
}

#[tokio::test]
async fn a_transfer_that_is_refused_stays_refused_under_its_key_and_says_why() {
    // Without a section of the program, nobody gives points away.
    let shop = Shop::with_members(&json!({})).await;
    let give = |points| ("k1", json!({"to": "m2", "points": points}));

    let first = shop.post(&as_member("m1"), OWN, OWN, give(100)).await;
    let again = shop.post(&as_member("m1"), OWN, OWN, give(100)).await;
    let other = shop.post(&as_member("m1"), OWN, OWN, give(101)).await;

    assert_refused(&first, "transfers_off");
    assert_eq!(again, first);
    assert_problem(&other, ProblemKind::RequestKeyReused);
    // Another client's key is another key.
    let path = "/v1/members/m1/transfers";
    let route = "/v1/members/{id}/transfers";
    let service = as_service("loyalty/members.write");
    assert_eq!(shop.post(&service, route, path, give(101)).await.status, 409);
}
