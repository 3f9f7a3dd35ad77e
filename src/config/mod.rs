//! Configuration: the whole of `gladhand.toml` as one struct, what may stand in it, and how it is read.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | the structs and their defaults |
//! | `validate.rs` | what serde cannot know: ranges, order, what excludes what (pure) |
//! | `document.rs` | TOML text with the line of every key, so that an error names file, line, key and what would be right |
//! | `load.rs` | reading the file |
//! | `roster.rs` | `roster.toml` |
//! | `agent.rs`, `account.rs` | `agent.toml`, the agent in the vendor's account; `account.toml`, the ids of that account |
//! | `secrets.rs` | the API key and the broker's password, which never stand in the configuration |
//!
//! Only `gateway.id` is required. Unknown keys are errors: a misspelt threshold must not silently keep its default.

pub mod account;
pub mod agent;
mod document;
pub mod load;
mod loaded;
pub mod roster;
pub mod secrets;
mod validate;

use core::time::Duration;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::core::calls::settings::Retry;
use crate::core::phone::Phone;
use crate::core::time::duration;
use crate::core::zone::Zone;
use crate::core::{calls, roster as people, separation};
use crate::formats::Source;
use crate::{elevenlabs, mqtt};

pub use load::{ConfigError, load, parse};
pub use loaded::Loaded;

/// Where the configuration is when the command line names no other.
pub const DEFAULT_PATH: &str = "/etc/gladhand/gladhand.toml";

/// `gladhand.toml`. Serialises to the effective configuration: every key, no secret, telephone numbers masked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Who we are.
    pub gateway: Gateway,
    /// The broker.
    pub mqtt: mqtt::Settings,
    /// How loud.
    pub log: Log,
    /// Who is told when nobody else is named.
    pub dispatcher: Dispatcher,
    /// The detector's thresholds.
    pub separation: separation::Settings,
    /// When and how often somebody is called.
    pub calls: calls::Settings,
    /// The vendor.
    pub elevenlabs: elevenlabs::Settings,
    /// Waits between requests that placed nothing.
    pub retry: Retry,
    /// The health topic.
    pub health: Health,
    /// The control socket.
    pub api: Api,
    /// Which topics are read, and how.
    pub telemetry: Vec<Source>,
    /// Where a trailer may be dropped.
    #[serde(rename = "zone")]
    pub zones: Vec<Zone>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            gateway: Gateway::default(),
            mqtt: mqtt::Settings::default(),
            log: Log::default(),
            dispatcher: Dispatcher::default(),
            separation: separation::Settings::default(),
            calls: calls::Settings::default(),
            elevenlabs: elevenlabs::Settings::default(),
            retry: Retry::default(),
            health: Health::default(),
            api: Api::default(),
            telemetry: vec![Source::default()],
            zones: Vec::new(),
        }
    }
}

impl Config {
    /// The default dispatcher, when one can be called.
    #[must_use]
    pub fn dispatcher(&self) -> Option<people::Dispatcher> {
        let Dispatcher { name, phone } = self.dispatcher.clone();
        phone.map(|phone| people::Dispatcher { name, phone })
    }

    /// `roster.toml` beside `config`, the path this configuration came from.
    #[must_use]
    pub fn roster_path(config: &Path) -> PathBuf {
        config.with_file_name("roster.toml")
    }
}

/// `[gateway]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gateway {
    /// In topics, the MQTT client id and call ids: 1 to 48 of `[A-Za-z0-9_-]`. The only key without a default.
    pub id: String,
    /// Where the store is.
    pub state_dir: PathBuf,
}

impl Default for Gateway {
    fn default() -> Self {
        Self { id: String::new(), state_dir: "/var/lib/gladhand".into() }
    }
}

/// `[log]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// The least serious level that is written.
    pub level: Level,
}

/// See [`Log::level`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// We stop doing our job.
    Error,
    /// Worth waking somebody.
    Warn,
    /// One line per state change of a call or violation.
    #[default]
    Info,
    /// Positions and single messages too.
    Debug,
    /// Everything.
    Trace,
}

/// `[dispatcher]`: for rigs and requests that name none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dispatcher {
    /// For people to read, and spoken by the agent.
    pub name: String,
    /// Where the dispatcher is called; written `""` when there is none.
    #[serde(serialize_with = "masked", deserialize_with = "phone_or_empty")]
    pub phone: Option<Phone>,
}

/// `[health]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Health {
    /// Where health is published, retained.
    pub topic: String,
    /// At least this often.
    #[serde(with = "duration")]
    pub interval: Duration,
}

impl Default for Health {
    fn default() -> Self {
        Self { topic: "te/device/main/service/gladhand/status/health".to_owned(), interval: Duration::from_secs(60) }
    }
}

/// `[api]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Api {
    /// The control socket.
    pub socket: PathBuf,
    /// A TCP port for those who bring the token; none is opened without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// Holds the token and nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
}

impl Default for Api {
    fn default() -> Self {
        Self { socket: "/run/gladhand/gladhand.sock".into(), listen: None, token_file: None }
    }
}

#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
fn masked<S: Serializer>(phone: &Option<Phone>, s: S) -> Result<S::Ok, S::Error> {
    match phone {
        Some(phone) => s.collect_str(phone),
        None => s.serialize_str(""),
    }
}

fn phone_or_empty<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Phone>, D::Error> {
    let text = String::deserialize(d)?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    Phone::parse(&text, "US").map(Some).map_err(|why| serde::de::Error::custom(format_args!("the phone number {why}")))
}
