//! Two members who are one person.

use loyalty_contracts::problem::ProblemKind;
use loyalty_ledger::{Reading, statement::Accounts as _};
use serde_json::{Value, json};

use crate::common::{Answer, Shop, as_person, assert_problem, assert_refused};

const MERGES: &str = "loyalty/merges.write";
const ROUTE: &str = "/v1/members/{id}/merge";
const UNDO: &str = "/v1/members/{id}/merge/undo";

async fn merge(shop: &Shop, key: &str, body: Value) -> Answer {
    shop.post(&as_person("p1", MERGES), ROUTE, "/v1/members/m1/merge", (key, body)).await
}

async fn undo(shop: &Shop, key: &str, body: Value) -> Answer {
    shop.post(&as_person("p1", MERGES), UNDO, "/v1/members/m1/merge/undo", (key, body)).await
}

async fn available(shop: &Shop, member: &str) -> u64 {
    let member = member.try_into().unwrap();
    let known = shop.store().find_account(&member, Reading::Newest).await.unwrap().unwrap();
    known.account.balance().unwrap().available.get()
}

#[tokio::test]
async fn two_members_become_one_and_two_again_each_once() {
    let shop = Shop::with_members(&json!({})).await;
    let wish = || json!({"into": "m2", "reason": "same-person"});

    let first = merge(&shop, "k1", wish()).await;
    let again = merge(&shop, "k1", wish()).await;
    let otherwise = merge(&shop, "k1", json!({"into": "m2", "reason": "other"})).await;
    let once_more = merge(&shop, "k2", wish()).await;

    assert_eq!((first.status, first.available()), (200, 0), "{first:?}");
    assert_eq!(again, first);
    assert_problem(&otherwise, ProblemKind::RequestKeyReused);
    assert_refused(&once_more, "merged_already");
    assert_eq!(available(&shop, "m2").await, 2_000);

    let wish = json!({"into": "m2", "merge_id": first.body["merge_id"], "reason": "two-persons"});
    let undone = undo(&shop, "k3", wish.clone()).await;
    let again = undo(&shop, "k3", wish.clone()).await;
    let once_more = undo(&shop, "k4", wish).await;

    assert_eq!((undone.status, undone.available()), (200, 1_000), "{undone:?}");
    assert_eq!(undone.body["merge_id"], first.body["merge_id"]);
    assert_eq!(again, undone);
    assert_refused(&once_more, "not_merged");
    assert_eq!((available(&shop, "m1").await, available(&shop, "m2").await), (1_000, 1_000));
}

#[tokio::test]
async fn a_member_is_merged_with_somebody_else_who_is_there() {
    let shop = Shop::with_members(&json!({})).await;

    for (key, into) in [("k1", "m1"), ("k2", "nobody")] {
        let answer = merge(&shop, key, json!({"into": into, "reason": "same-person"})).await;
        assert_eq!((answer.status, &answer.body["code"]), (409, &json!("refused")), "{answer:?}");
    }
    let wish = json!({"into": "m2", "merge_id": "0".repeat(32), "reason": "two-persons"});
    assert_eq!(undo(&shop, "k3", wish).await.status, 409);
    assert_eq!(available(&shop, "m1").await, 1_000);
}
