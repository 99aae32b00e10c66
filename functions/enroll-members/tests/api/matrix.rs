//! Every route × every caller.

use loyalty_enroll_members::route::{Operation, ROUTES, Route};
use loyalty_runtime::api::route::Method;
use serde_json::{Value, json};

use crate::{
    common::{
        Asked, MEMBER, NO_CLAIMS, READER, STAFF, Shop, WRITER, as_member, fixture, with_claim,
    },
    enroll, enrollment,
};

/// A body that the route understands.
fn body(operation: Operation) -> Value {
    match operation {
        Operation::Enroll => json!({"member_id": "m1"}),
        Operation::Lookup => json!({"kind": "mail", "value": "member@shop.example"}),
        Operation::Profile | Operation::Referrals => Value::Null,
        Operation::ChangeProfile | Operation::SendCode | Operation::MakeClaimLink => json!({}),
        Operation::Activate => json!({"code": "000000"}),
        Operation::SetStatus => json!({"status": "frozen", "reason": "r", "key": "k"}),
        Operation::ReplaceCode => json!({"replaces": "00000-00000"}),
        Operation::KeepContact => json!({"mail": "a@b.example"}),
        Operation::Claim => json!({"order_id": "o1", "mail": "a@b.example"}),
    }
}

fn asked(token: &Value, route: &Route) -> Asked {
    let path = route.path.replace("{id}", "m1").replace("{order_id}", "o1");
    Asked::new(token, route.method.as_str(), route.path, &path).with(&body(route.operation))
}

#[tokio::test]
async fn every_route_lets_in_whom_the_table_says_and_nobody_else() {
    let shop = Shop::open();
    shop.ask(enroll(&enrollment())).await;
    let callers = [
        fixture(MEMBER),
        as_member("m2"),
        fixture(READER),
        fixture(WRITER),
        fixture(STAFF),
        with_claim(fixture(READER), "scope", "loyalty/orders.write"),
        fixture(NO_CLAIMS),
    ];
    let mut letters = Vec::new();
    for route in &ROUTES {
        let mut row = String::new();
        for token in &callers {
            let answer = shop.ask(asked(token, route)).await;
            row.push(match answer.body["code"].as_str() {
                Some("unauthenticated") => 'u',
                Some("scope-not-sufficient") => 's',
                Some("write-scope-needed") => 'w',
                Some("caller-is-no-member") => 'm',
                Some("not-for-members") => 'n',
                Some("other-member") => 'o',
                _ => '+',
            });
            assert!(answer.status < 500, "{}: {answer:?}", route.key());
        }
        letters.push(format!("{row} {}", route.key()));
    }

    // By hand: a table that is wrong would agree with itself. The columns are those of the callers.
    let by_hand = [
        "+ow++su POST /v1/members",
        "nn+++su POST /v1/members/lookup",
        "++mmmsu GET /v1/members/me/profile",
        "+o+++su GET /v1/members/{id}/profile",
        "++mmmsu PATCH /v1/members/me/profile",
        "+ow++su PATCH /v1/members/{id}/profile",
        "++mmmsu POST /v1/members/me/activation",
        "+ow++su POST /v1/members/{id}/activation",
        "++mmmsu POST /v1/members/me/activation/codes",
        "+ow++su POST /v1/members/{id}/activation/codes",
        "nnw++su POST /v1/members/{id}/status",
        "++mmmsu GET /v1/members/me/referrals",
        "+o+++su GET /v1/members/{id}/referrals",
        "++mmmsu POST /v1/members/me/referral-code",
        "+ow++su POST /v1/members/{id}/referral-code",
        "nnw+msu PUT /v1/orders/{order_id}/contact",
        "nnw+msu POST /v1/orders/{order_id}/claim-link",
        "++mmmsu POST /v1/members/me/orders",
    ];
    assert_eq!(letters, by_hand);
}

#[tokio::test]
async fn a_path_that_would_read_otherwise_to_somebody_is_refused() {
    let shop = Shop::open();
    for path in [
        "/v1/members/me/profile",
        "/v1/members/a@b.example/profile",
        "/v1/members/m1/../m2/profile",
        "/v1/members/+442079460958/profile",
        "/v1/members/m1/profile#",
        "/v1/members/lookup",
    ] {
        let asked = Asked::new(&fixture(STAFF), "GET", "/v1/members/{id}/profile", path);
        let answer = shop.ask(asked).await;
        assert!([400, 405].contains(&answer.status), "{path}: {answer:?}");
    }
    assert!(ROUTES.iter().all(|it| it.method == Method::Get || body(it.operation).is_object()));
}
