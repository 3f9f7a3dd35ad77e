//! How fast the vendor is asked: a bucket of tokens that all requests share, and the waits between the attempts to read.

use core::pin::Pin;
use core::time::Duration;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

/// How often a question is asked before its failure is believed.
pub(super) const ATTEMPTS: u32 = 3;

/// Before the second attempt; doubles with each.
const FIRST: Duration = Duration::from_millis(500);

/// The longest that an answer's `retry-after` is waited for between two attempts; whoever asks for more gets its way by being
/// asked later.
const LONGEST: Duration = Duration::from_secs(20);

/// Sleep and chance, so that a test need have neither.
pub trait Waits: Send + Sync {
    /// Ends after so long.
    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
    /// From 0 to 1.
    fn chance(&self) -> f64;
}

/// Tokio's sleep, and the chance with which the standard library seeds its hashers.
#[derive(Debug)]
struct Real;

impl Waits for Real {
    fn sleep(&self, time: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(time))
    }

    fn chance(&self) -> f64 {
        f64::from((RandomState::new().hash_one(()) >> 32) as u32) / f64::from(u32::MAX)
    }
}

/// Clones share the bucket.
#[derive(Clone)]
pub(super) struct Pace {
    bucket: Arc<Mutex<Bucket>>,
    waits: Arc<dyn Waits>,
}

impl Pace {
    /// So many requests a second in the long run, twice as many at once.
    pub fn new(per_second: u32) -> Self {
        Self { bucket: Arc::new(Mutex::new(Bucket::new(per_second))), waits: Arc::new(Real) }
    }

    pub fn with_waits(self, waits: Arc<dyn Waits>) -> Self {
        Self { waits, ..self }
    }

    /// Waits for this request's turn.
    pub async fn turn(&self) {
        let wait = self.bucket.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
        if !wait.is_zero() {
            self.waits.sleep(wait).await;
        }
    }

    /// Waits before the attempt after so many; false when the vendor asks for more patience than there is.
    pub async fn rest(&self, attempts: u32, asked: Option<Duration>) -> bool {
        match rest(attempts, asked, self.waits.chance()) {
            Some(wait) => {
                self.waits.sleep(wait).await;
                true
            }
            None => false,
        }
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

/// From the upper half of a span that doubles, and no less than the answer asked for.
fn rest(attempts: u32, asked: Option<Duration>, chance: f64) -> Option<Duration> {
    let span = FIRST * 2_u32.saturating_pow(attempts.saturating_sub(1)).min(64);
    let wait = span.mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0));
    match asked {
        Some(asked) if asked > LONGEST => None,
        Some(asked) => Some(asked + wait.mul_f64(0.1)),
        None => Some(wait),
    }
}

#[derive(Debug)]
struct Bucket {
    per_second: f64,
    /// Below zero as many requests wait as are missing.
    tokens: f64,
    filled: Option<Instant>,
}

impl Bucket {
    fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second.max(1));
        Self { per_second, tokens: 2.0 * per_second, filled: None }
    }

    /// Takes a token, and says how long it is until there is one.
    fn take(&mut self, now: Instant) -> Duration {
        let since = self.filled.map_or(Duration::ZERO, |filled| now.saturating_duration_since(filled));
        self.filled = Some(now);
        self.tokens = (self.tokens + since.as_secs_f64() * self.per_second).min(2.0 * self.per_second) - 1.0;
        if self.tokens >= 0.0 { Duration::ZERO } else { Duration::from_secs_f64(-self.tokens / self.per_second) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_at_once_and_so_many_a_second_after_that() {
        let mut bucket = Bucket::new(10);
        let start = Instant::now();
        for n in 0..20 {
            assert_eq!(bucket.take(start), Duration::ZERO, "{n}");
        }
        assert_eq!(bucket.take(start), Duration::from_millis(100));
        assert_eq!(bucket.take(start), Duration::from_millis(200), "in the order in which they came");
        // Two are waiting; the third comes free after 300 ms, and an hour of silence saves up no more than 20.
        assert_eq!(bucket.take(start + Duration::from_millis(300)), Duration::ZERO);
        let later = start + Duration::from_secs(3600);
        assert_eq!((0..30).filter(|_| bucket.take(later).is_zero()).count(), 20);
    }

    #[test]
    fn waits_double_differ_and_are_what_the_vendor_asks_for_within_reason() {
        let ms = |attempts, chance| rest(attempts, None, chance).unwrap().as_millis();
        assert_eq!([ms(1, 0.0), ms(1, 1.0), ms(2, 0.0), ms(2, 1.0)], [250, 500, 500, 1000]);
        assert!(rest(u32::MAX, None, 1.0).unwrap() <= Duration::from_secs(32));
        let asked = rest(1, Some(Duration::from_secs(7)), 0.5).unwrap();
        assert!(asked >= Duration::from_secs(7) && asked < Duration::from_secs(8), "{asked:?}");
        assert_eq!(rest(1, Some(Duration::from_secs(21)), 0.5), None);
    }
}
