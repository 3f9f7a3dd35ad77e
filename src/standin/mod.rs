//! A stand-in for the vendor's API on loopback, for the demo, the tests and integrators.
//!
//! It answers `POST /v1/convai/{twilio|sip-trunk}/outbound-call` and `GET /v1/convai/conversations[/{id}]` in the vendor's
//! shapes, remembers every POST, and plays the scripted life of each conversation. What is to go wrong is queued as
//! [`Fault`]s, one for each POST. `state` decides and is pure; `server` is HTTP.
//!
//! ```
//! use gladhand::standin::{Fault, Reply, StandIn};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let mut vendor = StandIn::start("127.0.0.1:0".parse().expect("an address")).await?;
//! // The first POST rings somebody's telephone and its answer is lost, the second is refused, the rest go well.
//! vendor.set_faults([Fault::new(Reply::Drop).dialled(), Fault::status(429, "rate_limit_exceeded")]);
//! println!("elevenlabs.base_url = {}", vendor.base_url());
//! vendor.down().await;
//! vendor.up().await?;
//! assert!(vendor.posts().is_empty() && vendor.conversations().is_empty());
//! # vendor.stop().await;
//! # std::io::Result::Ok(())
//! # })?;
//! # std::io::Result::Ok(())
//! ```

mod server;
mod state;

pub use server::StandIn;
pub use state::{Conversation, Fault, Filters, Life, Post, Reply};

/// The only API key that the stand-in accepts.
pub const KEY: &str = "sk_stand_in_0123456789abcdef";
