//! The machine: service manager, journal, clock, gauges, signals. The only folder that reads a clock.

pub mod clock;
pub mod gauges;
pub mod journal;
pub mod notify;
pub mod quota;
pub mod signals;

pub use clock::Clock;
pub use signals::{Signal, Signals};
