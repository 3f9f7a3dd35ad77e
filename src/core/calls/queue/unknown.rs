//! Attempts of unknown outcome: the vendor is asked whether they became calls.
//!
//! It is asked at each of `calls.verify_after`, counted from the end of the attempt or from a restart, because a call may
//! come late into the vendor's list. An empty answer to a question that was asked at the last of these times, or later, is
//! proof that nobody's telephone rang; any other empty answer is none. When the vendor cannot be asked, it is asked again.

use core::time::Duration;

use super::{Call, End, Queue, QueueOutput, State, Uplink};
use crate::core::calls::dialing::{AskError, Search};
use crate::core::id::CallSid;
use crate::core::time::{Mono, Now};

/// Questions under way at once.
const ASKED_AT_ONCE: usize = 4;

/// Between two questions of which the first got no answer; twice as long each time, up to [`ASK_AGAIN_AT_LEAST_EVERY`].
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(2);
const ASK_AGAIN_AT_LEAST_EVERY: Duration = Duration::from_secs(60);

/// How far the asking has got.
#[derive(Debug)]
pub(super) struct Asking {
    since: Mono,
    /// The question under way.
    asked: Option<Mono>,
    /// Questions in a row that got no answer.
    unanswered: u32,
}

/// What the vendor knows of an attempt that became a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The vendor's conversation.
    pub conversation_id: String,
    /// The telephone provider's call id, when given.
    pub provider_call_sid: Option<String>,
}

impl Queue {
    /// What the vendor said of an attempt of unknown outcome. `Ok(None)`: it has no such call in its list.
    pub fn found(&mut self, call_sid: &CallSid, answer: Result<Option<Found>, AskError>, now: Now) {
        let Some(mut call) = self.calls.get(call_sid).filter(|call| call.state == State::Unknown).cloned() else { return };
        let Some(asking) = self.asking.get_mut(call_sid) else { return };
        let asked = asking.asked.take().unwrap_or(now.mono);
        match answer {
            Ok(Some(found)) => {
                call.conversation_id = Some(found.conversation_id);
                call.provider_call_sid = found.provider_call_sid;
                let reason = "its answer was lost; the vendor has the call".to_owned();
                self.change(&mut call, State::Placed, Some(reason), now);
                self.follow_due.set(call_sid, now.mono);
            }
            Ok(None) => {
                asking.unanswered = 0;
                let waited = asked.0.saturating_sub(asking.since.0);
                let since = asking.since;
                match self.settings.verify_after.iter().find(|after| **after > waited) {
                    Some(after) => self.ask_due.set(call_sid, since + *after),
                    None => self.was_not_placed(call, now),
                }
            }
            Err(why) => {
                let doubled = ASK_AGAIN_AFTER.saturating_mul(1 << asking.unanswered.min(10));
                asking.unanswered = asking.unanswered.saturating_add(1);
                self.ask_due.set(call_sid, now.mono + doubled.min(ASK_AGAIN_AT_LEAST_EVERY));
                match why {
                    AskError::Unauthorised(reason) => self.account_refused(&reason, now),
                    AskError::Unreachable(_) => self.uplink_lost(now),
                    AskError::Transient(_) | AskError::NotFound(_) | AskError::Refused(_) => {}
                }
            }
        }
    }

    /// An attempt has come to be of unknown outcome.
    pub(super) fn begin_asking(&mut self, call_sid: &CallSid, now: Now) {
        if let Some(first) = self.settings.verify_after.first()
            && !self.asking.contains_key(call_sid)
        {
            self.asking.insert(call_sid.clone(), Asking { since: now.mono, asked: None, unanswered: 0 });
            self.ask_due.set(call_sid, now.mono + *first);
        }
    }

    /// When the vendor is asked next.
    pub(super) fn asks_at(&self) -> Option<Mono> {
        if self.may_ask() { self.ask_due.first() } else { None }
    }

    pub(super) fn ask(&mut self, now: Now) {
        while self.may_ask()
            && let Some(call_sid) = self.ask_due.pop(now.mono)
        {
            let (Some(asking), Some(call)) = (self.asking.get_mut(&call_sid), self.calls.get(&call_sid)) else { continue };
            asking.asked = Some(now.mono);
            let to = call.phone().clone();
            let age = call.dialed.filter(|dialed| now.trusted && *dialed <= now.wall).map(|dialed| now.wall.since(dialed));
            self.out.push_back(QueueOutput::Find(Search { call_sid, to, age }));
        }
    }

    fn may_ask(&self) -> bool {
        let under_way = self.asking.values().filter(|asking| asking.asked.is_some()).count();
        self.uplink == Uplink::Ok && self.hold_reason().is_none() && !self.stopping && under_way < ASKED_AT_ONCE
    }

    fn was_not_placed(&mut self, call: Call, now: Now) {
        self.forget_ringing(&call);
        match call.no_longer_wanted().map(str::to_owned) {
            Some(why) => {
                let mut call = call;
                self.change(&mut call, State::Cancelled, Some(why), now);
            }
            None => {
                let reason = "the vendor has no such call".to_owned();
                self.end(call, State::Failed, Some(reason), End::NotPlaced, now);
            }
        }
    }
}
