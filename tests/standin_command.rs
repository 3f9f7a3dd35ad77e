//! `gladhand standin`: a vendor for integrators, with faults from a file.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use gladhand::elevenlabs::{AgentsQuery, ApiKey, Client, ConversationsQuery, ErrorKind, OutboundCall, Route, Settings};

const FAULTS: &str = r#"
[[fault]]
endpoint = "agents_list"
nth = 1
status = 503
[[fault]]
endpoint = "outbound_call"
nth = 1
status = 429
code = "rate_limit_exceeded"
retry-after = "7"
[[fault]]
endpoint = "outbound_call"
nth = 2
drop = true
done = true
"#;

#[tokio::test]
async fn it_says_where_it_is_and_does_what_the_file_says() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("faults.toml");
    fs::write(&file, FAULTS).unwrap();
    let mut standin = Command::new(env!("CARGO_BIN_EXE_gladhand"))
        .args(["standin", "--listen", "127.0.0.1:0", "--faults"])
        .arg(&file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(standin.stdout.take().unwrap());
    let mut line = || {
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        line
    };
    let (address, key) = (line(), line());
    let base_url = address.trim().strip_prefix("base_url = \"").and_then(|rest| rest.strip_suffix('"')).expect("its address");
    let key = key.trim().strip_prefix("key      = ").expect("its key");
    let settings = Settings { base_url: base_url.to_owned(), ..Settings::default() };
    let client = Client::new(&settings, ApiKey::new(key).unwrap()).unwrap();

    assert_eq!(client.list_agents(AgentsQuery::default()).collect(10).await.unwrap(), [], "a question is asked again");
    assert_eq!(client.counters()["agents_list"].requests, 2);
    let call = OutboundCall {
        agent_id: "agent_1".to_owned(),
        agent_phone_number_id: "phnum_1".to_owned(),
        to_number: "+12125550123".to_owned(),
        ..OutboundCall::default()
    };
    let busy = client.outbound_call(Route::Twilio, &call).await.unwrap_err();
    assert_eq!((busy.kind, busy.status, busy.retry_after.unwrap().as_secs()), (ErrorKind::Busy, Some(429), 7));
    let lost = client.outbound_call(Route::Twilio, &call).await.unwrap_err();
    assert!(lost.kind == ErrorKind::Lost && lost.was_maybe_placed(), "{lost:?}");
    assert_eq!(client.counters()["outbound_call"].requests, 2, "what places a call never is");
    let calls = client.list_conversations(ConversationsQuery::default()).collect(10).await.unwrap();
    assert_eq!(calls.len(), 1, "the second rang somebody");

    assert!(Command::new("kill").arg(standin.id().to_string()).status().unwrap().success());
    assert!(standin.wait().unwrap().success());
    let mut last = String::new();
    said.read_to_string(&mut last).unwrap();
    assert_eq!(last, "calls: 1, and nobody's telephone rang\n");
}

#[test]
fn a_file_of_faults_that_cannot_be_read_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("faults.toml");
    fs::write(&file, "[[fault]]\nendpoint = \"dial\"\nstatus = 500\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_gladhand")).args(["standin", "--faults"]).arg(&file).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("faults.toml: fault 1: endpoint \"dial\" is none of outbound_call, "), "{error}");
}
