//! The tracks of both and the zones around them, north up.

use core::fmt::Write;

use super::{Area, escaped};
use crate::core::geo::{EARTH_RADIUS_M, Position};
use crate::core::separation::FindingEvent;
use crate::core::zone::{Shape, Zone};
use crate::replay::watch::Trail;

/// Between the tracks and the edge of the map, in pixels.
const BORDER: f64 = 22.0;
/// The map shows at least this much, in metres: receivers of a parked rig wander.
const LEAST_M: f64 = 200.0;
/// Half of a long name, in pixels.
const NAME: f64 = 60.0;
/// Points nearer to the last one are not drawn, in pixels.
const NEAR: f64 = 0.8;

/// Metres east and north of the first place. Good enough for a picture, also across the antimeridian.
struct Plane {
    origin: Position,
    wide: f64,
}

impl Plane {
    fn at(&self, p: Position) -> (f64, f64) {
        let degree = EARTH_RADIUS_M.to_radians();
        let dlon = (p.lon - self.origin.lon + 540.0).rem_euclid(360.0) - 180.0;
        (dlon * self.wide * degree, (p.lat - self.origin.lat) * degree)
    }
}

pub(super) fn draw(svg: &mut String, area: Area, trail: &Trail, zones: &[Zone]) {
    let Area { left, top, width, height } = area;
    let _ = writeln!(svg, r#"<rect class="field" x="{left}" y="{top}" width="{width}" height="{height}" rx="3"/>"#);
    let Some(first) = trail.comparisons.values().next() else { return };
    let plane = Plane { origin: first.tractor, wide: first.tractor.lat.to_radians().cos() };
    let tracks = [
        ("tractor", trail.comparisons.values().map(|c| plane.at(c.tractor)).collect::<Vec<_>>()),
        ("trailer", trail.comparisons.values().map(|c| plane.at(c.trailer)).collect::<Vec<_>>()),
    ];
    let all = || tracks.iter().flat_map(|(_, track)| track);
    let range = |of: fn(&(f64, f64)) -> f64| all().map(of).fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
    let ((west, east), (south, north)) = (range(|p| p.0), range(|p| p.1));
    let room = |size: f64| size - 2.0 * BORDER;
    let scale = (room(width) / (east - west).max(LEAST_M)).min(room(height) / (north - south).max(LEAST_M));
    let middle = ((west + east) / 2.0, (south + north) / 2.0);
    let place = |(x, y): (f64, f64)| (left + width / 2.0 + (x - middle.0) * scale, top + height / 2.0 - (y - middle.1) * scale);
    // A picture in the picture cuts off what reaches beyond it.
    let _ =
        writeln!(svg, r#"<svg x="{left}" y="{top}" width="{width}" height="{height}" viewBox="{left} {top} {width} {height}">"#);
    for zone in zones {
        draw_zone(svg, area, zone, scale, |p| place(plane.at(p)));
    }
    svg.push_str("</svg>\n");
    for (class, track) in &tracks {
        let mut path = String::new();
        let mut last = (f64::MIN, f64::MIN);
        for (x, y) in track.iter().map(|p| place(*p)) {
            if (x - last.0).hypot(y - last.1) >= NEAR {
                let _ = write!(path, "{}{x:.1} {y:.1}", if path.is_empty() { 'M' } else { 'L' });
                last = (x, y);
            }
        }
        let _ = writeln!(svg, r#"<path class="{class}" d="{path}"/>"#);
    }
    for ((class, track), radius) in tracks.iter().zip([6.0, 3.5]) {
        if let Some((x, y)) = track.last().map(|p| place(*p)) {
            let _ = writeln!(svg, r#"<circle class="is-{class}" cx="{x:.1}" cy="{y:.1}" r="{radius}"/>"#);
        }
    }
    let opened = trail.findings.iter().filter(|f| f.event == FindingEvent::Opened).filter_map(|f| f.position);
    for (x, y) in opened.map(|p| place(plane.at(p))) {
        let _ = writeln!(svg, r#"<path class="event event-apart" d="M{:.1} {:.1}l12 12m0-12l-12 12"/>"#, x - 6.0, y - 6.0);
    }
    let below = area.bottom() + 17.0;
    let _ = writeln!(
        svg,
        r#"<text class="tick is-tractor" x="{left}" y="{below:.1}">tractor</text><text class="tick is-trailer" x="{:.1}" y="{below:.1}">trailer</text>"#,
        left + 52.0
    );
    scale_bar(svg, area, scale);
}

/// A zone that reaches the map, with its name.
fn draw_zone(svg: &mut String, area: Area, zone: &Zone, scale: f64, place: impl Fn(Position) -> (f64, f64)) {
    let (outline, (west, east), (north, south)) = match &zone.shape {
        Shape::Circle { center, radius } => {
            let ((x, y), r) = (place(*center), radius.0 * scale);
            (format!(r#"<circle class="zone" cx="{x:.1}" cy="{y:.1}" r="{r:.1}"/>"#), (x - r, x + r), (y - r, y + r))
        }
        Shape::Polygon(corners) => {
            let corners: Vec<_> = corners.iter().map(|corner| place(*corner)).collect();
            let range = |of: fn(&(f64, f64)) -> f64| {
                corners.iter().map(of).fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)))
            };
            let points = corners.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect::<Vec<_>>().join("L");
            (format!(r#"<path class="zone" d="M{points}z"/>"#), range(|p| p.0), range(|p| p.1))
        }
    };
    let (left, right) = (west.max(area.left), east.min(area.right()));
    let (top, bottom) = (north.max(area.top), south.min(area.bottom()));
    if left >= right || top >= bottom {
        return;
    }
    let _ = writeln!(svg, "{outline}");
    // Under the zone, or within one that reaches below the map; where an edge is near, away from it.
    let (x, y) = ((left + right) / 2.0, (bottom + 13.0).min(area.bottom() - 6.0));
    let (side, x) = if x < area.left + NAME {
        ("", left.max(area.left + 5.0))
    } else if x > area.right() - NAME {
        (" end", right.min(area.right() - 5.0))
    } else {
        (" middle", x)
    };
    let _ = writeln!(svg, r#"<text class="zone-name{side}" x="{x:.1}" y="{y:.1}">{}</text>"#, escaped(&zone.name));
}

/// A round length of about a quarter of the map, under it.
fn scale_bar(svg: &mut String, area: Area, scale: f64) {
    let most = area.width / 3.0 / scale;
    let lengths = (1..8).flat_map(|n| [1.0, 2.0, 5.0].map(|m| m * 10f64.powi(n)));
    let Some(length) = lengths.take_while(|m| *m <= most).last() else { return };
    let name = if length < 1_000.0 { format!("{length} m") } else { format!("{} km", length / 1_000.0) };
    let (right, y) = (area.right(), area.bottom() + 13.0);
    let from = right - length * scale;
    let _ = writeln!(svg, r#"<path class="scale" d="M{from:.1} {:.1}v5H{right:.1}v-5"/>"#, y - 5.0);
    let _ = writeln!(svg, r#"<text class="tick end" x="{:.1}" y="{:.1}">{name}</text>"#, from - 6.0, y + 4.0);
}
