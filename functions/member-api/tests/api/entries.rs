//! Entries as they are shown, with every kind of change: written by hand from what an account must show.

use jiff::civil::date;
use loyalty_domain::{
    command::{Command, Correction, RefundLine, Request},
    id::{ChangeId, ClientId, CommandId, LevelId, LineId, OrderId, RefundId, RequestKey},
    money::Minor,
    opening::{BroughtLevel, BroughtLot, BroughtPending, Opening},
    order::LineKey,
    points::Points,
    program::Program,
    tier::{Override, OverrideKind},
};
use loyalty_ledger::{Attempts, execute, memory::MemoryLedger};
use loyalty_tests_ledger::{member, order, refund, spend};
use pollster::block_on;
use serde_json::{Value, json};

use crate::{MEMBER, answer_of, at, event};

/// A point a pound, to be used at once and for a month; but for `changes`.
fn program(changes: &Value) -> Program {
    let mut program = json!({
        "name": "Entries", "version": 7, "effective": "2026-01-01", "currency": "GBP",
        "time_zone": "Europe/London", "earning": {"points_per_unit": "1", "expiry_months": 1},
        "tiers": {"levels": [
            {"id": "bronze", "name": "Bronze"},
            {"id": "silver", "name": "Silver", "spend": "200", "bonus": "0.05"},
            {"id": "gold", "name": "Gold", "spend": "2000", "bonus": "0.1"}
        ]}
    });
    for (name, value) in changes.as_object().unwrap() {
        program[name] = value.clone();
    }
    serde_json::from_value(program).unwrap()
}

/// What a member reads of the own entries after `requests` under [`program`], newest first.
fn entries(changes: &Value, requests: &[Request]) -> Vec<Value> {
    let (ledger, program) = (MemoryLedger::default(), program(changes));
    for request in requests {
        block_on(execute(&ledger, &program, &mut Attempts(1), request)).unwrap();
    }
    let key = "GET /v1/members/me/entries";
    let (status, page) = answer_of(ledger, &event(MEMBER, key, "/v1/members/me/entries", ""));
    assert_eq!((status, &page["next"]), (200, &Value::Null), "{page}");
    page["entries"].as_array().unwrap().clone()
}

/// The newest of [`entries`] is `expected`.
#[track_caller]
fn check(changes: &Value, requests: &[Request], expected: &Value) {
    let entries = entries(changes, requests);
    assert_eq!(&entries[0], expected);
}

/// The newest of [`entries`] says these changes, and leaves this balance.
#[track_caller]
fn check_changes(changes: &Value, requests: &[Request], expected: &Value, balance: &Value) {
    let entries = entries(changes, requests);
    assert_eq!(&entries[0]["changes"], expected);
    assert_eq!(&entries[0]["balance"], balance);
}

fn points(number: u64) -> Points {
    Points::try_from(number).unwrap()
}

fn give_back(key: &str, spent: &Request, number: u64) -> Request {
    Request::give_back(
        ClientId::try_from("till").unwrap(),
        RequestKey::try_from(key).unwrap(),
        member("m1"),
        spent.at,
        spent.id.clone(),
        points(number),
    )
}

fn open(opening: Opening, instant: &str) -> Request {
    Request::open(member("m1"), instant.parse().unwrap(), opening)
}

fn owing(debt: u64, instant: &str) -> Request {
    open(Opening { debt: points(debt), ..Opening::default() }, instant)
}

fn base(points: u64) -> Value {
    json!({"name": "base", "points_per_unit": "1", "share": "1", "fixed": null, "points": points})
}

#[test]
fn what_is_left_of_a_lot_expires_at_the_midnight_after_its_last_day() {
    let requests = [
        at(order("o1", "m1", 10_000, 0), "2026-05-10T12:00:00Z"),
        at(order("o2", "m1", 1_000, 0), "2026-07-01T12:00:00Z"),
    ];

    check(
        &json!({}),
        &requests,
        &json!({
            "id": "O#o2", "sequence": 2,
            "at": "2026-07-01T12:00:00Z", "sent_at": "2026-07-01T12:00:00Z",
            "source": {"kind": "order", "order_id": "o2"}, "program_version": 7,
            "changes": [
                // Midnight in London, in summer.
                {"kind": "expired", "at": "2026-06-10T23:00:00Z", "lot": "2026-06-10", "points": 100},
                {
                    "kind": "earned", "paid_on": "2026-07-01", "currency": "GBP",
                    "eligible_minor": 1_000, "points": 10, "components": [base(10)],
                    "headroom": null, "lot": "2026-08-01", "available_at": "2026-07-01T12:00:00Z",
                    "becomes": {"state": "available", "debt_paid": 0}, "others": []
                }
            ],
            "balance": {"available": 10, "pending": 0, "held": 0, "debt": 0}
        }),
    );
}

#[test]
fn what_a_job_recorded_took_effect_when_it_fell_due() {
    let due = Request {
        id: CommandId::Due(member("m1"), date(2026, 6, 12)),
        at: "2026-06-11T23:00:00Z".parse().unwrap(),
        command: Command::PostDue { member_id: member("m1") },
    };
    let requests = [at(order("o1", "m1", 10_000, 0), "2026-05-10T12:00:00Z"), due];

    check(
        &json!({}),
        &requests,
        &json!({
            "id": "D#m1#2026-06-12", "sequence": 2,
            "at": "2026-06-10T23:00:00Z", "sent_at": "2026-06-11T23:00:00Z",
            "source": {"kind": "due", "day": "2026-06-12"}, "program_version": 7,
            "changes": [
                {"kind": "expired", "at": "2026-06-10T23:00:00Z", "lot": "2026-06-10", "points": 100}
            ],
            "balance": {"available": 0, "pending": 0, "held": 0, "debt": 0}
        }),
    );
}

#[test]
fn an_order_that_came_late_earned_at_the_accounts_clock_and_may_have_expired_at_once() {
    let requests = [
        at(order("o1", "m1", 10_000, 0), "2026-05-10T12:00:00Z"),
        at(order("late", "m1", 3_000, 0), "2026-01-05T09:00:00Z"),
    ];

    check(
        &json!({}),
        &requests,
        &json!({
            "id": "O#late", "sequence": 2,
            "at": "2026-05-10T12:00:00Z", "sent_at": "2026-01-05T09:00:00Z",
            "source": {"kind": "order", "order_id": "late"}, "program_version": 7,
            "changes": [{
                "kind": "earned", "paid_on": "2026-01-05", "currency": "GBP",
                "eligible_minor": 3_000, "points": 30, "components": [base(30)],
                "headroom": null, "lot": "2026-02-05", "available_at": "2026-05-10T12:00:00Z",
                "becomes": {"state": "expired"}, "others": []
            }],
            "balance": {"available": 100, "pending": 0, "held": 0, "debt": 0}
        }),
    );
}

#[test]
fn points_that_mature_pay_the_debt_first_and_lapse_after_their_last_day() {
    let earning = |pending_days: u32, expiry_months: u32| {
        json!({"earning": {
            "points_per_unit": "1", "pending_days": pending_days, "expiry_months": expiry_months
        }})
    };
    let requests = [
        owing(30, "2026-01-02T12:00:00Z"),
        at(order("o1", "m1", 10_000, 0), "2026-01-10T12:00:00Z"),
        at(order("o2", "m1", 1_000, 0), "2026-03-20T12:00:00Z"),
    ];
    let earned = |lot: &str, available_at: &str| {
        json!({
            "kind": "earned", "paid_on": "2026-03-20", "currency": "GBP", "eligible_minor": 1_000,
            "points": 10, "components": [base(10)], "headroom": null, "lot": lot,
            "available_at": available_at, "becomes": {"state": "pending"}, "others": []
        })
    };

    check_changes(
        &earning(14, 12),
        &requests,
        &json!([
            {
                "kind": "matured", "at": "2026-01-24T12:00:00Z", "lot": "2027-01-10",
                "points": 100, "debt_paid": 30
            },
            earned("2027-03-20", "2026-04-03T12:00:00Z")
        ]),
        &json!({"available": 70, "pending": 10, "held": 0, "debt": 0}),
    );
    check_changes(
        &earning(60, 1),
        &requests,
        &json!([
            {
                "kind": "lapsed", "at": "2026-03-11T12:00:00Z", "lot": "2026-02-10",
                "points": 100, "debt_paid": 30
            },
            earned("2026-04-20", "2026-05-19T12:00:00Z")
        ]),
        &json!({"available": 0, "pending": 10, "held": 0, "debt": 0}),
    );
}

#[test]
fn an_order_reaches_a_level_and_the_next_one_has_its_bonus_and_renews_it() {
    let year = json!({"earning": {"points_per_unit": "1", "expiry_months": 12}});
    let requests = [
        at(order("o1", "m1", 20_000, 0), "2026-01-10T12:00:00Z"),
        at(order("o2", "m1", 10_001, 0), "2026-02-10T12:00:00Z"),
    ];

    check_changes(
        &year,
        &requests[..1],
        &json!([
            {
                "kind": "earned", "paid_on": "2026-01-10", "currency": "GBP",
                "eligible_minor": 20_000, "points": 200, "components": [base(200)],
                "headroom": null, "lot": "2027-01-10", "available_at": "2026-01-10T12:00:00Z",
                "becomes": {"state": "available", "debt_paid": 0}, "others": []
            },
            {"kind": "level_reached", "level": "silver", "valid_through": "2027-01-31"}
        ]),
        &json!({"available": 200, "pending": 0, "held": 0, "debt": 0}),
    );
    // 100.01 points and 5.0005 of them more, each rounded down.
    check_changes(
        &year,
        &requests,
        &json!([
            {
                "kind": "earned", "paid_on": "2026-02-10", "currency": "GBP",
                "eligible_minor": 10_001, "points": 105,
                "components": [
                    base(100),
                    {
                        "name": "tier:silver", "points_per_unit": "1", "share": "0.05",
                        "fixed": null, "points": 5
                    }
                ],
                "headroom": null, "lot": "2027-02-10", "available_at": "2026-02-10T12:00:00Z",
                "becomes": {"state": "available", "debt_paid": 0}, "others": []
            },
            {"kind": "level_reached", "level": "silver", "valid_through": "2027-02-28"}
        ]),
        &json!({"available": 305, "pending": 0, "held": 0, "debt": 0}),
    );
}

#[test]
fn a_level_whose_validity_ends_falls_by_one_with_each_review() {
    let requests = [
        at(order("o1", "m1", 200_000, 0), "2026-01-10T12:00:00Z"),
        at(order("o2", "m1", 100, 0), "2028-02-10T12:00:00Z"),
    ];

    check_changes(
        &json!({"earning": {"points_per_unit": "1", "expiry_months": 36}}),
        &requests,
        &json!([
            {
                "kind": "level_reviewed", "at": "2027-02-01T00:00:00Z", "level": "silver",
                "valid_through": "2028-01-31"
            },
            {
                "kind": "level_reviewed", "at": "2028-02-01T00:00:00Z", "level": "bronze",
                "valid_through": null
            },
            {
                "kind": "earned", "paid_on": "2028-02-10", "currency": "GBP",
                "eligible_minor": 100, "points": 1, "components": [base(1)],
                "headroom": null, "lot": "2031-02-10", "available_at": "2028-02-10T12:00:00Z",
                "becomes": {"state": "available", "debt_paid": 0}, "others": []
            }
        ]),
        &json!({"available": 2_001, "pending": 0, "held": 0, "debt": 0}),
    );
}

#[test]
fn a_refund_lowers_the_level_at_once_only_where_the_program_says_so() {
    let requests = [
        at(order("o1", "m1", 20_000, 0), "2026-01-10T12:00:00Z"),
        at(refund("o1", "r1", 5_000, 0), "2026-01-20T12:00:00Z"),
    ];
    let corrected = json!({
        "kind": "corrected", "by": {"kind": "refund", "order_id": "o1", "refund_id": "r1"},
        "eligible_before_minor": 20_000, "eligible_after_minor": 15_000, "cut_minor": 0,
        "points_before": 200, "points_after": 150,
        "settled": {
            "kind": "taken_back", "pending": 0, "lots": [{"lot": "2026-02-10", "points": 50}],
            "debt": 0, "waived": 0
        }, "others": []
    });
    let balance = json!({"available": 150, "pending": 0, "held": 0, "debt": 0});

    check_changes(&json!({}), &requests, &json!([corrected]), &balance);
    let lowered = json!({"kind": "level_lowered", "level": "bronze", "valid_through": null});
    check_changes(
        &json!({"refunds": {"lowers_level": true}}),
        &requests,
        &json!([corrected, lowered]),
        &balance,
    );
}

#[test]
fn a_refund_is_cut_to_what_is_left_and_what_was_used_is_owed_or_let_go() {
    let requests = [
        at(order("o1", "m1", 10_000, 0), "2026-01-10T12:00:00Z"),
        at(spend("s1", "m1", 80, 0), "2026-01-15T12:00:00Z"),
        at(refund("o1", "r1", 15_000, 0), "2026-01-20T12:00:00Z"),
    ];
    let corrected = |debt: u64, waived: u64| {
        json!([{
            "kind": "corrected", "by": {"kind": "refund", "order_id": "o1", "refund_id": "r1"},
            "eligible_before_minor": 10_000, "eligible_after_minor": 0, "cut_minor": 5_000,
            "points_before": 100, "points_after": 0,
            "settled": {
                "kind": "taken_back", "pending": 0, "lots": [{"lot": "2026-02-10", "points": 20}],
                "debt": debt, "waived": waived
            }, "others": []
        }])
    };

    check_changes(
        &json!({}),
        &requests,
        &corrected(80, 0),
        &json!({"available": 0, "pending": 0, "held": 0, "debt": 80}),
    );
    check_changes(
        &json!({"refunds": {"shortfall": "waive"}}),
        &requests,
        &corrected(0, 80),
        &json!({"available": 0, "pending": 0, "held": 0, "debt": 0}),
    );
}

#[test]
fn a_refund_of_an_order_whose_points_expired_takes_nothing_back() {
    let requests = [
        at(order("o1", "m1", 10_000, 0), "2026-01-10T12:00:00Z"),
        Request::cancel(OrderId::try_from("o1").unwrap(), "2026-03-01T12:00:00Z".parse().unwrap()),
    ];

    check(
        &json!({}),
        &requests,
        &json!({
            "id": "O#o1#X", "sequence": 2,
            "at": "2026-03-01T12:00:00Z", "sent_at": "2026-03-01T12:00:00Z",
            "source": {"kind": "cancellation", "order_id": "o1"}, "program_version": 7,
            "changes": [
                {"kind": "expired", "at": "2026-02-11T00:00:00Z", "lot": "2026-02-10", "points": 100},
                {
                    "kind": "corrected", "by": {"kind": "cancellation", "order_id": "o1"},
                    "eligible_before_minor": 10_000, "eligible_after_minor": 0, "cut_minor": 0,
                    "points_before": 100, "points_after": 0, "settled": {"kind": "gone_already"}, "others": []
                }
            ],
            "balance": {"available": 0, "pending": 0, "held": 0, "debt": 0}
        }),
    );
}

#[test]
fn an_edit_that_raises_an_order_adds_points() {
    let Command::PayOrder(edited) = order("o1", "m1", 15_000, 0).command else { panic!() };
    let requests = [
        at(order("o1", "m1", 10_000, 0), "2026-01-10T12:00:00Z"),
        Request::change(
            OrderId::try_from("o1").unwrap(),
            ChangeId::try_from("c1").unwrap(),
            "2026-01-11T12:00:00Z".parse().unwrap(),
            edited.content,
        ),
    ];

    check(
        &json!({}),
        &requests,
        &json!({
            "id": "O#o1#C#c1", "sequence": 2,
            "at": "2026-01-11T12:00:00Z", "sent_at": "2026-01-11T12:00:00Z",
            "source": {"kind": "change", "order_id": "o1", "change_id": "c1"},
            "program_version": 7,
            "changes": [{
                "kind": "corrected", "by": {"kind": "change", "order_id": "o1", "change_id": "c1"},
                "eligible_before_minor": 10_000, "eligible_after_minor": 15_000, "cut_minor": 0,
                "points_before": 100, "points_after": 150,
                "settled": {"kind": "added", "becomes": {"state": "available", "debt_paid": 0}}, "others": []
            }],
            "balance": {"available": 150, "pending": 0, "held": 0, "debt": 0}
        }),
    );
}

/// 100 points through 10 February and 50 through 20 February, of which 120 are used.
fn used() -> [Request; 3] {
    [
        at(order("o1", "m1", 10_000, 0), "2026-01-10T12:00:00Z"),
        at(order("o2", "m1", 5_000, 0), "2026-01-20T12:00:00Z"),
        at(spend("k1", "m1", 120, 0), "2026-01-25T12:00:00Z"),
    ]
}

#[test]
fn points_are_used_from_the_lots_that_end_first() {
    check(
        &json!({}),
        &used(),
        &json!({
            "id": "K#till#m1#spend#k1", "sequence": 3,
            "at": "2026-01-25T12:00:00Z", "sent_at": "2026-01-25T12:00:00Z",
            "source": {"kind": "spend", "client_id": "till", "request_key": "k1"},
            "program_version": 7,
            "changes": [{
                "kind": "spent",
                "lots": [{"lot": "2026-02-10", "points": 100}, {"lot": "2026-02-20", "points": 20}]
            }],
            "balance": {"available": 30, "pending": 0, "held": 0, "debt": 0}
        }),
    );
}

#[test]
fn points_of_a_lot_that_expired_meanwhile_stay_lost_or_come_back_for_some_days() {
    let [first, second, spent] = used();
    let back = at(give_back("k2", &spent, 120), "2026-02-15T12:00:00Z");
    let requests = [first, second, spent, back];

    check(
        &json!({}),
        &requests,
        &json!({
            "id": "K#till#m1#give_back#k2", "sequence": 4,
            "at": "2026-02-15T12:00:00Z", "sent_at": "2026-02-15T12:00:00Z",
            "source": {"kind": "give_back", "client_id": "till", "request_key": "k2"},
            "program_version": 7,
            "changes": [{
                "kind": "given_back", "debt_paid": 0,
                "lots": [{"lot": "2026-02-20", "points": 20}], "lost": 100
            }],
            "balance": {"available": 50, "pending": 0, "held": 0, "debt": 0}
        }),
    );
    check_changes(
        &json!({"spending": {"reinstate_days": 7}}),
        &requests,
        &json!([{
            "kind": "given_back", "debt_paid": 0,
            "lots": [{"lot": "2026-02-20", "points": 20}, {"lot": "2026-02-22", "points": 100}],
            "lost": 0
        }]),
        &json!({"available": 150, "pending": 0, "held": 0, "debt": 0}),
    );
}

#[test]
fn points_that_come_back_pay_the_debt_first() {
    let spent = at(spend("k1", "m1", 100, 0), "2026-01-15T12:00:00Z");
    let requests = [
        at(order("o1", "m1", 10_000, 0), "2026-01-10T12:00:00Z"),
        spent.clone(),
        at(refund("o1", "r1", 4_000, 0), "2026-01-16T12:00:00Z"),
        at(give_back("k2", &spent, 100), "2026-01-20T12:00:00Z"),
    ];

    check_changes(
        &json!({}),
        &requests,
        &json!([{
            "kind": "given_back", "debt_paid": 40,
            "lots": [{"lot": "2026-02-10", "points": 60}], "lost": 0
        }]),
        &json!({"available": 60, "pending": 0, "held": 0, "debt": 0}),
    );
}

#[test]
fn a_balance_from_another_system_is_one_entry() {
    let lot = |number, last_good_day| BroughtLot { points: points(number), last_good_day };
    let opening = Opening {
        lots: vec![lot(50, date(2026, 6, 30)), lot(10, date(2026, 1, 31))],
        pending: vec![BroughtPending {
            points: points(20),
            matures_at: "2026-02-10T00:00:00Z".parse().unwrap(),
            last_good_day: Some(date(2027, 2, 28)),
        }],
        debt: points(15),
        level: Some(BroughtLevel {
            level: LevelId::try_from("silver").unwrap(),
            valid_through: Some(date(2026, 12, 31)),
        }),
        ..Opening::default()
    };

    check(
        &json!({}),
        &[open(opening, "2026-02-01T12:00:00Z")],
        &json!({
            "id": "B#m1", "sequence": 1,
            "at": "2026-02-01T12:00:00Z", "sent_at": "2026-02-01T12:00:00Z",
            "source": {"kind": "opening"}, "program_version": 7,
            "changes": [{
                "kind": "opened",
                "lots": [{"lot": "2026-06-30", "points": 50}],
                "pending": [{
                    "points": 20, "available_at": "2026-02-10T00:00:00Z",
                    "usable_through": "2027-02-28"
                }],
                "expired": 10, "debt": 15, "debt_paid": 15, "level": "silver"
            }],
            "balance": {"available": 35, "pending": 20, "held": 0, "debt": 0}
        }),
    );
}

#[test]
fn a_refund_that_waited_takes_effect_in_the_entry_of_its_order() {
    let requests = [
        at(refund("o1", "r1", 5_000, 0), "2026-02-02T12:00:00Z"),
        at(order("o1", "m1", 20_000, 0), "2026-02-01T12:00:00Z"),
    ];

    // As long as it waits, it is nobody's.
    assert_eq!(entries(&json!({}), &requests[..1]), Vec::<Value>::new());
    check(
        &json!({}),
        &requests,
        &json!({
            "id": "O#o1", "sequence": 1,
            "at": "2026-02-01T12:00:00Z", "sent_at": "2026-02-01T12:00:00Z",
            "source": {"kind": "order", "order_id": "o1"}, "program_version": 7,
            "changes": [
                {
                    "kind": "earned", "paid_on": "2026-02-01", "currency": "GBP",
                    "eligible_minor": 20_000, "points": 200, "components": [base(200)],
                    "headroom": null, "lot": "2026-03-01", "available_at": "2026-02-01T12:00:00Z",
                    "becomes": {"state": "available", "debt_paid": 0}, "others": []
                },
                {"kind": "level_reached", "level": "silver", "valid_through": "2027-02-28"},
                {
                    "kind": "corrected",
                    "by": {"kind": "refund", "order_id": "o1", "refund_id": "r1"},
                    "eligible_before_minor": 20_000, "eligible_after_minor": 15_000,
                    "cut_minor": 0, "points_before": 200, "points_after": 150,
                    "settled": {
                        "kind": "taken_back", "pending": 0,
                        "lots": [{"lot": "2026-03-01", "points": 50}], "debt": 0, "waived": 0
                    }, "others": []
                }
            ],
            "balance": {"available": 150, "pending": 0, "held": 0, "debt": 0}
        }),
    );
}

#[test]
fn points_that_last_longer_say_why_and_through_which_day() {
    let extend = Request::extend(
        ClientId::try_from("desk").unwrap(),
        RequestKey::try_from("e1").unwrap(),
        member("m1"),
        "2026-01-12T12:00:00Z".parse().unwrap(),
        date(2026, 6, 30),
        "goodwill".try_into().unwrap(),
    );
    let order_at = |id: &str, instant: &str| at(order(id, "m1", 10_000, 0), instant);
    check(
        &json!({}),
        &[order_at("o1", "2026-01-10T12:00:00Z"), extend],
        &json!({
            "id": "K#desk#m1#extend#e1", "sequence": 2,
            "at": "2026-01-12T12:00:00Z", "sent_at": "2026-01-12T12:00:00Z",
            "source": {"kind": "extend", "client_id": "desk", "request_key": "e1"},
            "program_version": 7,
            "changes": [{
                "kind": "life_extended", "from": "2026-01-12", "usable_through": "2026-06-30",
                "cause": "staff", "reason": "goodwill"
            }],
            "balance": {"available": 100, "pending": 0, "held": 0, "debt": 0}
        }),
    );

    let sliding = |effective: &str| {
        let earning = json!({"points_per_unit": "1", "expiry_months": 1, "expiry": "sliding"});
        json!({"effective": effective, "earning": earning})
    };
    let extended = |effective: &str| {
        let entries = entries(
            &sliding(effective),
            &[order_at("o1", "2026-01-10T12:00:00Z"), order_at("o2", "2026-01-12T12:00:00Z")],
        );
        let changes = entries[0]["changes"].as_array().unwrap().clone();
        changes.into_iter().filter(|it| it["kind"] == "life_extended").collect::<Vec<_>>()
    };
    let activity = json!({
        "kind": "life_extended", "from": "2026-01-12", "usable_through": "2026-02-12",
        "cause": "activity", "reason": null
    });
    assert_eq!(extended("2026-01-01"), std::slice::from_ref(&activity));
    let began = json!({
        "kind": "life_extended", "from": "2026-01-11", "usable_through": "2026-02-11",
        "cause": "sliding_began", "reason": null
    });
    assert_eq!(extended("2026-01-11"), [began, activity]);
}

#[test]
fn what_a_member_was_told_before_a_loss_says_what_would_save_it() {
    let changes = |day: &str, due: &str| {
        let due = Request {
            id: CommandId::Due(member("m1"), day.parse().unwrap()),
            at: due.parse().unwrap(),
            command: Command::PostDue { member_id: member("m1") },
        };
        let reminders = json!({"reminders": {"points_days": [7], "tier_days": [7]}});
        let requests = [at(order("o1", "m1", 25_000, 0), "2025-01-10T12:00:00Z"), due];
        let entries = entries(&reminders, &requests);
        entries[0]["changes"].clone()
    };

    let points = json!([{
        "kind": "expiry_announced", "day": "2025-02-04", "usable_through": "2025-02-10",
        "lots": [{"lot": "2025-02-10", "points": 250}]
    }]);
    assert_eq!(changes("2025-02-04", "2025-02-04T00:00:00Z"), points);
    let level = json!([
        {"kind": "expired", "at": "2025-02-11T00:00:00Z", "lot": "2025-02-10", "points": 250},
        {
            "kind": "level_at_risk", "day": "2026-01-25", "level": "silver",
            "valid_through": "2026-01-31", "would_be": "bronze", "spend_missing_minor": 20_000,
            "orders_missing": null, "growth_missing": null
        }
    ]);
    assert_eq!(changes("2026-01-25", "2026-01-25T00:00:00Z"), level);
}

#[test]
fn what_staff_and_activities_did_to_a_level_is_told() {
    let reason = |code: &str| code.try_into().unwrap();
    let key = |key: &str| key.try_into().unwrap();
    let desk = || "desk".try_into().unwrap();
    let set = Override {
        level: "silver".try_into().unwrap(),
        kind: OverrideKind::Courtesy,
        through: Some("2026-03-31".parse().unwrap()),
    };
    let at = |text: &str| text.parse().unwrap();
    let activity = "review-1".try_into().unwrap();
    let growth = 30.try_into().unwrap();
    let m1 = || member("m1");
    let entries = entries(
        &json!({}),
        &[
            Request::growth(m1(), activity, at("2026-01-10T12:00:00Z"), growth),
            Request::task(m1(), "profile".try_into().unwrap(), at("2026-01-11T12:00:00Z")),
            Request::override_level(
                desk(),
                key("k1"),
                m1(),
                at("2026-01-12T12:00:00Z"),
                set,
                reason("goodwill"),
            ),
            Request::lift_override(
                desk(),
                key("k2"),
                m1(),
                at("2026-01-13T12:00:00Z"),
                reason("mistake"),
            ),
        ],
    );

    let told: Vec<_> = entries.iter().rev().map(|it| (&it["source"], &it["changes"])).collect();
    let expected = [
        (
            json!({"kind": "activity", "activity_id": "review-1"}),
            json!([{"kind": "grown", "month": "2026-01", "growth": 30}]),
        ),
        (
            json!({"kind": "task", "task": "profile"}),
            json!([{"kind": "task_done", "task": "profile"}]),
        ),
        (
            json!({"kind": "override_level", "client_id": "desk", "request_key": "k1"}),
            json!([{
                "kind": "override_set", "level": "silver", "set_as": "courtesy",
                "through": "2026-03-31", "reason": "goodwill", "in_force": "silver"
            }]),
        ),
        (
            json!({"kind": "lift_override", "client_id": "desk", "request_key": "k2"}),
            json!([{"kind": "override_lifted", "reason": "mistake", "in_force": "bronze"}]),
        ),
    ];
    assert_eq!(told, expected.iter().map(|(a, b)| (a, b)).collect::<Vec<_>>());
}

#[test]
fn points_that_never_expire_have_no_end() {
    let ledger = MemoryLedger::default();
    let never = json!({"earning": {"points_per_unit": "1", "pending_days": 5, "expiry": "never"}});
    for request in [
        at(order("o1", "m1", 10_000, 0), "2026-02-01T12:00:00Z"),
        at(order("o2", "m1", 5_000, 0), "2026-02-09T12:00:00Z"),
    ] {
        block_on(execute(&ledger, &program(&never), &mut Attempts(1), &request)).unwrap();
    }

    let (_, body) = answer_of(ledger, &serde_json::from_str(MEMBER).unwrap());

    let lots = json!([{"points": 100, "usable_through": null, "lot": "9999-12-31"}]);
    assert_eq!(body["lots"], lots);
    let pending = json!([
        {"points": 50, "available_at": "2026-02-14T12:00:00Z", "usable_through": null}
    ]);
    assert_eq!(body["pending"], pending);
}

#[test]
fn a_refund_that_waited_and_does_not_fit_its_order_says_why() {
    let lines = vec![RefundLine {
        key: LineKey::Line(LineId::try_from("not there").unwrap()),
        quantity: 1,
        amount: Minor::try_from(100).unwrap(),
    }];
    let requests = [
        Request::refund(
            OrderId::try_from("o1").unwrap(),
            RefundId::try_from("r1").unwrap(),
            "2026-02-02T12:00:00Z".parse().unwrap(),
            Correction::Lines(lines),
        ),
        at(order("o1", "m1", 1_000, 0), "2026-02-01T12:00:00Z"),
    ];

    let entries = entries(&json!({}), &requests);

    assert_eq!(entries.len(), 1);
    assert_eq!(
        entries[0]["changes"][1],
        json!({
            "kind": "correction_refused",
            "by": {"kind": "refund", "order_id": "o1", "refund_id": "r1"},
            "reason": "line_not_in_order"
        })
    );
    assert_eq!(entries[0]["changes"][2], Value::Null);
}

#[test]
fn what_was_refused_is_no_entry_and_leaves_no_gap() {
    let mut in_yen = at(order("o2", "m1", 5_000, 0), "2026-01-11T12:00:00Z");
    if let Command::PayOrder(order) = &mut in_yen.command {
        order.currency = "JPY".parse().unwrap();
    }
    let requests = [
        at(order("o1", "m1", 10_000, 0), "2026-01-10T12:00:00Z"),
        in_yen,
        at(spend("k1", "m1", 101, 0), "2026-01-12T12:00:00Z"),
        at(order("o3", "m1", 1_000, 0), "2026-01-13T12:00:00Z"),
    ];

    let entries = entries(&json!({}), &requests);

    let ids: Vec<_> = entries.iter().map(|it| (&it["id"], &it["sequence"])).collect();
    assert_eq!(ids, [(&json!("O#o3"), &json!(2)), (&json!("O#o1"), &json!(1))]);
    let balance = json!({"available": 110, "pending": 0, "held": 0, "debt": 0});
    assert_eq!(entries[0]["balance"], balance);
}
