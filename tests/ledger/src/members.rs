//! What finding everybody promises.

use std::collections::BTreeSet;

use loyalty_domain::{command::Request, id::MemberId};
use loyalty_ledger::{
    Ledger,
    members::{Members, MembersPlace},
};

use crate::{answer, instant, member, now, order, refund, spend};

/// Everybody, `limit` at a time.
async fn all(ledger: &impl Members, limit: u16) -> Vec<MemberId> {
    let mut all = Vec::new();
    let mut after: Option<MembersPlace> = None;
    loop {
        let page = ledger.members(after.as_ref(), limit).await.unwrap();
        assert!(page.members.len() <= limit.into(), "a page is larger than it may be");
        all.extend(page.members);
        let Some(next) = page.next else { return all };
        assert_ne!(after.as_ref(), Some(&next), "a walk stands still");
        after = Some(next);
    }
}

pub(crate) async fn everybody_with_an_account_is_found_once_and_nothing_else<
    L: Ledger + Members,
>(
    ledger: &L,
) {
    let mut expected = BTreeSet::new();
    for number in 0..40 {
        // Ids with what keys escape, and two orders each, so that most of what is kept are entries.
        let member_id = format!("m#{number}%23é ~");
        for place in 0..2 {
            let id = format!("o{number}-{place}");
            now(answer(ledger, &order(&id, &member_id, 5_000, place)).await);
        }
        expected.insert(member(&member_id));
    }
    // Nobody's: a guest's order is like a refund that waits, and a refusal leaves no account.
    now(answer(ledger, &refund("later", "r1", 100, 5)).await);
    now(answer(ledger, &spend("k1", "poor", 50, 5)).await);
    now(answer(ledger, &Request::end_measuring(3, instant(0))).await);

    for limit in [1_000, 7, 1] {
        let found = all(ledger, limit).await;
        assert_eq!(found.len(), expected.len(), "{limit} at a time: somebody twice, or not");
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
    }
}

pub(crate) async fn nobody_is_found_where_there_is_nobody<L: Ledger + Members>(ledger: &L) {
    assert!(all(ledger, 100).await.is_empty());
}

pub(crate) async fn whoever_goes_on_at_a_place_finds_those_who_were_left<L: Ledger + Members>(
    ledger: &L,
) {
    for number in 0..20 {
        let (id, member_id) = (format!("o{number}"), format!("m{number}"));
        now(answer(ledger, &order(&id, &member_id, 5_000, 0)).await);
    }
    let first = ledger.members(None, 15).await.unwrap();
    let place = first.next.unwrap();

    // Twice, as a message may come.
    for _ in 0..2 {
        let mut found = first.members.clone();
        let mut after = Some(place.clone());
        while let Some(place) = after {
            let page = ledger.members(Some(&place), 4).await.unwrap();
            found.extend(page.members);
            after = page.next;
        }
        assert_eq!(found.len(), 20);
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>().len(), 20);
    }
}
