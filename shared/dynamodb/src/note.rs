//! Notes of staff, each an item in a partition of its member's notes: who writes them has no right on profiles.

use std::{cmp::Reverse, collections::HashMap};

use aws_sdk_dynamodb::{
    operation::put_item::PutItemError,
    types::{AttributeValue, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure},
};
use loyalty_domain::id::{MemberId, NoteId};
use loyalty_ledger::{
    LedgerError, Reading,
    note::{NOTES_MAX, Note, Noted, Notes},
};

use crate::{
    DynamoDbLedger,
    append::PUT_ITEM,
    failed,
    item::{self, BODY, Item, corrupt, number},
    key::{Key, note_partition},
    profile::{SINCE, instant},
};

/// The attribute of who wrote something.
pub(crate) const BY: &str = "w";

impl Notes for DynamoDbLedger {
    async fn add_note(&self, note: &Note) -> Result<Noted, LedgerError> {
        let key = Key::of_note(&note.member_id, &note.id);
        let mut item = item::version_attribute();
        item.extend(key.attributes());
        item.insert(BODY.to_owned(), AttributeValue::S(note.text.clone()));
        item.insert(BY.to_owned(), AttributeValue::S(note.by.as_str().to_owned()));
        item.insert(SINCE.to_owned(), number(note.at.as_millisecond()));
        let result = self
            .client
            .put_item()
            .table_name(self.members_table(PUT_ITEM)?)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        let Err(error) = result else { return Ok(Noted::Now) };
        let Some(PutItemError::ConditionalCheckFailedException(failure)) = error.as_service_error()
        else {
            return Err(failed(PUT_ITEM, error));
        };
        let before = match failure.item() {
            Some(found) => Some(read(&note.member_id, found)?),
            // Not every store tells what stood in the way.
            None => self.find_note(&note.member_id, &note.id).await?,
        };
        match before {
            Some(before) => Ok(Noted::Before(before)),
            // It was erased just now.
            None => Err(failed(PUT_ITEM, error)),
        }
    }

    async fn find_note(
        &self,
        member_id: &MemberId,
        id: &NoteId,
    ) -> Result<Option<Note>, LedgerError> {
        let found = self.find_item(&Key::of_note(member_id, id), Reading::Newest).await?;
        found.map(|it| read(member_id, &it)).transpose()
    }

    async fn notes(&self, member_id: &MemberId) -> Result<Vec<Note>, LedgerError> {
        const QUERY: &str = "Query";
        let mut notes = Vec::new();
        let mut from: Option<HashMap<String, AttributeValue>> = None;
        loop {
            let output = self
                .client
                .query()
                .table_name(self.members_table(QUERY)?)
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", AttributeValue::S(note_partition(member_id)))
                .set_exclusive_start_key(from)
                .consistent_read(true)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(|error| failed(QUERY, error))?;
            for found in output.items() {
                item::check_shape(found)?;
                notes.push(read(member_id, found)?);
            }
            from = output.last_evaluated_key().filter(|it| !it.is_empty()).cloned();
            if from.is_none() || notes.len() >= NOTES_MAX {
                break;
            }
        }
        notes.sort_by_key(|it| (Reverse(it.at), it.id));
        notes.truncate(NOTES_MAX);
        Ok(notes)
    }
}

fn read(member_id: &MemberId, found: &Item) -> Result<Note, LedgerError> {
    let id = NoteId::try_from(item::text(found, "sk")?).map_err(corrupt)?;
    let by = item::text(found, BY)?.try_into().map_err(corrupt)?;
    let (at, text) = (instant(found, SINCE)?, item::text(found, BODY)?.to_owned());
    Ok(Note { id, member_id: member_id.clone(), by, at, text })
}
