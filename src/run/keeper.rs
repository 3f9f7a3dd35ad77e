//! Makes changes durable, however long the disk takes to let us.

use std::path::PathBuf;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::service::Service;
use crate::core::record::{Change, Entry};
use crate::store::{Health, Opened, Store, StoreError};

/// After a failed write the store is opened again this often.
const REOPEN_EVERY: Duration = Duration::from_secs(1);

/// Owns the store.
pub struct Keeper {
    dir: PathBuf,
    /// `None` after a failed write, until it is open again.
    store: Option<Store>,
}

impl Keeper {
    /// Opens the store in the state directory, off the main thread.
    ///
    /// # Errors
    /// Those of [`Store::open`].
    pub async fn open(dir: PathBuf) -> Result<(Self, Vec<Entry>, Health), StoreError> {
        let opened = blocking({
            let dir = dir.clone();
            move || Store::open(&dir)
        });
        let Opened { store, entries, health, notes } = opened.await?;
        for note in notes {
            warn!("store: {note}");
        }
        Ok((Self { dir, store: Some(store) }, entries, health))
    }

    /// Returns when `changes` are durable. While the disk takes nothing, nothing else happens: what the changes stand for
    /// must not be announced, dialled or acknowledged. A single record that the store cannot take is given up, loudly.
    pub async fn commit(&mut self, mut changes: Vec<Change>, service: &mut Service) {
        let mut failed = false;
        while !changes.is_empty() {
            let store = match self.store.take() {
                Some(store) => store,
                None => match self.reopen().await {
                    Ok(store) => store,
                    Err(why) => {
                        error!("store: cannot be opened again, everything waits for it: {why}");
                        service.status("the store cannot be written; everything waits for it");
                        service.still_alive();
                        sleep(REOPEN_EVERY).await;
                        continue;
                    }
                },
            };
            let (store, kept, result) = blocking(move || {
                let mut store = store;
                let result = store.commit(&changes);
                (store, changes, result)
            })
            .await;
            changes = kept;
            match result {
                Ok(()) => {
                    self.store = Some(store);
                    if failed {
                        info!("store: writes succeed again");
                    }
                    return;
                }
                Err(why) => match why.refused_key() {
                    Some(key) => {
                        error!("store: a record is given up: {why}");
                        changes.retain(|change| change.key != key);
                        self.store = Some(store);
                    }
                    None => {
                        error!("store: a write failed, opening it again: {why}");
                        failed = true;
                        blocking(move || drop(store)).await;
                    }
                },
            }
        }
    }

    async fn reopen(&self) -> Result<Store, StoreError> {
        let dir = self.dir.clone();
        let opened = blocking(move || Store::open(&dir)).await?;
        for note in opened.notes {
            warn!("store: {note}");
        }
        Ok(opened.store)
    }
}

/// Runs something that blocks beside the main loop.
#[expect(clippy::expect_used, reason = "the store turns its own panics into errors, and nothing aborts these tasks")]
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    spawn_blocking(work).await.expect("a blocking task of the store runs to its end")
}
