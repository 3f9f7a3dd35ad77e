//! Publisher: the stream is encoded in memory before the clock starts.
use crate::{gen, mqtt, now_ns, Args};
use std::io::{Read, Write};
use std::time::Duration;

pub fn main(a: &Args) {
    let p = gen::Params::from(a);
    let s = gen::build(&p);
    let qos: u8 = a.n("qos", 1);
    let rate: f64 = a.n("rate", 0.0);
    let window: usize = a.n("window", 1000);
    let chunk: usize = a.n("chunk", 32);
    let n = s.len();
    // encode
    let mut buf: Vec<u8> = Vec::with_capacity(s.payload.len() + n * 30);
    let mut end: Vec<usize> = Vec::with_capacity(n);
    for i in 0..n {
        let topic = format!("fleet/{}/telemetry", gen::unit_name(s.unit[i] as usize));
        let body = s.payload(i);
        buf.push(0x30 | (qos << 1));
        mqtt::put_len(&mut buf, 2 + topic.len() + if qos > 0 { 2 } else { 0 } + body.len());
        buf.extend_from_slice(&(topic.len() as u16).to_be_bytes());
        buf.extend_from_slice(topic.as_bytes());
        if qos > 0 {
            buf.extend_from_slice(&((i % 65535) as u16 + 1).to_be_bytes());
        }
        buf.extend_from_slice(body);
        end.push(buf.len());
    }
    // When each message was handed to the kernel.
    let mut sent_at = vec![0u64; n];
    let mut sock = mqtt::connect(&a.s("host", "127.0.0.1"), a.n("port", 1883), &a.s("id", "sepbench-pub"), true);
    let (mut acked, mut part) = (0usize, 0usize);
    let mut rb = vec![0u8; 64 * 1024];
    let mut max_lag = 0u64;
    let progress = a.s("progress", "");
    let mut next_progress = 0;
    let t0 = now_ns();
    let mut i = 0;
    while i < n {
        let mut j;
        if rate > 0.0 {
            let due = t0 + (i as f64 * 1e9 / rate) as u64;
            let t = now_ns();
            if t < due {
                std::thread::sleep(Duration::from_nanos(due - t));
            }
            let t = now_ns();
            max_lag = max_lag.max(t.saturating_sub(due));
            j = i + 1;
            if qos > 0 && (i + 1) % 64 == 0 {
                sock.set_nonblocking(true).unwrap();
                if let Ok(k) = sock.read(&mut rb) {
                    acked += (part + k) / 4;
                    part = (part + k) % 4;
                }
                sock.set_nonblocking(false).unwrap();
            }
        } else {
            j = (i + chunk).min(n);
            if qos > 0 {
                while i - acked + (j - i) > window {
                    let k = sock.read(&mut rb).expect("PUBACK");
                    acked += (part + k) / 4;
                    part = (part + k) % 4;
                }
            }
        }
        if j > n {
            j = n;
        }
        let t = now_ns();
        sent_at[i..j].fill(t);
        sock.write_all(&buf[if i == 0 { 0 } else { end[i - 1] }..end[j - 1]]).expect("publish");
        i = j;
        if !progress.is_empty() && i >= next_progress {
            let _ = std::fs::write(&progress, i.to_string());
            next_progress = i + 100;
        }
    }
    let t_written = now_ns();
    if qos > 0 {
        while acked < n {
            let k = sock.read(&mut rb).expect("PUBACK");
            acked += (part + k) / 4;
            part = (part + k) % 4;
        }
    } else {
        sock.write_all(&[0xC0, 0]).unwrap();
        sock.read_exact(&mut rb[..2]).expect("PINGRESP");
    }
    let t_end = now_ns();
    sock.write_all(&[0xE0, 0]).unwrap();
    if a.has("marks") {
        // Unit, event time and moment of each message.
        let mut f = std::io::BufWriter::new(std::fs::File::create(a.s("marks", "")).unwrap());
        for (i, t) in sent_at.iter().enumerate() {
            let body = std::str::from_utf8(s.payload(i)).unwrap();
            let ts = body.split("\"ts\":").nth(1).unwrap().split(',').next().unwrap();
            writeln!(f, "{},{ts},{t}", gen::unit_name(s.unit[i] as usize)).unwrap();
        }
    }
    println!(
        "{{\"messages\":{n},\"t0\":{t0},\"t_written\":{t_written},\"t_end\":{t_end},\"msg_per_s\":{:.0},\"max_lag_ms\":{:.3}}}",
        n as f64 * 1e9 / (t_end - t0) as f64,
        max_lag as f64 / 1e6
    );
}
