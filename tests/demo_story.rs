//! The demo's story holds exactly one violation and one permitted drop, whatever its seed.

use gladhand::core::separation::{Detector, Event, FindingEvent, Receive, Settings, ViolationKind};
use gladhand::core::time::UnixMillis;
use gladhand::rigs::{Kind, story};

#[test]
fn one_trailer_is_left_behind_and_one_dropped_where_it_may_be() {
    let now = UnixMillis(1_790_000_000_000);
    for seed in 0..50 {
        let mut detector = Detector::new(&Settings::default());
        let mut found = Vec::new();
        for item in story(now, seed) {
            let receive = Receive { at: item.received, trusted: item.trusted };
            match item.kind {
                Kind::Report(report) => detector.report(&report, receive),
                Kind::Assignment(a) => detector.assign(&a.tractor, &a.trailers, a.since.unwrap_or(item.received), receive),
                Kind::Trailer(traits) => detector.set_trailer(traits),
                Kind::Zones(zones) => detector.set_zones(zones),
                Kind::Traccar(_) | Kind::Restart | Kind::Uplink(_) => panic!("not in the story"),
            }
            while let Some(event) = detector.poll() {
                if let Event::Found(finding) = event {
                    found.push((finding.tractor.to_string(), finding.event, finding.kind));
                }
            }
        }
        found.sort();
        let dropped = ("T-102".to_owned(), FindingEvent::DroppedOk, None);
        let left = ("T-103".to_owned(), FindingEvent::Opened, Some(ViolationKind::LeftBehind));
        assert_eq!(found, [dropped, left], "seed {seed}");
    }
}
