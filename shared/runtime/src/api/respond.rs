//! An answer, and the problem that stands in its place.

use std::error::Error;

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Response, StatusCode, header},
};
use loyalty_contracts::{
    api::reason,
    body::{BodyError, Mistake},
    problem::{Problem, ProblemKind},
};
use loyalty_domain::{decide::Rejection, points::OutOfRange};
use loyalty_ledger::{LedgerError, statement::StatementError};
use serde::Serialize;

use super::route::Route;
use crate::log::ErrorChain;

/// When to ask again what could not be answered.
const RETRY_AFTER_S: u64 = 2;
/// Accounts and members are private and change at any time.
const NO_STORE: &str = "no-store";

/// An answer.
#[derive(Debug)]
pub struct Answered {
    /// What came of it.
    pub status: StatusCode,
    /// JSON.
    pub body: Vec<u8>,
    /// How long it may be kept.
    pub cache: &'static str,
    /// A header that only this answer has.
    pub header: Option<(HeaderName, HeaderValue)>,
}

impl Answered {
    /// `shown` as JSON, which nobody may keep.
    ///
    /// # Errors
    ///
    /// [`ProblemKind::Internal`] of what is no JSON, which nothing of ours is not.
    pub fn new(shown: &impl Serialize) -> Result<Self, Refused> {
        let body = serde_json::to_vec(shown)?;
        Ok(Self { status: StatusCode::OK, body, cache: NO_STORE, header: None })
    }
}

/// Why there is no answer: what the caller is told, and what only the log is.
#[derive(Debug)]
pub struct Refused {
    /// What the caller is told.
    pub kind: ProblemKind,
    /// The document, where it says more than `kind` does.
    pub document: Option<String>,
    /// When to ask again, where `kind` does not say.
    pub retry_after_s: Option<u64>,
    /// What the log is told.
    pub cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Refused {
    /// `kind`, because of `cause`, which only the log is told.
    pub fn because(kind: ProblemKind, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cause: Some(cause.into()), ..kind.into() }
    }
}

/// What is said where a body says what cannot be done.
pub fn wrong_body(error: BodyError) -> Refused {
    match error {
        BodyError::NotJson { .. } => ProblemKind::BodyNotJson.into(),
        BodyError::Wrong(mistakes) => wrong(ProblemKind::InvalidBody, &mistakes),
    }
}

/// `kind`, with the places that are wrong.
pub fn wrong(kind: ProblemKind, mistakes: &[Mistake]) -> Refused {
    #[derive(Serialize)]
    struct Document<'a> {
        #[serde(flatten)]
        problem: Problem,
        mistakes: &'a [Mistake],
    }

    let document = serde_json::to_string(&Document { problem: kind.document(), mistakes });
    Refused { document: document.ok(), ..kind.into() }
}

/// What is said where the rules say no.
pub fn refusal(rejection: &Rejection) -> Refused {
    #[derive(Serialize)]
    struct Document {
        #[serde(flatten)]
        problem: Problem,
        reason: &'static str,
        explanation: String,
    }

    let document = serde_json::to_string(&Document {
        problem: ProblemKind::Refused.document(),
        reason: reason(rejection),
        explanation: rejection.to_string(),
    });
    Refused { document: document.ok(), ..ProblemKind::Refused.into() }
}

impl From<ProblemKind> for Refused {
    fn from(kind: ProblemKind) -> Self {
        Self { kind, document: None, retry_after_s: None, cause: None }
    }
}

impl From<LedgerError> for Refused {
    fn from(error: LedgerError) -> Self {
        let kind =
            if error.is_transient() { ProblemKind::Unavailable } else { ProblemKind::Internal };
        Self::because(kind, error)
    }
}

impl From<StatementError> for Refused {
    fn from(error: StatementError) -> Self {
        match error {
            StatementError::InvalidCursor => ProblemKind::InvalidCursor.into(),
            StatementError::Ledger(error) => error.into(),
        }
    }
}

impl From<OutOfRange> for Refused {
    fn from(error: OutOfRange) -> Self {
        Self::because(ProblemKind::Internal, error)
    }
}

impl From<serde_json::Error> for Refused {
    fn from(error: serde_json::Error) -> Self {
        Self::because(ProblemKind::Internal, error)
    }
}

/// Logs what is not the caller's mistake, once, and nothing of what was asked.
pub(crate) fn report<O>(route: &Route<O>, refused: &Refused) {
    let Some(cause) = &refused.cause else { return };
    let error = ErrorChain(&**cause);
    let (route, code) = (route.path, refused.kind.document().code);
    tracing::error!(route, problem = code, %error, "a request could not be answered");
}

pub(crate) fn respond_with(answered: Answered) -> Response<Body> {
    let mut response = Response::new(Body::from(answered.body));
    *response.status_mut() = answered.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(answered.cache));
    if let Some((name, value)) = answered.header {
        headers.insert(name, value);
    }
    response
}

/// The response that says why there is no answer.
pub(crate) fn problem(refused: Refused) -> Response<Body> {
    let Refused { kind, document, retry_after_s, cause: _ } = refused;
    let said = kind.document();
    let mut response = Response::new(Body::from(document.unwrap_or_else(|| text_of(&said))));
    *response.status_mut() =
        StatusCode::from_u16(said.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/problem+json");
    headers.insert(header::CONTENT_TYPE, json);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(NO_STORE));
    let is_unavailable = kind == ProblemKind::Unavailable;
    let retry_after_s = retry_after_s.or_else(|| is_unavailable.then_some(RETRY_AFTER_S));
    if let Some(seconds) = retry_after_s {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if kind == ProblemKind::Unauthenticated {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// The response to a method that a path does not take, which takes those of `allowed`.
pub(crate) fn not_allowed(allowed: &str) -> Response<Body> {
    let mut response = problem(ProblemKind::MethodNotAllowed.into());
    if let Ok(allowed) = HeaderValue::from_str(allowed) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

fn text_of(document: &Problem) -> String {
    // Nothing in a problem document can fail to be written.
    serde_json::to_string(document).unwrap_or_default()
}
