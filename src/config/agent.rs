//! `agent.toml`: the agent in the vendor's account, as a file.

use std::path::Path;

use super::ConfigError;
use super::document::Document;
use super::load::read;
use crate::account::Agent;

/// Reads and checks the file.
///
/// # Errors
/// Everything that is wrong with it, at least one; of the keys that cannot be read at all only the first.
pub fn load(file: &Path) -> Result<Agent, Vec<ConfigError>> {
    parse(file, &read(file).map_err(|error| vec![error])?)
}

/// Checks the text of the file. `file` is only named in errors.
///
/// # Errors
/// As [`load`].
pub fn parse(file: &Path, text: &str) -> Result<Agent, Vec<ConfigError>> {
    let document = Document::parse(file, text).map_err(|error| vec![error])?;
    let agent: Agent = document.read().map_err(|error| vec![error])?;
    let mut errors: Vec<_> = agent.problems().into_iter().map(|(key, message)| document.error(key, message)).collect();
    errors.sort_by_key(|error| error.line);
    if errors.is_empty() { Ok(agent) } else { Err(errors) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named_with_file_line_and_key() {
        let said = |text: &str| {
            let errors = parse(Path::new("agent.toml"), text).unwrap_err();
            errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(said("language = \"en\""), "agent.toml:1: name: is missing, and has no default");
        assert_eq!(
            said("name = \"a\"\n[turn]\nturn_timeot = 7"),
            "agent.toml:3: turn.turn_timeot: is not a known key; did you mean turn_timeout?"
        );
        assert_eq!(
            said("name = \"a\"\n[[document]]\nname = \"d\"\ntext = \"\"\nurl = \"\"\n[tools.transfer_to_number]\n"),
            "agent.toml:2: document[0]: write exactly one of text, url, file, and id with type\n\
             agent.toml:6: tools.transfer_to_number: needs at least one [[tools.transfer_to_number.transfers]] with to and condition"
        );
        let twice = "name = \"a\"\n[[evaluation]]\nid = \"x\"\nname = \"\"\ngoal = \"\"\n[[evaluation]]\nid = \"x\"\nname = \"\"\ngoal = \"\"";
        assert_eq!(said(twice), "agent.toml:7: evaluation[1].id: \"x\" is the id of an earlier one");
    }
}
