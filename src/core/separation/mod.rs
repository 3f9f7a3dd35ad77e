//! Deciding that a tractor and its trailer came apart.
//!
//! Reports go in with the time of their receipt, findings and records come out; nothing here reads a clock.
//!
//! ```text
//! report ─ acceptance ─> history ─ sample ─> dwell ─ pair ─> finding
//!          which fixes    where a   one       what   what     what the
//!          count          unit was  compar-   was    follows  world is
//!                         between   ison      apart           told
//! ```
//!
//! All of it happens in **event time**: positions are compared as of one moment, interpolated with a bound on what that may
//! be off. Receive time only says whether a clock is plausible and whether an alarm is still news, and only where it can
//! be believed itself.
//!
//! # Memory
//! 1.9 kB a unit, most of it 80 fixes of 20 bytes, and 0.7 kB a pair: 20,000 units in 10,000 pairs take 43 MiB of heap,
//! taken when they become known. Reports of units that are in no assignment cost nothing. Nothing is allocated for a report
//! unless it changes a record.

mod acceptance;
mod comparison;
mod detector;
mod dwell;
pub mod finding;
mod history;
mod limits;
mod names;
mod observations;
mod pair;
mod record;
mod sample;
pub mod settings;
mod unit;

pub use acceptance::Refusal;
pub use comparison::Comparison;
pub use detector::Detector;
pub use finding::{DecidedBy, Finding, FindingEvent, ViolationKind};
pub use observations::{NAMED, Observations, Refused};
pub(crate) use pair::{
    LEFT_M, LEFT_MS, LEFT_SAMPLES, NEAR_M, SUSPECTED_M, THEFT_M, THEFT_MS, THEFT_SAMPLES, UNHOOKED_M, UNHOOKED_MS,
    UNHOOKED_SAMPLES,
};
pub use record::{Episode, PairRecord, PairState, Phase};
pub use settings::Settings;

use crate::core::id::UnitId;
use crate::core::time::UnixMillis;

/// When something was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receive {
    /// By the gateway's wall clock.
    pub at: UnixMillis,
    /// Whether that clock can be believed: not on a gateway without a battery-backed clock before it is first set. Until
    /// then event times are taken as they come, and alarms wait.
    pub trusted: bool,
}

/// What the detector wants done. A [`Keep`](Self::Keep) comes before the findings it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Store this pair, in place of what is stored of it.
    Keep(Box<PairRecord>),
    /// Drop what is stored of this pair.
    Forget {
        /// The pair's tractor.
        tractor: UnitId,
        /// The pair's trailer.
        trailer: UnitId,
    },
    /// Tell the world.
    Found(Box<Finding>),
}
