//! A stand-in for the vendor's API on loopback, for the demo, the tests and integrators.
//!
//! It answers every endpoint that the client asks ([`Endpoint`](crate::elevenlabs::Endpoint)) in the vendor's shapes, refuses
//! what the vendor refuses, remembers requests, agents and documents, and plays the scripted life of each conversation. What is
//! to go wrong is queued as [`Fault`]s, one for each POST of a call, or scripted as [`EndpointFault`]s for any endpoint. What it
//! remembers is bounded. Only `server` is HTTP; the rest decides and is pure.
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

#![expect(clippy::indexing_slicing, reason = "a JSON value that is read by name is null where there is none")]

mod account;
mod answer;
mod batches;
mod calls;
mod check;
mod faults;
mod form;
mod list;
mod server;
mod state;

pub use calls::{Conversation, Filters, Life};
pub use faults::{EndpointFault, Fault, Reply};
pub use server::StandIn;
pub use state::{Post, Request};

/// The only API key that the stand-in accepts.
pub const KEY: &str = "sk_stand_in_0123456789abcdef";
