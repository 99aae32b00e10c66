//! `run-day`: the work of a night, at once and while somebody looks.

use std::{
    collections::{HashMap, HashSet},
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::try_join_all;
use jiff::civil::Date;
use loyalty_contracts::work::{PlanDue, Work};
use loyalty_domain::{
    event::Event,
    id::{CommandId, MemberId},
    program::in_force,
};
use loyalty_ledger::{Answer, Entry, Reading, due::DueWork as _, statement::Accounts as _};
use loyalty_runtime::clock::{self, Deadline};

use super::{
    StackError,
    target::{Stack, Target},
};
use crate::simulate::{
    Bar, day,
    report::{count, of, size},
};

/// How long nothing may be posted: longer than five deliveries of a message that fails.
const GIVEN_UP: Duration = Duration::from_mins(40);
/// The pause before the ledger is asked again.
const PAUSE: Duration = Duration::from_millis(200);
/// How many entries one call of the ledger reads.
const LOOK_UP: usize = 100;
/// How many calls are made at once.
const CALLS: usize = 8;
/// How many members one reading of the index asks for.
const READ_MAX: u16 = 1_000;

/// Posts what fell due by a day, as the stack does every night by itself: expired points, levels reviewed.
///
/// It puts the same message on the same queue as the schedule, but for the day, and waits until the functions
/// have posted what the ledger says is due. Run again, it posts nothing twice.
#[derive(clap::Args, Debug)]
pub(crate) struct RunDay {
    /// By the first instant of which day; it must have begun. Whatever fell due before it is posted, too.
    #[arg(value_name = "DAY", value_parser = day)]
    day: Date,
    #[command(flatten)]
    target: Target,
}

/// What was posted, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    entries: u64,
    nothing_due: u64,
    refused: u64,
    /// Lots, and points in them.
    expired: (u64, u128),
    matured: (u64, u128),
    reviewed: u64,
}

impl RunDay {
    /// Does it; the report goes to `out`.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), StackError> {
        let stack = self.target.find()?;
        let programs = stack.programs()?;
        let now = clock::now();
        let program = in_force(&programs, now)
            .ok_or_else(|| StackError::NoProgram { title: stack.title.clone() })?;
        let begins = program.calendar().midnight(self.day);
        if !begins.is_ok_and(|it| it <= now) {
            let zone = program.calendar().name().to_owned();
            return Err(StackError::NotBegun { day: self.day, zone });
        }
        let due = stack.wait(self.due(&stack))?;
        let done = Arc::default();
        let mut night = Night { stack: &stack, day: self.day, done: Arc::clone(&done) };
        let before = stack.wait(night.posted(&due))?;
        let due: Vec<MemberId> = due.into_iter().filter(|it| !before.contains_key(it)).collect();
        let posted = if due.is_empty() {
            Tally::default()
        } else {
            let plan = Work::Plan(PlanDue { day: Some(self.day), shards: None });
            stack.wait(night.send(&plan))?;
            let bar = Bar::new("posting", size(due.len()), false, done);
            let posted = stack.wait(night.wait_for(&due));
            drop(bar);
            posted?
        };
        self.write(out, &stack, due.len(), before.len(), &posted).map_err(StackError::Output)
    }

    /// All who are due, as the ledger says.
    async fn due(&self, stack: &Stack) -> Result<Vec<MemberId>, StackError> {
        let ledger = stack.ledger();
        let shards = (0..ledger.shards()).map(async |shard| {
            let mut members = Vec::new();
            let mut after = None;
            loop {
                let page = ledger.due_members(shard, self.day, after.as_ref(), READ_MAX).await?;
                members.extend(page.members);
                match page.next {
                    Some(next) => after = Some(next),
                    None => return Ok(members),
                }
            }
        });
        let shards = try_join_all(shards).await.map_err(StackError::NotRead)?;
        Ok(shards.into_iter().flatten().collect())
    }

    fn write(
        &self,
        out: &mut dyn Write,
        stack: &Stack,
        due: usize,
        before: usize,
        posted: &Tally,
    ) -> io::Result<()> {
        let (day, title) = (self.day, &stack.title);
        let members = of(size(due), "member");
        writeln!(out, "{members} of {title} had something due by {day}.\n")?;
        let Tally { entries, nothing_due, refused, expired, matured, reviewed } = *posted;
        let mut row = |number: u64, what: &str| {
            if number == 0 { Ok(()) } else { writeln!(out, "{:>9}  {what}", count(number)) }
        };
        row(entries, "entries posted")?;
        row(expired.0, &format!("lots expired, with {} points", expired.1))?;
        row(matured.0, &format!("groups of points became available, {} points", matured.1))?;
        row(reviewed, "levels reviewed")?;
        row(nothing_due, "accounts had nothing due after all, and are looked at later")?;
        row(refused, "accounts cannot be counted: a bug of ours")?;
        row(size(before), "members were posted before")
    }
}

/// One night's work while it is done.
struct Night<'a> {
    stack: &'a Stack,
    day: Date,
    done: Arc<AtomicU64>,
}

impl Night<'_> {
    async fn send(&mut self, work: &Work) -> Result<(), StackError> {
        let body = work.body().map_err(|error| StackError::NightNotSent(error.into()))?;
        let queue_url = &self.stack.outputs.expiry_work_queue_url;
        let send = self.stack.sqs().send_message().queue_url(queue_url).message_body(body);
        send.send().await.map_err(|error| StackError::NightNotSent(error.into()))?;
        Ok(())
    }

    /// The entries of this day that `members` have.
    async fn posted(
        &self,
        members: &[MemberId],
    ) -> Result<HashMap<MemberId, Arc<Entry>>, StackError> {
        let ids: Vec<CommandId> =
            members.iter().map(|it| CommandId::Due(it.clone(), self.day)).collect();
        let mut found = HashMap::new();
        for group in ids.chunks(CALLS * LOOK_UP) {
            let reads = group.chunks(LOOK_UP);
            let reads = reads.map(|it| self.stack.ledger().find_entries(it, Reading::Cheap));
            for entry in
                try_join_all(reads).await.map_err(StackError::NotRead)?.into_iter().flatten()
            {
                if let CommandId::Due(member_id, _) = &entry.id {
                    found.insert(member_id.clone(), entry);
                }
            }
        }
        Ok(found)
    }

    /// Waits until all of `due` have their entries.
    async fn wait_for(&mut self, due: &[MemberId]) -> Result<Tally, StackError> {
        let mut tally = Tally::default();
        let mut left: Vec<MemberId> = due.to_vec();
        let mut stalled = Deadline::after(GIVEN_UP);
        while !left.is_empty() {
            // As many as one round of calls reads: who was put on the queue first is posted first.
            let asked: Vec<MemberId> = left.iter().take(CALLS * LOOK_UP).cloned().collect();
            let found = self.posted(&asked).await?;
            if found.is_empty() {
                if stalled.left().is_zero() {
                    return Err(StackError::NotPosted { left: size(left.len()) });
                }
                tokio::time::sleep(PAUSE).await;
                // Nobody says in which order pages are worked at.
                left.rotate_left(asked.len());
                continue;
            }
            stalled = Deadline::after(GIVEN_UP);
            for entry in found.values() {
                tally.add(entry);
            }
            self.done.fetch_add(size(found.len()), Ordering::Relaxed);
            let found: HashSet<&MemberId> = found.keys().collect();
            left.retain(|it| !found.contains(it));
        }
        Ok(tally)
    }
}

impl Tally {
    fn add(&mut self, entry: &Entry) {
        let Answer::Accepted(events) = &entry.answer else {
            self.refused = self.refused.saturating_add(1);
            return;
        };
        self.entries = self.entries.saturating_add(1);
        if events.is_empty() {
            self.nothing_due = self.nothing_due.saturating_add(1);
        }
        for event in events {
            if let Event::Expired { points, .. } | Event::Lapsed { points, .. } = event {
                add(&mut self.expired, points.get());
            } else if let Event::Matured { points, .. } = event {
                add(&mut self.matured, points.get());
            } else if let Event::Reviewed { .. } = event {
                self.reviewed = self.reviewed.saturating_add(1);
            }
        }
    }
}

fn add(sum: &mut (u64, u128), points: u64) {
    sum.0 = sum.0.saturating_add(1);
    sum.1 = sum.1.saturating_add(points.into());
}
