//! A recording says what was found, always the same, and what could not be read of it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use gladhand::core::time::UnixMillis;
use gladhand::rigs::{Item, Kind, scenarios, story, to_payload};
use serde_json::{Value, json};
use tempfile::TempDir;

const NOW: UnixMillis = UnixMillis(1_795_240_105_208);

#[test]
fn both_forms_of_lines_give_the_same_findings_and_the_expected_ones() {
    let story = story(NOW, 7);
    let own = replayed(&recorded(&story, own_line), &[]);
    assert_eq!(own, replayed(&recorded(&story, mosquitto_line), &[]), "mosquitto_sub -F %J");
    assert_eq!(own, replayed(&recorded(&story, quoted_line), &[]), "mosquitto_sub -F %j");
    assert_eq!(own, replayed(&recorded(&story, own_line), &[]), "twice the same");
    let found: Vec<_> = own.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect();
    let told: Vec<_> = found.iter().map(|f| (&f["tractor"], &f["event"], &f["kind"])).collect();
    assert_eq!(
        told,
        [(&json!("T-103"), &json!("opened"), &json!("left_behind")), (&json!("T-102"), &json!("dropped_ok"), &Value::Null)]
    );
    let keys: Vec<_> = own.lines().last().unwrap().split('"').collect();
    for key in [
        "event",
        "kind",
        "tractor",
        "trailer",
        "violation_id",
        "at",
        "received",
        "decided_by",
        "distance_m",
        "uncertainty_m",
        "position",
    ] {
        assert_eq!(keys.iter().filter(|k| **k == key).count(), 1, "{key}");
    }
    assert_eq!(found[1].as_object().unwrap().len(), 11);
}

#[test]
fn messages_in_the_recording_change_the_roster() {
    let mut story = story(NOW, 7);
    story.retain(|item| !matches!(item.kind, Kind::Assignment(_)));
    let lines = recorded(&story, own_line);
    let told = run(&lines, &[], "");
    assert_eq!(told.0, "");
    assert!(told.1.contains("no unit that reports is assigned"), "{}", told.1);
    // The same assignments from a file find the same.
    let roster = "[[assignment]]\ntractor = \"T-103\"\ntrailer = \"R-103\"\n";
    let by_file = run(&lines, &[], roster).0;
    assert_eq!(by_file.lines().count(), 1, "{by_file}");
    // Dispatch unassigns over MQTT, in mid-recording, before the trailer is left.
    let first = json!({"topic": "gladhand/assignments/T-103", "received": lines[0]["received"], "payload": null});
    let unassigned: Vec<Value> = [first].into_iter().chain(lines.iter().cloned()).collect();
    assert_eq!(run(&unassigned, &[], roster).0, "");
    // Without its zone the drop in the yard is one too.
    let mut story = self::story(NOW, 7);
    story.retain(|item| !matches!(item.kind, Kind::Zones(_)));
    let unzoned = replayed(&recorded(&story, own_line), &[]);
    assert!(unzoned.contains(r#"{"event":"opened","kind":"left_behind","tractor":"T-102""#), "{unzoned}");
}

#[test]
fn a_line_that_cannot_be_read_is_named_and_the_rest_goes_on() {
    let lines = recorded(&story(NOW, 7), own_line);
    let whole = replayed(&lines, &[]);
    let mut text = joined(&lines);
    text.insert_str(0, "not a line\n\n{\"topic\":\"a/b\",\"received\":1,\"payload\":1}\n");
    text.push_str("{\"topic\":\"fleet/T-101/telemetry\",\"received\":1795240200,\"payload\":{\"unit\":\"T-101\",\"ts\":1}}\n");
    text.push_str("{\"topic\":\"gladhand/assignments/T-101\",\"received\":1795240200,\"payload\":{\"tractor\":\"T-9\"}}\n");
    let (out, err) = run_text(&text, &[], "");
    assert_eq!(out, whole);
    let last = text.lines().count();
    for wanted in [
        "gladhand: line 1: expected ident at column 2\n".to_owned(),
        format!("gladhand: line {}: lat is missing\n", last - 1),
        format!("gladhand: line {last}: it names T-9 inside\n"),
        format!("gladhand: {} lines, 3 of them not read; ", last - 1),
    ] {
        assert!(err.contains(&wanted), "{wanted}: {err}");
    }
    assert_eq!(err.matches("gladhand: line ").count(), 3, "{err}");
}

#[test]
fn other_thresholds_find_something_else() {
    let lines = recorded(&story(NOW, 7), own_line);
    let opened = |set: &[&str]| replayed(&lines, set).matches("\"opened\"").count();
    assert_eq!(opened(&[]), 1);
    assert_eq!(opened(&["--set", "separation.apart_m=10000", "--set", "separation.apart_for=20m"]), 0);
    let (code, _, err) = gladhand(&joined(&lines), &["--set", "separation.apart=5"], "");
    assert_eq!((code, err.as_str()), (64, "--set: separation.apart: is not a known key; did you mean apart_m?\n"));
}

#[test]
fn what_decided_and_what_the_naive_rule_says_goes_to_standard_error() {
    let lines = recorded(&story(NOW, 7), own_line);
    let (out, err) = run(&lines, &["--explain", "--compare"], "");
    assert_eq!(out, replayed(&lines, &[]), "the findings stay the same");
    assert!(err.contains("T-103 left R-103 behind"), "{err}");
    assert!(err.contains("asked for are 3 over 2 min, each surely 150 m or more\n"), "{err}");
    // The naive rule knows of no zones.
    let table: Vec<Vec<&str>> = err.lines().map(|line| line.split_whitespace().collect()).collect();
    for (pair, naive, ours) in [("T-101", "0", "0"), ("T-102", "1", "0"), ("T-103", "1", "1")] {
        assert!(table.iter().any(|row| row.len() == 6 && row[0] == pair && row[2..4] == [naive, ours]), "{pair}: {err}");
    }
}

#[test]
fn a_picture_is_drawn_beside_the_findings() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("story.svg");
    let lines = recorded(&story(NOW, 7), own_line);
    assert_eq!(replayed(&lines, &["--plot", file.to_str().unwrap()]), replayed(&lines, &[]));
    let svg = fs::read_to_string(&file).unwrap();
    for wanted in ["T-101 and R-101", "left behind 05:41:46", "permitted drop 05:43:03", "prefers-color-scheme:dark"] {
        assert!(svg.contains(wanted), "{wanted}");
    }
    let (code, _, err) = gladhand(&joined(&lines), &["--plot", "/nowhere/story.svg"], "");
    assert_eq!(code, 1);
    assert!(err.ends_with("gladhand: /nowhere/story.svg: No such file or directory (os error 2)\n"), "{err}");
}

#[test]
fn a_sparse_trailer_shows_what_comparing_latest_positions_costs() {
    let haul = scenarios().iter().find(|s| s.name == "normal_haul_trailer_5min").unwrap().build(3);
    let (out, err) = run(&recorded(&haul.stream, own_line), &["--compare"], "");
    assert_eq!(out, "");
    let row: Vec<&str> = err.lines().find(|line| line.starts_with("T-001")).unwrap().split_whitespace().collect();
    assert!(row[2].parse::<u32>().unwrap() >= 5 && row[3] == "0", "{err}");
}

#[test]
fn only_a_recording_that_cannot_be_read_is_a_failure() {
    let output = Command::new(env!("CARGO_BIN_EXE_gladhand")).args(["replay", "/nowhere/at-all"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stderr, b"gladhand: /nowhere/at-all: No such file or directory (os error 2)\n");
    let (code, out, err) = gladhand("", &[], "");
    assert_eq!((code, out.as_str(), err.as_str()), (0, "", "gladhand: the recording is empty\n"));
}

fn own_line(topic: &str, received: UnixMillis, payload: &str) -> Value {
    json!({"topic": topic, "received": received, "payload": serde_json::from_str::<Value>(payload).unwrap()})
}

fn mosquitto_line(topic: &str, received: UnixMillis, payload: &str) -> Value {
    let payload: Value = serde_json::from_str(payload).unwrap();
    json!({"tst": local_time(received), "topic": topic, "qos": 1, "retain": 0, "payloadlen": 7, "payload": payload})
}

fn quoted_line(topic: &str, received: UnixMillis, payload: &str) -> Value {
    json!({"tst": local_time(received), "topic": topic, "qos": 1, "retain": 0, "payloadlen": 7, "payload": payload})
}

/// As mosquitto_sub writes it in a place one hour east of UTC. All of the story happens on one day there, 06:2x to 06:48.
fn local_time(at: UnixMillis) -> String {
    // 2026-11-21T00:00:00+0100
    let millis = at.millis_since(UnixMillis(1_795_215_600_000));
    let (hour, minute, second) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1000 % 60);
    format!("2026-11-21T{hour:02}:{minute:02}:{second:02}.{:03}000+0100", millis % 1000)
}

fn recorded(story: &[Item], line: fn(&str, UnixMillis, &str) -> Value) -> Vec<Value> {
    let line_of = |item: &Item| {
        let (topic, payload) = match &item.kind {
            Kind::Report(report) => (format!("fleet/{}/telemetry", report.unit), to_payload(report)),
            Kind::Assignment(a) => {
                let payload = json!({"tractor": a.tractor, "trailers": a.trailers, "since": a.since});
                (format!("gladhand/assignments/{}", a.tractor), payload.to_string())
            }
            Kind::Zones(zones) => ("gladhand/zones".to_owned(), serde_json::to_string(zones).unwrap()),
            Kind::Traccar(_) | Kind::Trailer(_) | Kind::Restart | Kind::Uplink(_) => return None,
        };
        Some(line(&topic, item.received, &payload))
    };
    story.iter().filter_map(line_of).collect()
}

fn joined(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn replayed(lines: &[Value], args: &[&str]) -> String {
    run(lines, args, "").0
}

fn run(lines: &[Value], args: &[&str], roster: &str) -> (String, String) {
    run_text(&joined(lines), args, roster)
}

fn run_text(text: &str, args: &[&str], roster: &str) -> (String, String) {
    let (code, out, err) = gladhand(text, args, roster);
    assert_eq!(code, 0, "{err}");
    (out, err)
}

/// With the recording on its standard input.
fn gladhand(recording: &str, args: &[&str], roster: &str) -> (i32, String, String) {
    let directory = TempDir::new().unwrap();
    let file = put(directory.path(), "roster.toml", roster);
    let mut child = Command::new(env!("CARGO_BIN_EXE_gladhand"))
        .args(["replay", "-", "--roster"])
        .arg(file)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text = recording.to_owned();
    // It may end without having read everything.
    let writer = std::thread::spawn(move || drop(stdin.write_all(text.as_bytes())));
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    writer.join().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn put(directory: &Path, name: &str, text: &str) -> PathBuf {
    let file = directory.join(name);
    fs::write(&file, text).unwrap();
    file
}
