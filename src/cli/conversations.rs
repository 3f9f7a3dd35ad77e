//! `gladhand conversations`: what the agent has talked about, as the vendor keeps it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::table::{self, field, list, plain_line, span_field, table};
use super::vendor::Progress;
use super::{Failure, Outcome};
use crate::account::masked;
use crate::elevenlabs::{ConversationDetail, ConversationSummary, ConversationsQuery, VariableIs};

/// `gladhand conversations`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// The newest ones of the configured agent
    List {
        /// Of all agents of the account
        #[arg(long)]
        all_agents: bool,
        /// Of this call of gladhand's
        #[arg(long, value_name = "CALL")]
        call_sid: Option<String>,
        /// How many at most
        #[arg(long, default_value_t = 30, value_name = "N")]
        limit: usize,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// One of them: what was said, and what was made of it
    Show {
        /// Its id
        conversation: String,
        /// As JSON, all that the vendor says of it; telephone numbers masked
        #[arg(long)]
        json: bool,
    },
    /// Fetch the recording
    Audio {
        /// Its id
        conversation: String,
        /// Where to, when it is not CONVERSATION.mp3
        file: Option<PathBuf>,
        /// Overwrite that file
        #[arg(long)]
        force: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Delete conversations at the vendor, recordings included
    ///
    /// Without --yes it only says so, with exit code 3. What is deleted is no longer found when a call is looked for whose answer
    /// was lost.
    Delete {
        /// Their ids
        #[arg(required = true)]
        conversations: Vec<String>,
        /// Do it
        #[arg(long)]
        yes: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(config: &Path, args: &Args) -> Outcome {
    let (config, client) = super::vendor::open(config)?;
    let runtime = super::runtime()?;
    match &args.command {
        Command::List { all_agents, call_sid, limit, json } => {
            let agent = Some(config.elevenlabs.agent_id).filter(|id| !all_agents && !id.is_empty());
            let query = ConversationsQuery {
                agent_id: agent,
                variables: call_sid.iter().map(|sid| VariableIs::Equal("call_sid".to_owned(), sid.clone())).collect(),
                page_size: Some(u32::try_from(*limit).unwrap_or(100).clamp(1, 100)),
                ..ConversationsQuery::default()
            };
            let rows = runtime.block_on(client.list_conversations(query).collect(*limit))?;
            Ok(if *json { table::json(&json!({ "conversations": shown(&rows)? })) } else { listing(&rows) })
        }
        Command::Show { conversation, json } => {
            let found = runtime.block_on(client.get_conversation(conversation))?;
            let value = shown(&found)?;
            Ok(if *json { table::json(&value) } else { telling(&found, &value) })
        }
        Command::Audio { conversation, file, force, json } => {
            let file = file.clone().unwrap_or_else(|| format!("{conversation}.mp3").into());
            if file.exists() && !force {
                return Err(Failure::Failed(format!("{} is there already; --force overwrites it", file.display())));
            }
            let mut progress = Progress::of(conversation);
            let fetched = client.download_audio(conversation, &file, |bytes, total| progress.at(bytes, total));
            let bytes = runtime.block_on(fetched)?;
            drop(progress);
            let file = file.display();
            Ok(if *json {
                table::json(&json!({ "file": file.to_string(), "bytes": bytes }))
            } else {
                format!("{file}: {bytes} bytes\n")
            })
        }
        Command::Delete { conversations, yes: false, json } => Err(super::would("deleted", conversations, *json)),
        Command::Delete { conversations, yes: true, json } => {
            for conversation in conversations {
                runtime.block_on(client.delete_conversation(conversation))?;
            }
            Ok(if *json {
                table::json(&json!({ "deleted": conversations }))
            } else {
                conversations.iter().map(|id| format!("{id}: deleted\n")).collect()
            })
        }
    }
}

/// What may be on a screen.
fn shown(value: &impl serde::Serialize) -> Result<Value, Failure> {
    serde_json::to_value(value).map(|value| masked(&value)).map_err(|why| Failure::Failed(why.to_string()))
}

fn listing(conversations: &[ConversationSummary]) -> String {
    let rows: Vec<_> = conversations
        .iter()
        .filter_map(|conversation| serde_json::to_value(conversation).ok())
        .map(|row| {
            vec![
                field(&row, "/conversation_id"),
                time(&row, "/start_time_unix_secs"),
                span_field(&row, "/call_duration_secs"),
                field(&row, "/status"),
                field(&row, "/call_successful"),
                field(&row, "/message_count"),
            ]
        })
        .collect();
    if rows.is_empty() {
        return "no conversations\n".to_owned();
    }
    table(&["CONVERSATION", "STARTED", "LENGTH", "STATUS", "JUDGED", "TURNS"], &rows)
}

fn telling(found: &ConversationDetail, value: &Value) -> String {
    let mut out = String::new();
    let line = |out: &mut String, name: &str, text: String| {
        if text != "-" {
            // Writing to a String does not fail.
            let _ = writeln!(out, "{name:<10} {text}");
        }
    };
    line(&mut out, "id", plain_line(&found.conversation_id));
    line(&mut out, "call", field(value, "/conversation_initiation_client_data/dynamic_variables/call_sid"));
    line(&mut out, "status", field(value, "/status"));
    line(&mut out, "started", time(value, "/metadata/start_time_unix_secs"));
    line(&mut out, "length", span_field(value, "/metadata/call_duration_secs"));
    line(&mut out, "ended", field(value, "/metadata/termination_reason"));
    line(&mut out, "summary", field(value, "/analysis/transcript_summary"));
    for (heading, pointer, result) in [
        ("judged", "/analysis/evaluation_criteria_results", "result"),
        ("collected", "/analysis/data_collection_results", "value"),
    ] {
        for (name, found) in value.pointer(pointer).and_then(Value::as_object).into_iter().flatten() {
            line(&mut out, heading, format!("{}: {}", plain_line(name), field(found, &format!("/{result}"))));
        }
    }
    for turn in list(value, "transcript").iter().filter(|turn| turn.get("message").is_some_and(Value::is_string)) {
        let _ =
            writeln!(out, "{:>6}  {}: {}", span_field(turn, "/time_in_call_secs"), field(turn, "/role"), field(turn, "/message"));
    }
    out
}

fn time(value: &Value, pointer: &str) -> String {
    let at = value.pointer(pointer).and_then(Value::as_i64).and_then(|secs| Timestamp::from_second(secs).ok());
    at.map_or_else(|| "-".to_owned(), |at| at.to_string())
}
