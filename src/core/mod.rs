//! The pure core: telemetry, separation, pending call, dialing, outcome, report.
//!
//! Nothing here does I/O, reads a clock or draws a random number: inputs come with their time, outputs are polled, and the
//! next deadline is told. The same inputs give the same outputs.

pub mod calls;
pub mod control;
pub mod gateway;
pub mod geo;
pub mod health;
pub mod id;
pub mod machine;
pub mod metrics;
pub mod outbox;
pub mod phone;
pub mod record;
pub mod roster;
pub mod separation;
pub mod telemetry;
pub mod time;
pub mod topics;
pub mod zone;
