//! Makes changes durable beside the main loop, however long the disk takes to let us.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::{JoinError, JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep_until};
use tracing::{error, info, warn};

use crate::core::machine::Writes;
use crate::core::record::{Change, Entry};
use crate::store::{Health, Opened, Store, StoreError};

/// While writes fail, they are tried this often.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// When the ballast is put back, which costs its size in writes, if it was given up; doubled with each vain try.
const BALLAST_FIRST: Duration = Duration::from_secs(5);
const BALLAST_MOST: Duration = Duration::from_secs(600);

/// Owns the store.
pub struct Keeper {
    dir: PathBuf,
    work: Work,
    /// No try has succeeded since one failed.
    failing: bool,
    /// When the ballast is to be put back; `None` while it stands.
    ballast: Option<Ballast>,
    /// How the store was found when it had to be opened again, unless it was in order.
    found: Option<Health>,
}

enum Work {
    /// Nothing is to be written.
    Idle(Store),
    /// A try is under way.
    Writing(JoinHandle<Written>),
    /// The next try is due then.
    Waiting(Vec<Change>, Instant),
    /// Between two of the above.
    Turning,
}

#[derive(Clone, Copy)]
struct Ballast {
    due: Instant,
    wait: Duration,
}

/// What became of a try.
struct Written {
    /// `None` when it could not be opened again.
    store: Option<Store>,
    /// The list, without what the store cannot take.
    changes: Vec<Change>,
    result: Result<(), StoreError>,
    /// As the store was found, if it was opened for this.
    found: Option<Health>,
    /// Whether the ballast stands; `None` if nobody looked.
    reserve: Option<bool>,
}

impl Keeper {
    /// Opens the store in the state directory, off the main thread.
    ///
    /// # Errors
    /// Those of [`Store::open`].
    pub async fn open(dir: PathBuf) -> Result<(Self, Vec<Entry>, Health), StoreError> {
        let opened = spawn_blocking({
            let dir = dir.clone();
            move || Store::open(&dir)
        });
        let Opened { store, entries, health, notes, reserve } = finished(opened).await?;
        tell(&notes);
        let ballast = (!reserve).then(|| Ballast { due: Instant::now() + BALLAST_FIRST, wait: BALLAST_FIRST });
        Ok((Self { dir, work: Work::Idle(store), failing: false, ballast, found: None }, entries, health))
    }

    /// Begins to make `changes` durable: [`Self::kept`] tells when they are. Only then there may be others.
    pub fn keep(&mut self, changes: Vec<Change>) {
        debug_assert!(matches!(self.work, Work::Idle(_)), "changes are made durable one list after the other");
        if !changes.is_empty() || self.ballast.is_some_and(|ballast| ballast.due <= Instant::now()) {
            self.write(changes);
        }
    }

    /// Whether everything is.
    pub const fn is_idle(&self) -> bool {
        matches!(self.work, Work::Idle(_))
    }

    /// Returns when everything is durable. A single record that the store cannot take is given up, loudly. Cancel safe.
    pub async fn kept(&mut self) {
        loop {
            match &mut self.work {
                Work::Idle(_) | Work::Turning => return,
                Work::Writing(task) => {
                    let written = finished(task).await;
                    self.take(written);
                }
                Work::Waiting(changes, due) => {
                    sleep_until(*due).await;
                    let changes = std::mem::take(changes);
                    self.write(changes);
                }
            }
        }
    }

    /// Whether writes succeed.
    pub fn writes(&self) -> Writes {
        match self.work {
            Work::Idle(_) | Work::Turning if self.ballast.is_some() => Writes::OnReserve,
            Work::Idle(_) | Work::Turning => Writes::Succeed,
            Work::Writing(_) | Work::Waiting(..) => Writes::Fail,
        }
    }

    /// Whether there is something to be taken by [`Self::take_found`].
    pub const fn was_found(&self) -> bool {
        self.found.is_some()
    }

    /// How the store was found when it had to be opened again since this was asked last, unless it was in order.
    pub fn take_found(&mut self) -> Option<Health> {
        self.found.take()
    }

    fn write(&mut self, changes: Vec<Change>) {
        let store = match std::mem::replace(&mut self.work, Work::Turning) {
            Work::Idle(store) => Some(store),
            Work::Writing(_) | Work::Waiting(..) | Work::Turning => None,
        };
        let dir = self.dir.clone();
        let restore = self.ballast.is_some_and(|ballast| ballast.due <= Instant::now());
        self.work = Work::Writing(spawn_blocking(move || write(&dir, store, changes, restore)));
    }

    fn take(&mut self, written: Written) {
        let Written { store, changes, result, found, reserve } = written;
        self.found = found.or(self.found.take());
        match reserve {
            Some(true) => self.ballast = None,
            Some(false) => {
                let wait = self.ballast.map_or(BALLAST_FIRST, |ballast| ballast.wait.saturating_mul(2).min(BALLAST_MOST));
                self.ballast = Some(Ballast { due: Instant::now() + wait, wait });
            }
            None => {}
        }
        self.work = match (store, result) {
            (Some(store), Ok(())) => {
                if self.failing {
                    info!("store: writes succeed again");
                }
                self.failing = false;
                Work::Idle(store)
            }
            (_, result) => {
                if let Err(why) = result {
                    error!("store: writes fail, and everything waits for them: {why}");
                }
                self.failing = true;
                Work::Waiting(changes, Instant::now() + TRY_EVERY)
            }
        };
    }
}

/// One try: after a failed write once more, with the store opened again. Blocks.
fn write(dir: &Path, store: Option<Store>, changes: Vec<Change>, restore_ballast: bool) -> Written {
    let mut written = Written { store, changes, result: Ok(()), found: None, reserve: None };
    if written.store.is_none() {
        written.take(Store::open(dir));
    }
    if let Some(mut store) = written.store.take() {
        match commit(&mut store, &mut written.changes) {
            Ok(()) => {
                if restore_ballast {
                    written.reserve = Some(store.restore_ballast());
                }
                written.store = Some(store);
            }
            Err(why) => {
                warn!("store: a write failed, opening it again: {why}");
                written.take(store.recover());
                if let Some(mut store) = written.store.take() {
                    match commit(&mut store, &mut written.changes) {
                        Ok(()) => written.store = Some(store),
                        Err(why) => written.result = Err(why),
                    }
                }
            }
        }
    }
    written
}

/// A record that the store cannot take would keep all others from being durable: it is given up.
fn commit(store: &mut Store, changes: &mut Vec<Change>) -> Result<(), StoreError> {
    loop {
        match store.commit(changes) {
            Ok(()) => return Ok(()),
            Err(why) => {
                let Some(key) = why.refused_key() else { return Err(why) };
                error!("store: a record is given up: {why}");
                changes.retain(|change| change.key != key);
            }
        }
    }
}

impl Written {
    fn take(&mut self, opened: Result<Opened, StoreError>) {
        match opened {
            Ok(Opened { store, health, notes, reserve, entries: _ }) => {
                tell(&notes);
                self.store = Some(store);
                self.reserve = Some(reserve);
                match health {
                    Health::Ok => {}
                    Health::Repaired { .. } | Health::Quarantined { .. } => self.found = Some(health),
                }
            }
            Err(why) => self.result = Err(why),
        }
    }
}

fn tell(notes: &[String]) {
    for note in notes {
        warn!("store: {note}");
    }
}

/// What a blocking task has returned.
#[expect(clippy::expect_used, reason = "the store turns its own panics into errors, and nothing aborts these tasks")]
async fn finished<T>(task: impl Future<Output = Result<T, JoinError>>) -> T {
    task.await.expect("a blocking task of the store runs to its end")
}
