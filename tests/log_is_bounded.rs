//! A daemon that is flooded with everything that others can repeat writes a line or two of each, and how many there were.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/daemon.rs"]
mod daemon;

use std::time::Instant;

use daemon::{Gateway, HEALTH, Heard, REQUEST, Setup, until};
use gladhand::host::clock;
use gladhand::standin::{Fault, Reply};
use serde_json::json;
use tokio::process::Command;

const MANY: usize = 300;
/// Of each place, as `host::quota` has it.
const AT_ONCE: usize = 10;

/// What is wrong in as many ways as there are topics.
const WRONG: [(&str, &str); 8] = [
    ("gladhand/assignments/T-9", "{"),
    ("gladhand/assignments/T-9", r#"{"tractor":"T-8"}"#),
    ("gladhand/zones", "5"),
    ("gladhand/calls/EL_nobody/cancel", ""),
    ("gladhand/violations/T-9/acknowledge", "5"),
    ("gladhand/calls/EL nobody/cancel", ""),
    ("fleet/T-9/telemetry", "{"),
    ("fleet/T-9/telemetry", r#"{"unit":"T-9","ts":1,"lat":1,"lon":1}"#),
];

/// Of those, the ones that are told: telemetry is only counted.
const TOLD: usize = 6;

#[tokio::test]
async fn what_others_send_is_counted() {
    let started = clock::instant();
    let mut gateway = Gateway::start(Setup::default()).await;
    for (topic, payload) in WRONG {
        for _ in 0..MANY {
            gateway.watch.publish(topic, payload, false).await;
        }
        // mosquitto drops what is beyond 1,000.
        gateway.settle().await;
    }
    for _ in 0..MANY {
        assert_eq!(gateway.ask("POST", "/driver_data/call-elevenlabs", "{").await.status, 422);
        assert_eq!(gateway.ask("GET", "/nowhere", "").await.status, 404);
        assert_eq!(gateway.ask("POST", "/calls/EL_nobody/cancel", "").await.status, 404);
    }
    gateway.stop().await;
    let told = lines(&gateway, " not followed: ");
    assert_eq!(told.written + told.left_out, TOLD * MANY, "{told:?}");
    assert!(told.written <= AT_ONCE + minutes(started), "{told:?}");
    assert_eq!(lines(&gateway, "WARN").written, told.written, "nothing else was warned of:\n{}", gateway.log());
}

#[tokio::test]
async fn a_broker_that_refuses_what_we_say() {
    let started = clock::instant();
    let access = "topic readwrite #\ntopic deny gladhand/calls/rejected\n";
    let mut gateway = Gateway::start(Setup { access, ..Setup::default() }).await;
    for n in 0..MANY {
        gateway.watch.publish(REQUEST, format!("{n}"), false).await;
    }
    gateway.watch.health("all of them to be read", |health| health["mqtt"]["not_followed"] == MANY).await;
    gateway.watch.health("the broker to have refused all answers", |health| health["mqtt"]["waiting"] == 0).await;
    gateway.stop().await;
    let told = lines(&gateway, "refuses a message of ours");
    assert_eq!(told.written + told.left_out, MANY, "{told:?}");
    assert!(told.written <= AT_ONCE + minutes(started), "{told:?}");
}

#[tokio::test]
async fn a_vendor_that_fails_is_told_by_its_calls_alone() {
    let mut gateway = Gateway::start(Setup { calls: "rate_per_minute = 600", ..Setup::default() }).await;
    let faults = [Fault::status(429, "busy"), Fault::new(Reply::Html), Fault::new(Reply::Drop), Fault::status(500, "oops")];
    gateway.vendor.set_faults(faults.into_iter().cycle().take(MANY));
    for n in 0..40 {
        gateway.watch.publish(REQUEST, request(&format!("D{n}"), ""), false).await;
    }
    gateway.watch.health("answers to be lost", |health| health["calls"]["unknown"].as_u64() > Some(10)).await;
    gateway.stop().await;
    let log = gateway.log();
    let others =
        log.lines().filter(|line| line.contains("WARN") && !line.contains("call_sid=") && !line.contains("still being dialled"));
    assert_eq!(others.collect::<Vec<_>>(), [""; 0]);
    assert!(lines(&gateway, "call_sid=").written >= 40);
}

#[tokio::test]
async fn a_disk_that_fails_and_a_service_manager_that_reloads() {
    let started = clock::instant();
    let mut gateway = Gateway::prepare(Setup { uplink: false, ..Setup::default() }).await;
    // A write beyond the limit is to fail, not to kill.
    gateway.spawn_under("sh", &["-c", r#"trap '' XFSZ; exec "$0" "$@""#]);
    gateway.watch.message("it to be subscribed", |said| said.topic == HEALTH && said.is("/mqtt/connected", true)).await;
    for n in 1..=MANY / 10 {
        gateway.signal("HUP").await;
        let read = || lines(&gateway, "read again").written >= n.min(AT_ONCE);
        until("the configuration to be read again", read).await;
    }
    for n in 0..40 {
        gateway.watch.publish(REQUEST, request(&format!("D{n}"), &"Your trailer was left behind. ".repeat(40)), false).await;
    }
    gateway.watch.message("the last", |said| said.call("pending") && said.is("/driver/id", "D39")).await;
    // Less than the second copy of the calls has by now, and more than the log ever has.
    let pid = gateway.pid().to_string();
    assert!(Command::new("prlimit").args(["--pid", &pid, "--fsize=65536:unlimited"]).status().await.unwrap().success());
    gateway.watch.publish(REQUEST, request("LATE", ""), false).await;
    // Said every ten seconds, while it is tried every second.
    for _ in 0..3 {
        let from = gateway.watch.heard.len();
        let failing = |said: &Heard| said.topic == HEALTH && said.is("/store", "failing");
        gateway.watch.next_message("it to say that the store fails", from, failing).await;
    }
    gateway.stop().await;
    for kind in ["read again", "writes fail, and"] {
        let told = lines(&gateway, kind);
        assert!((1..=AT_ONCE + minutes(started)).contains(&told.written), "{kind}: {told:?}");
        assert!(told.written + told.left_out > AT_ONCE, "{kind}: {told:?}");
    }
}

fn request(driver: &str, description: &str) -> String {
    let violations = json!({"violationDetails": [{"type": "TRAILER_SEPARATION", "description": description}]});
    json!({"drivers": [{"driverId": driver, "phoneNumber": "+12125550155", "violations": violations}]}).to_string()
}

/// What the log says of one kind of line.
#[derive(Debug)]
struct Lines {
    written: usize,
    left_out: usize,
}

fn lines(gateway: &Gateway, words: &str) -> Lines {
    let log = gateway.log();
    let (summaries, written): (Vec<_>, Vec<_>) =
        log.lines().filter(|line| line.contains(words)).partition(|line| line.contains("left_out="));
    let count = |line: &&str| line.rsplit_once("left_out=").unwrap().1.trim().parse::<usize>().unwrap();
    Lines { written: written.len(), left_out: summaries.iter().map(count).sum() }
}

fn minutes(since: Instant) -> usize {
    since.elapsed().as_secs() as usize / 60
}
