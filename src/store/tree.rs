//! sled, and what it needs to be durable.
//!
//! - `flush()` is not an fsync: we keep an own handle on its file and sync that after every flush.
//! - A page that is written out with more than 128 KiB goes to a file of its own in `blobs/`, which sled never syncs. A page
//!   holds up to 19 rows (it is split above 16, and merged below 4 with one that has 16), so a record is stored in pieces of
//!   [`PIECE`] bytes, each in a row of its own.
//! - It panics on some damage, in `open`, in reads and in `drop`: each is caught here.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use crate::host::clock;

use super::disk::sync_dir;
use super::record::{self, Record, Stored};
use super::{MAX_KEY, StoreError};

/// The most bytes of one record in one row of sled.
const PIECE: usize = 6 * 1024;
const ROWS_OF_A_PAGE: usize = 19;
const BLOB_BYTES: usize = 128 * 1024;
/// What a row takes beside its key and value; an upper bound.
const ROW_EXTRA: usize = 64;
const _: () = assert!(ROWS_OF_A_PAGE * (PIECE + MAX_KEY + ROW_EXTRA) < BLOB_BYTES);

/// sled's page cache. All records are read once, at open; after that only the pages being written are needed.
const CACHE_BYTES: u64 = 1024 * 1024;

/// How long sled's own lock is waited for: a handle of this process that is being dropped holds it a little longer.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
const LOCK_INTERVAL: Duration = Duration::from_millis(20);

/// One change of the tree.
#[derive(Clone, Copy, Debug)]
pub(super) enum Write<'a> {
    /// Stand this record under its key.
    Put(Record<'a>),
    /// Leave nothing under this key.
    Erase(&'a str),
}

/// The open database.
pub(super) struct Tree {
    /// Taken out only in `drop`.
    db: Option<sled::Db>,
    file: File,
    /// Keys whose record takes more than one piece, with the number of pieces.
    wide: BTreeMap<String, u8>,
}

/// What was read when the database was opened.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub records: BTreeMap<String, Stored>,
    /// Keys, as far as they can be read, under which something stands that is no record.
    pub unreadable: Vec<String>,
}

/// Why the database did not open.
#[derive(Debug)]
pub(super) enum OpenError {
    /// It is damaged: it has to be set aside.
    Damaged(String),
    /// The database may be sound; something around it is not.
    Refused(StoreError),
}

impl Tree {
    /// Opens the database in `dir`, reads it, and makes durable what opening it has changed.
    pub(super) fn open(dir: &Path) -> Result<(Self, Contents), OpenError> {
        let refused = |doing: &str, source: io::Error| {
            OpenError::Refused(StoreError::Io { doing: format!("{doing} {}", dir.display()), source })
        };
        let config = sled::Config::new()
            .path(dir)
            .mode(sled::Mode::LowSpace)
            .use_compression(false)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None);
        let started = clock::instant();
        let (db, wide, contents) = loop {
            match caught(|| read(config.open()?)) {
                Ok(Ok((db, wide, contents))) => break (db, wide, contents),
                Ok(Err(error)) => return Err(OpenError::Refused(error)),
                Err(sled::Error::Io(error)) if is_lock(&error) => {
                    if started.elapsed() >= LOCK_PATIENCE {
                        return Err(OpenError::Refused(StoreError::Locked(dir.to_owned())));
                    }
                    std::thread::sleep(LOCK_INTERVAL);
                }
                Err(sled::Error::Io(error)) if is_surroundings(&error) => return Err(refused("opening", error)),
                Err(sled::Error::Unsupported(why)) => return Err(OpenError::Refused(StoreError::Engine(why))),
                Err(error) => return Err(OpenError::Damaged(error.to_string())),
            }
        };
        let file = File::open(dir.join("db")).map_err(|error| refused("opening", error))?;
        let tree = Self { db: Some(db), file, wide };
        tree.sync_everything(dir).map_err(OpenError::Refused)?;
        Ok((tree, contents))
    }

    /// Makes all of `writes` durable, or none. After an error the tree must not be used again.
    pub(super) fn write(&mut self, writes: &[Write<'_>]) -> Result<(), StoreError> {
        if writes.is_empty() {
            return Ok(());
        }
        let mut batch = sled::Batch::default();
        for write in writes {
            match write {
                Write::Put(record) => self.put(&mut batch, record),
                Write::Erase(key) => self.set_pieces(&mut batch, key, 0),
            }
        }
        let Some(db) = &self.db else { return Err(StoreError::Dead) };
        caught(|| {
            db.apply_batch(batch)?;
            db.flush()
        })
        .map_err(engine_error)?;
        self.file.sync_all().map_err(StoreError::io("syncing the database"))
    }

    fn put(&mut self, batch: &mut sled::Batch, record: &Record<'_>) {
        let value = record.encode();
        let mut count = 0;
        for (piece, part) in (0_u8..).zip(value.chunks(PIECE)) {
            batch.insert(piece_key(record.key, piece), part);
            count = piece + 1;
        }
        self.set_pieces(batch, record.key, count);
    }

    /// Removes the pieces from `count` on, and remembers how many there are now.
    fn set_pieces(&mut self, batch: &mut sled::Batch, key: &str, count: u8) {
        let before = self.wide.get(key).copied().unwrap_or(1);
        for piece in count..before {
            batch.remove(piece_key(key, piece));
        }
        if count > 1 {
            self.wide.insert(key.to_owned(), count);
        } else {
            self.wide.remove(key);
        }
    }

    /// sled does not sync the names it creates, nor everything it writes while it recovers.
    fn sync_everything(&self, dir: &Path) -> Result<(), StoreError> {
        let Some(db) = &self.db else { return Err(StoreError::Dead) };
        caught(|| db.flush()).map_err(engine_error)?;
        let sync = || {
            self.file.sync_all()?;
            File::open(dir.join("conf"))?.sync_all()?;
            for item in fs::read_dir(dir.join("blobs"))? {
                File::open(item?.path())?.sync_all()?;
            }
            sync_dir(&dir.join("blobs"))?;
            sync_dir(dir)
        };
        sync().map_err(StoreError::io(format!("syncing {}", dir.display())))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let db = self.db.take();
        // sled panics in its drop if the last sync fails. Whatever was acknowledged is durable already.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(db)));
    }
}

type Read = (sled::Db, BTreeMap<String, u8>, Contents);

/// Reads the whole tree. The outer error is the database's, the inner one is about a record.
fn read(db: sled::Db) -> sled::Result<Result<Read, StoreError>> {
    let mut contents = Contents::default();
    let mut wide = BTreeMap::new();
    let mut rows = db.iter().peekable();
    while let Some(row) = rows.next() {
        let (key, first) = row?;
        let Some(key) = std::str::from_utf8(&key).ok().filter(|key| super::is_key(key)) else {
            contents.unreadable.push(String::from_utf8_lossy(&key).into_owned());
            continue;
        };
        let mut pieces = 1;
        let mut joined = Vec::new();
        while let Some(Ok((_, more))) = rows.next_if(|row| matches!(row, Ok((next, _)) if **next == *piece_key(key, pieces))) {
            if pieces == 1 {
                joined.reserve(record::whole_length(&first).map_or(0, |whole| whole.min(2 * super::MAX_RECORD)));
                joined.extend_from_slice(&first);
            }
            joined.extend_from_slice(&more);
            pieces += 1;
        }
        if pieces > 1 {
            wide.insert(key.to_owned(), pieces);
        }
        match record::decode(key, if pieces > 1 { &joined } else { &first }) {
            Ok(Some(stored)) => drop(contents.records.insert(key.to_owned(), stored)),
            Ok(None) => contents.unreadable.push(key.to_owned()),
            Err(error) => return Ok(Err(error)),
        }
    }
    drop(rows);
    Ok(Ok((db, wide, contents)))
}

/// The key of a piece. A zero byte sorts before all that may stand in a key, so the pieces of a record follow each other.
fn piece_key(key: &str, piece: u8) -> Vec<u8> {
    let mut out = key.as_bytes().to_vec();
    if piece > 0 {
        out.extend([0, piece]);
    }
    out
}

/// Runs `work`, a panic being an error like the others.
fn caught<T>(work: impl FnOnce() -> sled::Result<T>) -> sled::Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Err(sled::Error::ReportableBug(text.unwrap_or("panicked").to_owned()))
    })
}

fn engine_error(error: sled::Error) -> StoreError {
    if let sled::Error::Io(source) = error {
        StoreError::Io { doing: "writing the database".to_owned(), source }
    } else {
        StoreError::Engine(error.to_string())
    }
}

fn is_lock(error: &io::Error) -> bool {
    error.kind() == ErrorKind::Other && error.to_string().contains("could not acquire lock")
}

/// Whether the trouble is with the machine rather than with the bytes of the database.
fn is_surroundings(error: &io::Error) -> bool {
    const TOO_MANY_FILES: [i32; 2] = [23, 24]; // ENFILE, EMFILE
    matches!(
        error.kind(),
        ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::FileTooLarge
            | ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::OutOfMemory
            | ErrorKind::NotFound
            | ErrorKind::NotADirectory
    ) || error.raw_os_error().is_some_and(|code| TOO_MANY_FILES.contains(&code))
}
