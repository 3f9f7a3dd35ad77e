//! Decoding a report in gladhand's own format touches no heap, nor does finding its decoder.
#![allow(clippy::expect_used)]

#[path = "common/allocations.rs"]
mod allocations;

use gladhand::formats::{Decoded, Router, Source};

#[test]
fn decode_allocates_nothing() {
    let sources = [
        "topic = \"owntracks/+/+\"\nformat = \"owntracks\"",
        "topic = \"fleet/+/telemetry\"\nformat = \"gladhand\"",
        "topic = \"#\"\nformat = \"gladhand\"\nunit = \"topic[1]\"",
    ];
    let router: Router = sources.iter().map(|toml| toml::from_str::<Source>(toml).expect("a source")).collect();
    for (topic, payload) in [
        (
            "fleet/T-001/telemetry",
            r#"{"unit":"T-001","ts":1763569135.25,"lat":27.53,"lon":-99.48,"speed_mps":15.2,"heading_deg":112.1,"hdop":0.9,"accuracy_m":5,"valid":true,"moving":true,"coupling":{"state":"hooked","tractor":"T-001"}}"#,
        ),
        (
            "fleet/T-001/telemetry",
            r#" { "ts" : 1763569135 , "fw" : "2.1" , "tanks" : [1, 2] , "unit" : "T-001" , "lat" : 1e1 , "lon" : 2 } "#,
        ),
        ("other/T-002", r#"{"ts":1763569135,"lat":27.53,"lon":-99.48}"#),
        ("fleet/R-001/telemetry", r#"{"unit":"R-001","ts":1763569135,"coupling":{"state":"unhooked"}}"#),
    ] {
        let mut decoded = None;
        let allocations = allocations::during(|| {
            let decoder = router.route(topic).expect("a decoder");
            decoded = Some(decoder.decode(topic, payload.as_bytes(), &mut |report| {
                std::hint::black_box(report);
            }));
        });
        assert_eq!((decoded, allocations), (Some(Ok(Decoded::Reports(1))), 0), "{payload}");
    }
    // The counter counts.
    assert_eq!(allocations::during(|| drop(std::hint::black_box(Box::new(5)))), 1);
}
