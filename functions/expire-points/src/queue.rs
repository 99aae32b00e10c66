//! Where work goes that is still to do: our own queue.

use std::{error::Error, future::Future};

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use loyalty_contracts::work::Work;

/// Where work goes that is still to do.
pub trait WorkQueue: Sync {
    /// Puts all of `work` there. Where that fails some of it may be there, and twice is no harm.
    fn send(
        &self,
        work: &[Work],
    ) -> impl Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send;
}

/// How many messages one call takes. The largest ten of ours are no more than its bytes.
const BATCH_MAX: usize = 10;

/// The queue did not take a message.
#[derive(Debug, thiserror::Error)]
#[error("the queue did not take a message: {0}")]
struct NotTaken(String);

/// A real queue.
#[derive(Clone, Debug)]
pub struct SqsWorkQueue {
    client: aws_sdk_sqs::Client,
    queue_url: String,
}

impl SqsWorkQueue {
    /// The queue at `queue_url`.
    pub const fn new(client: aws_sdk_sqs::Client, queue_url: String) -> Self {
        Self { client, queue_url }
    }
}

impl WorkQueue for SqsWorkQueue {
    async fn send(&self, work: &[Work]) -> Result<(), Box<dyn Error + Send + Sync>> {
        for batch in work.chunks(BATCH_MAX) {
            let mut entries = Vec::with_capacity(batch.len());
            for (index, work) in batch.iter().enumerate() {
                let entry = SendMessageBatchRequestEntry::builder().id(index.to_string());
                entries.push(entry.message_body(work.body()?).build()?);
            }
            let send = self.client.send_message_batch().queue_url(&self.queue_url);
            let sent = send.set_entries(Some(entries)).send().await?;
            if let Some(failed) = sent.failed().first() {
                return Err(NotTaken(failed.code().to_owned()).into());
            }
        }
        Ok(())
    }
}
