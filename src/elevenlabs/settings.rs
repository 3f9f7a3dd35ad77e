//! `[elevenlabs]` of the configuration.

use core::time::Duration;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::core::time::duration;

/// `[elevenlabs]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the API is. `http://` only towards this machine.
    pub base_url: String,
    /// The agent that speaks. Without it calls are held.
    pub agent_id: String,
    /// The number the agent calls from. Without it calls are held.
    pub agent_phone_number_id: String,
    /// Through which telephone provider.
    pub route: Route,
    /// For one request, from its start to the end of the answer; a question gets 20 s at most. For a file that is sent or fetched:
    /// without a byte moving.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// How many requests leave in a second, in the long run; twice as many may leave at once. The vendor documents no figure.
    pub requests_per_second: u32,
    /// A file with nothing but the API key, where systemd hands in no credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key_file: Option<PathBuf>,
    /// Certificates (PEM) of authorities that are trusted beside the machine's own, such as that of a proxy of the company.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            base_url: "https://api.elevenlabs.io".to_owned(),
            agent_id: String::new(),
            agent_phone_number_id: String::new(),
            route: Route::Twilio,
            timeout: Duration::from_secs(30),
            requests_per_second: 20,
            api_key_file: None,
            ca_file: None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_default_and_a_misspelt_one_is_an_error() {
        assert_eq!(toml::from_str::<Settings>("").unwrap(), Settings::default());
        let read: Settings = toml::from_str("route = \"sip-trunk\"\ntimeout = \"5s\"\napi_key_file = \"/k\"").unwrap();
        assert_eq!((read.route, read.timeout, read.api_key_file), (Route::SipTrunk, Duration::from_secs(5), Some("/k".into())));
        let error = toml::from_str::<Settings>("agent_phone_number = \"x\"").unwrap_err().to_string();
        assert!(error.contains("agent_phone_number"), "{error}");
    }
}
