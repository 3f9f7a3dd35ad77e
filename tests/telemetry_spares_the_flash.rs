//! While rigs are on the road and nothing happens, what is written to disk does not depend on how much they report: the record of
//! each pair once in ten minutes, and nothing else.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "a test fails by panicking")]

#[path = "common/daemon.rs"]
mod daemon;
#[path = "common/fleet.rs"]
mod fleet;

use std::fs;
use std::time::Duration;

use daemon::{Gateway, Setup};
use fleet::{Fleet, Mix};
use gladhand::config::roster::Roster;
use gladhand::host::clock;
use gladhand::rigs::to_payload;
use serde_json::Value;

const PAIRS: u64 = 8;
/// mosquitto drops what is beyond 1,000.
const QUEUED: usize = 500;
/// Two pages of a disk.
const MOST_OF_A_RECORD: u64 = 8192;

#[tokio::test]
async fn a_record_of_each_pair_in_ten_minutes() {
    let start = clock::wall() - Duration::from_secs(3 * 3600);
    let fleet = Fleet::starting(start, 2 * PAIRS as usize, Mix { tractor: 10.0, trailer: 30.0, metres: 150_000.0 });
    let mut gateway = Gateway::prepare(Setup { roster: false, ..Setup::default() }).await;
    let roster = Roster { assignments: fleet.assignments(), trailers: Vec::new() };
    gateway.write("roster.toml", &toml::to_string(&roster).unwrap());
    gateway.launch().await;
    let reports: Vec<_> = fleet.reports().map(|(report, _)| report).collect();
    // Until all of them have been seen together.
    let (before, steady) = reports.split_at(reports.len() / 2);
    let mut sent = 0;
    let mut written = Vec::new();
    for part in [before, steady] {
        for some in part.chunks(QUEUED) {
            for report in some {
                gateway.watch.publish(&format!("fleet/{}/telemetry", report.unit), to_payload(report), false).await;
            }
            sent += some.len();
            let all = |health: &Value| health["telemetry"]["received"] == sent;
            let health = gateway.watch.health("all of it to be read", all).await;
            assert!(health["telemetry"]["rejected"].as_u64() < Some(sent as u64 / 2), "{health}");
        }
        written.push(bytes_written(&gateway));
    }
    let event_time = steady.last().unwrap().at.since(steady[0].at).as_secs();
    let records = PAIRS * (event_time / 600 + 1);
    assert!(written[0] > 0, "nothing is counted: the state directory is on no disk; set TMPDIR to one that is");
    let (bytes, reports) = (written[1] - written[0], steady.len() as u64);
    println!("{bytes} bytes for {reports} reports of {PAIRS} pairs in {event_time} s: {} for each record", bytes / records);
    assert!(bytes <= records * MOST_OF_A_RECORD, "{bytes} bytes for {records} records");
    assert!(reports > 10 * records, "{reports} reports, which is no more than there are records");
    assert_eq!(gateway.watch.count(|said| said.topic.starts_with("gladhand/")), 0, "nothing has happened");
}

/// By the process, to whatever is a disk, log and store.
fn bytes_written(gateway: &Gateway) -> u64 {
    let io = fs::read_to_string(format!("/proc/{}/io", gateway.pid())).unwrap();
    io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap().parse().unwrap()
}
