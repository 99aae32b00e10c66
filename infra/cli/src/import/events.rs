//! Files of order events: one JSON a line, in the order of their arrival.

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicU64},
};

use jiff::{Timestamp, civil::date, tz::TimeZone};
use loyalty_domain::command::Request;

use super::{ImportError, rows::Lines};

/// What became of a file of events, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EventsReport {
    pub(crate) lines: u64,
    /// Lines that are no event, each with its line and reason.
    pub(crate) rejected: Vec<(u64, String)>,
}

/// Reads a file and gives each event to `sink`, with its line; `progress` counts bytes.
///
/// # Errors
///
/// [`ImportError::Unreadable`], or the first one of `sink`, after which nothing more is read.
pub(crate) fn read<E: From<ImportError>>(
    path: &Path,
    progress: Arc<AtomicU64>,
    mut sink: impl FnMut(u64, Request) -> Result<(), E>,
) -> Result<EventsReport, E> {
    let unreadable = |source| ImportError::Unreadable { path: path.to_owned(), source };
    // History has no receiver's clock; what is this far ahead is a mistake all the same.
    let received_at = TimeZone::UTC.to_timestamp(date(2200, 1, 1).at(0, 0, 0, 0));
    let received_at = received_at.unwrap_or(Timestamp::MAX);
    let mut lines = Lines::open(path, progress).map_err(unreadable)?;
    let mut report = EventsReport::default();
    let mut line = Vec::new();
    while let Some(number) = lines.read(&mut line).map_err(unreadable)? {
        if !line.trim_ascii().is_empty() {
            report.lines += 1;
            match loyalty_contracts::parse(line.trim_ascii(), received_at) {
                Ok(request) => sink(number, request)?,
                // There is one line in each message.
                Err(error) => {
                    let reason = error.to_string().replace("line 1, column", "column");
                    report.rejected.push((number, reason));
                }
            }
        }
        line.clear();
    }
    Ok(report)
}
