//! The wall clock is set while calls wait: no call becomes too old by it, none lives longer by it, and nothing is held for as
//! long as the clock was set back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::time::Duration;

use gladhand::core::calls::dialing::{NotPlaced, Verdict};
use gladhand::core::calls::{Call, State};
use gladhand::core::id::CallSid;
use gladhand::core::machine::{Effect, Input, Machine, Output};
use gladhand::core::record::Change;
use gladhand::core::time::{Mono, Now, UnixMillis};
use gladhand::rigs::Kind;
use gladhand::rigs::story::story;

#[path = "common/machine.rs"]
mod machine;
use machine::{Kept, start};

const T: UnixMillis = UnixMillis(1_800_000_000_000);
const REQUEST: &str = "gladhand/calls/request";

/// A machine, its store, and clocks that can be set.
struct Gateway {
    machine: Machine,
    store: Kept,
    now: Now,
    reachable: bool,
    dialed: Vec<CallSid>,
}

impl Gateway {
    fn at(now: Now) -> Self {
        let machine = start(1, &Kept::new(), now).0;
        let mut gateway = Self { machine, store: Kept::new(), now, reachable: false, dialed: Vec::new() };
        gateway.pass(Duration::ZERO);
        gateway
    }

    fn believed() -> Self {
        Self::at(Now { mono: Mono::default(), wall: T, trusted: true })
    }

    fn request(&mut self, driver: &str) {
        let payload = format!(r#"{{"drivers":[{{"driverId":"{driver}","driverName":"A B","phoneNumber":"+12125550123"}}]}}"#);
        self.machine.handle(Input::Message { topic: REQUEST, payload: payload.as_bytes(), retained: false }, self.now);
        self.settle();
    }

    /// In steps of a second at most, like the loop of the daemon.
    fn pass(&mut self, time: Duration) {
        let mut left = time;
        loop {
            let step = left.min(Duration::from_secs(1));
            left -= step;
            self.now.mono = self.now.mono + step;
            self.now.wall = self.now.wall + step;
            self.machine.handle(Input::Tick, self.now);
            self.settle();
            if left.is_zero() {
                return;
            }
        }
    }

    fn hear(&mut self, kind: &Kind) {
        let (topic, payload) = match kind {
            Kind::Report(report) => {
                self.machine.handle(Input::Report(report), self.now);
                return self.settle();
            }
            Kind::Assignment(a) => (format!("gladhand/assignments/{}", a.tractor), serde_json::to_vec(a).unwrap()),
            Kind::Zones(zones) => ("gladhand/zones".to_owned(), serde_json::to_vec(zones).unwrap()),
            Kind::Trailer(_) => return,
            other @ (Kind::Traccar(_) | Kind::Restart | Kind::Uplink(_)) => panic!("the story has no {other:?}"),
        };
        self.machine.handle(Input::Message { topic: &topic, payload: &payload, retained: true }, self.now);
        self.settle();
    }

    fn set(&mut self, wall: UnixMillis, trusted: bool) {
        self.now = Now { wall, trusted, ..self.now };
        self.pass(Duration::ZERO);
    }

    fn settle(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Keep(Change { key, value: Some(value) }) => drop(self.store.insert(key, (value.revision, value.bytes))),
                Output::Keep(Change { key, value: None }) => drop(self.store.remove(&key)),
                Output::Do(Effect::Dial(order)) => {
                    let verdict = if self.reachable {
                        self.dialed.push(order.call_sid.clone());
                        Verdict::Placed { conversation_id: format!("conv_{}", order.call_sid), provider_call_sid: None }
                    } else {
                        Verdict::NotPlaced(NotPlaced::Unreachable("no route".to_owned()))
                    };
                    self.machine.handle(Input::Dialed { call_sid: order.call_sid, verdict }, self.now);
                }
                Output::Do(Effect::ProbeUplink) => self.machine.handle(Input::Uplink(self.reachable), self.now),
                Output::Do(_) => {}
            }
        }
    }

    /// As they are stored.
    fn calls(&self) -> Vec<Call> {
        let stored = self.store.iter().filter(|(key, _)| key.starts_with("call/"));
        stored.map(|(_, (_, bytes))| serde_json::from_slice(bytes).unwrap()).collect()
    }

    fn states(&self) -> Vec<State> {
        self.calls().iter().map(|call| call.state).collect()
    }
}

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

#[test]
fn set_forward_by_hours_no_waiting_call_expires_before_its_time() {
    let mut gateway = Gateway::believed();
    gateway.request("D1");
    gateway.pass(minutes(10));
    gateway.set(gateway.now.wall + minutes(300), true);
    assert_eq!(gateway.states(), [State::Pending]);
    gateway.pass(minutes(19));
    assert_eq!(gateway.states(), [State::Pending]);
    gateway.pass(minutes(2));
    assert_eq!(gateway.states(), [State::Expired], "after 30 minutes of waiting");
}

#[test]
fn set_back_by_hours_no_waiting_call_lives_longer() {
    let mut gateway = Gateway::believed();
    gateway.request("D1");
    gateway.pass(minutes(10));
    gateway.set(gateway.now.wall - minutes(300), true);
    gateway.pass(minutes(19));
    assert_eq!(gateway.states(), [State::Pending]);
    gateway.pass(minutes(2));
    assert_eq!(gateway.states(), [State::Expired]);
    // And nothing waits for the old time to come again.
    gateway.reachable = true;
    gateway.request("D2");
    gateway.pass(Duration::from_secs(2));
    assert_eq!(gateway.dialed.len(), 1, "{:?}", gateway.calls());
}

#[test]
fn a_clock_that_is_lost_and_found_again_has_made_no_step() {
    let mut gateway = Gateway::believed();
    gateway.request("D1");
    gateway.pass(minutes(5));
    let right = gateway.now.wall;
    gateway.set(UnixMillis(0), false);
    assert_eq!(gateway.states(), [State::Held]);
    gateway.pass(minutes(5));
    gateway.set(right + minutes(5), true);
    gateway.pass(minutes(19));
    assert_eq!(gateway.states(), [State::Pending]);
    gateway.pass(minutes(2));
    assert_eq!(gateway.states(), [State::Expired]);
}

/// A gateway without a battery: it is 1970 until NTP has spoken, and what is asked of it then is dialled once it has.
#[test]
fn nineteen_seventy_until_ntp_holds_calls_and_ages_none() {
    let mut gateway = Gateway::at(Now { mono: Mono::default(), wall: UnixMillis(0), trusted: false });
    gateway.reachable = true;
    gateway.request("D1");
    gateway.pass(minutes(50));
    assert_eq!((gateway.states(), gateway.dialed.len()), (vec![State::Held], 0));
    gateway.set(T, true);
    gateway.pass(Duration::from_secs(2));
    assert_eq!(gateway.dialed.len(), 1);
    assert_eq!(gateway.calls().first().unwrap().created, T);
}

#[test]
fn a_request_of_before_ntp_is_the_same_one_when_it_comes_again() {
    let mut gateway = Gateway::at(Now { mono: Mono::default(), wall: UnixMillis(0), trusted: false });
    gateway.request("D1");
    gateway.set(T, true);
    gateway.request("D1");
    gateway.pass(minutes(23 * 60));
    gateway.request("D1");
    assert_eq!(gateway.calls().len(), 1);
}

/// What an earlier life has stored was dated by a clock that was right; the one of this life begins in 1970.
#[test]
fn a_stored_call_keeps_its_date_through_a_start_in_nineteen_seventy() {
    let mut gateway = Gateway::believed();
    gateway.request("D1");
    gateway.pass(minutes(20));
    let right = gateway.now.wall;
    let now = Now { mono: Mono::default(), wall: UnixMillis(0), trusted: false };
    let (machine, unread) = start(2, &gateway.store, now);
    assert_eq!(unread, Vec::<String>::new());
    (gateway.machine, gateway.now) = (machine, now);
    gateway.pass(minutes(5));
    gateway.set(right + minutes(6), true);
    gateway.pass(minutes(3));
    assert_eq!(gateway.states(), [State::Pending]);
    gateway.pass(minutes(2));
    assert_eq!(gateway.states(), [State::Expired]);
}

/// Believed and wrong by hours when the rigs set off, and set right while they are on the road.
#[test]
fn a_gateway_whose_clock_is_set_right_on_the_way_has_the_driver_called_once() {
    for wrong_by_ms in [10_800_000, -10_800_000, 120_000, -120_000] {
        let stream = story(T, 7);
        let shown = |at: UnixMillis, wrong_by_ms| UnixMillis(at.0 + wrong_by_ms);
        let wall = shown(stream.first().unwrap().received, wrong_by_ms);
        let mut gateway = Gateway::at(Now { mono: Mono::default(), wall, trusted: true });
        gateway.reachable = true;
        let mut wrong_by_now_ms = wrong_by_ms;
        for (n, item) in stream.iter().enumerate() {
            if n == stream.len() / 4 {
                wrong_by_now_ms = 0;
                gateway.set(shown(gateway.now.wall, -wrong_by_ms), true);
            }
            gateway.pass(shown(item.received, wrong_by_now_ms).since(gateway.now.wall));
            gateway.hear(&item.kind);
        }
        gateway.pass(minutes(5));
        assert_eq!(gateway.calls().iter().map(|call| call.driver.id.as_str().to_owned()).collect::<Vec<_>>(), ["DR103"]);
        assert_eq!(gateway.dialed.len(), 1, "wrong by {wrong_by_ms} ms");
    }
}
