//! Where a call stands, by its state; and the one place where states change.

use super::end::FOLLOW_EVERY;
use super::{Call, MAX_ENDED, Owed, Queue, QueueOutput, State};
use crate::core::id::CallSid;
use crate::core::record::{Change, Value};
use crate::core::time::{Now, UnixMillis};

impl Queue {
    /// A call that comes to be owed.
    pub(super) fn enter(&mut self, owed: Owed, now: Now) -> &Call {
        let mut call = self.fresh(owed, now);
        call.prompt = self.words(&call);
        self.put(call, now)
    }

    /// A call as it begins, to be [`put`](Self::put) once it has its words.
    pub(super) fn fresh(&mut self, owed: Owed, now: Now) -> Call {
        let order = self.next_order;
        self.next_order = order.saturating_add(1);
        Call {
            call_sid: self.names.next(&owed.driver.id),
            revision: 0,
            order,
            cause: owed.cause,
            also: Vec::new(),
            callee: owed.callee,
            driver: owed.driver,
            dispatcher: owed.dispatcher,
            prompt: owed.prompt,
            triggers: owed.triggers,
            attempt: owed.before.0.saturating_add(1),
            parent_call_sid: owed.before.1,
            next_call_sid: None,
            not_before: None,
            expires: true,
            created: now.wall,
            dated: now.trusted,
            evidence: owed.evidence,
            state: State::Pending,
            reason: None,
            unwanted: None,
            nobody_reached: false,
            outcome: None,
            duration_s: None,
            summary: None,
            transcript: Vec::new(),
            conversation_id: None,
            provider_call_sid: None,
            changed: now.wall,
            dialed: None,
        }
    }

    /// A new call: kept, and told.
    pub(super) fn put(&mut self, call: Call, now: Now) -> &Call {
        let call_sid = call.call_sid.clone();
        self.keep(call.clone(), now);
        self.out.push_back(QueueOutput::Changed(Box::new(call)));
        self.filed(call_sid)
    }

    /// The one place where a call's state changes.
    pub(super) fn change(&mut self, call: &mut Call, state: State, reason: Option<String>, now: Now) -> &Call {
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

    pub(super) fn keep(&mut self, mut call: Call, now: Now) {
        call.revision = call.revision.max(self.calls.get(&call.call_sid).map_or(0, |c| c.revision)).saturating_add(1);
        self.out.push_back(kept(&call));
        self.file(call, now);
    }

    /// Asks for every call to be kept once more.
    pub fn keep_again(&mut self) {
        self.out.extend(self.calls.values().map(kept));
    }

    /// Puts a call into the tables that its state belongs to, and out of all others.
    pub(super) fn file(&mut self, call: Call, now: Now) {
        let call_sid = call.call_sid.clone();
        let before = self.calls.remove(&call_sid);
        let was_over = before.as_ref().is_some_and(is_over);
        if let Some(before) = before {
            if let Some(count) = self.counts.get_mut(&before.state) {
                *count = count.saturating_sub(1);
            }
            if let Some(at) = self.expiry(&before) {
                self.expiring.remove(&(at, call_sid.clone()));
            }
            self.waiting.remove(&(before.order, call_sid.clone()));
            self.pending.remove(&(before.order, call_sid.clone()));
            self.later.remove(&call_sid);
        }
        *self.counts.entry(call.state).or_insert(0) += 1;
        if call.state.is_waiting() {
            // A clock that was set back delays no attempt for longer than it was to wait.
            let wait = call.not_before.map(|due| due.since(now.wall).min(self.settings.retry_after)).unwrap_or_default();
            if wait.is_zero() {
                self.joins_the_waiting(&call);
            } else {
                self.later.set(&call_sid, now.mono + wait);
            }
            if let Some(at) = self.expiry(&call) {
                self.expiring.insert((at, call_sid.clone()));
            }
        }
        if call.state == State::Dialing {
            self.dialing.insert(call_sid.clone());
        } else {
            self.dialing.remove(&call_sid);
        }
        if call.state == State::Unknown {
            self.begin_asking(&call_sid, now);
        } else if self.asking.remove(&call_sid).is_some() {
            self.ask_due.remove(&call_sid);
        }
        if call.state == State::Placed {
            if !self.following.contains_key(&call_sid) {
                self.following.insert(call_sid.clone(), now.mono);
                self.follow_due.set(&call_sid, now.mono + FOLLOW_EVERY);
            }
        } else if self.following.remove(&call_sid).is_some() {
            self.follow_due.remove(&call_sid);
        }
        if call.nobody_reached {
            self.nobody_reached.insert(call_sid.clone());
        } else {
            self.nobody_reached.remove(&call_sid);
        }
        if is_over(&call) && !was_over {
            self.ended.push_back(call_sid.clone());
        }
        self.calls.insert(call_sid, call);
        self.forget_the_oldest(now);
    }

    /// Further attempts whose time has come join those that wait.
    pub(super) fn become_due(&mut self, now: Now) {
        while let Some(call_sid) = self.later.pop(now.mono) {
            if let Some(call) = self.calls.get(&call_sid).cloned() {
                self.joins_the_waiting(&call);
            }
        }
    }

    fn joins_the_waiting(&mut self, call: &Call) {
        let place = (call.order, call.call_sid.clone());
        if call.state == State::Pending {
            self.pending.insert(place.clone());
        }
        self.waiting.insert(place);
        self.fresh.push(call.call_sid.clone());
    }

    #[expect(clippy::expect_used, reason = "every caller has just filed this call")]
    pub(super) fn filed(&self, call_sid: CallSid) -> &Call {
        self.calls.get(&call_sid).expect("a call that was just filed is there")
    }

    fn forget_the_oldest(&mut self, now: Now) {
        if self.nobody_reached.len() > MAX_ENDED {
            let unheard = self.nobody_reached.iter().filter_map(|call_sid| self.calls.get(call_sid));
            if let Some(oldest) = unheard.min_by_key(|call| call.order).cloned() {
                self.keep(Call { nobody_reached: false, ..oldest }, now);
            }
        }
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

    /// When a waiting call becomes too old. Calls of an unset clock do not, nor what follows a call that was placed.
    pub(super) fn expiry(&self, call: &Call) -> Option<UnixMillis> {
        (call.dated && call.state.is_waiting() && call.expires).then(|| call.evidence + self.settings.max_age)
    }
}

fn kept(call: &Call) -> QueueOutput {
    // A call holds strings and numbers only; that always serialises.
    let bytes = serde_json::to_vec(call).unwrap_or_default();
    let value = Value { revision: call.revision, bytes, precious: !is_over(call) };
    QueueOutput::Keep(Change { key: Call::key(&call.call_sid), value: Some(value) })
}

/// Whether it is done with: ended, and if it was the last resort and reached nobody, acknowledged.
const fn is_over(call: &Call) -> bool {
    call.state.is_final() && !call.nobody_reached
}
