//! The stand-in as an HTTP server.

use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{self, Bytes};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Query, Request as Incoming, State as Shared};
use axum::http::{HeaderMap, Method, header};
use axum::response::{Html, IntoResponse, Response};
use axum::serve::{IncomingStream, Listener};
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::answer::{Answer, Body};
use super::calls::{Conversation, Filters, Life};
use super::faults::{EndpointFault, Fault};
use super::state::{Post, Request, State};
use crate::elevenlabs::Endpoint;
use crate::host::clock;

/// The longest request that is taken, and the longest one with a file.
const LONGEST: (usize, usize) = (1024 * 1024, 25 * 1024 * 1024);

/// The stand-in, running in the current tokio runtime until it is stopped or dropped.
#[derive(Debug)]
pub struct StandIn {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    up: Option<Serving>,
}

impl StandIn {
    /// Listens at `address`; port 0 takes any free one.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn start(address: SocketAddr) -> io::Result<Self> {
        let state = Arc::new(Mutex::new(State::default()));
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let up = Some(Serving::start(listener, Arc::clone(&state)));
        Ok(Self { address, state, up })
    }

    /// Where it listens, or listened before it went down.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// For `elevenlabs.base_url`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request that arrived at an endpoint, in order; the newest 10,000.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.iter().cloned().collect()
    }

    /// Replaces the faults of all endpoints; `nth` goes on counting from the start.
    pub fn set_endpoint_faults(&self, faults: Vec<EndpointFault>) {
        self.state().endpoint_faults = faults;
    }

    /// Every POST that had somebody telephoned, in order, those included that failed.
    #[must_use]
    pub fn posts(&self) -> Vec<Post> {
        self.state().posts.clone()
    }

    /// Every call that was made, in order: whose telephone rang.
    #[must_use]
    pub fn conversations(&self) -> Vec<Conversation> {
        self.state().conversations.clone()
    }

    /// Replaces the faults still waiting: one for each POST to come, then all goes as usual again.
    pub fn set_faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults = faults.into_iter().collect();
    }

    /// Replaces the lives still waiting: one for each call to come.
    pub fn set_lives(&self, lives: impl IntoIterator<Item = Life>) {
        self.state().lives = lives.into_iter().collect();
    }

    /// How calls go for which no life waits.
    pub fn set_life(&self, life: Life) {
        self.state().life = life;
    }

    /// What the list can be asked by.
    pub fn set_filters(&self, filters: Filters) {
        self.state().filters = filters;
    }

    /// Becomes unreachable: connections are cut, new ones refused. What it knows stays.
    pub async fn down(&mut self) {
        if let Some(up) = self.up.take() {
            up.stop().await;
        }
    }

    /// Becomes reachable again, at the same address.
    ///
    /// # Errors
    /// When the address is taken by now.
    pub async fn up(&mut self) -> io::Result<()> {
        if self.up.is_none() {
            let listener = TcpListener::bind(self.address).await?;
            self.up = Some(Serving::start(listener, Arc::clone(&self.state)));
        }
        Ok(())
    }

    /// Ends it.
    pub async fn stop(mut self) {
        self.down().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A listener with its connections. Dropping it closes both.
#[derive(Debug)]
struct Serving {
    down: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Serving {
    fn start(listener: TcpListener, state: Arc<Mutex<State>>) -> Self {
        let (down, watching) = watch::channel(false);
        let app = Router::new()
            .fallback(serve)
            .with_state(App { state, down: watching.clone() })
            .into_make_service_with_connect_info::<Cut>();
        let server = axum::serve(Cuttable { listener, down: watching.clone() }, app).with_graceful_shutdown(gone_down(watching));
        // Serving ends only by the signal, and then without an error.
        let task = tokio::spawn(async move { server.await.unwrap_or_default() });
        Self { down, task }
    }

    async fn stop(self) {
        self.down.send_replace(true);
        // An error would be a panic of the server, which then is gone as well.
        let _ = self.task.await;
    }
}

/// Ends when the server goes down, or is dropped.
async fn gone_down(mut down: watch::Receiver<bool>) {
    let _ = down.wait_for(|down| *down).await;
}

#[derive(Clone)]
struct App {
    state: Arc<Mutex<State>>,
    down: watch::Receiver<bool>,
}

/// Every request comes here.
async fn serve(Shared(app): Shared<App>, ConnectInfo(cut): ConnectInfo<Cut>, incoming: Incoming) -> Response {
    let (parts, body) = incoming.into_parts();
    let path = parts.uri.path().to_owned();
    let (endpoint, id) = match endpoint(&parts.method, &path) {
        Ok(found) => found,
        Err(status) => return write(Answer::json(status, serde_json::json!({"detail": "Not Found"})), &cut),
    };
    let longest = if endpoint == Endpoint::KnowledgeCreate { LONGEST.1 } else { LONGEST.0 };
    let Ok(body) = body::to_bytes(body, longest).await else {
        // Too long, or broken off: nothing of it is done.
        return write(Answer::detail(413, "file_too_large", "longer than the stand-in takes"), &cut);
    };
    let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map(|Query(query)| query).unwrap_or_default();
    let shown = parts.headers.iter().filter(|(name, _)| name.as_str() != "xi-api-key");
    let request = Request {
        at: clock::wall(),
        method: parts.method.to_string(),
        path: path.clone(),
        query,
        headers: shown.map(|(n, v)| (n.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned())).collect(),
        body: body.to_vec(),
    };
    let answer = lock(&app.state).answer(endpoint, id, request, key(&parts.headers));
    if !answer.delay.is_zero() {
        tokio::select! {
            () = tokio::time::sleep(answer.delay) => {}
            () = gone_down(app.down) => {}
        }
    }
    write(answer, &cut)
}

/// What a method and a path mean, and the id in it; otherwise 404 or 405.
fn endpoint<'p>(method: &Method, path: &'p str) -> Result<(Endpoint, &'p str), u16> {
    let steps: Vec<&str> = path.strip_prefix("/v1/convai/").ok_or(404_u16)?.split('/').collect();
    let ways: &[(Method, Endpoint)] = match steps.as_slice() {
        ["twilio" | "sip-trunk", "outbound-call"] => &[(Method::POST, Endpoint::OutboundCall)],
        ["twilio", "register-call"] => &[(Method::POST, Endpoint::RegisterCall)],
        ["conversation", "get-signed-url" | "get_signed_url"] => &[(Method::GET, Endpoint::SignedUrl)],
        ["conversations"] => &[(Method::GET, Endpoint::ConversationsList)],
        ["conversations", _] => &[(Method::GET, Endpoint::ConversationGet), (Method::DELETE, Endpoint::ConversationDelete)],
        ["conversations", _, "audio"] => &[(Method::GET, Endpoint::ConversationAudio)],
        ["agents"] => &[(Method::GET, Endpoint::AgentsList)],
        ["agents", "create"] => &[(Method::POST, Endpoint::AgentCreate)],
        ["agents", _] => {
            &[(Method::GET, Endpoint::AgentGet), (Method::PATCH, Endpoint::AgentUpdate), (Method::DELETE, Endpoint::AgentDelete)]
        }
        ["knowledge-base"] => &[(Method::GET, Endpoint::KnowledgeList)],
        ["knowledge-base", "text" | "url" | "file"] => &[(Method::POST, Endpoint::KnowledgeCreate)],
        ["knowledge-base", _] => &[(Method::GET, Endpoint::KnowledgeGet), (Method::DELETE, Endpoint::KnowledgeDelete)],
        ["phone-numbers"] => &[(Method::GET, Endpoint::PhoneNumbersList), (Method::POST, Endpoint::PhoneNumberCreate)],
        ["batch-calling", "submit"] => &[(Method::POST, Endpoint::BatchSubmit)],
        ["batch-calling", _] => &[(Method::GET, Endpoint::BatchGet)],
        _ => return Err(404),
    };
    let found = ways.iter().find(|(allowed, _)| allowed == method);
    found.map(|(_, endpoint)| (*endpoint, steps.get(1).copied().unwrap_or_default())).ok_or(405)
}

fn write(answer: Answer, cut: &Cut) -> Response {
    let status = axum::http::StatusCode::from_u16(answer.status).unwrap_or_default();
    let retry_after = answer.retry_after.map(|text| [(header::RETRY_AFTER, text)]);
    match answer.body {
        Body::Json(value) => (status, retry_after, axum::Json(value)).into_response(),
        Body::Audio(length) => {
            (status, retry_after, [(header::CONTENT_TYPE, "audio/mpeg")], body::Body::new(Silence(length))).into_response()
        }
        Body::Xml(text) => (status, retry_after, [(header::CONTENT_TYPE, "application/xml")], text).into_response(),
        Body::Text(text) => (status, retry_after, [(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Body::Html => {
            (status, Html("<!DOCTYPE html><title>Welcome</title><p>Please accept the terms of this network.")).into_response()
        }
        Body::Drop => {
            cut.0.store(true, Ordering::Relaxed);
            status.into_response()
        }
    }
}

/// A recording with nothing on it, made as it is read.
struct Silence(u64);

impl http_body::Body for Silence {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        static CHUNK: [u8; 64 * 1024] = [0; 64 * 1024];
        if self.0 == 0 {
            return Poll::Ready(None);
        }
        let length = self.0.min(CHUNK.len() as u64);
        self.0 -= length;
        let chunk = Bytes::from_static(&CHUNK).split_to(usize::try_from(length).unwrap_or_default());
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0)
    }
}

fn key(headers: &HeaderMap) -> Option<&str> {
    headers.get("xi-api-key").and_then(|value| value.to_str().ok())
}

/// Set, a connection fails at its next read or write, so that it closes without an answer.
#[derive(Clone, Debug)]
struct Cut(Arc<AtomicBool>);

impl Connected<IncomingStream<'_, Cuttable>> for Cut {
    fn connect_info(stream: IncomingStream<'_, Cuttable>) -> Self {
        stream.io().cut.clone()
    }
}

/// A listener whose connections can be cut one by one, and all at once when it goes down.
struct Cuttable {
    listener: TcpListener,
    down: watch::Receiver<bool>,
}

impl Listener for Cuttable {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        (Connection { stream, cut: Cut(Arc::default()), down: self.down.clone() }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

struct Connection {
    stream: TcpStream,
    cut: Cut,
    down: watch::Receiver<bool>,
}

impl Connection {
    fn is_cut(&self) -> bool {
        self.cut.0.load(Ordering::Relaxed) || *self.down.borrow()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.is_cut() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_cut() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
