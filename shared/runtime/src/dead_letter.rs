//! Dead letters: messages that can never succeed, kept whole with the reason.
//!
//! A queue moves what failed too often to its dead letters by itself, without a word why. What is known
//! to be hopeless is put there by the function, with its reason, on the first delivery.

use std::{error::Error, future::Future};

use aws_lambda_events::event::sqs::SqsMessage;

#[cfg(feature = "sqs")]
use crate::batch::{CORRELATION_ID, correlation_id};

/// Why a message can never succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Its name, which never changes.
    pub name: &'static str,
    /// What is wrong and what would be right; nothing that stood in the message.
    pub detail: String,
}

/// Where messages go that can never succeed.
pub trait DeadLetters: Sync {
    /// Keeps `message` with the `reason`. Twice is no harm: whoever sends it again is answered once.
    fn keep(
        &self,
        message: &SqsMessage,
        reason: &Reason,
    ) -> impl Future<Output = Result<(), Box<dyn Error + Send + Sync>>>;
}

/// The attribute of a dead letter with the name of the reason.
pub const REASON: &str = "reason";
/// The attribute with what is wrong.
pub const DETAIL: &str = "detail";
/// The attribute with the id that the message had in its own queue, under which it was logged.
pub const SOURCE_MESSAGE_ID: &str = "source_message_id";

/// The dead letters of a real queue.
#[cfg(feature = "sqs")]
#[derive(Clone, Debug)]
pub struct SqsDeadLetters {
    client: aws_sdk_sqs::Client,
    queue_url: String,
}

#[cfg(feature = "sqs")]
impl SqsDeadLetters {
    /// Dead letters in the queue at `queue_url`.
    pub const fn new(client: aws_sdk_sqs::Client, queue_url: String) -> Self {
        Self { client, queue_url }
    }
}

#[cfg(feature = "sqs")]
impl DeadLetters for SqsDeadLetters {
    async fn keep(
        &self,
        message: &SqsMessage,
        reason: &Reason,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        use aws_sdk_sqs::types::MessageAttributeValue;

        let body = message.body.as_deref().unwrap_or_default();
        let mut letter = self.client.send_message().queue_url(&self.queue_url).message_body(body);
        for (name, text) in attributes(message, reason) {
            let text = MessageAttributeValue::builder().data_type("String").string_value(text);
            letter = letter.message_attributes(name, text.build()?);
        }
        letter.send().await.map_err(crate::aws::unquoted)?;
        Ok(())
    }
}

/// What a dead letter says beside its body.
#[cfg(feature = "sqs")]
fn attributes<'a>(
    message: &'a SqsMessage,
    reason: &'a Reason,
) -> impl Iterator<Item = (&'static str, &'a str)> {
    let source_message_id = message.message_id.as_deref().unwrap_or("unknown");
    let attributes =
        [(REASON, reason.name), (DETAIL, &reason.detail), (SOURCE_MESSAGE_ID, source_message_id)];
    // Whoever sends it again need not ask the shop for it.
    let correlation_id = correlation_id(message).map(|it| (CORRELATION_ID, it));
    attributes.into_iter().chain(correlation_id)
}

#[cfg(all(test, feature = "sqs"))]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_dead_letter_says_why_and_by_which_ids_it_was_known() {
        let reason = Reason { name: "not_json", detail: "the message is not JSON".to_owned() };
        let known: SqsMessage = serde_json::from_value(json!({
            "messageId": "m1",
            "messageAttributes": {"correlation_id": {"stringValue": "c1", "dataType": "String"}}
        }))
        .unwrap();

        let found: Vec<_> = attributes(&known, &reason).collect();

        let expected = [
            ("reason", "not_json"),
            ("detail", "the message is not JSON"),
            ("source_message_id", "m1"),
            ("correlation_id", "c1"),
        ];
        assert_eq!(found, expected);
        assert_eq!(attributes(&SqsMessage::default(), &reason).count(), 3);
    }
}
