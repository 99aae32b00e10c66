//! What a night does: once, twice at once, late, with members that fail, and with messages that are none.

use std::time::Duration;

use jiff::ToSpan;
use loyalty_contracts::{
    review::{PlanMeasuring, Review},
    work::{PostDue, Work},
};
use loyalty_domain::{id::CommandId, points::Points};
use loyalty_ledger::{Answer, Attempts, due::DueWork as _, execute};
use loyalty_runtime::{clock::Deadline, metric::Metrics, program::CachedPrograms};

use crate::{
    DAY,
    common::{self, Night, Published, Store, m, now},
};

const PLAN: &str = r#"{"type":"due.plan"}"#;

#[test]
fn a_night_posts_what_fell_due_for_everybody_and_nothing_for_anybody_else() {
    let night = Night::of(150);

    night.queue.put(PLAN);
    night.run(now());

    let (accounts, entries) = night.outcome();
    assert_eq!((entries.len(), night.counted("Planned"), night.counted("Posted")), (150, 150, 150));
    for (member_id, account) in accounts {
        let is_later = member_id.as_str() == "later";
        let expired = if is_later { 0 } else { 50 };
        assert_eq!(account.totals.expired.get(), expired, "{member_id}");
        assert_eq!(entries.contains_key(&CommandId::Due(member_id, DAY)), !is_later);
    }
    // Two pages, of a hundred and of the rest.
    let sizes: Vec<usize> = night
        .queue
        .sent
        .lock()
        .unwrap()
        .iter()
        .map(|it| match it {
            Work::Post(post) => post.member_ids.len(),
            Work::Plan(_) => 0,
        })
        .collect();
    assert_eq!(sizes, [100, 50]);
}

#[test]
fn a_schedule_that_fires_twice_finds_nothing_the_second_time() {
    let night = Night::of(10);
    night.queue.put(PLAN);
    night.run(now());
    let once = night.outcome();

    night.queue.put(PLAN);
    night.run(now() + 1.minute());

    assert_eq!(night.outcome(), once);
    assert_eq!((night.counted("Planned"), night.counted("Repeated")), (10, 0));
}

#[test]
fn a_night_asks_once_for_all_members_to_be_measured_if_there_is_more_than_one_version() {
    let program = loyalty_tests_ledger::program();
    let mut newer = program.spec().clone();
    newer.version += 1;
    let newer = newer.try_into().unwrap();
    let mut night = Night::of(12);
    night.queue.put(PLAN);
    night.run(now());
    assert_eq!(*night.door.reviews.0.lock().unwrap(), []);

    let published = Published(vec![program, newer]);
    night.door.programs = CachedPrograms::new(published, Duration::from_hours(1));
    // A shard that fails is planned again by a message that names its day, as does who makes up for one.
    night.store.shards_down.lock().unwrap().insert(0, 1);
    night.queue.put(PLAN);
    night.queue.put(r#"{"type":"due.plan","day":"2027-02-06"}"#);
    night.run(now());

    let sweep = Review::Plan(PlanMeasuring::default());
    assert_eq!(*night.door.reviews.0.lock().unwrap(), [sweep]);
}

#[test]
fn a_page_that_comes_twice_is_posted_once() {
    let night = Night::of(2);
    let page = Work::Post(PostDue { day: DAY, member_ids: vec![m(0), m(1), m(0)] });
    for _ in 0..2 {
        night.queue.put(&page.body().unwrap());
    }

    night.run(now());

    assert_eq!((night.counted("Posted"), night.counted("Repeated")), (2, 4));
    assert_eq!(night.outcome().1.len(), 2);
}

#[tokio::test]
async fn two_planners_at_once_and_all_their_pages_beside_each_other_post_everything_once() {
    let night = Night::of(120);
    let expected = Night::of(120);
    expected.queue.put(PLAN);
    expected.run(now());

    night.queue.put(PLAN);
    night.queue.put(PLAN);
    loop {
        let messages: Vec<_> = std::iter::from_fn(|| night.queue.take()).collect();
        if messages.is_empty() {
            break;
        }
        let deliveries = messages.iter().map(|it| night.deliver(it, now()));
        let handled = futures_util::future::join_all(deliveries).await;
        for (message, _) in messages.into_iter().zip(handled).filter(|(_, it)| !it) {
            night.queue.give_back(message);
        }
    }

    assert_eq!(night.outcome(), expected.outcome());
    assert_eq!(night.counted("Planned"), 240);
    assert_eq!((night.counted("Posted"), night.counted("Repeated")), (120, 120));
}

#[test]
fn a_night_that_comes_three_days_late_gives_the_accounts_of_one_night_after_the_other() {
    let late = Night::of(40);
    let nightly = Night::of(40);

    late.queue.put(PLAN);
    late.run(now() + 72.hours());
    for days in 0..8 {
        nightly.queue.put(PLAN);
        nightly.run(now() - 96.hours() + (24 * days).hours());
    }

    let ((accounts, entries), (expected, _)) = (late.outcome(), nightly.outcome());
    assert_eq!(accounts, expected);
    assert_eq!(entries.len(), 40);
    assert!(nightly.counted("Posted") == 40 && nightly.counted("NothingDue") == 0);
}

#[test]
fn an_entry_of_the_index_is_gone_or_moved_once_it_was_posted() {
    let night = Night::of(12);

    night.queue.put(PLAN);
    night.run(now());

    let left: usize = (0..night.store.shards())
        .map(|shard| {
            let page = night.store.due_members(shard, DAY, None, 100);
            common::finished(page).unwrap().members.len()
        })
        .sum();
    assert_eq!(left, 0);
}

#[test]
fn a_member_that_fails_stops_nobody_and_is_alone_in_the_dead_letters() {
    let night = Night::of(10);
    night.store.members_down.lock().unwrap().insert(m(4), u32::MAX);

    night.queue.put(PLAN);
    night.run(now());

    let posted = night.posted();
    assert_eq!(posted.len(), 9);
    assert!(!posted.contains(&m(4)));
    let alone = Work::Post(PostDue { day: DAY, member_ids: vec![m(4)] });
    assert_eq!(*night.queue.given_up.lock().unwrap(), [alone.body().unwrap()]);
    // The first page was answered; the smaller one failed five times.
    assert_eq!(night.counted("Failed"), 5);

    // The next night finds it again.
    night.store.members_down.lock().unwrap().clear();
    night.queue.put(PLAN);
    night.run(now() + 24.hours());
    assert_eq!(night.posted().len(), 10);
}

#[test]
fn a_member_that_makes_us_panic_stops_nobody() {
    let store = Store { bug: Some(m(0)), ..Night::of(5).store };
    let night = Night::over(store);

    night.queue.put(PLAN);
    night.run(now());

    assert_eq!(night.posted().len(), 4);
    assert_eq!(night.queue.given_up.lock().unwrap().len(), 1);
}

#[test]
fn a_shard_that_cannot_be_read_stops_no_other_and_is_planned_again() {
    let night = Night::of(40);
    night.store.shards_down.lock().unwrap().extend([(0, 1), (1, u32::MAX)]);

    night.queue.put(PLAN);
    night.run(now());

    let unread: Vec<String> = night.queue.given_up.lock().unwrap().clone();
    assert_eq!(unread, [r#"{"type":"due.plan","day":"2027-02-06","shards":[{"shard":1}]}"#]);
    let posted = night.posted().len();
    assert!(posted > 20 && posted < 40, "{posted}");
}

#[test]
fn what_cannot_be_read_at_all_comes_again_as_it_was() {
    let night = Night::of(4);
    night.store.shards_down.lock().unwrap().extend((0..4).map(|it| (it, u32::MAX)));

    night.queue.put(PLAN);
    night.run(now());

    assert_eq!(*night.queue.given_up.lock().unwrap(), [PLAN]);
    assert_eq!(night.counted("Failed"), 5);
}

#[test]
fn a_message_that_is_no_work_is_kept_with_its_reason() {
    let night = Night::of(1);
    let tomorrow = r#"{"type":"due.plan","day":"2027-02-07"}"#;
    let page = r#"{"type":"due.post","day":"2027-02-07","member_ids":["m0"]}"#;
    for body in ["{", r#"{"type":"order.paid"}"#, tomorrow, page] {
        night.queue.put(body);
    }

    let message = || night.queue.take();
    while let Some(message) = message() {
        assert!(common::finished(night.deliver(&message, now())));
    }

    let letters = night.door.dead_letters.0.lock().unwrap();
    let reasons: Vec<_> = letters.iter().map(|(_, it)| it.name).collect();
    assert_eq!(reasons, ["not_json", "not_work", "not_begun", "not_begun"]);
    let (_, reason) = letters.last().unwrap();
    assert_eq!(reason.detail, "2027-02-07 has not begun in the program's time zone");
    // Nobody moves an account's clock by asking for a day to come.
    assert_eq!(night.outcome().1.len(), 0);
}

#[test]
fn before_a_program_is_published_a_night_waits_in_the_queue() {
    let mut night = Night::of(1);
    night.door.programs = CachedPrograms::new(Published(Vec::new()), Duration::from_mins(1));

    night.queue.put(PLAN);
    let message = night.queue.take().unwrap();

    assert!(!common::finished(night.deliver(&message, now())));
}

#[test]
fn when_time_is_up_nothing_is_begun() {
    let night = Night::of(3);
    let mut metrics = Metrics::of("expire-points");
    let event = common::event(&[("m1", PLAN)]);

    let deadline = Deadline::after(Duration::ZERO);
    let response = night.door.handle(event, deadline, now(), &mut metrics);
    let response = common::finished(response).unwrap();

    assert_eq!(response.batch_item_failures.len(), 1);
    assert_eq!(metrics.counted("NotBegun"), 1);
}

#[test]
fn points_that_were_spent_meanwhile_are_posted_as_nothing_and_looked_at_later() {
    let night = Night::of(1);
    let spend = loyalty_tests_ledger::spend("k1", "m0", 50, 60);
    let (ledger, program) = (&*night.store.memory, loyalty_tests_ledger::program());
    common::finished(execute(ledger, &program, &mut Attempts(1), &spend)).unwrap();

    night.queue.put(PLAN);
    night.run(now());

    assert_eq!((night.counted("Posted"), night.counted("NothingDue")), (0, 1));
    let (accounts, entries) = night.outcome();
    let entry = entries.get(&CommandId::Due(m(0), DAY)).unwrap();
    assert_eq!(entry.answer, Answer::Accepted(Vec::new()));
    assert!(accounts.iter().all(|(_, it)| it.totals.expired == Points::ZERO));
}
