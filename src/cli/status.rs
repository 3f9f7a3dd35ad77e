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

fn summary(health: &Value) -> String {
    let get = |pointer| field(health, pointer);
    let span = |pointer| span_field(health, pointer);
    let since = |pointer| health.pointer(pointer).and_then(Value::as_f64);
    let up_for = since("/time")
        .zip(since("/since"))
        .map_or_else(String::new, |(now, since)| format!(", for {}", super::table::span(now - since)));
    let mut out = format!("gladhand {} is {}{up_for} (pid {})\n", get("/version"), get("/status"), get("/pid"));
    for reason in list(health, "reasons").iter().map(|reason| field(reason, "")) {
        let (what, which) = reason.split_once(':').map_or((reason.as_str(), None), |(what, which)| (what, Some(which)));
        let what = what.replace('_', " ");
        out.push_str(&which.map_or_else(|| format!("  ! {what}\n"), |which| format!("  ! {what}: {which}\n")));
    }
    for (name, text) in [
        ("uplink", get("/uplink")),
        ("store", get("/store")),
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
    ] {
        out.push_str(&format!("{name:<12}{text}\n"));
    }
    out
}

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
            "reasons": ["uplink_offline", "clock_suspect:R-007"], "uplink": "offline", "store": "ok",
            "telemetry": {"units": 12, "stale": 1, "age_s": 3.2, "received": 10_234, "rejected": 3},
            "violations": {"open": 1, "suspected": 0},
            "calls": {"pending": 2, "oldest_s": 400, "held": 1, "dialing": 0, "unknown": 0, "placed": 0, "concluded": 5,
                      "failed": 0, "expired": 1, "cancelled": 2},
        });
        assert_eq!(
            summary(&health),
            "gladhand 0.1.0 is degraded, for 3h 20m (pid 812)\n\
             \u{20} ! uplink offline\n\
             \u{20} ! clock suspect: R-007\n\
             uplink      offline\n\
             store       ok\n\
             telemetry   12 units, 1 stale, last heard 3s ago; 10234 received, 3 rejected\n\
             violations  1 open, 0 suspected\n\
             calls now   2 pending (oldest 6m 40s), 1 held, 0 dialing, 0 unknown, 0 placed\n\
             calls over  5 concluded, 0 failed, 1 expired, 2 cancelled\n"
        );
    }
}
