//! Rewards: what every catalogue gets right, and every ledger where members take of it.

use std::{collections::BTreeSet, sync::Arc};

use loyalty_domain::{
    command::Request,
    decide::Rejection,
    event::Event,
    id::{ClientId, RedemptionId, RedemptionStep, RequestKey, RewardId},
    points::Points,
    program::CapPeriod,
    redemption::{Issued, NewRedemption, RedemptionEvent, RedemptionStatus},
    reward::{
        CodeSource, InvalidChange, Reward, RewardKind, RewardLimit, RewardSpec, RewardStatus,
        RewardText, Stock, Unique, VoucherCode,
    },
};
use loyalty_ledger::{
    Answer, Answered, Attempts, Entry, Ledger, Reading,
    catalogue::{
        Author, Catalogue, CodesAdded, RewardChanged, RewardSaved, RewardVersion, StockChange,
        StockChanged, StockStep, change_reward,
    },
    execute,
};

use crate::{account, answer, instant, member, now, order, program};

/// An active reward of `kind` for `points`, in `shards` parts.
pub fn reward(id: &str, kind: RewardKind, points: u64, shards: u16) -> RewardSpec {
    let text =
        RewardText { name: "A mug".to_owned(), description: String::new(), terms: String::new() };
    RewardSpec {
        id: RewardId::try_from(id).unwrap(),
        version: 1,
        status: RewardStatus::Active,
        kind,
        points: Points::try_from(points).unwrap(),
        price_by_level: std::collections::BTreeMap::default(),
        stock: if shards == 0 { Stock::Unlimited } else { Stock::Limited { shards } },
        limits: Vec::new(),
        levels: BTreeSet::new(),
        early_days: std::collections::BTreeMap::default(),
        from: None,
        until: None,
        channels: BTreeSet::new(),
        texts: [("en".try_into().unwrap(), text)].into(),
    }
}

/// The code number `number`.
pub fn code(number: u32) -> VoucherCode {
    VoucherCode::try_from(format!("CODE-{number}").as_str()).unwrap()
}

/// A reward that `member_id` takes under `key`.
pub fn redeem(key: &str, member_id: &str, reward: &str, second: i64) -> Request {
    Request::redeem(
        ClientId::try_from("app").unwrap(),
        RequestKey::try_from(key).unwrap(),
        member(member_id),
        instant(second),
        NewRedemption {
            reward: RewardId::try_from(reward).unwrap(),
            points: None,
            channel: None,
            code: VoucherCode::of_random([7; 10]),
        },
    )
}

/// A redemption that goes on.
pub fn step(
    redemption: RedemptionId,
    member_id: &str,
    step: RedemptionStep,
    second: i64,
) -> Request {
    let reason = "customer_asked".try_into().unwrap();
    Request::redemption_step(member(member_id), redemption, step, instant(second), reason)
}

/// Keeps `spec` in the catalogue, with so many of it where it is counted or numbered.
pub async fn offer(ledger: &impl Catalogue, spec: RewardSpec, stock: u64) -> Reward {
    let reward = Reward::try_from(spec).unwrap();
    assert_eq!(change_reward(ledger, &reward, &editor()).await.unwrap(), RewardChanged::Now);
    if stock > 0 {
        let changed =
            ledger.change_stock(&reward, &add("first", stock), &mut Attempts(16)).await.unwrap();
        assert_eq!(changed, StockChanged::Now);
    }
    reward
}

/// Who makes the catalogue.
pub fn editor() -> Author {
    author("erin", 0)
}

fn author(by: &str, second: i64) -> Author {
    Author { by: ClientId::try_from(by).unwrap(), at: instant(second) }
}

fn add(key: &str, by: u64) -> StockChange {
    let key = RequestKey::try_from(key).unwrap();
    StockChange { author: editor(), key, by: StockStep::Add(by) }
}

fn remove(key: &str, by: u64) -> StockChange {
    StockChange { by: StockStep::Remove(by), ..add(key, by) }
}

/// What was issued by `entry`.
#[track_caller]
pub fn issued(entry: &Entry) -> &Issued {
    let Answer::Accepted(events) = &entry.answer else { panic!("refused: {entry:?}") };
    let issued = events.iter().find_map(|it| {
        let Event::Redemption(event) = it else { return None };
        let RedemptionEvent::Issued(issued) = &**event else { return None };
        Some(issued)
    });
    issued.unwrap_or_else(|| panic!("nothing was issued: {entry:?}"))
}

/// Why `answered` is a refusal, stored or not.
#[track_caller]
pub fn refusal(answered: Answered) -> Rejection {
    match answered {
        Answered::Declined(rejection) => rejection,
        Answered::Now(entry) | Answered::Before(entry) => match &entry.answer {
            Answer::Refused(rejection) => rejection.clone(),
            Answer::Accepted(_) | Answer::Waiting(_) => panic!("not refused: {entry:?}"),
        },
        Answered::Idle | Answered::Reused(_) | Answered::Taken(_) => {
            panic!("not refused: {answered:?}")
        }
    }
}

pub(crate) async fn a_reward_is_kept_version_by_version(ledger: &impl Catalogue) {
    let first = offer(ledger, reward("mug", RewardKind::Goods, 100, 4), 0).await;
    let id = &first.spec().id;

    let again = change_reward(ledger, &first, &editor()).await.unwrap();
    let paused = first.with_status(RewardStatus::Paused).unwrap();
    let changed = change_reward(ledger, &paused, &editor()).await.unwrap();
    let late = first.with_status(RewardStatus::Draft).unwrap();
    let late_change = change_reward(ledger, &late, &editor()).await.unwrap();
    let raced = ledger.save_reward(&late, &editor()).await.unwrap();

    assert_eq!(again, RewardChanged::Before);
    assert_eq!(changed, RewardChanged::Now);
    assert_eq!(late_change, RewardChanged::Invalid(InvalidChange::Version { expected: 3 }));
    assert_eq!(raced, RewardSaved::Raced);
    assert_eq!(ledger.find_reward(id, Reading::Newest).await.unwrap(), Some(paused));
    let nobody = RewardId::try_from("nothing").unwrap();
    assert_eq!(ledger.find_reward(&nobody, Reading::Newest).await.unwrap(), None);
}

pub(crate) async fn each_version_of_a_reward_is_kept_with_who_made_it(ledger: &impl Catalogue) {
    let first = Reward::try_from(reward("mug", RewardKind::Goods, 100, 4)).unwrap();
    let paused = first.with_status(RewardStatus::Paused).unwrap();
    let active = paused.with_status(RewardStatus::Active).unwrap();
    let other = Reward::try_from(reward("mug#2", RewardKind::Goods, 100, 4)).unwrap();
    let id = &first.spec().id;
    let made =
        [(&first, "erin", 1), (&paused, "frank", 2), (&active, "erin", 3), (&other, "gus", 4)];
    for (reward, by, second) in made {
        let changed = change_reward(ledger, reward, &author(by, second)).await.unwrap();
        assert_eq!(changed, RewardChanged::Now);
    }
    // Who asks again, or too late, made nothing.
    change_reward(ledger, &active, &author("late", 5)).await.unwrap();
    change_reward(ledger, &first, &author("late", 6)).await.unwrap();

    let all = ledger.reward_versions(id, 10).await.unwrap();
    let newest = ledger.reward_versions(id, 2).await.unwrap();

    let version = |(reward, by, second): (&Reward, &str, i64)| RewardVersion {
        reward: reward.clone(),
        author: author(by, second),
    };
    let [a, b, c, _] = made.map(version);
    assert_eq!(all, [c.clone(), b.clone(), a]);
    assert_eq!(newest, [c, b]);
}

pub(crate) async fn what_a_reward_is_never_changes(ledger: &impl Catalogue) {
    let first = offer(ledger, reward("mug", RewardKind::Goods, 100, 4), 0).await;
    let next = |change: &dyn Fn(&mut RewardSpec)| {
        let mut spec = RewardSpec { version: 2, ..first.spec().clone() };
        change(&mut spec);
        Reward::try_from(spec).unwrap()
    };

    let kind = next(&|it| it.kind = RewardKind::FreeShipping);
    let stock = next(&|it| it.stock = Stock::Limited { shards: 5 });
    let retired = next(&|it| it.status = RewardStatus::Retired);

    for (reward, expected) in [
        (&kind, RewardChanged::Invalid(InvalidChange::Kind)),
        (&stock, RewardChanged::Invalid(InvalidChange::Stock)),
        (&retired, RewardChanged::Now),
        (
            &retired.with_status(RewardStatus::Active).unwrap(),
            RewardChanged::Invalid(InvalidChange::Retired),
        ),
    ] {
        assert_eq!(change_reward(ledger, reward, &editor()).await.unwrap(), expected);
    }
}

pub(crate) async fn rewards_are_found_page_by_page(ledger: &impl Catalogue) {
    for id in ["c", "a#1", "b", "d", "e"] {
        offer(ledger, reward(id, RewardKind::FreeShipping, 10, 0), 0).await;
    }

    let mut found = Vec::new();
    let mut pages = 0;
    let mut after = None;
    loop {
        let page = ledger.rewards(after.as_ref(), 2).await.unwrap();
        found.extend(page.rewards.iter().map(|it| it.spec().id.as_str().to_owned()));
        pages += 1;
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }

    assert_eq!(found, ["a#1", "b", "c", "d", "e"]);
    assert_eq!(pages, 3);
}

pub(crate) async fn stock_changes_once_for_each_key(ledger: &impl Catalogue) {
    let mug = offer(ledger, reward("mug", RewardKind::Goods, 100, 4), 10).await;
    let free = offer(ledger, reward("free", RewardKind::FreeShipping, 100, 0), 0).await;
    let left = async || ledger.remaining(&mug).await.unwrap();

    let again = ledger.change_stock(&mug, &add("first", 10), &mut Attempts(16)).await.unwrap();
    let other = ledger.change_stock(&mug, &add("first", 11), &mut Attempts(16)).await.unwrap();
    let taken = ledger.change_stock(&mug, &remove("first", 10), &mut Attempts(16)).await.unwrap();
    assert_eq!(
        (again, other, taken),
        (StockChanged::Before, StockChanged::Reused, StockChanged::Reused)
    );
    assert_eq!(left().await, Some(10));

    let more = ledger.change_stock(&mug, &add("second", 3), &mut Attempts(16)).await.unwrap();
    let less = ledger.change_stock(&mug, &remove("third", 12), &mut Attempts(16)).await.unwrap();
    let again = ledger.change_stock(&mug, &remove("third", 12), &mut Attempts(16)).await.unwrap();
    assert_eq!((more, less, again), (StockChanged::Now, StockChanged::Now, StockChanged::Before));
    assert_eq!(left().await, Some(1));

    // A key of somebody else's is another one.
    let others = StockChange { author: author("frank", 0), ..add("first", 2) };
    let theirs = ledger.change_stock(&mug, &others, &mut Attempts(16)).await.unwrap();
    let back = ledger.change_stock(&mug, &remove("sixth", 2), &mut Attempts(16)).await.unwrap();
    assert_eq!((theirs, back), (StockChanged::Now, StockChanged::Now));

    let too_much =
        ledger.change_stock(&mug, &remove("fourth", 2), &mut Attempts(16)).await.unwrap();
    assert_eq!(too_much, StockChanged::Less { left: 1 });
    let too_many =
        ledger.change_stock(&mug, &add("fifth", u64::MAX), &mut Attempts(16)).await.unwrap();
    assert_eq!(too_many, StockChanged::TooMany { most: 1_000_000 });
    assert_eq!(left().await, Some(1));
    let unlimited = ledger.change_stock(&free, &add("first", 1), &mut Attempts(16)).await.unwrap();
    assert_eq!(unlimited, StockChanged::NotCounted);
    assert_eq!(ledger.remaining(&free).await.unwrap(), None);
}

pub(crate) async fn a_code_is_added_once_and_never_again(ledger: &(impl Catalogue + Ledger)) {
    let kind = RewardKind::Coupon { codes: CodeSource::Uploaded };
    let coupon = offer(ledger, reward("coupon", kind, 10, 3), 0).await;
    let mug = offer(ledger, reward("mug", RewardKind::Goods, 100, 1), 0).await;
    let codes: Vec<VoucherCode> = (0..120).map(code).collect();

    let mut twice = codes.get(..60).unwrap().to_vec();
    twice.push(code(0));
    let first = ledger.add_codes(&coupon, &twice, &editor(), &mut Attempts(16)).await.unwrap();
    let second = ledger.add_codes(&coupon, &codes, &editor(), &mut Attempts(16)).await.unwrap();
    assert_eq!(first, CodesAdded::Now { added: 60, known: 1 });
    assert_eq!(second, CodesAdded::Now { added: 60, known: 60 });
    assert_eq!(ledger.remaining(&coupon).await.unwrap(), Some(120));

    now(answer(ledger, &order("o1", "m1", 5_000, 0)).await);
    let entry = now(answer(ledger, &redeem("k1", "m1", "coupon", 1)).await);
    let Some(Unique::Code(taken)) = &issued(&entry).unique else { panic!("{entry:?}") };
    let third = ledger
        .add_codes(&coupon, std::slice::from_ref(taken), &editor(), &mut Attempts(16))
        .await
        .unwrap();
    assert_eq!(third, CodesAdded::Now { added: 0, known: 1 });
    assert_eq!(ledger.remaining(&coupon).await.unwrap(), Some(119));

    assert_eq!(
        ledger.add_codes(&mug, &codes, &editor(), &mut Attempts(16)).await.unwrap(),
        CodesAdded::NoCodes
    );
    let counted = ledger.change_stock(&coupon, &add("first", 1), &mut Attempts(16)).await.unwrap();
    assert_eq!(counted, StockChanged::NotCounted);
}

pub(crate) async fn serial_numbers_go_on_where_they_ended(ledger: &(impl Catalogue + Ledger)) {
    let badge = offer(ledger, reward("badge", RewardKind::Collectible, 1, 2), 130).await;
    let more = ledger.change_stock(&badge, &add("second", 20), &mut Attempts(16)).await.unwrap();
    let again = ledger.change_stock(&badge, &add("first", 130), &mut Attempts(16)).await.unwrap();
    let fewer = ledger.change_stock(&badge, &remove("third", 1), &mut Attempts(16)).await.unwrap();
    assert_eq!(
        (more, again, fewer),
        (StockChanged::Now, StockChanged::Before, StockChanged::NotCounted)
    );
    assert_eq!(ledger.remaining(&badge).await.unwrap(), Some(150));

    now(answer(ledger, &order("o1", "m1", 20_000, 0)).await);
    let mut serials = BTreeSet::new();
    for number in 0..150 {
        let entry = now(answer(ledger, &redeem(&format!("k{number}"), "m1", "badge", 1)).await);
        let Some(Unique::Serial(serial)) = issued(&entry).unique else { panic!("{entry:?}") };
        serials.insert(serial);
    }
    let refused = refusal(answer(ledger, &redeem("last", "m1", "badge", 1)).await);

    assert_eq!(serials, (1..=150).collect());
    assert_eq!(refused, Rejection::SoldOut);
    assert_eq!(account(ledger, "m1").await.available().unwrap().get(), 200 - 150);
}

pub(crate) async fn a_redemption_takes_points_stock_and_limit_together(
    ledger: &(impl Catalogue + Ledger),
) {
    let limit = RewardLimit { period: CapPeriod::Month, count: 1 };
    let spec = RewardSpec { limits: vec![limit], ..reward("mug", RewardKind::Goods, 30, 3) };
    let mug = offer(ledger, spec, 2).await;
    now(answer(ledger, &order("o1", "m1", 10_000, 0)).await);
    now(answer(ledger, &order("o2", "m2", 10_000, 0)).await);

    let first = now(answer(ledger, &redeem("k1", "m1", "mug", 1)).await);
    let again = answer(ledger, &redeem("k1", "m1", "mug", 60)).await;
    let other = answer(ledger, &redeem("k1", "m1", "nothing", 1)).await;
    let limited = refusal(answer(ledger, &redeem("k2", "m1", "mug", 1)).await);
    assert_eq!(again, Answered::Before(Arc::clone(&first)));
    assert_eq!(other, Answered::Reused(Arc::clone(&first)));
    assert_eq!(limited, Rejection::RewardLimitReached { limit: 1, period: CapPeriod::Month });
    assert_eq!(ledger.remaining(&mug).await.unwrap(), Some(1));
    assert_eq!(account(ledger, "m1").await.available().unwrap().get(), 70);

    // The same key of another member is another one.
    now(answer(ledger, &redeem("k1", "m2", "mug", 1)).await);
    now(answer(ledger, &order("o3", "m3", 10_000, 0)).await);
    let sold_out = answer(ledger, &redeem("k1", "m3", "mug", 1)).await;
    assert_eq!(refusal(sold_out), Rejection::SoldOut);
    assert_eq!(ledger.remaining(&mug).await.unwrap(), Some(0));
    let unknown = refusal(answer(ledger, &redeem("k9", "m3", "nothing", 1)).await);
    assert_eq!(unknown, Rejection::NoSuchReward);
    assert_eq!(account(ledger, "m3").await.available().unwrap().get(), 100);
}

pub(crate) async fn a_redemption_goes_on_once_and_puts_everything_back(
    ledger: &(impl Catalogue + Ledger),
) {
    let limit = RewardLimit { period: CapPeriod::Lifetime, count: 1 };
    let spec = RewardSpec { limits: vec![limit], ..reward("mug", RewardKind::Goods, 30, 3) };
    let mug = offer(ledger, spec, 5).await;
    now(answer(ledger, &order("o1", "m1", 10_000, 0)).await);
    let before = account(ledger, "m1").await;
    let entry = now(answer(ledger, &redeem("k1", "m1", "mug", 1)).await);
    let redemption = issued(&entry).redemption;

    let early = answer(ledger, &step(redemption, "m1", RedemptionStep::Refund, 2)).await;
    let fulfilled = now(answer(ledger, &step(redemption, "m1", RedemptionStep::Fulfill, 3)).await);
    let again = answer(ledger, &step(redemption, "m1", RedemptionStep::Fulfill, 9)).await;
    let late = answer(ledger, &step(redemption, "m1", RedemptionStep::Cancel, 4)).await;
    let strange = answer(ledger, &step(redemption, "m2", RedemptionStep::Cancel, 4)).await;
    let refunded = now(answer(ledger, &step(redemption, "m1", RedemptionStep::Refund, 5)).await);
    let twice = answer(ledger, &step(redemption, "m1", RedemptionStep::Refund, 6)).await;

    let is = |status| Rejection::RedemptionIs { status };
    assert_eq!(early, Answered::Declined(is(RedemptionStatus::Issued)));
    assert_eq!(again, Answered::Before(Arc::clone(&fulfilled)));
    assert_eq!(fulfilled.balance.unwrap().available.get(), 70);
    assert_eq!(late, Answered::Declined(is(RedemptionStatus::Fulfilled)));
    assert_eq!(strange, Answered::Declined(Rejection::NoSuchRedemption));
    assert_eq!(twice, Answered::Before(Arc::clone(&refunded)));
    let after = account(ledger, "m1").await;
    assert_eq!(after.lots, before.lots);
    assert_eq!(after.holdings, before.holdings);
    assert_eq!(ledger.remaining(&mug).await.unwrap(), Some(5));

    // The limit has room again.
    let second = now(answer(ledger, &redeem("k2", "m1", "mug", 7)).await);
    let redemption = issued(&second).redemption;
    now(answer(ledger, &step(redemption, "m1", RedemptionStep::Cancel, 8)).await);
    let gone = answer(ledger, &step(redemption, "m1", RedemptionStep::Fulfill, 9)).await;
    assert_eq!(gone, Answered::Declined(is(RedemptionStatus::Cancelled)));
    assert_eq!(account(ledger, "m1").await.lots, before.lots);
    assert_eq!(ledger.remaining(&mug).await.unwrap(), Some(5));
}

pub(crate) async fn what_others_took_since_it_was_read_is_decided_again(
    ledger: &(impl Catalogue + Ledger),
) {
    offer(ledger, reward("mug", RewardKind::Goods, 30, 1), 1).await;
    now(answer(ledger, &order("o1", "m1", 10_000, 0)).await);
    now(answer(ledger, &order("o2", "m2", 10_000, 0)).await);

    // Decided by what was there, and appended after it was gone.
    let late = redeem("k1", "m2", "mug", 1);
    let stale = Late { ledger, before: ledger.load(&late, Reading::Newest).await.unwrap() };
    now(answer(ledger, &redeem("k1", "m1", "mug", 1)).await);
    let answered = execute(&stale, &program(), &mut Attempts(3), &late).await.unwrap();

    assert_eq!(refusal(answered), Rejection::SoldOut);
    assert_eq!(account(ledger, "m2").await.available().unwrap().get(), 100);
}

/// A ledger whose first cheap read is an old one.
struct Late<'a, L> {
    ledger: &'a L,
    before: loyalty_ledger::Loaded,
}

impl<L: Ledger> Ledger for Late<'_, L> {
    async fn load(
        &self,
        request: &Request,
        reading: Reading,
    ) -> Result<loyalty_ledger::Loaded, loyalty_ledger::LedgerError> {
        match reading {
            Reading::Cheap => Ok(self.before.clone()),
            Reading::Newest => self.ledger.load(request, reading).await,
        }
    }

    async fn append(
        &self,
        change: loyalty_ledger::Change,
    ) -> Result<loyalty_ledger::Appended, loyalty_ledger::LedgerError> {
        self.ledger.append(change).await
    }
}
