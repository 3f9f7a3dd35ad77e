//! `gladhand roster`: what is in effect, and where each entry came from.

use std::path::Path;

use serde_json::Value;

use super::Outcome;
use super::daemon::Where;
use super::table::{self, field, list, table};

/// `gladhand roster`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Where,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(config: &Path, args: &Args) -> Outcome {
    let roster = args.place.daemon(config)?.get("/roster")?;
    Ok(if args.json { table::json(&roster) } else { listing(&roster) })
}

fn listing(roster: &Value) -> String {
    let section = |key: &str, heading: &[&str], pointers: &[&str]| {
        let rows: Vec<Vec<_>> =
            list(roster, key).iter().map(|entry| pointers.iter().map(|pointer| field(entry, pointer)).collect()).collect();
        if rows.is_empty() { format!("no {key}\n") } else { table(heading, &rows) }
    };
    let assignments = section(
        "assignments",
        &["TRACTOR", "TRAILERS", "DRIVER", "NAME", "DISPATCHER", "SINCE", "FROM"],
        &["/tractor", "/trailers", "/driver/id", "/driver/name", "/dispatcher/name", "/since", "/source"],
    );
    let zones = section("zones", &["ZONE", "CENTER", "RADIUS M", "FROM"], &["/name", "/center", "/radius_m", "/source"]);
    let trailers = section("trailers", &["TRAILER", "INTERVAL", "WAKES ON MOTION"], &["/id", "/interval", "/wakes_on_motion"]);
    format!("{assignments}\n{zones}\n{trailers}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_roster_is_listed_with_where_it_came_from() {
        let roster = json!({
            "assignments": [{"tractor": "T-1", "trailers": ["R-1", "R-2"], "driver": {"id": "DR1", "name": "Jane"},
                             "dispatcher": null, "since": 1000, "source": "mqtt"}],
            "zones": [{"name": "Yard", "center": [27.5, -99.5], "radius_m": 400.0, "source": "file"},
                      {"name": "Dock", "polygon": [[1.0, 2.0]], "source": "mqtt"}],
            "trailers": [],
        });
        assert_eq!(
            listing(&roster),
            "TRACTOR  TRAILERS  DRIVER  NAME  DISPATCHER  SINCE  FROM\n\
             T-1      R-1, R-2  DR1     Jane  -           1000   mqtt\n\
             \n\
             ZONE  CENTER       RADIUS M  FROM\n\
             Yard  27.5, -99.5  400.0     file\n\
             Dock  -            -         mqtt\n\
             \n\
             no trailers\n"
        );
    }
}
