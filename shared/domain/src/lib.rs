//! The rules of a loyalty program, as pure functions: no I/O, no clock, no randomness, no async.
//!
//! Read in this order:
//!
//! 1. [`points`], [`rate`], [`money`], [`calendar`], [`id`]: what numbers, days and names may be; [`contact`] and
//!    [`code`]: what members tell of themselves, and what they give to friends;
//! 2. [`program`] and [`expiry`]: what a shop decides;
//! 3. [`account`] and [`order`]: what is known when a command arrives;
//! 4. [`command`] and [`opening`]: what may be asked;
//! 5. [`earning`], [`tier`] and [`mod@decide`]: what is answered, and [`event`]: what then happened;
//! 6. [`membership`], [`code`] and [`referral`]: who joined, and who brought whom;
//! 7. [`holdings`]: what spending leaves in an account: [`checkout`], [`reward`], [`redemption`], [`transfer`],
//!    [`merge`] and [`adjustment`];
//! 8. [`due`] and [`mod@timeline`]: what happens by itself, and what will; [`reminder`]: what is told before.
#![warn(clippy::arithmetic_side_effects)]

pub mod account;
pub mod adjustment;
pub mod calendar;
pub mod checkout;
pub mod code;
pub mod command;
pub mod contact;
pub mod decide;
pub mod due;
pub mod earning;
pub mod event;
pub mod expiry;
pub mod holdings;
pub mod id;
pub mod membership;
pub mod merge;
pub mod money;
pub mod opening;
pub mod order;
pub mod points;
pub mod program;
pub mod rate;
pub mod redemption;
pub mod referral;
pub mod reminder;
pub mod reward;
mod script;
pub mod tier;
pub mod timeline;
pub mod transfer;
