//! The catalogue: [`Catalogue`], the port of rewards and their stock, and [`change_reward`], which staff ask for.
//!
//! What members take of it goes through [`execute`](crate::execute), with their points in one transaction.

use std::future::Future;

use jiff::Timestamp;
use loyalty_domain::{
    id::{ClientId, RequestKey, RewardId},
    points::OutOfRange,
    reward::{InvalidChange, Reward, VoucherCode},
};

use crate::{LedgerError, Patience, Reading};

/// How many rewards a page has at most.
pub const REWARDS_MAX: u16 = 100;
/// How many versions of a reward are read at most.
pub const VERSIONS_MAX: u16 = 100;
/// How many codes are uploaded in one call.
pub const CODES_MAX: usize = 1_000;
/// By how much stock is changed in one call.
pub const STOCK_CHANGE_MAX: u64 = 1_000_000;
/// How many serial numbers are made in one call: each is an item of its own.
pub const SERIALS_MAX: u64 = 10_000;

/// Where rewards are kept, and what is left of them.
///
/// Every implementation passes the contract suite in `tests/ledger`.
pub trait Catalogue: Sync {
    /// Reads a reward.
    fn find_reward(
        &self,
        id: &RewardId,
        reading: Reading,
    ) -> impl Future<Output = Result<Option<Reward>, LedgerError>> + Send;

    /// Some rewards, by id, of those after `after`; at most `limit`.
    fn rewards(
        &self,
        after: Option<&RewardId>,
        limit: u16,
    ) -> impl Future<Output = Result<FoundRewards, LedgerError>> + Send;

    /// Keeps `reward`, if the one before it is the one that is kept; the first, if there is none.
    ///
    /// Each version stays in the reward's history, with who made it.
    fn save_reward(
        &self,
        reward: &Reward,
        author: &Author,
    ) -> impl Future<Output = Result<RewardSaved, LedgerError>> + Send;

    /// The newest versions of a reward, the newest first; at most `limit`.
    fn reward_versions(
        &self,
        id: &RewardId,
        limit: u16,
    ) -> impl Future<Output = Result<Vec<RewardVersion>, LedgerError>> + Send;

    /// Changes what is left of `reward`, once for each author and key of `change`, however often it is asked.
    ///
    /// Of a collectible, it makes the next serial numbers.
    fn change_stock<P: Patience>(
        &self,
        reward: &Reward,
        change: &StockChange,
        patience: &mut P,
    ) -> impl Future<Output = Result<StockChanged, LedgerError>> + Send;

    /// Adds `codes` to a coupon whose codes are uploaded. A code that it has or ever had is not added again.
    fn add_codes<P: Patience>(
        &self,
        reward: &Reward,
        codes: &[VoucherCode],
        author: &Author,
        patience: &mut P,
    ) -> impl Future<Output = Result<CodesAdded, LedgerError>> + Send;

    /// How many are left of `reward` in all; `None`: as many as are wanted.
    fn remaining(
        &self,
        reward: &Reward,
    ) -> impl Future<Output = Result<Option<u64>, LedgerError>> + Send;
}

/// A part of the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundRewards {
    /// Rewards, by id.
    pub rewards: Vec<Reward>,
    /// After which the next part begins; `None`: this was the last one.
    pub next: Option<RewardId>,
}

/// How [`Catalogue::save_reward`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RewardSaved {
    /// It is kept.
    Now,
    /// Another version is kept than the one before it.
    Raced,
}

/// Who of staff makes something of the catalogue, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// Who.
    pub by: ClientId,
    /// When.
    pub at: Timestamp,
}

/// What a reward was, from when on, and who made it so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RewardVersion {
    /// What it was.
    pub reward: Reward,
    /// Who made it so, and when.
    pub author: Author,
}

/// What staff do to a stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockChange {
    /// Who does it. Their keys are their own.
    pub author: Author,
    /// Under which they repeat it.
    pub key: RequestKey,
    /// How many are added.
    pub by: StockStep,
}

/// How a stock changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StockStep {
    /// So many more.
    Add(u64),
    /// So many fewer.
    Remove(u64),
}

/// How [`Catalogue::change_stock`] ended. Variants are in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StockChanged {
    /// It is changed.
    Now,
    /// It was changed before, by the same request.
    Before,
    /// The key was used before for another change, which stands.
    Reused,
    /// The reward has no stock that could be changed like this: it is unlimited, its codes are uploaded, or
    /// serial numbers would have to go.
    NotCounted,
    /// More is to be added at once than may be.
    TooMany {
        /// How much may be.
        most: u64,
    },
    /// Fewer are left than are to go; nothing is changed.
    Less {
        /// What is left.
        left: u64,
    },
}

/// How [`Catalogue::add_codes`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodesAdded {
    /// They are there.
    Now {
        /// How many are new.
        added: u64,
        /// How many were there before, or twice in the call.
        known: u64,
    },
    /// The reward takes no codes.
    NoCodes,
    /// More are to be added at once than [`CODES_MAX`].
    TooMany,
}

/// How [`change_reward`] ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RewardChanged {
    /// The reward is kept as asked.
    Now,
    /// It was kept just so before.
    Before,
    /// It may not become that.
    Invalid(InvalidChange),
}

/// Makes of a reward what staff ask, if they may.
///
/// # Errors
///
/// A [`LedgerError`]; asking again is safe.
pub async fn change_reward<C: Catalogue>(
    catalogue: &C,
    reward: &Reward,
    author: &Author,
) -> Result<RewardChanged, LedgerError> {
    let before = catalogue.find_reward(&reward.spec().id, Reading::Newest).await?;
    if before.as_ref() == Some(reward) {
        return Ok(RewardChanged::Before);
    }
    if let Err(invalid) = reward.check_follows(before.as_ref()) {
        return Ok(RewardChanged::Invalid(invalid));
    }
    match catalogue.save_reward(reward, author).await? {
        RewardSaved::Now => Ok(RewardChanged::Now),
        RewardSaved::Raced => {
            let now = catalogue.find_reward(&reward.spec().id, Reading::Newest).await?;
            // A reply that was lost is repeated by the SDK itself.
            if now.as_ref() == Some(reward) {
                return Ok(RewardChanged::Now);
            }
            let version = now.map_or(0, |it| it.spec().version);
            let expected = version.checked_add(1).ok_or(OutOfRange)?;
            Ok(RewardChanged::Invalid(InvalidChange::Version { expected }))
        }
    }
}

/// The part of `by` that each of `shards` parts gets, the first ones one more where it does not come out even.
pub fn shares(by: u64, shards: u16) -> impl Iterator<Item = (u16, u64)> {
    let count = u64::from(shards.max(1));
    let (each, more) = (by.checked_div(count).unwrap_or(0), by.checked_rem(count).unwrap_or(0));
    (0..shards).map(move |shard| (shard, each.saturating_add(u64::from(u64::from(shard) < more))))
}
