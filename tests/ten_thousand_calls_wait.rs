//! 10,000 calls that wait for the uplink: the daemon starts with them, answers about them, and then lets them leave in their
//! order, no faster than the rate allows and no more at once than are allowed.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test stops at the first surprise, and says what it measured")]

#[path = "common/daemon.rs"]
mod daemon;
#[path = "common/machine.rs"]
mod machine;

use std::time::Duration;

use daemon::{Gateway, Setup};
use gladhand::core::calls::Call;
use gladhand::core::id::{CallSid, DriverId};
use gladhand::core::machine::{Input, Output};
use gladhand::core::record::{Change, Value};
use gladhand::core::time::{Mono, Now};
use gladhand::host::clock;
use gladhand::standin::Post;
use gladhand::store::Store;
use machine::{Kept, start};

const CALLS: usize = 10_000;

/// `calls.rate_per_minute`, and what may leave at once after a quiet time.
const PER_MINUTE: usize = 600;
const BURST: usize = 50;

/// Of the unit file.
const MEMORY_MAX_KIB: u64 = 256 * 1024;

/// Puts the calls into the store, as a former life of the daemon would have left them.
fn fill(gateway: &Gateway) {
    let now = Now { mono: Mono::default(), wall: clock::wall(), trusted: true };
    let (mut machine, _) = start(1, &Kept::new(), now);
    machine.handle(Input::Uplink(false), now);
    let request = r#"{"drivers":[{"driverId":"D","driverName":"A B","phoneNumber":"+12125550155"}]}"#;
    machine.handle(Input::Message { topic: daemon::REQUEST, payload: request.as_bytes(), retained: false }, now);
    let mut kept = std::iter::from_fn(|| machine.poll_output())
        .filter_map(|output| if let Output::Keep(change) = output { Some(change) } else { None });
    let one: Change = kept.find(|change| change.key.starts_with("call/")).unwrap();
    let mut call: Call = serde_json::from_slice(&one.value.clone().unwrap().bytes).unwrap();
    let mut store = Store::open(&gateway.path("state")).unwrap().store;
    let all: Vec<Change> = (0..CALLS)
        .map(|n| {
            call.order = n as u64;
            call.driver.id = DriverId::new(&format!("D{n:05}")).unwrap();
            call.call_sid = CallSid::new(&format!("EL_D{n:05}_yard-7-n1-{n}")).unwrap();
            let value = Value { bytes: serde_json::to_vec(&call).unwrap(), ..one.value.clone().unwrap() };
            Change { key: Call::key(&call.call_sid), value: Some(value) }
        })
        .collect();
    for some in all.chunks(500) {
        store.commit(some).unwrap();
    }
}

fn driver(post: &Post) -> String {
    let body: serde_json::Value = serde_json::from_str(&post.body).unwrap();
    body.pointer("/conversation_initiation_client_data/dynamic_variables/driver_id").unwrap().as_str().unwrap().to_owned()
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn they_leave_in_order_and_at_the_rate_allowed() {
    let calls = "rate_per_minute = 600\nmax_concurrent = 100\nmax_age = \"1d\"";
    let mut gateway = Gateway::prepare(Setup { uplink: false, calls, ..Setup::default() }).await;
    fill(&gateway);
    let began = clock::instant();
    gateway.launch().await;
    let subscribed = began.elapsed();
    gateway.watch.health("all of them to wait", |h| h["calls"]["pending"] == CALLS && h["uplink"] == "offline").await;

    let began = clock::instant();
    let listed = gateway.json(&["calls", "list"]).await;
    let answered = began.elapsed();
    let listed: Vec<&str> =
        listed["calls"].as_array().unwrap().iter().rev().map(|call| call["driver"]["id"].as_str().unwrap()).collect();
    let expected: Vec<String> = (0..CALLS).map(|n| format!("D{n:05}")).collect();
    assert_eq!(listed, expected);

    gateway.vendor.up().await.unwrap();
    let leave = BURST + 20;
    daemon::until("some to leave", || gateway.posts() >= leave).await;
    let posts = gateway.vendor.posts();
    let first = posts.first().unwrap().at;
    for (n, post) in posts.iter().enumerate() {
        // One more than a burst and what has come since: the first may be noted late.
        let since = post.at.since(first) + Duration::from_secs(1);
        let allowed = BURST + since.as_millis() as usize * PER_MINUTE / 60_000 + 1;
        assert!(n < allowed, "{n} after {since:?}");
    }
    // Those that leave together arrive in any order.
    let mut left: Vec<String> = posts.iter().map(driver).collect();
    if let Some(burst) = left.get_mut(..BURST) {
        burst.sort();
    }
    assert_eq!(left.get(..leave), expected.get(..leave));

    let memory = resident_kib(gateway.pid());
    println!("start to subscribed {subscribed:?}, calls list {answered:?}, at most {memory} KiB resident");
    assert!(memory < MEMORY_MAX_KIB, "{memory} KiB");
}
