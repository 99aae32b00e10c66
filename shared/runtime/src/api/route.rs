//! A row of a function's table of routes.

/// One method of one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route<O> {
    /// How it is asked.
    pub method: Method,
    /// The path, as API Gateway's route and as axum's.
    pub path: &'static str,
    /// What comes with a request. A body that no row expects is never read.
    pub body: BodyKind,
    /// What it answers.
    pub operation: O,
    /// Who may ask.
    pub callers: &'static [Who],
}

/// A method of a path.
///
/// There is deliberately no DELETE: nothing of a member goes away by one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Does something.
    Post,
    /// Says how something is to be.
    Put,
    /// Changes a part of something.
    Patch,
}

impl Method {
    /// The method's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
        }
    }
}

/// What comes with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// Nothing that is read.
    None,
    /// JSON.
    Json,
    /// JSON of what is done once for each `idempotency-key`, which has to come with it.
    KeyedJson,
    /// A merge patch of RFC 7396, which may call itself JSON, too.
    MergePatch,
}

/// A kind of caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Any member; where a path names one, only that one.
    Member,
    /// A service with the scope that reads members.
    Service,
    /// A service with the scope that writes members.
    Writer,
    /// Staff.
    Staff,
    /// Whoever may add points or take them off, or decide that somebody else may.
    Adjuster,
    /// Whoever may make one member of two.
    Merger,
    /// Whoever may change the catalogue of rewards.
    Editor,
}

impl<O> Route<O> {
    /// The name by which API Gateway knows the route.
    pub fn key(&self) -> String {
        format!("{} {}", self.method.as_str(), self.path)
    }

    /// Whether the path names a member.
    pub fn names_member(&self) -> bool {
        self.path.contains("{id}")
    }

    /// Whether there is a scope of its own that opens it.
    pub fn needs_power(&self) -> bool {
        [Who::Adjuster, Who::Merger, Who::Editor].iter().any(|it| self.is_for(*it))
    }

    /// Whether callers of this kind may ask.
    pub fn is_for(&self, who: Who) -> bool {
        self.callers.contains(&who)
    }
}
