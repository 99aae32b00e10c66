//! Tells one message from the other, and does what it asks for.

use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use jiff::Timestamp;
use loyalty_contracts::{
    api::reason,
    referral::{Asked, Message, Pending, ReferralError},
};
use loyalty_domain::{command::Request, program::in_force};
use loyalty_ledger::{
    Answered, Ledger, execute,
    profile::{Friend, Profiles},
    program::Programs,
};
use loyalty_runtime::{
    batch::{self, Failure, NoMessageId, correlation_id},
    clock::Deadline,
    dead_letter::{DeadLetters, Reason},
    metric::Metrics,
    patience::FullJitter,
    program::CachedPrograms,
};
use tracing::info;

use crate::outcome::Outcome;

/// How this function is called in metrics.
pub const FUNCTION: &str = "issue-referral-reward";

/// How long one friend may lose races before it is left for another message: friends of one referrer race for
/// one account.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the function needs to work.
#[derive(Debug)]
pub struct Door<L, P, R, D> {
    /// Where points are kept.
    pub ledger: L,
    /// What the shop decided.
    pub programs: CachedPrograms<P>,
    /// Where it is kept whom a referrer brought.
    pub profiles: R,
    /// Where messages go that can never succeed.
    pub dead_letters: D,
}

impl<L: Ledger, P: Programs, R: Profiles, D: DeadLetters> Door<L, P, R, D> {
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
            let body = message.body.as_deref().unwrap_or_default();
            let read = Message::read(body.as_bytes()).map_err(hopeless)?;
            let outcome = match read.into_asked(received_at).map_err(hopeless)? {
                Asked::Keep(pending) => self.keep(pending).await?,
                Asked::One(request) => self.settle(&request, deadline).await?,
            };
            metrics.count(outcome.metric());
            if let Some(refused_for) = outcome.refused_for() {
                metrics.count(refused_for);
            }
            let message_id = message.message_id.as_deref().unwrap_or_default();
            // The sender's own id of the message, or else the delivery's.
            let correlation_id = correlation_id(message).unwrap_or(message_id);
            // Whose referral it is stays out of logs: the message's id leads to it while it is in the queue.
            let said = outcome.said();
            info!(message_id, correlation_id, refusal = outcome.refusal(), "{said}");
            Ok(())
        };
        batch::handle(event, deadline, &self.dead_letters, metrics, work).await
    }

    /// Keeps whom a referrer brought. Who is kept already stays as they are.
    async fn keep(&self, pending: Pending) -> Result<Outcome, Failure> {
        let Pending { friend, referrer, at } = pending;
        let friend = Friend { member_id: friend, at };
        let kept = self.profiles.add_friend(&referrer, &friend).await;
        kept.map_err(|error| Failure::Again(error.into()))?;
        Ok(Outcome::Noted)
    }

    /// Answers `request` under the version in force at its own instant: for what is due, that at which it became
    /// so.
    async fn settle(&self, request: &Request, deadline: Deadline) -> Result<Outcome, Failure> {
        let programs =
            self.programs.programs().await.map_err(|error| Failure::Again(error.into()))?;
        // Never empty; were it, trying again would be right.
        let program = in_force(&programs, request.at)
            .ok_or_else(|| Failure::Again("there is no program".into()))?;
        let mut patience = FullJitter::until(deadline.or_after(PATIENCE));
        let answered = execute(&self.ledger, program, &mut patience, request)
            .await
            .map_err(|error| Failure::Again(error.into()))?;
        match answered {
            Answered::Now(entry) => Ok(Outcome::of(&entry)),
            Answered::Before(_) => Ok(Outcome::Repeated),
            // Who is not active yet is asked for again by becoming it, and what was taken back by the next order.
            Answered::Idle => Ok(Outcome::Idle),
            // Nothing is stored of these, so they must not be lost here.
            Answered::Declined(rejection) => {
                let detail = format!("the program does not allow it: {}", reason(&rejection));
                Err(Failure::Hopeless(Reason { name: "declined", detail }))
            }
            Answered::Taken(_) => {
                let detail = "nothing was to be taken from anybody".to_owned();
                Err(Failure::Hopeless(Reason { name: "taken", detail }))
            }
            Answered::Reused(_) => {
                let detail = "the actor's key had other content before, which stands".to_owned();
                Err(Failure::Hopeless(Reason { name: "id_reused", detail }))
            }
        }
    }
}

fn hopeless(error: ReferralError) -> Failure {
    Failure::Hopeless(Reason { name: error.name(), detail: error.to_string() })
}
