//! The core decides, the decoders decode, the rigs drive and replay repeats without touching the world: no I/O, no clock, no randomness of
//! their own, no async, no order that changes from run to run.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

const PURE: [&str; 5] = ["src/account", "src/core", "src/formats", "src/replay", "src/rigs"];

/// Paths of the outside world, and words of async and of the clocks. Matched as whole words: `rand` does not forbid `operand`.
const FORBIDDEN: [&str; 24] = [
    "tokio",
    "rumqttc",
    "reqwest",
    "sled",
    "axum",
    "tracing",
    "systemd",
    "rand",
    "getrandom",
    "futures",
    "async",
    "await",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "std::io",
    "std::os",
    "Instant::now",
    "SystemTime",
    "HashMap",
    "HashSet",
    "RandomState",
];

#[test]
fn the_pure_folders_touch_nothing_outside() {
    let mut found = Vec::new();
    let mut files = 0;
    for folder in PURE {
        for file in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)) {
            files += 1;
            let text = fs::read_to_string(&file).unwrap();
            found.extend(violations(&text).into_iter().map(|(line, word)| format!("{}:{line}: {word}", file.display())));
        }
    }
    assert!(files >= 15, "only {files} files found: the scan looks in the wrong place");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_scan_finds_what_it_looks_for_and_only_that() {
    for (planted, line, word) in [
        ("use tokio::time;", 1, "tokio"),
        ("fn a() {}\n\nasync fn b() {}", 3, "async"),
        ("use std::{collections::BTreeMap, fs};", 1, "std::fs"),
        ("use std::{\n    collections::{BTreeMap, HashMap},\n};", 2, "HashMap"),
        ("let t = std::time::Instant::now();", 1, "Instant::now"),
        ("/* a\n comment */ let x = rand::random();", 2, "rand"),
        ("let url = \"http://x\"; std::env::var(\"A\")", 1, "std::env"),
        ("let c = '\"'; use sled::Db;", 1, "sled"),
        ("let r = r#\"a \" b\"#; std :: net :: lookup()", 1, "std::net"),
    ] {
        assert_eq!(violations(planted), [(line, word)], "{planted}");
    }
    for pure in [
        "// tokio",
        "/// std::fs",
        "/* sled /* nested */ axum */",
        "let s = \"async in a text\";",
        "let r = r\"std::env\";",
        "let operand = 1;",
        "fn lifetimes<'a>(a: &'a str) -> &'a str { a }",
        "let c = '\\''; // await",
        "core::time::Duration",
        "let instant = now; instant.now()",
        "let s = \"a \\\" tokio\";",
        "use std::{fmt, time::Duration};",
        "fn a() {}\n\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}",
    ] {
        assert_eq!(violations(pure), [], "{pure}");
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Line, counted from 1, and word. Unit tests, last in a file by the house's rule, may read files and clocks.
fn violations(source: &str) -> Vec<(usize, &'static str)> {
    let code = blanked(source);
    let code = code.find("\n#[cfg(test)]\nmod tests {").and_then(|tests| code.get(..tests)).unwrap_or(&code);
    let mut found = Vec::new();
    for (line, path) in paths(code) {
        for forbidden in FORBIDDEN {
            let wanted: Vec<&str> = forbidden.split("::").collect();
            if path.ends_with(&wanted) {
                found.push((line, forbidden));
            }
        }
    }
    found
}

/// Every path of the code, grown by one segment at a time, with the groups of `use` spread out: `std::{fmt, fs}` is `std`,
/// `std::fmt`, `std::fs`.
fn paths(code: &str) -> Vec<(usize, Vec<&str>)> {
    let mut found = Vec::new();
    let mut groups: Vec<Vec<&str>> = vec![Vec::new()];
    let mut path: Vec<&str> = Vec::new();
    let mut goes_on = false;
    for (number, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while !rest.is_empty() {
            let word = rest.len() - rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_').len();
            let length = if word > 0 {
                word
            } else if rest.starts_with("::") {
                2
            } else {
                rest.chars().next().map_or(1, char::len_utf8)
            };
            let (token, after) = rest.split_at(length);
            rest = after.trim_start();
            match token {
                "::" => {}
                "{" => groups.push(if goes_on { path.clone() } else { Vec::new() }),
                "}" => drop(groups.pop()),
                _ if word > 0 => {
                    if !goes_on {
                        path = groups.last().cloned().unwrap_or_default();
                    }
                    path.push(token);
                    found.push((number + 1, path.clone()));
                }
                _ => {}
            }
            goes_on = token == "::";
        }
    }
    found
}

/// The source without comments, texts and characters; its lines stay where they are.
fn blanked(source: &str) -> String {
    let mut code = String::new();
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let in_word = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            comment(rest)
        } else if let Some(raw) = (!in_word).then(|| raw_text(rest)).flatten() {
            raw
        } else if c == '"' {
            quoted(rest, '"')
        } else if c == '\'' && is_character(rest) {
            quoted(rest, '\'')
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        let (blank, after) = rest.split_at(length);
        code.push(' ');
        code.extend(blank.chars().filter(|c| *c == '\n'));
        rest = after;
    }
    code
}

fn comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    loop {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
        } else {
            at += rest.chars().next().map_or(0, char::len_utf8);
        }
        if depth == 0 || at == text.len() {
            return at;
        }
    }
}

/// `r"…"`, `r#"…"#`, also with `b` or `c` before.
fn raw_text(text: &str) -> Option<usize> {
    let start = text.strip_prefix(['b', 'c']).unwrap_or(text).strip_prefix('r')?;
    let body = start.trim_start_matches('#');
    let end = format!("\"{}", "#".repeat(start.len() - body.len()));
    let inner = body.strip_prefix('"')?;
    Some(text.len() - inner.len() + inner.find(&end).map_or(inner.len(), |at| at + end.len()))
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// `'a'` and `'\n'`, but not the lifetime `'a`.
fn is_character(text: &str) -> bool {
    let mut chars = text.chars().skip(1);
    chars.next() == Some('\\') || chars.next() == Some('\'')
}
