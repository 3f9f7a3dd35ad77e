//! The rate of calls of the whole gateway.

use core::time::Duration;

use crate::core::time::Mono;

/// Calls at once after a quiet time, out of `calls.rate_per_minute`.
pub const BURST: f64 = 50.0;

/// A token bucket over monotonic time, full at first.
#[derive(Debug)]
pub struct Rate {
    tokens: f64,
    filled: Mono,
}

impl Default for Rate {
    fn default() -> Self {
        Self::new()
    }
}

impl Rate {
    /// Full.
    #[must_use]
    pub const fn new() -> Self {
        Self { tokens: BURST, filled: Mono(Duration::ZERO) }
    }

    /// Takes one call's worth, if there is one.
    pub fn take(&mut self, per_minute: u32, now: Mono) -> bool {
        let passed = now.0.saturating_sub(self.filled.0).as_secs_f64();
        self.tokens = (self.tokens + passed * f64::from(per_minute) / 60.0).min(BURST);
        self.filled = now;
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }

    /// When there is one, at the earliest.
    #[must_use]
    pub fn ready_at(&self, per_minute: u32) -> Mono {
        let missing = (1.0 - self.tokens).max(0.0);
        // A little late rather than a little early, or the deadline finds nothing to do and is set again.
        let wait = missing * 60.0 / f64::from(per_minute.max(1)) + 0.001;
        if missing > 0.0 { self.filled + Duration::from_secs_f64(wait.min(3600.0)) } else { self.filled }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_leaves_at_once_and_the_rest_at_the_rate() {
        let mut rate = Rate::new();
        let at = |secs| Mono(Duration::from_secs(secs));
        assert_eq!((0..100).filter(|_| rate.take(60, at(0))).count(), 50);
        assert!(rate.ready_at(60) > at(1) && rate.ready_at(60) < at(2));
        assert!(rate.take(60, rate.ready_at(60)));
        assert_eq!((0..100).filter(|_| rate.take(60, at(12))).count(), 11);
    }
}
