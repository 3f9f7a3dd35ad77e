//! The connection as the main loop has it: one after the other, each until it ends.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep, timeout, timeout_at};

use super::backoff::{Attempt, Backoff};
use super::event::{LinkEvent, NotSent, Receipt, Ticket};
use super::lost::Lost;
use super::options::{CONNECT_TIMEOUT, Options, RECEIVE_MAXIMUM};
use super::wire::Wire;
use crate::host::clock;

/// For the last publish, and once more for the disconnect.
const FAREWELL: Duration = Duration::from_secs(1);
const LAST: Ticket = Ticket(u64::MAX);

/// Receives, acknowledges and publishes. Dropping it ends the connection without a goodbye.
///
/// Nothing happens on it but in [`recv`](Self::recv), [`flush`](Self::flush), [`stay`](Self::stay) and
/// [`goodbye`](Self::goodbye): a broker that hears nothing for 15 s hangs up.
pub struct Link {
    options: Options,
    phase: Phase,
    backoff: Backoff,
    /// Counts connections.
    epoch: u64,
    /// What came while nobody received.
    held: VecDeque<LinkEvent>,
}

enum Phase {
    Waiting(Pin<Box<Sleep>>),
    Connecting(Pin<Box<dyn Future<Output = Result<Wire, Lost>> + Send>>),
    Connected(Box<Wire>),
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({})", self.options.address())
    }
}

impl Link {
    pub(super) fn new(options: Options) -> Self {
        let at_once = Phase::Waiting(Box::pin(sleep(Duration::ZERO)));
        Self { options, phase: at_once, backoff: Backoff::default(), epoch: 0, held: VecDeque::new() }
    }

    /// Waits for the next event. Nothing is lost when the future is dropped before it is ready.
    pub async fn recv(&mut self) -> LinkEvent {
        match self.held.pop_front() {
            Some(event) => event,
            None => self.next().await,
        }
    }

    /// The next event of what was read already: to take a batch, for which one sync of the store is enough.
    pub fn buffered(&mut self) -> Option<LinkEvent> {
        if let Some(event) = self.held.pop_front() {
            return Some(event);
        }
        let Phase::Connected(wire) = &mut self.phase else { return None };
        match wire.protocol.poll() {
            Ok(event) => event,
            Err(lost) => Some(self.lost(&lost)),
        }
    }

    /// Whether the last read filled its buffer: there may be more.
    pub fn has_more(&self) -> bool {
        match &self.phase {
            Phase::Connected(wire) => wire.has_more(),
            Phase::Waiting(_) | Phase::Connecting(_) => false,
        }
    }

    /// Keeps the connection while the caller can take no events; those that come wait for [`recv`](Self::recv). Never ready.
    pub async fn stay(&mut self) -> Infallible {
        while !matches!(self.held.back(), Some(LinkEvent::Disconnected { .. })) {
            // More than the broker sends unacknowledged there may be, if it does not keep to it.
            if self.held.len() < usize::from(RECEIVE_MAXIMUM) {
                let event = self.next().await;
                self.held.push_back(event);
            } else if let Phase::Connected(wire) = &mut self.phase {
                let lost = poll_fn(|cx| wire.poll_kept(cx)).await;
                let disconnected = self.lost(&lost);
                self.held.push_back(disconnected);
            } else {
                break;
            }
        }
        // The next connection begins when the end of this one was heard of.
        pending().await
    }

    /// Tells the broker that a message is done with, at the next [`flush`](Self::flush) or when [`recv`](Self::recv) waits. Does
    /// nothing for one of a former connection, which the broker sends again.
    pub fn ack(&mut self, receipt: Receipt) {
        if let Phase::Connected(wire) = &mut self.phase {
            wire.protocol.ack(receipt);
        }
    }

    /// Publishes at QoS 1, in the order of the calls, at the next [`flush`](Self::flush) or when [`recv`](Self::recv) waits. The
    /// result comes as [`LinkEvent::Delivered`] or [`LinkEvent::Refused`].
    pub fn publish(
        &mut self,
        ticket: Ticket,
        topic: impl Into<String>,
        payload: impl Into<Bytes>,
        retain: bool,
    ) -> Result<(), NotSent> {
        match &mut self.phase {
            Phase::Connected(wire) => wire.protocol.publish(ticket, topic.into(), payload.into(), retain),
            Phase::Waiting(_) | Phase::Connecting(_) => Err(NotSent::Offline),
        }
    }

    /// Sends acknowledgements and publishes, in one write, as far as the broker takes them at once.
    pub fn flush(&mut self) {
        if let Phase::Connected(wire) = &mut self.phase
            && let Err(lost) = wire.flush()
        {
            let disconnected = self.lost(&lost);
            self.held.push_back(disconnected);
        }
    }

    /// Publishes the broker has not answered yet.
    pub fn pending(&self) -> usize {
        match &self.phase {
            Phase::Connected(wire) => wire.protocol.pending(),
            Phase::Waiting(_) | Phase::Connecting(_) => 0,
        }
    }

    /// Publishes this, retained, in place of the will and disconnects. What waits to be published is forgotten, what was not
    /// acknowledged comes again.
    ///
    /// Answers whether the broker took it. If it does not within 1 s, the connection is dropped without a disconnect: then the
    /// broker publishes the will.
    pub async fn goodbye(mut self, topic: impl Into<String>, payload: impl Into<Bytes>) -> bool {
        if let Phase::Connected(wire) = &mut self.phase {
            wire.protocol.last_words();
        }
        if self.publish(LAST, topic, payload, true).is_err() {
            return false;
        }
        let taken = timeout(FAREWELL, async {
            loop {
                match self.recv().await {
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
        if let Phase::Connected(wire) = self.phase
            && taken
        {
            drop(timeout(FAREWELL, wire.disconnect()).await);
        }
        taken
    }

    async fn next(&mut self) -> LinkEvent {
        loop {
            match &mut self.phase {
                Phase::Waiting(due) => {
                    due.await;
                    self.epoch += 1;
                    self.phase = Phase::Connecting(Box::pin(connect(&self.options, self.epoch)));
                }
                Phase::Connecting(attempt) => match attempt.await {
                    Ok(wire) => self.phase = Phase::Connected(Box::new(wire)),
                    Err(lost) => return self.lost(&lost),
                },
                Phase::Connected(wire) => match poll_fn(|cx| wire.poll_next(cx)).await {
                    Ok(event) => return event,
                    Err(lost) => return self.lost(&lost),
                },
            }
        }
    }

    fn lost(&mut self, lost: &Lost) -> LinkEvent {
        let since = match &self.phase {
            Phase::Connected(wire) => wire.protocol.since(),
            Phase::Waiting(_) | Phase::Connecting(_) => None,
        };
        let attempt = match since {
            _ if lost.is_hopeless() => Attempt::Hopeless,
            Some(since) => Attempt::Lasted(since.elapsed()),
            None => Attempt::Failed,
        };
        self.phase = Phase::Waiting(Box::pin(sleep(self.backoff.wait(attempt))));
        LinkEvent::Disconnected { reason: lost.reason(&self.options) }
    }
}

/// One attempt: name and TCP. The rest of the time that it has is for the CONNACK.
pub(super) fn connect(options: &Options, epoch: u64) -> impl Future<Output = Result<Wire, Lost>> + Send + use<> {
    let options = options.clone();
    let by = clock::instant() + CONNECT_TIMEOUT;
    async move {
        let stream = timeout_at(by.into(), TcpStream::connect(options.broker()));
        let stream = stream.await.map_err(|_| Lost::Timeout)?.map_err(Lost::Io)?;
        Wire::new(stream, &options, epoch, by)
    }
}
