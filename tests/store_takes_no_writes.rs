//! While the disk takes no writes, nothing is promised that is not durable, and everybody is told: health on the broker, the
//! answers on the control socket. It goes on by itself, ends when it is told to, and a database that was destroyed meanwhile is
//! filled again from memory.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "common/daemon.rs"]
mod daemon;

use std::time::Duration;

use daemon::{Gateway, HEALTH, REQUEST, Setup};
use serde_json::{Value, json};
use tokio::process::Command;

/// Less than the second copy of the calls has by now, and more than the log ever has.
const FULL: &str = "65536:unlimited";
const ROOM: &str = "unlimited:unlimited";

#[tokio::test]
async fn nothing_is_promised_and_everybody_is_told() {
    let mut gateway = with_calls().await;
    limit(&gateway, FULL).await;
    gateway.watch.publish(REQUEST, request("LATE"), false).await;
    let health = gateway.watch.health("the store to fail", |h| h["store"] == "failing").await;
    assert!(has_reason(&health, "store_failing"), "{health}");
    assert_eq!(gateway.watch.count(|said| said.is("/driver/id", "LATE")), 0, "announced, and not durable");
    assert_eq!(gateway.json(&["status"]).await["store"], "failing");
    assert_eq!(gateway.ask("POST", "/driver_data/call-elevenlabs", &request("LATER")).await.status, 503);

    limit(&gateway, ROOM).await;
    gateway
        .watch
        .message("the call that waited for the store", |said| said.call("pending") && said.is("/driver/id", "LATE"))
        .await;
    let health = gateway.watch.health("the store to be well again", |h| h["store"] == "ok").await;
    assert!(!has_reason(&health, "store_failing"), "{health}");
}

#[tokio::test]
async fn it_ends_when_told_and_the_broker_says_again_what_was_not_acknowledged() {
    let mut gateway = with_calls().await;
    limit(&gateway, FULL).await;
    gateway.watch.publish(REQUEST, request("LATE"), false).await;
    gateway.watch.health("the store to fail", |h| h["store"] == "failing").await;
    let (status, took) = gateway.stop().await;
    assert!(status.success() && took < Duration::from_secs(5), "{status} after {took:?}");
    gateway.watch.message("its goodbye", |said| said.topic == HEALTH && said.is("/status", "down")).await;
    assert_eq!(gateway.watch.count(|said| said.is("/driver/id", "LATE")), 0, "announced, and not durable");

    gateway.launch().await;
    gateway.watch.message("the call", |said| said.call("pending") && said.is("/driver/id", "LATE")).await;
}

#[tokio::test]
async fn a_database_destroyed_meanwhile_is_filled_again() {
    let mut gateway = with_calls().await;
    let over = json!({"tractor": "T-900", "trailer": "R-900", "since": 1_700_000_000});
    gateway.watch.publish("gladhand/assignments/T-900", over.to_string(), true).await;
    let ended = gateway.json(&["calls", "list"]).await["calls"][0]["call_sid"].as_str().unwrap().to_owned();
    assert_eq!(gateway.cli(&["calls", "cancel", &ended]).await.0, Some(0));
    let (calls, roster) = everything(&gateway).await;

    limit(&gateway, FULL).await;
    gateway.watch.publish(REQUEST, request("LATE"), false).await;
    gateway.watch.health("the store to fail", |h| h["store"] == "failing").await;
    let database = gateway.path("state").join("store/db");
    std::fs::write(&database, vec![0x5a; 1 << 20]).unwrap();
    limit(&gateway, ROOM).await;
    // Which of the two depends on how the database takes it.
    let noticed = |health: &Value| has_reason(health, "store_quarantined") || has_reason(health, "store_repaired");
    gateway.watch.health("the loss to be noticed", noticed).await;
    gateway.settle().await;
    gateway.kill().await;

    // Without what is retained there, the roster can only be the store's.
    gateway.watch.publish("gladhand/assignments/T-900", "", true).await;
    gateway.watch.settled().await;
    gateway.broker.stop();
    gateway.broker.wipe();
    gateway.broker.restart();
    gateway.launch().await;
    let (calls_now, roster_now) = everything(&gateway).await;
    assert_eq!(calls_now.len(), calls.len() + 1);
    assert!(calls.iter().all(|call| calls_now.contains(call)), "{calls_now:?}");
    assert_eq!(roster_now, roster);
    let health = gateway.watch.health("nothing to be wrong with the store", |h| h["store"] == "ok").await;
    assert!(!noticed(&health), "{health}");
}

/// A daemon with more calls waiting than fit into what the disk will take.
async fn with_calls() -> Gateway {
    let mut gateway = Gateway::prepare(Setup { level: "warn", uplink: false, ..Setup::default() }).await;
    // A write beyond the limit is to fail, not to kill.
    gateway.spawn_under("sh", &["-c", r#"trap '' XFSZ; exec "$0" "$@""#]);
    gateway.watch.message("it to be subscribed", |said| said.topic == HEALTH && said.is("/mqtt/connected", true)).await;
    for n in 0..40 {
        gateway.watch.publish(REQUEST, request(&format!("DR{n}")), false).await;
    }
    gateway.watch.message("the last", |said| said.call("pending") && said.is("/driver/id", "DR39")).await;
    gateway
}

fn request(driver: &str) -> String {
    let description = "Your trailer was left behind. ".repeat(40);
    let violations = json!({"violationDetails": [{"type": "TRAILER_SEPARATION", "description": description}]});
    json!({"drivers": [{"driverId": driver, "phoneNumber": "+12125550155", "violations": violations}]}).to_string()
}

/// Calls with their states, and the roster.
async fn everything(gateway: &Gateway) -> (Vec<(Value, Value)>, Value) {
    let calls = gateway.json(&["calls", "list", "--all"]).await;
    let calls = calls["calls"].as_array().unwrap().iter().map(|call| (call["call_sid"].clone(), call["state"].clone())).collect();
    (calls, gateway.json(&["roster"]).await)
}

fn has_reason(health: &Value, reason: &str) -> bool {
    health["reasons"].as_array().is_some_and(|reasons| reasons.iter().any(|said| said == reason))
}

/// A limit on the size of files stands for a full disk: it needs no rights, and a write fails in the middle just so.
async fn limit(gateway: &Gateway, bytes: &str) {
    let status = Command::new("prlimit").args(["--pid", &gateway.pid().to_string(), &format!("--fsize={bytes}")]).status().await;
    assert!(status.unwrap().success());
}
