//! The same table where it is lived: over TLS. A handshake that fails, for whatever reason, is "not placed", and nothing of the
//! request was sent; after it, a lost answer is "unknown".
//!
//! The roots come from the machine, and only from there. So the tests that need others run again in a child process, which is
//! given them as `SSL_CERT_FILE`.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

#[path = "common/tls.rs"]
mod tls;
mod vendor;

use std::io::{Read, Write};

use gladhand::core::calls::dialing::{NotPlaced, Verdict};
use gladhand::elevenlabs::{ApiKey, Client};
use tls::{speak_tls, vendor};
use vendor::{PLACED, answer, client, order, placed, settings};

const CHILD: &str = "GLADHAND_TEST_CHILD";

fn assert_unreachable(verdict: &Verdict) {
    assert!(matches!(verdict, Verdict::NotPlaced(NotPlaced::Unreachable(why)) if !why.is_empty()), "{verdict:?}");
}

#[tokio::test]
async fn a_vendor_that_cannot_prove_who_it_is_hears_nothing() {
    let (url, heard) = vendor(|stream| speak_tls(stream, &answer("200 OK", "", PLACED)));
    let verdict = client(&url).place(&order()).await;
    assert_unreachable(&verdict);
    assert!(format!("{verdict:?}").contains("certificate"), "{verdict:?}");
    assert_eq!(heard.join().unwrap(), b"");
}

#[tokio::test]
async fn a_handshake_that_breaks_off_is_unreachable() {
    for reply in ["", "HTTP/1.1 302 Found\r\nlocation: http://portal.example/\r\n\r\n"] {
        let (url, heard) = vendor(|mut stream| {
            let mut hello = [0; 4096];
            assert!(stream.read(&mut hello).unwrap() > 0);
            stream.write_all(reply.as_bytes()).unwrap();
            Vec::new()
        });
        assert_unreachable(&client(&url).place(&order()).await);
        heard.join().unwrap();
    }
}

#[tokio::test]
async fn a_trusted_vendor_is_told_and_a_lost_answer_is_unknown() {
    if std::env::var_os(CHILD).is_none() {
        let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/ca.pem");
        return in_a_child_with_roots("a_trusted_vendor_is_told_and_a_lost_answer_is_unknown", authority);
    }
    let (url, heard) = vendor(|stream| speak_tls(stream, &answer("200 OK", "", PLACED)));
    assert_eq!(client(&url).place(&order()).await, placed());
    assert!(heard.join().unwrap().starts_with(b"POST /v1/convai/twilio/outbound-call HTTP/1.1\r\n"));

    let (url, heard) = vendor(|stream| speak_tls(stream, b""));
    let verdict = client(&url).place(&order()).await;
    assert!(matches!(verdict, Verdict::Unknown(_)), "{verdict:?}");
    assert!(!heard.join().unwrap().is_empty());
}

#[test]
fn without_roots_there_is_no_client_but_a_sentence() {
    if std::env::var_os(CHILD).is_none() {
        return in_a_child_with_roots("without_roots_there_is_no_client_but_a_sentence", "/dev/null");
    }
    let build = |url| Client::new(&settings(url), ApiKey::new("sk_x").unwrap());
    let why = build("https://localhost").unwrap_err().to_string();
    assert!(why.contains("ca-certificates"), "{why}");
    assert!(build("http://localhost").is_ok(), "the demo needs no roots");
}

/// Runs one test of this file again, in a process for which the machine's only roots are in `file`.
fn in_a_child_with_roots(test: &str, file: &str) {
    let empty = tempfile::tempdir().unwrap();
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env("SSL_CERT_FILE", file)
        .env("SSL_CERT_DIR", empty.path())
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}
