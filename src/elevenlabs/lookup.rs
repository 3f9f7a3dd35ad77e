//! Whether an attempt whose answer was lost became a call.
//!
//! The vendor's list is asked by the dynamic variable `call_sid`, then by `user_id`, which older versions of the API know as
//! well, then for all conversations of the account since the attempt: another agent may be configured by now. The list carries
//! neither variables nor numbers, so every candidate is read and compared. All pages are read. Times are the vendor's own: its clock is in the header `Date`, and of
//! the gateway's clock only the time that has passed since the attempt is used.

use super::client::Client;
use super::outcome::{ListQuery, Row};
use crate::core::calls::Found;
use crate::core::calls::dialing::{AskError, Conversation, Search};

/// Candidates that are read for one question. When there are more the answer is not "none".
const CANDIDATES: usize = 300;

/// How much longer ago than the attempt a conversation may have begun, for the vendor, in seconds.
const MARGIN_S: i64 = 3600;

/// What one way of asking gave.
enum Listed {
    Found(Found),
    None,
    /// The vendor does not know this way of asking, or has more candidates than are read.
    CannotTell(AskError),
}

impl Client {
    /// Looks for the conversation that an attempt became. `Ok(None)`: the vendor lists none; soon after the attempt that is no
    /// proof.
    ///
    /// # Errors
    /// When the vendor could not be asked, or in no way that tells.
    pub async fn find(&self, search: &Search) -> Result<Option<Found>, AskError> {
        let call_sid = || Some(search.call_sid.clone());
        let by_variable = ListQuery { call_sid: call_sid(), ..ListQuery::default() };
        let by_user = ListQuery { user_id: call_sid(), ..ListQuery::default() };
        let mut none = false;
        let mut cannot_tell = None;
        for query in [by_variable, by_user, ListQuery::default()] {
            match self.search(query, search).await? {
                Listed::Found(found) => return Ok(Some(found)),
                Listed::None => none = true,
                Listed::CannotTell(why) => cannot_tell = Some(why),
            }
        }
        match cannot_tell {
            Some(why) if !none => Err(why),
            Some(_) | None => Ok(None),
        }
    }

    /// One way of asking, through all pages.
    async fn search(&self, mut query: ListQuery, search: &Search) -> Result<Listed, AskError> {
        let by_id = query.call_sid.is_some() || query.user_id.is_some();
        let mut read = 0;
        loop {
            // Also a list of empty pages has an end.
            read += 1;
            let page = match self.conversations(&query).await {
                Ok(page) => page,
                Err(why @ AskError::Refused(_)) => return Ok(Listed::CannotTell(why)),
                Err(why) => return Err(why),
            };
            // Without an id to ask for, what began before the attempt is left out, and the list has the newest first.
            let since = match (by_id, page.date, search.age) {
                (false, Some(date), Some(age)) => Some(date.saturating_sub_unsigned(age.as_secs()).saturating_sub(MARGIN_S)),
                (true, _, _) | (false, _, None) | (false, None, Some(_)) => None,
            };
            let too_old = |row: &Row| since.zip(row.started).is_some_and(|(since, started)| started < since);
            let last = page.rows.last().is_some_and(too_old);
            for row in page.rows.iter().filter(|row| !too_old(row)) {
                read += 1;
                if read > CANDIDATES {
                    let why = format!("more than {CANDIDATES} conversations to look through");
                    return Ok(Listed::CannotTell(AskError::Transient(why)));
                }
                match self.candidate(row, search, by_id).await {
                    Ok(Some(found)) => return Ok(Listed::Found(found)),
                    Ok(None) => {}
                    // Whatever the account has talked about since; what is ours was asked for by its name.
                    Err(why @ AskError::NotFound(_)) if !by_id => return Ok(Listed::CannotTell(why)),
                    // It is in the list, so it will be readable.
                    Err(AskError::NotFound(why)) => return Err(AskError::Transient(why)),
                    Err(why) => return Err(why),
                }
            }
            query.cursor = match page.next {
                Some(next) if !last && query.cursor.as_ref() != Some(&next) => Some(next),
                Some(_) | None => return Ok(Listed::None),
            };
        }
    }

    async fn candidate(&self, row: &Row, search: &Search, by_id: bool) -> Result<Option<Found>, AskError> {
        let conversation = self.conversation(&row.conversation_id).await?;
        Ok(is_of(&conversation, search, by_id)
            .then(|| Found { conversation_id: row.conversation_id.clone(), provider_call_sid: conversation.provider_call_sid }))
    }
}

/// The echo of our id decides; where there is none, the number does, for what was listed under our id.
fn is_of(conversation: &Conversation, search: &Search, by_id: bool) -> bool {
    match &conversation.call_sid {
        Some(echo) => *echo == *search.call_sid,
        None => by_id && conversation.called.as_deref().is_some_and(|called| digits(called) == digits(search.to.expose())),
    }
}

fn digits(number: &str) -> String {
    number.chars().filter(char::is_ascii_digit).collect()
}
