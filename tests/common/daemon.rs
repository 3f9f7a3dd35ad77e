//! A gateway for one test: the daemon as a process of its own, a private mosquitto, the stand-in for the vendor, and a
//! listener who hears everything that is said on the broker. Own directory, own ports, gone with the test.
//!
//! ```ignore
//! #[path = "common/daemon.rs"]
//! mod daemon;
//!
//! let mut gateway = Gateway::start(Setup::default()).await;
//! let recording = Recording::ending_now();
//! gateway.play(&recording).await;
//! gateway.watch.message("a call", |said| said.is("/state", "placed")).await;
//! ```
#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a helper of tests")]

#[path = "mosquitto.rs"]
mod mosquitto;

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use gladhand::api::client::{self, ClientError};
use gladhand::config::roster::Roster;
use gladhand::core::control::Answer;
use gladhand::core::zone::Zone;
use gladhand::host::clock;
use gladhand::mqtt::{self, Link, LinkEvent, NotSent, Ticket, Will};
use gladhand::rigs::{Kind, Stream, story, to_payload};
use gladhand::standin::{self, StandIn};
pub use mosquitto::Mosquitto;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// Nothing here takes as long on a machine that does anything at all.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What is tested.
const PROGRAM: &str = env!("CARGO_BIN_EXE_gladhand");

pub const HEALTH: &str = "te/device/main/service/gladhand/status/health";
pub const REQUEST: &str = "gladhand/calls/request";
pub const REJECTED: &str = "gladhand/calls/rejected";

/// What differs between tests.
pub struct Setup {
    /// `log.level`
    pub level: &'static str,
    /// Lines of `[calls]`.
    pub calls: &'static str,
    /// Whether `[elevenlabs]` names agent and number.
    pub agent: bool,
    /// Whether the environment holds the API key.
    pub key: bool,
    /// Whether `roster.toml` and `[[zone]]` hold what the recording is about.
    pub roster: bool,
    /// Whether the vendor can be reached from the beginning.
    pub uplink: bool,
    /// The broker's access list, for everybody.
    pub access: &'static str,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            level: "info",
            calls: "",
            agent: true,
            key: true,
            roster: true,
            uplink: true,
            access: "topic readwrite #\npattern readwrite #\n",
        }
    }
}

/// See the module.
pub struct Gateway {
    pub broker: Mosquitto,
    pub vendor: StandIn,
    pub watch: Watch,
    pub recording: Recording,
    key: bool,
    dir: TempDir,
    child: Option<Child>,
}

impl Gateway {
    /// Everything, and the daemon has said that it is subscribed.
    pub async fn start(setup: Setup) -> Self {
        let mut gateway = Self::prepare(setup).await;
        gateway.launch().await;
        gateway
    }

    /// Everything but the daemon.
    pub async fn prepare(setup: Setup) -> Self {
        let broker = Mosquitto::start_prepared("allow_anonymous true\nacl_file {dir}/access\n", |dir| {
            fs::write(dir.join("access"), setup.access).unwrap();
        });
        let mut vendor = StandIn::start((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        if !setup.uplink {
            vendor.down().await;
        }
        let dir = TempDir::new().unwrap();
        let recording = Recording::ending_now();
        let agent = if setup.agent { "agent_id = \"agent_1\"\nagent_phone_number_id = \"phnum_1\"" } else { "" };
        let config = format!(
            "[gateway]\nid = \"yard-7\"\nstate_dir = \"{state}\"\n[log]\nlevel = \"{level}\"\n[mqtt]\nport = {port}\n\
             [calls]\n{calls}\n[api]\nsocket = \"{socket}\"\n[elevenlabs]\nbase_url = \"{vendor}\"\n{agent}\n",
            state = dir.path().join("state").display(),
            level = setup.level,
            port = broker.port(),
            calls = setup.calls,
            socket = dir.path().join("gladhand.sock").display(),
            vendor = vendor.base_url(),
        );
        let watch = Watch::start_as("watch", broker.port()).await;
        let gateway = Self { broker, vendor, watch, recording, key: setup.key, dir, child: None };
        gateway.write("gladhand.toml", &config);
        if setup.roster {
            gateway.write("gladhand.toml", &format!("{config}{}", gateway.recording.zones()));
            gateway.write("roster.toml", &gateway.recording.roster());
        }
        gateway
    }

    /// Starts the daemon and waits until it is subscribed and says so.
    pub async fn launch(&mut self) {
        self.spawn();
        let pid = self.pid();
        let connected = |health: &Value| health["pid"] == pid && health.pointer("/mqtt/connected") == Some(&true.into());
        self.watch.health("this very process to be subscribed", connected).await;
    }

    /// Starts the daemon.
    pub fn spawn(&mut self) {
        let command = self.command();
        self.spawn_as(command);
    }

    /// Starts the daemon by a command that is given the daemon's as its last arguments, and leaves none behind when it is killed.
    pub fn spawn_under(&mut self, program: &str, args: &[&str]) {
        let mut command = self.command_of(program);
        command.args(args).arg(PROGRAM).arg("--config").arg(self.path("gladhand.toml"));
        self.spawn_as(command);
    }

    fn spawn_as(&mut self, mut command: Command) {
        assert!(self.child.is_none(), "it runs already");
        let log = File::options().create(true).append(true).open(self.path("log")).unwrap();
        command.arg("run").stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        if self.key {
            command.env("ELEVENLABS_API_KEY", standin::KEY);
        }
        self.child = Some(command.spawn().unwrap());
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().and_then(Child::id).expect("the daemon runs")
    }

    /// Whether the process that was started last still lives.
    pub fn lives(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// SIGKILL.
    pub async fn kill(&mut self) {
        self.child.take().expect("the daemon runs").kill().await.unwrap();
    }

    /// SIGTERM. Returns how it ended, and after how long.
    pub async fn stop(&mut self) -> (ExitStatus, Duration) {
        self.signal("TERM").await;
        self.ends().await
    }

    /// As [`Self::stop`], for one that was started by [`Self::spawn_under`] as the child of what is waited for.
    pub async fn stop_under(&mut self) -> (ExitStatus, Duration) {
        let pid = self.pid();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        send("TERM", children.trim()).await;
        self.ends().await
    }

    async fn ends(&mut self) -> (ExitStatus, Duration) {
        let asked = Instant::now();
        let mut child = self.child.take().expect("the daemon runs");
        let status = timeout(PATIENCE, child.wait()).await.expect("the daemon ends on SIGTERM").unwrap();
        (status, asked.elapsed())
    }

    pub async fn signal(&self, name: &str) {
        send(name, &self.pid().to_string()).await;
    }

    /// SIGTERM, and a new start.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.launch().await;
    }

    /// All that was logged so far, of every process that was started.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Every file below the directory, the store's included.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        gather(self.dir.path(), &mut found);
        found
    }

    /// Runs a command of the program on this gateway's configuration: exit code, standard output, standard error.
    pub async fn cli(&self, args: &[&str]) -> (Option<i32>, String, String) {
        self.cli_with(&[], args).await
    }

    /// The same, with more in its environment.
    pub async fn cli_with(&self, environment: &[(&str, &str)], args: &[&str]) -> (Option<i32>, String, String) {
        let mut command = self.command();
        command.envs(environment.iter().copied());
        let output = timeout(PATIENCE, command.args(args).output()).await.expect("the command ends").unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// A command that must succeed, with `--json`.
    pub async fn json(&self, args: &[&str]) -> Value {
        let (code, out, err) = self.cli(&[args, &["--json"]].concat()).await;
        assert_eq!(code, Some(0), "{args:?}: {err}");
        serde_json::from_str(&out).unwrap()
    }

    /// One exchange on the control socket.
    pub async fn ask(&self, method: &'static str, path: &str, body: &str) -> Answer {
        self.try_ask(method, path, body).await.unwrap()
    }

    /// The same, with a daemon that may not be there yet, or no longer.
    pub async fn try_ask(&self, method: &'static str, path: &str, body: &str) -> Result<Answer, ClientError> {
        let (socket, path, body) = (self.path("gladhand.sock"), path.to_owned(), body.to_owned());
        let ask = move || client::ask(&socket, method, &path, body.as_bytes(), PATIENCE);
        tokio::task::spawn_blocking(ask).await.unwrap()
    }

    /// Publishes all fixes of the recording as fast as the broker takes them.
    pub async fn play(&mut self) {
        for (topic, payload) in self.recording.fixes() {
            self.watch.publish(&topic, payload, false).await;
        }
        self.watch.settled().await;
    }

    /// Returns when the daemon is done with every message published so far, and all it had to say about them was heard.
    pub async fn settle(&mut self) {
        self.watch.publish(REQUEST, r#"{"drivers":"a mark in the order of messages"}"#, false).await;
        let heard = self.watch.heard.len();
        self.watch.next_message("the answer to a request that is refused", heard, |said| said.topic == REJECTED).await;
    }

    /// How many POSTs reached the vendor.
    pub fn posts(&self) -> usize {
        self.vendor.posts().len()
    }

    fn command(&self) -> Command {
        let mut command = self.command_of(PROGRAM);
        command.arg("--config").arg(self.path("gladhand.toml"));
        command
    }

    fn command_of(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.kill_on_drop(true);
        command.env_remove("ELEVENLABS_API_KEY").env_remove("CREDENTIALS_DIRECTORY").env_remove("NOTIFY_SOCKET");
        command
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the daemon said:\n{}", self.log());
        }
    }
}

async fn send(signal: &str, pid: &str) {
    let words = format!("kill -{signal} {pid}");
    assert!(Command::new("sh").arg("-c").arg(words).status().await.unwrap().success());
}

fn gather(dir: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, found);
        } else if path.is_file() {
            found.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
}

/// 24 minutes on the road that end now: T-101 hauls R-101, T-102 drops R-102 where it may, T-103 leaves R-103 behind, for
/// which driver DR103 is to be called, and nobody else.
pub struct Recording {
    stream: Stream,
}

impl Recording {
    pub fn ending_now() -> Self {
        Self { stream: story(clock::wall(), 7) }
    }

    /// Topic and payload, in the order in which a gateway hears them.
    pub fn fixes(&self) -> Vec<(String, String)> {
        self.stream
            .iter()
            .filter_map(|item| match &item.kind {
                Kind::Report(report) => Some((format!("fleet/{}/telemetry", report.unit), to_payload(report))),
                Kind::Traccar(_) | Kind::Assignment(_) | Kind::Trailer(_) | Kind::Zones(_) | Kind::Restart | Kind::Uplink(_) => {
                    None
                }
            })
            .collect()
    }

    /// Topic and payload of the assignments.
    pub fn assignments(&self) -> Vec<(String, String)> {
        let topic = |tractor: &str| format!("gladhand/assignments/{tractor}");
        let written = self.written().assignments;
        written.iter().map(|a| (topic(&a.tractor), serde_json::to_string(a).unwrap())).collect()
    }

    /// As `roster.toml`.
    pub fn roster(&self) -> String {
        toml::to_string(&self.written()).unwrap()
    }

    /// As `[[zone]]` in `gladhand.toml`.
    pub fn zones(&self) -> String {
        #[derive(serde::Serialize)]
        struct Zones {
            zone: Vec<Zone>,
        }
        let zones = |kind: &Kind| if let Kind::Zones(zones) = kind { zones.clone() } else { Vec::new() };
        toml::to_string(&Zones { zone: self.stream.iter().flat_map(|item| zones(&item.kind)).collect() }).unwrap()
    }

    fn written(&self) -> Roster {
        let assignment = |kind: &Kind| if let Kind::Assignment(a) = kind { Some((**a).clone()) } else { None };
        let assignments = self.stream.iter().filter_map(|item| assignment(&item.kind)).collect();
        Roster { assignments, trailers: Vec::new() }
    }
}

/// A message as it was heard.
#[derive(Clone, Debug)]
pub struct Heard {
    pub topic: String,
    pub payload: Vec<u8>,
    pub retained: bool,
    /// The payload, when it is JSON; otherwise null.
    pub json: Value,
}

impl Heard {
    /// Whether a value stands at a place.
    pub fn is(&self, pointer: &str, expected: impl Into<Value>) -> bool {
        self.json.pointer(pointer) == Some(&expected.into())
    }

    /// The text at a place; empty when there is none.
    pub fn text(&self, pointer: &str) -> &str {
        self.json.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether gladhand tells of a violation that was opened.
    pub fn opened(&self) -> bool {
        self.topic.starts_with("gladhand/violations/") && self.is("/event", "opened")
    }

    /// Whether gladhand tells that a call is in this state now.
    pub fn call(&self, state: &str) -> bool {
        self.topic.starts_with("gladhand/calls/") && self.is("/state", state)
    }
}

/// An MQTT client that hears everything, and speaks for trackers and back ends.
pub struct Watch {
    pub heard: Vec<Heard>,
    link: Link,
    tickets: u64,
}

impl Watch {
    /// Connects and subscribes to everything.
    pub async fn start_as(client_id: &str, port: u16) -> Self {
        let settings = mqtt::Settings { port, ..mqtt::Settings::default() };
        let will = Will { topic: "watch/gone".to_owned(), payload: "gone".into() };
        let mut link = mqtt::connect(&settings, client_id, None, will, vec!["#".to_owned()]);
        let subscribed = async { while !matches!(link.recv().await, LinkEvent::Subscribed) {} };
        timeout(PATIENCE, subscribed).await.expect("the broker lets the watch subscribe");
        Self { heard: Vec::new(), link, tickets: 0 }
    }

    /// Publishes at QoS 1, waiting for the connection or for room as need be.
    pub async fn publish(&mut self, topic: &str, payload: impl Into<Vec<u8>>, retain: bool) {
        let payload = payload.into();
        let patience = Instant::now() + PATIENCE;
        loop {
            self.tickets += 1;
            match self.link.publish(Ticket(self.tickets), topic, payload.clone(), retain) {
                Ok(()) => {
                    self.drain();
                    return;
                }
                Err(NotSent::Offline | NotSent::Full) => self.next(patience, "the broker to take a message").await,
                Err(why @ (NotSent::Topic | NotSent::TooLarge { .. })) => panic!("{topic}: {why}"),
            }
        }
    }

    /// Waits until the broker has acknowledged all that was published.
    pub async fn settled(&mut self) {
        let patience = Instant::now() + PATIENCE;
        while self.link.pending() > 0 {
            self.next(patience, "the broker to acknowledge").await;
        }
    }

    /// The first message that fits, of those that were heard and those that will be.
    pub async fn message(&mut self, what: &str, fits: impl Fn(&Heard) -> bool) -> Heard {
        self.next_message(what, 0, fits).await
    }

    /// The first message that fits, not counting the first `from` that were heard.
    pub async fn next_message(&mut self, what: &str, from: usize, fits: impl Fn(&Heard) -> bool) -> Heard {
        let patience = Instant::now() + PATIENCE;
        let mut looked_at = from;
        loop {
            if let Some(heard) = self.heard.iter().skip(looked_at).find(|heard| fits(heard)) {
                return heard.clone();
            }
            looked_at = self.heard.len();
            self.next(patience, what).await;
        }
    }

    /// The health that fits: what was said last, or the first of what is said from now on. Asks for it now and then.
    pub async fn health(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let patience = Instant::now() + PATIENCE;
        let mut looked_at = self.heard.iter().rposition(|heard| heard.topic == HEALTH).unwrap_or(self.heard.len());
        loop {
            let news = self.heard.iter().skip(looked_at).filter(|heard| heard.topic == HEALTH);
            if let Some(health) = news.map(|heard| &heard.json).find(|health| fits(health)) {
                return health.clone();
            }
            looked_at = self.heard.len();
            let until = patience.min(Instant::now() + Duration::from_millis(500));
            match timeout_at(until, self.link.recv()).await {
                Ok(event) => self.take(event),
                Err(_) if until == patience => self.in_vain(what),
                // Counters of telemetry are no reason to say it.
                Err(_) => self.publish("te/device/main/service/gladhand/cmd/health/check", "", false).await,
            }
        }
    }

    /// Takes in what has come, without waiting.
    pub fn drain(&mut self) {
        // What it does not wait for it hears of when it waits for something else.
        let mut context = Context::from_waker(Waker::noop());
        loop {
            let Poll::Ready(event) = pin!(self.link.recv()).poll(&mut context) else { return };
            self.take(event);
        }
    }

    /// How many of the messages heard so far fit.
    pub fn count(&self, fits: impl Fn(&Heard) -> bool) -> usize {
        self.heard.iter().filter(|heard| fits(heard)).count()
    }

    async fn next(&mut self, patience: Instant, what: &str) {
        match timeout_at(patience, self.link.recv()).await {
            Ok(event) => self.take(event),
            Err(_) => self.in_vain(what),
        }
    }

    fn in_vain(&self, what: &str) -> ! {
        let last = self.heard.iter().filter(|heard| !heard.topic.starts_with("fleet/")).rev().take(10);
        let last: Vec<_> = last.map(|h| format!("{} {}", h.topic, String::from_utf8_lossy(&h.payload))).collect();
        panic!("waited {PATIENCE:?} in vain for {what}; heard, the latest first:\n{}", last.join("\n"));
    }

    fn take(&mut self, event: LinkEvent) {
        if let LinkEvent::Message(message) = event {
            self.heard.push(Heard {
                topic: message.topic().to_owned(),
                payload: message.payload().to_vec(),
                retained: message.retained(),
                json: serde_json::from_slice(message.payload()).unwrap_or_default(),
            });
            self.link.ack(message.receipt());
        }
    }
}

/// Waits for something that no message tells of.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let patience = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < patience, "waited {PATIENCE:?} in vain for {what}");
        sleep(Duration::from_millis(1)).await;
    }
}
