//! What finding due work promises.

use std::collections::BTreeSet;

use jiff::{
    ToSpan,
    civil::{Date, date},
};
use loyalty_domain::id::MemberId;
use loyalty_ledger::{
    Ledger,
    due::{DuePlace, DueWork, post_due},
};

use crate::{answer, member, now, order, program};

/// What an order of the first instants is good through.
const FIRST: Date = date(2027, 2, 2);
/// What one of the day after is good through.
const SECOND: Date = date(2027, 2, 3);

/// All who are due by `day`, shard by shard, a page of `limit` after the other.
async fn due_by(ledger: &impl DueWork, day: Date, limit: u16) -> Vec<Vec<MemberId>> {
    let mut shards = Vec::new();
    for shard in 0..ledger.shards() {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let page = ledger.due_members(shard, day, after.as_ref(), limit).await.unwrap();
            assert!(page.members.len() <= limit.into(), "a page is larger than it may be");
            all.extend(page.members);
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        shards.push(all);
    }
    shards
}

async fn all_due_by(ledger: &impl DueWork, day: Date) -> BTreeSet<MemberId> {
    let shards = due_by(ledger, day, 100).await;
    let all: Vec<MemberId> = shards.into_iter().flatten().collect();
    let set: BTreeSet<MemberId> = all.iter().cloned().collect();
    assert_eq!(set.len(), all.len(), "somebody was found twice");
    set
}

fn members(ids: &[&str]) -> BTreeSet<MemberId> {
    ids.iter().map(|it| member(it)).collect()
}

pub(crate) async fn who_is_due_by_a_day_is_found_once_and_nobody_else<L: Ledger + DueWork>(
    ledger: &L,
) {
    for (id, member_id, second) in
        [("o1", "m1", 0), ("o2", "m2", 86_400), ("o3", "m#3%é ~", 60), ("o4", "m1", 86_400)]
    {
        now(answer(ledger, &order(id, member_id, 5_000, second)).await);
    }

    // Good through its last day, and due from the next one on.
    assert_eq!(all_due_by(ledger, FIRST).await, members(&[]));
    assert_eq!(all_due_by(ledger, SECOND).await, members(&["m1", "m#3%é ~"]));
    assert_eq!(all_due_by(ledger, date(2027, 2, 4)).await, members(&["m1", "m2", "m#3%é ~"]));
    assert_eq!(all_due_by(ledger, date(2031, 1, 1)).await.len(), 3);
}

pub(crate) async fn who_is_due_is_found_page_by_page_by_day_and_then_by_id<L: Ledger + DueWork>(
    ledger: &L,
) {
    for number in 0..60 {
        let (id, member_id) = (format!("o{number}"), format!("m{number}"));
        now(answer(ledger, &order(&id, &member_id, 5_000, 86_400 * (number % 2))).await);
    }

    let day = date(2027, 3, 1);
    let all = due_by(ledger, day, 100).await;
    assert_eq!(all.iter().flatten().collect::<BTreeSet<_>>().len(), 60);
    for limit in [1, 2, 7] {
        assert_eq!(due_by(ledger, day, limit).await, all, "{limit} at a time");
    }
    for shard in all {
        let is_second = |it: &MemberId| {
            let number: u32 = it.as_str().trim_start_matches('m').parse().unwrap();
            number % 2
        };
        assert!(shard.is_sorted_by_key(|it| (is_second(it), it.clone())), "{shard:?}");
    }
}

pub(crate) async fn who_was_posted_is_found_again_on_the_next_day<L: Ledger + DueWork>(ledger: &L) {
    now(answer(ledger, &order("o1", "m1", 5_000, 0)).await);
    now(answer(ledger, &order("o2", "m1", 3_000, 86_400)).await);
    now(answer(ledger, &order("o3", "m2", 3_000, 0)).await);
    let post = async |day: Date| {
        let at = program().calendar().midnight(day).unwrap();
        for member_id in all_due_by(ledger, day).await {
            now(answer(ledger, &post_due(member_id, day, at)).await);
        }
    };

    post(SECOND).await;
    let after_one = all_due_by(ledger, SECOND).await;
    let on_the_next_day = all_due_by(ledger, SECOND.checked_add(1.day()).unwrap()).await;
    post(SECOND.checked_add(1.day()).unwrap()).await;
    let in_the_end = all_due_by(ledger, date(2099, 1, 1)).await;

    assert_eq!(after_one, members(&[]));
    assert_eq!(on_the_next_day, members(&["m1"]));
    assert_eq!(in_the_end, members(&[]));
}

pub(crate) async fn whoever_begins_anywhere_finds_what_comes_after<L: Ledger + DueWork>(
    ledger: &L,
) {
    for number in 0..20 {
        let (id, member_id) = (format!("o{number}"), format!("m{number}"));
        now(answer(ledger, &order(&id, &member_id, 5_000, 0)).await);
    }
    // Of somebody who is not due, is not there, or is of another shard.
    let place = DuePlace { due_after: FIRST, member_id: member("m15-and-a-half") };

    let day = date(2027, 3, 1);
    for (shard, all) in (0..ledger.shards()).zip(due_by(ledger, day, 100).await) {
        let page = ledger.due_members(shard, day, Some(&place), 100).await.unwrap();

        let later: Vec<MemberId> = all.into_iter().filter(|it| *it > place.member_id).collect();
        assert_eq!((page.members, page.next), (later, None));
    }
}
