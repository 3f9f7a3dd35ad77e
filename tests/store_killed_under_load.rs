//! Killed at random instants under load, again and again: of everybody who was to be called, each is called, and none twice.
//! An attempt whose answer was cut off is unknown until the vendor was asked.
//!
//! `GLADHAND_KILLS` is the number of kills (20).

#![allow(
    clippy::print_stdout,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test, with figures for the one who waits for them"
)]

#[path = "common/daemon.rs"]
mod daemon;

use std::collections::BTreeMap;
use std::time::Duration;

use daemon::{Gateway, PATIENCE, REQUEST, Setup};
use gladhand::rigs::rng::Rng;
use serde_json::Value;
use tokio::time::{sleep, timeout};

/// One life in so many is long enough for the placed calls to end, so that there are always slots.
const LONG_LIFE: usize = 20;

#[tokio::test]
async fn nobody_is_lost_and_nobody_is_called_twice() {
    let kills: usize = std::env::var("GLADHAND_KILLS").map_or(20, |kills| kills.parse().unwrap());
    let settings = "rate_per_minute = 600\nmax_concurrent = 100\nmax_age = \"24h\"\nverify_after = [\"500ms\", \"1s\"]";
    let mut gateway = Gateway::start(Setup { calls: settings, level: "warn", ..Setup::default() }).await;
    let mut random = Rng::new(kills as u64);
    let mut asked = Vec::new();
    for kill in 0..kills {
        for n in 0..3 {
            asked.push(format!("DK{kill}-{n}"));
            gateway.watch.publish(REQUEST, request(asked.last().unwrap()), false).await;
        }
        // From before it has opened its store until all three are placed.
        let life = Duration::from_micros((random.unit() * 150_000.0) as u64);
        sleep(life).await;
        gateway.kill().await;
        gateway.spawn();
        gateway.watch.drain();
        if kill % LONG_LIFE == LONG_LIFE - 1 {
            calls(&gateway, "the placed calls to end", |calls| calls["placed"] == 0).await;
        }
        // What the socket has accepted stays accepted, and is the same when asked again.
        if kill % 5 == 0 {
            asked.push(format!("DK{kill}-socket"));
            let body = request(asked.last().unwrap());
            accepted(&gateway, &body).await;
            gateway.kill().await;
            gateway.spawn();
            accepted(&gateway, &body).await;
        }
    }
    gateway.settle().await;
    let settled = |calls: &Value| ["pending", "dialing", "unknown", "placed"].iter().all(|state| calls[state] == 0);
    calls(&gateway, "everybody to be called", settled).await;

    let mut rung: BTreeMap<String, usize> = BTreeMap::new();
    for conversation in gateway.vendor.conversations() {
        let driver = conversation.request.pointer("/conversation_initiation_client_data/dynamic_variables/driver_id");
        *rung.entry(driver.and_then(Value::as_str).unwrap().to_owned()).or_default() += 1;
    }
    let lost: Vec<_> = asked.iter().filter(|driver| !rung.contains_key(*driver)).collect();
    let twice: Vec<_> = rung.iter().filter(|(_, times)| **times > 1).collect();
    let again = gateway.posts() - rung.len();
    println!("{kills} kills, {} asked for, {} rung, {again} POSTs that rang nobody", asked.len(), rung.len());
    assert!(lost.is_empty() && twice.is_empty(), "lost {lost:?}, twice {twice:?}");
}

/// Waits until the counts of calls are as wanted.
async fn calls(gateway: &Gateway, what: &str, wanted: impl Fn(&Value) -> bool) {
    let look = async {
        loop {
            if let Ok(answer) = gateway.try_ask("GET", "/health", "").await
                && wanted(&answer.body["calls"])
            {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(4 * PATIENCE, look).await.unwrap_or_else(|_| panic!("waited in vain for {what}"));
}

/// Asks until it is accepted.
async fn accepted(gateway: &Gateway, body: &str) {
    let ask = async {
        while gateway.try_ask("POST", "/driver_data/call-elevenlabs", body).await.map_or(0, |answer| answer.status) / 100 != 2 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, ask).await.expect("the daemon accepts a request");
}

fn request(driver: &str) -> String {
    format!(r#"{{"drivers":[{{"driverId":"{driver}","phoneNumber":"+12125550155"}}]}}"#)
}
