//! Rewards, sentence by sentence: who may take which, for how much, and what comes back.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]
#![expect(
    clippy::needless_pass_by_value,
    clippy::new_ret_no_self,
    clippy::wildcard_enum_match_arm,
    reason = "tests read better so"
)]

use jiff::Timestamp;
use loyalty_domain::{
    account::{Account, Lot, LotId, Wallet},
    command::Request,
    decide::{Decision, Held, Known, Rejection, decide},
    event::Event,
    id::{RedemptionId, RedemptionStep},
    points::Points,
    program::{CapPeriod, Program, ProgramSpec},
    redemption::{
        COUNTED_MAX, Found, Issued, NewRedemption, Offer, RedemptionEvent, RedemptionState,
        RedemptionStatus, Returned, Taken,
    },
    reward::{Language, Reward, RewardSpec, RewardStatus, Stock, Unique, VoucherCode},
};
use serde_json::{Value, json};

/// A member, and a reward as it is read.
struct Shop {
    program: Program,
    account: Account,
    reward: Reward,
    found: Vec<Found>,
    state: Option<RedemptionState>,
    asked: u32,
}

fn reward(overrides: Value) -> Value {
    let mut spec = json!({
        "id": "mug", "version": 1, "status": "active", "kind": "goods", "points": 100,
        "stock": {"limited": {"shards": 2}}, "texts": {"en": {"name": "A mug"}},
    });
    for (key, value) in overrides.as_object().unwrap() {
        spec[key] = value.clone();
    }
    spec
}

fn read(spec: Value) -> Result<Reward, String> {
    let spec: RewardSpec = serde_json::from_value(spec).map_err(|it| it.to_string())?;
    spec.try_into().map_err(|it: loyalty_domain::reward::InvalidReward| it.to_string())
}

fn at(instant: &str) -> Timestamp {
    instant.parse().unwrap()
}

impl Shop {
    /// A member with 300 points, of which 120 are good through 31 March and the others through December, and a
    /// reward for 100.
    fn of(overrides: Value) -> Self {
        let spec: ProgramSpec = serde_json::from_value(json!({
            "name": "Rules", "version": 1, "effective": "2010-01-01", "currency": "GBP",
            "time_zone": "Europe/London", "spending": {"reinstate_days": 10},
            "earning": {"points_per_unit": "1", "expiry_months": 12},
            "tiers": {"levels": [
                {"id": "blue", "name": "Blue"}, {"id": "gold", "name": "Gold", "spend": "100"}]},
        }))
        .unwrap();
        let lot = |day: &str, points: u64, filled| {
            let given = day.parse().unwrap();
            let points = Points::try_from(points).unwrap();
            let id = LotId { wallet: Wallet::Points, given };
            Lot { id, last_good_day: given, points, filled }
        };
        let mut account = Account { lots_filled: 2, ..Account::default() };
        account.lots = vec![lot("2026-03-31", 120, 0), lot("2026-12-31", 180, 1)];
        account.totals.earned = Points::try_from(300).unwrap();
        Self {
            program: spec.try_into().unwrap(),
            account,
            reward: read(reward(overrides)).unwrap(),
            found: vec![Found::Left { shard: 1, left: 5 }],
            state: None,
            asked: 0,
        }
    }

    fn gold(mut self) -> Self {
        self.account.tier.level = Some("gold".try_into().unwrap());
        self.account.tier.valid_through = Some("2027-01-31".parse().unwrap());
        self
    }

    fn new() -> NewRedemption {
        NewRedemption {
            reward: "mug".try_into().unwrap(),
            points: None,
            channel: None,
            code: VoucherCode::of_random([1; 10]),
        }
    }

    fn redeems(&mut self, instant: &str, new: NewRedemption) -> Result<Issued, Rejection> {
        self.asked += 1;
        let key = self.asked.to_string().as_str().try_into().unwrap();
        let (client, member) = ("app".try_into().unwrap(), "m1".try_into().unwrap());
        let request = Request::redeem(client, key, member, at(instant), new);
        let offer = Offer { reward: self.reward.clone(), found: self.found.clone() };
        let known = Known {
            account: self.account.clone(),
            offer: Some(Box::new(offer)),
            ..Known::default()
        };
        match self.does(&known, &request)? {
            RedemptionEvent::Issued(issued) => {
                self.state = Some(RedemptionState {
                    member_id: request.member_id().cloned(),
                    issued: (*issued).clone(),
                    status: RedemptionStatus::Issued,
                });
                Ok(*issued)
            }
            other => panic!("not issued: {other:?}"),
        }
    }

    fn takes(&mut self, instant: &str) -> Result<Issued, Rejection> {
        self.redeems(instant, Self::new())
    }

    fn steps(&mut self, step: RedemptionStep, instant: &str) -> Result<RedemptionEvent, Rejection> {
        let state = self.state.clone().unwrap();
        let (member, id) = ("m1".try_into().unwrap(), state.issued.redemption);
        let reason = "as-agreed".try_into().unwrap();
        let request = Request::redemption_step(member, id, step, at(instant), reason);
        let holds = Held::Redemption(Box::new(state));
        let known = Known { account: self.account.clone(), holds, ..Known::default() };
        let event = self.does(&known, &request)?;
        if let Some(state) = &mut self.state {
            state.apply(&event);
        }
        Ok(event)
    }

    fn does(&mut self, known: &Known, request: &Request) -> Result<RedemptionEvent, Rejection> {
        match decide(&self.program, known, request)? {
            Decision::Effect { at, events, account, second: None } => {
                let mut account = *account.unwrap();
                account.end_entry(at).unwrap();
                self.account = account;
                let found = events.into_iter().find_map(|it| match it {
                    Event::Redemption(event) => Some(*event),
                    _ => None,
                });
                Ok(found.unwrap())
            }
            other => panic!("it takes effect: {other:?}"),
        }
    }

    fn lots(&self) -> Vec<(String, u64)> {
        let lots = self.account.lots.iter().filter(|it| !it.points.is_zero());
        lots.map(|it| (it.last_good_day.to_string(), it.points.get())).collect()
    }
}

#[track_caller]
fn returned(event: RedemptionEvent) -> Returned {
    match event {
        RedemptionEvent::Cancelled(it) | RedemptionEvent::Refunded(it) => *it,
        RedemptionEvent::Issued(_) | RedemptionEvent::Fulfilled { .. } => panic!("{event:?}"),
    }
}

#[test]
fn points_leave_the_lots_that_end_first_and_count_as_spent() {
    let mut shop = Shop::of(json!({"points": 150}));

    let issued = shop.takes("2026-02-01T12:00:00Z").unwrap();

    let uses: Vec<u64> = issued.uses.iter().map(|it| it.points.get()).collect();
    assert_eq!(uses, [120, 30]);
    assert_eq!(issued.taken, Taken::Shard(1));
    assert_eq!(issued.unique, None);
    assert_eq!(shop.lots(), [("2026-12-31".to_owned(), 150)]);
    assert_eq!(shop.account.totals.spent.get(), 150);
}

#[test]
fn levels_have_prices_and_come_early_as_the_reward_says() {
    let reward = json!({
        "price_by_level": {"gold": 80}, "from": {"day": "2026-02-10"},
        "until": {"day": "2026-02-20"}, "early_days": {"gold": 3},
    });
    let mut blue = Shop::of(reward.clone());
    let mut gold = Shop::of(reward).gold();

    let early = |from: &str| Err(Rejection::RewardNotYet { from: at(from) });
    assert_eq!(blue.takes("2026-02-09T23:59:59Z"), early("2026-02-10T00:00:00Z"));
    assert_eq!(gold.takes("2026-02-06T23:59:59Z"), early("2026-02-07T00:00:00Z"));
    assert_eq!(gold.takes("2026-02-07T00:00:00Z").unwrap().points.get(), 80);
    assert_eq!(blue.takes("2026-02-20T23:59:59Z").unwrap().points.get(), 100);
    assert_eq!(blue.takes("2026-02-21T00:00:00Z"), Err(Rejection::RewardOver));
}

#[test]
fn refusals_come_in_their_order() {
    let mut shop = Shop::of(json!({
        "status": "paused", "from": {"instant": "2026-02-01T00:00:00Z"}, "levels": ["gold"],
        "channels": ["app"], "limits": [{"period": "day", "count": 1}], "points": 500,
    }));
    shop.found = Vec::new();
    let changes = |shop: &mut Shop, change: &dyn Fn(&mut RewardSpec)| {
        let mut spec = shop.reward.spec().clone();
        change(&mut spec);
        shop.reward = spec.try_into().unwrap();
    };
    let wrong = || {
        let points = Some(Points::try_from(1).unwrap());
        NewRedemption { points, ..Shop::new() }
    };
    let (early, day) = ("2026-01-31T12:00:00Z", "2026-02-02T12:00:00Z");

    let paused = RewardStatus::Paused;
    let not_active = Err(Rejection::RewardNotActive { status: paused });
    assert_eq!(shop.redeems(early, wrong()), not_active);
    changes(&mut shop, &|it| it.status = RewardStatus::Active);
    let from = at("2026-02-01T00:00:00Z");
    assert_eq!(shop.redeems(early, wrong()), Err(Rejection::RewardNotYet { from }));
    assert_eq!(shop.redeems(day, wrong()), Err(Rejection::LevelNotAllowed));
    let mut shop = shop.gold();
    assert_eq!(shop.redeems(day, wrong()), Err(Rejection::ChannelNotAllowed));
    let in_app = |new| NewRedemption { channel: Some("app".try_into().unwrap()), ..new };
    let price = Points::try_from(500).unwrap();
    assert_eq!(shop.redeems(day, in_app(wrong())), Err(Rejection::PriceChanged { price }));
    assert_eq!(shop.redeems(day, in_app(Shop::new())), Err(Rejection::SoldOut));
    shop.found = vec![Found::Left { shard: 0, left: 0 }, Found::Left { shard: 1, left: 1 }];
    let available = Points::try_from(300).unwrap();
    let short = Err(Rejection::InsufficientPoints { available, requested: price });
    assert_eq!(shop.redeems(day, in_app(Shop::new())), short);
    changes(&mut shop, &|it| it.points = Points::try_from(10).unwrap());
    assert_eq!(shop.redeems(day, in_app(Shop::new())).unwrap().taken, Taken::Shard(1));
    let limit = Err(Rejection::RewardLimitReached { limit: 1, period: CapPeriod::Day });
    assert_eq!(shop.redeems(day, in_app(wrong())), limit);
    shop.account.membership.status = loyalty_domain::membership::Status::Frozen;
    assert_eq!(shop.redeems(early, wrong()), Err(Rejection::AccountFrozen));
}

#[test]
fn a_limit_counts_by_its_period_and_what_comes_back_counts_no_more() {
    let mut shop = Shop::of(json!({
        "points": 10,
        "limits": [{"period": "day", "count": 1}, {"period": "month", "count": 2}],
    }));
    let is = |limit, period| Err(Rejection::RewardLimitReached { limit, period });

    shop.takes("2026-01-30T12:00:00Z").unwrap();
    assert_eq!(shop.takes("2026-01-30T23:00:00Z"), is(1, CapPeriod::Day));
    shop.takes("2026-01-31T00:00:00Z").unwrap();
    shop.steps(RedemptionStep::Cancel, "2026-01-31T01:00:00Z").unwrap();
    shop.takes("2026-01-31T02:00:00Z").unwrap();
    assert_eq!(shop.takes("2026-01-31T12:00:00Z"), is(1, CapPeriod::Day));
    shop.takes("2026-02-01T00:00:00Z").unwrap();

    // January is over, and no longer kept; what came back of it changes nothing.
    assert_eq!(shop.account.holdings.redeemed.len(), 2);
    shop.takes("2026-02-02T00:00:00Z").unwrap();
    assert_eq!(shop.takes("2026-02-03T12:00:00Z"), is(2, CapPeriod::Month));
}

#[test]
fn an_account_counts_no_more_limits_than_it_may() {
    let mut shop = Shop::of(json!({"points": 1, "limits": [{"period": "lifetime", "count": 1}]}));
    for number in 0..COUNTED_MAX {
        let mut spec = shop.reward.spec().clone();
        spec.id = format!("mug-{number}").as_str().try_into().unwrap();
        shop.reward = spec.try_into().unwrap();
        shop.takes("2026-02-01T12:00:00Z").unwrap();
    }
    let mut spec = shop.reward.spec().clone();
    spec.id = "one-more".try_into().unwrap();
    shop.reward = spec.try_into().unwrap();

    assert_eq!(shop.takes("2026-02-01T12:00:00Z"), Err(Rejection::TooManyCounted));
}

#[test]
fn what_comes_back_goes_to_its_lots_and_what_expired_lives_some_days() {
    let mut shop = Shop::of(json!({"points": 150}));
    shop.takes("2026-02-01T12:00:00Z").unwrap();
    shop.steps(RedemptionStep::Fulfill, "2026-02-02T12:00:00Z").unwrap();

    let event = shop.steps(RedemptionStep::Refund, "2026-04-05T12:00:00Z").unwrap();

    let returned = returned(event);
    assert_eq!(returned.shard, Some(1));
    assert_eq!((returned.debt_paid, returned.lost), (Points::ZERO, Points::ZERO));
    let lots = [("2026-04-15".to_owned(), 120), ("2026-12-31".to_owned(), 180)];
    assert_eq!(shop.lots(), lots);
    assert_eq!(shop.account.totals.given_back.get(), 150);
}

#[test]
fn what_comes_back_pays_a_debt_first() {
    let mut shop = Shop::of(json!({"points": 300}));
    shop.takes("2026-02-01T12:00:00Z").unwrap();
    shop.account.debt = Points::try_from(50).unwrap();
    shop.account.totals.clawed_back = Points::try_from(50).unwrap();

    let event = shop.steps(RedemptionStep::Cancel, "2026-02-02T12:00:00Z").unwrap();

    assert_eq!(returned(event).debt_paid.get(), 50);
    let lots = [("2026-03-31".to_owned(), 120), ("2026-12-31".to_owned(), 130)];
    assert_eq!(shop.lots(), lots);
    assert_eq!(shop.account.debt, Points::ZERO);
}

#[test]
fn a_redemption_goes_only_where_it_can_from_where_it_stands() {
    use RedemptionStep::{Cancel, Fulfill, Refund};
    let is = |status| Err(Rejection::RedemptionIs { status });
    let mut shop = Shop::of(json!({}));
    shop.takes("2026-02-01T12:00:00Z").unwrap();

    let day = "2026-02-02T12:00:00Z";
    assert_eq!(shop.steps(Refund, day), is(RedemptionStatus::Issued));
    shop.steps(Fulfill, day).unwrap();
    for step in [Fulfill, Cancel] {
        assert_eq!(shop.steps(step, day), is(RedemptionStatus::Fulfilled));
    }
    shop.steps(Refund, day).unwrap();
    for step in [Fulfill, Cancel, Refund] {
        assert_eq!(shop.steps(step, day), is(RedemptionStatus::Refunded));
    }
}

#[test]
fn only_a_coupon_that_is_made_when_it_is_taken_has_the_code_of_the_request() {
    let generated = json!({"kind": {"coupon": {"codes": "generated"}}, "stock": "unlimited"});
    let mut shop = Shop::of(generated);
    let code = VoucherCode::of_random([1; 10]);
    assert_eq!(code.as_str().len(), 16);

    let issued = shop.takes("2026-02-01T12:00:00Z").unwrap();
    assert_eq!((issued.taken, issued.unique), (Taken::Unlimited, Some(Unique::Code(code))));

    let mut uploaded = Shop::of(json!({"kind": {"coupon": {"codes": "uploaded"}}}));
    let unique = Unique::Code("WINTER".try_into().unwrap());
    uploaded.found = vec![Found::Piece { shard: 1, unique: unique.clone() }];
    let issued = uploaded.takes("2026-02-01T12:00:00Z").unwrap();
    assert!(matches!(issued.taken, Taken::Piece(1, _)), "{issued:?}");
    assert_eq!(issued.unique, Some(unique));
    assert!(!format!("{issued:?}").contains("WINTER"), "codes are not for logs: {issued:?}");
    // Somebody may have used it.
    let event = uploaded.steps(RedemptionStep::Cancel, "2026-02-01T13:00:00Z").unwrap();
    assert_eq!(returned(event).shard, None);
}

#[test]
fn a_repeat_with_another_random_code_is_the_same_request_and_one_for_another_price_is_not() {
    let fingerprint = |new| {
        let (client, key) = ("app".try_into().unwrap(), "1".try_into().unwrap());
        let request =
            Request::redeem(client, key, "m1".try_into().unwrap(), Timestamp::UNIX_EPOCH, new);
        request.fingerprint()
    };
    let plain = fingerprint(Shop::new());
    let code = VoucherCode::of_random([2; 10]);

    assert_eq!(fingerprint(NewRedemption { code, ..Shop::new() }), plain);
    for other in [
        NewRedemption { points: Some(Points::ZERO), ..Shop::new() },
        NewRedemption { channel: Some("app".try_into().unwrap()), ..Shop::new() },
        NewRedemption { reward: "cup".try_into().unwrap(), ..Shop::new() },
    ] {
        assert_ne!(fingerprint(other), plain);
    }
}

#[test]
fn every_part_of_a_stock_is_tried_once_and_who_begins_where_is_spread() {
    let reward = read(reward(json!({"stock": {"limited": {"shards": 32}}}))).unwrap();
    let mut first = [0_u32; 32];
    for number in 0..3_200_u32 {
        let half = format!("{number:032x}");
        let redemption = RedemptionId::try_from(half.as_str()).unwrap();
        let shards: Vec<u16> = reward.shards_for(&redemption).collect();
        let mut sorted = shards.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..32).collect::<Vec<_>>());
        let shard = shards.first().copied().unwrap();
        *first.get_mut(usize::from(shard)).unwrap() += 1;
    }

    assert!(first.iter().all(|it| (60..150).contains(it)), "{first:?}");
}

#[test]
fn a_stock_has_as_many_parts_as_are_worth_their_while() {
    let goods = read(reward(json!({}))).unwrap().spec().kind.clone();
    let shards = |pieces| Stock::of_about(&goods, pieces).shards();

    assert_eq!([0, 1, 49, 50, 1_000, u64::MAX].map(shards), [1, 1, 1, 2, 32, 32]);
}

#[test]
fn what_is_wrong_with_a_reward_is_said_with_what_would_be_right() {
    for (overrides, message) in [
        (json!({"points": 0}), "`points` must be more than 0"),
        (json!({"version": 0}), "`version` must be 1 or more"),
        (json!({"kind": {"gift_card": {"amount_minor": 0}}}), "`kind.amount_minor` must be more"),
        (
            json!({"kind": {"donation": {"amount_minor": 1, "to": " "}}}),
            "`kind.to` must be one line",
        ),
        (json!({"kind": "collectible", "stock": "unlimited"}), "`stock` must be `limited`"),
        (json!({"stock": {"limited": {"shards": 33}}}), "`stock.limited.shards` must be 1 to 32"),
        (json!({"limits": [{"period": "day", "count": 0}]}), "`limits` must have counts of 1"),
        (
            json!({"limits": [{"period": "day", "count": 1}, {"period": "day", "count": 2}]}),
            "`limits` must have at most one",
        ),
        (json!({"early_days": {"gold": 2}}), "`early_days` need a `from`"),
        (
            json!({"from": {"day": "2026-01-02"}, "early_days": {"gold": 0}}),
            "`early_days` must be 1 to 365 days",
        ),
        (
            json!({"from": {"day": "2026-01-02"}, "levels": ["blue"], "early_days": {"gold": 1}}),
            "`early_days` must name levels that are in `levels`",
        ),
        (
            json!({"from": {"day": "2026-01-02"}, "until": {"day": "2026-01-01"}}),
            "`until` must not be before `from`",
        ),
        (json!({"texts": {}}), "`texts` must have a language"),
        (json!({"texts": {"de-DE": {"name": "a\nb"}}}), "`texts.de-DE.name` must be one line"),
        (json!({"texts": {"d": {"name": "a"}}}), "a language is a tag such as `de`"),
        (json!({"tint": "red"}), "unknown field `tint`"),
    ] {
        let error = read(reward(overrides.clone())).unwrap_err();
        assert!(error.starts_with(message) || error.contains(message), "{overrides}: {error}");
    }
    assert!(read(reward(json!({"status": "draft", "texts": {}}))).is_ok());
}

#[test]
fn tags_of_one_language_are_one() {
    for (text, tag) in
        [("de", "de"), ("PT-br", "pt-BR"), ("zh-hant-tw", "zh-Hant-TW"), ("es-419", "es-419")]
    {
        assert_eq!(Language::try_from(text).unwrap().as_str(), tag);
    }
    for wrong in ["", "d", "de_DE", "de-", "deutschland", "1a", &"de-a".repeat(10)] {
        assert!(Language::try_from(wrong).is_err(), "{wrong}");
    }
}
