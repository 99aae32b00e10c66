//! What only so many may try: each try is one conditional update, which counts it before anything is compared.

use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    primitives::Blob,
    types::{
        AttributeValue, ReturnConsumedCapacity, ReturnValue, ReturnValuesOnConditionCheckFailure,
    },
};
use jiff::Timestamp;
use loyalty_domain::id::{MemberId, OrderId};
use loyalty_ledger::{
    LedgerError,
    profile::{Activation, Begun, GuestContact, GuestTried, KeyedHash, SendLimits, Tried},
};

use crate::{
    DynamoDbLedger, failed,
    item::{self, Item, corrupt, number},
    key::Key,
    profile::instant,
};

const UPDATE_ITEM: &str = "UpdateItem";

/// How often a send that meets another one is looked at again. Each time, somebody else's was counted.
const ATTEMPTS_MAX: u32 = 8;

/// The span within which sends are counted, from the first of them.
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// The attribute of the hash of the code that was sent last.
const HASH: &str = "h";
/// The attribute of when that one expires, in milliseconds of the Unix epoch as all below.
const EXPIRES: &str = "x";
/// The attribute of how often it was tried, or a guest's order.
const TRIES: &str = "a";
/// The attribute of when it was sent.
const SENT: &str = "s";
/// The attribute of when the first one of the day was sent.
const FIRST_SENT: &str = "w";
/// The attribute of how many were sent since.
const SENDS: &str = "n";
/// The attribute of the hash of an order's mail address.
const MAIL: &str = "e";
/// The attribute of the hash of an order's phone number.
const PHONE: &str = "p";

/// How an update ended.
enum Updated {
    /// Its item is this now.
    Now(Item),
    /// Its condition did not hold for this item, if there is one.
    Not(Option<Item>),
}

/// What the names in an update's expressions stand for. The store refuses any that are not in them.
type Values = Vec<(&'static str, AttributeValue)>;

impl DynamoDbLedger {
    async fn update_if(
        &self,
        key: &Key,
        update: &str,
        condition: &str,
        values: Values,
    ) -> Result<Updated, LedgerError> {
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), value));
        let result = self
            .client
            .update_item()
            .table_name(self.members_table(UPDATE_ITEM)?)
            .set_key(Some(key.attributes().into()))
            .update_expression(update)
            .condition_expression(condition)
            .set_expression_attribute_values(Some(values.collect()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        match result {
            Ok(output) => Ok(Updated::Now(output.attributes.unwrap_or_default())),
            Err(error) => {
                if let Some(UpdateItemError::ConditionalCheckFailedException(failure)) =
                    error.as_service_error()
                {
                    let old = failure.item().cloned();
                    old.as_ref().map(item::check_shape).transpose()?;
                    return Ok(Updated::Not(old));
                }
                Err(failed(UPDATE_ITEM, error))
            }
        }
    }

    /// Counts a send, as the first of a day or within the day that is begun.
    pub(crate) async fn count_send(
        &self,
        activation: &Activation,
        limits: SendLimits,
    ) -> Result<Begun, LedgerError> {
        let key = Key::of_activation(&activation.member_id);
        let now = activation.sent_at.as_millisecond();
        let common = || -> Values {
            vec![
                (":version", number(1)),
                (":hash", hash_value(&activation.hash)),
                (":expires", number(activation.expires_at.as_millisecond())),
                (":none", number(0)),
                (":now", number(now)),
                (":one", number(1)),
                (":before", number(now.saturating_sub(apart_ms(limits)))),
                (":day_before", number(now.saturating_sub(DAY_MS))),
            ]
        };
        for _ in 0..ATTEMPTS_MAX {
            let first = self.update_if(
                &key,
                "SET v = :version, h = :hash, x = :expires, a = :none, s = :now, w = :now, n = :one",
                "(attribute_not_exists(w) OR w <= :day_before) \
                 AND (attribute_not_exists(s) OR s <= :before)",
                common(),
            );
            match first.await? {
                Updated::Now(_) => return Ok(Begun::Now),
                Updated::Not(old) => {
                    if let Some(begun) = not_now(old.as_ref(), activation, limits)? {
                        return Ok(begun);
                    }
                }
            }
            let mut values = common();
            values.push((":sends_max", number(limits.sends_a_day_max)));
            let another = self.update_if(
                &key,
                "SET v = :version, h = :hash, x = :expires, a = :none, s = :now ADD n :one",
                "w > :day_before AND s <= :before AND n < :sends_max",
                values,
            );
            match another.await? {
                Updated::Now(_) => return Ok(Begun::Now),
                Updated::Not(old) => {
                    if let Some(begun) = not_now(old.as_ref(), activation, limits)? {
                        return Ok(begun);
                    }
                }
            }
        }
        Err(LedgerError::Contended { attempts: ATTEMPTS_MAX })
    }

    /// Counts a try of an activation's code. One whose reply is lost is counted again, which only costs tries.
    pub(crate) async fn count_try(
        &self,
        member_id: &MemberId,
        at: Timestamp,
        attempts_max: u32,
    ) -> Result<Tried, LedgerError> {
        let key = Key::of_activation(member_id);
        let now = at.as_millisecond();
        let updated = self.update_if(
            &key,
            "ADD a :one",
            "x > :now AND a < :tries_max",
            vec![(":one", number(1)), (":now", number(now)), (":tries_max", number(attempts_max))],
        );
        match updated.await? {
            Updated::Now(new) => {
                item::check_shape(&new)?;
                let tries: u32 = item::read_number_of(&new, TRIES)?;
                Ok(Tried::With {
                    hash: hash(&new, HASH)?.ok_or_else(|| corrupt(NoHash))?,
                    expires_at: instant(&new, EXPIRES)?,
                    attempts_left: attempts_max.saturating_sub(tries),
                })
            }
            Updated::Not(None) => Ok(Tried::None),
            Updated::Not(Some(old)) => {
                let expires: i64 = item::read_number_of(&old, EXPIRES)?;
                Ok(if expires <= now { Tried::Expired } else { Tried::TooMany })
            }
        }
    }

    /// Notes how a guest's order is claimed. What is noted already keeps its tries.
    pub(crate) async fn note_guest(
        &self,
        order_id: &OrderId,
        contact: &GuestContact,
    ) -> Result<(), LedgerError> {
        let mut update = "SET v = :version, a = :none".to_owned();
        let mut removed = Vec::new();
        let mut condition = "attribute_not_exists(pk)".to_owned();
        let mut values: Values = vec![(":version", number(1)), (":none", number(0))];
        for (name, value, hash) in
            [(MAIL, ":mail", &contact.mail), (PHONE, ":phone", &contact.phone)]
        {
            if let Some(hash) = hash {
                update += &format!(", {name} = {value}");
                condition += &format!(" OR attribute_not_exists({name}) OR {name} <> {value}");
                values.push((value, hash_value(hash)));
            } else {
                removed.push(name);
                condition += &format!(" OR attribute_exists({name})");
            }
        }
        if !removed.is_empty() {
            update += &format!(" REMOVE {}", removed.join(", "));
        }
        // If it does not hold, just this is noted.
        self.update_if(&Key::of_guest(order_id), &update, &condition, values).await?;
        Ok(())
    }

    /// Counts a try to claim a guest's order.
    pub(crate) async fn count_guest_try(
        &self,
        order_id: &OrderId,
        attempts_max: u32,
    ) -> Result<GuestTried, LedgerError> {
        let key = Key::of_guest(order_id);
        let updated = self.update_if(
            &key,
            "ADD a :one",
            "a < :tries_max",
            vec![(":one", number(1)), (":tries_max", number(attempts_max))],
        );
        match updated.await? {
            Updated::Now(new) => {
                item::check_shape(&new)?;
                let (mail, phone) = (hash(&new, MAIL)?, hash(&new, PHONE)?);
                Ok(GuestTried::With(GuestContact { mail, phone }))
            }
            Updated::Not(None) => Ok(GuestTried::None),
            Updated::Not(Some(_)) => Ok(GuestTried::TooMany),
        }
    }
}

/// Why `activation` is not begun after what `old` has counted; `None` if it may be.
fn not_now(
    old: Option<&Item>,
    activation: &Activation,
    limits: SendLimits,
) -> Result<Option<Begun>, LedgerError> {
    let Some(old) = old else { return Ok(None) };
    let now = activation.sent_at.as_millisecond();
    let sent: i64 = item::read_number_of(old, SENT)?;
    let first_sent: i64 = item::read_number_of(old, FIRST_SENT)?;
    let sends: u32 = item::read_number_of(old, SENDS)?;
    if sent == now && hash(old, HASH)? == Some(activation.hash) {
        // It was begun before, and the reply was lost.
        return Ok(Some(Begun::Now));
    }
    let apart = sent.saturating_add(apart_ms(limits));
    let day_end = first_sent.saturating_add(DAY_MS);
    let at = |ms: i64| Timestamp::from_millisecond(ms).map_err(corrupt);
    Ok(if sends >= limits.sends_a_day_max.get() && day_end > now {
        Some(Begun::TooMany { again_at: at(apart.max(day_end))? })
    } else if apart > now {
        Some(Begun::TooSoon { again_at: at(apart)? })
    } else {
        None
    })
}

fn apart_ms(limits: SendLimits) -> i64 {
    i64::from(limits.apart_seconds_min).saturating_mul(1_000)
}

/// A hash is not of 32 bytes, or not there.
#[derive(Debug, thiserror::Error)]
#[error("an item has no hash of 32 bytes")]
struct NoHash;

fn hash_value(hash: &KeyedHash) -> AttributeValue {
    AttributeValue::B(Blob::new(hash.as_bytes().as_slice()))
}

/// The hash in the attribute `name`, if there is one.
fn hash(found: &Item, name: &str) -> Result<Option<KeyedHash>, LedgerError> {
    let Some(value) = found.get(name) else { return Ok(None) };
    let bytes = value.as_b().ok().and_then(|it| <[u8; 32]>::try_from(it.as_ref()).ok());
    bytes.map(|it| Some(it.into())).ok_or_else(|| corrupt(NoHash))
}
