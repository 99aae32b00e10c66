//! Who has an account: the whole table, gone over in one place.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use loyalty_ledger::{
    LedgerError,
    members::{FoundMembers, Members, MembersPlace},
};

use crate::{
    DynamoDbLedger, failed,
    item::{BODY, SEQUENCE, corrupt},
    key::Key,
    load::key_of,
};

/// A place is none that was ever given.
#[derive(Debug, thiserror::Error)]
#[error("a place in a walk over all members is none of ours")]
struct NoPlace;

/// What stands between the two parts of a place: no id has it, so no key has.
const BETWEEN: char = '\n';

impl Members for DynamoDbLedger {
    /// Costs half a read unit for each 4 KB of everything in the table: there is no index of accounts, which
    /// every new one would pay for, to be read a few times a year.
    async fn members(
        &self,
        after: Option<&MembersPlace>,
        limit: u16,
    ) -> Result<FoundMembers, LedgerError> {
        let output = self
            .client
            .scan()
            .table_name(&self.tables.ledger)
            .set_exclusive_start_key(after.map(start_key).transpose()?)
            .limit(limit.into())
            // Entries have a body and no number; marks and what counts others have neither.
            .filter_expression("attribute_exists(#b) AND attribute_exists(#q)")
            .projection_expression("pk, sk")
            .expression_attribute_names("#b", BODY)
            .expression_attribute_names("#q", SEQUENCE)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(|error| failed("Scan", error))?;
        let mut members = Vec::new();
        for item in output.items() {
            members.extend(key_of(item)?.member_id());
        }
        let last = output.last_evaluated_key().filter(|it| !it.is_empty());
        let next = last.map(key_of).transpose()?;
        let next = next.map(|Key { pk, sk }| MembersPlace(format!("{pk}{BETWEEN}{sk}")));
        Ok(FoundMembers { members, next })
    }
}

fn start_key(place: &MembersPlace) -> Result<HashMap<String, AttributeValue>, LedgerError> {
    let (pk, sk) = place.0.split_once(BETWEEN).ok_or_else(|| corrupt(NoPlace))?;
    Ok(Key { pk: pk.to_owned(), sk: sk.to_owned() }.attributes().into())
}
