//! A second opinion: the vendor's own Python SDK, pointed at the stand-in, puts the same call on the wire, and reads the
//! stand-in's conversations into its own types.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod sdk;
mod vendor;

use std::time::Duration;

use gladhand::core::calls::dialing::{CallResult, ConversationStatus, Verdict};
use gladhand::elevenlabs::{ApiKey, Client, ListQuery, Route, Settings};
use gladhand::standin::{self, Life, StandIn};
use serde_json::{Value, json};
use vendor::{order, settings};

#[tokio::test]
async fn the_vendor_s_own_client_sends_and_reads_the_same() {
    for route in [Route::Twilio, Route::SipTrunk] {
        let stand_in = StandIn::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let over_at_once = Life { ringing: Duration::ZERO, talking: Duration::ZERO, ..Life::default() };
        stand_in.set_life(over_at_once);
        let settings = Settings { route, ..settings(&stand_in.base_url()) };
        let client = Client::new(&settings, ApiKey::new(standin::KEY).unwrap()).unwrap();
        let Verdict::Placed { conversation_id: ours, .. } = client.place(&order()).await else { panic!("not placed") };

        let told = sdk(&settings).await;
        let posts = stand_in.posts();
        assert_eq!(posts.len(), 2);
        let [our, their] = [0, 1].map(|n| serde_json::from_str::<Value>(&posts[n].body).unwrap());
        assert_eq!(our, their);
        assert_eq!((&posts[0].path, &posts[0].headers["content-type"]), (&posts[1].path, &posts[1].headers["content-type"]));
        assert!(posts[1].headers["user-agent"].starts_with("elevenlabs/"), "not the SDK: {:?}", posts[1].headers);

        let theirs = told["placed"]["conversation_id"].as_str().unwrap();
        assert_eq!(told["placed"]["success"], true);
        assert_eq!(told["listed"], json!([theirs, ours]), "what the SDK lists, by the variable and by the user");
        let by_sid = ListQuery { call_sid: Some(order().call_sid), ..ListQuery::default() };
        let rows = client.conversations(&by_sid).await.unwrap().rows;
        assert_eq!(rows.iter().map(|row| row.conversation_id.as_str()).collect::<Vec<_>>(), [theirs, ours.as_str()]);

        let read = client.conversation(theirs).await.unwrap();
        assert_eq!((read.status, read.call_result), (ConversationStatus::Done, Some(CallResult::Answered)));
        let as_we_read = json!({
            "status": "done", "call_result": "answered", "call_sid": read.call_sid, "duration": read.duration.as_secs(),
            "termination_reason": read.termination_reason, "user_messages": read.user_messages, "summary": read.summary,
            "started": read.started,
        });
        assert_eq!(told["read"], as_we_read);
        stand_in.stop().await;
    }
}

/// Runs `vendor_sdk.py` with what our own client was given.
async fn sdk(settings: &Settings) -> Value {
    let order = order();
    let input = json!({
        "base_url": settings.base_url, "api_key": standin::KEY, "agent_id": settings.agent_id,
        "route": settings.route, "agent_phone_number_id": settings.agent_phone_number_id,
        "to_number": order.to.expose(), "user_id": order.call_sid,
        "dynamic_variables": {
            "prompt": order.prompt, "transfer_to": order.transfer_to.as_ref().map(|phone| phone.expose()),
            "call_sid": order.call_sid, "dispatcher_name": order.dispatcher_name, "driver_id": order.driver_id,
        },
    });
    let output = tokio::process::Command::new(sdk::python())
        .args([concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vendor_sdk.py"), &input.to_string()])
        .output()
        .await
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the SDK failed:\n{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}
