//! The durable store. The only folder that knows sled.
//!
//! It keeps records under keys and makes lists of changes durable, each as a whole. What [`Store::commit`] has answered with
//! `Ok` survives a power cut; what is *precious* (a call that is not concluded) survives damage to one of two copies as well.
//!
//! # On disk
//! ```text
//! <state_dir>/              locked (flock) by the process that has the store open
//!     store/                sled: every record, one tree                           form: `record`
//!     calls.journal         the second copy of what is precious, append-only       form: `journal`
//!     ballast               1 MiB to give up when the disk is full
//!     store.corrupt-<unix>  databases that did not open or had lost records, the newest three
//!     store.new             while such a one, or one that has grown too large, is being replaced
//!     store.old             the latter, until it is deleted
//! ```
//!
//! # How a commit becomes durable
//! 1. All changes go to sled as one batch; flush; fsync.
//! 2. Those of precious keys are appended to the journal; fdatasync.
//!
//! A power cut in between leaves the journal behind, never ahead: no list is ever restored in part.
//!
//! # How the copies agree
//! At open, the newer revision of a key wins. What ended the life of a precious key stands as a record in both copies, also a
//! removal, until the next open has found them in agreement: then the journal forgets it first, the database second. So an
//! older copy never brings a concluded call back. That the journal knew better is never normal: [`Health`] says so.

mod ballast;
mod disk;
mod error;
mod guard;
mod journal;
mod record;
mod tree;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub use error::StoreError;

use crate::core::record::{Change, Entry};
use crate::host::clock;
use disk::StateDir;
use journal::{Image, Journal};
use record::{Kind, Record, Stored};
use tree::{Contents, OpenError, Tree, Write};

/// The longest key, in bytes: a kind and a `call_sid`, which has 128 at most, with room to spare.
pub const MAX_KEY: usize = 320;
/// The longest record, in bytes.
pub const MAX_RECORD: usize = 64 * 1024;

const DATABASE: &str = "store";
const JOURNAL: &str = "calls.journal";
const QUARANTINE: &str = "store.corrupt-";
const QUARANTINES_KEPT: usize = 3;
/// What the core's records mean, as a number; its own record stands beside them. A release that changes their meaning counts it
/// up, and brings the records of the older one into the new form when it opens the store.
const SCHEMA: u32 = 1;
const SCHEMA_KEY: &str = "schema";
/// The database that takes the place of a damaged one, while it is being written.
const RENEWED: &str = "store.new";
/// The database that has grown too large, while it waits to be deleted.
const OUTGROWN: &str = "store.old";
/// Beyond this, and beyond four times what it holds, a database is written anew when it is opened: the engine does not give back
/// all that long records took.
const LARGE: u64 = 64 << 20;
/// It is written in lists of this length.
const WRITTEN_AT_ONCE: usize = 64;

/// The open store. There is one in one process on a machine; see the module for what it promises.
///
/// All methods block.
pub struct Store {
    state: StateDir,
    /// `None` once a write has failed.
    open: Option<(Tree, Journal)>,
    /// Whether it failed for want of room.
    full: bool,
}

/// The store as it was opened.
pub struct Opened {
    /// For writing.
    pub store: Store,
    /// Everything in it, ordered by key.
    pub entries: Vec<Entry>,
    /// Whether it was found in order.
    pub health: Health,
    /// What was found and done, each worth a warning in the log. No contents, no secrets.
    pub notes: Vec<String>,
    /// Whether the ballast stands. Without it, the disk is full.
    pub reserve: bool,
}

/// Whether the store was found in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Both copies agreed.
    Ok,
    /// The database opened, but the copies did not agree, or one was damaged: an alarm, as the medium may be failing.
    Repaired {
        /// Keys set right from the journal.
        restored: usize,
        /// Records that cannot be read in either copy.
        lost: usize,
    },
    /// The database did not open. It was set aside, and what was precious restored from the journal.
    Quarantined {
        /// Where it is now.
        moved_to: PathBuf,
        /// Keys restored from the journal.
        restored: usize,
    },
}

impl Store {
    /// Opens the store in the state directory `dir`, which is created if need be, and brings its two copies into agreement.
    ///
    /// A store held by another process is waited for, 2 s at most. A full disk is met by giving up the ballast.
    ///
    /// # Errors
    /// [`StoreError::Locked`], [`StoreError::NotOurs`], [`StoreError::Newer`], or what the file system says. A damaged database
    /// is no error.
    pub fn open(dir: &Path) -> Result<Opened, StoreError> {
        Self::open_up_to(LARGE, dir)
    }

    fn open_up_to(large: u64, dir: &Path) -> Result<Opened, StoreError> {
        let state = StateDir::lock(dir)?;
        match Found::gather(&state, large) {
            Err(error) if error.is_disk_full() && free_ballast(&state)? => {
                let mut found = Found::gather(&state, large)?;
                found.notes.push("the disk is full: gave up the ballast".to_owned());
                Ok(found.into_opened(state, false))
            }
            Err(error) => Err(error),
            Ok(mut found) => {
                let reserve = ballast::ensure(state.path());
                match &reserve {
                    Ok(true) => {}
                    Ok(false) => found.notes.push("no room for the ballast".to_owned()),
                    Err(error) => found.notes.push(format!("no ballast: {error}")),
                }
                Ok(found.into_opened(state, reserve.unwrap_or(false)))
            }
        }
    }

    /// Makes `changes` durable, all or none; an empty list costs nothing. Of two changes of one key the later counts.
    ///
    /// # Errors
    /// [`StoreError::BadKey`] and [`StoreError::TooLarge`] refuse the list and leave the store as it was. After any other error
    /// it is not known whether the list became durable, and the store is closed: [`Store::recover`], then commit it again.
    pub fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let mut newest = BTreeMap::new();
        for change in changes {
            if !is_key(&change.key) {
                return Err(StoreError::BadKey(change.key.clone()));
            }
            if let Some(value) = change.value.as_ref().filter(|value| value.bytes.len() > MAX_RECORD) {
                return Err(StoreError::TooLarge { key: change.key.clone(), bytes: value.bytes.len() });
            }
            newest.insert(change.key.as_str(), change.value.as_ref());
        }
        let Some((tree, journal)) = &mut self.open else { return Err(StoreError::Dead) };

        let mut writes = Vec::with_capacity(newest.len());
        let mut copies = Vec::new();
        for (key, value) in newest {
            let known = journal.revision(key);
            let record = match (value, known) {
                (Some(value), _) => Record {
                    key,
                    revision: value.revision,
                    kind: if value.precious { Kind::Precious } else { Kind::Plain },
                    bytes: &value.bytes,
                },
                (None, Some(revision)) => Record { key, revision: revision.saturating_add(1), kind: Kind::Removed, bytes: &[] },
                (None, None) => {
                    writes.push(Write::Erase(key));
                    continue;
                }
            };
            writes.push(Write::Put(record));
            if known.is_some() || record.kind == Kind::Precious {
                copies.push(record);
            }
        }
        let done = write_both(tree, journal, &writes, &copies);
        if let Err(why) = &done {
            self.open = None;
            self.full = why.is_disk_full();
        }
        done
    }

    /// Opens the store again after a write has failed, giving up the ballast if there was no room, and returns it as it is on
    /// disk: with everything that was acknowledged, and the list whose commit failed either whole or not at all.
    ///
    /// # Errors
    /// As [`Store::open`]. The lock is let go, and `open` is what remains to be tried.
    pub fn recover(self) -> Result<Opened, StoreError> {
        let Self { state, open, full } = self;
        drop(open);
        let freed = full && free_ballast(&state)?;
        // Growing smaller waits for the next start: here somebody waits for a write.
        let mut found = Found::gather(&state, u64::MAX)?;
        if freed {
            found.notes.push("the disk is full: gave up the ballast".to_owned());
        }
        Ok(found.into_opened(state, !full))
    }

    /// Puts the ballast back, if there is room again. Cheap while it stands, a few MiB of writes in vain while there is none.
    /// Returns whether it stands.
    pub fn restore_ballast(&mut self) -> bool {
        ballast::ensure(self.state.path()).unwrap_or(false)
    }
}

/// The database first: it takes the list as a whole, so the journal alone never holds a part of one.
fn write_both(tree: &mut Tree, journal: &mut Journal, writes: &[Write<'_>], copies: &[Record<'_>]) -> Result<(), StoreError> {
    tree.write(writes)?;
    journal.append(copies)?;
    if journal.wants_compaction() {
        let forgotten = journal.compact()?;
        tree.write(&forgotten.iter().map(|key| Write::Erase(key)).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// The two copies, opened and in agreement.
struct Found {
    tree: Tree,
    journal: Journal,
    records: BTreeMap<String, Stored>,
    health: Health,
    notes: Vec<String>,
}

impl Found {
    fn gather(state: &StateDir, large: u64) -> Result<Self, StoreError> {
        let database = state.path().join(DATABASE);
        let path = state.path().join(JOURNAL);
        finish_renewal(state, &database)?;
        let mut notes = guard::repair(&database).map_err(StoreError::io(format!("repairing {}", database.display())))?;
        let image = Image::load(&path)?;
        let (mut tree, contents, moved_to) = open_tree(state, &database, &mut notes)?;
        state.sync()?;

        let Contents { mut records, unreadable } = contents;
        let schema = schema_of(&records)?;
        let (restored, lost) = restore(&mut records, &image, &unreadable);
        if moved_to.is_some() {
            write_all(&mut tree, &records)?;
        } else if restored > 0 || lost > 0 {
            tree = renew(state, &database, tree, &records, &mut notes)?;
        } else if is_large(&database, large, &records) {
            tree = shrink(state, &database, tree, &records, &mut notes)?;
        }
        if schema != Some(SCHEMA) {
            // The first release did not count: its records are those of today.
            let stored = Stored { revision: SCHEMA.into(), kind: Kind::Plain, bytes: SCHEMA.to_string().into_bytes() };
            tree.write(&[Write::Put(stored.as_record(SCHEMA_KEY))])?;
            records.insert(SCHEMA_KEY.to_owned(), stored);
        }
        let doubtful = restored > 0 || lost > 0 || image.damaged > 0 || moved_to.is_some();
        if restored > 0 {
            notes.push(format!("restored {restored} records from the journal"));
        }
        if !unreadable.is_empty() {
            let some: Vec<_> = unreadable.iter().take(5).map(String::as_str).collect();
            notes.push(format!("{} unreadable records, {lost} of them lost: {}", unreadable.len(), some.join(", ")));
        }
        if image.damaged > 0 {
            notes.push(format!("{} damaged bytes in the journal", image.damaged));
        }
        let missing = !image.found && records.values().any(|stored| stored.kind == Kind::Precious);
        if missing {
            notes.push("the journal was missing".to_owned());
        }

        let journal = agree(&mut tree, &records, image, &path, doubtful)?;
        let health = match moved_to {
            Some(moved_to) => Health::Quarantined { moved_to, restored },
            None if doubtful || missing => Health::Repaired { restored, lost },
            None => Health::Ok,
        };
        Ok(Self { tree, journal, records, health, notes })
    }

    fn into_opened(self, state: StateDir, reserve: bool) -> Opened {
        let Self { tree, journal, records, health, notes } = self;
        let standing = records.into_iter().filter(|(key, stored)| stored.kind != Kind::Removed && key != SCHEMA_KEY);
        let entries = standing.map(|(key, Stored { revision, bytes, .. })| Entry { key, revision, bytes }).collect();
        Opened { store: Store { state, open: Some((tree, journal)), full: false }, entries, health, notes, reserve }
    }
}

/// The schema of what is stored, if it is counted.
fn schema_of(records: &BTreeMap<String, Stored>) -> Result<Option<u32>, StoreError> {
    let counted = records.get(SCHEMA_KEY).and_then(|stored| std::str::from_utf8(&stored.bytes).ok()?.parse().ok());
    match counted {
        Some(found) if found > SCHEMA => Err(StoreError::Newer { place: "the store".to_owned(), found, known: SCHEMA }),
        counted => Ok(counted),
    }
}

/// Opens the database; one that is damaged is set aside, and a new one begun.
fn open_tree(
    state: &StateDir,
    database: &Path,
    notes: &mut Vec<String>,
) -> Result<(Tree, Contents, Option<PathBuf>), StoreError> {
    let why = match Tree::open(database) {
        Ok((tree, contents)) => return Ok((tree, contents, None)),
        Err(OpenError::Refused(error)) => return Err(error),
        Err(OpenError::Damaged(why)) => why,
    };
    // What an interrupted renewal left must not get the name that becomes free.
    let fresh = state.path().join(RENEWED);
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(StoreError::io(format!("deleting {}", fresh.display())))?;
        state.sync()?;
    }
    let moved_to = set_aside(state, database).map_err(StoreError::io(format!("setting aside {}", database.display())))?;
    notes.push(format!("the database did not open ({why}), it is now {}", moved_to.display()));
    match Tree::open(database) {
        Ok((tree, contents)) => Ok((tree, contents, Some(moved_to))),
        Err(OpenError::Refused(error)) => Err(error),
        Err(OpenError::Damaged(why)) => Err(StoreError::Engine(why)),
    }
}

/// Renames the database out of the way and deletes the oldest of those set aside before.
fn set_aside(state: &StateDir, database: &Path) -> std::io::Result<PathBuf> {
    let mut time = clock::wall().0.max(0).unsigned_abs() / 1000;
    let named = |time: u64| state.path().join(format!("{QUARANTINE}{time}"));
    while named(time).exists() {
        time += 1;
    }
    fs::rename(database, named(time))?;
    disk::sync_dir(state.path())?;

    let mut times = Vec::new();
    for item in fs::read_dir(state.path())? {
        let name = item?.file_name();
        times.extend(name.to_str().and_then(|name| name.strip_prefix(QUARANTINE)).and_then(|time| time.parse::<u64>().ok()));
    }
    times.sort_unstable_by(|a, b| b.cmp(a));
    for old in times.into_iter().skip(QUARANTINES_KEPT) {
        fs::remove_dir_all(named(old))?;
    }
    Ok(named(time))
}

/// Takes over what the journal knows better. Returns how many keys that were, and how many of the unreadable ones remain so.
fn restore(records: &mut BTreeMap<String, Stored>, image: &Image, unreadable: &[String]) -> (usize, usize) {
    let mut restored = 0;
    for (key, slot) in &image.slots {
        let newer = match records.get(key) {
            Some(stored) => stored.revision < slot.revision,
            None => slot.kind != Kind::Removed,
        };
        if newer {
            let stored = Stored { revision: slot.revision, kind: slot.kind, bytes: image.payload(*slot).to_vec() };
            records.insert(key.clone(), stored);
            restored += 1;
        }
    }
    let lost = unreadable.iter().filter(|key| !records.contains_key(*key)).count();
    (restored, lost)
}

/// Replaces a database that has lost something by a new one with `records`: what is damaged in its middle may open again and
/// again without ever finding what is written behind the damage.
fn renew(
    state: &StateDir,
    database: &Path,
    tree: Tree,
    records: &BTreeMap<String, Stored>,
    notes: &mut Vec<String>,
) -> Result<Tree, StoreError> {
    drop(tree);
    write_fresh(state, records)?;
    let moved_to = set_aside(state, database).map_err(StoreError::io(format!("setting aside {}", database.display())))?;
    finish_renewal(state, database)?;
    notes.push(format!("the database had lost records, it is now {}", moved_to.display()));
    open_again(database)
}

fn is_large(database: &Path, large: u64, records: &BTreeMap<String, Stored>) -> bool {
    let held: usize = records.iter().map(|(key, stored)| key.len() + stored.bytes.len()).sum();
    let on_disk = fs::metadata(database.join("db")).map_or(0, |file| file.blocks() * 512);
    on_disk > large && on_disk / 4 > held as u64
}

/// Replaces a database that has grown too large. That there is no room for another one is no reason not to start.
fn shrink(
    state: &StateDir,
    database: &Path,
    tree: Tree,
    records: &BTreeMap<String, Stored>,
    notes: &mut Vec<String>,
) -> Result<Tree, StoreError> {
    drop(tree);
    let old = state.path().join(OUTGROWN);
    let renamed = write_fresh(state, records)
        .and_then(|()| fs::rename(database, &old).map_err(StoreError::io(format!("renaming {}", database.display()))));
    match renamed {
        Ok(()) => {
            state.sync()?;
            finish_renewal(state, database)?;
        }
        Err(why) => {
            notes.push(format!("the database has grown large, and could not be written anew: {why}"));
            // What is left of it is removed the next time, if not now.
            let _ = fs::remove_dir_all(state.path().join(RENEWED));
        }
    }
    open_again(database)
}

/// A database with `records`, complete and durable, beside the one that it is to replace.
fn write_fresh(state: &StateDir, records: &BTreeMap<String, Stored>) -> Result<(), StoreError> {
    let fresh = state.path().join(RENEWED);
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(StoreError::io(format!("writing {}", fresh.display())))?;
    }
    let mut tree = open_again(&fresh)?;
    write_all(&mut tree, records)?;
    drop(tree);
    state.sync()
}

fn open_again(path: &Path) -> Result<Tree, StoreError> {
    match Tree::open(path) {
        Ok((tree, _)) => Ok(tree),
        Err(OpenError::Refused(error)) => Err(error),
        Err(OpenError::Damaged(why)) => Err(StoreError::Engine(why)),
    }
}

fn write_all(tree: &mut Tree, records: &BTreeMap<String, Stored>) -> Result<(), StoreError> {
    let all: Vec<_> = records.iter().map(|(key, stored)| Write::Put(stored.as_record(key))).collect();
    all.chunks(WRITTEN_AT_ONCE).try_for_each(|some| tree.write(some))
}

/// The old database is set aside only when the new one is complete and durable, and one that was too large is deleted only when
/// the new one has its name.
fn finish_renewal(state: &StateDir, database: &Path) -> Result<(), StoreError> {
    let fresh = state.path().join(RENEWED);
    if !database.exists() && fresh.exists() {
        fs::rename(&fresh, database).map_err(StoreError::io(format!("renaming {}", fresh.display())))?;
        state.sync()?;
    }
    let old = state.path().join(OUTGROWN);
    if database.exists() && old.exists() {
        // Rubbish is no reason not to start; it is tried again at the next one.
        let _ = fs::remove_dir_all(&old);
    }
    Ok(())
}

/// Makes the journal hold exactly what is precious, then lets the database forget what was removed. As long as something is
/// `doubtful`, endings are kept in both: the database may have to be believed once more than it deserves.
fn agree(
    tree: &mut Tree,
    records: &BTreeMap<String, Stored>,
    image: Image,
    path: &Path,
    doubtful: bool,
) -> Result<Journal, StoreError> {
    let wanted = |(key, stored): &(&String, &Stored)| match stored.kind {
        Kind::Precious => true,
        Kind::Plain => doubtful && image.slots.contains_key(*key),
        Kind::Removed => doubtful,
    };
    let kept = || records.iter().filter(wanted);
    let same = |(key, stored): (&String, &Stored)| {
        image.slots.get(key).is_some_and(|slot| slot.revision == stored.revision && slot.kind == stored.kind)
    };
    let journal = if image.found && !image.untidy && kept().count() == image.slots.len() && kept().all(same) {
        Journal::resume(path, image)?
    } else {
        Journal::create(path, kept().map(|(key, stored)| stored.as_record(key)))?
    };
    if !doubtful {
        let removed: Vec<_> =
            records.iter().filter(|(_, stored)| stored.kind == Kind::Removed).map(|(key, _)| key.as_str()).collect();
        tree.write(&removed.iter().map(|key| Write::Erase(key)).collect::<Vec<_>>())?;
    }
    Ok(journal)
}

fn free_ballast(state: &StateDir) -> Result<bool, StoreError> {
    ballast::release(state.path()).map_err(StoreError::io("deleting the ballast"))
}

/// Whether this may stand as a key: printable ASCII, not empty, [`MAX_KEY`] bytes at most.
fn is_key(key: &str) -> bool {
    !key.is_empty() && key.len() <= MAX_KEY && key.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::record::Value;

    #[test]
    fn what_was_committed_is_there_after_opening_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut opened = Store::open(dir.path()).unwrap();
        assert_eq!((opened.entries, opened.health, opened.notes), (vec![], Health::Ok, vec![]));
        opened.store.commit(&[put("call/1", 1, "one", true), put("pair/1", 7, "two", false)]).unwrap();
        opened.store.commit(&[put("call/1", 2, "three", false), erase("pair/1")]).unwrap();
        drop(opened.store);

        let opened = Store::open(dir.path()).unwrap();
        let entry = Entry { key: "call/1".to_owned(), revision: 2, bytes: b"three".to_vec() };
        assert_eq!((opened.entries, opened.health, opened.notes), (vec![entry], Health::Ok, vec![]));
    }

    #[test]
    fn a_refused_list_leaves_nothing_and_the_store_open() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap().store;
        let long = "x".repeat(MAX_RECORD + 1);
        let refusal = store.commit(&[put("pair/1", 1, "fits", false), put("call/2", 1, &long, true)]).unwrap_err();
        assert!(matches!(&refusal, StoreError::TooLarge { key, bytes: 65_537 } if key == "call/2"));
        for key in ["", "call/\n", "call/ü", &"k".repeat(MAX_KEY + 1)] {
            let refusal = store.commit(&[put("pair/1", 1, "fits", false), put(key, 1, "", true)]).unwrap_err();
            assert!(matches!(refusal, StoreError::BadKey(_)), "{key:?}");
        }
        store.commit(&[put("call/2", 1, &long[1..], true)]).unwrap();
        drop(store);
        let keys: Vec<_> = Store::open(dir.path()).unwrap().entries.into_iter().map(|entry| entry.key).collect();
        assert_eq!(keys, ["call/2"]);
    }

    #[test]
    fn long_records_never_become_blobs_which_sled_does_not_sync() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap().store;
        let text = |length: usize| "y".repeat(length);
        for round in 0..3_usize {
            for number in 0..40_usize {
                let length = (MAX_RECORD >> round) - number;
                store.commit(&[put(&format!("pair/{number:03}"), round as u64, &text(length), false)]).unwrap();
            }
        }
        assert_eq!(fs::read_dir(dir.path().join("store/blobs")).unwrap().count(), 0);
        drop(store);
        let entries = Store::open(dir.path()).unwrap().entries;
        assert_eq!(entries.len(), 40);
        for (number, entry) in entries.iter().enumerate() {
            assert_eq!(entry.bytes.len(), (MAX_RECORD >> 2) - number);
        }
    }

    #[test]
    fn a_list_longer_than_a_segment_of_the_log_is_one_list() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap().store;
        let text = "z".repeat(MAX_RECORD);
        let list: Vec<_> = (0..40_u64).map(|number| put(&format!("call/{number:03}"), 1, &text, true)).collect();
        store.commit(&list).unwrap();
        assert_eq!(fs::read_dir(dir.path().join("store/blobs")).unwrap().count(), 0);
        drop(store);
        fs::remove_dir_all(dir.path().join(DATABASE)).unwrap();
        let opened = Store::open(dir.path()).unwrap();
        assert_eq!(opened.health, Health::Repaired { restored: 40, lost: 0 });
        assert_eq!(opened.entries.len(), 40);
        assert_eq!(fs::read_dir(dir.path().join("store/blobs")).unwrap().count(), 0);
        drop(opened);
        let entries = Store::open(dir.path()).unwrap().entries;
        assert!(entries.len() == 40 && entries.iter().all(|entry| entry.bytes == text.as_bytes()));
    }

    /// sled tells a held lock apart from other trouble by the text of its message alone.
    #[test]
    fn a_database_in_use_is_not_taken_for_a_damaged_one() {
        let dir = tempfile::tempdir().unwrap();
        drop(Store::open(dir.path()).unwrap());
        let held = sled::open(dir.path().join(DATABASE)).unwrap();
        assert!(matches!(Store::open(dir.path()), Err(StoreError::Locked(_))));
        drop(held);
        assert_eq!(Store::open(dir.path()).unwrap().health, Health::Ok);
    }

    #[test]
    fn nothing_is_written_when_nothing_is_committed() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap().store;
        store.commit(&[put("call/1", 1, "one", true)]).unwrap();
        let before = listing(dir.path());
        store.commit(&[]).unwrap();
        drop(store);
        assert_eq!(listing(dir.path()), before);
    }

    #[test]
    fn the_database_of_a_newer_release_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        drop(Store::open(dir.path()).unwrap());
        let db = sled::open(dir.path().join(DATABASE)).unwrap();
        let mut value = vec![2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        value.extend(crc32fast::hash(&[b"call/0", &value[..]].concat()).to_le_bytes());
        db.insert("call/0", value).unwrap();
        drop(db);
        let refusal = Store::open(dir.path()).err().unwrap();
        assert!(matches!(refusal, StoreError::Newer { found: 2, .. }), "{refusal}");
        assert!(dir.path().join(DATABASE).join("db").exists());
    }

    #[test]
    fn the_schema_of_a_newer_release_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap().store;
        store.commit(&[put("call/1", 1, "one", true), put(SCHEMA_KEY, 2, "2", false)]).unwrap();
        drop(store);
        for _ in 0..2 {
            let refusal = Store::open(dir.path()).err().unwrap();
            assert!(matches!(refusal, StoreError::Newer { found: 2, known: 1, .. }), "{refusal}");
        }
        let Ok((tree, contents)) = Tree::open(&dir.path().join(DATABASE)) else { panic!("does not open") };
        assert_eq!(contents.records.keys().collect::<Vec<_>>(), ["call/1", SCHEMA_KEY]);
        drop(tree);
    }

    #[test]
    fn a_database_that_lost_records_is_replaced_by_one_that_lasts() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap().store;
        store.commit(&[put("call/1", 1, "one", true), put("pair/1", 1, "x", false)]).unwrap();
        drop(store);
        // It opens again as an empty one, and what is appended to it is never found.
        let db = dir.path().join(DATABASE).join("db");
        fs::write(&db, vec![0x5a; 1 << 20]).unwrap();
        let opened = Store::open(dir.path()).unwrap();
        assert_eq!(opened.health, Health::Repaired { restored: 1, lost: 0 });
        let mut store = opened.store;
        store.commit(&[put("pair/2", 1, "y", false)]).unwrap();
        drop(store);
        let opened = Store::open(dir.path()).unwrap();
        assert_eq!(opened.health, Health::Ok, "{:?}", opened.notes);
        assert_eq!(opened.entries.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["call/1", "pair/2"]);
    }

    #[test]
    fn a_replacement_is_finished_after_a_power_cut() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap().store;
        store.commit(&[put("call/1", 1, "one", true), put("pair/1", 1, "x", false)]).unwrap();
        drop(store);
        // The old one is set aside already, and the new one has not got its name.
        fs::rename(dir.path().join(DATABASE), dir.path().join(RENEWED)).unwrap();
        let opened = Store::open(dir.path()).unwrap();
        assert_eq!((opened.health, opened.entries.len()), (Health::Ok, 2));
        drop(opened.store);
        // It was cut off while the new one was being written.
        fs::create_dir(dir.path().join(RENEWED)).unwrap();
        let opened = Store::open(dir.path()).unwrap();
        assert_eq!((opened.health, opened.entries.len()), (Health::Ok, 2));
    }

    #[test]
    fn a_database_that_has_grown_large_is_written_anew_at_the_next_open() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap().store;
        let long = "x".repeat(10_000);
        for revision in 1..=60 {
            let calls = (0..10).map(|call| put(&format!("call/{call}"), revision, &long, call == 0));
            store.commit(&calls.collect::<Vec<_>>()).unwrap();
        }
        drop(store);
        // Which file it is; its size may change with every open.
        let file = || fs::metadata(dir.path().join(DATABASE).join("db")).unwrap().ino();
        let whole = |opened: &Opened| opened.health == Health::Ok && opened.notes.is_empty() && opened.entries.len() == 10;
        let before = file();
        assert!(whole(&Store::open(dir.path()).unwrap()) && file() == before, "it is no larger than it may be");
        let shrunk = Store::open_up_to(0, dir.path()).unwrap();
        assert!(whole(&shrunk) && file() != before, "it is written anew");
        assert!(shrunk.entries.iter().all(|entry| entry.revision == 60 && entry.bytes == long.as_bytes()));
        let mut store = shrunk.store;
        store.commit(&[put("call/10", 1, "x", true)]).unwrap();
        drop(store);
        assert_eq!(Store::open(dir.path()).unwrap().entries.len(), 11);
        assert!(!dir.path().join(OUTGROWN).exists() && !dir.path().join(RENEWED).exists());
    }

    #[test]
    fn growing_smaller_is_finished_after_a_power_cut_and_given_up_without_room() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap().store;
        store.commit(&[put("call/1", 1, "one", true), put("pair/1", 1, "x", false)]).unwrap();
        drop(store);
        let path = |name: &str| dir.path().join(name);
        let is_whole = || {
            let opened = Store::open_up_to(0, dir.path()).unwrap();
            (opened.health, opened.entries.len()) == (Health::Ok, 2)
        };
        // The old one has lost its name, and the new one has not got it; then, the old one is not deleted yet.
        fs::rename(path(DATABASE), path(RENEWED)).unwrap();
        fs::create_dir(path(OUTGROWN)).unwrap();
        assert!(is_whole() && !path(OUTGROWN).exists());
        fs::create_dir(path(OUTGROWN)).unwrap();
        assert!(is_whole() && !path(OUTGROWN).exists());
        // Nothing can be written where the new one is to be.
        fs::write(path(RENEWED), "").unwrap();
        let opened = Store::open_up_to(0, dir.path()).unwrap();
        assert_eq!((opened.health, opened.entries.len()), (Health::Ok, 2));
        assert!(opened.notes.iter().any(|note| note.contains("could not be written anew")), "{:?}", opened.notes);
    }

    #[test]
    fn an_unreadable_record_is_counted_and_the_rest_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap().store;
        store.commit(&[put("call/1", 1, "one", true), put("call/2", 1, "two", true), put("pair/1", 1, "x", false)]).unwrap();
        drop(store);
        let db = sled::open(dir.path().join(DATABASE)).unwrap();
        db.insert("call/1", &[1, 1, 1][..]).unwrap();
        db.insert("pair/1", &[1, 0, 0][..]).unwrap();
        drop(db);

        let opened = Store::open(dir.path()).unwrap();
        assert_eq!(opened.health, Health::Repaired { restored: 1, lost: 1 });
        assert!(
            opened.notes.iter().any(|note| note.contains("2 unreadable records, 1 of them lost: call/1, pair/1")),
            "{:?}",
            opened.notes
        );
        assert_eq!(opened.entries.iter().map(|entry| &*entry.bytes).collect::<Vec<_>>(), [&b"one"[..], b"two"]);
    }

    fn put(key: &str, revision: u64, text: &str, precious: bool) -> Change {
        Change { key: key.to_owned(), value: Some(Value { revision, bytes: text.as_bytes().to_vec(), precious }) }
    }

    fn erase(key: &str) -> Change {
        Change { key: key.to_owned(), value: None }
    }

    /// Every file with its length, time and bytes.
    fn listing(dir: &Path) -> BTreeMap<PathBuf, (std::time::SystemTime, Vec<u8>)> {
        let mut found = BTreeMap::new();
        for item in fs::read_dir(dir).unwrap() {
            let item = item.unwrap();
            if item.file_type().unwrap().is_dir() {
                found.extend(listing(&item.path()));
            } else {
                found.insert(item.path(), (item.metadata().unwrap().modified().unwrap(), fs::read(item.path()).unwrap()));
            }
        }
        found
    }

    mod against_a_model {
        use proptest::prelude::*;

        use super::*;

        /// What happens between two openings.
        #[derive(Clone, Debug)]
        enum Fault {
            None,
            /// The journal loses so many bytes of its end.
            TornJournal(u16),
            NoJournal,
            NoDatabase,
            /// The database is as it was after the last opening.
            OldDatabase,
        }

        /// One change: key, what is put (length, precious) or a removal.
        type Step = (u8, Option<(u16, bool)>);

        #[derive(Clone, Debug, PartialEq)]
        struct Held {
            revision: u64,
            bytes: Vec<u8>,
            precious: bool,
        }

        proptest! {
            #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
            #[test]
            fn nothing_precious_is_lost_and_nothing_ended_comes_back(
                sessions in prop::collection::vec((prop::collection::vec(prop::collection::vec(step(), 0..4), 0..8), fault()), 1..6)
            ) {
                let dir = tempfile::tempdir().unwrap();
                let mut model: BTreeMap<String, Held> = BTreeMap::new();
                let mut revision = 0;
                let mut opened = Store::open(dir.path()).unwrap();
                for (lists, fault) in sessions {
                    let old = tempfile::tempdir().unwrap();
                    copy(&dir.path().join(DATABASE), old.path());
                    let at_open = model.clone();
                    let mut ever_precious: Vec<String> = precious_keys(&model);
                    for list in lists {
                        let list: Vec<_> = list.into_iter().map(|step| { revision += 1; change(step, revision) }).collect();
                        opened.store.commit(&list).unwrap();
                        for change in list {
                            match change.value {
                                Some(Value { revision, bytes, precious }) => drop(model.insert(change.key, Held { revision, bytes, precious })),
                                None => drop(model.remove(&change.key)),
                            }
                        }
                        ever_precious.extend(precious_keys(&model));
                    }
                    drop(opened.store);
                    match fault {
                        Fault::None => {}
                        Fault::TornJournal(lost) => {
                            let journal = fs::OpenOptions::new().write(true).open(dir.path().join(JOURNAL)).unwrap();
                            let length = journal.metadata().unwrap().len();
                            journal.set_len(length.saturating_sub(lost.into())).unwrap();
                        }
                        Fault::NoJournal => fs::remove_file(dir.path().join(JOURNAL)).unwrap(),
                        Fault::NoDatabase => fs::remove_dir_all(dir.path().join(DATABASE)).unwrap(),
                        Fault::OldDatabase => {
                            fs::remove_dir_all(dir.path().join(DATABASE)).unwrap();
                            copy(old.path(), &dir.path().join(DATABASE));
                        }
                    }
                    opened = Store::open(dir.path()).unwrap();
                    let found = |key: &String| opened.entries.iter().find(|entry| entry.key == *key);
                    match fault {
                        Fault::None => prop_assert_eq!(&opened.health, &Health::Ok),
                        Fault::TornJournal(_) | Fault::NoJournal => {}
                        // What was plain may be gone.
                        Fault::NoDatabase => model.retain(|key, held| held.precious || found(key).is_some()),
                        // What was plain all the time may be older.
                        Fault::OldDatabase => {
                            let mut old = at_open;
                            old.retain(|key, held| {
                                !ever_precious.contains(key) && found(key).is_some_and(|entry| entry.revision == held.revision)
                            });
                            model.retain(|key, _| ever_precious.contains(key) || found(key).is_some());
                            model.extend(old);
                        }
                    }
                    let expected: Vec<_> = model
                        .iter()
                        .map(|(key, held)| Entry { key: key.clone(), revision: held.revision, bytes: held.bytes.clone() })
                        .collect();
                    prop_assert_eq!(&opened.entries, &expected);
                }
            }
        }

        fn step() -> impl Strategy<Value = Step> {
            (0_u8..8, prop::option::weighted(0.8, (prop_oneof![0_u16..2000, 6000_u16..20_000], any::<bool>())))
        }

        fn fault() -> impl Strategy<Value = Fault> {
            prop_oneof![
                Just(Fault::None),
                any::<u16>().prop_map(Fault::TornJournal),
                (0_u16..200).prop_map(Fault::TornJournal),
                Just(Fault::NoJournal),
                Just(Fault::NoDatabase),
                Just(Fault::OldDatabase),
            ]
        }

        fn change((key, put): Step, revision: u64) -> Change {
            let value = put.map(|(length, precious)| Value { revision, bytes: vec![b'a' + key; length.into()], precious });
            Change { key: format!("call/{key}"), value }
        }

        fn precious_keys(model: &BTreeMap<String, Held>) -> Vec<String> {
            model.iter().filter(|(_, held)| held.precious).map(|(key, _)| key.clone()).collect()
        }

        fn copy(from: &Path, to: &Path) {
            fs::create_dir_all(to).unwrap();
            for item in fs::read_dir(from).unwrap() {
                let item = item.unwrap();
                if item.file_type().unwrap().is_dir() {
                    copy(&item.path(), &to.join(item.file_name()));
                } else {
                    fs::copy(item.path(), to.join(item.file_name())).unwrap();
                }
            }
        }
    }
}
