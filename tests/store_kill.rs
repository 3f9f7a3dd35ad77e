//! `kill -9` at any moment: every acknowledged list is there, the one under way is there as a whole or not at all, and the
//! store is in order.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a test fails by panicking")]

#[path = "common/store_story.rs"]
mod story;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use gladhand::store::{Health, Store};

const CHILD: &str = "GLADHAND_TEST_STORE_KILL";

#[test]
fn what_was_acknowledged_is_there() {
    let dir = tempfile::tempdir().unwrap();
    for round in 1..=12_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged =
            lines.filter_map(|line| line.unwrap().strip_prefix("ACK ").map(|number| number.parse::<u64>().unwrap()));
        // Up to 36 lists in a life; the kill falls somewhere in the list after the last one read.
        acknowledged.by_ref().take(3 * round as usize).for_each(drop);
        child.kill().unwrap();
        let last = acknowledged.last();
        child.wait().unwrap();

        let opened = Store::open(dir.path()).unwrap();
        assert_eq!(opened.health, Health::Ok, "{:?}", opened.notes);
        let reached = story::reached(&opened.entries).expect("the state after some list");
        if let Some(last) = last {
            assert!(reached == last || reached == last + 1, "acknowledged {last}, found {reached}");
        }
        assert!(reached >= 3 * round);
    }
}

/// The process that is killed; does nothing in a normal run.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let opened = Store::open(dir.as_ref()).unwrap();
    let mut number = story::reached(&opened.entries).unwrap();
    let mut store = opened.store;
    let mut out = std::io::stdout().lock();
    loop {
        number += 1;
        store.commit(&story::list(number)).unwrap();
        // An error means that the parent has stopped reading; it kills.
        let _ = writeln!(out, "ACK {number}");
    }
}
