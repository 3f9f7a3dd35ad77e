//! Our own topics: `{prefix}/…` and health.

use super::id::{CallSid, UnitId};

/// The names of the topics that gladhand speaks on and listens to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    prefix: String,
    health: String,
}

/// What a message on one of our own topics is about. Ids are as found in the topic, unchecked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inbound<'a> {
    /// `calls/request`
    Request,
    /// `calls/<call_sid>/cancel`
    Cancel(&'a str),
    /// `violations/<tractor>/acknowledge`
    Acknowledge(&'a str),
    /// `assignments/<tractor>`
    Assignment(&'a str),
    /// `zones`
    Zones,
    /// `…/cmd/health/check`
    HealthCheck,
}

impl Topics {
    /// Below `prefix`, with health on its own topic.
    #[must_use]
    pub fn new(prefix: &str, health: &str) -> Self {
        Self { prefix: prefix.trim_matches('/').to_owned(), health: health.to_owned() }
    }

    /// The filters to subscribe to.
    #[must_use]
    pub fn filters(&self) -> Vec<String> {
        let p = &self.prefix;
        vec![
            format!("{p}/calls/request"),
            format!("{p}/calls/+/cancel"),
            format!("{p}/violations/+/acknowledge"),
            format!("{p}/assignments/+"),
            format!("{p}/zones"),
            self.health_check(),
        ]
    }

    /// What a topic is about, when it is one that we listen to.
    #[must_use]
    pub fn read<'a>(&self, topic: &'a str) -> Option<Inbound<'a>> {
        if let Some(own) = topic.strip_prefix(self.prefix.as_str()).and_then(|rest| rest.strip_prefix('/')) {
            let mut levels = own.split('/');
            return match (levels.next(), levels.next(), levels.next(), levels.next()) {
                (Some("calls"), Some("request"), None, _) => Some(Inbound::Request),
                (Some("calls"), Some(call_sid), Some("cancel"), None) => Some(Inbound::Cancel(call_sid)),
                (Some("violations"), Some(tractor), Some("acknowledge"), None) => Some(Inbound::Acknowledge(tractor)),
                (Some("assignments"), Some(tractor), None, _) => Some(Inbound::Assignment(tractor)),
                (Some("zones"), None, ..) => Some(Inbound::Zones),
                _ => None,
            };
        }
        (topic == self.health_check()).then_some(Inbound::HealthCheck)
    }

    /// Findings of one tractor.
    #[must_use]
    pub fn violation(&self, tractor: &UnitId) -> String {
        format!("{}/violations/{tractor}", self.prefix)
    }

    /// Changes of one call.
    #[must_use]
    pub fn call(&self, call_sid: &CallSid) -> String {
        format!("{}/calls/{call_sid}", self.prefix)
    }

    /// Requests that were refused.
    #[must_use]
    pub fn rejected(&self) -> String {
        format!("{}/calls/rejected", self.prefix)
    }

    /// Health.
    #[must_use]
    pub fn health(&self) -> &str {
        &self.health
    }

    /// Touching it asks for health: thin-edge.io's convention beside the health topic.
    fn health_check(&self) -> String {
        self.health
            .strip_suffix("/status/health")
            .map_or_else(|| format!("{}/cmd/health/check", self.prefix), |service| format!("{service}/cmd/health/check"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_is_read_and_nothing_of_our_own_making_is() {
        let topics = Topics::new("gladhand", "te/device/main/service/gladhand/status/health");
        for filter in topics.filters() {
            assert!(topics.read(&filter.replace('+', "X")).is_some(), "{filter}");
        }
        assert_eq!(topics.read("gladhand/calls/EL_1/cancel"), Some(Inbound::Cancel("EL_1")));
        assert_eq!(topics.read("gladhand/assignments/T-1"), Some(Inbound::Assignment("T-1")));
        assert_eq!(topics.read("te/device/main/service/gladhand/cmd/health/check"), Some(Inbound::HealthCheck));
        for topic in
            ["gladhand/calls/EL_1", "gladhand/calls/rejected", "gladhand/violations/T-1", "gladhandx/zones", topics.health()]
        {
            assert_eq!(topics.read(topic), None, "{topic}");
        }
        assert_eq!(Topics::new("own/", "h").filters().last().unwrap(), "own/cmd/health/check");
    }
}
