//! What is remembered of the pairs for those who want to look: only when asked for, since it grows with the recording.

use std::collections::BTreeMap;

use super::naive::Naive;
use crate::core::geo::Position;
use crate::core::id::UnitId;
use crate::core::separation::{Comparison, Detector, Finding, FindingEvent, Settings};
use crate::core::telemetry::Report;
use crate::core::time::UnixMillis;
use crate::core::zone::Zone;

/// A tractor and one of its trailers.
pub type PairId = (UnitId, UnitId);

/// One pair's way through the recording.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    /// By event time, as the detector saw them last.
    pub comparisons: BTreeMap<UnixMillis, Comparison>,
    /// In the order in which they were told.
    pub findings: Vec<Finding>,
    /// What the naive rule says.
    pub naive: Naive,
}

impl Trail {
    /// Receive times of its violations.
    pub fn alarms(&self) -> impl Iterator<Item = UnixMillis> + '_ {
        self.findings.iter().filter(|f| f.event == FindingEvent::Opened).map(|f| f.received)
    }
}

/// All pairs that were ever assigned.
#[derive(Debug)]
pub struct Watch {
    settings: Settings,
    trails: BTreeMap<PairId, Trail>,
    /// By unit, of the assignments in effect.
    pairs: BTreeMap<UnitId, Vec<PairId>>,
    latest: BTreeMap<UnitId, Position>,
    zones: Vec<Zone>,
}

impl Watch {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, trails: BTreeMap::new(), pairs: BTreeMap::new(), latest: BTreeMap::new(), zones: Vec::new() }
    }

    /// The pairs, by tractor and trailer.
    #[must_use]
    pub const fn trails(&self) -> &BTreeMap<PairId, Trail> {
        &self.trails
    }

    /// The thresholds in effect.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The places where a trailer may be dropped, at the end of the recording.
    #[must_use]
    pub fn zones(&self) -> &[Zone] {
        &self.zones
    }

    pub(super) fn zoned(&mut self, zones: &[Zone]) {
        self.zones = zones.to_vec();
    }

    pub(super) fn assigned(&mut self, tractor: &UnitId, trailers: &[UnitId]) {
        self.pairs.values_mut().for_each(|pairs| pairs.retain(|(of, _)| of != tractor));
        for trailer in trailers {
            let pair = (tractor.clone(), trailer.clone());
            for unit in [tractor, trailer] {
                self.pairs.entry(unit.clone()).or_default().push(pair.clone());
            }
            self.trails.entry(pair).or_default();
        }
    }

    /// After the detector has taken in the report.
    pub(super) fn reported(&mut self, report: &Report, received: UnixMillis, detector: &Detector) {
        let Some(pairs) = self.pairs.get(&report.unit) else { return };
        if let Some(position) = report.position.filter(|p| p.is_valid() && report.valid != Some(false)) {
            self.latest.insert(report.unit.clone(), position);
            for pair in pairs {
                let latest = self.latest.get(&pair.0).zip(self.latest.get(&pair.1));
                if let (Some((tractor, trailer)), Some(trail)) = (latest, self.trails.get_mut(pair)) {
                    trail.naive.see(tractor.distance(*trailer), received, &self.settings);
                }
            }
        }
        // A time ahead of its receipt may have been set right.
        for at in [Some(report.at), Some(received).filter(|r| *r < report.at)].into_iter().flatten() {
            detector.comparisons(&report.unit, at, &mut |tractor, trailer, comparison| {
                if let Some(trail) = self.trails.get_mut(&(tractor.clone(), trailer.clone())) {
                    trail.comparisons.insert(comparison.at, comparison);
                }
            });
        }
    }

    pub(super) fn found(&mut self, finding: &Finding) {
        let pair = (finding.tractor.clone(), finding.trailer.clone());
        self.trails.entry(pair).or_default().findings.push(finding.clone());
    }
}
