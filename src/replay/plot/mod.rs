//! A picture of a replay: SVG, one panel a pair, legible in light and dark.
//!
//! Left the distance over time with its uncertainty, the two thresholds and what was found; right the tracks on a map. Colours
//! stand in a style sheet with plain classes, since many viewers know no CSS variables.

mod axis;
mod chart;
mod map;

use core::fmt::Write;

use super::watch::{PairId, Trail, Watch};
use crate::core::separation::FindingEvent;
use crate::core::time::UnixMillis;
use crate::formats::iso8601;

/// Panels drawn; of more pairs those with findings come first, then those that were farthest apart.
pub const MAX_PANELS: usize = 12;

const WIDTH: f64 = 1200.0;
const MARGIN: f64 = 28.0;
const TOP: f64 = 92.0;
const PANEL: f64 = 330.0;

/// A rectangle on the page.
#[derive(Clone, Copy)]
struct Area {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Area {
    fn right(self) -> f64 {
        self.left + self.width
    }

    fn bottom(self) -> f64 {
        self.top + self.height
    }
}

/// The picture.
#[must_use]
pub fn plot(watch: &Watch) -> String {
    let mut pairs: Vec<(&PairId, &Trail)> = watch.trails().iter().filter(|(_, trail)| !trail.comparisons.is_empty()).collect();
    let left_out = pairs.len().saturating_sub(MAX_PANELS);
    if left_out > 0 {
        let farthest = |trail: &Trail| trail.comparisons.values().map(|c| c.clear.0).fold(0.0, f64::max);
        pairs.sort_by(|(_, a), (_, b)| {
            (b.findings.len(), farthest(b)).partial_cmp(&(a.findings.len(), farthest(a))).unwrap_or(core::cmp::Ordering::Equal)
        });
        pairs.truncate(MAX_PANELS);
        pairs.sort_by_key(|(pair, _)| *pair);
    }
    let height = TOP + PANEL * pairs.len().max(1) as f64 + if left_out > 0 { 30.0 } else { 0.0 };
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">
<title>Distance between tractor and trailer, as gladhand saw it</title>
<style>
{STYLE}</style>
<rect class="page" width="{WIDTH}" height="{height}"/>
<text class="title" x="{MARGIN}" y="36">Distance between tractor and trailer</text>"#
    );
    let times = || pairs.iter().flat_map(|(_, trail)| trail.comparisons.keys());
    if let (Some(from), Some(to)) = (times().min().copied(), times().max().copied()) {
        let _ = writeln!(svg, r#"<text class="muted end" x="{:.1}" y="36">{}</text>"#, WIDTH - MARGIN, span(from, to));
        legend(&mut svg);
        let to = to.max(UnixMillis(from.0.saturating_add(60_000)));
        for (index, (pair, trail)) in pairs.iter().enumerate() {
            panel(&mut svg, TOP + PANEL * index as f64, pair, trail, (from, to), watch);
        }
    } else {
        let _ = writeln!(svg, r#"<text class="muted" x="{MARGIN}" y="{}">No pair was ever seen at one time.</text>"#, TOP + 20.0);
    }
    if left_out > 0 {
        let y = height - 18.0;
        let _ = writeln!(
            svg,
            r#"<text class="muted" x="{MARGIN}" y="{y}">{left_out} more pairs, of which less was found, are not drawn.</text>"#
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, top: f64, (tractor, trailer): &PairId, trail: &Trail, times: (UnixMillis, UnixMillis), watch: &Watch) {
    let _ = writeln!(
        svg,
        r#"<g>
<text class="pair" x="{MARGIN}" y="{:.1}">{} and {}<tspan class="muted" dx="14">{}</tspan></text>"#,
        top + 18.0,
        escaped(tractor),
        escaped(trailer),
        told(trail)
    );
    let area = Area { left: MARGIN + 58.0, top: top + 34.0, width: 742.0, height: 236.0 };
    chart::draw(svg, area, trail, times, watch.settings());
    map::draw(svg, Area { left: WIDTH - MARGIN - 290.0, width: 290.0, ..area }, trail, watch.zones());
    svg.push_str("</g>\n");
}

fn told(trail: &Trail) -> String {
    let count = |event| trail.findings.iter().filter(|f| f.event == event).count();
    let naive = trail.naive.alarms.len();
    let plural = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    let mut parts = vec![plural(count(FindingEvent::Opened), "violation")];
    if count(FindingEvent::Suspected) > 0 {
        parts.push(format!("{} suspected", count(FindingEvent::Suspected)));
    }
    if count(FindingEvent::DroppedOk) > 0 {
        parts.push(plural(count(FindingEvent::DroppedOk), "permitted drop"));
    }
    parts.push(format!("comparing latest positions: {}", plural(naive, "alarm")));
    parts.join(" · ")
}

fn legend(svg: &mut String) {
    let mut x = MARGIN;
    let y = 64.0;
    for (shape, words, width) in [
        (r#"<path class="band" d="M0-7h26v12H0z"/><path class="distance" d="M0-1h26"/>"#, "distance ± uncertainty", 226.0),
        (r#"<path class="limit apart" d="M0-1h26"/>"#, "band above: apart", 188.0),
        (r#"<path class="limit together" d="M0-1h26"/>"#, "line below: together", 206.0),
        (r#"<path class="violation" d="M0-7h26v12H0z"/>"#, "violation", 126.0),
        (r#"<path class="suspected" d="M0-7h26v12H0z"/>"#, "suspected", 130.0),
        (r#"<path class="naive" d="M13-7l5 9h-10z"/>"#, "latest positions would alarm", 0.0),
    ] {
        let _ = writeln!(svg, r#"<g transform="translate({x} {y})">{shape}<text class="muted" x="34" y="3">{words}</text></g>"#);
        x += width;
    }
}

/// `2026-11-21, 05:24 to 05:48 UTC`
fn span(from: UnixMillis, to: UnixMillis) -> String {
    let (a, b) = (iso8601::write(from, 0), iso8601::write(to, 0));
    let part = |text: &str, range: core::ops::Range<usize>| text.get(range).unwrap_or_default().to_owned();
    let (day, last_day) = (part(&a, 0..10), part(&b, 0..10));
    let until = if day == last_day { part(&b, 11..16) } else { format!("{last_day}, {}", part(&b, 11..16)) };
    format!("{day}, {} to {until} UTC", part(&a, 11..16))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

const STYLE: &str = "\
text{font:13px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:#1c2330}
.title{font-size:19px;font-weight:600}.pair{font-size:15px;font-weight:600}
.muted,.tick{fill:#566072;font-size:13px;font-weight:400}.tick{font-size:12px}.end{text-anchor:end}.middle{text-anchor:middle}
.note{font-size:12px;font-weight:600;paint-order:stroke;stroke:#fff;stroke-width:4px;stroke-linejoin:round}
.page{fill:#fff}.field{fill:#f7f9fc;stroke:#d5dbe5}
.grid{stroke:#e2e7ef;fill:none}.scale{stroke:#566072;stroke-width:1.5;fill:none}
.distance,.tractor{stroke:#1d5fd1;fill:none;stroke-width:1.8;stroke-linejoin:round}.held{stroke-dasharray:2 4}
.tractor{stroke-width:2.4}.trailer{stroke:#d96a00;fill:none;stroke-width:2;stroke-linejoin:round;stroke-dasharray:6 3}
.band{fill:#1d5fd1;fill-opacity:.18}
.limit{fill:none;stroke-width:1.4;stroke-dasharray:7 4}.together{stroke:#1f8a4c}.apart{stroke:#c62828}
.is-together{fill:#1f8a4c}.is-apart{fill:#c62828}.is-suspected{fill:#8a5a00}.is-tractor{fill:#1d5fd1}.is-trailer{fill:#b85a00}
.violation{fill:#d32f2f;fill-opacity:.15}.suspected{fill:#e0a100;fill-opacity:.2}
.event{fill:none;stroke-width:1.5}.event-apart{stroke:#c62828}.event-together{stroke:#1f8a4c}.event-suspected{stroke:#b27a00}
.naive{fill:#7b8496}
.zone{fill:#1f8a4c;fill-opacity:.12;stroke:#1f8a4c;stroke-opacity:.7}.zone-name{fill:#1a6b3c;font-size:12px}
@media (prefers-color-scheme:dark){
text{fill:#e8edf4}.muted,.tick{fill:#a3aec0}
.note{stroke:#10141b}
.page{fill:#10141b}.field{fill:#171c25;stroke:#333d4d}
.grid{stroke:#262e3b}.scale{stroke:#a3aec0}
.distance,.tractor{stroke:#73aaff}.trailer{stroke:#ffad5c}
.band{fill:#73aaff;fill-opacity:.22}
.together{stroke:#58cf88}.apart{stroke:#ff7a70}
.is-together{fill:#58cf88}.is-apart{fill:#ff8a80}.is-suspected{fill:#edc04a}.is-tractor{fill:#73aaff}.is-trailer{fill:#ffad5c}
.violation{fill:#ff5c50;fill-opacity:.2}.suspected{fill:#edc04a;fill-opacity:.2}
.event-apart{stroke:#ff7a70}.event-together{stroke:#58cf88}.event-suspected{stroke:#edc04a}
.naive{fill:#8f9bb0}
.zone{fill:#58cf88;fill-opacity:.14;stroke:#58cf88}.zone-name{fill:#7fdca6}
}
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::roster::Assignment;
    use crate::core::roster::book::RosterFile;
    use crate::core::separation::Settings;
    use crate::core::topics::Topics;
    use crate::formats::Source;
    use crate::replay::Session;

    /// So many pairs of which the last comes apart; unit names that XML does not like.
    fn drawn(pairs: usize, zones: &str) -> String {
        let assignment = |n| Assignment {
            tractor: format!("T<{n:02}>&").parse().unwrap(),
            trailers: [format!("R{n:02}").parse().unwrap()].into_iter().collect(),
            driver: None,
            dispatcher: None,
            since: None,
        };
        let roster = RosterFile { assignments: (0..pairs).map(assignment).collect(), ..RosterFile::default() };
        let settings = Settings::default();
        let router = [Source::default()].into_iter().collect();
        let mut session = Session::new(&settings, router, Topics::new("gladhand", "h"), roster).watching(&settings);
        session.line(format!(r#"{{"topic":"gladhand/zones","received":1763569135,"payload":{zones}}}"#).as_bytes()).unwrap();
        for ts in (1_763_569_135..).step_by(10).take(60) {
            for n in 0..pairs {
                let away = if n + 1 == pairs { f64::from((ts - 1_763_569_335).max(0)) * 1e-4 } else { 0.0 };
                for (unit, lat) in [(format!("T<{n:02}>&"), 27.0 + away), (format!("R{n:02}"), 27.0)] {
                    let payload = format!(r#"{{"unit":"{unit}","ts":{ts},"lat":{lat},"lon":179.9999}}"#);
                    let line = format!(r#"{{"topic":"fleet/x/telemetry","received":{ts},"payload":{payload}}}"#);
                    session.line(line.as_bytes()).unwrap();
                }
            }
            while session.poll().is_some() {}
        }
        plot(session.watch().unwrap())
    }

    #[test]
    fn the_picture_is_well_formed_and_bounded() {
        let svg = drawn(MAX_PANELS + 3, "[]");
        assert_eq!(svg.matches("class=\"pair\"").count(), MAX_PANELS);
        assert!(svg.contains("3 more pairs"), "{svg}");
        assert!(svg.contains("T&lt;14&gt;&amp; and R14"), "the pair with a finding is drawn");
        assert!(svg.contains("left behind ") && svg.contains("class=\"violation\""));
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        assert_well_formed(&svg);
        assert_well_formed(&drawn(0, "[]"));
    }

    #[test]
    fn the_map_shows_the_zones_that_reach_it() {
        let svg = drawn(
            1,
            r#"[{"name":"A & B","center":[27.0,179.9999],"radius_m":100},
                {"name":"Line","polygon":[[27.001,179.999],[27.001,-179.999],[27.002,179.9999]]},
                {"name":"Far","center":[28.0,179.9999],"radius_m":100},
                {"name":"Elsewhere","polygon":[[29.0,9.0],[29.0,9.1],[29.1,9.0]]}]"#,
        );
        assert_eq!(svg.matches("<circle class=\"zone\"").count(), 1);
        assert_eq!(svg.matches("<path class=\"zone\"").count(), 1);
        assert!(svg.contains(">A &amp; B</text>") && svg.contains(">Line</text>"));
        assert!(!svg.contains("Far") && !svg.contains("Elsewhere"));
        assert_well_formed(&svg);
    }

    fn assert_well_formed(svg: &str) {
        let mut open = Vec::new();
        for tag in svg.split('<').skip(1) {
            let (tag, text) = tag.split_once('>').unwrap();
            assert!(!text.contains('&') || text.contains(';'), "{text}");
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
            let name = tag.split_whitespace().next().unwrap();
            if let Some(name) = name.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name));
            } else if !tag.ends_with('/') {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }
}
