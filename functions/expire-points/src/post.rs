//! Posting: what fell due for each member of a page.
//!
//! A page with failures shrinks: the members that are left go back as a smaller message, and one that no
//! longer gets smaller fails as a whole, comes back later, and ends in the dead letters with nobody in it but
//! those who cannot be posted.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use loyalty_contracts::work::{PostDue, Work};
use loyalty_domain::id::MemberId;
use loyalty_ledger::{
    Answer, Answered, Ledger, LedgerError,
    due::{DueWork, post_due},
    execute,
    program::Programs,
};
use loyalty_runtime::{
    batch::Failure, clock::Deadline, dead_letter::DeadLetters, log::ErrorChain, metric::Metrics,
    patience::FullJitter,
};
use tracing::{error, info, warn};

use crate::{
    handler::{Begun, Door, Shift, begun},
    queue::WorkQueue,
};

/// How long one member may lose races before it is left for another message.
const PATIENCE: Duration = Duration::from_secs(5);

/// What became of a member, as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Posted {
    /// Something had fallen due.
    Something,
    /// Nothing had, which is written all the same: it says when to look again.
    Nothing,
    /// It was posted before.
    Before,
    /// What is kept of the account cannot be counted. It is found again every night.
    Refused,
}

impl Posted {
    const ALL: [Self; 4] = [Self::Something, Self::Nothing, Self::Before, Self::Refused];

    const fn metric(self) -> &'static str {
        match self {
            Self::Something => "Posted",
            Self::Nothing => "NothingDue",
            Self::Before => "Repeated",
            Self::Refused => "Refused",
        }
    }
}

impl<L: Ledger + DueWork, P: Programs, Q: WorkQueue, D: DeadLetters> Door<L, P, Q, D> {
    pub(crate) async fn post(
        &self,
        post: PostDue,
        shift: Shift<'_>,
        metrics: &mut Metrics,
    ) -> Result<(), Failure> {
        let programs =
            self.programs.programs().await.map_err(|error| Failure::Again(error.into()))?;
        let begun = begun(&programs, Some(post.day), shift.now)?;
        let message_id = shift.message_id;
        let mut counts = [0_u64; Posted::ALL.len()];
        let mut left = Vec::new();
        let mut failure = None;
        for member_id in post.member_ids {
            if shift.deadline.left().is_zero() {
                left.push(member_id);
                continue;
            }
            let posting = self.post_one(&begun, &member_id, shift.deadline);
            // A panic costs its own member: the others of its page would never have their turn.
            match AssertUnwindSafe(posting).catch_unwind().await {
                Ok(Ok(posted)) => {
                    for (count, _) in
                        counts.iter_mut().zip(Posted::ALL).filter(|(_, it)| *it == posted)
                    {
                        *count = count.saturating_add(1);
                    }
                }
                Ok(Err(error)) => {
                    let chain = ErrorChain(&error);
                    warn!(message_id, error = %chain, "a member could not be posted");
                    failure = Some(error.into());
                    left.push(member_id);
                }
                Err(_) => {
                    error!(message_id, "a member made the function panic, which is a bug");
                    left.push(member_id);
                }
            }
        }
        for (posted, count) in Posted::ALL.into_iter().zip(counts).filter(|(_, it)| *it > 0) {
            metrics.add(posted.metric(), count);
        }
        let members_left = left.len();
        if counts.iter().all(|it| *it == 0) && members_left > 0 {
            let failure = failure.unwrap_or_else(|| "nobody of the page could be posted".into());
            return Err(Failure::Again(failure));
        }
        if members_left > 0 {
            let rest = Work::Post(PostDue { day: post.day, member_ids: left });
            self.queue.send(&[rest]).await.map_err(Failure::Again)?;
        }
        let [posted, nothing_due, repeated, refused] = counts;
        let day = post.day;
        info!(message_id, %day, posted, nothing_due, repeated, refused, members_left, "posted");
        Ok(())
    }

    async fn post_one(
        &self,
        Begun { day, at, program }: &Begun<'_>,
        member_id: &MemberId,
        deadline: Deadline,
    ) -> Result<Posted, LedgerError> {
        let request = post_due(member_id.clone(), *day, *at);
        let mut patience = FullJitter::until(deadline.or_after(PATIENCE));
        let answered = execute(&self.ledger, program, &mut patience, &request).await?;
        Ok(match answered {
            Answered::Now(entry) => match &entry.answer {
                Answer::Accepted(events) if events.is_empty() => Posted::Nothing,
                Answer::Accepted(_) => Posted::Something,
                // Due work waits for nothing.
                Answer::Refused(_) | Answer::Waiting(_) => Posted::Refused,
            },
            // Nothing but its day is in the content, which is in the id.
            Answered::Before(_) | Answered::Reused(_) | Answered::Idle => Posted::Before,
            Answered::Declined(_) => Posted::Refused,
        })
    }
}
