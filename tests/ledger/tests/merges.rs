//! Two members become one, and two again: what becomes of points that are refunded, used, extended or on their way
//! meanwhile.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use loyalty_domain::{
    account::Account,
    command::{NewStatus, Request},
    decide::Rejection,
    id::{ClientId, CommandId, RedemptionId, RedemptionStep, RequestKey},
    points::Points,
    program::Program,
    reward::RewardKind,
};
use loyalty_ledger::{
    Answer, Answered, Attempts, due::DueWork as _, execute, memory::MemoryLedger,
};
use loyalty_tests_ledger::{
    friends::{cancel, day, enroll, night, order, program, refund, spend, status},
    history::{assert_conserved, undo},
    member,
    rewards::{offer, redeem, reward, step},
};
use pollster::block_on;
use serde_json::{Value, json};

/// A shop of which Ann and Ben are members, who are one person.
struct Shop {
    ledger: MemoryLedger,
    program: Program,
    merge: Request,
}

impl Shop {
    /// One point a pound, and points of a year end with it, but for `earning`. Both join on the first day; they become
    /// one on the day called `merged`, once [`Shop::merges`] is called.
    fn new(earning: &Value, merged: i64) -> Self {
        let mut base =
            json!({"points_per_unit": "1", "expiry_months": 0, "expiry_rounding": "year_end"});
        for (name, value) in earning.as_object().unwrap() {
            base[name] = value.clone();
        }
        let program =
            program(&json!({"earning": base, "referral": null, "reminders": {"tier_days": [30]}}));
        let reason = "one_person".try_into().unwrap();
        let merge =
            Request::merge(kim(), key("merge"), member("ann"), day(merged), member("ben"), reason);
        let shop = Self { ledger: MemoryLedger::default(), program, merge };
        for id in ["ann", "ben"] {
            shop.does(&enroll(id, 0, None));
        }
        shop
    }

    fn answer(&self, request: &Request) -> Answer {
        let mut once = Attempts(1);
        match block_on(execute(&self.ledger, &self.program, &mut once, request)).unwrap() {
            Answered::Now(entry) => entry.answer.clone(),
            Answered::Declined(rejection) => Answer::Refused(rejection),
            other @ (Answered::Before(_)
            | Answered::Idle
            | Answered::Reused(_)
            | Answered::Taken(_)) => panic!("{request:#?} should be answered now: {other:#?}"),
        }
    }

    #[track_caller]
    fn does(&self, request: &Request) {
        let answer = self.answer(request);
        assert!(matches!(answer, Answer::Accepted(_)), "{request:#?}: {answer:#?}");
        for (_, account) in self.ledger.accounts() {
            assert_conserved(&account);
        }
    }

    #[track_caller]
    fn refuses(&self, request: &Request) -> Rejection {
        let answer = self.answer(request);
        let Answer::Refused(rejection) = answer else { panic!("{request:#?}: {answer:#?}") };
        rejection
    }

    #[track_caller]
    fn merges(&self) {
        self.does(&self.merge);
    }

    #[track_caller]
    fn undoes(&self, days: i64) {
        self.does(&undo(kim(), key("undo"), &self.merge, day(days)));
    }

    fn account(&self, id: &str) -> Account {
        self.ledger.account(&member(id)).unwrap_or_default()
    }

    /// What Ann has that can be used, and what Ben has.
    fn available(&self) -> (u64, u64) {
        let of = |id: &str| self.account(id).available().unwrap().get();
        (of("ann"), of("ben"))
    }

    /// Lots of a member that hold something, by last good day.
    fn lots(&self, id: &str) -> String {
        let account = self.account(id);
        let lots = account.lots.iter().filter(|it| !it.points.is_zero());
        lots.map(|it| format!("{} {}", it.last_good_day, it.points)).collect::<Vec<_>>().join(", ")
    }
}

fn kim() -> ClientId {
    ClientId::try_from("kim").unwrap()
}

fn key(text: &str) -> RequestKey {
    RequestKey::try_from(text).unwrap()
}

fn redemption_of(request: &Request) -> RedemptionId {
    let CommandId::Redemption(_, redemption) = &request.id else { panic!("{request:?}") };
    *redemption
}

/// Staff let all points of a member last through a day.
fn extend(id: &str, days: i64, through: &str) -> Request {
    let reason = "goodwill".try_into().unwrap();
    Request::extend(kim(), key("extend"), member(id), day(days), through.parse().unwrap(), reason)
}

#[test]
fn no_refund_is_refused_since_two_were_one_for_a_while() {
    let shop = Shop::new(&json!({"pending_days": 0}), 2);
    shop.does(&order("a", "ann", 10_000, 1));
    shop.does(&order("b", "ben", 10_000, 1));
    shop.merges();
    shop.does(&refund("a", "r", 10_000, 3));
    assert_eq!(shop.available(), (0, 100));

    shop.undoes(4);
    shop.does(&refund("b", "r", 10_000, 5));

    // Whose points a refund took is not told apart while both are one: together they have what is left of both.
    assert_eq!(shop.available(), (100, 0));
    assert_eq!(shop.account("ben").debt, Points::try_from(100).unwrap());
}

#[test]
fn no_refund_is_refused_where_only_what_counts_for_levels_came_and_went() {
    let shop = Shop::new(&json!({"pending_days": 0}), 2);
    shop.does(&order("a", "ann", 10_000, 1));
    shop.does(&spend("s", "ann", 100, 1));
    shop.does(&order("b", "ben", 10_000, 1));
    shop.merges();
    shop.does(&refund("a", "r", 10_000, 3));
    shop.undoes(4);

    shop.does(&refund("b", "r", 10_000, 5));
}

#[test]
fn undoing_takes_nothing_of_the_other_for_pending_points_that_a_refund_took_back() {
    let shop = Shop::new(&json!({"pending_days": 14}), 21);
    shop.does(&order("b", "ben", 10_000, 1));
    shop.does(&order("a", "ann", 10_000, 20));
    shop.merges();
    shop.does(&refund("a", "r", 10_000, 22));

    shop.undoes(22);

    assert_eq!(shop.available(), (0, 100));
    assert_eq!(shop.account("ann").balance().unwrap().pending, Points::ZERO);
}

#[test]
fn points_on_their_way_go_back_and_so_do_those_that_have_matured_meanwhile() {
    for undone in [22, 40] {
        let shop = Shop::new(&json!({"pending_days": 14}), 21);
        shop.does(&order("b", "ben", 10_000, 1));
        shop.does(&order("a", "ann", 7_000, 20));
        shop.merges();
        shop.does(&spend("s", "ben", 10, 21));

        shop.undoes(undone);

        shop.does(&night("ann", 41));
        assert_eq!(shop.available(), (70, 90), "{undone}");
    }
}

#[test]
fn what_was_taken_under_a_name_is_given_back_under_it_when_it_is_one_no_more() {
    let shop = Shop::new(&json!({"pending_days": 0}), 2);
    block_on(offer(&shop.ledger, reward("mug", RewardKind::Goods, 40, 1), 5));
    shop.does(&order("b", "ben", 10_000, 1));
    shop.merges();
    let taken = Request { at: day(3), ..redeem("k", "ann", "mug", 0) };
    shop.does(&taken);
    shop.undoes(4);
    assert_eq!(shop.available(), (0, 60));

    let cancelled = step(redemption_of(&taken), "ann", RedemptionStep::Cancel, 0);
    shop.does(&Request { at: day(5), ..cancelled });

    // To whoever's points they were.
    assert_eq!(shop.available(), (0, 100));
}

#[test]
fn points_that_matured_in_a_lot_that_lasts_longer_are_not_lost_when_the_next_come() {
    let shop = Shop::new(&json!({"pending_days": 14}), 3);
    shop.does(&order("a", "ann", 10_000, 1));
    shop.does(&extend("ann", 2, "2027-03-31"));
    shop.merges();
    shop.does(&night("ben", 16));
    assert_eq!(shop.lots("ben"), "2027-03-31 100");
    shop.undoes(17);
    assert_eq!(shop.lots("ann"), "2027-03-31 100");

    shop.does(&order("a2", "ann", 5_000, 18));
    shop.does(&night("ann", 33));

    assert_eq!(shop.lots("ann"), "2027-03-31 150");
}

#[test]
fn points_on_their_way_that_were_made_to_last_longer_do_so_after_a_merge() {
    let shop = Shop::new(&json!({"pending_days": 14, "expiry_rounding": "month_end"}), 3);
    shop.does(&order("a", "ann", 10_000, 1));
    shop.does(&extend("ann", 2, "2026-06-30"));
    shop.does(&order("b", "ben", 1_000, 2));
    shop.merges();

    shop.does(&night("ben", 40));

    // Both are of January, and lie in one lot.
    assert_eq!(shop.lots("ben"), "2026-06-30 110");
}

#[test]
fn what_was_used_of_a_lot_that_lasts_longer_comes_back_after_a_merge() {
    let shop = Shop::new(&json!({"pending_days": 0, "expiry_rounding": "month_end"}), 4);
    block_on(offer(&shop.ledger, reward("mug", RewardKind::Goods, 100, 1), 5));
    shop.does(&order("a", "ann", 10_000, 1));
    shop.does(&extend("ann", 2, "2026-06-30"));
    let taken = Request { at: day(3), ..redeem("k", "ann", "mug", 0) };
    shop.does(&taken);
    shop.merges();

    let cancelled = step(redemption_of(&taken), "ann", RedemptionStep::Cancel, 0);
    shop.does(&Request { at: day(60), ..cancelled });

    assert_eq!(shop.lots("ben"), "2026-06-30 100");
}

#[test]
fn a_refund_finds_the_points_of_an_order_whose_lot_lasts_longer_than_the_other_s_did() {
    let shop = Shop::new(&json!({"pending_days": 0, "expiry_rounding": "month_end"}), 4);
    shop.does(&order("a", "ann", 10_000, 1));
    shop.does(&extend("ann", 2, "2026-06-30"));
    shop.does(&order("b", "ben", 1_000, 3));
    shop.merges();

    shop.does(&refund("a", "r", 10_000, 60));

    assert_eq!(shop.lots("ben"), "2026-06-30 10");
    assert_eq!(shop.account("ben").totals.clawed_back, Points::try_from(100).unwrap());
}

#[test]
fn a_longer_life_ends_with_the_merge_that_gave_it_unless_something_would_be_gone() {
    for (undone, ben) in [(10, "2026-01-31 10"), (60, "2026-06-30 10")] {
        let shop = Shop::new(&json!({"pending_days": 0, "expiry_rounding": "month_end"}), 4);
        shop.does(&order("a", "ann", 10_000, 1));
        shop.does(&extend("ann", 2, "2026-06-30"));
        shop.does(&order("b", "ben", 1_000, 3));
        shop.merges();

        shop.undoes(undone);

        assert_eq!(shop.lots("ann"), "2026-06-30 100");
        assert_eq!(shop.lots("ben"), ben);
    }
}

#[test]
fn who_is_frozen_becomes_no_name_by_which_the_points_could_be_used() {
    let shop = Shop::new(&json!({"pending_days": 0}), 3);
    shop.does(&order("a", "ann", 10_000, 1));
    shop.does(&status("ann", 2, NewStatus::Frozen));

    assert_eq!(shop.refuses(&shop.merge), Rejection::AccountFrozen);
}

#[test]
fn nobody_tells_a_name_that_its_level_is_at_risk() {
    let shop = Shop::new(&json!({"pending_days": 0, "expiry_months": 60}), 2);
    shop.does(&order("a", "ann", 3_000_000, 1));
    shop.merges();
    assert!(shop.account("ann").tier.valid_through.is_some());

    // She was to be told of it before; a night looks, and finds nothing to say.
    let mut once = Attempts(1);
    let looks = night("ann", 380);
    let told = block_on(execute(&shop.ledger, &shop.program, &mut once, &looks)).unwrap();
    let told = format!("{told:?}");
    assert!(!told.contains("LevelAtRisk"), "{told}");
    let ann = member("ann");
    let due: Vec<_> = (0..shop.ledger.shards())
        .flat_map(|shard| {
            let until = "2029-01-01".parse().unwrap();
            block_on(shop.ledger.due_members(shard, until, None, 100)).unwrap().members
        })
        .collect();

    assert!(!due.contains(&ann), "{due:?}");
    assert!(due.contains(&member("ben")), "the level goes on there");
}

#[test]
fn a_cancelled_order_of_a_name_is_taken_back_from_the_account_that_goes_on() {
    let shop = Shop::new(&json!({"pending_days": 0}), 2);
    shop.does(&order("a", "ann", 10_000, 1));
    shop.does(&order("b", "ben", 3_000, 1));
    shop.merges();

    shop.does(&cancel("a", 3));

    assert_eq!(shop.available(), (0, 30));
}
