//! What leaves the gateway in a support bundle: everything that helps, and neither a secret, nor a number, nor what was said.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

#[path = "common/daemon.rs"]
mod daemon;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use daemon::{Gateway, REQUEST, Setup};
use gladhand::standin;
use serde_json::{Value, json};

const TOKEN: &str = "t0ken-of-the-api-0123456789";
const PASSWORD: &str = "pa55word-of-the-broker";

/// The driver's and the dispatcher's of the roster, and all that come with requests, in any field.
const NUMBERS: [&str; 5] = ["2125550103", "2125550199", "2125550155", "2125550166", "2125550177"];

/// Of people, what is told about them, and where trailers and yards are: all of it is west of 99 degrees.
const WORDS: [&str; 4] = ["Wilhelmina", "Aunt Mary's", "a most private matter", "-99."];

#[tokio::test]
async fn of_a_daemon_that_runs_and_of_one_that_does_not() {
    let mut gateway = Gateway::prepare(Setup { level: "trace", uplink: false, ..Setup::default() }).await;
    for (name, text) in [("token", TOKEN), ("password", PASSWORD), ("key", standin::KEY)] {
        gateway.write(name, text);
        fs::set_permissions(gateway.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let file = |name| gateway.path(name).display().to_string();
    let config = gateway
        .read("gladhand.toml")
        .replace("[api]\n", &format!("[api]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"{}\"\n", file("token")))
        .replace("[mqtt]\n", &format!("[mqtt]\nusername = \"gladhand\"\npassword_file = \"{}\"\n", file("password")))
        .replace("[elevenlabs]\n", &format!("[elevenlabs]\napi_key_file = \"{}\"\n", file("key")));
    let more = "[dispatcher]\nname = \"Wilhelmina\"\nphone = \"+12125550199\"\n\
                [calls.prompt]\nleft_behind = \"no more than a template, call 212-555-0177\"\n\
                [[zone]]\nname = \"Aunt Mary's\"\ncenter = [27.1, -99.1]\nradius_m = 100\n";
    gateway.write("gladhand.toml", &format!("{config}{more}"));
    assert!(gateway.read("gladhand.toml").contains("-99."), "a zone is there to be masked");
    gateway.launch().await;
    gateway.play().await;
    gateway.watch.message("a call to be owed", |said| said.call("pending")).await;
    let details = json!([{"type": "TRAILER_SEPARATION", "description": "a most private matter: (212) 555.0166"}]);
    let driver = json!({
        "driverId": "12125550155", "driverName": "Wilhelmina", "phoneNumber": "+12125550155",
        "violations": {"violationDetails": details},
    });
    gateway.watch.publish(REQUEST, json!({ "drivers": [driver] }).to_string(), false).await;
    gateway.watch.publish("gladhand/violations/T-103/acknowledge", json!({ "by": "Wilhelmina" }).to_string(), false).await;
    gateway.watch.message("the call to be called off", |said| said.call("cancelled")).await;
    gateway.settle().await;

    let running = bundle(&gateway, "running.tar.gz").await;
    harmless(&gateway, &running);
    for (page, words) in [
        ("about.txt", "gladhand "),
        ("check.txt", "roster"),
        ("gladhand.toml", "apart_m = 150"),
        ("status.txt", "violations  1 open"),
        ("metrics.txt", "gladhand_calls_pending 1"),
        ("health.json", "\"uplink_offline\""),
        ("calls.json", "\"state\": \"pending\""),
        ("violations.json", "\"left_behind\""),
        ("roster.json", "\"DR103\""),
        ("units.json", "\"T-103\""),
        ("machine.txt", "disk_free_bytes"),
        ("journal.txt", "gladhand[7]: a line with +******"),
        ("service.txt", "ActiveState=active"),
    ] {
        assert!(running.get(page).is_some_and(|text| text.contains(words)), "{page} without {words}: {:?}", running.get(page));
    }
    assert_eq!(calls(&running).len(), 2);

    gateway.stop().await;
    let before = gateway.files();
    let stopped = bundle(&gateway, "stopped.tar.gz").await;
    harmless(&gateway, &stopped);
    assert!(stopped["about.txt"].contains("the daemon is not running"), "{}", stopped["about.txt"]);
    assert_eq!(calls(&stopped).len(), 2, "from its store");
    assert!(stopped["machine.txt"].contains("store/db") && stopped.contains_key("gladhand.toml"));
    fs::remove_file(gateway.path("stopped.tar.gz")).unwrap();
    assert_eq!(gateway.files(), before, "looking has changed something");

    gateway.write("gladhand.toml", "[gateway]\nid = 5\nphone = \"+12125550199\"\n");
    let malformed = bundle(&gateway, "malformed.tar.gz").await;
    harmless(&gateway, &malformed);
    assert!(malformed["check.txt"].contains("gladhand.toml:"), "{malformed:?}");
}

/// The pages of a bundle that is made now.
async fn bundle(gateway: &Gateway, name: &str) -> BTreeMap<String, String> {
    // A journal that holds what it never should.
    let programs = gateway.path("bin");
    fs::create_dir_all(&programs).unwrap();
    let journal = format!(
        "2026-11-30T23:33:30+0000 yard gladhand[7]: a line with +12125550103, {}\n\
         2026-11-30T23:33:31+0000 yard gladhand[7]: decided by T-103 position=Some(Position {{ lat: 27.6, lon: -99.48 }})",
        standin::KEY
    );
    for (program, says) in [("journalctl", journal.as_str()), ("systemctl", "ActiveState=active"), ("timedatectl", "NTP=yes")] {
        fs::write(programs.join(program), format!("#!/bin/sh\necho '{says}'\n")).unwrap();
        fs::set_permissions(programs.join(program), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let output = gateway.path(name);
    let args = ["support-bundle", "-o", output.to_str().unwrap()];
    let (code, out, err) = gateway.cli_with(&[("PATH", &path)], &args).await;
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.starts_with(&format!("{} holds check.txt", output.display())), "{out}");
    fs::remove_dir_all(programs).unwrap();
    assert_eq!(fs::metadata(&output).unwrap().permissions().mode() & 0o777, 0o600);
    unpacked(&output)
}

fn unpacked(archive: &Path) -> BTreeMap<String, String> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(fs::File::open(archive).unwrap()));
    let read = |entry: std::io::Result<tar::Entry<'_, _>>| {
        let mut entry = entry.unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        let path = entry.path().unwrap();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), text)
    };
    archive.entries().unwrap().map(read).collect()
}

fn calls(pages: &BTreeMap<String, String>) -> Vec<Value> {
    let calls: Value = serde_json::from_str(&pages["calls.json"]).unwrap();
    calls["calls"].as_array().unwrap().clone()
}

fn harmless(gateway: &Gateway, pages: &BTreeMap<String, String>) {
    for (page, text) in pages {
        for word in [standin::KEY, TOKEN, PASSWORD].into_iter().chain(WORDS) {
            assert!(!text.contains(word), "{word} stands in {page}: {text}");
        }
        let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '.')).collect();
        for number in NUMBERS {
            assert!(!digits.contains(number), "{number} stands in {page}: {text}");
        }
    }
    let rest = fs::read_dir(gateway.path("."))
        .unwrap()
        .filter(|left| left.as_ref().unwrap().path().extension().is_some_and(|e| e == "store"));
    assert_eq!(rest.count(), 0, "a copy of the store is left");
}
