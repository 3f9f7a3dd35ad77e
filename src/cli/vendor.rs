//! The vendor's account, as the commands see it.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use super::{Failure, load};
use crate::config::Config;
use crate::config::secrets::{self, Surroundings};
use crate::elevenlabs::{ApiKey, Client, Error, ErrorKind};

/// Configuration and client. The key is where the daemon finds it, or, for root, where systemd does.
pub(super) fn open(file: &Path) -> Result<(Config, Client), Failure> {
    let config = load(file)?;
    let around = Surroundings::from_env();
    let found = secrets::api_key_by_hand(config.elevenlabs.api_key_file.as_deref(), &around);
    let found = found.map_err(|why| Failure::Failed(format!("the API key: {why}")))?.ok_or_else(|| {
        Failure::Failed("there is no API key: put it into /etc/credstore/elevenlabs-api-key (mode 0600) and run this as root, or set ELEVENLABS_API_KEY".to_owned())
    })?;
    let failed = |why: &dyn std::fmt::Display| Failure::Failed(why.to_string());
    let key = ApiKey::new(found.secret.expose()).map_err(|why| failed(&why))?;
    let client = Client::new(&config.elevenlabs, key).map_err(|why| failed(&why))?;
    Ok((config, client))
}

/// In words for whoever typed the command.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let text = match error.kind {
            ErrorKind::Unauthorised if error.code.as_deref().is_some_and(|code| code.contains("permission")) => {
                format!(
                    "the API key lacks a right: {error}; give it that right where it was made, in ElevenLabs' console under API keys"
                )
            }
            ErrorKind::Unauthorised => format!("the API key is refused: {error}; is it the right one, and of this account?"),
            ErrorKind::Unreachable => format!("ElevenLabs cannot be reached: {error}"),
            ErrorKind::Busy => format!("ElevenLabs asks to wait: {error}"),
            ErrorKind::NotFound => format!("the account has no such thing: {error}"),
            ErrorKind::Lost | ErrorKind::Refused | ErrorKind::Failed | ErrorKind::Unreadable => format!("ElevenLabs: {error}"),
            ErrorKind::File | ErrorKind::Invalid => error.to_string(),
        };
        Self::Failed(text)
    }
}

/// Says on a terminal how far a file is, and is silent anywhere else.
pub(super) struct Progress {
    what: String,
    shown: Option<u64>,
    terminal: bool,
}

impl Progress {
    pub(super) fn of(what: &str) -> Self {
        Self { what: super::table::plain_line(what), shown: None, terminal: io::stderr().is_terminal() }
    }

    /// `total` is unknown when the vendor does not say it.
    pub(super) fn at(&mut self, bytes: u64, total: Option<u64>) {
        let step = total.filter(|total| *total > 0).map_or(bytes >> 18, |total| bytes.saturating_mul(100) / total);
        if !self.terminal || self.shown == Some(step) {
            return;
        }
        self.shown = Some(step);
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        let line = match total {
            Some(total) => format!("{step:3} %  {:.1} of {:.1} MB", megabytes(bytes), megabytes(total)),
            None => format!("{:.1} MB", megabytes(bytes)),
        };
        // A terminal that has gone away is no reason to stop.
        let _ = write!(io::stderr(), "\r{}  {line}", self.what);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            let _ = writeln!(io::stderr());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(kind: ErrorKind, code: Option<&str>) -> String {
        let error = Error {
            endpoint: crate::elevenlabs::Endpoint::AgentGet,
            kind,
            status: None,
            code: code.map(str::to_owned),
            message: "words".to_owned(),
            request_id: None,
            retry_after: None,
            left_behind: Vec::new(),
        };
        let Failure::Failed(text) = Failure::from(error) else { panic!("another failure") };
        text
    }

    #[test]
    fn a_bad_key_is_told_from_one_without_the_right() {
        assert!(said(ErrorKind::Unauthorised, Some("invalid_api_key")).starts_with("the API key is refused: words"));
        assert!(said(ErrorKind::Unauthorised, Some("missing_permissions")).starts_with("the API key lacks a right: words"));
    }
}
