//! `GET /v1/convai/conversation/get-signed-url`: an address at which an agent can be talked to without the key.

use core::fmt;

use serde::Deserialize;

use super::client::Client;
use super::endpoint::Endpoint;
use super::error::Error;
use super::pages::append;

/// The address, good for 15 minutes to begin a conversation. It is a secret: Debug hides it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct SignedUrl {
    signed_url: String,
}

impl SignedUrl {
    /// The address itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.signed_url
    }
}

impl fmt::Debug for SignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Client {
    /// An address for one conversation with this agent.
    ///
    /// # Errors
    /// As for every request.
    pub async fn signed_url(&self, agent_id: &str) -> Result<SignedUrl, Error> {
        let mut url = self.http.url("/v1/convai/conversation/get-signed-url");
        append(&mut url, [("agent_id", agent_id.to_owned())]);
        self.http.get_json(Endpoint::SignedUrl, url).await
    }
}
