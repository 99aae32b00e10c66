//! A night: what it does, and what becomes of it wherever it is killed.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;
mod handler;
mod killed;

use std::collections::BTreeMap;

use common::Night;
use jiff::civil::Date;
use loyalty_domain::{
    account::Account,
    id::{CommandId, MemberId},
};
use loyalty_ledger::Entry;

/// The day whose night it is.
const DAY: Date = jiff::civil::date(2027, 2, 6);

impl Night {
    fn counted(&self, name: &str) -> u64 {
        self.metrics.lock().unwrap().counted(name)
    }

    /// Every account, and every entry of due work by its id.
    fn outcome(&self) -> (Vec<(MemberId, Account)>, BTreeMap<CommandId, Entry>) {
        let entries = self.store.memory.entries();
        let due = entries.iter().filter(|it| matches!(it.id, CommandId::Due(..)));
        let due: Vec<_> = due.map(|it| (it.id.clone(), (**it).clone())).collect();
        let number = due.len();
        let by_id: BTreeMap<CommandId, Entry> = due.into_iter().collect();
        assert_eq!(by_id.len(), number, "an id has two entries");
        (self.store.memory.accounts(), by_id)
    }

    /// Who has been posted.
    fn posted(&self) -> Vec<MemberId> {
        self.outcome().1.into_values().filter_map(|it| it.member_id).collect()
    }
}
