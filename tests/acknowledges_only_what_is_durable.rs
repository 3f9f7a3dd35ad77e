//! Killed again and again while fixes pour in, the daemon still makes the one call: what it had not made durable it had not
//! acknowledged, so the broker says it again.

#[path = "common/daemon.rs"]
mod daemon;

use std::collections::BTreeSet;
use std::time::Duration;

use daemon::{Gateway, REQUEST, Setup};
use tokio::time::sleep;

#[tokio::test]
async fn killed_at_any_instant_it_calls_exactly_once() {
    // A fix takes some 0.1 ms: the instants are spread over the whole of the recording, and close together where it is
    // decided.
    for delays_ms in [[3, 11, 5], [17, 2, 23], [29, 7, 13]] {
        // Killed while dialing, the outcome is unknown and asking comes too late: that is another test's story.
        let mut gateway = Gateway::start(Setup { uplink: false, ..Setup::default() }).await;
        let mut fixes = gateway.recording.fixes().into_iter();
        let part = fixes.len() / delays_ms.len();
        for delay in delays_ms {
            for (topic, payload) in fixes.by_ref().take(part) {
                gateway.watch.publish(&topic, payload, false).await;
            }
            sleep(Duration::from_millis(delay)).await;
            gateway.kill().await;
            gateway.spawn();
        }
        for (topic, payload) in fixes {
            gateway.watch.publish(&topic, payload, false).await;
        }
        gateway.settle().await;
        gateway.vendor.up().await.unwrap();
        gateway.watch.message("the call to be placed", |said| said.call("placed")).await;
        gateway.play().await;
        gateway.settle().await;
        assert_eq!(gateway.posts(), 1, "{delays_ms:?}");
        // Announced again after a kill, perhaps, but always the same.
        let opened: BTreeSet<&str> =
            gateway.watch.heard.iter().filter(|said| said.opened()).map(|said| said.text("/violation_id")).collect();
        let calls: BTreeSet<&str> =
            gateway.watch.heard.iter().filter(|said| said.call("pending")).map(|said| said.text("/call_sid")).collect();
        assert_eq!((opened.len(), calls.len()), (1, 1), "{delays_ms:?}: {opened:?} {calls:?}");
    }
}

#[tokio::test]
async fn killed_at_any_instant_it_owes_every_request_once() {
    const KILLS: usize = 20;
    // More than it takes in at once, so that when the first is announced others are being made durable.
    const AT_ONCE: usize = 50;
    let mut gateway = Gateway::start(Setup { uplink: false, ..Setup::default() }).await;
    for kill in 0..KILLS {
        let heard = gateway.watch.heard.len();
        for n in 0..AT_ONCE {
            let request = format!(r#"{{"drivers":[{{"driverId":"DR{kill}-{n}","phoneNumber":"+12125550155"}}]}}"#);
            gateway.watch.publish(REQUEST, request, false).await;
        }
        gateway.watch.next_message("a call to be owed", heard, |said| said.call("pending")).await;
        sleep(Duration::from_micros(300 * (kill as u64 % 4))).await;
        gateway.kill().await;
        gateway.spawn();
    }
    gateway.settle().await;
    let listed = gateway.json(&["calls", "list"]).await;
    let mut drivers: Vec<&str> =
        listed["calls"].as_array().unwrap().iter().map(|c| c["driver"]["id"].as_str().unwrap()).collect();
    assert_eq!(drivers.len(), KILLS * AT_ONCE);
    drivers.sort_unstable();
    drivers.dedup();
    assert_eq!(drivers.len(), KILLS * AT_ONCE, "somebody is to be called twice");
}

#[tokio::test]
async fn what_the_control_socket_has_accepted_survives() {
    let mut gateway = Gateway::start(Setup { uplink: false, ..Setup::default() }).await;
    for n in 0..10 {
        let request = format!(r#"{{"drivers":[{{"driverId":"DR{n}","phoneNumber":"+12125550155"}}]}}"#);
        let accepted = gateway.ask("POST", "/driver_data/call-elevenlabs", &request).await;
        gateway.kill().await;
        assert_eq!(accepted.status, 202);
        // The store of the dead process.
        let shown = gateway.json(&["calls", "show", accepted.body["call_sid"].as_str().unwrap()]).await;
        assert_eq!(shown["driver"]["id"], format!("DR{n}"));
        gateway.launch().await;
    }
}
