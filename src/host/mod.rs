//! The machine: service manager, journal, clock, signals.
