//! What serde cannot know of a configuration: ranges, order, and what goes with what. Pure.

use core::ops::RangeInclusive;
use core::time::Duration;
use std::path::Path;

use super::Config;
use crate::core::time::duration;
use crate::core::zone::Zone;
use crate::formats::Source;

/// Longest path of a Unix socket on Linux (`sun_path` less its NUL).
const MAX_SOCKET_PATH: usize = 107;
const DAY: Duration = Duration::from_secs(86_400);
const NONZERO: Duration = Duration::from_millis(1);

/// Everything that is wrong, as key and message.
pub(super) fn problems(config: &Config) -> Vec<(String, String)> {
    let mut found = Problems(Vec::new());
    gateway(config, &mut found);
    mqtt(config, &mut found);
    for (index, telemetry) in config.telemetry.iter().enumerate() {
        self::telemetry(index, telemetry, config.telemetry.get(..index).unwrap_or_default(), &mut found);
    }
    separation(config, &mut found);
    zones(&config.zones, &mut found);
    calls(config, &mut found);
    elevenlabs(config, &mut found);
    found.duration("health.interval", config.health.interval, Duration::from_secs(1)..=DAY);
    found.topic_name("health.topic", &config.health.topic);
    found.absolute("api.socket", &config.api.socket);
    if let Some(file) = &config.api.token_file {
        found.absolute("api.token_file", file);
    }
    found.unless(config.api.listen.is_none() || config.api.token_file.is_some(), "api.listen", || {
        "needs api.token_file beside it: a TCP port answers only those who bring the token".to_owned()
    });
    let length = config.api.socket.as_os_str().len();
    found.unless(length <= MAX_SOCKET_PATH, "api.socket", || {
        format!("has {length} bytes; the path of a socket has at most {MAX_SOCKET_PATH}")
    });
    found.0
}

fn gateway(config: &Config, found: &mut Problems) {
    let id = &config.gateway.id;
    if id.is_empty() {
        found.add("gateway.id", "is required; name this gateway, like id = \"yard-7\" under [gateway]");
    } else {
        let fit = id.len() <= 48 && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        found.unless(fit, "gateway.id", || {
            format!("\"{id}\" does not fit into topics and call ids; write 1 to 48 letters A-Z a-z, digits, - or _")
        });
    }
    found.absolute("gateway.state_dir", &config.gateway.state_dir);
}

fn mqtt(config: &Config, found: &mut Problems) {
    let mqtt = &config.mqtt;
    let host = &mqtt.host;
    let plain = !host.is_empty() && !host.contains("://") && !host.chars().any(|c| c.is_whitespace() || c.is_control());
    found.unless(plain, "mqtt.host", || {
        format!("\"{host}\" is not a host; write a name or address without scheme and port, like \"127.0.0.1\"")
    });
    found.unless(mqtt.port > 0, "mqtt.port", || "0 is not a port; write 1 to 65535, usually 1883".to_owned());
    let prefix = &mqtt.prefix;
    found.topic_name("mqtt.prefix", prefix);
    found.unless(!prefix.starts_with(['/', '$']) && !prefix.ends_with('/'), "mqtt.prefix", || {
        format!("\"{prefix}\" may not begin with / or $ nor end with /; write it like \"gladhand\" or \"site/gladhand\"")
    });
    if let Some(file) = &mqtt.password_file {
        found.absolute("mqtt.password_file", file);
        found.unless(mqtt.username.is_some(), "mqtt.password_file", || "needs mqtt.username beside it".to_owned());
    }
}

/// A source is checked by itself as it is read; what is left is that no two read the same.
fn telemetry(index: usize, source: &Source, earlier: &[Source], found: &mut Problems) {
    let topic = source.filter.as_str();
    found.unless(earlier.iter().all(|other| other.filter != source.filter), format!("telemetry[{index}].topic"), || {
        format!("\"{topic}\" is read by an earlier [[telemetry]] already; the first one counts, remove one")
    });
}

fn separation(config: &Config, found: &mut Problems) {
    let s = &config.separation;
    found.number("separation.apart_m", s.apart_m.0, 10.0..=10_000.0);
    found.number("separation.together_m", s.together_m.0, 1.0..=10_000.0);
    found.number("separation.rig_length_m", s.rig_length_m.0, 0.0..=200.0);
    found.unless(s.together_m.0 < s.apart_m.0, "separation.together_m", || {
        format!("{} m is not less than separation.apart_m = {} m; between the two nothing changes", s.together_m.0, s.apart_m.0)
    });
    found.whole("separation.apart_samples", s.apart_samples.into(), 1..=1_000);
    found.duration("separation.apart_for", s.apart_for, NONZERO..=DAY);
    found.duration("separation.together_for", s.together_for, NONZERO..=DAY);
    found.duration("separation.max_gap", s.max_gap, Duration::from_secs(1)..=DAY);
    // Older fixes are not accepted at all.
    found.duration("separation.alarm_age", s.alarm_age, Duration::from_secs(1)..=3 * DAY);
    found.duration("separation.trailer_interval", s.trailer_interval, Duration::from_secs(1)..=7 * DAY);
    found.unless(s.apart_for < s.alarm_age, "separation.apart_for", || {
        format!(
            "{} is not less than separation.alarm_age = {}: nothing would ever alarm",
            duration::format(s.apart_for),
            duration::format(s.alarm_age)
        )
    });
}

fn zones(zones: &[Zone], found: &mut Problems) {
    for (index, zone) in zones.iter().enumerate() {
        let key = format!("zone[{index}].name");
        found.unless(!zone.name.trim().is_empty(), &key, || "is empty; name the place".to_owned());
        found.unless(zones.iter().take(index).all(|other| other.name != zone.name), &key, || {
            format!("\"{}\" is the name of an earlier zone already", zone.name)
        });
    }
}

fn calls(config: &Config, found: &mut Problems) {
    let calls = &config.calls;
    found.duration("calls.max_age", calls.max_age, NONZERO..=7 * DAY);
    found.whole("calls.attempts", calls.attempts.into(), 1..=10);
    found.whole("calls.rate_per_minute", calls.rate_per_minute.into(), 1..=600);
    found.duration("calls.retry_after", calls.retry_after, NONZERO..=DAY);
    found.duration("calls.cooldown", calls.cooldown, Duration::ZERO..=7 * DAY);
    found.whole("calls.max_concurrent", calls.max_concurrent as u64, 1..=100);
    let country = &calls.default_country;
    found.unless(country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase()), "calls.default_country", || {
        format!("\"{country}\" is not a country code; write two capital letters, like \"US\"")
    });
    let list = &calls.verify_after;
    let ascending = list.iter().zip(list.iter().skip(1)).all(|(a, b)| a < b);
    found.unless((1..=16).contains(&list.len()) && ascending, "calls.verify_after", || {
        "must have 1 to 16 durations, each longer than the one before, like [\"2s\", \"10s\", \"60s\"]".to_owned()
    });
    for (index, after) in list.iter().enumerate() {
        found.duration(format!("calls.verify_after[{index}]"), *after, NONZERO..=DAY);
    }
    let retry = &config.retry;
    found.duration("retry.initial", retry.initial, NONZERO..=DAY);
    found.duration("retry.max", retry.max, NONZERO..=DAY);
    found.unless(retry.initial <= retry.max, "retry.initial", || {
        format!("{} is longer than retry.max = {}", duration::format(retry.initial), duration::format(retry.max))
    });
}

fn elevenlabs(config: &Config, found: &mut Problems) {
    let vendor = &config.elevenlabs;
    found.unless(is_safe_base_url(&vendor.base_url), "elevenlabs.base_url", || {
        "must be https://, or http:// to this machine (127.0.0.1, [::1], localhost), with a host and without user, query or \
         fragment, like \"https://api.elevenlabs.io\""
            .to_owned()
    });
    for (key, text) in
        [("elevenlabs.agent_id", &vendor.agent_id), ("elevenlabs.agent_phone_number_id", &vendor.agent_phone_number_id)]
    {
        found.unless(is_id(text), key, || NO_ID.to_owned());
    }
    found.duration("elevenlabs.timeout", vendor.timeout, NONZERO..=Duration::from_secs(600));
    if let Some(file) = &vendor.api_key_file {
        found.absolute("elevenlabs.api_key_file", file);
    }
    if let Some(file) = &vendor.ca_file {
        found.absolute("elevenlabs.ca_file", file);
    }
}

/// What is wrong with what is not [`is_id`].
pub(super) const NO_ID: &str = "contains a space or another character that no id has; copy it as the vendor shows it";

/// Whether a text can be an id of the vendor, or none.
pub(super) fn is_id(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic())
}

/// What MQTT takes for a topic, and nothing that hides in a log line.
fn is_utf8_string(text: &str) -> bool {
    (1..=65_535).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn is_safe_base_url(url: &str) -> bool {
    let (secure, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => return false,
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => v6.split_once(']').map_or(("", ""), |(host, port)| (host, port)),
        None => authority.find(':').map_or((authority, ""), |colon| authority.split_at(colon)),
    };
    let port_is_right =
        port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let this_machine = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let clean = rest.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'@' | b'?' | b'#' | b'\\'));
    !host.is_empty() && port_is_right && clean && (secure || this_machine)
}

struct Problems(Vec<(String, String)>);

impl Problems {
    fn add(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.0.push((key.into(), message.into()));
    }

    fn unless(&mut self, right: bool, key: impl Into<String>, message: impl FnOnce() -> String) {
        if !right {
            self.add(key, message());
        }
    }

    fn duration(&mut self, key: impl Into<String>, value: Duration, range: RangeInclusive<Duration>) {
        let show = duration::format;
        self.unless(range.contains(&value), key, || {
            format!("{} is out of range; write {} to {}", show(value), show(*range.start()), show(*range.end()))
        });
    }

    fn number(&mut self, key: &str, value: f64, range: RangeInclusive<f64>) {
        self.unless(range.contains(&value), key, || {
            format!("{value} is out of range; write {} to {}", range.start(), range.end())
        });
    }

    fn whole(&mut self, key: &str, value: u64, range: RangeInclusive<u64>) {
        self.unless(range.contains(&value), key, || {
            format!("{value} is out of range; write {} to {}", range.start(), range.end())
        });
    }

    fn absolute(&mut self, key: &str, path: &Path) {
        self.unless(path.is_absolute(), key, || format!("\"{}\" is not an absolute path; begin it with /", path.display()));
    }

    fn topic_name(&mut self, key: &str, topic: &str) {
        self.unless(is_utf8_string(topic) && !topic.contains(['+', '#']), key, || {
            format!("\"{topic}\" is not an MQTT topic; write levels with / between them, without + and #")
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_goes_out_only_over_tls_or_to_this_machine() {
        for url in [
            "https://api.elevenlabs.io",
            "https://api.eu.residency.elevenlabs.io/",
            "http://127.0.0.1:4010",
            "http://[::1]:80/x",
            "http://localhost",
        ] {
            assert!(is_safe_base_url(url), "{url}");
        }
        for url in [
            "",
            "api.elevenlabs.io",
            "ftp://a",
            "https://",
            "https:///x",
            "http://api.elevenlabs.io",
            "http://127.0.0.1@evil.example",
            "https://user:pass@a",
            "https://a?key=1",
            "https://a#b",
            "https://a:0",
            "https://a:99999",
            "http://127.0.0.1.evil.example",
            "https://a b",
            "http://localhost\\@evil.example",
        ] {
            assert!(!is_safe_base_url(url), "{url}");
        }
    }
}
