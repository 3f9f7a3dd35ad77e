//! The whole core against models of store, vendor and broker: seeded histories with restarts at any point, a vendor that is
//! away, busy, refuses or loses its answer, and messages that come again. In each of them the separation rings its driver
//! exactly once, or the call's state says why not.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a simulation stops at the first surprise")]

use std::collections::BTreeMap;
use std::time::Duration;

use gladhand::core::calls::dialing::{CallResult, Conversation, ConversationStatus, NotPlaced, Order, Verdict};
use gladhand::core::calls::{Call, State};
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

/// Histories in an ordinary run; `GLADHAND_HISTORIES` sets another number.
const HISTORIES: u64 = 300;

#[test]
fn in_every_history_a_separation_rings_once_or_says_why_not() {
    let histories = std::env::var("GLADHAND_HISTORIES").ok().and_then(|n| n.parse().ok()).unwrap_or(HISTORIES);
    let mut seen = BTreeMap::new();
    for seed in 0..histories {
        let end = World::new(seed).play();
        *seen.entry(end).or_insert(0) += 1;
    }
    println!("how the histories ended: {seen:?}");
    assert!(seen.get("concluded").is_some_and(|n| *n > histories / 4), "most histories reach the driver: {seen:?}");
    assert!(seen.contains_key("unknown"), "some must lose an answer, or the model is too kind: {seen:?}");
}

/// One history.
struct World {
    seed: u64,
    rng: Rng,
    stream: Stream,
    machine: Machine,
    starts: u32,
    store: Kept,
    wall: UnixMillis,
    mono: Duration,
    vendor: Vendor,
    linked: bool,
    unacknowledged: Vec<u64>,
    announced: Vec<(String, String)>,
    health: Option<Health>,
}

/// The vendor's side: what it received, and what has not been answered yet.
#[derive(Default)]
struct Vendor {
    reachable: bool,
    rung: Vec<(CallSid, String)>,
    answers: Vec<(CallSid, Verdict)>,
    talking: BTreeMap<String, u32>,
    questions: Vec<(CallSid, String)>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let end = UnixMillis(1_800_000_000_000 + i64::try_from(seed).unwrap() * 86_400_000);
        let stream = story(end, seed);
        let wall = stream.first().unwrap().received;
        let reachable = rng.chance(0.6);
        let now = Now { mono: Mono::default(), wall, trusted: true };
        let machine = start(1, &Kept::new(), now).0;
        let vendor = Vendor { reachable, ..Vendor::default() };
        Self {
            seed,
            rng,
            stream,
            machine,
            starts: 1,
            store: BTreeMap::new(),
            wall,
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
            let passed = item.received.since(self.wall);
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
        for _ in 0..3_000 {
            self.pass(Duration::from_secs(1));
            self.vendor.reachable = true;
            if !self.linked {
                self.link(true);
            }
            let waiting = self.calls().iter().any(|call| !call.state.is_final() && call.state != State::Unknown);
            if !waiting && self.linked && self.vendor.answers.is_empty() {
                break;
            }
        }
        self.judge()
    }

    /// Time passes, and with it what the outside does by itself.
    fn pass(&mut self, passed: Duration) {
        self.mono += passed;
        self.wall = self.wall + passed;
        let roll = self.rng.unit();
        if roll < 0.004 {
            self.restart();
        } else if roll < 0.02 {
            self.vendor.reachable = !self.vendor.reachable;
        } else if roll < 0.03 {
            let linked = self.linked;
            self.link(!linked);
        } else if roll < 0.1 {
            for ticket in std::mem::take(&mut self.unacknowledged) {
                let now = self.now();
                self.machine.handle(Input::Delivered(ticket), now);
            }
        }
        for (call_sid, verdict) in std::mem::take(&mut self.vendor.answers) {
            let now = self.now();
            self.machine.handle(Input::Dialed { call_sid, verdict }, now);
            self.settle();
        }
        for (call_sid, conversation) in std::mem::take(&mut self.vendor.questions) {
            let asked = self.vendor.talking.entry(conversation).or_default();
            *asked += 1;
            let answer = Ok(conversation_after(*asked));
            let now = self.now();
            self.machine.handle(Input::Conversation { call_sid, answer }, now);
            self.settle();
        }
        let now = self.now();
        self.machine.handle(Input::Tick, now);
        self.settle();
    }

    /// Power off and on: only what was made durable is left, and no answer that was under way arrives.
    fn restart(&mut self) {
        self.starts += 1;
        self.mono = Duration::ZERO;
        self.linked = false;
        self.unacknowledged.clear();
        self.vendor.answers.clear();
        self.vendor.questions.clear();
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
                roll if roll < 0.2 => not_placed(NotPlaced::Unauthorised("invalid_api_key".to_owned())),
                roll if roll < 0.25 => not_placed(NotPlaced::Refused("422".to_owned())),
                roll if roll < 0.4 => {
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
        let conversation = format!("conv_{}", self.vendor.rung.len());
        self.vendor.rung.push((order.call_sid.clone(), order.driver_id.to_string()));
        conversation
    }

    fn judge(&self) -> &'static str {
        let seed = self.seed;
        let calls = self.calls();
        let rung: Vec<&str> = self.vendor.rung.iter().map(|(_, driver)| driver.as_str()).collect();
        assert!(rung.len() <= 1, "seed {seed}: rung {rung:?}");
        assert!(rung.iter().all(|driver| *driver == "DR103"), "seed {seed}: rung {rung:?}");
        let [call] = &calls[..] else {
            panic!("seed {seed}: one separation is one call, not {calls:?} ({} starts)", self.starts);
        };
        assert_eq!(call.driver.id.as_str(), "DR103", "seed {seed}");
        let opened =
            self.announced.iter().filter(|(topic, said)| topic == "gladhand/violations/T-103" && said.contains("\"opened\""));
        assert!(opened.count() >= 1, "seed {seed}: nobody was told of the violation");
        let end = call.state;
        match end {
            State::Concluded | State::Placed => assert_eq!(rung.len(), 1, "seed {seed}: {call:?}"),
            State::Failed | State::Expired => assert_eq!(rung.len(), 0, "seed {seed}: {call:?}"),
            State::Unknown => {}
            State::Pending | State::Held | State::Dialing | State::Cancelled => panic!("seed {seed}: ended as {call:?}"),
        }
        assert!(end == State::Concluded || call.reason.is_some(), "seed {seed}: says no reason: {call:?}");
        let last = self.announced.iter().rev().find(|(topic, _)| topic.starts_with("gladhand/calls/"));
        assert!(last.is_some_and(|(_, said)| said.contains(end.as_str())), "seed {seed}: {end} was not announced: {last:?}");
        end.as_str()
    }

    fn calls(&self) -> Vec<Call> {
        let stored = self.store.iter().filter(|(key, _)| key.starts_with("call/"));
        stored.map(|(_, (_, bytes))| serde_json::from_slice(bytes).unwrap()).collect()
    }

    fn now(&self) -> Now {
        Now { mono: Mono(self.mono), wall: self.wall, trusted: true }
    }
}

fn conversation_after(questions: u32) -> Conversation {
    Conversation {
        status: if questions < 3 { ConversationStatus::Running } else { ConversationStatus::Done },
        call_result: Some(CallResult::Answered),
        duration: Duration::from_secs(30),
        termination_reason: String::new(),
        error: None,
        user_messages: 1,
        call_sid: None,
        summary: None,
        started: None,
    }
}
