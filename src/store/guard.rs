//! Puts the database directory right before sled sees it.
//!
//! sled 0.34.7 writes `snap.<lsn>.generating`, then renames it to `snap.<lsn>`. After a power cut in between it takes the
//! half-written file for the newest snapshot and never opens again (spacejam/sled#1533). The same goes for a torn `conf`.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::disk::sync_dir;

const GENERATING: &str = ".generating";

/// Finishes or removes what an interrupted recovery left in `dir`, and makes that durable. Returns one note for each file
/// touched. A directory that is not there is fine.
///
/// A complete `snap.*.generating` gets its final name, an incomplete one is deleted. A torn `conf` is deleted; sled writes it
/// anew. Other snapshots are never touched: without its snapshot the database loses records.
pub(super) fn repair(dir: &Path) -> io::Result<Vec<String>> {
    let mut notes = Vec::new();
    let listing = match fs::read_dir(dir) {
        Ok(listing) => listing,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(notes),
        Err(error) => return Err(error),
    };
    for item in listing {
        let name = item?.file_name();
        let Some(name) = name.to_str() else { continue };
        let path = dir.join(name);
        if let Some(complete) = name.strip_suffix(GENERATING).filter(|_| name.starts_with("snap.")) {
            if is_snapshot(&fs::read(&path)?) {
                fs::rename(&path, dir.join(complete))?;
                notes.push(format!("finished {name}"));
            } else {
                fs::remove_file(&path)?;
                notes.push(format!("deleted the incomplete {name}"));
            }
        } else if name == "conf" && !is_conf(&fs::read(&path)?) {
            fs::remove_file(&path)?;
            notes.push("deleted the torn conf".to_owned());
        }
    }
    if !notes.is_empty() {
        sync_dir(dir)?;
    }
    Ok(notes)
}

/// A snapshot ends with the length of its payload (8 bytes) and the payload's CRC-32 (4 bytes, little endian).
fn is_snapshot(bytes: &[u8]) -> bool {
    let Some((rest, crc)) = bytes.split_last_chunk::<4>() else { return false };
    let Some((payload, _length)) = rest.split_last_chunk::<8>() else { return false };
    !payload.is_empty() && crc32fast::hash(payload) == u32::from_le_bytes(*crc)
}

/// `conf` is text followed by its CRC-32; sled writes no less than 13 bytes.
fn is_conf(bytes: &[u8]) -> bool {
    let Some((text, crc)) = bytes.split_last_chunk::<4>() else { return false };
    bytes.len() >= 13 && crc32fast::hash(text) == u32::from_le_bytes(*crc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complete_snapshot_gets_its_name() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("snap.0000000000000A00.generating"), snapshot(b"pages")).unwrap();
        assert_eq!(repair(dir.path()).unwrap().len(), 1);
        assert_eq!(fs::read(dir.path().join("snap.0000000000000A00")).unwrap(), snapshot(b"pages"));
        assert!(!dir.path().join("snap.0000000000000A00.generating").exists());
    }

    #[test]
    fn every_shortened_snapshot_is_deleted_and_the_old_one_stays() {
        let whole = snapshot(b"the table of pages");
        for length in 0..whole.len() {
            let dir = tempfile::tempdir().unwrap();
            let half = dir.path().join("snap.0000000000000B00.generating");
            fs::write(&half, &whole[..length]).unwrap();
            fs::write(dir.path().join("snap.0000000000000A00"), b"not even valid").unwrap();
            assert_eq!(repair(dir.path()).unwrap().len(), 1);
            assert!(!half.exists(), "{length} bytes");
            assert!(dir.path().join("snap.0000000000000A00").exists());
        }
    }

    #[test]
    fn a_torn_conf_is_deleted_and_a_whole_one_kept() {
        let mut whole = b"segment_size: 524288\nuse_compression: false\nversion: 0.34\n".to_vec();
        whole.extend(crc32fast::hash(&whole).to_le_bytes());
        for length in 0..=whole.len() {
            let dir = tempfile::tempdir().unwrap();
            let conf = dir.path().join("conf");
            fs::write(&conf, &whole[..length]).unwrap();
            repair(dir.path()).unwrap();
            assert_eq!(conf.exists(), length == whole.len(), "{length} bytes");
        }
    }

    #[test]
    fn the_files_of_sled_itself_pass() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        for round in 0..2_u8 {
            let db = sled::open(&path).unwrap();
            db.insert([round], vec![round; 100]).unwrap();
            db.flush().unwrap();
        }
        let newest = fs::read_dir(&path).unwrap().map(|item| item.unwrap().file_name().into_string().unwrap());
        let newest = newest.filter(|name| name.starts_with("snap.")).max().unwrap();
        assert!(is_snapshot(&fs::read(path.join(newest)).unwrap()));
        assert_eq!(repair(&path).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn no_directory_needs_no_repair() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(repair(&dir.path().join("none")).unwrap(), Vec::<String>::new());
    }

    fn snapshot(payload: &[u8]) -> Vec<u8> {
        let mut bytes = payload.to_vec();
        bytes.extend((payload.len() as u64).to_le_bytes());
        bytes.extend(crc32fast::hash(payload).to_le_bytes());
        bytes
    }
}
