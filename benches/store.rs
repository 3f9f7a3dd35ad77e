//! The store in figures: opening with 10,000 calls, latency and bytes of a commit, resident memory.
//!
//! `cargo bench --bench store [-- DIRECTORY]`; the directory, by default the one for temporary files, decides which disk is
//! measured.

#![allow(clippy::disallowed_methods, reason = "measures how long something takes")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement stops at the first surprise"
)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use gladhand::core::record::{Change, Value};
use gladhand::store::Store;

/// A call with its prompt takes about so much.
const CALL_BYTES: usize = 1536;
const COMMITS: u64 = 1000;

fn main() {
    let place = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let dir = match place {
        Some(place) => tempfile::tempdir_in(place),
        None => tempfile::tempdir(),
    }
    .unwrap();
    commits(&dir.path().join("commits"));
    for (name, precious) in [("concluded", false), ("waiting", true)] {
        openings(&dir.path().join(name), 10_000, precious, name);
    }
}

/// Runs before anything else, so that the memory is its own.
fn commits(dir: &Path) {
    let bare = resident_kib();
    let mut store = Store::open(dir).unwrap().store;
    println!("resident, empty store: {} KiB more", resident_kib() - bare);
    for (name, changes) in [("call", 1), ("call and pair", 2)] {
        let written = fs::read_to_string("/proc/self/io").unwrap();
        let mut took: Vec<Duration> = (0..COMMITS)
            .map(|number| {
                let pair = Change { key: "pair/T-001".to_owned(), value: Some(value(number, 200, false)) };
                let list = [call(number, changes, true), pair];
                let started = Instant::now();
                store.commit(&list[..changes as usize]).unwrap();
                started.elapsed()
            })
            .collect();
        took.sort();
        let bytes = counter("wchar", &fs::read_to_string("/proc/self/io").unwrap()) - counter("wchar", &written);
        println!(
            "commit, {name}: p50 {:?}, p99 {:?}, {} bytes written of which {CALL_BYTES} are the call's",
            took[took.len() / 2],
            took[took.len() * 99 / 100],
            bytes / COMMITS
        );
    }
    println!("resident, {COMMITS} calls committed twice: {} KiB more than bare", resident_kib() - bare);
    drop(store);
    let opened = Store::open(dir).unwrap();
    println!("resident, {} entries read: {} KiB more than bare", opened.entries.len(), resident_kib() - bare);
}

fn openings(dir: &Path, calls: u64, precious: bool, name: &str) {
    let mut store = Store::open(dir).unwrap().store;
    let all: Vec<_> = (0..calls).map(|number| call(number, 1, precious)).collect();
    for some in all.chunks(100) {
        store.commit(some).unwrap();
    }
    drop(store);
    for which in ["first", "second", "third"] {
        let started = Instant::now();
        let opened = Store::open(dir).unwrap();
        println!("open, {} {name} calls, {which} time: {:?}", opened.entries.len(), started.elapsed());
    }
}

fn call(number: u64, revision: u64, precious: bool) -> Change {
    Change { key: format!("call/EL_DR001_{number:08}"), value: Some(value(revision, CALL_BYTES, precious)) }
}

fn value(revision: u64, bytes: usize, precious: bool) -> Value {
    Value { revision, bytes: vec![b'x'; bytes], precious }
}

fn resident_kib() -> u64 {
    counter("VmRSS", &fs::read_to_string("/proc/self/status").unwrap())
}

/// The number after `name` in a file of /proc.
fn counter(name: &str, text: &str) -> u64 {
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
