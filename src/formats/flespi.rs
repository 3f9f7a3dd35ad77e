//! Messages of flespi devices and channels: flat objects whose keys contain dots, alone or in an array. The unit is `ident`
//! (<https://flespi.com/kb/messages-basic-information-units>).

use super::foreign::{self, NO_POSITION, SpeedUnit};
use super::layout::{Layout, Picked, Slot, Wanted};
use super::unit::Naming;
use super::{Decoded, Reject};
use crate::core::telemetry::Report;

/// `timestamp` is in seconds, with a fraction; speeds are in km/h.
pub(super) const KEYS: &[Wanted<'static>] = &[
    ("/ident", Slot::Unit, "ident"),
    ("/timestamp", Slot::Time, "timestamp"),
    ("/position.latitude", Slot::Lat, "position.latitude"),
    ("/position.longitude", Slot::Lon, "position.longitude"),
    ("/position.speed", Slot::Speed, "position.speed"),
    ("/position.direction", Slot::Heading, "position.direction"),
    ("/position.valid", Slot::Valid, "position.valid"),
    ("/position.hdop", Slot::Hdop, "position.hdop"),
    ("/movement.status", Slot::Moving, "movement.status"),
];

/// One message or an array of them.
pub(super) fn reports(layout: &Layout, text: &str, naming: Naming<'_>, each: &mut dyn FnMut(Report)) -> Result<Decoded, Reject> {
    if !text.trim_start().starts_with('[') {
        return report(&layout.read(text)?, naming, each);
    }
    let (mut reports, mut first_bad) = (0, None);
    layout.read_list(text, |message| match message.and_then(|picked| report(&picked, naming, each)) {
        Ok(Decoded::Reports(n)) => reports += n,
        Ok(Decoded::Ignored(_)) => {}
        Err(why) => first_bad = first_bad.or(Some(why)),
    })?;
    match first_bad {
        Some(why) => Err(why),
        None if reports == 0 => Ok(Decoded::Ignored(NO_POSITION)),
        None => Ok(Decoded::Reports(reports)),
    }
}

fn report(picked: &Picked<'_, '_>, naming: Naming<'_>, each: &mut dyn FnMut(Report)) -> Result<Decoded, Reject> {
    let Some(position) = foreign::position(picked)? else { return Ok(Decoded::Ignored(NO_POSITION)) };
    let at = foreign::unix_seconds(picked)?;
    each(foreign::report(picked, naming, at, position, SpeedUnit::KilometresPerHour)?);
    Ok(Decoded::Reports(1))
}

#[cfg(test)]
mod tests {
    use crate::core::geo::Position;
    use crate::core::telemetry::Report;
    use crate::core::time::UnixMillis;
    use crate::formats::{Decoded, Decoder, Format, Reject};

    const MOVING: &str = r#"{"position.speed":36,"position.latitude":53.90573,"position.longitude":27.455848,"timestamp":1506956075.5,"position.satellites":10,"message.buffered.status":false,"position.direction":90,"position.hdop":0.8,"ident":"605630","movement.status":true}"#;
    const NO_FIX: &str =
        r#"{"ident":"605630","timestamp":946684840,"position.latitude":0,"position.longitude":0,"position.valid":false}"#;

    fn read(payload: &str) -> (Vec<Report>, Result<Decoded, Reject>) {
        let mut reports = Vec::new();
        let decoder = Decoder::new(Format::Flespi, None).unwrap();
        let decoded = decoder.decode("flespi/message/gw/devices/1", payload.as_bytes(), &mut |report| reports.push(report));
        (reports, decoded)
    }

    #[test]
    fn a_single_message_is_read() {
        let (reports, decoded) = read(MOVING);
        assert_eq!(decoded, Ok(Decoded::Reports(1)));
        let report = &reports[0];
        assert_eq!((report.unit.as_str(), report.at), ("605630", UnixMillis(1_506_956_075_500)));
        assert_eq!(report.position, Some(Position { lat: 53.90573, lon: 27.455848 }));
        assert_eq!((report.speed_mps, report.heading_deg, report.hdop), (Some(10.0), Some(90.0), Some(0.8)));
        assert_eq!((report.moving, report.valid), (Some(true), None));
    }

    #[test]
    fn an_array_hands_over_every_good_message_and_tells_of_the_first_bad_one() {
        let (reports, decoded) = read(&format!(" [{MOVING},{NO_FIX},{{\"ident\":\"605630\",\"battery.voltage\":3.9}}]"));
        assert_eq!(decoded, Ok(Decoded::Reports(2)));
        assert_eq!((reports[1].position, reports[1].valid), (Some(Position { lat: 0.0, lon: 0.0 }), Some(false)));
        let bad = r#"{"ident":"605630","timestamp":"soon","position.latitude":1,"position.longitude":2}"#;
        let (reports, decoded) = read(&format!("[{bad},{MOVING},{{\"position.latitude\":1}},7]"));
        assert_eq!(reports.len(), 1);
        assert_eq!(decoded.unwrap_err().to_string(), "timestamp must be a number, not text");
    }

    #[test]
    fn messages_without_a_position_are_ignored_and_broken_ones_refused() {
        for payload in ["[]", "{}", r#"{"ident":"605630","timestamp":1506956075,"battery.voltage":3.9}"#] {
            assert_eq!(read(payload), (Vec::new(), Ok(Decoded::Ignored("no position in it"))), "{payload}");
        }
        assert_eq!(read(&format!("[{MOVING}")).1.unwrap_err().reason(), "not-json");
        assert_eq!(read(&MOVING.replace("1506956075.5", "1506956075500")).1.unwrap_err().reason(), "wrong-time-unit");
        assert_eq!(read(&MOVING.replace(r#""ident":"605630","#, "")).1, Err(Reject::Missing("ident")));
        // Nested, as no flespi message is.
        assert_eq!(read(r#"{"position":{"latitude":1,"longitude":2}}"#).1, Ok(Decoded::Ignored("no position in it")));
    }
}
