//! Health as Prometheus reads it: the text format 0.0.4, under the names that health has, joined by `_`.

use core::fmt::{Display, Write as _};

use std::collections::BTreeMap;

use super::gateway::Gateway;
use super::health::{Asked, Calls, Health, Mqtt, Status, Telemetry, Violations};

/// Everything that health says in numbers and states. Whom it names is left out: labels have as many values as this program
/// has words, so that a page is no longer and its series are no more for 20,000 units than for one.
#[must_use]
pub fn text(health: &Health) -> String {
    let Health {
        status,
        pid,
        time,
        version,
        since,
        session,
        reasons,
        uplink,
        store,
        telemetry,
        violations,
        calls,
        mqtt,
        vendor,
        gateway,
    } = health;
    let mut page = Page(String::new());
    page.family("info", Kind::Gauge, "Always 1; the version is its label.");
    page.sample("info", &[("version", version)], 1);
    page.family("pid", Kind::Gauge, "Process id.").sample("pid", &[], pid);
    page.family("time", Kind::Gauge, "When this was said, Unix seconds.").sample("time", &[], time.as_secs_f64());
    page.family("since", Kind::Gauge, "Since when the process runs, Unix seconds.").sample("since", &[], since.as_secs_f64());
    page.family("session", Kind::Gauge, "How often gladhand was started on this store.").sample("session", &[], session);
    let status = match status {
        Status::Up => "up",
        Status::Degraded => "degraded",
        Status::Down => "down",
    };
    page.states("status", "1 for what it is.", &["up", "degraded", "down"], status);
    page.family("reasons", Kind::Gauge, "Why it is degraded: how many each reason names, and 1 where it names nobody.");
    let mut named = BTreeMap::<_, u64>::new();
    for reason in reasons {
        *named.entry(reason.split_once(':').map_or(reason.as_str(), |(name, _)| name)).or_default() += 1;
    }
    for (reason, count) in named {
        page.sample("reasons", &[("reason", reason)], count);
    }
    page.states("uplink", "1 for how the vendor can be reached.", &["ok", "offline"], uplink);
    page.states("store", "1 for how the store is.", &["ok", "quarantined", "full", "failing"], store);
    page.telemetry(telemetry);
    let Violations { open, suspected } = violations;
    page.gauge("violations_open", "Open now.", open);
    page.gauge("violations_suspected", "Suspected now.", suspected);
    page.calls(calls);
    page.mqtt(mqtt);
    page.vendor(vendor);
    page.gateway(gateway);
    page.0
}

struct Page(String);

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
}

impl Page {
    fn telemetry(&mut self, telemetry: &Telemetry) {
        let Telemetry { units, stale, age_s, received, rejected, rejected_by, worst: _ } = telemetry;
        self.gauge("telemetry_units", "Units that are assigned.", units);
        self.gauge("telemetry_stale", "Of these, units that have fallen silent.", stale);
        self.optional("telemetry_age_s", Kind::Gauge, "Seconds since the last message.", age_s.as_ref());
        self.counter("telemetry_received_total", "Messages since the start.", received);
        self.counter("telemetry_rejected_total", "Of these, not used.", rejected);
        self.family("telemetry_rejected_by_total", Kind::Counter, "The same by reason.");
        for (reason, count) in rejected_by {
            self.sample("telemetry_rejected_by_total", &[("reason", reason)], count);
        }
    }

    fn calls(&mut self, calls: &Calls) {
        let Calls { pending, oldest_s, held, dialing, unknown, placed, concluded, failed, expired, cancelled } = calls;
        self.gauge("calls_pending", "Waiting for uplink or a slot.", pending);
        self.optional("calls_oldest_s", Kind::Gauge, "Age of the oldest that waits, in seconds.", oldest_s.as_ref());
        self.gauge("calls_held", "Kept back.", held);
        self.gauge("calls_dialing", "POST under way.", dialing);
        self.gauge("calls_unknown", "Outcome of the POST unknown.", unknown);
        self.gauge("calls_placed", "Ringing or talking.", placed);
        self.gauge("calls_concluded", "Ended, of those still listed.", concluded);
        self.gauge("calls_failed", "Refused, of those still listed.", failed);
        self.gauge("calls_expired", "Too old, of those still listed.", expired);
        self.gauge("calls_cancelled", "Called off, of those still listed.", cancelled);
    }

    fn mqtt(&mut self, mqtt: &Mqtt) {
        let Mqtt { connected, connects, sessions_lost, last_error: _, waiting, not_followed } = mqtt;
        self.gauge("mqtt_connected", "1 while subscribed.", u8::from(*connected));
        self.counter("mqtt_connects_total", "Connections since the start.", connects);
        self.counter("mqtt_sessions_lost_total", "Of these, how often the broker had forgotten our session.", sessions_lost);
        self.gauge("mqtt_waiting", "Announcements waiting for the broker's acknowledgement.", waiting);
        self.counter("mqtt_not_followed_total", "Messages on our own topics that were not followed.", not_followed);
    }

    fn vendor(&mut self, vendor: &BTreeMap<String, Asked>) {
        self.family("vendor_requests_total", Kind::Counter, "Requests to the vendor since the start, by endpoint.");
        for (endpoint, asked) in vendor {
            self.sample("vendor_requests_total", &[("endpoint", endpoint)], asked.requests);
        }
        self.family("vendor_failures_total", Kind::Counter, "Of these, without success, by kind.");
        for (endpoint, asked) in vendor {
            for (kind, count) in &asked.failures {
                self.sample("vendor_failures_total", &[("endpoint", endpoint), ("kind", kind)], count);
            }
        }
    }

    fn gateway(&mut self, gateway: &Gateway) {
        let Gateway { disk_free_bytes, disk_size_bytes, disk_errors, disk_worn, written_bytes, temperature_c, undervoltage } =
            gateway;
        let free = "Room left on the file system of the state directory.";
        self.optional("gateway_disk_free_bytes", Kind::Gauge, free, disk_free_bytes.as_ref());
        self.optional("gateway_disk_size_bytes", Kind::Gauge, "Its size.", disk_size_bytes.as_ref());
        self.optional("gateway_disk_errors", Kind::Gauge, "Errors that it has counted.", disk_errors.as_ref());
        let worn = "1 when the flash runs out of spare blocks.";
        self.optional("gateway_disk_worn", Kind::Gauge, worn, disk_worn.map(u8::from).as_ref());
        let written = "Bytes that this process has had written to disk.";
        self.optional("gateway_written_bytes_total", Kind::Counter, written, written_bytes.as_ref());
        self.optional("gateway_temperature_c", Kind::Gauge, "The hottest place, degrees Celsius.", temperature_c.as_ref());
        let low = "1 while the supply is too low.";
        self.optional("gateway_undervoltage", Kind::Gauge, low, undervoltage.map(u8::from).as_ref());
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, Kind::Gauge, help).sample(name, &[], value);
    }

    fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, Kind::Counter, help).sample(name, &[], value);
    }

    /// Without a value there is no sample.
    fn optional(&mut self, name: &str, kind: Kind, help: &str, value: Option<&impl Display>) {
        self.family(name, kind, help);
        if let Some(value) = value {
            self.sample(name, &[], value);
        }
    }

    /// One sample for each state, of which one is 1.
    fn states(&mut self, name: &str, help: &str, all: &[&str], now: &str) {
        self.family(name, Kind::Gauge, help);
        for state in all {
            self.sample(name, &[(name, state)], u8::from(*state == now));
        }
    }

    fn family(&mut self, name: &str, kind: Kind, help: &str) -> &mut Self {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        // Writing to a String does not fail, here and below.
        let _ = write!(self.0, "# HELP gladhand_{name} {help}\n# TYPE gladhand_{name} {kind}\n");
        self
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.0, "gladhand_{name}");
        for (nth, (label, text)) in labels.iter().enumerate() {
            let open = if nth == 0 { '{' } else { ',' };
            let text = text.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n");
            let _ = write!(self.0, r#"{open}{label}="{text}""#);
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendor_is_counted_by_endpoint_and_kind_of_failure() {
        let asked = |requests, failures| Asked { requests, failures };
        let vendor = BTreeMap::from([
            ("conversation".to_owned(), asked(7, BTreeMap::new())),
            ("outbound_call".to_owned(), asked(3, BTreeMap::from([("busy".to_owned(), 2)]))),
        ]);
        let mut page = Page(String::new());
        page.vendor(&vendor);
        let samples: Vec<_> = page.0.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            r#"gladhand_vendor_requests_total{endpoint="conversation"} 7"#,
            r#"gladhand_vendor_requests_total{endpoint="outbound_call"} 3"#,
            r#"gladhand_vendor_failures_total{endpoint="outbound_call",kind="busy"} 2"#,
        ];
        assert_eq!(samples, expected);
    }

    #[test]
    fn a_label_holds_any_text() {
        let mut page = Page(String::new());
        page.sample("x", &[("a", "silent"), ("b", "a\"b\\c\nd")], 1);
        assert_eq!(page.0, "gladhand_x{a=\"silent\",b=\"a\\\"b\\\\c\\nd\"} 1\n");
    }
}
