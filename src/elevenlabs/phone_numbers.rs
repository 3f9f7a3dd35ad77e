//! `/v1/convai/phone-numbers`: the numbers that agents call from.

use core::fmt;

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::client::Client;
use super::endpoint::Endpoint;
use super::error::Error;
use super::lenient::lenient;
use super::settings::Route;

const PATH: &str = "/v1/convai/phone-numbers";

/// A number of the account. Debug leaves the number out.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct PhoneNumber {
    /// For `elevenlabs.agent_phone_number_id`.
    pub phone_number_id: String,
    /// As the vendor writes it.
    #[serde(default)]
    pub phone_number: String,
    /// As the console shows it.
    #[serde(default)]
    pub label: String,
    /// Who puts its calls through.
    pub provider: Provider,
    /// Whether it can call; `None` is not said.
    #[serde(default, deserialize_with = "lenient")]
    pub supports_outbound: Option<bool>,
    /// Whether it can be called.
    #[serde(default, deserialize_with = "lenient")]
    pub supports_inbound: Option<bool>,
    /// The agent that answers it.
    #[serde(default, deserialize_with = "lenient")]
    pub assigned_agent: Option<AssignedAgent>,
    /// All else that the vendor says of it.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// See [`PhoneNumber::provider`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Twilio: `route = "twilio"`.
    Twilio,
    /// A SIP trunk: `route = "sip-trunk"`.
    SipTrunk,
    /// Exotel, which gladhand has no route for.
    Exotel,
    /// One that is not known here.
    #[serde(untagged)]
    Other(String),
}

/// See [`PhoneNumber::assigned_agent`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignedAgent {
    /// The vendor's id.
    pub agent_id: String,
    /// As the console shows it.
    #[serde(default)]
    pub agent_name: String,
}

/// A number of a Twilio account. Shows itself to nobody: the token opens that account.
#[derive(Serialize)]
pub struct TwilioNumber<'a> {
    /// E.164.
    pub phone_number: &'a str,
    /// As the console shows it.
    pub label: &'a str,
    /// The Twilio account, `AC…`.
    pub sid: &'a str,
    /// Its auth token.
    pub token: &'a str,
}

impl Provider {
    /// The route that its calls take, if gladhand has one.
    #[must_use]
    pub fn route(&self) -> Option<Route> {
        match self {
            Self::Twilio => Some(Route::Twilio),
            Self::SipTrunk => Some(Route::SipTrunk),
            Self::Exotel | Self::Other(_) => None,
        }
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { phone_number_id, provider, assigned_agent, .. } = self;
        f.debug_struct("PhoneNumber")
            .field("phone_number_id", phone_number_id)
            .field("provider", provider)
            .field("assigned_agent", assigned_agent)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// The account's numbers. They come at once, without pages.
    ///
    /// # Errors
    /// As for every request.
    pub async fn list_phone_numbers(&self) -> Result<Vec<PhoneNumber>, Error> {
        self.http.get_json(Endpoint::PhoneNumbersList, self.http.url(PATH)).await
    }

    /// Makes a Twilio number one of the account's, and says its id.
    ///
    /// # Errors
    /// As for every request; after [`was_maybe_placed`](Error::was_maybe_placed) look for it before another attempt.
    pub async fn add_twilio_number(&self, number: &TwilioNumber<'_>) -> Result<String, Error> {
        #[derive(Serialize)]
        struct Body<'a> {
            provider: Provider,
            #[serde(flatten)]
            number: &'a TwilioNumber<'a>,
        }
        #[derive(Deserialize)]
        struct Created {
            phone_number_id: String,
        }
        let body = Body { provider: Provider::Twilio, number };
        let http = self.http.beside(number.token);
        let created: Created = http.send_json(Endpoint::PhoneNumberCreate, Method::POST, http.url(PATH), &body).await?;
        Ok(created.phone_number_id)
    }
}
