//! gladhand's own format: one JSON object a report, in SI units. The schema is `config/telemetry.schema.json`.
//!
//! It is meant to be easy to write and hard to write wrong: a number given as text, a time in milliseconds or a negative
//! speed is refused with the field's name. Keys it does not know are ignored, so devices may add their own.

use super::layout::{Picked, Slot, Wanted};
use super::unit::{Naming, named};
use super::{Decoded, Reject, seconds};
use crate::core::geo::{Metres, Position};
use crate::core::telemetry::{Coupling, CouplingState, Report};

pub(super) const KEYS: &[Wanted<'static>] = &[
    ("/unit", Slot::Unit, "unit"),
    ("/ts", Slot::Time, "ts"),
    ("/lat", Slot::Lat, "lat"),
    ("/lon", Slot::Lon, "lon"),
    ("/speed_mps", Slot::Speed, "speed_mps"),
    ("/heading_deg", Slot::Heading, "heading_deg"),
    ("/hdop", Slot::Hdop, "hdop"),
    ("/accuracy_m", Slot::Accuracy, "accuracy_m"),
    ("/valid", Slot::Valid, "valid"),
    ("/moving", Slot::Moving, "moving"),
    ("/coupling", Slot::Coupling, "coupling"),
    ("/coupling/state", Slot::CouplingState, "coupling.state"),
    ("/coupling/tractor", Slot::CouplingTractor, "coupling.tractor"),
];

/// No allocation, unless a text is written with JSON escapes.
pub(super) fn report(picked: &Picked<'_, '_>, naming: Naming<'_>, each: &mut dyn FnMut(Report)) -> Result<Decoded, Reject> {
    let coupling = coupling(picked)?;
    let position = match (picked.number(Slot::Lat)?, picked.number(Slot::Lon)?) {
        (Some(lat), Some(lon)) => Some(Position { lat, lon }),
        (None, None) if coupling.is_some() => None,
        (None, _) => return Err(picked.missing(Slot::Lat)),
        (_, None) => return Err(picked.missing(Slot::Lon)),
    };
    each(Report {
        unit: naming.unit(picked, named)?,
        at: seconds(picked, picked.number(Slot::Time)?)?,
        position,
        speed_mps: up_to(f64::from(f32::MAX), picked, Slot::Speed)?.map(|n| n as f32),
        heading_deg: up_to(360.0, picked, Slot::Heading)?.map(|n| n as f32),
        hdop: up_to(f64::from(f32::MAX), picked, Slot::Hdop)?.map(|n| n as f32),
        accuracy: up_to(f64::MAX, picked, Slot::Accuracy)?.map(Metres),
        valid: picked.flag(Slot::Valid)?,
        moving: picked.flag(Slot::Moving)?,
        coupling,
    });
    Ok(Decoded::Reports(1))
}

fn up_to(most: f64, picked: &Picked<'_, '_>, slot: Slot) -> Result<Option<f64>, Reject> {
    match picked.number(slot)? {
        Some(n) if !(0.0..=most).contains(&n) => Err(picked.out_of_range(slot)),
        usual => Ok(usual),
    }
}

fn coupling(picked: &Picked<'_, '_>) -> Result<Option<Coupling>, Reject> {
    if !picked.has(Slot::Coupling) {
        return Ok(None);
    }
    if !picked.is_object(Slot::Coupling) {
        return Err(picked.wrong_type(Slot::Coupling, "an object"));
    }
    let state = match picked.text(Slot::CouplingState)? {
        Some("hooked") => CouplingState::Hooked,
        Some("unhooked") => CouplingState::Unhooked,
        Some("unknown") => CouplingState::Unknown,
        Some(_) => return Err(picked.wrong_text(Slot::CouplingState, "hooked, unhooked or unknown")),
        None => return Err(picked.missing(Slot::CouplingState)),
    };
    Ok(Some(Coupling { state, tractor: named(picked, Slot::CouplingTractor)? }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::id::{BadId, UnitId};
    use crate::core::time::UnixMillis;
    use crate::formats::{Decoder, Format, UnitFrom, decode_one};

    const FULL: &str = r#"{"unit":"T-001","ts":1763569135.25,"lat":27.53,"lon":-99.48,"speed_mps":15.2,"heading_deg":112.1,
        "hdop":0.9,"accuracy_m":5,"valid":true,"moving":true,"coupling":{"state":"hooked","tractor":"T-001"}}"#;

    fn read(payload: &str) -> Result<Report, Reject> {
        decode_one(&Decoder::new(Format::Gladhand, None).unwrap(), "fleet/T-001/telemetry", payload)
    }

    fn with(key: &str, value: &str) -> Result<Report, Reject> {
        read(&format!(r#"{{"unit":"T-001","ts":1763569135,"lat":27.53,"lon":-99.48,"{key}":{value}}}"#))
    }

    #[test]
    fn a_full_report_arrives_whole() {
        let unit = UnitId::new("T-001").unwrap();
        assert_eq!(
            read(FULL).unwrap(),
            Report {
                speed_mps: Some(15.2),
                heading_deg: Some(112.1),
                hdop: Some(0.9),
                accuracy: Some(Metres(5.0)),
                valid: Some(true),
                moving: Some(true),
                coupling: Some(Coupling { state: CouplingState::Hooked, tractor: Some(unit.clone()) }),
                ..Report::fix(unit, UnixMillis(1_763_569_135_250), Position { lat: 27.53, lon: -99.48 })
            }
        );
    }

    #[test]
    fn four_fields_are_enough_and_unknown_ones_do_no_harm() {
        let bare = read(r#"{"unit":"T-001","ts":1763569135,"lat":27,"lon":-99}"#).unwrap();
        let at = UnixMillis(1_763_569_135_000);
        assert_eq!(bare, Report::fix(UnitId::new("T-001").unwrap(), at, Position { lat: 27.0, lon: -99.0 }));
        let more = r#"{"x":{"lat":[[{"lat":1}]],"n":1e999},"lon":-99,"lat":27,"fuel":"80","speed_mps":null,"ts":1763569135,"unit":"T-001"}"#;
        assert_eq!(read(more).unwrap(), bare);
    }

    #[test]
    fn a_coupling_report_may_come_without_a_position() {
        let report = read(r#"{"unit":"R-1","ts":1763569135,"coupling":{"state":"unhooked"}}"#).unwrap();
        assert_eq!((report.position, report.coupling.unwrap().state), (None, CouplingState::Unhooked));
    }

    #[test]
    fn the_unit_may_stand_in_the_topic() {
        let decoder = Decoder::new(Format::Gladhand, Some(UnitFrom::Topic(1))).unwrap();
        let payload = r#"{"unit":5,"ts":1763569135,"lat":27,"lon":-99}"#;
        assert_eq!(decode_one(&decoder, "fleet/T-007/telemetry", payload).unwrap().unit.as_str(), "T-007");
        assert_eq!(decode_one(&decoder, "fleet", payload), Err(Reject::NoTopicLevel { level: 1 }));
    }

    #[test]
    fn what_is_wrong_is_refused_by_its_name() {
        let text = |field| Reject::WrongType { field, expected: "a number", found: "text" };
        for (key, value, why) in [
            ("speed_mps", "\"15\"", text("speed_mps")),
            ("accuracy_m", "\"5\"", text("accuracy_m")),
            ("speed_mps", "-1", Reject::OutOfRange { field: "speed_mps" }),
            ("speed_mps", "1e300", Reject::OutOfRange { field: "speed_mps" }),
            ("heading_deg", "361", Reject::OutOfRange { field: "heading_deg" }),
            ("hdop", "-0.1", Reject::OutOfRange { field: "hdop" }),
            ("valid", "1", Reject::WrongType { field: "valid", expected: "true or false", found: "a number" }),
            ("moving", "{}", Reject::WrongType { field: "moving", expected: "true or false", found: "an object" }),
            ("coupling", "true", Reject::WrongType { field: "coupling", expected: "an object", found: "true or false" }),
            ("coupling", "[]", Reject::WrongType { field: "coupling", expected: "an object", found: "an array" }),
            ("coupling", "{}", Reject::Missing("coupling.state")),
            (
                "coupling",
                r#"{"state":"coupled"}"#,
                Reject::WrongType { field: "coupling.state", expected: "hooked, unhooked or unknown", found: "another text" },
            ),
            ("coupling", r#"{"state":"hooked","tractor":" "}"#, Reject::BadUnit { field: "coupling.tractor", why: BadId::Empty }),
            ("lat", "27.53", Reject::Twice("lat")),
            ("unit", "\"T-002\"", Reject::Twice("unit")),
        ] {
            assert_eq!(with(key, value), Err(why), "{key} {value}");
        }
        for (payload, why) in [
            ("{}", "lat is missing"),
            (r#"{"unit":"T","lat":1,"lon":2}"#, "ts is missing"),
            (r#"{"unit":"T","ts":1,"lat":1}"#, "lon is missing"),
            (r#"{"ts":1,"lat":1,"lon":2}"#, "unit is missing"),
            (r#"{"unit":"T","ts":1,"lat":null,"lon":2}"#, "lat is missing"),
            (r#"{"unit":"T","ts":"1763569135","lat":1,"lon":2}"#, "ts must be a number, not text"),
            (r#"{"unit":"T","ts":-1,"lat":1,"lon":2}"#, "ts is out of range"),
            (
                r#"{"unit":"T","ts":1763569135250,"lat":1,"lon":2}"#,
                "ts must be Unix time in seconds, and this can only be milliseconds",
            ),
            (r#"{"unit":17,"ts":1,"lat":1,"lon":2}"#, "unit must be text, not a number"),
            (r#"{"unit":"a/b","ts":1,"lat":1,"lon":2}"#, "unit contains a control character or one of / + #"),
            ("[1]", "lat is missing"),
            ("5", "lat is missing"),
        ] {
            assert_eq!(read(payload).unwrap_err().to_string(), why, "{payload}");
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for payload in [
            " ",
            "NaN",
            r#"{"unit":"T","ts":NaN,"lat":1,"lon":2}"#,
            r#"{"unit":"T","ts":1,"lat":1e999,"lon":2}"#,
            r#"{"unit":"T","ts":1,"lat":1,"lon":2"#,
            r#"{"unit":"T","ts":1,"lat":1,"lon":2}{}"#,
            r#"{'unit':'T','ts':1,'lat':1,'lon':2}"#,
        ] {
            assert_eq!(read(payload).unwrap_err().reason(), "not-json", "{payload}");
        }
    }

    #[test]
    fn whether_a_position_exists_is_not_decided_here() {
        let report = read(r#"{"unit":"T","ts":1,"lat":-1e300,"lon":540}"#).unwrap();
        assert_eq!(report.position, Some(Position { lat: -1e300, lon: 540.0 }));
    }
}
