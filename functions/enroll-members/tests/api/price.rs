//! What every route costs, by the capacity that the engine reports: it counts as AWS does.

use jiff::ToSpan;
use loyalty_domain::command::{Command, Request};
use loyalty_ledger::profile::{Friend, Profiles as _};
use loyalty_tests_ledger::{member, order};
use serde_json::{Value, json};

use crate::{
    common::{Asked, READER, STAFF, Shop, WRITER, as_member, fixture},
    enroll, enrollment,
};

/// What was asked, and what it cost: write units and half read units.
struct Bill {
    shop: Shop,
    rows: Vec<(String, u64, u64)>,
}

impl Bill {
    /// Asks, sees that the status is as expected, and notes the cost.
    async fn ask(&mut self, what: &str, status: u64, asked: Asked) -> Value {
        self.shop.usage();
        let answer = self.shop.ask(asked).await;
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        let usage = self.shop.usage();
        self.rows.push((what.to_owned(), usage.write_units, usage.read_halves));
        answer.body
    }
}

fn own(method: &str, rest: &str, body: &Value) -> Asked {
    let path = format!("/v1/members/me/{rest}");
    let asked = Asked::new(&as_member("m1"), method, &path, &path);
    if body.is_null() { asked } else { asked.with(body) }
}

fn guest_order(id: &str) -> Request {
    let mut request = order(id, "nobody", 5_000, 0);
    if let Command::PayOrder(order) = &mut request.command {
        order.member_id = None;
    }
    request
}

/// A refused condition costs a write unit, too, of which the engine says nothing, nor does AWS.
#[tokio::test]
async fn every_route_has_its_price() {
    let mut bill = Bill { shop: Shop::open(), rows: Vec::new() };
    members(&mut bill).await;
    referrals(&mut bill).await;
    guests(&mut bill).await;

    let mut table = String::from("\nwrite units, half read units\n");
    for (what, writes, reads) in &bill.rows {
        table += &format!("{writes:>3} {reads:>3} {what}\n");
    }
    println!("{table}");
    let found: Vec<_> = bill.rows.iter().map(|(what, w, r)| (what.as_str(), *w, *r)).collect();
    assert_eq!(found, PRICES);
}

/// What was asked, write units, half read units.
const PRICES: [(&str, u64, u64); 30] = [
    ("enroll with an id alone", 8, 6),
    ("enroll with four identities and two signals, and send a code", 21, 6),
    ("enroll again", 0, 4),
    ("enroll with a phone that is taken", 0, 6),
    ("read a profile", 0, 4),
    ("activate with a wrong code", 1, 6),
    ("send another code too soon", 0, 4),
    ("send another code", 1, 4),
    ("activate, with a welcome", 9, 12),
    ("activate again", 0, 6),
    ("change a language", 1, 4),
    ("change a phone", 8, 4),
    ("change nothing", 0, 4),
    ("look up a mail", 0, 2),
    ("look up nobody", 0, 2),
    ("freeze", 4, 2),
    ("freeze again", 0, 2),
    ("let it go on", 4, 2),
    ("read referrals without friends", 0, 4),
    ("enroll with a friend's code and no contact", 8, 9),
    ("read referrals with a friend", 0, 5),
    ("look up a code", 0, 2),
    ("replace a code", 6, 2),
    ("replace a code again", 0, 4),
    ("keep a guest's contact", 1, 0),
    ("keep a guest's contact again", 0, 0),
    ("make a link", 0, 0),
    ("claim with a wrong mail", 1, 4),
    ("claim", 9, 9),
    ("claim again", 0, 4),
];

async fn members(bill: &mut Bill) {
    bill.ask("enroll with an id alone", 201, enroll(&json!({"member_id": "m0"}))).await;
    bill.ask(
        "enroll with four identities and two signals, and send a code",
        201,
        enroll(&enrollment()),
    )
    .await;
    bill.ask("enroll again", 200, enroll(&enrollment())).await;
    let taken = json!({"member_id": "m2", "phone": "+44 20 7946 0958"});
    bill.ask("enroll with a phone that is taken", 409, enroll(&taken)).await;
    bill.ask("read a profile", 200, own("GET", "profile", &Value::Null)).await;
    let wrong = json!({"code": if bill.shop.code() == "123456" { "654321" } else { "123456" }});
    bill.ask("activate with a wrong code", 422, own("POST", "activation", &wrong)).await;
    bill.ask("send another code too soon", 429, own("POST", "activation/codes", &json!({}))).await;
    bill.shop.pass(60.seconds());
    bill.ask("send another code", 200, own("POST", "activation/codes", &json!({}))).await;
    let code = json!({"code": bill.shop.code()});
    bill.ask("activate, with a welcome", 200, own("POST", "activation", &code)).await;
    bill.ask("activate again", 200, own("POST", "activation", &code)).await;
    bill.ask("change a language", 200, own("PATCH", "profile", &json!({"language": "de"}))).await;
    let phone = json!({"phone": "+44 20 7946 0111"});
    bill.ask("change a phone", 200, own("PATCH", "profile", &phone)).await;
    bill.ask("change nothing", 200, own("PATCH", "profile", &phone)).await;
    let lookup = |kind: &str, value: &str| {
        let path = "/v1/members/lookup";
        Asked::post(&fixture(READER), path, path, &json!({"kind": kind, "value": value}))
    };
    bill.ask("look up a mail", 200, lookup("mail", "member@shop.example")).await;
    bill.ask("look up nobody", 404, lookup("card", "0000")).await;
    let status = |status: &str| {
        let body = json!({"status": status, "reason": "looked-into", "key": status});
        let route = "/v1/members/{id}/status";
        Asked::post(&fixture(STAFF), route, "/v1/members/m1/status", &body)
    };
    bill.ask("freeze", 200, status("frozen")).await;
    bill.ask("freeze again", 200, status("frozen")).await;
    bill.ask("let it go on", 200, status("active")).await;
}

async fn referrals(bill: &mut Bill) {
    let shown =
        bill.ask("read referrals without friends", 200, own("GET", "referrals", &Value::Null));
    let code = shown.await["code"].clone();
    let friend = json!({"member_id": "f1", "referral_code": code});
    bill.ask("enroll with a friend's code and no contact", 201, enroll(&friend)).await;
    let friend = Friend { member_id: member("f1"), at: "2026-02-10T09:30:00Z".parse().unwrap() };
    bill.shop.store().add_friend(&member("m1"), &friend).await.unwrap();
    let shown = own("GET", "referrals", &Value::Null);
    bill.ask("read referrals with a friend", 200, shown).await;
    bill.ask("look up a code", 200, {
        let path = "/v1/members/lookup";
        Asked::post(&fixture(READER), path, path, &json!({"kind": "code", "value": code}))
    })
    .await;
    let replaces = json!({ "replaces": code });
    bill.ask("replace a code", 200, own("POST", "referral-code", &replaces)).await;
    bill.ask("replace a code again", 200, own("POST", "referral-code", &replaces)).await;
}

async fn guests(bill: &mut Bill) {
    bill.shop.execute(&guest_order("o1")).await;
    let contact = |id: &str| {
        let body = json!({"mail": "guest@shop.example", "phone": "+44 20 7946 0958"});
        let path = format!("/v1/orders/{id}/contact");
        Asked::new(&fixture(WRITER), "PUT", "/v1/orders/{order_id}/contact", &path).with(&body)
    };
    bill.ask("keep a guest's contact", 200, contact("o1")).await;
    bill.ask("keep a guest's contact again", 200, contact("o1")).await;
    let route = "/v1/orders/{order_id}/claim-link";
    let link = Asked::post(&fixture(WRITER), route, "/v1/orders/o1/claim-link", &json!({}));
    bill.ask("make a link", 200, link).await;
    let wrong = json!({"order_id": "o1", "mail": "other@shop.example"});
    bill.ask("claim with a wrong mail", 403, own("POST", "orders", &wrong)).await;
    let right = json!({"order_id": "o1", "mail": "guest@shop.example"});
    bill.ask("claim", 200, own("POST", "orders", &right)).await;
    bill.ask("claim again", 200, own("POST", "orders", &right)).await;
}
