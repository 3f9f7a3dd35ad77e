//! A tractor may lose two trailers before the roster names its driver: both are told then.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a test fails by panicking")]

use gladhand::core::calls::Call;
use gladhand::core::id::UnitId;
use gladhand::core::machine::{Input, Machine, Output};
use gladhand::core::roster::Assignment;
use gladhand::core::telemetry::Report;
use gladhand::core::time::{Mono, Now, UnixMillis};
use gladhand::rigs::{Kind, story::story};
use std::time::Duration;
#[path = "common/machine.rs"]
mod machine;
use machine::{Kept, start};

#[test]
fn both_trailers_of_a_tractor_are_told_when_a_driver_is_named_late() {
    let end = UnixMillis(1_800_000_000_000);
    let now = Now { mono: Mono(Duration::from_secs(1)), wall: end, trusted: true };
    let mut kept = Kept::new();
    let mut machine = start(1, &kept, now).0;
    let twin = UnitId::new("R-103b").unwrap();
    let mut named: Option<Assignment> = None;
    for item in story(end, 7) {
        let now = Now { wall: item.received, ..now };
        match item.kind {
            Kind::Report(report) => {
                machine.handle(Input::Report(&report), now);
                if named.as_ref().is_some_and(|a| a.trailers.first() == Some(&report.unit)) {
                    machine.handle(Input::Report(&Report { unit: twin.clone(), ..report.clone() }), now);
                }
            }
            Kind::Assignment(assignment) => {
                let mut a = (*assignment).clone();
                if a.tractor.as_str() == "T-103" {
                    a.trailers.push(twin.clone());
                    named = Some(a.clone());
                }
                assign(&mut machine, &Assignment { driver: None, dispatcher: None, ..a }, now);
            }
            Kind::Zones(zones) => {
                let payload = serde_json::to_vec(&zones).unwrap();
                machine.handle(Input::Message { topic: "gladhand/zones", payload: &payload, retained: true }, now);
            }
            _ => {}
        }
        keep(&mut machine, &mut kept);
    }
    assert_eq!(machine.health(now).violations.open, 2);
    assign(&mut machine, &named.unwrap(), now);
    keep(&mut machine, &mut kept);
    let calls: Vec<Call> =
        kept.iter().filter(|(k, _)| k.starts_with("call/")).map(|(_, v)| serde_json::from_slice(&v.1).unwrap()).collect();
    let told: usize = calls.iter().filter(|c| !c.state.is_final()).map(|c| c.separations().count()).sum();
    assert_eq!(told, 2, "both are told");
}

fn assign(machine: &mut Machine, assignment: &Assignment, now: Now) {
    let topic = format!("gladhand/assignments/{}", assignment.tractor);
    let payload = serde_json::to_vec(assignment).unwrap();
    machine.handle(Input::Message { topic: &topic, payload: &payload, retained: true }, now);
}

fn keep(machine: &mut Machine, kept: &mut Kept) {
    while let Some(output) = machine.poll_output() {
        match output {
            Output::Keep(change) => {
                match change.value {
                    Some(value) => kept.insert(change.key, (value.revision, value.bytes)),
                    None => kept.remove(&change.key),
                };
            }
            Output::Do(_) => {}
        }
    }
}
