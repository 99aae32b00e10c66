//! Dead letters: messages that can never succeed, kept whole with the reason.
//!
//! A queue moves what failed too often to its dead letters by itself, without a word why. What is known
//! to be hopeless is put there by the function, with its reason, on the first delivery.

use std::{error::Error, future::Future};

use aws_lambda_events::event::sqs::SqsMessage;

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

        let text = |it: &str| {
            MessageAttributeValue::builder().data_type("String").string_value(it).build()
        };
        self.client
            .send_message()
            .queue_url(&self.queue_url)
            .message_body(message.body.as_deref().unwrap_or_default())
            .message_attributes(REASON, text(reason.name)?)
            .message_attributes(DETAIL, text(&reason.detail)?)
            .message_attributes(
                SOURCE_MESSAGE_ID,
                text(message.message_id.as_deref().unwrap_or("unknown"))?,
            )
            .send()
            .await?;
        Ok(())
    }
}
