//! `POST /v1/convai/{twilio|sip-trunk}/outbound-call`: what goes out, and what the answer means.

use core::fmt;
use std::collections::BTreeMap;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::client::Client;
use super::endpoint::Endpoint;
use super::error::{Error, ErrorKind};
use super::headers;
use super::id::is_id;
use super::key::ApiKey;
use super::settings::{Route, Settings};
use super::words::{self, Refusal};
use crate::core::calls::dialing::{NotPlaced, Order, Verdict};

/// A call to be placed. Debug leaves numbers and variables out.
#[derive(Clone, Default, PartialEq, Serialize)]
pub struct OutboundCall {
    /// Who speaks.
    pub agent_id: String,
    /// Over which number of the account.
    pub agent_phone_number_id: String,
    /// Who is called, in E.164.
    pub to_number: String,
    /// What the call is begun with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_initiation_client_data: Option<ClientData>,
    /// Whether Twilio records it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_recording_enabled: Option<bool>,
    /// Ringing and recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telephony_call_config: Option<TelephonyCallConfig>,
}

/// What a call is begun with. Debug leaves the variables out.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientData {
    /// For whom; the list of conversations can be asked by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// What the agent's texts refer to as `{{name}}`. One that the agent wants and does not get ends the conversation.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dynamic_variables: BTreeMap<String, Variable>,
    /// Parts of the agent that are other for this call, as far as it permits that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_config_override: Option<Value>,
    /// Other parts, such as `branch_id`.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// The value of a dynamic variable; the vendor takes neither lists nor objects.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "JSON's own")]
pub enum Variable {
    Text(String),
    Integer(i64),
    Number(f64),
    Bool(bool),
    Null,
}

/// How the telephone provider goes about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TelephonyCallConfig {
    /// How long it rings; 60 when it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ringing_timeout_secs: Option<u32>,
    /// Other parts, such as `twilio_machine_detection`.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A call that the vendor has placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The vendor's conversation.
    pub conversation_id: String,
    /// Twilio's `callSid`, or the `sip_call_id` of a SIP trunk, when given.
    pub provider_call_sid: Option<String>,
}

impl Client {
    /// Places a call, once. The queue's own way is [`place`](Self::place).
    ///
    /// # Errors
    /// As for every request; after [`was_maybe_placed`](Error::was_maybe_placed) the telephone may be ringing.
    pub async fn outbound_call(&self, route: Route, call: &OutboundCall) -> Result<Placed, Error> {
        const ENDPOINT: Endpoint = Endpoint::OutboundCall;
        let error = |kind, status: StatusCode, why| Error { status: Some(status.as_u16()), ..Error::new(ENDPOINT, kind, why) };
        let body = serde_json::to_vec(call).map_err(|why| Error::new(ENDPOINT, ErrorKind::Invalid, why.to_string()))?;
        let answer = self.http.dial(path(route), body).await.map_err(|lost| lost.into_error(ENDPOINT))?;
        let (status, key) = (answer.status, self.http.key());
        match answer.body {
            body if !status.is_success() => {
                Err(Error::refusal(ENDPOINT, status, &answer.headers, &body.unwrap_or_default(), key))
            }
            Err(broken) => Err(error(ErrorKind::Lost, status, broken.to_string())),
            Ok(body) => success(status.as_u16(), &body, key).map_err(|why| match why {
                Unsuccessful::Provider { reason, .. } => error(ErrorKind::Refused, status, reason),
                Unsuccessful::Unproven(why) => error(ErrorKind::Unreadable, status, why),
            }),
        }
    }
}

/// The resource below the base URL.
pub(super) fn path(route: Route) -> &'static str {
    match route {
        Route::Twilio => "/v1/convai/twilio/outbound-call",
        Route::SipTrunk => "/v1/convai/sip-trunk/outbound-call",
    }
}

/// The call that an order of the queue asks for. All variables always: one that the agent wants and does not get ends the
/// conversation, possibly after the telephone rang.
pub(super) fn call(settings: &Settings, order: &Order) -> OutboundCall {
    let variables = [
        ("prompt", order.prompt.trim()),
        ("transfer_to", order.transfer_to.as_ref().map_or("", |phone| phone.expose())),
        ("call_sid", &order.call_sid),
        ("dispatcher_name", order.dispatcher_name.trim()),
        ("driver_id", &order.driver_id),
    ];
    OutboundCall {
        agent_id: settings.agent_id.clone(),
        agent_phone_number_id: settings.agent_phone_number_id.clone(),
        to_number: order.to.expose().to_owned(),
        conversation_initiation_client_data: Some(ClientData {
            user_id: Some(order.call_sid.to_string()),
            dynamic_variables: variables.map(|(name, value)| (name.to_owned(), Variable::Text(value.to_owned()))).into(),
            ..ClientData::default()
        }),
        ..OutboundCall::default()
    }
}

/// What an answer means, by the table of outcomes: only a status that says that the request was turned away counts as "not
/// placed"; whatever leaves room for a ringing telephone is unknown. `body` is `Err` with the reason when it could not be read
/// whole.
pub(super) fn verdict(status: StatusCode, headers: &HeaderMap, body: Result<&[u8], String>, key: &ApiKey) -> Verdict {
    let code = status.as_u16();
    if status.is_success() {
        return match body {
            Ok(body) => match success(code, body, key) {
                Ok(Placed { conversation_id, provider_call_sid }) => Verdict::Placed { conversation_id, provider_call_sid },
                Err(Unsuccessful::Provider { reason, credentials }) => {
                    Verdict::NotPlaced(NotPlaced::Provider { reason, credentials })
                }
                Err(Unsuccessful::Unproven(why)) => Verdict::Unknown(why),
            },
            Err(why) => Verdict::Unknown(format!("HTTP {code}, but its body broke off: {why}")),
        };
    }
    let Refusal { code: error, text, .. } = words::refusal(code, body.unwrap_or_default(), key);
    match code {
        // 404: the agent or its number does not exist. These codes say that no call of this account would be taken.
        401 | 403 | 404 => Verdict::NotPlaced(NotPlaced::Account(text)),
        400 | 422 if error.as_deref().is_some_and(is_of_the_account) => Verdict::NotPlaced(NotPlaced::Account(text)),
        429 => Verdict::NotPlaced(NotPlaced::Busy {
            retry_after: headers::retry_after(headers),
            concurrency: matches!(error.as_deref(), Some("concurrent_limit_exceeded" | "too_many_concurrent_requests")),
            reason: text,
        }),
        // 499 is what a proxy in front of the vendor notes when it gave up waiting.
        408 | 409 | 499 => Verdict::Unknown(text),
        400..500 => Verdict::NotPlaced(NotPlaced::Refused(text)),
        // A redirect comes over verified TLS from the vendor itself, which has read the request by then.
        _ => Verdict::Unknown(text),
    }
}

/// Error codes that speak of the account, the agent or its number rather than of this call.
fn is_of_the_account(code: &str) -> bool {
    ["invalid_api_key", "quota_exceeded", "invalid_provider_config", "missing_dynamic_variable"].contains(&code)
        || code.contains("agent")
        || code.contains("phone_number_id")
}

#[derive(Deserialize)]
struct Answer {
    success: bool,
    #[serde(default)]
    message: Option<String>,
    conversation_id: Option<String>,
    #[serde(rename = "callSid")]
    twilio: Option<String>,
    #[serde(rename = "sip_call_id")]
    sip: Option<String>,
}

/// Why an answer of success is none.
enum Unsuccessful {
    /// The telephone provider refused.
    Provider { reason: String, credentials: bool },
    /// It does not prove that there is a call, nor that there is none.
    Unproven(String),
}

fn success(code: u16, body: &[u8], key: &ApiKey) -> Result<Placed, Unsuccessful> {
    let Ok(answer) = serde_json::from_slice::<Answer>(body) else {
        let why = words::shown(&format!("HTTP {code} with {}", words::not_json(body, key)), key);
        return Err(Unsuccessful::Unproven(why));
    };
    let message = answer.message.unwrap_or_default();
    if !answer.success {
        let credentials = message.contains("HTTP 401") || message.contains("HTTP 403");
        let reason = words::shown(if message.is_empty() { "success is false" } else { &message }, key);
        return Err(Unsuccessful::Provider { reason, credentials });
    }
    match answer.conversation_id.filter(|id| is_id(id)) {
        Some(conversation_id) => {
            Ok(Placed { conversation_id, provider_call_sid: answer.twilio.or(answer.sip).filter(|id| is_id(id)) })
        }
        None => Err(Unsuccessful::Unproven("success without a conversation id".to_owned())),
    }
}

impl fmt::Debug for OutboundCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { agent_id, agent_phone_number_id, .. } = self;
        f.debug_struct("OutboundCall")
            .field("agent_id", agent_id)
            .field("agent_phone_number_id", agent_phone_number_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientData").field("user_id", &self.user_id).finish_non_exhaustive()
    }
}
