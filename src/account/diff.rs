//! Two JSON values: what one asks for that the other does not have, and the request that makes it so.
//!
//! An object asks only for the keys that it has. A list asks for all of itself: its elements are paired by their `id` where they
//! have one, plain values are a set, everything else goes by position. `null` asks for absence.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::plan::shown;

/// Objects of which a request holds every entry, ours and the account's: whether the vendor merges or replaces them, nothing
/// of what the account has is lost.
const WHOLE: [&str; 3] = ["built_in_tools", "data_collection", "dynamic_variable_placeholders"];

/// One value that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Where, like `conversation_config.agent.first_message` or `platform_settings.evaluation.criteria[found].name`.
    pub path: String,
    /// What the account has; `null` for nothing.
    pub from: Value,
    /// What is asked for.
    pub to: Value,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (from, to) = shown(&self.from, &self.to);
        write!(f, "{}: {from} -> {to}", self.path)
    }
}

/// What `desired` asks for that `actual` does not have, in the order of the paths.
#[must_use]
pub fn changes(desired: &Value, actual: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    walk(String::new(), desired, actual, &mut found);
    found
}

/// The smallest request that gives `actual` what `desired` asks for; `None` when it has everything.
#[must_use]
pub fn patch(desired: &Value, actual: &Value) -> Option<Value> {
    if changes(desired, actual).is_empty() {
        return None;
    }
    let (Value::Object(wanted), Value::Object(has)) = (desired, actual) else { return Some(merged(desired, actual)) };
    let entries = wanted.iter().filter_map(|(key, wanted)| {
        let has = has.get(key).unwrap_or(&Value::Null);
        let part =
            if WHOLE.contains(&key.as_str()) { patch(wanted, has).map(|_| merged(wanted, has)) } else { patch(wanted, has) };
        Some((key.clone(), part?))
    });
    Some(Value::Object(entries.collect()))
}

/// `actual` with everything that `desired` asks for.
fn merged(desired: &Value, actual: &Value) -> Value {
    match (desired, actual) {
        (Value::Object(wanted), Value::Object(has)) => {
            let mut all: Map<String, Value> = has.clone();
            for (key, wanted) in wanted {
                let part = merged(wanted, has.get(key).unwrap_or(&Value::Null));
                all.insert(key.clone(), part);
            }
            Value::Object(all)
        }
        (Value::Array(wanted), Value::Array(has)) => {
            let partners = partners(wanted, has);
            let pairs = wanted.iter().zip(partners);
            pairs.map(|(element, partner)| partner.map_or_else(|| element.clone(), |has| merged(element, has))).collect()
        }
        (desired, _) => desired.clone(),
    }
}

fn walk(path: String, desired: &Value, actual: &Value, found: &mut Vec<Change>) {
    match (desired, actual) {
        (Value::Object(wanted), Value::Object(_) | Value::Null) => {
            for (key, wanted) in wanted {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                walk(path, wanted, actual.get(key).unwrap_or(&Value::Null), found);
            }
        }
        (Value::Array(wanted), Value::Array(has)) if paired(wanted, has) => {
            for (nth, (element, partner)) in wanted.iter().zip(partners(wanted, has)).enumerate() {
                let name = id(element).map_or_else(|| nth.to_string(), str::to_owned);
                walk(format!("{path}[{name}]"), element, partner.unwrap_or(&Value::Null), found);
            }
        }
        (desired, actual) if same(desired, actual) => {}
        (desired, actual) => found.push(Change { path, from: actual.clone(), to: desired.clone() }),
    }
}

/// Whether two lists are of the same elements, each with something to be compared within.
fn paired(wanted: &[Value], has: &[Value]) -> bool {
    wanted.len() == has.len() && partners(wanted, has).iter().all(Option::is_some)
}

/// For each wanted element the one that is to become it: by `id` where all have one of their own, else by place where all are
/// objects.
fn partners<'a>(wanted: &[Value], has: &'a [Value]) -> Vec<Option<&'a Value>> {
    if identified(wanted) && identified(has) {
        wanted.iter().map(|element| has.iter().find(|other| id(other) == id(element))).collect()
    } else {
        let objects = wanted.iter().chain(has).all(Value::is_object);
        (0..wanted.len()).map(|nth| has.get(nth).filter(|_| objects)).collect()
    }
}

fn identified(list: &[Value]) -> bool {
    let ids: Option<BTreeSet<&str>> = list.iter().map(id).collect();
    ids.is_some_and(|ids| ids.len() == list.len())
}

fn id(element: &Value) -> Option<&str> {
    element.get("id")?.as_str()
}

/// Whether two values that are not looked into are equal. `7` is `7.0`; the order of plain values in a list is nothing.
fn same(desired: &Value, actual: &Value) -> bool {
    match (desired, actual) {
        (Value::Number(wanted), Value::Number(has)) => wanted.as_f64() == has.as_f64(),
        (Value::Array(wanted), Value::Array(has)) if !wanted.iter().chain(has).any(|v| v.is_object() || v.is_array()) => {
            let sorted = |list: &[Value]| {
                let mut texts: Vec<_> = list.iter().map(ToString::to_string).collect();
                texts.sort_unstable();
                texts
            };
            sorted(wanted) == sorted(has)
        }
        (desired, actual) => desired == actual,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn said(desired: &Value, actual: &Value) -> Vec<String> {
        changes(desired, actual).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_what_is_asked_for_is_compared() {
        let actual = json!({"name": "a", "turn": {"timeout": 7.0, "model": "v3"}, "tags": ["x", "y"], "kept": {"deep": [1]}});
        assert_eq!(said(&json!({"name": "a", "turn": {"timeout": 7}, "tags": ["y", "x"]}), &actual), [""; 0]);
        assert_eq!(
            said(&json!({"name": "b", "turn": {"timeout": 8, "eager": null}, "new": {"deep": true}}), &actual),
            [r#"name: "a" -> "b""#, "new.deep: nothing -> true", "turn.timeout: 7.0 -> 8"]
        );
    }

    #[test]
    fn elements_are_paired_by_id_and_else_by_place() {
        let actual = json!({"criteria": [{"id": "b", "goal": "2", "scope": "all"}, {"id": "a", "goal": "1"}]});
        assert_eq!(said(&json!({"criteria": [{"id": "a", "goal": "1"}, {"id": "b", "goal": "2"}]}), &actual), [""; 0]);
        let desired = json!({"criteria": [{"id": "a", "goal": "one"}, {"id": "b", "goal": "2"}]});
        assert_eq!(said(&desired, &actual), [r#"criteria[a].goal: "1" -> "one""#]);
        assert_eq!(
            patch(&desired, &actual),
            Some(json!({"criteria": [{"id": "a", "goal": "one"}, {"id": "b", "goal": "2", "scope": "all"}]})),
            "a list is sent whole, with what the account has of each element"
        );
        let transfers = json!({"transfers": [{"to": "x", "headers": null}]});
        assert_eq!(said(&json!({"transfers": [{"to": "y"}]}), &transfers), [r#"transfers[0].to: "x" -> "y""#]);
        assert_eq!(changes(&json!({"transfers": []}), &transfers).len(), 1);
        assert_eq!(changes(&json!({"transfers": [{"to": "x"}, {"to": "y"}]}), &transfers).len(), 1);
        let mixed = json!({"list": [null, {}]});
        assert_eq!(patch(&mixed, &json!({"list": [null, {"a": null}]})), Some(mixed));
    }

    #[test]
    fn a_request_holds_what_differs_and_whole_maps() {
        let actual = json!({"agent": {"first": "a", "other": 1, "data_collection": {"theirs": {"x": 1}, "ours": {"x": 1}}}});
        let desired = json!({"agent": {"first": "a", "data_collection": {"ours": {"x": 2}}}});
        assert_eq!(patch(&desired, &actual), Some(json!({"agent": {"data_collection": {"theirs": {"x": 1}, "ours": {"x": 2}}}})));
        assert_eq!(patch(&actual, &actual), None);
    }

    /// What the vendor does with a request: objects are merged, all else is replaced.
    fn applied(request: &Value, actual: &Value) -> Value {
        match (request, actual) {
            (Value::Object(request), Value::Object(has)) => {
                let mut all = has.clone();
                for (key, part) in request {
                    all.insert(key.clone(), applied(part, has.get(key).unwrap_or(&Value::Null)));
                }
                Value::Object(all)
            }
            (request, _) => request.clone(),
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0_u8..4).prop_map(Value::from),
            "[a-c]{0,2}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let key = prop_oneof!["[a-d]", Just("id".to_owned()), Just("data_collection".to_owned())];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(key, inner, 0..4).prop_map(|map| map.into_iter().collect())
            ]
        })
    }

    fn any_object() -> impl Strategy<Value = Value> {
        prop::collection::btree_map("[a-d]", any_json(), 0..4).prop_map(|map| map.into_iter().collect())
    }

    proptest! {
        #[test]
        fn after_the_request_nothing_differs_and_nothing_else_has_changed(desired in any_object(), actual in any_object()) {
            let Some(request) = patch(&desired, &actual) else {
                prop_assert_eq!(changes(&desired, &actual), []);
                return Ok(());
            };
            let after = applied(&request, &actual);
            prop_assert_eq!(changes(&desired, &after), []);
            for (key, has) in actual.as_object().unwrap() {
                if desired.get(key).is_none() {
                    prop_assert_eq!(after.get(key), Some(has));
                }
            }
        }
    }
}
