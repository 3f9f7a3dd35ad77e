//! `gladhand check`: everything that `run` needs, each with a plain verdict. Nothing is changed and nobody is called.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::numbers::{masked, route_name};
use super::{Failure, Outcome, service_user};
use crate::account::{self, SENT};
use crate::config::secrets::{self, API_KEY, BadSecret, Found, Surroundings};
use crate::config::{self, Config, Loaded, roster};
use crate::core::calls::dialing::AskError;
use crate::elevenlabs::{ApiKey, Client, Error, ErrorKind, ListQuery, PhoneNumber};
use crate::mqtt::{self, Password};

/// `gladhand check`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Leave the network out
    #[arg(long)]
    offline: bool,
    /// The verdicts as JSON
    #[arg(long)]
    json: bool,
    /// The effective configuration, secrets left out and numbers masked
    #[arg(long)]
    print: bool,
    /// Nothing but whether configuration and roster are well-formed, as a start and a reload want them
    #[arg(long, conflicts_with_all = ["offline", "json", "print"])]
    files: bool,
}

/// Looks at everything; fails when something does not do its job, with exit code 64 when that is the configuration.
pub(super) fn run(file: &Path, args: &Args) -> Outcome {
    if args.files {
        return Loaded::read(file).map(|_| String::new()).map_err(Failure::Malformed);
    }
    if args.print {
        let config = super::load(file)?;
        return toml::to_string(&config).map_err(|why| Failure::Failed(why.to_string()));
    }
    let Local { mut findings, config, api_key, mqtt_password } = local(file, &Surroundings::from_env());
    let Some(config) = config else {
        return match config::load(file) {
            Err(errors) if !args.json => Err(Failure::Malformed(errors)),
            Err(_) | Ok(_) => Err(Failure::Reported { text: json_text(&findings), code: 64 }),
        };
    };
    findings.extend(service_user::findings(file, &config));
    if !args.offline {
        let runtime = super::runtime()?;
        let password = mqtt_password.and_then(|found| Password::new(found.secret.expose()));
        let client_id = format!("gladhand-check-{}", config.gateway.id);
        let reached = runtime.block_on(mqtt::probe(&config.mqtt, &client_id, password.as_ref()));
        findings.push(broker(&config, reached.map(|broker| broker.version)));
        let client = api_key.map(|found| client(&config, &found));
        findings.push(vendor(&config, runtime.block_on(ask_vendor(&config, client.as_ref()))));
        if let Some(Ok(client)) = &client {
            findings.extend(runtime.block_on(ask_account(&config, client)));
        }
        runtime.shutdown_background();
    }
    let text = if args.json { json_text(&findings) } else { table(&findings) };
    match verdict(&findings) {
        Verdict::Ok | Verdict::Warn => Ok(text),
        Verdict::Fail => Err(Failure::Reported { text, code: 1 }),
    }
}

fn client(config: &Config, key: &Found) -> Result<Client, String> {
    let key = ApiKey::new(key.secret.expose()).map_err(|why| why.to_string())?;
    Client::new(&config.elevenlabs, key).map_err(|why| why.to_string())
}

/// Whether the vendor answers this key; without one, whether it can be reached.
async fn ask_vendor(config: &Config, client: Option<&Result<Client, String>>) -> Result<(), String> {
    let Some(client) = client else {
        // The address is tried with any key; it is not sent.
        let key = ApiKey::new("none").map_err(|why| why.to_string())?;
        return Client::new(&config.elevenlabs, key).map_err(|why| why.to_string())?.reach().await;
    };
    let asked = client.as_ref().map_err(Clone::clone)?.conversations(&ListQuery::default()).await;
    asked.map(drop).map_err(|why| match why {
        AskError::Unreachable(text)
        | AskError::Transient(text)
        | AskError::Unauthorised(text)
        | AskError::NotFound(text)
        | AskError::Refused(text) => text,
    })
}

/// Whether the account has the agent and the number, and whether they suit what is sent to them.
async fn ask_account(config: &Config, client: &Client) -> Vec<Finding> {
    let vendor = &config.elevenlabs;
    let mut findings = Vec::new();
    if !vendor.agent_id.is_empty() {
        let agent = client.get_agent(&vendor.agent_id).await;
        findings.extend(agent_there(config, agent.map(|agent| serde_json::json!(agent))));
    }
    if !vendor.agent_phone_number_id.is_empty() {
        findings.push(number_there(config, client.list_phone_numbers().await));
    }
    findings
}

/// What the account says of the agent.
#[must_use]
pub fn agent_there(config: &Config, asked: Result<Value, Error>) -> Vec<Finding> {
    const WHAT: &str = "agent's variables";
    let id = &config.elevenlabs.agent_id;
    let finding = |what, verdict, detail| Finding { what, verdict, detail };
    let agent = match asked {
        Ok(agent) => agent,
        Err(why) => return vec![not_there("agent", id, &why)],
    };
    let settings = agent.get("conversation_config").cloned().unwrap_or_default();
    let examples = settings.pointer("/agent/dynamic_variables/dynamic_variable_placeholders").and_then(Value::as_object);
    let needed = account::needed(&settings);
    let unsent = needed.iter().filter(|name| !SENT.contains(&name.as_str())).map(String::as_str);
    let (filled, unfilled): (Vec<_>, Vec<_>) = unsent.partition(|name| examples.is_some_and(|known| known.contains_key(*name)));
    let mut findings = Vec::new();
    if !unfilled.is_empty() {
        let detail = format!("it needs {}, which gladhand does not send: calls end at once", unfilled.join(", "));
        findings.push(finding(WHAT, Verdict::Fail, detail));
    }
    if !filled.is_empty() {
        let detail = format!("it uses {}, which gladhand does not send: drivers hear the example of it", filled.join(", "));
        findings.push(finding(WHAT, Verdict::Warn, detail));
    }
    if !needed.contains("prompt") {
        let detail = "{{prompt}} is nowhere in it: drivers are not told why they are called".to_owned();
        findings.push(finding(WHAT, Verdict::Fail, detail));
    }
    if !needed.contains("transfer_to") {
        let detail = "{{transfer_to}} is nowhere in it: it cannot connect a driver with the dispatcher".to_owned();
        findings.push(finding(WHAT, Verdict::Warn, detail));
    }
    if findings.is_empty() {
        let names: Vec<_> = needed.iter().map(String::as_str).collect();
        findings.push(finding(WHAT, Verdict::Ok, names.join(", ")));
    }
    findings
}

/// What the account says of the number.
#[must_use]
pub fn number_there(config: &Config, asked: Result<Vec<PhoneNumber>, Error>) -> Finding {
    const WHAT: &str = "phone number";
    let id = &config.elevenlabs.agent_phone_number_id;
    let numbers = match asked {
        Ok(numbers) => numbers,
        Err(why) => return not_there(WHAT, id, &why),
    };
    let route = route_name(config.elevenlabs.route);
    let (verdict, detail) = match numbers.iter().find(|number| number.phone_number_id == *id) {
        None => (Verdict::Fail, format!("the account has no {id}: calls are refused; `gladhand numbers` lists what there is")),
        Some(number) if number.provider.route() != Some(config.elevenlabs.route) => {
            (Verdict::Fail, format!("{id} does not call over elevenlabs.route = \"{route}\": calls are refused"))
        }
        Some(number) if number.supports_outbound == Some(false) => {
            (Verdict::Fail, format!("{id} is not set up for outgoing calls: calls are refused"))
        }
        Some(number) => (Verdict::Ok, format!("{} over {route}", masked(&number.phone_number))),
    };
    Finding { what: WHAT, verdict, detail }
}

/// Whether the account lacks it, or only did not say: a key may place calls without the right to look.
fn not_there(what: &'static str, id: &str, why: &Error) -> Finding {
    if why.kind == ErrorKind::NotFound {
        return Finding { what, verdict: Verdict::Fail, detail: format!("the account has no {id}: calls are refused") };
    }
    Finding { what, verdict: Verdict::Warn, detail: format!("{id} could not be looked at: {why}") }
}

fn json_text(findings: &[Finding]) -> String {
    format!("{:#}\n", json(findings))
}

/// What was looked at, and what was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The thing.
    pub what: &'static str,
    /// Whether it will do.
    pub verdict: Verdict,
    /// In words. No secret, no telephone number.
    pub detail: String,
}

/// From best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Good.
    Ok,
    /// It runs, and somebody should look.
    Warn,
    /// It does not do its job.
    Fail,
}

/// What can be seen without the network.
#[derive(Clone, Debug)]
pub struct Local {
    /// One or more for each thing.
    pub findings: Vec<Finding>,
    /// The configuration, when it is not malformed.
    pub config: Option<Config>,
    /// The API key, when there is one.
    pub api_key: Option<Found>,
    /// The broker's password, when one is configured and can be read.
    pub mqtt_password: Option<Found>,
}

/// Looks at configuration, roster, credentials and store.
#[must_use]
pub fn local(file: &Path, around: &Surroundings) -> Local {
    let mut found = Local { findings: Vec::new(), config: None, api_key: None, mqtt_password: None };
    match config::load(file) {
        Ok(config) => {
            found.say("configuration", Verdict::Ok, file.display().to_string());
            found.roster(&Config::roster_path(file), &config);
            found.api_key(&config, around);
            found.mqtt_password(&config);
            found.api_token(&config);
            found.agent(&config);
            found.store(&config.gateway.state_dir);
            found.config = Some(config);
        }
        Err(errors) => {
            for error in errors {
                found.say("configuration", Verdict::Fail, error.to_string());
            }
        }
    }
    found
}

/// What became of connecting to the broker: its version, if it tells, or why not.
#[must_use]
pub fn broker(config: &Config, reached: Result<Option<String>, String>) -> Finding {
    let address = format!("{}:{}", config.mqtt.host, config.mqtt.port);
    let (verdict, detail) = match reached {
        Ok(version) => match version.as_deref().and_then(broker_version_warning) {
            Some(warning) => (Verdict::Warn, format!("{address}: {warning}")),
            None => (Verdict::Ok, format!("{address}: {}", version.as_deref().unwrap_or("connected"))),
        },
        Err(why) => {
            let why = why.strip_prefix(&format!("{address}: ")).unwrap_or(&why);
            let todo = "nothing is read until mqtt.host and mqtt.port lead to a broker (`systemctl status mosquitto`)";
            (Verdict::Fail, format!("{address}: {why}; {todo}"))
        }
    };
    Finding { what: "broker", verdict, detail }
}

/// What became of asking the vendor's API for something harmless.
#[must_use]
pub fn vendor(config: &Config, reached: Result<(), String>) -> Finding {
    let url = &config.elevenlabs.base_url;
    let (verdict, detail) = match reached {
        Ok(()) => (Verdict::Ok, url.clone()),
        Err(why) => (Verdict::Fail, format!("{url}: {why}; calls are held")),
    };
    Finding { what: "API", verdict, detail }
}

/// A warning about what `$SYS/broker/version` says. mosquitto 2.0.12 to 2.0.18 with `per_listener_settings true` forgets
/// sessions, and with them whatever was published while we were away. Whether it is set cannot be seen from outside.
#[must_use]
pub fn broker_version_warning(version: &str) -> Option<String> {
    let patch: u32 = version.strip_prefix("mosquitto version ")?.trim().strip_prefix("2.0.")?.parse().ok()?;
    (12..=18).contains(&patch).then(|| {
        format!("mosquitto 2.0.{patch} forgets sessions when per_listener_settings is true; leave that out of mosquitto.conf, or update to 2.0.19 or later")
    })
}

/// The worst of all verdicts.
#[must_use]
pub fn verdict(findings: &[Finding]) -> Verdict {
    findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok)
}

/// For a terminal: one finding a line.
#[must_use]
pub fn table(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.what.len()).max().unwrap_or(0);
    findings.iter().fold(String::new(), |mut text, Finding { what, verdict, detail }| {
        let verdict = match verdict {
            Verdict::Ok => "ok  ",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        // Writing to a String does not fail.
        let _ = writeln!(text, "{verdict}  {what:width$}  {detail}");
        text
    })
}

/// For machines: `{"verdict":"ok|warn|fail","findings":[{"what":…,"verdict":…,"detail":…}]}`.
#[must_use]
pub fn json(findings: &[Finding]) -> Value {
    serde_json::json!({ "verdict": verdict(findings), "findings": findings })
}

impl Local {
    fn say(&mut self, what: &'static str, verdict: Verdict, detail: impl Into<String>) {
        self.findings.push(Finding { what, verdict, detail: detail.into() });
    }

    fn roster(&mut self, file: &Path, config: &Config) {
        const WHAT: &str = "roster";
        let roster = match roster::load(file, &config.calls.default_country) {
            Ok(roster) => roster,
            Err(errors) => {
                for error in errors {
                    self.say(WHAT, Verdict::Fail, error.to_string());
                }
                return;
            }
        };
        if !file.exists() {
            self.say(WHAT, Verdict::Ok, format!("{} is not there: assignments come by MQTT only", file.display()));
            return;
        }
        let (assignments, trailers) = (roster.assignments.len(), roster.trailers.len());
        self.say(WHAT, Verdict::Ok, format!("{}: assignments {assignments}, trailers {trailers}", file.display()));
        let nobody = roster.assignments.iter().filter(|a| !a.trailers.is_empty() && a.driver.is_none() && a.dispatcher.is_none());
        let nobody: Vec<_> = nobody.map(|a| a.tractor.as_str()).collect();
        if !nobody.is_empty() && config.dispatcher.phone.is_none() {
            let todo = format!("name one in {}, or set dispatcher.phone", file.display());
            let detail = format!("nobody can be called about {}; {todo}", nobody.join(", "));
            self.say(WHAT, Verdict::Warn, detail);
        }
    }

    fn api_key(&mut self, config: &Config, around: &Surroundings) {
        const WHAT: &str = "API key";
        match secrets::api_key(config.elevenlabs.api_key_file.as_deref(), around) {
            Ok(Some(found)) => {
                self.say(WHAT, Verdict::Ok, format!("from {}", found.place));
                self.place_warning(WHAT, &found);
                self.api_key = Some(found);
            }
            Ok(None) => {
                let encrypted = around.credstore.as_deref().map(|store| store.with_extension("encrypted").join(API_KEY));
                if let Some(path) = encrypted.filter(|path| path.exists()) {
                    let detail = format!("{}: systemd decrypts it for the service; it is not tried from here", path.display());
                    self.say(WHAT, Verdict::Ok, detail);
                    return;
                }
                let stored = around.credstore.as_deref().map(|store| (store.join(API_KEY), store.join(API_KEY).try_exists()));
                match stored {
                    Some((path, Ok(true))) => match secrets::from_file(&path) {
                        Ok(found) => {
                            self.say(WHAT, Verdict::Ok, format!("{}: systemd hands it to the service", path.display()));
                            self.api_key = Some(found);
                        }
                        Err(error) => self.say(WHAT, held(config), format!("{}: calls are held", in_words(&error))),
                    },
                    Some((path, Err(error))) => {
                        let detail = format!("{} cannot be seen by this user ({error}); run this as root", path.display());
                        self.say(WHAT, Verdict::Warn, detail);
                    }
                    Some((path, Ok(false))) => {
                        let detail = format!("missing: calls are held; put it into {} (mode 0600)", path.display());
                        self.say(WHAT, held(config), detail);
                    }
                    None => self.say(WHAT, held(config), "missing: calls are held"),
                }
            }
            Err(error) => {
                self.say(WHAT, held(config), format!("{}: calls are held; see elevenlabs.api_key_file", in_words(&error)));
            }
        }
    }

    fn mqtt_password(&mut self, config: &Config) {
        const WHAT: &str = "broker password";
        let Some(file) = &config.mqtt.password_file else { return };
        match secrets::from_file(file) {
            Ok(found) => {
                self.say(WHAT, Verdict::Ok, format!("from {}", found.place));
                self.place_warning(WHAT, &found);
                self.mqtt_password = Some(found);
            }
            Err(error) => self.say(WHAT, Verdict::Fail, format!("{}: see mqtt.password_file", in_words(&error))),
        }
    }

    fn api_token(&mut self, config: &Config) {
        const WHAT: &str = "API token";
        let (Some(address), Some(file)) = (config.api.listen, &config.api.token_file) else { return };
        match secrets::api_token(file) {
            Ok(found) => {
                self.say(WHAT, Verdict::Ok, format!("from {}, for {address}", found.place));
                self.place_warning(WHAT, &found);
            }
            Err(error) => self.say(WHAT, Verdict::Fail, format!("{}: see api.token_file", in_words(&error))),
        }
    }

    fn place_warning(&mut self, what: &'static str, found: &Found) {
        if let Some(warning) = &found.warning {
            self.say(what, Verdict::Warn, warning.clone());
        }
    }

    fn agent(&mut self, config: &Config) {
        const WHAT: &str = "agent";
        let vendor = &config.elevenlabs;
        let ids =
            [("elevenlabs.agent_id", &vendor.agent_id), ("elevenlabs.agent_phone_number_id", &vendor.agent_phone_number_id)];
        let missing: Vec<_> = ids.iter().filter(|(_, id)| id.is_empty()).map(|(key, _)| *key).collect();
        if missing.is_empty() {
            self.say(WHAT, Verdict::Ok, format!("{} from {}", vendor.agent_id, vendor.agent_phone_number_id));
        } else {
            let todo = "`gladhand agent apply` finds or makes the agent, `gladhand numbers add` the number";
            self.say(WHAT, held(config), format!("{} not set: calls are held; {todo}", missing.join(" and ")));
        }
        if config.calls.escalate_to_dispatcher && config.dispatcher.phone.is_none() {
            let detail =
                "dispatcher.phone is empty: where the roster names none either, an unanswered call is reported but not escalated";
            self.say("dispatcher", Verdict::Warn, detail);
        }
    }

    fn store(&mut self, directory: &Path) {
        const WHAT: &str = "store";
        if !directory.exists() {
            self.say(WHAT, Verdict::Ok, format!("{} is not there yet; it is made at the first start", directory.display()));
            return;
        }
        match writable(directory) {
            Ok(()) => self.say(WHAT, Verdict::Ok, directory.display().to_string()),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let detail = format!("{} cannot be looked at by this user ({error}); run this as root", directory.display());
                self.say(WHAT, Verdict::Warn, detail);
            }
            Err(error) => {
                let detail = format!("{} cannot be written: {error}; see gateway.state_dir", directory.display());
                self.say(WHAT, Verdict::Fail, detail);
            }
        }
    }
}

/// What a missing key or id weighs: without calls it does not matter yet.
fn held(config: &Config) -> Verdict {
    if config.calls.dry_run { Verdict::Warn } else { Verdict::Fail }
}

fn in_words(error: &BadSecret) -> String {
    match error {
        BadSecret::In { .. } => error.to_string(),
        BadSecret::Empty | BadSecret::Unprintable | BadSecret::Short | BadSecret::Unreadable(_) => format!("it {error}"),
    }
}

/// Writes a file beside the store and takes it away again: permissions alone do not tell of a read-only or full disk.
fn writable(directory: &Path) -> io::Result<()> {
    let probe: PathBuf = directory.join(format!(".check-{}", std::process::id()));
    let written = std::fs::write(&probe, [0; 4096]);
    let removed = std::fs::remove_file(&probe);
    written.and(removed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Machine(tempfile::TempDir);

    impl Machine {
        fn new(config: &str) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let state = directory.path().join("state");
            std::fs::create_dir(&state).unwrap();
            let text = format!("[gateway]\nid = \"yard-7\"\nstate_dir = \"{}\"\n{config}", state.display());
            std::fs::write(directory.path().join("gladhand.toml"), text).unwrap();
            Self(directory)
        }

        fn file(&self, name: &str, text: &str) {
            std::fs::write(self.0.path().join(name), text).unwrap();
        }

        fn check(&self) -> Vec<(&'static str, Verdict, String)> {
            let around = Surroundings { credstore: Some(self.0.path().join("credstore")), ..Surroundings::default() };
            let found = local(&self.0.path().join("gladhand.toml"), &around);
            let root = format!("{}/", self.0.path().display());
            found.findings.into_iter().map(|f| (f.what, f.verdict, f.detail.replace(&root, ""))).collect()
        }
    }

    const AGENT: &str =
        "[dispatcher]\nphone = \"+12125550199\"\n[elevenlabs]\nagent_id = \"agent_1\"\nagent_phone_number_id = \"phnum_1\"\n";

    #[test]
    fn a_gateway_that_is_set_up_passes() {
        let machine = Machine::new(AGENT);
        std::fs::create_dir(machine.0.path().join("credstore")).unwrap();
        machine.file("credstore/elevenlabs-api-key", "sk_secret");
        machine.file("roster.toml", "[[assignment]]\ntractor = \"T-1\"\ntrailer = \"R-1\"\n");
        let ok = |what, detail: &str| (what, Verdict::Ok, detail.to_owned());
        assert_eq!(
            machine.check(),
            [
                ok("configuration", "gladhand.toml"),
                ok("roster", "roster.toml: assignments 1, trailers 0"),
                ok("API key", "credstore/elevenlabs-api-key: systemd hands it to the service"),
                ok("agent", "agent_1 from phnum_1"),
                ok("store", "state"),
            ]
        );
    }

    #[test]
    fn a_key_that_systemd_decrypts_for_the_service_is_seen() {
        let machine = Machine::new(AGENT);
        std::fs::create_dir(machine.0.path().join("credstore.encrypted")).unwrap();
        machine.file("credstore.encrypted/elevenlabs-api-key", "Whxqht+dQJax1aZeCGLxmiAAAAABAAAADAAAABAAAAC1OlT6\nAAAA\n");
        let of_the_key = machine.check().into_iter().find(|(what, ..)| *what == "API key").unwrap();
        let detail = "credstore.encrypted/elevenlabs-api-key: systemd decrypts it for the service; it is not tried from here";
        assert_eq!(of_the_key, ("API key", Verdict::Ok, detail.to_owned()));
    }

    #[test]
    fn a_stored_key_that_the_service_could_not_use_fails() {
        let machine = Machine::new(AGENT);
        std::fs::create_dir(machine.0.path().join("credstore")).unwrap();
        machine.file("credstore/elevenlabs-api-key", "\n");
        let detail = "credstore/elevenlabs-api-key: is empty: calls are held".to_owned();
        assert!(machine.check().contains(&("API key", Verdict::Fail, detail)), "{:?}", machine.check());
    }

    #[test]
    fn a_fresh_gateway_is_told_what_is_missing() {
        let machine = Machine::new("");
        machine.file("roster.toml", "[[assignment]]\ntractor = \"T-1\"\ntrailer = \"R-1\"\n");
        let found = machine.check();
        let bad: Vec<_> = found.iter().filter(|(_, verdict, _)| *verdict != Verdict::Ok).collect();
        let expected = [
            ("roster", Verdict::Warn, "nobody can be called about T-1; name one in roster.toml, or set dispatcher.phone"),
            ("API key", Verdict::Fail, "missing: calls are held; put it into credstore/elevenlabs-api-key (mode 0600)"),
            (
                "agent",
                Verdict::Fail,
                "elevenlabs.agent_id and elevenlabs.agent_phone_number_id not set: calls are held; `gladhand agent apply` finds or makes the agent, `gladhand numbers add` the number",
            ),
            (
                "dispatcher",
                Verdict::Warn,
                "dispatcher.phone is empty: where the roster names none either, an unanswered call is reported but not escalated",
            ),
        ];
        assert_eq!(bad.len(), expected.len(), "{found:?}");
        for (found, (what, verdict, detail)) in bad.iter().zip(expected) {
            assert_eq!((found.0, found.1, found.2.as_str()), (what, verdict, detail));
        }
    }

    #[test]
    fn everything_malformed_is_listed_and_nothing_else_is_looked_at() {
        let machine = Machine::new("[calls]\nattempts = 0\n[mqtt]\nport = 0\n");
        let found = machine.check();
        assert_eq!(found.len(), 2);
        assert!(found[0].2.starts_with("gladhand.toml:5: calls.attempts: "), "{found:?}");
        assert!(found.iter().all(|(what, verdict, _)| (*what, *verdict) == ("configuration", Verdict::Fail)));
    }

    #[test]
    fn a_store_on_which_nothing_can_be_written_fails() {
        let machine = Machine::new(AGENT);
        let state = machine.0.path().join("state");
        std::fs::remove_dir(&state).unwrap();
        // A file in its place: root may write into a directory of any mode.
        std::fs::write(&state, "").unwrap();
        let found = machine.check();
        let (what, verdict, detail) = found.last().unwrap();
        assert_eq!((*what, *verdict), ("store", Verdict::Fail));
        assert!(detail.starts_with("state cannot be written: Not a directory"), "{detail}");
    }

    #[test]
    fn network_findings_and_both_renderings() {
        let config = Config::default();
        let findings = [
            broker(&config, Ok(Some("mosquitto version 2.0.21".to_owned()))),
            broker(&config, Err("127.0.0.1:1883: connection refused".to_owned())),
            vendor(&config, Ok(())),
        ];
        assert_eq!(
            table(&findings),
            "ok    broker  127.0.0.1:1883: mosquitto version 2.0.21\n\
             FAIL  broker  127.0.0.1:1883: connection refused; nothing is read until mqtt.host and mqtt.port lead to a broker (`systemctl status mosquitto`)\n\
             ok    API     https://api.elevenlabs.io\n"
        );
        let json = json(&findings);
        assert_eq!(json["verdict"], "fail");
        assert_eq!(json["findings"][2]["verdict"], "ok");
        assert_eq!(broker(&config, Ok(Some("mosquitto version 2.0.15".to_owned()))).verdict, Verdict::Warn);
    }

    #[test]
    fn the_agent_is_told_what_it_needs_and_does_not_get() {
        let said = |agent: Value| {
            let findings = agent_there(&Config::default(), Ok(json!({ "conversation_config": { "agent": agent } })));
            findings.into_iter().map(|finding| (finding.verdict, finding.detail)).collect::<Vec<_>>()
        };
        let good = json!({"first_message": "{{prompt}}", "prompt": {"prompt": "For {{dispatcher_name}} {{system__time}}, {{transfer_to}}"}});
        assert_eq!(said(good), [(Verdict::Ok, "dispatcher_name, prompt, transfer_to".to_owned())]);
        let bad = json!({
            "first_message": "Hello {{driver_name}} of {{fleet}}",
            "dynamic_variables": {"dynamic_variable_placeholders": {"fleet": "x"}},
        });
        assert_eq!(
            said(bad).iter().map(|(verdict, detail)| (*verdict, detail.split([',', ':']).next().unwrap())).collect::<Vec<_>>(),
            [
                (Verdict::Fail, "it needs driver_name"),
                (Verdict::Warn, "it uses fleet"),
                (Verdict::Fail, "{{prompt}} is nowhere in it"),
                (Verdict::Warn, "{{transfer_to}} is nowhere in it"),
            ]
        );
    }

    #[test]
    fn a_number_must_be_there_and_suit_the_route() {
        let numbers: Vec<PhoneNumber> = serde_json::from_value(json!([
            {"phone_number_id": "p1", "phone_number": "+12125550123", "label": "", "provider": "twilio"},
            {"phone_number_id": "p2", "phone_number": "+12125550124", "label": "", "provider": "sip_trunk"},
            {"phone_number_id": "p3", "phone_number": "+12125550125", "label": "", "provider": "twilio", "supports_outbound": false},
        ]))
        .unwrap();
        let said = |id: &str| {
            let mut config = Config::default();
            config.elevenlabs.agent_phone_number_id = id.to_owned();
            let finding = number_there(&config, Ok(numbers.clone()));
            (finding.verdict, finding.detail.split(':').next().unwrap().to_owned())
        };
        assert_eq!(said("p1"), (Verdict::Ok, "+1******0123 over twilio".to_owned()));
        assert_eq!(said("p2"), (Verdict::Fail, "p2 does not call over elevenlabs.route = \"twilio\"".to_owned()));
        assert_eq!(said("p3"), (Verdict::Fail, "p3 is not set up for outgoing calls".to_owned()));
        assert_eq!(said("p4"), (Verdict::Fail, "the account has no p4".to_owned()));
    }

    #[test]
    fn only_mosquitto_2_0_12_to_2_0_18_is_warned_about() {
        for version in ["mosquitto version 2.0.12", "mosquitto version 2.0.18"] {
            assert!(
                broker_version_warning(version).is_some_and(|warning| warning.contains("per_listener_settings")),
                "{version}"
            );
        }
        for version in [
            "mosquitto version 2.0.11",
            "mosquitto version 2.0.19",
            "mosquitto version 2.1.15",
            "mosquitto version 1.6.12",
            "EMQX 5.0.14",
            "",
        ] {
            assert_eq!(broker_version_warning(version), None, "{version}");
        }
    }
}
