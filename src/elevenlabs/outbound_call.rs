//! `POST /v1/convai/{twilio|sip-trunk}/outbound-call`: what goes out, and what the answer means.

use core::time::Duration;
use std::time::SystemTime;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};

use super::error::{self, Refusal};
use super::key::ApiKey;
use super::settings::{Route, Settings};
use crate::core::calls::dialing::{NotPlaced, Order, Verdict};

/// Longest wait that is taken from an answer's header.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Longest identifier that is taken from an answer.
const LONGEST_ID: usize = 128;

/// The resource below the base URL.
pub(super) fn path(route: Route) -> &'static str {
    match route {
        Route::Twilio => "/v1/convai/twilio/outbound-call",
        Route::SipTrunk => "/v1/convai/sip-trunk/outbound-call",
    }
}

/// The request's body.
pub(super) fn body(settings: &Settings, order: &Order) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&OutboundCall {
        agent_id: &settings.agent_id,
        agent_phone_number_id: &settings.agent_phone_number_id,
        to_number: order.to.expose(),
        conversation_initiation_client_data: ClientData {
            user_id: &order.call_sid,
            dynamic_variables: DynamicVariables {
                prompt: order.prompt.trim(),
                transfer_to: order.transfer_to.as_ref().map_or("", |phone| phone.expose()),
                call_sid: &order.call_sid,
                dispatcher_name: order.dispatcher_name.trim(),
                driver_id: &order.driver_id,
            },
        },
    })
}

/// What an answer means, by the table of outcomes: only a status that says that the request was turned away counts as "not
/// placed"; whatever leaves room for a ringing telephone is unknown. `body` is `Err` with the reason when it could not be read
/// whole.
pub(super) fn verdict(status: StatusCode, headers: &HeaderMap, body: Result<&[u8], String>, key: &ApiKey) -> Verdict {
    let code = status.as_u16();
    if status.is_success() {
        return match body {
            Ok(body) => success(code, body, key),
            Err(why) => Verdict::Unknown(format!("HTTP {code}, but its body broke off: {why}")),
        };
    }
    let Refusal { code: error, text } = error::refusal(code, body.unwrap_or_default(), key);
    match code {
        // 404: the agent or its number does not exist. These codes say that no call of this account would be taken.
        401 | 403 | 404 => Verdict::NotPlaced(NotPlaced::Account(text)),
        400 | 422 if error.as_deref().is_some_and(is_of_the_account) => Verdict::NotPlaced(NotPlaced::Account(text)),
        429 => Verdict::NotPlaced(NotPlaced::Busy {
            retry_after: retry_after(headers),
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

#[derive(Serialize)]
struct OutboundCall<'a> {
    agent_id: &'a str,
    agent_phone_number_id: &'a str,
    to_number: &'a str,
    conversation_initiation_client_data: ClientData<'a>,
}

#[derive(Serialize)]
struct ClientData<'a> {
    user_id: &'a str,
    dynamic_variables: DynamicVariables<'a>,
}

/// All of them always: one that the agent wants and does not get ends the conversation, possibly after the telephone rang.
#[derive(Serialize)]
struct DynamicVariables<'a> {
    prompt: &'a str,
    transfer_to: &'a str,
    call_sid: &'a str,
    dispatcher_name: &'a str,
    driver_id: &'a str,
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

fn success(code: u16, body: &[u8], key: &ApiKey) -> Verdict {
    let Ok(answer) = serde_json::from_slice::<Answer>(body) else {
        return Verdict::Unknown(error::shown(&format!("HTTP {code} with {}", error::not_json(body)), key));
    };
    let message = answer.message.unwrap_or_default();
    if !answer.success {
        let credentials = message.contains("HTTP 401") || message.contains("HTTP 403");
        let reason = error::shown(if message.is_empty() { "success is false" } else { &message }, key);
        return Verdict::NotPlaced(NotPlaced::Provider { reason, credentials });
    }
    match answer.conversation_id.filter(|id| is_id(id)) {
        Some(conversation_id) => {
            let provider_call_sid = answer.twilio.or(answer.sip).filter(|id| is_id(id));
            Verdict::Placed { conversation_id, provider_call_sid }
        }
        None => Verdict::Unknown("success without a conversation id".to_owned()),
    }
}

/// Whether a text can be an identifier of the vendor: short, and nothing that would not stand in a path or a log line.
pub(super) fn is_id(text: &str) -> bool {
    (1..=LONGEST_ID).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'@'))
        && text.bytes().any(|b| b.is_ascii_alphanumeric())
}

/// How long the answer asks to wait: `retry-after-ms`, `retry-after` in seconds or as a date, `x-ratelimit-reset` as Unix
/// seconds (the headers that the vendor's SDK reads), at most an hour. A point in time is measured from the answer's own
/// `date`, because a gateway's clock may be wrong.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let number = |name: &str| text(name).and_then(|text| text.parse::<u64>().ok());
    let date = |name: &str| text(name).and_then(|text| httpdate::parse_http_date(text).ok());
    let until = |then: SystemTime| then.duration_since(date("date")?).ok();
    number("retry-after-ms")
        .map(Duration::from_millis)
        .or_else(|| number("retry-after").map(Duration::from_secs))
        .or_else(|| date("retry-after").and_then(until))
        .or_else(|| {
            let reset = number("x-ratelimit-reset").map(Duration::from_secs)?;
            SystemTime::UNIX_EPOCH.checked_add(reset).and_then(until)
        })
        .map(|wait| wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read_from_every_header_that_names_one() {
        let wait = |pairs: &[(&'static str, &'static str)]| {
            retry_after(&pairs.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect())
        };
        let secs = |s| Some(Duration::from_secs(s));
        const DATE: (&str, &str) = ("date", "Fri, 21 Nov 2025 04:00:00 GMT");
        assert_eq!(wait(&[]), None);
        assert_eq!(wait(&[("retry-after-ms", "1500"), ("retry-after", "9")]), Some(Duration::from_millis(1500)));
        assert_eq!(wait(&[("retry-after", " 2 ")]), secs(2));
        assert_eq!(wait(&[("retry-after", "Fri, 21 Nov 2025 04:00:30 GMT"), DATE]), secs(30));
        assert_eq!(wait(&[("retry-after", "Fri, 21 Nov 2025 04:00:30 GMT")]), None, "nothing to measure from");
        assert_eq!(wait(&[("x-ratelimit-reset", "1763697660"), DATE]), secs(60));
        assert_eq!(wait(&[("x-ratelimit-reset", "18446744073709551615"), DATE]), None);
        assert_eq!(wait(&[("retry-after", "86400")]), Some(LONGEST_WAIT));
        for odd in ["", "-1", "soon", "1e9"] {
            assert_eq!(wait(&[("retry-after", odd)]), None, "{odd}");
        }
    }

    #[test]
    fn an_identifier_is_short_and_fit_for_a_path() {
        assert!(is_id("conv_9601kaf71jfne4d9syfynwc35hc9") && is_id("a1b2@10.0.0.1"));
        for text in ["", "..", "a/b", "a b", "a?b", "ä", &"x".repeat(129)] {
            assert!(!is_id(text), "{text}");
        }
    }
}
