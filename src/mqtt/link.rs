//! What goes to the broker: acknowledgements and publishes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rumqttc::v5::AsyncClient;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Publish;
use rumqttc::v5::mqttbytes::valid_topic;
use tokio::time::timeout;

use super::connection::{ACKS, WINDOW};
use super::inbox::{Inbox, LinkEvent, Message};

/// Publishes that wait at most, those in flight included.
const WAITING: usize = 1024;
/// For the last publish, and once more for the disconnect.
const FAREWELL: Duration = Duration::from_secs(1);

/// Names a publish in [`LinkEvent::Delivered`]. Chosen by the caller; `u64::MAX` is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

const LAST: Ticket = Ticket(u64::MAX);

/// Why a publish was not taken. Nothing of it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// Publish it again after [`LinkEvent::Subscribed`].
    #[error("not connected")]
    Offline,
    /// Publish it again after a [`LinkEvent::Delivered`].
    #[error("{WAITING} publishes are waiting")]
    Full,
    /// Empty, with a wildcard or NUL, or longer than 65,535 bytes: it can never be published.
    #[error("not a topic to publish to")]
    Topic,
    /// The broker takes no packets of this size: on this connection it cannot be published.
    #[error("{bytes} bytes are more than the {most} the broker takes")]
    TooLarge {
        /// Of the whole packet, rounded up.
        bytes: usize,
        /// By the broker's word.
        most: usize,
    },
}

/// Sends acknowledgements and publishes. No method waits for the broker but [`goodbye`](Self::goodbye).
#[derive(Debug)]
pub struct Link {
    session: SharedSession,
}

pub(super) fn new() -> (Link, SharedSession) {
    let session = SharedSession::default();
    (Link { session: session.clone() }, session)
}

impl Link {
    /// Tells the broker that a message is done with. Does nothing for one of a former connection, which the broker sends again.
    pub fn ack(&mut self, message: Message) {
        let mut session = self.session.lock();
        if session.epoch == message.epoch && message.publish.qos == QoS::AtLeastOnce {
            session.acks.push_back(message.publish.pkid);
            session.pump_acks();
        }
    }

    /// Publishes at QoS 1, in the order of the calls. The result comes as [`LinkEvent::Delivered`] or [`LinkEvent::Refused`].
    pub fn publish(
        &mut self,
        ticket: Ticket,
        topic: impl Into<String>,
        payload: impl Into<Bytes>,
        retain: bool,
    ) -> Result<(), NotSent> {
        let draft = Draft { ticket, topic: topic.into(), payload: payload.into(), retain };
        let mut session = self.session.lock();
        session.check(&draft)?;
        session.waiting.push_back(draft);
        session.pump();
        Ok(())
    }

    /// Publishes the broker has not answered yet.
    pub fn pending(&self) -> usize {
        let session = self.session.lock();
        session.waiting.len() + session.flying.len()
    }

    /// Publishes this, retained, in place of the will and disconnects. What waits to be published is forgotten, what waits in
    /// the inbox stays unacknowledged and comes again.
    ///
    /// Answers whether the broker took it. If it does not within 1 s, the connection is dropped without a disconnect: then the
    /// broker publishes the will.
    pub async fn goodbye(self, mut inbox: Inbox, topic: impl Into<String>, payload: impl Into<Bytes>) -> bool {
        let draft = Draft { ticket: LAST, topic: topic.into(), payload: payload.into(), retain: true };
        {
            let mut session = self.session.lock();
            session.waiting.clear();
            if session.check(&draft).is_err() {
                return false;
            }
            // One more than the window: rumqttc itself holds it back until the broker has room.
            session.window = session.flying.len() + 1;
            session.waiting.push_back(draft);
            session.pump();
        }
        let taken = timeout(FAREWELL, async {
            loop {
                match inbox.recv().await {
                    LinkEvent::Delivered(LAST) => break true,
                    LinkEvent::Refused { ticket: LAST, .. } | LinkEvent::Disconnected { .. } => break false,
                    LinkEvent::Connected { .. }
                    | LinkEvent::Subscribed
                    | LinkEvent::SubscriptionRefused { .. }
                    | LinkEvent::Message(_)
                    | LinkEvent::Delivered(_)
                    | LinkEvent::Refused { .. } => {}
                }
            }
        });
        let taken = taken.await.unwrap_or(false);
        if taken {
            if let Some(client) = self.session.lock().client.take() {
                drop(client.try_disconnect());
            }
            drop(timeout(FAREWELL, inbox.closed()).await);
        }
        taken
    }
}

/// What [`Link`] and [`Inbox`] know of the connection, both in the main loop, and what the poll task moves on. The lock is never
/// held across an await.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedSession(Arc<Mutex<Session>>);

impl SharedSession {
    pub fn lock(&self) -> MutexGuard<'_, Session> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An acknowledgement went out on this connection.
    pub fn acked(&self, epoch: u64) {
        let mut session = self.lock();
        if session.epoch == epoch {
            session.acking = session.acking.saturating_sub(1);
            session.pump_acks();
        }
    }
}

/// A connection as the broker announced it in its ConnAck.
#[derive(Debug)]
pub(super) struct Established {
    pub client: AsyncClient,
    /// Counts connections, so that a message can be told from one of a former connection.
    pub epoch: u64,
    /// Publishes the broker takes unacknowledged.
    pub receive_maximum: usize,
    /// The largest packet it takes, in bytes.
    pub largest: usize,
}

#[derive(Debug, Default)]
pub(super) struct Session {
    client: Option<AsyncClient>,
    epoch: u64,
    window: usize,
    largest: usize,
    waiting: VecDeque<Draft>,
    /// Handed to rumqttc and not answered, with its place in the order of this connection's publishes, from 1.
    flying: VecDeque<(u64, Ticket)>,
    published: u64,
    /// Packet ids that wait to be acknowledged: a broker that overruns its receive maximum makes them many.
    acks: VecDeque<u16>,
    /// Acknowledgements handed to rumqttc and not sent.
    acking: usize,
}

#[derive(Debug)]
struct Draft {
    ticket: Ticket,
    topic: String,
    payload: Bytes,
    retain: bool,
}

impl Session {
    pub fn begin(&mut self, established: Established) {
        let Established { client, epoch, receive_maximum, largest } = established;
        // One below, because at the limit rumqttc holds back acknowledgements as well.
        let window = receive_maximum.saturating_sub(1).clamp(1, WINDOW);
        *self = Self { client: Some(client), epoch, window, largest, ..Self::default() };
    }

    pub fn end(&mut self) {
        *self = Self { epoch: self.epoch, ..Self::default() };
    }

    /// The broker has answered the publish of this place.
    pub fn answered(&mut self, place: u64) -> Option<Ticket> {
        let index = self.flying.iter().position(|(at, _)| *at == place)?;
        let (_, ticket) = self.flying.remove(index)?;
        self.pump();
        Some(ticket)
    }

    fn check(&self, draft: &Draft) -> Result<(), NotSent> {
        let topic = &draft.topic;
        if topic.is_empty() || topic.len() > usize::from(u16::MAX) || topic.contains('\0') || !valid_topic(topic) {
            return Err(NotSent::Topic);
        }
        if self.client.is_none() {
            return Err(NotSent::Offline);
        }
        // Fixed header 5 at most, length of the topic 2, packet id 2, properties 1.
        let bytes = topic.len() + draft.payload.len() + 10;
        if bytes > self.largest {
            return Err(NotSent::TooLarge { bytes, most: self.largest });
        }
        if self.waiting.len() + self.flying.len() >= WAITING {
            return Err(NotSent::Full);
        }
        Ok(())
    }

    /// Hands over a few: in rumqttc each takes 200 bytes.
    fn pump_acks(&mut self) {
        let Some(client) = &self.client else { return };
        while self.acking < ACKS
            && let Some(pkid) = self.acks.pop_front()
        {
            // Refused only if the connection has just ended.
            drop(client.try_ack(&Publish { pkid, qos: QoS::AtLeastOnce, ..Publish::default() }));
            self.acking += 1;
        }
    }

    /// Hands over what the window allows.
    fn pump(&mut self) {
        let Some(client) = &self.client else { return };
        while self.flying.len() < self.window {
            let Some(draft) = self.waiting.pop_front() else { return };
            let Draft { ticket, topic, payload, retain } = draft;
            if client.try_publish(topic, QoS::AtLeastOnce, retain, payload).is_err() {
                // The connection has just ended; its Disconnected is on the way and forgets the rest.
                return;
            }
            self.published += 1;
            self.flying.push_back((self.published, ticket));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A session whose requests nobody reads.
    fn session(receive_maximum: usize, largest: usize) -> (Link, rumqttc::v5::EventLoop) {
        let options = rumqttc::v5::MqttOptions::new("t", "127.0.0.1", 1);
        let (client, eventloop) = AsyncClient::new(options, 4096);
        let (link, shared) = new();
        shared.lock().begin(Established { client, epoch: 1, receive_maximum, largest });
        (link, eventloop)
    }

    fn in_flight(link: &Link) -> usize {
        link.session.lock().flying.len()
    }

    #[test]
    fn no_more_publishes_are_in_flight_than_the_broker_takes() {
        let (mut link, _eventloop) = session(3, usize::MAX);
        for n in 0..5 {
            link.publish(Ticket(n), "t", "x", false).unwrap();
        }
        assert_eq!((in_flight(&link), link.pending()), (2, 5));
        assert_eq!(link.session.lock().answered(2), Some(Ticket(1)));
        assert_eq!((in_flight(&link), link.pending()), (2, 4));
        assert_eq!(link.session.lock().answered(2), None);
    }

    #[test]
    fn the_queue_is_bounded() {
        let (mut link, _eventloop) = session(usize::from(u16::MAX), usize::MAX);
        for n in 0..1024 {
            link.publish(Ticket(n), "t", "x", false).unwrap();
        }
        assert_eq!(link.publish(Ticket(1024), "t", "x", false), Err(NotSent::Full));
        assert_eq!((in_flight(&link), link.pending()), (64, 1024));
    }

    #[test]
    fn what_the_broker_could_only_answer_with_a_disconnect_is_not_sent() {
        let (mut link, _eventloop) = session(WINDOW, 100);
        assert_eq!(link.publish(Ticket(1), "t", vec![0; 90], false), Err(NotSent::TooLarge { bytes: 101, most: 100 }));
        for topic in ["", "a/+", "a/#", "a\0"] {
            assert_eq!(link.publish(Ticket(1), topic, "x", false), Err(NotSent::Topic), "{topic:?}");
        }
        assert_eq!(link.publish(Ticket(1), "a".repeat(65_536), "x", false), Err(NotSent::Topic));
        assert_eq!(link.pending(), 0);
    }

    #[test]
    fn acknowledgements_are_handed_over_as_others_go_out() {
        let (mut link, _eventloop) = session(WINDOW, usize::MAX);
        for (pkid, epoch) in (1..=200).map(|pkid| (pkid, 1)).chain([(201, 0)]) {
            link.ack(Message { publish: Publish { pkid, qos: QoS::AtLeastOnce, ..Publish::default() }, epoch });
        }
        let waiting = |link: &Link| {
            let session = link.session.lock();
            (session.acking, session.acks.len())
        };
        assert_eq!(waiting(&link), (64, 136));
        link.session.acked(1);
        link.session.acked(0);
        assert_eq!(waiting(&link), (64, 135));
    }

    #[test]
    fn the_end_of_a_connection_forgets_its_publishes() {
        let (mut link, _eventloop) = session(1, usize::MAX);
        link.publish(Ticket(1), "t", "x", false).unwrap();
        link.publish(Ticket(2), "t", "x", false).unwrap();
        link.session.lock().end();
        assert_eq!(link.pending(), 0);
        assert_eq!(link.publish(Ticket(3), "t", "x", false), Err(NotSent::Offline));
    }
}
