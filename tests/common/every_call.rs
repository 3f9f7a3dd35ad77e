//! Every request that our client makes of the vendor, once, in an account that has nothing.
#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "a call that fails, fails its test")]

use gladhand::elevenlabs::{
    AgentDraft, AgentsQuery, BatchDraft, Client, ClientData, ConversationsQuery, Direction, DocumentsQuery, OutboundCall,
    Recipient, RegisterCall, Route, Status, TelephonyCallConfig, TwilioNumber, VariableIs,
};
use serde_json::{Value, json};

/// Names what was called, in order, as the vendor's SDK names it.
pub async fn every_call(client: &Client) -> Vec<&'static str> {
    let mut made = vec!["phone_numbers.create", "twilio.register_call"];
    let (number, token) = ("+15551230001", "twilio_token_0123456789");
    let number = TwilioNumber { phone_number: number, label: "gladhand", sid: "AC0123", token };
    client.add_twilio_number(&number).await.unwrap();
    client.register_call(&registered()).await.unwrap();
    every_call_of_the_schema(client, &mut made).await;
    made
}

/// The same without those that the schema has not, or answers with what is no answer.
pub async fn every_call_of_the_schema(client: &Client, made: &mut Vec<&'static str>) {
    let agent = agents(client).await;
    made.extend(["agents.create", "agents.get", "agents.update", "agents.list"]);
    documents(client, made).await;
    assert!(!client.list_phone_numbers().await.unwrap().is_empty());
    made.push("phone_numbers.list");
    let conversation = calls(client, made).await;
    conversations(client, &conversation, made).await;
    batches(client, made).await;
    client.delete_agent(&agent).await.unwrap();
    made.push("agents.delete");
}

pub fn registered() -> RegisterCall {
    RegisterCall {
        agent_id: "agent_1".to_owned(),
        from_number: "+15551230001".to_owned(),
        to_number: "+15551230000".to_owned(),
        direction: Some(Direction::Outbound),
        conversation_initiation_client_data: None,
    }
}

async fn agents(client: &Client) -> String {
    let config = json!({"agent": {"first_message": "Hi {{dispatcher_name}}", "prompt": {"prompt": "{{prompt}}"}}});
    let named = |name: &str| AgentDraft { name: Some(name.to_owned()), ..AgentDraft::default() };
    let agent = client.create_agent(&AgentDraft { conversation_config: Some(config), ..named("gladhand") }).await.unwrap();
    client.get_agent(&agent).await.unwrap();
    client.update_agent(&agent, &named("n2")).await.unwrap();
    client.list_agents(AgentsQuery { page_size: Some(5), ..AgentsQuery::default() }).next().await.unwrap().unwrap();
    agent
}

async fn documents(client: &Client, made: &mut Vec<&'static str>) {
    client.create_document_from_url("https://e.test/x", None).await.unwrap();
    client.create_document_from_text("hello", Some("n")).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.txt");
    std::fs::write(&file, "hello").unwrap();
    let document = client.create_document_from_file(&file, Some("n"), |_, _| {}).await.unwrap().id;
    client.list_documents(DocumentsQuery { page_size: Some(5), ..DocumentsQuery::default() }).next().await.unwrap().unwrap();
    client.get_document(&document).await.unwrap();
    client.delete_document(&document, true).await.unwrap();
    made.extend([
        "knowledge_base.documents.create_from_url",
        "knowledge_base.documents.create_from_text",
        "knowledge_base.documents.create_from_file",
        "knowledge_base.list",
        "knowledge_base.documents.get",
        "knowledge_base.documents.delete",
    ]);
}

async fn calls(client: &Client, made: &mut Vec<&'static str>) -> String {
    let first = OutboundCall {
        agent_id: "agent_5501k9czkv3qepy815bm59nt04qk".to_owned(),
        agent_phone_number_id: "phnum_8401k9ndc950ewza733y8thmpbrx".to_owned(),
        to_number: "+923282828885".to_owned(),
        conversation_initiation_client_data: Some(data(json!({"dynamic_variables": {
            "prompt": "I am seeing and alert that your truck and trailer are not together, are you with your trailer right now?",
            "transfer_to": "+923282828886",
            "call_sid": "call_1763569135457_s11ttbe7g",
            "dispatcher_name": "Aleena ",
        }}))),
        ..OutboundCall::default()
    };
    let conversation = client.outbound_call(Route::Twilio, &first).await.unwrap().conversation_id;
    let plain = OutboundCall {
        agent_id: "agent_1".to_owned(),
        agent_phone_number_id: "phnum_1".to_owned(),
        to_number: "+15551230000".to_owned(),
        ..OutboundCall::default()
    };
    let all = OutboundCall {
        conversation_initiation_client_data: Some(data(json!({
            "user_id": "gladhand:viol-1",
            "dynamic_variables": {"call_sid": "call_1", "n": 1, "f": 1.5, "b": true, "z": null},
            "conversation_config_override": {
                "agent": {"first_message": "hi", "language": "en"}, "conversation": {"max_duration_seconds": 300},
            },
            "branch_id": null,
        }))),
        call_recording_enabled: Some(false),
        telephony_call_config: Some(TelephonyCallConfig { ringing_timeout_secs: Some(30), ..TelephonyCallConfig::default() }),
        ..plain.clone()
    };
    client.outbound_call(Route::Twilio, &all).await.unwrap();
    client.outbound_call(Route::SipTrunk, &plain).await.unwrap();
    made.extend(["twilio.outbound_call", "twilio.outbound_call+all", "sip_trunk.outbound_call"]);
    conversation
}

async fn conversations(client: &Client, conversation: &str, made: &mut Vec<&'static str>) {
    assert!(!client.signed_url("agent_1").await.unwrap().expose().is_empty());
    let query = ConversationsQuery {
        agent_id: Some("agent_1".to_owned()),
        started_before: Some(1_763_569_735),
        started_after: Some(1_763_569_135),
        has_feedback_comment: Some(false),
        user_id: Some("gladhand:viol-1".to_owned()),
        variables: vec![
            VariableIs::Equal("call_sid".to_owned(), "call_1".to_owned()),
            VariableIs::OneOf("x".to_owned(), vec!["a".to_owned(), "b".to_owned()]),
        ],
        phone_number_ids: vec!["phnum_1".to_owned()],
        page_size: Some(100),
        summaries: Some(false),
        exclude_statuses: vec![Status::Done, Status::Failed],
        oldest_first: Some(true),
        ..ConversationsQuery::default()
    };
    client.list_conversations(query).next().await.unwrap();
    client.get_conversation(conversation).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    assert!(client.download_audio(conversation, &directory.path().join("a.mp3"), |_, _| {}).await.unwrap() > 0);
    client.delete_conversation(conversation).await.unwrap();
    made.extend([
        "conversations.get_signed_url",
        "conversations.list",
        "conversations.get",
        "conversations.audio.get",
        "conversations.delete",
    ]);
}

async fn batches(client: &Client, made: &mut Vec<&'static str>) {
    let draft = BatchDraft {
        call_name: "b".to_owned(),
        agent_id: "agent_1".to_owned(),
        agent_phone_number_id: Some("phnum_1".to_owned()),
        recipients: vec![Recipient {
            phone_number: Some("+15551230000".to_owned()),
            conversation_initiation_client_data: Some(data(json!({"dynamic_variables": {"prompt": "p"}}))),
            ..Recipient::default()
        }],
        ..BatchDraft::default()
    };
    let batch = client.submit_batch(&draft).await.unwrap().id;
    client.get_batch(&batch).await.unwrap();
    made.extend(["batch_calls.create", "batch_calls.get"]);
}

fn data(value: Value) -> ClientData {
    serde_json::from_value(value).unwrap()
}
