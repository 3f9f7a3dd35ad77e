//! `gladhand run`: the daemon.

use std::panic::resume_unwind;
use std::path::Path;
use std::time::Duration;

use tokio::spawn;
use tracing::error;

use super::{Failure, Outcome};
use crate::config::Loaded;
use crate::host::journal;
use crate::run;

/// For what still runs when the daemon has stopped: a name that is being looked up outlives its time limit.
const LEFTOVERS: Duration = Duration::from_millis(200);

pub(super) fn run(config: &Path) -> Outcome {
    let loaded = Loaded::read(config).map_err(Failure::Malformed)?;
    journal::init(loaded.config.log.level).map_err(|why| Failure::Failed(format!("logging cannot be started: {why}")))?;
    let runtime = super::runtime()?;
    // A task among others: what the runtime drives itself costs one look at the kernel more, every time that it is woken.
    let ended =
        runtime.block_on(async { spawn(run::run(loaded)).await.unwrap_or_else(|panic| resume_unwind(panic.into_panic())) });
    runtime.shutdown_timeout(LEFTOVERS);
    match ended {
        Ok(()) => Ok(String::new()),
        Err(why) => {
            // The journal is where an installer looks.
            error!("cannot start: {why}");
            Err(Failure::Failed(why.to_string()))
        }
    }
}
