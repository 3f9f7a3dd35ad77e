//! One process at a time has the store; a second one is told so, unless the first lets go soon.
#![allow(clippy::disallowed_methods, reason = "measures how long something takes")]

use std::sync::mpsc;
use std::time::{Duration, Instant};

use gladhand::store::{Store, StoreError};

#[test]
fn a_store_that_stays_held_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let held = Store::open(dir.path()).unwrap();
    let started = Instant::now();
    assert!(matches!(Store::open(dir.path()), Err(StoreError::Locked(path)) if path == dir.path()));
    assert!(started.elapsed() >= Duration::from_secs(2));
    drop(held);
}

#[test]
fn a_store_that_is_let_go_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let held = Store::open(dir.path()).unwrap();
    let (tell, told) = mpsc::channel();
    std::thread::scope(|scope| {
        let second = scope.spawn(|| {
            tell.send(()).unwrap();
            Store::open(dir.path()).map(|opened| opened.entries.len())
        });
        told.recv().unwrap();
        drop(held);
        assert_eq!(second.join().unwrap().unwrap(), 0);
    });
}
