//! The file's keys and where the vendor has them. One table serves both ways.

use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use super::agent::Agent;
use super::variables::bare;

/// Keys of the file, and their places in the vendor's JSON, both as JSON pointers.
const PLACES: [(&str, &str); 17] = [
    ("/name", "/name"),
    ("/language", "/conversation_config/agent/language"),
    ("/first_message", "/conversation_config/agent/first_message"),
    ("/variables", "/conversation_config/agent/dynamic_variables/dynamic_variable_placeholders"),
    ("/prompt", "/conversation_config/agent/prompt/prompt"),
    ("/llm", "/conversation_config/agent/prompt/llm"),
    ("/temperature", "/conversation_config/agent/prompt/temperature"),
    ("/voice/id", "/conversation_config/tts/voice_id"),
    ("/voice/model", "/conversation_config/tts/model_id"),
    ("/voice/stability", "/conversation_config/tts/stability"),
    ("/voice/speed", "/conversation_config/tts/speed"),
    ("/voice/similarity_boost", "/conversation_config/tts/similarity_boost"),
    ("/turn/turn_timeout", "/conversation_config/turn/turn_timeout"),
    ("/turn/silence_end_call_timeout", "/conversation_config/turn/silence_end_call_timeout"),
    ("/turn/turn_eagerness", "/conversation_config/turn/turn_eagerness"),
    ("/conversation/max_duration_seconds", "/conversation_config/conversation/max_duration_seconds"),
    ("/conversation/client_events", "/conversation_config/conversation/client_events"),
];

const TOOLS: &str = "/conversation_config/agent/prompt/built_in_tools";
const CRITERIA: &str = "/platform_settings/evaluation/criteria";
const DATA: &str = "/platform_settings/data_collection";
const KNOWLEDGE: &str = "/conversation_config/agent/prompt/knowledge_base";
const SIP: &str = "sip:";

/// What the file asks for, as the vendor has it. `documents` is how the agent refers to each of the file's documents, `None`
/// when that is not to be compared.
#[must_use]
pub fn compile(agent: &Agent, documents: Option<Vec<Value>>) -> Value {
    let file = serde_json::to_value(agent).unwrap_or_default();
    let mut out = json!({ "conversation_config": {} });
    for (here, there) in PLACES {
        if let Some(value) = file.pointer(here) {
            put(&mut out, there, trimmed(value));
        }
    }
    if let Some(tools) = file.get("tools").and_then(Value::as_object) {
        for (name, tool) in tools {
            put(&mut out, &format!("{TOOLS}/{name}"), tool_there(name, tool));
        }
    }
    if !agent.evaluation.is_empty() {
        let criteria = agent.evaluation.iter().map(|criterion| {
            json!({ "id": criterion.id, "name": criterion.name, "type": "prompt", "conversation_goal_prompt": criterion.goal.trim() })
        });
        put(&mut out, CRITERIA, criteria.collect());
    }
    for (name, item) in &agent.data_collection {
        put(&mut out, &format!("{DATA}/{}", escaped(name)), trimmed(&serde_json::to_value(item).unwrap_or_default()));
    }
    if let Some(documents) = documents {
        put(&mut out, KNOWLEDGE, documents.into());
    }
    out
}

/// The file that asks for what an agent has, of what a file can ask.
///
/// # Errors
/// Names the key that the account holds in a form that the file has no words for.
pub fn pull(account: &Value) -> Result<Agent, String> {
    let mut file = json!({});
    for (here, there) in PLACES {
        if let Some(value) = account.pointer(there).filter(|value| is_there(value)) {
            put(&mut file, here, value.clone());
        }
    }
    if let Some(examples) = file.pointer_mut("/variables").and_then(Value::as_object_mut) {
        examples.retain(|_, example| !example.is_null() && !example.is_object() && !example.is_array());
    }
    for name in ["end_call", "voicemail_detection", "transfer_to_number"] {
        if let Some(tool) = account.pointer(&format!("{TOOLS}/{name}")).filter(|tool| tool.is_object()) {
            put(&mut file, &format!("/tools/{name}"), tool_here(name, tool));
        }
    }
    let criteria = elements(account, CRITERIA).map(|criterion| {
        let field = |name| criterion.get(name).cloned().unwrap_or_default();
        json!({ "id": field("id"), "name": field("name"), "goal": field("conversation_goal_prompt") })
    });
    put(&mut file, "/evaluation", criteria.collect());
    for (name, item) in account.pointer(DATA).and_then(Value::as_object).into_iter().flatten() {
        // What is filled in by something other than words about the conversation is not ours to describe.
        if item.get("description").is_some_and(is_there) {
            put(&mut file, &format!("/data_collection/{}", escaped(name)), only(item, &["type", "description", "enum"]));
        }
    }
    let documents = elements(account, KNOWLEDGE).map(|locator| only(locator, &["name", "id", "type", "usage_mode"]));
    put(&mut file, "/document", documents.collect());
    let mut track = serde_path_to_error::Track::new();
    Agent::deserialize(serde_path_to_error::Deserializer::new(file, &mut track))
        .map_err(|why| format!("the agent's {} cannot be written to a file: {why}", track.path()))
}

fn tool_there(name: &str, tool: &Value) -> Value {
    if tool.get("enabled") == Some(&Value::Bool(false)) {
        return Value::Null;
    }
    let field = |name: &str| tool.get(name).cloned();
    let mut params = json!({ "system_tool_type": name });
    if let Some(message) = field("message") {
        put(&mut params, "/voicemail_message", trimmed(&message));
    }
    if let Some(whether) = field("enable_client_message") {
        put(&mut params, "/enable_client_message", whether);
    }
    if name == "transfer_to_number" {
        let transfers = tool.get("transfers").and_then(Value::as_array).into_iter().flatten();
        put(&mut params, "/transfers", transfers.map(transfer_there).collect());
    }
    let mut out = json!({ "type": "system", "name": name, "params": params });
    if let Some(description) = field("description") {
        put(&mut out, "/description", trimmed(&description));
    }
    out
}

fn tool_here(name: &str, tool: &Value) -> Value {
    let mut out = only(tool, &["description"]);
    if let Some(message) = tool.pointer("/params/voicemail_message").filter(|message| is_there(message)) {
        put(&mut out, "/message", message.clone());
    }
    if let Some(whether) = tool.pointer("/params/enable_client_message").filter(|whether| whether.is_boolean()) {
        put(&mut out, "/enable_client_message", whether.clone());
    }
    if name == "transfer_to_number" {
        put(&mut out, "/transfers", elements(tool, "/params/transfers").map(transfer_here).collect());
    }
    out
}

/// A variable is named there without its braces.
fn transfer_there(transfer: &Value) -> Value {
    let to = transfer.get("to").and_then(Value::as_str).unwrap_or_default().trim();
    let (sip, target) = to.strip_prefix(SIP).map_or((false, to), |target| (true, target));
    let destination = match (sip, bare(target) != target) {
        (true, true) => json!({ "type": "sip_uri_dynamic_variable", "sip_uri": bare(target) }),
        (true, false) => json!({ "type": "sip_uri", "sip_uri": to }),
        (false, true) => json!({ "type": "phone_dynamic_variable", "phone_number": bare(to) }),
        (false, false) => json!({ "type": "phone", "phone_number": to }),
    };
    let mut out = json!({ "transfer_destination": destination, "condition": transfer.get("condition") });
    if let Some(kind) = transfer.get("type") {
        put(&mut out, "/transfer_type", kind.clone());
    }
    out
}

fn transfer_here(transfer: &Value) -> Value {
    let text = |pointer| transfer.pointer(pointer).and_then(Value::as_str);
    let destination = text("/transfer_destination/phone_number").or_else(|| text("/transfer_destination/sip_uri"));
    let destination = destination.or_else(|| text("/phone_number")).unwrap_or_default();
    let to = match text("/transfer_destination/type") {
        Some("phone_dynamic_variable") => format!("{{{{{}}}}}", bare(destination)),
        Some("sip_uri_dynamic_variable") => format!("{SIP}{{{{{}}}}}", bare(destination)),
        _ => destination.to_owned(),
    };
    let mut out = json!({ "to": to, "condition": text("/condition").unwrap_or_default() });
    if let Some(kind) = text("/transfer_type") {
        put(&mut out, "/type", kind.into());
    }
    out
}

/// What is set: an empty text is what the vendor calls a default.
fn is_there(value: &Value) -> bool {
    !value.is_null() && value.as_str() != Some("")
}

/// The entries of these names that are set.
fn only(value: &Value, names: &[&str]) -> Value {
    let entry = |name: &&str| Some(((*name).to_owned(), value.get(*name).filter(|value| is_there(value))?.clone()));
    Value::Object(names.iter().filter_map(entry).collect())
}

fn elements<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// Texts without white space around them, which an editor leaves at the end of `"""`.
fn trimmed(value: &Value) -> Value {
    match value {
        Value::String(text) => text.trim().into(),
        Value::Array(items) => items.iter().map(trimmed).collect(),
        Value::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), trimmed(value))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Puts a value where a JSON pointer says, with the objects around it.
fn put(into: &mut Value, pointer: &str, value: Value) {
    let mut at = into;
    for key in pointer.split('/').skip(1) {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let Some(entries) = at.as_object_mut() else { return };
        at = entries.entry(key.replace("~1", "/").replace("~0", "~")).or_insert(Value::Null);
    }
    *at = value;
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::account::agent::{
        Conversation, Criterion, DataItem, Destination, Document, EndCall, Example, Tools, TransferToNumber, Turn, Voice,
        VoicemailDetection,
    };
    use crate::account::changes;

    fn word() -> impl Strategy<Value = String> {
        "[a-z]{1,6}( [a-zäß{}\"\n]{1,6})?"
            .prop_map(|text| text.trim().to_owned())
            .prop_filter("not empty", |text| !text.is_empty())
    }

    fn maybe<T: std::fmt::Debug>(inner: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
        prop::option::of(inner)
    }

    fn fraction() -> impl Strategy<Value = f64> {
        (0_u8..=100).prop_map(|n| f64::from(n) / 100.0)
    }

    fn example() -> impl Strategy<Value = Example> {
        prop_oneof![
            "[a-z ]{0,5}".prop_map(|text| Example::Text(text.trim().to_owned())),
            any::<bool>().prop_map(Example::Flag),
            any::<i16>().prop_map(|number| Example::Whole(number.into())),
            fraction().prop_map(|number| Example::Number(number + 0.005)),
        ]
    }

    prop_compose! {
        fn tools()(
            end_call in maybe(maybe(word()).prop_map(|description| EndCall { enabled: true, description })),
            voicemail_detection in maybe((maybe(word()), maybe(word())).prop_map(|(description, message)| VoicemailDetection {
                enabled: true, description, message,
            })),
            transfers in prop::collection::vec(
                (prop_oneof!["\\{\\{[a-z_]{1,5}\\}\\}", "sip:\\{\\{[a-z]{1,3}\\}\\}", "sip:[a-z]{1,4}@[a-z]{1,4}", Just("+12125550100".to_owned())],
                 word(), maybe(Just("conference".to_owned()))),
                1..3,
            ),
            transfer in any::<bool>(),
            enable_client_message in maybe(any::<bool>()),
        ) -> Tools {
            let transfers = transfers.into_iter().map(|(to, condition, kind)| Destination { to, condition, kind }).collect();
            let tool = TransferToNumber { transfers, enable_client_message, ..TransferToNumber::default() };
            Tools { end_call, voicemail_detection, transfer_to_number: transfer.then_some(tool) }
        }
    }

    prop_compose! {
        fn agents()(
            name in word(), language in maybe(word()), first_message in maybe(word()), prompt in maybe(word()), llm in maybe(word()),
            temperature in maybe(fraction()), voice in (maybe(word()), maybe(fraction())), turn in (maybe(fraction()), maybe(word())),
            conversation in (maybe(1_u32..9_999), maybe(prop::collection::vec("[a-z]{1,4}", 0..3))),
            variables in prop::collection::btree_map("[a-z_]{1,5}", example(), 0..3),
            tools in tools(),
            data in prop::collection::btree_map("[a-z_/~]{1,5}", (word(), maybe(prop::collection::vec("[a-z]{1,3}", 1..3))), 0..3),
            criteria in prop::collection::btree_map("[a-z]{1,4}", (word(), word()), 0..3),
            documents in prop::collection::vec((word(), "[a-z0-9]{4}"), 0..3),
        ) -> Agent {
            let item = |(description, values)| DataItem { kind: "string".to_owned(), description, values };
            Agent {
                name, language, first_message, prompt, llm, temperature, variables, tools,
                voice: Voice { id: voice.0, speed: voice.1, ..Voice::default() },
                turn: Turn { turn_timeout: turn.0, turn_eagerness: turn.1, ..Turn::default() },
                conversation: Conversation { max_duration_seconds: conversation.0, client_events: conversation.1 },
                data_collection: data.into_iter().map(|(name, data)| (name, item(data))).collect::<BTreeMap<_, _>>(),
                evaluation: criteria.into_iter().map(|(id, (name, goal))| Criterion { id, name, goal }).collect(),
                documents: documents.into_iter().map(|(name, id)| Document {
                    name, id: Some(id), kind: Some("text".to_owned()), usage_mode: None, text: None, url: None, file: None,
                }).collect(),
            }
        }
    }

    fn compiled(agent: &Agent) -> Value {
        compile(agent, Some(agent.documents.iter().map(|d| json!({"type": d.kind, "name": d.name, "id": d.id})).collect()))
    }

    proptest! {
        #[test]
        fn what_was_compiled_is_pulled_again_also_through_the_file(agent in agents()) {
            let pulled = pull(&compiled(&agent)).unwrap();
            prop_assert_eq!(&pulled, &agent);
            let text = toml::to_string_pretty(&pulled).unwrap();
            prop_assert_eq!(toml::from_str::<Agent>(&text).unwrap(), agent, "{}", text);
        }

        #[test]
        fn what_was_pulled_asks_for_nothing(has in agents(), extra in "[a-z]{1,3}") {
            let mut account = compiled(&has);
            put(&mut account, "/conversation_config/agent/prompt/tool_ids", json!([extra]));
            put(&mut account, "/platform_settings/evaluation/other", json!({ "x": extra }));
            let pulled = pull(&account).unwrap();
            prop_assert_eq!(changes(&compiled(&pulled), &account), []);
        }
    }

    #[test]
    fn a_tool_that_is_not_enabled_is_taken_away() {
        let agent: Agent = toml::from_str("name = \"a\"\n[tools.end_call]\nenabled = false\n").unwrap();
        assert_eq!(compile(&agent, None).pointer(&format!("{TOOLS}/end_call")), Some(&Value::Null));
    }
}
