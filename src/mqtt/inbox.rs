//! What comes from the broker.

use std::future::pending;

use rumqttc::v5::mqttbytes::v5::Publish;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::link::{Established, SharedSession, Ticket};

/// Arrivals that wait for the main loop at most; then the poll task waits, and TCP pushes back.
const CAPACITY: usize = 128;

/// What happened on the link.
#[derive(Debug)]
pub enum LinkEvent {
    /// The broker let us in. Messages may follow at once.
    Connected {
        /// Whether it had kept our session, with what came in the meantime.
        session_present: bool,
    },
    /// One filter that is not subscribed to; comes before [`Subscribed`](Self::Subscribed).
    SubscriptionRefused {
        /// As it was asked for.
        filter: String,
    },
    /// All filters are answered: publish now what has to reach those who listen to us.
    Subscribed,
    /// The connection ended, or an attempt to connect failed; the next is made after 1 s to 30 s.
    Disconnected {
        /// For people.
        reason: String,
    },
    /// To be acknowledged with [`Link::ack`](super::Link::ack), read or not.
    Message(Message),
    /// The broker has this publish.
    Delivered(Ticket),
    /// The broker does not want this publish; publishing it again would give the same answer.
    Refused {
        /// Of the publish.
        ticket: Ticket,
        /// For people.
        reason: String,
    },
}

/// A message as it arrived, its payload not copied.
#[derive(Clone, Debug)]
pub struct Message {
    pub(super) publish: Publish,
    pub(super) epoch: u64,
}

impl Message {
    /// Empty if it is not UTF-8, which MQTT forbids: no format reads an empty topic, so it is rejected like others nobody reads.
    pub fn topic(&self) -> &str {
        str::from_utf8(&self.publish.topic).unwrap_or_default()
    }

    /// At most 256 KiB.
    pub fn payload(&self) -> &[u8] {
        &self.publish.payload
    }

    /// Sent because we subscribed, not because somebody published it now. Retained messages come again on every connection.
    pub fn retained(&self) -> bool {
        self.publish.retain
    }

    /// The broker sent it before and got no acknowledgement.
    pub fn duplicate(&self) -> bool {
        self.publish.dup
    }
}

/// Receives what the poll task hands over. Dropping it ends the connection without a goodbye.
#[derive(Debug)]
pub struct Inbox {
    arrivals: mpsc::Receiver<Arrival>,
    session: SharedSession,
    /// Aborted on drop.
    _poll_task: JoinSet<()>,
}

pub(super) fn new<F>(session: SharedSession, poll: impl FnOnce(mpsc::Sender<Arrival>) -> F) -> Inbox
where
    F: Future<Output = ()> + Send + 'static,
{
    let (sender, arrivals) = mpsc::channel(CAPACITY);
    let mut poll_task = JoinSet::new();
    poll_task.spawn(poll(sender));
    Inbox { arrivals, session, _poll_task: poll_task }
}

impl Inbox {
    /// Waits for the next event. Nothing is lost when the future is dropped before it is ready.
    pub async fn recv(&mut self) -> LinkEvent {
        while let Some(arrival) = self.arrivals.recv().await {
            if let Some(event) = self.take_in(arrival) {
                return event;
            }
        }
        // Only a goodbye ends the poll task, and it takes the inbox with it.
        pending().await
    }

    /// The next event if there is one: to take a batch, for which one sync of the store is enough.
    pub fn try_recv(&mut self) -> Option<LinkEvent> {
        loop {
            let arrival = self.arrivals.try_recv().ok()?;
            if let Some(event) = self.take_in(arrival) {
                return Some(event);
            }
        }
    }

    /// Waits until the poll task has ended, whatever still arrives.
    pub(super) async fn closed(&mut self) {
        while self.arrivals.recv().await.is_some() {}
    }

    /// The session changes when the main loop hears of it, so that every call of [`Link`](super::Link) means the connection its
    /// caller knows of.
    fn take_in(&mut self, arrival: Arrival) -> Option<LinkEvent> {
        match arrival {
            Arrival::Message(message) => Some(LinkEvent::Message(message)),
            Arrival::Connected { established, session_present } => {
                self.session.lock().begin(established);
                Some(LinkEvent::Connected { session_present })
            }
            Arrival::SubscriptionRefused { filter } => Some(LinkEvent::SubscriptionRefused { filter }),
            Arrival::Subscribed => Some(LinkEvent::Subscribed),
            Arrival::Answered { place, refused } => {
                let ticket = self.session.lock().answered(place)?;
                Some(match refused {
                    None => LinkEvent::Delivered(ticket),
                    Some(reason) => LinkEvent::Refused { ticket, reason },
                })
            }
            Arrival::Disconnected { reason } => {
                self.session.lock().end();
                Some(LinkEvent::Disconnected { reason })
            }
        }
    }
}

/// What the poll task hands over.
#[derive(Debug)]
pub(super) enum Arrival {
    Message(Message),
    Connected {
        established: Established,
        session_present: bool,
    },
    SubscriptionRefused {
        filter: String,
    },
    Subscribed,
    /// To the publish of this place in the order of the connection's publishes, from 1.
    Answered {
        place: u64,
        refused: Option<String>,
    },
    Disconnected {
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_is_not_utf8_reads_as_empty() {
        let publish = Publish { topic: bytes::Bytes::from_static(b"fleet/\xff"), ..Publish::default() };
        assert_eq!(Message { publish, epoch: 1 }.topic(), "");
    }
}
