//! No payload makes a decoder panic, and what it hands over is bounded: whatever the bytes, a message has one outcome, a
//! refusal has a text and a reason of bounded length, and every report keeps what its type promises.
#![forbid(unsafe_code)]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::LazyLock;

use gladhand::core::telemetry::Report;
use gladhand::formats::{Decoded, Decoder, MAX_PAYLOAD, Reject, Source};
use proptest::prelude::*;

const SOURCES: [&str; 8] = [
    "format = \"gladhand\"",
    "format = \"gladhand\"\nunit = \"topic[1]\"",
    "format = \"owntracks\"",
    "format = \"traccar\"",
    "format = \"teltonika\"",
    "format = \"flespi\"",
    "format = \"fields\"\npreset = \"thin-edge\"\nfields = { speed = \"/v\", speed_unit = \"knots\", valid = \"/location/0\" }",
    r#"format = "fields"
    fields = { unit = "/ident", ts = "/ts", lat = "/lat", lon = "/position/longitude", time_unit = "ms" }"#,
];

static READY: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let ready = |source| toml::from_str(&format!("topic = \"#\"\n{source}")).expect("a source");
    SOURCES.into_iter().map(ready).collect()
});

const SAMPLES: [&str; 7] = [
    r#"{"unit":"T-001","ts":1763569135.25,"lat":27.53,"lon":-99.48,"speed_mps":15.2,"heading_deg":112.1,"hdop":0.9,"accuracy_m":5,"valid":true,"moving":true,"coupling":{"state":"hooked","tractor":"T-001"}}"#,
    r#"{"_type":"location","acc":15,"alt":440,"batt":46,"conn":"w","lat":46.0681247,"lon":11.1512805,"t":"u","tid":"5t","tst":1551874878,"vac":2,"vel":0}"#,
    r#"{"position":{"attributes":{"motion":true,"hdop":1.5,"approximate":false},"fixTime":"2024-05-20T14:29:55.000+00:00","valid":true,"latitude":-23.55052,"longitude":-46.633308,"speed":13.5,"course":180.0,"accuracy":0.0,"network":null},"device":{"uniqueId":"123456789012345"}}"#,
    r#"{"state":{"reported":{"24":0,"182":9,"240":0,"387":"+54.7/","latlng":"54.7,25.3","ts":1763569135250,"ang":"0","sat":"0","sp":"0"}}}"#,
    r#"[{"position.speed":0,"position.latitude":53.90573,"position.longitude":27.455848,"timestamp":1506956075.5,"ident":"605630"},{"ident":"1"}]"#,
    r#"{"time":"2020-10-15T05:30:47+00:00","location":{"latitude":32.54,"longitude":-117.67},"v":3}"#,
    r#"{"ident":605630,"ts":1763569135250,"lat":"1.5","position":{"longitude":2}}"#,
];

const TOPIC: &str = "te/device/trailer-7///m/gps";

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes(payload in prop::collection::vec(any::<u8>(), 0..600), topic in "[a-z/+#$ \\PC]{0,40}") {
        hear(&topic, &payload);
    }

    #[test]
    fn samples_with_bytes_changed_cut_or_doubled(
        sample in prop::sample::select(&SAMPLES[..]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..6),
    ) {
        let mut payload = sample.as_bytes().to_vec();
        for (at, byte, what) in changes {
            let at = at.index(payload.len());
            match what {
                0 => payload[at] = byte,
                1 => payload.insert(at, byte),
                2 => payload.extend_from_within(at..),
                _ => payload.truncate(at.max(1)),
            }
        }
        hear(TOPIC, &payload);
    }

    #[test]
    fn samples_with_a_value_exchanged(
        sample in prop::sample::select(&SAMPLES[..]),
        which in any::<prop::sample::Index>(),
        value in odd_value(),
    ) {
        let starts: Vec<usize> = sample.match_indices("\":").map(|(at, _)| at + 2).collect();
        let start = starts[which.index(starts.len())];
        let rest = &sample[start..];
        let length = match rest.as_bytes()[0] {
            b'"' => rest[1..].find('"').map_or(rest.len(), |end| end + 2),
            _ => rest.find([',', '}', ']']).unwrap_or(rest.len()),
        };
        hear(TOPIC, format!("{}{value}{}", &sample[..start], &rest[length..]).as_bytes());
    }
}

#[test]
fn deep_nesting_and_long_payloads() {
    for key in ["x", "coupling", "state", "position", "location", "lat", "unit", "ident"] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("{\"position\":", "}")] {
            for depth in [10, 127, 128, 129, 40_000] {
                let (open, close) = (open.repeat(depth), close.repeat(depth));
                hear(TOPIC, format!("{{\"{key}\":{open}1{close}}}").as_bytes());
                hear(TOPIC, format!("{{\"{key}\":{open}").as_bytes());
                hear(TOPIC, format!("{open}1{close}").as_bytes());
            }
        }
    }
    let digits = "9".repeat(MAX_PAYLOAD);
    hear(TOPIC, digits.as_bytes());
    hear(TOPIC, format!("{{\"lat\":{}}}", &digits[..MAX_PAYLOAD - 100]).as_bytes());
    hear(TOPIC, format!("{{\"unit\":\"{}\"}}", &digits[..MAX_PAYLOAD - 100]).as_bytes());
    hear(TOPIC, format!("[{}1]", "1,".repeat(MAX_PAYLOAD / 2 - 2)).as_bytes());
}

/// Values that a number, a text or a switch is not.
fn odd_value() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(
            &[
                "null",
                "true",
                "0",
                "-0",
                "-1",
                "1e308",
                "-1e308",
                "1e309",
                "1e-400",
                "9223372036854775808",
                "18446744073709551616",
                "1763569135250",
                "\"\"",
                "\" \"",
                "\"1e309\"",
                "\"NaN\"",
                "\"-inf\"",
                "\",\"",
                "\"1,\"",
                "\"\\u0000\"",
                "\"\\ud800\"",
                "\"2024-02-30T00:00:00Z\"",
                "\"9999-12-31T23:59:60-23:59\"",
                "[]",
                "[[1,2],3]",
                "{}",
                "{\"lat\":{\"lat\":1}}",
            ][..]
        )
        .prop_map(str::to_owned),
        any::<f64>().prop_map(|n| format!("{n:?}")),
        any::<f64>().prop_map(|n| format!("\"{n}\"")),
        any::<i128>().prop_map(|n| n.to_string()),
        "[0-9eE+.,:TZ-]{0,30}".prop_map(|text| format!("\"{text}\"")),
        "\\PC{0,60}".prop_map(|text| serde_json::to_string(&text).expect("text is JSON")),
        (1..400_usize).prop_map(|n| "7".repeat(n)),
    ]
}

/// Gives the payload to every decoder and checks what comes out.
fn hear(topic: &str, payload: &[u8]) {
    for source in &*READY {
        let mut reports = 0;
        let outcome = source.decoder.decode(topic, payload, &mut |report| {
            reports += 1;
            check(&report);
        });
        // The shortest message of any format is longer than this.
        assert!(reports * 20 <= payload.len(), "{reports} reports of {} bytes", payload.len());
        check_outcome(&source.decoder, outcome, reports);
    }
}

fn check(report: &Report) {
    assert!(report.position.is_some() || report.coupling.is_some(), "{report:?}");
    assert!(report.position.is_none_or(|position| position.lat.is_finite() && position.lon.is_finite()), "{report:?}");
    for n in [report.speed_mps, report.heading_deg, report.hdop].into_iter().flatten() {
        assert!(n.is_finite() && n >= 0.0, "{report:?}");
    }
    assert!(report.accuracy.is_none_or(|accuracy| accuracy.0.is_finite() && accuracy.0 >= 0.0), "{report:?}");
    // Year 0 to year 9999, with a day's offset.
    assert!((-62_167_305_600_000..=253_402_387_200_000).contains(&report.at.0), "{report:?}");
}

fn check_outcome(decoder: &Decoder, outcome: Result<Decoded, Reject>, reports: usize) {
    match outcome {
        Ok(Decoded::Reports(n)) => assert_eq!(n, reports, "{:?}", decoder.format()),
        Ok(Decoded::Ignored(why)) => assert!(!why.is_empty() && reports == 0),
        Err(why) => {
            assert!(why.to_string().len() < 160, "{why}");
            assert!(why.reason().bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-'));
        }
    }
}
