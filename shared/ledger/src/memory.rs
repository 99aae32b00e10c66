//! The ledger in memory: what `simulate` runs on, and the plainest reading of the port.

mod catalogue;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, hash_map},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::civil::Date;
use loyalty_domain::{
    account::Account,
    code::ReferralCode,
    command::{Command, Request},
    decide::{Held, Known},
    event::Event,
    id::{ClientId, CommandId, MemberId, OrderId, RequestKey, RewardId},
    points::Points,
    redemption::RedemptionStatus,
    referral::{NamedCode, SignalKind, Suspicion},
    reward::{PieceId, Reward, Unique},
};

use crate::{
    ACCOUNTS_MAX, ALIASES_MAX, AccountChange, Answer, Appended, Beside, CLAIMS_MAX, Change, Claim,
    ClaimCondition, ClaimKey, Entry, Ledger, LedgerError, Loaded, Reading, Revision,
    catalogue::{RewardVersion, StockStep},
    due::{DueMembers, DuePlace, DueWork},
    hold,
    members::{FoundMembers, Members, MembersPlace},
    needs_other,
    profile::KeyedHash,
    statement::{Accounts, KnownAccount},
    too_many_aliases,
};

/// A ledger that forgets everything when it is dropped.
///
/// Changes are made under one lock, so a change is seen whole or not at all.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: Vec<Arc<Entry>>,
    by_id: HashMap<CommandId, usize>,
    orders: HashMap<OrderId, (Revision, Held)>,
    spends: HashMap<CommandId, Held>,
    accounts: HashMap<MemberId, KeptAccount>,
    counters: HashMap<ClaimKey, u64>,
    codes: HashMap<ReferralCode, MemberId>,
    rewards: BTreeMap<RewardId, Reward>,
    pieces: HashMap<ClaimKey, BTreeMap<PieceId, Unique>>,
    known_pieces: HashSet<(ClaimKey, PieceId)>,
    serials: HashMap<RewardId, u64>,
    reward_versions: HashMap<RewardId, Vec<RewardVersion>>,
    stock_changes: HashMap<(RewardId, ClientId, RequestKey), StockStep>,
    signals: HashMap<(SignalKind, KeyedHash), BTreeSet<MemberId>>,
}

#[derive(Clone, Debug, Default)]
struct KeptAccount {
    account: Account,
    recent: Vec<CommandId>,
    due_after: Option<Date>,
}

impl MemoryLedger {
    /// Every account, sorted by member id as text.
    pub fn accounts(&self) -> Vec<(MemberId, Account)> {
        let kept = self.kept();
        let mut accounts: Vec<_> =
            kept.accounts.iter().map(|(id, it)| (id.clone(), it.account.clone())).collect();
        accounts.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        accounts
    }

    /// The account of one member.
    pub fn account(&self, member_id: &MemberId) -> Option<Account> {
        self.kept().accounts.get(member_id).map(|it| it.account.clone())
    }

    /// How many corrections wait for orders that have not come.
    pub fn waiting(&self) -> usize {
        let waiting = |holds: &Held| match holds {
            Held::Waiting(waiting) => waiting.len(),
            Held::Nothing
            | Held::Order(_)
            | Held::Spend(_)
            | Held::Redemption(_)
            | Held::Merge(_) => 0,
        };
        self.kept().orders.values().map(|(_, holds)| waiting(holds)).sum()
    }

    /// Every entry, in the order in which they were added.
    pub fn entries(&self) -> Vec<Arc<Entry>> {
        self.kept().entries.clone()
    }

    /// Lets `code` lead to `member_id`, as if they had got it when they enrolled.
    pub fn give_code(&self, code: ReferralCode, member_id: MemberId) {
        self.kept().codes.insert(code, member_id);
    }

    /// Notes something by which `member_id` is known.
    pub fn note_signal(&self, member_id: MemberId, kind: SignalKind, hash: KeyedHash) {
        self.kept().signals.entry((kind, hash)).or_default().insert(member_id);
    }

    /// What the counter of a claim has reached; of a stock, what is left in it.
    pub fn counter(&self, key: &ClaimKey) -> u64 {
        self.kept().counters.get(key).copied().unwrap_or(0)
    }

    // A thread that panicked while it held the lock had not begun to change anything: every check
    // comes before the first change.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger for MemoryLedger {
    async fn load(&self, request: &Request, _: Reading) -> Result<Loaded, LedgerError> {
        let kept = self.kept();
        if let Some(entry) = kept.entry(&request.id) {
            return Ok(Loaded { entry: Some(entry), ..Loaded::default() });
        }
        let (revision, holds) = match (&request.command, request.id.order_id()) {
            (_, Some(order_id)) => kept.orders.get(order_id).cloned().unwrap_or_default(),
            (Command::GiveBack { spend, .. }, None) => {
                (0, kept.spends.get(spend).cloned().unwrap_or_default())
            }
            (Command::Merge { act, .. }, None) => {
                let entry = act.undone().and_then(|it| kept.entry(&it));
                (0, entry.map_or(Held::Nothing, |it| hold(Held::Nothing, &it)))
            }
            (_, None) => {
                let redemption = request.continues().and_then(|it| kept.spends.get(&it).cloned());
                (0, redemption.unwrap_or_default())
            }
        };
        let member_id = match (&request.command, &holds) {
            (Command::CorrectOrder { .. }, Held::Order(order)) => order.member_id.clone(),
            (_, Held::Spend(_) | Held::Redemption(_)) => holds.member_id().cloned(),
            _ => request.member_id().cloned(),
        };
        let own = member_id.as_ref().and_then(|it| kept.accounts.get(it)).cloned();
        let mut own = own.unwrap_or_default();
        let owner = if request.command.follows_alias() { kept.follow(&mut own)? } else { None };
        let KeptAccount { account, recent, due_after } = own;
        let code = request.referral_code().map(|it| match it.map(|it| kept.codes.get(&it)) {
            Some(Some(member_id)) => NamedCode::Of(member_id.clone()),
            Some(None) | None => NamedCode::Unknown,
        });
        let mut known = Known { holds, account, code, owner, ..Known::default() };
        if let Some((reward, redemption)) = request.redeems() {
            known.offer = kept.offer(reward, redemption).map(Box::new);
        }
        let mut beside = None;
        if let (Some(friend), Some(referrer)) = (member_id, needs_other(request, &known)) {
            let mut other = kept.accounts.get(&referrer).cloned().unwrap_or_default();
            let is_raw = matches!(request.command, Command::Merge { .. });
            let owner = if is_raw { None } else { kept.follow(&mut other)? };
            known.suspicion = kept.suspicion(&friend, &referrer);
            if !is_raw
                && owner.as_ref().unwrap_or(&referrer) == known.owner.as_ref().unwrap_or(&friend)
            {
                known.suspicion.is_ring = true;
                return Ok(Loaded { known, revision, recent, due_after, ..Loaded::default() });
            }
            known.other = Some(other.account);
            beside = Some(Beside { recent: other.recent, due_after: other.due_after, owner });
        }
        Ok(Loaded { entry: None, known, revision, recent, due_after, other: beside })
    }

    async fn append(&self, change: Change) -> Result<Appended, LedgerError> {
        let is_within_limits = !change.entries.is_empty()
            && change.accounts.len() <= ACCOUNTS_MAX
            && change.claims.len() <= CLAIMS_MAX;
        if !is_within_limits {
            return Err(LedgerError::InvalidChange);
        }
        let mut kept = self.kept();
        if let Some(entry) = change.entries.iter().find_map(|it| kept.entry(&it.id)) {
            return Ok(Appended::Before(entry));
        }
        if let Some(index) = change.claims.iter().position(|it| !kept.allows(it)) {
            return Ok(Appended::ClaimFailed { index });
        }
        let is_fresh = change.accounts.iter().all(|it| {
            kept.accounts.get(&it.member_id).map_or(0, |it| it.account.sequence) == it.expected
        }) && change.orders.iter().all(|it| {
            kept.orders.get(&it.order_id).map_or(0, |(revision, _)| *revision) == it.expected
        }) && change.spends.iter().all(|it| kept.given_back(&it.id) == it.expected)
            && change.redemptions.iter().all(|it| kept.status(&it.id) == Some(it.expected));
        if !is_fresh {
            return Ok(Appended::Raced);
        }
        for claim in change.claims {
            kept.claim(claim);
        }
        for it in change.accounts {
            let AccountChange { member_id, account, recent, due_after, .. } = it;
            kept.accounts.insert(member_id, KeptAccount { account, recent, due_after });
        }
        for entry in change.entries {
            kept.add(entry);
        }
        Ok(Appended::Now)
    }
}

impl Accounts for MemoryLedger {
    async fn find_account(
        &self,
        member_id: &MemberId,
        _: Reading,
    ) -> Result<Option<KnownAccount>, LedgerError> {
        let kept = self.kept().accounts.get(member_id).cloned();
        Ok(kept.map(|it| KnownAccount { account: it.account, recent: it.recent }))
    }

    async fn find_entries(
        &self,
        ids: &[CommandId],
        _: Reading,
    ) -> Result<Vec<Arc<Entry>>, LedgerError> {
        let kept = self.kept();
        Ok(ids.iter().filter_map(|it| kept.entry(it)).collect())
    }
}

/// Few, and more than one, so that whoever plans does not overlook any.
const SHARDS: u8 = 4;

impl DueWork for MemoryLedger {
    fn shards(&self) -> u8 {
        SHARDS
    }

    async fn due_members(
        &self,
        shard: u8,
        day: Date,
        after: Option<&DuePlace>,
        limit: u16,
    ) -> Result<DueMembers, LedgerError> {
        let kept = self.kept();
        let due = kept.accounts.iter().filter_map(|(member_id, it)| {
            let due_after = it.due_after.filter(|it| *it < day)?;
            let is_in_shard = shard_of(member_id) == shard;
            is_in_shard.then(|| DuePlace { due_after, member_id: member_id.clone() })
        });
        let mut places: Vec<DuePlace> =
            due.filter(|it| after.is_none_or(|after| after < it)).collect();
        places.sort_unstable();
        let is_last = places.len() <= usize::from(limit);
        places.truncate(limit.into());
        let next = places.last().filter(|_| !is_last).cloned();
        Ok(DueMembers { members: places.into_iter().map(|it| it.member_id).collect(), next })
    }
}

impl Members for MemoryLedger {
    async fn members(
        &self,
        after: Option<&MembersPlace>,
        limit: u16,
    ) -> Result<FoundMembers, LedgerError> {
        let kept = self.kept();
        let mut members: Vec<&MemberId> = kept
            .accounts
            .keys()
            .filter(|it| after.is_none_or(|after| after.0.as_str() < it.as_str()))
            .collect();
        members.sort_unstable();
        let is_last = members.len() <= usize::from(limit);
        members.truncate(limit.into());
        let last = members.last().filter(|_| !is_last);
        let next = last.map(|it| MembersPlace(it.as_str().to_owned()));
        Ok(FoundMembers { members: members.into_iter().cloned().collect(), next })
    }
}

fn shard_of(member_id: &MemberId) -> u8 {
    member_id.as_str().bytes().fold(0, u8::wrapping_add) % SHARDS
}

impl Kept {
    /// What is known of `friend` and `referrer` beside their accounts.
    fn suspicion(&self, friend: &MemberId, referrer: &MemberId) -> Suspicion {
        let mut suspicion = Suspicion::default();
        let mut above = Some(referrer);
        // Who brought whom is never changed, so the walk is as long as the ring, if there is one.
        let mut steps = self.accounts.len();
        while let Some(member_id) = above.filter(|_| steps > 0) {
            if member_id == friend {
                suspicion.is_ring = true;
                break;
            }
            let referred = self.accounts.get(member_id);
            let referred = referred.and_then(|it| it.account.membership.referred.as_ref());
            above = referred.map(|it| &it.referrer);
            steps = steps.saturating_sub(1);
        }
        for ((kind, _), members) in &self.signals {
            if !members.contains(friend) {
                continue;
            }
            if members.contains(referrer) {
                suspicion.with_referrer.push(*kind);
            }
            if members.iter().any(|it| it != friend && it != referrer) {
                suspicion.with_others.push(*kind);
            }
        }
        suspicion.tidy();
        suspicion
    }

    /// Replaces the account of a member who became one with others by the one that goes on, and says whose that is.
    fn follow(&self, kept: &mut KeptAccount) -> Result<Option<MemberId>, LedgerError> {
        let mut owner = None;
        for _ in 0..ALIASES_MAX {
            let Some(alias) = &kept.account.holdings.alias else { return Ok(owner) };
            let into = alias.into.clone();
            *kept = self.accounts.get(&into).cloned().unwrap_or_default();
            owner = Some(into);
        }
        Err(too_many_aliases())
    }

    fn entry(&self, id: &CommandId) -> Option<Arc<Entry>> {
        self.by_id.get(id).and_then(|index| self.entries.get(*index)).map(Arc::clone)
    }

    fn given_back(&self, spend: &CommandId) -> Points {
        match self.spends.get(spend) {
            Some(Held::Spend(spend)) => spend.given_back,
            Some(
                Held::Nothing
                | Held::Waiting(_)
                | Held::Order(_)
                | Held::Redemption(_)
                | Held::Merge(_),
            )
            | None => Points::ZERO,
        }
    }

    fn status(&self, redemption: &CommandId) -> Option<RedemptionStatus> {
        match self.spends.get(redemption)? {
            Held::Redemption(state) => Some(state.status),
            Held::Nothing | Held::Waiting(_) | Held::Order(_) | Held::Spend(_) | Held::Merge(_) => {
                None
            }
        }
    }

    fn allows(&self, claim: &Claim) -> bool {
        let reached = self.counters.get(&claim.key).copied();
        match claim.condition {
            ClaimCondition::Counter { by, limit } => {
                reached.unwrap_or(0).checked_add(by).is_some_and(|sum| sum <= limit)
            }
            ClaimCondition::Unique => reached.is_none(),
            ClaimCondition::Take { by } => reached.is_some_and(|left| left >= by),
            ClaimCondition::Give { .. } => reached.is_some(),
            ClaimCondition::Piece { id } => {
                self.pieces.get(&claim.key).is_some_and(|it| it.contains_key(&id))
            }
        }
    }

    fn claim(&mut self, claim: Claim) {
        if let ClaimCondition::Piece { id } = claim.condition {
            if let Some(pieces) = self.pieces.get_mut(&claim.key) {
                pieces.remove(&id);
            }
            return;
        }
        let counter = self.counters.entry(claim.key).or_default();
        *counter = match claim.condition {
            ClaimCondition::Counter { by, .. } | ClaimCondition::Give { by } => {
                counter.saturating_add(by)
            }
            ClaimCondition::Take { by } => counter.saturating_sub(by),
            ClaimCondition::Unique | ClaimCondition::Piece { .. } => counter.saturating_add(1),
        };
    }

    fn add(&mut self, entry: Arc<Entry>) {
        if let Some(order_id) = entry.id.order_id() {
            match self.orders.entry(order_id.clone()) {
                hash_map::Entry::Occupied(mut kept) => {
                    let (revision, holds) = kept.get_mut();
                    *revision = revision.saturating_add(1);
                    *holds = hold(std::mem::take(holds), &entry);
                }
                hash_map::Entry::Vacant(kept) => {
                    kept.insert((1, hold(Held::Nothing, &entry)));
                }
            }
        } else if let Answer::Accepted(events) = &entry.answer {
            for event in events {
                let redemption;
                let spend = if let Event::GivenBack { spend, .. } = event {
                    spend
                } else if let Event::Spent { .. } = event {
                    &entry.id
                } else if let (Event::Redemption(_), Some(begun)) = (event, entry.id.redemption()) {
                    redemption = begun;
                    &redemption
                } else {
                    continue;
                };
                let holds = self.spends.entry(spend.clone()).or_default();
                *holds = hold(std::mem::take(holds), &entry);
            }
        }
        self.by_id.insert(entry.id.clone(), self.entries.len());
        self.entries.push(entry);
    }
}
