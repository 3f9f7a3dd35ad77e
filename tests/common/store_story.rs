//! A story of numbered lists of changes. The state after a list follows from its number alone, so whoever knows the last
//! number that was acknowledged can tell whether a store is right, whole lists included.

use gladhand::core::record::{Change, Entry, Value};

/// How many lists a call waits before it is concluded, and then before it is removed.
const CONCLUDED_AFTER: u64 = 3;
const REMOVED_AFTER: u64 = 9;
const PAIRS: u64 = 7;

/// List `number`, from 1: a new call and its pair, the conclusion of an older call, the removal of one older still.
pub fn list(number: u64) -> Vec<Change> {
    let mut changes = vec![put(call(number), 1, waiting(number), true), put(pair(number), number, apart(number), false)];
    if let Some(older) = number.checked_sub(CONCLUDED_AFTER).filter(|older| *older > 0) {
        changes.push(put(call(older), 2, concluded(older), false));
    }
    if let Some(oldest) = number.checked_sub(REMOVED_AFTER).filter(|oldest| *oldest > 0) {
        changes.push(Change { key: call(oldest), value: None });
    }
    changes
}

/// All entries after list `number`, ordered by key; nothing after list 0.
pub fn state(number: u64) -> Vec<Entry> {
    let mut entries = Vec::new();
    for recent in number.saturating_sub(REMOVED_AFTER - 1).max(1)..=number {
        entries.push(if recent + CONCLUDED_AFTER <= number {
            Entry { key: call(recent), revision: 2, bytes: concluded(recent) }
        } else {
            Entry { key: call(recent), revision: 1, bytes: waiting(recent) }
        });
    }
    for recent in number.saturating_sub(PAIRS - 1).max(1)..=number {
        entries.push(Entry { key: pair(recent), revision: recent, bytes: apart(recent) });
    }
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    entries
}

/// The number of the last list in `entries`, if they are the state after some list.
pub fn reached(entries: &[Entry]) -> Option<u64> {
    let pairs = entries.iter().filter(|entry| entry.key.starts_with("pair/"));
    let number = pairs.map(|entry| entry.revision).max().unwrap_or(0);
    (state(number) == entries).then_some(number)
}

fn call(number: u64) -> String {
    format!("call/{number:06}")
}

fn pair(number: u64) -> String {
    format!("pair/{}", number % PAIRS)
}

fn waiting(number: u64) -> Vec<u8> {
    format!("waiting {number} ").repeat(100).into_bytes()
}

fn concluded(number: u64) -> Vec<u8> {
    format!("concluded {number} ").repeat(90).into_bytes()
}

/// Mostly short, at times longer than one page of the database takes in one piece.
fn apart(number: u64) -> Vec<u8> {
    format!("apart {number} ").repeat(if number.is_multiple_of(5) { 1500 } else { 10 }).into_bytes()
}

fn put(key: String, revision: u64, bytes: Vec<u8>, precious: bool) -> Change {
    Change { key, value: Some(Value { revision, bytes, precious }) }
}
