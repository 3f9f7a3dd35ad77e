//! At the loudest log level, through calls placed, refused and asked for, neither a secret nor a whole telephone number is
//! written anywhere but where it has to be: the API key, the API's token and the broker's password nowhere, numbers in the store.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "common/daemon.rs"]
mod daemon;

use std::net::TcpListener;

use daemon::{Gateway, Heard, REJECTED, REQUEST, Setup};
use gladhand::standin::{self, Fault, Reply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TOKEN: &str = "t0ken-of-the-api-0123456789";
const PASSWORD: &str = "pa55word-of-the-broker";

/// The driver's, the dispatcher's, and the one that requests name.
const NUMBERS: [&str; 3] = ["2125550103", "2125550199", "2125550155"];

#[tokio::test]
async fn no_key_and_no_number_gets_out() {
    let mut gateway = Gateway::prepare(Setup { level: "trace", ..Setup::default() }).await;
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    gateway.write("token", TOKEN);
    gateway.write("password", PASSWORD);
    let file = |name| gateway.path(name).display().to_string();
    let api = format!("[api]\nlisten = \"127.0.0.1:{port}\"\ntoken_file = \"{}\"\n", file("token"));
    let mqtt = format!("[mqtt]\nusername = \"gladhand\"\npassword_file = \"{}\"\n", file("password"));
    let config = gateway.read("gladhand.toml").replace("[api]\n", &api).replace("[mqtt]\n", &mqtt);
    gateway.write("gladhand.toml", &config);
    gateway.launch().await;
    // A vendor that repeats in its refusal what it was sent.
    let words = format!("xi-api-key {} may not call +12125550103", standin::KEY);
    gateway.vendor.set_faults([
        Fault::status(429, "busy"),
        Fault::new(Reply::Refused(words.clone())),
        Fault::status(422, &words),
    ]);
    gateway.play().await;
    let failed = gateway.watch.message("the call to be refused", |said| said.call("failed")).await;
    assert!(failed.text("/reason").contains("may not call"), "{}", failed.json);
    let ours = [
        (REQUEST, r#"{"drivers":[{"driverId":"DR8","phoneNumber":"212 555 0155"}]}"#),
        (REQUEST, r#"{"drivers":[{"driverId":"DR8","phoneNumber":"+12125550155"}]}"#),
        (REQUEST, r#"{"drivers":[{"driverId":"DR8","phoneNumber":"+12125550155 ext 2"}]}"#),
        (REQUEST, r#"{"drivers":"+12125550155"}"#),
        ("gladhand/assignments/T-103", r#"{"tractor":"T-103","driver":"+12125550155"}"#),
        ("gladhand/assignments/T-103", r#"{"tractor":"T-103","driver":{"id":"D","phone":"+12125550155x"}}"#),
        ("gladhand/assignments/T-9", r#"{"tractor":"T-9","trailer":"R-9","driver":{"id":"D","phone":"+12125550155"}}"#),
        ("gladhand/zones", r#""+12125550155""#),
        ("gladhand/violations/T-103/acknowledge", r#"{"by":5,"minutes":"+12125550155"}"#),
        ("fleet/T-103/telemetry", r#"{"unit":"T-103","ts":"+12125550155","lat":1,"lon":1}"#),
    ];
    for (topic, payload) in ours {
        gateway.watch.publish(topic, payload, false).await;
    }
    gateway.settle().await;
    gateway.watch.message("a request to be placed", |said| said.call("placed") && said.is("/driver/id", "DR8")).await;
    let placed = |said: &Heard| said.call("concluded") && said.is("/driver/id", "DR8");
    gateway.watch.message("a call to end", placed).await;
    assert_eq!(gateway.watch.count(|said| said.topic == REJECTED), 3);

    let mut said = Vec::new();
    let sid = failed.text("/call_sid").to_owned();
    for args in [&["status"][..], &["calls", "list", "--all"], &["calls", "show", &sid], &["violations", "list"], &["roster"]] {
        for json in [&[][..], &["--json"]] {
            let (code, out, err) = gateway.cli(&[args, json].concat()).await;
            assert_eq!(code, Some(0), "{args:?} {err}");
            said.push((args.join(" "), out + &err));
        }
    }
    for token in [TOKEN, "another"] {
        for path in ["/health", "/calls?all=true", "/violations", "/roster"] {
            said.push((format!("{path} over TCP"), over_tcp(port, token, path).await));
        }
    }
    let (_, out, err) = gateway.cli(&["calls", "retry", &sid]).await;
    said.push(("calls retry".to_owned(), out + &err));
    for args in [&["check"][..], &["check", "--print"], &["check", "--offline"]] {
        let (_, out, err) = gateway.cli(args).await;
        said.push((args.join(" "), out + &err));
    }
    gateway.watch.message("the retried call", |said| said.call("placed") && said.is("/driver/id", "DR103")).await;
    gateway.signal("HUP").await;
    gateway.stop().await;

    said.push(("the log".to_owned(), gateway.log()));
    gateway.watch.drain();
    // All but what this test itself has published.
    let from_it = |heard: &&Heard| {
        !heard.topic.starts_with("fleet/")
            && !ours.iter().any(|(topic, payload)| heard.topic == *topic && heard.payload == payload.as_bytes())
    };
    for heard in gateway.watch.heard.iter().filter(from_it) {
        said.push((heard.topic.clone(), String::from_utf8_lossy(&heard.payload).into_owned()));
    }
    assert!(said.len() > 30 && gateway.log().contains("DEBUG"), "{} things were said", said.len());
    for (place, words) in &said {
        let digits: String = words.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '.')).collect();
        for secret in [standin::KEY, TOKEN, PASSWORD] {
            assert!(!words.contains(secret), "a secret stands in {place}: {words}");
        }
        for number in NUMBERS {
            assert!(!digits.contains(number), "a number stands in {place}: {words}");
        }
    }
    for (path, bytes) in gateway.files() {
        for secret in [standin::KEY, TOKEN, PASSWORD] {
            let stands = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            let is_its_place =
                (secret == TOKEN && path == gateway.path("token")) || (secret == PASSWORD && path == gateway.path("password"));
            assert_eq!(stands, is_its_place, "{secret} in {}", path.display());
        }
    }
}

async fn over_tcp(port: u16, token: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: gladhand\r\nauthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with(if token == TOKEN { "HTTP/1.1 200 " } else { "HTTP/1.1 401 " }), "{answer}");
    answer
}
