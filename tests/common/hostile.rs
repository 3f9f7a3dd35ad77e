//! What must hold whatever the bytes: of a request, of the vendor's answers, of the records in the store. For tests and for
//! `fuzz/`.
#![allow(dead_code, reason = "each user takes its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a check stops at the first surprise")]

use std::time::Duration;

use gladhand::core::calls::prompt::MAX_PROMPT;
use gladhand::core::calls::{Call, request};
use gladhand::core::machine::{Effect, Input, Machine, Output};
use gladhand::core::record::{Change, Entry, Value};
use gladhand::core::time::{Mono, Now, UnixMillis};
use gladhand::elevenlabs::{ApiKey, answers};
use gladhand::store::Store;

#[path = "machine.rs"]
mod machine;
use machine::{Kept, start};

pub const KEY: &str = "sk_0123456789abcdef";

const REQUEST: &str = "gladhand/calls/request";

fn now(secs: u64) -> Now {
    let passed = Duration::from_secs(secs);
    Now { mono: Mono(passed), wall: UnixMillis(1_800_000_000_000) + passed, trusted: true }
}

/// Whatever is said aloud is short and cannot be taken for a template or a new paragraph of instructions; a refusal repeats no
/// number. Returns whether somebody was rung.
pub fn request(bytes: &[u8]) -> bool {
    let (mut machine, _) = start(1, &Kept::new(), now(0));
    drain(&mut machine);
    machine.handle(Input::Message { topic: REQUEST, payload: bytes, retained: false }, now(1));
    let accepted = request::accept(bytes, "US");
    match &accepted {
        Ok(_) => {
            let orders: Vec<_> = drain(&mut machine).into_iter().filter_map(dialed).collect();
            let [order] = &orders[..] else { panic!("one request is one call, not {}", orders.len()) };
            assert!(order.prompt.chars().count() <= MAX_PROMPT);
            assert!(!order.prompt.contains(['{', '}']), "{}", order.prompt);
            assert!(!order.prompt.chars().any(|c| c.is_control() && c != '\n'), "{:?}", order.prompt);
            assert!(order.dispatcher_name.len() <= 400 && !order.dispatcher_name.contains(['{', '}']));
            assert!(order.call_sid.starts_with("EL_") && order.call_sid.len() <= 128);
        }
        Err(refusal) => {
            assert!((400..500).contains(&refusal.status) && refusal.message.len() < 1_000, "{refusal:?}");
            assert!(!has_number(&refusal.message), "{refusal:?}");
            assert!(drain(&mut machine).into_iter().filter_map(dialed).next().is_none());
        }
    }
    accepted.is_ok()
}

/// Whatever is kept of an answer is bounded and shows neither the key nor a whole number.
pub fn answer(bytes: &[u8]) {
    let key = ApiKey::new(KEY).unwrap();
    let shown = [
        format!("{:?}", answers::conversation(bytes, &key)),
        format!("{:?}", answers::page(bytes, &key).map(|page| page.rows.len())),
        format!("{:?}", answers::placed(200, bytes, &key)),
        format!("{:?}", answers::placed(422, bytes, &key)),
        format!("{:?}", answers::placed(503, bytes, &key)),
    ];
    for text in shown {
        assert!(!text.contains(KEY), "{text}");
        assert!(text.len() < 16 * 1024, "{} bytes", text.len());
    }
}

/// A store holds whatever a bad medium makes of it: what cannot be read is named, and the rest works. The bytes are split at
/// line ends into a key, a value, a key and so on. Returns the keys that could not be read.
pub fn records(bytes: &[u8]) -> Vec<String> {
    let parts: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let entries: Vec<Entry> = parts
        .chunks(2)
        .zip(1..)
        .map(|(pair, revision)| Entry {
            key: String::from_utf8_lossy(pair.first().unwrap()).into_owned(),
            revision,
            bytes: pair.get(1).copied().unwrap_or_default().to_vec(),
        })
        .collect();
    let (mut machine, _) = start(1, &Kept::new(), now(0));
    drain(&mut machine);
    let unread = machine.restore(&entries, now(1));
    assert!(unread.iter().all(|key| entries.iter().any(|entry| entry.key == *key)));
    let mut rung = drain(&mut machine);
    for secs in 2..5 {
        machine.handle(Input::Tick, now(secs));
        rung.extend(drain(&mut machine));
    }
    let readable: Vec<Call> = entries.iter().filter_map(|entry| serde_json::from_slice(&entry.bytes).ok()).collect();
    for order in rung.into_iter().filter_map(dialed) {
        assert!(readable.iter().any(|call| call.call_sid == order.call_sid), "{order:?} comes from nowhere");
    }
    unread
}

/// The second copy of the calls may hold anything: the store opens all the same, and takes what it is given.
pub fn journal(bytes: &[u8]) {
    let state = tempfile::tempdir().unwrap();
    std::fs::write(state.path().join("calls.journal"), bytes).unwrap();
    let change = Change {
        key: "call/EL_D_1".to_owned(),
        value: Some(Value { revision: u64::MAX, bytes: b"{}".to_vec(), precious: true }),
    };
    let mut store = Store::open(state.path()).unwrap().store;
    store.commit(core::slice::from_ref(&change)).unwrap();
    drop(store);
    let kept = Store::open(state.path()).unwrap().entries;
    assert!(kept.iter().any(|entry| entry.key == change.key && entry.bytes == b"{}"));
}

fn dialed(output: Output) -> Option<gladhand::core::calls::dialing::Order> {
    if let Output::Do(Effect::Dial(order)) = output { Some(*order) } else { None }
}

fn drain(machine: &mut Machine) -> Vec<Output> {
    std::iter::from_fn(|| machine.poll_output()).collect()
}

/// Ten digits in a row, as every number of the tests has them.
fn has_number(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() >= 10)
}
