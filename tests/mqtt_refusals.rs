//! What the broker refuses by its access list is named, and everything else goes on.

#[path = "common/link.rs"]
mod link;
#[path = "common/mosquitto.rs"]
mod mosquitto;

use std::net::Ipv4Addr;

use gladhand::mqtt::{Link, LinkEvent, Ticket};
use link::{next_message, open, subscribed, without_a_break};
use mosquitto::Mosquitto;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[tokio::test]
async fn a_publish_the_broker_does_not_want_is_not_taken_for_delivered() {
    let broker = Mosquitto::start_prepared("allow_anonymous true\nacl_file {dir}/acl\n", |directory| {
        std::fs::write(directory.join("acl"), "topic readwrite open/#\n").unwrap();
    });
    let mut link = subscribed(broker.port(), "gateway", &[]).await;
    link.publish(Ticket(1), "closed/a", "x", false).unwrap();
    link.publish(Ticket(2), "open/a", "x", false).unwrap();
    let mut answers = Vec::new();
    without_a_break(&mut link, "both answers", |event| {
        answers.push(format!("{event:?}"));
        matches!(event, LinkEvent::Delivered(_)).then_some(())
    })
    .await;
    assert_eq!(answers, ["Refused { ticket: Ticket(1), reason: \"NotAuthorized\" }", "Delivered(Ticket(2))"]);
}

#[tokio::test]
async fn a_filter_that_cannot_be_subscribed_to_is_named_and_the_others_are() {
    let broker = Mosquitto::start();
    let mut link = open(broker.port(), "gateway", &["fleet/#/telemetry", "zones"]);
    let mut told = Vec::new();
    refused_until_subscribed(&mut link, &mut told).await;
    assert_eq!(told, ["fleet/#/telemetry"]);
    link.publish(Ticket(1), "zones", "[]", false).unwrap();
    assert_eq!(next_message(&mut link).await.topic(), "zones");
}

#[tokio::test]
async fn a_filter_the_broker_refuses_is_named() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut link = open(listener.local_addr().unwrap().port(), "gateway", &["a", "a#", "b", "c"]);
    let broker = async {
        let (mut broker, _) = listener.accept().await.unwrap();
        let mut packet = [0; 256];
        assert_ne!(broker.read(&mut packet).await.unwrap(), 0);
        broker.write_all(&CONNACK).await.unwrap();
        assert_ne!(broker.read(&mut packet).await.unwrap(), 0);
        broker.write_all(&SUBACK).await.unwrap();
        broker
    };
    let mut told = Vec::new();
    let (_broker, ()) = tokio::join!(broker, refused_until_subscribed(&mut link, &mut told));
    assert_eq!(told, ["a#", "b"]);
}

/// No session, success, no properties.
const CONNACK: [u8; 5] = [0x20, 3, 0, 0, 0];
/// To packet 1, no properties: QoS 1, not authorized, QoS 1.
const SUBACK: [u8; 8] = [0x90, 6, 0, 1, 0, 1, 0x87, 1];

async fn refused_until_subscribed(link: &mut Link, told: &mut Vec<String>) {
    without_a_break(link, "Subscribed", |event| {
        if let LinkEvent::SubscriptionRefused { filter } = event {
            told.push(filter);
            return None;
        }
        matches!(event, LinkEvent::Subscribed).then_some(())
    })
    .await;
}
