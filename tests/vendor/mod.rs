//! A vendor made of raw TCP, and what the tests of the client share.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gladhand::core::calls::dialing::{Order, Verdict};
use gladhand::core::id::{CallSid, DriverId};
use gladhand::core::phone::Phone;
use gladhand::elevenlabs::{ApiKey, Client, Settings};
use gladhand::standin;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the vendor answers when all is well.
pub const PLACED: &str = r#"{"success":true,"message":"Success","conversation_id":"conv_9601","callSid":"CAbcaf01"}"#;

pub fn placed() -> Verdict {
    Verdict::Placed { conversation_id: "conv_9601".to_owned(), provider_call_sid: Some("CAbcaf01".to_owned()) }
}

pub fn settings(base_url: &str) -> Settings {
    Settings {
        base_url: base_url.to_owned(),
        agent_id: "agent_5501k9czkv3qepy815bm59nt04qk".to_owned(),
        agent_phone_number_id: "phnum_8401k9ndc950ewza733y8thmpbrx".to_owned(),
        timeout: Duration::from_secs(5),
        requests_per_second: 100_000,
        ..Settings::default()
    }
}

pub fn client(base_url: &str) -> Client {
    Client::new(&settings(base_url), ApiKey::new(standin::KEY).unwrap()).unwrap()
}

pub fn order() -> Order {
    Order {
        call_sid: CallSid::new("EL_DR001_1763569135457_1").unwrap(),
        to: Phone::parse("+923282828885", "US").unwrap(),
        prompt: "I am seeing an alert that your truck and trailer are not together, are you with your trailer right now?"
            .to_owned(),
        transfer_to: Some(Phone::parse("+923282828886", "US").unwrap()),
        dispatcher_name: "Aleena".to_owned(),
        driver_id: DriverId::new("DR001").unwrap(),
    }
}

/// How a connection is treated.
#[derive(Clone, Debug)]
pub enum Then {
    /// Closed before anything is read.
    Close,
    /// The request is read, this is written, and the connection closed.
    Write(Vec<u8>),
    /// The request is read and the connection reset.
    Reset,
    /// The request is read, this is written, and nothing more happens.
    Hang(Vec<u8>),
    /// The request is read, and a body begins that does not end.
    Flood,
    /// The request is read and sent back in full inside the `detail` of this status.
    Echo(u16),
}

/// A vendor that treats its connections as told, one after the other, and every further one well: whoever repeats or redirects
/// a request is told "placed".
pub struct Raw {
    pub url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Raw {
    pub async fn start(script: impl IntoIterator<Item = Then>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let mut script: Vec<Then> = script.into_iter().collect();
        script.reverse();
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let then = script.pop().unwrap_or_else(|| Then::Write(answer("200 OK", "", PLACED)));
                tokio::spawn(treat(stream, then, Arc::clone(&seen)));
            }
        });
        Self { url, requests }
    }

    /// The requests read so far, each from its first line to the end of its body.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn treat(mut stream: TcpStream, then: Then, seen: Arc<Mutex<Vec<String>>>) {
    if matches!(then, Then::Close) {
        return;
    }
    let request = read_request(&mut stream).await;
    seen.lock().unwrap().push(request.clone());
    // The client may be gone by now.
    match then {
        Then::Close => {}
        Then::Write(bytes) => drop(stream.write_all(&bytes).await),
        Then::Reset => stream.set_zero_linger().unwrap(),
        Then::Hang(bytes) => {
            drop(stream.write_all(&bytes).await);
            drop(stream.read(&mut [0]).await);
        }
        Then::Flood => {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n").await);
            while stream.write_all(&[b' '; 4096]).await.is_ok() {}
        }
        Then::Echo(status) => {
            let detail = serde_json::json!({"detail": {"code": "echo", "message": request}}).to_string();
            drop(stream.write_all(&answer(&format!("{status} X"), "", &detail)).await);
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        if stream.read_buf(&mut request).await.unwrap() == 0 {
            return text;
        }
    }
}

/// A whole answer; `headers` each end with `\r\n`.
pub fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n{body}").into_bytes()
}
