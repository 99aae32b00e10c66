//! Rewards of referrals: what messages do, and what becomes of both sides wherever the function is killed.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic"
)]

mod common;
mod handler;
mod killed;
