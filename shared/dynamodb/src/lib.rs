//! The ledger on DynamoDB: the only crate that knows keys, conditions and expressions.
//!
//! Read in this order:
//!
//! 1. `key`: where everything is, as `docs/decisions/0004-keys.md` has it;
//! 2. `item`: what items look like, and how much of one fits; `body`: how most of one is read;
//! 3. `load`: what is read before anything is written, in one batch where that is possible;
//! 4. `append`: one transaction, and every way in which it can end;
//! 5. `due`: who is to be looked at by a day, and `members`: everybody;
//! 6. `program`: the versions of the program, and `catalogue`: rewards and their stock;
//! 7. `profile`: persons and what is theirs alone, in a table of its own, and `counted`: what only so many may try;
//!    `note`: what staff write about them;
//! 8. `stream`: entries as they become known, and `scan`: all of them.
//!
//! There is deliberately no retry of a lost race here: `execute` decides again, with fresh data.

mod append;
mod body;
mod catalogue;
mod counted;
mod due;
mod item;
mod key;
mod load;
mod members;
mod note;
mod profile;
mod program;
mod scan;
mod stream;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

pub use program::Published;
pub use scan::{AccountPage, Page, Segment};
pub use stream::{StreamEvent, StreamRecord};

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
};
use loyalty_domain::{
    command::Request,
    id::{CommandId, MemberId, RewardId},
};
use loyalty_ledger::{
    Appended, Change, Entry, Ledger, LedgerError, Loaded, Reading,
    statement::{Accounts, KnownAccount},
};

/// The names of the tables that a ledger is kept in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tables {
    /// Accounts and entries.
    pub ledger: String,
    /// Versions of the program, and what claims are made on: stock, budgets, codes.
    pub program: String,
}

/// The ledger on DynamoDB.
#[derive(Clone, Debug)]
pub struct DynamoDbLedger {
    client: Client,
    tables: Tables,
    members: Option<String>,
    shards: Arc<Mutex<HashMap<RewardId, u16>>>,
}

/// Of how many rewards it is remembered in how many parts their stock is.
const SHARDS_KNOWN_MAX: usize = 1_000;

impl DynamoDbLedger {
    /// The ledger in `tables`, reached through `client`, which must have an operation timeout.
    pub fn new(client: Client, tables: Tables) -> Self {
        Self { client, tables, members: None, shards: Arc::default() }
    }

    /// In how many parts the stock of a reward is, if it was read before: that never changes, so whoever redeems
    /// reads what is left together with all else.
    fn known_shards(&self, reward: &RewardId) -> Option<u16> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner).get(reward).copied()
    }

    /// Remembers it.
    fn remember_shards(&self, reward: &RewardId, shards: u16) {
        let mut known = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains_key(reward) {
            return;
        }
        if known.len() >= SHARDS_KNOWN_MAX {
            known.clear();
        }
        known.insert(reward.clone(), shards);
    }

    /// The same, with persons in the table called `table_name`, which few functions have a right to. Without it,
    /// whatever is asked about persons is not allowed.
    #[must_use]
    pub fn with_members(self, table_name: String) -> Self {
        Self { members: Some(table_name), ..self }
    }
}

impl Ledger for DynamoDbLedger {
    async fn load(&self, request: &Request, reading: Reading) -> Result<Loaded, LedgerError> {
        // It is large, and lies in the futures of whoever waits for it.
        Box::pin(self.load_for(request, reading)).await
    }

    async fn append(&self, change: Change) -> Result<Appended, LedgerError> {
        self.append_all(&change).await
    }
}

impl Accounts for DynamoDbLedger {
    async fn find_account(
        &self,
        member_id: &MemberId,
        reading: Reading,
    ) -> Result<Option<KnownAccount>, LedgerError> {
        self.known_account(member_id, reading).await
    }

    async fn find_entries(
        &self,
        ids: &[CommandId],
        reading: Reading,
    ) -> Result<Vec<Arc<Entry>>, LedgerError> {
        self.known_entries(ids, reading).await
    }
}

/// DynamoDB did not do what was asked. Its text is not in here: it may quote what was to be written, and a
/// profile is nothing for a log.
#[derive(Debug, thiserror::Error)]
#[error("DynamoDB says {0}")]
struct NotDone(String);

/// What an error of the SDK means for whoever asked.
///
/// What is wrong with our request, or with our rights, stays wrong; all else may work if asked again.
fn failed<E>(operation: &'static str, error: SdkError<E>) -> LedgerError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    if let Some(said) = error.as_service_error() {
        let code = said.code().unwrap_or("without a code");
        let source = Box::new(NotDone(code.to_owned()));
        return match code {
            "ValidationException"
            | "SerializationException"
            | "IdempotentParameterMismatchException"
            | "ItemCollectionSizeLimitExceededException" => LedgerError::Corrupt(source),
            "AccessDeniedException"
            | "ResourceNotFoundException"
            | "ExpiredTokenException"
            | "InvalidSignatureException"
            | "MissingAuthenticationTokenException"
            | "UnrecognizedClientException" => LedgerError::NotAllowed { operation, source },
            _ => LedgerError::Unavailable { operation, source },
        };
    }
    if matches!(error, SdkError::ConstructionFailure(_)) {
        return LedgerError::Corrupt(Box::new(error));
    }
    // Without credentials there is no call.
    if matches!(&error, SdkError::DispatchFailure(it) if !it.is_io() && !it.is_timeout()) {
        return LedgerError::NotAllowed { operation, source: Box::new(error) };
    }
    LedgerError::Unavailable { operation, source: Box::new(error) }
}
