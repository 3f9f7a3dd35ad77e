//! Dynamic variables: those that we send with every call, and those that an agent cannot do without.

use std::collections::BTreeSet;

use serde_json::Value;

/// What every call sends.
pub const SENT: [&str; 5] = ["prompt", "transfer_to", "call_sid", "dispatcher_name", "driver_id"];

/// The vendor fills these in itself.
const SYSTEM: &str = "system__";

/// Every variable that the configuration of an agent refers to, the vendor's own ones left out: in texts as `{{name}}`, and as
/// the destination of a transfer.
#[must_use]
pub fn needed(conversation_config: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(conversation_config, &mut found);
    found.retain(|name| !name.starts_with(SYSTEM));
    found
}

fn collect(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => found.extend(within(text)),
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(entries) => {
            let kind = entries.get("type").and_then(Value::as_str).unwrap_or_default();
            if kind.ends_with("_dynamic_variable") {
                let names = ["phone_number", "sip_uri"].iter().filter_map(|key| entries.get(*key)?.as_str());
                found.extend(names.map(|name| bare(name).to_owned()));
            }
            // The examples are no text that is spoken.
            let spoken = entries.iter().filter(|(key, _)| *key != "dynamic_variable_placeholders");
            spoken.for_each(|(_, value)| collect(value, found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The names in a text's `{{…}}`.
fn within(text: &str) -> impl Iterator<Item = String> {
    let opened = text.split("{{").skip(1);
    let names = opened.filter_map(|rest| rest.split_once("}}")).map(|(name, _)| name.trim());
    names.filter(|name| !name.is_empty() && name.bytes().all(is_of_name)).map(str::to_owned)
}

/// The name in `{{name}}`, or what is a name already.
pub(super) fn bare(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).map_or(text, str::trim)
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_are_found_wherever_they_stand() {
        let config = json!({
            "agent": {
                "first_message": "Hello {{ driver_name }}, {{system__time}}. {{prompt}} {{not a name}} {{open",
                "dynamic_variables": {"dynamic_variable_placeholders": {"unused": "{{example}}"}},
                "prompt": {"built_in_tools": {"transfer_to_number": {"params": {"transfers": [
                    {"transfer_destination": {"type": "phone_dynamic_variable", "phone_number": "transfer_to"}, "condition": "asked {{who}}"},
                    {"transfer_destination": {"type": "sip_uri_dynamic_variable", "sip_uri": "{{desk}}"}},
                    {"transfer_destination": {"type": "phone", "phone_number": "+12125550100"}},
                ]}}}},
            },
        });
        assert_eq!(
            needed(&config).iter().map(String::as_str).collect::<Vec<_>>(),
            ["desk", "driver_name", "prompt", "transfer_to", "who"]
        );
    }
}
