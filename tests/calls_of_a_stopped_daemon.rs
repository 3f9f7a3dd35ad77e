//! `calls list` and `calls show` read the store when the daemon is stopped, and tell what it told.

#[path = "common/daemon.rs"]
mod daemon;

use std::fs;

use daemon::{Gateway, REQUEST, Setup};
use gladhand::store::Store;
use serde_json::Value;

#[tokio::test]
async fn the_store_tells_what_the_daemon_told() {
    let mut gateway = Gateway::start(Setup { key: false, ..Setup::default() }).await;
    gateway.play().await;
    let request = r#"{"drivers":[{"driverId":"DR8","phoneNumber":"+12125550155"}]}"#;
    gateway.watch.publish(REQUEST, request, false).await;
    let of_request = |said: &daemon::Heard| said.call("held") && said.is("/driver/id", "DR8");
    let newest = gateway.watch.message("both calls to be held", of_request).await.text("/call_sid").to_owned();
    let oldest = gateway.watch.message("the first", |said| said.call("held")).await.text("/call_sid").to_owned();
    gateway.cli(&["calls", "cancel", &oldest]).await;
    let told = [&["calls", "list"][..], &["calls", "list", "--all"], &["calls", "show", &oldest]];
    let mut running = Vec::new();
    for args in told {
        running.push(ageless(gateway.json(args).await));
    }
    gateway.stop().await;

    for (args, running) in told.iter().zip(running) {
        assert_eq!(ageless(gateway.json(args).await), running, "{args:?}");
    }
    let (code, out, err) = gateway.cli(&["calls", "list"]).await;
    assert_eq!((code, out.lines().count(), err.as_str()), (Some(0), 2, ""));
    assert!([newest.as_str(), "held", "+1******0155", "there is no API key"].iter().all(|said| out.contains(said)), "{out}");
    let (code, out, err) = gateway.cli(&["calls", "show", "EL_nobody"]).await;
    assert_eq!((code, out.as_str(), err.as_str()), (Some(1), "", "gladhand: there is no such call\n"));
    for order in ["cancel", "retry"] {
        let (code, _, err) = gateway.cli(&["calls", order, &newest]).await;
        assert!(code == Some(1) && err.starts_with("gladhand: the daemon is not running"), "{order}: {err}");
    }

    // Somebody else has it open, while nobody answers on the socket.
    let held = Store::open(&gateway.path("state")).unwrap();
    let (code, _, err) = gateway.cli(&["calls", "list"]).await;
    assert!(code == Some(1) && err.contains("is in use by another process"), "{err}");
    drop(held);
    // A store that was never there is not made by looking.
    fs::remove_dir_all(gateway.path("state")).unwrap();
    let (code, _, err) = gateway.cli(&["calls", "list"]).await;
    assert!(code == Some(1) && err.starts_with("gladhand: the daemon is not running"), "{err}");
    assert!(!gateway.path("state").exists());
}

/// Without what grows while nobody looks.
fn ageless(mut told: Value) -> Value {
    let ageless = |call: &mut Value| drop(call.as_object_mut().and_then(|call| call.remove("age_s")));
    match told.get_mut("calls").and_then(Value::as_array_mut) {
        Some(calls) => calls.iter_mut().for_each(ageless),
        None => ageless(&mut told),
    }
    told
}
