//! What is about one member.

use loyalty_domain::{decide::Rejection, tier::OverrideKind};
use loyalty_ledger::Answer;
use serde_json::{Value, json};

use crate::common::{Shop, m, now};

fn put(shop: &Shop, body: &Value) {
    shop.queue.put(&body.to_string());
    shop.run(now());
}

/// Staff set a level of the first member.
fn set(level: &str, kind: &str, through: Option<&str>, key: &str) -> Value {
    json!({
        "type": "level.override", "member_id": "m0", "level": level, "kind": kind,
        "through": through, "reason": "goodwill", "actor": "staff-7", "key": key,
        "at": "2026-05-31T12:00:00Z",
    })
}

#[test]
fn growth_and_tasks_reach_levels_under_the_version_of_their_own_instant() {
    let shop = Shop::of(1);
    let growth = json!({
        "type": "growth.add", "member_id": "m0", "activity_id": "a1", "growth": 100,
        "at": "2026-05-31T12:00:00Z",
    });
    let task = json!({
        "type": "task.complete", "member_id": "m0", "task": "profile",
        "at": "2026-06-01T04:00:00Z",
    });

    put(&shop, &growth);
    let after_growth = shop.level(&m(0));
    put(&shop, &task);
    let after_task = shop.level(&m(0));
    put(&shop, &growth);
    put(&shop, &task);

    assert_eq!((after_growth.as_str(), after_task.as_str()), ("silver", "gold"));
    assert_eq!((shop.counted("Accepted"), shop.counted("Repeated")), (2, 2));
    let entries = shop.store.memory.entries();
    let versions: Vec<u32> = entries.iter().map(|it| it.program_version).collect();
    assert_eq!(versions, [1, 1, 2]);
}

#[test]
fn staff_set_a_level_and_lift_it_once_under_each_key() {
    let shop = Shop::of(1);
    let of = |shop: &Shop| {
        let account = shop.store.memory.account(&m(0)).unwrap();
        account.tier.set().map(|it| (it.level.as_str().to_owned(), it.kind))
    };
    let lift = json!({
        "type": "level.lift", "member_id": "m0", "reason": "cleared", "actor": "staff-7",
        "key": "k3", "at": "2026-06-01T04:00:00Z",
    });

    put(&shop, &set("gold", "courtesy", Some("2026-12-31"), "k1"));
    let courtesy = of(&shop);
    put(&shop, &set("bronze", "violation", None, "k2"));
    let violation = of(&shop);
    // Delivered twice, and late: the newer one stands.
    put(&shop, &set("gold", "courtesy", Some("2026-12-31"), "k1"));
    assert_eq!(of(&shop), violation);
    put(&shop, &lift);

    assert_eq!(courtesy, Some(("gold".to_owned(), OverrideKind::Courtesy)));
    assert_eq!(violation, Some(("bronze".to_owned(), OverrideKind::Violation)));
    assert_eq!(of(&shop), None);
    assert_eq!((shop.counted("Accepted"), shop.counted("Repeated")), (3, 1));
}

#[test]
fn a_refusal_is_an_answer_that_is_kept() {
    let shop = Shop::of(1);
    let unknown = set("platinum", "courtesy", None, "k1");

    put(&shop, &unknown);
    put(&shop, &unknown);

    assert_eq!((shop.counted("Refused"), shop.counted("Repeated")), (1, 1));
    let entries = shop.store.memory.entries();
    let refused = entries.last().unwrap();
    let level = "platinum".try_into().unwrap();
    assert_eq!(refused.answer, Answer::Refused(Rejection::LevelNotInProgram { level }));
    assert_eq!(refused.sequence, None);
}

#[test]
fn a_key_that_is_used_again_for_something_else_is_kept_with_its_reason() {
    let shop = Shop::of(1);

    put(&shop, &set("gold", "courtesy", None, "k1"));
    put(&shop, &set("gold", "violation", None, "k1"));

    let letters = shop.door.dead_letters.0.lock().unwrap();
    let reasons: Vec<_> = letters.iter().map(|(_, it)| (it.name, it.detail.as_str())).collect();
    let detail = "the actor's key had other content before, which stands";
    assert_eq!(reasons, [("id_reused", detail)]);
    assert_eq!((shop.counted("Accepted"), shop.counted("Hopeless")), (1, 1));
}
