//! OwnTracks (`owntracks/<user>/<device>`; <https://owntracks.org/booklet/tech/json/>), also as Queclink trackers send it
//! through qtripp. The unit is the last level of the topic.

use super::foreign::{self, SpeedUnit};
use super::layout::{Picked, Slot, Wanted};
use super::unit::Naming;
use super::{Decoded, Reject};
use crate::core::telemetry::Report;

/// `vel` is in km/h and -1 (iOS) when unknown; `acc` is left out when 0. `tst` is the time of the fix, `created_at` that of
/// the message. Of the two switches of qtripp only `motion` says something of movement: an engine may idle.
pub(super) const KEYS: &[Wanted<'static>] = &[
    ("/_type", Slot::Kind, "_type"),
    ("/tst", Slot::Time, "tst"),
    ("/lat", Slot::Lat, "lat"),
    ("/lon", Slot::Lon, "lon"),
    ("/vel", Slot::Speed, "vel"),
    ("/cog", Slot::Heading, "cog"),
    ("/acc", Slot::Accuracy, "acc"),
    ("/motion", Slot::Moving, "motion"),
];

pub(super) fn report(picked: &Picked<'_, '_>, naming: Naming<'_>, each: &mut dyn FnMut(Report)) -> Result<Decoded, Reject> {
    match picked.text(Slot::Kind)? {
        Some("location") => {}
        Some("encrypted") => return Err(Reject::Encrypted),
        Some(_) => return Ok(Decoded::Ignored("an OwnTracks message other than a location")),
        None => return Err(picked.missing(Slot::Kind)),
    }
    let at = foreign::unix_seconds(picked)?;
    let position = foreign::position(picked)?.ok_or_else(|| picked.missing(Slot::Lat))?;
    each(foreign::report(picked, naming, at, position, SpeedUnit::KilometresPerHour)?);
    Ok(Decoded::Reports(1))
}

#[cfg(test)]
mod tests {
    use crate::core::geo::{Metres, Position};
    use crate::core::telemetry::Report;
    use crate::core::time::UnixMillis;
    use crate::formats::{Decoded, Decoder, Format, Reject, decode_one};

    fn read(payload: &str) -> Result<Report, Reject> {
        decode_one(&Decoder::new(Format::Owntracks, None).unwrap(), "owntracks/qtripp/865284041968706", payload)
    }

    #[test]
    fn locations_of_trackers_and_telephones_are_read() {
        let tracker = read(
            r#"{"topic":"owntracks/qtripp/865284041968706","lat":47.420051,"lon":13.654704,"vel":0,"cog":113,"tst":1736519167,"_type":"location","acc":10,"alt":1113,"t":"I","tid":"CS"}"#,
        )
        .unwrap();
        assert_eq!(tracker.unit.as_str(), "865284041968706");
        assert_eq!(tracker.at, UnixMillis(1_736_519_167_000));
        assert_eq!(tracker.position, Some(Position { lat: 47.420051, lon: 13.654704 }));
        assert_eq!((tracker.speed_mps, tracker.heading_deg, tracker.accuracy), (Some(0.0), Some(113.0), Some(Metres(10.0))));
        let telephone = read(
            r#"{"_type":"location","acc":15,"alt":440,"batt":46,"conn":"w","lat":46.0681247,"lon":11.1512805,"t":"u","tid":"5t","tst":1551874878,"vac":2,"vel":72,"created_at":1551874999}"#,
        )
        .unwrap();
        assert_eq!((telephone.at, telephone.speed_mps), (UnixMillis(1_551_874_878_000), Some(20.0)));
        assert_eq!((telephone.heading_deg, telephone.valid, telephone.moving), (None, None, None));
    }

    #[test]
    fn what_is_left_out_or_impossible_is_unknown() {
        let report =
            read(r#"{"_type":"location","lat":1,"lon":2,"tst":1551874878,"vel":-1,"cog":-1,"acc":0,"motion":true,"ign":true}"#)
                .unwrap();
        assert_eq!((report.speed_mps, report.heading_deg, report.accuracy), (None, None, None));
        assert_eq!(report.moving, Some(true));
    }

    #[test]
    fn other_messages_are_ignored_and_encrypted_ones_refused() {
        let decoder = Decoder::new(Format::Owntracks, None).unwrap();
        for payload in [
            r#"{"_type":"lwt","tst":1551874878}"#,
            r#"{"_type":"transition","wtst":1551874878,"lat":2,"lon":3,"tst":1551874878,"acc":3,"event":"enter"}"#,
            r#"{"_type":"status","iOS":{"version":"18"}}"#,
        ] {
            let decoded = decoder.decode("owntracks/a/b", payload.as_bytes(), &mut |_| panic!("a report"));
            assert!(matches!(decoded, Ok(Decoded::Ignored(_))), "{payload}");
        }
        assert_eq!(read(r#"{"_type":"encrypted","data":"aGVsbG8="}"#), Err(Reject::Encrypted));
        assert_eq!(read(r#"{"lat":1,"lon":2,"tst":1551874878}"#), Err(Reject::Missing("_type")));
        assert_eq!(read(r#"{"_type":"location","tst":1551874878}"#), Err(Reject::Missing("lat")));
    }
}
