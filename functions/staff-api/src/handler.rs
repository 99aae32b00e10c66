//! What the function works with, and what answers which route.

use jiff::Timestamp;
use lambda_http::{lambda_runtime::LambdaEvent, request::LambdaRequest, tower::Service};
use loyalty_domain::reward::RewardStatus;
use loyalty_ledger::{
    Ledger, Patience, catalogue::Catalogue, note::Notes, program::Programs, statement::Accounts,
};
use loyalty_runtime::api::{self, Answered, Asked, Refused, query, write::Writer};
use serde::Serialize;

use crate::route::{Operation, ROUTES, Route};

/// Everything that is kept.
pub trait Store: Ledger + Accounts + Catalogue + Notes + Send + Sync + 'static {}

impl<T: Ledger + Accounts + Catalogue + Notes + Send + Sync + 'static> Store for T {}

/// The ports and settings that the API works with.
#[derive(Debug)]
pub struct Door<S, P, C, W> {
    /// What every request is decided with.
    pub writer: Writer<S, P, C, W>,
    /// The claim of a member's token that is the member's id.
    pub member_claim: String,
}

/// The API as a function of Lambda: from an event of API Gateway to its answer. It never fails.
pub fn service<S, P, C, W, T>(
    door: Door<S, P, C, W>,
) -> impl Service<
    LambdaEvent<LambdaRequest>,
    Response = impl Serialize,
    Error = lambda_http::Error,
    Future: Send,
>
where
    S: Store,
    P: Programs + Send + Sync + 'static,
    C: Fn() -> Timestamp + Send + Sync + 'static,
    W: Fn() -> T + Send + Sync + 'static,
    T: Patience + 'static,
{
    api::service(door)
}

impl<S, P, C, W, T> api::Api for Door<S, P, C, W>
where
    S: Store,
    P: Programs + Send + Sync + 'static,
    C: Fn() -> Timestamp + Send + Sync + 'static,
    W: Fn() -> T + Send + Sync + 'static,
    T: Patience + 'static,
{
    type Operation = Operation;

    const ROUTES: &'static [Route] = ROUTES;
    const OTHERWISE: Option<&'static str> = None;

    fn member_claim(&self) -> &str {
        &self.member_claim
    }

    async fn answer(&self, asked: Asked<'_, Operation>) -> Result<Answered, Refused> {
        query::none(asked.query())?;
        match asked.operation {
            Operation::AddNote => self.add_note(&asked).await,
            Operation::Notes => self.show_notes(&asked).await,
            Operation::Adjust => self.adjust(&asked).await,
            Operation::Proposals => self.show_proposals(&asked).await,
            Operation::Review => self.review(&asked).await,
            Operation::Merge => self.merge(&asked).await,
            Operation::UndoMerge => self.undo_merge(&asked).await,
            Operation::Reward => self.show_reward(&asked).await,
            Operation::RewardVersions => self.show_versions(&asked).await,
            Operation::PutReward => self.put_reward(&asked).await,
            Operation::PauseReward => self.set_status(&asked, RewardStatus::Paused).await,
            Operation::ResumeReward => self.set_status(&asked, RewardStatus::Active).await,
            Operation::RetireReward => self.set_status(&asked, RewardStatus::Retired).await,
            Operation::ChangeStock => self.change_stock(&asked).await,
            Operation::AddCodes => self.add_codes(&asked).await,
        }
    }
}
