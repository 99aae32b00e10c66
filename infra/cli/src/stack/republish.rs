//! `republish`: the shop is told again what happened in a time, from the entries themselves.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::try_join_all;
use jiff::Timestamp;
use loyalty_dynamodb::Segment;
use loyalty_ledger::{Entry, LedgerError, Patience};
use loyalty_runtime::{
    clock::Deadline,
    patience::FullJitter,
    publish::{Message, messages, put_all},
};

use super::{
    StackError,
    target::{Stack, Target},
};
use crate::simulate::{
    Bar,
    report::{count, plain_table, print, size},
};

/// In how many places the table is read at once.
const SEGMENTS: u16 = 8;
/// How long a call that fails is tried again.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long telling what one call read may take, from wherever this runs.
const TELLING: Duration = Duration::from_mins(10);

/// Tells the shop again, on its event bus, what happened to points and levels in a time: after events
/// were lost, or to a receiver that is new.
///
/// Every event has the id that it had, so whoever has seen it has nothing to do. Stopped anywhere, it can
/// simply be run again. It reads the whole ledger, which costs half a read unit for each 4 KB.
#[derive(clap::Args, Debug)]
pub(crate) struct Republish {
    /// What took effect, or was sent or posted as of, this instant or later, such as 2026-01-31T12:00:00Z.
    /// An order takes effect when it was paid, however late it came: begin early.
    #[arg(long, value_name = "INSTANT")]
    from: Timestamp,
    /// The same, before this instant.
    #[arg(long, value_name = "INSTANT")]
    to: Timestamp,
    #[command(flatten)]
    target: Target,
}

/// What was told.
#[derive(Debug, Default)]
struct Told {
    items: Arc<AtomicU64>,
    entries: AtomicU64,
    events: AtomicU64,
    unreadable: AtomicU64,
}

impl Republish {
    /// Tells it; the report goes to `out`.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), StackError> {
        if self.from >= self.to {
            return Err(StackError::NoTime);
        }
        let stack = self.target.find()?;
        let told = Told::default();
        let items = stack.wait(stack.ledger().items_about()).unwrap_or(0);
        let bar = Bar::new("items read", items, false, Arc::clone(&told.items));
        let segments = Segment::all(SEGMENTS);
        let work = segments.into_iter().map(|it| self.tell(&stack, it, &told));
        let ended = stack.wait(try_join_all(work));
        drop(bar);
        write_told(out, &stack, &told).map_err(StackError::Output)?;
        ended?;
        match told.unreadable.into_inner() {
            0 => Ok(()),
            entries => Err(StackError::Unreadable { entries }),
        }
    }

    /// Tells what is in one part of the table.
    async fn tell(&self, stack: &Stack, segment: Segment, told: &Told) -> Result<(), StackError> {
        let mut rest = Some(segment);
        while let Some(segment) = rest {
            let page = patiently(async || stack.ledger().entries_of(&segment).await).await?;
            told.items.fetch_add(page.items, Ordering::Relaxed);
            told.unreadable.fetch_add(size(page.unreadable.len()), Ordering::Relaxed);
            // A reminder moves no clock, so its entry took effect before the day that it is of.
            let time = self.from..self.to;
            let is_meant = |it: &&Arc<Entry>| time.contains(&it.at) || time.contains(&it.sent_at);
            let mut all: Vec<Message> = Vec::new();
            for entry in page.entries.iter().filter(is_meant) {
                match messages(entry) {
                    Ok(more) if more.is_empty() => (),
                    Ok(more) => {
                        told.entries.fetch_add(1, Ordering::Relaxed);
                        all.extend(more);
                    }
                    Err(_) => {
                        told.unreadable.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
            let all: Vec<&Message> = all.iter().collect();
            let deadline = Deadline::after(TELLING);
            let mut patience = FullJitter::until(Deadline::after(PATIENCE));
            let not_taken = put_all(stack.bus(), &all, deadline, &mut patience).await;
            let taken = all.len().saturating_sub(not_taken.places.len());
            told.events.fetch_add(size(taken), Ordering::Relaxed);
            if let (false, Some(source)) = (not_taken.places.is_empty(), not_taken.because) {
                return Err(StackError::NotTold { left: size(not_taken.places.len()), source });
            }
            rest = page.rest;
        }
        Ok(())
    }
}

/// What `read` reads, asked for again where the store is only busy.
pub(crate) async fn patiently<T>(
    read: impl AsyncFn() -> Result<T, LedgerError>,
) -> Result<T, StackError> {
    let mut patience = FullJitter::until(Deadline::after(PATIENCE));
    let mut attempts = 0_u32;
    loop {
        let failed = match read().await {
            Ok(page) => return Ok(page),
            Err(error) => error,
        };
        attempts = attempts.saturating_add(1);
        if !failed.is_transient() || !patience.wait(attempts).await {
            return Err(StackError::NotScanned(failed));
        }
    }
}

fn write_told(out: &mut dyn Write, stack: &Stack, told: &Told) -> io::Result<()> {
    writeln!(out, "Told on the event bus of {}", stack.title)?;
    let mut table = plain_table();
    let number = |it: &AtomicU64| count(it.load(Ordering::Relaxed));
    table.add_row([number(&told.events), "events, each with the id that it had".to_owned()]);
    table.add_row([number(&told.entries), "entries".to_owned()]);
    table.add_row([number(&told.items), "items read".to_owned()]);
    print(out, &mut table, 1)
}
