//! An upload that is killed leaves no half document behind; one whose answer is lost says which document it may have made.

mod account;

use std::process::Stdio;

use account::Gateway;
use gladhand::standin::{self, EndpointFault};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Bytes of the file, far above what any buffer on the way holds.
const LENGTH: usize = 20_000_000;

/// Bytes of the request that get through before the command is killed.
const THROUGH: usize = 1_000_000;

#[tokio::test]
async fn a_killed_upload_leaves_nothing() {
    let gateway = Gateway::with_empty_account().await;
    std::fs::write(gateway.path("big.bin"), vec![b'x'; LENGTH]).unwrap();
    // Between the command and the vendor: lets every request through but an upload, of which only the beginning.
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base_url = format!("http://{}", proxy.local_addr().unwrap());
    let config = gateway.read("gladhand.toml").replace(&gateway.vendor.base_url(), &base_url);
    std::fs::write(gateway.path("gladhand.toml"), config).unwrap();
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_gladhand"))
        .arg("--config")
        .arg(gateway.path("gladhand.toml"))
        .args(["knowledge", "add", "big.bin"])
        .current_dir(gateway.path(""))
        .env("ELEVENLABS_API_KEY", standin::KEY)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    loop {
        let (mut from, _) = proxy.accept().await.unwrap();
        let mut to = TcpStream::connect(gateway.vendor.addr()).await.unwrap();
        let mut head = vec![0; 64];
        from.read_exact(&mut head).await.unwrap();
        to.write_all(&head).await.unwrap();
        if head.starts_with(b"GET ") {
            tokio::io::copy_bidirectional(&mut from, &mut to).await.unwrap();
            continue;
        }
        assert!(head.starts_with(b"POST /v1/convai/knowledge-base/file"), "{}", String::from_utf8_lossy(&head));
        let mut part = vec![0; THROUGH];
        from.read_exact(&mut part).await.unwrap();
        to.write_all(&part).await.unwrap();
        child.kill().await.unwrap();
        drop(from);
        // The vendor's end closes when it has seen that nothing more comes.
        to.shutdown().await.unwrap();
        to.read_to_end(&mut part).await.unwrap();
        break;
    }
    assert!(gateway.vendor.requests().iter().all(|request| request.method == "GET"), "it was taken for a whole one");
    assert!(gateway.documents().await.is_empty());
}

#[tokio::test]
async fn an_upload_without_an_answer_names_the_document() {
    let gateway = Gateway::with_empty_account().await;
    std::fs::write(gateway.path("rules.txt"), "Ask first.").unwrap();
    let fault = "[[fault]]\nendpoint = \"knowledge_create\"\nnth = 1\ndrop = true\ndone = true\n";
    gateway.vendor.set_endpoint_faults(EndpointFault::read(fault).unwrap());
    let did = gateway.run(&["knowledge", "add", "rules.txt"]).await;
    let documents = gateway.documents().await;
    assert_eq!((did.code, documents.len()), (1, 1), "{did:?}");
    assert!(did.err.contains(&format!("what it may have made: {}", documents[0].id)), "{}", did.err);
    let again = gateway.json(&["knowledge", "add", "rules.txt", "--json"]).await;
    assert_eq!((&again["added"], &again["id"]), (&false.into(), &documents[0].id.as_str().into()), "{again:#}");
}
