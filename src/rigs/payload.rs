//! Reports as the payloads that trackers publish.

use serde::Serialize;

use crate::core::telemetry::{Coupling, Report};
use crate::core::time::UnixMillis;

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
    fn only_what_is_present_is_written() {
        let unit = crate::core::id::UnitId::new("T-001").unwrap();
        let mut report = Report::fix(unit.clone(), UnixMillis(1_763_569_135_250), Position { lat: 27.53, lon: -99.48 });
        assert_eq!(to_payload(&report), r#"{"unit":"T-001","ts":1763569135.25,"lat":27.53,"lon":-99.48}"#);
        report.position = None;
        report.coupling = Some(Coupling { state: CouplingState::Hooked, tractor: Some(unit) });
        assert_eq!(to_payload(&report), r#"{"unit":"T-001","ts":1763569135.25,"coupling":{"state":"hooked","tractor":"T-001"}}"#);
    }
}
