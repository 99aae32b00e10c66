//! Files of TOML, from a path to what they say or a report of all their mistakes.

use std::{
    fs::File,
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
};

use super::{Report, utf8};

/// How large a file may be that people write. One that is larger is some other file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why a file says nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
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
    /// A file that is too large to be written by people.
    #[error("`{}` is larger than 1 MiB, so it is hardly what is meant", .0.display())]
    TooLarge(PathBuf),
    /// A file with mistakes.
    #[error("{0}")]
    Mistakes(Box<Report>),
}

/// What `parse` makes of the name and the text of the file at `path`.
///
/// # Errors
///
/// [`FileError`], with every mistake of the file at once.
pub(crate) fn load<T>(
    path: &Path,
    parse: impl FnOnce(&str, &str) -> Result<T, Box<Report>>,
) -> Result<T, FileError> {
    let unreadable = |source| FileError::Unreadable { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(FileError::NotFound(path.to_owned()));
        }
        Err(error) => return Err(unreadable(error)),
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).map_or(true, |it| it > FILE_BYTES_MAX) {
        return Err(FileError::TooLarge(path.to_owned()));
    }
    let name = path.display().to_string();
    utf8(&name, bytes)
        .and_then(|text| parse(&name, &text))
        .map_err(|report| FileError::Mistakes(Box::new(report.styled(io::stderr().is_terminal()))))
}
