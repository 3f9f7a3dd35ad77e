//! Reading `gladhand.toml`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::document::Document;
use super::{Config, account, validate};

/// What is wrong with a file, and what would be right. Reads
/// `/etc/gladhand/gladhand.toml:12: calls.max_age: "30 minutes" is not a duration; write …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// Its line, counted from 1; none when the file could not be read or lacks the key's table.
    pub line: Option<usize>,
    /// The key, like `calls.max_age` or `telemetry[0].topic`; empty when it is about the whole file.
    pub key: String,
    /// What is wrong and what would be right. Never holds a secret or a telephone number.
    pub message: String,
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }
        write!(f, " {}", self.message)
    }
}

impl std::error::Error for ConfigError {}

/// Reads and checks the configuration. An id of the vendor that it does not set is that of `account.toml` beside it.
///
/// # Errors
/// Everything that is wrong with it, at least one; of the keys that cannot be read at all only the first.
pub fn load(file: &Path) -> Result<Config, Vec<ConfigError>> {
    let mut config = parse(file, &read(file).map_err(|error| vec![error])?)?;
    let account = account::load(&account::path(file))?;
    for (id, known) in [
        (&mut config.elevenlabs.agent_id, account.agent_id),
        (&mut config.elevenlabs.agent_phone_number_id, account.agent_phone_number_id),
    ] {
        if id.is_empty() {
            *id = known;
        }
    }
    Ok(config)
}

/// Checks the text of a configuration. `file` is only named in errors.
///
/// # Errors
/// As [`load`].
pub fn parse(file: &Path, text: &str) -> Result<Config, Vec<ConfigError>> {
    let document = Document::parse(file, text).map_err(|error| vec![error])?;
    let config: Config = document.read().map_err(|error| vec![error])?;
    let mut errors: Vec<_> = validate::problems(&config).into_iter().map(|(key, message)| document.error(key, message)).collect();
    errors.extend(national_number(&document, "dispatcher.phone", &config.calls.default_country));
    errors.sort_by_key(|error| error.line);
    if errors.is_empty() { Ok(config) } else { Err(errors) }
}

/// Only the United States have a national form here: where the default country is another one, a number must have its `+`.
pub(super) fn national_number(document: &Document<'_>, key: &str, country: &str) -> Option<ConfigError> {
    let text = document.text_at(key)?.trim();
    (country != "US" && !text.is_empty() && !text.starts_with('+')).then(|| {
        document.error(
            key,
            format!("the phone number has no + and calls.default_country is \"{country}\"; write it with + and country code"),
        )
    })
}

pub(super) fn read(file: &Path) -> Result<String, ConfigError> {
    let about_file = |message| ConfigError { file: file.to_owned(), line: None, key: String::new(), message };
    let bytes = std::fs::read(file).map_err(|error| {
        let todo = if error.kind() == ErrorKind::PermissionDenied { "; `sudo gladhand check` says what to do" } else { "" };
        about_file(format!("cannot be read: {error}{todo}"))
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = valid.iter().filter(|b| **b == b'\n').count() + 1;
        ConfigError { line: Some(line), ..about_file("is not UTF-8 text".to_owned()) }
    })
}
