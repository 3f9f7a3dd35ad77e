//! What the world must be told of violations and calls: kept until the broker has acknowledged it, in order, at least once.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::record::{Change, Value};

/// Announcements that may wait for a broker; beyond it the oldest is given up and counted.
pub const MAX_WAITING: usize = 10_000;

/// Messages on their way to the broker at once; the next follows an acknowledgement.
pub const WINDOW: usize = 64;

/// Where announcements stand in the store; what follows is the ticket, 16 hexadecimal digits.
pub const KEY: &str = "announce/";

/// One message, not yet acknowledged by the broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// Full topic.
    pub topic: String,
    /// JSON.
    pub payload: String,
}

/// What the outbox asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutboxOutput {
    /// Make this durable before what follows.
    Keep(Change),
    /// Publish this at QoS 1 and say when the broker has acknowledged it.
    Publish {
        /// To be named in [`Outbox::delivered`].
        ticket: u64,
        /// What.
        announcement: Announcement,
    },
}

/// See the module.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: BTreeMap<u64, Announcement>,
    next: u64,
    /// The first ticket that has not been handed over on this connection; `None` without one.
    unsent: Option<u64>,
    in_flight: usize,
    delivered: Vec<u64>,
    given_up: u64,
    out: VecDeque<OutboxOutput>,
}

impl Outbox {
    /// Deliveries that are forgotten in the store together, so that a delivery alone costs no write.
    const FORGET_TOGETHER: usize = 64;

    /// Takes back a stored announcement. Returns false when the key is not one.
    pub fn restore(&mut self, key: &str, announcement: Announcement) -> bool {
        let Some(ticket) = key.strip_prefix(KEY).and_then(|hex| u64::from_str_radix(hex, 16).ok()) else { return false };
        self.next = self.next.max(ticket.saturating_add(1));
        self.waiting.insert(ticket, announcement);
        true
    }

    /// Says something on a topic.
    pub fn announce(&mut self, topic: String, payload: String) {
        let ticket = self.next;
        self.next = self.next.saturating_add(1);
        let announcement = Announcement { topic, payload };
        self.forget_delivered();
        self.out.push_back(kept(ticket, &announcement));
        self.waiting.insert(ticket, announcement);
        while self.waiting.len() > MAX_WAITING
            && let Some((oldest, _)) = self.waiting.pop_first()
        {
            self.given_up = self.given_up.saturating_add(1);
            self.out.push_back(OutboxOutput::Keep(Change { key: key(oldest), value: None }));
        }
        self.send();
    }

    /// Asks for everything that waits to be kept once more.
    pub fn keep_again(&mut self) {
        self.out.extend(self.waiting.iter().map(|(ticket, announcement)| kept(*ticket, announcement)));
    }

    /// The broker is there: everything that waits goes out again, oldest first.
    pub fn link_up(&mut self) {
        self.unsent = Some(0);
        self.in_flight = 0;
        self.send();
    }

    /// The broker is gone.
    pub const fn link_down(&mut self) {
        self.unsent = None;
    }

    /// The broker has acknowledged a message. Forgetting it in the store can wait for company: after a crash it is only
    /// sent once more.
    pub fn delivered(&mut self, ticket: u64) {
        if self.waiting.remove(&ticket).is_some() {
            self.delivered.push(ticket);
            if self.delivered.len() >= Self::FORGET_TOGETHER {
                self.forget_delivered();
            }
        }
        self.in_flight = self.in_flight.saturating_sub(1);
        self.send();
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<OutboxOutput> {
        self.out.pop_front()
    }

    /// Messages that wait for the broker.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Messages given up because too many waited.
    #[must_use]
    pub const fn given_up(&self) -> u64 {
        self.given_up
    }

    fn send(&mut self) {
        while self.in_flight < WINDOW
            && let Some(unsent) = self.unsent
            && let Some((ticket, announcement)) = self.waiting.range(unsent..).next()
        {
            self.out.push_back(OutboxOutput::Publish { ticket: *ticket, announcement: announcement.clone() });
            self.unsent = Some(ticket.saturating_add(1));
            self.in_flight += 1;
        }
    }

    fn forget_delivered(&mut self) {
        for ticket in self.delivered.drain(..) {
            self.out.push_back(OutboxOutput::Keep(Change { key: key(ticket), value: None }));
        }
    }
}

fn kept(ticket: u64, announcement: &Announcement) -> OutboxOutput {
    // Two strings always serialise.
    let bytes = serde_json::to_vec(announcement).unwrap_or_default();
    OutboxOutput::Keep(Change { key: key(ticket), value: Some(Value { revision: 1, bytes, precious: false }) })
}

fn key(ticket: u64) -> String {
    format!("{KEY}{ticket:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(outbox: &mut Outbox) -> Vec<OutboxOutput> {
        core::iter::from_fn(|| outbox.poll_output()).collect()
    }

    fn published(outputs: &[OutboxOutput]) -> Vec<u64> {
        outputs.iter().filter_map(|o| if let OutboxOutput::Publish { ticket, .. } = o { Some(*ticket) } else { None }).collect()
    }

    #[test]
    fn an_announcement_is_kept_before_it_is_published_and_sent_until_acknowledged() {
        let mut outbox = Outbox::default();
        outbox.announce("t".to_owned(), "1".to_owned());
        let kept = drain(&mut outbox);
        assert!(matches!(&kept[..], [OutboxOutput::Keep(Change { value: Some(_), .. })]), "no broker, no publish: {kept:?}");
        outbox.link_up();
        outbox.announce("t".to_owned(), "2".to_owned());
        assert_eq!(published(&drain(&mut outbox)), [0, 1]);
        outbox.delivered(0);
        outbox.link_down();
        outbox.link_up();
        assert_eq!(published(&drain(&mut outbox)), [1]);
        outbox.delivered(1);
        outbox.delivered(1);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_restored_announcement_is_sent_and_its_ticket_not_used_again() {
        let mut outbox = Outbox::default();
        let old = Announcement { topic: "t".to_owned(), payload: "old".to_owned() };
        assert!(outbox.restore("announce/00000000000000ff", old));
        assert!(!outbox.restore("announce/xyz", Announcement { topic: String::new(), payload: String::new() }));
        outbox.link_up();
        outbox.announce("t".to_owned(), "new".to_owned());
        assert_eq!(published(&drain(&mut outbox)), [0xff, 0x100]);
    }

    #[test]
    fn a_backlog_leaves_in_order_and_a_window_at_a_time() {
        let mut outbox = Outbox::default();
        for n in 0..200 {
            outbox.announce("t".to_owned(), n.to_string());
        }
        outbox.link_up();
        let mut sent = published(&drain(&mut outbox));
        assert_eq!(sent.len(), WINDOW);
        for ticket in 0..200 {
            outbox.delivered(ticket);
            sent.extend(published(&drain(&mut outbox)));
        }
        assert_eq!(sent, (0..200).collect::<Vec<_>>());
        assert!(outbox.is_empty());
    }

    #[test]
    fn too_many_cost_the_oldest_and_are_counted() {
        let mut outbox = Outbox::default();
        for n in 0..=MAX_WAITING {
            outbox.announce("t".to_owned(), n.to_string());
        }
        assert_eq!((outbox.len(), outbox.given_up()), (MAX_WAITING, 1));
        let gone = drain(&mut outbox).into_iter().filter(|o| matches!(o, OutboxOutput::Keep(Change { value: None, .. }))).count();
        assert_eq!(gone, 1);
    }
}
