//! Places where a trailer may be dropped: `[[zone]]` in the configuration, or the retained list on `gladhand/zones`.

use serde::{Deserialize, Serialize};

use super::geo::{Metres, Position};

/// An authorised place. Exactly one of the two shapes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ZoneFields", into = "ZoneFields")]
pub struct Zone {
    /// What people call it.
    pub name: String,
    /// Its outline.
    pub shape: Shape,
}

/// See [`Zone`].
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// All within `radius` of `center`.
    Circle {
        /// Middle.
        center: Position,
        /// Reach.
        radius: Metres,
    },
    /// A simple polygon of three to 256 corners, closed by itself; may cross the antimeridian.
    Polygon(Vec<Position>),
}

/// The most corners a polygon may have.
pub const MAX_CORNERS: usize = 256;

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ZoneFields {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    center: Option<[f64; 2]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    radius_m: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    polygon: Option<Vec<[f64; 2]>>,
}

impl TryFrom<ZoneFields> for Zone {
    type Error = String;

    fn try_from(fields: ZoneFields) -> Result<Self, String> {
        let name = fields.name;
        let position = |[lat, lon]: [f64; 2]| {
            let position = Position { lat, lon };
            if position.is_valid() {
                Ok(position)
            } else {
                Err(format!("zone \"{name}\": [{lat}, {lon}] is not [latitude, longitude]"))
            }
        };
        let shape = match (fields.center, fields.radius_m, fields.polygon) {
            (Some(center), Some(radius), None) if radius.is_finite() && radius > 0.0 => {
                Shape::Circle { center: position(center)?, radius: Metres(radius) }
            }
            (Some(_), Some(radius), None) => return Err(format!("zone \"{name}\": radius_m = {radius} must be more than 0")),
            (None, None, Some(corners)) if (3..=MAX_CORNERS).contains(&corners.len()) => {
                Shape::Polygon(corners.into_iter().map(position).collect::<Result<_, _>>()?)
            }
            (None, None, Some(corners)) => {
                return Err(format!("zone \"{name}\": a polygon has 3 to {MAX_CORNERS} corners, not {}", corners.len()));
            }
            _ => return Err(format!("zone \"{name}\" needs either center and radius_m, or polygon")),
        };
        Ok(Self { name, shape })
    }
}

impl From<Zone> for ZoneFields {
    fn from(zone: Zone) -> Self {
        let pair = |p: Position| [p.lat, p.lon];
        match zone.shape {
            Shape::Circle { center, radius } => {
                Self { name: zone.name, center: Some(pair(center)), radius_m: Some(radius.0), polygon: None }
            }
            Shape::Polygon(corners) => {
                Self { name: zone.name, center: None, radius_m: None, polygon: Some(corners.into_iter().map(pair).collect()) }
            }
        }
    }
}
