//! A call that waited for the disk is decided again when the disk takes writes: what has become too old meanwhile rings nobody.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "common/daemon.rs"]
mod daemon;
use daemon::{Gateway, HEALTH, REQUEST, Setup};
use serde_json::json;
use tokio::process::Command;

#[tokio::test]
async fn a_post_that_waited_for_the_disk_longer_than_its_call_may_wait_is_not_made() {
    let setup = Setup { level: "warn", uplink: false, calls: "max_age = \"3s\"", ..Setup::default() };
    let mut gateway = Gateway::prepare(setup).await;
    gateway.spawn_under("sh", &["-c", r#"trap '' XFSZ; exec "$0" "$@""#]);
    gateway.watch.message("it to be subscribed", |said| said.topic == HEALTH && said.is("/mqtt/connected", true)).await;
    for n in 0..40 {
        gateway.watch.publish(REQUEST, request(&format!("DR{n}")), false).await;
    }
    gateway.watch.message("the last", |said| said.call("expired") && said.is("/driver/id", "DR39")).await;
    gateway.vendor.up().await.unwrap();
    gateway.watch.publish(REQUEST, request("FIRST"), false).await;
    gateway.watch.message("an uplink", |said| said.call("placed") && said.is("/driver/id", "FIRST")).await;
    let before = gateway.vendor.posts().len();
    limit(&gateway, "65536:unlimited").await;
    gateway.watch.publish(REQUEST, request("LATE"), false).await;
    let failing = gateway.watch.health("the store to fail", |h| h["store"] == "failing").await;
    let since = failing["time"].as_f64().unwrap();
    gateway.watch.health("the call to be too old", |h| h["time"].as_f64().is_some_and(|time| time > since + 4.0)).await;
    assert_eq!(gateway.vendor.posts().len(), before);
    limit(&gateway, "unlimited:unlimited").await;
    gateway.watch.health("the store to be well again", |h| h["store"] == "ok").await;
    gateway.watch.message("it to have expired", |said| said.call("expired") && said.is("/driver/id", "LATE")).await;
    assert_eq!(gateway.vendor.posts().len(), before);
}

fn request(driver: &str) -> String {
    let description = "Your trailer was left behind. ".repeat(40);
    let violations = json!({"violationDetails": [{"type": "TRAILER_SEPARATION", "description": description}]});
    json!({"drivers": [{"driverId": driver, "phoneNumber": "+12125550155", "violations": violations}]}).to_string()
}

async fn limit(gateway: &Gateway, bytes: &str) {
    let status = Command::new("prlimit").args(["--pid", &gateway.pid().to_string(), &format!("--fsize={bytes}")]).status().await;
    assert!(status.unwrap().success());
}
