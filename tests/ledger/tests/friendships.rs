//! Random histories of members who bring each other: what always holds, whoever comes first and whatever is
//! killed on the way.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic, and looks for what it names"
)]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use jiff::{Timestamp, ToSpan};
use loyalty_domain::{
    account::{Account, CapKey},
    command::{Command, Correction, NewStatus, Request},
    event::{Event, GrantReason, GrantTakenBack, Granted, ReferralEvent, Settled},
    id::{ChangeId, ClientId, CommandId, MemberId, ReasonCode, RefundId, RequestKey},
    money::Minor,
    points::Points,
    program::Program,
    referral::{ReferralState, SignalKind},
};
use loyalty_ledger::{
    Appended, Attempts, Change, Entry, Ledger, LedgerError, Loaded, Reading, due::post_due,
    execute, memory::MemoryLedger,
};
use loyalty_tests_ledger::{
    friends::{code_of, events, program},
    history::{assert_conserved, histories, member, order_id},
    order,
};
use pollster::block_on;
use proptest::prelude::*;
use serde_json::json;

/// One thing that may happen, with small numbers so that they meet. Members and orders are numbers.
#[derive(Clone, Debug)]
enum Step {
    Enroll {
        member: u8,
        hours: u16,
        by: Option<u8>,
    },
    Activate {
        member: u8,
        hours: u16,
    },
    Status {
        member: u8,
        hours: u16,
        status: NewStatus,
    },
    Order {
        member: u8,
        hours: u16,
        minor: u64,
        by: Option<u8>,
    },
    Refund {
        order: u8,
        hours: u16,
        minor: u64,
    },
    Cancel {
        order: u8,
        hours: u16,
    },
    Change {
        order: u8,
        hours: u16,
        minor: u64,
    },
    Spend {
        member: u8,
        hours: u16,
        points: u64,
    },
    Night {
        member: u8,
        days: u16,
    },
    Review {
        member: u8,
        hours: u16,
        approves: bool,
    },
    Share {
        members: [u8; 2],
    },
    /// A message that something qualified is delivered, maybe not for the last time.
    Deliver {
        message: u8,
        again: bool,
    },
    Repeat {
        step: u8,
    },
}

/// What happens to a change that is about to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Nothing: it is stored.
    None,
    /// Somebody else was faster.
    Raced,
    /// Whoever asked is killed before it is stored, or after.
    KilledBefore,
    KilledAfter,
}

const MEMBERS: u8 = 5;
/// A little less than three months, which have return windows, and nights, in them.
const HOURS: u16 = 2_000;

fn any_step() -> impl Strategy<Value = Step> {
    let member = || 0..MEMBERS;
    let hours = || 0..HOURS;
    let minor =
        || prop_oneof![1 => Just(0_u64), 1 => Just(1_999), 2 => Just(2_000), 4 => 1_000..6_000_u64];
    let order = || 0..6_u8;
    let by = || prop::option::weighted(0.3, 0..MEMBERS);
    let statuses =
        || prop_oneof![Just(NewStatus::Active), Just(NewStatus::Frozen), Just(NewStatus::Closed)];
    prop_oneof![
        3 => (member(), hours(), by()).prop_map(|(member, hours, by)| Step::Enroll { member, hours, by }),
        3 => (member(), hours()).prop_map(|(member, hours)| Step::Activate { member, hours }),
        1 => (member(), hours(), statuses())
            .prop_map(|(member, hours, status)| Step::Status { member, hours, status }),
        12 => (member(), hours(), minor(), by())
            .prop_map(|(member, hours, minor, by)| Step::Order { member, hours, minor, by }),
        3 => (order(), hours(), minor())
            .prop_map(|(order, hours, minor)| Step::Refund { order, hours, minor }),
        1 => (order(), hours()).prop_map(|(order, hours)| Step::Cancel { order, hours }),
        2 => (order(), hours(), minor())
            .prop_map(|(order, hours, minor)| Step::Change { order, hours, minor }),
        2 => (member(), hours(), 1..150_u64)
            .prop_map(|(member, hours, points)| Step::Spend { member, hours, points }),
        8 => (member(), 0..100_u16).prop_map(|(member, days)| Step::Night { member, days }),
        2 => (member(), hours(), prop::bool::weighted(0.7))
            .prop_map(|(member, hours, approves)| Step::Review { member, hours, approves }),
        1 => [member(), member()].prop_map(|members| Step::Share { members }),
        6 => (any::<u8>(), any::<bool>())
            .prop_map(|(message, again)| Step::Deliver { message, again }),
        2 => any::<u8>().prop_map(|step| Step::Repeat { step }),
    ]
}

/// Most members join early, each brought by another one, so that there is something that can go wrong.
fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let by = || prop::option::weighted(0.8, prop_oneof![3 => Just(0_u8), 1 => 0..MEMBERS]);
    let joins = prop::collection::vec((prop::bool::weighted(0.8), by()), usize::from(MEMBERS));
    (joins, prop::collection::vec(any_step(), 1..60)).prop_map(|(joins, steps)| {
        let mut all = Vec::new();
        for (id, (is_early, by)) in (0..MEMBERS).zip(joins) {
            if is_early {
                let hours = u16::from(id);
                all.push(Step::Enroll { member: id, hours, by });
                all.push(Step::Activate { member: id, hours });
            }
        }
        all.extend(steps);
        all
    })
}

fn any_fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        3 => Just(Fault::None),
        1 => Just(Fault::Raced),
        1 => Just(Fault::KilledBefore),
        1 => Just(Fault::KilledAfter),
    ]
}

/// A program of any settings that make a difference to friends.
fn any_program() -> impl Strategy<Value = Program> {
    (
        prop_oneof![Just("none"), Just("code")],
        prop_oneof![Just(json!(null)), Just(json!(30))],
        prop_oneof![Just(0), Just(14)],
        prop_oneof![Just(json!(null)), Just(json!("20"))],
        prop_oneof![
            Just(json!([])),
            Just(json!([{"friends": 1, "points": 7}, {"friends": 2, "points": 500}])),
            Just(json!([{"friends": 3, "points": 60}])),
        ],
        prop_oneof![
            Just(json!([])),
            Just(json!([{"period": "month", "points": 150}])),
            Just(json!([{"period": "day", "points": 101}, {"period": "lifetime", "points": 230}])),
        ],
        prop_oneof![2 => Just(json!(null)), 1 => Just(json!({"period": "month", "friends": 1}))],
    )
        .prop_map(|(activation, welcome, window, least, milestones, caps, velocity)| {
            program(&json!({
                "earning": {"points_per_unit": "1"},
                "enrollment": {"activation": activation, "points": welcome},
                "referral": {
                    "window_days": window, "min_amount": least, "milestones": milestones,
                    "caps": caps, "velocity": velocity,
                },
            }))
        })
}

fn at(hours: u16) -> Timestamp {
    "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + i64::from(hours).hours()
}

/// What a step asks for, if it is a request.
fn request(index: usize, step: &Step, orders: &mut u8) -> Option<Request> {
    let key = RequestKey::try_from(format!("k{index}").as_str()).unwrap();
    let client = ClientId::try_from("desk").unwrap();
    let reason = ReasonCode::try_from("looked-into").unwrap();
    let code = |by: u8| code_of(member(by).as_str());
    let of = |minor: u64, hours: u16, id: &str, owner: u8| {
        let mut request = order(id, member(owner).as_str(), minor, 0);
        request.at = at(hours);
        let Command::PayOrder(mut order) = request.command else { panic!("not an order") };
        order.paid_at = request.at;
        order
    };
    Some(match *step {
        Step::Enroll { member: id, hours, by } => {
            Request::enroll(member(id), at(hours), by.map(code))
        }
        Step::Activate { member: id, hours } => Request::activate(member(id), at(hours)),
        Step::Status { member: id, hours, status } => {
            Request::set_status(client, key, member(id), at(hours), status, reason)
        }
        Step::Order { member: id, hours, minor, by } => {
            let mut order = of(minor, hours, order_id(*orders).as_str(), id);
            *orders += 1;
            order.referral_code = by.map(|it| code(it).as_str().into());
            Request::order(*order)
        }
        Step::Refund { order, hours, minor } => {
            let correction = Correction::Amount(Minor::try_from(minor).unwrap());
            let id = RefundId::try_from(format!("r{index}").as_str()).unwrap();
            Request::refund(order_id(order), id, at(hours), correction)
        }
        Step::Cancel { order, hours } => Request::cancel(order_id(order), at(hours)),
        Step::Change { order, hours, minor } => {
            let id = ChangeId::try_from(format!("c{index}").as_str()).unwrap();
            let content = of(minor, hours, "any", 0).content;
            Request::change(order_id(order), id, at(hours), content)
        }
        Step::Spend { member: id, hours, points } => {
            let points = Points::try_from(points).unwrap();
            Request::spend(client, key, member(id), at(hours), points)
        }
        Step::Night { member: id, days } => {
            let at = at(days * 24);
            post_due(member(id), jiff::tz::TimeZone::UTC.to_datetime(at).date(), at)
        }
        Step::Review { member: id, hours, approves } => {
            Request::review_referral(client, key, member(id), at(hours), approves, reason)
        }
        Step::Share { .. } | Step::Deliver { .. } | Step::Repeat { .. } => return None,
    })
}

/// A ledger that others write to, and whose callers are killed.
struct Faulty {
    ledger: MemoryLedger,
    faults: Mutex<Vec<Fault>>,
}

impl Ledger for Faulty {
    async fn load(&self, request: &Request, reading: Reading) -> Result<Loaded, LedgerError> {
        self.ledger.load(request, reading).await
    }

    async fn append(&self, change: Change) -> Result<Appended, LedgerError> {
        let killed =
            || LedgerError::Unavailable { operation: "append", source: "it was killed".into() };
        let fault = self.faults.lock().unwrap().pop();
        match fault.unwrap_or(Fault::None) {
            Fault::None => self.ledger.append(change).await,
            Fault::Raced => Ok(Appended::Raced),
            Fault::KilledBefore => Err(killed()),
            Fault::KilledAfter => {
                self.ledger.append(change).await?;
                Err(killed())
            }
        }
    }
}

/// A shop whose requests come again until they are answered, and whose stream says what qualified.
struct Shop {
    program: Program,
    ledger: Faulty,
    /// How many entries the stream has handed over.
    streamed: usize,
    messages: Vec<Request>,
    requests: Vec<Request>,
    orders: u8,
}

impl Shop {
    fn new(program: Program, faults: Vec<Fault>) -> Self {
        let ledger = MemoryLedger::default();
        for id in (0..MEMBERS).map(member) {
            ledger.give_code(code_of(id.as_str()), id);
        }
        let ledger = Faulty { ledger, faults: Mutex::new(faults) };
        Self { program, ledger, streamed: 0, messages: vec![], requests: vec![], orders: 0 }
    }

    fn post(&mut self, request: &Request) {
        while block_on(execute(&self.ledger, &self.program, &mut Attempts(9), request)).is_err() {}
        let entries = self.ledger.ledger.entries();
        for entry in &entries[self.streamed..] {
            for event in events(entry) {
                if let Event::Referral(event) = event
                    && let ReferralEvent::Qualified { at, .. } = **event
                {
                    let friend = entry.member_id.clone().unwrap();
                    self.messages.push(Request::settle_referral(friend, at));
                }
            }
        }
        self.streamed = entries.len();
        for (_, account) in self.ledger.ledger.accounts() {
            assert_conserved(&account);
        }
    }

    fn step(&mut self, index: usize, step: &Step) {
        if let Some(request) = request(index, step, &mut self.orders) {
            self.post(&request);
            self.requests.push(request);
            return;
        }
        match *step {
            Step::Share { members } => {
                for id in members {
                    let hash = [members[0]; 32].into();
                    self.ledger.ledger.note_signal(member(id), SignalKind::Device, hash);
                }
            }
            Step::Deliver { message, again } if !self.messages.is_empty() => {
                let message = usize::from(message) % self.messages.len();
                let request = self.messages[message].clone();
                if !again {
                    self.messages.remove(message);
                }
                self.post(&request);
            }
            Step::Repeat { step } if !self.requests.is_empty() => {
                let request = self.requests[usize::from(step) % self.requests.len()].clone();
                self.post(&request);
            }
            _ => (),
        }
    }

    fn deliver_all(&mut self) {
        while let Some(request) = self.messages.pop() {
            self.post(&request);
            self.post(&request);
        }
    }

    /// Every order is given back, whatever was before.
    fn refund_all(&mut self) {
        for order in 0..self.orders {
            let all = Correction::Amount(Minor::try_from(1_000_000).unwrap());
            let id = RefundId::try_from("all").unwrap();
            self.post(&Request::refund(order_id(order), id, at(HOURS + 24), all));
        }
        self.deliver_all();
    }

    fn accounts(&self) -> Vec<(MemberId, Account)> {
        self.ledger.ledger.accounts()
    }

    fn entries(&self) -> Vec<Arc<Entry>> {
        self.ledger.ledger.entries()
    }

    /// What was given for friends and what of it was taken back, in the order in which it was.
    fn grants(&self) -> Vec<(usize, Arc<Entry>, Event)> {
        let is_grant = |it: &Event| match it {
            Event::Granted(it) => it.reason != GrantReason::Welcome,
            Event::GrantTakenBack(_) => true,
            _ => false,
        };
        let entries = self.entries();
        let of = |(index, entry): (usize, &Arc<Entry>)| {
            let own = events(entry).iter().filter(|it| is_grant(it)).cloned();
            own.map(|it| (index, Arc::clone(entry), it)).collect::<Vec<_>>()
        };
        entries.iter().enumerate().flat_map(of).collect()
    }
}

/// Each friend rewards one referrer, once, in one transaction with their own reward; and so it is taken back.
fn assert_both_sides_or_none(shop: &Shop) {
    let grants = shop.grants();
    for (friend, account) in shop.accounts() {
        let mut sides = [[vec![], vec![]], [vec![], vec![]]];
        for (index, entry, event) in &grants {
            let (reason, is_back) = match event {
                Event::Granted(it) => (&it.reason, 0),
                Event::GrantTakenBack(it) => (&it.reason, 1),
                _ => continue,
            };
            let owner = entry.member_id.clone().unwrap();
            match reason {
                GrantReason::Referred { referrer } if owner == friend => {
                    sides[is_back][0].push((*index, referrer.clone()));
                }
                GrantReason::Brought { friend: it, .. } if *it == friend => {
                    sides[is_back][1].push((*index - 1, owner));
                }
                _ => (),
            }
        }
        let [given, back] = &sides;
        assert_eq!(given[0], given[1], "{friend}: both at once");
        assert_eq!(back[0], back[1], "{friend}: both at once");
        assert!(given[0].len() <= 1 && back[0].len() <= given[0].len(), "{friend}: {sides:?}");
        let state = account.membership.referred.as_ref().map(|it| &it.state);
        let is_rewarded = matches!(state, Some(ReferralState::Rewarded(_)));
        assert_eq!(is_rewarded, given[0].len() > back[0].len(), "{friend}: {state:?}");
    }
}

/// Milestones are held by whom enough friends are rewarded of, and by nobody else.
fn assert_milestones(shop: &Shop) {
    let accounts = shop.accounts();
    for (id, account) in &accounts {
        let rewarded = accounts.iter().filter(|(_, it)| {
            it.membership.referred.as_ref().is_some_and(|it| {
                it.referrer == *id && matches!(it.state, ReferralState::Rewarded(_))
            })
        });
        let rewarded = u32::try_from(rewarded.count()).unwrap();
        let referrals = &account.membership.referrals;
        assert_eq!(referrals.rewarded, rewarded, "{id}");
        let mut held: Vec<u32> = referrals.milestones.iter().map(|it| it.friends).collect();
        held.sort_unstable();
        let spec = shop.program.spec().referral.as_ref().unwrap();
        let reached = spec.milestones.iter().map(|it| it.friends).filter(|it| *it <= rewarded);
        assert_eq!(held, reached.collect::<Vec<_>>(), "{id}");
    }
}

/// What was given is what the caps had left, to the point.
fn assert_caps(shop: &Shop) {
    let spec = shop.program.spec().referral.as_ref().unwrap();
    let mut used: BTreeMap<(MemberId, CapKey), u64> = BTreeMap::new();
    let mut counted: BTreeMap<(MemberId, CapKey), u32> = BTreeMap::new();
    let entries = shop.entries();
    for (index, entry, event) in shop.grants() {
        let id = entry.member_id.clone().unwrap();
        let today = shop.program.calendar().day_of(entry.at);
        let (granted, full) = match event {
            Event::GrantTakenBack(taken) => {
                let GrantTakenBack { share, .. } = *taken;
                for key in share.caps {
                    *used.get_mut(&(id.clone(), key)).unwrap() -= share.points.get();
                }
                continue;
            }
            Event::Granted(granted) => match granted.reason {
                GrantReason::Brought { .. } => (granted, spec.referrer_points),
                GrantReason::Milestone { friends } => {
                    let own = spec.milestones.iter().find(|it| it.friends == friends);
                    (granted, own.unwrap().points)
                }
                GrantReason::Welcome | GrantReason::Referred { .. } => continue,
            },
            _ => continue,
        };
        let Granted { reason, share, cut, .. } = *granted;
        let left = spec.caps.iter().map(|cap| {
            let key = CapKey::of(cap.period, today);
            assert!(share.caps.contains(&key), "{share:?}");
            cap.points.get() - used.get(&(id.clone(), key)).copied().unwrap_or(0)
        });
        let expected = left.min().unwrap_or(u64::MAX).min(full.get());
        assert_eq!((share.points.get(), cut.get()), (expected, full.get() - expected), "{id}");
        for key in share.caps {
            *used.entry((id.clone(), key)).or_default() += share.points.get();
        }
        if let (GrantReason::Brought { .. }, Some(velocity)) = (reason, spec.velocity) {
            let counted = counted.entry((id, CapKey::of(velocity.period, today))).or_default();
            let is_by_staff = matches!(entries[index - 1].id, CommandId::Request { .. });
            assert!(is_by_staff || *counted < velocity.friends, "more than are natural");
            *counted += 1;
        }
    }
}

fn assert_replayed(shop: &Shop) {
    let entries = shop.entries();
    for (id, account) in shop.accounts() {
        let own = entries.iter().filter(|it| it.member_id.as_ref() == Some(&id));
        let own: Vec<_> = own.filter(|it| it.sequence.is_some()).collect();
        let replayed = Account::replay(own.iter().map(|it| (it.at, events(it)))).unwrap();
        assert_eq!(replayed, account, "{id}");
        assert_eq!(own.last().unwrap().balance, Some(account.balance().unwrap()), "{id}");
    }
}

/// Of what was given for friends nothing is left, on any side: what is missing is owed.
fn assert_nothing_is_left(shop: &Shop) {
    let signed = |points: Points| i128::from(points.get());
    for (id, account) in shop.accounts() {
        let state = account.membership.referred.as_ref().map(|it| &it.state);
        assert!(!matches!(state, Some(ReferralState::Rewarded(_))), "{id}: {state:?}");
        let entries = shop.entries();
        let own = entries.iter().filter(|it| it.member_id.as_ref() == Some(&id));
        let mut welcome = 0;
        for event in own.flat_map(|it| events(it)) {
            match event {
                Event::Granted(it) if it.reason == GrantReason::Welcome => {
                    welcome += signed(it.share.points);
                }
                Event::GrantTakenBack(it) => {
                    assert!(matches!(it.settled, Settled::TakenBack { .. }), "{it:?}");
                }
                _ => (),
            }
        }
        let balance = account.balance().unwrap();
        let has = signed(balance.available) + signed(balance.pending) - signed(balance.debt);
        assert_eq!(has, welcome - signed(account.totals.spent), "{id}: {account:#?}");
        assert!(account.membership.referrals.caps.iter().all(|it| it.points.is_zero()), "{id}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: histories(), ..ProptestConfig::default() })]

    #[test]
    fn friends_reward_one_referrer_once_on_both_sides_or_none(
        program in any_program(),
        steps in any_steps(),
        faults in prop::collection::vec(any_fault(), 0..60),
    ) {
        let mut shop = Shop::new(program, faults);
        for (index, step) in steps.iter().enumerate() {
            shop.step(index, step);
        }
        shop.deliver_all();

        assert_both_sides_or_none(&shop);
        assert_milestones(&shop);
        assert_caps(&shop);
        assert_replayed(&shop);

        shop.refund_all();

        assert_both_sides_or_none(&shop);
        assert_milestones(&shop);
        assert_caps(&shop);
        assert_replayed(&shop);
        assert_nothing_is_left(&shop);
    }
}
