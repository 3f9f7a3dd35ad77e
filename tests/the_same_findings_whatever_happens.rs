//! Every scenario of simulated rigs through the whole core: out of order by up to a minute, with messages that come twice,
//! and split by restarts at any point after which only what was kept is left (and the broker repeats up to 20 messages), the
//! same is found as in the plain stream: event, kind, tractor, trailer, and the how-manieth episode of the two it is.
//! `GLADHAND_ORDERS` sets how many seeds (2), `GLADHAND_FIRST_SEED` the first of them (0), `GLADHAND_SCENARIO` runs one scenario
//! by name.
//!
//! What is acknowledged and caused nothing is gone with the process, and nothing is written for it. Hence:
//! - A finding may come one report of its trailer later for each restart in the ten minutes before it, and later than that
//!   when its tractor has reported only once meanwhile: one that sleeps is known to be parked by its second report.
//! - Several restarts in the middle of a burst of two hours may make it later than that, by a few reports of the trailer: none in
//!   the first 48 seeds.
//! - The name of an episode tells its first evidence, which may be another after a restart or in another order. A name that
//!   was announced stays.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::time::Duration;

use gladhand::core::calls;
use gladhand::core::id::{UnitId, ViolationId};
use gladhand::core::machine::{Effect, Identity, Input, Machine, Output, Settings, Telling};
use gladhand::core::record::{Change, Entry};
use gladhand::core::roster::book::RosterFile;
use gladhand::core::separation::{Finding, FindingEvent, ViolationKind};
use gladhand::core::time::{Mono, Now, UnixMillis};
use gladhand::core::topics::Topics;
use gladhand::formats::{Decoder, Format};
use gladhand::rigs::{Case, Item, Kind, Rng, Scenario, Stream, scenarios};

/// Messages that a broker has sent and not seen acknowledged come again after a restart.
const WINDOW: usize = 20;

#[test]
fn order_repetition_and_restarts_change_no_finding() {
    let number = |name: &str| std::env::var(name).ok();
    let seeds: u64 = number("GLADHAND_ORDERS").map_or(2, |n| n.parse().expect("GLADHAND_ORDERS is a number"));
    let first: u64 = number("GLADHAND_FIRST_SEED").map_or(0, |n| n.parse().expect("GLADHAND_FIRST_SEED is a number"));
    let only = number("GLADHAND_SCENARIO");
    let chosen: Vec<_> = scenarios().iter().filter(|s| only.as_deref().is_none_or(|name| name == s.name)).collect();
    assert!(!chosen.is_empty(), "GLADHAND_SCENARIO names no scenario");
    let results: Vec<Tally> = std::thread::scope(|scope| {
        let threads: Vec<_> = chosen.iter().map(|scenario| scope.spawn(move || judge(scenario, first..first + seeds))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a scenario runs to its end")).collect()
    });
    let sum = |of: fn(&Tally) -> usize| results.iter().map(of).sum::<usize>();
    let (streams, restarts, found) = (sum(|t| t.streams), sum(|t| t.restarts), sum(|t| t.found));
    let differences: String = results.iter().map(|t| t.differences.as_str()).collect();
    println!("{} scenarios x {seeds} seeds: {streams} streams, {restarts} restarts, {found} findings", chosen.len());
    assert!(only.is_some() || found > 25 * usize::try_from(seeds).expect("a few"), "there is something to compare");
    assert!(differences.is_empty(), "{} differences\n{differences}", differences.lines().count());
}

#[derive(Default)]
struct Tally {
    /// Streams compared with the plain one,
    streams: usize,
    /// restarts in them,
    restarts: usize,
    /// and findings of the plain ones.
    found: usize,
    /// One a line.
    differences: String,
}

fn judge(scenario: &Scenario, seeds: Range<u64>) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        let case = scenario.build(seed);
        let plain = run(&case, &case.stream);
        tally.found += plain.len();
        let mut rng = Rng::new(seed ^ u64::from(scenario.number) << 32);
        let mut check = |what: &str, stream: &Stream, later: f64| {
            tally.streams += 1;
            tally.restarts += stream.iter().filter(|item| item.kind == Kind::Restart).count();
            let other = run(&case, stream);
            for difference in compare(&plain, &other, stream, later) {
                let _ = writeln!(tally.differences, "{} {} seed {seed}, {what}: {difference}", scenario.number, scenario.name);
            }
        };
        check("shuffled", &shuffled(&case.stream, &mut rng), 60.0);
        check("repeated", &repeated(&case.stream, &mut rng), 0.0);
        for point in 0..POINTS {
            let part = f64::from(point) / f64::from(POINTS);
            let cuts = [cut(&case.stream, part, part + 1.0 / f64::from(POINTS), &mut rng)];
            check("split", &split(&case.stream, &cuts, &mut rng), 0.0);
        }
        let cuts: Vec<usize> = (0..8).map(|_| cut(&case.stream, 0.0, 1.0, &mut rng)).collect();
        check("split often", &split(&case.stream, &cuts, &mut rng), 0.0);
        let mixed = repeated(&shuffled(&case.stream, &mut rng), &mut rng);
        let cuts: Vec<usize> = (0..4).map(|_| cut(&mixed, 0.0, 1.0, &mut rng)).collect();
        check("everything at once", &split(&mixed, &cuts, &mut rng), 60.0);
    }
    tally
}

/// Restarts tried one by one, each in its own part of the stream.
const POINTS: u32 = 5;

/// Each report up to a minute later, in the order of receipt. What the gateway's clock said stays what it was.
fn shuffled(stream: &Stream, rng: &mut Rng) -> Stream {
    let mut late = Vec::with_capacity(stream.len());
    for same_clock in stream.chunk_by(|a, b| a.trusted == b.trusted) {
        let end = same_clock.last().map_or(UnixMillis(0), |item| item.received);
        let start = late.len();
        late.extend(same_clock.iter().cloned().map(|item| {
            let delay = if is_report(&item) { (rng.unit() * 60_000.0) as i64 } else { 0 };
            Item { received: UnixMillis(item.received.0 + delay).min(end.max(item.received)), ..item }
        }));
        late.get_mut(start..).expect("just put there").sort_by_key(|item| item.received);
    }
    late
}

/// Every third report once more, up to ten minutes later.
fn repeated(stream: &Stream, rng: &mut Rng) -> Stream {
    let mut all = Vec::with_capacity(stream.len() * 4 / 3);
    for same_clock in stream.chunk_by(|a, b| a.trusted == b.trusted) {
        let end = same_clock.last().map_or(UnixMillis(0), |item| item.received);
        let start = all.len();
        for item in same_clock {
            all.push(item.clone());
            let again = UnixMillis(item.received.0 + (rng.unit() * 600_000.0) as i64);
            if is_report(item) && rng.chance(0.33) && again <= end {
                all.push(Item { received: again, ..item.clone() });
            }
        }
        all.get_mut(start..).expect("just put there").sort_by_key(|item| item.received);
    }
    all
}

fn cut(stream: &Stream, from: f64, to: f64, rng: &mut Rng) -> usize {
    (rng.range(from, to) * stream.len() as f64) as usize
}

/// The gateway is killed before each of these items, and what the broker had not seen acknowledged comes again.
fn split(stream: &Stream, cuts: &[usize], rng: &mut Rng) -> Stream {
    let mut all = Vec::with_capacity(stream.len() + cuts.len() * WINDOW);
    for (nth, item) in stream.iter().enumerate() {
        if cuts.contains(&nth) {
            all.push(Item { kind: Kind::Restart, rig: 0, ..item.clone() });
            let again = (rng.unit() * (WINDOW + 1) as f64) as usize;
            let before = stream.get(nth.saturating_sub(again)..nth).unwrap_or_default();
            all.extend(before.iter().filter(|b| is_report(b)).map(|b| Item {
                received: item.received,
                trusted: item.trusted,
                ..b.clone()
            }));
        }
        all.push(item.clone());
    }
    all
}

fn is_report(item: &Item) -> bool {
    matches!(item.kind, Kind::Report(_) | Kind::Traccar(_))
}

/// What two streams have found differently. What is found in both may be found `later` seconds and one report of the
/// trailer later.
fn compare(plain: &[Finding], other: &[Finding], stream: &Stream, later: f64) -> Vec<String> {
    let mut differences = Vec::new();
    let mut rest = named(other);
    for (key, expected) in named(plain) {
        let Some(same) = rest.iter().position(|(k, _)| *k == key) else {
            differences.push(format!("missing {}", line(expected)));
            continue;
        };
        let (_, same) = rest.remove(same);
        let from = UnixMillis(expected.received.0 + (later * 1000.0) as i64);
        let meanwhile = || stream.iter().filter(|item| item.received > from && item.received < same.received);
        let dwell = UnixMillis(expected.received.0 - DWELL_MS)..same.received;
        let restarts = stream.iter().filter(|item| item.kind == Kind::Restart && dwell.contains(&item.received)).count();
        let reports = |unit: &UnitId| meanwhile().filter(|item| is_from(item, unit, expected.at)).count();
        let (of_trailer, of_tractor) = (reports(&same.trailer), reports(&same.tractor));
        if of_trailer > restarts.max(1) && of_tractor > 1 {
            let delay = same.received.secs_since(expected.received);
            differences.push(format!("{delay:.0} s, {of_trailer} trailer reports later: {}", line(expected)));
        }
    }
    differences.extend(rest.into_iter().map(|(_, f)| format!("too much {}", line(f))));
    differences
}

/// What one restart may cost a finding, it may cost if it happened this long before: ten minutes, a long dwell.
const DWELL_MS: i64 = 600_000;

/// Whether it is a report of a unit that tells of times after one.
fn is_from(item: &Item, unit: &UnitId, after: UnixMillis) -> bool {
    matches!(&item.kind, Kind::Report(report) if report.unit == *unit && report.at > after)
}

type Key<'a> = (FindingEvent, Option<ViolationKind>, &'a UnitId, &'a UnitId, usize);

/// Each finding with what it says: event, kind, tractor, trailer, and which episode of the two it belongs to.
fn named<'a>(findings: &'a [Finding]) -> Vec<(Key<'a>, &'a Finding)> {
    let mut episodes: BTreeMap<(&UnitId, &UnitId), Vec<&ViolationId>> = BTreeMap::new();
    let named = |f: &'a Finding| {
        let Finding { event, kind, tractor, trailer, violation_id, .. } = f;
        let known = episodes.entry((tractor, trailer)).or_default();
        if !known.contains(&violation_id) {
            known.push(violation_id);
        }
        ((*event, *kind, tractor, trailer, known.len()), f)
    };
    findings.iter().map(named).collect()
}

fn line(finding: &Finding) -> String {
    serde_json::to_string(finding).expect("a finding is JSON")
}

/// What the daemon finds, and tells: the whole core on a model of its store.
fn run(case: &Case, stream: &Stream) -> Vec<Finding> {
    let traccar = Decoder::new(Format::Traccar, None).expect("Traccar has its unit in the payload");
    let mut daemon = Daemon::new(case, stream.first().map_or(UnixMillis(0), |item| item.received));
    for item in stream {
        daemon.wait_until(item);
        match &item.kind {
            Kind::Report(report) => daemon.handle(Input::Report(report)),
            Kind::Traccar(payload) => {
                let each = &mut |report| daemon.handle(Input::Report(&report));
                traccar.decode("traccar", payload.as_bytes(), each).expect("Traccar's payload is read");
            }
            Kind::Assignment(a) => {
                let payload = serde_json::to_vec(a).expect("an assignment is JSON");
                daemon.message(&format!("gladhand/assignments/{}", a.tractor), &payload);
            }
            Kind::Zones(zones) => daemon.message("gladhand/zones", &serde_json::to_vec(zones).expect("zones are JSON")),
            Kind::Restart => daemon.restart(),
            Kind::Trailer(_) | Kind::Uplink(_) => {}
        }
    }
    daemon.found
}

struct Daemon {
    settings: Settings,
    machine: Machine,
    starts: u32,
    now: Now,
    /// What is durable: revision and bytes by key.
    kept: BTreeMap<String, (u64, Vec<u8>)>,
    found: Vec<Finding>,
}

impl Daemon {
    fn new(case: &Case, wall: UnixMillis) -> Self {
        let trailers = case.stream.iter().filter_map(|item| match &item.kind {
            Kind::Trailer(traits) => Some(traits.clone()),
            Kind::Report(_) | Kind::Traccar(_) | Kind::Assignment(_) | Kind::Zones(_) | Kind::Restart | Kind::Uplink(_) => None,
        });
        let settings = Settings {
            gateway: "yard-7".to_owned(),
            topics: Topics::new("gladhand", "health"),
            separation: case.settings.clone(),
            calls: calls::Settings::default(),
            retry: calls::settings::Retry::default(),
            health_interval: Duration::from_secs(3_600),
            roster: RosterFile { trailers: trailers.collect(), ..RosterFile::default() },
        };
        let now = Now { mono: Mono::default(), wall, trusted: false };
        let machine = Machine::new(settings.clone(), identity(1), now);
        let mut daemon = Self { settings, machine, starts: 0, now, kept: BTreeMap::new(), found: Vec::new() };
        daemon.restart();
        daemon
    }

    /// Time passes until an item arrives; what becomes due meanwhile is done when it does.
    fn wait_until(&mut self, item: &Item) {
        let passes = item.trusted == self.now.trusted;
        while let Some((due, _)) = self.machine.next_deadline(self.now).filter(|_| passes) {
            let wall = self.now.wall + Duration::from_nanos(due.0.saturating_sub(self.now.mono.0).as_nanos() as u64);
            if wall >= item.received {
                break;
            }
            (self.now.mono, self.now.wall) = (due.max(self.now.mono), wall);
            self.handle(Input::Tick);
        }
        let passed = if passes { item.received.since(self.now.wall) } else { Duration::ZERO };
        self.now = Now { mono: self.now.mono + passed, wall: item.received, trusted: item.trusted };
        self.handle(Input::Tick);
    }

    fn message(&mut self, topic: &str, payload: &[u8]) {
        self.handle(Input::Message { topic, payload, retained: true });
    }

    fn handle(&mut self, input: Input<'_>) {
        self.machine.handle(input, self.now);
        self.perform();
    }

    /// `kill -9`, and on from what was kept.
    fn restart(&mut self) {
        self.starts += 1;
        self.now.mono = Mono::default();
        self.machine = Machine::new(self.settings.clone(), identity(self.starts), self.now);
        let entry = |(key, (revision, bytes)): (&String, &(u64, Vec<u8>))| Entry {
            key: key.clone(),
            revision: *revision,
            bytes: bytes.clone(),
        };
        let entries: Vec<Entry> = self.kept.iter().map(entry).collect();
        if let Some(key) = self.machine.restore(&entries, self.now).pop() {
            let kept = self.kept.get(&key).map(|(_, bytes)| String::from_utf8_lossy(bytes));
            panic!("{key} cannot be read: {kept:?}");
        }
        self.perform();
    }

    fn perform(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Keep(Change { key, value: Some(value) }) => {
                    self.kept.insert(key, (value.revision, value.bytes));
                }
                Output::Keep(Change { key, value: None }) => {
                    self.kept.remove(&key);
                }
                Output::Do(Effect::Tell(Telling::Finding(finding))) => self.found.push(*finding),
                Output::Do(_) => {}
            }
        }
    }
}

fn identity(starts: u32) -> Identity {
    Identity { pid: 1, version: "0", nonce: format!("n{starts}") }
}
