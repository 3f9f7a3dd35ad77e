//! What holds for every separation, however its messages arrive.

mod story;

use gladhand::core::geo::Position;
use gladhand::core::separation::FindingEvent;
use proptest::prelude::*;
use story::{Course, Message, Story, Told, fix, hauls, in_order, leaves, reports, stays};

const UNTIL: i64 = 3_600;

/// Parked, away, back after half an hour, together again; no report of it comes within a rounding error of a threshold.
fn lunch(second: i64) -> (f64, f32) {
    match second {
        s @ 600..=634 => ((s - 600) as f64 * 20.0, 20.0),
        635..=2_399 => (703.0, 0.0),
        s @ 2_400..=2_434 => (703.0 - (s - 2_400) as f64 * 20.0, 20.0),
        _ => (0.0, 0.0),
    }
}

/// Taken away at 900 s.
fn stolen(second: i64) -> (f64, f32) {
    if second < 900 { (0.0, 0.0) } else { ((second - 900) as f64 * 15.0, 15.0) }
}

/// City traffic: 40 s at 12 m/s, 30 s at a light.
fn city(second: i64) -> (f64, f32) {
    let (round, s) = (second / 70, second % 70);
    let metres = round as f64 * 480.0 + s.min(40) as f64 * 12.0;
    (metres, if s < 40 { 12.0 } else { 0.0 })
}

/// Courses of tractor and trailer.
fn courses() -> impl Strategy<Value = (Course, Course)> {
    let all: Vec<(Course, Course)> =
        vec![(leaves, stays), (hauls, hauls), (lunch, stays), (stays, stolen), (city, city), (stays, stays)];
    prop::sample::select(all)
}

/// In the order of event time, each received 2 s after it.
fn rig() -> impl Strategy<Value = Vec<Message>> {
    (courses(), prop::sample::select(vec![(5, 10), (10, 60), (10, 300)])).prop_map(|((a, b), (every_a, every_b))| {
        in_order(&[reports("T-1", a, every_a, UNTIL), reports("R-1", b, every_b, UNTIL)])
    })
}

/// The same messages, each with that much more delay, in the order of their receipt.
fn delayed(messages: &[Message], delays: &[i64]) -> Vec<Message> {
    let late = messages.iter().zip(delays.iter().cycle()).map(|((second, report), delay)| (second + delay, report.clone()));
    let mut late: Vec<_> = late.collect();
    late.sort_by_key(|(second, _)| *second);
    late
}

/// Violations and their ends; a suspicion is nobody's call.
fn verdict(messages: &[Message]) -> Vec<Told> {
    let mut story = Story::new();
    story.play(messages);
    story.told().into_iter().filter(|(event, kind)| *event != FindingEvent::Suspected && kind.is_some()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_order_of_receipt_does_not_matter(messages in rig(), delays in prop::collection::vec(0_i64..=60, 97)) {
        prop_assert_eq!(verdict(&delayed(&messages, &delays)), verdict(&messages));
    }

    #[test]
    fn duplicates_change_nothing(messages in rig(), delays in prop::collection::vec(prop::option::of(0_i64..=600), 89)) {
        let twice: Vec<_> = messages.iter().zip(delays.iter().cycle())
            .filter_map(|((second, report), delay)| delay.map(|d| (second + d, report.clone())))
            .collect();
        let mut all = [messages.clone(), twice].concat();
        all.sort_by_key(|(second, _)| *second);
        prop_assert_eq!(verdict(&all), verdict(&messages));
    }

    #[test]
    fn one_device_alone_violates_nothing(
        steps in prop::collection::vec((1_i64..400, -9_000.0..9_000.0_f64, 0.0..30.0_f32), 1..200),
        id in prop::sample::select(vec!["T-1", "R-1"]),
    ) {
        let mut second = 0;
        let messages: Vec<_> = steps.iter().map(|(step, metres, speed)| {
            second += step;
            (second + 1, fix(id, second, *metres, *speed))
        }).collect();
        prop_assert_eq!(verdict(&messages), []);
    }

    #[test]
    fn an_episode_is_opened_once_and_closed_once(
        places in prop::collection::vec((0.0..4_000.0_f64, 0.0..4_000.0_f64), 4..40),
    ) {
        // Both stand for five minutes at a time, anywhere.
        let mut messages = Vec::new();
        for (nth, (tractor, trailer)) in places.iter().enumerate() {
            for at in 0..30 {
                let second = nth as i64 * 400 + at * 10;
                messages.push((second + 1, fix("T-1", second, *tractor, 0.0)));
                messages.push((second + 1, fix("R-1", second, *trailer, 0.0)));
            }
        }
        let mut story = Story::new();
        story.play(&messages);
        let mut open = None;
        for finding in story.found.iter().filter(|f| f.event != FindingEvent::Suspected) {
            match finding.event {
                FindingEvent::Opened => prop_assert_eq!(open.replace(finding.violation_id.clone()), None),
                FindingEvent::Closed => prop_assert_eq!(open.take(), Some(finding.violation_id.clone())),
                FindingEvent::Suspected | FindingEvent::DroppedOk => {}
            }
        }
        let mut ids: Vec<_> = story.found.iter().filter(|f| f.event == FindingEvent::Opened).map(|f| &f.violation_id).collect();
        let opened = ids.len();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), opened);
    }

    #[test]
    fn what_is_old_calls_nobody(messages in rig(), order in prop::collection::vec(0_usize..1_000, 64), late in 1_801_i64..20_000) {
        let mut burst: Vec<_> = messages.into_iter().map(|(_, report)| (UNTIL + late, report)).collect();
        for (a, b) in order.iter().zip(order.iter().skip(1)) {
            let n = burst.len();
            burst.swap(a % n, b % n);
        }
        prop_assert_eq!(verdict(&burst), []);
    }

    #[test]
    fn elsewhere_and_at_another_time_the_same_holds(
        messages in rig(), lat in -70.0..70.0_f64, lon in -180.0..180.0_f64, later in -1_000_000_i64..1_000_000,
    ) {
        let moved: Vec<Message> = messages.iter().cloned().map(|(second, mut report)| {
            report.at.0 += later * 1_000;
            report.position = report.position.map(|p| Position { lat: p.lat - 27.53 + lat, lon });
            (second + later, report)
        }).collect();
        let mut story = Story::empty(Default::default());
        story.assign(&["R-1"], later - 86_400, later);
        story.play(&moved);
        let told: Vec<_> = story.found.iter().map(|f| (f.event, f.kind, f.at.0 - later * 1_000)).collect();
        let mut story = Story::new();
        story.play(&messages);
        prop_assert_eq!(told, story.found.iter().map(|f| (f.event, f.kind, f.at.0)).collect::<Vec<_>>());
    }
}
