//! What the detector tells of its input: for health and for people who wonder why nothing happens.

use super::acceptance::Refusal;
use crate::core::id::UnitId;
use crate::core::time::UnixMillis;

/// Units named in [`Observations`], at most.
pub const NAMED: usize = 16;

/// Counts since the start, and the state of all assigned units.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observations {
    /// Reports of assigned units.
    pub received: u64,
    /// Of these, fixes that count.
    pub accepted: u64,
    /// Of these, the others by reason; reports without a position are in neither.
    pub refused: Refused,
    /// Fixes whose time lay in the future and was set to the time of receipt.
    pub retimed: u64,
    /// Reports of units that nobody assigned.
    pub unassigned: u64,
    /// Assigned units.
    pub units: usize,
    /// Of these, units whose report is overdue,
    pub silent: usize,
    /// and some of their names.
    pub silent_units: heapless::Vec<UnitId, NAMED>,
    /// Units whose clock is probably wrong,
    pub clock_suspect: usize,
    /// and some of their names.
    pub clock_suspect_units: heapless::Vec<UnitId, NAMED>,
    /// Units most of whose last positions were old ones under new times,
    pub stale: usize,
    /// and some of their names.
    pub stale_units: heapless::Vec<UnitId, NAMED>,
}

/// What is known of one unit's reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitView {
    /// Its id.
    pub unit: UnitId,
    /// The tractors or trailers it is compared with.
    pub with: Vec<UnitId>,
    /// Receive time of its last report since the start.
    pub heard: Option<UnixMillis>,
    /// Event time of its newest fix.
    pub fix: Option<UnixMillis>,
    /// Its positions that were refused, at most 65,535 for each reason.
    pub refused: Refused,
    /// Its report is overdue.
    pub is_silent: bool,
    /// Its clock is probably wrong.
    pub is_clock_suspect: bool,
    /// Most of its last positions were old ones under new times.
    pub is_stale: bool,
}

/// Counts by [`Refusal`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused([u64; Refusal::ALL.len()]);

impl Refused {
    pub(super) fn count(&mut self, why: Refusal) {
        if let Some(n) = self.0.get_mut(why as usize) {
            *n += 1;
        }
    }

    pub(super) fn from_counts(counts: [u16; Refusal::ALL.len()]) -> Self {
        Self(counts.map(u64::from))
    }

    /// Reports refused for this reason.
    #[must_use]
    pub fn of(&self, why: Refusal) -> u64 {
        self.0.get(why as usize).copied().unwrap_or_default()
    }

    /// Every reason for which a report was refused, and how many.
    pub fn by_reason(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Refusal::ALL.into_iter().map(|why| (why.name(), self.of(why))).filter(|(_, count)| *count > 0)
    }

    /// Reports refused.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}
