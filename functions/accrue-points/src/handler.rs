//! Translates messages into requests, and answers into what the queue is told.

use std::time::Duration;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use jiff::Timestamp;
use loyalty_domain::{id::CommandId, program::in_force};
use loyalty_ledger::{Answer, Answered, Entry, Ledger, execute, program::Programs};
use loyalty_runtime::{
    batch::{self, Failure, NoMessageId, correlation_id},
    clock::Deadline,
    dead_letter::{DeadLetters, Reason},
    metric::Metrics,
    patience::FullJitter,
    program::CachedPrograms,
};
use tracing::info;

/// How this function is called in metrics.
pub const FUNCTION: &str = "accrue-points";

/// How long one message may lose races before it goes back to the queue.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the function needs to answer.
#[derive(Debug)]
pub struct Door<L, P, D> {
    /// Where points are kept.
    pub ledger: L,
    /// What the shop decided.
    pub programs: CachedPrograms<P>,
    /// Where messages go that can never succeed.
    pub dead_letters: D,
}

impl<L: Ledger, P: Programs, D: DeadLetters> Door<L, P, D> {
    /// Answers the messages of `event`, received at `received_at`, and counts what became of them. Those
    /// that could not be answered, and only those, go back to the queue. A refusal is an answer.
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
            self.answer(message, deadline, received_at, metrics).await
        };
        batch::handle(event, deadline, &self.dead_letters, metrics, work).await
    }

    async fn answer(
        &self,
        message: &SqsMessage,
        deadline: Deadline,
        received_at: Timestamp,
        metrics: &mut Metrics,
    ) -> Result<(), Failure> {
        let body = message.body.as_deref().unwrap_or_default();
        let request = loyalty_contracts::parse(body.as_bytes(), received_at).map_err(|error| {
            Failure::Hopeless(Reason { name: error.name(), detail: error.to_string() })
        })?;
        let programs =
            self.programs.programs().await.map_err(|error| Failure::Again(error.into()))?;
        // Never empty; were it, trying again would be right.
        let program = in_force(&programs, request.at)
            .ok_or_else(|| Failure::Again("there is no program".into()))?;
        let mut patience = FullJitter::until(deadline.or_after(PATIENCE));
        let answered = execute(&self.ledger, program, &mut patience, &request)
            .await
            .map_err(|error| Failure::Again(error.into()))?;
        let ((said, metric), entry) = match answered {
            Answered::Now(entry) => (said(&entry), entry),
            Answered::Before(entry) => (("repeated", "Repeated"), entry),
            // No event is a measure of a new version, nor does any enroll somebody.
            Answered::Idle | Answered::Taken(_) => return Ok(()),
            // Nothing is stored of it, so it must not be lost here: what it rests on can be mended.
            Answered::Declined(rejection) => {
                let name = loyalty_contracts::api::reason(&rejection);
                let detail = format!("the program in force does not allow it: {name}");
                return Err(Failure::Hopeless(Reason { name: "declined", detail }));
            }
            Answered::Reused(entry) => {
                let detail = format!(
                    "{} was announced before with other content, which stands; a correction is an event \
                     with an id of its own",
                    kind(&entry.id)
                );
                return Err(Failure::Hopeless(Reason { name: "id_reused", detail }));
            }
        };
        metrics.count(metric);
        let message_id = message.message_id.as_deref().unwrap_or_default();
        // The sender's own id of the event, or else the delivery's: from it to the entry in one line.
        let correlation_id = correlation_id(message).unwrap_or(message_id);
        let refusal = match &entry.answer {
            Answer::Refused(rejection) => Some(rejection.to_string()),
            Answer::Accepted(_) | Answer::Waiting(_) => None,
        };
        info!(
            message_id,
            correlation_id,
            entry = entry_id(&entry.id),
            sequence = entry.sequence,
            program_version = entry.program_version,
            refusal,
            "{said}"
        );
        Ok(())
    }
}

/// The entry's answer, as it is logged and as it is counted.
fn said(entry: &Entry) -> (&'static str, &'static str) {
    match entry.answer {
        Answer::Accepted(_) => ("accepted", "Accepted"),
        Answer::Waiting(_) => ("waiting", "Waiting"),
        Answer::Refused(_) => ("refused", "Refused"),
    }
}

/// What the id is of, in a word.
fn kind(id: &CommandId) -> &'static str {
    match id {
        CommandId::Order(_) => "the order",
        CommandId::Refund(..) => "the refund",
        CommandId::Change(..) => "the change",
        CommandId::Cancel(_) => "the cancellation",
        CommandId::Request { .. } => "the request",
        CommandId::Due(..) => "the day",
        CommandId::Opening(_) => "the balance",
        CommandId::Activity(..) => "the activity",
        CommandId::Task(..) => "the task",
        CommandId::Measured(..) | CommandId::Version(_) => "the new version",
        CommandId::Enrollment(_) | CommandId::Activation(_) => "the member",
        CommandId::Referral(_) | CommandId::ReferralReward(_) | CommandId::ReferralRevoked(_) => {
            "the referral"
        }
        CommandId::Claim(_) => "the claim",
        CommandId::Redemption(..) | CommandId::RedemptionStep(..) => "the redemption",
        CommandId::Counterpart(..) => "the other side",
    }
}

/// The id of an entry under an order. Others name members, and stay out of logs.
fn entry_id(id: &CommandId) -> Option<String> {
    id.order_id().map(|_| id.to_string())
}
