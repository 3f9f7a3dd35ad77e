//! What `agent.toml` asks of an account, against what the account has.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::agent::{Agent, Source};
use super::diff::{Change, changes, patch};
use super::documents::{Listed, name_here};
use super::places::compile;
use crate::core::phone::without_numbers;

/// The tag of the agents that are ours.
pub const MARK: &str = "gladhand";

/// What a document that is still to be uploaded has for an id.
const TO_COME: &str = "(after the upload)";

/// Longest piece of a text that is shown, in characters.
const SHOWN: usize = 80;

/// What is to be done to an account.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What the agent is called.
    pub name: String,
    /// Documents that the account does not have.
    pub uploads: Vec<Upload>,
    /// Documents of ours that the agent refers to and will not.
    pub removals: Vec<Listed>,
    /// What differs in the agent. Of one that is not there yet, everything.
    pub changes: Vec<Change>,
    desired: Value,
}

/// A document to be uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Which of the file's documents, counted from 0.
    pub index: usize,
    /// Its name in the account.
    pub name: String,
}

/// Whether an agent carries our mark.
#[must_use]
pub fn is_ours(agent: &Value) -> bool {
    tags(agent).any(|tag| tag.as_str() == Some(MARK))
}

/// Compares. `names` are the names in the account of the file's documents, one for each; `listed` is what documents the account
/// has, and `there` the agent, unless there is none. With `mark` an agent that is not ours becomes it.
#[must_use]
pub fn plan(file: &Agent, names: &[String], listed: &[Listed], there: Option<&Value>, mark: bool) -> Plan {
    let mut uploads = Vec::new();
    let documents = file.documents.iter().zip(names).enumerate().filter_map(|(index, (document, name))| {
        let to_come = |kind: &str| Listed { id: TO_COME.to_owned(), name: name.clone(), kind: kind.to_owned() };
        let mut found = |kind: &str| {
            listed.iter().find(|listed| listed.name == *name).cloned().unwrap_or_else(|| {
                uploads.push(Upload { index, name: name.clone() });
                to_come(kind)
            })
        };
        let listed = match document.source()? {
            Source::Text(_) => found("text"),
            Source::Url(_) => found("url"),
            Source::File(_) => found("file"),
            Source::Account { id, kind } => Listed { id: id.to_owned(), name: document.name.clone(), kind: kind.to_owned() },
        };
        Some(listed.locator(document.usage_mode.as_deref()))
    });
    let documents: Vec<Value> = documents.collect();
    let known = there.and_then(|there| there.pointer("/conversation_config/agent/prompt/knowledge_base")?.as_array());
    let wanted = |id: &str| documents.iter().any(|document| document.get("id").and_then(Value::as_str) == Some(id));
    // A file without documents does not speak of them, but one that had some of ours and has none any more does.
    let ours = |locator: &&Value| locator.get("name").and_then(Value::as_str).is_some_and(|name| name_here(name).is_some());
    let speaks = !documents.is_empty() || known.into_iter().flatten().any(|locator| ours(&locator));
    let removals = listed.iter().filter(|listed| {
        let id = |locator: &Value| locator.get("id").and_then(Value::as_str) == Some(&listed.id);
        name_here(&listed.name).is_some() && !wanted(&listed.id) && known.into_iter().flatten().any(id)
    });
    let removals = removals.cloned().collect();
    let mut desired = compile(file, speaks.then(|| documents.clone()));
    if mark || there.is_none() {
        let others = there.into_iter().flat_map(tags).filter(|tag| tag.as_str() != Some(MARK)).cloned();
        if let Some(entries) = desired.as_object_mut() {
            entries.insert("tags".to_owned(), others.chain([Value::from(MARK)]).collect());
        }
    }
    let changes = changes(&desired, there.unwrap_or(&Value::Null));
    Plan { name: file.name.clone(), uploads, removals, changes, desired }
}

impl Plan {
    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.uploads.is_empty() && self.removals.is_empty() && self.changes.is_empty()
    }

    /// The body that makes the agent.
    #[must_use]
    pub fn creation(&self) -> &Value {
        &self.desired
    }

    /// The body that makes `there` what the file asks for; `None` when it is.
    #[must_use]
    pub fn update(&self, there: &Value) -> Option<Value> {
        patch(&self.desired, there)
    }

    /// For people: one line for each thing to be done.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a String does not fail.
        for upload in &self.uploads {
            let _ = writeln!(out, "upload document {}", quoted(&upload.name));
        }
        for change in &self.changes {
            let _ = writeln!(out, "{change}");
        }
        for removal in &self.removals {
            let _ = writeln!(out, "remove document {}", quoted(&removal.name));
        }
        out
    }

    /// For machines: `{"upload":[…],"remove":[…],"changes":[{"path","from","to"}]}`, telephone numbers masked.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "upload": self.uploads.iter().map(|upload| &upload.name).collect::<Vec<_>>(),
            "remove": self.removals.iter().map(|listed| &listed.name).collect::<Vec<_>>(),
            "changes": self.changes.iter().map(|Change { path, from, to }| {
                json!({ "path": path, "from": masked(from), "to": masked(to) })
            }).collect::<Vec<_>>(),
        })
    }
}

/// Two values side by side, each bounded; of long texts the piece around where they part.
pub(super) fn shown(from: &Value, to: &Value) -> (String, String) {
    let start = match (from.as_str(), to.as_str()) {
        (Some(from), Some(to)) => from.chars().zip(to.chars()).take_while(|(a, b)| a == b).count().saturating_sub(SHOWN / 4),
        _ => 0,
    };
    (one(from, start), one(to, start))
}

fn one(value: &Value, start: usize) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) if text.chars().count() <= SHOWN => quoted(text),
        Value::String(text) => {
            let piece: String = text.chars().skip(start).take(SHOWN).collect();
            let (before, after) = (start > 0, text.chars().count() > start + SHOWN);
            format!("{}{}{}", if before { "…" } else { "" }, quoted(&piece), if after { "…" } else { "" })
        }
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(_) | Value::Object(_) => {
            let text = masked(value).to_string();
            let piece: String = text.chars().take(2 * SHOWN).collect();
            if piece.len() < text.len() { format!("{piece}…") } else { piece }
        }
    }
}

/// As JSON writes it, which leaves no control character, without telephone numbers.
fn quoted(text: &str) -> String {
    Value::from(without_numbers(text)).to_string()
}

/// A value without telephone numbers. What is called an id stays: its digits are no number.
#[must_use]
pub fn masked(value: &Value) -> Value {
    let is_id = |key: &str, text: &str| {
        (key == "id" || key.ends_with("_id") || key.ends_with("_sid")) && text.contains(|c: char| c.is_ascii_alphabetic())
    };
    match value {
        Value::String(text) => without_numbers(text).into(),
        Value::Array(items) => items.iter().map(masked).collect(),
        Value::Object(entries) => {
            let entry = |(key, value): (&String, &Value)| {
                let kept = value.as_str().is_some_and(|text| is_id(key, text));
                (key.clone(), if kept { value.clone() } else { masked(value) })
            };
            entries.iter().map(entry).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn tags(agent: &Value) -> impl Iterator<Item = &Value> {
    agent.get("tags").and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::documents::name_there;

    fn file(text: &str) -> Agent {
        toml::from_str(text).unwrap()
    }

    fn listed(id: &str, name: &str) -> Listed {
        Listed { id: id.to_owned(), name: name.to_owned(), kind: "text".to_owned() }
    }

    #[test]
    fn an_agent_that_is_not_there_is_made_with_our_mark() {
        let plan = plan(&file("name = \"a\"\nfirst_message = \"Hello\""), &[], &[], None, false);
        assert_eq!(
            plan.creation(),
            &json!({"name": "a", "conversation_config": {"agent": {"first_message": "Hello"}}, "tags": ["gladhand"]})
        );
        assert_eq!(
            plan.text(),
            "conversation_config.agent.first_message: nothing -> \"Hello\"\nname: nothing -> \"a\"\ntags: nothing -> [\"gladhand\"]\n"
        );
    }

    #[test]
    fn a_mark_is_added_to_the_tags_only_when_asked_for() {
        let there = json!({"name": "a", "tags": ["fleet"]});
        assert!(!is_ours(&there));
        assert!(plan(&file("name = \"a\""), &[], &[], Some(&there), false).is_empty());
        let adopted = plan(&file("name = \"a\""), &[], &[], Some(&there), true);
        assert_eq!(adopted.update(&there), Some(json!({"tags": ["fleet", "gladhand"]})));
        let ours = json!({"name": "a", "tags": ["gladhand", "fleet"]});
        assert!(is_ours(&ours) && plan(&file("name = \"a\""), &[], &[], Some(&ours), true).is_empty());
    }

    #[test]
    fn a_document_is_uploaded_once_for_each_content() {
        let file = file("name = \"a\"\n[[document]]\nname = \"Yards\"\ntext = \"new\"\n");
        let (old, new) = (name_there("Yards", b"old"), name_there("Yards", b"new"));
        let there = json!({"name": "a", "conversation_config": {"agent": {"prompt": {"knowledge_base": [
            {"type": "text", "name": old, "id": "d1", "usage_mode": "auto"}, {"type": "url", "name": "theirs", "id": "d9"},
        ]}}}});
        let names = [new.clone()];
        let first = plan(&file, &names, &[listed("d1", &old), listed("d9", "theirs")], Some(&there), false);
        assert_eq!(first.uploads, [Upload { index: 0, name: new.clone() }]);
        assert_eq!(first.removals, [listed("d1", &old)], "theirs is not ours to remove");
        let second = plan(&file, &names, &[listed("d1", &old), listed("d2", &new)], Some(&there), false);
        assert_eq!(second.uploads, []);
        let request = second.update(&there).unwrap();
        assert_eq!(
            request.pointer("/conversation_config/agent/prompt/knowledge_base"),
            Some(&json!([{"type": "text", "name": new, "id": "d2"}]))
        );
    }

    #[test]
    fn a_file_without_documents_takes_ours_away_and_leaves_others() {
        let agent = |name: &str| {
            json!({"name": "a", "conversation_config": {"agent": {"prompt": {"knowledge_base": [
                {"type": "text", "name": name, "id": "d1"},
            ]}}}})
        };
        let ours = name_there("Yards", b"");
        let plan_of = |name: &str| plan(&file("name = \"a\""), &[], &[listed("d1", name)], Some(&agent(name)), false);
        assert!(plan_of("theirs").is_empty());
        assert_eq!((plan_of(&ours).changes.len(), plan_of(&ours).removals.len()), (1, 1));
    }

    #[test]
    fn what_is_shown_is_short_without_numbers_and_shows_where_texts_part() {
        let there = json!({"name": "a", "conversation_config": {"agent": {"first_message": format!("{}old +12125550123", "x".repeat(200))}}});
        let file = file(&format!("name = \"a\"\nfirst_message = \"{}new\"", "x".repeat(200)));
        let plan = plan(&file, &[], &[], Some(&there), false);
        let text = plan.text();
        assert!(text.contains("…\"xxxxxxxxxxxxxxxxxxxxold +******\" -> …\"xxxxxxxxxxxxxxxxxxxxnew\"\n"), "{text}");
        assert!(!plan.json().to_string().contains("2125550123"));
    }
}
