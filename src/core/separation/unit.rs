//! One tractor or trailer as the detector knows it.

use super::Receive;
use super::acceptance::{Intake, Refusal};
use super::history::History;
use super::record::WrongClock;
use crate::core::id::UnitId;
use crate::core::roster::TrailerTraits;
use crate::core::telemetry::CouplingState;
use crate::core::time::UnixMillis;

/// As many samples explained by the same path show that a unit's clock is wrong.
const SUSPECT_VETOES: u16 = 3;
/// Of the last eight positions.
const MOSTLY_STALE: u32 = 5;
/// Signs of a wrong clock count for a day.
const SUSPECT_MS: i64 = 86_400_000;
/// A unit that travelled when last heard is silent after a quarter of an hour, or three of its intervals.
pub(super) const SILENT_MS: i64 = 900_000;
pub(super) const SILENT_INTERVALS: i64 = 3;
/// Real trucks deliver within 565 s (p95 up to 485 s, measured).
const LATE_MS: i64 = 600_000;
/// After an outage of the network, units that were cut off together speak within minutes of each other.
const CATCH_UP_MS: i64 = 300_000;
/// A parked one after a day: trackers send as little as one heartbeat in 24 h (vendors' documents).
const PARKED_SILENT_MS: i64 = 25 * 3_600_000;

/// 1.4 kB, most of it the history.
#[derive(Debug)]
pub(super) struct Unit {
    pub id: UnitId,
    pub history: History,
    pub intake: Intake,
    /// Newest word of its coupling sensor.
    pub coupling: Option<(UnixMillis, CouplingState)>,
    /// Slots of the pairs it belongs to.
    pub pairs: Vec<u32>,
    /// Receive time of its last report, or when it became known.
    pub heard: UnixMillis,
    has_reported: bool,
    /// Its newest fix took so long to arrive that more are probably on their way: it is not asleep, its backlog drains.
    pub is_late: bool,
    /// Receive time of the last fix that took that long.
    late_at: UnixMillis,
    /// Event time of the newest fix that was known before a restart: what is not newer may have come before it already.
    restored_until: UnixMillis,
    interval_s: Option<u32>,
    /// Reports when it starts to move, so that its silence says something.
    pub wakes_on_motion: bool,
    vetoes: u16,
    last_veto: UnixMillis,
    suspect_since: Option<UnixMillis>,
    /// Refused positions by reason, as far as they can be counted.
    pub refused: [u16; Refusal::ALL.len()],
    /// Which of the last eight positions were stale, the newest in the lowest bit.
    stale: u8,
}

impl Unit {
    pub fn new(id: UnitId, heard: UnixMillis) -> Self {
        Self {
            id,
            history: History::default(),
            intake: Intake::default(),
            coupling: None,
            pairs: Vec::new(),
            heard,
            has_reported: false,
            is_late: false,
            late_at: UnixMillis::default(),
            restored_until: UnixMillis::default(),
            interval_s: None,
            wakes_on_motion: false,
            vetoes: 0,
            last_veto: UnixMillis::default(),
            suspect_since: None,
            refused: Default::default(),
            stale: 0,
        }
    }

    pub fn set_traits(&mut self, traits: &TrailerTraits) {
        self.interval_s = traits.interval.map(|i| u32::try_from(i.as_secs()).unwrap_or(u32::MAX));
        self.wakes_on_motion = traits.wakes_on_motion;
    }

    pub fn hear(&mut self, now: Receive) {
        self.heard = now.at;
        self.has_reported = true;
    }

    /// Fixes were accepted: notes whether they, and the newest one, came in time.
    pub fn note_delay(&mut self, times: &[UnixMillis], now: Receive) {
        let is_late = |at: &UnixMillis| now.trusted && now.at.millis_since(*at) > LATE_MS;
        if times.iter().any(|at| is_late(at) && *at > self.restored_until) {
            self.late_at = now.at;
        }
        let newest = self.history.newest().map(|newest| newest.at());
        if let Some(newest) = newest.filter(|newest| times.contains(newest)) {
            self.is_late = is_late(&newest);
        }
    }

    /// The history was filled from a record.
    pub fn note_restored(&mut self) {
        self.restored_until = self.history.newest().map_or(self.restored_until, |newest| newest.at());
    }

    /// Whether what it sent while nobody could hear it is arriving, out of order perhaps.
    pub fn is_draining(&self, now: UnixMillis) -> bool {
        self.is_late && now.millis_since(self.heard) <= LATE_MS
    }

    /// Whether what it sent while nobody could hear it has come only just, so that another unit's may still be on its way.
    pub fn catches_up(&self, now: UnixMillis) -> bool {
        now.millis_since(self.late_at) < CATCH_UP_MS
    }

    /// Whether its last report took no longer than reports do. What delays all of them, such as a broker's backlog, is no sign
    /// of one unit's clock.
    pub fn is_in_time(&self) -> bool {
        self.intake.is_in_time()
    }

    /// Whether its clock may be wrong and more of its reports, on their way, will tell.
    pub fn clock_is_in_doubt(&self, now: UnixMillis) -> bool {
        self.intake.clock_is_in_doubt() && now.millis_since(self.heard) <= LATE_MS
    }

    /// How long it may be silent before that means something.
    pub fn silence_ms(&self, default_interval_ms: i64) -> i64 {
        let interval_ms = self.interval_s.map_or(default_interval_ms, |s| i64::from(s) * 1000);
        SILENT_MS.max(interval_ms.saturating_mul(SILENT_INTERVALS))
    }

    /// Whether a report is overdue.
    pub fn is_silent(&self, now: UnixMillis, default_interval_ms: i64) -> bool {
        let travelling = !self.has_reported || self.history.is_travelling();
        let limit = if travelling { self.silence_ms(default_interval_ms) } else { PARKED_SILENT_MS };
        now.millis_since(self.heard) > limit
    }

    /// So many samples of this unit, the newest at that time, were explained by a wrong clock; each event time counts once.
    pub fn veto(&mut self, at: UnixMillis, samples: u16) {
        if at <= self.last_veto && self.vetoes > 0 {
            return;
        }
        self.vetoes = if at.millis_since(self.last_veto) > SUSPECT_MS { samples } else { self.vetoes.saturating_add(samples) };
        self.last_veto = at;
        if self.vetoes >= SUSPECT_VETOES {
            self.suspect_clock(at);
        }
    }

    pub fn was_vetoed_since(&self, at: UnixMillis) -> bool {
        self.vetoes > 0 && self.last_veto >= at
    }

    /// What came of a position.
    pub fn note_position(&mut self, refused: Option<Refusal>) {
        if let Some(count) = refused.and_then(|why| self.refused.get_mut(why as usize)) {
            *count = count.saturating_add(1);
        }
        if refused != Some(Refusal::Duplicate) {
            self.stale = self.stale << 1 | u8::from(refused == Some(Refusal::Stale));
        }
    }

    /// Most of its last positions were an old one under a new time.
    pub fn is_stale(&self) -> bool {
        self.stale.count_ones() >= MOSTLY_STALE
    }

    /// Positions refused for other reasons than that they came twice.
    pub fn refusals(&self) -> u32 {
        let of = |why: Refusal| u32::from(self.refused.get(why as usize).copied().unwrap_or_default());
        Refusal::ALL.into_iter().filter(|why| *why != Refusal::Duplicate).map(of).sum()
    }

    /// Whether it has reported since the start.
    pub fn heard(&self) -> Option<UnixMillis> {
        self.has_reported.then_some(self.heard)
    }

    /// The gateway's own clock was set, so that nothing is known of this unit's any longer.
    pub fn clock_set(&mut self) {
        self.intake.clock_set();
        self.suspect_since = None;
    }

    pub fn suspect_clock(&mut self, at: UnixMillis) {
        self.suspect_since = Some(at);
    }

    /// What has to be known of its clock after a restart.
    pub fn wrong_clock(&self) -> Option<WrongClock> {
        let is_wrong = self.intake.clock_is_off() || self.intake.clock_is_in_doubt() || self.is_clock_suspect();
        is_wrong.then(|| WrongClock { lag: self.intake.lag.clone(), suspect_since: self.suspect_since })
    }

    pub fn restore_clock(&mut self, clock: WrongClock) {
        self.intake.lag = clock.lag.restored();
        self.suspect_since = clock.suspect_since;
    }

    pub fn is_clock_suspect(&self) -> bool {
        let newest = self.history.newest().map(|f| f.at());
        self.suspect_since.is_some_and(|since| newest.is_none_or(|n| n.millis_since(since) <= SUSPECT_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_thousand_units_fit_a_gateway() {
        assert!(size_of::<Unit>() <= 1_456, "{}", size_of::<Unit>());
        assert!(size_of::<super::super::pair::Pair>() <= 384, "{}", size_of::<super::super::pair::Pair>());
    }

    #[test]
    fn what_comes_again_after_a_restart_is_no_backlog() {
        use crate::core::geo::Position;
        use crate::core::separation::history::Fix;
        let mut unit = Unit::new(UnitId::new("T-1").unwrap(), UnixMillis(0));
        let arrive = |unit: &mut Unit, second: i64| {
            let fix = Fix::new(UnixMillis(second * 1000), Position { lat: 50.0, lon: 8.0 }, 8.0, None, None, 2);
            unit.history.insert(fix);
            fix.at()
        };
        arrive(&mut unit, 1_000);
        unit.note_restored();
        let now = Receive { at: UnixMillis(3_000_000), trusted: true };
        let again = arrive(&mut unit, 900);
        unit.note_delay(&[again], now);
        assert!(!unit.is_late && !unit.catches_up(now.at));
        let newer = arrive(&mut unit, 1_100);
        unit.note_delay(&[newer], now);
        assert!(unit.is_late && unit.catches_up(now.at));
    }

    #[test]
    fn most_of_the_last_positions_make_a_unit_stale_and_repetitions_do_not_count() {
        let mut unit = Unit::new(UnitId::new("R-1").unwrap(), UnixMillis(0));
        for _ in 0..5 {
            assert!(!unit.is_stale());
            unit.note_position(Some(Refusal::Stale));
            unit.note_position(Some(Refusal::Duplicate));
        }
        assert!(unit.is_stale());
        assert_eq!(unit.refusals(), 5);
        for _ in 0..4 {
            unit.note_position(None);
        }
        assert!(!unit.is_stale());
    }

    #[test]
    fn three_vetoes_at_three_times_make_a_clock_suspect_for_a_day() {
        let mut unit = Unit::new(UnitId::new("R-1").unwrap(), UnixMillis(0));
        for at in [1_000, 2_000, 2_000, 2_000] {
            unit.veto(UnixMillis(at), 1);
            assert!(!unit.is_clock_suspect());
        }
        unit.veto(UnixMillis(3_000), 1);
        assert!(unit.is_clock_suspect());
    }
}
