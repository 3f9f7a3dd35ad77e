//! The other end of the control socket, for the command line: one blocking HTTP/1.1 exchange per question.

use core::time::Duration;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use serde_json::Value;

use crate::core::control::Answer;

/// The longest answer that is read: some 100,000 calls.
const MAX_ANSWER: u64 = 64 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No socket there, or nobody behind it.
    #[error("the daemon is not running (nobody answers on {0})")]
    NotRunning(String),
    /// The socket is not ours to open.
    #[error("no permission for {0}: run this as root or as a member of the socket's group")]
    NotPermitted(String),
    /// It broke off, or took too long.
    #[error("no answer from the daemon: {0}")]
    Broken(#[from] io::Error),
    /// Something else than gladhand listens there.
    #[error("what answered is not gladhand")]
    NotGladhand,
}

/// Asks the daemon behind `socket`. `path` is the route with its query, its segments encoded by [`segment`]. Gives up
/// after `patience` without a byte.
///
/// # Errors
/// When there is no answer. A refusal is an answer.
pub fn ask(socket: &Path, method: &str, path: &str, body: &[u8], patience: Duration) -> Result<Answer, ClientError> {
    let mut stream = UnixStream::connect(socket).map_err(|error| {
        let kind = error.kind();
        if matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) {
            ClientError::NotRunning(socket.display().to_string())
        } else if kind == io::ErrorKind::PermissionDenied {
            ClientError::NotPermitted(socket.display().to_string())
        } else {
            ClientError::Broken(error)
        }
    })?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: gladhand\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    // A server that refuses the request early answers without reading the rest.
    let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    let mut answer = Vec::new();
    let received = stream.take(MAX_ANSWER).read_to_end(&mut answer);
    match parse(&answer) {
        Some(answer) => Ok(answer),
        None => {
            sent?;
            received?;
            Err(ClientError::NotGladhand)
        }
    }
}

/// One segment of a path, with everything but unreserved characters percent-encoded.
#[must_use]
pub fn segment(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// Reads a whole answer; `None` when it is not complete or not HTTP with JSON of a stated length.
fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, body) = bytes.split_at_checked(end.checked_add(4)?)?;
    let mut lines = core::str::from_utf8(head).ok()?.lines();
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, length)| length.trim().parse().ok())?;
    let body: Value = serde_json::from_slice(body.get(..length)?).ok()?;
    Some(Answer { status, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_answer_counts() {
        let whole = b"HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{\"a\":\"b\"}";
        assert_eq!(parse(whole), Some(Answer { status: 202, body: serde_json::json!({"a": "b"}) }));
        for end in 0..whole.len() {
            assert_eq!(parse(&whole[..end]), None, "{end}");
        }
        assert_eq!(parse(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), None);
    }

    #[test]
    fn a_segment_holds_any_text() {
        assert_eq!(segment("T 1/é?%"), "T%201%2F%C3%A9%3F%25");
        assert_eq!(segment("EL_DR-1.x~"), "EL_DR-1.x~");
    }
}
