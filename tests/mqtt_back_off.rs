//! A broker that is not there, hangs up, or refuses us is not stormed, and the reason is told.
#![allow(clippy::disallowed_methods, reason = "measures how long something takes")]

#[path = "common/link.rs"]
mod link;
#[path = "common/mosquitto.rs"]
mod mosquitto;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use gladhand::mqtt::{Password, Settings, connect};
use link::{closed_port, open, until_disconnected, until_subscribed, will};
use mosquitto::Mosquitto;
use tokio::net::TcpListener;

#[tokio::test]
async fn a_closed_port_is_tried_after_one_second_and_then_less_often() {
    let (_closed, port) = closed_port();
    let mut link = open(port, "gateway", &[]);
    let reason = until_disconnected(&mut link).await;
    assert!(reason.contains("Connection refused"), "{reason}");
    let mut last = Instant::now();
    for shortest in [1, 2] {
        until_disconnected(&mut link).await;
        let waited = last.elapsed();
        let shortest = Duration::from_secs(shortest);
        assert!(waited >= shortest && waited < 2 * shortest + Duration::from_secs(1), "{waited:?}");
        last = Instant::now();
    }
}

#[tokio::test]
async fn a_broker_that_hangs_up_sees_few_attempts() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut link = open(listener.local_addr().unwrap().port(), "gateway", &[]);
    let started = Instant::now();
    for _ in 0..3 {
        let hang_up = async { drop(listener.accept().await.unwrap()) };
        tokio::join!(hang_up, until_disconnected(&mut link));
    }
    assert!(started.elapsed() >= Duration::from_secs(3), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_broker_that_comes_later_is_found() {
    let mut broker = Mosquitto::start();
    broker.stop();
    let mut link = open(broker.port(), "gateway", &["fleet/+/telemetry"]);
    until_disconnected(&mut link).await;
    broker.restart();
    until_subscribed(&mut link).await;
}

#[tokio::test]
async fn a_wrong_password_is_named_and_never_shown() {
    let broker = Mosquitto::start_prepared("allow_anonymous false\npassword_file {dir}/passwords\n", |directory| {
        let file = directory.join("passwords");
        std::fs::write(&file, "gateway:right\n").unwrap();
        assert!(std::process::Command::new("mosquitto_passwd").arg("-U").arg(&file).status().unwrap().success());
    });
    let settings = Settings { port: broker.port(), username: Some("gateway".to_owned()), ..Settings::default() };

    let wrong = Password::new("s3cret");
    let mut link = connect(&settings, "gateway", wrong.as_ref(), will("gateway"), vec![]);
    let reason = until_disconnected(&mut link).await;
    assert!(reason.contains("refused the connection: not authorized"), "{reason}");
    assert!(!reason.contains("s3cret"), "{reason}");

    let right = Password::new("right\n");
    let mut link = connect(&settings, "gateway", right.as_ref(), will("gateway"), vec![]);
    until_subscribed(&mut link).await;
}
