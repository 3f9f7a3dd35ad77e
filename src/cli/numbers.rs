//! `gladhand numbers`: the numbers that an agent may call from.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use serde_json::{Value, json};

use super::table::{self, field, table};
use super::{Failure, Outcome};
use crate::config::secrets::Secret;
use crate::core::phone::{Phone, without_numbers};
use crate::elevenlabs::{PhoneNumber, Route, TwilioNumber};

/// Of standard input, in bytes.
const LONGEST_TOKEN: u64 = 1024;

/// `gladhand numbers`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a number of a Twilio account one of the ElevenLabs account
    ///
    /// Twilio's auth token is the environment variable TWILIO_AUTH_TOKEN, else the first line of standard input: what stands on a
    /// command line can be seen by everybody on the machine. It is handed to ElevenLabs and kept nowhere here.
    Add {
        /// The number, with + and country code
        number: String,
        /// The Twilio account
        #[arg(long, value_name = "AC…")]
        account_sid: String,
        /// What it is called
        #[arg(long, default_value = "gladhand")]
        label: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(config: &Path, args: &Args) -> Outcome {
    let (config, client) = super::vendor::open(config)?;
    let runtime = super::runtime()?;
    let numbers = runtime.block_on(client.list_phone_numbers())?;
    if let Some(Command::Add { number, account_sid, label, json }) = &args.command {
        let phone =
            Phone::parse(number, &config.calls.default_country).map_err(|why| Failure::Failed(format!("the number {why}")))?;
        let known = numbers.iter().find(|known| known.phone_number == phone.expose());
        let (id, added) = match known {
            Some(known) => (known.phone_number_id.clone(), false),
            None => {
                let token = token()?;
                let number = TwilioNumber { phone_number: phone.expose(), label, sid: account_sid, token: token.expose() };
                (runtime.block_on(client.add_twilio_number(&number))?, true)
            }
        };
        return Ok(if *json {
            table::json(&json!({ "id": id, "number": phone.to_string(), "added": added }))
        } else {
            format!("{id}: {phone} {}\n", if added { "added" } else { "is there already" })
        });
    }
    let used = config.elevenlabs.agent_phone_number_id.as_str();
    let rows: Vec<Value> = numbers.iter().map(|number| row(number, used)).collect();
    if args.json {
        return Ok(table::json(&json!({ "numbers": rows })));
    }
    if rows.is_empty() {
        return Ok("the account has no telephone number; `gladhand numbers add` gives it one of Twilio\n".to_owned());
    }
    let columns = ["id", "number", "label", "route", "outbound", "answered_by", "used"];
    let cells = rows.iter().map(|row| columns.iter().map(|name| field(row, &format!("/{name}"))).collect());
    Ok(table(&["ID", "NUMBER", "LABEL", "ROUTE", "OUTBOUND", "ANSWERED BY", "USED"], &cells.collect::<Vec<_>>()))
}

fn token() -> Result<Secret, Failure> {
    let text = match std::env::var("TWILIO_AUTH_TOKEN") {
        Ok(text) => text,
        Err(_) => typed("Twilio's auth token: ").map_err(|why| Failure::Failed(format!("standard input: {why}")))?,
    };
    Secret::new(text.trim()).map_err(|why| Failure::Failed(format!("Twilio's auth token {why}")))
}

/// A line of standard input; on a terminal asked for, and not shown.
fn typed(question: &str) -> io::Result<String> {
    let stdin = io::stdin();
    let mut line = String::new();
    let mut read = || stdin.lock().take(LONGEST_TOKEN).read_line(&mut line);
    if stdin.is_terminal() {
        let shown = tcgetattr(&stdin)?;
        let mut hidden = shown.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        write!(io::stderr(), "{question}")?;
        tcsetattr(&stdin, OptionalActions::Flush, &hidden)?;
        let read = read();
        tcsetattr(&stdin, OptionalActions::Flush, &shown)?;
        writeln!(io::stderr())?;
        read?;
    } else {
        read()?;
    }
    Ok(line)
}

fn row(number: &PhoneNumber, used: &str) -> Value {
    json!({
        "id": number.phone_number_id,
        "number": masked(&number.phone_number),
        "label": without_numbers(&number.label),
        "route": number.provider.route().map(route_name),
        "outbound": number.supports_outbound,
        "answered_by": number.assigned_agent.as_ref().map(|agent| &agent.agent_id),
        "used": number.phone_number_id == used,
    })
}

/// As the configuration writes it.
pub(super) fn route_name(route: Route) -> &'static str {
    match route {
        Route::Twilio => "twilio",
        Route::SipTrunk => "sip-trunk",
    }
}

/// `+1******0123`; nothing of what is no number.
pub(super) fn masked(number: &str) -> String {
    Phone::parse(number, "US").map_or_else(|_| "******".to_owned(), |phone| phone.to_string())
}
