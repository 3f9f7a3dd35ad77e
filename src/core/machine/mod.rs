//! The whole decision of the daemon behind one input and one output.
//!
//! ```text
//! Input::Report ─> separation ─> Finding ─┬─> queue of calls ─> Output::Dial ─> Input::Dialed ─> outcome
//!                  (detector)             └─> outbox ─────────> Output::Publish                    │
//!                      │                       ^                                                   │
//!                      └─> Output::Keep        └───────────────────────────────────────────────────┘
//! ```
//!
//! The shell's side of the bargain: it hands over inputs with their time, drains [`Machine::poll_output`], makes every
//! [`Output::Keep`] durable before it performs any other output of the same drain, and acknowledges a message to the broker
//! only after that.

mod asks;
mod clock;
mod consequences;
mod health;
mod messages;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::calls::dialing::{AskError, Conversation, Order, Search, Verdict};
use super::calls::settings::Retry;
use super::calls::{Call, Found, Queue};
use super::control::{Answer, Ask};
use super::gateway::{self, Gateway};
use super::health::{Asked, Health, Mqtt};
use super::id::{CallSid, UnitId, ViolationId};
use super::outbox::{Announcement, Outbox};
use super::record::{Change, Entry, Value};
use super::roster::book::{Book, RosterFile, Source};
use super::separation::{self, Detector, Finding, PairRecord, Receive};
use super::telemetry::Report;
use super::time::{Mono, Now, UnixMillis};
use super::topics::Topics;
use consequences::{nobody_key, snooze_key};
use messages::{override_key, request_key};

/// Everything that may be configured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `gateway.id`
    pub gateway: String,
    /// Our own topics.
    pub topics: Topics,
    /// `[separation]`
    pub separation: separation::Settings,
    /// `[calls]`
    pub calls: super::calls::Settings,
    /// `[retry]`
    pub retry: Retry,
    /// `health.interval`
    pub health_interval: core::time::Duration,
    /// `roster.toml`, `[[zone]]` and `[dispatcher]`.
    pub roster: RosterFile,
}

/// Which process this is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Process id.
    pub pid: u32,
    /// Version of gladhand.
    pub version: &'static str,
    /// Differs between any two starts of the daemon.
    pub nonce: String,
}

/// What happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// A unit reported.
    Report(&'a Report),
    /// A telemetry message could not be decoded; a short name for the reason.
    Undecodable(&'static str),
    /// A message on one of our own topics.
    Message {
        /// Full topic.
        topic: &'a str,
        /// As received.
        payload: &'a [u8],
        /// Kept by the broker, not said just now.
        retained: bool,
    },
    /// Somebody asks on the control socket.
    Ask {
        /// To be named in [`Effect::Answer`].
        id: u64,
        /// What.
        ask: Ask,
    },
    /// The broker has acknowledged our subscriptions.
    LinkUp {
        /// Whether it had kept our session.
        session_present: bool,
    },
    /// The broker refuses a subscription: what comes there is not heard.
    SubscriptionRefused(String),
    /// The broker is gone.
    LinkDown(String),
    /// The broker has acknowledged a message.
    Delivered(u64),
    /// A POST ended.
    Dialed {
        /// Whose.
        call_sid: CallSid,
        /// How.
        verdict: Verdict,
    },
    /// The vendor was asked about a conversation.
    Conversation {
        /// Whose.
        call_sid: CallSid,
        /// What it said.
        answer: Result<Conversation, AskError>,
    },
    /// The vendor was asked about an attempt of unknown outcome.
    Found {
        /// Whose.
        call_sid: CallSid,
        /// What it became; `Ok(None)`: the vendor has no such call in its list.
        answer: Result<Option<Found>, AskError>,
    },
    /// The vendor's address was tried.
    Uplink(bool),
    /// The account was tried.
    Account(bool),
    /// How often the vendor has been asked for what, by endpoint. Nothing follows from it but what health says.
    Asked(BTreeMap<String, Asked>),
    /// What is missing for dialling at all, if anything: a short name (`no_api_key`) and words.
    Ready(Result<(), (&'static str, String)>),
    /// The store was not in order when it was opened: everything is kept once more, for some of it may be gone.
    StoreFound {
        /// It had to be set aside, and was filled again from its second copy; otherwise it was repaired in place.
        quarantined: bool,
    },
    /// Whether the store takes writes. Nothing follows from it but what health says.
    StoreWrites(Writes),
    /// The machine's gauges were read. Nothing follows from it but what health says.
    Gateway(Box<Gateway>),
    /// Other settings.
    Configure(Box<Settings>),
    /// The process is about to end: what is under way ends, nothing new begins.
    Stopping,
    /// Time passed.
    Tick,
}

/// What to do. See the module for the order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Make durable.
    Keep(Change),
    /// Do, once everything is durable that was put out before and together with it.
    Do(Effect),
}

/// Something that is seen outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Publish at QoS 1.
    Publish {
        /// To be named in [`Input::Delivered`].
        ticket: u64,
        /// What.
        announcement: Announcement,
    },
    /// Say how it stands: publish it, retained, if there is a broker, and tell the service manager.
    Health(Box<Health>),
    /// One POST.
    Dial(Box<Order>),
    /// Ask the vendor how a call stands.
    AskConversation {
        /// Whose.
        call_sid: CallSid,
        /// The vendor's id.
        conversation_id: String,
    },
    /// Ask the vendor whether an attempt became a call.
    Find(Search),
    /// Try whether the vendor can be reached.
    ProbeUplink,
    /// Try whether the vendor accepts the account.
    ProbeAccount,
    /// Answer on the control socket.
    Answer {
        /// As in [`Input::Ask`].
        id: u64,
        /// What.
        answer: Answer,
    },
    /// Worth a line in the journal.
    Tell(Telling),
}

/// A line of the journal, to be given its words and fields by the shell.
#[derive(Clone, Debug, PartialEq)]
pub enum Telling {
    /// A finding.
    Finding(Box<Finding>),
    /// A call changed its state.
    Call(Box<Call>),
    /// Worth waking somebody.
    Warning(String),
    /// What is wrong with something that others send, of which there may be any number.
    NotFollowed(String),
}

/// Room that is kept for outputs: a restored fleet has one for each pair.
const OUTPUTS: usize = 64;

/// See the module.
#[derive(Debug)]
pub struct Machine {
    /// Their roster is in the book.
    settings: Settings,
    identity: Identity,
    since: UnixMillis,
    believed: Option<clock::Believed>,
    session: u64,
    /// When it began, by a clock that was to be trusted.
    started: Option<UnixMillis>,
    /// Records kept in this session.
    kept: u64,
    detector: Detector,
    book: Book,
    queue: Queue,
    outbox: Outbox,
    /// By fingerprint.
    seen: BTreeMap<String, Seen>,
    snoozed: BTreeMap<UnitId, Snooze>,
    waiters: BTreeMap<u64, Waiter>,
    unready: Option<&'static str>,
    store: StoreFound,
    writes: Writes,
    gateway: gateway::Watch,
    link: Mqtt,
    asked: BTreeMap<String, Asked>,
    session_lost_at: Option<Mono>,
    /// Filters that the broker refuses; as many as are configured.
    deaf_to: BTreeSet<String>,
    received: u64,
    undecodable: BTreeMap<&'static str, u64>,
    last_received: Option<Mono>,
    health_said: Option<Health>,
    health_said_at: Mono,
    health_looked_at: Mono,
    health_wanted: bool,
    /// Since health was looked at, something happened after which it is looked at again within this.
    health_within: Option<core::time::Duration>,
    nobody_to_call: BTreeMap<ViolationId, UnitId>,
    out: VecDeque<Output>,
}

/// Whether the store takes writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// It does.
    Succeed,
    /// It does, as it has given up its ballast: the disk is full.
    OnReserve,
    /// It does not: what happens now is neither announced, nor dialled, nor acknowledged.
    Fail,
}

/// How the store was found when it was opened last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StoreFound {
    InOrder,
    Repaired,
    Quarantined,
}

/// A start of the daemon.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Start {
    session: u64,
    /// Absent when the clock was not to be trusted.
    at: Option<UnixMillis>,
}

/// A request that was taken, so that the same payload is not taken again.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Seen {
    received: UnixMillis,
    /// Received while the clock was not to be believed.
    #[serde(default)]
    undated: bool,
    call_sid: CallSid,
}

/// Nobody is called about this tractor.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Snooze {
    tractor: UnitId,
    /// `None`: as long as the episodes last that were open.
    until: Option<UnixMillis>,
    by: String,
}

/// Somebody waits on the control socket for the vendor's answer.
#[derive(Debug)]
struct Waiter {
    call_sid: CallSid,
    until: Mono,
}

impl Machine {
    /// A machine that knows nothing yet: restore it, then hand it inputs.
    #[must_use]
    pub fn new(mut settings: Settings, identity: Identity, now: Now) -> Self {
        let roster = core::mem::take(&mut settings.roster);
        let mut machine = Self {
            detector: Detector::new(&settings.separation),
            book: Book::default(),
            queue: Queue::new(settings.calls.clone(), settings.retry.clone(), &settings.gateway, &identity.nonce),
            outbox: Outbox::default(),
            settings,
            identity,
            since: now.wall,
            believed: None,
            session: 1,
            started: None,
            kept: 0,
            seen: BTreeMap::new(),
            snoozed: BTreeMap::new(),
            waiters: BTreeMap::new(),
            unready: None,
            store: StoreFound::InOrder,
            writes: Writes::Succeed,
            gateway: gateway::Watch::default(),
            link: Mqtt::default(),
            asked: BTreeMap::new(),
            session_lost_at: None,
            deaf_to: BTreeSet::new(),
            received: 0,
            undecodable: BTreeMap::new(),
            last_received: None,
            health_said: None,
            health_said_at: Mono::default(),
            health_looked_at: Mono::default(),
            health_wanted: true,
            health_within: None,
            nobody_to_call: BTreeMap::new(),
            out: VecDeque::new(),
        };
        machine.book.load(roster);
        machine
    }

    /// When gladhand was last started with a clock that was to be trusted: no right clock is before that.
    #[must_use]
    pub fn last_start(entries: &[Entry]) -> Option<UnixMillis> {
        entries.iter().find(|entry| entry.key == "session").and_then(|entry| read::<Start>(entry)?.at)
    }

    /// Takes back what the store holds, then counts this start and puts the roster into effect. Returns the keys of
    /// entries that could not be read; they stay in the store.
    pub fn restore(&mut self, entries: &[Entry], now: Now) -> Vec<String> {
        let mut unread = Vec::new();
        let (mut calls, mut paired) = (Vec::new(), BTreeSet::new());
        for entry in entries {
            if self.restore_one(entry, &mut calls, &mut paired, now).is_none() {
                unread.push(entry.key.clone());
            }
        }
        self.queue.restore(calls, now);
        self.started = now.trusted.then_some(now.wall);
        self.keep_start();
        self.apply_roster(paired, now);
        self.drain(now);
        unread
    }

    /// Takes one input and decides everything that follows from it.
    pub fn handle(&mut self, input: Input<'_>, now: Now) {
        self.watch_the_clock(now);
        match input {
            Input::Report(report) => {
                self.received += 1;
                self.last_received = Some(now.mono);
                self.detector.report(report, receive(now));
                // The hot path: nearly every report changes nothing, and what is due in time comes with a tick.
                if !self.detector.has_events() {
                    return;
                }
            }
            Input::Undecodable(reason) => {
                self.received += 1;
                self.last_received = Some(now.mono);
                *self.undecodable.entry(reason).or_insert(0) += 1;
                return; // health tells at its next turn
            }
            Input::Message { topic, payload, retained } => self.message(topic, payload, retained, now),
            Input::Ask { id, ask } => self.ask(id, ask, now),
            Input::LinkUp { session_present } => {
                self.link.connected = true;
                self.link.connects += 1;
                if !session_present && self.link.connects > 1 {
                    self.link.sessions_lost += 1;
                    self.session_lost_at = Some(now.mono);
                }
                self.outbox.link_up();
                self.health_wanted = true;
            }
            Input::SubscriptionRefused(filter) => {
                self.deaf_to.insert(clip(&filter, 120));
            }
            Input::LinkDown(reason) => {
                self.deaf_to.clear();
                self.link.connected = false;
                self.link.last_error = Some(reason);
                self.outbox.link_down();
            }
            Input::Delivered(ticket) => self.outbox.delivered(ticket),
            Input::Dialed { call_sid, verdict } => self.queue.answered(&call_sid, verdict, now),
            Input::Conversation { call_sid, answer } => self.queue.followed(&call_sid, answer, now),
            Input::Found { call_sid, answer } => self.queue.found(&call_sid, answer, now),
            Input::Uplink(reached) => self.queue.probed_uplink(reached, now),
            Input::Account(accepted) => self.queue.probed_account(accepted, now),
            Input::Asked(asked) => self.asked = asked,
            Input::Ready(ready) => {
                self.unready = ready.as_ref().err().map(|(name, _)| *name);
                self.queue.set_unready(ready.err().map(|(_, words)| words));
            }
            Input::StoreFound { quarantined } => {
                self.store = if quarantined { StoreFound::Quarantined } else { StoreFound::Repaired };
                self.keep_again();
                self.health_wanted = true;
            }
            Input::StoreWrites(writes) => {
                self.writes = writes;
                self.health_wanted = true;
                return; // it may be said although nothing can be decided
            }
            Input::Gateway(read) => self.gateway.take(*read, now.mono),
            Input::Stopping => self.queue.stop(),
            Input::Configure(settings) => self.configure(*settings, now),
            Input::Tick => {
                self.detector.advance(receive(now));
                self.health_may_differ(consequences::HEALTH_UNDER_TRAFFIC);
                self.drain(now);
                return;
            }
        }
        self.health_may_differ(consequences::HEALTH_SOON);
        self.drain(now);
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        let next = self.out.pop_front();
        if next.is_none() {
            self.out.shrink_to(OUTPUTS);
        }
        next
    }

    /// When [`Input::Tick`] is due at the latest, and why.
    #[must_use]
    pub fn next_deadline(&self, now: Now) -> Option<(Mono, &'static str)> {
        let at_wall = |at: UnixMillis| now.mono + at.since(now.wall);
        [
            self.queue.next_deadline(now),
            self.detector.next_due().map(|at| (at_wall(at), "a pair is looked at again")),
            self.waiters.values().map(|w| w.until).min().map(|at| (at, "somebody waits for an answer")),
            Some((self.health_due(), "health is said")),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|(at, _)| *at)
    }

    /// How often gladhand was started on this store, this time included.
    #[must_use]
    pub const fn session(&self) -> u64 {
        self.session
    }

    /// As said in [`Input::StoreWrites`].
    #[must_use]
    pub const fn writes(&self) -> Writes {
        self.writes
    }

    fn configure(&mut self, mut settings: Settings, now: Now) {
        self.detector.configure(&settings.separation);
        self.queue.configure(settings.calls.clone(), settings.retry.clone());
        let before = self.book.assignments().into_iter().map(|(assignment, _)| assignment.tractor.clone()).collect();
        self.book.load(core::mem::take(&mut settings.roster));
        self.settings = settings;
        self.apply_roster(before, now);
        self.health_wanted = true;
    }

    /// Tells the detector what the roster says, and of the tractors in `before` that it does not name any longer.
    fn apply_roster(&mut self, before: BTreeSet<UnitId>, now: Now) {
        for tractor in before.iter().filter(|tractor| self.book.assignment(tractor).is_none()) {
            self.detector.assign(tractor, &[], now.wall, receive(now));
        }
        self.book.prepare(&mut self.detector);
        let book = core::mem::take(&mut self.book);
        for (assignment, _) in book.assignments() {
            Book::assign_in(&mut self.detector, assignment, receive(now));
            // At once: all pairs of a large fleet beside their records would be most of the daemon's memory.
            while let Some(record) = self.detector.poll_record() {
                self.decided(record, now);
            }
        }
        self.book = book;
        self.owe_what_nobody_heard(now);
    }

    fn restore_one(&mut self, entry: &Entry, calls: &mut Vec<Call>, paired: &mut BTreeSet<UnitId>, now: Now) -> Option<()> {
        let (kind, rest) = entry.key.split_once('/').unwrap_or((&entry.key, ""));
        match kind {
            "call" => calls.push(read(entry)?),
            "pair" => {
                let pair: PairRecord = read(entry)?;
                paired.insert(pair.tractor.clone());
                self.detector.restore(pair, receive(now));
            }
            "announce" => {
                let announcement: Announcement = read(entry)?;
                return self.outbox.restore(&entry.key, announcement).then_some(());
            }
            "override" => self.book.restore(read(entry)?),
            "zones" => self.book.set_zones(Some(read(entry)?)),
            "request" => {
                self.seen.insert(rest.to_owned(), read(entry)?);
            }
            "nobody" => {
                let (tractor, violation_id) = read(entry)?;
                self.nobody_to_call.insert(violation_id, tractor);
            }
            "snooze" => {
                let snooze: Snooze = read(entry)?;
                self.snoozed.insert(snooze.tractor.clone(), snooze);
            }
            "session" => self.session = read::<Start>(entry)?.session.saturating_add(1),
            _ => return None,
        }
        Some(())
    }

    fn keep_start(&mut self) {
        self.keep("session".to_owned(), &Start { session: self.session, at: self.started });
    }

    /// Asks for everything to be kept once more.
    fn keep_again(&mut self) {
        self.keep_start();
        self.detector.keep_again();
        self.queue.keep_again();
        self.outbox.keep_again();
        for (fingerprint, seen) in &self.seen.clone() {
            self.keep(request_key(fingerprint), seen);
        }
        for snooze in self.snoozed.clone().values() {
            self.keep(snooze_key(&snooze.tractor), snooze);
        }
        for (violation_id, tractor) in self.nobody_to_call.clone() {
            self.keep(nobody_key(&tractor, &violation_id), &(&tractor, &violation_id));
        }
        for over in self.book.overrides().cloned().collect::<Vec<_>>() {
            self.keep(override_key(&over.tractor), &over);
        }
        if let (zones, Source::Mqtt) = self.book.zones() {
            self.keep("zones".to_owned(), &zones.to_vec());
        }
    }

    /// Asks for a record to be kept. Records hold strings and numbers only; they always serialise.
    fn keep(&mut self, key: String, record: &impl Serialize) {
        self.kept = self.kept.saturating_add(1);
        // Later starts write later revisions.
        let revision = (self.session << 32).saturating_add(self.kept);
        let bytes = serde_json::to_vec(record).unwrap_or_default();
        self.out.push_back(Output::Keep(Change { key, value: Some(Value { revision, bytes, precious: false }) }));
    }

    fn forget(&mut self, key: String) {
        self.out.push_back(Output::Keep(Change { key, value: None }));
    }

    fn effect(&mut self, effect: Effect) {
        self.out.push_back(Output::Do(effect));
    }

    fn warn(&mut self, words: String) {
        self.effect(Effect::Tell(Telling::Warning(words)));
    }
}

fn receive(now: Now) -> Receive {
    Receive { at: now.wall, trusted: now.trusted }
}

fn read<'a, T: Deserialize<'a>>(entry: &'a Entry) -> Option<T> {
    serde_json::from_slice(&entry.bytes).ok()
}

/// At most `max` characters, without control characters: fit for a line of the journal.
fn clip(text: &str, max: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(max).collect()
}
