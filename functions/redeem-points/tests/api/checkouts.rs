//! Points that pay for orders: what is quoted is held, and what is held is used or comes back.

use jiff::ToSpan;
use loyalty_contracts::problem::ProblemKind;
use serde_json::{Value, json};

use crate::common::{Answer, Asked, Shop, as_member, as_service, assert_problem, assert_refused};

const QUOTES: &str = "/v1/members/me/checkout/quotes";
const HOLDS: &str = "/v1/members/me/checkout/holds";

/// A shop of which a point pays five pence.
async fn shop() -> Shop {
    Shop::with_members(&json!({"checkout": {"point_worth": "0.05", "hold_minutes": 30}})).await
}

async fn hold(shop: &Shop, key: &str, body: Value) -> Answer {
    shop.post(&as_member("m1"), HOLDS, HOLDS, (key, body)).await
}

/// What is done to the hold of `held`: `capture` or `release`.
async fn then(shop: &Shop, held: &Answer, what: &str, (key, body): (&str, Value)) -> Answer {
    let id = held.body["hold"]["hold_id"].as_str().unwrap();
    let route = format!("{HOLDS}/{{hold_id}}/{what}");
    shop.post(&as_member("m1"), &route, &format!("{HOLDS}/{id}/{what}"), (key, body)).await
}

fn order() -> Value {
    json!({"total_minor": 1_999, "currency": "GBP"})
}

#[tokio::test]
async fn a_quote_says_what_points_pay_and_writes_nothing() {
    let shop = shop().await;
    shop.usage();
    let asked =
        |body: &Value| Asked::new(&as_member("m1"), &format!("POST {QUOTES}"), QUOTES).with(body);

    let quote = shop.ask(asked(&order())).await;
    let usage = shop.usage();
    let wrong = shop.ask(asked(&json!({"total_minor": 0, "currency": "pounds"}))).await;

    // 399 points are worth 19.95, and the last four pence no whole point.
    assert_eq!(quote.status, 200, "{quote:?}");
    assert_eq!((&quote.body["points"], &quote.body["amount_minor"]), (&json!(399), &json!(1_995)));
    assert_eq!(quote.body["available"], json!(1_000));
    assert_eq!(usage.writes(), 0, "{usage:?}");
    let paths: Vec<_> =
        wrong.body["mistakes"].as_array().unwrap().iter().map(|it| it["path"].clone()).collect();
    assert_eq!((wrong.status, paths), (422, vec![json!("total_minor"), json!("currency")]));
}

#[tokio::test]
async fn a_hold_that_is_asked_for_twice_is_one_and_is_used_in_part() {
    let shop = shop().await;

    let held = hold(&shop, "k1", order()).await;
    let again = hold(&shop, "k1", order()).await;
    let other = hold(&shop, "k1", json!({"total_minor": 2_000, "currency": "GBP"})).await;
    let captured = then(&shop, &held, "capture", ("k2", json!({"points": 100}))).await;
    let twice = then(&shop, &held, "capture", ("k2", json!({"points": 100}))).await;
    let gone = then(&shop, &held, "release", ("k3", json!({}))).await;
    // The member has paid; that the sale did not take place is for the shop to say.
    let route = "/v1/members/{id}/checkout/holds/{hold_id}/release";
    let id = held.body["hold"]["hold_id"].as_str().unwrap();
    let path = format!("/v1/members/m1/checkout/holds/{id}/release");
    let shops = as_service("loyalty/members.write");
    // A job that tidies up carts sends this after a capture, too, and gives nothing back.
    let tidied = shop.post(&shops, route, &path, ("k6", json!({}))).await;
    let with = json!({"with_captured": true});
    let own = shop.post(&as_member("m1"), route, &path, ("k5", with.clone())).await;
    let undone = shop.post(&shops, route, &path, ("k4", with)).await;

    assert_eq!((held.status, held.available()), (200, 601), "{held:?}");
    assert_eq!(held.body["hold"]["points"], json!(399));
    assert_eq!(again, held);
    assert_problem(&other, ProblemKind::RequestKeyReused);
    assert_eq!((captured.status, captured.available()), (200, 900), "{captured:?}");
    assert_eq!(twice, captured);
    assert_refused(&gone, "no_such_hold");
    assert_eq!((undone.status, undone.available()), (200, 1_000), "{undone:?}");
    assert_refused(&tidied, "no_such_hold");
    assert_eq!((own.status, &own.body["mistakes"][0]["path"]), (422, &json!("with_captured")));
}

#[tokio::test]
async fn a_hold_ends_by_itself_and_its_points_can_be_held_again() {
    let shop = shop().await;
    let held = hold(&shop, "k1", order()).await;
    let too_many =
        hold(&shop, "k2", json!({"total_minor": 90_000, "currency": "GBP", "points": 700}));
    assert_refused(&too_many.await, "insufficient_points");

    shop.pass(30.minutes());

    let late = then(&shop, &held, "capture", ("k3", json!({}))).await;
    assert_refused(&late, "no_such_hold");
    let all = hold(&shop, "k4", json!({"total_minor": 90_000, "currency": "GBP", "points": 700}));
    assert_eq!(all.await.available(), 300);
}

#[tokio::test]
async fn a_refusal_says_why_and_a_service_holds_for_whom_it_names() {
    let shop = shop().await;
    let with = |name: &str, value: Value| {
        let mut body = order();
        body[name] = value;
        body
    };

    let more = hold(&shop, "k1", with("points", json!(400))).await;
    let long = hold(&shop, "k2", with("minutes", json!(31))).await;
    let yen = hold(&shop, "k3", with("currency", json!("JPY"))).await;
    let service = as_service("loyalty/members.write");
    let route = "/v1/members/{id}/checkout/holds";
    let held = shop.post(&service, route, "/v1/members/m2/checkout/holds", ("k1", order())).await;
    let others = then(&shop, &held, "release", ("k4", json!({}))).await;

    assert_refused(&more, "more_than_order_allows");
    assert_refused(&long, "hold_too_long");
    assert_refused(&yen, "currency_not_in_program");
    assert_eq!(held.status, 200, "{held:?}");
    // Nobody finds what another member holds.
    assert_refused(&others, "no_such_hold");
}
