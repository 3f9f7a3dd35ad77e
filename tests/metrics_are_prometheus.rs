//! `GET /metrics` is what Prometheus' own parser reads, under the names and with the values of health.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

#[path = "common/daemon.rs"]
mod daemon;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use daemon::{Gateway, Setup};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// Reads a page, prints families as `{"name": {"type", "help", "samples": [[name, labels, value], …]}}`.
const PARSE: &str = r#"
import json, sys
from prometheus_client.parser import text_string_to_metric_families as families
page = sys.stdin.read()
print(json.dumps({f.name: {"type": f.type, "help": f.documentation,
                           "samples": [[s.name, s.labels, s.value] for s in f.samples]} for f in families(page)}))
"#;

#[tokio::test]
async fn every_number_of_health_is_there_under_its_name() {
    let mut gateway = Gateway::start(Setup { uplink: false, ..Setup::default() }).await;
    gateway.play().await;
    gateway.watch.publish("fleet/T-9/telemetry", "{", false).await;
    gateway.settle().await;
    let seen = |health: &Value| health["calls"]["pending"] == 1 && health["gateway"]["disk_free_bytes"].is_u64();
    gateway.watch.health("a call to wait and the disk to be looked at", seen).await;

    let (head, page) = page(&gateway).await;
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    let families = parsed(&page);
    let health = gateway.json(&["status"]).await;
    for (name, family) in &families {
        assert!(name.starts_with("gladhand_") && !family["help"].as_str().unwrap().is_empty(), "{name}: {family}");
    }

    // What health has counted since the page was made may only have grown by what the question itself did: nothing.
    let mut compared = 0;
    for part in ["telemetry", "violations", "calls", "mqtt"] {
        for (key, value) in health[part].as_object().unwrap() {
            let Some(number) = value.as_f64().or_else(|| value.as_bool().map(f64::from)) else { continue };
            if key == "age_s" || key == "oldest_s" {
                continue;
            }
            assert_eq!(sample(&families, &format!("gladhand_{part}_{key}"), &json!({})), Some(number), "{part}.{key}\n{page}");
            compared += 1;
        }
    }
    assert!(compared >= 18, "only {compared} compared: {health}");
    for (reason, count) in health["telemetry"]["rejected_by"].as_object().unwrap() {
        let labels = json!({ "reason": reason });
        assert_eq!(sample(&families, "gladhand_telemetry_rejected_by", &labels), count.as_f64(), "{reason}");
    }
    for said in health["reasons"].as_array().unwrap() {
        let reason = said.as_str().unwrap().split(':').next().unwrap();
        assert!(sample(&families, "gladhand_reasons", &json!({ "reason": reason })) >= Some(1.0), "{said}");
    }
    assert!(!page.contains("T-10") && !page.contains("R-10"), "a page whose length grows with the fleet:\n{page}");
    assert_eq!(sample(&families, "gladhand_uplink", &json!({ "uplink": "offline" })), Some(1.0));
    assert_eq!(sample(&families, "gladhand_uplink", &json!({ "uplink": "ok" })), Some(0.0));
    assert_eq!(sample(&families, "gladhand_status", &json!({ "status": "degraded" })), Some(1.0));
    assert!(sample(&families, "gladhand_gateway_disk_free_bytes", &json!({})) > Some(0.0));
    assert_eq!(families["gladhand_telemetry_received"]["type"], "counter");
    assert_eq!(families["gladhand_calls_pending"]["type"], "gauge");
}

fn sample(families: &Map<String, Value>, name: &str, labels: &Value) -> Option<f64> {
    let samples = families.get(name)?["samples"].as_array()?;
    samples.iter().find(|sample| sample[1] == *labels)?[2].as_f64()
}

async fn page(gateway: &Gateway) -> (String, String) {
    let mut stream = UnixStream::connect(gateway.path("gladhand.sock")).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: gladhand\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, page) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase().replacen("http", "HTTP", 1), page.to_owned())
}

fn parsed(page: &str) -> Map<String, Value> {
    let mut parser = Command::new(python())
        .args(["-c", PARSE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the parser starts");
    parser.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = parser.wait_with_output().unwrap();
    assert!(output.status.success(), "the parser does not take the page:\n{page}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// `GLADHAND_SDK_PYTHON`, else `venv` in the target directory that this test was built into.
fn python() -> PathBuf {
    if let Some(python) = std::env::var_os("GLADHAND_SDK_PYTHON") {
        return python.into();
    }
    let test = std::env::current_exe().unwrap();
    let found = test.ancestors().map(|directory| directory.join("venv/bin/python")).find(|python| python.exists());
    found.expect(
        "no Python with prometheus-client: `make test` sets it up in the target directory, or GLADHAND_SDK_PYTHON names one",
    )
}
