//! What the vendor refuses, in its words: FastAPI's list of faults.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::account::{NewDocument, TEXT};
use super::answer::Answer;
use super::form::Form;
use super::state::Post;

/// One item of a 422's list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Flaw {
    kind: Kind,
    /// With dots between the steps.
    path: String,
    input: Value,
}

/// `type` and `msg`.
pub(super) type Kind = (&'static str, &'static str);

impl Flaw {
    pub const MISSING: Kind = ("missing", "Field required");
    pub const TEXT: Kind = ("string_type", "Input should be a valid string");
    pub const OBJECT: Kind = ("dict_type", "Input should be a valid dictionary");
    pub const LIST: Kind = ("list_type", "Input should be a valid list");
    pub const NUMBER: Kind = ("float_type", "Input should be a valid number");
    pub const BOOL: Kind = ("bool_type", "Input should be a valid boolean");
    pub const INTEGER: Kind = ("int_parsing", "Input should be a valid integer, unable to parse string as an integer");
    pub const RANGE: Kind = ("less_than_equal", "Input should be from 1 to 100");
    pub const VALUE: Kind = ("value_error", "Value error, not a value that this takes");
    pub const E164: Kind = ("value_error", "Value error, not an E.164 number");
    pub const URL: Kind = ("url_parsing", "Input should be a valid URL");
    pub const JSON: Kind = ("json_invalid", "JSON decode error");
    pub const EXTRA: Kind = ("extra_forbidden", "Extra inputs are not permitted");
    pub const VARIABLE: Kind = ("value_error", "Input should be a string, number, integer, boolean or null");

    pub fn new(path: impl Into<String>, kind: Kind, input: Value) -> Self {
        Self { kind, path: path.into(), input }
    }

    pub fn item(&self, place: &str) -> Value {
        let loc: Vec<&str> = [place].into_iter().chain(self.path.split('.').filter(|step| !step.is_empty())).collect();
        json!({"type": self.kind.0, "loc": loc, "msg": self.kind.1, "input": self.input})
    }
}

/// Collects what is wrong with a body.
pub(super) struct Check<'a> {
    body: &'a Value,
    faults: Vec<Flaw>,
}

impl<'a> Check<'a> {
    pub fn body(body: &'a Value) -> Self {
        Self { body, faults: Vec::new() }
    }

    /// These are there.
    pub fn required(&mut self, names: &[&str]) {
        let missing = names.iter().filter(|name| self.body.get(name).is_none());
        self.faults.extend(missing.map(|name| Flaw::new(*name, Flaw::MISSING, self.body.clone())));
    }

    /// This is of the kind, null, or not there.
    pub fn kind(&mut self, pointer: &str, kind: Kind) {
        let Some(value) = self.body.pointer(pointer) else { return };
        let fits = match kind {
            Flaw::TEXT => value.is_string(),
            Flaw::OBJECT => value.is_object(),
            Flaw::LIST => value.is_array(),
            Flaw::NUMBER => value.is_number(),
            Flaw::BOOL => value.is_boolean(),
            _ => false,
        };
        if !fits && !value.is_null() {
            self.add(pointer, kind);
        }
    }

    pub fn add(&mut self, pointer: &str, kind: Kind) {
        let input = self.body.pointer(pointer).cloned().unwrap_or_default();
        self.faults.push(Flaw::new(pointer.trim_start_matches('/').replace('/', "."), kind, input));
    }

    pub fn done(self) -> Result<(), Answer> {
        if self.faults.is_empty() { Ok(()) } else { Err(Answer::invalid("body", &self.faults)) }
    }
}

/// The request, or the refusal that the vendor's schema asks for. An agent wants its variables inside
/// `conversation_initiation_client_data`, and a number is dialled as it stands, so these two are checked as well.
pub(super) fn validated(post: &Post) -> Result<Value, Answer> {
    let request = json_body(&post.headers, post.body.as_bytes())?;
    let mut check = Check::body(&request);
    check.required(&["agent_id", "agent_phone_number_id", "to_number"]);
    for name in ["/agent_id", "/agent_phone_number_id", "/to_number"] {
        check.kind(name, Flaw::TEXT);
    }
    if request["to_number"].as_str().is_some_and(|number| !is_e164(number)) {
        check.add("/to_number", Flaw::E164);
    }
    if request.get("dynamic_variables").is_some() {
        check.add("/dynamic_variables", Flaw::EXTRA);
    }
    check.kind("/call_recording_enabled", Flaw::BOOL);
    check.kind("/telephony_call_config", Flaw::OBJECT);
    check.kind("/conversation_initiation_client_data", Flaw::OBJECT);
    const VARIABLES: &str = "/conversation_initiation_client_data/dynamic_variables";
    check.kind(VARIABLES, Flaw::OBJECT);
    let variables = request.pointer(VARIABLES).and_then(Value::as_object).into_iter().flatten();
    for (name, _) in variables.filter(|(_, value)| value.is_object() || value.is_array()) {
        check.add(&format!("{VARIABLES}/{}", name.replace('~', "~0").replace('/', "~1")), Flaw::VARIABLE);
    }
    check.done()?;
    Ok(request)
}

pub(super) fn json_body(headers: &BTreeMap<String, String>, body: &[u8]) -> Result<Value, Answer> {
    let text = || json!(String::from_utf8_lossy(body.get(..1024).unwrap_or(body)));
    if !headers.get("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
        return Err(Answer::invalid("body", &[Flaw::new("", Flaw::OBJECT, text())]));
    }
    serde_json::from_slice(body).map_err(|_| Answer::invalid("body", &[Flaw::new("", Flaw::JSON, text())]))
}

/// Of `/knowledge-base/text`, `/url` or `/file`.
pub(super) fn new_document(path: &str, headers: &BTreeMap<String, String>, body: &[u8]) -> Result<NewDocument, Answer> {
    let way = path.rsplit('/').next().unwrap_or_default();
    if way == "file" {
        let form = Form::read(headers.get("content-type").map_or("", String::as_str), body);
        let missing = || Answer::invalid("body", &[Flaw::new("file", Flaw::MISSING, Value::Null)]);
        let file = form.part("file").ok_or_else(missing)?;
        let file_name = file.file_name.clone().unwrap_or_default();
        let name = form.part("name").map_or_else(|| file_name.clone(), |part| String::from_utf8_lossy(part.content).into_owned());
        let text = String::from_utf8_lossy(file.content.get(..TEXT).unwrap_or(file.content)).into_owned();
        return Ok(NewDocument { kind: "file", name, source: Some(("filename", file_name)), text, size: file.content.len() });
    }
    let body = json_body(headers, body)?;
    let field = if way == "url" { "url" } else { "text" };
    let mut check = Check::body(&body);
    check.required(&[field]);
    check.kind(&format!("/{field}"), Flaw::TEXT);
    check.kind("/name", Flaw::TEXT);
    let given = body[field].as_str().unwrap_or_default().to_owned();
    if field == "url" && body["url"].is_string() && !(given.starts_with("https://") || given.starts_with("http://")) {
        check.add("/url", Flaw::URL);
    }
    check.done()?;
    let named = body["name"].as_str().map(str::to_owned);
    Ok(match field {
        "url" => NewDocument {
            kind: "url",
            name: named.unwrap_or_else(|| given.clone()),
            text: format!("<p>What is at {given}</p>"),
            size: given.len(),
            source: Some(("url", given)),
        },
        _ => NewDocument {
            kind: "text",
            name: named.unwrap_or_else(|| given.chars().take(40).collect()),
            size: given.len(),
            text: given,
            source: None,
        },
    })
}

pub(super) fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| (8..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()))
}
