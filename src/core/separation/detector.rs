//! All units and pairs: takes in reports and assignments, hands out what changed.

use core::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};

use super::acceptance::{Intake, Refusal};
use super::comparison::{self, Comparison};
use super::finding::{DecidedBy, Finding, FindingEvent};
use super::limits::Limits;
use super::names::Names;
use super::observations::{Observations, Refused, UnitView};
use super::pair::{Explained, Message, Pair, Scene, finding};
use super::record::{PairRecord, Phase};
use super::sample::Side;
use super::unit::Unit;
use super::{Event, Receive, Settings};
use crate::core::id::{UnitId, ViolationId};
use crate::core::roster::TrailerTraits;
use crate::core::telemetry::{Coupling, CouplingState, Report};
use crate::core::time::UnixMillis;
use crate::core::zone::Zone;

/// Decides when a tractor and its trailer came apart. See the [module](super).
#[derive(Debug)]
pub struct Detector {
    limits: Limits,
    zones: Vec<Zone>,
    traits: BTreeMap<UnitId, TrailerTraits>,
    names: Names,
    units: Slots<Unit>,
    pairs: Slots<Pair>,
    events: VecDeque<Event>,
    counts: Counts,
    /// Whether the last receive time could be believed; unknown before the first.
    trusted: Option<bool>,
    /// No pair needs [`Detector::advance`] before this.
    due: Option<UnixMillis>,
    /// What the last input took out of the evidence because a wrong clock explains it: pair and event time.
    vetoed: Vec<(u32, UnixMillis)>,
}

#[derive(Debug, Default)]
struct Counts {
    received: u64,
    accepted: u64,
    refused: Refused,
    retimed: u64,
    unassigned: u64,
}

impl Detector {
    /// A detector that knows nobody.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            limits: Limits::from(settings),
            zones: Vec::new(),
            traits: BTreeMap::new(),
            names: Names::default(),
            units: Slots::default(),
            pairs: Slots::default(),
            events: VecDeque::new(),
            counts: Counts::default(),
            trusted: None,
            due: None,
            vetoed: Vec::new(),
        }
    }

    /// Changes the thresholds. What was found stays found.
    pub fn configure(&mut self, settings: &Settings) {
        self.limits = Limits::from(settings);
    }

    /// The gateway's own clock was set: what its earlier readings said of the units' clocks does not hold any longer.
    pub fn clock_set(&mut self) {
        for unit in self.units.iter_mut() {
            unit.clock_set();
        }
    }

    /// Replaces the places where a trailer may be dropped.
    pub fn set_zones(&mut self, zones: Vec<Zone>) {
        self.zones = zones;
    }

    /// Says what is known of a trailer's tracker.
    pub fn set_trailer(&mut self, traits: TrailerTraits) {
        if let Some(unit) = self.slot(&traits.id).and_then(|slot| self.units.get_mut(slot)) {
            unit.set_traits(&traits);
        }
        self.traits.insert(traits.id.clone(), traits);
    }

    /// Takes back a pair from the store, before anything else is put in. A restored pair whose tractor has no assignment any
    /// more needs an [`assign`](Self::assign) without trailers.
    pub fn restore(&mut self, record: PairRecord, now: Receive) {
        let PairRecord { tractor, trailer, state, tractor_fixes, trailer_fixes, tractor_clock, trailer_clock } = record;
        if self.pair_of(&tractor, &trailer).is_some() {
            return;
        }
        // How long it was silent before is not known; whether it is now will show.
        let (tractor, trailer) = (self.unit(&tractor, now.at), self.unit(&trailer, now.at));
        let sides = [(tractor, tractor_fixes.as_slice(), tractor_clock), (trailer, trailer_fixes.as_slice(), trailer_clock)];
        for (slot, fixes, clock) in sides {
            if let Some(unit) = self.units.get_mut(slot) {
                for fix in fixes {
                    unit.history.insert(*fix);
                }
                unit.note_restored();
                if let Some(clock) = clock {
                    unit.restore_clock(clock);
                }
            }
        }
        let ended = state.ended;
        let mut pair = Pair::restored(tractor, trailer, state);
        if let (Some(tractor), Some(trailer)) = (self.units.get(tractor), self.units.get(trailer)) {
            pair.note_kept(tractor, trailer);
        }
        self.add_pair(pair);
        if let Some(end) = ended {
            self.wake(self.expiry(end));
        }
    }

    /// An assignment holds from `since` (event time) and ends the tractor's former one at that time. Trailers that stay
    /// assigned stay as they are; none at all means unassigned.
    pub fn assign(&mut self, tractor: &UnitId, trailers: &[UnitId], since: UnixMillis, now: Receive) {
        self.notice_trust(now);
        let message = Message { side: Side::Tractor, ts: since, now };
        let former = self.pairs_of(tractor);
        let is_over = |d: &Self, slot| d.pairs.get(slot).is_some_and(|p| p.state.ended.is_some());
        // New pairs first, so that a tractor that changes trailers keeps its history; their records last, so that they
        // outlive what is forgotten.
        let mut current: Vec<u32> = former.iter().copied().filter(|slot| !is_over(self, *slot)).collect();
        for trailer in trailers.iter().filter(|trailer| *trailer != tractor) {
            if !current.iter().any(|slot| self.trailer_of(*slot) == Some(trailer)) {
                let (a, b) = (self.unit(tractor, now.at), self.unit(trailer, now.at));
                current.push(self.add_pair(Pair::new(a, b, since)));
            }
        }
        for slot in former {
            let stays = self.trailer_of(slot).is_some_and(|trailer| trailers.contains(trailer));
            match (stays, is_over(self, slot)) {
                (true, true) => self.forget(slot, message),
                (false, false) => {
                    self.with_pair(slot, message, |pair, scene, out| pair.end(since, scene, out));
                    match self.expiry(since) {
                        past if past <= now.at => self.forget(slot, message),
                        expiry => self.wake(expiry),
                    }
                }
                (true, false) | (false, true) => {}
            }
        }
        for slot in current {
            self.with_pair(slot, message, |_, _, _| {});
        }
    }

    /// Takes in one report.
    pub fn report(&mut self, report: &Report, now: Receive) {
        self.notice_trust(now);
        let Some(slot) = self.slot(&report.unit) else {
            self.counts.unassigned += 1;
            return;
        };
        let Some(unit) = self.units.get_mut(slot) else { return };
        self.counts.received += 1;
        unit.hear(now);
        let coupled = report.coupling.as_ref().and_then(|c| note_coupling(unit, c, report.at, now));
        let (was_off, former_error) = (unit.intake.clock_is_off(), unit.intake.clock_error());
        let mut is_stale = false;
        let admitted = match report.position.map(|p| unit.intake.admit(report, p, &mut unit.history, now)) {
            Some(Ok(admitted)) => {
                unit.note_position(None);
                admitted
            }
            Some(Err(why)) => {
                self.counts.refused.count(why);
                unit.note_position(Some(why));
                is_stale = why == Refusal::Stale;
                Default::default()
            }
            None => Default::default(),
        };
        if !admitted.times.is_empty() {
            unit.note_delay(&admitted.times, now);
        }
        let (is_off, error) = (unit.intake.clock_is_off(), unit.intake.clock_error());
        self.counts.accepted += u64::from(!admitted.times.is_empty());
        let retimed = now.trusted && !admitted.times.is_empty() && !admitted.times.contains(&report.at);
        self.counts.retimed += u64::from(retimed);
        if is_off || retimed {
            unit.suspect_clock(now.at);
        }
        if admitted.times.is_empty() && coupled.is_none() && !is_stale {
            return;
        }
        for nth in 0.. {
            let Some(pair_slot) = self.units.get(slot).and_then(|u| u.pairs.get(nth)).copied() else { break };
            let Some(pair) = self.pairs.get(pair_slot) else { continue };
            let side = if pair.tractor == slot { Side::Tractor } else { Side::Trailer };
            let message = Message { side, ts: report.at, now };
            let names_us = coupled
                .as_ref()
                .filter(|(_, tractor)| side == Side::Trailer && self.units.get(pair.tractor).is_some_and(|u| u.id == **tractor));
            self.with_pair(pair_slot, message, |pair, scene, out| {
                if error != former_error {
                    pair.keep();
                }
                if is_off && !was_off {
                    // What was gathered with a wrong clock is no evidence.
                    pair.forget_evidence();
                }
                if is_stale {
                    pair.keep_stale(scene);
                }
                if let Some(stale) = admitted.withdrawn {
                    pair.withdraw(stale);
                }
                if let Some((at, _)) = names_us {
                    pair.take_coupling(*at, scene, out);
                }
                for at in &admitted.times {
                    pair.take_fix(*at, scene, out);
                }
            });
        }
    }

    /// Time has passed.
    pub fn advance(&mut self, now: Receive) {
        self.notice_trust(now);
        if self.due.is_some_and(|due| due <= now.at) {
            self.sweep(now);
        }
    }

    /// When [`advance`](Self::advance) is worth calling, in receive time.
    #[must_use]
    pub fn next_due(&self) -> Option<UnixMillis> {
        self.due
    }

    /// What changed, oldest first; until `None` after every input.
    pub fn poll(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// As [`poll`](Self::poll), up to the first finding.
    pub fn poll_record(&mut self) -> Option<Event> {
        match self.events.front()? {
            Event::Keep(_) | Event::Forget { .. } => self.events.pop_front(),
            Event::Found(_) => None,
        }
    }

    /// The episodes that are suspected or open.
    pub fn open(&self) -> impl Iterator<Item = Finding> + '_ {
        self.pairs.iter().filter_map(|pair| {
            let (event, episode) = match &pair.state.phase {
                Phase::Suspected(e) => (FindingEvent::Suspected, e),
                Phase::Open(e) => (FindingEvent::Opened, e),
                Phase::Watching | Phase::Dropped(..) => return None,
            };
            let (tractor, trailer) = (self.units.get(pair.tractor)?, self.units.get(pair.trailer)?);
            let decided_by = DecidedBy { unit: trailer.id.clone(), ts: episode.at };
            Some(finding(event, episode, tractor, trailer, decided_by, episode.at))
        })
    }

    /// Puts out what is to be kept of every pair once more.
    pub fn keep_again(&mut self) {
        for pair in self.pairs.iter_mut() {
            if let (Some(tractor), Some(trailer)) = (self.units.get(pair.tractor), self.units.get(pair.trailer)) {
                pair.keep_again();
                self.events.extend(pair.take_record(tractor, trailer).map(Event::Keep));
            }
        }
    }

    /// When an open violation was last seen to be one, in event time.
    #[must_use]
    pub fn newest_evidence(&self, violation_id: &ViolationId) -> Option<UnixMillis> {
        self.pairs.iter().find_map(|pair| match &pair.state.phase {
            Phase::Open(episode) => {
                let (tractor, trailer) = (self.units.get(pair.tractor)?, self.units.get(pair.trailer)?);
                (super::pair::violation_id(tractor, trailer, episode.began) == *violation_id).then_some(episode.last_apart)
            }
            Phase::Watching | Phase::Suspected(_) | Phase::Dropped(..) => None,
        })
    }

    /// What a fix of one unit shows of its pairs, as it stands now, and then the earlier comparisons that the last input
    /// made [`Vetoed`](comparison::Verdict::Vetoed). Nothing is decided by asking.
    pub fn comparisons(&self, unit: &UnitId, at: UnixMillis, each: &mut dyn FnMut(&UnitId, &UnitId, Comparison)) {
        let Some((slot, unit)) = self.slot(unit).and_then(|slot| Some((slot, self.units.get(slot)?))) else { return };
        for pair in unit.pairs.iter().filter_map(|pair| self.pairs.get(*pair)) {
            let (Some(tractor), Some(trailer)) = (self.units.get(pair.tractor), self.units.get(pair.trailer)) else { continue };
            let side = if pair.tractor == slot { Side::Tractor } else { Side::Trailer };
            comparison::around(side, at, tractor, trailer, &self.limits)
                .filter(|c| c.at >= pair.state.since && pair.state.ended.is_none_or(|end| c.at <= end))
                .for_each(|c| each(&tractor.id, &trailer.id, c));
        }
        for (pair, at) in self.vetoed.iter().filter(|(slot, _)| unit.pairs.contains(slot)) {
            let Some(pair) = self.pairs.get(*pair) else { continue };
            let (Some(tractor), Some(trailer)) = (self.units.get(pair.tractor), self.units.get(pair.trailer)) else { continue };
            if let Some(c) = comparison::vetoed(*at, tractor, trailer, &self.limits) {
                each(&tractor.id, &trailer.id, c);
            }
        }
    }

    /// Whether [`poll`](Self::poll) has something.
    #[must_use]
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Counts, and which units are silent or have a wrong clock. Looks at every unit.
    #[must_use]
    pub fn observations(&self, now: Receive) -> Observations {
        let Counts { received, accepted, refused, retimed, unassigned } = self.counts;
        let mut seen = Observations { received, accepted, refused, retimed, unassigned, ..Observations::default() };
        for unit in self.units.iter() {
            seen.units += 1;
            if unit.is_silent(now.at, self.limits.trailer_interval_ms) {
                seen.silent += 1;
                let _ = seen.silent_units.push(unit.id.clone());
            }
            if unit.is_clock_suspect() {
                seen.clock_suspect += 1;
                let _ = seen.clock_suspect_units.push(unit.id.clone());
            }
            if unit.is_stale() {
                seen.stale += 1;
                let _ = seen.stale_units.push(unit.id.clone());
            }
        }
        seen
    }

    /// The units of which most positions were refused, at most `most` of them; none of which none was.
    #[must_use]
    pub fn most_refused(&self, most: usize, now: Receive) -> Vec<UnitView> {
        let refused = self.units.iter().map(|unit| (unit.refusals(), unit)).filter(|(refusals, _)| *refusals > 0);
        let mut worst: Vec<(u32, &Unit)> = refused.collect();
        worst.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.id.cmp(&b.1.id)));
        worst.into_iter().take(most).map(|(_, unit)| self.view(unit, now)).collect()
    }

    /// At most `most` units, those first of which something is wrong, then those of which most positions were refused; and
    /// how many more there are.
    #[must_use]
    pub fn worst_first(&self, most: usize, now: Receive) -> (Vec<UnitView>, usize) {
        let faults = |unit: &Unit| {
            let silent = unit.is_silent(now.at, self.limits.trailer_interval_ms);
            [silent, unit.is_clock_suspect(), unit.is_stale()].into_iter().filter(|wrong| *wrong).count()
        };
        let mut all: Vec<_> = self.units.iter().map(|unit| ((faults(unit), unit.refusals()), unit)).collect();
        all.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.id.cmp(&b.1.id)));
        let more = all.len().saturating_sub(most);
        (all.into_iter().take(most).map(|(_, unit)| self.view(unit, now)).collect(), more)
    }

    fn view(&self, unit: &Unit, now: Receive) -> UnitView {
        let others = unit.pairs.iter().filter_map(|slot| self.pairs.get(*slot)).flat_map(|pair| [pair.tractor, pair.trailer]);
        let with = others.filter_map(|slot| self.units.get(slot)).map(|u| &u.id).filter(|id| **id != unit.id).cloned();
        UnitView {
            unit: unit.id.clone(),
            with: with.collect(),
            heard: unit.heard(),
            fix: unit.history.newest().map(|f| f.at()),
            refused: Refused::from_counts(unit.refused),
            is_silent: unit.is_silent(now.at, self.limits.trailer_interval_ms),
            is_clock_suspect: unit.is_clock_suspect(),
            is_stale: unit.is_stale(),
        }
    }

    /// Lets a pair look at a message, and hands out what came of it: first what to keep, then what was found.
    fn with_pair(&mut self, slot: u32, message: Message, look: impl FnOnce(&mut Pair, &Scene<'_>, &mut VecDeque<Event>)) {
        let Some(pair) = self.pairs.get_mut(slot) else { return };
        let (Some(tractor), Some(trailer)) = (self.units.get(pair.tractor), self.units.get(pair.trailer)) else { return };
        let before = self.events.len();
        let scene = Scene { limits: &self.limits, zones: &self.zones, tractor, trailer, message };
        look(pair, &scene, &mut self.events);
        let explained = pair.settle(&scene, &mut self.events);
        if let Some(record) = pair.take_record(tractor, trailer) {
            self.events.insert(before, Event::Keep(record));
        }
        let suspect_at = pair.suspect_at(trailer, &self.limits);
        if explained.alarm.is_some() || !explained.samples.is_empty() {
            self.blame(slot, &explained);
        }
        if let Some(at) = suspect_at.filter(|at| *at > message.now.at) {
            self.wake(at);
        }
    }

    /// Holds what a wrong clock explains against the unit that it can be told to belong to, else against both.
    fn blame(&mut self, slot: u32, explained: &Explained) {
        self.vetoed.extend(explained.samples.iter().map(|s| (slot, s.at)));
        let Some(pair) = self.pairs.get(slot) else { return };
        let Some(since) = explained.samples.first().map(|s| s.at).or(explained.alarm) else { return };
        let slots = [pair.tractor, pair.trailer];
        let [Some(tractor), Some(trailer)] = slots.map(|unit| self.units.get(unit)) else { return };
        let [a, b] = [tractor, trailer].map(|unit| self.disagreements(unit, slot, since));
        let is_at_fault = match a.cmp(&b) {
            Ordering::Greater => [true, false],
            Ordering::Less => [false, true],
            Ordering::Equal => {
                let newest = explained.samples.last();
                newest.and_then(|s| Intake::odd_one([&tractor.intake, &trailer.intake], s.by_ms)).unwrap_or([true, true])
            }
        };
        for (unit, _) in slots.into_iter().zip(is_at_fault).filter(|(_, is_at_fault)| *is_at_fault) {
            let Some(unit) = self.units.get_mut(unit) else { continue };
            explained.samples.iter().for_each(|s| unit.veto(s.at, s.samples));
            if let Some(at) = explained.alarm {
                unit.suspect_clock(at);
            }
        }
    }

    /// How a unit gets on with its other partners: -1 when it was together with one of them since, 1 when it is apart from
    /// one too, 0 when nothing is known.
    fn disagreements(&self, unit: &Unit, but: u32, since: UnixMillis) -> i8 {
        let others = || unit.pairs.iter().filter(|p| **p != but).filter_map(|p| self.pairs.get(*p)).map(|p| &p.state);
        if others().any(|p| p.dwell.is_empty() && p.together.is_some_and(|(_, last)| last >= since)) {
            -1
        } else {
            i8::from(others().any(|p| p.ended.is_none() && (!p.dwell.is_empty() || unit.was_vetoed_since(since))))
        }
    }

    /// The first receive time that can be believed: what had to wait for it goes on, and what cannot be is forgotten.
    fn notice_trust(&mut self, now: Receive) {
        self.vetoed.clear();
        let before = self.trusted.replace(now.trusted);
        if before != Some(false) || !now.trusted {
            return;
        }
        let limit = UnixMillis(now.at.0.saturating_add(super::acceptance::MAX_AHEAD_MS));
        for unit in self.units.iter_mut() {
            unit.history.truncate(limit);
            unit.heard = now.at;
        }
        for slot in self.pairs.slots() {
            let Some(pair) = self.pairs.get_mut(slot) else { continue };
            pair.forget_after(limit);
            if let Some(waiting) = pair.waiting() {
                self.with_pair(slot, Message { now, ..waiting }, |_, _, _| {});
            }
        }
        self.sweep(now);
    }

    /// Does what has become due, and finds out what is next.
    fn sweep(&mut self, now: Receive) {
        self.due = None;
        for slot in self.pairs.slots() {
            let Some(pair) = self.pairs.get(slot) else { continue };
            let expiry = pair.state.ended.map(|end| (end, self.expiry(end)));
            let due = self.units.get(pair.trailer).and_then(|trailer| pair.suspect_at(trailer, &self.limits));
            let newest = self.units.get(pair.tractor).and_then(|u| u.history.newest()).map(|f| f.at());
            if let Some((end, _)) = expiry.filter(|(_, expiry)| *expiry <= now.at) {
                self.forget(slot, Message { side: Side::Tractor, ts: end, now });
                continue;
            }
            if let Some(ts) = newest.filter(|_| due.is_some_and(|due| due <= now.at)) {
                self.with_pair(slot, Message { side: Side::Tractor, ts, now }, |_, _, _| {});
            }
            let later = [expiry.map(|(_, expiry)| expiry), due];
            later.into_iter().flatten().filter(|at| *at > now.at).for_each(|at| self.wake(at));
        }
    }

    fn wake(&mut self, at: UnixMillis) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// A pair whose assignment has ended is kept for late reports, as long as they may still be news.
    fn expiry(&self, end: UnixMillis) -> UnixMillis {
        UnixMillis(end.0.saturating_add(self.limits.alarm_age_ms))
    }

    fn forget(&mut self, slot: u32, message: Message) {
        self.with_pair(slot, message, |pair, scene, out| pair.close(scene, out));
        let Some(pair) = self.pairs.take(slot) else { return };
        let ids = [pair.tractor, pair.trailer].map(|unit_slot| {
            let unit = self.units.get_mut(unit_slot)?;
            unit.pairs.retain(|p| *p != slot);
            let (id, is_alone) = (unit.id.clone(), unit.pairs.is_empty());
            if is_alone {
                self.names.remove(&id, unit_slot);
                self.units.take(unit_slot);
            }
            Some(id)
        });
        if let [Some(tractor), Some(trailer)] = ids {
            self.events.push_back(Event::Forget { tractor, trailer });
        }
    }

    fn add_pair(&mut self, pair: Pair) -> u32 {
        let (tractor, trailer) = (pair.tractor, pair.trailer);
        let slot = self.pairs.add(pair);
        for unit in [tractor, trailer] {
            if let Some(unit) = self.units.get_mut(unit) {
                unit.pairs.push(slot);
            }
        }
        slot
    }

    fn unit(&mut self, id: &UnitId, heard: UnixMillis) -> u32 {
        if let Some(slot) = self.slot(id) {
            return slot;
        }
        let mut unit = Unit::new(id.clone(), heard);
        if let Some(traits) = self.traits.get(id) {
            unit.set_traits(traits);
        }
        let slot = self.units.add(unit);
        self.names.insert(id, slot);
        slot
    }

    fn slot(&self, id: &UnitId) -> Option<u32> {
        self.names.find(id, |slot| self.units.get(slot).is_some_and(|unit| unit.id == *id))
    }

    /// Slots of the pairs whose tractor this is.
    fn pairs_of(&self, tractor: &UnitId) -> Vec<u32> {
        let Some(slot) = self.slot(tractor) else { return Vec::new() };
        let pairs = self.units.get(slot).map(|u| u.pairs.clone()).unwrap_or_default();
        pairs.into_iter().filter(|p| self.pairs.get(*p).is_some_and(|p| p.tractor == slot)).collect()
    }

    fn trailer_of(&self, pair: u32) -> Option<&UnitId> {
        let pair = self.pairs.get(pair)?;
        self.units.get(pair.trailer).map(|u| &u.id)
    }

    fn pair_of(&self, tractor: &UnitId, trailer: &UnitId) -> Option<u32> {
        let trailer = self.slot(trailer)?;
        self.pairs_of(tractor).into_iter().find(|p| self.pairs.get(*p).is_some_and(|p| p.trailer == trailer))
    }
}

/// Takes in what a coupling sensor says; when it names a tractor, that and the time.
fn note_coupling<'a>(unit: &mut Unit, coupling: &'a Coupling, at: UnixMillis, now: Receive) -> Option<(UnixMillis, &'a UnitId)> {
    let (at, _) = unit.intake.time(at, now).ok()?;
    if unit.coupling.is_none_or(|(known, _)| at >= known) {
        unit.coupling = Some((at, coupling.state));
    }
    let tractor = coupling.tractor.as_ref().filter(|_| coupling.state == CouplingState::Hooked)?;
    Some((at, tractor))
}

/// Things that keep their number for life. They stand side by side: between them the heap would be in pieces, and a long list
/// grows where it is.
#[derive(Debug)]
struct Slots<T> {
    items: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { items: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slots<T> {
    fn add(&mut self, item: T) -> u32 {
        let slot = self.free.pop().unwrap_or(self.items.len() as u32);
        match self.items.get_mut(slot as usize) {
            Some(place) => *place = Some(item),
            None => self.items.push(Some(item)),
        }
        slot
    }

    fn take(&mut self, slot: u32) -> Option<T> {
        let item = self.items.get_mut(slot as usize)?.take()?;
        self.free.push(slot);
        Some(item)
    }

    fn get(&self, slot: u32) -> Option<&T> {
        self.items.get(slot as usize)?.as_ref()
    }

    fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.items.get_mut(slot as usize)?.as_mut()
    }

    fn slots(&self) -> core::ops::Range<u32> {
        0..self.items.len() as u32
    }

    fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter().flatten()
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.items.iter_mut().flatten()
    }
}
