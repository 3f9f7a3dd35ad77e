//! Whatever the vendor echoes, nothing that is shown has the API key or a whole telephone number in it.

mod vendor;

use std::fmt::Debug;

use gladhand::elevenlabs::{Agent, AgentDraft, ConversationDetail, ConversationSummary, ListQuery, Utterance};
use gladhand::standin;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use vendor::{Raw, Then, answer, client, order};

fn assert_private(shown: &impl Debug) {
    let text = format!("{shown:?}");
    for secret in [standin::KEY, "923282828885", "3282828885", "923282828886", "328-282-8885"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn an_answer_that_repeats_the_request_shows_neither_key_nor_number() {
    for status in [200, 302, 400, 401, 403, 404, 408, 422, 429, 500, 503] {
        let raw = Raw::start([Then::Echo(status), Then::Echo(status), Then::Echo(status)]).await;
        let client = client(&raw.url);
        let verdict = client.place(&order()).await;
        assert!(raw.requests()[0].contains(standin::KEY) && raw.requests()[0].contains("+923282828885"), "nothing to hide");
        assert_private(&verdict);
        assert_private(&client.conversation("conv_1").await);
        assert_private(&client.conversations(&ListQuery::default()).await);
    }
}

#[tokio::test]
async fn the_words_of_success_and_of_a_conversation_are_no_exception() {
    let words = format!("cannot dial +92 (328) 282-8885 or 328-282-8885 with {}", standin::KEY);
    let refused = format!(r#"{{"success":false,"message":"{words}"}}"#);
    let html = format!("200 for {words}");
    let conversation = format!(
        r#"{{"status":"failed","metadata":{{"termination_reason":"{words}","error":{{"code":1,"reason":"{words}"}}}},
            "analysis":{{"transcript_summary":"{words}"}}}}"#
    );
    let raw = Raw::start([&refused, &html, &conversation].map(|body| Then::Write(answer("200 OK", "", body)))).await;
    let client = client(&raw.url);
    assert_private(&client.place(&order()).await);
    assert_private(&client.place(&order()).await);
    let read = client.conversation("conv_1").await.unwrap();
    assert_eq!(read.termination_reason, "cannot dial +****** or ****** with ***");
    assert_private(&read);
    assert_private(&client);
    assert_private(&order());
}

#[test]
fn debug_leaves_out_what_was_said_and_is_to_be_said() {
    fn shown<T: DeserializeOwned + Debug>(value: &Value) -> String {
        format!("{:?}", serde_json::from_value::<T>(value.clone()).unwrap())
    }
    let said = json!({"role": "user", "message": "call +923282828885", "tool_calls": ["+923282828885"]});
    let conversation = json!({
        "conversation_id": "conv_1", "agent_id": "agent_1", "status": "done", "user_id": "+923282828885", "transcript": [said],
        "metadata": {"phone_call": {"external_number": "+923282828885"}}, "analysis": {"transcript_summary": "+923282828885"},
        "conversation_initiation_client_data": {"dynamic_variables": {"transfer_to": "+923282828885"}},
        "transcript_summary": "+923282828885", "visited": "+923282828885",
    });
    let agent = json!({
        "agent_id": "agent_1", "name": "+923282828885", "conversation_config": {"agent": {"prompt": "+923282828885"}},
        "platform_settings": {"to": "+923282828885"}, "tags": ["+923282828885"], "phone_numbers": ["+923282828885"],
    });
    let all = [
        shown::<ConversationDetail>(&conversation),
        shown::<ConversationSummary>(&conversation),
        shown::<Utterance>(&said),
        shown::<Agent>(&agent),
        shown::<AgentDraft>(&agent),
    ];
    for text in &all {
        assert_private(text);
    }
    assert!(all[0].contains("conv_1") && all[1].contains("conv_1") && all[3].contains("agent_1"), "{all:?}");
}
