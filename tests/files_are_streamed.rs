//! A recording goes to its file as it arrives, and a document out of its file as it is sent: 200 MB take no memory to speak of.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]
#![allow(clippy::print_stdout, reason = "says what it measured")]

mod vendor;

use std::fs;
use std::time::Duration;

use gladhand::elevenlabs::{OutboundCall, Route};
use gladhand::standin::{Life, StandIn};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

/// Bytes.
const LENGTH: u64 = 200_000_000;

/// More than the buffers of both ends, less than a twentieth of the file.
const ROOM_KIB: u64 = 8 * 1024;

/// One test, for memory is that of the whole process.
#[tokio::test]
async fn two_hundred_megabytes_take_less_than_eight() {
    download().await;
    upload().await;
}

async fn download() {
    let stand_in = StandIn::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    stand_in.set_life(Life { ringing: Duration::ZERO, talking: Duration::ZERO, ..Life::default() });
    let client = vendor::client(&stand_in.base_url());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("call.mp3");
    let call = OutboundCall { to_number: "+12125550123".to_owned(), ..OutboundCall::default() };

    // The first download, a small one, fills what is filled once.
    let small = client.outbound_call(Route::Twilio, &call).await.unwrap().conversation_id;
    client.download_audio(&small, &file, |_, _| {}).await.unwrap();
    let before = peak_kib();

    stand_in.set_life(Life { ringing: Duration::ZERO, talking: Duration::ZERO, recording: LENGTH, ..Life::default() });
    let large = client.outbound_call(Route::Twilio, &call).await.unwrap().conversation_id;
    let mut told = (0, None);
    let length = client.download_audio(&large, &file, |bytes, total| told = (bytes, total)).await.unwrap();
    assert_eq!((length, fs::metadata(&file).unwrap().len(), told), (LENGTH, LENGTH, (LENGTH, Some(LENGTH))));
    has_grown_since(before);
}

async fn upload() {
    let vendor = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = vendor::client(&format!("http://{}", vendor.local_addr().unwrap()));
    // Takes everything, and answers once all of it is there.
    let taken = tokio::spawn(async move {
        let (stream, _) = vendor.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut length = 0;
        let mut line = String::new();
        while stream.read_line(&mut line).await.unwrap() > 2 {
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            line.clear();
        }
        let taken = tokio::io::copy(&mut (&mut stream).take(length), &mut tokio::io::sink()).await.unwrap();
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 21\r\n\r\n{\"id\":\"d\",\"name\":\"n\"}";
        stream.write_all(answer.as_bytes()).await.unwrap();
        taken
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(LENGTH).unwrap();
    let before = peak_kib();
    assert_eq!(client.create_document_from_file(file.path(), Some("n"), |_, _| {}).await.unwrap().id, "d");
    assert!(taken.await.unwrap() > LENGTH);
    has_grown_since(before);
}

fn has_grown_since(before: u64) {
    let grown = peak_kib() - before;
    println!("peak memory grew by {grown} KiB for {LENGTH} bytes");
    assert!(grown < ROOM_KIB, "{grown} KiB");
}

/// The most memory that this process ever had resident.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
