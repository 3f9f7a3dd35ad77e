//! What people and programs ask of a running daemon, and what they are answered. The shell's `api` folder translates
//! between this and HTTP.

use core::time::Duration;

use serde_json::{Value, json};

use super::id::{CallSid, UnitId};

/// One question or order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The health object.
    Health,
    /// The calls, newest first, as `{"calls":[…]}`.
    Calls {
        /// Also the concluded, failed, expired and cancelled ones.
        all: bool,
    },
    /// One call.
    Call(CallSid),
    /// Cancel a call that is not placed yet.
    Cancel(CallSid),
    /// Place a call that failed, expired or was cancelled once more.
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
    Acknowledge {
        /// Whose violation.
        tractor: UnitId,
        /// Quiet for this long; for the rest of the episode when `None`.
        minutes: Option<u32>,
        /// Who says so; empty when unknown.
        by: String,
    },
    /// Assignments, zones and trailers in effect, and where each came from.
    Roster,
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
