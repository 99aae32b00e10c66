//! Programs as files: read with the place of every value, checked whole, explained in plain sentences.

mod check;
mod explain;
mod friends;
mod preview;
pub(crate) mod read;
pub(crate) mod suggest;
#[cfg(test)]
mod tests;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use loyalty_domain::program::Program;

use self::preview::Preview;

use crate::{
    stack::{Publish, StackError, measure::Measure},
    toml_reader::{self, FileError, Report},
};

/// The program in the file at `path`.
///
/// # Errors
///
/// [`FileError`], with every mistake of the file at once.
pub(crate) fn load(path: &Path) -> Result<Program, FileError> {
    toml_reader::load(path, parse)
}

/// The program in `text`, which is the file called `name`.
///
/// # Errors
///
/// The report of all its mistakes.
pub(crate) fn parse(name: &str, text: &str) -> Result<Program, Box<Report>> {
    let (spec, mut findings) = toml_reader::read(text, "infra/programs/standard.toml", read::spec);
    let program = check::program(&spec, &mut findings);
    findings.into_result(name, text, ())?;
    program.ok_or_else(|| Box::new(Report::new(name, text, Vec::new())))
}

/// What can be done with program files.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ProgramCommand {
    /// Checks a program file whole: every mistake at once, with its place and what would be right.
    Check {
        /// The file, such as infra/programs/standard.toml.
        file: PathBuf,
    },
    /// Explains a program in plain sentences, with worked examples.
    Explain {
        /// The file, such as infra/programs/standard.toml.
        file: PathBuf,
    },
    Preview(Preview),
    Publish(Publish),
    Measure(Measure),
}

/// Why a command about a program failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramCommandError {
    /// The file is no program.
    #[error(transparent)]
    File(#[from] FileError),
    /// It could not be published.
    #[error(transparent)]
    Publish(#[from] StackError),
    /// The answer could not be written.
    #[error("the answer could not be written")]
    Output(#[from] io::Error),
}

impl ProgramCommand {
    /// Answers on `out`.
    ///
    /// # Errors
    ///
    /// [`ProgramCommandError`]; nothing was written if it is about the file.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), ProgramCommandError> {
        match self {
            Self::Check { file } => {
                let program = load(&file)?;
                writeln!(out, "{}: {}", file.display(), explain::summary(&program))?;
            }
            Self::Preview(preview) => preview.run(out)?,
            Self::Publish(publish) => publish.run(out)?,
            Self::Measure(measure) => measure.run(out)?,
            Self::Explain { file } => {
                let program = load(&file)?;
                write!(out, "{}", explain::explain(&program))?;
            }
        }
        Ok(())
    }
}
