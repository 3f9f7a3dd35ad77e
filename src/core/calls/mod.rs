//! The life of a call: pending, held, dialing, placed or unknown, and how it ended.

pub mod dialing;
pub mod settings;

pub use settings::Settings;
