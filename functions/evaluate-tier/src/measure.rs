//! Measuring: each member of a page by a new version, once.

use jiff::Timestamp;
use loyalty_contracts::review::{MeasureMembers, Review};
use loyalty_domain::{command::Request, event::Event, id::MemberId, program::Program};
use loyalty_ledger::{
    Answer, Answered, Ledger, LedgerError, execute, members::Members, program::Programs,
    statement::Accounts,
};
use loyalty_runtime::{
    batch::Failure, clock::Deadline, dead_letter::DeadLetters, metric::Metrics, page,
    patience::FullJitter, queue::Queue,
};
use tracing::info;

use crate::{
    handler::{Door, PATIENCE, Shift},
    version::{Turn, turn},
};

/// What became of a member, as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measured {
    /// A higher level is there.
    Raised,
    /// A higher level is reached, and begins later.
    Awaited,
    /// A lower level is there.
    Lowered,
    /// The level is as it was, but for what had fallen due; or it is to be looked at on another day.
    Unchanged,
    /// Nothing is to be said, and nothing was written.
    Idle,
    /// It was measured before.
    Before,
    /// What is kept of the account cannot be counted.
    Refused,
}

impl Measured {
    const fn metric(self) -> &'static str {
        match self {
            Self::Raised => "Raised",
            Self::Awaited => "Awaited",
            Self::Lowered => "Lowered",
            Self::Unchanged => "Unchanged",
            Self::Idle => "Idle",
            Self::Before => "Repeated",
            Self::Refused => "Refused",
        }
    }

    /// What `events` of a measuring did to the level. What fell due before it is no part of it.
    fn by(events: &[Event]) -> Self {
        let has = |is: fn(&Event) -> bool| events.iter().any(is);
        if has(|it| matches!(it, Event::LevelReached { .. })) {
            Self::Raised
        } else if has(|it| matches!(it, Event::LevelAwaited(_))) {
            Self::Awaited
        } else if has(|it| matches!(it, Event::LevelLowered { .. })) {
            Self::Lowered
        } else {
            Self::Unchanged
        }
    }
}

impl<L: Ledger + Accounts + Members, P: Programs, Q: Queue<Review>, D: DeadLetters>
    Door<L, P, Q, D>
{
    pub(crate) async fn measure(
        &self,
        measure: MeasureMembers,
        shift: Shift<'_>,
        metrics: &mut Metrics,
    ) -> Result<(), Failure> {
        let programs =
            self.programs.programs().await.map_err(|error| Failure::Again(error.into()))?;
        let Shift { message_id, deadline, now } = shift;
        let (program, at) = match turn(&programs, Some(measure.version), now)? {
            Turn::Measure { program, at } => (program, at),
            Turn::Nothing { version, because } => {
                let members = measure.member_ids.len();
                info!(message_id, version, because, members, "nobody is to be measured");
                return Ok(());
            }
        };
        let work = async |it: &MemberId| self.measure_one(program, at, it, deadline).await;
        let page = page::each(measure.member_ids, message_id, deadline, work).await?;
        for measured in &page.answers {
            metrics.count(measured.metric());
        }
        let (version, members_left) = (measure.version, page.left.len());
        if members_left > 0 {
            let rest = Review::Measure(MeasureMembers { version, member_ids: page.left });
            self.queue.send(&[rest]).await.map_err(Failure::Again)?;
        }
        let number = |of: Measured| page.answers.iter().filter(|it| **it == of).count();
        info!(
            message_id,
            version,
            raised = number(Measured::Raised),
            awaited = number(Measured::Awaited),
            lowered = number(Measured::Lowered),
            unchanged = number(Measured::Unchanged),
            idle = number(Measured::Idle),
            repeated = number(Measured::Before),
            refused = number(Measured::Refused),
            members_left,
            "measured"
        );
        Ok(())
    }

    async fn measure_one(
        &self,
        program: &Program,
        at: Timestamp,
        member_id: &MemberId,
        deadline: Deadline,
    ) -> Result<Measured, LedgerError> {
        let request = Request::measure(member_id.clone(), program.spec().version, at);
        let mut patience = FullJitter::until(deadline.or_after(PATIENCE));
        let answered = execute(&self.ledger, program, &mut patience, &request).await?;
        Ok(match answered {
            Answered::Now(entry) => match &entry.answer {
                Answer::Accepted(events) => Measured::by(events),
                // A measuring waits for nothing.
                Answer::Refused(_) | Answer::Waiting(_) => Measured::Refused,
            },
            Answered::Idle => Measured::Idle,
            // Nothing but its version is in the content, which is in the id.
            Answered::Before(_) | Answered::Reused(_) => Measured::Before,
            Answered::Declined(_) | Answered::Taken(_) => Measured::Refused,
        })
    }
}
