//! `gladhand support-bundle`: what somebody who helps from afar wants to see, in one file that may be sent to them. Works with a
//! stopped daemon as well, and changes nothing.
//!
//! What is not to be told is left out where it is known by its field: numbers, names of people, what was said, where a trailer
//! or a yard is. What may stand in any text is masked: runs of seven digits or more, and every secret that this command can read.

use core::fmt::Write as _;
use core::time::Duration;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use super::daemon::Daemon;
use super::{Failure, Outcome, calls, check, status, table};
use crate::config::secrets::{self, Secret, Surroundings};
use crate::config::{self, Config};
use crate::core::health::Health;
use crate::core::metrics;
use crate::core::phone::without_numbers;
use crate::core::time::UnixMillis;
use crate::host::{clock, gauges};

/// Lines of the journal, the last ones.
const LINES: &str = "2000";

/// Each of them, in characters.
const LINE: usize = 2_000;

/// What another program is given to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is told of a call.
const OF_A_CALL: [&str; 18] = [
    "call_sid",
    "state",
    "attempt",
    "violation_id",
    "kind",
    "separations",
    "to",
    "outcome",
    "reason",
    "created_at",
    "updated_at",
    "age_s",
    "not_before",
    "nobody_reached",
    "parent_call_sid",
    "next_call_sid",
    "duration_s",
    "conversation_id",
];

/// What is told of an assignment, beside the id of its driver.
const OF_AN_ASSIGNMENT: [&str; 4] = ["tractor", "trailers", "since", "source"];

/// Of a finding: not where it is.
const OF_A_VIOLATION: [&str; 10] = [
    "event",
    "kind",
    "tractor",
    "trailer",
    "violation_id",
    "at",
    "received",
    "distance_m",
    "uncertainty_m",
    "acknowledged_until",
];

/// Ids of units and of what is made of them; an IMEI is no telephone number.
const IDS: [&str; 6] = ["unit", "with", "tractor", "trailer", "trailers", "violation_id"];

/// Where something is, wherever it is told.
const PLACES: [&str; 5] = ["center", "polygon", "position", "lat", "lon"];

/// `gladhand support-bundle`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to; otherwise gladhand-support-GATEWAY-TIME.tar.gz in the present directory
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(file: &Path, args: &Args) -> Outcome {
    let now = clock::wall();
    let config = config::load(file);
    let gateway = config.as_ref().map_or("unconfigured", |config| config.gateway.id.as_str());
    let name = format!("gladhand-support-{gateway}-{}", now.iso8601().replace(':', ""));
    let output = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.tar.gz")));
    let failed = |why: io::Error| Failure::Failed(format!("{}: {why}", output.display()));
    // Before anything is gathered, since that takes a while.
    let archive = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&output).map_err(failed)?;
    let mut bundle = Bundle { pages: Vec::new(), missing: Vec::new(), secrets: Vec::new() };
    bundle.gather(file, config.as_ref().ok(), &output, now)?;
    bundle.about(now);
    bundle.write(archive, &name, now).map_err(failed)?;
    let pages: Vec<_> = bundle.pages.iter().map(|(page, _)| page.as_str()).collect();
    let mut said = format!("{} holds {}\n", output.display(), pages.join(", "));
    for missing in &bundle.missing {
        let _ = writeln!(said, "not in it: {missing}");
    }
    Ok(said)
}

struct Bundle {
    pages: Vec<(String, String)>,
    missing: Vec<String>,
    secrets: Vec<Secret>,
}

impl Bundle {
    fn gather(&mut self, file: &Path, config: Option<&Config>, output: &Path, now: UnixMillis) -> Result<(), Failure> {
        let check::Local { findings, api_key, mqtt_password, .. } = check::local(file, &Surroundings::from_env());
        self.secrets.extend([api_key, mqtt_password].into_iter().flatten().map(|found| found.secret));
        self.page("check.txt", check::table(&findings));
        if let Some(config) = config {
            self.more_secrets(config);
            self.configuration(config);
            self.daemon(config, output, now);
            self.page("machine.txt", machine(&config.gateway.state_dir));
        } else {
            self.missing.push("what the daemon says: its configuration is malformed, see check.txt".to_owned());
        }
        let runtime = super::runtime()?;
        runtime.block_on(self.other_programs());
        runtime.shutdown_background();
        Ok(())
    }

    /// What `check` does not read, where this user may.
    fn more_secrets(&mut self, config: &Config) {
        let credential = Path::new("/etc/credstore").join(secrets::API_KEY);
        let files = [config.api.token_file.as_deref(), config.elevenlabs.api_key_file.as_deref(), Some(credential.as_path())];
        self.secrets.extend(files.into_iter().flatten().filter_map(|file| Some(secrets::from_file(file).ok()?.secret)));
    }

    fn configuration(&mut self, config: &Config) {
        let mut config = config.clone();
        if !config.dispatcher.name.is_empty() {
            config.dispatcher.name = "***".to_owned();
        }
        let written = serde_json::to_value(config).map(|value| self.masked("", value)).map(|mut value| {
            let zones = value.pointer_mut("/zone").and_then(Value::as_array_mut).into_iter().flatten();
            for (n, name) in zones.filter_map(|zone| zone.get_mut("name")).enumerate() {
                *name = json!(format!("zone {}", n + 1));
            }
            value
        });
        match written.map_err(|why| why.to_string()).and_then(|value| toml::to_string(&value).map_err(|why| why.to_string())) {
            Ok(text) => self.page("gladhand.toml", text),
            Err(why) => self.missing.push(format!("the configuration: {why}")),
        }
    }

    /// What the daemon says; of one that does not, what its store holds.
    fn daemon(&mut self, config: &Config, output: &Path, now: UnixMillis) {
        let daemon = Daemon::of(config);
        let health = match daemon.get("/health") {
            Ok(health) => health,
            Err(why) => {
                self.missing.push(format!("what the daemon says: {}", in_words(why)));
                match stored(&config.gateway.state_dir, output, now) {
                    Ok(calls) => self.json("calls.json", listed(&calls, "calls", &OF_A_CALL)),
                    Err(why) => self.missing.push(format!("calls: {why}")),
                }
                return;
            }
        };
        self.page("status.txt", status::summary(&health));
        if let Ok(health) = Health::deserialize(&health) {
            self.page("metrics.txt", metrics::text(&health));
        }
        self.json("health.json", health);
        for (name, path, key, fields) in [
            ("calls.json", "/calls?all=true", "calls", &OF_A_CALL[..]),
            ("violations.json", "/violations", "violations", &OF_A_VIOLATION),
            ("roster.json", "/roster", "assignments", &OF_AN_ASSIGNMENT),
        ] {
            match daemon.get(path) {
                Ok(answer) => self.json(name, listed(&answer, key, fields)),
                Err(why) => self.missing.push(format!("{name}: {}", in_words(why))),
            }
        }
        match daemon.get("/units") {
            Ok(units) => self.json("units.json", units),
            Err(why) => self.missing.push(format!("units.json: {}", in_words(why))),
        }
    }

    async fn other_programs(&mut self) {
        let journal = ["-u", "gladhand", "-n", LINES, "--no-pager", "-o", "short-iso"];
        match output_of("journalctl", &journal).await {
            Ok(text) => {
                let text = self.without_secrets(&text).lines().map(line).collect();
                self.page("journal.txt", text);
            }
            Err(why) => self.missing.push(format!("the journal: {why}")),
        }
        for (name, args) in [
            ("service.txt", &["systemctl", "show", "gladhand", "mosquitto", "--no-pager", "-p", SHOWN][..]),
            ("clock.txt", &["timedatectl", "show"]),
        ] {
            let (program, args) = args.split_first().unwrap_or((&"", &[]));
            match output_of(program, args).await {
                Ok(text) => self.page(name, text),
                Err(why) => self.missing.push(format!("{name}: {why}")),
            }
        }
    }

    fn about(&mut self, now: UnixMillis) {
        let mut about = format!("gladhand {} on {}\n\n", env!("CARGO_PKG_VERSION"), now.iso8601());
        about.push_str("Left out: telephone numbers, secrets, names of people, what was said, where trailers and yards are.\n");
        about.push_str("In what calls, configuration and journal say, runs of seven digits or more are masked.\n");
        for missing in &self.missing {
            let _ = writeln!(about, "Not here: {missing}");
        }
        self.page("about.txt", about);
    }

    fn json(&mut self, name: &str, value: Value) {
        let text = table::json(&self.masked("", value));
        self.page(name, text);
    }

    fn page(&mut self, name: &str, text: String) {
        self.pages.push((name.to_owned(), self.without_secrets(&text)));
    }

    fn without_secrets(&self, text: &str) -> String {
        without_who(&self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.expose(), "***")))
    }

    /// Without secrets and places, without numbers in any text but the ids of units, and without what is absent, which TOML cannot
    /// write.
    /// Secrets first: one that has lost some digits would not be known any more.
    fn masked(&self, key: &str, value: Value) -> Value {
        match value {
            Value::Null => value,
            _ if PLACES.contains(&key) => Value::String("***".to_owned()),
            Value::String(text) if IDS.contains(&key) => Value::String(self.without_secrets(&text)),
            Value::String(text) => Value::String(without_numbers(&self.without_secrets(&text))),
            Value::Array(items) => items.into_iter().map(|item| self.masked(key, item)).collect(),
            Value::Object(fields) => fields
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| {
                    let value = self.masked(&key, value);
                    (key, value)
                })
                .collect(),
            Value::Bool(_) | Value::Number(_) => value,
        }
    }

    fn write(&self, archive: File, name: &str, now: UnixMillis) -> io::Result<()> {
        let mut archive = tar::Builder::new(GzEncoder::new(archive, Compression::default()));
        for (page, text) in &self.pages {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o600);
            header.set_mtime(u64::try_from(now.0 / 1000).unwrap_or_default());
            archive.append_data(&mut header, format!("{name}/{page}"), text.as_bytes())?;
        }
        archive.into_inner()?.finish()?.flush()
    }
}

/// What `systemctl show` is asked for.
const SHOWN: &str = "Id,LoadState,ActiveState,SubState,Result,StatusText,NRestarts,ExecMainStatus,ExecMainStartTimestamp,\
                     WatchdogTimestamp,MemoryCurrent,MemoryPeak,CPUUsageNSec,UnitFileState";

/// A list under `key`, of each entry these fields, and the id of its driver.
fn listed(answer: &Value, key: &str, fields: &[&str]) -> Value {
    let entries = table::list(answer, key).iter().map(|entry| {
        let kept = fields.iter().filter_map(|field| Some(((*field).to_owned(), entry.get(*field)?.clone())));
        let driver = entry.pointer("/driver/id").map(|id| ("driver_id".to_owned(), id.clone()));
        Value::Object(kept.chain(driver).collect::<Map<_, _>>())
    });
    json!({ key: entries.collect::<Vec<_>>() })
}

/// A line of the journal: time and place as they are, the words without numbers. Positions stand behind `position=`, and that
/// at debug only.
fn line(line: &str) -> String {
    let (place, words) = line.split_once(": ").unwrap_or(("", line));
    let words = words.split_once("position=").map_or_else(|| words.to_owned(), |(before, _)| format!("{before}position=***"));
    let words: String = without_numbers(&words).chars().take(LINE).collect();
    format!("{place}: {words}\n")
}

/// The calls of a copy of the store: looking must not repair anything, and the copy may be another user's.
fn stored(state_dir: &Path, output: &Path, now: UnixMillis) -> Result<Value, String> {
    let copy = output.with_extension(format!("{}.store", std::process::id()));
    let made = DirBuilder::new().mode(0o700).create(&copy).and_then(|()| copy_into(state_dir, &copy));
    let calls = made.map_err(|why| format!("{}: {why}", state_dir.display())).and_then(|()| {
        calls::stored(&copy)
            .map_err(in_words)
            .map(|calls| json!({ "calls": calls.iter().map(|call| call.listing(now)).collect::<Vec<_>>() }))
    });
    // Nothing else knows of it.
    let _ = fs::remove_dir_all(&copy);
    calls
}

/// The database and its second copy; neither the ballast nor what was set aside.
fn copy_into(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        let target = to.join(&name);
        if kind.is_file() && name != "ballast" {
            fs::copy(entry.path(), target)?;
        } else if kind.is_dir() && !name.to_string_lossy().contains(".corrupt-") {
            DirBuilder::new().mode(0o700).create(&target)?;
            copy_into(&entry.path(), &target)?;
        }
    }
    Ok(())
}

/// Versions, disk and clock.
fn machine(state_dir: &Path) -> String {
    let mut text = format!("gladhand {}\n", env!("CARGO_PKG_VERSION"));
    for file in
        ["/etc/os-release", "/proc/version", "/proc/device-tree/model", "/proc/uptime", "/proc/loadavg", "/etc/debian_version"]
    {
        if let Ok(found) = fs::read_to_string(file) {
            let _ = writeln!(text, "\n{file}\n{}", found.trim_matches(['\0', '\n']));
        }
    }
    let synchronised = Path::new("/run/systemd/timesync/synchronized").exists();
    let _ = writeln!(
        text,
        "\nclock {} (Unix {}), synchronised by timesyncd: {synchronised}",
        clock::wall().iso8601(),
        clock::wall().0 / 1000
    );
    for rtc in fs::read_dir("/sys/class/rtc").into_iter().flatten().flatten() {
        let since_epoch = fs::read_to_string(rtc.path().join("since_epoch")).unwrap_or_default();
        let _ = writeln!(text, "{}: {}", rtc.file_name().to_string_lossy(), since_epoch.trim());
    }
    let _ = writeln!(text, "\n{}", table::json(&json!(gauges::read(state_dir))).trim_end());
    let _ = writeln!(text, "\n{}", state_dir.display());
    list_files(state_dir, &mut text);
    text
}

fn list_files(dir: &Path, text: &mut String) {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(why) => {
            let _ = writeln!(text, "{}: {why}", dir.display());
            return;
        }
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            list_files(&path, text);
        } else {
            let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
            let _ = writeln!(text, "{bytes:>10} {}", path.display());
        }
    }
}

async fn output_of(program: &str, args: &[&str]) -> Result<String, String> {
    let run = Command::new(program).args(args).kill_on_drop(true).stdin(std::process::Stdio::null()).output();
    match timeout(PATIENCE, run).await {
        Ok(Ok(output)) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(Ok(output)) => Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Ok(Err(why)) => Err(format!("{program}: {why}")),
        Err(_) => Err(format!("{program} takes longer than {} s", PATIENCE.as_secs())),
    }
}

fn in_words(failure: Failure) -> String {
    match failure {
        Failure::Failed(why) => why,
        Failure::Reported { text, .. } => text,
        Failure::Malformed(errors) => errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    }
}

/// Who acknowledged is a person: the name ends with the text, the line, the JSON string or the parenthesis that it stands in.
fn without_who(text: &str) -> String {
    const BY: &str = "acknowledged by ";
    let mut parts = text.split(BY);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(['"', ')', '\n']).unwrap_or(part.len());
        out.push_str(BY);
        out.push_str("***");
        out.push_str(part.get(end..).unwrap_or_default());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_masked_in_every_text_but_ids_of_units() {
        let value = json!({
            "reason": "called 212-555 0123", "key": "sk_0123456789", "absent": null, "unit": "352093081452251", "with": ["352093081452252"], "at": 1_763_569_135.25,
            "list": ["+12125550123", {"deep": "(212) 555.0123", "center": [27.6, -99.4]}], "lat": null,
        });
        let expected = json!({
            "reason": "called ******", "key": "***", "unit": "352093081452251", "with": ["352093081452252"], "at": 1_763_569_135.25,
            "list": ["+******", {"deep": "(******", "center": "***"}],
        });
        let secrets = vec![Secret::new("sk_0123456789").unwrap()];
        let bundle = Bundle { pages: Vec::new(), missing: Vec::new(), secrets };
        assert_eq!(bundle.masked("", value), expected);
    }

    #[test]
    fn a_line_of_the_journal_keeps_its_time() {
        let told = "2026-11-30T23:33:30+0000 yard gladhand[8123456]: to +12125550123: no";
        assert_eq!(line(told), "2026-11-30T23:33:30+0000 yard gladhand[8123456]: to +******: no\n");
        let told = "2026-11-30T23:33:30+0000 yard gladhand[8]: decided position=Some(Position { lat: 27.6, lon: -99.4 }) \"x\"";
        assert_eq!(line(told), "2026-11-30T23:33:30+0000 yard gladhand[8]: decided position=***\n");
        assert_eq!(line("-- Boot 8f1234567 --"), ": -- Boot 8f****** --\n");
    }

    #[test]
    fn of_a_list_only_what_is_named_is_kept() {
        let answer =
            json!({"calls": [{"call_sid": "a", "prompt": "x", "driver": {"id": "D", "name": "Jane"}, "phone_masked": "+1"}]});
        assert_eq!(listed(&answer, "calls", &OF_A_CALL), json!({"calls": [{"call_sid": "a", "driver_id": "D"}]}));
    }
}
