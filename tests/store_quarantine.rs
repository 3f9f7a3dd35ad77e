//! A database that does not open is set aside, and the calls come back from the journal.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use gladhand::core::record::{Change, Value};
use gladhand::store::{Health, Store};

#[test]
fn a_destroyed_database_costs_no_call() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap().store;
    store.commit(&[put("call/1", 1, "waiting", true), put("call/2", 1, "waiting", true)]).unwrap();
    store.commit(&[put("call/2", 2, "concluded", false), put("pair/1", 1, "apart", false)]).unwrap();
    drop(store);
    // Opened once more, so that a snapshot refers to what is then destroyed.
    drop(Store::open(dir.path()).unwrap());
    destroy(dir.path());

    let opened = Store::open(dir.path()).unwrap();
    let Health::Quarantined { moved_to, restored } = opened.health else { panic!("{:?}", opened.health) };
    assert_eq!(restored, 1);
    assert!(moved_to.join("db").exists());
    assert!(moved_to.file_name().unwrap().to_str().unwrap().starts_with("store.corrupt-"));
    assert!(opened.notes.iter().any(|note| note.contains("did not open")), "{:?}", opened.notes);
    assert_eq!(opened.entries.len(), 1);
    assert_eq!((opened.entries[0].key.as_str(), &*opened.entries[0].bytes), ("call/1", &b"waiting"[..]));

    let mut store = opened.store;
    store.commit(&[put("call/3", 1, "new", true)]).unwrap();
    drop(store);
    let opened = Store::open(dir.path()).unwrap();
    assert_eq!(opened.health, Health::Ok);
    assert_eq!(opened.entries.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["call/1", "call/3"]);
}

#[test]
fn only_the_newest_three_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    for old in [100, 20, 3] {
        fs::create_dir_all(dir.path().join(format!("store.corrupt-{old}"))).unwrap();
    }
    let mut store = Store::open(dir.path()).unwrap().store;
    store.commit(&[put("call/1", 1, "waiting", true)]).unwrap();
    drop(store);
    drop(Store::open(dir.path()).unwrap());
    destroy(dir.path());

    let Health::Quarantined { moved_to, .. } = Store::open(dir.path()).unwrap().health else { panic!("not quarantined") };
    let kept: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|item| item.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("store.corrupt-"))
        .collect();
    assert_eq!(kept.len(), 3);
    for expected in [moved_to, dir.path().join("store.corrupt-100"), dir.path().join("store.corrupt-20")] {
        assert!(kept.contains(&expected), "{expected:?} of {kept:?}");
    }
}

/// Overwrites the database's log.
fn destroy(state_dir: &Path) {
    let db = state_dir.join("store/db");
    let length = fs::metadata(&db).unwrap().len();
    fs::write(&db, vec![0x5a; length.try_into().unwrap()]).unwrap();
}

fn put(key: &str, revision: u64, text: &str, precious: bool) -> Change {
    Change { key: key.to_owned(), value: Some(Value { revision, bytes: text.as_bytes().to_vec(), precious }) }
}
