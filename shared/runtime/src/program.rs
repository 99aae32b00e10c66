//! The versions of the program, kept for a while: they change a few times a year.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use loyalty_domain::program::Program;
use loyalty_ledger::{LedgerError, program::Programs};

use crate::clock;

/// Nobody has published a program yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no version of the program is published yet")]
struct NoProgram;

/// The versions of the program, read again when they are older than they may be.
#[derive(Debug)]
pub struct CachedPrograms<P> {
    programs: P,
    for_how_long: Duration,
    kept: Mutex<Option<(Instant, Arc<[Program]>)>>,
}

impl<P: Programs> CachedPrograms<P> {
    /// The versions in `programs`, each reading of which is good `for_how_long`.
    pub const fn new(programs: P, for_how_long: Duration) -> Self {
        Self { programs, for_how_long, kept: Mutex::new(None) }
    }

    /// All versions; at least one.
    ///
    /// # Errors
    ///
    /// A [`LedgerError`]: the store did not answer, which is not hidden behind versions that may be out of
    /// force; or there is none yet, which may change.
    pub async fn all(&self) -> Result<Arc<[Program]>, LedgerError> {
        let now = clock::instant();
        if let Some((read_at, programs)) = &*self.kept()
            && now.saturating_duration_since(*read_at) < self.for_how_long
        {
            return Ok(Arc::clone(programs));
        }
        let programs: Arc<[Program]> = self.programs.programs().await?.into();
        if programs.is_empty() {
            let source = Box::new(NoProgram);
            return Err(LedgerError::Unavailable { operation: "reading the program", source });
        }
        *self.kept() = Some((now, Arc::clone(&programs)));
        Ok(programs)
    }

    // Nothing is half done under this lock.
    fn kept(&self) -> std::sync::MutexGuard<'_, Option<(Instant, Arc<[Program]>)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Programs> Programs for CachedPrograms<P> {
    async fn programs(&self) -> Result<Vec<Program>, LedgerError> {
        Ok(self.all().await?.to_vec())
    }
}
