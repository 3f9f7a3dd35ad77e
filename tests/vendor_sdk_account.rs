//! A second opinion on the whole account: the vendor's own Python SDK and our client make the same calls of one stand-in each, and
//! put the same on the wire. Where the SDK's requests were recorded, they are those. Every answer fits the types of both.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

#[path = "common/every_call.rs"]
mod every_call;
mod sdk;
mod vendor;

use std::collections::BTreeMap;
use std::time::Duration;

use every_call::every_call;
use gladhand::standin::{self, Life, Request, StandIn};
use serde_json::{Value, json};

/// Bytes of a recording.
const RECORDING: u64 = 100_000;

#[tokio::test]
async fn the_vendor_s_own_client_asks_the_same_and_reads_every_answer() {
    let (ours, theirs) = (stand_in().await, stand_in().await);
    let made = every_call(&vendor::client(&ours.base_url())).await;
    let input = json!({"base_url": theirs.base_url(), "api_key": standin::KEY, "recording": RECORDING});
    let output = tokio::process::Command::new(sdk::python())
        .args([concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/account.py"), &input.to_string()])
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "the SDK failed:\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(serde_json::from_slice::<Vec<String>>(&output.stdout).unwrap(), made);

    let recorded: BTreeMap<String, Value> = serde_json::from_str(include_str!("fixtures/sdk-requests.json")).unwrap();
    let (our, their) = (ours.requests(), theirs.requests());
    assert_eq!((our.len(), their.len()), (made.len(), made.len()));
    for ((name, our), their) in made.iter().zip(&our).zip(&their) {
        assert!(their.headers["user-agent"].starts_with("elevenlabs/"), "not the SDK: {:?}", their.headers);
        assert_eq!(wire(our), wire(their), "{name}");
        if let Some(recorded) = recorded.get(*name) {
            assert_eq!(wire(their), as_recorded(recorded), "{name}: the SDK has changed");
        }
    }
    assert_eq!(recorded.keys().filter(|name| !made.contains(&name.as_str())).count(), 0);
}

async fn stand_in() -> StandIn {
    let stand_in = StandIn::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    stand_in.set_life(Life { ringing: Duration::ZERO, talking: Duration::ZERO, recording: RECORDING, ..Life::default() });
    stand_in
}

/// Method, path, query and body, whatever the boundary is.
fn wire(request: &Request) -> Value {
    let kind = request.headers.get("content-type").map_or("", String::as_str);
    let path = ids_as_recorded(&request.path);
    json!({"method": request.method, "path": path, "query": request.query, "body": body(kind, &request.body)})
}

fn as_recorded(recorded: &Value) -> Value {
    let url = reqwest::Url::parse(&format!("http://vendor{}", recorded["path"].as_str().unwrap())).unwrap();
    let query: Vec<(String, String)> = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let kind = recorded["content_type"].as_str().unwrap_or_default();
    let sent = recorded["body"].as_str().map_or_else(|| recorded["body"].to_string().into_bytes(), |text| text.into());
    json!({"method": recorded["method"], "path": url.path(), "query": query, "body": body(kind, &sent)})
}

/// The stand-in's ids as the recording has them.
fn ids_as_recorded(path: &str) -> String {
    let of = |step: &str| match step.split_once("_standin_") {
        Some((kind, _)) => format!("{kind}_1"),
        None => step.to_owned(),
    };
    path.split('/').map(of).collect::<Vec<_>>().join("/")
}

/// JSON as it is, a form as its parts.
fn body(kind: &str, bytes: &[u8]) -> Value {
    let text = std::str::from_utf8(bytes).unwrap();
    let Some((kind, boundary)) = kind.split_once("boundary=") else {
        return if text.is_empty() { Value::Null } else { serde_json::from_str(text).unwrap() };
    };
    let boundary = format!("--{boundary}");
    let parts = text.split(&boundary).map(str::trim).filter(|part| !matches!(*part, "" | "--"));
    json!([kind, parts.collect::<Vec<_>>()])
}
