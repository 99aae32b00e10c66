//! What every operation costs, by the capacity that the engine reports: it counts as AWS does.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use loyalty_domain::{
    checkout::NewHold,
    id::{CommandId, HoldId, RedemptionId, RedemptionStep},
    program::{CheckoutSpec, Program},
    reward::RewardKind,
};
use loyalty_domain::{command::Command, command::Request, id::LineId};
use loyalty_ledger::{
    Attempts, Preview, Reading, execute, preview,
    statement::{Accounts, statement},
};
use loyalty_tests_dynamodb::{Engine, Usage, Wire};
use loyalty_tests_ledger::{
    instant, member, order, program, refund,
    rewards::{offer, redeem, reward, step},
    spend,
};

/// A ledger and what it cost so far.
struct Priced {
    ledger: loyalty_dynamodb::DynamoDbLedger,
    wire: std::sync::Arc<Wire>,
    _engine: Engine,
}

impl Priced {
    fn new() -> Self {
        let engine = Engine::start();
        let (ledger, wire) = engine.ledger();
        Self { ledger, wire, _engine: engine }
    }

    async fn cost(&self, request: &Request) -> Usage {
        execute(&self.ledger, &program(), &mut Attempts(1), request).await.unwrap();
        self.wire.usage()
    }

    /// The redemption that began under `key` of the member `m1`.
    fn redemption(key: &str) -> RedemptionId {
        let CommandId::Redemption(_, redemption) = redeem(key, "m1", "mug", 1).id else {
            panic!("it begins one")
        };
        redemption
    }

    /// Write units, and half read units.
    async fn units(&self, request: &Request) -> (u64, u64) {
        let usage = self.cost(request).await;
        (usage.write_units, usage.read_halves)
    }
}

/// An order of as many lines as the real shop's orders have on average.
fn of_22_lines(id: &str, second: i64) -> Request {
    let mut request = order(id, "member-1", 1_234, second);
    if let Command::PayOrder(order) = &mut request.command {
        let line = order.content.lines.first().unwrap().clone();
        order.content.lines = (1..=22)
            .map(|it| {
                let id = LineId::try_from(it.to_string().as_str()).unwrap();
                loyalty_domain::order::Line { id, ..line.clone() }
            })
            .collect();
    }
    request
}

#[tokio::test]
async fn an_order_costs_4_write_units_the_first_of_a_member_5_and_a_repeat_none() {
    let priced = Priced::new();

    let first = priced.units(&of_22_lines("o1", 0)).await;
    let second = priced.units(&of_22_lines("o2", 60)).await;
    let again = priced.cost(&of_22_lines("o2", 60)).await;

    assert_eq!(first, (5, 2));
    assert_eq!(second, (4, 2));
    assert_eq!(again.writes(), 0, "{again:?}");
    assert!(again.read_halves <= 2, "{again:?}");
}

#[tokio::test]
async fn a_due_day_that_moves_earlier_costs_2_more_and_one_that_would_move_later_nothing() {
    let priced = Priced::new();
    priced.units(&order("o1", "m1", 5_000, 100 * 86_400)).await;

    let later = priced.units(&order("o2", "m1", 5_000, 200 * 86_400)).await;
    // Paid before the first one, so its points are the first to go.
    let earlier = priced.units(&order("o3", "m1", 5_000, 50 * 86_400)).await;

    assert_eq!(later, (4, 2));
    assert_eq!(earlier, (6, 2));
}

#[tokio::test]
async fn a_refund_costs_6_write_units_and_one_that_comes_first_4() {
    let priced = Priced::new();
    priced.units(&order("o1", "m1", 5_000, 0)).await;

    let refunded = priced.units(&refund("o1", "r1", 1_000, 1)).await;
    let again = priced.cost(&refund("o1", "r1", 1_000, 1)).await;
    let first = priced.units(&refund("o2", "r1", 1_000, 1)).await;
    let its_order = priced.units(&order("o2", "m1", 5_000, 2)).await;

    assert_eq!(refunded.0, 6);
    assert_eq!(again.writes(), 0, "{again:?}");
    assert!(again.read_halves <= 2, "{again:?}");
    assert_eq!(first.0, 4);
    assert_eq!(its_order.0, 4);
}

#[tokio::test]
async fn spending_costs_4_write_units_and_a_refusal_one() {
    let priced = Priced::new();
    priced.units(&order("o1", "m1", 5_000, 0)).await;

    let spent = priced.units(&spend("k1", "m1", 20, 1)).await;
    let refused = priced.cost(&spend("k2", "m1", 31, 1)).await;

    assert_eq!(spent.0, 4);
    assert_eq!(refused.write_units, 1, "{refused:?}");
    // Cheaply at first, and surely before it stands for ever.
    assert_eq!(refused.requests["BatchGetItem"], 2);
}

/// The contract's program, by which a point pays a penny.
fn paying() -> Program {
    let mut spec = program().spec().clone();
    let worth = r#"{"point_worth": "0.01"}"#;
    spec.checkout = serde_json::from_str::<CheckoutSpec>(worth).ok();
    Program::try_from(spec).unwrap()
}

#[tokio::test]
async fn a_hold_costs_4_write_units_a_capture_4_an_order_that_uses_one_4_and_its_refund_6() {
    let priced = Priced::new();
    let program = paying();
    let units = async |request: &Request| {
        execute(&priced.ledger, &program, &mut Attempts(1), request).await.unwrap();
        let usage = priced.wire.usage();
        (usage.write_units, usage.read_halves)
    };
    units(&order("o1", "m1", 50_000, 0)).await;
    let hold = |key: &str| {
        let (total, currency) = (5_000.try_into().unwrap(), "GBP".parse().unwrap());
        let points = Some(100.try_into().unwrap());
        let new = NewHold { total, currency, points, minutes: None };
        let (client, key) = ("till".try_into().unwrap(), key.try_into().unwrap());
        Request::hold(client, key, member("m1"), instant(60), new)
    };
    let (used, let_go, pays) = (hold("1"), hold("2"), hold("3"));
    let client = || "till".try_into().unwrap();
    let capture = Request::capture(
        client(),
        "4".try_into().unwrap(),
        member("m1"),
        instant(61),
        HoldId::of(&used.id),
        Some(60.try_into().unwrap()),
    );
    let release = Request::release(
        client(),
        "5".try_into().unwrap(),
        member("m1"),
        instant(62),
        HoldId::of(&let_go.id),
    );
    let mut paid = order("o2", "m1", 2_000, 63);
    if let Command::PayOrder(order) = &mut paid.command {
        order.points_hold = Some(HoldId::of(&pays.id));
        order.content.paid_with_points = 80.try_into().unwrap();
    }

    let holds = [units(&used).await, units(&let_go).await, units(&pays).await];
    let (captured, released) = (units(&capture).await, units(&release).await);
    let (ordered, refunded) = (units(&paid).await, units(&refund("o2", "r1", 500, 64)).await);
    let again = preview(&priced.ledger, &program, &refund("o2", "r2", 500, 65)).await.unwrap();
    let looked_at = priced.wire.usage();

    assert_eq!(holds, [(4, 2); 3]);
    assert_eq!((captured, released), ((4, 2), (4, 2)));
    assert_eq!((ordered.0, refunded.0), (4, 6));
    // What would happen is only read.
    assert!(matches!(again, Preview::Would(_)), "{again:?}");
    assert_eq!(looked_at.writes(), 0, "{looked_at:?}");
}

#[tokio::test]
async fn a_redemption_costs_6_write_units_and_a_step_6_or_8() {
    let priced = Priced::new();
    priced.units(&order("o1", "m1", 8_000, 0)).await;
    offer(&priced.ledger, reward("mug", RewardKind::Goods, 20, 4), 100).await;
    offer(&priced.ledger, reward("badge", RewardKind::Collectible, 20, 2), 20).await;
    offer(&priced.ledger, reward("shipping", RewardKind::FreeShipping, 20, 0), 0).await;
    priced.wire.usage();

    let first = priced.cost(&redeem("k1", "m1", "mug", 1)).await;
    let second = priced.cost(&redeem("k2", "m1", "mug", 1)).await;
    let again = priced.cost(&redeem("k2", "m1", "mug", 1)).await;
    let piece = priced.units(&redeem("k3", "m1", "badge", 1)).await;
    let unlimited = priced.units(&redeem("k4", "m1", "shipping", 1)).await;
    let refused = priced.cost(&redeem("k5", "m1", "mug", 1)).await;
    let fulfilled = Priced::redemption("k1");
    let fulfill = priced.units(&step(fulfilled, "m1", RedemptionStep::Fulfill, 2)).await;
    let refund = priced.units(&step(fulfilled, "m1", RedemptionStep::Refund, 3)).await;
    let cancelled = Priced::redemption("k4");
    let cancel = priced.units(&step(cancelled, "m1", RedemptionStep::Cancel, 3)).await;

    // How many parts the stock has is read once; from then on, one batch reads everything.
    assert_eq!((first.write_units, first.requests["BatchGetItem"]), (6, 2));
    assert_eq!((second.write_units, second.read_halves), (6, 4));
    assert_eq!(second.requests["BatchGetItem"], 1);
    assert_eq!(again.writes(), 0, "{again:?}");
    assert_eq!((piece, unlimited.0), ((6, 4), 4));
    assert_eq!(refused.write_units, 1, "{refused:?}");
    assert_eq!((fulfill, refund, cancel.0), ((6, 4), (8, 4), 6));
}

#[tokio::test]
async fn a_balance_costs_half_a_read_unit_whether_or_not_there_is_one() {
    let priced = Priced::new();
    priced.units(&of_22_lines("o1", 0)).await;

    for member_id in ["member-1", "nobody"] {
        priced.ledger.find_account(&member(member_id), Reading::Cheap).await.unwrap();
        let usage = priced.wire.usage();

        assert_eq!(usage.read_halves, 1, "{usage:?}");
        assert_eq!(
            usage.requests.into_iter().collect::<Vec<_>>(),
            [("BatchGetItem".to_owned(), 1)]
        );
    }
}

#[tokio::test]
async fn a_page_costs_half_a_read_unit_an_entry_and_as_much_to_find_it_however_deep_it_is() {
    let priced = Priced::new();
    for number in 0..65 {
        priced.units(&of_22_lines(&format!("o{number}"), number)).await;
    }

    let member_id = member("member-1");
    let mut costs = Vec::new();
    let mut from = None;
    loop {
        let page = statement(&priced.ledger, &member_id, from.as_ref(), 10, Reading::Cheap);
        let page = page.await.unwrap();
        let usage = priced.wire.usage();
        costs.push((page.entries.len(), usage.read_halves, usage.requests["BatchGetItem"]));
        match page.next {
            Some(next) => from = Some(next),
            None => break,
        }
    }

    // Half a unit for each entry, and one for the account, or for the entry that names those of the page.
    // Entries stand together by tens, so ten of them are in two tens.
    let deep = (10, 11, 3);
    assert_eq!(costs, [deep, deep, deep, deep, deep, deep, (5, 6, 2)]);
}
