//! A vendor for one connection that speaks TLS as `localhost`, with the certificate of `tests/tls`.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

fn config() -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("../tls/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../tls/server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap())
}

/// A vendor for one connection: what it read of the request, in clear, comes with the handle.
pub fn vendor(treat: impl FnOnce(TcpStream) -> Vec<u8> + Send + 'static) -> (String, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    (url, std::thread::spawn(move || treat(listener.accept().unwrap().0)))
}

/// Takes one request up to the end of its body, and answers it. Returns what it read, in clear.
pub fn speak_tls(stream: TcpStream, reply: &[u8]) -> Vec<u8> {
    let mut tls = StreamOwned::new(ServerConnection::new(config()).unwrap(), stream);
    let mut request = Vec::new();
    let mut part = [0; 4096];
    while !request.ends_with(b"}}}") {
        match tls.read(&mut part) {
            Ok(0) | Err(_) => return request,
            Ok(n) => request.extend_from_slice(part.get(..n).unwrap()),
        }
    }
    tls.write_all(reply).unwrap();
    tls.conn.send_close_notify();
    tls.flush().unwrap();
    request
}
