//! A broker that was killed and has lost everything is found again: what was announced is said, new fixes flow, and health
//! tells that something may have been missed.

#[path = "common/daemon.rs"]
mod daemon;

use std::time::Duration;

use daemon::{Gateway, HEALTH, Heard, Setup};
use tokio::time::Instant;

#[tokio::test]
async fn fixes_flow_within_five_seconds_and_nothing_announced_is_lost() {
    let mut gateway = Gateway::start(Setup { uplink: false, ..Setup::default() }).await;
    gateway.watch.health("no uplink", |health| health["uplink"] == "offline").await;
    gateway.play().await;
    let pending = gateway.watch.message("the call to be owed", |said| said.call("pending")).await;
    // What is still on its way is lost with the broker.
    gateway.settle().await;

    gateway.broker.kill();
    gateway.broker.wipe();
    gateway.broker.restart();
    let restarted = Instant::now();
    let before = gateway.watch.heard.len();
    let forgot = |h: &serde_json::Value| {
        h["reasons"].as_array().is_some_and(|all| all.contains(&"broker_forgot_session".into()))
            && h["mqtt"]["sessions_lost"] == 1
    };
    gateway.watch.health("to tell of the session", forgot).await;
    let received = |h: &serde_json::Value| h["telemetry"]["received"].as_u64().unwrap_or(0);
    let fixes = gateway.recording.fixes();
    let (topic, payload) = fixes.last().unwrap();
    gateway.watch.publish(topic, payload.as_str(), false).await;
    gateway.watch.health("another fix to arrive", |h| received(h) == fixes.len() as u64 + 1).await;
    assert!(restarted.elapsed() < Duration::from_secs(5), "{:?}", restarted.elapsed());
    assert!(gateway.watch.heard[before..].iter().any(|said| said.topic == HEALTH));

    gateway.vendor.up().await.unwrap();
    let same = |said: &Heard| said.call("placed") && said.is("/call_sid", pending.text("/call_sid"));
    gateway.watch.message("the call that was owed to be placed", same).await;
    assert_eq!(gateway.posts(), 1);
}
