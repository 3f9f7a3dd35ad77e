//! QoS 1 delivers twice when an acknowledgement is lost, and bridges and buffers change the order: neither makes a second
//! violation or call, loses the one there is, or accuses a rig that is whole.

#![allow(clippy::indexing_slicing, reason = "a test stops at the first surprise")]

#[path = "common/daemon.rs"]
mod daemon;

use daemon::{Gateway, REQUEST, Setup};
use gladhand::rigs::rng::Rng;

const SEED: u64 = 7;

/// How far a message may come too late, in messages: about a minute of this road.
const FAR: usize = 24;

#[tokio::test]
async fn the_same_call_comes_of_it() {
    let mut gateway = Gateway::start(Setup::default()).await;
    let mut rng = Rng::new(SEED);
    let mut fixes = gateway.recording.fixes();
    let once = fixes.len();
    for n in 0..once {
        if rng.chance(0.2) {
            fixes.push(fixes[n].clone());
        }
    }
    let mut order: Vec<(usize, (String, String))> = fixes.into_iter().enumerate().map(|(n, fix)| (n % once, fix)).collect();
    let mut late = || if rng.chance(0.3) { rng.range(0.0, FAR as f64) as usize } else { 0 };
    order.sort_by_cached_key(|(n, _)| n + late());
    assert!(order.windows(2).any(|pair| pair[0].0 > pair[1].0), "some come too late");

    let request = r#"{"drivers":[{"driverId":"DR8","phoneNumber":"+12125550155"}]}"#;
    let assignments = gateway.recording.assignments();
    for (n, (_, (topic, payload))) in order.iter().enumerate() {
        gateway.watch.publish(topic, payload.as_str(), false).await;
        if n % 100 == 0 {
            gateway.watch.publish(REQUEST, request, false).await;
            for (topic, payload) in &assignments {
                gateway.watch.publish(topic, payload.as_str(), false).await;
            }
        }
    }
    gateway.settle().await;
    gateway.watch.message("the separation's call", |said| said.call("placed") && said.is("/driver/id", "DR103")).await;
    gateway.watch.message("the requested call", |said| said.call("placed") && said.is("/driver/id", "DR8")).await;
    assert_eq!(gateway.watch.count(|said| said.call("pending")), 2);
    let opened: Vec<&str> = gateway.watch.heard.iter().filter(|said| said.opened()).map(|said| said.topic.as_str()).collect();
    assert_eq!(opened, ["gladhand/violations/T-103"]);
    assert_eq!((gateway.posts(), gateway.vendor.conversations().len()), (2, 2));
}
