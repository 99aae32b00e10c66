//! The ledger in memory: what `simulate` runs on, and the plainest reading of the port.

use std::{
    collections::{HashMap, hash_map},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::civil::Date;
use loyalty_domain::{
    account::Account,
    command::{Command, Request},
    decide::Held,
    event::Event,
    id::{CommandId, MemberId, OrderId},
    points::Points,
};

use crate::{
    ACCOUNTS_MAX, AccountChange, Answer, Appended, CLAIMS_MAX, Change, Claim, ClaimCondition,
    ClaimKey, Entry, Ledger, LedgerError, Loaded, Reading, Revision,
    due::{DueMembers, DuePlace, DueWork},
    hold,
    members::{FoundMembers, Members, MembersPlace},
    statement::{Accounts, KnownAccount},
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
            Held::Nothing | Held::Order(_) | Held::Spend(_) => 0,
        };
        self.kept().orders.values().map(|(_, holds)| waiting(holds)).sum()
    }

    /// Every entry, in the order in which they were added.
    pub fn entries(&self) -> Vec<Arc<Entry>> {
        self.kept().entries.clone()
    }

    /// What the counter of a claim has reached.
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
            (_, None) => (0, Held::Nothing),
        };
        let member_id = match (&request.command, &holds) {
            (Command::CorrectOrder { .. }, Held::Order(order)) => order.member_id.as_ref(),
            _ => request.member_id(),
        };
        let kept = member_id.and_then(|it| kept.accounts.get(it)).cloned();
        let KeptAccount { account, recent, due_after } = kept.unwrap_or_default();
        Ok(Loaded { entry: None, holds, revision, account, recent, due_after })
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
        }) && change.spends.iter().all(|it| kept.given_back(&it.id) == it.expected);
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
    fn entry(&self, id: &CommandId) -> Option<Arc<Entry>> {
        self.by_id.get(id).and_then(|index| self.entries.get(*index)).map(Arc::clone)
    }

    fn given_back(&self, spend: &CommandId) -> Points {
        match self.spends.get(spend) {
            Some(Held::Spend(spend)) => spend.given_back,
            Some(Held::Nothing | Held::Waiting(_) | Held::Order(_)) | None => Points::ZERO,
        }
    }

    fn allows(&self, claim: &Claim) -> bool {
        let reached = self.counters.get(&claim.key).copied();
        match claim.condition {
            ClaimCondition::Counter { by, limit } => {
                reached.unwrap_or(0).checked_add(by).is_some_and(|sum| sum <= limit)
            }
            ClaimCondition::Unique => reached.is_none(),
        }
    }

    fn claim(&mut self, claim: Claim) {
        let by = match claim.condition {
            ClaimCondition::Counter { by, .. } => by,
            ClaimCondition::Unique => 1,
        };
        let counter = self.counters.entry(claim.key).or_default();
        *counter = counter.saturating_add(by);
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
                let spend = if let Event::GivenBack { spend, .. } = event {
                    spend
                } else if let Event::Spent { .. } = event {
                    &entry.id
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
