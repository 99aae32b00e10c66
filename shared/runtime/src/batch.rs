//! The partial-batch loop: one message after the other, and only those that failed go back.

use std::{error::Error, panic::AssertUnwindSafe};

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::FutureExt;
use tracing::{error, warn};

use crate::{
    clock::Deadline,
    dead_letter::{DeadLetters, Reason},
    log::ErrorChain,
    metric::Metrics,
};

/// Why a message was not answered.
#[derive(Debug)]
pub enum Failure {
    /// It never will be: it goes to the dead letters with the reason.
    Hopeless(Reason),
    /// It may be: it goes back to the queue, and after as many tries as the queue has to its dead letters.
    Again(Box<dyn Error + Send + Sync>),
}

/// A queue handed over a message that cannot be reported, so the whole batch must come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message of the batch has no id")]
pub struct NoMessageId;

/// The metric of messages that went back to the queue.
pub const FAILED: &str = "Failed";
/// The metric of messages that went to the dead letters.
pub const HOPELESS: &str = "Hopeless";
/// The metric of messages that were not begun, because time was up.
pub const NOT_BEGUN: &str = "NotBegun";

/// The attribute of a message with the sender's own id of it.
pub const CORRELATION_ID: &str = "correlation_id";

/// The sender's own id of `message`, if it is a name and no text.
pub fn correlation_id(message: &SqsMessage) -> Option<&str> {
    let attribute = message.message_attributes.get(CORRELATION_ID)?;
    let text = attribute.string_value.as_deref()?;
    let is_name = (1..=128).contains(&text.len())
        && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.:".contains(&it));
    is_name.then_some(text)
}

/// Lets `work` answer every message of `event`, in their order, until `deadline`.
///
/// One after the other: two messages of one member would only race each other. A message that makes `work`
/// panic fails alone.
///
/// # Errors
///
/// [`NoMessageId`], before any work is done. Trying again helps if the queue then behaves.
pub async fn handle(
    event: SqsEvent,
    deadline: Deadline,
    dead_letters: &impl DeadLetters,
    metrics: &mut Metrics,
    mut work: impl AsyncFnMut(&SqsMessage, &mut Metrics) -> Result<(), Failure>,
) -> Result<SqsBatchResponse, NoMessageId> {
    let has_id = |it: &SqsMessage| it.message_id.as_ref().is_some_and(|it| !it.is_empty());
    if !event.records.iter().all(has_id) {
        return Err(NoMessageId);
    }
    let mut response = SqsBatchResponse::default();
    for message in event.records {
        let id = message.message_id.clone().unwrap_or_default();
        let correlation_id = correlation_id(&message);
        if deadline.left().is_zero() {
            metrics.count(NOT_BEGUN);
            warn!(
                message_id = id,
                correlation_id, "message {id} was not begun, because time was up"
            );
            response.add_failure(id);
            continue;
        }
        let worked = AssertUnwindSafe(work(&message, metrics)).catch_unwind().await;
        let is_answered = match worked {
            Ok(Ok(())) => true,
            Ok(Err(Failure::Hopeless(reason))) => {
                is_kept(dead_letters, &message, &id, &reason, metrics).await
            }
            Ok(Err(Failure::Again(error))) => {
                let error = ErrorChain(&*error);
                error!(message_id = id, correlation_id, %error, "message {id} could not be answered");
                false
            }
            Err(_) => {
                error!(
                    message_id = id,
                    correlation_id, "message {id} made the function panic, which is a bug"
                );
                false
            }
        };
        if !is_answered {
            metrics.count(FAILED);
            response.add_failure(id);
        }
    }
    Ok(response)
}

/// Puts a message to the dead letters. Where that fails it goes back to the queue, which has its own way
/// there.
async fn is_kept(
    dead_letters: &impl DeadLetters,
    message: &SqsMessage,
    id: &str,
    reason: &Reason,
    metrics: &mut Metrics,
) -> bool {
    let Reason { name, detail } = reason;
    let correlation_id = correlation_id(message);
    warn!(
        message_id = id,
        correlation_id,
        reason = name,
        detail,
        "message {id} can never be answered: {name}"
    );
    match dead_letters.keep(message, reason).await {
        Ok(()) => {
            metrics.count(HOPELESS);
            true
        }
        Err(error) => {
            let error = ErrorChain(&*error);
            error!(
                message_id = id,
                correlation_id,
                %error,
                "message {id} could not be put to the dead letters"
            );
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_correlation_id_is_a_short_name_and_no_text() {
        let message = |attribute: &serde_json::Value| -> SqsMessage {
            let attributes = json!({"correlation_id": attribute});
            serde_json::from_value(json!({"messageAttributes": attributes})).unwrap()
        };
        let named = |text: &str| message(&json!({"stringValue": text, "dataType": "String"}));

        for fine in ["c", "9f-1.b_2:C", &"x".repeat(128)] {
            assert_eq!(correlation_id(&named(fine)), Some(fine));
        }
        for wrong in ["", "a b", "a@b", "é", "a\n", &"x".repeat(129)] {
            assert_eq!(correlation_id(&named(wrong)), None, "{wrong}");
        }
        let binary = json!({"binaryValue": "YQ==", "dataType": "Binary"});
        assert_eq!(correlation_id(&message(&binary)), None);
        assert_eq!(correlation_id(&SqsMessage::default()), None);
    }
}
