//! What is to go wrong: with the POSTs of calls as a program says it, and with any endpoint as a file has it.

use core::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::answer::{Answer, Body};
use crate::core::time::duration;
use crate::elevenlabs::Endpoint;

/// The most faults that a file has.
const MOST: usize = 1_000;

/// What happens to one POST instead of the usual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is answered.
    pub reply: Reply,
    /// Whether the telephone rings all the same.
    pub dialled: bool,
    /// How long the answer takes.
    pub delay: Duration,
}

/// What a POST gets back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// What it deserves.
    Usual,
    /// This status, with `detail.code` and the header `retry-after` when given.
    Status {
        /// 400 to 599.
        status: u16,
        /// `detail.code`.
        code: String,
        /// The header as it stands.
        retry_after: Option<String>,
    },
    /// 200 with `success: true` and no ids.
    NullIds,
    /// 200 with `success: false` and this message: the telephone provider refused.
    Refused(String),
    /// 200 with a page of HTML.
    Html,
    /// None: the connection is closed.
    Drop,
}

impl Fault {
    /// This answer at once, and no telephone rings; for [`Reply::Usual`] and [`Reply::NullIds`] it does.
    #[must_use]
    pub fn new(reply: Reply) -> Self {
        let dialled = matches!(reply, Reply::Usual | Reply::NullIds);
        Self { reply, dialled, delay: Duration::ZERO }
    }

    /// A refusal with this status.
    #[must_use]
    pub fn status(status: u16, code: &str) -> Self {
        Self::new(Reply::Status { status, code: code.to_owned(), retry_after: None })
    }

    /// The same, but the telephone rings.
    #[must_use]
    pub fn dialled(self) -> Self {
        Self { dialled: true, ..self }
    }

    /// The same, but only after a while.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }
}

/// One `[[fault]]`: what happens to requests of one endpoint instead of the usual.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointFault {
    /// [`Endpoint::name`].
    endpoint: String,
    /// Which request since the start, from 1; without it, every one.
    nth: Option<u64>,
    /// The status that is answered, with an error of the vendor's form unless there is a `body`.
    status: Option<u16>,
    /// `detail.code` of that error.
    code: Option<String>,
    /// What is answered instead, as it stands.
    body: Option<String>,
    /// The header, as it stands: seconds, or a date.
    #[serde(rename = "retry-after")]
    retry_after: Option<String>,
    /// How long the answer takes.
    #[serde(default, with = "duration")]
    delay: Duration,
    /// The connection is closed without an answer.
    #[serde(default)]
    drop: bool,
    /// The request is done all the same: the telephone rings, the document is there.
    #[serde(default)]
    done: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    fault: Vec<EndpointFault>,
}

impl EndpointFault {
    /// Reads a file of faults: TOML, or JSON of the same shape.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read(text: &str) -> Result<Vec<Self>, String> {
        let File { fault } = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|why| why.to_string())?
        } else {
            toml::from_str(text).map_err(|why| why.to_string())?
        };
        for (n, fault) in fault.iter().enumerate() {
            fault.checked().map_err(|why| format!("fault {}: {why}", n + 1))?;
        }
        if fault.len() > MOST { Err(format!("more than {MOST} faults")) } else { Ok(fault) }
    }

    fn checked(&self) -> Result<(), String> {
        if !Endpoint::ALL.iter().any(|endpoint| endpoint.name() == self.endpoint) {
            let names: Vec<&str> = Endpoint::ALL.iter().map(|endpoint| endpoint.name()).collect();
            return Err(format!("endpoint {:?} is none of {}", self.endpoint, names.join(", ")));
        }
        if self.nth == Some(0) {
            return Err("nth counts from 1".to_owned());
        }
        if self.status.is_some_and(|status| !(200..=599).contains(&status)) {
            return Err("status is from 200 to 599".to_owned());
        }
        if self.drop && (self.status.is_some() || self.body.is_some()) {
            return Err("drop leaves no room for status or body".to_owned());
        }
        if !self.drop && self.status.is_none() && self.body.is_none() && self.delay.is_zero() {
            return Err("names neither status, body, delay nor drop".to_owned());
        }
        Ok(())
    }

    pub(super) fn hits(&self, endpoint: Endpoint, nth: u64) -> bool {
        self.endpoint == endpoint.name() && self.nth.is_none_or(|wanted| wanted == nth)
    }

    /// Whether the request is done: said so, or nothing but its answer's time is changed.
    pub(super) fn takes_effect(&self) -> bool {
        self.done || (!self.drop && self.status.is_none() && self.body.is_none())
    }

    /// The answer, made of the usual one where the request was done.
    pub(super) fn applied(&self, usual: Option<Answer>) -> Answer {
        let status = self.status.unwrap_or(200);
        let answer = match (&self.body, self.drop, self.status, usual) {
            (_, true, _, _) => Answer { body: Body::Drop, ..Answer::json(200, Value::Null) },
            (Some(body), false, _, _) => Answer { body: Body::Text(body.clone()), ..Answer::json(status, Value::Null) },
            (None, false, None, Some(usual)) => usual,
            (None, false, _, _) => Answer::detail(status, self.code.as_deref().unwrap_or("scripted"), "a scripted fault"),
        };
        Answer { retry_after: self.retry_after.clone().or(answer.retry_after), delay: answer.delay + self.delay, ..answer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_toml_or_json_and_what_is_wrong_is_named() {
        let toml = "[[fault]]\nendpoint = \"outbound_call\"\nnth = 2\nstatus = 429\nretry-after = \"3\"\n";
        let json = r#"{"fault": [{"endpoint": "outbound_call", "nth": 2, "status": 429, "retry-after": "3"}]}"#;
        let faults = EndpointFault::read(toml).unwrap();
        assert_eq!(faults, EndpointFault::read(json).unwrap());
        assert!(faults[0].hits(Endpoint::OutboundCall, 2) && !faults[0].hits(Endpoint::OutboundCall, 3));
        assert!(!faults[0].hits(Endpoint::AgentGet, 2) && !faults[0].takes_effect());
        let answer = faults[0].applied(None);
        assert_eq!((answer.status, answer.retry_after.as_deref()), (429, Some("3")));
        for (wrong, named) in [
            ("endpoint = \"dial\"\ndrop = true", "outbound_call"),
            ("endpoint = \"agent_get\"", "neither"),
            ("endpoint = \"agent_get\"\nnth = 0\ndrop = true", "nth"),
            ("endpoint = \"agent_get\"\nstatus = 42", "status"),
            ("endpoint = \"agent_get\"\ndrop = true\nstatus = 500", "drop"),
            ("endpoint = \"agent_get\"\nwait = \"1s\"", "wait"),
        ] {
            let error = EndpointFault::read(&format!("[[fault]]\n{wrong}\n")).unwrap_err();
            assert!(error.contains(named), "{wrong}: {error}");
        }
    }
}
