//! What the core wants kept. The core speaks of keys and bytes; how they survive a power cut is the store's business.

/// One change of the durable state. A list of them is made durable as a whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// A short text of short text of printable ASCII, its first part naming the kind: `call/…`, `pair/…`, `override/…`.
    pub key: String,
    /// The new value, or `None` to remove the key.
    pub value: Option<Value>,
}

/// What stands under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Grows with every change of this key; of two copies the newer one counts.
    pub revision: u64,
    /// The record, JSON.
    pub bytes: Vec<u8>,
    /// Whether a second copy is kept against damaged media: true for calls that are not concluded.
    pub precious: bool,
}

/// A key: a kind, and names of whatever characters, each escaped so that no two lists of names make the same key.
#[must_use]
pub fn key(kind: &str, names: &[&str]) -> String {
    let mut key = kind.to_owned();
    for name in names {
        key.push('/');
        for byte in name.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
                key.push(char::from(byte));
            } else {
                key.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    key
}

/// One stored entry, as found when the store was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// See [`Change::key`].
    pub key: String,
    /// See [`Value::revision`].
    pub revision: u64,
    /// See [`Value::bytes`].
    pub bytes: Vec<u8>,
}
