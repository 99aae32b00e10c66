//! Random histories through the use case: what always holds, and what never depends on delivery.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

use std::collections::{BTreeMap, HashMap};

use jiff::ToSpan;
use loyalty_domain::{
    account::{Account, Balance},
    command::{Command, Correction, Request},
    decide::Rejection,
    due,
    event::{Event, Settled},
    expiry::Expiry,
    id::{ClientId, CommandId, MemberId, OrderId, RefundId, RequestKey},
    money::{Minor, Spend},
    points::Points,
    program::{Program, in_force},
    redemption::RedemptionEvent,
};
use loyalty_ledger::{
    Answer, Answered, Attempts, Entry, catalogue::Catalogue as _, execute, memory::MemoryLedger,
};
use loyalty_tests_ledger::history::{
    self, CheckoutStep, Step, any_program, any_step, any_succession, assert_conserved, at, codes,
    member, memory, order_id, requests, rewards,
};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::Value;

fn post(program: &Program, ledger: &MemoryLedger, request: &Request) -> Answered {
    let answered = pollster::block_on(execute(ledger, program, &mut Attempts(1), request));
    answered.unwrap_or_else(|error| panic!("{error}: {request:?}"))
}

fn posted(program: &Program, requests: &[Request]) -> MemoryLedger {
    let ledger = memory();
    for request in requests {
        post(program, &ledger, request);
    }
    ledger
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

/// Whose events reach whose accounts: orders decide whose their refunds are, and so do claims of a guest's, and
/// who names somebody's code may be rewarded with them.
struct Owners {
    groups: Vec<usize>,
    orders: HashMap<OrderId, usize>,
}

impl Owners {
    fn of(requests: &[Request]) -> Self {
        let mut owners = Self { groups: vec![0, 1, 2], orders: HashMap::new() };
        for request in requests {
            let Some(named) = request.member_id().map(number) else { continue };
            let code = request.referral_code().flatten();
            let brought_by = code.and_then(|code| codes().find(|(it, _)| *it == code));
            if let Some((_, referrer)) = brought_by {
                owners.join(named, number(&referrer));
            }
            if let Command::Merge { act, .. } = &request.command {
                owners.join(named, number(act.into()));
            }
            if let Command::Transfer { transfer, .. } = &request.command {
                owners.join(named, number(&transfer.to));
            }
            if let Some(order) = request.id.order_id() {
                let other = *owners.orders.entry(order.clone()).or_insert(named);
                owners.join(named, other);
            }
        }
        owners
    }

    fn join(&mut self, one: usize, other: usize) {
        let (from, to) = (self.groups[one], self.groups[other]);
        for group in self.groups.iter_mut().filter(|it| **it == from) {
            *group = to;
        }
    }

    fn of_request(&self, request: &Request) -> usize {
        let order = || self.orders.get(request.id.order_id()?).copied();
        let owner = request.member_id().map(number).or_else(order);
        // An order that stays a guest's is in nobody's way.
        owner.map_or(0, |it| self.groups[it])
    }
}

fn number(member_id: &MemberId) -> usize {
    (0..3_u8).position(|it| member(it) == *member_id).unwrap()
}

fn is_out_of_range(answered: &Answered) -> bool {
    match answered {
        Answered::Declined(rejection) => *rejection == Rejection::OutOfRange,
        Answered::Now(entry) => entry.answer == Answer::Refused(Rejection::OutOfRange),
        Answered::Before(_) | Answered::Idle | Answered::Reused(_) | Answered::Taken(_) => false,
    }
}

fn histories() -> ProptestConfig {
    ProptestConfig { cases: history::histories(), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(histories())]

    #[test]
    fn what_always_holds(program in any_program(), steps in prop::collection::vec(any_step(), 1..30)) {
        let ledger = memory();
        let is_any_merged = steps.iter().any(|it| matches!(it, Step::Merge { .. }));
        for request in requests(&steps) {
            let answered = post(&program, &ledger, &request);
            // Numbers as small as these never leave their range: who says so has counted something twice.
            prop_assert!(!is_out_of_range(&answered), "{request:?}: {answered:?}");
            for (_, account) in ledger.accounts() {
                assert_conserved(&account);
                // Orders, refunds and edits never make more of a month than its cap.
                if !is_any_merged {
                    prop_assert!(account.caps.iter().all(|it| it.points.get() <= 1_500), "{:?}", account.caps);
                }
            }
        }

        // Points of all accounts = points issued - points retired, over all entries.
        let (mut issued, mut retired, mut outstanding) = (0_i128, 0_i128, 0_i128);
        let (mut came, mut went) = (0_i128, 0_i128);
        let (mut given, mut received) = (0_i128, 0_i128);
        for (id, account) in ledger.accounts() {
            let entries = entries_of(&ledger, &id);
            // Each entry has the next sequence number and the balance after it.
            for (index, entry) in entries.iter().enumerate() {
                prop_assert_eq!(entry.sequence, u64::try_from(index + 1).ok(), "{:?}", entries.iter().map(|it| (it.id.to_string(), it.sequence)).collect::<Vec<_>>());
                let account = replayed(&entries[..=index]);
                prop_assert_eq!(entry.balance, Some(account.balance().unwrap()));
            }
            let held = account.holdings.holds.iter().map(|it| it.points().unwrap());
            prop_assert_eq!(Points::total(held).unwrap(), account.held);
            // Replaying them gives the account.
            prop_assert_eq!(&replayed(&entries), &account);
            // On a later day each time a member is told of what is to come, and of nothing that is gone.
            let mut told = None;
            for entry in &entries {
                let days = events(entry).iter().filter_map(|it| {
                    if let Event::ExpiryAnnounced { day, last_good_day, .. } = it {
                        Some((*day, *last_good_day))
                    } else if let Event::LevelAtRisk(it) = it {
                        Some((it.day, it.valid_through))
                    } else {
                        None
                    }
                });
                let days: Vec<_> = days.collect();
                prop_assert!(days.iter().all(|(day, last)| told < Some(*day) && day <= last));
                told = days.first().map_or(told, |(day, _)| Some(*day));
            }
            // Stored and read again, they are the same.
            for entry in &entries {
                let json = serde_json::to_string(entry).unwrap();
                prop_assert_eq!(&serde_json::from_str::<Entry>(&json).unwrap(), entry);
            }
            let points = |it: Points| i128::from(it.get());
            let adjusted = account.totals.adjusted;
            let merged = account.holdings.merged;
            came += points(merged.up);
            went += points(merged.down);
            let transferred = account.holdings.transferred;
            given += points(transferred.down);
            received += points(transferred.up);
            issued += points(account.totals.earned) + points(account.totals.given_back)
                + points(adjusted.up);
            retired += points(adjusted.down) + points(account.totals.clawed_back)
                + points(account.totals.spent)
                + points(account.totals.expired);
            let balance = account.balance().unwrap();
            outstanding +=
                points(balance.available) + points(balance.pending) + points(balance.held)
                    - points(balance.debt);

            // Looked at much later, everything due has happened and still holds.
            let (later, _) = due::bring_to(&program, account, at(17_520) + 50_000.hours()).unwrap();
            assert_conserved(&later);
            prop_assert!(later.pending.is_empty());
            prop_assert!(later.holdings.holds.is_empty());
            prop_assert_eq!(later.held, Points::ZERO);
            if program.spec().earning.expiry != Expiry::Never {
                prop_assert_eq!(later.available().unwrap(), Points::ZERO);
            }
        }
        prop_assert_eq!(issued - retired, outstanding);
        // What went from one account came to another.
        prop_assert_eq!(came, went);
        prop_assert_eq!(given, received);

        // What is left of a stock and what members have of it are what there was.
        for (spec, stock) in rewards().into_iter().filter(|(_, stock)| *stock > 0) {
            let id = spec.id.clone();
            let left = pollster::block_on(ledger.remaining(&spec.try_into().unwrap())).unwrap();
            let mut sold = 0_u64;
            for entry in ledger.entries() {
                for event in events(&entry) {
                    let Event::Redemption(event) = event else { continue };
                    match &**event {
                        RedemptionEvent::Issued(it) => sold += u64::from(it.reward == id),
                        RedemptionEvent::Cancelled(it) | RedemptionEvent::Refunded(it) => {
                            sold -= u64::from(it.reward == id && it.shard.is_some());
                        }
                        RedemptionEvent::Fulfilled { .. } => (),
                    }
                }
            }
            prop_assert_eq!(left, Some(stock - sold), "{}", id);
        }
    }

    #[test]
    fn a_merge_that_is_undone_at_once_leaves_both_accounts_as_they_were(
        program in any_program(),
        mut steps in prop::collection::vec(any_step(), 1..30),
        hours in 0..17_520_u16,
    ) {
        // Both have an account, or there is nothing to make one.
        let orders = requests(&[0, 1].map(|member| Step::Order {
            member, code: None, hours: 0, amounts: vec![20_000], excluded: false, points_paid: 0, euros: false,
        }));
        steps.retain(|it| !matches!(it, Step::Merge { .. }));
        let requests: Vec<Request> = orders.into_iter().chain(requests(&steps)).collect();
        let (key, undo_key) = ("merge".try_into().unwrap(), "undo".try_into().unwrap());
        let client = || ClientId::try_from("desk").unwrap();
        let before = posted(&program, &requests);
        // All that is due by then has happened before, for both of them.
        let clocks = [0, 1].into_iter().filter_map(|it| before.account(&member(it))?.clock);
        let latest = clocks.chain([at(hours)]).max().unwrap();
        for number in 0..2 {
            let id = CommandId::Due(member(number), "2099-01-01".parse().unwrap());
            let command = Command::PostDue { member_id: member(number) };
            post(&program, &before, &Request { id, at: latest, command });
        }
        // Whoever becomes one with another lets go of what is held, and nothing holds it again.
        let account = before.account(&member(0)).unwrap_or_default();
        for (index, hold) in account.holdings.holds.iter().enumerate() {
            let key = format!("let-go-{index}").as_str().try_into().unwrap();
            post(&program, &before, &Request::release(client(), key, member(0), latest, hold.id));
        }
        let accounts = |ledger: &MemoryLedger| {
            [member(0), member(1)].map(|it| {
                let account = ledger.account(&it).unwrap_or_default();
                let clocks = [0, 1].iter().filter_map(|it| ledger.account(&member(*it))?.clock);
                let at = clocks.chain([at(hours)]).max().unwrap();
                let (mut account, _) = due::bring_to(&program, account, at).unwrap();
                // Where two lots that hold nothing were is all that may be gone.
                account.lots.retain(|it| !it.points.is_zero());
                for lot in &mut account.lots {
                    lot.filled = 0;
                }
                account.caps.retain(|it| !it.points.is_zero());
                (account.lots, account.pending, account.debt, account.tier, account.progress.months,
                    account.progress.lifetime, account.progress.tasks, account.caps, account.totals,
                    account.membership)
            })
        };
        let expected = accounts(&before);
        let reason = "same-person".try_into().unwrap();
        let merge = Request::merge(client(), key, member(0), at(hours), member(1), reason);
        let merged = post(&program, &before, &merge);
        let Answered::Now(entry) = merged else { panic!("{merged:?}") };
        if let Answer::Refused(_) = entry.answer {
            // One of them is a name already, or the other has left.
            return Ok(());
        }
        // One account has both, and what is said of the first is about it.
        let empty = before.account(&member(0)).unwrap().balance().unwrap();
        prop_assert_eq!(empty, Balance::default());

        let undone = post(&program, &before, &history::undo(client(), undo_key, &merge, at(hours)));

        let Answered::Now(entry) = undone else { panic!("{undone:?}") };
        prop_assert!(matches!(entry.answer, Answer::Accepted(_)), "{:?}", entry.answer);
        prop_assert_eq!(accounts(&before), expected);
        for (_, account) in before.accounts() {
            assert_conserved(&account);
        }
    }

    #[test]
    fn every_event_twice_and_members_interleaved_otherwise_gives_the_same_accounts(
        program in any_program(),
        steps in prop::collection::vec(any_step(), 1..30),
        shuffle in prop::collection::vec(0..3_usize, 0..200),
    ) {
        let requests = requests(&steps);
        let expected = posted(&program, &requests);

        // Whoever's events reach each other's accounts keeps the order of all of them.
        let owners = Owners::of(&requests);
        let owner = |request: &Request| owners.of_request(request);
        let mut queues: Vec<std::collections::VecDeque<&Request>> = vec![std::collections::VecDeque::default(); 3];
        for request in &requests {
            queues[owner(request)].push_back(request);
        }
        let mut picks = shuffle.into_iter();
        let shuffled = memory();
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
    fn what_is_recorded_on_the_way_changes_nothing_whichever_versions_are_in_force(
        programs in any_succession(),
        steps in prop::collection::vec(any_step(), 1..30),
        days in prop::collection::btree_set(0..850_u16, 0..40),
    ) {
        let mut alone = requests(&steps);
        alone.retain(|it| !matches!(it.command, Command::PostDue { .. }));
        alone.sort_by_key(|it| it.at);
        let jobs = days.iter().flat_map(|day| (0..3).map(|number| Step::Due { member: number, day: *day }));
        let mut with_jobs = alone.clone();
        with_jobs.extend(requests(&jobs.collect::<Vec<_>>()));
        // At one instant what fell due is recorded first, as it would happen by itself.
        with_jobs.sort_by_key(|it| (it.at, !matches!(it.command, Command::PostDue { .. })));
        let accounts = |requests: &[Request]| {
            let ledger = memory();
            for request in requests {
                post(in_force(&programs, request.at).unwrap(), &ledger, request);
            }
            ledger.accounts().into_iter().map(|(id, account)| {
                let end = at(17_520) + 3_000.hours();
                let program = in_force(&programs, end).unwrap();
                let (account, _) = due::bring_to(program, account, end).unwrap();
                assert_conserved(&account);
                let mut lots = account.lots.clone();
                lots.retain(|it| !it.points.is_zero());
                (id, (lots, account.pending, account.debt, account.tier, account.totals, account.caps, account.membership))
            }).collect::<Vec<_>>()
        };

        prop_assert_eq!(accounts(&with_jobs), accounts(&alone));
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
            member: 0, code: None, hours: 9_000, amounts: vec![20_000, 7_777], excluded: false,
            points_paid: 0, euros: false,
        }]).remove(0);
        let Command::PayOrder(mut order) = order.command else {
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
            member: 0, code: None, hours: 100, amounts, excluded: false, points_paid: 0, euros,
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
fn histories_come_to_everything_that_can_become_of_referrals_redemptions_and_checkouts() {
    let mut runner = TestRunner::deterministic();
    let any = (any_program(), prop::collection::vec(any_step(), 1..30));
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..5_000 {
        let (program, steps) = any.new_tree(&mut runner).unwrap().current();
        let ledger = posted(&program, &requests(&steps));
        for entry in ledger.entries() {
            for event in events(&entry) {
                // Its first word, and the one within it.
                let value = serde_json::to_value(event).unwrap();
                let word = |it: &Value| {
                    let of_fields = it.as_object().and_then(|it| it.keys().next().cloned());
                    of_fields.or_else(|| it.as_str().map(str::to_owned)).unwrap_or_default()
                };
                let name = word(&value);
                let inner = match name.as_str() {
                    "referral" | "redemption" | "checkout" | "transfer" | "adjustment" => {
                        word(&value[&name])
                    }
                    "granted" | "grant_taken_back" => word(&value[&name]["reason"]),
                    _ => continue,
                };
                *seen.entry(format!("{name} {inner}")).or_default() += 1;
            }
        }
    }

    for kind in [
        "adjustment denied",
        "adjustment made",
        "adjustment proposed",
        "checkout captured",
        "checkout held",
        "checkout paid",
        "checkout paid_anew",
        "checkout released",
        "checkout returned",
        "granted brought",
        "granted milestone",
        "granted referred",
        "granted welcome",
        "grant_taken_back brought",
        "grant_taken_back milestone",
        "grant_taken_back referred",
        "redemption cancelled",
        "redemption fulfilled",
        "redemption issued",
        "redemption refunded",
        "referral corrected",
        "referral held",
        "referral named",
        "referral not_kept",
        "referral not_named",
        "referral ordered",
        "referral qualified",
        "referral refused",
        "referral revoked",
        "referral rewarded",
        "transfer received",
        "transfer sent",
    ] {
        let times = seen.get(kind).copied().unwrap_or(0);
        assert!(times >= 3, "{kind} {times} times: {seen:#?}");
    }
}

#[test]
fn what_is_held_for_a_checkout_goes_with_whoever_becomes_one_with_another() {
    let order = |member| Step::Order {
        member,
        code: None,
        hours: 0,
        amounts: vec![20_000],
        excluded: false,
        points_paid: 0,
        euros: false,
    };
    let (points, then) = (Some(100), Vec::new());
    let hold = CheckoutStep::Hold { member: 0, hours: 1, points, minutes: None, then };
    let hold = Step::Checkout(hold);
    let mut program = loyalty_tests_ledger::program().spec().clone();
    program.checkout = serde_json::from_value(serde_json::json!({"point_worth": "0.01"})).unwrap();
    let program = Program::try_from(program).unwrap();
    let merge = Step::Merge { source: 0, into: 1, hours: 1 };

    let ledger = posted(&program, &requests(&[order(0), order(1), hold.clone()]));
    assert_eq!(ledger.account(&member(0)).unwrap().held.get(), 100);
    let ledger = posted(&program, &requests(&[order(0), order(1), hold, merge]));

    let (source, into) = (ledger.account(&member(0)).unwrap(), ledger.account(&member(1)).unwrap());
    assert_eq!(source.balance().unwrap(), Balance::default());
    assert_eq!((into.available().unwrap().get(), into.held.get()), (300, 100));
    assert_eq!(into.holdings.holds.len(), 1);
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
