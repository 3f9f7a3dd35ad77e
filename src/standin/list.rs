//! The list of conversations, with the conditions that it can be asked by.

use serde_json::{Value, json};

use super::answer::Answer;
use super::calls::{Conversation, Filters};
use super::check::Flaw;
use super::state::State;
use crate::core::time::UnixMillis;

impl State {
    pub(super) fn filtered(&self, query: &[(String, String)], now: UnixMillis) -> Result<Value, Answer> {
        let mut found: Vec<&Conversation> =
            self.conversations.iter().rev().filter(|c| now.since(c.started) >= c.life.listed_after).collect();
        let (mut size, mut start) = (30, 0);
        for (name, value) in query {
            let refuse = |kind| Answer::invalid("query", &[Flaw::new(name, kind, json!(value))]);
            let number = || value.parse::<i64>().map_err(|_| refuse(Flaw::INTEGER));
            let several = || query.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str());
            match name.as_str() {
                "agent_id" => found.retain(|c| c.request.pointer("/agent_id").and_then(Value::as_str) == Some(value)),
                "user_id" | "dynamic_variable_params" if self.filters == Filters::Ignored => {}
                "user_id" | "dynamic_variable_params" if self.filters == Filters::None => {
                    return Err(refuse(Flaw::EXTRA));
                }
                "user_id" => found.retain(|c| c.user_id() == Some(value)),
                "call_start_after_unix" => {
                    let after = number()?;
                    found.retain(|c| c.started_secs() >= after);
                }
                "call_start_before_unix" => {
                    let before = number()?;
                    found.retain(|c| c.started_secs() <= before);
                }
                "dynamic_variable_params" if self.filters == Filters::WithoutVariables => {
                    return Err(refuse(Flaw::EXTRA));
                }
                "dynamic_variable_params" => {
                    let mut parts = value.splitn(3, ':');
                    let (Some(variable), Some(op), Some(wanted)) = (parts.next(), parts.next(), parts.next()) else {
                        return Err(refuse(Flaw::VALUE));
                    };
                    match op {
                        "eq" => found.retain(|c| c.variable(variable).unwrap_or_default() == wanted),
                        "neq" => found.retain(|c| c.variable(variable).unwrap_or_default() != wanted),
                        "in" => found.retain(|c| wanted.split('|').any(|wanted| c.variable(variable) == Some(wanted))),
                        // The stand-in compares no numbers.
                        _ => return Err(refuse(Flaw::VALUE)),
                    }
                }
                "call_duration_min_secs" => {
                    let least = number()?;
                    found.retain(|c| i64::try_from(c.seconds(now)).is_ok_and(|secs| secs >= least));
                }
                "call_duration_max_secs" => {
                    let most = number()?;
                    found.retain(|c| i64::try_from(c.seconds(now)).is_ok_and(|secs| secs <= most));
                }
                "call_successful" => found.retain(|c| c.successful(now) == value),
                "has_feedback_comment" if value == "true" => found.clear(),
                "phone_number_ids" => {
                    found.retain(|c| several().any(|id| c.request["agent_phone_number_id"].as_str() == Some(id)))
                }
                "conversation_initiation_source" => found.retain(|c| c.source() == value),
                "exclude_statuses" => found.retain(|c| c.status(now) != value),
                "termination_reasons" => found.retain(|c| several().any(|reason| reason == c.reason())),
                "search" => found.retain(|c| c.life.said.join(" ").to_lowercase().contains(&value.to_lowercase())),
                "sort_direction" => match value.as_str() {
                    "asc" => found.reverse(),
                    "desc" => {}
                    _ => return Err(refuse(Flaw::VALUE)),
                },
                "page_size" => {
                    size =
                        usize::try_from(number()?).ok().filter(|n| (1..=100).contains(n)).ok_or_else(|| refuse(Flaw::RANGE))?;
                }
                "cursor" => start = usize::try_from(number()?).map_err(|_| refuse(Flaw::VALUE))?,
                _ => {}
            }
        }
        let rows: Vec<Value> = found.iter().skip(start).take(size).map(|c| c.row(now)).collect();
        let end = start.saturating_add(rows.len());
        let has_more = end < found.len();
        Ok(json!({"conversations": rows, "has_more": has_more, "next_cursor": has_more.then(|| end.to_string())}))
    }
}
