//! A broker that lost everything it knew of us is subscribed to again.
#![allow(clippy::disallowed_methods, reason = "measures how long something takes")]

#[path = "common/link.rs"]
mod link;
#[path = "common/mosquitto.rs"]
mod mosquitto;

use std::time::{Duration, Instant};

use link::{deliver, next_message, subscribed, text, until_connected, until_subscribed};
use mosquitto::Mosquitto;

#[tokio::test]
async fn messages_flow_within_five_seconds_after_a_broker_lost_its_sessions() {
    let mut broker = Mosquitto::start();
    let mut link = subscribed(broker.port(), "gateway", &["fleet/+/telemetry", "zones"]).await;

    broker.kill();
    broker.wipe();
    broker.restart();
    let restarted = Instant::now();
    assert!(!until_connected(&mut link).await);
    until_subscribed(&mut link).await;
    let mut sender = subscribed(broker.port(), "tracker", &[]).await;
    for topic in ["fleet/1/telemetry", "zones"] {
        deliver(&mut sender, topic, ["hello".to_owned()]).await;
        let message = next_message(&mut link).await;
        assert_eq!((message.topic(), text(&message).as_str()), (topic, "hello"));
    }
    assert!(restarted.elapsed() < Duration::from_secs(5), "{:?}", restarted.elapsed());
}
