//! A message larger than 256 KiB is dropped by the broker, told so by our CONNECT, and disturbs nothing.

#[path = "common/link.rs"]
mod link;
#[path = "common/mosquitto.rs"]
mod mosquitto;

use gladhand::mqtt::LinkEvent;
use link::{deliver, subscribed, without_a_break};
use mosquitto::Mosquitto;

#[tokio::test]
async fn neither_does_it_arrive_nor_does_it_break_the_link() {
    let broker = Mosquitto::start();
    let (mut link, mut inbox) = subscribed(broker.port(), "gateway", &["fleet/+/telemetry"]).await;
    let (mut sender, mut answers) = subscribed(broker.port(), "tracker", &[]).await;

    let sizes = [300 * 1024, 255 * 1024, 300 * 1024, 1];
    deliver(&mut sender, &mut answers, "fleet/1/telemetry", sizes.map(|size| "x".repeat(size))).await;

    let mut arrived = Vec::new();
    without_a_break(&mut inbox, "the last message", |event| {
        let LinkEvent::Message(message) = event else { return None };
        let size = message.payload().len();
        arrived.push(size);
        link.ack(message);
        (size == 1).then_some(())
    })
    .await;
    assert_eq!(arrived, [255 * 1024, 1]);
}
