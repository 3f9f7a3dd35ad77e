//! The queue of owed calls: when one may leave, what its answer means, when it ends.
//!
//! Three rules carry the promises. A change of a call is kept before its effect is performed, so the attempt is on disk
//! before the POST leaves. A call found `dialing` after a restart is `unknown`. Nothing but [`Verdict::NotPlaced`] brings
//! a call back to `pending`.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::call::{Call, Cause, Outcome, State};
use super::dialing::{AskError, Conversation, ConversationStatus, NotPlaced, Order, Verdict};
use super::names::Names;
use super::rate::Rate;
use super::settings::{Retry, Settings};
use crate::core::id::{CallSid, DriverId, ViolationId};
use crate::core::record::{Change, Value};
use crate::core::roster::{Dispatcher, Driver};
use crate::core::separation::ViolationKind;
use crate::core::time::{Mono, Now, UnixMillis};

/// Calls that may wait or be under way at once; further requests are refused. A separation is never refused: there are
/// no more of them than pairs.
pub const MAX_ACTIVE: usize = 20_000;

/// Calls that have ended and are still listed.
pub const MAX_ENDED: usize = 1_000;

/// While there is no uplink and a call waits, it is tried this often.
const PROBE_UPLINK_EVERY: Duration = Duration::from_secs(1);

/// While nothing waits, so that health knows.
const PROBE_IDLE_EVERY: Duration = Duration::from_secs(60);

/// While the vendor refuses the account, it is asked this often whether it still does.
const PROBE_ACCOUNT_EVERY: Duration = Duration::from_secs(60);

/// A placed call is asked about this often at first, and after [`FOLLOW_SLOWLY_AFTER`] more rarely.
const FOLLOW_EVERY: Duration = Duration::from_secs(5);
const FOLLOW_SLOWLY_AFTER: Duration = Duration::from_secs(120);
const FOLLOW_SLOWLY_EVERY: Duration = Duration::from_secs(20);

/// A placed call that the vendor has not ended by then is concluded as failed, so that it frees its slot. The vendor's
/// longest conversation is far shorter.
const FOLLOW_FOR: Duration = Duration::from_secs(2 * 3600);

/// A call to be owed.
#[derive(Clone, Debug)]
pub struct Owed {
    /// Why.
    pub cause: Cause,
    /// Who is called.
    pub driver: Driver,
    /// To whom the agent may transfer.
    pub dispatcher: Option<Dispatcher>,
    /// What the agent says.
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
    waiting: BTreeSet<(u64, CallSid)>,
    expiring: BTreeSet<(UnixMillis, CallSid)>,
    dialing: BTreeSet<CallSid>,
    following: BTreeMap<CallSid, Follow>,
    /// In the order in which they ended.
    ended: VecDeque<CallSid>,
    counts: BTreeMap<State, usize>,
    /// Being dialled, and no longer wanted: if nobody's phone rang, that is their end.
    unwanted: BTreeMap<CallSid, String>,
    last_called: BTreeMap<(DriverId, ViolationKind), UnixMillis>,
    next_order: u64,
    rate: Rate,
    /// False until it is known whether anything can be dialled at all; until then nothing happens.
    started: bool,
    /// Told to stop: what is under way ends, nothing new begins.
    stopping: bool,
    unready: Option<String>,
    refused: Option<Refused>,
    pause: Option<Pause>,
    backoff: Duration,
    uplink: Uplink,
    /// The vendor was last heard of, or last tried in vain.
    uplink_tried: Option<Mono>,
    probing: bool,
    clock_trusted: bool,
    held_for: Option<String>,
    out: VecDeque<QueueOutput>,
}

/// The vendor refuses the account.
#[derive(Debug)]
struct Refused {
    reason: String,
    probe_at: Mono,
    probing: bool,
}

/// Nothing leaves before `until`.
#[derive(Debug)]
struct Pause {
    until: Mono,
    /// A call that ends frees the slot that was wanting.
    for_a_slot: bool,
}

#[derive(Debug)]
struct Follow {
    since: Mono,
    next: Option<Mono>,
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
            expiring: BTreeSet::new(),
            dialing: BTreeSet::new(),
            following: BTreeMap::new(),
            ended: VecDeque::new(),
            counts: BTreeMap::new(),
            unwanted: BTreeMap::new(),
            last_called: BTreeMap::new(),
            next_order: 0,
            rate: Rate::new(),
            started: false,
            stopping: false,
            unready: None,
            refused: None,
            pause: None,
            backoff,
            uplink: Uplink::Ok,
            uplink_tried: None,
            probing: false,
            clock_trusted: true,
            held_for: None,
            out: VecDeque::new(),
        }
    }

    /// Takes over other settings; calls under way go on.
    pub fn configure(&mut self, settings: Settings, retry: Retry) {
        self.settings = settings;
        self.retry = retry;
        self.expiring = self.calls.values().filter_map(|call| self.expiry(call).map(|at| (at, call.call_sid.clone()))).collect();
    }

    /// Takes back a stored call. One that was being dialled when the power went has an unknown outcome now.
    pub fn restore(&mut self, mut call: Call, now: Now) {
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

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<QueueOutput> {
        self.out.pop_front()
    }

    /// A call is owed from now on.
    ///
    /// # Errors
    /// When it was requested and the queue is full.
    pub fn owe(&mut self, owed: Owed, now: Now) -> Result<&Call, Denied> {
        let active = self.calls.len().saturating_sub(self.ended.len());
        if active >= MAX_ACTIVE && matches!(owed.cause, Cause::Request) {
            return Err(Denied::Full);
        }
        Ok(self.enter(owed, now))
    }

    /// Calls off one call that waits, or closes one of unknown outcome.
    ///
    /// # Errors
    /// When there is none, or it is past that.
    pub fn cancel(&mut self, call_sid: &CallSid, reason: &str, now: Now) -> Result<&Call, Denied> {
        let call = self.calls.get(call_sid).ok_or(Denied::NoSuchCall)?;
        if !(call.state.is_waiting() || call.state == State::Unknown) {
            let why = match call.state {
                State::Dialing | State::Placed => "the vendor may be ringing already",
                State::Pending
                | State::Held
                | State::Unknown
                | State::Concluded
                | State::Failed
                | State::Expired
                | State::Cancelled => "it is over",
            };
            return Err(Denied::TooLate { state: call.state, why });
        }
        let mut call = call.clone();
        Ok(self.change(&mut call, State::Cancelled, Some(reason.to_owned()), now))
    }

    /// Calls off what waits for one violation, when the settings want that.
    pub fn violation_ended(&mut self, violation_id: &ViolationId, reason: &str, now: Now) {
        if self.settings.cancel_on_rejoin {
            self.call_off(violation_id, reason, now);
        }
    }

    /// Calls off what waits for one violation; what is being dialled does not come back to waiting. Returns how many waited.
    pub fn call_off(&mut self, violation_id: &ViolationId, reason: &str, now: Now) -> usize {
        for call_sid in &self.dialing {
            if self.calls.get(call_sid).is_some_and(|call| call.violation_id() == Some(violation_id)) {
                self.unwanted.insert(call_sid.clone(), reason.to_owned());
            }
        }
        let waiting: Vec<Call> = self
            .waiting
            .iter()
            .filter_map(|(_, call_sid)| self.calls.get(call_sid))
            .filter(|call| call.violation_id() == Some(violation_id))
            .cloned()
            .collect();
        let count = waiting.len();
        for mut call in waiting {
            self.change(&mut call, State::Cancelled, Some(reason.to_owned()), now);
        }
        count
    }

    /// Owes the same call once more, because a person says so.
    ///
    /// # Errors
    /// When there is no such call, or it has not ended.
    pub fn retry(&mut self, call_sid: &CallSid, now: Now) -> Result<&Call, Denied> {
        let call = self.calls.get(call_sid).ok_or(Denied::NoSuchCall)?;
        // A person may know what became of an attempt of unknown outcome; gladhand by itself does not.
        if !call.state.is_final() && call.state != State::Unknown {
            return Err(Denied::TooLate { state: call.state, why: "it has not ended yet" });
        }
        let again = Owed {
            cause: call.cause.clone(),
            driver: call.driver.clone(),
            dispatcher: call.dispatcher.clone(),
            prompt: call.prompt.clone(),
            triggers: call.triggers,
            before: (call.attempt, Some(call_sid.clone())),
            evidence: now.wall,
        };
        Ok(self.enter(again, now))
    }

    /// Whether the configuration allows dialling at all: `Some(reason)` holds every call. Nothing is dialled before the first
    /// time that this is said.
    pub fn set_unready(&mut self, reason: Option<String>) {
        self.started = true;
        self.unready = reason;
        // Another key may be accepted.
        self.refused = None;
    }

    /// Nothing is dialled from now on: the process is about to end.
    pub fn stop(&mut self) {
        self.stopping = true;
    }

    /// Asks for every call to be kept once more.
    pub fn keep_again(&mut self) {
        self.out.extend(self.calls.values().map(kept));
    }

    /// How one POST ended.
    pub fn answered(&mut self, call_sid: &CallSid, verdict: Verdict, now: Now) {
        let Some(mut call) = self.calls.get(call_sid).filter(|call| call.state == State::Dialing).cloned() else { return };
        self.dialing.remove(call_sid);
        let reached = !matches!(verdict, Verdict::NotPlaced(NotPlaced::Unreachable(_)));
        self.uplink = if reached { Uplink::Ok } else { Uplink::Offline };
        self.uplink_tried = Some(now.mono);
        let unwanted = self.unwanted.remove(call_sid);
        let back = |state, reason| unwanted.clone().map_or((state, reason), |why| (State::Cancelled, why));
        match verdict {
            Verdict::Placed { conversation_id, provider_call_sid } => {
                self.backoff = self.retry.initial;
                call.conversation_id = Some(conversation_id);
                call.provider_call_sid = provider_call_sid;
                self.change(&mut call, State::Placed, None, now);
            }
            Verdict::Unknown(reason) => {
                self.change(&mut call, State::Unknown, Some(reason), now);
            }
            Verdict::NotPlaced(NotPlaced::Unreachable(reason)) => {
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
            Verdict::NotPlaced(NotPlaced::Unauthorised(reason) | NotPlaced::Provider { reason, credentials: true }) => {
                let probe_at = now.mono + PROBE_ACCOUNT_EVERY;
                self.refused = Some(Refused { reason: reason.clone(), probe_at, probing: false });
                let (state, reason) = back(State::Held, reason);
                self.change(&mut call, state, Some(reason), now);
            }
            Verdict::NotPlaced(NotPlaced::Refused(reason) | NotPlaced::Provider { reason, credentials: false }) => {
                self.change(&mut call, State::Failed, Some(reason), now);
            }
        }
    }

    /// What the vendor said of a placed call.
    pub fn followed(&mut self, call_sid: &CallSid, answer: Result<Conversation, AskError>, now: Now) {
        let Some(follow) = self.following.get_mut(call_sid) else { return };
        let age = now.mono.0.saturating_sub(follow.since.0);
        follow.next = Some(now.mono + if age < FOLLOW_SLOWLY_AFTER { FOLLOW_EVERY } else { FOLLOW_SLOWLY_EVERY });
        let end = match answer {
            Ok(conversation) => match conversation.status {
                ConversationStatus::Done | ConversationStatus::Failed => {
                    let reason = conversation.error.clone().or(Some(conversation.termination_reason.clone()));
                    Some((Outcome::of(&conversation), reason.filter(|text| !text.is_empty())))
                }
                ConversationStatus::Running => None,
            },
            Err(AskError::Transient(_) | AskError::Unauthorised(_) | AskError::NotFound(_) | AskError::Refused(_)) => None,
        };
        let end = end.or_else(|| {
            (age >= FOLLOW_FOR).then(|| (Outcome::Failed, Some("the vendor never said how the call ended".to_owned())))
        });
        if let (Some((outcome, reason)), Some(mut call)) = (end, self.calls.get(call_sid).cloned()) {
            call.outcome = Some(outcome);
            self.change(&mut call, State::Concluded, reason, now);
        }
    }

    /// Whether the vendor could be reached.
    pub fn probed_uplink(&mut self, reached: bool, now: Now) {
        self.probing = false;
        if !reached {
            // Its return is not waited for any longer than need be.
            self.backoff = self.retry.initial;
            self.pause = None;
        }
        self.uplink = if reached { Uplink::Ok } else { Uplink::Offline };
        self.uplink_tried = Some(now.mono);
    }

    /// Whether the vendor accepts the account: only a plain yes ends the stop.
    pub fn probed_account(&mut self, accepted: bool, now: Now) {
        if accepted {
            self.refused = None;
        } else if let Some(refused) = &mut self.refused {
            refused.probing = false;
            refused.probe_at = now.mono + PROBE_ACCOUNT_EVERY;
        }
    }

    /// Lets leave what may leave and end what has become too old. Call it after every input and at every deadline.
    /// `newest_evidence` tells of a violation that is still open when it was last seen to be one.
    pub fn advance(&mut self, now: Now, newest_evidence: &dyn Fn(&ViolationId) -> Option<UnixMillis>) {
        if !self.started {
            return;
        }
        self.trust(now);
        self.expire(now, newest_evidence);
        self.hold_or_release(now);
        self.follow(now);
        if self.refused.as_ref().is_some_and(|r| !r.probing && r.probe_at <= now.mono)
            && let Some(refused) = &mut self.refused
        {
            refused.probing = true;
            self.out.push_back(QueueOutput::ProbeAccount);
        }
        if self.pause.as_ref().is_some_and(|pause| pause.until <= now.mono) {
            self.pause = None;
        }
        if self.held_for.is_none() && self.uplink == Uplink::Ok {
            self.dial(now);
        }
        if self.uplink_probe_due().is_some_and(|due| due <= now.mono) {
            self.probing = true;
            self.out.push_back(QueueOutput::ProbeUplink);
        }
    }

    /// When [`Self::advance`] has something to do next, and what.
    #[must_use]
    pub fn next_deadline(&self, now: Now) -> Option<(Mono, &'static str)> {
        let held = self.held_for.is_some();
        if !self.started || self.stopping {
            return None;
        }
        let wants_to_leave = !held && self.next_to_dial().is_some();
        let at_wall = |at: UnixMillis| now.mono + at.since(now.wall);
        [
            self.expiring.first().filter(|_| now.trusted).map(|(at, _)| (at_wall(*at), "a call expires")),
            self.refused.as_ref().filter(|r| !r.probing).map(|r| (r.probe_at, "the account is probed")),
            self.uplink_probe_due().map(|at| (at, "the uplink is probed")),
            self.pause.as_ref().filter(|_| wants_to_leave).map(|p| (p.until, "the vendor may be asked again")),
            (wants_to_leave && self.uplink == Uplink::Ok && self.pause.is_none() && self.has_slot())
                .then(|| (self.rate.ready_at(self.settings.rate_per_minute), "the rate allows another call")),
            self.following.values().filter_map(|f| f.next).min().map(|at| (at, "a placed call is followed")),
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
        self.calls.values().any(|call| call.violation_id() == Some(violation_id))
    }

    /// How many calls are in a state.
    #[must_use]
    pub fn count(&self, state: State) -> usize {
        self.counts.get(&state).copied().unwrap_or(0)
    }

    /// Whether a call was refused after `since`.
    #[must_use]
    pub fn failed_since(&self, since: UnixMillis) -> bool {
        self.calls.values().any(|call| call.state == State::Failed && call.changed > since)
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

    fn dial(&mut self, now: Now) {
        while self.pause.is_none() && self.has_slot() && !self.stopping {
            let Some(mut call) = self.next_to_dial().cloned() else { return };
            if let Some(reason) = self.called_just_now(&call, now) {
                self.change(&mut call, State::Cancelled, Some(reason), now);
                continue;
            }
            if self.settings.dry_run {
                call.outcome = Some(Outcome::DryRun);
                self.change(&mut call, State::Concluded, Some("dry run: nobody was dialled".to_owned()), now);
                continue;
            }
            if !self.rate.take(self.settings.rate_per_minute, now.mono) {
                return;
            }
            call.dialed = Some(now.wall);
            self.uplink_tried = Some(now.mono);
            let order = call.order();
            self.change(&mut call, State::Dialing, None, now);
            self.out.push_back(QueueOutput::Dial(order));
        }
    }

    /// Once a second while a call waits for it, now and then otherwise. A queue that is held needs no uplink.
    fn uplink_probe_due(&self) -> Option<Mono> {
        if self.probing || self.hold_reason().is_some() {
            return None;
        }
        let wanted = self.uplink == Uplink::Offline && !self.waiting.is_empty();
        let every = if wanted { PROBE_UPLINK_EVERY } else { PROBE_IDLE_EVERY };
        Some(self.uplink_tried.map_or(Mono::default(), |tried| tried + every))
    }

    fn has_slot(&self) -> bool {
        self.dialing.len().saturating_add(self.following.len()) < self.settings.max_concurrent
    }

    /// Nothing leaves for as long as the vendor says, else longer each time. Attempts that fail together count once.
    fn back_off(&mut self, asked: Option<Duration>, for_a_slot: bool, now: Now) {
        let standing = self.pause.as_ref().map(|pause| pause.until).filter(|until| *until > now.mono);
        let wait = match (asked, standing) {
            (Some(asked), _) => asked,
            (None, Some(_)) => return,
            (None, None) => {
                let wait = self.backoff;
                self.backoff = wait.saturating_mul(2).min(self.retry.max);
                wait
            }
        };
        let until = now.mono + wait;
        self.pause = Some(Pause { until: standing.map_or(until, |standing| standing.max(until)), for_a_slot });
    }

    /// The oldest waiting call whose driver is not being dialled about the same kind of violation at this moment: whether the
    /// cooldown holds it back shows when that attempt has its answer.
    fn next_to_dial(&self) -> Option<&Call> {
        let about = |call: &Call| call.kind().map(|kind| (call.driver.id.clone(), kind));
        let dialing: Vec<_> = self.dialing.iter().filter_map(|sid| self.calls.get(sid)).filter_map(about).collect();
        let waiting = self.waiting.iter().filter_map(|(_, call_sid)| self.calls.get(call_sid));
        waiting.into_iter().find(|call| about(call).is_none_or(|about| !dialing.contains(&about)))
    }

    /// The cooldown: one driver is not called twice in a short time about the same kind of violation.
    fn called_just_now(&self, call: &Call, now: Now) -> Option<String> {
        let last = *self.last_called.get(&(call.driver.id.clone(), call.kind()?))?;
        let ago = now.wall.since(last);
        (call.parent_call_sid.is_none() && last <= now.wall && ago < self.settings.cooldown)
            .then(|| format!("cooldown: this driver was called about it {} minutes ago", ago.as_secs() / 60))
    }

    /// Notes for the cooldown that the driver's telephone rang, or may have.
    fn remember_ringing(&mut self, call: &Call) {
        let rang = match call.state {
            State::Unknown | State::Placed => true,
            State::Concluded => call.outcome != Some(Outcome::DryRun),
            State::Pending | State::Held | State::Dialing | State::Failed | State::Expired | State::Cancelled => false,
        };
        if let (true, Some(kind), Some(dialed)) = (rang, call.kind(), call.dialed) {
            let last = self.last_called.entry((call.driver.id.clone(), kind)).or_insert(dialed);
            *last = (*last).max(dialed);
        }
    }

    /// The first trusted reading of the clock dates what was owed before it.
    fn trust(&mut self, now: Now) {
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

    fn expire(&mut self, now: Now, newest_evidence: &dyn Fn(&ViolationId) -> Option<UnixMillis>) {
        while now.trusted
            && let Some((at, call_sid)) = self.expiring.first().cloned()
            && at <= now.wall
        {
            self.expiring.remove(&(at, call_sid.clone()));
            let Some(mut call) = self.calls.get(&call_sid).filter(|call| call.state.is_waiting()).cloned() else { continue };
            match call.violation_id().and_then(newest_evidence).filter(|newest| *newest > call.evidence) {
                Some(newest) => {
                    call.evidence = newest;
                    self.keep(call, now);
                }
                None => {
                    let reason = format!("older than {} minutes", self.settings.max_age.as_secs() / 60);
                    self.change(&mut call, State::Expired, Some(reason), now);
                }
            }
        }
    }

    /// Every waiting call says whether it is kept back, and why.
    fn hold_or_release(&mut self, now: Now) {
        let reason = match self.hold_reason() {
            Some(reason) => Some(reason.to_owned()),
            None if !now.trusted => Some("the clock is not set".to_owned()),
            None => None,
        };
        let changed = self.held_for != reason;
        self.held_for.clone_from(&reason);
        let state = if reason.is_some() { State::Held } else { State::Pending };
        if !changed && self.count(if reason.is_some() { State::Pending } else { State::Held }) == 0 {
            return;
        }
        let others: Vec<Call> = self
            .waiting
            .iter()
            .filter_map(|(_, call_sid)| self.calls.get(call_sid))
            .filter(|call| call.state != state)
            .cloned()
            .collect();
        for mut call in others {
            self.change(&mut call, state, reason.clone(), now);
        }
    }

    fn follow(&mut self, now: Now) {
        for (call_sid, follow) in &mut self.following {
            if follow.next.is_some_and(|next| next <= now.mono)
                && let Some(conversation_id) = self.calls.get(call_sid).and_then(|call| call.conversation_id.clone())
            {
                follow.next = None;
                self.out.push_back(QueueOutput::AskConversation { call_sid: call_sid.clone(), conversation_id });
            }
        }
    }

    fn enter(&mut self, owed: Owed, now: Now) -> &Call {
        let call = Call {
            call_sid: self.names.next(&owed.driver.id),
            revision: 0,
            order: self.next_order,
            cause: owed.cause,
            driver: owed.driver,
            dispatcher: owed.dispatcher,
            prompt: owed.prompt,
            triggers: owed.triggers,
            attempt: owed.before.0.saturating_add(1),
            parent_call_sid: owed.before.1,
            created: now.wall,
            dated: now.trusted,
            evidence: owed.evidence,
            state: State::Pending,
            reason: None,
            outcome: None,
            conversation_id: None,
            provider_call_sid: None,
            changed: now.wall,
            dialed: None,
        };
        self.next_order = self.next_order.saturating_add(1);
        let call_sid = call.call_sid.clone();
        self.keep(call.clone(), now);
        self.out.push_back(QueueOutput::Changed(Box::new(call)));
        self.filed(call_sid)
    }

    /// The one place where a call's state changes.
    fn change(&mut self, call: &mut Call, state: State, reason: Option<String>, now: Now) -> &Call {
        debug_assert!(call.state.may_become(state), "{} -> {state}", call.state);
        call.state = state;
        call.reason = reason;
        call.changed = now.wall;
        self.remember_ringing(call);
        if self.pause.as_ref().is_some_and(|pause| pause.for_a_slot) && matches!(state, State::Concluded) {
            self.pause = None;
        }
        self.keep(call.clone(), now);
        self.out.push_back(QueueOutput::Changed(Box::new(call.clone())));
        self.filed(call.call_sid.clone())
    }

    fn keep(&mut self, mut call: Call, now: Now) {
        call.revision = call.revision.max(self.calls.get(&call.call_sid).map_or(0, |c| c.revision)).saturating_add(1);
        self.out.push_back(kept(&call));
        self.file(call, now);
    }

    /// Puts a call into the tables that its state belongs to, and out of all others.
    fn file(&mut self, call: Call, now: Now) {
        let call_sid = call.call_sid.clone();
        if let Some(before) = self.calls.get(&call_sid) {
            if let Some(count) = self.counts.get_mut(&before.state) {
                *count = count.saturating_sub(1);
            }
            if let Some(at) = self.expiry(before) {
                self.expiring.remove(&(at, call_sid.clone()));
            }
            self.waiting.remove(&(before.order, call_sid.clone()));
        }
        *self.counts.entry(call.state).or_insert(0) += 1;
        if call.state.is_waiting() {
            self.waiting.insert((call.order, call_sid.clone()));
            if let Some(at) = self.expiry(&call) {
                self.expiring.insert((at, call_sid.clone()));
            }
        }
        if call.state == State::Dialing {
            self.dialing.insert(call_sid.clone());
        } else {
            self.dialing.remove(&call_sid);
        }
        if call.state == State::Placed {
            let next = Some(now.mono + FOLLOW_EVERY);
            self.following.entry(call_sid.clone()).or_insert(Follow { since: now.mono, next });
        } else {
            self.following.remove(&call_sid);
        }
        if call.state.is_final() && self.calls.get(&call_sid).is_none_or(|before| !before.state.is_final()) {
            self.ended.push_back(call_sid.clone());
        }
        self.calls.insert(call_sid, call);
        self.forget_the_oldest();
    }

    fn forget_the_oldest(&mut self) {
        while self.ended.len() > MAX_ENDED
            && let Some(call_sid) = self.ended.pop_front()
        {
            if let Some(call) = self.calls.remove(&call_sid)
                && let Some(count) = self.counts.get_mut(&call.state)
            {
                *count = count.saturating_sub(1);
            }
            self.out.push_back(QueueOutput::Keep(Change { key: Call::key(&call_sid), value: None }));
        }
    }

    /// When a waiting call becomes too old. Further attempts and calls of an unset clock do not.
    fn expiry(&self, call: &Call) -> Option<UnixMillis> {
        (call.dated && call.state.is_waiting() && call.parent_call_sid.is_none()).then(|| call.evidence + self.settings.max_age)
    }

    #[expect(clippy::expect_used, reason = "every caller has just filed this call")]
    fn filed(&self, call_sid: CallSid) -> &Call {
        self.calls.get(&call_sid).expect("a call that was just filed is there")
    }
}

fn kept(call: &Call) -> QueueOutput {
    // A call holds strings and numbers only; that always serialises.
    let bytes = serde_json::to_vec(call).unwrap_or_default();
    let value = Value { revision: call.revision, bytes, precious: !call.state.is_final() };
    QueueOutput::Keep(Change { key: Call::key(&call.call_sid), value: Some(value) })
}

#[cfg(test)]
mod tests;
