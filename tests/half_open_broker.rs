//! A link to the broker that swallows everything without breaking is given up after twice the keep-alive; what was published
//! meanwhile comes with the next one, and the call is made.

#[path = "common/daemon.rs"]
mod daemon;
#[path = "common/proxy.rs"]
mod proxy;

use std::time::Duration;

use daemon::{Gateway, Setup};
use proxy::{Proxy, Then};
use tokio::time::Instant;

/// Twice the keep-alive of 10 s, and what it takes to connect again.
const NOTICED_WITHIN: Duration = Duration::from_secs(25);

#[tokio::test]
async fn what_was_said_into_a_dead_link_is_said_again_on_the_next() {
    let mut gateway = Gateway::prepare(Setup::default()).await;
    let proxy = Proxy::to(gateway.broker.port()).await;
    let direct = format!("port = {}", gateway.broker.port());
    gateway.write("gladhand.toml", &gateway.read("gladhand.toml").replace(&direct, &format!("port = {}", proxy.port())));
    gateway.launch().await;

    let swallowed = Instant::now();
    proxy.treat_open(Then::Swallow);
    gateway.play().await;
    gateway.watch.message("the call, over the next link", |said| said.call("placed")).await;
    assert!(swallowed.elapsed() < NOTICED_WITHIN, "{:?}", swallowed.elapsed());
    assert_eq!((proxy.connections(), gateway.posts()), (2, 1));
    gateway.watch.health("its session to be kept", |h| h["mqtt"]["connects"] == 2 && h["mqtt"]["sessions_lost"] == 0).await;
}
