//! The catalogue: rewards, and their stock in parts, of which no single one takes all the writes of a drop.
//!
//! What is left of a part is in its item. A code or a serial number is an item of its own, a piece, which whoever
//! takes it deletes; a mark stays, so that no code is ever added again.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        AttributeValue, CancellationReason, Put, ReturnConsumedCapacity,
        ReturnValuesOnConditionCheckFailure, Select, TransactWriteItem, Update,
    },
};
use loyalty_domain::{
    id::{RedemptionId, RewardId},
    redemption::{Found, Offer},
    reward::{CodeSource, PieceId, Reward, RewardKind, RewardSpec, Stock, Unique, VoucherCode},
};
use loyalty_ledger::{
    ClaimKey, LedgerError, Patience, Reading,
    catalogue::{
        Author, CODES_MAX, Catalogue, CodesAdded, FoundRewards, RewardSaved, RewardVersion,
        SERIALS_MAX, STOCK_CHANGE_MAX, StockChange, StockChanged, StockStep, shares,
    },
};

use crate::{
    DynamoDbLedger,
    append::{TRANSACT_WRITE_ITEMS, code, put_item, raced_or_failed},
    failed,
    item::{self, BODY, Item, SEQUENCE, corrupt, number},
    key::{Key, PIECES_END, REWARDS},
    note::BY,
    profile::{SINCE, instant},
};

/// The attribute of what is left of a part of a stock.
pub(crate) const LEFT: &str = "l";
/// The attribute of a piece that is a code.
const CODE: &str = "u";
/// The attribute of a piece that is a serial number, and of how many were made.
const SERIAL: &str = "n";
/// The attribute of how many serial numbers are to be made.
const WANTED: &str = "t";
/// The attribute of what a request changed.
const CHANGED: &str = "d";

const QUERY: &str = "Query";

/// How many codes one transaction adds, each of which is two items of its 100.
const CODES_A_TRANSACTION: usize = 50;
/// How many serial numbers one transaction adds, beside their count.
const SERIALS_A_TRANSACTION: u64 = 99;
/// Among how many pieces of another part than the first one is chosen, so that not all want the same.
const PIECES_READ: i32 = 32;

/// A piece is neither a code nor a serial number.
#[derive(Debug, thiserror::Error)]
#[error("a piece is neither a code nor a serial number")]
struct NoPiece;

/// How a transaction on stock ended.
enum Stocked {
    Now,
    /// These of its writes found something else than they should; the first one, if it failed, what it found.
    Failed(Vec<usize>, Option<String>),
    /// It met others.
    Raced,
}

impl Catalogue for DynamoDbLedger {
    async fn find_reward(
        &self,
        id: &RewardId,
        reading: Reading,
    ) -> Result<Option<Reward>, LedgerError> {
        let key = Key::of_reward(id);
        let wanted = vec![(self.tables.program.as_str(), vec![key.clone()])];
        self.get_of(wanted, reading).await?.get(&key).map(reward).transpose()
    }

    async fn rewards(
        &self,
        after: Option<&RewardId>,
        limit: u16,
    ) -> Result<FoundRewards, LedgerError> {
        let output = self
            .client
            .query()
            .table_name(&self.tables.program)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(REWARDS.to_owned()))
            .set_exclusive_start_key(after.map(|it| Key::of_reward(it).attributes().into()))
            .limit(limit.into())
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(|error| failed(QUERY, error))?;
        let is_last = output.last_evaluated_key().is_none_or(HashMap::is_empty);
        let rewards: Vec<Reward> = output.items().iter().map(reward).collect::<Result<_, _>>()?;
        let next = rewards.last().filter(|_| !is_last).map(|it| it.spec().id.clone());
        Ok(FoundRewards { rewards, next })
    }

    async fn save_reward(
        &self,
        reward: &Reward,
        author: &Author,
    ) -> Result<RewardSaved, LedgerError> {
        let spec = reward.spec();
        let body = serde_json::to_string(spec).map_err(corrupt)?;
        let mut kept = item::version_attribute();
        kept.insert(BODY.to_owned(), AttributeValue::S(body));
        kept.insert(SEQUENCE.to_owned(), number(spec.version));
        let mut version = kept.clone();
        kept.extend(Key::of_reward(&spec.id).attributes());
        version.extend(Key::of_reward_version(&spec.id, spec.version).attributes());
        version.extend(written_by(author));
        let put = Put::builder().table_name(&self.tables.program).set_item(Some(kept));
        let put = match spec.version.saturating_sub(1) {
            0 => put.condition_expression("attribute_not_exists(pk)"),
            before => put
                .condition_expression("#q = :before")
                .expression_attribute_names("#q", SEQUENCE)
                .expression_attribute_values(":before", number(before)),
        };
        let history = Put::builder().table_name(&self.tables.program).set_item(Some(version));
        let writes = vec![put_item(put.build())?, put_item(history.build())?];
        match self.stock_transaction(writes).await? {
            Stocked::Now => Ok(RewardSaved::Now),
            Stocked::Failed(..) | Stocked::Raced => Ok(RewardSaved::Raced),
        }
    }

    async fn reward_versions(
        &self,
        id: &RewardId,
        limit: u16,
    ) -> Result<Vec<RewardVersion>, LedgerError> {
        let Key { pk, sk: _ } = Key::of_reward_version(id, 0);
        let output = self
            .client
            .query()
            .table_name(&self.tables.program)
            .consistent_read(true)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(pk))
            .scan_index_forward(false)
            .limit(limit.into())
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(|error| failed(QUERY, error))?;
        output.items().iter().map(reward_version).collect()
    }

    async fn change_stock<P: Patience>(
        &self,
        reward: &Reward,
        change: &StockChange,
        patience: &mut P,
    ) -> Result<StockChanged, LedgerError> {
        let spec = reward.spec();
        let is_numbered = spec.kind == RewardKind::Collectible;
        let is_counted = spec.stock != Stock::Unlimited && !spec.kind.is_of_pieces();
        match change.by {
            StockStep::Add(by) if is_numbered && by <= SERIALS_MAX => {
                self.add_serials(reward, change, by, patience).await
            }
            StockStep::Add(_) if is_numbered => Ok(StockChanged::TooMany { most: SERIALS_MAX }),
            StockStep::Add(_) | StockStep::Remove(_) if !is_counted => Ok(StockChanged::NotCounted),
            StockStep::Add(by) | StockStep::Remove(by) if by > STOCK_CHANGE_MAX => {
                Ok(StockChanged::TooMany { most: STOCK_CHANGE_MAX })
            }
            StockStep::Add(by) => self.add_stock(reward, change, by, patience).await,
            StockStep::Remove(by) => self.remove_stock(reward, change, by, patience).await,
        }
    }

    async fn add_codes<P: Patience>(
        &self,
        reward: &Reward,
        codes: &[VoucherCode],
        author: &Author,
        patience: &mut P,
    ) -> Result<CodesAdded, LedgerError> {
        let spec = reward.spec();
        if spec.kind != (RewardKind::Coupon { codes: CodeSource::Uploaded }) {
            return Ok(CodesAdded::NoCodes);
        }
        if codes.len() > CODES_MAX {
            return Ok(CodesAdded::TooMany);
        }
        let mut new: Vec<&VoucherCode> = codes.iter().collect();
        new.sort_unstable();
        new.dedup();
        let mut added = 0;
        for some in new.chunks(CODES_A_TRANSACTION) {
            added += self.add_some_codes(reward, some, author, patience).await?;
        }
        let count = |it: usize| u64::try_from(it).unwrap_or(u64::MAX);
        let known = count(codes.len().saturating_sub(added));
        Ok(CodesAdded::Now { added: count(added), known })
    }

    async fn remaining(&self, reward: &Reward) -> Result<Option<u64>, LedgerError> {
        let spec = reward.spec();
        if spec.stock == Stock::Unlimited {
            return Ok(None);
        }
        let mut left = 0_u64;
        if spec.kind.is_of_pieces() {
            for shard in 0..spec.stock.shards() {
                left = left.saturating_add(self.count_pieces(&spec.id, shard).await?);
            }
        } else {
            let shards = 0..spec.stock.shards();
            for (_, it) in self.left_in(&spec.id, shards, Reading::Newest).await? {
                left = left.saturating_add(it);
            }
        }
        Ok(Some(left))
    }
}

impl DynamoDbLedger {
    /// Adds to each part of a stock in a transaction of its own: in a drop, one on all of them would meet others
    /// for ever.
    async fn add_stock<P: Patience>(
        &self,
        reward: &Reward,
        change: &StockChange,
        by: u64,
        patience: &mut P,
    ) -> Result<StockChanged, LedgerError> {
        let spec = reward.spec();
        let mut is_new = false;
        for (shard, share) in shares(by, spec.stock.shards()) {
            if share == 0 && shard > 0 {
                continue;
            }
            let mut writes = vec![self.put_stock_change(reward, change, shard)?];
            if share > 0 {
                let key = Key::of_claim(&ClaimKey::stock(&spec.id, shard));
                writes.push(self.update(&key, "SET v = :v ADD l :by", None, &[(":by", share)])?);
            }
            let changed = self.change_once(&writes, change, patience).await?;
            is_new |= changed == StockChanged::Now;
            if !matches!(changed, StockChanged::Now | StockChanged::Before) {
                return Ok(changed);
            }
        }
        Ok(if is_new { StockChanged::Now } else { StockChanged::Before })
    }

    /// Sends `writes`, the first of which notes that `change` was made, until they do not meet others.
    async fn change_once<P: Patience>(
        &self,
        writes: &[TransactWriteItem],
        change: &StockChange,
        patience: &mut P,
    ) -> Result<StockChanged, LedgerError> {
        let mut attempts = 0;
        loop {
            match self.stock_transaction(writes.to_vec()).await? {
                Stocked::Now => return Ok(StockChanged::Now),
                Stocked::Failed(_, Some(before)) => {
                    let is_same = before == text_of(change.by);
                    return Ok(if is_same { StockChanged::Before } else { StockChanged::Reused });
                }
                Stocked::Failed(_, None) | Stocked::Raced => wait(patience, &mut attempts).await?,
            }
        }
    }

    /// Takes from all parts of a stock together, so that nothing is taken where there is less.
    async fn remove_stock<P: Patience>(
        &self,
        reward: &Reward,
        change: &StockChange,
        by: u64,
        patience: &mut P,
    ) -> Result<StockChanged, LedgerError> {
        let spec = reward.spec();
        let mut attempts = 0;
        loop {
            let shards = 0..spec.stock.shards();
            let mut lefts = self.left_in(&spec.id, shards, Reading::Newest).await?;
            // The fullest first: the fewest parts change, and none is emptied without need.
            lefts.sort_unstable_by_key(|(_, left)| std::cmp::Reverse(*left));
            let mut missing = by;
            let mut writes = vec![self.put_stock_change(reward, change, 0)?];
            for (shard, left) in &lefts {
                let share = missing.min(*left);
                if share > 0 {
                    let key = Key::of_claim(&ClaimKey::stock(&spec.id, *shard));
                    writes.push(self.take(&key, share)?);
                    missing = missing.saturating_sub(share);
                }
            }
            if missing > 0 {
                let left = lefts.iter().fold(0_u64, |sum, (_, it)| sum.saturating_add(*it));
                return Ok(match self.stock_change(reward, change).await? {
                    Some(before) => before,
                    None => StockChanged::Less { left },
                });
            }
            match self.stock_transaction(writes).await? {
                Stocked::Now => return Ok(StockChanged::Now),
                Stocked::Failed(_, Some(before)) => {
                    let is_same = before == text_of(change.by);
                    return Ok(if is_same { StockChanged::Before } else { StockChanged::Reused });
                }
                Stocked::Failed(_, None) | Stocked::Raced => wait(patience, &mut attempts).await?,
            }
        }
    }

    /// How the request of `change` ended, if it was made before.
    async fn stock_change(
        &self,
        reward: &Reward,
        change: &StockChange,
    ) -> Result<Option<StockChanged>, LedgerError> {
        let key = Key::of_stock_change(&reward.spec().id, change, 0);
        let wanted = vec![(self.tables.program.as_str(), vec![key.clone()])];
        let items = self.get_of(wanted, Reading::Newest).await?;
        let Some(item) = items.get(&key) else { return Ok(None) };
        let is_same = item::text(item, CHANGED)? == text_of(change.by);
        Ok(Some(if is_same { StockChanged::Before } else { StockChanged::Reused }))
    }

    /// Notes once that so many serial numbers are wanted, and makes all that are wanted and missing: whoever asks
    /// again after half of them finds the rest made.
    async fn add_serials<P: Patience>(
        &self,
        reward: &Reward,
        change: &StockChange,
        by: u64,
        patience: &mut P,
    ) -> Result<StockChanged, LedgerError> {
        let spec = reward.spec();
        let head = Key::of_serials(&spec.id);
        let update = "SET v = :v ADD t :by, n :none";
        let values = [(":by", by), (":none", 0)];
        let writes =
            [self.put_stock_change(reward, change, 0)?, self.update(&head, update, None, &values)?];
        let changed = self.change_once(&writes, change, patience).await?;
        if changed == StockChanged::Reused {
            return Ok(changed);
        }
        let mut attempts = 0;
        loop {
            let wanted = vec![(self.tables.program.as_str(), vec![head.clone()])];
            let items = self.get_of(wanted, Reading::Newest).await?;
            let Some(item) = items.get(&head) else { return Ok(changed) };
            let made: u64 = item::read_number_of(item, SERIAL)?;
            let wanted: u64 = item::read_number_of(item, WANTED)?;
            let until = wanted.min(made.saturating_add(SERIALS_A_TRANSACTION));
            if until <= made {
                return Ok(changed);
            }
            let mut writes = vec![self.update(
                &head,
                "SET v = :v, n = :until",
                Some("n = :made"),
                &[(":until", until), (":made", made)],
            )?];
            for serial in made.saturating_add(1)..=until {
                writes.push(self.put_piece(reward, &Unique::Serial(serial))?);
            }
            match self.stock_transaction(writes).await? {
                Stocked::Now => attempts = 0,
                Stocked::Failed(..) | Stocked::Raced => wait(patience, &mut attempts).await?,
            }
        }
    }

    /// How many of `codes` are new.
    async fn add_some_codes<P: Patience>(
        &self,
        reward: &Reward,
        codes: &[&VoucherCode],
        author: &Author,
        patience: &mut P,
    ) -> Result<usize, LedgerError> {
        let mut codes = codes.to_vec();
        let mut attempts = 0;
        loop {
            if codes.is_empty() {
                return Ok(0);
            }
            let mut writes = Vec::with_capacity(codes.len().saturating_mul(2));
            // Marks first: what fails says which code is known.
            for code in &codes {
                writes.push(self.put_mark(reward, &Unique::Code((*code).clone()), author)?);
            }
            for code in &codes {
                writes.push(self.put_piece(reward, &Unique::Code((*code).clone()))?);
            }
            match self.stock_transaction(writes).await? {
                Stocked::Now => return Ok(codes.len()),
                Stocked::Failed(known, _) => {
                    let mut index = 0;
                    codes.retain(|_| {
                        let is_new = !known.contains(&index);
                        index += 1;
                        is_new
                    });
                }
                Stocked::Raced => wait(patience, &mut attempts).await?,
            }
        }
    }

    fn put_stock_change(
        &self,
        reward: &Reward,
        change: &StockChange,
        shard: u16,
    ) -> Result<TransactWriteItem, LedgerError> {
        let key = Key::of_stock_change(&reward.spec().id, change, shard);
        let mut item = Item::from(written_by(&change.author));
        item.insert(CHANGED.to_owned(), AttributeValue::S(text_of(change.by)));
        self.put_new(&key, item)
    }

    fn put_mark(
        &self,
        reward: &Reward,
        unique: &Unique,
        author: &Author,
    ) -> Result<TransactWriteItem, LedgerError> {
        let (pieces, id) = place(reward, unique);
        self.put_new(&Key::of_piece_mark(&pieces, &id), written_by(author).into())
    }

    fn put_piece(
        &self,
        reward: &Reward,
        unique: &Unique,
    ) -> Result<TransactWriteItem, LedgerError> {
        let (pieces, id) = place(reward, unique);
        let (name, value) = match unique {
            Unique::Code(code) => (CODE, AttributeValue::S(code.as_str().to_owned())),
            Unique::Serial(serial) => (SERIAL, number(serial)),
        };
        self.put_new(&Key::of_piece(&pieces, &id), Item::from([(name.to_owned(), value)]))
    }

    fn put_new(&self, key: &Key, mut item: Item) -> Result<TransactWriteItem, LedgerError> {
        item.extend(item::version_attribute());
        item.extend(key.attributes());
        let put = Put::builder()
            .table_name(&self.tables.program)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        put_item(put.build())
    }

    /// Takes `by` from what is left, unless less is.
    pub(crate) fn take(&self, key: &Key, by: u64) -> Result<TransactWriteItem, LedgerError> {
        self.update(key, "SET l = l - :by", Some("l >= :by"), &[(":by", by)])
    }

    /// Puts `by` back into what is left.
    pub(crate) fn give(&self, key: &Key, by: u64) -> Result<TransactWriteItem, LedgerError> {
        self.update(key, "SET l = l + :by", Some("attribute_exists(l)"), &[(":by", by)])
    }

    fn update(
        &self,
        key: &Key,
        update: &str,
        condition: Option<&str>,
        values: &[(&str, u64)],
    ) -> Result<TransactWriteItem, LedgerError> {
        let [pk, sk] = key.attributes();
        let mut values: HashMap<String, AttributeValue> =
            values.iter().map(|(name, it)| ((*name).to_owned(), number(it))).collect();
        // The store refuses values that nothing names.
        if update.contains(":v ") || update.contains(":v,") {
            values.extend(item::version_attribute().into_values().map(|it| (":v".to_owned(), it)));
        }
        let update = Update::builder()
            .table_name(&self.tables.program)
            .key(pk.0, pk.1)
            .key(sk.0, sk.1)
            .update_expression(update)
            .set_condition_expression(condition.map(ToOwned::to_owned))
            .set_expression_attribute_values(Some(values));
        Ok(TransactWriteItem::builder().update(update.build().map_err(corrupt)?).build())
    }

    async fn stock_transaction(
        &self,
        writes: Vec<TransactWriteItem>,
    ) -> Result<Stocked, LedgerError> {
        let result = self
            .client
            .transact_write_items()
            .set_transact_items(Some(writes))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await;
        let Err(error) = result else { return Ok(Stocked::Now) };
        if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
            error.as_service_error()
        {
            let reasons = cancelled.cancellation_reasons();
            raced_or_failed(reasons)?;
            let is_failed = |it: &CancellationReason| code(it) == "ConditionalCheckFailed";
            let indexes = reasons.iter().enumerate().filter(|(_, it)| is_failed(it));
            let indexes: Vec<usize> = indexes.map(|(index, _)| index).collect();
            if indexes.is_empty() {
                return Ok(Stocked::Raced);
            }
            let first = reasons.first().filter(|it| is_failed(it)).and_then(|it| it.item());
            let before = first.and_then(|it| it.get(CHANGED)?.as_s().ok()).cloned();
            return Ok(Stocked::Failed(indexes, before));
        }
        Err(failed(TRANSACT_WRITE_ITEMS, error))
    }

    /// What is left in some parts of a stock, in the order of these.
    async fn left_in(
        &self,
        id: &RewardId,
        shards: impl Iterator<Item = u16>,
        reading: Reading,
    ) -> Result<Vec<(u16, u64)>, LedgerError> {
        let shards: Vec<u16> = shards.collect();
        if shards.is_empty() {
            return Ok(Vec::new());
        }
        let keys = shards.iter().map(|it| Key::of_claim(&ClaimKey::stock(id, *it))).collect();
        let items = self.get_of(vec![(self.tables.program.as_str(), keys)], reading).await?;
        shards.into_iter().map(|it| Ok((it, left(&items, id, it)?))).collect()
    }

    /// What `redemption` finds of `reward`, given the `items` of its stock if they were read with it.
    pub(crate) async fn offer(
        &self,
        reward: Reward,
        redemption: &RedemptionId,
        items: Option<&HashMap<Key, Item>>,
        reading: Reading,
    ) -> Result<Offer, LedgerError> {
        let (id, stock) = (&reward.spec().id, reward.spec().stock);
        let mut found = Vec::new();
        if stock != Stock::Unlimited && reward.spec().kind.is_of_pieces() {
            found.extend(self.find_piece(&reward, redemption, reading).await?);
        } else if stock != Stock::Unlimited {
            let most = if reading == Reading::Newest { usize::MAX } else { 1 };
            let shards: Vec<u16> = reward.shards_for(redemption).take(most).collect();
            self.remember_shards(id, stock.shards());
            let lefts = match items {
                Some(items) => {
                    shards.into_iter().map(|it| Ok((it, left(items, id, it)?))).collect()
                }
                None => self.left_in(id, shards.into_iter(), reading).await,
            };
            found.extend(lefts?.into_iter().map(|(shard, left)| Found::Left { shard, left }));
        }
        Ok(Offer { reward, found })
    }

    /// The keys of the parts of a stock to be read with the reward, where it is known how many there are.
    pub(crate) fn shards_to_read(
        &self,
        id: &RewardId,
        redemption: &RedemptionId,
        reading: Reading,
    ) -> Vec<Key> {
        let Some(shards) = self.known_shards(id) else { return Vec::new() };
        let first = PieceId::to_look_from(redemption).shard(shards);
        let all = (first..shards).chain(0..first);
        let most = if reading == Reading::Newest { usize::MAX } else { 1 };
        all.take(most).map(|it| Key::of_claim(&ClaimKey::stock(id, it))).collect()
    }

    /// A piece that nobody has: in the first part for `redemption`, and if it is to be sure, in all of them.
    async fn find_piece(
        &self,
        reward: &Reward,
        redemption: &RedemptionId,
        reading: Reading,
    ) -> Result<Option<Found>, LedgerError> {
        let from = PieceId::to_look_from(redemption);
        for (index, shard) in reward.shards_for(redemption).enumerate() {
            let pieces = Key::of_pieces(&ClaimKey::pieces(&reward.spec().id, shard));
            let unique = if index == 0 {
                let after = Key::of_piece(&ClaimKey::pieces(&reward.spec().id, shard), &from);
                match self.pieces(&after, 1, reading).await?.pop() {
                    Some(unique) => Some(unique),
                    None => self.pieces(&pieces, 1, reading).await?.pop(),
                }
            } else if reading == Reading::Newest {
                let mut some = self.pieces(&pieces, PIECES_READ, reading).await?;
                let count = u16::try_from(some.len()).unwrap_or(u16::MAX);
                let chosen = usize::from(from.shard(count));
                (chosen < some.len()).then(|| some.swap_remove(chosen))
            } else {
                None
            };
            if let Some(unique) = unique {
                return Ok(Some(Found::Piece { shard, unique }));
            }
        }
        Ok(None)
    }

    /// Some pieces from a key on.
    async fn pieces(
        &self,
        from: &Key,
        limit: i32,
        reading: Reading,
    ) -> Result<Vec<Unique>, LedgerError> {
        let output = self
            .client
            .query()
            .table_name(&self.tables.program)
            .consistent_read(reading == Reading::Newest)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :end")
            .expression_attribute_values(":pk", AttributeValue::S(from.pk.clone()))
            .expression_attribute_values(":from", AttributeValue::S(from.sk.clone()))
            .expression_attribute_values(":end", AttributeValue::S(PIECES_END.to_owned()))
            .limit(limit)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(|error| failed(QUERY, error))?;
        output.items().iter().map(unique).collect()
    }

    async fn count_pieces(&self, id: &RewardId, shard: u16) -> Result<u64, LedgerError> {
        let from = Key::of_pieces(&ClaimKey::pieces(id, shard));
        let (mut count, mut start) = (0_u64, None);
        loop {
            let output = self
                .client
                .query()
                .table_name(&self.tables.program)
                .consistent_read(true)
                .select(Select::Count)
                .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :end")
                .expression_attribute_values(":pk", AttributeValue::S(from.pk.clone()))
                .expression_attribute_values(":from", AttributeValue::S(from.sk.clone()))
                .expression_attribute_values(":end", AttributeValue::S(PIECES_END.to_owned()))
                .set_exclusive_start_key(start)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(|error| failed(QUERY, error))?;
            count = count.saturating_add(u64::try_from(output.count).unwrap_or(0));
            match output.last_evaluated_key.filter(|it| !it.is_empty()) {
                Some(key) => start = Some(key),
                None => return Ok(count),
            }
        }
    }
}

/// Waits after a lost race.
async fn wait<P: Patience>(patience: &mut P, attempts: &mut u32) -> Result<(), LedgerError> {
    *attempts = attempts.saturating_add(1);
    if patience.wait(*attempts).await {
        return Ok(());
    }
    Err(LedgerError::Contended { attempts: *attempts })
}

/// The attributes of who made something, and when.
fn written_by(author: &Author) -> [(String, AttributeValue); 2] {
    [
        (BY.to_owned(), AttributeValue::S(author.by.as_str().to_owned())),
        (SINCE.to_owned(), number(author.at.as_millisecond())),
    ]
}

/// Where a piece is.
fn place(reward: &Reward, unique: &Unique) -> (ClaimKey, PieceId) {
    let (spec, id) = (reward.spec(), PieceId::of(unique));
    (ClaimKey::pieces(&spec.id, id.shard(spec.stock.shards())), id)
}

/// What a change of stock is noted as.
fn text_of(by: StockStep) -> String {
    match by {
        StockStep::Add(by) => format!("+{by}"),
        StockStep::Remove(by) => format!("-{by}"),
    }
}

fn left(items: &HashMap<Key, Item>, id: &RewardId, shard: u16) -> Result<u64, LedgerError> {
    let item = items.get(&Key::of_claim(&ClaimKey::stock(id, shard)));
    item.map_or(Ok(0), |it| item::read_number_of(it, LEFT))
}

/// The reward in `item`.
pub(crate) fn reward(item: &Item) -> Result<Reward, LedgerError> {
    item::check_shape(item)?;
    let spec: RewardSpec = serde_json::from_str(item::text(item, BODY)?).map_err(corrupt)?;
    spec.try_into().map_err(corrupt)
}

/// The version of a reward in `item`.
fn reward_version(item: &Item) -> Result<RewardVersion, LedgerError> {
    let by = item::text(item, BY)?.try_into().map_err(corrupt)?;
    Ok(RewardVersion { reward: reward(item)?, author: Author { by, at: instant(item, SINCE)? } })
}

/// The piece in `item`.
fn unique(item: &Item) -> Result<Unique, LedgerError> {
    item::check_shape(item)?;
    if let Some(code) = item.get(CODE).and_then(|it| it.as_s().ok()) {
        return Ok(Unique::Code(code.as_str().try_into().map_err(corrupt)?));
    }
    if item.contains_key(SERIAL) {
        return Ok(Unique::Serial(item::read_number_of(item, SERIAL)?));
    }
    Err(corrupt(NoPiece))
}
