//! Quiet hours: when drivers are not called. The dispatcher is called at any hour.

use core::fmt;

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

use crate::core::separation::ViolationKind;
use crate::core::time::UnixMillis;

/// One of `[[calls.quiet_hours]]`: every day, or on the days named, from one time of the day to another, in one time zone.
/// The rules of the time zones are those of the release, not of the machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct QuietHours {
    from: TimeOfDay,
    to: TimeOfDay,
    zone: TimeZone,
    zone_name: String,
    days: Vec<Day>,
    except: Vec<ViolationKind>,
}

impl QuietHours {
    /// Why a call to a driver about this is not placed now; `None` when it may be. A request is a `kind` of `None`.
    #[must_use]
    pub fn holds(&self, kind: Option<ViolationKind>, now: UnixMillis) -> Option<String> {
        if kind.is_some_and(|kind| self.except.contains(&kind)) {
            return None;
        }
        let local = Timestamp::from_millisecond(now.0).ok()?.to_zoned(self.zone.clone());
        let time = TimeOfDay { hour: local.hour(), minute: local.minute() };
        let begins_on = |day: Weekday| self.days.is_empty() || self.days.iter().any(|named| named.weekday() == day);
        let (today, yesterday) = (local.weekday(), local.weekday().previous());
        let quiet = if self.from < self.to {
            begins_on(today) && (self.from..self.to).contains(&time)
        } else {
            (begins_on(today) && time >= self.from) || (begins_on(yesterday) && time < self.to)
        };
        quiet.then(|| format!("quiet hours until {} ({})", self.to, self.zone_name))
    }
}

/// As it is written in the configuration.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    from: String,
    to: String,
    time_zone: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    days: Vec<Day>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    except: Vec<ViolationKind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct TimeOfDay {
    hour: i8,
    minute: i8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Day {
    const fn weekday(self) -> Weekday {
        match self {
            Self::Mon => Weekday::Monday,
            Self::Tue => Weekday::Tuesday,
            Self::Wed => Weekday::Wednesday,
            Self::Thu => Weekday::Thursday,
            Self::Fri => Weekday::Friday,
            Self::Sat => Weekday::Saturday,
            Self::Sun => Weekday::Sunday,
        }
    }
}

impl TimeOfDay {
    fn read(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is not a time of day; write it like \"22:00\"");
        let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
        let number = |digits: &str, most: i8| {
            let two = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
            digits.parse::<i8>().ok().filter(|n| two && *n <= most)
        };
        Ok(Self { hour: number(hour, 23).ok_or_else(wrong)?, minute: number(minute, 59).ok_or_else(wrong)? })
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)
    }
}

impl TryFrom<Fields> for QuietHours {
    type Error = String;

    fn try_from(fields: Fields) -> Result<Self, String> {
        let (from, to) = (TimeOfDay::read(&fields.from)?, TimeOfDay::read(&fields.to)?);
        if from == to {
            return Err(format!("from and to are both {from}: no time of the day would be left, or none quiet"));
        }
        let zone = TimeZoneDatabase::bundled()
            .get(&fields.time_zone)
            .map_err(|_| format!("\"{}\" is not a time zone; write its IANA name, like \"America/Chicago\"", fields.time_zone))?;
        Ok(Self { from, to, zone, zone_name: fields.time_zone, days: fields.days, except: fields.except })
    }
}

impl From<QuietHours> for Fields {
    fn from(quiet: QuietHours) -> Self {
        let QuietHours { from, to, zone: _, zone_name, days, except } = quiet;
        Self { from: from.to_string(), to: to.to_string(), time_zone: zone_name, days, except }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str) -> Result<QuietHours, String> {
        toml::from_str(toml).map_err(|why| why.to_string())
    }

    fn at(text: &str) -> UnixMillis {
        UnixMillis(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn the_night_of_a_time_zone_is_quiet_also_when_its_clocks_are_changed() {
        let night = read("from = '22:00'\nto = '06:00'\ntime_zone = 'America/Chicago'").unwrap();
        let quiet = |text| night.holds(Some(ViolationKind::LeftBehind), at(text)).is_some();
        for (time, expected) in [
            ("2026-01-15T03:59:59Z", false), // 21:59:59, winter
            ("2026-01-15T04:00:00Z", true),
            ("2026-01-15T11:59:59Z", true),
            ("2026-01-15T12:00:00Z", false),
            ("2026-07-15T03:00:00Z", true), // 22:00, summer
            ("2026-07-15T11:00:00Z", false),
            ("2026-03-08T08:30:00Z", true), // the hour that is left out
            ("2026-11-01T07:30:00Z", true), // the hour that comes twice
        ] {
            assert_eq!(quiet(time), expected, "{time}");
        }
        assert_eq!(night.holds(None, at("2026-01-15T04:00:00Z")).unwrap(), "quiet hours until 06:00 (America/Chicago)");
    }

    #[test]
    fn days_are_those_on_which_it_begins_and_kinds_may_be_excepted() {
        let friday =
            read("from = '22:00'\nto = '06:00'\ntime_zone = 'UTC'\ndays = ['fri']\nexcept = ['trailer_moving_alone']").unwrap();
        let quiet = |kind, text| friday.holds(Some(kind), at(text)).is_some();
        let left = ViolationKind::LeftBehind;
        assert!(!quiet(left, "2026-11-20T05:00:00Z"), "Friday morning belongs to Thursday's night");
        assert!(quiet(left, "2026-11-20T23:00:00Z"));
        assert!(quiet(left, "2026-11-21T05:59:00Z"));
        assert!(!quiet(left, "2026-11-21T23:00:00Z"));
        assert!(!quiet(ViolationKind::TrailerMovingAlone, "2026-11-20T23:00:00Z"));
        let noon = read("from = '12:00'\nto = '13:00'\ntime_zone = 'UTC'").unwrap();
        assert!(noon.holds(None, at("2026-11-20T12:59:00Z")).is_some());
        assert!(noon.holds(None, at("2026-11-20T13:00:00Z")).is_none());
    }

    #[test]
    fn what_is_no_time_day_or_zone_is_refused_in_words() {
        for (toml, words) in [
            ("time_zone = 'UTC'\nfrom = '22'\nto = '06:00'", "\"22\" is not a time of day"),
            ("time_zone = 'UTC'\nfrom = '22:00'\nto = '24:00'", "\"24:00\" is not a time of day"),
            ("time_zone = 'UTC'\nfrom = '2:00'\nto = '06:00'", "\"2:00\" is not a time of day"),
            ("time_zone = 'UTC'\nfrom = '22:00'\nto = '22:00'", "both 22:00"),
            ("from = '22:00'\nto = '06:00'", "missing field `time_zone`"),
            ("from = '22:00'\nto = '06:00'\ntime_zone = 'Chicago'", "\"Chicago\" is not a time zone"),
            ("time_zone = 'UTC'\nfrom = '22:00'\nto = '06:00'\ndays = ['Friday']", "unknown variant"),
            ("time_zone = 'UTC'\nfrom = '22:00'\nto = '06:00'\nzone = 'UTC'", "unknown field"),
        ] {
            let why = read(toml).unwrap_err();
            assert!(why.contains(words), "{toml}: {why}");
        }
        let night = read("from = '22:00'\nto = '06:00'\ntime_zone = 'UTC'\ndays = ['fri']").unwrap();
        assert_eq!(read(&toml::to_string(&night).unwrap()).unwrap(), night);
    }
}
