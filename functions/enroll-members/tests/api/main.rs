//! Events of API Gateway in, its answers out: as Lambda runs it, on the embedded DynamoDB engine through the real
//! SDK, but for the clock, the random numbers and the bus.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

mod common;
mod guests;
mod matrix;
mod price;
mod profiles;

use jiff::ToSpan;
use loyalty_contracts::problem::ProblemKind;
use serde_json::{Value, json};

use crate::common::{Asked, READER, STAFF, Shop, WRITER, as_member, assert_problem, fixture};

fn enrollment() -> Value {
    json!({
        "member_id": "m1", "customer_id": "c-1", "card": "4711 0815", "phone": "+44 20 7946 0958",
        "mail": "Member@Shop.example", "language": "en-GB", "birthday": "--02-29",
        "consents": {"mail": {"granted": true, "at": "2026-02-10T09:00:00Z", "source": "checkout"}},
        "signals": {"device": ["d-1"]}, "source": "store-12"
    })
}

fn enroll(body: &Value) -> Asked {
    Asked::post(&fixture(WRITER), "/v1/members", "/v1/members", body)
}

fn activate(code: &str) -> Asked {
    let path = "/v1/members/me/activation";
    Asked::post(&as_member("m1"), path, path, &json!({ "code": code }))
}

fn another_code(body: &Value) -> Asked {
    let path = "/v1/members/me/activation/codes";
    Asked::post(&as_member("m1"), path, path, body)
}

#[tokio::test]
async fn somebody_enrolls_once_and_becomes_active_by_the_code_that_was_sent() {
    let shop = Shop::open();

    let first = shop.ask(enroll(&enrollment())).await;
    let again = shop.ask(enroll(&enrollment())).await;
    let mut other = enrollment();
    other["language"] = json!("de");
    let otherwise = shop.ask(enroll(&other)).await;

    assert_eq!(first.status, 201, "{first:?}");
    let expected = json!({
        "member_id": "m1", "status": "pending", "enrolled_at": "2026-02-10T09:30:00Z",
        "activated_at": null, "source": "store-12",
        "phone": {"value": "+442079460958", "is_verified": false},
        "mail": {"value": "Member@Shop.example", "is_verified": false},
        "language": "en-GB", "birthday": "--02-29",
        "consents": {"mail": {"granted": true, "at": "2026-02-10T09:00:00Z", "source": "checkout"}},
        "identities": ["customer", "card", "phone", "mail"],
        "referral_code": first.body["referral_code"], "version": 1
    });
    assert_eq!(first.body, expected);
    assert_eq!(first.headers["etag"], "\"1\"");
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_problem(&otherwise, ProblemKind::EnrolledOtherwise);

    let sent = shop.sent();
    assert_eq!(sent.len(), 1, "the same enrollment sends no second code");
    assert_eq!(
        (&sent[0]["channel"], &sent[0]["to"]),
        (&json!("mail"), &json!("Member@Shop.example"))
    );
    assert_eq!(sent[0]["expires_at"], "2026-02-10T09:45:00Z");
    let code = sent[0]["code"].as_str().unwrap().to_owned();
    assert_problem(&shop.ask(activate(&other_than(&code))).await, ProblemKind::ActivationCodeWrong);
    let active = shop.ask(activate(&code)).await;
    let repeated = shop.ask(activate(&code)).await;

    assert_eq!((active.status, &active.body["status"]), (200, &json!("active")), "{active:?}");
    assert_eq!(active.body["mail"]["is_verified"], true);
    assert_eq!(active.body["phone"]["is_verified"], false);
    assert_eq!(active.body["activated_at"], "2026-02-10T09:30:00Z");
    assert_eq!((repeated.status, &repeated.body), (200, &active.body));
    assert_problem(&shop.ask(another_code(&json!({}))).await, ProblemKind::AlreadyActive);
}

fn other_than(code: &str) -> String {
    if code == "123456" { "654321".to_owned() } else { "123456".to_owned() }
}

#[tokio::test]
async fn a_code_ends_after_fifteen_minutes_and_after_five_attempts_however_many_try_at_once() {
    let shop = Shop::open();
    shop.ask(enroll(&enrollment())).await;
    let code = shop.code();

    let wrong = other_than(&code);
    let tries = (0..12).map(|_| shop.ask(activate(&wrong)));
    let mut statuses: Vec<u64> = common::all(tries).await.iter().map(|it| it.status).collect();
    statuses.sort_unstable();
    let used_up = shop.ask(activate(&code)).await;

    assert_eq!(statuses, [[422; 5].as_slice(), &[429; 7]].concat());
    assert_problem(&used_up, ProblemKind::AttemptsUsedUp);
    assert_eq!(used_up.headers["retry-after"], "61");

    shop.pass(60.seconds());
    let sent = shop.ask(another_code(&json!({"channel": "phone"}))).await;
    assert_eq!((sent.status, &sent.body["channel"]), (200, &json!("phone")), "{sent:?}");
    let second = shop.code();
    shop.pass(15.minutes());
    assert_problem(&shop.ask(activate(&second)).await, ProblemKind::ActivationCodeExpired);

    assert_eq!(shop.ask(another_code(&json!({"channel": "phone"}))).await.status, 200);
    let active = shop.ask(activate(&shop.code())).await;
    assert_eq!((active.status, &active.body["phone"]["is_verified"]), (200, &json!(true)));
    assert_eq!(active.body["mail"]["is_verified"], false);
}

#[tokio::test]
async fn codes_are_sent_a_minute_apart_and_five_times_a_day() {
    let shop = Shop::open();
    shop.ask(enroll(&enrollment())).await;

    let soon = shop.ask(another_code(&json!({}))).await;
    assert_problem(&soon, ProblemKind::SentTooOften);
    assert_eq!(soon.headers["retry-after"], "61");
    for _ in 0..4 {
        shop.pass(60.seconds());
        assert_eq!(shop.ask(another_code(&json!({}))).await.status, 200);
    }
    shop.pass(60.seconds());
    assert_problem(&shop.ask(another_code(&json!({}))).await, ProblemKind::SentTooOften);
    shop.pass(24.hours());
    assert_eq!(shop.ask(another_code(&json!({}))).await.status, 200);
    assert_eq!(shop.sent().len(), 6);
}

#[tokio::test]
async fn a_code_that_does_not_leave_is_sent_by_the_same_request_again() {
    let shop = Shop::open();
    shop.bus_is_down(true);
    let first = shop.ask(enroll(&enrollment())).await;
    assert_problem(&first, ProblemKind::Unavailable);
    assert_eq!(shop.sent().len(), 0);

    shop.bus_is_down(false);
    let second = shop.ask(enroll(&enrollment())).await;

    assert_eq!((second.status, &second.body["status"]), (200, &json!("pending")), "{second:?}");
    assert_eq!(shop.ask(activate(&shop.code())).await.body["status"], "active");
}

#[tokio::test]
async fn one_phone_is_one_members_however_many_enroll_at_once() {
    let shop = Shop::open();
    let asked = (0..6).map(|it| {
        let phone = "+44 20 7946 0958";
        shop.ask(enroll(&json!({"member_id": format!("m{it}"), "phone": phone})))
    });
    let answers = common::all(asked).await;

    let enrolled: Vec<_> = answers.iter().filter(|it| it.status == 201).collect();
    assert_eq!(enrolled.len(), 1, "{answers:?}");
    for answer in answers.iter().filter(|it| it.status != 201) {
        assert_eq!((answer.status, &answer.body["code"]), (409, &json!("identity-taken")));
        assert_eq!(answer.body["mistakes"][0]["path"], "phone");
        assert!(!answer.body.to_string().contains("7946"), "{answer:?}");
    }
    let body = json!({"kind": "phone", "value": "(+44) 20 7946 0958"});
    let path = "/v1/members/lookup";
    let found = shop.ask(Asked::post(&fixture(READER), path, path, &body)).await;
    assert_eq!(found.body["member_id"], enrolled[0].body["member_id"]);
}

#[tokio::test]
async fn the_same_enrollment_at_the_same_moment_is_one() {
    let shop = Shop::open();
    let answers = common::all((0..5).map(|_| shop.ask(enroll(&enrollment())))).await;

    let created = answers.iter().filter(|it| it.status == 201).count();
    assert!(answers.iter().all(|it| [200, 201].contains(&it.status)), "{answers:?}");
    assert_eq!(created, 1);
    assert!(answers.iter().all(|it| it.body == answers[0].body), "{answers:?}");
    assert_eq!(shop.sent().len(), 1);
}

#[tokio::test]
async fn a_member_enrolls_by_the_own_token_and_says_no_more_than_a_member_can_know() {
    let shop = Shop::open();
    let asked =
        |body: Value| Asked::post(&as_member("auth/a b"), "/v1/members", "/v1/members", &body);

    let reserved = json!({"customer_id": "c", "card": "1", "signals": {"device": ["d"]}});
    let refused = shop.ask(asked(reserved)).await;
    let other = shop.ask(asked(json!({"member_id": "m2"}))).await;
    let own = shop.ask(asked(json!({"mail": "a@b.example"}))).await;
    let nobody = shop.ask(enroll(&json!({"mail": "c@b.example"}))).await;

    let paths: Vec<_> =
        refused.body["mistakes"].as_array().unwrap().iter().map(|it| &it["path"]).collect();
    assert_eq!(refused.status, 422);
    assert_eq!(paths, ["customer_id", "card", "signals"]);
    assert_problem(&other, ProblemKind::OtherMember);
    assert_eq!((own.status, &own.body["member_id"]), (201, &json!("auth/a b")), "{own:?}");
    assert_eq!((nobody.status, &nobody.body["mistakes"][0]["path"]), (422, &json!("member_id")));
}

#[tokio::test]
async fn a_status_is_set_once_and_only_staff_do_more_than_freeze() {
    let shop = Shop::open();
    shop.ask(enroll(&enrollment())).await;
    let set = |token: &Value, status: &str, key: &str| {
        let body = json!({"status": status, "reason": "suspected-fraud", "key": key});
        shop.ask(Asked::post(token, "/v1/members/{id}/status", "/v1/members/m1/status", &body))
    };
    let (writer, staff) = (fixture(WRITER), fixture(STAFF));

    assert_problem(&set(&writer, "active", "k1").await, ProblemKind::StaffOnly);
    assert_problem(&set(&writer, "closed", "k1").await, ProblemKind::StaffOnly);
    let frozen = set(&writer, "frozen", "k1").await;
    assert_eq!((frozen.status, &frozen.body["status"]), (200, &json!("frozen")), "{frozen:?}");
    shop.pass(1.hour());
    assert_eq!(set(&writer, "frozen", "k1").await.body, frozen.body);
    assert_problem(&shop.ask(activate(&shop.code())).await, ProblemKind::MemberFrozen);
    assert_eq!(set(&staff, "active", "k1").await.body["status"], "active");
    assert_problem(&set(&staff, "closed", "k1").await, ProblemKind::KeyReused);
    assert_eq!(set(&staff, "closed", "k2").await.body["status"], "closed");
    assert_problem(&set(&staff, "active", "k3").await, ProblemKind::MemberClosed);
    let unknown = json!({"status": "frozen", "reason": "x", "key": "k"});
    let path = "/v1/members/{id}/status";
    let unknown = shop.ask(Asked::post(&staff, path, "/v1/members/m9/status", &unknown)).await;
    assert_problem(&unknown, ProblemKind::NotEnrolled);
}

#[tokio::test]
async fn nothing_personal_is_in_the_ledger_and_no_code_is_kept() {
    let shop = Shop::open();
    let enrolled = shop.ask(enroll(&enrollment())).await;
    let code = shop.code();
    shop.ask(activate(&other_than(&code))).await;
    shop.ask(activate(&code)).await;

    let ledger = shop.items(&shop.tables.ledger).to_string();
    let members = shop.items(&shop.members).to_string();
    for secret in ["7946", "shop.example", "4711", "c-1", "d-1", "02-29", &code] {
        assert!(!ledger.contains(secret), "{secret}: {ledger}");
    }
    let referral_code = enrolled.body["referral_code"].as_str().unwrap().replace('-', "");
    assert!(!ledger.contains(&referral_code) && members.contains(&referral_code));
    // Contacts are in the profile; what is found by is not.
    assert_eq!(members.matches("+442079460958").count(), 1);
    for secret in ["4711", "c-1", "d-1", &format!("\"{code}\"")] {
        assert!(!members.contains(secret), "{secret}: {members}");
    }
}

#[tokio::test]
async fn whatever_a_client_sends_is_answered_by_name() {
    let shop = Shop::open();
    let send = |kind: &str, body: &str, is_base64: bool| {
        let mut asked = enroll(&json!({}));
        asked.event["headers"]["content-type"] = json!(kind);
        asked.event["body"] = json!(body);
        asked.event["isBase64Encoded"] = json!(is_base64);
        shop.ask(asked)
    };
    let json_type = "application/json";

    assert_problem(&send(json_type, "{", false).await, ProblemKind::BodyNotJson);
    assert_problem(&send(json_type, "no base64!", true).await, ProblemKind::BodyNotJson);
    assert_problem(&send(json_type, "", false).await, ProblemKind::BodyNotJson);
    assert_problem(&send("text/plain", "{}", false).await, ProblemKind::WrongContentType);
    let large = " ".repeat(16_385);
    assert_problem(&send(json_type, &large, false).await, ProblemKind::BodyTooLarge);
    let deep = "[".repeat(10_000);
    assert_problem(&send(json_type, &deep, false).await, ProblemKind::BodyNotJson);
    for (body, path) in [("[]", ""), ("null", ""), ("{\"SECRET\": 1, \"member_id\": \"m\"}", "?")] {
        let answer = send(json_type, body, false).await;
        assert_eq!((answer.status, &answer.body["mistakes"][0]["path"]), (422, &json!(path)));
        assert!(!answer.body.to_string().contains("SECRET"));
    }
    for character in (0_u32..0x180).filter_map(char::from_u32) {
        let answer = send(json_type, &format!("{{\"member_id\": \"{character}\"}}"), false).await;
        assert!([201, 400, 422].contains(&answer.status), "{character:?}: {answer:?}");
    }
}
