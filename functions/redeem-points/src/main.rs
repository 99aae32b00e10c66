//! Lets members use their points.

use std::time::Duration;

use lambda_http::{Error, lambda_runtime};
use loyalty_dynamodb::{DynamoDbLedger, Tables};
use loyalty_ledger::program::Programs as _;
use loyalty_redeem_points::handler::{Door, service};
use loyalty_runtime::{
    api::write::Writer,
    aws::Aws,
    clock::{self, Deadline},
    log::{self, ErrorChain},
    patience::FullJitter,
    program::CachedPrograms,
    secret::fill_random,
    settings::{StoreSettings, environment, text},
};
use tracing::warn;

/// `MEMBER_CLAIM`: the claim of a token that names the member, `sub` unless the shop's issuer has another.
const MEMBER_CLAIM: &str = "MEMBER_CLAIM";

/// How long a request that lost a race tries again: API Gateway waits for 11 seconds, and nobody is to see a conflict.
const TRY_AGAIN: Duration = Duration::from_secs(4);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();

    // Once per cold start. Whatever fails here fails before anybody is answered.
    let settings = StoreSettings::from_lookup(environment)?;
    let member_claim = text(environment, MEMBER_CLAIM)?;
    let aws = Aws::from_lookup(environment)?;
    let tables =
        Tables { ledger: settings.ledger_table_name, program: settings.program_table_name };
    let store = DynamoDbLedger::new(aws.dynamodb(settings.store_timeout), tables);
    let programs = CachedPrograms::new(store.clone(), settings.program_cache);
    // A real read, while there is full CPU: the connection stands when the first request comes. A shop that has no
    // program yet may have one by then.
    if let Err(error) = programs.programs().await {
        warn!(error = %ErrorChain(&error), "the program could not be read yet");
    }

    let patience = || FullJitter::until(Deadline::after(TRY_AGAIN));
    let writer = Writer { store, programs, now: clock::now, patience };
    lambda_runtime::run(service(Door { writer, random: fill_random, member_claim })).await
}
