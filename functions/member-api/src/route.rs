//! Every path of the API, with who may ask.

use loyalty_runtime::api::route::{BodyKind, Method};
pub use loyalty_runtime::api::route::{Route as AnyRoute, Who};

/// One path.
pub type Route = AnyRoute<Operation>;

/// What a path answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The caller's own account.
    OwnMember,
    /// The caller's own entries.
    OwnEntries,
    /// What will happen to the caller's own account.
    OwnTimeline,
    /// The account named in the path.
    Member,
    /// The entries of the account named in the path.
    Entries,
    /// What will happen to the account named in the path.
    Timeline,
    /// The program in force.
    Program,
    /// Whether all works.
    Status,
}

/// The name by which API Gateway knows what no route takes. It comes here too, so that whoever asks is told
/// what would be right.
pub const OTHERWISE: &str = "$default";

/// Every route there is.
///
/// A member whose id is `me` can be asked for by nobody else, since the first routes come first.
pub const ROUTES: [Route; 8] = [
    Route {
        method: Method::Get,
        path: "/v1/members/me",
        body: BodyKind::None,
        operation: Operation::OwnMember,
        callers: &[Who::Member],
    },
    Route {
        method: Method::Get,
        path: "/v1/members/me/entries",
        body: BodyKind::None,
        operation: Operation::OwnEntries,
        callers: &[Who::Member],
    },
    Route {
        method: Method::Get,
        path: "/v1/members/me/timeline",
        body: BodyKind::None,
        operation: Operation::OwnTimeline,
        callers: &[Who::Member],
    },
    Route {
        method: Method::Get,
        path: "/v1/members/{id}",
        body: BodyKind::None,
        operation: Operation::Member,
        callers: &[Who::Member, Who::Service, Who::Staff],
    },
    Route {
        method: Method::Get,
        path: "/v1/members/{id}/entries",
        body: BodyKind::None,
        operation: Operation::Entries,
        callers: &[Who::Member, Who::Service, Who::Staff],
    },
    Route {
        method: Method::Get,
        path: "/v1/members/{id}/timeline",
        body: BodyKind::None,
        operation: Operation::Timeline,
        callers: &[Who::Member, Who::Service, Who::Staff],
    },
    Route {
        method: Method::Get,
        path: "/v1/program",
        body: BodyKind::None,
        operation: Operation::Program,
        callers: &[Who::Member, Who::Service, Who::Staff],
    },
    Route {
        method: Method::Get,
        path: "/v1/status",
        body: BodyKind::None,
        operation: Operation::Status,
        callers: &[Who::Service, Who::Staff],
    },
];

impl Operation {
    /// Whether it is answered a page at a time.
    pub const fn has_pages(self) -> bool {
        matches!(self, Self::OwnEntries | Self::Entries)
    }
}
