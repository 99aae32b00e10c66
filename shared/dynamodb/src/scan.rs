//! All entries or accounts, in no order: for whoever goes over the whole table, in several places at once.

use std::{collections::HashMap, sync::Arc};

use aws_sdk_dynamodb::{operation::scan::ScanOutput, types::AttributeValue};
use loyalty_domain::{account::Account, id::MemberId};
use loyalty_ledger::{Entry, LedgerError};

use crate::{
    DynamoDbLedger, failed,
    item::{self, BODY, SEQUENCE, corrupt},
    load::key_of,
};

/// What only entries have: accounts have a number and a body; marks and what counts others have no body.
const ENTRIES: &str = "attribute_exists(#b) AND attribute_not_exists(#q)";
/// What only accounts have.
const ACCOUNTS: &str = "attribute_exists(#b) AND attribute_exists(#q)";

/// The key of an account names no member.
#[derive(Debug, thiserror::Error)]
#[error("the key of an account names no member")]
struct NoMember;

/// One of the parts that the table is read in, and how far.
#[derive(Clone, Debug)]
pub struct Segment {
    index: i32,
    of: i32,
    from: Option<HashMap<String, AttributeValue>>,
}

impl Segment {
    /// The table in `number` parts, none of which is begun.
    pub fn all(number: u16) -> Vec<Self> {
        let of = i32::from(number.max(1));
        (0..of).map(|index| Self { index, of, from: None }).collect()
    }
}

/// Some entries of a segment.
#[derive(Debug)]
pub struct Page {
    /// The entries.
    pub entries: Vec<Arc<Entry>>,
    /// Why others cannot be read: they are not what we wrote, or of a newer shape.
    pub unreadable: Vec<LedgerError>,
    /// How many items were read for them: entries, accounts and what counts others.
    pub items: u64,
    /// What is left of the segment; `None`: nothing.
    pub rest: Option<Segment>,
}

/// Some accounts of a segment.
#[derive(Debug)]
pub struct AccountPage {
    /// The accounts, each with its member.
    pub accounts: Vec<(MemberId, Account)>,
    /// Why others cannot be read: they are not what we wrote, or of a newer shape.
    pub unreadable: Vec<LedgerError>,
    /// How many items were read for them.
    pub items: u64,
    /// What is left of the segment; `None`: nothing.
    pub rest: Option<Segment>,
}

impl DynamoDbLedger {
    /// How many items the table has, as of some hours ago; 0 if nobody knows yet.
    ///
    /// # Errors
    ///
    /// [`LedgerError`]; trying again may help if it is transient.
    pub async fn items_about(&self) -> Result<u64, LedgerError> {
        let described = self.client.describe_table().table_name(&self.tables.ledger).send().await;
        let described = described.map_err(|error| failed("DescribeTable", error))?;
        let items = described.table().and_then(|it| it.item_count).unwrap_or(0);
        Ok(u64::try_from(items).unwrap_or(0))
    }

    /// The next entries of `segment`. What is written meanwhile may be among them or not.
    ///
    /// Costs half a read unit for each 4 KB of everything in the table.
    ///
    /// # Errors
    ///
    /// [`LedgerError`]; trying again may help if it is transient.
    pub async fn entries_of(&self, segment: &Segment) -> Result<Page, LedgerError> {
        let output = self.scan(segment, ENTRIES).await?;
        let (items, rest) = read_of(&output, segment);
        let (mut entries, mut unreadable) = (Vec::new(), Vec::new());
        for item in output.items.unwrap_or_default() {
            let key = key_of(&item)?;
            if !key.is_of_entry() {
                continue;
            }
            match self.entry_in(&key, &item).await {
                Ok(entry) => entries.extend(entry),
                Err(error @ LedgerError::Corrupt(_)) => unreadable.push(error),
                Err(error) => return Err(error),
            }
        }
        Ok(Page { entries, unreadable, items, rest })
    }

    /// The next accounts of `segment`, likewise and at the same price.
    ///
    /// # Errors
    ///
    /// [`LedgerError`]; trying again may help if it is transient.
    pub async fn accounts_of(&self, segment: &Segment) -> Result<AccountPage, LedgerError> {
        let output = self.scan(segment, ACCOUNTS).await?;
        let (items, rest) = read_of(&output, segment);
        let (mut accounts, mut unreadable) = (Vec::new(), Vec::new());
        for item in output.items.unwrap_or_default() {
            let member_id = key_of(&item)?.member_id().ok_or_else(|| corrupt(NoMember));
            match member_id.and_then(|it| Ok((it, item::account(Some(&item))?.account))) {
                Ok(account) => accounts.push(account),
                Err(error) => unreadable.push(error),
            }
        }
        Ok(AccountPage { accounts, unreadable, items, rest })
    }

    async fn scan(&self, segment: &Segment, filter: &str) -> Result<ScanOutput, LedgerError> {
        self.client
            .scan()
            .table_name(&self.tables.ledger)
            .segment(segment.index)
            .total_segments(segment.of)
            .set_exclusive_start_key(segment.from.clone())
            .filter_expression(filter)
            .expression_attribute_names("#b", BODY)
            .expression_attribute_names("#q", SEQUENCE)
            .send()
            .await
            .map_err(|error| failed("Scan", error))
    }
}

/// How many items were read, and what is left of `segment`.
fn read_of(output: &ScanOutput, segment: &Segment) -> (u64, Option<Segment>) {
    let items = u64::try_from(output.scanned_count).unwrap_or(0);
    let from = output.last_evaluated_key.clone().filter(|it| !it.is_empty());
    (items, from.map(|from| Segment { from: Some(from), ..*segment }))
}
