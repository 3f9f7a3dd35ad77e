//! `config/telemetry.schema.json` and the decoder agree: what the schema allows is decoded, what it forbids is refused, and
//! every property of the one is a field of the other.
#![forbid(unsafe_code)]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use gladhand::formats::Source;
use serde_json::{Map, Value, json};

#[test]
fn the_examples_of_the_schema_are_decoded() {
    let schema = schema();
    for example in schema["examples"].as_array().expect("examples") {
        assert_eq!((allows(&schema, example), decode(example)), (true, Ok(())), "{example}");
    }
}

#[test]
fn every_value_the_schema_forbids_is_refused_and_every_other_decoded() {
    let schema = schema();
    let properties = schema["properties"].as_object().expect("properties");
    let full = &schema["examples"][1];
    assert!(full.as_object().expect("an object").keys().eq(properties.keys()), "the second example has every property");
    for (name, value) in properties.keys().flat_map(|name| values().into_iter().map(move |value| (name, value))) {
        let mut document = full.clone();
        document[name] = value;
        // The decoder leaves positions that do not exist, and null for one with a coupling, to whoever judges fixes.
        if !(matches!(name.as_str(), "lat" | "lon") && document[name].is_number()) {
            assert_eq!(allows(&schema, &document), decode(&document).is_ok(), "{document}: {:?}", decode(&document));
        }
    }
    for (name, value) in ["state", "tractor"].into_iter().flat_map(|name| values().into_iter().map(move |value| (name, value))) {
        let mut document = full.clone();
        document["coupling"][name] = value;
        assert_eq!(allows(&schema, &document), decode(&document).is_ok(), "{document}: {:?}", decode(&document));
    }
}

#[test]
fn any_property_may_be_absent_unless_the_schema_requires_it() {
    let schema = schema();
    let full = schema["examples"][1].as_object().expect("an object").clone();
    let names: Vec<&String> = full.keys().collect();
    for absent in 0..1_u32 << names.len() {
        let document: Map<String, Value> = full
            .iter()
            .enumerate()
            .filter(|(index, _)| absent & (1 << index) == 0)
            .map(|(_, (name, value))| (name.clone(), value.clone()))
            .collect();
        let document = Value::Object(document);
        assert_eq!(allows(&schema, &document), decode(&document).is_ok(), "{document}: {:?}", decode(&document));
    }
}

fn schema() -> Value {
    serde_json::from_str(include_str!("../config/telemetry.schema.json")).expect("the schema is JSON")
}

fn decode(document: &Value) -> Result<(), String> {
    let source: Source = toml::from_str("topic = \"#\"\nformat = \"gladhand\"").expect("a source");
    let decoded = source.decoder.decode("t", document.to_string().as_bytes(), &mut |_| {});
    decoded.map(drop).map_err(|why| why.to_string())
}

fn values() -> Vec<Value> {
    vec![
        json!(true),
        json!(0),
        json!(-0.5),
        json!(90),
        json!(360),
        json!(360.5),
        json!(1e11),
        json!(1e12),
        json!("1"),
        json!(""),
        json!(" "),
        json!("a/b"),
        json!("a\u{85}b"),
        json!("Zug 7"),
        json!("x".repeat(48)),
        json!("x".repeat(49)),
        json!("hooked"),
        json!("Hooked"),
        json!("unknown"),
        json!([]),
        json!({}),
        json!({ "state": "unhooked", "since": 5 }),
    ]
}

/// The part of JSON Schema 2020-12 that the schema uses; another keyword fails the test.
fn allows(schema: &Value, document: &Value) -> bool {
    let list = |value: &Value| value.as_array().expect("a list").clone();
    schema.as_object().expect("a schema").iter().all(|(keyword, rule)| match keyword.as_str() {
        "$schema" | "title" | "description" | "examples" => true,
        "type" if rule.is_array() => list(rule).iter().any(|one| is(one, document)),
        "type" => is(rule, document),
        "enum" => list(rule).contains(document),
        "anyOf" => list(rule).iter().any(|one| allows(one, document)),
        "required" => list(rule).iter().all(|name| document.as_object().is_none_or(|o| o.contains_key(text(name)))),
        "dependentRequired" => rule.as_object().expect("an object").iter().all(|(name, needed)| {
            document.get(name).is_none() || list(needed).iter().all(|name| document.get(text(name)).is_some())
        }),
        "properties" => rule
            .as_object()
            .expect("an object")
            .iter()
            .all(|(name, schema)| document.get(name).is_none_or(|value| allows(schema, value))),
        "minimum" => document.as_f64().is_none_or(|n| n >= rule.as_f64().expect("a number")),
        "maximum" => document.as_f64().is_none_or(|n| n <= rule.as_f64().expect("a number")),
        "minLength" => document.as_str().is_none_or(|text| text.chars().count() as u64 >= rule.as_u64().expect("a number")),
        "maxLength" => document.as_str().is_none_or(|text| text.chars().count() as u64 <= rule.as_u64().expect("a number")),
        "pattern" => {
            assert_eq!(text(rule), r"^(?=.*\S)[^/+#\u0000-\u001f\u007f-\u009f]*$");
            let forbidden = |c: char| matches!(c, '/' | '+' | '#' | '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}');
            document.as_str().is_none_or(|text| !text.trim().is_empty() && !text.contains(forbidden))
        }
        other => panic!("the schema uses {other}, which this test does not know"),
    })
}

fn is(kind: &Value, document: &Value) -> bool {
    match text(kind) {
        "object" => document.is_object(),
        "number" => document.is_number(),
        "string" => document.is_string(),
        "boolean" => document.is_boolean(),
        "null" => document.is_null(),
        other => panic!("the schema uses the type {other}, which this test does not know"),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}
