//! Where the unit's id is: in the payload, or in a level of the topic.

use core::fmt::{self, Write};
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Reject;
use super::layout::{Picked, Slot};
use crate::core::id::UnitId;

/// Where the unit's id is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitFrom {
    /// Where the format has it.
    Payload,
    /// In this level of the topic, counted from 0, or from the end when negative: `topic[1]`, `topic[-1]`.
    Topic(i8),
}

/// A text that does not say where the unit's id is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unit must be like \"topic[1]\" (levels count from 0) or \"topic[-1]\" (the last level)")]
pub struct BadUnitFrom;

impl FromStr for UnitFrom {
    type Err = BadUnitFrom;

    fn from_str(text: &str) -> Result<Self, BadUnitFrom> {
        let level = text.strip_prefix("topic[").and_then(|rest| rest.strip_suffix(']')).ok_or(BadUnitFrom)?;
        level.parse().map(Self::Topic).map_err(|_| BadUnitFrom)
    }
}

impl fmt::Display for UnitFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Payload => f.write_str("payload"),
            Self::Topic(level) => write!(f, "topic[{level}]"),
        }
    }
}

impl Serialize for UnitFrom {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UnitFrom {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Finds the id of the unit that sent a message.
#[derive(Clone, Copy)]
pub(super) struct Naming<'a> {
    pub(super) from: UnitFrom,
    pub(super) topic: &'a str,
}

impl Naming<'_> {
    /// The id, read by `named` where it stands in the payload.
    pub(super) fn unit(
        self,
        picked: &Picked<'_, '_>,
        named: impl Fn(&Picked<'_, '_>, Slot) -> Result<Option<UnitId>, Reject>,
    ) -> Result<UnitId, Reject> {
        match self.from {
            UnitFrom::Payload => named(picked, Slot::Unit)?.ok_or_else(|| picked.missing(Slot::Unit)),
            UnitFrom::Topic(level) => {
                let text = topic_level(self.topic, level).ok_or(Reject::NoTopicLevel { level })?;
                UnitId::new(text).map_err(|why| Reject::BadUnit { field: "the unit's level of the topic", why })
            }
        }
    }
}

/// A unit id in the payload, written as text.
pub(super) fn named(picked: &Picked<'_, '_>, slot: Slot) -> Result<Option<UnitId>, Reject> {
    let bad = |why| Reject::BadUnit { field: picked.name(slot), why };
    picked.text(slot)?.map(|text| UnitId::new(text).map_err(bad)).transpose()
}

/// A unit id in the payload, written as text or as a whole number.
pub(super) fn named_or_numbered(picked: &Picked<'_, '_>, slot: Slot) -> Result<Option<UnitId>, Reject> {
    let Ok(Some(n)) = picked.number(slot) else { return named(picked, slot) };
    // Up to 2^53 every whole number stands for itself.
    if n.fract() != 0.0 || n.abs() > 9_007_199_254_740_992.0 {
        return Err(picked.wrong_type(slot, "text or a whole number"));
    }
    let mut text = heapless::String::<20>::new();
    write!(text, "{n}").ok().and_then(|()| UnitId::new(&text).ok()).map(Some).ok_or_else(|| picked.out_of_range(slot))
}

fn topic_level(topic: &str, level: i8) -> Option<&str> {
    let index = usize::from(level.unsigned_abs());
    if level < 0 { topic.rsplit('/').nth(index - 1) } else { topic.split('/').nth(index) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_level_counts_from_either_end() {
        assert_eq!(topic_level("te/device/trailer-7///m/gps", 2), Some("trailer-7"));
        assert_eq!(topic_level("te/device/trailer-7///m/gps", 3), Some(""));
        assert_eq!(topic_level("a/b", 2), None);
        assert_eq!(topic_level("a/b", -1), Some("b"));
        assert_eq!(topic_level("a/b", -2), Some("a"));
        assert_eq!(topic_level("a/b", -3), None);
        assert_eq!(topic_level("a/b", i8::MIN), None);
    }

    #[test]
    fn the_configuration_reads_what_it_writes() {
        for text in ["topic[0]", "topic[1]", "topic[-1]"] {
            assert_eq!(text.parse::<UnitFrom>().unwrap().to_string(), text);
        }
        for text in ["topic", "topic[]", "topic[1", "topic[x]", "topic[500]", "payload", ""] {
            assert_eq!(text.parse::<UnitFrom>(), Err(BadUnitFrom), "{text}");
        }
    }
}
