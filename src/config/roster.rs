//! `roster.toml`: who pulls what, who drives, and what is known of the trackers.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::document::Document;
use super::load::{national_number, read};
use crate::core::roster::{Assignment, TrailerTraits};

/// `roster.toml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Roster {
    /// `[[assignment]]`: one per tractor.
    #[serde(rename = "assignment")]
    pub assignments: Vec<Assignment>,
    /// `[[trailer]]`: one per trailer.
    #[serde(rename = "trailer")]
    pub trailers: Vec<TrailerTraits>,
}

/// Reads and checks the roster. A missing file is an empty roster. `country` is `calls.default_country`.
///
/// # Errors
/// Everything that is wrong with it, at least one; of the keys that cannot be read at all only the first.
pub fn load(file: &Path, country: &str) -> Result<Roster, Vec<ConfigError>> {
    match file.try_exists() {
        Ok(false) => Ok(Roster::default()),
        Ok(true) | Err(_) => parse(file, &read(file).map_err(|error| vec![error])?, country),
    }
}

/// Checks the text of a roster. `file` is only named in errors.
///
/// # Errors
/// As [`load`].
pub fn parse(file: &Path, text: &str, country: &str) -> Result<Roster, Vec<ConfigError>> {
    let document = Document::parse(file, text).map_err(|error| vec![error])?;
    let roster: Roster = document.read().map_err(|error| vec![error])?;
    let mut errors = Vec::new();
    let mut tractors = BTreeMap::new();
    let mut pulled_by = BTreeMap::new();
    for (index, assignment) in roster.assignments.iter().enumerate() {
        let tractor = &assignment.tractor;
        if tractors.insert(tractor, index).is_some() {
            let message = format!("\"{tractor}\" has an earlier [[assignment]] already; list all its trailers in that one");
            errors.push(document.error(format!("assignment[{index}].tractor"), message));
        }
        for trailer in &assignment.trailers {
            if let Some(other) = pulled_by.insert(trailer, tractor).filter(|other| *other != tractor) {
                let key =
                    if document.text_at(&format!("assignment[{index}].trailer")).is_some() { "trailer" } else { "trailers" };
                let message = format!("\"{trailer}\" is assigned to \"{other}\" already; one tractor pulls a trailer at a time");
                errors.push(document.error(format!("assignment[{index}].{key}"), message));
            }
        }
        for person in ["driver", "dispatcher"] {
            errors.extend(national_number(&document, &format!("assignment[{index}].{person}.phone"), country));
        }
    }
    let mut trailers = BTreeMap::new();
    for (index, trailer) in roster.trailers.iter().enumerate() {
        if trailers.insert(&trailer.id, index).is_some() {
            let message = format!("\"{}\" has an earlier [[trailer]] already; keep one", trailer.id);
            errors.push(document.error(format!("trailer[{index}].id"), message));
        }
        if trailer.interval.is_some_and(|interval| interval.is_zero()) {
            errors.push(document.error(format!("trailer[{index}].interval"), "0s is not an interval; write it like \"300s\""));
        }
    }
    errors.sort_by_key(|error| error.line);
    if errors.is_empty() { Ok(roster) } else { Err(errors) }
}
