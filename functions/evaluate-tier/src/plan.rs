//! Planning: all members, found page by page, and put on the queue to be measured.
//!
//! Killed anywhere, the message comes back, and some members are on the queue twice, which costs a read or two
//! for each. What is not finished in time goes on from its place by another message. Once the walk is at its
//! end, that is kept for ever, so that whoever asks for the same again is told at once.

use std::time::Duration;

use loyalty_contracts::{
    review::{MeasureMembers, PlanMeasuring, Review},
    work::MEMBERS_MAX,
};
use loyalty_domain::{
    command::Request,
    id::{CommandId, MemberId},
};
use loyalty_ledger::{
    Ledger, Reading, execute,
    members::{FoundMembers, Members, MembersPlace},
    program::Programs,
    statement::Accounts,
};
use loyalty_runtime::{
    batch::Failure, dead_letter::DeadLetters, log::ErrorChain, metric::Metrics,
    patience::FullJitter, queue::Queue,
};
use tracing::{info, warn};

use crate::{
    handler::{Door, PATIENCE, Shift},
    version::{Turn, turn},
};

/// How many items one reading looks at: as many as a megabyte has, which is the most that the store reads.
const READ_MAX: u16 = 1_000;
/// How long one message is planned: far from the function's timeout, since the next one goes on where it was.
const PLANNED_FOR: Duration = Duration::from_secs(20);

/// The metric of members who were put on the queue.
const PLANNED: &str = "Planned";

impl<L: Ledger + Accounts + Members, P: Programs, Q: Queue<Review>, D: DeadLetters>
    Door<L, P, Q, D>
{
    pub(crate) async fn plan(
        &self,
        plan: PlanMeasuring,
        shift: Shift<'_>,
        metrics: &mut Metrics,
    ) -> Result<(), Failure> {
        let programs =
            self.programs.programs().await.map_err(|error| Failure::Again(error.into()))?;
        let message_id = shift.message_id;
        let (program, at) = match turn(&programs, plan.version, shift.now)? {
            Turn::Measure { program, at } => (program, at),
            Turn::Nothing { version, because } => {
                info!(message_id, version, because, "nobody is to be measured");
                return Ok(());
            }
        };
        let version = program.spec().version;
        let again = plan.again;
        let marker = [CommandId::Version(version)];
        let known = self.ledger.find_entries(&marker, Reading::Cheap).await;
        if !known.map_err(|error| Failure::Again(error.into()))?.is_empty() && !again {
            info!(message_id, version, because = "done before", "nobody is to be measured");
            return Ok(());
        }
        let until = shift.deadline.or_after(PLANNED_FOR);
        let mut after = plan.after.map(MembersPlace);
        let (mut found, mut planned, mut is_any) = (Vec::new(), 0_usize, false);
        let next = loop {
            match self.ledger.members(after.as_ref(), READ_MAX).await {
                Ok(FoundMembers { members, next }) => {
                    is_any = true;
                    found.extend(members);
                    let sent = self.send(&mut found, MEMBERS_MAX, version).await?;
                    planned = planned.saturating_add(sent);
                    // After one page at least: a plan that came to nothing would come for ever.
                    if next.is_none() || until.left().is_zero() {
                        break next;
                    }
                    after = next;
                }
                // Another message goes on from here.
                Err(error) if is_any => {
                    warn!(message_id, error = %ErrorChain(&error), "members could not be read");
                    break after;
                }
                Err(error) => return Err(Failure::Again(error.into())),
            }
        };
        planned = planned.saturating_add(self.send(&mut found, 1, version).await?);
        metrics.add(PLANNED, planned.try_into().unwrap_or(u64::MAX));
        let is_whole = next.is_none();
        if let Some(MembersPlace(after)) = next {
            let rest = PlanMeasuring { version: Some(version), after: Some(after), again };
            self.queue.send(&[Review::Plan(rest)]).await.map_err(Failure::Again)?;
        } else {
            let mut patience = FullJitter::until(shift.deadline.or_after(PATIENCE));
            let end = Request::end_measuring(version, at);
            let ended = execute(&self.ledger, program, &mut patience, &end).await;
            ended.map_err(|error| Failure::Again(error.into()))?;
        }
        info!(message_id, version, planned, is_whole, "planned");
        Ok(())
    }

    /// Puts members on the queue in pages, as long as there are at least `least` of them; says how many.
    async fn send(
        &self,
        found: &mut Vec<MemberId>,
        least: usize,
        version: u32,
    ) -> Result<usize, Failure> {
        let mut pages = Vec::new();
        let mut number = 0_usize;
        while found.len() >= least {
            let page: Vec<MemberId> = found.drain(..found.len().min(MEMBERS_MAX)).collect();
            number = number.saturating_add(page.len());
            pages.push(Review::Measure(MeasureMembers { version, member_ids: page }));
        }
        if !pages.is_empty() {
            self.queue.send(&pages).await.map_err(Failure::Again)?;
        }
        Ok(number)
    }
}
