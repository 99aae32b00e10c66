//! `import`: a shop's history onto the queue of a deployed stack.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use loyalty_domain::command::Request;
use loyalty_runtime::clock;

use super::{
    StackError, file, root,
    send::{Sender, Sent, days_before, whole_days},
    target::{Stack, Target},
};
use crate::{
    import::{Files, Import, ImportError, events, map::ColumnMap},
    simulate::{
        Bar, Source, real,
        report::{
            ALL, USED_BEFORE, count, of, plain_table, print, size, write_outcomes, write_some,
            write_source,
        },
        watched,
    },
};

/// How many events from the beginning say whether they were sent before.
const FIRST: usize = 100;

/// Sends a shop's history to a deployed stack: the file that `simulate` shows.
///
/// Each member's events go in their order. Stopped anywhere and run again, it goes on where it was:
/// what was answered before is not sent again.
#[derive(clap::Args, Debug)]
pub(crate) struct ImportHistory {
    #[command(flatten)]
    files: Files,
    /// Which days the events are of.
    #[arg(long, value_name = "DATES", value_enum, default_value_t = Dates::Keep)]
    dates: Dates,
    /// Where to write what was not taken and why, as CSV.
    #[arg(long, value_name = "CSV")]
    rejected_out: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

/// Which days events are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Dates {
    /// Their own.
    Keep,
    /// Moved by whole days, all alike, so that the last is today: to try things on.
    ToToday,
}

impl ImportHistory {
    /// Sends it; the report goes to `out`.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), StackError> {
        if !self.files.is_any() {
            return Err(StackError::NothingToImport);
        }
        self.check_files()?;
        // Before an hour's work, and not after it.
        let rejected_out = match &self.rejected_out {
            Some(path) => Some((path, File::create(path).map_err(file(path))?)),
            None => None,
        };
        let stack = self.target.find()?;
        if stack.programs()?.is_empty() {
            return Err(StackError::NoProgram { title: stack.title });
        }
        let mut history = History::new(&stack, self.dates);
        let source = match &self.files.events {
            Some(path) => read_events(path, &mut history)?,
            None => read_orders(&self.files, &mut history)?,
        };
        history.end();
        let History { days, skipped, failed, sender, .. } = history;
        let sent = sender.map(Sender::into_sent).unwrap_or_default();
        let left = size(sent.unanswered.len());
        let written = write_source(out, &source)
            .and_then(|()| write_sent(out, &stack, &sent, days.unwrap_or(0), skipped, ALL));
        written.map_err(StackError::Output)?;
        if let Some((path, written)) = rejected_out {
            let mut out = BufWriter::new(written);
            let written = write_outcomes(&mut out, &source, &outcomes(&sent));
            written.and_then(|()| out.flush()).map_err(file(path))?;
        }
        match failed {
            Some(error) => Err(error),
            None if left > 0 => Err(StackError::NotAnswered { left }),
            None => Ok(()),
        }
    }

    /// That no file is written over one that is read.
    fn check_files(&self) -> Result<(), StackError> {
        let Some(path) = &self.rejected_out else { return Ok(()) };
        let Some(written) = real(path) else { return Ok(()) };
        for (flag, read) in self.files.named() {
            if read.as_deref().and_then(real).is_some_and(|it| it == written) {
                return Err(StackError::SameFile { flag, path: path.clone() });
            }
        }
        Ok(())
    }
}

/// A history on its way.
struct History<'a> {
    stack: &'a Stack,
    dates: Dates,
    /// When its last event happened.
    last_at: Option<Timestamp>,
    /// By how many days it is moved, once that is known.
    days: Option<i64>,
    /// The first events, until it is known.
    first: Vec<(u64, Request)>,
    sender: Option<Sender<'a>>,
    /// What ended it; the rest is only counted.
    failed: Option<StackError>,
    skipped: u64,
}

impl<'a> History<'a> {
    const fn new(stack: &'a Stack, dates: Dates) -> Self {
        let first = Vec::new();
        Self {
            stack,
            dates,
            last_at: None,
            days: None,
            first,
            sender: None,
            failed: None,
            skipped: 0,
        }
    }

    fn take(&mut self, line: u64, request: Request) {
        if self.failed.is_some() {
            self.skipped += 1;
        } else if let Some(sender) = &mut self.sender {
            self.failed = self.stack.wait(sender.take(line, &request)).err();
        } else {
            self.first.push((line, request));
            if self.first.len() >= FIRST || self.dates == Dates::Keep {
                self.begin();
            }
        }
    }

    /// Finds out by how many days the history is moved, and sends what was held back for it.
    fn begin(&mut self) {
        match self.find_days() {
            Ok(days) => {
                self.days = Some(days);
                self.sender = Some(Sender::new(self.stack, days));
            }
            Err(error) => self.failed = Some(error),
        }
        for (line, request) in std::mem::take(&mut self.first) {
            self.take(line, request);
        }
    }

    /// A history that was begun on another day is moved as it was then.
    fn find_days(&self) -> Result<i64, StackError> {
        let (Dates::ToToday, Some(last_at)) = (self.dates, self.last_at) else { return Ok(0) };
        let first: Vec<&Request> = self.first.iter().map(|(_, request)| request).collect();
        let before = self.stack.wait(days_before(self.stack, &first))?;
        Ok(before.unwrap_or_else(|| whole_days(last_at, clock::now())))
    }

    /// Waits until all is answered.
    fn end(&mut self) {
        if self.sender.is_none() && self.failed.is_none() && !self.first.is_empty() {
            self.begin();
        }
        let (Some(sender), None) = (&mut self.sender, &self.failed) else { return };
        let bar = Bar::new("being answered", sender.held(), false, sender.restart());
        self.failed = self.stack.wait(sender.end()).err();
        drop(bar);
    }
}

fn read_events(path: &Path, history: &mut History<'_>) -> Result<Source, StackError> {
    if history.dates == Dates::ToToday {
        if !path.is_file() {
            return Err(StackError::NoFile(path.to_owned()));
        }
        events::read::<ImportError>(path, Arc::default(), |_, request| {
            history.last_at = history.last_at.max(Some(request.at));
            Ok(())
        })?;
    }
    let bytes = fs::metadata(path).map_or(0, |it| it.len());
    let report = watched("sending events", bytes, true, |done| {
        events::read::<ImportError>(path, Arc::clone(done), |line, request| {
            history.take(line, request);
            Ok(())
        })
    });
    Ok(Source::Events(report?))
}

fn read_orders(files: &Files, history: &mut History<'_>) -> Result<Source, StackError> {
    let (orders, columns) = files.orders(&root());
    let map = ColumnMap::load(&columns)?;
    let bytes = fs::metadata(&orders).map_or(0, |it| it.len());
    let mut import =
        watched("reading orders", bytes, true, |read| Import::read(&orders, &map, read))?;
    history.last_at = import.last_at();
    let report = watched("sending events", size(import.len()), false, |done| {
        import.events(done, |line, request| history.take(line, request))
    });
    Ok(Source::Orders(report))
}

/// What did not become what it was to be.
fn outcomes(sent: &Sent) -> [(&'static str, &[(u64, String)]); 4] {
    [
        ("rejected", &sent.rejected),
        ("refused", &sent.refused),
        (USED_BEFORE, &sent.reused),
        ("not answered", &sent.unanswered),
    ]
}

/// Writes what became of events that were sent.
pub(crate) fn write_sent(
    out: &mut dyn Write,
    stack: &Stack,
    sent: &Sent,
    days: i64,
    skipped: u64,
    all: Option<&str>,
) -> io::Result<()> {
    writeln!(out, "Sent to {}", stack.title)?;
    let mut table = plain_table();
    table.add_row([count(sent.accepted), "accepted".to_owned()]);
    let some = [
        (sent.waiting, "waiting for their order"),
        (sent.before, "answered before, so not sent again"),
        (size(sent.refused.len()), "refused by a rule"),
        (size(sent.reused.len()), "not sent: their id had other content before, which stands"),
        (size(sent.rejected.len()), "not sent: the queue would not take them"),
        (size(sent.unanswered.len()), "not answered yet"),
        (skipped, "not begun"),
    ];
    for (number, what) in some.into_iter().filter(|(number, _)| *number > 0) {
        table.add_row([count(number), what.to_owned()]);
    }
    print(out, &mut table, 1)?;
    for (what, list) in outcomes(sent) {
        if !list.is_empty() {
            writeln!(out, "\n{} {what}:", of(size(list.len()), "event"))?;
            write_some(out, list, all)?;
        }
    }
    if days != 0 {
        writeln!(out, "\nEvery date was moved by {} to send it.", of(days.unsigned_abs(), "day"))?;
    }
    Ok(())
}
