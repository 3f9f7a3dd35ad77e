//! How a placed call is followed to its end, and what follows from the end of any attempt.

use core::time::Duration;

use super::{Call, Callee, Owed, Queue, QueueOutput, State};
use crate::core::calls::call::{Cause, Outcome};
use crate::core::calls::dialing::{AskError, Conversation, ConversationStatus};
use crate::core::calls::prompt;
use crate::core::id::{CallSid, ViolationId};
use crate::core::time::{Now, UnixMillis, duration};

/// A placed call is asked about this often at first, and after [`FOLLOW_SLOWLY_AFTER`] more rarely.
pub(super) const FOLLOW_EVERY: Duration = Duration::from_secs(5);
const FOLLOW_SLOWLY_AFTER: Duration = Duration::from_secs(120);
const FOLLOW_SLOWLY_EVERY: Duration = Duration::from_secs(20);

/// A placed call that the vendor has not ended by then is concluded as failed, so that it frees its slot. The vendor's
/// longest conversation is far shorter.
const FOLLOW_FOR: Duration = Duration::from_secs(2 * 3600);

/// How an attempt ended, as far as it matters for what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Nobody else need be told.
    Told,
    /// The telephone rang, and nobody took the call or stayed.
    Unanswered,
    /// The telephone rang, and the vendor never said how that ended.
    NeverSaid,
    /// The attempt of unknown outcome turned out not to be a call.
    NotPlaced,
    /// The vendor refuses this very call.
    Refused,
    /// Too old.
    Expired,
}

enum Follows {
    Nothing,
    /// That was the last resort.
    Nobody,
    Another(Box<Call>),
}

impl Queue {
    /// What the vendor said of a placed call.
    pub fn followed(&mut self, call_sid: &CallSid, answer: Result<Conversation, AskError>, now: Now) {
        let Some(since) = self.following.get(call_sid).copied() else { return };
        let Some(mut call) = self.calls.get(call_sid).cloned() else { return };
        let age = now.mono.0.saturating_sub(since.0);
        let every = if age < FOLLOW_SLOWLY_AFTER { FOLLOW_EVERY } else { FOLLOW_SLOWLY_EVERY };
        self.follow_due.set(call_sid, now.mono + every);
        match answer {
            Ok(conversation) if conversation.status != ConversationStatus::Running => self.over(call, conversation, now),
            // Not asked is not answered.
            Err(AskError::Unauthorised(reason)) => self.account_refused(&reason, now),
            Err(AskError::Unreachable(_)) => self.uplink_lost(now),
            Ok(_) | Err(_) if age >= FOLLOW_FOR => {
                call.outcome = Some(Outcome::Failed);
                let reason = "the vendor never said how the call ended".to_owned();
                self.end(call, State::Concluded, Some(reason), End::NeverSaid, now);
            }
            Ok(_) | Err(AskError::Transient(_) | AskError::NotFound(_) | AskError::Refused(_)) => {}
        }
    }

    pub(super) fn follow(&mut self, now: Now) {
        while let Some(call_sid) = self.follow_due.pop(now.mono) {
            if let Some(conversation_id) = self.calls.get(&call_sid).and_then(|call| call.conversation_id.clone()) {
                self.out.push_back(QueueOutput::AskConversation { call_sid, conversation_id });
            }
        }
    }

    pub(super) fn expire(&mut self, now: Now, newest_evidence: &dyn Fn(&ViolationId) -> Option<UnixMillis>) {
        while now.trusted
            && let Some((at, call_sid)) = self.expiring.first().cloned()
            && at <= now.wall
        {
            self.expiring.remove(&(at, call_sid.clone()));
            let Some(mut call) = self.calls.get(&call_sid).filter(|call| call.state.is_waiting()).cloned() else { continue };
            let seen = call.separations().filter(|s| s.over.is_none()).filter_map(|s| newest_evidence(&s.violation_id)).max();
            match seen.filter(|newest| *newest > call.evidence) {
                Some(newest) => {
                    call.evidence = newest;
                    self.keep(call, now);
                }
                None => {
                    let mut reason = format!("older than {}", duration::format(self.settings.max_age));
                    if let Some(held) = call.reason.as_deref().filter(|_| call.state == State::Held) {
                        reason = format!("{reason}; it was held: {held}");
                    }
                    self.end(call, State::Expired, Some(reason), End::Expired, now);
                }
            }
        }
    }

    /// Ends an attempt and owes what follows from that. What follows is kept first: were it the other way round, a power cut
    /// in between could leave an end that nothing follows from.
    pub(super) fn end(&mut self, mut call: Call, state: State, reason: Option<String>, end: End, now: Now) {
        if matches!(end, End::Unanswered | End::NeverSaid | End::NotPlaced) {
            self.forget_ringing(&call);
        }
        let mut reason = reason;
        match self.what_follows(&call, end, now) {
            Follows::Nothing => {}
            Follows::Nobody => {
                call.nobody_reached = true;
                reason = Some(reason.map_or_else(|| NOBODY.to_owned(), |reason| format!("{NOBODY}; {reason}")));
            }
            Follows::Another(next) => {
                call.next_call_sid = Some(next.call_sid.clone());
                self.put(*next, now);
            }
        }
        self.change(&mut call, state, reason, now);
    }

    fn over(&mut self, mut call: Call, conversation: Conversation, now: Now) {
        let outcome = Outcome::of(&conversation);
        let why = conversation.error.clone().filter(|text| !text.is_empty());
        if let Some(why) = why.as_deref().filter(|why| why.contains("dynamic_variable")) {
            self.account_refused(why, now);
        }
        let reason = why.or(Some(conversation.termination_reason)).filter(|text| !text.is_empty());
        call.outcome = Some(outcome);
        call.duration_s = Some(conversation.duration.as_secs());
        call.provider_call_sid = call.provider_call_sid.or(conversation.provider_call_sid);
        if self.settings.transcripts {
            call.summary = conversation.summary;
            call.transcript = conversation.transcript;
        }
        let end = match outcome {
            Outcome::Answered | Outcome::DryRun => End::Told,
            Outcome::Voicemail | Outcome::Busy | Outcome::NoAnswer | Outcome::Failed => End::Unanswered,
        };
        self.end(call, State::Concluded, reason, end, now);
    }

    fn what_follows(&mut self, call: &Call, end: End, now: Now) -> Follows {
        if call.next_call_sid.is_some() || call.no_longer_wanted().is_some() {
            return Follows::Nothing;
        }
        let another = |next: Call| Follows::Another(Box::new(next));
        match end {
            End::Told => Follows::Nothing,
            End::NotPlaced => {
                let next = self.after(call, call.callee, call.attempt, now);
                another(Call { expires: call.expires, ..next })
            }
            End::Unanswered
                if call.callee != Callee::DispatcherAfter
                    && call.attempt < self.settings.attempts
                    && !self.waits_for_the_morning(call, now) =>
            {
                let next = self.after(call, call.callee, call.attempt.saturating_add(1), now);
                let due = now.wall + self.settings.retry_after;
                let reason = Some(format!("attempt {} of {}, due at {}", next.attempt, self.settings.attempts, due.iso8601()));
                another(Call { not_before: Some(due), reason, ..next })
            }
            // The vendor's refusal of a request is the requester's matter, and so is its age.
            End::Refused | End::Expired if call.separation().is_none() && call.expires => Follows::Nothing,
            End::Unanswered | End::NeverSaid | End::Refused | End::Expired => {
                let another_telephone = |phone| end == End::Expired || phone != call.phone();
                let somebody = call.dispatcher.as_ref().is_some_and(|dispatcher| another_telephone(&dispatcher.phone));
                if somebody && call.callee != Callee::DispatcherAfter && self.settings.escalate_to_dispatcher {
                    another(self.after(call, Callee::DispatcherAfter, call.attempt.saturating_add(1), now))
                } else {
                    Follows::Nobody
                }
            }
        }
    }

    /// The next attempt would be held back by quiet hours, while the dispatcher may be told at once.
    fn waits_for_the_morning(&self, call: &Call, now: Now) -> bool {
        let due = now.wall + self.settings.retry_after;
        call.callee == Callee::Driver
            && call.separation().is_some()
            && call.dispatcher.is_some()
            && self.settings.escalate_to_dispatcher
            && self.settings.quiet_hours.iter().any(|quiet| quiet.holds(call.kind(), due).is_some())
    }

    /// The attempt after this one, to be [`put`](Self::put).
    pub(super) fn after(&mut self, call: &Call, callee: Callee, attempt: u32, now: Now) -> Call {
        let owed = Owed {
            cause: call.cause.clone(),
            callee,
            driver: call.driver.clone(),
            dispatcher: call.dispatcher.clone(),
            prompt: call.prompt.clone(),
            triggers: call.triggers,
            before: (attempt.saturating_sub(1), Some(call.call_sid.clone())),
            evidence: call.evidence,
        };
        let mut next = Call { also: call.also.clone(), expires: false, ..self.fresh(owed, now) };
        if callee == Callee::DispatcherAfter && call.callee != callee && matches!(call.cause, Cause::Request) {
            next.prompt = prompt::relayed(&call.driver.name, &call.prompt);
        } else {
            next.prompt = self.words(&next);
        }
        next
    }
}

const NOBODY: &str = "nobody reached";
