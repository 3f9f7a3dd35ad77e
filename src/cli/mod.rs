//! The command line: one file per command. A command hands back what it has to say, which is printed here, or why it
//! failed, which becomes the exit code: 0 done, 1 failed, 2 usage, 3 something
//! differs (and was only looked at), 64 malformed configuration.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};

use crate::config::{self, Config, ConfigError};

mod agent;
mod bundle;
mod calls;
pub mod check;
mod conversations;
mod daemon;
mod demo;
mod documents;
mod knowledge;
mod numbers;
mod replay;
mod roster;
mod run;
mod service_user;
mod simulate;
mod standin;
mod status;
mod table;
mod vendor;
mod violations;

/// Notices when a tractor and its trailer come apart, and has somebody telephoned about it exactly once.
#[derive(Debug, Parser)]
#[command(name = "gladhand", version, arg_required_else_help = true)]
pub struct Cli {
    /// The configuration
    #[arg(long, global = true, value_name = "FILE", default_value = config::DEFAULT_PATH)]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The daemon
    Run,
    /// Whether everything is there that the daemon needs
    Check(check::Args),
    /// The whole story on this machine, with nothing to set up: a trailer left behind, and one telephone call
    Demo,
    /// What the detector says of a recording
    ///
    /// The recording holds lines of `mosquitto_sub -F %J -t '#'`, or lines `{"topic":…,"received":<unix s>,"payload":…}`. Assignments
    /// and zones in it change the roster as they would live. No broker, key, store or configuration is needed; the telemetry
    /// sources, thresholds and zones are those of the configuration where there is one.
    ///
    /// Standard output holds findings and nothing else, one JSON object a line, always the same for the same recording. Everything
    /// for people goes to standard error: what --explain and --compare say, lines that could not be read, and what was read.
    Replay(replay::Args),
    /// Simulated rigs for any broker
    Simulate(simulate::Args),
    /// A stand-in for ElevenLabs on this machine
    Standin(standin::Args),
    /// What health says, for a terminal
    Status(status::Args),
    /// One file for whoever helps from afar: configuration, health, calls and journal, without secrets and numbers
    SupportBundle(bundle::Args),
    /// The queue of calls
    Calls(calls::Args),
    /// What is open
    Violations(violations::Args),
    /// The roster in effect, zones included, and where each entry came from
    Roster(roster::Args),
    /// The agent in the ElevenLabs account, as a file
    Agent(agent::Args),
    /// What the agent has talked about, as ElevenLabs keeps it
    Conversations(conversations::Args),
    /// Documents that agents may look up
    Knowledge(knowledge::Args),
    /// Telephone numbers of the ElevenLabs account
    Numbers(numbers::Args),
    /// A completion script for a shell
    Completions {
        /// Whose
        shell: clap_complete::Shell,
    },
    /// The manual page
    Man {
        /// Writes it and the pages of all commands there
        directory: Option<PathBuf>,
    },
}

/// The exit code of a command that only looked, and found that something is to be done.
const DIFFERS: u8 = 3;

/// What a command that destroys something says instead of doing it, for want of `--yes`.
fn would(done: &str, ids: &[String], json: bool) -> Failure {
    let text = if json {
        table::json(&serde_json::json!({ format!("would_be_{done}"): ids }))
    } else {
        ids.iter().map(|id| format!("{id}: would be {done}; --yes does it\n")).collect()
    };
    Failure::Reported { text, code: DIFFERS }
}

/// Why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// Exit code 1, with the reason.
    Failed(String),
    /// What the command has to say is that something is wrong; printed like a success, with another exit code.
    Reported {
        /// For standard output.
        text: String,
        /// The exit code.
        code: u8,
    },
    /// Exit code 64, with everything that is wrong with the configuration.
    Malformed(Vec<ConfigError>),
}

/// What a command has to say on standard output, line ends included.
type Outcome = Result<String, Failure>;

/// Runs the command that the arguments name. Wrong usage ends the process with exit code 2.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match &cli.command {
        Command::Run => run::run(&cli.config),
        Command::Check(args) => check::run(&cli.config, args),
        Command::Demo => demo::run(),
        Command::Replay(args) => replay::run(&cli.config, args),
        Command::Simulate(args) => simulate::run(&cli.config, args),
        Command::Standin(args) => standin::run(args),
        Command::Status(args) => status::run(&cli.config, args),
        Command::SupportBundle(args) => bundle::run(&cli.config, args),
        Command::Calls(args) => calls::run(&cli.config, args),
        Command::Violations(args) => violations::run(&cli.config, args),
        Command::Roster(args) => roster::run(&cli.config, args),
        Command::Agent(args) => agent::run(&cli.config, args),
        Command::Conversations(args) => conversations::run(&cli.config, args),
        Command::Knowledge(args) => knowledge::run(&cli.config, args),
        Command::Numbers(args) => numbers::run(&cli.config, args),
        Command::Completions { shell } => documents::completions(*shell),
        Command::Man { directory } => documents::man(directory.as_ref()),
    };
    let (code, written) = match outcome {
        Ok(text) => (0, io::stdout().lock().write_all(text.as_bytes())),
        Err(Failure::Failed(why)) => (1, writeln!(io::stderr(), "gladhand: {why}")),
        Err(Failure::Reported { text, code }) => (code, io::stdout().lock().write_all(text.as_bytes())),
        Err(Failure::Malformed(errors)) => (64, errors.iter().try_for_each(|error| writeln!(io::stderr(), "{error}"))),
    };
    // A reader that has seen enough (`| head`) is no failure.
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::from(1),
        Ok(()) | Err(_) => ExitCode::from(code),
    }
}

/// One thread for everything that does not block: a gateway has other work for its cores.
fn runtime() -> Result<Runtime, Failure> {
    Builder::new_current_thread().enable_all().build().map_err(|why| Failure::Failed(format!("no runtime: {why}")))
}

fn load(path: &Path) -> Result<Config, Failure> {
    config::load(path).map_err(Failure::Malformed)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_of_the_command_line_holds() {
        Cli::command().debug_assert();
    }
}
