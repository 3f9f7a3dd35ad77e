//! A recording goes to its file as it arrives: 200 MB of it take no memory to speak of, on either side.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod vendor;

use std::fs;
use std::time::Duration;

use gladhand::elevenlabs::{OutboundCall, Route};
use gladhand::standin::{Life, StandIn};

const RECORDING: u64 = 200_000_000;

/// More than the buffers of both ends, far less than a twentieth of the recording.
const ROOM_KIB: u64 = 8 * 1024;

#[tokio::test]
async fn two_hundred_megabytes_take_less_than_eight() {
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

    stand_in.set_life(Life { ringing: Duration::ZERO, talking: Duration::ZERO, recording: RECORDING, ..Life::default() });
    let large = client.outbound_call(Route::Twilio, &call).await.unwrap().conversation_id;
    let mut told = (0, None);
    let length = client.download_audio(&large, &file, |bytes, total| told = (bytes, total)).await.unwrap();
    assert_eq!((length, fs::metadata(&file).unwrap().len(), told), (RECORDING, RECORDING, (RECORDING, Some(RECORDING))));
    let grown = peak_kib() - before;
    println!("peak memory grew by {grown} KiB for {RECORDING} bytes");
    assert!(grown < ROOM_KIB, "{grown} KiB");
}

/// The most memory that this process ever had resident.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
