//! A link to the broker that breaks again and again while rigs are on the road costs nothing: every fix arrives, the driver is
//! called once, and all that is announced is said, in order.

#[path = "common/daemon.rs"]
mod daemon;
#[path = "common/proxy.rs"]
mod proxy;

use daemon::{Gateway, Heard, Setup};
use gladhand::rigs::rng::Rng;
use proxy::{Proxy, Then};

/// Where the link breaks.
const SEED: u64 = 20;

/// The waits between attempts double from 1 s.
const FLAPS: usize = 3;

#[tokio::test]
async fn a_link_that_flaps_loses_nothing_and_calls_once() {
    let mut gateway = Gateway::prepare(Setup::default()).await;
    let proxy = Proxy::to(gateway.broker.port()).await;
    let direct = format!("port = {}", gateway.broker.port());
    gateway.write("gladhand.toml", &gateway.read("gladhand.toml").replace(&direct, &format!("port = {}", proxy.port())));
    gateway.launch().await;

    let fixes = gateway.recording.fixes();
    let mut rng = Rng::new(SEED);
    let part = fixes.len() / FLAPS;
    for (n, chunk) in fixes.chunks(part + 1).enumerate() {
        let breaks = rng.range(0.0, chunk.len() as f64) as usize;
        for (i, (topic, payload)) in chunk.iter().enumerate() {
            gateway.watch.publish(topic, payload.as_str(), false).await;
            if i == breaks {
                // In the middle of whatever is under way, acknowledgements included.
                proxy.treat_open(Then::ResetAfter(0));
            }
        }
        let again = n as u64 + 2;
        gateway.watch.health("to be back", |h| h["mqtt"]["connects"] == again && h["mqtt"]["connected"] == true).await;
    }
    gateway.settle().await;
    gateway.watch.message("the call to be made", |said| said.call("placed")).await;
    let whole = fixes.len() as u64;
    gateway.watch.health("every fix", |h| h["telemetry"]["received"].as_u64() >= Some(whole)).await;

    let mut states: Vec<&str> =
        gateway.watch.heard.iter().filter(|said| said.call(said.text("/state"))).map(|said| said.text("/state")).collect();
    states.dedup();
    assert_eq!(states.get(..3), Some(&["pending", "dialing", "placed"][..]), "{states:?}");
    assert!(gateway.watch.count(Heard::opened) >= 1);
    assert_eq!((gateway.posts(), gateway.vendor.conversations().len()), (1, 1));
    let health = gateway.watch.health("nothing to be lost", |h| h["mqtt"]["sessions_lost"] == 0).await;
    assert_eq!(health["mqtt"]["connects"], FLAPS + 1, "{health:#}");
}
