//! The control socket between its two ends: what a client asks arrives at the main loop, what the main loop answers
//! arrives at the client, and nobody who stalls, overdoes it or comes second gets in the way.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use gladhand::api::client::{self, ClientError};
use gladhand::api::{Asked, Limits, Server, serve, serve_tcp};
use gladhand::config::secrets::Secret;
use gladhand::core::control::{Acknowledgement, Answer, Ask};
use gladhand::core::id::{CallSid, UnitId};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;

/// Longer than any of these exchanges takes; reached only when something hangs.
const PATIENCE: Duration = Duration::from_secs(30);
const QUICK: Limits = Limits { connections: 4, patience: Duration::from_millis(200) };

struct Fixture {
    _directory: TempDir,
    socket: PathBuf,
    server: Server,
}

/// A server whose main loop answers 202 with what it was asked.
async fn echoing() -> Fixture {
    let (asks, mut asked) = mpsc::channel::<Asked>(4);
    tokio::spawn(async move {
        while let Some(Asked { ask, reply }) = asked.recv().await {
            let answer = if matches!(ask, Ask::Retry(_)) {
                Answer::error(409, "it is still pending")
            } else if matches!(&ask, Ask::Request { body, .. } if body.is_empty()) {
                Answer::error(400, "No driver data provided")
            } else {
                Answer { status: 202, body: json!(format!("{ask:?}")) }
            };
            let _gone = reply.send(answer);
        }
    });
    fixture(asks, Limits::default()).await
}

async fn fixture(asks: mpsc::Sender<Asked>, limits: Limits) -> Fixture {
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("run/gladhand.sock");
    let server = serve(&socket, asks, limits).await.unwrap();
    Fixture { _directory: directory, socket, server }
}

async fn ask(socket: &Path, method: &'static str, path: &str, body: &[u8]) -> Result<Answer, ClientError> {
    let (socket, path, body) = (socket.to_path_buf(), path.to_owned(), body.to_vec());
    tokio::task::spawn_blocking(move || client::ask(&socket, method, &path, &body, PATIENCE)).await.unwrap()
}

#[tokio::test]
async fn every_route_asks_what_it_says() {
    let f = echoing().await;
    let sid = CallSid::new("EL_DR001_1").unwrap();
    let tractor = UnitId::new("T 1é").unwrap();
    let routes = [
        ("GET", "/health".to_owned(), "", Ask::Health),
        ("GET", "/calls".to_owned(), "", Ask::Calls { all: false }),
        ("GET", "/calls?all=true".to_owned(), "", Ask::Calls { all: true }),
        ("GET", "/calls/EL_DR001_1".to_owned(), "", Ask::Call(sid.clone())),
        ("POST", "/calls/EL_DR001_1/cancel".to_owned(), "", Ask::Cancel(sid)),
        ("GET", "/violations".to_owned(), "", Ask::Violations),
        (
            "POST",
            format!("/violations/{}/acknowledge", client::segment(&tractor)),
            r#"{"minutes":30,"by":"Ana"}"#,
            Ask::Acknowledge(tractor, Acknowledgement { minutes: Some(30), by: "Ana".to_owned() }),
        ),
        ("GET", "/roster".to_owned(), "", Ask::Roster),
        ("GET", "/units".to_owned(), "", Ask::Units),
        (
            "POST",
            "/driver_data/call-elevenlabs?wait=30s".to_owned(),
            "anything",
            Ask::Request { body: b"anything".to_vec(), wait: Some(Duration::from_secs(30)) },
        ),
    ];
    for (method, path, body, expected) in routes {
        let answer = ask(&f.socket, method, &path, body.as_bytes()).await.unwrap();
        assert_eq!(answer, Answer { status: 202, body: json!(format!("{expected:?}")) }, "{path}");
    }
}

#[tokio::test]
async fn every_refusal_is_json_in_the_shape_of_its_route() {
    let f = echoing().await;
    let compatible = "/driver_data/call-elevenlabs";
    let too_large = vec![b' '; 65 * 1024];
    let long = format!("/calls/{}", "x".repeat(129));
    let not_a_unit = json!({"error": "tractor contains a control character or one of / + #"});
    let not_a_duration =
        json!({"detail": "wait: \"30\" is not a duration; write a whole number and a unit, like \"120s\", \"30m\" or \"2h\""});
    for (method, path, body, status, expected) in [
        ("POST", "/calls/EL_1/retry", &b""[..], 409, json!({"error": "it is still pending"})),
        ("GET", "/nowhere", b"", 404, json!({"error": "not found"})),
        ("POST", "/health", b"", 405, json!({"error": "method not allowed"})),
        ("GET", "/calls?all=perhaps", b"", 400, json!({"error": "the query is ?all=true or ?all=false"})),
        ("GET", long.as_str(), b"", 400, json!({"error": "call_sid is longer than 128 bytes"})),
        ("POST", "/violations/a%2Fb/acknowledge", b"", 400, not_a_unit),
        ("POST", compatible, b"", 400, json!({"detail": "No driver data provided"})),
        ("GET", compatible, b"", 405, json!({"detail": "method not allowed"})),
        ("POST", compatible, &too_large, 413, json!({"detail": "payload too large"})),
        ("POST", "/driver_data/call-elevenlabs?wait=1h", b"", 400, json!({"detail": "wait: 2m at most"})),
        ("POST", "/driver_data/call-elevenlabs?wait=30", b"", 400, not_a_duration),
    ] {
        let answer = ask(&f.socket, method, path, body).await.unwrap();
        assert_eq!((answer.status, answer.body), (status, expected), "{method} {path}");
    }
    let garbled = ask(&f.socket, "POST", "/violations/T-1/acknowledge", b"30").await.unwrap();
    assert_eq!(garbled.status, 400);
}

#[tokio::test]
async fn a_main_loop_that_does_not_answer_is_503_and_sees_that_nobody_waits() {
    let (asks, mut asked) = mpsc::channel(1);
    let f = fixture(asks, QUICK).await;
    let answer = ask(&f.socket, "GET", "/health", b"").await.unwrap();
    assert_eq!((answer.status, answer.body), (503, json!({"error": "gladhand is too busy to answer"})));
    assert!(asked.recv().await.unwrap().reply.is_closed());
    let waiting = ask(&f.socket, "POST", "/driver_data/call-elevenlabs?wait=1m", b"{}");
    let main_loop = async {
        let asked = asked.recv().await.unwrap();
        tokio::time::sleep(QUICK.patience * 2).await;
        asked.reply.send(Answer::ok(Value::Null)).unwrap();
    };
    assert_eq!(tokio::join!(waiting, main_loop).0.unwrap().status, 200);
    drop(asked);
    assert_eq!(ask(&f.socket, "GET", "/health", b"").await.unwrap().body, json!({"error": "gladhand is stopping"}));
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_one_to_end() {
    let (asks, mut asked) = mpsc::channel::<Asked>(4);
    let f = fixture(asks, Limits { connections: 4, patience: PATIENCE }).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut stream = UnixStream::connect(&f.socket).unwrap();
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        held.push((stream, asked.recv().await.unwrap()));
    }
    let fifth = tokio::spawn({
        let socket = f.socket.clone();
        async move { ask(&socket, "GET", "/roster", b"").await.unwrap().status }
    });
    assert!(tokio::time::timeout(Duration::from_millis(200), asked.recv()).await.is_err());
    let (mut stream, first) = held.pop().unwrap();
    first.reply.send(Answer::ok(json!({}))).unwrap();
    let next = asked.recv().await.unwrap();
    assert_eq!(next.ask, Ask::Roster);
    next.reply.send(Answer::ok(json!({}))).unwrap();
    assert_eq!(fifth.await.unwrap(), 200);
    // The server closes after its answer, although the client has not asked for it.
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn the_socket_is_for_owner_and_group_and_goes_with_its_server() {
    let f = echoing().await;
    let found = fs::metadata(&f.socket).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o660);
    f.server.stop().await;
    assert!(matches!(fs::metadata(&f.socket), Err(error) if error.kind() == ErrorKind::NotFound));
    let error = ask(&f.socket, "GET", "/health", b"").await.unwrap_err();
    assert!(matches!(error, ClientError::NotRunning(_)), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_due_is_given_before_the_server_stops() {
    let (asks, mut asked) = mpsc::channel::<Asked>(1);
    let f = fixture(asks, Limits::default()).await;
    let question = tokio::spawn({
        let socket = f.socket.clone();
        async move { ask(&socket, "GET", "/health", b"").await }
    });
    let due = asked.recv().await.unwrap();
    let main_loop = async {
        tokio::task::yield_now().await;
        due.reply.send(Answer::ok(json!("late"))).unwrap();
    };
    tokio::join!(f.server.stop(), main_loop);
    assert_eq!(question.await.unwrap().unwrap().body, json!("late"));
}

#[tokio::test]
async fn a_dead_socket_is_taken_over_and_a_live_one_is_not() {
    let directory = TempDir::new().unwrap();
    let socket = directory.path().join("gladhand.sock");
    drop(UnixListener::bind(&socket).unwrap());
    let (asks, _asked) = mpsc::channel(1);
    let first = serve(&socket, asks.clone(), QUICK).await.unwrap();
    let second = serve(&socket, asks.clone(), QUICK).await.unwrap_err();
    assert_eq!(second.kind(), ErrorKind::AddrInUse);
    assert_eq!(ask(&socket, "GET", "/nowhere", b"").await.unwrap().status, 404);
    first.stop().await;
    fs::write(&socket, "a file").unwrap();
    assert_eq!(serve(&socket, asks, QUICK).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read_to_string(&socket).unwrap(), "a file");
}

#[tokio::test]
async fn over_tcp_nobody_passes_without_the_token() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (asks, mut asked) = mpsc::channel::<Asked>(1);
    tokio::spawn(async move {
        while let Some(asked) = asked.recv().await {
            let _gone = asked.reply.send(Answer::ok(json!({})));
        }
    });
    let _server = serve_tcp(address, Secret::new("s3cret").unwrap(), asks, QUICK).await.unwrap();
    let status = |authorization: &'static str| {
        tokio::task::spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            write!(stream, "GET /health HTTP/1.1\r\nHost: x\r\n{authorization}\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer.split(' ').nth(1).unwrap().to_owned()
        })
    };
    assert_eq!(status("Authorization: Bearer s3cret\r\n").await.unwrap(), "200");
    for wrong in ["", "Authorization: Bearer s3cre\r\n", "Authorization: Bearer s3cret2\r\n", "Authorization: s3cret\r\n"] {
        assert_eq!(status(wrong).await.unwrap(), "401", "{wrong}");
    }
}

/// Who brings no token is turned away without a share in it; so a stranger uses up nobody's rate.
#[tokio::test]
async fn over_tcp_too_many_requests_are_429_until_some_time_has_passed() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (asks, mut asked) = mpsc::channel::<Asked>(1);
    tokio::spawn(async move {
        while let Some(asked) = asked.recv().await {
            let _gone = asked.reply.send(Answer::ok(json!({})));
        }
    });
    let _server = serve_tcp(address, Secret::new("s3cret").unwrap(), asks, Limits::default()).await.unwrap();
    let answer = move |token: &'static str| {
        tokio::task::spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            write!(stream, "GET /health HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        })
    };
    for _ in 0..100 {
        assert!(answer("guessed").await.unwrap().starts_with("HTTP/1.1 401 "));
    }
    // 50 at once, one more every 0.1 s: so many take less than 5 s only if some are refused.
    let mut refused = None;
    for n in 0..200 {
        let answer = answer("s3cret").await.unwrap();
        if !answer.starts_with("HTTP/1.1 200 ") {
            assert!(n >= 50, "after {n}");
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.unwrap();
    assert!(refused.starts_with("HTTP/1.1 429 ") && refused.contains("\r\nretry-after: 1\r\n"), "{refused}");
    assert!(refused.ends_with(r#"{"error":"too many requests"}"#), "{refused}");
    let again = async { while !answer("s3cret").await.unwrap().starts_with("HTTP/1.1 200 ") {} };
    tokio::time::timeout(PATIENCE, again).await.unwrap();
}

#[tokio::test]
async fn a_client_that_sends_nothing_loses_its_place() {
    let (asks, _asked) = mpsc::channel(1);
    let f = fixture(asks, Limits { connections: 1, ..QUICK }).await;
    let mut silent = UnixStream::connect(&f.socket).unwrap();
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    let read = tokio::task::spawn_blocking(move || silent.read(&mut [0; 1])).await.unwrap();
    assert_eq!(read.unwrap(), 0);
}
