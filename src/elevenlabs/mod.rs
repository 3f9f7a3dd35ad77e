//! The vendor. The only folder that knows reqwest.
//!
//! [`Client`] has one file for each of the vendor's resources: calls, conversations, agents, knowledge, phone numbers, batches.
//! What they send and read is in the vendor's own words; what is not known here is kept or passed over, never an error. Each
//! fails with an [`Error`] that says whether to try again ([`Error::is_transient`]) and whether it may have been done all the
//! same ([`Error::was_maybe_placed`]). What only reads is repeated, up to three times; what places, makes, changes or deletes
//! something never is.
//!
//! The queue of calls has its own two doors: [`Client::place`] makes one POST and says what became of it, and [`Client::find`]
//! asks whether an attempt whose answer was lost became a call.
//!
//! TLS is rustls with ring, and the roots are those of the machine (on Debian the package `ca-certificates`).

mod agents;
pub mod answers;
mod audio;
mod batches;
mod client;
mod conversations;
mod endpoint;
mod error;
mod headers;
mod http;
mod id;
mod key;
mod knowledge;
mod lenient;
mod lookup;
mod outbound_call;
mod outcome;
mod pace;
mod pages;
mod phone_numbers;
mod register_call;
mod settings;
mod signed_url;
mod upload;
mod words;

pub use agents::{Agent, AgentDraft, AgentSummary, AgentsQuery};
pub use batches::{Batch, BatchDraft, BatchStatus, Recipient, RecipientStatus};
pub use client::{CannotBuild, Client};
pub use conversations::{ConversationDetail, ConversationSummary, ConversationsQuery, Status, Utterance, VariableIs};
pub use endpoint::Endpoint;
pub use error::{Error, ErrorKind};
pub use key::{ApiKey, BadKey};
pub use knowledge::{CreatedDocument, Document, DocumentKind, DocumentMetadata, DocumentsQuery};
pub use outbound_call::{ClientData, OutboundCall, Placed, TelephonyCallConfig, Variable};
pub use outcome::{ListQuery, Page, Row};
pub use pace::Waits;
pub use pages::{List, Pages, Query};
pub use phone_numbers::{AssignedAgent, PhoneNumber, Provider, TwilioNumber};
pub use register_call::{Direction, RegisterCall};
pub use settings::{Route, Settings};
pub use signed_url::SignedUrl;
