//! `simulate`: a shop's own history under a program, before anything is deployed.

mod friends;
pub(crate) mod report;
pub(crate) mod run;

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
use jiff::civil::Date;
use loyalty_contracts::Event;
use loyalty_domain::{command::Request, points::OutOfRange};
use loyalty_ledger::LedgerError;

use self::{
    friends::{Codes, CodesError, Outcome},
    run::{Nights, Run, write_members},
};
use crate::{
    import::{
        Files, Import, ImportError, ImportReport,
        events::{self, EventsReport},
        map::ColumnMap,
    },
    program,
    toml_reader::FileError,
};

/// Runs a file of orders through a program, in memory, and shows every member's account.
///
/// Nothing is sent anywhere. The program counts as if it had always been in force.
#[derive(clap::Args, Debug)]
pub(crate) struct Simulate {
    #[command(flatten)]
    files: Files,
    /// The program; see infra/programs.
    #[arg(long, value_name = "TOML")]
    program: Option<PathBuf>,
    /// A second program, to see who rises, who falls and what it costs.
    #[arg(long, value_name = "TOML")]
    compare: Option<PathBuf>,
    /// Which members have which codes for friends, as CSV with the columns `member_id,code`. They are members
    /// before their first event, and their friends are with the first order that names a code.
    #[arg(long, value_name = "CSV")]
    codes: Option<PathBuf>,
    /// Accounts are brought to the first instant of this day; events at or after it are left out.
    /// Without it: the day after the last event.
    #[arg(long, value_name = "DAY", value_parser = day)]
    as_of: Option<Date>,
    /// Lets every member pay each order with as many points as the program lets them, as if nobody saved
    /// any: what points cost at most, and what is earned less for it. Orders that say what points paid stay as they are.
    #[arg(long)]
    pay_with_points: bool,
    /// Posts what falls due night by night, as the deployed jobs do: the same accounts, and entries that say
    /// on which day points expired and levels were reviewed.
    #[arg(long)]
    nightly: bool,
    /// Where to write every member's account, as CSV; README.md says what its columns are.
    #[arg(long, value_name = "CSV")]
    members_out: Option<PathBuf>,
    /// Where to write every entry, one JSON a line, in the order in which they were made.
    #[arg(long, value_name = "JSONL")]
    entries_out: Option<PathBuf>,
    /// Where to write the file's orders and returns as order events, one JSON a line, in the order in
    /// which they are sent; --events reads them again.
    #[arg(long, value_name = "JSONL", conflicts_with = "events")]
    events_out: Option<PathBuf>,
    /// Where to write what was not taken and why, as CSV: rows, events and orders.
    #[arg(long, value_name = "CSV")]
    rejected_out: Option<PathBuf>,
}

/// A simulation cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SimulateError {
    /// The program or the column map is wrong.
    #[error(transparent)]
    File(#[from] FileError),
    /// The orders cannot be read.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// The codes cannot be read.
    #[error(transparent)]
    Codes(#[from] CodesError),
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
    /// Nobody said what to simulate.
    #[error(
        "say which orders and which program: --orders CSV --columns TOML --program TOML, or --events \
         JSONL --program TOML, or --demo for a first look"
    )]
    NothingToSimulate,
    /// Writing would destroy what is read, or what was written.
    #[error("{first} and {second} are the same file, `{}`: name another one", .path.display())]
    SameFile { first: &'static str, second: &'static str, path: PathBuf },
    /// Members cannot pay with points.
    #[error(
        "`{}` says nothing of points that pay: add [checkout] with `point_worth`, or leave out --pay-with-points",
        .path.display()
    )]
    NoCheckout { path: PathBuf },
    /// There is nothing to bring accounts to.
    #[error(
        "no order was taken, so there is nothing to simulate (--as-of DAY shows empty accounts all the \
         same)"
    )]
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
pub(crate) enum Source {
    Orders(ImportReport),
    Events(EventsReport),
}

impl Simulate {
    /// Runs the simulation; the report goes to `out`, progress to the terminal.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), SimulateError> {
        self.check_files()?;
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let standard = || root.join("infra/programs/standard.toml");
        let program = self.program.clone().unwrap_or_else(standard);
        let nights = if self.nightly { Nights::Until(None) } else { Nights::None };
        let codes = self.codes.as_deref().map(friends::read).transpose()?;
        let run = |program: &Path| -> Result<Run, SimulateError> {
            let codes = codes.clone().unwrap_or_else(Codes::new);
            let path = program;
            let program = program::load(path)?;
            if self.pay_with_points && program.spec().checkout.is_none() {
                return Err(SimulateError::NoCheckout { path: path.to_owned() });
            }
            let run = Run::new(program, self.as_of, nights, codes)?;
            Ok(if self.pay_with_points { run.paid_with_points() } else { run })
        };
        let mut runs = vec![run(&program)?];
        if let Some(other) = &self.compare {
            runs.push(run(other)?);
        }
        // An edited copy has the name and often the version of what it was copied from.
        if let ([first, second], Some(other)) = (runs.as_mut_slice(), &self.compare)
            && first.title == second.title
        {
            for (run, path) in [(first, &program), (second, other)] {
                let path = path.canonicalize().unwrap_or_else(|_| path.clone());
                run.title = format!("{}, {}", run.title, path.display());
            }
        }
        let source = if let Some(events) = &self.files.events {
            Source::Events(take_events(events, &mut runs)?)
        } else {
            let (orders, columns) = self.files.orders(root);
            let mut events = EventsOut::create(self.events_out.as_deref())?;
            let report = take_orders(&orders, &columns, &mut runs, &mut events)?;
            events.end()?;
            Source::Orders(report)
        };
        report::write_source(out, &source)?;
        if let Some(path) = &self.rejected_out {
            let first = runs.first().map(|it| &it.tally);
            write_file(path, |out| report::write_rejected(out, &source, first))?;
        }
        let as_of = self.as_of.or_else(|| runs.iter().filter_map(Run::day_after).max());
        let as_of = as_of.ok_or(SimulateError::NoEvent)?;
        let mut results = Vec::with_capacity(runs.len());
        for run in &mut runs {
            run.end(as_of)?;
            results.push(run.members(as_of)?);
        }
        if let (Some(path), Some(run), Some(members)) =
            (&self.members_out, runs.first(), results.first())
        {
            let outcome = codes.is_some().then(|| Outcome::of(&run.entries(), members));
            write_file(path, |out| write_members(out, &run.program, members, outcome.as_ref()))?;
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
        report::write(out, &runs, &results, as_of)?;
        Ok(())
    }

    /// That there is something to simulate, and that no file is written over another one.
    fn check_files(&self) -> Result<(), SimulateError> {
        if !self.files.demo && (!self.files.is_any() || self.program.is_none()) {
            return Err(SimulateError::NothingToSimulate);
        }
        let read =
            [("--program", &self.program), ("--compare", &self.compare), ("--codes", &self.codes)];
        let read = self.files.named().into_iter().chain(read);
        let written = [
            ("--members-out", &self.members_out),
            ("--entries-out", &self.entries_out),
            ("--events-out", &self.events_out),
            ("--rejected-out", &self.rejected_out),
        ];
        let mut known: Vec<(&'static str, PathBuf)> =
            read.filter_map(|(flag, it)| Some((flag, real(it.as_deref()?)?))).collect();
        for (second, path) in written {
            let Some(path) = path else { continue };
            let Some(real) = real(path) else { continue };
            if let Some((first, _)) = known.iter().find(|(_, it)| *it == real) {
                return Err(SimulateError::SameFile { first, second, path: path.clone() });
            }
            known.push((second, real));
        }
        Ok(())
    }
}

/// Where a file is or will be, unless it is no regular file, such as a pipe.
pub(crate) fn real(path: &Path) -> Option<PathBuf> {
    if let Ok(real) = path.canonicalize() {
        return real.is_file().then_some(real);
    }
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok()?;
    Some(folder.join(path.file_name()?))
}

/// A day as people write it, of a year in which orders are taken.
pub(crate) fn day(text: &str) -> Result<Date, String> {
    let is_plain = text.len() == 10 && text.bytes().all(|it| it.is_ascii_digit() || it == b'-');
    let date = is_plain.then(|| text.parse::<Date>().ok()).flatten();
    let date = date.ok_or("write year-month-day, such as 2026-01-31")?;
    if (1970..=2199).contains(&date.year()) {
        Ok(date)
    } else {
        Err("write a day from 1970-01-01 to 2199-12-31".to_owned())
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
        import.events(posted, |line, request| {
            if let Err(error) = events.write(&request) {
                failed.get_or_insert(error);
            }
            for run in &mut *runs {
                if let Err(error) = run.take(line, &request) {
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
fn take_events(path: &Path, runs: &mut [Run]) -> Result<EventsReport, SimulateError> {
    let bytes = std::fs::metadata(path).map_or(0, |it| it.len());
    watched("posting events", bytes, true, |done| {
        events::read(path, Arc::clone(done), |line, request| {
            for run in &mut *runs {
                run.take(line, &request)?;
            }
            Ok(())
        })
    })
}

/// Does `work` under a progress bar that shows how far its counter has come.
pub(crate) fn watched<T>(
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
pub(crate) struct Bar {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Bar {
    pub(crate) fn new(
        what: &'static str,
        length: u64,
        is_bytes: bool,
        done: Arc<AtomicU64>,
    ) -> Self {
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
