//! What every function starts with, and the only crate that reads the clock and the environment.
//!
//! Read in this order:
//!
//! 1. [`settings`]: what a function is told, all of it before the first message;
//! 2. [`clock`] and [`patience`]: what time it is, and how long to try again;
//! 3. [`log`] and [`metric`]: what people and alarms see;
//! 4. `aws`: the clients, with their timeouts and retries;
//! 5. [`program`]: the versions of the program, read once in a while;
//! 6. `batch`: one message after the other, and what becomes of each; `dead_letter`: of the hopeless;
//! 7. `queue`: where messages go that we leave for ourselves; `page`: the members that one of them names;
//! 8. `publish`: what the shop is told of an entry, onto a bus;
//! 9. `api`: what functions behind the API share: who asks, what is refused unread, what is answered;
//! 10. `secret`: hashes with a key, and random numbers, for who keeps personal data.

#[cfg(feature = "api")]
pub mod api;
#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "batch")]
pub mod batch;
pub mod clock;
#[cfg(feature = "batch")]
pub mod dead_letter;
#[cfg(feature = "aws")]
mod http;
pub mod log;
pub mod metric;
#[cfg(feature = "batch")]
pub mod page;
pub mod patience;
pub mod program;
#[cfg(feature = "events")]
pub mod publish;
#[cfg(feature = "batch")]
pub mod queue;
#[cfg(feature = "secret")]
pub mod secret;
pub mod settings;
#[cfg(feature = "aws")]
mod tls;
