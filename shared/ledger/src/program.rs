//! Reading programs: every version that a shop has.

use std::future::Future;

use loyalty_domain::program::Program;

use crate::LedgerError;

/// Where the versions of a program are kept.
pub trait Programs: Sync {
    /// Reads every version, in any order.
    fn programs(&self) -> impl Future<Output = Result<Vec<Program>, LedgerError>> + Send;
}
