//! Receivers and trackers: what a unit says of its motion, when it says it, and when that is heard.

use core::ops::Range;
use core::time::Duration;

use super::rng::Rng;
use super::road::{Motion, offset, towards};
use crate::core::geo::{Metres, Position};
use crate::core::id::UnitId;
use crate::core::telemetry::Report;
use crate::core::time::UnixMillis;

/// For how long after a stop trackers go on reporting as if moving, in seconds.
const STAYS_AWAKE: f64 = 180.0;
/// Correlation time of the position error of a receiver, in seconds.
const CORRELATION: f64 = 40.0;

/// What a receiver tells of the quality of its fixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// Accuracy in metres.
    Accuracy,
    /// Dilution of precision.
    Hdop,
    /// Nothing.
    Nothing,
}

/// One unit's tracker. Times in seconds.
#[derive(Clone, Debug)]
pub struct Tracker {
    /// Who reports.
    pub unit: UnitId,
    /// Report interval while moving.
    pub moving: f64,
    /// Report interval while parked.
    pub parked: f64,
    /// Whether a movement wakes it; if not, it notices at the next heartbeat.
    pub wakes: bool,
    /// Standard deviation of the position error, per axis, in metres.
    pub sigma: f64,
    /// See [`Says`].
    pub says: Says,
    /// Whether it reports speed and heading.
    pub speeds: bool,
    /// Whether it reports that it moves.
    pub flags: bool,
    /// Whether it repeats one position as long as it is parked.
    pub holds: bool,
    /// Whether fixes fall on whole seconds.
    pub whole: bool,
    /// Mean time from fix to receipt.
    pub latency: f64,
}

impl Tracker {
    /// A tracker with these intervals; how it reports otherwise is up to chance.
    #[must_use]
    pub fn new(unit: UnitId, moving: f64, parked: f64, rng: &mut Rng) -> Self {
        Self {
            unit,
            moving: moving * rng.range(0.9, 1.1),
            parked: parked * rng.range(0.95, 1.05),
            wakes: true,
            sigma: rng.range(1.0, 4.0),
            says: rng.pick([Says::Accuracy, Says::Hdop, Says::Nothing]),
            speeds: rng.chance(0.8),
            flags: rng.chance(0.6),
            holds: rng.chance(0.5),
            whole: rng.chance(0.5),
            latency: if rng.chance(0.2) { rng.range(5.0, 20.0) } else { rng.range(0.2, 2.0) },
        }
    }

    /// All that it reports of `motion` within `during`, seconds after `start`.
    #[must_use]
    pub fn record(&self, motion: &Motion, start: UnixMillis, during: Range<f64>, rng: &mut Rng) -> Feed {
        let mut rng = rng.fork();
        let movements: Vec<_> = motion.movements().collect();
        let mut heard = Vec::new();
        let (mut error, mut last, mut held) = ((0.0, 0.0), f64::NEG_INFINITY, None);
        let mut t = during.start + rng.range(0.0, 1.0) * self.moving.min(60.0);
        while t < during.end {
            let fixed = if self.whole { t.round() } else { t };
            let awake = movements.iter().any(|m| m.0 <= t && t < m.1 + STAYS_AWAKE);
            let truth = motion.at(fixed);
            let rolls = truth.speed > 0.3;
            let keep = (-(fixed - last) / CORRELATION).exp();
            let fresh = self.sigma * (1.0 - keep * keep).sqrt();
            error = (error.0 * keep + fresh * rng.normal(), error.1 * keep + fresh * rng.normal());
            last = fixed;
            let position = offset(truth.position, error.0, error.1);
            held = held.filter(|(place, _): &(Position, Position)| self.holds && place.distance(truth.position).0 < 1.0);
            let position = held.get_or_insert((truth.position, position)).1;
            let speed = if rolls { (truth.speed + 0.2 * rng.normal()).max(0.0) } else { 0.0 };
            let quality = rng.range(0.8, 1.3);
            let report = Report {
                speed_mps: self.speeds.then_some(speed as f32),
                heading_deg: (self.speeds && rolls).then_some(truth.heading.to_degrees().rem_euclid(360.0) as f32),
                hdop: (self.says == Says::Hdop).then_some((self.sigma / 4.0 * quality).max(0.6) as f32),
                accuracy: (self.says == Says::Accuracy).then_some(Metres((self.sigma * 1.5 * quality).max(2.0).round())),
                valid: (self.says == Says::Hdop).then_some(true),
                moving: self.flags.then_some(rolls),
                ..Report::fix(self.unit.clone(), after(start, fixed), position)
            };
            heard.push(Heard { at: fixed, got: fixed + 0.1 + rng.exponential(self.latency), report });
            let ticks = t + rng.range(0.98, 1.02) * if awake { self.moving } else { self.parked };
            let woken = movements.iter().map(|m| m.0).find(|begun| self.wakes && *begun > t && !awake);
            t = woken.map_or(ticks, |begun| ticks.min(begun + rng.range(2.0, 30.0)));
        }
        Feed { start, heard, rng }
    }
}

/// One report on its way.
#[derive(Clone, Debug)]
pub struct Heard {
    /// When the fix was truly taken, in seconds.
    pub at: f64,
    /// When it is received, in seconds.
    pub got: f64,
    /// What is received.
    pub report: Report,
}

/// In which order a store-and-forward burst delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As recorded.
    OldestFirst,
    /// The other way round.
    NewestFirst,
    /// Without any.
    Shuffled,
}

/// All that one tracker reports, with the faults that befall it. Windows are in seconds of true time.
#[derive(Clone, Debug)]
pub struct Feed {
    start: UnixMillis,
    heard: Vec<Heard>,
    rng: Rng,
}

impl Feed {
    /// The reports in the order in which they were made.
    pub fn into_heard(self) -> impl Iterator<Item = Heard> {
        self.heard.into_iter()
    }

    /// No uplink: what is recorded meanwhile comes in one burst at the end.
    pub fn outage(&mut self, window: Range<f64>, order: Order) {
        let end = window.end;
        let mut kept: Vec<&mut Heard> = self.heard.iter_mut().filter(|h| window.contains(&h.at)).collect();
        match order {
            Order::OldestFirst => {}
            Order::NewestFirst => kept.reverse(),
            Order::Shuffled => {
                let mut rng = self.rng.fork();
                kept.sort_by_cached_key(|_| (rng.unit() * 1e9) as u64);
            }
        }
        for (i, heard) in kept.into_iter().enumerate() {
            heard.got = end + 2.0 + i as f64 * 0.05;
        }
    }

    /// No fix, or no power: nothing is recorded meanwhile.
    pub fn lose(&mut self, window: Range<f64>) {
        self.heard.retain(|h| !window.contains(&h.at));
    }

    /// A clock that is wrong by so many seconds.
    pub fn clock(&mut self, window: Range<f64>, seconds: f64) {
        self.edit(window, |report, _| report.at = UnixMillis(report.at.0 + (seconds * 1000.0) as i64));
    }

    /// A clock that goes wrong little by little, by so many seconds in the middle of the window, and right again.
    pub fn drift(&mut self, window: Range<f64>, seconds: f64) {
        let half = (window.end - window.start) / 2.0;
        for heard in self.heard.iter_mut().filter(|h| window.contains(&h.at)) {
            let share = 1.0 - ((heard.at - window.start) / half - 1.0).abs();
            heard.report.at = after(heard.report.at, (seconds * share).round());
        }
    }

    /// Fresh times on the last position before the window.
    pub fn freeze(&mut self, window: Range<f64>) {
        let mut stale = None;
        for heard in &mut self.heard {
            if window.contains(&heard.at) {
                heard.report.position = stale.or(heard.report.position);
            } else {
                stale = heard.report.position;
            }
        }
    }

    /// All fixes off by so many metres in one direction.
    pub fn shift(&mut self, window: Range<f64>, metres: f64) {
        let course = self.rng.range(0.0, core::f64::consts::TAU);
        self.edit(window, |report, _| report.position = report.position.map(|p| towards(p, course, metres)));
    }

    /// Fixes off by normal errors of so many metres (root mean square distance).
    pub fn noise(&mut self, window: Range<f64>, metres: f64) {
        let axis = metres / core::f64::consts::SQRT_2;
        self.edit(window, |report, rng| {
            report.position = report.position.map(|p| offset(p, axis * rng.normal(), axis * rng.normal()));
        });
    }

    /// At most one report in so many seconds.
    pub fn thin(&mut self, window: Range<f64>, every: f64) {
        let mut last = f64::NEG_INFINITY;
        self.heard.retain(|h| {
            let keep = !window.contains(&h.at) || h.at - last >= every;
            if keep {
                last = h.at;
            }
            keep
        });
    }

    /// Now and then one fix off by so many metres in any direction.
    pub fn spikes(&mut self, chance: f64, metres: f64) {
        self.edit(f64::MIN..f64::MAX, |report, rng| {
            if rng.chance(chance) {
                let course = rng.range(0.0, core::f64::consts::TAU);
                report.position = report.position.map(|p| towards(p, course, metres));
            }
        });
    }

    /// Some reports come again, `copies` times at most, up to `delay` seconds later.
    pub fn duplicate(&mut self, chance: f64, copies: u32, delay: f64) {
        let mut again = Vec::new();
        for heard in &self.heard {
            let mut left = copies;
            while left > 0 && self.rng.chance(chance) {
                left -= 1;
                again.push(Heard { got: heard.got + self.rng.range(0.0, delay), ..heard.clone() });
            }
        }
        self.heard.append(&mut again);
    }

    /// Changes reports one by one.
    pub fn edit(&mut self, window: Range<f64>, mut change: impl FnMut(&mut Report, &mut Rng)) {
        for heard in self.heard.iter_mut().filter(|h| window.contains(&h.at)) {
            change(&mut heard.report, &mut self.rng);
        }
    }

    /// One more report, made and received at `at`, built from the last one before it.
    pub fn insert(&mut self, at: f64, change: impl FnOnce(&mut Report)) {
        let i = self.heard.partition_point(|h| h.at <= at);
        let Some(before) = i.checked_sub(1).and_then(|i| self.heard.get(i)) else { return };
        let mut heard = Heard { at, got: at + 0.5, report: before.report.clone() };
        heard.report.at = after(self.start, at);
        change(&mut heard.report);
        self.heard.insert(i, heard);
    }

    /// The last reported position at or before `at`.
    #[must_use]
    pub fn last_position(&self, at: f64) -> Option<Position> {
        self.heard.iter().rev().find(|h| h.at <= at).and_then(|h| h.report.position)
    }
}

/// So many seconds later (or earlier).
#[must_use]
pub fn after(start: UnixMillis, seconds: f64) -> UnixMillis {
    let span = Duration::from_millis((seconds.abs() * 1000.0).round() as u64);
    if seconds < 0.0 { start - span } else { start + span }
}
