//! What is about one member: growth, a task, a level that staff set or lift.

use aws_lambda_events::event::sqs::SqsMessage;
use loyalty_contracts::{api::reason, review::Review};
use loyalty_domain::{command::Request, id::CommandId, program::in_force};
use loyalty_ledger::{
    Answer, Answered, Ledger, execute, members::Members, program::Programs, statement::Accounts,
};
use loyalty_runtime::{
    batch::{Failure, correlation_id},
    dead_letter::{DeadLetters, Reason},
    metric::Metrics,
    patience::FullJitter,
    queue::Queue,
};
use tracing::info;

use crate::handler::{Door, PATIENCE, Shift};

impl<L: Ledger + Accounts + Members, P: Programs, Q: Queue<Review>, D: DeadLetters>
    Door<L, P, Q, D>
{
    /// Answers `request` under the version in force at its own instant.
    pub(crate) async fn act(
        &self,
        request: &Request,
        message: &SqsMessage,
        shift: Shift<'_>,
        metrics: &mut Metrics,
    ) -> Result<(), Failure> {
        let programs =
            self.programs.programs().await.map_err(|error| Failure::Again(error.into()))?;
        // Never empty; were it, trying again would be right.
        let program = in_force(&programs, request.at)
            .ok_or_else(|| Failure::Again("there is no program".into()))?;
        let mut patience = FullJitter::until(shift.deadline.or_after(PATIENCE));
        let answered = execute(&self.ledger, program, &mut patience, request)
            .await
            .map_err(|error| Failure::Again(error.into()))?;
        let ((said, metric), entry) = match answered {
            Answered::Now(entry) => match &entry.answer {
                // Nothing of this waits.
                Answer::Accepted(_) | Answer::Waiting(_) => (("accepted", "Accepted"), entry),
                Answer::Refused(_) => (("refused", "Refused"), entry),
            },
            Answered::Before(entry) => (("repeated", "Repeated"), entry),
            // Only a measure of a new version is, and nobody enrolls here.
            Answered::Idle | Answered::Taken(_) => return Ok(()),
            // Nothing is stored of it, so it must not be lost here.
            Answered::Declined(rejection) => {
                let detail = format!("the program does not allow it: {}", reason(&rejection));
                return Err(Failure::Hopeless(Reason { name: "declined", detail }));
            }
            Answered::Reused(entry) => {
                let detail = format!("{} had other content before, which stands", kind(&entry.id));
                return Err(Failure::Hopeless(Reason { name: "id_reused", detail }));
            }
        };
        metrics.count(metric);
        let message_id = shift.message_id;
        // The sender's own id of the message, or else the delivery's.
        let correlation_id = correlation_id(message).unwrap_or(message_id);
        // The account's member and what staff wrote stay out of logs: the kind and the number say which.
        let what = kind(&entry.id);
        let refusal = match &entry.answer {
            Answer::Refused(rejection) => Some(reason(rejection)),
            Answer::Accepted(_) | Answer::Waiting(_) => None,
        };
        info!(
            message_id,
            correlation_id,
            what,
            sequence = entry.sequence,
            program_version = entry.program_version,
            refusal,
            "{said}"
        );
        Ok(())
    }
}

/// What the id is of, in words.
const fn kind(id: &CommandId) -> &'static str {
    match id {
        CommandId::Activity(..) => "the activity",
        CommandId::Task(..) => "the task",
        CommandId::Request { .. } => "the actor's key",
        CommandId::Order(_)
        | CommandId::Refund(..)
        | CommandId::Change(..)
        | CommandId::Cancel(_)
        | CommandId::Due(..)
        | CommandId::Opening(_)
        | CommandId::Measured(..)
        | CommandId::Version(_)
        | CommandId::Enrollment(_)
        | CommandId::Activation(_)
        | CommandId::Referral(_)
        | CommandId::ReferralReward(_)
        | CommandId::ReferralRevoked(_)
        | CommandId::Claim(_)
        | CommandId::Redemption(..)
        | CommandId::RedemptionStep(..)
        | CommandId::Counterpart(..) => "the id",
    }
}
