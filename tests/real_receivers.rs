//! Real receivers on one bicycle: whichever two are taken as tractor and trailer, they never came apart, and no violation may come
//! out. Prints beside it what comparing latest positions would have alarmed.
//!
//! The recordings are not part of this project: `GLADHAND_REAL` names a folder with one folder for each route, in it a file
//! `*.jsonl` for each receiver. Without it the test says so and passes. To see the table:
//! `GLADHAND_REAL=… cargo test --test real_receivers -- --nocapture`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "a test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use gladhand::core::roster::Assignment;
use gladhand::core::roster::book::RosterFile;
use gladhand::core::separation::{FindingEvent, Settings};
use gladhand::core::topics::Topics;
use gladhand::formats::Source;
use gladhand::replay::Session;
use serde_json::{Value, json};

/// Seconds between reports of tractor and trailer.
const MIXES: [(f64, f64); 4] = [(1.0, 10.0), (10.0, 60.0), (10.0, 300.0), (60.0, 300.0)];

/// Its time tags are wrong by up to 195 s. What no rule here survives: while the rig rests, the receiver's times take it 360 m
/// down the road and let it rest there until the others come by, four minutes later. As a tractor it has left its trailer, by all
/// that can be known within the two minutes after which a drop must be told. One run in five may alarm, no more, and then its
/// clock must be suspected.
const BAD_CLOCK: &str = "Garmin-Etrex-30x";

#[derive(Default)]
struct Row {
    runs: usize,
    fixes: usize,
    naive: usize,
    naive_runs: usize,
    ours: usize,
    ours_runs: usize,
}

#[test]
fn receivers_on_one_vehicle_never_come_apart() {
    let Some(folder) = recordings() else {
        println!("the recordings of real receivers are not here: nothing was tried");
        return;
    };
    let mut routes: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect();
    routes.sort();
    let mut alarmed = Vec::new();
    let (mut bad, mut named, mut unnamed, mut wronged) = (Row::default(), 0, Vec::new(), Vec::new());
    println!("TRACTOR/TRAILER S  RUNS    FIXES  NAIVE ALARMS (RUNS)  OURS (RUNS)");
    for (tractor_s, trailer_s) in MIXES {
        let mut row = Row::default();
        for route in &routes {
            let devices = devices(route);
            for (tractor, trailer) in devices.iter().flat_map(|a| devices.iter().map(move |b| (a, b))).filter(|(a, b)| a.0 != b.0)
            {
                let (fixes, naive, ours, suspects) = ride(&thinned(tractor, tractor_s), &thinned(trailer, trailer_s));
                let is_bad = tractor.0 == BAD_CLOCK || trailer.0 == BAD_CLOCK;
                let row = if is_bad { &mut bad } else { &mut row };
                row.runs += 1;
                row.fixes += fixes;
                row.naive += naive;
                row.naive_runs += usize::from(naive > 0);
                row.ours += ours;
                row.ours_runs += usize::from(ours > 0);
                let run = || format!("{}: {} {tractor_s} s, {} {trailer_s} s", name(route), tractor.0, trailer.0);
                if !is_bad && ours > 0 {
                    alarmed.push(run());
                }
                let is_named = suspects.contains(BAD_CLOCK);
                named += usize::from(is_named);
                if is_bad && ours > 0 && !is_named {
                    unnamed.push(run());
                }
                if !is_named && !suspects.is_empty() {
                    wronged.push(run());
                }
            }
        }
        print(&format!("{tractor_s}/{trailer_s}"), &row);
    }
    print(BAD_CLOCK, &bad);
    println!("{BAD_CLOCK} has a bad clock: {named} of its {} runs call it suspect, all that alarm among them", bad.runs);
    assert!(unnamed.is_empty(), "alarms without a word of the clock: {unnamed:#?}");
    assert!(wronged.is_empty(), "good clocks called suspect: {wronged:#?}");
    assert!(bad.ours_runs * 5 <= bad.runs, "{} of {} runs", bad.ours_runs, bad.runs);
}

fn print(name: &str, row: &Row) {
    let Row { runs, fixes, naive, naive_runs, ours, ours_runs } = row;
    println!(
        "{name:<21} {runs:>3}  {fixes:>7}  {:>19}  {:>11}",
        format!("{naive} ({naive_runs})"),
        format!("{ours} ({ours_runs})")
    );
}

type Device = (String, Vec<(f64, Value)>);

fn recordings() -> Option<PathBuf> {
    std::env::var_os("GLADHAND_REAL").map(PathBuf::from).filter(|folder| folder.is_dir())
}

fn devices(route: &Path) -> Vec<Device> {
    let mut files: Vec<PathBuf> = fs::read_dir(route).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let fixes = |file: &PathBuf| {
        let text = fs::read_to_string(file).unwrap();
        let fixes = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut fixes: Vec<_> = fixes.map(|fix| (fix["ts"].as_f64().unwrap(), fix)).collect();
        fixes.sort_by(|a, b| a.0.total_cmp(&b.0));
        fixes
    };
    files.iter().filter(|file| file.extension().is_some_and(|e| e == "jsonl")).map(|file| (name(file), fixes(file))).collect()
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}

fn thinned(device: &Device, seconds: f64) -> Device {
    let mut last = f64::MIN;
    let mut wanted = |at: f64| {
        let wanted = at - last >= seconds;
        if wanted {
            last = at;
        }
        wanted
    };
    (device.0.clone(), device.1.iter().filter(|(at, _)| wanted(*at)).cloned().collect())
}

/// Fixes, alarms of the naive rule, violations, and units whose clock is suspected at any time.
fn ride(tractor: &Device, trailer: &Device) -> (usize, usize, usize, BTreeSet<String>) {
    let settings = Settings::default();
    let assignment: Assignment = serde_json::from_value(json!({"tractor": tractor.0, "trailer": trailer.0})).unwrap();
    let roster = RosterFile { assignments: vec![assignment], ..RosterFile::default() };
    let router = [Source::default()].into_iter().collect();
    let mut session = Session::new(&settings, router, Topics::new("gladhand", "health"), roster).watching(&settings);
    let of = |device: &'_ Device| device.1.iter().map(|(at, fix)| (*at, line(&device.0, *at, fix))).collect::<Vec<_>>();
    let mut lines = [of(tractor), of(trailer)].concat();
    lines.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut opened, mut suspects) = (0, BTreeSet::new());
    for (_, line) in &lines {
        session.line(line.as_bytes()).unwrap();
        while let Some(finding) = session.poll() {
            opened += usize::from(finding.event == FindingEvent::Opened);
        }
    }
    suspects.extend(session.observations().unwrap().clock_suspect_units.iter().map(ToString::to_string));
    let naive = session.watch().unwrap().trails().values().map(|trail| trail.naive.alarms.len()).sum();
    (lines.len(), naive, opened, suspects)
}

fn line(unit: &str, at: f64, fix: &Value) -> String {
    let mut payload = json!({"unit": unit, "ts": at, "lat": fix["lat"], "lon": fix["lon"]});
    if !fix["hdop"].is_null() {
        payload["hdop"] = fix["hdop"].clone();
    }
    json!({"topic": format!("fleet/{unit}/telemetry"), "received": at, "payload": payload}).to_string()
}
