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
//! # Wrong clocks
//! A unit whose event times are off by minutes is elsewhere at every time, which looks like a separation. Three things tell:
//! - a steady lag between event and receipt, or a time ahead of its receipt, widens what is believed of the unit's clock. While
//!   all reports of a unit come minutes late and it is too early to tell a wrong clock from a backlog, evidence waits;
//! - the *same-path rule* takes a sample out of the evidence when the trailer is where the tractor's own track runs within four
//!   minutes. Where the tractor may still come there, the sample waits for that: while both move, and while the trailer is less
//!   than 500 m ahead of a tractor that stands; where both move and the tractor's track is not known well enough to say, as
//!   after a restart, the sample does not count. For a trailer that stands only the tractor's future counts: the tractor's past
//!   is where it left the trailer;
//! - evidence that is complete but waits, and an alarm, that end with the two together where one came to the other's place by
//!   itself.
//!
//! Then health calls a clock suspect for a day: that of the unit which is at odds with its other partners too, or which is
//! received before or after it could be; where neither tells, those of both, one of which is good.
//!
//! Not told from a drop: a rig that rests while the tractor's wrong clock takes it down the road and lets it stand there. That
//! alarms, and the clock is suspected when the trailer has come after. The price: a trailer that is moved less than 500 m from
//! its standing tractor is told up to four minutes later, and one that is taken along the tractor's own road within four
//! minutes is not told as long as it does not leave it.
//!
//! # Memory
//! 1.4 kB a unit, most of it 72 fixes of 16 bytes, and 0.4 kB a pair: 20,000 units in 10,000 pairs take 31 MiB of heap,
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
mod packed;
mod pair;
mod record;
mod sample;
pub mod settings;
mod unit;

pub use acceptance::Refusal;
pub use comparison::{Comparison, Verdict};
pub use detector::Detector;
pub use finding::{DecidedBy, Finding, FindingEvent, ViolationKind};
pub use observations::{NAMED, Observations, Refused, UnitView};
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
