//! One look at a broker, for `check`.

use std::future::poll_fn;
use std::time::Duration;

use tokio::time::timeout;

use super::event::LinkEvent;
use super::link::connect;
use super::options::Options;
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
    let options = Options::new(settings, client_id, password, None, vec![VERSION.to_owned()]);
    let mut wire = connect(&options, 1).await.map_err(|lost| lost.reason(&options))?;
    // The first event is that the broker let us in.
    poll_fn(|cx| wire.poll_next(cx)).await.map_err(|lost| lost.reason(&options))?;
    let version = timeout(PATIENCE, async {
        loop {
            match poll_fn(|cx| wire.poll_next(cx)).await {
                Ok(LinkEvent::Message(message)) => break Some(message),
                Ok(
                    LinkEvent::Connected { .. }
                    | LinkEvent::Subscribed
                    | LinkEvent::SubscriptionRefused { .. }
                    | LinkEvent::Disconnected { .. }
                    | LinkEvent::Delivered(_)
                    | LinkEvent::Refused { .. },
                ) => {}
                Err(_) => break None,
            }
        }
    });
    let version = version.await.ok().flatten();
    Ok(Broker { version: version.map(|message| String::from_utf8_lossy(message.payload()).chars().take(80).collect()) })
}
