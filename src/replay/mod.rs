//! What the detector would have said: a recording goes in line by line, findings come out. Pure.
//!
//! ```text
//! line ─ recording ─> message ─┬─ formats ─> report ─> detector ─> finding ─> explain
//!                              └─ roster ─> assignments, zones        └─────> plot, naive
//! ```
//!
//! The pieces are the daemon's own, and time is the recording's: every line moves the receive clock, also one whose topic
//! nobody reads, and what is due in between is done at the moment it is due.

mod recording;
mod session;

pub use recording::Unread;
pub use session::{Session, Tally};
