//! Fixes as one short text. sled holds the records of a whole fleet in memory, and most of each is fixes: as lists of numbers
//! they take three times as much.
//!
//! Base64 of the differences of each fix to the one before it, the first to nothing: event time in milliseconds, latitude and
//! longitude in 1e-7 degrees, and the codes of position error, speed and clock, as [`Fix`] holds them. Each is written in groups
//! of seven bits, the lowest first, all but the last marked in the highest bit, of its double (of less than nothing: of minus its
//! double, minus one).

use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use heapless::Vec;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::ser::Serializer;

use super::history::{Fields, Fix};

pub(super) fn serialize<S: Serializer, const N: usize>(fixes: &Vec<Fix, N>, to: S) -> Result<S::Ok, S::Error> {
    let mut bytes = std::vec::Vec::with_capacity(N * 16);
    let mut before = Fields::default();
    for fix in fixes {
        let fields = fix.fields();
        for (field, before) in fields.iter().zip(before) {
            put(&mut bytes, field - before);
        }
        before = fields;
    }
    to.serialize_str(&STANDARD_NO_PAD.encode(bytes))
}

/// Reads the lists of numbers of the first schema as well.
pub(super) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(from: D) -> Result<Vec<Fix, N>, D::Error> {
    from.deserialize_any(Fixes::<N>)
}

struct Fixes<const N: usize>;

impl<'de, const N: usize> Visitor<'de> for Fixes<N> {
    type Value = Vec<Fix, N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {N} fixes")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        let bytes = STANDARD_NO_PAD.decode(text).map_err(E::custom)?;
        let mut rest = bytes.as_slice();
        let (mut fixes, mut fields) = (Vec::new(), Fields::default());
        while !rest.is_empty() {
            for field in &mut fields {
                let sum = take(&mut rest).and_then(|difference| field.checked_add(difference));
                *field = sum.ok_or_else(|| E::custom("a fix is cut off"))?;
            }
            let fix = Fix::from_fields(fields).ok_or_else(|| E::custom("a fix is out of range"))?;
            fixes.push(fix).map_err(|_| E::invalid_length(N + 1, &self))?;
        }
        Ok(fixes)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut fixes = Vec::new();
        while let Some(first) = list.next_element()? {
            fixes.push(Fix::from_first(first)).map_err(|_| A::Error::invalid_length(N + 1, &self))?;
        }
        Ok(fixes)
    }
}

fn put(bytes: &mut std::vec::Vec<u8>, number: i64) {
    let mut rest = (number << 1 ^ number >> 63) as u64;
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

fn take(bytes: &mut &[u8]) -> Option<i64> {
    let mut doubled = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        doubled |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((doubled >> 1) as i64 ^ -((doubled & 1) as i64));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::core::geo::Position;
    use crate::core::time::UnixMillis;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Kept(#[serde(with = "super")] Vec<Fix, 4>);

    fn fix() -> impl Strategy<Value = Fix> {
        let place = (-90.0..90.0, -180.0..180.0);
        let speed = prop::option::of(0.0..300.0);
        (0..i64::from(u32::MAX) * 1000, place, 5.0..500.0, speed, any::<Option<bool>>(), any::<u16>()).prop_map(
            |(at, (lat, lon), sigma, speed, moving, clock)| {
                Fix::new(UnixMillis(at), Position { lat, lon }, sigma, speed, moving, clock)
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(fixes in prop::collection::vec(fix(), 0..=4)) {
            let kept = Kept(fixes.into_iter().collect());
            prop_assert_eq!(serde_json::from_str::<Kept>(&serde_json::to_string(&kept).unwrap()).unwrap(), kept);
        }

        #[test]
        fn nothing_else_panics(text in "[A-Za-z0-9+/]{0,60}") {
            let _ = serde_json::from_value::<Kept>(serde_json::Value::String(text));
        }
    }

    #[test]
    fn the_lists_of_the_first_schema_are_read() {
        let lists = "[[1763569135,250,80,275306000,-994803000,65535,2],[1763569160,0,125,275306100,-994803900,65534,600],\
                     [1763569170,0,50,275306100,-994803900,1520,2]]";
        let kept: Kept = serde_json::from_str(lists).unwrap();
        assert_eq!(
            kept.0[0],
            Fix::new(UnixMillis(1_763_569_135_250), Position { lat: 27.5306, lon: -99.4803 }, 8.0, None, None, 2)
        );
        let other = |at, sigma, speed, moving, clock| {
            Fix::new(UnixMillis(at), Position { lat: 27.53061, lon: -99.48039 }, sigma, speed, moving, clock)
        };
        assert_eq!(kept.0[1], other(1_763_569_160_000, 12.5, None, Some(true), 600));
        assert_eq!(kept.0[2], other(1_763_569_170_000, 5.0, Some(15.2), None, 2));
        assert_eq!(serde_json::from_str::<Kept>(&serde_json::to_string(&kept).unwrap()).unwrap(), kept);
    }

    #[test]
    fn what_is_no_fix_is_refused() {
        for wrong in
            ["\"AAAA\"", "\"?\"", "\"gICAgICAgICAgIA\"", "[[1,2,3]]", "[[-1,0,0,0,0,0,0]]", "[[0,0,0,3000000000,0,0,0]]", "7"]
        {
            assert!(serde_json::from_str::<Kept>(wrong).is_err(), "{wrong}");
        }
        let five = format!("[{}]", ["[0,0,0,0,0,0,0]"; 5].join(","));
        assert!(serde_json::from_str::<Kept>(&five).unwrap_err().to_string().contains("at most 4 fixes"));
    }
}
