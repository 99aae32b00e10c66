//! Which messages of a batch go back to the queue, and which to the dead letters.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::{Letters, Published, Store, back, door, event, now, order, soon, wait};
use loyalty_accrue_points::handler::{Door, FUNCTION};
use loyalty_domain::{id::MemberId, points::Points};
use loyalty_runtime::{clock::Deadline, metric::Metrics, program::CachedPrograms};

fn earned(door: &Door<Store, Published, Letters>) -> Points {
    let member_id = MemberId::try_from("member-of-the-secret-name").unwrap();
    door.ledger.0.account(&member_id).map_or(Points::ZERO, |it| it.totals.earned)
}

#[test]
fn only_what_failed_goes_back_and_its_neighbors_are_done() {
    let door = door();
    let (good, down, bug, other) =
        (order("1", 10_000), order("down", 1), order("bug", 1), order("2", 5_000));

    let back =
        back(&door, &[("m1", &good), ("m2", &down), ("m3", &bug), ("m4", "{"), ("m5", &other)]);

    assert_eq!(back, ["m2", "m3"]);
    let letters = door.dead_letters.0.lock().unwrap();
    assert_eq!(letters.len(), 1);
    let (id, body, reason) = letters.first().unwrap();
    assert_eq!((id.as_str(), body.as_str(), reason.name), ("m4", "{", "not_json"));
    assert_eq!(reason.detail, "the message is not JSON: line 1, column 1");
    assert_eq!(door.ledger.0.entries().len(), 2);
}

#[test]
fn an_order_announced_twice_earns_once() {
    let door = door();
    let order = order("1", 10_000);
    assert_eq!(back(&door, &[("m1", &order), ("m2", &order)]), [""; 0]);
    let once = earned(&door);

    assert_eq!(back(&door, &[("m3", &order)]), [""; 0]);

    assert!(once > Points::ZERO);
    assert_eq!(earned(&door), once);
    assert_eq!(door.dead_letters.0.lock().unwrap().len(), 0);
}

#[test]
fn an_id_used_again_for_other_content_is_reported_and_never_applied() {
    let door = door();
    assert_eq!(back(&door, &[("m1", &order("1", 10_000)), ("m2", &order("1", 20_000))]), [""; 0]);

    let letters = door.dead_letters.0.lock().unwrap();
    let reasons: Vec<_> = letters.iter().map(|(id, _, it)| (id.as_str(), it.name)).collect();
    assert_eq!(reasons, [("m2", "id_reused")]);
    assert_eq!(door.ledger.0.entries().len(), 1);
}

#[test]
fn a_balance_that_the_program_does_not_allow_is_kept_and_not_quoted() {
    let door = door();
    let opening = serde_json::json!({
        "type": "balance.opened", "member_id": "m", "opened_at": "2026-03-01T12:00:00Z",
        "lots": [{"points": 100, "usable_through": "2026-12-31"}],
        "tier": {"level": "a-secret-level", "valid_through": "2026-12-31"},
    })
    .to_string();

    assert_eq!(back(&door, &[("m1", &opening)]), [""; 0]);

    let letters = door.dead_letters.0.lock().unwrap();
    let (_, body, reason) = letters.first().unwrap();
    assert_eq!((body, reason.name), (&opening, "declined"));
    assert_eq!(reason.detail, "the program in force does not allow it: level_not_in_program");
    assert_eq!(door.ledger.0.entries().len(), 0);
}

#[test]
fn a_refusal_is_an_answer() {
    let door = door();
    let order = order("1", 10_000).replace("GBP", "JPY");

    assert_eq!(back(&door, &[("m1", &order)]), [""; 0]);

    assert_eq!(door.dead_letters.0.lock().unwrap().len(), 0);
    assert_eq!(door.ledger.0.entries().len(), 1);
}

#[test]
fn what_cannot_be_put_to_the_dead_letters_goes_back() {
    let mut door = door();
    door.dead_letters.1 = true;

    assert_eq!(back(&door, &[("m1", "{"), ("m2", &order("1", 100))]), ["m1"]);
    assert_eq!(door.ledger.0.entries().len(), 1);
}

#[test]
fn when_time_is_up_the_rest_goes_back_without_being_begun() {
    let door = door();
    let order = order("1", 100);
    let event = event(&[("m1", &order), ("m2", "{")]);

    let mut metrics = Metrics::of(FUNCTION);
    let deadline = Deadline::after(Duration::ZERO);
    let response = wait(door.handle(event, deadline, now(), &mut metrics)).unwrap();

    assert_eq!(response.batch_item_failures.len(), 2);
    assert_eq!(metrics.counted("NotBegun"), 2);
    assert_eq!(door.ledger.0.entries().len(), 0);
    assert_eq!(door.dead_letters.0.lock().unwrap().len(), 0);
}

#[test]
fn a_message_without_an_id_brings_the_whole_batch_back_before_anything_is_done() {
    let door = door();
    let order = order("1", 100);

    let event = event(&[("m1", &order), ("", &order)]);
    let result = wait(door.handle(event, soon(), now(), &mut Metrics::of(FUNCTION)));

    assert!(result.is_err());
    assert_eq!(door.ledger.0.entries().len(), 0);
}

#[test]
fn before_a_program_is_published_orders_wait_in_the_queue() {
    let mut door = door();
    door.programs = CachedPrograms::new(Published(Vec::new()), Duration::from_mins(1));

    assert_eq!(back(&door, &[("m1", &order("1", 100)), ("m2", "{")]), ["m1"]);
    assert_eq!(door.dead_letters.0.lock().unwrap().len(), 1);
}
