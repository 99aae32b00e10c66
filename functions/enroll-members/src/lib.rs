//! Members over HTTP: enrollment, activation, profiles, identities, codes, and orders of guests.
//!
//! All personal data of the system is read and written here, and by no other function: `member-api` has no
//! right on the table of members.
//!
//! Read in this order:
//!
//! 1. [`route`]: every path with its method, and who may ask; the router, the document and the tests are made
//!    from it;
//! 2. [`handler`]: what the function works with, and which of the following answers what;
//! 3. `enroll`, `activate`, `profile`, `referral` and `guest`: the answers;
//! 4. `hash`: what of a person is kept to be found by, and [`outbox`]: where codes leave;
//! 5. `openapi`, behind the feature of that name: all of it as an `OpenAPI` document.
//!
//! Who asks, and what is refused unread, is in `loyalty_runtime::api`.

mod activate;
mod enroll;
mod guest;
pub mod handler;
mod hash;
#[cfg(feature = "openapi")]
pub mod openapi;
pub mod outbox;
mod profile;
mod referral;
pub mod route;
