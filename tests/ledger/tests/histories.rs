//! Random histories through the use case: what always holds, and what never depends on delivery.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use jiff::{Timestamp, ToSpan};
use loyalty_domain::{
    account::{Account, Balance},
    command::{Correction, RefundLine, Request},
    due,
    event::{Event, Settled},
    id::{ChangeId, ClientId, CommandId, LineId, MemberId, OrderId, RefundId, RequestKey, Sku},
    money::{Minor, Spend},
    order::{Content, Line, LineKey, Order},
    points::Points,
    program::{Program, ProgramSpec},
};
use loyalty_ledger::{Answer, Answered, Attempts, Entry, execute, memory::MemoryLedger};
use proptest::prelude::*;

/// One thing that may happen, with small numbers so that runs of them meet.
#[derive(Clone, Debug)]
enum Step {
    Order {
        member: u8,
        hours: u16,
        amounts: Vec<u32>,
        excluded: bool,
        points_paid: u16,
        euros: bool,
    },
    Refund {
        order: u8,
        hours: u16,
        amount: u32,
    },
    RefundLine {
        order: u8,
        hours: u16,
        line: u8,
        amount: u32,
    },
    Cancel {
        order: u8,
        hours: u16,
    },
    Change {
        order: u8,
        hours: u16,
        amounts: Vec<u32>,
    },
    Spend {
        member: u8,
        hours: u16,
        points: u16,
    },
    GiveBack {
        spend: u8,
        hours: u16,
        points: u16,
    },
    Repeat {
        step: u8,
    },
}

fn any_step() -> impl Strategy<Value = Step> {
    // Within two years; every fourth at a midnight, where things fall due.
    let hours = || prop_oneof![3 => 0..17_520_u16, 1 => (0..730_u16).prop_map(|day| day * 24)];
    let order = (
        0..3_u8,
        hours(),
        prop::collection::vec(0..60_000_u32, 1..4),
        prop::bool::weighted(0.1),
        prop_oneof![4 => Just(0_u16), 1 => 0..30_000_u16],
        prop::bool::weighted(0.2),
    );
    prop_oneof![
        8 => order.prop_map(|(member, hours, amounts, excluded, points_paid, euros)| {
            Step::Order { member, hours, amounts, excluded, points_paid, euros }
        }),
        3 => (0..12_u8, hours(), 0..80_000_u32)
            .prop_map(|(order, hours, amount)| Step::Refund { order, hours, amount }),
        3 => (0..12_u8, hours(), 0..3_u8, 0..80_000_u32)
            .prop_map(|(order, hours, line, amount)| Step::RefundLine { order, hours, line, amount }),
        1 => (0..12_u8, hours()).prop_map(|(order, hours)| Step::Cancel { order, hours }),
        2 => (0..12_u8, hours(), prop::collection::vec(0..60_000_u32, 1..4))
            .prop_map(|(order, hours, amounts)| Step::Change { order, hours, amounts }),
        4 => (0..3_u8, hours(), 0..900_u16)
            .prop_map(|(member, hours, points)| Step::Spend { member, hours, points }),
        2 => (0..6_u8, hours(), 0..900_u16)
            .prop_map(|(spend, hours, points)| Step::GiveBack { spend, hours, points }),
        2 => (0..40_u8).prop_map(|step| Step::Repeat { step }),
    ]
}

fn any_program() -> impl Strategy<Value = Program> {
    (
        prop_oneof![Just(0_u32), Just(14), Just(60)],
        0..15_u32,
        prop_oneof![Just("none"), Just("month_end"), Just("quarter_end"), Just("year_end")],
        prop_oneof![Just("debt"), Just("waive")],
        prop_oneof![Just("one_level"), Just("to_qualifying")],
        prop_oneof![Just("twelve_months"), Just("calendar_year"), Just("lifetime")],
        prop_oneof![Just("Europe/London"), Just("America/Sao_Paulo"), Just("Asia/Tokyo")],
        prop_oneof![Just("null"), Just("700")],
        any::<bool>(),
        0..40_u32,
    )
        .prop_map(
            |(
                pending,
                months,
                rounding,
                shortfall,
                review,
                window,
                zone,
                cap,
                lowers,
                reinstate,
            )| {
                let spec: ProgramSpec = serde_json::from_str(&format!(
                    r#"{{
                    "name": "Random", "version": 1, "effective": "2020-01-01", "currency": "GBP",
                    "time_zone": "{zone}", "rates": {{"EUR": "0.8612345"}},
                    "earning": {{"points_per_unit": "1.5", "pending_days": {pending},
                        "expiry_months": {months}, "expiry_rounding": "{rounding}",
                        "exclude": {{"skus": ["X"]}}}},
                    "caps": {{"per_order": {cap},
                        "per_member": [{{"period": "month", "points": 1500}}]}},
                    "refunds": {{"shortfall": "{shortfall}", "lowers_level": {lowers}}},
                    "spending": {{"reinstate_days": {reinstate}}},
                    "tiers": {{"window": "{window}", "review": "{review}", "levels": [
                        {{"id": "a", "name": "A"}},
                        {{"id": "b", "name": "B", "spend": "200", "orders": 3, "bonus": "0.05"}},
                        {{"id": "c", "name": "C", "spend": "800", "bonus": "0.1"}},
                        {{"id": "d", "name": "D", "spend": "1500", "bonus": "0.3"}}]}},
                    "campaigns": [{{"name": "welcome", "min_amount": "100", "points": 50}}]
                }}"#
                ))
                .unwrap();
                Program::try_from(spec).unwrap()
            },
        )
}

fn at(hours: u16) -> Timestamp {
    "2020-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + i64::from(hours).hours()
}

fn member(number: u8) -> MemberId {
    MemberId::try_from(format!("m{number}").as_str()).unwrap()
}

fn order_id(number: u8) -> OrderId {
    OrderId::try_from(format!("o{number}").as_str()).unwrap()
}

/// The requests of a history, in the order of their arrival.
fn requests(steps: &[Step]) -> Vec<Request> {
    let mut requests: Vec<Request> = Vec::new();
    let mut spends: Vec<(MemberId, CommandId)> = Vec::new();
    let mut orders = 0_u8;
    for (index, step) in steps.iter().enumerate() {
        let key = RequestKey::try_from(format!("k{index}").as_str()).unwrap();
        let refund_id = RefundId::try_from(format!("r{index}").as_str()).unwrap();
        let client = ClientId::try_from("till").unwrap();
        let minor = |it: u32| Minor::try_from(u64::from(it)).unwrap();
        let lines = |amounts: &[u32], excluded: bool| {
            let lines = amounts.iter().enumerate().map(|(line, amount)| Line {
                id: LineId::try_from(line.to_string().as_str()).unwrap(),
                sku: Sku::try_from(if excluded && line == 0 { "X" } else { "A" }).unwrap(),
                category: None,
                quantity: 2,
                amount: minor(*amount),
                discounts: Minor::ZERO,
                is_gift_card: false,
            });
            lines.collect::<Vec<_>>()
        };
        match step {
            Step::Order { member: number, hours, amounts, excluded, points_paid, euros } => {
                requests.push(Request::order(Order {
                    order_id: order_id(orders),
                    member_id: Some(member(*number)),
                    paid_at: at(*hours),
                    currency: if *euros { "EUR" } else { "GBP" }.parse().unwrap(),
                    channel: None,
                    referral_code: None,
                    content: Content {
                        lines: lines(amounts, *excluded),
                        paid_with_points: minor((*points_paid).into()),
                        ..Content::default()
                    },
                }));
                orders += 1;
            }
            Step::Refund { order, hours, amount } => {
                let correction = Correction::Amount(minor(*amount));
                requests.push(Request::refund(order_id(*order), refund_id, at(*hours), correction));
            }
            Step::RefundLine { order, hours, line, amount } => {
                let key = LineKey::Line(LineId::try_from(line.to_string().as_str()).unwrap());
                let line = RefundLine { key, quantity: 1, amount: minor(*amount) };
                let correction = Correction::Lines(vec![line]);
                requests.push(Request::refund(order_id(*order), refund_id, at(*hours), correction));
            }
            Step::Cancel { order, hours } => {
                requests.push(Request::cancel(order_id(*order), at(*hours)));
            }
            Step::Change { order, hours, amounts } => {
                let change_id = ChangeId::try_from(format!("c{index}").as_str()).unwrap();
                let content = Content { lines: lines(amounts, false), ..Content::default() };
                requests.push(Request::change(order_id(*order), change_id, at(*hours), content));
            }
            Step::Spend { member: number, hours, points } => {
                let points = Points::try_from(u64::from(*points)).unwrap();
                let request = Request::spend(client, key, member(*number), at(*hours), points);
                spends.push((member(*number), request.id.clone()));
                requests.push(request);
            }
            Step::GiveBack { spend, hours, points } => {
                if let Some((member, spend)) = spends.get(usize::from(*spend)) {
                    let points = Points::try_from(u64::from(*points)).unwrap();
                    let (member, spend) = (member.clone(), spend.clone());
                    requests.push(Request::give_back(
                        client,
                        key,
                        member,
                        at(*hours),
                        spend,
                        points,
                    ));
                }
            }
            Step::Repeat { step } => {
                if let Some(request) = requests.get(usize::from(*step)).cloned() {
                    requests.push(request);
                }
            }
        }
    }
    requests
}

fn post(program: &Program, ledger: &MemoryLedger, request: &Request) -> Answered {
    pollster::block_on(execute(ledger, program, &mut Attempts(1), request)).unwrap()
}

fn posted(program: &Program, requests: &[Request]) -> MemoryLedger {
    let ledger = MemoryLedger::default();
    for request in requests {
        post(program, &ledger, request);
    }
    ledger
}

/// earned - clawed back - spent + given back - expired = available + pending + held - debt.
fn assert_conserved(account: &Account) {
    let Balance { available, pending, held, debt } = account.balance().unwrap();
    let totals = account.totals;
    let signed = |points: Points| i128::from(points.get());
    assert_eq!(
        signed(totals.earned) - signed(totals.clawed_back) - signed(totals.spent)
            + signed(totals.given_back)
            - signed(totals.expired),
        signed(available) + signed(pending) + signed(held) - signed(debt),
        "{account:#?}"
    );
    if !debt.is_zero() {
        assert_eq!(available, Points::ZERO, "whoever owes points has none to use: {account:#?}");
    }
}

fn entries_of(ledger: &MemoryLedger, member: &MemberId) -> Vec<Entry> {
    let all = ledger.entries();
    all.iter()
        .filter(|it| it.member_id.as_ref() == Some(member) && it.sequence.is_some())
        .map(|it| (**it).clone())
        .collect()
}

fn events(entry: &Entry) -> &[Event] {
    match &entry.answer {
        Answer::Accepted(events) => events,
        Answer::Waiting(_) | Answer::Refused(_) => &[],
    }
}

fn replayed(entries: &[Entry]) -> Account {
    Account::replay(entries.iter().map(|it| (it.at, events(it)))).unwrap()
}

/// 10,000 histories in the test command; more by a variable.
#[expect(clippy::disallowed_methods, reason = "how much is tried is up to who runs the tests")]
fn histories() -> ProptestConfig {
    let cases = std::env::var("LOYALTY_HISTORIES").ok().and_then(|it| it.parse().ok());
    ProptestConfig { cases: cases.unwrap_or(10_000), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(histories())]

    #[test]
    fn what_always_holds(program in any_program(), steps in prop::collection::vec(any_step(), 1..30)) {
        let ledger = MemoryLedger::default();
        for request in requests(&steps) {
            post(&program, &ledger, &request);
            for (_, account) in ledger.accounts() {
                assert_conserved(&account);
                // Orders, refunds and edits never make more of a month than its cap.
                prop_assert!(account.caps.iter().all(|it| it.points.get() <= 1_500), "{:?}", account.caps);
            }
        }

        // Points of all accounts = points issued - points retired, over all entries.
        let (mut issued, mut retired, mut outstanding) = (0_i128, 0_i128, 0_i128);
        for (id, account) in ledger.accounts() {
            let entries = entries_of(&ledger, &id);
            // Each entry has the next sequence number and the balance after it.
            for (index, entry) in entries.iter().enumerate() {
                prop_assert_eq!(entry.sequence, u64::try_from(index + 1).ok());
                let account = replayed(&entries[..=index]);
                prop_assert_eq!(entry.balance, Some(account.balance().unwrap()));
            }
            // Replaying them gives the account.
            prop_assert_eq!(&replayed(&entries), &account);
            // Stored and read again, they are the same.
            for entry in &entries {
                let json = serde_json::to_string(entry).unwrap();
                prop_assert_eq!(&serde_json::from_str::<Entry>(&json).unwrap(), entry);
            }
            let points = |it: Points| i128::from(it.get());
            issued += points(account.totals.earned) + points(account.totals.given_back);
            retired += points(account.totals.clawed_back)
                + points(account.totals.spent)
                + points(account.totals.expired);
            let balance = account.balance().unwrap();
            outstanding +=
                points(balance.available) + points(balance.pending) - points(balance.debt);

            // Looked at much later, everything due has happened and still holds.
            let (later, _) = due::bring_to(&program, account, at(17_520) + 50_000.hours()).unwrap();
            assert_conserved(&later);
            prop_assert!(later.pending.is_empty());
            prop_assert_eq!(later.available().unwrap(), Points::ZERO);
        }
        prop_assert_eq!(issued - retired, outstanding);
    }

    #[test]
    fn every_event_twice_and_members_interleaved_otherwise_gives_the_same_accounts(
        program in any_program(),
        steps in prop::collection::vec(any_step(), 1..30),
        shuffle in prop::collection::vec(0..3_usize, 0..200),
    ) {
        let requests = requests(&steps);
        let expected = posted(&program, &requests);

        // Orders decide whose their refunds are, so each member's events keep their order.
        let owner = |request: &Request| -> usize {
            let named = request.member_id().cloned().or_else(|| {
                let order = request.id.order_id()?.clone();
                requests.iter().find(|it| it.id == CommandId::Order(order.clone()))?.member_id().cloned()
            });
            (0..3_u8).position(|it| Some(member(it)) == named).unwrap_or(0)
        };
        let mut queues: Vec<std::collections::VecDeque<&Request>> = vec![std::collections::VecDeque::default(); 3];
        for request in &requests {
            queues[owner(request)].push_back(request);
        }
        let mut picks = shuffle.into_iter();
        let shuffled = MemoryLedger::default();
        while let Some(pick) = picks.next().or_else(|| queues.iter().position(|it| !it.is_empty())) {
            if let Some(request) = queues[pick].pop_front() {
                post(&program, &shuffled, request);
                let again = post(&program, &shuffled, request);
                prop_assert!(!matches!(again, Answered::Now(_)), "{again:?}");
            }
        }

        prop_assert_eq!(shuffled.accounts(), expected.accounts());
    }

    #[test]
    fn a_refund_that_comes_first_is_the_refund_at_the_instant_of_its_order(
        program in any_program(),
        steps in prop::collection::vec(any_step(), 1..20),
        amounts in prop::collection::vec(0..40_000_u32, 1..4),
    ) {
        // A history before, then an order with refunds: first, or right after it at its instant.
        let before = requests(&steps);
        let order = requests(&[Step::Order {
            member: 0, hours: 9_000, amounts: vec![20_000, 7_777], excluded: false,
            points_paid: 0, euros: false,
        }]).remove(0);
        let loyalty_domain::command::Command::PayOrder(mut order) = order.command else {
            panic!("not an order");
        };
        order.order_id = OrderId::try_from("late").unwrap();
        let order = Request::order(*order);
        let refunds: Vec<Request> = amounts.iter().enumerate().map(|(index, amount)| {
            Request::refund(
                OrderId::try_from("late").unwrap(),
                RefundId::try_from(format!("late{index}").as_str()).unwrap(),
                at(9_000),
                Correction::Amount(Minor::try_from(u64::from(*amount)).unwrap()),
            )
        }).collect();

        let mut first = before.clone();
        first.extend(refunds.iter().cloned());
        first.push(order.clone());
        let mut after = before;
        after.push(order);
        after.extend(refunds);
        let mut first = posted(&program, &first).account(&member(0)).unwrap();
        let after = posted(&program, &after).account(&member(0)).unwrap();

        // One entry holds what three would, so only their number differs.
        first.sequence = after.sequence;
        prop_assert_eq!(first, after);
    }

    #[test]
    fn full_refunds_in_however_many_parts_take_back_exactly_what_was_earned(
        program in any_program(),
        amounts in prop::collection::vec(0..60_000_u32, 1..4),
        parts in prop::collection::vec(1..50_000_u32, 0..8),
        euros: bool,
    ) {
        let mut requests = requests(&[Step::Order {
            member: 0, hours: 100, amounts, excluded: false, points_paid: 0, euros,
        }]);
        for (index, part) in parts.iter().enumerate() {
            requests.push(Request::refund(
                order_id(0),
                RefundId::try_from(index.to_string().as_str()).unwrap(),
                at(100),
                Correction::Amount(Minor::try_from(u64::from(*part)).unwrap()),
            ));
        }
        requests.push(Request::cancel(order_id(0), at(100)));

        let account = posted(&program, &requests).account(&member(0)).unwrap();

        if account.totals.expired.is_zero() {
            prop_assert_eq!(account.totals.clawed_back, account.totals.earned);
        }
        prop_assert_eq!(account.progress.lifetime.spend, Spend::ZERO);
        prop_assert_eq!(account.progress.lifetime.orders, 0);
        prop_assert!(account.caps.iter().all(|it| it.points.is_zero()));
    }
}

#[test]
fn giving_everything_back_restores_the_lots_it_came_from() {
    let program = loyalty_tests_ledger::program();
    let ledger = MemoryLedger::default();
    post(&program, &ledger, &loyalty_tests_ledger::order("o1", "m1", 5_000, 0));
    post(&program, &ledger, &loyalty_tests_ledger::order("o2", "m1", 3_000, 40 * 86_400));
    let before = ledger.account(&MemberId::try_from("m1").unwrap()).unwrap();

    let spend = loyalty_tests_ledger::spend("k1", "m1", 70, 41 * 86_400);
    post(&program, &ledger, &spend);
    for (key, points) in [("b1", 15), ("b2", 55)] {
        let request = Request::give_back(
            ClientId::try_from("till").unwrap(),
            RequestKey::try_from(key).unwrap(),
            MemberId::try_from("m1").unwrap(),
            loyalty_tests_ledger::instant(42 * 86_400),
            spend.id.clone(),
            Points::try_from(points).unwrap(),
        );
        post(&program, &ledger, &request);
    }

    let after = ledger.account(&MemberId::try_from("m1").unwrap()).unwrap();
    assert_eq!(before.lots.len(), 2);
    assert_eq!(after.lots, before.lots);
}

#[test]
fn what_was_spent_before_its_order_is_refunded_becomes_debt_that_later_points_pay_first() {
    let program = loyalty_tests_ledger::program();
    let ledger = MemoryLedger::default();
    post(&program, &ledger, &loyalty_tests_ledger::order("o1", "m1", 5_000, 0));
    post(&program, &ledger, &loyalty_tests_ledger::spend("k1", "m1", 50, 1));

    post(&program, &ledger, &loyalty_tests_ledger::refund("o1", "r1", 5_000, 2));
    let owing = ledger.account(&MemberId::try_from("m1").unwrap()).unwrap();
    post(&program, &ledger, &loyalty_tests_ledger::order("o2", "m1", 8_000, 3));
    let paid = ledger.account(&MemberId::try_from("m1").unwrap()).unwrap();

    assert_eq!((owing.debt.get(), owing.available().unwrap().get()), (50, 0));
    assert_eq!((paid.debt.get(), paid.available().unwrap().get()), (0, 30));
    let is_owed = |event: &Event| {
        matches!(event, Event::Corrected(corrected)
            if matches!(corrected.settled, Settled::TakenBack { debt, .. } if debt.get() == 50))
    };
    assert!(ledger.entries().iter().flat_map(|it| events(it)).any(is_owed));
}
