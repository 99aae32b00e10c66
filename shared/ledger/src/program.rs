//! Reading programs: every version that a shop has.

use std::{future::Future, sync::Arc};

use loyalty_domain::program::Program;

use crate::LedgerError;

/// Where the versions of a program are kept.
pub trait Programs: Sync {
    /// Reads every version, in any order, each told what those before it have promised by
    /// [`in_succession`](loyalty_domain::program::in_succession).
    ///
    /// They are shared and not copied, since who keeps them is asked with every request.
    fn programs(&self) -> impl Future<Output = Result<Arc<[Program]>, LedgerError>> + Send;
}
