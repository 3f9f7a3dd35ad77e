//! The whole core against models of store, vendor, broker and clock: seeded histories with restarts at any point, a vendor
//! that is away, busy, refuses, loses its answers and lists calls late, drivers who do not answer, messages that come again,
//! and a gateway's clock that jumps. In each of them the separation rings its driver exactly once, or the call says why not:
//! nobody's telephone rings while an earlier call may still be going on or was answered, and in the end somebody was told, or
//! health says that nobody was.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a simulation stops at the first surprise")]

use std::collections::BTreeMap;
use std::time::Duration;

use gladhand::core::calls::dialing::{AskError, CallResult, Conversation, ConversationStatus, NotPlaced, Order, Search, Verdict};
use gladhand::core::calls::{Call, Callee, Found, Outcome, State};
use gladhand::core::health::Health;
use gladhand::core::id::CallSid;
use gladhand::core::machine::{Effect, Input, Machine, Output};
use gladhand::core::record::Change;
use gladhand::core::time::{Mono, Now, UnixMillis};
use gladhand::rigs::rng::Rng;
use gladhand::rigs::story::story;
use gladhand::rigs::{Kind, Stream};

#[path = "common/machine.rs"]
mod machine;
use machine::{Kept, start};

/// Histories in an ordinary run; `GLADHAND_HISTORIES` sets another number, `GLADHAND_SEED` the first of them.
const HISTORIES: u64 = 300;

/// The vendor lists a call at the latest this long after it began: just before it is asked for the last time.
const LISTED_WITHIN: u64 = 890;

#[test]
fn in_every_history_a_separation_rings_once_or_says_why_not() {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let (first, histories) = (number("GLADHAND_SEED").unwrap_or(0), number("GLADHAND_HISTORIES").unwrap_or(HISTORIES));
    let mut seen = BTreeMap::new();
    for seed in first..first + histories {
        let end = World::new(seed).play();
        *seen.entry(end).or_insert(0) += 1;
    }
    println!("how the histories ended: {seen:?}");
    if histories >= HISTORIES {
        let ends = ["the driver answered", "the dispatcher answered", "nobody was reached", "the two came together", "not found"];
        assert!(seen.keys().all(|end| ends.contains(end)), "{seen:?}");
        assert!(ends[..3].iter().all(|end| seen.contains_key(end)), "the model is too kind or too cruel: {seen:?}");
        assert!(seen["the driver answered"] > histories / 3, "{seen:?}");
    }
}

/// One history.
struct World {
    seed: u64,
    rng: Rng,
    stream: Stream,
    machine: Machine,
    starts: u32,
    store: Kept,
    /// What the time really is.
    time: UnixMillis,
    /// How far the gateway's clock is ahead, in seconds, and whether it says so itself.
    clock_error: i64,
    trusted: bool,
    clock_jumps: bool,
    mono: Duration,
    vendor: Vendor,
    linked: bool,
    unacknowledged: Vec<u64>,
    announced: Vec<(String, String)>,
    health: Option<Health>,
}

/// The vendor's side: what it has placed, and what has not been answered yet.
#[derive(Default)]
struct Vendor {
    reachable: bool,
    rung: Vec<Ring>,
    answers: Vec<(CallSid, Verdict)>,
    questions: Vec<(CallSid, String)>,
    searches: Vec<Search>,
}

/// A telephone that rang.
struct Ring {
    call_sid: CallSid,
    about: String,
    number: String,
    at: UnixMillis,
    /// Final after so long.
    lasts: Duration,
    listed_after: Duration,
    result: CallResult,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let end = UnixMillis(1_800_000_000_000 + i64::try_from(seed % 10_000).unwrap() * 86_400_000);
        let stream = story(end, seed);
        let time = stream.first().unwrap().received;
        let reachable = rng.chance(0.6);
        let clock_jumps = rng.chance(0.2);
        let now = Now { mono: Mono::default(), wall: time, trusted: true };
        let machine = start(1, &Kept::new(), now).0;
        let vendor = Vendor { reachable, ..Vendor::default() };
        Self {
            seed,
            rng,
            stream,
            machine,
            starts: 1,
            store: BTreeMap::new(),
            time,
            clock_error: 0,
            trusted: true,
            clock_jumps,
            mono: Duration::ZERO,
            vendor,
            linked: false,
            unacknowledged: Vec::new(),
            announced: Vec::new(),
            health: None,
        }
    }

    /// Plays the road, then waits until nothing more happens. Says how the call stands in the end.
    fn play(mut self) -> &'static str {
        for item in std::mem::take(&mut self.stream) {
            let passed = item.received.since(self.time);
            self.pass(passed);
            let (topic, payload) = match &item.kind {
                Kind::Report(report) => {
                    for _ in 0..if self.rng.chance(0.05) { 2 } else { 1 } {
                        let now = self.now();
                        self.machine.handle(Input::Report(report), now);
                        self.settle();
                    }
                    continue;
                }
                Kind::Assignment(assignment) => {
                    (format!("gladhand/assignments/{}", assignment.tractor), serde_json::to_vec(assignment).unwrap())
                }
                Kind::Zones(zones) => ("gladhand/zones".to_owned(), serde_json::to_vec(zones).unwrap()),
                // Traits of trackers come from the roster file only.
                Kind::Trailer(_) => continue,
                other @ (Kind::Traccar(_) | Kind::Restart | Kind::Uplink(_)) => panic!("the story has no {other:?}"),
            };
            let now = self.now();
            self.machine.handle(Input::Message { topic: &topic, payload: &payload, retained: true }, now);
            self.settle();
        }
        for _ in 0..20_000 {
            let now = self.now();
            let due = self.machine.next_deadline(now).map_or(Duration::from_secs(1), |(at, _)| at.0.saturating_sub(now.mono.0));
            self.pass(due.clamp(Duration::from_millis(500), Duration::from_secs(60)));
            if !self.linked {
                self.link(true);
            }
            let over = self.calls().iter().all(|call| call.state.is_final());
            if over && self.linked && self.vendor.answers.is_empty() {
                break;
            }
        }
        self.judge()
    }

    /// Time passes, and with it what the outside does by itself.
    fn pass(&mut self, passed: Duration) {
        self.mono += passed;
        self.time = self.time + passed;
        let roll = self.rng.unit();
        if roll < 0.004 {
            self.restart();
        } else if roll < 0.03 {
            self.vendor.reachable = !self.vendor.reachable || self.rng.chance(0.7);
        } else if roll < 0.04 {
            let linked = self.linked;
            self.link(!linked);
        } else if roll < 0.1 {
            for ticket in std::mem::take(&mut self.unacknowledged) {
                let now = self.now();
                self.machine.handle(Input::Delivered(ticket), now);
            }
        } else if roll < 0.105 && self.clock_jumps {
            self.clock_error = if self.rng.chance(0.5) { 0 } else { self.rng.range(-40_000.0, 40_000.0) as i64 };
            self.trusted = self.rng.chance(0.7);
        } else if roll < 0.15 {
            self.trusted = true;
        }
        self.answer();
        let now = self.now();
        self.machine.handle(Input::Tick, now);
        self.settle();
    }

    /// The vendor's answers arrive.
    fn answer(&mut self) {
        for (call_sid, verdict) in std::mem::take(&mut self.vendor.answers) {
            let now = self.now();
            self.machine.handle(Input::Dialed { call_sid, verdict }, now);
            self.settle();
        }
        for (call_sid, conversation) in std::mem::take(&mut self.vendor.questions) {
            let answer = if self.vendor.reachable {
                let number: usize = conversation.strip_prefix("conv_").unwrap().parse().unwrap();
                Ok(self.vendor.rung[number].conversation(self.time))
            } else {
                Err(AskError::Transient("no route".to_owned()))
            };
            let now = self.now();
            self.machine.handle(Input::Conversation { call_sid, answer }, now);
            self.settle();
        }
        for Search { call_sid, .. } in std::mem::take(&mut self.vendor.searches) {
            let listed = |ring: &&Ring| ring.call_sid == call_sid && self.time.since(ring.at) >= ring.listed_after;
            let answer = if !self.vendor.reachable || self.rng.chance(0.2) {
                Err(AskError::Transient("503".to_owned()))
            } else {
                let found = self.vendor.rung.iter().position(|ring| listed(&ring));
                Ok(found.map(|n| Found { conversation_id: format!("conv_{n}"), provider_call_sid: None }))
            };
            let now = self.now();
            self.machine.handle(Input::Found { call_sid, answer }, now);
            self.settle();
        }
    }

    /// Power off and on: only what was made durable is left, and no answer that was under way arrives.
    fn restart(&mut self) {
        self.starts += 1;
        self.mono = Duration::ZERO;
        self.linked = false;
        self.unacknowledged.clear();
        self.vendor.answers.clear();
        self.vendor.questions.clear();
        self.vendor.searches.clear();
        let (machine, unread) = start(self.starts, &self.store, self.now());
        assert_eq!(unread, Vec::<String>::new(), "seed {}", self.seed);
        self.machine = machine;
        self.settle();
    }

    fn link(&mut self, up: bool) {
        self.linked = up;
        let now = self.now();
        let session_present = self.rng.chance(0.5);
        self.machine.handle(if up { Input::LinkUp { session_present } } else { Input::LinkDown("gone".to_owned()) }, now);
        if !up {
            self.unacknowledged.clear();
        }
        self.settle();
    }

    /// What the shell does: everything durable first, then the effects, unless the power goes in between.
    fn settle(&mut self) {
        let mut effects = Vec::new();
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Keep(Change { key, value: Some(value) }) => {
                    self.store.insert(key, (value.revision, value.bytes));
                }
                Output::Keep(Change { key, value: None }) => {
                    self.store.remove(&key);
                }
                Output::Do(effect) => effects.push(effect),
            }
        }
        if !effects.is_empty() && self.rng.chance(0.01) {
            self.restart();
            return;
        }
        for effect in effects {
            match effect {
                Effect::Dial(order) => self.dial(*order),
                Effect::AskConversation { call_sid, conversation_id } => self.vendor.questions.push((call_sid, conversation_id)),
                Effect::Find(search) => self.vendor.searches.push(search),
                Effect::ProbeUplink => {
                    let now = self.now();
                    self.machine.handle(Input::Uplink(self.vendor.reachable), now);
                }
                Effect::ProbeAccount => {
                    let now = self.now();
                    self.machine.handle(Input::Account(true), now);
                }
                Effect::Publish { ticket, announcement } => {
                    if self.linked {
                        self.unacknowledged.push(ticket);
                        self.announced.push((announcement.topic, announcement.payload));
                    }
                }
                Effect::Health(health) => self.health = Some(*health),
                Effect::Answer { .. } | Effect::Tell(_) => {}
            }
        }
    }

    /// One POST arrives, or does not.
    fn dial(&mut self, order: Order) {
        let kept: Call = serde_json::from_slice(&self.store[&Call::key(&order.call_sid)].1).unwrap();
        assert_eq!(kept.state, State::Dialing, "seed {}: dialled before the attempt was kept", self.seed);
        let not_placed = |why| Verdict::NotPlaced(why);
        let verdict = if !self.vendor.reachable {
            not_placed(NotPlaced::Unreachable("no route".to_owned()))
        } else {
            match self.rng.unit() {
                roll if roll < 0.15 => {
                    let retry_after = self.rng.chance(0.5).then_some(Duration::from_secs(3));
                    not_placed(NotPlaced::Busy { retry_after, concurrency: false, reason: "busy".to_owned() })
                }
                roll if roll < 0.2 => not_placed(NotPlaced::Account("invalid_api_key".to_owned())),
                roll if roll < 0.23 => not_placed(NotPlaced::Refused("422".to_owned())),
                roll if roll < 0.45 => {
                    // The answer is lost; the telephone may ring all the same.
                    if self.rng.chance(0.5) {
                        self.ring(&order);
                    }
                    Verdict::Unknown("no answer".to_owned())
                }
                _ => Verdict::Placed { conversation_id: self.ring(&order), provider_call_sid: None },
            }
        };
        self.vendor.answers.push((order.call_sid, verdict));
    }

    fn ring(&mut self, order: &Order) -> String {
        let seed = self.seed;
        let same = |ring: &&Ring| ring.about == order.driver_id.as_str();
        for earlier in self.vendor.rung.iter().filter(same) {
            assert_ne!(earlier.call_sid, order.call_sid, "seed {seed}: two POSTs for one attempt");
            let ended = self.time.since(earlier.at) >= earlier.lasts;
            assert!(ended, "seed {seed}: rung while {} is still going on", earlier.call_sid);
            assert_ne!(earlier.result, CallResult::Answered, "seed {seed}: rung although {} was answered", earlier.call_sid);
        }
        let conversation = format!("conv_{}", self.vendor.rung.len());
        let result = match self.rng.unit() {
            roll if roll < 0.5 => CallResult::Answered,
            roll if roll < 0.65 => CallResult::NoAnswer,
            roll if roll < 0.8 => CallResult::Voicemail,
            roll if roll < 0.9 => CallResult::Busy,
            _ => CallResult::Failed,
        };
        self.vendor.rung.push(Ring {
            call_sid: order.call_sid.clone(),
            about: order.driver_id.to_string(),
            number: order.to.expose().to_owned(),
            at: self.time,
            lasts: Duration::from_secs_f64(self.rng.range(5.0, 200.0)),
            listed_after: Duration::from_secs_f64(if self.rng.chance(0.7) {
                0.0
            } else {
                self.rng.range(0.0, LISTED_WITHIN as f64)
            }),
            result,
        });
        conversation
    }

    fn judge(&self) -> &'static str {
        let seed = self.seed;
        let (calls, others): (Vec<Call>, Vec<Call>) =
            self.calls().into_iter().partition(|call| call.driver.id.as_str() == "DR103");
        assert!(others.is_empty() || self.clock_jumps, "seed {seed}: the others have not come apart: {others:?}");
        let rung: Vec<&Ring> = self.vendor.rung.iter().filter(|ring| ring.about == "DR103").collect();
        if calls.is_empty() && self.clock_jumps {
            return "not found"; // a clock that is hours off makes every fix too old or too new
        }
        let roots = calls.iter().filter(|call| call.parent_call_sid.is_none());
        let violations: Vec<_> = roots.filter_map(Call::violation_id).collect();
        assert_eq!(violations.len(), 1, "seed {seed}: one separation is one call, not {calls:?} ({} starts)", self.starts);
        let opened =
            self.announced.iter().filter(|(topic, said)| topic == "gladhand/violations/T-103" && said.contains("\"opened\""));
        assert!(opened.count() >= 1, "seed {seed}: nobody was told of the violation");
        for call in &calls {
            let said = |(topic, said): &&(String, String)| {
                *topic == format!("gladhand/calls/{}", call.call_sid) && said.contains(call.state.as_str())
            };
            assert!(self.announced.iter().rev().find(said).is_some(), "seed {seed}: not announced: {call:?}");
            assert!(call.state.is_final(), "seed {seed}: has no end: {call:?}");
            assert!(call.outcome.is_some() || call.reason.is_some(), "seed {seed}: says no reason: {call:?}");
            let next = call.next_call_sid.as_ref().map(|next| calls.iter().find(|call| call.call_sid == *next).unwrap());
            assert!(next.is_none_or(|next| next.parent_call_sid.as_ref() == Some(&call.call_sid)), "seed {seed}: {call:?}");
        }
        let driver = rung.iter().filter(|ring| ring.number == "+12125550103").count();
        assert!(driver <= 3, "seed {seed}: the driver's telephone rang {driver} times");
        assert!(rung.len() <= driver + 1, "seed {seed}: the dispatcher is called once");
        let answered = rung.iter().find(|ring| ring.result == CallResult::Answered);
        let told = calls.iter().find(|call| call.outcome == Some(Outcome::Answered));
        assert_eq!(answered.map(|ring| &ring.call_sid), told.map(|call| &call.call_sid), "seed {seed}: {calls:?}");
        let nobody = calls.iter().any(|call| call.nobody_reached);
        match told {
            Some(call) if call.callee == Callee::DispatcherAfter => "the dispatcher answered",
            Some(_) => "the driver answered",
            None if nobody => "nobody was reached",
            None => {
                let cancelled = calls.iter().any(|call| call.state == State::Cancelled);
                assert!(cancelled, "seed {seed}: nobody was told, and nobody says so: {calls:?}");
                "the two came together"
            }
        }
    }

    fn calls(&self) -> Vec<Call> {
        let stored = self.store.iter().filter(|(key, _)| key.starts_with("call/"));
        stored.map(|(_, (_, bytes))| serde_json::from_slice(bytes).unwrap()).collect()
    }

    fn now(&self) -> Now {
        let wall = UnixMillis(self.time.0 + self.clock_error * 1_000);
        Now { mono: Mono(self.mono), wall, trusted: self.trusted }
    }
}

impl Ring {
    /// How the conversation stands.
    fn conversation(&self, time: UnixMillis) -> Conversation {
        let ended = time.since(self.at) >= self.lasts;
        let answered = self.result == CallResult::Answered;
        Conversation {
            status: match (ended, self.result) {
                (false, _) => ConversationStatus::Running,
                (true, CallResult::Failed) => ConversationStatus::Failed,
                (true, _) => ConversationStatus::Done,
            },
            call_result: ended.then_some(self.result),
            duration: Duration::from_secs(if answered { 30 } else { 0 }),
            termination_reason: String::new(),
            error: None,
            user_messages: u32::from(answered),
            call_sid: Some(self.call_sid.to_string()),
            provider_call_sid: None,
            called: None,
            summary: None,
            transcript: Vec::new(),
            started: None,
        }
    }
}
