//! Runs one decoder on one input and checks what it hands over. `cargo +nightly fuzz run <format>`.

use std::sync::LazyLock;

use gladhand::formats::{Decoded, Source};

/// A source as it stands in the configuration, without its topic.
pub fn source(toml: &str) -> Source {
    toml::from_str(&format!("topic = \"#\"\n{toml}")).expect("a source")
}

/// The input's first line is the topic, the rest the payload.
pub fn hear(source: &LazyLock<Source>, input: &[u8]) {
    let mut parts = input.splitn(2, |byte| *byte == b'\n');
    let topic = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let payload = parts.next().unwrap_or_default();
    let mut reports = 0;
    let outcome = source.decoder.decode(&topic, payload, &mut |report| {
        reports += 1;
        assert!(report.position.is_some() || report.coupling.is_some());
        assert!(report.position.is_none_or(|place| place.lat.is_finite() && place.lon.is_finite()));
        assert!([report.speed_mps, report.heading_deg, report.hdop].into_iter().flatten().all(|n| n.is_finite() && n >= 0.0));
    });
    match outcome {
        Ok(Decoded::Reports(n)) => assert_eq!(n, reports),
        Ok(Decoded::Ignored(_)) => assert_eq!(reports, 0),
        Err(why) => assert!(why.to_string().len() < 160),
    }
}
