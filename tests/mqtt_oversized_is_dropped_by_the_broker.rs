//! A message larger than 256 KiB is dropped by the broker, told so by our CONNECT, and disturbs nothing.

#[path = "common/link.rs"]
mod link;
#[path = "common/mosquitto.rs"]
mod mosquitto;

use link::{deliver, subscribed, unbroken_message};
use mosquitto::Mosquitto;

#[tokio::test]
async fn neither_does_it_arrive_nor_does_it_break_the_link() {
    let broker = Mosquitto::start();
    let mut link = subscribed(broker.port(), "gateway", &["fleet/+/telemetry"]).await;
    let mut sender = subscribed(broker.port(), "tracker", &[]).await;

    let sizes = [300 * 1024, 255 * 1024, 300 * 1024, 1];
    deliver(&mut sender, "fleet/1/telemetry", sizes.map(|size| "x".repeat(size))).await;

    let mut arrived = Vec::new();
    while arrived.last() != Some(&1) {
        let message = unbroken_message(&mut link).await;
        arrived.push(message.payload().len());
        link.ack(message.receipt());
    }
    assert_eq!(arrived, [255 * 1024, 1]);
}
