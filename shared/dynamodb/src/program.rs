//! Versions of the program: written once each, read all together.

use std::{collections::HashMap, sync::Arc};

use aws_sdk_dynamodb::{
    operation::put_item::PutItemError,
    types::{AttributeValue, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure},
};
use loyalty_domain::program::{Program, ProgramSpec, in_succession};
use loyalty_ledger::{LedgerError, program::Programs};

use crate::{
    DynamoDbLedger, failed,
    item::{self, BODY, Item, corrupt},
    key::{Key, PROGRAMS},
};

/// How publishing a version ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// It is there from now on.
    Now,
    /// It was there before, word for word.
    Before,
    /// Its number has other content, which stands: entries name it.
    Reused,
}

impl DynamoDbLedger {
    /// Writes `program` under its version, unless there is one.
    ///
    /// # Errors
    ///
    /// A [`LedgerError`]; publishing again is safe.
    pub async fn publish(&self, program: &Program) -> Result<Published, LedgerError> {
        let body = serde_json::to_string(program.spec()).map_err(corrupt)?;
        let mut item = item::version_attribute();
        item.extend(Key::of_program(program.spec().version).attributes());
        item.insert(BODY.to_owned(), AttributeValue::S(body));
        let result = self
            .client
            .put_item()
            .table_name(&self.tables.program)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = result else { return Ok(Published::Now) };
        if let Some(PutItemError::ConditionalCheckFailedException(failure)) =
            error.as_service_error()
        {
            // What it says counts, not the order in which it is said.
            let old = failure.item().map(spec).transpose()?;
            let is_same = old.as_ref() == Some(program.spec());
            return Ok(if is_same { Published::Before } else { Published::Reused });
        }
        Err(failed("PutItem", error))
    }
}

impl Programs for DynamoDbLedger {
    async fn programs(&self) -> Result<Arc<[Program]>, LedgerError> {
        let mut programs = Vec::new();
        let mut from: Option<HashMap<String, AttributeValue>> = None;
        loop {
            let output = self
                .client
                .query()
                .table_name(&self.tables.program)
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", AttributeValue::S(PROGRAMS.to_owned()))
                .set_exclusive_start_key(from)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(|error| failed("Query", error))?;
            for item in output.items.unwrap_or_default() {
                programs.push(spec(&item)?.try_into().map_err(corrupt)?);
            }
            match output.last_evaluated_key.filter(|it| !it.is_empty()) {
                Some(key) => from = Some(key),
                None => return Ok(in_succession(programs).into()),
            }
        }
    }
}

/// The program in `item`, as written.
fn spec(item: &Item) -> Result<ProgramSpec, LedgerError> {
    item::check_shape(item)?;
    serde_json::from_str(item::text(item, BODY)?).map_err(corrupt)
}
