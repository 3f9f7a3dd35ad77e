//! The life of a call: pending, held, dialing, placed or unknown, and how it ended.

pub mod call;
pub mod dialing;
pub mod names;
pub mod prompt;
pub mod queue;
pub mod quiet;
pub mod rate;
pub mod request;
pub mod settings;

pub use call::{Call, Callee, Cause, Outcome, Separation, State};
pub use queue::{Denied, Found, Owed, Queue, QueueOutput, Uplink};
pub use settings::Settings;
