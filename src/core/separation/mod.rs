//! Deciding that a tractor and its trailer came apart.

pub mod finding;
pub mod settings;

pub use finding::{DecidedBy, Finding, FindingEvent, ViolationKind};
pub use settings::Settings;
