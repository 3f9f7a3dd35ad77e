//! What a batch of messages has to answer goes out in one write, and no acknowledgement waits for more traffic.

#[path = "common/link.rs"]
mod link;

use std::io::ErrorKind;
use std::net::Ipv4Addr;

use gladhand::mqtt::{Link, LinkEvent};
use link::{open, unbroken_message, until_subscribed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const MESSAGES: u8 = 50;

#[tokio::test]
async fn acknowledgements_go_out_together_when_they_are_flushed() {
    let (mut link, broker) = flooded().await;
    let mut receipts = vec![unbroken_message(&mut link).await.receipt()];
    while let Some(event) = link.buffered() {
        if let LinkEvent::Message(message) = event {
            receipts.push(message.receipt());
        }
    }
    assert_eq!(receipts.len(), usize::from(MESSAGES), "they were read together");
    for receipt in receipts {
        link.ack(receipt);
    }
    assert_eq!(broker.try_read(&mut [0; 1024]).unwrap_err().kind(), ErrorKind::WouldBlock, "nothing is written one by one");

    link.flush();
    broker.readable().await.unwrap();
    let mut answers = [0; 1024];
    let length = broker.try_read(&mut answers).unwrap();
    assert_eq!(answers[..length], acknowledgements());
}

#[tokio::test]
async fn who_waits_for_the_next_message_has_acknowledged_the_last() {
    let (mut link, mut broker) = flooded().await;
    for _ in 0..MESSAGES {
        let receipt = unbroken_message(&mut link).await.receipt();
        link.ack(receipt);
    }
    let mut answers = vec![0; acknowledgements().len()];
    tokio::select! {
        event = link.recv() => panic!("{event:?}"),
        read = broker.read_exact(&mut answers) => assert_eq!(read.unwrap(), answers.len()),
    }
    assert_eq!(answers, acknowledgements());
}

/// A link whose broker has sent [`MESSAGES`] in one write.
#[expect(clippy::unwrap_used, reason = "a helper of tests fails its test")]
async fn flooded() -> (Link, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut link = open(listener.local_addr().unwrap().port(), "gateway", &["fleet/+/telemetry"]);
    let broker = async {
        let (mut broker, _) = listener.accept().await.unwrap();
        let mut packet = [0; 256];
        assert_ne!(broker.read(&mut packet).await.unwrap(), 0);
        // CONNACK, and when it has subscribed SUBACK and everything else.
        broker.write_all(&[0x20, 3, 0, 0, 0]).await.unwrap();
        assert_ne!(broker.read(&mut packet).await.unwrap(), 0);
        let mut all = vec![0x90, 4, 0, 1, 0, 1];
        for id in 1..=MESSAGES {
            // At QoS 1, on the topic "t", without properties.
            all.extend([0x32, 8, 0, 1, b't', 0, id, 0, b'{', b'}']);
        }
        broker.write_all(&all).await.unwrap();
        broker
    };
    let (broker, ()) = tokio::join!(broker, until_subscribed(&mut link));
    (link, broker)
}

fn acknowledgements() -> Vec<u8> {
    (1..=MESSAGES).flat_map(|id| [0x40, 2, 0, id]).collect()
}
