//! Our client against a server made of the vendor's schema: Prism accepts every request and we read every answer. Runs where Prism
//! is (`make prism`).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]
#![allow(clippy::print_stdout, reason = "says what it did, and that it did nothing")]

#[path = "common/every_call.rs"]
mod every_call;
mod vendor;

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use every_call::{every_call_of_the_schema, registered};
use gladhand::elevenlabs::{ConversationsQuery, ErrorKind, Status};

#[tokio::test]
async fn the_schema_takes_what_we_send_and_we_read_what_it_answers() {
    let Some(program) = program() else {
        println!("skipped: Prism is not there, `make prism` installs it");
        return;
    };
    let (_prism, base_url) = Prism::start(&program);
    let client = vendor::client(&base_url);
    let mut made = Vec::new();
    every_call_of_the_schema(&client, &mut made).await;
    println!("{} requests: {}", made.len(), made.join(", "));
    // Its example is a word, not TwiML.
    let registered = client.register_call(&registered()).await.unwrap_err();
    assert_eq!((registered.kind, registered.message.starts_with("HTTP 200")), (ErrorKind::Unreadable, true), "{registered:?}");

    // That it looks at all.
    let unknown = vec![Status::Other("nonsense".to_owned())];
    let bad = ConversationsQuery { exclude_statuses: unknown, ..ConversationsQuery::default() };
    assert_eq!(client.list_conversations(bad).next().await.unwrap_err().status, Some(422));
}

/// `GLADHAND_PRISM`, else where `make prism` puts it.
fn program() -> Option<PathBuf> {
    let test = std::env::current_exe().unwrap();
    let installed = || test.ancestors().map(|of| of.join("prism/node_modules/.bin/prism")).find(|program| program.exists());
    std::env::var_os("GLADHAND_PRISM").map(PathBuf::from).or_else(installed)
}

struct Prism(Child);

impl Prism {
    fn start(program: &PathBuf) -> (Self, String) {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/elevenlabs.openapi.json");
        let mut child = Command::new(program)
            .args(["mock", "--host", "127.0.0.1", "--port", &port.to_string(), schema])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let mut lines = said.lines();
        lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("Prism is listening"))).expect("Prism starts").unwrap();
        // It stops when nobody reads what it says.
        std::thread::spawn(move || lines.for_each(drop));
        (Self(child), format!("http://127.0.0.1:{port}"))
    }
}

impl Drop for Prism {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _waited = self.0.wait();
    }
}
