//! Which call leaves next, and when: slots, rate, cooldown, several separations of one driver in one call, and how long the
//! vendor is left alone after it refused for want of time or room.

use core::time::Duration;

use super::{Call, End, Queue, QueueOutput, State, Uplink};
use crate::core::calls::call::{Callee, Cause, MAX_SEPARATIONS, Outcome};
use crate::core::calls::prompt::{self, Audience, Point, PromptInput};
use crate::core::id::CallSid;
use crate::core::time::{Mono, Now};

/// Nothing leaves before `until`.
#[derive(Debug)]
pub(super) struct Pause {
    pub until: Mono,
    /// A call that ends frees the slot that was wanting.
    pub for_a_slot: bool,
}

impl Queue {
    /// Lets calls leave, as many as may.
    pub(super) fn leave(&mut self, now: Now) {
        if self.pause.as_ref().is_some_and(|pause| pause.until <= now.mono) {
            self.pause = None;
        }
        while self.may_leave() {
            let Some(mut call) = self.next_to_leave().cloned() else { return };
            if let Some(reason) = self.called_just_now(&call, now) {
                self.change(&mut call, State::Cancelled, Some(reason), now);
                continue;
            }
            if self.settings.dry_run {
                call.outcome = Some(Outcome::DryRun);
                call.prompt = self.words(&call);
                self.end(call, State::Concluded, Some("dry run: nobody was dialled".to_owned()), End::Told, now);
                continue;
            }
            if !self.rate.take(self.settings.rate_per_minute, now.mono) {
                return;
            }
            self.dial(call, now);
        }
    }

    /// When the next call may leave, if one wants to.
    pub(super) fn leaves_at(&self) -> Option<(Mono, &'static str)> {
        if self.holds.hold_all() || self.next_to_leave().is_none() {
            return None;
        }
        match &self.pause {
            Some(pause) => Some((pause.until, "the vendor may be asked again")),
            None if self.may_leave() => Some((self.rate.ready_at(self.settings.rate_per_minute), "the rate allows another call")),
            None => None,
        }
    }

    /// Nothing leaves for as long as the vendor says, else longer each time. Attempts that fail together count once.
    pub(super) fn back_off(&mut self, asked: Option<Duration>, for_a_slot: bool, now: Now) {
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

    /// Notes for the cooldown that the driver's telephone rang, or may have.
    pub(super) fn remember_ringing(&mut self, call: &Call) {
        let Some(dialed) = call.dialed.filter(|_| rang(call)) else { return };
        for separation in call.separations() {
            let last = self.last_called.entry((call.driver.id.clone(), separation.kind)).or_insert(dialed);
            *last = (*last).max(dialed);
        }
    }

    /// The driver's telephone did not ring after all.
    pub(super) fn forget_ringing(&mut self, call: &Call) {
        for separation in call.separations() {
            self.last_called.remove(&(call.driver.id.clone(), separation.kind));
        }
        let others: Vec<Call> = self
            .calls
            .values()
            .filter(|other| other.driver.id == call.driver.id && other.call_sid != call.call_sid)
            .cloned()
            .collect();
        for other in others {
            self.remember_ringing(&other);
        }
    }

    /// What the agent says in this call.
    pub(super) fn words(&self, call: &Call) -> String {
        let audience = match call.callee {
            Callee::Driver => Audience::Driver,
            Callee::DispatcherInstead => Audience::Dispatcher { driver_name: None },
            Callee::DispatcherAfter => Audience::Dispatcher { driver_name: Some(&call.driver.name) },
        };
        match &call.cause {
            Cause::Request => call.prompt.clone(),
            Cause::Violation(_) => {
                let points = call.separations().filter(|s| s.over.is_none()).map(Point::from).collect();
                let country = &self.settings.default_country;
                prompt::prompt(&PromptInput { audience, points, custom_rules: "", country })
            }
        }
    }

    /// The separation of a waiting call is told in another call, which is kept already.
    pub(super) fn told_with(&mut self, mut call: Call, teller: CallSid, now: Now) {
        let reason = format!("told together with another in the call {teller}");
        call.next_call_sid = Some(teller);
        self.change(&mut call, State::Cancelled, Some(reason), now);
    }

    fn dial(&mut self, mut call: Call, now: Now) {
        let others = self.others_to_tell(&call, now);
        call.also.extend(others.iter().filter_map(|other| other.separation().cloned()));
        if call.separation().is_some() {
            call.triggers = call.separations().filter(|s| s.over.is_none()).count();
        }
        call.prompt = self.words(&call);
        call.dialed = Some(now.wall);
        self.uplink_tried = Some(now.mono);
        let order = call.order();
        self.change(&mut call, State::Dialing, None, now);
        for other in others {
            self.told_with(other, call.call_sid.clone(), now);
        }
        self.out.push_back(QueueOutput::Dial(order));
    }

    fn may_leave(&self) -> bool {
        let slots = if self.on_trial { usize::from(self.dialing.is_empty()) } else { self.settings.max_concurrent };
        let taken = if self.on_trial { 0 } else { self.dialing.len().saturating_add(self.following.len()) };
        self.pause.is_none() && !self.stopping && !self.holds.hold_all() && self.uplink == Uplink::Ok && taken < slots
    }

    /// The oldest waiting call whose driver is not being dialled about the same kind of violation at this moment: whether the
    /// cooldown holds it back shows when that attempt has its answer.
    fn next_to_leave(&self) -> Option<&Call> {
        let about = |call: &Call| call.kind().map(|kind| (call.driver.id.clone(), kind));
        let dialing: Vec<_> = self.dialing.iter().filter_map(|sid| self.calls.get(sid)).filter_map(about).collect();
        let waiting = self.waiting.iter().filter_map(|(_, call_sid)| self.calls.get(call_sid));
        let mut waiting = waiting.filter(|call| call.state == State::Pending);
        waiting.find(|call| about(call).is_none_or(|about| !dialing.contains(&about)))
    }

    /// First attempts that wait for the same telephone and can be told in the same call.
    fn others_to_tell(&self, call: &Call, now: Now) -> Vec<Call> {
        let first = |call: &Call| call.separation().is_some() && call.parent_call_sid.is_none();
        if !first(call) {
            return Vec::new();
        }
        let waiting = self.waiting.iter().filter_map(|(_, call_sid)| self.calls.get(call_sid));
        waiting
            .filter(|other| other.call_sid != call.call_sid && first(other) && other.state == State::Pending)
            .filter(|other| other.callee == call.callee && other.driver.id == call.driver.id && other.phone() == call.phone())
            .filter(|other| self.called_just_now(other, now).is_none())
            .take(MAX_SEPARATIONS - 1)
            .cloned()
            .collect()
    }

    /// The cooldown: one driver is not called twice in a short time about the same kind of violation.
    fn called_just_now(&self, call: &Call, now: Now) -> Option<String> {
        let last = *self.last_called.get(&(call.driver.id.clone(), call.kind()?))?;
        let ago = now.wall.since(last);
        (call.parent_call_sid.is_none() && last <= now.wall && ago < self.settings.cooldown)
            .then(|| format!("cooldown: this driver was called about it {} minutes ago", ago.as_secs() / 60))
    }
}

fn rang(call: &Call) -> bool {
    call.callee != Callee::DispatcherAfter
        && match call.state {
            State::Unknown | State::Placed => true,
            State::Concluded => call.outcome != Some(Outcome::DryRun),
            State::Pending | State::Held | State::Dialing | State::Failed | State::Expired | State::Cancelled => false,
        }
}
