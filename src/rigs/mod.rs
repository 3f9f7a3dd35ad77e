//! Simulated rigs: seeded roads, receivers and trackers whose reports feed the demo, `simulate` and the scenario tests. Pure.
//!
//! A [`Scene`] holds the fleet: a [`Rig`] drives, waits, unhooks and hooks along [`road`]s, [`tracker`]s record what its
//! units would report, faults befall the feeds, and the result is a [`Stream`] in receive order.

pub mod payload;
pub mod rng;
pub mod road;
pub mod scenarios;
mod scene;
pub mod story;
pub mod tracker;

use core::time::Duration;

pub use payload::to_payload;
pub use rng::Rng;
pub use scenarios::{Scenario, scenarios};
pub use scene::{Rig, Scene, Trailer};
pub use story::story;

use crate::core::id::UnitId;
use crate::core::roster::{Assignment, TrailerTraits};
use crate::core::separation::{Settings, ViolationKind};
use crate::core::telemetry::Report;
use crate::core::time::UnixMillis;
use crate::core::zone::Zone;

/// What happens, in the order in which the gateway sees it.
pub type Stream = Vec<Item>;

/// One thing that happens.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The gateway's clock at that moment.
    pub received: UnixMillis,
    /// Whether that clock is known to be right.
    pub trusted: bool,
    /// The rig it is about (the number in its units' names); 0 when about all.
    pub rig: u16,
    /// What it is.
    pub kind: Kind,
}

/// See [`Item::kind`].
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A unit reports.
    Report(Report),
    /// A unit reports through Traccar: the payload that Traccar forwards.
    Traccar(String),
    /// A tractor's assignment changes.
    Assignment(Box<Assignment>),
    /// What is known of a trailer's tracker.
    Trailer(TrailerTraits),
    /// The places where a trailer may be dropped.
    Zones(Vec<Zone>),
    /// The gateway is killed and starts again.
    Restart,
    /// The gateway loses (`false`) or finds its way to the internet.
    Uplink(bool),
}

/// A scenario with everything that chance decides decided.
#[derive(Clone, Debug)]
pub struct Case {
    /// What happens.
    pub stream: Stream,
    /// What must be found, and nothing else.
    pub expectation: Expectation,
    /// The fleet's thresholds.
    pub settings: Settings,
}

/// What a detector must find in a stream. Violations other than those named are false.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expectation {
    /// Each exactly once.
    pub due: Vec<Due>,
    /// Whether a suspicion without a violation is acceptable.
    pub may_suspect: bool,
    /// How many episodes must be closed at the end.
    pub closed: usize,
    /// What else health must say at the end.
    pub health: Option<Health>,
}

/// What health says of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Its clock is probably wrong.
    ClockSuspect(UnitId),
    /// It should have reported.
    Silent(UnitId),
    /// Some of its reports were refused, and counted.
    Refused,
}

/// One finding that must come.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// Which violation; `None` for a suspicion.
    pub kind: Option<ViolationKind>,
    /// The pair's tractor.
    pub tractor: UnitId,
    /// The pair's trailer.
    pub trailer: UnitId,
    /// When they came apart.
    pub departure: UnixMillis,
    /// How long after that, in receive time, at the latest.
    pub by: Duration,
}

impl Expectation {
    /// Nothing may be found.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// No violation; a suspicion is acceptable.
    #[must_use]
    pub fn at_most_suspected() -> Self {
        Self { may_suspect: true, ..Self::default() }
    }
}
