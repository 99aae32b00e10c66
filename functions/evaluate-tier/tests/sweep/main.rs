//! Reviews of levels: what they do, and what becomes of a sweep wherever it is killed.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a test may panic"
)]

mod act;
mod common;
mod handler;
mod killed;

use std::collections::BTreeMap;

use common::Shop;
use loyalty_domain::{
    account::Account,
    id::{CommandId, MemberId},
};
use loyalty_ledger::Entry;

impl Shop {
    fn counted(&self, name: &str) -> u64 {
        self.metrics.lock().unwrap().counted(name)
    }

    /// How many were raised, lowered, left alone, and asked for again.
    fn measured(&self) -> [u64; 4] {
        ["Raised", "Lowered", "Idle", "Repeated"].map(|it| self.counted(it))
    }

    /// Every account, and every entry of a sweep by its id.
    fn outcome(&self) -> (Vec<(MemberId, Account)>, BTreeMap<CommandId, Entry>) {
        let entries = self.store.memory.entries();
        let is_of_sweep =
            |it: &CommandId| matches!(it, CommandId::Measured(..) | CommandId::Version(_));
        let of_sweep = entries.iter().filter(|it| is_of_sweep(&it.id));
        let of_sweep: Vec<_> = of_sweep.map(|it| (it.id.clone(), (**it).clone())).collect();
        let number = of_sweep.len();
        let by_id: BTreeMap<CommandId, Entry> = of_sweep.into_iter().collect();
        assert_eq!(by_id.len(), number, "an id has two entries");
        (self.store.memory.accounts(), by_id)
    }

    /// The level of a member.
    fn level(&self, member_id: &MemberId) -> String {
        let account = self.store.memory.account(member_id).unwrap();
        account.tier.level.map_or_else(|| "bronze".to_owned(), |it| it.as_str().to_owned())
    }
}
