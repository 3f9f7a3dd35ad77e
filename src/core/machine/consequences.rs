//! What follows from what: findings become calls and announcements, calls become orders and announcements, and health is
//! said when it has changed.

use core::time::Duration;

use super::{Effect, Machine, Output, Snooze, Telling};
use crate::core::calls::prompt::{self, Audience, Point, PromptInput};
use crate::core::calls::queue::{Owed, QueueOutput};
use crate::core::calls::request::Request;
use crate::core::calls::{Callee, Cause, Separation};
use crate::core::control::Acknowledgement;
use crate::core::id::{CallSid, DriverId, UnitId, ViolationId};
use crate::core::outbox::OutboxOutput;
use crate::core::record;
use crate::core::roster::Driver;
use crate::core::separation::{Event, Finding, FindingEvent};
use crate::core::time::{Mono, Now};

/// Health is not said more often than this on its own account.
pub(super) const HEALTH_SOON: Duration = Duration::from_secs(1);
/// Reports that lead to nothing may still end a silence. To find out, every unit is looked at: 20,000 take milliseconds.
pub(super) const HEALTH_UNDER_TRAFFIC: Duration = Duration::from_secs(10);

impl Machine {
    /// Carries everything to its end. The order of outputs is the order in which they must be performed.
    pub(super) fn drain(&mut self, now: Now) {
        while let Some(event) = self.detector.poll() {
            self.decided(event, now);
        }
        let detector = &self.detector;
        self.queue.advance(now, &|violation_id| detector.newest_evidence(violation_id));
        while let Some(output) = self.queue.poll_output() {
            match output {
                QueueOutput::Keep(change) => self.out.push_back(Output::Keep(change)),
                QueueOutput::Dial(order) => self.effect(Effect::Dial(Box::new(order))),
                QueueOutput::AskConversation { call_sid, conversation_id } => {
                    self.effect(Effect::AskConversation { call_sid, conversation_id });
                }
                QueueOutput::Find(search) => self.effect(Effect::Find(search)),
                QueueOutput::ProbeUplink => self.effect(Effect::ProbeUplink),
                QueueOutput::ProbeAccount => self.effect(Effect::ProbeAccount),
                QueueOutput::Changed(call) => {
                    self.outbox.announce(self.settings.topics.call(&call.call_sid), call.announcement());
                    self.effect(Effect::Tell(Telling::Call(call)));
                }
            }
        }
        while let Some(output) = self.outbox.poll_output() {
            match output {
                OutboxOutput::Keep(change) => self.out.push_back(Output::Keep(change)),
                OutboxOutput::Publish { ticket, announcement } => self.effect(Effect::Publish { ticket, announcement }),
            }
        }
        self.answer_waiters(now);
        if !self.out.is_empty() {
            self.health_may_differ(HEALTH_SOON);
        }
        self.say_health(now);
    }

    /// One thing that the detector wants done.
    pub(super) fn decided(&mut self, event: Event, now: Now) {
        match event {
            Event::Keep(pair) => {
                let key = pair_key(&pair.tractor, &pair.trailer);
                self.keep(key, &pair);
            }
            Event::Forget { tractor, trailer } => self.forget(pair_key(&tractor, &trailer)),
            Event::Found(finding) => self.found(*finding, now),
        }
    }

    fn found(&mut self, finding: Finding, now: Now) {
        let topic = self.settings.topics.violation(&finding.tractor);
        self.outbox.announce(topic, serde_json::to_string(&finding).unwrap_or_default());
        self.effect(Effect::Tell(Telling::Finding(Box::new(finding.clone()))));
        match finding.event {
            FindingEvent::Opened => self.owe_for(&finding, now),
            FindingEvent::Closed => {
                self.queue.violation_ended(&finding.violation_id, "the two are together again, or the assignment ended", now);
                let others = self.detector.open().any(|f| f.tractor == finding.tractor);
                if !others && self.snoozed.get(&finding.tractor).is_some_and(|snooze| snooze.until.is_none()) {
                    self.snoozed.remove(&finding.tractor);
                    self.forget(snooze_key(&finding.tractor));
                }
                self.has_somebody(&finding.violation_id);
            }
            FindingEvent::Suspected | FindingEvent::DroppedOk => {}
        }
    }

    /// A separation: somebody is to be called, once.
    fn owe_for(&mut self, finding: &Finding, now: Now) {
        let Some(separation) = Separation::of(finding) else { return };
        if self.queue.knows(&finding.violation_id) {
            return;
        }
        let dispatcher = self.book.dispatcher(&finding.tractor).cloned();
        let driver = self.book.assignment(&finding.tractor).and_then(|(a, _)| a.driver.clone());
        let callee = if driver.is_some() { Callee::Driver } else { Callee::DispatcherInstead };
        let driver = driver.or_else(|| {
            dispatcher.as_ref().and_then(|d| {
                Some(Driver {
                    id: DriverId::new(&format!("dispatcher-{}", finding.tractor)).ok()?,
                    name: d.name.clone(),
                    phone: d.phone.clone(),
                })
            })
        });
        let Some(driver) = driver else {
            self.nobody_to_call.insert(finding.violation_id.clone(), finding.tractor.clone());
            self.keep(nobody_key(&finding.tractor, &finding.violation_id), &(&finding.tractor, &finding.violation_id));
            let Separation { kind, tractor, trailer, .. } = &separation;
            self.warn(format!("{kind} of {tractor} and {trailer}: the roster names nobody to call"));
            return;
        };
        let owed = Owed {
            cause: Cause::Violation(separation),
            callee,
            driver,
            dispatcher,
            prompt: String::new(),
            triggers: 1,
            before: (0, None),
            evidence: finding.at,
        };
        let snoozed =
            self.snoozed.get(&finding.tractor).filter(|s| s.until.is_none_or(|until| now.wall < until)).map(|s| s.by.clone());
        // A separation is never refused for want of room.
        if let Ok(call) = self.queue.owe(owed, now)
            && let Some(by) = snoozed
        {
            let call_sid = call.call_sid.clone();
            let _ = self.queue.cancel(&call_sid, &acknowledged(&by), now);
        }
    }

    /// The roster may name somebody now: a violation that is still open and had nobody to be told is owed its call.
    pub(super) fn owe_what_nobody_heard(&mut self, now: Now) {
        let open: Vec<Finding> = self
            .detector
            .open()
            .filter(|f| f.event == FindingEvent::Opened && self.nobody_to_call.contains_key(&f.violation_id))
            .collect();
        for finding in open {
            self.has_somebody(&finding.violation_id);
            self.owe_for(&finding, now);
        }
    }

    fn has_somebody(&mut self, violation_id: &ViolationId) {
        if let Some(tractor) = self.nobody_to_call.remove(violation_id) {
            self.forget(nobody_key(&tractor, violation_id));
        }
    }

    /// What a request asks for.
    pub(super) fn owed_for(&self, request: Request, now: Now) -> Owed {
        let dispatcher = self.book.dispatcher_of(&request.driver_id).cloned();
        let parent = request.parent_call_sid.as_deref().and_then(|sid| CallSid::new(sid).ok());
        Owed {
            cause: Cause::Request,
            callee: Callee::Driver,
            prompt: prompt::prompt(&PromptInput {
                audience: Audience::Driver,
                points: request.details.iter().map(Point::from).collect(),
                custom_rules: &request.custom_rules,
                country: &self.settings.calls.default_country,
                templates: &self.settings.calls.prompt,
            }),
            triggers: request.triggers_count(),
            before: (request.retry_count, parent),
            driver: Driver { id: request.driver_id, name: request.driver_name, phone: request.phone },
            dispatcher,
            evidence: now.wall,
        }
    }

    /// Somebody knows of it: what waits is called off, and nobody is called about this tractor for `minutes`, or while the
    /// present episodes last. Returns how many calls were called off.
    pub(super) fn acknowledge(&mut self, tractor: UnitId, said: Acknowledgement, now: Now) -> usize {
        let Acknowledgement { minutes, by } = said;
        let open: Vec<ViolationId> = self.detector.open().filter(|f| f.tractor == tractor).map(|f| f.violation_id).collect();
        let called_off = self.queue.acknowledge(&tractor, &acknowledged(&by), now);
        let over = |snooze: &&Snooze| snooze.until.is_some_and(|until| until <= now.wall);
        for over in self.snoozed.values().filter(over).map(|snooze| snooze.tractor.clone()).collect::<Vec<_>>() {
            self.snoozed.remove(&over);
            self.forget(snooze_key(&over));
        }
        if !open.is_empty() || (minutes.is_some() && self.book.assignment(&tractor).is_some()) {
            let until = minutes.map(|minutes| now.wall + Duration::from_secs(u64::from(minutes) * 60));
            let snooze = Snooze { tractor: tractor.clone(), until, by };
            self.keep(snooze_key(&tractor), &snooze);
            self.snoozed.insert(tractor.clone(), snooze);
        }
        for violation_id in &open {
            self.has_somebody(violation_id);
        }
        called_off
    }

    /// Whether there is anything about this tractor that somebody could acknowledge.
    pub(super) fn knows(&self, tractor: &UnitId) -> bool {
        self.book.assignment(tractor).is_some()
            || self.detector.open().any(|finding| finding.tractor == *tractor)
            || self.queue.nobody_reached().any(|call| call.separations().any(|s| s.tractor == *tractor))
    }

    /// Says health when it is due, asked for, or has changed; changes that follow each other within a second are one.
    fn say_health(&mut self, now: Now) {
        if now.mono < self.health_due() {
            return;
        }
        let health = self.health(now);
        let overdue = now.mono >= self.health_said_at + self.settings.health_interval;
        self.health_looked_at = now.mono;
        self.health_within = None;
        if self.health_wanted || overdue || self.health_said.as_ref().is_none_or(|said| health.differs(said)) {
            self.health_wanted = false;
            self.health_said_at = now.mono;
            self.effect(Effect::Health(Box::new(health.clone())));
            self.health_said = Some(health);
        }
    }

    /// When health is looked at next.
    pub(super) fn health_due(&self) -> Mono {
        if self.health_wanted {
            return Mono::default();
        }
        let interval = self.health_said_at + self.settings.health_interval;
        self.health_within.map_or(interval, |within| interval.min(self.health_looked_at + within))
    }

    pub(super) fn health_may_differ(&mut self, within: Duration) {
        self.health_within = Some(self.health_within.map_or(within, |wanted| wanted.min(within)));
    }
}

fn pair_key(tractor: &UnitId, trailer: &UnitId) -> String {
    record::key("pair", &[tractor, trailer])
}

pub(super) fn nobody_key(tractor: &UnitId, violation_id: &ViolationId) -> String {
    record::key("nobody", &[tractor, violation_id])
}

pub(super) fn snooze_key(tractor: &UnitId) -> String {
    record::key("snooze", &[tractor])
}

fn acknowledged(by: &str) -> String {
    if by.is_empty() { "acknowledged".to_owned() } else { format!("acknowledged by {by}") }
}
