//! The second copy of what must not be lost: an append-only file beside the database.
//!
//! It begins with a head of 16 bytes: `\xffglhjrnl`, the format version and a CRC-32 of both (4 bytes each, little endian).
//! After it stand frames, one for each list of changes:
//!
//! | bytes | field |
//! |---|---|
//! | 4 | mark `\xffglh`, which JSON in UTF-8 cannot contain |
//! | 4 | length of the body, little endian |
//! | 4 | CRC-32 of that length and the body, little endian |
//! | … | body: records, one after the other |
//!
//! and of each record:
//!
//! | bytes | field |
//! |---|---|
//! | 1 | kind: 0 plain, 1 precious, 2 removed |
//! | 1 | length of the key |
//! | 8 | revision, little endian |
//! | 4 | length of the payload, little endian |
//! | … | key, payload |
//!
//! The last record of a key is the valid one. A torn end is what a power cut leaves, and is fine: one frame at most is under
//! way. After a damaged stretch reading goes on at the next valid frame.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::StoreError;
use super::record::{Kind, Record};

const HEAD: usize = 16;
const HEAD_MARK: [u8; 8] = *b"\xffglhjrnl";
const VERSION: u32 = 1;
const MARK: [u8; 4] = *b"\xffglh";
const FRAME_HEAD: usize = 12;
const RECORD_HEAD: usize = 14;

/// Below this size the file is not worth rewriting while the daemon runs.
const WORTH_COMPACTING: u64 = 1024 * 1024;
/// How much of what is no longer precious a compaction keeps while the daemon runs, newest first. The database could fall back
/// to an older state only by damage to what it wrote since it was opened; these frames would notice.
const KEPT_ENDINGS: usize = 256 * 1024;

/// Where the newest record of a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub revision: u64,
    pub kind: Kind,
    /// Of the payload, in the file.
    at: usize,
    /// Of the payload.
    length: usize,
}

/// The file as it was found.
#[derive(Debug, Default)]
pub(super) struct Image {
    bytes: Vec<u8>,
    pub slots: BTreeMap<String, Slot>,
    /// Whether there was a file.
    pub found: bool,
    /// Bytes that are no frame, although a valid frame follows them, or the head was no head.
    pub damaged: usize,
    /// Whether the file ends with something else than a frame, or holds records that are no longer valid.
    pub untidy: bool,
}

/// The open journal.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    slots: BTreeMap<String, Slot>,
    length: u64,
    compact_at: u64,
}

impl Image {
    /// Reads the journal at `path`; a file that is not there is an empty one.
    pub(super) fn load(path: &Path) -> Result<Self, StoreError> {
        match fs::read(path) {
            Ok(bytes) => Self::scan(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(StoreError::Io { doing: format!("reading {}", path.display()), source }),
        }
    }

    fn scan(bytes: Vec<u8>) -> Result<Self, StoreError> {
        let mut image = Self { found: true, ..Self::default() };
        let mut at = HEAD;
        match head_version(&bytes) {
            Some(VERSION) => {}
            Some(found) if found > VERSION => {
                return Err(StoreError::Newer { place: "the journal".to_owned(), found, known: VERSION });
            }
            Some(_) | None => image.damaged = HEAD,
        }
        let mut gap = 0;
        while at < bytes.len() {
            if let Some((records, end)) = frame_at(&bytes, at) {
                image.damaged += std::mem::take(&mut gap);
                at = end;
                for (key, slot) in records {
                    image.untidy |= image.slots.insert(key.to_owned(), slot).is_some();
                }
            } else {
                gap += 1;
                at += 1;
            }
        }
        image.untidy |= gap > 0 || image.damaged > 0;
        image.bytes = bytes;
        Ok(image)
    }

    /// The payload of a slot of this image.
    pub(super) fn payload(&self, slot: Slot) -> &[u8] {
        self.bytes.get(slot.at..slot.at + slot.length).unwrap_or_default()
    }
}

impl Journal {
    /// Replaces the journal by one that holds `records`, durably.
    pub(super) fn create<'a>(path: &Path, records: impl Iterator<Item = Record<'a>>) -> Result<Self, StoreError> {
        let mut bytes = head();
        let mut slots = BTreeMap::new();
        for record in records {
            // In a frame of its own, so that damage costs no other.
            push_frame(&mut bytes, 0, &[record], &mut slots);
        }
        let file = replace(path, &bytes).map_err(StoreError::io(format!("writing {}", path.display())))?;
        Ok(Self::start(path, file, slots, bytes.len() as u64))
    }

    /// Goes on with the journal that was read, which must be tidy.
    pub(super) fn resume(path: &Path, image: Image) -> Result<Self, StoreError> {
        let doing = || format!("opening {}", path.display());
        let file = OpenOptions::new().append(true).open(path).map_err(StoreError::io(doing()))?;
        file.sync_all().map_err(StoreError::io(doing()))?;
        Ok(Self::start(path, file, image.slots, image.bytes.len() as u64))
    }

    fn start(path: &Path, file: File, slots: BTreeMap<String, Slot>, length: u64) -> Self {
        Self { path: path.to_owned(), file, slots, length, compact_at: WORTH_COMPACTING.max(2 * length) }
    }

    /// The newest revision of a key that is, or was, precious.
    pub(super) fn revision(&self, key: &str) -> Option<u64> {
        self.slots.get(key).map(|slot| slot.revision)
    }

    /// Makes `records` durable. After an error the journal must not be written again.
    pub(super) fn append(&mut self, records: &[Record<'_>]) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::new();
        push_frame(&mut bytes, self.length as usize, records, &mut self.slots);
        let doing = || format!("writing {}", self.path.display());
        self.file.write_all(&bytes).map_err(StoreError::io(doing()))?;
        self.file.sync_data().map_err(StoreError::io(doing()))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    pub(super) fn wants_compaction(&self) -> bool {
        self.length > self.compact_at
    }

    /// Rewrites the file with what is precious and the newest of what is not. Returns the keys of the removals that are no
    /// longer remembered: the database may forget them too.
    pub(super) fn compact(&mut self) -> Result<Vec<String>, StoreError> {
        let image = Image::load(&self.path)?;
        let mut endings: Vec<_> = image.slots.iter().filter(|(_, slot)| slot.kind != Kind::Precious).collect();
        endings.sort_by_key(|(_, slot)| std::cmp::Reverse(slot.at));
        let mut room = KEPT_ENDINGS;
        let mut forgotten = BTreeMap::new();
        for (key, slot) in endings {
            match room.checked_sub(FRAME_HEAD + RECORD_HEAD + key.len() + slot.length) {
                Some(left) => room = left,
                None => drop(forgotten.insert(key.as_str(), slot.kind)),
            }
        }
        let kept = image.slots.iter().filter(|(key, _)| !forgotten.contains_key(key.as_str())).map(|(key, slot)| Record {
            key,
            revision: slot.revision,
            kind: slot.kind,
            bytes: image.payload(*slot),
        });
        *self = Self::create(&self.path, kept)?;
        Ok(forgotten.into_iter().filter(|(_, kind)| *kind == Kind::Removed).map(|(key, _)| key.to_owned()).collect())
    }
}

/// Writes a new file beside `path` and puts it in its place.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let fresh = path.with_extension("journal.new");
    let mut file = File::create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    if let Some(dir) = path.parent() {
        super::disk::sync_dir(dir)?;
    }
    OpenOptions::new().append(true).open(path)
}

fn head() -> Vec<u8> {
    let mut bytes = HEAD_MARK.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

fn head_version(bytes: &[u8]) -> Option<u32> {
    let (covered, rest) = bytes.split_first_chunk::<12>()?;
    let (mark, version) = covered.split_last_chunk::<4>()?;
    let crc = rest.first_chunk::<4>()?;
    (*mark == HEAD_MARK && crc32fast::hash(covered) == u32::from_le_bytes(*crc)).then_some(u32::from_le_bytes(*version))
}

/// Appends a frame to `out`, which will stand at `base` in the file, and notes in `slots` where its records are.
fn push_frame(out: &mut Vec<u8>, base: usize, records: &[Record<'_>], slots: &mut BTreeMap<String, Slot>) {
    let mut body = Vec::new();
    let start = base + out.len() + FRAME_HEAD;
    for Record { key, revision, kind, bytes } in records {
        // Neither length is truncated: keys and records are refused long before.
        body.extend([kind.code(), key.len() as u8]);
        body.extend(revision.to_le_bytes());
        body.extend((bytes.len() as u32).to_le_bytes());
        body.extend(key.as_bytes());
        slots.insert((*key).to_owned(), Slot { revision: *revision, kind: *kind, at: start + body.len(), length: bytes.len() });
        body.extend(*bytes);
    }
    let length = (body.len() as u32).to_le_bytes();
    out.extend(MARK);
    out.extend(length);
    out.extend(checksum(&length, &body).to_le_bytes());
    out.extend(body);
}

/// The records of the valid frame that begins at `at`, if there is one, and where it ends.
fn frame_at(bytes: &[u8], at: usize) -> Option<(Vec<(&str, Slot)>, usize)> {
    let rest = bytes.get(at..)?;
    if !rest.starts_with(&MARK) {
        return None;
    }
    let (head, rest) = rest.split_first_chunk::<FRAME_HEAD>()?;
    let &[_, _, _, _, l0, l1, l2, l3, c0, c1, c2, c3] = head;
    let length = [l0, l1, l2, l3];
    let body = rest.get(..u32::from_le_bytes(length) as usize)?;
    if checksum(&length, body) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return None;
    }
    let start = at + FRAME_HEAD;
    let mut records = Vec::new();
    let mut left = body;
    while let Some((head, rest)) = left.split_first_chunk::<RECORD_HEAD>() {
        let &[kind, key_length, r0, r1, r2, r3, r4, r5, r6, r7, l0, l1, l2, l3] = head;
        let (key, rest) = rest.split_at_checked(key_length.into())?;
        let (payload, rest) = rest.split_at_checked(u32::from_le_bytes([l0, l1, l2, l3]) as usize)?;
        let key = std::str::from_utf8(key).ok().filter(|key| super::is_key(key))?;
        let revision = u64::from_le_bytes([r0, r1, r2, r3, r4, r5, r6, r7]);
        let at = start + body.len() - rest.len() - payload.len();
        records.push((key, Slot { revision, kind: Kind::from_code(kind)?, at, length: payload.len() }));
        left = rest;
    }
    Some((records, start + body.len()))
}

fn checksum(length: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(length);
    hasher.update(body);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Record<'static> = Record { key: "call/1", revision: 3, kind: Kind::Precious, bytes: b"{\"to\":1}" };
    const SECOND: Record<'static> = Record { key: "call/2", revision: 1, kind: Kind::Precious, bytes: b"{}" };
    const THIRD: Record<'static> = Record { key: "call/1", revision: 4, kind: Kind::Removed, bytes: b"" };

    #[test]
    fn a_torn_end_costs_the_torn_frames_alone() {
        let (whole, ends) = journal_of(&[FIRST, SECOND, THIRD]);
        for length in HEAD..=whole.len() {
            let image = Image::scan(whole[..length].to_vec()).unwrap();
            let complete = ends.iter().filter(|end| **end <= length).count();
            assert_eq!(records(&image), latest(&[FIRST, SECOND, THIRD][..complete]), "{length} bytes");
            assert_eq!(image.damaged, 0, "{length} bytes");
            assert_eq!(image.untidy, complete == 3 || !(length == HEAD || ends.contains(&length)), "{length} bytes");
        }
    }

    #[test]
    fn of_a_list_that_is_torn_anywhere_nothing_is_read() {
        let (mut bytes, ends) = journal_of(&[FIRST]);
        push_frame(&mut bytes, 0, &[SECOND, THIRD], &mut BTreeMap::new());
        for at in ends[0]..bytes.len() {
            let mut torn = bytes.clone();
            torn[at] ^= 0xff;
            let image = Image::scan(torn).unwrap();
            assert_eq!((records(&image), image.damaged), (latest(&[FIRST]), 0), "byte {at}");
        }
        assert_eq!(records(&Image::scan(bytes).unwrap()), latest(&[FIRST, SECOND, THIRD]));
    }

    #[test]
    fn a_zeroed_end_is_a_torn_end() {
        let (mut bytes, ends) = journal_of(&[FIRST, SECOND]);
        bytes[ends[0] + 9..].fill(0);
        bytes.extend([0; 4096]);
        let image = Image::scan(bytes).unwrap();
        assert_eq!((records(&image), image.damaged, image.untidy), (latest(&[FIRST]), 0, true));
    }

    #[test]
    fn a_changed_byte_costs_its_own_frame_alone_and_is_noticed() {
        let all = [FIRST, SECOND, Record { key: "call/3", ..SECOND }];
        let (whole, ends) = journal_of(&all);
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x41;
            let image = Image::scan(bytes).unwrap();
            let hit = ends.iter().position(|end| at < *end).filter(|_| at >= HEAD);
            let rest: Vec<_> =
                all.iter().enumerate().filter(|(number, _)| Some(*number) != hit).map(|(_, record)| *record).collect();
            assert_eq!(records(&image), latest(&rest), "byte {at}");
            assert!(image.untidy, "byte {at}");
            assert_eq!(image.damaged > 0, hit != Some(2), "byte {at}");
        }
    }

    #[test]
    fn a_newer_journal_is_refused() {
        let mut bytes = HEAD_MARK.to_vec();
        bytes.extend(2_u32.to_le_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        assert!(matches!(Image::scan(bytes), Err(StoreError::Newer { found: 2, known: 1, .. })));
    }

    #[test]
    fn what_was_appended_is_read_back_and_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("calls.journal");
        let mut journal = Journal::create(&path, [FIRST].into_iter()).unwrap();
        journal.append(&[SECOND]).unwrap();
        drop(journal);
        let mut journal = Journal::resume(&path, Image::load(&path).unwrap()).unwrap();
        journal.append(&[THIRD]).unwrap();
        assert_eq!(journal.revision("call/1"), Some(4));
        let image = Image::load(&path).unwrap();
        assert_eq!(records(&image), latest(&[FIRST, SECOND, THIRD]));
        assert_eq!(image.slots, journal.slots);
    }

    #[test]
    fn compaction_keeps_the_precious_and_the_newest_endings() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("calls.journal");
        let mut journal = Journal::create(&path, [SECOND].into_iter()).unwrap();
        let big = vec![b'z'; KEPT_ENDINGS / 8];
        let mut written = 0;
        while !journal.wants_compaction() {
            let key = format!("call/ended-{written:03}");
            let removed = written % 2 == 0;
            journal.append(&[Record { key: &key, revision: 1, kind: Kind::Precious, bytes: &big }]).unwrap();
            let kind = if removed { Kind::Removed } else { Kind::Plain };
            journal.append(&[Record { key: &key, revision: 2, kind, bytes: if removed { b"" } else { &big } }]).unwrap();
            written += 1;
        }
        let forgotten = journal.compact().unwrap();

        let image = Image::load(&path).unwrap();
        assert!(!image.untidy);
        assert_eq!(image.slots, journal.slots);
        assert!(image.slots.contains_key("call/2"));
        let endings: Vec<_> = image.slots.keys().filter(|key| key.starts_with("call/ended")).cloned().collect();
        assert!(endings.contains(&format!("call/ended-{:03}", written - 1)));
        assert!(!endings.contains(&"call/ended-001".to_owned()));
        assert!(forgotten.iter().all(|key| !endings.contains(key)));
        assert!(fs::metadata(&path).unwrap().len() < 2 * KEPT_ENDINGS as u64);
        assert!(!journal.wants_compaction());
    }

    /// The file, and where each frame ends.
    fn journal_of(records: &[Record<'_>]) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = head();
        let mut ends = Vec::new();
        for record in records {
            push_frame(&mut bytes, 0, &[*record], &mut BTreeMap::new());
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    type Latest = BTreeMap<String, (u64, Kind, Vec<u8>)>;

    fn latest(records: &[Record<'_>]) -> Latest {
        records.iter().map(|record| (record.key.to_owned(), (record.revision, record.kind, record.bytes.to_vec()))).collect()
    }

    fn records(image: &Image) -> Latest {
        let found = image.slots.iter();
        found.map(|(key, slot)| (key.clone(), (slot.revision, slot.kind, image.payload(*slot).to_vec()))).collect()
    }
}
