//! The pure core on a model of its store.

use std::collections::BTreeMap;
use std::time::Duration;

use gladhand::core::calls::settings;
use gladhand::core::machine::{Identity, Input, Machine, Settings};
use gladhand::core::record::Entry;
use gladhand::core::roster::book::RosterFile;
use gladhand::core::separation;
use gladhand::core::time::Now;
use gladhand::core::topics::Topics;

/// What is durable: revision and bytes by key.
pub type Kept = BTreeMap<String, (u64, Vec<u8>)>;

/// The machine of the given start on what is kept, and the keys it could not read.
pub fn start(starts: u32, store: &Kept, now: Now) -> (Machine, Vec<String>) {
    let settings = Settings {
        gateway: "yard-7".to_owned(),
        topics: Topics::new("gladhand", "te/device/main/service/gladhand/status/health"),
        separation: separation::Settings::default(),
        calls: settings::Settings::default(),
        retry: settings::Retry::default(),
        health_interval: Duration::from_secs(60),
        roster: RosterFile::default(),
    };
    let identity = Identity { pid: 1, version: "0", nonce: format!("n{starts}") };
    let entries: Vec<Entry> = store
        .iter()
        .map(|(key, (revision, bytes))| Entry { key: key.clone(), revision: *revision, bytes: bytes.clone() })
        .collect();
    let mut machine = Machine::new(settings, identity, now);
    let unread = machine.restore(&entries, now);
    machine.handle(Input::Ready(Ok(())), now);
    (machine, unread)
}
