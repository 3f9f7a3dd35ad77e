//! No room: the commit fails cleanly, nothing acknowledged is lost, and the store opens again once there is room.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a test fails by panicking")]

#[path = "common/store_story.rs"]
mod story;

use std::path::Path;
use std::process::Command;

use gladhand::store::{Health, Store, StoreError};

const CHILD: &str = "GLADHAND_TEST_STORE_DISK_FULL";

/// A limit on the size of files stands for a full disk: it needs no rights, and a write fails in the middle just so.
#[test]
fn what_was_acknowledged_is_there_once_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    // In POSIX mode the unit is 512 bytes: 3 MiB.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 6144; exec \"$0\" --exact child --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, dir.path())
        .env("POSIXLY_CORRECT", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let acknowledged: u64 = text.lines().find_map(|line| line.strip_prefix("ACK ")).unwrap().parse().unwrap();
    assert!(acknowledged > 20, "{acknowledged}");

    let opened = Store::open(dir.path()).unwrap();
    assert_eq!(opened.health, Health::Ok, "{:?}", opened.notes);
    let reached = story::reached(&opened.entries).expect("the state after some list");
    assert!(reached == acknowledged || reached == acknowledged + 1, "acknowledged {acknowledged}, found {reached}");
    let mut store = opened.store;
    store.commit(&story::list(reached + 1)).unwrap();
}

/// The process whose writes fail; does nothing in a normal run.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let mut store = Store::open(Path::new(&dir)).unwrap().store;
    let mut number = 0;
    let error = loop {
        match store.commit(&story::list(number + 1)) {
            Ok(()) => number += 1,
            Err(error) => break error,
        }
    };
    println!("ACK {number}");
    assert!(error.is_disk_full(), "{error}");
    assert!(matches!(store.commit(&story::list(number + 1)), Err(StoreError::Dead)));
    let ballast = Path::new(&dir).join("ballast");
    assert!(ballast.exists());
    let recovered = store.recover();
    assert!(!ballast.exists(), "kept although there was no room");
    match recovered {
        Ok(mut opened) => {
            assert!(!opened.reserve && opened.notes.iter().any(|note| note.contains("ballast")), "{:?}", opened.notes);
            assert_eq!(opened.health, Health::Ok, "{:?}", opened.notes);
            let reached = story::reached(&opened.entries).expect("the state after some list");
            assert!(reached == number || reached == number + 1, "acknowledged {number}, found {reached}");
            // The limit is on each file: there is room for another one.
            assert!(opened.store.restore_ballast() && ballast.exists());
            println!("RECOVERED");
        }
        Err(error) => assert!(error.is_disk_full(), "{error}"),
    }
}
