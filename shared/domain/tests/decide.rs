//! Behavior of the rules, sentence by sentence: what an account shows after a history of requests.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic, and looks for the one event that it is about"
)]

use std::{collections::BTreeMap, fmt::Display, num::NonZeroU32};

use jiff::Timestamp;
use loyalty_domain::{
    account::{Account, LotId, Measure, MonthProgress},
    command::{Command, Correction, RefundLine, Request},
    decide::{Decision, Held, Known, Rejection, SpendState, decide},
    due,
    event::{Event, LevelBefore, LotUse, Settled},
    expiry::{Cause, NEVER},
    id::{
        ChangeId, ClientId, CommandId, LineId, MemberId, OrderId, ReasonCode, RefundId, RequestKey,
    },
    money::{Minor, Spend},
    opening::{
        BROUGHT_ORDERS_MAX, BROUGHT_POINTS_MAX, BroughtLevel, BroughtLot, BroughtPending, Opening,
    },
    order::{Content, Line, LineKey, Order, OrderRecord, OrderState},
    points::Points,
    program::{Program, ProgramSpec, in_force, in_succession},
    reminder::due_after,
    tier::{self, Override, OverrideKind, TASKS_MAX},
    timeline::{ITEMS_MAX, What, timeline},
};
use serde_json::{Value, json};

/// One program, one member, and all that was kept of the requests so far.
///
/// This and the constructors of requests below it are the only test code that knows the API.
#[derive(Clone, Debug)]
struct Shop {
    spec: Value,
    program: Program,
    /// All versions, where there are several.
    versions: Vec<Program>,
    account: Account,
    holds: BTreeMap<String, Held>,
    history: Vec<(Timestamp, Vec<Event>)>,
    events: Vec<Event>,
}

impl Shop {
    /// One point a pound, at once available, for twelve months, in London; but for `overrides`.
    #[track_caller]
    fn of(overrides: Value) -> Self {
        let mut spec = json!({
            "name": "Rules", "version": 1, "effective": "2010-01-01", "currency": "GBP",
            "time_zone": "Europe/London",
            "earning": {"points_per_unit": "1", "expiry_months": 12},
            "tiers": {"levels": [{"id": "blue", "name": "Blue"}]},
        });
        merge(&mut spec, overrides);
        Self {
            program: program(&spec),
            versions: Vec::new(),
            spec,
            account: Account::default(),
            holds: BTreeMap::new(),
            history: Vec::new(),
            events: Vec::new(),
        }
    }

    /// From now on, the program differs by `overrides` too.
    #[track_caller]
    fn changes_its_program(&mut self, overrides: Value) {
        merge(&mut self.spec, overrides);
        self.program = program(&self.spec);
    }

    /// From the business day `effective` on, the program differs by `overrides` too; what happens is decided
    /// by the version in force at its instant.
    #[track_caller]
    fn publishes(&mut self, effective: &str, overrides: Value) {
        if self.versions.is_empty() {
            self.versions.push(self.program.clone());
        }
        let version = self.versions.len() + 1;
        merge(&mut self.spec, json!({"version": version, "effective": effective}));
        merge(&mut self.spec, overrides);
        self.versions.push(program(&self.spec));
        self.versions = in_succession(std::mem::take(&mut self.versions));
    }

    fn program_at(&self, instant: Timestamp) -> &Program {
        in_force(&self.versions, instant).unwrap_or(&self.program)
    }

    /// `request` takes effect.
    #[track_caller]
    fn does(&mut self, request: impl Into<Request>) {
        let request = request.into();
        match self.answer(&request) {
            Ok(Decision::Effect { at, events, account, second: None }) => {
                self.keep(&request, at, events, account.map(|it| *it));
            }
            other => panic!("{request:#?} should take effect: {other:#?}"),
        }
    }

    /// `request` waits for its order.
    #[track_caller]
    fn waits(&mut self, request: impl Into<Request>) {
        let request = request.into();
        match self.answer(&request) {
            Ok(Decision::Waits(waiting)) => match self.holds.entry(key(&request)).or_default() {
                Held::Waiting(all) => all.push(waiting),
                empty => *empty = Held::Waiting(vec![waiting]),
            },
            other => panic!("{request:#?} should wait: {other:#?}"),
        }
    }

    /// `request` is refused, and that changes nothing but what its own order holds.
    #[track_caller]
    fn refuses(&mut self, request: impl Into<Request>) -> Rejection {
        let request = request.into();
        match self.answer(&request) {
            Err(rejection) => {
                if matches!(request.command, Command::PayOrder(_)) {
                    let state =
                        OrderState { member_id: Some(member()), record: None, payment: None };
                    self.holds.insert(key(&request), Held::Order(state));
                }
                rejection
            }
            other => panic!("{request:#?} should be refused: {other:#?}"),
        }
    }

    fn answer(&self, request: &Request) -> Result<Decision, Rejection> {
        let holds = self.holds.get(&key(request)).cloned().unwrap_or_default();
        let known = Known { holds, account: self.account.clone(), ..Known::default() };
        decide(self.program_at(request.at), &known, request)
    }

    #[track_caller]
    fn keep(
        &mut self,
        request: &Request,
        at: Timestamp,
        events: Vec<Event>,
        account: Option<Account>,
    ) {
        if let Some(mut account) = account {
            account.end_entry(at).unwrap();
            self.account = account;
            self.history.push((at, events.clone()));
        }
        let holds = self.holds.entry(key(request)).or_default();
        if let Command::PayOrder(order) = &request.command {
            let member_id = order.member_id.clone();
            *holds = Held::Order(OrderState { member_id, record: None, payment: None });
        }
        for event in &events {
            match (&mut *holds, event) {
                (Held::Order(order), event) => order.apply(event),
                (Held::Nothing, Event::Spent { uses }) => {
                    let (uses, given_back) = (uses.clone(), Points::ZERO);
                    *holds =
                        Held::Spend(SpendState { member_id: Some(member()), uses, given_back });
                }
                (Held::Spend(spend), Event::GivenBack { debt_paid, restored, lost, .. }) => {
                    let restored = restored.iter().map(|it| it.points);
                    let back = restored.chain([*debt_paid, *lost, spend.given_back]);
                    spend.given_back = Points::total(back).unwrap();
                }
                _ => (),
            }
        }
        self.events = events;
        self.check();
    }

    /// What holds after every step.
    #[track_caller]
    fn check(&self) {
        let signed = |points: Points| i128::from(points.get());
        let (balance, totals) = (self.account.balance().unwrap(), self.account.totals);
        assert_eq!(
            signed(totals.earned) - signed(totals.clawed_back) - signed(totals.spent)
                + signed(totals.given_back)
                - signed(totals.expired)
                + signed(totals.adjusted.up)
                - signed(totals.adjusted.down),
            signed(balance.available) + signed(balance.pending) + signed(balance.held)
                - signed(balance.debt),
            "points are conserved: {self:#?}"
        );
        assert!(
            balance.debt.is_zero() || balance.available.is_zero(),
            "whoever owes points has none to use: {self:#?}"
        );
        let history = self.history.iter().map(|(at, events)| (*at, events.as_slice()));
        assert_eq!(Account::replay(history).unwrap(), self.account, "replaying gives the account");
    }

    /// The shop as the account stands at `instant`, without any request.
    #[track_caller]
    fn as_of(&self, instant: &str) -> Self {
        let mut shop = self.clone();
        let at = at(instant);
        let program = self.program_at(at);
        let (mut account, events) = due::bring_to(program, self.account.clone(), at).unwrap();
        account.end_entry(at).unwrap();
        shop.history.push((at, events.clone()));
        shop.account = account;
        shop.events = events;
        shop.check();
        shop
    }

    /// What will happen from `instant` through `day` if nothing else does, and whether that is all.
    #[track_caller]
    fn timeline(&self, instant: &str, day: &str) -> (Vec<String>, bool) {
        let program = self.program_at(at(instant));
        let account = self.as_of(instant).account;
        let until = program.calendar().end_of(day.parse().unwrap()).unwrap();
        let told = timeline(program, account, until).unwrap();
        let items = told.items.iter().map(|it| {
            let day = program.calendar().day_of(it.at);
            match &it.what {
                What::Matures { points, debt_paid, last_good_day } => {
                    format!("{day} {points} mature, {debt_paid} pay, through {last_good_day}")
                }
                What::Lapses { points, debt_paid } => {
                    format!("{day} {points} lapse, {debt_paid} pay")
                }
                What::Expires { points, last_good_day } => {
                    format!("{day} {points} expire after {last_good_day}")
                }
                What::Level { why, before, after, valid_through } => {
                    let through = valid_through.map_or("ever".to_owned(), |it| it.to_string());
                    let level = &program.levels().get(*after).unwrap().id;
                    format!("{day} {why:?}: rank {before} to {after}, {level} through {through}")
                }
            }
        });
        (items.collect(), told.is_whole)
    }

    /// Available, pending and owed points.
    fn balance(&self) -> String {
        let balance = self.account.balance().unwrap();
        format!(
            "available {}, pending {}, debt {}",
            balance.available, balance.pending, balance.debt
        )
    }

    /// What is not 0 of the sums over all entries.
    fn totals(&self) -> String {
        let totals = self.account.totals;
        listed([
            ("earned", totals.earned),
            ("clawed back", totals.clawed_back),
            ("spent", totals.spent),
            ("given back", totals.given_back),
            ("expired", totals.expired),
            ("adjusted up", totals.adjusted.up),
            ("adjusted down", totals.adjusted.down),
        ])
    }

    /// Lots that hold something, by last good day, in the order of use.
    fn lots(&self) -> String {
        listed(self.account.lots.iter().map(|it| (it.last_good_day, it.points)))
    }

    /// The level and its last valid day.
    fn level(&self) -> String {
        let tier = &self.account.tier;
        let level = tier.level.as_ref().map_or("blue", |it| it.as_str());
        match tier.valid_through {
            Some(day) => format!("{level} through {day}"),
            None => level.to_owned(),
        }
    }

    /// The level in force, whatever was earned, and its last day.
    fn in_force(&self) -> String {
        let rank = tier::rank(&self.program, &self.account);
        let level = &self.program.levels().get(rank).unwrap().id;
        match tier::valid_through(&self.program, &self.account) {
            Some(day) => format!("{level} through {day}"),
            None => level.to_string(),
        }
    }

    /// Spend in minor units and number of orders of a month such as `2024-03`.
    fn progress(&self, month: &str) -> String {
        let found = self.account.progress.months.iter().find(|it| it.month.to_string() == month);
        let measure = found.map(|it| it.measure).unwrap_or_default();
        format!("spend {}, orders {}", measure.spend, measure.orders)
    }

    #[track_caller]
    fn record(&self, order: &str) -> &OrderRecord {
        match self.holds.get(&order_key(order)) {
            Some(Held::Order(OrderState { record: Some(record), .. })) => record,
            other => panic!("{order} should have been accepted: {other:#?}"),
        }
    }

    /// The points that an order stands for.
    #[track_caller]
    fn points(&self, order: &str) -> u64 {
        self.record(order).points.get()
    }

    /// What an order's components came to, in their order.
    #[track_caller]
    fn components(&self, order: &str) -> String {
        let components = self.record(order).components.iter();
        components.map(|it| format!("{} {}", it.name, it.points)).collect::<Vec<_>>().join(", ")
    }

    /// The eligible amount of an order in minor units.
    #[track_caller]
    fn eligible(&self, order: &str) -> u64 {
        self.record(order).eligible().unwrap().get()
    }

    /// The amounts that are left of an order's lines.
    #[track_caller]
    fn lines_left(&self, order: &str) -> Vec<u64> {
        self.record(order).lines.iter().map(|it| it.left().get()).collect()
    }

    /// The last good day of an order's lot.
    #[track_caller]
    fn last_good_day(&self, order: &str) -> String {
        self.record(order).lot.given.to_string()
    }

    /// The headroom that caps left to an order.
    #[track_caller]
    fn headroom(&self, order: &str) -> Option<u64> {
        self.record(order).headroom.map(Points::get)
    }

    /// What else an order's entry keeps: the currency's rate, what each component gives, the
    /// wallet and the lot, and the program's version.
    #[track_caller]
    fn kept(&self, order: &str) -> Value {
        let record = self.record(order);
        let gives: Vec<_> = record.components.iter().map(|it| (&it.name, &it.gives)).collect();
        json!({
            "rate": record.rate, "gives": gives, "lot": record.lot,
            "version": record.program_version,
        })
    }

    /// What fell due in the last entry, in its order.
    fn fell_due(&self) -> String {
        let due = self.events.iter().filter_map(|it| match it {
            Event::Matured { points, .. } => Some(format!("matured {points}")),
            Event::Lapsed { points, .. } => Some(format!("lapsed {points}")),
            Event::Expired { points, .. } => Some(format!("expired {points}")),
            Event::Reviewed { level, .. } => Some(format!("reviewed {level}")),
            Event::GraceBegan { through, .. } => Some(format!("kept through {through}")),
            Event::LevelBegan { level, .. } => Some(format!("began {level}")),
            Event::LevelNotBegun { level, .. } => Some(format!("did not begin {level}")),
            Event::OverrideEnded { in_force, .. } => {
                Some(format!("override ended: {}", in_force.level))
            }
            Event::LifeExtended { cause: Cause::SlidingBegan { .. }, through, .. } => {
                Some(format!("began to slide through {through}"))
            }
            _ => None,
        });
        due.collect::<Vec<_>>().join(", ")
    }

    /// What the last entry says of the level, each time with the one before.
    fn levels(&self) -> String {
        let said = self.events.iter().filter_map(|it| {
            let (level, before) = match it {
                Event::Reviewed { level, before, .. }
                | Event::LevelReached { level, before, .. }
                | Event::LevelLowered { level, before, .. } => (level, before.as_ref()?),
                Event::Opened(it) => (it.tier.as_ref()?.level.as_ref()?, it.before.as_ref()?),
                _ => return None,
            };
            Some(match before {
                LevelBefore::Lower(before) => format!("{level} after a lower {before}"),
                LevelBefore::Same => format!("{level} again"),
                LevelBefore::Higher(before) => format!("{level} after a higher {before}"),
                LevelBefore::Overridden(it) => format!("{level}, and {} in force", it.level),
            })
        });
        said.collect::<Vec<_>>().join(", ")
    }

    /// What the last entry tells the member.
    fn told(&self) -> String {
        let told = self.events.iter().filter_map(|it| match it {
            Event::ExpiryAnnounced { last_good_day, lots, .. } => {
                let points = Points::total(lots.iter().map(|it| it.points)).unwrap();
                Some(format!("{points} through {last_good_day}"))
            }
            Event::LevelAtRisk(it) => Some(format!(
                "{} through {}, then {}, but for {} {:?} or {:?} orders",
                it.level,
                it.valid_through,
                it.would_be,
                it.currency.unwrap().code(),
                it.spend_missing.map(Minor::get),
                it.orders_missing
            )),
            _ => None,
        });
        told.collect::<Vec<_>>().join("; ")
    }

    /// The first day after which a job is to look at the account, after it did on `posted`, if it did.
    fn due_after(&self, posted: Option<&str>) -> String {
        let day = due_after(&self.program, &self.account, posted.map(at));
        day.map_or("never".to_owned(), |it| it.to_string())
    }

    /// What the last entry says was asked for beyond what was left of an order.
    #[track_caller]
    fn cut(&self) -> u64 {
        self.last(|it| match it {
            Event::Corrected(it) => Some(it.cut.get()),
            _ => None,
        })
    }

    /// What the last entry says was let go.
    #[track_caller]
    fn waived(&self) -> u64 {
        self.last(|it| match it {
            Event::Corrected(it) => match it.settled {
                Settled::TakenBack { waived, .. } => Some(waived.get()),
                _ => None,
            },
            _ => None,
        })
    }

    /// What the last entry says stays lost.
    #[track_caller]
    fn lost(&self) -> u64 {
        self.last(|it| match it {
            Event::GivenBack { lost, .. } => Some(lost.get()),
            _ => None,
        })
    }

    /// Which lots the last entry says it used.
    #[track_caller]
    fn used(&self) -> String {
        let uses: Vec<LotUse> = self.last(|it| match it {
            Event::Spent { uses } => Some(uses.clone()),
            _ => None,
        });
        listed(uses.iter().map(|LotUse { lot: LotId { given, .. }, points }| (given, *points)))
    }

    #[track_caller]
    fn last<T>(&self, find: impl Fn(&Event) -> Option<T>) -> T {
        self.events.iter().rev().find_map(find).unwrap()
    }
}

fn insufficient(available: u64, requested: u64) -> Rejection {
    let points = |it| Points::try_from(it).unwrap();
    Rejection::InsufficientPoints { available: points(available), requested: points(requested) }
}

/// What is not 0 of `all`, as one text.
fn listed<T: Display>(all: impl IntoIterator<Item = (T, Points)>) -> String {
    let some = all.into_iter().filter(|(_, points)| !points.is_zero());
    some.map(|(what, points)| format!("{what} {points}")).collect::<Vec<_>>().join(", ")
}

fn merge(base: &mut Value, overrides: Value) {
    match (base, overrides) {
        (Value::Object(base), Value::Object(overrides)) => {
            for (field, value) in overrides {
                merge(base.entry(field).or_insert(Value::Null), value);
            }
        }
        (base, value) => *base = value,
    }
}

/// Silver from 100.00 or three orders on, and gold from 500.00 on.
fn silver_and_gold() -> Value {
    json!({"tiers": {"levels": [
        {"id": "blue", "name": "Blue"},
        {"id": "silver", "name": "Silver", "spend": "100", "orders": 3, "bonus": "0.1"},
        {"id": "gold", "name": "Gold", "spend": "500", "bonus": "0.2"},
    ]}})
}

/// The same, and `overrides`.
fn silver_and_gold_with(overrides: Value) -> Value {
    let mut all = silver_and_gold();
    merge(&mut all, overrides);
    all
}

#[track_caller]
fn program(spec: &Value) -> Program {
    let spec: ProgramSpec = serde_json::from_value(spec.clone()).unwrap();
    Program::try_from(spec).unwrap()
}

/// Under which key the shop keeps what `request` is about.
fn key(request: &Request) -> String {
    match &request.command {
        Command::GiveBack { spend, .. } => spend.to_string(),
        _ => request.id.order_id().map_or(request.id.to_string(), |it| order_key(it.as_str())),
    }
}

fn order_key(order: &str) -> String {
    CommandId::Order(order.try_into().unwrap()).to_string()
}

#[track_caller]
fn at(instant: &str) -> Timestamp {
    instant.parse().unwrap()
}

fn minor(amount: u64) -> Minor {
    Minor::try_from(amount).unwrap()
}

fn member() -> MemberId {
    "m".try_into().unwrap()
}

/// An order of one line of `amount` minor units of the program's currency.
#[track_caller]
fn order(id: &str, instant: &str, amount: u64) -> Basket {
    basket(id, instant).line("1", amount)
}

/// An order without lines as yet.
#[track_caller]
fn basket(id: &str, instant: &str) -> Basket {
    Basket(Order {
        order_id: id.try_into().unwrap(),
        member_id: Some(member()),
        paid_at: at(instant),
        currency: "GBP".parse().unwrap(),
        channel: None,
        referral_code: None,
        points_hold: None,
        content: Content::default(),
    })
}

/// An order that is being put together.
struct Basket(Order);

impl Basket {
    fn line(mut self, id: &str, amount: u64) -> Self {
        self.0.content.lines.push(Line {
            id: id.try_into().unwrap(),
            sku: "sku".try_into().unwrap(),
            category: None,
            quantity: 2,
            amount: minor(amount),
            discounts: Minor::ZERO,
            is_gift_card: false,
        });
        self
    }

    fn newest(mut self, change: impl FnOnce(&mut Line)) -> Self {
        change(self.0.content.lines.last_mut().unwrap());
        self
    }

    /// The newest line's SKU.
    fn of_sku(self, sku: &str) -> Self {
        self.newest(|it| it.sku = sku.try_into().unwrap())
    }

    /// The newest line's category.
    fn of_category(self, category: &str) -> Self {
        self.newest(|it| it.category = Some(category.try_into().unwrap()))
    }

    /// The newest line is a gift card.
    fn being_a_gift_card(self) -> Self {
        self.newest(|it| it.is_gift_card = true)
    }

    /// The newest line's own discounts.
    fn less(self, discounts: u64) -> Self {
        self.newest(|it| it.discounts = minor(discounts))
    }

    /// Discounts on the whole order.
    fn discounted(mut self, discounts: u64) -> Self {
        self.0.content.discounts = minor(discounts);
        self
    }

    fn shipping(mut self, shipping: u64) -> Self {
        self.0.content.shipping = minor(shipping);
        self
    }

    fn tax(mut self, tax: u64) -> Self {
        self.0.content.tax = minor(tax);
        self
    }

    /// The part paid with points, in minor units.
    fn paid_with_points(mut self, amount: u64) -> Self {
        self.0.content.paid_with_points = minor(amount);
        self
    }

    fn in_currency(mut self, code: &str) -> Self {
        self.0.currency = code.parse().unwrap();
        self
    }

    fn through(mut self, channel: &str) -> Self {
        self.0.channel = Some(channel.try_into().unwrap());
        self
    }

    /// The edit that makes its order what this basket holds, at this basket's instant.
    fn into_change(self, id: &str) -> Request {
        let Order { order_id, paid_at, content, .. } = self.0;
        Request::change(order_id, ChangeId::try_from(id).unwrap(), paid_at, content)
    }
}

impl From<Basket> for Request {
    fn from(basket: Basket) -> Self {
        Self::order(basket.0)
    }
}

#[track_caller]
fn refund(order: &str, id: &str, instant: &str, amount: u64) -> Request {
    refunded(order, id, instant, Correction::Amount(minor(amount)))
}

#[track_caller]
fn refund_of_line(order: &str, id: &str, instant: &str, line: &str, amount: u64) -> Request {
    let key = LineKey::Line(LineId::try_from(line).unwrap());
    let line = RefundLine { key, quantity: 1, amount: minor(amount) };
    refunded(order, id, instant, Correction::Lines(vec![line]))
}

#[track_caller]
fn refunded(order: &str, id: &str, instant: &str, correction: Correction) -> Request {
    let order = OrderId::try_from(order).unwrap();
    Request::refund(order, RefundId::try_from(id).unwrap(), at(instant), correction)
}

#[track_caller]
fn cancel(order: &str, instant: &str) -> Request {
    Request::cancel(OrderId::try_from(order).unwrap(), at(instant))
}

#[track_caller]
fn spend(id: &str, instant: &str, points: u64) -> Request {
    let (client, key) = (ClientId::try_from("till").unwrap(), RequestKey::try_from(id).unwrap());
    Request::spend(client, key, member(), at(instant), Points::try_from(points).unwrap())
}

#[track_caller]
fn give_back(id: &str, instant: &str, points: u64) -> Request {
    let used = spend(id, instant, points);
    let (client, key) = (ClientId::try_from("till").unwrap(), RequestKey::try_from(id).unwrap());
    let points = Points::try_from(points).unwrap();
    Request::give_back(client, key, member(), at(instant), used.id, points)
}

/// Staff let all points that are good at `instant` last through `through`.
#[track_caller]
fn extend(id: &str, instant: &str, through: &str) -> Request {
    let (client, key) = (ClientId::try_from("desk").unwrap(), RequestKey::try_from(id).unwrap());
    let reason = ReasonCode::try_from("goodwill").unwrap();
    Request::extend(client, key, member(), at(instant), through.parse().unwrap(), reason)
}

/// Staff bring `points` back that had expired, to be used through a day.
#[track_caller]
fn reinstates(instant: &str, points: u64, through: &str) -> Request {
    let client = ClientId::try_from("desk").unwrap();
    let key = RequestKey::try_from(instant).unwrap();
    let reason = ReasonCode::try_from("goodwill").unwrap();
    let points = (Points::try_from(points).unwrap(), through.parse().unwrap());
    Request::reinstate(client, key, member(), at(instant), points, reason)
}

/// Staff set `level` through `through`, or for as long as they like.
#[track_caller]
fn sets(kind: OverrideKind, instant: &str, level: &str, through: Option<&str>) -> Request {
    let client = ClientId::try_from("desk").unwrap();
    let key = RequestKey::try_from(format!("{kind:?} {instant}").as_str()).unwrap();
    let through = through.map(|it| it.parse().unwrap());
    let set = Override { level: level.try_into().unwrap(), kind, through };
    let reason = ReasonCode::try_from("fair-use").unwrap();
    Request::override_level(client, key, member(), at(instant), set, reason)
}

#[track_caller]
fn lifts(instant: &str) -> Request {
    let client = ClientId::try_from("desk").unwrap();
    let key = RequestKey::try_from(instant).unwrap();
    let reason = ReasonCode::try_from("appeal").unwrap();
    Request::lift_override(client, key, member(), at(instant), reason)
}

#[track_caller]
fn grows(id: &str, instant: &str, growth: u32) -> Request {
    let growth = NonZeroU32::new(growth).unwrap();
    Request::growth(member(), id.try_into().unwrap(), at(instant), growth)
}

#[track_caller]
fn does_task(task: &str, instant: &str) -> Request {
    Request::task(member(), task.try_into().unwrap(), at(instant))
}

/// The member is measured by the version that is in force from `instant` on.
#[track_caller]
fn measured(version: u32, instant: &str) -> Request {
    Request::measure(member(), version, at(instant))
}

#[track_caller]
fn post_due(instant: &str) -> Request {
    let at = at(instant);
    let day = jiff::tz::TimeZone::UTC.to_datetime(at).date();
    let command = Command::PostDue { member_id: member() };
    Request { id: CommandId::Due(member(), day), at, command }
}

/// What a member brings, which is nothing as yet.
#[track_caller]
fn brings(instant: &str) -> Luggage {
    Luggage { at: at(instant), opening: Opening::default() }
}

/// What a member brings, being put together.
#[derive(Clone)]
struct Luggage {
    at: Timestamp,
    opening: Opening,
}

impl Luggage {
    #[track_caller]
    fn lot(mut self, points: u64, last_good_day: &str) -> Self {
        let points = points.try_into().unwrap();
        let last_good_day = last_good_day.parse().unwrap();
        self.opening.lots.push(BroughtLot { points, last_good_day });
        self
    }

    /// Pending points, with an order's last good day.
    #[track_caller]
    fn pending(mut self, points: u64, matures_at: &str) -> Self {
        let (points, matures_at) = (points.try_into().unwrap(), at(matures_at));
        self.opening.pending.push(BroughtPending { points, matures_at, last_good_day: None });
        self
    }

    /// The last good day of the newest pending points.
    #[track_caller]
    fn through(mut self, day: &str) -> Self {
        self.opening.pending.last_mut().unwrap().last_good_day = Some(day.parse().unwrap());
        self
    }

    #[track_caller]
    fn debt(mut self, points: u64) -> Self {
        self.opening.debt = points.try_into().unwrap();
        self
    }

    #[track_caller]
    fn level(mut self, level: &str, valid_through: Option<&str>) -> Self {
        let valid_through = valid_through.map(|it| it.parse().unwrap());
        let level = level.try_into().unwrap();
        self.opening.level = Some(BroughtLevel { level, valid_through });
        self
    }

    #[track_caller]
    fn month(mut self, month: &str, spend: u64, orders: u32) -> Self {
        let month = month.to_owned().try_into().unwrap();
        self.opening.months.push(MonthProgress { month, measure: measure(spend, orders) });
        self
    }

    fn earlier(mut self, spend: u64, orders: u32) -> Self {
        self.opening.earlier = measure(spend, orders);
        self
    }
}

fn measure(spend: u64, orders: u32) -> Measure {
    Measure { spend: Spend::of_minor(minor(spend)), orders, growth: 0 }
}

impl From<Luggage> for Request {
    fn from(luggage: Luggage) -> Self {
        Self::open(member(), luggage.at, luggage.opening)
    }
}

#[test]
fn base_points_are_rounded_down_to_whole_points() {
    let mut shop = Shop::of(json!({}));

    shop.does(order("A", "2024-01-15T12:00Z", 9_999));

    assert_eq!(shop.points("A"), 99);
    assert_eq!(shop.balance(), "available 99, pending 0, debt 0");
    assert_eq!(shop.totals(), "earned 99");
}

#[test]
fn a_rate_is_an_exact_decimal_however_large_the_amount() {
    let points = |points_per_unit: &str, amount| {
        let mut shop = Shop::of(json!({"earning": {"points_per_unit": points_per_unit}}));
        shop.does(order("A", "2024-01-15T12:00Z", amount));
        shop.points("A")
    };

    // In binary floating point, 100 x 0.29 is a little less than 29.
    assert_eq!(points("0.29", 10_000), 29);
    // And 2^53 + 1 is 2^53.
    assert_eq!(points("100", 9_007_199_254_740_993), 9_007_199_254_740_993);
}

#[test]
fn every_component_is_rounded_down_by_itself_and_none_before_it() {
    let mut shop = Shop::of(json!({
        "earning": {"points_per_unit": "1.5"},
        "campaigns": [
            {"name": "half", "bonus": "0.5"},
            {"name": "tenth", "bonus": "0.1"},
            {"name": "gift", "points": 7},
        ],
    }));

    // 9.99 x 1.5 = 14.985; x 0.5 = 7.4925; x 0.1 = 1.4985. Of the whole, 23.976, nothing is left.
    shop.does(order("A", "2024-01-15T12:00Z", 999));

    let components = "base 14, campaign:half 7, campaign:tenth 1, campaign:gift 7";
    assert_eq!(shop.components("A"), components);
    assert_eq!(shop.points("A"), 29);
}

#[test]
fn lines_left_out_by_sku_category_or_being_a_gift_cards_count_nothing() {
    let mut shop = Shop::of(json!({"earning": {"exclude": {
        "skus": ["stamp"], "categories": ["books"], "gift_cards": true,
    }}}));

    shop.does(
        basket("A", "2024-01-15T12:00Z")
            .line("1", 1_000)
            .line("2", 2_000)
            .of_sku("stamp")
            .line("3", 4_000)
            .of_category("books")
            .line("4", 8_000)
            .being_a_gift_card()
            .line("5", 16_000)
            .of_sku("STAMP")
            .line("6", 32_000)
            .of_category("bookshelves"),
    );

    assert_eq!(shop.eligible("A"), 49_000);
    assert_eq!(shop.points("A"), 490);
}

#[test]
fn gift_cards_count_where_the_program_does_not_leave_them_out() {
    let mut shop = Shop::of(json!({}));

    shop.does(basket("A", "2024-01-15T12:00Z").line("1", 8_000).being_a_gift_card());

    assert_eq!(shop.points("A"), 80);
}

#[test]
fn tax_and_shipping_count_only_where_the_program_says_so() {
    let eligible = |earning: Value| {
        let mut shop = Shop::of(json!({"earning": earning}));
        shop.does(order("A", "2024-01-15T12:00Z", 10_000).shipping(500).tax(2_000));
        shop.eligible("A")
    };

    assert_eq!(eligible(json!({})), 10_000);
    assert_eq!(eligible(json!({"counts_shipping": true})), 10_500);
    assert_eq!(eligible(json!({"counts_tax": true})), 12_000);
    assert_eq!(eligible(json!({"counts_shipping": true, "counts_tax": true})), 12_500);
}

#[test]
fn a_fixed_bonus_stays_until_nothing_is_left_of_the_order() {
    let mut shop = Shop::of(json!({"campaigns": [{"name": "gift", "points": 7}]}));
    shop.does(order("A", "2024-01-15T12:00Z", 10_000));

    shop.does(refund("A", "r", "2024-01-16T12:00Z", 9_999));
    let nearly_all = shop.components("A");
    shop.does(refund("A", "s", "2024-01-16T12:00Z", 1));

    assert_eq!(nearly_all, "base 0, campaign:gift 7");
    assert_eq!(shop.components("A"), "base 0, campaign:gift 0");
    assert_eq!(shop.totals(), "earned 107, clawed back 107");
}

#[test]
fn a_fixed_bonus_stays_at_its_minimum_and_goes_below_it() {
    let mut shop = Shop::of(json!({
        "campaigns": [{"name": "gift", "points": 7, "min_amount": "50"}],
    }));
    shop.does(order("A", "2024-01-15T12:00Z", 10_000));

    shop.does(refund("A", "r", "2024-01-16T12:00Z", 5_000));
    let at_minimum = shop.components("A");
    shop.does(refund("A", "s", "2024-01-16T12:00Z", 1));

    assert_eq!(at_minimum, "base 50, campaign:gift 7");
    assert_eq!(shop.components("A"), "base 49, campaign:gift 0");
}

#[test]
fn an_order_of_which_nothing_counts_gives_no_fixed_bonus_either() {
    let mut shop = Shop::of(json!({
        "earning": {"exclude": {"skus": ["stamp"]}},
        "campaigns": [{"name": "gift", "points": 7}],
    }));

    shop.does(order("A", "2024-01-15T12:00Z", 10_000).of_sku("stamp"));

    assert_eq!(shop.points("A"), 0);
    assert_eq!(shop.progress("2024-01"), "spend 0, orders 0");
}

#[test]
fn a_campaign_runs_from_its_first_through_its_last_business_day_and_on_its_channels_only() {
    let mut shop = Shop::of(json!({"campaigns": [
        {"name": "july", "from": "2024-07-01", "until": "2024-07-31", "points": 7},
        {"name": "app", "channels": ["app"], "points": 3},
    ]}));

    shop.does(order("A", "2024-06-30T22:59:59.999999999Z", 100));
    shop.does(order("B", "2024-06-30T23:00Z", 100).through("web"));
    shop.does(order("C", "2024-07-31T22:59:59.999999999Z", 100).through("app"));
    shop.does(order("D", "2024-07-31T23:00Z", 100).through("app"));

    assert_eq!(shop.components("A"), "base 1");
    assert_eq!(shop.components("B"), "base 1, campaign:july 7");
    assert_eq!(shop.components("C"), "base 1, campaign:july 7, campaign:app 3");
    assert_eq!(shop.components("D"), "base 1, campaign:app 3");
}

#[test]
fn the_part_paid_with_points_is_spread_by_largest_remainder_and_then_in_the_order_of_lines() {
    let mut shop = Shop::of(json!({}));
    let paid = |id, lines: [u64; 3], points_paid| {
        let mut basket = basket(id, "2024-01-15T12:00Z");
        for (line, amount) in ["1", "2", "3"].into_iter().zip(lines) {
            basket = basket.line(line, amount);
        }
        basket.paid_with_points(points_paid)
    };

    // Exact shares 33.33 each: the odd one is taken off the first line.
    shop.does(paid("A", [1_000, 1_000, 1_000], 100));
    // Exact shares 1.4, 2.8 and 2.8: the two left over are taken off the larger remainders.
    shop.does(paid("B", [10, 20, 20], 7));

    assert_eq!(shop.lines_left("A"), [966, 967, 967]);
    assert_eq!(shop.points("A"), 29);
    assert_eq!(shop.lines_left("B"), [9, 17, 17]);
}

#[test]
fn the_part_paid_with_points_is_taken_off_counting_lines_only() {
    let mut shop = Shop::of(json!({"earning": {"exclude": {"skus": ["stamp"]}}}));
    let basket = |id| basket(id, "2024-01-15T12:00Z").line("1", 4_000).of_sku("stamp");

    shop.does(basket("A").line("2", 6_000).paid_with_points(1_500));
    shop.does(basket("B").line("2", 6_000).paid_with_points(6_000));

    assert_eq!(shop.lines_left("A"), [4_000, 4_500]);
    assert_eq!(shop.points("A"), 45);
    assert_eq!(shop.eligible("B"), 0);
    assert_eq!(shop.progress("2024-01"), "spend 4500, orders 1");
}

#[test]
fn discounts_on_the_whole_order_do_not_earn() {
    let mut shop = Shop::of(json!({}));

    shop.does(basket("A", "2024-01-15T12:00Z").line("1", 6_000).line("2", 3_000).discounted(900));

    assert_eq!(shop.eligible("A"), 8_100);
    assert_eq!(shop.points("A"), 81);
}

#[test]
fn a_line_never_counts_less_than_nothing() {
    let mut shop = Shop::of(json!({}));

    shop.does(
        basket("A", "2024-01-15T12:00Z").line("1", 1_000).less(1_500).line("2", 2_000).less(300),
    );

    assert_eq!(shop.lines_left("A"), [0, 1_700]);
    assert_eq!(shop.points("A"), 17);
}

#[test]
fn a_cap_cuts_the_component_listed_last_first() {
    let mut shop = Shop::of(json!({
        "caps": {"per_order": 50},
        "campaigns": [{"name": "double", "bonus": "1"}, {"name": "gift", "points": 7}],
    }));

    shop.does(order("A", "2024-01-15T12:00Z", 4_000));
    shop.does(order("B", "2024-01-15T12:00Z", 2_000));

    assert_eq!(shop.components("A"), "base 40, campaign:double 10, campaign:gift 0");
    assert_eq!(shop.components("B"), "base 20, campaign:double 20, campaign:gift 7");
    assert_eq!(shop.headroom("A"), Some(50));
    assert_eq!(shop.totals(), "earned 97");
}

#[test]
fn a_refund_of_a_capped_order_takes_back_only_what_falls_below_the_cap() {
    let mut shop = Shop::of(json!({
        "caps": {"per_order": 50}, "campaigns": [{"name": "gift", "points": 20}],
    }));
    shop.does(order("A", "2024-01-15T12:00Z", 4_000));
    let before = shop.components("A");

    shop.does(refund("A", "r", "2024-01-16T12:00Z", 1_000));
    let at_the_cap = shop.components("A");
    shop.does(refund("A", "s", "2024-01-16T12:00Z", 500));

    assert_eq!(before, "base 40, campaign:gift 10");
    assert_eq!(at_the_cap, "base 30, campaign:gift 20");
    assert_eq!(shop.components("A"), "base 25, campaign:gift 20");
    assert_eq!(shop.totals(), "earned 50, clawed back 5");
}

#[test]
fn a_members_cap_counts_the_calendar_month_of_payment_in_the_programs_zone() {
    let mut shop = Shop::of(json!({"caps": {"per_member": [{"period": "month", "points": 150}]}}));

    shop.does(order("A", "2024-05-31T23:00Z", 10_000));
    shop.does(order("B", "2024-06-15T12:00Z", 10_000));
    shop.does(order("C", "2024-06-30T22:59Z", 10_000));
    shop.does(order("D", "2024-06-30T23:00Z", 10_000));

    assert_eq!([shop.points("A"), shop.headroom("A").unwrap()], [100, 150]);
    assert_eq!([shop.points("B"), shop.headroom("B").unwrap()], [50, 50]);
    assert_eq!([shop.points("C"), shop.headroom("C").unwrap()], [0, 0]);
    assert_eq!([shop.points("D"), shop.headroom("D").unwrap()], [100, 150]);
}

#[test]
fn a_members_cap_may_count_a_day_a_year_or_all_time() {
    let points = |period: &str| {
        let mut shop =
            Shop::of(json!({"caps": {"per_member": [{"period": period, "points": 150}]}}));
        shop.does(order("A", "2024-01-15T12:00Z", 10_000));
        shop.does(order("B", "2024-01-15T23:59Z", 10_000));
        shop.does(order("C", "2024-01-16T00:00Z", 10_000));
        shop.does(order("D", "2025-01-01T00:00Z", 10_000));
        ["A", "B", "C", "D"].map(|it| shop.points(it))
    };

    assert_eq!(points("day"), [100, 50, 100, 100]);
    assert_eq!(points("year"), [100, 50, 0, 100]);
    assert_eq!(points("lifetime"), [100, 50, 0, 0]);
}

#[test]
fn the_tightest_of_several_caps_cuts() {
    let mut shop = Shop::of(json!({"caps": {
        "per_order": 60, "per_member": [{"period": "month", "points": 100}],
    }}));

    shop.does(order("A", "2024-01-15T12:00Z", 8_000));
    shop.does(order("B", "2024-01-15T12:00Z", 8_000));

    assert_eq!([shop.points("A"), shop.points("B")], [60, 40]);
}

#[test]
fn a_refund_gives_room_back_to_a_cap_for_the_next_order_but_not_for_earlier_ones() {
    let mut shop = Shop::of(json!({"caps": {"per_member": [{"period": "month", "points": 100}]}}));
    shop.does(order("A", "2024-01-15T12:00Z", 10_000));
    shop.does(order("B", "2024-01-16T12:00Z", 5_000));

    shop.does(refund("A", "r", "2024-01-17T12:00Z", 4_000));
    shop.does(order("C", "2024-01-18T12:00Z", 5_000));

    assert_eq!([shop.points("A"), shop.points("B"), shop.points("C")], [60, 0, 40]);
    assert_eq!(shop.balance(), "available 100, pending 0, debt 0");
}

#[test]
fn a_refund_computes_with_the_headroom_at_the_time_of_its_order() {
    let mut shop = Shop::of(json!({"caps": {"per_member": [{"period": "month", "points": 100}]}}));
    shop.does(order("A", "2024-01-15T12:00Z", 8_000));
    shop.does(order("B", "2024-01-16T12:00Z", 5_000));
    shop.does(cancel("A", "2024-01-17T12:00Z"));

    shop.does(refund("B", "r", "2024-01-18T12:00Z", 2_000));
    let capped = shop.points("B");
    shop.does(refund("B", "s", "2024-01-18T12:00Z", 2_000));

    assert_eq!(capped, 20);
    assert_eq!(shop.points("B"), 10);
    assert_eq!(shop.totals(), "earned 100, clawed back 90");
}

#[test]
fn an_orders_entry_keeps_components_rates_lot_headroom_and_version() {
    let mut shop = Shop::of(silver_and_gold_with(json!({
        "version": 3, "rates": {"EUR": "0.86"}, "caps": {"per_order": 115},
        "campaigns": [{"name": "gift", "points": 7}],
    })));
    shop.does(order("A", "2024-01-15T12:00Z", 10_000));

    // 100.00 EUR are 86.00 GBP.
    shop.does(order("B", "2024-01-16T12:00Z", 10_000).in_currency("EUR"));

    assert_eq!(shop.components("B"), "base 86, tier:silver 8, campaign:gift 7");
    assert_eq!(shop.headroom("B"), Some(115));
    assert_eq!(
        shop.kept("B"),
        json!({
            "rate": "0.86",
            "gives": [
                ["base", {"rate": {"points_per_unit": "1", "share": "1"}}],
                ["tier:silver", {"rate": {"points_per_unit": "1", "share": "0.1"}}],
                ["campaign:gift", {"fixed": 7}],
            ],
            "lot": {"wallet": "points", "given": "2025-01-16"},
            "version": 3,
        })
    );
}

#[test]
fn a_refund_computes_with_what_was_in_force_when_its_order_was_paid() {
    let mut shop = Shop::of(silver_and_gold_with(json!({"rates": {"EUR": "0.86"}})));
    shop.does(order("A", "2024-01-15T12:00Z", 10_000));
    shop.does(order("B", "2024-01-16T12:00Z", 20_000).in_currency("EUR"));
    let before = shop.components("B");

    shop.changes_its_program(json!({
        "version": 2, "rates": {"EUR": "2"}, "caps": {"per_order": 1},
        "earning": {"points_per_unit": "5", "expiry_months": 1, "exclude": {"skus": ["sku"]}},
        "campaigns": [{"name": "gift", "points": 7}],
    }));
    shop.does(refund("B", "r", "2024-01-17T12:00Z", 10_000));

    assert_eq!(before, "base 172, tier:silver 17");
    assert_eq!(shop.components("B"), "base 86, tier:silver 8");
    assert_eq!(shop.progress("2024-01"), "spend 18600, orders 2");
    assert_eq!(shop.lots(), "2025-01-15 100, 2025-01-16 94");
}

#[test]
fn another_currency_counts_exactly_before_the_floor() {
    let mut shop = Shop::of(json!({"rates": {"EUR": "0.8605"}}));

    // 11.62 EUR are 9.99901 GBP: rounded to a penny first, they would be 10.00.
    shop.does(order("A", "2024-01-15T12:00Z", 1_162).in_currency("EUR"));
    shop.does(order("B", "2024-01-15T12:00Z", 1_163).in_currency("EUR"));

    assert_eq!([shop.points("A"), shop.points("B")], [9, 10]);
}

#[test]
fn a_currencys_minor_units_are_those_of_iso_4217() {
    let mut shop = Shop::of(json!({"rates": {"JPY": "0.0053", "KWD": "2.6"}}));

    // 1,886 JPY are 9.9958 GBP and one more are 10.0011; 3.846 KWD are 9.9996 and 3.847 10.0022.
    shop.does(order("A", "2024-01-15T12:00Z", 1_886).in_currency("JPY"));
    shop.does(order("B", "2024-01-15T12:00Z", 1_887).in_currency("JPY"));
    shop.does(order("C", "2024-01-15T12:00Z", 3_846).in_currency("KWD"));
    shop.does(order("D", "2024-01-15T12:00Z", 3_847).in_currency("KWD"));

    assert_eq!([shop.points("A"), shop.points("B")], [9, 10]);
    assert_eq!([shop.points("C"), shop.points("D")], [9, 10]);
}

#[test]
fn a_programs_own_currency_may_have_no_or_three_digits_of_minor_units() {
    let points = |currency: &str, points_per_unit: &str, amount| {
        let mut shop = Shop::of(json!({
            "currency": currency, "earning": {"points_per_unit": points_per_unit},
        }));
        shop.does(order("A", "2024-01-15T12:00Z", amount).in_currency(currency));
        shop.points("A")
    };

    assert_eq!(points("JPY", "0.01", 9_999), 99);
    assert_eq!(points("JPY", "0.01", 10_000), 100);
    assert_eq!(points("KWD", "1", 9_999), 9);
    assert_eq!(points("KWD", "1", 10_000), 10);
}

#[test]
fn an_order_in_a_currency_without_a_rate_is_refused() {
    let mut shop = Shop::of(json!({"rates": {"EUR": "0.86"}}));
    shop.does(order("A", "2024-01-15T12:00Z", 10_000));

    let rejection = shop.refuses(order("B", "2024-01-16T12:00Z", 10_000).in_currency("USD"));

    let currency = "USD".parse().unwrap();
    assert_eq!(rejection, Rejection::CurrencyNotInProgram { currency });
    assert_eq!(shop.totals(), "earned 100");
    assert_eq!(shop.progress("2024-01"), "spend 10000, orders 1");
}

#[test]
fn what_would_overflow_is_refused_and_changes_nothing() {
    let largest = i64::MAX.unsigned_abs();
    let mut shop = Shop::of(json!({"earning": {"points_per_unit": "1000"}}));
    shop.does(order("A", "2024-01-15T12:00Z", 10_000));

    let rejections = [
        shop.refuses(order("B", "2024-01-15T12:00Z", largest)),
        shop.refuses(order("C", "2024-01-15T12:00Z", largest).line("2", 1).line("3", largest)),
        shop.refuses(order("D", "2024-01-15T12:00Z", largest).of_sku("x").shipping(largest)),
    ];

    assert_eq!(rejections, [Rejection::OutOfRange, Rejection::OutOfRange, Rejection::OutOfRange]);
    assert_eq!(shop.balance(), "available 100000, pending 0, debt 0");
    assert_eq!(shop.progress("2024-01"), "spend 10000, orders 1");
}

#[test]
fn a_sum_of_points_is_refused_where_it_would_overflow() {
    let mut shop = Shop::of(json!({"earning": {"points_per_unit": "100", "pending_days": 14}}));
    let largest = i64::MAX.unsigned_abs();
    shop.does(order("A", "2024-01-15T12:00Z", largest));

    let rejection = shop.refuses(order("B", "2024-01-16T12:00Z", 1));
    shop.does(cancel("A", "2024-01-17T12:00Z"));

    assert_eq!(rejection, Rejection::OutOfRange);
    assert_eq!(shop.totals(), format!("earned {largest}, clawed back {largest}"));
}

#[test]
fn components_that_overflow_together_are_refused() {
    let mut shop = Shop::of(json!({
        "earning": {"points_per_unit": "100"},
        "campaigns": [{"name": "double", "bonus": "1"}, {"name": "triple", "bonus": "2"}],
    }));

    let rejection = shop.refuses(order("A", "2024-01-15T12:00Z", i64::MAX.unsigned_abs()));

    assert_eq!(rejection, Rejection::OutOfRange);
    assert_eq!(shop.balance(), "available 0, pending 0, debt 0");
}

#[test]
fn points_become_available_at_the_instant_14_times_24_hours_after_payment() {
    let mut shop = Shop::of(json!({"earning": {"pending_days": 14}}));

    shop.does(order("A", "2024-01-15T12:00:00.5Z", 10_000));

    let pending = "available 0, pending 100, debt 0";
    assert_eq!(shop.balance(), pending);
    assert_eq!(shop.as_of("2024-01-29T12:00:00.499999999Z").balance(), pending);
    let available = "available 100, pending 0, debt 0";
    assert_eq!(shop.as_of("2024-01-29T12:00:00.5Z").balance(), available);
}

#[test]
fn pending_points_cannot_be_spent_and_a_nanosecond_later_they_can() {
    let mut shop = Shop::of(json!({"earning": {"pending_days": 14}}));
    shop.does(order("A", "2024-01-15T12:00Z", 10_000));

    let rejection = shop.refuses(spend("s", "2024-01-29T11:59:59.999999999Z", 1));
    shop.does(spend("t", "2024-01-29T12:00Z", 100));

    assert_eq!(rejection, insufficient(0, 1));
    assert_eq!(shop.balance(), "available 0, pending 0, debt 0");
}

#[test]
fn without_pending_days_points_can_be_spent_at_the_instant_of_payment() {
    let mut shop = Shop::of(json!({"earning": {"pending_days": 0}}));
    shop.does(order("A", "2024-01-15T12:00Z", 10_000));

    shop.does(spend("s", "2024-01-15T12:00Z", 100));

    assert_eq!(shop.totals(), "earned 100, spent 100");
}

#[test]
fn a_pending_day_has_24_hours_even_where_clocks_change() {
    let paid = |instant| {
        let mut shop = Shop::of(json!({"earning": {"pending_days": 14}}));
        shop.does(order("A", instant, 10_000));
        shop
    };

    // Clocks in London went forward on 31 March 2024 and back on 27 October.
    let (spring, autumn) = (paid("2024-03-20T12:00Z"), paid("2024-10-20T12:00Z"));

    let (pending, available) =
        ("available 0, pending 100, debt 0", "available 100, pending 0, debt 0");
    assert_eq!(spring.as_of("2024-04-03T11:59:59.999999999Z").balance(), pending);
    assert_eq!(spring.as_of("2024-04-03T12:00Z").balance(), available);
    assert_eq!(autumn.as_of("2024-11-03T11:59:59.999999999Z").balance(), pending);
    assert_eq!(autumn.as_of("2024-11-03T12:00Z").balance(), available);
}

#[test]
fn points_do_not_expire_while_pending_and_do_at_once_if_they_mature_too_late() {
    let mut shop = Shop::of(json!({"earning": {"pending_days": 14, "expiry_months": 0}}));

    shop.does(order("A", "2024-01-15T12:00Z", 10_000));

    let last = shop.as_of("2024-01-29T11:59:59.999999999Z");
    assert_eq!(last.balance(), "available 0, pending 100, debt 0");
    let gone = shop.as_of("2024-01-29T12:00Z");
    assert_eq!(gone.balance(), "available 0, pending 0, debt 0");
    assert_eq!(gone.totals(), "earned 100, expired 100");
}

#[test]
fn points_that_mature_on_their_last_good_day_can_be_used_for_the_rest_of_it() {
    let mut shop = Shop::of(json!({"earning": {
        "pending_days": 14, "expiry_months": 0, "expiry_rounding": "month_end",
    }}));

    shop.does(order("A", "2024-01-17T23:59:59.999999999Z", 10_000));
    shop.does(order("B", "2024-01-18T00:00Z", 5_000));

    assert_eq!(shop.as_of("2024-01-31T23:59:59.999999999Z").lots(), "2024-01-31 100");
    let gone = shop.as_of("2024-02-01T00:00Z");
    assert_eq!(gone.balance(), "available 0, pending 0, debt 0");
    assert_eq!(gone.totals(), "earned 150, expired 150");
}

#[test]
fn a_lot_is_usable_through_its_whole_last_day_and_gone_at_the_next_midnight() {
    let mut shop = Shop::of(json!({}));

    // London is an hour ahead of UTC in July: 15 July 2025 ends at 23:00 UTC.
    shop.does(order("A", "2024-07-15T12:00Z", 10_000));

    assert_eq!(shop.lots(), "2025-07-15 100");
    assert_eq!(shop.as_of("2025-07-15T22:59:59.999999999Z").lots(), "2025-07-15 100");
    let gone = shop.as_of("2025-07-15T23:00Z");
    assert_eq!(gone.balance(), "available 0, pending 0, debt 0");
    assert_eq!(gone.totals(), "earned 100, expired 100");
}

#[test]
fn a_lot_is_gone_at_midnight_even_if_no_job_has_run() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2024-01-15T12:00Z", 10_000));

    shop.does(spend("s", "2025-01-15T23:59:59.999999999Z", 1));
    let rejection = shop.refuses(spend("t", "2025-01-16T00:00Z", 1));

    assert_eq!(rejection, insufficient(0, 1));
}

#[test]
fn a_lot_is_gone_at_the_first_instant_of_a_day_that_begins_at_one_o_clock() {
    let mut shop = Shop::of(json!({"time_zone": "America/Sao_Paulo"}));

    // 4 November 2018 began at 01:00 there, which was 03:00 UTC.
    shop.does(order("A", "2017-11-03T15:00Z", 10_000));

    assert_eq!(shop.as_of("2018-11-04T02:59:59.999999999Z").lots(), "2018-11-03 100");
    assert_eq!(shop.as_of("2018-11-04T03:00Z").lots(), "");
}

#[test]
fn a_lot_is_gone_at_the_next_midnight_even_if_a_whole_day_is_skipped() {
    let mut shop = Shop::of(json!({"time_zone": "Pacific/Apia"}));

    // Samoa went from 29 to 31 December 2011 at 10:00 UTC.
    shop.does(order("A", "2010-12-29T22:00Z", 10_000));

    assert_eq!(shop.as_of("2011-12-30T09:59:59.999999999Z").lots(), "2011-12-29 100");
    assert_eq!(shop.as_of("2011-12-30T10:00Z").lots(), "");
}

#[test]
fn the_last_good_day_counts_from_the_business_day_of_payment() {
    let mut shop = Shop::of(json!({}));

    shop.does(order("A", "2024-06-30T22:59:59.999999999Z", 10_000));
    shop.does(order("B", "2024-06-30T23:00Z", 5_000));

    assert_eq!(shop.lots(), "2025-06-30 100, 2025-07-01 50");
}

#[test]
fn the_last_good_day_is_clamped_to_its_month_and_then_moved_to_the_end_that_the_program_says() {
    let day = |months: u32, rounding: &str, paid_on: &str| {
        let mut shop = Shop::of(json!({"earning": {
            "expiry_months": months, "expiry_rounding": rounding,
        }}));
        shop.does(order("A", &format!("{paid_on}T12:00Z"), 10_000));
        shop.last_good_day("A")
    };

    assert_eq!(day(12, "month_end", "2020-07-06"), "2021-07-31");
    assert_eq!(day(1, "none", "2023-01-25"), "2023-02-25");
    assert_eq!(day(1, "none", "2023-01-31"), "2023-02-28");
    assert_eq!(day(1, "none", "2024-01-31"), "2024-02-29");
    assert_eq!(day(0, "none", "2024-01-01"), "2024-01-01");
    assert_eq!(day(1, "month_end", "2024-01-01"), "2024-02-29");
    assert_eq!(day(1, "month_end", "2023-01-31"), "2023-02-28");
    assert_eq!(day(1, "quarter_end", "2024-02-29"), "2024-03-31");
    assert_eq!(day(1, "quarter_end", "2024-03-31"), "2024-06-30");
    assert_eq!(day(12, "year_end", "2024-01-01"), "2025-12-31");
    assert_eq!(day(1, "year_end", "2024-12-01"), "2025-12-31");
}

#[test]
fn points_of_one_last_good_day_lie_in_one_lot() {
    let mut shop = Shop::of(json!({"earning": {"expiry_months": 1}}));

    shop.does(order("A", "2023-01-29T12:00Z", 10_000));
    shop.does(order("B", "2023-01-31T12:00Z", 5_000));
    shop.does(order("C", "2023-02-01T12:00Z", 2_000));

    assert_eq!(shop.lots(), "2023-02-28 150, 2023-03-01 20");
}

#[test]
fn lots_are_used_soonest_first_and_the_entry_says_which_gave_how_many() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2024-03-10T12:00Z", 10_000));
    shop.does(order("B", "2024-03-09T12:00Z", 5_000));

    shop.does(spend("s", "2024-03-11T12:00Z", 70));

    assert_eq!(shop.used(), "2025-03-09 50, 2025-03-10 20");
    assert_eq!(shop.lots(), "2025-03-10 80");
    assert_eq!(shop.totals(), "earned 150, spent 70");
}

#[test]
fn no_more_can_be_spent_than_is_available() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2024-03-10T12:00Z", 10_000));

    let rejection = shop.refuses(spend("s", "2024-03-11T12:00Z", 101));
    shop.does(spend("t", "2024-03-11T12:00Z", 100));

    assert_eq!(rejection, insufficient(100, 101));
    assert_eq!(shop.balance(), "available 0, pending 0, debt 0");
}

#[test]
fn points_given_back_return_to_the_lots_they_came_from() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2024-03-09T12:00Z", 5_000));
    shop.does(order("B", "2024-03-10T12:00Z", 10_000));
    shop.does(spend("s", "2024-03-11T12:00Z", 70));

    shop.does(give_back("s", "2024-03-12T12:00Z", 70));

    assert_eq!(shop.lots(), "2025-03-09 50, 2025-03-10 100");
    assert_eq!(shop.totals(), "earned 150, spent 70, given back 70");
}

#[test]
fn a_use_of_points_is_given_back_once_in_however_many_parts() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2024-03-10T12:00Z", 10_000));
    shop.does(spend("s", "2024-03-11T12:00Z", 70));

    shop.does(give_back("s", "2024-03-12T12:00Z", 30));
    let rejection = shop.refuses(give_back("s", "2024-03-12T12:00Z", 41));
    shop.does(give_back("s", "2024-03-12T12:00Z", 40));

    let (left, requested) = (Points::try_from(40).unwrap(), Points::try_from(41).unwrap());
    assert_eq!(rejection, Rejection::MoreThanSpent { left, requested });
    assert_eq!(shop.balance(), "available 100, pending 0, debt 0");
}

#[test]
fn points_given_back_pay_debt_first() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2024-03-10T12:00Z", 10_000));
    shop.does(spend("s", "2024-03-11T12:00Z", 80));
    shop.does(refund("A", "r", "2024-03-12T12:00Z", 5_000));
    let owing = shop.balance();

    shop.does(give_back("s", "2024-03-13T12:00Z", 80));

    assert_eq!(owing, "available 0, pending 0, debt 30");
    assert_eq!(shop.balance(), "available 50, pending 0, debt 0");
    assert_eq!(shop.totals(), "earned 100, clawed back 50, spent 80, given back 80");
}

#[test]
fn points_whose_lot_expired_meanwhile_stay_lost_without_reinstate_days_and_the_entry_says_so() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2024-01-15T12:00Z", 10_000));
    shop.does(spend("s", "2024-06-15T12:00Z", 60));

    shop.does(give_back("s", "2025-01-15T23:59:59.999999999Z", 20));
    let in_time = (shop.lots(), shop.lost());
    shop.does(give_back("s", "2025-01-16T00:00Z", 40));

    assert_eq!(in_time, ("2025-01-15 60".to_owned(), 0));
    assert_eq!((shop.lots(), shop.lost()), (String::new(), 40));
    assert_eq!(shop.balance(), "available 0, pending 0, debt 0");
}

#[test]
fn only_points_whose_own_lot_expired_stay_lost() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2024-03-09T12:00Z", 5_000));
    shop.does(order("B", "2024-06-10T12:00Z", 10_000));
    shop.does(spend("s", "2024-06-11T12:00Z", 120));

    shop.does(give_back("s", "2025-03-10T00:00Z", 120));

    assert_eq!(shop.lost(), 50);
    assert_eq!(shop.lots(), "2025-06-10 100");
}

#[test]
fn points_whose_lot_expired_meanwhile_live_for_reinstate_days_from_the_day_they_come_back() {
    let mut shop = Shop::of(json!({"spending": {"reinstate_days": 30}}));
    shop.does(order("A", "2024-01-15T12:00Z", 10_000));
    shop.does(spend("s", "2025-01-10T12:00Z", 60));

    shop.does(give_back("s", "2025-02-01T12:00Z", 60));

    assert_eq!(shop.lost(), 0);
    assert_eq!(shop.totals(), "earned 100, spent 60, given back 60, expired 40");
    // Whether or not 1 February is itself one of the 30 days.
    let usable = "available 60, pending 0, debt 0";
    assert_eq!(shop.as_of("2025-03-02T23:59:59.999999999Z").balance(), usable);
    assert_eq!(shop.as_of("2025-03-04T00:00Z").balance(), "available 0, pending 0, debt 0");
}

#[test]
fn a_refund_takes_back_the_difference_of_the_points_before_and_after() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2024-03-10T12:00Z", 10_050));

    // 100.50 gave 100; 99.99 are left and give 99.
    shop.does(refund("A", "r", "2024-03-11T12:00Z", 51));

    assert_eq!(shop.points("A"), 99);
    assert_eq!(shop.totals(), "earned 100, clawed back 1");
}

#[test]
fn a_full_refund_in_however_many_parts_takes_back_exactly_what_was_earned() {
    let mut shop = Shop::of(json!({
        "earning": {"points_per_unit": "1.5"}, "campaigns": [{"name": "tenth", "bonus": "0.1"}],
    }));
    // 150.75 and 15.075.
    shop.does(order("A", "2024-03-10T12:00Z", 10_050));

    // 67.17 are left: 100.755 and 10.0755; then 33.84: 50.76 and 5.076.
    shop.does(refund("A", "r", "2024-03-11T12:00Z", 3_333));
    let after_one = shop.totals();
    shop.does(refund("A", "s", "2024-03-12T12:00Z", 3_333));
    let after_two = shop.totals();
    shop.does(refund("A", "t", "2024-03-13T12:00Z", 3_384));

    assert_eq!(after_one, "earned 165, clawed back 55");
    assert_eq!(after_two, "earned 165, clawed back 110");
    assert_eq!(shop.totals(), "earned 165, clawed back 165");
    assert_eq!(shop.balance(), "available 0, pending 0, debt 0");
}

#[test]
fn a_cancellation_is_a_refund_of_all_that_is_left() {
    let mut shop = Shop::of(json!({}));
    shop.does(basket("A", "2024-03-10T12:00Z").line("1", 6_000).line("2", 4_000));
    shop.does(refund_of_line("A", "r", "2024-03-11T12:00Z", "1", 1_000));

    shop.does(cancel("A", "2024-03-12T12:00Z"));

    assert_eq!(shop.lines_left("A"), [0, 0]);
    assert_eq!(shop.totals(), "earned 100, clawed back 100");
    assert_eq!(shop.progress("2024-03"), "spend 0, orders 0");
}

#[test]
fn a_refund_of_a_line_is_taken_off_that_line() {
    let mut shop = Shop::of(json!({}));
    shop.does(basket("A", "2024-03-10T12:00Z").line("1", 6_000).line("2", 4_000));

    shop.does(refund_of_line("A", "r", "2024-03-11T12:00Z", "2", 1_500));

    assert_eq!(shop.lines_left("A"), [6_000, 2_500]);
    assert_eq!(shop.points("A"), 85);
}

#[test]
fn a_refund_of_a_line_that_does_not_count_takes_no_points_back() {
    let mut shop = Shop::of(json!({"earning": {"exclude": {"skus": ["stamp"]}}}));
    let basket = basket("A", "2024-03-10T12:00Z").line("1", 6_000);
    shop.does(basket.line("2", 4_000).of_sku("stamp"));

    shop.does(refund_of_line("A", "r", "2024-03-11T12:00Z", "2", 4_000));

    assert_eq!(shop.points("A"), 60);
    assert_eq!(shop.totals(), "earned 60");
}

#[test]
fn an_amount_without_lines_is_spread_over_the_counting_lines() {
    let mut shop = Shop::of(json!({"earning": {"exclude": {"skus": ["stamp"]}}}));
    let basket = basket("A", "2024-03-10T12:00Z").line("1", 9_000).of_sku("stamp");
    shop.does(basket.line("2", 1_000).line("3", 1_000).line("4", 1_000));

    // Exact shares 33.33 each: the odd one is taken off the first of them.
    shop.does(refund("A", "r", "2024-03-11T12:00Z", 100));

    assert_eq!(shop.lines_left("A"), [9_000, 966, 967, 967]);
    assert_eq!(shop.points("A"), 29);
}

#[test]
fn an_amount_without_lines_is_spread_by_what_earlier_refunds_left_of_the_lines() {
    let mut shop = Shop::of(json!({}));
    let basket = basket("A", "2024-03-10T12:00Z").line("1", 1_000).line("2", 1_000);
    shop.does(basket.line("3", 1_000));

    shop.does(refund_of_line("A", "r", "2024-03-11T12:00Z", "1", 500));
    // Exact shares 1.4, 2.8 and 2.8: the two left over are taken off the larger remainders.
    shop.does(refund("A", "s", "2024-03-11T12:00Z", 7));

    assert_eq!(shop.lines_left("A"), [499, 997, 997]);
}

#[test]
fn a_refund_of_more_than_is_left_is_cut_and_the_entry_says_so() {
    let mut shop = Shop::of(json!({}));
    shop.does(basket("A", "2024-03-10T12:00Z").line("1", 6_000).line("2", 4_000));

    shop.does(refund("A", "r", "2024-03-11T12:00Z", 1_000));
    let uncut = shop.cut();
    // 54.00 are left of the first line and 36.00 of the second.
    shop.does(refund_of_line("A", "s", "2024-03-12T12:00Z", "1", 6_000));
    let of_line = (shop.cut(), shop.lines_left("A"));
    shop.does(refund("A", "t", "2024-03-13T12:00Z", 10_000));

    assert_eq!(uncut, 0);
    assert_eq!(of_line, (600, vec![0, 3_600]));
    assert_eq!((shop.cut(), shop.lines_left("A")), (6_400, vec![0, 0]));
    assert_eq!(shop.totals(), "earned 100, clawed back 100");
}

#[test]
fn a_refund_that_comes_first_waits_and_the_order_earns_and_is_measured_in_full() {
    let mut shop = Shop::of(silver_and_gold());
    shop.waits(refund("A", "r", "2024-03-09T12:00Z", 6_000));

    shop.does(order("A", "2024-03-10T12:00Z", 10_000));

    assert_eq!(shop.points("A"), 40);
    assert_eq!(shop.totals(), "earned 100, clawed back 60");
    assert_eq!(shop.progress("2024-03"), "spend 4000, orders 1");
    assert_eq!(shop.level(), "silver through 2025-03-31");
}

#[test]
fn a_cancellation_that_comes_first_takes_back_all_and_leaves_the_level_to_its_review() {
    let mut shop = Shop::of(silver_and_gold());
    shop.waits(cancel("A", "2024-03-09T12:00Z"));

    shop.does(order("A", "2024-03-10T12:00Z", 10_000));

    assert_eq!(shop.totals(), "earned 100, clawed back 100");
    assert_eq!(shop.progress("2024-03"), "spend 0, orders 0");
    assert_eq!(shop.level(), "silver through 2025-03-31");
}

#[test]
fn a_refund_that_comes_first_takes_pending_points_at_the_instant_of_its_order() {
    let mut shop = Shop::of(json!({"earning": {"pending_days": 14}}));
    shop.waits(refund("A", "r", "2024-01-20T12:00Z", 8_000));
    shop.waits(refund("A", "s", "2024-01-21T12:00Z", 1_500));
    shop.waits(refund("A", "t", "2024-01-22T12:00Z", 600));

    shop.does(order("A", "2024-01-15T12:00Z", 10_000));

    assert_eq!(shop.cut(), 100);
    assert_eq!(shop.totals(), "earned 100, clawed back 100");
    assert_eq!(shop.balance(), "available 0, pending 0, debt 0");
}

#[test]
fn refunds_that_come_first_take_effect_in_the_order_in_which_they_came() {
    let left = |requests: [Request; 2]| {
        let mut shop = Shop::of(json!({}));
        for request in requests {
            shop.waits(request);
        }
        shop.does(basket("A", "2024-03-10T12:00Z").line("1", 6_000).line("2", 6_000));
        shop.lines_left("A")
    };
    let of_line = || refund_of_line("A", "r", "2024-03-08T12:00Z", "1", 6_000);
    let of_amount = || refund("A", "s", "2024-03-07T12:00Z", 6_000);

    assert_eq!(left([of_line(), of_amount()]), [0, 0]);
    assert_eq!(left([of_amount(), of_line()]), [0, 3_000]);
}

#[test]
fn a_clawback_takes_the_orders_own_pending_points_and_no_others() {
    let mut shop = Shop::of(json!({"earning": {"pending_days": 14}}));
    shop.does(order("A", "2024-01-15T10:00Z", 10_000));
    shop.does(order("B", "2024-01-15T11:00Z", 5_000));

    shop.does(refund("B", "r", "2024-01-16T12:00Z", 2_000));

    assert_eq!(shop.balance(), "available 0, pending 130, debt 0");
    let matured = shop.as_of("2024-01-29T10:00Z");
    assert_eq!(matured.balance(), "available 100, pending 30, debt 0");
}

#[test]
fn a_clawback_takes_the_orders_own_lot_before_one_that_ends_sooner() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2024-03-09T12:00Z", 5_000));
    shop.does(order("B", "2024-03-10T12:00Z", 10_000));

    shop.does(refund("B", "r", "2024-03-11T12:00Z", 6_000));

    assert_eq!(shop.lots(), "2025-03-09 50, 2025-03-10 40");
}

#[test]
fn a_clawback_takes_from_other_lots_soonest_first_what_its_own_does_not_hold() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2024-03-10T12:00Z", 10_000));
    shop.does(spend("s", "2024-03-10T12:00Z", 90));
    shop.does(order("B", "2024-03-12T12:00Z", 5_000));
    shop.does(order("C", "2024-03-11T12:00Z", 5_000));

    shop.does(refund("A", "r", "2024-03-13T12:00Z", 7_000));

    // 10 of its own, 50 of C's that end sooner, 10 of B's.
    assert_eq!(shop.lots(), "2025-03-12 40");
    assert_eq!(shop.totals(), "earned 200, clawed back 70, spent 90");
}

#[test]
fn a_clawback_leaves_pending_points_of_other_orders_which_pay_the_debt_as_they_mature() {
    let mut shop = Shop::of(json!({"earning": {"pending_days": 14}}));
    shop.does(order("A", "2024-01-15T12:00Z", 10_000));
    shop.does(spend("s", "2024-01-29T12:00Z", 100));
    shop.does(order("B", "2024-01-30T12:00Z", 4_000));
    shop.does(order("C", "2024-01-31T12:00Z", 8_000));

    shop.does(refund("A", "r", "2024-02-01T12:00Z", 10_000));

    assert_eq!(shop.balance(), "available 0, pending 120, debt 100");
    let first = shop.as_of("2024-02-13T12:00Z");
    assert_eq!(first.balance(), "available 0, pending 80, debt 60");
    let second = shop.as_of("2024-02-14T12:00Z");
    assert_eq!(second.balance(), "available 20, pending 0, debt 0");
}

#[test]
fn a_program_that_clamps_at_zero_waives_what_is_missing_and_does_not_count_it_as_clawed_back() {
    let mut shop = Shop::of(json!({"refunds": {"shortfall": "waive"}}));
    shop.does(order("A", "2024-03-10T12:00Z", 10_000));
    shop.does(spend("s", "2024-03-11T12:00Z", 80));

    shop.does(refund("A", "r", "2024-03-12T12:00Z", 5_000));
    let waived = (shop.waived(), shop.totals());
    shop.does(order("B", "2024-03-13T12:00Z", 2_000));

    assert_eq!(waived, (30, "earned 100, clawed back 20, spent 80".to_owned()));
    assert_eq!(shop.balance(), "available 20, pending 0, debt 0");
}

#[test]
fn a_refund_after_the_lots_last_good_day_takes_nothing_but_corrects_amount_and_progress() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2024-03-10T12:00Z", 10_000));
    shop.does(spend("s", "2024-03-11T12:00Z", 30));
    shop.does(order("B", "2024-06-10T12:00Z", 5_000));

    shop.does(refund("A", "r", "2025-03-11T00:00Z", 10_000));

    assert_eq!(shop.balance(), "available 50, pending 0, debt 0");
    assert_eq!(shop.totals(), "earned 150, spent 30, expired 70");
    assert_eq!(shop.eligible("A"), 0);
    assert_eq!(shop.progress("2024-03"), "spend 0, orders 0");
}

#[test]
fn a_refund_on_the_lots_last_good_day_still_takes_points_back() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2024-03-10T12:00Z", 10_000));
    shop.does(spend("s", "2024-03-11T12:00Z", 30));

    shop.does(refund("A", "r", "2025-03-10T23:59:59.999999999Z", 10_000));

    assert_eq!(shop.balance(), "available 0, pending 0, debt 30");
}

#[test]
fn a_late_refund_is_judged_by_the_accounts_clock() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2024-03-10T12:00Z", 10_000));
    shop.does(order("B", "2025-03-11T12:00Z", 5_000));

    shop.does(refund("A", "r", "2025-03-10T12:00Z", 10_000));

    assert_eq!(shop.balance(), "available 50, pending 0, debt 0");
    assert_eq!(shop.totals(), "earned 150, expired 100");
}

#[test]
fn a_refund_leaves_progress_in_the_month_in_which_its_order_was_paid() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2024-01-31T12:00Z", 10_000));
    shop.does(order("B", "2024-02-10T12:00Z", 5_000));

    shop.does(refund("A", "r", "2024-02-11T12:00Z", 9_999));
    let nearly_all = shop.progress("2024-01");
    shop.does(refund("A", "s", "2024-02-11T12:00Z", 1));

    assert_eq!(nearly_all, "spend 1, orders 1");
    assert_eq!(shop.progress("2024-01"), "spend 0, orders 0");
    assert_eq!(shop.progress("2024-02"), "spend 5000, orders 1");
}

#[test]
fn an_edited_order_stands_for_what_it_is_now() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2024-03-10T12:00Z", 10_000));

    shop.does(order("A", "2024-03-11T12:00Z", 4_000).into_change("c"));

    assert_eq!(shop.points("A"), 40);
    assert_eq!(shop.balance(), "available 40, pending 0, debt 0");
    assert_eq!(shop.progress("2024-03"), "spend 4000, orders 1");
}

#[test]
fn what_is_missing_of_a_clawback_becomes_debt_that_later_points_pay_first() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2024-03-10T12:00Z", 10_000));
    shop.does(spend("s", "2024-03-11T12:00Z", 80));

    shop.does(refund("A", "r", "2024-03-12T12:00Z", 5_000));
    let owing = shop.balance();
    shop.does(order("B", "2024-03-13T12:00Z", 4_500));

    assert_eq!(owing, "available 0, pending 0, debt 30");
    assert_eq!(shop.balance(), "available 15, pending 0, debt 0");
}

#[test]
fn an_order_that_meets_a_condition_raises_the_level_through_the_month_12_months_later() {
    let mut shop = Shop::of(silver_and_gold());

    shop.does(order("A", "2024-02-29T12:00Z", 9_999));
    let before = shop.level();
    shop.does(order("B", "2024-03-10T12:00Z", 1));

    assert_eq!(before, "blue");
    assert_eq!(shop.level(), "silver through 2025-03-31");
}

#[test]
fn the_bonus_is_that_of_the_level_before_the_order() {
    let mut shop = Shop::of(silver_and_gold());

    shop.does(order("A", "2024-03-10T12:00Z", 10_000));
    shop.does(order("B", "2024-03-10T12:00Z", 10_000));

    assert_eq!(shop.components("A"), "base 100");
    assert_eq!(shop.components("B"), "base 100, tier:silver 10");
}

#[test]
fn a_level_is_met_by_any_of_its_conditions() {
    let mut shop = Shop::of(silver_and_gold());
    shop.does(order("A", "2024-01-10T12:00Z", 100));
    shop.does(order("B", "2024-02-10T12:00Z", 100));
    let before = shop.level();

    shop.does(order("C", "2024-03-10T12:00Z", 100));

    assert_eq!(before, "blue");
    assert_eq!(shop.level(), "silver through 2025-03-31");
}

#[test]
fn an_order_of_which_nothing_counts_is_no_order_and_renews_nothing() {
    let mut shop =
        Shop::of(silver_and_gold_with(json!({"earning": {"exclude": {"skus": ["stamp"]}}})));
    shop.does(order("A", "2024-01-10T12:00Z", 100));
    shop.does(order("B", "2024-01-10T12:00Z", 100));
    shop.does(order("C", "2024-01-10T12:00Z", 100).of_sku("stamp"));
    let two_orders = shop.level();
    shop.does(order("D", "2024-02-10T12:00Z", 100));

    shop.does(order("E", "2024-06-10T12:00Z", 100).of_sku("stamp"));

    assert_eq!(two_orders, "blue");
    assert_eq!(shop.level(), "silver through 2025-02-28");
    assert_eq!(shop.progress("2024-01"), "spend 200, orders 2");
}

#[test]
fn the_highest_level_met_counts_even_if_one_between_is_not() {
    let mut shop = Shop::of(json!({"tiers": {"levels": [
        {"id": "blue", "name": "Blue"},
        {"id": "silver", "name": "Silver", "orders": 3},
        {"id": "gold", "name": "Gold", "spend": "500"},
    ]}}));

    shop.does(order("A", "2024-03-10T12:00Z", 50_000));

    assert_eq!(shop.level(), "gold through 2025-03-31");
}

#[test]
fn progress_counts_the_12_calendar_months_that_end_with_the_orders() {
    let level = |instant| {
        let mut shop = Shop::of(silver_and_gold());
        // London's March began an hour before UTC's April did: this is the first instant of April.
        shop.does(order("A", "2023-03-31T23:00Z", 6_000));
        shop.does(order("B", instant, 6_000));
        shop.level()
    };

    assert_eq!(level("2024-03-31T22:59:59.999999999Z"), "silver through 2025-03-31");
    assert_eq!(level("2024-03-31T23:00Z"), "blue");
}

#[test]
fn spend_in_another_currency_counts_at_its_rate() {
    let level = |amount| {
        let mut shop = Shop::of(silver_and_gold_with(json!({"rates": {"EUR": "0.86"}})));
        shop.does(order("A", "2024-03-10T12:00Z", amount).in_currency("EUR"));
        shop.level()
    };

    // 99.9922 and 100.0008 GBP.
    assert_eq!(level(11_627), "blue");
    assert_eq!(level(11_628), "silver through 2025-03-31");
}

#[test]
fn an_order_that_qualifies_again_renews_the_level() {
    let mut shop = Shop::of(silver_and_gold());
    shop.does(order("A", "2024-03-10T12:00Z", 10_000));

    shop.does(order("B", "2024-06-10T12:00Z", 100));

    assert_eq!(shop.level(), "silver through 2025-06-30");
}

#[test]
fn an_order_that_qualifies_for_a_lower_level_changes_nothing() {
    let mut shop = Shop::of(silver_and_gold());
    shop.does(order("A", "2024-03-10T12:00Z", 50_000));

    // The 12 months that end with March 2025 no longer hold the first order.
    shop.does(order("B", "2025-03-10T12:00Z", 10_000));

    assert_eq!(shop.level(), "gold through 2025-03-31");
}

#[test]
fn an_order_at_the_midnight_of_a_review_finds_the_level_after_it() {
    let mut shop = Shop::of(silver_and_gold());
    shop.does(order("A", "2024-03-10T12:00Z", 10_000));

    shop.does(order("B", "2025-03-31T22:59:59.999999999Z", 1_000));
    shop.does(order("C", "2025-03-31T23:00Z", 1_000));

    assert_eq!(shop.components("B"), "base 10, tier:silver 1");
    assert_eq!(shop.components("C"), "base 10");
    assert_eq!(shop.level(), "blue");
}

#[test]
fn a_review_by_one_level_lets_a_member_fall_one_level_a_year_until_the_lowest() {
    let mut shop = Shop::of(silver_and_gold());

    shop.does(order("A", "2024-03-10T12:00Z", 50_000));

    let last = "2025-03-31T22:59:59.999999999Z";
    assert_eq!(shop.as_of(last).level(), "gold through 2025-03-31");
    assert_eq!(shop.as_of("2025-03-31T23:00Z").level(), "silver through 2026-03-31");
    let last = "2026-03-31T22:59:59.999999999Z";
    assert_eq!(shop.as_of(last).level(), "silver through 2026-03-31");
    let silence = shop.as_of("2030-01-01T00:00Z");
    assert_eq!(silence.level(), "blue");
    assert_eq!(silence.fell_due(), "expired 500, reviewed silver, reviewed blue");
}

#[test]
fn a_review_to_the_qualifying_level_lets_a_member_fall_all_the_way() {
    let mut shop = Shop::of(silver_and_gold_with(json!({"tiers": {"review": "to_qualifying"}})));

    shop.does(order("A", "2024-03-10T12:00Z", 50_000));

    assert_eq!(shop.as_of("2025-03-31T23:00Z").level(), "blue");
}

#[test]
fn a_review_measures_the_12_months_that_end_with_the_last_valid_month() {
    let level = |instant| {
        let mut shop =
            Shop::of(silver_and_gold_with(json!({"tiers": {"review": "to_qualifying"}})));
        shop.does(order("A", "2024-03-10T12:00Z", 50_000));
        // Too little to renew gold, and enough to be silver.
        shop.does(order("B", instant, 10_000));
        shop.as_of("2025-04-01T12:00Z").level()
    };

    assert_eq!(level("2025-03-31T22:59:59Z"), "silver through 2026-03-31");
    // In April it is too late for the review, and the order itself is what makes silver.
    assert_eq!(level("2025-03-31T23:00Z"), "silver through 2026-04-30");
}

#[test]
fn a_review_can_raise() {
    for review in ["one_level", "to_qualifying"] {
        let mut shop = Shop::of(silver_and_gold_with(json!({"tiers": {"review": review}})));
        shop.does(order("A", "2024-03-10T12:00Z", 10_000));
        // The 12 months that end with March 2025 hold 40.00, which renews nothing as yet.
        shop.does(order("B", "2025-03-10T12:00Z", 4_000));
        let before = shop.level();

        shop.changes_its_program(json!({"version": 2, "tiers": {"levels": [
            {"id": "blue", "name": "Blue"},
            {"id": "silver", "name": "Silver", "spend": "20"},
            {"id": "gold", "name": "Gold", "spend": "40"},
        ]}}));

        assert_eq!(before, "silver through 2025-03-31");
        let after = shop.as_of("2025-03-31T23:00Z").level();
        assert_eq!(after, "gold through 2026-03-31", "{review}");
    }
}

#[test]
fn a_calendar_year_begins_again_in_january() {
    let mut shop = Shop::of(silver_and_gold_with(json!({"tiers": {"window": "calendar_year"}})));

    shop.does(order("A", "2023-12-31T23:59:59Z", 6_000));
    shop.does(order("B", "2024-01-01T00:00Z", 6_000));
    let new_year = shop.level();
    shop.does(order("C", "2024-12-31T12:00Z", 4_000));

    assert_eq!(new_year, "blue");
    assert_eq!(shop.level(), "silver through 2025-12-31");
}

#[test]
fn a_lifetime_forgets_nothing_and_every_review_renews() {
    let mut shop = Shop::of(silver_and_gold_with(json!({"tiers": {"window": "lifetime"}})));

    shop.does(order("A", "2014-03-10T12:00Z", 6_000));
    shop.does(order("B", "2024-03-10T12:00Z", 4_000));

    assert_eq!(shop.level(), "silver through 2025-03-31");
    assert_eq!(shop.as_of("2030-01-01T00:00Z").level(), "silver through 2030-03-31");
}

#[test]
fn what_happened_years_ago_is_corrected_in_a_lifetime_and_still_arrives_in_it() {
    let mut shop = Shop::of(silver_and_gold_with(json!({"tiers": {"window": "lifetime"}})));
    shop.does(order("A", "2014-03-10T12:00Z", 6_000));
    shop.does(order("B", "2024-03-10T12:00Z", 3_000));
    shop.does(refund("A", "r", "2024-03-11T12:00Z", 6_000));

    shop.does(order("C", "2024-03-12T12:00Z", 4_000));
    let corrected = shop.level();
    shop.does(order("D", "2013-03-10T12:00Z", 3_000));

    assert_eq!(corrected, "blue");
    assert_eq!(shop.level(), "silver through 2025-03-31");
    assert_eq!(shop.lots(), "2025-03-10 30, 2025-03-12 40");
}

#[test]
fn a_refund_lowers_no_level_before_its_review() {
    let mut shop = Shop::of(silver_and_gold());
    shop.does(order("A", "2024-03-10T12:00Z", 10_000));
    shop.does(order("B", "2024-09-10T12:00Z", 100));
    shop.does(refund("A", "r", "2024-09-11T12:00Z", 10_000));

    shop.does(order("C", "2024-09-12T12:00Z", 1_000));

    assert_eq!(shop.level(), "silver through 2025-09-30");
    assert_eq!(shop.components("C"), "base 10, tier:silver 1");
    assert_eq!(shop.as_of("2025-09-30T23:00Z").level(), "blue");
}

#[test]
fn a_refund_lowers_the_level_at_once_if_the_program_says_so() {
    let mut shop = Shop::of(silver_and_gold_with(json!({"refunds": {"lowers_level": true}})));
    shop.does(order("A", "2024-03-10T12:00Z", 15_000));

    shop.does(refund("A", "r", "2024-03-11T12:00Z", 5_000));
    let still_met = shop.level();
    shop.does(refund("A", "s", "2024-03-12T12:00Z", 1));

    assert_eq!(still_met, "silver through 2025-03-31");
    assert_eq!(shop.level(), "blue");
}

#[test]
fn an_entry_that_gives_a_level_says_which_was_before_and_whether_it_was_lower() {
    let fields = json!({"tiers": {"review": "to_qualifying"}, "refunds": {"lowers_level": true}});
    let mut shop = Shop::of(silver_and_gold_with(fields));
    let steps = [
        // From the lowest, which nobody gave.
        (order("A", "2024-03-10T12:00Z", 10_000).into(), "silver after a lower blue"),
        (order("B", "2024-06-10T12:00Z", 100).into(), "silver again"),
        (order("C", "2024-06-11T12:00Z", 100).into(), ""),
        (order("D", "2024-07-10T12:00Z", 40_000).into(), "gold after a lower silver"),
        (refund("D", "r", "2024-07-11T12:00Z", 35_000), "silver after a higher gold"),
    ];

    for (request, said) in steps {
        shop.does(request);
        assert_eq!(shop.levels(), said);
    }
    assert_eq!(shop.as_of("2025-07-31T23:00Z").levels(), "blue after a higher silver");
}

#[test]
fn a_level_that_is_no_longer_in_the_program_was_the_lowest() {
    let mut shop = Shop::of(silver_and_gold());
    shop.does(order("A", "2024-03-10T12:00Z", 10_000));
    shop.changes_its_program(json!({"tiers": {"levels": [
        {"id": "white", "name": "White"},
        {"id": "gold", "name": "Gold", "spend": "500"},
    ]}}));

    shop.does(order("B", "2024-06-10T12:00Z", 40_000));

    assert_eq!(shop.levels(), "gold after a lower white");
}

#[test]
fn what_was_refunded_does_not_count_toward_a_level() {
    let mut shop = Shop::of(silver_and_gold());
    shop.does(order("A", "2024-01-10T12:00Z", 6_000));
    shop.does(refund("A", "r", "2024-02-10T12:00Z", 2_001));

    shop.does(order("B", "2024-03-10T12:00Z", 6_000));
    let one_penny_short = shop.level();
    shop.does(order("C", "2024-03-11T12:00Z", 1));

    assert_eq!(one_penny_short, "blue");
    assert_eq!(shop.level(), "silver through 2025-03-31");
}

#[test]
fn an_order_that_was_refunded_whole_no_longer_counts_as_one_of_three() {
    let mut shop = Shop::of(silver_and_gold());
    shop.does(order("A", "2024-01-10T12:00Z", 100));
    shop.does(order("B", "2024-02-10T12:00Z", 100));
    shop.does(refund("A", "r", "2024-02-11T12:00Z", 100));
    shop.does(refund("B", "s", "2024-02-11T12:00Z", 99));

    shop.does(order("C", "2024-03-10T12:00Z", 100));
    let two_orders = shop.level();
    shop.does(order("D", "2024-03-10T12:00Z", 100));

    assert_eq!(two_orders, "blue");
    assert_eq!(shop.level(), "silver through 2025-03-31");
}

#[test]
fn at_one_instant_points_mature_then_lots_expire_then_levels_are_reviewed() {
    let mut shop = Shop::of(silver_and_gold_with(
        json!({"earning": {"pending_days": 14, "expiry_rounding": "month_end"}}),
    ));
    shop.does(order("A", "2024-03-10T12:00Z", 10_000));
    // 14 times 24 hours before London's April begins.
    shop.does(order("B", "2025-03-17T23:00Z", 5_000));

    shop.does(post_due("2025-03-31T23:00Z"));

    assert_eq!(shop.fell_due(), "matured 55, expired 100, reviewed blue");
    assert_eq!(shop.lots(), "2026-03-31 55");
}

#[test]
fn what_is_due_happens_in_the_order_of_its_instants_before_the_next_event() {
    let mut shop = Shop::of(json!({"earning": {"pending_days": 14, "expiry_months": 1}}));
    shop.does(order("A", "2024-01-10T12:00Z", 10_000));
    shop.does(order("B", "2024-02-05T12:00Z", 5_000));

    shop.does(order("C", "2024-03-10T12:00Z", 2_000));

    // A matures on 24 January, before B is paid, and expires after 10 February.
    assert_eq!(shop.fell_due(), "expired 100, matured 50, expired 50");
    assert_eq!(shop.totals(), "earned 170, expired 150");
}

#[test]
fn posting_what_is_due_changes_nothing_that_would_not_have_happened_by_itself() {
    let mut silent = Shop::of(silver_and_gold_with(json!({"earning": {"pending_days": 14}})));
    silent.does(order("A", "2024-03-10T12:00Z", 50_000));
    silent.does(order("B", "2024-03-12T12:00Z", 2_000));
    let mut posted = silent.clone();

    for instant in
        ["2024-03-24T12:00Z", "2025-03-11T00:00Z", "2025-03-31T23:00Z", "2026-03-31T23:00Z"]
    {
        posted.does(post_due(instant));

        let seen = silent.as_of(instant);
        assert_eq!(posted.balance(), seen.balance(), "{instant}");
        assert_eq!(posted.lots(), seen.lots(), "{instant}");
        assert_eq!(posted.totals(), seen.totals(), "{instant}");
        assert_eq!(posted.level(), seen.level(), "{instant}");
    }
    assert_eq!(posted.totals(), "earned 524, expired 524");
    assert_eq!(posted.level(), "blue");
}

#[test]
fn events_of_one_instant_take_effect_in_the_order_of_their_arrival() {
    let mut shop = Shop::of(silver_and_gold());
    shop.does(order("A", "2024-03-10T12:00Z", 100));

    shop.does(order("B", "2024-03-10T12:00Z", 10_000));
    shop.does(order("C", "2024-03-10T12:00Z", 10_000));
    shop.does(spend("s", "2024-03-10T12:00Z", 211));

    assert_eq!(shop.components("B"), "base 100");
    assert_eq!(shop.components("C"), "base 100, tier:silver 10");
    assert_eq!(shop.balance(), "available 0, pending 0, debt 0");
}

/// A debt of 15, and then A, B and C of 10 points each that mature at one instant: A and C into the
/// lot that ends on 1 February, and B, which came late, into the one of the day before.
#[track_caller]
fn owing_15_and_waiting_for_30() -> Shop {
    let mut shop = Shop::of(json!({"earning": {"pending_days": 14}}));
    shop.does(order("X", "2024-01-01T12:00Z", 1_500));
    shop.does(spend("s", "2024-01-15T12:00Z", 15));
    shop.does(cancel("X", "2024-01-16T12:00Z"));
    shop.does(order("A", "2024-02-01T12:00Z", 1_000));
    shop.does(order("B", "2024-01-31T12:00Z", 1_000));
    shop.does(order("C", "2024-02-01T12:00Z", 1_000));
    shop
}

#[test]
fn pending_points_of_one_instant_mature_in_the_order_of_their_entries() {
    let shop = owing_15_and_waiting_for_30();

    let matured = shop.as_of("2024-02-15T12:00Z");

    assert_eq!(shop.balance(), "available 0, pending 30, debt 15");
    // A's 10 and 5 of B's pay the debt.
    assert_eq!(matured.balance(), "available 15, pending 0, debt 0");
    assert_eq!(matured.lots(), "2025-01-31 5, 2025-02-01 10");
}

#[test]
fn a_refund_takes_its_orders_own_pending_points_among_others_of_one_instant_and_lot() {
    let lots_without = |id| {
        let mut shop = owing_15_and_waiting_for_30();
        shop.does(cancel(id, "2024-02-02T12:00Z"));
        shop.as_of("2024-02-15T12:00Z").lots()
    };

    // What pays the debt of 15 is then B's 10 and 5 of C's; A's 10 and 5 of C's; or A's 10 and 5
    // of B's.
    assert_eq!(lots_without("A"), "2025-02-01 5");
    assert_eq!(lots_without("B"), "2025-02-01 5");
    assert_eq!(lots_without("C"), "2025-01-31 5");
}

#[test]
fn a_late_order_earns_at_the_level_in_force_at_the_clock() {
    let mut shop = Shop::of(silver_and_gold());
    shop.does(order("A", "2024-03-10T12:00Z", 10_000));

    shop.does(order("B", "2024-03-09T12:00Z", 10_000));

    assert_eq!(shop.components("B"), "base 100, tier:silver 10");
}

#[test]
fn a_late_order_matures_from_the_clock_and_expires_from_its_own_day() {
    let mut shop = Shop::of(json!({"earning": {"pending_days": 14}}));
    shop.does(order("A", "2024-03-10T12:00Z", 10_000));

    shop.does(order("B", "2024-02-20T12:00Z", 5_000));

    let pending = shop.as_of("2024-03-24T11:59:59.999999999Z");
    assert_eq!(pending.balance(), "available 0, pending 150, debt 0");
    assert_eq!(shop.as_of("2024-03-24T12:00Z").lots(), "2025-02-20 50, 2025-03-10 100");
    assert_eq!(shop.progress("2024-02"), "spend 5000, orders 1");
}

#[test]
fn a_late_order_raises_the_level_with_a_validity_from_the_clock() {
    let mut shop = Shop::of(silver_and_gold());
    shop.does(order("A", "2024-03-10T12:00Z", 6_000));

    shop.does(order("B", "2024-01-20T12:00Z", 4_000));

    assert_eq!(shop.level(), "silver through 2025-03-31");
}

#[test]
fn a_late_order_is_measured_over_the_months_that_end_with_the_clocks() {
    let level = |instant| {
        let mut shop = Shop::of(silver_and_gold());
        shop.does(order("A", "2024-03-10T12:00Z", 6_000));
        shop.does(order("B", instant, 9_000));
        shop.level()
    };

    assert_eq!(level("2023-03-31T22:59:59Z"), "blue");
    assert_eq!(level("2023-03-31T23:00Z"), "silver through 2025-03-31");
}

#[test]
fn a_late_order_whose_last_good_day_has_passed_is_earned_and_expired_at_once() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2024-03-10T00:00Z", 10_000));

    shop.does(order("B", "2023-03-10T12:00Z", 5_000));
    let on_its_last_day = (shop.lots(), shop.totals());
    shop.does(order("C", "2023-03-09T12:00Z", 2_500));

    let lots = "2024-03-10 50, 2025-03-10 100";
    assert_eq!(on_its_last_day, (lots.to_owned(), "earned 150".to_owned()));
    assert_eq!(shop.lots(), lots);
    assert_eq!(shop.totals(), "earned 175, expired 25");
    assert_eq!(shop.points("C"), 25);
}

#[test]
fn a_late_order_counts_in_the_cap_of_the_month_in_which_it_was_paid() {
    let mut shop = Shop::of(json!({"caps": {"per_member": [{"period": "month", "points": 100}]}}));
    shop.does(order("A", "2024-02-20T12:00Z", 8_000));
    shop.does(order("B", "2024-03-10T12:00Z", 8_000));

    shop.does(order("C", "2024-02-25T12:00Z", 5_000));

    assert_eq!([shop.points("A"), shop.points("B"), shop.points("C")], [80, 80, 20]);
}

#[test]
fn a_late_use_of_points_finds_what_is_left_at_the_clock() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2024-03-10T12:00Z", 10_000));
    shop.does(order("B", "2025-03-11T00:00Z", 2_000));

    let rejection = shop.refuses(spend("s", "2025-03-10T12:00Z", 21));
    shop.does(spend("t", "2025-03-10T12:00Z", 20));

    assert_eq!(rejection, insufficient(20, 21));
    assert_eq!(shop.used(), "2026-03-11 20");
}

#[test]
fn what_an_edited_order_grows_by_is_counted_by_its_caps_even_if_it_had_earned_nothing() {
    let mut shop = Shop::of(json!({"caps": {"per_member": [{"period": "month", "points": 100}]}}));
    shop.does(order("A", "2024-01-15T12:00Z", 50));
    shop.does(order("A", "2024-01-16T12:00Z", 20_000).into_change("c"));

    shop.does(order("B", "2024-01-17T12:00Z", 50_000));
    let both = [shop.points("A"), shop.points("B")];
    shop.does(cancel("A", "2024-01-18T12:00Z"));
    shop.does(order("C", "2024-01-19T12:00Z", 50_000));

    assert_eq!(both, [100, 0]);
    assert_eq!([shop.points("A"), shop.points("C")], [0, 100]);
}

#[test]
fn an_edited_order_grows_into_what_its_caps_have_left_and_no_further() {
    let mut shop = Shop::of(json!({"caps": {"per_member": [{"period": "month", "points": 100}]}}));
    shop.does(order("A", "2024-01-15T12:00Z", 1_000));
    shop.does(order("B", "2024-01-16T12:00Z", 8_500));

    shop.does(order("A", "2024-01-17T12:00Z", 20_000).into_change("c"));
    let grown = shop.points("A");
    // What is left of it would still be worth 100 points, under the headroom that it had at first.
    shop.does(refund("A", "r", "2024-01-18T12:00Z", 10_000));

    assert_eq!([grown, shop.points("A"), shop.points("B")], [15, 15, 85]);
    assert_eq!(shop.balance(), "available 100, pending 0, debt 0");
}

#[test]
fn a_refund_of_shipping_or_tax_that_its_order_has_not_is_cut_to_nothing() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2024-01-15T12:00Z", 1_000));
    let key = LineKey::Line(LineId::try_from("1").unwrap());
    let lines = vec![
        RefundLine { key, quantity: 1, amount: minor(1_000) },
        RefundLine { key: LineKey::Tax, quantity: 0, amount: minor(167) },
        RefundLine { key: LineKey::Shipping, quantity: 0, amount: minor(33) },
    ];

    shop.does(refunded("A", "r", "2024-01-16T12:00Z", Correction::Lines(lines)));

    assert_eq!(shop.totals(), "earned 10, clawed back 10");
    assert_eq!(shop.cut(), 200);
}

#[test]
fn pieces_beyond_those_left_are_cut_and_the_entry_says_how_many() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2024-01-15T12:00Z", 1_000));
    let key = LineKey::Line(LineId::try_from("1").unwrap());
    let line = RefundLine { key, quantity: 5, amount: minor(400) };

    shop.does(refunded("A", "r", "2024-01-16T12:00Z", Correction::Lines(vec![line])));

    let cut_quantity = shop.last(|it| match it {
        Event::Corrected(it) => Some(it.cut_quantity),
        _ => None,
    });
    // The line has two pieces.
    assert_eq!((shop.cut(), cut_quantity), (0, 3));
    assert_eq!(shop.eligible("A"), 600);
}

#[test]
fn what_was_refunded_stays_refunded_when_its_line_shrinks_or_goes_and_comes_back() {
    let mut shop = Shop::of(json!({}));
    shop.does(basket("A", "2024-01-15T12:00Z").line("1", 2_000).line("2", 500));
    shop.does(refund_of_line("A", "r", "2024-01-16T12:00Z", "1", 1_000));

    shop.does(basket("A", "2024-01-17T12:00Z").line("1", 400).line("2", 500).into_change("c"));
    let shrunk = shop.eligible("A");
    shop.does(basket("A", "2024-01-18T12:00Z").line("2", 500).into_change("d"));
    let gone = shop.eligible("A");
    shop.does(basket("A", "2024-01-19T12:00Z").line("1", 2_000).line("2", 500).into_change("e"));

    assert_eq!([shrunk, gone, shop.eligible("A")], [500, 500, 1_500]);
    assert_eq!(shop.totals(), "earned 35, clawed back 20");
}

#[test]
fn posting_what_is_due_moves_the_clock_only_to_what_happened() {
    let program = json!({"earning": {"pending_days": 14}});
    let mut posted = Shop::of(program.clone());
    let mut silent = Shop::of(program);
    for shop in [&mut posted, &mut silent] {
        shop.does(order("A", "2024-01-01T12:00Z", 1_000));
    }

    posted.does(post_due("2024-02-01T00:00Z"));
    for shop in [&mut posted, &mut silent] {
        // Paid before the job ran, and heard of after it.
        shop.does(order("B", "2024-01-20T12:00Z", 500));
    }

    assert_eq!(posted.balance(), "available 10, pending 5, debt 0");
    let matured = [&posted, &silent].map(|it| it.as_of("2024-02-03T12:00Z").balance());
    assert_eq!(matured, ["available 15, pending 0, debt 0"; 2].map(str::to_owned));
}

#[test]
fn an_edit_that_comes_after_a_newer_one_or_after_a_cancellation_is_overtaken() {
    let mut edited = Shop::of(json!({}));
    edited.does(order("A", "2024-01-15T12:00Z", 50_000));
    let older = order("A", "2024-01-16T10:00Z", 90_000).into_change("older");
    let newer = order("A", "2024-01-16T11:00Z", 20_000).into_change("newer");
    let mut cancelled = edited.clone();

    edited.does(newer);
    let after_newer = edited.refuses(older.clone());
    cancelled.does(cancel("A", "2024-01-17T12:00Z"));
    let after_cancellation = cancelled.refuses(older);

    assert_eq!(after_newer, Rejection::EditOvertaken);
    assert_eq!(after_cancellation, Rejection::EditOvertaken);
    assert_eq!(edited.balance(), "available 200, pending 0, debt 0");
    assert_eq!(cancelled.balance(), "available 0, pending 0, debt 0");
}

#[test]
fn edits_that_wait_for_their_order_out_of_turn_leave_the_newest() {
    let mut shop = Shop::of(json!({}));
    shop.waits(order("A", "2024-01-17T11:00Z", 20_000).into_change("newer"));
    shop.waits(order("A", "2024-01-16T10:00Z", 90_000).into_change("older"));

    shop.does(order("A", "2024-01-15T12:00Z", 50_000));

    assert_eq!(shop.balance(), "available 200, pending 0, debt 0");
    let refused = shop.last(|it| match it {
        Event::CorrectionRefused { rejection, .. } => Some(rejection.clone()),
        _ => None,
    });
    assert_eq!(refused, Rejection::EditOvertaken);
}

#[test]
fn a_refund_is_never_overtaken() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2024-01-15T12:00Z", 5_000));
    shop.does(order("A", "2024-01-17T11:00Z", 6_000).into_change("c"));

    shop.does(refund("A", "r", "2024-01-16T10:00Z", 1_000));

    assert_eq!(shop.balance(), "available 50, pending 0, debt 0");
}

#[test]
fn brought_points_lie_in_lots_by_their_last_good_days() {
    let mut shop = Shop::of(json!({}));

    shop.does(
        brings("2026-01-15T12:00Z")
            .lot(30, "2026-12-31")
            .lot(50, "2026-06-30")
            .lot(0, "2026-03-31")
            .lot(7, "2026-12-31"),
    );

    assert_eq!(shop.lots(), "2026-06-30 50, 2026-12-31 37");
    assert_eq!(shop.balance(), "available 87, pending 0, debt 0");
    assert_eq!(shop.totals(), "adjusted up 87");
    assert_eq!(shop.as_of("2026-07-01T12:00Z").totals(), "expired 50, adjusted up 87");
}

#[test]
fn brought_points_join_those_earned_here_of_the_same_last_good_day() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2026-01-15T12:00Z", 5_000));

    shop.does(brings("2026-01-16T12:00Z").lot(30, "2027-01-15").lot(1, "2026-02-01"));

    assert_eq!(shop.lots(), "2026-02-01 1, 2027-01-15 80");
}

#[test]
fn brought_points_whose_last_good_day_is_over_are_gone_at_once() {
    let mut shop = Shop::of(json!({}));

    // London is an hour ahead of UTC: the 30th is over.
    shop.does(brings("2026-06-30T23:00Z").lot(50, "2026-06-30").lot(20, "2026-07-01").debt(5));

    assert_eq!(shop.lots(), "2026-07-01 15");
    assert_eq!(shop.totals(), "expired 50, adjusted up 70, adjusted down 5");
}

#[test]
fn brought_pending_points_mature_at_their_instant() {
    let mut shop =
        Shop::of(json!({"earning": {"pending_days": 14, "expiry_rounding": "month_end"}}));

    shop.does(
        brings("2026-01-15T12:00Z")
            .pending(40, "2026-01-20T08:00Z")
            .pending(9, "2026-01-20T08:00Z")
            .through("2026-03-01")
            .pending(2, "2026-01-20T08:00Z")
            .through("2026-03-01"),
    );

    assert_eq!(shop.balance(), "available 0, pending 51, debt 0");
    assert_eq!(shop.as_of("2026-01-20T07:59Z").balance(), "available 0, pending 51, debt 0");
    // Without a last good day it is that of an order paid on 6 January, which matures then.
    let later = shop.as_of("2026-01-20T08:00Z");
    assert_eq!(later.lots(), "2026-03-01 11, 2027-01-31 40");
}

#[test]
fn brought_pending_points_that_have_matured_can_be_used_unless_they_are_over() {
    let mut shop = Shop::of(json!({}));

    shop.does(
        brings("2026-01-15T12:00Z")
            .pending(40, "2026-01-15T12:00Z")
            .through("2026-02-28")
            .pending(5, "2026-01-10T00:00Z")
            .through("2026-01-14")
            .pending(3, "2026-02-10T00:00Z")
            .through("2026-01-14"),
    );

    assert_eq!(shop.lots(), "2026-02-28 40");
    assert_eq!(shop.balance(), "available 40, pending 0, debt 0");
    assert_eq!(shop.totals(), "expired 8, adjusted up 48");
}

#[test]
fn a_refund_finds_its_orders_pending_points_among_brought_ones_of_the_same_instant() {
    let mut shop = Shop::of(json!({"earning": {"pending_days": 10}}));
    shop.does(
        brings("2026-01-01T12:00Z")
            .pending(10, "2026-01-15T12:00Z")
            .through("2027-01-05")
            .pending(20, "2026-01-15T12:00Z")
            .through("2027-03-31"),
    );
    shop.does(order("A", "2026-01-05T12:00Z", 3_000));
    shop.does(order("B", "2026-01-05T12:00Z", 4_000));

    shop.does(refund("A", "r1", "2026-01-06T12:00Z", 1_000));
    shop.does(basket("A", "2026-01-07T12:00Z").line("1", 7_000).into_change("c"));
    shop.does(cancel("B", "2026-01-08T12:00Z"));
    shop.does(cancel("A", "2026-01-08T12:00Z"));

    assert_eq!(shop.balance(), "available 0, pending 30, debt 0");
    let later = shop.as_of("2026-01-15T12:00Z");
    assert_eq!(later.lots(), "2027-01-05 10, 2027-03-31 20");
}

#[test]
fn brought_pending_points_pay_a_debt_after_those_of_earlier_entries_and_of_the_same_instant() {
    let mut shop = Shop::of(json!({"earning": {"pending_days": 10}}));
    shop.does(order("A", "2026-01-05T12:00Z", 1_000));

    shop.does(
        brings("2026-01-06T12:00Z")
            .pending(20, "2026-01-15T12:00Z")
            .through("2026-12-31")
            .pending(20, "2026-01-15T12:00Z")
            .through("2027-01-05")
            .debt(15),
    );

    // 10 of the order, and 5 of what was brought into the first lot.
    let later = shop.as_of("2026-01-15T12:00Z");
    assert_eq!(later.lots(), "2026-12-31 15, 2027-01-05 20");
}

#[test]
fn what_was_brought_and_what_is_earned_together_are_never_more_than_can_be_counted() {
    let mut shop = Shop::of(json!({"earning": {"points_per_unit": "100"}}));
    shop.does(brings("2026-01-15T12:00Z").lot(1, "2026-12-31").debt(1));

    let most = Points::MAX.get();
    assert_eq!(shop.refuses(order("A", "2026-01-16T12:00Z", most - 1)), Rejection::OutOfRange);
    shop.does(order("B", "2026-01-16T12:00Z", most - 2));
}

#[test]
fn a_brought_debt_is_paid_by_the_lots_in_the_order_of_use() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2026-01-01T12:00Z", 4_000));

    shop.does(brings("2026-01-15T12:00Z").lot(30, "2026-06-30").lot(30, "2027-06-30").debt(75));

    assert_eq!(shop.lots(), "2027-06-30 25");
    assert_eq!(shop.balance(), "available 25, pending 0, debt 0");
    assert_eq!(shop.totals(), "earned 40, adjusted up 60, adjusted down 75");
}

#[test]
fn a_brought_debt_larger_than_the_lots_is_owed_and_paid_by_what_comes() {
    let mut shop = Shop::of(json!({}));

    shop.does(
        brings("2026-01-15T12:00Z").lot(30, "2026-06-30").pending(10, "2026-01-20T12:00Z").debt(75),
    );

    assert_eq!(shop.balance(), "available 0, pending 10, debt 45");
    assert_eq!(shop.as_of("2026-01-21T12:00Z").balance(), "available 0, pending 0, debt 35");
    shop.does(order("A", "2026-01-16T12:00Z", 5_000));
    assert_eq!(shop.balance(), "available 5, pending 10, debt 0");
}

#[test]
fn brought_points_pay_a_debt_made_here() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2026-01-01T12:00Z", 4_000));
    shop.does(spend("s", "2026-01-02T12:00Z", 40));
    shop.does(cancel("A", "2026-01-03T12:00Z"));

    shop.does(brings("2026-01-15T12:00Z").lot(100, "2026-06-30"));

    assert_eq!(shop.balance(), "available 60, pending 0, debt 0");
}

#[test]
fn a_brought_level_is_in_force_from_then_on() {
    let mut shop = Shop::of(silver_and_gold());

    shop.does(brings("2026-01-15T12:00Z").level("gold", Some("2026-03-15")));
    shop.does(order("A", "2026-01-15T12:00Z", 1_000));

    assert_eq!(shop.level(), "gold through 2026-03-15");
    assert_eq!(shop.components("A"), "base 10, tier:gold 2");
    // 12 months with 10.00 in them are not enough for more than one level below.
    assert_eq!(shop.as_of("2026-03-16T00:00Z").level(), "silver through 2027-03-31");
}

#[test]
fn a_brought_level_without_validity_is_as_if_it_were_reached() {
    let mut shop = Shop::of(silver_and_gold());

    shop.does(brings("2026-01-15T12:00Z").level("silver", None));

    assert_eq!(shop.level(), "silver through 2027-01-31");
}

#[test]
fn a_brought_lowest_level_changes_nothing() {
    let mut shop = Shop::of(silver_and_gold());

    shop.does(brings("2026-01-15T12:00Z").level("blue", Some("2026-12-31")));

    assert_eq!(shop.level(), "blue");
    assert_eq!(shop.account.tier.level, None);
}

#[test]
fn a_brought_level_takes_no_better_one_away() {
    let level_after = |brought: Luggage| {
        let mut shop = Shop::of(silver_and_gold());
        shop.does(order("A", "2026-01-10T12:00Z", 20_000));
        shop.does(brought);
        (shop.level(), shop.levels())
    };
    let is = |level: &str, said: &str| (level.to_owned(), said.to_owned());
    let brings = || brings("2026-01-15T12:00Z");

    let gold = is("gold through 2026-02-28", "gold after a lower silver");
    assert_eq!(level_after(brings().level("gold", Some("2026-02-28"))), gold);
    let silver = is("silver through 2027-01-31", "");
    assert_eq!(level_after(brings().level("silver", Some("2026-12-31"))), silver);
    assert_eq!(level_after(brings().level("blue", None)), silver);
    // Its review would leave silver for less time.
    assert_eq!(level_after(brings().level("gold", Some("2025-12-31"))), silver);
    let longer = is("silver through 2027-06-30", "silver again");
    assert_eq!(level_after(brings().level("silver", Some("2027-06-30"))), longer);
}

#[test]
fn a_brought_level_that_has_ended_is_reviewed_at_once_by_what_was_brought_with_it() {
    let level_with = |months: &[(&str, u64)]| {
        let mut shop =
            Shop::of(silver_and_gold_with(json!({"tiers": {"review": "to_qualifying"}})));
        let mut brought = brings("2026-01-15T12:00Z").level("gold", Some("2025-06-30"));
        for (month, spend) in months {
            brought = brought.month(month, *spend, 1);
        }
        shop.does(brought);
        (shop.level(), shop.levels())
    };
    let is = |level: &str, said: &str| {
        (level.to_owned(), format!("gold after a lower blue, {said} after a higher gold"))
    };

    assert_eq!(level_with(&[("2025-06", 9_999)]), is("blue", "blue"));
    let silver = is("silver through 2026-06-30", "silver");
    assert_eq!(level_with(&[("2024-07", 10_000), ("2025-07", 90_000)]), silver);
}

#[test]
fn brought_progress_counts_at_the_next_order() {
    let mut shop = Shop::of(silver_and_gold());

    shop.does(
        brings("2026-01-15T12:00Z")
            .month("2025-01", 90_000, 9)
            .month("2025-02", 30_000, 1)
            .month("2026-01", 5_000, 1)
            .month("2026-01", 5_000, 0)
            .earlier(70_000, 7),
    );
    assert_eq!(shop.level(), "blue");
    assert_eq!(shop.progress("2026-01"), "spend 10000, orders 1");
    assert_eq!(shop.account.progress.lifetime, measure(200_000, 18));

    // 300.00 + 100.00 + 99.99 within twelve months: silver. And a penny more: gold.
    shop.does(order("A", "2026-01-16T12:00Z", 9_999));
    assert_eq!(shop.level(), "silver through 2027-01-31");
    shop.does(order("B", "2026-01-16T12:00Z", 1));
    assert_eq!(shop.level(), "gold through 2027-01-31");
}

#[test]
fn brought_progress_of_all_time_counts_where_levels_do() {
    let mut shop = Shop::of(silver_and_gold_with(json!({"tiers": {"window": "lifetime"}})));

    shop.does(brings("2026-01-15T12:00Z").earlier(45_000, 1).month("2014-03", 4_000, 1));
    shop.does(order("A", "2026-01-16T12:00Z", 1_000));

    assert_eq!(shop.level(), "gold through 2027-01-31");
    assert_eq!(shop.progress("2014-03"), "spend 0, orders 0");
}

#[test]
fn an_opening_that_is_late_takes_effect_at_the_accounts_clock() {
    let mut shop = Shop::of(silver_and_gold());
    shop.does(order("A", "2026-03-10T12:00Z", 1_000));

    shop.does(
        brings("2026-01-15T12:00Z")
            .lot(30, "2026-02-28")
            .pending(4, "2026-02-01T00:00Z")
            .level("silver", None),
    );

    assert_eq!(shop.account.clock, Some(at("2026-03-10T12:00Z")));
    assert_eq!(shop.totals(), "earned 10, expired 30, adjusted up 34");
    assert_eq!(shop.level(), "silver through 2027-03-31");
}

#[test]
fn whatever_is_brought_leaves_room_for_what_comes() {
    let mut shop = Shop::of(silver_and_gold());
    let most = BROUGHT_POINTS_MAX;
    let brought = |points, debt, orders| {
        brings("2026-01-15T12:00Z")
            .lot(points, "2026-12-31")
            .debt(debt)
            .earlier(i64::MAX.unsigned_abs(), orders)
    };

    for (points, debt, orders) in
        [(most + 1, 0, 0), (0, most + 1, 0), (0, 0, BROUGHT_ORDERS_MAX + 1)]
    {
        assert_eq!(shop.refuses(brought(points, debt, orders)), Rejection::OutOfRange);
    }
    let endless = brings("2026-01-15T12:00Z").lot(1, "9999-12-30");
    assert_eq!(shop.refuses(endless), Rejection::OutOfRange);
    shop.does(brought(most, most, BROUGHT_ORDERS_MAX));
    shop.does(order("A", "2026-01-16T12:00Z", 1_000_000_000_000));
    shop.does(spend("s", "2026-01-16T12:00Z", 10_000_000_000));
    shop.does(cancel("A", "2026-01-17T12:00Z"));

    assert_eq!(shop.balance(), "available 0, pending 0, debt 10000000000");
}

#[test]
fn what_is_wrong_with_an_opening_comes_in_the_order_of_the_list() {
    let mut shop = Shop::of(silver_and_gold());
    let mut wrong = brings("2026-01-31T23:59Z").debt(BROUGHT_POINTS_MAX + 1).level("golf", None);
    for day in 0..65_i64 {
        let day = jiff::civil::date(2026, 3, 1).checked_add(jiff::Span::new().days(day)).unwrap();
        wrong = wrong.lot(1, &day.to_string()).pending(1, &format!("{day}T00:00Z"));
        wrong = wrong.month("2026-02", 1, 1);
    }

    let mut walk = |expected: Rejection, mend: fn(&mut Opening)| {
        assert_eq!(shop.refuses(wrong.clone()), expected);
        mend(&mut wrong.opening);
    };
    walk(Rejection::TooManyLots, |it| it.lots.truncate(64));
    walk(Rejection::TooManyPending, |it| it.pending.truncate(64));
    walk(Rejection::TooManyMonths, |it| it.months.truncate(64));
    walk(Rejection::LevelNotInProgram { level: "golf".try_into().unwrap() }, |it| {
        it.level.as_mut().unwrap().level = "gold".try_into().unwrap();
    });
    let month = "2026-02".to_owned().try_into().unwrap();
    walk(Rejection::MonthNotReached { month }, |it| {
        it.months =
            vec![MonthProgress { month: "2026-01".to_owned().try_into().unwrap(), ..it.months[0] }];
    });
    walk(Rejection::OutOfRange, |it| it.debt = Points::ZERO);
    shop.does(wrong);

    assert_eq!(shop.balance(), "available 64, pending 64, debt 0");
}

#[test]
fn an_opening_is_the_same_whenever_it_is_sent_and_another_with_other_content() {
    let base = || brings("2026-01-15T12:00Z").lot(1, "2026-12-31").level("gold", None);
    let print = |luggage: Luggage| Request::from(luggage).fingerprint();

    let again = Luggage { at: at("2026-02-15T12:00Z"), ..base() };
    assert_eq!(print(again), print(base()));
    let others = [
        base().lot(0, "2026-12-31"),
        base().pending(1, "2026-03-01T00:00Z"),
        base().pending(1, "2026-03-01T00:00Z").through("2026-12-31"),
        base().debt(1),
        base().level("gold", Some("2026-12-31")),
        base().month("2026-01", 1, 0),
        base().month("2026-01", 0, 1),
        base().earlier(1, 0),
    ];
    let prints: std::collections::HashSet<_> = others.into_iter().map(print).collect();
    assert_eq!(prints.len(), 8);
    assert!(!prints.contains(&print(base())));
}

/// Points live for 12 months from the last time that any were earned or used.
fn sliding() -> Value {
    json!({"earning": {"expiry": "sliding"}})
}

#[test]
fn the_last_good_day_is_moved_to_the_next_of_the_programs_days_of_the_year() {
    let last_good_day = |months: u32, dates: &[&str], instant: &str| {
        let earning = json!({"expiry_months": months, "expiry_dates": dates});
        let mut shop = Shop::of(json!({"earning": earning}));
        shop.does(order("A", instant, 10_000));
        shop.last_good_day("A")
    };
    let halves = ["09-30", "03-31"];

    assert_eq!(last_good_day(12, &halves, "2024-01-15T12:00Z"), "2025-03-31");
    assert_eq!(last_good_day(12, &halves, "2024-03-31T12:00Z"), "2025-03-31");
    assert_eq!(last_good_day(12, &halves, "2024-04-01T12:00Z"), "2025-09-30");
    assert_eq!(last_good_day(12, &halves, "2024-10-01T12:00Z"), "2026-03-31");
    // An hour before midnight in UTC is the next day in London's summer.
    assert_eq!(last_good_day(12, &halves, "2024-03-31T23:30Z"), "2025-09-30");
    // Months are clamped first: 31 January + 1 month is the last of February.
    assert_eq!(last_good_day(1, &["02-29"], "2024-01-31T12:00Z"), "2024-02-29");
    assert_eq!(last_good_day(1, &["02-29"], "2025-01-31T12:00Z"), "2025-02-28");
    assert_eq!(last_good_day(0, &["02-29"], "2024-03-01T12:00Z"), "2025-02-28");
    assert_eq!(last_good_day(0, &["12-31"], "2024-12-31T12:00Z"), "2024-12-31");
}

#[test]
fn points_of_a_fixed_day_are_usable_through_it_and_gone_at_the_next_midnight() {
    let mut shop = Shop::of(json!({"earning": {"expiry_dates": ["03-31"]}}));

    shop.does(order("A", "2024-02-15T12:00Z", 10_000));

    // Summer time began the day before.
    assert_eq!(shop.as_of("2025-03-31T22:59:59.999999999Z").lots(), "2025-03-31 100");
    assert_eq!(shop.as_of("2025-03-31T23:00Z").fell_due(), "expired 100");
}

#[test]
fn points_that_never_expire_are_used_last_and_nothing_is_due_for_them() {
    let mut shop = Shop::of(json!({"earning": {"expiry_months": 1}}));
    shop.publishes("2024-02-01", json!({"earning": {"expiry": "never", "expiry_months": null}}));

    shop.does(order("A", "2024-02-01T12:00Z", 10_000));
    // Late, and so still by the version that was in force.
    shop.does(order("B", "2024-01-20T12:00Z", 5_000));

    assert_eq!(shop.lots(), format!("2024-02-20 50, {NEVER} 100"));
    shop.does(spend("s", "2024-02-02T12:00Z", 60));
    assert_eq!(shop.used(), format!("2024-02-20 50, {NEVER} 10"));
    assert_eq!(shop.account.due_after(), None);
    assert_eq!(shop.as_of("9000-01-01T12:00Z").balance(), "available 90, pending 0, debt 0");
}

#[test]
fn points_that_never_expire_can_be_brought_and_wait_and_are_taken_back() {
    let never = json!({"expiry": "never", "expiry_months": null, "pending_days": 14});
    let mut shop = Shop::of(json!({"earning": never}));

    shop.does(brings("2024-01-01T12:00Z").lot(10, "9999-12-31").pending(5, "2024-02-01T12:00Z"));
    shop.does(order("A", "2024-01-02T12:00Z", 10_000));
    shop.does(refund("A", "r", "2033-01-02T12:00Z", 4_000));

    assert_eq!(shop.lots(), format!("{NEVER} 75"));
    assert_eq!(
        shop.refuses(extend("e", "2033-01-03T12:00Z", "2040-01-01")),
        Rejection::NothingToExtend
    );
}

#[test]
fn earning_and_using_points_moves_every_lots_last_good_day_and_no_lots_identity() {
    let mut shop = Shop::of(sliding());
    shop.does(order("A", "2024-01-31T12:00Z", 10_000));
    shop.does(order("B", "2024-02-29T12:00Z", 5_000));
    assert_eq!(shop.lots(), "2025-02-28 100, 2025-02-28 50");

    shop.does(spend("s", "2024-06-15T12:00Z", 120));

    assert_eq!(shop.used(), "2025-01-31 100, 2025-02-28 20");
    assert_eq!(shop.lots(), "2025-06-15 30");
    // A lot that is empty moves as well: what comes back lives like the rest.
    shop.does(order("C", "2025-01-10T12:00Z", 1_000));
    shop.does(give_back("s", "2025-09-01T12:00Z", 120));
    assert_eq!(shop.lots(), "2026-01-10 100, 2026-01-10 50, 2026-01-10 10");
    assert_eq!(shop.last_good_day("A"), "2025-01-31");
    assert_eq!(shop.as_of("2026-01-11T00:00Z").fell_due(), "expired 100, expired 50, expired 10");
}

#[test]
fn a_refund_finds_its_orders_lot_good_as_long_as_it_slides() {
    let mut shop = Shop::of(sliding());
    shop.does(order("A", "2024-01-15T12:00Z", 10_000));
    shop.does(order("B", "2024-10-15T12:00Z", 5_000));
    shop.does(spend("s", "2025-03-01T12:00Z", 100));

    shop.does(refund("A", "r", "2025-06-01T12:00Z", 10_000));

    assert_eq!(shop.balance(), "available 0, pending 0, debt 50");
    // Neither a refund nor what comes back is an activity.
    shop.does(give_back("s", "2025-07-01T12:00Z", 100));
    assert_eq!(shop.lots(), "2026-03-01 50");
}

#[test]
fn points_on_their_way_slide_too() {
    let mut shop = Shop::of(json!({"earning": {
        "expiry": "sliding", "expiry_months": 1, "pending_days": 40,
    }}));
    shop.does(order("A", "2024-01-01T12:00Z", 10_000));
    shop.does(order("B", "2024-01-20T12:00Z", 5_000));

    // Without the second order the first one's points would have been gone when they mature.
    assert_eq!(shop.as_of("2024-02-10T12:00Z").lots(), "2024-02-20 100");
    assert_eq!(shop.as_of("2024-02-21T00:00Z").fell_due(), "matured 100, expired 100");
    let alone = {
        let mut shop = Shop::of(shop.spec.clone());
        shop.does(order("A", "2024-01-01T12:00Z", 10_000));
        shop
    };
    assert_eq!(alone.as_of("2024-02-10T12:00Z").fell_due(), "lapsed 100");
}

#[test]
fn lots_that_were_moved_to_one_day_are_used_in_the_order_of_their_first_filling() {
    let mut shop = Shop::of(json!({"earning": {"expiry": "sliding", "pending_days": 14}}));
    shop.does(brings("2024-01-01T12:00Z").lot(7, "2024-09-01"));
    shop.does(order("A", "2024-01-02T12:00Z", 1_000));
    shop.does(order("B", "2024-01-03T12:00Z", 2_000));

    shop.does(spend("s", "2024-01-20T12:00Z", 30));

    assert_eq!(shop.used(), "2024-09-01 7, 2025-01-02 10, 2025-01-03 13");
    assert_eq!(shop.lots(), "2025-01-20 7");
}

#[test]
fn the_last_good_day_slides_with_the_programs_rounding_and_never_back() {
    let mut shop = Shop::of(json!({"earning": {
        "expiry": "sliding", "expiry_months": 1, "expiry_rounding": "quarter_end",
    }}));
    shop.does(order("A", "2024-01-15T12:00Z", 10_000));
    shop.does(brings("2024-01-16T12:00Z").lot(5, "2024-12-31"));
    assert_eq!(shop.lots(), "2024-03-31 100, 2024-12-31 5");

    shop.does(spend("s", "2024-01-31T12:00Z", 1));
    assert_eq!(shop.lots(), "2024-03-31 99, 2024-12-31 5");
    shop.does(spend("t", "2024-03-01T12:00Z", 1));
    assert_eq!(shop.lots(), "2024-06-30 98, 2024-12-31 5");
    // A late order moves by its own day, which is no later; its lot is the first one's, wherever that is now.
    shop.does(order("B", "2024-01-01T12:00Z", 1_000));
    assert_eq!(shop.lots(), "2024-06-30 108, 2024-12-31 5");
}

#[test]
fn an_activity_on_a_lots_last_good_day_keeps_it_and_a_nanosecond_after_it_comes_too_late() {
    // In summer, so that the day ends at 23:00 in UTC.
    let shop = |instant: &str| {
        let mut shop = Shop::of(sliding());
        shop.does(order("A", "2023-07-01T12:00Z", 10_000));
        shop.does(order("B", instant, 1_000));
        shop.lots()
    };

    assert_eq!(shop("2024-07-01T22:59:59.999999999Z"), "2025-07-01 100, 2025-07-01 10");
    assert_eq!(shop("2024-07-01T23:00Z"), "2025-07-02 10");
}

#[test]
fn an_order_of_which_nothing_counts_and_a_guests_order_move_nothing() {
    let mut shop =
        Shop::of(json!({"earning": {"expiry": "sliding", "exclude": {"skus": ["gift"]}}}));
    shop.does(order("A", "2024-01-15T12:00Z", 10_000));

    shop.does(basket("B", "2024-05-15T12:00Z").line("1", 10_000).of_sku("gift"));
    shop.does(order("C", "2024-05-15T12:00Z", 99));

    assert_eq!(shop.lots(), "2025-01-15 100");
}

#[test]
fn sliding_with_12_months_turned_on_on_1_march_2023_expires_nothing_before_1_march_2024() {
    let mut shop = Shop::of(json!({"earning": {"expiry_months": 6}}));
    shop.does(order("A", "2022-08-28T12:00Z", 10_000));
    shop.does(order("B", "2022-08-31T12:00Z", 5_000));
    shop.does(order("C", "2022-12-31T12:00Z", 2_000));
    shop.publishes("2023-03-01", json!({"earning": {"expiry": "sliding", "expiry_months": 12}}));

    // The lot of 28 February was gone by then, and no job has run. The others last, if nobody has looked.
    let day = shop.as_of("2024-03-01T23:59:59.999999999Z");
    assert_eq!(day.fell_due(), "expired 150, began to slide through 2024-03-01");
    assert_eq!(day.lots(), "2024-03-01 20");
    assert_eq!(shop.as_of("2024-03-02T00:00Z").lots(), "");
}

#[test]
fn sliding_keeps_what_is_good_on_its_first_day_whoever_looks_when() {
    let mut shop = Shop::of(json!({"earning": {"expiry_months": 6}}));
    shop.does(order("A", "2022-09-01T12:00Z", 10_000));
    shop.does(order("B", "2022-10-15T12:00Z", 5_000));
    shop.publishes("2023-03-01", json!({"earning": {"expiry": "sliding", "expiry_months": 12}}));
    assert_eq!(shop.as_of("2023-02-28T23:59Z").lots(), "2023-03-01 100, 2023-04-15 50");
    assert_eq!(shop.as_of("2023-03-01T00:00Z").lots(), "2024-03-01 100, 2024-03-01 50");

    // With a job every night, or with one that is months late, or with none.
    let mut nightly = shop.clone();
    for day in ["2023-03-01", "2023-03-02", "2023-04-16", "2024-03-01"] {
        nightly.does(post_due(&format!("{day}T00:00Z")));
    }
    let mut late = shop.clone();
    late.does(post_due("2023-11-01T00:00Z"));
    for shop in [&nightly, &late, &shop] {
        assert_eq!(shop.as_of("2024-03-01T12:00Z").lots(), "2024-03-01 100, 2024-03-01 50");
        assert_eq!(shop.as_of("2024-03-02T00:00Z").totals(), "earned 150, expired 150");
    }
    // An order that was late from before that day finds them kept.
    late.does(order("C", "2023-02-01T12:00Z", 1_000));
    assert_eq!(late.lots(), "2023-08-01 10, 2024-03-01 100, 2024-03-01 50");
}

#[test]
fn a_promise_stands_whatever_later_versions_say() {
    let mut shop = Shop::of(json!({"earning": {"expiry_months": 6}}));
    shop.does(order("A", "2022-10-15T12:00Z", 10_000));
    shop.publishes("2023-03-01", json!({"earning": {"expiry": "sliding", "expiry_months": 12}}));
    let kept = |shop: &Shop| {
        // Nobody has touched the account since before it began to slide.
        assert_eq!(shop.as_of("2024-03-01T12:00Z").lots(), "2024-03-01 100");
        assert_eq!(shop.as_of("2024-03-02T00:00Z").lots(), "");
    };

    let mut bonus = shop.clone();
    bonus.publishes("2023-06-01", json!({"campaigns": [{"name": "x", "points": 1}]}));
    kept(&bonus);
    let mut shorter = shop.clone();
    shorter.publishes("2023-06-01", json!({"earning": {"expiry_months": 1}}));
    kept(&shorter);
    let mut fixed = shop.clone();
    fixed.publishes("2023-06-01", json!({"earning": {"expiry": "fixed", "expiry_months": 3}}));
    kept(&fixed);
    // What is earned then lasts as long as is said then.
    fixed.does(order("B", "2023-07-01T12:00Z", 5_000));
    assert_eq!(fixed.lots(), "2023-10-01 50, 2024-03-01 100");
}

#[test]
fn a_program_that_shortens_expiry_takes_back_no_life_that_was_given() {
    let mut shop = Shop::of(json!({"earning": {"expiry_months": 24}}));
    shop.does(order("A", "2023-01-15T12:00Z", 10_000));
    shop.publishes("2023-06-01", json!({"earning": {"expiry_months": 3}}));

    shop.does(order("B", "2023-06-15T12:00Z", 5_000));

    assert_eq!(shop.lots(), "2023-09-15 50, 2025-01-15 100");
}

#[test]
fn a_new_version_of_a_sliding_program_prolongs_nothing_by_itself() {
    let mut shop = Shop::of(sliding());
    shop.does(order("A", "2023-01-15T12:00Z", 10_000));

    shop.publishes("2023-06-01", json!({"earning": {"points_per_unit": "2"}}));
    assert_eq!(shop.as_of("2023-06-02T12:00Z").lots(), "2024-01-15 100");
    // Turned off and on again it begins anew.
    shop.publishes("2023-07-01", json!({"earning": {"expiry": "fixed"}}));
    shop.publishes("2023-08-01", json!({"earning": {"expiry": "sliding"}}));
    assert_eq!(shop.as_of("2023-08-02T12:00Z").lots(), "2024-08-01 100");
}

#[test]
fn staff_let_all_points_that_are_good_last_longer_and_those_to_come_not() {
    let mut shop = Shop::of(json!({"earning": {"pending_days": 14}}));
    shop.does(order("A", "2024-01-15T12:00Z", 10_000));
    shop.does(order("B", "2024-12-31T12:00Z", 5_000));

    shop.does(extend("e", "2025-01-10T12:00Z", "2025-12-31"));

    assert_eq!(shop.lots(), "2025-12-31 100");
    shop.does(order("C", "2025-01-11T12:00Z", 1_000));
    // The second order's lot ends on the same day and is filled later.
    assert_eq!(
        shop.as_of("2025-01-25T12:00Z").lots(),
        "2025-12-31 100, 2025-12-31 50, 2026-01-11 10"
    );
    assert_eq!(
        shop.refuses(extend("f", "2025-02-01T12:00Z", "2025-12-31")),
        Rejection::NothingToExtend
    );
    let nothing =
        shop.as_of("2026-06-01T12:00Z").refuses(extend("g", "2026-06-01T12:00Z", "2027-01-01"));
    assert_eq!(nothing, Rejection::NothingToExtend);
}

#[test]
fn what_was_extended_is_found_by_refunds_and_by_points_that_come_back() {
    let mut shop = Shop::of(json!({"earning": {"expiry_months": 1}}));
    shop.does(order("A", "2024-01-15T12:00Z", 10_000));
    shop.does(spend("s", "2024-01-20T12:00Z", 100));
    // Nothing is in the lot, and it is good all the same.
    shop.does(extend("e", "2024-02-15T23:59Z", "2024-06-30"));

    shop.does(give_back("s", "2024-05-01T12:00Z", 100));
    shop.does(refund("A", "r", "2024-06-30T12:00Z", 4_000));

    assert_eq!(shop.lots(), "2024-06-30 60");
    assert_eq!(
        shop.refuses(extend("f", "2024-06-30T23:00Z", "2025-01-01")),
        Rejection::NothingToExtend
    );
}

#[test]
fn a_day_without_end_is_no_day_to_extend_to() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2024-01-15T12:00Z", 10_000));

    assert_eq!(shop.refuses(extend("e", "2024-02-01T12:00Z", "9999-12-31")), Rejection::OutOfRange);
}

#[test]
fn points_that_are_brought_after_points_began_to_slide_keep_the_day_that_they_bring() {
    let mut shop = Shop::of(json!({"earning": {"expiry_months": 6}}));
    shop.does(brings("2022-10-15T12:00Z").earlier(100, 1));
    shop.publishes("2023-03-01", json!({"earning": {"expiry": "sliding", "expiry_months": 12}}));

    shop.does(brings("2023-03-02T12:00Z").lot(10, "2023-06-30"));

    assert_eq!(shop.lots(), "2023-06-30 10");
}

#[test]
fn a_timeline_is_what_happens_by_itself_with_debts_and_reviews_in_their_order() {
    let mut shop = Shop::of(silver_and_gold_with(json!({"earning": {"pending_days": 14}})));
    shop.does(order("A", "2024-01-10T12:00Z", 60_000));
    shop.does(spend("s", "2024-02-01T12:00Z", 500));
    shop.does(refund("A", "r", "2024-02-02T12:00Z", 60_000));
    shop.does(order("B", "2024-02-10T12:00Z", 50_000));

    let (told, is_whole) = shop.timeline("2024-02-11T12:00Z", "2026-02-28");

    // 500 and a fifth of it, of which 500 are owed.
    let expected = [
        "2024-02-24 600 mature, 500 pay, through 2025-02-10",
        "2025-02-11 100 expire after 2025-02-10",
        "2025-03-01 Review: rank 2 to 1, silver through 2026-02-28",
        "2026-03-01 Review: rank 1 to 0, blue through ever",
    ];
    assert_eq!(told, expected);
    assert!(is_whole);
    assert_eq!(shop.timeline("2024-02-11T12:00Z", "2025-02-09").0, expected[..1]);
}

#[test]
fn a_timeline_tells_nothing_of_points_that_never_expire_or_are_gone() {
    let never = json!({"expiry": "never", "expiry_months": null, "pending_days": 14});
    let mut shop = Shop::of(json!({"earning": never}));
    shop.does(brings("2024-01-01T12:00Z").lot(5, "2024-01-31").lot(7, "2023-12-31"));
    shop.does(order("A", "2024-01-02T12:00Z", 10_000));

    let (told, is_whole) = shop.timeline("2024-01-03T12:00Z", "2026-01-03");

    let matures = format!("2024-01-16 100 mature, 0 pay, through {NEVER}");
    assert_eq!(told, [matures.as_str(), "2024-02-01 5 expire after 2024-01-31"]);
    assert!(is_whole);
}

#[test]
fn a_timeline_ends_after_a_hundred_things_and_says_so() {
    let days = |count: usize| {
        let mut shop = Shop::of(json!({"earning": {"expiry_months": 0}}));
        for first in (0..count).step_by(60) {
            let lots = (first..count.min(first + 60)).map(|it| {
                jiff::civil::date(2024, 2, 1)
                    .checked_add(jiff::Span::new().days(i64::try_from(it).unwrap()))
            });
            let mut luggage = brings("2024-01-01T12:00Z");
            for day in lots {
                luggage = luggage.lot(1, &day.unwrap().to_string());
            }
            shop.does(luggage);
        }
        let (told, is_whole) = shop.timeline("2024-01-02T12:00Z", "2026-01-02");
        (told.len(), is_whole)
    };

    assert_eq!(days(ITEMS_MAX), (100, true));
    assert_eq!(days(ITEMS_MAX + 1), (100, false));
}

fn reminding() -> Value {
    json!({"reminders": {"points_days": [30, 7, 1], "tier_days": [30, 7, 1]}})
}

#[test]
fn points_that_expire_are_told_of_on_each_of_the_programs_days_once() {
    let mut shop = Shop::of(reminding());
    shop.does(order("A", "2024-01-15T12:00Z", 10_000));
    shop.does(order("B", "2024-01-16T12:00Z", 5_000));

    let mut told = Vec::new();
    let mut day = jiff::civil::date(2024, 12, 1);
    while day <= jiff::civil::date(2025, 1, 31) {
        shop.does(post_due(&format!("{day}T00:00Z")));
        let said = shop.told();
        if !said.is_empty() {
            told.push(format!("{day}: {said}"));
        }
        day = day.tomorrow().unwrap();
    }

    // A day before is the last good day itself.
    let expected = [
        "2024-12-17: 100 through 2025-01-15",
        "2024-12-18: 50 through 2025-01-16",
        "2025-01-09: 100 through 2025-01-15",
        "2025-01-10: 50 through 2025-01-16",
        "2025-01-15: 100 through 2025-01-15",
        "2025-01-16: 50 through 2025-01-16",
    ];
    assert_eq!(told, expected);
    assert_eq!(shop.totals(), "earned 150, expired 150");
}

#[test]
fn a_job_that_is_late_tells_the_nearest_of_what_it_missed_and_nothing_of_what_is_gone() {
    let mut shop = Shop::of(reminding());
    shop.does(order("A", "2024-01-15T12:00Z", 10_000));
    shop.does(order("B", "2024-02-15T12:00Z", 5_000));

    let mut late = shop.clone();
    late.does(post_due("2025-01-12T00:00Z"));
    assert_eq!(late.told(), "100 through 2025-01-15");
    late.does(post_due("2025-01-12T00:00Z"));
    assert_eq!(late.told(), "");
    late.does(post_due("2025-01-13T00:00Z"));
    assert_eq!(late.told(), "");
    late.does(post_due("2025-01-15T00:00Z"));
    assert_eq!(late.told(), "100 through 2025-01-15");
    let mut later = shop.clone();
    later.does(post_due("2025-01-20T00:00Z"));
    assert_eq!(
        (later.fell_due().as_str(), later.told().as_str()),
        ("expired 100", "50 through 2025-02-15")
    );
}

#[test]
fn only_jobs_tell_and_no_order_is_late_for_what_they_told() {
    let mut shop = Shop::of(reminding());
    shop.does(order("A", "2024-01-15T12:00Z", 10_000));

    shop.does(spend("s", "2024-12-20T12:00Z", 10));
    assert_eq!(shop.told(), "");
    shop.does(post_due("2024-12-21T00:00Z"));
    assert_eq!(shop.told(), "90 through 2025-01-15");
    // The clock still stands at the use of points.
    shop.does(order("B", "2024-12-20T18:00Z", 100));
    assert_eq!(shop.account.clock, Some(at("2024-12-20T18:00Z")));
}

#[test]
fn points_that_slide_are_told_of_before_the_day_to_which_they_slid() {
    let mut shop = Shop::of(reminding());
    shop.changes_its_program(sliding());
    shop.does(order("A", "2024-01-15T12:00Z", 10_000));
    shop.does(post_due("2024-12-17T00:00Z"));
    assert_eq!(shop.told(), "100 through 2025-01-15");

    shop.does(spend("s", "2024-12-31T12:00Z", 10));
    for quiet in ["2025-01-09T00:00Z", "2025-01-15T00:00Z", "2025-11-30T00:00Z"] {
        shop.does(post_due(quiet));
        assert_eq!(shop.told(), "", "{quiet}");
    }
    shop.does(post_due("2025-12-02T00:00Z"));
    assert_eq!(shop.told(), "90 through 2025-12-31");
}

#[test]
fn a_level_that_would_be_lost_is_told_of_with_what_would_save_it() {
    let mut shop = Shop::of(silver_and_gold_with(reminding()));
    shop.does(order("A", "2023-01-10T12:00Z", 15_000));
    shop.does(order("B", "2023-06-10T12:00Z", 5_001));
    assert_eq!(shop.level(), "silver through 2024-06-30");

    // In June 2024 what was paid in June 2023 does not count any more.
    shop.does(post_due("2024-05-31T00:00Z"));
    assert_eq!(shop.told(), "55 through 2024-06-10");
    let level = "silver through 2024-06-30, then blue, but for GBP Some(10000) or Some(3) orders";
    shop.does(post_due("2024-06-01T00:00Z"));
    assert_eq!(shop.told(), level);
    shop.does(order("C", "2024-06-03T12:00Z", 4_050));
    shop.does(post_due("2024-06-24T00:00Z"));
    let level = "silver through 2024-06-30, then blue, but for GBP Some(5950) or Some(2) orders";
    assert_eq!(shop.told(), level);
    let mut saved = shop.clone();
    saved.does(order("D", "2024-06-25T12:00Z", 5_950));
    saved.does(post_due("2024-06-30T00:00Z"));
    assert_eq!((saved.level().as_str(), saved.told().as_str()), ("silver through 2025-06-30", ""));
    shop.does(post_due("2024-06-30T00:00Z"));
    assert_eq!(shop.told(), level);
    shop.does(post_due("2024-07-01T00:00Z"));
    assert_eq!((shop.level().as_str(), shop.told().as_str()), ("blue", ""));
}

#[test]
fn a_job_looks_at_an_account_when_something_is_to_be_told() {
    let mut shop = Shop::of(reminding());
    shop.does(order("A", "2024-01-15T12:00Z", 10_000));
    assert_eq!(shop.due_after(None), "2024-12-16");

    // One that found nothing to tell looks again for the next day, and not every night.
    assert_eq!(shop.due_after(Some("2024-12-17T00:00Z")), "2025-01-08");
    shop.does(post_due("2024-12-17T00:00Z"));
    assert_eq!(shop.due_after(None), "2025-01-08");
    shop.does(post_due("2025-01-15T00:00Z"));
    assert_eq!(shop.due_after(None), "2025-01-15");
}

#[test]
fn without_reminders_nobody_is_told_and_the_account_says_nothing_of_it() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2024-01-15T12:00Z", 10_000));

    shop.does(post_due("2025-01-15T00:00Z"));

    assert_eq!(shop.told(), "");
    assert_eq!(shop.due_after(None), "2025-01-15");
    assert_eq!(serde_json::to_value(&shop.account).unwrap().get("announced_through"), None);
    assert_eq!(serde_json::to_value(shop.program.spec()).unwrap().get("reminders"), None);
}

/// Silver and gold, and `overrides` of what stands beside the levels.
fn levels_with(overrides: &Value) -> Value {
    silver_and_gold_with(json!({"tiers": overrides}))
}

#[test]
fn growth_counts_by_the_month_of_its_activity_and_raises_a_level_like_an_order() {
    let mut shop = Shop::of(json!({"tiers": {"levels": [
        {"id": "blue", "name": "Blue"},
        {"id": "silver", "name": "Silver", "spend": "100.00", "growth": 100},
        {"id": "gold", "name": "Gold", "growth": 1_000},
    ]}}));

    shop.does(grows("checked in", "2024-01-15T12:00Z", 60));
    assert_eq!(shop.in_force(), "blue");
    shop.does(grows("reviewed", "2024-03-01T12:00Z", 40));
    assert_eq!(shop.levels(), "silver after a lower blue");
    assert_eq!(shop.level(), "silver through 2025-03-31");
    // At its review January 2024 has no part any more.
    shop.does(post_due("2025-04-02T00:00Z"));
    assert_eq!(shop.fell_due(), "reviewed blue");

    // One that comes late counts in its own month.
    shop.does(grows("late", "2025-03-31T12:00Z", 70));
    let months = shop.account.progress.months.iter();
    let months: Vec<_> = months.map(|it| (it.month.to_string(), it.measure.growth)).collect();
    assert_eq!(months, [("2025-03".to_owned(), 70)]);
    assert_eq!(shop.account.progress.lifetime.growth, 170);
}

#[test]
fn a_level_is_met_once_all_of_its_tasks_are_done_in_whatever_order() {
    let mut shop = Shop::of(json!({"tiers": {"levels": [
        {"id": "blue", "name": "Blue"},
        {"id": "silver", "name": "Silver", "tasks": ["profile", "app"]},
        {"id": "gold", "name": "Gold", "spend": "500.00"},
    ]}}));

    shop.does(does_task("app", "2024-01-15T12:00Z"));
    assert_eq!(shop.in_force(), "blue");
    shop.does(does_task("other", "2024-01-15T12:00Z"));
    shop.does(does_task("profile", "2024-01-16T12:00Z"));
    assert_eq!(shop.level(), "silver through 2025-01-31");
    // What is done is done: the level is met at every review, and gold still needs its spend.
    shop.does(post_due("2026-03-01T00:00Z"));
    assert_eq!(shop.level(), "silver through 2027-01-31");
    shop.does(order("A", "2026-03-10T12:00Z", 50_000));
    assert_eq!(shop.level(), "gold through 2027-03-31");
}

#[test]
fn an_account_remembers_so_many_tasks_and_no_more() {
    let mut shop = Shop::of(json!({}));
    for task in 0..TASKS_MAX {
        shop.does(does_task(&task.to_string(), "2024-01-15T12:00Z"));
    }

    let refused = shop.refuses(does_task("one more", "2024-01-15T12:00Z"));

    assert_eq!(refused, Rejection::TooManyTasks);
}

#[test]
fn a_courtesy_gives_a_level_through_its_last_day_and_what_is_earned_goes_on_under_it() {
    let mut shop = Shop::of(silver_and_gold());
    shop.does(sets(OverrideKind::Courtesy, "2024-01-10T12:00Z", "gold", Some("2024-06-30")));
    assert_eq!(shop.in_force(), "gold through 2024-06-30");
    assert_eq!(shop.level(), "blue");

    // Its bonus, and no more, is the difference.
    shop.does(order("A", "2024-03-10T12:00Z", 10_000));
    assert_eq!(shop.levels(), "silver, and gold in force");
    assert_eq!(shop.level(), "silver through 2025-03-31");
    assert_eq!(shop.in_force(), "gold through 2024-06-30");
    let last = shop.as_of("2024-06-30T22:59:59Z");
    assert_eq!(last.in_force(), "gold through 2024-06-30");
    let after = shop.as_of("2024-06-30T23:00:00Z");
    assert_eq!(after.fell_due(), "override ended: silver");
    assert_eq!(after.in_force(), "silver through 2025-03-31");
}

#[test]
fn the_bonus_is_that_of_the_level_in_force() {
    let mut spec = silver_and_gold();
    spec["tiers"]["levels"][2]["bonus"] = json!("1");
    let mut shop = Shop::of(spec);
    shop.does(sets(OverrideKind::Courtesy, "2024-01-10T12:00Z", "gold", None));
    shop.does(order("A", "2024-03-10T12:00Z", 1_000));
    shop.does(order("B", "2024-03-11T12:00Z", 60_000));
    shop.does(sets(OverrideKind::Violation, "2024-04-01T12:00Z", "blue", None));
    shop.does(order("C", "2024-04-10T12:00Z", 1_000));

    assert_eq!(shop.components("A"), "base 10, tier:gold 10");
    assert_eq!(shop.components("C"), "base 10");
}

#[test]
fn a_violation_holds_a_member_down_until_it_ends_or_is_lifted() {
    let mut shop = Shop::of(silver_and_gold());
    shop.does(order("A", "2024-01-10T12:00Z", 10_000));
    shop.does(sets(OverrideKind::Violation, "2024-02-01T12:00Z", "blue", Some("2024-04-30")));
    assert_eq!(shop.in_force(), "blue through 2024-04-30");

    shop.does(order("B", "2024-03-10T12:00Z", 50_000));
    assert_eq!(shop.levels(), "gold, and blue in force");
    assert_eq!(shop.in_force(), "blue through 2024-04-30");
    assert_eq!(shop.as_of("2024-05-01T00:00Z").in_force(), "gold through 2025-03-31");

    let mut lifted = shop.clone();
    lifted.does(lifts("2024-03-20T12:00Z"));
    assert_eq!(lifted.in_force(), "gold through 2025-03-31");
    assert_eq!(lifted.refuses(lifts("2024-03-21T12:00Z")), Rejection::NothingToLift);
    // What ended by itself is no longer there to be lifted either.
    assert_eq!(shop.refuses(lifts("2024-05-02T12:00Z")), Rejection::NothingToLift);
}

#[test]
fn what_staff_set_takes_the_place_of_what_they_had_set_and_needs_a_level_and_a_day_to_come() {
    let mut shop = Shop::of(silver_and_gold());
    shop.does(sets(OverrideKind::Courtesy, "2024-01-10T12:00Z", "silver", None));
    shop.does(sets(OverrideKind::Courtesy, "2024-01-11T12:00Z", "gold", Some("2024-01-11")));
    assert_eq!(shop.in_force(), "gold through 2024-01-11");
    assert_eq!(shop.as_of("2024-01-12T00:00Z").in_force(), "blue");

    let unknown = sets(OverrideKind::Courtesy, "2024-01-12T12:00Z", "ruby", None);
    let level = "ruby".try_into().unwrap();
    assert_eq!(shop.refuses(unknown), Rejection::LevelNotInProgram { level });
    let over = sets(OverrideKind::Courtesy, "2024-01-12T12:00Z", "gold", Some("2024-01-11"));
    let through = "2024-01-11".parse().unwrap();
    assert_eq!(shop.refuses(over), Rejection::EndIsOver { through });
    let endless = sets(OverrideKind::Courtesy, "2024-01-12T12:00Z", "gold", Some("9999-12-31"));
    assert_eq!(shop.refuses(endless), Rejection::OutOfRange);
}

#[test]
fn an_invite_only_level_is_met_by_nothing_and_given_by_staff() {
    let mut shop = Shop::of(json!({"tiers": {"levels": [
        {"id": "blue", "name": "Blue"},
        {"id": "silver", "name": "Silver", "spend": "100.00"},
        {"id": "circle", "name": "Circle", "invite_only": true},
        {"id": "gold", "name": "Gold", "spend": "500.00"},
    ]}}));
    shop.does(order("A", "2024-01-10T12:00Z", 20_000));
    assert_eq!(shop.in_force(), "silver through 2025-01-31");

    shop.does(sets(OverrideKind::Courtesy, "2024-02-01T12:00Z", "circle", None));
    assert_eq!(shop.in_force(), "circle");
    shop.does(order("B", "2024-02-10T12:00Z", 40_000));
    assert_eq!(shop.in_force(), "gold through 2025-02-28");
    // One level at most is the next one that somebody may meet.
    let review = shop.as_of("2025-03-01T00:00Z");
    assert_eq!(
        (review.fell_due().as_str(), review.level().as_str()),
        ("expired 200, expired 400, reviewed silver", "silver through 2026-02-28")
    );
    assert_eq!(review.in_force(), "circle");
}

#[test]
fn nobody_falls_below_a_floor_by_what_counts() {
    let mut spec = levels_with(&json!({"review": "to_qualifying"}));
    spec["tiers"]["levels"][1]["floor"] = json!(true);
    merge(&mut spec, json!({"refunds": {"lowers_level": true}}));
    let mut shop = Shop::of(spec);
    shop.does(order("A", "2024-01-10T12:00Z", 50_000));
    assert_eq!(shop.level(), "gold through 2025-01-31");

    let reviewed = shop.as_of("2025-02-01T00:00Z");
    assert_eq!(reviewed.level(), "silver through 2026-01-31");
    assert_eq!(shop.as_of("2030-02-01T00:00Z").level(), "silver through 2031-01-31");
    let mut refunded = shop.clone();
    refunded.does(cancel("A", "2024-01-20T12:00Z"));
    assert_eq!(refunded.level(), "silver through 2025-01-31");
    // A violation goes below it, and what is earned stays.
    shop.does(sets(OverrideKind::Violation, "2024-02-01T12:00Z", "blue", None));
    assert_eq!(
        (shop.in_force().as_str(), shop.level().as_str()),
        ("blue", "gold through 2025-01-31")
    );
}

#[test]
fn in_its_grace_a_level_is_kept_and_can_still_be_met() {
    let mut shop = Shop::of(levels_with(&json!({"grace_months": 2})));
    shop.does(order("A", "2024-01-10T12:00Z", 15_000));
    shop.does(post_due("2025-02-01T00:00Z"));
    assert_eq!(shop.fell_due(), "expired 150, kept through 2025-03-31");
    assert_eq!(shop.in_force(), "silver through 2025-03-31");

    let fallen = shop.as_of("2025-04-01T00:00Z");
    assert_eq!((fallen.fell_due().as_str(), fallen.level().as_str()), ("reviewed blue", "blue"));
    // Ten of the twelve months, and those of the grace, with an order that does not meet it alone.
    let mut saved = shop.clone();
    saved.does(order("B", "2025-02-10T12:00Z", 9_999));
    assert_eq!(saved.in_force(), "silver through 2025-03-31");
    saved.does(order("C", "2025-03-10T12:00Z", 1));
    assert_eq!(saved.level(), "silver through 2026-03-31");
    assert_eq!(saved.as_of("2025-04-01T00:00Z").fell_due(), "");
    // Who meets it at the end of the grace keeps it from the old end on.
    let mut late = shop.clone();
    late.does(grows("x", "2025-02-10T12:00Z", 1));
    late.publishes("2025-03-15", {
        let mut spec = silver_and_gold();
        spec["tiers"]["levels"][1]["growth"] = json!(1);
        spec
    });
    assert_eq!(late.as_of("2025-04-01T00:00Z").level(), "silver through 2026-01-31");
}

#[test]
fn a_level_may_begin_with_the_next_month_as_far_as_it_is_still_met() {
    let mut shop = Shop::of(levels_with(&json!({"start": "next_period"})));
    shop.does(order("A", "2024-01-31T12:00Z", 10_000));
    assert_eq!(shop.in_force(), "blue");
    shop.does(order("B", "2024-01-31T13:00Z", 50_000));

    let begun = shop.as_of("2024-02-01T00:00Z");
    assert_eq!(begun.fell_due(), "began gold");
    assert_eq!(begun.level(), "gold through 2025-01-31");
    // What is given back before is not met, and what is left is.
    let mut less = shop.clone();
    less.does(cancel("B", "2024-01-31T14:00Z"));
    assert_eq!(less.as_of("2024-02-01T00:00Z").level(), "silver through 2025-01-31");
    less.does(cancel("A", "2024-01-31T15:00Z"));
    let none = less.as_of("2024-02-01T00:00Z");
    assert_eq!((none.fell_due().as_str(), none.level().as_str()), ("did not begin gold", "blue"));
    // Renewing needs no beginning.
    let mut renewed = begun;
    renewed.does(order("C", "2024-06-10T12:00Z", 100));
    assert_eq!(renewed.level(), "gold through 2025-06-30");
}

#[test]
fn by_the_calendar_year_a_level_begins_with_the_next_one_and_is_valid_through_it() {
    let window = json!({"start": "next_period", "window": "calendar_year"});
    let mut shop = Shop::of(levels_with(&window));
    shop.does(order("A", "2024-03-10T12:00Z", 10_000));

    let (items, _) = shop.timeline("2024-03-11T00:00Z", "2026-01-02");
    assert_eq!(
        items,
        [
            "2025-01-01 Start: rank 0 to 1, silver through 2025-12-31",
            "2025-03-11 100 expire after 2025-03-10",
            "2026-01-01 Review: rank 1 to 0, blue through ever",
        ]
    );
}

#[test]
fn a_new_version_raises_whoever_meets_more_and_lowers_nobody_before_a_review() {
    let mut shop = Shop::of(silver_and_gold());
    shop.does(order("A", "2024-01-10T12:00Z", 30_000));
    assert_eq!(shop.level(), "silver through 2025-01-31");
    let version = |gold: &str, silver: &str, how: &str| {
        json!({"tiers": {"new_version": how, "levels": [
            {"id": "blue", "name": "Blue"},
            {"id": "silver", "name": "Silver", "spend": silver},
            {"id": "gold", "name": "Gold", "spend": gold},
        ]}})
    };

    let after = |gold: &str, silver: &str, how: &str| {
        let mut shop = shop.clone();
        shop.publishes("2024-06-01", version(gold, silver, how));
        shop.program = shop.versions[1].clone();
        let begins = at("2024-05-31T23:00Z");
        let preview = tier::preview(&shop.program, shop.account.clone(), begins).unwrap();
        let before = tier::rank(&shop.program, &shop.account);
        shop.does(measured(2, "2024-05-31T23:00Z"));
        // What is said before is what happens.
        let after = tier::rank(&shop.program, &shop.account);
        assert_eq!((preview.before, preview.after), (before, after));
        (shop.level(), shop.levels(), preview.is_at_risk)
    };
    let (raised, said, is_at_risk) = after("300.00", "100.00", "raise");
    assert!(!is_at_risk);
    assert_eq!(
        (raised.as_str(), said.as_str()),
        ("gold through 2025-06-30", "gold after a lower silver")
    );
    let (kept, said, is_at_risk) = after("900.00", "400.00", "raise");
    assert!(is_at_risk);
    assert_eq!((kept.as_str(), said.as_str()), ("silver through 2025-01-31", ""));
    let (lowered, said, is_at_risk) = after("900.00", "400.00", "raise_and_lower");
    assert!(!is_at_risk);
    assert_eq!((lowered.as_str(), said.as_str()), ("blue", "blue after a higher silver"));
    // Whoever meets just the level that there is does not have it for longer.
    let (same, _, is_at_risk) = after("900.00", "300.00", "raise_and_lower");
    assert_eq!((same.as_str(), is_at_risk), ("silver through 2025-01-31", false));
}

#[test]
fn measuring_moves_no_clock_and_makes_no_account() {
    let mut shop = Shop::of(silver_and_gold());
    shop.does(measured(1, "2024-01-01T00:00Z"));
    assert_eq!(shop.account, Account::default());

    shop.does(order("A", "2024-01-10T12:00Z", 1_000));
    shop.does(measured(1, "2024-02-01T00:00Z"));

    assert_eq!(shop.events, []);
    assert_eq!(shop.account.clock, Some(at("2024-01-10T12:00Z")));
}

#[test]
fn a_level_that_staff_set_for_a_time_is_told_of_before_it_ends() {
    let mut shop = Shop::of(silver_and_gold_with(reminding()));
    shop.does(sets(OverrideKind::Courtesy, "2024-01-10T12:00Z", "gold", Some("2024-06-30")));
    assert_eq!(shop.due_after(None), "2024-05-31");

    shop.does(post_due("2024-06-01T00:00Z"));
    let told = "gold through 2024-06-30, then blue, but for GBP Some(50000) or None orders";
    assert_eq!(shop.told(), told);
    shop.does(post_due("2024-07-01T00:00Z"));
    assert_eq!((shop.fell_due().as_str(), shop.told().as_str()), ("override ended: blue", ""));
}

#[test]
fn in_a_program_with_a_grace_a_level_is_told_of_before_its_grace_ends_and_not_before_it_begins() {
    let mut spec = silver_and_gold_with(reminding());
    merge(&mut spec, json!({"tiers": {"grace_months": 1}}));
    let mut shop = Shop::of(spec);
    shop.does(order("A", "2024-01-10T12:00Z", 15_000));
    for quiet in ["2025-01-12T00:00Z", "2025-01-31T00:00Z"] {
        shop.does(post_due(quiet));
        assert!(!shop.told().contains("silver"), "{}", shop.told());
    }
    shop.does(post_due("2025-02-01T00:00Z"));
    assert_eq!(shop.fell_due(), "kept through 2025-02-28");
    assert_eq!(
        shop.told(),
        "silver through 2025-02-28, then blue, but for GBP Some(10000) or Some(3) orders"
    );
}

#[test]
fn what_levels_have_beside_themselves_is_told_in_a_timeline() {
    let mut shop = Shop::of(levels_with(&json!({"grace_months": 1})));
    shop.does(order("A", "2024-01-10T12:00Z", 15_000));
    shop.does(sets(OverrideKind::Courtesy, "2024-02-10T12:00Z", "gold", Some("2024-12-31")));

    let (items, is_whole) = shop.timeline("2024-03-11T00:00Z", "2025-12-31");

    assert_eq!(
        items,
        [
            "2025-01-01 OverrideEnd: rank 2 to 1, silver through 2025-01-31",
            "2025-01-11 150 expire after 2025-01-10",
            "2025-02-01 Grace: rank 1 to 1, silver through 2025-02-28",
            "2025-03-01 Review: rank 1 to 0, blue through ever",
        ]
    );
    assert!(is_whole);
}

/// A point a pound for twelve months, with a level whose points live for 24, and double points that live for
/// three.
fn own_expiry() -> Value {
    json!({
        "tiers": {"levels": [
            {"id": "blue", "name": "Blue"},
            {"id": "silver", "name": "Silver", "spend": "100.00", "expiry_months": 24},
        ]},
        "campaigns": [{"name": "double", "bonus": "1", "channels": ["app"], "expiry_months": 3}],
    })
}

#[test]
fn points_of_a_level_or_a_campaign_may_live_for_months_of_their_own() {
    let mut shop = Shop::of(own_expiry());
    shop.does(order("A", "2024-01-10T12:00Z", 10_000).through("app"));
    assert_eq!(shop.components("A"), "base 100, campaign:double 100");
    assert_eq!(shop.lots(), "2024-04-10 100, 2025-01-10 100");

    // The order that reaches a level is still one of the level before.
    shop.does(order("B", "2024-02-10T12:00Z", 5_000));
    assert_eq!(shop.lots(), "2024-04-10 100, 2025-01-10 100, 2026-02-10 50");
    assert_eq!(shop.as_of("2024-04-11T00:00Z").fell_due(), "expired 100");
    // What ends first is used first.
    shop.does(spend("s", "2024-02-11T12:00Z", 120));
    assert_eq!(shop.lots(), "2025-01-10 80, 2026-02-10 50");
}

#[test]
fn a_refund_takes_each_lot_s_points_from_that_lot() {
    let mut shop = Shop::of(own_expiry());
    shop.does(order("other", "2023-12-10T12:00Z", 5_000));
    shop.does(order("A", "2024-01-10T12:00Z", 10_000).through("app"));
    assert_eq!(shop.lots(), "2024-04-10 100, 2024-12-10 50, 2025-01-10 100");

    let mut half = shop.clone();
    half.does(refund("A", "r", "2024-01-20T12:00Z", 5_000));
    assert_eq!(half.lots(), "2024-04-10 50, 2024-12-10 50, 2025-01-10 50");
    half.does(refund("A", "s", "2024-01-21T12:00Z", 5_000));
    assert_eq!(half.lots(), "2024-12-10 50");
    assert_eq!(half.totals(), "earned 250, clawed back 200");

    // What the campaign's lot no longer has is taken from others, and what they do not have is owed.
    let mut used = shop.clone();
    used.does(spend("s", "2024-01-15T12:00Z", 130));
    assert_eq!(used.lots(), "2024-12-10 20, 2025-01-10 100");
    used.does(cancel("A", "2024-01-20T12:00Z"));
    assert_eq!(used.balance(), "available 0, pending 0, debt 80");

    // Once its day is over nothing of it is taken back.
    shop.does(cancel("A", "2024-04-11T12:00Z"));
    assert_eq!(shop.totals(), "earned 250, clawed back 100, expired 100");
    assert_eq!(shop.lots(), "2024-12-10 50");
}

#[test]
fn points_of_one_order_mature_into_their_lots_and_the_order_s_own_pay_a_debt_first() {
    let mut spec = own_expiry();
    merge(&mut spec, json!({"earning": {"pending_days": 14}}));
    let mut shop = Shop::of(spec);
    shop.does(order("old", "2023-12-01T12:00Z", 9_000));
    shop.does(spend("s", "2023-12-20T12:00Z", 90));
    shop.does(order("A", "2024-01-10T12:00Z", 9_000).through("app"));
    shop.does(cancel("old", "2024-01-11T12:00Z"));
    assert_eq!(shop.balance(), "available 0, pending 180, debt 90");

    // What matures at one instant pays in the order of its lots: the campaign's end sooner.
    let matured = shop.as_of("2024-01-24T12:00Z");
    assert_eq!(matured.fell_due(), "matured 90, matured 90");
    assert_eq!(matured.balance(), "available 90, pending 0, debt 0");
    let mut back = shop.clone();
    back.does(refund("A", "r", "2024-01-12T12:00Z", 4_000));
    assert_eq!(back.balance(), "available 0, pending 100, debt 90");
    back.does(refund("A", "s", "2024-01-12T13:00Z", 5_000));
    assert_eq!(back.balance(), "available 0, pending 0, debt 90");
}

#[test]
fn an_edit_may_take_points_of_one_lot_and_add_to_another() {
    let mut spec = own_expiry();
    spec["campaigns"] = json!([{
        "name": "gift", "points": 30, "min_amount": "50", "expiry_months": 3
    }]);
    let mut shop = Shop::of(spec);
    shop.does(order("A", "2024-01-10T12:00Z", 4_000));
    assert_eq!(shop.lots(), "2025-01-10 40");

    shop.does(order("A", "2024-01-11T12:00Z", 6_000).into_change("c"));
    assert_eq!(shop.lots(), "2024-04-10 30, 2025-01-10 60");
    shop.does(order("A", "2024-01-12T12:00Z", 4_500).into_change("d"));
    assert_eq!(shop.lots(), "2025-01-10 45");
    // Late, its three months are over, and the order's own are not.
    shop.does(order("A", "2024-05-01T12:00Z", 9_000).into_change("e"));
    assert_eq!(shop.lots(), "2025-01-10 90");
    assert_eq!(shop.totals(), "earned 165, clawed back 45, expired 30");
}

#[test]
fn months_that_are_the_program_s_own_make_no_other_lot() {
    let mut spec = own_expiry();
    spec["campaigns"][0]["expiry_months"] = json!(12);
    let mut shop = Shop::of(spec);

    shop.does(order("A", "2024-01-10T12:00Z", 10_000).through("app"));

    assert_eq!(shop.lots(), "2025-01-10 200");
    let entry = serde_json::to_string(&shop.events).unwrap();
    assert!(!entry.contains("others"), "{entry}");
}

#[test]
fn staff_bring_back_what_expired_and_no_more_and_it_pays_a_debt_first() {
    let mut shop = Shop::of(json!({}));
    shop.does(order("A", "2023-01-10T12:00Z", 10_000));
    shop.does(reinstates("2024-01-20T12:00Z", 60, "2024-03-31"));
    assert_eq!(shop.fell_due(), "expired 100");
    assert_eq!(shop.lots(), "2024-03-31 60");
    assert_eq!(shop.totals(), "earned 100, expired 40");

    // They are gone again on their day, and can come back again.
    assert_eq!(shop.as_of("2024-04-01T00:00Z").totals(), "earned 100, expired 100");
    let (expired, requested) = (Points::try_from(40).unwrap(), Points::try_from(41).unwrap());
    let refused = shop.refuses(reinstates("2024-01-21T12:00Z", 41, "2024-03-31"));
    assert_eq!(refused, Rejection::MoreThanExpired { expired, requested });
    let through = "2024-01-20".parse().unwrap();
    let refused = shop.refuses(reinstates("2024-01-21T12:00Z", 1, "2024-01-20"));
    assert_eq!(refused, Rejection::EndIsOver { through });
    let refused = shop.refuses(reinstates("2024-01-21T12:00Z", 0, "2024-03-31"));
    assert_eq!(refused, Rejection::AmountIsZero);

    shop.does(order("B", "2024-01-21T12:00Z", 3_000));
    shop.does(spend("s", "2024-01-22T12:00Z", 90));
    shop.does(cancel("B", "2024-01-23T12:00Z"));
    assert_eq!(shop.balance(), "available 0, pending 0, debt 30");
    shop.does(reinstates("2024-01-24T12:00Z", 40, "2024-03-31"));
    assert_eq!(shop.balance(), "available 10, pending 0, debt 0");
}

/// Silver and gold, and platinum from 1,000.00 on since 1 June.
fn newer_with_platinum() -> Value {
    json!({"tiers": {"levels": [
        {"id": "blue", "name": "Blue"},
        {"id": "silver", "name": "Silver", "spend": "100.00", "orders": 3},
        {"id": "gold", "name": "Gold", "spend": "500.00"},
        {"id": "platinum", "name": "Platinum", "spend": "1000.00"},
    ]}})
}

#[test]
fn an_order_that_is_late_for_an_older_version_does_not_lower_a_level_that_only_a_newer_one_has() {
    let mut shop = Shop::of(silver_and_gold());
    shop.does(order("A", "2024-03-10T12:00Z", 120_000));
    shop.publishes("2024-06-01", newer_with_platinum());
    shop.does(order("B", "2024-06-02T12:00Z", 100));
    assert_eq!(shop.level(), "platinum through 2025-06-30");

    shop.does(order("late", "2024-05-31T12:00Z", 100));

    assert_eq!(
        (shop.level().as_str(), shop.levels().as_str()),
        ("platinum through 2025-06-30", "")
    );
}

#[test]
fn a_level_that_was_given_before_it_was_to_begin_begins_as_it_is() {
    let mut shop = Shop::of(levels_with(&json!({"start": "next_period"})));
    shop.does(order("A", "2024-01-10T12:00Z", 50_000));
    shop.changes_its_program(levels_with(&json!({"start": "at_once"})));
    shop.does(order("B", "2024-01-11T12:00Z", 100));
    assert_eq!(shop.level(), "gold through 2025-01-31");

    let begun = shop.as_of("2024-02-01T00:00Z");

    assert_eq!(
        (begun.fell_due().as_str(), begun.level().as_str()),
        ("began gold", "gold through 2025-01-31")
    );
    assert!(begun.account.tier.beside.is_none());
}

#[test]
fn nobody_falls_to_a_level_to_which_staff_invite_even_if_it_is_a_floor() {
    let mut shop = Shop::of(json!({"tiers": {"review": "to_qualifying", "levels": [
        {"id": "blue", "name": "Blue"},
        {"id": "circle", "name": "Circle", "invite_only": true, "floor": true},
        {"id": "gold", "name": "Gold", "spend": "500.00"},
    ]}}));
    shop.does(order("A", "2024-01-10T12:00Z", 50_000));

    assert_eq!(shop.as_of("2025-02-01T00:00Z").level(), "blue");
}

#[test]
fn points_slide_by_the_months_of_the_level_that_the_member_has() {
    let mut spec = own_expiry();
    spec["campaigns"] = json!([]);
    merge(&mut spec, sliding());
    let mut shop = Shop::of(spec);
    shop.does(order("A", "2024-01-10T12:00Z", 10_000));
    assert_eq!(shop.lots(), "2025-01-10 100");

    shop.does(order("B", "2024-06-15T12:00Z", 5_000));

    assert_eq!(shop.lots(), "2026-06-15 100, 2026-06-15 50");
}

#[test]
fn points_that_are_gone_as_they_mature_are_looked_at_then_and_not_every_night_before() {
    let mut shop = Shop::of(json!({"earning": {"pending_days": 60, "expiry_months": 1}}));
    shop.does(order("A", "2024-01-10T12:00Z", 10_000));

    assert_eq!(shop.due_after(None), "2024-03-09");
    shop.does(post_due("2024-03-11T00:00Z"));
    assert_eq!(shop.fell_due(), "lapsed 100");
}

#[test]
fn a_preview_decides_the_reviews_of_the_first_day_as_the_new_version_will() {
    let mut shop = Shop::of(silver_and_gold());
    shop.does(order("A", "2024-01-10T12:00Z", 15_000));
    shop.does(order("B", "2025-01-15T12:00Z", 5_000));
    assert_eq!(shop.level(), "silver through 2025-01-31");
    let version = |silver: &str| {
        json!({"tiers": {"levels": [
            {"id": "blue", "name": "Blue"},
            {"id": "silver", "name": "Silver", "spend": silver},
        ]}})
    };
    // Its level ends with the day before.
    let begins = "2025-02-01T00:00Z";
    for (silver, before, after) in [("40.00", 1, 1), ("60.00", 1, 0)] {
        let mut shop = shop.clone();
        shop.publishes("2025-02-01", version(silver));
        let last = at(begins).checked_sub(jiff::ToSpan::nanosecond(1)).unwrap();
        let old = shop.program_at(last);
        let (account, _) = due::bring_to(old, shop.account.clone(), last).unwrap();
        shop.program = shop.versions.get(1).unwrap().clone();
        let preview = tier::preview(&shop.program, account, at(begins)).unwrap();

        shop.does(measured(2, begins));

        assert_eq!((preview.before, preview.after), (before, after), "{silver}");
        assert_eq!(tier::rank(&shop.program, &shop.account), after, "{silver}");
    }
}

#[test]
fn points_that_wait_on_the_day_of_their_reminder_are_told_of_once_they_are_there() {
    let mut shop = Shop::of(json!({
        "earning": {"pending_days": 14, "expiry_months": 1},
        "reminders": {"points_days": [30]},
    }));
    shop.does(order("A", "2024-01-10T12:00Z", 10_000));
    shop.does(post_due("2024-01-12T00:00Z"));
    assert_eq!(shop.told(), "");
    // They mature in the midst of the 24th.
    assert_eq!(shop.due_after(Some("2024-01-12T00:00Z")), "2024-01-24");

    shop.does(post_due("2024-01-25T00:00Z"));

    assert_eq!(shop.told(), "100 through 2024-02-10");
    assert_eq!(shop.due_after(Some("2024-01-25T00:00Z")), "2024-02-10");
}
