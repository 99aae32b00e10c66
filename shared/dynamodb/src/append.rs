//! Writing: one transaction, or one conditional put where there is one item only.

use std::sync::Arc;

use aws_sdk_dynamodb::{
    error::BuildError,
    operation::{put_item::PutItemError, transact_write_items::TransactWriteItemsError},
    types::{
        AttributeValue, CancellationReason, Delete, Put, ReturnConsumedCapacity,
        ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
        error::TransactionCanceledException,
    },
};
use loyalty_domain::redemption::RedemptionStatus;
use loyalty_ledger::{
    ACCOUNTS_MAX, AccountChange, Answer, Appended, CLAIMS_MAX, Change, Claim, ClaimCondition,
    Entry, LedgerError, OrderChange, RedemptionChange, SpendChange, profile::Saved,
};

use crate::{
    DynamoDbLedger, failed,
    item::{self, GIVEN_BACK, Item, REVISION, SEQUENCE, STATUS, corrupt, number},
    key::{Key, due},
    profile::{self, ProfileRole},
};

pub(crate) const TRANSACT_WRITE_ITEMS: &str = "TransactWriteItems";
pub(crate) const PUT_ITEM: &str = "PutItem";

/// One write, and what it means if its condition fails.
struct Write {
    item: TransactWriteItem,
    role: Role,
}

/// What a write is for.
enum Role {
    /// An entry, whose id may be known.
    Entry(Key),
    /// A claim, which may fail.
    Claim(usize),
    /// An account, an order or a use of points as it was read, which may have changed since.
    AsRead,
    /// What is known of a person.
    Profile(ProfileRole),
}

/// The store cancelled a transaction for a reason that we do not know.
#[derive(Debug, thiserror::Error)]
#[error("the store cancelled a transaction with {0}")]
struct Cancelled(String);

impl DynamoDbLedger {
    pub(crate) async fn append_all(&self, change: &Change) -> Result<Appended, LedgerError> {
        let is_within_limits = !change.entries.is_empty()
            && change.accounts.len() <= ACCOUNTS_MAX
            && change.claims.len() <= CLAIMS_MAX;
        if !is_within_limits {
            return Err(LedgerError::InvalidChange);
        }
        let writes = self.writes(change)?;
        if let [Write { item: TransactWriteItem { put: Some(put), .. }, role: Role::Entry(key) }] =
            writes.as_slice()
        {
            return self.put_alone(key, put).await;
        }
        let (items, roles): (Vec<_>, Vec<_>) =
            writes.into_iter().map(|it| (it.item, it.role)).unzip();
        let result = self
            .client
            .transact_write_items()
            // `cancelled` relies on this order: the store lists its reasons in it.
            .set_transact_items(Some(items))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        match result {
            Ok(_) => Ok(Appended::Now),
            Err(error) => {
                if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
                    error.as_service_error()
                {
                    self.cancelled(cancelled, &roles).await
                } else {
                    Err(failed(TRANSACT_WRITE_ITEMS, error))
                }
            }
        }
    }

    /// One item needs no transaction, which would cost twice as much.
    async fn put_alone(&self, key: &Key, put: &Put) -> Result<Appended, LedgerError> {
        let result = self
            .client
            .put_item()
            .table_name(put.table_name())
            .set_item(Some(put.item().clone()))
            .set_condition_expression(put.condition_expression().map(ToOwned::to_owned))
            .set_expression_attribute_values(put.expression_attribute_values().cloned())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        match result {
            Ok(_) => Ok(Appended::Now),
            Err(error) => {
                let failure = error.as_service_error();
                if let Some(PutItemError::ConditionalCheckFailedException(failure)) = failure {
                    self.before_or_raced(key, failure.item()).await
                } else if let Some(PutItemError::TransactionConflictException(_)) = failure {
                    Ok(Appended::Raced)
                } else {
                    Err(failed(PUT_ITEM, error))
                }
            }
        }
    }

    /// Tells a known id from a failed claim from a lost race from an outage, in this order.
    async fn cancelled(
        &self,
        cancelled: &TransactionCanceledException,
        roles: &[Role],
    ) -> Result<Appended, LedgerError> {
        let reasons = cancelled.cancellation_reasons();
        let failed_checks = || {
            let pairs = reasons.iter().zip(roles);
            pairs.filter(|(reason, _)| code(reason) == "ConditionalCheckFailed")
        };
        for (reason, role) in failed_checks() {
            if let Role::Entry(key) = role
                && let Appended::Before(entry) = self.before_or_raced(key, reason.item()).await?
            {
                return Ok(Appended::Before(entry));
            }
        }
        // Where an entry is being written right now, it may be this one's that the claim is of.
        let pairs = || reasons.iter().zip(roles);
        let is_conflict = |(reason, role): (&CancellationReason, &Role)| {
            matches!(role, Role::Entry(_)) && code(reason) == "TransactionConflict"
        };
        if pairs().any(is_conflict) {
            return Ok(Appended::Raced);
        }
        let claim = failed_checks().find_map(|(_, role)| match role {
            Role::Claim(index) => Some(Appended::ClaimFailed { index: *index }),
            Role::Entry(_) | Role::AsRead | Role::Profile(_) => None,
        });
        if let Some(failed) = claim {
            return Ok(failed);
        }
        let profile_role = |index: usize| match roles.get(index) {
            Some(Role::Profile(role)) => Some(*role),
            Some(Role::Entry(_) | Role::AsRead | Role::Claim(_)) | None => None,
        };
        if let Some(Saved::Taken(taken)) = profile::refused(reasons, profile_role) {
            return Ok(Appended::Taken(taken));
        }
        raced_or_failed(reasons)?;
        Ok(Appended::Raced)
    }

    /// What stands where an entry was to be put: the same id's entry, or a mark that we overlooked.
    async fn before_or_raced(
        &self,
        key: &Key,
        old: Option<&Item>,
    ) -> Result<Appended, LedgerError> {
        let Some(old) = old else { return Ok(Appended::Raced) };
        let entry: Option<Arc<Entry>> = self.entry_in(key, old).await?;
        Ok(entry.map_or(Appended::Raced, Appended::Before))
    }

    fn writes(&self, change: &Change) -> Result<Vec<Write>, LedgerError> {
        let mut writes = Vec::new();
        for entry in &change.entries {
            let order = entry.id.order_id();
            let order = change.orders.iter().find(|it| Some(&it.order_id) == order);
            self.write_entry(entry, order, &mut writes)?;
        }
        for account in &change.accounts {
            writes.push(as_read(self.put_account(account)?));
        }
        for spend in &change.spends {
            writes.push(as_read(self.count_given_back(spend)?));
        }
        for redemption in &change.redemptions {
            writes.push(as_read(self.move_redemption(redemption)?));
        }
        for (index, claim) in change.claims.iter().enumerate() {
            let item = self.claim(claim)?;
            writes.push(Write { item, role: Role::Claim(index) });
        }
        if let Some(profile) = &change.profile {
            let profile = self.profile_writes(profile)?;
            writes.extend(
                profile.into_iter().map(|(item, role)| Write { item, role: Role::Profile(role) }),
            );
        }
        Ok(writes)
    }

    fn write_entry(
        &self,
        entry: &Entry,
        order: Option<&OrderChange>,
        writes: &mut Vec<Write>,
    ) -> Result<(), LedgerError> {
        let key = Key::of_entry(&entry.id);
        let parts = item::entry_parts(entry)?;
        let expected = order.map_or(0, |it| it.expected);
        let is_order = entry.id.order_id().is_some_and(|it| Key::of_order(it) == key);
        for (index, body) in parts.iter().enumerate() {
            let mut put = Put::builder()
                .table_name(&self.tables.ledger)
                .return_values_on_condition_check_failure(
                    ReturnValuesOnConditionCheckFailure::AllOld,
                );
            let mut item = item::part_attributes(body, index, parts.len());
            item.extend(key.part(index).attributes());
            if index == 0 && order.is_some() {
                item.insert(REVISION.to_owned(), number(expected.saturating_add(1)));
            }
            put = put.set_item(Some(item));
            put = if index == 0 && is_order && expected > 0 {
                put.condition_expression("r = :expected AND attribute_not_exists(b)")
                    .expression_attribute_values(":expected", number(expected))
            } else {
                put.condition_expression("attribute_not_exists(pk)")
            };
            let put = put.build().map_err(corrupt)?;
            let role = if index == 0 { Role::Entry(key.clone()) } else { Role::AsRead };
            writes.push(Write { item: TransactWriteItem::builder().put(put).build(), role });
        }
        if let (false, Some(order)) = (is_order, order) {
            let waits = matches!(entry.answer, Answer::Waiting(_));
            writes.push(as_read(self.count_entry(order, waits)?));
        }
        Ok(())
    }

    /// Counts an entry under its order: at the mark while the order has not come, then at the head.
    fn count_entry(
        &self,
        order: &OrderChange,
        waits: bool,
    ) -> Result<TransactWriteItem, LedgerError> {
        let (key, condition) = match (waits, order.expected) {
            (true, 0) => (Key::of_order(&order.order_id), "attribute_not_exists(pk)"),
            (true, _) => {
                (Key::of_order(&order.order_id), "r = :expected AND attribute_not_exists(b)")
            }
            // The first correction makes the head.
            (false, _) => {
                (Key::of_order_head(&order.order_id), "attribute_not_exists(pk) OR r = :expected")
            }
        };
        let mut item = item::version_attribute();
        item.extend(key.attributes());
        item.insert(REVISION.to_owned(), number(order.expected.saturating_add(1)));
        let mut put = Put::builder()
            .table_name(&self.tables.ledger)
            .set_item(Some(item))
            .condition_expression(condition);
        if condition.contains(":expected") {
            put = put.expression_attribute_values(":expected", number(order.expected));
        }
        put_item(put.build())
    }

    fn put_account(&self, change: &AccountChange) -> Result<TransactWriteItem, LedgerError> {
        let AccountChange { member_id, expected, due_after, .. } = change;
        let mut item = item::account_attributes(change)?;
        item.extend(Key::of_account(member_id).attributes());
        if let Some(day) = due_after {
            let (shard, day) = due(member_id, *day);
            item.insert("ds".to_owned(), AttributeValue::S(shard));
            item.insert("dd".to_owned(), AttributeValue::S(day));
        }
        let put = Put::builder().table_name(&self.tables.ledger).set_item(Some(item));
        let put = match expected {
            0 => put.condition_expression("attribute_not_exists(pk)"),
            _ => put
                .condition_expression("#q = :expected")
                .expression_attribute_names("#q", SEQUENCE)
                .expression_attribute_values(":expected", number(expected)),
        };
        put_item(put.build())
    }

    fn count_given_back(&self, change: &SpendChange) -> Result<TransactWriteItem, LedgerError> {
        let mut item = item::version_attribute();
        item.extend(Key::of_spend_head(&change.id).attributes());
        item.insert(GIVEN_BACK.to_owned(), number(change.given_back));
        let put = Put::builder().table_name(&self.tables.ledger).set_item(Some(item));
        let put = if change.expected.is_zero() {
            put.condition_expression("attribute_not_exists(pk) OR g = :expected")
        } else {
            put.condition_expression("g = :expected")
        };
        put_item(put.expression_attribute_values(":expected", number(change.expected)).build())
    }

    fn move_redemption(&self, change: &RedemptionChange) -> Result<TransactWriteItem, LedgerError> {
        let mut item = item::version_attribute();
        item.extend(Key::of_spend_head(&change.id).attributes());
        item.insert(STATUS.to_owned(), AttributeValue::S(change.status.as_str().to_owned()));
        let put = Put::builder().table_name(&self.tables.ledger).set_item(Some(item));
        put_item(match change.expected {
            // The first step makes the head.
            RedemptionStatus::Issued => {
                put.condition_expression("attribute_not_exists(pk)").build()
            }
            expected @ (RedemptionStatus::Fulfilled
            | RedemptionStatus::Cancelled
            | RedemptionStatus::Refunded) => put
                .condition_expression("s = :expected")
                .expression_attribute_values(
                    ":expected",
                    AttributeValue::S(expected.as_str().to_owned()),
                )
                .build(),
        })
    }

    fn claim(&self, claim: &Claim) -> Result<TransactWriteItem, LedgerError> {
        let key = Key::of_claim(&claim.key);
        match claim.condition {
            ClaimCondition::Take { by } => self.take(&key, by),
            ClaimCondition::Give { by } => self.give(&key, by),
            ClaimCondition::Piece { id } => {
                let [pk, sk] = Key::of_piece(&claim.key, &id).attributes();
                let delete = Delete::builder()
                    .table_name(&self.tables.program)
                    .key(pk.0, pk.1)
                    .key(sk.0, sk.1)
                    .condition_expression("attribute_exists(pk)");
                let delete = delete.build().map_err(corrupt)?;
                Ok(TransactWriteItem::builder().delete(delete).build())
            }
            ClaimCondition::Unique => self.claim_key(&key).map_err(corrupt),
            ClaimCondition::Counter { by, limit } => self.count(&key, by, limit).map_err(corrupt),
        }
    }

    fn claim_key(&self, key: &Key) -> Result<TransactWriteItem, BuildError> {
        let mut item = item::version_attribute();
        item.extend(key.attributes());
        item.insert("n".to_owned(), number(1));
        let put = Put::builder()
            .table_name(&self.tables.program)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    fn count(&self, key: &Key, by: u64, limit: u64) -> Result<TransactWriteItem, BuildError> {
        let [pk, sk] = key.attributes();
        let update = Update::builder()
            .table_name(&self.tables.program)
            .key(pk.0, pk.1)
            .key(sk.0, sk.1)
            .update_expression("SET v = :version ADD n :by")
            .expression_attribute_values(":version", number(1))
            .expression_attribute_values(":by", number(by));
        let update = match limit.checked_sub(by) {
            Some(most) => update
                .condition_expression("attribute_not_exists(n) OR n <= :most")
                .expression_attribute_values(":most", number(most)),
            // More than there may ever be.
            None => {
                update.condition_expression("attribute_exists(pk) AND attribute_not_exists(pk)")
            }
        };
        Ok(TransactWriteItem::builder().update(update.build()?).build())
    }
}

fn as_read(item: TransactWriteItem) -> Write {
    Write { item, role: Role::AsRead }
}

pub(crate) fn put_item(put: Result<Put, BuildError>) -> Result<TransactWriteItem, LedgerError> {
    Ok(TransactWriteItem::builder().put(put.map_err(corrupt)?).build())
}

/// Whether a cancelled transaction only met others, so that it may be decided again.
///
/// # Errors
///
/// What else cancelled it.
pub(crate) fn raced_or_failed(reasons: &[CancellationReason]) -> Result<(), LedgerError> {
    let codes = || reasons.iter().map(code);
    if codes().any(|it| matches!(it, "ConditionalCheckFailed" | "TransactionConflict")) {
        return Ok(());
    }
    let source = Box::new(Cancelled(codes().collect::<Vec<_>>().join(", ")));
    let is_our_mistake = |it| matches!(it, "ValidationError" | "ItemCollectionSizeLimitExceeded");
    if codes().any(is_our_mistake) {
        return Err(LedgerError::Corrupt(source));
    }
    Err(LedgerError::Unavailable { operation: TRANSACT_WRITE_ITEMS, source })
}

pub(crate) fn code(reason: &CancellationReason) -> &str {
    reason.code().unwrap_or("None")
}
