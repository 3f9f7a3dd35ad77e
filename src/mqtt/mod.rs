//! The broker: MQTT v5 over plain TCP. The only folder that knows rumqttc.
//!
//! [`connect`] starts one task that polls the connection, alone in its loop, and hands over what arrives through a bounded
//! channel: the [`Inbox`]. The main loop acknowledges and publishes through the [`Link`], which never waits: no call of it
//! depends on the poll task making progress, so neither can block the other.
//!
//! ```text
//! broker ── poll task ──(at most 128 arrivals)──> Inbox ── main loop
//!                ^                                             │
//!                └──────(acks and publishes, try_ only)── Link <┘
//! ```
//!
//! # What a caller does
//!
//! - A [`Message`] is acknowledged with [`Link::ack`] after what it caused is durable, and also when it is rejected. What was
//!   not acknowledged comes again, marked as duplicate, on the next connection: also after a restart of this process, for the
//!   broker keeps the session for 24 h. An acknowledgement for a former connection is not sent: the message comes again anyway,
//!   and its packet id may by then belong to another one.
//! - A publish carries a [`Ticket`]. [`LinkEvent::Delivered`] says that the broker took it, [`LinkEvent::Refused`] that it never
//!   will. [`LinkEvent::Disconnected`] forgets all others: the caller publishes them again from its store after the next
//!   [`LinkEvent::Subscribed`]. Nothing is kept here while there is no connection.
//! - Between [`LinkEvent::Connected`] and [`LinkEvent::Subscribed`] messages may already come.
//!
//! # How rumqttc 0.25 is held
//!
//! Every connection gets an event loop of its own, and the old one is dropped whole. Of a former connection nothing can leak
//! into the next: no publish that is resent out of order or silently dropped, no acknowledgement, no half-used packet ids, no
//! stale receive maximum, no undelivered event. Further:
//!
//! | trap | here |
//! |---|---|
//! | auto-ack loses what was not processed | manual acks; `tests/mqtt_redelivers_what_was_not_acked.rs` |
//! | awaiting the client in the poll task stalls | the poll task only calls `try_`; `tests/mqtt_flood.rs` |
//! | acks share the bounded request channel, 200 bytes each | [`Link`] hands over 64 at a time, the others wait as packet ids |
//! | does not resubscribe | the poll task does, on every ConnAck; `tests/mqtt_resubscribes_after_session_loss.rs` |
//! | drops or reorders pending publishes on reconnect | none are left to it; `tests/mqtt_publishes_survive_a_broker_restart.rs` |
//! | an oversized message reconnects for ever | Maximum Packet Size in CONNECT; `tests/mqtt_oversized_is_dropped_by_the_broker.rs` |
//! | an oversized publish of ours would do the same | [`Link::publish`] refuses it |
//! | so would a filter or topic the broker hangs up on | neither is sent, each is named; `tests/mqtt_refusals.rs` |
//! | `clean_start=false` alone keeps no session | session expiry of 24 h |
//! | no back-off | 1 s to 30 s, jittered; `tests/mqtt_back_off.rs` |
//! | half-open links show at twice the keep-alive | keep-alive of 10 s; `tests/mqtt_half_open.rs` |
//! | a write to a dead peer is not covered by the keep-alive | a poll of twice the keep-alive counts as dead; same test |
//! | a server keep-alive of 0 makes it ping without pause | replaced by ours; same test |
//! | a clean disconnect does not send the will | [`Link::goodbye`]; `tests/mqtt_goodbye_and_will.rs` |
//! | mosquitto 2.0.11 overruns the receive maximum | the inbox then pushes back through TCP (6.5 MB resident draining 100,000) |
//! | at the broker's receive maximum it holds back acks too | [`Link`] keeps its publishes below it |
//! | mosquitto 2.0.12 to 2.0.18 may forget sessions | `check` warns by [`Broker::version`] |
//! | its TLS brings unpatched advisories in | no TLS: a remote broker is reached through mosquitto's bridge |
//! | reserves 200 bytes for each of 65,535 publishes | 64 in flight at most |
//! | a panic in it would end the poll task | the task of a connection is joined, and a panic is a [`LinkEvent::Disconnected`] |
//!
//! # Limits
//!
//! 256 KiB a packet, 128 unacknowledged messages, 128 arrivals waiting in the inbox (so 32 MiB there at worst), 1,024 publishes
//! waiting of which 64 are in flight.

mod backoff;
mod connection;
mod inbox;
mod link;
mod probe;

use std::path::PathBuf;
use std::{fmt, sync::Arc};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use inbox::{Inbox, LinkEvent, Message};
pub use link::{Link, NotSent, Ticket};
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

/// Starts to connect, and never stops trying until the [`Inbox`] is dropped or [`Link::goodbye`] is said.
///
/// The client id names the session at the broker: it must be the same after a restart, and nobody else's. Has to be called
/// inside a tokio runtime.
pub fn connect(
    settings: &Settings,
    client_id: &str,
    password: Option<&Password>,
    will: Will,
    subscriptions: Vec<String>,
) -> (Link, Inbox) {
    let options = connection::options(settings, client_id, password, Some(will));
    let (link, session) = link::new();
    let inbox = inbox::new(session.clone(), |arrivals| connection::keep(options, Arc::from(subscriptions), arrivals, session));
    (link, inbox)
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
