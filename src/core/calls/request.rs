//! The `BatchCallRequest` of the fleet back end that gladhand replaces: how it is read, what of it is refused and why.
//!
//! It is read as leniently as that back end read it: unknown fields are ignored, texts may come as numbers, what is
//! informative may be absent or null. Strict is what decides whom the telephone rings for: the driver's id and number.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::error::Category;

use super::prompt;
use crate::core::id::DriverId;
use crate::core::phone::Phone;

/// The largest payload that is read, in bytes: what one stored record may hold.
pub const MAX_PAYLOAD: usize = 64 * 1024;
/// The most violations of a driver that are kept; a prompt of 2,000 characters has no room for more.
pub const MAX_DETAILS: usize = 50;
/// Longest name, type and id that is kept, in characters; the rest is cut off.
const MAX_NAME: usize = 100;
/// Longest description and longest list of custom rules that is kept, in characters; the rest is cut off.
const MAX_TEXT: usize = 1_000;

/// The request as it is on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchCallRequest {
    /// What the back end calls this kind of call. Informative.
    #[serde(rename = "callType", default)]
    pub call_type: Option<Text>,
    /// When the back end made it. Informative: age counts from receipt.
    #[serde(default)]
    pub timestamp: Option<Text>,
    /// Only the first is called.
    pub drivers: Vec<DriverData>,
    /// The trip that all this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trip_id: Option<Text>,
    /// Who asked, in the back end's numbering. Informative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<Text>,
    /// How many attempts went before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_count: Option<u32>,
    /// The attempt before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_call_sid: Option<Text>,
}

/// One driver of a [`BatchCallRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriverData {
    /// The back end's id.
    pub driver_id: Text,
    /// For people to read.
    #[serde(default)]
    pub driver_name: Option<Text>,
    /// Where the driver is called.
    pub phone_number: Text,
    /// What the call is about.
    #[serde(default)]
    pub violations: Option<Violations>,
    /// What the agent is to mind in this call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_rules: Option<Rules>,
}

/// See [`DriverData::violations`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Violations {
    /// The trip in which they happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trip_id: Option<Text>,
    /// One by one.
    #[serde(default)]
    pub violation_details: Option<Vec<ViolationDetail>>,
}

/// One violation or reminder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViolationDetail {
    /// The back end's name for it, such as `TRAILER_SEPARATION` or `FUEL_REMINDER`.
    #[serde(rename = "type", default)]
    pub kind: Option<Text>,
    /// In words.
    #[serde(default)]
    pub description: Option<Text>,
}

/// See [`DriverData::custom_rules`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Rules {
    /// As one text.
    One(Text),
    /// As a list.
    Many(Vec<Text>),
}

/// A text that may also come as a whole number: back ends are not of one mind about ids.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Text(pub String);

/// A request that can be acted upon. It is stored, hence the serialisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Who is called.
    pub driver_id: DriverId,
    /// For people to read; may be empty.
    pub driver_name: String,
    /// Where.
    pub phone: Phone,
    /// What about; at most [`MAX_DETAILS`].
    pub details: Vec<Detail>,
    /// What the agent is to mind; may be empty.
    pub custom_rules: String,
    /// The trip, when named for the driver's violations or for the whole request.
    pub trip_id: Option<String>,
    /// How many attempts went before this one.
    pub retry_count: u32,
    /// The attempt before this one, as the back end names it.
    pub parent_call_sid: Option<String>,
    fingerprint: String,
    triggers_count: usize,
}

/// One thing to talk about. Trimmed, cut to length, without control characters and braces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// The back end's name for it; may be empty.
    pub kind: String,
    /// In words; may be empty.
    pub description: String,
}

/// Why a request is refused. Names the field and never repeats what stood in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// 400: nobody to call. 413: too large. 422: unreadable, or a field that cannot be used.
    pub status: u16,
    /// In words.
    pub message: String,
}

impl Request {
    /// The same for the same payload, in every version: 32 hexadecimal digits of the 128-bit FNV-1a hash of its bytes.
    /// A redelivered request is known by it; it does not stand up to somebody who looks for collisions, and who may
    /// publish requests need not.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// How many violations the back end named, 1 at least.
    #[must_use]
    pub const fn triggers_count(&self) -> usize {
        self.triggers_count
    }
}

/// Reads a `BatchCallRequest`. Numbers without `+` are read as those of `default_country`. Only the first driver counts.
///
/// # Errors
/// When nobody could be called because of it: see [`Refusal`].
pub fn accept(payload: &[u8], default_country: &str) -> Result<Request, Refusal> {
    let request = read(payload)?;
    let Some(driver) = request.drivers.into_iter().next() else {
        return Err(Refusal { status: 400, message: "No driver data provided".to_owned() });
    };
    let driver_id = DriverId::new(&driver.driver_id.0).map_err(|why| unusable("drivers[0].driverId", &why))?;
    let phone = Phone::parse(&driver.phone_number.0, default_country).map_err(|why| unusable("drivers[0].phoneNumber", &why))?;
    let violations = driver.violations.unwrap_or_default();
    let details = violations.violation_details.unwrap_or_default();
    let text = |text: Option<Text>, max| text.map(|t| prompt::clean(&t.0, max)).unwrap_or_default();
    let optional = |t| Some(text(t, MAX_NAME)).filter(|t| !t.is_empty());
    Ok(Request {
        driver_id,
        driver_name: text(driver.driver_name, MAX_NAME),
        phone,
        triggers_count: details.len().max(1),
        details: details
            .into_iter()
            .take(MAX_DETAILS)
            .map(|d| Detail { kind: text(d.kind, MAX_NAME), description: text(d.description, MAX_TEXT) })
            .collect(),
        custom_rules: text(driver.custom_rules.map(Rules::joined), MAX_TEXT),
        trip_id: optional(violations.trip_id).or_else(|| optional(request.trip_id)),
        retry_count: request.retry_count.unwrap_or(0),
        parent_call_sid: optional(request.parent_call_sid),
        fingerprint: format!("{:032x}", fnv1a(payload)),
    })
}

fn read(payload: &[u8]) -> Result<BatchCallRequest, Refusal> {
    let refuse = |status, message| Refusal { status, message };
    if payload.len() > MAX_PAYLOAD {
        return Err(refuse(413, format!("the request is larger than {MAX_PAYLOAD} bytes")));
    }
    let mut json = serde_json::Deserializer::from_slice(payload);
    serde_path_to_error::deserialize(&mut json)
        .map_err(|error| {
            // What serde says of a wrong type repeats the value, which may be the telephone number.
            let (path, inner) = (error.path().to_string(), error.inner());
            let said = inner.to_string();
            let what = match inner.classify() {
                Category::Data if said.starts_with("missing field") || said.starts_with("duplicate field") => {
                    said.split(" at line ").next().unwrap_or_default().to_owned()
                }
                Category::Data => "has the wrong type".to_owned(),
                Category::Syntax | Category::Eof | Category::Io => {
                    return refuse(422, format!("not JSON (line {}, column {})", inner.line(), inner.column()));
                }
            };
            refuse(422, if path == "." { what } else { format!("{path}: {what}") })
        })
        .and_then(|request| {
            json.end().map(|()| request).map_err(|_| refuse(422, "not JSON: something follows the object".to_owned()))
        })
}

fn unusable(field: &str, why: &dyn fmt::Display) -> Refusal {
    Refusal { status: 422, message: format!("{field} {why}") }
}

/// 128-bit FNV-1a with the parameters of draft-eastlake-fnv.
fn fnv1a(bytes: &[u8]) -> u128 {
    const OFFSET_BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(OFFSET_BASIS, |hash, byte| (hash ^ u128::from(*byte)).wrapping_mul(PRIME))
}

impl Rules {
    fn joined(self) -> Text {
        match self {
            Self::One(text) => text,
            Self::Many(list) => Text(list.into_iter().map(|t| t.0).collect::<Vec<_>>().join(" ")),
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// Shows only how long it is: it may be a telephone number.
impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Text;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a whole number")
            }
            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text(text.to_owned()))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Text, E> {
                Ok(Text(number.to_string()))
            }
        }
        d.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = r#"{"callType":"violation","timestamp":"2025-11-19T10:00:00Z","trip_id":"TR-9","user_id":7,
        "retry_count":1,"parent_call_sid":"EL_DR001_0","something_new":{"a":[1]},
        "drivers":[{"driverId":"DR001","driverName":" Jane\nDoe ","phoneNumber":"(212) 555-0123","customRules":"Be {{brief}}",
        "violations":{"tripId":"TR-1","violationDetails":[{"type":"TRAILER_SEPARATION","description":"apart"},
        {"type":"FUEL_REMINDER","description":null}]}},{"driverId":"DR002","phoneNumber":"no number"}]}"#;

    fn refused(payload: &str) -> (u16, String) {
        let refusal = accept(payload.as_bytes(), "US").unwrap_err();
        (refusal.status, refusal.message)
    }

    #[test]
    fn the_first_driver_of_a_request_is_taken_whole() {
        let request = accept(FULL.as_bytes(), "US").unwrap();
        assert_eq!(request.driver_id.as_str(), "DR001");
        assert_eq!(request.driver_name, "Jane Doe");
        assert_eq!(request.phone.expose(), "+12125550123");
        assert_eq!(request.details.len(), 2);
        assert_eq!(request.details[0], Detail { kind: "TRAILER_SEPARATION".into(), description: "apart".into() });
        assert_eq!(request.details[1].description, "");
        assert_eq!(request.custom_rules, "Be ((brief))");
        assert_eq!(request.trip_id.as_deref(), Some("TR-1"));
        assert_eq!((request.retry_count, request.parent_call_sid.as_deref()), (1, Some("EL_DR001_0")));
        assert_eq!(request.triggers_count(), 2);
        let stored: Request = serde_json::from_str(&serde_json::to_string(&request).unwrap()).unwrap();
        assert_eq!(stored, request);
    }

    #[test]
    fn numbers_serve_as_texts_and_what_is_informative_may_be_absent() {
        let request = accept(
            br#"{"drivers":[{"driverId":17,"phoneNumber":12125550123,"customRules":["One.",2]}],"trip_id":4,"user_id":null}"#,
            "US",
        )
        .unwrap();
        assert_eq!(request.driver_id.as_str(), "17");
        assert_eq!(request.phone.expose(), "+12125550123");
        assert_eq!(request.custom_rules, "One. 2");
        assert_eq!(request.trip_id.as_deref(), Some("4"));
        assert_eq!(request.triggers_count(), 1);
        let slashes = accept(br#"{"drivers":[{"driverId":"DR/7 #2","phoneNumber":"+923282828885"}]}"#, "US").unwrap();
        assert_eq!((slashes.driver_id.as_str(), slashes.phone.expose()), ("DR/7 #2", "+923282828885"));
    }

    #[test]
    fn a_refusal_names_the_field_and_keeps_the_number_to_itself() {
        assert_eq!(refused(r#"{"callType":"x","timestamp":"y","drivers":[]}"#), (400, "No driver data provided".into()));
        for (payload, message) in [
            ("", "not JSON (line 1, column 0)"),
            ("{\"drivers\":[}", "not JSON (line 1, column 13)"),
            (r#"{"drivers":[]} {}"#, "not JSON: something follows the object"),
            ("{}", "missing field `drivers`"),
            (r#"{"drivers":"+12125550123"}"#, "drivers: has the wrong type"),
            (r#"{"drivers":[{"driverId":"D"}]}"#, "drivers[0]: missing field `phoneNumber`"),
            (r#"{"drivers":[{"driverId":"D","phoneNumber":["+12125550123"]}]}"#, "drivers[0].phoneNumber: has the wrong type"),
            (
                r#"{"drivers":[{"driverId":"D","phoneNumber":"+12125550123x9"}]}"#,
                "drivers[0].phoneNumber contains something other than digits, spaces and the marks ( ) - . after an optional \
                 leading +",
            ),
            (r#"{"drivers":[{"driverId":" ","phoneNumber":"+12125550123"}]}"#, "drivers[0].driverId is empty"),
            (
                r#"{"drivers":[{"driverId":"D","phoneNumber":"+12125550123","violations":{"violationDetails":["+12125550123"]}}]}"#,
                "drivers[0].violations.violationDetails[0]: has the wrong type",
            ),
            (r#"{"drivers":[],"retry_count":-1}"#, "retry_count: has the wrong type"),
        ] {
            let (status, said) = refused(payload);
            assert_eq!((status, said.as_str()), (422, message), "{payload}");
            assert!(!said.contains("555"), "{said}");
        }
    }

    #[test]
    fn a_request_is_bounded_whatever_it_brings() {
        let at_the_limit = format!("{{\"drivers\":[]{}}}", " ".repeat(MAX_PAYLOAD - 14));
        assert_eq!(refused(&at_the_limit).0, 400);
        assert_eq!(refused(&format!("{at_the_limit} ")).0, 413);
        let detail = format!(r#"{{"type":"T","description":"{}"}},"#, "é".repeat(1_200)).repeat(10);
        let many = r#"{"type":"T"},"#.repeat(60);
        let request = format!(
            r#"{{"drivers":[{{"driverId":"D","phoneNumber":"+12125550123","violations":{{"violationDetails":[{detail}{many}{{}}]}}}}]}}"#
        );
        let request = accept(request.as_bytes(), "US").unwrap();
        assert_eq!((request.details.len(), request.triggers_count()), (MAX_DETAILS, 71));
        assert_eq!(request.details[0].description.chars().count(), MAX_TEXT);
        let deep = format!("{{\"drivers\":{}", "[".repeat(60_000));
        assert_eq!(refused(&deep).0, 422);
    }

    #[test]
    fn the_fingerprint_is_that_of_the_published_vectors() {
        assert_eq!(fnv1a(b""), 0x6c62272e07bb014262b821756295c58d);
        assert_eq!(fnv1a(b"a"), 0xd228cb696f1a8caf78912b704e4a8964);
        let (one, same) = (accept(FULL.as_bytes(), "US").unwrap(), accept(FULL.as_bytes(), "US").unwrap());
        let other = accept(format!("{FULL} ").as_bytes(), "US").unwrap();
        assert_eq!(one.fingerprint(), same.fingerprint());
        assert_ne!(one.fingerprint(), other.fingerprint());
    }
}
