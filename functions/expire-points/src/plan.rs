//! Planning: who is due, found shard by shard, and put on the queue in pages.
//!
//! Nothing is remembered of it but what lies on the queue: whoever is due is in the index until what fell due
//! is posted. Killed anywhere, the message that asked for it comes back, and what was put on the queue before
//! is there twice, which costs a read for each member. What is not finished in time is put on the queue as a
//! smaller plan.
//!
//! A night also asks for all members to be measured by the version in force, if it may be a new one: what
//! reads that sees whether it was done, so a sweep that was lost begins again without anybody.

use std::{collections::VecDeque, time::Duration};

use futures_util::future::join_all;
use jiff::civil::Date;
use loyalty_contracts::{
    review::{PlanMeasuring, Review},
    work::{DueMember, MEMBERS_MAX, PlanDue, PostDue, ShardLeft, Work},
};
use loyalty_domain::id::MemberId;
use loyalty_ledger::{
    Ledger,
    due::{DueMembers, DuePlace, DueWork},
    program::Programs,
};
use loyalty_runtime::{
    batch::Failure, dead_letter::DeadLetters, log::ErrorChain, metric::Metrics, queue::Queue,
};
use tracing::{info, warn};

use crate::handler::{Door, Shift, begun};

/// How many shards are read at once.
const SHARDS_AT_ONCE: usize = 8;
/// How many members one reading asks for: their keys are 10 KB, or 1.5 read units.
const READ_MAX: u16 = 100;
/// How long one message is planned: far from the function's timeout, since the next one goes on where it was.
const PLANNED_FOR: Duration = Duration::from_secs(20);

/// The metric of members who were put on the queue.
const PLANNED: &str = "Planned";

impl<L: Ledger + DueWork, P: Programs, Q: Queue<Work>, R: Queue<Review>, D: DeadLetters>
    Door<L, P, Q, R, D>
{
    pub(crate) async fn plan(
        &self,
        plan: PlanDue,
        shift: Shift<'_>,
        metrics: &mut Metrics,
    ) -> Result<(), Failure> {
        let programs =
            self.programs.programs().await.map_err(|error| Failure::Again(error.into()))?;
        let day = begun(&programs, plan.day, shift.now)?.day;
        // What goes on, or makes up for a day, names it.
        let is_night = plan == PlanDue::default();
        let all = || (0..self.ledger.shards()).map(|shard| ShardLeft { shard, after: None });
        let shards = plan.shards.map_or_else(|| all().collect(), VecDeque::from);
        let mut walk = Walk { shards, found: Vec::new(), failed: Vec::new(), failure: None };
        let until = shift.deadline.or_after(PLANNED_FOR);
        let (mut is_any, mut planned) = (false, 0_usize);
        loop {
            is_any |= walk.step(&self.ledger, day).await;
            planned = planned.saturating_add(self.send(&mut walk.found, MEMBERS_MAX, day).await?);
            // After one step at least: a plan that came to nothing would come for ever.
            if walk.shards.is_empty() || until.left().is_zero() {
                break;
            }
        }
        planned = planned.saturating_add(self.send(&mut walk.found, 1, day).await?);
        metrics.add(PLANNED, planned.try_into().unwrap_or(u64::MAX));
        let left: Vec<ShardLeft> = walk.failed.into_iter().chain(walk.shards).collect();
        let shards_left = left.len();
        if let (false, Some(failure)) = (is_any, walk.failure) {
            return Err(Failure::Again(failure));
        }
        if !left.is_empty() {
            let rest = PlanDue { day: Some(day), shards: Some(left) };
            self.queue.send(&[Work::Plan(rest)]).await.map_err(Failure::Again)?;
        }
        if is_night && programs.len() > 1 {
            let sweep = Review::Plan(PlanMeasuring::default());
            self.reviews.send(&[sweep]).await.map_err(Failure::Again)?;
        }
        let message_id = shift.message_id;
        info!(message_id, %day, planned, shards_left, "planned");
        Ok(())
    }

    /// Puts members on the queue in pages, as long as there are at least `least` of them; says how many.
    async fn send(
        &self,
        found: &mut Vec<MemberId>,
        least: usize,
        day: Date,
    ) -> Result<usize, Failure> {
        let mut pages = Vec::new();
        let mut number = 0_usize;
        while found.len() >= least {
            let page: Vec<MemberId> = found.drain(..found.len().min(MEMBERS_MAX)).collect();
            number = number.saturating_add(page.len());
            pages.push(Work::Post(PostDue { day, member_ids: page }));
        }
        if !pages.is_empty() {
            self.queue.send(&pages).await.map_err(Failure::Again)?;
        }
        Ok(number)
    }
}

/// A walk through the shards.
struct Walk {
    /// Where there is still somebody to find.
    shards: VecDeque<ShardLeft>,
    /// Who was found and is not on the queue yet.
    found: Vec<MemberId>,
    /// Shards that could not be read.
    failed: Vec<ShardLeft>,
    /// Why not, of the last one.
    failure: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Walk {
    /// Reads on in some shards; says whether any could be read. One that could not waits for another message,
    /// and does not stop the others.
    async fn step(&mut self, ledger: &impl DueWork, day: Date) -> bool {
        let length = self.shards.len().min(SHARDS_AT_ONCE);
        let reading: Vec<(ShardLeft, Option<DuePlace>)> =
            self.shards.drain(..length).map(|it| (it.clone(), it.after.map(place))).collect();
        let pages = reading
            .iter()
            .map(|(left, after)| ledger.due_members(left.shard, day, after.as_ref(), READ_MAX));
        let pages = join_all(pages).await;
        let mut is_any = false;
        for ((left, _), page) in reading.into_iter().zip(pages) {
            match page {
                Ok(DueMembers { members, next }) => {
                    is_any = true;
                    self.found.extend(members);
                    if let Some(next) = next {
                        let after = Some(due_member(next));
                        self.shards.push_back(ShardLeft { after, ..left });
                    }
                }
                Err(error) => {
                    let chain = ErrorChain(&error);
                    warn!(shard = left.shard, error = %chain, "a shard could not be read");
                    self.failed.push(left);
                    self.failure = Some(error.into());
                }
            }
        }
        is_any
    }
}

fn place(member: DueMember) -> DuePlace {
    DuePlace { due_after: member.due_after, member_id: member.member_id }
}

fn due_member(place: DuePlace) -> DueMember {
    DueMember { due_after: place.due_after, member_id: place.member_id }
}
