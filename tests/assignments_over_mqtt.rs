//! Without a roster file, a retained assignment makes the pair; it outlives broker and daemon, and ends with another message.

#[path = "common/daemon.rs"]
mod daemon;

use daemon::{Gateway, Heard, Setup};
use serde_json::{Value, json};

const TOPIC: &str = "gladhand/assignments/T-103";

#[tokio::test]
async fn an_assignment_holds_until_something_newer_is_said() {
    let mut gateway = Gateway::prepare(Setup { roster: false, ..Setup::default() }).await;
    for (topic, payload) in gateway.recording.assignments() {
        gateway.watch.publish(&topic, payload, true).await;
    }
    gateway.watch.settled().await;
    gateway.launch().await;
    gateway.settle().await;
    let roster = gateway.json(&["roster"]).await;
    let t103 = entry(&roster, "T-103").unwrap();
    assert_eq!((&t103["trailers"], &t103["source"]), (&json!(["R-103"]), &json!("mqtt")), "{roster:#}");
    assert_eq!(t103["driver"]["phone_masked"], "+1******0103");

    // The broker forgets; the store does not.
    gateway.stop().await;
    gateway.broker.kill();
    gateway.broker.wipe();
    gateway.broker.restart();
    gateway.launch().await;
    let after = gateway.json(&["roster"]).await;
    assert_eq!(after["assignments"], roster["assignments"]);
    gateway.play().await;
    let opened = gateway.watch.message("the violation", |said| said.opened() && said.is("/tractor", "T-103")).await;
    assert_eq!(opened.text("/trailer"), "R-103");
    gateway.watch.message("the call", |said| said.call("placed") && said.is("/driver/id", "DR103")).await;

    // An older word changes nothing, a newer one ends it, and what has ended is over.
    gateway.watch.publish(TOPIC, r#"{"tractor":"T-103","trailer":"R-9","since":1}"#, true).await;
    gateway.settle().await;
    assert_eq!(entry(&gateway.json(&["roster"]).await, "T-103").unwrap()["trailers"], json!(["R-103"]));
    gateway.watch.publish(TOPIC, r#"{"tractor":"T-103","trailer":null}"#, true).await;
    let closed = |said: &Heard| said.is("/event", "closed") && said.is("/violation_id", opened.text("/violation_id"));
    gateway.watch.message("the violation to end with the assignment", closed).await;
    assert_eq!(entry(&gateway.json(&["roster"]).await, "T-103").unwrap()["trailers"], json!([]));
    gateway.watch.publish("gladhand/assignments/T-101", "", true).await;
    gateway.settle().await;
    gateway.restart().await;
    let roster = gateway.json(&["roster"]).await;
    for tractor in ["T-101", "T-103"] {
        assert_eq!(entry(&roster, tractor).unwrap()["trailers"], json!([]), "{tractor}");
    }
    assert_eq!(entry(&roster, "T-102").unwrap()["trailers"], json!(["R-102"]));
}

fn entry(roster: &Value, tractor: &str) -> Option<Value> {
    roster["assignments"].as_array()?.iter().find(|a| a["tractor"] == tractor).cloned()
}
