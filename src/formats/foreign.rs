//! What the formats of other makers have in common: their reading is lenient where ours is strict.
//!
//! A number may be written as text, a switch as 0 or 1, and a negative speed, heading, dilution or accuracy, a dilution or
//! accuracy of zero and anything a 32-bit float cannot hold are ways to say "unknown".

use serde::{Deserialize, Serialize};

use super::layout::{Picked, Slot};
use super::unit::{Naming, named_or_numbered};
use super::{Reject, iso8601};
use crate::core::geo::{Metres, Position};
use crate::core::telemetry::Report;
use crate::core::time::UnixMillis;

/// Why a message without a position is ignored.
pub(super) const NO_POSITION: &str = "no position in it";

/// A unit of speed, as it stands in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpeedUnit {
    /// Metres a second.
    #[serde(rename = "m/s")]
    MetresPerSecond,
    /// Kilometres an hour.
    #[serde(rename = "km/h")]
    KilometresPerHour,
    /// International miles (1609.344 m) an hour.
    #[serde(rename = "mph")]
    MilesPerHour,
    /// Nautical miles (1852 m) an hour.
    #[serde(rename = "knots")]
    Knots,
}

impl SpeedUnit {
    fn in_mps(self) -> f64 {
        match self {
            Self::MetresPerSecond => 1.0,
            Self::KilometresPerHour => 1000.0 / 3600.0,
            Self::MilesPerHour => 1609.344 / 3600.0,
            Self::Knots => 1852.0 / 3600.0,
        }
    }
}

/// A report with the usual fields read from their slots: speed in `speed`, heading in degrees, accuracy in metres.
pub(super) fn report(
    picked: &Picked<'_, '_>,
    naming: Naming<'_>,
    at: UnixMillis,
    position: Position,
    speed: SpeedUnit,
) -> Result<Report, Reject> {
    let known = |n: &f64| *n > 0.0;
    Ok(Report {
        unit: naming.unit(picked, named_or_numbered)?,
        at,
        position: Some(position),
        speed_mps: numeral(picked, Slot::Speed)?.and_then(|n| measure(n * speed.in_mps())),
        heading_deg: numeral(picked, Slot::Heading)?.and_then(measure),
        hdop: numeral(picked, Slot::Hdop)?.filter(known).and_then(measure),
        accuracy: numeral(picked, Slot::Accuracy)?.filter(known).map(Metres),
        valid: switch(picked, Slot::Valid)?,
        moving: switch(picked, Slot::Moving)?,
        coupling: None,
    })
}

/// Latitude and longitude; `None` when neither is there.
pub(super) fn position(picked: &Picked<'_, '_>) -> Result<Option<Position>, Reject> {
    match (numeral(picked, Slot::Lat)?, numeral(picked, Slot::Lon)?) {
        (Some(lat), Some(lon)) => Ok(Some(Position { lat, lon })),
        (None, None) => Ok(None),
        (None, Some(_)) => Err(picked.missing(Slot::Lat)),
        (Some(_), None) => Err(picked.missing(Slot::Lon)),
    }
}

/// The event time in Unix seconds.
pub(super) fn unix_seconds(picked: &Picked<'_, '_>) -> Result<UnixMillis, Reject> {
    super::seconds(picked, numeral(picked, Slot::Time)?)
}

/// The event time in Unix milliseconds.
pub(super) fn unix_millis(picked: &Picked<'_, '_>) -> Result<UnixMillis, Reject> {
    let n = numeral(picked, Slot::Time)?.ok_or_else(|| picked.missing(Slot::Time))?;
    if n > 0.0 && n < super::SECONDS_OR_MILLIS {
        return Err(Reject::TimeUnit { field: picked.name(Slot::Time), expected: "milliseconds", found: "seconds" });
    }
    (n > 0.0).then(|| UnixMillis::from_secs_f64(n / 1000.0)).flatten().ok_or_else(|| picked.out_of_range(Slot::Time))
}

/// The event time as RFC 3339 text.
pub(super) fn iso_time(picked: &Picked<'_, '_>) -> Result<UnixMillis, Reject> {
    let text = picked.text(Slot::Time)?.ok_or_else(|| picked.missing(Slot::Time))?;
    iso8601::parse(text).map_err(|why| Reject::BadTime { field: picked.name(Slot::Time), why })
}

/// A finite number, or a text that is one.
pub(super) fn numeral(picked: &Picked<'_, '_>, slot: Slot) -> Result<Option<f64>, Reject> {
    match picked.text(slot) {
        Ok(Some(text)) => finite(text).map(Some).ok_or_else(|| picked.wrong_type(slot, "a number")),
        Ok(None) => Ok(None),
        Err(_) => picked.number(slot),
    }
}

/// The finite number that a text is.
pub(super) fn finite(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|n: &f64| n.is_finite())
}

/// `true` or `false`, or 1 or 0.
pub(super) fn switch(picked: &Picked<'_, '_>, slot: Slot) -> Result<Option<bool>, Reject> {
    match picked.flag(slot) {
        Ok(flag) => Ok(flag),
        Err(wrong) => match numeral(picked, slot) {
            Ok(Some(0.0)) => Ok(Some(false)),
            Ok(Some(1.0)) => Ok(Some(true)),
            Ok(_) | Err(_) => Err(wrong),
        },
    }
}

/// A quantity that cannot be negative, or unknown.
pub(super) fn measure(n: f64) -> Option<f32> {
    Some(n as f32).filter(|n| n.is_finite() && *n >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_units_are_exact() {
        // 36 km/h is 10 m/s; a knot is 1.852 km/h; a mile is 1.609344 km.
        assert!((SpeedUnit::KilometresPerHour.in_mps() * 36.0 - 10.0).abs() < 1e-12);
        assert!((SpeedUnit::Knots.in_mps() * 36.0 - 18.52).abs() < 1e-12);
        assert!((SpeedUnit::MilesPerHour.in_mps() * 36.0 - 16.093_44).abs() < 1e-12);
    }

    #[test]
    fn only_finite_numbers_are_read_from_text() {
        assert_eq!(finite(" 12.5 "), Some(12.5));
        assert_eq!(finite("-3e2"), Some(-300.0));
        for text in ["", "inf", "NaN", "1e999", "1,5", "0x10", "12 km/h"] {
            assert_eq!(finite(text), None, "{text}");
        }
        assert_eq!(measure(1e300), None);
        assert_eq!(measure(-1.0), None);
    }
}
