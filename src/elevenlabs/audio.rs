//! `GET /v1/convai/conversations/{id}/audio`: a recording, written to a file as it arrives.

use std::ffi::OsString;
use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, Response, Url};
use tokio::fs::{self, File};
use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use tokio::time::timeout;

use super::client::Client;
use super::endpoint::Endpoint;
use super::error::{Error, ErrorKind};
use super::words;

const ENDPOINT: Endpoint = Endpoint::ConversationAudio;

impl Client {
    /// Writes the recording of a conversation to a file, and says how many bytes it has. It arrives under the name with `.part`
    /// appended and gets its own name once it is whole and on disk; until then, a file that had this name stays. `progress` is
    /// told the bytes so far, and the bytes in all when the vendor says how many. The time is not limited, but it fails when no
    /// byte has come for `elevenlabs.timeout`.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when there is no such conversation or recording, [`File`](ErrorKind::File) when it
    /// cannot be written, or as for every request. A part that came is deleted, unless the process ends first: the next attempt
    /// writes over it.
    pub async fn download_audio(
        &self,
        conversation_id: &str,
        to: &Path,
        mut progress: impl FnMut(u64, Option<u64>),
    ) -> Result<u64, Error> {
        let url = self.http.url_of(ENDPOINT, "/v1/convai/conversations/{id}/audio", conversation_id)?;
        let mut part = Part::open(to).await?;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let error = match self.fetch(url.clone(), &mut part, &mut progress).await {
                Ok(length) => return part.finish(to).await.map(|()| length),
                Err(error) => error,
            };
            if !self.http.again(&error, attempts).await {
                return Err(error);
            }
        }
    }

    async fn fetch(&self, url: Url, part: &mut Part, progress: &mut impl FnMut(u64, Option<u64>)) -> Result<u64, Error> {
        let request = self.http.request(Method::GET, url).header(ACCEPT, "audio/*");
        let mut response = self.http.open(ENDPOINT, request).await?;
        let received = self.receive(&mut response, part, progress).await;
        self.http.counters().count(ENDPOINT, received.as_ref().err().map(|error| error.kind.name()));
        received
    }

    async fn receive(
        &self,
        response: &mut Response,
        part: &mut Part,
        progress: &mut impl FnMut(u64, Option<u64>),
    ) -> Result<u64, Error> {
        let lost = |kind, why: String| Error { status: Some(200), ..Error::new(ENDPOINT, kind, why) };
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.starts_with("text/") || kind.starts_with("application/json") {
            return Err(lost(
                ErrorKind::Unreadable,
                format!("HTTP 200 with {}", if kind.contains("html") { "a page of HTML" } else { "a text" }),
            ));
        }
        let total = response.content_length();
        part.empty().await?;
        let mut length = 0;
        loop {
            let chunk = timeout(self.http.timeout(), response.chunk()).await;
            let chunk =
                chunk.map_err(|_| lost(ErrorKind::Lost, format!("not a byte came for {} s", self.http.timeout().as_secs())))?;
            let Some(chunk) = chunk.map_err(|why| lost(ErrorKind::Lost, words::transport(why)))? else { break };
            part.write(&chunk).await?;
            length += chunk.len() as u64;
            progress(length, total);
        }
        if length == 0 {
            return Err(lost(ErrorKind::Unreadable, "HTTP 200 with an empty recording".to_owned()));
        }
        Ok(length)
    }
}

/// The file while it is not whole. Locked, so that two processes do not write into one; deleted when it is dropped unfinished.
struct Part {
    path: PathBuf,
    file: File,
    finished: bool,
}

impl Part {
    async fn open(to: &Path) -> Result<Self, Error> {
        let invalid = |why: &str| Error::new(ENDPOINT, ErrorKind::Invalid, format!("{}: {why}", to.display()));
        let mut name = OsString::from(to.file_name().ok_or_else(|| invalid("names no file"))?);
        name.push(".part");
        let path = to.with_file_name(name);
        let opened = File::options().create(true).truncate(false).write(true).open(&path).await;
        let file = opened.map_err(|why| Error::file(ENDPOINT, &path, &why))?;
        let file = file.into_std().await;
        match file.try_lock() {
            Ok(()) => Ok(Self { path, file: File::from_std(file), finished: false }),
            Err(TryLockError::WouldBlock) => Err(invalid("is being written already")),
            Err(TryLockError::Error(why)) => Err(Error::file(ENDPOINT, &path, &why)),
        }
    }

    async fn empty(&mut self) -> Result<(), Error> {
        let emptied = async {
            self.file.set_len(0).await?;
            self.file.rewind().await.map(drop)
        };
        emptied.await.map_err(|why| self.failed(&why))
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).await.map_err(|why| self.failed(&why))
    }

    /// On disk, and then under its name.
    async fn finish(mut self, to: &Path) -> Result<(), Error> {
        let finished: io::Result<()> = async {
            self.file.flush().await?;
            self.file.sync_all().await?;
            fs::rename(&self.path, to).await
        }
        .await;
        self.finished = finished.is_ok();
        finished.map_err(|why| Error::file(ENDPOINT, to, &why))
    }

    fn failed(&self, why: &io::Error) -> Error {
        Error::file(ENDPOINT, &self.path, why)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.finished {
            // That it cannot be deleted either changes nothing: the next attempt empties it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
