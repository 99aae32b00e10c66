//! Items: what is stored, and how a body that does not fit one item is spread over several.

use std::{collections::HashMap, error::Error, sync::Arc};

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use jiff::{Timestamp, civil::Date};
use loyalty_domain::{
    account::{Account, Balance},
    command::Fingerprint,
    holdings::Holdings,
    id::{CommandId, MemberId},
    membership::Membership,
};
use loyalty_ledger::{AccountChange, Answer, Entry, LedgerError, Revision};
use serde::Deserialize;

use crate::body;

/// An item as the SDK has it.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The version of the shapes below. An item of a newer one is refused, not guessed.
const SHAPE: u32 = 1;

/// How much of a body is in one item, of which DynamoDB takes 400 KB with keys and names.
const PART_BYTES_MAX: usize = 380_000;

/// The attribute with the shape's version.
const VERSION: &str = "v";
/// The attribute with the body, as `MessagePack`; of a version of the program and of a profile, as the text of
/// its JSON.
pub(crate) const BODY: &str = "b";
/// The attribute of the number of parts, where there is more than one.
const PARTS: &str = "c";
/// The attribute of how many entries were under an order with this one.
pub(crate) const REVISION: &str = "r";
/// The attribute of an account's sequence number, and of a profile's version.
pub(crate) const SEQUENCE: &str = "q";
/// The attribute of how many points came back.
pub(crate) const GIVEN_BACK: &str = "g";

/// The attribute of where a redemption stands.
pub(crate) const STATUS: &str = "s";

/// An entry as it is stored: an array, so fields may only be added at the end, with a default.
#[derive(Deserialize)]
struct StoredEntry {
    id: CommandId,
    fingerprint: Fingerprint,
    sent_at: Timestamp,
    at: Timestamp,
    member_id: Option<MemberId>,
    sequence: Option<u64>,
    program_version: u32,
    answer: Answer,
    balance: Option<Balance>,
    previous: Vec<CommandId>,
}

/// An account as it is stored, likewise.
#[derive(Default, Deserialize)]
pub(crate) struct StoredAccount {
    pub(crate) account: Account,
    pub(crate) recent: Vec<CommandId>,
    pub(crate) due_after: Option<Date>,
    /// Of accounts that nobody enrolled for, and that nobody was brought to, there is none.
    #[serde(default)]
    membership: Membership,
    /// Of accounts that nobody spent from, there is none.
    #[serde(default)]
    holdings: Holdings,
}

/// What is stored cannot be read.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    /// It was written by newer code.
    #[error("an item has shape {found}, and this code knows shapes up to {SHAPE}")]
    NewerShape { found: u32 },
    /// An attribute is not there.
    #[error("an item has no attribute `{0}`")]
    Missing(&'static str),
    /// A part of a large entry is not there.
    #[error("an item has {expected} parts and {found} were found")]
    MissingPart { expected: usize, found: usize },
}

pub(crate) fn corrupt(error: impl Error + Send + Sync + 'static) -> LedgerError {
    LedgerError::Corrupt(Box::new(error))
}

/// The bodies of an entry's items, in order.
pub(crate) fn entry_parts(entry: &Entry) -> Result<Vec<Vec<u8>>, LedgerError> {
    // As `StoredEntry`, without a copy of what may be 10,000 lines.
    let Entry { id, fingerprint, sent_at, at, member_id, .. } = entry;
    let Entry { sequence, program_version, answer, balance, previous, .. } = entry;
    let stored = (
        id,
        fingerprint,
        sent_at,
        at,
        member_id,
        sequence,
        program_version,
        answer,
        balance,
        previous,
    );
    let body = body::write(&stored).map_err(corrupt)?;
    Ok(body.chunks(PART_BYTES_MAX).map(<[u8]>::to_vec).collect())
}

/// The entry whose bodies are `parts`.
pub(crate) fn entry(parts: &[u8]) -> Result<Arc<Entry>, LedgerError> {
    let stored: StoredEntry = body::read(parts).map_err(corrupt)?;
    Ok(Arc::new(Entry {
        id: stored.id,
        fingerprint: stored.fingerprint,
        sent_at: stored.sent_at,
        at: stored.at,
        member_id: stored.member_id,
        sequence: stored.sequence,
        program_version: stored.program_version,
        answer: stored.answer,
        balance: stored.balance,
        previous: stored.previous,
    }))
}

/// The attributes of part `index` of `parts`, but for its key.
pub(crate) fn part_attributes(body: &[u8], index: usize, parts: usize) -> Item {
    let mut item = body_attributes(body.to_vec());
    if index == 0 && parts > 1 {
        item.insert(PARTS.to_owned(), number(parts));
    }
    item
}

/// The attributes of an account, but for its key and its place in the index.
pub(crate) fn account_attributes(change: &AccountChange) -> Result<Item, LedgerError> {
    let AccountChange { account, recent, due_after, .. } = change;
    // As `StoredAccount`.
    let (membership, holdings) = (&account.membership, &account.holdings);
    let body = if *holdings != Holdings::default() {
        body::write(&(account, recent, due_after, membership, holdings))
    } else if *membership != Membership::default() {
        body::write(&(account, recent, due_after, membership))
    } else {
        body::write(&(account, recent, due_after))
    };
    let mut item = body_attributes(body.map_err(corrupt)?);
    item.insert(SEQUENCE.to_owned(), number(account.sequence));
    Ok(item)
}

fn body_attributes(body: Vec<u8>) -> Item {
    let mut item = version_attribute();
    item.insert(BODY.to_owned(), AttributeValue::B(Blob::new(body)));
    item
}

/// The shape's version alone, of an item without a body.
pub(crate) fn version_attribute() -> Item {
    HashMap::from([(VERSION.to_owned(), number(SHAPE))])
}

/// The account in `item`; a new one where there is none.
pub(crate) fn account(item: Option<&Item>) -> Result<StoredAccount, LedgerError> {
    let Some(item) = item else { return Ok(StoredAccount::default()) };
    let stored: StoredAccount = body::read(body(item)?.unwrap_or_default()).map_err(corrupt)?;
    let StoredAccount { mut account, recent, due_after, membership, holdings } = stored;
    (account.membership, account.holdings) = (membership, holdings);
    Ok(StoredAccount { account, recent, due_after, ..StoredAccount::default() })
}

/// The body of `item`, if it has one, once its shape is known.
pub(crate) fn body(item: &Item) -> Result<Option<&[u8]>, LedgerError> {
    check_shape(item)?;
    Ok(item.get(BODY).and_then(|it| it.as_b().ok()).map(AsRef::as_ref))
}

/// Refuses an item of a shape that this code does not know.
pub(crate) fn check_shape(item: &Item) -> Result<(), LedgerError> {
    let found = item.get(VERSION).and_then(read_number).ok_or(Unreadable::Missing(VERSION));
    let found: u32 = found.map_err(corrupt)?;
    if found > SHAPE {
        return Err(corrupt(Unreadable::NewerShape { found }));
    }
    Ok(())
}

/// How many parts the entry has that begins in `item`.
pub(crate) fn parts(item: &Item) -> usize {
    item.get(PARTS).and_then(read_number).unwrap_or(1)
}

/// The entry that begins in `item`, with the bodies of its other parts, if it is one.
pub(crate) fn whole_entry(
    item: &Item,
    others: &[&Item],
) -> Result<Option<Arc<Entry>>, LedgerError> {
    let Some(first) = body(item)? else { return Ok(None) };
    let expected = parts(item);
    if expected == 1 {
        return entry(first).map(Some);
    }
    let found = others.len().saturating_add(1);
    if found != expected {
        return Err(corrupt(Unreadable::MissingPart { expected, found }));
    }
    let mut all = first.to_vec();
    for other in others {
        all.extend_from_slice(body(other)?.unwrap_or_default());
    }
    entry(&all).map(Some)
}

/// How many entries were under the order with this one, or are by now.
pub(crate) fn revision(item: &Item) -> Option<Revision> {
    item.get(REVISION).and_then(read_number)
}

/// The text of a key's attribute.
pub(crate) fn text<'a>(item: &'a Item, name: &'static str) -> Result<&'a str, LedgerError> {
    let text = item.get(name).and_then(|it| it.as_s().ok());
    text.map(String::as_str).ok_or_else(|| corrupt(Unreadable::Missing(name)))
}

pub(crate) fn number(number: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(format!("{number}"))
}

/// The number in the attribute `name`.
pub(crate) fn read_number_of<T: std::str::FromStr>(
    item: &Item,
    name: &'static str,
) -> Result<T, LedgerError> {
    let number = item.get(name).and_then(read_number);
    number.ok_or_else(|| corrupt(Unreadable::Missing(name)))
}

fn read_number<T: std::str::FromStr>(value: &AttributeValue) -> Option<T> {
    value.as_n().ok()?.parse().ok()
}
