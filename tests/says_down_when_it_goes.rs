//! How the daemon ends, and how it starts with a configuration that is not whole: told in health, exit code and on standard
//! error.

#[path = "common/daemon.rs"]
mod daemon;

use std::time::Duration;

use daemon::{Gateway, HEALTH, Setup, Watch};
use gladhand::standin::{self, Fault, Reply};
use serde_json::{Value, json};

fn down(pid: u32, session: u64) -> Value {
    json!({ "status": "down", "pid": pid, "session": session })
}

/// What the broker holds for those who come later.
async fn retained(gateway: &Gateway) -> Value {
    let mut later = Watch::start_as("later", gateway.broker.port()).await;
    later.message("retained health", |said| said.topic == HEALTH && said.retained).await.json
}

#[tokio::test]
async fn told_to_stop_it_says_down_and_killed_the_broker_says_it() {
    let mut gateway = Gateway::start(Setup::default()).await;
    let (pid, up) = (gateway.pid(), gateway.watch.health("up", |h| h["status"] == "up").await);
    assert_eq!((&up["session"], &up["pid"]), (&json!(1), &json!(pid)));
    let (status, took) = gateway.stop().await;
    assert!(status.success() && took < Duration::from_secs(5), "{status} after {took:?}");
    assert_eq!(retained(&gateway).await, down(pid, 1));
    assert!(!gateway.path("gladhand.sock").exists());

    gateway.launch().await;
    let pid = gateway.pid();
    gateway.kill().await;
    gateway.watch.health("the broker to say it", |h| *h == down(pid, 2)).await;
    assert_eq!(retained(&gateway).await, down(pid, 2));

    gateway.launch().await;
    let health = gateway.watch.health("the third session", |h| h["session"] == 3).await;
    assert!(health["status"] != "down" && health["pid"] == gateway.pid(), "{health:#}");
}

#[tokio::test]
async fn told_to_stop_while_the_broker_is_dead_it_stops_all_the_same() {
    let mut gateway = Gateway::start(Setup::default()).await;
    gateway.broker.freeze();
    let (status, took) = gateway.stop().await;
    assert!(status.success() && took < Duration::from_secs(5), "{status} after {took:?}");
    gateway.broker.thaw();
}

#[tokio::test]
async fn told_to_stop_while_the_vendor_is_silent_it_leaves_the_attempt_unknown() {
    let mut gateway = Gateway::start(Setup::default()).await;
    gateway.vendor.set_faults([Fault::new(Reply::Usual).after(Duration::from_secs(60))]);
    gateway.play().await;
    daemon::until("the POST", || gateway.posts() == 1).await;
    let (status, took) = gateway.stop().await;
    assert!(status.success() && took < Duration::from_secs(5), "{status} after {took:?}");
    gateway.launch().await;
    gateway.watch.message("the attempt to be unknown", |said| said.call("unknown")).await;
    gateway.settle().await;
    assert_eq!(gateway.posts(), 1);
}

#[tokio::test]
async fn a_malformed_configuration_ends_it_with_64_and_the_line() {
    let gateway = Gateway::prepare(Setup { calls: "max_agee = \"5m\"", ..Setup::default() }).await;
    let (code, out, err) = gateway.cli(&["run"]).await;
    let file = gateway.path("gladhand.toml");
    let line = gateway.read("gladhand.toml").lines().position(|line| line.starts_with("max_agee")).unwrap() + 1;
    let said = format!("{}:{line}: calls.max_agee: is not a known key; did you mean max_age?\n", file.display());
    assert_eq!((code, out.as_str(), err), (Some(64), "", said));
    assert!(!gateway.path("state").exists());
}

#[tokio::test]
async fn without_key_or_agent_calls_are_held_until_a_reload_finds_them() {
    for (setup, reason, words) in [
        (Setup { key: false, ..Setup::default() }, "no_api_key", "there is no API key"),
        (Setup { agent: false, ..Setup::default() }, "no_agent_id", "elevenlabs.agent_id is not set"),
    ] {
        let mut gateway = Gateway::start(setup).await;
        gateway.play().await;
        let held = gateway.watch.message("the call to be held", |said| said.call("held")).await;
        assert_eq!(held.text("/reason"), words);
        let degraded = |h: &Value| h["status"] == "degraded" && h["reasons"] == json!([reason]) && h["calls"]["held"] == 1;
        gateway.watch.health("the reason", degraded).await;
        gateway.settle().await;
        assert_eq!(gateway.posts(), 0);

        // `[elevenlabs]` stands before the first `[[zone]]`, which ends it.
        let key_file = gateway.path("key");
        gateway.write("key", standin::KEY);
        let agent = if reason == "no_agent_id" { "agent_id = \"agent_1\"\nagent_phone_number_id = \"phnum_1\"\n" } else { "" };
        let complete = format!("[elevenlabs]\napi_key_file = \"{}\"\n{agent}", key_file.display());
        gateway.write("gladhand.toml", &gateway.read("gladhand.toml").replace("[elevenlabs]\n", &complete));
        gateway.signal("HUP").await;
        gateway.watch.message("the call to be placed", |said| said.call("placed")).await;
        assert_eq!(gateway.posts(), 1);
        gateway.watch.health("all to be well", |h| h["status"] == "up").await;
    }
}

#[tokio::test]
async fn a_reload_of_something_malformed_changes_nothing() {
    let mut gateway = Gateway::start(Setup::default()).await;
    gateway.write("gladhand.toml", &gateway.read("gladhand.toml").replace("[calls]\n", "[calls]\nattempts = \"three\"\n"));
    gateway.signal("HUP").await;
    daemon::until("the line about it", || gateway.log().contains("calls.attempts: is of the wrong kind")).await;
    gateway.play().await;
    gateway.watch.message("the call to be placed", |said| said.call("placed")).await;
}
