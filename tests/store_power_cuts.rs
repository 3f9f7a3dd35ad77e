//! The power fails at any moment of 200 calls, and once more while the store recovers: what had left the daemon by a socket
//! still holds, and nobody is rung twice. Single damages of the disk are never silent.
//!
//! Needs a kit that records what a program writes and sends, and rebuilds the disk as a power cut could leave it:
//! `GLADHAND_POWERCUT=DIRECTORY make powercut`. `GLADHAND_CUTS` is the number of cuts for each model of a disk (3,000).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "figures and failures for the one who waits for them")]

#[path = "common/daemon.rs"]
mod daemon;
#[path = "common/machine.rs"]
mod machine;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::time::Duration;
use std::{env, fs};

use daemon::{Gateway, HEALTH, Heard, REQUEST, Setup};
use gladhand::core::calls::{Call, State};
use gladhand::core::machine::{Effect, Input, Machine, Output};
use gladhand::core::time::{Mono, Now, UnixMillis};
use gladhand::host::clock;
use gladhand::standin::{Fault, Reply};
use gladhand::store::{Health, Opened, Store};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the checker of a rebuilt disk is told by the environment.
const DISK: &str = "GLADHAND_JUDGE_DISK";
const MARKERS: &str = "GLADHAND_JUDGE_MARKERS";
const HISTORY: &str = "GLADHAND_JUDGE_HISTORY";

const SETUP: Setup = Setup {
    level: "info",
    calls: "rate_per_minute = 600\nmax_concurrent = 50\nmax_age = \"24h\"\nverify_after = [\"12h\"]",
    agent: true,
    key: true,
    roster: true,
    uplink: false,
    access: "topic readwrite #\npattern readwrite #\n",
};

/// The whole of what happened in the recorded life.
#[derive(Default, Serialize, Deserialize)]
struct History {
    at: i64,
    /// Every state of every call, in order.
    calls: BTreeMap<String, Vec<State>>,
    /// Whose call was asked for by the messages that the daemon heard, in order; `None` for any other message.
    published: Vec<Option<String>>,
}

#[tokio::test]
#[ignore = "needs the kit, and an hour: `make powercut`"]
async fn no_cut_and_no_damage_breaks_a_promise() {
    let kit = Kit::new(&env::var_os("GLADHAND_POWERCUT").expect("GLADHAND_POWERCUT names the directory of the kit"));
    let cuts: usize = env::var("GLADHAND_CUTS").map_or(3000, |cuts| cuts.parse().unwrap());

    let log = kit.path("calls.log");
    let history = record_200_calls(&kit, &log).await;
    let history_file = kit.path("history.json");
    fs::write(&history_file, serde_json::to_vec(&history).unwrap()).unwrap();
    for model in ["ext4", "strict"] {
        println!("== {cuts} cuts, {model}");
        kit.explore(&log, model, cuts, 1, &judge(&history_file, "{markers}"));
    }

    // Each recovery is some dozens of writes: 60 cuts of each are all that differ.
    let recoveries = (cuts / 100).max(1);
    let records = kit.records(&log);
    for number in 0..recoveries {
        let model = if number % 2 == 0 { "ext4" } else { "strict" };
        // Spread over the whole life, the subseed choosing what the cut left.
        let spec = format!("{}:{}", records * (number + 1) / (recoveries + 1), 7 * number + 1);
        let disk = kit.path(&format!("recovery-{number}"));
        kit.run(&["rebuild", "--log", text(&log), "--spec", &spec, "--model", model, "--out", text(&disk)]);
        let again = kit.path(&format!("recovery-{number}.log"));
        kit.record_start(&disk, &again);
        println!("== 60 cuts during the recovery of {spec}, {model}");
        let markers = format!("{}.markers:{{markers}}", disk.display());
        kit.explore(&again, model, 60, number as u64, &judge(&history_file, &markers));
    }

    let (disk, expected) = killed_with_calls_in_every_state().await;
    let expected_file = kit.path("expected.json");
    fs::write(&expected_file, serde_json::to_vec(&expected).unwrap()).unwrap();
    println!("== {} damages", cuts / 5);
    let checker = checker("judge_damage", disk.path(), &expected_file);
    kit.run(&["damage", "--src", text(disk.path()), "--n", &(cuts / 5).to_string(), "--seed", "1", "--checker", &checker]);
}

/// A daemon's life in which calls reach every state, all that it writes and sends being recorded.
async fn record_200_calls(kit: &Kit, log: &Path) -> History {
    let mut gateway = Gateway::prepare(SETUP).await;
    let state = gateway.path("state");
    fs::create_dir(&state).unwrap();
    let record = ["record", "--dir", text(&state), "--log", text(log), "--net", "--kill-after", "600", "--"];
    let args = [&record[..], &["setpriv", "--pdeathsig", "KILL"]].concat();
    gateway.spawn_under(text(&kit.program), &args);
    // Nothing that it hears may come from us before the first message counted here.
    gateway.watch.message("it to be subscribed", |said| said.topic == HEALTH && said.is("/mqtt/connected", true)).await;
    let mut published = Vec::new();

    // No uplink: what is asked for waits. Some of it is called off.
    for n in 0..60 {
        gateway.watch.publish(REQUEST, request(&driver(n)), false).await;
        published.push(Some(driver(n)));
        if n % 6 == 5 {
            let call_sid = pending(&mut gateway, &driver(n)).await;
            gateway.watch.publish(&format!("gladhand/calls/{call_sid}/cancel"), "", false).await;
            published.push(None);
        }
    }
    for n in 60..100 {
        let accepted = gateway.ask("POST", "/driver_data/call-elevenlabs", &request(&driver(n))).await;
        assert_eq!(accepted.status, 202);
        if n % 6 == 5 {
            let path = format!("/calls/{}/cancel", accepted.body["call_sid"].as_str().unwrap());
            assert_eq!(gateway.ask("POST", &path, "").await.status, 200);
        }
    }
    // The uplink is back, and not everything goes well.
    let faults = (0..80).map(|n| match n % 16 {
        3 => Fault::status(422, "invalid_phone_number"),
        6 => Fault::new(Reply::NullIds),
        9 => Fault::new(Reply::Drop).dialled(),
        12 => Fault::status(500, "internal").after(Duration::from_millis(50)),
        15 => Fault::status(429, "rate_limit_exceeded"),
        _ => Fault::new(Reply::Usual),
    });
    gateway.vendor.set_faults(faults);
    gateway.vendor.up().await.unwrap();
    for (topic, payload) in gateway.recording.fixes() {
        gateway.watch.publish(&topic, payload, false).await;
        published.push(None);
    }
    for n in 100..199 {
        if n % 3 == 0 {
            let accepted = gateway.ask("POST", "/driver_data/call-elevenlabs", &request(&driver(n))).await;
            assert_eq!(accepted.status, 202);
        } else {
            gateway.watch.publish(REQUEST, request(&driver(n)), false).await;
            published.push(Some(driver(n)));
            pending(&mut gateway, &driver(n)).await;
        }
    }
    gateway.watch.message("the violation", Heard::opened).await;
    let mut states = BTreeMap::new();
    let mut looked_at = 0;
    loop {
        for said in &gateway.watch.heard[looked_at..] {
            if said.topic.starts_with("gladhand/calls/EL_")
                && let Ok(state) = serde_json::from_value(said.json["state"].clone())
            {
                states.entry(said.text("/call_sid").to_owned()).or_insert_with(Vec::new).push(state);
            }
        }
        looked_at = gateway.watch.heard.len();
        let ended = |states: &Vec<State>| states.last().is_some_and(|s: &State| s.is_final() || *s == State::Unknown);
        if states.len() == 200 && states.values().all(ended) {
            break;
        }
        gateway.watch.next_message("the calls to end", looked_at, |said| said.topic.starts_with("gladhand/calls/")).await;
    }
    let every: BTreeSet<State> = states.values().flatten().copied().collect();
    for state in
        [State::Pending, State::Dialing, State::Unknown, State::Placed, State::Concluded, State::Failed, State::Cancelled]
    {
        assert!(every.contains(&state), "no call was ever {state}");
    }
    kit.keep_config(&gateway);
    gateway.stop_under().await;
    kit.run(&["verify", "--log", text(log)]);
    kit.run(&["stats", "--log", text(log)]);
    History { at: clock::wall().0, calls: states, published }
}

/// A state directory as SIGKILL left it, and every call in it.
async fn killed_with_calls_in_every_state() -> (tempfile::TempDir, BTreeMap<String, State>) {
    let mut gateway = Gateway::start(Setup { uplink: true, ..SETUP }).await;
    for n in 0..50 {
        gateway.watch.publish(REQUEST, request(&driver(n)), false).await;
    }
    let ended = |said: &Heard| said.topic == HEALTH && said.json.pointer("/calls/concluded").is_some_and(|n| *n == 50);
    gateway.watch.message("50 calls to end", ended).await;
    gateway.vendor.down().await;
    for n in 50..100 {
        gateway.watch.publish(REQUEST, request(&driver(n)), false).await;
        pending(&mut gateway, &driver(n)).await;
    }
    gateway.kill().await;
    let dir = tempfile::tempdir().unwrap();
    copy(&gateway.path("state"), dir.path());
    // Opened in a copy, so that what is damaged is what SIGKILL left.
    let look = tempfile::tempdir().unwrap();
    copy(dir.path(), look.path());
    let expected: BTreeMap<_, _> =
        calls(&Store::open(look.path()).unwrap()).into_iter().map(|call| (call.call_sid.to_string(), call.state)).collect();
    assert_eq!(expected.len(), 100);
    (dir, expected)
}

/// Judges one disk after a power cut. Started by the kit.
#[test]
#[ignore = "a part of the test above"]
fn judge_cut() {
    let history: History = serde_json::from_slice(&fs::read(env::var(HISTORY).unwrap()).unwrap()).unwrap();
    let mut left = Vec::new();
    let markers = env::var(MARKERS).unwrap();
    let recovered = markers.contains(':');
    for file in markers.split(':') {
        left.extend(fs::read(file).unwrap());
        left.push(b'\n');
    }
    let opened = Store::open(Path::new(&env::var(DISK).unwrap())).unwrap_or_else(|why| guilty(&format!("does not open: {why}")));
    if opened.health != Health::Ok {
        guilty(&format!("an alarm after a mere power cut: {:?}, {:?}", opened.health, opened.notes));
    }
    let calls: BTreeMap<String, Call> = calls(&opened).into_iter().map(|call| (call.call_sid.to_string(), call)).collect();
    let drivers: BTreeSet<&str> = calls.values().map(|call| call.driver.id.as_str()).collect();
    let seen = Seen::read(&left);

    for driver in seen.acknowledged.iter().filter_map(|id| history.published.get(usize::from(*id) - 1)?.as_ref()) {
        if !drivers.contains(driver.as_str()) {
            guilty(&format!("LOST: the request for {driver} was acknowledged to the broker"));
        }
    }
    if seen.opened && !drivers.contains("DR103") {
        guilty("LOST: the violation was announced");
    }
    for (call_sid, told) in &seen.told {
        let Some(call) = calls.get(call_sid) else { guilty(&format!("LOST: {call_sid} was told to be {told:?}")) };
        let states = &history.calls[call_sid];
        let furthest = told.iter().filter_map(|told| states.iter().position(|state| state == told)).max().unwrap_or(0);
        if !states.iter().skip(furthest).any(|state| may_stand_for(call.state, *state, recovered)) {
            guilty(&format!("RESURRECTED: {call_sid} was told to be {}, and is {}", states[furthest], call.state));
        }
    }

    // What a daemon would do with this disk, with the broker saying again what it may say again.
    let kept = opened.entries.iter().map(|e| (e.key.clone(), (e.revision, e.bytes.clone()))).collect();
    let now = Now { mono: Mono(Duration::from_secs(1)), wall: UnixMillis(history.at), trusted: true };
    let (mut machine, unread) = machine::start(2, &kept, now);
    if !unread.is_empty() {
        guilty(&format!("cannot be read: {unread:?}"));
    }
    for driver in history.published.iter().flatten() {
        let payload = request(driver);
        machine.handle(Input::Message { topic: REQUEST, payload: payload.as_bytes(), retained: false }, now);
    }
    let (mut owed, mut drivers) = (0, BTreeSet::new());
    for call in machine_calls(&mut machine, now) {
        owed += 1;
        drivers.insert(call["driver"]["id"].to_string());
    }
    if owed != drivers.len() {
        guilty(&format!("TWICE: {} drivers are owed {owed} calls", drivers.len()));
    }
}

/// Judges one disk after damage. Started by the kit.
#[test]
#[ignore = "a part of the test above"]
fn judge_damage() {
    let expected: BTreeMap<String, State> = serde_json::from_slice(&fs::read(env::var(HISTORY).unwrap()).unwrap()).unwrap();
    let opened = Store::open(Path::new(&env::var(DISK).unwrap())).unwrap_or_else(|why| guilty(&format!("does not open: {why}")));
    let calls: BTreeMap<String, State> = calls(&opened).into_iter().map(|call| (call.call_sid.to_string(), call.state)).collect();
    let open = |states: &BTreeMap<String, State>| -> BTreeSet<String> {
        states.iter().filter(|(_, state)| !state.is_final()).map(|(call_sid, _)| call_sid.clone()).collect()
    };
    let (owed, found) = (open(&expected), open(&calls));
    if !found.is_subset(&owed) {
        guilty("RESURRECTED: a call that had ended");
    }
    let lost = owed.difference(&found).count();
    if lost > 0 && opened.health == Health::Ok {
        guilty(&format!("SILENT: {lost} calls lost"));
    }
    let health = match opened.health {
        Health::Ok => "ok",
        Health::Repaired { .. } => "repaired",
        Health::Quarantined { .. } => "quarantined",
    };
    // What is found, and what is written from now on, lasts.
    let mut store = opened.store;
    let value = gladhand::core::record::Value { revision: 1, bytes: b"new".to_vec(), precious: false };
    store.commit(&[gladhand::core::record::Change { key: "pair/new".to_owned(), value: Some(value) }]).unwrap();
    drop(store);
    let again = Store::open(Path::new(&env::var(DISK).unwrap())).unwrap_or_else(|why| guilty(&format!("no more: {why}")));
    let mut entries = opened.entries;
    entries.extend(again.entries.iter().find(|entry| entry.key == "pair/new").cloned());
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    if again.health != Health::Ok || again.entries != entries || entries.len() < 2 {
        guilty(&format!("NOT LASTING: {:?}, {:?}", again.health, again.notes));
    }
    judged(&format!("{health}, {}", if lost > 0 { "calls lost, and said" } else { "every call is there" }), 0);
}

/// Whether a stored state may stand where a call had got to: whether it is held is a matter of the moment, and an attempt that
/// was under way is unknown to the next start. A daemon that has recovered leads calls on in its own way.
fn may_stand_for(stored: State, reached: State, recovered: bool) -> bool {
    let moment = |state| if state == State::Held { State::Pending } else { state };
    let next = if reached == State::Dialing { State::Unknown } else { reached };
    moment(stored) == moment(reached) || stored == next || (recovered && leads_to(next).contains(&stored))
}

fn leads_to(from: State) -> BTreeSet<State> {
    let mut reached = BTreeSet::from([from]);
    while let Some(next) =
        State::ALL.into_iter().find(|next| !reached.contains(next) && reached.iter().any(|state| state.may_become(*next)))
    {
        reached.insert(next);
    }
    reached
}

/// What left the daemon by its sockets before the cut.
#[derive(Default)]
struct Seen {
    /// The broker's numbers of the messages that were acknowledged to it.
    acknowledged: BTreeSet<u16>,
    /// Whether the violation was announced.
    opened: bool,
    /// What was told of calls: by an answer to whoever asked for one, on the broker, or by dialling.
    told: BTreeMap<String, BTreeSet<State>>,
}

impl Seen {
    /// Reads the heads of everything that was sent, one after the other, each begun by `NET `.
    fn read(mut left: &[u8]) -> Self {
        let mut seen = Self::default();
        while let Some(at) = find(left, b"NET ") {
            left = &left[at + 4..];
            let sent = &left[..find(left, b"\nNET ").unwrap_or(left.len())];
            seen.take(sent);
        }
        seen
    }

    fn take(&mut self, sent: &[u8]) {
        if matches!(sent.first(), Some(0x30..=0x40)) {
            self.take_packets(sent);
        }
        let words = String::from_utf8_lossy(sent);
        // An answer on the control socket, whose names are in alphabetical order.
        for call_sid in quoted_after(&words, r#""call_sid":""#, r#"","conversation_id":"#) {
            self.told.entry(call_sid).or_default().insert(State::Pending);
        }
        // The POST.
        for call_sid in quoted_after(&words, r#""user_id":""#, r#"","#) {
            self.told.entry(call_sid).or_default().insert(State::Dialing);
        }
        for told in words.split(r#"{"call_sid":""#).skip(1) {
            if let Some((call_sid, rest)) = told.split_once(r#"","state":""#)
                && let Some((state, _)) = rest.split_once('"')
                && let Ok(state) = serde_json::from_value(state.into())
            {
                self.told.entry(call_sid.to_owned()).or_default().insert(state);
            }
        }
        self.opened |= words.contains("gladhand/violations/") && words.contains(r#""event":"opened""#);
    }

    /// As many packets of MQTT as stand here whole.
    fn take_packets(&mut self, mut packets: &[u8]) {
        while let [kind, length, rest @ ..] = packets {
            let (length, rest) = match (length, rest) {
                (0..=127, _) => (usize::from(*length), rest),
                (_, [more @ 0..=127, rest @ ..]) => (usize::from(length & 127) + 128 * usize::from(*more), rest),
                (_, _) => return,
            };
            let Some((packet, rest)) = rest.split_at_checked(length) else { return };
            if let (0x40, [high, low, ..]) = (kind, packet) {
                self.acknowledged.insert(u16::from_be_bytes([*high, *low]));
            }
            packets = rest;
        }
    }
}

/// The kit, copied to where it may leave its files.
struct Kit {
    program: PathBuf,
    dir: tempfile::TempDir,
}

impl Kit {
    fn new(from: &std::ffi::OsStr) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["powercut", "pcshim.c"] {
            fs::copy(Path::new(from).join(name), dir.path().join(name)).expect("the kit is there");
        }
        Self { program: dir.path().join("powercut"), dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, args: &[&str]) {
        let status = Command::new(&self.program).args(args).status().unwrap();
        assert!(status.success(), "{args:?}: {status}");
    }

    fn explore(&self, log: &Path, model: &str, cuts: usize, seed: u64, checker: &str) {
        let (cuts, seed) = (cuts.to_string(), seed.to_string());
        self.run(&["explore", "--log", text(log), "--model", model, "--cuts", &cuts, "--seed", &seed, "--checker", checker]);
    }

    fn records(&self, log: &Path) -> usize {
        let output = Command::new(&self.program).args(["stats", "--log", text(log)]).output().unwrap();
        let stats: Value = serde_json::from_slice(&output.stdout).unwrap();
        stats["records"].as_u64().unwrap().try_into().unwrap()
    }

    /// Keeps the configuration of the recorded daemon for one whose disk is another, and who finds neither broker nor vendor.
    fn keep_config(&self, gateway: &Gateway) {
        let config = gateway.read("gladhand.toml");
        let nobody = config
            .replace(text(&gateway.path("gladhand.sock")), text(&self.path("recovery.sock")))
            .replace(text(&gateway.path("state")), "STATE")
            .replace(&gateway.vendor.base_url(), "http://127.0.0.1:1")
            .replace(&format!("port = {}", gateway.broker.port()), "port = 1");
        fs::write(self.path("template.toml"), nobody).unwrap();
        fs::write(self.path("roster.toml"), gateway.read("roster.toml")).unwrap();
    }

    /// Records the start of a daemon on this disk.
    fn record_start(&self, disk: &Path, log: &Path) {
        let config = self.path("recovery.toml");
        let words = fs::read_to_string(self.path("template.toml")).unwrap();
        fs::write(&config, words.replace("STATE", text(disk))).unwrap();
        let status = Command::new(&self.program)
            .args(["record", "--dir", text(disk), "--log", text(log), "--net", "--kill-after", "1", "--"])
            .args([env!("CARGO_BIN_EXE_gladhand"), "--config", text(&config), "run"])
            .env("ELEVENLABS_API_KEY", gladhand::standin::KEY)
            .status()
            .unwrap();
        assert!(status.success(), "{status}");
    }
}

fn judge(history: &Path, markers: &str) -> String {
    format!("env {MARKERS}={markers} {}", checker("judge_cut", Path::new("{dir}"), history))
}

/// The command by which the kit has a disk judged: this very program.
fn checker(test: &str, disk: &Path, history: &Path) -> String {
    let disk = if test == "judge_damage" { Path::new("{dir}") } else { disk };
    let program = env::current_exe().unwrap();
    let (disk, history, program) = (disk.display(), history.display(), program.display());
    format!("env {DISK}={disk} {HISTORY}={history} {program} --exact {test} --ignored --nocapture")
}

fn guilty(why: &str) -> ! {
    judged(why, 1)
}

/// The kit notes the last line, and how the program ended.
fn judged(words: &str, code: i32) -> ! {
    println!("{words}");
    exit(code)
}

fn driver(n: usize) -> String {
    format!("DP{n:03}")
}

fn request(driver: &str) -> String {
    let phone = driver.trim_start_matches("DP");
    format!(
        r#"{{"drivers":[{{"driverId":"{driver}","driverName":"Jane Doe","phoneNumber":"+12125550{phone}",
        "violations":{{"violationDetails":[{{"type":"FUEL_REMINDER","description":"Fuel up before the border"}}]}}}}]}}"#
    )
}

/// Waits until the driver's call is owed.
async fn pending(gateway: &mut Gateway, driver: &str) -> String {
    gateway
        .watch
        .message("the call", |said| said.call("pending") && said.is("/driver/id", driver))
        .await
        .text("/call_sid")
        .to_owned()
}

fn calls(opened: &Opened) -> Vec<Call> {
    let calls = opened.entries.iter().filter(|entry| entry.key.starts_with("call/"));
    calls
        .map(|entry| serde_json::from_slice(&entry.bytes).unwrap_or_else(|why| guilty(&format!("{}: {why}", entry.key))))
        .collect()
}

fn machine_calls(machine: &mut Machine, now: Now) -> Vec<Value> {
    machine.handle(Input::Ask { id: 1, ask: gladhand::core::control::Ask::Calls { all: true } }, now);
    let mut calls = Vec::new();
    while let Some(output) = machine.poll_output() {
        if let Output::Do(Effect::Answer { answer, .. }) = output {
            calls = answer.body["calls"].as_array().unwrap().clone();
        }
    }
    calls
}

fn quoted_after(words: &str, before: &str, after: &str) -> Vec<String> {
    words.split(before).skip(1).filter_map(|rest| Some(rest.split_once(after)?.0.to_owned())).collect()
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        if item.file_type().unwrap().is_dir() {
            copy(&item.path(), &to.join(item.file_name()));
        } else {
            fs::copy(item.path(), to.join(item.file_name())).unwrap();
        }
    }
}
