//! `/v1/convai/conversations`: what was talked about, for people; what the queue needs of it is in `outcome`.

use core::fmt;

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::client::Client;
use super::endpoint::Endpoint;
use super::error::Error;
use super::lenient::lenient;
use super::pages::{List, Pages, Query};

const PATH: &str = "/v1/convai/conversations";
const ONE: &str = "/v1/convai/conversations/{id}";

/// Which conversations to list. Conditions that are `None` or empty are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConversationsQuery {
    /// Of this agent.
    pub agent_id: Option<String>,
    /// With this `user_id`; gladhand sends the `call_sid` as such.
    pub user_id: Option<String>,
    /// With these dynamic variables.
    pub variables: Vec<VariableIs>,
    /// Started after this, Unix seconds.
    pub started_after: Option<i64>,
    /// Started before this, Unix seconds.
    pub started_before: Option<i64>,
    /// At least so long, seconds.
    pub at_least_secs: Option<u32>,
    /// At most so long, seconds.
    pub at_most_secs: Option<u32>,
    /// The verdict of the vendor's model: `success`, `failure`, `unknown`.
    pub call_successful: Option<String>,
    /// Over these numbers.
    pub phone_number_ids: Vec<String>,
    /// Begun by `twilio`, `sip_trunk` and so on.
    pub initiated_by: Option<String>,
    /// Not in these states.
    pub exclude_statuses: Vec<Status>,
    /// Ended for these reasons.
    pub termination_reasons: Vec<String>,
    /// With a comment or without.
    pub has_feedback_comment: Option<bool>,
    /// With these words.
    pub search: Option<String>,
    /// Whether rows carry summaries; `None`: they do not.
    pub summaries: Option<bool>,
    /// Oldest first; `None`: newest first.
    pub oldest_first: Option<bool>,
    /// Rows in a page, 1 to 100.
    pub page_size: Option<u32>,
}

/// A condition on a dynamic variable. `name` has no `:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VariableIs {
    /// This, and no other; empty: it is not set.
    Equal(String, String),
    /// One of these, which have no `|`.
    OneOf(String, Vec<String>),
}

/// A conversation in a list. Debug leaves out what was said.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ConversationSummary {
    /// The vendor's id.
    pub conversation_id: String,
    /// Who spoke.
    #[serde(default)]
    pub agent_id: String,
    /// How it stands.
    pub status: Status,
    /// Unix seconds.
    #[serde(default, deserialize_with = "lenient")]
    pub start_time_unix_secs: Option<i64>,
    /// Length in seconds.
    #[serde(default, deserialize_with = "lenient")]
    pub call_duration_secs: Option<u64>,
    /// Turns.
    #[serde(default, deserialize_with = "lenient")]
    pub message_count: Option<u64>,
    /// The verdict of the vendor's model, which is no proof.
    #[serde(default, deserialize_with = "lenient")]
    pub call_successful: Option<String>,
    /// In a sentence or two, when asked for.
    #[serde(default, deserialize_with = "lenient")]
    pub transcript_summary: Option<String>,
    /// All else that the vendor says of it.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A conversation, whole. It holds what people said: nothing of it belongs into a log, and Debug leaves it out.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ConversationDetail {
    /// The vendor's id.
    pub conversation_id: String,
    /// Who spoke.
    #[serde(default)]
    pub agent_id: String,
    /// How it stands.
    pub status: Status,
    /// `start_time_unix_secs`, `call_duration_secs`, `termination_reason`, `phone_call`, `error` and more.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// What was said.
    #[serde(default)]
    pub transcript: Vec<Utterance>,
    /// `transcript_summary`, `evaluation_criteria_results`, `data_collection_results`; `None` until it is processed.
    #[serde(default)]
    pub analysis: Option<Map<String, Value>>,
    /// What the call was begun with, `dynamic_variables` among it.
    #[serde(default)]
    pub conversation_initiation_client_data: Option<Map<String, Value>>,
    /// The `call_sid` of a call of gladhand's.
    #[serde(default, deserialize_with = "lenient")]
    pub user_id: Option<String>,
    /// Whether there is a recording.
    #[serde(default, deserialize_with = "lenient")]
    pub has_audio: Option<bool>,
    /// All else that the vendor says of it.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A turn of a conversation. Debug leaves out what was said.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Utterance {
    /// `agent` or `user`.
    #[serde(default)]
    pub role: String,
    /// In words; `None` where a tool was called.
    #[serde(default, deserialize_with = "lenient")]
    pub message: Option<String>,
    /// Since the beginning.
    #[serde(default, deserialize_with = "lenient")]
    pub time_in_call_secs: Option<f64>,
    /// All else that the vendor says of it.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// How a conversation stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It rings.
    Initiated,
    /// Somebody talks.
    InProgress,
    /// It is over and being analysed.
    Processing,
    /// Final.
    Done,
    /// Final.
    Failed,
    /// One that is not known here; not final.
    #[serde(untagged)]
    Other(String),
}

impl Status {
    /// As the vendor writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Initiated => "initiated",
            Self::InProgress => "in-progress",
            Self::Processing => "processing",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Other(text) => text,
        }
    }
}

impl fmt::Debug for ConversationSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { conversation_id, agent_id, status, .. } = self;
        f.debug_struct("ConversationSummary")
            .field("conversation_id", conversation_id)
            .field("agent_id", agent_id)
            .field("status", status)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ConversationDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { conversation_id, agent_id, status, .. } = self;
        f.debug_struct("ConversationDetail")
            .field("conversation_id", conversation_id)
            .field("agent_id", agent_id)
            .field("status", status)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Utterance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Utterance").field("role", &self.role).finish_non_exhaustive()
    }
}

impl List for ConversationsQuery {
    type Item = ConversationSummary;
    const ENDPOINT: Endpoint = Endpoint::ConversationsList;
    const PATH: &str = PATH;
    const ROWS: &str = "conversations";

    fn query(&self) -> Query {
        let mut query = Query::new();
        query.extend(self.agent_id.iter().map(|id| ("agent_id", id.clone())));
        query.extend(self.call_successful.iter().map(|verdict| ("call_successful", verdict.clone())));
        query.extend(self.started_before.map(|at| ("call_start_before_unix", at.to_string())));
        query.extend(self.started_after.map(|at| ("call_start_after_unix", at.to_string())));
        query.extend(self.at_least_secs.map(|secs| ("call_duration_min_secs", secs.to_string())));
        query.extend(self.at_most_secs.map(|secs| ("call_duration_max_secs", secs.to_string())));
        query.extend(self.has_feedback_comment.map(|has| ("has_feedback_comment", has.to_string())));
        query.extend(self.user_id.iter().map(|id| ("user_id", id.clone())));
        query.extend(self.variables.iter().map(|variable| ("dynamic_variable_params", variable.to_param())));
        query.extend(self.phone_number_ids.iter().map(|id| ("phone_number_ids", id.clone())));
        query.extend(self.page_size.map(|size| ("page_size", size.to_string())));
        query.extend(self.summaries.map(|with| ("summary_mode", if with { "include" } else { "exclude" }.to_owned())));
        query.extend(self.search.iter().map(|text| ("search", text.clone())));
        query.extend(self.initiated_by.iter().map(|source| ("conversation_initiation_source", source.clone())));
        query.extend(self.exclude_statuses.iter().map(|status| ("exclude_statuses", status.as_str().to_owned())));
        query.extend(self.termination_reasons.iter().map(|reason| ("termination_reasons", reason.clone())));
        query.extend(self.oldest_first.map(|oldest| ("sort_direction", if oldest { "asc" } else { "desc" }.to_owned())));
        query
    }
}

impl VariableIs {
    fn to_param(&self) -> String {
        match self {
            Self::Equal(name, value) => format!("{name}:eq:{value}"),
            Self::OneOf(name, values) => format!("{name}:in:{}", values.join("|")),
        }
    }
}

impl Client {
    /// The account's conversations.
    #[must_use]
    pub fn list_conversations(&self, query: ConversationsQuery) -> Pages<'_, ConversationsQuery> {
        Pages::new(&self.http, query)
    }

    /// One conversation, whole.
    ///
    /// # Errors
    /// [`NotFound`](super::ErrorKind::NotFound) when there is none of this id, or as for every request.
    pub async fn get_conversation(&self, conversation_id: &str) -> Result<ConversationDetail, Error> {
        let url = self.http.url_of(Endpoint::ConversationGet, ONE, conversation_id)?;
        self.http.get_json(Endpoint::ConversationGet, url).await
    }

    /// Deletes a conversation with its recording.
    ///
    /// # Errors
    /// As for [`get_conversation`](Self::get_conversation).
    pub async fn delete_conversation(&self, conversation_id: &str) -> Result<(), Error> {
        let url = self.http.url_of(Endpoint::ConversationDelete, ONE, conversation_id)?;
        self.http.send(Endpoint::ConversationDelete, self.http.request(Method::DELETE, url)).await.map(drop)
    }
}
