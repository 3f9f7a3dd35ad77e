//! `gladhand agent`: the agent of `agent.toml` and the one of the account.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::knowledge::{documents, is_in_use, listed, name_of_file, upload};
use super::numbers::{masked, route_name};
use super::table::{self, plain_line};
use super::{DIFFERS, Failure, Outcome};
use crate::account::documents::{Listed, name_there};
use crate::account::{self, Agent, Plan, Source};
use crate::config::account::Account;
use crate::config::{self, Config};
use crate::elevenlabs::{AgentDraft, AgentsQuery, Client, Error, ErrorKind, PhoneNumber};

/// The most agents of one name that are looked at.
const MOST: usize = 1_000;

/// `gladhand agent`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// What differs between agent.toml and the account: exit code 0 nothing, 3 something
    Plan {
        #[command(flatten)]
        wanted: Wanted,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Make the account what agent.toml asks for, and write its ids to account.toml; without --yes the same as plan
    Apply {
        #[command(flatten)]
        wanted: Wanted,
        /// Do it
        #[arg(long)]
        yes: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Make agent.toml from an agent of the account
    Pull {
        /// Its id, when it is not the configured one
        #[arg(long, value_name = "ID")]
        agent: Option<String>,
        /// Where to, when it is not agent.toml beside the configuration; - is standard output
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Overwrite that file
        #[arg(long)]
        force: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Wanted {
    /// The agent, when it is not agent.toml beside the configuration
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The account's agent, when it is not the configured one, nor the one of that name that is gladhand's
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
    /// The telephone number to call from, when it is not the configured one, nor the only one
    #[arg(long, value_name = "ID")]
    number: Option<String>,
    /// Take over an agent that is not gladhand's
    #[arg(long)]
    adopt: bool,
}

pub(super) fn run(path: &Path, args: &Args) -> Outcome {
    let (config, client) = super::vendor::open(path)?;
    super::runtime()?.block_on(async {
        match &args.command {
            Command::Plan { wanted, json } => {
                let seen = Seen::read(path, &config, &client, wanted).await?;
                seen.say(false, *json)
            }
            Command::Apply { wanted, yes, json } => {
                let mut seen = Seen::read(path, &config, &client, wanted).await?;
                if *yes {
                    seen.apply(path, &client).await?;
                }
                seen.say(*yes, *json)
            }
            Command::Pull { agent, file, force } => {
                let file = file.clone().unwrap_or_else(|| beside(path));
                let id = agent.as_ref().unwrap_or(&config.elevenlabs.agent_id);
                pull(&client, id, &file, *force).await
            }
        }
    })
}

/// The file, the account, and what is between them.
struct Seen {
    file: Agent,
    /// Where the file's documents are named from.
    directory: PathBuf,
    names: Vec<String>,
    listed: Vec<Listed>,
    id: Option<String>,
    there: Option<Value>,
    adopt: bool,
    plan: Plan,
    number: Result<PhoneNumber, String>,
    /// The ids in effect, and those that are to be.
    ids: (Account, Account),
    /// What the account did not become, and why.
    notes: Vec<String>,
    /// What was to be done and is not.
    undone: Vec<String>,
}

impl Seen {
    async fn read(path: &Path, config: &Config, client: &Client, wanted: &Wanted) -> Result<Self, Failure> {
        let source = wanted.file.clone().unwrap_or_else(|| beside(path));
        let file = config::agent::load(&source).map_err(Failure::Malformed)?;
        let directory = source.parent().unwrap_or(Path::new("")).to_owned();
        let names = file.documents.iter().map(|document| name_of(document, &directory)).collect::<Result<Vec<_>, _>>()?;
        let vendor = &config.elevenlabs;
        let there = find(client, &file.name, wanted, &vendor.agent_id).await?;
        let there = there.map(|agent| (agent.agent_id.clone(), json!(agent)));
        let (id, there) = there.unzip();
        // Without documents, here or there, the key needs no right to see them.
        let known = there.as_ref().and_then(|there| there.pointer("/conversation_config/agent/prompt/knowledge_base"));
        let any = !names.is_empty() || known.and_then(Value::as_array).is_some_and(|known| !known.is_empty());
        let listed = if any { listed(&documents(client).await?) } else { Vec::new() };
        let number = choose(client.list_phone_numbers().await?, config, wanted.number.as_deref());
        let before = Account { agent_id: vendor.agent_id.clone(), agent_phone_number_id: vendor.agent_phone_number_id.clone() };
        let mut seen = Self {
            plan: account::plan(&file, &names, &listed, there.as_ref(), wanted.adopt),
            file,
            directory,
            names,
            listed,
            id,
            there,
            adopt: wanted.adopt,
            number,
            ids: (before.clone(), before),
            notes: Vec::new(),
            undone: Vec::new(),
        };
        seen.settle();
        Ok(seen)
    }

    /// The ids that are to be, as far as they are known.
    fn settle(&mut self) {
        if let Some(id) = &self.id {
            self.ids.1.agent_id.clone_from(id);
        }
        if let Ok(number) = &self.number {
            self.ids.1.agent_phone_number_id.clone_from(&number.phone_number_id);
        }
    }

    fn is_ours(&self) -> bool {
        self.there.as_ref().is_none_or(account::is_ours)
    }

    async fn apply(&mut self, path: &Path, client: &Client) -> Result<(), Failure> {
        if let (Some(id), false, false) = (&self.id, self.is_ours(), self.adopt) {
            let why = format!("agent {id} is not gladhand's (it has no tag \"{}\"): --adopt takes it over", account::MARK);
            return Err(Failure::Failed(why));
        }
        for upload in &self.plan.uploads {
            let Some(document) = self.file.documents.get(upload.index) else { continue };
            let (kind, id) = match document.source() {
                Some(Source::Text(text)) => ("text", client.create_document_from_text(text, Some(&upload.name)).await?.id),
                Some(Source::Url(url)) => ("url", client.create_document_from_url(url, Some(&upload.name)).await?.id),
                Some(Source::File(file)) => ("file", self::upload(client, &self.directory.join(file), &upload.name).await?),
                Some(Source::Account { .. }) | None => continue,
            };
            self.listed.push(Listed { id, name: upload.name.clone(), kind: kind.to_owned() });
        }
        let Self { file, names, listed, adopt, .. } = &*self;
        let plan_of = |there: Option<&Value>| account::plan(file, names, listed, there, *adopt);
        let plan = plan_of(self.there.as_ref());
        let id = match (&self.id, &self.there) {
            (Some(id), Some(there)) => {
                if let Some(body) = plan.update(there) {
                    client.update_agent(id, &draft(body)?).await?;
                }
                id.clone()
            }
            _ => client.create_agent(&draft(plan.creation().clone())?).await.map_err(maybe_made)?,
        };
        // The account may have kept something else than it was asked for; then the next plan would show it, and so does this.
        let now = json!(client.get_agent(&id).await?);
        let left = plan_of(Some(&now));
        let mut undone: Vec<_> = left.changes.iter().map(|change| format!("not taken by the account: {change}")).collect();
        let mut notes = Vec::new();
        for removal in &plan.removals {
            match client.delete_document(&removal.id, false).await {
                Ok(()) => {}
                Err(why) if is_in_use(&why) => notes.push(format!("still used by another agent: {}", plain_line(&removal.name))),
                Err(why) if why.kind == ErrorKind::NotFound => {}
                // The agent no longer refers to it, so that no later plan would name it.
                Err(why) => {
                    undone.push(format!("not removed, `gladhand knowledge remove {} --yes`: {why}", plain_line(&removal.id)))
                }
            }
        }
        (self.notes, self.undone) = (notes, undone);
        (self.id, self.there) = (Some(id), Some(now));
        self.settle();
        let (before, after) = &self.ids;
        if before != after {
            config::account::save(path, after)
                .map_err(|why| Failure::Failed(format!("{}: {why}", config::account::path(path).display())))?;
            let now = super::load(path)?.elevenlabs;
            if (&now.agent_id, &now.agent_phone_number_id) != (&after.agent_id, &after.agent_phone_number_id) {
                let file = path.display();
                return Err(Failure::Failed(format!(
                    "account.toml is written, but {file} sets other ids itself: take them out there"
                )));
            }
        }
        Ok(())
    }

    fn say(&self, done: bool, json: bool) -> Outcome {
        let (before, after) = &self.ids;
        let differs = !self.plan.is_empty() || before != after || self.id.is_none();
        let text = if json { self.json(differs, done) } else { self.text(differs, done) };
        match (&self.number, differs && !done) {
            (Err(_), _) => Err(Failure::Reported { text, code: 1 }),
            _ if !self.undone.is_empty() => Err(Failure::Reported { text, code: 1 }),
            (Ok(_), true) => Err(Failure::Reported { text, code: DIFFERS }),
            (Ok(_), false) => Ok(text),
        }
    }

    fn text(&self, differs: bool, done: bool) -> String {
        let mut out = self.plan.text();
        // Writing to a String does not fail.
        let (before, after) = &self.ids;
        for (name, before, after) in [
            ("agent_id", &before.agent_id, &after.agent_id),
            ("agent_phone_number_id", &before.agent_phone_number_id, &after.agent_phone_number_id),
        ] {
            if before != after {
                let _ = writeln!(out, "account.toml {name}: \"{before}\" -> \"{after}\"");
            }
        }
        for note in self.notes.iter().chain(&self.undone) {
            let _ = writeln!(out, "{note}");
        }
        let agent = self.id.as_deref().unwrap_or("not there yet");
        let ours = if self.is_ours() || self.adopt { "" } else { ", not gladhand's: --adopt takes it over" };
        let _ = writeln!(out, "agent   {}: {agent}{ours}", plain_line(&self.plan.name));
        let _ = match &self.number {
            Ok(number) => writeln!(out, "number  {}: {}", masked(&number.phone_number), plain_line(&number.phone_number_id)),
            Err(why) => writeln!(out, "number  {why}"),
        };
        out.push_str(match (differs, done) {
            (false, _) => "nothing differs\n",
            (true, true) => "done; gladhand reads the ids at its next start or reload\n",
            (true, false) => "nothing was changed; apply --yes does it\n",
        });
        out
    }

    fn json(&self, differs: bool, done: bool) -> String {
        let mut value = self.plan.json();
        let (_, after) = &self.ids;
        if let Some(entries) = value.as_object_mut() {
            entries.extend([
                ("agent_id".to_owned(), json!(self.id)),
                ("ours".to_owned(), json!(self.is_ours())),
                ("agent_phone_number_id".to_owned(), json!(after.agent_phone_number_id)),
                ("number".to_owned(), json!(self.number.as_ref().err())),
                ("notes".to_owned(), json!(self.notes)),
                ("undone".to_owned(), json!(self.undone)),
                ("differs".to_owned(), json!(differs)),
                ("done".to_owned(), json!(done)),
            ]);
        }
        table::json(&value)
    }
}

fn beside(config: &Path) -> PathBuf {
    config.with_file_name("agent.toml")
}

fn name_of(document: &account::Document, directory: &Path) -> Result<String, Failure> {
    Ok(match document.source() {
        Some(Source::Text(content) | Source::Url(content)) => name_there(&document.name, content.as_bytes()),
        Some(Source::File(file)) => name_of_file(&document.name, &directory.join(file))?,
        Some(Source::Account { .. }) | None => document.name.clone(),
    })
}

/// The agent that is meant: the named one, the configured one, the one of the same name that is ours.
async fn find(
    client: &Client,
    name: &str,
    wanted: &Wanted,
    configured: &str,
) -> Result<Option<crate::elevenlabs::Agent>, Failure> {
    let known = wanted.agent.as_deref().or(Some(configured)).filter(|id| !id.is_empty());
    if let Some(id) = known {
        return match client.get_agent(id).await {
            Ok(agent) => Ok(Some(agent)),
            Err(why) if why.kind == ErrorKind::NotFound => Err(Failure::Failed(format!(
                "the account has no agent {id}: name another with --agent, or take agent_id out of the configuration (account.toml, \
                 gladhand.toml), and apply makes one"
            ))),
            Err(why) => Err(why.into()),
        };
    }
    let query = AgentsQuery { search: Some(name.to_owned()), page_size: Some(100), ..AgentsQuery::default() };
    let mut same = client.list_agents(query).collect(MOST).await?;
    same.retain(|agent| agent.name == name);
    let ours = |agent: &crate::elevenlabs::AgentSummary| agent.tags.iter().any(|tag| tag == account::MARK);
    if same.iter().any(ours) {
        same.retain(ours);
    }
    match same.as_slice() {
        [] => Ok(None),
        [one] if ours(one) || wanted.adopt => Ok(Some(client.get_agent(&one.agent_id).await?)),
        [one] => Err(Failure::Failed(format!(
            "the account has an agent of this name that is not gladhand's ({}): --adopt takes it over, another name in agent.toml \
             makes a new one",
            one.agent_id
        ))),
        several => {
            let ids: Vec<_> = several.iter().map(|agent| agent.agent_id.as_str()).collect();
            Err(Failure::Failed(format!("several agents have this name; choose one with --agent: {}", ids.join(", "))))
        }
    }
}

/// The number to call from, or why there is none.
fn choose(numbers: Vec<PhoneNumber>, config: &Config, wanted: Option<&str>) -> Result<PhoneNumber, String> {
    let route = config.elevenlabs.route;
    let suits = |number: &PhoneNumber| number.provider.route() == Some(route) && number.supports_outbound != Some(false);
    let configured = Some(config.elevenlabs.agent_phone_number_id.as_str()).filter(|id| !id.is_empty());
    if let Some(id) = wanted.or(configured) {
        let found = numbers.into_iter().find(|number| number.phone_number_id == id);
        let number = found.ok_or_else(|| format!("the account has no number {id}; `gladhand numbers` lists them"))?;
        return if suits(&number) { Ok(number) } else { Err(format!("{id} cannot call over route = \"{}\"", route_name(route))) };
    }
    let mut fit: Vec<_> = numbers.into_iter().filter(|number| suits(number)).collect();
    match (fit.pop(), fit.is_empty()) {
        (None, _) => {
            Err(format!("the account has none that can call over route = \"{}\": `gladhand numbers add`", route_name(route)))
        }
        (Some(number), true) => Ok(number),
        (Some(number), false) => {
            fit.push(number);
            let ids = fit.iter().map(|number| format!("{} ({})", number.phone_number_id, masked(&number.phone_number)));
            Err(format!("several numbers can call; choose one with --number: {}", ids.collect::<Vec<_>>().join(", ")))
        }
    }
}

async fn pull(client: &Client, id: &str, file: &Path, force: bool) -> Outcome {
    if id.is_empty() {
        return Err(Failure::Failed("no agent is configured; name one with --agent".to_owned()));
    }
    let to_stdout = file == Path::new("-");
    if !to_stdout && file.exists() && !force {
        return Err(Failure::Failed(format!("{} is there already; --force overwrites it", file.display())));
    }
    let agent = account::pull(&json!(client.get_agent(id).await?)).map_err(Failure::Failed)?;
    let toml = toml::to_string_pretty(&agent).map_err(|why| Failure::Failed(why.to_string()))?;
    let text = format!("# Made by gladhand agent pull from {id}.\n{toml}");
    if to_stdout {
        return Ok(text);
    }
    fs::write(file, text).map_err(|why| Failure::Failed(format!("{}: {why}", file.display())))?;
    Ok(format!("{}\n", file.display()))
}

fn draft(body: Value) -> Result<AgentDraft, Failure> {
    serde_json::from_value(body).map_err(|why| Failure::Failed(why.to_string()))
}

fn maybe_made(why: Error) -> Failure {
    if why.was_maybe_placed() {
        Failure::Failed(format!("{why}; the agent may have been made all the same: apply again, it is found by its name"))
    } else {
        why.into()
    }
}
