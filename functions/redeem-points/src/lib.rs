//! Points over HTTP: whatever uses them, and what it gives.
//!
//! Read in this order:
//!
//! 1. [`route`]: every path with its method, and who may ask; the router, the document and the tests are made
//!    from it;
//! 2. [`handler`]: what the function works with, and which of the following answers what;
//! 3. `transfer`, `reward` and `checkout`: the answers;
//! 4. `openapi`, behind the feature of that name: all of it as an `OpenAPI` document.
//!
//! Who asks, and what is refused unread, is in `loyalty_runtime::api`; how a request is decided once, in its `write`.

mod checkout;
pub mod handler;
#[cfg(feature = "openapi")]
pub mod openapi;
mod reward;
pub mod route;
mod transfer;
