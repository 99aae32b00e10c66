//! What members, services and staff may read over HTTP: accounts, entries, the program.
//!
//! Read in this order:
//!
//! 1. [`route`]: every path, with who may ask; the router, the document and the tests are made from it;
//! 2. [`caller`]: who asks, by the claims of a token that API Gateway has checked;
//! 3. [`gateway`]: from an event of API Gateway to a request, and which paths are refused unread;
//! 4. [`handler`]: what is answered;
//! 5. `openapi`, behind the feature of that name: the same as an `OpenAPI` document.
//!
//! Nothing here writes: it knows the ports that read, and its role can do no more.

pub mod caller;
mod cursor;
pub mod gateway;
pub mod handler;
#[cfg(feature = "openapi")]
pub mod openapi;
mod query;
pub mod route;
