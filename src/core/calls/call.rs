//! One attempt to telephone somebody, from the moment it is owed to the moment it has ended.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::dialing::{CallResult, Conversation, ConversationStatus, Order, Turn};
use crate::core::geo::{Metres, Position};
use crate::core::id::{CallSid, DriverId, UnitId, ViolationId};
use crate::core::phone::Phone;
use crate::core::roster::{Dispatcher, Driver};
use crate::core::separation::{Finding, ViolationKind};
use crate::core::time::UnixMillis;

/// The most separations that one call speaks of.
pub const MAX_SEPARATIONS: usize = 8;

/// One attempt. Every further attempt is a call of its own that names its parent, so that a `call_sid` stands for at most
/// one POST and the vendor can be asked about each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// This attempt.
    pub call_sid: CallSid,
    /// Grows with every change.
    pub revision: u64,
    /// Place in the queue: calls leave in this order.
    pub order: u64,
    /// Why somebody is to be called.
    pub cause: Cause,
    /// Further separations that this call speaks of, of the same driver or to the same dispatcher; at most [`MAX_SEPARATIONS`] with its cause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Separation>,
    /// Whose telephone rings.
    #[serde(default)]
    pub callee: Callee,
    /// The driver that it is about.
    pub driver: Driver,
    /// To whom the agent may transfer, and who is called when the driver is not reached.
    pub dispatcher: Option<Dispatcher>,
    /// What the agent says.
    pub prompt: String,
    /// How many violations the prompt speaks of.
    pub triggers: usize,
    /// 1 for the first. An attempt that was not placed is repeated under the same number.
    pub attempt: u32,
    /// The attempt before this one.
    pub parent_call_sid: Option<CallSid>,
    /// The attempt after this one, or the call in which this one's separation was told.
    #[serde(default)]
    pub next_call_sid: Option<CallSid>,
    /// Not dialled before this.
    #[serde(default)]
    pub not_before: Option<UnixMillis>,
    /// Whether it expires: as long as nothing was placed for its cause.
    #[serde(default = "yes")]
    pub expires: bool,
    /// When it came to be owed.
    pub created: UnixMillis,
    /// False while `created` was read from a clock that was not to be trusted; age counts once it is.
    pub dated: bool,
    /// Age counts from here: newest evidence of the violation, or receipt of the request.
    pub evidence: UnixMillis,
    /// Where it is.
    pub state: State,
    /// Why it is there, in words.
    pub reason: Option<String>,
    /// Why nobody is to be called about it any longer; what is under way ends, and nothing follows.
    #[serde(default)]
    pub unwanted: Option<String>,
    /// It was the last resort and reached nobody, and no person has acknowledged that yet.
    #[serde(default)]
    pub nobody_reached: bool,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Length in seconds, once over.
    #[serde(default)]
    pub duration_s: Option<u64>,
    /// The vendor's summary, when kept.
    #[serde(default)]
    pub summary: Option<String>,
    /// What was said, when kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transcript: Vec<Turn>,
    /// The vendor's conversation, once placed.
    pub conversation_id: Option<String>,
    /// The telephone provider's id, once placed and given.
    pub provider_call_sid: Option<String>,
    /// The last change.
    pub changed: UnixMillis,
    /// When it was handed to the vendor.
    pub dialed: Option<UnixMillis>,
}

const fn yes() -> bool {
    true
}

/// Why somebody is to be called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "nearly every call has a violation as its cause")]
pub enum Cause {
    /// A separation.
    Violation(Separation),
    /// Somebody asked for it.
    Request,
}

/// What a call says of one violation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Separation {
    /// Its episode.
    pub violation_id: ViolationId,
    /// Its rule.
    pub kind: ViolationKind,
    /// Its tractor.
    pub tractor: UnitId,
    /// Its trailer.
    pub trailer: UnitId,
    /// How far apart the two were, when it was found.
    #[serde(default)]
    pub distance_m: Option<Metres>,
    /// Where the trailer was, as far as known.
    #[serde(default)]
    pub position: Option<Position>,
    /// Why nobody is to be called about it any longer.
    #[serde(default)]
    pub over: Option<String>,
}

impl Separation {
    /// What a finding says; `None` when it is no violation.
    #[must_use]
    pub fn of(finding: &Finding) -> Option<Self> {
        Some(Self {
            violation_id: finding.violation_id.clone(),
            kind: finding.kind?,
            tractor: finding.tractor.clone(),
            trailer: finding.trailer.clone(),
            distance_m: Some(finding.distance_m),
            position: finding.position,
            over: None,
        })
    }
}

/// Whose telephone rings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Callee {
    /// The driver's.
    #[default]
    Driver,
    /// The dispatcher's, because the roster names no driver.
    DispatcherInstead,
    /// The dispatcher's, because the driver was not reached.
    DispatcherAfter,
}

impl Callee {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Driver => "driver",
            Self::DispatcherInstead | Self::DispatcherAfter => "dispatcher",
        }
    }
}

/// Where a call is in its life.
///
/// ```text
///            +--> expired, cancelled
///            |
///   (owed) pending <--> held            not placed: unreachable, busy -> pending
///            |                          refused -> failed
///            v
///          dialing --------> placed --> concluded -+
///            |                 ^                   |  not answered: the next attempt is owed, then the dispatcher's,
///            |                 | the vendor        +> then nobody was reached
///            |                 | has it
///            +--> unknown -----+
///                    |
///                    +--> failed        the vendor does not have it: the same attempt is owed once more, as a new call
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Leaves as soon as there is an uplink and a free slot.
    Pending,
    /// Owed, but kept back: no key, account refused, clock not set, quiet hours. The reason says which.
    Held,
    /// Durably marked as attempted; the POST may have gone out.
    Dialing,
    /// The POST may or may not have become a call; the vendor is asked.
    Unknown,
    /// The vendor has it; its end is awaited.
    Placed,
    /// Over; see the outcome.
    Concluded,
    /// Refused: nobody's phone rang.
    Failed,
    /// Not placed before its maximum age.
    Expired,
    /// Not placed because it was no longer wanted.
    Cancelled,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::Held,
        Self::Dialing,
        Self::Unknown,
        Self::Placed,
        Self::Concluded,
        Self::Failed,
        Self::Expired,
        Self::Cancelled,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Held => "held",
            Self::Dialing => "dialing",
            Self::Unknown => "unknown",
            Self::Placed => "placed",
            Self::Concluded => "concluded",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing further happens to it by itself.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::Held | Self::Dialing | Self::Unknown | Self::Placed => false,
            Self::Concluded | Self::Failed | Self::Expired | Self::Cancelled => true,
        }
    }

    /// Whether it still waits to be dialled.
    #[must_use]
    pub const fn is_waiting(self) -> bool {
        matches!(self, Self::Pending | Self::Held)
    }

    /// Whether the life of a call may go from here to `next`.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Pending => matches!(next, Self::Held | Self::Dialing | Self::Concluded | Self::Expired | Self::Cancelled),
            Self::Held => matches!(next, Self::Pending | Self::Expired | Self::Cancelled),
            Self::Dialing => {
                matches!(next, Self::Pending | Self::Held | Self::Placed | Self::Unknown | Self::Failed | Self::Cancelled)
            }
            Self::Unknown => matches!(next, Self::Placed | Self::Failed | Self::Cancelled),
            Self::Placed => matches!(next, Self::Concluded),
            Self::Concluded | Self::Failed | Self::Expired | Self::Cancelled => false,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a concluded call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A person took it and stayed.
    Answered,
    /// A machine took it.
    Voicemail,
    /// The line was busy.
    Busy,
    /// Nobody took it, or hung up at once.
    NoAnswer,
    /// It could not be put through, or the vendor never said how it ended.
    Failed,
    /// `calls.dry_run`: everything but the POST.
    DryRun,
}

impl Outcome {
    /// A call answered for a shorter time than this told nobody anything, in seconds (the rule of the back end that this
    /// replaces).
    pub const SHORTEST_ANSWER_S: u64 = 5;

    /// How a final conversation ended. The agent's own opinion of its success is no evidence that a person was there;
    /// what the telephone provider reports, the length and the person's own words are.
    #[must_use]
    pub fn of(conversation: &Conversation) -> Self {
        let listened = conversation.duration.as_secs() >= Self::SHORTEST_ANSWER_S;
        match conversation.call_result {
            Some(CallResult::Answered)
                if conversation.status == ConversationStatus::Failed && conversation.user_messages == 0 =>
            {
                Self::Failed
            }
            Some(CallResult::Answered) if listened => Self::Answered,
            Some(CallResult::Answered) => Self::NoAnswer,
            Some(CallResult::Voicemail) => Self::Voicemail,
            Some(CallResult::Busy) => Self::Busy,
            Some(CallResult::NoAnswer) => Self::NoAnswer,
            Some(CallResult::Failed) => Self::Failed,
            None => match conversation.status {
                ConversationStatus::Failed => Self::Failed,
                ConversationStatus::Running | ConversationStatus::Done if listened && conversation.user_messages > 0 => {
                    Self::Answered
                }
                ConversationStatus::Running | ConversationStatus::Done => Self::NoAnswer,
            },
        }
    }

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Voicemail => "voicemail",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Failed => "failed",
            Self::DryRun => "dry_run",
        }
    }
}

impl Call {
    /// Where the call's record stands in the store.
    #[must_use]
    pub fn key(call_sid: &CallSid) -> String {
        format!("call/{call_sid}")
    }

    /// The separation that is the cause, when one is.
    #[must_use]
    pub const fn separation(&self) -> Option<&Separation> {
        match &self.cause {
            Cause::Violation(separation) => Some(separation),
            Cause::Request => None,
        }
    }

    /// Every separation that it speaks of, the cause first.
    pub fn separations(&self) -> impl Iterator<Item = &Separation> {
        self.separation().into_iter().chain(&self.also)
    }

    /// The same, to be changed.
    pub fn separations_mut(&mut self) -> impl Iterator<Item = &mut Separation> {
        let cause = match &mut self.cause {
            Cause::Violation(separation) => Some(separation),
            Cause::Request => None,
        };
        cause.into_iter().chain(&mut self.also)
    }

    /// The episode, when a separation is the cause.
    #[must_use]
    pub fn violation_id(&self) -> Option<&ViolationId> {
        self.separation().map(|separation| &separation.violation_id)
    }

    /// The rule, when a separation is the cause.
    #[must_use]
    pub fn kind(&self) -> Option<ViolationKind> {
        self.separation().map(|separation| separation.kind)
    }

    /// Why nobody is to be called about it any longer, if so: it was called off, or every separation of it is over.
    #[must_use]
    pub fn no_longer_wanted(&self) -> Option<&str> {
        let over = || {
            let reason = self.separation()?.over.as_deref()?;
            self.also.iter().all(|separation| separation.over.is_some()).then_some(reason)
        };
        self.unwanted.as_deref().or_else(over)
    }

    /// Whose telephone rings.
    #[must_use]
    pub fn phone(&self) -> &Phone {
        match (self.callee, &self.dispatcher) {
            (Callee::DispatcherInstead | Callee::DispatcherAfter, Some(dispatcher)) => &dispatcher.phone,
            (Callee::Driver, _) | (Callee::DispatcherInstead | Callee::DispatcherAfter, None) => &self.driver.phone,
        }
    }

    /// What the vendor is to be asked for.
    #[must_use]
    pub fn order(&self) -> Order {
        Order {
            call_sid: self.call_sid.clone(),
            to: self.phone().clone(),
            prompt: self.prompt.clone(),
            transfer_to: self.dispatcher.as_ref().map(|d| d.phone.clone()),
            dispatcher_name: self.dispatcher.as_ref().map(|d| d.name.trim().to_owned()).unwrap_or_default(),
            driver_id: self.driver.id.clone(),
        }
    }

    /// What is published on every change, JSON: no number, no prompt.
    #[must_use]
    pub fn announcement(&self) -> String {
        #[derive(Serialize)]
        struct Announcement<'a> {
            call_sid: &'a CallSid,
            state: State,
            attempt: u32,
            parent_call_sid: Option<&'a CallSid>,
            violation_id: Option<&'a ViolationId>,
            to: &'static str,
            driver: Person<'a>,
            conversation_id: Option<&'a str>,
            twilio_call_sid: Option<&'a str>,
            outcome: Option<Outcome>,
            reason: Option<&'a str>,
            at: UnixMillis,
        }
        #[derive(Serialize)]
        struct Person<'a> {
            id: &'a DriverId,
            name: &'a str,
        }
        let announcement = Announcement {
            call_sid: &self.call_sid,
            state: self.state,
            attempt: self.attempt,
            parent_call_sid: self.parent_call_sid.as_ref(),
            violation_id: self.violation_id(),
            to: self.callee.as_str(),
            driver: Person { id: &self.driver.id, name: &self.driver.name },
            conversation_id: self.conversation_id.as_deref(),
            twilio_call_sid: self.provider_call_sid.as_deref(),
            outcome: self.outcome,
            reason: self.reason.as_deref(),
            at: self.changed,
        };
        // Strings and numbers always serialise.
        serde_json::to_string(&announcement).unwrap_or_default()
    }

    /// What `calls show` tells: the listing, and what was said.
    #[must_use]
    pub fn details(&self, now: UnixMillis) -> serde_json::Value {
        let mut details = self.listing(now);
        if let Some(details) = details.as_object_mut() {
            details.insert("summary".to_owned(), serde_json::json!(self.summary));
            details.insert("transcript".to_owned(), serde_json::json!(self.transcript));
        }
        details
    }

    /// What `calls list` tells: the announcement and what an operator asks next. Numbers are masked.
    #[must_use]
    pub fn listing(&self, now: UnixMillis) -> serde_json::Value {
        serde_json::json!({
            "call_sid": self.call_sid,
            "state": self.state,
            "attempt": self.attempt,
            "violation_id": self.violation_id(),
            "kind": self.kind(),
            "separations": self.separations().map(|s| serde_json::json!({
                "violation_id": s.violation_id, "kind": s.kind, "tractor": s.tractor, "trailer": s.trailer, "over": s.over,
            })).collect::<Vec<_>>(),
            "to": self.callee.as_str(),
            "phone_masked": self.phone().to_string(),
            "driver": { "id": self.driver.id, "name": self.driver.name, "phone_masked": self.driver.phone.to_string() },
            "dispatcher": self.dispatcher.as_ref().map(|d| serde_json::json!({ "name": d.name, "phone_masked": d.phone.to_string() })),
            "prompt": self.prompt,
            "conversation_id": self.conversation_id,
            "twilio_call_sid": self.provider_call_sid,
            "outcome": self.outcome,
            "reason": self.reason,
            "created_at": self.created,
            "updated_at": self.changed,
            "age_s": now.since(self.created).as_secs(),
            "not_before": self.not_before,
            "nobody_reached": self.nobody_reached,
            "parent_call_sid": self.parent_call_sid,
            "next_call_sid": self.next_call_sid,
            "duration_s": self.duration_s,
        })
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    fn conversation(call_result: Option<CallResult>, secs: u64, user_messages: u32) -> Conversation {
        Conversation {
            status: ConversationStatus::Done,
            call_result,
            duration: Duration::from_secs(secs),
            termination_reason: String::new(),
            error: None,
            user_messages,
            call_sid: None,
            provider_call_sid: None,
            called: None,
            summary: None,
            transcript: Vec::new(),
            started: None,
        }
    }

    #[test]
    fn an_outcome_rests_on_the_line_and_on_words_not_on_the_agents_opinion() {
        assert_eq!(Outcome::of(&conversation(Some(CallResult::Answered), 30, 2)), Outcome::Answered);
        assert_eq!(Outcome::of(&conversation(Some(CallResult::Answered), 4, 1)), Outcome::NoAnswer);
        assert_eq!(Outcome::of(&conversation(Some(CallResult::Voicemail), 30, 1)), Outcome::Voicemail);
        assert_eq!(Outcome::of(&conversation(None, 30, 1)), Outcome::Answered);
        assert_eq!(Outcome::of(&conversation(None, 30, 0)), Outcome::NoAnswer);
        let failed = Conversation { status: ConversationStatus::Failed, ..conversation(None, 30, 3) };
        assert_eq!(Outcome::of(&failed), Outcome::Failed);
    }

    #[test]
    fn a_final_state_leads_nowhere_and_only_waiting_calls_are_called_off() {
        for from in State::ALL {
            for to in State::ALL {
                assert!(!(from.is_final() && from.may_become(to)), "{from} -> {to}");
                assert!(from != to || !from.may_become(to), "{from} -> {to}");
            }
            assert_eq!(from.may_become(State::Expired), from.is_waiting(), "{from}");
        }
        assert!(!State::Unknown.may_become(State::Pending), "an attempt of unknown outcome must not be dialled again");
        assert!(!State::Placed.may_become(State::Dialing));
    }
}
