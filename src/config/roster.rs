//! `roster.toml`: who pulls what, who drives, and what is known of the trackers.

use std::collections::{BTreeMap, BTreeSet};
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
    // A tree of the whole text takes fifty times its size: it is made only to say where something is wrong.
    match in_pieces(file, text, country) {
        Some(roster) => Ok(roster),
        None => whole(file, text, country),
    }
}

/// What [`whole`] makes of it, read table by table; `None` when anything is wrong.
fn in_pieces(file: &Path, text: &str, country: &str) -> Option<Roster> {
    let mut roster = Roster::default();
    for (nth, piece) in pieces(text).enumerate() {
        let Roster { assignments, trailers } = whole(file, piece, country).ok()?;
        // Before the first such table there can only be a list written in another way, which none may follow.
        if nth == 0 && !begins_table(piece) && !(assignments.is_empty() && trailers.is_empty()) {
            return None;
        }
        roster.assignments.extend(assignments);
        roster.trailers.extend(trailers);
    }
    let tractors: BTreeSet<_> = roster.assignments.iter().map(|a| &a.tractor).collect();
    let trailers: BTreeSet<_> = roster.assignments.iter().flat_map(|a| &a.trailers).collect();
    let traits: BTreeSet<_> = roster.trailers.iter().map(|t| &t.id).collect();
    let pulled = roster.assignments.iter().map(|a| a.trailers.len()).sum();
    let each_once = (tractors.len(), trailers.len(), traits.len()) == (roster.assignments.len(), pulled, roster.trailers.len());
    each_once.then_some(roster)
}

/// Cut before every line that begins a table of either list. A line within a text or a list that only looks like one leaves a
/// piece before it that lacks its end, and so is not TOML.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let now = rest?;
        let mut cuts = now.match_indices('\n').filter_map(|(at, _)| now.split_at_checked(at + 1));
        let cut = cuts.find(|(_, after)| begins_table(after));
        rest = cut.map(|(_, after)| after);
        Some(cut.map_or(now, |(piece, _)| piece))
    })
}

fn begins_table(text: &str) -> bool {
    text.starts_with("[[assignment]]") || text.starts_with("[[trailer]]")
}

/// Reads and checks a text in one.
fn whole(file: &Path, text: &str, country: &str) -> Result<Roster, Vec<ConfigError>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "roster.toml";

    fn read(text: &str) -> (Option<Roster>, Option<Roster>) {
        (in_pieces(Path::new(FILE), text, "US"), whole(Path::new(FILE), text, "US").ok())
    }

    #[test]
    fn in_pieces_a_roster_is_what_it_is_as_a_whole() {
        let rigs = "[[assignment]]\r\ntractor = \"T-1\"\ntrailers = [\n\"R-1\", \"R-2\"]\n[assignment.driver]\nid = \"d\"\nphone = \"+19565550100\"\n\
                    # [[trailer]]\n [[trailer]]\nid = \"R-1\"\n[[assignment]] # the second\ntractor = \"T-2\"\n[[trailer]]\nid = \"R-2\"\ninterval = \"60s\"\n";
        for text in ["", "# nobody\n", rigs, &format!("\n{rigs}"), "trailer = [{ id = \"R-1\" }]"] {
            let (pieces, whole) = read(text);
            assert!(whole.is_some(), "{text}");
            assert!(pieces.is_none() || pieces == whole, "{text}");
        }
        let (pieces, _) = read(rigs);
        assert_eq!(pieces.map(|roster| (roster.assignments.len(), roster.trailers.len())), Some((2, 2)));
    }

    #[test]
    fn what_only_looks_like_a_table_cuts_nothing() {
        let name = "[[assignment]]\ntractor = \"T-1\"\n[assignment.driver]\nid = \"d\"\nphone = \"+19565550100\"\nname = \"\"\"\n[[trailer]]\nid = \"R-1\"\"\"\"\n";
        let (pieces, whole) = read(name);
        assert_eq!((pieces, whole.map(|roster| (roster.assignments.len(), roster.trailers.len()))), (None, Some((1, 0))));
    }

    #[test]
    fn what_is_wrong_only_with_the_whole_is_no_roster_in_pieces() {
        let of = |trailer| format!("[[assignment]]\ntractor = \"T-1\"\ntrailer = \"{trailer}\"\n");
        for text in [
            format!("trailer = [{{ id = \"R-1\" }}]\n{}[[trailer]]\nid = \"R-2\"\n", of("R-1")),
            of("R-1") + &of("R-2"),
            of("R-1") + &of("R-1").replace("T-1", "T-2"),
            of("R-1") + "[[trailer]]\nid = \"R-1\"\n[[trailer]]\nid = \"R-1\"\n",
            of("R-1") + "[trailer.x]\n",
            "[assignment.driver]\nid = \"d\"\n".to_owned() + &of("R-1"),
        ] {
            assert_eq!(read(&text), (None, None), "{text}");
        }
    }
}
