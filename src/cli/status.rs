//! `gladhand status`: the health object, or what is heard of each unit, for a terminal.

use std::path::Path;

use serde_json::Value;

use super::Outcome;
use super::daemon::Where;
use super::table::{field, json, list, span_field, table};

/// `gladhand status`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Where,
    /// What is heard of each unit, those first of which something is wrong; 1,000 at most
    #[arg(long)]
    units: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(config: &Path, args: &Args) -> Outcome {
    let (path, text): (_, fn(&Value) -> String) = if args.units { ("/units", units) } else { ("/health", summary) };
    let answer = args.place.daemon(config)?.get(path)?;
    Ok(if args.json { json(&answer) } else { text(&answer) })
}

fn units(answer: &Value) -> String {
    let is = |unit: &Value, name: &str| unit.get(name).and_then(Value::as_bool) == Some(true);
    let row = |unit: &Value| {
        let faults = ["silent", "clock_suspect", "stale_position"].into_iter().filter(|fault| is(unit, fault));
        let faults = faults.map(|fault| fault.replace('_', " ")).collect::<Vec<_>>().join(", ");
        let rejected = unit.get("rejected_by").and_then(Value::as_object).into_iter().flatten();
        let rejected = rejected.map(|(why, count)| format!("{count} {}", why.trim_start_matches("fix-"))).collect::<Vec<_>>();
        let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
        let age = span_field(unit, "/fix_age_s");
        vec![field(unit, "/unit"), field(unit, "/with"), age, or_dash(faults), or_dash(rejected.join(", "))]
    };
    let rows: Vec<_> = list(answer, "units").iter().map(row).collect();
    let mut out = table(&["UNIT", "WITH", "LAST FIX", "WRONG", "REJECTED"], &rows);
    if let Some(more) = answer.get("more").and_then(Value::as_u64).filter(|more| *more > 0) {
        out.push_str(&format!("and {more} more\n"));
    }
    out
}

/// Health in a few calm lines: what is wrong and what it means first, then what people are called about, then the rest.
pub(super) fn summary(health: &Value) -> String {
    let get = |pointer| field(health, pointer);
    let span = |pointer| span_field(health, pointer);
    let since = |pointer| health.pointer(pointer).and_then(Value::as_f64);
    let up_for = since("/time")
        .zip(since("/since"))
        .map_or_else(String::new, |(now, since)| format!(", for {}", super::table::span(now - since)));
    let mut out = format!("gladhand {} is {}{up_for} (pid {})\n", get("/version"), get("/status"), get("/pid"));
    for reason in list(health, "reasons").iter().map(|reason| field(reason, "")) {
        let (what, which) = reason.split_once(':').map_or((reason.as_str(), None), |(what, which)| (what, Some(which)));
        let which = which.map_or_else(String::new, |which| format!(" {which}"));
        let meaning = MEANINGS.iter().find(|(name, _)| *name == what).map_or_else(String::new, |(_, words)| format!(": {words}"));
        out.push_str(&format!("  ! {}{which}{meaning}\n", what.replace('_', " ")));
    }
    for (name, text) in [
        ("violations", format!("{} open, {} suspected", get("/violations/open"), get("/violations/suspected"))),
        (
            "calls now",
            format!(
                "{} pending (oldest {}), {} held, {} dialing, {} unknown, {} placed",
                get("/calls/pending"),
                span("/calls/oldest_s"),
                get("/calls/held"),
                get("/calls/dialing"),
                get("/calls/unknown"),
                get("/calls/placed"),
            ),
        ),
        (
            "calls over",
            format!(
                "{} concluded, {} failed, {} expired, {} cancelled",
                get("/calls/concluded"),
                get("/calls/failed"),
                get("/calls/expired"),
                get("/calls/cancelled"),
            ),
        ),
        (
            "telemetry",
            format!(
                "{} units, {} stale, last heard {} ago; {} received, {} rejected",
                get("/telemetry/units"),
                get("/telemetry/stale"),
                span("/telemetry/age_s"),
                get("/telemetry/received"),
                get("/telemetry/rejected"),
            ),
        ),
        ("uplink", get("/uplink")),
        ("store", get("/store")),
        ("gateway", gateway(health)),
    ] {
        out.push_str(&format!("{name:<12}{text}\n"));
    }
    out
}

fn gateway(health: &Value) -> String {
    let number = |pointer| health.pointer(pointer).and_then(Value::as_f64);
    let gib = |bytes: f64| format!("{:.1}", bytes / f64::from(1 << 30));
    let disk = number("/gateway/disk_free_bytes").zip(number("/gateway/disk_size_bytes"));
    let disk = disk.map(|(free, size)| format!("{} of {} GiB free", gib(free), gib(size)));
    let heat = number("/gateway/temperature_c").map(|degrees| format!("{degrees:.0} °C"));
    let known: Vec<_> = disk.into_iter().chain(heat).collect();
    if known.is_empty() { "-".to_owned() } else { known.join(", ") }
}

/// What each reason of health means, in a line.
const MEANINGS: [(&str, &str); 29] = [
    ("uplink_offline", "ElevenLabs cannot be reached; calls wait, and leave by themselves"),
    ("clock_not_set", "the time is not known yet; alarms and calls wait for it"),
    ("no_api_key", "calls are held; see gladhand check"),
    ("bad_api_key", "the key cannot be used, calls are held; see gladhand check"),
    ("no_agent_id", "elevenlabs.agent_id is not set; calls are held"),
    ("no_agent_phone_number_id", "elevenlabs.agent_phone_number_id is not set; calls are held"),
    ("no_vendor_client", "calls are held; see gladhand check"),
    ("account_refused", "ElevenLabs refuses the key, the account, the agent or its number; calls are held"),
    ("calls_unknown", "an answer was lost, somebody may have been called; ElevenLabs is asked"),
    ("calls_failed", "a call was refused within 24 hours; see gladhand calls list --all"),
    ("nobody_reached", "nobody took the call; until somebody acknowledges it"),
    ("announcements_given_up", "too many waited for the broker, the oldest were dropped"),
    ("broker_offline", "no telemetry is read until the broker is back"),
    ("broker_forgot_session", "what was sent while we were away is lost"),
    ("store_repaired", "the two copies did not agree and were set right; the medium may be failing"),
    ("store_failing", "the disk takes no writes; nothing new is told, called or acknowledged"),
    ("store_full", "the disk is full, the reserve is in use; make room"),
    ("store_quarantined", "the database did not open and was set aside; open calls came from the second copy"),
    ("disk_low", "less than 200 MiB are free"),
    ("disk_errors", "the file system has met errors; the medium may be failing"),
    ("disk_worn", "the flash runs out of spare blocks; replace it"),
    ("hot", "80 °C or more; see to its place"),
    ("undervoltage", "the supply was too low within ten minutes; see to supply and cable"),
    ("dry_run", "calls.dry_run is set; nobody is called"),
    ("clock_suspect", "that tracker's clock is probably wrong"),
    ("stale_position", "it repeats an old position under new times"),
    ("silent", "it has not reported when it should"),
    ("nobody_to_call", "a violation, and the roster names neither driver nor dispatcher"),
    ("subscription_refused", "the broker does not let us read that; see its access list"),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn units_are_listed_with_what_is_wrong_of_them() {
        let answer = json!({ "more": 4, "units": [
            {"unit": "R-7", "with": ["T-1"], "fix_age_s": 700, "silent": true, "clock_suspect": true, "stale_position": false,
             "rejected_by": {"fix-stale": 12, "fix-null-island": 1}},
            {"unit": "T-1", "with": ["R-7", "R-8"], "fix_age_s": null, "silent": false, "clock_suspect": false,
             "stale_position": false, "rejected_by": {}},
        ]});
        assert_eq!(
            units(&answer),
            "UNIT  WITH      LAST FIX  WRONG                  REJECTED\n\
             R-7   T-1       11m 40s   silent, clock suspect  1 null-island, 12 stale\n\
             T-1   R-7, R-8  -         -                      -\n\
             and 4 more\n"
        );
    }

    #[test]
    fn health_is_told_in_a_few_calm_lines() {
        let health = json!({
            "status": "degraded", "pid": 812, "time": 1_763_569_135.5, "version": "0.1.0", "since": 1_763_557_135, "session": 3,
            "reasons": ["uplink_offline", "clock_suspect:R-007", "of_a_later_release"], "uplink": "offline", "store": "ok",
            "telemetry": {"units": 12, "stale": 1, "age_s": 3.2, "received": 10_234, "rejected": 3},
            "violations": {"open": 1, "suspected": 0},
            "calls": {"pending": 2, "oldest_s": 400, "held": 1, "dialing": 0, "unknown": 0, "placed": 0, "concluded": 5,
                      "failed": 0, "expired": 1, "cancelled": 2},
            "gateway": {"disk_free_bytes": 28_454_100_000_u64, "disk_size_bytes": 31_031_000_000_u64, "temperature_c": 53.9},
        });
        assert_eq!(
            summary(&health),
            "gladhand 0.1.0 is degraded, for 3h 20m (pid 812)\n\
             \u{20} ! uplink offline: ElevenLabs cannot be reached; calls wait, and leave by themselves\n\
             \u{20} ! clock suspect R-007: that tracker's clock is probably wrong\n\
             \u{20} ! of a later release\n\
             violations  1 open, 0 suspected\n\
             calls now   2 pending (oldest 6m 40s), 1 held, 0 dialing, 0 unknown, 0 placed\n\
             calls over  5 concluded, 0 failed, 1 expired, 2 cancelled\n\
             telemetry   12 units, 1 stale, last heard 3s ago; 10234 received, 3 rejected\n\
             uplink      offline\n\
             store       ok\n\
             gateway     26.5 of 28.9 GiB free, 54 °C\n"
        );
    }

    #[test]
    fn every_reason_that_the_readme_explains_has_its_words_and_no_other() {
        let readme = include_str!("../../README.md");
        let section = readme.split("\n## Health\n").nth(1).unwrap().split("\n## ").next().unwrap();
        let names = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once(" | "));
        let names = names.flat_map(|(names, _)| names.split(", ")).map(|name| name.trim_matches('`').split(':').next().unwrap());
        let mut explained: Vec<_> = names.collect();
        let mut here: Vec<_> = MEANINGS.iter().map(|(name, _)| *name).collect();
        explained.sort_unstable();
        here.sort_unstable();
        assert_eq!(explained, here);
    }
}
