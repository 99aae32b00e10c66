//! A farm of accounts that bring each other for the points, beside members who are honest.
//!
//! Made from a seed, so that one that gets through can be had again.

use std::collections::BTreeMap;

use loyalty_domain::{
    code::ReferralCode,
    command::Request,
    event::ReferralEvent,
    id::{CommandId, MemberId},
    program::Program,
    referral::{ReferralState, SignalKind},
};
use loyalty_ledger::{
    Answered, Attempts, Ledger, Reading, execute,
    profile::{KeyedHash, Signal},
    statement::Accounts,
};

use crate::{
    friends::{
        code_of, enroll, follow_ups, night, order, order_naming, program, reason, referral_events,
    },
    member,
};

/// How many accounts the farm has.
pub const FARMED: usize = 500;
/// How many honest members there are, each with a friend.
pub const PAIRS: usize = 50;

/// Accounts and what they do.
#[derive(Debug)]
pub struct Farm {
    /// Everybody who joins, in their order.
    pub joins: Vec<Join>,
    /// Orders and nights after that, in their order.
    pub then: Vec<Request>,
    /// What must become of each friend: `rewarded`, or the word for the refusal.
    pub expected: BTreeMap<MemberId, String>,
}

/// Somebody joins.
#[derive(Debug)]
pub struct Join {
    /// What they ask for.
    pub request: Request,
    /// Who they are.
    pub member_id: MemberId,
    /// The code that they get.
    pub code: ReferralCode,
    /// What others may share with them.
    pub signals: Vec<Signal>,
}

/// `SplitMix64`: small, and the same numbers for the same seed for ever.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..end`.
    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap();
        usize::try_from(self.next() % end).unwrap()
    }

    fn kind(&mut self) -> SignalKind {
        SignalKind::ALL[self.below(SignalKind::ALL.len())]
    }

    fn hash(&mut self) -> KeyedHash {
        let mut bytes = [0; 32];
        for part in bytes.chunks_mut(8) {
            part.copy_from_slice(&self.next().to_be_bytes());
        }
        bytes.into()
    }

    fn signal(&mut self) -> Signal {
        Signal { kind: self.kind(), hash: self.hash() }
    }

    fn shuffle<T>(&mut self, all: &mut [T]) {
        for index in (1..all.len()).rev() {
            all.swap(index, self.below(index + 1));
        }
    }
}

/// A farm while it grows.
struct Growing {
    random: Random,
    farm: Farm,
    orders: Vec<Request>,
}

impl Growing {
    /// Somebody new, who has a phone and a device of their own beside what is shared.
    fn join(&mut self, by: Option<&str>, shared: &[Signal]) -> String {
        let id = format!("m{}", self.farm.joins.len());
        let own = [SignalKind::Phone, SignalKind::Device];
        let mut signals: Vec<Signal> =
            own.iter().map(|kind| Signal { kind: *kind, hash: self.random.hash() }).collect();
        signals.extend_from_slice(shared);
        self.farm.joins.push(Join {
            request: enroll(&id, 1, by),
            member_id: member(&id),
            code: code_of(&id),
            signals,
        });
        id
    }

    /// An order that is enough, and that may say who brought its member.
    fn order(&mut self, id: &str, by: Option<&str>) {
        let minor = 2_000 + u64::try_from(self.random.below(9_000)).unwrap();
        let days = 2 + i64::try_from(self.random.below(5)).unwrap();
        let order_id = format!("o-{id}");
        self.orders.push(match by {
            Some(by) => order_naming(&order_id, id, minor, days, by),
            None => order(&order_id, id, minor, days),
        });
    }

    fn expect(&mut self, id: &str, then: &str) {
        self.farm.expected.insert(member(id), then.to_owned());
    }

    /// Everybody is brought by the one before, and the first one by the last, whom their first order names.
    fn ring(&mut self, length: usize) {
        let shares = self.random.below(2) == 0;
        let shared: Vec<Signal> = shares.then(|| self.random.signal()).into_iter().collect();
        let first = self.join(None, &shared);
        let mut last = first.clone();
        for _ in 1..length {
            let id = self.join(Some(&last), &shared);
            self.order(&id, None);
            self.expect(&id, "ring");
            last = id;
        }
        self.order(&first, Some(&last));
        self.expect(&first, "ring");
    }

    /// One brings all others, who share something: with that one, too, or only with each other.
    fn star(&mut self, length: usize) {
        let shared = self.random.signal();
        let is_shared = self.random.below(2) == 0;
        let hub = self.join(None, if is_shared { std::slice::from_ref(&shared) } else { &[] });
        for _ in 1..length {
            let id = self.join(Some(&hub), &[shared]);
            self.order(&id, None);
            let word = if is_shared { "same_person" } else { "known_person" };
            self.expect(&id, &format!("{word} {}", shared.kind));
        }
    }

    /// Everybody is brought by the one before, and shares something with that one, and other things with the
    /// one after.
    fn chain(&mut self, length: usize) {
        let mut link = self.random.signal();
        let mut last = self.join(None, &[link]);
        for _ in 1..length {
            let next = self.random.signal();
            let id = self.join(Some(&last), &[link, next]);
            self.order(&id, None);
            self.expect(&id, &format!("same_person {}", link.kind));
            (last, link) = (id, next);
        }
    }

    fn pair(&mut self) {
        let own = [self.random.signal()];
        let referrer = self.join(None, &own);
        let own = [self.random.signal()];
        let friend = self.join(Some(&referrer), &own);
        self.order(&friend, None);
        self.expect(&friend, "rewarded");
    }
}

impl Farm {
    /// The farm that grows from `seed`.
    pub fn of(seed: u64) -> Self {
        let farm = Self { joins: Vec::new(), then: Vec::new(), expected: BTreeMap::new() };
        let mut growing = Growing { random: Random(seed), farm, orders: Vec::new() };
        let mut pairs = 0;
        while growing.farm.joins.len() < FARMED + 2 * PAIRS {
            // Honest ones between the others, and the farm to its last account.
            let farmed = growing.farm.joins.len() - 2 * pairs;
            if pairs < PAIRS && (farmed == FARMED || growing.random.below(2) == 0) {
                growing.pair();
                pairs += 1;
                continue;
            }
            let left = FARMED - farmed;
            let length = (2 + growing.random.below(20)).min(left);
            // What is left over is no farm of its own, and one account alone is nobody's friend.
            let length = if left - length == 1 { left } else { length };
            match growing.random.below(3) {
                0 => growing.ring(length),
                1 if length > 2 => growing.star(length),
                _ => growing.chain(length),
            }
        }
        let Growing { mut random, mut farm, mut orders } = growing;
        random.shuffle(&mut orders);
        let mut nights: Vec<Request> =
            farm.expected.keys().map(|id| night(id.as_str(), 30)).collect();
        random.shuffle(&mut nights);
        farm.then = orders.into_iter().chain(nights).collect();
        farm
    }

    /// The program that the farm is after.
    pub fn program() -> Program {
        program(&serde_json::json!({}))
    }

    /// Lets all of it happen in `ledger`, each referral settled twice, where `join` lets somebody join who is
    /// known by something.
    pub async fn run<L: Ledger>(&self, ledger: &L, join: impl AsyncFn(&Join) -> Answered) {
        let program = Self::program();
        for it in &self.joins {
            join(it).await;
        }
        let mut settling = Vec::new();
        for request in &self.then {
            let answered = execute(ledger, &program, &mut Attempts(9), request).await.unwrap();
            settling.extend(follow_ups(&answered));
        }
        for request in settling.iter().chain(&settling) {
            execute(ledger, &program, &mut Attempts(9), request).await.unwrap();
        }
    }

    /// Checks what became of everybody by what is in the store, and counts it by reason.
    pub async fn check<L: Ledger + Accounts>(&self, ledger: &L) -> BTreeMap<String, usize> {
        let mut counted = BTreeMap::new();
        for (friend, expected) in &self.expected {
            let found = ledger.find_account(friend, Reading::Newest).await.unwrap().unwrap();
            let state = &found.account.membership.referred.as_ref().unwrap().state;
            let seen = match state {
                ReferralState::Rewarded(_) => "rewarded".to_owned(),
                ReferralState::Refused(refusal) => reason(refusal),
                ReferralState::Named
                | ReferralState::Qualified { .. }
                | ReferralState::Held { .. }
                | ReferralState::Revoked => format!("{state:?}"),
            };
            assert_eq!(&seen, expected, "{friend}");
            let id = [CommandId::Referral(friend.clone())];
            let entries = ledger.find_entries(&id, Reading::Newest).await.unwrap();
            let told = referral_events(entries.first().unwrap()).any(|it| {
                if let ReferralEvent::Refused { refusal, .. } = it {
                    reason(refusal) == *expected
                } else {
                    matches!(it, ReferralEvent::Rewarded { .. }) && expected == "rewarded"
                }
            });
            assert!(told, "{friend}: {expected} is in no entry");
            *counted.entry(seen).or_default() += 1;
        }
        // Whoever joined has just what honest friends brought.
        for it in &self.joins {
            let found = ledger.find_account(&it.member_id, Reading::Newest).await.unwrap().unwrap();
            let account = found.account;
            let is_friend = self.expected.get(&it.member_id).is_some_and(|it| it == "rewarded");
            let brought = u64::from(account.membership.referrals.rewarded);
            let orders = account.totals.earned.get() - account.totals.clawed_back.get();
            assert_eq!(orders, 50 * u64::from(is_friend) + 100 * brought, "{}", it.member_id);
        }
        counted
    }
}
