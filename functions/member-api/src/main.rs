//! Answers what members, services and staff may read.

use lambda_http::{Error, lambda_runtime};
use loyalty_dynamodb::{DynamoDbLedger, Tables};
use loyalty_ledger::program::Programs as _;
use loyalty_member_api::handler::{Api, service};
use loyalty_runtime::{
    aws::Aws,
    clock,
    log::{self, ErrorChain},
    program::CachedPrograms,
    settings::{StoreSettings, environment, text},
};
use tracing::warn;

/// `MEMBER_CLAIM`: the claim of a token that names the member, `sub` unless the shop's issuer has another.
const MEMBER_CLAIM: &str = "MEMBER_CLAIM";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();

    // Once per cold start. Whatever fails here fails before anybody is answered.
    let settings = StoreSettings::from_lookup(environment)?;
    let member_claim = text(environment, MEMBER_CLAIM)?;
    let aws = Aws::from_lookup(environment)?;
    let tables =
        Tables { ledger: settings.ledger_table_name, program: settings.program_table_name };
    let accounts = DynamoDbLedger::new(aws.dynamodb(settings.store_timeout), tables);
    let programs = CachedPrograms::new(accounts.clone(), settings.program_cache);
    // A real read, while there is full CPU: the connection stands when the first request comes. A shop
    // that has no program yet may have one by then.
    if let Err(error) = programs.programs().await {
        warn!(error = %ErrorChain(&error), "the program could not be read yet");
    }

    let api = Api { accounts, programs, now: clock::now, member_claim };
    lambda_runtime::run(service(api)).await
}
