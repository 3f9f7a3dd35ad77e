//! Traccar's position forwarding over MQTT (`forward.type=mqtt`): all devices on one topic, the unit is the device's
//! `uniqueId`. Retries may reorder, which the event time takes care of.

use super::foreign::{self, SpeedUnit, switch};
use super::layout::{Picked, Slot, Wanted};
use super::unit::Naming;
use super::{Decoded, Reject};
use crate::core::telemetry::Report;

/// Speeds are in knots, an accuracy of 0 is unknown. `fixTime` is when the position was true, also when Traccar repeats it.
pub(super) const KEYS: &[Wanted<'static>] = &[
    ("/device/uniqueId", Slot::Unit, "device.uniqueId"),
    ("/position/fixTime", Slot::Time, "position.fixTime"),
    ("/position/latitude", Slot::Lat, "position.latitude"),
    ("/position/longitude", Slot::Lon, "position.longitude"),
    ("/position/speed", Slot::Speed, "position.speed"),
    ("/position/course", Slot::Heading, "position.course"),
    ("/position/accuracy", Slot::Accuracy, "position.accuracy"),
    ("/position/valid", Slot::Valid, "position.valid"),
    ("/position/attributes/hdop", Slot::Hdop, "position.attributes.hdop"),
    ("/position/attributes/motion", Slot::Moving, "position.attributes.motion"),
    ("/position/attributes/approximate", Slot::Approximate, "position.attributes.approximate"),
];

pub(super) fn report(picked: &Picked<'_, '_>, naming: Naming<'_>, each: &mut dyn FnMut(Report)) -> Result<Decoded, Reject> {
    let at = foreign::iso_time(picked)?;
    let position = foreign::position(picked)?.ok_or_else(|| picked.missing(Slot::Lat))?;
    let mut report = foreign::report(picked, naming, at, position, SpeedUnit::Knots)?;
    // Guessed from cell towers or Wi-Fi by the server, which calls it valid.
    if switch(picked, Slot::Approximate)? == Some(true) {
        report.valid = Some(false);
    }
    each(report);
    Ok(Decoded::Reports(1))
}

#[cfg(test)]
mod tests {
    use crate::core::geo::{Metres, Position};
    use crate::core::telemetry::Report;
    use crate::core::time::UnixMillis;
    use crate::formats::{BadTime, Decoder, Format, Reject, decode_one};

    const SAMPLE: &str = r#"{"position":{"id":12345,"attributes":{"batteryLevel":85,"distance":15.4,"totalDistance":12500.5,"motion":true},"deviceId":10,"protocol":"osmand","serverTime":"2024-05-20T14:30:00.000+00:00","deviceTime":"2024-05-20T14:29:55.000+00:00","fixTime":"2024-05-20T14:29:55.000+00:00","valid":true,"latitude":-23.55052,"longitude":-46.633308,"altitude":760.0,"speed":13.5,"course":180.0,"accuracy":0.0,"network":null},"device":{"id":10,"name":"Company Car 01","uniqueId":"123456789012345","status":"online","disabled":false}}"#;

    fn read(payload: &str) -> Result<Report, Reject> {
        decode_one(&Decoder::new(Format::Traccar, None).unwrap(), "traccar/positions", payload)
    }

    #[test]
    fn a_forwarded_position_is_read() {
        let report = read(SAMPLE).unwrap();
        assert_eq!(report.unit.as_str(), "123456789012345");
        assert_eq!(report.at, UnixMillis(1_716_215_395_000));
        assert_eq!(report.position, Some(Position { lat: -23.55052, lon: -46.633308 }));
        // 13.5 knots are 25.002 km/h.
        assert_eq!((report.speed_mps, report.heading_deg), (Some(6.945), Some(180.0)));
        assert_eq!((report.accuracy, report.valid, report.moving, report.hdop), (None, Some(true), Some(true), None));
    }

    #[test]
    fn its_variations_keep_their_meaning() {
        let with = |from: &str, to: &str| {
            assert!(SAMPLE.contains(from));
            read(&SAMPLE.replace(from, to))
        };
        assert_eq!(with(r#""accuracy":0.0"#, r#""accuracy":12.5"#).unwrap().accuracy, Some(Metres(12.5)));
        assert_eq!(with(r#""motion":true"#, r#""motion":false,"hdop":1.5"#).unwrap().hdop, Some(1.5));
        assert_eq!(with(r#""motion":true"#, r#""approximate":true"#).unwrap().valid, Some(false));
        let berlin = with(r#""fixTime":"2024-05-20T14:29:55.000+00:00""#, r#""fixTime":"2024-05-20T16:29:55.000+0200""#);
        assert_eq!(berlin.unwrap().at, UnixMillis(1_716_215_395_000));
        let local = with(r#""fixTime":"2024-05-20T14:29:55.000+00:00""#, r#""fixTime":"2024-05-20T14:29:55""#);
        assert_eq!(local, Err(Reject::BadTime { field: "position.fixTime", why: BadTime::NoOffset }));
        let number = with(r#""fixTime":"2024-05-20T14:29:55.000+00:00""#, r#""fixTime":1716215395000"#);
        assert_eq!(number.unwrap_err().to_string(), "position.fixTime must be text, not a number");
        assert_eq!(with(r#""uniqueId":"123456789012345","#, ""), Err(Reject::Missing("device.uniqueId")));
        assert_eq!(with(r#""latitude":-23.55052,"#, ""), Err(Reject::Missing("position.latitude")));
        assert_eq!(read(r#"{"position":null,"device":{"uniqueId":"1"}}"#), Err(Reject::Missing("position.fixTime")));
    }
}
