//! A second daemon on the same store is turned away with a reason, and the first goes on undisturbed.

#[path = "common/daemon.rs"]
mod daemon;

use daemon::{Gateway, Setup};

#[tokio::test]
async fn the_second_is_told_that_the_store_is_in_use() {
    let mut gateway = Gateway::start(Setup::default()).await;
    let (code, out, err) = gateway.cli(&["run"]).await;
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("cannot start: store: the store in ") && err.contains("is in use by another process"), "{err}");
    assert!(gateway.lives());
    assert_eq!(gateway.json(&["status"]).await["session"], 1);
    gateway.play().await;
    gateway.watch.message("the call to be placed", |said| said.call("placed")).await;
}
