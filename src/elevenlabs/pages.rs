//! Lists that come in pages, one item after the other.

use std::collections::VecDeque;

use reqwest::Url;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::endpoint::Endpoint;
use super::error::{Error, ErrorKind};
use super::http::Http;

/// The most pages that are read of one list. With 100 rows each that is more than a fleet has of anything.
const MOST: u32 = 10_000;

/// A list with its conditions.
pub trait List {
    /// A row.
    type Item: DeserializeOwned;
    /// What is asked.
    #[doc(hidden)]
    const ENDPOINT: Endpoint;
    /// The resource below the base URL.
    #[doc(hidden)]
    const PATH: &str;
    /// The key of the rows.
    #[doc(hidden)]
    const ROWS: &str;
    /// The conditions.
    #[doc(hidden)]
    fn query(&self) -> Query;
}

/// Names and values, in the order in which they are sent.
pub type Query = Vec<(&'static str, String)>;

/// The rows of a list, fetched a page at a time. A row that is no row (without its id) is left out; that a page is no page is
/// an error.
///
/// ```no_run
/// # use gladhand::elevenlabs::{AgentsQuery, Client, Error};
/// # async fn names(client: &Client) -> Result<(), Error> {
/// let mut agents = client.list_agents(AgentsQuery::default());
/// while let Some(agent) = agents.next().await? {
///     println!("{} {}", agent.agent_id, agent.name);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Pages<'c, L: List> {
    http: &'c Http,
    list: L,
    rows: VecDeque<L::Item>,
    cursor: Option<String>,
    read: u32,
    over: bool,
}

impl<'c, L: List> Pages<'c, L> {
    pub(super) fn new(http: &'c Http, list: L) -> Self {
        Self { http, list, rows: VecDeque::new(), cursor: None, read: 0, over: false }
    }

    /// The next row. Dropped while it waits it loses none.
    ///
    /// # Errors
    /// When a page cannot be had. Asked again, it goes on from there.
    pub async fn next(&mut self) -> Result<Option<L::Item>, Error> {
        while self.rows.is_empty() && !self.over {
            self.fetch().await?;
        }
        Ok(self.rows.pop_front())
    }

    /// All rows that are left, `most` at most.
    ///
    /// # Errors
    /// When a page cannot be had.
    pub async fn collect(mut self, most: usize) -> Result<Vec<L::Item>, Error> {
        let mut rows = Vec::new();
        while rows.len() < most
            && let Some(row) = self.next().await?
        {
            rows.push(row);
        }
        Ok(rows)
    }

    async fn fetch(&mut self) -> Result<(), Error> {
        let lost = |why: &str| Error::new(L::ENDPOINT, ErrorKind::Unreadable, why);
        let mut url = self.http.url(L::PATH);
        let cursor = self.cursor.iter().map(|cursor| ("cursor", cursor.clone()));
        append(&mut url, self.list.query().into_iter().chain(cursor));
        let page: Page = self.http.get_json(L::ENDPOINT, url).await?;
        let Some(Value::Array(rows)) = page.rest.get(L::ROWS) else {
            return Err(lost(&format!("HTTP 200 without {}", L::ROWS)));
        };
        self.read += 1;
        if page.has_more {
            let next = page.next_cursor.filter(|next| !next.is_empty());
            let next = next.ok_or_else(|| lost("HTTP 200, but it does not say where the list goes on"))?;
            if self.cursor.as_ref() == Some(&next) || self.read == MOST {
                return Err(lost("HTTP 200, but the list goes on for ever"));
            }
            self.cursor = Some(next);
        } else {
            self.over = true;
        }
        self.rows.extend(rows.iter().filter_map(|row| L::Item::deserialize(row).ok()));
        Ok(())
    }
}

/// Adds conditions to a URL.
pub(super) fn append(url: &mut Url, query: impl IntoIterator<Item = (&'static str, String)>) {
    let mut query = query.into_iter().peekable();
    if query.peek().is_some() {
        url.query_pairs_mut().extend_pairs(query);
    }
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    next_cursor: Option<String>,
    #[serde(default)]
    has_more: bool,
    #[serde(flatten)]
    rest: Map<String, Value>,
}
