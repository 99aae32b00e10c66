//! JSON that crosses a border: events of orders and balances in, events of points, levels and referrals out,
//! with their schemas, and what the API is asked and answers.
//!
//! Read in this order:
//!
//! 1. [`order`] and [`balance`]: the shapes of events, and what each asks of the domain;
//! 2. [`mod@event`]: from the bytes of a message to an event;
//! 3. [`error`]: why a message is no event;
//! 4. [`api`]: what the API answers, and [`problem`]: why it does not;
//! 5. [`body`]: how the body of a request is read, and [`member`]: what members are asked for and shown;
//!    [`spending`], where points are used, and [`staff`], by whom much else is done;
//! 6. [`announcement`]: what the shop is told;
//! 7. [`checkout`]: all of this, of points that pay for orders;
//! 8. [`work`]: what we ask ourselves to do about what falls due;
//! 9. [`review`]: what we ask ourselves to do about levels;
//! 10. [`referral`]: what we ask ourselves to do about referrals;
//! 11. `schema`, behind the feature `schemas`: the same shapes as JSON Schemas.
//!
//! There is deliberately no clock and no I/O: whoever received a message says when.
#![warn(clippy::arithmetic_side_effects)]

pub mod announcement;
pub mod api;
pub mod balance;
pub mod body;
pub mod catalogue;
pub mod checkout;
pub mod error;
pub mod event;
mod json;
pub mod member;
pub mod order;
mod place;
pub mod problem;
pub mod referral;
pub mod refund;
pub mod review;
pub mod reward;
#[cfg(feature = "schemas")]
pub mod schema;
pub mod spending;
pub mod staff;
pub mod work;

pub use error::EventError;
pub use event::{BODY_BYTES_MAX, Event, parse};
