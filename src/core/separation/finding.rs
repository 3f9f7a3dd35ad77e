//! What the detector has found: the object that is published, replayed and stored.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::core::geo::{Metres, Position};
use crate::core::id::{UnitId, ViolationId};
use crate::core::time::UnixMillis;

/// A change in what is known of one pair. Serialises to the JSON object of the `violations` topic and of `replay`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What changed.
    pub event: FindingEvent,
    /// Which rule; `null` where none applies (a permitted drop).
    pub kind: Option<ViolationKind>,
    /// The pair's tractor.
    pub tractor: UnitId,
    /// The pair's trailer.
    pub trailer: UnitId,
    /// The episode: the same from `suspected` or `opened` to `closed`, across restarts.
    pub violation_id: ViolationId,
    /// Event time of the evidence that decided.
    pub at: UnixMillis,
    /// Receive time of the message that decided.
    pub received: UnixMillis,
    /// The message that decided.
    pub decided_by: DecidedBy,
    /// Distance between the two at `at`, in metres.
    pub distance_m: Metres,
    /// How far that distance may be off, in metres.
    pub uncertainty_m: Metres,
    /// Where the trailer is, as far as known.
    pub position: Option<Position>,
}

/// See [`Finding::event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingEvent {
    /// A violation: somebody is called.
    Opened,
    /// The trailer is silent and the tractor has left: nobody is called by default.
    Suspected,
    /// The episode is over: the two are together again, or the assignment had ended.
    Closed,
    /// The trailer was left where it may be.
    DroppedOk,
}

/// Which rule was violated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ViolationKind {
    /// The tractor left its trailer.
    LeftBehind,
    /// The trailer moves without its tractor.
    TrailerMovingAlone,
    /// A trailer that was dropped where it may be now moves without its tractor.
    TrailerMovedFromDrop,
    /// The tractor left without the trailer it came for.
    LeftWithoutTrailer,
}

impl ViolationKind {
    /// Every rule.
    pub const ALL: [Self; 4] = [Self::LeftBehind, Self::TrailerMovingAlone, Self::TrailerMovedFromDrop, Self::LeftWithoutTrailer];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LeftBehind => "left_behind",
            Self::TrailerMovingAlone => "trailer_moving_alone",
            Self::TrailerMovedFromDrop => "trailer_moved_from_drop",
            Self::LeftWithoutTrailer => "left_without_trailer",
        }
    }
}

impl fmt::Display for ViolationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The message that completed the evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecidedBy {
    /// Its unit.
    pub unit: UnitId,
    /// Its event time.
    pub ts: UnixMillis,
}
