//! The stage: where and when a case takes place, its rigs, and what the gateway comes to hear.

use core::time::Duration;

use super::rng::Rng;
use super::road::{self, Leg, Motion, Road, Trace, offset, towards};
use super::tracker::{Feed, Tracker, after};
use super::{Case, Due, Expectation, Item, Kind};
use crate::core::geo::{Metres, Position};
use crate::core::id::UnitId;
use crate::core::roster::{Assignment, TrailerTraits};
use crate::core::separation::{Settings, ViolationKind};
use crate::core::time::UnixMillis;
use crate::core::zone::{Shape, Zone};

/// Places on both sides of every meridian and parallel that matters, as degrees north and east.
const PLACES: [(f64, f64); 14] = [
    (27.53, -99.48),
    (53.55, 9.99),
    (-31.95, 115.86),
    (69.65, 18.96),
    (-16.80, 179.99),
    (-54.80, -68.30),
    (-1.29, 36.82),
    (51.48, 0.0),
    (0.02, -78.45),
    (78.22, 15.64),
    (66.30, -179.98),
    (35.68, 139.69),
    (19.08, 72.88),
    (64.13, -21.90),
];

/// How long before the first report the gateway knows its roster and zones, in seconds.
const HEADER: f64 = -120.0;

/// A case in the making. Times are in seconds after its start.
#[derive(Debug)]
pub struct Scene {
    /// Chance.
    pub rng: Rng,
    /// When it starts.
    pub start: UnixMillis,
    /// Where it takes place.
    pub place: Position,
    /// The fleet's thresholds.
    pub settings: Settings,
    /// Until when the gateway's clock still stands where it was at boot, in 1970.
    pub clock_wrong_until: f64,
    items: Vec<(f64, u16, Kind)>,
    rigs: u16,
}

impl Scene {
    /// Somewhere, some day.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let (lat, lon) = rng.pick(PLACES);
        // From November 2023, five years.
        let start = UnixMillis((1_700_000_000 + rng.range(0.0, 157e6) as i64) * 1000);
        let place = offset(Position { lat, lon }, rng.range(-4000.0, 4000.0), rng.range(-4000.0, 4000.0));
        Self::at(start, place, rng)
    }

    /// There and then.
    #[must_use]
    pub const fn at(start: UnixMillis, place: Position, rng: Rng) -> Self {
        let settings = Settings {
            apart_m: Metres(150.0),
            apart_for: Duration::from_secs(120),
            apart_samples: 3,
            together_m: Metres(75.0),
            together_for: Duration::from_secs(60),
            rig_length_m: Metres(25.0),
            max_gap: Duration::from_secs(600),
            alarm_age: Duration::from_secs(1800),
            trailer_interval: Duration::from_secs(300),
        };
        Self { rng, start, place, settings, clock_wrong_until: f64::MIN, items: Vec::new(), rigs: 0 }
    }

    /// A tractor with one trailer behind it, assigned to it for the last hour.
    pub fn hooked(&mut self) -> Rig {
        let behind = self.rng.range(8.0, 23.0);
        self.train(&[behind])
    }

    /// A tractor with trailers whose antennas are so many metres behind its own, all assigned to it for the last hour.
    pub fn train(&mut self, behind: &[f64]) -> Rig {
        let rig = self.rig(behind);
        self.assign(&rig, HEADER, -3600.0, rig.trailers.iter());
        rig
    }

    /// The same, and nobody has been told.
    pub fn rig(&mut self, behind: &[f64]) -> Rig {
        self.numbered(self.rigs + 1, behind)
    }

    /// The same with a number of its own.
    pub fn numbered(&mut self, number: u16, behind: &[f64]) -> Rig {
        self.rigs = number;
        let look = self.rng.range(0.0, core::f64::consts::TAU);
        Rig::new(number, self.place, look, behind, self.rng.fork())
    }

    /// Tells at `heard` that these trailers are the rig's tractor's since `since`.
    pub fn assign<'a>(&mut self, rig: &Rig, heard: f64, since: f64, trailers: impl Iterator<Item = &'a Trailer>) {
        let assignment = Assignment {
            tractor: rig.unit.clone(),
            trailers: trailers.map(|t| t.unit.clone()).collect(),
            driver: None,
            dispatcher: None,
            since: Some(after(self.start, since)),
        };
        self.put(heard, rig.number, Kind::Assignment(Box::new(assignment)));
    }

    /// Anything else that happens.
    pub fn put(&mut self, at: f64, rig: u16, kind: Kind) {
        self.items.push((at, rig, kind));
    }

    /// Trailers may be dropped within so many metres of a point that lies `off` metres from a place.
    pub fn zone(&mut self, place: Position, off: f64, radius: f64) {
        let center = towards(place, self.rng.range(0.0, core::f64::consts::TAU), off);
        let zone = Zone { name: "Yard".to_owned(), shape: Shape::Circle { center, radius: Metres(radius) } };
        self.put(HEADER, 0, Kind::Zones(vec![zone]));
    }

    /// A tractor's tracker that reports every so many seconds while moving.
    pub fn truck(&mut self, rig: &Rig, moving: f64) -> Tracker {
        let parked = self.rng.range(60.0, 300.0);
        Tracker::new(rig.unit.clone(), moving, parked.max(moving), &mut self.rng)
    }

    /// The tracker of the rig's first trailer.
    pub fn trailer(&mut self, rig: &Rig, moving: f64, parked: f64) -> Tracker {
        self.tracker(&rig.first().unit, moving, parked)
    }

    /// A trailer's tracker.
    pub fn tracker(&mut self, trailer: &UnitId, moving: f64, parked: f64) -> Tracker {
        Tracker::new(trailer.clone(), moving, parked, &mut self.rng)
    }

    /// What the tractor reports until the rig's script ends.
    pub fn hear_truck(&mut self, rig: &Rig, tracker: &Tracker) -> Feed {
        tracker.record(&rig.tractor, self.start, 0.0..rig.t, &mut self.rng)
    }

    /// What a trailer reports until the rig's script ends.
    pub fn hear_trailer(&mut self, rig: &Rig, trailer: &Trailer, tracker: &Tracker) -> Feed {
        let traits = TrailerTraits {
            id: tracker.unit.clone(),
            interval: Some(Duration::from_secs(tracker.moving.round() as u64)),
            wakes_on_motion: tracker.wakes,
        };
        self.put(HEADER, rig.number, Kind::Trailer(traits));
        tracker.record(&trailer.motion, self.start, 0.0..rig.t, &mut self.rng)
    }

    /// What the tractor, reporting every `truck` seconds, and the first trailer report, the latter every so many seconds
    /// while moving and while parked.
    pub fn hear(&mut self, rig: &Rig, truck: f64, trailer: (f64, f64)) -> (Feed, Feed) {
        let truck = self.truck(rig, truck);
        let trailer = self.trailer(rig, trailer.0, trailer.1);
        (self.hear_truck(rig, &truck), self.hear_trailer(rig, rig.first(), &trailer))
    }

    /// Lets the gateway hear feeds of this rig.
    pub fn play(&mut self, rig: &Rig, feeds: impl IntoIterator<Item = Feed>) {
        for heard in feeds.into_iter().flat_map(Feed::into_heard) {
            self.put(heard.got, rig.number, Kind::Report(heard.report));
        }
    }

    /// That this rig came apart at `departure` must be found within `by` seconds.
    #[must_use]
    pub fn due(&self, kind: ViolationKind, rig: &Rig, departure: f64, by: u64) -> Expectation {
        let due = self.finding(Some(kind), rig, departure, by);
        Expectation { due: vec![due], may_suspect: true, ..Expectation::default() }
    }

    /// A finding about the rig's first trailer; a suspicion without a kind.
    #[must_use]
    pub fn finding(&self, kind: Option<ViolationKind>, rig: &Rig, departure: f64, by: u64) -> Due {
        let (tractor, trailer) = (rig.unit.clone(), rig.first().unit.clone());
        Due { kind, tractor, trailer, departure: after(self.start, departure), by: Duration::from_secs(by) }
    }

    /// Puts all in receive order.
    #[must_use]
    pub fn finish(mut self, expectation: Expectation) -> Case {
        self.items.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (start, wrong) = (self.start, self.clock_wrong_until);
        let item = |(at, rig, kind): (f64, u16, Kind)| Item {
            received: after(if at < wrong { UnixMillis(30_000 - HEADER as i64 * 1000) } else { start }, at),
            trusted: at >= wrong,
            rig,
            kind,
        };
        Case { stream: self.items.into_iter().map(item).collect(), expectation, settings: self.settings }
    }
}

/// A tractor, its trailers, and what they have done until `t`.
#[derive(Clone, Debug)]
pub struct Rig {
    /// The number in its units' names.
    pub number: u16,
    /// The tractor.
    pub unit: UnitId,
    /// When its script has come to, in seconds.
    pub t: f64,
    /// All that the tractor does.
    pub tractor: Motion,
    /// What it pulls, or might.
    pub trailers: Vec<Trailer>,
    trace: Trace,
    left: (usize, f64),
    rng: Rng,
}

/// A trailer.
#[derive(Clone, Debug)]
pub struct Trailer {
    /// Its name.
    pub unit: UnitId,
    /// All that it does.
    pub motion: Motion,
    /// From the tractor's antenna to its own when hooked, in metres.
    pub behind: f64,
    /// Whether it follows the tractor.
    pub hooked: bool,
}

impl Rig {
    fn new(number: u16, at: Position, look: f64, behind: &[f64], rng: Rng) -> Self {
        let trace = Trace::new(at, look);
        let trailers = behind.iter().zip('A'..).map(|(&behind, letter)| {
            let name = if letter == 'A' { format!("R-{number:03}") } else { format!("R-{number:03}{letter}") };
            Trailer { unit: unit(&name), motion: Motion::parked(trace.behind(behind)), behind, hooked: true }
        });
        Self {
            number,
            unit: unit(&format!("T-{number:03}")),
            t: 0.0,
            tractor: Motion::parked(at),
            trailers: trailers.collect(),
            left: trace.mark(),
            trace,
            rng,
        }
    }

    /// The trailer that the story is about.
    #[expect(clippy::expect_used, reason = "a rig is built with a trailer")]
    #[must_use]
    pub fn first(&self) -> &Trailer {
        self.trailers.first().expect("a rig has a trailer")
    }

    /// Drives on, with what is hooked.
    pub fn drive(&mut self, kind: road::Kind, metres: f64) {
        let road = self.trace.extend(kind, metres, &mut self.rng);
        self.go(road);
    }

    /// Stands.
    pub fn wait(&mut self, seconds: f64) {
        self.t += seconds;
    }

    /// This trailer stands there, unhooked, as it always has.
    pub fn stand(&mut self, index: usize, at: Position) {
        if let Some(trailer) = self.trailers.get_mut(index) {
            (trailer.motion, trailer.hooked) = (Motion::parked(at), false);
        }
    }

    /// Lets go of the last trailer; says when.
    pub fn unhook_last(&mut self) -> f64 {
        self.trailers.iter_mut().next_back().map(|t| t.hooked = false).unwrap_or_default();
        self.t
    }

    /// Lets go of everything; says when.
    pub fn unhook(&mut self) -> f64 {
        self.trailers.iter_mut().for_each(|t| t.hooked = false);
        self.left = self.trace.mark();
        self.t
    }

    /// Returns alone to where it unhooked last.
    pub fn return_to_trailer(&mut self) {
        let road = self.trace.back(self.left, &mut self.rng);
        self.go(road);
    }

    /// Hooks what stands here.
    pub fn hook(&mut self) {
        self.trailers.iter_mut().for_each(|t| t.hooked = true);
    }

    /// Drives alone across to a parked trailer and hooks it.
    pub fn pick_up(&mut self, index: usize) {
        let Some(trailer) = self.trailers.get_mut(index) else { return };
        let look = self.rng.range(0.0, core::f64::consts::TAU);
        trailer.hooked = true;
        let ahead = towards(trailer.motion.at(self.t).position, look, trailer.behind);
        // Not yet towed on the way there.
        let road = self.trace.cross(ahead, look);
        let leg = Leg::drive(road, self.t, &mut self.rng);
        self.t = leg.span().1;
        self.tractor.then(leg);
    }

    /// Somebody else pulls the first trailer away, leaving at `at`.
    pub fn steal(&mut self, at: f64, kind: road::Kind, metres: f64) {
        let look = self.rng.range(0.0, core::f64::consts::TAU);
        let Some(trailer) = self.trailers.first_mut() else { return };
        trailer.hooked = false;
        let mut trace = Trace::new(trailer.motion.at(at).position, look);
        let road = trace.extend(kind, metres, &mut self.rng);
        trailer.motion.then(Leg::drive(road, at, &mut self.rng));
    }

    /// A place so many metres to the left or right of where the tractor is.
    pub fn beside(&mut self, metres: f64) -> Position {
        let (here, (_, bearing)) = (self.here(), self.trace.mark());
        towards(here, bearing + self.rng.sign() * core::f64::consts::FRAC_PI_2, metres)
    }

    /// Where the tractor is now.
    #[must_use]
    pub fn here(&self) -> Position {
        self.tractor.at(self.t).position
    }

    fn go(&mut self, road: Road) {
        let leg = Leg::drive(road, self.t, &mut self.rng);
        self.t = leg.span().1;
        for trailer in self.trailers.iter_mut().filter(|t| t.hooked) {
            trailer.motion.then(leg.towed(trailer.behind));
        }
        self.tractor.then(leg);
    }
}

#[expect(clippy::expect_used, reason = "the names are written here")]
fn unit(name: &str) -> UnitId {
    UnitId::new(name).expect("a short plain name")
}

#[cfg(test)]
mod tests {
    use super::super::road::Kind::{City, Country, Motorway, Ramp, Yard};
    use super::*;

    #[test]
    fn a_rig_moves_like_one_wherever_it_is() {
        for seed in 0..30 {
            let mut scene = Scene::new(seed);
            let mut rig = scene.hooked();
            for (kind, metres) in [(City, 2000.0), (Yard, 200.0), (Country, 4000.0), (Ramp, 400.0), (Motorway, 20_000.0)] {
                rig.drive(kind, metres);
                rig.wait(30.0);
            }
            let behind = rig.first().behind;
            let mut before = rig.tractor.at(0.0);
            let mut driven = 0.0;
            for second in 1..rig.t as u32 {
                let t = f64::from(second);
                let (now, trailer) = (rig.tractor.at(t), rig.first().motion.at(t));
                let apart = now.position.distance(trailer.position).0;
                assert!((2.0..=behind + 0.5).contains(&apart), "seed {seed} at {t}: {apart} for {behind}");
                assert!(now.speed <= 29.0 && (now.speed - before.speed).abs() <= 1.0, "seed {seed} at {t}: {now:?} {before:?}");
                let step = now.position.distance(before.position).0;
                let mean = f64::midpoint(now.speed, before.speed);
                assert!(step <= mean + 0.7 && step > mean * 0.85 - 0.7, "seed {seed} at {t}: {step} {mean}");
                driven += step;
                before = now;
            }
            assert!((driven - 26_600.0).abs() < 300.0, "seed {seed}: {driven}");
        }
    }

    #[test]
    fn who_unhooks_and_returns_stands_as_before() {
        for seed in 0..30 {
            let mut rig = Scene::new(seed).hooked();
            rig.drive(City, 1000.0);
            let (place, trailer) = (rig.here(), rig.first().motion.at(rig.t).position);
            let left = rig.unhook();
            rig.drive(Country, 3000.0);
            assert!(rig.here().distance(trailer).0 > 1000.0);
            assert_eq!(rig.first().motion.at(rig.t).position, trailer);
            rig.return_to_trailer();
            assert!(rig.here().distance(place).0 < 0.1);
            rig.hook();
            rig.drive(City, 500.0);
            assert!(rig.here().distance(place).0 > 100.0 && left < rig.t);
            assert!((5.0..24.0).contains(&rig.here().distance(rig.first().motion.at(rig.t).position).0));
        }
    }

    #[test]
    fn trackers_report_at_their_intervals_with_the_stated_error() {
        let (mut squares, mut reports) = (0.0, 0);
        for seed in 0..30 {
            let mut scene = Scene::new(seed);
            let mut rig = scene.hooked();
            rig.drive(City, 8000.0);
            rig.wait(3000.0);
            rig.drive(Motorway, 20_000.0);
            let mut tracker = scene.truck(&rig, 10.0);
            tracker.sigma = 5.0;
            let heard: Vec<_> = scene.hear_truck(&rig, &tracker).into_heard().collect();
            let moves = |t: f64| rig.tractor.at(t).speed > 0.0;
            assert!(heard.windows(2).all(|w| w[1].at - w[0].at < 13.0 || !moves(w[0].at)), "seed {seed}");
            for h in heard {
                let error = rig.tractor.at(h.at).position.distance(h.report.position.unwrap()).0;
                assert!(error < 30.0 && h.got > h.at, "seed {seed} at {}: {error}", h.at);
                (squares, reports) = (squares + error * error, reports + 1);
            }
        }
        let sigma = (squares / f64::from(reports) / 2.0).sqrt();
        assert!((4.5..5.5).contains(&sigma), "{sigma}");
    }
}
