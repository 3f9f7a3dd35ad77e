//! `check` learns whether the broker lets us in and what it is.

#[path = "common/mosquitto.rs"]
mod mosquitto;

use gladhand::mqtt::{Settings, probe};
use mosquitto::{Mosquitto, free_port};

#[tokio::test]
async fn a_reachable_broker_says_its_version_and_another_why_not() {
    let broker = Mosquitto::start();
    let settings = Settings { host: "localhost".to_owned(), port: broker.port(), ..Settings::default() };
    let version = probe(&settings, "gateway-check", None).await.unwrap().version.unwrap();
    assert!(version.starts_with("mosquitto version "), "{version}");

    let settings = Settings { host: "::1".to_owned(), port: free_port(), ..Settings::default() };
    let why = probe(&settings, "gateway-check", None).await.unwrap_err();
    assert!(why.starts_with("[::1]:"), "{why}");

    let settings = Settings { host: "no-such-broker.invalid".to_owned(), ..Settings::default() };
    assert!(probe(&settings, "gateway-check", None).await.unwrap_err().starts_with("no-such-broker.invalid:1883: "));
}
