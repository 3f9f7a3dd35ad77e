//! A recording on its way through the detector.

use super::recording::{Message, Unread};
use super::watch::Watch;
use crate::core::roster::book::{Book, Override, RosterFile};
use crate::core::roster::message;
use crate::core::separation::{Detector, Event, Finding, Observations, Receive, Settings};
use crate::core::time::UnixMillis;
use crate::core::topics::{Inbound, Topics};
use crate::formats::{Decoded, Router};

/// September 2001. An earlier time of receipt comes from a gateway whose clock was not set yet.
const FIRST_BELIEVABLE: UnixMillis = UnixMillis(1_000_000_000_000);

/// One recording, from its first line to its last.
#[derive(Debug)]
pub struct Session {
    detector: Detector,
    book: Book,
    router: Router,
    topics: Topics,
    /// Receive time of the newest line.
    now: Option<Receive>,
    tally: Tally,
    watch: Option<Watch>,
}

/// What the lines were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Lines that are not blank.
    pub lines: u64,
    /// Reports that were decoded.
    pub reports: u64,
    /// Messages that changed the roster or the zones, or repeated them.
    pub roster: u64,
    /// Lines, and messages on them, that could not be read.
    pub unread: u64,
}

impl Session {
    /// With these thresholds, telemetry sources, topics of our own and roster.
    #[must_use]
    pub fn new(settings: &Settings, router: Router, topics: Topics, roster: RosterFile) -> Self {
        let mut book = Book::default();
        book.load(roster);
        Self { detector: Detector::new(settings), book, router, topics, now: None, tally: Tally::default(), watch: None }
    }

    /// Remembers what [`watch`](Self::watch) shows. `settings` are those of [`new`](Self::new).
    #[must_use]
    pub fn watching(self, settings: &Settings) -> Self {
        Self { watch: Some(Watch::new(settings.clone())), ..self }
    }

    /// Takes in the next line; then [`poll`](Self::poll) until there is nothing more. A blank line is nothing.
    ///
    /// # Errors
    /// Why the line, or the message on it, was not read. Of a payload with several reports the good ones count all the same.
    pub fn line(&mut self, line: &[u8]) -> Result<(), Unread> {
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        self.tally.lines += 1;
        let read = Message::read(line).and_then(|message| self.message(&message));
        self.tally.unread += u64::from(read.is_err());
        read
    }

    /// A line that cannot even be handed over.
    pub const fn skip_line(&mut self) {
        self.tally.lines += 1;
        self.tally.unread += 1;
    }

    /// The next finding.
    pub fn poll(&mut self) -> Option<Finding> {
        loop {
            match self.detector.poll()? {
                Event::Found(finding) => {
                    if let Some(watch) = &mut self.watch {
                        watch.found(&finding);
                    }
                    return Some(*finding);
                }
                Event::Keep(_) | Event::Forget { .. } => {}
            }
        }
    }

    /// What the lines were, so far.
    #[must_use]
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// What the pairs went through, when asked to remember it.
    #[must_use]
    pub const fn watch(&self) -> Option<&Watch> {
        self.watch.as_ref()
    }

    /// What the detector says of the units, as of the newest line; `None` before the first.
    #[must_use]
    pub fn observations(&self) -> Option<Observations> {
        self.now.map(|now| self.detector.observations(now))
    }

    fn message(&mut self, message: &Message<'_>) -> Result<(), Unread> {
        let now = self.pass_to(message.received);
        let (topic, payload) = (&*message.topic, message.payload.as_bytes());
        if let Some(decoder) = self.router.route(topic) {
            let Self { detector, tally, watch, .. } = self;
            return decoder
                .decode(topic, payload, &mut |report| {
                    tally.reports += 1;
                    detector.report(&report, now);
                    if let Some(watch) = watch {
                        watch.reported(&report, now.at, detector);
                    }
                })
                .map(|_: Decoded| ())
                .map_err(|why| Unread::new(&why));
        }
        let followed = match self.topics.read(topic) {
            Some(Inbound::Assignment(tractor)) => self.assign(tractor, payload, now),
            Some(Inbound::Zones) => message::zones(payload).map(|zones| {
                self.book.set_zones(zones);
                self.detector.set_zones(self.book.zones().0.to_vec());
                if let Some(watch) = &mut self.watch {
                    watch.zoned(self.book.zones().0);
                }
            }),
            Some(Inbound::Request | Inbound::Cancel(_) | Inbound::Acknowledge(_) | Inbound::HealthCheck) | None => return Ok(()),
        };
        self.tally.roster += u64::from(followed.is_ok());
        followed.map_err(|why| Unread::new(&why))
    }

    /// Moves the receive clock, and does on the way what the daemon would have done when it was due.
    fn pass_to(&mut self, at: UnixMillis) -> Receive {
        let receive = |at| Receive { at, trusted: at >= FIRST_BELIEVABLE };
        let now = receive(at);
        if self.now.replace(now).is_none() {
            self.book.apply(&mut self.detector, now);
            if let Some(watch) = &mut self.watch {
                watch.zoned(self.book.zones().0);
                self.book.assignments().iter().for_each(|(a, _)| watch.assigned(&a.tractor, &a.trailers));
            }
        }
        while let Some(due) = self.detector.next_due().filter(|due| *due <= at) {
            self.detector.advance(receive(due));
        }
        now
    }

    fn assign(&mut self, tractor: &str, payload: &[u8], now: Receive) -> Result<(), String> {
        match self.book.assign(message::assignment(tractor, payload)?, now.at) {
            Override::Taken(taken) => {
                self.detector.assign(&taken.tractor, &taken.trailers, taken.since.unwrap_or(now.at), now);
                if let Some(watch) = &mut self.watch {
                    watch.assigned(&taken.tractor, &taken.trailers);
                }
                Ok(())
            }
            Override::Same | Override::Older => Ok(()),
            Override::Full => Err("too many tractors have been assigned over MQTT already".to_owned()),
        }
    }
}
