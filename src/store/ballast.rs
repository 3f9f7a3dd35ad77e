//! A file whose only use is to be deleted: when the disk is full, sled needs room to open again.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use super::disk::{is_disk_full, sync_dir};

const NAME: &str = "ballast";
/// A segment of sled is 512 KiB; opening may begin one and write a snapshot.
const BYTES: usize = 1024 * 1024;

/// Creates the ballast if it is missing and as much again stays free, so that it does not take the last room away.
/// Returns whether it stands.
pub(super) fn ensure(dir: &Path) -> io::Result<bool> {
    let path = dir.join(NAME);
    if fs::metadata(&path).is_ok_and(|found| found.len() == BYTES as u64) {
        return Ok(true);
    }
    let fill = || {
        let mut file = File::create(&path)?;
        for _ in 0..2 {
            file.write_all(&vec![0; BYTES])?;
        }
        file.sync_all()?;
        file.set_len(BYTES as u64)?;
        file.sync_all()
    };
    match fill() {
        Ok(()) => sync_dir(dir).map(|()| true),
        Err(error) => {
            // What is left of it would only take room; not being able to create it is the error to tell.
            let _ = fs::remove_file(&path);
            if is_disk_full(&error) { Ok(false) } else { Err(error) }
        }
    }
}

/// Deletes the ballast. Returns whether that freed something.
pub(super) fn release(dir: &Path) -> io::Result<bool> {
    match fs::remove_file(dir.join(NAME)) {
        Ok(()) => sync_dir(dir).map(|()| true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_and_freed_once() {
        let dir = tempfile::tempdir().unwrap();
        assert!(ensure(dir.path()).unwrap());
        assert_eq!(fs::metadata(dir.path().join(NAME)).unwrap().len(), 1024 * 1024);
        let made = fs::metadata(dir.path().join(NAME)).unwrap().modified().unwrap();
        assert!(ensure(dir.path()).unwrap());
        assert_eq!(fs::metadata(dir.path().join(NAME)).unwrap().modified().unwrap(), made);
        assert!(release(dir.path()).unwrap());
        assert!(!release(dir.path()).unwrap());
    }
}
