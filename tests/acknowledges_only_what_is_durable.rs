//! Killed again and again while fixes pour in, the daemon still makes the one call: what it had not made durable it had not
//! acknowledged, so the broker says it again.

#[path = "common/daemon.rs"]
mod daemon;

use std::collections::BTreeSet;
use std::time::Duration;

use daemon::{Gateway, Setup};
use tokio::time::sleep;

#[tokio::test]
async fn killed_at_any_instant_it_calls_exactly_once() {
    // A fix takes some 0.1 ms: the instants are spread over the whole of the recording, and close together where it is
    // decided.
    for delays_ms in [[3, 11, 5], [17, 2, 23], [29, 7, 13], [41, 1, 1], [8, 8, 8], [53, 31, 19]] {
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
