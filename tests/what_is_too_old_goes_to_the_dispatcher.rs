//! A call that could not be placed before its maximum age is not placed any more; the dispatcher is called instead.

#[path = "common/daemon.rs"]
mod daemon;

use daemon::{Gateway, Setup, until};
use serde_json::Value;

#[tokio::test]
async fn after_a_long_time_offline_somebody_still_hears_of_it() {
    let mut gateway = Gateway::start(Setup { calls: "max_age = \"3s\"", uplink: false, ..Setup::default() }).await;
    gateway.play().await;
    let expired = gateway.watch.message("the call to be too old", |said| said.call("expired")).await;
    assert_eq!(expired.text("/to"), "driver");
    gateway.vendor.up().await.unwrap();
    until("the POST", || gateway.posts() == 1).await;
    let post: Value = serde_json::from_str(&gateway.vendor.posts()[0].body).unwrap();
    assert_eq!(post["to_number"], "+12125550199");
    let told = gateway.watch.message("the dispatcher to be told", |said| said.call("concluded")).await;
    assert_eq!((told.text("/to"), told.text("/parent_call_sid")), ("dispatcher", expired.text("/call_sid")));
    assert_eq!(gateway.posts(), 1);
}
