//! `gladhand numbers`: the numbers that an agent may call from.

use std::path::Path;

use serde_json::{Value, json};

use super::Outcome;
use super::table::{self, field, table};
use crate::core::phone::Phone;
use crate::elevenlabs::{PhoneNumber, Route};

/// `gladhand numbers`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(config: &Path, args: &Args) -> Outcome {
    let (config, client) = super::vendor::open(config)?;
    let numbers = super::runtime()?.block_on(client.list_phone_numbers())?;
    let used = config.elevenlabs.agent_phone_number_id.as_str();
    let rows: Vec<Value> = numbers.iter().map(|number| row(number, used)).collect();
    if args.json {
        return Ok(table::json(&json!({ "numbers": rows })));
    }
    if rows.is_empty() {
        return Ok("the account has no telephone number\n".to_owned());
    }
    let columns = ["id", "number", "label", "route", "outbound", "answered_by", "used"];
    let cells = rows.iter().map(|row| columns.iter().map(|name| field(row, &format!("/{name}"))).collect());
    Ok(table(&["ID", "NUMBER", "LABEL", "ROUTE", "OUTBOUND", "ANSWERED BY", "USED"], &cells.collect::<Vec<_>>()))
}

fn row(number: &PhoneNumber, used: &str) -> Value {
    json!({
        "id": number.phone_number_id,
        "number": masked(&number.phone_number),
        "label": crate::core::phone::without_numbers(&number.label),
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
