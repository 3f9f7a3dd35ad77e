//! The rule that comes to mind first: latest position against latest position, apart when farther than `apart_m` for `apart_for`.
//! Shown beside ours for comparison, with the same thresholds; see `separation` for why it does not do.

use core::time::Duration;

use crate::core::geo::Metres;
use crate::core::separation::Settings;
use crate::core::time::UnixMillis;

/// What that rule says of one pair.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Naive {
    apart_since: Option<UnixMillis>,
    is_alarmed: bool,
    /// Times of receipt at which it would have alarmed.
    pub alarms: Vec<UnixMillis>,
}

impl Naive {
    /// One of the two has reported: their latest positions are this far from each other.
    pub fn see(&mut self, distance: Metres, received: UnixMillis, settings: &Settings) {
        let Settings { apart_m, apart_for, .. } = settings;
        if distance <= *apart_m {
            (self.apart_since, self.is_alarmed) = (None, false);
            return;
        }
        let since = *self.apart_since.get_or_insert(received);
        if !self.is_alarmed && lasted(since, received, *apart_for) {
            self.is_alarmed = true;
            self.alarms.push(received);
        }
    }
}

fn lasted(since: UnixMillis, until: UnixMillis, wanted: Duration) -> bool {
    until.since(since) >= wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alarm_for_each_time_apart_long_enough() {
        let mut naive = Naive::default();
        let apart = [
            (0, 10.0),
            (10, 151.0),
            (129, 9_000.0),
            (130, 151.0),
            (400, 151.0),
            (401, 150.0),
            (500, 400.0),
            (619, 1.0),
            (620, 400.0),
        ];
        for (at, metres) in apart {
            naive.see(Metres(metres), UnixMillis(at * 1000), &Settings::default());
        }
        assert_eq!(naive.alarms, [UnixMillis(130_000)]);
    }
}
