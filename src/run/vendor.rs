//! Performs what the core asks of the vendor, each in a task of its own, and brings the answers back.

use std::collections::BTreeMap;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::core::calls::Found;
use crate::core::calls::dialing::{AskError, Conversation, NotPlaced, Order, Search, Verdict};
use crate::core::health::Asked;
use crate::core::id::CallSid;
use crate::elevenlabs::{Client, ListQuery};

/// What came back.
#[derive(Debug)]
pub enum Answered {
    /// To a POST.
    Dialed(CallSid, Verdict),
    /// To a question about a conversation.
    Conversation(CallSid, Result<Conversation, AskError>),
    /// To the question whether an attempt became a call.
    Found(CallSid, Result<Option<Found>, AskError>),
    /// To a probe of the uplink.
    Uplink(bool),
    /// To a probe of the account.
    Account(bool),
}

/// Why nothing can be dialled: a short name for health, and words.
pub type Unready = (&'static str, String);

/// The vendor, as far as the configuration gives one.
pub struct Vendor {
    client: Result<Client, Unready>,
    sender: UnboundedSender<Answered>,
    /// As many as the core lets be under way.
    answers: UnboundedReceiver<Answered>,
}

impl Vendor {
    /// With a client, or the reason why there is none.
    pub fn new(client: Result<Client, Unready>) -> Self {
        let (sender, answers) = mpsc::unbounded_channel();
        Self { client, sender, answers }
    }

    /// Takes another client, which counts on. What is under way ends as it was begun.
    pub fn replace(&mut self, client: Result<Client, Unready>) {
        self.client = match (client, &self.client) {
            (Ok(new), Ok(old)) => Ok(new.in_place_of(old)),
            (new, _) => new,
        };
    }

    /// Requests and failures so far, by endpoint.
    pub fn asked(&self) -> BTreeMap<String, Asked> {
        self.client.as_ref().map(Client::counters).unwrap_or_default()
    }

    /// Whether anything can be dialled at all.
    pub fn ready(&self) -> Result<(), Unready> {
        self.client.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    /// The next answer. Cancel safe.
    pub async fn answered(&mut self) -> Answered {
        match self.answers.recv().await {
            Some(answered) => answered,
            // Not while `self.sender` lives.
            None => std::future::pending().await,
        }
    }

    /// One POST.
    pub fn dial(&self, order: Box<Order>) {
        if let Err((_, why)) = &self.client {
            let verdict = Verdict::NotPlaced(NotPlaced::Unreachable(why.clone()));
            drop(self.sender.send(Answered::Dialed(order.call_sid.clone(), verdict)));
            return;
        }
        let lost = Answered::Dialed(order.call_sid.clone(), Verdict::Unknown("the attempt broke off inside gladhand".to_owned()));
        self.perform(lost, async move |client| Answered::Dialed(order.call_sid.clone(), client.place(&order).await));
    }

    /// How a conversation stands.
    pub fn ask_conversation(&self, call_sid: CallSid, conversation_id: String) {
        let lost = Answered::Conversation(call_sid.clone(), Err(AskError::Transient("broke off".to_owned())));
        self.perform(lost, async move |client| Answered::Conversation(call_sid, client.conversation(&conversation_id).await));
    }

    /// Whether an attempt became a call.
    pub fn find(&self, search: Search) {
        let lost = Answered::Found(search.call_sid.clone(), Err(AskError::Transient("broke off".to_owned())));
        self.perform(lost, async move |client| Answered::Found(search.call_sid.clone(), client.find(&search).await));
    }

    /// Whether the vendor can be reached.
    pub fn probe_uplink(&self) {
        self.perform(Answered::Uplink(false), async |client| Answered::Uplink(client.reach().await.is_ok()));
    }

    /// Whether the vendor accepts the account.
    pub fn probe_account(&self) {
        self.perform(Answered::Account(false), async |client| {
            Answered::Account(client.conversations(&ListQuery::default()).await.is_ok())
        });
    }

    /// Every question gets its answer: `lost` when the work panics.
    fn perform<F>(&self, lost: Answered, work: impl FnOnce(Client) -> F)
    where
        F: Future<Output = Answered> + Send + 'static,
    {
        let Ok(client) = &self.client else {
            // The core holds every call while there is no client; what it asks all the same is answered.
            drop(self.sender.send(lost));
            return;
        };
        let (sender, work) = (self.sender.clone(), work(client.clone()));
        let work = tokio::spawn(work);
        tokio::spawn(async move {
            // The receiver is gone only when the daemon stops; an attempt then is unknown at the next start.
            drop(sender.send(work.await.unwrap_or(lost)));
        });
    }
}
