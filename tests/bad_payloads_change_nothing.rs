//! Whatever arrives between the good messages is counted, refused in words where somebody waits for an answer, and changes
//! nothing: the same one call, by the same process.

#[path = "common/daemon.rs"]
mod daemon;

use daemon::{Gateway, Heard, REJECTED, REQUEST, Setup};
use serde_json::json;

const FIX: &str = r#""ts":1763569135,"lat":27.5,"lon":-99.4"#;

#[tokio::test]
async fn nothing_that_is_wrong_reaches_the_call() {
    let mut gateway = Gateway::prepare(Setup::default()).await;
    let good = r#"{"drivers":[{"driverId":"DR9","phoneNumber":"+12125550109"}]}"#;
    gateway.watch.publish(REQUEST, good, true).await;
    gateway.watch.settled().await;
    gateway.launch().await;
    let pid = gateway.pid();

    let mut fixes = gateway.recording.fixes().into_iter();
    let (mut refused, mut unread) = (1, 0);
    for (topic, payload) in bad() {
        for (topic, payload) in fixes.by_ref().take(10) {
            gateway.watch.publish(&topic, payload, false).await;
        }
        refused += usize::from(topic == REQUEST);
        // An empty message is how a retained one is cleared, and one that the broker keeps from us is not ours to count.
        unread += u64::from(topic.starts_with("fleet/") && (1..256 * 1024).contains(&payload.len()));
        gateway.watch.publish(&topic, payload, false).await;
    }
    for (topic, payload) in fixes {
        gateway.watch.publish(&topic, payload, false).await;
    }
    gateway.settle().await;

    gateway.watch.message("the one call", |said| said.call("placed")).await;
    let health = gateway.watch.health("to speak of what was rejected", |h| h["telemetry"]["rejected"] == unread).await;
    assert_eq!((&health["pid"], &health["status"], gateway.lives()), (&json!(pid), &json!("up"), true), "{health:#}");
    let by_reason = health.pointer("/telemetry/rejected_by").unwrap();
    for reason in
        ["not-json", "fix-too-old", "not-utf8", "missing-field", "wrong-type", "out-of-range", "bad-unit", "field-twice"]
    {
        assert!(by_reason[reason].as_u64() > Some(0), "{reason}: {by_reason:#}");
    }
    assert_eq!(gateway.watch.count(Heard::opened), 1);
    assert_eq!((gateway.posts(), gateway.watch.count(|said| said.call("pending"))), (1, 1));
    let roster = gateway.json(&["roster"]).await;
    let assignments = roster["assignments"].as_array().unwrap();
    assert!(assignments.len() == 3 && assignments.iter().all(|a| a["source"] == "file"), "{roster:#}");
    assert!(roster["zones"].as_array().unwrap().len() == 1 && roster["zones"][0]["source"] == "file", "{roster:#}");

    // Each of them, and the mark of `settle`.
    let answers: Vec<&Heard> = gateway.watch.heard.iter().filter(|said| said.topic == REJECTED).collect();
    assert_eq!(answers.len(), refused + 1, "{answers:#?}");
    assert_eq!(answers[0].text("/reason"), "a retained request would be one again at every connect");
    assert!(answers.iter().all(|said| said.json["at"].is_number() && !said.text("/reason").is_empty()));
    for reason in ["No driver data provided", "not JSON (line 1, column 1)", "drivers[0].phoneNumber is empty"] {
        assert!(answers.iter().any(|said| said.text("/reason") == reason), "{reason}: {answers:#?}");
    }
    let log = gateway.log();
    // Somebody who sends nonsense all day does not fill the journal with it.
    let warnings = log.matches("not followed").count();
    assert!((1..=10).contains(&warnings) && log.contains("message on gladhand/assignments/T-103 not followed"), "{warnings}");
    assert!(!log.contains("panicked"));
}

fn bad() -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let mut add = |topic: &str, payload: &[u8]| all.push((topic.to_owned(), payload.to_vec()));
    let fleet = "fleet/T-103/telemetry";
    for payload in [
        "",
        "{",
        "null",
        "[]",
        "[1,2,3]",
        "true",
        "\"T-103\"",
        "{}",
        r#"{"unit":"T-103"}"#,
        &format!(r#"{{{FIX}}}"#),
        &format!(r#"{{"unit":5,{FIX}}}"#),
        &format!(r#"{{"unit":"a/b",{FIX}}}"#),
        &format!(r#"{{"unit":"T-103","unit":"T-101",{FIX}}}"#),
        &format!(r#"{{"unit":"T-103",{FIX},"speed_mps":"fast"}}"#),
        &format!(r#"{{"unit":"T-103",{FIX},"speed_mps":-1e30}}"#),
        &format!(r#"{{"unit":"T-103",{FIX},"coupling":{{"state":"perhaps"}}}}"#),
        r#"{"unit":"T-103","ts":1e999,"lat":1,"lon":1}"#,
        r#"{"unit":"T-103","ts":"now","lat":1,"lon":1}"#,
        r#"{"unit":"T-103","ts":99999999999999999999,"lat":1,"lon":1}"#,
        r#"{"unit":"T-103","ts":1763569135250,"lat":1,"lon":1}"#,
        r#"{"unit":"T-103","ts":1763569135,"lat":{"a":[[[[[]]]]]},"lon":1}"#,
        &"[".repeat(50_000),
        &format!("{}1{}", r#"{"a":"#.repeat(5_000), "}".repeat(5_000)),
    ] {
        add(fleet, payload.as_bytes());
    }
    add(fleet, b"\xff\xfe\x00\x80");
    add(fleet, b"{\"unit\":\"T-\xc3\x28\",\"ts\":1,\"lat\":1,\"lon\":1}");
    let large = |size| format!(r#"{{"unit":"T-103",{FIX},"x":"{}"}}"#, "x".repeat(size)).into_bytes();
    // The broker keeps the first from us; the second is read, and says what was long ago.
    add(fleet, &large(300 * 1024));
    add(fleet, &large(200 * 1024));
    for payload in [
        "nonsense",
        r#"{"tractor":"T-103"}x"#,
        r#"{"tractor":"T-101","trailer":"R-103"}"#,
        r#"{"tractor":"T-103","trailer":"T-103"}"#,
        r#"{"tractor":"T-103","trailers":["1","2","3","4","5"]}"#,
        r#"{"tractor":"T-103","driver":{"id":"D","phone":"12"}}"#,
        r#"{"tractor":"T-103","color":"red"}"#,
    ] {
        add("gladhand/assignments/T-103", payload.as_bytes());
    }
    for payload in ["{}", "[1]", r#"[{"name":"x","center":[91,0],"radius_m":5}]"#, r#"[{"name":"x","radius_m":-1}]"#, "\u{1}"] {
        add("gladhand/zones", payload.as_bytes());
    }
    for payload in ["30", r#"{"minutes":-1}"#, r#"{"minutes":"soon"}"#, "[]x"] {
        add("gladhand/violations/T-103/acknowledge", payload.as_bytes());
    }
    for topic in ["gladhand/calls/EL_nobody/cancel", "gladhand/calls/EL bad sid/cancel", "gladhand/calls//cancel"] {
        add(topic, b"");
    }
    for payload in [
        &b""[..],
        b"x",
        b"{}",
        b"[]",
        b"\xff\xff",
        br#"{"drivers":[]}"#,
        br#"{"drivers":[{"driverId":"D"}]}"#,
        br#"{"drivers":[{"driverId":"D","phoneNumber":""}]}"#,
        br#"{"drivers":[{"driverId":"D","phoneNumber":"+1212555010"}]} trailing"#,
        br#"{"drivers":[{"driverId":"D","phoneNumber":"call me"}]}"#,
        br#"{"drivers":{"driverId":"D","phoneNumber":"+12125550109"}}"#,
    ] {
        add(REQUEST, payload);
    }
    add(REQUEST, &large(200 * 1024));
    all
}
