//! The API key: shown to nobody, and sent as a header only.

use core::fmt;
use std::path::Path;

use reqwest::header::HeaderValue;

/// The vendor's API key. Prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

/// Why there is no usable key. Never repeats what was read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Nothing but white space.
    #[error("the API key is empty")]
    Empty,
    /// Not fit for a header: a space, a line break or something other than ASCII inside.
    #[error("the API key contains something other than visible ASCII characters")]
    Unprintable,
    /// The file that should hold it.
    #[error("the API key could not be read from {0}")]
    File(String),
}

impl ApiKey {
    /// Takes a key; white space around it (the line end of a file) is dropped.
    ///
    /// # Errors
    /// When the text cannot be a key.
    pub fn new(text: &str) -> Result<Self, BadKey> {
        let text = text.trim();
        if text.is_empty() {
            Err(BadKey::Empty)
        } else if text.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadKey::Unprintable)
        }
    }

    /// The first of: `elevenlabs-api-key` in systemd's credentials directory, the file that the configuration names, the
    /// environment's `ELEVENLABS_API_KEY` as handed in. `None` when there is none of them.
    ///
    /// # Errors
    /// When the first one there cannot be read or is not a key; the others are not tried then.
    pub fn find(credentials: Option<&Path>, file: Option<&Path>, environment: Option<&str>) -> Result<Option<Self>, BadKey> {
        let credential = credentials.map(|directory| directory.join("elevenlabs-api-key")).filter(|path| path.exists());
        if let Some(path) = credential.as_deref().or(file) {
            let why = |error: std::io::Error| BadKey::File(format!("{}: {error}", path.display()));
            return Self::new(&std::fs::read_to_string(path).map_err(why)?).map(Some);
        }
        environment.map(Self::new).transpose()
    }

    /// For the header `xi-api-key`, marked so that no HTTP layer prints it.
    pub(super) fn header(&self) -> Result<HeaderValue, BadKey> {
        let mut value = HeaderValue::from_str(&self.0).map_err(|_| BadKey::Unprintable)?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// `text` with every occurrence of the key replaced by `***`.
    pub(super) fn mask(&self, text: &str) -> String {
        text.replace(&self.0, "***")
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_trimmed_checked_and_never_printed() {
        let key = ApiKey::new(" sk_secret\n").unwrap();
        assert_eq!(format!("{key:?} {:?}", key.header().unwrap()), "*** Sensitive");
        assert_eq!(key.header().unwrap().as_bytes(), b"sk_secret");
        assert_eq!(ApiKey::new(" \n"), Err(BadKey::Empty));
        for text in ["sk_a sk_b", "sk_a\r\nx-other: 1", "sk_ä"] {
            assert_eq!(ApiKey::new(text), Err(BadKey::Unprintable));
        }
    }

    #[test]
    fn a_credential_goes_before_the_file_and_the_file_before_the_environment() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key");
        std::fs::write(&file, "sk_file\n").unwrap();
        let find = |credentials, file, environment| ApiKey::find(credentials, file, environment).map(|k| k.map(|k| k.0));
        assert_eq!(find(None, None, None), Ok(None));
        assert_eq!(find(Some(directory.path()), None, Some("sk_env")), Ok(Some("sk_env".to_owned())));
        assert_eq!(find(Some(directory.path()), Some(&file), Some("sk_env")), Ok(Some("sk_file".to_owned())));
        std::fs::write(directory.path().join("elevenlabs-api-key"), "sk_credential").unwrap();
        assert_eq!(find(Some(directory.path()), Some(&file), Some("sk_env")), Ok(Some("sk_credential".to_owned())));
        let missing = directory.path().join("none");
        assert!(matches!(find(None, Some(&missing), Some("sk_env")), Err(BadKey::File(why)) if why.contains("none")));
    }
}
