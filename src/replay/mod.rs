//! What the detector would have said: a recording goes in line by line, findings come out. Pure.
//!
//! ```text
//! line ─ recording ─> message ─┬─ formats ─> report ─> detector ─> finding ─> explain
//!                              └─ roster ─> assignments, zones        └─────> plot, naive
//! ```
//!
//! The pieces are the daemon's own, and time is the recording's: every line moves the receive clock, also one whose topic
//! nobody reads, and what is due in between is done at the moment it is due.

mod explain;
mod naive;
mod plot;
mod recording;
mod session;
mod watch;

pub use explain::explain;
pub use naive::Naive;
pub use plot::plot;
pub use recording::Unread;
pub use session::{Session, Tally};
pub use watch::{PairId, Trail, Watch};

use core::time::Duration;

use crate::core::geo::Metres;
use crate::core::time::UnixMillis;
use crate::formats::iso8601;

/// Time of day in UTC, to the second.
#[must_use]
pub fn clock(at: UnixMillis) -> String {
    iso8601::write(at, 0).get(11..19).unwrap_or_default().to_owned()
}

/// As people say it: `640 m`, `12.3 km`.
fn metres(length: Metres) -> String {
    if length.0 < 9_999.5 { format!("{:.0} m", length.0) } else { format!("{:.1} km", length.0 / 1000.0) }
}

/// As people say it: `45 s`, `2 min`, `2 min 13 s`.
fn lasting(d: Duration) -> String {
    match (d.as_secs() / 60, d.as_secs() % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}
