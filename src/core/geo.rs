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
    ///
    /// Nearly all are of neighbours, for which one cosine is enough: what series and identity leave out is below a
    /// micrometre.
    #[must_use]
    pub fn distance(self, other: Self) -> Metres {
        let dlat = (other.lat - self.lat).to_radians() / 2.0;
        let dlon = (other.lon - self.lon).to_radians() / 2.0;
        if dlat.abs().max(dlon.abs()) > NEIGHBOURS_RAD {
            return self.haversine(other);
        }
        let (north, east) = (small_sin(dlat).powi(2), small_sin(dlon).powi(2));
        // The product of both cosines of latitude.
        let wide = ((self.lat + other.lat).to_radians().cos() + 1.0) / 2.0 - north;
        Metres(2.0 * EARTH_RADIUS_M * small_asin((north + wide.max(0.0) * east).sqrt()))
    }

    fn haversine(self, other: Self) -> Metres {
        let (lat1, lat2) = (self.lat.to_radians(), other.lat.to_radians());
        let dlat = (lat2 - lat1) / 2.0;
        let dlon = (other.lon - self.lon).to_radians() / 2.0;
        let h = dlat.sin().powi(2) + lat1.cos() * lat2.cos() * dlon.sin().powi(2);
        Metres(2.0 * EARTH_RADIUS_M * h.clamp(0.0, 1.0).sqrt().asin())
    }
}

/// Half the difference of latitude and of longitude up to which two places are neighbours: 32 km on a meridian.
const NEIGHBOURS_RAD: f64 = 0.005 / 2.0;

/// Of at most [`NEIGHBOURS_RAD`]; the next term is x⁷/5040.
fn small_sin(x: f64) -> f64 {
    let square = x * x;
    x * (1.0 - square / 6.0 * (1.0 - square / 20.0))
}

/// Of at most √2 [`NEIGHBOURS_RAD`]; the next term is 15 x⁷/336.
fn small_asin(x: f64) -> f64 {
    let square = x * x;
    x * (1.0 + square / 6.0 * (1.0 + square * 9.0 / 20.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn neighbours_are_as_far_apart_as_the_full_formula_says(
            lat in prop_oneof![-90.0..90.0_f64, 89.9..90.0, -90.0..-89.9],
            lon in prop_oneof![-180.0..180.0_f64, 179.9..180.0],
            scale in -9..0_i32,
            (north, east) in (-1.0..1.0_f64, -1.0..1.0_f64),
        ) {
            let at = Position { lat, lon };
            let scale = 10.0_f64.powi(scale);
            let other = Position { lat: (lat + north * scale).clamp(-90.0, 90.0), lon: lon + east * scale };
            prop_assert!((at.distance(other).0 - at.haversine(other).0).abs() < 1e-6, "{at:?} {other:?}");
        }
    }

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
