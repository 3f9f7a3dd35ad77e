//! Which decoder a topic belongs to.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Decoder;

/// Decoders by topic filter, in the order of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Router(Vec<(Filter, Decoder)>);

impl Router {
    /// A router. Where several filters match a topic, the first one counts.
    #[must_use]
    pub fn new(routes: Vec<(Filter, Decoder)>) -> Self {
        Self(routes)
    }

    /// The decoder for a topic.
    #[must_use]
    pub fn route(&self, topic: &str) -> Option<&Decoder> {
        self.0.iter().find(|(filter, _)| filter.matches(topic)).map(|(_, decoder)| decoder)
    }

    /// The filters, to be subscribed to.
    pub fn filters(&self) -> impl Iterator<Item = &Filter> {
        self.0.iter().map(|(filter, _)| filter)
    }
}

/// A well-formed MQTT topic filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter(Box<str>);

/// Why a text is not a topic filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFilter {
    /// Empty, or longer than MQTT allows.
    #[error("a topic filter has 1 to 65535 bytes")]
    Length,
    /// A NUL character.
    #[error("a topic filter has no NUL character")]
    Nul,
    /// `a+/b`, `a#`, `#/b`.
    #[error("+ and # stand for whole levels, and # only for the last ones, like \"fleet/+/telemetry\"")]
    Wildcard,
    /// `$share/…`.
    #[error("a shared subscription would leave part of the reports to others")]
    Shared,
}

impl Default for Filter {
    /// Where units report by default.
    fn default() -> Self {
        Self("fleet/+/telemetry".into())
    }
}

impl Filter {
    /// Whether a topic is meant. No allocation.
    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        matches(&self.0, topic)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Filter {
    type Err = BadFilter;

    fn from_str(text: &str) -> Result<Self, BadFilter> {
        if text.is_empty() || text.len() > usize::from(u16::MAX) {
            return Err(BadFilter::Length);
        }
        if text.contains('\0') {
            return Err(BadFilter::Nul);
        }
        if text.starts_with("$share/") {
            return Err(BadFilter::Shared);
        }
        let mut levels = text.split('/').rev();
        let last = levels.next().unwrap_or_default();
        let whole = |level: &str| level == "+" || !level.contains(['+', '#']);
        if (last == "#" || whole(last)) && levels.all(whole) { Ok(Self(text.into())) } else { Err(BadFilter::Wildcard) }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Filter {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Whether a topic filter matches a topic, by MQTT 5 section 4.7: `+` is one level, possibly empty, `#` the parent and all
/// below it, and neither stands for a first level that begins with `$`.
#[must_use]
pub fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        match (wanted, levels.next()) {
            ("#", _) => return true,
            (_, None) => return false,
            ("+", Some(_)) => {}
            (wanted, Some(level)) if wanted == level => {}
            (_, Some(_)) => return false,
        }
    }
    levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_match_as_the_mqtt_standard_says() {
        for (filter, topic, expected) in [
            ("fleet/+/telemetry", "fleet/T-001/telemetry", true),
            ("fleet/+/telemetry", "fleet/T-001/telemetry/x", false),
            ("fleet/+/telemetry", "fleet//telemetry", true),
            ("fleet/+/telemetry", "fleet/telemetry", false),
            // The examples of MQTT 5, 4.7.1 and 4.7.2.
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
            ("sport/tennis/player1/#", "sport/tennis/player10", false),
            ("sport/#", "sport", true),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("#", "a/b", true),
            ("#", "$SYS/x", false),
            ("+/monitor/Clients", "$SYS/monitor/Clients", false),
            ("$SYS/#", "$SYS/", true),
            ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
            ("te/device/+///m/+", "te/device/trailer-7///m/gps", true),
            ("Fleet", "fleet", false),
        ] {
            assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
        }
    }

    #[test]
    fn a_malformed_filter_is_refused() {
        for (text, why) in [
            ("", BadFilter::Length),
            ("a\0", BadFilter::Nul),
            ("a+/b", BadFilter::Wildcard),
            ("a#", BadFilter::Wildcard),
            ("#/b", BadFilter::Wildcard),
            ("a/#/", BadFilter::Wildcard),
            ("$share/g/fleet/#", BadFilter::Shared),
        ] {
            assert_eq!(text.parse::<Filter>(), Err(why), "{text}");
        }
        assert_eq!("x".repeat(65_536).parse::<Filter>(), Err(BadFilter::Length));
        assert!("#".parse::<Filter>().is_ok());
    }
}
