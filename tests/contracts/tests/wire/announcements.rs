//! What the shop is told, as it is told: a member's history, from a balance brought to points expired.

use std::{collections::BTreeMap, num::NonZeroU32};

use jiff::Timestamp;
use loyalty_contracts::{
    announcement::{self, Announcement, Happened},
    member::{ActivationRequested, ContactChannel},
    parse,
    referral::{self, ReferralError},
    schema::{announcements, documents},
};
use loyalty_domain::{
    account::Account,
    adjustment::{AdjustmentChange, NewAdjustment},
    checkout::NewHold,
    code::ReferralCode,
    command::{Command, NewStatus, Request},
    contact::Language,
    event::Event,
    id::{
        ActivityId, AdjustmentId, ClientId, CommandId, HoldId, MemberId, PairId, RedemptionStep,
        RequestKey,
    },
    money::Minor,
    order::{Content, Order},
    points::Points,
    program::{NewVersion, Program, Start},
    redemption::NewRedemption,
    reward::{Reward, VoucherCode},
    tier::{Override, OverrideKind},
};
use loyalty_ledger::{
    Answer, Answered, Attempts, Entry,
    catalogue::{Author, Catalogue as _, StockChange, StockStep, change_reward},
    execute,
    memory::MemoryLedger,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{difference, examples, files, is_json, path};

const EXAMPLES: &str = "shared/contracts/announcements/examples";
const SCHEMAS: &str = "shared/contracts/announcements/schemas";

fn program() -> Program {
    serde_json::from_value(json!({
        "name": "Example", "version": 3, "effective": "2020-01-01", "currency": "EUR",
        "time_zone": "Europe/Berlin",
        "earning": {"points_per_unit": "10", "pending_days": 14, "expiry_months": 12,
            "expiry_rounding": "month_end"},
        "tiers": {"levels": [
            {"id": "bronze", "name": "Bronze"},
            {"id": "silver", "name": "Silver", "spend": "1000", "bonus": "0.05"},
            {"id": "gold", "name": "Gold", "orders": 4, "bonus": "0.1"}]},
        "reminders": {"points_days": [30, 7, 1], "tier_days": [30, 7, 1]}
    }))
    .unwrap()
}

/// What a member does, of whom the examples tell.
fn history() -> Vec<Entry> {
    let member_id = MemberId::try_from("member-7f3a").unwrap();
    let client = ClientId::try_from("shop").unwrap();
    let key = |it: &str| RequestKey::try_from(it).unwrap();
    let at = |it: &str| -> Timestamp { it.parse().unwrap() };
    let points = |it: u64| Points::try_from(it).unwrap();
    let spend = Request::spend(
        client.clone(),
        key("basket-1"),
        member_id.clone(),
        at("2026-07-16T10:00:00Z"),
        points(150),
    );
    let give_back = Request::give_back(
        client.clone(),
        key("basket-1"),
        member_id.clone(),
        at("2026-07-17T10:00:00Z"),
        spend.id.clone(),
        points(150),
    );
    let desk = client.clone();
    let extend = Request::extend(
        client,
        key("letter-1"),
        member_id.clone(),
        at("2026-07-18T10:00:00Z"),
        "2027-01-31".parse().unwrap(),
        "goodwill".try_into().unwrap(),
    );
    let reinstate = Request::reinstate(
        desk,
        key("letter-2"),
        member_id.clone(),
        at("2027-02-10T10:00:00Z"),
        (points(100), "2027-04-30".parse().unwrap()),
        "goodwill".try_into().unwrap(),
    );
    let due = |day: &str, begins_at: &str| Request {
        id: CommandId::Due(member_id.clone(), day.parse().unwrap()),
        at: at(begins_at),
        command: Command::PostDue { member_id: member_id.clone() },
    };
    let requests = [
        received("balance.opened.full.envelope.json"),
        received("order.paid.full.envelope.json"),
        received("order.refunded.full.envelope.json"),
        spend,
        give_back,
        extend,
        due("2027-01-25", "2027-01-24T23:00:00Z"),
        reinstate,
        due("2027-07-02", "2027-07-01T22:00:00Z"),
        due("2027-08-01", "2027-07-31T22:00:00Z"),
    ];
    let mut entries = answered(&program(), &requests);
    entries.extend(history_of_levels());
    entries.extend(history_of_friends());
    entries.extend(history_of_rewards());
    entries.extend(history_of_checkouts());
    entries.extend(history_of_moves());
    entries
}

/// What a member takes of the catalogue, and what becomes of it.
fn history_of_rewards() -> Vec<Entry> {
    let member = || MemberId::try_from("member-9c1f").unwrap();
    let at = |it: &str| -> Timestamp { it.parse().unwrap() };
    let ledger = MemoryLedger::default();
    let author = Author { by: "erin".try_into().unwrap(), at: at("2026-01-01T00:00:00Z") };
    for (id, kind) in [
        ("coupon-5", json!({"coupon": {"codes": "generated"}})),
        ("tea-cup", json!("goods")),
        ("gift-card-10", json!({"gift_card": {"amount_minor": 1_000}})),
        ("doctors", json!({"donation": {"amount_minor": 500, "to": "Doctors"}})),
    ] {
        let is_cup = id == "tea-cup";
        let stock = if is_cup { json!({"limited": {"shards": 1}}) } else { json!("unlimited") };
        let reward = json!({
            "id": id, "version": 1, "status": "active", "kind": kind, "points": 50, "stock": stock,
            "texts": {"en": {"name": id}}
        });
        let reward: Reward = serde_json::from_value(reward).unwrap();
        pollster::block_on(change_reward(&ledger, &reward, &author)).unwrap();
        if is_cup {
            let (key, by) = (RequestKey::try_from("first").unwrap(), StockStep::Add(5));
            let change = StockChange { author: author.clone(), key, by };
            let mut once = Attempts(1);
            pollster::block_on(ledger.change_stock(&reward, &change, &mut once)).unwrap();
        }
    }
    let mut paid = received("order.paid.full.envelope.json");
    let Command::PayOrder(order) = &mut paid.command else { panic!("{paid:?}") };
    order.order_id = "order-tea".try_into().unwrap();
    order.member_id = Some(member());
    order.paid_at = at("2026-06-01T12:00:00Z");
    order.content.lines.iter_mut().for_each(|it| it.amount = Minor::try_from(3_000).unwrap());
    let redeem = |reward: &str, channel: Option<&str>| {
        let new = NewRedemption {
            reward: reward.try_into().unwrap(),
            points: None,
            channel: channel.map(|it| it.try_into().unwrap()),
            code: VoucherCode::of_random([7; 10]),
        };
        let (app, key) = (ClientId::try_from("app").unwrap(), reward.try_into().unwrap());
        Request::redeem(app, key, member(), at("2026-06-20T12:00:00Z"), new)
    };
    let goes_on = |begun: &Request, step, instant: &str, reason: &str| {
        let (_, redemption) = begun.redeems().unwrap();
        let reason = reason.try_into().unwrap();
        Request::redemption_step(member(), *redemption, step, at(instant), reason)
    };
    let (coupon, cup) = (redeem("coupon-5", Some("app")), redeem("tea-cup", None));
    let requests = [
        Request::order(Order::clone(order)),
        coupon.clone(),
        cup.clone(),
        redeem("gift-card-10", None),
        redeem("doctors", None),
        goes_on(&coupon, RedemptionStep::Fulfill, "2026-06-21T12:00:00Z", "sent"),
        goes_on(&cup, RedemptionStep::Cancel, "2026-06-22T12:00:00Z", "changed-mind"),
        goes_on(&coupon, RedemptionStep::Refund, "2026-06-23T12:00:00Z", "goodwill"),
    ];
    requests.iter().flat_map(|it| answer(&ledger, &program(), it)).collect()
}

const REFERRER: &str = "member-3d90";

/// What somebody and those whom they brought do: one order is kept and comes back later, one friend is one too
/// many, and one names a code that nobody has.
fn history_of_friends() -> Vec<Entry> {
    let mut spec = program().spec().clone();
    spec.enrollment = serde_json::from_value(json!({"points": 100})).unwrap();
    spec.referral = serde_json::from_value(json!({
        "friend_points": 200, "referrer_points": 500, "window_days": 14,
        "milestones": [{"friends": 1, "points": 50}],
        "caps": [{"period": "year", "points": 520}],
        "velocity": {"period": "month", "friends": 1}
    }))
    .unwrap();
    let program = Program::try_from(spec).unwrap();
    let member = |id: &str| MemberId::try_from(id).unwrap();
    let at = |it: &str| -> Timestamp { it.parse().unwrap() };
    let (code, other) = (ReferralCode::of_random([7; 8]), ReferralCode::of_random([8; 8]));
    let joins = |id: &str, code: Option<&ReferralCode>| {
        [
            Request::enroll(member(id), at("2026-01-05T12:00:00Z"), code.cloned()),
            Request::activate(member(id), at("2026-01-06T12:00:00Z")),
        ]
    };
    let order = |order: &str, id: &str| {
        let mut request = received("order.paid.full.envelope.json");
        let Command::PayOrder(paid) = &mut request.command else { panic!("{request:?}") };
        paid.order_id = order.try_into().unwrap();
        paid.member_id = Some(member(id));
        paid.paid_at = at("2026-01-10T12:00:00Z");
        paid.referral_code = None;
        paid.content.lines.iter_mut().for_each(|it| it.amount = Minor::try_from(3_000).unwrap());
        Request::order(Order::clone(paid))
    };
    let due = |id: &str| Request {
        id: CommandId::Due(member(id), "2026-01-25".parse().unwrap()),
        at: at("2026-01-24T23:00:00Z"),
        command: Command::PostDue { member_id: member(id) },
    };
    let settles = |id: &str| Request::settle_referral(member(id), at("2026-01-24T12:00:00Z"));
    let (first, second, third) = ("member-e21c", "member-f5b8", "member-a6c2");
    let mut requests = Vec::new();
    requests.extend(joins(REFERRER, None));
    requests.extend(joins(first, Some(&code)));
    requests.extend(joins(second, Some(&code)));
    requests.extend(joins(third, Some(&other)));
    requests.extend([order("order-first", first), order("order-second", second)]);
    requests.extend([due(first), settles(first), due(second), settles(second)]);
    requests.push(Request::cancel("order-first".try_into().unwrap(), at("2026-01-30T12:00:00Z")));
    let review = |key: &str, approves| {
        let (desk, key) = (ClientId::try_from("desk-12").unwrap(), key.try_into().unwrap());
        let reason = "same-household".try_into().unwrap();
        let instant = at("2026-01-31T12:00:00Z");
        Request::review_referral(desk, key, member(second), instant, approves, reason)
    };
    requests.push(review("look-1", false));
    let (desk, key) = (ClientId::try_from("desk-12").unwrap(), "freeze-1".try_into().unwrap());
    let (instant, reason) = (at("2026-02-01T12:00:00Z"), "fair-use".try_into().unwrap());
    requests.push(Request::set_status(
        desk,
        key,
        member(third),
        instant,
        NewStatus::Frozen,
        reason,
    ));
    let ledger = MemoryLedger::default();
    ledger.give_code(code, member(REFERRER));
    requests.iter().flat_map(|it| answer(&ledger, &program, it)).collect()
}

/// What staff add to a member's points, what the member gives away, and how two become one, and two again.
fn history_of_moves() -> Vec<Entry> {
    let mut spec = program().spec().clone();
    spec.enrollment = serde_json::from_value(json!({"activation": "none"})).unwrap();
    spec.transfers = Some(serde_json::from_value(json!({"min_points": 10})).unwrap());
    spec.adjustments = serde_json::from_value(json!({"approval_above": 500})).unwrap();
    let program = Program::try_from(spec).unwrap();
    let (giver, other) = (
        || MemberId::try_from("member-3b90").unwrap(),
        || MemberId::try_from("member-d27a").unwrap(),
    );
    let at = |it: &str| -> Timestamp { it.parse().unwrap() };
    let client = |it: &str| ClientId::try_from(it).unwrap();
    let key = |it: &str| RequestKey::try_from(it).unwrap();
    let points = |it: u64| Points::try_from(it).unwrap();
    let adjusts = |key: &str, change, number: u64| {
        let key = RequestKey::try_from(key).unwrap();
        let note = Some("0b5a2d1c9e7f48f3a6b4c2d1e0f98765".try_into().unwrap());
        let (points, reason) = (points(number), "goodwill".try_into().unwrap());
        let new = NewAdjustment { change, points, reason, note };
        Request::adjust(client("staff-7"), key, giver(), at("2026-01-12T12:00:00Z"), new)
    };
    let reviews = |name: &str, adjusts: &Request, approves| {
        let (id, reason) = (AdjustmentId::of(&adjusts.id), "receipt-seen".try_into().unwrap());
        let instant = at("2026-01-13T12:00:00Z");
        Request::review_adjustment(
            client("staff-9"),
            key(name),
            giver(),
            instant,
            id,
            approves,
            reason,
        )
    };
    let (add, take) = (AdjustmentChange::Add { through: None }, AdjustmentChange::Take);
    let large = adjusts("case-1", add, 800);
    let denied = adjusts("case-2", take, 600);
    let gift = Request::transfer(
        client("app"),
        key("gift-1"),
        giver(),
        at("2026-01-14T12:00:00Z"),
        other(),
        points(150),
    );
    let reason = || "same-person".try_into().unwrap();
    let (merged_at, undone_at) = (at("2026-01-15T12:00:00Z"), at("2026-01-16T12:00:00Z"));
    let merge =
        Request::merge(client("staff-7"), key("one"), giver(), merged_at, other(), reason());
    let undone = (other(), PairId::of(&merge.id));
    let undo =
        Request::undo_merge(client("staff-7"), key("two"), giver(), undone_at, undone, reason());
    answered(
        &program,
        &[
            Request::enroll(giver(), at("2026-01-10T12:00:00Z"), None),
            Request::enroll(other(), at("2026-01-10T12:00:00Z"), None),
            large.clone(),
            reviews("look-1", &large, true),
            denied.clone(),
            reviews("look-2", &denied, false),
            gift,
            merge,
            undo,
        ],
    )
}

/// What somebody pays with points: one hold is used by call, and the rest of it let go; another pays an order, which
/// is edited, refunded and cancelled.
fn history_of_checkouts() -> Vec<Entry> {
    let mut spec = program().spec().clone();
    spec.checkout = serde_json::from_value(json!({"point_worth": "0.05"})).unwrap();
    spec.earning.pending_days = 0;
    let program = Program::try_from(spec).unwrap();
    let member = || MemberId::try_from("member-b7c1").unwrap();
    let (client, key) = (|| ClientId::try_from("shop").unwrap(), |it: &str| it.try_into().unwrap());
    let at = |it: &str| -> Timestamp { it.parse().unwrap() };
    let points = |it: u64| Points::try_from(it).unwrap();
    let hold = |name: &str, instant: &str| {
        let new = NewHold {
            total: Minor::try_from(4_490).unwrap(),
            currency: "EUR".parse().unwrap(),
            points: Some(points(200)),
            minutes: None,
        };
        Request::hold(client(), key(name), member(), at(instant), new)
    };
    let (first, second) =
        (hold("cart-1", "2026-06-29T10:00:00Z"), hold("cart-2", "2026-06-30T09:00:00Z"));
    let used = HoldId::of(&first.id);
    let order = |name: &str, id: &str| {
        let mut request = received(name);
        let Command::PayOrder(paid) = &mut request.command else { panic!("{request:?}") };
        paid.order_id = id.try_into().unwrap();
        paid.member_id = Some(member());
        if paid.points_hold.is_none() {
            paid.paid_at = at("2026-06-28T10:00:00Z");
        }
        paid.points_hold = paid.points_hold.map(|_| HoldId::of(&second.id));
        Request::order(Order::clone(paid))
    };
    let before = order("order.paid.full.envelope.json", "order-before");
    let paid = order("order.paid.points.bare.json", "1002");
    let Command::PayOrder(order) = &paid.command else { panic!("{paid:?}") };
    let content =
        Content { paid_with_points: Minor::try_from(900).unwrap(), ..order.content.clone() };
    let change = Request::change(
        "1002".try_into().unwrap(),
        "edit-1".try_into().unwrap(),
        at("2026-06-30T09:13:00Z"),
        content,
    );
    let requests = [
        before,
        first,
        Request::capture(
            client(),
            key("cart-1"),
            member(),
            at("2026-06-29T10:05:00Z"),
            used,
            Some(points(120)),
        ),
        second.clone(),
        paid,
        change,
        received("order.refunded.points.bare.json"),
        Request::cancel("1002".try_into().unwrap(), at("2026-07-22T10:00:00Z")),
    ];
    answered(&program, &requests)
}

/// What two others do under a program whose levels begin with the next month and are kept for another one.
fn history_of_levels() -> Vec<Entry> {
    let mut spec = program().spec().clone();
    spec.tiers.start = Start::NextPeriod;
    spec.tiers.grace_months = 1;
    if let Some(silver) = spec.tiers.levels.get_mut(1) {
        silver.growth = Some(100);
    }
    let member = || MemberId::try_from("member-0b21").unwrap();
    let other = || MemberId::try_from("member-c9d4").unwrap();
    let desk = || ClientId::try_from("desk-12").unwrap();
    let key = |it: &str| RequestKey::try_from(it).unwrap();
    let at = |it: &str| -> Timestamp { it.parse().unwrap() };
    let grows = |member: MemberId, activity: &str, instant: &str| {
        let activity = ActivityId::try_from(activity).unwrap();
        Request::growth(member, activity, at(instant), NonZeroU32::new(100).unwrap())
    };
    let sets = |kind, level: &str, instant: &str, through: &str| {
        let level = level.try_into().unwrap();
        let set = Override { level, kind, through: Some(through.parse().unwrap()) };
        let reason = "fair-use".try_into().unwrap();
        Request::override_level(desk(), key(instant), member(), at(instant), set, reason)
    };
    let due = |member_id: MemberId, day: &str| Request {
        id: CommandId::Due(member_id.clone(), day.parse().unwrap()),
        at: program().calendar().midnight(day.parse().unwrap()).unwrap(),
        command: Command::PostDue { member_id },
    };
    let mut later = spec.clone();
    later.version = 4;
    later.effective = "2026-06-01".parse().unwrap();
    if let Some(silver) = later.tiers.levels.get_mut(1) {
        silver.growth = Some(101);
    }
    later.tiers.new_version = NewVersion::RaiseAndLower;
    let program = Program::try_from(spec).unwrap();
    let mut entries = answered(
        &program,
        &[
            grows(member(), "review-1", "2026-01-10T12:00:00Z"),
            Request::task(member(), "app".try_into().unwrap(), at("2026-01-11T12:00:00Z")),
            due(member(), "2026-02-01"),
            sets(OverrideKind::Courtesy, "gold", "2026-02-02T12:00:00Z", "2026-12-31"),
            sets(OverrideKind::Courtesy, "gold", "2026-02-03T12:00:00Z", "2026-02-28"),
            due(member(), "2026-03-01"),
            sets(OverrideKind::Violation, "bronze", "2026-03-02T12:00:00Z", "2026-12-31"),
            // Told to nobody: the level in force stays.
            grows(member(), "review-2", "2026-03-03T12:00:00Z"),
            Request::lift_override(
                desk(),
                key("lift"),
                member(),
                at("2026-03-04T12:00:00Z"),
                "appeal".try_into().unwrap(),
            ),
            grows(other(), "review-1", "2026-01-10T12:00:00Z"),
            due(other(), "2026-02-01"),
            due(other(), "2027-02-01"),
        ],
    );
    // One whose order came back before the level that it had reached began.
    let order = |order: &str| {
        let mut request = received("order.paid.full.envelope.json");
        let Command::PayOrder(paid) = &mut request.command else { panic!("{request:?}") };
        paid.order_id = order.try_into().unwrap();
        paid.member_id = Some("member-51fe".try_into().unwrap());
        paid.content.lines.iter_mut().for_each(|it| it.amount = Minor::try_from(100_000).unwrap());
        Request::order(Order::clone(paid))
    };
    let paid = order("order-back");
    let cancelled = Request::cancel("order-back".try_into().unwrap(), paid.at);
    let begins = due("member-51fe".try_into().unwrap(), "2026-08-01");
    entries.extend(answered(&program, &[paid, cancelled, begins]));
    let later = Program::try_from(later).unwrap();
    entries.extend(answered_after(
        &program,
        &[grows(member(), "review-1", "2026-01-10T12:00:00Z"), due(member(), "2026-02-01")],
        &later,
        &[Request::measure(member(), 4, at("2026-05-31T22:00:00Z"))],
    ));
    entries
}

fn received(name: &str) -> Request {
    let (_, body) = examples().into_iter().find(|(it, _)| it == name).unwrap();
    parse(&body, Timestamp::MAX).unwrap()
}

fn answered(program: &Program, requests: &[Request]) -> Vec<Entry> {
    answered_after(program, &[], program, requests)
}

/// What `requests` are answered under `program`, after others under the one before.
fn answered_after(
    before: &Program,
    first: &[Request],
    program: &Program,
    requests: &[Request],
) -> Vec<Entry> {
    let ledger = MemoryLedger::default();
    for request in first {
        answer(&ledger, before, request);
    }
    requests.iter().flat_map(|it| answer(&ledger, program, it)).collect()
}

/// The entries that `request` makes, one to an account.
fn answer(ledger: &MemoryLedger, program: &Program, request: &Request) -> Vec<Entry> {
    let before = ledger.entries().len();
    let answered = pollster::block_on(execute(ledger, program, &mut Attempts(1), request));
    assert!(matches!(answered, Ok(Answered::Now(_))), "{answered:?}");
    ledger.entries()[before..].iter().map(|it| Entry::clone(it)).collect()
}

fn told(entry: &Entry) -> Vec<Announcement> {
    let Answer::Accepted(events) = &entry.answer else { panic!("{entry:?}") };
    announcement::announcements(Happened {
        id: &entry.id,
        member_id: entry.member_id.as_ref().unwrap(),
        sequence: entry.sequence.unwrap(),
        sent_at: entry.sent_at,
        at: entry.at,
        program_version: entry.program_version,
        balance: entry.balance.unwrap(),
        events,
    })
    .unwrap()
}

/// An event in the envelope that EventBridge puts around it, keys in the order of its documentation.
fn in_envelope(event: &Announcement) -> String {
    enveloped(event.what.name(), event)
}

fn enveloped(name: &str, detail: &impl Serialize) -> String {
    let detail = serde_json::to_string_pretty(detail).unwrap().replace('\n', "\n  ");
    format!(
        "{{\n  \"version\": \"0\",\n  \"id\": \"0b6f9d1e-5d3c-4a57-9c2e-7a1f8e4b2d60\",\n  \
         \"detail-type\": \"{name}\",\n  \"source\": \"{}\",\n  \"account\": \"123456789012\",\n  \
         \"time\": \"2026-07-01T12:00:00Z\",\n  \"region\": \"eu-central-1\",\n  \
         \"resources\": [],\n  \"detail\": {detail}\n}}\n",
        announcement::SOURCE,
    )
}

/// What whoever sends codes is told, which is no news of an entry.
fn activation_requested(channel: ContactChannel, to: &str, language: Option<&str>) -> String {
    let language = language.map(|it| Language::try_from(it).unwrap());
    let event = ActivationRequested {
        version: announcement::VERSION,
        member_id: &MemberId::try_from("member-3d90").unwrap(),
        channel,
        to,
        language: language.as_ref(),
        code: "042815",
        expires_at: "2026-01-06T12:15:00Z".parse().unwrap(),
    };
    enveloped(ActivationRequested::NAME, &event)
}

fn activation_by_mail() -> String {
    activation_requested(ContactChannel::Mail, "member@shop.example", Some("en-GB"))
}

/// The first event of each kind that the history tells, by its file.
fn generated() -> BTreeMap<String, String> {
    let mut generated = BTreeMap::new();
    for event in history().iter().flat_map(told) {
        let name = format!("{}.json", event.what.name());
        generated.entry(name).or_insert_with(|| in_envelope(&event));
    }
    generated.insert(format!("{}.json", ActivationRequested::NAME), activation_by_mail());
    generated
}

#[test]
fn the_examples_as_checked_in_are_what_the_code_tells() {
    let checked_in: BTreeMap<String, String> = files(EXAMPLES, is_json)
        .into_iter()
        .map(|(name, text)| (name, String::from_utf8(text).unwrap()))
        .collect();
    let generated = generated();
    assert_eq!(
        checked_in.keys().collect::<Vec<_>>(),
        generated.keys().collect::<Vec<_>>(),
        "every kind of event has its example"
    );

    for (name, text) in generated {
        let file = &checked_in[&name];
        assert!(
            *file == text,
            "{name} is not what the code tells; the first difference is in {}\nIf the change is meant, \
             and only adds, the file is to be:\n{text}",
            difference(file, &text)
        );
    }
}

#[test]
fn the_schemas_of_what_is_told_as_checked_in_are_those_of_the_code() {
    let checked_in: Vec<_> = files(SCHEMAS, is_json).into_iter().map(|(name, _)| name).collect();
    let documents = announcements().unwrap();
    assert_eq!(checked_in, documents.iter().map(|it| it.file_name).collect::<Vec<_>>());

    for document in documents {
        let file = std::fs::read_to_string(path(SCHEMAS).join(document.file_name)).unwrap();
        assert!(
            file == document.text,
            "{} is not what the code says; the first difference is in {}\nIf the change is meant, and \
             only adds, write it with\n    cargo run -p loyalty-contracts --features schemas --example \
             schemas",
            document.file_name,
            difference(&file, &document.text)
        );
    }
}

#[test]
fn everything_told_is_valid_under_the_schema_of_its_kind_and_no_other() {
    let validators: Vec<_> = announcements()
        .unwrap()
        .into_iter()
        .map(|it| {
            let schema: Value = serde_json::from_str(&it.text).unwrap();
            let options = jsonschema::options().should_validate_formats(true);
            (it.file_name, options.build(&schema).expect("it is a schema"))
        })
        .collect();
    let mut seen = 0;
    let mut messages: Vec<String> =
        history().iter().flat_map(told).map(|it| in_envelope(&it)).collect();
    messages.push(activation_by_mail());
    messages.push(activation_requested(ContactChannel::Phone, "+442079460958", None));
    for message in messages {
        let message: Value = serde_json::from_str(&message).unwrap();
        let name = message["detail-type"].as_str().unwrap();
        for (file_name, validator) in &validators {
            let is_its_own = *file_name == format!("{name}.v1.json");
            let errors: Vec<_> = validator.iter_errors(&message).map(|it| it.to_string()).collect();

            assert_eq!(errors.is_empty(), is_its_own, "{message} under {file_name}: {errors:#?}");
            seen += 1;
        }
    }
    assert!(seen >= 33 * 33, "{seen}");
}

#[test]
fn a_level_says_which_way_it_went_and_a_renewal_is_no_change() {
    let tiers = |events: Vec<Announcement>| -> Vec<Value> {
        let tiers = events.into_iter().filter(|it| it.what.name().starts_with("tier."));
        let told = tiers.map(|it| (it.what.name(), serde_json::to_value(&it.what).unwrap()));
        told.map(|(name, what)| json!([name, what])).collect()
    };

    let history = history();
    let (levels, history): (Vec<_>, Vec<_>) = history
        .into_iter()
        .partition(|it| it.member_id.as_ref().is_some_and(|it| it.as_str() != "member-7f3a"));
    let all = tiers(history.iter().flat_map(told).collect());

    let wanted = json!([
        ["tier.changed", {"level": "gold", "before": "bronze", "change": "raised",
            "valid_through": "2027-03-31", "reason": "taken_over", "staff_reason": null}],
        ["tier.renewed", {"level": "gold", "valid_through": "2027-07-31", "reason": "order"}],
        ["tier.at_risk", {"level": "gold", "valid_through": "2027-07-31", "day": "2027-07-02",
            "would_be": "silver", "currency": "EUR", "spend_missing_minor": null, "orders_missing": 4,
            "growth_missing": null}],
        ["tier.changed", {"level": "silver", "before": "gold", "change": "lowered",
            "valid_through": "2028-07-31", "reason": "review", "staff_reason": null}],
    ]);
    assert_eq!(json!(all), wanted);
    let changed = |level: &str, before: &str, change: &str, through: Option<&str>, reason: &str| {
        let staff_reason = match reason {
            "courtesy" | "violation" => Some("fair-use"),
            "lifted" => Some("appeal"),
            _ => None,
        };
        json!(["tier.changed", {"level": level, "before": before, "change": change,
            "valid_through": through, "reason": reason, "staff_reason": staff_reason}])
    };
    let wanted = json!([
        ["tier.awaited", {"level": "silver", "from": "2026-02-01"}],
        changed("silver", "bronze", "raised", Some("2027-01-31"), "begun"),
        changed("gold", "silver", "raised", Some("2026-12-31"), "courtesy"),
        changed("silver", "gold", "lowered", Some("2027-01-31"), "override_ended"),
        changed("bronze", "silver", "lowered", Some("2026-12-31"), "violation"),
        changed("silver", "bronze", "raised", Some("2027-03-31"), "lifted"),
        ["tier.awaited", {"level": "silver", "from": "2026-02-01"}],
        changed("silver", "bronze", "raised", Some("2027-01-31"), "begun"),
        ["tier.grace_began", {"level": "silver", "through": "2027-02-28"}],
        ["tier.at_risk", {"level": "silver", "valid_through": "2027-02-28", "day": "2027-02-01",
            "would_be": "bronze", "currency": "EUR", "spend_missing_minor": 100_000,
            "orders_missing": null, "growth_missing": 100}],
        ["tier.awaited", {"level": "silver", "from": "2026-07-01"}],
        ["tier.not_begun", {"level": "silver"}],
        changed("bronze", "silver", "lowered", None, "new_version"),
    ]);
    assert_eq!(json!(tiers(levels.iter().flat_map(told).collect())), wanted);

    let mut older = history.iter().find(|it| it.id.to_string().starts_with('O')).unwrap().clone();
    let Answer::Accepted(events) = &mut older.answer else { panic!("{older:?}") };
    for event in events {
        if let Event::LevelReached { before, .. } = event {
            *before = None;
        }
    }
    let wanted = json!([
        ["tier.changed", {"level": "gold", "before": null, "change": null,
            "valid_through": "2027-07-31", "reason": "order", "staff_reason": null}],
    ]);
    assert_eq!(json!(tiers(told(&older))), wanted);
}

#[test]
fn what_is_told_of_a_referral_names_both_sides_and_never_a_code() {
    let is_told = |it: &Announcement| {
        ["referral.", "points.grant", "member."].iter().any(|kind| it.what.name().starts_with(kind))
    };
    let events: Vec<_> = history_of_friends().iter().flat_map(told).filter(is_told).collect();
    let of = |id: &str| -> Vec<Value> {
        let own = events.iter().filter(|it| it.member_id == id);
        own.map(|it| json!([it.what.name(), serde_json::to_value(&it.what).unwrap()])).collect()
    };
    let granted = |reason: &str,
                   points: u64,
                   cut: u64,
                   whom: [Option<&str>; 2],
                   friends: Option<u32>| {
        let [referrer_id, friend_id] = whom;
        json!(["points.granted", {"points": points, "reason": reason, "referrer_id": referrer_id,
            "friend_id": friend_id, "friends": friends, "cut": cut, "becomes": "available",
            "debt_paid": 0, "lot": "2027-01-31"}])
    };
    let taken = |reason: &str, points: u64, whom: [Option<&str>; 2], friends: Option<u32>| {
        let [referrer_id, friend_id] = whom;
        json!(["points.grant_revoked", {"points": points, "reason": reason,
            "referrer_id": referrer_id, "friend_id": friend_id, "friends": friends,
            "available": points, "debt": 0, "waived": 0, "gone_already": false}])
    };
    let (none, friend) = ([None, None], [None, Some("member-e21c")]);
    let joined = [
        json!(["member.enrolled", {"status": "pending"}]),
        json!(["member.activated", {"status": "active"}]),
        granted("welcome", 100, 0, none, None),
    ];
    let [enrolled, activated, welcome] = &joined;
    let qualifies_at = "2026-01-24T12:00:00Z";

    assert_eq!(
        json!(of(REFERRER)),
        json!([
            enrolled,
            activated,
            welcome,
            granted("brought", 500, 0, friend, None),
            granted("milestone", 20, 30, none, Some(1)),
            taken("brought", 500, friend, None),
            taken("milestone", 20, none, Some(1)),
        ])
    );
    let by = |order: &str| json!({"referrer_id": REFERRER, "order_id": order, "task": null});
    let ordered = |order: &str| {
        json!(["referral.ordered", {"referrer_id": REFERRER, "order_id": order,
            "qualifies_at": qualifies_at, "is_enough": true}])
    };
    let pending = json!(["referral.pending", {"referrer_id": REFERRER}]);
    assert_eq!(
        json!(of("member-e21c")),
        json!([
            enrolled, pending, activated, welcome,
            ordered("order-first"),
            ["referral.qualified", by("order-first")],
            granted("referred", 200, 0, [Some(REFERRER), None], None),
            ["referral.rewarded", {"referrer_id": REFERRER, "friend_points": 200,
                "referrer_points": 500, "order_id": "order-first", "task": null}],
            taken("referred", 200, [Some(REFERRER), None], None),
            ["referral.revoked", {"referrer_id": REFERRER}],
        ])
    );
    let refused = |referrer: Option<&str>, reason: &str, staff: Option<&str>| {
        json!(["referral.refused", {"referrer_id": referrer, "reason": reason, "shared": null,
            "staff_reason": staff}])
    };
    assert_eq!(
        json!(of("member-f5b8")),
        json!([
            enrolled,
            pending,
            activated,
            welcome,
            ordered("order-second"),
            ["referral.qualified", by("order-second")],
            ["referral.held", by("order-second")],
            refused(Some(REFERRER), "denied_by_staff", Some("same-household")),
        ])
    );
    assert_eq!(
        json!(of("member-a6c2")),
        json!([
            enrolled, refused(None, "code_unknown", None), activated, welcome,
            ["member.status_changed", {"status": "frozen", "reason": "fair-use"}],
        ])
    );
    // What waits for its window is due as the queue is asked to settle it.
    let qualified = events.iter().find(|it| it.what.name() == "referral.qualified").unwrap();
    assert_eq!(qualified.at.to_string(), qualifies_at);
    let code = ReferralCode::of_random([7; 8]);
    let all = serde_json::to_string(&events).unwrap();
    assert!(!all.contains(code.as_str()) && !all.contains(&code.to_string()));
}

#[test]
fn what_is_granted_and_taken_back_adds_up_to_the_totals_of_each_account() {
    let mut members: BTreeMap<MemberId, Vec<Entry>> = BTreeMap::new();
    for entry in history_of_friends() {
        members.entry(entry.member_id.clone().unwrap()).or_default().push(entry);
    }
    for (member_id, entries) in members {
        let events: Vec<Announcement> = entries.iter().flat_map(told).collect();
        let sum = |names: [&str; 2]| -> u64 {
            let named = events.iter().filter(|it| names.contains(&it.what.name()));
            named
                .map(|it| serde_json::to_value(&it.what).unwrap()["points"].as_u64().unwrap())
                .sum()
        };
        let accepted = entries.iter().filter_map(|it| match &it.answer {
            Answer::Accepted(events) => Some((it.at, events.as_slice())),
            Answer::Waiting(_) | Answer::Refused(_) => None,
        });
        let totals = Account::replay(accepted).unwrap().totals;

        assert_eq!(sum(["points.earned", "points.granted"]), totals.earned.get(), "{member_id}");
        let taken = sum(["points.clawed_back", "points.grant_revoked"]);
        assert_eq!(taken, totals.clawed_back.get(), "{member_id}");
    }
}

#[test]
fn what_the_queue_of_referrals_hears_is_what_the_bus_tells() {
    let mut heard = 0;
    for event in history_of_friends().iter().flat_map(told) {
        let message = referral::Message::read(in_envelope(&event).as_bytes());

        let friend = event.member_id.as_str();
        match event.what.name() {
            "referral.pending" => {
                let Ok(referral::Message::Pending(it)) = message else { panic!("{message:?}") };
                assert_eq!((it.friend.as_str(), it.referrer.as_str()), (friend, REFERRER));
                assert_eq!(it.at, event.at);
            }
            "referral.qualified" => {
                let Ok(referral::Message::Qualified(it)) = message else { panic!("{message:?}") };
                assert_eq!((it.friend.as_str(), it.at), (friend, event.at));
            }
            _ => {
                assert_eq!(message, Err(ReferralError::NotReferral));
                continue;
            }
        }
        heard += 1;
    }
    assert_eq!(heard, 4);
}

#[test]
fn a_reminder_is_of_its_day_although_it_moves_no_clock_and_says_how_many_points_to_use() {
    let events: Vec<Announcement> = history().iter().flat_map(told).collect();
    let is_own = |it: &&Announcement| it.member_id == "member-7f3a";
    let named = |name: &str| {
        events.iter().filter(is_own).filter(|it| it.what.name() == name).collect::<Vec<_>>()
    };

    let [expiring] = named("points.expiring")[..] else { panic!("{events:#?}") };
    let [at_risk] = named("tier.at_risk")[..] else { panic!("{events:#?}") };

    assert_eq!(expiring.at.to_string(), "2027-01-24T23:00:00Z");
    assert_eq!(at_risk.at.to_string(), "2027-07-01T22:00:00Z");
    let what = serde_json::to_value(&expiring.what).unwrap();
    // Staff had given it another month.
    let lots = json!([{"lot": "2026-12-31", "points": 1_180}]);
    let wanted = json!({
        "points": 1_180, "usable_through": "2027-01-31", "day": "2027-01-25", "lots": lots
    });
    assert_eq!(what, wanted);
    // What the lots then lost is what was told.
    let lost = named("points.expired").into_iter().find(|it| it.at > expiring.at).unwrap();
    assert_eq!(serde_json::to_value(&lost.what).unwrap()["points"], 1_180);
}

#[test]
fn what_leaves_has_no_name_of_what_comes_in() {
    for told in announcements().unwrap() {
        for received in documents().unwrap() {
            assert_ne!(told.file_name, received.file_name, "the shop would hear itself");
        }
    }
}

#[test]
fn ids_are_the_same_each_time_and_never_of_two_events() {
    let (first, second) = (history(), history());
    let ids = |entries: &[Entry]| -> Vec<String> {
        entries.iter().flat_map(told).map(|it| it.id).collect()
    };

    let all = ids(&first);

    assert_eq!(all, ids(&second));
    let different: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
    assert!(all.iter().all(|it| it.len() == 32 && it.bytes().all(|it| it.is_ascii_hexdigit())));
    // A receiver keeps it for ever, so no release may give another one.
    assert_eq!(all.first().map(String::as_str), Some(FIRST_ID));
}

/// The id of the balance that the member brought: half of the SHA-256 of `B#member-7f3a`, 0 and
/// `balance.taken_over`, a line each.
const FIRST_ID: &str = "a3748fdedb9e72e46d2e7c2ad1caeedb";

#[test]
fn points_of_an_order_in_two_lots_are_two_events_with_ids_of_their_own() {
    let mut spec = program().spec().clone();
    spec.campaigns = serde_json::from_value(json!([
        {"name": "double", "bonus": "1", "expiry_months": 3}
    ]))
    .unwrap();
    let order = received("order.paid.full.envelope.json");
    let order_id = order.id.order_id().unwrap().clone();
    let cancelled = Request::cancel(order_id, order.at);

    let entries = answered(&Program::try_from(spec).unwrap(), &[order, cancelled]);

    let earned = told(&entries[0]);
    let earned: Vec<_> = earned.iter().filter(|it| it.what.name() == "points.earned").collect();
    let taken = told(&entries[1]);
    let [first, second] = earned[..] else { panic!("{earned:#?}") };
    let [own, campaign] = [first, second].map(|it| serde_json::to_value(&it.what).unwrap());
    assert_eq!(own["points"], campaign["points"]);
    assert_eq!(campaign["components"][0]["name"], "campaign:double");
    assert_ne!(own["lot"], campaign["lot"]);
    assert_ne!(first.id, second.id);
    // What is taken back is as much, lot by lot.
    let points: Vec<Value> =
        taken.iter().map(|it| serde_json::to_value(&it.what).unwrap()["points"].clone()).collect();
    assert_eq!(points, [own["points"].clone(), campaign["points"].clone()]);
    assert_ne!(taken[0].id, taken[1].id);
}

#[test]
fn events_of_an_entry_have_numbers_in_their_order_and_one_balance() {
    for entry in history() {
        let told = told(&entry);
        let numbers: Vec<_> = told.iter().map(|it| it.number).collect();

        assert_eq!(numbers, (1..).take(told.len()).collect::<Vec<_>>());
        assert!(told.iter().all(|it| it.balance == entry.balance.unwrap().into()));
        assert!(told.iter().all(|it| it.at <= entry.at.max(entry.sent_at)));
    }
}
