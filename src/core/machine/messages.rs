//! Messages on our own topics: roster, zones, requests, orders.

use core::time::Duration;

use serde_json::json;

use super::{Effect, Machine, Seen, Telling, clip, receive};
use crate::core::calls::request::{self, Refusal};
use crate::core::control::Acknowledgement;
use crate::core::id::{CallSid, UnitId};
use crate::core::record;
use crate::core::roster::book::Override;
use crate::core::roster::message;
use crate::core::time::Now;
use crate::core::topics::Inbound;

/// The same payload is one request for this long (QoS 1 delivers again after a lost acknowledgement).
const SAME_REQUEST_FOR: Duration = Duration::from_secs(24 * 3600);

/// Requests remembered for that; beyond it the oldest is forgotten.
const MAX_SEEN: usize = 10_000;

impl Machine {
    /// A message on one of our own topics. Whatever is wrong with it is said and nothing else comes of it.
    pub(super) fn message(&mut self, topic: &str, payload: &[u8], retained: bool, now: Now) {
        let topics = self.settings.topics.clone();
        let wrong = match topics.read(topic) {
            Some(Inbound::Assignment(tractor)) => self.assignment_message(tractor, payload, now).err(),
            Some(Inbound::Zones) => self.zones_message(payload).err(),
            Some(Inbound::Request) => {
                if let Err(refusal) = self.request_message(payload, retained, now) {
                    self.link.not_followed = self.link.not_followed.saturating_add(1);
                    let words = json!({ "reason": refusal, "at": now.wall });
                    self.outbox.announce(topics.rejected(), words.to_string());
                }
                None
            }
            // An order that the broker repeats at every connect is none.
            Some(Inbound::Cancel(_) | Inbound::Acknowledge(_)) if retained => Some("it is retained".to_owned()),
            Some(Inbound::Cancel(call_sid)) => match CallSid::new(call_sid) {
                Ok(call_sid) => self.queue.cancel(&call_sid, "called off over MQTT", now).err().map(|why| why.to_string()),
                Err(why) => Some(format!("the call_sid {why}")),
            },
            Some(Inbound::Acknowledge(tractor)) => match (UnitId::new(tractor), Acknowledgement::read(payload)) {
                (Ok(tractor), Ok(said)) => {
                    self.acknowledge(tractor, said, now);
                    None
                }
                (Err(why), _) => Some(format!("the tractor {why}")),
                (_, Err(why)) => Some(why),
            },
            Some(Inbound::HealthCheck) => {
                self.health_wanted = true;
                None
            }
            None => Some("nothing is expected on this topic".to_owned()),
        };
        if let Some(wrong) = wrong {
            self.link.not_followed = self.link.not_followed.saturating_add(1);
            let words = format!("message on {} not followed: {wrong}", clip(topic, 120));
            self.effect(Effect::Tell(Telling::NotFollowed(words)));
        }
    }

    fn assignment_message(&mut self, tractor: &str, payload: &[u8], now: Now) -> Result<(), String> {
        let assignment = message::assignment(tractor, payload)?;
        match self.book.assign(assignment, now.wall) {
            Override::Taken(taken) => {
                self.keep(override_key(&taken.tractor), &taken);
                let (tractor, since) = (taken.tractor, taken.since.unwrap_or(now.wall));
                self.detector.assign(&tractor, &taken.trailers, since, receive(now));
                self.owe_what_nobody_heard(now);
                Ok(())
            }
            Override::Same | Override::Older => Ok(()),
            Override::Full => Err("too many tractors have been assigned over MQTT already".to_owned()),
        }
    }

    fn zones_message(&mut self, payload: &[u8]) -> Result<(), String> {
        let zones = message::zones(payload)?;
        self.book.set_zones(zones.clone());
        match &zones {
            Some(zones) => self.keep("zones".to_owned(), zones),
            None => self.forget("zones".to_owned()),
        }
        self.detector.set_zones(self.book.zones().0.to_vec());
        Ok(())
    }

    fn request_message(&mut self, payload: &[u8], retained: bool, now: Now) -> Result<(), String> {
        if retained {
            return Err("a retained request would be one again at every connect".to_owned());
        }
        self.take_request(payload, now).map(|_| ()).map_err(|refusal| refusal.message)
    }

    /// Takes a request for a call, from wherever it came.
    pub(super) fn take_request(&mut self, payload: &[u8], now: Now) -> Result<CallSid, Refusal> {
        let request = request::accept(payload, &self.settings.calls.default_country)?;
        let fingerprint = request.fingerprint().to_owned();
        self.forget_old_requests(now);
        if let Some(seen) = self.seen.get(&fingerprint) {
            return Ok(seen.call_sid.clone());
        }
        let owed = self.owed_for(request, now);
        let call_sid = match self.queue.owe(owed, now) {
            Ok(call) => call.call_sid.clone(),
            Err(denied) => return Err(Refusal { status: 503, message: denied.to_string() }),
        };
        let seen = Seen { received: now.wall, undated: !now.trusted, call_sid: call_sid.clone() };
        self.make_room_for_a_request();
        self.keep(request_key(&fingerprint), &seen);
        self.seen.insert(fingerprint, seen);
        Ok(call_sid)
    }

    /// Those of yesterday.
    fn forget_old_requests(&mut self, now: Now) {
        let is_old = |seen: &Seen| now.trusted && now.wall.since(seen.received) >= SAME_REQUEST_FOR;
        let old: Vec<String> = self.seen.iter().filter(|(_, seen)| is_old(seen)).map(|(name, _)| name.clone()).collect();
        for fingerprint in old {
            self.seen.remove(&fingerprint);
            self.forget(request_key(&fingerprint));
        }
    }

    /// A repetition needs none: it must not cost the memory of another request.
    fn make_room_for_a_request(&mut self) {
        while self.seen.len() >= MAX_SEEN {
            let oldest = self.seen.iter().min_by_key(|(_, seen)| seen.received).map(|(name, _)| name.clone());
            let Some(fingerprint) = oldest else { return };
            self.seen.remove(&fingerprint);
            self.forget(request_key(&fingerprint));
        }
    }
}

pub(super) fn override_key(tractor: &UnitId) -> String {
    record::key("override", &[tractor])
}

pub(super) fn request_key(fingerprint: &str) -> String {
    format!("request/{fingerprint}")
}
