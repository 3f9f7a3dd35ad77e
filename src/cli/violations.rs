//! `gladhand violations list` and `acknowledge`.

use core::time::Duration;
use std::path::Path;

use serde_json::{Value, json};

use super::Outcome;
use super::daemon::Where;
use super::table::{self, field, list, span, table};
use crate::api::client::segment;
use crate::core::id::UnitId;
use crate::core::time::UnixMillis;
use crate::host::clock::Clock;

/// `gladhand violations`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// The open and suspected ones
    List {
        #[command(flatten)]
        place: Where,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell gladhand that somebody knows: no further call about it
    Acknowledge {
        #[command(flatten)]
        place: Where,
        /// The tractor whose violation it is
        tractor: UnitId,
        /// Only for so many minutes, then calls go on
        #[arg(long)]
        minutes: Option<u32>,
        /// Who knows, when it is not $USER
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
}

pub(super) fn run(config: &Path, args: &Args) -> Outcome {
    match &args.command {
        Command::List { place, json } => {
            let violations = place.daemon(config)?.get("/violations")?;
            Ok(if *json { table::json(&violations) } else { listing(&violations, Clock::new(None).now().wall) })
        }
        Command::Acknowledge { place, tractor, minutes, by } => {
            let path = format!("/violations/{}/acknowledge", segment(tractor));
            let by = by.clone().or_else(|| std::env::var("USER").ok()).unwrap_or_default();
            let body = json!({ "minutes": minutes, "by": by }).to_string();
            place.daemon(config)?.post(&path, body.as_bytes(), Duration::ZERO)?;
            Ok(match minutes {
                Some(minutes) => format!("{tractor}: acknowledged for {minutes} minutes\n"),
                None => format!("{tractor}: acknowledged\n"),
            })
        }
    }
}

fn listing(violations: &Value, now: UnixMillis) -> String {
    let rows: Vec<_> = list(violations, "violations").iter().map(|violation| row(violation, now.as_secs_f64())).collect();
    if rows.is_empty() {
        return "no violations\n".to_owned();
    }
    table(&["TRACTOR", "TRAILER", "STATE", "KIND", "SINCE", "APART", "POSITION", "ACKNOWLEDGED"], &rows)
}

fn row(violation: &Value, now: f64) -> Vec<String> {
    let number = |pointer| violation.pointer(pointer).and_then(Value::as_f64);
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    vec![
        field(violation, "/tractor"),
        field(violation, "/trailer"),
        field(violation, "/event"),
        field(violation, "/kind"),
        or_dash(number("/at").map(|at| span(now - at))),
        or_dash(
            number("/distance_m")
                .map(|metres| if metres < 1_000.0 { format!("{metres:.0} m") } else { format!("{:.1} km", metres / 1_000.0) }),
        ),
        or_dash(number("/position/lat").zip(number("/position/lon")).map(|(lat, lon)| format!("{lat:.5},{lon:.5}"))),
        or_dash(
            number("/acknowledged_until").map(
                |until| {
                    if until > now { format!("for {}", span(until - now)) } else { "over".to_owned() }
                },
            ),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_are_listed_with_how_long_and_how_far() {
        let violations = json!({"violations": [
            {"event": "opened", "kind": "left_behind", "tractor": "T-001", "trailer": "R-001", "at": 1000.5, "distance_m": 2414.2,
             "position": {"lat": 36.66, "lon": -100.74}, "acknowledged_until": 2800},
            {"event": "suspected", "kind": null, "tractor": "T-2", "trailer": "R-2", "at": 1940, "distance_m": 990, "position": null},
        ]});
        assert_eq!(
            listing(&violations, UnixMillis(2_000_500)),
            "TRACTOR  TRAILER  STATE      KIND         SINCE    APART   POSITION             ACKNOWLEDGED\n\
             T-001    R-001    opened     left_behind  16m 40s  2.4 km  36.66000,-100.74000  for 13m 19s\n\
             T-2      R-2      suspected  -            1m       990 m   -                    -\n"
        );
        assert_eq!(listing(&json!({"violations": []}), UnixMillis(0)), "no violations\n");
    }
}
