//! An MQTT client that watches what gladhand says, and speaks for the trackers.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::DemoError;
use crate::mqtt::{self, Link, LinkEvent, NotSent, Password, Ticket, Will};

/// Where health is said by default.
pub const HEALTH: &str = "te/device/main/service/gladhand/status/health";

/// Longest wait for anything that should come.
const PATIENCE: Duration = Duration::from_secs(60);

/// See the module.
pub struct Watch {
    link: Link,
    heard: Vec<(String, Value)>,
    tickets: u64,
}

impl Watch {
    /// Connects.
    #[must_use]
    pub fn start(settings: &mqtt::Settings, password: Option<&Password>, client_id: &str, filters: Vec<String>) -> Self {
        // A broker wants one; nobody listens to it.
        let will = Will { topic: format!("{client_id}/gone"), payload: "gone".into() };
        let link = mqtt::connect(settings, client_id, password, will, filters);
        Self { link, heard: Vec::new(), tickets: 0 }
    }

    /// Publishes one message, waiting for the connection or for room as need be.
    ///
    /// # Errors
    /// When the broker does not take it in time, or never will.
    pub async fn publish(&mut self, topic: &str, payload: String, retain: bool) -> Result<(), DemoError> {
        let patience = Instant::now() + PATIENCE;
        loop {
            self.tickets += 1;
            match self.link.publish(Ticket(self.tickets), topic, payload.clone(), retain) {
                Ok(()) => return Ok(()),
                Err(NotSent::Offline | NotSent::Full) => self.next(patience, "the broker to take a message").await?,
                Err(why @ (NotSent::Topic | NotSent::TooLarge { .. })) => {
                    return Err(DemoError::InVain(Duration::ZERO, format!("a message on {topic}: {why}")));
                }
            }
        }
    }

    /// Waits until the broker has acknowledged everything.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn settled(&mut self) -> Result<(), DemoError> {
        let patience = Instant::now() + PATIENCE;
        while self.link.pending() > 0 {
            self.next(patience, "the broker to acknowledge").await?;
        }
        Ok(())
    }

    /// Takes in what comes for so long.
    pub async fn rest(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while let Ok(event) = timeout_at(end, self.link.recv()).await {
            self.take(event);
        }
    }

    /// The first message that fits, of those that have come and those that will.
    ///
    /// # Errors
    /// When none comes in time.
    pub async fn message(&mut self, what: &str, fits: impl Fn(&str, &Value) -> bool) -> Result<Value, DemoError> {
        let patience = Instant::now() + PATIENCE;
        let mut looked_at = 0;
        loop {
            if let Some((_, said)) = self.heard.iter().skip(looked_at).find(|(topic, said)| fits(topic, said)) {
                return Ok(said.clone());
            }
            looked_at = self.heard.len();
            self.next(patience, what).await?;
        }
    }

    /// The health that fits: what was said last, or the first that fits of what is said from now on.
    ///
    /// # Errors
    /// When none comes in time.
    pub async fn health(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Result<Value, DemoError> {
        let patience = Instant::now() + PATIENCE;
        loop {
            if let Some(health) = self.last_health().filter(|health| fits(health)) {
                return Ok(health.clone());
            }
            self.next(patience, what).await?;
        }
    }

    /// What health said last.
    #[must_use]
    pub fn last_health(&self) -> Option<&Value> {
        self.heard.iter().rev().find(|(topic, _)| topic == HEALTH).map(|(_, said)| said)
    }

    /// Violations that were announced as opened.
    #[must_use]
    pub fn violations(&self) -> usize {
        let mut ids: Vec<_> = self
            .heard
            .iter()
            .filter(|(topic, said)| topic.starts_with("gladhand/violations/") && super::is(said, "/event", "opened"))
            .filter_map(|(_, said)| said.pointer("/violation_id").and_then(Value::as_str))
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids.len()
    }

    async fn next(&mut self, patience: Instant, what: &str) -> Result<(), DemoError> {
        match timeout_at(patience, self.link.recv()).await {
            Ok(event) => {
                self.take(event);
                Ok(())
            }
            Err(_) => Err(DemoError::InVain(PATIENCE, what.to_owned())),
        }
    }

    fn take(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Message(message) => {
                if let Ok(said) = serde_json::from_slice(message.payload()) {
                    self.heard.push((message.topic().to_owned(), said));
                }
                self.link.ack(message.receipt());
            }

            LinkEvent::Connected { .. }
            | LinkEvent::Subscribed
            | LinkEvent::Disconnected { .. }
            | LinkEvent::SubscriptionRefused { .. }
            | LinkEvent::Delivered(_)
            | LinkEvent::Refused { .. } => {}
        }
    }
}
