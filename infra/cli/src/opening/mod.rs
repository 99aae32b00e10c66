//! `opening-balances`: members of another loyalty system, with their points, levels and progress.
//!
//! [`balances::read`] makes the events of a file; whoever sends them needs nothing else of it.

pub(crate) mod balances;

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use loyalty_domain::program::{Program, in_force};
use loyalty_runtime::clock;

use self::balances::{Balances, BalancesError};
use crate::{
    program,
    simulate::{
        Bar, real,
        report::{count, members_of, of, plain_table, print, size, thousands},
    },
    stack::{StackError, import::write_sent, send::Sender, target::Target},
    toml_reader::FileError,
};

/// How a file of balances is laid out.
const LAYOUT: &str = "\
The file is comma separated, with a header; infra/imports/opening-balances.csv is an example of
every column. A member has as many rows as it needs, one for each lot:

  member_id            whose the row is: the shop's id, as in orders
  points               how many points, with one of the next two or both
  usable_through       the last day on which they can be used, such as 2026-12-31
  available_at         from when on, if they are pending: a day, or 2026-07-09T10:15:00+02:00
  debt                 points that the member owes
  level                the id of the member's level in the program
  level_valid_through  the last day of its validity
  month                a month in which orders were paid, such as 2026-03, on one row of a member
  spend                what they came to, in the program's currency, such as 259.90
  orders               how many they were; without a month: spend and orders of all time before

Only member_id must be there. Points without a last day that are pending get that of an order; a
level without one is as if it were reached now. For points that never expire, write a late day. A
member with a mistake is left out whole, and the others go on: mend its rows, and bring the file
again. Who was brought before is then a repeat, which changes nothing.";

/// Brings members of another loyalty system with their points, lots, level and progress.
#[derive(clap::Args, Debug)]
#[command(after_long_help = LAYOUT)]
pub(crate) struct OpeningBalances {
    /// The file of balances: CSV, gzip or not.
    file: PathBuf,
    /// The program that the members come into; see infra/programs.
    #[arg(long, value_name = "TOML")]
    program: PathBuf,
    /// When the balances were these: a day, or an instant such as 2026-07-01T00:00:00+02:00. Without it:
    /// now. Orders before it are in the balances already, and are not to be imported.
    #[arg(long, value_name = "INSTANT")]
    opened_at: Option<String>,
    /// Only says what is wrong with the file; fails if anything is.
    #[arg(long, conflicts_with = "events_out")]
    check: bool,
    /// Where to write the events, one JSON a line; `simulate --events` reads them.
    #[arg(long, value_name = "JSONL")]
    events_out: Option<PathBuf>,
    /// Sends them to a deployed stack. Sent again, a balance that was brought before changes nothing.
    #[arg(long, conflicts_with = "check")]
    send: bool,
    #[command(flatten)]
    target: Target,
}

/// Balances cannot be brought.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpeningBalancesError {
    /// The program is wrong.
    #[error(transparent)]
    Program(#[from] FileError),
    /// The file is none of balances.
    #[error(transparent)]
    Balances(#[from] BalancesError),
    /// Nobody said what to do.
    #[error(
        "say what to do: --check to look for mistakes, --send to bring the balances to a stack, or \
         --events-out JSONL to write their events"
    )]
    NothingToDo,
    /// An instant is none.
    #[error(
        "--opened-at must be a day such as 2026-07-01, or an instant such as 2026-07-01T00:00:00+02:00"
    )]
    NotAnInstant,
    /// An instant is to come.
    #[error("--opened-at must not be to come: a balance is what it was at an instant")]
    InFuture,
    /// Writing would destroy what is read.
    #[error("the file of balances or the program and --events-out are the same file, `{}`", .0.display())]
    SameFile(PathBuf),
    /// The events cannot be written.
    #[error("cannot write {}", .path.display())]
    Unwritable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The stack cannot be found or used.
    #[error(transparent)]
    Stack(#[from] StackError),
    /// The stack decides by another program.
    #[error(
        "{}; publish the program first, or name the one that is in force", in_force_there(.0.as_ref())
    )]
    OtherProgram(Option<(String, u32)>),
    /// There are mistakes, and that is what was asked.
    #[error("{}", members_with_mistakes(.0))]
    Wrong(Box<Balances>),
    /// The terminal, or what stands for it, is gone.
    #[error("cannot write the report")]
    Output(#[from] io::Error),
}

fn in_force_there(program: Option<&(String, u32)>) -> String {
    match program {
        Some((name, version)) => {
            format!(
                "the stack decides by version {version} of {name} then, which is not this program"
            )
        }
        None => "the stack has no program yet".to_owned(),
    }
}

fn members_with_mistakes(balances: &Balances) -> String {
    let mistakes = of(size(balances.mistakes.len()), "mistake");
    format!("{mistakes}, so that {} would be left out", members_of(balances.rejected))
}

impl OpeningBalances {
    /// Reads the file; the report goes to `out`.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), OpeningBalancesError> {
        if !self.check && !self.send && self.events_out.is_none() {
            return Err(OpeningBalancesError::NothingToDo);
        }
        if let Some(path) = &self.events_out
            && let Some(written) = real(path)
            && [&self.file, &self.program].iter().any(|it| real(it).as_ref() == Some(&written))
        {
            return Err(OpeningBalancesError::SameFile(path.clone()));
        }
        let program = program::load(&self.program)?;
        let now = clock::now();
        let opened_at = match &self.opened_at {
            None => now,
            Some(text) => {
                balances::instant(&program, text).ok_or(OpeningBalancesError::NotAnInstant)?
            }
        };
        if opened_at > now {
            return Err(OpeningBalancesError::InFuture);
        }
        let balances = balances::read(&self.file, &program, opened_at)?;
        if let Some(path) = &self.events_out {
            write_events(path, &balances).map_err(|source| OpeningBalancesError::Unwritable {
                path: path.clone(),
                source,
            })?;
        }
        write_report(out, &self.file, &program, &balances)?;
        if self.check && !balances.mistakes.is_empty() {
            return Err(OpeningBalancesError::Wrong(Box::new(balances)));
        }
        if self.send {
            self.send(out, &program, opened_at, balances)?;
        }
        Ok(())
    }

    fn send(
        &self,
        out: &mut dyn Write,
        program: &Program,
        opened_at: Timestamp,
        balances: Balances,
    ) -> Result<(), OpeningBalancesError> {
        let stack = self.target.find()?;
        let programs = stack.programs()?;
        match in_force(&programs, opened_at).map(Program::spec) {
            Some(spec) if spec == program.spec() => (),
            other => {
                let other = other.map(|it| (it.name.clone(), it.version));
                return Err(OpeningBalancesError::OtherProgram(other));
            }
        }
        let mut sender = Sender::new(&stack, 0);
        let bar = Bar::new("bringing them", size(balances.events.len()), false, sender.restart());
        let mut result = Ok(());
        let mut skipped = 0;
        for (line, event) in balances.events {
            if result.is_err() {
                skipped += 1;
                continue;
            }
            // What was just made of a file is an event.
            let Ok(request) = event.into_request(opened_at) else { continue };
            result = stack.wait(sender.take(line, &request));
        }
        result = result.and_then(|()| stack.wait(sender.end()));
        drop(bar);
        let sent = sender.into_sent();
        let left = size(sent.unanswered.len());
        writeln!(out)?;
        write_sent(out, &stack, &sent, 0, skipped, None)?;
        result?;
        if left > 0 {
            return Err(StackError::NotAnswered { left }.into());
        }
        Ok(())
    }
}

fn write_events(path: &Path, balances: &Balances) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 18, File::create(path)?);
    for (_, event) in &balances.events {
        serde_json::to_writer(&mut out, event)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

fn write_report(
    out: &mut dyn Write,
    file: &Path,
    program: &Program,
    balances: &Balances,
) -> io::Result<()> {
    let Balances { rows, events, sums, mistakes, rejected, with_nothing, scattered } = balances;
    writeln!(out, "Opening balances of {} in {}", of(*rows, "row"), file.display())?;
    let mut table = plain_table();
    let members = size(events.len());
    let brings = if members == 1 { "member brings" } else { "members bring" };
    table.add_row([count(members), format!("{brings} a balance")]);
    let lots = of(sums.lots, "lot");
    table.add_row([thousands(sums.available), format!("points that can be used, in {lots}")]);
    for (points, what) in [
        (sums.pending, "points on their way"),
        (sums.expired, "points whose last good day is over, which expire at once"),
        (sums.debt, "points owed, after the lots have paid"),
    ] {
        if points > 0 {
            table.add_row([thousands(points), what.to_owned()]);
        }
    }
    // Of the lowest level is everybody else.
    for (level, members) in program.levels().iter().zip(&sums.members_by_rank).skip(1).rev() {
        if *members > 0 {
            let is = if *members == 1 { "member is" } else { "members are" };
            table.add_row([count(*members), format!("{is} {}", level.name)]);
        }
    }
    if *with_nothing > 0 {
        let has = if *with_nothing == 1 { "member has" } else { "members have" };
        table.add_row([count(*with_nothing), format!("{has} nothing to bring, and no event")]);
    }
    let are = if *rejected == 1 { "member is" } else { "members are" };
    table.add_row([count(*rejected), format!("{are} left out for a mistake")]);
    if *scattered > 0 {
        let have = if *scattered == 1 { "member has" } else { "members have" };
        let advice = "other rows between the rows: is a part of the file there twice?";
        table.add_row([count(*scattered), format!("{have} {advice}")]);
    }
    print(out, &mut table, 1)?;
    if !mistakes.is_empty() {
        writeln!(out, "\nMistakes:")?;
    }
    for mistake in mistakes {
        writeln!(out, "  {mistake}")?;
    }
    Ok(())
}
