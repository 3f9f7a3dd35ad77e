//! What the service manager is told: ready, status, alive, reloading, stopping. With the feature `systemd` through
//! libsystemd, without it in a few lines of our own; both speak to `NOTIFY_SOCKET`, and without one both do nothing.

use core::time::Duration;
use std::io;

/// One thing to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State<'a> {
    /// Start-up, or a reload, is finished.
    Ready,
    /// A line for `systemctl status`.
    Status(&'a str),
    /// The main loop is alive. Told from nowhere else: a watchdog fed by a timer of its own watches nothing.
    Watchdog,
    /// The configuration is being read again; [`State::Ready`] follows.
    Reloading,
    /// We are on our way out.
    Stopping,
}

impl State<'_> {
    fn assignment(self) -> (&'static str, String) {
        let (key, value) = match self {
            Self::Ready => ("READY", "1"),
            Self::Status(text) => ("STATUS", text),
            Self::Watchdog => ("WATCHDOG", "1"),
            Self::Reloading => ("RELOADING", "1"),
            Self::Stopping => ("STOPPING", "1"),
        };
        // A line break would begin another assignment, and libsystemd's binding panics on a NUL.
        (key, value.replace(char::is_control, " "))
    }
}

/// Tells the service manager, all in one message. `Ok(false)` when there is none.
///
/// # Errors
/// When there is one and it cannot be reached.
#[cfg(feature = "systemd")]
pub fn notify(states: &[State<'_>]) -> io::Result<bool> {
    let assignments: Vec<_> = states.iter().map(|state| state.assignment()).collect();
    systemd::daemon::notify(assignments.iter()).map_err(io::Error::other)
}

/// Tells the service manager, all in one message. `Ok(false)` when there is none.
///
/// # Errors
/// When there is one and it cannot be reached.
#[cfg(not(feature = "systemd"))]
pub fn notify(states: &[State<'_>]) -> io::Result<bool> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return Ok(false) };
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(&socket)?,
    };
    let lines: Vec<_> = states.iter().map(|state| state.assignment()).map(|(key, value)| format!("{key}={value}")).collect();
    UnixDatagram::unbound()?.send_to_addr(lines.join("\n").as_bytes(), &address)?;
    Ok(true)
}

/// `WatchdogSec=` of the unit: without a [`State::Watchdog`] for that long we are killed. `None` when nobody watches.
#[must_use]
pub fn watchdog() -> Option<Duration> {
    let text = |name| std::env::var(name).ok();
    watchdog_of(text("WATCHDOG_USEC").as_deref(), text("WATCHDOG_PID").as_deref(), std::process::id())
}

fn watchdog_of(usec: Option<&str>, pid: Option<&str>, own: u32) -> Option<Duration> {
    let for_us = pid.is_none_or(|pid| pid.parse() == Ok(own));
    let usec = usec?.parse().ok().filter(|usec| *usec > 0 && for_us)?;
    Some(Duration::from_micros(usec))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_stays_on_its_line() {
        assert_eq!(State::Status("a\nREADY=1\0b").assignment(), ("STATUS", "a READY=1 b".to_owned()));
    }

    #[test]
    fn the_watchdog_is_ours_when_it_names_us_or_nobody() {
        let half_minute = Some(Duration::from_secs(30));
        assert_eq!(watchdog_of(Some("30000000"), Some("7"), 7), half_minute);
        assert_eq!(watchdog_of(Some("30000000"), None, 7), half_minute);
        for (usec, pid) in
            [(Some("30000000"), Some("8")), (Some("30000000"), Some("x")), (Some("0"), None), (Some("-1"), None), (None, None)]
        {
            assert_eq!(watchdog_of(usec, pid, 7), None);
        }
    }
}
