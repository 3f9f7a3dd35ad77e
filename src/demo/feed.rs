//! The story's rigs as messages for a broker.

use std::time::Duration;

use super::DemoError;
use super::watch::Watch;
use crate::host::clock::Clock;
use crate::rigs::payload::to_payload;
use crate::rigs::{Kind, Stream, story::story};

/// Reports, assignments and zones, in the order in which a gateway sees them.
pub struct Feed {
    stream: Stream,
    prefix: String,
}

impl Feed {
    /// The story's three rigs, on 24 minutes of road that end now.
    #[must_use]
    pub fn story(prefix: &str, seed: u64) -> Self {
        Self { stream: story(Clock::new(None).now().wall, seed), prefix: prefix.to_owned() }
    }

    /// How many reports there are.
    #[must_use]
    pub fn reports(&self) -> u64 {
        self.stream.iter().filter(|item| matches!(item.kind, Kind::Report(_))).count() as u64
    }

    /// Publishes all of it, paced as on the road but within about `within`.
    ///
    /// # Errors
    /// When the broker takes no messages.
    pub async fn publish(&self, watch: &mut Watch, within: Duration) -> Result<(), DemoError> {
        let (Some(first), Some(last)) = (self.stream.first(), self.stream.last()) else { return Ok(()) };
        let span = last.received.secs_since(first.received).max(1.0);
        let mut shown = 0.0;
        for item in &self.stream {
            let due = item.received.secs_since(first.received) / span;
            // Not a timer for each of them.
            if due - shown >= 0.01 {
                watch.rest(within.mul_f64(due - shown)).await;
                shown = due;
            }
            match &item.kind {
                Kind::Report(report) => {
                    watch.publish(&format!("fleet/{}/telemetry", report.unit), to_payload(report), false).await?
                }
                Kind::Assignment(assignment) => {
                    let payload = serde_json::to_string(assignment).unwrap_or_default();
                    watch.publish(&format!("{}/assignments/{}", self.prefix, assignment.tractor), payload, true).await?;
                }
                Kind::Zones(zones) => {
                    let payload = serde_json::to_string(zones).unwrap_or_default();
                    watch.publish(&format!("{}/zones", self.prefix), payload, true).await?;
                }
                // The story has none of these.
                Kind::Traccar(_) | Kind::Trailer(_) | Kind::Restart | Kind::Uplink(_) => {}
            }
        }
        Ok(())
    }
}
