//! What is due when, on the monotonic clock.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::id::CallSid;
use crate::core::time::Mono;

/// At most one time for each call.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    by_time: BTreeSet<(Mono, CallSid)>,
    times: BTreeMap<CallSid, Mono>,
}

impl Agenda {
    /// Sets the time of a call, in place of the one it had.
    pub fn set(&mut self, call_sid: &CallSid, at: Mono) {
        self.remove(call_sid);
        self.by_time.insert((at, call_sid.clone()));
        self.times.insert(call_sid.clone(), at);
    }

    /// Takes a call off.
    pub fn remove(&mut self, call_sid: &CallSid) {
        if let Some(at) = self.times.remove(call_sid) {
            self.by_time.remove(&(at, call_sid.clone()));
        }
    }

    /// The earliest time.
    pub fn first(&self) -> Option<Mono> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes off the earliest call that is due.
    pub fn pop(&mut self, now: Mono) -> Option<CallSid> {
        let (at, call_sid) = self.by_time.pop_first()?;
        if at > now {
            self.by_time.insert((at, call_sid));
            return None;
        }
        self.times.remove(&call_sid);
        Some(call_sid)
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn each_call_has_one_time_and_the_earliest_comes_first() {
        let sid = |name: &str| CallSid::new(name).unwrap();
        let at = |secs| Mono(Duration::from_secs(secs));
        let mut agenda = Agenda::default();
        agenda.set(&sid("EL_a"), at(10));
        agenda.set(&sid("EL_b"), at(20));
        agenda.set(&sid("EL_a"), at(30));
        assert_eq!(agenda.first(), Some(at(20)));
        assert_eq!(agenda.pop(at(19)), None);
        assert_eq!(agenda.pop(at(40)), Some(sid("EL_b")));
        agenda.remove(&sid("EL_a"));
        assert_eq!((agenda.pop(at(40)), agenda.first()), (None, None));
    }
}
