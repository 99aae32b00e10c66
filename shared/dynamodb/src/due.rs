//! Who is to be looked at by a day: the index `due`, read shard by shard.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnConsumedCapacity};
use jiff::civil::Date;
use loyalty_ledger::{
    LedgerError,
    due::{DueMembers, DuePlace, DueWork},
};

use crate::{
    DynamoDbLedger, failed,
    item::{self, Item, corrupt},
    key::{DUE, Key, SHARDS, due, due_shard, read_due},
};

/// A key of the index is not as it was written.
#[derive(Debug, thiserror::Error)]
#[error("a key of the index `{DUE}` is no day with a member")]
struct NoPlace;

impl DueWork for DynamoDbLedger {
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
        let mut query = self
            .client
            .query()
            .table_name(&self.tables.ledger)
            .index_name(DUE)
            // Of a day itself, every key is longer than the day.
            .key_condition_expression("ds = :shard AND dd < :day")
            .expression_attribute_values(":shard", AttributeValue::S(due_shard(shard)))
            .expression_attribute_values(":day", AttributeValue::S(day.to_string()))
            .limit(limit.into())
            .return_consumed_capacity(ReturnConsumedCapacity::Total);
        if let Some(DuePlace { due_after, member_id }) = after {
            // The shard that is walked, whatever the member's own would be: the store wants them equal.
            let (_, place) = due(member_id, *due_after);
            for (name, value) in Key::of_account(member_id).attributes() {
                query = query.exclusive_start_key(name, value);
            }
            query = query
                .exclusive_start_key("ds", AttributeValue::S(due_shard(shard)))
                .exclusive_start_key("dd", AttributeValue::S(place));
        }
        let output = query.send().await.map_err(|error| failed("Query", error))?;
        let places = output.items().iter().map(place);
        let places = places.collect::<Result<Vec<_>, LedgerError>>()?;
        let next =
            output.last_evaluated_key().filter(|it| !it.is_empty()).map(place).transpose()?;
        Ok(DueMembers { members: places.into_iter().map(|it| it.member_id).collect(), next })
    }
}

fn place(item: &Item) -> Result<DuePlace, LedgerError> {
    let place = read_due(item::text(item, "dd")?);
    let (due_after, member_id) = place.ok_or_else(|| corrupt(NoPlace))?;
    Ok(DuePlace { due_after, member_id })
}
