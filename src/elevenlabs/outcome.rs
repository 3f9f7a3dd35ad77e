//! What became of a call, as the queue asks it of `GET /v1/convai/conversations` and `GET /v1/convai/conversations/{id}`.

use core::time::Duration;

use reqwest::Url;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::id::is_id;
use super::key::ApiKey;
use super::lenient::lenient;
use super::words;
use crate::core::calls::dialing::{self, AskError, CallResult, Conversation, ConversationStatus, MAX_TURNS};
use crate::core::id::CallSid;

/// The resource below the base URL.
pub(super) const PATH: &str = "/v1/convai/conversations";

/// Longest summary that is kept, in characters.
const SUMMARY: usize = 1_000;

/// Longest turn that is kept, in characters.
const TURN: usize = 300;

/// Which conversations of the account to list, whatever agent spoke: the one that dialled may not be the configured one any more.
/// Conditions that are `None` are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// The dynamic variable `call_sid` is this. Refused by older versions of the API.
    pub call_sid: Option<CallSid>,
    /// `user_id` is this; every version of the API knows it.
    pub user_id: Option<CallSid>,
    /// Started after this, Unix seconds.
    pub started_after: Option<i64>,
    /// Started before this, Unix seconds.
    pub started_before: Option<i64>,
    /// [`Page::next`] of the page before.
    pub cursor: Option<String>,
}

/// One page of a list, at most 100 rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The rows. They carry neither variables nor numbers: a candidate is confirmed by reading it.
    pub rows: Vec<Row>,
    /// Where the next page starts, when there is one.
    pub next: Option<String>,
    /// The vendor's clock as it answered, Unix seconds, when it says it.
    pub date: Option<i64>,
}

/// One row of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The vendor's conversation.
    pub conversation_id: String,
    /// When the vendor started it, Unix seconds.
    pub started: Option<i64>,
}

impl ListQuery {
    /// Adds the conditions to the list's URL.
    pub(super) fn apply(&self, url: &mut Url) {
        let mut query = url.query_pairs_mut();
        if let Some(call_sid) = &self.call_sid {
            query.append_pair("dynamic_variable_params", &format!("call_sid:eq:{call_sid}"));
        }
        if let Some(user_id) = &self.user_id {
            query.append_pair("user_id", user_id);
        }
        if let Some(after) = self.started_after {
            query.append_pair("call_start_after_unix", &after.to_string());
        }
        if let Some(before) = self.started_before {
            query.append_pair("call_start_before_unix", &before.to_string());
        }
        query.append_pair("page_size", "100");
        if let Some(cursor) = &self.cursor {
            query.append_pair("cursor", cursor);
        }
    }
}

/// Reads a conversation. Anything that is missing or of another type than documented counts as not said; only what is no
/// conversation at all is an error.
pub(super) fn conversation(body: &[u8], key: &ApiKey) -> Result<Conversation, AskError> {
    let wire: Wire = parse(body, key)?;
    let meta = wire.metadata;
    let shown = |text: &str| words::shown(text, key);
    let words = |turn: &&Turn| turn.message.as_deref().is_some_and(|m| !m.trim().is_empty());
    let said = |turn: &&Turn| turn.role.as_deref() == Some("user") && words(turn);
    let call = meta.phone_call.unwrap_or_default();
    Ok(Conversation {
        status: match wire.status.as_str() {
            "done" => ConversationStatus::Done,
            "failed" => ConversationStatus::Failed,
            _ => ConversationStatus::Running,
        },
        call_result: call.call_result,
        duration: meta.call_duration_secs.map_or(Duration::ZERO, Duration::from_secs),
        termination_reason: meta.termination_reason.as_deref().map(shown).unwrap_or_default(),
        error: meta.error.map(|e| shown(&format!("{} {}", e.code.unwrap_or_default(), e.reason.unwrap_or_default()))),
        user_messages: wire
            .user_message_count
            .unwrap_or_else(|| u32::try_from(wire.transcript.iter().filter(said).count()).unwrap_or(u32::MAX)),
        call_sid: wire
            .conversation_initiation_client_data
            .and_then(|data| data.dynamic_variables)
            .and_then(|variables| variables.call_sid)
            // It goes out as both.
            .or(wire.user_id)
            .filter(|sid| is_id(sid)),
        provider_call_sid: call.call_sid.or(call.call_id).filter(|sid| is_id(sid)),
        called: call.external_number,
        transcript: wire
            .transcript
            .iter()
            .filter(words)
            .take(MAX_TURNS)
            .map(|turn| dialing::Turn {
                role: if turn.role.as_deref() == Some("user") { "user" } else { "agent" }.to_owned(),
                message: words::shown_up_to(TURN, turn.message.as_deref().unwrap_or_default(), key),
            })
            .collect(),
        summary: wire.analysis.and_then(|a| a.transcript_summary).map(|text| words::shown_up_to(SUMMARY, &text, key)),
        started: meta.start_time_unix_secs,
    })
}

/// Reads a page. A row without a usable id is left out.
pub(super) fn page(body: &[u8], key: &ApiKey) -> Result<Page, AskError> {
    let wire: WirePage = parse(body, key)?;
    let row = |row: WireRow| {
        Some(Row { conversation_id: row.conversation_id.filter(|id| is_id(id))?, started: row.start_time_unix_secs })
    };
    let next = wire.next_cursor.filter(|cursor| wire.has_more && !cursor.is_empty());
    if wire.has_more && next.is_none() {
        return Err(AskError::Transient("HTTP 200, but it does not say where the list goes on".to_owned()));
    }
    Ok(Page { rows: wire.conversations.into_iter().filter_map(row).collect(), next, date: None })
}

fn parse<T: DeserializeOwned>(body: &[u8], key: &ApiKey) -> Result<T, AskError> {
    serde_json::from_slice(body).map_err(|why| AskError::Transient(words::unreadable(body, &why, key)))
}

#[derive(Deserialize)]
struct Wire {
    status: String,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default, deserialize_with = "lenient")]
    analysis: Option<Analysis>,
    #[serde(default, deserialize_with = "lenient")]
    user_message_count: Option<u32>,
    #[serde(default)]
    transcript: Vec<Turn>,
    #[serde(default, deserialize_with = "lenient")]
    conversation_initiation_client_data: Option<ClientData>,
    #[serde(default, deserialize_with = "lenient")]
    user_id: Option<String>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default, deserialize_with = "lenient")]
    start_time_unix_secs: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    call_duration_secs: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    termination_reason: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    error: Option<WireError>,
    #[serde(default, deserialize_with = "lenient")]
    phone_call: Option<PhoneCall>,
}

#[derive(Deserialize)]
struct WireError {
    #[serde(default, deserialize_with = "lenient")]
    code: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct PhoneCall {
    #[serde(default, deserialize_with = "lenient")]
    call_result: Option<CallResult>,
    #[serde(default, deserialize_with = "lenient")]
    external_number: Option<String>,
    /// The telephone provider's.
    #[serde(default, deserialize_with = "lenient")]
    call_sid: Option<String>,
    /// Of a SIP trunk.
    #[serde(default, deserialize_with = "lenient")]
    call_id: Option<String>,
}

#[derive(Deserialize)]
struct Analysis {
    #[serde(default, deserialize_with = "lenient")]
    transcript_summary: Option<String>,
}

#[derive(Deserialize)]
struct Turn {
    role: Option<String>,
    message: Option<String>,
}

#[derive(Deserialize)]
struct ClientData {
    #[serde(default, deserialize_with = "lenient")]
    dynamic_variables: Option<Variables>,
}

#[derive(Deserialize)]
struct Variables {
    #[serde(default, deserialize_with = "lenient")]
    call_sid: Option<String>,
}

#[derive(Deserialize)]
struct WirePage {
    conversations: Vec<WireRow>,
    #[serde(default, deserialize_with = "lenient")]
    next_cursor: Option<String>,
    #[serde(default)]
    has_more: bool,
}

#[derive(Deserialize)]
struct WireRow {
    #[serde(default, deserialize_with = "lenient")]
    conversation_id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    start_time_unix_secs: Option<i64>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(json: &str) -> Result<Conversation, AskError> {
        conversation(json.as_bytes(), &ApiKey::new("sk_0123456789abcdef").unwrap())
    }

    #[test]
    fn a_whole_conversation_is_read() {
        let json = r#"{"agent_id":"a","conversation_id":"conv_1","status":"done","user_message_count":2,
            "metadata":{"start_time_unix_secs":1763569135,"call_duration_secs":42,"termination_reason":"Call ended by +12125550123",
              "error":{"code":1011,"reason":"lost"},"phone_call":{"type":"twilio","call_result":"answered","external_number":"+12125550123"}},
            "analysis":{"call_successful":"success","transcript_summary":"The driver is with the trailer."},
            "conversation_initiation_client_data":{"dynamic_variables":{"call_sid":"EL_DR001_1","system__x":1}},
            "transcript":[{"role":"agent","message":"hi","time_in_call_secs":0}],"has_audio":false,"has_user_audio":false,"has_response_audio":false}"#;
        assert_eq!(
            read(json).unwrap(),
            Conversation {
                status: ConversationStatus::Done,
                call_result: Some(CallResult::Answered),
                duration: Duration::from_secs(42),
                termination_reason: "Call ended by +******".to_owned(),
                error: Some("1011 lost".to_owned()),
                user_messages: 2,
                call_sid: Some("EL_DR001_1".to_owned()),
                provider_call_sid: None,
                called: Some("+12125550123".to_owned()),
                transcript: vec![dialing::Turn { role: "agent".to_owned(), message: "hi".to_owned() }],
                summary: Some("The driver is with the trailer.".to_owned()),
                started: Some(1_763_569_135),
            }
        );
    }

    #[test]
    fn what_is_missing_or_odd_counts_as_not_said() {
        let json = r#"{"status":"paused","metadata":{"call_duration_secs":"long","phone_call":{"call_result":"eaten"},"error":null},
            "analysis":null,"user_message_count":null,"conversation_initiation_client_data":{"dynamic_variables":{"call_sid":7}},
            "transcript":[{"role":"user","message":"yes"},{"role":"user","message":" "},{"role":"user","message":null},{"role":"agent","message":"x"}]}"#;
        let read_ = read(json).unwrap();
        assert_eq!((read_.status, read_.call_result, read_.duration), (ConversationStatus::Running, None, Duration::ZERO));
        assert_eq!((read_.user_messages, read_.call_sid, read_.error, read_.started), (1, None, None, None));
        for no_conversation in ["{}", "[]", "", "<html>", r#"{"status":7}"#] {
            assert!(matches!(read(no_conversation), Err(AskError::Transient(_))), "{no_conversation}");
        }
    }

    #[test]
    fn of_what_was_said_only_so_much_is_kept() {
        let turn = json!({"role": "user", "message": "word ".repeat(10_000)});
        let long = json!({
            "status": "done", "transcript": vec![turn; 1_000], "analysis": {"transcript_summary": "word ".repeat(10_000)},
        });
        let read = read(&long.to_string()).unwrap();
        assert_eq!((read.transcript.len(), read.user_messages), (40, 1_000));
        let longest = read.transcript.iter().map(|turn| turn.message.chars().count()).max();
        assert!(longest <= Some(301), "300 and the sign that it was cut: {longest:?}");
        assert!(read.summary.is_some_and(|summary| summary.chars().count() <= 1_001));
    }

    #[test]
    fn a_page_ends_where_the_vendor_says_so() {
        let key = ApiKey::new("k").unwrap();
        let read = |json: &str| page(json.as_bytes(), &key).unwrap();
        let more = read(
            r#"{"conversations":[{"conversation_id":"conv_1","start_time_unix_secs":5},{"conversation_id":"../x"}],"next_cursor":"c","has_more":true}"#,
        );
        assert_eq!(
            more,
            Page {
                rows: vec![Row { conversation_id: "conv_1".to_owned(), started: Some(5) }],
                next: Some("c".to_owned()),
                date: None,
            }
        );
        assert_eq!(read(r#"{"conversations":[],"next_cursor":"c","has_more":false}"#).next, None);
        let lost = page(br#"{"conversations":[],"next_cursor":null,"has_more":true}"#, &key);
        assert!(matches!(lost, Err(AskError::Transient(_))), "a list that breaks off is no proof of anything: {lost:?}");
    }
}
