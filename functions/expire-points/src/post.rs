//! Posting: what fell due for each member of a page, which shrinks where some of them fail.

use std::time::Duration;

use loyalty_contracts::{
    review::Review,
    work::{PostDue, Work},
};
use loyalty_domain::id::MemberId;
use loyalty_ledger::{
    Answer, Answered, Ledger, LedgerError,
    due::{DueWork, post_due},
    execute,
    program::Programs,
};
use loyalty_runtime::{
    batch::Failure, clock::Deadline, dead_letter::DeadLetters, metric::Metrics, page,
    patience::FullJitter, queue::Queue,
};
use tracing::info;

use crate::handler::{Begun, Door, Shift, begun};

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
    const fn metric(self) -> &'static str {
        match self {
            Self::Something => "Posted",
            Self::Nothing => "NothingDue",
            Self::Before => "Repeated",
            Self::Refused => "Refused",
        }
    }
}

impl<L: Ledger + DueWork, P: Programs, Q: Queue<Work>, R: Queue<Review>, D: DeadLetters>
    Door<L, P, Q, R, D>
{
    pub(crate) async fn post(
        &self,
        post: PostDue,
        shift: Shift<'_>,
        metrics: &mut Metrics,
    ) -> Result<(), Failure> {
        let programs =
            self.programs.programs().await.map_err(|error| Failure::Again(error.into()))?;
        let begun = begun(&programs, Some(post.day), shift.now)?;
        let Shift { message_id, deadline, .. } = shift;
        let work = async |it: &MemberId| self.post_one(&begun, it, deadline).await;
        let page = page::each(post.member_ids, message_id, deadline, work).await?;
        for posted in &page.answers {
            metrics.count(posted.metric());
        }
        let members_left = page.left.len();
        if members_left > 0 {
            let rest = Work::Post(PostDue { day: post.day, member_ids: page.left });
            self.queue.send(&[rest]).await.map_err(Failure::Again)?;
        }
        let number = |posted: Posted| page.answers.iter().filter(|it| **it == posted).count();
        info!(
            message_id,
            day = %post.day,
            posted = number(Posted::Something),
            nothing_due = number(Posted::Nothing),
            repeated = number(Posted::Before),
            refused = number(Posted::Refused),
            members_left,
            "posted"
        );
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
            Answered::Declined(_) | Answered::Taken(_) => Posted::Refused,
        })
    }
}
