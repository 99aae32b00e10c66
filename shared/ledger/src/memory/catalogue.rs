//! Rewards and their stock in memory.

use std::ops::Bound;

use loyalty_domain::{
    id::{RedemptionId, RewardId},
    redemption::{Found, Offer},
    reward::{CodeSource, PieceId, Reward, RewardKind, Stock, Unique, VoucherCode},
};

use super::{Kept, MemoryLedger};
use crate::{
    ClaimKey, LedgerError, Patience, Reading,
    catalogue::{
        Author, CODES_MAX, Catalogue, CodesAdded, FoundRewards, RewardSaved, RewardVersion,
        SERIALS_MAX, STOCK_CHANGE_MAX, StockChange, StockChanged, StockStep, shares,
    },
};

/// Among how many pieces of another part than the first one is chosen.
const PIECES_READ: u16 = 32;

impl Catalogue for MemoryLedger {
    async fn find_reward(&self, id: &RewardId, _: Reading) -> Result<Option<Reward>, LedgerError> {
        Ok(self.kept().rewards.get(id).cloned())
    }

    async fn rewards(
        &self,
        after: Option<&RewardId>,
        limit: u16,
    ) -> Result<FoundRewards, LedgerError> {
        let kept = self.kept();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut found = kept.rewards.range((from, Bound::Unbounded));
        let rewards: Vec<Reward> =
            found.by_ref().take(limit.into()).map(|(_, it)| it.clone()).collect();
        let is_last = found.next().is_none();
        let next = rewards.last().filter(|_| !is_last).map(|it| it.spec().id.clone());
        Ok(FoundRewards { rewards, next })
    }

    async fn save_reward(
        &self,
        reward: &Reward,
        author: &Author,
    ) -> Result<RewardSaved, LedgerError> {
        let mut kept = self.kept();
        let id = &reward.spec().id;
        let before = kept.rewards.get(id).map_or(0, |it| it.spec().version);
        if before.checked_add(1) != Some(reward.spec().version) {
            return Ok(RewardSaved::Raced);
        }
        kept.rewards.insert(id.clone(), reward.clone());
        let version = RewardVersion { reward: reward.clone(), author: author.clone() };
        kept.reward_versions.entry(id.clone()).or_default().push(version);
        Ok(RewardSaved::Now)
    }

    async fn reward_versions(
        &self,
        id: &RewardId,
        limit: u16,
    ) -> Result<Vec<RewardVersion>, LedgerError> {
        let kept = self.kept();
        let versions = kept.reward_versions.get(id).into_iter().flatten().rev();
        Ok(versions.take(limit.into()).cloned().collect())
    }

    async fn change_stock<P: Patience>(
        &self,
        reward: &Reward,
        change: &StockChange,
        _: &mut P,
    ) -> Result<StockChanged, LedgerError> {
        let mut kept = self.kept();
        let spec = reward.spec();
        let shards = spec.stock.shards();
        let is_numbered = spec.kind == RewardKind::Collectible;
        let (most, can) = match change.by {
            StockStep::Add(_) if is_numbered => (SERIALS_MAX, true),
            StockStep::Remove(_) if is_numbered => (SERIALS_MAX, false),
            StockStep::Add(_) | StockStep::Remove(_) => {
                (STOCK_CHANGE_MAX, !spec.kind.is_of_pieces())
            }
        };
        let name = (spec.id.clone(), change.author.by.clone(), change.key.clone());
        if let Some(before) = kept.stock_changes.get(&name) {
            let is_same = *before == change.by;
            return Ok(if is_same { StockChanged::Before } else { StockChanged::Reused });
        }
        if !can || spec.stock == Stock::Unlimited {
            return Ok(StockChanged::NotCounted);
        }
        let (StockStep::Add(by) | StockStep::Remove(by)) = change.by;
        if by > most {
            return Ok(StockChanged::TooMany { most });
        }
        match change.by {
            StockStep::Add(by) if is_numbered => kept.number(reward, by),
            StockStep::Add(by) => {
                for (shard, share) in shares(by, shards) {
                    let left = kept.counters.entry(ClaimKey::stock(&spec.id, shard)).or_default();
                    *left = left.saturating_add(share);
                }
            }
            StockStep::Remove(by) => {
                let left = kept.left(reward);
                if left < by {
                    return Ok(StockChanged::Less { left });
                }
                let mut missing = by;
                for shard in 0..shards {
                    let left = kept.counters.entry(ClaimKey::stock(&spec.id, shard)).or_default();
                    let share = missing.min(*left);
                    *left = left.saturating_sub(share);
                    missing = missing.saturating_sub(share);
                }
            }
        }
        kept.stock_changes.insert(name, change.by);
        Ok(StockChanged::Now)
    }

    async fn add_codes<P: Patience>(
        &self,
        reward: &Reward,
        codes: &[VoucherCode],
        _: &Author,
        _: &mut P,
    ) -> Result<CodesAdded, LedgerError> {
        let spec = reward.spec();
        if spec.kind != (RewardKind::Coupon { codes: CodeSource::Uploaded }) {
            return Ok(CodesAdded::NoCodes);
        }
        if codes.len() > CODES_MAX {
            return Ok(CodesAdded::TooMany);
        }
        let mut kept = self.kept();
        let (mut added, mut known) = (0_u64, 0_u64);
        for code in codes {
            let is_new = kept.add_piece(reward, Unique::Code(code.clone()));
            let count = if is_new { &mut added } else { &mut known };
            *count = count.saturating_add(1);
        }
        Ok(CodesAdded::Now { added, known })
    }

    async fn remaining(&self, reward: &Reward) -> Result<Option<u64>, LedgerError> {
        let is_limited = reward.spec().stock != Stock::Unlimited;
        Ok(is_limited.then(|| self.kept().left(reward)))
    }
}

impl Kept {
    /// Makes the next `count` serial numbers.
    fn number(&mut self, reward: &Reward, count: u64) {
        for _ in 0..count {
            let last = self.serials.entry(reward.spec().id.clone()).or_default();
            *last = last.saturating_add(1);
            let serial = Unique::Serial(*last);
            self.add_piece(reward, serial);
        }
    }

    /// Whether a piece is new.
    fn add_piece(&mut self, reward: &Reward, unique: Unique) -> bool {
        let (id, spec) = (PieceId::of(&unique), reward.spec());
        let key = ClaimKey::pieces(&spec.id, id.shard(spec.stock.shards()));
        let is_new = self.known_pieces.insert((key.clone(), id));
        if is_new {
            self.pieces.entry(key).or_default().insert(id, unique);
        }
        is_new
    }

    fn left(&self, reward: &Reward) -> u64 {
        let spec = reward.spec();
        let left = (0..spec.stock.shards()).map(|shard| {
            if spec.kind.is_of_pieces() {
                let pieces = self.pieces.get(&ClaimKey::pieces(&spec.id, shard));
                pieces.map_or(0, |it| u64::try_from(it.len()).unwrap_or(u64::MAX))
            } else {
                self.counters.get(&ClaimKey::stock(&spec.id, shard)).copied().unwrap_or(0)
            }
        });
        left.fold(0, u64::saturating_add)
    }

    /// The reward called `id` as `redemption` finds it.
    pub(super) fn offer(&self, id: &RewardId, redemption: &RedemptionId) -> Option<Offer> {
        let reward = self.rewards.get(id)?.clone();
        let from = PieceId::to_look_from(redemption);
        let found = reward.shards_for(redemption).enumerate().filter_map(|(index, shard)| {
            if !reward.spec().kind.is_of_pieces() {
                let left = self.counters.get(&ClaimKey::stock(id, shard)).copied().unwrap_or(0);
                return Some(Found::Left { shard, left });
            }
            let pieces = self.pieces.get(&ClaimKey::pieces(id, shard))?;
            // In the first part, the next one; in the others one of some, so that not all want the same.
            let (_, unique) = if index == 0 {
                pieces.range(from..).chain(pieces).next()?
            } else {
                let count = u16::try_from(pieces.len()).unwrap_or(u16::MAX).min(PIECES_READ);
                pieces.iter().nth(from.shard(count).into())?
            };
            Some(Found::Piece { shard, unique: unique.clone() })
        });
        let found = found.collect();
        Some(Offer { reward, found })
    }
}
