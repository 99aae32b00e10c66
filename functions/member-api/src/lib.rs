//! What members, services and staff may read over HTTP: accounts, entries, the program.
//!
//! Read in this order:
//!
//! 1. [`route`]: every path, with who may ask; the router, the document and the tests are made from it;
//! 2. [`handler`]: what is answered; who asks and what is refused unread is in `loyalty_runtime::api`;
//! 3. `openapi`, behind the feature of that name: the same as an `OpenAPI` document.
//!
//! Nothing here writes: it knows the ports that read, and its role can do no more.

pub mod handler;
#[cfg(feature = "openapi")]
pub mod openapi;
mod query;
pub mod route;
