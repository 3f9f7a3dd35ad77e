//! One look at a broker, for `check`.

use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event};
use tokio::time::timeout;

use super::connection::{options, reason};
use super::{Password, Settings};

const VERSION: &str = "$SYS/broker/version";
/// For the version after the connection stands: not every broker tells it.
const PATIENCE: Duration = Duration::from_secs(1);

/// A broker that let us in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// As it says itself, such as `mosquitto version 2.0.11`; at most 80 characters.
    pub version: Option<String>,
}

/// Connects once, without leaving a session behind, and asks for the broker's version. The error is for people. Takes 6 s at
/// most.
pub async fn probe(settings: &Settings, client_id: &str, password: Option<&Password>) -> Result<Broker, String> {
    let options = options(settings, client_id, password, None);
    let (client, mut eventloop) = AsyncClient::new(options, 4);
    // The first poll connects, and yields the ConnAck.
    if let Err(e) = eventloop.poll().await {
        return Err(reason(&e, &eventloop.options));
    }
    drop(client.try_subscribe(VERSION, QoS::AtMostOnce));
    let version = timeout(PATIENCE, async {
        loop {
            match eventloop.poll().await {
                Ok(Event::Incoming(Packet::Publish(publish))) => break Some(publish.payload),
                Ok(Event::Incoming(_) | Event::Outgoing(_)) => {}
                Err(_) => break None,
            }
        }
    });
    let version = version.await.ok().flatten();
    Ok(Broker { version: version.map(|text| String::from_utf8_lossy(&text).chars().take(80).collect()) })
}
