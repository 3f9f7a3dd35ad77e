//! `/v1/convai/knowledge-base`: the documents that agents know.

use std::path::Path;

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::client::Client;
use super::endpoint::Endpoint;
use super::error::Error;
use super::lenient::lenient;
use super::pages::{List, Pages, Query, append};
use super::upload::{self, Upload};

const PATH: &str = "/v1/convai/knowledge-base";
const ONE: &str = "/v1/convai/knowledge-base/{id}";

/// The most documents of one name that an error names.
const NAMED: usize = 20;

/// A document, whole or in a list; a list has no text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// The vendor's id.
    pub id: String,
    /// As the console shows it. More than one document may have the same.
    #[serde(default)]
    pub name: String,
    /// Where it came from.
    #[serde(rename = "type")]
    pub kind: DocumentKind,
    /// Size and times.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub metadata: Option<DocumentMetadata>,
    /// Of a document from the web.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Of a document from a file.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// What the vendor read out of it, in HTML.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub extracted_inner_html: Option<String>,
    /// All else that the vendor says of it.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// See [`Document::kind`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    /// A file that was sent.
    File,
    /// A page of the web, read by the vendor.
    Url,
    /// Text that was sent.
    Text,
    /// A folder of documents.
    Folder,
    /// One that is not known here.
    #[serde(untagged)]
    Other(String),
}

/// See [`Document::metadata`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentMetadata {
    /// Unix seconds.
    #[serde(default, deserialize_with = "lenient")]
    pub created_at_unix_secs: Option<i64>,
    /// Unix seconds.
    #[serde(default, deserialize_with = "lenient")]
    pub last_updated_at_unix_secs: Option<i64>,
    /// As the vendor keeps it, which is not the size of a file that was sent.
    #[serde(default, deserialize_with = "lenient")]
    pub size_bytes: Option<u64>,
}

/// A document that was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CreatedDocument {
    /// The vendor's id.
    pub id: String,
    /// As the console shows it.
    #[serde(default)]
    pub name: String,
    /// All else that the vendor says of it.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Which documents to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DocumentsQuery {
    /// The beginning of the name.
    pub search: Option<String>,
    /// Of these kinds; empty: of all.
    pub kinds: Vec<DocumentKind>,
    /// Rows in a page, 1 to 100.
    pub page_size: Option<u32>,
}

impl DocumentKind {
    /// As the vendor writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::File => "file",
            Self::Url => "url",
            Self::Text => "text",
            Self::Folder => "folder",
            Self::Other(text) => text,
        }
    }
}

impl List for DocumentsQuery {
    type Item = Document;
    const ENDPOINT: Endpoint = Endpoint::KnowledgeList;
    const PATH: &str = PATH;
    const ROWS: &str = "documents";

    fn query(&self) -> Query {
        let mut query = Query::new();
        query.extend(self.page_size.map(|size| ("page_size", size.to_string())));
        query.extend(self.search.iter().map(|text| ("search", text.clone())));
        query.extend(self.kinds.iter().map(|kind| ("types", kind.as_str().to_owned())));
        query
    }
}

impl Client {
    /// The account's documents.
    #[must_use]
    pub fn list_documents(&self, query: DocumentsQuery) -> Pages<'_, DocumentsQuery> {
        Pages::new(&self.http, query)
    }

    /// One document with the text that the vendor read out of it.
    ///
    /// # Errors
    /// [`NotFound`](super::ErrorKind::NotFound) when there is none of this id, or as for every request.
    pub async fn get_document(&self, id: &str) -> Result<Document, Error> {
        let url = self.http.url_of(Endpoint::KnowledgeGet, ONE, id)?;
        self.http.get_json(Endpoint::KnowledgeGet, url).await
    }

    /// A document of this text. Without a name the vendor makes one up.
    ///
    /// # Errors
    /// As for [`create_document_from_file`](Self::create_document_from_file).
    pub async fn create_document_from_text(&self, text: &str, name: Option<&str>) -> Result<CreatedDocument, Error> {
        self.create_document("text", "text", text, name).await
    }

    /// A document of what the vendor finds at this address.
    ///
    /// # Errors
    /// As for [`create_document_from_file`](Self::create_document_from_file).
    pub async fn create_document_from_url(&self, url: &str, name: Option<&str>) -> Result<CreatedDocument, Error> {
        self.create_document("url", "url", url, name).await
    }

    /// A document of a file, which is sent as it is read. `progress` is told the bytes sent and the bytes in all, boundaries of
    /// the request included. A request that breaks off leaves nothing at the vendor, for its body is not whole.
    ///
    /// # Errors
    /// As for every request. Where the answer to a whole request was lost, [`Error::left_behind`] names the documents of this
    /// name, one of which may be this file's.
    pub async fn create_document_from_file(
        &self,
        file: &Path,
        name: Option<&str>,
        progress: impl FnMut(u64, u64) + Send + Sync + 'static,
    ) -> Result<CreatedDocument, Error> {
        const ENDPOINT: Endpoint = Endpoint::KnowledgeCreate;
        let upload = Upload::open(file, name).await.map_err(|why| Error::file(ENDPOINT, file, &why))?;
        let name = name.map_or_else(|| upload.file_name.clone(), str::to_owned);
        let request = self.http.request(Method::POST, self.http.url(&format!("{PATH}/file")));
        let created = upload::send(&self.http, ENDPOINT, request, upload, progress).await;
        match created.and_then(|body| self.http.parse(ENDPOINT, &body)) {
            Ok(created) => Ok(created),
            Err(error) => Err(self.with_left_behind(error, &name).await),
        }
    }

    /// Deletes a document. `even_if_used` takes it away from the agents that know it; without, the vendor refuses.
    ///
    /// # Errors
    /// As for [`get_document`](Self::get_document).
    pub async fn delete_document(&self, id: &str, even_if_used: bool) -> Result<(), Error> {
        let mut url = self.http.url_of(Endpoint::KnowledgeDelete, ONE, id)?;
        if even_if_used {
            append(&mut url, [("force", "true".to_owned())]);
        }
        self.http.send(Endpoint::KnowledgeDelete, self.http.request(Method::DELETE, url)).await.map(drop)
    }

    async fn create_document(&self, way: &str, field: &str, what: &str, name: Option<&str>) -> Result<CreatedDocument, Error> {
        let url = self.http.url(&format!("{PATH}/{way}"));
        let mut body = json!({ field: what });
        if let (Some(body), Some(name)) = (body.as_object_mut(), name) {
            body.insert("name".to_owned(), name.into());
        }
        match self.http.send_json(Endpoint::KnowledgeCreate, Method::POST, url, &body).await {
            Ok(created) => Ok(created),
            Err(error) => match name {
                Some(name) => Err(self.with_left_behind(error, name).await),
                None => Err(error),
            },
        }
    }

    /// Asks what there is by the name of a document that may have been made.
    async fn with_left_behind(&self, error: Error, name: &str) -> Error {
        if !error.was_maybe_placed() {
            return error;
        }
        let query = DocumentsQuery { search: Some(name.to_owned()), page_size: Some(100), ..DocumentsQuery::default() };
        // That it cannot be asked either is no news.
        let found = self.list_documents(query).collect(1_000).await.unwrap_or_default();
        let left_behind = found.into_iter().filter(|document| document.name == name).map(|document| document.id);
        Error { left_behind: left_behind.take(NAMED).collect(), ..error }
    }
}
