//! Distance over time.

use core::fmt::Write;

use super::Area;
use super::axis::{Distances, FLOOR_M, moments};
use crate::core::separation::{Comparison, Finding, FindingEvent, Settings, ViolationKind};
use crate::core::time::UnixMillis;
use crate::replay::watch::Trail;
use crate::replay::{clock, metres};

/// Across a longer gap between comparisons no line is drawn, unless the thresholds allow for it.
const GAP_MS: i64 = 900_000;

/// Room at the right edge that the words of an event need; there they stand to its left.
const WORDS: f64 = 170.0;

struct Chart<'a> {
    area: Area,
    from: UnixMillis,
    to: UnixMillis,
    distances: Distances,
    settings: &'a Settings,
}

pub(super) fn draw(svg: &mut String, area: Area, trail: &Trail, (from, to): (UnixMillis, UnixMillis), settings: &Settings) {
    let farthest = trail.comparisons.values().map(|c| c.distance.0 + c.uncertainty.0).fold(0.0, f64::max);
    let chart = Chart { area, from, to, distances: Distances::up_to(farthest), settings };
    chart.field(svg);
    chart.spans(svg, &trail.findings);
    chart.limits(svg);
    chart.distance(svg, trail);
    chart.events(svg, &trail.findings);
    for alarm in &trail.naive.alarms {
        let (x, y) = (chart.x(*alarm), area.bottom() - 2.0);
        let at = clock(*alarm);
        let _ = writeln!(svg, r#"<path class="naive" d="M{x:.1} {:.1}l4.5 9h-9z"><title>{at}</title></path>"#, y - 9.0);
    }
}

/// All that is seen within half a pixel's width.
struct Column {
    x: f64,
    at: UnixMillis,
    nearest: f64,
    farthest: f64,
    low: f64,
    high: f64,
    bracketed: bool,
}

impl Chart<'_> {
    fn x(&self, at: UnixMillis) -> f64 {
        let share = at.secs_since(self.from) / self.to.secs_since(self.from);
        self.area.left + share.clamp(0.0, 1.0) * self.area.width
    }

    fn y(&self, metres: f64) -> f64 {
        self.area.bottom() - self.distances.share(metres) * self.area.height
    }

    fn field(&self, svg: &mut String) {
        let Area { left, top, width, height } = self.area;
        let (right, bottom) = (self.area.right(), self.area.bottom());
        let _ = writeln!(svg, r#"<rect class="field" x="{left}" y="{top}" width="{width}" height="{height}" rx="3"/>"#);
        for (m, name) in self.distances.marks() {
            let y = self.y(m);
            if m > FLOOR_M {
                let _ = writeln!(svg, r#"<path class="grid" d="M{left} {y:.1}H{right}"/>"#);
            }
            let _ = writeln!(svg, r#"<text class="tick end" x="{:.1}" y="{:.1}">{name}</text>"#, left - 8.0, y + 4.0);
        }
        for (at, name) in moments(self.from, self.to) {
            let x = self.x(at);
            let _ = writeln!(svg, r#"<path class="grid" d="M{x:.1} {top}V{bottom}"/>"#);
            let _ = writeln!(svg, r#"<text class="tick middle" x="{x:.1}" y="{:.1}">{name}</text>"#, bottom + 17.0);
        }
    }

    /// How long something was suspected or open.
    fn spans(&self, svg: &mut String, findings: &[Finding]) {
        for (index, finding) in findings.iter().enumerate() {
            let class = match finding.event {
                FindingEvent::Opened => "violation",
                FindingEvent::Suspected => "suspected",
                FindingEvent::Closed | FindingEvent::DroppedOk => continue,
            };
            let next = findings.get(index + 1).map_or(self.to, |next| next.at);
            let (x, top, height) = (self.x(finding.at), self.area.top, self.area.height);
            let width = (self.x(next) - x).max(1.0);
            let _ = writeln!(svg, r#"<rect class="{class}" x="{x:.1}" y="{top}" width="{width:.1}" height="{height}"/>"#);
        }
    }

    fn limits(&self, svg: &mut String) {
        let Settings { rig_length_m, together_m, apart_m, .. } = self.settings;
        let Area { left, .. } = self.area;
        let right = self.area.right();
        for (class, limit) in [("together", rig_length_m.0 + together_m.0), ("apart", rig_length_m.0 + apart_m.0)] {
            let y = self.y(limit);
            let _ = writeln!(svg, r#"<path class="limit {class}" d="M{left} {y:.1}H{right}"/>"#);
            let _ =
                writeln!(svg, r#"<text class="tick is-{class}" x="{:.1}" y="{:.1}">{limit:.0} m</text>"#, right + 5.0, y + 4.0);
        }
    }

    fn distance(&self, svg: &mut String, trail: &Trail) {
        let columns = self.columns(trail);
        let gap_ms = i64::try_from(self.settings.max_gap.as_millis()).unwrap_or(i64::MAX).max(GAP_MS);
        let rows = columns.chunk_by(|a, b| b.at.millis_since(a.at) <= gap_ms && a.bracketed == b.bracketed);
        for row in rows {
            let held = if row.first().is_some_and(|c| c.bracketed) { "" } else { " held" };
            if let [only] = row {
                let (x, y) = (only.x, self.y(only.nearest));
                let _ = writeln!(svg, r#"<path class="distance" d="M{x:.1} {:.1}V{:.1}"/>"#, self.y(only.low), self.y(only.high));
                let _ = writeln!(svg, r#"<circle class="is-tractor" cx="{x:.1}" cy="{y:.1}" r="2.5"/>"#);
                continue;
            }
            let point = |path: &mut String, x: f64, y: f64| {
                let _ = write!(path, "{}{x:.1} {y:.1}", if path.is_empty() { 'M' } else { 'L' });
            };
            let (mut band, mut line) = (String::new(), String::new());
            row.iter().for_each(|c| point(&mut band, c.x, self.y(c.high)));
            row.iter().rev().for_each(|c| point(&mut band, c.x, self.y(c.low)));
            for c in row {
                point(&mut line, c.x, self.y(c.nearest));
                if c.farthest > c.nearest {
                    point(&mut line, c.x, self.y(c.farthest));
                }
            }
            let _ = writeln!(svg, r#"<path class="band" d="{band}Z"/>"#);
            let _ = writeln!(svg, r#"<path class="distance{held}" d="{line}"/>"#);
        }
    }

    /// At most two for each pixel, however long the recording is.
    fn columns(&self, trail: &Trail) -> Vec<Column> {
        let mut columns: Vec<Column> = Vec::new();
        for c in trail.comparisons.values() {
            let Comparison { at, bracketed, .. } = *c;
            let (d, u) = (c.distance.0, c.uncertainty.0);
            let x = (self.x(at) * 2.0).round() / 2.0;
            match columns.last_mut().filter(|last| last.x >= x && last.bracketed == bracketed) {
                Some(last) => {
                    (last.nearest, last.farthest) = (last.nearest.min(d), last.farthest.max(d));
                    (last.low, last.high) = (last.low.min(d - u), last.high.max(d + u));
                    last.at = at;
                }
                None => columns.push(Column { x, at, nearest: d, farthest: d, low: d - u, high: d + u, bracketed }),
            }
        }
        columns
    }

    fn events(&self, svg: &mut String, findings: &[Finding]) {
        // The words of one event stand below those of the one before where both would not find room.
        let mut rows = [f64::MIN; 4];
        for finding in findings {
            let (class, what) = match (finding.event, finding.kind) {
                (FindingEvent::Opened, Some(ViolationKind::LeftBehind)) => ("apart", "left behind"),
                (FindingEvent::Opened, Some(ViolationKind::TrailerMovingAlone)) => ("apart", "moving alone"),
                (FindingEvent::Opened, Some(ViolationKind::TrailerMovedFromDrop)) => ("apart", "moved from drop"),
                (FindingEvent::Opened, Some(ViolationKind::LeftWithoutTrailer)) => ("apart", "left without trailer"),
                (FindingEvent::Opened, None) => ("apart", "violation"),
                (FindingEvent::Suspected, _) => ("suspected", "suspected"),
                (FindingEvent::Closed, _) => ("together", "over"),
                (FindingEvent::DroppedOk, _) => ("together", "permitted drop"),
            };
            let (x, top) = (self.x(finding.at), self.area.top);
            let (side, at, start, end) =
                if x + WORDS > self.area.right() { (" end", x - 6.0, x - WORDS, x) } else { ("", x + 6.0, x, x + WORDS) };
            let row = rows.iter().position(|taken| *taken <= start).unwrap_or(rows.len() - 1);
            if let Some(taken) = rows.get_mut(row) {
                *taken = end;
            }
            let y = top + 16.0 + 15.0 * row as f64;
            let _ = writeln!(svg, r#"<path class="event event-{class}" d="M{x:.1} {top}V{:.1}"/>"#, self.area.bottom());
            let _ = writeln!(
                svg,
                r#"<text class="note is-{class}{side}" x="{at:.1}" y="{y:.1}">{what} {}<title>{} apart</title></text>"#,
                clock(finding.at),
                metres(finding.distance_m)
            );
        }
    }
}
