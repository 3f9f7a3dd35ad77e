//! MQTT 5 as a client speaks it on one connection: bytes in, events out, bytes to be written. Reads no socket and no clock.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, ConnectReturnCode, Disconnect, DisconnectReasonCode, Filter, Packet, PingReq, PubAck, PubAckReason, Publish, SubAck,
    Subscribe, SubscribeReasonCode, check,
};
use rumqttc::v5::mqttbytes::{Error, QoS, valid_filter, valid_topic};

use super::event::{LinkEvent, Message, NotSent, Receipt, Ticket, WAITING};
use super::lost::Lost;
use super::options::{KEEP_ALIVE, LARGEST_PACKET, Options};

/// Publishes of ours in flight at most; less where the broker's receive maximum says so.
const WINDOW: usize = 64;
/// A packet of MQTT has no more, whatever the broker takes.
const LARGEST_OF_ALL: usize = 268_435_455;
/// Read at once at most, unless a packet is larger: some 80 reports.
const READ: usize = 16 * 1024;
/// While so much waits to be written, nothing is added that can wait, and nothing is read that would have to be answered.
const UNWRITTEN: usize = 64 * 1024;
/// Of the one SUBSCRIBE. Publishes have others.
const SUBSCRIBE_ID: u16 = 1;

/// One connection, from its CONNECT on.
#[derive(Debug)]
pub(super) struct Protocol {
    /// Counts connections, so that an acknowledgement can be told from one of a former connection.
    epoch: u64,
    began: Instant,
    filters: Vec<String>,
    greeted: bool,
    incoming: BytesMut,
    outgoing: BytesMut,
    events: VecDeque<LinkEvent>,
    /// Publishes the broker takes unacknowledged.
    window: usize,
    /// The largest packet it takes, in bytes.
    largest: usize,
    waiting: VecDeque<Draft>,
    /// Sent and not answered, by packet id.
    flying: VecDeque<(u16, Ticket)>,
    last_id: u16,
    keep_alive: Duration,
    ping_at: Instant,
    /// Nothing was heard since the last ping.
    silent: bool,
    /// Since when the broker takes nothing of what is to be written.
    stuck: Option<Instant>,
}

#[derive(Debug)]
struct Draft {
    ticket: Ticket,
    topic: Bytes,
    payload: Bytes,
    retain: bool,
}

impl Protocol {
    /// Has its CONNECT to be written. No publish is taken before the broker let us in.
    pub fn new(options: &Options, epoch: u64, now: Instant) -> Result<Self, Lost> {
        let mut outgoing = BytesMut::new();
        options.introduce(&mut outgoing)?;
        Ok(Self {
            epoch,
            began: now,
            filters: options.filters.clone(),
            greeted: false,
            incoming: BytesMut::with_capacity(2 * READ),
            outgoing,
            events: VecDeque::new(),
            window: 0,
            largest: 0,
            waiting: VecDeque::new(),
            flying: VecDeque::new(),
            last_id: SUBSCRIBE_ID,
            keep_alive: KEEP_ALIVE,
            ping_at: now + KEEP_ALIVE,
            silent: false,
            stuck: None,
        })
    }

    /// When it began, once the broker has let us in.
    pub fn since(&self) -> Option<Instant> {
        self.greeted.then_some(self.began)
    }

    /// The next event out of what was read. An error ends the connection.
    pub fn poll(&mut self) -> Result<Option<LinkEvent>, Lost> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            let Some(packet) = self.next_packet()? else { return Ok(None) };
            match packet {
                Packet::Publish(publish) if self.greeted => return self.message(publish).map(Some),
                Packet::ConnAck(connack) if !self.greeted => self.greet(connack)?,
                Packet::PubAck(PubAck { pkid, reason, .. }) if self.greeted => self.answered(pkid, reason),
                Packet::SubAck(suback) if self.greeted => self.subscribed(suback)?,
                Packet::PingResp(_) if self.greeted => {}
                Packet::Disconnect(Disconnect { reason_code, .. }) => return Err(Lost::Disconnected(reason_code)),
                Packet::Publish(_)
                | Packet::ConnAck(_)
                | Packet::PubAck(_)
                | Packet::SubAck(_)
                | Packet::PingResp(_)
                | Packet::Auth(_)
                | Packet::Connect(..)
                | Packet::PingReq(_)
                | Packet::Subscribe(_)
                | Packet::PubRec(_)
                | Packet::PubRel(_)
                | Packet::PubComp(_)
                | Packet::Unsubscribe(_)
                | Packet::UnsubAck(_) => return Err(Lost::Unexpected),
            }
        }
    }

    /// Where to read to: with room, or `None` as long as too much waits to be written.
    pub fn read_buffer(&mut self) -> Option<&mut BytesMut> {
        if self.outgoing.len() >= UNWRITTEN {
            return None;
        }
        if self.incoming.is_empty() && self.incoming.capacity() > 4 * READ {
            self.incoming = BytesMut::with_capacity(2 * READ);
        }
        // In steady state no message is left that refers to the buffer: then this only begins anew at its front.
        self.incoming.reserve(READ);
        Some(&mut self.incoming)
    }

    /// Something was read.
    pub const fn heard(&mut self) {
        self.silent = false;
    }

    /// What is to be written.
    pub fn unwritten(&self) -> &[u8] {
        &self.outgoing
    }

    /// So much of it was.
    pub fn wrote(&mut self, bytes: usize) {
        self.outgoing.advance(bytes);
        self.stuck = None;
        self.pump();
        if self.outgoing.is_empty() && self.outgoing.capacity() > 2 * UNWRITTEN {
            self.outgoing = BytesMut::new();
        }
    }

    /// The rest of it cannot be written now.
    pub fn blocked(&mut self, now: Instant) {
        self.stuck.get_or_insert(now);
    }

    /// When [`Self::tick`] is due.
    pub fn deadline(&self) -> Instant {
        match self.stuck {
            Some(since) => since + 2 * self.keep_alive,
            None => self.ping_at,
        }
    }

    /// Pings when it is time; an error says that the link is dead. `reading`: whether silence is the broker's.
    pub fn tick(&mut self, now: Instant, reading: bool) -> Result<(), Lost> {
        if let Some(since) = self.stuck {
            return if now >= since + 2 * self.keep_alive { Err(Lost::ReadsNothing) } else { Ok(()) };
        }
        if now >= self.ping_at && self.greeted {
            if self.silent && reading {
                return Err(Lost::Silent);
            }
            PingReq::write(&mut self.outgoing).map_err(Lost::malformed)?;
            self.silent = true;
            self.ping_at = now + self.keep_alive;
        }
        Ok(())
    }

    /// Puts an acknowledgement with what is to be written. Does nothing for one of a former connection.
    pub fn ack(&mut self, receipt: Receipt) {
        if let Receipt { epoch, id: Some(id) } = receipt
            && epoch == self.epoch
        {
            // Without properties it fits into any packet.
            drop(PubAck::new(id.get(), None).write(&mut self.outgoing));
        }
    }

    /// Publishes at QoS 1, when the window allows.
    pub fn publish(&mut self, ticket: Ticket, topic: String, payload: Bytes, retain: bool) -> Result<(), NotSent> {
        if !self.greeted {
            return Err(NotSent::Offline);
        }
        if topic.is_empty() || topic.len() > usize::from(u16::MAX) || topic.contains('\0') || !valid_topic(&topic) {
            return Err(NotSent::Topic);
        }
        // Fixed header with four bytes of length, topic with its length, packet id, no properties.
        let bytes = 1 + 4 + 2 + topic.len() + 2 + 1 + payload.len();
        if bytes > self.largest {
            return Err(NotSent::TooLarge { bytes, most: self.largest });
        }
        if self.pending() >= WAITING {
            return Err(NotSent::Full);
        }
        self.waiting.push_back(Draft { ticket, topic: topic.into(), payload, retain });
        self.pump();
        Ok(())
    }

    /// Publishes that are not answered yet.
    pub fn pending(&self) -> usize {
        self.waiting.len() + self.flying.len()
    }

    /// Forgets what waits to be published: only what is in flight is before the next.
    pub fn last_words(&mut self) {
        self.waiting.clear();
    }

    /// Puts the disconnect after everything else.
    pub fn disconnect(&mut self) {
        drop(Disconnect::new(DisconnectReasonCode::NormalDisconnection).write(&mut self.outgoing));
    }

    fn next_packet(&mut self) -> Result<Option<Packet>, Lost> {
        let unread = match check(self.incoming.iter(), Some(LARGEST_PACKET)) {
            Ok(header) => self.incoming.get(..header.frame_length()).and_then(unread_publish),
            Err(Error::InsufficientBytes(more)) => {
                self.incoming.reserve(more.min(LARGEST_PACKET as usize));
                return Ok(None);
            }
            Err(why) => return Err(Lost::malformed(why)),
        };
        // Without properties, as mosquitto sends it, a disconnect is not read by rumqttc.
        match self.incoming.as_ref() {
            [0xe0, 0, ..] => return Err(Lost::Disconnected(DisconnectReasonCode::NormalDisconnection)),
            [0xe0, 1, code, ..] => {
                return Err(DisconnectReasonCode::try_from(*code).map_or_else(Lost::malformed, Lost::Disconnected));
            }
            _ => {}
        }
        let incoming = &mut self.incoming;
        // What the buffer looks like after a panic does not matter: the connection ends.
        let read = catch_unwind(AssertUnwindSafe(|| Packet::read(incoming, Some(LARGEST_PACKET))));
        match read {
            Ok(Ok(packet)) => Ok(Some(packet)),
            Ok(Err(_)) | Err(_) if !self.greeted => Err(Lost::NotMqtt5),
            Ok(Err(why)) => unread.map(|publish| Some(Packet::Publish(publish))).ok_or(Lost::malformed(why)),
            Err(_panic) => Err(Lost::Unexpected),
        }
    }

    fn message(&self, publish: Publish) -> Result<LinkEvent, Lost> {
        let Publish { dup, qos, retain, topic, pkid, payload, properties: _ } = publish;
        let id = match qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce => core::num::NonZeroU16::new(pkid),
            // Nothing is subscribed to at that.
            QoS::ExactlyOnce => return Err(Lost::Unexpected),
        };
        let receipt = Receipt { epoch: self.epoch, id };
        Ok(LinkEvent::Message(Message { topic, payload, retain, dup, receipt }))
    }

    fn greet(&mut self, connack: ConnAck) -> Result<(), Lost> {
        if connack.code != ConnectReturnCode::Success {
            return Err(Lost::Refused(connack.code));
        }
        self.greeted = true;
        let said = connack.properties.as_ref();
        self.window = usize::from(said.and_then(|p| p.receive_max).unwrap_or(u16::MAX)).clamp(1, WINDOW);
        self.largest = said.and_then(|p| p.max_packet_size).map_or(LARGEST_OF_ALL, |bytes| LARGEST_OF_ALL.min(bytes as usize));
        // Ours if the broker looks at none, or at a longer one: a dead link would be noticed late.
        let keep_alive = said.and_then(|p| p.server_keep_alive).filter(|seconds| *seconds > 0);
        self.keep_alive = keep_alive.map_or(KEEP_ALIVE, |seconds| KEEP_ALIVE.min(Duration::from_secs(u64::from(seconds))));
        self.ping_at = self.began + self.keep_alive;
        self.events.push_back(LinkEvent::Connected { session_present: connack.session_present });
        let (asked, refused): (Vec<_>, Vec<_>) = self.filters.iter().partition(|filter| may_be_asked(filter));
        self.events.extend(refused.into_iter().map(|filter| LinkEvent::SubscriptionRefused { filter: filter.clone() }));
        if asked.is_empty() {
            self.events.push_back(LinkEvent::Subscribed);
            return Ok(());
        }
        let filters = asked.into_iter().map(|filter| Filter::new(filter, QoS::AtLeastOnce)).collect();
        let subscribe = Subscribe { pkid: SUBSCRIBE_ID, filters, properties: None };
        subscribe.write(&mut self.outgoing).map(drop).map_err(Lost::malformed)
    }

    /// One SUBSCRIBE asks for all filters, so this is the answer to all.
    fn subscribed(&mut self, suback: SubAck) -> Result<(), Lost> {
        let asked = self.filters.iter().filter(|filter| may_be_asked(filter));
        if suback.pkid != SUBSCRIBE_ID || suback.return_codes.len() != asked.clone().count() {
            return Err(Lost::Unexpected);
        }
        for (filter, code) in asked.zip(suback.return_codes) {
            if !matches!(code, SubscribeReasonCode::Success(_)) {
                self.events.push_back(LinkEvent::SubscriptionRefused { filter: filter.clone() });
            }
        }
        self.events.push_back(LinkEvent::Subscribed);
        Ok(())
    }

    fn answered(&mut self, id: u16, reason: PubAckReason) {
        let Some(index) = self.flying.iter().position(|(flying, _)| *flying == id) else { return };
        let Some((_, ticket)) = self.flying.remove(index) else { return };
        self.events.push_back(match refused(reason) {
            None => LinkEvent::Delivered(ticket),
            Some(reason) => LinkEvent::Refused { ticket, reason },
        });
        self.pump();
    }

    /// Puts what the window allows with what is to be written.
    fn pump(&mut self) {
        while self.flying.len() < self.window && self.outgoing.len() < UNWRITTEN {
            let Some(Draft { ticket, topic, payload, retain }) = self.waiting.pop_front() else { return };
            let id = self.free_id();
            let publish = Publish { qos: QoS::AtLeastOnce, retain, topic, pkid: id, payload, ..Publish::default() };
            // It has a topic, a packet id and a length: nothing to refuse.
            drop(publish.write(&mut self.outgoing));
            self.flying.push_back((id, ticket));
        }
    }

    fn free_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(SUBSCRIBE_ID + 1);
            if !self.flying.iter().any(|(id, _)| *id == self.last_id) {
                return self.last_id;
            }
        }
    }
}

/// See [`super::events_of`].
pub(super) fn events_of(options: &Options, bytes: &[u8]) -> usize {
    const CONNACK: [u8; 5] = [0x20, 3, 0, 0, 0];
    let Ok(mut protocol) = Protocol::new(options, 1, crate::host::clock::instant()) else { return 0 };
    let mut events = 0;
    for part in core::iter::once(&CONNACK[..]).chain(bytes.chunks(READ)) {
        let Some(buffer) = protocol.read_buffer() else { return events };
        buffer.extend_from_slice(part);
        protocol.heard();
        loop {
            match protocol.poll() {
                Ok(Some(event)) => {
                    events += 1;
                    if let LinkEvent::Message(message) = event {
                        protocol.ack(message.receipt());
                    }
                }
                Ok(None) => break,
                Err(_) => return events,
            }
        }
        protocol.wrote(protocol.unwritten().len());
    }
    events
}

/// A broker answers others with a disconnect, which would repeat for ever.
fn may_be_asked(filter: &str) -> bool {
    valid_filter(filter) && !filter.contains('\0') && filter.len() <= usize::from(u16::MAX)
}

/// What stands for a publish whose properties nobody can read: without topic and payload, it is rejected and acknowledged. It is
/// framed, so what follows it can be read; and not acknowledged, it would be the first to come on every connection.
fn unread_publish(packet: &[u8]) -> Option<Publish> {
    let (first, rest) = packet.split_first()?;
    let (qos, id) = match first & 0xf6 {
        0x30 => (QoS::AtMostOnce, 0),
        0x32 => {
            let length = rest.iter().position(|byte| byte & 0x80 == 0)?;
            let (topic, rest) = rest.get(length + 1..)?.split_first_chunk::<2>()?;
            let id = rest.get(usize::from(u16::from_be_bytes(*topic))..)?.first_chunk::<2>()?;
            (QoS::AtLeastOnce, u16::from_be_bytes(*id))
        }
        _ => return None,
    };
    (qos == QoS::AtMostOnce || id != 0).then(|| Publish { qos, pkid: id, ..Publish::default() })
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
mod tests;
