//! Members who become one: whatever is said of the one is about the other's account, until it is undone.

use loyalty_domain::{
    command::Request,
    decide::Rejection,
    id::{ClientId, CommandId, PairId, RequestKey},
};
use loyalty_ledger::{
    Answer, Answered, Ledger, Reading,
    statement::{Accounts, find_owner, statement},
};

use crate::{answer, history::undo, instant, member, now, order, refund, spend};

fn merge(key: &str, source: &str, into: &str, second: i64) -> Request {
    let client = ClientId::try_from("desk").unwrap();
    let key = RequestKey::try_from(key).unwrap();
    let reason = "same-person".try_into().unwrap();
    Request::merge(client, key, member(source), instant(second), member(into), reason)
}

fn undone(key: &str, merge: &Request, second: i64) -> Request {
    let client = ClientId::try_from("desk").unwrap();
    undo(client, RequestKey::try_from(key).unwrap(), merge, instant(second))
}

async fn refused<L: Ledger>(ledger: &L, request: &Request) -> Rejection {
    let answered = answer(ledger, request).await;
    let Answered::Now(entry) = &answered else { panic!("not answered now: {answered:?}") };
    let Answer::Refused(rejection) = &entry.answer else { panic!("not refused: {entry:?}") };
    rejection.clone()
}

/// Points that `member_id` can use, by whichever name.
async fn available<A: Accounts>(ledger: &A, member_id: &str) -> u64 {
    let (_, known) = find_owner(ledger, &member(member_id), Reading::Newest).await.unwrap();
    known.unwrap().account.available().unwrap().get()
}

pub(crate) async fn what_is_said_of_a_name_is_about_the_account_that_goes_on<
    L: Ledger + Accounts,
>(
    ledger: &L,
) {
    now(answer(ledger, &order("o1", "a", 3_000, 0)).await);
    now(answer(ledger, &order("o2", "b", 5_000, 0)).await);
    now(answer(ledger, &merge("k", "a", "b", 1)).await);

    // An order, a spend and a refund of what was ordered before.
    let entry = now(answer(ledger, &order("o3", "a", 1_000, 2)).await);
    assert_eq!(entry.member_id, Some(member("b")));
    assert_eq!(available(ledger, "b").await, 90);
    let entry = now(answer(ledger, &spend("s", "a", 20, 3)).await);
    assert_eq!(entry.member_id, Some(member("b")));
    let entry = now(answer(ledger, &refund("o1", "r", 3_000, 4)).await);
    assert_eq!(entry.member_id, Some(member("b")));

    assert_eq!((available(ledger, "a").await, available(ledger, "b").await), (40, 40));
    // Another name for a name leads to the same account.
    now(answer(ledger, &order("o4", "c", 100, 5)).await);
    now(answer(ledger, &merge("k", "b", "c", 6)).await);
    assert_eq!(available(ledger, "a").await, 41);
    let entry = now(answer(ledger, &order("o5", "a", 900, 7)).await);
    assert_eq!((entry.member_id.clone(), available(ledger, "c").await), (Some(member("c")), 50));
}

pub(crate) async fn a_statement_of_a_name_is_that_of_the_account_that_goes_on<
    L: Ledger + Accounts,
>(
    ledger: &L,
) {
    now(answer(ledger, &order("o1", "a", 3_000, 0)).await);
    for number in 0..25 {
        now(answer(ledger, &order(&format!("b{number}"), "b", 100, number)).await);
    }
    now(answer(ledger, &merge("k", "a", "b", 30)).await);
    let ids = |entries: &[std::sync::Arc<loyalty_ledger::Entry>]| -> Vec<CommandId> {
        entries.iter().map(|it| it.id.clone()).collect()
    };

    let name = member("a");
    let mut by_name = Vec::new();
    let mut from = None;
    loop {
        let page = statement(ledger, &name, from.as_ref(), 7, Reading::Newest);
        let page = page.await.unwrap();
        by_name.extend(ids(&page.entries));
        from = page.next;
        if from.is_none() {
            break;
        }
    }

    let all = statement(ledger, &member("b"), None, 50, Reading::Newest).await.unwrap();
    assert_eq!(by_name, ids(&all.entries));
    assert_eq!(by_name.len(), 26);
}

pub(crate) async fn a_merge_is_undone_once_and_the_names_part<L: Ledger + Accounts>(ledger: &L) {
    now(answer(ledger, &order("o1", "a", 3_000, 0)).await);
    now(answer(ledger, &order("o2", "b", 5_000, 0)).await);
    let merged = merge("k", "a", "b", 1);
    now(answer(ledger, &merged).await);
    assert!(matches!(answer(ledger, &merged).await, Answered::Before(_)));
    now(answer(ledger, &spend("s", "b", 60, 2)).await);

    let undo = undone("u", &merged, 3);
    now(answer(ledger, &undo).await);

    // What was used is gone from what had come: the whole of the lot is used in common.
    assert_eq!((available(ledger, "a").await, available(ledger, "b").await), (20, 0));
    assert!(matches!(answer(ledger, &undo).await, Answered::Before(_)));
    let again = undone("again", &merged, 4);
    assert_eq!(refused(ledger, &again).await, Rejection::NotMerged);
    let entry = now(answer(ledger, &order("o3", "a", 1_000, 5)).await);
    assert_eq!(entry.member_id, Some(member("a")));
    // They may become one again, by another merge.
    now(answer(ledger, &merge("k2", "a", "b", 6)).await);
    assert_eq!(available(ledger, "a").await, 30);
    assert_ne!(PairId::of(&merged.id), PairId::of(&merge("k2", "a", "b", 6).id));
}

pub(crate) async fn what_makes_no_sense_is_refused_by_name<L: Ledger + Accounts>(ledger: &L) {
    now(answer(ledger, &order("o1", "a", 3_000, 0)).await);
    now(answer(ledger, &order("o2", "b", 5_000, 0)).await);
    now(answer(ledger, &order("o3", "c", 100, 0)).await);
    now(answer(ledger, &merge("k", "a", "b", 1)).await);

    assert_eq!(refused(ledger, &merge("k1", "b", "b", 2)).await, Rejection::SameMember);
    assert_eq!(refused(ledger, &merge("k2", "a", "c", 2)).await, Rejection::MergedAlready);
    assert_eq!(refused(ledger, &merge("k3", "c", "a", 2)).await, Rejection::IntoAlias);
    assert_eq!(refused(ledger, &merge("k4", "b", "a", 2)).await, Rejection::IntoAlias);
    assert_eq!(refused(ledger, &merge("k5", "b", "nobody", 2)).await, Rejection::NotEnrolled);
    assert_eq!(refused(ledger, &merge("k6", "nobody", "b", 2)).await, Rejection::NotEnrolled);
    let made_up = merge("never", "c", "b", 2);
    assert_eq!(refused(ledger, &undone("u", &made_up, 3)).await, Rejection::NotMerged);
}
