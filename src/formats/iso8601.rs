//! RFC 3339 date-times, the profile of ISO 8601 that trackers and platforms write.

use crate::core::time::UnixMillis;

/// Why a text is not a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTime {
    /// Not of the form `2024-05-20T14:30:00.000+00:00`.
    #[error("is not a time like 2024-05-20T14:30:00Z")]
    Shape,
    /// Of that form, but there is no such day, time or offset.
    #[error("is a time that does not exist")]
    NoSuchTime,
    /// Local time of an unknown place.
    #[error("has no offset from UTC")]
    NoOffset,
}

/// Reads `YYYY-MM-DDThh:mm:ss[.fraction]offset`. The `T` may be lower case or a space, the fraction of any length (cut to
/// milliseconds), the offset `Z`, `z`, `±hh:mm` or `±hhmm`. Second 60 is the first of the next minute, as in Unix time.
///
/// # Errors
/// When the text has another form, no offset, or names a time that does not exist.
pub fn parse(text: &str) -> Result<UnixMillis, BadTime> {
    let mut rest = Rest(text.as_bytes());
    let year = rest.number(4)?;
    rest.one_of(b"-")?;
    let month = rest.number(2)?;
    rest.one_of(b"-")?;
    let day = rest.number(2)?;
    rest.one_of(b"Tt ")?;
    let hour = rest.number(2)?;
    rest.one_of(b":")?;
    let minute = rest.number(2)?;
    rest.one_of(b":")?;
    let second = rest.number(2)?;
    let millis = rest.fraction()?;
    let offset_minutes = rest.offset()?;
    if !rest.0.is_empty() {
        return Err(BadTime::Shape);
    }
    if day < 1 || day > days_in(year, month) || hour > 23 || minute > 59 || second > 60 {
        return Err(BadTime::NoSuchTime);
    }
    let minutes = (days_before(year, month) + day - 1) * 1440 + hour * 60 + minute - offset_minutes;
    Ok(UnixMillis((minutes * 60 + second) * 1000 + millis))
}

/// Writes `YYYY-MM-DDThh:mm:ss.mmm±hh:mm` at so many minutes from UTC. Days to date after Howard Hinnant's `civil_from_days`.
#[must_use]
pub fn write(at: UnixMillis, offset_minutes: i64) -> String {
    let local = at.0 + offset_minutes * 60_000;
    let (days, millis) = (local.div_euclid(86_400_000) + 719_468, local.rem_euclid(86_400_000));
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let (day, month) = (day_of_year - (153 * shifted + 2) / 5 + 1, if shifted < 10 { shifted + 3 } else { shifted - 9 });
    let year = year_of_era + days.div_euclid(146_097) * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1000 % 60);
    let (sign, offset) = (if offset_minutes < 0 { '-' } else { '+' }, offset_minutes.abs());
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}{sign}{:02}:{:02}",
        millis % 1000,
        offset / 60,
        offset % 60
    )
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn one_of(&mut self, allowed: &[u8]) -> Result<u8, BadTime> {
        self.take().filter(|c| allowed.contains(c)).ok_or(BadTime::Shape)
    }

    fn number(&mut self, digits: u32) -> Result<i64, BadTime> {
        (0..digits).try_fold(0, |n, _| Ok(n * 10 + i64::from(self.one_of(b"0123456789")? - b'0')))
    }

    /// Milliseconds.
    fn fraction(&mut self) -> Result<i64, BadTime> {
        let Some((b'.' | b',', digits)) = self.0.split_first() else { return Ok(0) };
        let length = digits.iter().take_while(|c| c.is_ascii_digit()).count();
        if length == 0 {
            return Err(BadTime::Shape);
        }
        let (digits, rest) = digits.split_at(length);
        self.0 = rest;
        Ok(digits.iter().chain(b"00").take(3).fold(0, |n, c| n * 10 + i64::from(c - b'0')))
    }

    /// Minutes east of UTC.
    fn offset(&mut self) -> Result<i64, BadTime> {
        let sign = match self.take() {
            Some(b'Z' | b'z') => return Ok(0),
            Some(b'+') => 1,
            Some(b'-') => -1,
            Some(_) => return Err(BadTime::Shape),
            None => return Err(BadTime::NoOffset),
        };
        let hours = self.number(2)?;
        if self.0.first() == Some(&b':') {
            self.take();
        }
        let minutes = self.number(2)?;
        if hours > 23 || minutes > 59 { Err(BadTime::NoSuchTime) } else { Ok(sign * (hours * 60 + minutes)) }
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Zero for a month that does not exist.
fn days_in(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap(year)),
        1..=12 => 31,
        _ => 0,
    }
}

/// Days from 1970-01-01 to the first of a month of the Gregorian calendar, extended back to year 0.
fn days_before(year: i64, month: i64) -> i64 {
    let past = year - 1;
    let leap_days = past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400);
    let months: i64 = (1..month).map(|m| days_in(year, m)).sum();
    // 719162 days lie between 0001-01-01 and 1970-01-01.
    past * 365 + leap_days + months - 719_162
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_form_platforms_write() {
        // Seconds as GNU date prints them: date -u -d … +%s
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2024-05-20T14:29:55.000+00:00", 1_716_215_395_000),
            ("2024-05-20T14:29:55+0000", 1_716_215_395_000),
            ("2024-05-20t14:29:55z", 1_716_215_395_000),
            ("2024-05-20 14:29:55-00:00", 1_716_215_395_000),
            ("2024-05-20T16:29:55+02:00", 1_716_215_395_000),
            ("2024-05-20T08:59:55.5-05:30", 1_716_215_395_500),
            ("2020-10-15T05:30:47+00:00", 1_602_739_847_000),
            ("2024-02-29T23:59:59.999999999Z", 1_709_251_199_999),
            ("2000-02-29T00:00:00,25Z", 951_782_400_250),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
            ("1969-12-31T23:59:59.9Z", -100),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000),
            ("9999-12-31T23:59:59Z", 253_402_300_799_000),
            // Either side of the hour that Berlin repeats when summer time ends.
            ("2024-10-27T02:30:00+02:00", 1_729_989_000_000),
            ("2024-10-27T02:30:00+01:00", 1_729_992_600_000),
        ] {
            assert_eq!(parse(text), Ok(UnixMillis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_with_the_reason() {
        for (text, why) in [
            ("", BadTime::Shape),
            ("2024-05-20", BadTime::Shape),
            ("2024-05-20T14:29Z", BadTime::Shape),
            ("20240520T142955Z", BadTime::Shape),
            ("2024-05-20T14:29:55.Z", BadTime::Shape),
            ("2024-05-20T14:29:55Z ", BadTime::Shape),
            ("2024-05-20T14:29:55 UTC", BadTime::Shape),
            ("2024-05-20T14:29:55+00", BadTime::Shape),
            ("2024-05-20T14:29:55+0:00", BadTime::Shape),
            ("+024-05-20T14:29:55Z", BadTime::Shape),
            ("２024-05-20T14:29:55Z", BadTime::Shape),
            ("2024-05-20T14:29:55", BadTime::NoOffset),
            ("2024-05-20T14:29:55.123", BadTime::NoOffset),
            ("2023-02-29T00:00:00Z", BadTime::NoSuchTime),
            ("1900-02-29T00:00:00Z", BadTime::NoSuchTime),
            ("2024-13-01T00:00:00Z", BadTime::NoSuchTime),
            ("2024-00-01T00:00:00Z", BadTime::NoSuchTime),
            ("2024-04-31T00:00:00Z", BadTime::NoSuchTime),
            ("2024-05-00T00:00:00Z", BadTime::NoSuchTime),
            ("2024-05-20T24:00:00Z", BadTime::NoSuchTime),
            ("2024-05-20T14:60:00Z", BadTime::NoSuchTime),
            ("2024-05-20T14:29:61Z", BadTime::NoSuchTime),
            ("2024-05-20T14:29:55+24:00", BadTime::NoSuchTime),
        ] {
            assert_eq!(parse(text), Err(why), "{text}");
        }
    }
}
