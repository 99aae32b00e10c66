//! Profiles, identities and codes for friends.

use loyalty_contracts::problem::ProblemKind;
use loyalty_ledger::profile::{Friend, Profiles as _};
use loyalty_tests_ledger::member;
use serde_json::{Value, json};

use crate::{
    common::{Answer, Asked, READER, STAFF, Shop, WRITER, as_member, assert_problem, fixture},
    enroll, enrollment,
};

async fn patch(shop: &Shop, token: &Value, body: Value, if_match: Option<&str>) -> Answer {
    let route = "/v1/members/{id}/profile";
    let mut asked = Asked::new(token, "PATCH", route, "/v1/members/m1/profile").with(&body);
    asked.event["headers"]["content-type"] = json!("application/merge-patch+json");
    if let Some(etag) = if_match {
        asked.event["headers"]["if-match"] = json!(etag);
    }
    shop.ask(asked).await
}

async fn look_up(shop: &Shop, kind: &str, value: &str) -> Value {
    let path = "/v1/members/lookup";
    let body = json!({"kind": kind, "value": value});
    let answer = shop.ask(Asked::post(&fixture(READER), path, path, &body)).await;
    answer.body.get("member_id").unwrap_or(&answer.body["code"]).clone()
}

async fn referrals(shop: &Shop, token: &Value, query: &str) -> Answer {
    let route = "/v1/members/{id}/referrals";
    let mut asked = Asked::new(token, "GET", route, "/v1/members/m1/referrals");
    asked.event["rawQueryString"] = json!(query);
    shop.ask(asked).await
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_a_lost_update_is_seen() {
    let shop = Shop::open();
    shop.ask(enroll(&enrollment())).await;
    let own = as_member("m1");

    let sms = json!({"granted": false, "at": "2026-02-10T09:30:00Z", "source": "app"});
    let older = json!({"granted": false, "at": "2026-02-09T09:30:00Z", "source": "app"});
    let body = json!({
        "phone": null, "language": "de", "consents": {"sms": sms, "mail": older}, "version": 1
    });
    let changed = patch(&shop, &own, body.clone(), Some("\"1\"")).await;
    let conflict = patch(&shop, &own, body, None).await;
    let late = patch(&shop, &own, json!({"language": "fr"}), Some("\"1\"")).await;
    let nothing = patch(&shop, &own, json!({"language": "de"}), Some("*")).await;

    assert_eq!((changed.status, &changed.headers["etag"]), (200, &json!("\"2\"")), "{changed:?}");
    assert_eq!((&changed.body["phone"], &changed.body["language"]), (&Value::Null, &json!("de")));
    assert_eq!(changed.body["consents"]["sms"], sms);
    assert_eq!(changed.body["consents"]["mail"]["granted"], true, "what is older changes nothing");
    assert_eq!(changed.body["identities"], json!(["customer", "card", "mail"]));
    assert_problem(&conflict, ProblemKind::VersionConflict);
    assert_problem(&late, ProblemKind::VersionConflict);
    assert_eq!((nothing.status, &nothing.body), (200, &changed.body));
    let read = Asked::new(&own, "GET", "/v1/members/me/profile", "/v1/members/me/profile");
    assert_eq!(shop.ask(read).await.body, changed.body);
}

#[tokio::test]
async fn what_a_member_leaves_is_free_and_what_another_has_is_not() {
    let shop = Shop::open();
    shop.ask(enroll(&enrollment())).await;
    shop.ask(enroll(&json!({"member_id": "m2", "card": "0815", "mail": "b@b.example"}))).await;
    let writer = fixture(WRITER);

    assert_eq!(look_up(&shop, "customer", "c-1").await, "m1");
    assert_eq!(look_up(&shop, "card", "4711-0815").await, "m1");
    assert_eq!(look_up(&shop, "mail", "MEMBER@shop.example").await, "m1");
    assert_eq!(look_up(&shop, "phone", "+442079460958").await, "m1");
    let taken = patch(&shop, &writer, json!({"mail": "B@b.example"}), None).await;
    assert_eq!((taken.status, &taken.body["mistakes"][0]["path"]), (409, &json!("mail")));

    let moved = patch(&shop, &writer, json!({"mail": "new@b.example", "card": null}), None).await;
    assert_eq!((moved.status, &moved.body["version"]), (200, &json!(2)), "{moved:?}");
    assert_eq!(look_up(&shop, "mail", "member@shop.example").await, "member-not-found");
    assert_eq!(look_up(&shop, "mail", "new@b.example").await, "m1");
    assert_eq!(look_up(&shop, "card", "47110815").await, "member-not-found");
    let reserved = patch(&shop, &as_member("m1"), json!({"card": "0815"}), None).await;
    assert_eq!((reserved.status, &reserved.body["mistakes"][0]["path"]), (422, &json!("card")));
    let unknown = Asked::new(&writer, "GET", "/v1/members/{id}/profile", "/v1/members/m9/profile");
    assert_problem(&shop.ask(unknown).await, ProblemKind::NotEnrolled);
}

#[tokio::test]
async fn patches_at_one_moment_are_all_kept() {
    let shop = Shop::open();
    shop.ask(enroll(&enrollment())).await;
    let writer = fixture(WRITER);
    let bodies = [
        json!({"language": "de"}),
        json!({"birthday": "1990-12-31"}),
        json!({"customer_id": "c-2"}),
        json!({"signals": {"address": ["1 High Street"]}}),
    ];

    let answers =
        crate::common::all(bodies.into_iter().map(|it| patch(&shop, &writer, it, None))).await;

    assert!(answers.iter().all(|it| it.status == 200), "{answers:?}");
    let read = Asked::new(&writer, "GET", "/v1/members/{id}/profile", "/v1/members/m1/profile");
    let profile = shop.ask(read).await.body;
    assert_eq!((&profile["version"], &profile["language"]), (&json!(5), &json!("de")));
    assert_eq!(profile["birthday"], "1990-12-31");
    assert_eq!(look_up(&shop, "customer", "c-2").await, "m1");
}

#[tokio::test]
async fn a_code_is_replaced_once_however_often_it_is_asked_for() {
    let shop = Shop::open();
    let enrolled = shop.ask(enroll(&enrollment())).await;
    shop.ask(enroll(&json!({"member_id": "m2"}))).await;
    let code = enrolled.body["referral_code"].clone();
    let replace = |id: &str, code: &Value| {
        let path = "/v1/members/me/referral-code";
        shop.ask(Asked::post(&as_member(id), path, path, &json!({ "replaces": code })))
    };

    let first = replace("m1", &code).await;
    let again = replace("m1", &code).await;
    let others = replace("m2", &code).await;

    assert_eq!(first.status, 200, "{first:?}");
    assert_ne!(first.body["code"], code);
    assert_eq!(again.body, first.body);
    assert!(first.body["link"].as_str().unwrap().starts_with("https://shop.example/?ref="));
    assert_problem(&others, ProblemKind::ReferralCodeReplaced);
    // The old one is dead, as the program says, and whose it was is known to staff all the same.
    let body = json!({"member_id": "m3", "referral_code": code});
    assert_problem(&shop.ask(enroll(&body)).await, ProblemKind::ReferralCodeUnknown);
    assert_eq!(look_up(&shop, "code", code.as_str().unwrap()).await, "m1");
}

#[tokio::test]
async fn a_friend_names_a_code_and_both_see_it_on_its_way() {
    let shop = Shop::open();
    let code = shop.ask(enroll(&enrollment())).await.body["referral_code"].clone();
    let written = code.as_str().unwrap().to_lowercase().replace('0', "o").replace('-', " ");
    for friend in ["f1", "f2", "f3"] {
        let body = json!({"member_id": friend, "referral_code": written});
        let enrolled = shop.ask(enroll(&body)).await;
        assert_eq!(enrolled.status, 201, "{enrolled:?}");
        // As issue-referral-reward does.
        let friend =
            Friend { member_id: member(friend), at: "2026-02-10T09:30:00Z".parse().unwrap() };
        shop.store().add_friend(&member("m1"), &friend).await.unwrap();
    }

    let first = referrals(&shop, &fixture(STAFF), "limit=2").await;
    let next = first.body["next"].as_str().unwrap();
    let second = referrals(&shop, &fixture(STAFF), &format!("cursor={next}")).await;
    let own = referrals(&shop, &as_member("m1"), "").await;
    let path = "/v1/members/me/referrals";
    let friends = shop.ask(Asked::new(&as_member("f1"), "GET", path, path)).await;

    assert_eq!(first.status, 200, "{first:?}");
    let friend =
        |id: &str| json!({"member_id": id, "at": "2026-02-10T09:30:00Z", "state": "pending"});
    assert_eq!(first.body["friends"], json!([friend("f1"), friend("f2")]));
    assert_eq!(
        (&second.body["friends"], &second.body["next"]),
        (&json!([friend("f3")]), &Value::Null)
    );
    assert_eq!(own.body["friends"][0], json!({"at": "2026-02-10T09:30:00Z", "state": "pending"}));
    assert_eq!((&own.body["code"], &own.body["referred"]), (&code, &Value::Null));
    assert_eq!(friends.body["referred"], json!({"state": "pending"}));
    assert_problem(
        &referrals(&shop, &fixture(STAFF), "cursor=!").await,
        ProblemKind::InvalidCursor,
    );
    let body = json!({"member_id": "f4", "referral_code": "00000-00000"});
    assert_problem(&shop.ask(enroll(&body)).await, ProblemKind::ReferralCodeUnknown);
}
