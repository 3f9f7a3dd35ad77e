//! What the stand-in knows and answers. No I/O and no clock: requests come with their time.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use serde_json::{Map, Value, json};

use super::KEY;
use crate::core::calls::dialing::CallResult;
use crate::core::time::UnixMillis;
use crate::elevenlabs::Route;

/// A POST as it arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct Post {
    /// When.
    pub at: UnixMillis,
    /// The path.
    pub path: String,
    /// Header names in lower case, without the API key.
    pub headers: BTreeMap<String, String>,
    /// The body as sent.
    pub body: String,
    /// The conversation that it became, when somebody's telephone rang.
    pub conversation_id: Option<String>,
}

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
        }
    }
}

impl Life {
    /// A call that nobody takes.
    #[must_use]
    pub fn unanswered(result: CallResult) -> Self {
        Self { talking: Duration::ZERO, result, said: Vec::new(), ..Self::default() }
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

/// What happens to one POST instead of the usual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is answered.
    pub reply: Reply,
    /// Whether the telephone rings all the same.
    pub dialled: bool,
    /// How long the answer takes.
    pub delay: Duration,
}

/// What a POST gets back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// What it deserves.
    Usual,
    /// This status, with `detail.code` and the header `retry-after` when given.
    Status {
        /// 400 to 599.
        status: u16,
        /// `detail.code`.
        code: String,
        /// The header as it stands.
        retry_after: Option<String>,
    },
    /// 200 with `success: true` and no ids.
    NullIds,
    /// 200 with `success: false` and this message: the telephone provider refused.
    Refused(String),
    /// 200 with a page of HTML.
    Html,
    /// None: the connection is closed.
    Drop,
}

impl Fault {
    /// This answer at once, and no telephone rings; for [`Reply::Usual`] and [`Reply::NullIds`] it does.
    #[must_use]
    pub fn new(reply: Reply) -> Self {
        let dialled = matches!(reply, Reply::Usual | Reply::NullIds);
        Self { reply, dialled, delay: Duration::ZERO }
    }

    /// A refusal with this status.
    #[must_use]
    pub fn status(status: u16, code: &str) -> Self {
        Self::new(Reply::Status { status, code: code.to_owned(), retry_after: None })
    }

    /// The same, but the telephone rings.
    #[must_use]
    pub fn dialled(self) -> Self {
        Self { dialled: true, ..self }
    }

    /// The same, but only after a while.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }
}

/// What is to be written back.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub status: u16,
    pub retry_after: Option<String>,
    pub body: Body,
    pub delay: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Body {
    Json(Value),
    Html,
    Drop,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct State {
    pub posts: Vec<Post>,
    pub conversations: Vec<Conversation>,
    pub faults: VecDeque<Fault>,
    pub lives: VecDeque<Life>,
    pub life: Life,
    pub filters: Filters,
}

impl State {
    /// One POST to `outbound-call`.
    pub fn outbound_call(&mut self, route: Route, mut post: Post, key: Option<&str>) -> Answer {
        let fault = self.faults.pop_front().unwrap_or_else(|| Fault::new(Reply::Usual));
        let checked = authorised(key).and_then(|()| validated(&post));
        let made = match &checked {
            Ok(request) if fault.dialled => Some(self.dial(route, post.at, request.clone())),
            Ok(_) | Err(_) => None,
        };
        post.conversation_id = made.as_ref().map(|c| c.id.clone());
        self.posts.push(post);
        let sid_name = match route {
            Route::Twilio => "callSid",
            Route::SipTrunk => "sip_call_id",
        };
        let success = |success: bool, message: &str, call: Option<&Conversation>| {
            let (id, sid) = (call.map(|c| &c.id), call.map(|c| &c.provider_call_sid));
            Answer::json(200, json!({"success": success, "message": message, "conversation_id": id, sid_name: sid}))
        };
        let answer = match (fault.reply, checked) {
            (Reply::Usual, Err(refusal)) => refusal,
            (Reply::Usual, Ok(_)) => success(true, "Success", made.as_ref()),
            (Reply::NullIds, _) => success(true, "Success", None),
            (Reply::Refused(message), _) => success(false, &message, None),
            (Reply::Status { status, code, retry_after }, _) => {
                Answer { retry_after, ..Answer::detail(status, &code, "a scripted fault") }
            }
            (Reply::Html, _) => Answer { body: Body::Html, ..Answer::json(200, Value::Null) },
            (Reply::Drop, _) => Answer { body: Body::Drop, ..Answer::json(200, Value::Null) },
        };
        Answer { delay: fault.delay, ..answer }
    }

    /// One GET of the list, newest first.
    pub fn list(&self, query: &[(String, String)], key: Option<&str>, now: UnixMillis) -> Answer {
        match authorised(key).and_then(|()| self.filtered(query, now)) {
            Ok(page) => Answer::json(200, page),
            Err(refusal) => refusal,
        }
    }

    /// One GET of a conversation.
    pub fn conversation(&self, id: &str, key: Option<&str>, now: UnixMillis) -> Answer {
        match (authorised(key), self.conversations.iter().find(|c| c.id == id)) {
            (Err(refusal), _) => refusal,
            (Ok(()), Some(conversation)) => Answer::json(200, conversation.whole(now)),
            (Ok(()), None) => Answer::detail(404, "document_not_found", "no such conversation"),
        }
    }

    fn dial(&mut self, route: Route, at: UnixMillis, request: Value) -> Conversation {
        let number = self.conversations.len() + 1;
        let conversation = Conversation {
            id: format!("conv_standin_{number:04}"),
            provider_call_sid: format!("CA{number:032x}"),
            route,
            started: at,
            life: self.lives.pop_front().unwrap_or_else(|| self.life.clone()),
            request,
        };
        self.conversations.push(conversation.clone());
        conversation
    }

    fn filtered(&self, query: &[(String, String)], now: UnixMillis) -> Result<Value, Answer> {
        let mut found: Vec<&Conversation> =
            self.conversations.iter().rev().filter(|c| now.since(c.started) >= c.life.listed_after).collect();
        let (mut size, mut start) = (30, 0);
        for (name, value) in query {
            let refuse = |why: &str| Answer::invalid("query", &[(name, why, json!(value))]);
            let number = || value.parse::<i64>().map_err(|_| refuse("Input should be a valid integer"));
            match name.as_str() {
                "agent_id" => found.retain(|c| c.request.pointer("/agent_id").and_then(Value::as_str) == Some(value)),
                "user_id" | "dynamic_variable_params" if self.filters == Filters::Ignored => {}
                "user_id" | "dynamic_variable_params" if self.filters == Filters::None => {
                    return Err(refuse("Extra inputs are not permitted"));
                }
                "user_id" => found.retain(|c| c.user_id() == Some(value)),
                "call_start_after_unix" => {
                    let after = number()?;
                    found.retain(|c| c.started_secs() >= after);
                }
                "call_start_before_unix" => {
                    let before = number()?;
                    found.retain(|c| c.started_secs() <= before);
                }
                "dynamic_variable_params" if self.filters == Filters::WithoutVariables => {
                    return Err(refuse("Extra inputs are not permitted"));
                }
                "dynamic_variable_params" => {
                    let mut parts = value.splitn(3, ':');
                    let (Some(variable), Some("eq"), Some(wanted)) = (parts.next(), parts.next(), parts.next()) else {
                        return Err(refuse("the stand-in knows name:eq:value only"));
                    };
                    found.retain(|c| c.variable(variable) == Some(wanted));
                }
                "page_size" => {
                    let range = "Input should be from 1 to 100";
                    size = usize::try_from(number()?).ok().filter(|n| (1..=100).contains(n)).ok_or_else(|| refuse(range))?;
                }
                "cursor" => start = usize::try_from(number()?).map_err(|_| refuse("not a cursor"))?,
                _ => {}
            }
        }
        let rows: Vec<Value> = found.iter().skip(start).take(size).map(|c| c.row(now)).collect();
        let end = start.saturating_add(rows.len());
        let has_more = end < found.len();
        Ok(json!({"conversations": rows, "has_more": has_more, "next_cursor": has_more.then(|| end.to_string())}))
    }
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

    fn started_secs(&self) -> i64 {
        self.started.0.div_euclid(1_000)
    }

    fn status(&self, now: UnixMillis) -> &'static str {
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
    fn seconds(&self, now: UnixMillis) -> u64 {
        match self.status(now) {
            "done" => self.life.talking.as_secs().max(self.life.said.len() as u64 * 5),
            _ => 0,
        }
    }

    fn said_by(&self, role: &str) -> usize {
        self.transcript().filter(|(r, _)| *r == role).count()
    }

    fn transcript(&self) -> impl Iterator<Item = (&'static str, &String)> {
        ["agent", "user"].into_iter().cycle().zip(&self.life.said)
    }

    fn is_final(&self, now: UnixMillis) -> bool {
        matches!(self.status(now), "done" | "failed")
    }

    fn successful(&self, now: UnixMillis) -> &'static str {
        match (self.is_final(now), self.life.result) {
            (false, _) => "unknown",
            (true, CallResult::Answered) => "success",
            (true, CallResult::Voicemail | CallResult::Busy | CallResult::NoAnswer | CallResult::Failed) => "failure",
        }
    }

    fn summary(&self, now: UnixMillis) -> Option<String> {
        (self.is_final(now) && !self.life.said.is_empty()).then(|| self.life.said.join(" / "))
    }

    fn row(&self, now: UnixMillis) -> Value {
        json!({
            "agent_id": self.request.get("agent_id"), "conversation_id": self.id, "status": self.status(now),
            "start_time_unix_secs": self.started_secs(), "call_duration_secs": self.seconds(now),
            "message_count": if self.is_final(now) { self.life.said.len() } else { 0 },
            "call_successful": self.successful(now), "transcript_summary": self.summary(now), "direction": "outbound",
        })
    }

    fn whole(&self, now: UnixMillis) -> Value {
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
        let reason = match self.life.result {
            CallResult::Answered => "Call ended by remote party",
            CallResult::Voicemail | CallResult::Busy | CallResult::NoAnswer | CallResult::Failed => "",
        };
        json!({
            "agent_id": self.request.get("agent_id"), "conversation_id": self.id, "status": self.status(now),
            "user_id": self.user_id(), "has_audio": false, "has_user_audio": false, "has_response_audio": false,
            "has_auxiliary_audio": false, "transcript": transcript,
            "user_message_count": if last { self.said_by("user") } else { 0 },
            "agent_message_count": if last { self.said_by("agent") } else { 0 },
            "metadata": {
                "start_time_unix_secs": self.started_secs(), "call_duration_secs": self.seconds(now),
                "termination_reason": if last { reason } else { "" }, "phone_call": call,
                "conversation_initiation_source": match self.route { Route::Twilio => "twilio", Route::SipTrunk => "sip_trunk" },
            },
            "analysis": self.summary(now).map(|text| json!({"call_successful": self.successful(now), "transcript_summary": text})),
            "conversation_initiation_client_data": self.request.get("conversation_initiation_client_data"),
        })
    }
}

impl Answer {
    fn json(status: u16, body: Value) -> Self {
        Self { status, retry_after: None, body: Body::Json(body), delay: Duration::ZERO }
    }

    /// The vendor's object form.
    fn detail(status: u16, code: &str, message: &str) -> Self {
        let detail =
            json!({"type": "error", "code": code, "message": message, "status": code, "request_id": "standin", "param": null});
        Self::json(status, json!({"detail": detail}))
    }

    /// FastAPI's list form: where, what, and the input as it came.
    fn invalid(place: &str, faults: &[(&str, &str, Value)]) -> Self {
        let item = |(path, why, input): &(&str, &str, Value)| {
            let loc: Vec<&str> = [place].into_iter().chain(path.split('.').filter(|step| !step.is_empty())).collect();
            json!({"type": if *why == MISSING { "missing" } else { "value_error" }, "loc": loc, "msg": why, "input": input})
        };
        Self::json(422, json!({"detail": faults.iter().map(item).collect::<Vec<_>>()}))
    }
}

const MISSING: &str = "Field required";

fn authorised(key: Option<&str>) -> Result<(), Answer> {
    match key {
        Some(KEY) => Ok(()),
        Some(_) => Err(Answer::detail(401, "invalid_api_key", "Invalid API key")),
        None => Err(Answer::detail(401, "needs_authorization", "Neither authorization header nor xi-api-key received")),
    }
}

/// The request, or the refusal that the vendor's schema asks for. An agent wants its variables inside
/// `conversation_initiation_client_data`, and a number is dialled as it stands, so these two are checked as well.
fn validated(post: &Post) -> Result<Value, Answer> {
    if !post.headers.get("content-type").is_some_and(|t| t.starts_with("application/json")) {
        return Err(Answer::invalid("body", &[("", "Input should be a valid dictionary", json!(post.body))]));
    }
    let Ok(request) = serde_json::from_str::<Value>(&post.body) else {
        return Err(Answer::invalid("body", &[("", "JSON decode error", json!(post.body))]));
    };
    let mut faults = Vec::new();
    for name in ["agent_id", "agent_phone_number_id", "to_number"] {
        match request.get(name) {
            None => faults.push((name.to_owned(), MISSING, request.clone())),
            Some(Value::String(text)) if name == "to_number" && !is_e164(text) => {
                faults.push((name.to_owned(), "Value error, not an E.164 number", json!(text)));
            }
            Some(Value::String(_)) => {}
            Some(other) => faults.push((name.to_owned(), "Input should be a valid string", other.clone())),
        }
    }
    if let Some(stray) = request.get("dynamic_variables") {
        faults.push(("dynamic_variables".to_owned(), "Extra inputs are not permitted", stray.clone()));
    }
    let data = "conversation_initiation_client_data";
    match request.pointer(&format!("/{data}/dynamic_variables")) {
        None | Some(Value::Null) => {}
        Some(Value::Object(variables)) => {
            for (name, value) in variables.iter().filter(|(_, value)| value.is_object() || value.is_array()) {
                let path = format!("{data}.dynamic_variables.{name}");
                faults.push((path, "Input should be a string, number, integer, boolean or null", value.clone()));
            }
        }
        Some(other) => faults.push((format!("{data}.dynamic_variables"), "Input should be a valid dictionary", other.clone())),
    }
    if faults.is_empty() {
        return Ok(request);
    }
    let faults: Vec<(&str, &str, Value)> = faults.iter().map(|(path, why, input)| (path.as_str(), *why, input.clone())).collect();
    Err(Answer::invalid("body", &faults))
}

fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| (8..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: UnixMillis = UnixMillis(1_763_569_135_000);

    fn post(body: &Value) -> Post {
        Post {
            at: T0,
            path: "/v1/convai/twilio/outbound-call".to_owned(),
            headers: BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]),
            body: body.to_string(),
            conversation_id: None,
        }
    }

    fn good(call_sid: &str) -> Value {
        json!({"agent_id": "agent_1", "agent_phone_number_id": "phnum_1", "to_number": "+12125550123",
            "conversation_initiation_client_data": {"user_id": call_sid, "dynamic_variables": {"call_sid": call_sid}}})
    }

    fn body(answer: &Answer) -> &Value {
        match &answer.body {
            Body::Json(value) => value,
            Body::Html | Body::Drop => panic!("not JSON: {answer:?}"),
        }
    }

    #[test]
    fn a_call_lives_and_ends_as_scripted() {
        let mut state = State::default();
        let answer = state.outbound_call(Route::Twilio, post(&good("EL_1")), Some(KEY));
        let id = body(&answer).pointer("/conversation_id").and_then(Value::as_str).unwrap().to_owned();
        assert_eq!(state.posts[0].conversation_id.as_ref(), Some(&id));
        let at = |ms| body(&state.conversation(&id, Some(KEY), T0 + Duration::from_millis(ms))).clone();
        assert_eq!(at(0)["status"], "initiated");
        assert_eq!(at(0).pointer("/metadata/phone_call/call_result"), Some(&Value::Null));
        assert_eq!(at(250)["status"], "in-progress");
        assert_eq!((&at(500)["status"], &at(500)["user_message_count"]), (&json!("done"), &json!(1)));
        assert_eq!(at(500).pointer("/metadata/phone_call/call_result"), Some(&json!("answered")));
        assert_eq!(state.conversation("conv_none", Some(KEY), T0).status, 404);
    }

    #[test]
    fn what_the_vendor_would_refuse_is_refused_and_rings_nobody() {
        let mut state = State::default();
        let with = |path: &str, value: Value| {
            let mut request = good("EL_1");
            *request.pointer_mut(path).unwrap() = value;
            request
        };
        let variables = "/conversation_initiation_client_data/dynamic_variables";
        for (request, place) in [
            (json!({"agent_id": "a", "to_number": "+12125550123"}), "agent_phone_number_id"),
            (with("/to_number", json!(12_125_550_123_u64)), "to_number"),
            (with("/to_number", json!("hello")), "to_number"),
            (with(variables, json!({"driver": {"id": 1}})), "driver"),
            (with(variables, json!([])), "dynamic_variables"),
            (json!([1]), "agent_id"),
        ] {
            let answer = state.outbound_call(Route::Twilio, post(&request), Some(KEY));
            assert_eq!(answer.status, 422, "{request}");
            let loc = body(&answer).pointer("/detail/0/loc").and_then(Value::as_array).unwrap();
            assert_eq!(loc.last(), Some(&json!(place)), "{request}");
        }
        for key in [None, Some("sk_wrong")] {
            assert_eq!(state.outbound_call(Route::Twilio, post(&good("EL_1")), key).status, 401);
            assert_eq!(state.list(&[], key, T0).status, 401);
        }
        let form = Post { headers: BTreeMap::new(), ..post(&good("EL_1")) };
        assert_eq!(state.outbound_call(Route::Twilio, form, Some(KEY)).status, 422);
        assert_eq!((state.posts.len(), state.conversations.len()), (9, 0));
    }

    #[test]
    fn the_list_filters_and_pages() {
        let mut state = State::default();
        for n in 0..5 {
            state.outbound_call(Route::Twilio, post(&good(&format!("EL_{n}"))), Some(KEY));
        }
        state.conversations[4].life.listed_after = Duration::from_secs(60);
        let list = |query: &[(&str, &str)]| {
            let query: Vec<_> = query.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            state.list(&query, Some(KEY), T0)
        };
        let ids = |query: &[(&str, &str)]| {
            let answer = list(query);
            let rows = body(&answer)["conversations"].as_array().unwrap().clone();
            rows.iter().map(|row| row["conversation_id"].as_str().unwrap().replace("conv_standin_000", "")).collect::<String>()
        };
        assert_eq!(ids(&[]), "4321", "newest first, the fifth not yet listed");
        assert_eq!(ids(&[("dynamic_variable_params", "call_sid:eq:EL_2")]), "3");
        assert_eq!(ids(&[("user_id", "EL_0")]), "1");
        assert_eq!(ids(&[("agent_id", "another")]), "");
        assert_eq!(ids(&[("call_start_after_unix", "1763569136")]), "");
        assert_eq!(ids(&[("call_start_before_unix", "1763569135")]), "4321");
        assert_eq!(ids(&[("page_size", "3")]), "432");
        assert_eq!(ids(&[("page_size", "3"), ("cursor", "3")]), "1");
        assert_eq!(body(&list(&[("page_size", "3")]))["next_cursor"], "3");
        assert_eq!(body(&list(&[]))["has_more"], false);
        for (name, value) in [("page_size", "101"), ("call_start_after_unix", "abc"), ("dynamic_variable_params", "x")] {
            assert_eq!(list(&[(name, value)]).status, 422, "{name}");
        }
    }
}
