//! Persons: profiles, and what is one person's only, in a table of its own.
//!
//! A profile names all that is claimed for it, and both change in one transaction. So the profile at the version
//! that was read is proof of the rest.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::{
    error::BuildError,
    operation::{put_item::PutItemError, transact_write_items::TransactWriteItemsError},
    types::{
        AttributeValue, CancellationReason, Delete, Put, ReturnConsumedCapacity, TransactWriteItem,
        Update,
    },
};
use jiff::Timestamp;
use loyalty_domain::{
    code::ReferralCode,
    id::{MemberId, OrderId},
};
use loyalty_ledger::{
    LedgerError, Reading,
    profile::{
        Activation, Begun, FoundFriends, Friend, GuestContact, GuestTried, IDENTITIES_MAX,
        Identity, IdentityKind, KnownCode, LIKES_MAX, Like, Likeness, Profile, ProfileChange,
        Profiles, SIGNALS_MAX, Saved, SendLimits, Signal, Taken, Tried,
    },
};

use crate::{
    DynamoDbLedger,
    append::{PUT_ITEM, TRANSACT_WRITE_ITEMS, code, put_item, raced_or_failed},
    failed,
    item::{self, BODY, Item, SEQUENCE, corrupt, number},
    key::{FRIEND, Key, member_partition, signal_partition},
};

/// The attribute of the member whose something is.
const MEMBER: &str = "m";
/// The attribute of since when, in milliseconds of the Unix epoch.
pub(crate) const SINCE: &str = "t";
/// The attribute that only a dead code has.
const DEAD: &str = "d";

/// Whoever made the ledger named no table of persons: a bug of ours.
#[derive(Debug, thiserror::Error)]
#[error("no table of members is named")]
struct NoMembersTable;

/// A profile cannot be read or written. It never says what it holds.
#[derive(Debug, thiserror::Error)]
enum InvalidProfile {
    /// Its text is not what was written; where it stops making sense.
    #[error("a profile is malformed at line {line}, column {column}")]
    Malformed { line: usize, column: usize },
    /// A change has more identities, signals or codes than one transaction takes, or one of them twice.
    #[error("a profile has too much, or something twice")]
    OverLimits,
    /// A change does not raise the version by one.
    #[error("a profile becomes version {version}, and {expected} was read")]
    Version { version: u64, expected: u64 },
}

/// What a write of a profile's change is for, and so what it means if its condition fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProfileRole {
    /// The profile as it was read, which may have changed since.
    Profile,
    /// An identity of this kind, which another member may have.
    Identity(IdentityKind),
    /// The code, which somebody may have or have had.
    Code,
    /// What is the member's own.
    Other,
}

/// How a change of a profile was refused, told by those writes of a cancelled transaction that belong to it;
/// `None` if none of them was.
///
/// A changed profile comes first: what it took is no other member's.
pub(crate) fn refused(
    reasons: &[CancellationReason],
    role_of: impl Fn(usize) -> Option<ProfileRole>,
) -> Option<Saved> {
    let roles: Vec<ProfileRole> = reasons
        .iter()
        .enumerate()
        .filter(|(_, reason)| code(reason) == "ConditionalCheckFailed")
        .filter_map(|(index, _)| role_of(index))
        .collect();
    if roles.contains(&ProfileRole::Profile) {
        return Some(Saved::Raced);
    }
    let taken = roles.iter().find_map(|it| match it {
        ProfileRole::Identity(kind) => Some(Saved::Taken(Taken::Identity(*kind))),
        ProfileRole::Code => Some(Saved::Taken(Taken::Code)),
        ProfileRole::Profile | ProfileRole::Other => None,
    });
    taken.or_else(|| (!roles.is_empty()).then_some(Saved::Raced))
}

impl DynamoDbLedger {
    /// The table of persons.
    pub(crate) fn members_table(&self, operation: &'static str) -> Result<&str, LedgerError> {
        let no_table = || LedgerError::NotAllowed { operation, source: Box::new(NoMembersTable) };
        self.members.as_deref().ok_or_else(no_table)
    }

    /// The writes of `change`, each with what it is for, to be sent alone or with others in one transaction.
    pub(crate) fn profile_writes(
        &self,
        change: &ProfileChange,
    ) -> Result<Vec<(TransactWriteItem, ProfileRole)>, LedgerError> {
        check(change)?;
        let table = self.members_table(TRANSACT_WRITE_ITEMS)?;
        let member_id = &change.profile.member_id;
        let mut writes = Writes { table, keys: HashSet::new(), items: Vec::new() };
        writes.put_profile(change)?;
        for identity in &change.take {
            let mut item = item::version_attribute();
            item.insert(MEMBER.to_owned(), text(member_id));
            let role = ProfileRole::Identity(identity.kind);
            writes.put(Key::of_identity(identity), item, role, |put| {
                // What is the member's own already is no obstacle.
                put.condition_expression("attribute_not_exists(pk) OR m = :member")
                    .expression_attribute_values(":member", text(member_id))
            })?;
        }
        for identity in &change.release {
            writes.delete(Key::of_identity(identity), |delete| {
                delete
                    .condition_expression("attribute_not_exists(pk) OR m = :member")
                    .expression_attribute_values(":member", text(member_id))
            })?;
        }
        for signal in &change.add_signals {
            let mut item = item::version_attribute();
            item.insert(SINCE.to_owned(), number(change.profile.enrolled_at.as_millisecond()));
            writes.put(Key::of_signal(signal, member_id), item, ProfileRole::Other, |put| put)?;
        }
        for signal in &change.drop_signals {
            writes.delete(Key::of_signal(signal, member_id), |delete| delete)?;
        }
        if let Some(code) = &change.take_code {
            let mut item = item::version_attribute();
            item.insert(MEMBER.to_owned(), text(member_id));
            writes.put(Key::of_code(code), item, ProfileRole::Code, |put| {
                put.condition_expression("attribute_not_exists(pk)")
            })?;
        }
        for code in &change.kill_codes {
            writes.kill_code(code, member_id)?;
        }
        Ok(writes.items)
    }

    /// A profile alone needs no transaction, which would cost twice as much.
    async fn put_profile_alone(&self, put: &Put) -> Result<Saved, LedgerError> {
        let result = self
            .client
            .put_item()
            .table_name(put.table_name())
            .set_item(Some(put.item().clone()))
            .set_condition_expression(put.condition_expression().map(ToOwned::to_owned))
            .set_expression_attribute_names(put.expression_attribute_names().cloned())
            .set_expression_attribute_values(put.expression_attribute_values().cloned())
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        let Err(error) = result else { return Ok(Saved::Now) };
        if let Some(
            PutItemError::ConditionalCheckFailedException(_)
            | PutItemError::TransactionConflictException(_),
        ) = error.as_service_error()
        {
            return Ok(Saved::Raced);
        }
        Err(failed(PUT_ITEM, error))
    }

    /// The item of the members table with `key`.
    pub(crate) async fn find_item(
        &self,
        key: &Key,
        reading: Reading,
    ) -> Result<Option<Item>, LedgerError> {
        const GET_ITEM: &str = "GetItem";
        let output = self
            .client
            .get_item()
            .table_name(self.members_table(GET_ITEM)?)
            .set_key(Some(key.attributes().into()))
            .consistent_read(reading == Reading::Newest)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(|error| failed(GET_ITEM, error))?;
        output.item.map(|it| item::check_shape(&it).map(|()| it)).transpose()
    }

    /// Who has `signal`, and whether there are more than one look at it finds.
    async fn alike(
        &self,
        signal: &Signal,
        member_id: &MemberId,
        reading: Reading,
    ) -> Result<(Vec<Like>, bool), LedgerError> {
        const QUERY: &str = "Query";
        let output = self
            .client
            .query()
            .table_name(self.members_table(QUERY)?)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(signal_partition(signal)))
            .consistent_read(reading == Reading::Newest)
            // The member, and one more than are wanted.
            .limit(i32::from(LIKES_MAX).saturating_add(2))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(|error| failed(QUERY, error))?;
        let mut others = Vec::new();
        for found in output.items() {
            item::check_shape(found)?;
            let other: MemberId = item::text(found, "sk")?.try_into().map_err(corrupt)?;
            if other != *member_id {
                let enrolled_at = instant(found, SINCE)?;
                others.push(Like { kind: signal.kind, member_id: other, enrolled_at });
            }
        }
        let has_more = others.len() > LIKES_MAX.into();
        others.truncate(LIKES_MAX.into());
        Ok((others, has_more))
    }
}

impl Profiles for DynamoDbLedger {
    async fn find_profile(
        &self,
        member_id: &MemberId,
        reading: Reading,
    ) -> Result<Option<Profile>, LedgerError> {
        let found = self.find_item(&Key::of_profile(member_id), reading).await?;
        found.map(|it| profile(&it)).transpose()
    }

    async fn find_identity(
        &self,
        identity: &Identity,
        reading: Reading,
    ) -> Result<Option<MemberId>, LedgerError> {
        let found = self.find_item(&Key::of_identity(identity), reading).await?;
        found.map(|it| member(&it)).transpose()
    }

    async fn find_code(
        &self,
        code: &ReferralCode,
        reading: Reading,
    ) -> Result<Option<KnownCode>, LedgerError> {
        known_code(self.find_item(&Key::of_code(code), reading).await?.as_ref())
    }

    async fn save_profile(&self, change: &ProfileChange) -> Result<Saved, LedgerError> {
        let writes = self.profile_writes(change)?;
        if let [(TransactWriteItem { put: Some(put), .. }, _)] = writes.as_slice() {
            return self.put_profile_alone(put).await;
        }
        let (items, roles): (Vec<_>, Vec<_>) = writes.into_iter().unzip();
        let result = self
            .client
            .transact_write_items()
            // `refused` relies on this order: the store lists its reasons in it.
            .set_transact_items(Some(items))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        let Err(error) = result else { return Ok(Saved::Now) };
        if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
            error.as_service_error()
        {
            let reasons = cancelled.cancellation_reasons();
            if let Some(saved) = refused(reasons, |it| roles.get(it).copied()) {
                return Ok(saved);
            }
            raced_or_failed(reasons)?;
            return Ok(Saved::Raced);
        }
        Err(failed(TRANSACT_WRITE_ITEMS, error))
    }

    async fn begin_activation(
        &self,
        activation: &Activation,
        limits: SendLimits,
    ) -> Result<Begun, LedgerError> {
        self.count_send(activation, limits).await
    }

    async fn try_activation(
        &self,
        member_id: &MemberId,
        at: Timestamp,
        attempts_max: u32,
    ) -> Result<Tried, LedgerError> {
        self.count_try(member_id, at, attempts_max).await
    }

    async fn end_activation(&self, member_id: &MemberId) -> Result<(), LedgerError> {
        const DELETE_ITEM: &str = "DeleteItem";
        self.client
            .delete_item()
            .table_name(self.members_table(DELETE_ITEM)?)
            .set_key(Some(Key::of_activation(member_id).attributes().into()))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(|error| failed(DELETE_ITEM, error))?;
        Ok(())
    }

    async fn add_friend(&self, referrer: &MemberId, friend: &Friend) -> Result<(), LedgerError> {
        let mut item = item::version_attribute();
        item.extend(Key::of_friend(referrer, &friend.member_id).attributes());
        item.insert(SINCE.to_owned(), number(friend.at.as_millisecond()));
        let result = self
            .client
            .put_item()
            .table_name(self.members_table(PUT_ITEM)?)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        let Err(error) = result else { return Ok(()) };
        if let Some(PutItemError::ConditionalCheckFailedException(_)) = error.as_service_error() {
            return Ok(());
        }
        Err(failed(PUT_ITEM, error))
    }

    async fn friends(
        &self,
        referrer: &MemberId,
        after: Option<&MemberId>,
        limit: u16,
    ) -> Result<FoundFriends, LedgerError> {
        const QUERY: &str = "Query";
        let from: Option<HashMap<_, _>> =
            after.map(|it| Key::of_friend(referrer, it).attributes().into());
        let output = self
            .client
            .query()
            .table_name(self.members_table(QUERY)?)
            .key_condition_expression("pk = :pk AND begins_with(sk, :friend)")
            .expression_attribute_values(":pk", AttributeValue::S(member_partition(referrer)))
            .expression_attribute_values(":friend", AttributeValue::S(FRIEND.to_owned()))
            .set_exclusive_start_key(from)
            .limit(limit.max(1).into())
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(|error| failed(QUERY, error))?;
        let mut friends = Vec::new();
        for found in output.items() {
            item::check_shape(found)?;
            friends.push(Friend { member_id: friend(found)?, at: instant(found, SINCE)? });
        }
        let last = output.last_evaluated_key().filter(|it| !it.is_empty());
        Ok(FoundFriends { friends, next: last.map(friend).transpose()? })
    }

    async fn put_guest_contact(
        &self,
        order_id: &OrderId,
        contact: &GuestContact,
    ) -> Result<(), LedgerError> {
        self.note_guest(order_id, contact).await
    }

    async fn try_guest(
        &self,
        order_id: &OrderId,
        attempts_max: u32,
    ) -> Result<GuestTried, LedgerError> {
        self.count_guest_try(order_id, attempts_max).await
    }

    async fn likeness(
        &self,
        member_id: &MemberId,
        reading: Reading,
    ) -> Result<Likeness, LedgerError> {
        let mut likeness = Likeness::default();
        let Some(profile) = self.find_profile(member_id, reading).await? else {
            return Ok(likeness);
        };
        for signal in &profile.signals {
            let (others, has_more) = self.alike(signal, member_id, reading).await?;
            likeness.others.extend(others);
            likeness.has_more |= has_more;
        }
        Ok(likeness)
    }
}

/// Whose a code is or was, in the item that was found under it.
pub(crate) fn known_code(found: Option<&Item>) -> Result<Option<KnownCode>, LedgerError> {
    let Some(found) = found else { return Ok(None) };
    item::check_shape(found)?;
    Ok(Some(KnownCode { member_id: member(found)?, is_dead: found.contains_key(DEAD) }))
}

/// The profile in `item`.
fn profile(found: &Item) -> Result<Profile, LedgerError> {
    let mut profile: Profile = serde_json::from_str(item::text(found, BODY)?)
        // What it says may quote what it read.
        .map_err(|it| InvalidProfile::Malformed { line: it.line(), column: it.column() })
        .map_err(corrupt)?;
    profile.version = item::read_number_of(found, SEQUENCE)?;
    Ok(profile)
}

fn member(found: &Item) -> Result<MemberId, LedgerError> {
    item::text(found, MEMBER)?.try_into().map_err(corrupt)
}

fn friend(found: &Item) -> Result<MemberId, LedgerError> {
    let friend = item::text(found, "sk")?;
    friend.strip_prefix(FRIEND).unwrap_or(friend).try_into().map_err(corrupt)
}

/// The instant in the attribute `name`.
pub(crate) fn instant(found: &Item, name: &'static str) -> Result<Timestamp, LedgerError> {
    Timestamp::from_millisecond(item::read_number_of(found, name)?).map_err(corrupt)
}

fn text(member_id: &MemberId) -> AttributeValue {
    AttributeValue::S(member_id.as_str().to_owned())
}

/// Refuses what would not fit a transaction beside an entry, two accounts and their claims.
fn check(change: &ProfileChange) -> Result<(), LedgerError> {
    let ProfileChange { profile, expected, .. } = change;
    if profile.version != expected.saturating_add(1) {
        let version = profile.version;
        return Err(corrupt(InvalidProfile::Version { version, expected: *expected }));
    }
    let is_within_limits = profile.identities.len() <= IDENTITIES_MAX
        && change.take.len() <= IDENTITIES_MAX
        && change.release.len() <= IDENTITIES_MAX
        && profile.signals.len() <= SIGNALS_MAX
        && change.add_signals.len() <= SIGNALS_MAX
        && change.drop_signals.len() <= SIGNALS_MAX
        && change.kill_codes.len() <= CODES_MAX;
    if is_within_limits { Ok(()) } else { Err(corrupt(InvalidProfile::OverLimits)) }
}

/// How many codes one change kills at most.
const CODES_MAX: usize = 4;

/// The writes of one change, none of them to one item with another.
struct Writes<'a> {
    table: &'a str,
    keys: HashSet<Key>,
    items: Vec<(TransactWriteItem, ProfileRole)>,
}

impl Writes<'_> {
    /// A transaction that writes one item twice is refused by the store, for ever.
    fn add(
        &mut self,
        key: Key,
        item: TransactWriteItem,
        role: ProfileRole,
    ) -> Result<(), LedgerError> {
        self.items.push((item, role));
        let is_new = self.keys.insert(key);
        if is_new { Ok(()) } else { Err(corrupt(InvalidProfile::OverLimits)) }
    }

    fn put(
        &mut self,
        key: Key,
        mut item: Item,
        role: ProfileRole,
        condition: impl FnOnce(PutBuilder) -> PutBuilder,
    ) -> Result<(), LedgerError> {
        item.extend(key.attributes());
        let put = condition(Put::builder().table_name(self.table).set_item(Some(item)));
        self.add(key, put_item(put.build())?, role)
    }

    fn delete(
        &mut self,
        key: Key,
        condition: impl FnOnce(DeleteBuilder) -> DeleteBuilder,
    ) -> Result<(), LedgerError> {
        let delete =
            Delete::builder().table_name(self.table).set_key(Some(key.attributes().into()));
        let delete = condition(delete).build().map_err(corrupt)?;
        self.add(key, TransactWriteItem::builder().delete(delete).build(), ProfileRole::Other)
    }

    fn put_profile(&mut self, change: &ProfileChange) -> Result<(), LedgerError> {
        let ProfileChange { profile, expected, .. } = change;
        let body = serde_json::to_string(profile)
            .map_err(|it| InvalidProfile::Malformed { line: it.line(), column: it.column() })
            .map_err(corrupt)?;
        let mut item = item::version_attribute();
        item.insert(BODY.to_owned(), AttributeValue::S(body));
        item.insert(SEQUENCE.to_owned(), number(profile.version));
        let key = Key::of_profile(&profile.member_id);
        self.put(key, item, ProfileRole::Profile, |put| match expected {
            0 => put.condition_expression("attribute_not_exists(pk)"),
            _ => put
                .condition_expression("#q = :expected")
                .expression_attribute_names("#q", SEQUENCE)
                .expression_attribute_values(":expected", number(expected)),
        })
    }

    fn kill_code(&mut self, code: &ReferralCode, member_id: &MemberId) -> Result<(), LedgerError> {
        let key = Key::of_code(code);
        let update = Update::builder()
            .table_name(self.table)
            .set_key(Some(key.attributes().into()))
            .update_expression("SET d = :true")
            .condition_expression("m = :member")
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":member", text(member_id));
        let update: Result<Update, BuildError> = update.build();
        let update = TransactWriteItem::builder().update(update.map_err(corrupt)?).build();
        self.add(key, update, ProfileRole::Other)
    }
}

type PutBuilder = aws_sdk_dynamodb::types::builders::PutBuilder;
type DeleteBuilder = aws_sdk_dynamodb::types::builders::DeleteBuilder;
