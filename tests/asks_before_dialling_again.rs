//! An attempt whose answer was lost is looked up with the vendor. What became a call is followed, and its driver is not rung
//! again; what did not is dialled again under a new name, after the vendor's last empty answer.

#[path = "common/daemon.rs"]
mod daemon;

use std::time::Duration;

use daemon::{Gateway, Setup, until};
use gladhand::standin::{Fault, Filters, Life, Reply};
use serde_json::{Value, json};

const ASKING: &str = r#"verify_after = ["1s", "2s", "4s"]"#;

fn lost() -> [Fault; 5] {
    let timeout = Fault::status(408, "request_timeout");
    [Fault::new(Reply::Drop), Fault::status(500, "internal"), timeout, Fault::new(Reply::NullIds), Fault::new(Reply::Html)]
}

#[tokio::test]
async fn a_call_behind_a_lost_answer_is_found_and_its_driver_is_rung_once() {
    for (n, fault) in lost().into_iter().enumerate() {
        let mut gateway = Gateway::start(Setup { calls: ASKING, ..Setup::default() }).await;
        // An older API, and a list that lags behind.
        gateway.vendor.set_filters(if n % 2 == 1 { Filters::WithoutVariables } else { Filters::All });
        gateway.vendor.set_life(Life { listed_after: Duration::from_millis(1_500), ..Life::default() });
        gateway.vendor.set_faults([fault.clone().dialled()]);
        gateway.play().await;
        let unknown = gateway.watch.message("the call to be unknown", |said| said.call("unknown")).await;
        let concluded = gateway.watch.message("the call to end", |said| said.call("concluded")).await;
        assert_eq!(concluded.text("/call_sid"), unknown.text("/call_sid"), "{fault:?}");
        assert_eq!(concluded.text("/outcome"), "answered", "{fault:?}");
        assert!(concluded.text("/twilio_call_sid").starts_with("CA"), "{fault:?}");
        assert_eq!(gateway.posts(), 1, "{fault:?}");
        let shown = gateway.json(&["calls", "show", concluded.text("/call_sid")]).await;
        assert_eq!(shown["transcript"][1], json!({"role": "user", "message": "No, I will go back for it."}));
    }
}

#[tokio::test]
async fn an_attempt_that_never_became_a_call_is_made_again_under_a_new_name() {
    let mut gateway = Gateway::start(Setup { calls: ASKING, ..Setup::default() }).await;
    gateway.vendor.set_faults([Fault::new(Reply::Drop)]);
    gateway.play().await;
    let unknown = gateway.watch.message("the call to be unknown", |said| said.call("unknown")).await;
    let failed = gateway.watch.message("the attempt to be nothing", |said| said.call("failed")).await;
    assert!(failed.json["at"].as_f64() >= unknown.json["at"].as_f64().map(|at| at + 3.9), "not before the last question");
    let concluded = gateway.watch.message("the call to end", |said| said.call("concluded")).await;
    assert_eq!(concluded.text("/parent_call_sid"), unknown.text("/call_sid"));
    assert_eq!(concluded.json["attempt"], 1, "what was not placed is no attempt");
    let posts: Vec<Value> = gateway.vendor.posts().iter().map(|post| serde_json::from_str(&post.body).unwrap()).collect();
    let sids: Vec<&Value> = posts.iter().map(|post| &post["conversation_initiation_client_data"]["user_id"]).collect();
    assert_eq!(sids, [&json!(unknown.text("/call_sid")), &json!(concluded.text("/call_sid"))]);
    assert_eq!(gateway.vendor.conversations().len(), 1, "one telephone rang, once");
    gateway.watch.health("nothing to be wrong", |h| h["status"] == "up").await;
}

#[tokio::test]
async fn a_process_killed_while_it_dialled_asks_after_its_restart() {
    let mut gateway = Gateway::start(Setup { calls: ASKING, ..Setup::default() }).await;
    gateway.vendor.set_faults([Fault::new(Reply::Usual).after(Duration::from_secs(60))]);
    gateway.play().await;
    until("the POST", || gateway.posts() == 1).await;
    gateway.kill().await;
    gateway.launch().await;
    let concluded = gateway.watch.message("the call to end", |said| said.call("concluded")).await;
    assert_eq!(concluded.text("/outcome"), "answered");
    gateway.play().await;
    gateway.settle().await;
    assert_eq!(gateway.posts(), 1);
}

#[tokio::test]
async fn while_the_vendor_cannot_be_asked_nothing_is_dialled() {
    let mut gateway = Gateway::start(Setup { calls: ASKING, ..Setup::default() }).await;
    gateway.vendor.set_faults([Fault::new(Reply::Drop).after(Duration::from_millis(500)).dialled()]);
    gateway.play().await;
    until("the POST", || gateway.posts() == 1).await;
    gateway.vendor.down().await;
    gateway.watch.message("the call to be unknown", |said| said.call("unknown")).await;
    gateway.watch.health("no uplink", |h| h["uplink"] == "offline" && h["calls"]["unknown"] == 1).await;
    gateway.vendor.up().await.unwrap();
    gateway.watch.message("the call to end", |said| said.call("concluded")).await;
    assert_eq!(gateway.posts(), 1);
}

#[tokio::test]
async fn a_call_of_the_agent_that_was_configured_then_is_found() {
    let mut gateway = Gateway::start(Setup { calls: ASKING, ..Setup::default() }).await;
    gateway.vendor.set_faults([Fault::new(Reply::Drop).after(Duration::from_millis(500)).dialled()]);
    gateway.play().await;
    until("the POST", || gateway.posts() == 1).await;
    gateway.vendor.down().await;
    let unknown = gateway.watch.message("the call to be unknown", |said| said.call("unknown")).await;
    gateway.write("gladhand.toml", &gateway.read("gladhand.toml").replace("agent_1", "agent_2"));
    gateway.signal("HUP").await;
    until("the reload", || gateway.log().contains("read again")).await;
    gateway.vendor.up().await.unwrap();
    let concluded = gateway.watch.message("the call to end", |said| said.call("concluded")).await;
    assert_eq!((concluded.text("/call_sid"), gateway.posts()), (unknown.text("/call_sid"), 1));
}
