//! The daemon in figures, behind a real mosquitto: resident memory and processor time, read from /proc.
//!
//! `cargo bench --bench daemon [-- small | large | flash]`
//!
//! * small: 200 units. Idle, after a flood of 100,000 messages, and at 500 messages a second for half a minute.
//! * large: 20,000 units in 10,000 pairs on the road, tractors every 10 s and trailers every 60 s for some 17 minutes: 72
//!   fixes of each tractor, as many as are ever kept, and all that the trailers sent.
//! * flash: what is written to disk, how often it is synced, how often the daemon wakes and what processor time it takes: for the
//!   whole life of a call, for telemetry of 200 units every 10 s, and for nothing. Syncs are counted by strace, where there is
//!   one; its own run costs processor time, so that is read without it.
//!
//! Resident memory is all of the process, its program and libraries included (9 MiB).
//!
//! `GLADHAND` names another binary to measure.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, reason = "measures how long something takes")]

#[path = "../tests/common/fleet.rs"]
mod fleet;
#[path = "../tests/common/mosquitto.rs"]
mod mosquitto;

use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fleet::{Fleet, Mix};
use gladhand::api::client;
use gladhand::config::roster::Roster;
use gladhand::core::control::Answer;
use gladhand::core::telemetry::Report;
use gladhand::host::clock;
use gladhand::rigs::to_payload;
use gladhand::standin::{Life, StandIn};
use mosquitto::Mosquitto;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    let wanted = |part: &str| std::env::args().skip(1).all(|argument| argument.starts_with('-') || argument == part);
    if wanted("small") {
        small();
    }
    if wanted("large") {
        large();
    }
    if wanted("flash") {
        flash();
    }
}

fn small() {
    let start = clock::wall() - Duration::from_secs(3 * 3600);
    let fleet = Fleet::starting(start, 200, Mix { tractor: 5.0, trailer: 30.0, metres: 230_000.0 });
    let mut reports = fleet.reports().map(|(report, _)| report);
    let gateway = Gateway::start(&fleet);
    gateway.print("200 units, idle", 0);
    let mut broker = Publisher::connect(gateway.broker.port());
    let before = gateway.usage();
    reports.by_ref().take(100_000).for_each(|report| broker.publish(&report));
    broker.settle();
    gateway.handled(100_000);
    gateway.print("200 units, after 100,000 at once", before);
    let before = gateway.usage();
    let paced = 500 * 30;
    let begun = Instant::now();
    for (nth, report) in (0..).zip(reports.take(paced)) {
        sleep((begun + Duration::from_millis(2) * nth).saturating_duration_since(Instant::now()));
        broker.publish(&report);
        broker.flush();
    }
    broker.settle();
    gateway.handled(100_000 + paced as u64);
    gateway.print("200 units, after 15,000 in 30 s", before);
    gateway.print("200 units, a minute's rest", {
        let before = gateway.usage();
        sleep(Duration::from_secs(60));
        before
    });
}

fn large() {
    let start = clock::wall() - Duration::from_secs(1800);
    let fleet = Fleet::starting(start, 20_000, Mix { tractor: 10.0, trailer: 60.0, metres: 25_000.0 });
    let gateway = Gateway::start(&fleet);
    gateway.print("20,000 units, idle", 0);
    let mut broker = Publisher::connect(gateway.broker.port());
    let before = gateway.usage();
    fleet.reports().for_each(|(report, _)| broker.publish(&report));
    broker.settle();
    gateway.handled(fleet.len() as u64);
    gateway.print(&format!("20,000 units, after {}", fleet.len()), before);
}

fn flash() {
    const CALLS: u64 = 10;
    const SPELL: Duration = Duration::from_secs(60);
    let start = clock::wall() - Duration::from_secs(3 * 3600);
    let fleet = Fleet::starting(start, 200, Mix { tractor: 10.0, trailer: 10.0, metres: 150_000.0 });
    let vendor = vendor();
    let gateway = Gateway::start_with(
        &fleet,
        &format!("[elevenlabs]\nbase_url = \"{vendor}\"\nagent_id = \"a\"\nagent_phone_number_id = \"p\"\n"),
    );
    let mut reports = fleet.reports().map(|(report, _)| report);
    let mut broker = Publisher::connect(gateway.broker.port());
    // Until every pair has been seen together.
    let warm_up = fleet.len() / 2;
    reports.by_ref().take(warm_up).for_each(|report| broker.publish(&report));
    broker.settle();
    gateway.handled(warm_up as u64);

    let count = 20_000;
    let spell = Spell::begin(&gateway);
    reports.by_ref().take(count).for_each(|report| broker.publish(&report));
    broker.settle();
    gateway.handled((warm_up + count) as u64);
    println!("{}", spell.each("a telemetry message", count as u64));

    let spell = Spell::begin(&gateway);
    for n in 0..CALLS {
        let request = format!(r#"{{"drivers":[{{"driverId":"D{n}","phoneNumber":"+12125550155"}}]}}"#);
        let answer = gateway.ask("POST", "/driver_data/call-elevenlabs", &request);
        assert_eq!(answer.status, 202, "{answer:?}");
        gateway.until("the call to end", |health| health["calls"]["concluded"] == n + 1);
    }
    println!("{}", spell.each("a call, from request to outcome", CALLS));

    for (name, every) in [("200 units, a report each 10 s", Some(Duration::from_millis(50))), ("nothing heard", None)] {
        let (woken, spent, begun) = (gateway.woken(), gateway.nanoseconds(), Instant::now());
        for (nth, report) in (0..).zip(reports.by_ref()) {
            let due = every.map_or(begun + SPELL, |every| begun + every * nth);
            sleep(due.min(begun + SPELL).saturating_duration_since(Instant::now()));
            if begun.elapsed() >= SPELL {
                break;
            }
            broker.publish(&report);
            broker.flush();
        }
        let secs = begun.elapsed().as_secs_f64();
        let (woken, spent) = ((gateway.woken() - woken) as f64 / secs, (gateway.nanoseconds() - spent) as f64 / secs / 1e7);
        println!("{name:<34} woken {woken:>6.1} times a second; processor {spent:>6.3} % of a core");
    }
}

/// A stand-in for the vendor, whose calls are short.
fn vendor() -> String {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let vendor = StandIn::start((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
            vendor.set_life(Life { ringing: Duration::ZERO, talking: Duration::ZERO, ..Life::default() });
            sender.send(vendor.base_url()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    receiver.recv().unwrap()
}

/// What is written meanwhile.
struct Spell<'a> {
    gateway: &'a Gateway,
    written: u64,
    syncs: Option<Child>,
}

impl<'a> Spell<'a> {
    fn begin(gateway: &'a Gateway) -> Self {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-e", "trace=fsync,fdatasync", "-o"]).arg(gateway.dir.path().join("syncs"));
        strace.arg("-p").arg(gateway.child.id().to_string()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut syncs = strace.spawn().ok();
        if let Some(strace) = &mut syncs {
            let mut said = String::new();
            BufReader::new(strace.stderr.as_mut().unwrap()).read_line(&mut said).unwrap();
            assert!(said.contains(" attached"), "{said}");
        }
        Self { gateway, written: gateway.written(), syncs }
    }

    fn each(self, name: &str, of: u64) -> String {
        let written = (self.gateway.written() - self.written) as f64 / of as f64;
        let syncs = self.syncs.map(|mut strace| {
            assert!(Command::new("kill").args(["-INT", &strace.id().to_string()]).status().unwrap().success());
            strace.wait().unwrap();
            let file = self.gateway.dir.path().join("syncs");
            let told = fs::read_to_string(&file).unwrap();
            fs::remove_file(file).unwrap();
            told.lines().filter(|line| line.contains("sync(")).count() as f64 / of as f64
        });
        let syncs = syncs.map_or_else(|| "no strace".to_owned(), |syncs| format!("{syncs:>6.2} syncs"));
        format!("{name:<34} written {written:>8.1} bytes; {syncs}")
    }
}

/// The daemon, its broker and its directory.
struct Gateway {
    broker: Mosquitto,
    dir: TempDir,
    child: Child,
}

impl Gateway {
    /// Returns once it is subscribed.
    fn start(fleet: &Fleet) -> Self {
        Self::start_with(fleet, "[calls]\ndry_run = true\n")
    }

    /// The same, with these tables beside.
    fn start_with(fleet: &Fleet, tables: &str) -> Self {
        // Without a limit of its queue the broker would have to drop what is not taken in time.
        let broker = Mosquitto::start_with("allow_anonymous true\nmax_queued_messages 0\n");
        let dir = TempDir::new().unwrap();
        let path = |name: &str| dir.path().join(name);
        let roster = Roster { assignments: fleet.assignments(), trailers: Vec::new() };
        fs::write(path("roster.toml"), toml::to_string(&roster).unwrap()).unwrap();
        let config = format!(
            "[gateway]\nid = \"bench\"\nstate_dir = \"{}\"\n[mqtt]\nport = {}\n[api]\nsocket = \"{}\"\n{tables}",
            path("state").display(),
            broker.port(),
            path("socket").display(),
        );
        fs::write(path("gladhand.toml"), config).unwrap();
        let program = std::env::var_os("GLADHAND").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_gladhand")), PathBuf::from);
        let mut command = Command::new(program);
        command.arg("--config").arg(path("gladhand.toml")).arg("run");
        // As systemd/gladhand.service has it.
        command.env("MALLOC_ARENA_MAX", "1").env("MALLOC_TRIM_THRESHOLD_", "131072").env("MALLOC_MMAP_THRESHOLD_", "131072");
        command.env("ELEVENLABS_API_KEY", gladhand::standin::KEY);
        command.env_remove("NOTIFY_SOCKET").stdout(Stdio::null()).stderr(fs::File::create(path("log")).unwrap());
        let gateway = Self { broker, child: command.spawn().unwrap(), dir };
        gateway.until("subscribed", |health| health["mqtt"]["connected"] == true);
        gateway
    }

    /// Waits until this many messages are decided.
    fn handled(&self, messages: u64) {
        self.until("all messages", |health| health["telemetry"]["received"].as_u64() >= Some(messages));
    }

    fn until(&self, what: &str, holds: impl Fn(&serde_json::Value) -> bool) {
        let patience = Instant::now() + PATIENCE;
        let socket = self.dir.path().join("socket");
        while !client::ask(&socket, "GET", "/health", b"", PATIENCE).is_ok_and(|answer| holds(&answer.body)) {
            let log = || fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < patience, "waited in vain for {what}:\n{}", log());
            sleep(Duration::from_millis(200));
        }
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        client::ask(&self.dir.path().join("socket"), method, path, body.as_bytes(), PATIENCE).unwrap()
    }

    /// Bytes it has had written to disk.
    fn written(&self) -> u64 {
        let io = fs::read_to_string(format!("/proc/{}/io", self.child.id())).unwrap();
        io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap().parse().unwrap()
    }

    /// How often its main thread has waited for something, and then gone on.
    fn woken(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.unwrap().trim().parse().unwrap()
    }

    /// Processor time of its main thread, which does all but what may block.
    fn nanoseconds(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/schedstat", self.child.id())).unwrap();
        stat.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Processor time so far, in ms: clock ticks of 10 ms.
    fn usage(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()) * 10
    }

    fn print(&self, name: &str, before: u64) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let mib = |key: &str| {
            let line = status.lines().find(|line| line.starts_with(key)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
        };
        let (resident, most, spent) = (mib("VmRSS"), mib("VmHWM"), self.usage() - before);
        println!("{name:<34} resident {resident:>6.1} MiB, at most {most:>6.1} MiB; processor {spent:>6} ms");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// MQTT 3.1.1 at QoS 1, as much as trackers need.
struct Publisher {
    to: BufWriter<TcpStream>,
    from: BufReader<TcpStream>,
    packet_id: u16,
    unanswered: usize,
}

impl Publisher {
    fn connect(port: u16) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.set_nodelay(true).unwrap();
        let (mut to, mut from) = (BufWriter::new(stream.try_clone().unwrap()), BufReader::new(stream));
        // Clean session, no keep-alive, client id "b".
        to.write_all(b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01b").unwrap();
        to.flush().unwrap();
        from.read_exact(&mut [0; 4]).unwrap();
        Self { to, from, packet_id: 0, unanswered: 0 }
    }

    fn publish(&mut self, report: &Report) {
        let (topic, payload) = (format!("fleet/{}/telemetry", report.unit), to_payload(report));
        let length = 2 + topic.len() + 2 + payload.len();
        self.packet_id = self.packet_id % u16::MAX + 1;
        self.to.write_all(&[0x32, (length % 128) as u8 | 0x80, (length / 128) as u8]).unwrap();
        self.to.write_all(&(topic.len() as u16).to_be_bytes()).unwrap();
        self.to.write_all(topic.as_bytes()).unwrap();
        self.to.write_all(&self.packet_id.to_be_bytes()).unwrap();
        self.to.write_all(payload.as_bytes()).unwrap();
        self.unanswered += 1;
        if self.unanswered == 500 {
            self.settle();
        }
    }

    fn flush(&mut self) {
        self.to.flush().unwrap();
    }

    /// Waits until the broker has all.
    fn settle(&mut self) {
        self.flush();
        self.from.read_exact(&mut vec![0; 4 * self.unanswered]).unwrap();
        self.unanswered = 0;
    }
}
