//! What is answered.

use std::sync::Arc;

use jiff::Timestamp;
use lambda_http::{lambda_runtime::LambdaEvent, request::LambdaRequest, tower::Service};
use loyalty_contracts::{api, problem::ProblemKind};
use loyalty_domain::{
    account::Account,
    due,
    id::MemberId,
    program::{Program, in_force},
};
use loyalty_ledger::{
    Reading,
    program::Programs,
    statement::{Accounts, find_owner, statement},
};
use loyalty_runtime::api::{
    self as runtime, Answered, Asked, Refused, caller::Caller, cursor, write,
};
use serde::Serialize;

use crate::{
    query,
    route::{ELSEWHERE, Method, OTHERWISE, Operation, ROUTES, Route},
};

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

/// An account, brought to the instant that it is shown as of.
struct Present {
    account: Account,
    as_of: Timestamp,
    programs: Arc<[Program]>,
}

/// There is nothing to decide by.
#[derive(Debug, thiserror::Error)]
#[error("no version of the program is in force")]
struct NoProgram;

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
    runtime::service(api)
}

impl<A, P, C> runtime::Api for Api<A, P, C>
where
    A: Accounts + Send + Sync + 'static,
    P: Programs + Send + Sync + 'static,
    C: Fn() -> Timestamp + Send + Sync + 'static,
{
    type Operation = Operation;

    const ROUTES: &'static [Route] = &ROUTES;
    const OTHERWISE: Option<&'static str> = Some(OTHERWISE);
    const ELSEWHERE: &'static [&'static [(Method, &'static str)]] = &ELSEWHERE;

    fn member_claim(&self) -> &str {
        &self.member_claim
    }

    async fn answer(&self, asked: Asked<'_, Operation>) -> Result<Answered, Refused> {
        let query = asked.query();
        match (asked.operation, &asked.named, &asked.caller) {
            (Operation::OwnMember, _, Caller::Member(own)) => {
                query::none(query)?;
                self.member(own, true).await
            }
            (Operation::OwnEntries, _, Caller::Member(own)) => {
                self.entries(own, true, &query::paging(query)?).await
            }
            (Operation::OwnTimeline, _, Caller::Member(own)) => {
                query::none(query)?;
                self.timeline(own, true).await
            }
            (Operation::Timeline, Some(named), caller) => {
                query::none(query)?;
                self.timeline(named, matches!(caller, Caller::Member(_))).await
            }
            (Operation::Member, Some(named), caller) => {
                query::none(query)?;
                self.member(named, matches!(caller, Caller::Member(_))).await
            }
            (Operation::Entries, Some(named), caller) => {
                let is_own = matches!(caller, Caller::Member(_));
                self.entries(named, is_own, &query::paging(query)?).await
            }
            (Operation::Program, ..) => {
                query::none(query)?;
                let programs = self.programs.programs().await?;
                let program = api::Program::of(decisive(&programs, (self.now)())?)?;
                Ok(Answered { cache: A_MINUTE, ..Answered::new(&program)? })
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
}

impl<A: Accounts, P: Programs, C: Fn() -> Timestamp> Api<A, P, C> {
    async fn member(&self, member_id: &MemberId, is_own: bool) -> Result<Answered, Refused> {
        let Present { account, as_of, programs } = self.present(member_id, is_own).await?;
        let program = decisive(&programs, as_of)?;
        Answered::new(&api::Member::of(member_id, &account, program, as_of)?)
    }

    async fn timeline(&self, member_id: &MemberId, is_own: bool) -> Result<Answered, Refused> {
        let Present { account, as_of, programs } = self.present(member_id, is_own).await?;
        let program = decisive(&programs, as_of)?;
        Answered::new(&api::Timeline::of(member_id, account, program, as_of)?)
    }

    /// The account as it stands now.
    async fn present(&self, member_id: &MemberId, is_own: bool) -> Result<Present, Refused> {
        let now = (self.now)();
        let (_, known) = find_owner(&self.accounts, member_id, Reading::Cheap).await?;
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
        let entries = page.entries.iter().map(|it| write::shown(it));
        Answered::new(&api::Entries {
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
        Answered::new(&api::Status {
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
    in_force(programs, now).ok_or_else(|| Refused::because(ProblemKind::Unavailable, NoProgram))
}
