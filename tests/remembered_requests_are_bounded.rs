//! A request is remembered so that its repetition is none; of requests beyond the limit the oldest is forgotten, in the store too.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "common/machine.rs"]
mod machine;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gladhand::core::calls::State;
use gladhand::core::machine::{Effect, Input, Machine, Output, Telling};
use gladhand::core::time::{Mono, Now, UnixMillis};

/// As the README has it.
const REMEMBERED: u64 = 10_000;

#[test]
fn the_oldest_is_forgotten() {
    let (mut machine, _) = machine::start(1, &BTreeMap::new(), at(0));
    let mut kept = BTreeSet::new();
    for n in 0..=REMEMBERED {
        assert!(owes(&mut machine, &mut kept, n, at(n)), "request {n} owes a call");
        assert!(kept.len() as u64 <= REMEMBERED, "after request {n}");
    }
    assert_eq!(kept.len() as u64, REMEMBERED);
    assert!(!owes(&mut machine, &mut kept, 1, at(REMEMBERED + 1)), "the second is remembered");
    assert!(owes(&mut machine, &mut kept, 0, at(REMEMBERED + 2)), "the first was forgotten, and is a request like any other");
    assert!(owes(&mut machine, &mut kept, 1, at(REMEMBERED + 3)), "for which the second was");
    assert_eq!(kept.len() as u64, REMEMBERED);
}

/// Whether the request makes a call be owed. Follows what the store keeps of requests.
fn owes(machine: &mut Machine, kept: &mut BTreeSet<String>, n: u64, now: Now) -> bool {
    let request = format!(r#"{{"drivers":[{{"driverId":"DR{n}","phoneNumber":"+12125550155"}}]}}"#);
    machine.handle(Input::Message { topic: "gladhand/calls/request", payload: request.as_bytes(), retained: false }, now);
    let mut owed = false;
    while let Some(output) = machine.poll_output() {
        match output {
            Output::Keep(change) if change.key.starts_with("request/") => {
                if change.value.is_some() {
                    kept.insert(change.key);
                } else {
                    kept.remove(&change.key);
                }
            }
            Output::Do(Effect::Tell(Telling::Call(call))) => {
                owed |= call.state == State::Pending && call.driver.id.as_str() == format!("DR{n}");
            }
            Output::Keep(_) | Output::Do(_) => {}
        }
    }
    owed
}

/// A second each, so that all come within a day.
fn at(n: u64) -> Now {
    Now { mono: Mono(Duration::from_secs(60 + n)), wall: UnixMillis(1_800_000_000_000 + n as i64 * 1000), trusted: true }
}
