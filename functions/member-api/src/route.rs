//! Every path of the API, with who may ask.

/// One path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The path, as API Gateway's route and as axum's; it is only read, by `GET`.
    pub path: &'static str,
    /// What it answers.
    pub operation: Operation,
    /// Who may ask.
    pub callers: &'static [Who],
}

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

/// A kind of caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Any member; where a path names one, only that one.
    Member,
    /// A service with the scope that reads members.
    Service,
    /// Staff.
    Staff,
}

/// The method of every route.
pub const METHOD: &str = "GET";

/// The name by which API Gateway knows what no route takes. It comes here too, so that whoever asks is told
/// what would be right.
pub const OTHERWISE: &str = "$default";

/// Every route there is.
///
/// A member whose id is `me` can be asked for by nobody else, since the first routes come first.
pub const ROUTES: [Route; 8] = [
    Route { path: "/v1/members/me", operation: Operation::OwnMember, callers: &[Who::Member] },
    Route {
        path: "/v1/members/me/entries",
        operation: Operation::OwnEntries,
        callers: &[Who::Member],
    },
    Route {
        path: "/v1/members/me/timeline",
        operation: Operation::OwnTimeline,
        callers: &[Who::Member],
    },
    Route {
        path: "/v1/members/{id}",
        operation: Operation::Member,
        callers: &[Who::Member, Who::Service, Who::Staff],
    },
    Route {
        path: "/v1/members/{id}/entries",
        operation: Operation::Entries,
        callers: &[Who::Member, Who::Service, Who::Staff],
    },
    Route {
        path: "/v1/members/{id}/timeline",
        operation: Operation::Timeline,
        callers: &[Who::Member, Who::Service, Who::Staff],
    },
    Route {
        path: "/v1/program",
        operation: Operation::Program,
        callers: &[Who::Member, Who::Service, Who::Staff],
    },
    Route {
        path: "/v1/status",
        operation: Operation::Status,
        callers: &[Who::Service, Who::Staff],
    },
];

impl Route {
    /// The name by which API Gateway knows the route.
    pub fn key(&self) -> String {
        format!("{METHOD} {}", self.path)
    }

    /// Whether the path names a member.
    pub const fn names_member(&self) -> bool {
        matches!(self.operation, Operation::Member | Operation::Entries | Operation::Timeline)
    }

    /// Whether it is answered a page at a time.
    pub const fn has_pages(&self) -> bool {
        matches!(self.operation, Operation::OwnEntries | Operation::Entries)
    }
}
