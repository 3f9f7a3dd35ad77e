//! Roads anywhere on earth, and driving along them.

use std::rc::Rc;

use super::rng::Rng;
use crate::core::geo::Position;

/// Distance between two points of a road, in metres.
const STEP: f64 = 5.0;
/// Points of the road behind a unit that a new stretch takes over, so that a trailer follows round the corner.
const TAIL: usize = 26;
/// Metres in one degree of latitude on the sphere that [`Position::distance`] measures on.
const METRES_PER_DEGREE: f64 = 6_371_008.8 * core::f64::consts::PI / 180.0;

/// The place so many metres north and east of another, for distances small against the earth.
#[must_use]
pub fn offset(from: Position, north: f64, east: f64) -> Position {
    let lat = from.lat + north / METRES_PER_DEGREE;
    let lon = from.lon + east / (METRES_PER_DEGREE * from.lat.to_radians().cos());
    Position { lat, lon: (lon + 540.0).rem_euclid(360.0) - 180.0 }
}

/// The same by distance and bearing (radians from north).
#[must_use]
pub fn towards(from: Position, bearing: f64, metres: f64) -> Position {
    offset(from, metres * bearing.cos(), metres * bearing.sin())
}

/// Bearing in radians from one place to a near one.
#[must_use]
pub fn bearing(from: Position, to: Position) -> f64 {
    (lon_difference(from, to) * from.lat.to_radians().cos()).atan2(to.lat - from.lat)
}

fn lon_difference(from: Position, to: Position) -> f64 {
    (to.lon - from.lon + 540.0).rem_euclid(360.0) - 180.0
}

/// What a stretch of road is like: its curves, its speeds, and where one has to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 80 to 105 km/h, wide curves.
    Motorway,
    /// 50 to 80 km/h, many curves.
    Country,
    /// Blocks, right-angled turns, traffic lights.
    City,
    /// Walking pace and the tightest turns that a rig can make.
    Yard,
    /// Once three quarters round, then straight on.
    Ramp,
    /// Straight across, slowly.
    Straight,
    /// The course of a ferry.
    Sea,
}

/// Where one has been and which way one looks: a road is continued from it.
#[derive(Clone, Debug)]
pub struct Trace {
    points: Vec<Position>,
    bearing: f64,
}

impl Trace {
    /// Stands at a place and looks that way, with straight road behind.
    #[must_use]
    pub fn new(at: Position, bearing: f64) -> Self {
        Self { points: (0..TAIL).rev().map(|i| towards(at, bearing, -(i as f64) * STEP)).collect(), bearing }
    }

    /// The place so many metres behind (at most 125 on a new trace).
    #[must_use]
    pub fn behind(&self, metres: f64) -> Position {
        along(&self.points, (self.points.len().saturating_sub(1)) as f64 * STEP - metres).0
    }

    /// How far the trace reaches; hand it to [`Trace::back`] to return here.
    #[must_use]
    pub fn mark(&self) -> (usize, f64) {
        (self.points.len(), self.bearing)
    }

    /// Builds the next stretch. The returned road begins with the tail behind.
    pub fn extend(&mut self, kind: Kind, metres: f64, rng: &mut Rng) -> Road {
        let known = self.points.len();
        let wanted = known + (metres / STEP).round() as usize;
        let course = self.bearing;
        let (mut limits, mut stops) = (Vec::new(), Vec::new());
        let cruise = match kind {
            Kind::Motorway => rng.range(22.0, 29.0),
            Kind::Country => rng.range(14.0, 22.0),
            Kind::City => rng.range(8.0, 14.0),
            Kind::Ramp => rng.range(10.0, 14.0),
            Kind::Sea => rng.range(7.0, 11.0),
            Kind::Yard | Kind::Straight => rng.range(2.0, 4.0),
        };
        while self.points.len() < wanted {
            // Turning back towards the course keeps a road from curling up.
            let drift = (self.bearing - course).sin();
            let side = if drift.abs() > 0.5 { -drift.signum() } else { rng.sign() };
            let straight = match kind {
                Kind::Motorway | Kind::Sea => rng.range(200.0, 1500.0),
                Kind::Country => rng.range(50.0, 400.0),
                Kind::City => rng.range(100.0, 350.0),
                Kind::Yard => rng.range(10.0, 40.0),
                Kind::Ramp => 150.0,
                Kind::Straight => metres,
            };
            let (radius, angle) = match kind {
                Kind::Motorway | Kind::Sea => (rng.range(800.0, 3000.0), rng.range(0.05, 0.5)),
                Kind::Country => (rng.range(100.0, 600.0), rng.range(0.1, 0.9)),
                Kind::City => (rng.range(12.0, 20.0), if rng.chance(0.4) { 1.57 } else { 0.0 }),
                Kind::Yard => (rng.range(11.0, 14.0), rng.range(1.0, 3.1)),
                Kind::Ramp => (rng.range(40.0, 60.0), 4.71),
                Kind::Straight => (1000.0, 0.0),
            };
            for (length, curvature) in [(straight, 0.0), (radius * angle, side / radius)] {
                let limit = if curvature == 0.0 { cruise } else { cruise.min((1.3 * radius).sqrt()) };
                for _ in 0..(length / STEP) as usize {
                    self.bearing += curvature * STEP;
                    let last = self.points.last().copied().unwrap_or(Position { lat: 0.0, lon: 0.0 });
                    self.points.push(towards(last, self.bearing, STEP));
                    limits.push(limit);
                }
            }
            if kind == Kind::City && rng.chance(0.5) {
                stops.push((self.points.len(), rng.range(8.0, 70.0)));
            }
        }
        self.points.truncate(wanted);
        limits.truncate(wanted - known);
        let first = known.saturating_sub(TAIL);
        let mut road = Road {
            points: self.points.iter().skip(first).copied().collect(),
            limits: vec![limits.first().copied().unwrap_or(cruise); known - first],
            stops: stops.into_iter().filter(|(i, _)| *i < wanted).map(|(i, dwell)| (i - first, dwell)).collect(),
            start: known - first - 1,
        };
        road.limits.append(&mut limits);
        road
    }

    /// The way back to a mark. Afterwards one stands there as one did.
    pub fn back(&mut self, (length, bearing): (usize, f64), rng: &mut Rng) -> Road {
        let points: Vec<_> = self.points.iter().skip(length - 1).rev().copied().collect();
        self.points.truncate(length);
        self.bearing = bearing;
        Road { limits: vec![rng.range(8.0, 16.0); points.len()], points, stops: Vec::new(), start: 0 }
    }

    /// Straight to a place, where one stands looking that way afterwards.
    pub fn cross(&mut self, to: Position, look: f64) -> Road {
        let from = self.behind(0.0);
        let (distance, course) = (from.distance(to).0, bearing(from, to));
        let mut points: Vec<_> = (0..(distance / STEP).ceil() as usize).map(|i| towards(from, course, i as f64 * STEP)).collect();
        points.push(to);
        *self = Self::new(to, look);
        Road { limits: vec![3.0; points.len()], points, stops: Vec::new(), start: 0 }
    }
}

/// A stretch of road: points every five metres, with the speed that each permits.
#[derive(Clone, Debug)]
pub struct Road {
    points: Vec<Position>,
    limits: Vec<f64>,
    /// Point and seconds.
    stops: Vec<(usize, f64)>,
    /// The point at which a drive starts; before it lies the tail.
    start: usize,
}

/// One drive over a whole road.
#[derive(Clone, Debug)]
pub struct Leg {
    road: Rc<Road>,
    /// Time, distance along the road, speed; two knots with the same distance are a stop.
    knots: Rc<[(f64, f64, f64)]>,
    /// How far behind the tractor's antenna, in metres.
    behind: f64,
}

impl Leg {
    /// Drives from the road's start to its end, leaving at `depart` (seconds).
    #[must_use]
    pub fn drive(road: Road, depart: f64, rng: &mut Rng) -> Self {
        let (accelerate, brake, pace) = (rng.range(0.3, 0.6), rng.range(0.5, 0.9), rng.range(0.9, 1.0));
        let mut speeds: Vec<f64> = road.limits.iter().skip(road.start).map(|v| v * pace).collect();
        for speed in road.stops.iter().filter_map(|(i, _)| i.checked_sub(road.start)) {
            speeds.get_mut(speed).map(|v| *v = 0.0).unwrap_or_default();
        }
        let reach = |speeds: &mut dyn Iterator<Item = &mut f64>, rate: f64| {
            speeds.fold(0.0_f64, |before, v| {
                *v = v.min((before * before + 2.0 * rate * STEP).sqrt());
                *v
            });
        };
        if let Some(first) = speeds.first_mut() {
            *first = 0.0;
        }
        if let Some(last) = speeds.last_mut() {
            *last = 0.0;
        }
        reach(&mut speeds.iter_mut(), accelerate);
        reach(&mut speeds.iter_mut().rev(), brake);
        let mut knots: Vec<(f64, f64, f64)> = Vec::with_capacity(speeds.len() + road.stops.len());
        let (mut t, mut before) = (depart, None::<f64>);
        for (i, v) in speeds.into_iter().enumerate() {
            t += before.map_or(0.0, |before| 2.0 * STEP / (before + v).max(0.5));
            before = Some(v);
            let s = (i + road.start) as f64 * STEP;
            knots.push((t, s, v));
            if let Some((_, dwell)) = road.stops.iter().find(|(stop, _)| *stop == i + road.start) {
                t += dwell;
                knots.push((t, s, v));
            }
        }
        Self { road: Rc::new(road), knots: knots.into(), behind: 0.0 }
    }

    /// The same drive seen from an antenna farther back.
    #[must_use]
    pub fn towed(&self, behind: f64) -> Self {
        Self { behind, ..self.clone() }
    }

    /// When it starts and ends, in seconds.
    #[must_use]
    pub fn span(&self) -> (f64, f64) {
        let at = |knot: Option<&(f64, f64, f64)>| knot.map_or(0.0, |k| k.0);
        (at(self.knots.first()), at(self.knots.last()))
    }

    /// From when to when the wheels turn.
    pub fn movements(&self) -> impl Iterator<Item = (f64, f64)> {
        let pauses = self.knots.windows(2).filter_map(|pair| match pair {
            [a, b] if a.1 == b.1 => Some((a.0, b.0)),
            _ => None,
        });
        let (start, end) = self.span();
        let starts = core::iter::once(start).chain(pauses.clone().map(|p| p.1));
        starts.zip(pauses.map(|p| p.0).chain(core::iter::once(end)))
    }

    fn at(&self, t: f64) -> Instant {
        let i = self.knots.partition_point(|k| k.0 <= t);
        let before = i.checked_sub(1).and_then(|i| self.knots.get(i));
        let (s, speed) = match (before, self.knots.get(i)) {
            (Some(a), Some(b)) => {
                let (tau, rate) = (t - a.0, (b.2 - a.2) / (b.0 - a.0));
                ((a.1 + a.2 * tau + rate * tau * tau / 2.0).clamp(a.1, b.1), a.2 + rate * tau)
            }
            (Some(end), None) => (end.1, 0.0),
            (None, start) => (start.map_or(0.0, |s| s.1), 0.0),
        };
        let (position, heading) = along(&self.road.points, s - self.behind);
        Instant { position, speed, heading }
    }
}

/// What is true of a unit at one instant.
#[derive(Clone, Copy, Debug)]
pub struct Instant {
    /// Where its antenna is.
    pub position: Position,
    /// In m/s.
    pub speed: f64,
    /// In radians from north.
    pub heading: f64,
}

/// All that one unit does: it stands, and between standing it drives.
#[derive(Clone, Debug)]
pub struct Motion {
    home: Position,
    legs: Vec<Leg>,
}

impl Motion {
    /// Stands at a place for ever.
    #[must_use]
    pub const fn parked(home: Position) -> Self {
        Self { home, legs: Vec::new() }
    }

    /// Then drives. Legs come in order of time.
    pub fn then(&mut self, leg: Leg) {
        self.legs.push(leg);
    }

    /// What is true at `t` seconds.
    #[must_use]
    pub fn at(&self, t: f64) -> Instant {
        let begun = self.legs.partition_point(|leg| leg.span().0 <= t);
        match begun.checked_sub(1).and_then(|i| self.legs.get(i)) {
            Some(leg) => leg.at(t),
            None => Instant { position: self.home, speed: 0.0, heading: 0.0 },
        }
    }

    /// From when to when the wheels turn.
    pub fn movements(&self) -> impl Iterator<Item = (f64, f64)> {
        self.legs.iter().flat_map(Leg::movements)
    }
}

/// Place and heading so many metres along points that lie [`STEP`] apart.
fn along(points: &[Position], s: f64) -> (Position, f64) {
    let last = points.len().saturating_sub(2);
    let i = ((s / STEP).max(0.0) as usize).min(last);
    match (points.get(i), points.get(i + 1)) {
        (Some(&a), Some(&b)) => {
            let course = bearing(a, b);
            (towards(a, course, (s - i as f64 * STEP).clamp(0.0, a.distance(b).0)), course)
        }
        (a, _) => (a.copied().unwrap_or(Position { lat: 0.0, lon: 0.0 }), 0.0),
    }
}
