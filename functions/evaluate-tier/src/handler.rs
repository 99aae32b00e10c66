//! Tells one message from the other.

use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use jiff::Timestamp;
use loyalty_contracts::review::{Asked, Review, ReviewError};
use loyalty_ledger::{Ledger, members::Members, program::Programs, statement::Accounts};
use loyalty_runtime::{
    batch::{self, Failure, NoMessageId},
    clock::Deadline,
    dead_letter::{DeadLetters, Reason},
    metric::Metrics,
    program::CachedPrograms,
    queue::Queue,
};

/// How this function is called in metrics.
pub const FUNCTION: &str = "evaluate-tier";

/// How long one member may lose races before it is left for another message.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// What the function needs to work.
#[derive(Debug)]
pub struct Door<L, P, Q, D> {
    /// Where points and levels are kept.
    pub ledger: L,
    /// What the shop decided.
    pub programs: CachedPrograms<P>,
    /// Where reviews go that are still to do.
    pub queue: Q,
    /// Where messages go that can never succeed.
    pub dead_letters: D,
}

/// When and for how long a message is worked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shift<'a> {
    /// The id of the message's delivery.
    pub(crate) message_id: &'a str,
    /// The instant at which it was received.
    pub(crate) now: Timestamp,
    /// When work has to end.
    pub(crate) deadline: Deadline,
}

impl<L: Ledger + Accounts + Members, P: Programs, Q: Queue<Review>, D: DeadLetters>
    Door<L, P, Q, D>
{
    /// Does what the messages of `event`, received at `received_at`, ask for, and counts what became of it.
    /// What could not be done goes back to the queue, and only that. A refusal is an answer.
    ///
    /// # Errors
    ///
    /// [`NoMessageId`]: the whole batch must come back.
    pub async fn handle(
        &self,
        event: SqsEvent,
        deadline: Deadline,
        received_at: Timestamp,
        metrics: &mut Metrics,
    ) -> Result<SqsBatchResponse, NoMessageId> {
        let work = async |message: &SqsMessage, metrics: &mut Metrics| {
            let message_id = message.message_id.as_deref().unwrap_or_default();
            let shift = Shift { message_id, now: received_at, deadline };
            let body = message.body.as_deref().unwrap_or_default();
            let review = Review::read(body.as_bytes()).map_err(hopeless)?;
            match review.into_asked(received_at).map_err(hopeless)? {
                Asked::One(request) => self.act(&request, message, shift, metrics).await,
                Asked::Plan(plan) => self.plan(plan, shift, metrics).await,
                Asked::Measure(page) => self.measure(page, shift, metrics).await,
            }
        };
        batch::handle(event, deadline, &self.dead_letters, metrics, work).await
    }
}

fn hopeless(error: ReviewError) -> Failure {
    Failure::Hopeless(Reason { name: error.name(), detail: error.to_string() })
}
