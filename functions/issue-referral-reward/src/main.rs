//! Rewards referrals: what a friend's first order that was kept brings to both sides.

use std::time::Duration;

use aws_lambda_events::event::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use loyalty_dynamodb::{DynamoDbLedger, Tables};
use loyalty_issue_referral_reward::handler::{Door, FUNCTION};
use loyalty_ledger::program::Programs as _;
use loyalty_runtime::{
    aws::Aws,
    clock::{self, Deadline},
    dead_letter::SqsDeadLetters,
    log::{self, ErrorChain},
    metric::Metrics,
    program::CachedPrograms,
    settings::{StoreSettings, environment, text},
};
use tracing::warn;

/// `MEMBERS_TABLE_NAME`: the table of members, with their personal data.
const MEMBERS_TABLE_NAME: &str = "MEMBERS_TABLE_NAME";
/// `UNHANDLED_REFERRALS_QUEUE_URL`: where messages go that can never succeed, with their reason.
const UNHANDLED_REFERRALS_QUEUE_URL: &str = "UNHANDLED_REFERRALS_QUEUE_URL";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();

    // Once per cold start. Whatever fails here fails before a message is touched.
    let settings = StoreSettings::from_lookup(environment)?;
    let members_table_name = text(environment, MEMBERS_TABLE_NAME)?;
    let unhandled_referrals_queue_url = text(environment, UNHANDLED_REFERRALS_QUEUE_URL)?;
    let aws = Aws::from_lookup(environment)?;
    let tables =
        Tables { ledger: settings.ledger_table_name, program: settings.program_table_name };
    let ledger = DynamoDbLedger::new(aws.dynamodb(settings.store_timeout), tables)
        .with_members(members_table_name);
    let programs = CachedPrograms::new(ledger.clone(), settings.program_cache);
    // A real read, while there is full CPU: the connection stands when the first message comes.
    if let Err(error) = programs.programs().await {
        warn!(error = %ErrorChain(&error), "the program could not be read yet");
    }
    let dead_letters =
        SqsDeadLetters::new(aws.sqs(settings.store_timeout), unhandled_referrals_queue_url);
    let door = Door { profiles: ledger.clone(), ledger, programs, dead_letters };

    // What one message may still take when time is nearly up, its dead letter included.
    let reserve = settings.store_timeout.saturating_mul(2).saturating_add(Duration::from_secs(1));
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| {
        let deadline = Deadline::of_invocation(event.context.deadline, reserve);
        let door = &door;
        async move {
            let (received_at, mut metrics) = (clock::now(), Metrics::of(FUNCTION));
            // On the heap: what reads two accounts and what is known of both is large.
            let handled = Box::pin(door.handle(event.payload, deadline, received_at, &mut metrics));
            let handled = handled.await;
            metrics.emit(received_at);
            handled.map_err(Error::from)
        }
    }))
    .await
}
