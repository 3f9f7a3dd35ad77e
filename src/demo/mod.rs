//! The whole story on one machine with nothing to set up: a private mosquitto, a stand-in for the vendor, simulated rigs,
//! and the real daemon as a process of its own, which is cut off from the vendor, killed and started again.

mod broker;
mod daemon;
mod feed;
pub mod watch;

use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::mqtt;
use crate::standin::{Life, Post, StandIn};
use broker::Broker;
use daemon::Daemon;
pub use feed::Feed;
use serde_json::Value;
use watch::{HEALTH, Watch};

/// Why the demo could not be shown to its end.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Something of the machine.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// Something did not come that should have come.
    #[error("waited {0:?} in vain for {1}")]
    InVain(Duration, String),
}

/// Names what was being done when something failed.
fn doing<T>(doing: &'static str, result: io::Result<T>) -> Result<T, DemoError> {
    result.map_err(|source| DemoError::Io { doing, source })
}

/// Seed of the story: another one gives other roads.
const SEED: u64 = 7;

/// How long the road of the story takes to show.
const SHOWN_IN: Duration = Duration::from_secs(12);

/// Shows the story on standard output. True when it ended as it should.
///
/// # Errors
/// When it could not be shown to its end.
pub async fn run() -> Result<bool, DemoError> {
    let dir = std::env::temp_dir().join(format!("gladhand-demo-{}", std::process::id()));
    doing("making a directory for the demo", fs::create_dir_all(&dir))?;
    let ended = show(dir.clone()).await;
    if matches!(ended, Ok(true)) {
        // Left behind only when something is to be looked at.
        drop(fs::remove_dir_all(&dir));
    } else {
        say(&format!("What the daemon and the broker said is in {}", dir.display()));
    }
    ended
}

async fn show(dir: PathBuf) -> Result<bool, DemoError> {
    heading("A broker, a vendor that is not there yet, and gladhand");
    let broker = Broker::start(&dir.join("broker")).await?;
    say(&format!("mosquitto listens on 127.0.0.1:{}.", broker.port()));
    let mut vendor =
        doing("starting the stand-in for the vendor", StandIn::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await)?;
    vendor.set_life(Life { ringing: Duration::from_secs(2), talking: Duration::from_secs(6), ..Life::default() });
    vendor.down().await;
    say(&format!("The stand-in for ElevenLabs will be {}; for now nothing listens there: no uplink.", vendor.base_url()));
    let daemon = Daemon::write(&dir, broker.port(), &vendor.base_url())?;
    let mut running = daemon.start()?;
    let filters = ["gladhand/violations/+", "gladhand/calls/+", HEALTH].map(str::to_owned).to_vec();
    let settings = mqtt::Settings { port: broker.port(), ..mqtt::Settings::default() };
    let mut watch = Watch::start(&settings, None, "gladhand-demo-watch", filters);
    let health = watch.health("gladhand to say that it is there", |health| is(health, "/session", 1)).await?;
    say("gladhand runs. Its health:");
    json(&health);

    heading("24 minutes on the road, in a few seconds");
    say("T-101 hauls R-101 with a poor receiver. T-102 leaves R-102 in an authorised yard.");
    say("T-103 stops at a truck stop, and leaves without R-103.");
    let feed = Feed::story("gladhand", SEED);
    feed.publish(&mut watch, SHOWN_IN).await?;
    let finding = watch
        .message("the violation", |topic, said| topic == "gladhand/violations/T-103" && is(said, "/event", "opened"))
        .await?;
    say("gladhand says on gladhand/violations/T-103:");
    json(&finding);
    let call = watch
        .message("the call to be owed", |topic, said| topic.starts_with("gladhand/calls/") && is(said, "/driver/id", "DR103"))
        .await?;
    let call_sid = call.pointer("/call_sid").and_then(Value::as_str).unwrap_or_default().to_owned();
    say(&format!("The call is owed: {call_sid}. There is no uplink, so it waits."));
    watch.health("health to say so", |health| is(health, "/uplink", "offline") && is(health, "/calls/pending", 1)).await?;

    heading("kill -9, and a new start");
    running.kill().await?;
    say("gladhand is gone. Nothing but its store knows of the call now.");
    let running = daemon.start()?;
    let health = watch
        .health("the second session", |health| {
            is(health, "/session", 2) && is(health, "/calls/pending", 1) && is(health, "/uplink", "offline")
        })
        .await?;
    say("Started again; the call is still owed:");
    json(&health);

    heading("The uplink returns");
    doing("starting the stand-in again", vendor.up().await)?;
    watch.message("the call to be placed", |topic, said| topic.ends_with(&call_sid) && is(said, "/state", "placed")).await?;
    let posts = vendor.posts();
    if let Some(post) = posts.first() {
        say(&format!("POST {} with", post.path));
        json(&serde_json::from_str(&post.body).unwrap_or_default());
    }
    say("The driver's telephone rings.");
    let ended =
        watch.message("the call to end", |topic, said| topic.ends_with(&call_sid) && is(said, "/state", "concluded")).await?;
    say("The call is over:");
    json(&ended);

    heading("The same reports once more, as a broker may deliver them");
    let before = running_total(&watch);
    feed.publish(&mut watch, Duration::from_secs(2)).await?;
    let health = watch.health("all of them to be read", |health| total(health) >= before + feed.reports()).await?;
    say("Read, and nothing follows from them. Health at the end:");
    json(&health);

    running.stop().await?;
    let last = watch.health("the last word", |health| is(health, "/status", "down")).await?;
    say(&format!("gladhand was told to stop, and said: {last}"));
    Ok(table(&vendor.posts(), &watch, &call_sid))
}

/// What the stand-in has recorded, against what should have come of each rig. True when it is the same.
fn table(posts: &[Post], watch: &Watch, call_sid: &str) -> bool {
    heading("What the stand-in has recorded");
    let of = |post: &Post, pointer: &str| -> String {
        let body: Value = serde_json::from_str(&post.body).unwrap_or_default();
        body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let variable = |post: &Post, name: &str| of(post, &format!("/conversation_initiation_client_data/dynamic_variables/{name}"));
    let distinct = |of: &dyn Fn(&Post) -> String| {
        let mut all: Vec<String> = posts.iter().map(of).collect();
        all.sort();
        all.dedup();
        all.len()
    };
    let mut right = true;
    say(&format!("{:<56} {:>8} {:>8}", "rig", "expected", "calls"));
    for (rig, driver, expected) in [
        ("T-101 hauls R-101 through a poor sky", "DR101", 0),
        ("T-102 dropped R-102 in an authorised yard", "DR102", 0),
        ("T-103 left R-103 at a truck stop", "DR103", 1),
    ] {
        let calls = posts.iter().filter(|post| variable(post, "driver_id") == driver).count();
        right &= calls == expected;
        say(&format!("{rig:<56} {expected:>8} {calls:>8}"));
    }
    let totals = [
        ("POSTs received", posts.len()),
        ("distinct call_sids", distinct(&|post| variable(post, "call_sid"))),
        ("drivers rung", distinct(&|post| of(post, "/to_number"))),
        ("violations announced", watch.violations()),
    ];
    for (what, count) in totals {
        right &= count == 1;
        say(&format!("{what:<56} {:>8} {count:>8}", 1));
    }
    right &= posts.iter().all(|post| variable(post, "call_sid") == call_sid);
    say(if right { "\nOne separation, one call." } else { "\nThis is not as it should be." });
    right
}

fn running_total(watch: &Watch) -> u64 {
    watch.last_health().map_or(0, total)
}

fn total(health: &Value) -> u64 {
    health.pointer("/telemetry/received").and_then(Value::as_u64).unwrap_or(0)
}

/// Whether a value stands at a place.
fn is(value: &Value, pointer: &str, expected: impl Into<Value>) -> bool {
    value.pointer(pointer) == Some(&expected.into())
}

fn heading(words: &str) {
    say(&format!("\n== {words}"));
}

fn json(value: &Value) {
    for line in serde_json::to_string_pretty(value).unwrap_or_default().lines() {
        say(&format!("   {line}"));
    }
}

fn say(words: &str) {
    // A reader that has seen enough (`| head`) changes nothing about the story.
    drop(writeln!(io::stdout().lock(), "{words}"));
}
