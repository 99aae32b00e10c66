//! Staff over HTTP: what only they do, each with a scope of its own, and every act in the name of a person.
//!
//! Read in this order:
//!
//! 1. [`route`]: every path with its method, and who may ask; the router, the document and the tests are made
//!    from it;
//! 2. [`handler`]: what the function works with, and which of the following answers what;
//! 3. `adjustment`, `merge`, `note` and `reward`: the answers;
//! 4. `openapi`, behind the feature of that name: all of it as an `OpenAPI` document.
//!
//! Who asks, and what is refused unread, is in `loyalty_runtime::api`; how a request is decided once, in its `write`.
//! Looking a member up, and freezing or closing a membership, is `enroll-members`'s, which has all that is personal.

mod adjustment;
pub mod handler;
mod merge;
mod note;
#[cfg(feature = "openapi")]
pub mod openapi;
mod reward;
pub mod route;
