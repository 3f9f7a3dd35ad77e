//! Teltonika's Codec JSON over MQTT (`…/<imei>/data`; <https://wiki.teltonika-gps.com/view/Codec_JSON>). The unit is the last
//! level but one of the topic, the IMEI. Numbers come as numbers or as text, AVL elements by their id and unscaled.

use super::foreign::{self, NO_POSITION, SpeedUnit, finite, measure, numeral};
use super::layout::{Picked, Slot, Wanted};
use super::unit::Naming;
use super::{Decoded, Reject};
use crate::core::geo::Position;
use crate::core::telemetry::Report;

/// `sp` is in km/h. AVL 240 is movement and 182 ten times the HDOP; 239, ignition, is not movement: an engine may idle.
pub(super) const KEYS: &[Wanted<'static>] = &[
    ("/state/reported/ts", Slot::Time, "state.reported.ts"),
    ("/state/reported/latlng", Slot::LatLon, "state.reported.latlng"),
    ("/state/reported/sp", Slot::Speed, "state.reported.sp"),
    ("/state/reported/ang", Slot::Heading, "state.reported.ang"),
    ("/state/reported/sat", Slot::Satellites, "state.reported.sat"),
    ("/state/reported/182", Slot::Hdop, "state.reported.182"),
    ("/state/reported/240", Slot::Moving, "state.reported.240"),
];

pub(super) fn report(picked: &Picked<'_, '_>, naming: Naming<'_>, each: &mut dyn FnMut(Report)) -> Result<Decoded, Reject> {
    // Answers to commands come on the same topic.
    let Some(latlng) = picked.text(Slot::LatLon)? else { return Ok(Decoded::Ignored(NO_POSITION)) };
    let place = latlng.split_once(',').and_then(|(lat, lon)| Some(Position { lat: finite(lat)?, lon: finite(lon)? }));
    let position = place.ok_or_else(|| picked.wrong_text(Slot::LatLon, "text like 54.7,25.3"))?;
    let mut report = foreign::report(picked, naming, foreign::unix_millis(picked)?, position, SpeedUnit::KilometresPerHour)?;
    report.hdop = numeral(picked, Slot::Hdop)?.filter(|n| *n > 0.0).and_then(|tenths| measure(tenths / 10.0));
    // Without a satellite the device repeats its last position, or sends 0,0.
    report.valid = numeral(picked, Slot::Satellites)?.map(|satellites| satellites > 0.0);
    each(report);
    Ok(Decoded::Reports(1))
}

#[cfg(test)]
mod tests {
    use crate::core::geo::Position;
    use crate::core::telemetry::Report;
    use crate::core::time::UnixMillis;
    use crate::formats::{Decoded, Decoder, Format, Reject, decode_one};

    fn read(reported: &str) -> Result<Report, Reject> {
        let payload = format!(r#"{{"state":{{"reported":{{{reported}}}}}}}"#);
        decode_one(&Decoder::new(Format::Teltonika, None).unwrap(), "864636060373301/data", &payload)
    }

    #[test]
    fn a_fix_is_read_from_its_texts() {
        let digits = "9".repeat(200);
        let report = read(&format!(
            r#""11":893700,"66":11921,"182":9,"239":1,"240":1,"387":"+{digits}/","388":{digits},"latlng":"54.7123,-25.3000","ts":1763569135250,"alt":"118","ang":"270","sat":"14","sp":"90""#
        ))
        .unwrap();
        assert_eq!(report.unit.as_str(), "864636060373301");
        assert_eq!(report.at, UnixMillis(1_763_569_135_250));
        assert_eq!(report.position, Some(Position { lat: 54.7123, lon: -25.3 }));
        assert_eq!((report.speed_mps, report.heading_deg, report.hdop), (Some(25.0), Some(270.0), Some(0.9)));
        assert_eq!((report.valid, report.moving), (Some(true), Some(true)));
    }

    #[test]
    fn a_device_without_a_fix_says_so() {
        let report = read(
            r#""24":0,"66":11921,"67":3466,"239":1,"240":0,"latlng":"0,0","ts":1072915236000,"alt":"0","ang":"0","sat":"0","sp":"0""#,
        )
        .unwrap();
        assert_eq!((report.position, report.valid), (Some(Position { lat: 0.0, lon: 0.0 }), Some(false)));
        assert_eq!((report.at, report.moving), (UnixMillis(1_072_915_236_000), Some(false)));
    }

    #[test]
    fn answers_to_commands_are_ignored_and_broken_fixes_refused() {
        let decoder = Decoder::new(Format::Teltonika, None).unwrap();
        for payload in [r#"{"command_response":"Data Link: 1 GPRS: 1"}"#, r#"{"state":{"reported":{"ts":1763569135250}}}"#] {
            let decoded = decoder.decode("x/data", payload.as_bytes(), &mut |_| panic!("a report"));
            assert_eq!(decoded, Ok(Decoded::Ignored("no position in it")), "{payload}");
        }
        for (reported, why) in [
            (r#""latlng":"54.7","ts":1763569135250"#, "state.reported.latlng must be text like 54.7,25.3, not another text"),
            (r#""latlng":"nan,1","ts":1763569135250"#, "state.reported.latlng must be text like 54.7,25.3, not another text"),
            (r#""latlng":"1,2,3","ts":1763569135250"#, "state.reported.latlng must be text like 54.7,25.3, not another text"),
            (r#""latlng":[1,2],"ts":1763569135250"#, "state.reported.latlng must be text, not an array"),
            (r#""latlng":"1,2""#, "state.reported.ts is missing"),
            (
                r#""latlng":"1,2","ts":1763569135"#,
                "state.reported.ts must be Unix time in milliseconds, and this can only be seconds",
            ),
            (r#""latlng":"1,2","ts":1763569135250,"sp":"fast""#, "state.reported.sp must be a number, not text"),
            (r#""latlng":"1,2","ts":1763569135250,"240":2"#, "state.reported.240 must be true or false, not a number"),
        ] {
            assert_eq!(read(reported).unwrap_err().to_string(), why);
        }
    }
}
