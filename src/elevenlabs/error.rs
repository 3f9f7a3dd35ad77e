//! Why a request did not do what it was to do.

use core::fmt;
use core::time::Duration;
use std::io;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use super::endpoint::Endpoint;
use super::headers;
use super::id::is_id;
use super::key::ApiKey;
use super::words::{self, Refusal};
use crate::core::calls::dialing::AskError;

/// Why a request did not do what it was to do. Everything in it is fit to be shown: neither the key nor a telephone number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What was asked.
    pub endpoint: Endpoint,
    /// What went wrong.
    pub kind: ErrorKind,
    /// The HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// The vendor's name for it: `detail.code`, else its older twin `detail.status`.
    pub code: Option<String>,
    /// In words.
    pub message: String,
    /// What the vendor's support asks for.
    pub request_id: Option<String>,
    /// How long the answer asks to wait, at most an hour.
    pub retry_after: Option<Duration>,
    /// Documents of the account that this request may have left behind; see
    /// [`create_document_from_file`](super::Client::create_document_from_file).
    pub left_behind: Vec<String>,
}

/// See [`Error::kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No byte of the request went out: name, TCP, TLS.
    Unreachable,
    /// It went out, at least in part, and no whole answer came back.
    Lost,
    /// 401 or 403: the key, or a right that it lacks.
    Unauthorised,
    /// 404: an id that the account does not know.
    NotFound,
    /// 429, and 425: later.
    Busy,
    /// Any other refusal of this very request.
    Refused,
    /// 408, 409, 499, 3xx, 5xx: whether it was done is not known.
    Failed,
    /// Success, with something else than documented.
    Unreadable,
    /// A file on this machine.
    File,
    /// The request would not have been one; nothing was sent.
    Invalid,
}

impl ErrorKind {
    /// The name in health.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Lost => "lost",
            Self::Unauthorised => "unauthorised",
            Self::NotFound => "not_found",
            Self::Busy => "busy",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unreadable => "unreadable",
            Self::File => "file",
            Self::Invalid => "invalid",
        }
    }

    /// Of an answer other than success.
    pub(super) fn of(status: u16) -> Self {
        match status {
            401 | 403 => Self::Unauthorised,
            404 => Self::NotFound,
            425 | 429 => Self::Busy,
            408 | 409 | 499 => Self::Failed,
            400..500 => Self::Refused,
            _ => Self::Failed,
        }
    }
}

impl Error {
    pub(super) fn new(endpoint: Endpoint, kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            endpoint,
            kind,
            status: None,
            code: None,
            message: message.into(),
            request_id: None,
            retry_after: None,
            left_behind: Vec::new(),
        }
    }

    pub(super) fn file(endpoint: Endpoint, path: &std::path::Path, why: &io::Error) -> Self {
        Self::new(endpoint, ErrorKind::File, format!("{}: {why}", path.display()))
    }

    /// Reads an answer other than success.
    pub(super) fn refusal(endpoint: Endpoint, status: StatusCode, headers: &HeaderMap, body: &[u8], key: &ApiKey) -> Self {
        let Refusal { code, text, request_id } = words::refusal(status.as_u16(), body, key);
        let header = || headers.get("request-id").or_else(|| headers.get("x-request-id"))?.to_str().ok().map(str::to_owned);
        Self {
            status: Some(status.as_u16()),
            code: code.map(|code| words::shown(&code, key)),
            request_id: request_id.or_else(header).filter(|id| is_shown(id, key)),
            retry_after: headers::retry_after(headers),
            ..Self::new(endpoint, ErrorKind::of(status.as_u16()), text)
        }
    }

    /// Whether the same request may go well later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self.kind {
            ErrorKind::Unreachable | ErrorKind::Lost | ErrorKind::Busy | ErrorKind::Failed | ErrorKind::Unreadable => true,
            ErrorKind::Unauthorised | ErrorKind::NotFound | ErrorKind::Refused | ErrorKind::File | ErrorKind::Invalid => false,
        }
    }

    /// Whether a telephone may be ringing, or something may have been made, changed or deleted all the same. Such a request is
    /// not to be repeated before the vendor was asked what there is.
    #[must_use]
    pub fn was_maybe_placed(&self) -> bool {
        !self.endpoint.only_reads()
            && match self.kind {
                ErrorKind::Lost | ErrorKind::Failed | ErrorKind::Unreadable => true,
                ErrorKind::Unreachable
                | ErrorKind::Unauthorised
                | ErrorKind::NotFound
                | ErrorKind::Busy
                | ErrorKind::Refused
                | ErrorKind::File
                | ErrorKind::Invalid => false,
            }
    }

    /// Whether asking once more at once may help. Without a connection it does not: whoever asks knows better when there is one.
    pub(super) fn is_worth_repeating(&self) -> bool {
        self.endpoint.only_reads() && matches!(self.kind, ErrorKind::Lost | ErrorKind::Busy | ErrorKind::Failed)
    }
}

/// Whether an id of a request can be shown as it is: neither the key nor a telephone number.
fn is_shown(id: &str, key: &ApiKey) -> bool {
    is_id(id) && id.bytes().any(|b| b.is_ascii_alphabetic()) && key.mask(id) == id
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        match self.left_behind.as_slice() {
            [] => Ok(()),
            ids => write!(f, "; what it may have made: {}", ids.join(", ")),
        }
    }
}

impl core::error::Error for Error {}

/// What the queue of calls makes of it.
impl From<Error> for AskError {
    fn from(error: Error) -> Self {
        let text = error.message;
        match error.kind {
            ErrorKind::Unreachable => Self::Unreachable(text),
            ErrorKind::Lost | ErrorKind::Busy | ErrorKind::Failed | ErrorKind::Unreadable => Self::Transient(text),
            ErrorKind::Unauthorised => Self::Unauthorised(text),
            ErrorKind::NotFound => Self::NotFound(text),
            ErrorKind::Refused | ErrorKind::File | ErrorKind::Invalid => Self::Refused(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(endpoint: Endpoint, status: u16) -> Error {
        let body = br#"{"detail":{"code":"a_code","message":"words","request_id":"req_1"}}"#;
        let key = ApiKey::new("sk_0123456789abcdef").unwrap();
        Error::refusal(endpoint, StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body, &key)
    }

    #[test]
    fn what_may_have_been_done_is_told_from_what_was_not() {
        for (status, transient, maybe) in [
            (400, false, false),
            (401, false, false),
            (403, false, false),
            (404, false, false),
            (422, false, false),
            (425, true, false),
            (429, true, false),
            (302, true, true),
            (408, true, true),
            (409, true, true),
            (499, true, true),
            (500, true, true),
            (503, true, true),
        ] {
            let error = refused(Endpoint::AgentCreate, status);
            assert_eq!((error.is_transient(), error.was_maybe_placed()), (transient, maybe), "{status}");
            let error = refused(Endpoint::AgentGet, status);
            assert_eq!((error.is_transient(), error.was_maybe_placed()), (transient, false), "{status}: it only reads");
        }
    }

    #[test]
    fn status_code_and_request_are_named() {
        let error = refused(Endpoint::AgentGet, 404);
        assert_eq!(
            (error.status, error.code.as_deref(), error.request_id.as_deref()),
            (Some(404), Some("a_code"), Some("req_1"))
        );
        assert_eq!(error.to_string(), "HTTP 404: a_code: words (request req_1)");
    }
}
