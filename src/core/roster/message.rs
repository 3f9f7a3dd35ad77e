//! What `{prefix}/assignments/<tractor>` and `{prefix}/zones` say.

use super::Assignment;
use crate::core::id::UnitId;
use crate::core::zone::Zone;

/// The longest list of zones, in bytes: it is one record of the store, which takes 64 KiB.
const MAX_ZONES: usize = 48 * 1024;

/// The assignment of the tractor that the topic names; an empty payload is none at all.
///
/// # Errors
/// What is wrong with it, in words that do not quote it.
pub fn assignment(tractor: &str, payload: &[u8]) -> Result<Assignment, String> {
    let tractor = UnitId::new(tractor).map_err(|why| format!("the tractor {why}"))?;
    if payload.is_empty() {
        return Ok(Assignment { tractor, trailers: Vec::new(), driver: None, dispatcher: None, since: None });
    }
    let assignment: Assignment = serde_json::from_slice(payload).map_err(|why| unreadable(&why))?;
    if assignment.tractor == tractor { Ok(assignment) } else { Err(format!("it names {} inside", assignment.tractor)) }
}

/// The list of zones; an empty payload returns to those of the configuration.
///
/// # Errors
/// What is wrong with it, in words that do not quote it.
pub fn zones(payload: &[u8]) -> Result<Option<Vec<Zone>>, String> {
    if payload.is_empty() {
        return Ok(None);
    }
    if payload.len() > MAX_ZONES {
        return Err(format!("{} bytes of zones are more than the {MAX_ZONES} that are kept", payload.len()));
    }
    serde_json::from_slice(payload).map(Some).map_err(|why| unreadable(&why))
}

/// What is wrong with a JSON text. What stands in it is not repeated: it may be a telephone number.
fn unreadable(why: &serde_json::Error) -> String {
    let said = why.to_string();
    match said.rsplit_once(", expected ") {
        Some((found, expected)) if found.starts_with("invalid ") => clip(&format!("wrong type, expected {expected}")),
        Some(_) | None => clip(&said),
    }
}

/// At most 200 characters, without control characters.
fn clip(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}
