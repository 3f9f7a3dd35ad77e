//! Requests and answers. The one place where anything is sent: it keeps the pace, the time limits and the counters, and it
//! repeats nothing but what only reads.

use core::time::Duration;
use std::sync::Arc;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::endpoint::{Counters, Endpoint};
use super::error::{Error, ErrorKind};
use super::id::is_id;
use super::key::ApiKey;
use super::pace::{ATTEMPTS, Pace, Waits};
use super::words;

/// Longest answer to a request that changes something. The vendor's are below 1 KiB, an agent's below 100 KiB.
pub(super) const ANSWER: usize = 1024 * 1024;

/// Longest answer that is read to a question: a conversation's transcript and a document's text grow.
pub(super) const QUESTION: usize = 4 * 1024 * 1024;

/// For a question, from its start to the end of the answer, unless the configured time is shorter.
const READ: Duration = Duration::from_secs(20);

/// A whole answer, of whatever status.
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Result<Vec<u8>, Broken>,
}

/// Why there is no body.
#[derive(Clone, Debug)]
pub(super) enum Broken {
    Off(String),
    TooLong(usize),
}

/// Why there is no answer.
pub(super) struct Lost {
    /// No byte went out.
    pub unreachable: bool,
    pub text: String,
}

#[derive(Clone, Debug)]
pub(super) struct Http {
    client: reqwest::Client,
    base: Url,
    key: ApiKey,
    timeout: Duration,
    pace: Pace,
    counters: Counters,
}

impl Http {
    pub fn new(client: reqwest::Client, base: Url, key: ApiKey, timeout: Duration, per_second: u32) -> Self {
        Self { client, base, key, timeout, pace: Pace::new(per_second), counters: Counters::default() }
    }

    /// Counts on where another left off.
    pub fn in_place_of(self, other: &Self) -> Self {
        Self { counters: other.counters.clone(), ..self }
    }

    /// The same, for a request that carries another secret: nothing that is said of it shows that.
    pub fn beside(&self, secret: &str) -> Self {
        Self { key: self.key.beside(secret), ..self.clone() }
    }

    pub fn with_waits(self, waits: Arc<dyn Waits>) -> Self {
        Self { pace: self.pace.with_waits(waits), ..self }
    }

    pub fn base(&self) -> &Url {
        &self.base
    }

    pub fn key(&self) -> &ApiKey {
        &self.key
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// For a request that changes something, from its start to the end of the answer; for a file, without a byte moving.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    pub fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url
    }

    /// The URL of one thing, of which the vendor or a person gave the id.
    pub fn url_of(&self, endpoint: Endpoint, path: &str, id: &str) -> Result<Url, Error> {
        if !is_id(id) {
            return Err(Error::new(endpoint, ErrorKind::Invalid, "not an id: letters, digits, _ and - only"));
        }
        Ok(self.url(&path.replace("{id}", id)))
    }

    pub fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// Asks, up to three times.
    pub async fn get(&self, endpoint: Endpoint, url: Url) -> Result<(Vec<u8>, HeaderMap), Error> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let request = self.request(Method::GET, url.clone()).timeout(self.timeout.min(READ));
            let error = match self.sent(endpoint, request, QUESTION, StatusCode::OK).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if !self.again(&error, attempts).await {
                return Err(error);
            }
        }
    }

    /// The same, read.
    pub async fn get_json<T: DeserializeOwned>(&self, endpoint: Endpoint, url: Url) -> Result<T, Error> {
        let (body, _) = self.get(endpoint, url).await?;
        self.parse(endpoint, &body)
    }

    /// Whether to try once more what failed, and if so after a rest.
    pub async fn again(&self, error: &Error, attempts: u32) -> bool {
        error.is_worth_repeating() && attempts < ATTEMPTS && self.pace.rest(attempts, error.retry_after).await
    }

    /// Changes something, once.
    pub async fn send(&self, endpoint: Endpoint, request: RequestBuilder) -> Result<Vec<u8>, Error> {
        self.whole(endpoint, request.timeout(self.timeout), ANSWER).await
    }

    /// The same with a JSON body, and the answer read.
    pub async fn send_json<T: DeserializeOwned>(
        &self,
        endpoint: Endpoint,
        method: Method,
        url: Url,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        let body = serde_json::to_vec(body).map_err(|why| Error::new(endpoint, ErrorKind::Invalid, why.to_string()))?;
        let request = self.request(method, url).header(CONTENT_TYPE, "application/json").body(body);
        let answer = self.send(endpoint, request).await?;
        self.parse(endpoint, &answer)
    }

    /// The POST that has somebody telephoned, once.
    pub async fn dial(&self, path: &str, body: Vec<u8>) -> Result<Answer, Lost> {
        let request = self.request(Method::POST, self.url(path)).header(CONTENT_TYPE, "application/json").body(body);
        self.once(Endpoint::OutboundCall, request.timeout(self.timeout), ANSWER).await
    }

    /// One request and its whole answer.
    pub async fn once(&self, endpoint: Endpoint, request: RequestBuilder, limit: usize) -> Result<Answer, Lost> {
        self.pace.turn().await;
        let response = match request.send().await {
            Ok(response) => response,
            Err(why) => return Err(self.lost(endpoint, why)),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read(response, limit).await;
        let failure = match &body {
            _ if !status.is_success() => Some(ErrorKind::of(status.as_u16())),
            Ok(_) => None,
            Err(Broken::Off(_)) => Some(ErrorKind::Lost),
            Err(Broken::TooLong(_)) => Some(ErrorKind::Unreadable),
        };
        self.counters.count(endpoint, failure.map(ErrorKind::name));
        Ok(Answer { status, headers, body })
    }

    /// The head of an answer whose body is read by the caller, in its own time.
    pub async fn open(&self, endpoint: Endpoint, request: RequestBuilder) -> Result<Response, Error> {
        self.pace.turn().await;
        let response = match timeout(self.timeout, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(why)) => return Err(self.lost(endpoint, why).into_error(endpoint)),
            Err(_) => {
                self.counters.count(endpoint, Some(ErrorKind::Lost.name()));
                return Err(Error::new(endpoint, ErrorKind::Lost, format!("no answer within {} s", self.timeout.as_secs())));
            }
        };
        let status = response.status();
        if status == StatusCode::OK {
            return Ok(response);
        }
        self.counters.count(endpoint, Some(ErrorKind::of(status.as_u16()).name()));
        let headers = response.headers().clone();
        let body = timeout(self.timeout, read(response, ANSWER)).await.unwrap_or(Ok(Vec::new())).unwrap_or_default();
        Err(Error::refusal(endpoint, status, &headers, &body, &self.key))
    }

    pub fn parse<T: DeserializeOwned>(&self, endpoint: Endpoint, body: &[u8]) -> Result<T, Error> {
        serde_json::from_slice(body)
            .map_err(|why| Error::new(endpoint, ErrorKind::Unreadable, words::unreadable(body, &why, &self.key)))
    }

    /// One request, success, and its whole answer.
    pub async fn whole(&self, endpoint: Endpoint, request: RequestBuilder, limit: usize) -> Result<Vec<u8>, Error> {
        let (body, _) = self.sent(endpoint, request, limit, None).await?;
        Ok(body)
    }

    async fn sent(
        &self,
        endpoint: Endpoint,
        request: RequestBuilder,
        limit: usize,
        wanted: impl Into<Option<StatusCode>>,
    ) -> Result<(Vec<u8>, HeaderMap), Error> {
        let Answer { status, headers, body } =
            self.once(endpoint, request, limit).await.map_err(|lost| lost.into_error(endpoint))?;
        if wanted.into().map_or(status.is_success(), |wanted| status == wanted) {
            return body.map(|body| (body, headers)).map_err(|broken| {
                let kind = match broken {
                    Broken::Off(_) => ErrorKind::Lost,
                    Broken::TooLong(_) => ErrorKind::Unreadable,
                };
                Error { status: Some(status.as_u16()), ..Error::new(endpoint, kind, broken.to_string()) }
            });
        }
        Err(Error::refusal(endpoint, status, &headers, &body.unwrap_or_default(), &self.key))
    }

    fn lost(&self, endpoint: Endpoint, why: reqwest::Error) -> Lost {
        // Name resolution, TCP and the TLS handshake: the request is written only after them.
        let lost = Lost { unreachable: why.is_connect(), text: words::transport(why) };
        self.counters.count(endpoint, Some(lost.kind().name()));
        lost
    }
}

impl Lost {
    fn kind(&self) -> ErrorKind {
        if self.unreachable { ErrorKind::Unreachable } else { ErrorKind::Lost }
    }

    pub fn into_error(self, endpoint: Endpoint) -> Error {
        Error::new(endpoint, self.kind(), self.text)
    }
}

impl core::fmt::Display for Broken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Off(why) => f.write_str(why),
            Self::TooLong(limit) => write!(f, "longer than {limit} bytes"),
        }
    }
}

/// The whole body, or why it could not be had.
async fn read(mut response: Response, limit: usize) -> Result<Vec<u8>, Broken> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|why| Broken::Off(words::transport(why)))? {
        if body.len() + chunk.len() > limit {
            return Err(Broken::TooLong(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
