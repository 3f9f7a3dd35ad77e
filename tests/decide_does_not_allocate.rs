//! Deciding a report touches no heap, unless it changes what is kept of its pair; and that is rare.
#![allow(clippy::unwrap_used)]

#[path = "common/allocations.rs"]
mod allocations;
#[path = "common/fleet.rs"]
mod fleet;

use fleet::{Fleet, Mix};
use gladhand::core::machine::Input;

const MEASURED: usize = 20_000;

#[test]
fn decide_does_not_allocate() {
    for (tractor, trailer, metres) in [(1.0, 10.0, 40_000.0), (10.0, 60.0, 150_000.0), (30.0, 300.0, 300_000.0)] {
        let fleet = Fleet::new(200, Mix { tractor, trailer, metres });
        let mut machine = fleet.machine();
        let warm_up = fleet.len() / 2;
        let (mut reports, mut silent) = (0, 0);
        for (nth, (report, now)) in fleet.reports().enumerate().take(warm_up + MEASURED) {
            let allocations = allocations::during(|| machine.handle(Input::Report(&report), now));
            let silently = machine.poll_output().is_none();
            while machine.poll_output().is_some() {}
            if nth < warm_up {
                continue;
            }
            reports += 1;
            silent += usize::from(silently);
            assert!(!silently || allocations == 0, "{allocations} allocations for {report:?}");
        }
        assert!(reports >= 10_000, "{reports}");
        // Each of the 100 pairs is kept once in ten minutes.
        assert!(reports - silent < reports / 10, "{tractor} s: only {silent} of {reports} changed nothing");
    }
    // The counter counts.
    assert_eq!(allocations::during(|| drop(std::hint::black_box(Box::new(5)))), 1);
}
