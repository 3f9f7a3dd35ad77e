//! The shell: one loop that merges what happens into inputs of the pure core, and performs what the core puts out.
//!
//! ```text
//! broker ──┐                     ┌─> commit ──> then, in order: publish, dial, ask, answer, tell
//! vendor ──┼─> Input ─> Machine ─┤                then: acknowledge to the broker
//! socket ──┤   (a batch)         └─> next deadline
//! clock  ──┘
//! ```
//!
//! While the store takes no writes, nothing is decided: what was decided last waits with its effects, questions on the socket
//! are answered, and health says so.
//!
//! Inputs that wait together are handled together, so that one sync of the store serves them all. The watchdog is fed from
//! this loop and nowhere else.

mod keeper;
mod service;
mod shell;
mod telling;
mod vendor;

use std::pin::pin;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use crate::config::Loaded;
use crate::host::clock;
use crate::host::signals::{Signal, Signals};
use crate::store::StoreError;
use shell::Shell;

/// Inputs handled together at most: the time for it is what an order may be late by.
const BATCH: usize = 256;

/// How exact the runtime's timers are.
const ALARM_STEP: Duration = Duration::from_millis(1);

/// Why the daemon could not start. Once it runs, nothing but a signal ends it.
#[derive(Debug, thiserror::Error)]
pub enum CannotStart {
    /// Another one runs, a newer release wrote the store, or the directory is not ours.
    #[error("store: {0}")]
    Store(#[from] StoreError),
    /// The control socket is in use or its directory not ours.
    #[error("control socket: {0}")]
    Socket(String),
    /// The service manager's signals cannot be listened to.
    #[error("signals: {0}")]
    Signals(std::io::Error),
    /// A file that the configuration names.
    #[error("{0}")]
    Credentials(String),
}

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// When it cannot start. A missing key, an unreachable broker or a refused account are no such reasons: it runs degraded
/// and says so.
pub async fn run(loaded: Loaded) -> Result<(), CannotStart> {
    let mut signals = Signals::new().map_err(CannotStart::Signals)?;
    let mut shell = Shell::start(loaded).await?;
    let mut alarm = pin!(sleep(Duration::ZERO));
    loop {
        let wake_at = Instant::from_std(clock::instant()) + shell.wake_in();
        // Not with every message: what is due later is seen when the alarm goes off, and it counts in milliseconds.
        if alarm.is_elapsed() || wake_at + ALARM_STEP < alarm.deadline() {
            alarm.as_mut().reset(wake_at);
        }
        let first = tokio::select! {
            biased;
            signal = signals.next() => match signal {
                Signal::Stop => break,
                Signal::Reload => {
                    shell.reload();
                    None
                }
            },
            happened = shell.happens() => Some(happened),
            () = alarm.as_mut() => None,
        };
        let now = shell.begin();
        if let Some(happened) = first {
            shell.take(happened, now);
        }
        for _ in 1..BATCH {
            let Some(happened) = shell.happened() else { break };
            shell.take(happened, now);
        }
        shell.turn(now).await;
        if shell.has_more() {
            // Else a flood would keep calls from going out.
            yield_now().await;
        }
    }
    shell.stop().await;
    Ok(())
}
