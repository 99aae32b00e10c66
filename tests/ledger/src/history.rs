//! Random histories: what may happen to a shop, in any order, with numbers that meet.
#![expect(missing_docs, reason = "the fields of a step are what their names say")]

use std::num::NonZeroU32;

use jiff::{Timestamp, ToSpan, civil::Date};
use loyalty_domain::{
    account::{Account, Balance, Measure, MonthProgress},
    adjustment::{AdjustmentChange, NewAdjustment},
    calendar::Month,
    checkout::NewHold,
    code::ReferralCode,
    command::{Command, Correction, NewStatus, RefundLine, Request},
    id::{
        ActivityId, AdjustmentId, ChangeId, ClientId, CommandId, HoldId, LevelId, LineId, MemberId,
        OrderId, PairId, ReasonCode, RedemptionId, RedemptionStep, RefundId, RequestKey, Sku,
        TaskId,
    },
    money::{Minor, Spend},
    opening::{BroughtLevel, BroughtLot, BroughtPending, Opening},
    order::{Content, Line, LineKey, Order},
    points::Points,
    program::{CapPeriod, Program, ProgramSpec, in_succession},
    redemption::NewRedemption,
    reward::{CodeSource, RewardKind, RewardLimit, RewardSpec, VoucherCode},
    tier::{Override, OverrideKind},
};
use loyalty_ledger::{catalogue::Catalogue, memory::MemoryLedger};
use proptest::prelude::*;

use crate::{
    friends::code_of,
    rewards::{offer, reward},
};

/// One thing that may happen, with small numbers so that runs of them meet.
#[derive(Clone, Debug)]
pub enum Step {
    /// An order is paid.
    Order {
        /// Whose; the fourth is a guest.
        member: u8,
        /// Whose code it names; the fourth has none.
        code: Option<u8>,
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
    Due {
        member: u8,
        day: u16,
    },
    Extend {
        member: u8,
        hours: u16,
        day: u16,
    },
    Reinstate {
        member: u8,
        hours: u16,
        points: u16,
        day: u16,
    },
    Opening {
        member: u8,
        hours: u16,
        brought: Brought,
    },
    /// Something about the member's level.
    Level {
        member: u8,
        hours: u16,
        what: LevelStep,
    },
    /// Something about members, and those whom they bring.
    Friends(FriendStep),
    /// Something about rewards.
    Rewards(RewardStep),
    /// Something about points that pay for orders.
    Checkout(CheckoutStep),
    /// Staff make two members one.
    Merge {
        source: u8,
        into: u8,
        hours: u16,
    },
    /// Staff undo one of these.
    UndoMerge {
        merge: u8,
        hours: u16,
    },
    Repeat {
        step: u8,
    },
    /// Something about points that members give to each other, and that staff adjust.
    Move(MoveStep),
}

/// Something about points that members give to each other, and that staff adjust.
#[derive(Clone, Debug)]
pub enum MoveStep {
    /// One member gives points to another.
    Give { from: u8, to: u8, hours: u16, points: u16 },
    /// One of two persons adds points or takes them off.
    Adjust { member: u8, hours: u16, points: u16, adds: bool, by: bool },
    /// One of them decides about one of these, which may wait.
    Review { adjustment: u8, hours: u16, approves: bool, by: bool },
}

/// Something about members, and those whom they bring.
#[derive(Clone, Debug)]
pub enum FriendStep {
    /// Something about whether a member is one.
    Member { member: u8, hours: u16, what: MemberStep },
    /// The referral of an order's member is settled so many hours after the order's window.
    Settle { order: u8, late: u16 },
    /// All that it takes for a friend to be rewarded with whoever brought them, if nothing else happens: both join,
    /// the friend orders, and what is due is settled, and decided by staff if it waits for them.
    Bring { friend: u8, referrer: u8, hours: u16, amount: u32, approves: bool },
    /// A guest's order becomes a member's.
    Claim { order: u8, member: u8 },
}

/// Something about rewards.
#[derive(Clone, Debug)]
pub enum RewardStep {
    /// One is taken, of those of the member, and then goes on at once.
    Redeem { member: u8, hours: u16, reward: u8, then: Vec<RedemptionStep> },
    /// One that was taken goes on.
    Go { redemption: u8, hours: u16, step: RedemptionStep },
}

/// Something about points that pay for orders.
#[derive(Clone, Debug)]
pub enum CheckoutStep {
    /// Points are held, and then this happens some hours later.
    Hold {
        member: u8,
        hours: u16,
        points: Option<u16>,
        minutes: Option<u16>,
        then: Vec<(u8, HoldStep)>,
    },
    /// A refund says how many points come back.
    Return { order: u8, hours: u16, amount: u32, points: u16 },
    /// An edit says what points pay.
    Edit { order: u8, hours: u16, amounts: Vec<u32>, points_paid: u16 },
}

/// What becomes of a hold.
#[derive(Clone, Debug)]
pub enum HoldStep {
    Capture {
        points: Option<u16>,
    },
    Release,
    /// An order names it.
    Order {
        amounts: Vec<u32>,
        points_paid: u16,
        euros: bool,
    },
}

/// Something about whether somebody is a member.
#[derive(Clone, Debug)]
pub enum MemberStep {
    /// They join, and name the code of somebody; the fourth has none.
    Enroll {
        by: Option<u8>,
    },
    Activate,
    Status(NewStatus),
    /// Staff decide about the referral by which they were brought.
    Review {
        approves: bool,
    },
}

/// Something about a member's level.
#[derive(Clone, Debug)]
pub enum LevelStep {
    Grow {
        growth: u16,
    },
    Task {
        task: u8,
    },
    /// Staff set a level by rank, through some day, as a courtesy or for a violation.
    Override {
        level: u8,
        through: Option<u16>,
        is_courtesy: bool,
    },
    Lift,
}

/// What a member brings: days, months and hours after the beginning, levels by rank.
#[derive(Clone, Debug)]
pub struct Brought {
    pub lots: Vec<(u16, u16)>,
    pub pending: Vec<(u16, u16, Option<u16>)>,
    pub debt: u16,
    /// The fifth level is none of the program's.
    pub level: Option<(u8, Option<u16>)>,
    /// Months after January of the year before.
    pub months: Vec<(u8, u32, u8)>,
    pub earlier: u32,
}

fn any_brought() -> impl Strategy<Value = Brought> {
    let day = || 0..1_100_u16;
    // At few instants and on few days, so that several meet there, and with those of orders.
    let hours = || prop_oneof![0..17_520_u16, (0..6_u16).prop_map(|it| it * 2_400)];
    (
        prop::collection::vec((0..500_u16, day()), 0..4),
        prop::collection::vec(
            (0..500_u16, hours(), prop::option::of((0..5_u16).prop_map(|it| it * 200))),
            0..4,
        ),
        prop_oneof![2 => Just(0_u16), 1 => 0..900_u16],
        prop::option::weighted(
            0.5,
            (prop_oneof![9 => 0..4_u8, 1 => Just(4_u8)], prop::option::of(day())),
        ),
        prop::collection::vec((0..24_u8, 0..90_000_u32, 0..4_u8), 0..4),
        prop_oneof![Just(0_u32), 0..90_000_u32],
    )
        .prop_map(|(lots, pending, debt, level, months, earlier)| Brought {
            lots,
            pending,
            debt,
            level,
            months,
            earlier,
        })
}

/// Any step, within two years.
pub fn any_step() -> impl Strategy<Value = Step> {
    // Within two years; every fourth at a midnight, where things fall due.
    let hours = || prop_oneof![3 => 0..17_520_u16, 1 => (0..730_u16).prop_map(|day| day * 24)];
    let order = (
        (prop_oneof![9 => 0..3_u8, 1 => Just(GUEST)], any_code(0.3)),
        hours(),
        prop::collection::vec(0..60_000_u32, 1..4),
        prop::bool::weighted(0.1),
        prop_oneof![4 => Just(0_u16), 1 => 0..30_000_u16],
        prop::bool::weighted(0.2),
    );
    prop_oneof![
        8 => order.prop_map(|((member, code), hours, amounts, excluded, points_paid, euros)| {
            Step::Order { member, code, hours, amounts, excluded, points_paid, euros }
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
        2 => (0..3_u8, 0..730_u16).prop_map(|(member, day)| Step::Due { member, day }),
        1 => (0..3_u8, hours(), 0..1_100_u16)
            .prop_map(|(member, hours, day)| Step::Extend { member, hours, day }),
        1 => (0..3_u8, hours(), 0..300_u16, 0..1_100_u16)
            .prop_map(|(member, hours, points, day)| Step::Reinstate { member, hours, points, day }),
        2 => (0..3_u8, hours(), any_brought())
            .prop_map(|(member, hours, brought)| Step::Opening { member, hours, brought }),
        2 => any_step_about_levels(),
        8 => any_step_about_friends().prop_map(Step::Friends),
        1 => (0..3_u8, 0..3_u8, hours())
            .prop_map(|(source, into, hours)| Step::Merge { source, into, hours }),
        1 => (0..2_u8, hours()).prop_map(|(merge, hours)| Step::UndoMerge { merge, hours }),
        2 => (0..40_u8).prop_map(|step| Step::Repeat { step }),
        6 => any_step_that_moves().prop_map(Step::Move),
        5 => any_step_about_checkouts().prop_map(Step::Checkout),
        6 => any_step_about_rewards().prop_map(Step::Rewards),
    ]
}

fn any_step_that_moves() -> impl Strategy<Value = MoveStep> {
    let hours = || prop_oneof![3 => 0..17_520_u16, 1 => (0..730_u16).prop_map(|day| day * 24)];
    prop_oneof![
        4 => (0..3_u8, 0..3_u8, hours(), 0..300_u16)
            .prop_map(|(from, to, hours, points)| MoveStep::Give { from, to, hours, points }),
        2 => (0..3_u8, hours(), 0..300_u16, any::<bool>(), any::<bool>())
            .prop_map(|(member, hours, points, adds, by)| {
                MoveStep::Adjust { member, hours, points, adds, by }
            }),
        1 => (0..4_u8, hours(), any::<bool>(), any::<bool>())
            .prop_map(|(adjustment, hours, approves, by)| {
                MoveStep::Review { adjustment, hours, approves, by }
            }),
    ]
}

/// The number of whoever has no account: nobody's code, and orders of guests.
const GUEST: u8 = 3;

fn any_code(probability: f64) -> impl Strategy<Value = Option<u8>> {
    prop::option::weighted(probability, prop_oneof![9 => 0..3_u8, 1 => Just(GUEST)])
}

fn any_step_about_friends() -> impl Strategy<Value = FriendStep> {
    // Mostly early, since those who have not joined bring nobody.
    let hours = || prop_oneof![4 => 0..1_000_u16, 1 => 0..17_520_u16, 1 => (0..730_u16).prop_map(|it| it * 24)];
    let status = prop_oneof![2 => Just(NewStatus::Active), 2 => Just(NewStatus::Frozen), 1 => Just(NewStatus::Closed)];
    let what = prop_oneof![
        6 => any_code(0.5).prop_map(|by| MemberStep::Enroll { by }),
        3 => Just(MemberStep::Activate),
    ];
    let later = prop_oneof![
        2 => status.prop_map(MemberStep::Status),
        1 => any::<bool>().prop_map(|approves| MemberStep::Review { approves }),
    ];
    prop_oneof![
        5 => (0..3_u8, hours(), what)
            .prop_map(|(member, hours, what)| FriendStep::Member { member, hours, what }),
        1 => (0..3_u8, 0..17_520_u16, later)
            .prop_map(|(member, hours, what)| FriendStep::Member { member, hours, what }),
        4 => (0..6_u8, prop_oneof![Just(0_u16), 0..200_u16])
            .prop_map(|(order, late)| FriendStep::Settle { order, late }),
        6 => (0..3_u8, 0..3_u8, 0..1_000_u16, 5_000..40_000_u32, prop::bool::weighted(0.8))
            .prop_map(|(friend, referrer, hours, amount, approves)| {
                FriendStep::Bring { friend, referrer, hours, amount, approves }
            }),
        1 => (0..12_u8, 0..3_u8).prop_map(|(order, member)| FriendStep::Claim { order, member }),
    ]
}

fn any_step_about_checkouts() -> impl Strategy<Value = CheckoutStep> {
    let amounts = || prop::collection::vec(0..60_000_u32, 1..4);
    let paid = || prop_oneof![1 => Just(0_u16), 6 => 0..1_500_u16];
    let then = prop_oneof![
        2 => prop::option::of(0..300_u16).prop_map(|points| HoldStep::Capture { points }),
        1 => Just(HoldStep::Release),
        5 => (amounts(), paid(), prop::bool::weighted(0.2)).prop_map(
            |(amounts, points_paid, euros)| HoldStep::Order { amounts, points_paid, euros }
        ),
    ];
    let points = prop::option::of(0..300_u16);
    // The longest is thirty days.
    let minutes = prop::option::of(1..43_202_u16);
    let then = prop::collection::vec((0..40_u8, then), 0..3);
    prop_oneof![
        4 => (0..3_u8, 0..17_520_u16, points, minutes, then).prop_map(
            |(member, hours, points, minutes, then)| {
                CheckoutStep::Hold { member, hours, points, minutes, then }
            }
        ),
        1 => (0..12_u8, 0..17_520_u16, 0..60_000_u32, 0..300_u16).prop_map(
            |(order, hours, amount, points)| CheckoutStep::Return { order, hours, amount, points }
        ),
        1 => (0..12_u8, 0..17_520_u16, amounts(), paid()).prop_map(
            |(order, hours, amounts, points_paid)| {
                CheckoutStep::Edit { order, hours, amounts, points_paid }
            }
        ),
    ]
}

fn any_step_about_rewards() -> impl Strategy<Value = RewardStep> {
    let step = || {
        prop_oneof![
            Just(RedemptionStep::Fulfill),
            Just(RedemptionStep::Cancel),
            Just(RedemptionStep::Refund),
        ]
    };
    prop_oneof![
        3 => (0..3_u8, 0..17_520_u16, 0..4_u8, prop::collection::vec(step(), 0..3)).prop_map(
            |(member, hours, reward, then)| RewardStep::Redeem { member, hours, reward, then }
        ),
        2 => (0..4_u8, 0..17_520_u16, step())
            .prop_map(|(redemption, hours, step)| RewardStep::Go { redemption, hours, step }),
    ]
}

fn any_step_about_levels() -> impl Strategy<Value = Step> {
    let hours = || prop_oneof![3 => 0..17_520_u16, 1 => (0..730_u16).prop_map(|day| day * 24)];
    let set = (0..5_u8, prop::option::of(0..1_100_u16), any::<bool>());
    let what = prop_oneof![
        2 => (1..300_u16).prop_map(|growth| LevelStep::Grow { growth }),
        1 => (0..3_u8).prop_map(|task| LevelStep::Task { task }),
        2 => set.prop_map(|(level, through, is_courtesy)| {
            LevelStep::Override { level, through, is_courtesy }
        }),
        1 => Just(LevelStep::Lift),
    ];
    (0..3_u8, hours(), what).prop_map(|(member, hours, what)| Step::Level { member, hours, what })
}

/// A program of any settings that make a difference.
pub fn any_program() -> impl Strategy<Value = Program> {
    (
        prop_oneof![Just(0_u32), Just(14), Just(60)],
        any_expiry(),
        prop_oneof![Just("debt"), Just("waive")],
        prop_oneof![Just("one_level"), Just("to_qualifying")],
        prop_oneof![Just("twelve_months"), Just("calendar_year"), Just("lifetime")],
        prop_oneof![Just("Europe/London"), Just("America/Sao_Paulo"), Just("Asia/Tokyo")],
        prop_oneof![Just("null"), Just("700")],
        any::<bool>(),
        0..40_u32,
        // Of points that slide: before all that happens, and in the midst of it.
        prop_oneof![Just("2020-01-01"), Just("2020-07-01"), Just("2021-02-28")],
        prop_oneof![Just("[]"), Just("[30, 7, 1]")],
        (any_beside_levels(), any_membership()),
    )
        .prop_map(
            |(
                pending,
                expiry,
                shortfall,
                review,
                window,
                zone,
                cap,
                lowers,
                reinstate,
                effective,
                reminders,
                ((start, grace, floor, invite, months, campaign), membership),
            )| {
                // Where points slide, those of a campaign have no months of their own.
                let slides = expiry.contains("sliding");
                let campaign = if slides { "" } else { campaign };
                let membership = membership.as_json(slides);
                let spec: ProgramSpec = serde_json::from_str(&format!(
                    r#"{{
                    "name": "Random", "version": 1, "effective": "{effective}", "currency": "GBP",
                    "time_zone": "{zone}", "rates": {{"EUR": "0.8612345"}},
                    "earning": {{"points_per_unit": "1.5", "pending_days": {pending},
                        {expiry},
                        "exclude": {{"skus": ["X"]}}}},
                    "caps": {{"per_order": {cap},
                        "per_member": [{{"period": "month", "points": 1500}}]}},
                    "refunds": {{"shortfall": "{shortfall}", "lowers_level": {lowers}}},
                    "spending": {{"reinstate_days": {reinstate}}},
                    "reminders": {{"points_days": {reminders}, "tier_days": {reminders}}},
                    "tiers": {{"window": "{window}", "review": "{review}",
                        "start": "{start}", "grace_months": {grace}, "levels": [
                        {{"id": "a", "name": "A"}},
                        {{"id": "b", "name": "B", "spend": "200", "orders": 3, "bonus": "0.05",
                            "growth": 400, "floor": {floor}}},
                        {{"id": "c", "name": "C", "bonus": "0.1", {invite}}},
                        {{"id": "d", "name": "D", "spend": "1500", "bonus": "0.3"{months}}}]}},
                    "campaigns": [
                        {{"name": "welcome", "min_amount": "100", "points": 50{campaign}}},
                        {{"name": "more", "bonus": "0.5"{campaign}}}],
                    "transfers": {{"caps": [{{"period": "month", "points": 400}}]}},
                    "adjustments": {{"approval_above": 150}},
                    "checkout": {{"point_worth": "0.02", "min_points": 3, "max_share": "0.9",
                        "hold_minutes": 43200}},
                    {membership}
                }}"#
                ))
                .unwrap();
                Program::try_from(spec).unwrap()
            },
        )
}

/// When levels begin, how long they are kept, whether the second one is a floor, how the third is met, and how
/// long points of the last one and of campaigns live.
fn any_beside_levels()
-> impl Strategy<Value = (&'static str, u32, bool, &'static str, &'static str, &'static str)> {
    let months = || {
        prop_oneof![
            2 => Just(""),
            1 => Just(r#", "expiry_months": 2"#),
            1 => Just(r#", "expiry_months": 15"#),
        ]
    };
    (
        prop_oneof![3 => Just("at_once"), 1 => Just("next_period")],
        prop_oneof![3 => Just(0_u32), 1 => Just(1), 1 => Just(11)],
        prop::bool::weighted(0.2),
        prop_oneof![
            3 => Just(r#""spend": "800""#),
            1 => Just(r#""spend": "800", "tasks": ["t0", "t1"]"#),
            1 => Just(r#""invite_only": true"#),
        ],
        months(),
        months(),
    )
}

/// How many days of 24 hours a friend's order must be kept, where there is a return window.
const WINDOW_DAYS: u16 = 14;

/// What joining and bringing friends come to.
#[derive(Clone, Copy, Debug)]
struct JoiningAndBringing {
    activation: &'static str,
    welcome: &'static str,
    level: &'static str,
    months: &'static str,
    referral: Option<(u16, &'static str, &'static str, &'static str)>,
}

impl JoiningAndBringing {
    fn as_json(self, slides: bool) -> String {
        let Self { activation, welcome, level, months, referral } = self;
        let months = if slides { "null" } else { months };
        let enrollment = format!(
            r#""enrollment": {{"activation": "{activation}", "points": {welcome}, "level": {level},
                "expiry_months": {months}}}"#
        );
        let Some((window, by, caps, velocity)) = referral else { return enrollment };
        format!(
            r#"{enrollment},
            "referral": {{"friend_points": 50, "referrer_points": 100, "expiry_months": {months},
                "window_days": {window}, {by},
                "milestones": [{{"friends": 1, "points": 30}}, {{"friends": 2, "points": 20}}],
                "caps": [{caps}], "velocity": {velocity}}}"#
        )
    }
}

fn any_membership() -> impl Strategy<Value = JoiningAndBringing> {
    let referral = (
        prop_oneof![1 => Just(0_u16), 4 => Just(WINDOW_DAYS)],
        prop_oneof![
            3 => Just(r#""min_amount": null"#),
            2 => Just(r#""min_amount": "100""#),
            1 => Just(r#""task": "t0""#),
        ],
        prop_oneof![
            2 => Just(""),
            1 => Just(r#"{"period": "year", "points": 140}, {"period": "lifetime", "points": 170}"#),
        ],
        prop_oneof![Just("null"), Just(r#"{"period": "year", "friends": 1}"#)],
    );
    (
        prop_oneof![2 => Just("none"), 1 => Just("code")],
        prop_oneof![Just("null"), Just("30")],
        prop_oneof![3 => Just("null"), 1 => Just(r#""b""#)],
        prop_oneof![2 => Just("null"), 1 => Just("2"), 1 => Just("15")],
        prop::option::weighted(0.8, referral),
    )
        .prop_map(|(activation, welcome, level, months, referral)| JoiningAndBringing {
            activation,
            welcome,
            level,
            months,
            referral,
        })
}

/// How long points live, as fields of JSON.
fn any_expiry() -> impl Strategy<Value = String> {
    let model = prop_oneof![3 => Just("fixed"), 3 => Just("sliding"), 1 => Just("never")];
    let ends = prop_oneof![
        4 => prop_oneof![Just("none"), Just("month_end"), Just("quarter_end"), Just("year_end")]
            .prop_map(|it| format!(r#""expiry_rounding": "{it}""#)),
        1 => Just(r#""expiry_dates": ["03-31", "09-30"]"#.to_owned()),
        1 => Just(r#""expiry_dates": ["02-29"]"#.to_owned()),
    ];
    (model, 0..15_u32, ends).prop_map(|(model, months, ends)| match model {
        "never" => r#""expiry": "never""#.to_owned(),
        model => format!(r#""expiry": "{model}", "expiry_months": {months}, {ends}"#),
    })
}

/// Two versions that differ in how long points live, told of each other; the second one is in force from
/// some day in the midst of what happens.
pub fn any_succession() -> impl Strategy<Value = Vec<Program>> {
    (any_program(), any_program()).prop_map(|(first, other)| {
        let mut second = first.spec().clone();
        second.version = 2;
        second.effective = other.spec().effective;
        second.earning = other.spec().earning.clone();
        second.earning.pending_days = first.spec().earning.pending_days;
        second.campaigns.clone_from(&other.spec().campaigns);
        // Where points slide, none have months of their own.
        let months = other.spec().enrollment.expiry_months;
        second.enrollment.expiry_months = months;
        if let Some(referral) = &mut second.referral {
            referral.expiry_months = months;
        }
        let mut first = first.spec().clone();
        first.effective = jiff::civil::date(2019, 1, 1);
        in_succession([first, second].into_iter().map(|it| it.try_into().unwrap()).collect())
    })
}

/// Some hours after an arbitrary beginning.
pub fn at(hours: u16) -> Timestamp {
    "2020-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + i64::from(hours).hours()
}

/// A member by number.
pub fn member(number: u8) -> MemberId {
    MemberId::try_from(format!("m{number}").as_str()).unwrap()
}

/// An order by number.
pub fn order_id(number: u8) -> OrderId {
    OrderId::try_from(format!("o{number}").as_str()).unwrap()
}

/// The codes of all members.
pub fn codes() -> impl Iterator<Item = (ReferralCode, MemberId)> {
    (0..GUEST).map(member).map(|it| (code_of(it.as_str()), it))
}

/// How many there are of a member's own mugs and badges.
pub const STOCK: u64 = 3;

/// The rewards of all members. Of those that are not unlimited, each member has their own: what others do
/// leaves them alone.
pub fn rewards() -> Vec<(RewardSpec, u64)> {
    let generated = RewardKind::Coupon { codes: CodeSource::Generated };
    let mut all = vec![(reward("coupon", generated, 30, 0), 0)];
    for number in 0..GUEST {
        let limit = RewardLimit { period: CapPeriod::Year, count: 2 };
        let mug = reward(&format!("mug-{number}"), RewardKind::Goods, 90, 2);
        all.push((RewardSpec { limits: vec![limit], ..mug }, STOCK));
        let badge = reward(&format!("badge-{number}"), RewardKind::Collectible, 10, 2);
        all.push((badge, STOCK));
    }
    all
}

/// Fills a catalogue with the rewards of all members.
pub async fn fill(catalogue: &impl Catalogue) {
    for (spec, stock) in rewards() {
        offer(catalogue, spec, stock).await;
    }
}

/// A ledger in memory that knows them.
pub fn memory() -> MemoryLedger {
    let ledger = MemoryLedger::default();
    pollster::block_on(fill(&ledger));
    for (code, member_id) in codes() {
        ledger.give_code(code, member_id);
    }
    ledger
}

/// The requests of a history, in the order of their arrival.
pub fn requests(steps: &[Step]) -> Vec<Request> {
    let mut requests: Vec<Request> = Vec::new();
    let mut spends: Vec<(MemberId, CommandId)> = Vec::new();
    let mut redemptions: Vec<(MemberId, RedemptionId)> = Vec::new();
    let mut merges: Vec<Request> = Vec::new();
    let mut adjusts: Vec<Request> = Vec::new();
    let mut orders = 0_u8;
    for (index, step) in steps.iter().enumerate() {
        let key = RequestKey::try_from(format!("k{index}").as_str()).unwrap();
        let refund_id = RefundId::try_from(format!("r{index}").as_str()).unwrap();
        let client = ClientId::try_from("till").unwrap();
        match step {
            Step::Order { .. } => {
                requests.extend(order_of(step, order_id(orders)));
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
                let id = ChangeId::try_from(format!("c{index}").as_str()).unwrap();
                let content = Content { lines: lines(amounts, false), ..Content::default() };
                requests.push(Request::change(order_id(*order), id, at(*hours), content));
            }
            Step::Spend { member: number, hours, points } => {
                let points = Points::try_from(u64::from(*points)).unwrap();
                let request = Request::spend(client, key, member(*number), at(*hours), points);
                spends.push((member(*number), request.id.clone()));
                requests.push(request);
            }
            Step::GiveBack { spend, hours, points } => {
                if let Some((member, spend)) = spends.get(usize::from(*spend)).cloned() {
                    let (at, points) = (at(*hours), u64::from(*points).try_into().unwrap());
                    requests.push(Request::give_back(client, key, member, at, spend, points));
                }
            }
            Step::Due { member: number, day } => {
                let at = at(day * 24);
                let day = jiff::tz::TimeZone::UTC.to_datetime(at).date();
                let id = CommandId::Due(member(*number), day);
                let command = Command::PostDue { member_id: member(*number) };
                requests.push(Request { id, at, command });
            }
            Step::Extend { member: number, hours, day } => {
                requests.push(extend(client, key, member(*number), at(*hours), *day));
            }
            Step::Reinstate { member: number, hours, points, day } => {
                let (member, at) = (member(*number), at(*hours));
                requests.push(reinstate(client, key, member, at, *points, *day));
            }
            Step::Opening { member: number, hours, brought } => {
                requests.push(Request::open(member(*number), at(*hours), opening(brought)));
            }
            Step::Level { member: number, hours, what } => {
                requests.push(about_level(what, member(*number), at(*hours), key));
            }
            Step::Friends(step) => {
                let new = about_friends(step, &requests, key, order_id(orders));
                orders += u8::from(matches!(step, FriendStep::Bring { .. }));
                requests.extend(new);
            }
            Step::Checkout(step) => {
                let new = about_checkouts(step, (client, key, refund_id), &mut orders);
                requests.extend(new);
            }
            Step::Rewards(step) => {
                requests.extend(about_rewards(step, &mut redemptions, key));
            }
            Step::Merge { source, into, hours } => {
                let reason = ReasonCode::try_from("same-person").unwrap();
                let (source, into) = (member(*source), member(*into));
                let request = Request::merge(client, key, source, at(*hours), into, reason);
                merges.push(request.clone());
                requests.push(request);
            }
            Step::UndoMerge { merge, hours } => {
                let merge = merges.get(usize::from(*merge));
                requests.extend(merge.map(|it| undo(client, key, it, at(*hours))));
            }
            Step::Move(step) => requests.extend(about_points(step, &mut adjusts, key)),
            Step::Repeat { step } => {
                if let Some(request) = requests.get(usize::from(*step)).cloned() {
                    requests.push(request);
                }
            }
        }
    }
    requests
}

/// The order of a `step` that is one.
fn order_of(step: &Step, order_id: OrderId) -> Option<Request> {
    let Step::Order { member: number, code, hours, amounts, excluded, points_paid, euros } = step
    else {
        return None;
    };
    Some(Request::order(Order {
        order_id,
        member_id: (*number != GUEST).then(|| member(*number)),
        paid_at: at(*hours),
        currency: if *euros { "EUR" } else { "GBP" }.parse().unwrap(),
        channel: None,
        referral_code: code.map(|it| code_of(member(it).as_str()).as_str().into()),
        points_hold: None,
        content: Content {
            lines: lines(amounts, *excluded),
            paid_with_points: minor((*points_paid).into()),
            ..Content::default()
        },
    }))
}

/// What a `step` asks, which may be about one of those that `adjusts` holds.
fn about_points(step: &MoveStep, adjusts: &mut Vec<Request>, key: RequestKey) -> Option<Request> {
    let points = |number: u16| Points::try_from(u64::from(number)).unwrap();
    let person = |by: bool| ClientId::try_from(if by { "kim" } else { "lee" }).unwrap();
    let reason = || ReasonCode::try_from("goodwill").unwrap();
    match step {
        MoveStep::Give { from, to, hours, points: number } => {
            let client = ClientId::try_from("till").unwrap();
            let (from, to, at) = (member(*from), member(*to), at(*hours));
            Some(Request::transfer(client, key, from, at, to, points(*number)))
        }
        MoveStep::Adjust { member: number, hours, points: many, adds, by } => {
            let add = AdjustmentChange::Add { through: None };
            let change = if *adds { add } else { AdjustmentChange::Take };
            let new = NewAdjustment { change, points: points(*many), reason: reason(), note: None };
            let request = Request::adjust(person(*by), key, member(*number), at(*hours), new);
            adjusts.push(request.clone());
            Some(request)
        }
        MoveStep::Review { adjustment, hours, approves, by } => {
            let adjusted = adjusts.get(usize::from(*adjustment))?;
            let (member_id, id) = (adjusted.member_id()?.clone(), AdjustmentId::of(&adjusted.id));
            let (by, at, approves) = (person(*by), at(*hours), *approves);
            Some(Request::review_adjustment(by, key, member_id, at, id, approves, reason()))
        }
    }
}

/// What a step about points that pay for orders asks for, where the next order has the number `orders`.
fn about_checkouts(
    step: &CheckoutStep,
    (client, key, refund_id): (ClientId, RequestKey, RefundId),
    orders: &mut u8,
) -> Vec<Request> {
    let points = |it: u16| Points::try_from(u64::from(it)).unwrap();
    match step {
        CheckoutStep::Hold { member: number, hours, points: wanted, minutes, then } => {
            let new = NewHold {
                total: minor(30_000),
                currency: "GBP".parse().unwrap(),
                points: wanted.map(points),
                minutes: minutes.and_then(|it| NonZeroU32::new(it.into())),
            };
            let held = Request::hold(client.clone(), key.clone(), member(*number), at(*hours), new);
            let hold = HoldId::of(&held.id);
            let mut requests = vec![held];
            for (index, (later, step)) in then.iter().enumerate() {
                let key = format!("{}-{index}", key.as_str());
                let key = RequestKey::try_from(key.as_str()).unwrap();
                let (owner, at) = (member(*number), at(*hours + u16::from(*later)));
                requests.push(match step {
                    HoldStep::Capture { points: wanted } => {
                        Request::capture(client.clone(), key, owner, at, hold, wanted.map(points))
                    }
                    HoldStep::Release => {
                        let release = Request::release(client.clone(), key, owner, at, hold);
                        // As the shop asks, and as the member does.
                        if later.is_multiple_of(2) { release.with_captured() } else { release }
                    }
                    HoldStep::Order { amounts, points_paid, euros } => {
                        *orders += 1;
                        Request::order(Order {
                            order_id: order_id(*orders - 1),
                            member_id: Some(owner),
                            paid_at: at,
                            currency: if *euros { "EUR" } else { "GBP" }.parse().unwrap(),
                            channel: None,
                            referral_code: None,
                            points_hold: Some(hold),
                            content: paid_in_part(amounts, *points_paid),
                        })
                    }
                });
            }
            requests
        }
        CheckoutStep::Return { order, hours, amount, points: said } => {
            let correction = Correction::Amount(minor(*amount));
            let refund = Request::refund(order_id(*order), refund_id, at(*hours), correction);
            vec![refund.returning(Some(points(*said)))]
        }
        CheckoutStep::Edit { order, hours, amounts, points_paid } => {
            let change_id = ChangeId::try_from(format!("e{}", key.as_str()).as_str()).unwrap();
            let content = paid_in_part(amounts, *points_paid);
            vec![Request::change(order_id(*order), change_id, at(*hours), content)]
        }
    }
}

/// What is bought for `amounts`, of which points pay a part.
fn paid_in_part(amounts: &[u32], points_paid: u16) -> Content {
    let paid_with_points = minor(points_paid.into());
    Content { lines: lines(amounts, false), paid_with_points, ..Content::default() }
}

/// What a step about rewards asks for, after the `redemptions` that were asked for before.
fn about_rewards(
    step: &RewardStep,
    redemptions: &mut Vec<(MemberId, RedemptionId)>,
    key: RequestKey,
) -> Vec<Request> {
    let goes_on = |member, redemption, step, hours| {
        let reason = ReasonCode::try_from("as-agreed").unwrap();
        Request::redemption_step(member, redemption, step, at(hours), reason)
    };
    match step {
        RewardStep::Redeem { member: number, hours, reward, then } => {
            let reward = match reward {
                0 => "coupon".to_owned(),
                1 => format!("mug-{number}"),
                2 => format!("badge-{number}"),
                // It is none of the catalogue's.
                _ => "cup".to_owned(),
            };
            let new = NewRedemption {
                reward: reward.as_str().try_into().unwrap(),
                points: None,
                channel: None,
                code: VoucherCode::of_random([*number; 10]),
            };
            let client = ClientId::try_from("app").unwrap();
            let request = Request::redeem(client, key, member(*number), at(*hours), new);
            let (_, redemption) = request.redeems().unwrap();
            let redemption = *redemption;
            redemptions.push((member(*number), redemption));
            let then = then.iter().map(|it| goes_on(member(*number), redemption, *it, *hours));
            std::iter::once(request).chain(then).collect()
        }
        RewardStep::Go { redemption, hours, step } => {
            let named = redemptions.get(usize::from(*redemption)).cloned();
            named.map(|(member, it)| goes_on(member, it, *step, *hours)).into_iter().collect()
        }
    }
}

/// What undoes `merge`.
pub fn undo(client: ClientId, key: RequestKey, merge: &Request, at: Timestamp) -> Request {
    let Command::Merge { member_id, act } = &merge.command else { panic!("{merge:?}") };
    let (source, reason) = (member_id.clone(), ReasonCode::try_from("mistake").unwrap());
    let undone = (act.into().clone(), PairId::of(&merge.id));
    Request::undo_merge(client, key, source, at, undone, reason)
}

fn beginning() -> Date {
    jiff::civil::date(2020, 1, 1)
}

fn minor(amount: u32) -> Minor {
    Minor::try_from(u64::from(amount)).unwrap()
}

fn lines(amounts: &[u32], excluded: bool) -> Vec<Line> {
    let lines = amounts.iter().enumerate().map(|(line, amount)| Line {
        id: LineId::try_from(line.to_string().as_str()).unwrap(),
        sku: Sku::try_from(if excluded && line == 0 { "X" } else { "A" }).unwrap(),
        category: None,
        quantity: 2,
        amount: minor(*amount),
        discounts: Minor::ZERO,
        is_gift_card: false,
    });
    lines.collect()
}

/// What a step about members asks for, after `requests`, where the next order is called `order_id`.
fn about_friends(
    step: &FriendStep,
    requests: &[Request],
    key: RequestKey,
    order_id: OrderId,
) -> Vec<Request> {
    match step {
        FriendStep::Member { member: number, hours, what } => {
            vec![about_member(what, member(*number), at(*hours), key)]
        }
        FriendStep::Settle { order, late } => {
            let window = i64::from(WINDOW_DAYS * 24 + late).hours();
            let settled = paid(requests, *order).and_then(|order| {
                let friend = order.member_id.clone()?;
                Some(Request::settle_referral(friend, order.paid_at + window))
            });
            settled.into_iter().collect()
        }
        FriendStep::Bring { friend, referrer, hours, amount, approves } => {
            let settled_at = at(*hours + WINDOW_DAYS * 24);
            let order = Order {
                order_id,
                member_id: Some(member(*friend)),
                paid_at: at(*hours),
                currency: "GBP".parse().unwrap(),
                channel: None,
                referral_code: None,
                points_hold: None,
                content: Content { lines: lines(&[*amount], false), ..Content::default() },
            };
            let does = |number: &u8, what: MemberStep, at: Timestamp| {
                about_member(&what, member(*number), at, key.clone())
            };
            vec![
                does(referrer, MemberStep::Enroll { by: None }, at(*hours)),
                does(referrer, MemberStep::Activate, at(*hours)),
                does(friend, MemberStep::Enroll { by: Some(*referrer) }, at(*hours)),
                does(friend, MemberStep::Activate, at(*hours)),
                Request::order(order),
                Request::settle_referral(member(*friend), settled_at),
                does(friend, MemberStep::Review { approves: *approves }, settled_at),
            ]
        }
        FriendStep::Claim { order, member: number } => {
            let claimed = paid(requests, *order).map(|order| {
                Request::claim_order(order.order_id.clone(), order.paid_at, member(*number))
            });
            claimed.into_iter().collect()
        }
    }
}

/// The order of this number, if it was paid before.
fn paid(requests: &[Request], number: u8) -> Option<Order> {
    let id = CommandId::Order(order_id(number));
    requests.iter().find(|it| it.id == id).and_then(|it| {
        if let Command::PayOrder(order) = &it.command { Some(Order::clone(order)) } else { None }
    })
}

fn about_member(what: &MemberStep, member_id: MemberId, at: Timestamp, key: RequestKey) -> Request {
    let client = ClientId::try_from("desk").unwrap();
    let reason = ReasonCode::try_from("looked-into").unwrap();
    match what {
        MemberStep::Enroll { by } => {
            Request::enroll(member_id, at, by.map(|it| code_of(member(it).as_str())))
        }
        MemberStep::Activate => Request::activate(member_id, at),
        MemberStep::Status(status) => {
            Request::set_status(client, key, member_id, at, *status, reason)
        }
        MemberStep::Review { approves } => {
            Request::review_referral(client, key, member_id, at, *approves, reason)
        }
    }
}

fn about_level(what: &LevelStep, member: MemberId, at: Timestamp, key: RequestKey) -> Request {
    let client = ClientId::try_from("desk").unwrap();
    let reason = |code: &str| ReasonCode::try_from(code).unwrap();
    match what {
        LevelStep::Grow { growth } => {
            let activity = ActivityId::try_from(key.as_str()).unwrap();
            Request::growth(member, activity, at, NonZeroU32::new((*growth).into()).unwrap())
        }
        LevelStep::Task { task } => {
            Request::task(member, TaskId::try_from(format!("t{task}").as_str()).unwrap(), at)
        }
        LevelStep::Override { level, through, is_courtesy } => {
            let kind = if *is_courtesy { OverrideKind::Courtesy } else { OverrideKind::Violation };
            let day = |it: u16| beginning().checked_add(i64::from(it).days()).unwrap();
            let set = Override { level: level_id(*level), kind, through: through.map(day) };
            Request::override_level(client, key, member, at, set, reason("fair-use"))
        }
        LevelStep::Lift => Request::lift_override(client, key, member, at, reason("appeal")),
    }
}

fn extend(client: ClientId, key: RequestKey, member: MemberId, at: Timestamp, day: u16) -> Request {
    let through = beginning().checked_add(i64::from(day).days()).unwrap();
    let reason = ReasonCode::try_from("goodwill").unwrap();
    Request::extend(client, key, member, at, through, reason)
}

fn reinstate(
    client: ClientId,
    key: RequestKey,
    member: MemberId,
    at: Timestamp,
    points: u16,
    day: u16,
) -> Request {
    let through = beginning().checked_add(i64::from(day).days()).unwrap();
    let back = (Points::try_from(u64::from(points)).unwrap(), through);
    Request::reinstate(client, key, member, at, back, ReasonCode::try_from("goodwill").unwrap())
}

/// A level by rank; the fifth is none of the program's.
fn level_id(rank: u8) -> LevelId {
    ["a", "b", "c", "d", "e"][usize::from(rank)].try_into().unwrap()
}

fn opening(brought: &Brought) -> Opening {
    let points = |it: u16| Points::try_from(u64::from(it)).unwrap();
    let day = |it: u16| beginning().checked_add(i64::from(it).days()).unwrap();
    let measure = |spend: u32, orders: u8| Measure {
        spend: Spend::of_minor(Minor::try_from(u64::from(spend)).unwrap()),
        orders: orders.into(),
        growth: 0,
    };
    let lots = brought.lots.iter();
    let pending = brought.pending.iter();
    let months = brought.months.iter();
    Opening {
        lots: lots
            .map(|it| BroughtLot { points: points(it.0), last_good_day: day(it.1) })
            .collect(),
        pending: pending
            .map(|it| BroughtPending {
                points: points(it.0),
                matures_at: at(it.1),
                last_good_day: it.2.map(day),
            })
            .collect(),
        debt: points(brought.debt),
        level: brought.level.map(|(rank, valid_through)| BroughtLevel {
            level: level_id(rank),
            valid_through: valid_through.map(day),
        }),
        months: months
            .map(|it| MonthProgress {
                month: Month::of(
                    jiff::civil::date(2019, 1, 1).checked_add(i64::from(it.0).months()).unwrap(),
                ),
                measure: measure(it.1, it.2),
            })
            .collect(),
        earlier: measure(brought.earlier, 1),
    }
}

/// 10,000 histories in the test command; more by a variable.
#[expect(clippy::disallowed_methods, reason = "how much is tried is up to who runs the tests")]
pub fn histories() -> u32 {
    let number = std::env::var("LOYALTY_HISTORIES").ok().and_then(|it| it.parse().ok());
    number.unwrap_or(10_000)
}

/// That points are conserved:
/// earned - clawed back - spent + given back - expired ± adjusted ± transferred ± merged
/// = available + pending + held - debt.
#[track_caller]
pub fn assert_conserved(account: &Account) {
    let Balance { available, pending, held, debt } = account.balance().unwrap();
    let totals = account.totals;
    let signed = |points: Points| i128::from(points.get());
    assert_eq!(
        signed(totals.earned) - signed(totals.clawed_back) - signed(totals.spent)
            + signed(totals.given_back)
            - signed(totals.expired)
            + signed(totals.adjusted.up)
            - signed(totals.adjusted.down)
            + signed(account.holdings.transferred.up)
            - signed(account.holdings.transferred.down)
            + signed(account.holdings.merged.up)
            - signed(account.holdings.merged.down),
        signed(available) + signed(pending) + signed(held) - signed(debt),
        "{account:#?}"
    );
    if !debt.is_zero() {
        assert_eq!(available, Points::ZERO, "whoever owes points has none to use: {account:#?}");
    }
}
