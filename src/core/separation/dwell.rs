//! The evidence that is gathering: apart samples newer than the last time the two were together.

use serde::{Deserialize, Serialize};

use super::history::History;
use super::limits::Limits;
use super::sample::Sample;
use crate::core::geo::Position;
use crate::core::time::UnixMillis;

/// Samples kept one by one; beyond that neighbours are merged, so that the list spans the whole dwell.
const CAPACITY: usize = 8;
/// A trailer this near to where its tractor was up to four minutes earlier or later is in its place, with a wrong clock:
/// the dominant cause of false alarms. A following convoy pays for it.
const SAME_PATH_M: f64 = 60.0;
const SAME_PATH_MS: i64 = 240_000;
/// A trailer that seems to have left a standing tractor by less than this may be where the rig will be in a few minutes;
/// from here on waiting for that would cost a theft its time.
const AHEAD_M: f64 = super::pair::THEFT_M;

/// One sample, or several merged, at which the two were apart. Distances in metres.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Apart {
    pub(super) at: UnixMillis,
    pub(super) trailer: Position,
    pub(super) distance: f32,
    pub(super) uncertainty: f32,
    pub(super) clear: f32,
    /// Samples it stands for.
    pub(super) samples: u16,
    pub(super) bracketed: bool,
    #[serde(default)]
    trailer_slack: f32,
    trailer_moves: bool,
    tractor_moves: bool,
    /// Of the two it is the trailer that is away from where they were last together.
    #[serde(default)]
    trailer_left: bool,
    /// The same-path rule has looked at the whole track that matters.
    checked: bool,
}

impl From<&Sample> for Apart {
    fn from(s: &Sample) -> Self {
        Self {
            at: s.at,
            trailer: s.trailer,
            distance: s.distance as f32,
            uncertainty: s.uncertainty as f32,
            clear: s.clear as f32,
            samples: 1,
            bracketed: s.bracketed,
            trailer_slack: s.trailer_slack as f32,
            trailer_moves: s.trailer_moves,
            tractor_moves: s.tractor_moves,
            trailer_left: false,
            checked: false,
        }
    }
}

/// What the same-path rule says of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// The trailer is where the tractor's own track runs, so many milliseconds later: a clock error.
    Same(i64),
    /// It is not, as far as the track is known; `checked` when nothing newer can change that.
    Other { checked: bool },
    /// The tractor may still come there: both move, or the trailer is a little ahead, and the tractor's track does not reach
    /// far enough yet. Or it may have been there: both move, and its track is not known well enough.
    Unknown,
}

impl Path {
    pub fn is_same(self) -> bool {
        matches!(self, Self::Same(_))
    }
}

/// A sample that a wrong clock explains.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shifted {
    pub at: UnixMillis,
    /// So many milliseconds later the tractor was at the trailer's place.
    pub by_ms: i64,
    /// Samples it stands for.
    pub samples: u16,
}

impl Apart {
    /// A sample of two that were last together there.
    pub fn since(together_at: Option<Position>, s: &Sample) -> Self {
        let trailer_left = together_at.is_some_and(|place| place.distance(s.trailer).0 > place.distance(s.tractor).0);
        Self { trailer_left, ..Self::from(s) }
    }

    /// The same-path rule. A trailer that stands is only compared with where the tractor goes next: where the tractor came
    /// from is where it left the trailer.
    pub fn path(&self, tractor: &History, limits: &Limits) -> Path {
        if self.checked {
            return Path::Other { checked: true };
        }
        let until = UnixMillis(self.at.0.saturating_add(SAME_PATH_MS));
        let from = if self.trailer_moves { UnixMillis(self.at.0.saturating_sub(SAME_PATH_MS)) } else { self.at };
        let reached = tractor.newest().is_some_and(|newest| newest.at() >= until);
        // A moving trailer that is taken to be between two fixes may be off the road by its slack.
        let reach = SAME_PATH_M + f64::from(self.trailer_slack);
        let is_ahead = self.trailer_left && self.bracketed && f64::from(self.clear) < AHEAD_M;
        let both_move = self.trailer_moves && self.tractor_moves;
        let may_have_passed = || tractor.may_have_passed(self.trailer, reach, from, until, limits.max_gap_ms);
        if let Some(passed) = tractor.passes(self.trailer, reach, from, until, limits.max_gap_ms) {
            Path::Same(passed.millis_since(self.at))
        } else if (both_move || is_ahead) && !reached || both_move && may_have_passed() {
            Path::Unknown
        } else {
            Path::Other { checked: reached }
        }
    }
}

/// Whether a unit comes to a place within the minutes after a time that a wrong clock may be off.
pub(super) fn follows(follower: &History, place: Position, at: UnixMillis, limits: &Limits) -> bool {
    follower.passes(place, SAME_PATH_M, at, UnixMillis(at.0.saturating_add(SAME_PATH_MS)), limits.max_gap_ms).is_some()
}

/// What a rule asks of the evidence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Threshold {
    /// Surely apart by this many metres,
    pub clear_m: f64,
    /// in this many samples,
    pub samples: u32,
    /// the newest this much later than the first.
    pub span_ms: i64,
    /// Whether samples against a tractor that is only taken to be parked count.
    pub held_too: bool,
}

/// The apart samples of one running dwell, oldest first. Hardly ever is there any: the room for them is taken with the first,
/// for all of them, and given back with the last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Dwell(Vec<Apart>);

impl Dwell {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn first(&self) -> Option<&Apart> {
        self.0.first()
    }

    pub(super) fn samples(&self) -> u32 {
        self.0.iter().map(|a| u32::from(a.samples)).sum()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes in a sample, in its place in time; a newer opinion of a time replaces the older. When there is no room samples
    /// are merged, and those that are `strong` metres apart outlive others.
    pub(super) fn put(&mut self, apart: Apart, strong: f64) {
        let index = self.0.partition_point(|a| a.at < apart.at);
        if let Some(known) = self.0.get_mut(index).filter(|a| a.at == apart.at) {
            *known = Apart { samples: known.samples, ..apart };
            return;
        }
        if self.0.len() >= CAPACITY {
            self.merge(strong);
        }
        let index = self.0.partition_point(|a| a.at < apart.at);
        self.0.reserve_exact(CAPACITY.saturating_sub(self.0.len()));
        self.0.insert(index, apart);
    }

    /// Forgets the sample of one time.
    pub(super) fn remove(&mut self, at: UnixMillis) {
        self.retain(|a| a.at != at);
    }

    /// Forgets what is not newer than a time.
    pub(super) fn forget_until(&mut self, at: UnixMillis) {
        self.retain(|a| a.at > at);
    }

    /// Forgets what lies after a time.
    pub(super) fn truncate(&mut self, at: UnixMillis) {
        self.retain(|a| a.at <= at);
    }

    /// The first and the newest sample when there is enough of them for a rule.
    pub(super) fn meets(&self, rule: Threshold) -> Option<(&Apart, &Apart)> {
        let mut counted = self.0.iter().filter(|a| f64::from(a.clear) >= rule.clear_m && (a.bracketed || rule.held_too));
        let first = counted.next()?;
        let (samples, newest) =
            counted.fold((u32::from(first.samples), first), |(n, _), a| (n.saturating_add(u32::from(a.samples)), a));
        (samples >= rule.samples && newest.at.millis_since(first.at) >= rule.span_ms).then_some((first, newest))
    }

    /// Drops the samples that the same-path rule explains, leaves out those that it cannot judge yet, and returns the rest
    /// with the explained ones.
    pub(super) fn without_explained(&mut self, tractor: &History, limits: &Limits) -> (Self, heapless::Vec<Shifted, CAPACITY>) {
        let (mut clear, mut explained) = (Self(Vec::with_capacity(CAPACITY)), heapless::Vec::new());
        self.retain(|a| match a.path(tractor, limits) {
            Path::Same(by_ms) => {
                let _ = explained.push(Shifted { at: a.at, by_ms, samples: a.samples });
                false
            }
            Path::Other { checked } => {
                a.checked = checked;
                clear.0.push(*a);
                true
            }
            Path::Unknown => true,
        });
        (clear, explained)
    }

    fn retain(&mut self, is_kept: impl FnMut(&mut Apart) -> bool) {
        self.0.retain_mut(is_kept);
        if self.0.is_empty() {
            self.clear();
        }
    }

    /// The middle of all places of the trailer: where it stands, if it does.
    pub(super) fn middle(&self) -> Option<Position> {
        let first = self.0.first()?.trailer;
        let n = self.0.len() as f64;
        let lat = self.0.iter().map(|a| a.trailer.lat - first.lat).sum::<f64>() / n;
        let lon = self.0.iter().map(|a| wrap(a.trailer.lon - first.lon)).sum::<f64>() / n;
        Some(Position { lat: first.lat + lat, lon: wrap(first.lon + lon) })
    }

    /// Merges the two neighbours that are nearest in time, of which neither is the first nor the newest.
    fn merge(&mut self, strong: f64) {
        let gaps = self.0.windows(2).enumerate().skip(1).take(CAPACITY.saturating_sub(3));
        let nearest = gaps.min_by_key(|(_, pair)| match pair {
            [a, b] => b.at.millis_since(a.at),
            _ => i64::MAX,
        });
        let Some((index, _)) = nearest else { return };
        let later = self.0.remove(index + 1);
        if let Some(kept) = self.0.get_mut(index) {
            let samples = kept.samples.saturating_add(later.samples);
            let worth = |a: &Apart| (a.bracketed, f64::from(a.clear) >= strong);
            *kept = Apart { samples, ..if worth(&later) > worth(kept) { later } else { *kept } };
        }
    }
}

/// Degrees of longitude, brought into -180 to 180.
fn wrap(lon: f64) -> f64 {
    if lon > 180.0 {
        lon - 360.0
    } else if lon < -180.0 {
        lon + 360.0
    } else {
        lon
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apart(second: i64, clear: f64) -> Apart {
        Apart::from(&Sample {
            at: UnixMillis(second * 1000),
            distance: clear + 60.0,
            uncertainty: 35.0,
            clear,
            bracketed: true,
            tractor: Position { lat: 50.0, lon: 8.1 },
            trailer: Position { lat: 50.0, lon: 8.0 },
            trailer_slack: 0.0,
            trailer_moves: false,
            tractor_moves: true,
        })
    }

    fn rule(clear_m: f64, samples: u32, span: i64) -> Threshold {
        Threshold { clear_m, samples, span_ms: span * 1000, held_too: false }
    }

    #[test]
    fn merging_keeps_the_count_the_span_and_the_first_strong_sample() {
        let mut dwell = Dwell::default();
        for second in 0..120 {
            dwell.put(apart(second, if second < 10 { 120.0 } else { 300.0 }), 150.0);
        }
        assert_eq!(dwell.samples(), 120);
        let (first, newest) = dwell.meets(rule(150.0, 3, 100)).unwrap();
        assert!((10..=20).contains(&(first.at.0 / 1000)), "{first:?}");
        assert_eq!(newest.at, UnixMillis(119_000));
        assert!(dwell.meets(rule(150.0, 3, 120)).is_none());
        assert!(dwell.meets(rule(150.0, 200, 100)).is_none());
        assert!(dwell.meets(rule(400.0, 1, 0)).is_none());
    }

    #[test]
    fn a_sample_counts_once_and_can_be_taken_back() {
        let mut dwell = Dwell::default();
        for second in [60, 0, 60, 30, 0] {
            dwell.put(apart(second, 200.0), 150.0);
        }
        assert_eq!(dwell.samples(), 3);
        dwell.remove(UnixMillis(30_000));
        dwell.forget_until(UnixMillis(0));
        assert_eq!((dwell.samples(), dwell.first().map(|a| a.at)), (1, Some(UnixMillis(60_000))));
    }
}
