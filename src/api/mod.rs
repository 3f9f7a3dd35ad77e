//! The control socket: HTTP over a Unix socket (and over TCP with a token, when configured). The only folder that knows
//! axum. Nothing is decided here: every route becomes an [`Ask`] to the main loop, and its [`Answer`] goes back as JSON.
//!
//! | route | what |
//! |---|---|
//! | `GET /health` | the health object |
//! | `GET /metrics` | the same, as Prometheus reads it |
//! | `GET /calls?all=true`, `GET /calls/{sid}` | the queue, one call |
//! | `POST /calls/{sid}/cancel`, `POST /calls/{sid}/retry` | |
//! | `POST /driver_data/call-elevenlabs?wait=30s` | a `BatchCallRequest` |
//! | `GET /violations`, `POST /violations/{tractor}/acknowledge` | |
//! | `GET /roster` | |
//!
//! Errors are `{"error": "…"}`, on the compatible route `{"detail": "…"}` as the old back end had it. A connection carries
//! one request.

use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::config::secrets::Secret;
use crate::core::control::{Answer, Ask};

pub mod client;
mod listener;
mod routes;

pub use routes::{MAX_PER_MINUTE, MAX_WAIT};

/// One question to the main loop.
#[derive(Debug)]
pub struct Asked {
    /// What is asked.
    pub ask: Ask,
    /// Where the answer goes. Closed (`is_closed`) when the one who asked has been told 503 or is gone: an order is then
    /// not carried out any more, since it may well be given again.
    pub reply: oneshot::Sender<Answer>,
}

/// What one server bears.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; further ones wait until one ends.
    pub connections: usize,
    /// How long a client may take to send its request, and the main loop to answer it (beyond what `?wait=` allows).
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 32, patience: Duration::from_secs(10) }
    }
}

/// A running server. Dropped, it hangs up at once.
#[derive(Debug)]
pub struct Server {
    task: JoinHandle<()>,
    stop: Option<oneshot::Sender<()>>,
    socket: Option<listener::SocketFile>,
}

/// Opens the control socket, mode 0660, in a directory that is created when missing. A socket file that nobody answers on
/// any more is replaced.
///
/// # Errors
/// When a running instance answers there ([`io::ErrorKind::AddrInUse`]), something else than a socket is in the way, or
/// the socket cannot be made.
pub async fn serve(socket: &Path, asks: mpsc::Sender<Asked>, limits: Limits) -> io::Result<Server> {
    let (listener, file) = listener::bind(socket)?;
    Ok(Server::start(listener, asks, None, limits, Some(file)))
}

/// Opens the same routes on a TCP port, for those who bring the token as
/// `Authorization: Bearer …`: [`MAX_PER_MINUTE`] requests, beyond which the answer is 429.
///
/// # Errors
/// When the port cannot be had.
pub async fn serve_tcp(address: SocketAddr, token: Secret, asks: mpsc::Sender<Asked>, limits: Limits) -> io::Result<Server> {
    let listener = TcpListener::bind(address).await?;
    Ok(Server::start(listener, asks, Some(routes::Door::new(token)), limits, None))
}

impl Server {
    /// Takes no further connection, lets those that are being answered finish (1 s at most), and removes the socket.
    pub async fn stop(mut self) {
        self.socket = None;
        drop(self.stop.take());
        let _late = tokio::time::timeout(Duration::from_secs(1), &mut self.task).await;
    }

    fn start<L: axum::serve::Listener>(
        listener: L,
        asks: mpsc::Sender<Asked>,
        door: Option<routes::Door>,
        limits: Limits,
        socket: Option<listener::SocketFile>,
    ) -> Self
    where
        L::Addr: core::fmt::Debug,
    {
        let app = routes::router(asks, door, limits);
        let (stop, stopped) = oneshot::channel();
        let listener = listener::Bounded::new(listener, limits);
        let serve = axum::serve(listener, app).with_graceful_shutdown(async {
            let _sender_gone = stopped.await;
        });
        let task = tokio::spawn(async {
            // It only ends when it is told to.
            let _never_an_error = serve.await;
        });
        Self { task, stop: Some(stop), socket }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
