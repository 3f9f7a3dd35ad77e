//! Health, put together from everything that knows of something wrong.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Machine, StoreFound, Writes, receive};
use crate::core::calls::{Call, Cause, State, Uplink};
use crate::core::health::{Calls, Health, Mqtt, Status, Telemetry, Violations, Worst};
use crate::core::id::UnitId;
use crate::core::separation::{FindingEvent, UnitView};
use crate::core::time::Now;

/// For so long health speaks of a session that the broker had forgotten.
const SESSION_LOST_FOR: Duration = Duration::from_secs(600);

/// For so long health speaks of a call that was refused.
const FAILED_FOR: Duration = Duration::from_secs(24 * 3600);

/// The most units that health names one by one, for each reason.
const MAX_NAMED: usize = 10;

/// The most units that are listed for who asks.
const MAX_LISTED: usize = 1_000;

impl Machine {
    /// How it stands.
    #[must_use]
    pub fn health(&self, now: Now) -> Health {
        let seen = self.detector.observations(receive(now));
        let count = |state| self.queue.count(state) as u64;
        let mut reasons = Vec::new();
        let mut reason = |wrong: bool, name: &str| {
            if wrong {
                reasons.push(name.to_owned());
            }
        };
        reason(self.queue.uplink() == Uplink::Offline, "uplink_offline");
        reason(!now.trusted, "clock_not_set");
        reason(self.writes == Writes::Fail, "store_failing");
        reason(self.writes == Writes::OnReserve, "store_full");
        reason(self.store == StoreFound::Quarantined, "store_quarantined");
        reason(self.store == StoreFound::Repaired, "store_repaired");
        reason(self.queue.is_refused(), "account_refused");
        reason(count(State::Unknown) > 0, "calls_unknown");
        reason(self.queue.failed_since(now.wall - FAILED_FOR), "calls_failed");
        reason(self.outbox.given_up() > 0, "announcements_given_up");
        reason(!self.link.connected, "broker_offline");
        reason(self.session_lost_at.is_some_and(|at| now.mono.0 < (at + SESSION_LOST_FOR).0), "broker_forgot_session");
        reason(self.settings.calls.dry_run, "dry_run");
        reasons.extend(self.unready.map(str::to_owned));
        reasons.extend(self.gateway.reasons(now.mono).map(str::to_owned));
        let named = |name: &str, units: &mut dyn Iterator<Item = &UnitId>| -> Vec<String> {
            units.take(MAX_NAMED).map(|unit| format!("{name}:{unit}")).collect()
        };
        reasons.extend(named("clock_suspect", &mut seen.clock_suspect_units.iter()));
        reasons.extend(named("stale_position", &mut seen.stale_units.iter()));
        reasons.extend(named("silent", &mut seen.silent_units.iter()));
        reasons.extend(self.deaf_to.iter().take(MAX_NAMED).map(|filter| format!("subscription_refused:{filter}")));
        reasons.extend(named("nobody_to_call", &mut self.nobody_to_call.values().collect::<BTreeSet<_>>().into_iter()));
        let unreached: BTreeSet<&str> = self.queue.nobody_reached().flat_map(|call| about(call).into_iter()).collect();
        reasons.extend(unreached.into_iter().take(MAX_NAMED).map(|whom| format!("nobody_reached:{whom}")));
        let undecodable: u64 = self.undecodable.values().sum();
        let mut rejected_by: BTreeMap<String, u64> = self.undecodable.iter().map(|(k, n)| ((*k).to_owned(), *n)).collect();
        rejected_by.extend(seen.refused.by_reason().map(|(reason, n)| (reason.to_owned(), n)));
        let worst = self.detector.most_refused(MAX_NAMED, receive(now)).into_iter();
        let worst = worst.map(|view| Worst { rejected_by: by_reason(&view), unit: view.unit }).collect();
        Health {
            status: if reasons.is_empty() { Status::Up } else { Status::Degraded },
            pid: self.identity.pid,
            time: now.wall,
            version: self.identity.version.to_owned(),
            since: self.since,
            session: self.session,
            reasons,
            uplink: if self.queue.uplink() == Uplink::Ok { "ok" } else { "offline" }.to_owned(),
            store: match (self.writes, self.store) {
                (Writes::Fail, _) => "failing",
                (Writes::OnReserve, _) => "full",
                (Writes::Succeed, StoreFound::Quarantined) => "quarantined",
                (Writes::Succeed, StoreFound::InOrder | StoreFound::Repaired) => "ok",
            }
            .to_owned(),
            telemetry: Telemetry {
                units: seen.units as u64,
                stale: seen.silent as u64,
                age_s: self.last_received.map(|at| now.mono.0.saturating_sub(at.0).as_secs()),
                received: self.received,
                rejected: undecodable + seen.refused.total(),
                rejected_by,
                worst,
            },
            violations: self.violations(),
            calls: Calls {
                pending: count(State::Pending),
                oldest_s: self.queue.oldest_waiting().map(|call| now.wall.since(call.created).as_secs()),
                held: count(State::Held),
                dialing: count(State::Dialing),
                unknown: count(State::Unknown),
                placed: count(State::Placed),
                concluded: count(State::Concluded),
                failed: count(State::Failed),
                expired: count(State::Expired),
                cancelled: count(State::Cancelled),
            },
            mqtt: Mqtt { waiting: self.outbox.len() as u64, ..self.link.clone() },
            vendor: self.asked.clone(),
            gateway: self.gateway.last(),
        }
    }

    /// All units, those first of which something is wrong, as far as the answer has room.
    pub(super) fn units(&self, now: Now) -> Value {
        let (units, more) = self.detector.worst_first(MAX_LISTED, receive(now));
        let listed = |view: &UnitView| {
            json!({
                "unit": view.unit,
                "with": view.with,
                "fix_age_s": view.fix.map(|at| now.wall.since(at).as_secs()),
                "heard_age_s": view.heard.map(|at| now.wall.since(at).as_secs()),
                "silent": view.is_silent,
                "clock_suspect": view.is_clock_suspect,
                "stale_position": view.is_stale,
                "rejected_by": by_reason(view),
            })
        };
        json!({ "units": units.iter().map(listed).collect::<Vec<_>>(), "more": more })
    }

    fn violations(&self) -> Violations {
        let (open, suspected) = self.detector.open().fold((0, 0), |(open, suspected), episode| match episode.event {
            FindingEvent::Opened => (open + 1, suspected),
            FindingEvent::Suspected => (open, suspected + 1),
            FindingEvent::Closed | FindingEvent::DroppedOk => (open, suspected),
        });
        Violations { open, suspected }
    }
}

fn by_reason(view: &UnitView) -> BTreeMap<String, u64> {
    view.refused.by_reason().map(|(reason, count)| (reason.to_owned(), count)).collect()
}

/// The tractors that a call is about, or the call itself.
fn about(call: &Call) -> Vec<&str> {
    match call.cause {
        Cause::Violation(_) => call.separations().map(|s| s.tractor.as_str()).collect(),
        Cause::Request => vec![call.call_sid.as_str()],
    }
}
