//! What gladhand says of itself: one object, the same on the health topic, on the control socket and for `status`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::gateway::Gateway;
use super::id::UnitId;
use super::time::UnixMillis;

/// Health. Serialises to the payload of the health topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// In one word.
    pub status: Status,
    /// Of the process.
    pub pid: u32,
    /// When this was said.
    pub time: UnixMillis,
    /// Of gladhand.
    pub version: String,
    /// Since when the process runs.
    pub since: UnixMillis,
    /// How often gladhand has been started on this store.
    pub session: u64,
    /// Why it is degraded, one short name each: `uplink_offline`, `clock_suspect:R-007`.
    pub reasons: Vec<String>,
    /// `ok` or `offline`.
    pub uplink: String,
    /// `ok`, `quarantined`, `full` (it writes on what it had kept in reserve) or `failing` (it does not write).
    pub store: String,
    /// What came in.
    pub telemetry: Telemetry,
    /// What was found.
    pub violations: Violations,
    /// What is owed and what became of it.
    pub calls: Calls,
    /// The broker.
    pub mqtt: Mqtt,
    /// What the vendor was asked, by endpoint; those that were never used are absent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vendor: BTreeMap<String, Asked>,
    /// The machine under us.
    #[serde(default)]
    pub gateway: Gateway,
}

/// See [`Health::status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All is well.
    Up,
    /// It runs, but something keeps it from its full job.
    Degraded,
    /// It does not run.
    Down,
}

/// See [`Health::telemetry`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Telemetry {
    /// Units that are assigned.
    pub units: u64,
    /// Of these, units that have fallen silent.
    pub stale: u64,
    /// Seconds since the last message; absent before the first.
    pub age_s: Option<u64>,
    /// Messages since the start.
    pub received: u64,
    /// Of these, not used: unreadable, or refused as a fix.
    pub rejected: u64,
    /// The same by reason.
    pub rejected_by: BTreeMap<String, u64>,
    /// The assigned units with the most refused positions, worst first, ten at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub worst: Vec<Worst>,
}

/// See [`Telemetry::worst`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Worst {
    /// Whose.
    pub unit: UnitId,
    /// Refused positions by reason, each counted to 65,535.
    pub rejected_by: BTreeMap<String, u64>,
}

/// See [`Health::violations`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violations {
    /// Open now.
    pub open: u64,
    /// Suspected now.
    pub suspected: u64,
}

/// See [`Health::calls`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls {
    /// Waiting for uplink or a slot.
    pub pending: u64,
    /// Age of the oldest that waits, in seconds; absent when none does.
    pub oldest_s: Option<u64>,
    /// Kept back; a reason says why.
    pub held: u64,
    /// POST under way.
    pub dialing: u64,
    /// Outcome of the POST unknown.
    pub unknown: u64,
    /// Ringing or talking.
    pub placed: u64,
    /// Ended, of those still listed.
    pub concluded: u64,
    /// Refused, of those still listed.
    pub failed: u64,
    /// Too old, of those still listed.
    pub expired: u64,
    /// Called off, of those still listed.
    pub cancelled: u64,
}

/// See [`Health::mqtt`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mqtt {
    /// Subscribed now.
    pub connected: bool,
    /// Connections since the start.
    pub connects: u64,
    /// Of these, how often the broker had forgotten our session: what came meanwhile is lost.
    pub sessions_lost: u64,
    /// Why the last connection ended.
    pub last_error: Option<String>,
    /// Announcements waiting for the broker's acknowledgement.
    pub waiting: u64,
    /// Messages on our own topics that were not followed: malformed, refused, or about nothing there is.
    pub not_followed: u64,
}

/// See [`Health::vendor`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Requests since the start.
    pub requests: u64,
    /// Of these, without success, by kind: `unreachable`, `lost`, `unauthorised`, `not_found`, `busy`, `refused`, `failed`,
    /// `unreadable`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failures: BTreeMap<String, u64>,
}

impl Health {
    /// Whether a listener should hear of the difference at once: anything but clocks, gauges and counters of telemetry.
    #[must_use]
    pub fn differs(&self, other: &Self) -> bool {
        let quiet = |health: &Self| Self {
            time: UnixMillis(0),
            telemetry: Telemetry { units: 0, stale: health.telemetry.stale, ..Telemetry::default() },
            calls: Calls { oldest_s: None, ..health.calls },
            vendor: BTreeMap::new(),
            mqtt: Mqtt { waiting: 0, not_followed: 0, ..health.mqtt.clone() },
            gateway: Gateway::default(),
            ..health.clone()
        };
        quiet(self) != quiet(other)
    }
}

/// What the broker publishes for us when we are gone, and what we publish when we go.
#[must_use]
pub fn down(pid: u32, session: u64) -> String {
    format!(r#"{{"status":"down","pid":{pid},"session":{session}}}"#)
}
