//! What the core asks of the vendor, and what it hears back. The shell's `elevenlabs` folder translates both ways.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::id::{CallSid, DriverId};
use crate::core::phone::Phone;

/// One telephone call to be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// This attempt. Goes out as the dynamic variable `call_sid` and as `user_id`, so that the vendor can be asked later
    /// whether it became a call.
    pub call_sid: CallSid,
    /// Who is called.
    pub to: Phone,
    /// What the agent is to say and ask, at most 2,000 characters.
    pub prompt: String,
    /// To whom the agent may transfer; empty when nobody.
    pub transfer_to: Option<Phone>,
    /// The dispatcher as the agent names them; empty when unknown.
    pub dispatcher_name: String,
    /// The driver as the back end names them.
    pub driver_id: DriverId,
}

/// What became of one POST, by the table of outcomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The vendor has it: 200, `success: true` and a conversation id.
    Placed {
        /// The vendor's conversation.
        conversation_id: String,
        /// The telephone provider's call id, when given.
        provider_call_sid: Option<String>,
    },
    /// Nobody's phone rings.
    NotPlaced(NotPlaced),
    /// It may have been placed: never dialled again before the vendor was asked. The reason is fit to be shown.
    Unknown(String),
}

/// Why nobody's phone rings. Texts are fit to be shown: no key, no full number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotPlaced {
    /// No byte of the request went out: DNS, connect, TLS. The uplink is down.
    Unreachable(String),
    /// 401, 403, an agent or number that does not exist, a variable that is missing: every other call would be refused as
    /// well, so the whole queue stops.
    Account(String),
    /// 400, 422 and other refusals of this very request.
    Refused(String),
    /// 429: wait, as long as the vendor says if it says.
    Busy {
        /// From the answer's header.
        retry_after: Option<Duration>,
        /// `concurrent_limit_exceeded` and its older names: a slot must come free.
        concurrency: bool,
        /// The vendor's words.
        reason: String,
    },
    /// 200 with `success: false`: the telephone provider refused.
    Provider {
        /// The vendor's words.
        reason: String,
        /// The provider refused the account's credentials: the whole queue stops.
        credentials: bool,
    },
}

/// A conversation as far as it tells what became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// Only `done` and `failed` are final; anything unknown is not.
    pub status: ConversationStatus,
    /// What the telephone provider said, when it did.
    pub call_result: Option<CallResult>,
    /// Length in whole seconds.
    pub duration: Duration,
    /// Free text, may be empty.
    pub termination_reason: String,
    /// The error's code and reason, when the conversation has one.
    pub error: Option<String>,
    /// Turns in which the person called said something.
    pub user_messages: u32,
    /// `dynamic_variables.call_sid` as echoed.
    pub call_sid: Option<String>,
    /// The telephone provider's call id.
    pub provider_call_sid: Option<String>,
    /// The number that was called, as the vendor writes it. Never shown.
    pub called: Option<String>,
    /// The vendor's summary, once analysed.
    pub summary: Option<String>,
    /// What was said, at most [`MAX_TURNS`] turns.
    pub transcript: Vec<Turn>,
    /// When the vendor started it, Unix seconds.
    pub started: Option<i64>,
}

/// The most turns of a conversation that are kept.
pub const MAX_TURNS: usize = 40;

/// Something that was said. Fit to be shown: no full number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// `agent` or `user`.
    pub role: String,
    /// In words, at most 300 characters.
    pub message: String,
}

/// An attempt of which it is not known whether it became a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// The attempt.
    pub call_sid: CallSid,
    /// Who would have been called.
    pub to: Phone,
    /// How long ago it was dialled, by the gateway's clock; `None` when that clock cannot have been right.
    pub age: Option<Duration>,
}

/// See [`Conversation::status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConversationStatus {
    /// Not yet final, or a status that is not known here.
    Running,
    /// Final.
    Done,
    /// Final.
    Failed,
}

/// `phone_call.call_result`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallResult {
    /// Somebody took it.
    Answered,
    /// A machine took it.
    Voicemail,
    /// The line was busy.
    Busy,
    /// It rang out.
    NoAnswer,
    /// It could not be put through.
    Failed,
}

/// Why the vendor could not be asked. Fit to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskError {
    /// Try again later: unreachable, 429, 5xx, unreadable.
    Transient(String),
    /// 401 or 403.
    Unauthorised(String),
    /// 404: the vendor does not know it.
    NotFound(String),
    /// Any other refusal.
    Refused(String),
}
