//! The API key: shown to nobody, and sent as a header only.

use core::fmt;

use reqwest::header::HeaderValue;

/// The vendor's API key. Prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    key: String,
    /// Another secret of the same request.
    other: Option<String>,
}

/// Why there is no usable key. Never repeats what was read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Nothing but white space.
    #[error("the API key is empty")]
    Empty,
    /// Not fit for a header: a space, a line break or something other than ASCII inside.
    #[error("the API key contains something other than visible ASCII characters")]
    Unprintable,
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
            Ok(Self { key: text.to_owned(), other: None })
        } else {
            Err(BadKey::Unprintable)
        }
    }

    /// For the header `xi-api-key`, marked so that no HTTP layer prints it.
    pub(super) fn header(&self) -> Result<HeaderValue, BadKey> {
        let mut value = HeaderValue::from_str(&self.key).map_err(|_| BadKey::Unprintable)?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// The same key, for a request that carries another secret.
    pub(super) fn beside(&self, secret: &str) -> Self {
        Self { key: self.key.clone(), other: Some(secret.to_owned()).filter(|secret| !secret.is_empty()) }
    }

    /// `text` with every occurrence of the key, and of the secret beside it, replaced by `***`.
    pub(super) fn mask(&self, text: &str) -> String {
        let text = text.replace(&self.key, "***");
        match &self.other {
            Some(secret) => text.replace(secret, "***"),
            None => text,
        }
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
}
