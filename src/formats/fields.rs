//! A format described in the configuration: where each value stands, and in what units.

use serde::{Deserialize, Serialize};

use super::foreign::{self, NO_POSITION, SpeedUnit};
use super::layout::{Picked, Slot, Wanted};
use super::source::BadSource;
use super::unit::Naming;
use super::{Decoded, Reject};
use crate::core::telemetry::Report;
use crate::core::time::UnixMillis;

/// JSON pointers (RFC 6901) to the values of a report, and their units. Heading is in degrees, accuracy in metres.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldMap {
    /// The unit's id: text, or a whole number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Event time. Required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ts: Option<String>,
    /// Degrees north. Required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lat: Option<String>,
    /// Degrees east. Required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lon: Option<String>,
    /// Speed over ground.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<String>,
    /// Course over ground.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heading: Option<String>,
    /// Horizontal dilution of precision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hdop: Option<String>,
    /// Horizontal accuracy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<String>,
    /// Whether the receiver believes the fix: true or false, 1 or 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid: Option<String>,
    /// Whether the unit says it moves: true or false, 1 or 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moving: Option<String>,
    /// The unit of `speed`. Required with it: nothing in a payload shows a wrong one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed_unit: Option<SpeedUnit>,
    /// How `ts` is written; seconds when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_unit: Option<TimeUnit>,
}

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeUnit {
    /// Unix seconds.
    S,
    /// Unix milliseconds.
    Ms,
    /// RFC 3339 text. A number is Unix seconds then, as thin-edge.io has it.
    Iso,
}

/// A field map that comes with gladhand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// thin-edge.io measurements that follow its documentation's example of a location: `{"time":…,"location":{"latitude":…,
    /// "longitude":…}}` on `te/device/<unit>///m/<type>`. It defines no unit of speed: name field and unit where there is one.
    /// A measurement without its optional `time` is refused: when it arrives says nothing of when it was true.
    ThinEdge,
}

impl FieldMap {
    /// This map, with what it leaves open taken from a preset.
    #[must_use]
    pub fn over(self, preset: Preset) -> Self {
        match preset {
            Preset::ThinEdge => Self {
                ts: self.ts.or_else(|| Some("/time".to_owned())),
                lat: self.lat.or_else(|| Some("/location/latitude".to_owned())),
                lon: self.lon.or_else(|| Some("/location/longitude".to_owned())),
                time_unit: self.time_unit.or(Some(TimeUnit::Iso)),
                ..self
            },
        }
    }

    /// The pointers, once the map is known to be complete.
    pub(super) fn wanted(&self) -> Result<impl Iterator<Item = Wanted<'_>>, BadSource> {
        let table = [
            (&self.unit, Slot::Unit, "fields.unit"),
            (&self.ts, Slot::Time, "fields.ts"),
            (&self.lat, Slot::Lat, "fields.lat"),
            (&self.lon, Slot::Lon, "fields.lon"),
            (&self.speed, Slot::Speed, "fields.speed"),
            (&self.heading, Slot::Heading, "fields.heading"),
            (&self.hdop, Slot::Hdop, "fields.hdop"),
            (&self.accuracy, Slot::Accuracy, "fields.accuracy"),
            (&self.valid, Slot::Valid, "fields.valid"),
            (&self.moving, Slot::Moving, "fields.moving"),
        ];
        let required = [Slot::Time, Slot::Lat, Slot::Lon];
        if let Some((_, _, name)) = table.iter().find(|(pointer, slot, _)| pointer.is_none() && required.contains(slot)) {
            return Err(BadSource::Missing(name));
        }
        if self.speed.is_some() && self.speed_unit.is_none() {
            return Err(BadSource::SpeedUnit);
        }
        Ok(table.into_iter().filter_map(|(pointer, slot, name)| Some((pointer.as_deref()?, slot, name))))
    }

    pub(super) fn report(
        &self,
        picked: &Picked<'_, '_>,
        naming: Naming<'_>,
        each: &mut dyn FnMut(Report),
    ) -> Result<Decoded, Reject> {
        let Some(position) = foreign::position(picked)? else { return Ok(Decoded::Ignored(NO_POSITION)) };
        let speed = self.speed_unit.unwrap_or(SpeedUnit::MetresPerSecond);
        each(foreign::report(picked, naming, self.time(picked)?, position, speed)?);
        Ok(Decoded::Reports(1))
    }

    fn time(&self, picked: &Picked<'_, '_>) -> Result<UnixMillis, Reject> {
        match self.time_unit.unwrap_or(TimeUnit::S) {
            TimeUnit::S => foreign::unix_seconds(picked),
            TimeUnit::Ms => foreign::unix_millis(picked),
            TimeUnit::Iso if picked.number(Slot::Time).is_ok() => foreign::unix_seconds(picked),
            TimeUnit::Iso => foreign::iso_time(picked),
        }
    }
}
