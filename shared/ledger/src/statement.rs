//! Reading an account: [`Accounts`], the port of whoever only looks, and [`statement`], its entries newest
//! first.

use std::{future::Future, sync::Arc};

use loyalty_domain::{
    account::Account,
    id::{CommandId, MemberId},
};
use serde::{Deserialize, Serialize};

use crate::{ALIASES_MAX, Entry, LedgerError, PAGE, Reading, too_many_aliases};

/// What may be read of accounts without changing any.
///
/// A port of its own, beside [`Ledger`](crate::Ledger), so that a function which only reads can have a
/// role that cannot write. Every implementation passes the contract suite in `tests/ledger`.
pub trait Accounts: Sync {
    /// Reads a member's account; `None` if nothing ever happened to it.
    fn find_account(
        &self,
        member_id: &MemberId,
        reading: Reading,
    ) -> impl Future<Output = Result<Option<KnownAccount>, LedgerError>> + Send;

    /// Reads the entries called `ids`, in the order of `ids`; those that are not there are left out.
    fn find_entries(
        &self,
        ids: &[CommandId],
        reading: Reading,
    ) -> impl Future<Output = Result<Vec<Arc<Entry>>, LedgerError>> + Send;
}

/// An account as it is kept, and where its statement begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownAccount {
    /// The account.
    pub account: Account,
    /// The ids of its newest entries, as in [`Loaded::recent`](crate::Loaded::recent).
    pub recent: Vec<CommandId>,
}

/// Where a statement goes on.
///
/// It says which entries come next by their number and not by their place from the top, so new entries
/// move nothing, and where their ids are, so that a deep page is read as quickly as the first one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Entries of smaller sequence numbers come next.
    pub before: u64,
    /// The entry of which [`Entry::previous`] has their ids; `None`: the account had them.
    pub via: Option<CommandId>,
}

/// A part of a statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Entries, newest first.
    pub entries: Vec<Arc<Entry>>,
    /// Where the next part begins; `None`: this was the last one.
    pub next: Option<Cursor>,
}

/// A statement could not be read.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// No page of this member's statement ended there. Whoever asks begins again from the top.
    #[error("the cursor is none of this statement")]
    InvalidCursor,
    /// The ledger could not answer.
    #[error("the statement could not be read")]
    Ledger(#[from] LedgerError),
}

/// An account, or one of its entries, does not lead to what came before.
#[derive(Debug, thiserror::Error)]
#[error("entry {sequence} of an account is not where the account says")]
struct BrokenChain {
    sequence: u64,
}

/// What the account listed was not there yet: its transaction was being seen.
#[derive(Debug, thiserror::Error)]
#[error("entry {sequence} of an account was not seen yet")]
struct NotSeenYet {
    sequence: u64,
}

/// How far a cursor into the newest entries is looked for once newer ones have displaced it: 320 of them.
/// What is further down was never handed out as one.
const STEPS_MAX: u32 = 32;

/// Ids that stand together: oldest first, each with the sequence number after the one before it.
struct Listed {
    /// The entry that holds them; `None`: the account.
    holder: Option<CommandId>,
    ids: Vec<CommandId>,
    /// One more than the last one's sequence number.
    end: u64,
}

impl Listed {
    fn of_account(known: KnownAccount) -> Self {
        Self { holder: None, ids: known.recent, end: known.account.sequence.saturating_add(1) }
    }

    fn before(entry: &Entry, sequence: u64) -> Self {
        Self { holder: Some(entry.id.clone()), ids: entry.previous.clone(), end: sequence }
    }

    /// The first one's sequence number.
    fn start(&self) -> u64 {
        self.end.saturating_sub(u64::try_from(self.ids.len()).unwrap_or(u64::MAX))
    }

    /// The newest `limit` of those before `before`, oldest first.
    fn newest(&self, before: u64, limit: usize) -> &[CommandId] {
        let cut = usize::try_from(self.end.saturating_sub(before)).unwrap_or(usize::MAX);
        let to = self.ids.len().saturating_sub(cut);
        self.ids.get(to.saturating_sub(limit)..to).unwrap_or_default()
    }
}

/// The entries of a member's account, newest first: `limit` of them (at least one), `from` where an earlier page ended.
///
/// A page is read in batches of at most [`PAGE`] entries. Nothing that is not this member's is ever in it,
/// whatever the cursor says. Who became one with another has the statement of the account that goes on.
///
/// # Errors
///
/// [`StatementError::InvalidCursor`]: the same cursor fails again. [`StatementError::Ledger`]: as
/// [`LedgerError::is_transient`] says.
pub async fn statement<A: Accounts>(
    accounts: &A,
    member_id: &MemberId,
    from: Option<&Cursor>,
    limit: usize,
    reading: Reading,
) -> Result<Page, StatementError> {
    // A page of nothing would end nowhere.
    let limit = limit.max(1);
    let mut owner = member_id.clone();
    for _ in 0..ALIASES_MAX {
        let reader = Reader { accounts, member_id: &owner, reading };
        match reader.begin(from).await? {
            Begin::Nowhere => return Ok(Page::default()),
            Begin::Here(listed, before) => return reader.page(listed, before, limit).await,
            Begin::At(into) => owner = into,
        }
    }
    Err(too_many_aliases().into())
}

/// The account that goes on where `member_id`'s is only a name for it, and whose that is.
///
/// # Errors
///
/// As [`Accounts::find_account`].
pub async fn find_owner<A: Accounts>(
    accounts: &A,
    member_id: &MemberId,
    reading: Reading,
) -> Result<(MemberId, Option<KnownAccount>), LedgerError> {
    let mut owner = member_id.clone();
    for _ in 0..ALIASES_MAX {
        let known = accounts.find_account(&owner, reading).await?;
        match known.as_ref().and_then(|it| it.account.holdings.alias.as_ref()) {
            Some(alias) => owner = alias.into.clone(),
            None => return Ok((owner, known)),
        }
    }
    Err(too_many_aliases())
}

/// Where a page begins.
enum Begin {
    /// There is nothing.
    Nowhere,
    /// Among these ids, before this number.
    Here(Listed, u64),
    /// In the statement of another member, with whom this one became one.
    At(MemberId),
}

/// The ids before `entry`, which has the number `sequence`.
fn previous(entry: &Entry, sequence: u64) -> Result<Listed, LedgerError> {
    let listed = Listed::before(entry, sequence);
    // An entry that is not the first one of its account has others before it.
    if listed.ids.is_empty() || listed.start() == 0 {
        return Err(LedgerError::Corrupt(Box::new(BrokenChain { sequence })));
    }
    Ok(listed)
}

struct Reader<'a, A> {
    accounts: &'a A,
    member_id: &'a MemberId,
    reading: Reading,
}

impl<A: Accounts> Reader<'_, A> {
    async fn page(
        &self,
        mut listed: Listed,
        mut before: u64,
        limit: usize,
    ) -> Result<Page, StatementError> {
        let mut entries: Vec<Arc<Entry>> = Vec::new();
        loop {
            let wanted = listed.newest(before, limit.saturating_sub(entries.len()));
            entries.extend(self.entries(wanted, before).await?);
            before = before.saturating_sub(u64::try_from(wanted.len()).unwrap_or(u64::MAX));
            if before > listed.start() {
                let via = listed.holder;
                return Ok(Page { entries, next: Some(Cursor { before, via }) });
            }
            // The last one shown is the first of its kind, and holds the ids of those before it.
            let oldest = entries.last().filter(|it| it.sequence == Some(before) && before > 1);
            let Some(oldest) = oldest else { return Ok(Page { entries, next: None }) };
            if entries.len() >= limit {
                let via = Some(oldest.id.clone());
                return Ok(Page { entries, next: Some(Cursor { before, via }) });
            }
            listed = previous(oldest, before)?;
        }
    }

    /// The ids among which the page begins, and before which number.
    async fn begin(&self, from: Option<&Cursor>) -> Result<Begin, StatementError> {
        match from {
            None => {
                let known = self.accounts.find_account(self.member_id, self.reading).await?;
                let Some(known) = known.filter(|it| it.account.sequence > 0) else {
                    return Ok(Begin::Nowhere);
                };
                if let Some(alias) = &known.account.holdings.alias {
                    return Ok(Begin::At(alias.into.clone()));
                }
                let listed = checked(Listed::of_account(known))?;
                let before = listed.end;
                Ok(Begin::Here(listed, before))
            }
            Some(Cursor { before, via: None }) => {
                let known = self.accounts.find_account(self.member_id, self.reading).await?;
                let alias = known.as_ref().and_then(|it| it.account.holdings.alias.as_ref());
                if let Some(alias) = alias {
                    return Ok(Begin::At(alias.into.clone()));
                }
                Ok(Begin::Here(self.displaced(known, *before).await?, *before))
            }
            Some(Cursor { before, via: Some(via) }) => {
                let found = self.find(std::slice::from_ref(via)).await?;
                let entry = found.first().ok_or(StatementError::InvalidCursor)?;
                if entry.member_id.as_ref() != Some(self.member_id) {
                    let into = self.alias().await?.ok_or(StatementError::InvalidCursor)?;
                    return Ok(Begin::At(into));
                }
                let sequence = entry.sequence.ok_or(StatementError::InvalidCursor)?;
                let listed = Listed::before(entry, sequence);
                if *before <= listed.start() || *before > listed.end {
                    return Err(StatementError::InvalidCursor);
                }
                Ok(Begin::Here(listed, *before))
            }
        }
    }

    /// With whom the member became one, if they did.
    async fn alias(&self) -> Result<Option<MemberId>, LedgerError> {
        let known = self.accounts.find_account(self.member_id, self.reading).await?;
        Ok(known.and_then(|it| it.account.holdings.alias).map(|it| it.into))
    }

    /// The ids among which the one before `before` is, which the account itself once had.
    async fn displaced(
        &self,
        known: Option<KnownAccount>,
        before: u64,
    ) -> Result<Listed, StatementError> {
        let is_known = |it: &KnownAccount| before > 1 && before <= it.account.sequence;
        let known = if let Some(known) = known.filter(is_known) {
            known
        } else {
            // What was read may be older than what the cursor was made from.
            let newest = self.accounts.find_account(self.member_id, Reading::Newest).await?;
            newest.filter(is_known).ok_or(StatementError::InvalidCursor)?
        };
        let mut listed = checked(Listed::of_account(known))?;
        for _ in 0..STEPS_MAX {
            if before > listed.start() {
                return Ok(listed);
            }
            let sequence = listed.start();
            let first = listed.ids.get(..1).unwrap_or_default();
            let found = self.entries(first, sequence.saturating_add(1)).await?;
            let entry = found.first().ok_or(StatementError::InvalidCursor)?;
            listed = previous(entry, sequence)?;
        }
        Err(StatementError::InvalidCursor)
    }

    /// The entries called `ids`, the last of which has the number before `before`, newest first.
    async fn entries(
        &self,
        ids: &[CommandId],
        before: u64,
    ) -> Result<Vec<Arc<Entry>>, LedgerError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = self.find(ids).await?;
        found.reverse();
        let mut sequence = before;
        for (index, id) in ids.iter().rev().enumerate() {
            sequence = sequence.saturating_sub(1);
            let Some(entry) = found.get(index).filter(|it| it.id == *id) else {
                let source = Box::new(NotSeenYet { sequence });
                return Err(LedgerError::Unavailable { operation: "a statement", source });
            };
            let is_own = entry.member_id.as_ref() == Some(self.member_id);
            if !is_own || entry.sequence != Some(sequence) {
                return Err(LedgerError::Corrupt(Box::new(BrokenChain { sequence })));
            }
        }
        Ok(found)
    }

    /// The entries called `ids`, surely read if one seems not to be there.
    async fn find(&self, ids: &[CommandId]) -> Result<Vec<Arc<Entry>>, LedgerError> {
        let found = self.accounts.find_entries(ids, self.reading).await?;
        if found.len() == ids.len() || self.reading == Reading::Newest {
            return Ok(found);
        }
        self.accounts.find_entries(ids, Reading::Newest).await
    }
}

/// The ids of an account that has entries.
fn checked(listed: Listed) -> Result<Listed, LedgerError> {
    let is_whole = !listed.ids.is_empty()
        && (listed.start() == 1 || (listed.start() > 1 && listed.start().is_multiple_of(PAGE)));
    if is_whole {
        Ok(listed)
    } else {
        let sequence = listed.end.saturating_sub(1);
        Err(LedgerError::Corrupt(Box::new(BrokenChain { sequence })))
    }
}
