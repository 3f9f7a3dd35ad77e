//! The vendor. The only folder that knows reqwest.
//!
//! [`Client::place`] makes one POST and says what became of it; the other calls read. [`Client::find`] asks whether an
//! attempt whose answer was lost became a call. TLS is rustls with ring, and the
//! roots are those of the machine (on Debian the package `ca-certificates`).

pub mod answers;
mod client;
mod conversations;
mod error;
mod key;
mod lookup;
mod outbound_call;
mod settings;

pub use client::{CannotBuild, Client};
pub use conversations::{ListQuery, Page, Row};
pub use key::{ApiKey, BadKey};
pub use settings::{Route, Settings};
