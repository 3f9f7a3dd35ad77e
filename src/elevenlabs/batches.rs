//! `/v1/convai/batch-calling`: many calls that the vendor places by itself.
//!
//! gladhand's own queue does not use it: a batch knows no outbox, no quiet hours and no rejoining.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::client::Client;
use super::endpoint::Endpoint;
use super::error::{Error, ErrorKind};
use super::lenient::lenient;
use super::outbound_call::{ClientData, TelephonyCallConfig};

/// The vendor takes no more recipients in one batch.
const RECIPIENTS: usize = 10_000;

/// What a batch is to be.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BatchDraft {
    /// As the console shows it.
    pub call_name: String,
    /// Who speaks.
    pub agent_id: String,
    /// Who is called, 10,000 at most.
    pub recipients: Vec<Recipient>,
    /// Over which number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_phone_number_id: Option<String>,
    /// Not before this, Unix seconds; `None`: now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled_time_unix: Option<i64>,
    /// Ringing and recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telephony_call_config: Option<TelephonyCallConfig>,
    /// The most calls at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_concurrency_limit: Option<u32>,
}

/// Who is called in a batch, or how that stands. Debug leaves the number out.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Recipient {
    /// In E.164.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// What the call is begun with.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub conversation_initiation_client_data: Option<ClientData>,
    /// The vendor's, in an answer.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// In an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<RecipientStatus>,
    /// The call that it became, in an answer.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<String>,
}

/// How the call of a recipient stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the vendor's words")]
pub enum RecipientStatus {
    Pending,
    Dispatched,
    Initiated,
    InProgress,
    Completed,
    Failed,
    Cancelled,
    Voicemail,
    /// One that is not known here.
    #[serde(untagged)]
    Other(String),
}

/// A batch.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Batch {
    /// The vendor's id.
    pub id: String,
    /// As the console shows it.
    #[serde(default)]
    pub name: String,
    /// Who speaks.
    #[serde(default)]
    pub agent_id: String,
    /// How it stands.
    pub status: BatchStatus,
    /// Calls that have left.
    #[serde(default, deserialize_with = "lenient")]
    pub total_calls_dispatched: Option<u64>,
    /// Calls in all.
    #[serde(default, deserialize_with = "lenient")]
    pub total_calls_scheduled: Option<u64>,
    /// Calls that are over.
    #[serde(default, deserialize_with = "lenient")]
    pub total_calls_finished: Option<u64>,
    /// Each of them; none in the answer to [`Client::submit_batch`].
    #[serde(default)]
    pub recipients: Vec<Recipient>,
    /// All else that the vendor says of it.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// How a batch stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the vendor's words")]
pub enum BatchStatus {
    Pending,
    InProgress,
    Completed,
    Failed,
    Cancelled,
    /// One that is not known here.
    #[serde(untagged)]
    Other(String),
}

impl core::fmt::Debug for Recipient {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { id, status, conversation_id, .. } = self;
        f.debug_struct("Recipient")
            .field("id", id)
            .field("status", status)
            .field("conversation_id", conversation_id)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Has all of them called, once.
    ///
    /// # Errors
    /// As for every request; after [`was_maybe_placed`](Error::was_maybe_placed) their telephones may be ringing.
    pub async fn submit_batch(&self, draft: &BatchDraft) -> Result<Batch, Error> {
        if !(1..=RECIPIENTS).contains(&draft.recipients.len()) {
            let why = format!("a batch has 1 to {RECIPIENTS} recipients");
            return Err(Error::new(Endpoint::BatchSubmit, ErrorKind::Invalid, why));
        }
        let url = self.http.url("/v1/convai/batch-calling/submit");
        self.http.send_json(Endpoint::BatchSubmit, Method::POST, url, draft).await
    }

    /// How a batch stands.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when there is none of this id, or as for every request.
    pub async fn get_batch(&self, id: &str) -> Result<Batch, Error> {
        let url = self.http.url_of(Endpoint::BatchGet, "/v1/convai/batch-calling/{id}", id)?;
        self.http.get_json(Endpoint::BatchGet, url).await
    }
}
