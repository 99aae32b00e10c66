//! The versions of the program, kept for a while: they change a few times a year.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
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
    kept: Mutex<Option<(Timestamp, Arc<[Program]>)>>,
}

impl<P: Programs> CachedPrograms<P> {
    /// The versions in `programs`, each reading of which is good `for_how_long`.
    pub const fn new(programs: P, for_how_long: Duration) -> Self {
        Self { programs, for_how_long, kept: Mutex::new(None) }
    }

    // Nothing is half done under this lock.
    fn kept(&self) -> std::sync::MutexGuard<'_, Option<(Timestamp, Arc<[Program]>)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Programs> Programs for CachedPrograms<P> {
    /// All versions; at least one.
    ///
    /// # Errors
    ///
    /// A [`LedgerError`]: the store did not answer, which is not hidden behind versions that may be out of
    /// force; or there is none yet, which may change.
    async fn programs(&self) -> Result<Arc<[Program]>, LedgerError> {
        let now = clock::now();
        if let Some((read_at, programs)) = &*self.kept()
            && is_good(*read_at, now, self.for_how_long)
        {
            return Ok(Arc::clone(programs));
        }
        let programs = self.programs.programs().await?;
        if programs.is_empty() {
            let source = Box::new(NoProgram);
            return Err(LedgerError::Unavailable { operation: "reading the program", source });
        }
        *self.kept() = Some((now, Arc::clone(&programs)));
        Ok(programs)
    }
}

/// Whether what was read at `read_at` is good at `now`.
///
/// By the clock on the wall: Lambda freezes a function between invocations, and a monotonic clock stands
/// still meanwhile. A shop with few orders would not see a new version for days.
fn is_good(read_at: Timestamp, now: Timestamp, for_how_long: Duration) -> bool {
    // A clock that was set back says nothing of how old it is.
    let age = Duration::try_from(now.duration_since(read_at));
    age.is_ok_and(|it| it < for_how_long)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use serde_json::json;

    use super::*;

    /// One version more with each reading.
    #[derive(Default)]
    struct Growing(AtomicU32);

    impl Programs for Growing {
        async fn programs(&self) -> Result<Arc<[Program]>, LedgerError> {
            let number = self.0.fetch_add(1, Ordering::Relaxed);
            Ok((0..number).map(|it| version(it + 1)).collect())
        }
    }

    fn version(version: u32) -> Program {
        let program = json!({
            "name": "Test", "version": version, "effective": "2026-01-01", "currency": "GBP",
            "time_zone": "Europe/London", "earning": {"points_per_unit": "1", "expiry_months": 12},
            "tiers": {"levels": [{"id": "base", "name": "Base"}]}
        });
        serde_json::from_value(program).unwrap()
    }

    #[tokio::test]
    async fn what_was_read_is_shared_and_not_read_again_while_it_is_good() {
        let programs = CachedPrograms::new(Growing(1.into()), Duration::from_hours(1));

        let (first, second) =
            (programs.programs().await.unwrap(), programs.programs().await.unwrap());

        assert_eq!(first.len(), 1);
        assert!(Arc::ptr_eq(&first, &second));
    }

    #[tokio::test]
    async fn what_is_too_old_is_read_again() {
        let programs = CachedPrograms::new(Growing(1.into()), Duration::ZERO);

        let (first, second) =
            (programs.programs().await.unwrap(), programs.programs().await.unwrap());

        assert_eq!((first.len(), second.len()), (1, 2));
    }

    #[test]
    fn what_was_read_is_good_for_a_time_on_the_wall_and_never_before_it_was_read() {
        let is_good = |now: &str| {
            let read_at = "2026-03-01T12:00:00Z".parse().unwrap();
            is_good(read_at, now.parse().unwrap(), Duration::from_mins(1))
        };

        assert!(is_good("2026-03-01T12:00:00Z"));
        assert!(is_good("2026-03-01T12:00:59.999999999Z"));
        assert!(!is_good("2026-03-01T12:01:00Z"));
        assert!(!is_good("2026-03-02T12:00:00Z"));
        assert!(!is_good("2026-03-01T11:59:59Z"));
    }

    #[tokio::test]
    async fn that_there_is_no_program_yet_is_not_kept() {
        let programs = CachedPrograms::new(Growing::default(), Duration::from_hours(1));

        let error = programs.programs().await.unwrap_err();

        assert!(error.is_transient(), "{error:?}");
        assert_eq!(programs.programs().await.unwrap().len(), 1);
    }
}
