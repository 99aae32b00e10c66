//! The contract of reading: an account, and its statement page by page.

use std::sync::Arc;

use loyalty_domain::{
    account::Account,
    id::{CommandId, MemberId, OrderId},
};
use loyalty_ledger::{
    Entry, Ledger, Reading,
    statement::{Accounts, Cursor, Page, StatementError, statement},
};

use crate::{answer, member, now, order, refund, spend};

pub(crate) async fn an_account_is_found_as_it_was_left<L: Ledger + Accounts>(ledger: &L) {
    let before = ledger.find_account(&member("m1"), Reading::Newest).await.unwrap();
    let entry = now(answer(ledger, &order("o1", "m1", 5_000, 0)).await);
    now(answer(ledger, &order("guest of another", "m2", 5_000, 0)).await);
    let after = ledger.find_account(&member("m1"), Reading::Newest).await.unwrap().unwrap();

    assert_eq!(before, None);
    assert_eq!(after.account, crate::account(ledger, "m1").await);
    assert_ne!(after.account, Account::default());
    assert_eq!(after.recent, std::slice::from_ref(&entry.id));
}

pub(crate) async fn entries_are_found_in_the_order_in_which_they_are_asked_for<
    L: Ledger + Accounts,
>(
    ledger: &L,
) {
    let first = now(answer(ledger, &order("o1", "m1", 5_000, 0)).await);
    let second = now(answer(ledger, &refund("o1", "r1", 500, 1)).await);
    // Only a mark is at the key of this refund's order.
    let waits = now(answer(ledger, &refund("o2", "r1", 500, 1)).await);
    let absent = CommandId::Order(OrderId::try_from("o2").unwrap());

    let ids = [&second.id, &absent, &waits.id, &first.id].map(Clone::clone);
    for reading in [Reading::Cheap, Reading::Newest] {
        let found = ledger.find_entries(&ids, reading).await.unwrap();
        assert_eq!(found, [&second, &waits, &first].map(Arc::clone));
    }
    assert_eq!(ledger.find_entries(&[], Reading::Cheap).await.unwrap(), []);
}

/// Adds entry number `number` of `m1`: mostly orders, and what may stand between them.
async fn add(ledger: &impl Ledger, number: i64) -> Arc<Entry> {
    let request = match number % 5 {
        0 => spend(&format!("k{number}"), "m1", 1, number),
        3 => refund(&format!("o{}", number - 1), "r", 10, number),
        _ => order(&format!("o{number}"), "m1", 1_000, number),
    };
    // Of another member, and of nobody: neither is in the statement.
    now(answer(ledger, &order(&format!("x{number}"), "m2", 1_000, number)).await);
    now(answer(ledger, &refund(&format!("never{number}"), "r", 10, number)).await);
    now(answer(ledger, &request).await)
}

async fn page(
    ledger: &impl Accounts,
    from: Option<&Cursor>,
    limit: usize,
) -> Result<Page, StatementError> {
    statement(ledger, &member("m1"), from, limit, Reading::Cheap).await
}

/// All pages of `limit`, from `from` on; every page but the last is full.
async fn pages(ledger: &impl Accounts, from: Option<Cursor>, limit: usize) -> Vec<u64> {
    let mut sequences = Vec::new();
    let mut from = from;
    loop {
        let page = page(ledger, from.as_ref(), limit).await.unwrap();
        assert!(page.entries.len() == limit || page.next.is_none(), "{limit}: {page:?}");
        sequences.extend(page.entries.iter().map(|it| it.sequence.unwrap()));
        match page.next {
            Some(next) => from = Some(next),
            None => return sequences,
        }
    }
}

pub(crate) async fn a_statement_of_any_length_has_every_entry_once_newest_first<
    L: Ledger + Accounts,
>(
    ledger: &L,
) {
    assert_eq!(page(ledger, None, 10).await.unwrap(), Page::default());

    for number in 1..=104 {
        add(ledger, number).await;
        let limits: &[usize] = match number {
            1 | 2 | 9 | 10 | 11 | 19 | 20 | 21 => &[1, 2, 9, 10, 11, 50],
            25 => &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 19, 20, 21, 24, 25, 26, 50],
            100 | 104 => &[7, 10, 50, 1_000],
            _ => continue,
        };
        let expected: Vec<u64> = (1..=u64::try_from(number).unwrap()).rev().collect();
        for limit in limits {
            assert_eq!(pages(ledger, None, *limit).await, expected, "{number} by {limit}");
        }
    }
}

pub(crate) async fn new_entries_between_pages_move_nothing<L: Ledger + Accounts>(ledger: &L) {
    for number in 1..=25 {
        add(ledger, number).await;
    }
    // Ends of pages among the newest entries, at their first one, and further down.
    let mut cursors = Vec::new();
    for limit in [1, 5, 6, 7, 15, 16, 17, 24] {
        let first = page(ledger, None, limit).await.unwrap();
        cursors.push((first.entries.last().unwrap().sequence.unwrap(), first.next.unwrap()));
    }

    for number in 26..=61 {
        add(ledger, number).await;
        if ![26, 29, 30, 31, 40, 61].contains(&number) {
            continue;
        }
        for (sequence, cursor) in &cursors {
            let rest = pages(ledger, Some(cursor.clone()), 10).await;
            assert_eq!(rest, (1..*sequence).rev().collect::<Vec<_>>(), "{number}: {cursor:?}");
        }
    }
}

pub(crate) async fn a_cursor_that_was_made_up_shows_nothing<L: Ledger + Accounts>(ledger: &L) {
    for number in 1..=25 {
        add(ledger, number).await;
    }
    let mut ids = Vec::new();
    for member_id in ["m1", "m2"] {
        let all = statement(ledger, &member(member_id), None, 50, Reading::Newest).await.unwrap();
        ids.push(all.entries);
    }
    let own = |sequence: usize| Some(ids[0][25 - sequence].id.clone());
    let others = |sequence: usize| Some(ids[1][25 - sequence].id.clone());
    let waiting = refund("never1", "r", 10, 1).id;
    let absent = CommandId::Order(OrderId::try_from("no such order").unwrap());

    let forged = [
        (10, others(10)),
        (15, others(20)),
        (5, others(5)),
        (0, own(10)),
        (1, own(10)),
        (11, own(10)),
        (10, own(20)),
        (21, own(20)),
        (u64::MAX, own(20)),
        (5, own(5)),
        (5, Some(waiting)),
        (5, Some(absent)),
        (0, None),
        (1, None),
        (26, None),
        (u64::MAX, None),
    ];
    for (before, via) in forged {
        let cursor = Cursor { before, via };
        let result = page(ledger, Some(&cursor), 10).await;
        assert!(matches!(result, Err(StatementError::InvalidCursor)), "{cursor:?}: {result:?}");
    }
    // One that was handed out to another member is of no more use.
    let handed_out = page(ledger, None, 20).await.unwrap().next.unwrap();
    for (member_id, is_known) in [("m1", true), ("m2", false), ("nobody", false)] {
        let member_id: MemberId = member(member_id);
        let result = statement(ledger, &member_id, Some(&handed_out), 5, Reading::Cheap).await;
        assert_eq!(result.is_ok(), is_known, "{member_id}: {result:?}");
    }
    let everything = page(ledger, None, 50).await.unwrap();
    assert!(everything.entries.iter().all(|it| it.member_id == Some(member("m1"))));
}
