//! Where the marks of an axis go, and what they are called.

use crate::core::time::UnixMillis;
use crate::formats::iso8601;
use crate::replay::clock;

/// Shorter distances lie on the floor of the chart.
pub const FLOOR_M: f64 = 10.0;

/// Distances on a logarithmic axis: 20 m and 20 km matter alike.
pub struct Distances {
    ceiling: f64,
}

impl Distances {
    /// An axis on which `farthest` finds room, with some above it for words.
    pub fn up_to(farthest: f64) -> Self {
        Self { ceiling: (farthest * 2.5).max(1_000.0) }
    }

    /// From 0 at the floor to 1 at the ceiling.
    pub fn share(&self, metres: f64) -> f64 {
        ((metres.max(FLOOR_M) / FLOOR_M).ln() / (self.ceiling / FLOOR_M).ln()).min(1.0)
    }

    /// The marks and their names.
    pub fn marks(&self) -> impl Iterator<Item = (f64, String)> + '_ {
        let decades = (0..7).map(|n| 10f64.powi(n + 1));
        let all = decades.flat_map(|m| [m, 3.0 * m]).take_while(|m| *m <= self.ceiling);
        all.map(|m| (m, if m < 1_000.0 { format!("{m} m") } else { format!("{} km", m / 1_000.0) }))
    }
}

/// Moments on the time axis, at most ten, with their names; the first one of a day is named by its date where that changes.
pub fn moments(from: UnixMillis, to: UnixMillis) -> Vec<(UnixMillis, String)> {
    const STEPS_S: [i64; 16] =
        [5, 10, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 7 * 86_400];
    let wanted = to.millis_since(from) / 9;
    let step =
        STEPS_S.iter().map(|s| s * 1000).find(|step| *step >= wanted).unwrap_or_else(|| (wanted / 86_400_000 + 1) * 86_400_000);
    let first = (from.0 + step - 1).div_euclid(step) * step;
    let mut day = date(from);
    (0..)
        .map(|n| UnixMillis(first + n * step))
        .take_while(|at| *at <= to)
        .map(|at| {
            let new_day = core::mem::replace(&mut day, date(at)) != day;
            let name = if new_day || step >= 86_400_000 {
                day.get(5..).unwrap_or_default().to_owned()
            } else if step < 60_000 {
                clock(at)
            } else {
                clock(at).get(..5).unwrap_or_default().to_owned()
            };
            (at, name)
        })
        .collect()
}

fn date(at: UnixMillis) -> String {
    iso8601::write(at, 0).get(..10).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_round_and_few() {
        let start = UnixMillis(1_795_240_105_208); // 2026-11-21T05:48:25.208Z
        for (seconds, first, last) in [
            (60, "05:48:30", "05:49:20"),
            (1_440, "05:50", "06:10"),
            (20 * 3_600, "06:00", "00:00"),
            (30 * 86_400, "11-26", "12-17"),
        ] {
            let marks = moments(start, UnixMillis(start.0 + seconds * 1000));
            assert!((3..=10).contains(&marks.len()), "{marks:?}");
            assert_eq!(marks.first().unwrap().1, first);
            if seconds != 20 * 3_600 {
                assert_eq!(marks.last().unwrap().1, last);
            } else {
                assert!(marks.iter().any(|(_, name)| name == "11-22"), "{marks:?}");
            }
        }
    }

    #[test]
    fn distances_reach_from_the_floor_to_the_ceiling() {
        let axis = Distances::up_to(8_000.0);
        assert_eq!((axis.share(0.0), axis.share(1e9)), (0.0, 1.0));
        let marks: Vec<String> = axis.marks().map(|(_, name)| name).collect();
        assert_eq!(marks, ["10 m", "30 m", "100 m", "300 m", "1 km", "3 km", "10 km"]);
    }
}
