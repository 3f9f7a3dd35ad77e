//! What the stand-in keeps of an account: agents, documents, numbers. No I/O and no clock.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::check::{Check, Flaw, is_e164};
use crate::core::time::UnixMillis;
use crate::elevenlabs::Route;

/// The most agents, documents and numbers, of each, that are kept.
const MOST: usize = 1_000;

/// The longest text that is kept of a document; of a longer one, the beginning.
pub(super) const TEXT: usize = 64 * 1024;

/// A document as it arrived.
pub(super) struct NewDocument {
    pub kind: &'static str,
    pub name: String,
    /// `url` or `filename`, where there is one.
    pub source: Option<(&'static str, String)>,
    pub text: String,
    pub size: usize,
}

#[derive(Debug, Default)]
pub(super) struct Account {
    made: usize,
    pub agents: BTreeMap<String, Value>,
    documents: BTreeMap<String, Value>,
    numbers: BTreeMap<String, Value>,
    /// Agents that were deleted.
    gone: BTreeSet<String>,
}

impl Account {
    /// Refuses an agent that was deleted. One that was never made here is taken to exist.
    pub fn may_speak(&self, request: &Value) -> Result<(), Answer> {
        let gone = request["agent_id"].as_str().is_some_and(|agent| self.gone.contains(agent));
        if gone { Err(no_such("agent")) } else { Ok(()) }
    }

    /// The same, and a number that calls over the other route. One that was never made here is taken to be right.
    pub fn may_call(&self, route: Route, request: &Value) -> Result<(), Answer> {
        self.may_speak(request)?;
        let number = request["agent_phone_number_id"].as_str().and_then(|id| self.numbers.get(id));
        let provider = match route {
            Route::Twilio => "twilio",
            Route::SipTrunk => "sip_trunk",
        };
        if number.is_some_and(|number| number["provider"] != provider) {
            return Err(Answer::detail(400, "invalid_provider_config", "this number calls over another provider"));
        }
        Ok(())
    }

    pub fn create_agent(&mut self, body: &Value, now: UnixMillis) -> Answer {
        let mut check = Check::body(body);
        check.required(&["conversation_config"]);
        if let Err(refusal) = self.checked_agent(check, body) {
            return refusal;
        }
        if self.agents.len() == MOST {
            return full("agents");
        }
        self.made += 1;
        let id = format!("agent_standin_{:04}", self.made);
        let mut agent = json!({
            "agent_id": id, "name": "New agent", "tags": [], "phone_numbers": [], "access_info": access(),
            "conversation_config": default_config(), "platform_settings": default_platform(),
            "metadata": {"created_at_unix_secs": secs(now), "updated_at_unix_secs": secs(now)},
        });
        merge(&mut agent, body);
        complete(&mut agent);
        self.agents.insert(id.clone(), agent);
        Answer::json(200, json!({ "agent_id": id }))
    }

    pub fn agent(&self, id: &str) -> Answer {
        self.agents.get(id).map_or_else(|| no_such("agent"), |agent| Answer::json(200, agent.clone()))
    }

    pub fn update_agent(&mut self, id: &str, body: &Value, now: UnixMillis) -> Answer {
        if let Err(refusal) = self.checked_agent(Check::body(body), body) {
            return refusal;
        }
        let Some(agent) = self.agents.get_mut(id) else { return no_such("agent") };
        merge(agent, body);
        merge(agent, &json!({"agent_id": id, "metadata": {"updated_at_unix_secs": secs(now)}}));
        complete(agent);
        Answer::json(200, agent.clone())
    }

    pub fn delete_agent(&mut self, id: &str) -> Answer {
        match self.agents.remove(id) {
            Some(_) => {
                if self.gone.len() < MOST {
                    self.gone.insert(id.to_owned());
                }
                Answer::json(200, Value::Null)
            }
            None => no_such("agent"),
        }
    }

    pub fn agents(&self, query: &[(String, String)]) -> Answer {
        let row = |agent: &Value| {
            json!({
                "agent_id": agent["agent_id"], "name": agent["name"], "tags": agent["tags"], "access_info": access(),
                "voice_id": agent.pointer("/conversation_config/tts/voice_id"), "archived": false,
                "created_at_unix_secs": agent.pointer("/metadata/created_at_unix_secs"),
                "updated_at_unix_secs": agent.pointer("/metadata/updated_at_unix_secs"),
            })
        };
        page("agents", query, self.agents.values().rev(), row)
    }

    pub fn create_document(&mut self, document: NewDocument, now: UnixMillis) -> Answer {
        if self.documents.len() == MOST {
            return full("documents");
        }
        self.made += 1;
        let NewDocument { kind, name, source, text, size } = document;
        let id = format!("doc_standin_{:04}", self.made);
        let end = (0..=text.len().min(TEXT)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        let mut kept = json!({
            "type": kind, "id": id, "name": name, "supported_usages": ["prompt", "auto"], "access_info": access(),
            "metadata": {"created_at_unix_secs": secs(now), "last_updated_at_unix_secs": secs(now), "size_bytes": size},
            "folder_parent_id": null, "folder_path": [], "extracted_inner_html": text.get(..end),
        });
        if let Some((field, source)) = source {
            merge(&mut kept, &json!({ field: source }));
        }
        self.documents.insert(id.clone(), kept);
        Answer::json(200, json!({"id": id, "name": name, "folder_path": []}))
    }

    pub fn document(&self, id: &str) -> Answer {
        self.documents.get(id).map_or_else(|| no_such("document"), |document| Answer::json(200, document.clone()))
    }

    pub fn delete_document(&mut self, id: &str, even_if_used: bool) -> Answer {
        if !self.documents.contains_key(id) {
            return no_such("document");
        }
        if !even_if_used && self.agents.values().any(|agent| knows(agent, id)) {
            return Answer::detail(400, "document_in_use", "agents know this document; force=true takes it away from them");
        }
        self.documents.remove(id);
        for agent in self.agents.values_mut() {
            if let Some(Value::Array(known)) = agent.pointer_mut(KNOWN) {
                known.retain(|document| document["id"] != id);
            }
        }
        Answer::json(200, json!({}))
    }

    pub fn documents(&self, query: &[(String, String)]) -> Answer {
        let types: Vec<&str> = query.iter().filter(|(name, _)| name == "types").map(|(_, value)| value.as_str()).collect();
        let wanted = |document: &&Value| types.is_empty() || types.iter().any(|kind| document["type"] == *kind);
        let row = |document: &Value| {
            let users = self.agents.values().filter(|agent| knows(agent, document["id"].as_str().unwrap_or_default()));
            let users: Vec<Value> = users
                .map(|agent| {
                    json!({"type": "available", "id": agent["agent_id"], "name": agent["name"], "access_level": "admin",
                    "created_at_unix_secs": agent.pointer("/metadata/created_at_unix_secs"), "referenced_resource_ids": []})
                })
                .collect();
            let mut row = document.clone();
            if let Some(row) = row.as_object_mut() {
                row.remove("extracted_inner_html");
                row.insert("dependent_agents".to_owned(), Value::Array(users));
            }
            row
        };
        page("documents", query, self.documents.values().rev().filter(wanted), row)
    }

    /// What opens the provider's account is not kept.
    pub fn create_number(&mut self, body: &Value) -> Answer {
        let mut check = Check::body(body);
        check.required(&["phone_number", "label"]);
        let provider = body["provider"].as_str().unwrap_or("twilio");
        if provider == "twilio" {
            check.required(&["sid", "token"]);
        }
        for name in ["/phone_number", "/label", "/provider", "/sid", "/token"] {
            check.kind(name, Flaw::TEXT);
        }
        if body["phone_number"].as_str().is_some_and(|number| !is_e164(number)) {
            check.add("/phone_number", Flaw::E164);
        }
        if !["twilio", "sip_trunk"].contains(&provider) {
            check.add("/provider", Flaw::VALUE);
        }
        if let Err(refusal) = check.done() {
            return refusal;
        }
        if self.numbers.len() == MOST {
            return full("numbers");
        }
        self.made += 1;
        let id = format!("phnum_standin_{:04}", self.made);
        let mut number = json!({
            "phone_number_id": id, "phone_number": body["phone_number"], "label": body["label"], "provider": provider,
            "supports_inbound": true, "supports_outbound": true, "assigned_agent": null,
        });
        if provider == "sip_trunk" {
            merge(&mut number, &json!({"livekit_stack": "standard"}));
        }
        self.numbers.insert(id.clone(), number);
        Answer::json(200, json!({ "phone_number_id": id }))
    }

    pub fn numbers(&self) -> Answer {
        Answer::json(200, self.numbers.values().cloned().collect())
    }

    fn checked_agent(&self, mut check: Check<'_>, body: &Value) -> Result<(), Answer> {
        check.kind("/name", Flaw::TEXT);
        check.kind("/tags", Flaw::LIST);
        check.kind("/platform_settings", Flaw::OBJECT);
        check.kind("/conversation_config", Flaw::OBJECT);
        for part in ["agent", "asr", "turn", "tts", "conversation", "language_presets", "vad"] {
            check.kind(&format!("/conversation_config/{part}"), Flaw::OBJECT);
        }
        for text in ["agent/first_message", "agent/language", "agent/prompt/prompt", "agent/prompt/llm", "tts/voice_id"] {
            check.kind(&format!("/conversation_config/{text}"), Flaw::TEXT);
        }
        check.kind("/conversation_config/agent/prompt", Flaw::OBJECT);
        check.kind("/conversation_config/agent/prompt/temperature", Flaw::NUMBER);
        check.kind("/conversation_config/agent/prompt/built_in_tools", Flaw::OBJECT);
        check.kind("/conversation_config/conversation/max_duration_seconds", Flaw::NUMBER);
        for list in ["agent/prompt/tools", "agent/prompt/tool_ids", "agent/prompt/knowledge_base", "conversation/client_events"] {
            check.kind(&format!("/conversation_config/{list}"), Flaw::LIST);
        }
        check.kind("/platform_settings/evaluation", Flaw::OBJECT);
        check.kind("/platform_settings/evaluation/criteria", Flaw::LIST);
        check.kind("/platform_settings/data_collection", Flaw::OBJECT);
        check.done()?;
        let known = body.pointer(KNOWN).and_then(Value::as_array).into_iter().flatten();
        for document in known {
            let mut check = Check::body(document);
            check.required(&["type", "id", "name"]);
            check.done()?;
            if !document["id"].as_str().is_some_and(|id| self.documents.contains_key(id)) {
                return Err(no_such("document"));
            }
        }
        Ok(())
    }
}

/// Where an agent lists what it knows.
const KNOWN: &str = "/conversation_config/agent/prompt/knowledge_base";

fn knows(agent: &Value, id: &str) -> bool {
    agent.pointer(KNOWN).and_then(Value::as_array).is_some_and(|known| known.iter().any(|document| document["id"] == id))
}

/// Objects are merged, everything else is replaced.
pub(super) fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// What the vendor adds to the elements of lists.
fn complete(agent: &mut Value) {
    for (list, key, usual) in [("/platform_settings/evaluation/criteria", "scope", "conversation"), (KNOWN, "usage_mode", "auto")]
    {
        let elements = agent.pointer_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
        for element in elements.filter_map(Value::as_object_mut) {
            element.entry(key).or_insert_with(|| json!(usual));
        }
    }
}

/// A page of rows, by `search`, `page_size` and `cursor`.
fn page<'a>(
    name: &str,
    query: &[(String, String)],
    all: impl Iterator<Item = &'a Value>,
    row: impl Fn(&Value) -> Value,
) -> Answer {
    let asked = |name: &str| query.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    let refuse = |name: &str, why| Answer::invalid("query", &[Flaw::new(name, why, json!(asked(name)))]);
    let size = match asked("page_size").map_or(Ok(30), str::parse::<usize>) {
        Ok(size @ 1..=100) => size,
        Ok(_) => return refuse("page_size", Flaw::RANGE),
        Err(_) => return refuse("page_size", Flaw::INTEGER),
    };
    let Ok(start) = asked("cursor").map_or(Ok(0), str::parse::<usize>) else { return refuse("cursor", Flaw::VALUE) };
    let search = asked("search").unwrap_or_default().to_lowercase();
    let found = |value: &&Value| value["name"].as_str().unwrap_or_default().to_lowercase().contains(&search);
    let found: Vec<&Value> = all.filter(found).collect();
    let rows: Vec<Value> = found.iter().skip(start).take(size).map(|value| row(value)).collect();
    let end = start.saturating_add(rows.len());
    let has_more = end < found.len();
    let mut page = Map::new();
    page.insert(name.to_owned(), Value::Array(rows));
    page.insert("has_more".to_owned(), json!(has_more));
    page.insert("next_cursor".to_owned(), json!(has_more.then(|| end.to_string())));
    Answer::json(200, Value::Object(page))
}

fn no_such(what: &str) -> Answer {
    Answer::detail(404, &format!("{what}_not_found"), &format!("no such {what}"))
}

fn full(what: &str) -> Answer {
    Answer::detail(400, "limit_reached", &format!("the stand-in keeps {MOST} {what}"))
}

fn secs(now: UnixMillis) -> i64 {
    now.0.div_euclid(1_000)
}

fn access() -> Value {
    json!({"is_creator": true, "creator_name": "stand-in", "creator_email": "standin@example.org", "role": "admin"})
}

/// What a new agent has where its draft says nothing, as far as gladhand looks at it.
fn default_config() -> Value {
    json!({
        "agent": {"first_message": "", "language": "en", "dynamic_variables": {"dynamic_variable_placeholders": {}},
            "prompt": {"prompt": "", "llm": "gemini-2.5-flash", "temperature": 0.0, "max_tokens": -1, "tool_ids": [],
                "built_in_tools": {"end_call": null, "transfer_to_number": null, "voicemail_detection": null, "skip_turn": null},
                "knowledge_base": [], "tools": []}},
        "asr": {"quality": "high", "provider": "elevenlabs", "user_input_audio_format": "pcm_16000", "keywords": []},
        "turn": {"mode": "turn", "turn_timeout": 7.0, "silence_end_call_timeout": -1.0, "turn_eagerness": "normal"},
        "tts": {"model_id": "eleven_flash_v2", "voice_id": "cjVigY5qzO86Huf0OWal", "agent_output_audio_format": "pcm_16000",
            "optimize_streaming_latency": 3, "stability": 0.5, "speed": 1.0, "similarity_boost": 0.8},
        "conversation": {"text_only": false, "max_duration_seconds": 600,
            "client_events": ["audio", "interruption", "user_transcript", "agent_response"]},
        "language_presets": {},
    })
}

fn default_platform() -> Value {
    json!({
        "evaluation": {"criteria": []}, "data_collection": {},
        "call_limits": {"agent_concurrency_limit": -1, "daily_limit": 100_000, "bursting_enabled": true},
        "privacy": {"record_voice": true, "retention_days": -1},
    })
}
