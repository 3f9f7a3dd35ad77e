//! One line of a recording: a message as it came over MQTT, and when.
//!
//! ```text
//! {"tst":"2026-11-21T05:48:25.208065+0000","topic":"fleet/T-1/telemetry","qos":1,"retain":0,"payload":{"unit":"T-1",…}}
//! {"topic":"fleet/T-1/telemetry","received":1763569135.25,"payload":{"unit":"T-1",…}}
//! ```
//!
//! The first is what `mosquitto_sub -F %J` writes; with `-F %j` the payload is a text, which is read as well.

use core::fmt;
use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::core::time::UnixMillis;
use crate::formats::iso8601;

/// A recorded message.
#[derive(Debug, PartialEq)]
pub(super) struct Message<'a> {
    pub topic: Cow<'a, str>,
    pub received: UnixMillis,
    /// Empty where nothing was sent.
    pub payload: Cow<'a, str>,
}

/// Why a line, or the message on it, could not be read. One line of words, without control characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unread(String);

/// Longest reason that is told, in characters.
const MAX_REASON: usize = 200;

impl Unread {
    pub(super) fn new(why: &impl fmt::Display) -> Self {
        // serde_json counts lines of its own.
        let words = why.to_string().replace(" at line 1 column ", " at column ");
        Self(words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_REASON).collect())
    }
}

impl<'a> Message<'a> {
    pub(super) fn read(line: &'a [u8]) -> Result<Self, Unread> {
        let line: Line<'a> = serde_json::from_slice(line).map_err(|why| Unread::new(&why))?;
        let Some(Moment(received)) = line.received.or(line.tst) else {
            return Err(Unread::new(&"it has neither tst nor received"));
        };
        let payload = match line.payload.get() {
            "null" => Cow::Borrowed(""),
            text if text.starts_with('"') => {
                let Text(text) = serde_json::from_str(text).map_err(|why| Unread::new(&why))?;
                text
            }
            json => Cow::Borrowed(json),
        };
        Ok(Self { topic: line.topic, received, payload })
    }
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    topic: Cow<'a, str>,
    #[serde(borrow)]
    payload: &'a RawValue,
    #[serde(default)]
    received: Option<Moment>,
    #[serde(default)]
    tst: Option<Moment>,
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Clone, Copy)]
struct Moment(UnixMillis);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Visitor).map(Self)
    }
}

struct Visitor;

impl serde::de::Visitor<'_> for Visitor {
    type Value = UnixMillis;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unix seconds or a time like 2026-11-21T05:48:25.208065+0000")
    }

    fn visit_f64<E: serde::de::Error>(self, secs: f64) -> Result<UnixMillis, E> {
        UnixMillis::from_secs_f64(secs).ok_or_else(|| E::custom("the time is not in Unix seconds"))
    }

    fn visit_i64<E: serde::de::Error>(self, secs: i64) -> Result<UnixMillis, E> {
        self.visit_f64(secs as f64)
    }

    fn visit_u64<E: serde::de::Error>(self, secs: u64) -> Result<UnixMillis, E> {
        self.visit_f64(secs as f64)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<UnixMillis, E> {
        time(text).map_err(|why| E::custom(format_args!("the time {why}")))
    }
}

/// mosquitto_sub 2.0.11 (Debian 12) writes local time with a Z before its offset, `…T06:48:25.208065Z+0100`: the offset counts.
fn time(text: &str) -> Result<UnixMillis, iso8601::BadTime> {
    match text.split_once("Z+").map(|parts| (parts, '+')).or_else(|| text.split_once("Z-").map(|parts| (parts, '-'))) {
        Some(((local, offset), sign)) => iso8601::parse(&format!("{local}{sign}{offset}")),
        None => iso8601::parse(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<(String, i64, String), String> {
        let message = Message::read(line.as_bytes()).map_err(|why| why.to_string())?;
        Ok((message.topic.into_owned(), message.received.0, message.payload.into_owned()))
    }

    #[test]
    fn the_time_of_mosquitto_is_read_in_every_form_it_has_had() {
        // Seconds as GNU date prints them: date -u -d … +%s
        for (tst, millis) in [
            ("\"2026-11-21T05:48:25.208065+0000\"", 1_795_240_105_208),
            ("\"2026-11-21T05:48:25.208065Z+0000\"", 1_795_240_105_208),
            ("\"2026-11-21T06:48:25.208065Z+0100\"", 1_795_240_105_208),
            ("\"2026-11-20T22:18:25.208065Z-0730\"", 1_795_240_105_208),
            ("\"2026-11-20T22:18:25.208065-0730\"", 1_795_240_105_208),
            ("\"2026-11-21T05:48:25Z\"", 1_795_240_105_000),
            ("1795240105", 1_795_240_105_000),
            ("1795240105.208", 1_795_240_105_208),
        ] {
            let line = format!(r#"{{"tst":{tst},"topic":"a/b","qos":0,"retain":0,"payloadlen":3,"payload":[1]}}"#);
            assert_eq!(read(&line), Ok(("a/b".to_owned(), millis, "[1]".to_owned())), "{tst}");
        }
    }

    #[test]
    fn a_payload_is_embedded_a_text_or_nothing() {
        let payload = |json: &str| read(&format!(r#"{{"topic":"t","received":5,"payload":{json}}}"#)).map(|m| m.2);
        assert_eq!(payload(r#"{ "unit" : "T-1" }"#).as_deref(), Ok(r#"{ "unit" : "T-1" }"#));
        assert_eq!(payload(r#""{\"unit\":\"T-1\"}""#).as_deref(), Ok(r#"{"unit":"T-1"}"#));
        assert_eq!(payload("null").as_deref(), Ok(""));
        assert_eq!(payload("1763569135.25").as_deref(), Ok("1763569135.25"));
    }

    #[test]
    fn a_line_that_is_no_message_says_why() {
        for (line, why) in [
            (r#"{"topic":"t","payload":1}"#, "it has neither tst nor received"),
            (r#"{"tst":5,"payload":1}"#, "missing field `topic` at column 21"),
            (r#"{"tst":5,"topic":"t"}"#, "missing field `payload` at column 21"),
            (r#"{"tst":"yesterday","topic":"t","payload":1}"#, "the time is not a time like 2024-05-20T14:30:00Z at column 18"),
            (r#"{"tst":1795240105208,"topic":"t","payload":1}"#, "the time is not in Unix seconds at column 20"),
            (r#"{"tst":5,"topic":"t","payload":{"#, "EOF while parsing an object at column 32"),
            ("fleet/T-1/telemetry {}", "expected ident at column 2"),
        ] {
            assert_eq!(read(line), Err(why.to_owned()), "{line}");
        }
    }
}
