//! Which reports count as fixes. Nothing a tracker says is believed as it stands: the field knows old places under fresh
//! times, null island, clocks of 2004, cell towers and teleports.

use heapless::{HistoryBuf, Vec};
use serde::{Deserialize, Serialize};

use super::Receive;
use super::history::{Fix, History, V_MAX};
use crate::core::geo::Position;
use crate::core::telemetry::Report;
use crate::core::time::UnixMillis;

/// Trackers without a fix report latitude and longitude 0; nobody drives within 2 km of there.
const NULL_ISLAND_M: f64 = 2_000.0;
/// Coarser fixes come from cell towers, kilometres off.
const MAX_ACCURACY_M: f64 = 200.0;
/// Older reports are out of some forgotten buffer.
const MAX_AGE_MS: i64 = 72 * 3_600_000;
/// A unit's clock may run ahead by this before it is set right by the time of receipt ...
pub(super) const MAX_AHEAD_MS: i64 = 60_000;
/// ... which then may be off by this, in seconds: real deliveries take 12 to 485 s at the 95th percentile, most under 120.
const RETIMED_CLOCK_S: u16 = 120;
/// Lags between event and receipt that differ by more than this are of different causes: deliveries over one link differ by a
/// minute, and clocks run evenly.
const SPREAD_MS: i64 = 75_000;
/// As many reports show that a lag is steady,
const STEADY_REPORTS: u16 = 10;
/// over at least this long,
const STEADY_SPAN_MS: i64 = 60_000;
/// in which it changed by at most this part: a wrong clock goes on as time does, a buffer drains faster than it was filled.
const STEADY_PART: i64 = 4;
/// A steady lag below this is an ordinary slow link.
const MIN_LAG_MS: i64 = 120_000;
/// What comes again after a restart, later than it was sent, does not show that a fast clock is less fast.
const AGAIN: u8 = 20;
/// Nothing is received before it happened, give or take what two good clocks differ by.
const EARLY_MS: i64 = 5_000;
/// Clocks that are right: real loggers are 1 to 2 s off, measured.
pub(super) const CLOCK_S: u16 = 2;
/// Position error in metres of a fix that says nothing of it (static 95th percentile 4 to 17 m, measured), and of the best.
const SIGMA_M: f64 = 8.0;
const BEST_SIGMA_M: f64 = 5.0;
/// What a fix may claim at worst; keeps an absurd dilution of precision in range.
const WORST_SIGMA_M: f64 = 500.0;
/// Standard deviations taken off before a distance is believed.
pub(super) const K: f64 = 3.0;

/// Why a report did not become a fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Latitude or longitude is not a number or out of range.
    OutOfRange,
    /// The receiver itself says so.
    MarkedInvalid,
    /// Within 2 km of latitude 0, longitude 0.
    NullIsland,
    /// Accuracy worse than 200 m.
    Inaccurate,
    /// Event time more than 72 h before the time of receipt.
    TooOld,
    /// Time and place of a report already known.
    Duplicate,
    /// The last known place under a new time, from a unit that says it moves.
    Stale,
    /// Faster than any rig from the last known place; waits for two more that agree.
    Held,
    /// Another fix with this time, or older than all that is remembered.
    Superseded,
}

impl Refusal {
    /// All of them, in the order of their counters.
    pub const ALL: [Self; 9] = [
        Self::OutOfRange,
        Self::MarkedInvalid,
        Self::NullIsland,
        Self::Inaccurate,
        Self::TooOld,
        Self::Duplicate,
        Self::Stale,
        Self::Held,
        Self::Superseded,
    ];

    /// A short name for counters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OutOfRange => "fix-out-of-range",
            Self::MarkedInvalid => "fix-marked-invalid",
            Self::NullIsland => "fix-null-island",
            Self::Inaccurate => "fix-inaccurate",
            Self::TooOld => "fix-too-old",
            Self::Duplicate => "fix-duplicate",
            Self::Stale => "fix-stale",
            Self::Held => "fix-held",
            Self::Superseded => "fix-superseded",
        }
    }
}

/// What came of a report.
#[derive(Debug, Default)]
pub(super) struct Admitted {
    /// Times of the fixes that entered the history, oldest first: one, or three when held ones are released.
    pub times: Vec<UnixMillis, 3>,
    /// A fix that the new one unmasks as stale and that left the history.
    pub withdrawn: Option<UnixMillis>,
}

/// What acceptance remembers of one unit.
#[derive(Clone, Debug, Default)]
pub(super) struct Intake {
    held: HistoryBuf<Fix, 2>,
    pub lag: Lag,
    /// Fingerprints of the newest re-timed reports, if there ever was one: their duplicates come with other times, and late
    /// ones look right.
    retimed: Option<Box<HistoryBuf<u32, 20>>>,
}

impl Intake {
    /// The clock bound and event time a report is to be read with, or why it is too old. Shared by fixes and coupling reports.
    pub fn time(&self, at: UnixMillis, now: Receive) -> Result<(UnixMillis, u16), Refusal> {
        if !now.trusted {
            return Ok((at, CLOCK_S));
        }
        let lag = now.at.millis_since(at);
        if lag > MAX_AGE_MS {
            Err(Refusal::TooOld)
        } else if lag < -MAX_AHEAD_MS {
            Ok((now.at, RETIMED_CLOCK_S.saturating_add(self.lag.beyond_fastest_s(lag))))
        } else {
            Ok((at, self.lag.clock_s().max(self.lag.ahead_s())))
        }
    }

    /// Judges a report's position and puts it into the history.
    pub fn admit(
        &mut self,
        report: &Report,
        position: Position,
        history: &mut History,
        now: Receive,
    ) -> Result<Admitted, Refusal> {
        plausible(report, position)?;
        let sigma = sigma(report);
        let speed = report.speed_mps.map(f64::from);
        let as_sent = Fix::new(report.at, position, sigma, speed, report.moving, CLOCK_S);
        let (at, _) = self.time(report.at, now)?;
        if self.is_duplicate(&as_sent, at != report.at, history) {
            return Err(Refusal::Duplicate);
        }
        if now.trusted {
            self.lag.note(at, now.at.millis_since(report.at));
        }
        let (at, clock_s) = self.time(report.at, now)?;
        let fix = as_sent.with_time(at, clock_s);
        let (before, after) = history.neighbours(at);
        if before.is_some_and(|b| fix.moves() && fix.same_coordinates(b)) {
            return Err(Refusal::Stale);
        }
        let withdrawn = after.filter(|a| a.moves() && a.same_coordinates(&fix)).map(|a| a.at());
        if before.is_some_and(|b| too_fast(b, &fix)) {
            return self.hold(fix, history);
        }
        if let Some(stale) = withdrawn {
            history.remove(stale);
        }
        if !history.insert(fix) {
            return Err(Refusal::Superseded);
        }
        let mut admitted = Admitted { withdrawn, ..Admitted::default() };
        let _ = admitted.times.push(at);
        Ok(admitted)
    }

    /// The clock that the unit's reports were received by was wrong, or is now.
    pub fn clock_set(&mut self) {
        self.lag = Lag::default();
        self.retimed = None;
    }

    /// Whether the unit's clock is known to be wrong at the moment.
    pub fn clock_is_off(&self) -> bool {
        self.lag.clock_s() > CLOCK_S
    }

    /// What a restart must not take from what is known of the clock: whether it is slow, and by how many minutes it is fast.
    pub fn clock_error(&self) -> (bool, u16) {
        (self.clock_is_off(), self.lag.ahead_s() / 60)
    }

    /// Whether the last report was received soon after its event.
    pub fn is_in_time(&self) -> bool {
        self.lag.late == 0
    }

    /// Whether it cannot be told yet if the unit's clock is wrong.
    pub fn clock_is_in_doubt(&self) -> bool {
        self.lag.is_in_doubt()
    }

    /// Which of two units has the wrong clock, when the second is where the first was `shift_ms` later and the times of receipt
    /// bear that out: the one that is received before it could be, else the one that is received later.
    pub fn odd_one(two: [&Self; 2], shift_ms: i64) -> Option<[bool; 2]> {
        if two.iter().any(|intake| intake.lag.reports == 0) {
            return None;
        }
        let [a, b] = two.map(|intake| intake.lag.min_ms);
        let is_borne_out = (b - a).signum() == shift_ms.signum() && (b - a).abs() >= shift_ms.abs() / 2;
        let [early_a, early_b] = [a, b].map(|lag| lag < -EARLY_MS);
        let is_first = if early_a == early_b { a.abs() > b.abs() } else { early_a };
        (is_borne_out || early_a != early_b).then_some([is_first, !is_first])
    }

    fn is_duplicate(&mut self, fix: &Fix, is_retimed: bool, history: &History) -> bool {
        let is_known = |f: &Fix| f.at() == fix.at() && f.same_coordinates(fix);
        if history.get(fix.at()).is_some_and(is_known) || self.held.iter().any(is_known) {
            return true;
        }
        if !is_retimed && self.retimed.is_none() {
            return false;
        }
        let p = fix.position();
        let fingerprint = [fix.at().0 as u64, p.lat.to_bits(), p.lon.to_bits()]
            .into_iter()
            .fold(0xcbf2_9ce4_8422_2325_u64, |h, part| (h ^ part).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29))
            as u32;
        let known = self.retimed.as_ref().is_some_and(|seen| seen.contains(&fingerprint));
        if is_retimed && !known {
            self.retimed.get_or_insert_default().write(fingerprint);
        }
        known
    }

    /// A third fix that agrees with two held ones shows that the history was wrong: all three enter it.
    fn hold(&mut self, fix: Fix, history: &mut History) -> Result<Admitted, Refusal> {
        let agree = self.held.len() == 2 && self.held.iter().all(|h| !too_fast(h, &fix));
        if !agree {
            self.held.write(fix);
            return Err(Refusal::Held);
        }
        let mut three: Vec<Fix, 3> = self.held.iter().copied().chain([fix]).collect();
        three.sort_unstable_by_key(|f| f.at());
        self.held.clear();
        let mut admitted = Admitted::default();
        for fix in three {
            if history.insert(fix) {
                let _ = admitted.times.push(fix.at());
            }
        }
        Ok(admitted)
    }
}

fn plausible(report: &Report, position: Position) -> Result<(), Refusal> {
    const NULL_ISLAND: Position = Position { lat: 0.0, lon: 0.0 };
    if !position.is_valid() {
        Err(Refusal::OutOfRange)
    } else if report.valid == Some(false) {
        Err(Refusal::MarkedInvalid)
    } else if position.lat.abs() < 0.1 && position.lon.abs() < 0.1 && position.distance(NULL_ISLAND).0 <= NULL_ISLAND_M {
        Err(Refusal::NullIsland)
    } else if report.accuracy.is_some_and(|a| a.0.is_nan() || a.0 > MAX_ACCURACY_M) {
        Err(Refusal::Inaccurate)
    } else {
        Ok(())
    }
}

/// Receivers state the 68 % radius, which is 1.5 standard deviations of one axis; a dilution of precision of 1 is worth 4 m.
fn sigma(report: &Report) -> f64 {
    let accuracy = report.accuracy.map(|a| a.0 / 1.5);
    let dilution = report.hdop.map(|h| 4.0 * f64::from(h)).filter(|s| s.is_finite() && *s > 0.0);
    accuracy.or(dilution).unwrap_or(SIGMA_M).clamp(BEST_SIGMA_M, WORST_SIGMA_M)
}

/// Whether no rig gets from one to the other, even if both positions err towards each other.
fn too_fast(a: &Fix, b: &Fix) -> bool {
    let reach = V_MAX * b.at().secs_since(a.at()).abs();
    a.distance_at_most(b) > reach && a.distance(b) - K * a.sigma().hypot(b.sigma()) > reach
}

/// The run of reports whose lags between event and receipt stay within [`SPREAD_MS`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lag {
    since: UnixMillis,
    until: UnixMillis,
    min_ms: i64,
    max_ms: i64,
    reports: u16,
    /// The lag that was found to be steady. Later reports may take longer, but none is faster than the clock is wrong.
    known_s: Option<u16>,
    /// Reports in a row that were received more than [`MIN_LAG_MS`] after their event,
    #[serde(default)]
    late: u8,
    /// and that were left out of the run of a fast clock.
    #[serde(default)]
    slower: u8,
    /// So many of the next reports may be repetitions from before a restart.
    #[serde(skip)]
    again: u8,
}

impl Lag {
    /// What was known before a restart: what comes again after it took longer than the clock is wrong, and says nothing.
    pub fn restored(self) -> Self {
        Self { again: AGAIN, ..self }
    }

    fn note(&mut self, at: UnixMillis, lag_ms: i64) {
        let (min, max) = (self.min_ms.min(lag_ms), self.max_ms.max(lag_ms));
        let may_be_again = self.again > 0;
        self.again = self.again.saturating_sub(1);
        if may_be_again && self.reports > 0 && min == self.min_ms && max - min > SPREAD_MS {
            return;
        }
        self.late = if lag_ms > MIN_LAG_MS { self.late.saturating_add(1) } else { 0 };
        if self.reports > 0 && max - min <= SPREAD_MS {
            self.since = self.since.min(at);
            self.until = self.until.max(at);
            (self.min_ms, self.max_ms) = (min, max);
            self.reports = self.reports.saturating_add(1);
            self.slower = 0;
        } else if self.reports > 0 && self.min_ms < -MAX_AHEAD_MS && min == self.min_ms && self.slower < AGAIN {
            self.slower += 1;
        } else {
            let Self { late, known_s, again, .. } = *self;
            *self = Self { since: at, until: at, min_ms: lag_ms, max_ms: lag_ms, reports: 1, known_s, late, slower: 0, again };
        }
        self.known_s = if self.is_steady() {
            Some(self.min_ms).filter(|min| *min > MIN_LAG_MS).map(seconds)
        } else {
            let is_possible = |known: &u16| lag_ms > MIN_LAG_MS && lag_ms >= i64::from(*known) * 1000 - SPREAD_MS;
            self.known_s.filter(is_possible).map(|known| known.min(seconds(lag_ms)))
        };
    }

    fn is_steady(&self) -> bool {
        let span = self.until.millis_since(self.since);
        self.reports >= STEADY_REPORTS && span >= STEADY_SPAN_MS.max(STEADY_PART * (self.max_ms - self.min_ms))
    }

    /// All it sent of late took so long that its clock is wrong or a buffer drains, and it is too early to tell which.
    fn is_in_doubt(&self) -> bool {
        let late = u16::from(self.late);
        let is_too_early = late < u16::from(AGAIN) + STEADY_REPORTS || self.reports >= late;
        self.known_s.is_none() && late > 0 && self.min_ms > MIN_LAG_MS && is_too_early
    }

    /// In seconds; a lag of more than 18 hours counts as 18 hours, in which a rig is anywhere.
    fn clock_s(&self) -> u16 {
        self.known_s.unwrap_or(CLOCK_S)
    }

    /// By how much the clock runs ahead so that reports are re-timed, in seconds. One of them that comes again looks right.
    fn ahead_s(&self) -> u16 {
        if self.min_ms < -MAX_AHEAD_MS { seconds(-self.min_ms) } else { 0 }
    }

    /// How much longer than the fastest report of the run one took, in seconds.
    fn beyond_fastest_s(&self, lag_ms: i64) -> u16 {
        if self.reports == 0 { 0 } else { seconds((lag_ms - self.min_ms).max(0)) }
    }
}

fn seconds(ms: i64) -> u16 {
    u16::try_from(ms / 1000).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::id::UnitId;

    /// Feeds one report per `every` seconds of event time, with the lag each is given, and returns the clock bound that results.
    fn bound(every: i64, lags: impl IntoIterator<Item = i64>) -> u16 {
        let (mut intake, mut history, mut bound) = (Intake::default(), History::default(), 0);
        for (nth, lag) in lags.into_iter().enumerate() {
            let at = UnixMillis(1_763_569_135_000 + nth as i64 * every * 1000);
            let place = Position { lat: 50.0 + nth as f64 * 1e-4, lon: 8.0 };
            let report = Report::fix(UnitId::new("R-1").unwrap(), at, place);
            let now = Receive { at: UnixMillis(at.0 + lag * 1000), trusted: true };
            intake.admit(&report, place, &mut history, now).unwrap();
            bound = intake.time(at, now).unwrap().1;
        }
        bound
    }

    #[test]
    fn a_steady_lag_is_a_wrong_clock_and_a_draining_buffer_is_not() {
        assert_eq!(bound(30, [600; 9]), CLOCK_S);
        assert_eq!(bound(30, [600; 10]), 600);
        assert_eq!(bound(30, [610, 600, 605, 615, 600, 604, 608, 603, 601, 600]), 600);
        assert_eq!(bound(30, [100; 20]), CLOCK_S, "a slow link");
        assert_eq!(bound(30, (0..20).map(|n| 3_000 - n * 30)), CLOCK_S, "a buffer, all at once");
        assert_eq!(bound(1, (0..40).map(|n| 300 - n)), CLOCK_S, "a buffer of a 1 Hz tracker");
        assert_eq!(bound(30, [-600]), RETIMED_CLOCK_S);
    }

    #[test]
    fn deliveries_that_differ_by_a_minute_do_not_hide_a_wrong_clock() {
        assert_eq!(bound(30, [640, 601, 655, 630, 600, 612, 659, 648, 603, 620]), 600);
        assert_eq!(bound(30, [640; 10].into_iter().chain([601, 655])), 601, "the fastest tells most");
        assert_eq!(bound(30, [600; 10].into_iter().chain([3])), CLOCK_S, "set right");
        assert_eq!(bound(30, [-600, -400]), RETIMED_CLOCK_S + 200, "a fast clock, delivered late");
        assert_eq!(bound(30, [-600, -20]), 600, "and so late that it looks right");
    }

    #[test]
    fn what_comes_again_after_restarts_does_not_hide_a_wrong_clock() {
        let mut lag = Lag::default();
        let note = |lag: &mut Lag, nth: i64, seconds| lag.note(UnixMillis(1_763_569_135_000 + nth * 30_000), seconds * 1000);
        for restart in 0..3 {
            for nth in 0..3 {
                note(&mut lag, restart * 3 + nth, 600);
            }
            lag = lag.restored();
            for nth in 0..8 {
                note(&mut lag, restart * 3 + nth, 3_000 - nth * 200);
            }
            assert!(lag.is_in_doubt());
        }
        note(&mut lag, 9, 600);
        assert_eq!(lag.clock_s(), 600);
    }

    #[test]
    fn late_reports_leave_a_clock_in_doubt_until_one_is_in_time_or_they_are_too_many() {
        let after = |lags: &[i64]| {
            let mut lag = Lag::default();
            for (nth, seconds) in lags.iter().enumerate() {
                lag.note(UnixMillis(1_763_569_135_000 + nth as i64 * 30_000), seconds * 1000);
            }
            lag.is_in_doubt()
        };
        assert!(!after(&[3, 60, 119]));
        assert!(after(&[3, 600]));
        assert!(!after(&[600, 605, 3]));
        assert!(!after(&[600; 10]), "known to be wrong");
        let irregular: Vec<i64, 30> = (0..30).map(|n| 200 + n % 3 * 200).collect();
        assert!(after(&irregular[..29]));
        assert!(!after(&irregular));
    }

    #[test]
    fn the_position_error_follows_what_the_receiver_says() {
        let place = Position { lat: 50.0, lon: 8.0 };
        let with = |accuracy: Option<f64>, hdop| {
            let fix = Report::fix(UnitId::new("R-1").unwrap(), UnixMillis(0), place);
            sigma(&Report { accuracy: accuracy.map(crate::core::geo::Metres), hdop, ..fix })
        };
        assert_eq!(with(None, None), 8.0);
        assert_eq!(with(None, Some(9.0)), 36.0);
        assert_eq!(with(None, Some(0.9)), 5.0);
        assert_eq!(with(Some(30.0), Some(9.0)), 20.0);
        assert_eq!(with(None, Some(f32::NAN)), 8.0);
    }
}
