//! Configuration, roster and secrets as they were read together, and what the daemon makes of them.

use std::mem;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::secrets::{self, Secret, Surroundings};
use super::{Config, ConfigError, load, roster};
use crate::core::machine::Settings;
use crate::core::roster::book::RosterFile;
use crate::core::topics::Topics;
use crate::elevenlabs::ApiKey;
use crate::formats::Router;
use crate::mqtt::Password;

/// See the module.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Where the configuration is.
    pub path: PathBuf,
    /// `gladhand.toml`.
    pub config: Config,
    /// `roster.toml` beside it.
    pub roster: roster::Roster,
}

impl Loaded {
    /// Reads and checks both files.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn read(path: &Path) -> Result<Self, Vec<ConfigError>> {
        let config = load(path)?;
        let roster = roster::load(&Config::roster_path(path), &config.calls.default_country)?;
        Ok(Self { path: path.to_owned(), config, roster })
    }

    /// Reads both files again. Returns with what was read the keys whose change takes effect only with a new start; they
    /// keep their values until then.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn again(&self) -> Result<(Self, Vec<&'static str>), Vec<ConfigError>> {
        let mut new = Self::read(&self.path)?;
        let mut kept = Vec::new();
        let (old, config) = (&self.config, &mut new.config);
        keep(&mut kept, "gateway", &old.gateway, &mut config.gateway);
        keep(&mut kept, "mqtt", &old.mqtt, &mut config.mqtt);
        keep(&mut kept, "telemetry", &old.telemetry, &mut config.telemetry);
        keep(&mut kept, "health.topic", &old.health.topic, &mut config.health.topic);
        keep(&mut kept, "api", &old.api, &mut config.api);
        keep(&mut kept, "log", &old.log, &mut config.log);
        Ok((new, kept))
    }

    /// What the core is configured with. The roster, which may be large, moves there.
    #[must_use]
    pub fn settings(&mut self) -> Settings {
        let roster = mem::take(&mut self.roster);
        let config = &self.config;
        Settings {
            gateway: config.gateway.id.clone(),
            topics: self.topics(),
            separation: config.separation.clone(),
            calls: config.calls.clone(),
            retry: config.retry.clone(),
            health_interval: config.health.interval,
            roster: RosterFile {
                assignments: roster.assignments,
                trailers: roster.trailers,
                zones: config.zones.clone(),
                dispatcher: config.dispatcher(),
            },
        }
    }

    /// Our own topics.
    #[must_use]
    pub fn topics(&self) -> Topics {
        Topics::new(&self.config.mqtt.prefix, &self.config.health.topic)
    }

    /// Which decoder reads which topic.
    #[must_use]
    pub fn router(&self) -> Router {
        self.config.telemetry.iter().cloned().collect()
    }

    /// The vendor's key, if there is one. A file that others can read is worth a warning, which is handed to `warn`.
    ///
    /// # Errors
    /// Why the one that is there cannot be used. Never the key.
    pub fn api_key(&self, warn: impl FnOnce(&str)) -> Result<Option<ApiKey>, String> {
        let found = secrets::api_key(self.config.elevenlabs.api_key_file.as_deref(), &Surroundings::from_env());
        let Some(found) = found.map_err(|why| why.to_string())? else { return Ok(None) };
        if let Some(warning) = &found.warning {
            warn(warning);
        }
        ApiKey::new(found.secret.expose()).map(Some).map_err(|why| why.to_string())
    }

    /// The TCP port of the API and its token, if the configuration asks for one.
    ///
    /// # Errors
    /// Why the file with the token cannot be used.
    pub fn tcp(&self) -> Result<Option<(SocketAddr, Secret)>, String> {
        let api = &self.config.api;
        let (Some(address), Some(file)) = (api.listen, &api.token_file) else { return Ok(None) };
        Ok(Some((address, secrets::api_token(file).map_err(|why| why.to_string())?.secret)))
    }

    /// The broker's password, if the configuration names a file for it.
    ///
    /// # Errors
    /// Why the file cannot be used.
    pub fn mqtt_password(&self) -> Result<Option<Password>, String> {
        let Some(file) = &self.config.mqtt.password_file else { return Ok(None) };
        let found = secrets::from_file(file).map_err(|why| why.to_string())?;
        Ok(Password::new(found.secret.expose()))
    }
}

fn keep<T: Clone + PartialEq>(kept: &mut Vec<&'static str>, key: &'static str, old: &T, new: &mut T) {
    if old != new {
        kept.push(key);
        new.clone_from(old);
    }
}
