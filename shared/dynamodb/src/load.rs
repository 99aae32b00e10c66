//! Reading: all that a request needs, in one batch where that is possible.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnConsumedCapacity};
use loyalty_domain::{
    account::Account,
    code::ReferralCode,
    command::{Command, Request},
    decide::{Held, Known},
    id::{CommandId, MemberId, OrderId, RedemptionId, RewardId},
    redemption::RedemptionStatus,
    referral::{NamedCode, Suspicion},
};
use loyalty_ledger::{
    ALIASES_MAX, Beside, Entry, LedgerError, Loaded, Reading, Revision, hold, needs_other,
    profile::{KnownCode, Profiles as _},
    statement::KnownAccount,
    too_many_aliases,
};

use crate::{
    DynamoDbLedger, catalogue, failed,
    item::{self, Item, STATUS, StoredAccount, corrupt, revision, whole_entry},
    key::{HEAD, Key, ORDER, order_partition},
    profile::known_code,
};

/// How often what was read is read again because it was not from one instant, or not all of it came.
const READS_MAX: usize = 8;

const BATCH_GET_ITEM: &str = "BatchGetItem";

/// How many items one request reads at most.
const BATCH_MAX: usize = 100;

/// What was read does not fit together, however often it was read.
#[derive(Debug, thiserror::Error)]
#[error("{what} was still not read whole after {READS_MAX} reads")]
struct NotWhole {
    what: &'static str,
}

fn not_whole(operation: &'static str, what: &'static str) -> LedgerError {
    LedgerError::Unavailable { operation, source: Box::new(NotWhole { what }) }
}

/// A redemption stands nowhere that is known.
#[derive(Debug, thiserror::Error)]
#[error("a redemption stands nowhere that is known")]
struct NoStatus;

/// What lies under an order.
struct UnderOrder {
    entries: Vec<(Revision, Arc<Entry>)>,
    revision: Revision,
}

impl UnderOrder {
    fn holds(&self) -> Held {
        self.entries.iter().fold(Held::Nothing, |holds, (_, entry)| hold(holds, entry))
    }
}

impl DynamoDbLedger {
    pub(crate) async fn load_for(
        &self,
        request: &Request,
        reading: Reading,
    ) -> Result<Loaded, LedgerError> {
        if let Some((reward, redemption)) = request.redeems() {
            return self.load_redeem(request, reward, redemption, reading).await;
        }
        if let Some(redemption) = request.continues() {
            return self.load_step(request, &redemption, reading).await;
        }
        match (&request.command, request.id.order_id()) {
            (Command::CorrectOrder { .. } | Command::ClaimOrder { .. }, Some(order_id)) => {
                self.load_correction(request, order_id, reading).await
            }
            (Command::GiveBack { spend, .. }, _) => {
                self.load_give_back(request, spend, reading).await
            }
            _ => self.load_entry_and_account(request, reading).await,
        }
    }

    /// Reads what else is needed to settle a referral, or to take back its reward: the other account, and what
    /// is known of both.
    async fn load_other(
        &self,
        request: &Request,
        mut loaded: Loaded,
    ) -> Result<Loaded, LedgerError> {
        let Some(referrer) = needs_other(request, &loaded.known) else { return Ok(loaded) };
        // What one entry depends on in two accounts is read surely: a lost race would cost more.
        let other = self.account_of(&referrer).await?;
        let is_raw = matches!(request.command, Command::Merge { .. });
        let (other, owner) = if is_raw { (other, None) } else { self.followed(other).await? };
        let StoredAccount { account, recent, due_after, .. } = other;
        let is_of_referral = matches!(
            request.command,
            Command::SettleReferral { .. } | Command::ReviewReferral { .. }
        );
        if let (Some(friend), true) = (request.member_id(), is_of_referral) {
            loaded.known.suspicion = self.suspicion(friend, &referrer, &account).await?;
        }
        let own = loaded.known.holds.member_id().or_else(|| request.member_id());
        let own = loaded.known.owner.as_ref().or(own);
        if !is_raw && own == Some(owner.as_ref().unwrap_or(&referrer)) {
            // Both became one member.
            loaded.known.suspicion.is_ring = true;
            return Ok(loaded);
        }
        loaded.known.other = Some(account);
        loaded.other = Some(Beside { recent, due_after, owner });
        Ok(loaded)
    }

    /// What is known of `friend` and `referrer` beside their accounts.
    async fn suspicion(
        &self,
        friend: &MemberId,
        referrer: &MemberId,
        account: &Account,
    ) -> Result<Suspicion, LedgerError> {
        let mut suspicion = Suspicion { is_ring: referrer == friend, ..Suspicion::default() };
        let above = |it: &Account| it.membership.referred.as_ref().map(|it| it.referrer.clone());
        let mut next = above(account);
        let mut seen = HashSet::from([referrer.clone()]);
        // Who brought whom is never changed, so a ring that is there is walked around once.
        while let Some(member_id) = next.filter(|_| !suspicion.is_ring) {
            suspicion.is_ring = member_id == *friend;
            next = above(&self.account_of(&member_id).await?.account);
            if !seen.insert(member_id) {
                break;
            }
        }
        let newest = Reading::Newest;
        if let (Some(own), Some(other)) =
            (self.find_profile(friend, newest).await?, self.find_profile(referrer, newest).await?)
        {
            suspicion.with_referrer.extend(own.shared_with(&other));
        }
        let likeness = self.likeness(friend, newest).await?;
        let others = likeness.others.into_iter().filter(|it| it.member_id != *referrer);
        suspicion.with_others.extend(others.map(|it| it.kind));
        suspicion.tidy();
        Ok(suspicion)
    }

    /// One batch read of the entry and the account.
    async fn load_entry_and_account(
        &self,
        request: &Request,
        reading: Reading,
    ) -> Result<Loaded, LedgerError> {
        let entry_key = Key::of_entry(&request.id);
        let account_key = request.member_id().map(Key::of_account);
        let keys = [Some(&entry_key), account_key.as_ref()].into_iter().flatten().cloned();
        let code = request.referral_code();
        let (items, code) = match &code {
            None => (self.get(keys.collect(), reading).await?, None),
            Some(code) => {
                let (items, code) =
                    self.get_with_code(keys.collect(), code.as_ref(), reading).await?;
                (items, Some(code))
            }
        };
        let entry_item = items.get(&entry_key);
        let entry = match entry_item {
            Some(item) => self.entry_in(&entry_key, item).await?,
            None => None,
        };
        let account = account_key.as_ref().and_then(|it| items.get(it));
        let mut loaded = self.loaded(request, item::account(account)?).await?;
        if let (None, Command::Merge { act, .. }) = (&entry, &request.command)
            && let Some(id) = act.undone()
        {
            let undone = self.known_entries(&[id], Reading::Newest).await?;
            loaded.known.holds = undone.iter().fold(Held::Nothing, |it, entry| hold(it, entry));
        }
        if let (None, Some(_), Some(order_id)) = (&entry, entry_item, request.id.order_id()) {
            // A mark: refunds wait here.
            let under = self.under_order(order_id).await?;
            loaded.known.holds = under.holds();
            loaded.revision = under.revision;
        }
        loaded.known.code = code;
        if entry.is_some() {
            return Ok(Loaded { entry, ..loaded });
        }
        self.load_other(request, loaded).await
    }

    /// The entry itself, since repeats are many; then all of its order, then the order's account.
    async fn load_correction(
        &self,
        request: &Request,
        order_id: &OrderId,
        reading: Reading,
    ) -> Result<Loaded, LedgerError> {
        if reading == Reading::Cheap {
            let key = Key::of_entry(&request.id);
            let items = self.get(vec![key.clone()], reading).await?;
            if let Some(item) = items.get(&key) {
                let entry = self.entry_in(&key, item).await?;
                return Ok(Loaded { entry, ..Loaded::default() });
            }
        }
        let under = self.under_order(order_id).await?;
        let entry = under.entries.iter().find(|(_, it)| it.id == request.id);
        if let Some((_, entry)) = entry {
            return Ok(Loaded { entry: Some(Arc::clone(entry)), ..Loaded::default() });
        }
        let holds = under.holds();
        // Whoever claims an order is named, and whoever refunds one is not.
        let account = match holds.member_id().or_else(|| request.member_id()) {
            Some(member_id) => self.account_of(member_id).await?,
            None => StoredAccount::default(),
        };
        let loaded = self.loaded(request, account).await?;
        let mut loaded = Loaded { revision: under.revision, ..loaded };
        loaded.known.holds = holds;
        self.load_other(request, loaded).await
    }

    /// One batch read of the entry, the use of points, what came back of it, and the account.
    async fn load_give_back(
        &self,
        request: &Request,
        spend: &CommandId,
        reading: Reading,
    ) -> Result<Loaded, LedgerError> {
        let entry_key = Key::of_entry(&request.id);
        let spend_key = Key::of_entry(spend);
        let head_key = Key::of_spend_head(spend);
        let account_key = request.member_id().map(Key::of_account);
        let keys = [Some(&entry_key), Some(&spend_key), Some(&head_key), account_key.as_ref()];
        let items = self.get(keys.into_iter().flatten().cloned().collect(), reading).await?;
        let account = account_key.as_ref().and_then(|it| items.get(it));
        let holds = self.holds_in(&spend_key, items.get(&spend_key)).await?;
        let mut loaded = self.loaded_of(request, item::account(account)?, holds).await?;
        if let Some(item) = items.get(&entry_key) {
            loaded.entry = self.entry_in(&entry_key, item).await?;
        }
        if let (Held::Spend(spend), Some(head)) = (&mut loaded.known.holds, items.get(&head_key)) {
            let given_back = head.get(item::GIVEN_BACK).and_then(|it| it.as_n().ok());
            let given_back = given_back.and_then(|it| it.parse::<u64>().ok()).unwrap_or(0);
            spend.given_back = given_back.try_into()?;
        }
        Ok(loaded)
    }

    /// One batch read of the entry, the account, the reward and what is left of it. Pieces need a query more, and so
    /// many parts as a stock has must have been read once.
    async fn load_redeem(
        &self,
        request: &Request,
        id: &RewardId,
        redemption: &RedemptionId,
        reading: Reading,
    ) -> Result<Loaded, LedgerError> {
        let entry_key = Key::of_entry(&request.id);
        let account_key = request.member_id().map(Key::of_account);
        let reward_key = Key::of_reward(id);
        let keys = [Some(&entry_key), account_key.as_ref()].into_iter().flatten().cloned();
        let mut program_keys = self.shards_to_read(id, redemption, reading);
        let has_stock = !program_keys.is_empty();
        program_keys.push(reward_key.clone());
        let wanted = vec![
            (self.tables.ledger.as_str(), keys.collect()),
            (self.tables.program.as_str(), program_keys),
        ];
        let items = self.get_of(wanted, reading).await?;
        if let Some(item) = items.get(&entry_key) {
            let entry = self.entry_in(&entry_key, item).await?;
            return Ok(Loaded { entry, ..Loaded::default() });
        }
        let account = account_key.as_ref().and_then(|it| items.get(it));
        let mut loaded = self.loaded(request, item::account(account)?).await?;
        if let Some(item) = items.get(&reward_key) {
            let reward = catalogue::reward(item)?;
            let stock = has_stock.then_some(&items);
            let offer = self.offer(reward, redemption, stock, reading).await?;
            loaded.known.offer = Some(Box::new(offer));
        }
        Ok(loaded)
    }

    /// One batch read of the entry, the redemption, where it stands, and the account.
    async fn load_step(
        &self,
        request: &Request,
        redemption: &CommandId,
        reading: Reading,
    ) -> Result<Loaded, LedgerError> {
        let entry_key = Key::of_entry(&request.id);
        let issued_key = Key::of_entry(redemption);
        let head_key = Key::of_spend_head(redemption);
        let account_key = request.member_id().map(Key::of_account);
        let keys = [Some(&entry_key), Some(&issued_key), Some(&head_key), account_key.as_ref()];
        let items = self.get(keys.into_iter().flatten().cloned().collect(), reading).await?;
        let account = account_key.as_ref().and_then(|it| items.get(it));
        let holds = self.holds_in(&issued_key, items.get(&issued_key)).await?;
        let mut loaded = self.loaded_of(request, item::account(account)?, holds).await?;
        if let Some(item) = items.get(&entry_key) {
            loaded.entry = self.entry_in(&entry_key, item).await?;
        }
        if let (Held::Redemption(state), Some(head)) =
            (&mut loaded.known.holds, items.get(&head_key))
        {
            let status = RedemptionStatus::of(item::text(head, STATUS)?);
            state.status = status.ok_or_else(|| corrupt(NoStatus))?;
        }
        Ok(loaded)
    }

    pub(crate) async fn known_account(
        &self,
        member_id: &MemberId,
        reading: Reading,
    ) -> Result<Option<KnownAccount>, LedgerError> {
        let key = Key::of_account(member_id);
        let items = self.get(vec![key.clone()], reading).await?;
        let Some(item) = items.get(&key) else { return Ok(None) };
        let StoredAccount { account, recent, .. } = item::account(Some(item))?;
        Ok(Some(KnownAccount { account, recent }))
    }

    pub(crate) async fn known_entries(
        &self,
        ids: &[CommandId],
        reading: Reading,
    ) -> Result<Vec<Arc<Entry>>, LedgerError> {
        let mut entries = Vec::with_capacity(ids.len());
        for batch in ids.chunks(BATCH_MAX) {
            let keys: Vec<Key> = batch.iter().map(Key::of_entry).collect();
            let items = self.get(keys.clone(), reading).await?;
            for key in keys {
                if let Some(item) = items.get(&key)
                    && let Some(entry) = self.entry_in(&key, item).await?
                {
                    entries.push(entry);
                }
            }
        }
        Ok(entries)
    }

    /// What the entry with `key`, which begins in `item`, says that there is to be given back or to go on.
    async fn holds_in(&self, key: &Key, item: Option<&Item>) -> Result<Held, LedgerError> {
        let Some(item) = item else { return Ok(Held::Nothing) };
        let entry = self.entry_in(key, item).await?;
        Ok(entry.map_or(Held::Nothing, |it| hold(Held::Nothing, &it)))
    }

    /// What is known of the account that gave what `holds` is about; of the member named where there is none.
    async fn loaded_of(
        &self,
        request: &Request,
        named: StoredAccount,
        holds: Held,
    ) -> Result<Loaded, LedgerError> {
        let stored = match holds.member_id() {
            Some(member_id) if Some(member_id) != request.member_id() => {
                self.account_of(member_id).await?
            }
            Some(_) | None => named,
        };
        let mut loaded = self.loaded(request, stored).await?;
        loaded.known.holds = holds;
        Ok(loaded)
    }

    /// What is known of the account that `request` is about: of the one that goes on, if the member named became one
    /// with another.
    async fn loaded(
        &self,
        request: &Request,
        stored: StoredAccount,
    ) -> Result<Loaded, LedgerError> {
        let (stored, owner) = if request.command.follows_alias() {
            self.followed(stored).await?
        } else {
            (stored, None)
        };
        let StoredAccount { account, recent, due_after, .. } = stored;
        let known = Known { account, owner, ..Known::default() };
        Ok(Loaded { known, recent, due_after, ..Loaded::default() })
    }

    /// The account that goes on where `stored` is only a name for it, and whose that is.
    async fn followed(
        &self,
        mut stored: StoredAccount,
    ) -> Result<(StoredAccount, Option<MemberId>), LedgerError> {
        let mut owner: Option<MemberId> = None;
        for _ in 0..ALIASES_MAX {
            let Some(alias) = stored.account.holdings.alias.clone() else {
                return Ok((stored, owner));
            };
            let target = self.account_of(&alias.into).await?;
            // A name that is none any more must not lead there. Undoing changes both accounts, so where the name is
            // read after the account, the account's own number tells whether it was undone since.
            let still = match &owner {
                Some(name) => self.account_of(name).await?,
                None => self.account_of(&alias.of).await?,
            };
            if still.account.holdings.alias.as_deref() != Some(&*alias) {
                stored = still;
                continue;
            }
            stored = target;
            owner = Some(alias.into);
        }
        Err(too_many_aliases())
    }

    async fn account_of(&self, member_id: &MemberId) -> Result<StoredAccount, LedgerError> {
        let key = Key::of_account(member_id);
        let items = self.get(vec![key.clone()], Reading::Newest).await?;
        item::account(items.get(&key))
    }

    /// Everything under an order, as of one instant.
    ///
    /// A query is no snapshot: entries of a transaction may be seen before what counts them, and the
    /// other way round. So what does not add up is read again.
    async fn under_order(&self, order_id: &OrderId) -> Result<UnderOrder, LedgerError> {
        for _ in 0..READS_MAX {
            let items = self.query(&order_partition(order_id)).await?;
            let by_sk: HashMap<&str, &Item> = items
                .iter()
                .map(|it| Ok((item::text(it, "sk")?, it)))
                .collect::<Result<_, LedgerError>>()?;
            let mut entries = Vec::new();
            let mut is_torn = false;
            for (sk, item) in &by_sk {
                // The parts of large entries have no revision of their own.
                let (true, Some(revision)) = (*sk != HEAD, revision(item)) else { continue };
                let key = Key { pk: order_partition(order_id), sk: (*sk).to_owned() };
                let others = (1..item::parts(item))
                    .filter_map(|it| by_sk.get(key.part(it).sk.as_str()).copied());
                let others: Vec<&Item> = others.collect();
                is_torn |= others.len().saturating_add(1) != item::parts(item);
                if !is_torn && let Some(entry) = whole_entry(item, &others)? {
                    entries.push((revision, entry));
                }
            }
            entries.sort_unstable_by_key(|(revision, _)| *revision);
            let count =
                [HEAD, ORDER].iter().find_map(|it| by_sk.get(it).copied().and_then(revision));
            let count = count.unwrap_or(0);
            if !is_torn && usize::try_from(count).is_ok_and(|it| it == entries.len()) {
                return Ok(UnderOrder { entries, revision: count });
            }
        }
        Err(not_whole("Query", "an order"))
    }

    /// The entry that begins in `item`, whose other parts are read if it has any.
    pub(crate) async fn entry_in(
        &self,
        key: &Key,
        item: &Item,
    ) -> Result<Option<Arc<Entry>>, LedgerError> {
        let keys: Vec<Key> = (1..item::parts(item)).map(|it| key.part(it)).collect();
        if keys.is_empty() {
            return whole_entry(item, &[]);
        }
        // Parts of one transaction may be seen one after the other.
        for _ in 0..READS_MAX {
            let items = self.get(keys.clone(), Reading::Newest).await?;
            let others: Vec<&Item> = keys.iter().filter_map(|it| items.get(it)).collect();
            if others.len() == keys.len() {
                return whole_entry(item, &others);
            }
        }
        Err(not_whole("BatchGetItem", "a large entry"))
    }

    /// Reads the items with `keys`, in one request unless the store wants more.
    async fn get(
        &self,
        keys: Vec<Key>,
        reading: Reading,
    ) -> Result<HashMap<Key, Item>, LedgerError> {
        self.get_of(vec![(self.tables.ledger.as_str(), keys)], reading).await
    }

    /// Reads the items with `keys` of the ledger, and in the same request whose `code` it is.
    async fn get_with_code(
        &self,
        keys: Vec<Key>,
        code: Option<&ReferralCode>,
        reading: Reading,
    ) -> Result<(HashMap<Key, Item>, NamedCode), LedgerError> {
        let Some(code) = code else {
            return Ok((self.get(keys, reading).await?, NamedCode::Unknown));
        };
        let key = Key::of_code(code);
        let members = self.members_table(BATCH_GET_ITEM)?;
        let wanted = vec![(self.tables.ledger.as_str(), keys), (members, vec![key.clone()])];
        let mut items = self.get_of(wanted, reading).await?;
        let code = known_code(items.remove(&key).as_ref())?;
        Ok((items, KnownCode::named(code)))
    }

    /// Reads the items with the keys of each table, in one request unless the store wants more. No two tables
    /// have keys that are alike.
    pub(crate) async fn get_of(
        &self,
        wanted: Vec<(&str, Vec<Key>)>,
        reading: Reading,
    ) -> Result<HashMap<Key, Item>, LedgerError> {
        let mut found = HashMap::new();
        let mut requests = HashMap::with_capacity(wanted.len());
        for (table, keys) in wanted {
            let keys = KeysAndAttributes::builder()
                .set_keys(Some(keys.iter().map(|it| it.attributes().into()).collect()))
                .consistent_read(reading == Reading::Newest);
            requests.insert(table.to_owned(), keys.build().map_err(corrupt)?);
        }
        // A store under load answers in part, and says what is left as it was asked.
        for _ in 0..READS_MAX {
            let output = self
                .client
                .batch_get_item()
                .set_request_items(Some(requests))
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(|error| failed(BATCH_GET_ITEM, error))?;
            for item in output.responses.unwrap_or_default().into_values().flatten() {
                found.insert(key_of(&item)?, item);
            }
            requests = output.unprocessed_keys.unwrap_or_default();
            if requests.is_empty() {
                return Ok(found);
            }
            for keys in requests.values_mut() {
                keys.consistent_read = Some(reading == Reading::Newest);
            }
        }
        Err(not_whole(BATCH_GET_ITEM, "a batch"))
    }

    /// Reads all of a partition, surely.
    async fn query(&self, pk: &str) -> Result<Vec<Item>, LedgerError> {
        let mut items = Vec::new();
        let mut from = None;
        loop {
            let output = self
                .client
                .query()
                .table_name(&self.tables.ledger)
                .consistent_read(true)
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", AttributeValue::S(pk.to_owned()))
                .set_exclusive_start_key(from)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(|error| failed("Query", error))?;
            items.extend(output.items.unwrap_or_default());
            match output.last_evaluated_key.filter(|it| !it.is_empty()) {
                Some(key) => from = Some(key),
                None => return Ok(items),
            }
        }
    }
}

pub(crate) fn key_of(item: &Item) -> Result<Key, LedgerError> {
    let (pk, sk) = (item::text(item, "pk")?, item::text(item, "sk")?);
    Ok(Key { pk: pk.to_owned(), sk: sk.to_owned() })
}
