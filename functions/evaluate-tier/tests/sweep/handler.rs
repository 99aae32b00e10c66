//! What a sweep does: once, twice at once, overtaken, with members that fail, and with messages that are none.

use std::time::Duration;

use jiff::ToSpan;
use loyalty_contracts::review::{MeasureMembers, PlanMeasuring, Review};
use loyalty_domain::id::CommandId;
use loyalty_runtime::{clock::Deadline, metric::Metrics, program::CachedPrograms};

use crate::common::{self, PLAN, Published, Shop, Store, m, now, version, versions};

/// The pages that were put on the queue, by how many they name.
fn pages(shop: &Shop) -> Vec<usize> {
    let sent = shop.queue.sent.lock().unwrap();
    let pages = sent.iter().filter_map(|it| match it {
        Review::Measure(page) => Some(page.member_ids.len()),
        Review::Plan(_)
        | Review::Grow(_)
        | Review::Complete(_)
        | Review::Override(_)
        | Review::Lift(_)
        | Review::Extend(_)
        | Review::Reinstate(_) => None,
    });
    pages.collect()
}

#[test]
fn a_new_version_measures_everybody_and_says_so_where_something_changed() {
    let shop = Shop::of(300);

    shop.queue.put(PLAN);
    shop.run(now());

    assert_eq!((shop.counted("Planned"), shop.measured()), (300, [75, 75, 150, 0]));
    assert_eq!(pages(&shop), [100, 100, 100]);
    let levels = [0, 1, 2, 3].map(|it| shop.level(&m(it)));
    assert_eq!(levels, ["bronze", "silver", "silver", "silver"]);
    // One for each who was raised or lowered, and that everybody was found.
    let (_, entries) = shop.outcome();
    assert_eq!(entries.len(), 151);
    assert!(entries.contains_key(&CommandId::Version(2)));
    assert!(!entries.contains_key(&CommandId::Measured(m(0), 2)), "nothing is kept of nothing");
}

#[test]
fn a_sweep_that_is_done_is_asked_for_every_night_and_costs_a_look() {
    let shop = Shop::of(12);
    shop.queue.put(PLAN);
    shop.run(now());
    let (once, sent) = (shop.outcome(), shop.queue.sent.lock().unwrap().len());

    for days in 1..4 {
        shop.queue.put(PLAN);
        shop.run(now() + (24 * days).hours());
    }

    assert_eq!(shop.outcome(), once);
    assert_eq!((shop.counted("Planned"), shop.queue.sent.lock().unwrap().len()), (12, sent));
}

#[test]
fn the_first_version_measures_nobody() {
    let shop = Shop::of(4);

    shop.queue.put(PLAN);
    shop.queue.put(r#"{"type":"measure.members","version":1,"member_ids":["m1"]}"#);
    // Before its first day, the second one is not there.
    shop.run_killed(now() - 24.hours(), usize::MAX);

    assert_eq!(shop.outcome().1.len(), 0);
    assert!(shop.queue.sent.lock().unwrap().is_empty());
    assert_eq!(shop.counted("Hopeless") + shop.counted("Failed"), 0);
}

#[test]
fn a_page_that_comes_twice_measures_once() {
    let shop = Shop::of(4);
    let page = MeasureMembers { version: 2, member_ids: vec![m(0), m(1), m(3), m(1)] };
    for _ in 0..2 {
        shop.queue.put(&Review::Measure(page.clone()).body().unwrap());
    }

    shop.run(now());

    // Of the one for whom nothing changed nothing is kept, so it is looked at again.
    assert_eq!(shop.measured(), [1, 1, 2, 4]);
    assert_eq!(shop.outcome().1.len(), 2);
}

#[tokio::test]
async fn two_sweeps_at_once_and_all_their_pages_beside_each_other_measure_everybody_once() {
    let shop = Shop::of(120);
    let expected = Shop::of(120);
    expected.queue.put(PLAN);
    expected.run(now());

    shop.queue.put(PLAN);
    shop.queue.put(PLAN);
    loop {
        let messages: Vec<_> = std::iter::from_fn(|| shop.queue.take()).collect();
        if messages.is_empty() {
            break;
        }
        let deliveries = messages.iter().map(|it| shop.deliver(it, now()));
        let handled = futures_util::future::join_all(deliveries).await;
        for (message, _) in messages.into_iter().zip(handled).filter(|(_, it)| !it) {
            shop.queue.give_back(message);
        }
    }

    assert_eq!(shop.outcome(), expected.outcome());
    assert_eq!((shop.counted("Planned"), shop.measured()), (240, [30, 30, 120, 60]));
}

#[test]
fn a_version_that_is_overtaken_in_the_midst_measures_nobody_more() {
    let mut versions = versions();
    versions.push(version(3, "2026-06-02", "240", "440"));
    let shop = Shop::over(Shop::of(40).store, versions);
    shop.queue.put(PLAN);
    // The walk is done, and no page of it is.
    let plan = shop.queue.take().unwrap();
    assert!(common::finished(shop.deliver(&plan, now())));
    assert_eq!(pages(&shop), [40]);

    let tomorrow = now() + 24.hours();
    let rest = PlanMeasuring {
        version: Some(2),
        after: Some("m2".to_owned()),
        ..PlanMeasuring::default()
    };
    shop.queue.put(&Review::Plan(rest).body().unwrap());
    shop.run_killed(tomorrow, usize::MAX);
    let by_two = shop.measured();
    shop.queue.put(PLAN);
    shop.run(tomorrow);

    assert_eq!(by_two, [0; 4]);
    let levels = [0, 1, 2, 3].map(|it| shop.level(&m(it)));
    assert_eq!(levels, ["bronze", "bronze", "silver", "gold"]);
    assert!(shop.outcome().1.contains_key(&CommandId::Version(3)));
    assert_eq!(shop.counted("Failed") + shop.counted("Hopeless"), 0);
}

#[test]
fn a_walk_that_is_cut_goes_on_where_it_was() {
    let shop = Shop::of(100);
    shop.store.walks_down.lock().unwrap().extend([2, 3]);

    shop.queue.put(PLAN);
    shop.run(now());

    let sent = shop.queue.sent.lock().unwrap();
    let follow_ups: Vec<_> = sent.iter().filter(|it| matches!(it, Review::Plan(_))).collect();
    let Some(Review::Plan(PlanMeasuring { version: Some(2), after: Some(_), again: false })) =
        follow_ups.first()
    else {
        panic!("{follow_ups:?}")
    };
    assert_eq!(follow_ups.len(), 1);
    // Its first reading failed, so it came again.
    assert_eq!((shop.counted("Failed"), shop.counted("Planned")), (1, 100));
    assert_eq!(shop.measured(), [25, 25, 50, 0]);
}

#[test]
fn what_cannot_be_read_at_all_comes_again_and_is_never_said_to_be_done() {
    let shop = Shop::of(4);
    shop.store.walks_down.lock().unwrap().extend(0..5);

    shop.queue.put(PLAN);
    shop.run(now());

    assert_eq!(*shop.queue.given_up.lock().unwrap(), [PLAN]);
    assert_eq!(shop.outcome().1.len(), 0);
    // The next night begins it again.
    shop.queue.put(PLAN);
    shop.run(now() + 24.hours());
    assert_eq!(shop.measured(), [1, 1, 2, 0]);
}

#[test]
fn a_member_that_fails_or_makes_us_panic_stops_nobody_and_is_alone_in_the_dead_letters() {
    let store = Store { bug: Some(m(5)), ..Shop::of(20).store };
    let shop = Shop::over(store, versions());
    shop.store.members_down.lock().unwrap().insert(m(3), u32::MAX);

    shop.queue.put(PLAN);
    shop.run(now());

    assert_eq!(shop.measured(), [4, 4, 10, 0]);
    let alone = Review::Measure(MeasureMembers { version: 2, member_ids: vec![m(3), m(5)] });
    assert_eq!(*shop.queue.given_up.lock().unwrap(), [alone.body().unwrap()]);
    assert_eq!(shop.counted("Failed"), 5);
}

#[test]
fn a_message_that_is_no_review_is_kept_with_its_reason() {
    let shop = Shop::of(1);
    let to_come = r#"{"type":"measure.members","version":2,"member_ids":["m0"]}"#;
    let plan = r#"{"type":"measure.plan","version":2}"#;
    let ahead =
        r#"{"type":"task.complete","member_id":"m0","task":"t","at":"2026-06-01T04:15:00Z"}"#;
    for body in ["{", r#"{"type":"due.plan"}"#, to_come, plan, ahead] {
        shop.queue.put(body);
    }

    shop.run_killed(now() - 24.hours(), usize::MAX);

    let letters = shop.door.dead_letters.0.lock().unwrap();
    let reasons: Vec<_> = letters.iter().map(|(_, it)| it.name).collect();
    assert_eq!(reasons, ["not_json", "not_review", "not_begun", "not_begun", "too_far_ahead"]);
    let (_, reason) = &letters[3];
    assert_eq!(reason.detail, "version 2 of the program is not in force yet");
    // Nobody moves an account's clock by asking for a version to come.
    assert_eq!(shop.outcome().1.len(), 0);
}

#[test]
fn before_a_program_is_published_a_review_waits_in_the_queue() {
    let mut shop = Shop::of(1);
    shop.door.programs = CachedPrograms::new(Published(Vec::new()), Duration::from_mins(1));
    let task =
        r#"{"type":"task.complete","member_id":"m0","task":"t","at":"2026-05-01T00:00:00Z"}"#;

    for body in [PLAN, task] {
        shop.queue.put(body);
        let message = shop.queue.take().unwrap();
        assert!(!common::finished(shop.deliver(&message, now())), "{body}");
    }
}

#[test]
fn when_time_is_up_nothing_is_begun() {
    let shop = Shop::of(3);
    let mut metrics = Metrics::of("evaluate-tier");
    let event = common::event(&[("m1", PLAN)]);

    let deadline = Deadline::after(Duration::ZERO);
    let response = shop.door.handle(event, deadline, now(), &mut metrics);
    let response = common::finished(response).unwrap();

    assert_eq!(response.batch_item_failures.len(), 1);
    assert_eq!(metrics.counted("NotBegun"), 1);
}
