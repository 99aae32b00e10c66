//! Finding everybody: [`Members`], the port of whoever measures all members anew.

use std::future::Future;

use loyalty_domain::id::MemberId;

use crate::LedgerError;

/// Where all members are found who have an account.
///
/// A port of its own, beside [`Ledger`](crate::Ledger): a store may have to go over all that it keeps for it.
/// Every implementation passes the contract suite in `tests/ledger`.
pub trait Members: Sync {
    /// Some members, in no order, of those after the place `after`.
    ///
    /// It looks at no more than `limit` of whatever the store keeps, so that a call has an end; there may be
    /// fewer members in it, or none, although there are more. Walked from the first place to the last, everybody
    /// is found once who had an account some moments before the walk began; who has one only since then may be
    /// found or not.
    fn members(
        &self,
        after: Option<&MembersPlace>,
        limit: u16,
    ) -> impl Future<Output = Result<FoundMembers, LedgerError>> + Send;
}

/// A place in a walk over all members, which only the store can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembersPlace(pub String);

/// A part of all members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundMembers {
    /// Members, in no order.
    pub members: Vec<MemberId>,
    /// Where the next part begins; `None`: this was the last one.
    pub next: Option<MembersPlace>,
}
