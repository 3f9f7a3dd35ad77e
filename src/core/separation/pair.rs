//! One tractor and one of its trailers: from samples to findings.
//!
//! *Joined* once two together samples lie far enough apart in time. From then on apart samples newer than the last
//! together sample gather as evidence ([`super::dwell`]), and enough of it is a violation, unless the assignment had ended, the
//! trailer stands where it may be dropped, or the same-path rule explains it by a wrong clock.

use std::collections::VecDeque;

use super::dwell::{Apart, Dwell, Shifted, Threshold, follows};
use super::finding::{DecidedBy, Finding, FindingEvent, ViolationKind};
use super::history::{Fix, HOLD_MS, History, PARKED_MS, Place};
use super::limits::Limits;
use super::record::{Episode, PairRecord, PairState, Phase};
use super::sample::{Sample, Side};
use super::unit::{SILENT_INTERVALS, Unit};
use super::{Event, Receive};
use crate::core::geo::{Metres, Position};
use crate::core::id::ViolationId;
use crate::core::telemetry::CouplingState;
use crate::core::time::UnixMillis;
use crate::core::zone::Zone;

/// With the newest coupling report "unhooked" less is asked: the sensor is a witness, if a weak one (key off looks alike).
pub(crate) const UNHOOKED_M: f64 = 100.0;
pub(crate) const UNHOOKED_SAMPLES: u32 = 2;
pub(crate) const UNHOOKED_MS: i64 = 60_000;
/// Against a tractor that was parked when last heard more is asked.
pub(crate) const THEFT_M: f64 = 500.0;
pub(crate) const THEFT_SAMPLES: u32 = 3;
pub(crate) const THEFT_MS: i64 = 300_000;
/// A trailer that was moved this far moves.
const MOVED_M: f64 = 300.0;
/// A tractor that was this near to its trailer since it was assigned, but never joined,
pub(crate) const NEAR_M: f64 = 500.0;
/// and then is this far away, has left without it; shunting and turning in the yard stay below.
pub(crate) const LEFT_M: f64 = 2_000.0;
pub(crate) const LEFT_SAMPLES: u32 = 2;
pub(crate) const LEFT_MS: i64 = 120_000;
/// Not in the first minutes after the assignment, in which the driver may still finish another job.
const LEFT_AFTER_MS: i64 = 600_000;
/// A silent trailer is suspected to be left behind when its tractor stays this far from where it last reported.
pub(crate) const SUSPECTED_M: f64 = 1_000.0;
/// Dispatchers end an assignment some minutes after the drop.
const GRACE_MS: i64 = 600_000;
/// A receiver at the edge of a zone errs out of it.
const ZONE_MARGIN: Metres = Metres(50.0);
/// While all is well the record is refreshed this seldom (event time).
const REFRESH_MS: i64 = 600_000;

/// See the module.
#[derive(Debug)]
pub(super) struct Pair {
    /// Slots of the two units.
    pub tractor: u32,
    pub trailer: u32,
    pub state: PairState,
    /// The message that completed evidence which waits until the receive time can be believed.
    waiting: Option<Message>,
    /// Newest together sample that the record holds.
    kept_together: UnixMillis,
    /// Newest apart sample of an open episode that the record holds.
    kept_apart: UnixMillis,
    /// What else the record holds: since when the tractor has been away,
    kept_away: Option<UnixMillis>,
    /// where the tractor stands, if it is parked,
    kept_parked: Option<Fix>,
    /// and the trailer's newest fix.
    kept_trailer: Option<Fix>,
    /// The record has to be written.
    changed: bool,
    /// Event time at which an alarm, raised or held back, has turned out to come of a wrong clock.
    unmasked: Option<UnixMillis>,
}

/// What a wrong clock explains.
#[derive(Debug, Default)]
pub(super) struct Explained {
    /// Samples that are no evidence.
    pub samples: heapless::Vec<Shifted, 8>,
    /// Event time of an alarm that is over, or that a wrong clock kept from being raised.
    pub alarm: Option<UnixMillis>,
}

/// The message in hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    pub side: Side,
    /// Event time by the unit's own clock.
    pub ts: UnixMillis,
    pub now: Receive,
}

/// What a pair sees while it looks at a message.
pub(super) struct Scene<'a> {
    pub limits: &'a Limits,
    pub zones: &'a [Zone],
    pub tractor: &'a Unit,
    pub trailer: &'a Unit,
    pub message: Message,
}

impl Scene<'_> {
    fn may_be_dropped_at(&self, place: Position) -> bool {
        self.zones.iter().any(|z| z.contains(place, ZONE_MARGIN))
    }

    /// Whether the newest coupling report of the two says unhooked.
    fn is_unhooked(&self) -> bool {
        let newest = [self.tractor.coupling, self.trailer.coupling].into_iter().flatten().max_by_key(|(at, _)| *at);
        newest.is_some_and(|(_, state)| state == CouplingState::Unhooked)
    }

    fn is_news(&self, at: UnixMillis) -> bool {
        let now = self.message.now;
        now.trusted && now.at.millis_since(at) <= self.limits.alarm_age_ms
    }
}

impl Pair {
    pub fn new(tractor: u32, trailer: u32, since: UnixMillis) -> Self {
        let state = PairState {
            since,
            ended: None,
            together: None,
            joined: false,
            together_at: None,
            near: None,
            away_since: None,
            dwell: Default::default(),
            phase: Phase::Watching,
        };
        Self { changed: true, ..Self::restored(tractor, trailer, state) }
    }

    pub fn restored(tractor: u32, trailer: u32, state: PairState) -> Self {
        let kept_together = state.together.map_or(UnixMillis(i64::MIN), |(_, last)| last);
        let kept_apart = state.phase.last_apart().unwrap_or(UnixMillis(i64::MIN));
        Self {
            tractor,
            trailer,
            kept_away: state.away_since,
            state,
            waiting: None,
            kept_together,
            kept_apart,
            kept_parked: None,
            kept_trailer: None,
            changed: false,
            unmasked: None,
        }
    }

    /// Looks at everything that a new fix of one side shows: itself, and all fixes of the other side whose comparison it
    /// changes because it became a neighbour in time. Oldest first.
    pub fn take_fix(&mut self, at: UnixMillis, scene: &Scene<'_>, out: &mut VecDeque<Event>) {
        let side = scene.message.side;
        let (tractor, trailer) = (&scene.tractor.history, &scene.trailer.history);
        let (own, other, beyond_ms) = match side {
            Side::Tractor => (tractor, trailer, HOLD_MS),
            Side::Trailer => (trailer, tractor, super::history::NEAR_MS),
        };
        let (before, after) = own.neighbours(at);
        let from = before.map_or(UnixMillis(at.0.saturating_sub(super::history::NEAR_MS)), Fix::at);
        let to = after.map_or(UnixMillis(at.0.saturating_add(beyond_ms)), Fix::at);
        let mut own_fix = own.get(at);
        for fix in other.after(from) {
            if fix.at() > to {
                break;
            }
            if let Some(own) = own_fix.take_if(|own| own.at() < fix.at()) {
                self.take_sample(own.at(), Sample::at_fix(side, own, scene.tractor, scene.trailer, scene.limits), scene, out);
            }
            self.take_sample(fix.at(), Sample::at_fix(side.other(), fix, scene.tractor, scene.trailer, scene.limits), scene, out);
        }
        if let Some(own) = own_fix {
            self.take_sample(own.at(), Sample::at_fix(side, own, scene.tractor, scene.trailer, scene.limits), scene, out);
        }
        match side {
            Side::Tractor => self.watch_silence(at, scene),
            Side::Trailer => self.state.away_since = self.state.away_since.filter(|since| *since > at),
        }
        self.watch_places(side, at, scene);
    }

    /// A fix turned out to be stale.
    pub fn withdraw(&mut self, at: UnixMillis) {
        self.state.dwell.remove(at);
    }

    /// What was gathered is not to be believed.
    pub fn forget_evidence(&mut self) {
        self.changed |= !self.state.dwell.is_empty();
        self.state.dwell.clear();
        self.state.away_since = None;
    }

    /// The trailer's coupling sensor has named our tractor.
    pub fn take_coupling(&mut self, at: UnixMillis, scene: &Scene<'_>, out: &mut VecDeque<Event>) {
        let newest = scene.tractor.history.newest().zip(scene.trailer.history.newest());
        let distance = newest.map_or(0.0, |(a, b)| a.distance(b));
        let seen = Seen { at, distance: Metres(distance), uncertainty: Metres(0.0), position: None };
        self.together(seen, true, scene, out);
    }

    /// Draws the conclusions once all samples of a message are in. Returns what a wrong clock explains.
    pub fn settle(&mut self, scene: &Scene<'_>, out: &mut VecDeque<Event>) -> Explained {
        let explained = Explained { alarm: self.unmasked.take(), ..Explained::default() };
        if matches!(self.state.phase, Phase::Open(_)) || self.state.dwell.is_empty() {
            self.suspect_silence(scene, out);
            return explained;
        }
        let rules = self.rules(scene);
        let met = |dwell: &Dwell| rules.iter().find_map(|rule| dwell.meets(*rule).map(|(first, newest)| (*first, *newest)));
        if met(&self.state.dwell).is_none() {
            self.suspect_silence(scene, out);
            return explained;
        }
        let (clear, samples) = self.state.dwell.without_explained(&scene.tractor.history, scene.limits);
        // A record that was written meanwhile holds both the evidence and the doubt.
        let in_doubt = |unit: &Unit, other: &Unit| unit.clock_is_in_doubt(scene.message.now.at) && other.is_in_time();
        let in_doubt = in_doubt(scene.tractor, scene.trailer) || in_doubt(scene.trailer, scene.tractor);
        if let Some((first, newest)) = met(&clear).filter(|_| !in_doubt) {
            self.conclude(&first, &newest, clear.middle(), scene, out);
        } else {
            self.waiting = None;
        }
        Explained { samples, ..explained }
    }

    /// The assignment ends. What had not begun well before that was a drop.
    pub fn end(&mut self, end: UnixMillis, scene: &Scene<'_>, out: &mut VecDeque<Event>) {
        self.state.ended = Some(end);
        self.changed = true;
        let began = match &self.state.phase {
            Phase::Suspected(e) | Phase::Open(e) => Some(e.began),
            Phase::Watching | Phase::Dropped(..) => self.state.dwell.first().map(|a| a.at),
        };
        if began.is_some_and(|began| self.ended_before(began)) {
            self.close(scene, out);
            self.state.dwell.clear();
        }
    }

    /// Says that the episode is over, if one was announced.
    pub fn close(&mut self, scene: &Scene<'_>, out: &mut VecDeque<Event>) {
        match core::mem::replace(&mut self.state.phase, Phase::Watching) {
            Phase::Suspected(e) | Phase::Open(e) => out.push_back(found(FindingEvent::Closed, &e, scene)),
            Phase::Watching | Phase::Dropped(..) => {}
        }
        self.changed = true;
    }

    /// When [`Self::suspect_silence`] is worth calling without a message.
    pub fn suspect_at(&self, scene_trailer: &Unit, limits: &Limits) -> Option<UnixMillis> {
        let since = self.state.away_since.filter(|_| self.state.phase == Phase::Watching)?;
        let silence = scene_trailer.silence_ms(limits.trailer_interval_ms);
        // Also after a restart, whatever the tractor's backlog tells: the trailer is given one interval to speak.
        let spoke = scene_trailer.heard.0.saturating_add(silence / SILENT_INTERVALS);
        Some(UnixMillis(since.0.saturating_add(silence).max(spoke)))
    }

    /// The trailer is silent, and its tractor has been away from where it last reported for so long that it should have spoken.
    pub fn suspect_silence(&mut self, scene: &Scene<'_>, out: &mut VecDeque<Event>) {
        let Some((due, since)) = self.suspect_at(scene.trailer, scene.limits).zip(self.state.away_since) else { return };
        let histories = scene.tractor.history.newest().zip(scene.trailer.history.newest());
        let Some((tractor, trailer)) = histories else { return };
        let now = scene.message.now.at;
        let is_there = now.millis_since(tractor.at()) <= scene.limits.max_gap_ms
            || (now.millis_since(tractor.at()) <= HOLD_MS && scene.tractor.history.parked().is_some());
        let overdue = tractor.at() >= due || (scene.message.now.trusted && now >= due && is_there);
        // While the tractor's backlog drains, the trailer's may be on its way too.
        let is_live = scene.message.now.trusted && !scene.tractor.is_late && !scene.trailer.is_draining(now);
        if !overdue || !scene.is_news(tractor.at()) && !is_there || !is_live || self.ended_before(since) {
            return;
        }
        let sample =
            Sample::of(tractor.at(), &scene.tractor.history.place_of(tractor), &last_place(scene, trailer), 0.0, scene.limits);
        let seen = Seen::from(&sample);
        self.state.away_since = None;
        let episode = seen.episode(since, since, None);
        if scene.may_be_dropped_at(trailer.position()) {
            self.drop(episode, trailer.position(), scene, out);
        } else {
            out.push_back(found(FindingEvent::Suspected, &episode, scene));
            self.state.phase = Phase::Suspected(episode);
        }
        self.changed = true;
    }

    /// The message that completed evidence which still waits for a receive time that can be believed.
    pub fn waiting(&self) -> Option<Message> {
        self.waiting
    }

    /// Forgets times that lie in the future, taken in while no clock could be believed.
    pub fn forget_after(&mut self, limit: UnixMillis) {
        if let Some((first, last)) = &mut self.state.together {
            (*first, *last) = ((*first).min(limit), (*last).min(limit));
        }
        self.state.near = self.state.near.map(|n| n.min(limit));
        self.state.dwell.truncate(limit);
        if let Phase::Suspected(e) | Phase::Open(e) | Phase::Dropped(e, _) = &mut self.state.phase {
            e.last_apart = e.last_apart.min(limit);
            e.rejoining = e.rejoining.filter(|r| *r <= limit);
        }
        self.state.away_since = self.state.away_since.filter(|a| *a <= limit);
    }

    /// The record is wanted although nothing has changed.
    pub const fn keep_again(&mut self) {
        self.changed = true;
    }

    /// The record, if what it holds has changed in a way that matters.
    pub fn take_record(&mut self, tractor: &Unit, trailer: &Unit) -> Option<Box<PairRecord>> {
        core::mem::take(&mut self.changed).then(|| {
            self.kept_together = self.state.together.map_or(UnixMillis(i64::MIN), |(_, last)| last);
            self.kept_apart = self.state.phase.last_apart().unwrap_or(UnixMillis(i64::MIN));
            self.kept_away = self.state.away_since;
            self.note_kept(tractor, trailer);
            Box::new(PairRecord {
                tractor: tractor.id.clone(),
                trailer: trailer.id.clone(),
                state: self.state.clone(),
                tractor_fixes: tractor.history.extract(2, 25_000),
                trailer_fixes: trailer.history.extract(2, 60_000),
                tractor_clock: tractor.wrong_clock(),
                trailer_clock: trailer.wrong_clock(),
            })
        })
    }

    /// The record holds the newest of both histories.
    pub fn note_kept(&mut self, tractor: &Unit, trailer: &Unit) {
        self.kept_parked = tractor.history.parked().copied();
        self.kept_trailer = trailer.history.newest().copied();
    }

    /// The trailer repeats a place: unless that is in the record, its next repetition is news after a restart.
    pub fn keep_stale(&mut self, scene: &Scene<'_>) {
        let newest = scene.trailer.history.newest().map(Fix::at);
        let kept = self.kept_trailer.as_ref().map(Fix::at);
        self.changed |= newest.is_some_and(|newest| kept.is_none_or(|kept| newest.millis_since(kept) >= PARKED_MS));
    }

    /// What the record says has become wrong: it is written again.
    pub fn keep(&mut self) {
        self.changed = true;
    }

    fn take_sample(&mut self, at: UnixMillis, sample: Option<Sample>, scene: &Scene<'_>, out: &mut VecDeque<Event>) {
        match sample.filter(|_| at >= self.state.since) {
            Some(s) if s.is_together(scene.limits) => self.together(Seen::from(&s), false, scene, out),
            Some(s) => self.maybe_apart(&s, scene),
            None if !self.state.dwell.is_empty() => self.state.dwell.remove(at),
            None => {}
        }
    }

    fn together(&mut self, seen: Seen, by_sensor: bool, scene: &Scene<'_>, out: &mut VecDeque<Event>) {
        let at = seen.at;
        let state = &mut self.state;
        if at < state.since || state.ended.is_some_and(|end| at > end) {
            return;
        }
        let (first, last) = state.together.map_or((at, at), |(first, last)| (first.min(at), last.max(at)));
        self.changed |= state.together.is_none();
        state.together = Some((first, last));
        if at == last {
            state.together_at = seen.position.or(state.together_at);
        }
        if !state.joined && last.millis_since(first) >= scene.limits.together_ms {
            state.joined = true;
            state.dwell.clear();
            self.changed = true;
        }
        if !state.dwell.is_empty() {
            if self.is_held_back(scene) {
                self.unmasked = Some(at);
            }
            self.state.dwell.forget_until(at);
            self.changed |= self.state.dwell.is_empty();
        }
        let state = &mut self.state;
        match &mut state.phase {
            Phase::Watching => self.changed |= last.millis_since(self.kept_together) >= REFRESH_MS,
            Phase::Suspected(e) | Phase::Open(e) | Phase::Dropped(e, _) if at > e.last_apart => {
                self.changed |= e.rejoining.is_none();
                let since = e.rejoining.map_or(at, |since| since.min(at));
                e.rejoining = Some(since);
                if by_sensor || last.millis_since(since) >= scene.limits.together_ms {
                    if was_wrong_clock(e, scene) {
                        self.unmasked = Some(e.at);
                    }
                    seen.describe(e);
                    state.joined = true;
                    self.close(scene, out);
                }
            }
            Phase::Suspected(_) | Phase::Open(_) | Phase::Dropped(..) => {}
        }
    }

    fn maybe_apart(&mut self, s: &Sample, scene: &Scene<'_>) {
        let state = &mut self.state;
        if !state.joined && s.is_certain() && s.distance <= NEAR_M {
            self.changed |= state.near.is_none();
            state.near = state.near.max(Some(s.at));
            state.dwell.forget_until(s.at);
            return;
        }
        let apart_m = scene.limits.apart_m;
        let is_open = matches!(state.phase, Phase::Open(_));
        if let Phase::Suspected(e) | Phase::Open(e) | Phase::Dropped(e, _) = &mut state.phase
            && s.bracketed
            && s.clear >= apart_m
            && s.at > e.last_apart
        {
            let undone = e.rejoining.is_some_and(|since| since <= s.at);
            if undone && Apart::from(s).path(&scene.tractor.history, scene.limits).is_same() {
                return;
            }
            if undone {
                e.rejoining = None;
                self.changed = true;
            }
            e.last_apart = s.at;
            // How fresh the evidence is decides over a restart whether its call is still worth making.
            self.changed |= is_open && s.at.millis_since(self.kept_apart) >= REFRESH_MS;
        }
        let after_together = state.together.is_none_or(|(_, last)| s.at > last);
        let is_evidence = match &state.phase {
            Phase::Open(_) => return,
            Phase::Dropped(_, place) => {
                s.clear >= apart_m.min(UNHOOKED_M)
                    && after_together
                    && place.distance(s.trailer).0 >= MOVED_M
                    && !scene.may_be_dropped_at(s.trailer)
            }
            Phase::Watching | Phase::Suspected(_) if state.joined => s.clear >= apart_m.min(UNHOOKED_M) && after_together,
            Phase::Watching | Phase::Suspected(_) => {
                s.clear >= LEFT_M
                    && state.near.max(state.together.map(|(_, last)| last)).is_some_and(|near| s.at > near)
                    && s.at.millis_since(state.since) >= LEFT_AFTER_MS
            }
        };
        let too_late = state.dwell.is_empty()
            && state.phase == Phase::Watching
            && state.ended.is_some_and(|end| end.millis_since(s.at) <= GRACE_MS);
        if is_evidence && !too_late {
            state.dwell.put(Apart::since(state.together_at, s), apart_m);
            let enough = scene.limits.apart_samples.max(THEFT_SAMPLES);
            self.changed |= state.dwell.samples() <= enough && !scene.trailer.is_clock_suspect();
        } else if !state.dwell.is_empty() {
            state.dwell.remove(s.at);
        }
    }

    /// What evidence is enough, the usual rule first.
    fn rules(&self, scene: &Scene<'_>) -> heapless::Vec<Threshold, 3> {
        let limits = scene.limits;
        let mut rules = heapless::Vec::new();
        if !self.state.joined {
            let _ = rules.push(Threshold { clear_m: LEFT_M, samples: LEFT_SAMPLES, span_ms: LEFT_MS, held_too: false });
            return rules;
        }
        let usual =
            Threshold { clear_m: limits.apart_m, samples: limits.apart_samples, span_ms: limits.apart_ms, held_too: false };
        let _ = rules.push(usual);
        if scene.is_unhooked() {
            let _ = rules.push(Threshold {
                clear_m: limits.apart_m.min(UNHOOKED_M),
                samples: limits.apart_samples.min(UNHOOKED_SAMPLES),
                span_ms: limits.apart_ms.min(UNHOOKED_MS),
                held_too: false,
            });
        }
        // A trailer whose backlog has come in says nothing of a tractor whose own is still to come.
        if scene.trailer.catches_up(scene.message.now.at) {
            return rules;
        }
        let _ = rules.push(Threshold {
            clear_m: limits.apart_m.max(THEFT_M),
            samples: limits.apart_samples.max(THEFT_SAMPLES),
            span_ms: limits.apart_ms.max(THEFT_MS),
            held_too: true,
        });
        rules
    }

    /// Whether there is enough evidence, but for what a wrong clock explains or may still explain.
    fn is_held_back(&self, scene: &Scene<'_>) -> bool {
        let rules = self.rules(scene);
        let is_enough = |dwell: &Dwell| rules.iter().any(|rule| dwell.meets(*rule).is_some());
        let evidence = &self.state.dwell;
        is_enough(evidence) && !is_enough(&evidence.clone().without_explained(&scene.tractor.history, scene.limits).0)
    }

    /// There is enough evidence: a violation, a permitted drop, or history.
    fn conclude(
        &mut self,
        first: &Apart,
        newest: &Apart,
        middle: Option<Position>,
        scene: &Scene<'_>,
        out: &mut VecDeque<Event>,
    ) {
        if self.ended_before(first.at) {
            self.state.dwell.clear();
            self.changed = true;
            return;
        }
        let (kind, place) = self.classify(first, newest, middle, scene);
        let began = match &self.state.phase {
            Phase::Suspected(e) => e.began,
            Phase::Watching | Phase::Open(_) | Phase::Dropped(..) => first.at,
        };
        let seen = Seen::from(newest);
        if matches!(kind, ViolationKind::LeftBehind | ViolationKind::TrailerMovingAlone) && scene.may_be_dropped_at(place) {
            if matches!(self.state.phase, Phase::Suspected(_)) {
                self.close(scene, out);
            }
            self.drop(seen.episode(began, newest.at, None), place, scene, out);
            return;
        }
        if !scene.is_news(newest.at) {
            self.waiting = (!scene.message.now.trusted).then_some(scene.message);
            return;
        }
        let episode = seen.episode(began, newest.at, Some(kind));
        out.push_back(found(FindingEvent::Opened, &episode, scene));
        self.state.phase = Phase::Open(episode);
        self.state.dwell.clear();
        self.state.away_since = None;
        self.waiting = None;
        self.changed = true;
    }

    /// Which rule was violated, and where the trailer was at the separation.
    fn classify(&self, first: &Apart, newest: &Apart, middle: Option<Position>, scene: &Scene<'_>) -> (ViolationKind, Position) {
        if matches!(self.state.phase, Phase::Dropped(..)) {
            return (ViolationKind::TrailerMovedFromDrop, newest.trailer);
        }
        if !self.state.joined {
            return (ViolationKind::LeftWithoutTrailer, newest.trailer);
        }
        let far = |a: Position, b: Position| a.distance(b).0 >= MOVED_M;
        let left_the_tractor = self.state.together_at.filter(|together| {
            // All the while: a tractor that only passes where the two were last seen together has not stayed there.
            scene.tractor.history.stays(*together, MOVED_M, first.at) && far(newest.trailer, *together)
        });
        if let Some(together) = left_the_tractor {
            (ViolationKind::TrailerMovingAlone, together)
        } else if far(first.trailer, newest.trailer) {
            (ViolationKind::TrailerMovingAlone, first.trailer)
        } else {
            (ViolationKind::LeftBehind, middle.unwrap_or(newest.trailer))
        }
    }

    fn drop(&mut self, episode: Episode, place: Position, scene: &Scene<'_>, out: &mut VecDeque<Event>) {
        out.push_back(found(FindingEvent::DroppedOk, &episode, scene));
        self.state.phase = Phase::Dropped(episode, place);
        self.state.dwell.clear();
        self.state.away_since = None;
        self.waiting = None;
        self.changed = true;
    }

    /// Whether the assignment was over when something began, give or take the dispatcher's minutes.
    fn ended_before(&self, began: UnixMillis) -> bool {
        self.state.ended.is_some_and(|end| end.millis_since(began) <= GRACE_MS)
    }

    /// Follows how long the tractor is away from where its silent trailer last reported.
    fn watch_silence(&mut self, at: UnixMillis, scene: &Scene<'_>) {
        if !self.state.joined || !scene.trailer.wakes_on_motion || self.state.phase != Phase::Watching {
            return;
        }
        let (Some(tractor), Some(trailer)) = (scene.tractor.history.newest(), scene.trailer.history.newest()) else { return };
        if tractor.at() != at || trailer.at() >= at {
            return;
        }
        let place = scene.tractor.history.place_of(tractor);
        let sample = Sample::of(at, &place, &last_place(scene, trailer), 0.0, scene.limits);
        if sample.clear < SUSPECTED_M {
            self.state.away_since = None;
        } else {
            let since = *self.state.away_since.get_or_insert(at);
            let step = scene.trailer.silence_ms(scene.limits.trailer_interval_ms) / SILENT_INTERVALS;
            self.changed |= self.kept_away != Some(since) && at.millis_since(since) >= step;
        }
    }

    /// Writes down where the tractor parks and that it has left, where its trailer came to stand, and that a trailer that
    /// had been silent has reported: what a restart must not take for a theft or a silence. Of a tractor that is not heard the
    /// backlog is still to come, and is compared with where the trailer came to stand meanwhile. Nothing while both travel.
    fn watch_places(&mut self, side: Side, at: UnixMillis, scene: &Scene<'_>) {
        self.changed |= side == Side::Tractor && self.kept_away.is_some() && self.state.away_since.is_none();
        let Some(newest) = scene.tractor.history.newest() else { return };
        let stays = self.kept_parked.is_some_and(|kept| kept.stands_with(newest));
        if !stays {
            self.changed |= self.kept_parked.is_some() || scene.tractor.history.parked().is_some();
        }
        let is_missed = side == Side::Trailer && at.millis_since(newest.at()) > scene.limits.max_gap_ms;
        if let Some(trailer) =
            scene.trailer.history.newest().filter(|_| self.state.phase == Phase::Watching && (stays || is_missed))
        {
            let often_enough = if stays { PARKED_MS } else { REFRESH_MS };
            let is_known =
                self.kept_trailer.is_some_and(|kept| kept.stands_with(trailer) || at.millis_since(kept.at()) < often_enough);
            self.changed |= !trailer.moves() && !is_known;
        }
        // The tractor's track is what the backlog of a trailer that speaks again will be compared with.
        let speaks_again = side == Side::Trailer && matches!(self.state.phase, Phase::Suspected(_));
        self.changed |= speaks_again && self.kept_trailer.is_none_or(|kept| at.millis_since(kept.at()) >= REFRESH_MS);
        // Once seen together, the few reports until the two are joined decide what their separation will be called.
        let joins = self.state.together.is_some_and(|(first, _)| !self.state.joined && at.millis_since(first) <= REFRESH_MS);
        self.changed |= side == Side::Trailer && joins;
    }
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Tractor => Self::Trailer,
            Self::Trailer => Self::Tractor,
        }
    }
}

/// The facts of one sample that a finding tells.
struct Seen {
    at: UnixMillis,
    distance: Metres,
    uncertainty: Metres,
    position: Option<Position>,
}

impl From<&Sample> for Seen {
    fn from(s: &Sample) -> Self {
        Self { at: s.at, distance: Metres(s.distance), uncertainty: Metres(s.uncertainty), position: Some(s.trailer) }
    }
}

impl From<&Apart> for Seen {
    fn from(a: &Apart) -> Self {
        let metres = |m: f32| Metres(f64::from(m));
        Self { at: a.at, distance: metres(a.distance), uncertainty: metres(a.uncertainty), position: Some(a.trailer) }
    }
}

impl Seen {
    fn episode(&self, began: UnixMillis, last_apart: UnixMillis, kind: Option<ViolationKind>) -> Episode {
        Episode {
            began,
            kind,
            last_apart,
            rejoining: None,
            at: self.at,
            distance_m: self.distance,
            uncertainty_m: self.uncertainty,
            position: self.position,
        }
    }

    fn describe(&self, e: &mut Episode) {
        e.at = self.at;
        e.distance_m = self.distance;
        e.uncertainty_m = self.uncertainty;
        e.position = self.position.or(e.position);
    }
}

/// Whether an episode that ends with the two together shows a wrong clock: within minutes the tractor came to where its
/// trailer had gone by itself, or the trailer came by itself to where its tractor had gone.
fn was_wrong_clock(e: &Episode, scene: &Scene<'_>) -> bool {
    let (tractor, trailer) = (&scene.tractor.history, &scene.trailer.history);
    let follows = |follower: &History, place: Position| follows(follower, place, e.at, scene.limits);
    let Some(trailer_at) = e.position.filter(|_| e.kind.is_some()) else { return false };
    if follows(tractor, trailer_at) {
        return e.kind == Some(ViolationKind::TrailerMovingAlone);
    }
    let tractor_at = tractor.place_at(e.at, scene.limits.max_gap_ms);
    tractor_at.is_some_and(|at| follows(trailer, at.position))
}

/// Where a silent trailer last was.
fn last_place(scene: &Scene<'_>, trailer: &Fix) -> Place {
    scene.trailer.history.place_of(trailer)
}

fn found(event: FindingEvent, e: &Episode, scene: &Scene<'_>) -> Event {
    let message = scene.message;
    let unit = match message.side {
        Side::Tractor => &scene.tractor.id,
        Side::Trailer => &scene.trailer.id,
    };
    Event::Found(Box::new(finding(
        event,
        e,
        scene.tractor,
        scene.trailer,
        DecidedBy { unit: unit.clone(), ts: message.ts },
        message.now.at,
    )))
}

pub(super) fn finding(
    event: FindingEvent,
    e: &Episode,
    tractor: &Unit,
    trailer: &Unit,
    decided_by: DecidedBy,
    received: UnixMillis,
) -> Finding {
    Finding {
        event,
        kind: e.kind,
        tractor: tractor.id.clone(),
        trailer: trailer.id.clone(),
        violation_id: violation_id(tractor, trailer, e.began),
        at: e.at,
        received,
        decided_by,
        distance_m: decimetres(e.distance_m),
        uncertainty_m: decimetres(e.uncertainty_m),
        position: e.position,
    }
}

/// As exact as anybody can use.
fn decimetres(m: Metres) -> Metres {
    Metres((m.0 * 10.0).round() / 10.0)
}

/// `V-T-001-R-001-1763569135`: the same evidence has the same name, also when it is seen again after a restart.
pub(super) fn violation_id(tractor: &Unit, trailer: &Unit, began: UnixMillis) -> ViolationId {
    let plain = |id: &str| id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect::<String>();
    let text = format!("V-{}-{}-{}", plain(&tractor.id), plain(&trailer.id), began.0.div_euclid(1000));
    #[expect(clippy::expect_used, reason = "2 + 48 + 1 + 48 + 1 + 20 bytes of letters, digits and dashes at most")]
    ViolationId::new(&text).expect("two unit ids and a time fit")
}
