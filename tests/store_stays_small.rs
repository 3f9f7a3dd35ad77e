//! Calls come and go, and the store does not grow with them: every kind of record has its limit, and the files follow.
//!
//! `GLADHAND_LIVES` is the number of calls (1,500; the limits are all met with 12,000 and more). `GLADHAND_SAID` is how many
//! characters are kept of each of the 40 turns of a conversation (none; 300 at most): then the database grows beyond its limit,
//! and the next start makes it small again.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test, with figures for the one who waits for them"
)]

#[path = "common/machine.rs"]
mod machine;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use gladhand::core::calls::dialing::{Conversation, ConversationStatus, MAX_TURNS, Turn, Verdict};
use gladhand::core::machine::{Effect, Input, Machine, Output};
use gladhand::core::time::{Mono, Now, UnixMillis};
use gladhand::store::{Health, Store};

/// 1,000 calls that have ended, 10,000 requests that are remembered, the journal up to its compaction, the ballast, and what
/// sled does not clean at once.
const MOST_ON_DISK: u64 = 64 << 20;
/// The journal is rewritten beyond 1 MiB, or twice of what it held before.
const MOST_IN_JOURNAL: u64 = 2 << 20;

#[test]
fn however_many_calls_come_and_go() {
    let lives: u64 = std::env::var("GLADHAND_LIVES").map_or(1500, |lives| lives.parse().unwrap());
    let said: usize = std::env::var("GLADHAND_SAID").map_or(0, |said| said.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap().store;
    let (mut machine, _) = machine::start(1, &BTreeMap::new(), at(0));
    machine.handle(Input::LinkUp { session_present: true }, at(0));
    let (mut most, mut most_in_journal) = (0, 0);
    for life in 0..lives {
        let now = at(life);
        let request = format!(r#"{{"drivers":[{{"driverId":"DR{life}","phoneNumber":"+12125550155"}}]}}"#);
        machine.handle(Input::Message { topic: "gladhand/calls/request", payload: request.as_bytes(), retained: false }, now);
        live(&mut machine, &mut store, said, now);
        most = most.max(on_disk(dir.path()));
        most_in_journal = most_in_journal.max(dir.path().join("calls.journal").metadata().unwrap().len());
        if (life + 1) % (lives / 10).max(1) == 0 {
            let journal = dir.path().join("calls.journal").metadata().unwrap().len();
            println!("{} lives: {} KiB on disk, of which journal {} KiB", life + 1, on_disk(dir.path()) >> 10, journal >> 10);
        }
    }
    println!("at most {} KiB on disk, journal {} KiB", most >> 10, most_in_journal >> 10);
    assert!(most_in_journal <= MOST_IN_JOURNAL, "journal {most_in_journal}");
    assert!(most <= MOST_ON_DISK || said > 0, "{most} bytes");

    drop(store);
    let opened = Store::open(dir.path()).unwrap();
    println!("{} KiB after the next start", on_disk(dir.path()) >> 10);
    assert!(on_disk(dir.path()) <= MOST_ON_DISK + (2 << 20), "{} bytes after the next start", on_disk(dir.path()));
    assert_eq!(opened.health, Health::Ok, "{:?}", opened.notes);
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for entry in &opened.entries {
        *kinds.entry(entry.key.split('/').next().unwrap()).or_default() += 1;
    }
    println!("{kinds:?}");
    // Beside those that have ended, up to 10 are under way.
    assert!((lives.min(1000)..=1010).contains(&kinds["call"]), "{kinds:?}");
    assert_eq!(kinds["request"], lives.min(10_000));
    // What the broker has acknowledged is forgotten 64 at a time.
    assert!(kinds.get("announce").is_none_or(|n| *n <= 64 + 64), "{kinds:?}");
}

/// Does all that the machine wants done, as the daemon does, with a vendor and a broker that answer at once.
fn live(machine: &mut Machine, store: &mut Store, said: usize, now: Now) {
    machine.handle(Input::Tick, now);
    loop {
        let (mut changes, mut effects) = (Vec::new(), Vec::new());
        while let Some(output) = machine.poll_output() {
            match output {
                Output::Keep(change) => changes.push(change),
                Output::Do(effect) => effects.push(effect),
            }
        }
        store.commit(&changes).unwrap();
        if effects.is_empty() {
            return;
        }
        for effect in effects {
            match effect {
                Effect::Publish { ticket, .. } => machine.handle(Input::Delivered(ticket), now),
                Effect::Dial(order) => {
                    let conversation_id = format!("conv_{}", order.call_sid);
                    let verdict = Verdict::Placed { conversation_id, provider_call_sid: None };
                    machine.handle(Input::Dialed { call_sid: order.call_sid, verdict }, now);
                }
                Effect::AskConversation { call_sid, .. } => {
                    let answer = Conversation {
                        status: ConversationStatus::Done,
                        call_result: None,
                        duration: Duration::from_secs(30),
                        termination_reason: String::new(),
                        error: None,
                        user_messages: 1,
                        call_sid: None,
                        provider_call_sid: None,
                        called: None,
                        transcript: vec![Turn { role: "user".to_owned(), message: "x".repeat(said) }; MAX_TURNS.min(said)],
                        summary: None,
                        started: None,
                    };
                    machine.handle(Input::Conversation { call_sid, answer: Ok(answer) }, now);
                }
                Effect::Find(_) => assert!(machine.health(now).calls.unknown > 0, "no answer was lost"),
                Effect::ProbeUplink => machine.handle(Input::Uplink(true), now),
                Effect::ProbeAccount => machine.handle(Input::Account(true), now),
                Effect::Health(_) | Effect::Answer { .. } | Effect::Tell(_) => {}
            }
        }
    }
}

/// One call a second, which is the rate of a gateway.
fn at(life: u64) -> Now {
    Now { mono: Mono(Duration::from_secs(60 + life)), wall: UnixMillis(1_800_000_000_000 + life as i64 * 1000), trusted: true }
}

/// What the files take, by their blocks.
fn on_disk(dir: &Path) -> u64 {
    let items = std::fs::read_dir(dir).unwrap().map(|item| item.unwrap());
    items.map(|item| if item.path().is_dir() { on_disk(&item.path()) } else { item.metadata().unwrap().blocks() * 512 }).sum()
}
