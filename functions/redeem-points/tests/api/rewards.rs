//! Rewards that members take, and what becomes of them.

use loyalty_contracts::problem::ProblemKind;
use loyalty_domain::{
    id::LevelId,
    program::CapPeriod,
    reward::{CodeSource, RewardKind, RewardLimit, RewardSpec, RewardStatus},
};
use loyalty_ledger::catalogue::Catalogue as _;
use loyalty_tests_ledger::rewards::{offer, reward};
use serde_json::{Value, json};

use crate::common::{
    Answer, Asked, Shop, all, as_member, as_person, as_service, assert_problem, assert_refused,
};

const OWN: &str = "/v1/members/me/redemptions";
const WRITE: &str = "loyalty/members.write";

async fn redeem(shop: &Shop, key: &str, body: Value) -> Answer {
    shop.post(&as_member("m1"), OWN, OWN, (key, body)).await
}

async fn step(shop: &Shop, id: &str, step: &str, reason: &str) -> Answer {
    let route = format!("POST /v1/members/{{id}}/redemptions/{{redemption_id}}/{step}");
    let path = format!("/v1/members/m1/redemptions/{id}/{step}");
    shop.ask(Asked::new(&as_service(WRITE), &route, &path).with(&json!({"reason": reason}))).await
}

async fn get(shop: &Shop, token: &Value, route: &str, path: &str, query: &str) -> Answer {
    let mut asked = Asked::new(token, &format!("GET {route}"), path);
    asked.0["rawQueryString"] = json!(query);
    shop.ask(asked).await
}

fn id(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    let issued = answer.body["changes"].as_array().unwrap();
    let issued = issued.iter().find(|it| it["kind"] == "reward_issued").unwrap();
    issued["redemption_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_reward_is_taken_once_for_each_key_and_goes_on_to_its_end() {
    let shop = Shop::with_members(&json!({})).await;
    let cup = offer(shop.store(), reward("cup", RewardKind::Goods, 100, 2), 5).await;
    let kind = RewardKind::Coupon { codes: CodeSource::Generated };
    offer(shop.store(), reward("coupon", kind, 50, 0), 0).await;

    let first = redeem(&shop, "k1", json!({"reward_id": "cup", "points": 100})).await;
    let again = redeem(&shop, "k1", json!({"reward_id": "cup", "points": 100})).await;
    let other = redeem(&shop, "k1", json!({"reward_id": "coupon"})).await;
    let coupon = redeem(&shop, "k2", json!({"reward_id": "coupon", "channel": "app"})).await;
    let coupon_again = redeem(&shop, "k2", json!({"reward_id": "coupon", "channel": "app"})).await;

    assert_eq!((first.status, first.available()), (200, 900), "{first:?}");
    assert_eq!(again, first);
    assert_problem(&other, ProblemKind::RequestKeyReused);
    assert_eq!(coupon.available(), 850);
    // The code that was stored counts, whatever a repeat made.
    assert_eq!(coupon_again, coupon);
    assert_eq!(coupon.body["changes"][0]["code"].as_str().unwrap().len(), 16);

    // Who may say so says it once.
    let cup_id = id(&first);
    let early = step(&shop, &cup_id, "refund", "broken").await;
    assert_refused(&early, "redemption_is");
    let fulfilled = step(&shop, &cup_id, "fulfill", "sent").await;
    assert_eq!(step(&shop, &cup_id, "fulfill", "sent").await, fulfilled);
    assert_problem(
        &step(&shop, &cup_id, "fulfill", "collected").await,
        ProblemKind::RequestKeyReused,
    );
    assert_refused(&step(&shop, &cup_id, "cancel", "changed-mind").await, "redemption_is");
    let refunded = step(&shop, &cup_id, "refund", "broken").await;
    assert_eq!((refunded.status, refunded.available()), (200, 950), "{refunded:?}");
    assert_eq!(shop.store().remaining(&cup).await.unwrap(), Some(5));

    // The member sees it alone and among the others, the newest first.
    let route = "/v1/members/me/redemptions/{redemption_id}";
    let path = format!("{OWN}/{cup_id}");
    let alone = get(&shop, &as_member("m1"), route, &path, "").await;
    assert_eq!((alone.status, &alone.body["status"]), (200, &json!("refunded")), "{alone:?}");
    let steps = alone.body["steps"].as_array().unwrap();
    let steps: Vec<_> = steps.iter().map(|it| [&it["status"], &it["reason"]]).collect();
    assert_eq!(json!(steps), json!([["fulfilled", "sent"], ["refunded", "broken"]]));
    let list = get(&shop, &as_member("m1"), OWN, OWN, "limit=50").await;
    let list = list.body["redemptions"].as_array().unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(list[0]["redemption_id"], json!(id(&coupon)));
    assert_eq!(list[1], alone.body);
    // Nobody else's is found by another's name.
    let strange = get(&shop, &as_member("m2"), route, &path, "").await;
    assert_problem(&strange, ProblemKind::NotFound);
    let nothing = step(&shop, &"0".repeat(32), "cancel", "r").await;
    assert_refused(&nothing, "no_such_redemption");
    assert_problem(&step(&shop, "x", "cancel", "r").await, ProblemKind::NotFound);
}

#[tokio::test]
async fn refusals_say_why_and_stay() {
    let shop = Shop::with_members(&json!({})).await;
    let limit = RewardLimit { period: CapPeriod::Day, count: 1 };
    let cup = RewardSpec { limits: vec![limit], ..reward("cup", RewardKind::Goods, 100, 1) };
    offer(shop.store(), cup, 2).await;
    let dear = reward("dear", RewardKind::FreeShipping, 5_000, 0);
    offer(shop.store(), dear, 0).await;
    let none = reward("none", RewardKind::Collectible, 1, 1);
    offer(shop.store(), none, 0).await;

    let price = redeem(&shop, "k1", json!({"reward_id": "cup", "points": 99})).await;
    let unknown = redeem(&shop, "k2", json!({"reward_id": "saucer"})).await;
    let short = redeem(&shop, "k3", json!({"reward_id": "dear"})).await;
    let sold_out = redeem(&shop, "k4", json!({"reward_id": "none"})).await;
    assert_eq!(redeem(&shop, "k5", json!({"reward_id": "cup"})).await.status, 200);
    let limited = redeem(&shop, "k6", json!({"reward_id": "cup"})).await;

    assert_refused(&price, "price_changed");
    assert_refused(&unknown, "no_such_reward");
    assert_refused(&short, "insufficient_points");
    assert_refused(&sold_out, "sold_out");
    assert_refused(&limited, "reward_limit_reached");
    assert_eq!(redeem(&shop, "k1", json!({"reward_id": "cup", "points": 99})).await, price);
    let wrong = redeem(&shop, "k7", json!({"reward_id": 1, "points": 0, "x": 1})).await;
    assert_eq!(wrong.status, 422, "{wrong:?}");
    let places = wrong.body["mistakes"].as_array().unwrap();
    let places: Vec<_> = places.iter().map(|it| it["path"].as_str().unwrap()).collect();
    assert_eq!(places, ["?", "reward_id", "points"]);
}

#[tokio::test]
async fn a_drop_through_the_api_sells_what_there_is_and_nobody_sees_a_conflict() {
    let shop = Shop::with_members(&json!({})).await;
    let cup = offer(shop.store(), reward("cup", RewardKind::Goods, 10, 4), 20).await;
    let bodies = (0..60).map(|it| (format!("k{it}"), if it % 2 == 0 { "m1" } else { "m2" }));

    let asked: Vec<_> = bodies.collect();
    let answers = all(asked.iter().map(|(key, member)| {
        let token = as_member(member);
        let shop = &shop;
        async move { shop.post(&token, OWN, OWN, (key, json!({"reward_id": "cup"}))).await }
    }))
    .await;

    let sold = answers.iter().filter(|it| it.status == 200).count();
    assert_eq!(sold, 20);
    for answer in answers.iter().filter(|it| it.status != 200) {
        assert_refused(answer, "sold_out");
    }
    assert_eq!(shop.store().remaining(&cup).await.unwrap(), Some(0));
}

#[tokio::test]
async fn members_see_what_they_can_take_at_their_own_price() {
    let levels = json!({"levels": [
        {"id": "bronze", "name": "Bronze"}, {"id": "gold", "name": "Gold", "spend": "100"}
    ]});
    let shop = Shop::with_members(&json!({"tiers": levels})).await;
    let bronze = LevelId::try_from("bronze").unwrap();
    let price = [(bronze, 80_u64.try_into().unwrap())].into();
    let cup = RewardSpec { price_by_level: price, ..reward("cup", RewardKind::Goods, 100, 2) };
    offer(shop.store(), cup, 5).await;
    let draft = RewardSpec {
        status: RewardStatus::Draft,
        ..reward("draft", RewardKind::FreeShipping, 1, 0)
    };
    offer(shop.store(), draft, 0).await;
    offer(shop.store(), reward("shipping", RewardKind::FreeShipping, 30, 0), 0).await;

    let rewards = "/v1/rewards";
    let own = get(&shop, &as_member("m1"), rewards, rewards, "").await;
    let staff = as_person("p1", "loyalty/staff");
    let first = get(&shop, &staff, rewards, rewards, "limit=2").await;
    let rest = get(&shop, &staff, rewards, rewards, "limit=2&cursor=draft").await;

    let prices = |answer: &Answer| {
        let all = answer.body["rewards"].as_array().unwrap();
        json!(all.iter().map(|it| json!([it["reward_id"], it["points"]])).collect::<Vec<_>>())
    };
    assert_eq!(prices(&own), json!([["cup", 80], ["shipping", 30]]));
    assert_eq!(own.body["rewards"][0]["texts"]["en"]["name"], "A mug");
    assert_eq!((prices(&first), &first.body["next"]), (json!([["cup", 100]]), &json!("draft")));
    assert_eq!((prices(&rest), &rest.body["next"]), (json!([["shipping", 30]]), &json!(null)));
}
