//! Knowledge documents. The account keeps no hash of them, so their name there carries it: `Yards [gladhand 1f2e3d4c5b6a]`.
//! Whoever sees that name knows what is in the document and that it is ours, on whichever machine.

use ring::digest::{Context, SHA256};
use serde_json::{Value, json};

/// Digits of the hash in a name: 48 bits, to tell versions of one document apart.
const DIGITS: usize = 12;

/// A document in the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// Its name there.
    pub name: String,
    /// `text`, `url`, `file` or `folder`.
    pub kind: String,
}

impl Listed {
    /// How an agent refers to it.
    #[must_use]
    pub fn locator(&self, usage_mode: Option<&str>) -> Value {
        let mut locator = json!({ "type": self.kind, "name": self.name, "id": self.id });
        if let (Some(mode), Some(entries)) = (usage_mode, locator.as_object_mut()) {
            entries.insert("usage_mode".to_owned(), mode.into());
        }
        locator
    }
}

/// What a document holds, as far as its name tells: the hash, taken as it is read.
#[derive(Clone)]
pub struct Content(Context);

impl Content {
    /// What comes next.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The name in the account of a document of ours that holds this.
    #[must_use]
    pub fn name_there(self, name: &str) -> String {
        let hash = self.0.finish();
        let digits: String = hash
            .as_ref()
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 15])
            .map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0'))
            .take(DIGITS)
            .collect();
        format!("{name} [gladhand {digits}]")
    }
}

impl Default for Content {
    /// Nothing.
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

/// The name in the account of a document of ours with this content. For a page, the content is its address.
#[must_use]
pub fn name_there(name: &str, content: &[u8]) -> String {
    let mut all = Content::default();
    all.add(content);
    all.name_there(name)
}

/// Our name of a document with that name in the account; `None` when it is none of ours.
#[must_use]
pub fn name_here(there: &str) -> Option<&str> {
    let (name, hash) = there.strip_suffix(']')?.rsplit_once(" [gladhand ")?;
    (hash.len() == DIGITS && hash.bytes().all(|b| b.is_ascii_hexdigit())).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_content_and_whose_it_is() {
        let there = name_there("Yards", b"abc");
        assert_eq!(there, "Yards [gladhand ba7816bf8f01]", "SHA-256 of abc, as in FIPS 180-2");
        assert_ne!(there, name_there("Yards", b"abd"));
        assert_eq!(name_here(&there), Some("Yards"));
        for theirs in ["Yards", "Yards [gladhand]", "Yards [gladhand xyz]", "Yards [gladhand ba7816bf8f0g]"] {
            assert_eq!(name_here(theirs), None, "{theirs}");
        }
    }
}
