//! Finding what falls due: [`DueWork`], the port of whoever plans a night.

use std::future::Future;

use jiff::{Timestamp, civil::Date};
use loyalty_domain::{
    command::{Command, Request},
    id::{CommandId, MemberId},
};

use crate::LedgerError;

/// Where accounts are found by the day after which something falls due for them.
///
/// A port of its own, beside [`Ledger`](crate::Ledger): whoever posts one account's due work need not find
/// any. Every implementation passes the contract suite in `tests/ledger`.
pub trait DueWork: Sync {
    /// How many shards the accounts are spread over, so that a night's work is not one partition's.
    fn shards(&self) -> u8;

    /// The members of `shard` for whom something falls due by the first instant of `day`, as far as their
    /// accounts say: those whose [`due_after`](crate::Loaded::due_after) is before it, by that day and then by
    /// id, after the place `after`, and at most `limit` of them.
    ///
    /// It may be some moments old. Whom it misses is found the next time, and who was posted meanwhile is
    /// answered as before.
    fn due_members(
        &self,
        shard: u8,
        day: Date,
        after: Option<&DuePlace>,
        limit: u16,
    ) -> impl Future<Output = Result<DueMembers, LedgerError>> + Send;
}

/// A place in a shard: all that is due sooner lies before it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DuePlace {
    /// The day after which something falls due.
    pub due_after: Date,
    /// For whom.
    pub member_id: MemberId,
}

/// A part of a shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DueMembers {
    /// Members, the one who is due first in front. There may be none although there are more.
    pub members: Vec<MemberId>,
    /// Where the next part begins; `None`: this was the last one.
    pub next: Option<DuePlace>,
}

/// Posts what fell due for a member up to the first instant of `day`, which is `at`.
///
/// Its id is made from the member and the day, so a day is posted once however often it is planned.
pub fn post_due(member_id: MemberId, day: Date, at: Timestamp) -> Request {
    let id = CommandId::Due(member_id.clone(), day);
    Request { id, at, command: Command::PostDue { member_id } }
}
