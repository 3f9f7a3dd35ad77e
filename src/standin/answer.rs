//! What is answered, in the vendor's shapes.

use core::time::Duration;

use serde_json::{Value, json};

use super::check::Flaw;

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
    /// A recording of so many bytes.
    Audio(u64),
    /// TwiML.
    Xml(String),
    Html,
    Drop,
    /// As a file of faults has it.
    Text(String),
}

impl Answer {
    pub fn json(status: u16, body: Value) -> Self {
        Self { status, retry_after: None, body: Body::Json(body), delay: Duration::ZERO }
    }

    /// The vendor's object form.
    pub fn detail(status: u16, code: &str, message: &str) -> Self {
        let detail =
            json!({"type": "error", "code": code, "message": message, "status": code, "request_id": "standin", "param": null});
        Self::json(status, json!({"detail": detail}))
    }

    /// FastAPI's list form: where, what, and the input as it came.
    pub fn invalid(place: &str, flaws: &[Flaw]) -> Self {
        let items: Vec<Value> = flaws.iter().map(|flaw| flaw.item(place)).collect();
        Self::json(422, json!({ "detail": items }))
    }
}
