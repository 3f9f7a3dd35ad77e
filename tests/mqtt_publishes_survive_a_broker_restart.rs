//! A publish is delivered, or its ticket stays open and can be published again on the next connection.

#[path = "common/link.rs"]
mod link;
#[path = "common/mosquitto.rs"]
mod mosquitto;

use std::collections::BTreeSet;

use gladhand::mqtt::{LinkEvent, NotSent, Ticket};
use link::{subscribed, text, unbroken_message, until_disconnected, until_subscribed, without_a_break};
use mosquitto::Mosquitto;

#[tokio::test]
async fn what_was_not_delivered_is_published_again() {
    let mut broker = Mosquitto::start();
    let mut observer = subscribed(broker.port(), "observer", &["out"]).await;
    let mut link = subscribed(broker.port(), "gateway", &[]).await;

    // More than the window, to a broker that reads nothing and is then killed.
    broker.freeze();
    let mut open: BTreeSet<u64> = (0..200).collect();
    for &n in &open {
        link.publish(Ticket(n), "out", n.to_string(), false).unwrap();
    }
    assert_eq!(link.pending(), 200);
    broker.kill();
    until_disconnected(&mut link).await;
    assert_eq!(link.pending(), 0);
    assert_eq!(link.publish(Ticket(0), "out", "0", false), Err(NotSent::Offline));

    broker.restart();
    until_subscribed(&mut observer).await;
    until_subscribed(&mut link).await;
    for &n in &open {
        link.publish(Ticket(n), "out", n.to_string(), false).unwrap();
    }
    without_a_break(&mut link, "every Delivered", |event| {
        let LinkEvent::Delivered(Ticket(n)) = event else { return None };
        assert!(open.remove(&n), "{n} was delivered twice");
        open.is_empty().then_some(())
    })
    .await;

    let mut heard = Vec::new();
    while heard.len() < 200 {
        let message = unbroken_message(&mut observer).await;
        heard.push(text(&message));
        observer.ack(message.receipt());
    }
    assert_eq!(heard, (0..200).map(|n| n.to_string()).collect::<Vec<_>>());
}
