//! Finds who is due when a day is over, and posts what fell due: all but what wires it.
//!
//! Read in this order: [`handler`], which tells one message from the other; `plan`, who is due; `post`,
//! what fell due for them.

pub mod handler;
mod plan;
mod post;
