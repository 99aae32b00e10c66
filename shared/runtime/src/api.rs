//! What functions behind the API share: who asks, which paths are refused unread, and what is answered.
//!
//! Read in this order:
//!
//! 1. [`route`]: a row of a function's table of routes, which makes its router, its document and its tests;
//! 2. [`caller`]: who asks, by the claims of a token that API Gateway has checked;
//! 3. [`gateway`]: from an event of API Gateway to a request, and which paths are refused unread;
//! 4. [`body`] and [`query`]: what came with a request, and [`cursor`]: where a page begins;
//! 5. [`respond`]: an answer, and the problem that stands in its place;
//! 6. [`serve`]: all of it around the function's own answers;
//! 7. [`mod@write`]: how a request is decided once and shown as it is kept, by functions that write;
//! 8. `openapi`, behind the feature of that name: what their documents share.

pub mod body;
pub mod caller;
pub mod cursor;
pub mod gateway;
#[cfg(feature = "openapi")]
pub mod openapi;
pub mod query;
pub mod respond;
pub mod route;
pub mod serve;
pub mod write;

pub use respond::{Answered, Refused};
pub use serve::{Api, Asked, service};
