//! A violation that nobody could be told of is owed its call as soon as the roster names somebody, also after a restart, and
//! only once.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::Duration;

use gladhand::core::calls::{Call, State};
use gladhand::core::machine::{Effect, Input, Machine, Output};
use gladhand::core::roster::Assignment;
use gladhand::core::time::{Mono, Now, UnixMillis};
use gladhand::rigs::{Kind, story::story};

#[path = "common/machine.rs"]
mod machine;
use machine::{Kept, start};

#[test]
fn a_driver_named_late_is_called_once() {
    let end = UnixMillis(1_800_000_000_000);
    let now = Now { mono: Mono(Duration::from_secs(1)), wall: end, trusted: true };
    let mut kept = Kept::new();
    let mut machine = start(1, &kept, now).0;
    let mut named = None;
    for item in story(end, 7) {
        let now = Now { wall: item.received, ..now };
        match item.kind {
            Kind::Report(report) => machine.handle(Input::Report(&report), now),
            Kind::Assignment(assignment) => {
                let nobody = Assignment { driver: None, dispatcher: None, ..(*assignment).clone() };
                assign(&mut machine, &nobody, now);
                named = Some(*assignment).filter(|a| a.tractor.as_str() == "T-103").or(named);
            }
            Kind::Zones(zones) => {
                let payload = serde_json::to_vec(&zones).unwrap();
                machine.handle(Input::Message { topic: "gladhand/zones", payload: &payload, retained: true }, now);
            }
            Kind::Traccar(_) | Kind::Trailer(_) | Kind::Restart | Kind::Uplink(_) => {}
        }
        keep(&mut machine, &mut kept);
    }
    assert!(calls(&kept).is_empty(), "there was nobody to call");
    assert!(machine.health(now).reasons.contains(&"nobody_to_call:T-103".to_owned()));

    let mut machine = start(2, &kept, now).0;
    keep(&mut machine, &mut kept);
    assert!(machine.health(now).reasons.contains(&"nobody_to_call:T-103".to_owned()), "a restart does not forget it");
    let named = named.unwrap();
    assign(&mut machine, &named, now);
    let dialed = keep(&mut machine, &mut kept);
    assert_eq!((dialed, calls(&kept).len()), (1, 1));
    assert_eq!(calls(&kept).first().map(|call| (call.state, call.driver.id.as_str())), Some((State::Dialing, "DR103")));
    assert!(!machine.health(now).reasons.iter().any(|reason| reason.starts_with("nobody_to_call")));

    assign(&mut machine, &Assignment { since: Some(end), ..named }, now);
    assert_eq!((keep(&mut machine, &mut kept), calls(&kept).len()), (0, 1), "once");
}

fn assign(machine: &mut Machine, assignment: &Assignment, now: Now) {
    let topic = format!("gladhand/assignments/{}", assignment.tractor);
    let payload = serde_json::to_vec(assignment).unwrap();
    machine.handle(Input::Message { topic: &topic, payload: &payload, retained: true }, now);
}

/// Makes durable what is to be, and counts the POSTs.
fn keep(machine: &mut Machine, kept: &mut Kept) -> usize {
    let mut dialed = 0;
    while let Some(output) = machine.poll_output() {
        match output {
            Output::Keep(change) => {
                match change.value {
                    Some(value) => kept.insert(change.key, (value.revision, value.bytes)),
                    None => kept.remove(&change.key),
                };
            }
            Output::Do(Effect::Dial(_)) => dialed += 1,
            Output::Do(_) => {}
        }
    }
    dialed
}

fn calls(kept: &Kept) -> Vec<Call> {
    kept.iter()
        .filter(|(key, _)| key.starts_with("call/"))
        .map(|(_, (_, bytes))| serde_json::from_slice(bytes).unwrap())
        .collect()
}
