//! What must survive a restart of one pair.

use heapless::Vec;
use serde::{Deserialize, Serialize};

use super::acceptance::Lag;
use super::dwell::Dwell;
use super::finding::ViolationKind;
use super::history::Fix;
use super::packed;
use crate::core::geo::{Metres, Position};
use crate::core::id::UnitId;
use crate::core::time::UnixMillis;

/// Fixes kept of a tractor: with 25 s between them they show its track of the last five minutes.
pub(super) const TRACTOR_FIXES: usize = 14;
/// Fixes kept of a trailer: enough to see that it stands.
pub(super) const TRAILER_FIXES: usize = 4;

/// The durable state of one tractor and one of its trailers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairRecord {
    /// The tractor.
    pub tractor: UnitId,
    /// The trailer.
    pub trailer: UnitId,
    /// What is known of the two.
    #[serde(flatten)]
    pub state: PairState,
    /// Latest fixes of the tractor.
    #[serde(with = "packed")]
    pub tractor_fixes: Vec<Fix, TRACTOR_FIXES>,
    /// Latest fixes of the trailer.
    #[serde(with = "packed")]
    pub trailer_fixes: Vec<Fix, TRAILER_FIXES>,
    /// What is wrong with the tractor's clock,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tractor_clock: Option<WrongClock>,
    /// and with the trailer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trailer_clock: Option<WrongClock>,
}

/// A clock that is known to be wrong, or may be: how far it is off need not be found out again after a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WrongClock {
    pub(super) lag: Lag,
    /// Event time of the newest sign of it.
    pub(super) suspect_since: Option<UnixMillis>,
}

/// What is known of a pair, all in event time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairState {
    /// Assigned from then
    pub since: UnixMillis,
    /// until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<UnixMillis>,
    /// First and newest time they were seen together within the assignment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub together: Option<(UnixMillis, UnixMillis)>,
    /// Whether those two times make them joined.
    pub joined: bool,
    /// Where the trailer was when they were last together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub together_at: Option<Position>,
    /// Newest time a tractor that was not joined yet was near its trailer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near: Option<UnixMillis>,
    /// First time the tractor was far from where its silent trailer last reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away_since: Option<UnixMillis>,
    /// Evidence of the separation that may be going on.
    #[serde(default, skip_serializing_if = "Dwell::is_empty")]
    pub dwell: Dwell,
    /// Where the pair stands.
    pub phase: Phase,
}

/// Where a pair stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nothing has been found.
    Watching,
    /// The trailer is silent and its tractor has left.
    Suspected(Episode),
    /// A violation was announced.
    Open(Episode),
    /// The trailer was left where it may be; `Position` is that place.
    Dropped(Episode, Position),
}

impl Phase {
    /// Newest time the two were apart, in an episode.
    #[must_use]
    pub const fn last_apart(&self) -> Option<UnixMillis> {
        match self {
            Self::Watching => None,
            Self::Suspected(e) | Self::Open(e) | Self::Dropped(e, _) => Some(e.last_apart),
        }
    }
}

/// A separation that has a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Episode {
    /// Event time of its first evidence: names the episode, in this process or the next.
    pub began: UnixMillis,
    /// The rule, where one was violated.
    pub kind: Option<ViolationKind>,
    /// Newest time they were apart; only what is newer shows them together again.
    pub last_apart: UnixMillis,
    /// Since when they have been together again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejoining: Option<UnixMillis>,
    /// The finding's event time, distance, uncertainty and place, for listings.
    pub at: UnixMillis,
    /// Distance at that time.
    pub distance_m: Metres,
    /// How far that may be off.
    pub uncertainty_m: Metres,
    /// The trailer's place at that time.
    pub position: Option<Position>,
}
