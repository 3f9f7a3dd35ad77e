//! A broker that is connected and dead is noticed after twice the keep-alive, also while we write to it.
//!
//! The broker here is a socket that answers CONNECT with a server keep-alive, which makes the wait short.
#![allow(clippy::disallowed_methods, reason = "measures how long something takes")]

#[path = "common/link.rs"]
mod link;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use gladhand::mqtt::{Link, Ticket};
use link::{open, until_connected, until_disconnected, until_subscribed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

#[tokio::test]
async fn a_ping_without_an_answer_ends_the_connection() {
    let (mut link, _broker) = connected_with_keep_alive(1).await;
    let connected = Instant::now();
    let reason = until_disconnected(&mut link).await;
    assert_eq!(reason, "the broker did not answer a ping");
    assert!(connected.elapsed() < Duration::from_secs(4), "{:?}", connected.elapsed());
}

#[tokio::test]
async fn a_broker_that_reads_nothing_does_not_hold_us_in_a_write() {
    let (mut link, _broker) = connected_with_keep_alive(1).await;
    let connected = Instant::now();
    for n in 0..64 {
        link.publish(Ticket(n), "big", vec![b'x'; 1 << 20], false).unwrap();
    }
    let reason = until_disconnected(&mut link).await;
    assert_eq!(reason, "the broker reads nothing");
    assert!(connected.elapsed() < Duration::from_secs(4), "{:?}", connected.elapsed());
}

#[tokio::test]
async fn a_server_keep_alive_of_zero_does_not_make_us_ping_without_pause() {
    let (mut link, _broker) = connected_with_keep_alive(0).await;
    until_subscribed(&mut link).await;
    // Nobody answers a ping: the second would end the connection.
    let quiet = timeout(Duration::from_millis(300), link.recv()).await;
    assert!(quiet.is_err(), "{quiet:?}");
}

#[expect(clippy::unwrap_used, reason = "a helper of tests fails its test")]
async fn connected_with_keep_alive(seconds: u8) -> (Link, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut link = open(listener.local_addr().unwrap().port(), "gateway", &[]);
    let broker = async {
        let (mut broker, _) = listener.accept().await.unwrap();
        let mut connect = [0; 256];
        assert_ne!(broker.read(&mut connect).await.unwrap(), 0);
        // CONNACK: no session, success, one property of two bytes: server keep-alive.
        broker.write_all(&[0x20, 6, 0, 0, 3, 0x13, 0, seconds]).await.unwrap();
        broker
    };
    let (broker, _session_present) = tokio::join!(broker, until_connected(&mut link));
    (link, broker)
}
