//! Decoders: bytes of a device or platform to [`crate::core::telemetry::Report`]. Pure.
//!
//! A payload is JSON in every format. `layout` walks it once and keeps the few values a format wants, without building
//! a document; the format's own file says which values those are and in what units they come.
//!
//! One rule for all: a key that is not wanted is ignored, however deep or odd its value; a wanted key that stands twice is
//! refused; `null` is the same as absent; longitudes and latitudes are handed on as they are, since whether a fix counts
//! is decided in one place, the separation detector.

use crate::core::telemetry::Report;
use crate::core::time::UnixMillis;

mod fields;
mod flespi;
mod foreign;
mod gladhand;
pub(crate) mod iso8601;
mod layout;
mod owntracks;
mod reject;
mod router;
mod source;
mod teltonika;
mod traccar;
mod unit;

pub use fields::{FieldMap, Preset, TimeUnit};
pub use foreign::SpeedUnit;
pub use iso8601::BadTime;
pub use layout::BadPointer;
pub use reject::Reject;
pub use router::{BadFilter, Filter, Router, matches};
pub use source::{BadSource, Source};
pub use unit::{BadUnitFrom, UnitFrom};

use layout::{Layout, Picked, Slot};
use unit::Naming;

/// The largest payload that is looked at, in bytes. The broker is asked to drop larger packets.
pub const MAX_PAYLOAD: usize = 256 * 1024;

/// What a payload is written in.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a handful exist, made at start and never moved")]
pub enum Format {
    /// gladhand's own, see `config/telemetry.schema.json`.
    Gladhand,
    /// OwnTracks.
    Owntracks,
    /// Traccar's position forwarding.
    Traccar,
    /// Teltonika's Codec JSON.
    Teltonika,
    /// Messages of flespi.
    Flespi,
    /// Whatever the configuration describes.
    Fields(FieldMap),
}

/// What a payload that was understood held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// So many reports, at least one.
    Reports(usize),
    /// A message that says nothing of a place, and why: a status, a will, a cleared retained message.
    Ignored(&'static str),
}

/// One format and where the unit's id stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoder {
    format: Format,
    unit: UnitFrom,
    layout: Layout,
}

impl Default for Decoder {
    /// Of gladhand's own format.
    fn default() -> Self {
        Self { format: Format::Gladhand, unit: UnitFrom::Payload, layout: Layout::fixed(gladhand::KEYS) }
    }
}

impl Decoder {
    /// A decoder. `unit` overrides where the format has its unit id.
    ///
    /// # Errors
    /// When a field map is incomplete or a pointer in it cannot be used.
    pub fn new(format: Format, unit: Option<UnitFrom>) -> Result<Self, BadSource> {
        let (layout, usual) = match &format {
            Format::Gladhand => (Layout::fixed(gladhand::KEYS), UnitFrom::Payload),
            Format::Owntracks => (Layout::fixed(owntracks::KEYS), UnitFrom::Topic(-1)),
            Format::Traccar => (Layout::fixed(traccar::KEYS), UnitFrom::Payload),
            Format::Teltonika => (Layout::fixed(teltonika::KEYS), UnitFrom::Topic(-2)),
            Format::Flespi => (Layout::fixed(flespi::KEYS), UnitFrom::Payload),
            Format::Fields(map) => {
                let layout = Layout::new(map.wanted()?).map_err(|(field, why)| BadSource::Pointer { field, why })?;
                if map.unit.is_none() && unit.is_none() {
                    return Err(BadSource::Unit);
                }
                (layout, UnitFrom::Payload)
            }
        };
        Ok(Self { format, unit: unit.unwrap_or(usual), layout })
    }

    /// What it reads.
    #[must_use]
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// Reads one message and hands each report in it to `each`.
    ///
    /// # Errors
    /// Why the payload was refused. Where it holds several messages, the good ones are handed over all the same, and the
    /// error tells where the JSON breaks, or else of the first bad one.
    pub fn decode(&self, topic: &str, payload: &[u8], each: &mut dyn FnMut(Report)) -> Result<Decoded, Reject> {
        if payload.len() > MAX_PAYLOAD {
            return Err(Reject::TooLarge { bytes: payload.len() });
        }
        let text = core::str::from_utf8(payload).map_err(|_| Reject::NotUtf8)?;
        if text.is_empty() {
            return Ok(Decoded::Ignored("an empty payload"));
        }
        let naming = Naming { from: self.unit, topic };
        match &self.format {
            Format::Gladhand => gladhand::report(&self.layout.read(text)?, naming, each),
            Format::Owntracks => owntracks::report(&self.layout.read(text)?, naming, each),
            Format::Traccar => traccar::report(&self.layout.read(text)?, naming, each),
            Format::Teltonika => teltonika::report(&self.layout.read(text)?, naming, each),
            Format::Flespi => flespi::reports(&self.layout, text, naming, each),
            Format::Fields(map) => map.report(&self.layout.read(text)?, naming, each),
        }
    }
}

/// Beyond this a Unix time in seconds lies in the year 5138, and one in milliseconds before it in 1973.
const SECONDS_OR_MILLIS: f64 = 1e11;

/// The event time, of Unix seconds.
fn seconds(picked: &Picked<'_, '_>, n: Option<f64>) -> Result<UnixMillis, Reject> {
    let slot = Slot::Time;
    let n = n.ok_or_else(|| picked.missing(slot))?;
    if n > SECONDS_OR_MILLIS {
        return Err(Reject::TimeUnit { field: picked.name(slot), expected: "seconds", found: "milliseconds" });
    }
    (n >= 0.0).then(|| UnixMillis::from_secs_f64(n)).flatten().ok_or_else(|| picked.out_of_range(slot))
}

/// For tests of messages with one report.
#[cfg(test)]
fn decode_one(decoder: &Decoder, topic: &str, payload: &str) -> Result<Report, Reject> {
    let mut reports = Vec::new();
    let decoded = decoder.decode(topic, payload.as_bytes(), &mut |report| reports.push(report))?;
    assert_eq!(decoded, Decoded::Reports(reports.len()));
    assert_eq!(reports.len(), 1);
    Ok(reports.remove(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_looked_at_only_when_it_is_small_text() {
        let decode =
            |payload: &[u8]| Decoder::new(Format::Gladhand, None).unwrap().decode("t", payload, &mut |_| panic!("a report"));
        assert_eq!(decode(&[b' '; MAX_PAYLOAD + 1]), Err(Reject::TooLarge { bytes: MAX_PAYLOAD + 1 }));
        assert_eq!(decode(&[b' '; MAX_PAYLOAD]), Err(Reject::NotJson { line: 1, column: MAX_PAYLOAD }));
        assert_eq!(decode(b"{\"unit\":\"\xff\"}"), Err(Reject::NotUtf8));
        assert_eq!(decode(b""), Ok(Decoded::Ignored("an empty payload")));
    }
}
