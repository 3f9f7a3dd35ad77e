//! Identifiers. Each is its own type, of bounded length and held in place, so that no input can make one grow and
//! comparing or copying one never touches the heap.

use core::{fmt, ops::Deref};

use serde::{Deserialize, Deserializer, Serialize};

/// Why a text cannot be an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadId {
    /// Nothing but white space.
    #[error("is empty")]
    Empty,
    /// Longer than the type holds.
    #[error("is longer than {0} bytes")]
    TooLong(usize),
    /// A character that may not stand in an MQTT topic level or a log line.
    #[error("contains a control character or one of / + #")]
    BadCharacter,
}

/// What may not stand in one level of an MQTT topic.
const TOPIC_MARKS: [char; 3] = ['/', '+', '#'];

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $max:literal, $forbidden:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub struct $name(heapless::String<$max, u8>);

        impl $name {
            /// Checks and takes a text: not empty, at most the type's length, no control characters and, where it becomes
            /// a level of MQTT topics, none of `/ + #`. Surrounding white space is dropped.
            ///
            /// # Errors
            /// When the text breaks one of these rules.
            pub fn new(text: &str) -> Result<Self, BadId> {
                let text = text.trim();
                if text.is_empty() {
                    return Err(BadId::Empty);
                }
                if text.chars().any(|c| c.is_control() || $forbidden.contains(&c)) {
                    return Err(BadId::BadCharacter);
                }
                heapless::String::try_from(text).map(Self).map_err(|_| BadId::TooLong($max))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl core::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl core::str::FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                Self::new(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl serde::de::Visitor<'_> for Visitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        write!(f, "an identifier of at most {} bytes", $max)
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        $name::new(text).map_err(|why| E::custom(format_args!("the identifier {why}")))
                    }
                }
                d.deserialize_str(Visitor)
            }
        }
    };
}

identifier!(
    /// A telematics unit: a tractor or a trailer as its tracker names itself.
    UnitId, 48, TOPIC_MARKS
);
identifier!(
    /// A driver as the fleet's back end names them. Never a level of a topic.
    DriverId, 64, []
);
identifier!(
    /// One attempt to telephone somebody. Starts with `EL_{driver}_`, unique for ever, only `[A-Za-z0-9_-]`.
    CallSid, 128, TOPIC_MARKS
);
identifier!(
    /// One separation episode of one pair.
    ViolationId, 128, TOPIC_MARKS
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_bounded_and_fit_for_a_topic() {
        assert_eq!(UnitId::new(" T-001 ").unwrap().as_str(), "T-001");
        assert_eq!(UnitId::new("  "), Err(BadId::Empty));
        assert_eq!(UnitId::new("a/b"), Err(BadId::BadCharacter));
        assert_eq!(UnitId::new("a\nb"), Err(BadId::BadCharacter));
        assert_eq!(UnitId::new(&"x".repeat(49)), Err(BadId::TooLong(48)));
        assert_eq!(DriverId::new("DR/7 #2").unwrap().as_str(), "DR/7 #2");
        assert_eq!(DriverId::new("DR\t7"), Err(BadId::BadCharacter));
        let error = serde_json::from_str::<UnitId>("\"a#\"").unwrap_err().to_string();
        assert!(error.contains("the identifier contains"), "{error}");
    }
}
