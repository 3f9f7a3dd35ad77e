//! The settings in the units the rules calculate in: metres, seconds and milliseconds.

use core::time::Duration;

use super::Settings;

/// See [`Settings`], whose fields these are.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub apart_m: f64,
    pub apart_ms: i64,
    pub apart_samples: u32,
    pub together_m: f64,
    pub together_ms: i64,
    pub rig_m: f64,
    pub max_gap_ms: i64,
    pub alarm_age_ms: i64,
    pub trailer_interval_ms: i64,
}

impl From<&Settings> for Limits {
    fn from(s: &Settings) -> Self {
        Self {
            apart_m: s.apart_m.0,
            apart_ms: millis(s.apart_for),
            apart_samples: s.apart_samples.max(1),
            together_m: s.together_m.0,
            together_ms: millis(s.together_for),
            rig_m: s.rig_length_m.0,
            max_gap_ms: millis(s.max_gap),
            alarm_age_ms: millis(s.alarm_age),
            trailer_interval_ms: millis(s.trailer_interval),
        }
    }
}

/// Whole milliseconds, at most a hundred years, so that sums of times and durations stay in range.
pub(super) fn millis(d: Duration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX).min(3_155_760_000_000)
}
