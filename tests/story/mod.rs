//! One rig, R-1 behind T-1, on a straight road that leads north: its reports, and a detector that hears them.
#![allow(clippy::unwrap_used, reason = "a test helper")]
#![allow(dead_code, reason = "each test file uses its part")]

use gladhand::core::geo::Position;
use gladhand::core::id::UnitId;
use gladhand::core::roster::TrailerTraits;
use gladhand::core::separation::{Detector, Event, Finding, FindingEvent, PairRecord, Receive, Settings, ViolationKind};
use gladhand::core::telemetry::Report;
use gladhand::core::time::UnixMillis;

/// Second 0 of every story, in Unix seconds.
pub const T0: i64 = 1_763_569_135;
/// Metres a degree of latitude is long.
const DEGREE_M: f64 = 111_195.08;
const DAY: i64 = 86_400;

pub type Told = (FindingEvent, Option<ViolationKind>);
pub const LEFT_BEHIND: Told = (FindingEvent::Opened, Some(ViolationKind::LeftBehind));
pub const CLOSED: Told = (FindingEvent::Closed, Some(ViolationKind::LeftBehind));

pub fn unit(id: &str) -> UnitId {
    UnitId::new(id).unwrap()
}

pub fn time(second: i64) -> UnixMillis {
    UnixMillis((T0 + second) * 1000)
}

pub fn received(second: i64) -> Receive {
    Receive { at: time(second), trusted: true }
}

/// `metres` up the road.
pub fn road(metres: f64) -> Position {
    Position { lat: 27.53 + metres / DEGREE_M, lon: -99.48 }
}

pub fn fix(id: &str, second: i64, metres: f64, speed: f32) -> Report {
    Report { speed_mps: Some(speed), ..Report::fix(unit(id), time(second), road(metres)) }
}

/// Where on the road something is at a second, and how fast.
pub type Course = fn(i64) -> (f64, f32);

/// Parked for 400 s, then away at 20 m/s.
pub fn leaves(second: i64) -> (f64, f32) {
    if second < 400 { (0.0, 0.0) } else { ((second - 400) as f64 * 20.0, 20.0) }
}

pub fn stays(_: i64) -> (f64, f32) {
    (0.0, 0.0)
}

pub fn hauls(second: i64) -> (f64, f32) {
    (second as f64 * 25.0, 25.0)
}

/// A message and the second of its receipt.
pub type Message = (i64, Report);

/// Reports of one unit from 0 to `until`, each received 2 s later.
pub fn reports(id: &str, course: Course, every: i64, until: i64) -> Vec<Message> {
    let at = |second: i64| {
        let (metres, speed) = course(second);
        (second + 2, fix(id, second, metres, speed))
    };
    (0..=until).step_by(every as usize).map(at).collect()
}

pub fn in_order(streams: &[Vec<Message>]) -> Vec<Message> {
    let mut all = streams.concat();
    all.sort_by_key(|(second, report)| (*second, report.unit.clone()));
    all
}

/// Left behind at second 400; tractor every 10 s, trailer every 60 s.
pub fn left_behind(until: i64) -> Vec<Message> {
    in_order(&[reports("T-1", leaves, 10, until), reports("R-1", stays, 60, until)])
}

pub struct Story {
    pub detector: Detector,
    pub found: Vec<Finding>,
    pub records: Vec<PairRecord>,
    /// Records written so far.
    pub kept: usize,
    settings: Settings,
}

impl Story {
    pub fn new() -> Self {
        Self::with(Settings::default())
    }

    /// T-1 and R-1 have been assigned to each other for a day.
    pub fn with(settings: Settings) -> Self {
        let mut story = Self::empty(settings);
        story.assign(&["R-1"], -DAY, 0);
        story
    }

    pub fn empty(settings: Settings) -> Self {
        let mut detector = Detector::new(&settings);
        detector.set_trailer(TrailerTraits { id: unit("R-1"), interval: None, wakes_on_motion: true });
        Self { detector, found: Vec::new(), records: Vec::new(), kept: 0, settings }
    }

    pub fn assign(&mut self, trailers: &[&str], since: i64, now: i64) {
        let trailers: Vec<_> = trailers.iter().map(|id| unit(id)).collect();
        self.detector.assign(&unit("T-1"), &trailers, time(since), received(now));
        self.drain();
    }

    pub fn play(&mut self, messages: &[Message]) {
        for (second, report) in messages {
            self.detector.advance(received(*second));
            self.detector.report(report, received(*second));
            self.drain();
        }
    }

    pub fn drain(&mut self) {
        while let Some(event) = self.detector.poll() {
            match event {
                Event::Keep(record) => {
                    self.kept += 1;
                    let as_stored = serde_json::to_string(&record).unwrap();
                    let record: PairRecord = serde_json::from_str(&as_stored).unwrap();
                    self.records.retain(|r| (&r.tractor, &r.trailer) != (&record.tractor, &record.trailer));
                    self.records.push(record);
                }
                Event::Forget { tractor, trailer } => {
                    self.records.retain(|r| (&r.tractor, &r.trailer) != (&tractor, &trailer));
                }
                Event::Found(finding) => self.found.push(*finding),
            }
        }
    }

    /// `kill -9`, and on from what was kept.
    pub fn restart(&mut self) {
        self.detector = Self::empty(self.settings.clone()).detector;
        for record in self.records.clone() {
            self.detector.restore(record, received(0));
        }
        self.drain();
    }

    pub fn told(&self) -> Vec<Told> {
        self.found.iter().map(|f| (f.event, f.kind)).collect()
    }
}
