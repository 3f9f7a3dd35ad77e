//! The daemon opens a TCP port only when it is told to, and answers there only those who bring the token.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "common/daemon.rs"]
mod daemon;

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use daemon::{Gateway, Setup};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn the_port_answers_the_token_and_nobody_else() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut gateway = Gateway::prepare(Setup::default()).await;
    gateway.write("token", "s3cret-token-of-ours\n");
    let token = gateway.path("token");
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    let config = gateway.read("gladhand.toml");
    let api = format!("[api]\nlisten = \"127.0.0.1:{port}\"\ntoken_file = \"{}\"\n", token.display());
    gateway.write("gladhand.toml", &config.replace("[api]\n", &api));
    gateway.launch().await;
    assert!(health(port, "s3cret-token-of-ours").await.starts_with("HTTP/1.1 200 "));
    assert!(health(port, "another").await.starts_with("HTTP/1.1 401 "));
}

async fn health(port: u16, token: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!("GET /health HTTP/1.1\r\nhost: gladhand\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
