//! How long it takes to decode one report, for each format: `cargo bench --bench decode`.
//!
//! Prints the fastest and the median of 200 rounds in nanoseconds a message; the fastest is the least disturbed one.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::expect_used, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, reason = "measures how long something takes")]

use std::hint::black_box;
use std::time::Instant;

use gladhand::formats::Source;

const ROUNDS: usize = 200;
const MESSAGES: u32 = 2_000;

const SAMPLES: [(&str, &str, &str, &str); 6] = [
    (
        "gladhand, all fields",
        "format = \"gladhand\"",
        "fleet/T-001/telemetry",
        r#"{"unit":"T-001","ts":1763569135.25,"lat":27.530612,"lon":-99.480317,"speed_mps":15.2,"heading_deg":112.1,"hdop":0.9,"accuracy_m":5,"valid":true,"moving":true,"coupling":{"state":"hooked","tractor":"T-001"}}"#,
    ),
    (
        "gladhand, required only",
        "format = \"gladhand\"",
        "fleet/T-001/telemetry",
        r#"{"unit":"T-001","ts":1763569135.25,"lat":27.530612,"lon":-99.480317}"#,
    ),
    (
        "owntracks",
        "format = \"owntracks\"",
        "owntracks/qtripp/865284041968706",
        r#"{"topic":"owntracks/qtripp/865284041968706","lat":47.420051,"lon":13.654704,"vel":0,"cog":113,"tst":1736519167,"_type":"location","acc":10,"alt":1113,"t":"I","tid":"CS"}"#,
    ),
    (
        "traccar",
        "format = \"traccar\"",
        "traccar/positions",
        r#"{"position":{"id":12345,"attributes":{"batteryLevel":85,"distance":15.4,"totalDistance":12500.5,"motion":true},"deviceId":10,"protocol":"osmand","serverTime":"2024-05-20T14:30:00.000+00:00","deviceTime":"2024-05-20T14:29:55.000+00:00","fixTime":"2024-05-20T14:29:55.000+00:00","valid":true,"latitude":-23.55052,"longitude":-46.633308,"altitude":760.0,"speed":13.5,"course":180.0,"accuracy":0.0,"network":null},"device":{"id":10,"name":"Company Car 01","uniqueId":"123456789012345","status":"online","disabled":false}}"#,
    ),
    (
        "teltonika",
        "format = \"teltonika\"",
        "864636060373301/data",
        r#"{"state":{"reported":{"24":0,"66":11921,"67":3466,"239":0,"240":0,"latlng":"54.7123,25.3000","ts":1763569135250,"alt":"118","ang":"270","sat":"14","sp":"90"}}}"#,
    ),
    (
        "flespi",
        "format = \"flespi\"",
        "flespi/message/gw/devices/1",
        r#"{"position.speed":0,"position.latitude":53.90573,"position.longitude":27.455848,"timestamp":1506956075,"position.satellites":10,"message.buffered.status":false,"position.direction":0,"ident":"605630"}"#,
    ),
];

fn main() {
    println!("{:<26} {:>6} {:>9} {:>9}", "format", "bytes", "best ns", "median ns");
    for (name, format, topic, payload) in SAMPLES {
        let source: Source = toml::from_str(&format!("topic = \"#\"\n{format}")).expect("a source");
        let mut rounds: Vec<u128> = (0..ROUNDS)
            .map(|_| {
                let start = Instant::now();
                for _ in 0..MESSAGES {
                    let decoded = source.decoder.decode(black_box(topic), black_box(payload.as_bytes()), &mut |report| {
                        black_box(report);
                    });
                    black_box(decoded).expect("a report");
                }
                start.elapsed().as_nanos() / u128::from(MESSAGES)
            })
            .collect();
        rounds.sort_unstable();
        println!("{name:<26} {:>6} {:>9} {:>9}", payload.len(), rounds[0], rounds[ROUNDS / 2]);
    }
}
