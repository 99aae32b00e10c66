//! Finds who is due when a day is over, and posts what fell due.

use std::time::Duration;

use aws_lambda_events::event::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use loyalty_dynamodb::{DynamoDbLedger, Tables};
use loyalty_expire_points::handler::{Door, FUNCTION};
use loyalty_ledger::program::Programs as _;
use loyalty_runtime::{
    aws::Aws,
    clock::{self, Deadline},
    dead_letter::SqsDeadLetters,
    log::{self, ErrorChain},
    metric::Metrics,
    program::CachedPrograms,
    queue::SqsQueue,
    settings::{StoreSettings, environment, text},
};
use tracing::warn;

/// `EXPIRY_WORK_QUEUE_URL`: where work goes that is still to do, and comes from.
const EXPIRY_WORK_QUEUE_URL: &str = "EXPIRY_WORK_QUEUE_URL";
/// `TIER_REVIEWS_QUEUE_URL`: where reviews of levels go, and come from.
const TIER_REVIEWS_QUEUE_URL: &str = "TIER_REVIEWS_QUEUE_URL";
/// `UNHANDLED_EXPIRY_WORK_QUEUE_URL`: where messages go that can never succeed, with their reason.
const UNHANDLED_EXPIRY_WORK_QUEUE_URL: &str = "UNHANDLED_EXPIRY_WORK_QUEUE_URL";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();

    // Once per cold start. Whatever fails here fails before a message is touched.
    let settings = StoreSettings::from_lookup(environment)?;
    let expiry_work_queue_url = text(environment, EXPIRY_WORK_QUEUE_URL)?;
    let tier_reviews_queue_url = text(environment, TIER_REVIEWS_QUEUE_URL)?;
    let unhandled_expiry_work_queue_url = text(environment, UNHANDLED_EXPIRY_WORK_QUEUE_URL)?;
    let aws = Aws::from_lookup(environment)?;
    let tables =
        Tables { ledger: settings.ledger_table_name, program: settings.program_table_name };
    let ledger = DynamoDbLedger::new(aws.dynamodb(settings.store_timeout), tables);
    let programs = CachedPrograms::new(ledger.clone(), settings.program_cache);
    // A real read, while there is full CPU: the connection stands when the first message comes.
    if let Err(error) = programs.programs().await {
        warn!(error = %ErrorChain(&error), "the program could not be read yet");
    }
    let sqs = aws.sqs(settings.store_timeout);
    let queue = SqsQueue::new(sqs.clone(), expiry_work_queue_url);
    let reviews = SqsQueue::new(sqs.clone(), tier_reviews_queue_url);
    let dead_letters = SqsDeadLetters::new(sqs, unhandled_expiry_work_queue_url);
    let door = Door { ledger, programs, queue, reviews, dead_letters };

    // What one member may still take when time is nearly up, and then the message of those who are left.
    let reserve = settings.store_timeout.saturating_mul(3).saturating_add(Duration::from_secs(1));
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| {
        let deadline = Deadline::of_invocation(event.context.deadline, reserve);
        let door = &door;
        async move {
            let (received_at, mut metrics) = (clock::now(), Metrics::of(FUNCTION));
            let handled =
                Box::pin(door.handle(event.payload, deadline, received_at, &mut metrics)).await;
            metrics.emit(received_at);
            handled.map_err(Error::from)
        }
    }))
    .await
}
