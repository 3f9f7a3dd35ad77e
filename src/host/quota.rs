//! So many lines and no more: neither what others send nor a peer that fails for weeks may fill the journal.
//!
//! Lines are counted by the place in the program that writes them. Of each place `LINES` are written, those of changes of
//! calls and violations by `CHANGES`; the others are counted, and [`sum_up`] says once in a while how many there were, and
//! repeats the last of them.

use core::fmt::{self, Write as _};
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, warn};
use tracing_subscriber::layer::{Context, Filter};

use super::clock;

/// How many lines of one place are written.
#[derive(Clone, Copy, Debug)]
struct Rate {
    at_once: u32,
    /// And one each time that this has passed.
    every: Duration,
}

const LINES: Rate = Rate { at_once: 10, every: Duration::from_secs(60) };

/// A whole fleet at once, and then the 60 calls of a minute with five lines each.
const CHANGES: Rate = Rate { at_once: 1_000, every: Duration::from_millis(200) };

/// So much of a line that was left out is repeated, in characters.
const REPEATED: usize = 200;

/// File and line.
type Place = (&'static str, u32);

/// One journal a process.
static PLACES: Mutex<BTreeMap<Place, Spent>> = Mutex::new(BTreeMap::new());

/// What one place has used up.
#[derive(Debug, Default)]
struct Spent {
    lines: u32,
    /// Up to when lines have been given back.
    since: Option<Instant>,
    left_out: u64,
    last: String,
}

/// Lets a line through, or counts it.
#[derive(Clone, Copy, Debug)]
pub struct Quota;

impl<S> Filter<S> for Quota {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let about = event.metadata();
        let has = |field| about.fields().field(field).is_some();
        if has("left_out") {
            return true;
        }
        let rate = if has("violation_id") { CHANGES } else { LINES };
        let place = (about.file().unwrap_or_default(), about.line().unwrap_or_default());
        let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = places.entry(place).or_default();
        spent.take(rate, clock::instant()) || {
            spent.last.clear();
            event.record(&mut Message(&mut spent.last));
            false
        }
    }
}

/// Says of each place how many of its lines were left out since this was said last.
pub fn sum_up() {
    let mut left_out = Vec::new();
    for spent in PLACES.lock().unwrap_or_else(PoisonError::into_inner).values_mut().filter(|spent| spent.left_out > 0) {
        left_out.push((core::mem::take(&mut spent.left_out), core::mem::take(&mut spent.last)));
    }
    for (lines, last) in left_out {
        warn!(left_out = lines, "{lines} more lines like this were left out: {last}");
    }
}

impl Spent {
    fn take(&mut self, rate: Rate, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        let back = now.saturating_duration_since(since).as_nanos() / rate.every.as_nanos().max(1);
        let back = u32::try_from(back).unwrap_or(u32::MAX);
        self.lines = self.lines.saturating_sub(back);
        self.since = if self.lines == 0 { Some(now) } else { since.checked_add(rate.every.saturating_mul(back)) };
        let there_is_room = self.lines < rate.at_once;
        if there_is_room {
            self.lines += 1;
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
        there_is_room
    }
}

/// Takes the beginning of the message of a line.
struct Message<'a>(&'a mut String);

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // It breaks off when there is enough.
            let _ = write!(Beginning { text: self.0, room: REPEATED }, "{value:?}");
        }
    }
}

struct Beginning<'a> {
    text: &'a mut String,
    room: usize,
}

impl fmt::Write for Beginning<'_> {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        for c in more.chars() {
            self.room = self.room.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(c);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_at_once_and_then_one_a_minute() {
        let start = clock::instant();
        let mut spent = Spent::default();
        let mut written = |secs| {
            let at = start + Duration::from_secs(secs);
            (0..1000).filter(|_| spent.take(LINES, at)).count()
        };
        assert_eq!(written(0), 10);
        assert_eq!(written(59), 0);
        assert_eq!(written(60), 1);
        assert_eq!(written(119), 0, "less than a minute after the last that was given back");
        assert_eq!(written(185), 2);
        assert_eq!(written(86_400), 10, "no more than at once are saved up");
        assert_eq!(spent.left_out, 6_000 - 23);
    }

    #[test]
    fn a_day_of_one_place_is_some_thousand_lines() {
        let start = clock::instant();
        let mut spent = Spent::default();
        let day = (0..86_400).map(|sec| start + Duration::from_secs(sec));
        assert_eq!(day.filter(|at| spent.take(LINES, *at)).count(), 10 + 1_439);
    }

    #[test]
    fn a_fleet_at_once_is_told_and_a_flood_is_not() {
        let start = clock::instant();
        let mut spent = Spent::default();
        let mut written = |secs| (0..20_000).filter(|_| spent.take(CHANGES, start + Duration::from_secs(secs))).count();
        assert_eq!((written(0), written(1), written(61)), (1_000, 5, 300));
    }

    #[test]
    fn only_the_beginning_of_a_line_is_repeated() {
        let mut text = String::new();
        let _ = Beginning { text: &mut text, room: 3 }.write_str("äöüx");
        assert_eq!(text, "äöü");
    }
}
