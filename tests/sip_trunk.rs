//! With `route = "sip-trunk"` the queue calls over the trunk, and keeps the trunk's id of the call. Health counts what the vendor
//! was asked.

#[path = "common/daemon.rs"]
mod daemon;

use daemon::{Gateway, Setup};

#[tokio::test]
async fn the_queue_calls_over_the_trunk() {
    let mut gateway = Gateway::prepare(Setup::default()).await;
    let config = gateway.read("gladhand.toml").replace("[elevenlabs]\n", "[elevenlabs]\nroute = \"sip-trunk\"\n");
    gateway.write("gladhand.toml", &config);
    gateway.launch().await;
    gateway.play().await;
    let ended = gateway.watch.message("the call's end", |said| said.call("concluded")).await;
    assert_eq!(ended.text("/outcome"), "answered");

    let (posts, calls) = (gateway.vendor.posts(), gateway.vendor.conversations());
    assert_eq!((posts.len(), posts[0].path.as_str()), (1, "/v1/convai/sip-trunk/outbound-call"));
    assert_eq!(ended.text("/twilio_call_sid"), calls[0].provider_call_sid);
    let asked = gateway.json(&["status"]).await["vendor"].clone();
    assert_eq!(asked["outbound_call"], serde_json::json!({"requests": 1}), "{asked}");
    assert!(asked["conversation_get"]["requests"].as_u64() > Some(0), "{asked}");
}
