//! A process killed between the POST and its answer cannot know whether the telephone rang: until the vendor has said so it
//! does not ring again by itself, and does when an operator says so.

#[path = "common/daemon.rs"]
mod daemon;

use std::time::Duration;

use daemon::{Gateway, Setup, until};
use gladhand::standin::{Fault, Reply};
use serde_json::{Value, json};

#[tokio::test]
async fn an_attempt_of_unknown_outcome_is_repeated_by_people_only() {
    // Asking the vendor what became of the attempt comes long after this test.
    let calls = r#"verify_after = ["1h"]"#;
    let mut gateway = Gateway::start(Setup { calls, ..Setup::default() }).await;
    gateway.vendor.set_faults([Fault::new(Reply::Usual).after(Duration::from_secs(60))]);
    gateway.play().await;
    until("the POST", || gateway.posts() == 1).await;
    gateway.kill().await;

    gateway.launch().await;
    let unknown = gateway.watch.message("the call to be unknown", |said| said.call("unknown")).await;
    let call_sid = unknown.text("/call_sid").to_owned();
    assert!(unknown.text("/reason").contains("stopped"), "{}", unknown.json);
    gateway.play().await;
    gateway.settle().await;
    let health = gateway.watch.health("to name it", |h| h["session"] == 2 && h["calls"]["unknown"] == 1).await;
    assert_eq!((&health["status"], &health["reasons"]), (&json!("degraded"), &json!(["calls_unknown"])));
    assert_eq!(gateway.posts(), 1);

    let (code, out, _) = gateway.cli(&["calls", "retry", &call_sid]).await;
    assert_eq!(code, Some(0));
    let again = out.split(':').next().unwrap().to_owned();
    assert!(again != call_sid && again.starts_with("EL_DR103_"), "{out}");
    gateway.watch.message("the second attempt", |said| said.call("placed") && said.is("/call_sid", again.as_str())).await;
    let posts = gateway.vendor.posts();
    let sid = |n: usize| -> Value {
        let body: Value = serde_json::from_str(&posts[n].body).unwrap();
        body["conversation_initiation_client_data"]["dynamic_variables"]["call_sid"].clone()
    };
    assert_eq!((posts.len(), sid(0), sid(1)), (2, json!(call_sid), json!(again)));
    let shown = gateway.json(&["calls", "show", &again]).await;
    assert_eq!((&shown["attempt"], &shown["parent_call_sid"]), (&json!(2), &json!(call_sid)));

    // Whoever knows better closes the first.
    assert_eq!(gateway.cli(&["calls", "cancel", &call_sid]).await.0, Some(0));
    gateway.watch.health("nothing to be unknown", |h| h["status"] == "up" && h["calls"]["unknown"] == 0).await;
}
