//! Holdings: what spending leaves in an account beside its lots.

use serde::{Deserialize, Serialize};

use crate::{
    account::{Adjusted, CapUse},
    adjustment::Proposal,
    checkout::Hold,
    merge::Alias,
    redemption::RedeemedCount,
};

/// What an account has once its owner spends: what is held, what was redeemed, what came and went.
///
/// Fields are added at the end, with a default: it is stored as an array of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holdings {
    /// Whose account it is a name for, once its owner and another member became one.
    #[serde(default)]
    pub alias: Option<Box<Alias>>,
    /// What came and went as members became one or two: points that came and debts that went, and the other
    /// way round.
    #[serde(default)]
    pub merged: Adjusted,
    /// How many of which rewards were taken, in periods that are not over.
    #[serde(default)]
    pub redeemed: Vec<RedeemedCount>,
    /// What came from other members as a gift, and what went to them.
    #[serde(default)]
    pub transferred: Adjusted,
    /// How many points were given away, of each length of period in the newest one.
    #[serde(default)]
    pub sent: Vec<CapUse>,
    /// Adjustments that wait for a second person, the oldest first.
    #[serde(default)]
    pub proposals: Vec<Proposal>,
    /// Points that are held for checkouts, in the order of their entries.
    #[serde(default)]
    pub holds: Vec<Hold>,
    /// What was used of holds by call and waits for the order that it paid, at most as many as
    /// [`CAPTURED_MAX`](crate::checkout::CAPTURED_MAX), the oldest first.
    #[serde(default)]
    pub captured: Vec<Hold>,
}
