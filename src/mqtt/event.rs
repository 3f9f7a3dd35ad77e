//! What is told of the link, and what is said on it.

use core::num::NonZeroU16;

use bytes::Bytes;

/// Publishes that wait at most, those in flight included.
pub(super) const WAITING: usize = 1024;

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

/// A message as it arrived, its payload not copied: the buffer it was read to is held as long as it lives.
#[derive(Clone, Debug)]
pub struct Message {
    pub(super) topic: Bytes,
    pub(super) payload: Bytes,
    pub(super) retain: bool,
    pub(super) dup: bool,
    pub(super) receipt: Receipt,
}

impl Message {
    /// Empty if it is not UTF-8, which MQTT forbids: no format reads an empty topic, so it is rejected like others nobody reads.
    pub fn topic(&self) -> &str {
        str::from_utf8(&self.topic).unwrap_or_default()
    }

    /// At most 256 KiB.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Sent because we subscribed, not because somebody published it now. Retained messages come again on every connection.
    pub const fn retained(&self) -> bool {
        self.retain
    }

    /// The broker sent it before and got no acknowledgement.
    pub const fn duplicate(&self) -> bool {
        self.dup
    }

    /// What is acknowledged when the message is done with.
    pub const fn receipt(&self) -> Receipt {
        self.receipt
    }
}

/// Stands for a message that is to be acknowledged, and outlives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub(super) epoch: u64,
    /// `None` at QoS 0.
    pub(super) id: Option<NonZeroU16>,
}

/// Names a publish in [`LinkEvent::Delivered`]. Chosen by the caller; `u64::MAX` is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

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
