//! The table's stream: which of its records are new entries, and what they say.
//!
//! A large entry lies in several items, of which the stream delivers each in a record of its own, in any
//! order. It is read at the record of its first item, and its other parts from the table: the stream knows
//! only what is stored together.

use std::{collections::HashMap, fmt::Write as _, sync::Arc};

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use loyalty_ledger::{Entry, LedgerError};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{
    DynamoDbLedger,
    item::{Item, corrupt},
    key::Key,
};

/// Records of the stream, as Lambda hands them over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct StreamEvent {
    /// The records, in the order of their changes.
    #[serde(rename = "Records")]
    pub records: Vec<StreamRecord>,
}

/// One change of one item, as far as it is needed. What else a record says is passed over, so that nothing
/// new in one record can cost its batch.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
pub struct StreamRecord {
    #[serde(default, rename = "dynamodb")]
    change: Change,
}

#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Change {
    sequence_number: String,
    keys: HashMap<String, Attribute>,
    new_image: Option<HashMap<String, Attribute>>,
}

/// The value of an attribute, of the types that we store.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Attribute {
    #[serde(rename = "S")]
    text: Option<String>,
    #[serde(rename = "N")]
    number: Option<String>,
    #[serde(rename = "B")]
    bytes: Option<String>,
}

/// A record of the stream cannot be read.
#[derive(Debug, thiserror::Error)]
enum UnreadableRecord {
    /// A key is not there.
    #[error("a record of the stream has no key `{0}`")]
    NoKey(&'static str),
    /// Bytes are no base64.
    #[error("a record of the stream has bytes that are no base64")]
    NoBase64(#[source] base64::DecodeError),
}

impl std::fmt::Debug for StreamRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamRecord")
            .field("sequence_number", &self.change.sequence_number)
            .finish_non_exhaustive()
    }
}

impl StreamRecord {
    /// Its number in its shard, by which Lambda is told that it failed; empty if it has none.
    pub fn sequence_number(&self) -> &str {
        &self.change.sequence_number
    }

    /// What it is called in logs: the order that its item lies under, or a hash of a key that names a
    /// member.
    pub fn name(&self) -> String {
        match self.key() {
            Ok(key) if key.is_under_order() => key.pk,
            Ok(Key { pk, .. }) => {
                let digest = Sha256::digest(pk.as_bytes());
                let mut name = String::from("hash:");
                for byte in digest.iter().take(8) {
                    // Writing into a text does not fail.
                    write!(name, "{byte:02x}").unwrap_or_default();
                }
                name
            }
            Err(_) => "unknown".to_owned(),
        }
    }

    fn key(&self) -> Result<Key, LedgerError> {
        let text = |name: &'static str| {
            let text = self.change.keys.get(name).and_then(|it| it.text.clone());
            text.ok_or_else(|| corrupt(UnreadableRecord::NoKey(name)))
        };
        Ok(Key { pk: text("pk")?, sk: text("sk")? })
    }
}

impl DynamoDbLedger {
    /// The entry that `record` is of; `None` if it is of something else: an account, what counts others, a
    /// later part of a large entry, a mark, or something deleted.
    ///
    /// Reads only the other parts of a large entry, surely.
    ///
    /// # Errors
    ///
    /// [`LedgerError`]: of a record that is not what we wrote, or of a newer shape, trying again helps once
    /// there is newer code.
    pub async fn entry_of(&self, record: &StreamRecord) -> Result<Option<Arc<Entry>>, LedgerError> {
        let Some(image) = &record.change.new_image else { return Ok(None) };
        let key = record.key()?;
        if !key.is_of_entry() {
            return Ok(None);
        }
        let item: Item = image
            .iter()
            .filter_map(|(name, it)| Some((name.clone(), it.value()?)))
            .map(|(name, it)| Ok((name, it?)))
            .collect::<Result<_, LedgerError>>()?;
        self.entry_in(&key, &item).await
    }
}

impl Attribute {
    /// As the SDK has it; `None` of types that we do not store.
    fn value(&self) -> Option<Result<AttributeValue, LedgerError>> {
        match self {
            Self { bytes: Some(bytes), .. } => {
                let decoded = STANDARD.decode(bytes).map(|it| AttributeValue::B(Blob::new(it)));
                Some(decoded.map_err(|error| corrupt(UnreadableRecord::NoBase64(error))))
            }
            Self { number: Some(number), .. } => Some(Ok(AttributeValue::N(number.clone()))),
            Self { text: Some(text), .. } => Some(Ok(AttributeValue::S(text.clone()))),
            Self { text: None, number: None, bytes: None } => None,
        }
    }
}
