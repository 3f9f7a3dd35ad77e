//! `gladhand replay`: what the detector says of a recording.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use super::table::table;
use super::{Failure, Outcome};
use crate::config::{self, Config, ConfigError, Loaded, roster};
use crate::core::separation::Settings;
use crate::core::time::UnixMillis;
use crate::replay::{self, PairId, Session, Trail, Watch, explain, plot};

/// Longest line that is looked at: the largest payload, each of its bytes escaped.
const MAX_LINE: u64 = 2 * 1024 * 1024;

/// Lines that could not be read and are named; the rest is only counted.
const MAX_NAMED: u64 = 100;

/// Times of alarms that are named of each pair.
const TIMES: usize = 5;

/// `gladhand replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The recording; - for standard input
    file: PathBuf,
    /// The roster at the start [default: roster.toml beside the configuration]
    #[arg(long, value_name = "FILE")]
    roster: Option<PathBuf>,
    /// Tries another threshold, like separation.apart_m=100; repeatable
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Says on standard error what decided each finding
    #[arg(long)]
    explain: bool,
    /// Says on standard error what latest position against latest position would have alarmed, beside what was found
    #[arg(long)]
    compare: bool,
    /// Draws distance over time, what was found, and the tracks, for up to 12 pairs
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
}

pub(super) fn run(config: &Path, args: &Args) -> Outcome {
    let mut loaded = loaded(config, args).map_err(Failure::Malformed)?;
    let settings = loaded.settings();
    let mut session = Session::new(&settings.separation, loaded.router(), settings.topics, settings.roster);
    if args.explain || args.compare || args.plot.is_some() {
        session = session.watching(&settings.separation);
    }
    let failed = |why: io::Error| Failure::Failed(format!("{}: {why}", args.file.display()));
    let input: Box<dyn Read> = if args.file.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(&args.file).map_err(failed)?)
    };
    let mut reader = BufReader::with_capacity(256 * 1024, input);
    let mut out = io::stdout().lock();
    let mut line = Vec::new();
    for number in 1.. {
        let read = match next_line(&mut reader, &mut line).map_err(failed)? {
            Next::Line => session.line(&line).map_err(|why| why.to_string()),
            Next::TooLong => {
                session.skip_line();
                Err(format!("it is longer than {MAX_LINE} bytes"))
            }
            Next::End => break,
        };
        if let Err(why) = read
            && session.tally().unread <= MAX_NAMED
        {
            complain(&format!("line {number}: {why}"));
        }
        while let Some(finding) = session.poll() {
            let json = serde_json::to_string(&finding).unwrap_or_default();
            match writeln!(out, "{json}") {
                // A reader that has seen enough (`| head`) is no failure.
                Err(why) if why.kind() == io::ErrorKind::BrokenPipe => return Ok(String::new()),
                written => written.map_err(|why| Failure::Failed(format!("standard output: {why}")))?,
            }
            if let Some(watch) = session.watch().filter(|_| args.explain) {
                let trail = watch.trails().get(&(finding.tractor.clone(), finding.trailer.clone()));
                say(&trail.map(|trail| explain(&finding, trail, watch.settings())).unwrap_or_default());
            }
        }
    }
    if let Some(watch) = session.watch().filter(|_| args.compare) {
        say(&comparison(watch));
    }
    if let (Some(watch), Some(file)) = (session.watch(), &args.plot) {
        fs::write(file, plot(watch)).map_err(|why| Failure::Failed(format!("{}: {why}", file.display())))?;
    }
    summary(&session);
    Ok(String::new())
}

/// The configuration with what the arguments change in it. Where none is named and none is installed, the defaults.
fn loaded(path: &Path, args: &Args) -> Result<Loaded, Vec<ConfigError>> {
    let none = path == Path::new(config::DEFAULT_PATH) && matches!(path.try_exists(), Ok(false));
    let mut config = if none { Config::default() } else { config::load(path)? };
    config.separation = tried(&config.separation, &args.set).map_err(|error| vec![error])?;
    let file = args.roster.clone().unwrap_or_else(|| Config::roster_path(path));
    if args.roster.is_some() && matches!(file.try_exists(), Ok(false)) {
        return Err(vec![ConfigError { file, line: None, key: String::new(), message: "is not there".to_owned() }]);
    }
    let roster = roster::load(&file, &config.calls.default_country)?;
    Ok(Loaded { path: path.to_owned(), config, roster })
}

/// The thresholds with those of `--set` in place, checked as the configuration is.
fn tried(separation: &Settings, sets: &[String]) -> Result<Settings, ConfigError> {
    let file = Path::new("--set");
    let wrong = |key: &str, message: String| ConfigError { file: file.to_owned(), line: None, key: key.to_owned(), message };
    if sets.is_empty() {
        return Ok(separation.clone());
    }
    let mut table = toml::Table::try_from(separation).map_err(|why| wrong("separation", why.to_string()))?;
    for set in sets {
        let (key, value) = set.split_once('=').unwrap_or((set, ""));
        let (key, value) = (key.trim(), value.trim());
        let Some(name) = key.strip_prefix("separation.") else {
            return Err(wrong(key, "cannot be tried; write a key of [separation], like separation.apart_m=100".to_owned()));
        };
        if value.is_empty() {
            return Err(wrong(key, format!("has no value; write {key}=VALUE")));
        }
        // `120s` is no TOML value, and its quotes are easily lost to the shell.
        let value = value.parse().unwrap_or_else(|_| toml::Value::String(value.to_owned()));
        table.insert(name.to_owned(), value);
    }
    let text = format!("gateway.id = \"replay\"\n[separation]\n{table}");
    match config::parse(file, &text) {
        Ok(config) => Ok(config.separation),
        Err(errors) => {
            let first = errors.into_iter().next();
            Err(first.map_or_else(|| wrong("separation", String::new()), |error| ConfigError { line: None, ..error }))
        }
    }
}

enum Next {
    Line,
    TooLong,
    End,
}

/// Reads one line; of one that is too long nothing is kept.
fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Next> {
    line.clear();
    let read = reader.by_ref().take(MAX_LINE).read_until(b'\n', line)?;
    if read as u64 == MAX_LINE && !line.ends_with(b"\n") {
        reader.skip_until(b'\n')?;
        return Ok(Next::TooLong);
    }
    Ok(if read == 0 { Next::End } else { Next::Line })
}

/// What was read, and what is worth knowing when nothing was found.
fn summary(session: &Session) {
    let tally = session.tally();
    let unread = if tally.unread > 0 { format!(", {} of them not read", tally.unread) } else { String::new() };
    let Some(seen) = session.observations() else {
        complain("the recording is empty");
        return;
    };
    complain(&format!(
        "{} lines{unread}; {} reports, {} of assigned units, {} usable fixes",
        tally.lines, tally.reports, seen.received, seen.accepted
    ));
    for (reason, count) in seen.refused.by_reason() {
        complain(&format!("{count} fixes not used: {reason}"));
    }
    if tally.reports > 0 && seen.received == 0 {
        complain("no unit that reports is assigned: name a --roster, or record gladhand/assignments/# as well");
    }
    for unit in &seen.clock_suspect_units {
        complain(&format!("the clock of {unit} is suspect"));
    }
}

/// The alarms of both rules, by pair.
fn comparison(watch: &Watch) -> String {
    let row = |((tractor, trailer), trail): (&PairId, &Trail)| {
        let (naive, ours) = (&trail.naive.alarms, trail.alarms().collect::<Vec<_>>());
        let count = |alarms: &[UnixMillis]| alarms.len().to_string();
        vec![tractor.to_string(), trailer.to_string(), count(naive), count(&ours), times(naive), times(&ours)]
    };
    let mut rows: Vec<_> = watch.trails().iter().map(row).collect();
    if rows.len() > 1 {
        let sum = |of: fn(&Trail) -> usize| watch.trails().values().map(of).sum::<usize>().to_string();
        let (naive, ours) = (sum(|trail| trail.naive.alarms.len()), sum(|trail| trail.alarms().count()));
        rows.push(vec!["all".to_owned(), String::new(), naive, ours, String::new(), String::new()]);
    }
    table(&["TRACTOR", "TRAILER", "NAIVE", "OURS", "NAIVE ALARMS AT (UTC)", "OURS AT"], &rows)
}

fn times(alarms: &[UnixMillis]) -> String {
    let more = alarms.len().saturating_sub(TIMES);
    let mut shown: Vec<_> = alarms.iter().take(TIMES).map(|at| replay::clock(*at)).collect();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    if shown.is_empty() { "-".to_owned() } else { shown.join(" ") }
}

fn complain(words: &str) {
    say(&format!("gladhand: {words}\n"));
}

/// For people; a standard error that is closed is no reason to stop.
fn say(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(sets: &[&str]) -> Result<Settings, String> {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        tried(&Settings::default(), &sets).map_err(|error| error.to_string())
    }

    #[test]
    fn each_of_the_nine_thresholds_can_be_tried() {
        let all = [
            "separation.apart_m=500",
            "separation.apart_for=90s",
            "separation.apart_samples=5",
            "separation.together_m=60.5",
            "separation.together_for = \"30s\"",
            "separation.rig_length_m=40",
            "separation.max_gap=5m",
            "separation.alarm_age=2h",
            "separation.trailer_interval=60s",
        ];
        let tried = toml::Table::try_from(sets(&all).unwrap()).unwrap();
        let usual = toml::Table::try_from(Settings::default()).unwrap();
        assert_eq!(tried.len(), 9);
        assert!(tried.iter().all(|(key, value)| usual[key] != *value), "{tried}");
    }

    #[test]
    fn a_threshold_that_cannot_be_tried_is_named() {
        for (set, why) in [
            ("separation.apart=5", "--set: separation.apart: is not a known key; did you mean apart_m?"),
            (
                "calls.attempts=5",
                "--set: calls.attempts: cannot be tried; write a key of [separation], like separation.apart_m=100",
            ),
            ("separation.apart_m", "--set: separation.apart_m: has no value; write separation.apart_m=VALUE"),
            ("separation.apart_m=near", "--set: separation.apart_m: is of the wrong kind; write a number"),
            ("separation.apart_m=5", "--set: separation.apart_m: 5 is out of range; write 10 to 10000"),
        ] {
            assert_eq!(sets(&[set]), Err(why.to_owned()), "{set}");
        }
        let both = sets(&["separation.apart_m=50"]).unwrap_err();
        assert_eq!(
            both,
            "--set: separation.together_m: 75 m is not less than separation.apart_m = 50 m; between the two nothing changes"
        );
    }

    #[test]
    fn lines_are_read_one_by_one_and_none_is_too_long() {
        let mut text = b"a\n\n".to_vec();
        text.extend(vec![b'x'; MAX_LINE as usize + 1]);
        text.extend(b"\nlast");
        let (mut reader, mut line) = (text.as_slice(), Vec::new());
        let mut next = || match next_line(&mut reader, &mut line).unwrap() {
            Next::Line => String::from_utf8_lossy(&line).trim_end().to_owned(),
            Next::TooLong => "too long".to_owned(),
            Next::End => "end".to_owned(),
        };
        assert_eq!([(); 5].map(|()| next()), ["a", "", "too long", "last", "end"]);
    }
}
