//! How the socket comes into being, and how many connections it takes for how long.

use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

use super::{Limits, MAX_WAIT};

/// The socket file of a running server, removed with it.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    inode: u64,
}

/// Makes the socket under another name and renames it into place: it is never there with a wider mode, and a dead
/// instance's file is replaced in one step.
pub(super) fn bind(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    if let Some(directory) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
        fs::create_dir_all(directory)?;
    }
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is not a socket is in the way"));
        }
        Ok(_) => match UnixStream::connect(path) {
            Ok(_) => return Err(io::Error::new(io::ErrorKind::AddrInUse, "another instance answers there")),
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => {}
            Err(error) => return Err(error),
        },
    }
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&unfinished)?;
    fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o660))?;
    let inode = fs::symlink_metadata(&unfinished)?.ino();
    fs::rename(&unfinished, path)?;
    Ok((listener, SocketFile { path: path.to_path_buf(), inode }))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Somebody else's socket may stand there by now.
        if fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            let _left_behind = fs::remove_file(&self.path);
        }
    }
}

/// A listener that takes so many connections at once, each for so long at most.
pub(super) struct Bounded<L> {
    listener: L,
    slots: Arc<Semaphore>,
    limits: Limits,
}

impl<L> Bounded<L> {
    pub(super) fn new(listener: L, limits: Limits) -> Self {
        Self { listener, slots: Arc::new(Semaphore::new(limits.connections)), limits }
    }
}

impl<L: Listener> Listener for Bounded<L> {
    type Io = Connection<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok();
        let (stream, address) = self.listener.accept().await;
        let patience = self.limits.patience;
        let connection = Connection {
            stream,
            end: Box::pin(tokio::time::sleep(patience)),
            once_begun: Some(2 * patience + MAX_WAIT),
            _slot: slot,
        };
        (connection, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// One connection, which fails when its time is up: neither a client that sends nothing nor one that reads nothing keeps
/// its place.
pub(super) struct Connection<S> {
    stream: S,
    end: Pin<Box<Sleep>>,
    /// The time it has from its first byte on; taken then.
    once_begun: Option<Duration>,
    _slot: Option<OwnedSemaphorePermit>,
}

impl<S: Unpin> Connection<S> {
    /// The stream while there is time.
    fn stream(&mut self, cx: &mut Context<'_>) -> io::Result<Pin<&mut S>> {
        if self.end.as_mut().poll(cx).is_ready() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(Pin::new(&mut self.stream))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = self.stream(cx)?.poll_read(cx, buf);
        if buf.filled().len() > before
            && let Some(time) = self.once_begun.take()
        {
            self.end.as_mut().reset(Instant::now() + time);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.stream(cx)?.poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream(cx)?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream(cx)?.poll_shutdown(cx)
    }
}
