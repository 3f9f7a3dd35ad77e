//! Reports as the payloads that trackers publish.

use serde::Serialize;

use crate::core::telemetry::{Coupling, Report};
use crate::core::time::UnixMillis;
use crate::formats::iso8601::write as iso;

/// The report in gladhand's own telemetry format: one JSON object with the fields that are present, `unit` and `ts` always.
#[must_use]
pub fn to_payload(report: &Report) -> String {
    json(&Own {
        unit: &report.unit,
        ts: report.at,
        lat: report.position.map(|p| p.lat),
        lon: report.position.map(|p| p.lon),
        speed_mps: report.speed_mps,
        heading_deg: report.heading_deg,
        hdop: report.hdop,
        accuracy_m: report.accuracy.map(|a| a.0),
        valid: report.valid,
        moving: report.moving,
        coupling: report.coupling.as_ref(),
    })
}

/// The report as Traccar forwards it, its times written with an offset of so many minutes from UTC.
#[must_use]
pub fn to_traccar(report: &Report, offset_minutes: i64) -> String {
    let time = iso(report.at, offset_minutes);
    let position = report.position;
    json(&serde_json::json!({
        "position": {
            "protocol": "osmand",
            "serverTime": time,
            "deviceTime": time,
            "fixTime": time,
            "valid": report.valid.unwrap_or(true),
            "latitude": position.map(|p| p.lat),
            "longitude": position.map(|p| p.lon),
            "speed": report.speed_mps.map_or(0.0, |v| f64::from(v) * 3600.0 / 1852.0),
            "course": report.heading_deg.unwrap_or(0.0),
            "accuracy": report.accuracy.map_or(0.0, |a| a.0),
            "attributes": report.moving.map_or(serde_json::json!({}), |moving| serde_json::json!({ "motion": moving })),
        },
        "device": { "name": report.unit.as_str(), "uniqueId": report.unit.as_str() },
    }))
}

#[derive(Serialize)]
struct Own<'a> {
    unit: &'a str,
    ts: UnixMillis,
    #[serde(skip_serializing_if = "Option::is_none")]
    lat: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lon: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speed_mps: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heading_deg: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hdop: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accuracy_m: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    moving: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    coupling: Option<&'a Coupling>,
}

#[expect(clippy::expect_used, reason = "plain structs with text keys always serialise into memory")]
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("a plain struct serialises")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::geo::Position;
    use crate::core::telemetry::CouplingState;

    #[test]
    fn iso_times_carry_their_offset() {
        assert_eq!(iso(UnixMillis(1_774_746_000_000), 60), "2026-03-29T02:00:00.000+01:00");
        assert_eq!(iso(UnixMillis(1_709_208_000_007), -570), "2024-02-29T02:30:00.007-09:30");
    }

    #[test]
    fn only_what_is_present_is_written() {
        let unit = crate::core::id::UnitId::new("T-001").unwrap();
        let mut report = Report::fix(unit.clone(), UnixMillis(1_763_569_135_250), Position { lat: 27.53, lon: -99.48 });
        assert_eq!(to_payload(&report), r#"{"unit":"T-001","ts":1763569135.25,"lat":27.53,"lon":-99.48}"#);
        report.position = None;
        report.coupling = Some(Coupling { state: CouplingState::Hooked, tractor: Some(unit) });
        assert_eq!(to_payload(&report), r#"{"unit":"T-001","ts":1763569135.25,"coupling":{"state":"hooked","tractor":"T-001"}}"#);
    }
}
