//! `[[telemetry]]`: a topic and what its payloads are written in.

use serde::{Deserialize, Serialize};

use super::fields::{FieldMap, Preset};
use super::layout::BadPointer;
use super::{Decoder, Filter, Format, Router, UnitFrom};

/// One `[[telemetry]]` of the configuration, checked and ready.
///
/// ```toml
/// [[telemetry]]
/// topic = "fleet/+/telemetry"
/// format = "gladhand"        # gladhand | owntracks | traccar | teltonika | flespi | fields
/// unit = "topic[1]"          # the topic level with the unit's id, from 0, or from the end: topic[-1]
///
/// [[telemetry]]
/// topic = "trackers/gps"
/// format = "fields"
/// fields = { unit = "/id", ts = "/time", lat = "/pos/0", lon = "/pos/1", speed = "/v", speed_unit = "km/h", time_unit = "ms" }
///
/// [[telemetry]]
/// topic = "te/device/+///m/+"
/// format = "fields"
/// preset = "thin-edge"
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Source {
    /// What is subscribed to.
    pub filter: Filter,
    /// What reads it.
    pub decoder: Decoder,
    written: Written,
}

impl Default for Source {
    /// gladhand's own format on `fleet/+/telemetry`.
    fn default() -> Self {
        let filter = Filter::default();
        let written = Written { topic: filter.clone(), format: Name::Gladhand, unit: None, preset: None, fields: None };
        Self { filter, decoder: Decoder::default(), written }
    }
}

/// Why a telemetry source cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSource {
    /// A pointer of a field map is wrong.
    #[error("{field} {why}")]
    Pointer {
        /// The field.
        field: &'static str,
        /// What is wrong with its pointer.
        why: BadPointer,
    },
    /// A field map does not say where something required is.
    #[error("format \"fields\" needs {0}")]
    Missing(&'static str),
    /// A speed of unknown unit.
    #[error("fields.speed needs fields.speed_unit: \"m/s\", \"km/h\", \"mph\" or \"knots\"")]
    SpeedUnit,
    /// Nothing says where the unit's id is.
    #[error("format \"fields\" needs fields.unit, or unit = \"topic[n]\"")]
    Unit,
    /// `fields` or `preset` beside another format.
    #[error("fields and preset belong to format = \"fields\"")]
    NotFields,
}

impl FromIterator<Source> for Router {
    fn from_iter<I: IntoIterator<Item = Source>>(sources: I) -> Self {
        Self::new(sources.into_iter().map(|source| (source.filter, source.decoder)).collect())
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    topic: Filter,
    #[serde(default)]
    format: Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<UnitFrom>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preset: Option<Preset>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<FieldMap>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Name {
    #[default]
    Gladhand,
    Owntracks,
    Traccar,
    Teltonika,
    Flespi,
    Fields,
}

impl TryFrom<Written> for Source {
    type Error = BadSource;

    fn try_from(written: Written) -> Result<Self, BadSource> {
        let Written { topic, format, unit, preset, fields } = written.clone();
        if format != Name::Fields && (preset.is_some() || fields.is_some()) {
            return Err(BadSource::NotFields);
        }
        let mut unit = unit;
        let format = match format {
            Name::Gladhand => Format::Gladhand,
            Name::Owntracks => Format::Owntracks,
            Name::Traccar => Format::Traccar,
            Name::Teltonika => Format::Teltonika,
            Name::Flespi => Format::Flespi,
            Name::Fields => {
                let fields = fields.unwrap_or_default();
                match preset {
                    Some(preset @ Preset::ThinEdge) => {
                        // te/device/<unit>///m/<type>
                        unit = unit.or(fields.unit.is_none().then_some(UnitFrom::Topic(2)));
                        Format::Fields(fields.over(preset))
                    }
                    None => Format::Fields(fields),
                }
            }
        };
        Ok(Self { filter: topic, decoder: Decoder::new(format, unit)?, written })
    }
}

impl From<Source> for Written {
    fn from(source: Source) -> Self {
        source.written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::geo::{Metres, Position};
    use crate::core::telemetry::Report;
    use crate::core::time::UnixMillis;
    use crate::formats::{Decoded, Reject, decode_one};

    fn source(toml: &str) -> Result<Source, String> {
        toml::from_str(toml).map_err(|error| error.message().to_owned())
    }

    fn read(toml: &str, topic: &str, payload: &str) -> Result<Report, Reject> {
        decode_one(&source(toml).unwrap().decoder, topic, payload)
    }

    const MAP: &str = r#"
        topic = "trackers/gps"
        format = "fields"
        fields = { unit = "/id", ts = "/time", lat = "/gps/pos/1", lon = "/gps/pos/0", speed = "/v", heading = "/dir",
            hdop = "/gps/h~1dop", accuracy = "/acc", valid = "/gps/ok", moving = "/m", speed_unit = "mph", time_unit = "ms" }
    "#;

    #[test]
    fn a_field_map_reads_what_it_describes() {
        let payload = r#"{"id":4711,"time":1763569135250,"gps":{"pos":[-99.48,27.53,120],"h/dop":1.2,"ok":1},"v":"10","dir":90,"acc":4,"m":false}"#;
        let report = read(MAP, "trackers/gps", payload).unwrap();
        assert_eq!((report.unit.as_str(), report.at), ("4711", UnixMillis(1_763_569_135_250)));
        assert_eq!(report.position, Some(Position { lat: 27.53, lon: -99.48 }));
        assert_eq!((report.speed_mps, report.heading_deg), (Some(4.4704), Some(90.0)));
        assert_eq!((report.hdop, report.accuracy), (Some(1.2), Some(Metres(4.0))));
        assert_eq!((report.valid, report.moving), (Some(true), Some(false)));
        for (from, to, why) in [
            ("4711", "47.11", "fields.unit must be text or a whole number, not a number"),
            ("4711", "null", "fields.unit is missing"),
            ("1763569135250", "1763569135", "fields.ts must be Unix time in milliseconds, and this can only be seconds"),
            ("27.53", "\"north\"", "fields.lat must be a number, not text"),
            ("27.53", "null", "fields.lat is missing"),
        ] {
            let why = why.to_owned();
            assert_eq!(read(MAP, "", &payload.replace(from, to)).map_err(|e| e.to_string()), Err(why), "{to}");
        }
    }

    #[test]
    fn times_come_as_seconds_milliseconds_or_text() {
        let read = |unit: &str, ts: &str| {
            let toml = format!(
                r#"topic = "a/+"
                format = "fields"
                unit = "topic[1]"
                fields = {{ ts = "/t", lat = "/y", lon = "/x"{unit} }}"#
            );
            read(&toml, "a/u", &format!(r#"{{"t":{ts},"y":1,"x":2}}"#)).map(|report| report.at.0).map_err(|why| why.reason())
        };
        for (unit, ts, at) in [
            ("", "1763569135.25", Ok(1_763_569_135_250)),
            ("", "\"1763569135\"", Ok(1_763_569_135_000)),
            ("", "1763569135250", Err("wrong-time-unit")),
            (", time_unit = \"ms\"", "\"1763569135250\"", Ok(1_763_569_135_250)),
            (", time_unit = \"iso\"", "\"2025-11-19T16:18:55.25Z\"", Ok(1_763_569_135_250)),
            (", time_unit = \"iso\"", "1763569135.25", Ok(1_763_569_135_250)),
            (", time_unit = \"iso\"", "\"1763569135\"", Err("bad-time")),
            (", time_unit = \"iso\"", "null", Err("missing-field")),
        ] {
            assert_eq!(read(unit, ts), at, "{unit} {ts}");
        }
    }

    #[test]
    fn thin_edge_measurements_are_read_by_the_preset() {
        let plain = "topic = \"te/device/+///m/+\"\nformat = \"fields\"\npreset = \"thin-edge\"\n";
        let topic = "te/device/trailer-7///m/gps";
        let payload =
            r#"{"time":"2020-10-15T05:30:47+00:00","location":{"latitude":32.54,"longitude":-117.67,"altitude":98.6},"kmh":36}"#;
        let report = read(plain, topic, payload).unwrap();
        assert_eq!((report.unit.as_str(), report.at), ("trailer-7", UnixMillis(1_602_739_847_000)));
        assert_eq!((report.position, report.speed_mps), (Some(Position { lat: 32.54, lon: -117.67 }), None));
        let speed = format!("{plain}fields = {{ speed = \"/kmh\", speed_unit = \"km/h\" }}");
        assert_eq!(read(&speed, topic, payload).unwrap().speed_mps, Some(10.0));
        let temperature = br#"{"time":"2020-10-15T05:30:47+00:00","temperature":23}"#;
        let decoded = source(plain).unwrap().decoder.decode(topic, temperature, &mut |_| panic!("a report"));
        assert_eq!(decoded, Ok(Decoded::Ignored("no position in it")));
    }

    #[test]
    fn a_source_that_cannot_work_is_refused_with_the_reason() {
        let fields = |map: &str| format!("topic = \"a\"\nformat = \"fields\"\nfields = {{ {map} }}");
        for (toml, why) in [
            ("topic = \"a\"\nformat = \"fields\"".to_owned(), "format \"fields\" needs fields.ts"),
            (fields("unit = \"/u\", ts = \"/t\", lon = \"/x\""), "format \"fields\" needs fields.lat"),
            (fields("ts = \"/t\", lat = \"/y\", lon = \"/x\""), "needs fields.unit, or unit = \"topic[n]\""),
            (fields("unit = \"u\", ts = \"/t\", lat = \"/y\", lon = \"/x\""), "fields.unit is not a JSON pointer"),
            (fields("unit = \"/~2\", ts = \"/t\", lat = \"/y\", lon = \"/x\""), "fields.unit is not a JSON pointer"),
            (fields("unit = \"/u\", ts = \"/t\", lat = \"/y\", lon = \"/y\""), "fields.lon points where another field"),
            (
                fields(&format!("unit = \"{}\", ts = \"/t\", lat = \"/y\", lon = \"/x\"", "/a".repeat(17))),
                "fields.unit has more than 16 levels",
            ),
            (fields("unit = \"/u\", ts = \"/t\", lat = \"/y\", lon = \"/x\", speed = \"/v\""), "needs fields.speed_unit"),
            ("topic = \"a\"\nformat = \"owntracks\"\npreset = \"thin-edge\"".to_owned(), "belong to format = \"fields\""),
            ("topic = \"a#\"\nformat = \"gladhand\"".to_owned(), "stand for whole levels"),
            ("topic = \"a\"\nformat = \"gladhand\"\nunit = \"topic\"".to_owned(), "unit must be like \"topic[1]\""),
            ("topic = \"a\"\nformat = \"nmea\"".to_owned(), "unknown variant `nmea`"),
            ("topic = \"a\"\nformat = \"gladhand\"\nunits = \"topic[1]\"".to_owned(), "unknown field `units`"),
        ] {
            let message = source(&toml).unwrap_err();
            assert!(message.contains(why), "{toml}: {message}");
        }
    }

    #[test]
    fn a_source_writes_what_it_read() {
        let written = serde_json::to_value(source(MAP).unwrap()).unwrap();
        assert_eq!(serde_json::from_value::<Source>(written.clone()).unwrap(), source(MAP).unwrap());
        assert_eq!(written["fields"]["hdop"], "/gps/h~1dop");
        assert!(written.get("unit").is_none());
    }

    #[test]
    fn the_first_filter_that_matches_decides() {
        let sources = ["topic = \"a/+\"\nformat = \"flespi\"", "topic = \"a/#\"\nformat = \"traccar\""];
        let router: Router = sources.iter().map(|toml| source(toml).unwrap()).collect();
        let format = |topic| router.route(topic).map(Decoder::format);
        assert_eq!(format("a/b"), Some(&Format::Flespi));
        assert_eq!(format("a/b/c"), Some(&Format::Traccar));
        assert_eq!(format("b"), None);
        assert_eq!(router.filters().map(Filter::as_str).collect::<Vec<_>>(), ["a/+", "a/#"]);
    }
}
