//! Why a payload is refused.

use super::MAX_PAYLOAD;
use super::iso8601::BadTime;
use crate::core::id::BadId;

/// Why a payload is refused. Names the field, never repeats its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// Longer than [`MAX_PAYLOAD`].
    #[error("the payload has {bytes} bytes, more than {MAX_PAYLOAD}")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Not text.
    #[error("the payload is not UTF-8")]
    NotUtf8,
    /// Not JSON, or a number in it is beyond any floating-point number.
    #[error("the payload is not JSON that can be read: line {line}, column {column}")]
    NotJson {
        /// Where it breaks, from 1.
        line: usize,
        /// Where it breaks, from 1.
        column: usize,
    },
    /// The sender encrypts, and nobody gave us a key.
    #[error("the payload is encrypted; switch payload encryption off at the sender")]
    Encrypted,
    /// A required field is absent or null.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A wanted field stands twice, and which one is meant cannot be known.
    #[error("{0} stands twice")]
    Twice(&'static str),
    /// A field holds another kind of value.
    #[error("{field} must be {expected}, not {found}")]
    WrongType {
        /// The field.
        field: &'static str,
        /// What it should hold.
        expected: &'static str,
        /// What it holds.
        found: &'static str,
    },
    /// A number that the quantity cannot have.
    #[error("{field} is out of range")]
    OutOfRange {
        /// The field.
        field: &'static str,
    },
    /// Unix milliseconds where seconds belong, or the other way round.
    #[error("{field} must be Unix time in {expected}, and this can only be {found}")]
    TimeUnit {
        /// The field.
        field: &'static str,
        /// `seconds` or `milliseconds`.
        expected: &'static str,
        /// `milliseconds` or `seconds`.
        found: &'static str,
    },
    /// A text that is not a time.
    #[error("{field} {why}")]
    BadTime {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        why: BadTime,
    },
    /// A text that cannot be a unit's id.
    #[error("{field} {why}")]
    BadUnit {
        /// The field, or `topic`.
        field: &'static str,
        /// What is wrong with it.
        why: BadId,
    },
    /// The unit id is taken from a topic level that this topic does not have.
    #[error("the topic has no level {level}, where the unit id is said to be")]
    NoTopicLevel {
        /// As in the configuration: from 0, or from the end when negative.
        level: i8,
    },
}

impl Reject {
    /// A short name for counters; there are twelve.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too-large",
            Self::NotUtf8 => "not-utf8",
            Self::NotJson { .. } => "not-json",
            Self::Encrypted => "encrypted",
            Self::Missing(_) => "missing-field",
            Self::Twice(_) => "field-twice",
            Self::WrongType { .. } => "wrong-type",
            Self::OutOfRange { .. } => "out-of-range",
            Self::TimeUnit { .. } => "wrong-time-unit",
            Self::BadTime { .. } => "bad-time",
            Self::BadUnit { .. } => "bad-unit",
            Self::NoTopicLevel { .. } => "no-topic-level",
        }
    }
}
