//! How long to wait before the next attempt to connect.

use core::time::Duration;
use std::hash::{BuildHasher, RandomState};

/// A connection that lasted this long ends the series of failures before it. Shorter ones do not: a broker that accepts and
/// then hangs up, or a second client with our client id, would otherwise be answered at full speed.
const STABLE: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(30);

/// Waits between 1 s and 30 s. Each is drawn from the upper half of a span that doubles, so that many gateways that lost one
/// broker together do not return together.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// It was connected for so long.
    Lasted(Duration),
    /// No connection came about.
    Failed,
    /// Refused for a reason that only a change of configuration cures.
    Hopeless,
}

impl Backoff {
    pub fn wait(&mut self, attempt: Attempt) -> Duration {
        self.wait_with(attempt, RandomState::new().hash_one(()))
    }

    fn wait_with(&mut self, attempt: Attempt, random: u64) -> Duration {
        let span = match attempt {
            Attempt::Hopeless => LONGEST,
            Attempt::Lasted(..) | Attempt::Failed => {
                if matches!(attempt, Attempt::Lasted(lasted) if lasted >= STABLE) {
                    self.failures = 0;
                }
                self.failures = self.failures.saturating_add(1);
                Duration::from_secs(1 << self.failures.min(5)).min(LONGEST)
            }
        };
        let part = f64::from((random >> 32) as u32) / f64::from(u32::MAX);
        span.mul_f64(0.5 + 0.5 * part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(backoff: &mut Backoff, attempt: Attempt, random: u64) -> f64 {
        backoff.wait_with(attempt, random).as_secs_f64()
    }

    #[test]
    fn waits_double_up_to_thirty_seconds() {
        let mut backoff = Backoff::default();
        let shortest: Vec<f64> = (0..7).map(|_| seconds(&mut backoff, Attempt::Failed, 0)).collect();
        assert_eq!(shortest, [1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]);
        assert_eq!(seconds(&mut backoff, Attempt::Failed, u64::MAX), 30.0);
    }

    #[test]
    fn only_a_lasting_connection_starts_the_series_anew() {
        let mut backoff = Backoff::default();
        for _ in 0..4 {
            backoff.wait_with(Attempt::Failed, 0);
        }
        assert_eq!(seconds(&mut backoff, Attempt::Lasted(Duration::from_secs(2)), 0), 15.0);
        assert_eq!(seconds(&mut backoff, Attempt::Lasted(STABLE), 0), 1.0);
    }

    #[test]
    fn what_cannot_succeed_is_tried_at_the_longest_wait_from_the_first_time() {
        let mut backoff = Backoff::default();
        assert_eq!(seconds(&mut backoff, Attempt::Hopeless, 0), 15.0);
        assert_eq!(seconds(&mut backoff, Attempt::Failed, 0), 1.0);
    }

    #[test]
    fn two_waits_differ() {
        let wait = || Backoff::default().wait(Attempt::Hopeless);
        assert!((0..8).any(|_| wait() != wait()));
    }
}
