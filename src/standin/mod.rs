//! A stand-in for the vendor's API on loopback, for the demo, the tests and integrators.
//!
//! It answers `POST /v1/convai/{twilio|sip-trunk}/outbound-call` and `GET /v1/convai/conversations[/{id}]` in the vendor's
//! shapes, remembers every POST, and plays the scripted life of each conversation. What is to go wrong is queued as
//! [`Fault`]s, one for each POST. `state` decides and is pure; `server` is HTTP.

mod server;
mod state;

pub use server::StandIn;
pub use state::{Conversation, Fault, Life, Post, Reply};

/// The only API key that the stand-in accepts.
pub const KEY: &str = "sk_stand_in_0123456789abcdef";
