//! What keeps calls back: what is missing, the account, the clock, quiet hours; and whether there is an uplink.

use core::time::Duration;
use std::collections::BTreeMap;

use super::{Call, Queue, QueueOutput, State, Uplink};
use crate::core::calls::call::{Callee, Cause};
use crate::core::separation::ViolationKind;
use crate::core::time::{Mono, Now, UnixMillis};

/// While there is no uplink and a call waits, it is tried this often.
const PROBE_UPLINK_EVERY: Duration = Duration::from_secs(1);

/// While nothing waits, so that health knows.
const PROBE_IDLE_EVERY: Duration = Duration::from_secs(60);

/// After the vendor has refused the account it is asked this much later whether it still does; twice as long each time that
/// it accepts a question and then refuses a call, up to [`PROBE_ACCOUNT_AT_LEAST_EVERY`].
pub(super) const PROBE_ACCOUNT_AFTER: Duration = Duration::from_secs(60);
const PROBE_ACCOUNT_AT_LEAST_EVERY: Duration = Duration::from_secs(900);

/// The vendor refuses the account.
#[derive(Debug)]
pub(super) struct Refused {
    pub reason: String,
    probe_at: Mono,
    probing: bool,
}

/// Why waiting calls are kept back, as far as that has been said.
#[derive(Debug, Default)]
pub(super) struct Holds {
    /// All of them.
    all: Option<String>,
    /// Calls to drivers, by what they are about.
    quiet: BTreeMap<Option<ViolationKind>, String>,
    /// Quiet hours begin and end at full minutes.
    minute: Option<i64>,
}

impl Holds {
    pub const fn hold_all(&self) -> bool {
        self.all.is_some()
    }

    /// Other quiet hours may be in force.
    pub const fn look_again(&mut self) {
        self.minute = None;
    }

    fn reason(&self, call: &Call) -> Option<&String> {
        let quiet = || if call.callee == Callee::Driver { self.quiet.get(&call.kind()) } else { None };
        self.all.as_ref().or_else(quiet)
    }
}

impl Queue {
    /// Whether the configuration allows dialling at all: `Some(reason)` holds every call. Nothing is dialled before the first
    /// time that this is said.
    pub fn set_unready(&mut self, reason: Option<String>) {
        self.started = true;
        self.unready = reason;
        // Another key may be accepted.
        self.account_accepted();
    }

    /// Nothing is dialled from now on: the process is about to end.
    pub const fn stop(&mut self) {
        self.stopping = true;
    }

    /// Whether the vendor could be reached.
    pub fn probed_uplink(&mut self, reached: bool, now: Now) {
        self.probing = false;
        if !reached {
            // Its return is not waited for any longer than need be.
            self.backoff = self.retry.initial;
            self.pause.take_if(|pause| !pause.asked);
        }
        self.uplink = if reached { Uplink::Ok } else { Uplink::Offline };
        self.uplink_tried = Some(now.mono);
    }

    /// Whether the vendor accepts the account: only a plain yes ends the stop, and only one call leaves until it is taken.
    pub fn probed_account(&mut self, accepted: bool, now: Now) {
        if accepted {
            self.on_trial = self.refused.take().is_some();
        } else if let Some(refused) = &mut self.refused {
            refused.probing = false;
            refused.probe_at = now.mono + PROBE_ACCOUNT_AFTER;
        }
    }

    pub(super) const fn uplink_lost(&mut self, now: Now) {
        self.uplink = Uplink::Offline;
        self.uplink_tried = Some(now.mono);
    }

    pub(super) fn account_refused(&mut self, reason: &str, now: Now) {
        if self.refused.is_none() {
            self.refused = Some(Refused { reason: reason.to_owned(), probe_at: now.mono + self.account_wait, probing: false });
            self.account_wait = self.account_wait.saturating_mul(2).min(PROBE_ACCOUNT_AT_LEAST_EVERY);
        }
    }

    pub(super) fn account_accepted(&mut self) {
        self.refused = None;
        self.on_trial = false;
        self.account_wait = PROBE_ACCOUNT_AFTER;
    }

    pub(super) fn account_probe_due(&self) -> Option<Mono> {
        self.refused.as_ref().filter(|refused| !refused.probing).map(|refused| refused.probe_at)
    }

    pub(super) fn probe_account(&mut self, now: Now) {
        if self.account_probe_due().is_some_and(|due| due <= now.mono)
            && let Some(refused) = &mut self.refused
        {
            refused.probing = true;
            self.out.push_back(QueueOutput::ProbeAccount);
        }
    }

    /// Once a second while a call waits for it, now and then otherwise. A queue that is held needs no uplink.
    pub(super) fn uplink_probe_due(&self) -> Option<Mono> {
        if self.probing || self.hold_reason().is_some() {
            return None;
        }
        let wanted = self.uplink == Uplink::Offline && !(self.waiting.is_empty() && self.asking.is_empty());
        let every = if wanted { PROBE_UPLINK_EVERY } else { PROBE_IDLE_EVERY };
        Some(self.uplink_tried.map_or(Mono::default(), |tried| tried + every))
    }

    pub(super) fn probe_uplink(&mut self, now: Now) {
        if self.uplink_probe_due().is_some_and(|due| due <= now.mono) {
            self.probing = true;
            self.out.push_back(QueueOutput::ProbeUplink);
        }
    }

    /// The first trusted reading of the clock dates what was owed before it.
    pub(super) fn trust(&mut self, now: Now) {
        if now.trusted && !self.clock_trusted {
            let undated: Vec<Call> = self.calls.values().filter(|call| !call.dated).cloned().collect();
            for mut call in undated {
                call.dated = true;
                call.created = now.wall;
                if matches!(call.cause, Cause::Request) {
                    call.evidence = now.wall;
                }
                self.keep(call, now);
            }
        }
        self.clock_trusted = now.trusted;
    }

    /// Every waiting call that is due says whether it is kept back, and why.
    pub(super) fn hold_or_release(&mut self, now: Now) {
        let all = self.hold_reason().or((!now.trusted).then_some("the clock is not set"));
        let all_changed = (self.holds.all.as_deref() != all).then(|| all.map(str::to_owned));
        let quiet_changed = self.look_at_quiet_hours(now);
        let fresh = core::mem::take(&mut self.fresh);
        let look_at_all = quiet_changed || all_changed.is_some();
        if let Some(all) = all_changed {
            self.holds.all = all;
        }
        let concerned: Vec<&Call> = if look_at_all {
            self.waiting.iter().filter_map(|(_, call_sid)| self.calls.get(call_sid)).collect()
        } else {
            fresh.iter().filter_map(|call_sid| self.calls.get(call_sid)).filter(|call| call.state.is_waiting()).collect()
        };
        let differ: Vec<(Call, Option<String>)> = concerned
            .into_iter()
            .filter_map(|call| {
                let reason = self.holds.reason(call);
                let same = match (call.state, reason) {
                    (State::Held, Some(reason)) => call.reason.as_ref() == Some(reason),
                    (state, None) => state == State::Pending,
                    (_, Some(_)) => false,
                };
                (!same).then(|| (call.clone(), reason.cloned()))
            })
            .collect();
        for (mut call, reason) in differ {
            let state = if reason.is_some() { State::Held } else { State::Pending };
            if call.state == state {
                call.reason = reason;
                self.keep(call, now);
            } else {
                self.change(&mut call, state, reason, now);
            }
        }
        // They have been said now, what came from saying it included.
        self.fresh.clear();
    }

    /// When quiet hours are looked at again: they begin and end at full minutes.
    pub(super) fn quiet_hours_looked_at(&self, now: Now) -> Option<Mono> {
        let next = UnixMillis((now.wall.0.div_euclid(60_000) + 1).saturating_mul(60_000));
        (!self.settings.quiet_hours.is_empty() && !self.waiting.is_empty()).then(|| now.mono + next.since(now.wall))
    }

    fn look_at_quiet_hours(&mut self, now: Now) -> bool {
        let minute = Some(now.wall.0.div_euclid(60_000));
        if self.holds.minute == minute {
            return false;
        }
        self.holds.minute = minute;
        let kinds = ViolationKind::ALL.into_iter().map(Some).chain([None]);
        let reason = |kind| self.settings.quiet_hours.iter().find_map(|quiet| quiet.holds(kind, now.wall));
        let quiet = kinds.filter_map(|kind| Some((kind, reason(kind)?))).collect();
        let changed = self.holds.quiet != quiet;
        self.holds.quiet = quiet;
        changed
    }
}
