//! Questions and orders on the control socket.

use serde_json::{Value, json};

use super::{Effect, Machine, Waiter};
use crate::core::calls::queue::Denied;
use crate::core::calls::{Call, State};
use crate::core::control::{Answer, Ask};
use crate::core::id::CallSid;
use crate::core::time::Now;

impl Machine {
    /// The answer to a question; `None` to an order.
    #[must_use]
    pub fn look(&self, ask: &Ask, now: Now) -> Option<Answer> {
        Some(match ask {
            Ask::Health => Answer::ok(json!(self.health(now))),
            Ask::Units => Answer::ok(self.units(now)),
            Ask::Calls { all } => {
                let calls: Vec<Value> = self
                    .queue
                    .list()
                    .into_iter()
                    .rev()
                    .filter(|call| *all || !call.state.is_final())
                    .map(|call| call.listing(now.wall))
                    .collect();
                Answer::ok(json!({ "calls": calls }))
            }
            Ask::Call(call_sid) => match self.queue.get(call_sid) {
                Some(call) => Answer::ok(call.details(now.wall)),
                None => denied(&Denied::NoSuchCall),
            },
            Ask::Violations => {
                let violations: Vec<Value> = self
                    .detector
                    .open()
                    .map(|finding| {
                        let mut listed = json!(finding);
                        let snooze = self.snoozed.get(&finding.tractor);
                        if let Value::Object(listed) = &mut listed {
                            listed.insert("acknowledged_by".to_owned(), json!(snooze.map(|s| &s.by)));
                            listed.insert("acknowledged_until".to_owned(), json!(snooze.and_then(|s| s.until)));
                        }
                        listed
                    })
                    .collect();
                Answer::ok(json!({ "violations": violations }))
            }
            Ask::Roster => Answer::ok(self.roster()),
            Ask::Cancel(_) | Ask::Retry(_) | Ask::Request { .. } | Ask::Acknowledge(..) => return None,
        })
    }

    pub(super) fn ask(&mut self, id: u64, ask: Ask, now: Now) {
        let answer = self.look(&ask, now).or_else(|| self.order(id, ask, now));
        if let Some(answer) = answer {
            self.effect(Effect::Answer { id, answer });
        }
    }

    /// Follows an order. Without an answer, whoever gave it waits for one.
    fn order(&mut self, id: u64, ask: Ask, now: Now) -> Option<Answer> {
        match ask {
            Ask::Cancel(call_sid) => Some(answer(self.queue.cancel(&call_sid, "called off by an operator", now), now)),
            Ask::Retry(call_sid) => Some(answer(self.queue.retry(&call_sid, now), now)),
            Ask::Request { body, wait } => match self.take_request(&body, now) {
                Ok(call_sid) => {
                    // Answered when the call has got so far: see `answer_waiters`.
                    let until = now.mono + wait.unwrap_or_default();
                    self.waiters.insert(id, Waiter { call_sid, until });
                    None
                }
                Err(refusal) => Some(Answer::error(refusal.status, &refusal.message)),
            },
            Ask::Acknowledge(tractor, said) => {
                if !self.knows(&tractor) {
                    let why = format!("no violation of {tractor} is open, and the roster has no such tractor");
                    return Some(Answer::error(404, &why));
                }
                let cancelled = self.acknowledge(tractor.clone(), said, now);
                Some(Answer::ok(json!({ "tractor": tractor, "calls_cancelled": cancelled })))
            }
            Ask::Health | Ask::Units | Ask::Calls { .. } | Ask::Call(_) | Ask::Violations | Ask::Roster => None,
        }
    }

    /// Answers those who wait for a call that has got as far as they want, or whose patience is over.
    pub(super) fn answer_waiters(&mut self, now: Now) {
        let due: Vec<(u64, CallSid)> = self
            .waiters
            .iter()
            .filter(|(_, waiter)| {
                let state = self.queue.get(&waiter.call_sid).map(|call| call.state);
                waiter.until <= now.mono || !matches!(state, Some(State::Pending | State::Held | State::Dialing))
            })
            .map(|(id, waiter)| (*id, waiter.call_sid.clone()))
            .collect();
        for (id, call_sid) in due {
            self.waiters.remove(&id);
            let answer = self.queue.get(&call_sid).map_or_else(|| denied(&Denied::NoSuchCall), |call| accepted(call, now));
            self.effect(Effect::Answer { id, answer });
        }
    }

    fn roster(&self) -> Value {
        let assignments: Vec<Value> = self
            .book
            .assignments()
            .into_iter()
            .map(|(a, source)| {
                json!({
                    "tractor": a.tractor,
                    "trailers": a.trailers,
                    "driver": a.driver.as_ref().map(|d| json!({ "id": d.id, "name": d.name, "phone_masked": d.phone.to_string() })),
                    "dispatcher": a.dispatcher.as_ref().map(|d| json!({ "name": d.name, "phone_masked": d.phone.to_string() })),
                    "since": a.since,
                    "source": source,
                })
            })
            .collect();
        let (zones, source) = self.book.zones();
        let zones: Vec<Value> = zones
            .iter()
            .map(|zone| {
                let mut listed = json!(zone);
                if let Value::Object(listed) = &mut listed {
                    listed.insert("source".to_owned(), json!(source));
                }
                listed
            })
            .collect();
        json!({ "assignments": assignments, "zones": zones, "trailers": self.book.trailers() })
    }
}

/// The answer of the back end that this replaces: 202 and no ids while the call is owed, 200 once the vendor has it.
fn accepted(call: &Call, now: Now) -> Answer {
    let (status, message) = match call.state {
        State::Placed | State::Concluded => (200, "Call initiated successfully"),
        State::Pending | State::Held | State::Dialing | State::Unknown => (202, "Call queued"),
        State::Failed | State::Expired | State::Cancelled => (502, "Call not placed"),
    };
    let body = json!({
        "message": message,
        "timestamp": now.wall.iso8601(),
        "driver": { "driverId": call.driver.id, "driverName": call.driver.name, "phoneNumber": call.driver.phone.expose() },
        "call_sid": call.call_sid,
        "conversation_id": call.conversation_id,
        "callSid": call.provider_call_sid,
        "triggers_count": call.triggers,
        "state": call.state,
        "reason": call.reason,
    });
    Answer { status, body }
}

fn answer(changed: Result<&Call, Denied>, now: Now) -> Answer {
    match changed {
        Ok(call) => Answer::ok(call.listing(now.wall)),
        Err(why) => denied(&why),
    }
}

fn denied(why: &Denied) -> Answer {
    let status = match why {
        Denied::NoSuchCall => 404,
        Denied::TooLate { .. } => 409,
        Denied::Full => 503,
    };
    Answer::error(status, &why.to_string())
}
