//! How long to try again after a lost race: with full jitter, and until a deadline.

use std::time::Duration;

use loyalty_ledger::Patience;

use crate::clock::Deadline;

/// The longest pause before the second attempt. Two that lost a race part ways at random.
const FIRST_PAUSE_MAX: Duration = Duration::from_millis(25);
/// The longest pause of all.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Waits a random part of a pause that doubles with each attempt, while there is time.
#[derive(Clone, Copy, Debug)]
pub struct FullJitter {
    until: Deadline,
}

impl FullJitter {
    /// Patience until `until`.
    pub const fn until(until: Deadline) -> Self {
        Self { until }
    }
}

impl Patience for FullJitter {
    async fn wait(&mut self, attempt: u32) -> bool {
        let pause = random_part(longest_pause(attempt));
        if self.until.left() <= pause {
            return false;
        }
        tokio::time::sleep(pause).await;
        true
    }
}

/// The longest pause after `attempt` attempts were lost.
fn longest_pause(attempt: u32) -> Duration {
    let doubled = 1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    FIRST_PAUSE_MAX.saturating_mul(doubled).min(PAUSE_MAX)
}

fn random_part(longest: Duration) -> Duration {
    Duration::from_micros(fastrand::u64(..=u64::try_from(longest.as_micros()).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_25_milliseconds_to_a_second() {
        let pauses: Vec<u128> =
            [1, 2, 3, 6, 7, 33, u32::MAX].map(|it| longest_pause(it).as_millis()).to_vec();

        assert_eq!(pauses, [25, 50, 100, 800, 1_000, 1_000, 1_000]);
    }

    #[test]
    fn a_pause_is_any_part_of_the_longest() {
        let parts: Vec<Duration> = (0..1_000).map(|_| random_part(FIRST_PAUSE_MAX)).collect();

        assert!(parts.iter().all(|it| *it <= FIRST_PAUSE_MAX));
        assert!(parts.iter().any(|it| *it < Duration::from_millis(5)), "{parts:?}");
        assert!(parts.iter().any(|it| *it > Duration::from_millis(20)), "{parts:?}");
    }

    #[tokio::test]
    async fn nobody_waits_past_the_deadline() {
        assert!(!FullJitter::until(Deadline::after(Duration::ZERO)).wait(1).await);
        assert!(FullJitter::until(Deadline::after(Duration::from_mins(1))).wait(1).await);
    }
}
