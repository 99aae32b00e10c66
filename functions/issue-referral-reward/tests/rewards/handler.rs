//! What each message does, and which come back.

use std::{sync::atomic::Ordering, time::Duration};

use loyalty_domain::command::NewStatus;
use loyalty_issue_referral_reward::handler::FUNCTION;
use loyalty_runtime::{clock::Deadline, metric::Metrics};
use loyalty_tests_ledger::{
    friends::{cancel, code_of, enroll, night, order, order_naming, program, status},
    member,
};
use serde_json::json;

use crate::common::{Shop, envelope, event, finished, now, review};

#[test]
fn what_is_told_of_a_friends_kept_order_rewards_both_and_shows_the_friend_to_the_referrer() {
    let shop = Shop::of(&json!({}), &["bert"]);

    shop.run();

    assert_eq!([shop.picture("anna"), shop.picture("bert")], ["100", "50 rewarded"]);
    let rows = shop.rows.0.lock().unwrap();
    let friends: Vec<_> = rows.keys().cloned().collect();
    assert_eq!(friends, [(member("anna"), member("bert"))]);
    assert_eq!((shop.counted("Noted"), shop.counted("Rewarded")), (1, 1));
}

#[test]
fn messages_that_come_twice_and_in_any_order_do_it_once() {
    let shop = Shop::of(&json!({}), &["bert"]);
    let mut twice = shop.queue.lock().unwrap().clone();
    twice.make_contiguous().reverse();
    shop.queue.lock().unwrap().extend(twice);

    shop.run();

    assert_eq!([shop.picture("anna"), shop.picture("bert")], ["100", "50 rewarded"]);
    assert_eq!((shop.counted("Rewarded"), shop.counted("Repeated")), (1, 1));
    assert_eq!(shop.rows.0.lock().unwrap().len(), 1);
}

#[test]
fn a_refusal_is_an_answer_and_is_counted_by_its_reason() {
    let shop = Shop::of(&json!({}), &["bert", "cleo"]);
    shop.share(["anna", "cleo"]);

    shop.run();

    assert_eq!(shop.picture("cleo"), "0 refused same_person device");
    let counted = ["Rewarded", "Refused", "RefusedSamePerson", "Failed"].map(|it| shop.counted(it));
    assert_eq!(counted, [1, 1, 1, 0]);
}

#[test]
fn what_is_not_to_be_answered_yet_is_done_with_and_told_again_in_its_time() {
    let shop = Shop::of(&json!({}), &[]);
    shop.post(&enroll("bert", 1, Some("anna")));
    shop.post(&order("o1", "bert", 3_000, 1));
    shop.post(&status("bert", 2, NewStatus::Frozen));
    shop.post(&night("bert", 17));

    shop.run();
    assert_eq!((shop.counted("Idle"), shop.picture("bert").as_str()), (1, "0 qualified"));

    shop.post(&status("bert", 18, NewStatus::Active));
    shop.run();
    assert_eq!([shop.picture("anna"), shop.picture("bert")], ["100", "50 rewarded"]);
}

#[test]
fn who_returned_the_order_before_its_message_came_is_not_rewarded() {
    let shop = Shop::of(&json!({}), &["bert"]);
    shop.post(&cancel("bert", 18));

    shop.run();

    assert_eq!([shop.picture("anna"), shop.picture("bert")], ["0", "0 named"]);
    assert_eq!(shop.counted("Idle"), 1);
}

#[test]
fn a_friend_is_rewarded_by_the_version_in_force_when_it_became_due() {
    let later = json!({
        "version": 2, "effective": "2026-01-16",
        "referral": {"friend_points": 7, "referrer_points": 8}
    });
    // The window of the order ends on the 16th at noon, or a day before.
    for (ordered, expected) in [(0, ["100", "50 rewarded"]), (1, ["8", "7 rewarded"])] {
        let shop = Shop::new(&json!({}), vec![program(&later)]);
        shop.store.memory.give_code(code_of("anna"), member("anna"));
        shop.post(&enroll("anna", 0, None));
        shop.post(&order_naming("o1", "bert", 3_000, ordered, "anna"));
        shop.post(&enroll("bert", 1, None));
        shop.post(&night("bert", 17));

        shop.run();

        assert_eq!([shop.picture("anna"), shop.picture("bert")], expected);
    }
}

#[test]
fn staff_decide_once_about_whoever_waits_for_them() {
    let many = json!({"referral": {"velocity": {"period": "month", "friends": 1}}});
    let shop = Shop::of(&many, &["bert", "cleo", "dora"]);
    shop.run();
    assert_eq!((shop.counted("Rewarded"), shop.counted("Held")), (1, 2));

    for body in [
        review("cleo", "approve", "k1"),
        review("cleo", "approve", "k1"),
        review("cleo", "deny", "k2"),
        review("dora", "deny", "k3"),
    ] {
        shop.put(&body);
    }
    shop.run();

    assert_eq!(shop.picture("anna"), "200");
    assert_eq!(shop.picture("cleo"), "50 rewarded");
    assert_eq!(shop.picture("dora"), "0 refused denied_by_staff");
    let counted = ["Rewarded", "Repeated", "Rejected", "RefusedDeniedByStaff"];
    assert_eq!(counted.map(|it| shop.counted(it)), [2, 1, 1, 1]);
}

#[test]
fn a_key_that_is_used_again_for_something_else_is_kept_with_its_reason() {
    let many = json!({"referral": {"velocity": {"period": "month", "friends": 1}}});
    let shop = Shop::of(&many, &["bert", "cleo"]);
    shop.run();

    shop.put(&review("cleo", "deny", "k1"));
    shop.put(&review("cleo", "approve", "k1"));
    shop.run();

    let letters = shop.door.dead_letters.0.lock().unwrap();
    assert_eq!(letters.iter().map(|(_, it)| it.name).collect::<Vec<_>>(), ["id_reused"]);
    assert_eq!(shop.picture("cleo"), "0 refused denied_by_staff");
}

#[test]
fn what_can_never_be_answered_is_kept_whole_with_its_reason() {
    let shop = Shop::of(&json!({}), &[]);
    let detail = json!({"version": 1, "member_id": "bert", "at": "2026-01-20T00:00:00Z"});
    let ahead = json!({"version": 1, "member_id": "bert", "at": "2027-01-20T00:00:00Z"});
    let hopeless = [
        ("no JSON".to_owned(), "not_json"),
        (json!({"type": "referral.praise"}).to_string(), "not_referral"),
        (envelope("referral.pending", &detail).to_string(), "not_referral"),
        (envelope("referral.qualified", &ahead).to_string(), "too_far_ahead"),
    ];
    for (body, _) in &hopeless {
        shop.put(body);
    }

    shop.run();

    let letters = shop.door.dead_letters.0.lock().unwrap();
    let kept: Vec<_> = letters.iter().map(|(body, it)| (body.clone(), it.name)).collect();
    assert_eq!(kept, hopeless);
    assert_eq!((shop.counted("Hopeless"), shop.counted("Failed")), (4, 0));
}

#[test]
fn only_what_failed_comes_back() {
    let shop = Shop::of(&json!({}), &["bert"]);
    let bodies: Vec<String> = shop.queue.lock().unwrap().iter().map(|it| it.body.clone()).collect();
    let [pending, qualified] = bodies.as_slice() else { panic!("{bodies:?}") };
    shop.store.reads_down.store(1, Ordering::Relaxed);

    let mut metrics = Metrics::of(FUNCTION);
    let batch = event(&[("a", "{}"), ("b", qualified), ("c", pending), ("d", qualified)]);
    let deadline = Deadline::after(Duration::from_mins(1));
    let response = finished(shop.door.handle(batch, deadline, now(), &mut metrics)).unwrap();

    let failed: Vec<_> =
        response.batch_item_failures.iter().map(|it| it.item_identifier.as_str()).collect();
    assert_eq!(failed, ["b"]);
    let counted = ["Hopeless", "Failed", "Noted", "Rewarded"].map(|it| metrics.counted(it));
    assert_eq!(counted, [1, 1, 1, 1]);
}
