//! A file on its way to the vendor, as `multipart/form-data`: read as it is sent, never held whole.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Body, RequestBuilder};
use tokio::fs::File;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::sleep;

use super::endpoint::Endpoint;
use super::error::{Error, ErrorKind};
use super::http::{ANSWER, Http};

/// What is read of the file at once.
const CHUNK: usize = 64 * 1024;

/// A file, opened, and the name that its document gets.
pub(super) struct Upload {
    pub file_name: String,
    name: Option<String>,
    file: File,
    length: u64,
}

impl Upload {
    pub async fn open(path: &Path, name: Option<&str>) -> io::Result<Self> {
        let file = File::open(path).await?;
        let metadata = file.metadata().await?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
        }
        let file_name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { file_name, name: name.map(str::to_owned), file, length: metadata.len() })
    }
}

/// Sends it, once. There is no limit on the whole time, but one on the time without a byte moving.
pub(super) async fn send(
    http: &Http,
    endpoint: Endpoint,
    request: RequestBuilder,
    upload: Upload,
    progress: impl FnMut(u64, u64) + Send + Sync + 'static,
) -> Result<Vec<u8>, Error> {
    let boundary = format!("gladhand-{:016x}", RandomState::new().hash_one(&upload.file_name));
    let sent = Arc::new(AtomicU64::new(0));
    let body = Form::new(upload, &boundary, Arc::clone(&sent), Box::new(progress));
    let request = request.header(CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}")).body(Body::wrap(body));
    let mut sending = pin!(http.whole(endpoint, request, ANSWER));
    let mut before = 0;
    loop {
        tokio::select! {
            answer = &mut sending => return answer,
            () = sleep(http.timeout()) => {}
        }
        let now = sent.load(Ordering::Relaxed);
        if now == before {
            http.counters().count(endpoint, Some(ErrorKind::Lost.name()));
            let why = format!("not a byte moved for {} s", http.timeout().as_secs());
            return Err(Error::new(endpoint, ErrorKind::Lost, why));
        }
        before = now;
    }
}

/// The request's body: what stands before the file, the file, and what stands after it.
struct Form {
    before: Option<Bytes>,
    file: File,
    /// Of the file.
    left: u64,
    after: Option<Bytes>,
    total: u64,
    sent: Arc<AtomicU64>,
    progress: Box<dyn FnMut(u64, u64) + Send + Sync>,
    chunk: Box<[u8]>,
}

impl Form {
    fn new(upload: Upload, boundary: &str, sent: Arc<AtomicU64>, progress: Box<dyn FnMut(u64, u64) + Send + Sync>) -> Self {
        let Upload { file_name, name, file, length } = upload;
        let name = name.map(|name| format!("--{boundary}\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\n{name}\r\n"));
        let before = format!(
            "{}--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\nContent-Type: {}\r\n\r\n",
            name.unwrap_or_default(),
            quoted(&file_name),
            content_type(&file_name),
        );
        let after = format!("\r\n--{boundary}--\r\n");
        let total = (before.len() + after.len()) as u64 + length;
        let (before, after) = (Some(before.into()), Some(after.into()));
        Self { before, file, left: length, after, total, sent, progress, chunk: vec![0; CHUNK].into() }
    }

    fn frame(&mut self, bytes: Bytes) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let length = bytes.len() as u64;
        let sent = self.sent.fetch_add(length, Ordering::Relaxed) + length;
        (self.progress)(sent, self.total);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}

impl http_body::Body for Form {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let form = &mut *self;
        if let Some(bytes) = form.before.take() {
            return form.frame(bytes);
        }
        if form.left > 0 {
            let room = form.chunk.len().min(usize::try_from(form.left).unwrap_or(usize::MAX));
            let mut buffer = ReadBuf::new(form.chunk.get_mut(..room).unwrap_or_default());
            if let Err(why) = ready!(Pin::new(&mut form.file).poll_read(cx, &mut buffer)) {
                return Poll::Ready(Some(Err(why)));
            }
            let bytes = Bytes::copy_from_slice(buffer.filled());
            if bytes.is_empty() {
                // The request stays short of what it announced, and the vendor takes it for none.
                let why = io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was sent");
                return Poll::Ready(Some(Err(why)));
            }
            form.left -= bytes.len() as u64;
            return form.frame(bytes);
        }
        match form.after.take() {
            Some(bytes) => form.frame(bytes),
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.total - self.sent.load(Ordering::Relaxed))
    }

    fn is_end_stream(&self) -> bool {
        self.after.is_none()
    }
}

/// As browsers write a name between quotes.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

/// By the ending, of the kinds that the vendor reads.
fn content_type(file_name: &str) -> &'static str {
    let ending = Path::new(file_name).extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    match ending.as_str() {
        "txt" => "text/plain",
        "md" => "text/markdown",
        "html" | "htm" => "text/html",
        "pdf" => "application/pdf",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "epub" => "application/epub+zip",
        _ => "application/octet-stream",
    }
}
