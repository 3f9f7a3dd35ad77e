//! The HTTP client. One request is one connection and one attempt: nothing below or above this file repeats a POST.

use core::time::Duration;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Url, redirect, retry, tls};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::endpoint::Endpoint;
use super::headers;
use super::http::{Answer, Http};
use super::id::is_id;
use super::key::{ApiKey, BadKey};
use super::outbound_call;
use super::outcome::{self, ListQuery, Page};
use super::pace::Waits;
use super::settings::Settings;
use super::words;
use crate::core::calls::dialing::{AskError, Conversation, NotPlaced, Order, Verdict};
use crate::core::health::Asked;

/// For name resolution, TCP and TLS together.
const CONNECT: Duration = Duration::from_secs(10);

/// For [`Client::reach`].
const REACH: Duration = Duration::from_secs(3);

/// The vendor's API.
#[derive(Clone, Debug)]
pub struct Client {
    pub(super) http: Http,
    settings: Settings,
}

/// Why there is no client. Names the key of the configuration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotBuild {
    /// The base URL cannot be used.
    #[error("elevenlabs.base_url {0}")]
    BaseUrl(&'static str),
    /// A request without any time could not be made.
    #[error("elevenlabs.timeout must not be zero")]
    Timeout,
    /// The file with further authorities cannot be used.
    #[error("elevenlabs.ca_file {}: {why}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The key does not fit a header.
    #[error(transparent)]
    Key(#[from] BadKey),
    /// TLS could not be set up, usually for want of root certificates.
    #[error(
        "no TLS client could be made: {0} (the root certificates come from the machine, on Debian from the package ca-certificates)"
    )]
    Tls(String),
}

impl Client {
    /// Sets up TLS and checks the base URL; makes no connection. Installs ring as the process's rustls provider unless one is
    /// installed already.
    ///
    /// # Errors
    /// When the settings cannot be used, `ca_file` holds no certificates, or the machine has no root certificates.
    pub fn new(settings: &Settings, key: ApiKey) -> Result<Self, CannotBuild> {
        let base = base_url(&settings.base_url)?;
        if settings.timeout.is_zero() {
            return Err(CannotBuild::Timeout);
        }
        // An error means that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static("xi-api-key"), key.header()?);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let mut http = reqwest::Client::builder()
            .default_headers(headers)
            .user_agent(concat!("gladhand/", env!("CARGO_PKG_VERSION")))
            // Well before the whole request's, so that an uplink that swallows packets shows as "no byte went out".
            .connect_timeout(CONNECT.min(settings.timeout / 2))
            // A connection that is never reused cannot turn out dead after a request was written to it; calls are minutes
            // apart, and TLS sessions are resumed. This also keeps hyper from repeating a request on another connection.
            .pool_max_idle_per_host(0)
            // By default reqwest repeats what HTTP/2 says was not processed, should that ever be compiled in.
            .retry(retry::never())
            .redirect(redirect::Policy::none())
            // The key goes where the configuration says and nowhere else.
            .no_proxy()
            .referer(false)
            .tls_version_min(tls::Version::TLS_1_2)
            .http1_only();
        if let Some(path) = &settings.ca_file {
            let authorities = authorities(path).map_err(|why| CannotBuild::Authorities { path: path.clone(), why })?;
            http = http.tls_certs_merge(authorities);
        }
        if base.scheme() == "http" {
            // Nothing to verify: the machine's root certificates are neither needed nor read.
            http = http.tls_certs_only([]);
        }
        let http = http.build().map_err(|why| match &settings.ca_file {
            // A certificate in it that cannot be read shows only now.
            Some(path) => CannotBuild::Authorities { path: path.clone(), why: words::transport(why) },
            None => CannotBuild::Tls(words::transport(why)),
        })?;
        let http = Http::new(http, base, key, settings.timeout, settings.requests_per_second);
        Ok(Self { http, settings: settings.clone() })
    }

    /// The same with other sleep and chance than the real.
    #[must_use]
    pub fn with_waits(self, waits: Arc<dyn Waits>) -> Self {
        Self { http: self.http.with_waits(waits), ..self }
    }

    /// The same, counting on where another left off.
    #[must_use]
    pub fn in_place_of(self, other: &Self) -> Self {
        Self { http: self.http.in_place_of(&other.http), ..self }
    }

    /// Requests and failures so far, for each endpoint that was used.
    #[must_use]
    pub fn counters(&self) -> BTreeMap<String, Asked> {
        self.http.counters().read()
    }

    /// Makes the POST that has somebody telephoned, once, and says what became of it. A caller that drops the future before
    /// it ends must treat the outcome as unknown.
    pub async fn place(&self, order: &Order) -> Verdict {
        let body = match serde_json::to_vec(&outbound_call::call(&self.settings, order)) {
            Ok(body) => body,
            Err(why) => return Verdict::NotPlaced(NotPlaced::Refused(format!("the request could not be written: {why}"))),
        };
        match self.http.dial(outbound_call::path(self.settings.route), body).await {
            Ok(Answer { status, headers, body }) => {
                let body = body.as_deref().map_err(ToString::to_string);
                outbound_call::verdict(status, &headers, body, self.http.key())
            }
            Err(lost) if lost.unreachable => Verdict::NotPlaced(NotPlaced::Unreachable(lost.text)),
            Err(lost) => Verdict::Unknown(lost.text),
        }
    }

    /// Reads what became of a call.
    ///
    /// # Errors
    /// When the conversation is unknown, or the vendor could not be asked.
    pub async fn conversation(&self, id: &str) -> Result<Conversation, AskError> {
        if !is_id(id) {
            return Err(AskError::Refused("not the id of a conversation".to_owned()));
        }
        let url = self.http.url(&format!("{}/{id}", outcome::PATH));
        let (body, _) = self.http.get(Endpoint::ConversationGet, url).await?;
        outcome::conversation(&body, self.http.key())
    }

    /// Reads one page of the account's conversations.
    ///
    /// # Errors
    /// When the vendor could not be asked, or refuses the conditions ([`AskError::Refused`]).
    pub async fn conversations(&self, query: &ListQuery) -> Result<Page, AskError> {
        let mut url = self.http.url(outcome::PATH);
        query.apply(&mut url);
        let (body, headers) = self.http.get(Endpoint::ConversationsList, url).await?;
        Ok(Page { date: headers::date(&headers), ..outcome::page(&body, self.http.key())? })
    }

    /// Resolves the vendor's name and connects, without a request: whether there is an uplink. Takes 3 s at most.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn reach(&self) -> Result<(), String> {
        let host = self.http.base().host_str().unwrap_or_default();
        let address =
            (host.trim_start_matches('[').trim_end_matches(']'), self.http.base().port_or_known_default().unwrap_or(443));
        match timeout(REACH, TcpStream::connect(address)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(why)) => Err(format!("{host}: {why}")),
            Err(_) => Err(format!("{host}: no connection within {} s", REACH.as_secs())),
        }
    }
}

fn base_url(text: &str) -> Result<Url, CannotBuild> {
    let url = Url::parse(text).map_err(|_| CannotBuild::BaseUrl("is not a URL"))?;
    let host = url.host_str().ok_or(CannotBuild::BaseUrl("names no host"))?;
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(CannotBuild::BaseUrl("must be scheme, host, port and path only"));
    }
    let loopback = match host.trim_start_matches('[').trim_end_matches(']').parse::<core::net::IpAddr>() {
        Ok(ip) => ip.is_loopback(),
        Err(_) => host == "localhost",
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback => Ok(url),
        "http" => Err(CannotBuild::BaseUrl("must be https: the API key would go out readable (http is for this machine only)")),
        _ => Err(CannotBuild::BaseUrl("must be https")),
    }
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, String> {
    let pem = std::fs::read(path).map_err(|why| format!("cannot be read: {why}"))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(found) if found.is_empty() => Err("holds no certificate in PEM".to_owned()),
        Ok(found) => Ok(found),
        Err(_) => Err("is not a list of certificates in PEM".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_never_leaves_this_machine_unencrypted() {
        let settings = |base_url: &str| Settings { base_url: base_url.to_owned(), ..Settings::default() };
        let build = |base_url| Client::new(&settings(base_url), ApiKey::new("sk_secret").unwrap());
        for good in [
            "https://api.elevenlabs.io",
            "https://api.eu.residency.elevenlabs.io",
            "http://127.0.0.1:8080",
            "http://[::1]:8080/",
            "http://localhost",
        ] {
            assert!(build(good).is_ok(), "{good}");
        }
        for bad in [
            "http://api.elevenlabs.io",
            "http://127.0.0.1.example.org",
            "http://localhost.example.org",
            "http://192.168.1.9",
            "https://user:pass@api.elevenlabs.io",
            "https://api.elevenlabs.io?key=x",
            "ftp://api.elevenlabs.io",
            "file:///etc/passwd",
            "api.elevenlabs.io",
            "",
        ] {
            let error = build(bad).unwrap_err().to_string();
            assert!(error.starts_with("elevenlabs.base_url "), "{bad}: {error}");
        }
        assert!(!format!("{:?}", build("http://localhost").unwrap()).contains("sk_secret"));
    }

    #[test]
    fn a_base_url_may_have_a_path() {
        let settings = Settings { base_url: "http://localhost/vendor/".to_owned(), ..Settings::default() };
        let client = Client::new(&settings, ApiKey::new("k").unwrap()).unwrap();
        assert_eq!(client.http.url("/v1/x").as_str(), "http://localhost/vendor/v1/x");
    }
}
