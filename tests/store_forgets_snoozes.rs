//! A snooze that is over is forgotten in the store as well.

#[path = "common/machine.rs"]
mod machine;

use std::collections::BTreeMap;
use std::time::Duration;

use gladhand::core::machine::{Input, Machine, Output};
use gladhand::core::time::{Mono, Now, UnixMillis};

#[test]
fn once_another_is_made() {
    let (mut machine, _) = machine::start(1, &BTreeMap::new(), at(0));
    for tractor in ["T-1", "T-2"] {
        let (topic, payload) =
            (format!("gladhand/assignments/{tractor}"), format!(r#"{{"tractor":"{tractor}","trailer":"R-1"}}"#));
        machine.handle(Input::Message { topic: &topic, payload: payload.as_bytes(), retained: true }, at(0));
    }
    acknowledge(&mut machine, "T-1", at(0));
    assert_eq!(snoozes(&mut machine), [("snooze/T-1".to_owned(), true)]);
    acknowledge(&mut machine, "T-2", at(59));
    assert_eq!(snoozes(&mut machine), [("snooze/T-2".to_owned(), true)]);
    acknowledge(&mut machine, "T-2", at(60));
    assert_eq!(snoozes(&mut machine), [("snooze/T-1".to_owned(), false), ("snooze/T-2".to_owned(), true)]);
}

fn acknowledge(machine: &mut Machine, tractor: &str, now: Now) {
    let topic = format!("gladhand/violations/{tractor}/acknowledge");
    machine.handle(Input::Message { topic: &topic, payload: br#"{"minutes":1}"#, retained: false }, now);
}

/// Keys of snoozes, and whether each was kept or forgotten.
fn snoozes(machine: &mut Machine) -> Vec<(String, bool)> {
    let mut changes = Vec::new();
    while let Some(output) = machine.poll_output() {
        if let Output::Keep(change) = output
            && change.key.starts_with("snooze/")
        {
            changes.push((change.key, change.value.is_some()));
        }
    }
    changes
}

fn at(seconds: i64) -> Now {
    let mono = Mono(Duration::from_secs(seconds.unsigned_abs()));
    Now { mono, wall: UnixMillis(1_800_000_000_000 + seconds * 1000), trusted: true }
}
