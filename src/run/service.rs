//! What the service manager hears of us.

use std::time::Duration;

use tracing::warn;

use crate::core::health::{Health, Status};
use crate::core::time::Mono;
use crate::host::notify::{State, notify, watchdog};

/// Our side of the service manager.
#[derive(Debug)]
pub struct Service {
    /// How often it wants to hear that we are alive: half of what it tolerates.
    every: Option<Duration>,
    due: Mono,
    status: String,
}

impl Service {
    /// Reads what the service manager expects.
    pub fn new() -> Self {
        Self { every: watchdog().map(|limit| limit / 2), due: Mono::default(), status: String::new() }
    }

    /// When it wants to hear of us next, if it does.
    pub fn due(&self) -> Option<Mono> {
        self.every.map(|_| self.due)
    }

    /// The main loop is alive.
    pub fn alive(&mut self, now: Mono) {
        if let Some(every) = self.every.filter(|_| now >= self.due) {
            self.due = now + every;
            tell(&[State::Watchdog]);
        }
    }

    /// What it is doing, in a line.
    fn status(&mut self, line: &str) {
        if self.status != line {
            line.clone_into(&mut self.status);
            tell(&[State::Status(line)]);
        }
    }

    /// The same, from health.
    pub fn health(&mut self, health: &Health) {
        let wrong = match health.status {
            Status::Up => String::new(),
            Status::Degraded | Status::Down => format!("; degraded: {}", health.reasons.join(", ")),
        };
        let calls = &health.calls;
        let (open, waiting, under_way) = (health.violations.open, calls.pending + calls.held, calls.dialing + calls.placed);
        self.status(&format!("{open} violations open, {waiting} calls waiting, {under_way} under way{wrong}"));
    }

    /// Start-up, or a reload, is finished.
    pub fn ready(&self) {
        tell(&[State::Ready]);
    }

    /// A reload has begun.
    pub fn reloading(&self) {
        tell(&[State::Reloading]);
    }

    /// We are on our way out.
    pub fn stopping(&self) {
        tell(&[State::Stopping]);
    }
}

fn tell(states: &[State<'_>]) {
    if let Err(why) = notify(states) {
        warn!("the service manager cannot be told {states:?}: {why}");
    }
}
