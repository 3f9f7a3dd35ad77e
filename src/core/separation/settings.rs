//! The nine thresholds that a fleet may set: `[separation]` in the configuration. Everything else is a constant beside
//! the rule that uses it.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::geo::Metres;
use crate::core::time::duration;

/// `[separation]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Surely apart from this distance on, after rig length and uncertainty are taken off.
    pub apart_m: Metres,
    /// Apart for at least this long.
    #[serde(with = "duration")]
    pub apart_for: Duration,
    /// In at least this many samples.
    pub apart_samples: u32,
    /// Together up to this distance beyond the rig length.
    pub together_m: Metres,
    /// Together for at least this long to count as joined or rejoined.
    #[serde(with = "duration")]
    pub together_for: Duration,
    /// Antenna to antenna within one rig: 25 m; 40 for doubles, 55 for a road train.
    pub rig_length_m: Metres,
    /// Longest gap between two fixes that is interpolated.
    #[serde(with = "duration")]
    pub max_gap: Duration,
    /// Evidence older than this is history and alarms nobody.
    #[serde(with = "duration")]
    pub alarm_age: Duration,
    /// Expected report interval of a moving trailer.
    #[serde(with = "duration")]
    pub trailer_interval: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            apart_m: Metres(150.0),
            apart_for: Duration::from_secs(120),
            apart_samples: 3,
            together_m: Metres(75.0),
            together_for: Duration::from_secs(60),
            rig_length_m: Metres(25.0),
            max_gap: Duration::from_secs(600),
            alarm_age: Duration::from_secs(1800),
            trailer_interval: Duration::from_secs(300),
        }
    }
}
