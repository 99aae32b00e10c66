//! Programs as files: read with the place of every value, checked whole, explained in plain sentences.

mod check;
mod explain;
mod read;
mod suggest;
#[cfg(test)]
mod tests;

use std::{
    io::{self, IsTerminal, Read, Write},
    path::{Path, PathBuf},
};

use loyalty_domain::program::Program;

use crate::toml_reader::{self, Report};

/// How large a program file may be. One that is larger is some other file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why there is no program in a file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramFileError {
    /// No such file.
    #[error("there is no file `{}`", .0.display())]
    NotFound(PathBuf),
    /// A file that cannot be read, or a folder.
    #[error("`{}` cannot be read", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that is too large to be a program.
    #[error(
        "`{}` is larger than 1 MiB, so it is hardly a program; the standard one has some 6 KiB",
        .0.display()
    )]
    TooLarge(PathBuf),
    /// A file with mistakes.
    #[error("{0}")]
    Mistakes(Box<Report>),
}

/// The program in the file at `path`.
///
/// # Errors
///
/// [`ProgramFileError`], with every mistake of the file at once.
pub(crate) fn load(path: &Path) -> Result<Program, ProgramFileError> {
    let unreadable = |source| ProgramFileError::Unreadable { path: path.to_owned(), source };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(ProgramFileError::NotFound(path.to_owned()));
        }
        Err(error) => return Err(unreadable(error)),
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).map_or(true, |it| it > FILE_BYTES_MAX) {
        return Err(ProgramFileError::TooLarge(path.to_owned()));
    }
    let name = path.display().to_string();
    toml_reader::utf8(&name, bytes).and_then(|text| parse(&name, &text)).map_err(|report| {
        ProgramFileError::Mistakes(Box::new(report.styled(io::stderr().is_terminal())))
    })
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
}

/// Why a command about a program failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramCommandError {
    /// The file is no program.
    #[error(transparent)]
    File(#[from] ProgramFileError),
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
            Self::Explain { file } => {
                let program = load(&file)?;
                write!(out, "{}", explain::explain(&program))?;
            }
        }
        Ok(())
    }
}
