//! The files in `config/` are what they claim to be: readable, complete, and equal to the defaults.

use std::path::Path;

use gladhand::config::roster::{self, Roster};
use gladhand::config::{self, Config};

/// As it is installed: it names no gateway.
const SHIPPED: &str = include_str!("../config/gladhand.toml");

/// As somebody has named the gateway.
fn example() -> String {
    SHIPPED.replacen("\nid = \"\"\n", "\nid = \"yard-7\"\n", 1)
}

#[test]
fn what_is_installed_asks_for_a_name_and_nothing_else() {
    let [error] = config::parse(Path::new("gladhand.toml"), SHIPPED).unwrap_err().try_into().unwrap();
    assert_eq!(error.key, "gateway.id");
}

#[test]
fn the_example_is_the_default_configuration_with_a_name() {
    let example = config::parse(Path::new("gladhand.toml"), &example()).unwrap();
    let mut expected = Config::default();
    expected.gateway.id = "yard-7".to_owned();
    assert_eq!(example, expected);
}

#[test]
fn every_commented_line_is_the_default_or_an_example_that_reads() {
    let uncommented = uncomment(&example());
    let mut all = config::parse(Path::new("gladhand.toml"), &uncommented).unwrap_or_else(|errors| panic!("{errors:?}"));
    assert_eq!(all.telemetry.len(), 2);
    assert_eq!(all.zones.len(), 1);
    assert!(all.mqtt.username.is_some() && all.mqtt.password_file.is_some() && all.elevenlabs.api_key_file.is_some());
    assert!(all.elevenlabs.ca_file.is_some());
    let mut expected = Config::default();
    expected.gateway.id = "yard-7".to_owned();
    // What is an example, not a default.
    all.telemetry.truncate(1);
    all.zones.clear();
    all.telemetry = expected.telemetry.clone();
    (all.mqtt.username, all.mqtt.password_file) = (None, None);
    (all.elevenlabs.api_key_file, all.elevenlabs.ca_file) = (None, None);
    (all.api.listen, all.api.token_file) = (None, None);
    (all.calls.quiet_hours, all.calls.prompt) = (Vec::new(), std::collections::BTreeMap::new());
    assert_eq!(all, expected);
}

#[test]
fn the_example_names_every_key_there_is() {
    let full = uncomment(&example());
    let effective = toml::to_string(&Config::default()).unwrap();
    let mut table = String::new();
    for line in effective.lines() {
        if line.starts_with('[') {
            line.clone_into(&mut table);
        } else if let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| *key != "zone") {
            let section = full.split(&format!("{table}\n")).nth(1).unwrap_or_else(|| panic!("{table} is missing"));
            let section = section.split("\n[").next().unwrap();
            assert!(section.lines().any(|line| line.starts_with(&format!("{key} = "))), "{table} {key}");
        }
    }
}

#[test]
fn the_effective_configuration_reads_back_as_itself_and_masks_telephone_numbers() {
    let text = format!("{}\n[[zone]]\nname = \"Yard\"\npolygon = [[0, 0], [0, 1], [1, 1]]\n", example());
    let config = config::parse(Path::new("gladhand.toml"), &text).unwrap();
    let printed = toml::to_string(&config).unwrap();
    assert_eq!(config::parse(Path::new("printed.toml"), &printed).unwrap(), config);
    let text = "[gateway]\nid = \"y\"\n[dispatcher]\nphone = \"(212) 555-0123\"\n";
    let config = config::parse(Path::new("gladhand.toml"), text).unwrap();
    assert_eq!(config.dispatcher().unwrap().phone.expose(), "+12125550123");
    let printed = toml::to_string(&config).unwrap();
    assert!(printed.contains("phone = \"+1******0123\""), "{printed}");
}

#[test]
fn the_roster_example_reads() {
    let text = include_str!("../config/roster.toml");
    assert_eq!(roster::parse(Path::new("roster.toml"), text, "US").unwrap(), Roster::default());
    let roster = roster::parse(Path::new("roster.toml"), &uncomment(text), "US").unwrap();
    assert_eq!(&*roster.assignments[0].tractor, "T-001");
    assert_eq!(&*roster.assignments[0].trailers[0], "R-001");
    assert!(roster.assignments[0].driver.is_some() && roster.assignments[0].dispatcher.is_some());
    assert_eq!(roster.trailers[0].interval, Some(std::time::Duration::from_secs(300)));
    assert!(roster.trailers[0].wakes_on_motion);
}

#[test]
fn the_agent_s_example_reads_and_so_does_every_commented_line() {
    let text = include_str!("../config/agent.toml");
    let agent = config::agent::parse(Path::new("agent.toml"), text).unwrap();
    let prompt = agent.prompt.unwrap();
    assert!(prompt.contains("{{prompt}}") && prompt.contains("automated"), "{prompt}");
    let all = config::agent::parse(Path::new("agent.toml"), &uncomment(text)).unwrap_or_else(|errors| panic!("{errors:?}"));
    assert!(all.llm.is_some() && all.voice.speed.is_some() && all.documents.len() == 1);
}

/// Takes the `# ` off every line that is TOML behind it.
fn uncomment(text: &str) -> String {
    let is_toml = |line: &str| {
        line.starts_with('[')
            || line.split_once(" = ").is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
    };
    text.lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| is_toml(rest)).unwrap_or(line))
        .fold(String::new(), |all, line| all + line + "\n")
}
