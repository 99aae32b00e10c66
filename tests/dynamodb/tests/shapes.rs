//! The shapes that are stored: as they were checked in, and still read.
//!
//! Stored shapes are for ever. Where this test fails, either the code must not change them, or a new
//! shape needs a version, and code that reads the old one.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{fs, path::Path, sync::Arc};

use jiff::Timestamp;
use loyalty_domain::{
    account::{Measure, MonthProgress},
    adjustment::{AdjustmentChange, NewAdjustment},
    checkout::NewHold,
    code::ReferralCode,
    command::{Command, Correction, NewStatus, RefundLine, Request},
    expiry::Expiry,
    id::{
        AdjustmentId, ClientId, CommandId, HoldId, LineId, MemberId, PairId, RedemptionStep,
        RequestKey, Sku,
    },
    money::{Minor, Spend},
    opening::{BroughtLevel, BroughtLot, BroughtPending, Opening},
    order::{Content, Line, LineKey, Order},
    points::Points,
    program::{CapPeriod, Program, ProgramSpec, Reminders, Start},
    redemption::NewRedemption,
    reward::{CodeSource, Moment, RewardKind, RewardLimit, RewardSpec, RewardStatus, VoucherCode},
    tier::{Override, OverrideKind},
};
use loyalty_dynamodb::DynamoDbLedger;
use loyalty_ledger::{
    Attempts, Entry, Ledger, Reading, catalogue::Catalogue as _, execute, statement::Accounts,
};
use loyalty_tests_dynamodb::{Engine, members_table};
use loyalty_tests_ledger::rewards::{editor, offer, reward};
use serde_json::{Value, json};

/// Every event, and what may become of points.
const SHAPES: [&str; 94] = [
    r#"{"matured":"#,
    r#"{"lapsed":"#,
    r#"{"expired":"#,
    r#"{"reviewed":"#,
    r#"{"earned":"#,
    r#"{"level_reached":"#,
    r#"{"level_lowered":"#,
    r#"{"corrected":"#,
    r#"{"correction_refused":"#,
    r#"{"spent":"#,
    r#"{"given_back":"#,
    r#"{"opened":"#,
    r#"{"life_extended":"#,
    r#"{"expiry_announced":"#,
    r#"{"level_at_risk":"#,
    r#"{"reinstated":"#,
    r#"{"level_awaited":"#,
    r#"{"level_began":"#,
    r#"{"level_not_begun":"#,
    r#"{"grace_began":"#,
    r#"{"override_set":"#,
    r#"{"override_lifted":"#,
    r#"{"override_ended":"#,
    r#"{"grown":"#,
    r#"{"task_done":"#,
    r#""before":{"overridden":"#,
    r#""others":[{"lot":"#,
    r#""points_before":20,"points_after":0,"settled":{"taken_back":"#,
    r#""cause":"activity""#,
    r#""cause":{"sliding_began":{"at":"#,
    r#"{"waiting":"#,
    r#"{"refused":"#,
    r#""lines":{"taken":["#,
    r#""lines":{"replaced":["#,
    r#"{"taken_back":"#,
    r#""settled":"gone_already""#,
    r#"{"added":"#,
    r#""settled":"no_account""#,
    r#""becomes":"pending""#,
    r#"{"available":{"debt_paid":"#,
    r#""becomes":"unclaimed""#,
    r#"{"status_changed":"#,
    r#"{"granted":"#,
    r#"{"grant_taken_back":"#,
    r#""reason":"welcome""#,
    r#""reason":{"referred":"#,
    r#""reason":{"brought":"#,
    r#""reason":{"milestone":"#,
    r#"{"referral":{"named":"#,
    r#"{"referral":{"not_named":"#,
    r#"{"referral":{"ordered":"#,
    r#"{"referral":{"corrected":"#,
    r#"{"referral":{"not_kept":"#,
    r#"{"referral":{"qualified":"#,
    r#"{"referral":{"held":"#,
    r#"{"referral":{"rewarded":"#,
    r#"{"referral":{"refused":"#,
    r#"{"referral":{"revoked":"#,
    r#"{"redemption":{"issued":"#,
    r#"{"redemption":{"fulfilled":"#,
    r#"{"redemption":{"cancelled":"#,
    r#"{"redemption":{"refunded":"#,
    r#""taken":"unlimited""#,
    r#""taken":{"shard":"#,
    r#""taken":{"piece":"#,
    r#""unique":{"code":"#,
    r#""unique":{"serial":"#,
    r#"{"reason":"reward_not_active","status":"#,
    r#"{"reason":"reward_not_yet","from":"#,
    r#"{"reason":"reward_limit_reached","limit":"#,
    r#"{"reason":"price_changed","price":"#,
    r#"{"transfer":{"sent":"#,
    r#"{"transfer":{"received":"#,
    r#"{"adjustment":{"proposed":"#,
    r#"{"adjustment":{"made":"#,
    r#"{"adjustment":{"denied":"#,
    r#""effect":{"added":"#,
    r#""effect":{"taken":"#,
    r#""approved":{"requester":"#,
    r#"{"reason":"account_too_new","from":"#,
    r#"{"reason":"transfer_cap_reached","period":"#,
    r#"{"checkout":{"held":"#,
    r#"{"checkout":{"captured":"#,
    r#"{"checkout":{"released":"#,
    r#"{"checkout":{"paid":"#,
    r#"{"checkout":{"returned":"#,
    r#"{"checkout":{"paid_anew":"#,
    r#""cause":"asked""#,
    r#""cause":"not_needed""#,
    r#""cause":{"ended":{"at":"#,
    r#""terms":null"#,
    r#"{"reason":"more_than_order_allows","most":"#,
    r#"{"reason":"more_than_held","held":"#,
    r#"{"amount":10},"points":7"#,
];

const GOLDEN: &str = "tests/data/items.golden";

/// Those of its items that older code wrote otherwise, as it did: without the level before, and without
/// the currency of what would save one.
const OLDER: &str = "tests/data/items.older";

fn program() -> Program {
    let spec: ProgramSpec = serde_json::from_str(
        r#"{
            "name": "Shapes", "version": 7, "effective": "2026-01-01", "currency": "GBP",
            "time_zone": "Europe/London", "rates": {"EUR": "0.86"},
            "earning": {"points_per_unit": "1.5", "pending_days": 3, "expiry_months": 1,
                "counts_shipping": true, "exclude": {"skus": ["X"]}},
            "caps": {"per_order": 900, "per_member": [{"period": "month", "points": 2000}]},
            "refunds": {"lowers_level": true},
            "spending": {"reinstate_days": 10},
            "tiers": {"levels": [
                {"id": "blue", "name": "Blue"},
                {"id": "gold", "name": "Gold", "spend": "100", "orders": 3, "bonus": "0.1"}]},
            "campaigns": [
                {"name": "gift", "points": 20, "min_amount": "50"},
                {"name": "double", "bonus": "1", "channels": ["app"]}]
        }"#,
    )
    .unwrap();
    spec.try_into().unwrap()
}

/// The program that decides about `request`: for one member, points slide from 1 March on; another one is
/// told before anything is lost; for two others, levels begin later and are kept for a while;
/// for the last one, a gift lives longer than other points.
fn program_for(request: &Request) -> Program {
    let mut spec = program().spec().clone();
    let member = request.member_id().map_or("", |it| it.as_str());
    if member == "m4" && request.at >= at("2026-03-01T00:00:00Z") {
        spec.version = 8;
        spec.effective = "2026-03-01".parse().unwrap();
        spec.earning.expiry = Expiry::Sliding;
        spec.earning.expiry_months = Some(3);
    }
    if member == "m5" {
        spec.version = 9;
        spec.reminders = Reminders { points_days: vec![7], tier_days: vec![7] };
    }
    if ["m6", "m7"].contains(&member) {
        spec.version = 10;
        spec.tiers.start = Start::NextPeriod;
        spec.tiers.grace_months = 1;
        if let Some(gold) = spec.tiers.levels.get_mut(1) {
            gold.growth = Some(100);
        }
    }
    if member == "m8" {
        spec.version = 11;
        if let Some(gift) = spec.campaigns.first_mut() {
            gift.expiry_months = Some(3);
        }
    }
    if ["g1", "g2"].contains(&member) {
        spec.version = 13;
        spec.enrollment = serde_json::from_value(json!({"activation": "none"})).unwrap();
        spec.transfers = serde_json::from_value(json!({
            "waiting_days": 1, "caps": [{"period": "month", "points": 100}]
        }))
        .unwrap();
        spec.adjustments = serde_json::from_value(json!({"approval_above": 100})).unwrap();
    }
    let order = request.id.order_id().map_or("", |it| it.as_str());
    if ["r1", "f1", "f2", "f3"].contains(&member) || order.starts_with("f-") {
        spec.version = 12;
        spec.enrollment = serde_json::from_value(json!({"points": 40, "level": "gold"})).unwrap();
        spec.referral = serde_json::from_value(json!({
            "friend_points": 20, "referrer_points": 30, "window_days": 14, "min_amount": "50",
            "milestones": [{"friends": 1, "points": 5}],
            "caps": [{"period": "year", "points": 34}, {"period": "lifetime", "points": 1000}],
            "velocity": {"period": "month", "friends": 1}
        }))
        .unwrap();
    }
    if member == "k1" || order.starts_with("k-") {
        spec.checkout = serde_json::from_value(json!({"point_worth": "0.1"})).unwrap();
    }
    spec.try_into().unwrap()
}

fn at(instant: &str) -> Timestamp {
    instant.parse().unwrap()
}

fn minor(amount: u64) -> Minor {
    amount.try_into().unwrap()
}

fn member() -> MemberId {
    "member 1".try_into().unwrap()
}

fn content(amounts: &[u64]) -> Content {
    let lines = amounts.iter().enumerate().map(|(index, amount)| Line {
        id: LineId::try_from(index.to_string().as_str()).unwrap(),
        sku: Sku::try_from(if index == 2 { "X" } else { "A" }).unwrap(),
        category: None,
        quantity: 2,
        amount: minor(*amount),
        discounts: Minor::ZERO,
        is_gift_card: false,
    });
    Content { lines: lines.collect(), shipping: minor(395), ..Content::default() }
}

fn order(id: &str, is_members: bool, instant: &str, currency: &str, amounts: &[u64]) -> Request {
    Request::order(Order {
        order_id: id.try_into().unwrap(),
        member_id: is_members.then(member),
        paid_at: at(instant),
        currency: currency.parse().unwrap(),
        channel: Some("app".try_into().unwrap()),
        referral_code: None,
        points_hold: None,
        content: content(amounts),
    })
}

fn refund(order: &str, id: &str, instant: &str, correction: Correction) -> Request {
    Request::refund(order.try_into().unwrap(), id.try_into().unwrap(), at(instant), correction)
}

fn line(id: &str, amount: u64) -> Correction {
    let key = LineKey::Line(id.try_into().unwrap());
    Correction::Lines(vec![
        RefundLine { key, quantity: 1, amount: minor(amount) },
        RefundLine { key: LineKey::Shipping, quantity: 0, amount: minor(100) },
    ])
}

/// All that can be brought, of which the lots pay a debt.
fn opening() -> Request {
    let points = |it: u64| Points::try_from(it).unwrap();
    let measure =
        |spend, orders| Measure { spend: Spend::of_minor(minor(spend)), orders, growth: 0 };
    let opening = Opening {
        lots: [("2026-03-31", 30), ("2026-12-31", 50), ("2025-12-31", 20)]
            .map(|(day, it)| BroughtLot { points: points(it), last_good_day: day.parse().unwrap() })
            .into(),
        pending: vec![BroughtPending {
            points: points(40),
            matures_at: at("2026-01-20T00:00:00Z"),
            last_good_day: None,
        }],
        debt: points(35),
        level: Some(BroughtLevel {
            level: "gold".try_into().unwrap(),
            valid_through: Some("2026-06-30".parse().unwrap()),
        }),
        months: vec![MonthProgress {
            month: "2025-12".to_owned().try_into().unwrap(),
            measure: measure(12_345, 3),
        }],
        earlier: measure(678, 9),
    };
    Request::open("m3".try_into().unwrap(), at("2026-01-01T12:00:00Z"), opening)
}

/// A history that comes by every answer and every event.
fn requests() -> Vec<Request> {
    let (client, key) = (ClientId::try_from("till").unwrap(), RequestKey::try_from("1").unwrap());
    let points = |it: u64| Points::try_from(it).unwrap();
    let spend = Request::spend(
        client.clone(),
        key.clone(),
        member(),
        at("2026-01-06T12:00:00Z"),
        points(150),
    );
    let give_back = |key: &str, instant: &str, number: u64| {
        let key = RequestKey::try_from(key).unwrap();
        let (member, spend) = (member(), spend.id.clone());
        Request::give_back(client.clone(), key, member, at(instant), spend, points(number))
    };
    let due_of = |member_id: MemberId, instant: &str| {
        let day = jiff::tz::TimeZone::UTC.to_datetime(at(instant)).date();
        let (id, command) =
            (CommandId::Due(member_id.clone(), day), Command::PostDue { member_id });
        Request { id, at: at(instant), command }
    };
    let due = |instant: &str| due_of(member(), instant);
    let slider = || MemberId::try_from("m4").unwrap();
    let other = || MemberId::try_from("m2").unwrap();
    let others = |mut request: Request| {
        if let Command::PayOrder(order) = &mut request.command {
            order.member_id = Some(other());
        }
        request
    };
    let sliders = |mut request: Request| {
        if let Command::PayOrder(order) = &mut request.command {
            order.member_id = Some(slider());
        }
        request
    };
    let reminded = || MemberId::try_from("m5").unwrap();
    let reminded_by = |mut request: Request| {
        if let Command::PayOrder(order) = &mut request.command {
            order.member_id = Some(reminded());
        }
        request
    };
    vec![
        refund("o/1", "early", "2026-01-02T00:00:00Z", line("0", 250)),
        refund("o/1", "wrong", "2026-01-02T00:00:00Z", line("9", 1)),
        order("o/1", true, "2026-01-01T12:00:00.5Z", "GBP", &[5_000, 6_000, 700]),
        order("o#2", true, "2026-01-01T12:00:00.5Z", "EUR", &[2_000]),
        order("guest", false, "2026-01-01T13:00:00Z", "GBP", &[3_000]),
        order("yen", true, "2026-01-01T13:00:00Z", "JPY", &[3_000]),
        refund("yen", "r", "2026-01-01T13:00:00Z", Correction::All),
        spend.clone(),
        give_back("2", "2026-01-07T12:00:00Z", 10),
        give_back("3", "2026-01-07T12:00:00Z", 1_000),
        refund("o/1", "part", "2026-01-07T13:00:00Z", Correction::Amount(minor(4_000))),
        Request::change(
            "o#2".try_into().unwrap(),
            "c".try_into().unwrap(),
            at("2026-01-08T00:00:00Z"),
            content(&[9_000, 100]),
        ),
        Request::cancel("o/1".try_into().unwrap(), at("2026-01-09T00:00:00Z")),
        due("2026-02-03T00:00:00Z"),
        give_back("4", "2026-02-04T00:00:00Z", 90),
        order("late", true, "2025-12-01T00:00:00Z", "GBP", &[1_000]),
        due("2027-06-01T00:00:00Z"),
        refund("guest", "r", "2026-01-03T00:00:00Z", Correction::Amount(minor(1_000))),
        others(order("kept", true, "2026-03-01T12:00:00Z", "GBP", &[20_000])),
        others(order("gone", true, "2026-03-01T12:00:00Z", "GBP", &[2_000])),
        // Matures after its last good day.
        others(order("lapsing", true, "2026-02-02T12:00:00Z", "GBP", &[3_000])),
        due_of(other(), "2026-03-10T00:00:00Z"),
        refund("gone", "r", "2026-05-01T00:00:00Z", Correction::Amount(minor(500))),
        due_of(other(), "2027-05-01T00:00:00Z"),
        opening(),
        sliders(order("before", true, "2026-02-20T12:00:00Z", "GBP", &[3_000])),
        // Another one's lot is moved while its points are still on their way.
        sliders(order("sliding", true, "2026-03-10T12:00:00Z", "GBP", &[2_000])),
        sliders(order("on-its-way", true, "2026-03-12T12:00:00Z", "GBP", &[1_000])),
        Request::extend(
            client,
            key,
            slider(),
            at("2026-03-12T13:00:00Z"),
            "2026-12-31".parse().unwrap(),
            "goodwill".try_into().unwrap(),
        ),
        reminded_by(order("told-1", true, "2026-03-01T12:00:00Z", "GBP", &[3_000])),
        reminded_by(order("told-2", true, "2026-03-01T13:00:00Z", "GBP", &[2_000])),
        reminded_by(order("told-3", true, "2026-03-01T14:00:00Z", "GBP", &[1_000])),
        due_of(reminded(), "2026-03-26T00:00:00Z"),
        due_of(reminded(), "2027-03-25T00:00:00Z"),
    ]
    .into_iter()
    .chain(requests_about_levels(due_of))
    .chain(requests_about_friends(due_of))
    .chain(requests_about_rewards())
    .chain(requests_about_moves())
    .chain(requests_about_checkouts())
    .collect()
}

/// What staff adjust, and what members give each other.
fn requests_about_moves() -> Vec<Request> {
    let member = |it: &str| MemberId::try_from(it).unwrap();
    let client = |it: &str| ClientId::try_from(it).unwrap();
    let key = |it: &str| RequestKey::try_from(it).unwrap();
    let points = |it: u64| Points::try_from(it).unwrap();
    let adjusts = |key: &str, change, number: u64| {
        let key = RequestKey::try_from(key).unwrap();
        let note = Some("0b5a2d1c9e7f48f3a6b4c2d1e0f98765".try_into().unwrap());
        let (points, reason) = (points(number), "goodwill".try_into().unwrap());
        let new = NewAdjustment { change, points, reason, note };
        Request::adjust(client("kim"), key, member("g1"), at("2026-01-12T12:00:00Z"), new)
    };
    let reviews = |name: &str, adjusts: &Request, approves| {
        let (id, reason) = (AdjustmentId::of(&adjusts.id), "seen".try_into().unwrap());
        let instant = at("2026-01-13T12:00:00Z");
        let (client, key) = (client("lee"), key(name));
        Request::review_adjustment(client, key, member("g1"), instant, id, approves, reason)
    };
    let gives = |name: &str, from: &str, instant: &str, number: u64| {
        let (client, key) = (client("app"), key(name));
        Request::transfer(client, key, member(from), at(instant), member("g2"), points(number))
    };
    let add = AdjustmentChange::Add { through: Some("2026-12-31".parse().unwrap()) };
    let (large, denied) = (adjusts("a1", add, 200), adjusts("a2", AdjustmentChange::Take, 150));
    let enroll = |id: &str| Request::enroll(member(id), at("2026-01-10T12:00:00Z"), None);
    vec![
        enroll("g1"),
        enroll("g2"),
        gives("g0", "g1", "2026-01-11T11:00:00Z", 10),
        large.clone(),
        reviews("r1", &large, true),
        denied.clone(),
        reviews("r2", &denied, false),
        adjusts("a3", AdjustmentChange::Take, 20),
        gives("g1", "g1", "2026-01-14T12:00:00Z", 30),
        gives("g2", "g1", "2026-01-14T13:00:00Z", 80),
        // Waits, so that the account holds it.
        adjusts("a4", AdjustmentChange::Add { through: None }, 300),
    ]
}

/// The receiver's entry, which no request of theirs made.
fn received() -> CommandId {
    let gift = requests_about_moves().into_iter().nth(8).unwrap();
    CommandId::Counterpart("g2".try_into().unwrap(), PairId::of(&gift.id))
}

/// What is held, what pays orders, and what comes back of it.
fn requests_about_checkouts() -> Vec<Request> {
    let member = || MemberId::try_from("k1").unwrap();
    let (client, key) =
        (|| ClientId::try_from("till").unwrap(), |it: &str| RequestKey::try_from(it).unwrap());
    let points = |it: u64| Points::try_from(it).unwrap();
    let pays = |id: &str, instant: &str, hold: Option<HoldId>, with_points: u64| {
        let mut request = order(id, true, instant, "GBP", &[6_000]);
        if let Command::PayOrder(order) = &mut request.command {
            order.member_id = Some(member());
            order.points_hold = hold;
            order.content.paid_with_points = minor(with_points);
        }
        request
    };
    let hold = |name: &str, instant: &str, number: u64| {
        let (total, currency) = (minor(500), "GBP".parse().unwrap());
        let new = NewHold { total, currency, points: Some(points(number)), minutes: None };
        Request::hold(client(), key(name), member(), at(instant), new)
    };
    let capture = |begun: &Request, name: &str, instant: &str, number: u64| {
        let (hold, points) = (HoldId::of(&begun.id), Some(points(number)));
        Request::capture(client(), key(name), member(), at(instant), hold, points)
    };
    let all = ["1", "2", "3", "4"].map(|it| hold(it, "2026-01-12T12:00:00Z", 20));
    let [used, let_go, ended, pays_order] = &all;
    let pays_with = Some(HoldId::of(&pays_order.id));
    let with_points = |with_points| {
        let paid_with_points = minor(with_points);
        Content { paid_with_points, ..content(&[6_000]) }
    };
    let mut requests = vec![pays("k-0", "2026-01-05T12:00:00Z", None, 0)];
    requests.extend(all.iter().cloned());
    requests.extend([
        hold("5", "2026-01-12T12:01:00Z", 51),
        capture(used, "6", "2026-01-12T12:02:00Z", 21),
        capture(used, "7", "2026-01-12T12:03:00Z", 5),
        Request::release(
            client(),
            key("8"),
            member(),
            at("2026-01-12T12:04:00Z"),
            HoldId::of(&let_go.id),
        ),
        refund("k-1", "early", "2026-01-12T12:05:00Z", Correction::Amount(minor(10)))
            .returning(Some(points(7))),
        pays("k-1", "2026-01-12T12:06:00Z", pays_with, 150),
        Request::change(
            "k-1".try_into().unwrap(),
            "more".try_into().unwrap(),
            at("2026-01-12T12:07:00Z"),
            with_points(250),
        ),
        Request::cancel("k-1".try_into().unwrap(), at("2026-01-12T13:00:00Z")),
        capture(ended, "9", "2026-01-12T13:00:00Z", 1),
    ]);
    // Its program lets points pay nothing.
    let mut unknown = order("unknown", true, "2026-01-12T13:00:00Z", "GBP", &[1_000]);
    if let Command::PayOrder(order) = &mut unknown.command {
        order.member_id = Some("k2".try_into().unwrap());
        order.points_hold = pays_with;
        order.content.paid_with_points = minor(100);
    }
    requests.push(unknown);
    requests
}

/// The catalogue that members take of.
async fn fill_catalogue(ledger: &DynamoDbLedger) {
    let limit = RewardLimit { period: CapPeriod::Year, count: 1 };
    let uploaded = RewardKind::Coupon { codes: CodeSource::Uploaded };
    let generated = RewardKind::Coupon { codes: CodeSource::Generated };
    let from = Some(Moment::Instant(at("2027-01-01T00:00:00Z")));
    let to = "Doctors".into();
    let donation = RewardKind::Donation { amount_minor: minor(500), to };
    for (spec, stock) in [
        (RewardSpec { limits: vec![limit], ..reward("mug", RewardKind::Goods, 20, 1) }, 5),
        (reward("badge", RewardKind::Collectible, 5, 1), 1),
        (reward("code", generated, 5, 0), 0),
        (reward("donation", donation, 5, 0), 0),
        (RewardSpec { from, ..reward("later", RewardKind::FreeShipping, 5, 0) }, 0),
        (
            RewardSpec {
                status: RewardStatus::Paused,
                ..reward("paused", RewardKind::GiftCard { amount_minor: minor(100) }, 5, 0)
            },
            0,
        ),
        (reward("coupon", uploaded, 5, 1), 0),
    ] {
        let is_coupon = spec.id.as_str() == "coupon";
        let reward = offer(ledger, spec, stock).await;
        if is_coupon {
            ledger
                .add_codes(&reward, &["WINTER-1".try_into().unwrap()], &editor(), &mut Attempts(16))
                .await
                .unwrap();
        }
    }
}

/// What members take of the catalogue, and what becomes of it.
fn requests_about_rewards() -> Vec<Request> {
    let member = || MemberId::try_from("w1").unwrap();
    let mut paid = order("w-1", true, "2026-01-05T12:00:00Z", "GBP", &[6_000]);
    if let Command::PayOrder(order) = &mut paid.command {
        order.member_id = Some(member());
    }
    let redeem = |reward: &str, key: &str, instant: &str, points: Option<u64>| {
        let new = NewRedemption {
            reward: reward.try_into().unwrap(),
            points: points.map(|it| it.try_into().unwrap()),
            channel: Some("app".try_into().unwrap()),
            code: VoucherCode::of_random([7; 10]),
        };
        let (client, key) =
            (ClientId::try_from("app").unwrap(), RequestKey::try_from(key).unwrap());
        Request::redeem(client, key, member(), at(instant), new)
    };
    let goes_on = |begun: &Request, step, instant: &str| {
        let (_, redemption) = begun.redeems().unwrap();
        let reason = "as-agreed".try_into().unwrap();
        Request::redemption_step(member(), *redemption, step, at(instant), reason)
    };
    let mug = redeem("mug", "1", "2026-01-12T12:00:00Z", Some(20));
    let code = redeem("code", "2", "2026-01-12T12:00:00Z", None);
    let badge = redeem("badge", "3", "2026-01-12T12:00:00Z", None);
    vec![
        paid,
        mug.clone(),
        code.clone(),
        badge.clone(),
        redeem("coupon", "4", "2026-01-12T12:00:00Z", None),
        redeem("donation", "5", "2026-01-12T12:00:00Z", None),
        redeem("mug", "6", "2026-01-12T13:00:00Z", None),
        redeem("badge", "7", "2026-01-12T13:00:00Z", None),
        redeem("code", "8", "2026-01-12T13:00:00Z", Some(6)),
        redeem("later", "9", "2026-01-12T13:00:00Z", None),
        redeem("paused", "10", "2026-01-12T13:00:00Z", None),
        goes_on(&code, RedemptionStep::Fulfill, "2026-01-13T12:00:00Z"),
        goes_on(&mug, RedemptionStep::Cancel, "2026-01-13T12:00:00Z"),
        goes_on(&code, RedemptionStep::Refund, "2026-04-13T12:00:00Z"),
        redeem("mug", "11", "2026-04-13T12:00:00Z", None),
    ]
}

fn code() -> ReferralCode {
    ReferralCode::of_random([7; 8])
}

/// What members have who join, and bring each other.
fn requests_about_friends(due_of: impl Fn(MemberId, &str) -> Request) -> Vec<Request> {
    let member = |id: &str| MemberId::try_from(id).unwrap();
    let (desk, key) =
        (|| ClientId::try_from("desk").unwrap(), |it: &str| RequestKey::try_from(it).unwrap());
    let reason = || "looked-into".try_into().unwrap();
    let enroll = |id: &str, code| Request::enroll(member(id), at("2026-01-05T12:00:00Z"), code);
    let activate = |id: &str| Request::activate(member(id), at("2026-01-06T12:00:00Z"));
    let pays = |order_id: &str, id: &str, instant: &str| {
        let mut request = order(order_id, true, instant, "GBP", &[6_000]);
        if let Command::PayOrder(order) = &mut request.command {
            order.member_id = Some(member(id));
        }
        request
    };
    let settles = |id: &str| Request::settle_referral(member(id), at("2026-02-09T12:00:00Z"));
    let (review_at, end_at) = (at("2026-02-20T12:00:00Z"), at("2026-02-21T12:00:00Z"));
    vec![
        enroll("r1", None),
        activate("r1"),
        enroll("f1", Some(code())),
        activate("f1"),
        enroll("f2", Some(code())),
        activate("f2"),
        enroll("f3", Some(ReferralCode::of_random([8; 8]))),
        pays("f-1", "f1", "2026-01-10T12:00:00Z"),
        refund("f-1", "r", "2026-01-12T12:00:00Z", Correction::Amount(minor(2_000))),
        due_of(member("f1"), "2026-01-25T00:00:00Z"),
        pays("f-2", "f1", "2026-01-26T12:00:00Z"),
        pays("f-3", "f2", "2026-01-26T12:00:00Z"),
        due_of(member("f1"), "2026-02-10T00:00:00Z"),
        settles("f1"),
        settles("f2"),
        Request::review_referral(desk(), key("deny"), member("f2"), review_at, false, reason()),
        Request::cancel("f-2".try_into().unwrap(), review_at),
        order("f-guest", false, "2026-01-10T12:00:00Z", "GBP", &[3_000]),
        Request::claim_order(
            "f-guest".try_into().unwrap(),
            at("2026-01-10T12:00:00Z"),
            member("f3"),
        ),
        Request::set_status(
            desk(),
            key("freeze"),
            member("f3"),
            end_at,
            NewStatus::Frozen,
            reason(),
        ),
    ]
}

/// The entries of whoever brought somebody, which no request of theirs made; so is that of whoever gets a gift.
const BROUGHT: [fn(MemberId) -> CommandId; 2] =
    [CommandId::ReferralReward, CommandId::ReferralRevoked];

async fn find_brought(ledger: &DynamoDbLedger) -> Vec<Arc<Entry>> {
    let brought = BROUGHT.map(|it| it("f1".try_into().unwrap()));
    let ids: Vec<_> = brought.into_iter().chain([received()]).collect();
    ledger.find_entries(&ids, Reading::Newest).await.unwrap()
}

/// What levels have beside themselves, and campaigns.
fn requests_about_levels(due_of: impl Fn(MemberId, &str) -> Request) -> Vec<Request> {
    let member = || MemberId::try_from("m6").unwrap();
    let other = || MemberId::try_from("m7").unwrap();
    let client = || ClientId::try_from("desk").unwrap();
    let reason = || "fair-use".try_into().unwrap();
    let sets = |kind, level: &str, instant: &str, through: Option<&str>| {
        let through = through.map(|it| it.parse().unwrap());
        let set = Override { level: level.try_into().unwrap(), kind, through };
        let key = RequestKey::try_from(instant).unwrap();
        Request::override_level(client(), key, member(), at(instant), set, reason())
    };
    let key = RequestKey::try_from("lift").unwrap();
    let mut too_soon = order("too-soon", true, "2026-01-10T12:00:00Z", "GBP", &[20_000]);
    if let Command::PayOrder(order) = &mut too_soon.command {
        order.member_id = Some(other());
    }
    let mut gift = order("gift", true, "2026-01-10T12:00:00Z", "GBP", &[6_000]);
    if let Command::PayOrder(order) = &mut gift.command {
        order.member_id = Some("m8".try_into().unwrap());
    }
    let growth = 100.try_into().unwrap();
    let activity = "activity".try_into().unwrap();
    vec![
        Request::growth(member(), activity, at("2026-01-10T12:00:00Z"), growth),
        Request::task(member(), "profile".try_into().unwrap(), at("2026-01-11T12:00:00Z")),
        sets(OverrideKind::Courtesy, "gold", "2026-01-12T12:00:00Z", None),
        Request::lift_override(client(), key, member(), at("2026-01-13T12:00:00Z"), reason()),
        sets(OverrideKind::Violation, "blue", "2026-01-14T12:00:00Z", Some("2026-02-20")),
        due_of(member(), "2026-02-21T00:00:00Z"),
        due_of(member(), "2027-02-01T00:00:00Z"),
        too_soon,
        Request::cancel("too-soon".try_into().unwrap(), at("2026-01-11T12:00:00Z")),
        due_of(other(), "2026-02-01T00:00:00Z"),
        gift,
        Request::reinstate(
            client(),
            RequestKey::try_from("back").unwrap(),
            "m8".try_into().unwrap(),
            at("2026-03-20T12:00:00Z"),
            (Points::try_from(5).unwrap(), "2026-04-30".parse().unwrap()),
            reason(),
        ),
        refund("gift", "r", "2026-01-20T12:00:00Z", Correction::Amount(minor(3_000))),
        Request::end_measuring(10, at("2026-01-01T00:00:00Z")),
    ]
}

#[tokio::test]
async fn every_stored_shape_is_as_checked_in_and_read_as_it_was_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let engine = Engine::start();
    let tables = engine.tables();
    let owner = json!({
        "pk": {"S": format!("C#{}", code().as_str())}, "sk": {"S": "E"}, "v": {"N": "1"},
        "m": {"S": "r1"}, "t": {"N": "0"},
    });
    engine.overwrite(&members_table(&tables), &owner);
    let (ledger, _) = engine.ledger_in(tables);
    fill_catalogue(&ledger).await;
    let mut entries = Vec::new();
    for request in requests() {
        execute(&ledger, &program_for(&request), &mut Attempts(1), &request).await.unwrap();
        entries.push(ledger.load(&request, Reading::Newest).await.unwrap().entry.unwrap());
    }
    let brought = find_brought(&ledger).await;
    assert_eq!(brought.len(), BROUGHT.len() + 1);
    let written: Vec<String> = engine.items("ledger-0").iter().map(Value::to_string).collect();

    let golden = fs::read_to_string(root.join(GOLDEN)).unwrap_or_default();
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("items.golden");
    fs::write(&kept, written.join("\n") + "\n").unwrap();
    // What nobody wrote could not be read, and nobody would know.
    for shape in SHAPES {
        let is_there = entries
            .iter()
            .chain(&brought)
            .any(|it| serde_json::to_string(it).unwrap().contains(shape));
        assert!(is_there, "no entry of the history has {shape}");
    }
    let differs = golden.lines().zip(&written).position(|(a, b)| a != b);
    let is_same = differs.is_none() && golden.lines().count() == written.len();
    assert!(is_same, "{GOLDEN} differs from line {differs:?} on; what is written: {kept:?}");

    // And the other way round, in tables that hold only what was checked in.
    let (ledger, _) = engine.ledger();
    for line in golden.lines() {
        engine.overwrite("ledger-1", &serde_json::from_str(line).unwrap());
    }
    for (request, entry) in requests().iter().zip(&entries) {
        let read = ledger.load(request, Reading::Newest).await.unwrap().entry.unwrap();
        assert_eq!(read, *entry);
    }
    assert_eq!(find_brought(&ledger).await, brought);
    let answers = format!("{:?}", ledger.load(&requests()[0], Reading::Cheap).await.unwrap());
    assert!(answers.contains("Waiting"), "{answers}");

    let older = fs::read_to_string(root.join(OLDER)).unwrap();
    for line in older.lines() {
        engine.overwrite("ledger-1", &serde_json::from_str(line).unwrap());
    }
    let mut others = 0;
    for (request, entry) in requests().iter().zip(&entries) {
        let read = ledger.load(request, Reading::Newest).await.unwrap().entry.unwrap();
        if read == *entry {
            continue;
        }
        others += 1;
        let [read, written] = [&read, entry].map(|it| serde_json::to_value(it).unwrap());
        assert_eq!(read, as_it_was(written));
    }
    assert_eq!(others, older.lines().count(), "each of them is of an entry, and differs");
}

/// An entry as older code kept it.
fn as_it_was(mut entry: Value) -> Value {
    if let Some(fields) = entry.as_object_mut() {
        fields.remove("before");
        fields.remove("channel");
        if let Some(at_risk) = fields.get_mut("level_at_risk").and_then(Value::as_object_mut) {
            at_risk.remove("currency");
        }
        for it in fields.values_mut() {
            *it = as_it_was(it.take());
        }
    } else if let Some(items) = entry.as_array_mut() {
        for it in items {
            *it = as_it_was(it.take());
        }
    }
    entry
}
