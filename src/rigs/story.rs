//! The demo's story: three rigs, of which one leaves its trailer where it may and one where it may not.

use super::rng::Rng;
use super::road::Kind::{City, Country, Motorway, Yard};
use super::road::offset;
use super::scene::{Rig, Scene};
use super::{Expectation, Kind, Stream};
use crate::core::geo::Position;
use crate::core::id::DriverId;
use crate::core::phone::Phone;
use crate::core::roster::{Assignment, Dispatcher, Driver};
use crate::core::time::UnixMillis;

/// How much event time the story takes, in seconds.
const LENGTH: f64 = 24.0 * 60.0;

/// Three rigs near Laredo until `now`. Rig 101 hauls with a poor receiver, 102 drops its trailer in an authorised yard, and
/// 103 leaves its trailer at a truck stop (one `left_behind`). Zones and assignments come first. Tractors report every 10 s,
/// trailers every 60 s.
#[must_use]
pub fn story(now: UnixMillis, seed: u64) -> Stream {
    let mut rng = Rng::new(seed);
    let start = UnixMillis(now.0 - (LENGTH * 1000.0) as i64 - 5000);
    let mut scene = Scene::at(start, Position { lat: 27.5306, lon: -99.4803 }, rng.fork());

    let mut hauls = numbered(&mut scene, 101);
    hauls.drive(Motorway, 45_000.0);

    let mut drops = numbered(&mut scene, 102);
    drops.drive(City, 2_500.0);
    drops.drive(Yard, 120.0);
    drops.wait(60.0);
    scene.zone(drops.first().motion.at(drops.t).position, 100.0, 350.0);
    drops.unhook();
    drops.wait(60.0);
    drops.drive(Country, 40_000.0);

    // On another road: 102's yard must not happen to be where 103 stops.
    scene.place = offset(scene.place, 25_000.0, 0.0);
    let mut leaves = numbered(&mut scene, 103);
    leaves.drive(Country, 4_500.0);
    leaves.wait((LENGTH - 560.0 - leaves.t).max(60.0));
    leaves.unhook();
    leaves.drive(Motorway, 30_000.0);

    for (rig, name) in [(&mut hauls, "Ana Ruiz"), (&mut drops, "Ben Cole"), (&mut leaves, "Carla Diaz")] {
        rig.t = LENGTH;
        scene.put(-120.0, rig.number, Kind::Assignment(Box::new(assignment(rig, name, start))));
        let mut truck = scene.truck(rig, 10.0);
        let mut trailer = scene.trailer(rig, 60.0, 60.0);
        (truck.parked, truck.moving, trailer.moving, trailer.parked) = (10.0, 10.0, 60.0, 60.0);
        for tracker in [&mut truck, &mut trailer] {
            (tracker.speeds, tracker.latency) = (true, 0.3);
            if rig.number == 101 {
                tracker.sigma = 12.0;
            }
        }
        let feeds = [scene.hear_truck(rig, &truck), scene.hear_trailer(rig, rig.first(), &trailer)];
        scene.play(rig, feeds);
    }
    let mut stream = scene.finish(Expectation::nothing()).stream;
    stream.retain(|item| item.received <= now);
    stream
}

fn numbered(scene: &mut Scene, number: u16) -> Rig {
    scene.place = offset(scene.place, 1500.0, 900.0);
    let behind = scene.rng.range(10.0, 18.0);
    scene.numbered(number, &[behind])
}

/// With numbers reserved for fiction.
fn assignment(rig: &Rig, name: &str, since: UnixMillis) -> Assignment {
    let phone = |last: u16| Phone::parse(&format!("+1212555{last:04}"), "US").ok();
    let driver = phone(rig.number).zip(DriverId::new(&format!("DR{:03}", rig.number)).ok());
    Assignment {
        tractor: rig.unit.clone(),
        trailers: rig.trailers.iter().map(|t| t.unit.clone()).collect(),
        driver: driver.map(|(phone, id)| Driver { id, name: name.to_owned(), phone }),
        dispatcher: phone(199).map(|phone| Dispatcher { name: "Night desk".to_owned(), phone }),
        since: Some(since),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rig_ends_as_told() {
        for seed in 0..20 {
            let now = UnixMillis(1_790_000_000_000);
            let stream = story(now, seed);
            assert_eq!(stream, story(now, seed));
            assert!(stream.windows(2).all(|w| w[0].received <= w[1].received));
            let mut last = std::collections::BTreeMap::new();
            let (mut zones, mut known) = (0, 0);
            for item in &stream {
                if let Kind::Report(report) = &item.kind {
                    last.insert(report.unit.as_str(), report);
                } else if let Kind::Zones(list) = &item.kind {
                    zones += list.len();
                } else if let Kind::Assignment(a) = &item.kind {
                    known += usize::from(a.driver.is_some() && a.dispatcher.is_some());
                }
            }
            assert_eq!((zones, known), (1, 3));
            for (rig, apart) in [(101, false), (102, true), (103, true)] {
                let (t, r) = (last[&*format!("T-{rig}")], last[&*format!("R-{rig}")]);
                assert!(now.secs_since(t.at) < 20.0 && now.secs_since(r.at) < 75.0);
                let gap = t.position.unwrap().distance(r.position.unwrap()).0;
                assert_eq!(gap > 4000.0, apart, "seed {seed} rig {rig} {gap}");
            }
        }
    }
}
