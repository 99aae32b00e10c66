//! The catalogue, of which staff make what members may take.

use loyalty_contracts::problem::ProblemKind;
use serde_json::{Value, json};

use crate::common::{Answer, Asked, Shop, as_person, assert_problem, assert_refused};

const CATALOG: &str = "loyalty/catalog.write";
const ROUTE: &str = "/v1/rewards/{reward_id}";

/// A version of a cup of which there are only so many.
pub(crate) fn cup(version: u32) -> Value {
    json!({
        "version": version, "status": "active", "kind": "goods", "points": 100,
        "is_limited": true, "expected_stock": 1_000, "texts": {"en": {"name": "A cup"}}
    })
}

async fn ask(shop: &Shop, method: &str, what: &str, body: Option<&Value>) -> Answer {
    let (route, path) = (format!("{method} {ROUTE}{what}"), format!("/v1/rewards/cup{what}"));
    let asked = Asked::new(&as_person("p1", CATALOG), &route, &path);
    shop.ask(match body {
        Some(body) => asked.with(body),
        None => asked,
    })
    .await
}

async fn stock(shop: &Shop, key: &str, body: Value) -> Answer {
    let route = format!("{ROUTE}/stock");
    shop.post(&as_person("p1", CATALOG), &route, "/v1/rewards/cup/stock", (key, body)).await
}

#[track_caller]
fn assert_mistake(answer: &Answer, path: &str) {
    assert_eq!(answer.status, 422, "{answer:?}");
    assert_eq!(answer.body["mistakes"][0]["path"], path, "{answer:?}");
}

#[tokio::test]
async fn a_reward_is_made_changed_stopped_and_retired_version_by_version() {
    let shop = Shop::with_members(&json!({})).await;
    assert_problem(&ask(&shop, "GET", "", None).await, ProblemKind::NotFound);

    let made = ask(&shop, "PUT", "", Some(&cup(1))).await;
    let again = ask(&shop, "PUT", "", Some(&cup(1))).await;
    assert_eq!(made.status, 200, "{made:?}");
    assert_eq!(again, made);
    assert_eq!(made.body["remaining"], 0);
    assert_eq!(ask(&shop, "GET", "", None).await, made);

    let mut dearer = cup(2);
    dearer["points"] = json!(120);
    let changed = ask(&shop, "PUT", "", Some(&dearer)).await;
    assert_eq!(
        (changed.status, &changed.body["reward"]["points"]),
        (200, &json!(120)),
        "{changed:?}"
    );
    assert_mistake(&ask(&shop, "PUT", "", Some(&cup(2))).await, "version");
    let mut other = cup(3);
    other["kind"] = json!("free_shipping");
    assert_mistake(&ask(&shop, "PUT", "", Some(&other)).await, "kind");
    let mut unlimited = cup(3);
    unlimited["is_limited"] = json!(false);
    assert_mistake(&ask(&shop, "PUT", "", Some(&unlimited)).await, "is_limited");
    let mut unknown = cup(3);
    unknown["levels"] = json!(["platinum"]);
    assert_mistake(&ask(&shop, "PUT", "", Some(&unknown)).await, "levels");

    let paused = ask(&shop, "POST", "/pause", None).await;
    assert_eq!(
        (&paused.body["reward"]["status"], &paused.body["reward"]["version"]),
        (&json!("paused"), &json!(3))
    );
    assert_eq!(ask(&shop, "POST", "/pause", None).await, paused);
    let resumed = ask(&shop, "POST", "/resume", None).await;
    assert_eq!(
        (&resumed.body["reward"]["status"], &resumed.body["reward"]["version"]),
        (&json!("active"), &json!(4))
    );
    let retired = ask(&shop, "POST", "/retire", None).await;
    assert_eq!(retired.body["reward"]["status"], "retired");
    assert_refused(&ask(&shop, "POST", "/resume", None).await, "reward_not_active");
    assert_mistake(&ask(&shop, "PUT", "", Some(&cup(6))).await, "status");
}

#[tokio::test]
async fn a_reward_that_meets_another_change_can_be_sent_again_as_it_is() {
    let shop = Shop::with_members(&json!({})).await;
    shop.conflict_once();

    let busy = ask(&shop, "PUT", "", Some(&cup(1))).await;
    let again = ask(&shop, "PUT", "", Some(&cup(1))).await;
    shop.conflict_once();
    let paused = ask(&shop, "POST", "/pause", None).await;

    assert_problem(&busy, ProblemKind::Unavailable);
    assert_eq!((again.status, &again.body["reward"]["version"]), (200, &json!(1)));
    assert_eq!((paused.status, &paused.body["reward"]["status"]), (200, &json!("paused")));
}

#[tokio::test]
async fn a_draft_without_a_name_is_not_taken_up_and_stands_in_nobodys_way() {
    let shop = Shop::with_members(&json!({})).await;
    let mut draft = cup(1);
    draft["status"] = json!("draft");
    draft["texts"] = json!({});
    assert_eq!(ask(&shop, "PUT", "", Some(&draft)).await.status, 200);

    for act in ["/resume", "/pause"] {
        assert_mistake(&ask(&shop, "POST", act, None).await, "texts");
        assert_eq!(ask(&shop, "GET", "", None).await.body["reward"]["status"], "draft");
    }
    let retired = ask(&shop, "POST", "/retire", None).await;
    assert_eq!((retired.status, &retired.body["reward"]["status"]), (200, &json!("retired")));
    assert_eq!(ask(&shop, "GET", "", None).await, retired);
}

#[tokio::test]
async fn what_a_reward_was_is_read_with_who_made_it_so() {
    let shop = Shop::with_members(&json!({})).await;
    assert_problem(&ask(&shop, "GET", "/versions", None).await, ProblemKind::NotFound);
    let mut dearer = cup(2);
    dearer["points"] = json!(120);
    ask(&shop, "PUT", "", Some(&cup(1))).await;
    ask(&shop, "PUT", "", Some(&dearer)).await;
    let pause = Asked::new(
        &as_person("p2", CATALOG),
        &format!("POST {ROUTE}/pause"),
        "/v1/rewards/cup/pause",
    );
    let paused = shop.ask(pause).await;

    let answer = ask(&shop, "GET", "/versions", None).await;

    let versions = answer.body["versions"].as_array().unwrap();
    let said = |it: &Value| {
        let reward = &it["reward"];
        json!([it["by"], reward["version"], reward["points"], reward["status"]])
    };
    assert_eq!(
        versions.iter().map(said).collect::<Vec<_>>(),
        [
            json!(["p2", 3, 120, "paused"]),
            json!(["p1", 2, 120, "active"]),
            json!(["p1", 1, 100, "active"])
        ]
    );
    assert_eq!(versions[0]["reward"], paused.body["reward"]);
}

#[tokio::test]
async fn stock_changes_once_for_each_key() {
    let shop = Shop::with_members(&json!({})).await;
    ask(&shop, "PUT", "", Some(&cup(1))).await;

    let added = stock(&shop, "k1", json!({"add": 500})).await;
    let again = stock(&shop, "k1", json!({"add": 500})).await;
    let other = stock(&shop, "k1", json!({"add": 501})).await;
    let removed = stock(&shop, "k2", json!({"remove": 499})).await;
    let too_many = stock(&shop, "k3", json!({"remove": 2})).await;

    assert_eq!((added.status, &added.body["remaining"]), (200, &json!(500)), "{added:?}");
    assert_eq!(again, added);
    assert_problem(&other, ProblemKind::RequestKeyReused);
    assert_eq!(removed.body["remaining"], 1);
    assert_mistake(&too_many, "remove");
    assert_mistake(&stock(&shop, "k4", json!({"add": 1, "remove": 1})).await, "add");
}

#[tokio::test]
async fn codes_are_added_once_however_often_a_list_is_sent() {
    let shop = Shop::with_members(&json!({})).await;
    let mut coupon = cup(1);
    coupon["kind"] = json!({"coupon": {"codes": "uploaded"}});
    ask(&shop, "PUT", "", Some(&coupon)).await;
    let codes = |from: u32| {
        let codes: Vec<String> = (from..from + 100).map(|it| format!("WINTER-{it}")).collect();
        json!({ "codes": codes })
    };

    let first = ask(&shop, "POST", "/codes", Some(&codes(0))).await;
    let again = ask(&shop, "POST", "/codes", Some(&codes(0))).await;
    let more = ask(&shop, "POST", "/codes", Some(&codes(50))).await;

    assert_eq!((first.status, first.body), (200, json!({"added": 100, "known": 0})));
    assert_eq!(again.body, json!({"added": 0, "known": 100}));
    assert_eq!(more.body, json!({"added": 50, "known": 50}));
    assert_eq!(ask(&shop, "GET", "", None).await.body["remaining"], 150);
    assert_mistake(&stock(&shop, "k1", json!({"add": 1})).await, "add");
    let wrong = ask(&shop, "POST", "/codes", Some(&json!({"codes": ["a b"]}))).await;
    assert_mistake(&wrong, "codes[0]");
}
