//! The vendor's words of refusal, made fit to be shown: bounded, without control characters, telephone numbers or the key.

use core::error::Error as _;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::key::ApiKey;
use crate::core::phone::without_numbers;

/// Longest text that is shown, in characters.
const SHOWN: usize = 300;

/// What a refusing answer says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// `detail.code`, else its older twin `detail.status`.
    pub code: Option<String>,
    /// `HTTP 422: …`, fit to be shown.
    pub text: String,
    /// `detail.request_id`.
    pub request_id: Option<String>,
}

/// Reads the body of an answer other than 2xx. `detail` may be an object, FastAPI's list, a text or missing; the body may be
/// empty or a page of some gateway. What the list says of the `input` is left out: it repeats the request.
pub(super) fn refusal(status: u16, body: &[u8], key: &ApiKey) -> Refusal {
    let (code, request_id, words) = match serde_json::from_slice::<Envelope>(body) {
        Ok(Envelope { detail: Some(detail), .. }) => detail.words(),
        Ok(Envelope { detail: None, message: Some(Value::String(message)) }) => (None, None, message),
        Ok(Envelope { .. }) => (None, None, String::new()),
        Err(_) => (None, None, not_json(body, key)),
    };
    let text = if words.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {words}") };
    Refusal { code, text: shown(&text, key), request_id }
}

/// What stands where JSON should, masked before it is cut: half of a key would not be known as one.
pub(super) fn not_json(body: &[u8], key: &ApiKey) -> String {
    match body.trim_ascii() {
        [] => "an empty answer".to_owned(),
        [b'<', ..] => "a page of HTML instead of an answer of the API".to_owned(),
        text => key.mask(&String::from_utf8_lossy(text)).chars().take(4096).collect(),
    }
}

/// What is wrong with a success that cannot be read.
pub(super) fn unreadable(body: &[u8], why: &serde_json::Error, key: &ApiKey) -> String {
    let is_json = serde_json::from_slice::<IgnoredAny>(body).is_ok();
    let what = if is_json { why.to_string() } else { not_json(body, key) };
    shown(&format!("HTTP 200 with {what}"), key)
}

/// `text` without control characters, the key and anything like a telephone number, at most 300 characters.
pub(super) fn shown(text: &str, key: &ApiKey) -> String {
    shown_up_to(SHOWN, text, key)
}

/// See [`shown`].
pub(super) fn shown_up_to(limit: usize, text: &str, key: &ApiKey) -> String {
    bounded(limit, &without_numbers(&key.mask(text)))
}

/// Why a request got no answer, without its URL: the causes from the outermost to the innermost.
pub(super) fn transport(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = inner.source();
    }
    bounded(SHOWN, &text)
}

#[derive(Deserialize)]
struct Envelope {
    detail: Option<Detail>,
    message: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Detail {
    Text(String),
    Object {
        code: Option<String>,
        status: Option<String>,
        message: Option<String>,
        param: Option<String>,
        request_id: Option<String>,
    },
    List(Vec<Item>),
    Other(Value),
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    loc: Vec<Value>,
    #[serde(default)]
    msg: String,
}

impl Detail {
    fn words(self) -> (Option<String>, Option<String>, String) {
        match self {
            Self::Text(text) => (None, None, text),
            Self::Object { code, status, message, param, request_id } => {
                let code = code.or(status);
                let words: Vec<String> = [code.clone(), message, param].into_iter().flatten().filter(|w| !w.is_empty()).collect();
                (code, request_id, words.join(": "))
            }
            Self::List(items) => (None, None, items.iter().map(Item::words).collect::<Vec<_>>().join("; ")),
            Self::Other(value) => (None, None, value.to_string()),
        }
    }
}

impl Item {
    fn words(&self) -> String {
        let step = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{}: {}", self.loc.iter().map(step).collect::<Vec<_>>().join("."), self.msg)
    }
}

/// Control characters and runs of white space become one space; the text ends with `…` where it was cut.
fn bounded(limit: usize, text: &str) -> String {
    let mut out = String::new();
    let mut length = 0;
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        let gap = usize::from(length > 0);
        if gap == 1 {
            out.push(' ');
        }
        let room = limit.saturating_sub(length + gap);
        match word.char_indices().nth(room) {
            None => out.push_str(word),
            Some((end, _)) => {
                out.push_str(word.get(..end).unwrap_or_default());
                out.push('…');
                return out;
            }
        }
        length += gap + word.chars().count();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ApiKey {
        ApiKey::new("sk_5f2c0123456789abcdef").unwrap()
    }

    #[test]
    fn every_shape_of_a_refusal_is_read() {
        let read = |status, body: &str| {
            let Refusal { code, text, .. } = refusal(status, body.as_bytes(), &key());
            (code, text)
        };
        let coded = |code: &str, text: &str| (Some(code.to_owned()), text.to_owned());
        let plain = |text: &str| (None, text.to_owned());
        let object = r#"{"detail":{"type":"validation_error","code":"invalid_parameters","message":"bad parameter","status":"x","request_id":"3c8","param":"to_number"}}"#;
        assert_eq!(read(422, object), coded("invalid_parameters", "HTTP 422: invalid_parameters: bad parameter: to_number"));
        let legacy = r#"{"detail":{"status":"invalid_api_key","message":"Invalid API key"}}"#;
        assert_eq!(read(401, legacy), coded("invalid_api_key", "HTTP 401: invalid_api_key: Invalid API key"));
        let list = r#"{"detail":[{"type":"missing","loc":["body","drivers",0],"msg":"Field required","input":{"to_number":"+12125550123"}},{"msg":"and more"}]}"#;
        assert_eq!(read(422, list), plain("HTTP 422: body.drivers.0: Field required; : and more"));
        assert_eq!(read(404, r#"{"detail":"Not Found"}"#), plain("HTTP 404: Not Found"));
        assert_eq!(read(400, r#"{"detail":7}"#), plain("HTTP 400: 7"));
        assert_eq!(read(400, r#"{"detail":null}"#), plain("HTTP 400"));
        assert_eq!(read(400, r#"{"message":"no"}"#), plain("HTTP 400: no"));
        assert_eq!(read(502, ""), plain("HTTP 502: an empty answer"));
        assert_eq!(read(502, "\n<html>Bad Gateway"), plain("HTTP 502: a page of HTML instead of an answer of the API"));
        assert_eq!(read(503, "upstream\0 gone\r\n"), plain("HTTP 503: upstream gone"));
    }

    #[test]
    fn no_text_shows_the_key_or_a_number_or_runs_on() {
        for number in
            ["+12125550123", "+1 (212) 555-0123", "212.555.0123", "%2B12125550123", "(212)  555 0123", "٢١٢٥٥٥٠١٢٣", "5550123"]
        {
            let text = shown(&format!("cannot call {number}, key sk_5f2c0123456789abcdef!"), &key());
            assert!(text.starts_with("cannot call ") && text.ends_with("******, key ***!"), "{text}");
            assert!(!text.contains("0123") && !text.contains("555"), "{text}");
        }
        let padded = format!("{}sk_5f2c0123456789abcdef", " ".repeat(4_080));
        let cut = refusal(502, format!("x{padded}").as_bytes(), &key()).text;
        assert_eq!(cut, "HTTP 502: x ***");
        assert_eq!(shown("HTTP 400 error 21211 at 10:30", &key()), "HTTP 400 error 21211 at 10:30");
        let long = shown(&"word ".repeat(1_000), &key());
        assert!(long.ends_with('…') && long.chars().count() <= 301, "{long}");
        assert_eq!(shown(&"ä".repeat(1_000), &key()).chars().count(), 301);
        assert_eq!(shown(&"x".repeat(300), &key()).chars().count(), 300);
    }
}
