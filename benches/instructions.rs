//! How many instructions one report takes to be decoded and to be decided: figures that no other load on the machine changes.
//!
//! `cargo bench --bench instructions` counts them with valgrind and compares them with `benches/instructions.tsv`; it fails when one
//! has grown by more than 5 %. For a compiler or a processor that stands not there it prints them and is content. `-- --keep`
//! puts them there.
//!
//! The process counts itself twice, with so many reports and with twice as many; the difference is what the reports took.
#![allow(clippy::print_stdout, clippy::expect_used, clippy::indexing_slicing)]

#[path = "../tests/common/fleet.rs"]
mod fleet;

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::process::{Command, ExitCode};

use fleet::{Fleet, Mix};
use gladhand::core::machine::Input;
use gladhand::formats::{Router, Source};

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.tsv");
const REPORTS: usize = 5_000;
const WARM: usize = 40_000;
/// In percent.
const GROWTH: u64 = 5;
type Work = (&'static str, fn(usize));
const WORKS: [Work; 2] = [("decode", decode), ("decide", decide)];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [name, reports] = &arguments[..]
        && let Some((_, work)) = WORKS.iter().find(|(work, _)| work == name)
    {
        work(reports.parse().expect("a number"));
        return ExitCode::SUCCESS;
    }
    let here = format!("{} {}", rustc(), std::env::consts::ARCH);
    let mut known = baseline(&fs::read_to_string(BASELINE).unwrap_or_default());
    let mut grown = false;
    for (name, _) in WORKS {
        let each = (counted(name, 2 * REPORTS) - counted(name, REPORTS)) / REPORTS as u64;
        let key = (here.clone(), name.to_owned());
        let verdict = match known.get(&key) {
            Some(before) if each * 100 > before * (100 + GROWTH) => {
                grown = true;
                format!("more than {GROWTH} % above the {before} there were")
            }
            Some(before) => format!("{before} before"),
            None => format!("none known of {here}"),
        };
        println!("{name}: {each} instructions a report, {verdict}");
        known.insert(key, each);
    }
    if arguments.iter().any(|argument| argument == "--keep") {
        let lines: String = known.iter().map(|((here, name), each)| format!("{here}\t{name}\t{each}\n")).collect();
        fs::write(BASELINE, lines).expect("the baseline is written");
        return ExitCode::SUCCESS;
    }
    ExitCode::from(u8::from(grown))
}

/// Finds the decoder, as the daemon does for every message.
fn decode(reports: usize) {
    const PAYLOAD: &str =
        r#"{"unit":"T-001","ts":1763569135.25,"lat":27.530612,"lon":-99.480317,"speed_mps":15.2,"heading_deg":112.1,"hdop":0.9}"#;
    let router: Router = [Source::default()].into_iter().collect();
    for _ in 0..reports {
        let topic = black_box("fleet/T-001/telemetry");
        let decoder = router.route(topic).expect("a decoder");
        let decoded = decoder.decode(topic, black_box(PAYLOAD).as_bytes(), &mut |report| {
            black_box(report);
        });
        black_box(decoded).expect("a report");
    }
}

/// Of a fleet on the road, whose histories are as full as they get on the way.
fn decide(reports: usize) {
    let fleet = Fleet::new(200, Mix { tractor: 10.0, trailer: 60.0, metres: 150_000.0 });
    let mut machine = fleet.machine();
    // As many are made however many are decided.
    let heard: Vec<_> = fleet.reports().take(WARM + 2 * REPORTS).collect();
    assert_eq!(heard.len(), WARM + 2 * REPORTS, "the haul is too short");
    for (report, now) in &heard[..WARM + reports] {
        machine.handle(Input::Report(black_box(report)), *now);
        while machine.poll_output().is_some() {}
    }
}

/// By this process, started anew under valgrind.
fn counted(work: &str, reports: usize) -> u64 {
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program).args([work, &reports.to_string()]);
    let output = command.output().expect("valgrind is installed: `make instructions` does it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let (_, collected) = said.split_once("Collected : ").expect("the number of instructions");
    collected.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

fn rustc() -> String {
    let output = Command::new("rustc").arg("--version").output().expect("rustc says its version");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Lines of compiler and processor, work, instructions; tabs between them.
fn baseline(text: &str) -> BTreeMap<(String, String), u64> {
    let line = |line: &str| {
        let mut fields = line.split('\t');
        let key = (fields.next()?.to_owned(), fields.next()?.to_owned());
        Some((key, fields.next()?.parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}
