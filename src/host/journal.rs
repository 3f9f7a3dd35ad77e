//! Where log lines go: to the journal with their fields when a journal reads us, else to stderr as text.
//!
//! Events carry their subject in fields, never only in the text. These names are part of the contract, for
//! `journalctl VIOLATION_ID=… CALL_SID=…`; the journal shows them in capitals:
//!
//! | field | what |
//! |---|---|
//! | `violation_id` | the separation episode |
//! | `call_sid` | the attempt |
//! | `tractor`, `trailer` | the pair |
//! | `state` | what the call or violation is now |
//!
//! The message is plain text: `info!(violation_id = %id, tractor = %t, trailer = %r, state = "opened", "left behind")`.
//! No field may be named like one of the journal's own (`priority`, `target`, `syslog_identifier`, `code_file`).

use std::io::{self, IsTerminal};
use std::os::unix::fs::MetadataExt;

use tracing::{Level as Severity, error};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterExt, LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use super::quota::Quota;
use crate::config::Level;

/// Starts logging. Of other crates only warnings are written: their details may hold what is nobody's business. Panics go
/// there as well, and none of it beyond its [`Quota`].
///
/// # Errors
/// When logging was started before.
pub fn init(level: Level) -> Result<(), TryInitError> {
    let wanted = Targets::new().with_default(LevelFilter::WARN).with_target(env!("CARGO_CRATE_NAME"), severity(level));
    let journal = if stderr_is_the_journal() { journal_layer().ok() } else { None };
    let stderr = || tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let lines = journal.map_or_else(|| stderr().boxed(), Layer::boxed);
    tracing_subscriber::registry().with(lines.with_filter(wanted.and(Quota))).try_init()?;
    std::panic::set_hook(Box::new(|panic| error!("{panic}")));
    Ok(())
}

fn severity(level: Level) -> Severity {
    match level {
        Level::Error => Severity::ERROR,
        Level::Warn => Severity::WARN,
        Level::Info => Severity::INFO,
        Level::Debug => Severity::DEBUG,
        Level::Trace => Severity::TRACE,
    }
}

fn journal_layer() -> io::Result<tracing_journald::Layer> {
    let priorities = PriorityMappings {
        error: Priority::Error,
        warn: Priority::Warning,
        info: Priority::Informational,
        debug: Priority::Debug,
        trace: Priority::Debug,
    };
    let layer = tracing_journald::layer()?;
    Ok(layer.with_field_prefix(None).with_syslog_identifier("gladhand".to_owned()).with_priority_mappings(priorities))
}

/// Whether stderr is the very socket that `JOURNAL_STREAM` names: the variable is inherited, a redirected stderr is not.
fn stderr_is_the_journal() -> bool {
    let stderr = std::fs::metadata("/proc/self/fd/2").map(|metadata| (metadata.dev(), metadata.ino())).ok();
    stderr.is_some() && stderr == std::env::var("JOURNAL_STREAM").ok().as_deref().and_then(device_and_inode)
}

fn device_and_inode(text: &str) -> Option<(u64, u64)> {
    let (device, inode) = text.split_once(':')?;
    Some((device.parse().ok()?, inode.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_is_recognised_by_device_and_inode() {
        assert_eq!(device_and_inode("8:1234567"), Some((8, 1_234_567)));
        for wrong in ["", "8", "8:", "8:x", ":1"] {
            assert_eq!(device_and_inode(wrong), None, "{wrong}");
        }
    }
}
