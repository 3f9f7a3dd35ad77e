//! What must and what must not be called a separation: short stories of one rig.

mod story;

use std::collections::BTreeMap;
use std::time::Duration;

use gladhand::core::geo::{Metres, Position};
use gladhand::core::separation::{FindingEvent, Receive, Refusal, Settings, Verdict, ViolationKind};
use gladhand::core::telemetry::{Coupling, CouplingState, Report};
use gladhand::core::time::UnixMillis;
use gladhand::core::zone::{Shape, Zone};
use story::{
    CLOSED, LEFT_BEHIND, Message, Story, T0, fix, hauls, in_order, leaves, left_behind, received, reports, road, stays, time,
    unit,
};

#[test]
fn a_trailer_left_behind_is_found_once_with_its_facts() {
    let mut story = Story::new();
    story.play(&left_behind(3_000));
    assert_eq!(story.told(), [LEFT_BEHIND]);
    let finding = &story.found[0];
    let delay = finding.received.secs_since(time(400));
    assert!((120.0..240.0).contains(&delay), "{delay}");
    assert!(finding.position.unwrap().distance(road(0.0)) < Metres(1.0));
    assert!(finding.violation_id.as_str().starts_with("V-T-1-R-1-17635"), "{}", finding.violation_id);
    assert!((finding.distance_m.0 - (finding.at.secs_since(time(400)) * 20.0)).abs() < 25.0, "{finding:?}");
    assert_eq!(story.detector.open().count(), 1);
    // A few for meeting, parking, leaving and the finding, then one in ten minutes: how fresh the evidence is must survive a restart.
    assert!(story.kept <= 16, "{} records", story.kept);
}

#[test]
fn hauling_together_says_and_writes_next_to_nothing() {
    for (tractor, trailer) in [(1, 10), (10, 60), (10, 300), (60, 900)] {
        let mut story = Story::new();
        story.play(&in_order(&[reports("T-1", hauls, tractor, 7_200), reports("R-1", hauls, trailer, 7_200)]));
        assert_eq!(story.told(), [], "{tractor} {trailer}");
        assert!(story.kept <= 20, "{} records", story.kept);
    }
}

#[test]
fn a_sparse_trailer_is_found_with_its_next_reports() {
    let mut story = Story::new();
    story.play(&in_order(&[reports("T-1", leaves, 10, 3_000), reports("R-1", stays, 300, 3_000)]));
    assert_eq!(story.told(), [LEFT_BEHIND]);
    assert!(story.found[0].received.secs_since(time(400)) <= 600.0);
}

#[test]
fn unhooked_by_the_sensor_needs_less() {
    let mut story = Story::new();
    let mut messages = left_behind(3_000);
    for (_, report) in messages.iter_mut().filter(|(s, r)| *s > 400 && &*r.unit == "R-1") {
        report.coupling = Some(Coupling { state: CouplingState::Unhooked, tractor: None });
    }
    story.play(&messages);
    assert_eq!(story.told(), [LEFT_BEHIND]);
    assert!(story.found[0].received.secs_since(time(400)) <= 90.0, "{:?}", story.found[0]);
}

#[test]
fn a_stolen_trailer_is_found_while_the_tractor_sleeps() {
    fn stolen(second: i64) -> (f64, f32) {
        if second < 4_000 { (0.0, 0.0) } else { ((second - 4_000) as f64 * 15.0, 15.0) }
    }
    for every in [300, 3_600] {
        let mut story = Story::new();
        story.play(&in_order(&[reports("T-1", stays, every, 9_000), reports("R-1", stolen, 60, 6_000)]));
        assert_eq!(story.told(), [(FindingEvent::Opened, Some(ViolationKind::TrailerMovingAlone))], "{every}");
        assert!(story.found[0].received.secs_since(time(4_000)) <= 1_500.0);
    }
}

#[test]
fn a_dead_tractor_tracker_is_no_theft() {
    let mut story = Story::new();
    story.play(&in_order(&[reports("T-1", hauls, 10, 1_000), reports("R-1", hauls, 60, 9_000)]));
    assert_eq!(story.told(), []);
    assert_eq!(story.detector.observations(received(9_000)).silent_units, [unit("T-1")]);
}

#[test]
fn a_drop_in_a_zone_is_permitted_until_the_trailer_leaves_alone() {
    fn taken(second: i64) -> (f64, f32) {
        if second < 3_000 { (0.0, 0.0) } else { ((second - 3_000) as f64 * -15.0, 15.0) }
    }
    let mut story = Story::new();
    let shape = Shape::Circle { center: road(0.0), radius: Metres(300.0) };
    story.detector.set_zones(vec![Zone { name: "yard".to_owned(), shape }]);
    story.play(&in_order(&[reports("T-1", leaves, 10, 5_000), reports("R-1", taken, 60, 5_000)]));
    let moved = (FindingEvent::Opened, Some(ViolationKind::TrailerMovedFromDrop));
    assert_eq!(story.told(), [(FindingEvent::DroppedOk, None), moved]);
    assert!(story.found[1].received.secs_since(time(3_000)) <= 900.0);
}

#[test]
fn together_again_closes_and_a_second_time_is_a_second_violation() {
    fn goes_and_returns(second: i64) -> (f64, f32) {
        match second % 2_000 {
            s @ 400..=430 => ((s - 400) as f64 * 20.0, 20.0),
            431..=999 => (600.0, 0.0),
            s @ 1_000..=1_029 => (600.0 - (s - 1_000) as f64 * 20.0, 20.0),
            _ => (0.0, 0.0),
        }
    }
    let mut story = Story::new();
    let messages = in_order(&[reports("T-1", goes_and_returns, 10, 4_000), reports("R-1", stays, 60, 4_000)]);
    story.play(&messages);
    assert_eq!(story.told(), [LEFT_BEHIND, CLOSED, LEFT_BEHIND, CLOSED]);
    assert_eq!(story.found[0].violation_id, story.found[1].violation_id);
    assert_ne!(story.found[0].violation_id, story.found[2].violation_id);
    // The same recording once more, before and after a restart, tells nothing new.
    story.found.clear();
    story.play(&messages);
    assert_eq!(story.told(), []);
    story.restart();
    story.play(&messages);
    assert_eq!(story.told(), []);
}

#[test]
fn a_restart_in_mid_dwell_forgets_nothing() {
    let messages = left_behind(3_000);
    let mut whole = Story::new();
    whole.play(&messages);
    let expected = whole.found[0].clone();
    for cut in 1..messages.len() {
        let mut story = Story::new();
        story.play(&messages[..cut]);
        story.restart();
        story.play(&messages[cut..]);
        assert_eq!(story.told(), [LEFT_BEHIND], "cut at {cut}");
        let late = story.found[0].received.secs_since(expected.received);
        assert!((0.0..=60.0).contains(&late), "cut at {cut}: {late} s later");
    }
}

#[test]
fn the_settings_are_honoured() {
    let settings = Settings {
        together_for: Duration::from_secs(5),
        apart_for: Duration::from_secs(60),
        rig_length_m: Metres(0.0),
        ..Settings::default()
    };
    fn for_90_s(second: i64) -> (f64, f32) {
        if (100..190).contains(&second) { ((second - 100) as f64 * 20.0, 20.0) } else { (0.0, 0.0) }
    }
    let mut story = Story::with(settings);
    story.play(&in_order(&[reports("T-1", for_90_s, 2, 300), reports("R-1", stays, 3, 300)]));
    assert_eq!(story.told(), [LEFT_BEHIND, CLOSED]);
    let delay = story.found[0].at.secs_since(time(100));
    assert!((60.0..85.0).contains(&delay), "{delay}");
}

#[test]
fn an_assignment_that_ended_before_the_drop_excuses_it_however_late_it_arrives() {
    for (since, at, expected) in
        [(350, 352, vec![]), (395, 500, vec![]), (900, 901, vec![LEFT_BEHIND, CLOSED]), (1_100, 1_101, vec![LEFT_BEHIND])]
    {
        let mut story = Story::new();
        let messages = left_behind(2_000);
        let cut = messages.iter().position(|(s, _)| *s >= at).unwrap();
        story.play(&messages[..cut]);
        story.assign(&[], since, at);
        story.play(&messages[cut..]);
        assert_eq!(story.told(), expected, "unassigned at {since}");
    }
}

#[test]
fn a_pair_unassigned_long_ago_is_forgotten() {
    let mut story = Story::new();
    story.play(&left_behind(390));
    story.assign(&["R-2"], 380, 392);
    assert_eq!(story.records.len(), 2);
    assert_eq!(story.detector.next_due(), Some(time(380 + 1_800)));
    story.detector.advance(received(380 + 1_801));
    story.drain();
    assert_eq!(story.records.iter().map(|r| &*r.trailer).collect::<Vec<_>>(), ["R-2"]);
    assert_eq!(story.detector.observations(received(2_200)).units, 2);
}

#[test]
fn a_pair_assigned_anew_starts_anew_and_is_kept() {
    let mut story = Story::new();
    story.play(&left_behind(1_500));
    story.assign(&[], 1_200, 1_502);
    story.assign(&["R-1"], 1_510, 1_510);
    assert_eq!(story.told(), [LEFT_BEHIND, CLOSED]);
    assert_eq!(story.records.len(), 1);
    assert_eq!(story.records[0].state.since, time(1_510));
    let kept = story.kept;
    story.assign(&["R-1"], 1_520, 1_520);
    assert_eq!(story.kept, kept, "the same assignment again has no effect");
}

#[test]
fn leaving_without_the_assigned_trailer() {
    fn looks_in(second: i64) -> (f64, f32) {
        match second {
            0..=499 => (-19_700.0 + second as f64 * 38.0, 20.0),
            500..=1_199 => (-300.0, 0.0),
            s => (-300.0 - (s - 1_200) as f64 * 20.0, 20.0),
        }
    }
    let mut story = Story::empty(Settings::default());
    story.assign(&["R-1"], 0, 0);
    story.play(&in_order(&[reports("T-1", looks_in, 10, 2_500), reports("R-1", stays, 300, 2_500)]));
    assert_eq!(story.told(), [(FindingEvent::Opened, Some(ViolationKind::LeftWithoutTrailer))]);
}

#[test]
fn a_silent_trailer_is_suspected_and_its_next_heartbeat_decides() {
    let mut story = Story::new();
    story.play(&in_order(&[reports("T-1", leaves, 10, 5_000), reports("R-1", stays, 300, 390)]));
    assert_eq!(story.told(), [(FindingEvent::Suspected, None)]);
    assert!(story.found[0].received.secs_since(time(400)) <= 1_200.0);
    story.play(&[(5_002, fix("R-1", 5_000, 0.0, 0.0)), (5_012, fix("T-1", 5_010, 92_200.0, 20.0))]);
    assert_eq!(story.told()[1..], [LEFT_BEHIND]);
    assert_eq!(story.found[0].violation_id, story.found[1].violation_id);
}

#[test]
fn a_parked_tractor_that_sleeps_lets_time_alone_raise_suspicion() {
    fn short_trip(second: i64) -> (f64, f32) {
        if second < 600 { leaves(second) } else { (4_000.0, 0.0) }
    }
    let mut story = Story::new();
    story.play(&in_order(&[reports("T-1", short_trip, 10, 900), reports("R-1", stays, 300, 390)]));
    assert_eq!(story.told(), []);
    let due = story.detector.next_due().unwrap();
    assert!((1_300..1_400).contains(&(due.0 / 1000 - T0)));
    story.detector.advance(Receive { at: due, trusted: true });
    story.drain();
    assert_eq!(story.told(), [(FindingEvent::Suspected, None)]);
    assert_eq!(story.detector.next_due(), None);
}

#[test]
fn old_evidence_alarms_nobody() {
    let mut story = Story::new();
    let late: Vec<_> = left_behind(3_000).into_iter().map(|(_, r)| (3_000 + 1_801, r)).collect();
    story.play(&late);
    assert_eq!(story.told(), []);
}

#[test]
fn an_alarm_waits_for_a_receive_time_that_can_be_believed() {
    let mut story = Story::new();
    for (second, report) in &left_behind(3_000) {
        story.detector.report(report, Receive { at: UnixMillis(*second * 1000), trusted: false });
        story.drain();
    }
    assert_eq!(story.told(), []);
    story.detector.advance(received(3_010));
    story.drain();
    assert_eq!(story.told(), [LEFT_BEHIND]);
}

#[test]
fn wrong_clocks_are_suspected_and_raise_no_alarm() {
    fn trip(second: i64) -> (f64, f32) {
        match second {
            0..=1_499 => (0.0, 0.0),
            s @ 1_500..=4_499 => ((s - 1_500) as f64 * 20.0, 20.0),
            _ => (60_000.0, 0.0),
        }
    }
    for wrong in [600, -600, -75] {
        let mut story = Story::new();
        let mut trailer = reports("R-1", trip, 30, 6_000);
        for (_, report) in &mut trailer {
            report.at = UnixMillis(report.at.0 + wrong * 1_000);
        }
        story.play(&in_order(&[reports("T-1", trip, 10, 6_000), trailer]));
        assert_eq!(story.told(), [], "{wrong}");
        let seen = story.detector.observations(received(6_002));
        assert_eq!(seen.clock_suspect_units, [unit("R-1")], "{wrong}");
    }
}

/// The reports with a wrong clock, by so many seconds, that shows in no time of receipt: a logger read out on the spot.
fn off(messages: Vec<Message>, wrong: i64) -> Vec<Message> {
    let off = |(_, report): Message| {
        let at = UnixMillis(report.at.0 + wrong * 1_000);
        (at.secs_since(time(0)) as i64 + 2, Report { at, ..report })
    };
    messages.into_iter().map(off).collect()
}

#[test]
fn of_three_units_the_one_with_the_wrong_clock_is_named_alone() {
    for wrong in [90, -90] {
        for at_fault in ["T-1", "R-1", "R-2"] {
            let mut story = Story::empty(Settings::default());
            story.assign(&["R-1", "R-2"], -86_400, 0);
            let of = |id, every| off(reports(id, hauls, every, 3_000), if id == at_fault { wrong } else { 0 });
            // The tracks have to agree for a while first: from then on the clock is wrong.
            let start = |id, every| {
                reports(id, stays, every, 3_000)
                    .into_iter()
                    .map(|(s, r)| (s - 3_010, Report { at: UnixMillis(r.at.0 - 3_010_000), ..r }))
            };
            let before: Vec<_> =
                [("T-1", 10), ("R-1", 20), ("R-2", 20)].into_iter().flat_map(|(id, every)| start(id, every)).collect();
            story.play(&in_order(&[before, of("T-1", 10), of("R-1", 20), of("R-2", 20)]));
            assert_eq!(story.told(), [], "{at_fault} by {wrong} s");
            let seen = story.detector.observations(received(3_002));
            assert_eq!(seen.clock_suspect_units, [unit(at_fault)], "by {wrong} s");
        }
    }
}

#[test]
fn of_two_units_both_are_named_when_no_time_of_receipt_tells_them_apart() {
    for at_fault in ["T-1", "R-1"] {
        let mut story = Story::new();
        let of = |id, every| off(reports(id, hauls, every, 3_000), if id == at_fault { 90 } else { 0 });
        let rest = |id| {
            reports(id, stays, 60, 600).into_iter().map(|(s, r)| (s - 610, Report { at: UnixMillis(r.at.0 - 610_000), ..r }))
        };
        story.play(&in_order(&[rest("T-1").chain(rest("R-1")).collect(), of("T-1", 10), of("R-1", 20)]));
        assert_eq!(story.told(), [], "{at_fault}");
        assert_eq!(story.detector.observations(received(3_002)).clock_suspect, 2, "{at_fault}");
    }
}

/// Rests for 400 s, then 450 m down the road for as long.
fn moves_up(second: i64) -> (f64, f32) {
    match second {
        ..=399 => (0.0, 0.0),
        400..=489 => ((second - 400) as f64 * 5.0, 5.0),
        _ => (450.0, 0.0),
    }
}

fn moves_up_later(second: i64) -> (f64, f32) {
    moves_up(second - 180)
}

#[test]
fn a_trailer_ahead_of_its_standing_tractor_is_not_stolen_when_the_tractor_comes_there_in_time() {
    let mut story = Story::new();
    story.play(&in_order(&[reports("T-1", moves_up_later, 5, 2_000), reports("R-1", moves_up, 10, 2_000)]));
    assert_eq!(story.told(), []);
    assert!(story.detector.observations(received(2_002)).clock_suspect > 0);
    // When it does not come, the trailer was moved.
    let mut story = Story::new();
    story.play(&in_order(&[reports("T-1", stays, 5, 2_000), reports("R-1", moves_up, 10, 2_000)]));
    assert_eq!(story.told(), [(FindingEvent::Opened, Some(ViolationKind::TrailerMovingAlone))]);
    let delay = story.found[0].received.secs_since(time(400));
    assert!((240.0..=480.0).contains(&delay), "{delay}");
}

#[test]
fn an_alarm_that_a_wrong_clock_raised_names_the_clock_when_it_is_over() {
    // By its clock the tractor leaves, waits, and its trailer comes by itself.
    let mut story = Story::new();
    story.play(&in_order(&[reports("T-1", moves_up, 5, 2_000), reports("R-1", moves_up_later, 10, 2_000)]));
    assert_eq!(story.told(), [LEFT_BEHIND, CLOSED]);
    assert_eq!(story.detector.observations(received(2_002)).clock_suspect, 2);
    // A tractor that comes back for its trailer has a good clock.
    fn fetches(second: i64) -> (f64, f32) {
        match second {
            ..=599 => moves_up(second),
            600..=689 => (450.0 - (second - 600) as f64 * 5.0, 5.0),
            _ => (0.0, 0.0),
        }
    }
    let mut story = Story::new();
    story.play(&in_order(&[reports("T-1", fetches, 5, 2_000), reports("R-1", stays, 10, 2_000)]));
    assert_eq!(story.told(), [LEFT_BEHIND, CLOSED]);
    assert_eq!(story.detector.observations(received(2_002)).clock_suspect, 0);
}

#[test]
fn what_a_wrong_clock_explains_is_shown_as_vetoed_when_it_is() {
    let mut story = Story::new();
    let mut verdicts = BTreeMap::new();
    let rest = |id| reports(id, stays, 10, 300);
    let of = |id, wrong: i64| {
        off(reports(id, hauls, 10, 600), wrong)
            .into_iter()
            .map(|(s, r)| (s + 400, Report { at: UnixMillis(r.at.0 + 400_000), ..r }))
    };
    let messages = in_order(&[rest("T-1"), rest("R-1"), of("T-1", 0).collect(), of("R-1", 60).collect()]);
    for message in &messages {
        story.play(std::slice::from_ref(message));
        story.detector.comparisons(&message.1.unit, message.1.at, &mut |_, _, c| {
            verdicts.insert(c.at, c.verdict);
        });
    }
    let count = |verdict| verdicts.values().filter(|v| **v == verdict).count();
    assert!(count(Verdict::Vetoed) >= 3 && count(Verdict::Together) >= 30, "{verdicts:?}");
    assert!(verdicts.iter().all(|(at, v)| *v != Verdict::Vetoed || *at > time(400)), "{verdicts:?}");
}

#[test]
fn what_is_no_fix_is_counted() {
    let mut story = Story::new();
    let here = fix("R-1", 100, 0.0, 0.0);
    let there = |second, metres| fix("R-1", second, metres, 0.0);
    let cases = [
        (here.clone(), None),
        (here.clone(), Some(Refusal::Duplicate)),
        (Report { position: Some(Position { lat: 91.0, lon: 0.0 }), ..here.clone() }, Some(Refusal::OutOfRange)),
        (Report { valid: Some(false), ..there(110, 0.0) }, Some(Refusal::MarkedInvalid)),
        (Report { position: Some(Position { lat: 0.01, lon: -0.01 }), ..here.clone() }, Some(Refusal::NullIsland)),
        (Report { accuracy: Some(Metres(900.0)), ..there(110, 0.0) }, Some(Refusal::Inaccurate)),
        (Report { at: UnixMillis(1_072_915_236_000), ..here.clone() }, Some(Refusal::TooOld)),
        (Report { moving: Some(true), ..there(120, 0.0) }, Some(Refusal::Stale)),
        (there(130, 50_000.0), Some(Refusal::Held)),
        (there(140, 50_000.0), Some(Refusal::Held)),
        (there(150, 50_000.0), None),
    ];
    for (report, why) in cases {
        let before = story.detector.observations(received(200));
        story.play(&[(200, report.clone())]);
        let after = story.detector.observations(received(200));
        assert_eq!(after.accepted - before.accepted, u64::from(why.is_none()), "{report:?}");
        if let Some(why) = why {
            assert_eq!(after.refused.of(why) - before.refused.of(why), 1, "{report:?}");
        }
    }
    story.play(&[(200, fix("X-9", 100, 0.0, 0.0))]);
    assert_eq!(story.detector.observations(received(200)).unassigned, 1);
}

#[test]
fn each_of_two_trailers_is_watched() {
    let mut story = Story::new();
    story.assign(&["R-1", "R-2"], 0, 0);
    story.play(&in_order(&[
        reports("T-1", leaves, 10, 2_000),
        reports("R-1", leaves, 60, 2_000),
        reports("R-2", stays, 60, 2_000),
    ]));
    assert_eq!(story.told(), [LEFT_BEHIND]);
    assert_eq!(story.found[0].trailer, unit("R-2"));
}

#[test]
fn a_trailer_that_names_its_tractor_is_with_it() {
    let mut story = Story::new();
    let mut messages = left_behind(3_000);
    for (_, report) in messages.iter_mut().filter(|(_, r)| &*r.unit == "R-1") {
        report.coupling = Some(Coupling { state: CouplingState::Hooked, tractor: Some(unit("T-1")) });
    }
    story.play(&messages);
    assert_eq!(story.told(), []);
}
