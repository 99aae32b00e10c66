//! The contract that every ledger passes: one function for each thing that a store must get right.
//!
//! A store's own tests call [`every_ledger`] with a way to make an empty one.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "this is a test suite: it panics where a ledger breaks its contract"
)]

mod due;
pub mod farm;
pub mod friends;
pub mod history;
mod members;
mod merges;
pub mod rewards;
mod statement;

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use loyalty_domain::{
    account::Account,
    command::{Command, Correction, RefundLine, Request},
    decide::Rejection,
    event::Event,
    id::{ClientId, CommandId, LineId, MemberId, OrderId, RefundId, RequestKey, Sku},
    money::Minor,
    opening::{BroughtLevel, BroughtLot, Opening},
    order::{Content, Line, LineKey, Order},
    points::Points,
    program::{Program, ProgramSpec},
};
use loyalty_ledger::{
    AccountChange, Answer, Answered, Appended, Attempts, Change, Claim, ClaimCondition, ClaimKey,
    Entry, Ledger, LedgerError, OrderChange, PAGE, Reading, SpendChange, catalogue::Catalogue,
    due::DueWork, execute, members::Members, statement::Accounts,
};

/// Runs the whole contract, each part on an empty ledger of its own.
pub async fn every_ledger<L: Ledger + Accounts + Catalogue + DueWork + Members>(
    empty: impl Fn() -> L,
) {
    a_new_order_is_answered_now_and_a_repeat_before(&empty()).await;
    the_same_id_with_other_content_is_reported_and_never_applied(&empty()).await;
    a_refusal_is_remembered(&empty()).await;
    a_refund_that_comes_first_waits_for_its_order(&empty()).await;
    a_lost_race_changes_nothing(&empty()).await;
    a_known_id_comes_before_a_lost_race(&empty()).await;
    an_order_that_was_added_to_since_is_a_lost_race(&empty()).await;
    two_accounts_change_together_or_not_at_all(&empty()).await;
    a_claim_that_fails_changes_nothing(&empty()).await;
    what_comes_back_since_it_was_read_is_a_lost_race(&empty()).await;
    refunds_of_one_order_add_up_however_many_there_are(&empty()).await;
    a_refused_refund_is_remembered_and_the_next_one_taken(&empty()).await;
    a_guests_order_is_corrected_without_any_account(&empty()).await;
    a_member_brings_what_it_has_once_and_what_was_declined_can_be_mended(&empty()).await;
    a_statement_goes_back_page_by_page_to_the_first_entry(&empty()).await;
    posting_what_is_due_says_when_to_look_again_even_if_nothing_was(&empty()).await;
    an_order_of_ten_thousand_lines_is_kept_whole(&empty()).await;
    ids_of_any_characters_are_kept_apart(&empty()).await;
    a_change_outside_of_the_limits_is_a_bug(&empty()).await;
    statement::an_account_is_found_as_it_was_left(&empty()).await;
    statement::entries_are_found_in_the_order_in_which_they_are_asked_for(&empty()).await;
    statement::a_statement_of_any_length_has_every_entry_once_newest_first(&empty()).await;
    statement::new_entries_between_pages_move_nothing(&empty()).await;
    statement::a_cursor_that_was_made_up_shows_nothing(&empty()).await;
    a_new_version_that_changes_nothing_for_a_member_leaves_nothing(&empty()).await;
    due::who_is_due_by_a_day_is_found_once_and_nobody_else(&empty()).await;
    due::who_is_due_is_found_page_by_page_by_day_and_then_by_id(&empty()).await;
    due::who_was_posted_is_found_again_on_the_next_day(&empty()).await;
    due::whoever_begins_anywhere_finds_what_comes_after(&empty()).await;
    that_all_members_were_found_is_kept_once_and_is_about_nobody(&empty()).await;
    members::everybody_with_an_account_is_found_once_and_nothing_else(&empty()).await;
    members::nobody_is_found_where_there_is_nobody(&empty()).await;
    members::whoever_goes_on_at_a_place_finds_those_who_were_left(&empty()).await;
    merges::what_is_said_of_a_name_is_about_the_account_that_goes_on(&empty()).await;
    merges::a_statement_of_a_name_is_that_of_the_account_that_goes_on(&empty()).await;
    merges::a_merge_is_undone_once_and_the_names_part(&empty()).await;
    merges::what_makes_no_sense_is_refused_by_name(&empty()).await;
    rewards::a_reward_is_kept_version_by_version(&empty()).await;
    rewards::each_version_of_a_reward_is_kept_with_who_made_it(&empty()).await;
    rewards::what_a_reward_is_never_changes(&empty()).await;
    rewards::rewards_are_found_page_by_page(&empty()).await;
    rewards::stock_changes_once_for_each_key(&empty()).await;
    rewards::a_code_is_added_once_and_never_again(&empty()).await;
    rewards::serial_numbers_go_on_where_they_ended(&empty()).await;
    rewards::a_redemption_takes_points_stock_and_limit_together(&empty()).await;
    rewards::a_redemption_goes_on_once_and_puts_everything_back(&empty()).await;
    rewards::what_others_took_since_it_was_read_is_decided_again(&empty()).await;
}

/// One point a pound, at once available, silver from 200.00 on with a bonus of a tenth.
pub fn program() -> Program {
    let spec: ProgramSpec = serde_json_program();
    Program::try_from(spec).unwrap()
}

fn serde_json_program() -> ProgramSpec {
    serde_json::from_str(
        r#"{
            "name": "Contract", "version": 3, "effective": "2026-01-01", "currency": "GBP",
            "time_zone": "Europe/London",
            "earning": {"points_per_unit": "1", "expiry_months": 12},
            "tiers": {"levels": [
                {"id": "bronze", "name": "Bronze"},
                {"id": "silver", "name": "Silver", "spend": "200", "bonus": "0.1"}
            ]}
        }"#,
    )
    .unwrap()
}

/// A member's id.
pub fn member(id: &str) -> MemberId {
    MemberId::try_from(id).unwrap()
}

/// An order of one line, paid some seconds after an arbitrary beginning.
pub fn order(id: &str, member_id: &str, minor: u64, second: i64) -> Request {
    Request::order(Order {
        order_id: OrderId::try_from(id).unwrap(),
        member_id: Some(member(member_id)),
        paid_at: instant(second),
        currency: "GBP".parse().unwrap(),
        channel: None,
        referral_code: None,
        points_hold: None,
        content: Content {
            lines: vec![Line {
                id: LineId::try_from("1").unwrap(),
                sku: Sku::try_from("A").unwrap(),
                category: None,
                quantity: 1,
                amount: Minor::try_from(minor).unwrap(),
                discounts: Minor::ZERO,
                is_gift_card: false,
            }],
            ..Content::default()
        },
    })
}

/// A refund of an amount of an order.
pub fn refund(order: &str, id: &str, minor: u64, second: i64) -> Request {
    Request::refund(
        OrderId::try_from(order).unwrap(),
        RefundId::try_from(id).unwrap(),
        instant(second),
        Correction::Amount(Minor::try_from(minor).unwrap()),
    )
}

/// A use of points.
pub fn spend(key: &str, member_id: &str, points: u64, second: i64) -> Request {
    Request::spend(
        ClientId::try_from("till").unwrap(),
        RequestKey::try_from(key).unwrap(),
        member(member_id),
        instant(second),
        Points::try_from(points).unwrap(),
    )
}

/// Some seconds after an arbitrary beginning.
pub fn instant(second: i64) -> Timestamp {
    Timestamp::from_second(1_770_000_000 + second).unwrap()
}

async fn answer(ledger: &impl Ledger, request: &Request) -> Answered {
    execute(ledger, &program(), &mut Attempts(1), request).await.unwrap()
}

#[track_caller]
fn now(answered: Answered) -> Arc<Entry> {
    match answered {
        Answered::Now(entry) => entry,
        Answered::Before(_)
        | Answered::Declined(_)
        | Answered::Idle
        | Answered::Reused(_)
        | Answered::Taken(_) => panic!("not answered now: {answered:?}"),
    }
}

async fn account(ledger: &impl Ledger, member_id: &str) -> Account {
    ledger.load(&spend("look", member_id, 1, 0), Reading::Newest).await.unwrap().known.account
}

async fn a_new_order_is_answered_now_and_a_repeat_before(ledger: &impl Ledger) {
    let request = order("o1", "m1", 5_000, 0);

    let entry = now(answer(ledger, &request).await);
    let again = answer(ledger, &request).await;

    assert_eq!(entry.sequence, Some(1));
    assert_eq!(entry.program_version, 3);
    assert_eq!(entry.balance.unwrap().available.get(), 50);
    assert_eq!(again, Answered::Before(entry));
    assert_eq!(account(ledger, "m1").await.sequence, 1);
}

async fn the_same_id_with_other_content_is_reported_and_never_applied(ledger: &impl Ledger) {
    let first = now(answer(ledger, &order("o1", "m1", 5_000, 0)).await);

    let other_amount = answer(ledger, &order("o1", "m1", 6_000, 0)).await;
    let other_member = answer(ledger, &order("o1", "m2", 5_000, 0)).await;

    assert_eq!(other_amount, Answered::Reused(Arc::clone(&first)));
    assert_eq!(other_member, Answered::Reused(first));
    assert_eq!(account(ledger, "m1").await.available().unwrap().get(), 50);
    assert_eq!(account(ledger, "m2").await, Account::default());
}

async fn that_all_members_were_found_is_kept_once_and_is_about_nobody<L: Ledger + Accounts>(
    ledger: &L,
) {
    let id = CommandId::Version(3);
    let find = async || ledger.find_entries(std::slice::from_ref(&id), Reading::Newest).await;
    assert_eq!(find().await.unwrap(), []);

    let entry = now(answer(ledger, &Request::end_measuring(3, instant(0))).await);
    let again = answer(ledger, &Request::end_measuring(3, instant(60))).await;

    assert_eq!(again, Answered::Before(Arc::clone(&entry)));
    assert_eq!(entry.answer, Answer::Accepted(Vec::new()));
    assert_eq!((&entry.member_id, entry.sequence, entry.balance), (&None, None, None));
    assert_eq!(find().await.unwrap(), [entry]);
}

async fn a_refusal_is_remembered(ledger: &impl Ledger) {
    let request = spend("k1", "m1", 50, 1);

    let refused = now(answer(ledger, &request).await);
    now(answer(ledger, &order("o1", "m1", 5_000, 2)).await);
    let again = answer(ledger, &request).await;

    assert!(matches!(refused.answer, Answer::Refused(_)), "{refused:?}");
    assert_eq!(refused.sequence, None, "a refusal leaves the account alone");
    assert_eq!(again, Answered::Before(refused));
    assert_eq!(account(ledger, "m1").await.available().unwrap().get(), 50);
}

async fn a_refund_that_comes_first_waits_for_its_order(ledger: &impl Ledger) {
    let early = refund("o1", "r1", 2_000, 9);

    let waits = now(answer(ledger, &early).await);
    let entry = now(answer(ledger, &order("o1", "m1", 5_000, 0)).await);
    let again = answer(ledger, &early).await;
    let later = now(answer(ledger, &refund("o1", "r2", 500, 10)).await);

    assert!(matches!(waits.answer, Answer::Waiting(_)), "{waits:?}");
    assert_eq!(entry.balance.unwrap().available.get(), 30);
    assert_eq!(again, Answered::Before(waits));
    assert_eq!(later.balance.unwrap().available.get(), 25);
    assert_eq!(later.member_id, Some(member("m1")));
}

/// What `execute` would append for an order, with an account of someone's choice.
async fn change(ledger: &impl Ledger, id: &str, accounts: &[(&str, u64)]) -> Change {
    let scratch = loyalty_ledger::memory::MemoryLedger::default();
    let entry = now(answer(&scratch, &order(id, "m1", 5_000, 0)).await);
    let mut changes = Vec::new();
    for (member_id, expected) in accounts {
        let mut account = account(ledger, member_id).await;
        account.sequence = expected + 1;
        changes.push(AccountChange {
            member_id: member(member_id),
            expected: *expected,
            account,
            recent: Vec::new(),
            due_after: None,
        });
    }
    Change { entries: vec![entry], accounts: changes, ..Change::default() }
}

async fn a_lost_race_changes_nothing(ledger: &impl Ledger) {
    now(answer(ledger, &order("o1", "m1", 5_000, 0)).await);
    let before = account(ledger, "m1").await;

    let stale = change(ledger, "o2", &[("m1", 0)]).await;
    let appended = ledger.append(stale).await.unwrap();

    assert_eq!(appended, Appended::Raced);
    assert_eq!(account(ledger, "m1").await, before);
    now(answer(ledger, &order("o2", "m1", 5_000, 0)).await);
}

async fn a_known_id_comes_before_a_lost_race(ledger: &impl Ledger) {
    let first = now(answer(ledger, &order("o1", "m1", 5_000, 0)).await);

    let stale = change(ledger, "o1", &[("m1", 7)]).await;
    let appended = ledger.append(stale).await.unwrap();

    assert_eq!(appended, Appended::Before(first));
}

async fn an_order_that_was_added_to_since_is_a_lost_race(ledger: &impl Ledger) {
    now(answer(ledger, &refund("o1", "r1", 2_000, 9)).await);

    let mut stale = change(ledger, "o1", &[("m1", 0)]).await;
    let order_id = OrderId::try_from("o1").unwrap();
    stale.orders = vec![OrderChange { order_id, expected: 0 }];
    let appended = ledger.append(stale).await.unwrap();

    assert_eq!(appended, Appended::Raced, "the order must not overlook what waits for it");
}

async fn two_accounts_change_together_or_not_at_all(ledger: &impl Ledger) {
    now(answer(ledger, &order("o1", "m1", 5_000, 0)).await);

    let half_stale = change(ledger, "o2", &[("m1", 1), ("m2", 5)]).await;
    let refused = ledger.append(half_stale).await.unwrap();
    let untouched = (account(ledger, "m1").await.sequence, account(ledger, "m2").await.sequence);
    let fresh = change(ledger, "o2", &[("m1", 1), ("m2", 0)]).await;
    let appended = ledger.append(fresh).await.unwrap();

    assert_eq!((refused, untouched), (Appended::Raced, (1, 0)));
    assert_eq!(appended, Appended::Now);
    assert_eq!(account(ledger, "m1").await.sequence, 2);
    assert_eq!(account(ledger, "m2").await.sequence, 1);
}

async fn a_claim_that_fails_changes_nothing(ledger: &impl Ledger) {
    let claim = |by, limit| Claim {
        key: ClaimKey { kind: "stock", name: "mug".to_owned() },
        condition: ClaimCondition::Counter { by, limit },
    };
    let unique = Claim {
        key: ClaimKey { kind: "code", name: "ANNA".to_owned() },
        condition: ClaimCondition::Unique,
    };

    let mut first = change(ledger, "o1", &[("m1", 0)]).await;
    first.claims = vec![unique.clone(), claim(2, 3)];
    let first = ledger.append(first).await.unwrap();
    let mut second = change(ledger, "o2", &[("m1", 1)]).await;
    second.claims = vec![claim(2, 3)];
    let second = ledger.append(second).await.unwrap();
    let mut third = change(ledger, "o3", &[("m1", 1)]).await;
    third.claims = vec![claim(1, 3), unique];
    let third = ledger.append(third).await.unwrap();
    let mut fourth = change(ledger, "o4", &[("m1", 1)]).await;
    fourth.claims = vec![claim(1, 3)];
    let fourth = ledger.append(fourth).await.unwrap();

    assert_eq!(first, Appended::Now);
    assert_eq!(second, Appended::ClaimFailed { index: 0 });
    assert_eq!(third, Appended::ClaimFailed { index: 1 });
    assert_eq!(fourth, Appended::Now, "the claim beside one that failed was not made");
}

async fn what_comes_back_since_it_was_read_is_a_lost_race(ledger: &impl Ledger) {
    now(answer(ledger, &order("o1", "m1", 5_000, 0)).await);
    let spent = now(answer(ledger, &spend("k1", "m1", 50, 1)).await);
    let back = |key: &str, points: u64| {
        Request::give_back(
            ClientId::try_from("till").unwrap(),
            RequestKey::try_from(key).unwrap(),
            member("m1"),
            instant(2),
            spent.id.clone(),
            Points::try_from(points).unwrap(),
        )
    };

    let first = now(answer(ledger, &back("b1", 30)).await);
    let mut stale = change(ledger, "o2", &[("m1", 3)]).await;
    let (expected, given_back) = (Points::ZERO, Points::try_from(20).unwrap());
    stale.spends = vec![SpendChange { id: spent.id.clone(), expected, given_back }];
    let stale = ledger.append(stale).await.unwrap();
    let too_many = now(answer(ledger, &back("b2", 21)).await);
    let second = now(answer(ledger, &back("b3", 20)).await);

    assert_eq!(first.balance.unwrap().available.get(), 30);
    assert_eq!(stale, Appended::Raced);
    assert!(matches!(too_many.answer, Answer::Refused(Rejection::MoreThanSpent { .. })));
    assert_eq!(second.balance.unwrap().available.get(), 50);
}

async fn refunds_of_one_order_add_up_however_many_there_are(ledger: &impl Ledger) {
    now(answer(ledger, &refund("o1", "early", 1_000, 9)).await);
    now(answer(ledger, &refund("o1", "early too", 500, 9)).await);
    now(answer(ledger, &order("o1", "m1", 5_000, 0)).await);

    let mut left = Vec::new();
    for number in 0..4 {
        let refund = refund("o1", &format!("r{number}"), 1_000, 10);
        left.push(now(answer(ledger, &refund).await).balance.unwrap().available.get());
    }

    assert_eq!(left, [25, 15, 5, 0]);
    assert_eq!(account(ledger, "m1").await.debt, Points::ZERO);
}

async fn a_refused_refund_is_remembered_and_the_next_one_taken(ledger: &impl Ledger) {
    now(answer(ledger, &order("o1", "m1", 5_000, 0)).await);
    let key = LineKey::Line(LineId::try_from("no such line").unwrap());
    let line = RefundLine { key, quantity: 1, amount: Minor::try_from(100).unwrap() };
    let (order_id, refund_id) = ("o1".try_into().unwrap(), "r1".try_into().unwrap());
    let wrong = Request::refund(order_id, refund_id, instant(1), Correction::Lines(vec![line]));

    let refused = now(answer(ledger, &wrong).await);
    let again = answer(ledger, &wrong).await;
    let right = now(answer(ledger, &refund("o1", "r2", 1_000, 2)).await);

    assert!(matches!(refused.answer, Answer::Refused(Rejection::LineNotInOrder { .. })));
    assert_eq!(again, Answered::Before(refused));
    assert_eq!(right.balance.unwrap().available.get(), 40);
}

async fn a_guests_order_is_corrected_without_any_account(ledger: &impl Ledger) {
    let mut guests = order("o1", "m1", 5_000, 0);
    if let Command::PayOrder(order) = &mut guests.command {
        order.member_id = None;
    }

    let paid = now(answer(ledger, &guests).await);
    let refunded = now(answer(ledger, &refund("o1", "r1", 2_000, 1)).await);
    let again = now(answer(ledger, &refund("o1", "r2", 4_000, 2)).await);

    assert_eq!((paid.sequence, refunded.sequence), (None, None));
    let Answer::Accepted(events) = &again.answer else { panic!("{again:?}") };
    let Some(Event::Corrected(corrected)) = events.first() else { panic!("{events:?}") };
    assert_eq!((corrected.eligible_before.get(), corrected.cut.get()), (3_000, 1_000));
}

async fn a_statement_goes_back_page_by_page_to_the_first_entry(ledger: &impl Ledger) {
    let mut entries = HashMap::new();
    for number in 0..37 {
        let request = order(&format!("o{number}"), "m1", 100, number);
        let entry = now(answer(ledger, &request).await);
        entries.insert(entry.id.clone(), entry);
    }

    let mut page = ledger.load(&spend("look", "m1", 1, 0), Reading::Newest).await.unwrap().recent;
    let mut sequences = Vec::new();
    while let Some(oldest) = page.first() {
        assert!(page.len() <= usize::try_from(PAGE).unwrap());
        sequences.extend(page.iter().rev().map(|it| entries[it].sequence.unwrap()));
        page = entries[oldest].previous.clone();
    }

    assert_eq!(sequences, (1..=37).rev().collect::<Vec<_>>());
}

async fn a_member_brings_what_it_has_once_and_what_was_declined_can_be_mended(
    ledger: &impl Ledger,
) {
    let brings = |points: u64, level: &str, second| {
        let lot = BroughtLot {
            points: Points::try_from(points).unwrap(),
            last_good_day: jiff::civil::date(2026, 6, 30),
        };
        let level = level.try_into().unwrap();
        let level = Some(BroughtLevel { level, valid_through: None });
        let opening = Opening { lots: vec![lot], level, ..Opening::default() };
        Request::open(member("m#1"), instant(second), opening)
    };
    now(answer(ledger, &order("o1", "m#1", 5_000, 0)).await);

    let declined = answer(ledger, &brings(70, "sliver", 1)).await;
    let entry = now(answer(ledger, &brings(70, "silver", 1)).await);
    let again = answer(ledger, &brings(70, "silver", 9)).await;
    let more = answer(ledger, &brings(80, "silver", 1)).await;
    let wrong = answer(ledger, &brings(70, "sliver", 1)).await;

    let level = "sliver".try_into().unwrap();
    assert_eq!(declined, Answered::Declined(Rejection::LevelNotInProgram { level }));
    assert_eq!((entry.sequence, entry.balance.unwrap().available.get()), (Some(2), 120));
    assert_eq!(again, Answered::Before(Arc::clone(&entry)));
    assert_eq!(more, Answered::Reused(Arc::clone(&entry)));
    assert_eq!(wrong, Answered::Reused(entry));
    let account = account(ledger, "m#1").await;
    assert_eq!((account.sequence, account.available().unwrap().get()), (2, 120));
    let look = spend("look", "m#1", 1, 0);
    let due_after = ledger.load(&look, Reading::Newest).await.unwrap().due_after;
    assert_eq!(due_after, Some(jiff::civil::date(2026, 6, 30)));
}

async fn posting_what_is_due_says_when_to_look_again_even_if_nothing_was(ledger: &impl Ledger) {
    let due = |instant: &str| {
        let at: Timestamp = instant.parse().unwrap();
        let day = jiff::tz::TimeZone::UTC.to_datetime(at).date();
        let command = Command::PostDue { member_id: member("m1") };
        Request { id: CommandId::Due(member("m1"), day), at, command }
    };
    let look = spend("look", "m1", 1, 0);
    let due_after = async || ledger.load(&look, Reading::Newest).await.unwrap().due_after;
    now(answer(ledger, &order("o1", "m1", 5_000, 0)).await);
    now(answer(ledger, &order("o2", "m1", 3_000, 40 * 86_400)).await);
    let first = due_after().await;
    now(answer(ledger, &spend("k1", "m1", 50, 41 * 86_400)).await);
    let spent = due_after().await;

    // The first lot is empty by now, so nothing falls due on its day.
    let nothing = now(answer(ledger, &due("2027-02-10T00:00:00Z")).await);
    let second = due_after().await;
    let expired = now(answer(ledger, &due("2027-03-20T00:00:00Z")).await);

    assert_eq!(first, Some(jiff::civil::date(2027, 2, 2)));
    assert_eq!(spent, first, "a command never makes it later");
    assert_eq!(nothing.answer, Answer::Accepted(Vec::new()));
    assert_eq!(second, Some(jiff::civil::date(2027, 3, 14)));
    assert_eq!(expired.balance.unwrap().available, Points::ZERO);
    assert_eq!(due_after().await, None);
}

async fn a_new_version_that_changes_nothing_for_a_member_leaves_nothing(ledger: &impl Ledger) {
    let program = |silver: &str, grace_months| {
        let mut spec = serde_json_program();
        spec.version = 4;
        spec.tiers.grace_months = grace_months;
        spec.tiers.levels[1].spend = Some(silver.parse().unwrap());
        Program::try_from(spec).unwrap()
    };
    let measured = async |member_id: &str, program: Program| {
        let request = Request::measure(member(member_id), 4, instant(86_400));
        execute(ledger, &program, &mut Attempts(1), &request).await.unwrap()
    };
    now(answer(ledger, &order("o1", "m1", 15_000, 0)).await);

    let nobody = measured("m2", program("100", 0)).await;
    let same = measured("m1", program("200", 0)).await;
    let once_more = measured("m1", program("200", 0)).await;
    let raised = now(measured("m1", program("150", 0)).await);
    let again = measured("m1", program("150", 0)).await;

    assert_eq!([&nobody, &same, &once_more], [&Answered::Idle; 3]);
    assert_eq!(raised.sequence, Some(2));
    assert_eq!(again, Answered::Before(raised));
    assert_eq!(account(ledger, "m2").await, Account::default());
    let level = account(ledger, "m1").await.tier.level.unwrap();
    assert_eq!(level.as_str(), "silver");
}

async fn an_order_of_ten_thousand_lines_is_kept_whole(ledger: &impl Ledger) {
    let mut large = order("o1", "m1", 5_000, 0);
    if let Command::PayOrder(order) = &mut large.command {
        let line = order.content.lines[0].clone();
        order.content.lines = (0..10_000)
            .map(|it| {
                // As long as a message of a queue allows for so many.
                let id = format!("{it:08}-{}", "x".repeat(60));
                Line { id: id.as_str().try_into().unwrap(), ..line.clone() }
            })
            .collect();
    }

    // Refunds that come first are many, too; each is of one line.
    for number in 0..50 {
        let key = LineKey::Line(line_of(&large, number));
        let line = RefundLine { key, quantity: 1, amount: Minor::try_from(5_000).unwrap() };
        let (order_id, refund_id) =
            ("o1".try_into().unwrap(), RefundId::try_from(format!("e{number}").as_str()).unwrap());
        let early = Request::refund(order_id, refund_id, instant(0), Correction::Lines(vec![line]));
        now(answer(ledger, &early).await);
    }

    let entry = now(answer(ledger, &large).await);
    let again = answer(ledger, &large).await;
    let refunded = now(answer(ledger, &refund("o1", "r1", 5_000, 1)).await);

    // 500,000 points less 50 for each refund; silver is reached with it, so there is no bonus yet.
    assert_eq!(entry.balance.unwrap().available.get(), 497_500);
    assert_eq!(again, Answered::Before(entry));
    assert_eq!(refunded.balance.unwrap().available.get(), 497_450);
}

fn line_of(request: &Request, index: usize) -> LineId {
    let Command::PayOrder(order) = &request.command else { panic!("no order: {request:?}") };
    order.content.lines[index].id.clone()
}

async fn ids_of_any_characters_are_kept_apart(ledger: &impl Ledger) {
    let odd = ["a#b", "a%23b", "a:b/c", "a", "é", "e\u{301}", "🦀", "A", " a", "a "];
    for (number, id) in odd.iter().enumerate() {
        let minor = 100 * (u64::try_from(number).unwrap() + 1);
        now(answer(ledger, &order(id, id, minor, 0)).await);
    }
    now(answer(ledger, &refund("a", "b#R#c", 1, 1)).await);
    now(answer(ledger, &refund("a#R#b", "c", 1, 1)).await);

    for (number, id) in odd.iter().enumerate() {
        let available = account(ledger, id).await.available().unwrap().get();
        // One of them was refunded a penny, which costs its fourth point.
        let taken = u64::from(*id == "a");
        assert_eq!(available, u64::try_from(number).unwrap() + 1 - taken, "{id:?}");
    }
}

async fn a_change_outside_of_the_limits_is_a_bug(ledger: &impl Ledger) {
    let too_many = [("m1", 0), ("m2", 0), ("m3", 0), ("m4", 0)];

    let four = ledger.append(change(ledger, "o1", &too_many).await).await;
    let none = ledger.append(Change::default()).await;

    for result in [four, none] {
        match result {
            Err(error @ LedgerError::InvalidChange) => assert!(!error.is_transient()),
            other => panic!("not refused as a bug: {other:?}"),
        }
    }
    let id = CommandId::Order(OrderId::try_from("o1").unwrap());
    let loaded = ledger.load(&order("o1", "m1", 5_000, 0), Reading::Newest).await.unwrap();
    assert_eq!(loaded.entry, None, "{id} was not stored");
}
