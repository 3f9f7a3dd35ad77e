//! Every scenario of simulated rigs, over many seeds, through the detector: it finds what is due, in time and once, and
//! nothing else. `GLADHAND_SEEDS` sets how many seeds (20), `GLADHAND_SCENARIO` runs one scenario by name.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gladhand::core::separation::{Detector, Event, Finding, FindingEvent, Observations, PairRecord, Receive};
use gladhand::core::telemetry::Report;
use gladhand::core::time::UnixMillis;
use gladhand::formats::{Decoder, Format};
use gladhand::rigs::{Case, Due, Health, Kind, Scenario, scenarios};

#[test]
fn every_scenario_ends_as_it_must() {
    let number = |name: &str| std::env::var(name).ok();
    let seeds: u64 = number("GLADHAND_SEEDS").map_or(20, |n| n.parse().expect("GLADHAND_SEEDS is a number"));
    let only = number("GLADHAND_SCENARIO");
    let chosen: Vec<_> = scenarios().iter().filter(|s| only.as_deref().is_none_or(|name| name == s.name)).collect();
    assert!(!chosen.is_empty(), "GLADHAND_SCENARIO names no scenario");
    let rows: Vec<Row> = std::thread::scope(|scope| {
        let threads: Vec<_> = chosen.iter().map(|scenario| scope.spawn(|| judge(scenario, seeds))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a scenario runs to its end")).collect()
    });
    let mut table = format!("{:>2} {:42} {:30} {:>7} {:>11} false\n", "#", "scenario", "expected", "found", "worst/by s");
    let mut failures = String::new();
    for row in &rows {
        table.push_str(&row.line);
        failures.push_str(&row.failures);
    }
    println!("{table}");
    assert!(failures.is_empty(), "\n{failures}");
}

struct Row {
    line: String,
    failures: String,
}

fn judge(scenario: &Scenario, seeds: u64) -> Row {
    let (mut failures, mut found, mut due, mut wrong) = (String::new(), 0, 0, 0);
    let (mut expected, mut worst) = (String::new(), None::<(f64, u64)>);
    for seed in 0..seeds {
        let case = scenario.build(seed);
        let seen = run(&case);
        let verdict = Verdict::of(&case, &seen);
        found += verdict.found;
        due += case.expectation.due.len();
        wrong += verdict.wrong;
        worst = worst.into_iter().chain(verdict.worst).max_by(|a, b| a.0.total_cmp(&b.0));
        for complaint in verdict.complaints {
            let _ = writeln!(failures, "{} {} seed {seed}: {complaint}", scenario.number, scenario.name);
        }
        if seed == 0 {
            expected = expectation(&case);
        }
    }
    let delay = worst.map_or_else(String::new, |(delay, by)| format!("{delay:.0}/{by}"));
    let share = if due == 0 { String::new() } else { format!("{found}/{due}") };
    let line = format!("{:>2} {:42} {expected:30} {share:>7} {delay:>11} {wrong}\n", scenario.number, scenario.name);
    Row { line, failures }
}

fn expectation(case: &Case) -> String {
    let expectation = &case.expectation;
    let mut kinds: Vec<_> = expectation.due.iter().map(|due| due.kind.map_or("suspected", |kind| kind.as_str())).collect();
    kinds.dedup();
    let mut text = if kinds.is_empty() { "nothing".to_owned() } else { kinds.join(", ") };
    for (said, word) in [
        (expectation.due.is_empty() && expectation.may_suspect, " (or suspected)"),
        (expectation.closed > 0, ", closed"),
        (matches!(expectation.health, Some(Health::ClockSuspect(_))), ", clock suspect"),
        (matches!(expectation.health, Some(Health::Silent(_))), ", silent"),
        (matches!(expectation.health, Some(Health::Refused)), ", counted"),
    ] {
        if said {
            text.push_str(word);
        }
    }
    text
}

/// What came out of the detector.
#[derive(Default)]
struct Seen {
    findings: Vec<Finding>,
    /// At the end.
    health: Observations,
}

fn run(case: &Case) -> Seen {
    let mut seen = Seen::default();
    let mut known = Known::default();
    let mut detector = Detector::new(&case.settings);
    let traccar = Decoder::new(Format::Traccar, None).expect("Traccar has its unit in the payload");
    let mut last = Receive { at: UnixMillis(0), trusted: false };
    for item in &case.stream {
        let now = Receive { at: item.received, trusted: item.trusted };
        while let Some(due) = detector.next_due().filter(|due| *due <= item.received) {
            detector.advance(Receive { at: due, trusted: item.trusted });
            assert_ne!(detector.next_due(), Some(due), "what was due is done");
            known.take(&mut detector, &mut seen);
        }
        let mut report = |report: &Report| detector.report(report, now);
        match &item.kind {
            Kind::Report(r) => report(r),
            Kind::Traccar(payload) => {
                traccar.decode("traccar", payload.as_bytes(), &mut |r| report(&r)).expect("Traccar's payload is read");
            }
            Kind::Assignment(a) => detector.assign(&a.tractor, &a.trailers, a.since.unwrap_or(item.received), now),
            Kind::Trailer(traits) => detector.set_trailer(traits.clone()),
            Kind::Zones(zones) => detector.set_zones(zones.clone()),
            Kind::Restart => detector = known.restart(case, item.received, now),
            Kind::Uplink(_) => {}
        }
        known.roster.extend(match &item.kind {
            Kind::Assignment(_) | Kind::Trailer(_) | Kind::Zones(_) => Some(item.kind.clone()),
            Kind::Report(_) | Kind::Traccar(_) | Kind::Restart | Kind::Uplink(_) => None,
        });
        known.take(&mut detector, &mut seen);
        last = now;
    }
    seen.health = detector.observations(last);
    seen
}

/// What survives a restart.
#[derive(Default)]
struct Known {
    roster: Vec<Kind>,
    pairs: BTreeMap<(String, String), PairRecord>,
}

impl Known {
    fn take(&mut self, detector: &mut Detector, seen: &mut Seen) {
        while let Some(event) = detector.poll() {
            match event {
                Event::Found(finding) => seen.findings.push(*finding),
                Event::Keep(record) => {
                    self.pairs.insert((record.tractor.to_string(), record.trailer.to_string()), *record);
                }
                Event::Forget { tractor, trailer } => {
                    self.pairs.remove(&(tractor.to_string(), trailer.to_string()));
                }
            }
        }
    }

    /// A new detector that knows the roster, as the daemon reads it at start, and the pairs, as it kept them.
    fn restart(&self, case: &Case, at: UnixMillis, now: Receive) -> Detector {
        let mut detector = Detector::new(&case.settings);
        self.pairs.values().for_each(|record| detector.restore(record.clone(), now));
        for kind in &self.roster {
            if let Kind::Zones(zones) = kind {
                detector.set_zones(zones.clone());
            } else if let Kind::Trailer(traits) = kind {
                detector.set_trailer(traits.clone());
            } else if let Kind::Assignment(a) = kind {
                detector.assign(&a.tractor, &a.trailers, a.since.unwrap_or(at), now);
            }
        }
        detector
    }
}

/// How what was found compares with what was due.
#[derive(Default)]
struct Verdict {
    found: usize,
    wrong: usize,
    /// The longest delay and its allowance, in seconds.
    worst: Option<(f64, u64)>,
    complaints: Vec<String>,
}

impl Verdict {
    fn of(case: &Case, seen: &Seen) -> Self {
        let (mut verdict, wanted) = (Self::default(), &case.expectation);
        let matches = |finding: &Finding, due: &Due| {
            let event = if due.kind.is_some() { FindingEvent::Opened } else { FindingEvent::Suspected };
            let pair = finding.tractor == due.tractor && finding.trailer == due.trailer;
            pair && finding.event == event
                && finding.received >= due.departure
                && (due.kind.is_none() || finding.kind == due.kind)
        };
        for due in &wanted.due {
            let what = due.kind.map_or("suspicion", |kind| kind.as_str());
            let Some(first) = seen.findings.iter().find(|finding| matches(finding, due)) else {
                verdict.complaints.push(format!("no {what} of {}", due.trailer));
                continue;
            };
            let delay = first.received.secs_since(due.departure);
            let by = due.by.as_secs();
            verdict.worst = verdict.worst.into_iter().chain([(delay, by)]).max_by(|a, b| a.0.total_cmp(&b.0));
            if delay <= by as f64 {
                verdict.found += 1;
            } else {
                verdict.complaints.push(format!("{what} of {} after {delay:.0} s, allowed are {by}", due.trailer));
            }
        }
        let mut open: Vec<_> = wanted.due.iter().collect();
        for finding in &seen.findings {
            let fits = match finding.event {
                FindingEvent::Closed | FindingEvent::DroppedOk => continue,
                FindingEvent::Suspected => wanted.may_suspect,
                FindingEvent::Opened => {
                    let due = open.iter().position(|due| matches(finding, due));
                    due.map(|i| open.swap_remove(i)).is_some()
                }
            };
            if !fits {
                verdict.wrong += 1;
                verdict.complaints.push(format!("false {}", serde_json::to_string(finding).expect("a finding is JSON")));
            }
        }
        let closed = seen.findings.iter().filter(|finding| finding.event == FindingEvent::Closed).count();
        if wanted.closed > 0 && closed != wanted.closed {
            verdict.complaints.push(format!("{closed} episodes closed, not {}", wanted.closed));
        }
        let health = &seen.health;
        let is_said = match &wanted.health {
            None => true,
            // Its partner may be named too: it cannot always be told which of the two is wrong.
            Some(Health::ClockSuspect(unit)) => health.clock_suspect_units.contains(unit),
            Some(Health::Silent(unit)) => health.silent_units.contains(unit),
            Some(Health::Refused) => health.refused.total() > 0,
        };
        if !is_said {
            let (suspects, silent) = (&health.clock_suspect_units, &health.silent_units);
            verdict.complaints.push(format!("health says clocks {suspects:?}, silent {silent:?}, not {:?}", wanted.health));
        }
        verdict
    }
}
