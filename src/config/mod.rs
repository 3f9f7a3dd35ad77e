//! Configuration: the whole of `gladhand.toml` as one struct, what may stand in it, and how it is read.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | the structs and their defaults |
//! | `validate.rs` | what serde cannot know: ranges, order, what excludes what (pure) |
//! | `document.rs` | TOML text with the line of every key, so that an error names file, line, key and what would be right |
//! | `load.rs` | reading the file |
//! | `roster.rs` | `roster.toml` |
//! | `secrets.rs` | the API key and the broker's password, which never stand in the configuration |
//!
//! Only `gateway.id` is required. Unknown keys are errors: a misspelt threshold must not silently keep its default.

mod document;
pub mod load;
pub mod roster;
pub mod secrets;
mod validate;

use core::time::Duration;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::core::calls::settings::Retry;
use crate::core::phone::Phone;
use crate::core::time::duration;
use crate::core::zone::Zone;
use crate::core::{calls, roster as people, separation};

pub use load::{ConfigError, load, parse};

/// Where the configuration is when the command line names no other.
pub const DEFAULT_PATH: &str = "/etc/gladhand/gladhand.toml";

/// `gladhand.toml`. Serialises to the effective configuration: every key, no secret, telephone numbers masked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Who we are.
    pub gateway: Gateway,
    /// The broker.
    pub mqtt: Mqtt,
    /// How loud.
    pub log: Log,
    /// Who is told when nobody else is named.
    pub dispatcher: Dispatcher,
    /// The detector's thresholds.
    pub separation: separation::Settings,
    /// When and how often somebody is called.
    pub calls: calls::Settings,
    /// The vendor.
    pub elevenlabs: ElevenLabs,
    /// Waits between requests that placed nothing.
    pub retry: Retry,
    /// The health topic.
    pub health: Health,
    /// The control socket.
    pub api: Api,
    /// Which topics are read, and how.
    pub telemetry: Vec<Telemetry>,
    /// Where a trailer may be dropped.
    #[serde(rename = "zone")]
    pub zones: Vec<Zone>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            gateway: Gateway::default(),
            mqtt: Mqtt::default(),
            log: Log::default(),
            dispatcher: Dispatcher::default(),
            separation: separation::Settings::default(),
            calls: calls::Settings::default(),
            elevenlabs: ElevenLabs::default(),
            retry: Retry::default(),
            health: Health::default(),
            api: Api::default(),
            telemetry: vec![Telemetry {
                topic: "fleet/+/telemetry".to_owned(),
                format: Format::Gladhand,
                unit: None,
                fields: None,
            }],
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

/// `[mqtt]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mqtt {
    /// Name or address of the broker.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// First level or levels of our own topics.
    pub prefix: String,
    /// Whom we log in as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// A file with nothing but the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
}

impl Default for Mqtt {
    fn default() -> Self {
        Self { host: "127.0.0.1".to_owned(), port: 1883, prefix: "gladhand".to_owned(), username: None, password_file: None }
    }
}

/// `[[telemetry]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// An MQTT topic filter.
    pub topic: String,
    /// What the payloads are.
    #[serde(default)]
    pub format: Format,
    /// Where the unit's id is when the payload does not have it: a topic level counted from 0, `topic[1]`, or from the
    /// end, `topic[-1]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Where each value is in the payload, for `format = "fields"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Fields>,
}

/// See [`Telemetry::format`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// gladhand's own JSON.
    #[default]
    Gladhand,
    /// OwnTracks locations.
    OwnTracks,
    /// Traccar's position forwarding.
    Traccar,
    /// Teltonika Codec JSON.
    Teltonika,
    /// flespi device messages.
    Flespi,
    /// Any JSON, read as [`Fields`] says.
    Fields,
}

/// `fields` of a `[[telemetry]]`: JSON pointers (RFC 6901) such as `/location/latitude`, and the units of what is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fields {
    /// Start from a known layout; keys beside it win.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// The unit's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Event time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// What [`Fields::time`] is written in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_unit: Option<TimeUnit>,
    /// Degrees north.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lat: Option<String>,
    /// Degrees east.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lon: Option<String>,
    /// Speed over ground.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<String>,
    /// What [`Fields::speed`] is written in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed_unit: Option<SpeedUnit>,
    /// Degrees from north.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heading: Option<String>,
    /// Horizontal dilution of precision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hdop: Option<String>,
    /// Accuracy in metres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<String>,
    /// Whether the fix is valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid: Option<String>,
    /// Whether the unit moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moving: Option<String>,
}

/// See [`Fields::preset`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// thin-edge.io measurements with `time` and `location`.
    ThinEdge,
}

/// See [`Fields::time_unit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeUnit {
    /// Unix seconds, possibly fractional.
    S,
    /// Unix milliseconds.
    Ms,
    /// ISO 8601 with an offset.
    Iso,
}

/// See [`Fields::speed_unit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpeedUnit {
    /// Metres per second.
    #[serde(rename = "m/s")]
    MetresPerSecond,
    /// Kilometres per hour.
    #[serde(rename = "km/h")]
    KilometresPerHour,
    /// Miles per hour.
    #[serde(rename = "mph")]
    MilesPerHour,
    /// Knots.
    #[serde(rename = "knots")]
    Knots,
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

/// `[elevenlabs]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ElevenLabs {
    /// Where the API is. `http://` only towards this machine.
    pub base_url: String,
    /// The agent that speaks. Without it calls are held.
    pub agent_id: String,
    /// The number the agent calls from. Without it calls are held.
    pub agent_phone_number_id: String,
    /// Through which telephone provider.
    pub route: Route,
    /// For one request, from its start to the end of the answer.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// A file with nothing but the API key, where systemd hands in no credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key_file: Option<PathBuf>,
}

impl Default for ElevenLabs {
    fn default() -> Self {
        Self {
            base_url: "https://api.elevenlabs.io".to_owned(),
            agent_id: String::new(),
            agent_phone_number_id: String::new(),
            route: Route::Twilio,
            timeout: Duration::from_secs(30),
            api_key_file: None,
        }
    }
}

/// The telephone provider behind the vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Route {
    /// A number imported from Twilio.
    Twilio,
    /// A SIP trunk.
    SipTrunk,
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
}

impl Default for Api {
    fn default() -> Self {
        Self { socket: "/run/gladhand/gladhand.sock".into() }
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
