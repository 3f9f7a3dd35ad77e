//! What the bytes of an answer say, without the client that fetched them.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use super::key::ApiKey;
use super::{Page, outbound_call, outcome};
use crate::core::calls::dialing::{AskError, Conversation, Verdict};

/// Of a POST, without headers. A status that there is not counts as 500.
#[must_use]
pub fn placed(status: u16, body: &[u8], key: &ApiKey) -> Verdict {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    outbound_call::verdict(status, &HeaderMap::new(), Ok(body), key)
}

/// Of a question about one conversation, answered with 200.
///
/// # Errors
/// When it is no conversation.
pub fn conversation(body: &[u8], key: &ApiKey) -> Result<Conversation, AskError> {
    outcome::conversation(body, key)
}

/// Of a question for a list, answered with 200.
///
/// # Errors
/// When it is no list.
pub fn page(body: &[u8], key: &ApiKey) -> Result<Page, AskError> {
    outcome::page(body, key)
}
