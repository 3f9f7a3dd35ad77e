//! Who pulls what, who drives, and whom to call: from `roster.toml`, overridden per tractor by retained messages.

pub mod book;
pub mod message;

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::calls::prompt::clean;
use crate::core::id::{DriverId, UnitId};
use crate::core::phone::Phone;
use crate::core::time::{UnixMillis, duration};

/// The most trailers one tractor may have (a road train has four).
pub const MAX_TRAILERS: usize = 4;

/// The longest name of a person, in characters; the rest is cut off.
pub const MAX_NAME: usize = 100;

/// One tractor's assignment. The same names in TOML (`[[assignment]]`) and in the JSON of `gladhand/assignments/<tractor>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "AssignmentFields", into = "AssignmentFields")]
pub struct Assignment {
    /// The tractor.
    pub tractor: UnitId,
    /// Its trailers, at most [`MAX_TRAILERS`], none when unassigned.
    pub trailers: Vec<UnitId>,
    /// Who drives.
    pub driver: Option<Driver>,
    /// Who is told when the driver cannot be reached, and to whom the driver may be transferred.
    pub dispatcher: Option<Dispatcher>,
    /// Event time from which it holds; the time of receipt when absent.
    pub since: Option<UnixMillis>,
}

/// A driver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Driver {
    /// The back end's id.
    pub id: DriverId,
    /// For people to read.
    #[serde(default)]
    pub name: String,
    /// Where the driver is called.
    pub phone: Phone,
}

/// A dispatcher.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dispatcher {
    /// For people to read, and spoken by the agent.
    #[serde(default)]
    pub name: String,
    /// Where the dispatcher is called.
    pub phone: Phone,
}

/// What is known of a trailer's tracker: `[[trailer]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrailerTraits {
    /// The trailer.
    pub id: UnitId,
    /// Its report interval while moving, where it differs from `separation.trailer_interval`.
    #[serde(default, with = "optional_duration", skip_serializing_if = "Option::is_none")]
    pub interval: Option<Duration>,
    /// Whether it reports when it starts to move.
    #[serde(default)]
    pub wakes_on_motion: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AssignmentFields {
    tractor: UnitId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trailer: Option<UnitId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    trailers: Vec<UnitId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    driver: Option<Driver>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dispatcher: Option<Dispatcher>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<UnixMillis>,
}

impl TryFrom<AssignmentFields> for Assignment {
    type Error = String;

    fn try_from(fields: AssignmentFields) -> Result<Self, String> {
        let AssignmentFields { tractor, trailer, trailers: named, driver, dispatcher, since } = fields;
        let mut trailers = Vec::new();
        for trailer in trailer.into_iter().chain(named) {
            if trailer == tractor {
                return Err(format!("assignment of {tractor}: a tractor is not its own trailer"));
            }
            if trailers.contains(&trailer) {
                continue;
            }
            if trailers.len() == MAX_TRAILERS {
                return Err(format!("assignment of {tractor}: at most {MAX_TRAILERS} trailers"));
            }
            trailers.push(trailer);
        }
        trailers.shrink_to_fit();
        let driver = driver.map(|driver| Driver { name: clean(&driver.name, MAX_NAME), ..driver });
        let dispatcher = dispatcher.map(|dispatcher| Dispatcher { name: clean(&dispatcher.name, MAX_NAME), ..dispatcher });
        Ok(Self { tractor, trailers, driver, dispatcher, since })
    }
}

impl From<Assignment> for AssignmentFields {
    fn from(a: Assignment) -> Self {
        Self {
            tractor: a.tractor,
            trailer: None,
            trailers: a.trailers,
            driver: a.driver,
            dispatcher: a.dispatcher,
            since: a.since,
        }
    }
}

mod optional_duration {
    use super::{Duration, duration};
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(d: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
        match d {
            Some(d) => duration::serialize(d, s),
            None => s.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
        duration::deserialize(d).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_reads_one_trailer_several_or_none() {
        let read = |json: &str| serde_json::from_str::<Assignment>(json);
        let one = read(r#"{"tractor":"T-1","trailer":"R-1","driver":{"id":"D1","name":"N","phone":"+12125550123"},"since":5.5}"#)
            .unwrap();
        assert_eq!(one.trailers.len(), 1);
        assert_eq!(one.since, Some(UnixMillis(5_500)));
        assert_eq!(read(&serde_json::to_string(&one).unwrap()).unwrap(), one);
        assert_eq!(read(r#"{"tractor":"T-1","trailers":["R-1","R-2","R-1"]}"#).unwrap().trailers.len(), 2);
        assert!(read(r#"{"tractor":"T-1","trailer":null}"#).unwrap().trailers.is_empty());
        assert!(read(r#"{"tractor":"T-1","trailers":["T-1"]}"#).unwrap_err().to_string().contains("own trailer"));
        assert!(read(r#"{"tractor":"T-1","trailers":["1","2","3","4","5"]}"#).unwrap_err().to_string().contains("at most 4"));
    }
}
