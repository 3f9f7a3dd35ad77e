//! Time in the core: event and receive times are Unix milliseconds, deadlines run on a monotonic clock, and both are
//! always handed in. Nothing in the core reads a clock.

use core::time::Duration;
use core::{fmt, ops};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time, in milliseconds since the Unix epoch. On the wire it is a number of seconds, possibly fractional.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// From (fractional) Unix seconds; `None` when not finite or outside the years -9999 to 9999.
    #[must_use]
    pub fn from_secs_f64(secs: f64) -> Option<Self> {
        // 253402300800 is 10000-01-01T00:00:00Z.
        (secs.is_finite() && secs.abs() < 253_402_300_800.0).then(|| Self((secs * 1000.0).round() as i64))
    }

    /// Unix seconds with the milliseconds as fraction.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// `2026-11-21T05:48:25Z`, the seconds rounded down.
    #[must_use]
    pub fn iso8601(self) -> String {
        let secs = self.0.div_euclid(1000);
        let (days, second) = (secs.div_euclid(86_400), secs.rem_euclid(86_400));
        // Days to a date of the Gregorian calendar, in years that begin in March (H. Hinnant, chrono-compatible date
        // algorithms).
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }

    /// Milliseconds from `earlier` to `self`; negative when `self` is the earlier one.
    #[must_use]
    pub fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Seconds from `earlier` to `self`; negative when `self` is the earlier one.
    #[must_use]
    pub fn secs_since(self, earlier: Self) -> f64 {
        self.millis_since(earlier) as f64 / 1000.0
    }

    /// How long `self` lies after `earlier`; zero when it does not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.millis_since(earlier).max(0).unsigned_abs())
    }
}

impl ops::Add<Duration> for UnixMillis {
    type Output = Self;
    fn add(self, d: Duration) -> Self {
        Self(self.0.saturating_add(millis(d)))
    }
}

impl ops::Sub<Duration> for UnixMillis {
    type Output = Self;
    fn sub(self, d: Duration) -> Self {
        Self(self.0.saturating_sub(millis(d)))
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.as_secs_f64())
    }
}

impl Serialize for UnixMillis {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if self.0 % 1000 == 0 { s.serialize_i64(self.0 / 1000) } else { s.serialize_f64(self.as_secs_f64()) }
    }
}

impl<'de> Deserialize<'de> for UnixMillis {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let secs = f64::deserialize(d)?;
        Self::from_secs_f64(secs).ok_or_else(|| serde::de::Error::custom("not a Unix time in seconds"))
    }
}

fn millis(d: Duration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX)
}

/// A reading of the monotonic clock: time since the process started. Deadlines are measured with it, so that a step of
/// the wall clock moves none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mono(pub Duration);

impl ops::Add<Duration> for Mono {
    type Output = Self;
    fn add(self, d: Duration) -> Self {
        Self(self.0.saturating_add(d))
    }
}

/// What the shell knows of time when it hands something to the core.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Now {
    /// Monotonic clock.
    pub mono: Mono,
    /// Wall clock.
    pub wall: UnixMillis,
    /// False while the wall clock is known to be wrong (a gateway without a battery-backed clock before its first
    /// synchronisation). Alarms and calls wait until it is true.
    pub trusted: bool,
}

/// Durations in configuration and records, written `"120s"`, `"30m"`, `"2h"`, `"1d"` or `"250ms"`. For `#[serde(with)]`.
pub mod duration {
    use core::time::Duration;

    use serde::{Deserializer, Serializer};

    /// Reads one duration.
    ///
    /// # Errors
    /// When the text is not a whole number followed by `ms`, `s`, `m`, `h` or `d`.
    pub fn parse(text: &str) -> Result<Duration, String> {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let wrong = || format!("\"{text}\" is not a duration; write a whole number and a unit, like \"120s\", \"30m\" or \"2h\"");
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        number.checked_mul(millis).map(Duration::from_millis).ok_or_else(wrong)
    }

    /// Writes a duration in its largest whole unit.
    #[must_use]
    pub fn format(d: Duration) -> String {
        let ms = d.as_millis();
        for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
            if ms >= size && ms.is_multiple_of(size) {
                return format!("{}{unit}", ms / size);
            }
        }
        if ms == 0 { "0s".to_owned() } else { format!("{ms}ms") }
    }

    /// For `#[serde(with = "…::duration")]`.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(d: &Duration, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&format(*d))
    }

    /// For `#[serde(with = "…::duration")]`.
    ///
    /// # Errors
    /// When the value is not a string that [`parse`] reads.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Duration;
            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("a duration like \"120s\", \"30m\" or \"2h\"")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Duration, E> {
                parse(text).map_err(E::custom)
            }
        }
        d.deserialize_str(Visitor)
    }

    /// The same for a list of durations.
    pub mod list {
        use core::time::Duration;

        use serde::{Deserialize, Deserializer, Serializer};

        /// For `#[serde(with = "…::duration::list")]`.
        ///
        /// # Errors
        /// Those of the serializer.
        pub fn serialize<S: Serializer>(list: &[Duration], s: S) -> Result<S::Ok, S::Error> {
            s.collect_seq(list.iter().map(|d| super::format(*d)))
        }

        /// For `#[serde(with = "…::duration::list")]`.
        ///
        /// # Errors
        /// When an element is not a string that [`super::parse`] reads.
        pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Duration>, D::Error> {
            Vec::<String>::deserialize(d)?.iter().map(|t| super::parse(t).map_err(serde::de::Error::custom)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unix_time_keeps_milliseconds_on_the_wire() {
        let t: UnixMillis = serde_json::from_str("1763569135.25").unwrap();
        assert_eq!(t, UnixMillis(1_763_569_135_250));
        assert_eq!(serde_json::to_string(&t).unwrap(), "1763569135.25");
        assert_eq!(serde_json::to_string(&UnixMillis(5_000)).unwrap(), "5");
        assert!(UnixMillis::from_secs_f64(f64::NAN).is_none());
        assert!(UnixMillis::from_secs_f64(1e18).is_none());
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let date = |secs: i64| UnixMillis(secs * 1000 + 999).iso8601();
        assert_eq!(date(0), "1970-01-01T00:00:00Z");
        assert_eq!(date(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(date(1_795_240_105), "2026-11-21T05:48:25Z");
        assert_eq!(date(4_107_542_399), "2100-02-28T23:59:59Z");
        assert_eq!(date(4_107_542_400), "2100-03-01T00:00:00Z");
        assert_eq!(date(-1), "1969-12-31T23:59:59Z");
    }

    #[test]
    fn durations_read_what_they_write() {
        for text in ["120s", "30m", "2h", "1d", "250ms", "0s"] {
            assert_eq!(duration::parse(&duration::format(duration::parse(text).unwrap())), duration::parse(text));
        }
        for text in ["", "s", "5", "5 s", "-5s", "1.5h", "99999999999999999999d", "18446744073709551615d", "5µs"] {
            assert!(duration::parse(text).is_err(), "{text}");
        }
    }
}
