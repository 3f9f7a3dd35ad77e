//! 20,000 messages at QoS 1 come through, all are acknowledged, and the link holds.

#[path = "common/link.rs"]
mod link;
#[path = "common/mosquitto.rs"]
mod mosquitto;

use gladhand::mqtt::{Inbox, Link, LinkEvent, Ticket};
use link::{deliver, next_message, open, subscribed, text, without_a_break};
use mosquitto::Mosquitto;

const MESSAGES: u64 = 20_000;

#[tokio::test]
async fn nothing_stalls_and_nothing_is_lost() {
    // Without a limit of its queue the broker would have to drop what we cannot take in time.
    let broker = Mosquitto::start_with("allow_anonymous true\nmax_queued_messages 0\n");
    let (sender, answers) = subscribed(broker.port(), "trackers", &[]).await;
    let (mut link, mut inbox) = subscribed(broker.port(), "gateway", &["fleet/+/telemetry"]).await;

    let flood = tokio::spawn(flood(sender, answers));
    let mut next = 0;
    without_a_break(&mut inbox, "the last message", |event| {
        let LinkEvent::Message(message) = event else { return None };
        assert_eq!(text(&message), next.to_string());
        link.ack(message);
        next += 1;
        (next == MESSAGES).then_some(())
    })
    .await;
    let (mut sender, mut answers) = flood.await.unwrap();
    assert!(link.goodbye(inbox, "up/gateway", "down").await);

    // Whatever had not been acknowledged would come before the new one.
    let (_link, mut inbox) = open(broker.port(), "gateway", &["fleet/+/telemetry"]);
    deliver(&mut sender, &mut answers, "fleet/1/telemetry", ["new".to_owned()]).await;
    assert_eq!(text(&next_message(&mut inbox).await), "new");
}

async fn flood(mut link: Link, mut inbox: Inbox) -> (Link, Inbox) {
    let mut sent = 0;
    let mut delivered = 0;
    while delivered < MESSAGES {
        while sent < MESSAGES
            && link.publish(Ticket(sent), format!("fleet/{}/telemetry", sent % 200), sent.to_string(), false).is_ok()
        {
            sent += 1;
        }
        let ticket = without_a_break(&mut inbox, "the next Delivered", |event| {
            if let LinkEvent::Delivered(ticket) = event { Some(ticket) } else { None }
        });
        assert_eq!(ticket.await, Ticket(delivered));
        delivered += 1;
    }
    (link, inbox)
}
