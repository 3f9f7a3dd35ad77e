//! What the stand-in knows and answers. No I/O and no clock: requests come with their time.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use super::KEY;
use super::account::Account;
use super::answer::{Answer, Body};
use super::calls::{Conversation, Filters, Life};
use super::check::{Check, Flaw, json_body, new_document, validated};
use super::faults::{EndpointFault, Fault, Reply};
use crate::core::time::UnixMillis;
use crate::elevenlabs::{Endpoint, Route};

/// The most requests that are remembered; of more, the newest.
const REQUESTS: usize = 10_000;

/// The most calls that are remembered.
const CALLS: usize = 100_000;

/// The most of a request's body that is remembered.
const BODY: usize = 256 * 1024;

/// The most of all requests' bodies together.
const BODIES: usize = 32 * 1024 * 1024;

/// A request as it arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// When.
    pub at: UnixMillis,
    /// `GET` and so on.
    pub method: String,
    /// The path.
    pub path: String,
    /// The query's names and values, decoded, in order.
    pub query: Vec<(String, String)>,
    /// Header names in lower case, without the API key.
    pub headers: BTreeMap<String, String>,
    /// The body as sent, as far as it is remembered.
    pub body: Vec<u8>,
}

/// A POST to `outbound-call` as it arrived.
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

/// See the module.
#[derive(Debug, Default)]
pub(super) struct State {
    pub requests: VecDeque<Request>,
    /// Bytes of their bodies.
    bodies: usize,
    pub posts: Vec<Post>,
    pub conversations: Vec<Conversation>,
    pub faults: VecDeque<Fault>,
    pub endpoint_faults: Vec<EndpointFault>,
    pub lives: VecDeque<Life>,
    pub life: Life,
    pub filters: Filters,
    asked: BTreeMap<Endpoint, u64>,
    dialled: usize,
    account: Account,
    pub(super) batches: BTreeMap<String, Value>,
    pub(super) batches_made: usize,
}

impl State {
    /// Any request, and with the faults that wait for its endpoint.
    pub fn answer(&mut self, endpoint: Endpoint, id: &str, request: Request, key: Option<&str>) -> Answer {
        let asked = self.asked.entry(endpoint).or_default();
        *asked += 1;
        let nth = *asked;
        let fault = self.endpoint_faults.iter().find(|fault| fault.hits(endpoint, nth)).cloned();
        self.remember(&request);
        match fault {
            Some(fault) if !fault.takes_effect() => fault.applied(None),
            Some(fault) => fault.applied(Some(self.usual(endpoint, id, request, key))),
            None => self.usual(endpoint, id, request, key),
        }
    }

    fn remember(&mut self, request: &Request) {
        let body = request.body.get(..BODY).unwrap_or(&request.body).to_vec();
        self.bodies += body.len();
        self.requests.push_back(Request { body, ..request.clone() });
        while self.requests.len() > REQUESTS || self.bodies > BODIES {
            let Some(oldest) = self.requests.pop_front() else { break };
            self.bodies -= oldest.body.len();
        }
    }

    fn usual(&mut self, endpoint: Endpoint, id: &str, request: Request, key: Option<&str>) -> Answer {
        let Request { at: now, path, query, headers, body, .. } = request;
        if endpoint == Endpoint::OutboundCall {
            let route = if path.contains("/sip-trunk/") { Route::SipTrunk } else { Route::Twilio };
            let body = String::from_utf8_lossy(&body).into_owned();
            return self.outbound_call(route, Post { at: now, path, headers, body, conversation_id: None }, key);
        }
        if let Err(refusal) = authorised(key) {
            return refusal;
        }
        let flag = |name: &str| query.iter().any(|(n, value)| n == name && value == "true");
        let json = || json_body(&headers, &body);
        match endpoint {
            Endpoint::OutboundCall => Answer::json(500, Value::Null),
            Endpoint::RegisterCall => json().and_then(|body| self.register_call(&body)).unwrap_or_else(|refusal| refusal),
            Endpoint::SignedUrl => match query.iter().find(|(name, _)| name == "agent_id") {
                None => Answer::invalid("query", &[Flaw::new("agent_id", Flaw::MISSING, Value::Null)]),
                Some((_, agent)) => {
                    let url = format!(
                        "wss://api.elevenlabs.io/v1/convai/conversation?agent_id={agent}&conversation_signature=stand-in"
                    );
                    Answer::json(200, json!({ "signed_url": url }))
                }
            },
            Endpoint::ConversationsList => self.list(&query, key, now),
            Endpoint::ConversationGet => self.conversation(id, key, now),
            Endpoint::ConversationDelete => match self.conversations.iter().position(|c| c.id == id) {
                Some(at) => {
                    self.conversations.remove(at);
                    Answer::json(200, json!({}))
                }
                None => Answer::detail(404, "document_not_found", "no such conversation"),
            },
            Endpoint::ConversationAudio => match self.conversations.iter().find(|c| c.id == id) {
                Some(call) if call.has_audio(now) => {
                    Answer { body: Body::Audio(call.life.recording), ..Answer::json(200, Value::Null) }
                }
                Some(_) => Answer::detail(404, "missing_audio", "this conversation has no recording"),
                None => Answer::detail(404, "document_not_found", "no such conversation"),
            },
            Endpoint::AgentsList => self.account.agents(&query),
            Endpoint::AgentCreate => json().map_or_else(|refusal| refusal, |body| self.account.create_agent(&body, now)),
            Endpoint::AgentGet => self.account.agent(id),
            Endpoint::AgentUpdate => json().map_or_else(|refusal| refusal, |body| self.account.update_agent(id, &body, now)),
            Endpoint::AgentDelete => self.account.delete_agent(id),
            Endpoint::KnowledgeList => self.account.documents(&query),
            Endpoint::KnowledgeCreate => match new_document(&path, &headers, &body) {
                Ok(document) => self.account.create_document(document, now),
                Err(refusal) => refusal,
            },
            Endpoint::KnowledgeGet => self.account.document(id),
            Endpoint::KnowledgeDelete => self.account.delete_document(id, flag("force")),
            Endpoint::PhoneNumbersList => self.account.numbers(),
            Endpoint::PhoneNumberCreate => json().map_or_else(|refusal| refusal, |body| self.account.create_number(&body)),
            Endpoint::BatchSubmit => json().and_then(|body| self.submit_batch(body, now)).unwrap_or_else(|refusal| refusal),
            Endpoint::BatchGet => self.batch(id, now),
        }
    }

    fn register_call(&self, body: &Value) -> Result<Answer, Answer> {
        let mut check = Check::body(body);
        check.required(&["agent_id", "from_number", "to_number"]);
        for name in ["/agent_id", "/from_number", "/to_number"] {
            check.kind(name, Flaw::TEXT);
        }
        check.done()?;
        self.account.may_speak(body)?;
        let twiml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Connect><Stream url=\"wss://api.elevenlabs.io/v1/convai/conversation\"/></Connect></Response>";
        Ok(Answer { body: Body::Xml(twiml.to_owned()), ..Answer::json(200, Value::Null) })
    }

    /// One POST to `outbound-call`.
    pub fn outbound_call(&mut self, route: Route, mut post: Post, key: Option<&str>) -> Answer {
        let fault = self.faults.pop_front().unwrap_or_else(|| Fault::new(Reply::Usual));
        let checked = authorised(key).and_then(|()| validated(&post)).and_then(|request| {
            self.account.may_call(route, &request)?;
            Ok(request)
        });
        let made = match &checked {
            Ok(request) if fault.dialled => Some(self.dial(route, post.at, request.clone())),
            Ok(_) | Err(_) => None,
        };
        post.conversation_id = made.as_ref().map(|c| c.id.clone());
        if self.posts.len() == CALLS {
            self.posts.remove(0);
        }
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
            (Ok(()), Some(conversation)) => {
                let agent = conversation.request["agent_id"].as_str().and_then(|id| self.account.agents.get(id));
                Answer::json(200, conversation.whole(agent, now))
            }
            (Ok(()), None) => Answer::detail(404, "document_not_found", "no such conversation"),
        }
    }

    pub(super) fn dial(&mut self, route: Route, at: UnixMillis, request: Value) -> Conversation {
        self.dialled += 1;
        let number = self.dialled;
        if self.conversations.len() == CALLS {
            self.conversations.remove(0);
        }
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
}

fn authorised(key: Option<&str>) -> Result<(), Answer> {
    match key {
        Some(KEY) => Ok(()),
        Some(_) => Err(Answer::detail(401, "invalid_api_key", "Invalid API key")),
        None => Err(Answer::detail(401, "needs_authorization", "Neither authorization header nor xi-api-key received")),
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

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
            Body::Audio(_) | Body::Xml(_) | Body::Text(_) | Body::Html | Body::Drop => panic!("not JSON: {answer:?}"),
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
