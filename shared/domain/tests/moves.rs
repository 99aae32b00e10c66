//! Behavior of transfers and adjustments, sentence by sentence: what two accounts show after a history of requests.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::collections::BTreeMap;

use jiff::Timestamp;
use loyalty_domain::{
    account::Account,
    adjustment::{AdjustmentChange, NewAdjustment, PROPOSALS_MAX},
    command::{NewStatus, Request},
    decide::{Decision, Known, Rejection, decide},
    event::Event,
    id::{AdjustmentId, ClientId, MemberId, RequestKey},
    opening::{BroughtLot, Opening},
    points::Points,
    program::{CapPeriod, Program, ProgramSpec},
};
use proptest::prelude::{Just, Strategy, prop, prop_oneof, proptest};
use serde_json::{Value, json};

/// One program, members, and all that was kept of the requests so far.
///
/// This and the constructors of requests below it are the only test code that knows the API.
#[derive(Clone, Debug)]
struct Shop {
    program: Program,
    accounts: BTreeMap<String, Account>,
    history: BTreeMap<String, Vec<(Timestamp, Vec<Event>)>>,
    keys: u32,
}

impl Shop {
    /// One point a pound for twelve months, in London, with transfers on; but for `section`s.
    #[track_caller]
    fn of(sections: &Value) -> Self {
        let mut spec = json!({
            "name": "Moves", "version": 1, "effective": "2010-01-01", "currency": "GBP",
            "time_zone": "Europe/London",
            "earning": {"points_per_unit": "1", "expiry_months": 12},
            "tiers": {"levels": [{"id": "blue", "name": "Blue"}]},
            "enrollment": {"activation": "none"},
            "transfers": {},
        });
        for (name, section) in sections.as_object().unwrap() {
            spec.as_object_mut().unwrap().insert(name.clone(), section.clone());
        }
        let spec: ProgramSpec = serde_json::from_value(spec).unwrap();
        let program = Program::try_from(spec).unwrap();
        Self { program, accounts: BTreeMap::new(), history: BTreeMap::new(), keys: 0 }
    }

    /// Two members of 2026-01-01, the first with `points` of each last good day.
    #[track_caller]
    fn with(sections: &Value, lots: &[(&str, u64)]) -> Self {
        let mut shop = Self::of(sections);
        shop.does(&joins("ann", "2026-01-01T00:00Z"));
        shop.does(&joins("bob", "2026-01-01T00:00Z"));
        if !lots.is_empty() {
            shop.does(&brings("ann", "2026-01-01T00:00Z", lots, 0));
        }
        shop
    }

    fn account(&self, id: &str) -> Account {
        self.accounts.get(id).cloned().unwrap_or_default()
    }

    fn key(&mut self) -> RequestKey {
        self.keys += 1;
        self.keys.to_string().as_str().try_into().unwrap()
    }

    fn answer(&self, request: &Request, other: Option<&str>) -> Result<Decision, Rejection> {
        let account = self.account(request.member_id().unwrap().as_str());
        let other = other.map(|it| self.account(it));
        decide(&self.program, &Known { account, other, ..Known::default() }, request)
    }

    #[track_caller]
    fn keep(&mut self, id: &str, at: Timestamp, events: Vec<Event>, mut account: Account) {
        account.end_entry(at).unwrap();
        self.accounts.insert(id.to_owned(), account);
        self.history.entry(id.to_owned()).or_default().push((at, events));
        self.check(id);
    }

    #[track_caller]
    fn settle(&mut self, request: &Request, decision: Decision) {
        let Decision::Effect { at, events, account, second } = decision else {
            panic!("{request:#?} should take effect: {decision:#?}")
        };
        let id = request.member_id().unwrap().as_str();
        self.keep(id, at, events, *account.unwrap());
        if let Some(second) = second {
            assert_ne!(second.id, request.id, "two entries, two ids");
            self.keep(second.member_id.as_str(), second.at, second.events, *second.account);
        }
    }

    #[track_caller]
    fn does(&mut self, request: &Request) {
        match self.answer(request, None) {
            Ok(decision) => self.settle(request, decision),
            Err(rejection) => panic!("{request:#?} should take effect: {rejection}"),
        }
    }

    /// `from` gives `points` to `to` at an instant.
    fn gives(&mut self, from: &str, to: &str, at: &str, points: u64) -> Result<(), Rejection> {
        let request = Request::transfer(
            ClientId::try_from("shop").unwrap(),
            self.key(),
            member(from),
            instant(at),
            member(to),
            amount(points),
        );
        // A store reads no other account where both names lead to one.
        let decision = self.answer(&request, (from != to).then_some(to))?;
        self.settle(&request, decision);
        Ok(())
    }

    /// Staff called `who` adjust Ann's points; the id of what may wait.
    fn adjusts(
        &mut self,
        who: &str,
        at: &str,
        change: AdjustmentChange,
        points: u64,
    ) -> Result<AdjustmentId, Rejection> {
        let new = NewAdjustment {
            change,
            points: amount(points),
            reason: "goodwill".try_into().unwrap(),
            note: None,
        };
        let client = ClientId::try_from(who).unwrap();
        let request = Request::adjust(client, self.key(), member("ann"), instant(at), new);
        let decision = self.answer(&request, None)?;
        self.settle(&request, decision);
        Ok(AdjustmentId::of(&request.id))
    }

    /// Staff called `who` decide about what waits.
    fn reviews(
        &mut self,
        who: &str,
        at: &str,
        adjustment: AdjustmentId,
        approves: bool,
    ) -> Result<(), Rejection> {
        let client = ClientId::try_from(who).unwrap();
        let (key, reason) = (self.key(), "checked".try_into().unwrap());
        let (id, at) = (member("ann"), instant(at));
        let request = Request::review_adjustment(client, key, id, at, adjustment, approves, reason);
        let decision = self.answer(&request, None)?;
        self.settle(&request, decision);
        Ok(())
    }

    /// What holds after every step.
    #[track_caller]
    fn check(&self, id: &str) {
        let account = self.account(id);
        let signed = |points: Points| i128::from(points.get());
        let (balance, totals) = (account.balance().unwrap(), account.totals);
        let transferred = account.holdings.transferred;
        assert_eq!(
            signed(totals.earned) - signed(totals.clawed_back) - signed(totals.spent)
                + signed(totals.given_back)
                - signed(totals.expired)
                + signed(totals.adjusted.up)
                - signed(totals.adjusted.down)
                + signed(transferred.up)
                - signed(transferred.down),
            signed(balance.available) + signed(balance.pending) + signed(balance.held)
                - signed(balance.debt),
            "points are conserved: {account:#?}"
        );
        assert!(
            balance.debt.is_zero() || balance.available.is_zero(),
            "whoever owes points has none to use: {account:#?}"
        );
        let history = self.history.get(id).unwrap();
        let history = history.iter().map(|(at, events)| (*at, events.as_slice()));
        assert_eq!(Account::replay(history).unwrap(), account, "replaying gives the account");
    }

    /// Lots that hold something, by last good day, in the order of use, and what is owed.
    fn lots(&self, id: &str) -> String {
        let account = self.account(id);
        let lots = account.lots.iter().filter(|it| !it.points.is_zero());
        let mut all: Vec<_> =
            lots.map(|it| format!("{} {}", it.last_good_day, it.points)).collect();
        if !account.debt.is_zero() {
            all.push(format!("debt {}", account.debt));
        }
        all.join(", ")
    }

    /// What came from others and went to them, and what staff added and took off.
    fn moved(&self, id: &str) -> [u64; 4] {
        let account = self.account(id);
        let (transferred, adjusted) = (account.holdings.transferred, account.totals.adjusted);
        [transferred.up, transferred.down, adjusted.up, adjusted.down].map(Points::get)
    }
}

fn member(id: &str) -> MemberId {
    MemberId::try_from(id).unwrap()
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn amount(points: u64) -> Points {
    Points::try_from(points).unwrap()
}

fn joins(id: &str, at: &str) -> Request {
    Request::enroll(member(id), instant(at), None)
}

fn brings(id: &str, at: &str, lots: &[(&str, u64)], debt: u64) -> Request {
    let lots = lots.iter().map(|(day, points)| BroughtLot {
        last_good_day: day.parse().unwrap(),
        points: amount(*points),
    });
    let opening = Opening { lots: lots.collect(), debt: amount(debt), ..Opening::default() };
    Request::open(member(id), instant(at), opening)
}

fn becomes(id: &str, at: &str, status: NewStatus) -> Request {
    let (client, key) = (ClientId::try_from("desk").unwrap(), RequestKey::try_from(at).unwrap());
    Request::set_status(client, key, member(id), instant(at), status, "rule".try_into().unwrap())
}

const ADD: AdjustmentChange = AdjustmentChange::Add { through: None };
const NOON: &str = "2026-02-01T12:00Z";

#[test]
fn points_that_are_given_are_those_that_end_first_and_keep_their_days() {
    let mut shop = Shop::with(&json!({}), &[("2026-03-31", 30), ("2026-06-30", 100)]);

    shop.gives("ann", "bob", NOON, 50).unwrap();

    assert_eq!(shop.lots("ann"), "2026-06-30 80");
    assert_eq!(shop.lots("bob"), "2026-03-31 30, 2026-06-30 20");
    assert_eq!((shop.moved("ann"), shop.moved("bob")), ([0, 50, 130, 0], [50, 0, 0, 0]));

    // To and fro, and none lives longer.
    shop.gives("bob", "ann", NOON, 50).unwrap();
    assert_eq!(shop.lots("ann"), "2026-03-31 30, 2026-06-30 100");
    assert_eq!(shop.lots("bob"), "");
}

#[test]
fn points_that_come_pay_a_debt_first() {
    let mut shop = Shop::with(&json!({}), &[("2026-03-31", 30), ("2026-06-30", 100)]);
    shop.does(&brings("bob", "2026-01-02T00:00Z", &[], 40));

    shop.gives("ann", "bob", NOON, 35).unwrap();
    assert_eq!(shop.lots("bob"), "debt 5");
    shop.gives("ann", "bob", NOON, 35).unwrap();
    assert_eq!(shop.lots("bob"), "2026-06-30 30");
}

#[test]
fn each_side_of_a_transfer_takes_effect_at_its_own_instant() {
    let mut shop = Shop::with(&json!({}), &[("2026-02-28", 30), ("2026-12-31", 5)]);
    shop.does(&becomes("bob", "2026-03-10T12:00Z", NewStatus::Frozen));
    shop.does(&becomes("bob", "2026-03-11T12:00Z", NewStatus::Active));

    shop.gives("ann", "bob", NOON, 35).unwrap();

    // Of what has ended by the receiver's clock nothing is left there.
    assert_eq!(shop.lots("bob"), "2026-12-31 5");
    assert_eq!(shop.account("bob").totals.expired, amount(30));
    assert_eq!(shop.account("bob").clock, Some(instant("2026-03-11T12:00Z")));
    assert_eq!(shop.account("ann").clock, Some(instant(NOON)));
}

#[test]
fn what_fell_due_on_both_sides_happens_before_a_transfer() {
    let mut shop = Shop::with(&json!({}), &[("2026-01-31", 100)]);
    shop.does(&brings("bob", "2026-01-02T00:00Z", &[("2026-01-31", 7)], 0));

    let rejection = shop.gives("ann", "bob", NOON, 1).unwrap_err();
    let (available, requested) = (Points::ZERO, amount(1));
    assert_eq!(rejection, Rejection::InsufficientPoints { available, requested });

    shop.gives("bob", "ann", "2026-01-31T12:00Z", 3).unwrap();
    assert_eq!(
        (shop.lots("ann"), shop.lots("bob")),
        ("2026-01-31 103".into(), "2026-01-31 4".into())
    );
}

#[test]
fn giving_points_lets_the_giver_s_slide_and_not_those_that_are_given() {
    let sliding =
        json!({"earning": {"points_per_unit": "1", "expiry_months": 6, "expiry": "sliding"}});
    let mut shop = Shop::with(&sliding, &[("2026-03-31", 100)]);

    shop.gives("ann", "bob", NOON, 40).unwrap();
    assert_eq!(
        (shop.lots("ann"), shop.lots("bob")),
        ("2026-08-01 60".into(), "2026-03-31 40".into())
    );
}

#[test]
fn a_gift_that_comes_after_points_began_to_slide_is_not_kept_by_that_whoever_has_looked() {
    let sliding =
        json!({"earning": {"points_per_unit": "1", "expiry_months": 6, "expiry": "sliding"}});
    let mut shop = Shop::with(&sliding, &[]);
    shop.program = {
        let mut spec: ProgramSpec = shop.program.clone().into();
        spec.effective = "2026-02-01".parse().unwrap();
        Program::try_from(spec).unwrap()
    };
    shop.does(&brings("bob", "2026-01-02T00:00Z", &[("2026-02-28", 7)], 0));
    shop.does(&brings("ann", "2026-02-05T00:00Z", &[("2026-03-31", 100)], 0));

    // Bob's own points last to the first of August, as was promised on the first of February.
    shop.gives("ann", "bob", "2026-03-20T12:00Z", 40).unwrap();

    assert_eq!(shop.lots("bob"), "2026-03-31 40, 2026-08-01 7");
}

#[test]
fn every_reason_against_a_transfer_has_its_name_and_its_place_among_the_others() {
    let spec = json!({"transfers": {
        "min_points": 10, "waiting_days": 30, "caps": [{"period": "month", "points": 50}],
    }});
    let late = "2026-01-31T00:00Z";
    let mut shop = Shop::with(&spec, &[("2026-12-31", 100)]);

    assert_eq!(shop.gives("eve", "bob", late, 0), Err(Rejection::NotEnrolled));
    assert_eq!(shop.gives("ann", "ann", late, 0), Err(Rejection::OwnAccount));
    let from = instant("2026-01-31T00:00Z");
    let early = shop.gives("ann", "bob", "2026-01-30T23:59:59.999Z", 0);
    assert_eq!(early, Err(Rejection::AccountTooNew { from }));
    assert_eq!(shop.gives("ann", "bob", late, 0), Err(Rejection::AmountIsZero));
    let min = amount(10);
    assert_eq!(shop.gives("ann", "bob", late, 9), Err(Rejection::FewerThanMinimum { min }));
    let capped =
        |left| Rejection::TransferCapReached { period: CapPeriod::Month, left: amount(left) };
    assert_eq!(shop.gives("ann", "bob", late, 51), Err(capped(50)));
    // Who is a member is nothing that a gift tells which could not be made anyway.
    assert_eq!(shop.gives("ann", "eve", late, 51), Err(capped(50)));
    assert_eq!(shop.gives("ann", "eve", late, 50), Err(Rejection::ReceiverNotActive));
    shop.gives("ann", "bob", late, 50).unwrap();
    assert_eq!(shop.gives("ann", "bob", late, 10), Err(capped(0)));

    // The cap counts by the giver's month.
    shop.gives("ann", "bob", NOON, 10).unwrap();
    assert_eq!(shop.gives("ann", "bob", NOON, 41), Err(capped(40)));
    assert_eq!(shop.account("ann").holdings.sent.len(), 1, "what has ended is forgotten");

    shop.does(&becomes("bob", "2026-02-02T00:00Z", NewStatus::Frozen));
    let march = "2026-03-01T12:00Z";
    assert_eq!(shop.gives("ann", "bob", march, 10), Err(Rejection::ReceiverNotActive));
    assert_eq!(shop.gives("bob", "ann", march, 10), Err(Rejection::AccountFrozen));
    shop.does(&becomes("bob", "2026-02-03T00:00Z", NewStatus::Closed));
    assert_eq!(shop.gives("ann", "bob", march, 10), Err(Rejection::ReceiverNotActive));
    assert_eq!(shop.gives("bob", "ann", march, 10), Err(Rejection::AccountClosed));

    let mut off = Shop::with(&json!({"transfers": null}), &[("2026-12-31", 100)]);
    assert_eq!(off.gives("ann", "bob", NOON, 10), Err(Rejection::TransfersOff));
}

#[test]
fn a_member_who_could_not_be_reached_yet_neither_gives_nor_gets() {
    let mut shop = Shop::of(&json!({"enrollment": {"activation": "code"}}));
    shop.does(&joins("ann", "2026-01-01T00:00Z"));
    shop.does(&joins("bob", "2026-01-01T00:00Z"));
    shop.does(&Request::activate(member("ann"), instant("2026-01-02T00:00Z")));
    shop.does(&brings("ann", "2026-01-02T00:00Z", &[("2026-12-31", 100)], 0));

    assert_eq!(shop.gives("ann", "bob", NOON, 10), Err(Rejection::ReceiverNotActive));
    assert_eq!(shop.gives("bob", "ann", NOON, 10), Err(Rejection::AccountPending));
}

#[test]
fn points_that_staff_add_pay_a_debt_first_and_last_as_long_as_they_say() {
    let mut shop = Shop::with(&json!({"adjustments": {"expiry_months": 1}}), &[]);
    shop.does(&brings("ann", "2026-01-31T12:00Z", &[], 30));

    shop.adjusts("kim", "2026-01-31T12:00Z", ADD, 50).unwrap();
    assert_eq!(shop.lots("ann"), "2026-02-28 20");
    let through = AdjustmentChange::Add { through: Some("2026-02-10".parse().unwrap()) };
    shop.adjusts("kim", "2026-01-31T12:00Z", through, 5).unwrap();
    assert_eq!(shop.lots("ann"), "2026-02-10 5, 2026-02-28 20");
    let over = AdjustmentChange::Add { through: Some("2026-01-30".parse().unwrap()) };
    let rejection = shop.adjusts("kim", "2026-01-31T12:00Z", over, 5).unwrap_err();
    assert_eq!(rejection, Rejection::EndIsOver { through: "2026-01-30".parse().unwrap() });

    let mut plain = Shop::with(&json!({}), &[]);
    plain.adjusts("kim", "2026-01-31T12:00Z", ADD, 1_000_000).unwrap();
    assert_eq!(plain.lots("ann"), "2027-01-31 1000000", "as what is earned; nobody must approve");
}

#[test]
fn staff_take_points_in_the_order_of_use_and_never_past_zero() {
    let mut shop = Shop::with(&json!({}), &[("2026-03-31", 30), ("2026-06-30", 100)]);

    shop.adjusts("kim", NOON, AdjustmentChange::Take, 50).unwrap();
    assert_eq!(shop.lots("ann"), "2026-06-30 80");
    let rejection = shop.adjusts("kim", NOON, AdjustmentChange::Take, 81).unwrap_err();
    let (available, requested) = (amount(80), amount(81));
    assert_eq!(rejection, Rejection::InsufficientPoints { available, requested });
    assert_eq!(shop.moved("ann"), [0, 0, 130, 50]);

    assert_eq!(shop.adjusts("kim", NOON, ADD, 0).unwrap_err(), Rejection::AmountIsZero);
    shop.does(&becomes("ann", NOON, NewStatus::Closed));
    assert_eq!(shop.adjusts("kim", NOON, ADD, 1).unwrap_err(), Rejection::AccountClosed);
    let nobody = Shop::of(&json!({})).adjusts("kim", NOON, ADD, 1);
    assert_eq!(nobody.unwrap_err(), Rejection::NotEnrolled, "an id that was mistyped");
}

#[test]
fn above_the_limit_a_second_person_decides_and_never_the_first() {
    let spec = json!({"adjustments": {"approval_above": 100}});
    let mut shop = Shop::with(&spec, &[]);
    shop.adjusts("kim", NOON, ADD, 100).unwrap();
    let waits = shop.adjusts("kim", NOON, ADD, 101).unwrap();
    assert_eq!(shop.lots("ann"), "2027-02-01 100", "nothing moves until then");

    let own = shop.reviews("kim", NOON, waits, true);
    assert_eq!(own, Err(Rejection::ApproverIsRequester));
    assert_eq!(shop.reviews("kim", NOON, waits, false), Err(Rejection::ApproverIsRequester));
    shop.reviews("lee", "2026-02-05T12:00Z", waits, true).unwrap();
    assert_eq!(shop.lots("ann"), "2027-02-01 100, 2027-02-05 101", "as of the approval");
    let again = shop.reviews("lee", "2026-02-05T12:00Z", waits, true);
    assert_eq!(again, Err(Rejection::NoSuchAdjustment));

    let denied = shop.adjusts("kim", "2026-02-06T12:00Z", AdjustmentChange::Take, 150).unwrap();
    shop.reviews("lee", "2026-02-06T12:00Z", denied, false).unwrap();
    let again = shop.reviews("lee", "2026-02-06T12:00Z", denied, true);
    assert_eq!(again, Err(Rejection::NoSuchAdjustment));
    assert_eq!(shop.moved("ann"), [0, 0, 201, 0]);
}

#[test]
fn what_waits_for_a_second_person_is_looked_at_as_it_is_by_then() {
    let spec = json!({"adjustments": {"approval_above": 10}});
    let mut shop = Shop::with(&spec, &[("2026-12-31", 100)]);
    let take = shop.adjusts("kim", NOON, AdjustmentChange::Take, 80).unwrap();
    let through = AdjustmentChange::Add { through: Some("2026-02-01".parse().unwrap()) };
    let add = shop.adjusts("kim", NOON, through, 20).unwrap();
    shop.gives("ann", "bob", NOON, 50).unwrap();

    let later = "2026-02-02T12:00Z";
    let (available, requested) = (amount(50), amount(80));
    let short = shop.reviews("lee", later, take, true);
    assert_eq!(short, Err(Rejection::InsufficientPoints { available, requested }));
    let over = shop.reviews("lee", later, add, true);
    assert_eq!(over, Err(Rejection::EndIsOver { through: "2026-02-01".parse().unwrap() }));

    // Neither is lost by being refused, and both can be denied of an account that is closed.
    shop.does(&becomes("ann", later, NewStatus::Closed));
    assert_eq!(shop.reviews("lee", later, take, true), Err(Rejection::AccountClosed));
    shop.reviews("lee", later, take, false).unwrap();
    shop.reviews("lee", later, add, false).unwrap();
    assert!(shop.account("ann").holdings.proposals.is_empty());
}

#[test]
fn only_so_many_adjustments_wait() {
    let mut shop = Shop::with(&json!({"adjustments": {"approval_above": 0}}), &[]);
    let first = shop.adjusts("kim", NOON, ADD, 1).unwrap();
    for _ in 1..PROPOSALS_MAX {
        shop.adjusts("kim", NOON, ADD, 1).unwrap();
    }
    assert_eq!(shop.adjusts("kim", NOON, ADD, 1).unwrap_err(), Rejection::TooManyProposals);
    shop.reviews("lee", NOON, first, false).unwrap();
    shop.adjusts("kim", NOON, ADD, 1).unwrap();
}

#[test]
fn no_sum_of_points_that_come_ever_wraps() {
    let mut shop = Shop::with(&json!({}), &[]);
    shop.adjusts("kim", NOON, ADD, Points::MAX.get()).unwrap();
    assert_eq!(shop.adjusts("kim", NOON, ADD, 1).unwrap_err(), Rejection::OutOfRange);
    shop.gives("ann", "bob", NOON, Points::MAX.get()).unwrap_err();
    shop.gives("ann", "bob", NOON, 1).unwrap_err();
    assert_eq!(shop.lots("ann"), format!("2027-02-01 {}", Points::MAX));
}

#[test]
fn an_old_program_says_the_same_words() {
    let spec: ProgramSpec = Shop::of(&json!({"transfers": null})).program.into();
    let said = serde_json::to_value(spec).unwrap();
    assert_eq!((said.get("transfers"), said.get("adjustments")), (None, None));
}

#[derive(Clone, Debug)]
enum Step {
    Gives { from: usize, to: usize, points: u64 },
    Adds { points: u64 },
    Takes { points: u64 },
    Owes { who: usize },
}

fn any_step() -> impl Strategy<Value = Step> {
    let points = || prop_oneof![1..80_u64, Just(Points::MAX.get())];
    prop_oneof![
        6 => (0..3_usize, 0..3_usize, points()).prop_map(|(from, to, points)| Step::Gives { from, to, points }),
        2 => points().prop_map(|points| Step::Adds { points }),
        2 => points().prop_map(|points| Step::Takes { points }),
        1 => (0..3_usize).prop_map(|who| Step::Owes { who }),
    ]
}

proptest! {
    /// Whoever gives what to whom, all points together are those that came from outside, less those that left;
    /// and each account keeps its sums and can be replayed, which `check` looks at after every step.
    #[test]
    fn giving_neither_makes_points_nor_loses_them(steps in prop::collection::vec((any_step(), 0..4_u32), 0..40)) {
        let mut shop = Shop::with(&json!({}), &[("2026-03-31", 100), ("2026-12-31", 100)]);
        shop.does(&joins("eve", "2026-01-01T00:00Z"));
        let names = ["ann", "bob", "eve"];
        let name = |index: usize| names.get(index).copied().unwrap_or("ann");
        let mut day = instant("2026-02-01T00:00Z");
        for (step, days) in steps {
            day += jiff::SignedDuration::from_hours(i64::from(days) * 240);
            let at = day.to_string();
            let answer: Result<(), Rejection> = match step {
                Step::Gives { from, to, points } => shop.gives(name(from), name(to), &at, points),
                Step::Adds { points } => shop.adjusts("kim", &at, ADD, points).map(|_| ()),
                Step::Takes { points } => {
                    shop.adjusts("kim", &at, AdjustmentChange::Take, points).map(|_| ())
                }
                Step::Owes { who } => {
                    let request = brings(name(who), &at, &[], 25);
                    shop.answer(&request, None).map(|it| shop.settle(&request, it))
                }
            };
            // Refused or not, nothing is lost.
            drop(answer);
        }
        let (mut issued, mut here) = (0_i128, 0_i128);
        for id in names {
            let account = shop.account(id);
            let (balance, totals) = (account.balance().unwrap(), account.totals);
            let signed = |points: Points| i128::from(points.get());
            issued += signed(totals.adjusted.up) - signed(totals.adjusted.down) - signed(totals.expired);
            here += signed(balance.available) - signed(balance.debt);
        }
        assert_eq!(here, issued);
    }
}
