//! The one use case, [`execute`]: load, decide, append; and its port, [`Ledger`].
//!
//! Read in this order: [`Entry`], what is kept for ever; [`Ledger`], what a store must do; [`execute`];
//! [`catalogue`], of what members take; [`statement`], for whoever only looks; [`due`], for whoever plans a night;
//! [`members`], for whoever measures everybody; [`profile`], for whoever knows persons, and [`note`], what staff write
//! of them; [`memory`], the store that `simulate` and tests use.

pub mod catalogue;
pub mod due;
pub mod members;
pub mod memory;
pub mod note;
pub mod profile;
pub mod program;
pub mod statement;

use std::{error::Error, future::Future, sync::Arc};

use jiff::{Timestamp, civil::Date};
use loyalty_domain::{
    account::{Account, Balance},
    command::{Command, Fingerprint, Request, Waiting},
    decide::{Decision, Held, Known, Rejection, Second, SpendState, decide},
    event::{Event, ReferralEvent},
    id::{CommandId, MemberId, OrderId, RewardId},
    merge::MergeState,
    order::OrderState,
    points::{OutOfRange, Points},
    program::Program,
    redemption::{
        RedemptionAct, RedemptionEvent, RedemptionState, RedemptionStatus, Returned,
        Taken as TakenFrom,
    },
    referral::{Qualifier, ReferralState},
    reminder::due_after,
    reward::PieceId,
};
use serde::{Deserialize, Serialize};

use crate::profile::{ProfileChange, Taken};

/// All that one command did, kept for ever under its natural id and never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The natural id.
    pub id: CommandId,
    /// What tells a repeat from another command under the same id.
    pub fingerprint: Fingerprint,
    /// The instant that the sender named.
    pub sent_at: Timestamp,
    /// The instant at which it took effect: its own, or the account's clock if that was later.
    pub at: Timestamp,
    /// Whose account it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_id: Option<MemberId>,
    /// The account's sequence number; `None` if it left no account changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// The version of the program that it was decided by.
    pub program_version: u32,
    /// The answer.
    pub answer: Answer,
    /// What the account's statement shows afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance: Option<Balance>,
    /// In every [`PAGE`]th entry of an account, the ids of those since the last such entry, so that a
    /// statement needs no index: from entry to entry back to the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub previous: Vec<CommandId>,
}

/// How many entries a page of a statement has.
pub const PAGE: u64 = 10;

/// What a command was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Yes, and this happened.
    Accepted(Vec<Event>),
    /// Yes, once its order comes.
    Waiting(Waiting),
    /// No.
    Refused(Rejection),
}

/// What [`execute`] has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// The command took effect, waits, or was refused, and this was recorded now.
    Now(Arc<Entry>),
    /// The same command was answered before; nothing was written.
    Before(Arc<Entry>),
    /// The command was refused and nothing was written, so that the same id can be used again: what a
    /// member brings is refused for what the sender or the program can mend, and can be brought once.
    Declined(Rejection),
    /// Nothing was to be done, and nothing was written: a new version of the program changes nothing for the
    /// member, and nothing for when to look again. Asked again, it is looked at again.
    Idle,
    /// The id was used before for another command, which stands. A mistake of the sender, to be
    /// reported and never applied; nothing was written.
    Reused(Arc<Entry>),
    /// Somebody else has what was to be kept with it; nothing was written.
    Taken(Taken),
}

/// What a request needs to be decided, as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// What stands under the request's own id.
    pub entry: Option<Arc<Entry>>,
    /// All that it is decided by.
    pub known: Known,
    /// How often what the request's order holds was changed.
    pub revision: Revision,
    /// The ids of the account's newest entries, the newest last: those since the last [`PAGE`]th,
    /// itself included.
    pub recent: Vec<CommandId>,
    /// The first day after which something may fall due for the account; `None`: nothing ever will.
    pub due_after: Option<Date>,
    /// What belongs to the account of the other member whom the request is about, where that was read.
    pub other: Option<Beside>,
}

/// What is read with a second account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// The ids of its newest entries, as in [`Loaded::recent`].
    pub recent: Vec<CommandId>,
    /// When to look at it, as in [`Loaded::due_after`].
    pub due_after: Option<Date>,
    /// Whose it is, if the member named became one with another.
    pub owner: Option<MemberId>,
}

/// How many names one after the other lead to an account: whoever became one with somebody who then became
/// one with a third, and so on.
pub const ALIASES_MAX: usize = 16;

/// How often the entries under one order were added to; 0: there are none.
pub type Revision = u32;

/// Everything that one command changes, together or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Entries, each only if its id is new. At least one.
    pub entries: Vec<Arc<Entry>>,
    /// Accounts as they become, each only if it is still at the sequence number that was read.
    /// At most [`ACCOUNTS_MAX`].
    pub accounts: Vec<AccountChange>,
    /// Orders under which entries are added, each only at the revision that was read.
    pub orders: Vec<OrderChange>,
    /// Uses of points that come back, each only if no more had come back than was read.
    pub spends: Vec<SpendChange>,
    /// Redemptions that go on, each only from where it was read to stand.
    pub redemptions: Vec<RedemptionChange>,
    /// Conditional counters and unique keys. At most [`CLAIMS_MAX`].
    pub claims: Vec<Claim>,
    /// What is known of a person, which is kept apart from all this.
    pub profile: Option<Arc<ProfileChange>>,
}

/// How many accounts one command may change: two of a transfer or merge, and a third for a reward.
pub const ACCOUNTS_MAX: usize = 3;
/// How many claims one command may make.
pub const CLAIMS_MAX: usize = 8;

/// An account as it becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountChange {
    /// Whose.
    pub member_id: MemberId,
    /// The sequence number that was read; 0: there was none.
    pub expected: u64,
    /// The account, its sequence number raised.
    pub account: Account,
    /// The ids of its newest entries, as in [`Loaded::recent`].
    pub recent: Vec<CommandId>,
    /// When to look at it, as in [`Loaded::due_after`]. Commands make it earlier and only jobs, which
    /// post what fell due or measure anew, make it later, since a store pays for every move.
    pub due_after: Option<Date>,
}

/// An order under which an entry is added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderChange {
    /// Which.
    pub order_id: OrderId,
    /// The revision that was read.
    pub expected: Revision,
}

/// A use of points of which some come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendChange {
    /// The request that had used them.
    pub id: CommandId,
    /// How many had come back when it was read.
    pub expected: Points,
    /// How many have come back then, lost ones included.
    pub given_back: Points,
}

/// A redemption that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedemptionChange {
    /// The entry that it began with.
    pub id: CommandId,
    /// Where it stood when it was read.
    pub expected: RedemptionStatus,
    /// Where it stands then.
    pub status: RedemptionStatus,
}

/// Something that only so many may have: stock, a budget, a cap, a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What is claimed.
    pub key: ClaimKey,
    /// How.
    pub condition: ClaimCondition,
}

/// What is claimed: a kind and a name within it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClaimKey {
    /// `stock`, `budget`, `code`, ….
    pub kind: &'static str,
    /// Which one.
    pub name: String,
}

impl ClaimKey {
    /// A part of the stock of a reward.
    pub fn stock(reward: &RewardId, shard: u16) -> Self {
        Self { kind: "stock", name: format!("{reward}/{shard}") }
    }

    /// The pieces in a part of the stock of a reward.
    pub fn pieces(reward: &RewardId, shard: u16) -> Self {
        Self { kind: "pieces", name: format!("{reward}/{shard}") }
    }
}

/// How something is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimCondition {
    /// Adds to a counter, unless it would pass its limit.
    Counter {
        /// How much.
        by: u64,
        /// What the counter may reach.
        limit: u64,
    },
    /// Takes a key that nobody has.
    Unique,
    /// Takes from what is left, unless less is. What is left is in the item itself, so that staff change it
    /// without anybody who remembers a limit.
    Take {
        /// How much.
        by: u64,
    },
    /// Puts back into what is left.
    Give {
        /// How much.
        by: u64,
    },
    /// Takes a piece that nobody has; what it was is known to whoever read it.
    Piece {
        /// Which.
        id: PieceId,
    },
}

impl ClaimCondition {
    /// Whether others may have taken what is claimed since it was read, so that it is decided again.
    const fn is_of_stock(self) -> bool {
        match self {
            Self::Take { .. } | Self::Piece { .. } => true,
            Self::Counter { .. } | Self::Unique | Self::Give { .. } => false,
        }
    }
}

/// How an [`append`](Ledger::append) ended, in order of precedence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// Everything is stored.
    Now,
    /// An entry's id was known: nothing is stored, and this stands under it.
    Before(Arc<Entry>),
    /// A claim failed: nothing is stored.
    ClaimFailed {
        /// Which of the change's claims.
        index: usize,
    },
    /// Somebody has what the change's profile was to take: nothing is stored.
    Taken(Taken),
    /// An account, an order or a use of points has changed since it was read: nothing is stored.
    Raced,
}

/// How surely something is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It may be some moments old, where that costs less.
    Cheap,
    /// It is the newest.
    Newest,
}

/// Where accounts and entries are kept.
///
/// Every implementation passes the contract suite in `tests/ledger`.
pub trait Ledger: Sync {
    /// Reads all that `request` needs, in as few reads as the store allows.
    ///
    /// What was read need not be from one instant: [`Ledger::append`] finds out.
    fn load(
        &self,
        request: &Request,
        reading: Reading,
    ) -> impl Future<Output = Result<Loaded, LedgerError>> + Send;

    /// Stores `change`, together or not at all.
    ///
    /// Idempotence is checked before anything else: an id that is known yields [`Appended::Before`],
    /// however far the accounts have moved on.
    fn append(&self, change: Change) -> impl Future<Output = Result<Appended, LedgerError>> + Send;
}

/// How long [`execute`] goes on after a lost race.
///
/// The clock and the jitter belong to whoever calls, since nothing here may read them.
pub trait Patience: Send {
    /// Waits before the next attempt, of which `attempt` have been lost; `false` to give up.
    fn wait(&mut self, attempt: u32) -> impl Future<Output = bool> + Send;
}

/// Tries a number of times without waiting, where no other writer takes long.
#[derive(Clone, Copy, Debug)]
pub struct Attempts(pub u32);

impl Patience for Attempts {
    async fn wait(&mut self, attempt: u32) -> bool {
        attempt < self.0
    }
}

/// The ledger could not answer.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Other writers won every attempt.
    #[error("account changed under us {attempts} times")]
    Contended {
        /// How often we tried.
        attempts: u32,
    },
    /// A change is outside of the limits of the port: a bug of ours.
    #[error("a change needs entries, at most 3 accounts and at most 8 claims")]
    InvalidChange,
    /// A claim failed that the command knows no answer for: a bug of ours.
    #[error("claim {index} failed, and the command does not say what that means")]
    UnexpectedClaim {
        /// Which of the change's claims.
        index: usize,
    },
    /// What is stored, or was about to be, makes no sense: a bug of ours.
    #[error("ledger data is corrupt")]
    Corrupt(#[source] Box<dyn Error + Send + Sync>),
    /// The store takes no such request from us: the caller's rights, its credentials or its settings are not
    /// what they should be.
    #[error("ledger store refuses {operation} from this caller")]
    NotAllowed {
        /// The operation that was refused, as the store names it.
        operation: &'static str,
        /// What the store said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The store did not do what we asked, and may if asked again.
    #[error("ledger store is unavailable during {operation}")]
    Unavailable {
        /// The operation that failed, as the store names it.
        operation: &'static str,
        /// What the store said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl LedgerError {
    /// Whether sending the same request again, unchanged, may succeed.
    ///
    /// Exhaustive on purpose: a new variant does not compile until somebody decides.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Contended { .. } | Self::Unavailable { .. } => true,
            Self::InvalidChange
            | Self::UnexpectedClaim { .. }
            | Self::Corrupt(_)
            | Self::NotAllowed { .. } => false,
        }
    }
}

/// Names lead to names without end.
#[derive(Debug, thiserror::Error)]
#[error("more than {ALIASES_MAX} accounts are names for each other")]
struct TooManyAliases;

/// What a store says of more than [`ALIASES_MAX`] names.
pub fn too_many_aliases() -> LedgerError {
    LedgerError::Corrupt(Box::new(TooManyAliases))
}

impl From<OutOfRange> for LedgerError {
    fn from(error: OutOfRange) -> Self {
        Self::Corrupt(Box::new(error))
    }
}

/// What [`execute`] would say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preview {
    /// This would be recorded now.
    Would(Arc<Entry>),
    /// The same command was answered before, and would be answered the same.
    Before(Arc<Entry>),
    /// The id was used before for another command, which stands.
    Reused(Arc<Entry>),
}

/// What [`execute`] would answer to `request` if nothing happened in between. Nothing is written.
///
/// # Errors
///
/// A [`LedgerError`]. Retrying helps as it does with [`execute`].
pub async fn preview<L: Ledger>(
    ledger: &L,
    program: &Program,
    request: &Request,
) -> Result<Preview, LedgerError> {
    let fingerprint = request.fingerprint();
    let loaded = ledger.load(request, Reading::Newest).await?;
    match loaded.entry {
        Some(entry) if entry.fingerprint == fingerprint => Ok(Preview::Before(entry)),
        Some(entry) => Ok(Preview::Reused(entry)),
        None => {
            let (entry, _) = answer(program, request, fingerprint, &loaded)?;
            Ok(Preview::Would(entry))
        }
    }
}

/// Answers `request` exactly once, however often it is delivered.
///
/// # Errors
///
/// A [`LedgerError`]; nothing was stored, unless the store failed after accepting the write, in
/// which case the next delivery is answered with [`Answered::Before`].
pub async fn execute<L: Ledger, P: Patience>(
    ledger: &L,
    program: &Program,
    patience: &mut P,
    request: &Request,
) -> Result<Answered, LedgerError> {
    // What is under way is large, and whoever waits for it is none the larger.
    Box::pin(execute_with(ledger, program, patience, request, None)).await
}

/// Answers `request` as [`execute`] does, and keeps `profile` with it, together or not at all: what is known
/// of a person is no part of the ledger, and must not be forgotten beside it.
///
/// # Errors
///
/// As [`execute`].
pub async fn execute_with<L: Ledger, P: Patience>(
    ledger: &L,
    program: &Program,
    patience: &mut P,
    request: &Request,
    profile: Option<Arc<ProfileChange>>,
) -> Result<Answered, LedgerError> {
    let fingerprint = request.fingerprint();
    let answered = |entry: Arc<Entry>| {
        if entry.fingerprint == fingerprint {
            Answered::Before(entry)
        } else {
            Answered::Reused(entry)
        }
    };
    let mut attempts = 0;
    let mut reading = Reading::Cheap;
    loop {
        let loaded = ledger.load(request, reading).await?;
        if let Some(entry) = loaded.entry {
            return Ok(answered(entry));
        }
        let (entry, mut change) = answer(program, request, fingerprint, &loaded)?;
        // A refusal stands for ever and is bound to no version, so it must not rest on what was; nor
        // may it that nothing is due for an account that is not there.
        let is_bound = is_bound(request, &entry, &change, &loaded);
        if reading == Reading::Cheap && (!is_bound || rests_on_others(&entry)) {
            reading = Reading::Newest;
            continue;
        }
        if let (true, Answer::Refused(rejection)) = (is_declined(&request.command), &entry.answer) {
            return Ok(Answered::Declined(rejection.clone()));
        }
        if comes_to_nothing(request, &entry, &change, &loaded) {
            return Ok(Answered::Idle);
        }
        change.profile.clone_from(&profile);
        let conditions: Vec<ClaimCondition> = change.claims.iter().map(|it| it.condition).collect();
        let is_stock = |index: usize| conditions.get(index).is_some_and(|it| it.is_of_stock());
        match ledger.append(change).await? {
            Appended::Now => return Ok(Answered::Now(entry)),
            Appended::Before(entry) if entry.id == request.id => return Ok(answered(entry)),
            Appended::ClaimFailed { index } if !is_stock(index) => {
                return Err(LedgerError::UnexpectedClaim { index });
            }
            Appended::Taken(taken) => return Ok(Answered::Taken(taken)),
            // Another command made the entry that this one would have made beside its own, or took the last piece
            // of a stock: a race, too.
            Appended::Before(_) | Appended::ClaimFailed { .. } | Appended::Raced => {
                reading = Reading::Newest;
                attempts += 1;
                if !patience.wait(attempts).await {
                    return Err(LedgerError::Contended { attempts });
                }
            }
        }
    }
}

/// Who else `request` is about, given the account of its member: a store then reads their account, too, after the
/// member's. That is whoever brought the member, where it is about that referral or may take its reward back, and
/// whoever points go to.
pub fn needs_other(request: &Request, known: &Known) -> Option<MemberId> {
    if let Command::Transfer { transfer, .. } = &request.command {
        return Some(transfer.to.clone());
    }
    if let Command::Merge { act, .. } = &request.command {
        return Some(act.into().clone());
    }
    let referred = known.account.membership.referred.as_ref()?;
    let is_needed = match &request.command {
        // What is on its way may be due by the instant of the command.
        Command::SettleReferral { .. } => match &referred.state {
            ReferralState::Named | ReferralState::Qualified { .. } => true,
            ReferralState::Held { .. }
            | ReferralState::Rewarded(_)
            | ReferralState::Refused(_)
            | ReferralState::Revoked => false,
        },
        Command::ReviewReferral { .. } => matches!(referred.state, ReferralState::Held { .. }),
        Command::CorrectOrder { order_id, .. } => match &referred.state {
            ReferralState::Rewarded(reward) => reward.by == Qualifier::Order(order_id.clone()),
            ReferralState::Named
            | ReferralState::Qualified { .. }
            | ReferralState::Held { .. }
            | ReferralState::Refused(_)
            | ReferralState::Revoked => false,
        },
        Command::PayOrder(_)
        | Command::Spend { .. }
        | Command::GiveBack { .. }
        | Command::PostDue { .. }
        | Command::OpenAccount { .. }
        | Command::Extend { .. }
        | Command::Reinstate { .. }
        | Command::AddMeasure { .. }
        | Command::OverrideLevel { .. }
        | Command::LiftOverride { .. }
        | Command::Measure { .. }
        | Command::EndMeasuring
        | Command::Enroll { .. }
        | Command::Activate { .. }
        | Command::SetStatus { .. }
        | Command::ClaimOrder { .. }
        | Command::Checkout { .. }
        | Command::Redemption { .. }
        | Command::Transfer { .. }
        | Command::Adjustment { .. }
        | Command::Merge { .. } => false,
    };
    is_needed.then(|| referred.referrer.clone())
}

/// Whether a refusal of `command` is not stored: what it rests on can be mended, and its id can be used again.
const fn is_declined(command: &Command) -> bool {
    match command {
        Command::OpenAccount { .. }
        | Command::Enroll { .. }
        | Command::Activate { .. }
        | Command::ClaimOrder { .. }
        // It may be taken later, from where the redemption then stands.
        | Command::Redemption { act: RedemptionAct::Step { .. }, .. } => true,
        Command::PayOrder(_)
        | Command::CorrectOrder { .. }
        | Command::Spend { .. }
        | Command::GiveBack { .. }
        | Command::PostDue { .. }
        | Command::Extend { .. }
        | Command::Reinstate { .. }
        | Command::AddMeasure { .. }
        | Command::OverrideLevel { .. }
        | Command::LiftOverride { .. }
        | Command::Measure { .. }
        | Command::EndMeasuring
        | Command::SetStatus { .. }
        | Command::SettleReferral { .. }
        | Command::ReviewReferral { .. }
        | Command::Checkout { .. }
        | Command::Redemption { act: RedemptionAct::Redeem(_), .. }
        | Command::Transfer { .. }
        | Command::Adjustment { .. }
        | Command::Merge { .. } => false,
    }
}

/// Whether `entry` says no to a referral for ever by what was read of others, whose versions it is not bound to:
/// by a code that was not there, or by a referrer's account and what else is known of both.
fn rests_on_others(entry: &Entry) -> bool {
    let Answer::Accepted(events) = &entry.answer else { return false };
    events.iter().any(|it| {
        let Event::Referral(event) = it else { return false };
        match &**event {
            ReferralEvent::NotNamed { .. }
            | ReferralEvent::Refused { .. }
            | ReferralEvent::Held { .. } => true,
            ReferralEvent::Named { .. }
            | ReferralEvent::Ordered { .. }
            | ReferralEvent::Corrected { .. }
            | ReferralEvent::NotKept { .. }
            | ReferralEvent::Qualified { .. }
            | ReferralEvent::Rewarded { .. }
            | ReferralEvent::Revoked { .. } => false,
        }
    })
}

/// Whether `change` is stored only if the account is as it was read; what is not rests on nothing that is
/// checked.
fn is_bound(request: &Request, entry: &Entry, change: &Change, loaded: &Loaded) -> bool {
    if let Command::PostDue { .. } | Command::SettleReferral { .. } = &request.command {
        return !change.accounts.is_empty();
    }
    if let Command::Measure { .. } = &request.command {
        return !is_idle(entry, change, loaded);
    }
    if let Command::EndMeasuring = &request.command {
        return true;
    }
    !matches!(entry.answer, Answer::Refused(_))
}

/// Whether there is nothing to store, and `request` may be asked again.
fn comes_to_nothing(request: &Request, entry: &Entry, change: &Change, loaded: &Loaded) -> bool {
    if let Command::Measure { .. } = &request.command {
        return is_idle(entry, change, loaded);
    }
    matches!(request.command, Command::SettleReferral { .. }) && change.accounts.is_empty()
}

/// Whether `change` would only say that nothing happened.
fn is_idle(entry: &Entry, change: &Change, loaded: &Loaded) -> bool {
    matches!(&entry.answer, Answer::Accepted(events) if events.is_empty())
        && change.accounts.iter().all(|it| it.due_after == loaded.due_after)
}

/// Decides, and makes the entry and the change that record it.
fn answer(
    program: &Program,
    request: &Request,
    fingerprint: Fingerprint,
    loaded: &Loaded,
) -> Result<(Arc<Entry>, Change), LedgerError> {
    let mut entry = Entry {
        id: request.id.clone(),
        fingerprint,
        sent_at: request.at,
        at: request.at,
        member_id: request.member_id().cloned(),
        sequence: None,
        program_version: program.spec().version,
        answer: Answer::Accepted(Vec::new()),
        balance: None,
        previous: Vec::new(),
    };
    let mut change = Change::default();
    if let Some(order_id) = request.id.order_id() {
        let order_id = order_id.clone();
        change.orders.push(OrderChange { order_id, expected: loaded.revision });
    }
    if let (Command::CorrectOrder { .. }, Held::Order(order)) =
        (&request.command, &loaded.known.holds)
    {
        entry.member_id.clone_from(&order.member_id);
    }
    if let Held::Spend(_) | Held::Redemption(_) = &loaded.known.holds
        && let Some(member_id) = loaded.known.holds.member_id()
    {
        entry.member_id = Some(member_id.clone());
    }
    if let Some(owner) = &loaded.known.owner {
        entry.member_id = Some(owner.clone());
    }
    match decide(program, &loaded.known, request) {
        Err(rejection) => entry.answer = Answer::Refused(rejection),
        Ok(Decision::Waits(waiting)) => entry.answer = Answer::Waiting(waiting),
        // Nothing is stored of it.
        Ok(Decision::Nothing) => (),
        Ok(Decision::Effect { at, events, account, second }) => {
            entry.at = at;
            entry.answer = Answer::Accepted(events);
            if let (Some(account), Some(member_id)) = (account, entry.member_id.clone()) {
                let is_job = matches!(request.command, Command::PostDue { .. });
                let is_exact = is_job || matches!(request.command, Command::Measure { .. });
                let looked = Looked {
                    recent: loaded.recent.clone(),
                    due_after: loaded.due_after.filter(|_| !is_exact),
                    posted_at: is_job.then_some(request.at),
                };
                change.accounts.push(end_entry(program, &mut entry, *account, member_id, looked)?);
            }
            if let Some(second) = second {
                let beside = loaded.other.clone().unwrap_or_default();
                let (recent, due_after) = (beside.recent, beside.due_after);
                let looked = Looked { recent, due_after, posted_at: None };
                let Second { id, member_id, at, events, account } = *second;
                let member_id = beside.owner.unwrap_or(member_id);
                let mut entry = Entry {
                    id,
                    at,
                    member_id: Some(member_id.clone()),
                    answer: Answer::Accepted(events),
                    ..entry.clone()
                };
                change.accounts.push(end_entry(program, &mut entry, *account, member_id, looked)?);
                change.entries.push(Arc::new(entry));
            }
        }
    }
    change_redemption(&entry, &loaded.known.holds, &mut change);
    if let (Held::Spend(before), Command::GiveBack { spend, .. }, Answer::Accepted(_)) =
        (&loaded.known.holds, &request.command, &entry.answer)
        && let Held::Spend(after) = hold(loaded.known.holds.clone(), &entry)
    {
        let (expected, given_back) = (before.given_back, after.given_back);
        change.spends.push(SpendChange { id: spend.clone(), expected, given_back });
    }
    let entry = Arc::new(entry);
    // Its own id is looked for before that of a second one.
    change.entries.insert(0, Arc::clone(&entry));
    Ok((entry, change))
}

/// Adds what `entry` takes of a stock or puts back into it, and where a redemption that goes on then stands.
fn change_redemption(entry: &Entry, holds: &Held, change: &mut Change) {
    let Answer::Accepted(events) = &entry.answer else { return };
    for event in events {
        let Event::Redemption(event) = event else { continue };
        let give = |it: &Returned| {
            let key = ClaimKey::stock(&it.reward, it.shard?);
            Some(Claim { key, condition: ClaimCondition::Give { by: 1 } })
        };
        let (claim, is_step) = match &**event {
            RedemptionEvent::Issued(it) => {
                let claim = match it.taken {
                    TakenFrom::Unlimited => None,
                    TakenFrom::Shard(shard) => Some(Claim {
                        key: ClaimKey::stock(&it.reward, shard),
                        condition: ClaimCondition::Take { by: 1 },
                    }),
                    TakenFrom::Piece(shard, id) => Some(Claim {
                        key: ClaimKey::pieces(&it.reward, shard),
                        condition: ClaimCondition::Piece { id },
                    }),
                };
                (claim, false)
            }
            RedemptionEvent::Fulfilled { .. } => (None, true),
            RedemptionEvent::Cancelled(it) | RedemptionEvent::Refunded(it) => (give(it), true),
        };
        change.claims.extend(claim);
        if let (true, Held::Redemption(before), Some(id)) = (is_step, holds, entry.id.redemption())
        {
            let mut after = before.clone();
            after.apply(event);
            change.redemptions.push(RedemptionChange {
                id,
                expected: before.status,
                status: after.status,
            });
        }
    }
}

/// What is known of an account beside what is in it.
struct Looked {
    /// As in [`Loaded::recent`].
    recent: Vec<CommandId>,
    /// The day that must not become a later one; `None` if it may, or there was none.
    due_after: Option<Date>,
    /// When a job posted what fell due, if it is one.
    posted_at: Option<Timestamp>,
}

/// Ends `entry` in the `account` that it left, and says how the account becomes.
fn end_entry(
    program: &Program,
    entry: &mut Entry,
    mut account: Account,
    member_id: MemberId,
    looked: Looked,
) -> Result<AccountChange, OutOfRange> {
    let expected = account.sequence;
    account.end_entry(entry.at)?;
    entry.sequence = Some(account.sequence);
    entry.balance = Some(account.balance()?);
    entry.previous = Vec::new();
    let mut recent = looked.recent;
    if account.sequence.is_multiple_of(PAGE) {
        entry.previous = std::mem::take(&mut recent);
    }
    recent.push(entry.id.clone());
    let exact = due_after(program, &account, looked.posted_at);
    let due_after = match (looked.due_after, exact) {
        (None, exact) => exact,
        (Some(before), exact) => Some(exact.map_or(before, |it| it.min(before))),
    };
    Ok(AccountChange { member_id, expected, account, recent, due_after })
}

/// What an order, or a use of points, holds after one more `entry` under it.
///
/// Every store folds its entries with this, so that none can read them differently.
pub fn hold(mut holds: Held, entry: &Entry) -> Held {
    match (&entry.id, &entry.answer) {
        (CommandId::Order(_), answer) => {
            let member_id = entry.member_id.clone();
            let mut order = OrderState { member_id, record: None, payment: None };
            if let Answer::Accepted(events) = answer {
                for event in events {
                    order.apply(event);
                }
            }
            holds = Held::Order(order);
        }
        (_, Answer::Waiting(waiting)) => match &mut holds {
            Held::Waiting(all) => all.push(waiting.clone()),
            Held::Nothing => holds = Held::Waiting(vec![waiting.clone()]),
            // The order came between reading and waiting, which a store must not let happen.
            Held::Order(_) | Held::Spend(_) | Held::Redemption(_) | Held::Merge(_) => (),
        },
        (id, Answer::Accepted(events)) => {
            if let (CommandId::Claim(_), Held::Order(order)) = (id, &mut holds) {
                order.member_id.clone_from(&entry.member_id);
            }
            for event in events {
                match (&mut holds, event) {
                    (Held::Order(order), event) => order.apply(event),
                    (Held::Nothing, Event::Spent { uses }) => {
                        let member_id = entry.member_id.clone();
                        let given_back = Points::ZERO;
                        holds =
                            Held::Spend(SpendState { member_id, uses: uses.clone(), given_back });
                    }
                    (Held::Spend(spend), Event::GivenBack { debt_paid, restored, lost, .. }) => {
                        spend.given_back = restored
                            .iter()
                            .map(|it| it.points)
                            .chain([*debt_paid, *lost, spend.given_back])
                            .try_fold(Points::ZERO, Points::plus)
                            // What came back is part of what was used, which was counted.
                            .unwrap_or(Points::MAX);
                    }
                    (Held::Nothing, Event::Merge(_)) => {
                        if let Some(merge) = MergeState::of(events) {
                            holds = Held::Merge(Box::new(merge));
                        }
                    }
                    (Held::Nothing, Event::Redemption(event)) => {
                        if let RedemptionEvent::Issued(issued) = &**event {
                            let (member_id, issued) = (entry.member_id.clone(), (**issued).clone());
                            let status = RedemptionStatus::Issued;
                            let state = RedemptionState { member_id, issued, status };
                            holds = Held::Redemption(Box::new(state));
                        }
                    }
                    (Held::Redemption(state), Event::Redemption(event)) => state.apply(event),
                    (
                        Held::Nothing
                        | Held::Waiting(_)
                        | Held::Spend(_)
                        | Held::Redemption(_)
                        | Held::Merge(_),
                        _,
                    ) => (),
                }
            }
        }
        (_, Answer::Refused(_)) => (),
    }
    holds
}
