//! What can go wrong with the store.

use std::io;
use std::path::PathBuf;

/// Why the store could not do what it was asked. Nothing acknowledged before is lost by any of these.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process holds the store; for a command this means that the daemon runs.
    #[error("the store in {} is in use by another process", .0.display())]
    Locked(PathBuf),
    /// The directory belongs to another user. Files written there now could not be written by the daemon later.
    #[error("{} belongs to the user with id {owner}; run this as that user, for example with `sudo -u '#{owner}'`", .dir.display())]
    NotOurs {
        /// The state directory.
        dir: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// The key is empty, longer than [`super::MAX_KEY`] bytes or not printable ASCII. Nothing was written.
    #[error("{0:?} cannot be a key of the store")]
    BadKey(String),
    /// The record under this key is longer than [`super::MAX_RECORD`] bytes. Nothing was written.
    #[error("the record {key} has {bytes} bytes, and the store takes {} at most", super::MAX_RECORD)]
    TooLarge {
        /// The key of the refused record.
        key: String,
        /// Its length.
        bytes: usize,
    },
    /// Written by a newer release. It is left as it is.
    #[error("{place} has format {found}, and this release reads {known} at most; install the newer release again")]
    Newer {
        /// The file or record.
        place: String,
        /// The version found.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// A file operation failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, with the path.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The database failed in a way of its own.
    #[error("database: {0}")]
    Engine(String),
    /// A write failed before. What is on disk is as it was acknowledged; [`super::Store::recover`] opens it again.
    #[error("the store is closed because a write failed; it has to be recovered")]
    Dead,
}

impl StoreError {
    /// The key of the record for which a list was refused, the store being as it was. `None` when something else is wrong.
    #[must_use]
    pub fn refused_key(&self) -> Option<&str> {
        match self {
            Self::BadKey(key) | Self::TooLarge { key, .. } => Some(key),
            Self::Locked(_) | Self::NotOurs { .. } | Self::Newer { .. } | Self::Io { .. } | Self::Engine(_) | Self::Dead => None,
        }
    }

    /// Whether there was no room: [`super::Store::recover`] may help, as it frees the ballast.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Io { source, .. } => super::disk::is_disk_full(source),
            Self::Locked(_)
            | Self::NotOurs { .. }
            | Self::BadKey(_)
            | Self::TooLarge { .. }
            | Self::Newer { .. }
            | Self::Engine(_)
            | Self::Dead => false,
        }
    }

    /// For `map_err`: names what was being done.
    pub(super) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}
