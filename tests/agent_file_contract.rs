//! A second opinion on the shipped `config/agent.toml`: the vendor's own types know every key that it compiles to.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use gladhand::account::{self, SENT};
use gladhand::config;
use serde_json::{Value, json};

mod sdk;

#[test]
fn the_vendors_types_know_every_key_of_the_shipped_agent() {
    let file = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config/agent.toml"));
    let agent = config::agent::load(file).unwrap();
    let plan = account::plan(&agent, &[], &[], None, false);
    let told = read_by_the_sdk(plan.creation());
    assert_eq!(
        told,
        json!({
            "unknown": [], "rest": ["name", "tags"],
            "transfer": ["PhoneNumberTransferTransferDestination_PhoneDynamicVariable", "transfer_to"],
        })
    );

    let needs = account::needed(&plan.creation()["conversation_config"]);
    assert!(needs.iter().all(|name| SENT.contains(&name.as_str())), "{needs:?}");
    for name in ["prompt", "transfer_to", "dispatcher_name"] {
        assert!(needs.contains(name), "{name} is sent for nothing");
    }
    assert_eq!(agent.variables.keys().map(String::as_str).collect::<Vec<_>>(), {
        let mut sent = SENT;
        sent.sort_unstable();
        sent
    });
    assert_eq!(account::pull(plan.creation()).unwrap(), trimmed(agent), "pulled again");
}

/// As the vendor holds it: without the line end after the last line of the prompt.
fn trimmed(mut agent: account::Agent) -> account::Agent {
    agent.prompt = agent.prompt.map(|prompt| prompt.trim().to_owned());
    agent
}

fn read_by_the_sdk(body: &Value) -> Value {
    let mut python = Command::new(sdk::python())
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/agent_file.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(body.to_string().as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "the SDK does not take it");
    serde_json::from_slice(&output.stdout).unwrap()
}
