//! Members who bring friends: every rule of it by an example, and what always holds.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Mutex;

use loyalty_domain::{
    command::{Command, NewStatus, Request},
    program::Program,
    referral::SignalKind,
};
use loyalty_ledger::{
    Answer, Answered, Appended, Attempts, Change, Ledger, LedgerError, Loaded, Reading, execute,
    memory::MemoryLedger,
};
use loyalty_tests_ledger::{
    friends::{
        activate, cancel, code_of, enroll, night, order, order_naming, picture, post, program,
        refund, review, spend, status,
    },
    member,
};
use pollster::block_on;
use serde_json::{Value, json};

/// Anna, whom nobody brought, and those whom she, or one of them, brings.
const MEMBERS: [&str; 5] = ["anna", "bert", "cleo", "dora", "emil"];

/// What members have after `given` happened, each with what follows from it: the only code that knows how.
struct Shop {
    program: Program,
    ledger: MemoryLedger,
}

impl Shop {
    fn new(change: &Value) -> Self {
        let ledger = MemoryLedger::default();
        for id in MEMBERS {
            ledger.give_code(code_of(id), member(id));
        }
        Self { program: program(change), ledger }
    }

    fn do_all(&self, given: &[Request]) -> Vec<Answered> {
        given.iter().map(|it| block_on(post(&self.ledger, &self.program, it))).collect()
    }

    /// Notes that all of them have the same of something.
    fn share(self, kind: SignalKind, members: &[&str]) -> Self {
        for id in members {
            self.ledger.note_signal(member(id), kind, [7; 32].into());
        }
        self
    }

    #[track_caller]
    fn check(&self, given: &[Request], then: &[(&str, &str)]) {
        self.do_all(given);
        let seen: Vec<(&str, String)> =
            then.iter().map(|(id, _)| (*id, picture(&self.ledger, &member(id)))).collect();
        let seen: Vec<(&str, &str)> = seen.iter().map(|(id, it)| (*id, it.as_str())).collect();
        assert_eq!(seen, then, "\ngiven {given:#?}");
    }
}

/// Checks under the program as it is.
#[track_caller]
fn check(given: &[Request], then: &[(&str, &str)]) {
    Shop::new(&json!({})).check(given, then);
}

/// Checks under a program whose referrals are changed.
#[track_caller]
fn check_with(referral: &Value, given: &[Request], then: &[(&str, &str)]) {
    Shop::new(&json!({"referral": referral})).check(given, then);
}

/// Anna and, brought by her, each of `friends`, who pays an order of 30.00 called as they are and keeps it.
fn brought(friends: &[&str]) -> Vec<Request> {
    let mut given = vec![enroll("anna", 0, None)];
    for (id, days) in friends.iter().zip(1..) {
        given.extend([enroll(id, days, Some("anna")), order(id, id, 3_000, days)]);
    }
    given.extend(friends.iter().zip(1..).map(|(id, days)| night(id, days + 15)));
    given
}

/// `first` and then `more`.
fn then(first: Vec<Request>, more: impl IntoIterator<Item = Request>) -> Vec<Request> {
    first.into_iter().chain(more).collect()
}

// Joining.

#[test]
fn whoever_joins_without_activation_is_welcomed_at_once() {
    let shop = Shop::new(&json!({"enrollment": {"points": 30}}));

    shop.check(&[enroll("anna", 0, None)], &[("anna", "30")]);
}

#[test]
fn whoever_must_show_that_they_can_be_reached_is_welcomed_then_and_once() {
    let shop = Shop::new(&json!({"enrollment": {"activation": "code", "points": 30}}));

    shop.check(&[enroll("anna", 0, None)], &[("anna", "0")]);
    let frozen_and_back = [
        activate("anna", 1),
        activate("anna", 1),
        status("anna", 2, NewStatus::Frozen),
        status("anna", 3, NewStatus::Active),
    ];
    shop.check(&frozen_and_back, &[("anna", "30")]);
}

#[test]
fn whoever_is_pending_frozen_or_closed_spends_nothing() {
    let shop = Shop::new(&json!({"enrollment": {"activation": "code", "points": 30}}));
    let spent = |key: &str, days| {
        matches!(
            shop.do_all(&[spend(key, "anna", 1, days)]).as_slice(),
            [Answered::Now(entry)] if matches!(entry.answer, Answer::Accepted(_))
        )
    };

    // 10,000.00 are 10 points.
    shop.do_all(&[enroll("anna", 0, None), order("o1", "anna", 1_000_000, 1)]);
    assert!(!spent("k1", 1));
    shop.do_all(&[activate("anna", 2)]);
    assert!(spent("k2", 2));
    shop.do_all(&[status("anna", 3, NewStatus::Frozen), order("o2", "anna", 1_000_000, 3)]);
    assert!(!spent("k3", 3));
    shop.check(&[], &[("anna", "49")]);
    shop.do_all(&[status("anna", 4, NewStatus::Closed), order("o3", "anna", 1_000_000, 4)]);
    assert!(!spent("k4", 4));
    // Refunds are taken back all the same.
    shop.check(&[cancel("o1", 5)], &[("anna", "39")]);
}

#[test]
fn whoever_joins_again_is_answered_as_before_and_who_left_does_not_come_back() {
    let shop = Shop::new(&json!({"enrollment": {"points": 30}}));
    let again = [enroll("anna", 0, None), enroll("anna", 9, Some("bert"))];

    let answered = shop.do_all(&again);

    assert!(matches!(answered.as_slice(), [Answered::Now(_), Answered::Before(_)]), "{answered:?}");
    let left = [
        status("anna", 10, NewStatus::Closed),
        status("anna", 11, NewStatus::Active),
        enroll("anna", 12, None),
    ];
    shop.do_all(&left);
    assert_eq!(
        shop.ledger.account(&member("anna")).unwrap().membership.status,
        loyalty_domain::membership::Status::Closed
    );
    shop.check(&[], &[("anna", "30")]);
}

// What is named.

#[test]
fn a_kept_order_of_a_friend_rewards_both_once() {
    check(&brought(&["bert"]), &[("anna", "100"), ("bert", "50 rewarded")]);

    let twice = brought(&["bert"]).into_iter().flat_map(|it| [it.clone(), it]).collect::<Vec<_>>();
    check(&twice, &[("anna", "100"), ("bert", "50 rewarded")]);
}

#[test]
fn until_the_return_window_is_over_nobody_has_anything() {
    let mut given = brought(&["bert"]);
    given.pop();
    given.push(night("bert", 15));

    check(&given, &[("anna", "0"), ("bert", "0 named")]);
    // A late order has been kept already.
    let late = [enroll("anna", 0, None), enroll("bert", 50, Some("anna"))];
    let late = then(late.to_vec(), [order("o1", "bert", 2_000, 20)]);
    check(&late, &[("anna", "100"), ("bert", "50 rewarded")]);
}

#[test]
fn a_code_named_in_the_first_order_counts_once_its_member_has_joined() {
    let shop = Shop::new(&json!({"enrollment": {"activation": "code"}}));
    let given = [
        enroll("anna", 0, None),
        activate("anna", 0),
        order_naming("o1", "bert", 2_000, 1, "anna"),
        night("bert", 16),
    ];

    shop.check(&given, &[("anna", "0"), ("bert", "0 qualified")]);
    // Naming the same code again is no mistake.
    shop.check(&[enroll("bert", 17, Some("anna"))], &[("anna", "0"), ("bert", "0 qualified")]);
    shop.check(&[activate("bert", 18)], &[("anna", "100"), ("bert", "50 rewarded")]);
}

#[test]
fn who_names_a_code_that_does_not_count_is_told_why_and_earns_like_any() {
    let anna = || enroll("anna", 0, None);
    let named = |given: &[Request], then: &str| check(given, &[("bert", then)]);

    named(&[anna(), enroll("bert", 1, Some("nobody"))], "0 not named code_unknown");
    named(&[enroll("bert", 1, Some("bert"))], "0 not named own_code");
    named(
        &[anna(), order("o1", "bert", 100, 1), enroll("bert", 2, Some("anna"))],
        "0 not named existing_customer",
    );
    named(
        &[anna(), order("o1", "bert", 100, 1), cancel("o1", 2), enroll("bert", 2, Some("anna"))],
        "0 not named existing_customer",
    );
    named(
        &[
            anna(),
            enroll("cleo", 0, None),
            enroll("bert", 1, Some("anna")),
            order_naming("o1", "bert", 2_000_000, 2, "cleo"),
        ],
        "20 named not named already_referred",
    );
    named(
        &[
            anna(),
            enroll("bert", 1, None),
            order("o1", "bert", 100, 1),
            order_naming("o2", "bert", 2_000, 2, "anna"),
        ],
        "0 not named existing_customer",
    );
}

#[test]
fn a_program_without_referrals_names_and_rewards_nobody() {
    let shop = Shop::new(&json!({"referral": null}));

    shop.check(&brought(&["bert"]), &[("anna", "0"), ("bert", "0")]);
}

// What qualifies.

#[test]
fn an_order_that_is_returned_in_its_window_does_not_count_and_the_next_one_does() {
    let anna_and_bert = vec![enroll("anna", 0, None), enroll("bert", 1, Some("anna"))];
    let returned = then(
        anna_and_bert,
        [order("o1", "bert", 3_000, 1), order("o2", "bert", 3_000, 5), cancel("o1", 6)],
    );

    let first_window = then(returned, [night("bert", 17)]);
    check(&first_window, &[("anna", "0"), ("bert", "0 named")]);
    let both_windows = then(first_window, [night("bert", 21)]);
    check(&both_windows, &[("anna", "100"), ("bert", "50 rewarded")]);
}

#[test]
fn what_is_kept_of_an_order_must_be_enough() {
    let kept = |refunded| {
        let first = vec![enroll("anna", 0, None), enroll("bert", 1, Some("anna"))];
        let order = order("o1", "bert", 3_000, 1);
        then(first, [order, refund("o1", "r1", refunded, 2), night("bert", 17)])
    };

    check(&kept(1_000), &[("anna", "100"), ("bert", "50 rewarded")]);
    check(&kept(1_001), &[("anna", "0"), ("bert", "0 named")]);
}

#[test]
fn a_refund_that_comes_before_its_order_counts_as_one_after_it() {
    let given = [
        enroll("anna", 0, None),
        enroll("bert", 1, Some("anna")),
        refund("o1", "r1", 1_001, 2),
        order("o1", "bert", 3_000, 1),
        night("bert", 17),
    ];

    check(&given, &[("anna", "0"), ("bert", "0 named")]);
}

#[test]
fn what_is_returned_after_it_qualified_and_before_it_was_settled_does_not_count() {
    let shop = Shop::new(&json!({"enrollment": {"activation": "code"}}));
    let given = [
        enroll("anna", 0, None),
        activate("anna", 0),
        enroll("bert", 1, Some("anna")),
        order("o1", "bert", 3_000, 1),
        night("bert", 16),
        refund("o1", "r1", 1_500, 17),
        activate("bert", 18),
    ];

    shop.check(&given, &[("anna", "0"), ("bert", "0 named")]);
    let next = [order("o2", "bert", 3_000, 18), night("bert", 33)];
    shop.check(&next, &[("anna", "100"), ("bert", "50 rewarded")]);
}

#[test]
fn a_task_qualifies_where_the_program_says_so_and_orders_do_not() {
    let task = loyalty_domain::id::TaskId::try_from("review").unwrap();
    let done = Request::task(member("bert"), task, loyalty_tests_ledger::friends::day(40));
    let change = json!({"task": "review", "min_amount": null});

    check_with(&change, &brought(&["bert"]), &[("anna", "0"), ("bert", "0 named")]);
    let done = then(brought(&["bert"]), [done, cancel("bert", 50)]);
    check_with(&change, &done, &[("anna", "100"), ("bert", "50 rewarded")]);
}

// What is taken back.

#[test]
fn a_refund_of_what_qualified_takes_both_rewards_back_and_what_was_spent_is_owed() {
    let spent =
        then(brought(&["bert"]), [spend("k1", "bert", 20, 20), spend("k2", "anna", 100, 20)]);

    let partly = then(spent, [refund("bert", "r1", 1_000, 21)]);
    check(&partly, &[("anna", "0"), ("bert", "30 rewarded")]);
    let too_little = then(partly, [refund("bert", "r2", 1, 22)]);
    check(&too_little, &[("anna", "0 owing 100"), ("bert", "0 owing 20 revoked")]);
    // No later order of theirs qualifies again.
    let later = then(too_little, [order("o2", "bert", 9_000, 23), night("bert", 40)]);
    check(&later, &[("anna", "0 owing 100"), ("bert", "0 owing 20 revoked")]);
}

#[test]
fn an_edit_that_leaves_too_little_takes_both_rewards_back() {
    let change_id = loyalty_domain::id::ChangeId::try_from("c1").unwrap();
    let content = loyalty_domain::order::Content::default();
    let at = loyalty_tests_ledger::friends::day(30);
    let edit = Request::change("bert".try_into().unwrap(), change_id, at, content);

    check(&then(brought(&["bert"]), [edit]), &[("anna", "0"), ("bert", "0 revoked")]);
}

#[test]
fn both_sides_lose_their_rewards_whatever_became_of_their_accounts() {
    let left = then(
        brought(&["bert"]),
        [
            status("anna", 20, NewStatus::Closed),
            status("bert", 20, NewStatus::Frozen),
            cancel("bert", 21),
        ],
    );

    check(&left, &[("anna", "0"), ("bert", "0 revoked")]);
}

#[test]
fn a_refund_of_another_order_takes_nothing_back() {
    let other = then(brought(&["bert"]), [order("o2", "bert", 2_000, 20), cancel("o2", 21)]);

    check(&other, &[("anna", "100"), ("bert", "50 rewarded")]);
}

// What else a referrer gets, and how much at most.

#[test]
fn milestones_are_held_while_enough_friends_are_rewarded() {
    let change =
        json!({"milestones": [{"friends": 2, "points": 500}, {"friends": 3, "points": 7}]});
    let two = brought(&["bert", "cleo"]);

    check_with(&change, &brought(&["bert"]), &[("anna", "100")]);
    check_with(&change, &two, &[("anna", "700")]);
    let one_left = then(two, [cancel("bert", 30)]);
    check_with(&change, &one_left, &[("anna", "100")]);
    let dora = [enroll("dora", 31, Some("anna")), order("dora", "dora", 2_000, 31)];
    let two_again = then(one_left, then(dora.to_vec(), [night("dora", 46)]));
    check_with(&change, &two_again, &[("anna", "700")]);
}

#[test]
fn caps_cut_what_a_referrer_gets_to_the_point_and_refunds_give_room_back() {
    let change = json!({
        "milestones": [{"friends": 2, "points": 60}],
        "caps": [{"period": "month", "points": 250}, {"period": "lifetime", "points": 320}]
    });
    let three = brought(&["bert", "cleo", "dora"]);

    // 100, 100 and 50 of 60, and nothing for the third.
    check_with(&change, &three, &[("anna", "250"), ("dora", "50 rewarded")]);
    let emil = |days| {
        let order = order("emil", "emil", 2_000, days);
        [enroll("emil", days, Some("anna")), order, night("emil", days + 15)]
    };
    let next_month = then(three.clone(), emil(40));
    check_with(&change, &next_month, &[("anna", "320"), ("emil", "50 rewarded")]);
    let room = then(three, [cancel("bert", 20)]);
    let room = then(room, emil(6));
    check_with(&change, &room, &[("anna", "250"), ("emil", "50 rewarded")]);
}

#[test]
fn more_friends_than_are_natural_wait_for_staff_who_decide_once() {
    let change = json!({"velocity": {"period": "month", "friends": 1}});
    let two = brought(&["bert", "cleo"]);

    check_with(&change, &two, &[("anna", "100"), ("bert", "50 rewarded"), ("cleo", "0 held")]);
    let approved = then(two.clone(), [review("cleo", 20, true), review("cleo", 21, false)]);
    check_with(&change, &approved, &[("anna", "200"), ("cleo", "50 rewarded")]);
    let denied = then(two.clone(), [review("cleo", 20, false), review("cleo", 21, true)]);
    check_with(&change, &denied, &[("anna", "100"), ("cleo", "0 refused denied_by_staff")]);
    let returned = then(two, [cancel("cleo", 20), review("cleo", 21, true)]);
    check_with(&change, &returned, &[("anna", "100"), ("cleo", "0 revoked")]);
}

#[test]
fn there_is_nothing_to_decide_about_whoever_does_not_wait() {
    let shop = Shop::new(&json!({}));

    let answered = shop.do_all(&then(brought(&["bert"]), [review("bert", 20, true)]));

    let Some(Answered::Now(entry)) = answered.last() else { panic!("{answered:?}") };
    let rejection = loyalty_domain::decide::Rejection::NothingToReview;
    assert_eq!(entry.answer, Answer::Refused(rejection));
}

// Who is refused.

#[test]
fn both_must_be_members_who_have_not_left() {
    let settled = |more: Request, refused: &str| {
        let mut given = brought(&["bert"]);
        given.insert(given.len() - 1, more);
        check(&given, &[("anna", "0"), ("bert", &format!("0 refused {refused}"))]);
    };

    settled(status("bert", 5, NewStatus::Closed), "friend_closed");
    settled(status("anna", 5, NewStatus::Closed), "referrer_not_active");
    settled(status("anna", 5, NewStatus::Frozen), "referrer_not_active");
    let never = [order("o", "anna", 9_000, 0), enroll("bert", 1, Some("anna"))];
    let never = then(never.to_vec(), [order("bert", "bert", 3_000, 1), night("bert", 16)]);
    check(&never, &[("anna", "0"), ("bert", "0 refused referrer_not_active")]);
}

#[test]
fn a_frozen_friend_is_rewarded_once_they_may_go_on() {
    let mut given = brought(&["bert"]);
    given.insert(3, status("bert", 5, NewStatus::Frozen));

    check(&given, &[("anna", "0"), ("bert", "0 qualified")]);
    given.push(status("bert", 30, NewStatus::Active));
    check(&given, &[("anna", "100"), ("bert", "50 rewarded")]);
}

#[test]
fn rings_of_any_length_reward_nobody_and_chains_do() {
    let round = |members: &[&'static str]| {
        let mut given: Vec<_> = members.iter().map(|it| enroll(it, 0, None)).collect();
        let before = members.iter().cycle().skip(members.len() - 1);
        for (id, by) in members.iter().zip(before) {
            given.push(order_naming(id, id, 3_000, 1, by));
        }
        given.extend(members.iter().map(|it| night(it, 16)));
        given
    };
    for length in 2..=5 {
        let members = &MEMBERS[..length];
        let nobody: Vec<_> = members.iter().map(|it| (*it, "0 refused ring")).collect();
        check(&round(members), &nobody);
    }

    let mut chain = vec![enroll("anna", 0, None)];
    for pair in MEMBERS[..3].windows(2) {
        chain.extend([enroll(pair[1], 1, Some(pair[0])), order(pair[1], pair[1], 2_000, 1)]);
    }
    chain.extend([night("bert", 16), night("cleo", 16)]);
    check(&chain, &[("anna", "100"), ("bert", "150 rewarded"), ("cleo", "50 rewarded")]);
}

#[test]
fn whoever_shares_something_with_the_referrer_or_another_member_is_refused_by_its_kind() {
    let check = |change: &Value, kind, who: &[&str], then: &str| {
        let shop = Shop::new(&json!({"referral": change})).share(kind, who);
        shop.check(&brought(&["bert"]), &[("bert", then)]);
    };
    let plain = json!({});

    for kind in SignalKind::ALL {
        let word = kind.as_str();
        let same = format!("0 refused same_person {word}");
        let known = format!("0 refused known_person {word}");
        check(&plain, kind, &["anna", "bert"], &same);
        check(&plain, kind, &["anna", "bert", "cleo"], &same);
        check(&plain, kind, &["cleo", "bert"], &known);
        check(&plain, kind, &["anna", "cleo"], "50 rewarded");
        check(&json!({"same_person": []}), kind, &["anna", "bert", "cleo"], "50 rewarded");
    }
}

#[test]
fn a_referral_that_was_due_before_its_friend_joined_is_settled_when_they_do() {
    let given = [
        enroll("anna", 0, None),
        order_naming("o1", "bert", 2_000, 1, "anna"),
        night("bert", 16),
        enroll("bert", 17, None),
    ];

    check(&given, &[("anna", "100"), ("bert", "50 rewarded")]);
}

#[test]
fn what_is_due_happens_before_whoever_is_active_already_becomes_active() {
    let change = json!({
        "enrollment": {"activation": "code", "points": 30},
        "earning": {"expiry_months": 1}
    });
    let shop = Shop::new(&change);
    let given =
        [enroll("anna", 0, None), status("anna", 1, NewStatus::Active), activate("anna", 200)];

    shop.check(&given, &[("anna", "0")]);
}

#[test]
fn an_order_paid_while_an_earlier_one_is_due_counts_if_that_comes_back() {
    let given = [
        enroll("anna", 0, None),
        order_naming("o1", "bert", 2_000, 1, "anna"),
        night("bert", 16),
        order("o2", "bert", 2_000, 17),
        cancel("o1", 18),
        enroll("bert", 19, None),
    ];

    check(&given, &[("anna", "0"), ("bert", "0 named")]);
    let kept = then(given.to_vec(), [night("bert", 32)]);
    check(&kept, &[("anna", "100"), ("bert", "50 rewarded")]);
}

#[test]
fn what_waits_for_a_friend_is_refused_when_they_leave() {
    let shop = Shop::new(&json!({"enrollment": {"activation": "code"}}));
    let given = [
        enroll("anna", 0, None),
        activate("anna", 0),
        enroll("bert", 1, Some("anna")),
        order("o1", "bert", 3_000, 1),
        night("bert", 16),
        status("bert", 20, NewStatus::Closed),
    ];

    shop.check(&given, &[("anna", "0"), ("bert", "0 refused friend_closed")]);
}

#[test]
fn a_version_that_asks_for_more_takes_nothing_back_by_itself() {
    let mut shop = Shop::new(&json!({}));
    shop.do_all(&brought(&["bert"]));
    shop.program = program(&json!({"referral": {"min_amount": "40"}}));
    let content = |minor| {
        let Request { command: Command::PayOrder(order), .. } = order("o", "bert", minor, 0) else {
            panic!("not an order")
        };
        order.content
    };
    let edit = |id: &str, minor, days| {
        let change_id = loyalty_domain::id::ChangeId::try_from(id).unwrap();
        let at = loyalty_tests_ledger::friends::day(days);
        Request::change("bert".try_into().unwrap(), change_id, at, content(minor))
    };

    let kept = &[("anna", "100"), ("bert", "50 rewarded")];
    shop.check(&[edit("c1", 3_500, 30)], kept);
    shop.check(&[refund("bert", "r1", 1, 31)], kept);
    shop.check(&[edit("c2", 5_000, 32)], kept);
    shop.check(&[edit("c3", 3_500, 33)], &[("anna", "0"), ("bert", "0 revoked")]);
}

#[test]
fn a_refund_of_all_takes_rewards_back_whatever_a_version_asks_for() {
    let mut shop = Shop::new(&json!({}));
    shop.do_all(&brought(&["bert"]));
    shop.program = program(&json!({"referral": {"min_amount": "40"}}));

    shop.check(&[cancel("bert", 30)], &[("anna", "0"), ("bert", "0 revoked")]);
}

// Who comes second, and who reads what was.

/// A ledger in which another request is answered just before the first change is stored.
struct Overtaken<'a> {
    shop: &'a Shop,
    by: Mutex<Option<Request>>,
}

impl Ledger for Overtaken<'_> {
    async fn load(&self, request: &Request, reading: Reading) -> Result<Loaded, LedgerError> {
        self.shop.ledger.load(request, reading).await
    }

    async fn append(&self, change: Change) -> Result<Appended, LedgerError> {
        let by = self.by.lock().unwrap().take();
        if let Some(request) = by {
            self.shop.do_all(&[request]);
        }
        self.shop.ledger.append(change).await
    }
}

impl Shop {
    fn answer_overtaken(&self, request: &Request, by: Request) -> Answered {
        let ledger = Overtaken { shop: self, by: Mutex::new(Some(by)) };
        block_on(execute(&ledger, &self.program, &mut Attempts(3), request)).unwrap()
    }
}

#[test]
fn of_two_refunds_at_once_that_both_leave_too_little_both_are_taken() {
    let shop = Shop::new(&json!({}));
    shop.do_all(&brought(&["bert"]));

    let first = refund("bert", "r1", 1_500, 20);
    let second = shop.answer_overtaken(&refund("bert", "r2", 1_200, 20), first);

    assert!(matches!(second, Answered::Now(_)), "{second:?}");
    shop.check(&[], &[("anna", "0"), ("bert", "0 revoked")]);
    let spend = shop.ledger.account(&member("bert")).unwrap().progress.lifetime.spend;
    assert_eq!(spend.minor(), 300);
}

#[test]
fn of_two_who_decide_about_a_friend_at_once_the_second_is_told_that_it_is_done() {
    let shop = Shop::new(&json!({"referral": {"velocity": {"period": "month", "friends": 1}}}));
    shop.do_all(&brought(&["bert", "cleo"]));

    let second = shop.answer_overtaken(&review("cleo", 21, true), review("cleo", 20, true));

    let Answered::Now(entry) = second else { panic!("{second:?}") };
    let rejection = loyalty_domain::decide::Rejection::NothingToReview;
    assert_eq!(entry.answer, Answer::Refused(rejection));
    shop.check(&[], &[("anna", "200"), ("cleo", "50 rewarded")]);
}

/// A ledger whose reads, if they need not be the newest, answer what there was once.
struct Stale<'a> {
    ledger: &'a MemoryLedger,
    was: Loaded,
}

impl Ledger for Stale<'_> {
    async fn load(&self, request: &Request, reading: Reading) -> Result<Loaded, LedgerError> {
        match reading {
            Reading::Cheap => Ok(self.was.clone()),
            Reading::Newest => self.ledger.load(request, reading).await,
        }
    }

    async fn append(&self, change: Change) -> Result<Appended, LedgerError> {
        self.ledger.append(change).await
    }
}

#[test]
fn nobody_is_refused_for_ever_by_what_was() {
    let shop = Shop::new(&json!({"enrollment": {"activation": "code"}}));
    let given = [
        enroll("anna", 0, None),
        enroll("bert", 1, Some("anna")),
        activate("bert", 1),
        order("o1", "bert", 3_000, 1),
    ];
    shop.do_all(&given);
    let night = night("bert", 16);
    block_on(execute(&shop.ledger, &shop.program, &mut Attempts(1), &night)).unwrap();
    let settle = Request::settle_referral(member("bert"), loyalty_tests_ledger::friends::day(15));
    let was = block_on(shop.ledger.load(&settle, Reading::Newest)).unwrap();

    // Anna becomes active just before.
    shop.do_all(&[activate("anna", 16)]);
    let stale = Stale { ledger: &shop.ledger, was };
    block_on(execute(&stale, &shop.program, &mut Attempts(1), &settle)).unwrap();

    shop.check(&[], &[("anna", "100"), ("bert", "50 rewarded")]);
}

#[test]
fn a_code_that_was_made_just_before_counts() {
    let shop = Shop::new(&json!({}));
    let enrolls = Request::enroll(
        member("bert"),
        loyalty_tests_ledger::friends::day(1),
        Some(code_of("a member who joins just before")),
    );
    let was = block_on(shop.ledger.load(&enrolls, Reading::Newest)).unwrap();

    shop.ledger.give_code(code_of("a member who joins just before"), member("anna"));
    let stale = Stale { ledger: &shop.ledger, was };
    block_on(execute(&stale, &shop.program, &mut Attempts(1), &enrolls)).unwrap();

    shop.check(&[], &[("bert", "0 named")]);
}
