//! Where codes leave for whoever sends mail and short messages.

use std::{error::Error, future::Future};

use loyalty_runtime::publish::{Bus as _, EventBridgeBus, Message};

/// A message was not taken. Nothing in it says what the message held.
#[derive(Debug, thiserror::Error)]
#[error("the bus does not take the message: {0}")]
struct NotTaken(String);

/// Where messages leave that hold what nothing else of ours may: a contact and a code.
pub trait Outbox: Send + Sync {
    /// Sends `message`.
    ///
    /// # Errors
    ///
    /// It may have been taken or not. Sending it again, with another code, is always right.
    fn send(
        &self,
        message: Message,
    ) -> impl Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send;
}

impl Outbox for EventBridgeBus {
    async fn send(&self, message: Message) -> Result<(), Box<dyn Error + Send + Sync>> {
        match self.put(&[&message]).await {
            // What stands behind this error may quote the whole message, as AWS does of what it finds invalid.
            Err(error) => Err(NotTaken(error.to_string()).into()),
            Ok(taken) => match taken.into_iter().next() {
                Some(Ok(())) => Ok(()),
                Some(Err(refused)) => Err(NotTaken(refused.code).into()),
                None => Err(NotTaken("it said nothing of it".to_owned()).into()),
            },
        }
    }
}
