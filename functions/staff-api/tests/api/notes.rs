//! What staff write about members.

use jiff::ToSpan;
use loyalty_contracts::problem::ProblemKind;
use serde_json::{Value, json};

use crate::common::{Answer, Asked, Shop, as_person, assert_problem};

const STAFF: &str = "loyalty/staff";
const ROUTE: &str = "/v1/members/{id}/notes";

async fn write(shop: &Shop, by: &str, key: &str, text: &str) -> Answer {
    let body = json!({ "text": text });
    shop.post(&as_person(by, STAFF), ROUTE, "/v1/members/m1/notes", (key, body)).await
}

async fn read(shop: &Shop) -> Value {
    let asked =
        Asked::new(&as_person("p2", STAFF), &format!("GET {ROUTE}"), "/v1/members/m1/notes");
    let answer = shop.ask(asked).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["notes"].clone()
}

#[tokio::test]
async fn a_note_is_kept_once_under_its_key_and_names_who_wrote_it() {
    let shop = Shop::with_members(&json!({})).await;
    assert_eq!(read(&shop).await, json!([]));

    let first = write(&shop, "p1", "k1", "Called; the parcel came broken.").await;
    shop.pass(1.minute());
    let again = write(&shop, "p1", "k1", "Called; the parcel came broken.").await;
    let otherwise = write(&shop, "p1", "k1", "Called again.").await;
    let second = write(&shop, "p2", "k1", "Called again.").await;

    let expected = json!({
        "note_id": first.body["note_id"], "by": "p1", "at": "2026-02-10T09:30:00Z",
        "text": "Called; the parcel came broken."
    });
    assert_eq!((first.status, &first.body), (200, &expected));
    assert_eq!(again, first);
    assert_problem(&otherwise, ProblemKind::RequestKeyReused);
    assert_eq!(read(&shop).await, json!([second.body, first.body]), "the newest comes first");
}

#[tokio::test]
async fn words_are_with_what_is_personal_and_nowhere_else() {
    let shop = Shop::with_members(&json!({})).await;

    write(&shop, "p1", "k1", "SECRET").await;

    assert!(shop.items(&shop.members_table()).to_string().contains("SECRET"));
    for table in [&shop.tables.ledger, &shop.tables.program] {
        assert!(!shop.items(table).to_string().contains("SECRET"), "{table}");
    }
}

#[tokio::test]
async fn nobody_writes_about_nobody_or_in_nobody_s_name() {
    let shop = Shop::open(&json!({}));
    assert_problem(&write(&shop, "p1", "k1", "Called.").await, ProblemKind::MemberNotFound);

    let shop = Shop::with_members(&json!({})).await;
    for name in ["p1@shop.example", "+442079460958"] {
        assert_problem(&write(&shop, name, "k1", "Called.").await, ProblemKind::NobodyInToken);
    }
    assert_eq!(read(&shop).await, json!([]));
}
