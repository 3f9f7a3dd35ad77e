//! The commands that speak with the daemon: what they print, where, and their exit codes.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use gladhand::api::{Asked, Limits, serve};
use gladhand::core::calls::request;
use gladhand::core::control::{Answer, Ask};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::mpsc;

async fn gladhand(directory: &Path, args: &'static str) -> (Option<i32>, String, String) {
    let config = directory.join("gladhand.toml");
    let Output { status, stdout, stderr } = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gladhand"));
        command.arg("--config").arg(config).args(args.split_whitespace()).output().unwrap()
    })
    .await
    .unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn configured() -> TempDir {
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("gladhand.sock");
    let config = format!("[gateway]\nid = \"yard-7\"\n[api]\nsocket = \"{}\"\n", socket.display());
    fs::write(directory.path().join("gladhand.toml"), config).unwrap();
    directory
}

#[tokio::test]
async fn what_the_daemon_answers_is_printed_and_its_refusals_are_failures() {
    let directory = configured();
    let (asks, mut asked) = mpsc::channel::<Asked>(1);
    let _server = serve(&directory.path().join("gladhand.sock"), asks, Limits::default()).await.unwrap();
    tokio::spawn(async move {
        while let Some(Asked { ask, reply }) = asked.recv().await {
            let answer = if matches!(ask, Ask::Calls { all: false }) {
                Answer::ok(json!({"calls": [{"call_sid": "EL_D_1", "state": "pending"}]}))
            } else if let Ask::Request { body, .. } = ask {
                match request::accept(&body, "US") {
                    Ok(_) => Answer { status: 202, body: json!({"call_sid": "EL_D_2", "state": "pending"}) },
                    Err(refusal) => Answer::error(refusal.status, &refusal.message),
                }
            } else {
                Answer::error(404, "no such call")
            };
            let _gone = reply.send(answer);
        }
    });
    for (args, code, out, err) in [
        (
            "calls list",
            0,
            "CALL    STATE    TRY  KIND  DRIVER  TO  PHONE  AGE  OUTCOME\nEL_D_1  pending  -    -     -       -   -      -    -\n",
            "",
        ),
        ("calls request --driver-id D --to 2125550123", 0, "EL_D_2: pending\n", ""),
        ("calls cancel EL_D_9", 1, "", "gladhand: no such call\n"),
        (
            "calls request --driver-id D --to 5550123",
            1,
            "",
            "gladhand: drivers[0].phoneNumber has no + and is not a 10-digit number of the default country US; write it with + \
             and country code\n",
        ),
    ] {
        assert_eq!(gladhand(directory.path(), args).await, (Some(code), out.to_owned(), err.to_owned()), "{args}");
    }
    let (code, out, _) = gladhand(directory.path(), "calls list --json").await;
    assert_eq!(code, Some(0));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&out).unwrap()["calls"][0]["call_sid"], "EL_D_1");
}

#[tokio::test]
async fn exit_codes_tell_failure_usage_and_configuration_apart() {
    let directory = configured();
    let (code, _, err) = gladhand(directory.path(), "status").await;
    assert_eq!(code, Some(1));
    assert!(err.starts_with("gladhand: the daemon is not running (nobody answers on "), "{err}");
    assert_eq!(gladhand(directory.path(), "calls cancel a/b").await.0, Some(2));
    assert_eq!(gladhand(directory.path(), "calls request").await.0, Some(2));
    assert_eq!(gladhand(directory.path(), "calls request --driver-id D --to 2125550123 --dry-run").await.0, Some(0));
    fs::write(directory.path().join("gladhand.toml"), "[gateway]\nid = \"yard-7\"\nfloat = 1\n").unwrap();
    let (code, _, err) = gladhand(directory.path(), "status").await;
    assert_eq!(code, Some(64));
    assert!(err.contains("gladhand.toml:3:"), "{err}");
    assert_eq!(gladhand(directory.path(), "status --socket /nowhere/gladhand.sock").await.0, Some(1));
}

/// What the unit asks before a reload.
#[tokio::test]
async fn files_that_are_well_formed_pass_without_key_store_or_agent_and_others_are_named() {
    let directory = configured();
    let quiet = (Some(0), String::new(), String::new());
    assert_eq!(gladhand(directory.path(), "check --files").await, quiet);
    for (name, text, expected) in [
        ("roster.toml", "[[assignment]]\ntractor = 5\n", "roster.toml:2: assignment[0].tractor: "),
        ("gladhand.toml", "[gateway]\nid = \"yard-7\"\ncolour = \"red\"\n", "gladhand.toml:3: gateway.colour: "),
    ] {
        fs::write(directory.path().join(name), text).unwrap();
        let (code, out, err) = gladhand(directory.path(), "check --files").await;
        assert_eq!((code, out.as_str()), (Some(64), ""));
        assert!(err.contains(expected), "{err}");
    }
}
