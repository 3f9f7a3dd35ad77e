//! gladhand: notices when a tractor and its trailer come apart, and has somebody telephoned about it exactly once.

#![forbid(unsafe_code)]

pub mod api;
pub mod cli;
pub mod config;
pub mod core;
pub mod demo;
pub mod elevenlabs;
pub mod formats;
pub mod host;
pub mod mqtt;
pub mod replay;
pub mod rigs;
pub mod run;
pub mod standin;
pub mod store;
