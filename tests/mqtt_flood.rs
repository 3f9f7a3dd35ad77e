//! 20,000 messages at QoS 1 come through, all are acknowledged, and the link holds.

#[path = "common/link.rs"]
mod link;
#[path = "common/mosquitto.rs"]
mod mosquitto;

use gladhand::mqtt::{Link, LinkEvent, Ticket};
use link::{deliver, next_message, open, subscribed, text, unbroken_message, without_a_break};
use mosquitto::Mosquitto;

const MESSAGES: u64 = 20_000;

#[tokio::test]
async fn nothing_stalls_and_nothing_is_lost() {
    // Without a limit of its queue the broker would have to drop what we cannot take in time.
    let broker = Mosquitto::start_with("allow_anonymous true\nmax_queued_messages 0\n");
    let sender = subscribed(broker.port(), "trackers", &[]).await;
    let mut link = subscribed(broker.port(), "gateway", &["fleet/+/telemetry"]).await;

    let flood = tokio::spawn(flood(sender));
    for next in 0..MESSAGES {
        let message = unbroken_message(&mut link).await;
        assert_eq!(text(&message), next.to_string());
        link.ack(message.receipt());
    }
    let mut sender = flood.await.unwrap();
    assert!(link.goodbye("up/gateway", "down").await);

    // Whatever had not been acknowledged would come before the new one.
    let mut link = open(broker.port(), "gateway", &["fleet/+/telemetry"]);
    deliver(&mut sender, "fleet/1/telemetry", ["new".to_owned()]).await;
    assert_eq!(text(&next_message(&mut link).await), "new");
}

async fn flood(mut link: Link) -> Link {
    let mut sent = 0;
    let mut delivered = 0;
    while delivered < MESSAGES {
        while sent < MESSAGES
            && link.publish(Ticket(sent), format!("fleet/{}/telemetry", sent % 200), sent.to_string(), false).is_ok()
        {
            sent += 1;
        }
        let ticket = without_a_break(&mut link, "the next Delivered", |event| {
            if let LinkEvent::Delivered(ticket) = event { Some(ticket) } else { None }
        });
        assert_eq!(ticket.await, Ticket(delivered));
        delivered += 1;
    }
    link
}
