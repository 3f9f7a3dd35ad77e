//! What the detector sees, for those who want to look over its shoulder: `replay` draws and explains it.

use super::history::{HOLD_MS, NEAR_MS};
use super::limits::Limits;
use super::sample::{Sample, Side};
use super::unit::Unit;
use crate::core::geo::{Metres, Position};
use crate::core::time::UnixMillis;

/// Tractor and trailer compared at one event time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// Event time.
    pub at: UnixMillis,
    /// Where the tractor was.
    pub tractor: Position,
    /// Where the trailer was.
    pub trailer: Position,
    /// From one to the other.
    pub distance: Metres,
    /// How far that may be off.
    pub uncertainty: Metres,
    /// What remains when rig length and uncertainty are taken off: surely apart by this much.
    pub clear: Metres,
    /// False against a tractor that is only taken to be parked where it was last heard.
    pub bracketed: bool,
    /// What the rules make of it.
    pub verdict: Verdict,
}

/// See [`Comparison::verdict`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Where one rig would be.
    Together,
    /// Neither this nor that, or too uncertain to say.
    Unclear,
    /// Surely apart by the distance the usual rule asks for.
    Apart,
    /// Apart, but a wrong clock explains it: taken out of the evidence.
    Vetoed,
}

/// All comparisons that a fix of one side at a time decides, as they stand now, oldest first: its own, and those at the other
/// side's fixes to which it is a neighbour.
pub(super) fn around<'a>(
    side: Side,
    at: UnixMillis,
    tractor: &'a Unit,
    trailer: &'a Unit,
    limits: &'a Limits,
) -> impl Iterator<Item = Comparison> + 'a {
    let (own, other, beyond_ms) = match side {
        Side::Tractor => (&tractor.history, &trailer.history, HOLD_MS),
        Side::Trailer => (&trailer.history, &tractor.history, NEAR_MS),
    };
    let (before, after) = own.neighbours(at);
    let from = before.map_or(UnixMillis(at.0.saturating_sub(NEAR_MS)), |f| f.at());
    let to = after.map_or(UnixMillis(at.0.saturating_add(beyond_ms)), |f| f.at());
    let others = other.after(from).iter().take_while(move |f| f.at() <= to);
    let times = others.map(move |f| (side.other(), f)).chain(own.get(at).map(move |f| (side, f)));
    times.filter_map(move |(side, fix)| {
        let sample = Sample::at_fix(side, fix, tractor, trailer, limits)?;
        let verdict = if sample.is_together(limits) {
            Verdict::Together
        } else if sample.clear >= limits.apart_m {
            Verdict::Apart
        } else {
            Verdict::Unclear
        };
        Some(Comparison::new(&sample, verdict))
    })
}

/// The comparison of a time that was taken out of the evidence.
pub(super) fn vetoed(at: UnixMillis, tractor: &Unit, trailer: &Unit, limits: &Limits) -> Option<Comparison> {
    let of_trailer = trailer.history.get(at).map(|fix| (Side::Trailer, fix));
    let (side, fix) = of_trailer.or_else(|| Some((Side::Tractor, tractor.history.get(at)?)))?;
    Some(Comparison::new(&Sample::at_fix(side, fix, tractor, trailer, limits)?, Verdict::Vetoed))
}

impl Comparison {
    fn new(sample: &Sample, verdict: Verdict) -> Self {
        Self {
            at: sample.at,
            tractor: sample.tractor,
            trailer: sample.trailer,
            distance: Metres(sample.distance),
            uncertainty: Metres(sample.uncertainty),
            clear: Metres(sample.clear),
            bracketed: sample.bracketed,
            verdict,
        }
    }
}
