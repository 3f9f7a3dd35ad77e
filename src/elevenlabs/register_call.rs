//! `POST /v1/convai/twilio/register-call`: a call that somebody else has Twilio place, for which the vendor gives the TwiML.

use core::fmt;

use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde::Serialize;

use super::client::Client;
use super::endpoint::Endpoint;
use super::error::{Error, ErrorKind};
use super::outbound_call::ClientData;

/// A call to be registered. Debug leaves the numbers out.
#[derive(Clone, PartialEq, Serialize)]
pub struct RegisterCall {
    /// Who speaks.
    pub agent_id: String,
    /// In E.164.
    pub from_number: String,
    /// In E.164.
    pub to_number: String,
    /// `None`: inbound, says the vendor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// What the call is begun with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_initiation_client_data: Option<ClientData>,
}

/// See [`RegisterCall::direction`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Somebody calls the agent.
    Inbound,
    /// The agent calls.
    Outbound,
}

impl fmt::Debug for RegisterCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisterCall")
            .field("agent_id", &self.agent_id)
            .field("direction", &self.direction)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// The TwiML for a call, to be handed to Twilio. It lets the call in: Debug is not to be shown of it.
    ///
    /// # Errors
    /// As for every request.
    pub async fn register_call(&self, call: &RegisterCall) -> Result<String, Error> {
        const ENDPOINT: Endpoint = Endpoint::RegisterCall;
        let body = serde_json::to_vec(call).map_err(|why| Error::new(ENDPOINT, ErrorKind::Invalid, why.to_string()))?;
        let url = self.http.url("/v1/convai/twilio/register-call");
        let request = self.http.request(Method::POST, url).header(CONTENT_TYPE, "application/json").body(body);
        let request = request.header(ACCEPT, "application/xml, */*;q=0.1");
        let answer = self.http.send(ENDPOINT, request).await?;
        match String::from_utf8(answer) {
            Ok(twiml) if twiml.contains("<Response") => Ok(twiml),
            Ok(_) | Err(_) => Err(Error::new(ENDPOINT, ErrorKind::Unreadable, "HTTP 200 with something else than TwiML")),
        }
    }
}
