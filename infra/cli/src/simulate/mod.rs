//! `simulate`: a shop's own history under a program, before anything is deployed.

mod report;
mod run;

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use jiff::{Timestamp, civil::Date};
use loyalty_contracts::Event;
use loyalty_domain::{command::Request, points::OutOfRange};
use loyalty_ledger::LedgerError;

use self::run::{Run, write_members};
use crate::{
    import::{
        Import, ImportError, ImportReport,
        map::{ColumnMap, MapError},
        rows::Lines,
    },
    program::{self, ProgramFileError},
};

/// Runs a file of orders through a program, in memory, and shows every member's account.
///
/// Nothing is sent anywhere. The program counts as if it had always been in force.
#[derive(clap::Args, Debug)]
pub(crate) struct Simulate {
    /// The file of orders: CSV, gzip or not.
    #[arg(long, value_name = "CSV", required_unless_present_any = ["demo", "events"])]
    orders: Option<PathBuf>,
    /// Which column of the file is what; see infra/imports.
    #[arg(long, value_name = "TOML", required_unless_present_any = ["demo", "events"])]
    columns: Option<PathBuf>,
    /// Order events instead of a file of orders: one JSON a line, in the order of their arrival.
    #[arg(long, value_name = "JSONL", conflicts_with_all = ["orders", "columns"])]
    events: Option<PathBuf>,
    /// The program; see infra/programs.
    #[arg(long, value_name = "TOML", required_unless_present = "demo")]
    program: Option<PathBuf>,
    /// A second program, to see who rises, who falls and what it costs.
    #[arg(long, value_name = "TOML")]
    compare: Option<PathBuf>,
    /// Accounts are brought to the first instant of this day; events at or after it are left out.
    /// Without it: the day after the last event.
    #[arg(long, value_name = "DAY")]
    as_of: Option<Date>,
    /// Where to write every member's account, as CSV.
    #[arg(long, value_name = "CSV")]
    members_out: Option<PathBuf>,
    /// Where to write every entry, one JSON a line, in the order in which they were made.
    #[arg(long, value_name = "JSONL")]
    entries_out: Option<PathBuf>,
    /// Where to write the file's orders and returns as order events, one JSON a line, in the order in
    /// which they are sent; --events reads them again.
    #[arg(long, value_name = "JSONL", conflicts_with = "events")]
    events_out: Option<PathBuf>,
    /// A small extract of a real shop's year under the standard program.
    #[arg(long, conflicts_with_all = ["orders", "columns", "events"])]
    demo: bool,
}

/// A simulation cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SimulateError {
    /// The program is wrong.
    #[error(transparent)]
    Program(#[from] ProgramFileError),
    /// The column map is wrong.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The orders cannot be read.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The file of events cannot be read.
    #[error("cannot read {}", .path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A result cannot be written.
    #[error("cannot write {}", .path.display())]
    Unwritable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The terminal, or what stands for it, is gone.
    #[error("cannot write the report")]
    Output(#[from] io::Error),
    /// There is nothing to bring accounts to.
    #[error("there is no event, so say with --as-of to which day accounts are to be brought")]
    NoEvent,
    /// The days are too far away.
    #[error("the day or the sums are outside of the range that can be counted")]
    OutOfRange,
    /// A bug of ours.
    #[error("the ledger in memory failed")]
    Ledger(#[from] LedgerError),
}

impl From<OutOfRange> for SimulateError {
    fn from(_: OutOfRange) -> Self {
        Self::OutOfRange
    }
}

/// What was read.
enum Source {
    Orders(ImportReport),
    Events(EventsReport),
}

/// What became of a file of events, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct EventsReport {
    lines: u64,
    /// Lines that are no event, each with its line and reason.
    rejected: Vec<(u64, String)>,
}

impl Simulate {
    /// Runs the simulation; the report goes to `out`, progress to the terminal.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), SimulateError> {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let given = |path: &Option<PathBuf>, standard: &str| {
            path.clone().unwrap_or_else(|| root.join(standard))
        };
        let program = given(&self.program, "infra/programs/standard.toml");
        let mut runs = vec![Run::new(program::load(&program)?, self.as_of)?];
        if let Some(other) = &self.compare {
            runs.push(Run::new(program::load(other)?, self.as_of)?);
        }
        let source = if let Some(events) = &self.events {
            Source::Events(take_events(events, self.as_of, &mut runs)?)
        } else {
            let orders = given(&self.orders, "tests/data/online-retail-extract.csv.gz");
            let columns = given(&self.columns, "infra/imports/online-retail.toml");
            let mut events = EventsOut::create(self.events_out.as_deref())?;
            let report = take_orders(&orders, &columns, &mut runs, &mut events)?;
            events.end()?;
            Source::Orders(report)
        };
        let as_of = self.as_of.or_else(|| runs.iter().filter_map(Run::day_after).max());
        let as_of = as_of.ok_or(SimulateError::NoEvent)?;
        let mut results = Vec::with_capacity(runs.len());
        for run in &runs {
            results.push(run.members(as_of)?);
        }
        if let (Some(path), Some(run), Some(members)) =
            (&self.members_out, runs.first(), results.first())
        {
            write_file(path, |out| write_members(out, &run.program, members))?;
        }
        if let (Some(path), Some(run)) = (&self.entries_out, runs.first()) {
            write_file(path, |out| {
                for entry in run.entries() {
                    serde_json::to_writer(&mut *out, &*entry)?;
                    out.write_all(b"\n")?;
                }
                Ok(())
            })?;
        }
        report::write(out, &source, &runs, &results, as_of)?;
        Ok(())
    }
}

fn write_file(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), SimulateError> {
    let file = File::create(path).map_err(unwritable(path))?;
    let mut out = BufWriter::with_capacity(1 << 18, file);
    write(&mut out).and_then(|()| out.flush()).map_err(unwritable(path))
}

/// Reads a file of orders and lets its events take effect in every run.
fn take_orders(
    orders: &Path,
    columns: &Path,
    runs: &mut [Run],
    events: &mut EventsOut<'_>,
) -> Result<ImportReport, SimulateError> {
    let map = ColumnMap::load(columns)?;
    let bytes = std::fs::metadata(orders).map_or(0, |it| it.len());
    let mut import =
        watched("reading orders", bytes, true, |read| Import::read(orders, &map, read))?;
    let documents = import.len().try_into().unwrap_or(u64::MAX);
    let mut failed = None;
    let report = watched("posting events", documents, false, |posted| {
        import.events(posted, |request| {
            if let Err(error) = events.write(&request) {
                failed.get_or_insert(error);
            }
            for run in &mut *runs {
                if let Err(error) = run.take(&request) {
                    failed.get_or_insert(error.into());
                }
            }
        })
    });
    failed.map_or(Ok(report), Err)
}

/// The file for events, if there is to be one.
struct EventsOut<'a>(Option<(&'a Path, BufWriter<File>)>);

impl<'a> EventsOut<'a> {
    fn create(path: Option<&'a Path>) -> Result<Self, SimulateError> {
        let Some(path) = path else { return Ok(Self(None)) };
        let file = File::create(path).map_err(unwritable(path))?;
        Ok(Self(Some((path, BufWriter::with_capacity(1 << 18, file)))))
    }

    fn write(&mut self, request: &Request) -> Result<(), SimulateError> {
        let Some((path, out)) = &mut self.0 else { return Ok(()) };
        serde_json::to_writer(&mut *out, &Event::of(request))
            .map_err(io::Error::from)
            .and_then(|()| out.write_all(b"\n"))
            .map_err(unwritable(path))
    }

    fn end(self) -> Result<(), SimulateError> {
        let Some((path, mut out)) = self.0 else { return Ok(()) };
        out.flush().map_err(unwritable(path))
    }
}

fn unwritable(path: &Path) -> impl FnOnce(io::Error) -> SimulateError {
    move |source| SimulateError::Unwritable { path: path.to_owned(), source }
}

/// Reads a file of order events and lets them take effect in every run, in the order of the file.
fn take_events(
    path: &Path,
    as_of: Option<Date>,
    runs: &mut [Run],
) -> Result<EventsReport, SimulateError> {
    let unreadable = |source| SimulateError::Unreadable { path: path.to_owned(), source };
    // History has no receiver's clock but the day to which it is brought.
    let received_at = match (as_of, runs.first()) {
        (Some(day), Some(run)) => run.program.calendar().midnight(day)?,
        _ => Timestamp::MAX,
    };
    let read = Arc::new(AtomicU64::new(0));
    let mut lines = Lines::open(path, Arc::clone(&read)).map_err(unreadable)?;
    let bytes = std::fs::metadata(path).map_or(0, |it| it.len());
    let mut report = EventsReport::default();
    let bar = Bar::new("posting events", bytes, true, read);
    let mut line = Vec::new();
    while let Some(number) = lines.read(&mut line).map_err(unreadable)? {
        if !line.trim_ascii().is_empty() {
            report.lines += 1;
            match loyalty_contracts::parse(line.trim_ascii(), received_at) {
                Ok(request) => {
                    for run in &mut *runs {
                        run.take(&request)?;
                    }
                }
                Err(error) => report.rejected.push((number, error.to_string())),
            }
        }
        line.clear();
    }
    drop(bar);
    Ok(report)
}

/// Does `work` under a progress bar that shows how far its counter has come.
fn watched<T>(
    what: &'static str,
    length: u64,
    is_bytes: bool,
    work: impl FnOnce(&Arc<AtomicU64>) -> T,
) -> T {
    let done = Arc::new(AtomicU64::new(0));
    let _bar = Bar::new(what, length, is_bytes, Arc::clone(&done));
    work(&done)
}

/// A progress bar on a thread of its own, so that the work never waits for the terminal.
struct Bar {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Bar {
    fn new(what: &'static str, length: u64, is_bytes: bool, done: Arc<AtomicU64>) -> Self {
        let (stop, stopped) = channel::<()>();
        let thread = thread::spawn(move || {
            let bar = ProgressBar::new(length);
            let counts = if is_bytes { "{bytes}/{total_bytes}" } else { "{human_pos}/{human_len}" };
            let template = format!("{{msg:14}} [{{bar:40}}] {counts} {{eta}}");
            if let Ok(style) = ProgressStyle::with_template(&template) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_message(what);
            while stopped.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout)
            {
                bar.set_position(done.load(Ordering::Relaxed).min(length));
            }
            bar.finish_and_clear();
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A bar that panicked is not worth the result it stood beside.
            drop(thread.join());
        }
    }
}
