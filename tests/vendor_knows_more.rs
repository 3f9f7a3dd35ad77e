//! What the vendor says that is not known here is kept or passed over, never an error.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod vendor;

use gladhand::core::calls::dialing::ConversationStatus;
use gladhand::elevenlabs::{
    AgentsQuery, BatchStatus, Client, ConversationsQuery, DocumentKind, DocumentsQuery, Provider, RecipientStatus, Status,
};
use gladhand::standin::{EndpointFault, StandIn};
use serde_json::{Value, json};

async fn answering(endpoint: &str, body: &Value) -> (StandIn, Client) {
    let stand_in = StandIn::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let fault = json!({"fault": [{"endpoint": endpoint, "body": body.to_string()}]}).to_string();
    stand_in.set_endpoint_faults(EndpointFault::read(&fault).unwrap());
    let client = vendor::client(&stand_in.base_url());
    (stand_in, client)
}

#[tokio::test]
async fn a_conversation_in_a_new_state() {
    let body = json!({
        "conversation_id": "conv_1", "agent_id": "agent_1", "status": "paused", "has_audio": "perhaps", "mood": {"calm": true},
        "metadata": {"start_time_unix_secs": 1, "call_duration_secs": 2, "phone_call": {"type": "satellite", "orbit": 3}},
        "transcript": [{"role": "ghost", "message": null, "time_in_call_secs": 0, "emotion": "calm"}],
    });
    let (_vendor, client) = answering("conversation_get", &body).await;
    let found = client.get_conversation("conv_1").await.unwrap();
    assert_eq!((found.status, found.has_audio), (Status::Other("paused".to_owned()), None));
    assert_eq!((&found.rest["mood"], &found.transcript[0].rest["emotion"]), (&json!({"calm": true}), &json!("calm")));
    let queued = client.conversation("conv_1").await.unwrap();
    assert!(!matches!(queued.status, ConversationStatus::Done | ConversationStatus::Failed), "it goes on: {queued:?}");
    let (_vendor, client) = answering("conversations_list", &json!({"conversations": [body], "facets": []})).await;
    let rows = client.list_conversations(ConversationsQuery::default()).collect(9).await.unwrap();
    assert_eq!((rows.len(), rows[0].status.as_str()), (1, "paused"));
}

#[tokio::test]
async fn an_agent_is_written_back_as_it_came() {
    let body = json!({
        "agent_id": "agent_1", "name": "a", "conversation_config": {"agent": {"soul": [1, null]}, "vad": {"new": 1}},
        "platform_settings": {"x": {"y": 1.5}}, "tags": [], "whatever": {"deep": [{}]},
    });
    let (_vendor, client) = answering("agent_get", &body).await;
    assert_eq!(json!(client.get_agent("agent_1").await.unwrap()), body);
    let list = json!({"agents": [{"agent_id": "agent_1", "created_at_unix_secs": "long ago"}, {"name": "no agent"}]});
    let (_vendor, client) = answering("agents_list", &list).await;
    assert_eq!(client.list_agents(AgentsQuery::default()).collect(9).await.unwrap().len(), 1, "what has no id is no agent");
}

#[tokio::test]
async fn documents_numbers_and_batches_of_new_kinds() {
    let (_vendor, client) =
        answering("knowledge_list", &json!({"documents": [{"id": "doc_1", "type": "film", "reels": 3}]})).await;
    let rows = client.list_documents(DocumentsQuery::default()).collect(9).await.unwrap();
    assert_eq!((&rows[0].kind, &rows[0].rest["reels"]), (&DocumentKind::Other("film".to_owned()), &json!(3)));

    let number = json!({"phone_number_id": "p1", "phone_number": "+12125550123", "label": "", "provider": "pigeon", "loft": 1});
    let (_vendor, client) = answering("phone_numbers_list", &json!([number])).await;
    let numbers = client.list_phone_numbers().await.unwrap();
    assert_eq!((&numbers[0].provider, numbers[0].provider.route()), (&Provider::Other("pigeon".to_owned()), None));

    let batch = json!({"id": "b1", "status": "resting", "recipients": [{"id": "r1", "status": "asleep"}], "pace": 1});
    let (_vendor, client) = answering("batch_get", &batch).await;
    let batch = client.get_batch("b1").await.unwrap();
    assert_eq!((batch.status, &batch.rest["pace"]), (BatchStatus::Other("resting".to_owned()), &json!(1)));
    assert_eq!(batch.recipients[0].status, Some(RecipientStatus::Other("asleep".to_owned())));
}
