//! The stand-in as an HTTP server.

use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Path, Query, State as Shared};
use axum::http::{HeaderMap, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::state::{Answer, Body, Conversation, Fault, Filters, Life, Post, State};
use crate::elevenlabs::Route;
use crate::host::clock;

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

    /// Every POST that arrived, in order, those included that failed.
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
            .route("/v1/convai/twilio/outbound-call", post(twilio))
            .route("/v1/convai/sip-trunk/outbound-call", post(sip_trunk))
            .route("/v1/convai/conversations", get(list))
            .route("/v1/convai/conversations/{id}", get(conversation))
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

impl App {
    async fn outbound_call(self, route: Route, uri: Uri, headers: HeaderMap, body: String, cut: Cut) -> Response {
        let shown = headers.iter().filter(|(name, _)| name.as_str() != "xi-api-key");
        let request = Post {
            at: clock::wall(),
            path: uri.path().to_owned(),
            headers: shown.map(|(n, v)| (n.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned())).collect(),
            body,
            conversation_id: None,
        };
        let answer = lock(&self.state).outbound_call(route, request, key(&headers));
        if !answer.delay.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(answer.delay) => {}
                () = gone_down(self.down) => {}
            }
        }
        write(answer, &cut)
    }
}

async fn twilio(app: Shared<App>, cut: ConnectInfo<Cut>, uri: Uri, headers: HeaderMap, body: String) -> Response {
    app.0.outbound_call(Route::Twilio, uri, headers, body, cut.0).await
}

async fn sip_trunk(app: Shared<App>, cut: ConnectInfo<Cut>, uri: Uri, headers: HeaderMap, body: String) -> Response {
    app.0.outbound_call(Route::SipTrunk, uri, headers, body, cut.0).await
}

async fn list(app: Shared<App>, cut: ConnectInfo<Cut>, headers: HeaderMap, query: Query<Vec<(String, String)>>) -> Response {
    write(lock(&app.state).list(&query.0, key(&headers), clock::wall()), &cut.0)
}

async fn conversation(app: Shared<App>, cut: ConnectInfo<Cut>, headers: HeaderMap, id: Path<String>) -> Response {
    write(lock(&app.state).conversation(&id.0, key(&headers), clock::wall()), &cut.0)
}

fn write(answer: Answer, cut: &Cut) -> Response {
    let status = axum::http::StatusCode::from_u16(answer.status).unwrap_or_default();
    let retry_after = answer.retry_after.map(|text| [(header::RETRY_AFTER, text)]);
    match answer.body {
        Body::Json(value) => (status, retry_after, axum::Json(value)).into_response(),
        Body::Html => {
            (status, Html("<!DOCTYPE html><title>Welcome</title><p>Please accept the terms of this network.")).into_response()
        }
        Body::Drop => {
            cut.0.store(true, Ordering::Relaxed);
            status.into_response()
        }
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
