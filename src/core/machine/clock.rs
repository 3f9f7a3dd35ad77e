//! The wall clock was set while gladhand runs: by NTP after a long time without it, or by somebody who mistook.
//!
//! Ages that matter to calls are counted on in real time. To the detector a receive time is a measure of how plausible a
//! tracker's clock is: it measures anew.

use core::time::Duration;

use super::Machine;
use super::consequences::snooze_key;
use super::messages::request_key;
use crate::core::time::{Mono, Now, UnixMillis};

/// Smaller steps do not matter to anything that is counted in minutes.
const STEP: Duration = Duration::from_secs(30);

/// What the clocks last showed, while the wall clock is believed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Believed {
    mono: Mono,
    wall: UnixMillis,
}

impl Machine {
    /// Looks at the clocks before anything is decided by them. A step counts only between two times that were believed: a clock
    /// that is lost and found again has made none.
    pub(super) fn watch_the_clock(&mut self, now: Now) {
        if !now.trusted {
            self.believed = None;
            return;
        }
        let Some(before) = self.believed.replace(Believed { mono: now.mono, wall: now.wall }) else {
            return self.date_requests(now);
        };
        let expected = before.wall + now.mono.0.saturating_sub(before.mono.0);
        let step_ms = now.wall.millis_since(expected);
        if Duration::from_millis(step_ms.unsigned_abs()) < STEP {
            return;
        }
        self.warn(format!("the clock was set by {} s: waiting calls keep their age", step_ms / 1000));
        self.queue.clock_set(step_ms, now);
        self.detector.clock_set();
        let moved = |at: UnixMillis| UnixMillis(at.0.saturating_add(step_ms));
        for seen in self.seen.values_mut() {
            seen.received = moved(seen.received).min(now.wall);
        }
        let mut snoozed = core::mem::take(&mut self.snoozed);
        for snooze in snoozed.values_mut() {
            if let Some(until) = &mut snooze.until {
                *until = moved(*until);
                self.keep(snooze_key(&snooze.tractor), snooze);
            }
        }
        self.snoozed = snoozed;
    }

    /// Requests taken while the clock was not believed were received just now: they are remembered for a day.
    fn date_requests(&mut self, now: Now) {
        let mut seen = core::mem::take(&mut self.seen);
        for (fingerprint, seen) in seen.iter_mut().filter(|(_, seen)| seen.undated) {
            (seen.received, seen.undated) = (now.wall, false);
            self.keep(request_key(fingerprint), seen);
        }
        self.seen = seen;
    }
}
