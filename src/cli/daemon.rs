//! The running daemon, as the commands see it.

use core::time::Duration;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Failure, load};
use crate::api::client::{self, ClientError};
use crate::config::Config;

/// Longer than the daemon lets a question wait for its main loop.
const PATIENCE: Duration = Duration::from_secs(15);

/// Which daemon.
#[derive(Debug, clap::Args)]
pub(super) struct Where {
    /// The control socket, when it is not the one that the configuration names
    #[arg(long, value_name = "FILE")]
    socket: Option<PathBuf>,
}

/// A daemon that can be asked.
#[derive(Debug)]
pub(super) struct Daemon {
    socket: PathBuf,
    /// Known when the configuration was read.
    state_dir: Option<PathBuf>,
}

impl Where {
    /// The configuration is read only when the socket is not named.
    pub(super) fn daemon(&self, config: &Path) -> Result<Daemon, Failure> {
        if let Some(socket) = &self.socket {
            return Ok(Daemon { socket: socket.clone(), state_dir: None });
        }
        Ok(Daemon::of(&load(config)?))
    }
}

impl Daemon {
    pub(super) fn of(config: &Config) -> Self {
        Self { socket: config.api.socket.clone(), state_dir: Some(config.gateway.state_dir.clone()) }
    }

    pub(super) fn get(&self, path: &str) -> Result<Value, Failure> {
        self.ask("GET", path, &[], Duration::ZERO).map_err(failed).and_then(accepted)
    }

    /// As [`Self::get`]; when the daemon is stopped, what `stored` finds in its state directory.
    pub(super) fn get_or(&self, path: &str, stored: impl FnOnce(&Path) -> Result<Value, Failure>) -> Result<Value, Failure> {
        match (self.ask("GET", path, &[], Duration::ZERO), &self.state_dir) {
            // Without a directory there is nothing to be read, and none is to be made by looking.
            (Err(ClientError::NotRunning(_)), Some(state_dir)) if state_dir.is_dir() => stored(state_dir),
            (answer, _) => answer.map_err(failed).and_then(accepted),
        }
    }

    /// `wait` is how long the daemon was asked to wait before it answers.
    pub(super) fn post(&self, path: &str, body: &[u8], wait: Duration) -> Result<Value, Failure> {
        self.ask("POST", path, body, wait).map_err(failed).and_then(accepted)
    }

    fn ask(&self, method: &str, path: &str, body: &[u8], wait: Duration) -> Result<(u16, Value), ClientError> {
        client::ask(&self.socket, method, path, body, PATIENCE + wait).map(|answer| (answer.status, answer.body))
    }
}

fn failed(error: ClientError) -> Failure {
    Failure::Failed(error.to_string())
}

fn accepted((status, body): (u16, Value)) -> Result<Value, Failure> {
    if (200..300).contains(&status) {
        return Ok(body);
    }
    let why = ["error", "detail"].iter().find_map(|key| body.get(key)?.as_str());
    Err(Failure::Failed(why.map_or_else(|| format!("refused with status {status}"), str::to_owned)))
}
