//! Batches of calls.

use serde_json::{Value, json};

use super::account::merge;
use super::answer::{Answer, Body};
use super::check::{Check, Flaw, is_e164};
use super::state::State;
use crate::core::calls::dialing::CallResult;
use crate::core::time::UnixMillis;
use crate::elevenlabs::Route;

/// The most batches that are remembered.
const BATCHES: usize = 100;

impl State {
    /// All of them are called at once.
    pub(super) fn submit_batch(&mut self, body: Value, now: UnixMillis) -> Result<Answer, Answer> {
        let mut check = Check::body(&body);
        check.required(&["call_name", "agent_id", "recipients"]);
        check.kind("/call_name", Flaw::TEXT);
        check.kind("/agent_id", Flaw::TEXT);
        check.kind("/recipients", Flaw::LIST);
        let recipients = body["recipients"].as_array().cloned().unwrap_or_default();
        for (n, recipient) in recipients.iter().enumerate() {
            if !recipient["phone_number"].as_str().is_some_and(is_e164) {
                check.add(&format!("/recipients/{n}/phone_number"), Flaw::E164);
            }
        }
        if body["recipients"].is_array() && !(1..=10_000).contains(&recipients.len()) {
            check.add("/recipients", Flaw::VALUE);
        }
        check.done()?;
        self.batches_made += 1;
        let id = format!("btcal_standin_{:04}", self.batches_made);
        let called: Vec<Value> = recipients
            .into_iter()
            .enumerate()
            .map(|(n, recipient)| {
                let request = json!({
                    "agent_id": body["agent_id"], "agent_phone_number_id": body["agent_phone_number_id"],
                    "to_number": recipient["phone_number"],
                    "conversation_initiation_client_data": recipient["conversation_initiation_client_data"],
                });
                let call = self.dial(Route::Twilio, now, request);
                json!({"id": format!("{id}_{n}"), "phone_number": recipient["phone_number"], "conversation_id": call.id,
                    "created_at_unix": now.0.div_euclid(1_000)})
            })
            .collect();
        let batch = json!({
            "id": id, "name": body["call_name"], "agent_id": body["agent_id"], "agent_name": "", "phone_provider": "twilio",
            "phone_number_id": body["agent_phone_number_id"], "created_at_unix": now.0.div_euclid(1_000), "retry_count": 0,
            "scheduled_time_unix": now.0.div_euclid(1_000), "telephony_call_config": {"ringing_timeout_secs": 60},
            "total_calls_scheduled": called.len(), "total_calls_dispatched": called.len(), "recipients": called,
        });
        if self.batches.len() == BATCHES {
            self.batches.pop_first();
        }
        self.batches.insert(id.clone(), batch);
        let mut answer = self.batch(&id, now);
        if let Body::Json(Value::Object(batch)) = &mut answer.body {
            batch.remove("recipients");
        }
        Ok(answer)
    }

    pub(super) fn batch(&self, id: &str, now: UnixMillis) -> Answer {
        let Some(batch) = self.batches.get(id) else { return Answer::detail(404, "batch_not_found", "no such batch") };
        let mut batch = batch.clone();
        let status = |recipient: &Value| {
            let call = self.conversations.iter().find(|c| recipient["conversation_id"] == *c.id);
            match call.map(|call| (call.status(now), call.life.result)) {
                Some(("initiated", _)) => "initiated",
                Some(("in-progress", _)) => "in_progress",
                Some(("failed", _)) => "failed",
                Some((_, CallResult::Voicemail)) => "voicemail",
                Some(_) | None => "completed",
            }
        };
        let mut finished = 0;
        let secs = now.0.div_euclid(1_000);
        for recipient in batch.pointer_mut("/recipients").and_then(Value::as_array_mut).into_iter().flatten() {
            let status = status(recipient);
            finished += usize::from(!matches!(status, "initiated" | "in_progress"));
            merge(recipient, &json!({"status": status, "updated_at_unix": secs}));
        }
        let all = batch["recipients"].as_array().map_or(0, Vec::len);
        let status = if finished == all { "completed" } else { "in_progress" };
        merge(&mut batch, &json!({"status": status, "total_calls_finished": finished, "last_updated_at_unix": secs}));
        Answer::json(200, batch)
    }
}
