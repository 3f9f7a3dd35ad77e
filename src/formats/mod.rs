//! Decoders: bytes of a device or platform to [`crate::core::telemetry::Report`]. Pure.
//!
//! A payload is JSON in every format. [`layout`] walks it once and keeps the few values a format wants, without building
//! a document; the format's own file says which values those are and in what units they come.
//!
//! One rule for all: a key that is not wanted is ignored, however deep or odd its value; a wanted key that stands twice is
//! refused; `null` is the same as absent; longitudes and latitudes are handed on as they are, since whether a fix counts
//! is decided in one place, the separation detector.

use crate::core::telemetry::Report;
use crate::core::time::UnixMillis;

mod gladhand;
mod iso8601;
mod layout;
mod reject;
mod router;
mod unit;

pub use iso8601::BadTime;
pub use reject::Reject;
pub use router::{BadFilter, Filter, Router, matches};
pub use unit::{BadUnitFrom, UnitFrom};

use layout::{Layout, Picked, Slot};
use unit::Naming;

/// The largest payload that is looked at, in bytes. The broker is asked to drop larger packets.
pub const MAX_PAYLOAD: usize = 256 * 1024;

/// What a payload is written in.
#[derive(Clone, Debug, PartialEq)]
pub enum Format {
    /// gladhand's own, see `config/telemetry.schema.json`.
    Gladhand,
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

impl Decoder {
    /// A decoder. `unit` overrides where the format has its unit id.
    #[must_use]
    pub fn new(format: Format, unit: Option<UnitFrom>) -> Self {
        let (layout, usual) = match &format {
            Format::Gladhand => (Layout::fixed(gladhand::KEYS), UnitFrom::Payload),
        };
        Self { format, unit: unit.unwrap_or(usual), layout }
    }

    /// Reads one message and hands each report in it to `each`.
    ///
    /// # Errors
    /// Why the payload was refused. Where it holds several messages, the good ones are handed over all the same and the
    /// error is that of the first bad one.
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
        }
    }
}

/// Beyond this a Unix time in seconds lies in the year 5138, and one in milliseconds before it in 1973.
const SECONDS_OR_MILLIS: f64 = 1e11;

/// A required Unix time in seconds.
fn seconds(picked: &Picked<'_, '_>, slot: Slot, n: Option<f64>) -> Result<UnixMillis, Reject> {
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
        let decode = |payload: &[u8]| Decoder::new(Format::Gladhand, None).decode("t", payload, &mut |_| panic!("a report"));
        assert_eq!(decode(&[b' '; MAX_PAYLOAD + 1]), Err(Reject::TooLarge { bytes: MAX_PAYLOAD + 1 }));
        assert_eq!(decode(&[b' '; MAX_PAYLOAD]), Err(Reject::NotJson { line: 1, column: MAX_PAYLOAD }));
        assert_eq!(decode(b"{\"unit\":\"\xff\"}"), Err(Reject::NotUtf8));
        assert_eq!(decode(b""), Ok(Decoded::Ignored("an empty payload")));
    }
}
