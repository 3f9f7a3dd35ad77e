//! What the core wants kept. The core speaks of keys and bytes; how they survive a power cut is the store's business.

/// One change of the durable state. A list of them is made durable as a whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// A short text of text without control characters, its first part naming the kind: `call/…`, `pair/…`, `override/…`.
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
