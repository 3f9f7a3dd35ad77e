//! The daemon's core and a replay of what it heard find the same, in every scenario, and no line upsets a replay.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use core::time::Duration;

use gladhand::config::{Config, Loaded, roster::Roster};
use gladhand::core::machine::{Effect, Identity, Input, Machine, Output, Telling};
use gladhand::core::separation::Finding;
use gladhand::core::time::{Mono, Now, UnixMillis};
use gladhand::replay::{Session, plot};
use gladhand::rigs::{Item, Kind, scenarios, to_payload};
use proptest::prelude::*;
use serde_json::json;

struct Heard {
    received: UnixMillis,
    trusted: bool,
    topic: String,
    payload: String,
}

#[test]
fn a_replay_finds_what_the_daemon_found() {
    let mut found = 0;
    for scenario in scenarios() {
        let case = scenario.build(1);
        let heard: Vec<Heard> = case.stream.iter().filter_map(heard).collect();
        let mut loaded = loaded(&case.stream);
        loaded.config.separation = case.settings;
        let live = live(&loaded, &heard);
        assert_eq!(replayed(&loaded, &heard), live, "{}", scenario.name);
        found += live.len();
    }
    assert!(found >= 20, "{found} findings in all scenarios");
}

proptest! {
    #[test]
    fn no_line_upsets_a_replay(
        lines in prop::collection::vec((any::<u16>(), any::<u8>(), -1e15..1e15, -1e15..1e15, -400.0..400.0), 1..60),
    ) {
        let mut session = session(&Loaded { path: "/x/gladhand.toml".into(), config: Config::default(), roster: Roster::default() });
        session.line(br#"{"topic":"gladhand/assignments/T","received":1763569135,"payload":{"tractor":"T","trailer":"R"}}"#).unwrap();
        for (place, byte, received, ts, lat) in lines {
            let unit = if byte % 2 == 0 { "T" } else { "R" };
            // Most times are near each other, some are anywhere.
            let near = |t: f64| if byte % 5 == 0 { t } else { 1_763_569_135.0 + t / 1e12 };
            let (received, ts) = (near(received), near(ts));
            let payload = json!({"unit": unit, "ts": ts, "lat": if byte % 7 == 0 { lat } else { 27.0 }, "lon": -99.0});
            let line = json!({"topic": "fleet/x/telemetry", "received": received, "payload": payload}).to_string();
            let _ = session.line(line.as_bytes());
            let mut broken = line.into_bytes();
            let length = broken.len();
            broken[usize::from(place) % length] = byte;
            let _ = session.line(&broken);
            while session.poll().is_some() {}
        }
        prop_assert!(plot(session.watch().unwrap()).ends_with("</svg>\n"));
    }
}

fn loaded(stream: &[Item]) -> Loaded {
    let traits = |item: &Item| if let Kind::Trailer(traits) = &item.kind { Some(traits.clone()) } else { None };
    let roster = Roster { assignments: Vec::new(), trailers: stream.iter().filter_map(traits).collect() };
    let mut config = Config::default();
    config.telemetry.push(toml::from_str("topic = \"traccar\"\nformat = \"traccar\"").unwrap());
    Loaded { path: "/x/gladhand.toml".into(), config, roster }
}

fn heard(item: &Item) -> Option<Heard> {
    let (topic, payload) = match &item.kind {
        Kind::Report(report) => (format!("fleet/{}/telemetry", report.unit), to_payload(report)),
        Kind::Traccar(payload) => ("traccar".to_owned(), payload.clone()),
        Kind::Assignment(a) => {
            let payload = json!({"tractor": a.tractor, "trailers": a.trailers, "since": a.since});
            (format!("gladhand/assignments/{}", a.tractor), payload.to_string())
        }
        Kind::Zones(zones) => ("gladhand/zones".to_owned(), serde_json::to_string(zones).unwrap()),
        Kind::Trailer(_) | Kind::Restart | Kind::Uplink(_) => return None,
    };
    Some(Heard { received: item.received, trusted: item.trusted, topic, payload })
}

fn session(loaded: &Loaded) -> Session {
    let settings = loaded.clone().settings();
    Session::new(&settings.separation, loaded.router(), settings.topics, settings.roster).watching(&settings.separation)
}

fn replayed(loaded: &Loaded, heard: &[Heard]) -> Vec<Finding> {
    let mut session = session(loaded);
    let mut found = Vec::new();
    for Heard { received, topic, payload, .. } in heard {
        let _ = session.line(json!({"topic": topic, "received": received, "payload": payload}).to_string().as_bytes());
        found.extend(core::iter::from_fn(|| session.poll()));
    }
    found
}

/// Without a store and without outside: nothing answers.
fn live(loaded: &Loaded, heard: &[Heard]) -> Vec<Finding> {
    let first = &heard[0];
    let mut now = Now { mono: Mono::default(), wall: first.received, trusted: first.trusted };
    let identity = Identity { pid: 1, version: "0", nonce: "n".to_owned() };
    let mut machine = Machine::new(loaded.clone().settings(), identity, now);
    machine.restore(&[], now);
    let router = loaded.router();
    let mut found = Vec::new();
    for Heard { received, trusted, topic, payload } in heard {
        // When the clock is set, no time has passed.
        let until = now.mono + if *trusted == now.trusted { received.since(now.wall) } else { Duration::ZERO };
        while let Some((due, _)) = machine.next_deadline(now).filter(|(due, _)| *due <= until) {
            let passed = due.0.saturating_sub(now.mono.0).max(Duration::from_millis(1));
            now = Now { mono: now.mono + passed, wall: now.wall + passed, ..now };
            machine.handle(Input::Tick, now);
            found.extend(told(&mut machine));
        }
        now = Now { mono: until.max(now.mono), wall: *received, trusted: *trusted };
        let decoder = router.route(topic);
        if let Some(decoder) = decoder {
            let _ = decoder.decode(topic, payload.as_bytes(), &mut |report| machine.handle(Input::Report(&report), now));
        } else {
            machine.handle(Input::Message { topic, payload: payload.as_bytes(), retained: false }, now);
        }
        found.extend(told(&mut machine));
    }
    found
}

fn told(machine: &mut Machine) -> Vec<Finding> {
    let outputs = core::iter::from_fn(|| machine.poll_output());
    outputs.filter_map(|o| if let Output::Do(Effect::Tell(Telling::Finding(f))) = o { Some(*f) } else { None }).collect()
}
