//! `gladhand status`: the health object, for a terminal.

use std::path::Path;

use serde_json::Value;

use super::Outcome;
use super::daemon::Where;
use super::table::{field, json, list, span_field};

/// `gladhand status`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Where,
    /// The health object itself
    #[arg(long)]
    json: bool,
}

pub(super) fn run(config: &Path, args: &Args) -> Outcome {
    let health = args.place.daemon(config)?.get("/health")?;
    Ok(if args.json { json(&health) } else { summary(&health) })
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
