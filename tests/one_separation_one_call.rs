//! A trailer left behind is one violation, one call and one POST, however often the same is reported.

#[path = "common/daemon.rs"]
mod daemon;

use daemon::{Gateway, Setup};
use serde_json::{Value, json};

#[tokio::test]
async fn a_trailer_left_behind_rings_once_for_good() {
    let mut gateway = Gateway::start(Setup::default()).await;
    gateway.play().await;
    let concluded = gateway.watch.message("the call to end", |said| said.call("concluded")).await;
    let call_sid = concluded.text("/call_sid").to_owned();

    let opened = gateway.watch.message("the violation", daemon::Heard::opened).await;
    assert_eq!((opened.topic.as_str(), opened.retained), ("gladhand/violations/T-103", false));
    let finding = opened.json.as_object().unwrap();
    let keys: Vec<&str> = finding.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "at",
            "decided_by",
            "distance_m",
            "event",
            "kind",
            "position",
            "received",
            "tractor",
            "trailer",
            "uncertainty_m",
            "violation_id"
        ]
    );
    assert_eq!((&finding["kind"], &finding["trailer"]), (&json!("left_behind"), &json!("R-103")));
    assert!(finding["distance_m"].as_f64() > Some(150.0) && finding["uncertainty_m"].as_f64() > Some(0.0), "{finding:?}");
    assert!(finding["at"].as_f64() <= finding["received"].as_f64(), "{finding:?}");
    assert!(["T-103", "R-103"].map(Value::from).contains(&finding["decided_by"]["unit"]), "{finding:?}");
    assert!(finding["decided_by"]["ts"].is_number() && finding["position"]["lat"].is_number(), "{finding:?}");

    let topic = format!("gladhand/calls/{call_sid}");
    let life: Vec<&Value> = gateway.watch.heard.iter().filter(|said| said.topic == topic).map(|said| &said.json).collect();
    assert_eq!(life.iter().map(|said| &said["state"]).collect::<Vec<_>>(), ["pending", "dialing", "placed", "concluded"]);
    for said in &life {
        assert_eq!((&said["violation_id"], &said["attempt"]), (&finding["violation_id"], &json!(1)));
        assert_eq!(said["driver"], json!({ "id": "DR103", "name": "Carla Diaz" }));
    }
    let conversation = &gateway.vendor.conversations()[0];
    assert_eq!(life[2]["conversation_id"], conversation.id.as_str());
    assert_eq!(life[2]["twilio_call_sid"], conversation.provider_call_sid.as_str());
    assert_eq!(life[3]["outcome"], "answered");

    let posts = gateway.vendor.posts();
    assert_eq!((posts.len(), posts[0].path.as_str()), (1, "/v1/convai/twilio/outbound-call"));
    let mut body: Value = serde_json::from_str(&posts[0].body).unwrap();
    let prompt = body["conversation_initiation_client_data"]["dynamic_variables"]["prompt"].take();
    let prompt = prompt.as_str().unwrap();
    assert!(prompt.contains("alert that your truck and trailer are not together"), "{prompt}");
    assert_eq!(
        body,
        json!({
            "agent_id": "agent_1",
            "agent_phone_number_id": "phnum_1",
            "to_number": "+12125550103",
            "conversation_initiation_client_data": {
                "user_id": call_sid,
                "dynamic_variables": {
                    "prompt": null,
                    "transfer_to": "+12125550199",
                    "call_sid": call_sid,
                    "dispatcher_name": "Night desk",
                    "driver_id": "DR103",
                },
            },
        })
    );
    assert!(call_sid.starts_with("EL_DR103_"), "{call_sid}");

    gateway.play().await;
    gateway.settle().await;
    gateway.restart().await;
    gateway.play().await;
    gateway.settle().await;
    assert_eq!(gateway.watch.count(daemon::Heard::opened), 1);
    assert_eq!(gateway.watch.count(|said| said.call("pending")), 1);
    assert_eq!(gateway.posts(), 1);
    let health = gateway.watch.health("one call behind us", |h| h["calls"]["concluded"] == 1 && h["session"] == 2).await;
    assert_eq!((&health["violations"]["open"], &health["status"]), (&json!(1), &json!("up")), "{health:#}");
}
