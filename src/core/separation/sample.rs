//! One comparison of a tractor with its trailer, at one event time.

use super::acceptance::{CLOCK_S, K};
use super::history::{Fix, Place};
use super::limits::Limits;
use super::unit::Unit;
use crate::core::geo::Position;
use crate::core::time::UnixMillis;

/// A comparison less certain than this shows nobody together.
const TOGETHER_MAX_UNCERTAINTY_M: f64 = 200.0;
/// Slower than this a unit stands, as far as the same-path rule is concerned.
const MOVING_MPS: f64 = 2.0;

/// Which of the two reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Tractor,
    Trailer,
}

/// Distances in metres.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub at: UnixMillis,
    pub distance: f64,
    /// How far that may be off.
    pub uncertainty: f64,
    /// Distance that remains when rig length and uncertainty are taken off: surely apart by this much.
    pub clear: f64,
    /// False against a tractor that is only taken to be parked.
    pub bracketed: bool,
    pub tractor: Position,
    pub trailer: Position,
    /// How far the trailer may be from there, where it moved between two fixes.
    pub trailer_slack: f64,
    pub trailer_moves: bool,
    pub tractor_moves: bool,
}

impl Sample {
    /// Compares at the time of a fix of one of the two; `None` when it is not known where the other one was.
    ///
    /// Latest position against latest position would not do: with a tractor every 10 s and a trailer every 300 s, in
    /// one car, that reads up to 8.6 km apart; at one event time it reads 16 m at most (both measured).
    pub fn at_fix(side: Side, fix: &Fix, tractor: &Unit, trailer: &Unit, limits: &Limits) -> Option<Self> {
        let is_asleep = !tractor.is_late;
        let (tractor, trailer) = (&tractor.history, &trailer.history);
        let (a, b) = match side {
            Side::Tractor => (tractor.place_of(fix), trailer.place_at(fix.at(), limits.max_gap_ms)?),
            Side::Trailer => {
                let held = || if is_asleep { tractor.held_at(fix.at()) } else { None };
                (tractor.place_at(fix.at(), limits.max_gap_ms).or_else(held)?, trailer.place_of(fix))
            }
        };
        let clock = a.clock.max(b.clock);
        let mut speed = a.speed.max(b.speed);
        if clock > f64::from(CLOCK_S) {
            // With a clock in doubt it counts how fast either was at any time that this may really have been.
            let reach = (clock * 1000.0) as i64;
            let (from, to) = (UnixMillis(fix.at().0.saturating_sub(reach)), UnixMillis(fix.at().0.saturating_add(reach)));
            speed = speed.max(tractor.top_speed(from, to)).max(trailer.top_speed(from, to));
        }
        Some(Self::of(fix.at(), &a, &b, clock * speed, limits))
    }

    pub fn of(at: UnixMillis, tractor: &Place, trailer: &Place, clock_m: f64, limits: &Limits) -> Self {
        let distance = tractor.position.distance(trailer.position).0;
        let uncertainty = K * tractor.sigma.hypot(trailer.sigma) + tractor.slack + trailer.slack + clock_m;
        Self {
            at,
            distance,
            uncertainty,
            clear: (distance - limits.rig_m - uncertainty).max(0.0),
            bracketed: tractor.bracketed && trailer.bracketed,
            tractor: tractor.position,
            trailer: trailer.position,
            trailer_slack: trailer.slack,
            trailer_moves: trailer.speed >= MOVING_MPS,
            tractor_moves: tractor.speed >= MOVING_MPS,
        }
    }

    /// Where one rig would be.
    pub fn is_together(&self, limits: &Limits) -> bool {
        self.is_certain() && self.distance <= limits.rig_m + limits.together_m
    }

    /// Good enough to say that the two are near each other.
    pub fn is_certain(&self) -> bool {
        self.bracketed && self.uncertainty <= TOGETHER_MAX_UNCERTAINTY_M
    }
}
