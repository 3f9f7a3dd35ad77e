//! A clean stop says "down" before it disconnects; any other end lets the broker say it.
#![allow(clippy::disallowed_methods, reason = "measures how long something takes")]

#[path = "common/link.rs"]
mod link;
#[path = "common/mosquitto.rs"]
mod mosquitto;

use std::time::{Duration, Instant};

use gladhand::mqtt::Ticket;
use link::{closed_port, next_message, open, subscribed, text, until_disconnected};
use mosquitto::Mosquitto;

#[tokio::test]
async fn goodbye_publishes_down_and_suppresses_the_will() {
    let broker = Mosquitto::start();
    let mut observer = subscribed(broker.port(), "observer", &["up/#"]).await;
    let mut link = subscribed(broker.port(), "gateway", &[]).await;

    link.publish(Ticket(1), "up/gateway", "up", true).unwrap();
    assert!(link.goodbye("up/gateway", "clean").await);
    assert_eq!(text(&next_message(&mut observer).await), "up");
    assert_eq!(text(&next_message(&mut observer).await), "clean");

    // The broker has seen the end of the first connection when it answers the second: a will would be retained by now.
    let mut later = subscribed(broker.port(), "later", &["up/#"]).await;
    let retained = next_message(&mut later).await;
    assert_eq!((text(&retained).as_str(), retained.retained()), ("clean", true));
}

#[tokio::test]
async fn an_abort_leaves_the_word_to_the_will() {
    let broker = Mosquitto::start();
    let mut observer = subscribed(broker.port(), "observer", &["up/#"]).await;
    let link = subscribed(broker.port(), "gateway", &[]).await;
    drop(link);
    assert_eq!(text(&next_message(&mut observer).await), r#"{"status":"down"}"#);
}

#[tokio::test]
async fn goodbye_to_a_broker_that_does_not_answer_gives_up_after_a_second() {
    let broker = Mosquitto::start();
    let mut observer = subscribed(broker.port(), "observer", &["up/#"]).await;
    let link = subscribed(broker.port(), "gateway", &[]).await;
    broker.freeze();
    let asked = Instant::now();
    assert!(!link.goodbye("other/gateway", "clean").await);
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());

    broker.thaw();
    assert_eq!(text(&next_message(&mut observer).await), r#"{"status":"down"}"#);
}

#[tokio::test]
async fn goodbye_without_a_connection_waits_for_nothing() {
    let (_closed, port) = closed_port();
    let mut link = open(port, "gateway", &[]);
    until_disconnected(&mut link).await;
    let asked = Instant::now();
    assert!(!link.goodbye("up/gateway", "clean").await);
    assert!(asked.elapsed() < Duration::from_millis(500), "{:?}", asked.elapsed());
}
