//! A machine with a fleet of any size, and what it hears: a few simulated hauls, each driven by many rigs of other names.
#![allow(dead_code, reason = "each user has its part")]
#![allow(clippy::unwrap_used, reason = "a helper of tests and benches")]

use std::time::Duration;

use gladhand::core::calls::settings;
use gladhand::core::geo::Position;
use gladhand::core::id::{DriverId, UnitId};
use gladhand::core::machine::{Identity, Input, Machine, Settings};
use gladhand::core::phone::Phone;
use gladhand::core::roster::book::RosterFile;
use gladhand::core::roster::{Assignment, Dispatcher, Driver};
use gladhand::core::separation;
use gladhand::core::telemetry::Report;
use gladhand::core::time::{Mono, Now, UnixMillis};
use gladhand::core::topics::Topics;
use gladhand::rigs::{Kind, Rng, Scene, road};

/// Hauls that differ in road, speeds and trackers.
const HAULS: usize = 8;
const SOME_DAY: UnixMillis = UnixMillis(1_763_569_135_000);

/// How often the two report while they move, in seconds, and how far they go meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    pub tractor: f64,
    pub trailer: f64,
    pub metres: f64,
}

/// See the module.
pub struct Fleet {
    start: UnixMillis,
    names: Vec<[UnitId; 2]>,
    /// Received when, on which haul, by the trailer, what; in order.
    heard: Vec<(UnixMillis, usize, bool, Report)>,
}

impl Fleet {
    pub fn new(units: usize, mix: Mix) -> Self {
        Self::starting(SOME_DAY, units, mix)
    }

    /// One that sets out at a time.
    pub fn starting(start: UnixMillis, units: usize, mix: Mix) -> Self {
        let name = |kind, n| UnitId::new(&format!("{kind}-{n:05}")).unwrap();
        let names = (0..units / 2).map(|n| [name("T", n), name("R", n)]).collect();
        let mut heard: Vec<_> = (0..HAULS).flat_map(|haul| drive(start, haul, mix)).collect();
        heard.sort_by_key(|(received, ..)| *received);
        Self { start, names, heard }
    }

    /// Each tractor with its trailer, a driver and a dispatcher.
    pub fn assignments(&self) -> Vec<Assignment> {
        let person = |kind, n| (format!("{kind} {n}"), Phone::parse("+15550100100", "US").unwrap());
        let assignment = |(n, [tractor, trailer]): (usize, &[UnitId; 2])| {
            let ((driver, phone), (dispatcher, second)) = (person("Driver", n), person("Dispatcher", n));
            Assignment {
                tractor: tractor.clone(),
                trailers: [trailer.clone()].into_iter().collect(),
                driver: Some(Driver { id: DriverId::new(&format!("D-{n:05}")).unwrap(), name: driver, phone }),
                dispatcher: Some(Dispatcher { name: dispatcher, phone: second }),
                since: Some(self.start - Duration::from_secs(3600)),
            }
        };
        self.names.iter().enumerate().map(assignment).collect()
    }

    /// One that knows the whole fleet.
    pub fn machine(&self) -> Machine {
        let settings = Settings {
            gateway: "yard-7".to_owned(),
            topics: Topics::new("gladhand", "te/device/main/service/gladhand/status/health"),
            separation: separation::Settings::default(),
            calls: settings::Settings::default(),
            retry: settings::Retry::default(),
            health_interval: Duration::from_secs(60),
            roster: RosterFile { assignments: self.assignments(), ..RosterFile::default() },
        };
        let identity = Identity { pid: 1, version: "0", nonce: "n".to_owned() };
        let mut machine = Machine::new(settings, identity, self.now(self.start));
        machine.restore(&[], self.now(self.start));
        machine.handle(Input::Ready(Ok(())), self.now(self.start));
        while machine.poll_output().is_some() {}
        machine
    }

    /// Reports there are.
    pub fn len(&self) -> usize {
        self.heard.len() * self.names.len() / HAULS
    }

    fn now(&self, wall: UnixMillis) -> Now {
        Now { mono: Mono(wall.since(self.start) + Duration::from_secs(3600)), wall, trusted: true }
    }

    /// All reports with the time of their receipt, in order.
    pub fn reports(&self) -> impl Iterator<Item = (Report, Now)> {
        self.heard.iter().flat_map(|(received, haul, is_trailer, report)| {
            let rigs = self.names.iter().skip(*haul).step_by(HAULS);
            rigs.map(|[tractor, trailer]| {
                let unit = if *is_trailer { trailer } else { tractor }.clone();
                (Report { unit, ..report.clone() }, self.now(*received))
            })
        })
    }
}

fn drive(start: UnixMillis, haul: usize, mix: Mix) -> Vec<(UnixMillis, usize, bool, Report)> {
    let mut scene = Scene::at(start, Position { lat: 27.53, lon: -99.48 }, Rng::new(haul as u64));
    let mut rig = scene.hooked();
    rig.drive(road::Kind::City, 1500.0);
    rig.drive(road::Kind::Motorway, mix.metres);
    let (truck, trailer) = scene.hear(&rig, mix.tractor, (mix.trailer, mix.trailer * 3.0));
    scene.play(&rig, [truck, trailer]);
    let case = scene.finish(gladhand::rigs::Expectation::nothing());
    let heard = case.stream.into_iter().filter_map(|item| match item.kind {
        Kind::Report(report) => Some((item.received, haul, report.unit == rig.first().unit, report)),
        Kind::Traccar(_) | Kind::Assignment(_) | Kind::Trailer(_) | Kind::Zones(_) | Kind::Restart | Kind::Uplink(_) => None,
    });
    heard.collect()
}
