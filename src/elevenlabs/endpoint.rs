//! What can be asked of the vendor, and how often it was: one counter for each endpoint, none for each id.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::core::health::Asked;

/// One method of one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// `POST /v1/convai/{twilio|sip-trunk}/outbound-call`
    OutboundCall,
    /// `POST /v1/convai/twilio/register-call`
    RegisterCall,
    /// `GET /v1/convai/conversation/get-signed-url`
    SignedUrl,
    /// `GET /v1/convai/conversations`
    ConversationsList,
    /// `GET /v1/convai/conversations/{id}`
    ConversationGet,
    /// `DELETE /v1/convai/conversations/{id}`
    ConversationDelete,
    /// `GET /v1/convai/conversations/{id}/audio`
    ConversationAudio,
    /// `GET /v1/convai/agents`
    AgentsList,
    /// `POST /v1/convai/agents/create`
    AgentCreate,
    /// `GET /v1/convai/agents/{id}`
    AgentGet,
    /// `PATCH /v1/convai/agents/{id}`
    AgentUpdate,
    /// `DELETE /v1/convai/agents/{id}`
    AgentDelete,
    /// `GET /v1/convai/knowledge-base`
    KnowledgeList,
    /// `POST /v1/convai/knowledge-base/{text|url|file}`
    KnowledgeCreate,
    /// `GET /v1/convai/knowledge-base/{id}`
    KnowledgeGet,
    /// `DELETE /v1/convai/knowledge-base/{id}`
    KnowledgeDelete,
    /// `GET /v1/convai/phone-numbers`
    PhoneNumbersList,
    /// `POST /v1/convai/phone-numbers`
    PhoneNumberCreate,
    /// `POST /v1/convai/batch-calling/submit`
    BatchSubmit,
    /// `GET /v1/convai/batch-calling/{id}`
    BatchGet,
}

impl Endpoint {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::OutboundCall,
        Self::RegisterCall,
        Self::SignedUrl,
        Self::ConversationsList,
        Self::ConversationGet,
        Self::ConversationDelete,
        Self::ConversationAudio,
        Self::AgentsList,
        Self::AgentCreate,
        Self::AgentGet,
        Self::AgentUpdate,
        Self::AgentDelete,
        Self::KnowledgeList,
        Self::KnowledgeCreate,
        Self::KnowledgeGet,
        Self::KnowledgeDelete,
        Self::PhoneNumbersList,
        Self::PhoneNumberCreate,
        Self::BatchSubmit,
        Self::BatchGet,
    ];

    /// The name in health, in errors and in a file of faults.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OutboundCall => "outbound_call",
            Self::RegisterCall => "register_call",
            Self::SignedUrl => "signed_url",
            Self::ConversationsList => "conversations_list",
            Self::ConversationGet => "conversation_get",
            Self::ConversationDelete => "conversation_delete",
            Self::ConversationAudio => "conversation_audio",
            Self::AgentsList => "agents_list",
            Self::AgentCreate => "agent_create",
            Self::AgentGet => "agent_get",
            Self::AgentUpdate => "agent_update",
            Self::AgentDelete => "agent_delete",
            Self::KnowledgeList => "knowledge_list",
            Self::KnowledgeCreate => "knowledge_create",
            Self::KnowledgeGet => "knowledge_get",
            Self::KnowledgeDelete => "knowledge_delete",
            Self::PhoneNumbersList => "phone_numbers_list",
            Self::PhoneNumberCreate => "phone_number_create",
            Self::BatchSubmit => "batch_submit",
            Self::BatchGet => "batch_get",
        }
    }

    /// Whether a request may be repeated: it only reads.
    #[must_use]
    pub fn only_reads(self) -> bool {
        match self {
            Self::SignedUrl
            | Self::ConversationsList
            | Self::ConversationGet
            | Self::ConversationAudio
            | Self::AgentsList
            | Self::AgentGet
            | Self::KnowledgeList
            | Self::KnowledgeGet
            | Self::PhoneNumbersList
            | Self::BatchGet => true,
            Self::OutboundCall
            | Self::RegisterCall
            | Self::ConversationDelete
            | Self::AgentCreate
            | Self::AgentUpdate
            | Self::AgentDelete
            | Self::KnowledgeCreate
            | Self::KnowledgeDelete
            | Self::PhoneNumberCreate
            | Self::BatchSubmit => false,
        }
    }
}

/// Requests and failures since the start, for each endpoint that was used. Clones count together.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters(Arc<Mutex<BTreeMap<Endpoint, Asked>>>);

impl Counters {
    /// One request, with the kind of failure when it failed.
    pub fn count(&self, endpoint: Endpoint, failure: Option<&'static str>) {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = counters.entry(endpoint).or_default();
        asked.requests += 1;
        if let Some(kind) = failure {
            *asked.failures.entry(kind.to_owned()).or_default() += 1;
        }
    }

    pub fn read(&self) -> BTreeMap<String, Asked> {
        let counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counters.iter().map(|(endpoint, asked)| (endpoint.name().to_owned(), asked.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_endpoint_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = Endpoint::ALL.iter().map(|endpoint| endpoint.name()).collect();
        assert_eq!(names.len(), Endpoint::ALL.len());
    }
}
