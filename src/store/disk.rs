//! The few file operations whose durability we answer for ourselves.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

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
    /// Creates the directory for its owner alone, if it is not there, and takes it.
    pub(super) fn lock(path: &Path) -> Result<Self, StoreError> {
        let naming = |doing: &str| format!("{doing} {}", path.display());
        if !path.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(StoreError::io(naming("creating")))?;
            if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                sync_dir(parent).map_err(StoreError::io(naming("creating")))?;
            }
        }
        let handle = File::open(path).map_err(StoreError::io(naming("opening")))?;
        let started = Instant::now();
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
