//! `/v1/convai/agents`: the agents that speak.
//!
//! What an agent is made of grows with every release of the vendor, so its parts stay JSON as they came: whoever reads an
//! agent and writes it back loses nothing that is not known here.

use core::fmt;

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::client::Client;
use super::endpoint::Endpoint;
use super::error::Error;
use super::lenient::lenient;
use super::pages::{List, Pages, Query};

const PATH: &str = "/v1/convai/agents";
const ONE: &str = "/v1/convai/agents/{id}";

/// An agent. Debug leaves out what it is to say.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// The vendor's id.
    pub agent_id: String,
    /// As the console shows it.
    #[serde(default)]
    pub name: String,
    /// `agent`, `asr`, `turn`, `tts`, `conversation` and whatever else there is.
    #[serde(default)]
    pub conversation_config: Value,
    /// Evaluation, data collection, limits, privacy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_settings: Option<Value>,
    /// Labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// All else that the vendor says of it.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// What an agent is to be. What is `None` is left out: a new agent gets the vendor's default, an existing one keeps what it has.
/// Debug leaves out what it is to say.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentDraft {
    /// Required for a new agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_config: Option<Value>,
    /// See [`Agent::platform_settings`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform_settings: Option<Value>,
    /// As the console shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// Other parts, such as `workflow`.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// An agent in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentSummary {
    /// The vendor's id.
    pub agent_id: String,
    /// As the console shows it.
    #[serde(default)]
    pub name: String,
    /// Labels.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Unix seconds.
    #[serde(default, deserialize_with = "lenient")]
    pub created_at_unix_secs: Option<i64>,
    /// Unix seconds.
    #[serde(default, deserialize_with = "lenient")]
    pub updated_at_unix_secs: Option<i64>,
    /// Put aside.
    #[serde(default, deserialize_with = "lenient")]
    pub archived: Option<bool>,
    /// All else that the vendor says of it.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Which agents to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentsQuery {
    /// A part of the name.
    pub search: Option<String>,
    /// Whether those that are put aside are wanted; `None`: as the vendor sees fit.
    pub archived: Option<bool>,
    /// Rows in a page, 1 to 100.
    pub page_size: Option<u32>,
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent").field("agent_id", &self.agent_id).finish_non_exhaustive()
    }
}

impl fmt::Debug for AgentDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentDraft").finish_non_exhaustive()
    }
}

impl List for AgentsQuery {
    type Item = AgentSummary;
    const ENDPOINT: Endpoint = Endpoint::AgentsList;
    const PATH: &str = PATH;
    const ROWS: &str = "agents";

    fn query(&self) -> Query {
        let mut query = Query::new();
        query.extend(self.page_size.map(|size| ("page_size", size.to_string())));
        query.extend(self.search.iter().map(|text| ("search", text.clone())));
        query.extend(self.archived.map(|archived| ("archived", archived.to_string())));
        query
    }
}

impl Client {
    /// The account's agents.
    #[must_use]
    pub fn list_agents(&self, query: AgentsQuery) -> Pages<'_, AgentsQuery> {
        Pages::new(&self.http, query)
    }

    /// One agent, whole.
    ///
    /// # Errors
    /// [`NotFound`](super::ErrorKind::NotFound) when there is none of this id, or as for every request.
    pub async fn get_agent(&self, agent_id: &str) -> Result<Agent, Error> {
        let url = self.http.url_of(Endpoint::AgentGet, ONE, agent_id)?;
        self.http.get_json(Endpoint::AgentGet, url).await
    }

    /// Makes an agent, and says which.
    ///
    /// # Errors
    /// As for every request; after [`was_maybe_placed`](Error::was_maybe_placed) look for it by name before another attempt.
    pub async fn create_agent(&self, draft: &AgentDraft) -> Result<String, Error> {
        #[derive(Deserialize)]
        struct Created {
            agent_id: String,
        }
        let url = self.http.url(&format!("{PATH}/create"));
        let created: Created = self.http.send_json(Endpoint::AgentCreate, Method::POST, url, draft).await?;
        Ok(created.agent_id)
    }

    /// Changes what the draft names, and hands back the whole agent. Objects are merged by the vendor, lists are replaced.
    ///
    /// # Errors
    /// As for [`get_agent`](Self::get_agent).
    pub async fn update_agent(&self, agent_id: &str, draft: &AgentDraft) -> Result<Agent, Error> {
        let url = self.http.url_of(Endpoint::AgentUpdate, ONE, agent_id)?;
        self.http.send_json(Endpoint::AgentUpdate, Method::PATCH, url, draft).await
    }

    /// Deletes an agent. Its conversations stay.
    ///
    /// # Errors
    /// As for [`get_agent`](Self::get_agent).
    pub async fn delete_agent(&self, agent_id: &str) -> Result<(), Error> {
        let url = self.http.url_of(Endpoint::AgentDelete, ONE, agent_id)?;
        self.http.send(Endpoint::AgentDelete, self.http.request(Method::DELETE, url)).await.map(drop)
    }
}
