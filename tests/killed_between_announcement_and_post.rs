//! A violation that was announced is called about, although the process was killed before there was an uplink.

#[path = "common/daemon.rs"]
mod daemon;

use daemon::{Gateway, Heard, Setup, until};
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test]
async fn the_call_leaves_once_and_within_two_seconds_of_the_uplink() {
    let mut gateway = Gateway::start(Setup { uplink: false, ..Setup::default() }).await;
    gateway.watch.health("no uplink", |health| health["uplink"] == "offline").await;
    gateway.play().await;
    gateway.watch.message("the violation", Heard::opened).await;
    gateway.kill().await;

    gateway.launch().await;
    gateway
        .watch
        .health("the call to wait for the uplink", |h| {
            h["session"] == 2 && h["uplink"] == "offline" && h["calls"]["pending"] == 1 && h["violations"]["open"] == 1
        })
        .await;
    gateway.vendor.up().await.unwrap();
    let returned = Instant::now();
    until("the POST", || gateway.posts() > 0).await;
    let took = returned.elapsed();
    assert!(took < Duration::from_millis(2_500), "{took:?}");

    gateway.watch.message("the call to end", |said| said.call("concluded")).await;
    gateway.play().await;
    gateway.settle().await;
    assert_eq!(gateway.posts(), 1);
}
