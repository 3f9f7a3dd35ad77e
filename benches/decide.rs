//! How long one report takes to be decided, and to be decoded and decided as the shell does it, with the heap allocations of
//! each: `cargo bench --bench decide [-- PART OF A LINE'S NAME]`.
//!
//! Fleets of simulated rigs on the road, histories as full as they get on the way: the first two thirds of a haul warm up,
//! the rest is measured in rounds of 1,000 reports, of which the fastest and the median are printed in nanoseconds a report.
//! Allocations are counted apart for reports that change a record, about one in ten minutes of a pair, and for all others.
#![allow(clippy::print_stdout, clippy::expect_used, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, reason = "measures how long something takes")]

#[path = "../tests/common/allocations.rs"]
mod allocations;
#[path = "../tests/common/fleet.rs"]
mod fleet;

use std::hint::black_box;
use std::time::Instant;

use fleet::{Fleet, Mix};
use gladhand::core::machine::{Input, Machine};
use gladhand::core::telemetry::Report;
use gladhand::core::time::Now;
use gladhand::formats::{Router, Source};
use gladhand::rigs::to_payload;

const ROUND: usize = 1_000;
const ROUNDS: usize = 1_000;

fn main() {
    println!("{:<34} {:>9} {:>9} {:>13} {:>13}", "", "best ns", "median ns", "heap, usually", "heap, records");
    for units in [200, 20_000] {
        for (tractor, trailer, metres) in [(1.0, 10.0, 60_000.0), (10.0, 60.0, 150_000.0), (30.0, 300.0, 300_000.0)] {
            let fleet = Fleet::new(units, Mix { tractor, trailer, metres });
            let name = |what| format!("{what}, {units} units, {tractor} s + {trailer} s");
            measure(&name("decide"), &fleet, |report| report, |machine, report, now| machine.handle(Input::Report(report), now));
            let router: Router = [Source::default()].into_iter().collect();
            let message = |report: Report| (format!("fleet/{}/telemetry", report.unit), to_payload(&report));
            measure(&name("both"), &fleet, message, |machine, (topic, payload), now| {
                let decoder = router.route(topic).expect("a decoder");
                let decoded =
                    decoder.decode(topic, payload.as_bytes(), &mut |report| machine.handle(Input::Report(&report), now));
                black_box(decoded).expect("a report");
            });
        }
    }
}

/// Prints a line: what `handle` costs for one of the fleet's reports, `prepare`d beforehand.
fn measure<T>(name: &str, fleet: &Fleet, prepare: impl Fn(Report) -> T, handle: impl Fn(&mut Machine, &T, Now)) {
    if std::env::args().skip(1).any(|part| !part.starts_with('-') && !name.contains(&part)) {
        return;
    }
    let mut machine = fleet.machine();
    let mut reports = fleet.reports();
    let mut last = None;
    for (report, now) in reports.by_ref().take(fleet.len() * 2 / 3) {
        machine.handle(Input::Report(&report), now);
        settle(&mut machine, now, &mut last);
    }
    let mut rounds = Vec::with_capacity(ROUNDS);
    let mut allocated = [(0, 0); 2];
    while rounds.len() < ROUNDS {
        let round: Vec<(T, Now)> = reports.by_ref().take(ROUND).map(|(report, now)| (prepare(report), now)).collect();
        if round.len() < ROUND {
            break;
        }
        // Every other round is for the clock, the others for the count.
        let start = Instant::now();
        for (input, now) in &round {
            handle(&mut machine, black_box(input), *now);
        }
        rounds.push(start.elapsed().as_nanos() / ROUND as u128);
        settle(&mut machine, round[0].1, &mut last);
        for (report, now) in reports.by_ref().take(ROUND) {
            let input = prepare(report);
            let allocations = allocations::during(|| handle(&mut machine, &input, now));
            let (reports, sum) = &mut allocated[usize::from(machine.poll_output().is_some())];
            (*reports, *sum) = (*reports + 1, *sum + allocations);
            settle(&mut machine, now, &mut last);
        }
    }
    rounds.sort_unstable();
    let [usually, records] = allocated.map(|(reports, sum)| sum as f64 / f64::max(reports as f64, 1.0));
    println!("{name:<34} {:>9} {:>9} {usually:>13.3} {records:>13.1}", rounds[0], rounds[rounds.len() / 2]);
}

/// Performs nothing of what was put out; time passes once a second, as in the shell.
fn settle(machine: &mut Machine, now: Now, last: &mut Option<Now>) {
    if last.is_none_or(|last| now.wall.millis_since(last.wall) >= 1000) {
        machine.handle(Input::Tick, now);
        *last = Some(now);
    }
    while machine.poll_output().is_some() {}
}
