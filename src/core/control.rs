//! What people and programs ask of a running daemon, and what they are answered. The shell's `api` folder translates
//! between this and HTTP.

use core::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::calls::prompt;
use super::id::{CallSid, UnitId};

/// One question or order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The health object.
    Health,
    /// What is heard of each unit, worst first, as `{"units":[…],"more":n}`.
    Units,
    /// The calls, newest first, as `{"calls":[…]}`.
    Calls {
        /// Also the concluded, failed, expired and cancelled ones.
        all: bool,
    },
    /// One call.
    Call(CallSid),
    /// Cancel a call that is not placed yet.
    Cancel(CallSid),
    /// Owe a call that is over, or of unknown outcome, once more, as a new one.
    Retry(CallSid),
    /// A `BatchCallRequest`, as received.
    Request {
        /// At most [`MAX_PAYLOAD`](super::calls::request::MAX_PAYLOAD) bytes.
        body: Vec<u8>,
        /// How long the one who asks will wait for the vendor's answer; `None`: the answer is due as soon as the request
        /// is durable.
        wait: Option<Duration>,
    },
    /// The open and suspected violations, as `{"violations":[…]}`.
    Violations,
    /// Somebody knows of the violation of this tractor.
    Acknowledge(UnitId, Acknowledgement),
    /// Assignments, zones and trailers in effect, and where each came from.
    Roster,
}

/// The body of an acknowledgement, by HTTP as by MQTT: `{"minutes":30,"by":"…"}`, both optional.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Acknowledgement {
    /// Quiet for this long; for the rest of the episode when absent.
    #[serde(default)]
    pub minutes: Option<u32>,
    /// Who says so; empty when unknown.
    #[serde(default)]
    pub by: String,
}

impl Acknowledgement {
    /// Reads the body; an empty one is an acknowledgement by nobody in particular, for the rest of the episode.
    ///
    /// # Errors
    /// When it is neither empty nor such an object.
    pub fn read(body: &[u8]) -> Result<Self, String> {
        if body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let read: Self = serde_json::from_slice(body)
            .map_err(|_| "an acknowledgement is {\"minutes\": 30, \"by\": \"somebody\"}, both optional, or empty".to_owned())?;
        Ok(Self { by: prompt::clean(&read.by, 100), ..read })
    }
}

/// The answer to an [`Ask`].
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// An HTTP status.
    pub status: u16,
    /// JSON; `{"error": "…"}` when the status is 400 or more.
    pub body: Value,
}

impl Answer {
    /// 200 with this body.
    #[must_use]
    pub const fn ok(body: Value) -> Self {
        Self { status: 200, body }
    }

    /// A refusal in words.
    #[must_use]
    pub fn error(status: u16, why: &str) -> Self {
        Self { status, body: json!({ "error": why }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_may_be_empty_but_not_garbled() {
        let read = |body: &str| Acknowledgement::read(body.as_bytes());
        assert_eq!(read(" \n"), Ok(Acknowledgement { minutes: None, by: String::new() }));
        assert_eq!(read(r#"{"minutes":30,"by":" An\na "}"#), Ok(Acknowledgement { minutes: Some(30), by: "An a".into() }));
        assert!(read("30").is_err());
        assert!(read(r#"{"minutes":-1}"#).is_err());
    }
}
