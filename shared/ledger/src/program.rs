//! Reading programs: every version that a shop has, and which one is in force.

use std::future::Future;

use jiff::Timestamp;
use loyalty_domain::program::Program;

use crate::LedgerError;

/// Where the versions of a program are kept.
pub trait Programs: Sync {
    /// Reads every version, in any order.
    fn programs(&self) -> impl Future<Output = Result<Vec<Program>, LedgerError>> + Send;
}

/// The version in force at `instant`: of those whose first business day has begun, the newest.
///
/// Before the first day of all of them, the oldest: a shop that brings its history has it measured by
/// what it has. An event is decided by the version in force at its own instant, so that it does not
/// matter when, or how often, it is delivered.
pub fn in_force(programs: &[Program], instant: Timestamp) -> Option<&Program> {
    let version = |it: &&Program| it.spec().version;
    let has_begun = |it: &&Program| it.calendar().day_of(instant) >= it.spec().effective;
    let newest = programs.iter().filter(has_begun).max_by_key(version);
    newest.or_else(|| programs.iter().min_by_key(version))
}
