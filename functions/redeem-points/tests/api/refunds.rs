//! What a refund would do, before it is sent.

use jiff::ToSpan;
use loyalty_contracts::{event::Event, problem::ProblemKind};
use loyalty_ledger::{Answered, Reading, statement::statement};
use loyalty_runtime::api::write::shown;
use serde_json::{Value, json};

use crate::common::{Answer, Asked, Shop, as_member, as_service, assert_problem};

const PREVIEW: &str = "/v1/orders/refund-preview";

async fn preview(shop: &Shop, body: Value) -> Answer {
    let service = as_service("loyalty/members.read");
    shop.ask(Asked::new(&service, &format!("POST {PREVIEW}"), PREVIEW).with(&body)).await
}

/// What the shop's systems say of an order, as accrue-points gets it.
async fn sent(shop: &Shop, event: &Value) -> Value {
    let event = Event::read(event.to_string().as_bytes()).unwrap();
    let request = event.into_request(shop.now()).unwrap();
    let Answered::Now(entry) = shop.execute(&request).await else { panic!("{request:?}") };
    serde_json::to_value(shown(&entry).unwrap()).unwrap()
}

/// A shop of which a point pays five pence, and an order of two lines for 60.00, of which 300 held points pay 15.00.
async fn shop() -> Shop {
    let shop = Shop::with_members(&json!({"checkout": {"point_worth": "0.05"}})).await;
    let holds = "/v1/members/me/checkout/holds";
    let order = json!({"total_minor": 6_000, "currency": "GBP", "points": 300});
    let held = shop.post(&as_member("m1"), holds, holds, ("k1", order)).await;
    let hold_id = &held.body["hold"]["hold_id"];
    sent(
        &shop,
        &json!({
            "type": "order.paid", "order_id": "shop:1/7", "member_id": "m1",
            "paid_at": "2026-02-10T09:20:00Z", "currency": "GBP",
            "lines": [
                {"id": "a", "sku": "TEA", "quantity": 2, "amount_minor": 4_000},
                {"id": "b", "sku": "POT", "quantity": 1, "amount_minor": 2_000}
            ],
            "paid_with_points_minor": 1_500, "points_hold_id": hold_id
        }),
    )
    .await;
    shop
}

#[tokio::test]
async fn a_refund_does_what_its_preview_said_and_the_preview_writes_nothing() {
    let said = [
        json!({"lines": [{"id": "a", "quantity": 1, "amount_minor": 2_000}]}),
        json!({"amount_minor": 3_333}),
        json!({"amount_minor": 100, "points_returned": 40}),
        json!({"lines": [{"id": "b", "quantity": 1, "amount_minor": 2_000}], "shipping_minor": 1}),
    ];
    for (number, part) in said.into_iter().enumerate() {
        let shop = shop().await;
        let refund_id = format!("r{number}");
        let mut body = part.clone();
        body["order_id"] = json!("shop:1/7");
        body["refund_id"] = json!(refund_id);
        shop.usage();

        let previewed = preview(&shop, body.clone()).await;

        let usage = shop.usage();
        assert_eq!((previewed.status, usage.writes()), (200, 0), "{previewed:?} {usage:?}");
        assert_eq!(previewed.body["is_new"], true);
        let mut event = body.clone();
        event["type"] = json!("order.refunded");
        event["refunded_at"] = json!(shop.now().to_string());
        assert_eq!(sent(&shop, &event).await, previewed.body["entry"]);
        // It is in the statement like this, too.
        let member = "m1".try_into().unwrap();
        let newest = statement(shop.store(), &member, None, 1, Reading::Newest).await.unwrap();
        let newest = shown(newest.entries.first().unwrap()).unwrap();
        assert_eq!(serde_json::to_value(newest).unwrap(), previewed.body["entry"]);

        shop.pass(3.hours());
        let again = preview(&shop, body.clone()).await;
        assert_eq!(again.body, json!({"is_new": false, "entry": previewed.body["entry"]}));
        body["points_returned"] = json!(1);
        assert_problem(&preview(&shop, body).await, ProblemKind::RequestKeyReused);
    }
}

#[tokio::test]
async fn all_that_is_left_is_previewed_as_the_cancellation_that_would_take_it() {
    let shop = shop().await;
    let all = json!({"order_id": "shop:1/7", "all": true});

    let previewed = preview(&shop, all.clone()).await;
    let cancelled = json!({
        "type": "order.cancelled", "order_id": "shop:1/7", "cancelled_at": shop.now().to_string()
    });
    let entry = sent(&shop, &cancelled).await;

    assert_eq!(previewed.body["entry"], entry);
    assert_eq!(entry["balance"]["available"], 1_000, "as if there had been no order: {entry}");
    let after = preview(&shop, all).await;
    assert_eq!(after.body["is_new"], false);
}

#[tokio::test]
async fn a_refund_without_an_id_is_previewed_and_an_order_that_nobody_knows_is_none() {
    let shop = shop().await;

    let unnamed = preview(&shop, json!({"order_id": "shop:1/7", "amount_minor": 1_000})).await;
    let unknown = preview(&shop, json!({"order_id": "8", "amount_minor": 1_000})).await;

    assert_eq!((unnamed.status, &unnamed.body["is_new"]), (200, &json!(true)), "{unnamed:?}");
    assert_problem(&unknown, ProblemKind::OrderNotFound);
}

#[tokio::test]
async fn what_is_wrong_with_a_preview_is_said_with_what_would_be_right() {
    let shop = shop().await;
    let line = json!({"id": "a", "quantity": 1, "amount_minor": 1});
    let line_of_all =
        json!({"id": "a", "quantity": 1, "amount_minor": 9_223_372_036_854_775_807_u64});
    for (body, paths) in [
        (json!({"amount_minor": 1}), vec!["order_id"]),
        (json!({"order_id": "o"}), vec!["lines"]),
        (json!({"order_id": "o", "amount_minor": 0}), vec!["lines"]),
        (json!({"order_id": "o", "amount_minor": -1}), vec!["amount_minor", "lines"]),
        (json!({"order_id": "o", "amount_minor": 1, "lines": [line]}), vec!["amount_minor"]),
        (json!({"order_id": "o", "all": true, "amount_minor": 1}), vec!["all"]),
        (json!({"order_id": "o", "all": 1}), vec!["all", "lines"]),
        (
            json!({"order_id": "o", "lines": [{"id": "a", "quantity": "1"}, 7]}),
            vec!["lines[0].quantity", "lines[0].amount_minor", "lines[1]", "lines"],
        ),
        (json!({"order_id": "o", "amount_minor": 1, "member": "SECRET"}), vec!["?"]),
        (
            json!({"order_id": "o", "amount_minor": 1, "points_returned": u64::MAX}),
            vec!["points_returned"],
        ),
        (
            json!({"order_id": "o", "lines": [{"id": "a", "quantity": 5_000_000_000_u64, "amount_minor": 1}]}),
            vec!["lines[0].quantity", "lines"],
        ),
        (json!({"order_id": "o", "lines": [line_of_all, line_of_all]}), vec!["lines"]),
    ] {
        let answer = preview(&shop, body.clone()).await;
        let mistakes = answer.body["mistakes"].as_array().unwrap_or_else(|| panic!("{answer:?}"));
        let places: Vec<&str> = mistakes.iter().map(|it| it["path"].as_str().unwrap()).collect();
        assert_eq!((answer.status, places), (422, paths), "{body}: {answer:?}");
        assert!(!answer.body.to_string().contains("SECRET"));
    }
}
