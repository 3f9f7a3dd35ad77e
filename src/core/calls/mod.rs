//! The life of a call: pending, held, dialing, placed or unknown, and how it ended.

pub mod dialing;
pub mod prompt;
pub mod request;
pub mod settings;

pub use settings::Settings;
