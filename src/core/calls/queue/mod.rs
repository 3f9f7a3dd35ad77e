//! The queue of owed calls: when one may leave, what its answer means, when it ends.
//!
//! Four rules carry the promises. A change of a call is kept before its effect is performed, so the attempt is on disk
//! before the POST leaves. A call found `dialing` after a restart is `unknown`. Nothing but [`Verdict::NotPlaced`] brings
//! a call back to `pending`, and nothing but the vendor's word, asked for late enough, makes an unknown attempt one that
//! was not placed. What follows from the end of an attempt is kept before that end.
//!
//! | file | what |
//! |---|---|
//! | `hold` | what keeps calls back: configuration, account, clock, quiet hours; and whether there is an uplink |
//! | `leave` | which call leaves next, and when: slots, rate, cooldown, several separations in one call |
//! | `unknown` | asking the vendor what became of an attempt |
//! | `end` | following a placed call to its end, and what follows from it |
//! | `clock` | the wall clock was set |
//! | `tables` | where a call stands, by its state |

mod agenda;
mod clock;
mod end;
mod hold;
mod leave;
mod tables;
mod unknown;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use agenda::Agenda;
use end::End;
use hold::{Holds, Refused};
use leave::Pause;
use unknown::Asking;
pub use unknown::Found;

use super::call::{Call, Callee, Cause, Separation, State};
use super::dialing::{NotPlaced, Order, Search, Verdict};
use super::names::Names;
use super::rate::Rate;
use super::settings::{Retry, Settings};
use crate::core::id::{CallSid, DriverId, UnitId, ViolationId};
use crate::core::record::Change;
use crate::core::roster::{Dispatcher, Driver};
use crate::core::separation::ViolationKind;
use crate::core::time::{Mono, Now, UnixMillis};

/// Calls that may wait or be under way at once; further requests are refused. A separation is never refused: there are
/// no more of them than pairs.
pub const MAX_ACTIVE: usize = 20_000;

/// Calls that have ended and are still listed; and as many that reached nobody and are not acknowledged.
pub const MAX_ENDED: usize = 1_000;

/// A call to be owed.
#[derive(Clone, Debug)]
pub struct Owed {
    /// Why.
    pub cause: Cause,
    /// Whose telephone rings.
    pub callee: Callee,
    /// The driver that it is about.
    pub driver: Driver,
    /// To whom the agent may transfer, and who is called when the driver is not reached.
    pub dispatcher: Option<Dispatcher>,
    /// What the agent says, when a request is the cause; for a separation the queue words it.
    pub prompt: String,
    /// How many violations the prompt speaks of.
    pub triggers: usize,
    /// Attempts that the one who asks has made already, and the last of them.
    pub before: (u32, Option<CallSid>),
    /// Age counts from here.
    pub evidence: UnixMillis,
}

/// What the queue asks for. The order is the order in which it must happen; a `Keep` is durable before what follows it.
#[derive(Clone, Debug, PartialEq)]
pub enum QueueOutput {
    /// Make this durable.
    Keep(Change),
    /// Tell the world how this call stands now.
    Changed(Box<Call>),
    /// One POST.
    Dial(Order),
    /// Ask how this conversation stands.
    AskConversation {
        /// The call it belongs to.
        call_sid: CallSid,
        /// The vendor's id.
        conversation_id: String,
    },
    /// Ask whether this attempt became a call.
    Find(Search),
    /// Try whether the vendor can be reached at all.
    ProbeUplink,
    /// Try whether the vendor accepts the account again.
    ProbeAccount,
}

/// Whether the vendor can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uplink {
    /// As far as known.
    Ok,
    /// The last try failed.
    Offline,
}

/// Why a request to change a call was not followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No such call.
    #[error("there is no such call")]
    NoSuchCall,
    /// It is past the point.
    #[error("the call is {state}: {why}")]
    TooLate {
        /// Where it is.
        state: State,
        /// What that means.
        why: &'static str,
    },
    /// [`MAX_ACTIVE`].
    #[error("{MAX_ACTIVE} calls are waiting already")]
    Full,
}

/// See the module.
#[derive(Debug)]
pub struct Queue {
    settings: Settings,
    retry: Retry,
    names: Names,
    calls: BTreeMap<CallSid, Call>,
    /// Owed and due, in the order in which they leave.
    waiting: BTreeSet<(u64, CallSid)>,
    /// Those of them that nothing keeps back.
    pending: BTreeSet<(u64, CallSid)>,
    /// Among them those of which it has not been said yet whether they are held.
    fresh: Vec<CallSid>,
    /// Owed, and not due yet.
    later: Agenda,
    expiring: BTreeSet<(UnixMillis, CallSid)>,
    dialing: BTreeSet<CallSid>,
    /// Of unknown outcome.
    asking: BTreeMap<CallSid, Asking>,
    ask_due: Agenda,
    /// Placed, since when it has been followed.
    following: BTreeMap<CallSid, Mono>,
    follow_due: Agenda,
    /// In the order in which they ended.
    ended: VecDeque<CallSid>,
    nobody_reached: BTreeSet<CallSid>,
    counts: BTreeMap<State, usize>,
    last_called: BTreeMap<(DriverId, ViolationKind), UnixMillis>,
    next_order: u64,
    rate: Rate,
    /// False until it is known whether anything can be dialled at all; until then nothing happens.
    started: bool,
    /// Told to stop: what is under way ends, nothing new begins.
    stopping: bool,
    unready: Option<String>,
    refused: Option<Refused>,
    /// How long the account is left alone after its next refusal.
    account_wait: Duration,
    /// The account was refused last time: one call at a time until one is taken.
    on_trial: bool,
    pause: Option<Pause>,
    backoff: Duration,
    uplink: Uplink,
    /// The vendor was last heard of, or last tried in vain.
    uplink_tried: Option<Mono>,
    probing: bool,
    clock_trusted: bool,
    holds: Holds,
    out: VecDeque<QueueOutput>,
}

impl Queue {
    /// An empty queue. `gateway` and `nonce` go into every `call_sid`; `nonce` must differ between any two starts of the
    /// daemon.
    #[must_use]
    pub fn new(settings: Settings, retry: Retry, gateway: &str, nonce: &str) -> Self {
        let backoff = retry.initial;
        Self {
            settings,
            retry,
            names: Names::new(gateway, nonce),
            calls: BTreeMap::new(),
            waiting: BTreeSet::new(),
            pending: BTreeSet::new(),
            fresh: Vec::new(),
            later: Agenda::default(),
            expiring: BTreeSet::new(),
            dialing: BTreeSet::new(),
            asking: BTreeMap::new(),
            ask_due: Agenda::default(),
            following: BTreeMap::new(),
            follow_due: Agenda::default(),
            ended: VecDeque::new(),
            nobody_reached: BTreeSet::new(),
            counts: BTreeMap::new(),
            last_called: BTreeMap::new(),
            next_order: 0,
            rate: Rate::new(),
            started: false,
            stopping: false,
            unready: None,
            refused: None,
            account_wait: hold::PROBE_ACCOUNT_AFTER,
            on_trial: false,
            pause: None,
            backoff,
            uplink: Uplink::Ok,
            uplink_tried: None,
            probing: false,
            clock_trusted: false,
            holds: Holds::default(),
            out: VecDeque::new(),
        }
    }

    /// Takes over other settings; calls under way go on.
    pub fn configure(&mut self, settings: Settings, retry: Retry) {
        self.settings = settings;
        self.retry = retry;
        self.holds.look_again();
        self.expiring = self.calls.values().filter_map(|call| self.expiry(call).map(|at| (at, call.call_sid.clone()))).collect();
    }

    /// Takes back what is stored, in the order in which it changed last. What was kept in part is tied up.
    pub fn restore(&mut self, mut calls: Vec<Call>, now: Now) {
        // Those that ended first are forgotten first.
        calls.sort_by_key(|call| call.changed);
        for call in calls {
            self.restore_one(call, now);
        }
        self.tie_up(now);
    }

    /// Takes back a stored call. One that was being dialled when the power went has an unknown outcome now.
    fn restore_one(&mut self, mut call: Call, now: Now) {
        self.next_order = self.next_order.max(call.order.saturating_add(1));
        self.remember_ringing(&call);
        match call.state {
            State::Dialing => {
                self.file(call.clone(), now);
                let reason = "gladhand stopped between marking the attempt and hearing the vendor's answer".to_owned();
                self.change(&mut call, State::Unknown, Some(reason), now);
            }
            // Held is a matter of the moment; whether it still is one is found out anew.
            State::Held => {
                call.state = State::Pending;
                call.reason = None;
                self.file(call, now);
            }
            State::Pending
            | State::Unknown
            | State::Placed
            | State::Concluded
            | State::Failed
            | State::Expired
            | State::Cancelled => self.file(call, now),
        }
    }

    /// What was to be kept together may have been kept in part when the power went: ties it up.
    fn tie_up(&mut self, now: Now) {
        let mut followed = BTreeMap::new();
        let mut told = BTreeMap::new();
        for call in self.calls.values() {
            let is_ours = |parent: &&CallSid| self.calls.get(*parent).is_some_and(|parent| parent.cause == call.cause);
            followed.extend(call.parent_call_sid.as_ref().filter(is_ours).cloned().map(|parent| (parent, call.call_sid.clone())));
            if !call.state.is_waiting() {
                told.extend(call.also.iter().map(|s| ((s.violation_id.clone(), call.callee), call.call_sid.clone())));
            }
        }
        for (parent, next) in followed {
            if let Some(mut parent) = self.calls.get(&parent).filter(|parent| parent.next_call_sid.is_none()).cloned() {
                parent.next_call_sid = Some(next);
                self.keep(parent, now);
            }
        }
        let waiting: Vec<Call> = self.calls.values().filter(|call| call.state.is_waiting()).cloned().collect();
        for call in waiting {
            let first = call.parent_call_sid.is_none() || call.callee == Callee::DispatcherAfter;
            if let Some(teller) = call.violation_id().and_then(|id| told.get(&(id.clone(), call.callee))).filter(|_| first) {
                self.told_with(call, teller.clone(), now);
            }
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<QueueOutput> {
        self.out.pop_front()
    }

    /// A call is owed from now on.
    ///
    /// # Errors
    /// When it was requested and the queue is full.
    pub fn owe(&mut self, owed: Owed, now: Now) -> Result<&Call, Denied> {
        let active: usize = State::ALL.into_iter().filter(|state| !state.is_final()).map(|state| self.count(state)).sum();
        if active >= MAX_ACTIVE && matches!(owed.cause, Cause::Request) {
            return Err(Denied::Full);
        }
        Ok(self.enter(owed, now))
    }

    /// Calls off one call that waits, closes one of unknown outcome, or acknowledges that one reached nobody. After one that
    /// is under way no other follows.
    ///
    /// # Errors
    /// When there is none, or it is past that.
    pub fn cancel(&mut self, call_sid: &CallSid, reason: &str, now: Now) -> Result<&Call, Denied> {
        let mut call = self.calls.get(call_sid).ok_or(Denied::NoSuchCall)?.clone();
        let state = call.state;
        match state {
            State::Pending | State::Held | State::Unknown => {
                Ok(self.change(&mut call, State::Cancelled, Some(reason.to_owned()), now))
            }
            State::Dialing | State::Placed => {
                call.unwanted = Some(reason.to_owned());
                self.keep(call, now);
                Err(Denied::TooLate { state, why: "the vendor may be ringing already; no further attempt follows" })
            }
            State::Concluded | State::Failed | State::Expired | State::Cancelled if call.nobody_reached => {
                call.nobody_reached = false;
                self.keep(call, now);
                Ok(self.filed(call_sid.clone()))
            }
            State::Concluded | State::Failed | State::Expired | State::Cancelled => {
                Err(Denied::TooLate { state, why: "it is over" })
            }
        }
    }

    /// Calls off what is owed for one violation, when the settings want that.
    pub fn violation_ended(&mut self, violation_id: &ViolationId, reason: &str, now: Now) {
        if self.settings.cancel_on_rejoin {
            self.call_off(&|separation| separation.violation_id == *violation_id, reason, now);
        }
    }

    /// Somebody knows of this tractor: what is owed about it is called off, and that nobody was reached is heard. Returns how
    /// many calls waited for it alone.
    pub fn acknowledge(&mut self, tractor: &UnitId, reason: &str, now: Now) -> usize {
        let unreached = self.nobody_reached.iter().filter_map(|call_sid| self.calls.get(call_sid));
        let unreached: Vec<Call> = unreached.filter(|call| call.separations().any(|s| s.tractor == *tractor)).cloned().collect();
        for mut call in unreached {
            call.nobody_reached = false;
            self.keep(call, now);
        }
        self.call_off(&|separation| separation.tractor == *tractor, reason, now)
    }

    /// Calls off what is owed for these separations; after what is under way nothing follows. Returns how many calls waited
    /// for them alone.
    fn call_off(&mut self, these: &dyn Fn(&Separation) -> bool, reason: &str, now: Now) -> usize {
        let speaks_of_them = |call: &&Call| call.separations().any(|s| s.over.is_none() && these(s));
        let concerned: Vec<Call> =
            self.calls.values().filter(|call| !call.state.is_final()).filter(speaks_of_them).cloned().collect();
        let mut cancelled = 0;
        for mut call in concerned {
            for separation in call.separations_mut().filter(|separation| these(separation)) {
                separation.over = Some(reason.to_owned());
            }
            if call.state.is_waiting() && call.no_longer_wanted().is_some() {
                cancelled += 1;
                self.change(&mut call, State::Cancelled, Some(reason.to_owned()), now);
            } else {
                self.keep(call, now);
            }
        }
        cancelled
    }

    /// Owes the same call once more, because a person says so; a further attempt that is owed already leaves at once.
    ///
    /// # Errors
    /// When there is no such call, or it has not ended.
    pub fn retry(&mut self, call_sid: &CallSid, now: Now) -> Result<&Call, Denied> {
        let mut call = self.calls.get(call_sid).ok_or(Denied::NoSuchCall)?.clone();
        let next = call.next_call_sid.as_ref().and_then(|next| self.calls.get(next));
        let is_later = |call: &&Call| call.state.is_waiting() && call.not_before.is_some();
        if let Some(mut due) = next.filter(is_later).or(Some(&call).filter(is_later)).cloned() {
            due.not_before = None;
            let call_sid = due.call_sid.clone();
            self.keep(due, now);
            return Ok(self.filed(call_sid));
        }
        let mut last = &call;
        while let Some(next) = last.next_call_sid.as_ref().and_then(|next| self.calls.get(next)) {
            last = next;
        }
        if last.call_sid != call.call_sid && !last.state.is_final() {
            return Err(Denied::TooLate { state: last.state, why: "that is the attempt after it, which has not ended yet" });
        }
        // A person may know what became of an attempt of unknown outcome before the vendor says so.
        if !call.state.is_final() && call.state != State::Unknown {
            return Err(Denied::TooLate { state: call.state, why: "it has not ended yet" });
        }
        let mut wanted = call.clone();
        if wanted.no_longer_wanted().is_some() {
            wanted.separations_mut().for_each(|separation| separation.over = None);
        }
        let again = self.after(&wanted, call.callee, call.attempt.saturating_add(1), now);
        let again = self.put(again, now).call_sid.clone();
        call.next_call_sid = Some(again.clone());
        call.nobody_reached = false;
        self.keep(call, now);
        Ok(self.filed(again))
    }

    /// How one POST ended.
    pub fn answered(&mut self, call_sid: &CallSid, verdict: Verdict, now: Now) {
        let Some(mut call) = self.calls.get(call_sid).filter(|call| call.state == State::Dialing).cloned() else { return };
        self.uplink = Uplink::Ok;
        self.uplink_tried = Some(now.mono);
        let unwanted = call.no_longer_wanted().map(str::to_owned);
        let back = |state, reason| unwanted.clone().map_or((state, reason), |why| (State::Cancelled, why));
        match verdict {
            Verdict::Placed { conversation_id, provider_call_sid } => {
                self.backoff = self.retry.initial;
                self.account_accepted();
                call.conversation_id = Some(conversation_id);
                call.provider_call_sid = provider_call_sid;
                self.change(&mut call, State::Placed, None, now);
            }
            Verdict::Unknown(reason) => {
                self.change(&mut call, State::Unknown, Some(reason), now);
            }
            Verdict::NotPlaced(NotPlaced::Unreachable(reason)) => {
                self.uplink_lost(now);
                // A probe that gets through may still be followed by a handshake that does not.
                self.back_off(None, false, now);
                let (state, reason) = back(State::Pending, reason);
                self.change(&mut call, state, Some(reason), now);
            }
            Verdict::NotPlaced(NotPlaced::Busy { retry_after, concurrency, reason }) => {
                self.back_off(retry_after, concurrency, now);
                let (state, reason) = back(State::Pending, reason);
                self.change(&mut call, state, Some(reason), now);
            }
            Verdict::NotPlaced(NotPlaced::Account(reason) | NotPlaced::Provider { reason, credentials: true }) => {
                self.account_refused(&reason, now);
                let (state, reason) = back(State::Held, reason);
                self.change(&mut call, state, Some(reason), now);
            }
            Verdict::NotPlaced(NotPlaced::Refused(reason) | NotPlaced::Provider { reason, credentials: false }) => {
                self.end(call, State::Failed, Some(reason), End::Refused, now);
            }
        }
    }

    /// Lets leave what may leave and end what has become too old. Call it after every input and at every deadline.
    /// `newest_evidence` tells of a violation that is still open when it was last seen to be one.
    pub fn advance(&mut self, now: Now, newest_evidence: &dyn Fn(&ViolationId) -> Option<UnixMillis>) {
        if !self.started {
            return;
        }
        self.trust(now);
        self.become_due(now);
        self.expire(now, newest_evidence);
        self.hold_or_release(now);
        self.follow(now);
        self.ask(now);
        self.probe_account(now);
        self.leave(now);
        self.probe_uplink(now);
    }

    /// When [`Self::advance`] has something to do next, and what.
    #[must_use]
    pub fn next_deadline(&self, now: Now) -> Option<(Mono, &'static str)> {
        if !self.started || self.stopping {
            return None;
        }
        let at_wall = |at: UnixMillis| now.mono + at.since(now.wall);
        [
            self.expiring.first().filter(|_| now.trusted).map(|(at, _)| (at_wall(*at), "a call expires")),
            self.account_probe_due().map(|at| (at, "the account is probed")),
            self.uplink_probe_due().map(|at| (at, "the uplink is probed")),
            self.leaves_at(now),
            self.later.first().map(|at| (at, "a further attempt is due")),
            self.follow_due.first().map(|at| (at, "a placed call is followed")),
            self.asks_at().map(|at| (at, "the vendor is asked about an attempt")),
            self.quiet_hours_looked_at(now).map(|at| (at, "quiet hours may begin or end")),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|(at, _)| *at)
    }

    /// One call.
    #[must_use]
    pub fn get(&self, call_sid: &CallSid) -> Option<&Call> {
        self.calls.get(call_sid)
    }

    /// All calls in the order in which they came to be owed.
    #[must_use]
    pub fn list(&self) -> Vec<&Call> {
        let mut calls: Vec<&Call> = self.calls.values().collect();
        calls.sort_by_key(|call| call.order);
        calls
    }

    /// Whether a violation has had its call already.
    #[must_use]
    pub fn knows(&self, violation_id: &ViolationId) -> bool {
        self.calls.values().any(|call| call.separations().any(|s| s.violation_id == *violation_id))
    }

    /// The calls that were the last resort, reached nobody, and are not acknowledged.
    pub fn nobody_reached(&self) -> impl Iterator<Item = &Call> {
        self.nobody_reached.iter().filter_map(|call_sid| self.calls.get(call_sid))
    }

    /// How many calls are in a state.
    #[must_use]
    pub fn count(&self, state: State) -> usize {
        self.counts.get(&state).copied().unwrap_or(0)
    }

    /// Whether a call was refused after `since` and nothing followed from that.
    #[must_use]
    pub fn failed_since(&self, since: UnixMillis) -> bool {
        let failed = |call: &Call| call.state == State::Failed && call.next_call_sid.is_none();
        self.calls.values().any(|call| failed(call) && call.changed > since)
    }

    /// The oldest call that still waits.
    #[must_use]
    pub fn oldest_waiting(&self) -> Option<&Call> {
        self.waiting.first().and_then(|(_, call_sid)| self.calls.get(call_sid))
    }

    /// Whether the vendor can be reached, as far as known.
    #[must_use]
    pub const fn uplink(&self) -> Uplink {
        self.uplink
    }

    /// Why nothing leaves at all, if so.
    #[must_use]
    pub fn hold_reason(&self) -> Option<&str> {
        self.unready.as_deref().or_else(|| self.refused.as_ref().map(|r| r.reason.as_str()))
    }

    /// Whether the vendor refuses the account.
    #[must_use]
    pub const fn is_refused(&self) -> bool {
        self.refused.is_some()
    }
}

#[cfg(test)]
mod tests;
