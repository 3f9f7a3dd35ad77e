//! A socket under a [`Protocol`].

use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep_until};

use super::event::LinkEvent;
use super::lost::Lost;
use super::options::Options;
use super::protocol::Protocol;
use crate::host::clock;

/// Reads without an event, one after the other, before others have their turn.
const READS: u32 = 16;

/// One connection. After an error it is of no use.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    pub protocol: Protocol,
    /// Our CONNECT is to be answered by then.
    greet_by: Instant,
    /// Runs to what was due when it was set; what is due later is seen when it ends.
    alarm: Pin<Box<Sleep>>,
    /// Whether the last read filled its buffer.
    full: bool,
}

impl Wire {
    pub fn new(stream: TcpStream, options: &Options, epoch: u64, greet_by: Instant) -> Result<Self, Lost> {
        stream.set_nodelay(true).map_err(Lost::Io)?;
        let protocol = Protocol::new(options, epoch, clock::instant())?;
        Ok(Self { stream, protocol, greet_by, alarm: Box::pin(sleep_until(greet_by.into())), full: false })
    }

    /// The next event. Writes what waits to be written before it waits itself, and before it reads.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<LinkEvent, Lost>> {
        for _ in 0..READS {
            if let Some(event) = self.protocol.poll()? {
                return Poll::Ready(Ok(event));
            }
            self.write(cx)?;
            if self.poll_read(cx)?.is_pending() {
                ready!(self.poll_alarm(cx, true))?;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Keeps the connection without reading from it.
    pub fn poll_kept(&mut self, cx: &mut Context<'_>) -> Poll<Lost> {
        loop {
            let kept = self.write(cx).map(|()| self.poll_alarm(cx, false));
            match kept {
                Err(lost) | Ok(Poll::Ready(Err(lost))) => return Poll::Ready(lost),
                Ok(Poll::Ready(Ok(()))) => {}
                Ok(Poll::Pending) => return Poll::Pending,
            }
        }
    }

    /// Whether the last read filled its buffer.
    pub const fn has_more(&self) -> bool {
        self.full
    }

    /// Writes what can be written at once. What cannot is the business of the next poll.
    pub fn flush(&mut self) -> Result<(), Lost> {
        // In a flood there is always something to be read, and the alarm is not looked at; and what comes at QoS 0 has no
        // acknowledgements by which the broker would know that we live.
        self.protocol.tick(clock::instant(), false)?;
        while !self.protocol.unwritten().is_empty() {
            match self.stream.try_write(self.protocol.unwritten()) {
                Ok(written) => self.protocol.wrote(written),
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(Lost::Io(e)),
            }
        }
        Ok(())
    }

    /// Says goodbye, and returns when the broker has hung up.
    pub async fn disconnect(mut self) {
        use tokio::io::AsyncWriteExt;
        self.protocol.disconnect();
        let Self { mut stream, protocol, .. } = self;
        if stream.write_all(protocol.unwritten()).await.is_err() || stream.shutdown().await.is_err() {
            return;
        }
        // Closed with something unread, the socket would be reset, and that might overtake the goodbye.
        let mut rest = BytesMut::with_capacity(4096);
        while stream.read_buf(&mut rest).await.is_ok_and(|read| read > 0) {
            rest.clear();
        }
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), Lost> {
        while !self.protocol.unwritten().is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, self.protocol.unwritten()) {
                Poll::Ready(Ok(written)) => self.protocol.wrote(written),
                Poll::Ready(Err(e)) => return Err(Lost::Io(e)),
                Poll::Pending => {
                    self.protocol.blocked(clock::instant());
                    break;
                }
            }
        }
        Ok(())
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        let Some(buffer) = self.protocol.read_buffer() else { return Poll::Pending };
        let read = ready!(pin!(self.stream.read_buf(buffer)).poll(cx)).map_err(Lost::Io)?;
        self.full = buffer.len() == buffer.capacity();
        self.protocol.heard();
        Poll::Ready(if read == 0 { Err(Lost::Closed) } else { Ok(()) })
    }

    /// Ready when there may be something to be written.
    fn poll_alarm(&mut self, cx: &mut Context<'_>, reading: bool) -> Poll<Result<(), Lost>> {
        let due = self.due();
        // What is due later than before is seen when the alarm goes off.
        if self.alarm.deadline() > due {
            self.alarm.as_mut().reset(due);
        }
        ready!(self.alarm.as_mut().poll(cx));
        let now = clock::instant();
        if self.protocol.since().is_none() && now >= self.greet_by {
            return Poll::Ready(Err(Lost::Timeout));
        }
        let ticked = self.protocol.tick(now, reading);
        let due = self.due();
        self.alarm.as_mut().reset(due);
        Poll::Ready(ticked)
    }

    fn due(&self) -> tokio::time::Instant {
        self.protocol.since().map_or(self.greet_by, |_| self.protocol.deadline()).into()
    }
}
