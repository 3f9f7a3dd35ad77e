//! The roster in effect: the file, overridden per tractor by what came over MQTT.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Assignment, Dispatcher, TrailerTraits};
use crate::core::id::{DriverId, UnitId};
use crate::core::separation::{Detector, Receive};
use crate::core::time::UnixMillis;
use crate::core::zone::Zone;

/// Overrides that are kept; further tractors are refused. Twice the units that one gateway is meant for.
pub const MAX_OVERRIDES: usize = 40_000;

/// The roster file's entries without `since` hold from the beginning of time: whoever wrote them down did so before.
pub const ALWAYS: UnixMillis = UnixMillis(0);

/// Where an entry of the roster came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// `roster.toml` or `[[zone]]`.
    File,
    /// A retained message.
    Mqtt,
}

/// What the files say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RosterFile {
    /// `[[assignment]]`
    pub assignments: Vec<Assignment>,
    /// `[[trailer]]`
    pub trailers: Vec<TrailerTraits>,
    /// `[[zone]]`
    pub zones: Vec<Zone>,
    /// `[dispatcher]`, for rigs that name none.
    pub dispatcher: Option<Dispatcher>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Book {
    file: RosterFile,
    overrides: BTreeMap<UnitId, Assignment>,
    zones: Option<Vec<Zone>>,
}

/// What an override did.
#[derive(Clone, Debug, PartialEq)]
pub enum Override {
    /// It is in effect now and must be kept.
    Taken(Box<Assignment>),
    /// It says what is in effect already.
    Same,
    /// It is older than what is in effect.
    Older,
    /// [`MAX_OVERRIDES`].
    Full,
}

impl Book {
    /// Takes over what the files say now. Overrides stay.
    pub fn load(&mut self, file: RosterFile) {
        self.file = file;
    }

    /// Takes back a stored override.
    pub fn restore(&mut self, assignment: Assignment) {
        self.overrides.insert(assignment.tractor.clone(), assignment);
    }

    /// All overrides, as they are kept.
    pub fn overrides(&self) -> impl Iterator<Item = &Assignment> {
        self.overrides.values()
    }

    /// Takes back, or takes over, the zones that came over MQTT; `None` returns to those of the file.
    pub fn set_zones(&mut self, zones: Option<Vec<Zone>>) {
        self.zones = zones;
    }

    /// One tractor's assignment came over MQTT. Without `since` it holds from `received` on, unless it only repeats what
    /// is in effect (a broker delivers retained messages again at every connect).
    pub fn assign(&mut self, mut assignment: Assignment, received: UnixMillis) -> Override {
        if let Some(known) = self.overrides.get(&assignment.tractor) {
            let since = assignment.since.or(known.since);
            if (Assignment { since, ..assignment.clone() }) == *known {
                return Override::Same;
            }
            if assignment.since.is_some_and(|since| known.since.is_some_and(|known| since < known)) {
                return Override::Older;
            }
        } else if self.overrides.len() >= MAX_OVERRIDES {
            return Override::Full;
        }
        assignment.since.get_or_insert(received);
        self.overrides.insert(assignment.tractor.clone(), assignment.clone());
        Override::Taken(Box::new(assignment))
    }

    /// The assignment in effect: of file and override the one that holds from the later time on; an entry of the file that
    /// names no time yields to any override.
    #[must_use]
    pub fn assignment(&self, tractor: &UnitId) -> Option<(&Assignment, Source)> {
        let file = self.file.assignments.iter().find(|a| a.tractor == *tractor);
        match (file, self.overrides.get(tractor)) {
            (Some(file), Some(over)) if file.since > over.since => Some((file, Source::File)),
            (_, Some(over)) => Some((over, Source::Mqtt)),
            (Some(file), None) => Some((file, Source::File)),
            (None, None) => None,
        }
    }

    /// All assignments in effect, by tractor.
    #[must_use]
    pub fn assignments(&self) -> Vec<(&Assignment, Source)> {
        let mut all: BTreeMap<&UnitId, (&Assignment, Source)> =
            self.file.assignments.iter().map(|a| (&a.tractor, (a, Source::File))).collect();
        for (tractor, over) in &self.overrides {
            if all.get(tractor).is_none_or(|(file, _)| file.since <= over.since) {
                all.insert(tractor, (over, Source::Mqtt));
            }
        }
        all.into_values().collect()
    }

    /// The zones in effect.
    #[must_use]
    pub fn zones(&self) -> (&[Zone], Source) {
        match &self.zones {
            Some(zones) => (zones, Source::Mqtt),
            None => (&self.file.zones, Source::File),
        }
    }

    /// What is known of trackers.
    #[must_use]
    pub fn trailers(&self) -> &[TrailerTraits] {
        &self.file.trailers
    }

    /// Tells a detector what is in effect; what it knows already has no effect there.
    pub fn apply(&self, detector: &mut Detector, now: Receive) {
        self.prepare(detector);
        for (assignment, _) in self.assignments() {
            Self::assign_in(detector, assignment, now);
        }
    }

    /// Tells a detector all but the assignments.
    pub fn prepare(&self, detector: &mut Detector) {
        for traits in self.trailers() {
            detector.set_trailer(traits.clone());
        }
        detector.set_zones(self.zones().0.to_vec());
    }

    /// Tells a detector one assignment.
    pub fn assign_in(detector: &mut Detector, assignment: &Assignment, now: Receive) {
        detector.assign(&assignment.tractor, &assignment.trailers, assignment.since.unwrap_or(ALWAYS), now);
    }

    /// The dispatcher for a tractor's driver: the roster's, else the default.
    #[must_use]
    pub fn dispatcher(&self, tractor: &UnitId) -> Option<&Dispatcher> {
        self.assignment(tractor).and_then(|(a, _)| a.dispatcher.as_ref()).or(self.file.dispatcher.as_ref())
    }

    /// The dispatcher for a driver, wherever the roster has them; else the default.
    #[must_use]
    pub fn dispatcher_of(&self, driver: &DriverId) -> Option<&Dispatcher> {
        self.assignments()
            .into_iter()
            .find(|(a, _)| a.driver.as_ref().is_some_and(|d| d.id == *driver))
            .and_then(|(a, _)| a.dispatcher.as_ref())
            .or(self.file.dispatcher.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(id: &str) -> UnitId {
        UnitId::new(id).unwrap()
    }

    fn assignment(trailer: &str, since: Option<i64>) -> Assignment {
        Assignment {
            tractor: unit("T-1"),
            trailers: [unit(trailer)].into_iter().collect(),
            driver: None,
            dispatcher: None,
            since: since.map(UnixMillis),
        }
    }

    fn in_effect(book: &Book) -> (String, Source) {
        let (assignment, source) = book.assignment(&unit("T-1")).unwrap();
        assert_eq!(book.assignments(), [(assignment, source)]);
        (assignment.trailers[0].to_string(), source)
    }

    #[test]
    fn so_many_tractors_may_be_assigned_over_mqtt_and_known_ones_still_change() {
        let mut book = Book::default();
        let of = |n: usize, trailer| Assignment { tractor: unit(&format!("T-{n}")), ..assignment(trailer, Some(1_000)) };
        for n in 0..MAX_OVERRIDES {
            assert!(matches!(book.assign(of(n, "R-1"), UnixMillis(0)), Override::Taken(_)));
        }
        assert_eq!(book.assign(of(MAX_OVERRIDES, "R-1"), UnixMillis(0)), Override::Full);
        assert!(matches!(book.assign(of(0, "R-2"), UnixMillis(0)), Override::Taken(_)));
    }

    #[test]
    fn an_override_wins_until_something_newer() {
        let mut book = Book::default();
        book.load(RosterFile { assignments: vec![assignment("R-1", None)], ..RosterFile::default() });
        assert_eq!(in_effect(&book), ("R-1".to_owned(), Source::File));
        assert!(matches!(book.assign(assignment("R-2", Some(1_000)), UnixMillis(9_000)), Override::Taken(_)));
        assert_eq!(in_effect(&book), ("R-2".to_owned(), Source::Mqtt));
        assert_eq!(book.assign(assignment("R-3", Some(999)), UnixMillis(9_000)), Override::Older);
        assert_eq!(in_effect(&book), ("R-2".to_owned(), Source::Mqtt));
        book.load(RosterFile { assignments: vec![assignment("R-4", Some(2_000))], ..RosterFile::default() });
        assert_eq!(in_effect(&book), ("R-4".to_owned(), Source::File));
    }

    #[test]
    fn a_retained_message_without_since_is_taken_once() {
        let mut book = Book::default();
        let Override::Taken(taken) = book.assign(assignment("R-1", None), UnixMillis(5_000)) else { panic!() };
        assert_eq!(taken.since, Some(UnixMillis(5_000)));
        assert_eq!(book.assign(assignment("R-1", None), UnixMillis(7_000)), Override::Same);
        let Override::Taken(taken) = book.assign(assignment("R-2", None), UnixMillis(8_000)) else { panic!() };
        assert_eq!(taken.since, Some(UnixMillis(8_000)));
    }
}
