//! What the listing commands print: aligned columns and fields of JSON answers, safe for a terminal.

use serde_json::Value;

/// Aligned columns with a heading, two spaces between them. Widths count characters.
pub(super) fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let heading = heading.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let mut widths = vec![0; heading.len()];
    for row in [&heading].into_iter().chain(rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut out = String::new();
    for row in [&heading].into_iter().chain(rows) {
        let line = row.iter().zip(&widths).fold(String::new(), |line, (cell, width)| format!("{line}{cell:<width$}  "));
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The field at a JSON pointer as a person reads it: a dash for what is absent, lists joined by commas, and no control
/// characters.
pub(super) fn field(value: &Value, pointer: &str) -> String {
    let text = plain_line(&value.pointer(pointer).map(plain).unwrap_or_default());
    if text.trim().is_empty() { "-".to_owned() } else { text }
}

/// Without control characters, which a terminal would obey.
pub(super) fn plain_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The list under a key; nothing when there is none.
pub(super) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A span as a person says it, in its two largest units: `12s`, `3m 20s`, `2d 4h`.
pub(super) fn span(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    let units = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    for (large, small) in units.iter().zip(units.iter().skip(1)) {
        if seconds >= large.1 {
            let rest = seconds % large.1 / small.1;
            let whole = format!("{}{}", seconds / large.1, large.0);
            return if rest == 0 { whole } else { format!("{whole} {rest}{}", small.0) };
        }
    }
    format!("{seconds}s")
}

/// The span at a JSON pointer that holds seconds; a dash when there is none.
pub(super) fn span_field(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_f64).map_or_else(|| "-".to_owned(), span)
}

/// Indented JSON with a line end.
pub(super) fn json(value: &Value) -> String {
    format!("{value:#}\n")
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_aligned_by_characters_without_trailing_space() {
        let rows =
            vec![vec!["T-1".to_owned(), "Zoë Ümlaut".to_owned(), "x".to_owned()], vec!["T-10".into(), "-".into(), "".into()]];
        assert_eq!(table(&["TRACTOR", "DRIVER", "X"], &rows), "TRACTOR  DRIVER      X\nT-1      Zoë Ümlaut  x\nT-10     -\n");
    }

    #[test]
    fn a_field_is_safe_to_print() {
        let value = json!({"a": {"b": "x\u{1b}[2J\ny"}, "n": 1.5, "l": ["p", "q"], "e": "", "z": null});
        assert_eq!(field(&value, "/a/b"), "x [2J y");
        assert_eq!(field(&value, "/n"), "1.5");
        assert_eq!(field(&value, "/l"), "p, q");
        for absent in ["/e", "/z", "/nowhere"] {
            assert_eq!(field(&value, absent), "-");
        }
    }

    #[test]
    fn spans_are_told_in_two_units() {
        for (seconds, said) in [
            (-1.0, "0s"),
            (59.9, "59s"),
            (60.0, "1m"),
            (200.0, "3m 20s"),
            (7_260.0, "2h 1m"),
            (187_200.0, "2d 4h"),
            (f64::NAN, "0s"),
        ] {
            assert_eq!(span(seconds), said);
        }
    }
}
