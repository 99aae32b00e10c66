//! Translates records of the ledger's stream into events on a bus.

use std::{collections::BTreeSet, error::Error, panic::AssertUnwindSafe};

use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use futures_util::FutureExt;
use loyalty_dynamodb::{DynamoDbLedger, StreamEvent, StreamRecord};
use loyalty_ledger::LedgerError;
use loyalty_runtime::{
    clock::Deadline,
    log::ErrorChain,
    metric::Metrics,
    patience::FullJitter,
    publish::{Bus, Message, NoMessages, messages, put_all},
};
use tracing::{error, info, warn};

/// How this function is called in metrics.
pub const FUNCTION: &str = "publish-events";

/// The metric of events that the bus took.
pub const PUBLISHED: &str = "Published";
/// The metric of records that could not be read now, or of which an event was not taken.
pub const FAILED: &str = "Failed";
/// The metric of records that are none of what we write.
pub const UNREADABLE: &str = "Unreadable";
/// The metric of records that were not begun, because time was up.
pub const NOT_BEGUN: &str = "NotBegun";

/// What the function needs to tell.
#[derive(Debug)]
pub struct Door<B> {
    /// Where the parts of large entries are.
    pub ledger: DynamoDbLedger,
    /// Where the shop listens.
    pub bus: B,
}

/// A stream handed over a record that cannot be reported, so the whole batch must come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a record of the batch has no sequence number")]
pub struct NoSequenceNumber;

/// A record has no events.
#[derive(Debug, thiserror::Error)]
enum RecordError {
    /// It cannot be read.
    #[error("the entry cannot be read")]
    Ledger(#[from] LedgerError),
    /// It says what was never decided.
    #[error("the entry cannot be told")]
    NoMessages(#[from] NoMessages),
}

impl RecordError {
    fn is_transient(&self) -> bool {
        match self {
            Self::Ledger(error) => error.is_transient(),
            Self::NoMessages(_) => false,
        }
    }
}

impl<B: Bus> Door<B> {
    /// Tells the shop of all entries among the records of `event`, until `deadline`, and says which record
    /// is the first of which something was not told. All that could be told has been, behind it, too: the
    /// stream comes back to it, and what is then told again has the same id.
    ///
    /// # Errors
    ///
    /// [`NoSequenceNumber`], before anything is told: the whole batch must come back.
    pub async fn handle(
        &self,
        event: StreamEvent,
        deadline: Deadline,
        metrics: &mut Metrics,
    ) -> Result<DynamoDbEventResponse, NoSequenceNumber> {
        let records = event.records;
        if records.iter().any(|it| it.sequence_number().is_empty()) {
            return Err(NoSequenceNumber);
        }
        let mut failed: BTreeSet<usize> = BTreeSet::new();
        let mut told: Vec<(usize, Message)> = Vec::new();
        for (place, record) in records.iter().enumerate() {
            if deadline.left().is_zero() {
                metrics.count(NOT_BEGUN);
                failed.insert(place);
                continue;
            }
            match AssertUnwindSafe(self.messages_of(record)).catch_unwind().await {
                Ok(Ok(messages)) => told.extend(messages.into_iter().map(|it| (place, it))),
                Ok(Err(error)) => {
                    metrics.count(if error.is_transient() { FAILED } else { UNREADABLE });
                    say_failed(record, &error);
                    failed.insert(place);
                }
                Err(_) => {
                    metrics.count(UNREADABLE);
                    let (record, sequence_number) = (record.name(), record.sequence_number());
                    error!(
                        record,
                        sequence_number, "a record made the function panic, which is a bug"
                    );
                    failed.insert(place);
                }
            }
        }
        let messages: Vec<&Message> = told.iter().map(|(_, it)| it).collect();
        let mut patience = FullJitter::until(deadline);
        let not_taken = put_all(&self.bus, &messages, deadline, &mut patience).await;
        for _ in not_taken.places.len()..messages.len() {
            metrics.count(PUBLISHED);
        }
        let places = not_taken.places.iter().filter_map(|it| told.get(*it));
        let not_told: BTreeSet<usize> = places.map(|(place, _)| *place).collect();
        for record in not_told.iter().filter_map(|it| records.get(*it)) {
            metrics.count(FAILED);
            if let Some(because) = &not_taken.because {
                say_failed(record, &**because);
            }
        }
        failed.extend(not_told);
        let mut response = DynamoDbEventResponse::default();
        // Lambda comes back to the first that is named and to all behind it, so only that one is.
        if let Some(first) = failed.first().and_then(|it| records.get(*it)) {
            warn!(
                sequence_number = first.sequence_number(),
                "{} of {} records come back",
                failed.len(),
                records.len()
            );
            let mut failure = DynamoDbBatchItemFailure::default();
            failure.item_identifier = Some(first.sequence_number().to_owned());
            response.batch_item_failures.push(failure);
        } else {
            info!("told {} events of {} records", messages.len(), records.len());
        }
        Ok(response)
    }

    /// What is told of the entry that `record` is of.
    async fn messages_of(&self, record: &StreamRecord) -> Result<Vec<Message>, RecordError> {
        match self.ledger.entry_of(record).await? {
            Some(entry) => Ok(messages(&entry)?),
            None => Ok(Vec::new()),
        }
    }
}

/// Says once what is wrong with a record, by names under which it can be found and nobody can be.
fn say_failed(record: &StreamRecord, error: &(dyn Error + 'static)) {
    let error = ErrorChain(error);
    let (record, sequence_number) = (record.name(), record.sequence_number());
    error!(record, sequence_number, %error, "a record was not told");
}
