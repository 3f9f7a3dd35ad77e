//! `agent.toml`. Names and values that are the vendor's own (models, events, eagerness) are plain texts: it knows more of them
//! every month, and refuses the wrong ones itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The whole file. What is not set is not compared and not written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// What the agent is called in the account.
    pub name: String,
    /// The spoken language, like `en`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// What it says first, with `{{variables}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_message: Option<String>,
    /// What it is told to be and to do, with `{{variables}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The language model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llm: Option<String>,
    /// How freely that model chooses its words, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// `[voice]`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub voice: Voice,
    /// `[turn]`: who speaks when.
    #[serde(default, skip_serializing_if = "is_default")]
    pub turn: Turn,
    /// `[conversation]`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub conversation: Conversation,
    /// `[variables]`: the dynamic variables, each with an example.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, Example>,
    /// `[tools.…]`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tools: Tools,
    /// `[data_collection.…]`: what is read from a conversation afterwards.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data_collection: BTreeMap<String, DataItem>,
    /// `[[evaluation]]`: what is judged of a conversation afterwards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evaluation: Vec<Criterion>,
    /// `[[document]]`: what the agent may look up.
    #[serde(default, rename = "document", skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<Document>,
}

/// Of a dynamic variable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a text, a number, true or false")]
pub enum Example {
    /// `"…"`; gladhand sends nothing else.
    Text(String),
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Whole(i64),
    /// Any other.
    Number(f64),
}

/// `[voice]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Voice {
    /// The voice's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The model that speaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stability: Option<f64>,
    /// 1 is the voice's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
    /// 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub similarity_boost: Option<f64>,
}

/// `[turn]`, with the vendor's names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Turn {
    /// Seconds of silence after which the agent asks again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn_timeout: Option<f64>,
    /// Seconds of silence after which it hangs up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence_end_call_timeout: Option<f64>,
    /// `patient`, `normal` or `eager`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn_eagerness: Option<String>,
}

/// `[conversation]`, with the vendor's names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Conversation {
    /// Longest call in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_duration_seconds: Option<u32>,
    /// What is reported while a call lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_events: Option<Vec<String>>,
}

/// `[tools]`: the vendor's own ones that a telephone call needs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tools {
    /// Hangs up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_call: Option<EndCall>,
    /// Notices that a machine has answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voicemail_detection: Option<VoicemailDetection>,
    /// Connects the driver with a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer_to_number: Option<TransferToNumber>,
}

/// `[tools.end_call]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EndCall {
    /// `false` takes the tool away.
    #[serde(skip_serializing_if = "is_true")]
    pub enabled: bool,
    /// When to use it, where the vendor's own words do not suffice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// `[tools.voicemail_detection]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VoicemailDetection {
    /// `false` takes the tool away.
    #[serde(skip_serializing_if = "is_true")]
    pub enabled: bool,
    /// When to use it, where the vendor's own words do not suffice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What is left on the machine; without it the agent hangs up at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// `[tools.transfer_to_number]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TransferToNumber {
    /// `false` takes the tool away.
    #[serde(skip_serializing_if = "is_true")]
    pub enabled: bool,
    /// When to use it, where the vendor's own words do not suffice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether the driver is told to wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_client_message: Option<bool>,
    /// `[[tools.transfer_to_number.transfers]]`.
    pub transfers: Vec<Destination>,
}

/// To whom a call may be transferred.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// A variable like `{{transfer_to}}`, a number in E.164, or a `sip:` address.
    pub to: String,
    /// When.
    pub condition: String,
    /// `conference`, `blind` or `sip_refer`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// One of `[[evaluation]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// By which it is known again.
    pub id: String,
    /// For people.
    pub name: String,
    /// What must have been achieved, as one tells a person.
    pub goal: String,
}

/// One of `[data_collection]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataItem {
    /// `string`, `boolean`, `integer` or `number`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What is looked for.
    pub description: String,
    /// The answers there are, of a `string`.
    #[serde(default, rename = "enum", skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<String>>,
}

/// One of `[[document]]`: exactly one of `text`, `url`, `file` and `id` says what it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// What it is called.
    pub name: String,
    /// `auto` looks things up in it, `prompt` puts all of it into the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_mode: Option<String>,
    /// The text itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// A page that the vendor reads once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A file, from where `agent.toml` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// One that the account has already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What the one with that `id` is: `text`, `url`, `file` or `folder`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// What a [`Document`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// The text itself.
    Text(&'a str),
    /// An address.
    Url(&'a str),
    /// A path.
    File(&'a str),
    /// In the account already.
    Account {
        /// Its id.
        id: &'a str,
        /// The vendor's word for what it is.
        kind: &'a str,
    },
}

impl Document {
    /// What it holds; `None` unless exactly one of the four is set, or where `type` stands without `id` or is missing with it.
    #[must_use]
    pub fn source(&self) -> Option<Source<'_>> {
        match (&self.text, &self.url, &self.file, &self.id, &self.kind) {
            (Some(text), None, None, None, None) => Some(Source::Text(text)),
            (None, Some(url), None, None, None) => Some(Source::Url(url)),
            (None, None, Some(file), None, None) => Some(Source::File(file)),
            (None, None, None, Some(id), Some(kind)) => Some(Source::Account { id, kind }),
            _ => None,
        }
    }
}

impl Agent {
    /// What serde cannot know, each with its key.
    #[must_use]
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        if self.name.trim().is_empty() {
            found.push(("name".to_owned(), "is empty; the agent is known by it in the account".to_owned()));
        }
        for (index, document) in self.documents.iter().enumerate() {
            let key = format!("document[{index}]");
            if document.source().is_none() {
                found.push((key.clone(), "write exactly one of text, url, file, and id with type".to_owned()));
            }
            if self.documents.iter().take(index).any(|earlier| earlier.name == document.name && document.id.is_none()) {
                found.push((format!("{key}.name"), format!("\"{}\" is the name of an earlier [[document]]", document.name)));
            }
        }
        for (index, criterion) in self.evaluation.iter().enumerate() {
            if self.evaluation.iter().take(index).any(|earlier| earlier.id == criterion.id) {
                found.push((format!("evaluation[{index}].id"), format!("\"{}\" is the id of an earlier one", criterion.id)));
            }
        }
        if self.tools.transfer_to_number.as_ref().is_some_and(|tool| tool.enabled && tool.transfers.is_empty()) {
            let message = "needs at least one [[tools.transfer_to_number.transfers]] with to and condition";
            found.push(("tools.transfer_to_number".to_owned(), message.to_owned()));
        }
        found
    }
}

impl Default for EndCall {
    fn default() -> Self {
        Self { enabled: true, description: None }
    }
}

impl Default for VoicemailDetection {
    fn default() -> Self {
        Self { enabled: true, description: None, message: None }
    }
}

impl Default for TransferToNumber {
    fn default() -> Self {
        Self { enabled: true, description: None, enable_client_message: None, transfers: Vec::new() }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_true(value: &bool) -> bool {
    *value
}
