//! From the socket to the decision and back to the acknowledgement a message touches no heap: the whole daemon, not its core.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of a test fail their test")]

#[path = "common/allocations.rs"]
mod allocations;

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use gladhand::config::Loaded;
use gladhand::host::clock;
use gladhand::run;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

const PAIRS: usize = 100;
/// What is not the messages' costs the same in both runs, and is left out by taking the difference: the start, and what is kept
/// of each pair once it has been standing together for a while.
const FEW: usize = 40_000;
const MANY: usize = 80_000;
/// So many messages are unacknowledged at most.
const WINDOW: usize = 100;

#[test]
fn a_message_costs_no_allocation() {
    let few = allocations_of_a_run(FEW);
    let many = allocations_of_a_run(MANY);
    let each = (many as f64 - few as f64) / (MANY - FEW) as f64;
    // What remains is health.
    assert!(each < 0.02, "{few} allocations with {FEW} messages, {many} with {MANY}: {each} each");
}

/// Of the thread that the daemon runs on.
fn allocations_of_a_run(messages: usize) -> u64 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let loaded = loaded(dir.path(), listener.local_addr().unwrap().port());
    let (done, all_acknowledged) = oneshot::channel();
    let broker = thread::spawn(move || {
        serve(listener.accept().unwrap().0, messages);
        done.send(()).unwrap();
    });
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let allocations = allocations::during(|| {
        runtime.block_on(async {
            tokio::select! {
                ended = run::run(loaded) => panic!("{ended:?}"),
                all = all_acknowledged => all.unwrap(),
            }
        });
    });
    broker.join().unwrap();
    allocations
}

fn loaded(dir: &std::path::Path, port: u16) -> Loaded {
    let mut roster = String::new();
    for n in 0..PAIRS {
        writeln!(roster, "[[assignment]]\ntractor = \"T-{n:03}\"\ntrailer = \"R-{n:03}\"").unwrap();
    }
    fs::write(dir.join("roster.toml"), roster).unwrap();
    let text = format!(
        "[gateway]\nid = \"t\"\nstate_dir = {:?}\n[mqtt]\nport = {port}\n[calls]\ndry_run = true\n[api]\nsocket = {:?}\n",
        dir.join("state"),
        dir.join("socket"),
    );
    let file = dir.join("gladhand.toml");
    fs::write(&file, text).unwrap();
    Loaded::read(&file).unwrap()
}

/// A broker that lets the daemon in, and sends reports of standing pairs until all are acknowledged.
fn serve(mut stream: TcpStream, messages: usize) {
    stream.set_nodelay(true).unwrap();
    let mut buffer = [0; 4096];
    assert_ne!(stream.read(&mut buffer).unwrap(), 0);
    stream.write_all(&[0x20, 3, 0, 0, 0]).unwrap();
    let subscribe = stream.read(&mut buffer).unwrap();
    assert_eq!((buffer[0], subscribe < buffer.len()), (0x82, true));
    // All of our own topics and the default telemetry.
    let filters = count_filters(&buffer[..subscribe]);
    let mut suback = vec![0x90, 3 + filters as u8, 0, 1, 0];
    suback.extend(vec![1; filters]);
    stream.write_all(&suback).unwrap();

    let now = clock::wall().0 as f64 / 1000.0 - 1.0;
    let mut acknowledged = 0;
    let mut unread = Vec::new();
    for batch in (0..messages).collect::<Vec<_>>().chunks(WINDOW) {
        let mut packets = Vec::new();
        for n in batch {
            let (unit, round) = (n % (2 * PAIRS), n / (2 * PAIRS));
            let kind = if unit % 2 == 0 { 'T' } else { 'R' };
            let ts = now - ((messages / (2 * PAIRS)) - round) as f64;
            let topic = format!("fleet/{kind}-{:03}/telemetry", unit / 2);
            let payload =
                format!(r#"{{"unit":"{kind}-{:03}","ts":{ts:.3},"lat":27.5,"lon":-99.5,"speed_mps":0,"hdop":0.9}}"#, unit / 2);
            let length = 2 + topic.len() + 2 + 1 + payload.len();
            packets.extend([0x32, (length % 128) as u8 | 0x80, (length / 128) as u8]);
            if length < 128 {
                packets.truncate(packets.len() - 2);
                packets.push(length as u8);
            }
            packets.extend((topic.len() as u16).to_be_bytes());
            packets.extend(topic.as_bytes());
            packets.extend(((n % WINDOW + 1) as u16).to_be_bytes());
            packets.push(0);
            packets.extend(payload.as_bytes());
        }
        stream.write_all(&packets).unwrap();
        while acknowledged <= *batch.last().unwrap() {
            let length = stream.read(&mut buffer).unwrap();
            assert_ne!(length, 0, "the daemon hung up");
            unread.extend_from_slice(&buffer[..length]);
            acknowledged += take_in(&mut stream, &mut unread);
        }
    }
}

/// Answers publishes, and counts acknowledgements.
fn take_in(stream: &mut TcpStream, unread: &mut Vec<u8>) -> usize {
    let mut acknowledged = 0;
    loop {
        let (length, head) = match unread[..] {
            [_, length, ..] if length < 128 => (usize::from(length), 2),
            [_, low, high, ..] if high < 128 => (usize::from(low & 0x7f) | usize::from(high) << 7, 3),
            _ => return acknowledged,
        };
        if unread.len() < head + length {
            return acknowledged;
        }
        let packet: Vec<u8> = unread.drain(..head + length).collect();
        match packet[0] >> 4 {
            4 => acknowledged += 1,
            3 => {
                let topic = usize::from(u16::from_be_bytes([packet[head], packet[head + 1]]));
                stream.write_all(&[0x40, 2, packet[head + 2 + topic], packet[head + 3 + topic]]).unwrap();
            }
            12 => stream.write_all(&[0xd0, 0]).unwrap(),
            other => panic!("a packet of type {other}"),
        }
    }
}

/// How many filters a SUBSCRIBE asks for.
fn count_filters(packet: &[u8]) -> usize {
    let head = if packet[1] < 128 { 2 } else { 3 };
    let (mut rest, mut filters) = (&packet[head + 3..], 0);
    while let [high, low, ..] = rest {
        rest = &rest[2 + usize::from(u16::from_be_bytes([*high, *low])) + 1..];
        filters += 1;
    }
    filters
}
