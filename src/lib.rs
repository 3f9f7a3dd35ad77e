//! gladhand: notices when a tractor and its trailer come apart, and has somebody telephoned about it exactly once.
//!
//! ```text
//!  mqtt ──> formats ──> core::separation ──> core::calls ──────> elevenlabs ──> core::calls ──> core::outbox ──> mqtt
//!  message  report      finding              a call is owed      one POST       its outcome     what the world
//!                                            and waits                                          is told
//!           └──────────────── core::machine: one input, one output, pure ───────────────────┘
//!  run: feeds the machine, makes durable what it says (store), then does what it says, then acknowledges to the broker
//! ```
//!
//! # Design
//!
//! A pure core decides and a thin shell performs. [`core::machine::Machine`] takes inputs with their time, hands out outputs
//! and its next deadline; [`mod@run`] is the one loop that connects it with the world. Every outside thing has one folder that
//! knows its crate, and nothing below `core`, `formats`, `rigs` and `account` knows any (`tests/purity.rs`).
//!
//! | folder | what |
//! |---|---|
//! | [`core`] | pure: separation, calls, roster, outbox, health, and the machine that holds them together |
//! | [`formats`] | pure: decoders from a device's payload to a report |
//! | [`rigs`] | pure: simulated rigs for demo and tests |
//! | [`account`] | pure: the agent as a file, against what the vendor's account has |
//! | [`mod@run`] | the shell: merges inputs, commits, performs, feeds the watchdog |
//! | [`store`] | sled, and a second copy of what must not be lost |
//! | [`mqtt`] | rumqttc's packets, on one connection after the other |
//! | [`elevenlabs`] | reqwest |
//! | [`api`] | axum: the control socket |
//! | [`config`] | TOML, roster, secrets |
//! | [`host`] | systemd, journal, signals, the clocks |
//! | [`cli`] | one file per command |
//! | [`standin`], [`demo`] | the vendor, played; the whole story on one machine |
//!
//! # What survives a power cut and what does not
//!
//! Survives, from the moment that anybody was told of it: every call with its state, attempts included; requests already
//! taken (for 24 h); open and suspected separations and the evidence gathered so far, as of the last record of their pair;
//! assignments, zones and acknowledgements that came over MQTT; announcements that the broker has not acknowledged; the
//! number of starts. Calls that are not over survive damage to one of two copies as well. A call that was being dialled
//! comes back as `unknown`, and the vendor is asked what became of it.
//!
//! Does not survive: what may be asked again. Telemetry that decided nothing yet (the broker sends again what was not
//! acknowledged); most of the fixes remembered for interpolation, of which each pair's record keeps the newest; counters of
//! health; the wall clock's trust, which is looked for anew; who waits on the control socket. An announcement may be said
//! twice, for it is forgotten only after its acknowledgement.
//!
//! # Panics and errors
//!
//! No input makes the daemon panic or exit: input is never unwrapped or indexed, `make lint` denies both outside tests, and
//! `expect` stands only on an invariant, with its reason. sled may panic on a damaged database; [`store`] catches that and
//! sets the database aside. A panic of the main loop would end the process, and systemd would start it again.
//!
//! Each boundary has one error enum that its caller branches on: [`store::StoreError`], [`formats::Reject`],
//! [`core::calls::dialing::Verdict`] (of one POST: placed, not placed, or unknown) and [`core::calls::dialing::AskError`],
//! [`config::ConfigError`], [`run::CannotStart`]. A failed write stops all decisions until it succeeds, since nothing may be
//! told or dialled that is not durable; health says so meanwhile. Errors name fields and never repeat secrets or telephone numbers.

#![forbid(unsafe_code)]

pub mod account;
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
