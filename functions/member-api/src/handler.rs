//! What is answered.

use std::{error::Error, panic::AssertUnwindSafe, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{RawPathParams, State},
    http::{HeaderValue, Method, Response, StatusCode, header, request::Parts},
    routing::any,
};
use futures_util::FutureExt;
use jiff::Timestamp;
use lambda_http::{
    Adapter, Request,
    lambda_runtime::LambdaEvent,
    request::{LambdaRequest, RequestContext},
    service_fn,
    tower::{Service, ServiceExt},
};
use loyalty_contracts::{
    api,
    problem::{Problem, ProblemKind},
};
use loyalty_domain::{
    account::Account,
    due,
    id::{InvalidId, MemberId},
    points::OutOfRange,
    program::{Program, in_force},
};
use loyalty_ledger::{
    Answer, Entry, LedgerError, Reading,
    program::Programs,
    statement::{Accounts, StatementError, statement},
};
use loyalty_runtime::log::ErrorChain;
use serde::Serialize;

use crate::{
    caller::Caller,
    cursor,
    gateway::{check_path, check_route, prepared},
    query,
    route::{METHOD, OTHERWISE, Operation, ROUTES, Route},
};

/// When to ask again what could not be answered.
const RETRY_AFTER_S: &str = "2";
/// Accounts are private and change with every order.
const NO_STORE: &str = "no-store";
/// A program changes rarely, and is the same for everybody who may read it.
const A_MINUTE: &str = "private, max-age=60";

/// The ports and settings that the API works with.
#[derive(Debug)]
pub struct Api<A, P, C> {
    /// Where accounts are read.
    pub accounts: A,
    /// Where programs are read.
    pub programs: P,
    /// Tells the present instant.
    pub now: C,
    /// The claim of a member's token that is the member's id.
    pub member_claim: String,
}

/// A body and how long it may be kept.
struct Answered {
    body: Vec<u8>,
    cache: &'static str,
}

/// An account, brought to the instant that it is shown as of.
struct Present {
    account: Account,
    as_of: Timestamp,
    programs: Arc<[Program]>,
}

/// Why there is no answer: what the caller is told, and what only the log is.
struct Refused {
    kind: ProblemKind,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

/// There is nothing to decide by.
#[derive(Debug, thiserror::Error)]
#[error("no version of the program is in force")]
struct NoProgram;

impl From<ProblemKind> for Refused {
    fn from(kind: ProblemKind) -> Self {
        Self { kind, cause: None }
    }
}

impl From<LedgerError> for Refused {
    fn from(error: LedgerError) -> Self {
        let kind =
            if error.is_transient() { ProblemKind::Unavailable } else { ProblemKind::Internal };
        Self { kind, cause: Some(Box::new(error)) }
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
        Self { kind: ProblemKind::Internal, cause: Some(Box::new(error)) }
    }
}

impl From<serde_json::Error> for Refused {
    fn from(error: serde_json::Error) -> Self {
        Self { kind: ProblemKind::Internal, cause: Some(Box::new(error)) }
    }
}

/// The API as a function of Lambda: from an event of API Gateway to its answer. It never fails.
pub fn service<A, P, C>(
    api: Api<A, P, C>,
) -> impl Service<
    LambdaEvent<LambdaRequest>,
    Response = impl Serialize,
    Error = lambda_http::Error,
    Future: Send,
>
where
    A: Accounts + Send + Sync + 'static,
    P: Programs + Send + Sync + 'static,
    C: Fn() -> Timestamp + Send + Sync + 'static,
{
    let router = router(api);
    let answer = service_fn(move |request: Request| {
        let router = router.clone();
        async move { Ok::<_, lambda_http::Error>(respond(router, request).await) }
    });
    Adapter::from(answer).map_request(prepared)
}

async fn respond(router: Router, request: Request) -> Response<Body> {
    if let Err(kind) = check_path(&request) {
        return problem(kind);
    }
    match AssertUnwindSafe(router.oneshot(request)).catch_unwind().await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => {
            // What a panic says may have been made from what was asked.
            tracing::error!(problem = ProblemKind::Internal.document().code, "a request panicked");
            problem(ProblemKind::Internal)
        }
    }
}

/// The routes of [`ROUTES`], and [`OTHERWISE`].
fn router<A, P, C>(api: Api<A, P, C>) -> Router
where
    A: Accounts + Send + Sync + 'static,
    P: Programs + Send + Sync + 'static,
    C: Fn() -> Timestamp + Send + Sync + 'static,
{
    let mut router = Router::new();
    for route in ROUTES {
        let answer = move |State(api): State<Arc<Api<A, P, C>>>,
                           parameters: RawPathParams,
                           request: Parts| async move {
            let id = parameters.iter().next().map(|(_, id)| id);
            match api.answer(&route, id, &request).await {
                Ok(answered) => respond_with(answered),
                Err(refused) => {
                    report(&route, &refused);
                    problem(refused.kind)
                }
            }
        };
        router = router.route(route.path, any(answer));
    }
    let nothing = async |request: Parts| {
        let context = request.extensions.get::<RequestContext>();
        // A route that took the path before it was decoded has taken something for an id.
        let chosen = check_route(OTHERWISE, request.uri.path(), context);
        problem(chosen.err().unwrap_or(ProblemKind::NotFound))
    };
    router.fallback(nothing).with_state(Arc::new(api))
}

impl<A: Accounts, P: Programs, C: Fn() -> Timestamp> Api<A, P, C> {
    async fn answer(
        &self,
        route: &Route,
        id: Option<&str>,
        request: &Parts,
    ) -> Result<Answered, Refused> {
        let context = request.extensions.get::<RequestContext>();
        if request.method != Method::GET {
            return Err(ProblemKind::MethodNotAllowed.into());
        }
        check_route(&route.key(), request.uri.path(), context)?;
        let caller = Caller::of(context, &self.member_claim)?;
        caller.check(route)?;
        let named = id.map(MemberId::try_from).transpose();
        let named = named.map_err(|_: InvalidId| ProblemKind::InvalidMemberId)?;
        if let (Some(named), Caller::Member(own)) = (&named, &caller)
            && named != own
        {
            return Err(ProblemKind::OtherMember.into());
        }
        let query = request.uri.query();
        match (route.operation, named, caller) {
            (Operation::OwnMember, _, Caller::Member(own)) => {
                query::none(query)?;
                self.member(&own, true).await
            }
            (Operation::OwnEntries, _, Caller::Member(own)) => {
                self.entries(&own, true, &query::paging(query)?).await
            }
            (Operation::OwnTimeline, _, Caller::Member(own)) => {
                query::none(query)?;
                self.timeline(&own, true).await
            }
            (Operation::Timeline, Some(named), caller) => {
                query::none(query)?;
                self.timeline(&named, matches!(caller, Caller::Member(_))).await
            }
            (Operation::Member, Some(named), caller) => {
                query::none(query)?;
                self.member(&named, matches!(caller, Caller::Member(_))).await
            }
            (Operation::Entries, Some(named), caller) => {
                let is_own = matches!(caller, Caller::Member(_));
                self.entries(&named, is_own, &query::paging(query)?).await
            }
            (Operation::Program, ..) => {
                query::none(query)?;
                let programs = self.programs.programs().await?;
                let program = api::Program::of(decisive(&programs, (self.now)())?)?;
                Ok(Answered { body: serde_json::to_vec(&program)?, cache: A_MINUTE })
            }
            (Operation::Status, ..) => {
                query::none(query)?;
                self.status().await
            }
            // The table and the paths say otherwise.
            (Operation::OwnMember | Operation::OwnEntries | Operation::OwnTimeline, ..) => {
                Err(ProblemKind::CallerIsNoMember.into())
            }
            (Operation::Member | Operation::Entries | Operation::Timeline, None, _) => {
                Err(ProblemKind::InvalidMemberId.into())
            }
        }
    }

    async fn member(&self, member_id: &MemberId, is_own: bool) -> Result<Answered, Refused> {
        let Present { account, as_of, programs } = self.present(member_id, is_own).await?;
        let program = decisive(&programs, as_of)?;
        body(&api::Member::of(member_id, &account, program, as_of)?)
    }

    async fn timeline(&self, member_id: &MemberId, is_own: bool) -> Result<Answered, Refused> {
        let Present { account, as_of, programs } = self.present(member_id, is_own).await?;
        let program = decisive(&programs, as_of)?;
        body(&api::Timeline::of(member_id, account, program, as_of)?)
    }

    /// The account as it stands now.
    async fn present(&self, member_id: &MemberId, is_own: bool) -> Result<Present, Refused> {
        let now = (self.now)();
        let known = self.accounts.find_account(member_id, Reading::Cheap).await?;
        let account = match known {
            Some(known) => known.account,
            None if is_own => Account::default(),
            None => return Err(ProblemKind::MemberNotFound.into()),
        };
        // An order may be some minutes ahead of this clock, and an account does not go back.
        let as_of = account.clock.map_or(now, |it| it.max(now));
        let programs = self.programs.programs().await?;
        let (account, _) = due::bring_to(decisive(&programs, as_of)?, account, as_of)?;
        Ok(Present { account, as_of, programs })
    }

    async fn entries(
        &self,
        member_id: &MemberId,
        is_own: bool,
        paging: &query::Paging,
    ) -> Result<Answered, Refused> {
        let from = paging.cursor.as_ref();
        let page = statement(&self.accounts, member_id, from, paging.limit, Reading::Cheap).await?;
        if page.entries.is_empty() && !is_own {
            return Err(ProblemKind::MemberNotFound.into());
        }
        let entries = page.entries.iter().map(|it| wire_entry(it));
        body(&api::Entries {
            entries: entries.collect::<Result<_, _>>()?,
            next: page.next.as_ref().map(cursor::write).transpose()?,
        })
    }

    async fn status(&self) -> Result<Answered, Refused> {
        let now = (self.now)();
        let programs = self.programs.programs().await?;
        let program = decisive(&programs, now)?;
        // Whether there is such a member does not matter; that the ledger answers does.
        if let Ok(anybody) = MemberId::try_from("status") {
            self.accounts.find_account(&anybody, Reading::Cheap).await?;
        }
        body(&api::Status {
            status: "ok",
            as_of: now,
            release: env!("CARGO_PKG_VERSION"),
            program_version: program.spec().version,
        })
    }
}

/// The one of `programs` that is in force at `now`.
fn decisive(programs: &[Program], now: Timestamp) -> Result<&Program, Refused> {
    // Whoever deploys adds one, and then the same request succeeds.
    in_force(programs, now)
        .ok_or_else(|| Refused { kind: ProblemKind::Unavailable, cause: Some(Box::new(NoProgram)) })
}

/// An entry of an account as it is shown.
fn wire_entry(entry: &Entry) -> Result<api::Entry, OutOfRange> {
    let events = match &entry.answer {
        Answer::Accepted(events) => events.as_slice(),
        // These leave every account alone, so none lists them.
        Answer::Waiting(_) | Answer::Refused(_) => &[],
    };
    Ok(api::Entry {
        id: entry.id.to_string(),
        sequence: entry.sequence.unwrap_or(0),
        at: entry.at,
        sent_at: entry.sent_at,
        source: api::Source::from(&entry.id),
        program_version: entry.program_version,
        changes: events.iter().map(api::Change::try_from).collect::<Result<_, _>>()?,
        balance: entry.balance.unwrap_or_default().into(),
    })
}

fn body(shown: &impl Serialize) -> Result<Answered, Refused> {
    Ok(Answered { body: serde_json::to_vec(shown)?, cache: NO_STORE })
}

/// Logs what is not the caller's mistake, once, and nothing of what was asked.
fn report(route: &Route, refused: &Refused) {
    let Some(cause) = &refused.cause else { return };
    let error = ErrorChain(&**cause);
    let (route, code) = (route.path, refused.kind.document().code);
    tracing::error!(route, problem = code, %error, "a request could not be answered");
}

fn respond_with(answered: Answered) -> Response<Body> {
    let mut response = Response::new(Body::from(answered.body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(answered.cache));
    response
}

/// The response that says `kind`.
fn problem(kind: ProblemKind) -> Response<Body> {
    let document = kind.document();
    let mut response = Response::new(Body::from(text_of(&document)));
    *response.status_mut() =
        StatusCode::from_u16(document.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/problem+json");
    headers.insert(header::CONTENT_TYPE, json);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(NO_STORE));
    match kind {
        ProblemKind::Unavailable => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
        }
        ProblemKind::MethodNotAllowed => {
            headers.insert(header::ALLOW, HeaderValue::from_static(METHOD));
        }
        ProblemKind::Unauthenticated => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        ProblemKind::InvalidMemberId
        | ProblemKind::NotFound
        | ProblemKind::ScopeNotSufficient
        | ProblemKind::NoMemberInToken
        | ProblemKind::CallerIsNoMember
        | ProblemKind::NotForMembers
        | ProblemKind::OtherMember
        | ProblemKind::InvalidQuery
        | ProblemKind::InvalidLimit
        | ProblemKind::InvalidCursor
        | ProblemKind::MemberNotFound
        | ProblemKind::Internal => (),
    }
    response
}

fn text_of(document: &Problem) -> String {
    // Nothing in a problem document can fail to be written.
    serde_json::to_string(document).unwrap_or_default()
}
