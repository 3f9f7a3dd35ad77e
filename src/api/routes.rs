//! From HTTP to [`Ask`] and from [`Answer`] to HTTP.

use core::fmt;
use core::time::Duration;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use subtle::ConstantTimeEq;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::{Asked, Limits};
use crate::config::secrets::Secret;
use crate::core::calls::rate::Rate;
use crate::core::calls::request::MAX_PAYLOAD;
use crate::core::control::{Acknowledgement, Answer, Ask};
use crate::core::health::Health;
use crate::core::id::{CallSid, UnitId};
use crate::core::metrics;
use crate::core::time::{Mono, duration};
use crate::host::clock;

/// The most that `?wait=` may ask for: a driver's phone rings for 60 s.
pub const MAX_WAIT: Duration = Duration::from_secs(120);

/// Requests over TCP in a minute, after a burst of 50.
pub const MAX_PER_MINUTE: u32 = 600;

/// The route of the fleet back end that gladhand replaces.
const COMPATIBLE: &str = "/driver_data/call-elevenlabs";

pub(super) fn router(asks: mpsc::Sender<Asked>, door: Option<Door>, limits: Limits) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/metrics", get(prometheus))
        .route("/units", get(units))
        .route("/calls", get(calls))
        .route("/calls/{sid}", get(call))
        .route("/calls/{sid}/cancel", post(cancel))
        .route("/calls/{sid}/retry", post(retry))
        .route(COMPATIBLE, post(request))
        .route("/violations", get(violations))
        .route("/violations/{tractor}/acknowledge", post(acknowledge))
        .route("/roster", get(roster))
        .layer(DefaultBodyLimit::max(MAX_PAYLOAD))
        .layer(middleware::from_fn_with_state(door, pass))
        .layer(middleware::map_response(finish))
        .with_state(MainLoop { asks, patience: limits.patience })
}

async fn health(State(main): State<MainLoop>) -> Answer {
    main.ask(Ask::Health).await
}

async fn prometheus(State(main): State<MainLoop>) -> Response {
    let answer = main.ask(Ask::Health).await;
    match Health::deserialize(&answer.body) {
        Ok(health) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics::text(&health)).into_response()
        }
        Err(_) => answer.into_response(),
    }
}

async fn units(State(main): State<MainLoop>) -> Answer {
    main.ask(Ask::Units).await
}

#[derive(Deserialize)]
struct CallsQuery {
    #[serde(default)]
    all: bool,
}

async fn calls(State(main): State<MainLoop>, query: Result<Query<CallsQuery>, QueryRejection>) -> Answer {
    match query {
        Ok(Query(CallsQuery { all })) => main.ask(Ask::Calls { all }).await,
        Err(_) => Answer::error(400, "the query is ?all=true or ?all=false"),
    }
}

async fn call(State(main): State<MainLoop>, Path(sid): Path<String>) -> Answer {
    main.ask_about(CallSid::new(&sid), "call_sid", Ask::Call).await
}

async fn cancel(State(main): State<MainLoop>, Path(sid): Path<String>) -> Answer {
    main.ask_about(CallSid::new(&sid), "call_sid", Ask::Cancel).await
}

async fn retry(State(main): State<MainLoop>, Path(sid): Path<String>) -> Answer {
    main.ask_about(CallSid::new(&sid), "call_sid", Ask::Retry).await
}

#[derive(Deserialize)]
struct RequestQuery {
    wait: Option<String>,
}

async fn request(
    State(main): State<MainLoop>,
    query: Result<Query<RequestQuery>, QueryRejection>,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Response {
    let wait = match query {
        Ok(Query(RequestQuery { wait: None })) => Ok(None),
        Ok(Query(RequestQuery { wait: Some(wait) })) => duration::parse(&wait).map(Some),
        Err(_) => Err("the query is ?wait=30s".to_owned()),
    };
    let answer = match (wait, body) {
        (Err(why), _) => Answer::error(400, &format!("wait: {why}")),
        (Ok(Some(wait)), _) if wait > MAX_WAIT => Answer::error(400, &format!("wait: {} at most", duration::format(MAX_WAIT))),
        (Ok(_), Err(rejection)) => return rejection.into_response(),
        (Ok(wait), Ok(body)) => main.ask(Ask::Request { body: body.into(), wait }).await,
    };
    let Answer { status, body } = answer;
    let body = match body.get("error") {
        Some(why) => json!({ "detail": why }),
        None => body,
    };
    Answer { status, body }.into_response()
}

async fn violations(State(main): State<MainLoop>) -> Answer {
    main.ask(Ask::Violations).await
}

async fn acknowledge(State(main): State<MainLoop>, Path(tractor): Path<String>, body: Bytes) -> Answer {
    match Acknowledgement::read(&body) {
        Ok(acknowledgement) => {
            main.ask_about(UnitId::new(&tractor), "tractor", |tractor| Ask::Acknowledge(tractor, acknowledgement)).await
        }
        Err(why) => Answer::error(400, &why),
    }
}

async fn roster(State(main): State<MainLoop>) -> Answer {
    main.ask(Ask::Roster).await
}

#[derive(Clone)]
struct MainLoop {
    asks: mpsc::Sender<Asked>,
    patience: Duration,
}

impl MainLoop {
    async fn ask(&self, ask: Ask) -> Answer {
        let wait = match &ask {
            Ask::Request { wait, .. } => wait.unwrap_or_default(),
            Ask::Health
            | Ask::Units
            | Ask::Calls { .. }
            | Ask::Call(_)
            | Ask::Cancel(_)
            | Ask::Retry(_)
            | Ask::Violations
            | Ask::Acknowledge(..)
            | Ask::Roster => Duration::ZERO,
        };
        let (reply, answer) = oneshot::channel();
        let asked = async {
            self.asks.send(Asked { ask, reply }).await.ok()?;
            answer.await.ok()
        };
        match timeout(self.patience + wait, asked).await {
            Ok(Some(answer)) => answer,
            Ok(None) => Answer::error(503, "gladhand is stopping"),
            Err(_) => Answer::error(503, "gladhand is too busy to answer"),
        }
    }

    async fn ask_about<T, E: fmt::Display>(&self, id: Result<T, E>, name: &str, ask: impl FnOnce(T) -> Ask) -> Answer {
        match id {
            Ok(id) => self.ask(ask(id)).await,
            Err(why) => Answer::error(400, &format!("{name} {why}")),
        }
    }
}

/// What stands before the routes where anybody may knock.
#[derive(Clone)]
pub(super) struct Door {
    token: Secret,
    rate: Arc<Mutex<Rate>>,
    since: Instant,
}

impl Door {
    pub(super) fn new(token: Secret) -> Self {
        Self { token, rate: Arc::default(), since: clock::instant() }
    }

    /// Takes the same time wherever the two differ.
    fn opens_to(&self, request: &Request) -> bool {
        let offered = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let offered = offered.and_then(|offered| offered.strip_prefix("Bearer "));
        offered.is_some_and(|offered| self.token.expose().as_bytes().ct_eq(offered.as_bytes()).into())
    }

    fn has_room(&self) -> bool {
        let now = Mono(clock::instant().saturating_duration_since(self.since));
        self.rate.lock().unwrap_or_else(PoisonError::into_inner).take(MAX_PER_MINUTE, now)
    }
}

/// Over TCP: strangers are turned away before anything is looked at, and do not use up the rate of those who bring the token.
async fn pass(State(door): State<Option<Door>>, request: Request, next: Next) -> Response {
    match door {
        Some(door) if !door.opens_to(&request) => StatusCode::UNAUTHORIZED.into_response(),
        Some(door) if !door.has_room() => (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")]).into_response(),
        Some(_) | None => next.run(request).await,
    }
}

/// Gives what axum refuses by itself (no such route, wrong method, too large) the same JSON shape as every other error,
/// and ends the connection.
async fn finish(uri: Uri, mut response: Response) -> Response {
    let status = response.status();
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if !is_json && (status.is_client_error() || status.is_server_error()) {
        let key = if uri.path() == COMPATIBLE { "detail" } else { "error" };
        let kept = [header::ALLOW, header::RETRY_AFTER].map(|name| (response.headers_mut().remove(&name), name));
        let why = status.canonical_reason().unwrap_or("refused").to_lowercase();
        response = (status, Json(json!({ key: why }))).into_response();
        for (value, name) in kept {
            if let Some(value) = value {
                response.headers_mut().insert(name, value);
            }
        }
    }
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        (StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), Json(self.body)).into_response()
    }
}
