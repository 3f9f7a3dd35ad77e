//! The agent as a file: what `agent.toml` asks of the vendor's account, and what that is against what the account has. Pure.
//!
//! | file | what |
//! |---|---|
//! | `agent.rs` | what may stand in the file |
//! | `places.rs` | the file's keys, and where the vendor has them: both ways |
//! | `diff.rs` | what differs, and the request that makes it equal, for any JSON |
//! | `documents.rs` | knowledge documents, known again by the hash in their name |
//! | `plan.rs` | all of it together, to be shown and to be carried out |
//! | `variables.rs` | which dynamic variables an agent needs |
//!
//! Only what the file speaks of is compared and written. Whatever else the agent has, defaults of the vendor and settings
//! that are made in the console, is left as it is.

mod agent;
mod diff;
pub mod documents;
mod places;
mod plan;
mod variables;

pub use agent::{
    Agent, Conversation, Criterion, DataItem, Destination, Document, EndCall, Example, Source, Tools, TransferToNumber, Turn,
    Voice, VoicemailDetection,
};
pub use diff::{Change, changes, patch};
pub use places::{compile, pull};
pub use plan::{MARK, Plan, Upload, is_ours, masked, plan};
pub use variables::{SENT, needed};
