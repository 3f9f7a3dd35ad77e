//! What a telematics unit says of itself, as every decoder in [`crate::formats`] hands it over.

use serde::{Deserialize, Serialize};

use super::geo::{Metres, Position};
use super::id::UnitId;
use super::time::UnixMillis;

/// One report of one unit, in SI units and event time. Nothing in it is believed yet: see `separation` for what a fix
/// must pass before it counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Who reports.
    pub unit: UnitId,
    /// Event time: when the fix was taken, by the unit's clock.
    pub at: UnixMillis,
    /// Where; a coupling report may come without.
    pub position: Option<Position>,
    /// Speed over ground in m/s.
    pub speed_mps: Option<f32>,
    /// Course over ground in degrees from north.
    pub heading_deg: Option<f32>,
    /// Horizontal dilution of precision.
    pub hdop: Option<f32>,
    /// Horizontal accuracy as the receiver estimates it (about 68 %).
    pub accuracy: Option<Metres>,
    /// The receiver's own word on the fix.
    pub valid: Option<bool>,
    /// The unit's own word on whether it moves (ignition, accelerometer).
    pub moving: Option<bool>,
    /// What the coupling sensor says.
    pub coupling: Option<Coupling>,
}

impl Report {
    /// A report with nothing but its required fields.
    #[must_use]
    pub fn fix(unit: UnitId, at: UnixMillis, position: Position) -> Self {
        Self {
            unit,
            at,
            position: Some(position),
            speed_mps: None,
            heading_deg: None,
            hdop: None,
            accuracy: None,
            valid: None,
            moving: None,
            coupling: None,
        }
    }
}

/// A report of a coupling sensor (7-way power, trailer ABS, kingpin lock, air line).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coupling {
    /// Hooked or not.
    pub state: CouplingState,
    /// The tractor it is hooked to, when the sensor knows.
    #[serde(default)]
    pub tractor: Option<UnitId>,
}

/// See [`Coupling`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CouplingState {
    /// Coupled to some tractor.
    Hooked,
    /// Coupled to none.
    Unhooked,
    /// The sensor cannot tell.
    Unknown,
}
