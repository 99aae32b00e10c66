//! A queue of our own: where messages go that one function leaves for another, or for itself.

use std::{error::Error, future::Future};

/// Where messages of one kind go.
pub trait Queue<M>: Sync {
    /// Puts all `messages` there. Where that fails some of them may be there, and twice must be no harm.
    fn send(
        &self,
        messages: &[M],
    ) -> impl Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send;
}

/// How many messages one call takes. The largest ten of ours are no more than its bytes.
#[cfg(feature = "sqs")]
const BATCH_MAX: usize = 10;

/// The queue did not take a message.
#[cfg(feature = "sqs")]
#[derive(Debug, thiserror::Error)]
#[error("the queue did not take a message: {0}")]
struct NotTaken(String);

/// A real queue.
#[cfg(feature = "sqs")]
#[derive(Clone, Debug)]
pub struct SqsQueue<M> {
    client: aws_sdk_sqs::Client,
    queue_url: String,
    messages: std::marker::PhantomData<fn(&M)>,
}

#[cfg(feature = "sqs")]
impl<M> SqsQueue<M> {
    /// The queue at `queue_url`.
    pub const fn new(client: aws_sdk_sqs::Client, queue_url: String) -> Self {
        Self { client, queue_url, messages: std::marker::PhantomData }
    }
}

#[cfg(feature = "sqs")]
impl<M: serde::Serialize + Sync> Queue<M> for SqsQueue<M> {
    async fn send(&self, messages: &[M]) -> Result<(), Box<dyn Error + Send + Sync>> {
        use aws_sdk_sqs::types::SendMessageBatchRequestEntry;

        for batch in messages.chunks(BATCH_MAX) {
            let mut entries = Vec::with_capacity(batch.len());
            for (index, message) in batch.iter().enumerate() {
                let entry = SendMessageBatchRequestEntry::builder().id(index.to_string());
                entries.push(entry.message_body(serde_json::to_string(message)?).build()?);
            }
            let send = self.client.send_message_batch().queue_url(&self.queue_url);
            let sent =
                send.set_entries(Some(entries)).send().await.map_err(crate::aws::unquoted)?;
            if let Some(failed) = sent.failed().first() {
                return Err(NotTaken(failed.code().to_owned()).into());
            }
        }
        Ok(())
    }
}
