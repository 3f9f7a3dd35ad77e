//! What was not acknowledged comes again to the next process, and what was acknowledged does not.

#[path = "common/link.rs"]
mod link;
#[path = "common/mosquitto.rs"]
mod mosquitto;

use gladhand::mqtt::Link;
use link::{deliver, next_message, open, subscribed, text, until_connected, until_disconnected};
use mosquitto::Mosquitto;

const FLEET: &[&str] = &["fleet/+/telemetry"];

#[tokio::test]
async fn all_that_a_killed_process_had_not_acknowledged_comes_again() {
    let broker = Mosquitto::start();
    let mut sender = subscribed(broker.port(), "tracker", &[]).await;
    let mut first = subscribed(broker.port(), "gateway", FLEET).await;
    deliver(&mut sender, "fleet/1/telemetry", (1..=5).map(|n| n.to_string())).await;
    next_message(&mut first).await;
    drop(first);

    let mut second = subscribed_again(broker.port()).await;
    let mut seen = Vec::new();
    for _ in 0..5 {
        let message = next_message(&mut second).await;
        seen.push(text(&message));
        second.ack(message.receipt());
    }
    assert_eq!(seen, ["1", "2", "3", "4", "5"]);
    assert!(second.goodbye("up/gateway", "down").await);

    // A third finds nothing left of them: the first thing it gets is new.
    let mut third = subscribed_again(broker.port()).await;
    deliver(&mut sender, "fleet/1/telemetry", ["6".to_owned()]).await;
    assert_eq!(text(&next_message(&mut third).await), "6");
}

/// Messages of the kept session may come before `Subscribed`, so this waits for nothing.
async fn subscribed_again(port: u16) -> Link {
    let mut link = open(port, "gateway", FLEET);
    assert!(until_connected(&mut link).await, "the broker keeps the session");
    link
}

#[tokio::test]
async fn an_acknowledgement_for_a_former_connection_is_not_sent() {
    let mut broker = Mosquitto::start();
    let mut sender = subscribed(broker.port(), "tracker", &[]).await;
    let mut link = subscribed(broker.port(), "gateway", FLEET).await;
    deliver(&mut sender, "fleet/1/telemetry", ["old".to_owned()]).await;
    let old = next_message(&mut link).await;

    broker.restart();
    until_disconnected(&mut link).await;
    let again = next_message(&mut link).await;
    assert_eq!((text(&again).as_str(), again.duplicate()), ("old", true));

    // The broker would take this one for an answer to the second delivery, and keep nothing. What is delivered after it shows
    // that it would have got there.
    link.ack(old.receipt());
    deliver(&mut link, "after", ["the acknowledgement".to_owned()]).await;
    broker.restart();
    until_disconnected(&mut link).await;
    assert_eq!(text(&next_message(&mut link).await), "old");
    link.ack(again.receipt());
}
