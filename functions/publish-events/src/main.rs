//! Tells the shop what happened to its members' points and levels.
// Its futures are deeper than what the compiler looks into by itself.
#![recursion_limit = "256"]

use std::time::Duration;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use loyalty_dynamodb::{DynamoDbLedger, StreamEvent, Tables};
use loyalty_publish_events::handler::{Door, FUNCTION};
use loyalty_runtime::{
    aws::Aws,
    clock::{self, Deadline},
    log,
    metric::Metrics,
    publish::EventBridgeBus,
    settings::{StoreSettings, environment, text},
};

/// `EVENT_BUS_NAME`: the bus that the shop listens to.
const EVENT_BUS_NAME: &str = "EVENT_BUS_NAME";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();

    // Once per cold start. Whatever fails here fails before a record is touched. There is deliberately no
    // first call: nobody waits for an event, and a call that changes nothing would need one more right.
    let settings = StoreSettings::from_lookup(environment)?;
    let event_bus_name = text(environment, EVENT_BUS_NAME)?;
    let aws = Aws::from_lookup(environment)?;
    let tables =
        Tables { ledger: settings.ledger_table_name, program: settings.program_table_name };
    let ledger = DynamoDbLedger::new(aws.dynamodb(settings.store_timeout), tables);
    let bus = EventBridgeBus::new(aws.eventbridge(settings.store_timeout), event_bus_name);
    let door = Door { ledger, bus };

    // What the last call may still take when time is nearly up.
    let reserve = settings.store_timeout.saturating_add(Duration::from_secs(1));
    lambda_runtime::run(service_fn(|event: LambdaEvent<StreamEvent>| {
        let deadline = Deadline::of_invocation(event.context.deadline, reserve);
        let door = &door;
        async move {
            let (received_at, mut metrics) = (clock::now(), Metrics::of(FUNCTION));
            let handled = door.handle(event.payload, deadline, &mut metrics).await;
            metrics.emit(received_at);
            handled.map_err(Error::from)
        }
    }))
    .await
}
