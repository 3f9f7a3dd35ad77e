//! Positions and distances on the WGS 84 sphere. Pairs across the antimeridian and near the poles are ordinary.

use serde::{Deserialize, Serialize};

/// Mean Earth radius in metres (IUGG R1).
pub const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// A length in metres.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metres(pub f64);

/// A place: degrees north and east.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Degrees north, -90 to 90.
    pub lat: f64,
    /// Degrees east, -180 to 180.
    pub lon: f64,
}

impl Position {
    /// True when both numbers are finite and in range.
    #[must_use]
    pub fn is_valid(self) -> bool {
        self.lat.is_finite() && self.lon.is_finite() && self.lat.abs() <= 90.0 && self.lon.abs() <= 180.0
    }

    /// Great-circle distance (haversine, exact for neighbours as for antipodes).
    #[must_use]
    pub fn distance(self, other: Self) -> Metres {
        let (lat1, lat2) = (self.lat.to_radians(), other.lat.to_radians());
        let dlat = (lat2 - lat1) / 2.0;
        let dlon = (other.lon - self.lon).to_radians() / 2.0;
        let h = dlat.sin().powi(2) + lat1.cos() * lat2.cos() * dlon.sin().powi(2);
        Metres(2.0 * EARTH_RADIUS_M * h.clamp(0.0, 1.0).sqrt().asin())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_hold_across_the_antimeridian_and_near_the_pole() {
        let at = |lat, lon| Position { lat, lon };
        let degree = EARTH_RADIUS_M.to_radians();
        assert!((at(0.0, 179.9995).distance(at(0.0, -179.9995)).0 - degree * 0.001).abs() < 1e-3);
        assert!((at(89.999, 0.0).distance(at(89.999, 180.0)).0 - degree * 0.002).abs() < 1e-3);
        assert!((at(10.0, 10.0).distance(at(11.0, 10.0)).0 - degree).abs() < 1e-3);
        assert_eq!(at(52.0, 13.0).distance(at(52.0, 13.0)), Metres(0.0));
    }
}
