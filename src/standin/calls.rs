//! Calls: how each goes, and what the vendor says of it while it does.

use core::time::Duration;

use serde_json::{Map, Value, json};

use crate::core::calls::dialing::CallResult;
use crate::core::time::UnixMillis;
use crate::elevenlabs::Route;

/// A call that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation {
    /// `conv_standin_0001` and so on.
    pub id: String,
    /// The telephone provider's id.
    pub provider_call_sid: String,
    /// Over which route.
    pub route: Route,
    /// When the call began.
    pub started: UnixMillis,
    /// How it goes.
    pub life: Life,
    /// The request that made it.
    pub request: Value,
}

/// How a call goes: it rings, somebody talks or nobody does, and it ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Life {
    /// `initiated` for this long.
    pub ringing: Duration,
    /// Then `in-progress` for this long when answered; then final.
    pub talking: Duration,
    /// What the telephone provider reports at the end.
    pub result: CallResult,
    /// What is said, the agent first, then in turns.
    pub said: Vec<String>,
    /// How long the conversation stays out of the list.
    pub listed_after: Duration,
    /// Bytes of its recording, which is silence; 0: there is none.
    pub recording: u64,
}

impl Default for Life {
    /// Answered after 0.2 s, and over 0.3 s later.
    fn default() -> Self {
        Self {
            ringing: Duration::from_millis(200),
            talking: Duration::from_millis(300),
            result: CallResult::Answered,
            said: vec!["Are you with your trailer right now?".to_owned(), "No, I will go back for it.".to_owned()],
            listed_after: Duration::ZERO,
            recording: 32 * 1024,
        }
    }
}

impl Life {
    /// A call that nobody takes.
    #[must_use]
    pub fn unanswered(result: CallResult) -> Self {
        Self { talking: Duration::ZERO, result, said: Vec::new(), recording: 0, ..Self::default() }
    }
}

/// What conversations can be listed by, beside agent and time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filters {
    /// Dynamic variables and `user_id`.
    #[default]
    All,
    /// `user_id`; a dynamic variable is refused, as by older versions of the API.
    WithoutVariables,
    /// Both are refused.
    None,
    /// Both are taken for nothing: the list is that of all calls.
    Ignored,
}

impl Conversation {
    /// `user_id` of the request.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.request.pointer("/conversation_initiation_client_data/user_id")?.as_str()
    }

    /// A dynamic variable of the request.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.request.pointer("/conversation_initiation_client_data/dynamic_variables")?.get(name)?.as_str()
    }

    pub(super) fn started_secs(&self) -> i64 {
        self.started.0.div_euclid(1_000)
    }

    pub(super) fn status(&self, now: UnixMillis) -> &'static str {
        let age = now.since(self.started);
        if age < self.life.ringing {
            "initiated"
        } else if age < self.life.ringing + self.life.talking {
            "in-progress"
        } else if self.life.result == CallResult::Failed {
            "failed"
        } else {
            "done"
        }
    }

    /// Seconds talked so far. A call that was answered lasts at least as long as it has turns of 5 s, however fast it is played.
    pub(super) fn seconds(&self, now: UnixMillis) -> u64 {
        match self.status(now) {
            "done" => self.life.talking.as_secs().max(self.life.said.len() as u64 * 5),
            _ => 0,
        }
    }

    pub(super) fn has_audio(&self, now: UnixMillis) -> bool {
        self.is_final(now) && self.life.recording > 0
    }

    pub(super) fn source(&self) -> &'static str {
        match self.route {
            Route::Twilio => "twilio",
            Route::SipTrunk => "sip_trunk",
        }
    }

    pub(super) fn reason(&self) -> &'static str {
        match self.life.result {
            CallResult::Answered => "Call ended by remote party",
            CallResult::Voicemail | CallResult::Busy | CallResult::NoAnswer | CallResult::Failed => "",
        }
    }

    pub(super) fn said_by(&self, role: &str) -> usize {
        self.transcript().filter(|(r, _)| *r == role).count()
    }

    pub(super) fn transcript(&self) -> impl Iterator<Item = (&'static str, &String)> {
        ["agent", "user"].into_iter().cycle().zip(&self.life.said)
    }

    pub(super) fn is_final(&self, now: UnixMillis) -> bool {
        matches!(self.status(now), "done" | "failed")
    }

    pub(super) fn successful(&self, now: UnixMillis) -> &'static str {
        match (self.is_final(now), self.life.result) {
            (false, _) => "unknown",
            (true, CallResult::Answered) => "success",
            (true, CallResult::Voicemail | CallResult::Busy | CallResult::NoAnswer | CallResult::Failed) => "failure",
        }
    }

    pub(super) fn summary(&self, now: UnixMillis) -> Option<String> {
        (self.is_final(now) && !self.life.said.is_empty()).then(|| self.life.said.join(" / "))
    }

    pub(super) fn row(&self, now: UnixMillis) -> Value {
        json!({
            "agent_id": self.request.get("agent_id"), "conversation_id": self.id, "status": self.status(now),
            "start_time_unix_secs": self.started_secs(), "call_duration_secs": self.seconds(now),
            "message_count": if self.is_final(now) { self.life.said.len() } else { 0 },
            "call_successful": self.successful(now), "transcript_summary": self.summary(now), "direction": "outbound",
        })
    }

    /// `agent` is the one that spoke, if it is known: what it is to judge and to collect is in the analysis.
    pub(super) fn whole(&self, agent: Option<&Value>, now: UnixMillis) -> Value {
        let last = self.is_final(now);
        let (kind, stream) = match self.route {
            Route::Twilio => ("twilio", Some("MZ00000000000000000000000000000000")),
            Route::SipTrunk => ("sip_trunking", None),
        };
        let turn = |(at, (role, message)): (usize, (&str, &String))| json!({"role": role, "message": message, "time_in_call_secs": at * 5});
        let transcript: Vec<Value> = if last { self.transcript().enumerate().map(turn).collect() } else { Vec::new() };
        let mut call = Map::from_iter([
            ("type".to_owned(), json!(kind)),
            ("direction".to_owned(), json!("outbound")),
            ("phone_number_id".to_owned(), json!(self.request.get("agent_phone_number_id"))),
            ("agent_number".to_owned(), json!("+12125550100")),
            ("external_number".to_owned(), json!(self.request.get("to_number"))),
            ("call_result".to_owned(), json!(last.then_some(self.life.result))),
            ("call_sid".to_owned(), json!(self.provider_call_sid)),
        ]);
        if let Some(stream) = stream {
            call.insert("stream_sid".to_owned(), json!(stream));
        }
        let reason = self.reason();
        let audio = self.has_audio(now);
        json!({
            "agent_id": self.request.get("agent_id"), "conversation_id": self.id, "status": self.status(now),
            "user_id": self.user_id(), "has_audio": audio, "has_user_audio": audio, "has_response_audio": audio,
            "has_auxiliary_audio": false, "transcript": transcript,
            "user_message_count": if last { self.said_by("user") } else { 0 },
            "agent_message_count": if last { self.said_by("agent") } else { 0 },
            "metadata": {
                "start_time_unix_secs": self.started_secs(), "call_duration_secs": self.seconds(now),
                "termination_reason": if last { reason } else { "" }, "phone_call": call,
                "conversation_initiation_source": self.source(),
            },
            "analysis": self.summary(now).map(|text| self.analysis(agent, &text, now)),
            "conversation_initiation_client_data": self.request.get("conversation_initiation_client_data"),
        })
    }
    /// Every criterion is as the call was, and what is collected is what was said last.
    fn analysis(&self, agent: Option<&Value>, summary: &str, now: UnixMillis) -> Value {
        let rationale = "made up by the stand-in";
        let settings = agent.and_then(|agent| agent.get("platform_settings"));
        let criteria = settings.and_then(|settings| settings.pointer("/evaluation/criteria")?.as_array());
        let judged = criteria
            .into_iter()
            .flatten()
            .filter_map(|criterion| criterion.get("id")?.as_str())
            .map(|id| (id.to_owned(), json!({"criteria_id": id, "result": self.successful(now), "rationale": rationale})));
        let items = settings.and_then(|settings| settings.get("data_collection")?.as_object());
        let collected = items.into_iter().flatten().map(|(id, schema)| {
            let value = self.transcript().filter(|(role, _)| *role == "user").last().map(|(_, said)| said);
            let value = value.filter(|_| schema["type"] == "string");
            (id.clone(), json!({"data_collection_id": id, "value": value, "json_schema": schema, "rationale": rationale}))
        });
        json!({
            "call_successful": self.successful(now), "transcript_summary": summary,
            "evaluation_criteria_results": judged.collect::<Map<_, _>>(),
            "data_collection_results": collected.collect::<Map<_, _>>(),
        })
    }
}
