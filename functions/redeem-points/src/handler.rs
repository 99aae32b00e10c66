//! What the function works with, and what answers which route.

use jiff::Timestamp;
use lambda_http::{lambda_runtime::LambdaEvent, request::LambdaRequest, tower::Service};
use loyalty_domain::id::RedemptionStep;
use loyalty_ledger::{
    Ledger, Patience, catalogue::Catalogue, program::Programs, statement::Accounts,
};
use loyalty_runtime::{
    api::{self, Answered, Asked, Refused, query, write::Writer},
    secret::NoRandom,
};
use serde::Serialize;

use crate::route::{Operation, ROUTES, Route};

/// Everything that is kept.
pub trait Store: Ledger + Accounts + Catalogue + Send + Sync + 'static {}

impl<T: Ledger + Accounts + Catalogue + Send + Sync + 'static> Store for T {}

/// The ports and settings that the API works with.
#[derive(Debug)]
pub struct Door<S, P, C, W> {
    /// What every request is decided with.
    pub writer: Writer<S, P, C, W>,
    /// Makes random numbers that nobody can guess, for codes.
    pub random: fn(&mut [u8]) -> Result<(), NoRandom>,
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
        // What has pages reads the query itself.
        if !asked.operation.has_pages() {
            query::none(asked.query())?;
        }
        match asked.operation {
            Operation::Rewards => self.rewards(&asked).await,
            Operation::Redemptions => self.redemptions(&asked).await,
            Operation::Transfer => self.transfer(&asked).await,
            Operation::Redeem => self.redeem(&asked).await,
            Operation::Redemption => self.redemption(&asked).await,
            Operation::Fulfill => self.go_on(&asked, RedemptionStep::Fulfill).await,
            Operation::Cancel => self.go_on(&asked, RedemptionStep::Cancel).await,
            Operation::Refund => self.go_on(&asked, RedemptionStep::Refund).await,
            Operation::Quote => self.quote(&asked).await,
            Operation::Hold => self.hold(&asked).await,
            Operation::Capture => self.capture(&asked).await,
            Operation::Release => self.release(&asked).await,
            Operation::PreviewRefund => self.preview_refund(&asked).await,
        }
    }
}
