//! Behavior of points that pay for orders: quotes, holds, payments, and refunds that put everything back.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    clippy::needless_pass_by_value,
    reason = "a test may panic, looks for the one event that it is about, and makes JSON as it goes"
)]

use std::collections::BTreeMap;

use jiff::Timestamp;
use loyalty_domain::{
    account::Account,
    checkout::{CheckoutEvent, NewHold, Quote, Terms, WhyNothing, quote},
    command::{Command, Correction, NewStatus, RefundLine, Request},
    decide::{Decision, Held, Known, Rejection, decide},
    due,
    event::Event,
    id::{ChangeId, ClientId, HoldId, LineId, MemberId, OrderId, ReasonCode, RefundId, RequestKey},
    money::Minor,
    order::{Content, Line, LineKey, Order, OrderState},
    points::Points,
    program::Program,
    rate::Rate,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// One program, one member, and all that was kept of the requests so far: the only test code that knows the API.
#[derive(Clone, Debug)]
struct Shop {
    program: Program,
    account: Account,
    orders: BTreeMap<String, Held>,
    history: Vec<(Timestamp, Vec<Event>)>,
    events: Vec<Event>,
}

impl Shop {
    /// One point a dollar, for twelve months, and a point pays a cent; but for `overrides`.
    #[track_caller]
    fn of(overrides: Value) -> Self {
        Self {
            program: program(overrides),
            account: Account::default(),
            orders: BTreeMap::new(),
            history: Vec::new(),
            events: Vec::new(),
        }
    }

    /// The same, where the member has earned `points` with an order of 1 January.
    #[track_caller]
    fn with(points: u64, overrides: Value) -> Self {
        let mut shop = Self::of(overrides);
        shop.does(order("first", "2026-01-01T12:00:00Z", points * 100));
        shop
    }

    fn answer(&self, request: &Request) -> Result<Decision, Rejection> {
        let holds = match request.id.order_id() {
            Some(id) => self.orders.get(id.as_str()).cloned().unwrap_or_default(),
            None => Held::Nothing,
        };
        let known = Known { holds, account: self.account.clone(), ..Known::default() };
        decide(&self.program, &known, request)
    }

    /// `request` takes effect.
    #[track_caller]
    fn does(&mut self, request: Request) {
        match self.answer(&request) {
            Ok(Decision::Effect { at, events, account, second: None }) => {
                if let Some(mut account) = account {
                    account.end_entry(at).unwrap();
                    self.account = *account;
                    self.history.push((at, events.clone()));
                }
                if let Some(id) = request.id.order_id() {
                    let held = self.orders.entry(id.to_string()).or_default();
                    if let Command::PayOrder(order) = &request.command {
                        let member_id = order.member_id.clone();
                        let state = OrderState { member_id, record: None, payment: None };
                        *held = Held::Order(state);
                    }
                    if let Held::Order(state) = held {
                        for event in &events {
                            state.apply(event);
                        }
                    }
                }
                self.events = events;
                self.check();
            }
            Ok(Decision::Waits(waiting)) => {
                let id = request.id.order_id().unwrap().to_string();
                match self.orders.entry(id).or_default() {
                    Held::Waiting(all) => all.push(waiting),
                    empty => *empty = Held::Waiting(vec![waiting]),
                }
            }
            other => panic!("{request:#?} should take effect: {other:#?}"),
        }
    }

    /// `request` is refused.
    #[track_caller]
    fn refuses(&self, request: &Request) -> Rejection {
        match self.answer(request) {
            Err(rejection) => rejection,
            other => panic!("{request:#?} should be refused: {other:#?}"),
        }
    }

    /// What holds after every step.
    #[track_caller]
    fn check(&self) {
        let signed = |points: Points| i128::from(points.get());
        let (balance, totals) = (self.account.balance().unwrap(), self.account.totals);
        assert_eq!(
            signed(totals.earned) - signed(totals.clawed_back) - signed(totals.spent)
                + signed(totals.given_back)
                - signed(totals.expired),
            signed(balance.available) + signed(balance.pending) + signed(balance.held)
                - signed(balance.debt),
            "points are conserved: {self:#?}"
        );
        assert!(
            balance.debt.is_zero() || balance.available.is_zero(),
            "whoever owes points has none to use: {self:#?}"
        );
        let holds = self.account.holdings.holds.iter().map(|it| it.points().unwrap());
        assert_eq!(Points::total(holds).unwrap(), balance.held, "what is held is in holds");
        let history = self.history.iter().map(|(at, events)| (*at, events.as_slice()));
        assert_eq!(Account::replay(history).unwrap(), self.account, "replaying gives the account");
    }

    /// The account brought to `instant`, without any request.
    #[track_caller]
    fn as_of(&self, instant: &str) -> Self {
        let mut shop = self.clone();
        let (mut account, events) =
            due::bring_to(&self.program, self.account.clone(), at(instant)).unwrap();
        account.end_entry(at(instant)).unwrap();
        shop.history.push((at(instant), events.clone()));
        (shop.account, shop.events) = (account, events);
        shop.check();
        shop
    }

    fn balance(&self) -> String {
        let balance = self.account.balance().unwrap();
        listed(&[
            ("available", balance.available),
            ("pending", balance.pending),
            ("held", balance.held),
            ("debt", balance.debt),
        ])
    }

    /// What is not 0 of the sums over all entries.
    fn totals(&self) -> String {
        let totals = self.account.totals;
        listed(&[
            ("earned", totals.earned),
            ("clawed back", totals.clawed_back),
            ("spent", totals.spent),
            ("given back", totals.given_back),
            ("expired", totals.expired),
        ])
    }

    /// What happened in the last entry to points that pay for orders, and what expired in it.
    fn happened(&self) -> String {
        let back = |it: &loyalty_domain::checkout::Back| {
            let restored: u64 = it.restored.iter().map(|it| it.points.get()).sum();
            format!("{restored} restored, {} pay, {} lost", it.debt_paid, it.lost)
        };
        let count = |uses: &[loyalty_domain::event::LotUse]| -> u64 {
            uses.iter().map(|it| it.points.get()).sum()
        };
        let said = self.events.iter().filter_map(|event| match event {
            Event::Checkout(event) => Some(match &**event {
                CheckoutEvent::Held(it) => {
                    format!("held {} for {} until {}", count(&it.uses), it.amount.get(), it.ends_at)
                }
                CheckoutEvent::Captured { uses, .. } => format!("captured {}", count(uses)),
                CheckoutEvent::Released { cause, back: it, .. } => {
                    let cause = serde_json::to_value(cause).unwrap();
                    let cause = cause.as_str().unwrap_or("ended").to_owned();
                    format!("{cause}: {}", back(it))
                }
                CheckoutEvent::Paid(it) => format!(
                    "paid {} by {} held and {} others, {} uncovered",
                    it.amount.get(),
                    count(&it.held),
                    count(&it.lots),
                    it.uncovered
                ),
                CheckoutEvent::Returned { cut, back: it, .. } => {
                    format!("returned: {}, {cut} cut", back(it))
                }
                CheckoutEvent::PaidAnew(it) => format!(
                    "paid {} anew: {} more, {} uncovered, {}",
                    it.amount.get(),
                    count(&it.lots),
                    it.uncovered,
                    back(&it.back)
                ),
            }),
            Event::Expired { points, .. } => Some(format!("expired {points}")),
            Event::Matured { points, .. } => Some(format!("matured {points}")),
            _ => None,
        });
        said.collect::<Vec<_>>().join("; ")
    }

    /// How many points are in use for an order.
    fn in_use(&self, order: &str) -> u64 {
        match self.orders.get(order) {
            Some(Held::Order(OrderState { payment: Some(payment), .. })) => {
                payment.in_use().unwrap().get()
            }
            _ => 0,
        }
    }

    /// The points that an order stands for.
    #[track_caller]
    fn earned(&self, order: &str) -> u64 {
        match self.orders.get(order) {
            Some(Held::Order(OrderState { record: Some(record), .. })) => record.points.get(),
            other => panic!("{order} should have been accepted: {other:#?}"),
        }
    }
}

fn listed(all: &[(&str, Points)]) -> String {
    let some = all.iter().filter(|(_, points)| !points.is_zero());
    some.map(|(name, points)| format!("{name} {points}")).collect::<Vec<_>>().join(", ")
}

#[track_caller]
fn program(overrides: Value) -> Program {
    let mut spec = json!({
        "name": "Checkout", "version": 1, "effective": "2010-01-01", "currency": "USD",
        "time_zone": "UTC",
        "earning": {"points_per_unit": "1", "expiry_months": 12},
        "tiers": {"levels": [{"id": "blue", "name": "Blue"}]},
        "checkout": {"point_worth": "0.01"},
    });
    merge(&mut spec, overrides);
    serde_json::from_value(spec).unwrap()
}

fn merge(base: &mut Value, overrides: Value) {
    match (base, overrides) {
        (Value::Object(base), Value::Object(overrides)) => {
            for (key, value) in overrides {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, value) => *base = value,
    }
}

#[track_caller]
fn at(instant: &str) -> Timestamp {
    instant.parse().unwrap()
}

fn member() -> MemberId {
    MemberId::try_from("m1").unwrap()
}

#[track_caller]
fn points(number: u64) -> Points {
    Points::try_from(number).unwrap()
}

#[track_caller]
fn minor(amount: u64) -> Minor {
    Minor::try_from(amount).unwrap()
}

#[track_caller]
fn caller(key: &str) -> (ClientId, RequestKey) {
    (ClientId::try_from("till").unwrap(), RequestKey::try_from(key).unwrap())
}

/// Points are held for an order of `total`, so many or the most.
#[track_caller]
fn hold(key: &str, instant: &str, total: u64, wanted: Option<u64>) -> Request {
    let (client, key) = caller(key);
    let (total, currency) = (minor(total), "USD".parse().unwrap());
    let new = NewHold { total, currency, points: wanted.map(points), minutes: None };
    Request::hold(client, key, member(), at(instant), new)
}

/// The id of the hold that `hold` with the same key makes.
#[track_caller]
fn hold_id(key: &str) -> HoldId {
    HoldId::of(&hold(key, "2026-01-01T00:00:00Z", 0, None).id)
}

#[track_caller]
fn capture(key: &str, instant: &str, used: Option<u64>) -> Request {
    let (client, request) = caller(&format!("capture-{key}-{instant}"));
    Request::capture(client, request, member(), at(instant), hold_id(key), used.map(points))
}

#[track_caller]
fn release(key: &str, instant: &str) -> Request {
    let (client, request) = caller(&format!("release-{key}-{instant}"));
    Request::release(client, request, member(), at(instant), hold_id(key))
}

#[track_caller]
fn spend(key: &str, instant: &str, number: u64) -> Request {
    let (client, key) = caller(key);
    Request::spend(client, key, member(), at(instant), points(number))
}

#[track_caller]
fn sets_status(instant: &str, status: NewStatus) -> Request {
    let (client, key) = caller(instant);
    let reason = ReasonCode::try_from("fraud").unwrap();
    Request::set_status(client, key, member(), at(instant), status, reason)
}

#[track_caller]
fn line(id: &str, quantity: u32, amount: u64) -> Line {
    Line {
        id: id.try_into().unwrap(),
        sku: "sku".try_into().unwrap(),
        category: None,
        quantity,
        amount: minor(amount),
        discounts: Minor::ZERO,
        is_gift_card: false,
    }
}

/// An order of one line of two pieces.
#[track_caller]
fn order(id: &str, instant: &str, amount: u64) -> Request {
    of_content(id, instant, None, content(amount, 0))
}

fn content(amount: u64, paid_with_points: u64) -> Content {
    let lines = vec![line("1", 2, amount)];
    Content { lines, paid_with_points: minor(paid_with_points), ..Content::default() }
}

/// The same order, of which points pay a part that the hold of `key` held.
#[track_caller]
fn paid(id: &str, instant: &str, amount: u64, (key, with_points): (&str, u64)) -> Request {
    of_content(id, instant, Some(key), content(amount, with_points))
}

#[track_caller]
fn of_content(id: &str, instant: &str, key: Option<&str>, content: Content) -> Request {
    Request::order(Order {
        order_id: id.try_into().unwrap(),
        member_id: Some(member()),
        paid_at: at(instant),
        currency: "USD".parse().unwrap(),
        channel: None,
        referral_code: None,
        points_hold: key.map(hold_id),
        content,
    })
}

#[track_caller]
fn refund(order: &str, id: &str, instant: &str, amount: u64) -> Request {
    refunded(order, id, instant, Correction::Amount(minor(amount)))
}

#[track_caller]
fn refunded(order: &str, id: &str, instant: &str, correction: Correction) -> Request {
    let order = OrderId::try_from(order).unwrap();
    Request::refund(order, RefundId::try_from(id).unwrap(), at(instant), correction)
}

/// So many pieces of a line come back, and so much money.
fn pieces(line: &str, quantity: u32, amount: u64) -> Correction {
    let key = LineKey::Line(LineId::try_from(line).unwrap());
    Correction::Lines(vec![RefundLine { key, quantity, amount: minor(amount) }])
}

#[track_caller]
fn cancel(order: &str, instant: &str) -> Request {
    Request::cancel(OrderId::try_from(order).unwrap(), at(instant))
}

#[track_caller]
fn change(order: &str, id: &str, instant: &str, content: Content) -> Request {
    let order = OrderId::try_from(order).unwrap();
    Request::change(order, ChangeId::try_from(id).unwrap(), at(instant), content)
}

#[track_caller]
fn quoted(overrides: Value, available: u64, total: u64, wanted: Option<u64>) -> Quote {
    let program = program(overrides);
    let currency = program.spec().currency;
    quote(&program, points(available), minor(total), currency, wanted.map(points)).unwrap()
}

/// Points and what they pay.
#[track_caller]
fn pays(overrides: Value, available: u64, total: u64) -> (u64, u64) {
    let quote = quoted(overrides, available, total, None);
    (quote.points.get(), quote.amount.get())
}

fn worth(point: &str) -> Value {
    json!({"checkout": {"point_worth": point}})
}

const T0: &str = "2026-02-01T10:00:00Z";
const T1: &str = "2026-02-01T10:10:00Z";
const T2: &str = "2026-02-01T10:20:00Z";
/// After the half hour of a hold that was made at [`T0`].
const LATE: &str = "2026-02-01T10:30:00Z";

#[test]
fn points_of_ten_dollars_each_pay_an_order_of_twenty_with_two() {
    assert_eq!(pays(worth("10"), 30, 2_000), (2, 2_000));
    // And of $25 what whole points pay, without a rest that nobody pays.
    assert_eq!(pays(worth("10"), 30, 2_500), (2, 2_000));
}

#[test]
fn points_of_three_cents_pay_to_the_cent() {
    assert_eq!(pays(worth("0.03"), 3_030, 300_000), (3_030, 9_090));
}

#[test]
fn points_worth_less_than_a_minor_unit_are_left_with_the_member() {
    // Three points are worth $0.009, and four more than the order.
    let quote = quoted(worth("0.003"), 100, 1, None);
    assert_eq!((quote.points, quote.why_nothing), (points(0), Some(WhyNothing::OrderTooSmall)));
    // Of 9 points, worth $0.027, two cents need 7.
    assert_eq!(pays(worth("0.003"), 9, 100), (7, 2));
    assert_eq!(quoted(worth("0.003"), 9, 100, None).min_points, points(4));
}

#[test]
fn points_pay_no_more_than_the_share_that_the_program_allows() {
    let half = json!({"checkout": {"point_worth": "0.03", "max_share": "0.5"}});
    // Half of $10.01 is $5.005, down to $5.00, of which 166 points pay $4.98.
    assert_eq!(pays(half, 1_000, 1_001), (166, 498));
}

#[test]
fn a_quote_of_nothing_says_why() {
    let min = json!({"checkout": {"point_worth": "0.01", "min_points": 100}});
    let why = |available, total, wanted| quoted(min.clone(), available, total, wanted).why_nothing;

    assert_eq!(why(500, 99, None), Some(WhyNothing::OrderTooSmall));
    assert_eq!(why(99, 1_000, None), Some(WhyNothing::TooFewAvailable));
    assert_eq!(why(500, 1_000, Some(99)), Some(WhyNothing::TooFewWanted));
    assert_eq!(why(100, 100, None), None);
    assert_eq!(quoted(min.clone(), 500, 300, Some(250)).amount, minor(250));
    assert_eq!(quoted(min.clone(), 5, 300, None).most, points(300));
}

#[test]
fn an_order_in_another_currency_is_quoted_at_the_programs_rate() {
    let rates =
        json!({"rates": {"JPY": "0.0061", "KWD": "3.25"}, "checkout": {"point_worth": "0.05"}});
    let program = program(rates);
    let quoted = |code: &str, total| {
        let currency = code.parse().unwrap();
        let quote = quote(&program, points(1_000), minor(total), currency, None).unwrap();
        (quote.points.get(), quote.amount.get())
    };
    // 1,000 points are $50, which are 8196.7 yen; 8,196 of them need 999.912 points.
    assert_eq!(quoted("JPY", 100_000), (1_000, 8_196));
    // A dinar has three decimals: 65 points are $3.25.
    assert_eq!(quoted("KWD", 1_000), (65, 1_000));
    let nowhere = quote(&program, points(1), minor(1), "GBP".parse().unwrap(), None);
    assert_eq!(nowhere, Err(Rejection::CurrencyNotInProgram { currency: "GBP".parse().unwrap() }));
}

#[test]
fn the_ends_of_all_ranges_are_exact_or_refused() {
    let most = i64::MAX.unsigned_abs();
    let (points, amount) = pays(worth("0.01"), most, most);
    assert_eq!((points, amount), (most, most));
    // Nine digits after the point, and the largest worth of a point.
    assert_eq!(
        pays(worth("0.000000001"), most, most),
        (9_223_372_036_850_000_000, 922_337_203_685)
    );
    assert_eq!(pays(worth("1000000"), most, most), (92_233_720_368, 9_223_372_036_800_000_000));
    let terms = Terms {
        point_worth: "0.000000001".parse::<Rate>().unwrap(),
        currency: "USD".parse().unwrap(),
        rate: Rate::ONE,
    };
    assert_eq!(terms.fewest_for(Minor::MAX), Ok(Points::MAX));
}

#[test]
fn a_program_that_says_nothing_lets_points_pay_nothing() {
    let shop = Shop::with(100, json!({"checkout": null}));

    assert_eq!(shop.refuses(&hold("a", T0, 1_000, None)), Rejection::PointsDoNotPay);
}

#[test]
fn a_hold_takes_points_out_of_their_lots_until_it_is_used() {
    let mut shop = Shop::with(100, json!({}));

    shop.does(hold("a", T0, 60, None));

    assert_eq!(shop.happened(), "held 60 for 60 until 2026-02-01T10:30:00Z");
    assert_eq!(shop.balance(), "available 40, held 60");
    assert_eq!(
        shop.refuses(&spend("s", T1, 41)),
        Rejection::InsufficientPoints { available: points(40), requested: points(41) }
    );

    shop.does(capture("a", T1, None));

    assert_eq!(shop.happened(), "captured 60");
    assert_eq!(shop.totals(), "earned 100, spent 60");
    assert_eq!(shop.refuses(&capture("a", T2, None)), Rejection::NoSuchHold);
    assert_eq!(shop.refuses(&release("a", T2)), Rejection::NoSuchHold, "a member has paid");

    // It did not take place: the shop lets the points come back, once.
    shop.does(release("a", T2).with_captured());
    assert_eq!(shop.happened(), "capture_undone: 60 restored, 0 pay, 0 lost");
    assert_eq!(
        (shop.balance(), shop.totals().as_str()),
        ("available 100".into(), "earned 100, spent 60, given back 60")
    );
    let again = release("a", "2026-02-04T00:00:00Z").with_captured();
    assert_eq!(shop.refuses(&again), Rejection::NoSuchHold);
}

#[test]
fn an_edit_of_something_else_takes_no_points_for_what_nothing_paid_before() {
    let mut shop = Shop::with(20, json!({}));
    // Nobody held anything: of 60 only the 20 that there are pay.
    shop.does(paid("o", T1, 60, ("a", 60)));
    assert_eq!(shop.happened(), "paid 60 by 0 held and 20 others, 40 uncovered");
    shop.does(order("later", T1, 10_000));

    shop.does(change("o", "c1", T2, content(80, 60)));
    assert_eq!(shop.in_use("o"), 20, "what is there by now stays: {}", shop.happened());
    // More to be paid by points takes what is more.
    shop.does(change("o", "c2", "2026-02-04T00:00:00Z", content(80, 65)));
    assert_eq!(shop.in_use("o"), 25, "{}", shop.happened());
}

#[test]
fn points_used_by_call_are_the_orders_once_it_has_named_the_hold() {
    let mut shop = Shop::with(100, json!({}));
    shop.does(hold("a", T0, 60, None));
    shop.does(capture("a", T1, None));
    shop.does(paid("o", T2, 60, ("a", 60)));
    assert_eq!(shop.happened(), "paid 60 by 0 held and 0 others, 0 uncovered");
    assert_eq!(shop.in_use("o"), 60, "used once");

    let late = release("a", T2).with_captured();
    assert_eq!(shop.refuses(&late), Rejection::NoSuchHold);
    shop.does(cancel("o", T2));
    assert_eq!(shop.happened(), "returned: 60 restored, 0 pay, 0 lost, 0 cut");
    assert_eq!(shop.balance(), "available 100");
}

#[test]
fn a_hold_that_is_captured_in_part_lets_the_rest_go() {
    let mut shop = Shop::with(100, json!({}));
    shop.does(hold("a", T0, 60, None));

    let too_many = Rejection::MoreThanHeld { held: points(60), requested: points(61) };
    assert_eq!(shop.refuses(&capture("a", T1, Some(61))), too_many);
    shop.does(capture("a", T1, Some(20)));

    assert_eq!(shop.happened(), "captured 20; not_needed: 40 restored, 0 pay, 0 lost");
    assert_eq!(shop.balance(), "available 80");
    assert_eq!(shop.totals(), "earned 100, spent 20");
}

#[test]
fn a_hold_ends_by_itself_and_only_then() {
    let mut shop = Shop::with(100, json!({}));
    shop.does(hold("a", T0, 60, None));

    assert_eq!(shop.as_of("2026-02-01T10:29:59Z").balance(), "available 40, held 60");
    let ended = shop.as_of(LATE);
    assert_eq!(ended.happened(), "ended: 60 restored, 0 pay, 0 lost");
    assert_eq!(ended.balance(), "available 100");
    assert_eq!(shop.refuses(&capture("a", LATE, None)), Rejection::NoSuchHold);
}

#[test]
fn nights_find_what_expires_although_it_is_held_and_nobody_calls() {
    let mut shop = Shop::with(100, json!({}));
    shop.does(hold("a", T0, 100, None));
    assert_eq!(shop.account.due_after(), Some("2027-01-01".parse().unwrap()));

    // A hold that outlives its lots is found when it ends.
    let shop = held_to_the_end(2 * 24 * 60, 0).as_of("2027-01-02T00:00:00Z");
    assert_eq!(shop.happened(), "expired 40");
    assert_eq!(shop.account.due_after(), Some("2027-01-02".parse().unwrap()));
}

#[test]
fn a_hold_says_which_of_its_limits_is_passed() {
    let mut shop = Shop::with(100, json!({"checkout": {"point_worth": "0.01", "min_points": 10}}));
    let mut long = hold("a", T0, 1_000, None);
    if let Command::Checkout { act: loyalty_domain::checkout::CheckoutAct::Hold(new), .. } =
        &mut long.command
    {
        new.minutes = std::num::NonZeroU32::new(31);
    }

    assert_eq!(shop.refuses(&long), Rejection::HoldTooLong { minutes_max: 30 });
    let refuses = |total, wanted| shop.refuses(&hold("a", T0, total, wanted));
    assert_eq!(refuses(50, Some(51)), Rejection::MoreThanOrderAllows { most: points(50) });
    assert_eq!(refuses(50, Some(9)), Rejection::FewerThanMinimum { min: points(10) });
    assert_eq!(refuses(50, Some(0)), Rejection::AmountIsZero);
    assert_eq!(refuses(9, None), Rejection::MoreThanOrderAllows { most: points(0) });
    let short = Rejection::InsufficientPoints { available: points(100), requested: points(101) };
    assert_eq!(refuses(500, Some(101)), short);

    shop.does(spend("s", T0, 95));
    let few = Rejection::InsufficientPoints { available: points(5), requested: points(10) };
    assert_eq!(shop.refuses(&hold("a", T1, 500, None)), few);
}

#[test]
fn a_seventeenth_hold_is_refused_until_one_ends() {
    let mut shop = Shop::with(100, json!({}));
    for number in 0..16 {
        shop.does(hold(&number.to_string(), T0, 5, None));
    }

    assert_eq!(shop.refuses(&hold("17", T1, 5, None)), Rejection::TooManyHolds);
    shop.does(hold("17", LATE, 5, None));
    assert_eq!(shop.balance(), "available 95, held 5");
}

#[test]
fn what_is_taken_back_while_points_are_held_becomes_debt_and_their_release_pays_it() {
    let mut shop = Shop::with(100, json!({}));
    shop.does(hold("a", T0, 60, None));
    shop.does(cancel("first", T1));
    assert_eq!(shop.balance(), "held 60, debt 60");

    let ended = shop.as_of(LATE);
    assert_eq!(ended.happened(), "ended: 0 restored, 60 pay, 0 lost");
    assert_eq!(ended.balance(), "");
    shop.does(release("a", T2));
    assert_eq!(shop.happened(), "asked: 0 restored, 60 pay, 0 lost");
    assert_eq!(shop.balance(), "");
}

/// A hold of 60 of 100 points whose lot is over at a midnight, which is `minutes` after the hold begins.
#[track_caller]
fn held_to_the_end(minutes: u32, reinstate_days: u32) -> Shop {
    let overrides = json!({
        "spending": {"reinstate_days": reinstate_days},
        "checkout": {"point_worth": "0.01", "hold_minutes": minutes},
    });
    let mut shop = Shop::with(100, overrides);
    shop.does(hold("a", "2027-01-01T23:00:00Z", 60, None));
    shop
}

#[test]
fn held_points_do_not_expire_while_they_are_held() {
    let mut shop = held_to_the_end(90, 0);
    assert_eq!(shop.as_of("2027-01-02T00:10:00Z").balance(), "held 60");

    shop.does(capture("a", "2027-01-02T00:10:00Z", None));
    assert_eq!(shop.totals(), "earned 100, spent 60, expired 40");
}

#[test]
fn points_whose_lot_expired_while_they_were_held_stay_lost_or_live_a_while_longer() {
    let mut lost = held_to_the_end(90, 0);
    lost.does(release("a", "2027-01-02T00:10:00Z"));
    assert_eq!(lost.happened(), "expired 40; asked: 0 restored, 0 pay, 60 lost");
    assert_eq!(lost.totals(), "earned 100, expired 100");

    let mut reinstated = held_to_the_end(90, 7);
    reinstated.does(release("a", "2027-01-02T00:10:00Z"));
    assert_eq!(reinstated.balance(), "available 60");
    assert_eq!(reinstated.as_of("2027-01-09T23:59:59Z").balance(), "available 60");
    assert_eq!(reinstated.as_of("2027-01-10T00:00:00Z").balance(), "");
}

#[test]
fn at_one_midnight_holds_end_before_lots_expire_and_what_they_held_is_over_too() {
    // At the midnight, and a minute before it; and where what is over lives on, this was not over yet.
    for (minutes, reinstate_days) in [(60, 0), (59, 0), (60, 7)] {
        let shop = held_to_the_end(minutes, reinstate_days).as_of("2027-01-02T00:00:00Z");
        assert_eq!(shop.happened(), "ended: 60 restored, 0 pay, 0 lost; expired 100");
        assert_eq!(shop.balance(), "");
    }
    // A minute after it, it was.
    let shop = held_to_the_end(61, 0).as_of("2027-01-02T00:01:00Z");
    assert_eq!(shop.happened(), "expired 40; ended: 0 restored, 0 pay, 60 lost");
}

#[test]
fn what_matures_at_the_instant_at_which_a_hold_ends_comes_first() {
    let mut shop = Shop::with(100, json!({"earning": {"pending_days": 1}}));
    shop.does(order("second", "2026-01-31T10:30:00Z", 1_000));
    shop.does(hold("a", T0, 60, None));

    assert_eq!(shop.as_of(LATE).happened(), "matured 10; ended: 60 restored, 0 pay, 0 lost");
}

#[test]
fn a_late_hold_counts_from_the_accounts_clock() {
    let mut shop = Shop::with(100, json!({}));
    shop.does(spend("s", T2, 10));

    shop.does(hold("a", T0, 60, None));

    assert_eq!(shop.happened(), "held 60 for 60 until 2026-02-01T10:50:00Z");
}

#[test]
fn a_member_who_is_stopped_holds_and_captures_nothing_and_lets_go() {
    let mut shop = Shop::with(100, json!({"enrollment": {"activation": "none"}}));
    shop.does(Request::enroll(member(), at(T0), None));
    shop.does(hold("a", T0, 60, None));
    shop.does(sets_status(T1, NewStatus::Frozen));

    assert_eq!(shop.refuses(&hold("b", T2, 10, None)), Rejection::AccountFrozen);
    assert_eq!(shop.refuses(&capture("a", T2, None)), Rejection::AccountFrozen);
    let mut paid_for = shop.clone();
    shop.does(release("a", T2));
    assert_eq!(shop.balance(), "available 100");

    // What was promised before is kept, but nothing beyond it.
    paid_for.does(paid("o", T2, 1_000, ("a", 80)));
    assert_eq!(paid_for.happened(), "paid 80 by 60 held and 0 others, 20 uncovered");
}

#[test]
fn an_order_is_paid_with_the_fewest_points_that_were_held_for_it() {
    let mut shop = Shop::with(100, json!({}));
    shop.does(hold("a", T0, 60, None));

    shop.does(paid("o", T1, 1_050, ("a", 50)));

    assert_eq!(
        shop.happened(),
        "paid 50 by 50 held and 0 others, 0 uncovered; not_needed: 10 restored, 0 pay, 0 lost"
    );
    // What points pay earns nothing.
    assert_eq!(shop.earned("o"), 10);
    assert_eq!(shop.balance(), "available 60");
}

#[test]
fn an_order_whose_hold_is_gone_is_paid_from_lots_as_far_as_they_reach() {
    let mut shop = Shop::with(100, json!({}));
    shop.does(hold("a", T0, 100, None));

    let mut enough = shop.clone();
    enough.does(paid("o", LATE, 1_000, ("a", 90)));
    assert_eq!(
        enough.happened(),
        "ended: 100 restored, 0 pay, 0 lost; paid 90 by 0 held and 90 others, 0 uncovered"
    );

    shop.does(spend("s", LATE, 60));
    shop.does(paid("o", LATE, 1_000, ("a", 90)));
    assert_eq!(shop.happened(), "paid 90 by 0 held and 40 others, 50 uncovered");
    // No order is paid with what it earns itself.
    assert_eq!(shop.balance(), "available 9");
    shop.does(cancel("o", "2026-02-02T00:00:00Z"));
    assert_eq!(shop.happened(), "returned: 40 restored, 0 pay, 0 lost, 0 cut");
    assert_eq!(shop.balance(), "available 40");
}

#[test]
fn an_order_that_needs_none_of_its_points_lets_them_go() {
    let mut shop = Shop::with(100, json!({}));
    shop.does(hold("a", T0, 60, None));

    shop.does(paid("o", T1, 1_000, ("a", 0)));

    assert_eq!(shop.balance(), "available 110");
}

#[test]
fn a_guests_order_takes_no_points_whoever_held_them() {
    let mut shop = Shop::with(100, json!({}));
    shop.does(hold("a", T0, 60, None));
    let mut guest = paid("o", T1, 1_000, ("a", 60));
    if let Command::PayOrder(order) = &mut guest.command {
        order.member_id = None;
    }

    shop.does(guest);

    assert_eq!(shop.happened(), "paid 60 by 0 held and 0 others, 60 uncovered");
    assert_eq!(shop.balance(), "available 40, held 60");
    shop.does(refund("o", "r", T2, 500));
    assert_eq!(shop.happened(), "");
}

#[test]
fn what_points_are_worth_to_a_hold_stands_whatever_newer_programs_say() {
    let mut shop = Shop::with(100, json!({}));
    shop.does(hold("a", T0, 60, None));
    shop.program = program(json!({"version": 2, "checkout": {"point_worth": "0.02"}}));

    shop.does(paid("o", T1, 1_000, ("a", 60)));

    assert_eq!(shop.happened(), "paid 60 by 60 held and 0 others, 0 uncovered");
    shop.does(change("o", "c", T2, content(1_000, 50)));
    assert_eq!(shop.happened(), "paid 50 anew: 0 more, 0 uncovered, 10 restored, 0 pay, 0 lost");
}

#[test]
fn earning_fifty_spending_fifty_and_returning_leaves_a_debt_of_fifty() {
    let mut shop = Shop::with(50, json!({}));
    shop.does(spend("s", T0, 50));

    shop.does(cancel("first", T1));

    assert_eq!(shop.balance(), "debt 50");
}

#[test]
fn three_quarters_of_an_order_with_a_coupon_of_points_returned_leave_a_quarter_earned() {
    // A reward of 300 points gave the coupon, so it is no points of this order.
    let mut shop = Shop::with(300, json!({}));
    shop.does(spend("coupon", T0, 300));
    shop.does(order("o", T1, 10_000));
    assert_eq!(shop.balance(), "available 100");

    shop.does(refund("o", "r", T2, 7_500));

    assert_eq!(shop.earned("o"), 25);
    assert_eq!(shop.balance(), "available 25");
}

#[test]
fn an_item_of_fifty_dollars_less_a_coupon_of_ten_earns_forty_and_gives_forty_back() {
    let mut shop = Shop::of(json!({}));
    let mut content = content(5_000, 0);
    content.discounts = minor(1_000);
    shop.does(of_content("o", T0, None, content));
    assert_eq!(shop.balance(), "available 40");

    shop.does(refunded("o", "r", T1, pieces("1", 2, 4_000)));

    assert_eq!(shop.totals(), "earned 40, clawed back 40");
}

#[test]
fn a_refund_takes_back_by_the_rule_of_the_purchase() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("o", T0, 5_000));
    shop.program = program(json!({"version": 2, "earning": {"points_per_unit": "2"}}));

    shop.does(refund("o", "r", T1, 5_000));

    assert_eq!(shop.totals(), "earned 50, clawed back 50");
}

/// An order of $20 with two lines, of which 1,000 points pay half; the shop has 1,000 more.
#[track_caller]
fn half_paid() -> Shop {
    let mut shop = Shop::with(2_000, json!({}));
    shop.does(hold("a", T0, 1_000, None));
    shop.does(of_content("o", T1, Some("a"), two_lines(1_000)));
    assert_eq!(shop.balance(), "available 1010");
    shop
}

fn two_lines(paid_with_points: u64) -> Content {
    let lines = vec![line("1", 3, 1_500), line("2", 1, 500)];
    Content { lines, paid_with_points: minor(paid_with_points), ..Content::default() }
}

#[test]
fn a_refund_takes_back_what_money_earned_and_gives_back_its_part_of_the_points() {
    let mut shop = half_paid();

    // $7.50 of money and 750 points paid the first line.
    shop.does(refunded("o", "r1", T2, pieces("1", 1, 250)));
    assert_eq!(shop.happened(), "returned: 250 restored, 0 pay, 0 lost, 0 cut");
    assert_eq!(shop.earned("o"), 7);
    shop.does(refunded("o", "r2", T2, pieces("1", 2, 500)));
    shop.does(refunded("o", "r3", T2, pieces("2", 1, 250)));

    assert_eq!(shop.in_use("o"), 0);
    assert_eq!(shop.balance(), "available 2000");
}

#[test]
fn a_refund_that_says_how_many_points_come_back_gives_those_and_no_more_than_are_left() {
    let mut shop = half_paid();

    shop.does(refund("o", "r1", T2, 500).returning(Some(points(100))));
    assert_eq!(shop.happened(), "returned: 100 restored, 0 pay, 0 lost, 0 cut");
    // In proportion, 750 would be back by now.
    shop.does(refund("o", "r2", T2, 250));
    assert_eq!(shop.happened(), "returned: 650 restored, 0 pay, 0 lost, 0 cut");
    shop.does(refund("o", "r3", T2, 250).returning(Some(points(400))));
    assert_eq!(shop.happened(), "returned: 250 restored, 0 pay, 0 lost, 150 cut");
    assert_eq!(shop.balance(), "available 2000");
}

#[test]
fn an_order_without_points_that_wants_some_back_says_that_there_are_none() {
    let mut shop = Shop::with(100, json!({}));

    shop.does(refund("first", "r", T0, 1_000).returning(Some(points(5))));

    assert_eq!(shop.happened(), "returned: 0 restored, 0 pay, 0 lost, 5 cut");
}

#[test]
fn points_that_pay_all_of_an_order_come_back_by_pieces() {
    let mut shop = Shop::with(2_000, json!({}));
    shop.does(hold("a", T0, 1_000, None));
    // Shipping is paid with money, and counts nothing.
    let mut content = content(1_000, 1_000);
    content.shipping = minor(500);
    shop.does(of_content("o", T1, Some("a"), content));

    shop.does(refunded("o", "r1", T2, pieces("1", 1, 0)));
    assert_eq!(shop.happened(), "returned: 500 restored, 0 pay, 0 lost, 0 cut");
    shop.does(refunded("o", "r2", T2, pieces("1", 1, 0)));
    assert_eq!(shop.balance(), "available 2000");
}

#[test]
fn points_that_pay_shipping_too_come_back_with_it() {
    let mut shop = Shop::with(2_000, json!({}));
    shop.does(hold("a", T0, 1_500, None));
    let mut content = content(1_000, 1_500);
    content.shipping = minor(500);
    shop.does(of_content("o", T1, Some("a"), content));

    shop.does(refunded("o", "r1", T2, pieces("1", 2, 0)));
    assert_eq!(shop.happened(), "returned: 1000 restored, 0 pay, 0 lost, 0 cut");
    let shipping = RefundLine { key: LineKey::Shipping, quantity: 1, amount: minor(500) };
    shop.does(refunded("o", "r2", T2, Correction::Lines(vec![shipping])));
    assert_eq!(shop.balance(), "available 2000");
}

#[test]
fn an_edit_takes_more_points_or_gives_some_back_as_often_as_it_comes() {
    let mut shop = half_paid();

    shop.does(change("o", "c1", "2026-02-01T10:11:00Z", two_lines(600)));
    assert_eq!(shop.happened(), "paid 600 anew: 0 more, 0 uncovered, 400 restored, 0 pay, 0 lost");
    shop.does(change("o", "c2", "2026-02-01T10:12:00Z", two_lines(1_200)));
    assert_eq!(shop.happened(), "paid 1200 anew: 600 more, 0 uncovered, 0 restored, 0 pay, 0 lost");
    shop.does(spend("s", "2026-02-01T10:13:00Z", 508));
    // 300 are there, of which the two that this edit takes back as earned are no part.
    shop.does(change("o", "c3", "2026-02-01T10:14:00Z", two_lines(1_600)));
    assert_eq!(
        shop.happened(),
        "paid 1600 anew: 296 more, 104 uncovered, 0 restored, 0 pay, 0 lost"
    );
    assert_eq!(shop.balance(), "");
    shop.does(change("o", "c4", "2026-02-01T10:15:00Z", two_lines(0)));
    assert_eq!(shop.happened(), "paid 0 anew: 0 more, 0 uncovered, 1496 restored, 0 pay, 0 lost");
    shop.does(change("o", "c5", "2026-02-01T10:16:00Z", two_lines(0)));
    assert_eq!(shop.happened(), "");
}

#[test]
fn an_edit_after_a_refund_leaves_in_use_what_the_rest_of_the_order_needs() {
    let mut shop = half_paid();
    shop.does(refund("o", "r1", T2, 500));
    assert_eq!(shop.in_use("o"), 500);

    // $5 of $14 were refunded: 214 of 600 points, rounded down.
    shop.does(change("o", "c1", "2026-02-01T10:21:00Z", two_lines(600)));
    assert_eq!(shop.in_use("o"), 386);
    shop.does(change("o", "c2", "2026-02-01T10:22:00Z", two_lines(1_000)));
    assert_eq!(shop.in_use("o"), 500);
    shop.does(cancel("o", "2026-02-01T10:23:00Z"));
    assert_eq!(shop.balance(), "available 2000");
}

#[test]
fn a_refund_before_its_order_waits_with_the_points_that_it_says() {
    let mut shop = Shop::with(2_000, json!({}));
    shop.does(refund("o", "r1", T1, 500).returning(Some(points(100))));
    shop.does(refund("o", "r2", T1, 250));
    shop.does(hold("a", T0, 1_000, None));

    shop.does(of_content("o", T1, Some("a"), two_lines(1_000)));

    assert_eq!(
        shop.happened(),
        "paid 1000 by 1000 held and 0 others, 0 uncovered; \
         returned: 100 restored, 0 pay, 0 lost, 0 cut; returned: 650 restored, 0 pay, 0 lost, 0 cut"
    );
    assert_eq!(shop.in_use("o"), 250);
}

#[test]
fn money_is_taken_back_first_and_points_that_come_back_pay_what_is_owed() {
    let mut shop = half_paid();
    shop.does(spend("s", T2, 1_010));
    assert_eq!(shop.balance(), "");

    shop.does(cancel("o", T2));

    assert_eq!(shop.happened(), "returned: 990 restored, 10 pay, 0 lost, 0 cut");
    assert_eq!(shop.balance(), "available 990");
}

#[test]
fn points_of_an_order_come_back_to_who_has_left() {
    let mut shop = Shop::with(2_000, json!({"enrollment": {"activation": "none"}}));
    shop.does(Request::enroll(member(), at(T0), None));
    shop.does(hold("a", T0, 1_000, None));
    shop.does(of_content("o", T1, Some("a"), two_lines(1_000)));
    shop.does(sets_status(T2, NewStatus::Closed));

    shop.does(cancel("o", T2));

    assert_eq!(shop.happened(), "returned: 1000 restored, 0 pay, 0 lost, 0 cut");
}

#[test]
fn points_whose_lot_is_over_when_they_return_are_lost_and_the_entry_says_so() {
    let mut shop = half_paid();

    shop.does(cancel("o", "2027-01-05T00:00:00Z"));

    assert_eq!(shop.happened(), "expired 1000; returned: 0 restored, 0 pay, 1000 lost, 0 cut");
}

#[test]
fn using_points_at_a_checkout_lets_all_others_slide_and_holding_them_does_not() {
    let mut shop = Shop::with(100, json!({"earning": {"expiry": "sliding"}}));
    shop.does(hold("a", T0, 50, None));
    assert_eq!(shop.account.lots.first().unwrap().last_good_day.to_string(), "2027-01-01");

    let mut by_call = shop.clone();
    by_call.does(capture("a", T1, None));
    assert_eq!(by_call.account.lots.first().unwrap().last_good_day.to_string(), "2027-02-01");
    shop.does(paid("o", T1, 50, ("a", 50)));
    assert_eq!(shop.account.lots.first().unwrap().last_good_day.to_string(), "2027-02-01");
}

#[test]
fn points_that_come_back_after_points_began_to_slide_are_not_kept_by_that_whoever_looks_when() {
    let mut shop = Shop::with(
        100,
        json!({
            "effective": "2026-07-01",
            "earning": {"expiry": "sliding", "expiry_months": 5},
            "spending": {"reinstate_days": 1},
            "checkout": {"hold_minutes": 43_200},
        }),
    );
    shop.does(hold("a", "2026-06-01T12:00:00Z", 50, None));

    // The hold ends twelve hours after points began to slide, and its points live to the end of the next day.
    let mut nightly = shop.as_of("2026-07-01T00:00:00Z").as_of("2026-07-02T00:00:00Z");
    assert_eq!(nightly.happened(), "ended: 50 restored, 0 pay, 0 lost");
    nightly = nightly.as_of("2026-07-03T00:00:00Z");
    assert_eq!(nightly.happened(), "expired 50");
    let at_once = shop.as_of("2026-07-03T00:00:00Z");
    assert_eq!(at_once.happened(), "expired 50; ended: 50 restored, 0 pay, 0 lost; expired 50");
    assert_eq!(at_once.totals(), nightly.totals());
}

#[test]
fn what_pays_an_order_is_part_of_what_it_says() {
    let fingerprint = |request: Request| request.fingerprint();
    let plain = of_content("o", T1, None, two_lines(1_000));
    let held = of_content("o", T1, Some("a"), two_lines(1_000));
    let other = of_content("o", T1, Some("b"), two_lines(1_000));

    assert_ne!(fingerprint(plain), fingerprint(held.clone()));
    assert_ne!(fingerprint(held), fingerprint(other));
    let refund = refund("o", "r", T2, 500);
    let some = refund.clone().returning(Some(points(1)));
    assert_ne!(fingerprint(refund.clone().returning(Some(points(2)))), fingerprint(some));
    assert_eq!(fingerprint(refund.clone().returning(None)), fingerprint(refund));
}

/// A part of an order that comes back, an edit, or the end of it.
#[derive(Clone, Debug)]
enum Step {
    Amount(u64),
    Pieces { line: usize, quantity: u32, amount: u64 },
    Said(u64, u64),
    Edit { amounts: [u64; 2], paid_with_points: u64 },
    Cancel,
}

fn any_step() -> impl Strategy<Value = Step> {
    let amount = || 0..2_000_u64;
    prop_oneof![
        4 => (1..2_000_u64).prop_map(Step::Amount),
        4 => (0..2_usize, 0..4_u32, amount())
            .prop_map(|(line, quantity, amount)| Step::Pieces { line, quantity, amount }),
        2 => (1..1_000_u64, amount()).prop_map(|(amount, points)| Step::Said(amount, points)),
        3 => ([amount(), amount()], prop_oneof![Just(0), amount()]).prop_map(
            |(amounts, paid_with_points)| Step::Edit { amounts, paid_with_points }
        ),
        1 => Just(Step::Cancel),
    ]
}

/// The requests of `steps`, in which an order is cancelled once.
fn requests(steps: &[Step]) -> Vec<Request> {
    let mut is_cancelled = false;
    let mut requests = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let instant = format!("2026-02-01T11:00:{index:02}Z");
        let id = index.to_string();
        let correction = match step {
            Step::Amount(amount) | Step::Said(amount, _) => Correction::Amount(minor(*amount)),
            Step::Pieces { line, quantity, amount } => {
                pieces(&(line + 1).to_string(), *quantity, *amount)
            }
            Step::Edit { amounts: [first, second], paid_with_points } => {
                let lines = vec![line("1", 3, *first), line("2", 1, *second)];
                let paid_with_points = minor((*paid_with_points).min(first + second));
                let content = Content { lines, paid_with_points, ..Content::default() };
                requests.push(change("o", &id, &instant, content));
                continue;
            }
            Step::Cancel if is_cancelled => continue,
            Step::Cancel => {
                is_cancelled = true;
                requests.push(cancel("o", &instant));
                continue;
            }
        };
        let said = match step {
            Step::Said(_, said) => Some(points(*said)),
            _ => None,
        };
        requests.push(refunded("o", &id, &instant, correction).returning(said));
    }
    requests
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// A quote never takes more points than its discount needs, never pays more than the order allows, and the
    /// member never pays less than it says.
    #[test]
    fn a_quote_is_exact(
        mantissa in 1..1_000_000_000_u64,
        scale in 0..=9_u32,
        available in prop_oneof![0..10_000_u64, Just(i64::MAX.unsigned_abs())],
        total in prop_oneof![0..1_000_000_u64, Just(i64::MAX.unsigned_abs())],
        wanted in prop::option::of(0..20_000_u64),
        share in 1..=100_u64,
    ) {
        let unit = 10_u64.pow(scale);
        let fraction = (mantissa % unit) * 10_u64.pow(9 - scale);
        let worth = format!("{}.{fraction:0>9}", mantissa / unit);
        let share = format!("{}.{:02}", share / 100, share % 100);
        let program = program(json!({"checkout": {"point_worth": worth, "max_share": share}}));
        let currency = program.spec().currency;

        let quote =
            quote(&program, points(available), minor(total), currency, wanted.map(points)).unwrap();

        // In units of a billionth of a cent.
        let point = u128::from(mantissa) * 10_u128.pow(9 - scale);
        let amount = u128::from(quote.amount.get()) * 1_000_000_000;
        let number = u128::from(quote.points.get());
        let hundred = 100;
        prop_assert!(number * point * hundred >= amount, "{quote:?}");
        prop_assert!(number == 0 || (number - 1) * point * hundred < amount, "{quote:?}");
        prop_assert!(quote.amount.get() <= total);
        prop_assert!(quote.points.get() <= available.min(wanted.unwrap_or(u64::MAX)));
        prop_assert!(quote.points <= quote.most);
        prop_assert_eq!(quote.points.is_zero(), quote.why_nothing.is_some());
    }

    /// However an order that points paid is refunded and edited, once all of it is refunded every point is back
    /// in the lot it came from.
    #[test]
    fn undoing_an_order_restores_everything(
        steps in prop::collection::vec(any_step(), 0..12),
        comes_first in any::<bool>(),
        held in 1..1_500_u64,
    ) {
        let mut shop = Shop::with(300, json!({}));
        shop.does(order("more", "2026-01-10T12:00:00Z", 90_000));
        shop.does(order("most", "2026-01-20T12:00:00Z", 500_000));
        let (lots, balance) = (shop.account.lots.clone(), shop.balance());
        shop.does(hold("a", T0, 2_000, Some(held)));
        let order = of_content("o", T1, Some("a"), two_lines(held.min(1_000)));
        let (before, after) = if comes_first { (vec![], requests(&steps)) } else { (requests(&steps), vec![]) };

        for request in before.into_iter().chain([order]).chain(after) {
            if !matches!(shop.answer(&request), Err(Rejection::EditOvertaken)) {
                shop.does(request);
            }
        }
        shop.does(refund("o", "all", "2026-02-01T12:00:00Z", 1_000_000));
        for line in ["1", "2"] {
            let all = pieces(line, 1_000, 1_000_000);
            shop.does(refunded("o", &format!("all-{line}"), "2026-02-01T12:00:00Z", all));
        }

        prop_assert_eq!(shop.in_use("o"), 0);
        prop_assert_eq!(shop.earned("o"), 0);
        prop_assert_eq!(shop.balance(), balance);
        let kept: Vec<_> = shop.account.lots.iter().filter(|it| !it.points.is_zero()).copied().collect();
        prop_assert_eq!(kept, lots);
        prop_assert_eq!(shop.account.totals.spent, shop.account.totals.given_back);
    }
}

#[test]
fn a_hold_asked_for_again_has_the_id_that_it_had() {
    let (first, again) = (hold("a", T0, 60, None), hold("a", T1, 60, None));

    assert_eq!((first.id.clone(), first.fingerprint()), (again.id.clone(), again.fingerprint()));
    assert_ne!(first.fingerprint(), hold("a", T0, 61, None).fingerprint());
    assert_ne!(first.fingerprint(), hold("a", T0, 60, Some(0)).fingerprint());
}
