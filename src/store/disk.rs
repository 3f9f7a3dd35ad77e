//! The few file operations whose durability we answer for ourselves.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::host::clock;

use super::StoreError;

/// How long a held lock is waited for: a daemon that is being restarted lets go within this time.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
const LOCK_INTERVAL: Duration = Duration::from_millis(20);

/// Makes the names in `dir` durable: created, renamed and removed ones.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Whether there was no room: on the disk, in the quota, or under a limit on the size of files.
pub(super) fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

/// The state directory, locked for this process as long as the value lives. The lock is an advisory one on the directory
/// itself, so it is taken before anything in it is looked at, and leaves no file behind.
#[derive(Debug)]
pub(super) struct StateDir {
    handle: File,
    path: PathBuf,
}

impl StateDir {
    /// Creates the directory for its owner alone, if it is not there, and takes it. One of another user is refused: what root
    /// leaves there, the daemon cannot write.
    pub(super) fn lock(path: &Path) -> Result<Self, StoreError> {
        let naming = |doing: &str| format!("{doing} {}", path.display());
        if !path.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(StoreError::io(naming("creating")))?;
            if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                sync_dir(parent).map_err(StoreError::io(naming("creating")))?;
            }
        }
        let handle = File::open(path).map_err(StoreError::io(naming("opening")))?;
        let owner = handle.metadata().map_err(StoreError::io(naming("opening")))?.uid();
        if own_user().is_some_and(|own| own != owner) {
            return Err(StoreError::NotOurs { dir: path.to_owned(), owner });
        }
        let started = clock::instant();
        loop {
            match handle.try_lock() {
                Ok(()) => return Ok(Self { handle, path: path.to_owned() }),
                Err(TryLockError::WouldBlock) if started.elapsed() < LOCK_PATIENCE => std::thread::sleep(LOCK_INTERVAL),
                Err(TryLockError::WouldBlock) => return Err(StoreError::Locked(path.to_owned())),
                Err(TryLockError::Error(source)) => return Err(StoreError::Io { doing: naming("locking"), source }),
            }
        }
    }

    /// Makes the names in the directory durable.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.handle.sync_all().map_err(StoreError::io(format!("syncing {}", self.path.display())))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// To whom the files belong that this process creates. `None` without /proc: then nobody is turned away.
fn own_user() -> Option<u32> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    // Real, effective, saved and file system user.
    let users = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    users.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_user_is_the_owner_of_what_we_create() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(own_user(), Some(file.as_file().metadata().unwrap().uid()));
    }

    #[test]
    fn the_directory_of_another_user_is_refused_untouched() {
        let dir = tempfile::tempdir().unwrap();
        // Only root can give the directory away; for everybody else the root directory is another's.
        let foreign = match std::os::unix::fs::chown(dir.path(), Some(4711), None) {
            Ok(()) => dir.path(),
            Err(_) => Path::new("/"),
        };
        let before = fs::read_dir(foreign).unwrap().count();
        assert!(matches!(StateDir::lock(foreign), Err(StoreError::NotOurs { owner: 4711 | 0, .. })));
        assert_eq!(fs::read_dir(foreign).unwrap().count(), before);
    }
}
