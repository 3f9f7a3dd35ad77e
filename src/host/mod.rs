//! The machine: service manager, journal, clock, gauges, signals, users. The only folder that reads a clock.

pub mod clock;
pub mod gauges;
pub mod journal;
pub mod notify;
pub mod quota;
pub mod signals;
pub mod user;

pub use clock::Clock;
pub use signals::{Signal, Signals};
