//! Rewards referrals: all but what wires it.
//!
//! Read in this order: [`handler`], which tells one message from the other and does what it asks for; `outcome`, as
//! what it is counted and logged.

pub mod handler;
mod outcome;
