//! TOML text that knows the line of every key. serde's errors are turned into words for whoever edits the file.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ConfigError;

/// One file's text, parsed.
pub(super) struct Document<'t> {
    file: &'t Path,
    text: &'t str,
    root: Spanned<DeTable<'t>>,
    /// By key, written like `calls.max_age` or `telemetry[0].topic`.
    entries: BTreeMap<String, Entry>,
}

struct Entry {
    key: Range<usize>,
    value: Range<usize>,
    text: Option<String>,
}

impl<'t> Document<'t> {
    /// # Errors
    /// When the text is not TOML.
    pub(super) fn parse(file: &'t Path, text: &'t str) -> Result<Self, ConfigError> {
        let root = DeTable::parse(text).map_err(|error| ConfigError {
            file: file.to_owned(),
            line: error.span().map(|span| line_at(text, span.start)),
            key: String::new(),
            message: format!("is not valid TOML: {}", error.message()),
        })?;
        let mut entries = BTreeMap::new();
        enter_table("", root.get_ref(), &mut entries);
        Ok(Self { file, text, root, entries })
    }

    /// # Errors
    /// The first key that is unknown, missing or of the wrong kind.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        T::deserialize(toml::de::Deserializer::from(self.root.clone())).map_err(|error| {
            let at = error.span().map(|span| span.start);
            // What the file as a whole lacks is not lacking in its first key.
            let whole = error.span().is_some_and(|span| span == self.root.span());
            let key = at.filter(|_| !whole).map(|at| self.key_at(at)).unwrap_or_default();
            let (key, message) = in_plain_words(key, error.message());
            ConfigError { file: self.file.to_owned(), line: at.map(|at| line_at(self.text, at)), key, message }
        })
    }

    /// An error about `key`, at its line or at that of the nearest table around it that is there.
    pub(super) fn error(&self, key: impl Into<String>, message: impl Into<String>) -> ConfigError {
        let key = key.into();
        let mut around = key.as_str();
        let line = loop {
            if let Some(entry) = self.entries.get(around) {
                break Some(line_at(self.text, entry.key.start));
            }
            let Some(end) = around.rfind(['.', '[']) else { break None };
            around = around.get(..end).unwrap_or_default();
        };
        ConfigError { file: self.file.to_owned(), line, key, message: message.into() }
    }

    /// The text at `key`, when there is text.
    pub(super) fn text_at(&self, key: &str) -> Option<&str> {
        self.entries.get(key)?.text.as_deref()
    }

    fn key_at(&self, at: usize) -> String {
        let holds = |span: &Range<usize>| span.start == at || span.contains(&at);
        self.entries
            .iter()
            .filter(|(_, entry)| holds(&entry.key) || holds(&entry.value))
            // A list and its first element may share their span: the longer key says more.
            .min_by_key(|(key, entry)| {
                (if holds(&entry.key) { entry.key.len() } else { entry.value.len() }, std::cmp::Reverse(key.len()))
            })
            .map(|(key, _)| key.clone())
            .unwrap_or_default()
    }
}

fn enter_table(prefix: &str, table: &DeTable<'_>, entries: &mut BTreeMap<String, Entry>) {
    for (key, value) in table {
        let path = if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
        enter(path, key.span(), value, entries);
    }
}

fn enter(path: String, key: Range<usize>, value: &Spanned<DeValue<'_>>, entries: &mut BTreeMap<String, Entry>) {
    if let Some(table) = value.get_ref().as_table() {
        enter_table(&path, table, entries);
    }
    for (index, item) in value.get_ref().as_array().into_iter().flatten().enumerate() {
        enter(format!("{path}[{index}]"), item.span(), item, entries);
    }
    let text = value.get_ref().as_str().map(str::to_owned);
    entries.insert(path, Entry { key, value: value.span(), text });
}

/// Counted from 1.
fn line_at(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|b| *b == b'\n').count() + 1
}

/// Values are not repeated: one of them might be a telephone number or a key in the wrong place.
fn in_plain_words(key: String, message: &str) -> (String, String) {
    let join = |field: &str| if key.is_empty() { field.to_owned() } else { format!("{key}.{field}") };
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if message.starts_with("unknown field") {
        let (unknown, known) = quoted.split_first().map_or(("", quoted.as_slice()), |(first, rest)| (*first, rest));
        let hint = match nearest(unknown, known) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("known here: {}", known.join(", ")),
        };
        return (key, format!("is not a known key; {hint}"));
    }
    if message.starts_with("unknown variant") {
        let (wrong, known) = quoted.split_first().map_or(("", quoted.as_slice()), |(first, rest)| (*first, rest));
        let known = known.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        return (key, format!("\"{wrong}\" is not one of {known}"));
    }
    if message.starts_with("missing field") {
        return (join(quoted.first().copied().unwrap_or_default()), "is missing, and has no default".to_owned());
    }
    if let Some((_, expected)) = message.strip_prefix("invalid ").and_then(|rest| rest.rsplit_once(", expected ")) {
        let expected = match expected {
            "u16" => "a whole number from 0 to 65535",
            "u32" | "u64" | "usize" => "a whole number, not negative",
            "f64" => "a number",
            "a boolean" => "true or false",
            "a string" | "path string" => "a text in quotes",
            "a sequence" => "a list in [ ]",
            other if other.starts_with("struct ") || other == "a map" => "a table",
            other => other,
        };
        return (key, format!("is of the wrong kind; write {expected}"));
    }
    (key, message.to_owned())
}

fn nearest<'k>(wrong: &str, known: &[&'k str]) -> Option<&'k str> {
    let tolerated = wrong.chars().count().div_ceil(3).min(3);
    known.iter().map(|name| (edits(wrong, name), *name)).filter(|(n, _)| *n <= tolerated).min().map(|(_, name)| name)
}

/// Levenshtein distance: insertions, deletions and replacements from `a` to `b`.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (y, cell) in b.chars().zip(row.iter_mut().skip(1)) {
            let above = *cell;
            left = (diagonal + usize::from(x != y)).min(above + 1).min(left + 1);
            diagonal = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_finds_its_key_and_a_different_word_does_not() {
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(nearest("max_agee", &["max_age", "attempts"]), Some("max_age"));
        assert_eq!(nearest("retries", &["max_age", "attempts"]), None);
    }
}
