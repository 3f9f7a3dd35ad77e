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
    /// The vendor has named the time.
    pub asked: bool,
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
            let Some(mut call) = self.next_to_leave(now).cloned() else { return };
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
    pub(super) fn leaves_at(&self, now: Now) -> Option<(Mono, &'static str)> {
        if self.holds.hold_all() || self.next_to_leave(now).is_none() {
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
        let asked = asked.is_some() || self.pause.as_ref().is_some_and(|pause| pause.asked);
        let until = standing.map_or(until, |standing| standing.max(until));
        self.pause = Some(Pause { until, asked, for_a_slot });
    }

    /// Notes for the cooldown that the driver's telephone rang, or may have.
    pub(super) fn remember_ringing(&mut self, call: &Call) {
        let Some(dialed) = call.dialed.filter(|_| rang(call)) else { return };
        for separation in call.separations() {
            let last = self.last_called.entry((call.driver.id.clone(), separation.kind)).or_insert(dialed);
            *last = (*last).max(dialed);
        }
    }

    /// The driver was not told: the telephone did not ring after all, or nobody took the call.
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
            Callee::DispatcherAfter => {
                // Several may be about several drivers; and the dispatcher may be the one who was not reached.
                let one = call.separations().all(|s| call.separation().is_none_or(|cause| s.tractor == cause.tractor));
                let name = if one { call.driver.name.as_str() } else { "" };
                Audience::Dispatcher { driver_name: Some(name).filter(|_| call.driver.phone != *call.phone()) }
            }
        };
        match &call.cause {
            Cause::Request => call.prompt.clone(),
            Cause::Violation(_) => {
                let points = call.separations().filter(|s| s.over.is_none()).map(Point::from).collect();
                let country = &self.settings.default_country;
                prompt::prompt(&PromptInput { audience, points, custom_rules: "", country, templates: &self.settings.prompt })
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
        call.also.extend(others.iter().flat_map(|other| other.separations().cloned()));
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
        let under_way = self.dialing.len().saturating_add(self.following.len());
        let free = if self.on_trial { self.dialing.is_empty() } else { under_way < self.settings.max_concurrent };
        self.pause.is_none() && !self.stopping && !self.holds.hold_all() && self.uplink == Uplink::Ok && free
    }

    /// The oldest call that nothing keeps back. Whose telephone is ringing for us, or in use with us, is not called meanwhile; of
    /// a call that the cooldown ends it does not matter.
    fn next_to_leave(&self, now: Now) -> Option<&Call> {
        let under_way: Vec<&Call> =
            self.dialing.iter().chain(self.following.keys()).filter_map(|call_sid| self.calls.get(call_sid)).collect();
        let same_person = |a: &Call, b: &Call| match (a.callee, b.callee) {
            (Callee::Driver, Callee::Driver) => a.driver.id == b.driver.id,
            (Callee::Driver | Callee::DispatcherInstead | Callee::DispatcherAfter, _) => a.phone() == b.phone(),
        };
        let mut pending = self.pending.iter().filter_map(|(_, call_sid)| self.calls.get(call_sid));
        pending.find(|call| !under_way.iter().any(|other| same_person(call, other)) || self.called_just_now(call, now).is_some())
    }

    /// Separations that wait for the same telephone and can be told in the same call: first attempts to a driver, and whatever
    /// the dispatcher is to hear because a driver was not reached.
    fn others_to_tell(&self, call: &Call, now: Now) -> Vec<Call> {
        let joins = |call: &Call| {
            call.separation().is_some() && (call.parent_call_sid.is_none() || call.callee == Callee::DispatcherAfter)
        };
        if !joins(call) {
            return Vec::new();
        }
        let same = |other: &Call| {
            let driver = call.callee == Callee::DispatcherAfter || other.driver.id == call.driver.id;
            driver && other.callee == call.callee && other.phone() == call.phone()
        };
        let mut room = MAX_SEPARATIONS.saturating_sub(call.separations().count());
        let pending = self.pending.iter().filter_map(|(_, call_sid)| self.calls.get(call_sid));
        pending
            .filter(|other| other.call_sid != call.call_sid && joins(other) && same(other))
            .filter(|other| self.called_just_now(other, now).is_none())
            .take_while(|other| {
                let taken = other.separations().count();
                let fits = taken <= room;
                room = room.saturating_sub(taken);
                fits
            })
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
            State::Concluded => call.outcome == Some(Outcome::Answered),
            State::Pending | State::Held | State::Dialing | State::Failed | State::Expired | State::Cancelled => false,
        }
}
