//! What every answer, and every lack of one, means for a call. Whoever is told "unknown" asks before dialling again, so the
//! rows that matter most are those that must not be taken for "not placed".

mod vendor;

use std::time::Duration;

use gladhand::core::calls::dialing::{NotPlaced, Verdict};
use gladhand::elevenlabs::{ApiKey, Client, Route, Settings};
use vendor::{PLACED, Raw, Then, answer, client, order, placed, settings};

async fn verdict(then: Then) -> Verdict {
    let raw = Raw::start([then]).await;
    let verdict = client(&raw.url).place(&order()).await;
    assert!(raw.requests().len() <= 1, "repeated");
    verdict
}

async fn answered(status: &str, headers: &str, body: &str) -> Verdict {
    verdict(Then::Write(answer(status, headers, body))).await
}

fn detail(code: &str) -> String {
    format!(r#"{{"detail":{{"status":"{code}","message":"words"}}}}"#)
}

fn unknown(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Unknown(why) if !why.is_empty())
}

fn unreachable(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::NotPlaced(NotPlaced::Unreachable(why)) if !why.is_empty())
}

#[tokio::test]
async fn no_byte_went_out() {
    let refused = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    for url in [refused.as_str(), "https://gladhand.invalid"] {
        let verdict = client(url).place(&order()).await;
        assert!(unreachable(&verdict), "{url}: {verdict:?}");
        assert!(client(url).reach().await.is_err(), "{url}");
    }
}

/// A dead uplink swallows packets rather than refusing them. `timeout` covers the whole request, so connecting must give up
/// first: then it is certain that nothing was sent.
#[tokio::test]
async fn a_handshake_without_an_answer_is_unreachable_and_not_unknown() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings =
        Settings { timeout: Duration::from_secs(2), ..settings(&format!("https://{}", listener.local_addr().unwrap())) };
    let verdict = Client::new(&settings, ApiKey::new("sk_x").unwrap()).unwrap().place(&order()).await;
    assert!(unreachable(&verdict), "{verdict:?}");
}

#[tokio::test]
async fn bytes_went_out_and_no_whole_answer_came() {
    let beginning = |text: &str| Then::Write(text.as_bytes().to_vec());
    for then in [
        Then::Close,
        beginning(""),
        Then::Reset,
        Then::Flood,
        beginning("HTTP/1.1 20"),
        beginning("HTTP/1.1 200 OK\r\ncontent-le"),
        beginning("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"success\":true"),
        beginning("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\n{\"succ"),
        beginning("220 mail.example.org ESMTP\r\n"),
    ] {
        let verdict = verdict(then.clone()).await;
        assert!(unknown(&verdict), "{then:?}: {verdict:?}");
    }
}

#[tokio::test]
async fn bytes_went_out_and_the_time_ran_out() {
    for said in ["", "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"] {
        let raw = Raw::start([Then::Hang(said.as_bytes().to_vec())]).await;
        let settings = Settings { timeout: Duration::from_secs(1), ..settings(&raw.url) };
        let verdict = Client::new(&settings, ApiKey::new("sk_x").unwrap()).unwrap().place(&order()).await;
        assert!(unknown(&verdict), "{said}: {verdict:?}");
        assert_eq!(raw.requests().len(), 1, "{said}");
    }
}

#[tokio::test]
async fn the_vendor_turned_it_away() {
    for status in ["400 Bad Request", "402 Payment Required", "404 Not Found", "405 X", "413 X", "422 X", "451 X"] {
        let verdict = answered(status, "", &detail("some_code")).await;
        let text = format!("HTTP {}: some_code: words", status.get(..3).unwrap());
        assert_eq!(verdict, Verdict::NotPlaced(NotPlaced::Refused(text)));
    }
    for status in [401, 403] {
        let verdict = answered(&format!("{status} X"), "", &detail("invalid_api_key")).await;
        let text = format!("HTTP {status}: invalid_api_key: words");
        assert_eq!(verdict, Verdict::NotPlaced(NotPlaced::Account(text)));
    }
}

#[tokio::test]
async fn a_refusal_counts_even_when_its_body_breaks_off() {
    let broken = b"HTTP/1.1 401 X\r\ncontent-length: 500\r\n\r\n{\"det".to_vec();
    assert!(matches!(verdict(Then::Write(broken)).await, Verdict::NotPlaced(NotPlaced::Account(_))));
}

#[tokio::test]
async fn the_vendor_is_busy() {
    for (code, headers, wait, slot) in [
        ("rate_limit_exceeded", "", None, false),
        ("rate_limit_exceeded", "retry-after: 2\r\n", Some(Duration::from_secs(2)), false),
        ("system_busy", "retry-after-ms: 1500\r\n", Some(Duration::from_millis(1500)), false),
        ("concurrent_limit_exceeded", "", None, true),
        ("too_many_concurrent_requests", "retry-after: soon\r\n", None, true),
    ] {
        let verdict = answered("429 Too Many Requests", headers, &detail(code)).await;
        let reason = format!("HTTP 429: {code}: words");
        assert_eq!(verdict, Verdict::NotPlaced(NotPlaced::Busy { retry_after: wait, concurrency: slot, reason }));
    }
}

#[tokio::test]
async fn the_vendor_may_have_dialled_all_the_same() {
    for status in [408, 409, 499, 500, 502, 503, 504, 520, 599] {
        let verdict = answered(&format!("{status} X"), "retry-after: 0\r\n", &detail("internal")).await;
        assert_eq!(verdict, Verdict::Unknown(format!("HTTP {status}: internal: words")));
    }
    for status in [300, 301, 302, 303, 307, 308] {
        let verdict = answered(&format!("{status} X"), "location: /v1/convai/twilio/outbound-call\r\n", "").await;
        assert!(unknown(&verdict), "{status}: {verdict:?}");
    }
}

#[tokio::test]
async fn the_vendor_made_the_call() {
    assert_eq!(answered("200 OK", "", PLACED).await, placed());
    let sip = PLACED.replace("callSid", "sip_call_id");
    let raw = Raw::start([Then::Write(answer("200 OK", "", &sip))]).await;
    let settings = Settings { route: Route::SipTrunk, ..settings(&raw.url) };
    assert_eq!(Client::new(&settings, ApiKey::new("sk_x").unwrap()).unwrap().place(&order()).await, placed());
    let alone = r#"{"success":true,"message":"","conversation_id":"conv_1","callSid":null}"#;
    let without_sid = Verdict::Placed { conversation_id: "conv_1".to_owned(), provider_call_sid: None };
    assert_eq!(answered("200 OK", "", alone).await, without_sid);
}

#[tokio::test]
async fn the_telephone_provider_refused() {
    for (message, credentials) in [
        ("HTTP 401 error: Unable to create record: Authenticate", true),
        ("HTTP 403 error: Forbidden", true),
        ("HTTP 400 error: Unable to create record", false),
        ("", false),
    ] {
        let body = format!(r#"{{"success":false,"message":"{message}","conversation_id":null,"callSid":null}}"#);
        let reason = if message.is_empty() { "success is false" } else { message }.to_owned();
        assert_eq!(answered("200 OK", "", &body).await, Verdict::NotPlaced(NotPlaced::Provider { reason, credentials }));
    }
}

#[tokio::test]
async fn success_that_cannot_be_proven_is_unknown() {
    for body in [
        r#"{"success":true,"message":"Success","conversation_id":null,"callSid":null}"#,
        r#"{"success":true,"message":"Success"}"#,
        r#"{"success":true,"conversation_id":""}"#,
        r#"{"success":true,"conversation_id":7}"#,
        r#"{"success":true,"conversation_id":"../../etc"}"#,
        r#"{"success":"true","conversation_id":"conv_1"}"#,
        r#"{"success":null,"conversation_id":"conv_1"}"#,
        r#"{"conversation_id":"conv_1"}"#,
        r#"{"success":true,"conversation_id":"conv_1""#,
        r#"{"success":false"#,
        r#"{"detail":"Not Found"}"#,
        "[]",
        "null",
        "",
        "<!DOCTYPE html><title>Welcome to the truck stop</title>",
    ] {
        let verdict = answered("200 OK", "", body).await;
        assert!(unknown(&verdict), "{body}: {verdict:?}");
    }
    let verdict = answered("204 No Content", "", "").await;
    assert!(unknown(&verdict), "{verdict:?}");
}

/// A request on a kept connection that the other side closed meanwhile would be "unknown".
#[tokio::test]
async fn a_connection_is_not_used_twice() {
    let raw = Raw::start([Then::Hang(answer("200 OK", "connection: keep-alive\r\n", PLACED))]).await;
    let client = client(&raw.url);
    assert_eq!(client.place(&order()).await, placed());
    assert_eq!(client.place(&order()).await, placed());
    assert_eq!(raw.requests().len(), 2);
}
