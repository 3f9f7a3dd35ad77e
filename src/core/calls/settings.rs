//! `[calls]` and `[retry]` of the configuration.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::quiet::QuietHours;
use super::template::Templates;
use crate::core::time::duration;

/// `[calls]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Of the newest evidence (violation) or of receipt (request), for the first placed attempt only.
    #[serde(with = "duration")]
    pub max_age: Duration,
    /// A call not yet placed is cancelled when the two are together again.
    pub cancel_on_rejoin: bool,
    /// Placed but unanswered calls count, nothing else.
    pub attempts: u32,
    /// Calls a minute for the whole gateway; 50 at once.
    pub rate_per_minute: u32,
    /// From an unanswered call to the next.
    #[serde(with = "duration")]
    pub retry_after: Duration,
    /// Between two calls to one driver about one kind of violation.
    #[serde(with = "duration")]
    pub cooldown: Duration,
    /// When to ask the vendor about an attempt of unknown outcome, from its end or from a restart.
    #[serde(with = "duration::list")]
    pub verify_after: Vec<Duration>,
    /// Dialing, or placed and not yet final.
    pub max_concurrent: usize,
    /// Whether the dispatcher is called when the driver was not reached.
    pub escalate_to_dispatcher: bool,
    /// For numbers without `+`.
    pub default_country: String,
    /// Everything but the POST.
    pub dry_run: bool,
    /// Whether what was said in a call, and the vendor's summary of it, are kept with the call.
    pub transcripts: bool,
    /// When drivers are not called.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quiet_hours: Vec<QuietHours>,
    /// What drivers are told about a violation, where the fleet has its own words.
    #[serde(skip_serializing_if = "Templates::is_empty")]
    pub prompt: Templates,
}

impl Default for Settings {
    fn default() -> Self {
        let minutes = |m: u64| Duration::from_secs(m * 60);
        Self {
            max_age: minutes(30),
            cancel_on_rejoin: true,
            attempts: 3,
            rate_per_minute: 60,
            retry_after: minutes(10),
            cooldown: minutes(30),
            verify_after: vec![Duration::from_secs(2), Duration::from_secs(10), minutes(1), minutes(5), minutes(15)],
            max_concurrent: 10,
            escalate_to_dispatcher: true,
            default_country: "US".to_owned(),
            dry_run: false,
            transcripts: true,
            quiet_hours: Vec::new(),
            prompt: Templates::new(),
        }
    }
}

/// `[retry]`: transport only, and only for outcomes known to be "not placed".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// First wait.
    #[serde(with = "duration")]
    pub initial: Duration,
    /// Longest wait.
    #[serde(with = "duration")]
    pub max: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { initial: Duration::from_secs(2), max: Duration::from_secs(60) }
    }
}
