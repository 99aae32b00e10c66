//! The clock.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// What time it is.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// A point in time that no correction of the clock moves. It is good within one invocation: between them
/// Lambda freezes a function, and this clock with it.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub fn instant() -> Instant {
    Instant::now()
}

/// When work has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline that is `left` from now.
    pub fn after(left: Duration) -> Self {
        let now = instant();
        Self(now.checked_add(left).unwrap_or(now))
    }

    /// The deadline of an invocation that ends at `deadline_ms` since 1970, as Lambda says it, less
    /// `reserve` for what is to be done after work.
    pub fn of_invocation(deadline_ms: u64, reserve: Duration) -> Self {
        let now_ms = u64::try_from(now().as_millisecond()).unwrap_or(0);
        let left = Duration::from_millis(deadline_ms.saturating_sub(now_ms));
        Self::after(left.saturating_sub(reserve))
    }

    /// The earlier of this one and the one that is `left` from now.
    #[must_use]
    pub fn or_after(self, left: Duration) -> Self {
        Self(self.0.min(Self::after(left).0))
    }

    /// How long there is still to go; nothing once it has passed.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(instant())
    }
}
