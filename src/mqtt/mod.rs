//! The broker: MQTT v5 over plain TCP. The only folder that knows rumqttc.
//!
//! ```text
//!         ┌ Wire ───────────────────────────────────┐
//! broker ─┼> socket ─> Protocol (pure) ─> LinkEvent ─┼─> Link::recv, Link::buffered ──> main loop
//!         │  socket <─ bytes <── acks, publishes <───┼── Link::ack, Link::publish, then Link::flush
//!         └──────────────────────────────────────────┘
//! ```
//!
//! The main loop reads the socket itself, through the [`Link`]: no task, channel or lock lies between a packet and its
//! decision, its payload is not copied, and in steady state nothing is allocated for it. What a batch of packets has to answer goes
//! out in one write.
//!
//! # What a caller does
//!
//! - A [`Message`] is acknowledged with [`Link::ack`] after what it caused is durable, and also when it is rejected. What was
//!   not acknowledged comes again, marked as duplicate, on the next connection: also after a restart of this process, for the
//!   broker keeps the session for 24 h. An acknowledgement for a former connection is not sent: the message comes again anyway,
//!   and its packet id may by then belong to another one.
//! - A publish carries a [`Ticket`]. [`LinkEvent::Delivered`] says that the broker took it, [`LinkEvent::Refused`] that it never
//!   will. [`LinkEvent::Disconnected`] forgets all others: the caller publishes them again from its store after the next
//!   [`LinkEvent::Subscribed`]. Nothing is kept here while there is no connection. (MQTT would have it sent again under its former
//!   packet id. At QoS 1 a broker keeps nothing by which it could tell that from a publish of its own.)
//! - Between [`LinkEvent::Connected`] and [`LinkEvent::Subscribed`] messages may already come.
//! - While it can take no events it calls [`Link::stay`].
//!
//! # What is rumqttc's and what is ours
//!
//! Every packet is read and written by rumqttc 0.25 (`v5::mqttbytes`), and its options hold ours. Its event loop is not used: it
//! makes one write of every
//! acknowledgement, reads ten packets at most at a time, takes acknowledgements through a channel and gives every packet
//! back as an event. Against the same flood and at 500 messages a second that was two thirds of all that the daemon
//! cost. What it would have done is `protocol`, which has no socket and no clock, and `wire`, which gives it both:
//!
//! | what has to hold | how, and what shows it |
//! |---|---|
//! | nothing is acknowledged before it was processed | nobody but [`Link::ack`] acknowledges; `tests/mqtt_redelivers_what_was_not_acked.rs` |
//! | no acknowledgement waits for more traffic | written before every wait; `tests/mqtt_acks_in_one_write.rs` |
//! | every connection subscribes | with its ConnAck; `tests/mqtt_resubscribes_after_session_loss.rs` |
//! | nothing of one connection gets into the next | each has a `protocol` of its own; `tests/mqtt_publishes_survive_a_broker_restart.rs` |
//! | an oversized message does no harm | Maximum Packet Size in CONNECT; `tests/mqtt_oversized_is_dropped_by_the_broker.rs` |
//! | an oversized publish of ours does none | [`Link::publish`] refuses it |
//! | a filter or topic the broker hangs up on does none | neither is sent, each is named; `tests/mqtt_refusals.rs` |
//! | the broker keeps our session | session expiry of 24 h besides `clean_start=false` |
//! | a broker is not stormed | 1 s to 30 s, jittered; `tests/mqtt_back_off.rs` |
//! | a half-open link is noticed | a ping every 10 s, and nothing heard by the next; `tests/mqtt_half_open.rs` |
//! | a broker that reads nothing is noticed | a write that takes no byte for 20 s; same test |
//! | a server keep-alive of 0 does not make us ping without pause, nor a long one late | replaced by ours; same test, `protocol` |
//! | a clean stop says "down" in place of the will | [`Link::goodbye`]; `tests/mqtt_goodbye_and_will.rs` |
//! | a broker that overruns the receive maximum, as mosquitto 2.0.11 does, costs no memory | what is not taken stays in the socket, and TCP pushes back |
//! | mosquitto 2.0.12 to 2.0.18 may forget sessions | `check` warns by [`Broker::version`] |
//! | bytes that are no MQTT end the connection and nothing else | a panic of the decoder included; `fuzz/fuzz_targets/mqtt.rs` |
//! | the TLS of rumqttc 0.25 brings unpatched advisories in | no TLS: a remote broker is reached through mosquitto's bridge |
//!
//! # Limits
//!
//! 256 KiB a packet, 128 messages unacknowledged, 16 KiB read at once, 64 KiB waiting to be written before reading stops, 1,024
//! publishes waiting of which 64 are in flight; 128 events while the caller takes none, each with the buffer it was read to (64 MiB at
//! worst, from a broker that sends nothing but the largest packets).

mod backoff;
mod event;
mod link;
mod lost;
mod options;
mod probe;
mod protocol;
mod wire;

use std::fmt;
use std::path::PathBuf;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use event::{LinkEvent, Message, NotSent, Receipt, Ticket};
pub use link::Link;
pub use probe::{Broker, probe};

/// `[mqtt]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// A name, an IPv4 or an IPv6 address, the latter with or without brackets.
    pub host: String,
    /// Of plain MQTT.
    pub port: u16,
    /// First level or levels of our own topics.
    pub prefix: String,
    /// Without one the broker has to allow anonymous clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Holds the password and nothing else; see [`Password::new`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { host: "127.0.0.1".to_owned(), port: 1883, prefix: "gladhand".to_owned(), username: None, password_file: None }
    }
}

/// Towards the broker. Prints itself as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// What a password file holds, without the line end that editors leave. `None` if nothing remains: an empty file is no
    /// password rather than an empty one, which MQTT could not tell apart.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim_end_matches(['\r', '\n']);
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What the broker publishes for us, retained, when the connection ends without a goodbye.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Will {
    /// Without wildcards.
    pub topic: String,
    /// At most 64 KiB, as MQTT has it.
    pub payload: Bytes,
}

/// A link that connects as soon as something is received from it, and never stops trying.
///
/// The client id names the session at the broker: it must be the same after a restart, and nobody else's. Has to be called
/// inside a tokio runtime.
pub fn connect(
    settings: &Settings,
    client_id: &str,
    password: Option<&Password>,
    will: Will,
    subscriptions: Vec<String>,
) -> Link {
    Link::new(options::Options::new(settings, client_id, password, Some(will), subscriptions))
}

/// For a fuzzer: how many events come of these bytes on a connection that is just let in. Whatever they are, the connection only
/// ends.
#[doc(hidden)]
pub fn events_of(bytes: &[u8]) -> usize {
    let will = Will { topic: "gone".to_owned(), payload: Bytes::new() };
    let options = options::Options::new(&Settings::default(), "fuzz", None, Some(will), vec!["#".to_owned()]);
    protocol::events_of(&options, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_file_without_its_line_end_and_is_never_shown() {
        let password = Password::new("s3cret \n").unwrap();
        assert_eq!(password.expose(), "s3cret ");
        assert_eq!(format!("{password:?}"), "***");
        assert_eq!(Password::new("\r\n"), None);
    }

    #[test]
    fn settings_have_the_documented_defaults_and_refuse_unknown_keys() {
        let settings: Settings = toml::from_str("").unwrap();
        assert_eq!((settings.host.as_str(), settings.port, settings.prefix.as_str()), ("127.0.0.1", 1883, "gladhand"));
        assert!(toml::from_str::<Settings>("tls = true").is_err());
    }
}
