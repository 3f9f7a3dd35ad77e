//! `gladhand calls`: the queue, and what can be done to it.

use core::time::Duration;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::{Value, json};

use super::daemon::Where;
use super::table::{self, field, list, span_field, table};
use super::{Failure, Outcome, load};
use crate::api::client::segment;
use crate::core::calls::Call;
use crate::core::calls::prompt::{Audience, PromptInput, prompt};
use crate::core::calls::queue::Denied;
use crate::core::calls::request::{BatchCallRequest, DriverData, MAX_PAYLOAD, Rules, Text, ViolationDetail, Violations, accept};
use crate::core::calls::settings::Settings;
use crate::core::id::CallSid;
use crate::core::time::duration;
use crate::host::clock::Clock;
use crate::store::{Opened, Store};

/// `gladhand calls`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Those that are not over
    List {
        #[command(flatten)]
        place: Where,
        /// Also the concluded, failed, expired and cancelled ones
        #[arg(long)]
        all: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Everything about one
    Show {
        #[command(flatten)]
        one: One,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Do not place it
    Cancel(One),
    /// Place one that is over once more
    Retry(One),
    /// Ask for a call
    Request(Box<RequestArgs>),
}

#[derive(Debug, clap::Args)]
struct One {
    #[command(flatten)]
    place: Where,
    /// The call, as `calls list` names it
    call_sid: CallSid,
}

#[derive(Debug, clap::Args)]
struct RequestArgs {
    #[command(flatten)]
    place: Where,
    /// A BatchCallRequest as JSON, `-` for standard input
    #[arg(required_unless_present = "driver_id", conflicts_with = "driver_id")]
    file: Option<PathBuf>,
    /// The driver's id
    #[arg(long, requires = "to")]
    driver_id: Option<String>,
    /// The driver's name
    #[arg(long, requires = "driver_id")]
    name: Option<String>,
    /// The driver's telephone number
    #[arg(long, requires = "driver_id")]
    to: Option<String>,
    /// What it is about, such as TRAILER_SEPARATION or FUEL_REMINDER
    #[arg(long = "type", value_name = "TYPE", requires = "driver_id")]
    kind: Option<String>,
    /// The same in words
    #[arg(long, requires = "driver_id")]
    description: Option<String>,
    /// What the agent is to mind
    #[arg(long, requires = "driver_id")]
    custom_rules: Option<String>,
    /// The trip that it is about
    #[arg(long, requires = "driver_id")]
    trip_id: Option<String>,
    /// Wait this long for the call to be placed, such as 30s
    #[arg(long, value_parser = duration::parse, value_name = "DURATION")]
    wait: Option<Duration>,
    /// Check the request and show it with its prompt, and ask for nothing
    #[arg(long)]
    dry_run: bool,
    /// The answer as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(config: &Path, args: &Args) -> Outcome {
    match &args.command {
        Command::List { place, all, json } => {
            let path = if *all { "/calls?all=true" } else { "/calls" };
            let calls = place.daemon(config)?.get_or(path, |dir| {
                let (calls, now) = (stored(dir)?, Clock::new(None).now().wall);
                let calls = calls.iter().filter(|call| *all || !call.state.is_final());
                Ok(json!({ "calls": calls.map(|call| call.listing(now)).collect::<Vec<_>>() }))
            })?;
            Ok(if *json { table::json(&calls) } else { listing(&calls) })
        }
        Command::Show { one, json } => {
            let call = one.place.daemon(config)?.get_or(&one.path(""), |dir| {
                let calls = stored(dir)?;
                let call = calls.iter().find(|call| call.call_sid == one.call_sid);
                let call = call.ok_or_else(|| Failure::Failed(Denied::NoSuchCall.to_string()))?;
                Ok(call.details(Clock::new(None).now().wall))
            })?;
            Ok(if *json { table::json(&call) } else { details(&call) })
        }
        Command::Cancel(one) => order(config, one, "/cancel"),
        Command::Retry(one) => order(config, one, "/retry"),
        Command::Request(args) => request(config, args),
    }
}

impl One {
    fn path(&self, order: &str) -> String {
        format!("/calls/{}{order}", segment(&self.call_sid))
    }
}

/// The calls of a daemon that is stopped, newest first.
pub(super) fn stored(dir: &Path) -> Result<Vec<Call>, Failure> {
    let Opened { entries, notes, .. } = Store::open(dir).map_err(|why| Failure::Failed(why.to_string()))?;
    for note in notes {
        // Not on standard output, which may be read by a program; nobody may read this at all.
        let _unread = writeln!(io::stderr(), "gladhand: store: {note}");
    }
    let mut calls = Vec::new();
    for entry in entries.iter().filter(|entry| entry.key.starts_with("call/")) {
        let call: Call =
            serde_json::from_slice(&entry.bytes).map_err(|_| Failure::Failed(format!("{} cannot be read", entry.key)))?;
        calls.push(call);
    }
    calls.sort_by_key(|call| core::cmp::Reverse(call.order));
    Ok(calls)
}

fn order(config: &Path, one: &One, order: &str) -> Outcome {
    let call = one.place.daemon(config)?.post(&one.path(order), &[], Duration::ZERO)?;
    Ok(state(&call))
}

fn listing(calls: &Value) -> String {
    let rows: Vec<_> = list(calls, "calls")
        .iter()
        .map(|call| {
            let get = |pointer| field(call, pointer);
            let outcome = match (get("/outcome"), get("/reason")) {
                (outcome, reason) if reason == "-" => outcome,
                (outcome, reason) if outcome == "-" => reason,
                (outcome, reason) => format!("{outcome}: {reason}"),
            };
            let driver = match get("/driver/name") {
                name if name == "-" => get("/driver/id"),
                name => name,
            };
            let (phone, age) = (get("/phone_masked"), span_field(call, "/age_s"));
            vec![get("/call_sid"), get("/state"), get("/attempt"), get("/kind"), driver, get("/to"), phone, age, outcome]
        })
        .collect();
    if rows.is_empty() {
        return "no calls\n".to_owned();
    }
    table(&["CALL", "STATE", "TRY", "KIND", "DRIVER", "TO", "PHONE", "AGE", "OUTCOME"], &rows)
}

fn details(call: &Value) -> String {
    let mut out = String::new();
    let text = |value: &Value| match value.as_object() {
        Some(object) => object.keys().map(|key| field(value, &format!("/{key}"))).collect::<Vec<_>>().join(" "),
        None => field(value, ""),
    };
    for (key, value) in call.as_object().into_iter().flatten().filter(|(key, _)| *key != "transcript") {
        match value.as_array() {
            Some(items) => items.iter().for_each(|item| out.push_str(&format!("{key:<16}  {}\n", text(item)))),
            None => out.push_str(&format!("{key:<16}  {}\n", text(value))),
        }
    }
    for turn in list(call, "transcript") {
        out.push_str(&format!("{:>16}  {}\n", field(turn, "/role"), field(turn, "/message")));
    }
    out
}

/// `EL_DR001_7: pending`.
fn state(call: &Value) -> String {
    format!("{}: {}\n", field(call, "/call_sid"), field(call, "/state"))
}

fn request(config: &Path, args: &RequestArgs) -> Outcome {
    let body = match (&args.file, &args.driver_id, &args.to) {
        (Some(file), _, _) => read(file).map_err(|error| Failure::Failed(format!("{}: {error}", file.display())))?,
        (None, Some(id), Some(to)) => {
            serde_json::to_vec(&written(args, id, to)).map_err(|error| Failure::Failed(error.to_string()))?
        }
        (None, None, _) | (None, Some(_), None) => return Err(Failure::Failed("nobody to call".to_owned())),
    };
    if args.dry_run {
        return dry_run(&body, &load(config)?.calls);
    }
    let wait = args.wait.map_or_else(String::new, |wait| format!("?wait={}", duration::format(wait)));
    let path = format!("/driver_data/call-elevenlabs{wait}");
    let answer = args.place.daemon(config)?.post(&path, &body, args.wait.unwrap_or_default())?;
    Ok(if args.json { table::json(&answer) } else { state(&answer) })
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    // One byte more than is accepted, so that too much is seen to be too much.
    let limit = MAX_PAYLOAD as u64 + 1;
    if file.as_os_str() == "-" {
        io::stdin().lock().take(limit).read_to_end(&mut body)?;
    } else {
        fs::File::open(file)?.take(limit).read_to_end(&mut body)?;
    }
    Ok(body)
}

fn written(args: &RequestArgs, driver_id: &str, to: &str) -> BatchCallRequest {
    let text = |option: &Option<String>| option.as_deref().map(Text::from);
    // The time makes two orders two requests: the same payload counts once.
    BatchCallRequest {
        call_type: Some("manual".into()),
        timestamp: Some(Text(Clock::new(None).now().wall.to_string())),
        drivers: vec![DriverData {
            driver_id: driver_id.into(),
            driver_name: text(&args.name),
            phone_number: to.into(),
            violations: Some(Violations {
                trip_id: text(&args.trip_id),
                violation_details: Some(vec![ViolationDetail { kind: text(&args.kind), description: text(&args.description) }]),
            }),
            custom_rules: text(&args.custom_rules).map(Rules::One),
        }],
        trip_id: None,
        user_id: None,
        retry_count: None,
        parent_call_sid: None,
    }
}

fn dry_run(body: &[u8], settings: &Settings) -> Outcome {
    let request = accept(body, &settings.default_country).map_err(|refusal| Failure::Failed(refusal.message))?;
    let prompt = prompt(&PromptInput {
        audience: Audience::Driver,
        points: request.details.iter().map(Into::into).collect(),
        custom_rules: &request.custom_rules,
        country: &settings.default_country,
        templates: &settings.prompt,
    });
    Ok(table::json(&json!({
        "driver": {
            "driverId": request.driver_id,
            "driverName": request.driver_name,
            "phoneNumber": request.phone.expose(),
        },
        "prompt": prompt,
        "triggers_count": request.triggers_count(),
    })))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn parse(args: &[&str]) -> Result<RequestArgs, clap::Error> {
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            args: RequestArgs,
        }
        Line::try_parse_from(["request"].iter().chain(args)).map(|line| line.args)
    }

    #[test]
    fn calls_are_listed_with_what_became_of_them() {
        let calls = json!({"calls": [
            {"call_sid": "EL_DR001_1", "state": "concluded", "attempt": 1, "kind": "left_behind", "outcome": "answered",
             "to": "driver", "phone_masked": "+1******0123",
             "driver": {"id": "DR001", "name": "Jane Doe", "phone_masked": "+1******0123"}, "reason": null, "age_s": 400.9},
            {"call_sid": "EL_17_2", "state": "held", "attempt": 2, "kind": null, "outcome": null,
             "to": "dispatcher", "phone_masked": "+1******0199",
             "driver": {"id": "17", "name": "", "phone_masked": "+1******0124"}, "reason": "quiet hours", "age_s": 3},
        ]});
        assert_eq!(
            listing(&calls),
            "CALL        STATE      TRY  KIND         DRIVER    TO          PHONE         AGE     OUTCOME\n\
             EL_DR001_1  concluded  1    left_behind  Jane Doe  driver      +1******0123  6m 40s  answered\n\
             EL_17_2     held       2    -            17        dispatcher  +1******0199  3s      quiet hours\n"
        );
        assert_eq!(listing(&json!({"calls": []})), "no calls\n");
        let one = details(&calls["calls"][0]);
        assert!(one.contains("driver            DR001 Jane Doe +1******0123\n"), "{one}");
        let talk = details(&json!({"state": "concluded", "separations": [{"kind": "left_behind", "trailer": "R-1"}],
            "transcript": [{"role": "agent", "message": "Are you with it?"}, {"role": "user", "message": "No."}]}));
        assert_eq!(
            talk,
            "separations       left_behind R-1\nstate             concluded\n           agent  Are you with it?\n            user  No.\n"
        );
    }

    #[test]
    fn flags_make_a_request_that_is_accepted() {
        let args = parse(&[
            "--driver-id",
            "DR001",
            "--to",
            "212 555 0123",
            "--type",
            "FUEL_REMINDER",
            "--description",
            "Fuel up",
            "--trip-id",
            "7",
        ])
        .unwrap();
        let body = serde_json::to_vec(&written(&args, args.driver_id.as_deref().unwrap(), args.to.as_deref().unwrap())).unwrap();
        let shown: Value = serde_json::from_str(&dry_run(&body, &Settings::default()).unwrap()).unwrap();
        assert_eq!(
            shown,
            json!({
                "driver": {"driverId": "DR001", "driverName": "", "phoneNumber": "+12125550123"},
                "prompt": "This is a reminder: Fuel up.",
                "triggers_count": 1,
            })
        );
        assert_eq!(accept(&body, "US").unwrap().trip_id.as_deref(), Some("7"));
        let Err(Failure::Failed(why)) = dry_run(b"{\"drivers\":[]}", &Settings::default()) else { panic!("accepted") };
        assert_eq!(why, "No driver data provided");
    }

    #[test]
    fn a_request_is_a_file_or_flags_not_both_and_not_neither() {
        assert!(parse(&["-"]).is_ok());
        for wrong in [&[][..], &["--driver-id", "D"], &["--to", "+12125550123"], &["f.json", "--driver-id", "D", "--to", "1"]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(parse(&["-", "--wait", "30"]).is_err());
    }
}
