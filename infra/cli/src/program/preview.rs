//! `program preview`: whose level a version of the program would move, before anything moves.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter, Write},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::future::try_join_all;
use jiff::{Timestamp, ToSpan as _, civil::Date};
use loyalty_domain::{
    due,
    id::MemberId,
    points::OutOfRange,
    program::{Program, Rank, in_force},
    tier,
};
use loyalty_dynamodb::{AccountPage, Segment};

use crate::{
    program::ProgramCommandError,
    simulate::{
        Bar,
        report::{count, of, plain_table, print, size},
    },
    stack::{
        StackError,
        target::{Stack, Target},
    },
};

/// In how many places the table is read at once.
const SEGMENTS: u16 = 8;

/// Says whose level a new version of the program would raise or lower on its first day. Nothing moves.
///
/// It reads every account of a deployed stack, measures it by the file as `evaluate-tier` will once the version
/// is published and in force, and counts who would rise, fall, or fall at the next review. It costs half a read
/// unit for each 4 KB of the whole ledger.
#[derive(clap::Args, Debug)]
pub(crate) struct Preview {
    /// The file of the new version.
    file: PathBuf,
    /// Where to write each member whose level would move, or fall later, as CSV.
    #[arg(long, value_name = "FILE")]
    moves_out: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

/// What becomes of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Becomes {
    /// A higher level.
    Rises,
    /// A lower level, at once.
    Falls,
    /// The same one, but what counts no longer meets it.
    FallsAtReview,
    /// The same one.
    Stays,
}

impl Becomes {
    const fn word(self) -> &'static str {
        match self {
            Self::Rises => "rises",
            Self::Falls => "falls",
            Self::FallsAtReview => "falls at review",
            Self::Stays => "stays",
        }
    }
}

/// A level's name, in the order of ranks.
type Level = (Rank, String);

/// Who moves, counted and by member.
#[derive(Debug, Default)]
struct Moves {
    counts: BTreeMap<(Becomes, Level, Level), u64>,
    members: Vec<(MemberId, Becomes, String, String)>,
}

/// What is read, while it is read.
struct Reading<'a> {
    stack: &'a Stack,
    before: &'a Program,
    program: &'a Program,
    /// The first instant of the new version, and the last one before it: what falls due at the former is
    /// decided by the new version.
    at: Timestamp,
    before_at: Timestamp,
    items: Arc<AtomicU64>,
    unreadable: AtomicU64,
    moves: Mutex<Moves>,
}

impl Preview {
    /// Says it.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), ProgramCommandError> {
        let program = super::load(&self.file)?;
        let effective = program.spec().effective;
        let at = program
            .calendar()
            .midnight(effective)
            .map_err(|OutOfRange| StackError::NoFirstInstant { day: effective })?;
        if self.moves_out.as_deref() == Some(self.file.as_path()) {
            let what = "is the program's own file: name another one".to_owned();
            return Err(StackError::Argument { argument: "--moves-out", what }.into());
        }
        // Said before an hour of reading, and not after it.
        let file = match &self.moves_out {
            Some(path) => {
                let file = File::create(path);
                Some(BufWriter::new(file.map_err(crate::stack::file(path))?))
            }
            None => None,
        };
        let stack = self.target.find()?;
        let programs = stack.programs()?;
        let others: Vec<Program> = programs
            .iter()
            .filter(|it| it.spec().version < program.spec().version)
            .cloned()
            .collect();
        let Some(before) = in_force(&others, at) else {
            let newest = programs.iter().map(|it| it.spec().version).max();
            let title = stack.title.clone();
            return Err(match newest {
                None => StackError::NoProgram { title },
                Some(newest) => {
                    let version = program.spec().version;
                    StackError::VersionNotRaised { version, newest, title }
                }
            }
            .into());
        };
        let items = stack.wait(stack.ledger().items_about()).unwrap_or(0);
        let reading = Reading {
            stack: &stack,
            before,
            program: &program,
            at,
            before_at: at.checked_sub(1.nanosecond()).unwrap_or(at),
            items: Arc::default(),
            unreadable: AtomicU64::new(0),
            moves: Mutex::default(),
        };
        let bar = Bar::new("items read", items, false, Arc::clone(&reading.items));
        let segments = Segment::all(SEGMENTS).into_iter().map(|it| reading.read(it));
        let ended = stack.wait(try_join_all(segments));
        drop(bar);
        ended?;
        let unreadable = reading.unreadable.load(Ordering::Relaxed);
        let moves = reading.moves.into_inner().unwrap_or_default();
        write_moves(out, (before, &program), effective, &stack, &moves)?;
        if let Some(mut file) = file {
            moves.write(&mut file)?;
            file.flush()?;
        }
        match unreadable {
            0 => Ok(()),
            accounts => Err(StackError::NotMeasured { accounts }.into()),
        }
    }
}

impl Reading<'_> {
    /// Measures everybody in one part of the table.
    async fn read(&self, segment: Segment) -> Result<(), StackError> {
        let mut rest = Some(segment);
        while let Some(segment) = rest {
            let read = async || self.stack.ledger().accounts_of(&segment).await;
            let AccountPage { accounts, unreadable, items, rest: next } =
                crate::stack::republish::patiently(read).await?;
            self.items.fetch_add(items, Ordering::Relaxed);
            self.unreadable.fetch_add(size(unreadable.len()), Ordering::Relaxed);
            for (member_id, account) in accounts {
                let measured = due::bring_to(self.before, account, self.before_at)
                    .and_then(|(account, _)| tier::preview(self.program, account, self.at));
                match measured {
                    Ok(preview) => self.count(member_id, preview),
                    Err(OutOfRange) => {
                        self.unreadable.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
            rest = next;
        }
        Ok(())
    }

    fn count(&self, member_id: MemberId, preview: tier::Preview) {
        let tier::Preview { before, after, is_at_risk } = preview;
        let becomes = match after.cmp(&before) {
            std::cmp::Ordering::Greater => Becomes::Rises,
            std::cmp::Ordering::Less => Becomes::Falls,
            std::cmp::Ordering::Equal if is_at_risk => Becomes::FallsAtReview,
            std::cmp::Ordering::Equal => Becomes::Stays,
        };
        let level = |rank: Rank| {
            let name = self.program.levels().get(rank).map(|it| it.name.clone());
            (rank, name.unwrap_or_default())
        };
        // Nobody panics while holding it; were it so, what is counted would still be right.
        let mut moves = self.moves.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let number = moves.counts.entry((becomes, level(before), level(after))).or_default();
        *number = number.saturating_add(1);
        if becomes != Becomes::Stays {
            moves.members.push((member_id, becomes, level(before).1, level(after).1));
        }
    }
}

impl Moves {
    fn of(&self, becomes: Becomes) -> u64 {
        let counts = self.counts.iter().filter(|((it, ..), _)| *it == becomes);
        counts.map(|(_, number)| *number).sum()
    }

    /// Writes who moves as CSV by RFC 4180, sorted by member.
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        use crate::simulate::run::Field;
        let mut members: Vec<_> = self.members.iter().collect();
        members.sort();
        out.write_all(b"member_id,change,from,to\r\n")?;
        for (member_id, becomes, from, to) in members {
            let (member_id, becomes) = (Field(member_id.as_str()), becomes.word());
            write!(out, "{member_id},{becomes},{},{}\r\n", Field(from), Field(to))?;
        }
        Ok(())
    }
}

fn write_moves(
    out: &mut dyn Write,
    (before, program): (&Program, &Program),
    day: Date,
    stack: &Stack,
    moves: &Moves,
) -> io::Result<()> {
    let members: u64 = moves.counts.values().sum();
    let (version, old) = (program.spec().version, before.spec().version);
    let (name, title) = (&program.spec().name, &stack.title);
    let all = of(members, "account");
    writeln!(out, "Version {version} of {name} against version {old}, for {all} of {title},")?;
    writeln!(out, "measured at the beginning of {day}. Nothing was moved.\n")?;
    let mut table = plain_table();
    for (becomes, what) in [
        (Becomes::Rises, "rise to a higher level"),
        (Becomes::Falls, "fall to a lower level"),
        (Becomes::FallsAtReview, "keep their level, do not meet it, and fall at its review"),
        (Becomes::Stays, "keep their level"),
    ] {
        table.add_row([count(moves.of(becomes)), what.to_owned()]);
        for ((_, (_, from), (_, to)), number) in
            moves.counts.iter().filter(|((it, ..), _)| *it == becomes && *it != Becomes::Stays)
        {
            let way = if from == to { from.clone() } else { format!("{from} -> {to}") };
            table.add_row([String::new(), format!("  {} {way}", count(*number))]);
        }
    }
    print(out, &mut table, 1)
}
