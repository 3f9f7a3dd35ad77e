//! Health names the units whose positions are refused, with the reasons, and those that repeat an old place; who asks gets all.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use gladhand::core::control::Ask;
use gladhand::core::geo::Position;
use gladhand::core::id::UnitId;
use gladhand::core::machine::{Effect, Input, Machine, Output};
use gladhand::core::telemetry::Report;
use gladhand::core::time::{Mono, Now, UnixMillis};
use serde_json::{Value, json};

#[path = "common/machine.rs"]
mod machine;

const T0: i64 = 1_763_569_135_000;

fn now() -> Now {
    Now { mono: Mono::default(), wall: UnixMillis(T0 + 60_000), trusted: true }
}

/// A gateway with so many rigs.
fn gateway(rigs: usize) -> Machine {
    let (mut machine, _) = machine::start(1, &BTreeMap::new(), now());
    for n in 0..rigs {
        let topic = format!("gladhand/assignments/T-{n:04}");
        let assigned = json!({"tractor": format!("T-{n:04}"), "trailer": format!("R-{n:04}"), "since": 0}).to_string();
        machine.handle(Input::Message { topic: &topic, payload: assigned.as_bytes(), retained: true }, now());
    }
    machine
}

fn report(machine: &mut Machine, unit: &str, second: i64, lat: f64, moving: bool) {
    let at = UnixMillis(T0 + second * 1000);
    let fix = Report::fix(UnitId::new(unit).unwrap(), at, Position { lat, lon: lat });
    machine.handle(Input::Report(&Report { moving: Some(moving), ..fix }), now());
}

fn ask(machine: &mut Machine, ask: Ask) -> Value {
    machine.handle(Input::Ask { id: 7, ask }, now());
    let outputs = std::iter::from_fn(|| machine.poll_output());
    let mut answers = outputs.filter_map(|output| match output {
        Output::Do(Effect::Answer { id: 7, answer }) => Some(answer.body),
        Output::Do(_) | Output::Keep(_) => None,
    });
    answers.next().unwrap()
}

#[test]
fn units_are_named_with_their_reasons_and_the_list_is_bounded() {
    let mut machine = gateway(600);
    for n in 0..12 {
        for second in 0..=n {
            report(&mut machine, &format!("T-{n:04}"), second, 0.0, false);
        }
    }
    for second in 0..7 {
        report(&mut machine, "R-0003", second, 27.0, true);
    }
    let health = ask(&mut machine, Ask::Health);
    let worst = health["telemetry"]["worst"].as_array().unwrap();
    assert_eq!(worst.len(), 10);
    assert_eq!(worst[0], json!({"unit": "T-0011", "rejected_by": {"fix-null-island": 12}}));
    assert!(worst.contains(&json!({"unit": "R-0003", "rejected_by": {"fix-stale": 6}})));
    let reasons = health["reasons"].as_array().unwrap();
    assert_eq!(reasons.iter().filter(|reason| reason.as_str().unwrap().starts_with("stale_position:")).count(), 1);
    assert!(reasons.contains(&json!("stale_position:R-0003")));

    let answer = ask(&mut machine, Ask::Units);
    let units = answer["units"].as_array().unwrap();
    assert_eq!((units.len(), &answer["more"]), (1_000, &json!(200)));
    assert_eq!(
        units[0],
        json!({"unit": "R-0003", "with": ["T-0003"], "fix_age_s": 60, "heard_age_s": 0, "silent": false, "clock_suspect": false,
               "stale_position": true, "rejected_by": {"fix-stale": 6}})
    );
    assert_eq!(units[1]["unit"], "T-0011");
}
