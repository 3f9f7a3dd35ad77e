//! The wall clock was set: what counts in wall time goes with it.

use super::{Call, Queue};
use crate::core::time::{Now, UnixMillis};

impl Queue {
    /// The wall clock was set by `step_ms`, and both what it showed before and what it shows now was believed: calls that are
    /// not over keep the age they have and the wait before their next attempt, and the cooldown what is left of it.
    pub fn clock_set(&mut self, step_ms: i64, now: Now) {
        let moved = |at: UnixMillis| UnixMillis(at.0.saturating_add(step_ms)).min(now.wall);
        let open: Vec<Call> = self.calls.values().filter(|call| !call.state.is_final()).cloned().collect();
        for mut call in open {
            call.created = moved(call.created);
            call.evidence = moved(call.evidence);
            call.dialed = call.dialed.map(moved);
            call.not_before = call.not_before.map(|due| UnixMillis(due.0.saturating_add(step_ms)));
            self.keep(call, now);
        }
        for last in self.last_called.values_mut() {
            *last = moved(*last);
        }
    }
}
