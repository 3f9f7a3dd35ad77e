//! What the detector tells of its input: for health and for people who wonder why nothing happens.

use super::acceptance::Refusal;
use crate::core::id::UnitId;

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

    /// Reports refused for this reason.
    #[must_use]
    pub fn of(&self, why: Refusal) -> u64 {
        self.0.get(why as usize).copied().unwrap_or_default()
    }

    /// Reports refused.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}
