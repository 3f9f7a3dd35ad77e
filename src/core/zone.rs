//! Places where a trailer may be dropped: `[[zone]]` in the configuration, or the retained list on `gladhand/zones`.

use serde::{Deserialize, Serialize};

use super::geo::{EARTH_RADIUS_M, Metres, Position};

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

impl Zone {
    /// Whether a place lies inside, or outside by no more than `margin`. The sides of a polygon are great circles.
    #[must_use]
    pub fn contains(&self, position: Position, margin: Metres) -> bool {
        match &self.shape {
            Shape::Circle { center, radius } => center.distance(position).0 <= radius.0 + margin.0,
            Shape::Polygon(corners) => polygon_contains(corners, position, margin.0 / EARTH_RADIUS_M),
        }
    }
}

/// Looks at the polygon from above `position`, by a gnomonic projection with that place as its origin: great circles
/// are straight lines, and lengths near the origin are true, at the poles and the antimeridian as anywhere. A polygon with a
/// corner a quarter of the globe away is no yard and contains nothing.
fn polygon_contains(corners: &[Position], position: Position, margin: f64) -> bool {
    let (sin0, cos0) = position.lat.to_radians().sin_cos();
    let project = |corner: &Position| {
        let (sin, cos) = corner.lat.to_radians().sin_cos();
        let (sin_dlon, cos_dlon) = (corner.lon - position.lon).to_radians().sin_cos();
        let height = sin0 * sin + cos0 * cos * cos_dlon;
        (height > 0.0).then(|| (cos * sin_dlon / height, (cos0 * sin - sin0 * cos * cos_dlon) / height))
    };
    let Some(mut from) = corners.last().and_then(project) else { return false };
    let (mut inside, mut near) = (false, false);
    for corner in corners {
        let Some(to) = project(corner) else { return false };
        if (from.1 > 0.0) != (to.1 > 0.0) && from.0 - from.1 * (to.0 - from.0) / (to.1 - from.1) > 0.0 {
            inside = !inside;
        }
        near |= distance_from_origin(from, to) <= margin;
        from = to;
    }
    inside || near
}

/// From the origin to the nearest point of the line between two points.
fn distance_from_origin(from: (f64, f64), to: (f64, f64)) -> f64 {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx * dx + dy * dy;
    let along = if length > 0.0 { (-(from.0 * dx + from.1 * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
    (from.0 + along * dx).hypot(from.1 + along * dy)
}

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

#[cfg(test)]
mod tests {
    use super::*;

    const DEGREE_M: f64 = 111_195.08;

    fn at(lat: f64, lon: f64) -> Position {
        Position { lat, lon }
    }

    /// A square of `side` metres around a place; at the pole too.
    fn square(center: Position, side: f64) -> Zone {
        let half = side / 2.0 / DEGREE_M;
        let wide = half / center.lat.to_radians().cos();
        let wrap = |lon: f64| (lon + 540.0).rem_euclid(360.0) - 180.0;
        let corner = |n: f64, e: f64| at(center.lat + n * half, wrap(center.lon + e * wide));
        let corners = vec![corner(-1.0, -1.0), corner(-1.0, 1.0), corner(1.0, 1.0), corner(1.0, -1.0)];
        Zone { name: "square".to_owned(), shape: Shape::Polygon(corners) }
    }

    #[test]
    fn shapes_hold_at_any_place_on_earth() {
        for center in [at(0.0, 0.0), at(27.5, -99.5), at(-17.0, 179.999), at(65.0, -180.0), at(84.0, 20.0)] {
            let east = |m: f64| {
                let lon = center.lon + m / DEGREE_M / center.lat.to_radians().cos();
                at(center.lat, (lon + 540.0).rem_euclid(360.0) - 180.0)
            };
            let circle = Zone { name: "circle".to_owned(), shape: Shape::Circle { center, radius: Metres(200.0) } };
            for zone in [circle, square(center, 400.0)] {
                assert!(zone.contains(center, Metres(0.0)), "{zone:?}");
                assert!(zone.contains(east(198.0), Metres(0.0)), "{zone:?}");
                assert!(!zone.contains(east(202.0), Metres(0.0)), "{zone:?}");
                assert!(zone.contains(east(-248.0), Metres(50.0)), "{zone:?}");
                assert!(!zone.contains(east(-252.0), Metres(50.0)), "{zone:?}");
                assert!(!zone.contains(at(-center.lat - 1.0, -center.lon), Metres(50.0)), "{zone:?}");
            }
        }
    }

    #[test]
    fn a_polygon_around_the_pole_and_one_with_a_notch() {
        let polygon = |corners| Zone { name: "p".to_owned(), shape: Shape::Polygon(corners) };
        let cap = polygon(vec![at(89.0, 0.0), at(89.0, 120.0), at(89.0, -120.0)]);
        assert!(cap.contains(at(90.0, 0.0), Metres(0.0)));
        assert!(cap.contains(at(89.9, 77.0), Metres(0.0)));
        assert!(!cap.contains(at(88.9, 0.0), Metres(0.0)));
        let notched = polygon(vec![at(0.0, 0.0), at(0.0, 0.03), at(0.03, 0.03), at(0.01, 0.015), at(0.03, 0.0)]);
        assert!(notched.contains(at(0.005, 0.015), Metres(0.0)));
        assert!(!notched.contains(at(0.02, 0.015), Metres(50.0)));
        assert!(notched.contains(at(0.0103, 0.015), Metres(50.0)));
    }
}
