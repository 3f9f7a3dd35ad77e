//! The poll task: connects, subscribes, hands over, waits, connects again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, ConnectReturnCode, DisconnectReasonCode, Filter, LastWill, Packet, PubAckReason, SubAck, SubscribeReasonCode,
};
use rumqttc::v5::mqttbytes::{QoS, valid_filter};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, StateError};
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::backoff::{Attempt, Backoff};
use super::inbox::{Arrival, Message};
use super::link::{Established, SharedSession};
use super::{Password, Settings, Will};
use crate::host::clock;

/// A link that went dead is noticed after twice this.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// For name, TCP and CONNACK together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the broker keeps messages for us while we are away.
const SESSION_EXPIRY: Duration = Duration::from_secs(24 * 3600);
/// The broker drops what is larger.
const LARGEST_PACKET: u32 = 256 * 1024;
/// Messages the broker sends before it waits for our acknowledgements.
const RECEIVE_MAXIMUM: u16 = 128;
/// Publishes of ours in flight at most; less where the broker's receive maximum says so.
pub(super) const WINDOW: usize = 64;
/// Acknowledgements handed to rumqttc at once.
pub(super) const ACKS: usize = 64;
/// Room for the acknowledgements, our publishes, the subscription and the goodbye: nothing is ever refused.
const REQUESTS: usize = ACKS + 2 * WINDOW;

pub(super) fn options(settings: &Settings, client_id: &str, password: Option<&Password>, will: Option<Will>) -> MqttOptions {
    let mut options = MqttOptions::new(client_id, bracketed(&settings.host), settings.port);
    let mut network = options.network_options();
    network.set_tcp_nodelay(true);
    options
        .set_network_options(network)
        .set_keep_alive(KEEP_ALIVE)
        .set_connection_timeout(CONNECT_TIMEOUT.as_secs())
        .set_manual_acks(true)
        .set_max_packet_size(Some(LARGEST_PACKET))
        .set_receive_maximum(Some(RECEIVE_MAXIMUM))
        .set_outgoing_inflight_upper_limit(WINDOW as u16 + 1);
    if let Some(Will { topic, payload }) = will {
        options
            .set_clean_start(false)
            .set_session_expiry_interval(Some(SESSION_EXPIRY.as_secs() as u32))
            .set_last_will(LastWill::new(topic, payload, QoS::AtLeastOnce, true, None));
    }
    let (username, password) = (settings.username.as_deref(), password.map(Password::expose));
    if username.is_some() || password.is_some() {
        options.set_credentials(username.unwrap_or_default(), password.unwrap_or_default());
    }
    options
}

/// Connects again and again, until goodbye is said or nobody listens.
pub(super) async fn keep(options: MqttOptions, filters: Arc<[String]>, arrivals: Sender<Arrival>, session: SharedSession) {
    let mut backoff = Backoff::default();
    let mut epoch = 0;
    loop {
        epoch += 1;
        let mut connection = JoinSet::new();
        let (filters, to, session) = (filters.clone(), arrivals.clone(), session.clone());
        connection.spawn(Connection::new(options.clone(), epoch, filters, to, session).run());
        let (reason, attempt) = match connection.join_next().await {
            Some(Ok(End::Goodbye)) | None => return,
            Some(Ok(End::Lost { reason, attempt })) => (reason, attempt),
            Some(Err(panic)) => (format!("the client failed: {panic}"), Attempt::Failed),
        };
        if arrivals.send(Arrival::Disconnected { reason }).await.is_err() {
            return;
        }
        sleep(backoff.wait(attempt)).await;
    }
}

/// What a person can do about it.
pub(super) fn reason(error: &ConnectionError, options: &MqttOptions) -> String {
    let (host, port) = options.broker_address();
    let id = options.client_id();
    match error {
        ConnectionError::Io(e) => format!("{host}:{port}: {e}"),
        ConnectionError::Timeout(_) => format!("{host}:{port}: no answer within {} s", CONNECT_TIMEOUT.as_secs()),
        ConnectionError::ConnectionRefused(code) => {
            let what = refusal(*code).map_or_else(|| format!("{code:?}"), str::to_owned);
            format!("{host}:{port} refused the connection: {what}")
        }
        ConnectionError::NotConnAck(_) => format!("{host}:{port} does not speak MQTT 5"),
        ConnectionError::RequestsDone => "nothing more to send".to_owned(),
        ConnectionError::MqttState(StateError::AwaitPingResp) => "the broker did not answer a ping".to_owned(),
        ConnectionError::MqttState(StateError::ServerDisconnect {
            reason_code: DisconnectReasonCode::SessionTakenOver, ..
        }) => {
            format!("another client connected with the client id {id:?}")
        }
        ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. }) => {
            format!("the broker disconnected us: {reason_code:?}")
        }
        ConnectionError::MqttState(e) => e.to_string(),
    }
}

/// A refusal that stands until somebody changes a configuration.
#[expect(clippy::wildcard_enum_match_arm, reason = "rumqttc's enum; others are the broker's trouble and may pass")]
fn refusal(code: ConnectReturnCode) -> Option<&'static str> {
    match code {
        ConnectReturnCode::BadUserNamePassword => Some("wrong user name or password"),
        ConnectReturnCode::NotAuthorized => Some("not authorized; check mqtt.username and mqtt.password_file"),
        ConnectReturnCode::BadClientId | ConnectReturnCode::ClientIdentifierNotValid => Some("it does not like our client id"),
        ConnectReturnCode::RefusedProtocolVersion | ConnectReturnCode::UnsupportedProtocolVersion => {
            Some("it does not speak MQTT 5")
        }
        ConnectReturnCode::Banned => Some("banned"),
        ConnectReturnCode::BadAuthenticationMethod => Some("it wants another authentication method"),
        ConnectReturnCode::RetainNotSupported => Some("it allows no retained messages, which health needs"),
        ConnectReturnCode::QoSNotSupported => Some("it allows no QoS 1"),
        _ => None,
    }
}

/// `host:port` is how rumqttc asks for an address.
fn bracketed(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}

enum End {
    Goodbye,
    Lost { reason: String, attempt: Attempt },
}

/// One connection, from its attempt to its end.
struct Connection {
    client: AsyncClient,
    eventloop: EventLoop,
    epoch: u64,
    filters: Arc<[String]>,
    arrivals: Sender<Arrival>,
    session: SharedSession,
    since: Option<Instant>,
    /// Publishes that went out on this connection.
    published: u64,
    /// Packet id to place in the order of publishes.
    unanswered: BTreeMap<u16, u64>,
}

/// Nobody listens any more.
struct Unheard;

impl Connection {
    fn new(options: MqttOptions, epoch: u64, filters: Arc<[String]>, arrivals: Sender<Arrival>, session: SharedSession) -> Self {
        let (client, eventloop) = AsyncClient::new(options, REQUESTS);
        Self { client, eventloop, epoch, filters, arrivals, session, since: None, published: 0, unanswered: BTreeMap::new() }
    }

    async fn run(mut self) -> End {
        loop {
            // A poll yields at least every keep-alive, when it pings, unless a write to a dead peer holds it.
            let dead = 2 * self.eventloop.options.keep_alive();
            let event = match timeout(dead, self.eventloop.poll()).await {
                Ok(Ok(event)) => event,
                Ok(Err(e)) => return self.lost(reason(&e, &self.eventloop.options), &e),
                Err(_) => return End::Lost { reason: "the broker reads nothing".to_owned(), attempt: self.lasted() },
            };
            if event == Event::Outgoing(Outgoing::Disconnect) {
                return End::Goodbye;
            }
            if let Err(Unheard) = self.hand_over(event).await {
                return End::Goodbye;
            }
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "rumqttc's enums; the rest is its own business")]
    async fn hand_over(&mut self, event: Event) -> Result<(), Unheard> {
        match event {
            Event::Incoming(Packet::Publish(publish)) => {
                self.send(Arrival::Message(Message { publish, epoch: self.epoch })).await
            }
            Event::Incoming(Packet::ConnAck(connack)) => self.connected(connack).await,
            Event::Incoming(Packet::SubAck(suback)) => self.subscribed(suback).await,
            Event::Incoming(Packet::PubAck(puback)) => match self.unanswered.remove(&puback.pkid) {
                Some(place) => self.send(Arrival::Answered { place, refused: refused(puback.reason) }).await,
                None => Ok(()),
            },
            Event::Outgoing(Outgoing::Publish(packet_id)) => {
                self.published += 1;
                self.unanswered.insert(packet_id, self.published);
                Ok(())
            }
            Event::Outgoing(Outgoing::PubAck(_)) => {
                self.session.acked(self.epoch);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn connected(&mut self, connack: ConnAck) -> Result<(), Unheard> {
        self.since = Some(clock::instant());
        // A server keep-alive of 0 would make rumqttc ping without pause.
        if self.eventloop.options.keep_alive().is_zero() {
            self.eventloop.options.set_keep_alive(KEEP_ALIVE);
        }
        let properties = connack.properties.as_ref();
        let established = Established {
            client: self.client.clone(),
            epoch: self.epoch,
            receive_maximum: usize::from(properties.and_then(|p| p.receive_max).unwrap_or(u16::MAX)),
            largest: properties.and_then(|p| p.max_packet_size).unwrap_or(u32::MAX) as usize,
        };
        self.send(Arrival::Connected { established, session_present: connack.session_present }).await?;
        self.subscribe().await
    }

    async fn subscribe(&mut self) -> Result<(), Unheard> {
        let mut asked = Vec::new();
        for filter in self.filters.clone().iter() {
            if may_be_asked(filter) {
                asked.push(Filter::new(filter, QoS::AtLeastOnce));
            } else {
                self.send(Arrival::SubscriptionRefused { filter: filter.clone() }).await?;
            }
        }
        if asked.is_empty() {
            return self.send(Arrival::Subscribed).await;
        }
        // The channel is new: it has room.
        drop(self.client.try_subscribe_many(asked));
        Ok(())
    }

    /// One SUBSCRIBE asks for all filters, so this is the answer to all.
    async fn subscribed(&mut self, suback: SubAck) -> Result<(), Unheard> {
        let filters = self.filters.clone();
        let asked = filters.iter().filter(|filter| may_be_asked(filter));
        for (filter, code) in asked.zip(suback.return_codes) {
            if !matches!(code, SubscribeReasonCode::Success(_)) {
                self.send(Arrival::SubscriptionRefused { filter: filter.clone() }).await?;
            }
        }
        self.send(Arrival::Subscribed).await
    }

    /// `&mut`, because an event loop may not be shared between threads.
    async fn send(&mut self, arrival: Arrival) -> Result<(), Unheard> {
        self.arrivals.send(arrival).await.map_err(|_| Unheard)
    }

    fn lost(&self, reason: String, error: &ConnectionError) -> End {
        let attempt = match error {
            ConnectionError::ConnectionRefused(code) if refusal(*code).is_some() => Attempt::Hopeless,
            ConnectionError::ConnectionRefused(_)
            | ConnectionError::MqttState(_)
            | ConnectionError::Timeout(_)
            | ConnectionError::Io(_)
            | ConnectionError::NotConnAck(_)
            | ConnectionError::RequestsDone => self.lasted(),
        };
        End::Lost { reason, attempt }
    }

    fn lasted(&self) -> Attempt {
        self.since.map_or(Attempt::Failed, |since| Attempt::Lasted(since.elapsed()))
    }
}

/// A broker answers others with a disconnect, which would repeat for ever.
fn may_be_asked(filter: &str) -> bool {
    valid_filter(filter) && !filter.contains('\0') && filter.len() <= usize::from(u16::MAX)
}

fn refused(reason: PubAckReason) -> Option<String> {
    match reason {
        PubAckReason::Success | PubAckReason::NoMatchingSubscribers => None,
        PubAckReason::UnspecifiedError
        | PubAckReason::ImplementationSpecificError
        | PubAckReason::NotAuthorized
        | PubAckReason::TopicNameInvalid
        | PubAckReason::PacketIdentifierInUse
        | PubAckReason::QuotaExceeded
        | PubAckReason::PayloadFormatInvalid => Some(format!("{reason:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_is_bracketed_once() {
        assert_eq!(["::1", "[::1]", "127.0.0.1", "broker.local"].map(bracketed), ["[::1]", "[::1]", "127.0.0.1", "broker.local"]);
    }

    #[test]
    fn filters_a_broker_would_hang_up_on_are_not_asked_for() {
        let asked = ["fleet/+/telemetry", "#", "$SYS/broker/version"];
        assert!(asked.iter().all(|filter| may_be_asked(filter)));
        assert!(!["", "a#", "a/#/b", "a+/b", "a\0"].iter().any(|filter| may_be_asked(filter)));
    }

    #[test]
    fn a_refused_password_is_named_and_not_shown() {
        let settings = Settings { username: Some("u".to_owned()), ..Settings::default() };
        let options = options(&settings, "yard-7", Password::new("s3cret").as_ref(), None);
        let error = ConnectionError::ConnectionRefused(ConnectReturnCode::BadUserNamePassword);
        assert_eq!(reason(&error, &options), "127.0.0.1:1883 refused the connection: wrong user name or password");
    }
}
