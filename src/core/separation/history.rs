//! One unit's recent fixes in event time, and where it was between them.

use heapless::Vec;

use crate::core::geo::Position;
use crate::core::time::UnixMillis;

/// Fixes kept of one unit. Thinned as below, 72 hold a quarter of an hour of a 1 Hz tracker and days of a sparse one.
const CAPACITY: usize = 72;
/// The newest fixes are never thinned.
const UNTOUCHED: usize = 24;
/// Most reports are among so many newest ones: three cache lines.
const RECENT: usize = 8;
/// Thinning opens gaps of at most this in a track: interpolation across 20 s is off by at most 60 m ([`A_MAX`]).
const THINNED_GAP_MS: i64 = 20_000;
/// When thinning frees fewer fixes than this, the oldest ones go.
const MIN_FREED: usize = 4;

/// From this speed on a unit claims to move.
const MOTION_MPS: f64 = 1.5;
/// Strongest sustained change of velocity of a rig in m/s². With it the bound at 30 s gaps is 135 m (121 m measured at
/// most), at 60 s 540 m (284 m), at 10 s 15 m (17 to 25 m, the rest covered by the position error).
const A_MAX: f64 = 1.2;
/// Faster than any rig: 162 km/h (real drives reach 38 m/s).
pub(super) const V_MAX: f64 = 45.0;
/// Two fixes are of the same place within this, plus 1.5 times their combined position error: parked receivers wander
/// 18 m at the 95th percentile under a bad sky, measured.
const SAME_PLACE_M: f64 = 40.0;
/// A fix this near in time stands in where there is none on both sides.
pub(super) const NEAR_MS: i64 = 5_000;
/// A parked tractor that sleeps is taken to be still there for two hours.
pub(super) const HOLD_MS: i64 = 2 * 3_600_000;
/// Longer than a traffic light: only a tractor that stood this long counts as parked.
pub(super) const PARKED_MS: i64 = 120_000;
/// After such a silence a receiver starts cold: for a minute its fixes may be 180 m off.
const SILENCE_MS: i64 = 600_000;
const COLD_MS: i64 = 60_000;
const COLD_FACTOR: f64 = 3.0;
/// A speed is taken over at least this long where the unit tells none: shorter, and the receiver's noise is a speed, or
/// slow traffic reported every ten seconds stands.
const SPEED_BASE_MS: i64 = 25_000;

/// One accepted fix, 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fix {
    /// In 1e-7 degrees: 1 cm.
    lat: i32,
    lon: i32,
    /// From the highest bit: event time in ms of Unix time (until the year 2109), and the codes of what may be coarser: position
    /// error, speed and clock.
    rest: u64,
}

const SIGMA_BITS: u32 = 7;
const SPEED_BITS: u32 = 9;
const CLOCK_BITS: u32 = 6;
const CODE_BITS: u32 = SIGMA_BITS + SPEED_BITS + CLOCK_BITS;
const MAX_MS: i64 = (1 << (u64::BITS - CODE_BITS)) - 1;

/// The speed of a unit that tells none,
const NO_SPEED: u64 = (1 << SPEED_BITS) - 1;
/// and of one that only says that it moves. Others are in dm/s, rounded down.
const MOVES: u64 = NO_SPEED - 1;
const MAX_SPEED: u64 = MOVES - 1;

/// The numbers that make a fix: event time in ms, place, and the three codes.
pub(super) type Fields = [i64; 6];

impl Fix {
    /// `sigma` in metres, `speed` in m/s, `clock` in seconds. Motion is a speed of at least [`MOTION_MPS`].
    pub(super) fn new(at: UnixMillis, p: Position, sigma: f64, speed: Option<f64>, moving: Option<bool>, clock: u16) -> Self {
        let moves = moving == Some(true);
        // A little more, for what was a whole number of dm/s before it became binary.
        let in_dm = |v: f64| ((if moves { v.max(MOTION_MPS) } else { v }) * 10.0 + 0.001).min(MAX_SPEED as f64) as u64;
        let unknown = if moves { MOVES } else { NO_SPEED };
        let speed = speed.filter(|v| v.is_finite() && *v >= 0.0).map_or(unknown, in_dm);
        let (lat, lon) = ((p.lat * 1e7).round() as i32, (p.lon * 1e7).round() as i32);
        let rest = sigma_code(sigma) << (SPEED_BITS + CLOCK_BITS) | speed << CLOCK_BITS;
        Self { lat, lon, rest }.with_time(at, clock)
    }

    /// The same fix at another time. Times that cannot be stored become the nearest that can.
    pub(super) fn with_time(self, at: UnixMillis, clock: u16) -> Self {
        let kept = self.rest & ((1 << CODE_BITS) - (1 << CLOCK_BITS));
        Self { rest: (at.0.clamp(0, MAX_MS) as u64) << CODE_BITS | kept | clock_code(clock), ..self }
    }

    pub(super) fn fields(&self) -> Fields {
        let code = |shift: u32, bits: u32| (self.rest >> shift & ((1 << bits) - 1)) as i64;
        let (speed, sigma) = (code(CLOCK_BITS, SPEED_BITS), code(SPEED_BITS + CLOCK_BITS, SIGMA_BITS));
        [self.at().0, self.lat.into(), self.lon.into(), sigma, speed, code(0, CLOCK_BITS)]
    }

    /// The fix of these numbers, if there can be one.
    pub(super) fn from_fields([at, lat, lon, sigma, speed, clock]: Fields) -> Option<Self> {
        let code = |n: i64, bits: u32| u64::try_from(n).ok().filter(|n| *n < 1 << bits);
        let (at, sigma) = (code(at, u64::BITS - CODE_BITS)?, code(sigma, SIGMA_BITS)?);
        let (speed, clock) = (code(speed, SPEED_BITS)?, code(clock, CLOCK_BITS)?);
        let rest = ((at << SIGMA_BITS | sigma) << SPEED_BITS | speed) << CLOCK_BITS | clock;
        Some(Self { lat: lat.try_into().ok()?, lon: lon.try_into().ok()?, rest })
    }

    /// A fix as the first schema had it: position error in dm, place in 1e-7 degrees, speed in cm/s or one of two marks, clock in s.
    pub(super) fn from_first((seconds, millis, sigma, lat, lon, speed, clock): (u32, u16, u16, i32, i32, u16, u16)) -> Self {
        let (speed, moving) = match speed {
            u16::MAX => (None, None),
            0xfffe => (None, Some(true)),
            known => (Some(f64::from(known) / 100.0), None),
        };
        let at = UnixMillis(i64::from(seconds) * 1000 + i64::from(millis));
        let fix = Self::new(at, Position { lat: 0.0, lon: 0.0 }, f64::from(sigma) / 10.0, speed, moving, clock);
        Self { lat, lon, ..fix }
    }

    /// Event time; the receive time where the unit's own was in the future.
    pub(super) fn at(&self) -> UnixMillis {
        UnixMillis((self.rest >> CODE_BITS) as i64)
    }

    /// How far the unit's clock may be off, in seconds: 2, or what it was given rounded up by an eighth at most.
    pub(super) fn clock_s(&self) -> u16 {
        let code = self.rest & ((1 << CLOCK_BITS) - 1);
        if code == 0 { super::acceptance::CLOCK_S } else { ((8 + (code & 7)) << (3 + (code >> 3))) as u16 }
    }

    /// Whether the unit claims to move.
    pub(super) fn moves(&self) -> bool {
        let speed = self.speed_code();
        speed != NO_SPEED && speed >= (MOTION_MPS * 10.0) as u64
    }

    pub(super) fn position(&self) -> Position {
        Position { lat: f64::from(self.lat) * 1e-7, lon: f64::from(self.lon) * 1e-7 }
    }

    /// Position error in metres: what it was given, rounded up by a sixteenth at most.
    pub(super) fn sigma(&self) -> f64 {
        let code = self.rest >> (SPEED_BITS + CLOCK_BITS) & ((1 << SIGMA_BITS) - 1);
        ((16 + (code & 15)) << (code >> 4)) as f64 * 0.25
    }

    pub(super) fn same_coordinates(&self, other: &Self) -> bool {
        self.lat == other.lat && self.lon == other.lon
    }

    pub(super) fn distance(&self, other: &Self) -> f64 {
        self.position().distance(other.position()).0
    }

    /// Never less than the distance in metres, and needs no trigonometry.
    pub(super) fn distance_at_most(&self, other: &Self) -> f64 {
        let (dlat, dlon) = self.offset(other);
        (dlat.abs() + dlon.abs()) as f64 * 0.011_12
    }

    fn speed_code(&self) -> u64 {
        self.rest >> CLOCK_BITS & ((1 << SPEED_BITS) - 1)
    }

    fn speed(&self) -> Option<f64> {
        let speed = self.speed_code();
        (speed <= MAX_SPEED).then_some(speed as f64 * 0.1)
    }

    fn same_place(&self, other: &Self) -> bool {
        let at_most = self.distance_at_most(other);
        let bound = || SAME_PLACE_M + 1.5 * self.sigma().hypot(other.sigma());
        at_most <= SAME_PLACE_M || at_most <= bound() || self.distance(other) <= bound()
    }

    /// Both stand at one place and say nothing else.
    pub(super) fn stands_with(&self, other: &Self) -> bool {
        !self.moves() && !other.moves() && self.same_place(other)
    }

    /// To `other`, in 1e-7 degrees north and east, the short way around.
    fn offset(&self, other: &Self) -> (i64, i64) {
        const TURN: i64 = 3_600_000_000;
        let dlon = i64::from(other.lon) - i64::from(self.lon);
        let dlon = if dlon > TURN / 2 {
            dlon - TURN
        } else if dlon < -TURN / 2 {
            dlon + TURN
        } else {
            dlon
        };
        (i64::from(other.lat) - i64::from(self.lat), dlon)
    }

    /// The place a `share` of the way to `other`.
    fn towards(&self, other: &Self, share: f64) -> Position {
        let (dlat, dlon) = self.offset(other);
        let lon = (self.lon as f64 + share * dlon as f64) * 1e-7;
        let lon = if lon > 180.0 {
            lon - 360.0
        } else if lon < -180.0 {
            lon + 360.0
        } else {
            lon
        };
        Position { lat: (self.lat as f64 + share * dlat as f64) * 1e-7, lon }
    }
}

/// In quarters of a metre, 16 of them at least, rounded up to one of 16 steps in each doubling.
fn sigma_code(metres: f64) -> u64 {
    stepped(((metres * 4.0).ceil() as u64).max(16), 16).min((1 << SIGMA_BITS) - 1)
}

/// 0 for a clock that is right, else in units of 8 s, rounded up to one of 8 steps in each doubling. More than four hours
/// count as four, in which a rig is anywhere.
fn clock_code(seconds: u16) -> u64 {
    if seconds <= super::acceptance::CLOCK_S {
        return 0;
    }
    stepped(u64::from(seconds).div_ceil(8).max(9), 8).min((1 << CLOCK_BITS) - 1)
}

/// `number` as the count of steps, `steps` to each doubling, that lead to it from the number `steps`.
fn stepped(number: u64, steps: u64) -> u64 {
    let doublings = number.ilog2().saturating_sub(steps.ilog2());
    u64::from(doublings) * steps + number.div_ceil(1 << doublings) - steps
}

/// Where a unit was at some time, and how sure that is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub position: Position,
    /// Position error in metres.
    pub sigma: f64,
    /// Bound of what interpolation may add, in metres.
    pub slack: f64,
    /// In m/s.
    pub speed: f64,
    /// How far the clock behind it may be off, in seconds.
    pub clock: f64,
    /// False when nothing newer is known and the unit is only taken to be where it was parked.
    pub bracketed: bool,
}

/// Fixes of one unit, oldest first, each event time once.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    fixes: Vec<Fix, CAPACITY, u8>,
    /// When the receiver last came back from a long silence.
    cold_since: Option<UnixMillis>,
}

impl History {
    pub fn newest(&self) -> Option<&Fix> {
        self.fixes.last()
    }

    pub fn get(&self, at: UnixMillis) -> Option<&Fix> {
        self.fixes.get(self.index(at)).filter(|f| f.at() == at)
    }

    /// The fixes on either side of a time, which itself does not count.
    pub fn neighbours(&self, at: UnixMillis) -> (Option<&Fix>, Option<&Fix>) {
        let index = self.index(at);
        let after = if self.fixes.get(index).is_some_and(|f| f.at() == at) { index + 1 } else { index };
        (index.checked_sub(1).and_then(|i| self.fixes.get(i)), self.fixes.get(after))
    }

    /// Takes in a fix. False when it is older than all that a full history holds, or its time is taken.
    pub fn insert(&mut self, fix: Fix) -> bool {
        if self.fixes.is_full() {
            self.thin();
        }
        let index = self.index(fix.at());
        if self.fixes.get(index).is_some_and(|f| f.at() == fix.at()) || self.fixes.insert(index, fix).is_err() {
            return false;
        }
        self.note_silence(index, fix.at());
        true
    }

    pub fn remove(&mut self, at: UnixMillis) {
        self.fixes.retain(|f| f.at() != at);
    }

    /// Drops what lies after a time.
    pub fn truncate(&mut self, at: UnixMillis) {
        self.fixes.retain(|f| f.at() <= at);
    }

    /// Where the unit was at the time of one of its own fixes.
    pub fn place_of(&self, fix: &Fix) -> Place {
        Place {
            position: fix.position(),
            sigma: self.sigma_of(fix),
            slack: 0.0,
            speed: fix.speed().unwrap_or_else(|| self.speed_before(fix)),
            clock: f64::from(fix.clock_s()),
            bracketed: true,
        }
    }

    /// Where the unit was at a time: at a fix, between two, or within five seconds of one. `None` is unknown, never "apart".
    pub fn place_at(&self, at: UnixMillis, max_gap_ms: i64) -> Option<Place> {
        let index = self.index(at);
        let after = self.fixes.get(index);
        if let Some(exact) = after.filter(|f| f.at() == at) {
            return Some(self.place_of(exact));
        }
        let before = index.checked_sub(1).and_then(|i| self.fixes.get(i));
        before
            .zip(after)
            .and_then(|(a, b)| self.between(a, b, at, max_gap_ms))
            .or_else(|| [before, after].into_iter().flatten().find_map(|f| self.beside(f, at)))
    }

    /// Where a tractor that was parked when last heard still is; for it alone, a trailer that sleeps may have been taken.
    pub fn held_at(&self, at: UnixMillis) -> Option<Place> {
        let newest = self.newest().filter(|f| f.at() < at && at.millis_since(f.at()) <= HOLD_MS && !f.moves())?;
        self.stood_ms(newest, PARKED_MS).then(|| Place { bracketed: false, ..self.place_of(newest) })
    }

    /// The newest fix, when the unit is parked there.
    pub fn parked(&self) -> Option<&Fix> {
        self.newest().filter(|f| self.stood_ms(f, PARKED_MS))
    }

    /// Whether the unit does not stand where it was: it claims motion, or its last fixes are of different places.
    pub fn is_travelling(&self) -> bool {
        match self.fixes.as_slice() {
            [.., before, newest] => !newest.stands_with(before),
            [only] => only.moves(),
            [] => false,
        }
    }

    /// Whether it was nowhere else than within `reach` metres of a place from then on, or, if nothing is known of it since, at
    /// last.
    pub fn stays(&self, place: Position, reach: f64, from: UnixMillis) -> bool {
        let start = self.index(from).min(self.fixes.len().saturating_sub(1));
        let since = self.fixes.get(start..).unwrap_or_default();
        !since.is_empty() && since.iter().all(|fix| fix.position().distance(place).0 < reach)
    }

    /// The highest speed between two times, in m/s.
    pub fn top_speed(&self, from: UnixMillis, to: UnixMillis) -> f64 {
        let within = self.fixes.iter().filter(|f| f.at() >= from && f.at() <= to);
        within.map(|f| f.speed().unwrap_or_else(|| self.speed_before(f))).fold(0.0, f64::max)
    }

    /// When, between two times, the unit's track first comes within `reach` metres of a place, give or take half a gap between
    /// fixes. Tracks are not drawn across gaps longer than `max_gap_ms`.
    pub fn passes(&self, place: Position, reach: f64, from: UnixMillis, to: UnixMillis, max_gap_ms: i64) -> Option<UnixMillis> {
        let start = self.index(from).saturating_sub(1);
        let mut legs = self.fixes.get(start..).unwrap_or_default().windows(2);
        legs.find_map(|leg| {
            let [a, b] = leg else { return None };
            let gap = b.at().millis_since(a.at());
            if b.at() < from || a.at() > to || gap > max_gap_ms {
                return None;
            }
            let share = |t: UnixMillis| (t.millis_since(a.at()) as f64 / gap as f64).clamp(0.0, 1.0);
            let (start, end) = (a.at().max(from), b.at().min(to));
            let is_near = leg_distance(a.towards(b, share(start)), a.towards(b, share(end)), place) <= reach;
            is_near.then(|| UnixMillis(start.0.midpoint(end.0)))
        })
    }

    /// Whether the unit may have come within `reach` metres of a place between two times without its fixes showing it: where
    /// its track is not known, or has long legs.
    pub fn may_have_passed(&self, place: Position, reach: f64, from: UnixMillis, to: UnixMillis, max_gap_ms: i64) -> bool {
        let start = self.index(from);
        if start == 0 && self.fixes.first().is_none_or(|first| first.at() > from) {
            return true;
        }
        let mut legs = self.fixes.get(start.saturating_sub(1)..).unwrap_or_default().windows(2);
        legs.any(|leg| {
            let [a, b] = leg else { return false };
            let gap = b.at().secs_since(a.at());
            if a.at() > to || b.at() < from || a.stands_with(b) {
                return false;
            }
            let slack = (A_MAX * gap * gap / 8.0).min(V_MAX * gap / 2.0);
            b.at().millis_since(a.at()) > max_gap_ms || leg_distance(a.position(), b.position(), place) <= reach + slack
        })
    }

    /// The newest fixes and, before them, enough of the track to go on after a restart: at most `N`, `spacing_ms` apart, and of a
    /// stand no more than its ends, so that it is known how long the unit has stood.
    pub fn extract<const N: usize>(&self, dense: usize, spacing_ms: i64) -> Vec<Fix, N> {
        let mut kept = Vec::<Fix, N>::new();
        let mut is_whole = true;
        for (back, fix) in self.fixes.iter().rev().enumerate() {
            if kept.len() > dense
                && is_whole
                && let [.., newer, last] = kept.as_mut_slice()
                && [*newer, *last].iter().all(|f| f.stands_with(fix))
                && newer.stands_with(last)
            {
                *last = *fix;
                continue;
            }
            let wanted = back < dense || kept.last().is_none_or(|last| last.at().millis_since(fix.at()) >= spacing_ms);
            if wanted && kept.push(*fix).is_err() {
                break;
            }
            is_whole = wanted || is_whole && kept.last().is_some_and(|last| last.stands_with(fix));
        }
        kept.reverse();
        kept
    }

    /// The fixes newer than a time.
    pub fn after(&self, at: UnixMillis) -> &[Fix] {
        self.fixes.get(self.index(UnixMillis(at.0.saturating_add(1)))..).unwrap_or_default()
    }

    /// Index of the first fix not older than a time: nearly always one of the last, so they are looked at first and the rest
    /// stays out of the cache.
    fn index(&self, at: UnixMillis) -> usize {
        match self.fixes.last() {
            Some(last) if last.at() < at => return self.fixes.len(),
            Some(last) if last.at() == at => return self.fixes.len() - 1,
            _ => {}
        }
        let (old, recent) = self.fixes.split_at(self.fixes.len().saturating_sub(RECENT));
        match recent.first() {
            Some(first) if first.at() < at => old.len() + recent.partition_point(|f| f.at() < at),
            _ => old.partition_point(|f| f.at() < at),
        }
    }

    fn between(&self, a: &Fix, b: &Fix, at: UnixMillis, max_gap_ms: i64) -> Option<Place> {
        let gap_ms = b.at().millis_since(a.at());
        let stands = a.stands_with(b);
        if !stands && gap_ms > max_gap_ms {
            return None;
        }
        let (gap, tau) = (gap_ms as f64 / 1000.0, at.secs_since(a.at()));
        let slack = if stands { 0.0 } else { (A_MAX * tau * (gap - tau) / 2.0).min(V_MAX * tau.min(gap - tau)) };
        let speed = match (a.speed(), b.speed()) {
            (Some(a), Some(b)) => a.max(b),
            (Some(v), None) | (None, Some(v)) => v,
            (None, None) if gap_ms < SPEED_BASE_MS => self.speed_before(b),
            (None, None) if stands => 0.0,
            (None, None) => a.distance(b) / gap,
        };
        Some(Place {
            position: a.towards(b, tau / gap),
            sigma: self.sigma_of(a).max(self.sigma_of(b)),
            slack,
            speed,
            clock: f64::from(a.clock_s().max(b.clock_s())),
            bracketed: true,
        })
    }

    fn beside(&self, fix: &Fix, at: UnixMillis) -> Option<Place> {
        let apart = at.millis_since(fix.at()).abs();
        let tau = apart as f64 / 1000.0;
        (apart <= NEAR_MS).then(|| {
            let place = self.place_of(fix);
            Place { slack: (place.speed * tau + A_MAX * tau * tau / 2.0).min(V_MAX * tau), ..place }
        })
    }

    fn sigma_of(&self, fix: &Fix) -> f64 {
        let cold = self.cold_since.is_some_and(|since| (0..COLD_MS).contains(&fix.at().millis_since(since)));
        if cold { fix.sigma() * COLD_FACTOR } else { fix.sigma() }
    }

    /// Speed from the places alone.
    fn speed_before(&self, fix: &Fix) -> f64 {
        let base = UnixMillis(fix.at().0.saturating_sub(SPEED_BASE_MS));
        let index = self.fixes.partition_point(|f| f.at() <= base);
        let earlier = self.fixes.get(index.saturating_sub(1)).filter(|f| f.at() < fix.at());
        let moved = earlier.filter(|f| !f.same_place(fix));
        moved.map_or(0.0, |f| f.distance(fix) / fix.at().secs_since(f.at()))
    }

    /// Whether the unit had stood at least that long where it was at `fix`, its newest.
    fn stood_ms(&self, fix: &Fix, ms: i64) -> bool {
        let standing = self.fixes.iter().rev().take_while(|f| f.stands_with(fix));
        standing.into_iter().any(|f| fix.at().millis_since(f.at()) >= ms)
    }

    /// A fix after a long silence starts the receiver cold; one that fills the silence moves that start.
    fn note_silence(&mut self, index: usize, at: UnixMillis) {
        let silent =
            index.checked_sub(1).and_then(|i| self.fixes.get(i)).is_some_and(|before| at.millis_since(before.at()) > SILENCE_MS);
        match self.cold_since {
            Some(since) if at < since => {
                if since.millis_since(at) <= SILENCE_MS {
                    self.cold_since = silent.then_some(at);
                }
            }
            Some(_) | None if silent => self.cold_since = Some(at),
            Some(_) | None => {}
        }
    }

    /// Makes room: what lies between two fixes of one standing place says nothing, and a dense track is thinned as far as
    /// interpolation stays good. If that is not enough the oldest fixes go.
    fn thin(&mut self) {
        let before = self.fixes.len();
        let mut kept = Vec::<Fix, CAPACITY, u8>::new();
        let dense_from = before.saturating_sub(UNTOUCHED);
        for (i, fix) in self.fixes.iter().enumerate() {
            let redundant = i < dense_from
                && kept.last().zip(self.fixes.get(i + 1)).is_some_and(|(last, next)| {
                    next.at().millis_since(last.at()) <= THINNED_GAP_MS || (last.stands_with(fix) && last.stands_with(next))
                });
            if !redundant {
                let _ = kept.push(*fix);
            }
        }
        let freed = before - kept.len();
        let mut surplus = MIN_FREED.saturating_sub(freed);
        kept.retain(|_| {
            let drop = surplus > 0;
            surplus = surplus.saturating_sub(1);
            !drop
        });
        self.fixes = kept;
    }
}

/// From `place` to the nearest point of a leg of a few kilometres, in metres.
fn leg_distance(a: Position, b: Position, place: Position) -> f64 {
    const DEGREE_M: f64 = 111_195.08;
    let wide = place.lat.to_radians().cos();
    let flat = |p: Position| {
        let dlon = (p.lon - place.lon + 540.0).rem_euclid(360.0) - 180.0;
        (dlon * wide * DEGREE_M, (p.lat - place.lat) * DEGREE_M)
    };
    let ((ax, ay), (bx, by)) = (flat(a), flat(b));
    let (dx, dy) = (bx - ax, by - ay);
    let length = dx * dx + dy * dy;
    let along = if length > 0.0 { (-(ax * dx + ay * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
    (ax + along * dx).hypot(ay + along * dy)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEGREE_M: f64 = 111_195.08;

    fn north(metres: f64) -> Position {
        Position { lat: 50.0 + metres / DEGREE_M, lon: 179.9999 }
    }

    fn fix(second: i64, metres: f64, speed: Option<f64>) -> Fix {
        Fix::new(UnixMillis(second * 1000), north(metres), 8.0, speed, None, 2)
    }

    fn history(fixes: impl IntoIterator<Item = Fix>) -> History {
        let mut history = History::default();
        for fix in fixes {
            history.insert(fix);
        }
        history
    }

    fn at(history: &History, second: i64) -> Option<Place> {
        history.place_at(UnixMillis(second * 1000), 600_000)
    }

    #[test]
    fn a_fix_keeps_what_it_was_given() {
        let given =
            Fix::new(UnixMillis(1_763_569_135_250), Position { lat: -33.5, lon: -179.9 }, 12.5, Some(3.0), Some(false), 600);
        let stored = Fix::from_fields(given.fields()).unwrap();
        assert_eq!(stored, given);
        assert_eq!(stored.at(), UnixMillis(1_763_569_135_250));
        assert!(stored.position().distance(Position { lat: -33.5, lon: -179.9 }).0 < 0.02);
        assert!((stored.speed().unwrap() - 3.0).abs() < 1e-9);
        assert_eq!((stored.sigma(), stored.moves(), stored.clock_s()), (12.5, true, 640));
        let moves = |speed, moving| Fix::new(UnixMillis(0), north(0.0), 8.0, speed, moving, 2).moves();
        assert!(moves(None, Some(true)) && moves(Some(0.0), Some(true)) && moves(Some(1.5), None));
        assert!(!moves(None, None) && !moves(None, Some(false)) && !moves(Some(1.49), None));
        assert_eq!(size_of::<Fix>(), 16);
    }

    #[test]
    fn what_is_coarse_errs_to_the_safe_side_and_little() {
        let of = |sigma, speed, clock| Fix::new(UnixMillis(0), north(0.0), sigma, Some(speed), None, clock);
        for decimetres in 50..=5_000 {
            let (given, kept) = (f64::from(decimetres) / 10.0, of(f64::from(decimetres) / 10.0, 0.0, 2).sigma());
            assert!(kept >= given && kept <= given * 17.0 / 16.0, "{kept} m for {given} m");
        }
        assert_eq!([5.0, 8.0, 20.0, 36.0].map(|sigma| of(sigma, 0.0, 2).sigma()), [5.0, 8.0, 20.0, 36.0]);
        for given in 72..=15_360 {
            let kept = of(8.0, 0.0, given).clock_s();
            assert!(kept >= given && kept <= given + given / 8 + 8, "{kept} s for {given} s");
        }
        assert_eq!([0, 2, 61, 120, u16::MAX].map(|clock| of(8.0, 0.0, clock).clock_s()), [2, 2, 72, 120, 15_360]);
        for decimetres in 0..600_u32 {
            let given = f64::from(decimetres as f32 / 10.0);
            let kept = of(8.0, given, 2).speed().unwrap();
            assert!((kept - given.min(50.9)).abs() < 0.001, "{kept} m/s for {given} m/s");
        }
    }

    #[test]
    fn a_quarter_of_an_hour_of_a_1_hz_track_stays_good() {
        let wave = |s: i64| 20.0 * s as f64 + 30.0 * (s as f64 / 20.0).sin();
        let track = history((0..3_600).map(|s| fix(s, wave(s), Some(20.0))));
        for second in 3_600 - 900..3_599 {
            let place = at(&track, second).unwrap();
            assert!(place.slack <= 60.1, "{second}: {}", place.slack);
            assert!(place.position.distance(north(wave(second))).0 <= place.slack + 0.1, "{second}");
        }
    }

    #[test]
    fn a_gap_is_interpolated_with_its_bound_or_not_at_all() {
        let moving = history([fix(0, 0.0, Some(20.0)), fix(60, 1_200.0, Some(20.0))]);
        let middle = at(&moving, 30).unwrap();
        assert!(middle.position.distance(north(600.0)).0 < 0.1);
        assert!((middle.slack - 540.0).abs() < 0.1);
        assert!(at(&history([fix(0, 0.0, Some(20.0)), fix(700, 9_000.0, Some(20.0))]), 300).is_none());
        let parked = history([fix(0, 0.0, Some(0.0)), fix(40_000, 20.0, Some(0.0))]);
        assert_eq!(at(&parked, 20_000).unwrap().slack, 0.0);
        assert!(at(&parked, 40_004).is_some() && at(&parked, 40_006).is_none());
        assert_eq!(at(&parked, 40_006).map(|p| p.bracketed), None);
        assert_eq!(parked.held_at(UnixMillis(40_006_000)).map(|p| p.bracketed), Some(false));
        assert!(parked.held_at(UnixMillis(50_000_000)).is_none(), "after two hours nothing is held");
        assert!(moving.held_at(UnixMillis(66_000)).is_none(), "what moved is not held");
    }

    #[test]
    fn a_unit_that_tells_no_speed_moves_slowly_or_stands_however_often_it_reports() {
        for every in [1, 10, 30, 60] {
            let slow = history((0..=120).step_by(every).map(|s| fix(s, 4.0 * s as f64, None)));
            let still = history((0..=120).step_by(every).map(|s| fix(s, if s % 20 == 0 { 0.0 } else { 50.0 }, None)));
            let speeds = |second| [&slow, &still].map(|h| at(h, second).unwrap().speed);
            for second in [91, 95, 99, 120] {
                let [slow, still] = speeds(second);
                assert!((slow - 4.0).abs() < 0.1, "{slow} m/s at {second} s, every {every} s");
                assert_eq!(still, 0.0, "at {second} s, every {every} s");
            }
        }
    }

    #[test]
    fn a_receiver_that_was_silent_starts_cold_unless_the_silence_is_filled() {
        let mut track = history([fix(0, 0.0, None), fix(1_000, 0.0, None), fix(1_059, 0.0, None), fix(1_060, 0.0, None)]);
        let sigma = |h: &History, s| at(h, s).unwrap().sigma;
        assert_eq!([0, 1_000, 1_059, 1_060].map(|s| sigma(&track, s)), [8.0, 24.0, 24.0, 8.0]);
        track.insert(fix(500, 0.0, None));
        assert_eq!(sigma(&track, 1_000), 8.0);
    }

    #[test]
    fn of_a_stand_its_ends_are_kept_and_of_a_way_what_is_spaced() {
        let way = (0..=30).map(|n| fix(n * 10, n as f64 * 200.0, Some(20.0)));
        let stand = (31..=300).map(|n| fix(n * 10, 6_000.0 + (n % 7) as f64, Some(0.0)));
        let seconds = |history: &History| history.extract::<6>(2, 60_000).iter().map(|f| f.at().0 / 1000).collect::<Vec<_, 6>>();
        let mut track = history(way.clone().chain(stand));
        assert_eq!(seconds(&track).as_slice(), [140, 200, 260, 320, 2_990, 3_000]);
        track.insert(fix(2_895, 7_000.0, Some(20.0)));
        assert_eq!(seconds(&track)[3..], [2_900, 2_990, 3_000], "no stand goes through a way");
        assert_eq!(seconds(&history(way)).as_slice(), [50, 110, 170, 230, 290, 300]);
    }

    #[test]
    fn a_track_passes_a_place_only_while_it_does() {
        let track = history((0..=30).map(|n| fix(n * 10, n as f64 * 200.0, None)));
        let passes = |metres, from: i64, to: i64| {
            track.passes(north(metres), 60.0, UnixMillis(from * 1000), UnixMillis(to * 1000), 600_000).is_some()
        };
        assert!(passes(3_000.0, 100, 200));
        assert!(!passes(3_000.0, 0, 140), "it comes there at 150 s");
        assert!(!passes(3_000.0, 160, 300), "it was there at 150 s");
        assert!(!passes(-100.0, 0, 300));
    }
}
